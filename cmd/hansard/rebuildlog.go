package main

import (
	"context"
	"errors"
	"math/big"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
)

// bookLog is the log of a book, as of its last Refresh.
type bookLog struct {
	book  *logbook.Book
	nodes *nodes.Quorum
	trail *logbook.Trail // nil: the nodes show the events
}

var _ recovery.Log = (*bookLog)(nil)

func (l *bookLog) Batch(number uint64) (proofs.Batch, bool) {
	a, ok := l.book.Batch(number)
	return a.Batch, ok
}

// Standing asks the nodes where the batch is anchored and what that cost. What a transaction of its own that reverted
// cost is not known any more.
func (l *bookLog) Standing(ctx context.Context, number uint64) (st proofs.Standing, err error) {
	frozen, tx, err := l.frozen(ctx, number)
	if err != nil {
		return st, chainError(err)
	}
	batch, _ := l.book.Batch(number)
	st = proofs.Standing{State: proofs.StateFinalized, Time: batch.Time, Tx: tx, Anchor: frozen}
	if number >= l.book.Head().Final {
		st.State = proofs.StateIncluded
		st.Anchor = &proofs.Anchor{Block: frozen.Block, TxIndex: frozen.TxIndex, LogIndex: frozen.LogIndex}
	}
	r, err := l.nodes.TxReceipt(ctx, tx)
	if errors.Is(err, nodes.ErrNotFound) && l.trail != nil { // they do not keep what they would find it by
		return st, nil
	}
	if err != nil {
		return st, chainError(err)
	}
	if r.Price != nil {
		wei := new(big.Int).Mul(r.Price, new(big.Int).SetUint64(r.GasUsed))
		if r.L1Fee != nil {
			wei.Add(wei, r.L1Fee)
		}
		st.Spent = []proofs.Spend{{Tx: tx, Time: batch.Time, Gas: r.GasUsed, Wei: wei}}
	}
	return st, nil
}

// frozen returns the anchor of the batch and its transaction.
func (l *bookLog) frozen(ctx context.Context, number uint64) (*proofs.Anchor, proofs.Hash, error) {
	if l.trail != nil {
		if s, err := l.trail.Batches(ctx, number, 1); err == nil && len(s) == 1 {
			return s[0].Anchor, s[0].Tx, nil
		}
	}
	return l.book.FreezeTx(ctx, number)
}

func (l *bookLog) Range(ctx context.Context) (messages uint64, r proofs.Range, err error) {
	at, err := l.nodes.Head(ctx)
	if err != nil {
		return 0, r, chainError(err)
	}
	head, r, err := anchor.ReadRange(ctx, l.nodes, l.book.Log(), at.Hash)
	if err != nil {
		return 0, r, chainError(err)
	}
	return head.Messages, r, nil
}
