package pins

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Status returns how each target does, in their order.
func (k *Keeper) Status() (all []Status) {
	for _, p := range k.places {
		p.mu.Lock()
		all = append(all, p.status)
		p.mu.Unlock()
	}
	return all
}

// Backlog returns how many batches the i-th target does not hold, and how many it holds.
func (k *Keeper) Backlog(ctx context.Context, i int) (missing, held uint64, err error) {
	pinned, held, err := k.cfg.Store.Held(ctx, k.places[i].ID())
	return pinned - min(held, pinned), held, err
}

// Require returns how many places must hold a batch before it is anchored.
func (k *Keeper) Require() int { return k.cfg.Require }

// Holders returns the names of the places that hold the batch: the embedded node, if it does, and then the targets.
func (k *Keeper) Holders(ctx context.Context, s *proofs.Sealed) (names []string, err error) {
	if s.CID.IsZero() {
		return nil, nil
	}
	holders, err := k.cfg.Store.Holders(ctx, s.Number)
	if err != nil {
		return nil, err
	}
	names = []string{Embedded}
	for _, p := range k.places {
		if slices.Contains(holders, p.ID()) {
			names = append(names, p.Name())
		}
	}
	return names, nil
}

// Enough returns the batches up to the first that waits for its first transaction and that too few places hold. The batches are
// pinned and in order.
func (k *Keeper) Enough(ctx context.Context, batches []proofs.Sealed) ([]proofs.Sealed, error) {
	for i := range batches {
		s := &batches[i]
		if k.cfg.Require <= 1 || s.State != proofs.StateBatched || len(s.Txs) > 0 {
			continue
		}
		holders, err := k.cfg.Store.Holders(ctx, s.Number)
		if err != nil {
			return nil, err
		}
		w := &waiting{number: s.Number, held: 1, since: time.Now()}
		for _, p := range k.places {
			if slices.Contains(holders, p.ID()) {
				w.held++
			} else {
				w.missing = append(w.missing, p)
			}
		}
		if w.held < k.cfg.Require {
			k.wait(w)
			return batches[:i], nil
		}
	}
	k.wait(nil)
	return batches, nil
}

// wait keeps what waits.
func (k *Keeper) wait(w *waiting) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w != nil && k.waiting != nil && k.waiting.number == w.number {
		w.since = k.waiting.since
	}
	k.waiting = w
}

// Delay says why a batch is not anchored yet.
type Delay struct {
	Detail string // for the operator: it has what targets say
	Since  time.Time
	Next   time.Time // attempt at a target that failed; zero: none is waited for
}

// Delay returns why a batch waits for targets, and nil if none does, or none for long and no target fails that it waits for.
func (k *Keeper) Delay() *Delay {
	k.mu.Lock()
	w := k.waiting
	k.mu.Unlock()
	if w == nil {
		return nil
	}
	d := &Delay{Since: w.since}
	fails := false
	var texts []string
	for _, p := range w.missing {
		p.mu.Lock()
		s := p.status
		p.mu.Unlock()
		text := s.Name + " (does not have it yet)"
		if s.Err != nil {
			fails, text = true, fmt.Sprintf("%s (%s)", s.Name, s.Err)
			if d.Next.IsZero() || s.Next.Before(d.Next) {
				d.Next = s.Next
			}
		}
		texts = append(texts, text)
	}
	if !fails && time.Since(w.since) < k.cfg.patience {
		return nil
	}
	d.Detail = fmt.Sprintf("batch %d is held by %d of the %d places that --pin-require wants; without it: %s",
		w.number, w.held, k.cfg.Require, strings.Join(texts, ", "))
	return d
}

// tellEvery is how late it may be said that anchoring waits.
const tellEvery = time.Second

// tell says when batches begin to wait for targets, and again each hour, and when that ends.
func (k *Keeper) tell(ctx context.Context) error {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		d := k.Delay()
		k.mu.Lock()
		was := k.delayed
		k.delayed = d != nil
		say := d != nil && (!was || time.Since(k.told) >= warnEvery)
		if say {
			k.told = time.Now()
		}
		k.mu.Unlock()
		switch {
		case say:
			k.cfg.Logger.WarnContext(ctx, "anchoring waits for copies", "reason", d.Detail, "since", d.Since)
		case was && d == nil:
			k.cfg.Logger.InfoContext(ctx, "anchoring does not wait for copies any more")
		}
		if was != (d != nil) {
			k.cfg.Changed()
		}
	}
}

// note keeps what became of an attempt, and says so once an hour while it fails.
func (k *Keeper) note(ctx context.Context, p *place, err error, pause time.Duration) {
	if err == nil {
		k.well(ctx, p)
		return
	}
	now := time.Now()
	p.mu.Lock()
	if p.status.Err == nil {
		p.status.Since = now
	}
	p.status.Err, p.status.Next = err, now.Add(pause)
	p.status.Errors++
	say := now.Sub(p.warned) >= warnEvery
	if say {
		p.warned, p.said = now, true
	}
	p.mu.Unlock()
	if !say {
		return
	}
	args := []any{"target", p.Name(), "err", err, "next_in", pause}
	if pinned, held, err := k.cfg.Store.Held(ctx, p.ID()); err == nil {
		args = append(args, "batches_missing", pinned-held)
	}
	k.cfg.Logger.WarnContext(ctx, "target fails; it is tried again", args...)
}

// pass says, once an hour, that a batch is passed over.
func (k *Keeper) pass(ctx context.Context, p *place, number uint64, err error) {
	p.mu.Lock()
	say := time.Since(p.passed) >= warnEvery
	if say {
		p.passed = time.Now()
	}
	p.mu.Unlock()
	if say {
		k.cfg.Logger.WarnContext(ctx, "batch not copied: our own file is not whole", "target", p.Name(), "batch", number, "err", err)
	}
}

// well notes that the target does what it should.
func (k *Keeper) well(ctx context.Context, p *place) {
	p.mu.Lock()
	failed, since := p.status.Err != nil, p.status.Since
	p.status.Err, p.status.Since, p.status.Next = nil, time.Time{}, time.Time{}
	said := p.said
	p.said = p.said && !failed
	p.mu.Unlock()
	if failed && said {
		k.cfg.Logger.InfoContext(ctx, "target works again", "target", p.Name(), "since", since)
	}
}

// warn says what a target knows of itself.
func (k *Keeper) warn(ctx context.Context, p *place) {
	w, ok := p.Target.(warner)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if why := w.Warn(ctx); why != "" {
		k.cfg.Logger.WarnContext(ctx, "target is not to be relied on", "target", p.Name(), "reason", why)
	}
}
