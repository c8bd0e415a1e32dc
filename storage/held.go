package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// holder is what is stored of a place that keeps copies of batches.
type holder struct {
	first uint64 // the number of the first batch that it may not hold; an old value is harmless
	count uint64 // batches that it holds
	name  string
}

func heldKey(target proofs.Hash, number uint64) []byte {
	return binary.BigEndian.AppendUint64(hashKey('h', target), number)
}

func holderOf(tx *badger.Txn, target string) (h holder, err error) {
	b, err := get(tx, hashKey('H', proofs.Keccak([]byte(target))))
	if errors.Is(err, proofs.ErrNotFound) {
		return holder{name: target}, nil
	}
	if err != nil {
		return h, err
	}
	return parseHolder(b)
}

func parseHolder(b []byte) (h holder, err error) {
	if len(b) < 16 {
		return h, fmt.Errorf("%w: a holder has %d bytes", errDamaged, len(b))
	}
	n, err := numbers(b[:16], 2)
	if err != nil {
		return h, err
	}
	return holder{n[0], n[1], string(b[16:])}, nil
}

func setHolder(tx *badger.Txn, h holder) error {
	return tx.Set(hashKey('H', proofs.Keccak([]byte(h.name))), append(key(0, h.first, h.count)[1:], h.name...))
}

// isHeld reports whether the target holds the batch.
func isHeld(tx *badger.Txn, target proofs.Hash, number uint64) (bool, error) {
	_, err := tx.Get(heldKey(target, number))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// SetHeld records durably that the target holds a copy of the batch, or that it does not. A target is
// whatever name the caller gives it. The batch must be pinned.
func (db *DB) SetHeld(_ context.Context, target string, number uint64, held bool) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	err := db.update(func(tx *badger.Txn) error {
		s, err := getBatch(tx, number)
		if err != nil {
			return err
		}
		if s.CID.IsZero() {
			return errors.New("it is not pinned")
		}
		h, err := holderOf(tx, target)
		if err != nil {
			return err
		}
		id := proofs.Keccak([]byte(target))
		was, err := isHeld(tx, id, number)
		if err != nil || was == held {
			return err
		}
		if !held {
			h.first, h.count = min(h.first, number), h.count-1
			return errors.Join(tx.Delete(heldKey(id, number)), setHolder(tx, h))
		}
		if err := tx.Set(heldKey(id, number), nil); err != nil {
			return err
		}
		for h.count++; ; h.first++ {
			if is, err := isHeld(tx, id, h.first); err != nil {
				return err
			} else if !is {
				return setHolder(tx, h)
			}
		}
	})
	return wrap(err, "record who holds batch %d", number)
}

// Unheld returns at most limit pinned batches from number on of which the target is not known to hold a copy, in order.
func (db *DB) Unheld(ctx context.Context, target string, number uint64, limit int) (out []proofs.Sealed, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		h, err := holderOf(tx, target)
		if err != nil {
			return err
		}
		id := proofs.Keccak([]byte(target))
		for number = max(number, h.first); len(out) < limit && ctx.Err() == nil; number++ {
			held, err := isHeld(tx, id, number)
			if err != nil {
				return err
			}
			if held {
				continue
			}
			s, err := getBatch(tx, number)
			if errors.Is(err, proofs.ErrNotFound) || err == nil && s.CID.IsZero() { // batches are pinned in order
				return nil
			}
			if err != nil {
				return err
			}
			out = append(out, s)
		}
		return ctx.Err()
	})
	return out, wrap(err, "list batches that %s does not hold", target)
}

// Held returns how many batches are pinned, and how many of them the target holds.
func (db *DB) Held(_ context.Context, target string) (pinned, held uint64, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		h, err := holderOf(tx, target)
		if err != nil {
			return err
		}
		held = h.count
		if _, pinned, err = cursors(tx); err != nil {
			return err
		}
		for ; ; pinned++ {
			s, err := getBatch(tx, pinned)
			if errors.Is(err, proofs.ErrNotFound) || err == nil && s.CID.IsZero() {
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	return pinned, held, wrap(err, "count the batches that %s holds", target)
}

// Holders returns the targets that hold a copy of the batch, in no order. Those that nobody asks any more are among them.
func (db *DB) Holders(_ context.Context, number uint64) (targets []string, err error) {
	err = db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: []byte("H")})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			b, err := it.Item().ValueCopy(nil)
			if err != nil {
				return err
			}
			h, err := parseHolder(b)
			if err != nil {
				return err
			}
			held, err := isHeld(tx, proofs.Keccak([]byte(h.name)), number)
			if err != nil {
				return err
			}
			if held {
				targets = append(targets, h.name)
			}
		}
		return nil
	})
	return targets, wrap(err, "list who holds batch %d", number)
}
