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

// lostEntries makes a log of 4 entries, copies it, lets it go on to a number, and returns the copy and what it
// lacks.
func lostEntries(t *testing.T, to int) (dir string, lost []storage.Restored) {
	t.Helper()
	l := newTestLog(t, batcher.Config{})
	for n := range 4 {
		l.submit(n)
	}
	l.flush()
	l.stop()
	dir = copyDir(t, l.dir)
	l.start()
	for n := 4; n < to; n++ {
		l.submit(n)
	}
	all, err := l.db.Read(t.Context(), 4, uint64(to-4))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		lost = append(lost, storage.Restored{Accepted: a})
	}
	return dir, lost
}

// TestRestore appends lost entries as they were: the same messages get the same places, and the next one the
// next place.
func TestRestore(t *testing.T) {
	const end = 550 // more than one append takes
	dir, lost := lostEntries(t, end)
	db := openAs(t, storage.Config{Dir: dir})
	if err := db.Restore(t.Context(), lost[:3]); err != nil {
		t.Fatal(err)
	}
	if err := db.Restore(t.Context(), lost[3:]); err != nil {
		t.Fatal(err)
	}
	closeAll(t, db)
	l := &testLog{t: t, dir: dir, promised: map[proofs.Hash]proofs.Promise{}, sealed: make(chan struct{}, 16)}
	for _, a := range lost {
		l.promised[a.Entry.Message] = a.Promise()
	}
	l.start()
	defer func() { l.stop() }()
	l.check()
	for n := 4; n < end; n++ {
		if r := l.submit(n); !r.Replayed || cmp.Diff(lost[n-4].Accepted, r.Accepted) != "" {
			t.Errorf("message %d: replayed %v\n%s", n, r.Replayed, cmp.Diff(lost[n-4].Accepted, r.Accepted))
		}
	}
	if r := l.submit(end); r.Accepted.Entry.Index != end {
		t.Errorf("the next place is %d", r.Accepted.Entry.Index)
	}
	l.flush()
	l.check()
}

