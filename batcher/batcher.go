// Package batcher takes messages, gives each its place in the log, and seals what it took into
// batches under one root.
//
// # Order of durable writes
//
// One loop, Batcher.sequence, assigns index, room index and room chain, and appends whole groups of
// entries to the Store: many messages, one write, then the answers. A message is acknowledged only
// after Store.Append returned nil. A second loop, Batcher.seal, takes the pool when it is full or old
// enough, builds its tree and stores the batch with Store.Seal. Nothing else is written.
//
// If the process dies before Append returns, the entries may be durable without an answer: the same
// message again is found and gets the same place. If it dies before Seal returns, the entries are in
// the pool again at the next start, and may be sealed with others: no root was shown to anybody.
//
// TestKill in package storage kills the process at random moments and checks this from disk.
package batcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/proofs"
)

// Store is the log on stable storage. Seal may run beside the others, which one goroutine calls.
type Store interface {
	// Tail returns where the log ends.
	Tail(context.Context) (proofs.Tail, error)
	// Room returns where a room ends.
	Room(context.Context, proofs.Hash) (proofs.RoomTail, error)
	// Known returns the entries of those message ids that the store holds.
	Known(context.Context, []proofs.Hash) (map[proofs.Hash]proofs.Accepted, error)
	// Read returns n entries from index first, in order, or an error.
	Read(ctx context.Context, first, n uint64) ([]proofs.Accepted, error)
	// Append stores entries that follow the tail, all or none. When it returns nil they are on stable
	// storage and found by Find. An error that wraps proofs.ErrRefused says that nothing was written; after
	// any other error the outcome is unknown.
	Append(ctx context.Context, t proofs.Tail, entries []proofs.Accepted) error
	// Seal stores the batch and its tree, all or none as seen by every reader, and durably. An error that
	// wraps proofs.ErrRefused says that it may be tried again.
	Seal(context.Context, proofs.Sealed, proofs.Tree) error
}

// Defaults of Config.
const (
	DefaultMaxMessages = 4096             // 12 siblings a proof; an anchor costs 10 gas a message
	DefaultMaxAge      = 10 * time.Minute // what a delegate waits at most before the transaction is sent
	DefaultPromise     = 24 * time.Hour   // far more than ten anchoring intervals: fees spike for hours
	DefaultAhead       = 5 * time.Minute  // clocks of phones and laptops are within it
	DefaultQueue       = 8192             // requests; with their bodies at most 64 MiB, see maxQueued
	DefaultHold        = 16               // times MaxMessages: four siblings more, and the sixteenth part of the anchors
	DefaultUrgent      = 4                // Promise through this: of a day, six hours are left to anchor in
)

const (
	maxGroup      = 512      // entries of one Append: enough to share a sync, few enough that others are verified meanwhile
	maxGroupBytes = 2 << 20  // of one Append: a badger transaction holds 9 MB
	maxQueued     = 64 << 20 // bytes of bodies and evidence that wait
	maxHold       = 1 << 18  // messages that a pool is held for by default: 264 MiB while it is sealed
)

// Config says how to batch. Zero fields take the defaults above.
type Config struct {
	Chain       proofs.Chain // the log and where it lives
	Store       Store
	MaxMessages uint64             // seal when the pool holds so many entries
	MaxAge      time.Duration      // seal when the pool's oldest entry is so old
	Promise     time.Duration      // from acceptance to the promised deadline
	Ahead       time.Duration      // how far sentAt may lie ahead of our clock
	Queue       int                // requests that wait before new ones are refused
	NotBefore   func() proofs.Hash // newest block known; nil: none
	Recover     proofs.Recoverer   // nil: proofs.Recover
	Sealed      func()             // called after each Seal; nil: nothing
	Logger      *slog.Logger       // nil: slog.Default()
	Now         func() time.Time   // what the clock says; ages are measured without it. nil: time.Now

	// Hold reports whether a batch could not be anchored now. It is asked whenever a pool is full or old,
	// and every second from then on, and must answer from memory. nil: never.
	Hold func() bool
	// HoldMessages seals a pool that is held, when it has so many entries: each takes 300 bytes of memory,
	// and 1,000 while it is sealed. 0: DefaultHold x MaxMessages, but no more than 2^18 unless MaxMessages is.
	HoldMessages uint64
	// Urgent seals a pool that is held, once the first of its promises is due in so long. 0: Promise / DefaultUrgent.
	Urgent time.Duration

	// Refuse says why nothing new can be promised now, and nil if it can. It is asked before messages are given
	// their places, never for one that is known, and must answer from memory. nil: never.
	Refuse func() *BusyError
}

