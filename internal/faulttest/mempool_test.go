package faulttest

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/proofs"
)

// baseFee returns that of the newest block.
func (h *harness) baseFee() *big.Int {
	h.Helper()
	head, err := h.client.HeaderByNumber(h.Context(), nil)
	if err != nil {
		h.Fatal(err)
	}
	return head.BaseFee
}

func times(wei *big.Int, n int64) *big.Int { return new(big.Int).Mul(wei, big.NewInt(n)) }

// TestFeeSpike multiplies the base fee while a transaction waits, and keeps it there.
func TestFeeSpike(t *testing.T) {
	t.Parallel()
	const blocks = 100
	normal := big.NewInt(1e9)
	high := times(normal, 50)
	// run goes through a spike and returns how many batches were anchored while it lasted.
	run := func(h *harness) (during int) {
		h.seal(3)
		h.until(proofs.StateIncluded)
		if fee := h.baseFee(); fee.Cmp(normal) > 0 {
			h.Fatalf("the base fee is %d wei already", fee)
		}
		h.seal(2)
		h.step() //nolint:errcheck // signed for the fee of before
		for block := range blocks {
			h.chain.mineAt(high)
			h.step() //nolint:errcheck // logged
			if block == blocks/2 {
				h.seal(2)
			}
			h.tried++
		}
		for _, s := range h.batches()[1:] {
			if s.State >= proofs.StateIncluded {
				during++
			}
		}
		h.until(proofs.StateFinalized)
		h.check()
		return during
	}
	onChains(t, "base fee times 50 for 100 blocks, over the cap", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		h.maxFee = times(normal, 10).Uint64()
		h.restart()
		if n := run(h); n != 0 {
			t.Errorf("%d batches were anchored at a fee over the cap", n)
		}
	})
	onChains(t, "base fee times 50 for 100 blocks, without a cap", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		if n := run(h); n != 2 {
			t.Errorf("%d of 2 batches were anchored while the fee was high", n)
		}
	})
}

func TestMempool(t *testing.T) {
	t.Parallel()
	onChains(t, "mempool eviction", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		for range 3 {
			h.seal(2)
			h.step() //nolint:errcheck // sent
			h.chain.dropPool()
			h.chain.mine(2)
			if h.lowest() != proofs.StateSubmitted {
				t.Fatalf("the batch is %s", h.lowest())
			}
			h.tried++
			h.until(proofs.StateFinalized)
		}
		h.check()
	})

	onChains(t, "replacement underpriced", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		// Another of the account's transactions has the nonce and pays a tip that is far over ours. On the simulated chain
		// it cannot be mined while the base fee is what it is; anvil takes none such, but mines only when it is told to.
		base, tip := big.NewInt(30e9), big.NewInt(24e9)
		h.chain.mineAt(base)
		fee, pass := tip, func() { h.chain.mineAt(base) }
		if chain == "anvil" {
			fee, pass = big.NewInt(200e9), func() {}
		}
		other := h.foreign(fee, tip)
		h.seal(2)
		for round := range 30 {
			h.step() //nolint:errcheck // the pool refuses it, until it pays enough
			h.tried++
			if _, _, err := h.client.TransactionByHash(t.Context(), other.Hash()); err != nil {
				t.Logf("replaced in round %d", round)
				break
			}
			pass()
		}
		h.chain.mine(1)
		h.step() //nolint:errcheck // logged
		if got := h.lowest(); got < proofs.StateIncluded || h.tried < 2 {
			t.Errorf("after %d rounds the batch is %s: the other transaction was not replaced", h.tried, got)
		}
		h.until(proofs.StateFinalized)
		h.check()
	})

	onChains(t, "nonce used by somebody else", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		for range 3 {
			h.seal(2)
			h.step() //nolint:errcheck // signed with the next nonce
			h.chain.dropPool()
			h.foreign(times(h.baseFee(), 3), big.NewInt(1e9))
			h.chain.mine(1)
			h.tried++
			h.until(proofs.StateFinalized)
		}
		for _, s := range h.batches() {
			if len(s.Txs) < 2 {
				t.Errorf("batch %d has %d transactions: the nonce was not lost", s.Number, len(s.Txs))
			}
		}
		h.check()
	})

	onChains(t, "nonce used by somebody else, seen by the pool only", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		h.seal(2)
		h.foreign(times(h.baseFee(), 100), big.NewInt(5e9))
		for range 3 {
			h.step() //nolint:errcheck // the pool refuses it
		}
		h.tried++
		h.until(proofs.StateFinalized)
		h.check()
	})
}

