package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// key is a promise key by name.
func promiseKey(name string) (a proofs.Address) { copy(a[:], name); return a }

func openAs(t *testing.T, cfg storage.Config) *storage.DB {
	t.Helper()
	cfg.Chain, cfg.Reserve = chain, 1
	db, err := storage.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func closeAll(t *testing.T, all ...interface{ Close() error }) {
	t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// fill accepts the messages in a directory without a batcher of its own.
func fill(t *testing.T, dir string, numbers ...int) {
	t.Helper()
	l := &testLog{t: t, dir: dir, promised: map[proofs.Hash]proofs.Promise{}, sealed: make(chan struct{}, 16)}
	l.start()
	for _, n := range numbers {
		l.submit(n)
	}
	l.stop()
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestMark: a mark goes with its directory, and refuses every other one.
func TestMark(t *testing.T) {
	base := t.TempDir()
	dir, path := filepath.Join(base, "log"), filepath.Join(base, "mark")
	fill(t, dir, 1, 2, 3)
	before := copyDir(t, dir) // that never had a mark
	mark := func(dir, path string) error {
		db := openAs(t, storage.Config{Dir: dir})
		m, err := storage.OpenMark(path, db)
		if err == nil {
			err = m.Close()
		}
		return errors.Join(err, db.Close())
	}
	if err := errors.Join(mark(dir, path), mark(dir, path)); err != nil {
		t.Fatal(err)
	}
	older := copyDir(t, dir) // that knows that it has one
	fill(t, dir, 4, 5)
	if err := mark(dir, path); err != nil {
		t.Fatal(err)
	}
	wantNext(t, path, 5)
	for name, d := range map[string]string{"of before the mark": before, "older": older} {
		if err := mark(d, path); !errors.Is(err, storage.ErrOldCopy) || !strings.Contains(err.Error(), "entries up to 4 were promised, and those from 3 on") {
			t.Errorf("copy %s: %v", name, err)
		}
	}
	fill(t, older, 6, 7, 8) // it went on, and is longer by now
	if err := mark(older, path); !errors.Is(err, storage.ErrMark) || !strings.Contains(err.Error(), "promised twice") {
		t.Errorf("a directory that went another way: %v", err)
	}
	other := filepath.Join(base, "other")
	db, err := storage.Open(storage.Config{Dir: other, Chain: proofs.Chain{ChainID: 5}, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := storage.OpenMark(path, db); !errors.Is(err, storage.ErrMark) || !strings.Contains(err.Error(), "its chain is 1337, and 5 is wanted") {
		t.Errorf("another log: %v", err)
	}
	closeAll(t, db)
	if err := mark(dir, filepath.Join(base, "none")); !errors.Is(err, storage.ErrMark) || !strings.Contains(err.Error(), "--mark none") {
		t.Errorf("no file: %v", err)
	}
	wantNext(t, path, 5)

	db = openAs(t, storage.Config{Dir: dir})
	if err := db.NoMark(); err != nil || db.Marked() {
		t.Errorf("forgotten: %v, %v", db.Marked(), err)
	}
	closeAll(t, db)
	if err := mark(dir, filepath.Join(base, "none")); err != nil {
		t.Errorf("a new mark after the old one was given up: %v", err)
	}
}

func wantNext(t *testing.T, path string, want uint64) {
	t.Helper()
	if next, err := storage.MarkNext(path); err != nil || next != want {
		t.Errorf("the mark says %d, %v, want %d", next, err, want)
	}
}

// TestMarkCovers: nothing is covered that the directory does not hold, a group by one write, and by one process.
func TestMarkCovers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	l := newTestLog(t, batcher.Config{})
	m, err := storage.OpenMark(path, l.db)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, m)
	if _, err := storage.OpenMark(path, l.db); !errors.Is(err, storage.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := m.Cover(0); !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("an entry that is not there: %v", err)
	}
	for n := range 5 {
		l.submit(n)
	}
	wantNext(t, path, 0)
	if err := m.Cover(1); err != nil {
		t.Fatal(err)
	}
	wantNext(t, path, 5)
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Cover(4); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || !bytes.Equal(b, written) {
		t.Errorf("what is covered was written again: %v", err)
	}
}

// TestMarkPages: of two pages the newer one that is whole counts, whatever the other one holds.
func TestMarkPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	l := newTestLog(t, batcher.Config{})
	m, err := storage.OpenMark(path, l.db)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, m)
	for n := range 2 {
		l.submit(n)
		if err := m.Cover(uint64(n)); err != nil {
			t.Fatal(err)
		}
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	newer := 0 // the page that says 2
	if bytes.Contains(good[4096:], []byte(`"Next":2`)) {
		newer = 4096
	}
	parse := func(change func(b []byte) []byte) (uint64, error) {
		if err := os.WriteFile(path+".bad", change(bytes.Clone(good)), 0o600); err != nil {
			t.Fatal(err)
		}
		return storage.MarkNext(path + ".bad")
	}
	for at := range 4096 {
		if next, err := parse(func(b []byte) []byte { b[newer+at] ^= 1; return b }); next != 1 || err != nil {
			t.Fatalf("byte %d of the newer page is wrong: %d, %v", at, next, err)
		}
	}
	for cut := 1; cut < 4096; cut += 61 { // a write that a power cut ended
		torn := func(b []byte) []byte { clear(b[newer+cut : newer+4096]); return b }
		if next, err := parse(torn); next != 1 || err != nil {
			t.Fatalf("torn at %d: %d, %v", cut, next, err)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"both pages wrong": func(b []byte) []byte { b[0] ^= 1; b[4096] ^= 1; return b },
		"empty":            func(b []byte) []byte { return make([]byte, len(b)) },
		"short":            func(b []byte) []byte { return b[:4096] },
		"long":             func(b []byte) []byte { return append(b, 0) },
	} {
		if next, err := parse(change); !errors.Is(err, storage.ErrMark) {
			t.Errorf("%s: %d, %v", name, next, err)
		}
	}
}

// TestMarkUnwritable: while the mark cannot be written nothing is covered, and it goes on when it can.
func TestMarkUnwritable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mark")
	l := newTestLog(t, batcher.Config{})
	m, err := storage.OpenMark(path, l.db)
	if err != nil {
		t.Fatal(err)
	}
	defer closeAll(t, m)
	l.submit(0)
	mend := m.Break()
	if err := m.Cover(0); !errors.Is(err, proofs.ErrRefused) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
	if err := m.Check(); !errors.Is(err, proofs.ErrRefused) {
		t.Errorf("check: %v", err)
	}
	wantNext(t, path, 0)
	mend()
	if err := m.Check(); err != nil {
		t.Errorf("check: %v", err)
	}
	if err := m.Cover(0); err != nil {
		t.Error(err)
	}
	wantNext(t, path, 1)
}

// BenchmarkCover is what a mark costs for each group of acknowledged messages, next to the group's own append.
func BenchmarkCover(b *testing.B) {
	for _, marked := range []bool{false, true} {
		b.Run(map[bool]string{false: "append", true: "append and cover"}[marked], func(b *testing.B) {
			db, err := storage.Open(storage.Config{Dir: b.TempDir(), Chain: chain, Reserve: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			m, err := storage.OpenMark(filepath.Join(b.TempDir(), "mark"), db)
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			s := submission(0)
			for n := range uint64(b.N) {
				e := proofs.Entry{Log: chain.Log, Index: n, Room: s.Message.Room.Tag(), RoomIndex: n, Message: proofs.Keccak([]byte{byte(n), byte(n >> 8), byte(n >> 16)})}
				a := proofs.Accepted{Record: proofs.Record{Entry: e, Message: &s.Message, Evidence: s.Evidence}, Leaf: e.Leaf()}
				if err := db.Append(b.Context(), proofs.Tail{Next: n + 1}, []proofs.Accepted{a}); err != nil {
					b.Fatal(err)
				}
				if !marked {
					continue
				}
				if err := m.Cover(n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
