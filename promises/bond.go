package promises

import (
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/proofs"
)

// at returns the bond at a head.
func (j *Judge) at(ctx context.Context, h *logbook.Head) (*bond.State, error) {
	j.mu.Lock()
	s := j.state
	j.mu.Unlock()
	if s != nil && s.Block.Hash == h.Block.Hash {
		return s, nil
	}
	s, err := bond.ReadAt(ctx, j.cfg.Nodes, j.cfg.Book.Log(), h.Block)
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state, j.keys = s, map[proofs.Address]bond.Key{}
	return s, nil
}

// key returns until when a signer's promises count, as of a head.
func (j *Judge) key(ctx context.Context, s *bond.State, signer proofs.Address) (bond.Key, error) {
	j.mu.Lock()
	k, ok := j.keys[signer]
	ok = ok && j.state == s
	j.mu.Unlock()
	if ok {
		return k, nil
	}
	k, err := s.Key(ctx, j.cfg.Nodes, signer)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err == nil && j.state == s {
		j.keys[signer] = k
	}
	return k, err
}

// enforceable returns who signed the promise, its key, and why the bond could not be slashed for it at the head.
func (j *Judge) enforceable(ctx context.Context, h *logbook.Head, p *proofs.Promise) (signer proofs.Address, k bond.Key, why, err error) {
	s, err := j.at(ctx, h)
	if err != nil {
		return signer, k, nil, err
	}
	signer, unsigned := proofs.Recover(s.Log.PromiseDomain().PromiseDigest(p), p.Signature)
	if unsigned != nil {
		return signer, k, fmt.Errorf("%w: the promise has no valid signature: %w", bond.ErrNotBacked, unsigned), nil
	}
	if !s.Ours {
		return signer, k, s.Live(k), nil
	}
	if k, err = j.key(ctx, s, signer); err != nil {
		return signer, k, nil, err
	}
	switch {
	case s.Broken:
		why = errors.New("the bond was slashed")
	case s.Amount.Sign() == 0:
		why = errors.New("the bond is empty")
	case k.Until == 0:
		why = fmt.Errorf("the signer %s is no promise key of the bond", signer)
	case h.Block.Time >= k.Until:
		why = fmt.Errorf("promises of the key %s counted until %s", signer, timeText(k.Until))
	}
	if why != nil {
		why = fmt.Errorf("%w: %w", bond.ErrNotBacked, why)
	}
	return signer, k, why, nil
}

// closed says how a challenge ended. Neither: it did not, or the nodes do not show how.
type closed struct {
	answered, concluded bool
	final               bool // it ended in a final block
	gone                bool // the bond may leave, and is not challenged any more
}

// challenge reads the promise's challenge into the finding, and how it ended.
func (j *Judge) challenge(ctx context.Context, f *Finding) (c closed, err error) {
	s, err := j.at(ctx, &f.Head)
	if err != nil || !s.Ours {
		return c, err
	}
	c.gone = s.LeavesAt != 0 && f.Head.Block.Time >= s.LeavesAt
	id := bond.PromiseID(s.Log, &f.Promise)
	if f.Challenge, err = s.Challenge(ctx, j.cfg.Nodes, id); err != nil || f.Challenge == nil || !f.Challenge.Closed {
		return c, err
	}
	f.Challenge.Promise = f.Promise
	block, err := j.event(ctx, f, id, answeredEvent)
	if err != nil {
		return c, err
	}
	// A challenge that was concluded broke the bond, if nothing else had.
	if c.answered = block > 0 || !s.Broken; !c.answered {
		if block, err = j.event(ctx, f, id, concludedEvent); err != nil {
			return c, err
		}
		c.concluded = block > 0
	}
	c.final = block > 0 && block <= f.Head.FinalBlock.Number
	return c, nil
}

var (
	bondABI        = bindings.NewPromiseBond().GetABI()
	answeredEvent  = proofs.Hash(bondABI.Events[bindings.PromiseBondAnsweredEventName].ID)
	concludedEvent = proofs.Hash(bondABI.Events[bindings.PromiseBondConcludedEventName].ID)
)

// event returns the block in which the bond said that of the promise, and 0 if it did not. A lead becomes a fact when
// enough nodes have it in its transaction's receipt, in a block of the chain.
func (j *Judge) event(ctx context.Context, f *Finding, id, event proofs.Hash) (block uint64, err error) {
	log := j.cfg.Book.Log()
	topics := []proofs.Hash{event, log.Log, id}
	fits := func(l *types.Log) bool {
		if proofs.Address(l.Address) != log.PromiseBond || len(l.Topics) != len(topics) {
			return false
		}
		for i, t := range topics {
			if proofs.Hash(l.Topics[i]) != t {
				return false
			}
		}
		return true
	}
	err = j.cfg.Book.Walk(ctx, f.Batch.Block.Number, log.PromiseBond, func(l types.Log) (bool, error) {
		r, err := j.cfg.Nodes.TxReceipt(ctx, proofs.Hash(l.TxHash))
		if err != nil {
			return false, ctx.Err()
		}
		for _, said := range r.Logs {
			if !fits(said) {
				continue
			}
			b, err := j.cfg.Nodes.BlockAt(ctx, r.BlockNumber)
			if err == nil && b.Hash == r.Block && b.Number <= f.Head.Block.Number {
				block = b.Number
			}
			return block > 0, ctx.Err()
		}
		return false, nil
	}, topics...)
	if err != nil {
		return 0, fmt.Errorf("find how the challenge ended: %w", err)
	}
	return block, nil
}
