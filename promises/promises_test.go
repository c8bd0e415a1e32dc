package promises_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
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

const week = 7 * 24 * time.Hour

// TestSlash breaks a promise in each way that one transaction shows: it is found, the evidence verifies, and the planned
// transaction slashes the bond.
func TestSlash(t *testing.T) {
	other := proofs.Keccak([]byte("another leaf"))
	tests := map[proofs.Breach]func(h *harness) *promises.Finding{
		proofs.Conflict: func(h *harness) *promises.Finding {
			h.refresh()
			pairs := promises.Conflicts([]proofs.Promise{
				h.promised(4, other, h.Now()), h.promised(4, proofs.Hash{1}, h.Now()), h.promised(4, other, h.Now()), h.promised(5, proofs.Hash{2}, 0),
			})
			if len(pairs) != 1 {
				h.Fatalf("%d pairs", len(pairs))
			}
			f, err := h.judge.DecideConflict(h.Context(), pairs[0])
			if err != nil {
				h.Fatal(err)
			}
			h.want(f, promises.Broken, true, promises.Slash, "two leaves were promised at index 4")
			return f
		},
		proofs.Substitution: func(h *harness) *promises.Finding {
			h.batch(3)
			h.batch(5)
			p := h.promised(6, other, h.Now()+60)
			h.want(h.decide(p), promises.Broken, false, promises.Slash, "another leaf stands at index 6")
			h.Mine(2)
			f := h.decide(p)
			h.want(f, promises.Broken, true, promises.Slash, "another leaf stands at index 6")
			return f
		},
		proofs.Missed: func(h *harness) *promises.Finding {
			h.batch(3)
			p := h.promised(3, other, h.Now()+60)
			h.want(h.decide(p), promises.Open, false, promises.None, "the log holds 3 messages")
			h.Pass(60 * time.Second)
			h.want(h.decide(p), promises.Open, false, promises.None, "")
			h.Pass(time.Second)
			h.want(h.decide(p), promises.Broken, false, promises.Slash, "1s ago")
			h.Mine(2)
			f := h.decide(p)
			h.want(f, promises.Broken, true, promises.Slash, "3s ago")
			return f
		},
		proofs.Late: func(h *harness) *promises.Finding {
			h.batch(3)
			p := h.promised(4, other, h.Now()+60)
			h.Pass(60 * time.Second)
			h.batch(2)
			h.want(h.decide(p), promises.Broken, false, promises.Slash, "batch 1 was anchored at 2027-")
			h.Mine(2)
			f := h.decide(p)
			h.want(f, promises.Broken, true, promises.Slash, "1s after the deadline")
			return f
		},
	}
	for breach, arrange := range tests {
		t.Run(breach.String(), func(t *testing.T) {
			h := newHarness(t)
			f := arrange(h)
			if f.Breach != breach || f.Signer != logchain.Address(h.Promiser) || f.Enforceable != nil {
				t.Fatalf("%+v", f)
			}
			h.evidence(f, proofs.PromiseBroken)
			h.batch(1) // moves peaks: the path that was planned before would not hold
			h.batch(1)
			h.refresh()
			h.do(f, promises.Slash)
			if got, ok := h.slashed(); !ok || got != breach && breach != proofs.Missed {
				t.Fatalf("slashed %t as %s", ok, got)
			}
			h.refresh()
			planned := h.plan(f, promises.Slash)
			if err := h.judge.Simulate(t.Context(), logchain.Address(h.User), planned); err == nil || !strings.Contains(err.Error(), "no bond") {
				t.Errorf("slashed twice: %v", err)
			}
			again, err := h.judge.Decide(t.Context(), f.Promise, nil)
			if breach != proofs.Conflict && (err != nil || again.Outcome != promises.Broken || again.Enforceable == nil || again.Next != promises.None) {
				t.Errorf("after slashing: %+v, %v", again, err)
			}
			h.evidence(again2(h, f), proofs.PromiseBroken)
		})
	}
}

