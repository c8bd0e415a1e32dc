package recovery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

const (
	asked     = 8  // questions to sources at a time
	maxNamed  = 20 // batches in an error
	lookahead = 4  // batches whose anchors are asked for before their turn
)

// survey reads every manifest, and returns an error that names the batches without one.
func (r *run) survey(ctx context.Context) error {
	var mu sync.Mutex // guards lost
	lost := map[uint64]error{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(asked)
	for n := range r.count {
		group.Go(func() error {
			b, _ := r.cfg.Log.Batch(n)
			_, _, err := r.check.manifest(ctx, r.from, b, r.prevCID(n))
			if err == nil {
				return nil
			}
			if err = r.blame(n, err); !errors.Is(err, ErrSources) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			lost[n] = err
			return nil
		})
	}
	if err := group.Wait(); err != nil || len(lost) == 0 {
		return err
	}
	numbers := slices.Sorted(maps.Keys(lost))
	err := lost[numbers[0]]
	if more := numbers[1:]; len(more) > 0 {
		err = fmt.Errorf("%w; so are those of %d other batches: %s", err, len(more), named(more))
	}
	return err
}

// named lists the first numbers.
func named(numbers []uint64) string {
	var all []string
	for i, n := range numbers {
		if i == maxNamed {
			all = append(all, "...")
			break
		}
		all = append(all, fmt.Sprint(n))
	}
	return strings.Join(all, ", ")
}

// blame says which batch an error is of.
func (r *run) blame(number uint64, err error) error {
	b, _ := r.cfg.Log.Batch(number)
	if !errors.Is(err, ErrForged) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w: %w", ErrSources, err)
	}
	return fmt.Errorf("batch %d (entries %d to %d, manifest %s): %w", number, b.First, b.First+b.Size-1, proofs.FormatCID(b.CID), err)
}

// job is a batch on its way: what is asked for ahead of its turn.
type job struct {
	batch    proofs.Batch
	block    []byte // the manifest
	manifest *proofs.Manifest
	err      error                   // of the manifest
	chunks   chan future[*chunk]     // in order
	standing future[proofs.Standing] // where it is anchored
}

// future is a result that another goroutine is about to have.
type future[T any] chan result[T]

type result[T any] struct {
	value T
	err   error
}

func start[T any](group *errgroup.Group, work func() (T, error)) future[T] {
	f := make(future[T], 1)
	group.Go(func() error {
		value, err := work()
		f <- result[T]{value, err}
		return nil
	})
	return f
}

