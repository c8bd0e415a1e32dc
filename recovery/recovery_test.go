package recovery_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
	"github.com/hansard-dao/hansard/storage"
)

// contents is all that a log's directory answers.
type contents struct {
	Tail    proofs.Tail
	Entries []proofs.Accepted
	Batches []proofs.Sealed
	Paths   [][]proofs.Hash
	Rooms   map[proofs.Hash]proofs.RoomTail
	Sources []proofs.Accepted
	Unfinal []proofs.Sealed
	Pinned  []bool
	Files   map[string]string
}

// read reads a directory whole.
func (s *service) read(dir string) (c contents) {
	t := s.t
	t.Helper()
	at := &service{t: t, dir: dir}
	db, node := at.open()
	defer at.close(db, node)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	var err error
	c.Tail, err = db.Tail(ctx)
	must(err)
	c.Entries, err = db.Read(ctx, 0, c.Tail.Next)
	must(err)
	c.Batches, err = db.Batches(ctx, 0, 1000)
	must(err)
	c.Unfinal, err = db.Unfinal(ctx, 10)
	must(err)
	unpinned, err := db.Unpinned(ctx, 10)
	if must(err); len(unpinned) > 0 {
		t.Errorf("batches without CID: %v", unpinned)
	}
	c.Rooms = map[proofs.Hash]proofs.RoomTail{}
	for _, a := range c.Entries {
		room, err := db.Room(ctx, a.Entry.Room)
		must(err)
		c.Rooms[a.Entry.Room] = room
		found, err := db.Find(ctx, a.Entry.Message)
		must(err)
		if diff := cmp.Diff(a, found); diff != "" {
			t.Errorf("message of entry %d (-read +found):\n%s", a.Entry.Index, diff)
		}
		b, err := db.BatchOf(ctx, a.Entry.Index)
		must(err)
		path, err := db.Prove(ctx, b.Batch, a.Entry.Index-b.First)
		must(err)
		must(proofs.VerifyInclusion(path, a.Leaf, a.Entry.Index-b.First, b.Size, b.Root))
		c.Paths = append(c.Paths, path)
		if a.Message != nil && a.Message.Source != "" && !slices.ContainsFunc(c.Sources, func(x proofs.Accepted) bool { return x.Leaf == a.Leaf }) {
			of, err := db.BySource(ctx, a.Message.Room, a.Message.Source, 0, 100)
			must(err)
			c.Sources = append(c.Sources, of...)
		}
	}
	for _, b := range c.Batches {
		held, err := node.Pinned(ctx, b.CID)
		must(err)
		c.Pinned = append(c.Pinned, held)
	}
	c.Files = map[string]string{}
	cars, err := os.ReadDir(filepath.Join(dir, "ipfs", "cars"))
	must(err)
	for _, f := range cars {
		raw, err := os.ReadFile(filepath.Join(dir, "ipfs", "cars", f.Name()))
		must(err)
		c.Files[f.Name()] = string(raw)
	}
	return c
}

// TestRun rebuilds a directory that is gone, and finds all of it again.
func TestRun(t *testing.T) {
	s := newService(t)
	want := s.read(s.dir)
	a := &attempt{dir: t.TempDir(), log: s.log, sources: []recovery.Source{carsOf(t, s.cars)}, promise: promise}
	var last recovery.Progress
	a.report = func(p recovery.Progress) { last = p }
	sum, err := a.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.read(a.dir)); diff != "" {
		t.Errorf("what was there and what is (-want +got):\n%s", diff)
	}
	if sum.Batches != 4 || sum.Final != 3 || sum.Messages != 66 || sum.Rooms != 5 || sum.Withheld.Count != 0 || sum.Late.Count != 0 {
		t.Errorf("summary %+v", sum)
	}
	if want := (recovery.Progress{Batches: 3, Messages: 66}); last != want {
		t.Errorf("progress ends with %+v, want %+v", last, want)
	}
	if u := sum.Sources[1]; u.Blocks == 0 || u.Wrong != 0 {
		t.Errorf("sources %+v", sum.Sources)
	}

	_, err = a.run(t.Context())
	if !errors.Is(err, storage.ErrHoldsLog) {
		t.Errorf("over a log: %v", err)
	}
	if diff := cmp.Diff(want, s.read(a.dir)); diff != "" {
		t.Errorf("after that (-want +got):\n%s", diff)
	}
}

// TestPromise recovers deadlines only where they are given and were kept.
func TestPromise(t *testing.T) {
	s := newService(t)
	want := s.read(s.dir)
	for name, tc := range map[string]struct {
		promise time.Duration
		late    recovery.Indexes
		has     func(a proofs.Accepted) bool
	}{
		"not known": {0, recovery.Indexes{}, func(proofs.Accepted) bool { return false }},
		// batches 2 and 3 were anchored 180 s and 240 s after the log began
		"broken by two batches": {150 * time.Second, recovery.Indexes{Count: 32, Spans: []recovery.Span{{First: 34, Last: 65}}},
			func(a proofs.Accepted) bool { return a.Entry.Index < 34 }},
		"broken by one": {200 * time.Second, recovery.Indexes{Count: 2, Spans: []recovery.Span{{First: 64, Last: 65}}},
			func(a proofs.Accepted) bool { return a.Entry.Index < 64 }},
	} {
		t.Run(name, func(t *testing.T) {
			a := &attempt{dir: t.TempDir(), log: s.log, sources: []recovery.Source{carsOf(t, s.cars)}, promise: tc.promise}
			sum, err := a.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.late, sum.Late); diff != "" {
				t.Errorf("late (-want +got):\n%s", diff)
			}
			got := s.read(a.dir)
			for i, e := range got.Entries {
				deadline := uint64(0)
				if tc.has(e) {
					deadline = (e.Entry.ReceivedAt + uint64(tc.promise.Milliseconds())) / 1000
				}
				if e.Deadline != deadline || e.Leaf != want.Entries[i].Leaf {
					t.Errorf("entry %d: deadline %d, want %d", i, e.Deadline, deadline)
				}
			}
		})
	}
	if _, err := (&attempt{dir: t.TempDir(), log: s.log, promise: time.Microsecond}).run(t.Context()); err == nil {
		t.Error("a promise of a microsecond")
	}
}

// TestCrash ends a recovery after each chunk: what is left is refused, and the next run finishes it from what the
// first had kept and the sources.
func TestCrash(t *testing.T) {
	s := newService(t)
	want := s.read(s.dir)
	for chunks := 1; ; chunks++ {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		left := chunks
		a := &attempt{dir: dir, log: s.log, sources: []recovery.Source{carsOf(t, s.cars)}, promise: promise}
		a.report = func(recovery.Progress) {
			if left--; left == 0 {
				cancel()
			}
		}
		_, err := a.run(ctx)
		cancel()
		if err == nil {
			if chunks < 8 {
				t.Errorf("the log has %d chunks only", chunks)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		_, err = storage.Open(storage.Config{Dir: filepath.Join(dir, "log"), Chain: chain, PromiseKey: key})
		if !errors.Is(err, storage.ErrRebuilding) {
			t.Fatalf("half a directory: %v", err)
		}
		a.report = nil
		if _, err := a.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.read(dir)); diff != "" {
			t.Fatalf("after %d chunks (-want +got):\n%s", chunks, diff)
		}
	}
}
