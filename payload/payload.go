// Package payload puts sealed batches on IPFS: the manifest and chunks of docs/receipt-v1.md,
// section 7, pinned under the manifest's CID. A batch is anchored only after that, because the chain
// commits to the CID.
//
// The blocks are a function of the batch and of what the store holds of it. If the process dies
// anywhere in between, the same blocks are made and pinned again; only then is the CID stored.
package payload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Store is where batches come from.
type Store interface {
	// Unpinned returns at most limit batches without CID, in order.
	Unpinned(ctx context.Context, limit int) ([]proofs.Sealed, error)
	// Batch returns a batch.
	Batch(ctx context.Context, number uint64) (proofs.Sealed, error)
	// Records calls f with n encoded records from index first on; f does not keep what it is given.
	Records(ctx context.Context, first, n uint64, f func(record []byte) error) error
	// SetCID records durably under which CID the batch is pinned.
	SetCID(ctx context.Context, number uint64, digest proofs.Hash) error
}

// Node is an IPFS node.
type Node interface {
	// Keep stores the dag-cbor blocks that write, which it may call again, puts, the last of them under root, and pins root with all below
	// it, durably when it returns nil. Keeping the same again changes nothing. An error that wraps proofs.ErrNotFound
	// says that a block below root is not here, or not whole.
	Keep(ctx context.Context, name string, write func(put func(block []byte) error) (root proofs.Hash, err error)) error
}

// Config is what a Pinner needs. All fields are required.
type Config struct {
	Log    proofs.Hash
	Store  Store
	Node   Node
	Pinned func() // called after each batch
	Logger *slog.Logger
}

// Pinner pins the batches of one log, in order.
type Pinner struct {
	cfg  Config
	wake chan struct{}
}

// New returns a Pinner. It starts nothing.
func New(cfg Config) *Pinner { return &Pinner{cfg, make(chan struct{}, 1)} }

// Wake tells Run that there is a new batch. It does not wait.
func (p *Pinner) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// retry is how soon a batch is tried again after the disk was full.
const retry = time.Second

// Run pins batches until ctx ends or the node or the store fails. A full disk is waited out: the
// batch is safe, it is only not anchored yet.
func (p *Pinner) Run(ctx context.Context) error {
	var again <-chan time.Time
	for {
		err := p.Step(ctx)
		switch {
		case err == nil:
			again = nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.ENOSPC):
			if again == nil {
				p.cfg.Logger.WarnContext(ctx, "batch waits to be pinned", "err", err)
			}
			again = time.After(retry)
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-again:
		}
	}
}

// Step pins every batch that waits for it.
func (p *Pinner) Step(ctx context.Context) error {
	for ctx.Err() == nil {
		batches, err := p.cfg.Store.Unpinned(ctx, 1)
		if err != nil || len(batches) == 0 {
			return err
		}
		if err := p.pin(ctx, batches[0]); err != nil {
			return fmt.Errorf("pin batch %d: %w", batches[0].Number, err)
		}
	}
	return nil
}

// pin puts and pins one batch and stores its CID. Where the node has lost earlier batches they are put
// again first: the store has every byte of them.
func (p *Pinner) pin(ctx context.Context, s proofs.Sealed) error {
	digest, chunks, err := p.put(ctx, s)
	if errors.Is(err, proofs.ErrNotFound) {
		p.cfg.Logger.WarnContext(ctx, "the IPFS node lost earlier batches; they are put again", "err", err)
		if err = p.restore(ctx, s.Number); err == nil {
			digest, chunks, err = p.put(ctx, s)
		}
	}
	if err != nil {
		return err
	}
	// If we die here the batch is pinned and does not know it: it is pinned again, under the same CID.
	if err := p.cfg.Store.SetCID(ctx, s.Number, digest); err != nil {
		return err
	}
	p.cfg.Logger.InfoContext(ctx, "batch pinned", "batch", s.Number, "cid", proofs.FormatCID(digest), "chunks", chunks)
	p.cfg.Pinned()
	return nil
}

// restore puts and pins every batch below number again.
func (p *Pinner) restore(ctx context.Context, number uint64) error {
	for n := range number {
		s, err := p.cfg.Store.Batch(ctx, n)
		if err != nil {
			return err
		}
		if _, _, err := p.put(ctx, s); err != nil {
			return fmt.Errorf("put batch %d again: %w", n, err)
		}
	}
	return nil
}

func pinName(number uint64) string { return fmt.Sprintf("hansard batch %d", number) }

// put makes the batch's blocks, puts and pins them, and returns the manifest's digest. A batch that has a CID gets no
// other: then nothing is kept.
func (p *Pinner) put(ctx context.Context, s proofs.Sealed) (digest proofs.Hash, chunks int, err error) {
	m := proofs.Manifest{
		Log: p.cfg.Log, Root: s.Root, Number: s.Number, First: s.First, Size: s.Size,
		OpenedAt: s.OpenedAt, SealedAt: s.SealedAt, NotBefore: s.NotBefore,
	}
	if s.Number > 0 {
		prev, err := p.cfg.Store.Batch(ctx, s.Number-1)
		if err != nil {
			return digest, 0, err
		}
		m.Prev = &prev.CID
	}
	err = p.cfg.Node.Keep(ctx, pinName(s.Number), func(put func([]byte) error) (proofs.Hash, error) {
		if err := p.putChunks(ctx, s, &m, put); err != nil {
			return digest, err
		}
		block := m.Format()
		if len(block) > proofs.MaxManifest {
			panic(fmt.Sprintf("payload: the manifest of batch %d has %d bytes", s.Number, len(block)))
		}
		if digest = proofs.BlockDigest(block); !s.CID.IsZero() && digest != s.CID {
			return digest, fmt.Errorf("its payload gives %s, it was pinned as %s", proofs.FormatCID(digest), proofs.FormatCID(s.CID))
		}
		return digest, put(block)
	})
	return digest, len(m.Chunks), err
}

// putChunks puts the batch's chunks and fills what the manifest says of its entries.
func (p *Pinner) putChunks(ctx context.Context, s proofs.Sealed, m *proofs.Manifest, put func([]byte) error) error {
	var chunker proofs.Chunker
	m.Chunks = nil // it may be called again
	add := func(chunk []byte) error {
		if chunk == nil {
			return nil
		}
		m.Chunks = append(m.Chunks, proofs.BlockDigest(chunk))
		return put(chunk)
	}
	entries := make([]proofs.Entry, 0, s.Size)
	leaves := make([]proofs.Hash, 0, s.Size)
	err := p.cfg.Store.Records(ctx, s.First, s.Size, func(record []byte) error {
		rec, rest, err := proofs.ParseRecord(record)
		if err == nil && len(rest) != 0 {
			err = fmt.Errorf("record of entry %d: %d bytes follow it", rec.Entry.Index, len(rest))
		}
		if err != nil {
			return err
		}
		entries, leaves = append(entries, rec.Entry), append(leaves, rec.Entry.Leaf())
		return add(chunker.Add(append([]byte(nil), record...)))
	})
	if err != nil {
		return err
	}
	if root, err := proofs.Root(leaves); err != nil || root != s.Root {
		return fmt.Errorf("the store's entries do not give the root %s", s.Root)
	}
	m.Heads = proofs.RoomHeads(entries, leaves)
	return add(chunker.Rest())
}
