package anchor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/proofs"
)

// swallow lets the node take transactions and forget them.
func swallow(r *request, next func() []byte) ([]byte, error) {
	if r.Method != "eth_sendRawTransaction" {
		return next(), nil
	}
	return fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":"0x%064x"}`, r.ID, 1), nil
}

// spike makes the node say that the newest block's base fee is that many gwei.
func spike(t *testing.T, gwei int64) fault {
	return func(r *request, next func() []byte) ([]byte, error) {
		if r.Method != "eth_getBlockByNumber" {
			return next(), nil
		}
		return edit(t, r.Method, func(b any) any {
			if m, ok := b.(map[string]any); ok {
				m["baseFeePerGas"] = fmt.Sprintf("0x%x", gwei*1e9)
			}
			return b
		})(r, next)
	}
}

// both applies two faults, of which each handles other methods.
func both(x, y fault) fault {
	return func(r *request, next func() []byte) ([]byte, error) {
		var trouble error
		b, err := x(r, func() []byte {
			var b []byte
			b, trouble = y(r, next)
			return b
		})
		return b, errors.Join(err, trouble)
	}
}

// TestReplace has a node that takes transactions and forgets them. After each three blocks the transaction
// is replaced: the same nonce, tip and cap an eighth higher, and what is mined in the end anchors the batch.
func TestReplace(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.fault = swallow
	for blocks := range 7 {
		h.step(a)
		if got, want := len(h.store.batches[0].Txs), 1+blocks/3; got != want {
			t.Fatalf("after %d blocks: %d transactions, want %d", blocks, got, want)
		}
		h.mine(1)
	}
	txs, err := journal(&h.store.batches[0])
	if err != nil {
		t.Fatal(err)
	}
	for i, tx := range txs[1:] {
		old := txs[i]
		for what, pair := range map[string][2]*big.Int{"tip": {old.GasTipCap(), tx.GasTipCap()}, "cap": {old.GasFeeCap(), tx.GasFeeCap()}} {
			if new(big.Int).Mul(pair[1], big.NewInt(10)).Cmp(new(big.Int).Mul(pair[0], big.NewInt(11))) < 0 {
				t.Errorf("replacement %d: %s %d after %d is not a tenth more", i, what, pair[1], pair[0])
			}
		}
		if tx.Nonce() != old.Nonce() || tx.Gas() != old.Gas() || !slices.Equal(tx.Data(), old.Data()) {
			t.Errorf("replacement %d is another call", i)
		}
	}
	h.fault = nil
	h.settle(0)
	h.checkChain()
	if n := a.Counts().Replaced; n != 2 {
		t.Errorf("%d replacements counted", n)
	}
}

// TestReplaceRestart replaces after a restart at every step, from the journal alone.
func TestReplaceRestart(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.step(h.anchorer())
	h.fault = both(swallow, spike(t, 90))
	h.chain.DropPool()
	h.step(h.anchorer())
	if got := len(h.store.batches[0].Txs); got != 2 {
		t.Fatalf("%d transactions at a base fee over the cap, want 2", got)
	}
	if fee := h.last(0).GasFeeCap(); fee.Cmp(big.NewInt(180e9)) < 0 {
		t.Errorf("it offers %s, and the base fee is 90 gwei", gwei(fee))
	}
	for range 3 {
		h.step(h.anchorer()) // it offers enough now
	}
	if got := len(h.store.batches[0].Txs); got != 2 {
		t.Errorf("%d transactions", got)
	}
	h.fault = nil
	h.settle(0)
	h.checkChain()
}