// again2 is the finding as it is now.
func again2(h *harness, f *promises.Finding) *promises.Finding {
	h.Helper()
	if f.Second != nil {
		g, err := h.judge.DecideConflict(h.Context(), [2]proofs.Promise{f.Promise, *f.Second})
		if err != nil {
			h.Fatal(err)
		}
		return g
	}
	return h.decide(f.Promise)
}

// TestMissedBecameLate plans Missed, and the log reaches the index before the transaction is mined.
func TestMissedBecameLate(t *testing.T) {
	h := newHarness(t)
	p := h.promised(0, proofs.Hash{1}, h.Now())
	h.Mine(1)
	f := h.decide(p)
	missed := h.plan(f, promises.Slash)
	h.batch(2)
	h.refresh()
	if err := h.judge.Simulate(t.Context(), logchain.Address(h.User), missed); err == nil || !strings.Contains(err.Error(), "breaks no promise") {
		t.Fatalf("missed after it was reached: %v", err)
	}
	h.do(f, promises.Slash)
	if got, ok := h.slashed(); !ok || got != proofs.Late {
		t.Errorf("slashed %t as %s", ok, got)
	}
}

// TestKept: the leaf stands where it was promised, whoever shows it.
func TestKept(t *testing.T) {
	h := newHarness(t)
	h.batch(4)
	leaves := h.batch(5)
	b := h.Batches[1]
	p := h.promised(6, leaves[2], b.Time)
	h.want(h.decide(p), promises.Kept, false, promises.None, "stands at index 6, in batch 1")
	h.Mine(2)
	f := h.decide(p)
	h.want(f, promises.Kept, true, promises.None, "stands at index 6, in batch 1")
	if _, err := h.judge.Evidence(t.Context(), f); err == nil {
		t.Error("evidence of a promise that was kept")
	}
	if _, err := h.judge.Plan(t.Context(), f, promises.Slash); err == nil {
		t.Error("a plan to slash for a promise that was kept")
	}
	h.hide(b)
	h.want(h.decide(p), promises.Unknown, false, promises.Challenge, "nobody shows the leaf")
}

// TestReceipt decides with nothing but a receipt, as far as it is true.
func TestReceipt(t *testing.T) {
	h := newHarness(t)
	h.batch(4)
	var leaves []proofs.Hash
	var entries []proofs.Entry
	for i := range 5 {
		e := proofs.Entry{Log: h.Log.Log, Index: h.Next() + uint64(i), Vouch: proofs.VouchNobody}
		entries, leaves = append(entries, e), append(leaves, e.Leaf())
	}
	b := h.Anchor(leaves)
	tree, err := proofs.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	h.Mine(1)
	h.refresh()
	for i := range leaves {
		rc := &proofs.Receipt{Level: proofs.Included, Entry: entries[i], Batch: &b, Inclusion: tree.Prove(uint64(i))}
		f, err := h.judge.Decide(t.Context(), h.promised(entries[i].Index, leaves[i], b.Time), rc)
		if err != nil {
			t.Fatal(err)
		}
		h.want(f, promises.Kept, false, promises.None, "stands")
		f, err = h.judge.Decide(t.Context(), h.promised(entries[i].Index, proofs.Hash{9}, b.Time), rc)
		if err != nil {
			t.Fatal(err)
		}
		h.want(f, promises.Broken, false, promises.Slash, "another leaf")
		forged := *rc
		forged.Entry.Vouch++
		other := *rc
		other.Entry.Index++
		for _, rc := range []*proofs.Receipt{&forged, &other, {Entry: entries[i]}} {
			f, err := h.judge.Decide(t.Context(), h.promised(entries[i].Index, rc.Entry.Leaf(), b.Time), rc)
			if err != nil {
				t.Fatal(err)
			}
			h.want(f, promises.Unknown, false, promises.Challenge, "nobody shows")
		}
	}
}

