package watchtower

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// challenges are those of a log that were found on the chain.
type challenges struct {
	known    map[proofs.Hash]bond.Challenge
	from, to uint64 // blocks that were looked through; to 0: none
}

// rescan is how many blocks are looked through again each time: a reorg may move a challenge.
const rescan = 64

// act does what is to be done and allowed. An error is of what could not be found out; what could not be sent is reported
// and tried again.
func (l *followed) act(ctx context.Context) error {
	if l.bond == nil {
		return nil
	}
	if err := l.findChallenges(ctx); err != nil {
		return fmt.Errorf("find challenges: %w", err)
	}
	if l.w.cfg.Sender == nil {
		return nil
	}
	var errs []error
	if l.w.cfg.Answer && l.bond.Amount.Sign() != 0 {
		errs = append(errs, l.answerAll(ctx))
	}
	demanded := l.demanded()
	for _, x := range l.promises {
		action := l.next(x, demanded)
		if action == promises.Challenge && l.w.demands >= l.w.cfg.Demands {
			l.w.say(ctx, "challenge promises", fmt.Errorf("%d were challenged since the start, and no more are: deposits are lost to an operator that answers; "+
				"start again with more, or look whether other gateways show batch %d", l.w.demands, x.finding.Batch.Number))
			continue
		}
		if action == promises.None || !l.do(ctx, x.id, x.finding, action) {
			continue
		}
		if action != promises.Challenge {
			break // the bond is gone: what else is due is decided about again
		}
		l.w.demands++
		demanded[x.finding.Batch.Number] = true
	}
	return errors.Join(errs...)
}

// maxDemands is how many challenges of ours are open at once: one that is not answered takes all of the bond, and a gateway
// that is down for us alone must not cost a deposit for each batch.
const maxDemands = 3

// demanded returns the batches with a challenge of ours that is open.
func (l *followed) demanded() map[uint64]bool {
	batches := map[uint64]bool{}
	for _, c := range l.open.known {
		if b, ok := l.book.BatchOf(c.Promise.Index); ok && c.Challenger == l.w.cfg.Sender.Address() {
			batches[b.Number] = true
		}
	}
	return batches
}

// next is what is to be done about a promise and allowed.
func (l *followed) next(x *watched, demanded map[uint64]bool) promises.Action {
	f := x.finding
	switch {
	case f == nil || !x.counts:
		return promises.None
	case f.Enforceable != nil:
		// The bond is gone, and a deposit of ours comes back all the same.
		if f.Next == promises.Conclude && f.Challenge.Challenger == l.w.cfg.Sender.Address() && (l.w.cfg.Demand || l.w.cfg.Slash) {
			return f.Next
		}
		return promises.None
	}
	switch cfg := &l.w.cfg; {
	case f.Next == promises.Conclude && (cfg.Demand || cfg.Slash), f.Next == promises.Slash && cfg.Slash && f.Final:
		return f.Next
	case f.Next == promises.Challenge && cfg.Demand && f.Batch.Number < f.Head.Final && !demanded[f.Batch.Number] && len(demanded) < maxDemands:
		a := l.store.tried[f.Batch.Root]
		if errors.Is(a.err, payload.ErrForged) || a.n > 0 && cfg.Now().Sub(x.since) >= cfg.Patience {
			return f.Next
		}
	}
	return promises.None
}

// findChallenges reads the log's open challenges. While the contract counts none, none is looked for.
func (l *followed) findChallenges(ctx context.Context) error {
	head := l.bond.Block.Number
	if l.bond.Open == 0 {
		clear(l.open.known)
		l.open.from, l.open.to = head+1, head
		return nil
	}
	window := cmp.Or(l.w.cfg.Window, defaultWindow)
	for start := max(l.w.cfg.FromBlock, l.open.to-min(l.open.to, rescan)); l.open.to != 0 && start <= head; start += window {
		if err := l.scan(ctx, start, min(head, start+window-1)); err != nil {
			return err
		}
	}
	if l.open.to == 0 {
		l.open.from = head + 1
	}
	l.open.to = head
	for id, c := range l.open.known {
		now, err := l.bond.Challenge(ctx, l.w.cfg.Nodes, id)
		if err != nil {
			return err
		}
		if now == nil || now.Closed { // or a reorg took it away
			delete(l.open.known, id)
			continue
		}
		c.AnswerBy = now.AnswerBy
		l.open.known[id] = c
	}
	for uint32(len(l.open.known)) < l.bond.Open && l.open.from > l.w.cfg.FromBlock {
		from := l.open.from - min(window, l.open.from-l.w.cfg.FromBlock)
		if err := l.scan(ctx, from, l.open.from-1); err != nil {
			return err
		}
		l.open.from = from
	}
	return nil
}

// defaultWindow is logbook's, in blocks.
const defaultWindow = 2_000

// scan takes the open challenges of some blocks.
func (l *followed) scan(ctx context.Context, from, to uint64) error {
	found, err := bond.Challenges(ctx, l.w.cfg.Nodes, l.chain, from, to)
	if err != nil {
		return err
	}
	for _, c := range found {
		if _, known := l.open.known[c.ID]; known || c.Closed {
			continue
		}
		l.open.known[c.ID] = c
		p := c.Promise
		l.report(Event{Kind: KindChallenge, Promise: &p, ID: c.ID, AnswerBy: c.AnswerBy, Detail: fmt.Sprintf("challenged by %s", c.Challenger)})
	}
	return nil
}

// answerAll answers the open challenges whose proof is here.
func (l *followed) answerAll(ctx context.Context) error {
	var errs []error
	for id, c := range l.open.known {
		if l.bond.Block.Time > c.AnswerBy {
			continue
		}
		b, ok := l.book.BatchOf(c.Promise.Index)
		if !ok || !l.holds(b.Batch) {
			continue
		}
		f, err := l.judge.Decide(ctx, c.Promise, nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("challenge of the promise for index %d: %w", c.Promise.Index, err))
			continue
		}
		if f.Outcome == promises.Kept && f.Inclusion != nil && l.do(ctx, id, f, promises.Answer) {
			delete(l.open.known, id)
		}
	}
	return errors.Join(errs...)
}

// do sends the transaction of an action, unless it failed a short while ago. It reports what became of it.
func (l *followed) do(ctx context.Context, id proofs.Hash, f *promises.Finding, a promises.Action) (done bool) {
	now, was := l.w.cfg.Now(), l.retry[id]
	if now.Before(was.next) {
		return false
	}
	p := f.Promise
	e := Event{Kind: KindSent, Promise: &p, ID: id, Action: a.String()}
	planned, err := l.judge.Plan(ctx, f, a)
	if err == nil {
		err = l.judge.Simulate(ctx, l.w.cfg.Sender.Address(), planned)
	}
	if err == nil {
		paid, sendErr := l.w.cfg.Sender.Send(ctx, planned)
		if err = sendErr; paid != nil {
			e.Tx, e.Cost = paid.Tx, paid.Wei
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			l.retry[id] = was.again(now, l.w.cfg.Every, err)
			l.report(Event{Kind: KindTrouble, Promise: &p, ID: id, Action: a.String(), Tx: e.Tx, Cost: e.Cost, Detail: fmt.Sprintf("%s: %v", a, err)})
		}
		return false
	}
	delete(l.retry, id)
	e.Detail = planned.What
	l.report(e)
	return true
}
