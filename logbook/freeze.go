package logbook

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

// Freeze returns the anchor of a batch with header and receipt proof, which proofs.VerifyAnchor accepted. Where the
// event that named the transaction was no true one, others are looked for.
func (b *Book) Freeze(ctx context.Context, number uint64) (*proofs.Anchor, error) {
	a, ok := b.Batch(number)
	if !ok {
		return nil, fmt.Errorf("freeze batch %d: the log has %d: %w", number, b.Head().Batches, proofs.ErrNotFound)
	}
	frozen, why := b.freeze(ctx, a, a.Tx)
	if why == nil || ctx.Err() != nil {
		return frozen, why
	}
	tried := map[proofs.Hash]bool{a.Tx: true}
	from, to := b.cfg.FromBlock, b.Head().Block.Number
	for window := b.cfg.Window; from <= to; {
		low := max(from, to-min(to, window-1))
		logs, err := b.cfg.Nodes.Logs(ctx, low, to, b.cfg.Log.AnchorLog, anchoredEvent, b.cfg.Log.Log, word(number))
		if err != nil {
			if window, err = b.less(ctx, window, err); err != nil {
				return nil, fmt.Errorf("freeze batch %d: %w", number, errors.Join(why, err))
			}
			continue
		}
		for _, l := range logs {
			tx := proofs.Hash(l.TxHash)
			if tried[tx] {
				continue
			}
			tried[tx] = true
			if frozen, err = b.freeze(ctx, a, tx); err == nil || ctx.Err() != nil {
				return frozen, err
			}
		}
		if low <= from {
			break
		}
		to = low - 1
	}
	return nil, fmt.Errorf("freeze batch %d: %w", number, why)
}

// freeze returns the anchor if that transaction anchored the batch.
func (b *Book) freeze(ctx context.Context, want Anchored, tx proofs.Hash) (*proofs.Anchor, error) {
	a, txIndex, err := b.lookUp(ctx, want.Number, tx)
	if err != nil {
		return nil, err
	}
	return anchor.Freeze(ctx, b.cfg.Nodes, b.cfg.Log, want.Batch, a.Block, txIndex)
}

// word returns the number as a topic.
func word(n uint64) (h proofs.Hash) {
	for i := 31; n > 0; i, n = i-1, n>>8 {
		h[i] = byte(n)
	}
	return h
}
