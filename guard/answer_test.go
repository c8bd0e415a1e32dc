package guard_test

import (
	"context"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/proofs"
)

// TestAnswers answers what is challenged, in batches under peaks of several heights.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(5)
	a := w.answerer(nil)
	w.step(a) // nothing is open
	w.jump(2 * promised)
	for _, i := range []int{0, 3, 9} {
		w.challenge(promises[i])
	}
	w.wantOpen(3)
	w.step(a)
	w.wantOpen(0)
	w.wantCredit(submitter, 3)
	if c := a.Challenges(); c != (guard.Challenges{Answered: 3}) {
		t.Errorf("challenges: %+v", c)
	}
}

// TestPathCount: nodes that count more batches than there are take no memory.
func TestPathCount(t *testing.T) {
	w := newWorld(t)
	w.batches(3)
	a := w.answerer(nil)
	for _, number := range []uint64{0, 2} {
		if path, err := a.Path(t.Context(), number, 1<<32-1); err == nil {
			t.Errorf("batch %d has a path of %d", number, len(path))
		}
	}
	if path, err := a.Path(t.Context(), 1, 3); err != nil || len(path) != 1 {
		t.Errorf("a path of %d, %v", len(path), err)
	}
}

// TestAnswerAfterRestart finds what was challenged while nothing ran, three days back and not further.
func TestAnswerAfterRestart(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(2)
	w.jump(2 * promised)
	w.challenge(promises[1])
	w.jump(bond.AnswerTime - time.Hour)
	w.mine(300) // more than a reorg
	w.stop()
	w.open()
	w.step(w.answerer(func(c *guard.AnswererConfig) { c.Window = 7 }))
	w.wantOpen(0)
}

// TestAnswerCutOff: the process ends while its answer waits in the pool. The next one sends another, one of them is
// mined, and nothing is lost.
func TestAnswerCutOff(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.answerer(nil).Step(ctx) }()
	w.pooled(submitter, w.chain.PromiseBond)
	cancel()
	if err := <-done; err == nil {
		t.Error("a step that was cut off returns nil")
	}
	w.wantOpen(1)
	a := w.answerer(nil)
	w.step(a)
	w.step(a)
	w.wantOpen(0)
	w.wantCredit(submitter, 1)
}