// wait returns what next gives, or the error of ctx.
func wait[T any](ctx context.Context, next <-chan T) (value T, err error) {
	select {
	case v, ok := <-next:
		if !ok {
			return value, errors.Join(ctx.Err(), errors.New("the end"))
		}
		return v, nil
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

func (f future[T]) wait(ctx context.Context) (value T, err error) {
	r, err := wait(ctx, f)
	if err != nil {
		return value, err
	}
	return r.value, r.err
}

// rebuild takes one batch after the other, while the chunks of what follows are fetched and checked.
func (r *run) rebuild(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	jobs := make(chan *job, lookahead)
	slots := make(chan struct{}, max(asked, 2*runtime.GOMAXPROCS(0))) // chunks in memory
	group.Go(func() error { return r.ask(ctx, group, jobs, slots) })
	group.Go(func() error {
		for j := range jobs {
			if err := r.take(ctx, j, slots); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return group.Wait()
}

// ask fetches in order what take needs.
func (r *run) ask(ctx context.Context, group *errgroup.Group, jobs chan<- *job, slots chan<- struct{}) error {
	defer close(jobs)
	for n := range r.count {
		j := &job{}
		j.batch, _ = r.cfg.Log.Batch(n)
		j.block, j.manifest, j.err = r.check.manifest(ctx, r.from, j.batch, r.prevCID(n))
		if j.err == nil {
			j.chunks = make(chan future[*chunk], len(j.manifest.Chunks))
			j.standing = start(group, func() (proofs.Standing, error) { return r.cfg.Log.Standing(ctx, n) })
		}
		select {
		case jobs <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
		if j.err != nil {
			return nil
		}
		for _, digest := range j.manifest.Chunks {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			j.chunks <- start(group, func() (*chunk, error) { return r.check.chunk(ctx, r.from, digest, j.batch) })
		}
	}
	return nil
}

// batch is what a batch was found to hold.
type batch struct {
	leaves   []proofs.Hash
	heads    map[proofs.Hash]proofs.RoomHead
	deadline uint64 // the earliest; 0: none is known
}

// take keeps a batch's blocks and stores its entries, its tree and where it stands.
func (r *run) take(ctx context.Context, j *job, slots <-chan struct{}) error {
	if j.err != nil {
		return r.blame(j.batch.Number, j.err)
	}
	b := &batch{heads: map[proofs.Hash]proofs.RoomHead{}}
	name := fmt.Sprintf("hansard batch %d", j.batch.Number) // as payload.Pinner has it
	var tree proofs.Tree
	err := r.cfg.Node.Keep(ctx, name, func(put func([]byte) error) (proofs.Hash, error) {
		for i := range j.manifest.Chunks {
			next, err := wait(ctx, j.chunks)
			if err != nil {
				return proofs.Hash{}, err
			}
			c, err := next.wait(ctx)
			if err != nil {
				return proofs.Hash{}, r.blame(j.batch.Number, fmt.Errorf("chunk %d of %d: %w", i, len(j.manifest.Chunks), err))
			}
			if err := r.add(b, j, c, put); err != nil {
				return proofs.Hash{}, err
			}
			<-slots
		}
		var err error
		if tree, err = b.fits(j); err != nil {
			return proofs.Hash{}, r.blame(j.batch.Number, fmt.Errorf("%w: %w", ErrForged, err))
		}
		r.sum.Bytes += uint64(len(j.block))
		return j.batch.CID, put(j.block)
	})
	if err != nil {
		return err
	}
	standing, err := j.standing.wait(ctx)
	if err != nil {
		return err
	}
	s := proofs.Sealed{
		Batch: j.batch, OpenedAt: j.manifest.OpenedAt, SealedAt: j.manifest.SealedAt, NotBefore: j.manifest.NotBefore, Deadline: b.deadline,
	}
	if s.Stand(standing); s.Time != j.batch.Time {
		return fmt.Errorf("batch %d: %w: its block's time was %d and is %d", j.batch.Number, ErrMoved, j.batch.Time, s.Time)
	}
	if s.State == proofs.StateFinalized {
		r.sum.Final++
	}
	return r.cfg.Store.Seal(s, tree)
}

// add takes a chunk of a batch.
func (r *run) add(b *batch, j *job, c *chunk, put func([]byte) error) error {
	if uint64(len(b.leaves)+len(c.entries)) > j.batch.Size {
		return r.blame(j.batch.Number, fmt.Errorf("%w: it has more entries than the batch", ErrForged))
	}
	if err := put(c.block); err != nil {
		return err
	}
	if err := r.cfg.Store.Add(c.entries); err != nil {
		if errors.Is(err, storage.ErrNotNext) {
			err = r.blame(j.batch.Number, fmt.Errorf("%w: %w", ErrForged, err))
		}
		return err
	}
	for i := range c.entries {
		b.add(&c.entries[i].Accepted)
	}
	r.sum.Bytes += uint64(len(c.block))
	r.sum.Withheld.add(c.withheld)
	r.sum.Late.add(c.late)
	if r.cfg.Progress != nil {
		r.cfg.Progress(Progress{j.batch.Number, r.cfg.Store.Tail().Next})
	}
	return nil
}

func (b *batch) add(a *proofs.Accepted) {
	b.leaves = append(b.leaves, a.Leaf)
	if a.Deadline > 0 && (b.deadline == 0 || a.Deadline < b.deadline) {
		b.deadline = a.Deadline
	}
	e := &a.Entry
	h, ok := b.heads[e.Room]
	if !ok {
		h = proofs.RoomHead{Room: e.Room, First: e.RoomIndex}
	}
	h.Count, h.Head = h.Count+1, a.Leaf
	b.heads[e.Room] = h
}

// fits returns the tree of the batch if its root and its rooms are what the manifest says.
func (b *batch) fits(j *job) (proofs.Tree, error) {
	if uint64(len(b.leaves)) != j.batch.Size {
		return nil, fmt.Errorf("it has %d entries, the batch has %d", len(b.leaves), j.batch.Size)
	}
	tree, err := proofs.NewTree(b.leaves)
	if err != nil {
		return nil, err
	}
	if tree.Root() != j.batch.Root {
		return nil, fmt.Errorf("its leaves do not give the root %s", j.batch.Root)
	}
	for _, h := range j.manifest.Heads {
		if b.heads[h.Room] != h {
			return nil, fmt.Errorf("the manifest says of room %s what its entries do not", h.Room)
		}
	}
	if len(j.manifest.Heads) != len(b.heads) {
		return nil, fmt.Errorf("the manifest names %d rooms, its entries %d", len(j.manifest.Heads), len(b.heads))
	}
	return tree, nil
}
