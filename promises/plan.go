package promises

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// Plan returns the transaction of an action about the finding's promise, as it succeeds in a block on the book's
// head. A breach is looked at again there, so that Missed may have become Late. For Answer the finding must hold the
// promised leaf's Inclusion. Whether the action is due is for Simulate to say, and for f.Next.
func (j *Judge) Plan(ctx context.Context, f *Finding, a Action) (anchor.Planned, error) {
	log, p := j.cfg.Book.Log(), &f.Promise
	if log.PromiseBond.IsZero() {
		return anchor.Planned{}, fmt.Errorf("plan to %s: the log has no bond", a)
	}
	switch a {
	case Challenge:
		return bond.PlanChallenge(log, p), nil
	case Conclude:
		return bond.PlanConclude(log, p), nil
	case Answer:
		b, path, err := j.over(p.Index)
		if err == nil && (f.Leaf != p.Leaf || !(&shown{f.Leaf, f.Inclusion}).holds(p.Index, b)) {
			err = errors.New("the promised leaf's inclusion proof is missing")
		}
		if err != nil {
			return anchor.Planned{}, fmt.Errorf("plan to answer: %w", err)
		}
		return bond.PlanAnswer(log, p, b, path, f.Inclusion), nil
	case Slash:
		planned, err := j.slash(f)
		if err != nil {
			return anchor.Planned{}, fmt.Errorf("plan to slash: %w", err)
		}
		return planned, nil
	}
	return anchor.Planned{}, fmt.Errorf("plan nothing: the promise is %s, and nothing is to be done", f.Outcome)
}

// over returns the batch over an index with its path at the book's head.
func (j *Judge) over(index uint64) (proofs.Batch, []proofs.Hash, error) {
	b, ok := j.cfg.Book.BatchOf(index)
	if !ok {
		return b.Batch, nil, fmt.Errorf("the log holds %d messages and has not reached index %d", j.cfg.Book.Head().Messages, index)
	}
	path := j.cfg.Book.Path(b.Number)
	if path == nil {
		return b.Batch, nil, ErrMoved
	}
	return b.Batch, path, nil
}

// slash plans the breach in the form that it has at the book's head.
func (j *Judge) slash(f *Finding) (anchor.Planned, error) {
	log, p := j.cfg.Book.Log(), &f.Promise
	switch {
	case f.Outcome != Broken:
		return anchor.Planned{}, fmt.Errorf("the promise is %s, not broken", f.Outcome)
	case f.Breach == proofs.Conflict:
		return bond.PlanSlashConflict(log, p, f.Second), nil
	case f.Breach == proofs.Withheld:
		return anchor.Planned{}, errors.New("the challenge was concluded, which slashed the bond")
	}
	h := j.cfg.Book.Head()
	if p.Index >= h.Messages {
		if h.Block.Time <= p.Deadline {
			return anchor.Planned{}, fmt.Errorf("at block %d the deadline, %s, is not over", h.Block.Number, timeText(p.Deadline))
		}
		return bond.PlanSlashMissed(log, p), nil
	}
	b, path, err := j.over(p.Index)
	switch {
	case err != nil:
		return anchor.Planned{}, err
	case b.Time > p.Deadline:
		return bond.PlanSlashLate(log, p, b, path), nil
	case f.Leaf != p.Leaf && (&shown{f.Leaf, f.Inclusion}).holds(p.Index, b):
		return bond.PlanSlashSubstitution(log, p, f.Leaf, b, path, f.Inclusion), nil
	}
	return anchor.Planned{}, fmt.Errorf("at block %d batch %d over index %d is in time: decide about the promise again", h.Block.Number, b.Number, p.Index)
}

// Simulate returns why the planned transaction of that sender would fail on the book's head, in words; nil: it
// would succeed.
func (j *Judge) Simulate(ctx context.Context, from proofs.Address, p anchor.Planned) error {
	h := j.cfg.Book.Head()
	if p.Value != nil && p.Value.Sign() > 0 {
		balance, err := j.cfg.Nodes.Balance(ctx, h.Block.Hash, from)
		if err != nil {
			return fmt.Errorf("simulate: %s: %w", p.What, err)
		}
		if balance.Cmp(p.Value) < 0 {
			return fmt.Errorf("simulate: %s: %s holds %s wei and sends %s with it: send it funds", p.What, from, balance, p.Value)
		}
	}
	if _, err := j.cfg.Nodes.CallFrom(ctx, h.Block.Hash, from, p.To, p.Value, p.Data); err != nil {
		return fmt.Errorf("simulate: %s: %w", p.What, bond.Explain(err))
	}
	return nil
}
