package promises_test

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/internal/logchain"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// TestProperty plays random logs, and random promises about them: a promise is broken in one transaction if and only if
// the contract takes the planned one, and for others no slashing is taken.
func TestProperty(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	h := newHarness(t)
	outcomes := map[string]int{}
	h.batch(4)
	h.hide(h.Batches[0])
	for range 12 {
		for range rng.IntN(3) {
			h.batch(1 + rng.IntN(6))
			if rng.IntN(4) == 0 {
				h.hide(h.Batches[len(h.Batches)-1])
			}
		}
		h.Pass(time.Duration(1+rng.IntN(30)) * time.Second)
		h.refresh()
		for range 25 {
			index := uint64(rng.IntN(int(h.Next()) + 4))
			deadline := h.Now() - 60 + uint64(rng.IntN(90))
			leaf := proofs.Hash{1}
			if b, ok := h.book.BatchOf(index); ok {
				if rng.IntN(3) > 0 {
					deadline = b.Time - 1 + uint64(rng.IntN(3))
				}
				if all := h.leaves[b.Root]; all != nil && rng.IntN(2) == 0 {
					leaf = all[index-b.First]
				}
			}
			p := h.promised(index, leaf, deadline)
			f, err := h.judge.Decide(t.Context(), p, nil)
			if err != nil {
				t.Fatal(err)
			}
			outcomes[f.Outcome.String()+" "+f.Breach.String()]++
			h.holdAgainstContract(f)
		}
	}
	t.Log(outcomes)
	for _, want := range []string{"open conflict", "kept conflict", "unknown conflict", "broken substitution", "broken missed", "broken late"} {
		if outcomes[want] == 0 {
			t.Errorf("no promise was %s", want)
		}
	}
}

// holdAgainstContract tries every slashing that could be planned for the promise.
func (h *harness) holdAgainstContract(f *promises.Finding) {
	h.Helper()
	p := &f.Promise
	tries := map[proofs.Breach]anchor.Planned{proofs.Missed: bond.PlanSlashMissed(h.Log, p)}
	if b, ok := h.book.BatchOf(p.Index); ok {
		path := h.book.Path(b.Number)
		tries[proofs.Late] = bond.PlanSlashLate(h.Log, p, b.Batch, path)
		leaves := h.leaves[b.Root]
		if b.Size == 1 {
			leaves = []proofs.Hash{b.Root} // nobody can hide it
		}
		if leaves != nil {
			tree, err := proofs.NewTree(leaves)
			if err != nil {
				h.Fatal(err)
			}
			at := p.Index - b.First
			tries[proofs.Substitution] = bond.PlanSlashSubstitution(h.Log, p, leaves[at], b.Batch, path, tree.Prove(at))
		}
	}
	broken := false
	for breach, planned := range tries {
		err := h.judge.Simulate(h.Context(), logchain.Address(h.User), planned)
		if err == nil {
			broken = true
		}
		// A leaf that is late can be another, too.
		if err == nil != (f.Outcome == promises.Broken && f.Breach == breach) && !(breach == proofs.Substitution && f.Breach == proofs.Late) {
			h.Fatalf("%s: the contract says %v, the judge %s %s: %s", breach, err, f.Outcome, f.Breach, f.Detail)
		}
	}
	if broken != (f.Outcome == promises.Broken) {
		h.Fatalf("the contract says broken %t, the judge %s", broken, f.Detail)
	}
	if !broken {
		if _, err := h.judge.Plan(h.Context(), f, promises.Slash); err == nil {
			h.Fatal("a slashing was planned for what is not broken")
		}
		return
	}
	planned := h.plan(f, promises.Slash)
	if !bytes.Equal(planned.Data, tries[f.Breach].Data) {
		h.Fatalf("%s was planned otherwise", f.Breach)
	}
}
