package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// Seal stores the batch and its tree. If we die before it returns, the batch is there with all of its
// tree or not at all.
func (db *DB) Seal(_ context.Context, s proofs.Sealed, t proofs.Tree) error {
	if err := db.room(); err != nil {
		return wrap(err, "store batch %d", s.Number)
	}
	if err := db.writeTiles(s.Number, t); err != nil {
		return wrap(err, "store the tree of batch %d", s.Number)
	}
	err := db.update(func(tx *badger.Txn) error {
		last, err := lastBatch(tx)
		switch {
		case errors.Is(err, proofs.ErrNotFound):
			if s.Number != 0 || s.First != 0 {
				return fmt.Errorf("the first batch cannot be number %d from %d", s.Number, s.First)
			}
		case err != nil:
			return err
		case s.Number != last.Number+1 || s.First != last.First+last.Size:
			return fmt.Errorf("batch %d from %d does not follow batch %d", s.Number, s.First, last.Number)
		}
		if err := tx.Set(key('B', s.First), key(0, s.Number)[1:]); err != nil {
			return err
		}
		return setBatch(tx.Set, s)
	})
	return wrap(err, "store batch %d", s.Number)
}

func setBatch(set func(key, value []byte) error, s proofs.Sealed) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return set(key('b', s.Number), b)
}

func getBatch(tx *badger.Txn, number uint64) (s proofs.Sealed, err error) {
	b, err := get(tx, key('b', number))
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

// lastBatch returns the newest batch, or an error that wraps proofs.ErrNotFound.
func lastBatch(tx *badger.Txn) (s proofs.Sealed, err error) {
	it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("b"), Reverse: true})
	defer it.Close()
	if it.Seek([]byte("b\xff")); !it.Valid() {
		return s, fmt.Errorf("last batch: %w", proofs.ErrNotFound)
	}
	b, err := it.Item().ValueCopy(nil)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

// Batch returns the batch, or an error that wraps proofs.ErrNotFound.
func (db *DB) Batch(_ context.Context, number uint64) (s proofs.Sealed, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		s, err = getBatch(tx, number)
		return err
	})
	return s, wrap(err, "read batch %d", number)
}

// BatchOf returns the batch that holds the index, or an error that wraps proofs.ErrNotFound while
// the entry is in the pool.
func (db *DB) BatchOf(ctx context.Context, index uint64) (s proofs.Sealed, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("B"), Reverse: true})
		defer it.Close()
		if it.Seek(key('B', index)); !it.Valid() {
			return proofs.ErrNotFound
		}
		b, err := it.Item().ValueCopy(nil)
		if err != nil {
			return err
		}
		at, err := numbers(b, 1)
		if err != nil {
			return err
		}
		if s, err = getBatch(tx, at[0]); err == nil && !s.Contains(index) {
			err = proofs.ErrNotFound
		}
		return err
	})
	return s, wrap(err, "find the batch of entry %d", index)
}

// Batches returns at most limit batches from number on, in order.
func (db *DB) Batches(_ context.Context, number uint64, limit int) (batches []proofs.Sealed, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		for ; len(batches) < limit; number++ {
			s, err := getBatch(tx, number)
			if errors.Is(err, proofs.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			batches = append(batches, s)
		}
		return nil
	})
	return batches, wrap(err, "list batches")
}

// cursors are the numbers of the first batch that is not finalized and of the first without CID.
// They only save looking at batches that are done; an old value is harmless.
func cursors(tx *badger.Txn) (unfinal, unpinned uint64, err error) {
	b, err := get(tx, key('u'))
	if errors.Is(err, proofs.ErrNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	n, err := numbers(b, 2)
	if err != nil {
		return 0, 0, err
	}
	return n[0], n[1], nil
}

// Unfinal returns at most limit batches that are pinned and not finalized, in order.
func (db *DB) Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error) {
	return db.undone(ctx, limit, func(s proofs.Sealed) (take, stop bool) {
		return s.State < proofs.StateFinalized, s.CID.IsZero()
	}, func(unfinal, _ uint64) uint64 { return unfinal })
}

// Unpinned returns at most limit batches without CID, in order.
func (db *DB) Unpinned(ctx context.Context, limit int) ([]proofs.Sealed, error) {
	return db.undone(ctx, limit, func(s proofs.Sealed) (take, stop bool) {
		return s.CID.IsZero(), false
	}, func(_, unpinned uint64) uint64 { return unpinned })
}

