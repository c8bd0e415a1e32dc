package storage_test

import (
	"testing"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// TestLateTx stores a transaction for a batch that does not wait for one any more: it is refused, and a batch
// that is final stays as it is.
func TestLateTx(t *testing.T) {
	chain := proofs.Chain{ChainID: 1, AnchorLog: proofs.Address{1}, Log: proofs.Hash{1}}
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	root := proofs.Hash{7}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	check(db.Seal(ctx, proofs.Sealed{Batch: proofs.Batch{Root: root, Size: 1}, State: proofs.StateBatched}, proofs.Tree{{root}}))
	check(db.SetCID(ctx, 0, proofs.Hash{1}))
	check(db.SaveTx(ctx, 0, []byte("first")))
	for _, state := range []proofs.State{proofs.StateIncluded, proofs.StateSafe, proofs.StateFinalized} {
		check(db.SetAnchor(ctx, 0, proofs.Standing{State: state, Time: 1, Tx: proofs.Hash{2}, Anchor: &proofs.Anchor{}}))
		if err := db.SaveTx(ctx, 0, []byte("late")); err == nil {
			t.Errorf("a batch that is %s took a transaction", state)
		}
		if s, err := db.Batch(ctx, 0); err != nil || s.State != state || len(s.Txs) != 1 {
			t.Errorf("batch %+v, %v, want %s with one transaction", s, err, state)
		}
	}
}
