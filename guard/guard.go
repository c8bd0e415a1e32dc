package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// Store is where the batches of the log are read from.
type Store interface {
	// Unfinal returns at most limit batches that are pinned and not finalized, in order.
	Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error)
	// Unpinned returns at most limit batches whose payload is not pinned, in order.
	Unpinned(ctx context.Context, limit int) ([]proofs.Sealed, error)
	// Batches returns at most limit batches from number on, in order.
	Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)
	// Tail returns where the log ends.
	Tail(context.Context) (proofs.Tail, error)
	// Read returns n entries from index first, in order.
	Read(ctx context.Context, first, n uint64) ([]proofs.Accepted, error)
}

const (
	tick     = time.Second      // how late a warning or the end of a refusal may be
	lookAt   = 30 * time.Second // the store is read again after, though nobody said that it changed
	warnAt   = time.Hour        // between two warnings of the same
	oneBlock = 12 * time.Second // of Ethereum: the soonest that what is tried now is in a block
	// firstPace is what a batch takes to anchor before that was measured: a block to be seen, and one to be mined in.
	firstPace = 2 * oneBlock
	page      = 256 // batches of one read
)

// Config is what a Guard needs. Store, Unsealed, Promise and Urgent are required.
type Config struct {
	Store    Store
	Unsealed func() batcher.Unsealed // what is in no batch of the store; asked before the store is read
	Promise  time.Duration           // from acceptance to the promised deadline
	Urgent   time.Duration           // before a deadline, from when on nothing new is promised; twice that from which is warned
	OnCap    anchor.OnCap            // said in warnings
	Delay    func() *anchor.Delay    // why nothing is anchored for now, from memory. nil: never a delay
	Changed  func()                  // called when refusing begins or ends; nil: nothing
	Now      func() time.Time        // nil: time.Now
	Logger   *slog.Logger            // nil: discards
}

func (c *Config) validate() error {
	var errs []error
	for what, wrong := range map[string]bool{
		"Store is missing": c.Store == nil, "Unsealed is missing": c.Unsealed == nil,
		"Promise is not over 0": c.Promise <= 0, "Urgent is not over 0": c.Urgent <= 0,
	} {
		if wrong {
			errs = append(errs, errors.New(what))
		}
	}
	return errors.Join(errs...)
}

// Guard watches over the promises of one log. Run belongs to one goroutine; all other methods are safe for concurrent
// use.
type Guard struct {
	cfg  Config
	wake chan struct{}

	mu      sync.Mutex // guards what follows
	seen    *seen      // nil before the first look
	block   uint64     // time of the newest block, in seconds; 0: not known
	blockAt time.Time  // when that was
	pace    pace
	refused *Refusal // since the last tick
	warned  time.Time
	overdue bool            // that was the last warning
	late    map[uint64]bool // batches that were said to be late, while they are not final
}

// seen is what a look at the store found.
type seen struct {
	waiting  []waiting        // batches in no block, in order
	unsealed batcher.Unsealed // just before
}

// waiting is a batch in no block.
type waiting struct {
	number, messages, deadline uint64
	stage                      string
}

// Where promises wait.
const (
	inPool    = "the messages are not sealed in a batch"
	unpinned  = "the payload of the batch is not pinned"
	unsigned  = "no transaction of the batch is signed"
	submitted = "the transaction of the batch is not in a block"
)

// New checks the configuration. It reads nothing.
func New(cfg Config) (*Guard, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("guard: %w", err)
	}
	if cfg.Delay == nil {
		cfg.Delay = func() *anchor.Delay { return nil }
	}
	if cfg.Changed == nil {
		cfg.Changed = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Guard{cfg: cfg, wake: make(chan struct{}, 1), late: map[uint64]bool{}, pace: pace{each: firstPace}}, nil
}

// Wake says that batches changed. It never blocks.
func (g *Guard) Wake() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// Saw tells of the newest block.
func (g *Guard) Saw(head nodes.Block) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.block, g.blockAt = head.Time, time.Now()
}

