package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// Tail returns where the log ends.
func (db *DB) Tail(context.Context) (t proofs.Tail, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		b, err := get(tx, key('t'))
		if err == nil {
			err = decodeTail(b, &t)
		} else if errors.Is(err, proofs.ErrNotFound) {
			err = nil // an empty log
		}
		if err != nil {
			return err
		}
		last, err := lastBatch(tx)
		if err == nil {
			t.Batches, t.Sealed = last.Number+1, last.First+last.Size
		} else if errors.Is(err, proofs.ErrNotFound) {
			err = nil // no batch yet
		}
		return err
	})
	return t, wrap(err, "read the tail")
}

func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

func encodeTail(t proofs.Tail) []byte {
	return append(key('t', t.Next, t.OpenedAt)[1:], t.NotBefore[:]...)
}

func decodeTail(b []byte, t *proofs.Tail) error {
	if len(b) != 48 {
		return fmt.Errorf("%w: tail", errDamaged)
	}
	t.Next, t.OpenedAt = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	t.NotBefore = proofs.Hash(b[16:])
	return nil
}

// Room returns where a room ends; the zero RoomTail for a room without entries.
func (db *DB) Room(_ context.Context, tag proofs.Hash) (r proofs.RoomTail, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		b, err := get(tx, hashKey('r', tag))
		if errors.Is(err, proofs.ErrNotFound) {
			return nil
		}
		if err == nil && len(b) < 40 {
			err = fmt.Errorf("%w: room", errDamaged)
		}
		if err == nil {
			r = proofs.RoomTail{Count: binary.BigEndian.Uint64(b), Head: proofs.Hash(b[8:40])}
		}
		return err
	})
	return r, wrap(err, "read room %s", tag)
}

// appendAccepted appends one entry to an e value: length, deadline, leaf, record.
func appendAccepted(b []byte, a *proofs.Accepted) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint64(b, a.Deadline)
	b = append(b, a.Leaf[:]...)
	b = proofs.AppendRecord(b, &a.Record)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}

// nextAccepted splits the first entry off an e value, undecoded: deadline, leaf, record.
func nextAccepted(b []byte) (packed, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, fmt.Errorf("%w: entries", errDamaged)
	}
	n := binary.BigEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) || n < 40 {
		return nil, nil, fmt.Errorf("%w: entries", errDamaged)
	}
	return b[:n], b[n:], nil
}

// decodeAccepted decodes an entry and checks it against its leaf: what is handed out is what was
// promised, or an error.
func decodeAccepted(packed []byte) (a proofs.Accepted, err error) {
	rec, rest, err := proofs.ParseRecord(packed[40:])
	if err != nil || len(rest) != 0 {
		return a, fmt.Errorf("%w: entry: %v", errDamaged, err)
	}
	a = proofs.Accepted{Record: rec, Deadline: binary.BigEndian.Uint64(packed), Leaf: proofs.Hash(packed[8:40])}
	if rec.Entry.Leaf() != a.Leaf {
		return a, fmt.Errorf("%w: entry %d does not hash to its leaf", errDamaged, rec.Entry.Index)
	}
	return a, nil
}

// Append stores entries that follow the tail, all or none, and makes t the tail. It refuses, with an
// error that wraps proofs.ErrRefused, when the disk is all but full.
func (db *DB) Append(_ context.Context, t proofs.Tail, entries []proofs.Accepted) error {
	err := db.update(func(tx *badger.Txn) error {
		if err := setEntries(tx, entries); err != nil {
			return err
		}
		rooms := map[proofs.Hash]*proofs.Accepted{}
		for i := range entries {
			a := &entries[i]
			rooms[a.Entry.Room] = a
			if m := a.Message; m.Source != "" {
				k := binary.BigEndian.AppendUint64(sourceKey(m.Room, m.Source), a.Entry.Index)
				if err := tx.Set(k, a.Entry.Message[:]); err != nil {
					return err
				}
			}
		}
		for tag, a := range rooms {
			v := append(key(0, a.Entry.RoomIndex+1)[1:], a.Leaf[:]...)
			if err := tx.Set(hashKey('r', tag), append(v, a.Message.Room...)); err != nil {
				return err
			}
		}
		return tx.Set(key('t'), encodeTail(t))
	})
	if err == nil {
		db.next.Store(t.Next)
	}
	return wrap(err, "store %d entries", len(entries))
}

// setEntries packs entries into e values and points to them.
func setEntries(tx *badger.Txn, entries []proofs.Accepted) error {
	packed := make([]byte, 0, maxPacked+4096)
	first := entries[0].Entry.Index
	for i := range entries {
		a := &entries[i]
		if len(packed) == 0 {
			first = a.Entry.Index
		}
		packed = appendAccepted(packed, a)
		if err := tx.Set(hashKey('i', a.Entry.Message), key(0, a.Entry.Index, first)[1:]); err != nil {
			return err
		}
		if err := setAttachments(tx, a); err != nil {
			return err
		}
		if len(packed) >= maxPacked || i == len(entries)-1 {
			if err := tx.Set(key('e', first), packed); err != nil {
				return err
			}
			packed = make([]byte, 0, maxPacked+4096) // the transaction keeps the other
		}
	}
	return nil
}

// setAttachments notes which files the message names.
func setAttachments(tx *badger.Txn, a *proofs.Accepted) error {
	if a.Message == nil {
		return nil
	}
	for _, cid := range a.Message.Attachments {
		if err := tx.Set(attachmentKey(cid), key(0, a.Entry.Index)[1:]); err != nil {
			return err
		}
	}
	return nil
}

func attachmentKey(cid string) []byte { return hashKey('a', proofs.Keccak([]byte(cid))) }

