package fold

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/proofs"
)

// Attach returns the receipt with a fold: that of the oldest head which holds its batch and is final
// on the other chain. It names the earliest time, and the receipt stays the same from then on. The error
// wraps proofs.ErrNotFound while there is none. The receipt given stays as it is.
func (f *Folder) Attach(ctx context.Context, rc *proofs.Receipt) (*proofs.Receipt, error) {
	if rc.Level != proofs.Finalized {
		return nil, fmt.Errorf("attach a fold: the receipt is only %s", rc.Level)
	}
	if rc.Chain.Place() != f.cfg.Log {
		return nil, fmt.Errorf("attach a fold: the receipt is of log %s on chain %d, not the folded one", rc.Chain.Log, rc.Chain.ChainID)
	}
	fold, err := f.find(ctx, rc.Batch.Number)
	if err != nil {
		return nil, fmt.Errorf("attach a fold to batch %d: %w", rc.Batch.Number, err)
	}
	out := *rc
	out.Fold = fold
	read, err := proofs.ParseReceipt(out.Format())
	if err == nil {
		_, err = proofs.VerifyFold(read.Fold, *read.Batch, read.Anchor.Block)
	}
	if err != nil {
		return nil, fmt.Errorf("attach a fold to batch %d: %w", rc.Batch.Number, err)
	}
	return &out, nil
}

// find returns the oldest fold of the batch.
func (f *Folder) find(ctx context.Context, number uint64) (*proofs.Fold, error) {
	if err := f.load(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, h := range f.heads {
		if h == nil || h.Batches <= number || h.Batches > f.tree.Count() {
			continue
		}
		s, err := one(ctx, f.cfg.Store, uint64(n))
		if err != nil {
			return nil, err
		}
		if s.State < proofs.StateFinalized {
			break // nor is a later one
		}
		return &proofs.Fold{
			Place: f.cfg.Into, Head: *h, Path: f.tree.Prove(number, h.Batches), Batch: s.Batch, Anchor: *s.Anchor,
		}, nil
	}
	return nil, proofs.ErrNotFound
}

// load takes up what is new in the two stores: final batches of the folded log, and sealed heads.
// Neither ever changes.
func (f *Folder) load(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := each(ctx, f.cfg.Batches, f.tree.Count(), func(s *proofs.Sealed) (bool, error) {
		if s.State < proofs.StateFinalized {
			return false, nil
		}
		f.tree.Append(s.Hash())
		return true, nil
	})
	if err != nil {
		return err
	}
	return each(ctx, f.cfg.Store, uint64(len(f.heads)), func(s *proofs.Sealed) (bool, error) {
		h, err := f.head(ctx, s)
		if err == nil {
			f.heads = append(f.heads, h)
		}
		return true, err
	})
}

// each calls take for the batches from number on until it returns false.
func each(ctx context.Context, b Batches, number uint64, take func(*proofs.Sealed) (bool, error)) error {
	for {
		found, err := b.Batches(ctx, number, page)
		if err != nil {
			return err
		}
		for i := range found {
			if found[i].Number != number {
				return fmt.Errorf("read batch %d: the store has %d there", number, found[i].Number)
			}
			more, err := take(&found[i])
			if err != nil || !more {
				return err
			}
			number++
		}
		if len(found) < page {
			return nil
		}
	}
}

// head returns the head that a batch anchors, and nil if the node has lost it: its receipts then go
// without, or with a later one.
func (f *Folder) head(ctx context.Context, s *proofs.Sealed) (*proofs.Head, error) {
	block, err := f.cfg.Node.Get(ctx, s.CID)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		f.cfg.Logger.Warn("a head is lost", "batch", s.Number, "cid", proofs.FormatCID(s.CID), "err", err)
		return nil, nil
	}
	h, err := proofs.ParseHead(block)
	if err == nil && (h.Leaf() != s.Root || h.Place != f.cfg.Log) {
		err = errors.New("it does not anchor a head of the folded log")
	}
	if err != nil {
		return nil, fmt.Errorf("batch %d of the log of heads: %w", s.Number, err)
	}
	return h, nil
}
