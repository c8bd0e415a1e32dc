package promises_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/internal/logchain"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

var promiseBond = bindings.NewPromiseBond()

// harness is a chain with a book and a judge of its log.
type harness struct {
	*logchain.Chain
	nodes   *nodes.Quorum
	proxies []*faultrpc.Proxy
	book    *logbook.Book
	judge   *promises.Judge
	leaves  shelf
	seq     int
}

// shelf is where leaves of batches are, by root.
type shelf map[proofs.Hash][]proofs.Hash

func (s shelf) Leaves(_ context.Context, b proofs.Batch) ([]proofs.Hash, error) {
	if leaves, ok := s[b.Root]; ok {
		return leaves, nil
	}
	return nil, fmt.Errorf("leaves of batch %d: %w", b.Number, proofs.ErrNotFound)
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	h := &harness{Chain: logchain.New(t), leaves: shelf{}}
	h.nodes, h.proxies = h.Nodes(1, nodes.Config{})
	var err error
	if h.book, err = logbook.New(logbook.Config{Nodes: h.nodes, Log: h.Log}); err != nil {
		t.Fatal(err)
	}
	h.fresh()
	return h
}

// fresh makes a judge that remembers nothing.
func (h *harness) fresh() {
	h.Helper()
	var err error
	if h.judge, err = promises.New(promises.Config{Nodes: h.nodes, Book: h.book, Leaves: h.leaves}); err != nil {
		h.Fatal(err)
	}
}

// batch anchors a batch of n leaves, whose leaves are shown.
func (h *harness) batch(n int) []proofs.Hash {
	h.Helper()
	var leaves []proofs.Hash
	for range n {
		h.seq++
		leaves = append(leaves, proofs.Keccak(fmt.Append(nil, "leaf", h.seq)))
	}
	h.leaves[h.Anchor(leaves).Root] = leaves
	return leaves
}

// hide has nobody show the leaves of a batch any more.
func (h *harness) hide(b proofs.Batch) {
	h.Helper()
	delete(h.leaves, b.Root)
	h.fresh()
}

// decide refreshes the book and decides.
func (h *harness) decide(p proofs.Promise) *promises.Finding {
	h.Helper()
	h.refresh()
	f, err := h.judge.Decide(h.Context(), p, nil)
	if err != nil {
		h.Fatal(err)
	}
	return f
}

func (h *harness) refresh() {
	h.Helper()
	if err := h.book.Refresh(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// promised returns a promise of the log's key.
func (h *harness) promised(index uint64, leaf proofs.Hash, deadline uint64) proofs.Promise {
	return h.Promise(h.Promiser, index, leaf, deadline)
}

// want checks a finding.
func (h *harness) want(f *promises.Finding, o promises.Outcome, final bool, next promises.Action, detail string) {
	h.Helper()
	if f.Outcome != o || f.Final != final || f.Next != next || !strings.Contains(f.Detail, detail) {
		h.Fatalf("%s (%s), final %t, next %s: %q; want %s, final %t, next %s, %q", f.Outcome, f.Breach, f.Final, f.Next, f.Detail, o, final, next, detail)
	}
}

// do plans an action, simulates it, and sends it, which must succeed.
func (h *harness) do(f *promises.Finding, a promises.Action) {
	h.Helper()
	planned := h.plan(f, a)
	if err := h.judge.Simulate(h.Context(), logchain.Address(h.User), planned); err != nil {
		h.Fatal(err)
	}
	h.Send(h.User, planned.To, planned.Value, planned.Data)
}

func (h *harness) plan(f *promises.Finding, a promises.Action) anchor.Planned {
	h.Helper()
	planned, err := h.judge.Plan(h.Context(), f, a)
	if err != nil {
		h.Fatal(err)
	}
	return planned
}

// slashed says as what the bond was slashed.
func (h *harness) slashed() (proofs.Breach, bool) {
	h.Helper()
	event := proofs.Hash(promiseBond.GetABI().Events[bindings.PromiseBondSlashedEventName].ID)
	logs, err := h.nodes.Logs(h.Context(), 0, h.Head().Number.Uint64(), h.Log.PromiseBond, event)
	if err != nil {
		h.Fatal(err)
	}
	if len(logs) == 0 {
		return 0, false
	}
	e, err := promiseBond.UnpackSlashedEvent(&logs[0])
	if err != nil {
		h.Fatal(err)
	}
	return proofs.Breach(e.Breach), true
}

// evidence makes the evidence and verifies the file, as a stranger.
func (h *harness) evidence(f *promises.Finding, want proofs.Verdict) {
	h.Helper()
	e, err := h.judge.Evidence(h.Context(), f)
	if err != nil {
		h.Fatal(err)
	}
	o := proofs.Options{Trust: &proofs.Trust{Logs: []proofs.TrustedLog{{
		Name: "log", Chain: h.Log, PromiseKeys: []proofs.Address{logchain.Address(h.Promiser)},
	}}}}
	if at := e.Block(); at != nil {
		b, err := h.nodes.BlockAt(h.Context(), at.Number)
		if err != nil {
			h.Fatal(err)
		}
		o.BlockHash = b.Hash
	}
	if r := proofs.VerifyEvidence(e.Format(), o); r.Verdict != want {
		h.Fatalf("verdict %s, want %s: %+v", r.Verdict, want, r.Checks)
	}
	back, err := proofs.ParseBreachEvidence(e.Format())
	if err != nil {
		h.Fatal(err)
	}
	again, err := h.judge.Weigh(h.Context(), back)
	if err != nil {
		h.Fatal(err)
	}
	if again.Outcome != f.Outcome || again.Breach != f.Breach || again.Leaf != f.Leaf || again.Next != f.Next {
		h.Fatalf("weighed %+v, want %+v", again, f)
	}
}

// breakBond has the bond slashed for something else.
func (h *harness) breakBond() {
	h.Helper()
	h.do(h.decide(h.promised(h.Next(), proofs.Hash{1}, h.Now()-1)), promises.Slash)
}

// again is the finding as it is now.
func (h *harness) again(f *promises.Finding) *promises.Finding {
	h.Helper()
	if f.Second == nil {
		return h.decide(f.Promise)
	}
	again, err := h.judge.DecideConflict(h.Context(), [2]proofs.Promise{f.Promise, *f.Second})
	if err != nil {
		h.Fatal(err)
	}
	return again
}

// bondEvent returns the topic of an event.
func bondEvent(name string) string { return promiseBond.GetABI().Events[name].ID.Hex() }