// Named reports whether a message of the log names the attachment.
func (db *DB) Named(_ context.Context, cid string) (named bool, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		_, err := tx.Get(attachmentKey(cid))
		if named = err == nil; errors.Is(err, badger.ErrKeyNotFound) {
			return nil
		}
		return err
	})
	return named, wrap(err, "look for messages that name %.100q", cid)
}

func sourceKey(room proofs.Room, source string) []byte {
	return hashKey('s', room.Tag(), proofs.Keccak([]byte(source)))
}

// Find returns the entry of a message id, or an error that wraps proofs.ErrNotFound.
func (db *DB) Find(_ context.Context, id proofs.Hash) (a proofs.Accepted, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		a, err = find(tx, id)
		return err
	})
	return a, wrap(err, "find message %s", id)
}

// Known returns the entries of those message ids that the store holds.
func (db *DB) Known(_ context.Context, ids []proofs.Hash) (map[proofs.Hash]proofs.Accepted, error) {
	known := map[proofs.Hash]proofs.Accepted{}
	err := db.badger.View(func(tx *badger.Txn) error {
		for _, id := range ids {
			a, err := find(tx, id)
			if errors.Is(err, proofs.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			known[id] = a
		}
		return nil
	})
	return known, wrap(err, "find %d messages", len(ids))
}

// find returns the entry of a message id, or an error that wraps proofs.ErrNotFound.
func find(tx *badger.Txn, id proofs.Hash) (a proofs.Accepted, err error) {
	item, err := tx.Get(hashKey('i', id))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return a, proofs.ErrNotFound
	}
	if err != nil {
		return a, err
	}
	b, err := item.ValueCopy(nil)
	if err != nil {
		return a, err
	}
	at, err := numbers(b, 2)
	if err != nil {
		return a, err
	}
	return findAt(tx, at[0], at[1])
}

// findAt returns the entry at index, which stands in the e value that begins at first.
func findAt(tx *badger.Txn, index, first uint64) (a proofs.Accepted, err error) {
	item, err := tx.Get(key('e', first))
	if err != nil {
		return a, fmt.Errorf("%w: entries at %d: %v", errDamaged, first, err)
	}
	err = item.Value(func(b []byte) error {
		for i := first; ; i++ {
			packed, rest, err := nextAccepted(b)
			if err != nil {
				return err
			}
			if i == index {
				a, err = decodeAccepted(packed)
				return err
			}
			b = rest
		}
	})
	return a, err
}

// BySource returns the newest messages of the room that name the source and are of the class, or of
// any class if it is 0: at most limit, in the order of the log; none is no error.
func (db *DB) BySource(_ context.Context, room proofs.Room, source string, class proofs.Vouch, limit int) (found []proofs.Accepted, err error) {
	prefix := sourceKey(room, source)
	err = db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: true})
		defer it.Close()
		for it.Seek(append(prefix[:len(prefix):len(prefix)], 0xff)); it.Valid() && len(found) < limit; it.Next() {
			index := binary.BigEndian.Uint64(it.Item().Key()[len(prefix):])
			first, err := groupOf(tx, index)
			if err != nil {
				return err
			}
			a, err := findAt(tx, index, first)
			if err != nil {
				return err
			}
			if class == 0 || a.Entry.Vouch == class {
				found = append(found, a)
			}
		}
		return nil
	})
	slices.Reverse(found)
	return found, wrap(err, "find source %q", source)
}

// Read returns n entries from index first on, in order.
func (db *DB) Read(ctx context.Context, first, n uint64) ([]proofs.Accepted, error) {
	entries := make([]proofs.Accepted, 0, min(n, 4096))
	err := db.walk(first, n, func(packed []byte) error {
		a, err := decodeAccepted(packed)
		if err == nil && a.Entry.Index != first+uint64(len(entries)) {
			err = fmt.Errorf("%w: entry %d stands at %d", errDamaged, a.Entry.Index, first+uint64(len(entries)))
		}
		entries = append(entries, a)
		return errors.Join(err, ctx.Err())
	})
	return entries, wrap(err, "read entries %d to %d", first, first+n)
}

// Records calls f with the records of n entries from index first on, as proofs.AppendRecord encoded
// them. f must not keep what it is given.
func (db *DB) Records(ctx context.Context, first, n uint64, f func(record []byte) error) error {
	err := db.walk(first, n, func(packed []byte) error { return errors.Join(f(packed[40:]), ctx.Err()) })
	return wrap(err, "read entries %d to %d", first, first+n)
}

// walk calls f with n packed entries from index first on.
func (db *DB) walk(first, n uint64, f func(packed []byte) error) error {
	if n == 0 {
		return nil
	}
	return db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("e"), PrefetchValues: false})
		defer it.Close()
		start, err := groupOf(tx, first)
		if err != nil {
			return err
		}
		at := start
		for it.Seek(key('e', start)); at < first+n; it.Next() {
			if !it.Valid() || binary.BigEndian.Uint64(it.Item().Key()[1:]) != at {
				return fmt.Errorf("%w: entries at %d are missing", errDamaged, at)
			}
			err := it.Item().Value(func(b []byte) error {
				for len(b) > 0 && at < first+n {
					packed, rest, err := nextAccepted(b)
					if err == nil && at >= first {
						err = f(packed)
					}
					if err != nil {
						return err
					}
					b, at = rest, at+1
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// groupOf returns where the e value begins that holds index.
func groupOf(tx *badger.Txn, index uint64) (uint64, error) {
	it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("e"), Reverse: true})
	defer it.Close()
	if it.Seek(key('e', index)); !it.Valid() {
		return 0, fmt.Errorf("entry %d: %w", index, proofs.ErrNotFound)
	}
	return binary.BigEndian.Uint64(it.Item().Key()[1:]), nil
}