// TestSpike raises the base fee over the cap while a transaction waits: it is raised up to the cap, once,
// then the batch waits, says why, and goes on when fees fall. Other batches do not take a nonce meanwhile.
func TestSpike(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.store.add()
	cfg := h.config()
	cfg.Fees.MaxFee = 20e9
	a := h.configured(cfg)
	h.fault = swallow
	h.step(a)
	h.fault = both(swallow, spike(t, 50))
	h.step(a)
	if fee := h.last(0).GasFeeCap(); fee.Cmp(big.NewInt(20e9)) != 0 {
		t.Errorf("it offers %s, want the cap", gwei(fee))
	}
	for range 20 {
		h.mine(1)
		h.wantDelay(a, GasCap, "the base fee is 50 gwei, and the cap is 20 gwei")
	}
	since := a.Delay().Since
	h.wantDelay(a, GasCap, "")
	if !a.Delay().Since.Equal(since) {
		t.Error("the delay began again")
	}
	if n, m := len(h.store.batches[0].Txs), len(h.store.batches[1].Txs); n != 2 || m != 0 {
		t.Errorf("%d and %d transactions, want 2 and 0", n, m)
	}
	h.fault = nil
	for range 6 {
		h.wantDelay(a, "", "")
		h.mine(1)
	}
	h.wantFinal(0, true)
	h.checkChain()
}

// TestSpikeBefore has fees over the cap before anything is signed, with a batch and with none.
func TestSpikeBefore(t *testing.T) {
	h := newHarness(t)
	cfg := h.config()
	cfg.Fees.MaxFee = 20e9
	a := h.configured(cfg)
	h.fault = spike(t, 50)
	h.wantDelay(a, GasCap, "gas costs")
	h.wantDelay(a, GasCap, "gas costs") // it is not asked again at once, and not forgotten
	h.store.add()
	h.wantDelay(a, GasCap, "gas costs")
	h.wantStates(0)
	h.fault = nil
	h.settleWith(a, 0)
	if d := a.Delay(); d != nil {
		t.Errorf("delay %+v", d)
	}
}

// settleWith steps with this Anchorer until the batch is final, for at most six blocks.
func (h *harness) settleWith(a *Anchorer, number int) {
	h.Helper()
	for i := 0; i < 6 && h.store.batches[number].State < finalized; i++ {
		h.step(a)
		h.mine(1)
	}
	h.wantFinal(number, true)
}

// TestOnCap lets a promise come due while gas costs more than the cap.
func TestOnCap(t *testing.T) {
	for rule, want := range map[OnCap]int{Wait: 0, Pay: 1} {
		t.Run(rule.String(), func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			cfg := h.config()
			cfg.Fees.MaxFee, cfg.OnCap, cfg.Urgent = 20e9, rule, time.Hour
			h.fault = both(swallow, spike(t, 50))
			now := h.head().Time
			h.store.batches[0].Deadline = now + 3601
			a := h.configured(cfg)
			h.wantDelay(a, GasCap, "")
			h.wantStates(0)
			h.store.batches[0].Deadline = now + 3599
			h.step(a)
			if got := len(h.store.batches[0].Txs); got != want {
				t.Fatalf("%d transactions, want %d", got, want)
			}
			if want > 0 && h.last(0).GasFeeCap().Cmp(big.NewInt(100e9)) < 0 {
				t.Errorf("it offers %s", gwei(h.last(0).GasFeeCap()))
			}
		})
	}
}

// TestUnderpriced finds its nonce taken in the pool by a transaction of the account that pays 100 gwei:
// it outbids that where the cap lets it, and otherwise takes the next nonce when that was mined.
func TestUnderpriced(t *testing.T) {
	for name, limit := range map[string]uint64{"outbid": 500e9, "mined": 50e9, "mined, no cap": 0} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			rival := h.transact(submitter, pauper.Address(), nil, 0)
			cfg := h.config()
			cfg.Fees.MaxFee = limit
			a := h.configured(cfg)
			for range 60 {
				h.step(a)
				if h.pooled(h.last(0).Hash().Hex()) || a.Delay() != nil {
					break
				}
			}
			nonce := h.last(0).Nonce()
			if n := len(h.store.batches[0].Txs); n < 2 || n > 59 {
				t.Errorf("%d transactions", n)
			}
			if d := a.Delay(); (d != nil) != (name != "outbid") || d != nil && d.Code != GasCap {
				t.Errorf("delay %+v", d)
			}
			h.mine(1)
			h.settleWith(a, 0)
			_, err := h.chain.Client().TransactionReceipt(t.Context(), rival)
			if mined, again := err == nil, h.last(0).Nonce() > nonce; mined != (name != "outbid") || again != mined {
				t.Errorf("the other transaction was mined: %v; another nonce: %v", mined, again)
			}
			h.checkChain()
		})
	}
}

