package bindings

//go:generate go tool abigen --v2 --abi AnchorLog.abi.json --bin AnchorLog.bin --pkg bindings --type AnchorLog --out anchorlog.go
