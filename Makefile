# make test needs Linux, Go, Node 20 and npm, and nothing else. All it makes is below .build and node_modules.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
KUBO := $(CURDIR)/.build/ipfs
CLEF := $(CURDIR)/.build/clef
RACE := ./anchor/... ./api ./batcher ./bond ./client ./fold ./gateway ./guard ./internal/faultrpc ./logbook ./nodes ./payload ./pins ./probe ./promises ./receipts ./storage/... ./watchtower

test: contracts vectors go kubo clef ## all tests
go: node_modules/.package-lock.json
	go test ./...

contracts: node_modules/.package-lock.json ## forge fmt, lint, build, test, gas snapshot
	tools/contracts

vectors: node_modules/.package-lock.json ## another language, and the whole way as a user walks it
	node testdata/verify.mjs --vectors testdata/vectors && node --test testdata/verify.test.mjs
	tools/endtoend

kubo: $(KUBO) ## CIDs as a stock IPFS node computes them; it fetches our payloads, also from a second machine (as root)
	HANSARD_KUBO=$(KUBO) go test -tags kubo -run Kubo ./storage/ipfs ./export ./pins
	HANSARD_KUBO=$(KUBO) tools/namespace
$(KUBO): tools/kubo/go.sum
	cd tools/kubo && go build -o $(KUBO) github.com/ipfs/kubo/cmd/ipfs

clef: $(CLEF) ## an external signer, with the rule of docs/keys.md
	HANSARD_CLEF=$(CLEF) go test -tags clef -run Clef ./signer
$(CLEF): tools/clef/go.sum
	cd tools/clef && go build -o $(CLEF) github.com/ethereum/go-ethereum/cmd/clef

node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund && touch $@

lint:
	@gofmt -l $$(git ls-files '*.go') | (! grep .) && go vet ./... && go vet -tags faulty ./cmd/hansard && go tool staticcheck $$(go list ./... | grep -v /bindings) && go mod tidy -diff
race: node_modules/.package-lock.json
	go test -race $(RACE)
	go test -race -run 'Service|Rotate|OtherWriter|Pins|ServeRepairs' ./cmd/hansard
generate: node_modules/.package-lock.json ## ABI, bytecode and bindings from the contracts
	tools/bindings
bench:
	go test -run '^$$' -bench . -benchtime 3x ./internal/bench
scenarios: node_modules/.package-lock.json ## promises broken in every way, and an honest operator attacked, through the program
	go test -count=1 -v ./tools/scenarios
faults: node_modules/.package-lock.json ## every fault of anchoring, as a table of what was tried and what was lost
	go run ./tools/faults
soak: node_modules/.package-lock.json ## 10,000 faults of anchoring, 200 kills and more, power cuts, a siege, ten minutes of fuzzing
	HANSARD_FAULTS=$(or $(FAULTS),10000) go test -count=1 -v -timeout 6h -run Campaign ./internal/faulttest
	HANSARD_KILLS=200 go test -count=1 -v -timeout 60m -run 'Kill|PowerCut|Disk|ReadOnly' ./storage/...
	HANSARD_SIEGE=500 go test -count=1 -v -timeout 60m -run Campaign ./tools/scenarios
	$(MAKE) fuzz FUZZTIME=10m
fuzz:
	for f in ParseReceipt ParseRecord ParseManifest ParseHead ParseBreachEvidence VerifyStorage; do go test -run '^$$' -fuzz "^Fuzz$$f$$" -fuzztime $(or $(FUZZTIME),20s) ./proofs || exit 1; done
	go test -run '^$$' -fuzz '^FuzzTxReceipt$$' -fuzztime $(or $(FUZZTIME),20s) ./nodes

.PHONY: test go contracts vectors kubo clef lint race generate bench scenarios faults soak fuzz
