package anchor

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// errReceipts is the answer to receipts that are not those of the block.
var errReceipts = errors.New("the node's receipts do not hash to the header's receipts root")

// errInclusion says that the block holds the batch's event otherwise than it was seen at inclusion.
var errInclusion = errors.New("what was stored at inclusion is not what the block holds")

// freeze returns the batch's anchor with header and receipt proof. It trusts nothing that the node says
// beyond the block's hash: proofs.VerifyAnchor has accepted what it returns.
func (a *Anchorer) freeze(ctx context.Context, s *proofs.Sealed) (*proofs.Anchor, error) {
	hash := common.Hash(s.Anchor.Block.Hash)
	header, err := a.cfg.Client.HeaderByHash(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("read header %s: %w", hash, err)
	}
	raw, err := rlp.EncodeToBytes(header)
	if err != nil {
		return nil, fmt.Errorf("encode header %s: %w", hash, err)
	}
	if proofs.Keccak(raw) != s.Anchor.Block.Hash {
		return nil, fmt.Errorf("read header %s: what the node returned does not hash to it: the node is wrong, or the chain has a fork that needs a newer version of this program", hash)
	}
	txReceipts, err := a.cfg.Client.BlockReceipts(ctx, rpc.BlockNumberOrHashWithHash(hash, false))
	if err != nil {
		return nil, fmt.Errorf("read receipts of block %s: %w", hash, err)
	}
	at := -1
	values := make([][]byte, len(txReceipts))
	for i, r := range txReceipts {
		if r == nil {
			return nil, fmt.Errorf("read receipts of block %s: number %d is missing: %w", hash, i, errReceipts)
		}
		if values[i], err = r.MarshalBinary(); err != nil {
			return nil, fmt.Errorf("encode receipt %d of block %s: %w", i, hash, err)
		}
		if proofs.Hash(r.TxHash) == s.Tx {
			at = i
		}
	}
	if at < 0 {
		return nil, fmt.Errorf("block %s has no receipt of transaction %s: %w", hash, s.Tx, errReceipts)
	}
	root, nodes := proveTx(values, at)
	if root != proofs.Hash(header.ReceiptHash) {
		return nil, fmt.Errorf("prove receipt in block %s: %w", hash, errReceipts)
	}
	logIndex, err := a.match(txReceipts[at], s.Batch)
	if err != nil {
		return nil, err
	}
	frozen := &proofs.Anchor{
		Block: s.Anchor.Block, TxIndex: uint64(at), LogIndex: uint64(logIndex), Header: raw, Proof: nodes,
	}
	if _, err := proofs.VerifyAnchor(frozen, s.Batch, a.cfg.Log); err != nil {
		return nil, fmt.Errorf("%w: %w", errInclusion, err)
	}
	return frozen, nil
}
