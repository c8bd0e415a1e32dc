package anchor

import (
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

const (
	submitted = proofs.StateSubmitted
	included  = proofs.StateIncluded
	safe      = proofs.StateSafe
	finalized = proofs.StateFinalized
)

// TestStep takes two batches to finality, one state a block, among other transactions.
func TestStep(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.store.add()
	a := h.anchorer()
	for range 2 {
		h.step(a)
		for range 5 {
			h.transact(stranger, pauper.Address(), nil, 2e9)
		}
		h.mine(1)
		h.step(a)
	}
	h.mine(2)
	h.step(a)
	h.wantStates(0, submitted, included, safe, finalized)
	h.wantStates(1, submitted, included, safe, finalized)
	h.checkChain()
	for i, s := range h.store.batches {
		if len(s.Txs) != 1 {
			t.Errorf("batch %d: %d transactions", i, len(s.Txs))
		}
	}
	if i := h.store.batches[0].Anchor.TxIndex; i != 5 {
		t.Errorf("batch 0 stands at tx index %d, want it behind the 5 that pay more", i)
	}
	if got, want := a.Counts(), (Counts{Sent: 2, Included: 2, Finalized: 2}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
	before := h.calls["eth_sendRawTransaction"]
	h.step(a)
	if h.calls["eth_sendRawTransaction"] != before {
		t.Error("sent with nothing to do")
	}
}

func TestConfirmations(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.Confirmations = 4
	a := h.configured(cfg)
	h.step(a)
	for range 5 {
		h.wantFinal(0, false)
		h.mine(1)
		h.step(a)
	}
	h.wantFinal(0, true)
	h.wantStates(0, submitted, included, finalized)
	h.checkChain()
}

func (h *harness) wantFinal(number int, want bool) {
	h.Helper()
	if got := h.store.batches[number].State; (got == finalized) != want {
		h.Errorf("batch %d is %s", number, got)
	}
}

// TestReorg drops the block of a batch, and it comes back at another time.
func TestReorg(t *testing.T) {
	for name, tc := range map[string]struct {
		keep  bool // the transaction stays in the pool and the next block has it
		depth uint64
	}{
		"re-mined": {true, 1}, "re-mined deeper": {true, 2},
		"dropped": {false, 1}, "dropped deeper": {false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			a := h.anchorer()
			h.step(a)
			h.mine(int(tc.depth))
			h.step(a)
			old := h.store.batches[0]
			if old.State < included {
				t.Fatalf("batch is %s", old.State)
			}

			h.fork(tc.depth, tc.keep)
			h.mine(2)
			h.step(a)
			if !tc.keep {
				if s := h.store.batches[0]; s.State != submitted || s.Time != 0 || s.Anchor != nil {
					t.Fatalf("dropped batch is %s with time %d, anchor %v", s.State, s.Time, s.Anchor)
				}
				h.mine(1)
				h.step(a)
			}
			h.mine(2)
			h.step(a)
			s := h.store.batches[0]
			if s.Anchor == nil || s.Anchor.Block.Hash == old.Anchor.Block.Hash || s.Time <= old.Time || len(s.Txs) != 1 {
				t.Errorf("before %+v, time %d; after %+v, time %d; %d transactions", old.Anchor, old.Time, s.Anchor, s.Time, len(s.Txs))
			}
			h.wantFinal(0, true)
			if n := a.Counts().Reorgs; n != 1 {
				t.Errorf("%d reorgs counted", n)
			}
			h.checkChain()
		})
	}
}

// TestNonceTaken drops two batches, and another transaction takes the nonce of the first: the second's
// transaction then reverts, and both get a new one.
func TestNonceTaken(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.store.add()
	a := h.anchorer()
	for range 2 {
		h.step(a)
		h.mine(1)
		h.step(a)
	}
	h.fork(2, false)
	h.transact(submitter, pauper.Address(), nil, 1e9)
	h.mine(2)
	h.step(a) // batch 1's transaction goes out before batch 0's new one is mined
	if got := [2]int{len(h.store.batches[0].Txs), len(h.store.batches[1].Txs)}; got != [2]int{2, 1} {
		t.Fatalf("transactions %v", got)
	}
	for range 4 {
		h.mine(1)
		h.step(a)
	}
	h.checkChain()
	if got := [2]int{len(h.store.batches[0].Txs), len(h.store.batches[1].Txs)}; got != [2]int{2, 2} {
		t.Errorf("transactions %v", got)
	}
	if h.store.batches[1].State < included {
		t.Errorf("batch 1 is %s", h.store.batches[1].State)
	}
}

// TestNonceGap drops the block of a batch together with a transaction of the account that nobody sends
// again, and forgets the pool: the batch's transaction can only be mined once something has the nonce
// before it.
func TestNonceGap(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.transact(submitter, pauper.Address(), nil, 1e9)
	h.mine(1)
	a := h.anchorer()
	h.step(a)
	h.mine(1)
	h.step(a)
	h.fork(2, false)
	h.mine(2)
	h.step(a)
	if s := h.store.batches[0]; s.State != submitted || len(s.Txs) != 2 {
		t.Fatalf("batch is %s with %d transactions", s.State, len(s.Txs))
	}
	for range 4 {
		h.mine(1)
		h.step(a)
	}
	h.wantFinal(0, true)
	h.checkChain()
	if n := len(h.store.batches[0].Txs); n != 2 {
		t.Errorf("%d transactions", n)
	}
}

// TestAdopt finds the batch anchored by a transaction that the store does not know.
func TestAdopt(t *testing.T) {
	for name, window := range map[string]uint64{"one query": 0, "many queries": 2} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			h.store.add()
			h.transact(submitter, h.log.AnchorLog, h.anchorer().anchorCall(h.store.batches[0].Batch), 1e9)
			h.mine(6)
			cfg := h.config()
			cfg.LogWindow = window
			a := h.configured(cfg)
			h.step(a)
			h.wantFinal(0, true)
			h.mine(3)
			h.step(a)
			h.wantFinal(1, true)
			h.checkChain()
			if c := a.Counts(); c.Adopted != 1 || c.Sent != 1 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// TestOvertaken has a stored transaction that lost to one of the same content: it reverts, or its nonce
// is gone, and the other is adopted.
func TestOvertaken(t *testing.T) {
	for name, mined := range map[string]bool{"reverted": true, "nonce gone": false} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			a := h.anchorer()
			h.step(a)
			ours := h.store.batches[0].Txs[0]
			h.chain.DropPool()
			h.transact(submitter, h.log.AnchorLog, h.anchorer().anchorCall(h.store.batches[0].Batch), 1e9)
			h.mine(1)
			if mined { // ours has a later nonce and is mined in vain
				hash := h.transact(submitter, h.log.AnchorLog, h.anchorer().anchorCall(h.store.batches[0].Batch), 1e9)
				tx, _, err := h.chain.Client().TransactionByHash(t.Context(), hash)
				if err != nil {
					t.Fatal(err)
				}
				if ours, err = tx.MarshalBinary(); err != nil {
					t.Fatal(err)
				}
			}
			h.store.batches[0].Txs = [][]byte{ours}
			h.mine(2)
			h.step(a)
			h.wantFinal(0, true)
			h.checkChain()
			if c := a.Counts(); c.Adopted != 1 {
				t.Errorf("counts %+v", c)
			}
		})
	}
}

