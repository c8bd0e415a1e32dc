package fold_test

import (
	"context"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/fold"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// contains asks the contract whether the batch is in its log, at the block.
func (p *pair) contains(b proofs.Batch, path []proofs.Hash, at proofs.Hash) bool {
	p.Helper()
	raw := make([][32]byte, len(path))
	for i, h := range path {
		raw[i] = h
	}
	number := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
	out, err := p.a.quorum.Call(p.Context(), at, p.a.log.AnchorLog, contract.PackContains(p.a.log.Log, bindings.Batch{
		Number: number(b.Number), Root: b.Root, First: number(b.First), Size: number(b.Size), Time: number(b.Time), Cid: b.CID,
	}, raw))
	p.a.must(err)
	holds, err := contract.UnpackContains(out)
	p.a.must(err)
	return holds
}

var _ receipts.Folds = (*fold.Folder)(nil)

// TestFold folds a log twice, and restarts in between. The contract agrees on each path.
func TestFold(t *testing.T) {
	p := newPair(t)
	p.step(false)
	if n := len(p.b.batches()); n != 0 {
		t.Fatalf("an empty log was folded %d times", n)
	}
	p.grow(3, 1, 4, 2, 1)
	p.fold(proofs.StateFinalized)
	var first []*proofs.Receipt
	for batch := range p.ids {
		rc := p.attached(batch, len(p.ids[batch])-1)
		first = append(first, rc)
		h := rc.Fold.Head
		if h.Batches != 5 || h.Messages != 11 || rc.Fold.Batch.Number != 0 {
			t.Errorf("batch %d: fold %d of %d batches and %d messages", batch, rc.Fold.Batch.Number, h.Batches, h.Messages)
		}
		if !p.contains(*rc.Batch, rc.Fold.Path, h.Block.Hash) {
			t.Errorf("the contract says that batch %d is not there", batch)
		}
	}
	p.grow(2, 2)
	p.none(5)
	p.clock = p.clock.Add(every - time.Millisecond)
	p.step(false)
	p.a.mine(3)
	p.step(false)
	p.clock = p.clock.Add(time.Millisecond)
	p.restart()
	p.fold(proofs.StateFinalized)
	for batch := range p.ids {
		rc := p.attached(batch, len(p.ids[batch])-1)
		if batch < len(first) {
			if d := cmp.Diff(string(first[batch].Format()), string(rc.Format())); d != "" {
				t.Errorf("the receipt of batch %d changed:\n%s", batch, d)
			}
			continue
		}
		if rc.Fold.Batch.Number != 1 || rc.Fold.Head.Batches != 7 || !p.contains(*rc.Batch, rc.Fold.Path, rc.Fold.Head.Block.Hash) {
			t.Errorf("batch %d: fold %d of %d batches", batch, rc.Fold.Batch.Number, rc.Fold.Head.Batches)
		}
	}
	p.clock = p.clock.Add(2 * every)
	p.step(false)
	p.a.mine(3)
	p.step(false) // nothing was added
	p.checkHeads(2)
}

// checkHeads holds the log of heads, on disk and on its chain, against what it must be.
func (p *pair) checkHeads(n int) {
	p.Helper()
	all := p.b.batches()
	if len(all) != n {
		p.Fatalf("%d heads, want %d", len(all), n)
	}
	before := uint64(0)
	for i, s := range all {
		block, err := p.node.Get(p.Context(), s.CID)
		p.a.must(err)
		h, err := proofs.ParseHead(block)
		p.a.must(err)
		if s.Number != uint64(i) || s.First != uint64(i) || s.Size != 1 || s.Root != h.Leaf() || h.Place != p.a.log.Place() || h.Batches <= before {
			p.Errorf("batch %d of heads: %+v, head %+v", i, s.Batch, h)
		}
		before = h.Batches
		held, err := p.node.Pinned(p.Context(), s.CID)
		if err != nil || !held {
			p.Errorf("head %d is not pinned: %v", i, err)
		}
	}
	at, err := p.b.quorum.Head(p.Context())
	p.a.must(err)
	out, err := p.b.quorum.Call(p.Context(), at.Hash, p.b.log.AnchorLog, contract.PackHeads(p.b.log.Log))
	p.a.must(err)
	head, err := contract.UnpackHeads(out)
	p.a.must(err)
	if int(head.Batches) != n {
		p.Errorf("%d heads on the chain, want %d", head.Batches, n)
	}
}

// TestIssuer: receipts come with the fold as soon as there is one, and without while there is none.
func TestIssuer(t *testing.T) {
	p := newPair(t)
	p.say(1)
	issuer := receipts.New(p.a.log, p.a.db, p.operator)
	issuer.Folds = p.folder
	issue := func() *proofs.Receipt {
		t.Helper()
		rc, err := issuer.Receipt(t.Context(), p.ids[0][0])
		p.a.must(err)
		return rc
	}
	if rc := issue(); rc.Level != proofs.Promised || rc.Fold != nil {
		t.Errorf("%s, fold %+v", rc.Level, rc.Fold)
	}
	p.a.until(proofs.StateFinalized)
	if rc := issue(); rc.Level != proofs.Finalized || rc.Fold != nil {
		t.Errorf("%s, fold %+v", rc.Level, rc.Fold)
	}
	p.fold(proofs.StateFinalized)
	rc := issue()
	if rc.Fold == nil {
		t.Fatal("no fold")
	}
	if d := cmp.Diff(string(p.attached(0, 0).Format()), string(rc.Format())); d != "" {
		t.Errorf("receipt (want, got):\n%s", d)
	}
	issuer.Folds = lost{}
	if rc, err := issuer.Receipt(t.Context(), p.ids[0][0]); !errors.Is(err, errTrap) {
		t.Errorf("%+v, %v", rc, err)
	}
}

type lost struct{}

func (lost) Attach(context.Context, *proofs.Receipt) (*proofs.Receipt, error) { return nil, errTrap }

// TestReorg takes the head's block from the other chain before it is final.
func TestReorg(t *testing.T) {
	p := newPair(t)
	p.grow(2)
	p.fold(proofs.StateIncluded)
	p.none(0)
	was := p.b.batches()[0].Anchor.Block
	p.b.fork(was.Number)
	p.b.mine(2)
	p.a.must(p.b.anchorer().Step(t.Context()))
	p.none(0)
	p.clock = p.clock.Add(2 * every)
	p.grow(1)
	p.step(false) // the first head is not in a block again
	p.restart()
	p.b.until(proofs.StateFinalized)
	rc := p.attached(0, 0)
	if rc.Fold.Anchor.Block == was || rc.Fold.Head.Batches != 1 {
		t.Errorf("fold in block %v, which left the chain; of %d batches", rc.Fold.Anchor.Block, rc.Fold.Head.Batches)
	}
	p.none(1)
	p.fold(proofs.StateFinalized)
	p.attached(1, 0)
	p.checkHeads(2)
}

// TestWaits sees that heads do not queue, and that nothing is sealed before the head's block is final
// and the store has its batches.
func TestWaits(t *testing.T) {
	p := newPair(t)
	p.say(2)
	p.a.until(proofs.StateIncluded)
	p.step(false)
	p.a.mine(3)
	p.step(false) // final on the chain, not in the store
	p.a.until(proofs.StateFinalized)
	p.step(true)
	p.clock = p.clock.Add(10 * every)
	p.grow(1)
	p.step(false)
	p.a.mine(3)
	p.step(false) // the first head is not in a block
	p.b.until(proofs.StateIncluded)
	p.none(0)
	p.fold(proofs.StateFinalized)
	p.checkHeads(2)
}
