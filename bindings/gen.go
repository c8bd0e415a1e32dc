package bindings

// Both contracts take a Batch, and abigen declares it for each: the package keeps AnchorLog's.

//go:generate go tool abigen --v2 --abi AnchorLog.abi.json --bin AnchorLog.bin --pkg bindings --type AnchorLog --out anchorlog.go
//go:generate go tool abigen --v2 --abi PromiseBond.abi.json --bin PromiseBond.bin --pkg bindings --type PromiseBond --out promisebond.go
//go:generate sed -i "/^.. Batch is an auto/,/^}/d" promisebond.go
//go:generate gofmt -w promisebond.go
