package pins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/proofs"
)

// Store knows which batches there are, and who holds them. Its targets are what Target.ID returns.
type Store interface {
	// Unheld returns at most limit pinned batches from number on that the target is not known to hold, in order.
	Unheld(ctx context.Context, target string, number uint64, limit int) ([]proofs.Sealed, error)
	// SetHeld records durably that the target holds the batch, or that it does not.
	SetHeld(ctx context.Context, target string, number uint64, held bool) error
	// Held returns how many batches are pinned, which are those before that number, and how many the target holds.
	Held(ctx context.Context, target string) (pinned, held uint64, err error)
	// Holders returns the targets that hold the batch, and perhaps others that are not asked any more.
	Holders(ctx context.Context, number uint64) ([]string, error)
	// Batch returns a batch.
	Batch(ctx context.Context, number uint64) (proofs.Sealed, error)
}

// Config is what a Keeper needs. Store, CAR and Require are required.
type Config struct {
	Targets []Target // with names and IDs of their own
	Require int      // places that must hold a batch before it is anchored; the embedded node is the first of them
	Store   Store
	// CAR returns the size of the embedded node's file under the root, and how to open it. The error wraps fs.ErrNotExist if
	// there is none.
	CAR     func(root proofs.Hash) (CAR, error)
	Held    func()       // called after each batch that a target took; nil: nothing
	Changed func()       // called when Delay begins or ends; nil: nothing
	Logger  *slog.Logger // nil: discards

	// What follows is for tests; zero: the constants below.
	pause, recheck, patience time.Duration
	pushTime                 func(size int64) time.Duration
}

const (
	firstPause   = time.Second // after an error; twice as long each time
	maxPause     = 5 * time.Minute
	recheckEvery = time.Hour   // one batch that the target held is asked for again
	patience     = time.Minute // a batch waits so long for targets that do not fail before that is said
	warnEvery    = time.Hour
	page         = 64
	baseTime     = 5 * time.Minute // for a push, beside its bytes: a pinning service fetches them by itself
	checkTime    = 5 * time.Minute
	leastRate    = 256 << 10 // bytes a second that a target must take
)

func pushTime(size int64) time.Duration {
	return baseTime + time.Duration(size/leastRate)*time.Second
}

func (c *Config) validate() error {
	var errs []error
	if c.Store == nil || c.CAR == nil {
		errs = append(errs, errors.New("Store or CAR is missing"))
	}
	if c.Require < 1 || c.Require > len(c.Targets)+1 {
		errs = append(errs, fmt.Errorf("%d places are required, and there are %d with the embedded node", c.Require, len(c.Targets)+1))
	}
	names, ids := map[string]bool{}, map[string]bool{}
	for _, t := range c.Targets {
		if names[t.Name()] {
			errs = append(errs, fmt.Errorf("two targets have the name %s: give one another with ?name=", t.Name()))
		}
		if ids[t.ID()] {
			errs = append(errs, fmt.Errorf("target %s stands twice", t.ID()))
		}
		names[t.Name()], ids[t.ID()] = true, true
	}
	return errors.Join(errs...)
}

// Keeper keeps copies of batches at targets. Run belongs to one goroutine; all other methods are safe for concurrent use.
type Keeper struct {
	cfg    Config
	places []*place

	mu      sync.Mutex // guards what follows
	waiting *waiting   // the batch that is not anchored before others hold it; nil: none
	told    time.Time  // when it was last said that it waits
	delayed bool       // that was the last thing said
}

// waiting is a batch that too few hold.
type waiting struct {
	number  uint64
	held    int
	missing []*place
	since   time.Time
}

// place is a target and how it does.
type place struct {
	Target
	wake chan struct{} // holds one poke

	mu     sync.Mutex // guards what follows
	status Status
	warned time.Time // when it was last said that it fails
	said   bool      // that was the last thing said
	passed time.Time // when it was last said that a file of ours is not whole
}

// Status is how a target does.
type Status struct {
	Name        string
	Err         error     // of the last attempt; nil: it did not fail
	Since       time.Time // when it began to fail; zero: it does not
	Next        time.Time // attempt; zero: none is waited for
	Errors      uint64    // attempts that failed, since the Keeper was made; this and what follows
	Pushed      uint64    // batches
	PushedBytes uint64
	Lost        uint64 // batches that the target did not hold any more
	Missing     uint64 // files that were to be pushed and are not whole on our disk, in the last round
}

