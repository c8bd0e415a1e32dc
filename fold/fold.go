package fold

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrUnclear is wrapped by an error after which the store may hold the batch or not. Nothing more is
// to be written; a restart reads what is there.
var ErrUnclear = errors.New("it is not clear whether the batch was stored")

// Chain is the chain of the folded log.
type Chain interface {
	// FinalHead returns what the log holds at the newest final block; Batches is 0 where that is nothing.
	FinalHead(ctx context.Context) (proofs.Head, error)
	// NewestHead returns what the log holds at the newest block.
	NewestHead(ctx context.Context) (proofs.Head, error)
	// Final reports whether the block is final. The error wraps proofs.ErrNotFound if another took its
	// place.
	Final(ctx context.Context, b proofs.BlockRef) (bool, error)
}

// Batches are those of a log, as its store has them.
type Batches interface {
	// Batches returns at most limit batches from number on, in order.
	Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)
}

// Store keeps the log that heads are anchored in.
type Store interface {
	Batches
	// Tail returns where the log ends.
	Tail(ctx context.Context) (proofs.Tail, error)
	// Seal stores a batch and its tree, all or none. An error that wraps proofs.ErrRefused says that it
	// may be tried again; after any other the outcome is unknown.
	Seal(ctx context.Context, s proofs.Sealed, t proofs.Tree) error
}

// Node keeps the heads themselves: an IPFS node.
type Node interface {
	// Put stores dag-cbor blocks, durably when it returns nil.
	Put(ctx context.Context, blocks [][]byte) error
	// Pin keeps the block with the digest, durably when it returns nil.
	Pin(ctx context.Context, digest proofs.Hash, name string) error
	// Get returns the block with the digest.
	Get(ctx context.Context, digest proofs.Hash) ([]byte, error)
}

const (
	// DefaultEvery is one fold a day: at 40,000 gas each, what a second anchor costs does not show.
	DefaultEvery = 24 * time.Hour
	// DefaultPoll is how soon a head is seen to be final, against hours between two of them.
	DefaultPoll = time.Minute

	page = 64 // batches of one read: each holds a header and a proof
)

// Config is what a Folder needs. Log, Into, Chain, Batches, Store and Node are required.
type Config struct {
	Log     proofs.Place // the folded log
	Into    proofs.Place // the log of its heads, on another chain
	Chain   Chain        // of Log
	Batches Batches      // of Log
	Store   Store        // of Into
	Node    Node

	Every  time.Duration    // least time between two heads; zero: DefaultEvery
	Poll   time.Duration    // between looks; zero: DefaultPoll
	Sealed func()           // called after each batch; nil: nobody
	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: discards
}

func (c *Config) validate() error {
	var errs []error
	refuse := func(wrong bool, what string) {
		if wrong {
			errs = append(errs, errors.New(what))
		}
	}
	for name, p := range map[string]proofs.Place{"Log": c.Log, "Into": c.Into} {
		refuse(p.ChainID == 0 || p.AnchorLog.IsZero() || p.Log.IsZero(), name+" is incomplete")
	}
	refuse(c.Log.ChainID == c.Into.ChainID, "Log and Into are on the same chain")
	refuse(c.Chain == nil, "Chain is missing")
	refuse(c.Batches == nil, "Batches is missing")
	refuse(c.Store == nil, "Store is missing")
	refuse(c.Node == nil, "Node is missing")
	refuse(c.Every < 0, "Every is negative")
	refuse(c.Poll < 0, "Poll is negative")
	return errors.Join(errs...)
}

// Folder folds one log into another. Run and Step belong to one goroutine; Attach may be called by any.
type Folder struct {
	cfg  Config
	seen *proofs.Head // read and not sealed yet; of Step alone

	mu    sync.Mutex
	tree  proofs.RangeTree // over the final batches of Log
	heads []*proofs.Head   // of the batches of Into, in order; nil where the node lost it
}

// New checks the configuration, all problems at once. It reads nothing.
func New(cfg Config) (*Folder, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("fold: %w", err)
	}
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Poll == 0 {
		cfg.Poll = DefaultPoll
	}
	if cfg.Sealed == nil {
		cfg.Sealed = func() {}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Folder{cfg: cfg}, nil
}