// TestForeign finds the number taken by another content.
func TestForeign(t *testing.T) {
	for name, change := range map[string]func(*proofs.Batch){
		"root": func(b *proofs.Batch) { b.Root[0]++ },
		"size": func(b *proofs.Batch) { b.Size++ },
		"cid":  func(b *proofs.Batch) { b.CID[31]++ },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			b := h.store.batches[0].Batch
			change(&b)
			h.transact(submitter, h.log.AnchorLog, h.anchorer().anchorCall(b), 1e9)
			h.mine(1)
			err := h.anchorer().Step(t.Context())
			if !errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), "batch 0: ") || !strings.Contains(err.Error(), "another batch") {
				t.Errorf("got %v", err)
			}
			h.wantStates(0)
		})
	}
	t.Run("first", func(t *testing.T) {
		h := newHarness(t)
		h.store.add()
		h.store.batches[0].First = 7
		if err := h.anchorer().Step(t.Context()); !errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), "begins at 7") {
			t.Errorf("got %v", err)
		}
		if n := len(h.store.batches[0].Txs); n != 0 {
			t.Errorf("%d transactions", n)
		}
	})
}

// TestMatch finds the batch's event among others of one transaction, and compares every word of it.
func TestMatch(t *testing.T) {
	chain := proofs.Chain{ChainID: 1, AnchorLog: ContractAddress(), Log: proofs.Hash{1}}
	a := &Anchorer{cfg: Config{Log: chain}}
	b := proofs.Batch{Number: 2, Root: proofs.Hash{3}, First: 4, Size: 5, CID: proofs.Hash{6}}
	event := func(chain proofs.Chain, b proofs.Batch) *types.Log {
		word := func(n uint64) common.Hash { return common.BigToHash(new(big.Int).SetUint64(n)) }
		first, size := word(b.First), word(b.Size)
		return &types.Log{
			Address: common.Address(chain.AnchorLog),
			Topics:  []common.Hash{anchoredEvent, common.Hash(chain.Log), word(b.Number)},
			Data:    slices.Concat(b.Root[:], first[:], size[:], b.CID[:]),
		}
	}
	otherContract, otherLog, otherNumber := chain, chain, b
	otherContract.AnchorLog[0]++
	otherLog.Log[0]++
	otherNumber.Number++
	otherEvent, noTopics := event(chain, b), event(chain, b)
	otherEvent.Topics[0][0]++
	noTopics.Topics = nil
	others := []*types.Log{event(otherContract, b), event(otherLog, b), event(chain, otherNumber), otherEvent, noTopics}

	got, err := match(&nodes.TxReceipt{Logs: append(others, event(chain, b))}, a.cfg.Log, b)
	if err != nil || got != len(others) {
		t.Errorf("found at %d, %v; want %d", got, err, len(others))
	}
	if _, err := match(&nodes.TxReceipt{Logs: others}, a.cfg.Log, b); err == nil || errors.Is(err, ErrFatal) {
		t.Errorf("without the event: %v", err)
	}
	for name, change := range map[string]func(*proofs.Batch){
		"root": func(b *proofs.Batch) { b.Root[0]++ }, "first": func(b *proofs.Batch) { b.First++ },
		"size": func(b *proofs.Batch) { b.Size++ }, "cid": func(b *proofs.Batch) { b.CID[0]++ },
	} {
		other := b
		change(&other)
		if _, err := match(&nodes.TxReceipt{Logs: []*types.Log{event(chain, other)}}, a.cfg.Log, b); !errors.Is(err, ErrFatal) {
			t.Errorf("other %s: %v", name, err)
		}
	}
}