// Run looks, warns and says when refusing begins and ends, until ctx ends.
func (g *Guard) Run(ctx context.Context) error {
	timer := time.NewTicker(tick)
	defer timer.Stop()
	var looked time.Time
	for changed := true; ; {
		if changed || time.Since(looked) >= lookAt {
			if err := g.Look(ctx); err != nil && ctx.Err() == nil {
				g.cfg.Logger.WarnContext(ctx, "promises not looked at", "err", err)
			} else {
				changed, looked = false, time.Now()
			}
		}
		g.tell(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		select {
		case <-g.wake:
			changed = true
		default:
		}
	}
}

// Look reads what waits for a block. Before the first one everything is refused.
func (g *Guard) Look(ctx context.Context) error {
	s := &seen{unsealed: g.cfg.Unsealed()} // first: see Batcher.Unsealed
	if s.unsealed.Messages == 0 {
		var err error
		if s.unsealed, err = g.pool(ctx); err != nil {
			return err
		}
	}
	number, any, err := g.first(ctx)
	if err != nil {
		return err
	}
	var late []proofs.Sealed
	for any {
		batches, err := g.cfg.Store.Batches(ctx, number, page)
		if err != nil {
			return fmt.Errorf("read batches from %d: %w", number, err)
		}
		for i := range batches {
			if b := &batches[i]; b.State < proofs.StateIncluded {
				s.waiting = append(s.waiting, g.wait(b))
			} else if b.Deadline != 0 && b.Time > b.Deadline {
				late = append(late, *b)
			}
		}
		number, any = number+page, len(batches) == page
	}
	g.keep(s)
	g.tellLate(ctx, late)
	return nil
}

// pool returns what the store holds in no batch, for a batcher that has not read it yet: it may seal it at once, and then
// nobody would know of it before the next look.
func (g *Guard) pool(ctx context.Context) (u batcher.Unsealed, err error) {
	tail, err := g.cfg.Store.Tail(ctx)
	if err != nil || tail.Next == tail.Sealed {
		return u, err
	}
	oldest, err := g.cfg.Store.Read(ctx, tail.Sealed, 1)
	if err != nil {
		return u, fmt.Errorf("read the pool: %w", err)
	}
	return batcher.Unsealed{Messages: tail.Next - tail.Sealed, Deadline: oldest[0].Deadline}, nil
}

// first returns the number of the first batch that is not final, if there is one.
func (g *Guard) first(ctx context.Context) (number uint64, any bool, err error) {
	for _, list := range []func(context.Context, int) ([]proofs.Sealed, error){g.cfg.Store.Unfinal, g.cfg.Store.Unpinned} {
		b, err := list(ctx, 1)
		if err != nil {
			return 0, false, fmt.Errorf("find the batches that are not final: %w", err)
		}
		if len(b) > 0 && (!any || b[0].Number < number) {
			number, any = b[0].Number, true
		}
	}
	return number, any, nil
}

// wait says what of a batch waits. Older versions did not store the deadline: then it is that of the first message.
func (g *Guard) wait(b *proofs.Sealed) waiting {
	w := waiting{number: b.Number, messages: b.Size, deadline: b.Deadline, stage: submitted}
	if w.deadline == 0 {
		w.deadline = uint64(time.UnixMilli(int64(b.OpenedAt)).Add(g.cfg.Promise).Unix())
	}
	switch {
	case b.CID.IsZero():
		w.stage = unpinned
	case len(b.Txs) == 0:
		w.stage = unsigned
	}
	return w
}

func (g *Guard) keep(s *seen) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.measure(time.Now(), g.seen, s, g.cfg.Delay() != nil)
	g.seen = s
}

// pace is how long a batch takes to be anchored while others wait.
type pace struct {
	each  time.Duration
	since time.Time // when the last one was, or when the first began to wait
}

// measure takes a quarter of what was found between two looks. What waits for a reason says nothing of the pace.
func (p *pace) measure(now time.Time, was, is *seen, delayed bool) {
	if was == nil || len(was.waiting) == 0 || delayed {
		p.since = now
		return
	}
	left := map[uint64]bool{}
	for _, w := range is.waiting {
		left[w.number] = true
	}
	done := 0
	for _, w := range was.waiting {
		if !left[w.number] {
			done++
		}
	}
	if done > 0 {
		p.each = (3*p.each + now.Sub(p.since)/time.Duration(done)) / 4
		p.since = now
	}
}

// tellLate tells the operator, once, of a promise that was broken: its batch is in a block after the deadline.
func (g *Guard) tellLate(ctx context.Context, late []proofs.Sealed) {
	g.mu.Lock()
	was := g.late
	g.late = map[uint64]bool{}
	for i := range late {
		g.late[late[i].Number] = true
	}
	g.mu.Unlock()
	for _, b := range late {
		if !was[b.Number] {
			g.cfg.Logger.ErrorContext(ctx, "promises broken: the batch is in a block after their deadline", "batch", b.Number,
				"deadline", unix(b.Deadline), "block_time", unix(b.Time), "state", b.State.String())
		}
	}
}

func unix(seconds uint64) time.Time { return time.Unix(int64(seconds), 0).UTC() }
