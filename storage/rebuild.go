package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

var (
	// ErrHoldsLog is wrapped where a log was to be rebuilt in a directory that holds one.
	ErrHoldsLog = errors.New("the data directory holds a log")
	// ErrNotNext is wrapped where an entry does not follow those before it.
	ErrNotNext = errors.New("the entry is not the next one")
	// ErrRebuilding is wrapped when the rebuilding of a directory was not finished.
	ErrRebuilding = errors.New("the data directory was not rebuilt to its end")
)

const (
	rebuildMemtable = 32 << 20 // half of a service's, which keeps a recovery's memory small
	rebuildPending  = 4        // transactions of a write batch under way, about 5 MB each
	rebuildLook     = 8 << 20  // bytes written between two looks at the free space
)

// Rebuild writes a whole log into a directory without one, in large steps. Nothing of it is acknowledged before
// Commit: until then Open refuses the directory with ErrRebuilding, which is the last thing that Commit takes away.
// If the process dies before that, OpenRebuild drops what is there and begins anew. One goroutine uses it.
type Rebuild struct {
	db        *DB
	keys      []PromiseKey
	batch     *badger.WriteBatch // nil before Begin
	tail      proofs.Tail
	rooms     map[proofs.Hash]*rebuiltRoom
	unfinal   uint64 // first batch that is not finalized
	final     bool   // all batches so far are
	unchecked int    // bytes written since the last look at the free space
}

// rebuiltRoom is a room's end, and its name where a message disclosed it.
type rebuiltRoom struct {
	proofs.RoomTail
	name proofs.Room
}

// Rebuilt is an entry with its record as proofs.AppendRecord encodes it.
type Rebuilt struct {
	proofs.Accepted // Deadline 0: not known, and no promise is ever signed
	Raw             []byte
}

// OpenRebuild opens or makes the directory. keys are the log's promise keys, the first one from 0, in order of From; the last
// of them is cfg.PromiseKey. The error wraps ErrHoldsLog if the directory holds a log, whole or of another program.
func OpenRebuild(cfg Config, keys []PromiseKey) (*Rebuild, error) {
	if err := checkKeys(cfg.PromiseKey, keys); err != nil {
		return nil, err
	}
	cfg.rebuild = true
	db, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Rebuild{db: db, keys: keys, rooms: map[proofs.Hash]*rebuiltRoom{}, final: true}, nil
}

func checkKeys(newest proofs.Address, keys []PromiseKey) error {
	if len(keys) == 0 || keys[0].From != 0 || keys[len(keys)-1].Address != newest {
		return errors.New("promise keys: want the first from entry 0 on, and the configured one last")
	}
	for i := range keys[1:] {
		if keys[i+1].From <= keys[i].From {
			return fmt.Errorf("promise keys: %s begins at %d, not after the one before it", keys[i+1].Address, keys[i+1].From)
		}
	}
	return nil
}

// Begin drops what an earlier attempt left, and marks the directory: it comes before everything else that is written. If
// we die in between, the directory is an empty one.
func (r *Rebuild) Begin() error {
	if r.db.id.Version != 0 {
		if err := r.db.badger.DropAll(); err != nil {
			return wrap(err, "drop what an earlier attempt left")
		}
	}
	id := identity{Chain: r.db.chain, PromiseKey: r.keys[0].Address, Rotated: r.keys[1:], Rebuilding: true}
	if err := r.db.setIdentity(id); err != nil {
		return wrap(err, "begin the rebuilding")
	}
	r.batch = r.db.badger.NewWriteBatch()
	r.batch.SetMaxPendingTxns(rebuildPending)
	return nil
}

// Tail returns where the log ends so far.
func (r *Rebuild) Tail() proofs.Tail { return r.tail }

// Rooms returns how many rooms there are so far.
func (r *Rebuild) Rooms() int { return len(r.rooms) }

// Add takes the next entries. Each must follow the last one of the log and of its room; that its fields are what its
// leaf and message say is for the caller to check.
func (r *Rebuild) Add(entries []Rebuilt) error {
	packed := make([]byte, 0, maxPacked+4096)
	first := r.tail.Next
	for i := range entries {
		a := &entries[i]
		if err := r.follow(a); err != nil {
			return fmt.Errorf("%w: entry %d: %w", ErrNotNext, a.Entry.Index, err)
		}
		if len(packed) == 0 {
			first = a.Entry.Index
		}
		packed = appendPacked(packed, a)
		if err := r.index(a, first); err != nil {
			return wrap(err, "store entry %d", a.Entry.Index)
		}
		if len(packed) >= maxPacked || i == len(entries)-1 {
			if err := r.set(key('e', first), packed); err != nil {
				return wrap(err, "store entries from %d on", first)
			}
			packed = make([]byte, 0, maxPacked+4096) // the write batch keeps the other
		}
	}
	return nil
}

