package payload

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrForged says that a batch was anchored with a payload that does not fit it: the blocks are those that
// the chain commits to, and what they hold are not the leaves under the batch's root. Whoever anchored the
// batch did that.
var ErrForged = errors.New("the payload that was anchored does not hold the batch")

// Blocks is where blocks are read from, such as gateways or a node.
type Blocks interface {
	// Block returns the dag-cbor block with that SHA-256 digest. An error that wraps proofs.ErrNotFound says
	// that nobody has it.
	Block(ctx context.Context, digest proofs.Hash) ([]byte, error)
}

// ReadLeaves returns the leaf hashes of an anchored batch, by way of its manifest and its chunks. Nothing is
// believed: the blocks are hashed again, and the leaves are as many as the batch says and give its root.
// Only that counts, because only that can be shown to the contract; what the manifest says of the batch
// beside its chunks is not looked at.
//
// The error wraps proofs.ErrNotFound if a block is not to be had, and ErrForged if the blocks are there and
// do not give the leaves. One chunk is in memory at a time, beside 64 bytes a leaf.
func ReadLeaves(ctx context.Context, blocks Blocks, b proofs.Batch) ([]proofs.Hash, error) {
	leaves, err := readLeaves(ctx, blocks, b)
	if err != nil {
		return nil, fmt.Errorf("read the leaves of batch %d: %w", b.Number, err)
	}
	return leaves, nil
}

func readLeaves(ctx context.Context, blocks Blocks, b proofs.Batch) ([]proofs.Hash, error) {
	block, err := readBlock(ctx, blocks, b.CID)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m, err := proofs.ParseManifest(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	var leaves []proofs.Hash
	for i, digest := range m.Chunks {
		if leaves, err = appendChunk(ctx, blocks, digest, leaves); err != nil {
			return nil, fmt.Errorf("chunk %d of %d: %w", i, len(m.Chunks), err)
		}
		if uint64(len(leaves)) > b.Size {
			break
		}
	}
	if uint64(len(leaves)) != b.Size {
		return nil, fmt.Errorf("%w: it has %d entries or more, the batch has %d", ErrForged, len(leaves), b.Size)
	}
	if root, err := proofs.Root(leaves); err != nil || root != b.Root {
		return nil, fmt.Errorf("%w: its leaves do not give the root %s", ErrForged, b.Root)
	}
	return leaves, nil
}

// appendChunk appends the leaf hashes of a chunk. A chunk without records is none: a manifest could list it
// without end.
func appendChunk(ctx context.Context, blocks Blocks, digest proofs.Hash, leaves []proofs.Hash) ([]proofs.Hash, error) {
	block, err := readBlock(ctx, blocks, digest)
	if err != nil {
		return nil, err
	}
	records, err := proofs.ParseChunk(block)
	if err == nil && len(records) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	for i := range records {
		leaves = append(leaves, records[i].Entry.Leaf())
	}
	return leaves, nil
}

// readBlock reads a block and hashes it. Other bytes are the fault of whoever gave them.
func readBlock(ctx context.Context, blocks Blocks, digest proofs.Hash) ([]byte, error) {
	b, err := blocks.Block(ctx, digest)
	if err == nil && proofs.BlockDigest(b) != digest {
		err = fmt.Errorf("block %s: its source gave other bytes", proofs.FormatCID(digest))
	}
	return b, err
}
