// Package receipts puts receipts together from what the store holds. It hands out nothing that it
// has not verified itself.
package receipts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/proofs"
)

// Store is where entries, batches and proofs come from. Errors wrap proofs.ErrNotFound.
type Store interface {
	Find(ctx context.Context, id proofs.Hash) (proofs.Accepted, error)
	BatchOf(ctx context.Context, index uint64) (proofs.Sealed, error)
	Prove(ctx context.Context, b proofs.Batch, position uint64) ([]proofs.Hash, error)
}

// Signer signs promises. The same digest gives the same signature.
type Signer interface {
	Address() proofs.Address
	SignDigest(digest proofs.Hash) (proofs.Signature, error)
}

// ErrUnsigned is wrapped where there is no promise to hand out: the key that signed it is gone, its deadline is not
// known, or the payload was erased, and with it the beneficiary.
var ErrUnsigned = errors.New("the promise cannot be signed again")

// Key is a promise key that was replaced.
type Key struct {
	Address proofs.Address
	Until   uint64 // it signed the promises of entries below it
	Signer  Signer // nil: the key is gone
}

// Mark says, outside the store, how far was promised.
type Mark interface {
	// Cover returns nil when it is on stable storage that the entry at index was promised.
	Cover(index uint64) error
}

// Folds gives finalized receipts a second anchor.
type Folds interface {
	// Attach returns the receipt with a fold, or an error that wraps proofs.ErrNotFound while there is none.
	Attach(ctx context.Context, rc *proofs.Receipt) (*proofs.Receipt, error)
}

// Issuer issues the receipts of one log.
type Issuer struct {
	// Set before the first receipt.
	Folds Folds // nil: none
	Older []Key // keys that were replaced, by Until
	Mark  Mark  // nil: none
	// Durable bounds what is promised: an entry of that index or above may not be on stable storage, and is not found. nil:
	// all that the store finds is.
	Durable func() uint64

	chain  proofs.Chain
	domain proofs.Domain
	store  Store
	signer Signer
}

// New returns an Issuer. The signer is the newest promise key.
func New(chain proofs.Chain, store Store, signer Signer) *Issuer {
	return &Issuer{chain: chain, domain: chain.PromiseDomain(), store: store, signer: signer}
}

// Promise signs the promise for an accepted entry, which must be on stable storage, with the key of its
// time: the same one each time. The error wraps ErrUnsigned if that cannot be, and that of Mark if nothing
// may be promised now.
func (i *Issuer) Promise(a *proofs.Accepted) (proofs.Promise, error) {
	p := a.Promise()
	if a.Message == nil {
		return proofs.Promise{}, fmt.Errorf("sign the promise for entry %d: %w: its beneficiary was erased with the message", p.Index, ErrUnsigned)
	}
	if p.Deadline == 0 {
		return proofs.Promise{}, fmt.Errorf("sign the promise for entry %d: %w: its deadline was not recovered", p.Index, ErrUnsigned)
	}
	sign, address := i.keyOf(p.Index)
	if sign == nil {
		return proofs.Promise{}, fmt.Errorf("sign the promise for entry %d: %w: %s signed it, and the keystore has that key no more", p.Index, ErrUnsigned, address)
	}
	if i.Mark != nil {
		if err := i.Mark.Cover(p.Index); err != nil {
			return proofs.Promise{}, fmt.Errorf("promise entry %d: %w", p.Index, err)
		}
	}
	var err error
	if p.Signature, err = sign.SignDigest(i.domain.PromiseDigest(&p)); err != nil {
		return proofs.Promise{}, fmt.Errorf("sign the promise for entry %d: %w", p.Index, err)
	}
	return p, nil
}

// keyOf returns the key of the promise for the entry at index; the signer is nil if it is gone.
func (i *Issuer) keyOf(index uint64) (Signer, proofs.Address) {
	for _, k := range i.Older {
		if index < k.Until {
			return k.Signer, k.Address
		}
	}
	return i.signer, i.signer.Address()
}

// Status is how far a message has come.
type Status struct {
	Accepted proofs.Accepted
	State    proofs.State
	Batch    *proofs.Sealed // nil while the entry is in the pool
}

