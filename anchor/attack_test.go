package anchor

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// TestNodesOffIdle has nodes that are gone while no batch waits: the delay lasts until they are back, and
// does not begin again with each look.
func TestNodesOffIdle(t *testing.T) {
	h := newHarness(t)
	changes := 0
	cfg := h.config()
	cfg.Delayed = func() { changes++ }
	a := h.configured(cfg)
	h.step(a)
	a.looked = time.Time{} // a minute has passed
	h.fault = func(*request, func() []byte) ([]byte, error) { return nil, errors.New("node is gone") }
	for range 4 {
		if err := a.Step(t.Context()); err == nil || a.Delay() == nil || a.Delay().Code != NodesOff {
			t.Fatalf("nodes are gone: %v, delay %+v", err, a.Delay())
		}
	}
	h.fault = nil
	h.wantDelay(a, "", "")
	if changes != 2 {
		t.Errorf("the delay changed %d times, want 2", changes)
	}
}

// TestRevertedTries has a batch whose transactions reverted, and whose pause is over while fees are over the
// cap: it goes on with the fees, and not a pause later.
func TestRevertedTries(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.Fees.MaxFee = 20e9
	a := h.configured(cfg)
	s, spent := &h.store.batches[0], []proofs.Spend{{Wei: new(big.Int)}, {Wei: new(big.Int)}}
	var held *hold
	if err := a.afterReverts(s, spent); !errors.As(err, &held) || held.code != Reverted {
		t.Fatalf("after two reverts: %v", err)
	}
	a.retry[0] = pause{2, time.Now().Add(-time.Second)}
	for range 3 {
		if err := a.afterReverts(s, spent); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	}
	if err := a.afterReverts(s, append(spent, spent[0])); !errors.As(err, &held) {
		t.Errorf("after one more: %v", err)
	}
}

// TestLateRevert fills a gap of nonces, and what the batch had signed above it is mined a block after the
// batch was included: it reverts, and its cost counts as well.
func TestLateRevert(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.transact(submitter, pauper.Address(), nil, 1e9)
	h.mine(1)
	a := h.anchorer()
	h.step(a)
	late := h.last(0)
	h.mine(1)
	h.step(a)
	h.fork(2, false)
	h.mine(2)
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_sendRawTransaction" && len(h.store.batches[0].Txs) < 2 {
			return nil, errors.New("connection reset")
		}
		return next(), nil
	}
	h.step(a)
	h.fault = nil
	h.chain.DropPool()
	if err := h.chain.Client().SendTransaction(t.Context(), h.last(0)); err != nil {
		t.Fatal(err)
	}
	h.mine(1)
	h.fault = swallow
	h.step(a)
	if got := h.store.batches[0]; got.State != included || len(got.Txs) != 2 {
		t.Fatalf("batch is %s with %d transactions", got.State, len(got.Txs))
	}
	if err := h.chain.Client().SendTransaction(t.Context(), late); err != nil {
		t.Fatal(err)
	}
	h.mine(1)
	for range 4 {
		h.step(a)
		h.mine(1)
	}
	h.wantFinal(0, true)
	h.checkChain()
	got := map[proofs.Hash]bool{}
	for _, s := range h.store.batches[0].Spent {
		got[s.Tx] = s.Wei.Sign() > 0
	}
	if !got[proofs.Hash(late.Hash())] || !got[h.store.batches[0].Tx] || len(got) != 2 {
		t.Errorf("spent %+v", h.store.batches[0].Spent)
	}
	if all, err := h.store.Recent(t.Context(), 0); err != nil || len(all) != len(a.ledger.final) {
		t.Errorf("the store has %d payments, memory %d, %v", len(all), len(a.ledger.final), err)
	}
}

// TestUnclearFinal has the write of a final batch done and reported failed: what it cost counts on.
func TestUnclearFinal(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.store.fail = func(_ int, done bool) error {
		if done && h.store.batches[0].State == finalized {
			h.store.fail = nil
			return errDisk
		}
		return nil
	}
	for range 6 {
		if err := a.Step(t.Context()); err != nil && !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
		h.mine(1)
	}
	h.wantFinal(0, true)
	h.store.add()
	h.step(a)
	spent := h.store.batches[0].Spent[0].Wei
	if m := a.Money(); h.store.fail != nil || m.Day.Cmp(spent) < 0 || len(a.ledger.final) != 1 {
		t.Errorf("spent %d, and the day has %d; %d payments are known", spent, m.Day, len(a.ledger.final))
	}
}

