package anchor

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/proofs"
)

// turns plays a random sequence of what may happen to a service with two keys.
type turns struct {
	*harness
	*rand.Rand
	cfg Config
	a   *Anchorer
}

// TestTurns lets the submitter change back and forth while chains fork, pools forget, nodes swallow
// transactions, the account sends others and the service restarts. In the end each batch is anchored once, what
// it cost is known, and no day cost more than its cap.
func TestTurns(t *testing.T) {
	for seed := range uint64(12) {
		h := newHarness(t)
		u := &turns{harness: h, Rand: rand.New(rand.NewPCG(seed, 1)), cfg: h.config()}
		u.cfg.Signers = []Signer{submitter, stranger}
		u.cfg.Fees.MaxFee, u.cfg.Caps.Day = 50e9, big.NewInt(2e16)
		u.a = h.configured(u.cfg)
		first := h.head().Number.Uint64()
		for range 120 {
			u.turn(first)
		}
		h.fault = nil
		for n := 0; n < 120 && (len(h.store.batches) == 0 || h.store.batches[len(h.store.batches)-1].State < finalized); n++ {
			u.round()
			if d := u.a.Delay(); d != nil && d.Code == DayCap {
				h.clock = h.clock.Add(25 * time.Hour)
			}
			for k, p := range u.a.retry {
				u.a.retry[k] = pause{reverts: p.reverts}
			}
			h.mine(1)
		}
		for n := range h.store.batches {
			h.wantFinal(n, true)
		}
		h.checkChain()
		u.checkSpent()
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func (u *turns) round() {
	u.Helper()
	if err := u.a.Step(u.Context()); errors.Is(err, ErrFatal) {
		u.Fatal(err)
	}
}

// turn lets one thing happen; first is the block that has the log.
func (u *turns) turn(first uint64) {
	u.Helper()
	switch u.IntN(14) {
	case 0, 1:
		if len(u.store.batches) < 12 {
			u.store.add()
		}
	case 2, 3, 4, 5, 6:
		u.round()
	case 7, 8:
		u.mine(1)
	case 9:
		final, err := u.chain.Client().HeaderByNumber(u.Context(), big.NewInt(-3))
		if err != nil {
			u.Fatal(err)
		}
		if head, low := u.head().Number.Uint64(), max(first, final.Number.Uint64()); head > low {
			u.fork(1+u.Uint64N(head-low), u.IntN(2) == 0)
			u.mine(u.IntN(4))
		}
	case 10:
		u.chain.DropPool()
	case 11:
		u.harness.fault = [...]fault{nil, swallow}[u.IntN(2)]
	case 12:
		to := [...]testKey{submitter, stranger}[u.IntN(2)]
		u.other(u.log.AnchorLog, contract.PackSetSubmitter(u.log.Log, [20]byte(to.Address())))
	case 13:
		if u.a = u.configured(u.cfg); u.IntN(2) == 0 {
			u.other(pauper.Address(), nil)
		}
	}
}

// other sends a transaction of the owner, with the nonce after the last that is mined, if the pool takes it.
func (u *turns) other(to proofs.Address, data []byte) {
	u.Helper()
	at, c := common.Address(to), u.chain.Client()
	nonce, err := c.NonceAt(u.Context(), common.Address(submitter.Address()), nil)
	if err != nil {
		u.Fatal(err)
	}
	id := new(big.Int).SetUint64(u.log.ChainID)
	tx, err := types.SignNewTx(submitter.PrivateKey, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, GasTipCap: big.NewInt(3e9), GasFeeCap: big.NewInt(1e11 + u.Int64N(1e12)), Gas: 300_000, To: &at, Data: data,
	})
	if err != nil {
		u.Fatal(err)
	}
	if err := c.SendTransaction(u.Context(), tx); err != nil {
		u.Logf("not taken: %v", err)
	}
}

// checkSpent holds what the store has of the batches' cost against the chain, and that against the cap.
func (u *turns) checkSpent() {
	u.Helper()
	var all []proofs.Spend
	for i := range u.store.batches {
		s := &u.store.batches[i]
		known := map[proofs.Hash]*big.Int{}
		for _, sp := range s.Spent {
			known[sp.Tx] = sp.Wei
		}
		txs, err := journal(s)
		if err != nil {
			u.Fatal(err)
		}
		for _, tx := range txs {
			r, err := u.chain.Client().TransactionReceipt(u.Context(), common.Hash(tx.hash))
			if err != nil {
				continue // never mined
			}
			b, err := u.chain.Client().HeaderByHash(u.Context(), r.BlockHash)
			if err != nil {
				u.Fatal(err)
			}
			wei := worst(r.GasUsed, r.EffectiveGasPrice)
			all = append(all, proofs.Spend{Time: b.Time, Wei: wei})
			if known[tx.hash] == nil && b.Number.Uint64() > s.Anchor.Block.Number+2 {
				continue // it was final before
			}
			if known[tx.hash] == nil || known[tx.hash].Cmp(wei) != 0 {
				u.Errorf("batch %d: transaction %s cost %d, and known is %v", i, tx.hash, wei, known[tx.hash])
			}
		}
	}
	for _, last := range all {
		sum := new(big.Int)
		for _, sp := range all {
			if sp.Time <= last.Time && sp.Time >= before(last.Time, day) {
				sum.Add(sum, sp.Wei)
			}
		}
		if sum.Cmp(u.cfg.Caps.Day) > 0 {
			u.Fatalf("%d spent in the day before %d, and the cap is %d", sum, last.Time, u.cfg.Caps.Day)
		}
	}
}