// TestAnswerVoided: an own anchor that is mined first makes the path another. The answer reverts, and the next one holds.
func TestAnswerVoided(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.accept(1)
	w.seal()
	w.jump(promised - 10*time.Minute)
	w.jump(20 * time.Minute)
	w.challenge(promises[0])
	a := w.answerer(func(c *guard.AnswererConfig) { c.Signer, c.Fees.MaxTip = helper, 1 })
	done := make(chan error, 1)
	go func() { done <- a.Step(t.Context()) }()
	tx := w.pooled(helper, w.chain.PromiseBond)
	if err := w.anchorer.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pooled(submitter, w.chain.AnchorLog)
	w.mine(1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	r, err := w.q.TxReceipt(t.Context(), proofs.Hash(tx.Hash()))
	if err != nil || r.Status != 0 {
		t.Fatalf("the answer with a void path: %+v, %v", r, err)
	}
	w.wantOpen(1)
	w.anchor()
	w.step(a)
	w.wantOpen(0)
	w.wantCredit(helper, 1)
}

// TestAnswerCopied: who copies the answer gets the deposit, and the challenge is answered.
func TestAnswerCopied(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	a := w.answerer(func(c *guard.AnswererConfig) { c.Fees.MaxTip = 1 })
	done := make(chan error, 1)
	go func() { done <- a.Step(t.Context()) }()
	tx := w.pooled(submitter, w.chain.PromiseBond)
	copier := make(chan error, 1)
	go func() {
		copied := anchor.Planned{What: "copy the answer", To: w.chain.PromiseBond, Data: tx.Data(), Gas: tx.Gas()}
		wallet := w.wallet(helper)
		wallet.Blind = true // anvil estimates on top of its pool
		copier <- wallet.Do(t.Context(), []anchor.Planned{copied}, nil, func(anchor.Planned, *anchor.Paid) {})
	}()
	w.pooled(helper, w.chain.PromiseBond)
	if err := w.mining(func() error { return <-copier }); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	w.step(a)
	w.wantOpen(0)
	w.wantCredit(submitter, 0)
	w.wantCredit(helper, 1)
	if c := a.Challenges(); c != (guard.Challenges{}) {
		t.Errorf("challenges: %+v", c)
	}
}

// TestAnswerFees: fees over the cap are waited out until half of the time is over, and then paid up to what one answer
// may cost.
func TestAnswerFees(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	a := w.answerer(func(c *guard.AnswererConfig) { c.Fees.MaxFee = 20e9 })
	at := func(gwei int64, sent bool) {
		t.Helper()
		w.mineAt(gwei)
		done := make(chan error, 1)
		go func() { done <- a.Step(t.Context()) }()
		if sent {
			w.pooled(submitter, w.chain.PromiseBond)
			w.mineAt(gwei)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	at(100, false)
	w.wantOpen(1)
	w.jump(bond.AnswerTime/2 + time.Minute)
	at(600, false) // 0.05 ether are 466 gwei
	w.wantOpen(1)
	if n := w.log.count("challenge not answered"); n != 2 {
		t.Errorf("told %d times that fees keep the answer, want once for each reason: %s", n, &w.log)
	}
	at(100, true)
	w.wantOpen(0)
	w.wantCredit(submitter, 1)
}

// TestAnswerRaised: what is not mined in time is sent again with the same nonce, for more.
func TestAnswerRaised(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	a := w.answerer(func(c *guard.AnswererConfig) { c.Attempt = 100 * time.Millisecond })
	var was *types.Transaction
	for range 3 {
		if err := a.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		tx := w.pooled(submitter, w.chain.PromiseBond)
		if was != nil {
			least := func(wei *big.Int) *big.Int {
				return new(big.Int).Div(new(big.Int).Mul(wei, big.NewInt(11)), big.NewInt(10))
			}
			if tx.Nonce() != was.Nonce() || tx.GasTipCap().Cmp(least(was.GasTipCap())) < 0 || tx.GasFeeCap().Cmp(least(was.GasFeeCap())) < 0 {
				t.Errorf("nonce %d, tip %s, fee %s after nonce %d, tip %s, fee %s", tx.Nonce(), tx.GasTipCap(), tx.GasFeeCap(), was.Nonce(), was.GasTipCap(), was.GasFeeCap())
			}
		}
		was = tx
	}
	w.step(a)
	w.step(a)
	w.wantOpen(0)
	w.wantCredit(submitter, 1)
}

// TestHopeless: what cannot be answered is said, loudly and once, and costs nothing.
func TestHopeless(t *testing.T) {
	w := newWorld(t)
	kept := w.batches(1)
	forged := kept[0]
	forged.Leaf = proofs.Hash{1}
	beyond := kept[0]
	beyond.Index = 100
	late := w.accept(1)[0]
	w.seal()
	w.jump(2 * promised)
	w.anchor()
	for _, p := range []*proofs.Promise{&forged, &beyond, &late} {
		var err error
		if p.Signature, err = operator.SignDigest(bond.PromiseID(w.chain, p)); err != nil {
			t.Fatal(err)
		}
		w.challenge(*p)
	}
	a := w.answerer(nil)
	before := w.balance(submitter)
	w.step(a)
	w.step(a)
	w.wantOpen(3)
	if c := a.Challenges(); c.Open != 3 || c.Hopeless != 3 || c.AnswerBy.IsZero() {
		t.Errorf("challenges: %+v", c)
	}
	for _, why := range []string{"the leaf of entry 0 is", "the store holds 3 entries", "batch 1, with entry 2, is in a block of"} {
		if n := w.log.count(why); n != 1 {
			t.Errorf("%q is said %d times, want once: %s", why, n, &w.log)
		}
	}
	if w.log.count("level=ERROR") != 3 {
		t.Errorf("want 3 errors: %s", &w.log)
	}
	if w.balance(submitter) != before {
		t.Error("what cannot be answered cost something")
	}
	w.challenge(kept[1]) // and does not keep others from being answered
	w.step(a)
	w.wantOpen(3)
}

// TestTurns: anchors and answers of one account go one after the other.
func TestTurns(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	a := w.answerer(nil)
	w.anchorer = w.newAnchorer(anchor.Config{Yield: a.Sending, Urgent: urgent})
	w.clock.set(2 * promised)
	w.accept(1)
	w.seal()
	if err := w.anchorer.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pooled(submitter, w.chain.AnchorLog)
	sends := w.proxy.Calls()["eth_sendRawTransaction"]
	if err := a.Step(t.Context()); err != nil { // the anchor is under way: it is not its turn
		t.Fatal(err)
	}
	if n := w.proxy.Calls()["eth_sendRawTransaction"]; n != sends {
		t.Error("an answer is sent while an anchor is under way")
	}
	w.anchor()

	w.accept(1)
	w.seal()
	done := make(chan error, 1)
	go func() { done <- a.Step(t.Context()) }()
	w.pooled(submitter, w.chain.PromiseBond)
	if err := w.anchorer.Step(t.Context()); err != nil { // the answer is under way
		t.Fatal(err)
	}
	if b, err := w.db.Batch(t.Context(), 2); err != nil || len(b.Txs) > 0 {
		t.Errorf("an anchor is signed while an answer is under way: %v", err)
	}
	if err := w.mining(func() error { return <-done }); err != nil {
		t.Fatal(err)
	}
	w.anchor()
	w.wantOpen(0)
	w.wantCredit(submitter, 1)
}

// TestTurnsEnd: who challenges without end does not keep anchors away. Where the time runs out, answers go on.
func TestTurnsEnd(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(4)
	w.jump(2 * promised)
	for _, i := range []int{0, 1, 2, 3} {
		w.challenge(promises[i])
	}
	a := w.answerer(func(c *guard.AnswererConfig) { c.Turn = time.Nanosecond })
	for open := 3; open > 1; open-- {
		w.step(a)
		w.wantOpen(open)
		if a.Sending() {
			t.Error("an anchor would have to wait between two steps")
		}
	}
	w.jump(bond.AnswerTime/2 + time.Minute)
	w.challenge(promises[4])
	w.challenge(promises[5])
	w.step(a) // the two of before
	w.wantOpen(2)
}

// TestTurnsNear: where the time to answer runs out, an anchor that waits for its fee gives its nonce to the answer, and
// gets the next one. Neither is lost.
func TestTurnsNear(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	w.jump(bond.AnswerTime/2 + time.Minute)
	w.clock.set(2*promised + bond.AnswerTime/2)
	a := w.answerer(func(c *guard.AnswererConfig) { c.Attempt = 100 * time.Millisecond })
	w.anchorer = w.newAnchorer(anchor.Config{Yield: a.Sending, Urgent: urgent, Fees: anchor.Fees{MaxFee: 20e9}})
	w.accept(1)
	w.seal()
	if err := w.anchorer.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pooled(submitter, w.chain.AnchorLog)
	for i := 0; w.state().Open > 0 && i < 20; i++ {
		w.mineAt(40)
		if err := a.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.anchorer.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.mineAt(40)
	}
	w.wantOpen(0)
	w.wantCredit(submitter, 1)
	if w.waiting() != 1 {
		t.Error("the anchor was not to be paid yet")
	}
	w.mineAt(1)
	w.anchor()
}

// TestAnswerWithoutLogs: what was found before is answered while nodes show no events.
func TestAnswerWithoutLogs(t *testing.T) {
	w := newWorld(t)
	promises := w.batches(1)
	w.jump(2 * promised)
	w.challenge(promises[0])
	a := w.answerer(nil)
	w.proxy.Set(faultrpc.Balance(new(big.Int)))
	w.step(a)
	w.wantOpen(1)
	w.proxy.Set(faultrpc.Refuse(-32000, "out of service", "eth_getLogs"))
	if err := w.mining(func() error { return a.Step(t.Context()) }); err == nil {
		t.Error("nobody is told that there may be others")
	}
	w.wantOpen(0)
}

// TestAnswerFaults: whatever a node does for a while, the challenge is answered once it is over.
func TestAnswerFaults(t *testing.T) {
	hide := func(any) any { return []any{} }
	for _, fault := range []faultrpc.Fault{
		faultrpc.Refuse(-32000, "range too wide", "eth_getLogs"),
		faultrpc.Edit("eth_getLogs", hide),
		faultrpc.Status(500, "eth_call"),
		faultrpc.Status(429, "eth_sendRawTransaction"),
		faultrpc.SwallowSend(),
		faultrpc.LateReset("eth_sendRawTransaction"),
		faultrpc.DropReceipt(func(common.Hash) bool { return true }),
		faultrpc.Balance(new(big.Int)),
		faultrpc.BaseFee(big.NewInt(1e13)),
	} {
		t.Run(fault.Name, func(t *testing.T) {
			w := newWorld(t)
			promises := w.batches(1)
			w.jump(2 * promised)
			w.challenge(promises[0])
			a := w.answerer(func(c *guard.AnswererConfig) { c.Attempt = 200 * time.Millisecond })
			w.proxy.Reset()
			w.proxy.Set(fault)
			for range 2 {
				if err := w.mining(func() error { return a.Step(t.Context()) }); err != nil {
					t.Logf("step: %v", err)
				}
			}
			if w.proxy.Hits()[fault.Name] == 0 {
				t.Errorf("the fault changed nothing: %v", w.proxy.Hits())
			}
			w.proxy.Set()
			w.step(w.answerer(nil)) // a restart looks anew
			w.wantOpen(0)
			w.wantCredit(submitter, 1)
		})
	}
}