// Status returns how far the message has come, or an error that wraps proofs.ErrNotFound.
func (i *Issuer) Status(ctx context.Context, id proofs.Hash) (Status, error) {
	a, err := i.store.Find(ctx, id)
	if err != nil {
		return Status{}, err
	}
	if a.Entry.Message != id {
		return Status{}, fmt.Errorf("find %s: the store has %s there", id, a.Entry.Message)
	}
	if i.Durable != nil && a.Entry.Index >= i.Durable() {
		return Status{}, fmt.Errorf("find %s: %w: it may not be on stable storage", id, proofs.ErrNotFound)
	}
	s := Status{Accepted: a, State: proofs.StateAccepted}
	b, err := i.store.BatchOf(ctx, a.Entry.Index)
	if errors.Is(err, proofs.ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return Status{}, err
	}
	if !b.Contains(a.Entry.Index) || b.State >= proofs.StateIncluded && b.Anchor == nil {
		return Status{}, fmt.Errorf("find the batch of entry %d: the store has batch %d, %d entries from %d, %s", a.Entry.Index, b.Number, b.Size, b.First, b.State)
	}
	s.State, s.Batch = b.State, &b
	return s, nil
}

// Receipt returns the message's receipt at the best level there is, verified, or an error that wraps
// proofs.ErrNotFound.
func (i *Issuer) Receipt(ctx context.Context, id proofs.Hash) (*proofs.Receipt, error) {
	s, err := i.Status(ctx, id)
	if err != nil {
		return nil, err
	}
	rc, err := i.issue(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("issue the receipt of %s: %w", id, err)
	}
	return rc, nil
}

func (i *Issuer) issue(ctx context.Context, s Status) (*proofs.Receipt, error) {
	a := s.Accepted
	rc := &proofs.Receipt{Chain: i.chain, Message: a.Message, Entry: a.Entry, Hints: json.RawMessage("{}")}
	if a.Message != nil {
		rc.Evidence = &a.Evidence
	}
	switch p, err := i.Promise(&a); {
	case err == nil:
		rc.Promise = &p
	case s.State < proofs.StateIncluded || !errors.Is(err, ErrUnsigned):
		return nil, err // a receipt that is not anchored is nothing without its promise
	}
	if s.State < proofs.StateIncluded {
		return rc, i.check(rc)
	}
	b := s.Batch
	rc.Level, rc.Batch, rc.Anchor = proofs.Included, &b.Batch, b.Anchor
	if s.State == proofs.StateFinalized {
		rc.Level = proofs.Finalized
	}
	var err error
	if rc.Inclusion, err = i.store.Prove(ctx, b.Batch, a.Entry.Index-b.First); err != nil {
		return nil, err
	}
	if rc.Hints, err = json.Marshal(map[string]any{"tx": b.Tx, "cid": proofs.FormatCID(b.CID)}); err != nil {
		return nil, err
	}
	if rc, err = i.fold(ctx, rc); err != nil {
		return nil, err
	}
	return rc, i.check(rc)
}

// fold returns the receipt with a fold if there is one for it.
func (i *Issuer) fold(ctx context.Context, rc *proofs.Receipt) (*proofs.Receipt, error) {
	if i.Folds == nil || rc.Level < proofs.Finalized {
		return rc, nil
	}
	folded, err := i.Folds.Attach(ctx, rc)
	if errors.Is(err, proofs.ErrNotFound) {
		return rc, nil
	}
	return folded, err
}

// check verifies the receipt as a stranger would who trusts this log. Nothing may fail; what needs a
// block hash stays open.
func (i *Issuer) check(rc *proofs.Receipt) error {
	_, key := i.keyOf(rc.Entry.Index)
	trust := &proofs.Trust{Logs: []proofs.TrustedLog{{Chain: i.chain, PromiseKeys: []proofs.Address{key}}}}
	o := proofs.Options{Trust: trust}
	if rc.Anchor != nil {
		o.BlockHash = rc.Anchor.Block.Hash
	}
	switch report := proofs.Verify(rc.Format(), o); report.Verdict {
	case proofs.Valid, proofs.NotFinal, proofs.PromiseBroken:
		return nil
	case proofs.Undetermined: // a scheme that this version does not check
		return nil
	default:
		_, err := report.Verified()
		return err
	}
}
