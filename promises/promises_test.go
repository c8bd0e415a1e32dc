package promises_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/internal/logchain"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

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
			f := h.decide(p)
			h.want(f, promises.Broken, false, promises.Slash, "1s ago")
			h.evidence(f, proofs.PromiseBroken)
			h.Mine(1) // the block at the deadline is final
			h.want(h.decide(p), promises.Broken, false, promises.Slash, "2s ago")
			h.Mine(1)
			f = h.decide(p)
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
			h.evidence(h.again(f), proofs.PromiseBroken)
		})
	}
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
			h.Pass(60 * time.Second)
			h.want(h.decide(p), promises.Unknown, false, promises.None, "it can be challenged after the deadline")
			h.Pass(time.Second)
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
				noEvents := faultrpc.Edit("eth_getLogs", func(any) any { return []any{} })
				h.proxies[0].Set(noEvents) // or else the bond would be broken
				h.want(h.decide(p), promises.Kept, false, promises.None, "a challenge was answered")
				h.proxies[0].Set()
				h.breakBond()
				h.want(h.decide(p), promises.Kept, true, promises.None, "a challenge was answered")
				h.proxies[0].Set(noEvents)
				h.want(h.decide(p), promises.Unknown, false, promises.None, "the nodes do not show how")
				return
			}
			h.Pass(bond.AnswerTime)
			h.want(h.decide(p), promises.Unknown, false, promises.None, "the time to answer ends at")
			h.Pass(time.Second)
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
	for pair, enforceable := range map[[2]proofs.Promise]bool{
		{h.promised(0, proofs.Hash{1}, 0), h.promised(0, proofs.Hash{2}, 0)}:                true,
		{h.promised(0, proofs.Hash{1}, 0), h.Promise(stranger, 0, proofs.Hash{2}, 0)}:       false,
		{h.Promise(stranger, 0, proofs.Hash{1}, 0), h.promised(0, proofs.Hash{2}, 0)}:       false,
		{h.Promise(old, 0, proofs.Hash{1}, 0), h.Promise(h.Promiser, 0, proofs.Hash{2}, 0)}: true,
	} {
		f, err := h.judge.DecideConflict(t.Context(), pair)
		if err != nil {
			t.Fatal(err)
		}
		simulated := h.judge.Simulate(t.Context(), logchain.Address(h.User), h.plan(f, promises.Slash))
		if (f.Enforceable == nil) != enforceable || (simulated == nil) != enforceable || (f.Next == promises.Slash) != enforceable {
			t.Errorf("conflict: %v, next %s; the contract says %v", f.Enforceable, f.Next, simulated)
		}
		if _, err := h.judge.Evidence(t.Context(), f); (err == nil) != enforceable {
			t.Errorf("evidence: %v", err)
		}
	}
	same := h.promised(0, proofs.Hash{1}, 0)
	for _, pair := range [][2]proofs.Promise{{same, h.promised(0, proofs.Hash{1}, 9)}, {same, h.promised(1, proofs.Hash{2}, 0)}} {
		if _, err := h.judge.DecideConflict(t.Context(), pair); err == nil {
			t.Error("a conflict of what goes together")
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

// TestLeaving: a bond whose time has come is not challenged, but slashed until it is gone.
func TestLeaving(t *testing.T) {
	h := newHarness(t)
	leaves := h.batch(2)
	p := h.promised(1, leaves[1], h.Now())
	h.hide(h.Batches[0])
	h.Send(h.Operator, h.Log.PromiseBond, nil, promiseBond.PackUnbond(h.Log.Log))
	h.Pass(bond.UnbondingTime - time.Second)
	f := h.decide(p)
	h.want(f, promises.Unknown, false, promises.Challenge, "challenge it")
	h.Pass(time.Second)
	planned := h.plan(f, promises.Challenge)
	h.want(h.decide(p), promises.Unknown, false, promises.None, "not challenged any more")
	if err := h.judge.Simulate(t.Context(), logchain.Address(h.User), planned); err == nil || !strings.Contains(err.Error(), "too late") {
		t.Errorf("challenged: %v", err)
	}
	h.breakBond()
}

// TestPoor: who cannot pay the deposit is told.
func TestPoor(t *testing.T) {
	h := newHarness(t)
	leaves := h.batch(2)
	h.hide(h.Batches[0])
	h.Pass(time.Second)
	planned := h.plan(h.decide(h.promised(1, leaves[1], h.Now()-1)), promises.Challenge)
	if err := h.judge.Simulate(t.Context(), proofs.Address{1}, planned); err == nil || !strings.Contains(err.Error(), "send it funds") {
		t.Error(err)
	}
}

// TestPrunedState: the head is proven at the newest block where no node has the state of the final one.
func TestPrunedState(t *testing.T) {
	h := newHarness(t)
	p := h.promised(0, proofs.Hash{1}, h.Now())
	h.Mine(5)
	f := h.decide(p)
	h.want(f, promises.Broken, true, promises.Slash, "")
	at := func() uint64 {
		t.Helper()
		e, err := h.judge.Evidence(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		return e.Block().Number
	}
	if got := at(); got != f.Head.FinalBlock.Number {
		t.Errorf("proven at block %d, want the final one, %d", got, f.Head.FinalBlock.Number)
	}
	h.proxies[0].Set(faultrpc.Fault{Name: "pruned", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		final := f.Head.FinalBlock
		if at := string(c.Params[len(c.Params)-1]); c.Method == "eth_getProof" && (strings.Contains(at, final.Hash.String()) || at == fmt.Sprintf(`"0x%x"`, final.Number)) {
			return faultrpc.Answer{Err: &faultrpc.Error{Code: -32000, Message: "missing trie node"}}
		}
		return next(c)
	}})
	if got := at(); got != f.Head.Block.Number {
		t.Errorf("proven at block %d, want the newest, %d", got, f.Head.Block.Number)
	}
	h.proxies[0].Set(faultrpc.Refuse(-32601, "no such method", "eth_getProof"))
	if _, err := h.judge.Evidence(t.Context(), f); err == nil {
		t.Error("evidence without a proof")
	}
}

// TestFalseEvents: an event of how a challenge ended counts only with its transaction.
func TestFalseEvents(t *testing.T) {
	h := newHarness(t)
	leaves := h.batch(2)
	p := h.promised(1, leaves[1], h.Now())
	h.hide(h.Batches[0])
	h.Mine(1)
	h.do(h.decide(p), promises.Challenge)
	h.Pass(bond.AnswerTime + time.Second)
	h.do(h.decide(p), promises.Conclude)
	// The node shows the conclusion as an answer.
	h.proxies[0].Set(faultrpc.Fault{Name: "answered", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		answered, concluded := bondEvent("Answered"), bondEvent("Concluded")
		if c.Method != "eth_getLogs" || !strings.Contains(string(c.Params[0]), answered) {
			return next(c)
		}
		c.Params = []json.RawMessage{json.RawMessage(strings.ReplaceAll(string(c.Params[0]), answered, concluded))}
		a := next(c)
		a.Result = json.RawMessage(strings.ReplaceAll(string(a.Result), concluded, answered))
		return a
	}})
	h.want(h.decide(p), promises.Broken, false, promises.None, "nobody answered")
	if h.proxies[0].Hits()["answered"] == 0 {
		t.Error("no event was asked for")
	}
}