// TestLedgerForgets lets months pass: what counts for no cap any more is not kept.
func TestLedgerForgets(t *testing.T) {
	h := newHarness(t)
	a := h.anchorer()
	for n := range 4 {
		h.store.add()
		h.settleWith(a, n)
		h.clock = h.clock.Add(40 * day)
		h.mine(1)
	}
	h.store.add()
	h.step(a)
	if n := len(a.ledger.final); n > 1 {
		t.Errorf("%d payments are kept", n)
	}
	if m := a.Money(); m.Month.Cmp(worst(h.last(4).Gas(), h.last(4).GasFeeCap())) != 0 {
		t.Errorf("the month has %d", m.Month)
	}
}

// TestAnchoredAhead has nodes whose estimates know of a later block than their state does: the batch is
// looked for at once, but not again and again before the head moves.
func TestAnchoredAhead(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method != "eth_estimateGas" {
			return next(), nil
		}
		e := contract.GetABI().Errors["OutOfOrder"]
		args, err := e.Inputs.Pack(big.NewInt(1))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"error":{"code":3,"message":"execution reverted","data":"0x%x%x"}}`, r.ID, e.ID[:4], args), nil
	}
	a := h.anchorer()
	wakes := 0
	for round := range 6 {
		if round == 3 {
			h.mine(1)
		}
		h.step(a)
		select {
		case <-a.wake:
			wakes++
		default:
		}
	}
	if wakes != 2 {
		t.Errorf("woken %d times in 6 rounds at 2 heads", wakes)
	}
	h.fault = nil
	h.settleWith(a, 0)
	h.checkChain()
}

// TestHeadBeforeOpened has nodes whose head goes back to before the log was opened: no reason to stop.
func TestHeadBeforeOpened(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.step(a)
	h.fork(h.head().Number.Uint64()-1, true) // block 1 has the contract
	if err := a.Step(t.Context()); err == nil || errors.Is(err, ErrFatal) {
		t.Errorf("the head went back: %v", err)
	}
	h.mine(3) // opens it again
	for range 5 {
		_ = a.Step(t.Context())
		h.mine(1)
	}
	h.wantFinal(0, true)
	h.checkChain()
}

// TestGasLie has a node that estimates nonsense once: nothing is signed that no block can hold, or what is
// signed is put right when it is replaced.
func TestGasLie(t *testing.T) {
	for name, gas := range map[string]uint64{"more than a block": 1 << 32, "wraps around": math.MaxUint64/5*4 + 30_000, "most": math.MaxUint64} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			lied := 0
			h.fault = edit(t, "eth_estimateGas", func(r any) any {
				if lied++; lied == 1 {
					return fmt.Sprintf("%#x", gas)
				}
				return r
			})
			a := h.anchorer()
			for range 12 {
				_ = a.Step(t.Context())
				h.mine(1)
			}
			h.wantFinal(0, true)
			h.checkChain()
			if s := h.store.batches[0]; s.State == finalized && len(s.Spent) != 1 {
				t.Errorf("%d transactions were mined for it", len(s.Spent))
			}
		})
	}
}

// TestDeadlineFar has promises that are due later than a Duration can say, and long ago.
func TestDeadlineFar(t *testing.T) {
	a := &Anchorer{cfg: Config{OnCap: Pay, Urgent: time.Hour}}
	for _, now := range []uint64{0, 1_800_000_000, math.MaxUint64} {
		for deadline, due := range map[uint64]bool{
			0: false, 1: true, math.MaxInt64: now > math.MaxInt64, math.MaxUint64: now == math.MaxUint64, 20_000_000_000: now > 20_000_000_000,
		} {
			v := &view{head: &nodes.Block{Time: now}}
			if got := a.mustPay(v, &proofs.Sealed{Deadline: deadline}); got != due {
				t.Errorf("deadline %d at %d: due %v", deadline, now, got)
			}
		}
	}
}

// TestTipAlone has nodes that suggest a tip over the cap while the base fee is low, as they do on a chain where
// few transact after one who tipped too much: the batch does not wait for that to end.
func TestTipAlone(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.Fees.MaxFee = 20e9
	h.fault = edit(t, "eth_maxPriorityFeePerGas", func(any) any { return fmt.Sprintf("%#x", int64(500e9)) })
	a := h.configured(cfg)
	h.wantDelay(a, "", "")
	if tx := h.last(0); tx.GasFeeCap().Cmp(big.NewInt(20e9)) != 0 || tx.GasTipCap().Cmp(tx.GasFeeCap()) > 0 {
		t.Errorf("it offers %s, %s of it as a tip", gwei(tx.GasFeeCap()), gwei(tx.GasTipCap()))
	}
	h.mine(1)
	h.settleWith(a, 0)
	h.checkChain()
}

// TestFinalityStalls has more batches that are included and not final than a round reads at first: the next is
// anchored all the same.
func TestFinalityStalls(t *testing.T) {
	h := newHarness(t)
	none := func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_getBlockByNumber" && (string(r.Params[0]) == `"finalized"` || string(r.Params[0]) == `"safe"`) {
			return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":null}`, r.ID), nil
		}
		return next(), nil
	}
	h.fault = none
	a := h.anchorer()
	a.window = 2
	for n := range 6 {
		h.store.add()
		h.step(a)
		h.mine(1)
		h.step(a)
		if got := h.store.batches[n].State; got != included {
			t.Fatalf("batch %d is %s", n, got)
		}
	}
	h.fault = nil
	h.mine(2)
	for n := range h.store.batches {
		h.settleWith(a, n)
	}
	h.checkChain()
}

