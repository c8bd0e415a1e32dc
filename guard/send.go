package guard

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// proof is what answers a challenge, but for the path, which changes with each batch.
type proof struct {
	batch     proofs.Batch
	inclusion []proofs.Hash
}

// prove looks for the proof that the promise was kept.
func (a *Answerer) prove(ctx context.Context, p *proofs.Promise) (*proof, error) {
	hopeless := func(format string, args ...any) (*proof, error) {
		return nil, fmt.Errorf("%w: %s", errHopeless, fmt.Sprintf(format, args...))
	}
	tail, err := a.cfg.Store.Tail(ctx)
	if err != nil {
		return nil, err
	}
	if p.Index >= tail.Next {
		return hopeless("the store holds %d entries, and %d was promised", tail.Next, p.Index)
	}
	entries, err := a.cfg.Store.Read(ctx, p.Index, 1)
	switch {
	case err != nil:
		return nil, err
	case entries[0].Leaf != p.Leaf:
		return hopeless("the leaf of entry %d is %s and %s was promised", p.Index, entries[0].Leaf, p.Leaf)
	}
	s, err := a.cfg.Store.BatchOf(ctx, p.Index)
	switch {
	case errors.Is(err, proofs.ErrNotFound):
		return hopeless("entry %d stands in no batch", p.Index)
	case err != nil:
		return nil, err
	case s.State < proofs.StateIncluded:
		return hopeless("batch %d, with entry %d, is in no block that is known here", s.Number, p.Index)
	case s.Time > p.Deadline:
		return hopeless("batch %d, with entry %d, is in a block of %s", s.Number, p.Index, unix(s.Time).Format(time.RFC3339))
	}
	inclusion, err := a.cfg.Store.Prove(ctx, s.Batch, p.Index-s.First)
	return &proof{s.Batch, inclusion}, err
}

// path returns the path of the batch where the log holds count batches.
func (a *Answerer) path(ctx context.Context, number, count uint64) ([]proofs.Hash, error) {
	if number >= count {
		return nil, fmt.Errorf("the log holds %d batches on the chain, and batch %d is needed: the nodes are behind", count, number)
	}
	// The peak above the batch is over these; of the others only the count matters.
	height := bits.Len64(number^count) - 1
	first := number >> height << height
	var hashes []proofs.Hash // as many as the store has, whatever nodes count
	for at := first; at < first+1<<height; at = first + uint64(len(hashes)) {
		batches, err := a.cfg.Store.Batches(ctx, at, int(min(page, first+1<<height-at)))
		if err != nil {
			return nil, err
		}
		if len(batches) == 0 {
			return nil, fmt.Errorf("the log holds %d batches on the chain, and the store %d", count, at)
		}
		for i := range batches {
			if batches[i].State < proofs.StateIncluded {
				return nil, fmt.Errorf("batch %d is on the chain and not found in a block yet", batches[i].Number)
			}
			hashes = append(hashes, batches[i].Hash())
		}
	}
	return proofs.ProveRange(hashes, number-first), nil
}

// answer answers one challenge, if it is its turn. Nothing is written down: whether the answer arrived is on the chain.
func (a *Answerer) answer(ctx context.Context, s *bond.State, d *demand) error {
	if s.Block.Time > d.AnswerBy {
		return fmt.Errorf("%w: the time to answer is over", errHopeless)
	}
	p, err := a.prove(ctx, &d.Promise)
	if err != nil {
		return err
	}
	near := d.near(&s.Block)
	a.sending.Store(true)
	defer a.sending.Store(false)
	if busy, err := a.busy(ctx, s.Block.Hash); err != nil || busy && !near {
		return err // an anchor before it may void the path, and take the nonce
	}
	plan, err := a.plan(ctx, d, p)
	if plan == nil || err != nil {
		return err
	}
	w, err := a.wallet(d, plan, near)
	if err != nil {
		return err
	}
	left := new(big.Int).Sub(a.cfg.Cap, d.spent)
	try, cancel := context.WithTimeout(ctx, a.cfg.Attempt)
	defer cancel()
	var paid *anchor.Paid
	err = w.Do(try, []anchor.Planned{*plan}, left, func(_ anchor.Planned, p *anchor.Paid) { paid = p })
	if paid != nil {
		d.spent.Add(d.spent, paid.Wei)
		d.raise = 0
	}
	if err != nil {
		if try.Err() != nil && ctx.Err() == nil {
			d.raise++
		}
		return bond.Explain(err)
	}
	d.Closed = true
	a.answered.Add(1)
	a.cfg.Logger.InfoContext(ctx, "challenge answered", "challenge", d.ID.String(), "index", d.Promise.Index, "batch", p.batch.Number,
		"tx", paid.Tx.String(), "block", paid.Block, "wei", d.spent)
	return nil
}

