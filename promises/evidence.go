package promises

import (
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// Evidence returns the evidence of a finding that a promise was broken, such as proofs.VerifyEvidence accepts from
// whoever trusts the block's hash and the signer's key. Of Withheld a file shows only that it may be: what proves it is
// the challenge on the chain.
func (j *Judge) Evidence(ctx context.Context, f *Finding) (*proofs.BreachEvidence, error) {
	fail := func(err error) (*proofs.BreachEvidence, error) {
		return nil, fmt.Errorf("make evidence: %w", err)
	}
	if f.Outcome != Broken {
		return fail(fmt.Errorf("the promise is %s, not broken", f.Outcome))
	}
	s, err := j.at(ctx, &f.Head)
	if err != nil {
		return fail(err)
	}
	signers := []bond.Key{{Address: f.Signer, Until: f.Key.Until}} // Key is zero without a bond
	if f.Second != nil {
		second, key, _, err := j.enforceable(ctx, &f.Head, f.Second)
		if err != nil {
			return fail(err)
		}
		signers = append(signers, bond.Key{Address: second, Until: key.Until})
	}
	trust := proofs.TrustedLog{Name: "log", Chain: s.Log}
	for _, k := range signers {
		if k.Address.IsZero() {
			return fail(errors.New("the promise has no valid signature"))
		}
		if s.Ours && k.Until == 0 {
			return fail(fmt.Errorf("the signer %s was never a promise key of the bond", k.Address))
		}
		trust.PromiseKeys = append(trust.PromiseKeys, k.Address)
	}
	e := &proofs.BreachEvidence{Breach: f.Breach, Chain: j.cfg.Book.Log(), Promise: f.Promise}
	switch f.Breach {
	case proofs.Conflict:
		e.Second = f.Second
	case proofs.Missed:
		e.Head, err = j.headProof(ctx, f)
	default:
		if f.Breach == proofs.Substitution {
			e.Leaf, e.Inclusion = f.Leaf, f.Inclusion
		}
		e.Batch = &f.Batch.Batch
		e.Anchor, err = j.cfg.Book.Freeze(ctx, f.Batch.Number)
	}
	if err == nil {
		err = check(e, trust)
	}
	if err != nil {
		return fail(err)
	}
	return e, nil
}

// headProof proves the log's head at the newest final block after the deadline, where its state is still to be had,
// else at the newest one.
func (j *Judge) headProof(ctx context.Context, f *Finding) (*proofs.HeadProof, error) {
	at, log := f.Head.Block, j.cfg.Book.Log()
	prove := func() (*proofs.HeadProof, error) {
		header, account, storage, err := j.cfg.Nodes.StorageProof(ctx, at.Hash, log.AnchorLog, proofs.AnchorLogHeadSlot(log.Log))
		if err != nil {
			return nil, err
		}
		return &proofs.HeadProof{Block: proofs.BlockRef{Number: at.Number, Hash: at.Hash}, Header: header, Account: account, Storage: storage}, nil
	}
	if final := f.Head.FinalBlock; final.Time > f.Promise.Deadline {
		newest := at
		at = final
		if p, err := prove(); err == nil {
			return p, nil
		}
		at = newest
	}
	return prove()
}

// check verifies the evidence as a stranger would who trusts the signers and the block.
func check(e *proofs.BreachEvidence, trust proofs.TrustedLog) error {
	o := proofs.Options{Trust: &proofs.Trust{Logs: []proofs.TrustedLog{trust}}}
	if at := e.Block(); at != nil {
		o.BlockHash = at.Hash
	}
	r := proofs.VerifyEvidence(e.Format(), o)
	want := proofs.PromiseBroken
	if e.Breach == proofs.Withheld {
		want = proofs.Undetermined
	}
	if r.Verdict != want {
		for _, c := range r.Checks {
			if c.Status == proofs.Fail || c.Status == proofs.Unknown {
				return fmt.Errorf("what was made does not verify: %s: %s %s: %s", r.Verdict, c.ID, c.Name, c.Detail)
			}
		}
		return fmt.Errorf("what was made does not verify: %s", r.Verdict)
	}
	return nil
}

// Weigh decides about the promise of evidence that somebody made, at the book's head and with what it shows. What the
// evidence says of the chain plays no part.
func (j *Judge) Weigh(ctx context.Context, e *proofs.BreachEvidence) (*Finding, error) {
	if log := j.cfg.Book.Log(); e.Chain != log {
		return nil, fmt.Errorf("weigh evidence: it is of log %s of %s on chain %d with the bond %s, not of the one that is followed",
			e.Chain.Log, e.Chain.AnchorLog, e.Chain.ChainID, e.Chain.PromiseBond)
	}
	if e.Breach == proofs.Conflict {
		return j.DecideConflict(ctx, [2]proofs.Promise{e.Promise, *e.Second})
	}
	var known *shown
	if e.Breach == proofs.Substitution {
		known = &shown{e.Leaf, e.Inclusion}
	}
	return j.decide(ctx, e.Promise, known)
}
