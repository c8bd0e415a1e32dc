package logbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

const (
	// trailSkew is how far the operator's clock may have been ahead of the chain's when a batch was sealed, in seconds.
	trailSkew = 900
	// trailScan is how many headers are read for one batch: a week of Ethereum.
	trailScan = 50_400
	// trailWindows is how many windows of blocks are searched for the newest event.
	trailWindows = 64
)

// Blocks is where the blocks of payloads are read from.
type Blocks interface {
	// Block returns the dag-cbor block with that SHA-256 digest.
	Block(ctx context.Context, digest proofs.Hash) ([]byte, error)
}

// Trail is the batches of a log as their manifests name them, from the newest backwards, for nodes that do not show old
// events any more. A manifest does not say when its batch was anchored. That follows from the headers of the blocks after
// it was sealed, which nodes keep: the bloom of the right one names the batch, and those of some others do by chance. The
// receipts of that block prove it, so a node must still have those; it need not index them. A Trail is a [Known]: a Book holds it against the contract's peaks.
type Trail struct{ sealed []proofs.Sealed }

// trail is a Trail that is being read.
type trail struct {
	cfg  Config
	from Blocks
	up   []proofs.Sealed // newest first
}

// ReadTrail follows the manifests from newest to the log's first, and finds the block of each. Zero for newest takes it
// from the newest event that the nodes still show.
func ReadTrail(ctx context.Context, cfg Config, from Blocks, newest proofs.Hash) (*Trail, error) {
	cfg.Window = cmp.Or(cfg.Window, defaultWindow)
	t := &trail{cfg: cfg, from: from}
	at, err := cfg.Nodes.Head(ctx)
	if err != nil {
		return nil, err
	}
	head, err := anchor.ReadHeadAt(ctx, cfg.Nodes, cfg.Log, at.Hash)
	if err != nil {
		return nil, err
	}
	if newest.IsZero() {
		if newest, err = t.newest(ctx, at.Number, head.Batches); err != nil {
			return nil, err
		}
	}
	if err := t.follow(ctx, newest, head); err != nil {
		return nil, err
	}
	upper := at.Number
	done := &Trail{make([]proofs.Sealed, len(t.up))}
	for i := range t.up {
		s := &t.up[i]
		if err := t.place(ctx, s, upper); err != nil {
			return nil, fmt.Errorf("find the block of batch %d: %w", s.Number, err)
		}
		upper = s.Anchor.Block.Number
		done.sealed[s.Number] = *s
	}
	return done, nil
}

// Batches makes a Trail a Known.
func (t *Trail) Batches(_ context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	from := min(number, uint64(len(t.sealed)))
	return t.sealed[from:min(from+uint64(limit), uint64(len(t.sealed)))], nil
}

// newest returns the CID of the newest batch that has an event.
func (t *trail) newest(ctx context.Context, to, count uint64) (cid proofs.Hash, err error) {
	b, low := &Book{cfg: t.cfg}, to
	for range trailWindows {
		low = max(t.cfg.FromBlock, to-min(to, t.cfg.Window-1))
		logs, err := t.cfg.Nodes.Logs(ctx, low, to, t.cfg.Log.AnchorLog, anchoredEvent, t.cfg.Log.Log)
		if err != nil {
			return cid, fmt.Errorf("look for the newest event: %w; give the CID of the newest batch with --newest", err)
		}
		best := Anchored{}
		for i := range logs {
			if a, err := b.read(&logs[i]); err == nil && a.Number < count && (best.Size == 0 || a.Number >= best.Number) {
				best = a
			}
		}
		if best.Size > 0 {
			return best.CID, nil
		}
		if low <= t.cfg.FromBlock {
			break
		}
		to = low - 1
	}
	return cid, fmt.Errorf("%w: no event of the log is in the blocks from %d on; give the CID of the newest batch with --newest", ErrUnproven, low)
}

// follow reads the manifests.
func (t *trail) follow(ctx context.Context, cid proofs.Hash, head anchor.Head) error {
	number, end := head.Batches-1, head.Messages
	for {
		block, err := t.from.Block(ctx, cid)
		if err != nil {
			return fmt.Errorf("read the manifest %s: %w", proofs.FormatCID(cid), err)
		}
		m, err := proofs.ParseManifest(block)
		if err == nil && proofs.BlockDigest(block) != cid {
			err = errors.New("it is another block")
		}
		if err != nil {
			return fmt.Errorf("read the manifest %s: %w", proofs.FormatCID(cid), err)
		}
		if len(t.up) == 0 && m.Number < number { // events tell what follows it
			number, end = m.Number, m.First+m.Size
		}
		if m.Log != t.cfg.Log.Log || m.Number != number || m.First+m.Size != end || m.Size == 0 || (m.Prev == nil) != (number == 0) {
			return fmt.Errorf("%w: manifest %s is of batch %d of log %s, up to entry %d; wanted is batch %d of log %s, up to %d",
				ErrUnproven, proofs.FormatCID(cid), m.Number, m.Log, m.First+m.Size, number, t.cfg.Log.Log, end)
		}
		t.up = append(t.up, proofs.Sealed{
			Batch: proofs.Batch{Number: number, Root: m.Root, First: m.First, Size: m.Size, CID: cid}, SealedAt: m.SealedAt,
		})
		if number == 0 {
			return nil
		}
		number, end, cid = number-1, m.First, *m.Prev
	}
}

