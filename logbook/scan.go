package logbook

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/ethereum/go-ethereum/core/types"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	contract      = bindings.NewAnchorLog()
	anchoredEvent = proofs.Hash(contract.GetABI().Events[bindings.AnchorLogAnchoredEventName].ID)
)

const (
	minWindow = 32     // blocks: nodes that do not answer for so few have another trouble
	maxGap    = 10_000 // batches that may be missing in a row
	maxOdd    = 10_000 // leads that do not follow each other
	parallel  = 8      // questions at a time
)

// found is what events say of the wanted batches, before it is proven.
type found struct {
	want span
	// down are the batches from the last wanted one down. Those without an event have no size.
	down []Anchored
	odd  map[uint64][]Anchored // other candidates by number
	odds int                   // of them
}

// next returns the number below the lowest batch in down.
func (f *found) next() uint64 { return f.want.end - uint64(len(f.down)) }

// take adds a batch that enough nodes show, coming from above.
func (f *found) take(a Anchored) {
	next := f.next()
	if a.Number >= next || next-a.Number > maxGap {
		f.doubt(a)
		return
	}
	for n := next - 1; n > a.Number; n-- {
		f.down = append(f.down, Anchored{Batch: proofs.Batch{Number: n}})
	}
	f.down = append(f.down, a)
}

// doubt adds a candidate that is not the obvious one.
func (f *found) doubt(a Anchored) {
	if f.odds < maxOdd {
		f.odd[a.Number] = append(f.odd[a.Number], a)
		f.odds++
	}
}

// slot returns where the batch is in down; nil: beyond it.
func (f *found) slot(number uint64) *Anchored {
	if i := f.want.end - 1 - number; i < uint64(len(f.down)) {
		return &f.down[i]
	}
	return nil
}

// at returns the best candidate for the batch.
func (f *found) at(number uint64) (Anchored, bool) {
	if all := f.candidates(number); len(all) > 0 {
		return all[0], true
	}
	return Anchored{}, false
}

// candidates returns all that there are for the batch, the best first.
func (f *found) candidates(number uint64) (all []Anchored) {
	if a := f.slot(number); a != nil && a.Size > 0 {
		all = append(all, *a)
	}
	return append(all, f.odd[number]...)
}

// after returns the block of the first batch after number that has an event, else to.
func (f *found) after(number, to uint64) uint64 {
	for n := number + 1; n < f.want.end; n++ {
		if a, ok := f.at(n); ok {
			return a.Block.Number
		}
	}
	return to
}

// complete reports whether each wanted batch has a candidate that enough nodes show.
func (f *found) complete() bool { return f.next() == f.want.first }

// scan reads the events of the wanted batches in blocks from to to, newest first: so a first block that is too low
// costs nothing.
func (b *Book) scan(ctx context.Context, want span, from, to uint64) (*found, error) {
	f := &found{want: want, odd: map[uint64][]Anchored{}}
	window := b.cfg.Window
	for !f.complete() {
		low := max(from, to-min(to, window-1))
		leads, err := b.cfg.Nodes.Leads(ctx, low, to, b.cfg.Log.AnchorLog, anchoredEvent, b.cfg.Log.Log)
		if err != nil {
			if window, err = b.less(ctx, window, err); err != nil {
				return nil, err
			}
			continue
		}
		sure, err := b.dated(ctx, f, leads.Sure)
		if err != nil {
			return nil, err
		}
		rest, err := b.dated(ctx, f, leads.Rest)
		if err != nil {
			return nil, err
		}
		for i := len(sure) - 1; i >= 0; i-- {
			f.take(sure[i])
		}
		for _, a := range rest {
			f.doubt(a)
		}
		if low <= from {
			return f, nil
		}
		to, window = low-1, min(window+window/8, b.cfg.Window)
	}
	return f, nil
}

// less returns a smaller window after a question about one that failed, or the error if that is of no use.
func (b *Book) less(ctx context.Context, window uint64, err error) (uint64, error) {
	if ctx.Err() != nil || window <= minWindow {
		return 0, err
	}
	if _, headErr := b.cfg.Nodes.Head(ctx); headErr != nil { // nor do they answer anything else
		return 0, err
	}
	return max(window/2, minWindow), nil
}

