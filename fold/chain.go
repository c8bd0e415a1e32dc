package fold

import (
	"context"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var contract = bindings.NewAnchorLog()

var _ Chain = (*Nodes)(nil)

// Nodes reads a log by way of several nodes of its chain.
type Nodes struct {
	Quorum        *nodes.Quorum
	Log           proofs.Place
	Confirmations uint64 // blocks on top that make a block final; zero: the chain's finalized tag
}

// FinalHead returns what the log holds at the newest block that is final.
func (n *Nodes) FinalHead(ctx context.Context) (h proofs.Head, err error) {
	b, err := n.final(ctx)
	if err != nil || b == nil {
		return h, err
	}
	return n.head(ctx, b)
}

// NewestHead returns what the log holds at the newest block that enough nodes agree on.
func (n *Nodes) NewestHead(ctx context.Context) (h proofs.Head, err error) {
	b, err := n.Quorum.Head(ctx)
	if err != nil {
		return h, err
	}
	return n.head(ctx, b)
}

func (n *Nodes) head(ctx context.Context, block *nodes.Block) (h proofs.Head, err error) {
	h.Place, h.Block = n.Log, proofs.BlockRef{Number: block.Number, Hash: block.Hash}
	out, err := n.Quorum.Call(ctx, block.Hash, n.Log.AnchorLog, contract.PackHeads(n.Log.Log))
	if err != nil {
		return h, fmt.Errorf("read head of the log: %w", err)
	}
	head, err := contract.UnpackHeads(out)
	if err != nil {
		return h, fmt.Errorf("read head of the log: no AnchorLog contract at %s: %w", n.Log.AnchorLog, err)
	}
	h.Batches, h.Messages = uint64(head.Batches), head.Messages
	for height := bits.Len64(h.Batches) - 1; height >= 0; height-- {
		if h.Batches>>height&1 == 0 {
			continue
		}
		out, err := n.Quorum.Call(ctx, block.Hash, n.Log.AnchorLog, contract.PackPeak(n.Log.Log, big.NewInt(int64(height))))
		if err != nil {
			return h, fmt.Errorf("read peak %d of the log: %w", height, err)
		}
		peak, err := contract.UnpackPeak(out)
		if err != nil {
			return h, fmt.Errorf("read peak %d of the log: %w", height, err)
		}
		h.Peaks = append(h.Peaks, peak)
	}
	return h, nil
}

// final returns the newest final block, by the tag or by the blocks on top of it, and nil if there is none.
func (n *Nodes) final(ctx context.Context) (*nodes.Block, error) {
	if n.Confirmations == 0 {
		return n.Quorum.Tagged(ctx, "finalized")
	}
	head, err := n.Quorum.Head(ctx)
	if err != nil || head.Number < n.Confirmations {
		return nil, err
	}
	return n.Quorum.BlockAt(ctx, head.Number-n.Confirmations)
}

// Final reports whether the block is final.
func (n *Nodes) Final(ctx context.Context, b proofs.BlockRef) (bool, error) {
	final, err := n.final(ctx)
	if err != nil || final == nil || b.Number > final.Number {
		return false, err
	}
	there, err := n.Quorum.BlockAt(ctx, b.Number)
	if err != nil {
		return false, err
	}
	if there.Hash != b.Hash {
		return false, fmt.Errorf("block %d has the hash %s, not %s: %w", b.Number, there.Hash, b.Hash, proofs.ErrNotFound)
	}
	return true, nil
}
