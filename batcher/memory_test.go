package batcher_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

var _ batcher.Store = (*memory)(nil)

// memory is a store in memory that holds the batcher to what Store says. It survives the batcher, as a
// disk does.
type memory struct {
	t testing.TB

	mu      sync.Mutex
	tail    proofs.Tail // of the last Append; Sealed and Batches are those of batches
	entries []proofs.Accepted
	byID    map[proofs.Hash]int
	rooms   map[proofs.Hash]proofs.RoomTail
	batches []proofs.Sealed
	appends []int // entries of each Append

	appending, sealing atomic.Bool

	// before is asked at the begin of each call for the error that it returns then; nil: none.
	before func(op string) error
	// after is asked once a write was made; its error says that the outcome is unknown. nil: none.
	after func(op string) error
}

func newMemory(t testing.TB) *memory {
	return &memory{t: t, byID: map[proofs.Hash]int{}, rooms: map[proofs.Hash]proofs.RoomTail{}}
}

func ask(f func(string) error, op string) error {
	if f == nil {
		return nil
	}
	return f(op)
}

func (m *memory) Tail(context.Context) (proofs.Tail, error) {
	if err := ask(m.before, "Tail"); err != nil {
		return proofs.Tail{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tail
	t.Batches, t.Sealed = uint64(len(m.batches)), m.sealed()
	return t, nil
}

// sealed returns how many entries stand in batches.
func (m *memory) sealed() uint64 {
	if len(m.batches) == 0 {
		return 0
	}
	last := m.batches[len(m.batches)-1]
	return last.First + last.Size
}

func (m *memory) Room(_ context.Context, tag proofs.Hash) (proofs.RoomTail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rooms[tag], ask(m.before, "Room")
}

func (m *memory) Known(_ context.Context, ids []proofs.Hash) (map[proofs.Hash]proofs.Accepted, error) {
	if err := ask(m.before, "Known"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	known := map[proofs.Hash]proofs.Accepted{}
	for _, id := range ids {
		if i, ok := m.byID[id]; ok {
			known[id] = m.entries[i]
		}
	}
	return known, nil
}

func (m *memory) Read(_ context.Context, first, n uint64) ([]proofs.Accepted, error) {
	if err := ask(m.before, "Read"); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if n == 0 || first+n > uint64(len(m.entries)) {
		m.t.Errorf("Read(%d, %d) of %d entries", first, n, len(m.entries))
	}
	return append([]proofs.Accepted(nil), m.entries[first:first+n]...), nil
}

func (m *memory) Append(ctx context.Context, t proofs.Tail, entries []proofs.Accepted) error {
	if m.appending.Swap(true) {
		m.t.Error("two Appends at once")
	}
	defer m.appending.Store(false)
	if err := ask(m.before, "Append"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(entries) == 0 || t.Next != uint64(len(m.entries)+len(entries)) {
		m.t.Errorf("Append of %d entries after %d makes the tail %d", len(entries), len(m.entries), t.Next)
	}
	if ctx.Err() != nil {
		m.t.Error("a group that was begun is cut short by its context")
	}
	for i := range entries {
		m.take(&entries[i])
	}
	m.tail = t
	m.appends = append(m.appends, len(entries))
	return ask(m.after, "Append")
}

// take adds one entry, if everything about it follows from what is there.
func (m *memory) take(a *proofs.Accepted) {
	e := a.Entry
	room := m.rooms[e.Room]
	switch {
	case e.Index != uint64(len(m.entries)):
		m.t.Errorf("entry %d stands at %d", e.Index, len(m.entries))
	case e.RoomIndex != room.Count || e.RoomPrev != room.Head:
		m.t.Errorf("entry %d: room index %d after %s, want %d after %s", e.Index, e.RoomIndex, e.RoomPrev, room.Count, room.Head)
	case a.Leaf != e.Leaf():
		m.t.Errorf("entry %d does not hash to its leaf", e.Index)
	case e.Message != chain.MessageDomain().MessageID(a.Message):
		m.t.Errorf("entry %d has another message", e.Index)
	case e.Log != chain.Log || e.Room != a.Message.Room.Tag() || e.Author != a.Message.Author.Commit(a.Message.Salt):
		m.t.Errorf("entry %d: log, room or author are not the message's", e.Index)
	case e.Evidence != a.Evidence.Hash() || a.Evidence.Bytes == nil:
		m.t.Errorf("entry %d: not its evidence, or none", e.Index)
	case a.Deadline <= e.ReceivedAt/1000:
		m.t.Errorf("entry %d: received at %d ms and promised for %d s", e.Index, e.ReceivedAt, a.Deadline)
	}
	if at, twice := m.byID[e.Message]; twice {
		m.t.Errorf("message %s stands at %d and at %d", e.Message, at, e.Index)
	}
	m.byID[e.Message] = len(m.entries)
	m.entries = append(m.entries, *a)
	m.rooms[e.Room] = proofs.RoomTail{Count: e.RoomIndex + 1, Head: a.Leaf}
}

func (m *memory) Seal(ctx context.Context, s proofs.Sealed, tree proofs.Tree) error {
	if m.sealing.Swap(true) {
		m.t.Error("two Seals at once")
	}
	defer m.sealing.Store(false)
	if err := ask(m.before, "Seal"); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Number != uint64(len(m.batches)) || s.First != m.sealed() || s.Size == 0 || s.First+s.Size > uint64(len(m.entries)) {
		m.t.Errorf("batch %d of %d entries from %d, after %d batches that end at %d", s.Number, s.Size, s.First, len(m.batches), m.sealed())
		return errors.New("out of order")
	}
	if ctx.Err() != nil {
		m.t.Error("a batch that was begun is cut short by its context")
	}
	m.checkBatch(s, tree)
	m.batches = append(m.batches, s)
	return ask(m.after, "Seal")
}

// checkBatch holds a batch against its entries and against every proof of its tree.
func (m *memory) checkBatch(s proofs.Sealed, tree proofs.Tree) {
	entries := m.entries[s.First : s.First+s.Size]
	if s.State != proofs.StateBatched || s.Time != 0 || !s.CID.IsZero() || s.Anchor != nil || s.Txs != nil {
		m.t.Errorf("batch %d is born as %+v", s.Number, s)
	}
	if s.OpenedAt > entries[0].Entry.ReceivedAt || s.SealedAt < entries[len(entries)-1].Entry.ReceivedAt {
		m.t.Errorf("batch %d is open from %d to %d, its entries are of %d to %d", s.Number, s.OpenedAt, s.SealedAt,
			entries[0].Entry.ReceivedAt, entries[len(entries)-1].Entry.ReceivedAt)
	}
	leaves, rooms := make([]proofs.Hash, len(entries)), map[proofs.Hash]bool{}
	deadline := entries[0].Deadline
	for i, a := range entries {
		leaves[i], rooms[a.Entry.Room] = a.Leaf, true
		deadline = min(deadline, a.Deadline)
	}
	if s.Deadline != deadline {
		m.t.Errorf("batch %d is due at %d, the first of its promises at %d", s.Number, s.Deadline, deadline)
	}
	if len(rooms) > proofs.MaxRooms {
		m.t.Errorf("batch %d has %d rooms", s.Number, len(rooms))
	}
	if root, err := proofs.Root(leaves); err != nil || root != s.Root || tree.Root() != root {
		m.t.Errorf("batch %d: root %s, its tree's %s, want %s, %v", s.Number, s.Root, tree.Root(), root, err)
	}
	for i := uint64(0); i < s.Size; i += 1 + s.Size/512 {
		if err := proofs.VerifyInclusion(tree.Prove(i), leaves[i], i, s.Size, s.Root); err != nil {
			m.t.Errorf("batch %d, position %d: %v", s.Number, i, err)
		}
	}
}

// bodies returns the bodies of the log in order.
func (m *memory) bodies() (bodies []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.entries {
		bodies = append(bodies, a.Message.Body)
	}
	return bodies
}

// sizes returns the sizes of the batches in order.
func (m *memory) sizes() (sizes []uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.batches {
		sizes = append(sizes, s.Size)
	}
	return sizes
}

// checkAnswer holds an answer against the store.
func (m *memory) checkAnswer(r batcher.Result) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Err != nil {
		m.t.Errorf("message %s: %v", r.ID, r.Err)
		return
	}
	i, ok := m.byID[r.ID]
	if !ok {
		m.t.Errorf("message %s was acknowledged and is not in the store", r.ID)
		return
	}
	got, want := r.Accepted, m.entries[i]
	if got.Entry != want.Entry || got.Leaf != want.Leaf || got.Deadline != want.Deadline ||
		got.Evidence.Scheme != want.Evidence.Scheme || !bytes.Equal(got.Evidence.Bytes, want.Evidence.Bytes) {
		m.t.Errorf("message %s was answered with %+v, the store has %+v", r.ID, got.Entry, want.Entry)
	}
}
