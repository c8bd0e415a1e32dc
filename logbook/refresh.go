package logbook

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// ErrUnproven is wrapped by the error of Refresh when the nodes do not show all batches that the contract counts, or
// show others than it holds. It names the first of them. Other nodes may help.
var ErrUnproven = errors.New("the nodes do not show what the contract holds")

const (
	maxReorgs = 3     // while one Refresh reads
	knownPage = 1_000 // batches of one question to Known
)

// Refresh follows the log to the newest block. After an error the book holds what it held before.
func (b *Book) Refresh(ctx context.Context) error {
	b.refresh.Lock()
	defer b.refresh.Unlock()
	for try := 1; ; try++ {
		head, err := b.cfg.Nodes.Head(ctx)
		if err != nil {
			return err
		}
		err = b.follow(ctx, head)
		if err == nil || ctx.Err() != nil || try == maxReorgs {
			return err
		}
		// What was read may be of two forks.
		now, nowErr := b.cfg.Nodes.BlockAt(ctx, head.Number)
		if nowErr != nil || now.Hash == head.Hash {
			return err
		}
	}
}

// follow reads the log at a block: what is new since the last one, else what is not final, else all of it.
func (b *Book) follow(ctx context.Context, block *nodes.Block) error {
	log, r, err := anchor.ReadRange(ctx, b.cfg.Nodes, b.cfg.Log, block.Hash)
	if err != nil {
		return err
	}
	h := Head{Block: *block, Batches: log.Batches, Messages: log.Messages}
	final, err := b.final(ctx, block)
	if err != nil {
		return err
	}
	starts, err := b.starts(ctx, block, r.Count)
	if err != nil {
		return err
	}
	for _, s := range starts {
		var next *chain
		if next, err = b.extend(ctx, s, block.Number, r); err == nil {
			b.failed = 0
			b.commit(h, final, next)
			return nil
		}
		if !errors.Is(err, ErrUnproven) {
			return err
		}
	}
	b.failed++
	return err
}

// commit makes the chain what the book holds.
func (b *Book) commit(h Head, final finality, next *chain) {
	if final.block != nil {
		h.FinalBlock, h.Final = *final.block, min(final.batches, h.Batches)
		if !final.exact {
			n, _ := slices.BinarySearchFunc(next.batches, final.block.Time, func(a Anchored, time uint64) int {
				if a.Time < time {
					return -1
				}
				return 1
			})
			h.Final = uint64(n)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.head, b.chain = h, next
}

// finality is how far the log is final.
type finality struct {
	block   *nodes.Block // nil: nothing is
	batches uint64
	exact   bool // else batches of earlier seconds than the block's are final: the nodes do not have its state
}

func (b *Book) final(ctx context.Context, head *nodes.Block) (f finality, err error) {
	switch n := b.cfg.Confirmations; {
	case n == 0:
		f.block, err = b.cfg.Nodes.Tagged(ctx, "finalized")
	case head.Number >= n:
		f.block, err = b.cfg.Nodes.BlockAt(ctx, head.Number-n)
	}
	if err != nil || f.block == nil {
		return f, err
	}
	if f.block.Number > head.Number { // it moved on meanwhile
		if b, err := b.cfg.Nodes.BlockAt(ctx, head.Number); err != nil || b.Hash != head.Hash {
			return f, errors.Join(fmt.Errorf("read block finalized: the nodes name block %d, and their chain ended at another %d", f.block.Number, head.Number), err)
		}
		f.block = head
	}
	if old := b.Head(); old.FinalBlock.Hash == f.block.Hash {
		f.batches, f.exact = old.Final, true
		return f, nil
	}
	h, err := anchor.ReadHeadAt(ctx, b.cfg.Nodes, b.cfg.Log, f.block.Hash)
	if ctx.Err() != nil {
		return f, ctx.Err()
	}
	f.batches, f.exact = h.Batches, err == nil
	return f, nil
}

// start is a chain to go on from.
type start struct {
	*chain
	from uint64 // the oldest block with what follows it
}

// starts returns where to go on from, one after the other. What the book held at a block that is on the chain still
// needs no other, unless that failed for long: enough nodes may have lied then.
func (b *Book) starts(ctx context.Context, head *nodes.Block, count uint64) (all []start, err error) {
	old, beginning := b.Head(), start{chain: &chain{}, from: b.cfg.FromBlock}
	if b.count() == 0 && b.cfg.Known != nil {
		s, err := b.known(ctx, count)
		return []start{s, beginning}, err
	}
	for _, s := range []struct {
		at      nodes.Block
		batches uint64
	}{{old.Block, b.count()}, {old.FinalBlock, old.Final}} {
		if s.at.Hash.IsZero() || s.at.Number > head.Number {
			continue
		}
		there, err := b.cfg.Nodes.BlockAt(ctx, s.at.Number)
		if err != nil {
			return nil, err
		}
		if there.Hash == s.at.Hash {
			all = append(all, start{chain: b.prefix(min(s.batches, count)), from: s.at.Number + 1})
			break
		}
	}
	if len(all) == 0 || bits.OnesCount(uint(b.failed)) == 1 {
		all = append(all, beginning)
	}
	return all, nil
}

// known returns the final batches that Known has.
func (b *Book) known(ctx context.Context, count uint64) (start, error) {
	s := start{chain: &chain{}, from: b.cfg.FromBlock}
	for {
		page, err := b.cfg.Known.Batches(ctx, s.count(), knownPage)
		if err != nil {
			return s, fmt.Errorf("read known batches: %w", err)
		}
		for i := range page {
			k := &page[i]
			if k.State < proofs.StateFinalized || k.Anchor == nil || k.Number != s.count() || s.count() == count {
				return s, nil
			}
			s.append(Anchored{Batch: k.Batch, Tx: k.Tx, Block: k.Anchor.Block})
			s.from = k.Anchor.Block.Number
		}
		if len(page) < knownPage {
			return s, nil
		}
	}
}

// extend returns the chain with the batches that follow it up to block to, if it is the range's.
func (b *Book) extend(ctx context.Context, s start, to uint64, r proofs.Range) (*chain, error) {
	if s.count() == r.Count && s.wrong(r) == nil {
		return s.chain, nil
	}
	if s.from > to {
		return nil, fmt.Errorf("%w: at block %d it counts %d batches, and it counted %d", ErrUnproven, to, r.Count, s.count())
	}
	found, err := b.scan(ctx, span{s.count(), r.Count}, s.from, to)
	if err != nil {
		return nil, err
	}
	next, err := b.join(s, found, to)
	if err != nil {
		return nil, err
	}
	wrong := next.wrong(r)
	if wrong == nil {
		return next, nil
	}
	if err := b.settle(ctx, found, wrong); err != nil {
		return nil, err
	}
	if next, err = b.join(s, found, to); err != nil {
		return nil, err
	}
	if wrong := next.wrong(r); wrong != nil {
		return nil, fmt.Errorf("%w: what they show of %s does not hash to the contract's peak", ErrUnproven, wrong[0])
	}
	return next, nil
}

// join puts what was found behind the start.
func (b *Book) join(s start, f *found, to uint64) (*chain, error) {
	next := s.prefix(s.count())
	for n := f.want.first; n < f.want.end; n++ {
		a, ok := f.at(n)
		if !ok {
			return nil, fmt.Errorf("%w: batch %d of %d is missing: no node shows its event in blocks %d to %d: nodes may have pruned events before block %d; ask nodes that keep them, or correct the first block",
				ErrUnproven, n, f.want.end, s.from, to, f.after(n, to))
		}
		next.append(a)
	}
	return next, nil
}