func (db *DB) undone(ctx context.Context, limit int, want func(proofs.Sealed) (take, stop bool),
	from func(unfinal, unpinned uint64) uint64) (out []proofs.Sealed, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		unfinal, unpinned, err := cursors(tx)
		if err != nil {
			return err
		}
		for number := from(unfinal, unpinned); len(out) < limit; number++ {
			s, err := getBatch(tx, number)
			if errors.Is(err, proofs.ErrNotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			take, stop := want(s)
			if stop {
				return nil
			}
			if take {
				out = append(out, s)
			}
		}
		return ctx.Err()
	})
	return out, wrap(err, "list batches to do")
}

// change reads a batch, lets f change it and stores it again, durably.
func (db *DB) change(number uint64, f func(*proofs.Sealed) error) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.update(func(tx *badger.Txn) error {
		s, err := getBatch(tx, number)
		if err != nil {
			return err
		}
		if err := f(&s); err != nil {
			return err
		}
		if err := setBatch(tx.Set, s); err != nil {
			return err
		}
		return advance(tx, s)
	})
}

// advance moves a cursor that stands at s past all that is done now.
func advance(tx *badger.Txn, s proofs.Sealed) error {
	unfinal, unpinned, err := cursors(tx)
	if err != nil {
		return err
	}
	was := [2]uint64{unfinal, unpinned}
	past := func(number uint64, done func(proofs.Sealed) bool) (uint64, error) {
		if s.Number != number {
			return number, nil
		}
		for {
			next, err := getBatch(tx, number)
			if errors.Is(err, proofs.ErrNotFound) || err == nil && !done(next) {
				return number, nil
			}
			if err != nil {
				return number, err
			}
			number++ // a later one may have been done before this one
		}
	}
	if unfinal, err = past(unfinal, func(s proofs.Sealed) bool { return s.State == proofs.StateFinalized }); err != nil {
		return err
	}
	if unpinned, err = past(unpinned, func(s proofs.Sealed) bool { return !s.CID.IsZero() }); err != nil {
		return err
	}
	if was == [2]uint64{unfinal, unpinned} {
		return nil
	}
	return tx.Set(key('u'), key(0, unfinal, unpinned)[1:])
}

// SetCID records under which CID the batch's payload is pinned. It is refused once a transaction
// with another was signed.
func (db *DB) SetCID(_ context.Context, number uint64, digest proofs.Hash) error {
	err := db.change(number, func(s *proofs.Sealed) error {
		if !s.CID.IsZero() && s.CID != digest {
			return fmt.Errorf("it is pinned under %s", proofs.FormatCID(s.CID))
		}
		s.CID = digest
		return nil
	})
	return wrap(err, "set the CID of batch %d", number)
}

// SaveTx stores a signed transaction before it is sent, and moves the batch to submitted. It is refused once
// the batch is included.
func (db *DB) SaveTx(_ context.Context, number uint64, raw []byte) error {
	err := db.change(number, func(s *proofs.Sealed) error {
		if s.State >= proofs.StateIncluded {
			return fmt.Errorf("it is %s", s.State)
		}
		s.Txs = append(s.Txs, raw)
		s.State = proofs.StateSubmitted
		return nil
	})
	return wrap(err, "store a transaction of batch %d", number)
}

// SetAnchor records where the batch stands on the chain: included, safe or finalized, in a block of
// that time by the transaction tx. With submitted and no anchor it moves the batch back after a reorg, or
// changes what was spent. A finalized batch is never changed.
func (db *DB) SetAnchor(_ context.Context, number uint64, st proofs.Standing) error {
	err := db.change(number, func(s *proofs.Sealed) error {
		switch {
		case s.State == proofs.StateFinalized:
			return errors.New("it is final")
		case (st.State >= proofs.StateIncluded) != (st.Anchor != nil) || st.State < proofs.StateSubmitted:
			return fmt.Errorf("state %s does not fit its anchor", st.State)
		}
		s.Stand(st)
		return nil
	})
	return wrap(err, "set the anchor of batch %d", number)
}

// Recent returns what transactions of finalized batches cost in blocks of that time or later, in seconds
// since 1970 UTC, newest batch first.
func (db *DB) Recent(ctx context.Context, since uint64) (spent []proofs.Spend, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("b"), Reverse: true})
		defer it.Close()
		for it.Seek([]byte("b\xff")); it.Valid() && ctx.Err() == nil; it.Next() {
			var s proofs.Sealed
			b, err := it.Item().ValueCopy(nil)
			if err == nil {
				err = json.Unmarshal(b, &s)
			}
			if err != nil {
				return err
			}
			if s.State != proofs.StateFinalized {
				continue
			}
			if s.Time < since { // so are all before it
				return nil
			}
			for _, sp := range s.Spent {
				if sp.Time >= since {
					spent = append(spent, sp)
				}
			}
		}
		return ctx.Err()
	})
	return spent, wrap(err, "list what was spent")
}