// foreign sends a transaction of the submitter that the service knows nothing of.
func (h *harness) foreign(fee, tip *big.Int) *types.Transaction {
	h.Helper()
	nonce, err := h.client.NonceAt(h.Context(), common.Address(submitter.Address()), nil)
	if err != nil {
		h.Fatal(err)
	}
	if tip.Cmp(fee) > 0 {
		tip = fee
	}
	tx := sign(h.T, h.client, submitter, &types.DynamicFeeTx{Nonce: nonce, To: &common.Address{1}, Gas: 21_000, GasTipCap: tip, GasFeeCap: fee})
	send(h.T, h.client, tx)
	return tx
}

func TestExecution(t *testing.T) {
	t.Parallel()
	onChains(t, "transaction reverted", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		contract := bindings.NewAnchorLog()
		appoint := func(who proofs.Address) {
			to := common.Address(h.log.AnchorLog)
			transact(t, h.client, rich, &to, contract.PackSetSubmitter(h.log.Log, common.Address(who)), nil, 100_000, usualTip)
		}
		for range 3 {
			h.seal(2)
			h.step() //nolint:errcheck // sent
			before := len(h.batches()[len(h.batches())-1].Txs)
			pool := h.batches()[len(h.batches())-1].Txs[before-1]
			tx := new(types.Transaction)
			if err := tx.UnmarshalBinary(pool); err != nil {
				t.Fatal(err)
			}
			// The block has the change of the submitter first: ours waits outside meanwhile.
			h.chain.dropPool()
			appoint(rich.Address())
			h.chain.mine(1)
			send(t, h.client, tx)
			h.chain.mine(1)
			r, err := h.client.TransactionReceipt(t.Context(), tx.Hash())
			if err != nil || r.Status != types.ReceiptStatusFailed {
				t.Fatalf("the transaction did not revert: %+v, %v", r, err)
			}
			appoint(submitter.Address())
			h.chain.mine(1)
			h.tried++
			h.until(proofs.StateFinalized)
		}
		h.check()
	})

	onChains(t, "out of funds, then refilled", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		for range 2 {
			h.drain()
			h.seal(2)
			h.rounds(5)
			if h.lowest() >= proofs.StateIncluded {
				t.Fatalf("the batch is %s without funds", h.lowest())
			}
			h.tried++
			h.fund(submitter, ether(1))
			h.until(proofs.StateFinalized)
		}
		h.check()
	})
}

// drain sends the submitter's funds away, but for what does not buy a transaction.
func (h *harness) drain() {
	h.Helper()
	from := common.Address(submitter.Address())
	balance, err := h.client.BalanceAt(h.Context(), from, nil)
	if err != nil {
		h.Fatal(err)
	}
	nonce, err := h.client.NonceAt(h.Context(), from, nil)
	if err != nil {
		h.Fatal(err)
	}
	fee := times(h.baseFee(), 2)
	cost := times(fee, 21_000)
	send(h.T, h.client, sign(h.T, h.client, submitter, &types.DynamicFeeTx{Nonce: nonce, To: &common.Address{1}, Gas: 21_000,
		GasTipCap: fee, GasFeeCap: fee, Value: new(big.Int).Sub(balance, cost)}))
	h.chain.mine(1)
}