// place finds the block that anchored the batch, at or below upper, and freezes it: in those after it was sealed first.
func (t *trail) place(ctx context.Context, s *proofs.Sealed, upper uint64) error {
	after := s.SealedAt/1000 - min(s.SealedAt/1000, trailSkew)
	start, err := t.firstAt(ctx, after, upper)
	if err != nil {
		return err
	}
	oldest := max(t.cfg.FromBlock, start-min(start, trailScan))
	for _, part := range []struct{ from, to uint64 }{{start, min(upper, start+trailScan)}, {oldest, start - min(start, 1)}} {
		for from := part.from; from <= part.to; from += parallel {
			hits, err := t.blooms(ctx, s.Number, from, min(from+parallel-1, part.to))
			if err != nil {
				return err
			}
			for _, at := range hits {
				if found, err := t.freeze(ctx, s, at); found || err != nil {
					return err
				}
			}
		}
	}
	return fmt.Errorf("%w: none of the blocks %d to %d, around the time at which it was sealed, has it: the operator's clock was wrong by days, or the manifest is not the log's",
		ErrUnproven, oldest, min(upper, start+trailScan))
}

// firstAt returns the number of the first block with that time or a later one; upper if there is none below.
func (t *trail) firstAt(ctx context.Context, time, upper uint64) (uint64, error) {
	low := min(t.cfg.FromBlock, upper)
	var failed error
	n := sort.Search(int(upper-low), func(i int) bool {
		if failed != nil {
			return true
		}
		b, err := t.cfg.Nodes.BlockAt(ctx, low+uint64(i))
		if err != nil {
			failed = err
			return true
		}
		return b.Time >= time
	})
	return low + uint64(n), failed
}

// blooms returns the blocks of a few whose blooms name the batch's event.
func (t *trail) blooms(ctx context.Context, number, from, to uint64) (hits []proofs.BlockRef, err error) {
	found := make([]proofs.BlockRef, to-from+1)
	group, ctx := errgroup.WithContext(ctx)
	for i := range found {
		group.Go(func() error {
			b, err := t.cfg.Nodes.BlockAt(ctx, from+uint64(i))
			if err != nil {
				return err
			}
			raw, err := t.cfg.Nodes.Header(ctx, b.Hash)
			if err != nil {
				return err
			}
			var h types.Header
			if err := rlp.DecodeBytes(raw, &h); err != nil {
				return fmt.Errorf("read header %s: %w", b.Hash, err)
			}
			if types.BloomLookup(h.Bloom, common.Address(t.cfg.Log.AnchorLog)) && types.BloomLookup(h.Bloom, common.Hash(anchoredEvent)) &&
				types.BloomLookup(h.Bloom, common.Hash(t.cfg.Log.Log)) && types.BloomLookup(h.Bloom, common.Hash(word(number))) {
				found[i] = proofs.BlockRef{Number: b.Number, Hash: b.Hash}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, at := range found {
		if !at.Hash.IsZero() {
			hits = append(hits, at)
		}
	}
	return hits, nil
}

// freeze reports whether the block anchored the batch, and then fills where it stands.
func (t *trail) freeze(ctx context.Context, s *proofs.Sealed, at proofs.BlockRef) (bool, error) {
	all, err := anchor.Receipts(ctx, t.cfg.Nodes, at.Hash)
	if err != nil {
		return false, fmt.Errorf("block %d may have anchored it, and no node shows its receipts, without which no receipt of the batch can be issued: ask one that keeps them: %w", at.Number, err)
	}
	b := &Book{cfg: t.cfg}
	for _, r := range all {
		for _, l := range r.Logs {
			a, err := b.read(l)
			if err != nil || proofs.Address(l.Address) != t.cfg.Log.AnchorLog || a.Number != s.Number {
				continue
			}
			block, err := t.cfg.Nodes.BlockAt(ctx, at.Number)
			if err != nil {
				return false, err
			}
			s.Time = block.Time
			frozen, err := anchor.Freeze(ctx, t.cfg.Nodes, t.cfg.Log, s.Batch, at, r.Index)
			if err != nil {
				return false, err
			}
			s.Stand(proofs.Standing{State: proofs.StateFinalized, Time: block.Time, Tx: r.Tx, Anchor: frozen})
			return true, nil
		}
	}
	return false, nil
}

var _ Known = (*Trail)(nil)