// Run repeats Step until ctx ends, which returns nil, or until an error that wraps ErrUnclear, which it
// returns. Other errors are logged: a head that is late harms nobody.
func (f *Folder) Run(ctx context.Context) error {
	tick := time.NewTicker(f.cfg.Poll)
	defer tick.Stop()
	for {
		_, err := f.Step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrUnclear):
			return err
		case err != nil:
			f.cfg.Logger.Warn("log not folded", "err", err, "retry_in", f.cfg.Poll)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Step takes what steps can be taken now and reports whether it sealed a head.
func (f *Folder) Step(ctx context.Context) (sealed bool, err error) {
	s, err := f.next(ctx)
	if err != nil || s == nil {
		return false, err
	}
	h, err := f.final(ctx)
	if err != nil || h == nil {
		return false, err
	}
	f.seen = nil // used up, whatever comes of it
	if err := f.hold(ctx, h); err != nil {
		return false, err
	}
	if err := f.seal(ctx, s, h); err != nil {
		return false, err
	}
	f.cfg.Sealed()
	return true, nil
}

// next returns the number and first of the next batch of heads, or nil as long as none is due.
func (f *Folder) next(ctx context.Context) (*proofs.Sealed, error) {
	tail, err := f.cfg.Store.Tail(ctx)
	if err != nil {
		return nil, err
	}
	s := &proofs.Sealed{Batch: proofs.Batch{Number: tail.Batches, First: tail.Sealed}}
	if tail.Batches == 0 {
		return s, nil
	}
	last, err := one(ctx, f.cfg.Store, tail.Batches-1)
	if err != nil || last.State < proofs.StateIncluded {
		return nil, err
	}
	// A clock that was set back waits longer; one that was set forward folds early, which costs gas.
	if f.cfg.Now().Sub(time.UnixMilli(int64(last.SealedAt))) < f.cfg.Every {
		return nil, nil
	}
	return s, nil
}

// one returns the batch with the number.
func one(ctx context.Context, b Batches, number uint64) (proofs.Sealed, error) {
	found, err := b.Batches(ctx, number, 1)
	if err == nil && (len(found) != 1 || found[0].Number != number) {
		err = fmt.Errorf("read batch %d: %w", number, proofs.ErrNotFound)
	}
	if err != nil {
		return proofs.Sealed{}, err
	}
	return found[0], nil
}

// final returns a head that is to be sealed, once its block is final and the store has its batches.
func (f *Folder) final(ctx context.Context) (*proofs.Head, error) {
	if err := f.load(ctx); err != nil {
		return nil, err
	}
	if f.seen == nil {
		h, err := f.read(ctx)
		if err != nil || h.Batches == 0 {
			return nil, err
		}
		grown, err := f.grown(&h)
		if err != nil || !grown {
			return nil, err
		}
		f.seen = &h
	}
	final, err := f.cfg.Chain.Final(ctx, f.seen.Block)
	if errors.Is(err, proofs.ErrNotFound) {
		f.cfg.Logger.Info("the head's block left the chain; it is read again", "block", f.seen.Block.Number)
		f.seen = nil
		return nil, nil
	}
	if err != nil || !final || f.count() < f.seen.Batches {
		return nil, err
	}
	return f.seen, nil
}

// read returns the head at a final block. On a chain that is final late, nodes that keep no old states
// have only the newest one; it is then waited for.
func (f *Folder) read(ctx context.Context) (proofs.Head, error) {
	h, err := f.cfg.Chain.FinalHead(ctx)
	if err == nil {
		return h, nil
	}
	h, newest := f.cfg.Chain.NewestHead(ctx)
	if newest != nil {
		return h, errors.Join(err, newest)
	}
	f.cfg.Logger.Debug("the head is read at the newest block", "block", h.Block.Number, "err", err)
	return h, nil
}

// grown checks the head and reports whether it holds more than the newest one that was sealed.
func (f *Folder) grown(h *proofs.Head) (bool, error) {
	if err := h.Check(); err != nil {
		return false, err
	}
	if h.Place != f.cfg.Log {
		return false, fmt.Errorf("the head is of log %s on chain %d, not the folded one", h.Log, h.ChainID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.heads) == 0 || f.heads[len(f.heads)-1] == nil {
		return true, nil
	}
	before := f.heads[len(f.heads)-1].Batches
	if h.Batches < before {
		return false, fmt.Errorf("the chain holds %d batches, and a head of %d was sealed: the nodes are behind, or final blocks were rewritten", h.Batches, before)
	}
	return h.Batches > before, nil
}

func (f *Folder) count() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tree.Count()
}

// hold compares a head with the batches that the folded log's store has.
func (f *Folder) hold(ctx context.Context, h *proofs.Head) error {
	last, err := one(ctx, f.cfg.Batches, h.Batches-1)
	if err != nil {
		return err
	}
	f.mu.Lock()
	peaks := f.tree.Peaks(h.Batches)
	f.mu.Unlock()
	if last.First+last.Size != h.Messages || !slices.Equal(peaks, h.Peaks) {
		return fmt.Errorf("the head of %d batches at block %d is not what the log's own store gives: the nodes are wrong, or store and log do not belong together", h.Batches, h.Block.Number)
	}
	return nil
}

// seal pins the head and stores the batch that anchors it.
func (f *Folder) seal(ctx context.Context, s *proofs.Sealed, h *proofs.Head) error {
	block := h.Format()
	digest := proofs.BlockDigest(block)
	if err := f.cfg.Node.Put(ctx, [][]byte{block}); err != nil {
		return fmt.Errorf("store the head of %d batches: %w", h.Batches, err)
	}
	if err := f.cfg.Node.Pin(ctx, digest, fmt.Sprintf("hansard head %d", h.Batches)); err != nil {
		return fmt.Errorf("pin the head of %d batches: %w", h.Batches, err)
	}
	now := uint64(f.cfg.Now().UnixMilli())
	s.Root, s.Size, s.CID = h.Leaf(), 1, digest
	s.State, s.OpenedAt, s.SealedAt = proofs.StateBatched, now, now
	// If we die before Seal returned, a later head takes this one's place, unless the batch is there.
	if err := f.cfg.Store.Seal(context.WithoutCancel(ctx), *s, proofs.Tree{{s.Root}}); err != nil {
		if !errors.Is(err, proofs.ErrRefused) {
			err = fmt.Errorf("%w: %w", ErrUnclear, err)
		}
		return err
	}
	f.cfg.Logger.Info("head sealed", "batch", s.Number, "batches", h.Batches, "messages", h.Messages,
		"block", h.Block.Number, "cid", proofs.FormatCID(digest))
	return nil
}