// New checks the configuration. It starts nothing.
func New(cfg Config) (*Keeper, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("pins: %w", err)
	}
	cfg.pause, cfg.recheck, cfg.patience = cmp.Or(cfg.pause, firstPause), cmp.Or(cfg.recheck, recheckEvery), cmp.Or(cfg.patience, patience)
	if cfg.pushTime == nil {
		cfg.pushTime = pushTime
	}
	for _, f := range []*func(){&cfg.Held, &cfg.Changed} {
		if *f == nil {
			*f = func() {}
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	k := &Keeper{cfg: cfg}
	for _, t := range cfg.Targets {
		k.places = append(k.places, &place{Target: t, wake: make(chan struct{}, 1), status: Status{Name: t.Name()}})
	}
	return k, nil
}

// Wake says that there is a new batch. It never blocks.
func (k *Keeper) Wake() {
	for _, p := range k.places {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// Run pushes until ctx ends or the store fails. What a target does is no failure.
func (k *Keeper) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, p := range k.places {
		g.Go(func() error { return k.serve(ctx, p) })
	}
	g.Go(func() error { return k.tell(ctx) })
	return g.Wait()
}

// errStore is wrapped by what ends Run.
var errStore = errors.New("store")

// errLocal is wrapped where our own file is not whole: the target has no part in that.
var errLocal = errors.New("our own file")

func local(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: %w", errLocal, err)
}

// serve works for one target until ctx ends.
func (k *Keeper) serve(ctx context.Context, p *place) error {
	pause, warned := k.cfg.pause, false
	recheck := time.NewTicker(k.cfg.recheck)
	defer recheck.Stop()
	for look := false; ; {
		lost, err := k.round(ctx, p, look)
		look = lost // where one is lost there may be more
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errStore) && !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		wake, again := p.wake, (<-chan time.Time)(nil)
		if k.note(ctx, p, err, pause); err != nil {
			wake, again = nil, time.After(pause)
			pause = min(2*pause, maxPause)
		} else if pause = k.cfg.pause; !warned {
			warned = true
			k.warn(ctx, p)
		}
		if look {
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		case <-again:
		case <-recheck.C:
			look = true
		}
	}
}

// round asks for a batch that the target held, if look says so, and then pushes what it does not hold.
func (k *Keeper) round(ctx context.Context, p *place, look bool) (lost bool, err error) {
	if look {
		if lost, err = k.recheck(ctx, p); err != nil {
			return false, err
		}
	}
	if err := k.work(ctx, p); err != nil {
		return false, err
	}
	return lost, nil
}

// work pushes what the target does not hold, oldest first, until it holds everything or fails.
func (k *Keeper) work(ctx context.Context, p *place) error {
	var missing uint64
	for from := uint64(0); ctx.Err() == nil; {
		batches, err := k.cfg.Store.Unheld(ctx, p.ID(), from, page)
		if err != nil {
			return fmt.Errorf("%w: %w", errStore, err)
		}
		if len(batches) == 0 {
			break
		}
		for i := range batches {
			err := k.push(ctx, p, &batches[i])
			if errors.Is(err, errLocal) {
				if missing++; missing == 1 {
					k.pass(ctx, p, batches[i].Number, err)
				}
				err = nil
			}
			if err != nil {
				return err
			}
			from = batches[i].Number + 1
		}
	}
	p.mu.Lock()
	p.status.Missing = missing
	p.mu.Unlock()
	return ctx.Err()
}

// file returns the embedded node's file of a batch.
func (k *Keeper) file(s *proofs.Sealed) (CAR, error) {
	c, err := k.cfg.CAR(s.CID)
	if errors.Is(err, fs.ErrNotExist) {
		return c, local(err)
	}
	c.Root, c.Name = s.CID, fmt.Sprintf("hansard batch %d", s.Number)
	return c, err
}

// push has the target hold the batch. If we die in it, the next one finds what arrived.
func (k *Keeper) push(ctx context.Context, p *place, s *proofs.Sealed) error {
	c, err := k.file(s)
	if err != nil {
		return err
	}
	of := func(err error) error { return fmt.Errorf("batch %d: %w", s.Number, err) }
	held, err := k.ask(ctx, p, c)
	if err != nil && !errors.Is(err, ErrDamaged) || errors.Is(err, errLocal) {
		return of(err)
	}
	if !held {
		if err := k.send(ctx, p, c); err != nil {
			return of(err)
		}
		if held, err = k.ask(ctx, p, c); err != nil {
			return of(err)
		}
		if !held {
			return of(errors.New("it took the batch and does not hold it"))
		}
		p.mu.Lock()
		p.status.Pushed++
		p.status.PushedBytes += uint64(c.Size)
		p.mu.Unlock()
	}
	if err := k.cfg.Store.SetHeld(ctx, p.ID(), s.Number, true); err != nil {
		return fmt.Errorf("%w: %w", errStore, err)
	}
	k.well(ctx, p)
	k.cfg.Held()
	return nil
}

func (k *Keeper) send(ctx context.Context, p *place, c CAR) error {
	ctx, cancel := context.WithTimeout(ctx, k.cfg.pushTime(c.Size))
	defer cancel()
	return p.Push(ctx, c)
}

func (k *Keeper) ask(ctx context.Context, p *place, c CAR) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, min(checkTime, k.cfg.pushTime(c.Size)))
	defer cancel()
	return p.Check(ctx, c)
}

// recheck asks for one batch that the target held, and takes that back where it does not any more.
func (k *Keeper) recheck(ctx context.Context, p *place) (lost bool, err error) {
	pinned, held, err := k.cfg.Store.Held(ctx, p.ID())
	if err != nil {
		return false, fmt.Errorf("%w: %w", errStore, err)
	}
	if held == 0 {
		return false, nil
	}
	number := rand.Uint64N(pinned)
	s, err := k.cfg.Store.Batch(ctx, number)
	if err != nil {
		return false, fmt.Errorf("%w: %w", errStore, err)
	}
	if holders, err := k.cfg.Store.Holders(ctx, number); err != nil {
		return false, fmt.Errorf("%w: %w", errStore, err)
	} else if !slices.Contains(holders, p.ID()) {
		return false, nil
	}
	c, err := k.file(&s)
	if err == nil {
		var is bool
		if is, err = k.ask(ctx, p, c); is {
			return false, nil
		}
	}
	if errors.Is(err, errLocal) {
		return false, nil // the push of it says so, if there is one
	}
	if err != nil && !errors.Is(err, ErrDamaged) {
		return false, fmt.Errorf("look for batch %d: %w", s.Number, err)
	}
	k.cfg.Logger.WarnContext(ctx, "target does not hold a batch that it held; it gets it again", "target", p.Name(), "batch", s.Number, "err", err)
	p.mu.Lock()
	p.status.Lost++
	p.mu.Unlock()
	if err := k.cfg.Store.SetHeld(ctx, p.ID(), s.Number, false); err != nil {
		return false, fmt.Errorf("%w: %w", errStore, err)
	}
	return true, nil
}