// TestLeaves: leaves that are not those of the batch are none.
func TestLeaves(t *testing.T) {
	h := newHarness(t)
	leaves := h.batch(5)
	b := h.Batches[0]
	p := h.promised(2, leaves[2], b.Time)
	h.Mine(1)
	for name, given := range map[string][]proofs.Hash{
		"other": {leaves[0], leaves[1], {3}, leaves[3], leaves[4]}, "fewer": leaves[:4], "none": {}, "more": append(leaves[:5:5], proofs.Hash{}),
	} {
		h.leaves[b.Root] = given
		h.want(h.decide(p), promises.Unknown, false, promises.Challenge, "nobody shows")
		t.Log(name, h.decide(p).Detail)
	}
	h.leaves[b.Root] = leaves
	h.want(h.decide(p), promises.Kept, false, promises.None, "")
}

// TestChallenge walks through every state of a challenge.
func TestChallenge(t *testing.T) {
	for _, answered := range []bool{true, false} {
		t.Run(fmt.Sprintf("answered %t", answered), func(t *testing.T) {
			h := newHarness(t)
			h.batch(3)
			leaves := h.batch(6)
			b := h.Batches[1]
			p := h.promised(7, leaves[4], b.Time+60)
			kept := h.decide(p)
			h.hide(b)
			h.want(h.decide(p), promises.Unknown, false, promises.None, "it can be challenged after the deadline")
			h.Pass(61 * time.Second)
			f := h.decide(p)
			h.want(f, promises.Unknown, false, promises.Challenge, "challenge it")
			h.do(f, promises.Challenge)
			f = h.decide(p)
			h.want(f, promises.Unknown, false, promises.None, "the time to answer ends at")
			if f.Challenge == nil || f.Challenge.Challenger != logchain.Address(h.User) || f.Challenge.AnswerBy != h.Now()+uint64(bond.AnswerTime/time.Second) {
				t.Fatalf("challenge %+v", f.Challenge)
			}
			if err := h.judge.Simulate(t.Context(), logchain.Address(h.User), h.plan(f, promises.Conclude)); err == nil || !strings.Contains(err.Error(), "too early") {
				t.Errorf("concluded early: %v", err)
			}
			if answered {
				h.batch(1)
				h.leaves[b.Root] = leaves
				f = h.decide(p)
				h.want(f, promises.Kept, true, promises.Answer, "answer before")
				h.do(kept, promises.Answer)
				h.hide(b)
				h.want(h.decide(p), promises.Kept, false, promises.None, "a challenge was answered")
				h.Mine(2)
				h.want(h.decide(p), promises.Kept, true, promises.None, "a challenge was answered")
				h.breakBond()
				h.want(h.decide(p), promises.Kept, true, promises.None, "a challenge was answered")
				h.proxies[0].Set(faultrpc.Edit("eth_getLogs", func(any) any { return []any{} }))
				h.want(h.decide(p), promises.Unknown, false, promises.None, "the nodes do not show how")
				return
			}
			h.Pass(bond.AnswerTime + time.Second)
			f = h.decide(p)
			h.want(f, promises.Unknown, false, promises.Conclude, "conclude it")
			h.do(f, promises.Conclude)
			h.want(h.decide(p), promises.Broken, false, promises.None, "nobody answered within 3 days")
			h.Mine(2)
			f = h.decide(p)
			h.want(f, promises.Broken, true, promises.None, "nobody answered within 3 days")
			h.evidence(f, proofs.Undetermined)
			if got, ok := h.slashed(); !ok || got != proofs.Withheld || f.Breach != proofs.Withheld {
				t.Errorf("slashed %t as %s", ok, got)
			}
		})
	}
}

// breakBond has the bond slashed for something else.
func (h *harness) breakBond() {
	h.Helper()
	h.do(h.decide(h.promised(h.Next(), proofs.Hash{1}, h.Now()-1)), promises.Slash)
}

