package bond

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var challengedEvent = contract.GetABI().Events[bindings.PromiseBondChallengedEventName].ID

// PromiseID returns what the contract calls a promise by: the digest that its key signed.
func PromiseID(log proofs.Chain, p *proofs.Promise) proofs.Hash {
	return log.PromiseDomain().PromiseDigest(p)
}

// Challenge is the demand to show the inclusion proof of a promise.
type Challenge struct {
	ID         proofs.Hash
	Promise    proofs.Promise // without its signature; of State.Challenge, which knows only the id, zero
	Challenger proofs.Address
	AnswerBy   uint64 // seconds: the latest time of an answer
	Closed     bool   // it was answered, or concluded
	Block      uint64 // that holds its event, as nodes say; of State.Challenge 0
}

// Challenge reads the challenge of the promise with that id at the state's block: nil if there is none. The bond must
// be Ours.
func (s *State) Challenge(ctx context.Context, q *nodes.Quorum, id proofs.Hash) (*Challenge, error) {
	out, err := q.Call(ctx, s.Block.Hash, s.Log.PromiseBond, contract.PackChallenges(id))
	if err != nil {
		return nil, fmt.Errorf("read challenge %s: %w", id, err)
	}
	v, err := contract.UnpackChallenges(out)
	if err != nil {
		return nil, fmt.Errorf("read challenge %s: no PromiseBond contract at %s: %w", id, s.Log.PromiseBond, err)
	}
	if v.Challenger == (common.Address{}) {
		return nil, nil
	}
	return &Challenge{ID: id, Challenger: proofs.Address(v.Challenger), AnswerBy: v.AnswerBy, Closed: v.Closed}, nil
}

// Challenges returns the challenges of the log's promises whose events nodes find in blocks from to to, in the order of
// the chain. An event is a lead: its promise must hash to its id, and the contract must hold the challenge at the newest
// block. So none is made up; one that all nodes hide is missing, and State.Open still counts it while it is open. A
// promise with numbers over 64 bits is left out.
func Challenges(ctx context.Context, q *nodes.Quorum, log proofs.Chain, from, to uint64) ([]Challenge, error) {
	leads, err := challenged(ctx, q, log, from, to)
	if err != nil {
		return nil, fmt.Errorf("find challenges: %w", err)
	}
	if len(leads) == 0 {
		return nil, nil
	}
	head, err := q.Head(ctx)
	if err != nil {
		return nil, err
	}
	s := &State{Log: log, Block: *head}
	seen := map[proofs.Hash]bool{}
	var all []Challenge
	for i := range leads {
		e, err := contract.UnpackChallengedEvent(&leads[i])
		if err != nil {
			continue // of a node that lies
		}
		p, ok := promiseOf(e.P)
		id := PromiseID(log, &p)
		if !ok || p.Log != log.Log || id != e.Id || seen[id] {
			continue
		}
		seen[id] = true
		c, err := s.Challenge(ctx, q, id)
		if err != nil {
			return nil, err
		}
		if c != nil {
			c.Promise, c.Block = p, leads[i].BlockNumber
			all = append(all, *c)
		}
	}
	return all, nil
}

// challenged returns the leads in blocks from to to. It asks for half of the blocks where nodes refuse: they limit the
// blocks and the events of one question, and how many challenges a block holds is for the challengers to say.
func challenged(ctx context.Context, q *nodes.Quorum, log proofs.Chain, from, to uint64) ([]types.Log, error) {
	leads, err := q.Logs(ctx, from, to, log.PromiseBond, proofs.Hash(challengedEvent), log.Log)
	if err == nil || ctx.Err() != nil || from >= to {
		return leads, err
	}
	if _, headErr := q.Head(ctx); headErr != nil { // nor do they answer anything else
		return nil, err
	}
	middle := from + (to-from)/2
	first, err := challenged(ctx, q, log, from, middle)
	if err != nil {
		return nil, err
	}
	second, err := challenged(ctx, q, log, middle+1, to)
	return append(first, second...), err
}

// OpenChallenges returns the challenges of the log that are open at the state's block, the newest first. It looks for their
// events from that block downwards, in so many blocks at a time, until it has found all Open of them or has reached the
// oldest block.
func (s *State) OpenChallenges(ctx context.Context, q *nodes.Quorum, oldest, window uint64) ([]Challenge, error) {
	var all []Challenge
	for to := s.Block.Number; uint64(len(all)) < uint64(s.Open); {
		from := max(oldest, to-min(to, window-1))
		found, err := Challenges(ctx, q, s.Log, from, to)
		if err != nil {
			return nil, err
		}
		for i := len(found) - 1; i >= 0; i-- {
			if !found[i].Closed {
				all = append(all, found[i])
			}
		}
		if from <= oldest {
			break
		}
		to = from - 1
	}
	return all, nil
}

// promiseOf returns the contract's promise, if its numbers are of 64 bits.
func promiseOf(p bindings.Promise) (proofs.Promise, bool) {
	if !p.Index.IsUint64() || !p.Deadline.IsUint64() {
		return proofs.Promise{}, false
	}
	return proofs.Promise{
		Log: p.Log, Index: p.Index.Uint64(), Leaf: p.Leaf, Deadline: p.Deadline.Uint64(), Beneficiary: proofs.Address(p.Beneficiary),
	}, true
}

func toPromise(p *proofs.Promise) bindings.Promise {
	return bindings.Promise{
		Log: p.Log, Index: toBig(p.Index), Leaf: p.Leaf, Deadline: toBig(p.Deadline), Beneficiary: common.Address(p.Beneficiary),
	}
}

func toBatch(b proofs.Batch) bindings.Batch {
	return bindings.Batch{
		Number: toBig(b.Number), Root: b.Root, First: toBig(b.First), Size: toBig(b.Size), Time: toBig(b.Time), Cid: b.CID,
	}
}

func toHashes(all []proofs.Hash) [][32]byte {
	out := make([][32]byte, len(all))
	for i, h := range all {
		out[i] = h
	}
	return out
}

func toBig(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