// follow checks that the entry is the next of the log and of its room, and goes on to it.
func (r *Rebuild) follow(a *Rebuilt) error {
	e := &a.Entry
	room := r.rooms[e.Room]
	if room == nil {
		room = &rebuiltRoom{}
		r.rooms[e.Room] = room
	}
	switch {
	case e.Log != r.db.chain.Log:
		return errors.New("it is of another log")
	case e.Index != r.tail.Next:
		return fmt.Errorf("the next entry is %d", r.tail.Next)
	case e.RoomIndex != room.Count || e.RoomPrev != room.Head:
		return fmt.Errorf("it says that its room had %d entries before it, the last with leaf %s, and the room had %d, the last with leaf %s",
			e.RoomIndex, e.RoomPrev, room.Count, room.Head)
	}
	room.Count, room.Head = room.Count+1, a.Leaf
	if a.Message != nil {
		room.name = a.Message.Room
	}
	r.tail.Next++
	return nil
}

// index stores where a message is found. first is where its e value begins.
func (r *Rebuild) index(a *Rebuilt, first uint64) error {
	if err := r.set(hashKey('i', a.Entry.Message), key(0, a.Entry.Index, first)[1:]); err != nil {
		return err
	}
	if m := a.Message; m != nil && m.Source != "" {
		return r.set(binary.BigEndian.AppendUint64(sourceKey(m.Room, m.Source), a.Entry.Index), append([]byte(nil), a.Entry.Message[:]...))
	}
	return nil
}

// appendPacked is appendAccepted for a record that is encoded.
func appendPacked(b []byte, a *Rebuilt) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(8+32+len(a.Raw)))
	b = binary.BigEndian.AppendUint64(b, a.Deadline)
	b = append(b, a.Leaf[:]...)
	return append(b, a.Raw...)
}

// Seal takes the next batch, over the entries that were added since the last, and its tree.
func (r *Rebuild) Seal(s proofs.Sealed, t proofs.Tree) error {
	if s.Number != r.tail.Batches || s.First != r.tail.Sealed || s.First+s.Size != r.tail.Next {
		return fmt.Errorf("store batch %d from %d, %d entries: the log has %d batches and %d entries, %d of them sealed",
			s.Number, s.First, s.Size, r.tail.Batches, r.tail.Next, r.tail.Sealed)
	}
	err := tiles(s.Number, t, r.set)
	if err == nil {
		err = r.set(key('B', s.First), key(0, s.Number)[1:])
	}
	if err == nil {
		err = setBatch(r.set, s)
	}
	if err != nil {
		return wrap(err, "store batch %d", s.Number)
	}
	r.tail.Sealed, r.tail.Batches = r.tail.Next, s.Number+1
	r.tail.OpenedAt, r.tail.NotBefore = s.OpenedAt, s.NotBefore // of a pool that is empty: as batcher leaves them
	if r.final = r.final && s.State == proofs.StateFinalized; r.final {
		r.unfinal = r.tail.Batches
	}
	return nil
}

// set puts one pair into the write batch, while the disk has room. It keeps both.
func (r *Rebuild) set(k, v []byte) error {
	if r.unchecked += len(k) + len(v); r.unchecked >= rebuildLook {
		if err := errors.Join(r.db.faults.Err(), r.db.room()); err != nil {
			return err
		}
		r.unchecked = 0
	}
	return r.batch.Set(k, v)
}

// Flush writes what is left to stable storage. After it Batches reads from disk, and only Commit may follow.
func (r *Rebuild) Flush() error {
	for tag, room := range r.rooms {
		v := append(key(0, room.Count)[1:], room.Head[:]...)
		if err := r.set(hashKey('r', tag), append(v, room.name...)); err != nil {
			return wrap(err, "store room %s", tag)
		}
	}
	err := r.set(key('t'), encodeTail(r.tail))
	if err == nil {
		err = r.set(key('u'), key(0, r.unfinal, r.tail.Batches)[1:])
	}
	if err == nil {
		err = errors.Join(r.db.room(), r.batch.Flush(), r.db.faults.Err())
	}
	return wrap(err, "store the log")
}

// Batches is DB.Batches.
func (r *Rebuild) Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	return r.db.Batches(ctx, number, limit)
}

// Commit makes the directory one that Open takes. It is on stable storage when it returns nil.
func (r *Rebuild) Commit() error {
	id := r.db.id
	id.Rebuilding = false
	return wrap(r.db.setIdentity(id), "end the rebuilding")
}

// Close closes the directory.
func (r *Rebuild) Close() error {
	if r.batch != nil {
		r.batch.Cancel()
	}
	return r.db.Close()
}