// TestEnforceable: what is broken is broken, whether the bond pays for it or not.
func TestEnforceable(t *testing.T) {
	stranger, old := logchain.Key("stranger"), logchain.Key("old")
	h := newHarness(t)
	key := func(k *ecdsa.PrivateKey) common.Address { return common.Address(logchain.Address(k)) }
	h.Send(h.Operator, h.Log.PromiseBond, nil, promiseBond.PackAddKey(h.Log.Log, key(old)))
	h.Send(h.Operator, h.Log.PromiseBond, nil, promiseBond.PackRevokeKey(h.Log.Log, key(old)))
	revoked := h.Now()
	deadline := h.Now()
	h.Mine(1)
	check := func(name string, p proofs.Promise, why string) {
		t.Helper()
		f := h.decide(p)
		next := promises.None
		if why == "" {
			next = promises.Slash
		}
		if f.Outcome != promises.Broken || f.Next != next || (f.Enforceable == nil) != (why == "") || why != "" && (!errors.Is(f.Enforceable, bond.ErrNotBacked) || !strings.Contains(f.Enforceable.Error(), why)) {
			t.Fatalf("%s: %+v", name, f)
		}
		simulated := h.judge.Simulate(t.Context(), logchain.Address(h.User), h.plan(f, promises.Slash))
		if (simulated == nil) != (why == "") {
			t.Fatalf("%s: the contract says %v", name, simulated)
		}
	}
	unsigned := h.promised(0, proofs.Hash{1}, deadline)
	unsigned.Signature = proofs.Signature{}
	byOld := h.Promise(old, 0, proofs.Hash{1}, deadline)
	byStranger := h.Promise(stranger, 0, proofs.Hash{1}, deadline)
	check("active", h.promised(0, proofs.Hash{1}, deadline), "")
	check("revoked", byOld, "")
	check("stranger", byStranger, "no promise key")
	check("unsigned", unsigned, "no valid signature")
	for _, p := range []proofs.Promise{byStranger, unsigned} {
		if _, err := h.judge.Evidence(t.Context(), h.decide(p)); err == nil {
			t.Error("evidence of nobody's promise")
		}
	}
	h.Pass(bond.UnbondingTime - time.Duration(h.Now()+1-revoked)*time.Second)
	check("revoked, the second before", byOld, "")
	h.Pass(time.Second)
	check("revoked, over", byOld, "counted until")
	h.breakBond()
	check("slashed", h.promised(0, proofs.Hash{1}, deadline), "slashed")
	other := unsigned
	other.Log[0]++
	if _, err := h.judge.Decide(t.Context(), other, nil); err == nil {
		t.Error("a promise of another log was decided")
	}
}

// TestConflicts finds each pair once, in order.
func TestConflicts(t *testing.T) {
	p := func(log, index, leaf byte) proofs.Promise {
		return proofs.Promise{Log: proofs.Hash{log}, Index: uint64(index), Leaf: proofs.Hash{leaf}}
	}
	signed := p(1, 1, 1)
	signed.Signature[0]++
	all := []proofs.Promise{p(1, 1, 1), p(1, 2, 2), p(2, 1, 3), p(1, 1, 4), signed, p(1, 1, 1), p(1, 2, 2), p(1, 1, 5), p(1, 2, 6)}
	want := [][2]proofs.Promise{{p(1, 1, 1), p(1, 1, 4)}, {p(1, 1, 1), p(1, 1, 5)}, {p(1, 1, 4), p(1, 1, 5)}, {p(1, 2, 2), p(1, 2, 6)}}
	if diff := cmp.Diff(want, promises.Conflicts(all)); diff != "" {
		t.Error(diff)
	}
	if len(promises.Conflicts(nil)) != 0 {
		t.Error("conflicts among nothing")
	}
}

// TestProperty plays random logs, and random promises about them: a promise is broken in one transaction if and only if
// the contract takes the planned one, and for others no slashing is taken.
func TestProperty(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 4))
	h := newHarness(t)
	outcomes := map[string]int{}
	for range 12 {
		for range rng.IntN(3) {
			leaves := h.batch(1 + rng.IntN(6))
			if rng.IntN(4) == 0 {
				h.hide(h.Batches[len(h.Batches)-1])
			}
			_ = leaves
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
		if leaves := h.leaves[b.Root]; leaves != nil {
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