// TestChecks refuses a chain, contract or key that is not the configured one.
func TestChecks(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"chain id", func(c *Config) { c.Log.ChainID = 1 }, "the nodes are on chain 1337"},
		{"no contract", func(c *Config) { c.Log.AnchorLog[0]++ }, "no contract at"},
		{"other contract", func(c *Config) { c.Log.AnchorLog = proofs.Address(factory) }, "is not the AnchorLog"},
		{"no log", func(c *Config) { c.Log.Log[0]++ }, "has no submitter"},
		{"other key", func(c *Config) { c.Signers = []Signer{stranger} }, "the submitter of log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := h.config()
			tc.change(&cfg)
			err := h.configured(cfg).Run(t.Context())
			if !errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	h.wantStates(0)
}

func TestBehind(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.store.add()
	h.store.batches[0].State = finalized // says the store; the chain knows nothing of it
	err := h.anchorer().Step(t.Context())
	if err == nil || errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), "batch 1 is due") {
		t.Errorf("got %v", err)
	}
}

// wantDelay checks why a batch has to wait after a round that is no failure.
func (h *harness) wantDelay(a *Anchorer, code, detail string) {
	h.Helper()
	h.step(a)
	switch d := a.Delay(); {
	case d == nil && code != "":
		h.Errorf("no delay, want %s", code)
	case d != nil && (d.Code != code || !strings.Contains(d.Detail, detail) || !d.Next.After(d.Since)):
		h.Errorf("delay %+v, want %s with %q", d, code, detail)
	}
}

// last returns the newest transaction of a batch.
func (h *harness) last(number int) *types.Transaction {
	h.Helper()
	txs, err := journal(&h.store.batches[number])
	if err != nil || len(txs) == 0 {
		h.Fatalf("batch %d: %d transactions, %v", number, len(txs), err)
	}
	return txs[len(txs)-1].Transaction
}

// TestFees waits while gas costs more than the cap, and signs within it.
func TestFees(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.Fees = Fees{MaxFee: 1, MaxTip: 1}
	h.wantDelay(h.configured(cfg), GasCap, "the cap is 0.000000001 gwei")
	h.wantStates(0)

	base := h.head().BaseFee.Uint64()
	cfg.Fees = Fees{MaxFee: base + base/2, MaxTip: 7}
	h.fault = edit(t, "eth_maxPriorityFeePerGas", func(any) any { return "0x64" })
	a := h.configured(cfg)
	h.wantDelay(a, "", "")
	tx := h.last(0)
	if tip, fee := tx.GasTipCap().Uint64(), tx.GasFeeCap().Uint64(); tip != 7 || fee != base+base/2 {
		t.Errorf("tip %d, fee %d at a base fee of %d", tip, fee, base)
	}
	h.mine(3)
	h.step(a)
	h.wantFinal(0, true)
}

func TestNoFunds(t *testing.T) {
	h := newHarness(t)
	var err error
	h.fault = h.mineAtOnce
	if h.log.Log, err = h.wallet(submitter).OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{2}, pauper.Address()); err != nil {
		t.Fatal(err)
	}
	h.store.add()
	cfg := h.config()
	cfg.Signers = []Signer{pauper}
	h.wantDelay(h.configured(cfg), Funds, "send it funds")
	h.wantStates(0)
}

func TestValidate(t *testing.T) {
	_, err := New(Config{Poll: -1, Fees: Fees{MaxTip: 2, MaxFee: 1}})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"Nodes", "Signers", "Store", "ChainID", "AnchorLog", "Log.Log", "Poll", "MaxTip"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not name %s", err, want)
		}
	}
}