// TestDataFeeUnsaid has nodes that do not say, or not the same, what data cost: what the oracle asks for counts.
func TestDataFeeUnsaid(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.DataFee = proofs.Address(oracle)
	a := h.configured(cfg)
	h.settleWith(a, 0)
	if spent := h.store.batches[0].Spent; len(spent) != 1 || spent[0].Wei.Cmp(big.NewInt(1e16)) < 0 {
		t.Errorf("spent %+v, and data cost up to 10^16", spent)
	}
}

// TestFalseLead looks for a batch's event with three nodes, of which one names a transaction that has none,
// in newer blocks: the event is found all the same.
func TestFalseLead(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.transact(submitter, h.log.AnchorLog, h.anchorer().anchorCall(h.store.batches[0].Batch), 1e9)
	h.mine(4)
	other := h.transact(stranger, pauper.Address(), nil, 1e9)
	h.mine(1)
	at := h.head().Number.Uint64()
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method != "eth_getLogs" {
			return next(), nil
		}
		var f struct{ ToBlock, FromBlock string }
		if err := json.Unmarshal(r.Params[0], &f); err != nil {
			t.Fatal(err)
		}
		if f.ToBlock != fmt.Sprintf("%#x", at) {
			return next(), nil
		}
		return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":[{"address":"%s","topics":["%s","%s","0x%064x"],"data":"0x","blockNumber":"%s","transactionHash":"%s","transactionIndex":"0x0","blockHash":"%s","logIndex":"0x0"}]}`,
			r.ID, h.log.AnchorLog, anchoredEvent, h.log.Log, 0, f.ToBlock, other, h.head().Hash()), nil
	}
	list := []nodes.Node{{Name: "liar", RPC: h.client.Client()}}
	for range 2 {
		honest, err := rpc.Dial(h.chain.URL())
		if err != nil {
			t.Fatal(err)
		}
		defer honest.Close()
		list = append(list, nodes.Node{Name: "honest", RPC: honest})
	}
	q, err := nodes.New(list, nodes.Config{Grace: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	cfg := h.config()
	cfg.Nodes, cfg.LogWindow = q, 2
	a := h.configured(cfg)
	h.step(a)
	h.wantFinal(0, true)
	h.checkChain()
}

// TestShortEvents has events that the contract cannot emit: they are read or refused, and nothing breaks.
func TestShortEvents(t *testing.T) {
	a := &Anchorer{cfg: Config{Log: proofs.Chain{AnchorLog: proofs.Address{1}, Log: proofs.Hash{2}}}}
	for n := range 5 {
		for _, size := range []int{0, 1, 32, 96, 127, 500} {
			l := &types.Log{Address: common.Address{1}, Topics: []common.Hash{anchoredEvent, {2}, {}, {}, {}}[:n], Data: make([]byte, size)}
			if _, err := match(&nodes.TxReceipt{Logs: []*types.Log{l, {}}}, a.cfg.Log, proofs.Batch{Size: 1}); err == nil {
				t.Errorf("%d topics, %d bytes: taken", n, size)
			}
		}
	}
}
