package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// Check reads the CAR file under root to its end, hashes every block, and returns nil if it holds root and all that root
// links to which has no file of its own, the index finds the blocks where they are, and root is pinned. The error wraps
// ErrNotFound or ErrCorrupt, and keeping the same blocks again mends it.
func (n *Node) Check(ctx context.Context, root proofs.Hash) error {
	if err := n.checkCAR(ctx, root); err != nil {
		return fmt.Errorf("check %s: %w", n.cars.path(cidOf(root)), err)
	}
	return nil
}

func (n *Node) checkCAR(ctx context.Context, root proofs.Hash) error {
	found, err := scan(n.cars.path(cidOf(root)), cidOf(root))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the file is gone: %w", ErrNotFound)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	block, err := n.get(ctx, cidOf(root))
	if err != nil {
		return err
	}
	linked, err := links(block)
	if err != nil {
		return err
	}
	for _, l := range linked {
		digest, _ := sha256Of(l.Cid)
		if _, here := found[digest]; here {
			continue
		}
		if held, err := n.pinned(ctx, l.Cid); err != nil {
			return err
		} else if !held {
			return fmt.Errorf("the file is cut short, it does not hold %s: %w", l.Cid, ErrNotFound)
		}
	}
	if err := n.indexed(found); err != nil {
		return err
	}
	if held, err := n.pinned(ctx, cidOf(root)); err != nil || held {
		return err
	}
	return fmt.Errorf("its pin is gone: %w", ErrNotFound)
}

// indexed says which block of a file the index does not find there.
func (n *Node) indexed(found map[proofs.Hash]where) error {
	return n.db.View(func(txn *badger.Txn) error {
		for digest, w := range found {
			item, err := txn.Get(w.key(digest))
			if errors.Is(err, badger.ErrKeyNotFound) {
				return fmt.Errorf("the index lacks block %s: %w", cidOf(digest), ErrNotFound)
			}
			if err != nil {
				return err
			}
			err = item.Value(func(value []byte) error {
				at, err := parseWhere(item.Key(), value)
				if err == nil && at != w {
					err = fmt.Errorf("the index has another place for block %s: %w", cidOf(digest), ErrCorrupt)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
