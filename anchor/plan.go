package anchor

import (
	"context"
	"errors"
	"math/big"

	"github.com/hansard-dao/hansard/proofs"
)

// Plan is what an Anchorer would do now, and what that would cost.
type Plan struct {
	Head     uint64 // newest block
	Log      Head
	Money    Money
	Waiting  []uint64 // numbers of batches that are not anchored
	Gas      uint64   // limit of the next transaction
	Tip, Fee *big.Int // that it would offer, in wei per gas
	Worst    *big.Int // the most that it could cost, in wei
	Hold     *Delay   // why it would wait; nil: it would be signed. Without times
}

// Plan reads what a round would do and does nothing of it: it signs, stores and sends nothing. With no
// batch that waits it plans for one.
func (a *Anchorer) Plan(ctx context.Context) (*Plan, error) {
	if err := a.check(ctx); err != nil {
		return nil, err
	}
	batches, err := a.unfinal(ctx)
	if err != nil {
		return nil, err
	}
	v, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.account(ctx, v, batches); err != nil {
		return nil, err
	}
	next := &proofs.Sealed{Batch: proofs.Batch{Number: v.log.Batches, First: v.log.Messages, Root: proofs.Hash{1}, Size: 1}}
	p := &Plan{Head: v.head.Number, Log: v.log, Money: *a.Money()}
	for i := range batches {
		if batches[i].State >= proofs.StateIncluded {
			continue
		}
		if len(p.Waiting) == 0 && batches[i].Number == v.log.Batches {
			next = &batches[i]
		}
		p.Waiting = append(p.Waiting, batches[i].Number)
	}
	return p, a.planNext(ctx, v, next, p)
}

// planNext fills what the next transaction would be.
func (a *Anchorer) planNext(ctx context.Context, v *view, s *proofs.Sealed, p *Plan) error {
	offer, err := a.quote(ctx, v, a.mustPay(v, s))
	if err == nil {
		var tx txData
		if tx, err = a.build(ctx, v, s, offer); err == nil {
			p.Gas, p.Tip, p.Fee, p.Worst = tx.Gas, offer.tip, offer.fee, worst(tx.Gas, offer.fee)
			err = a.afford(ctx, v, tx)
		}
	}
	var h *hold
	if errors.As(err, &h) {
		p.Hold = &Delay{Code: h.code, Detail: h.detail}
		return nil
	}
	return err
}