// TestRestoreRefuses: what is not exactly what follows is refused, and nothing is written.
func TestRestoreRefuses(t *testing.T) {
	dir, lost := lostEntries(t, 12)
	db := openAs(t, storage.Config{Dir: dir})
	defer closeAll(t, db)
	was, err := db.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := db.Read(t.Context(), 0, 4)
	if err != nil {
		t.Fatal(err)
	}
	again := func(a *storage.Restored, of *proofs.Accepted) { // the message of another entry, at this place
		index, room, tag, prev := a.Entry.Index, a.Entry.RoomIndex, a.Entry.Room, a.Entry.RoomPrev
		a.Accepted = *of
		if tag != a.Entry.Room {
			t.Fatal("the test wants two messages of one room")
		}
		a.Entry.Index, a.Entry.RoomIndex, a.Entry.RoomPrev = index, room, prev
		a.Leaf = a.Entry.Leaf()
	}
	for want, change := range map[string]func([]storage.Restored) []storage.Restored{
		"the next entry is 4":             func(e []storage.Restored) []storage.Restored { return e[1:] },
		"the next entry is 6":             func(e []storage.Restored) []storage.Restored { return append(e[:2:2], e[3:]...) },
		"its leaf is another's":           func(e []storage.Restored) []storage.Restored { e[7].Leaf[0] ^= 1; return e },
		"its message is not disclosed":    func(e []storage.Restored) []storage.Restored { e[7].Message = nil; return e },
		"its message is another's":        func(e []storage.Restored) []storage.Restored { e[7].Message = e[6].Message; return e },
		"its evidence is another's":       func(e []storage.Restored) []storage.Restored { e[7].Evidence = e[6].Evidence; return e },
		"is signed by 0x6f":               func(e []storage.Restored) []storage.Restored { e[7].Signer = promiseKey("other"); return e },
		"its message stands at 2 already": func(e []storage.Restored) []storage.Restored { again(&e[3], &stored[2]); return e[:4] },
		"its message stands at 4 already": func(e []storage.Restored) []storage.Restored { again(&e[5], &e[0].Accepted); return e[:6] },
		"it is of another log": func(e []storage.Restored) []storage.Restored {
			e[0].Entry.Log[0] ^= 1
			e[0].Leaf = e[0].Entry.Leaf()
			return e
		},
		"its room had 0 entries before it, the last with leaf 0x01": func(e []storage.Restored) []storage.Restored {
			e[0].Entry.RoomPrev[0] ^= 1
			e[0].Leaf = e[0].Entry.Leaf()
			return e
		},
	} {
		err := db.Restore(t.Context(), change(append([]storage.Restored(nil), lost...)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if tail, err := db.Tail(t.Context()); err != nil || tail != was {
			t.Fatalf("%s: the tail is %+v, %v", want, tail, err)
		}
	}
}

// TestRotate: each key signs from its place on, over restarts, a key that was replaced none any more, and a
// directory that was never rotated says what it said before.
func TestRotate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	a, b, c := promiseKey("a"), promiseKey("b"), promiseKey("c")
	with := func(key proofs.Address, rotate bool, numbers ...int) (keys []storage.PromiseKey, err error) {
		db, err := storage.Open(storage.Config{Dir: dir, Chain: chain, PromiseKey: key, Rotate: rotate, Reserve: 1})
		if err != nil {
			return nil, err
		}
		defer closeAll(t, db)
		if rotate {
			if before := db.PromiseKeys(); before[len(before)-1].Address == key && len(numbers) > 0 {
				t.Errorf("rotated by opening: %v", before)
			}
		}
		err = db.Rotate(t.Context())
		for _, n := range numbers {
			appendOne(t, db, n)
		}
		keys, version := db.PromiseKeys(), 1
		if len(keys) > 1 {
			version = 2 // which programs that know one key refuse
		}
		if got := db.FormatVersion(); got != version {
			t.Errorf("the format is %d with the keys %v", got, keys)
		}
		return keys, err
	}
	for _, step := range []struct {
		key    proofs.Address
		rotate bool
		add    []int
		want   []storage.PromiseKey
		err    error
	}{
		{key: a, add: []int{0, 1}, want: []storage.PromiseKey{{a, 0}}},
		{key: b, err: storage.ErrOtherKey},
		{key: a, rotate: true, want: []storage.PromiseKey{{a, 0}}},
		{key: b, rotate: true, add: []int{2}, want: []storage.PromiseKey{{a, 0}, {b, 2}}},
		{key: b, want: []storage.PromiseKey{{a, 0}, {b, 2}}},
		{key: b, rotate: true, want: []storage.PromiseKey{{a, 0}, {b, 2}}},
		{key: a, err: storage.ErrReplacedKey},
		{key: a, rotate: true, err: storage.ErrReplacedKey},
		{key: c, rotate: true, want: []storage.PromiseKey{{a, 0}, {b, 2}, {c, 3}}},
		{key: c, add: []int{3}, want: []storage.PromiseKey{{a, 0}, {b, 2}, {c, 3}}},
	} {
		keys, err := with(step.key, step.rotate, step.add...)
		if diff := cmp.Diff(step.want, keys); diff != "" || !errors.Is(err, step.err) {
			t.Fatalf("%s, rotate %v: %v\n%s", step.key, step.rotate, err, diff)
		}
	}
}

// appendOne appends the message as the next entry of a room of its own.
func appendOne(t *testing.T, db *storage.DB, n int) {
	t.Helper()
	tail, err := db.Tail(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := submission(n)
	s.Message.Room = proofs.Room(strings.Repeat("r", n+1))
	e := proofs.Entry{
		Log: chain.Log, Index: tail.Next, Room: s.Message.Room.Tag(), Message: chain.MessageDomain().MessageID(&s.Message),
		Author: s.Message.Author.Commit(s.Message.Salt), Vouch: proofs.VouchAuthor, Evidence: s.Evidence.Hash(), ReceivedAt: 1,
	}
	a := proofs.Accepted{Record: proofs.Record{Entry: e, Message: &s.Message, Evidence: s.Evidence}, Leaf: e.Leaf(), Deadline: 2}
	tail.Next++
	if err := db.Append(t.Context(), tail, []proofs.Accepted{a}); err != nil {
		t.Fatal(err)
	}
}

// TestRestoreRotates: entries that a newer key promised bring that key back, at the place where it began.
func TestRestoreRotates(t *testing.T) {
	dir, lost := lostEntries(t, 12)
	key := promiseKey("new")
	for i := 3; i < len(lost); i++ {
		lost[i].Signer = key
	}
	db := openAs(t, storage.Config{Dir: dir})
	if err := db.Restore(t.Context(), lost); err == nil || !strings.Contains(err.Error(), "restore entry 7") {
		t.Errorf("a key that is not wanted: %v", err)
	}
	closeAll(t, db)
	db = openAs(t, storage.Config{Dir: dir, PromiseKey: key, Rotate: true})
	defer func() { closeAll(t, db) }()
	mixed := append([]storage.Restored(nil), lost...)
	mixed[7].Signer = proofs.Address{}
	if err := db.Restore(t.Context(), mixed); err == nil || !strings.Contains(err.Error(), "restore entry 11") {
		t.Errorf("the old key after the new one: %v", err)
	}
	if err := db.Restore(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]storage.PromiseKey{{}, {Address: key, From: 7}}, db.PromiseKeys()); diff != "" {
		t.Errorf("keys:\n%s", diff)
	}
	if tail, err := db.Tail(t.Context()); err != nil || tail.Next != 12 {
		t.Errorf("tail %+v, %v", tail, err)
	}
	// A mark that the new key wrote does not fit a copy of before.
	path := filepath.Join(t.TempDir(), "mark")
	m, err := storage.OpenMark(path, db)
	if err != nil {
		t.Fatal(err)
	}
	closeAll(t, m)
	if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), key.String()) {
		t.Errorf("the mark does not name its key: %v", err)
	}
	before := openAs(t, storage.Config{Dir: dir + ".before"})
	defer closeAll(t, before)
	for n := range 12 {
		appendOne(t, before, n)
	}
	if _, err := storage.OpenMark(path, before); !errors.Is(err, storage.ErrMark) || !strings.Contains(err.Error(), "which the directory does not know") {
		t.Errorf("a directory that does not know the key: %v", err)
	}
}
