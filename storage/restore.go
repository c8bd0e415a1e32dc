package storage

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/proofs"
)

// Restored is an entry as its receipt has it, and the key that signed its promise.
type Restored struct {
	proofs.Accepted
	Signer proofs.Address
}

// Limits of one Append, as of the batcher.
const (
	maxRestored      = 512
	maxRestoredBytes = 2 << 20
)

// Restore appends entries that were promised and are not in the directory, in order, from its tail on
// without a gap, exactly as they were. All are checked before the first is written. If we die in it, those
// that are written are the log's, and the rest can be given again. What Config.Rotate allows is done where
// the first entry stands that the new key promised. Nothing else may append meanwhile.
func (db *DB) Restore(ctx context.Context, entries []Restored) error {
	tail, err := db.Tail(ctx)
	if err != nil {
		return err
	}
	rotateAt, err := db.checkRestored(ctx, tail, entries)
	if err != nil {
		return err
	}
	for len(entries) > 0 {
		if entries[0].Entry.Index == rotateAt {
			if err := db.Rotate(ctx); err != nil {
				return err
			}
		}
		group, size := []proofs.Accepted{}, 0
		for _, e := range entries {
			size += 1024 + len(e.Message.Body) + len(e.Message.Source) + len(e.Evidence.Bytes)
			if len(group) > 0 && (len(group) == maxRestored || size > maxRestoredBytes || e.Entry.Index == rotateAt) {
				break
			}
			group = append(group, e.Accepted)
		}
		tail.Next += uint64(len(group))
		if err := db.Append(ctx, tail, group); err != nil {
			return err
		}
		entries = entries[len(group):]
	}
	return nil
}

// none is no index: the log never gets there.
const none = 1<<64 - 1

// checkRestored checks that the entries are the log's next ones, and returns the index at which the
// promise key is to be rotated, or none.
func (db *DB) checkRestored(ctx context.Context, tail proofs.Tail, entries []Restored) (rotateAt uint64, err error) {
	id, rooms, rotateAt := db.identity(), map[proofs.Hash]proofs.RoomTail{}, uint64(none)
	ids := map[proofs.Hash]uint64{}
	for i := range entries {
		a := &entries[i]
		e, index := &a.Entry, tail.Next+uint64(i)
		if rotateAt == none && a.Signer == db.key && db.key != id.newest() {
			rotateAt = index
		}
		key := id.newest()
		if rotateAt != none {
			key = db.key
		}
		if key != a.Signer {
			return none, fmt.Errorf("restore entry %d: its promise is signed by %s, and the key of that place is %s", e.Index, a.Signer, key)
		}
		room, ok := rooms[e.Room]
		if !ok {
			if room, err = db.Room(ctx, e.Room); err != nil {
				return none, err
			}
		}
		if err := db.checkEntry(a, index, room); err != nil {
			return none, fmt.Errorf("restore entry %d: %w", e.Index, err)
		}
		was, err := db.Find(ctx, e.Message)
		if at, twice := ids[e.Message]; twice || err == nil {
			if !twice {
				at = was.Entry.Index
			}
			return none, fmt.Errorf("restore entry %d: its message stands at %d already: one of the two is of another copy", e.Index, at)
		} else if !errors.Is(err, proofs.ErrNotFound) {
			return none, err
		}
		ids[e.Message] = e.Index
		rooms[e.Room] = proofs.RoomTail{Count: e.RoomIndex + 1, Head: a.Leaf}
	}
	return rotateAt, nil
}

// checkEntry checks that the entry is the log's at that index and its room's next one, and that message and
// evidence are the entry's.
func (db *DB) checkEntry(a *Restored, index uint64, room proofs.RoomTail) error {
	e := &a.Entry
	switch {
	case e.Log != db.chain.Log:
		return errors.New("it is of another log")
	case e.Index != index:
		return fmt.Errorf("the next entry is %d", index)
	case a.Leaf != e.Leaf():
		return errors.New("its leaf is another's")
	case a.Message == nil:
		return errors.New("its message is not disclosed")
	case db.chain.MessageDomain().MessageID(a.Message) != e.Message, a.Message.Room.Tag() != e.Room,
		a.Message.Author.Commit(a.Message.Salt) != e.Author:
		return errors.New("its message is another's")
	case a.Evidence.Hash() != e.Evidence:
		return errors.New("its evidence is another's")
	case e.RoomIndex != room.Count || e.RoomPrev != room.Head:
		return fmt.Errorf("its room had %d entries before it, the last with leaf %s, and has %d here, the last with leaf %s: it is of another copy",
			e.RoomIndex, e.RoomPrev, room.Count, room.Head)
	}
	return nil
}
