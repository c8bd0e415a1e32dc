package logbook

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

// Freeze returns the anchor of a batch with header and receipt proof, which proofs.VerifyAnchor accepted. Where the
// event that named the transaction was no true one, others are looked for.
func (b *Book) Freeze(ctx context.Context, number uint64) (*proofs.Anchor, error) {
	frozen, _, err := b.FreezeTx(ctx, number)
	return frozen, err
}

// FreezeTx is Freeze, and returns the transaction, too, as enough nodes say: no proof covers its hash.
func (b *Book) FreezeTx(ctx context.Context, number uint64) (frozen *proofs.Anchor, tx proofs.Hash, err error) {
	a, ok := b.Batch(number)
	if !ok {
		return nil, tx, fmt.Errorf("freeze batch %d: the log has %d: %w", number, b.Head().Batches, proofs.ErrNotFound)
	}
	frozen, why := b.freeze(ctx, a, a.Tx)
	if why == nil || ctx.Err() != nil {
		return frozen, a.Tx, why
	}
	tried := map[proofs.Hash]bool{a.Tx: true}
	err = b.Walk(ctx, b.cfg.FromBlock, b.cfg.Log.AnchorLog, func(l types.Log) (bool, error) {
		tx = proofs.Hash(l.TxHash)
		if tried[tx] {
			return false, nil
		}
		tried[tx] = true
		var err error
		frozen, err = b.freeze(ctx, a, tx)
		return err == nil, ctx.Err()
	}, anchoredEvent, b.cfg.Log.Log, word(number))
	if frozen != nil {
		return frozen, tx, nil
	}
	return nil, tx, fmt.Errorf("freeze batch %d: %w", number, errors.Join(why, err))
}

// freeze returns the anchor if that transaction anchored the batch.
func (b *Book) freeze(ctx context.Context, want Anchored, tx proofs.Hash) (*proofs.Anchor, error) {
	a, txIndex, err := b.lookUp(ctx, want.Number, tx)
	if err != nil {
		return nil, err
	}
	return anchor.Freeze(ctx, b.cfg.Nodes, b.cfg.Log, want.Batch, a.Block, txIndex)
}

// Walk calls take for the logs of a contract in blocks from from to Head, those of newer windows of blocks first, until
// it returns true or an error. They are leads, as those of nodes.Logs.
func (b *Book) Walk(ctx context.Context, from uint64, of proofs.Address, take func(types.Log) (bool, error), topics ...proofs.Hash) error {
	window, to := b.cfg.Window, b.Head().Block.Number
	for from <= to {
		low := max(from, to-min(to, window-1))
		logs, err := b.cfg.Nodes.Logs(ctx, low, to, of, topics...)
		if err != nil {
			if window, err = b.less(ctx, window, err); err != nil {
				return err
			}
			continue
		}
		for _, l := range logs {
			if done, err := take(l); done || err != nil {
				return err
			}
		}
		if low == from {
			break
		}
		to, window = low-1, min(window+window/8, b.cfg.Window)
	}
	return nil
}

// word returns the number as a topic.
func word(n uint64) (h proofs.Hash) {
	for i := 31; n > 0; i, n = i-1, n>>8 {
		h[i] = byte(n)
	}
	return h
}