// busy reports whether an anchor is on its way to a block.
func (a *Answerer) busy(ctx context.Context, at proofs.Hash) (bool, error) {
	batches, err := a.cfg.Store.Unfinal(ctx, page)
	if err != nil {
		return false, err
	}
	for i := range batches {
		under, err := anchor.UnderWay(ctx, a.cfg.Nodes, at, &batches[i])
		if under || err != nil {
			return under, err
		}
	}
	return false, nil
}

// plan returns an answer that the contract takes at the newest block, and nil if somebody was first.
func (a *Answerer) plan(ctx context.Context, d *demand, p *proof) (*anchor.Planned, error) {
	for n := 1; ; n++ {
		count, err := anchor.ReadHead(ctx, a.cfg.Nodes, a.cfg.Log)
		if err != nil {
			return nil, err
		}
		path, err := a.path(ctx, p.batch.Number, count.Batches)
		if err != nil {
			return nil, err
		}
		plan := bond.PlanAnswer(a.cfg.Log, &d.Promise, p.batch, path, p.inclusion)
		head, err := a.cfg.Nodes.Head(ctx)
		if err != nil {
			return nil, err
		}
		if _, err = a.cfg.Nodes.Call(ctx, head.Hash, plan.To, plan.Data); err == nil {
			plan.Gas = answerGas + answerGasEach*uint64(len(path)+len(p.inclusion))
			return &plan, nil
		}
		if state, look := bond.ReadAt(ctx, a.cfg.Nodes, a.cfg.Log, *head); look == nil {
			if c, look := state.Challenge(ctx, a.cfg.Nodes, d.ID); look == nil && (c == nil || c.Closed) {
				d.Closed = true
				return nil, nil
			}
		}
		if n == tries { // before, a batch may have been anchored between the two looks
			return nil, fmt.Errorf("try the answer: %w", bond.Explain(err))
		}
	}
}

// What an answer takes at most: an account's first one took 100,726 with 28 hashes (docs/contracts.md), of which one adds
// 1,280 where calldata has a floor price (EIP-7623), and less elsewhere.
const (
	answerGas     = 85_000
	answerGasEach = 1_500
)

// wallet returns what sends the answer. It offers what the cap of one answer allows, and no more than Fees unless the
// time to answer is near.
func (a *Answerer) wallet(d *demand, plan *anchor.Planned, near bool) (*anchor.Wallet, error) {
	w := &anchor.Wallet{
		Nodes: a.cfg.Nodes, ChainID: a.cfg.Log.ChainID, Signer: a.cfg.Signer, Fees: a.cfg.Fees, DataFee: a.cfg.DataFee,
		Raise: d.raise, Blind: true, Poll: a.cfg.TxPoll,
	}
	most := new(big.Int).Sub(a.cfg.Cap, d.spent)
	if most.Sign() <= 0 {
		return nil, fmt.Errorf("%w: %s wei were spent on answers that reverted", anchor.ErrOverCap, d.spent)
	}
	most.Div(most, new(big.Int).SetUint64(plan.Gas+plan.Gas/4)) // of what the wallet signs for
	if limit := most.Uint64(); most.IsUint64() && (near || w.Fees.MaxFee == 0 || limit < w.Fees.MaxFee) {
		w.Fees.MaxFee = max(limit, 1)
	}
	w.Fees.MaxTip = min(w.Fees.MaxTip, w.Fees.MaxFee)
	return w, nil
}