func (c Config) validate() error {
	var errs []error
	if c.Store == nil {
		errs = append(errs, errors.New("no Store"))
	}
	if c.Chain.Log.IsZero() {
		errs = append(errs, errors.New("no log in Chain"))
	}
	if c.MaxMessages > proofs.MaxBatch {
		errs = append(errs, fmt.Errorf("limit MaxMessages: %d is over %d", c.MaxMessages, uint64(proofs.MaxBatch)))
	}
	if c.HoldMessages > proofs.MaxBatch {
		errs = append(errs, fmt.Errorf("limit HoldMessages: %d is over %d", c.HoldMessages, uint64(proofs.MaxBatch)))
	}
	if d := c.withDefaults(); d.HoldMessages < d.MaxMessages {
		errs = append(errs, fmt.Errorf("limit HoldMessages: %d is below MaxMessages, %d", d.HoldMessages, d.MaxMessages))
	}
	for name, d := range map[string]time.Duration{"MaxAge": c.MaxAge, "Promise": c.Promise, "Ahead": c.Ahead, "Urgent": c.Urgent} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative", name, d))
		}
	}
	if d := c.withDefaults(); d.Promise <= d.MaxAge {
		errs = append(errs, fmt.Errorf("span Promise: %s is not longer than MaxAge, %s: it could not be kept", d.Promise, d.MaxAge))
	}
	if c.Queue < 0 {
		errs = append(errs, fmt.Errorf("limit Queue: %d is negative", c.Queue))
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	set(&c.MaxMessages, DefaultMaxMessages)
	set(&c.MaxAge, DefaultMaxAge)
	set(&c.Promise, DefaultPromise)
	set(&c.Ahead, DefaultAhead)
	set(&c.Queue, DefaultQueue)
	set(&c.HoldMessages, max(c.MaxMessages, min(DefaultHold*c.MaxMessages, maxHold)))
	set(&c.Urgent, c.Promise/DefaultUrgent)
	if c.NotBefore == nil {
		c.NotBefore = func() proofs.Hash { return proofs.Hash{} }
	}
	if c.Refuse == nil {
		c.Refuse = func() *BusyError { return nil }
	}
	if c.Recover == nil {
		c.Recover = proofs.Recover
	}
	if c.Sealed == nil {
		c.Sealed = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func set[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

// Batcher is one writer of one log.
type Batcher struct {
	cfg    Config
	domain proofs.Domain

	queue  chan *request
	queued atomic.Int64  // bytes in queue
	flush  chan struct{} // a wish to seal the pool now
	closed chan struct{} // closed when Run ended, after err is set
	err    error         // why Run ended; read only after closed

	// Owned by sequence.
	tail  proofs.Tail
	pool  *pool
	rooms map[proofs.Hash]proofs.RoomTail // rooms seen since the start

	sealing chan *pool // from sequence to seal

	open    open          // what is accepted and in no batch
	durable atomic.Uint64 // indices below it are on stable storage
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Batcher, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("batcher configuration: %w", err)
	}
	cfg = cfg.withDefaults()
	b := &Batcher{
		cfg:     cfg,
		domain:  cfg.Chain.MessageDomain(),
		queue:   make(chan *request, cfg.Queue),
		flush:   make(chan struct{}, 1),
		closed:  make(chan struct{}),
		rooms:   map[proofs.Hash]proofs.RoomTail{},
		sealing: make(chan *pool, 1),
	}
	b.durable.Store(math.MaxUint64)
	return b, nil
}

// Durable returns a bound below which every entry of the store is on stable storage. Before Run that is all of them; from
// then on one that is being written, or may have been when the store failed, is above it. It is safe for concurrent use.
func (b *Batcher) Durable() uint64 { return b.durable.Load() }

// Run takes and seals messages until ctx ends or the store fails. After it returned every Submit
// is refused. It may be called once.
func (b *Batcher) Run(ctx context.Context) error {
	defer close(b.closed)
	b.err = ErrClosed
	if err := b.load(ctx); err != nil {
		b.err = fmt.Errorf("%w: %w", ErrClosed, err)
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.sequence(gctx) })
	g.Go(func() error { return b.seal(gctx) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	if err != nil {
		b.err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return err
}

// load reads where the log ends and makes the pool of what is not sealed yet.
func (b *Batcher) load(ctx context.Context) (err error) {
	if b.tail, err = b.cfg.Store.Tail(ctx); err != nil {
		return fmt.Errorf("read the log's tail: %w", err)
	}
	b.pool = b.newPool()
	const step = 4096
	for at := b.tail.Sealed; at < b.tail.Next; at += step {
		entries, err := b.cfg.Store.Read(ctx, at, min(step, b.tail.Next-at))
		if err != nil {
			return fmt.Errorf("read the pool: %w", err)
		}
		for i := range entries {
			b.pool.add(&entries[i])
		}
	}
	// The tail tells of another pool if one was being sealed when we died, and the next one was open. By
	// the first entry and not by which is older: clocks are set back.
	if p := b.pool; len(p.entries) > 0 && p.entries[0].ReceivedAt != b.tail.OpenedAt {
		b.tail.OpenedAt, b.tail.NotBefore = p.entries[0].ReceivedAt, proofs.Hash{}
		p.tail = b.tail
	}
	age := b.cfg.Now().Sub(time.UnixMilli(int64(b.tail.OpenedAt)))
	b.pool.since = time.Now().Add(-min(max(age, 0), b.cfg.MaxAge)) // the clock may have been set meanwhile
	// A pool of that size was held, or others were being sealed: either way one anchor costs less than many.
	b.pool.held = b.cfg.Hold != nil && uint64(len(b.pool.entries)) >= b.cfg.MaxMessages+maxGroup
	b.open.grown(b.pool)
	b.durable.Store(b.tail.Next)
	return nil
}

// Flush asks for the pool to be sealed now, whatever its age. It does not wait.
func (b *Batcher) Flush() {
	select {
	case b.flush <- struct{}{}:
	default:
	}
}
