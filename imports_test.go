// Package hansard_test keeps the rules of which package may import which.
package hansard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/hansard-dao/hansard/"

// What a package must never reach, by the prefix of its import path.
const (
	ethereum   = "github.com/ethereum/go-ethereum"
	badger     = "github.com/dgraph-io/badger"
	ipfs       = "github.com/ipfs/"
	merkletree = "github.com/wealdtech/go-merkletree"
	cli        = "github.com/urfave/cli"
)

// rule says what one package may import.
type rule struct {
	pkg    string   // below the module
	ours   []string // of our packages, directly or not; "*" is all but cmd
	never  []string // of others, directly or not
	direct []string // of the standard library, never by itself
	reason string
}

var rules = []rule{
	{
		pkg: "proofs", never: []string{ethereum, badger, ipfs, merkletree, cli},
		direct: []string{"context", "database/sql", "net", "net/http", "os", "log", "log/slog"},
		reason: "a verifier is small, does no I/O and runs anywhere; go-merkletree costs 20 ms at program start",
	},
	{pkg: "bindings", never: []string{badger, ipfs, cli}, reason: "generated code knows the contract and nothing of ours"},
	{
		pkg: "identity", ours: []string{"proofs"}, never: []string{badger, ipfs, merkletree, cli},
		reason: "who said it does not depend on where it goes",
	},
	{
		pkg: "storage", ours: []string{"proofs", "internal/badgerlog", "internal/emptylogs"}, never: []string{ethereum, ipfs, merkletree, cli},
		reason: "the log on disk serves who declares what he needs of it",
	},
	{
		pkg: "storage/ipfs", ours: []string{"proofs", "internal/badgerlog", "internal/emptylogs"}, never: []string{ethereum, merkletree, cli},
		reason: "blocks and pins, whatever is in them",
	},
	{
		pkg: "batcher", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, cli}, direct: []string{"os", "net", "net/http"},
		reason: "the sequencing loop runs over any store and knows no chain",
	},
	{
		pkg: "payload", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os", "net", "net/http"},
		reason: "what is pinned follows from the format, not from a node or a database",
	},
	{
		pkg: "fold", ours: []string{"proofs", "bindings", "nodes"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "heads go into any store; anchoring them is anchor's, and cmd joins the two",
	},
	{
		pkg: "backup", ours: []string{"proofs", "identity", "storage", "payload", "internal/badgerlog", "internal/emptylogs"},
		never: []string{ipfs, merkletree, cli}, direct: []string{"net", "net/http"}, reason: "it reads and makes a directory; who owns it is wired by cmd",
	},
	{
		pkg: "export", ours: []string{"proofs"}, never: []string{ethereum, badger, merkletree, cli}, direct: []string{"net", "net/http"},
		reason: "blocks go into a file and out of one, wherever they are kept",
	},
	{
		pkg: "receipts", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os", "net", "net/http"},
		reason: "a receipt is put together from what any store holds, and verified as a stranger would",
	},
	{
		pkg: "nodes", ours: []string{"proofs"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "nodes are asked and outvoted, whatever for",
	},
	{
		pkg: "anchor", ours: []string{"proofs", "bindings", "nodes", "cost"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "batches come from any store; keys and the node are wired by cmd",
	},
	{
		pkg: "bond", ours: []string{"proofs", "bindings", "nodes", "anchor", "cost"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "a bond is read from a chain and changed by planned transactions; who sends them is wired by cmd",
	},
	{
		pkg: "guard", ours: []string{"proofs", "bindings", "nodes", "anchor", "bond", "batcher", "cost"}, never: []string{badger, ipfs, cli}, direct: []string{"os"},
		reason: "promises are watched over any store; who signs answers is wired by cmd",
	},
	{
		pkg: "logbook", ours: []string{"proofs", "bindings", "nodes", "anchor", "cost"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "what the chain proves of a log does not depend on what anybody stored of it",
	},
	{
		pkg: "recovery", ours: []string{"proofs", "storage", "internal/badgerlog", "internal/emptylogs"}, never: []string{ethereum, merkletree, cli}, direct: []string{"net", "net/http"},
		reason: "a log is rebuilt from what any chain proves and any source gives",
	},
	{
		pkg: "promises", ours: []string{"proofs", "bindings", "nodes", "anchor", "cost", "bond", "logbook"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "the chain judges; leaves come from wherever somebody has them",
	},
	{
		pkg: "signer", ours: []string{"proofs", "identity"}, never: []string{badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "keys sign for whatever chain and contract; files and variables are wired by cmd",
	},
	{
		pkg: "cost", never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"context", "os", "net", "net/http"},
		reason: "what anchoring costs is arithmetic: fees and prices are given",
	},
	{
		pkg: "probe", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os", "net", "net/http"},
		reason: "what others hold is measured, whoever they are and wherever that is stored",
	},
	{pkg: "anchor/devchain", never: []string{badger, ipfs, merkletree}, reason: "a chain knows nothing of what is anchored on it"},
	{
		pkg: "api", ours: []string{"proofs", "batcher", "receipts"}, never: []string{ethereum, badger, ipfs, cli}, direct: []string{"os"},
		reason: "what it serves, not how that is kept",
	},
	{
		pkg: "client", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "others build on it: it must stay light",
	},
	{
		pkg: "gateway", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os"},
		reason: "blocks are fetched by their hashes, whatever for",
	},
	{
		pkg: "watchtower", ours: []string{"proofs", "bindings", "cost", "nodes", "anchor", "bond", "logbook", "payload", "promises"},
		never: []string{badger, ipfs, merkletree, cli}, reason: "anybody runs it, with nothing of an operator's",
	},
	{
		pkg: "pins", ours: []string{"proofs", "gateway"}, never: []string{ethereum, badger, merkletree, cli},
		reason: "copies go to other places, whatever stores the batches here; variables and files are read by cmd",
	},
	{
		pkg: "ingest/zoomchat", ours: []string{"proofs"}, never: []string{ethereum, badger, ipfs, merkletree, cli}, direct: []string{"os", "net", "net/http"},
		reason: "a chat becomes messages; who sends them is another matter",
	},
	{
		pkg: "internal/bench", ours: []string{"proofs", "batcher", "identity", "storage", "internal/badgerlog", "internal/emptylogs"},
		never: []string{ipfs, cli}, reason: "it measures the parts that cmd wires",
	},
	{pkg: "internal/badgerlog", never: []string{ethereum, ipfs, merkletree, cli}, reason: "it listens to badger for both stores"},
	{pkg: "internal/emptylogs", never: []string{ethereum, badger, ipfs, merkletree, cli}, reason: "it mends badger's directory before badger is there"},
	{pkg: "internal/faultrpc", never: []string{badger, ipfs, merkletree, cli}, reason: "a node that lies knows nothing of what is anchored on it"},
	{pkg: "internal/faulttest", reason: "it has tests only"},
	{
		pkg: "internal/logchain", ours: []string{"proofs", "bindings", "nodes", "anchor", "cost", "bond", "anchor/devchain", "internal/faultrpc"},
		never: []string{badger, ipfs, merkletree}, reason: "a chain for tests knows nothing of who reads it",
	},
	{pkg: "internal/lazyfs", never: []string{ethereum, badger, ipfs, merkletree, cli}, reason: "a disk for tests knows nothing of what is written to it"},
	{pkg: "tools/scenarios", reason: "it has tests only"},
	{pkg: "tools/faults", never: []string{ethereum, badger, ipfs, merkletree, cli}, reason: "it prints what tests say"},
	{pkg: "cmd/hansard", ours: []string{"*"}, reason: "it wires everything, but no other command"},
}

// listed is a package as go list says it.
type listed struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // all
}

// broken returns how the package breaks the rule.
func (r rule) broken(p listed) (how []string) {
	for _, dep := range p.Deps {
		if ours, ok := strings.CutPrefix(dep, module); ok && !r.allows(ours) {
			how = append(how, "it reaches "+ours)
		}
		for _, prefix := range r.never {
			if strings.HasPrefix(dep, prefix) {
				how = append(how, "it reaches "+dep)
			}
		}
	}
	for _, dep := range p.Imports {
		if slices.Contains(r.direct, dep) {
			how = append(how, "it imports "+dep)
		}
	}
	return how
}

func (r rule) allows(ours string) bool {
	return slices.Contains(r.ours, ours) || slices.Contains(r.ours, "*") && !strings.HasPrefix(ours, "cmd/")
}

// check returns how the packages break the rules: each has one, and each rule has a package.
func check(rules []rule, packages []listed) (how []string) {
	byName := map[string]rule{}
	for _, r := range rules {
		byName[r.pkg] = r
	}
	for _, p := range packages {
		name, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours {
			continue
		}
		r, ok := byName[name]
		if !ok {
			how = append(how, name+" has no row here")
		}
		for _, h := range r.broken(p) {
			how = append(how, fmt.Sprintf("%s: %s; but %s", name, h, r.reason))
		}
		delete(byName, name)
	}
	for name := range byName {
		how = append(how, name+" has a row here and is no package")
	}
	return how
}

func TestImports(t *testing.T) {
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", "./...")
	out, err := list.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Logf("%s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	for _, how := range check(rules, packages) {
		t.Error(how)
	}
}

// TestCheck shows that each kind of break is found.
func TestCheck(t *testing.T) {
	row := []rule{{pkg: "a", ours: []string{"b"}, never: []string{ethereum}, direct: []string{"os"}, reason: "so"}, {pkg: "b"}}
	good := []listed{{ImportPath: module + "a", Imports: []string{"fmt", module + "b"}, Deps: []string{"fmt", "os", module + "b"}}, {ImportPath: module + "b"}}
	if how := check(row, good); len(how) != 0 {
		t.Errorf("a good list breaks a rule: %q", how)
	}
	tests := map[string]listed{
		"a: it reaches c; but so":                              {ImportPath: module + "a", Deps: []string{module + "b", module + "c"}},
		"a: it reaches " + ethereum + "/core; but so":          {ImportPath: module + "a", Deps: []string{ethereum + "/core"}},
		"a: it imports os; but so":                             {ImportPath: module + "a", Imports: []string{"os"}, Deps: []string{"os"}},
		"c has no row here":                                    {ImportPath: module + "c"},
		"a has a row here and is no package":                   {ImportPath: "example.org/a"},
		"b: it reaches a; but ":                                {ImportPath: module + "b", Deps: []string{module + "a"}},
		"cmd/x: it reaches cmd/y; but nobody imports commands": {ImportPath: module + "cmd/x", Deps: []string{module + "b", module + "cmd/y"}},
	}
	for want, p := range tests {
		all := append(slices.DeleteFunc(slices.Clone(good), func(g listed) bool {
			return g.ImportPath == p.ImportPath || want == "a has a row here and is no package" && g.ImportPath == module+"a"
		}), p)
		rules := row
		if strings.HasPrefix(want, "cmd/x") {
			rules = append(slices.Clone(row), rule{pkg: "cmd/x", ours: []string{"*"}, reason: "nobody imports commands"})
		}
		if how := check(rules, all); !slices.Equal(how, []string{want}) {
			t.Errorf("got %q, want %q", how, want)
		}
	}
}
