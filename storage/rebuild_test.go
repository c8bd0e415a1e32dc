package storage_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// old and newer are promise keys.
var old, newer = proofs.Address{1}, proofs.Address{2}

// sealedLog returns the entries of a log of one batch, the batch and its tree.
func sealedLog(t *testing.T) (entries []storage.Rebuilt, s proofs.Sealed, tree proofs.Tree) {
	t.Helper()
	l := newTestLog(t, batcher.Config{})
	for n := range 9 {
		l.submit(n)
	}
	l.flush()
	all, err := l.db.Read(t.Context(), 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	var leaves []proofs.Hash
	for _, a := range all {
		entries = append(entries, storage.Rebuilt{Accepted: a, Raw: proofs.AppendRecord(nil, &a.Record)})
		leaves = append(leaves, a.Leaf)
	}
	if s, err = l.db.Batch(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	tree, err = proofs.NewTree(leaves)
	if err != nil {
		t.Fatal(err)
	}
	return entries, s, tree
}

// rebuild opens a directory to rebuild a log in.
func rebuild(t *testing.T, dir string, keys ...storage.PromiseKey) *storage.Rebuild {
	t.Helper()
	r, err := storage.OpenRebuild(storage.Config{Dir: dir, Chain: chain, PromiseKey: keys[len(keys)-1].Address}, keys)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRebuild: half a rebuilding is no log, and one that began anew is the log with its keys.
func TestRebuild(t *testing.T) {
	entries, s, tree := sealedLog(t)
	dir := t.TempDir()
	keys := []storage.PromiseKey{{Address: old}, {Address: newer, From: 5}}
	cfg := storage.Config{Dir: dir, Chain: chain, PromiseKey: newer}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	steps := []func(r *storage.Rebuild) error{
		func(r *storage.Rebuild) error { return r.Begin() },
		func(r *storage.Rebuild) error { return r.Add(entries[:4]) },
		func(r *storage.Rebuild) error { return r.Add(entries[4:]) },
		func(r *storage.Rebuild) error { return r.Seal(s, tree) },
		func(r *storage.Rebuild) error { return r.Flush() },
	}
	for done := range len(steps) { // it ends after each step
		r := rebuild(t, dir, keys...)
		for _, step := range steps[:done+1] {
			must(step(r))
		}
		must(r.Close())
		if _, err := storage.Open(cfg); !errors.Is(err, storage.ErrRebuilding) || !strings.Contains(err.Error(), "hansard recover") {
			t.Fatalf("half a log after %d steps: %v", done+1, err)
		}
	}
	r := rebuild(t, dir, keys...)
	for _, step := range steps {
		must(step(r))
	}
	must(r.Commit())
	must(r.Close())

	_, err := storage.OpenRebuild(storage.Config{Dir: dir, Chain: chain, PromiseKey: newer}, keys)
	if !errors.Is(err, storage.ErrHoldsLog) {
		t.Errorf("over a log: %v", err)
	}
	db, err := storage.Open(cfg)
	must(err)
	defer closeAll(t, db)
	if diff := cmp.Diff(keys, db.PromiseKeys()); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	all, err := db.Read(t.Context(), 0, 9)
	must(err)
	for i := range all {
		if diff := cmp.Diff(entries[i].Accepted, all[i]); diff != "" {
			t.Errorf("entry %d (-want +got):\n%s", i, diff)
		}
	}
}

// TestRebuildRefuses what does not follow, and directories that are not empty.
func TestRebuildRefuses(t *testing.T) {
	entries, s, tree := sealedLog(t)
	for name, bend := range map[string]func(e *storage.Rebuilt){
		"another log":         func(e *storage.Rebuilt) { e.Entry.Log[0] ^= 1 },
		"a place later":       func(e *storage.Rebuilt) { e.Entry.Index++ },
		"a room's place":      func(e *storage.Rebuilt) { e.Entry.RoomIndex++ },
		"another before it":   func(e *storage.Rebuilt) { e.Entry.RoomPrev[0] ^= 1 },
		"a room of one entry": func(e *storage.Rebuilt) { e.Entry.Room[0] ^= 1 },
	} {
		r := rebuild(t, t.TempDir(), storage.PromiseKey{Address: old})
		bent := entries[8]
		bend(&bent)
		err := errors.Join(r.Begin(), r.Add(entries[:8]))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Seal(s, tree); err == nil {
			t.Errorf("%s: a batch of more entries than there are", name)
		}
		if err := r.Add([]storage.Rebuilt{bent}); !errors.Is(err, storage.ErrNotNext) {
			t.Errorf("%s: %v", name, err)
		}
		closeAll(t, r)
	}
	for name, keys := range map[string][]storage.PromiseKey{
		"none": nil, "not the first": {{Address: old, From: 1}}, "another is the newest": {{Address: newer}},
		"not in order": {{Address: newer}, {Address: newer, From: 9}, {Address: old, From: 9}},
	} {
		if _, err := storage.OpenRebuild(storage.Config{Dir: t.TempDir(), Chain: chain, PromiseKey: old}, keys); err == nil {
			t.Errorf("keys, %s", name)
		}
	}
}

// TestRebuildOver: a log in which nothing was ever accepted may be rebuilt over; one with an entry, one of another log,
// and what is no log may not.
func TestRebuildOver(t *testing.T) {
	other := chain
	other.Log[0] ^= 1
	l := newTestLog(t, batcher.Config{})
	l.submit(1)
	l.stop()
	used := copyDir(t, l.dir)
	l.start()
	empty := func(c proofs.Chain) string {
		dir := t.TempDir()
		db, err := storage.Open(storage.Config{Dir: dir, Chain: c})
		if err != nil {
			t.Fatal(err)
		}
		closeAll(t, db)
		return dir
	}
	file := t.TempDir()
	if err := os.WriteFile(filepath.Join(file, "notes.txt"), []byte("not ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		dir string
		bad error
	}{
		"nothing accepted":          {empty(chain), nil},
		"another log, with nothing": {empty(other), storage.ErrHoldsLog},
		"an entry":                  {used, storage.ErrHoldsLog},
		"a file of somebody":        {file, nil},
	} {
		r, err := storage.OpenRebuild(storage.Config{Dir: tc.dir, Chain: chain, PromiseKey: old}, []storage.PromiseKey{{Address: old}})
		if !errors.Is(err, tc.bad) {
			t.Errorf("%s: %v, want %v", name, err, tc.bad)
		}
		if err == nil {
			if err := r.Begin(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			closeAll(t, r)
		}
	}
}