// pooled reports whether the node knows the transaction.
func (h *harness) pooled(hash string) bool {
	h.Helper()
	var raw json.RawMessage
	if err := h.chain.Client().Client().CallContext(h.Context(), &raw, "eth_getTransactionByHash", hash); err != nil {
		h.Fatal(err)
	}
	return len(raw) > 4
}

// TestCaps holds the worst case against each cap before anything is signed.
func TestCaps(t *testing.T) {
	for code, set := range map[string]func(*Caps, *big.Int){
		TxCap:    func(c *Caps, n *big.Int) { c.Tx = n },
		DayCap:   func(c *Caps, n *big.Int) { c.Day = n },
		MonthCap: func(c *Caps, n *big.Int) { c.Month = n },
	} {
		t.Run(code, func(t *testing.T) {
			h := newHarness(t)
			h.fault = spike(t, 1) // the same price for each
			h.store.add()
			cfg := h.config()
			h.step(h.configured(cfg))
			tx := h.last(0)
			h.settle(0)
			cost := worst(tx.Gas(), tx.GasFeeCap())
			spent := h.store.batches[0].Spent
			if len(spent) != 1 || spent[0].Wei.Sign() <= 0 || spent[0].Wei.Cmp(cost) > 0 || spent[0].Gas > tx.Gas() || spent[0].Time != h.store.batches[0].Time {
				t.Fatalf("spent %+v, and the worst case was %d", spent, cost)
			}
			h.store.add()
			// As much as the first cost at worst is too little for both, where the first counts.
			limit := new(big.Int).Sub(cost, spent[0].Wei)
			set(&cfg.Caps, limit)
			h.wantDelay(h.configured(cfg), code, "the cap is")
			h.wantStates(1)
			if code == TxCap {
				return
			}
			set(&cfg.Caps, new(big.Int).Add(cost, cost))
			a := h.configured(cfg)
			h.step(a)
			if m := a.Money(); m.Day.Cmp(new(big.Int).Add(spent[0].Wei, worst(h.last(1).Gas(), h.last(1).GasFeeCap()))) != 0 {
				t.Errorf("%d are spent or signed for, %d of them spent", m.Day, spent[0].Wei)
			}
			h.settleWith(a, 1)
			if m := a.Money(); m.Day.Cmp(spent[0].Wei) <= 0 || m.Month.Cmp(m.Day) != 0 || m.Balance.Sign() <= 0 || m.PerDay == nil || m.Runway <= 0 {
				t.Errorf("money %+v", m)
			}
		})
	}
}

// TestCapsPass lets a day and a month go by on the chain: what was spent before does not count any more.
func TestCapsPass(t *testing.T) {
	for code, span := range map[string]time.Duration{DayCap: day, MonthCap: month} {
		t.Run(code, func(t *testing.T) {
			h := newHarness(t)
			h.fault = spike(t, 1)
			h.store.add()
			h.settle(0)
			h.store.add()
			cfg := h.config()
			limit := worst(h.last(0).Gas(), h.last(0).GasFeeCap())
			limit.Div(limit.Mul(limit, big.NewInt(6)), big.NewInt(5)) // enough for one, and tips move
			cfg.Caps.Day = limit
			if code == MonthCap {
				cfg.Caps = Caps{Month: limit}
			}
			a := h.configured(cfg)
			h.wantDelay(a, code, "are spent or signed for")
			h.clock = h.clock.Add(span + time.Hour)
			h.mine(1)
			h.settleWith(a, 1)
		})
	}
}

