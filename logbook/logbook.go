package logbook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// defaultWindow is how many blocks one eth_getLogs asks for: what public nodes grant.
const defaultWindow = 2_000

// Known holds batches that need not be read from events: a service has its own. They are held against the chain
// as everything else. Batches are in order from number on, at most limit, and only final ones are taken.
type Known interface {
	Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)
}

// Config is what a Book needs. Nodes and Log are required.
type Config struct {
	Nodes         *nodes.Quorum
	Log           proofs.Chain
	FromBlock     uint64 // no event of the log is in an older block; zero: genesis
	Window        uint64 // blocks asked for in one eth_getLogs, fewer where nodes refuse; zero: 2,000
	Confirmations uint64 // blocks on top that make a block final; zero: the chain's finalized tag
	Known         Known  // nil: none
}

// Anchored is a batch that the chain proves, with where it was anchored.
type Anchored struct {
	proofs.Batch
	Tx    proofs.Hash     // a lead, as Block: what proves the batch does not cover them
	Block proofs.BlockRef // see Freeze
}

// Head is what the log holds at a block.
type Head struct {
	Block      nodes.Block // at which the log was read
	Batches    uint64      // the next batch's number
	Messages   uint64      // the next entry's index
	Final      uint64      // batches that are final
	FinalBlock nodes.Block // the newest final one; zero: none
}

// Book follows a log. It is safe for concurrent use.
type Book struct {
	cfg     Config
	refresh sync.Mutex // one Refresh at a time

	failed int // calls of Refresh in a row that ended with ErrUnproven; refresh guards it

	mu   sync.RWMutex // guards what follows
	head Head
	*chain
}

// New makes a Book that holds nothing yet.
func New(cfg Config) (*Book, error) {
	var errs []error
	if cfg.Nodes == nil {
		errs = append(errs, errors.New("no nodes"))
	}
	if cfg.Log.AnchorLog.IsZero() || cfg.Log.Log.IsZero() {
		errs = append(errs, errors.New("no log"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("configure logbook: %w", err)
	}
	cfg.Window = cmp.Or(cfg.Window, defaultWindow)
	return &Book{cfg: cfg, chain: &chain{}}, nil
}

// Log returns the log that the book follows.
func (b *Book) Log() proofs.Chain { return b.cfg.Log }

// Head returns what the log held at the last Refresh; zero before the first.
func (b *Book) Head() Head {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.head
}

// Batch returns the batch of that number.
func (b *Book) Batch(number uint64) (Anchored, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if number >= uint64(len(b.batches)) {
		return Anchored{}, false
	}
	return b.batches[number], true
}

// BatchOf returns the batch over the entry with that index.
func (b *Book) BatchOf(index uint64) (Anchored, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	i, found := b.place(index)
	if !found {
		return Anchored{}, false
	}
	return b.batches[i], true
}

// Path returns the siblings of the batch up to its peak, for the contract's contains and includes at Head; nil
// if there is no such batch.
func (b *Book) Path(number uint64) []proofs.Hash {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.path(number, b.tree.Count())
}

// PathAt is Path for the moment when the log held that many batches; nil if it did not yet.
func (b *Book) PathAt(number, batches uint64) []proofs.Hash {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.path(number, batches)
}

func (b *Book) path(number, batches uint64) []proofs.Hash {
	if number >= batches || batches > b.tree.Count() {
		return nil
	}
	return b.tree.Prove(number, batches)
}
