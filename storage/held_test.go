package storage_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// TestHeld marks batches as held in a random order, takes some back, restarts now and then, and compares each
// answer with a plain map.
func TestHeld(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	cfg := storage.Config{Dir: filepath.Join(t.TempDir(), "log"), Chain: chain, Reserve: 1}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	db, err := storage.Open(cfg)
	check(err)
	defer func() { check(db.Close()) }()
	const sealed, pinned = 12, 10
	for n := range uint64(sealed) {
		check(db.Seal(ctx, proofs.Sealed{Batch: proofs.Batch{Number: n, First: n, Root: proofs.Hash{7}, Size: 1}, State: proofs.StateBatched}, proofs.Tree{{{7}}}))
		if n < pinned {
			check(db.SetCID(ctx, n, proofs.Hash{1, byte(n)}))
		}
	}
	for _, n := range []uint64{pinned, sealed} {
		if db.SetHeld(ctx, "s3", n, true) == nil {
			t.Errorf("batch %d is held and not pinned", n)
		}
	}
	targets := []string{"s3", "kubo", "a name with\x00anything"}
	held := map[string]map[uint64]bool{}
	for _, target := range targets {
		held[target] = map[uint64]bool{}
	}
	for step := range 300 {
		target, n, is := targets[rng.IntN(3)], rng.Uint64N(pinned), rng.IntN(4) > 0
		check(db.SetHeld(ctx, target, n, is))
		if delete(held[target], n); is {
			held[target][n] = true
		}
		if step%100 == 99 {
			check(db.Close())
			db, err = storage.Open(cfg)
			check(err)
		}
		var want []uint64
		from := rng.Uint64N(3)
		for n := from; n < pinned; n++ {
			if !held[target][n] {
				want = append(want, n)
			}
		}
		unheld, err := db.Unheld(ctx, target, from, 100)
		check(err)
		var got []uint64
		for _, s := range unheld {
			got = append(got, s.Number)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("step %d: not held by %q from %d on (-want +got):\n%s", step, target, from, diff)
		}
		all, count, err := db.Held(ctx, target)
		check(err)
		if all != pinned || count != uint64(len(held[target])) {
			t.Fatalf("step %d: %d of %d are held, want %d of %d", step, count, all, len(held[target]), pinned)
		}
		var wantHolders []string
		for _, target := range targets {
			if held[target][n] {
				wantHolders = append(wantHolders, target)
			}
		}
		holders, err := db.Holders(ctx, n)
		check(err)
		slices.Sort(holders)
		slices.Sort(wantHolders)
		if diff := cmp.Diff(wantHolders, holders); diff != "" {
			t.Fatalf("step %d: holders of %d (-want +got):\n%s", step, n, diff)
		}
	}
	if some, err := db.Unheld(ctx, "new", 0, 3); err != nil || len(some) != 3 {
		t.Errorf("a new target holds nothing: got %d batches, %v", len(some), err)
	}
}
