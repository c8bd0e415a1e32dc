package guard_test

import (
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/proofs"
)

func (w *world) challenge(p proofs.Promise) {
	w.Helper()
	w.do(challenger, bond.PlanChallenge(w.chain, &p))
}

func (w *world) answerer(change func(*guard.AnswererConfig)) *guard.Answerer {
	w.Helper()
	cfg := guard.AnswererConfig{Nodes: w.q, Log: w.chain, Store: w.db, Signer: submitter, TxPoll: time.Millisecond, Logger: w.logger()}
	if change != nil {
		change(&cfg)
	}
	a, err := guard.NewAnswerer(cfg)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// step is one step of the answerer while blocks are mined.
func (w *world) step(a *guard.Answerer) {
	w.Helper()
	if err := w.mining(func() error { return a.Step(w.Context()) }); err != nil {
		w.Fatal(err)
	}
}

// wantOpen wants so many open challenges on the chain, and the bond untouched.
func (w *world) wantOpen(n int) {
	w.Helper()
	if s := w.state(); int(s.Open) != n || s.Broken || s.Amount.Cmp(big.NewInt(1e18)) != 0 {
		w.Errorf("the bond has %d open challenges, want %d; broken %t, amount %s", s.Open, n, s.Broken, s.Amount)
	}
}

// wantCredit wants so many deposits credited to the account.
func (w *world) wantCredit(k key, deposits int64) {
	w.Helper()
	got, err := bond.Credits(w.Context(), w.q, w.chain, w.state().Block.Hash, k.Address())
	if err != nil {
		w.Fatal(err)
	}
	if want := new(big.Int).Mul(bond.Deposit(), big.NewInt(deposits)); got.Cmp(want) != 0 {
		w.Errorf("%s is credited %s, want %s", k.Address(), got, want)
	}
}

// pooled waits for the account's transaction to the bond in the pool, and returns it.
func (w *world) pooled(k key, to proofs.Address) *types.Transaction {
	w.Helper()
	for range 10_000 {
		var content struct {
			Pending map[common.Address]map[string]*types.Transaction
		}
		if err := w.rpc.CallContext(w.Context(), &content, "txpool_content"); err != nil {
			w.Fatal(err)
		}
		for _, tx := range content.Pending[common.Address(k.Address())] {
			if tx.To() != nil && proofs.Address(*tx.To()) == to {
				return tx
			}
		}
	}
	w.Fatal("no transaction arrives in the pool")
	return nil
}

// balance is what the account holds, in wei.
func (w *world) balance(k key) string {
	w.Helper()
	wei, err := w.q.Balance(w.Context(), w.state().Block.Hash, k.Address())
	if err != nil {
		w.Fatal(err)
	}
	return wei.String()
}