// dated returns the wanted batches of the logs with the time of their blocks.
func (b *Book) dated(ctx context.Context, f *found, logs []types.Log) ([]Anchored, error) {
	var all []Anchored
	ask := map[uint64][]int{} // by block
	for i := range logs {
		a, err := b.read(&logs[i])
		if err != nil || a.Number < f.want.first || a.Number >= f.want.end {
			continue
		}
		if a.Time == 0 {
			ask[a.Block.Number] = append(ask[a.Block.Number], len(all))
		}
		all = append(all, a)
	}
	var group errgroup.Group
	group.SetLimit(parallel)
	for number, at := range ask {
		group.Go(func() error {
			block, err := b.cfg.Nodes.BlockAt(ctx, number)
			if errors.Is(err, nodes.ErrNotFound) { // a lead into nowhere: time zero is no batch's
				return nil
			}
			if err != nil {
				return err
			}
			for _, i := range at {
				all[i].Time = block.Time
			}
			return nil
		})
	}
	return all, group.Wait()
}

// read returns the batch of an event. The time is 0 where the node does not say it.
func (b *Book) read(l *types.Log) (a Anchored, err error) {
	e, err := contract.UnpackAnchoredEvent(l)
	if err != nil {
		return a, err
	}
	for _, n := range []*big.Int{e.Number, e.First, e.Size} {
		if n == nil || !n.IsUint64() {
			return a, errors.New("an event of no batch")
		}
	}
	a = Anchored{
		Batch: proofs.Batch{
			Number: e.Number.Uint64(), Root: e.Root, First: e.First.Uint64(), Size: e.Size.Uint64(), Time: l.BlockTimestamp, CID: e.Cid,
		},
		Tx: proofs.Hash(l.TxHash), Block: proofs.BlockRef{Number: l.BlockNumber, Hash: proofs.Hash(l.BlockHash)},
	}
	if proofs.Hash(e.Log) != b.cfg.Log.Log {
		return a, errors.New("an event of another log")
	}
	return a, nil
}

// settle looks up the transactions of every candidate for the batches in spans that hash to other peaks, and leaves
// what enough nodes say of those. Its error is of the first batch that has none.
func (b *Book) settle(ctx context.Context, f *found, wrong []span) error {
	var mu sync.Mutex // guards f and what follows
	var first error
	lowest := f.want.end
	var group errgroup.Group
	group.SetLimit(parallel)
	for _, s := range wrong {
		for n := max(s.first, f.want.first); n < s.end; n++ {
			group.Go(func() error {
				mu.Lock()
				candidates, over := f.candidates(n), first != nil
				mu.Unlock()
				if over {
					return nil
				}
				a, err := b.confirm(ctx, n, candidates)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					f.odd[n] = []Anchored{a}
					if slot := f.slot(n); slot != nil {
						*slot = a
					}
				case n < lowest:
					lowest, first = n, err
				}
				return nil
			})
		}
	}
	group.Wait()
	return first
}

// confirm returns the batch as the transaction of the first candidate anchored it that enough nodes have in a canonical
// block.
func (b *Book) confirm(ctx context.Context, number uint64, candidates []Anchored) (Anchored, error) {
	why := errors.New("no node shows its event")
	for i, c := range candidates {
		a, _, err := b.lookUp(ctx, number, c.Tx)
		if err == nil {
			return a, nil
		}
		if ctx.Err() != nil {
			return a, ctx.Err()
		}
		if i == 0 {
			why = err
		}
	}
	if errors.Is(why, nodes.ErrNoQuorum) {
		return Anchored{}, fmt.Errorf("look up batch %d: %w", number, why)
	}
	return Anchored{}, fmt.Errorf("%w: batch %d cannot be proven: %w", ErrUnproven, number, why)
}

// lookUp returns the batch that a transaction anchored, with its place in the block, as enough nodes say.
func (b *Book) lookUp(ctx context.Context, number uint64, tx proofs.Hash) (a Anchored, txIndex uint64, err error) {
	r, err := b.cfg.Nodes.TxReceipt(ctx, tx)
	if err != nil {
		return a, 0, err
	}
	block, err := b.cfg.Nodes.BlockAt(ctx, r.BlockNumber)
	if err != nil {
		return a, 0, err
	}
	if block.Hash != r.Block {
		return a, 0, fmt.Errorf("transaction %s is in block %s, which is not on the chain", tx, r.Block)
	}
	for _, l := range r.Logs {
		if r.Status != 1 || proofs.Address(l.Address) != b.cfg.Log.AnchorLog {
			continue
		}
		if a, err = b.read(l); err == nil && a.Number == number {
			a.Time, a.Tx, a.Block = block.Time, tx, proofs.BlockRef{Number: block.Number, Hash: block.Hash}
			return a, r.Index, nil
		}
	}
	return Anchored{}, 0, fmt.Errorf("transaction %s did not anchor batch %d", tx, number)
}
