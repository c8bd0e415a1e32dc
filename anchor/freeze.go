package anchor

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// errReceipts is the answer to receipts that are not those of the block.
var errReceipts = errors.New("the node's receipts do not hash to the header's receipts root")

// errInclusion says that the block holds the batch's event otherwise than it was seen at inclusion.
var errInclusion = errors.New("what was stored at inclusion is not what the block holds")

// freeze returns the batch's anchor with header and receipt proof.
func (a *Anchorer) freeze(ctx context.Context, s *proofs.Sealed) (*proofs.Anchor, error) {
	return Freeze(ctx, a.cfg.Nodes, a.cfg.Log, s.Batch, s.Anchor.Block, s.Anchor.TxIndex)
}

// Freeze returns the anchor of a batch that the transaction at txIndex of block at anchored, with header and
// receipt proof. It trusts nothing that the nodes say beyond the block's hash: proofs.VerifyAnchor has accepted
// what it returns.
func Freeze(ctx context.Context, q *nodes.Quorum, log proofs.Chain, b proofs.Batch, at proofs.BlockRef, txIndex uint64) (*proofs.Anchor, error) {
	raw, err := q.Header(ctx, at.Hash)
	if err != nil {
		return nil, err
	}
	header, err := proofs.ParseHeader(raw)
	if err != nil {
		return nil, fmt.Errorf("read header %s: %w", at.Hash, err)
	}
	var proof [][]byte
	all, err := q.BlockReceipts(ctx, at.Hash, func(all []*nodes.TxReceipt) (err error) {
		proof, err = prove(all, txIndex, header.ReceiptsRoot)
		return err
	})
	if err != nil {
		return nil, err
	}
	if txIndex >= uint64(len(all)) {
		return nil, fmt.Errorf("%w: block %s has %d transactions", errInclusion, at.Hash, len(all))
	}
	logIndex, err := match(all[txIndex], log, b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInclusion, err)
	}
	frozen := &proofs.Anchor{Block: at, TxIndex: txIndex, LogIndex: uint64(logIndex), Header: raw, Proof: proof}
	if _, err := proofs.VerifyAnchor(frozen, b, log); err != nil {
		return nil, fmt.Errorf("%w: %w", errInclusion, err)
	}
	return frozen, nil
}

// Receipts returns the receipts of a block that has transactions: they hash to its header's receipts root.
func Receipts(ctx context.Context, q *nodes.Quorum, block proofs.Hash) ([]*nodes.TxReceipt, error) {
	raw, err := q.Header(ctx, block)
	if err != nil {
		return nil, err
	}
	header, err := proofs.ParseHeader(raw)
	if err != nil {
		return nil, fmt.Errorf("read header %s: %w", block, err)
	}
	return q.BlockReceipts(ctx, block, func(all []*nodes.TxReceipt) error {
		_, err := prove(all, 0, header.ReceiptsRoot)
		return err
	})
}

// prove returns the proof of the receipt at that index, nil if there is none, if the receipts of the
// block hash to the root. Nothing commits to the transaction hashes beside them, which are not looked at.
func prove(all []*nodes.TxReceipt, at uint64, root proofs.Hash) (proof [][]byte, err error) {
	if len(all) == 0 {
		return nil, errReceipts
	}
	values := make([][]byte, len(all))
	for i, r := range all {
		if values[i], err = r.Encode(); err != nil {
			return nil, err
		}
	}
	computed, proof := proveTx(values, int(min(at, uint64(len(all)-1))))
	if computed != root {
		return nil, errReceipts
	}
	return proof, nil
}