// TestDataFee counts twice what the chain's oracle says that data costs into the worst case.
func TestDataFee(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	cfg := h.config()
	cfg.DataFee, cfg.Caps.Tx = proofs.Address(oracle), big.NewInt(2e16-1)
	h.wantDelay(h.configured(cfg), TxCap, "may cost 0.02")
	h.wantStates(0)
	cfg.DataFee = pauper.Address()
	if err := h.configured(cfg).Step(t.Context()); err == nil || !strings.Contains(err.Error(), "is not the oracle") {
		t.Errorf("an oracle without code: %v", err)
	}
	cfg.DataFee, cfg.Caps.Tx = proofs.Address(oracle), big.NewInt(3e16)
	h.settleWith(h.configured(cfg), 0)
}

// TestRefilled anchors as soon as the account has funds.
func TestRefilled(t *testing.T) {
	h := newHarness(t)
	var err error
	h.fault = h.mineAtOnce
	if h.log.Log, err = h.wallet(submitter).OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{2}, pauper.Address()); err != nil {
		t.Fatal(err)
	}
	h.fault = nil
	h.store.add()
	cfg := h.config()
	cfg.Signers = []Signer{pauper}
	a := h.configured(cfg)
	h.wantDelay(a, Funds, "send it funds")
	to := pauper.Address()
	c := h.chain.Client()
	nonce, err := c.NonceAt(t.Context(), [20]byte(stranger.Address()), nil)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := types.SignNewTx(stranger.PrivateKey, types.LatestSignerForChainID(big.NewInt(1337)), &types.LegacyTx{
		Nonce: nonce, GasPrice: big.NewInt(1e11), Gas: 21_000, To: (*common.Address)(&to), Value: big.NewInt(1e18),
	})
	if err == nil {
		err = c.SendTransaction(t.Context(), tx)
	}
	if err != nil {
		t.Fatal(err)
	}
	h.mine(1)
	h.settleWith(a, 0)
	h.checkChain()
}

// TestRotation replaces the submitter while a transaction of the old one waits, with a service that has
// both keys: no batch is missed.
func TestRotation(t *testing.T) {
	h := newHarness(t)
	cfg := h.config()
	var log bytes.Buffer
	cfg.Signers, cfg.Logger = []Signer{submitter, stranger}, slog.New(slog.NewTextHandler(&log, nil))
	a := h.configured(cfg)
	h.store.add()
	h.settleWith(a, 0)
	h.store.add()
	h.step(a) // by the old key
	h.chain.DropPool()
	h.transact(submitter, h.log.AnchorLog, contract.PackSetSubmitter(h.log.Log, [20]byte(stranger.Address())), 2e9)
	h.mine(1)
	h.settleWith(a, 1)
	txs, err := journal(&h.store.batches[1])
	if err != nil || len(txs) != 2 || txs[0].from != submitter.Address() || txs[1].from != stranger.Address() {
		t.Errorf("%d transactions, %v", len(txs), err)
	}
	h.checkChain()

	h.transact(submitter, h.log.AnchorLog, contract.PackSetSubmitter(h.log.Log, [20]byte(pauper.Address())), 2e9)
	h.mine(1)
	h.store.add()
	if err := a.Step(t.Context()); !errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), "the submitter of log") {
		t.Errorf("another's log: %v", err)
	}
	if d := a.Delay(); d == nil || d.Code != Stopped || !d.Next.IsZero() || !strings.Contains(d.Detail, "the submitter of log") {
		t.Errorf("delay %+v", d)
	}
	if s := log.String(); strings.Contains(s, "anchoring waits") || strings.Contains(s, "goes on") {
		t.Errorf("it stops, and says that it waits: %s", s)
	}
}
