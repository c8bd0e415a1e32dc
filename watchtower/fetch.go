package watchtower

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
)

// fetching is which batches' leaves are here, and what became of fetching the others, by root.
type fetching struct {
	held  map[proofs.Hash]bool
	tried map[proofs.Hash]attempt
	first uint64 // every batch before it is held
}

// attempt is something that failed and is tried again.
type attempt struct {
	n    int
	next time.Time
	err  error
}

func newFetching() fetching {
	return fetching{held: map[proofs.Hash]bool{}, tried: map[proofs.Hash]attempt{}}
}

// mostWait is the longest time between two attempts.
const mostWait = time.Hour

// again is the attempt after one more failure: each waits twice as long as the one before.
func (a attempt) again(now time.Time, every time.Duration, err error) attempt {
	return attempt{a.n + 1, now.Add(min(mostWait, every<<min(a.n, 16))), err}
}

// holds reports whether the batch's leaves are in the cache.
func (l *followed) holds(b proofs.Batch) bool {
	held, known := l.store.held[b.Root]
	if !known {
		held = l.w.cache.has(b)
		l.store.held[b.Root] = held
	}
	return held
}

// Leaves is for the judge, who asks nobody else.
func (l *followed) Leaves(_ context.Context, b proofs.Batch) ([]proofs.Hash, error) {
	return l.leaves(b)
}

// leaves returns what is in the cache. The error wraps proofs.ErrNotFound if it is not there, and says why.
func (l *followed) leaves(b proofs.Batch) ([]proofs.Hash, error) {
	if l.holds(b) {
		leaves, err := l.w.cache.get(b)
		if errors.Is(err, proofs.ErrNotFound) {
			l.store.held[b.Root] = false
			l.store.first = min(l.store.first, b.Number)
		}
		return leaves, err
	}
	switch a, tried := l.store.tried[b.Root]; {
	case l.w.cfg.Blocks == nil:
		return nil, fmt.Errorf("%w: no gateway was given", proofs.ErrNotFound)
	case tried:
		return nil, fmt.Errorf("%w: asked %d times: %w", proofs.ErrNotFound, a.n, a.err)
	}
	return nil, fmt.Errorf("%w: not asked for yet", proofs.ErrNotFound)
}

// mostFetch is the longest that one batch may take to fetch.
const mostFetch = 15 * time.Minute

// fetchTime is how long a batch may take: some 600 kB/s, after a minute.
func fetchTime(b proofs.Batch) time.Duration {
	return min(mostFetch, time.Minute+time.Duration(min(b.Size, proofs.MaxBatch))*time.Millisecond)
}

// fetch gets what is not held: first what promises wait for, then every batch, so that it is here when it is not shown any
// more. After Config.Every no other batch is begun. The error is of the cache.
func (l *followed) fetch(ctx context.Context) error {
	if l.w.cfg.Blocks == nil {
		return nil
	}
	began, got := time.Now(), 0
	get := func(b proofs.Batch) error {
		if l.holds(b) || time.Since(began) >= l.w.cfg.Every {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, fetchTime(b))
		defer cancel()
		fresh, err := l.get(ctx, b)
		if fresh {
			got++
		}
		return err
	}
	err := l.fetchPromised(get)
	if err == nil {
		err = l.fetchAll(ctx, get)
	}
	if got > 0 {
		l.report(Event{Kind: KindBatch, Detail: fmt.Sprintf("the leaves of %d more batches are here; the log has %d", got, l.book.Head().Batches)})
	}
	return err
}

func (l *followed) fetchPromised(get func(proofs.Batch) error) error {
	for _, x := range l.promises {
		if b, ok := l.book.BatchOf(x.Index); ok {
			if err := get(b.Batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *followed) fetchAll(ctx context.Context, get func(proofs.Batch) error) error {
	for number := l.store.first; ctx.Err() == nil; number++ {
		b, ok := l.book.Batch(number)
		if !ok {
			return nil
		}
		if err := get(b.Batch); err != nil {
			return err
		}
		if number == l.store.first && number < l.book.Head().Final && l.holds(b.Batch) {
			l.store.first++
		}
	}
	return nil
}

// get fetches a batch if it is not held and it is time to ask again.
func (l *followed) get(ctx context.Context, b proofs.Batch) (fresh bool, err error) {
	now, was := l.w.cfg.Now(), l.store.tried[b.Root]
	if l.holds(b) || now.Before(was.next) || ctx.Err() != nil {
		return false, nil
	}
	leaves, err := payload.ReadLeaves(ctx, l.w.cfg.Blocks, b)
	if err == nil {
		if err = l.w.cache.put(b, leaves); err != nil {
			return false, fmt.Errorf("keep batch %d: %w", b.Number, err)
		}
		l.store.held[b.Root] = true
		if was.n > 0 {
			l.report(Event{Kind: KindBatch, Batch: &b.Number, Detail: "what it holds is here now"})
		}
		delete(l.store.tried, b.Root)
		return true, nil
	}
	if kind := kindOf(err); was.n == 0 || kind != kindOf(was.err) {
		l.report(Event{Kind: KindBatch, Batch: &b.Number, Detail: fmt.Sprintf("%s: %v", kind, err)})
	}
	l.store.tried[b.Root] = was.again(now, l.w.cfg.Every, err)
	return false, nil
}

// kindOf says in a few words why a batch is not here.
func kindOf(err error) string {
	switch {
	case errors.Is(err, payload.ErrForged):
		return "what was anchored with it is not what it holds"
	case errors.Is(err, proofs.ErrNotFound):
		return "no gateway has it"
	}
	return "it cannot be fetched"
}
