// Package recovery rebuilds the database of a log from nothing but the chain and the payloads of its batches.
//
// The chain says which batches there are, and every block is hashed against it: no source is believed. Each record is
// parsed, its leaf hashed again, its message and evidence held against the entry, its place against the room's chain
// over all batches, and the leaves of each batch against its root. Signatures are not recovered: that is what verifying
// a receipt does. What comes out is the database as the service had it, its CAR files and pins, but for what neither
// chain nor payloads hold: see [Summary].
//
// Nothing counts until everything is there. Until the last write the store refuses to open as a log, and a run that
// ended early is begun anew; batches whose blocks were kept need not be fetched again.
//
// TestRun holds a rebuilt directory against the one that is gone, TestFaults disturbs the sources and the disk, and
// BenchmarkRun measures.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// MemoryLimit is a soft limit of Go's memory, for runtime/debug: some 200 to 300 MiB of it are alive while the database
// is written.
const MemoryLimit = 512 << 20

// ErrSources is wrapped when blocks are not to be had from any source.
var ErrSources = errors.New("payloads are missing")

// ErrMoved is wrapped when the log went on, or back, on the chain while it was recovered.
var ErrMoved = errors.New("the log changed on the chain meanwhile")

// Log is a log as the chain proves it.
type Log interface {
	// Batch returns the batch of that number; false: there is none.
	Batch(number uint64) (proofs.Batch, bool)
	// Standing returns where the batch stands, with header and receipt proof where it is final.
	Standing(ctx context.Context, number uint64) (proofs.Standing, error)
	// Range returns how many entries the contract counts now, and the mountain range over its batches.
	Range(ctx context.Context) (messages uint64, r proofs.Range, err error)
}

// Node keeps the blocks of batches.
type Node interface {
	// Keep is payload.Node's.
	Keep(ctx context.Context, name string, write func(put func(block []byte) error) (root proofs.Hash, err error)) error
}

// Config is what Run needs. All fields but the last two are required.
type Config struct {
	Chain   proofs.Chain
	Log     Log
	Sources []Source // in the order in which they are asked
	Store   *storage.Rebuild
	Node    Node
	// Promise is how long after an entry was received the service promised to anchor it, in whole milliseconds. 0: not
	// known, and the receipts have no promise.
	Promise  time.Duration
	Progress func(Progress) // called after each chunk; nil: nobody looks
}

// Progress is how far a recovery is.
type Progress struct{ Batches, Messages uint64 }

// Summary is what was recovered, and what was not.
type Summary struct {
	Batches  uint64
	Final    uint64 // batches that are final
	Messages uint64
	Rooms    uint64
	Bytes    uint64      // of chunks and manifests
	Head     proofs.Hash // hash over the peaks, as of section 6 of docs/receipt-v1.md
	Withheld Indexes     // entries without their message: erased or private
	Late     Indexes     // entries that get no promise, since Promise gives a deadline that their batch missed
	Sources  []Use
}

// Indexes are indices of entries, in order.
type Indexes struct {
	Count uint64
	Spans []Span // of them the first maxSpans
}

// Span is the indices from First to Last, both included.
type Span struct{ First, Last uint64 }

const maxSpans = 10_000

func (x *Indexes) add(all []uint64) {
	for _, i := range all {
		x.Count++
		if n := len(x.Spans); n > 0 && x.Spans[n-1].Last+1 == i {
			x.Spans[n-1].Last = i
		} else if n < maxSpans {
			x.Spans = append(x.Spans, Span{i, i})
		}
	}
}

// run is a recovery under way.
type run struct {
	cfg   Config
	from  *sources
	check *checker
	count uint64 // batches
	sum   Summary
}

// Run rebuilds the log. After an error the store is not a log yet: run it again. Missing manifests are all named, before
// anything is written. The error wraps ErrSources where a block is not to be had, ErrForged where another source does not
// help, ErrMoved where it is to be run again, and syscall.ENOSPC where the disk is full.
func Run(ctx context.Context, cfg Config) (*Summary, error) {
	if cfg.Promise%time.Millisecond != 0 || cfg.Promise < 0 {
		return nil, fmt.Errorf("recover: a promise of %s: want whole milliseconds", cfg.Promise)
	}
	r := &run{
		cfg: cfg, from: newSources(cfg.Sources),
		check: &checker{cfg.Chain, cfg.Chain.MessageDomain(), cfg.Promise},
	}
	for {
		if _, ok := cfg.Log.Batch(r.count); !ok {
			break
		}
		r.count++
	}
	err := r.survey(ctx)
	if err == nil {
		err = cfg.Store.Begin()
	}
	if err == nil {
		err = r.rebuild(ctx)
	}
	if err == nil {
		err = cfg.Store.Flush()
	}
	if err == nil {
		err = r.prove(ctx)
	}
	if err == nil {
		err = cfg.Store.Commit()
	}
	if err != nil {
		return nil, fmt.Errorf("recover: %w", err)
	}
	r.sum.Batches, r.sum.Messages, r.sum.Rooms = r.count, cfg.Store.Tail().Next, uint64(cfg.Store.Rooms())
	r.sum.Sources = r.from.uses()
	return &r.sum, nil
}

// prevCID returns the CID of the batch before.
func (r *run) prevCID(number uint64) (cid proofs.Hash) {
	if number > 0 {
		b, _ := r.cfg.Log.Batch(number - 1)
		cid = b.CID
	}
	return cid
}

// prove holds what is on disk against what the contract holds now.
func (r *run) prove(ctx context.Context) error {
	const page = 1000
	var have proofs.Range
	for have.Count < r.count {
		batches, err := r.cfg.Store.Batches(ctx, have.Count, page)
		if err != nil {
			return err
		}
		if len(batches) == 0 {
			return fmt.Errorf("batch %d is not in the store", have.Count)
		}
		for _, s := range batches {
			have.Append(s.Hash())
		}
	}
	messages, want, err := r.cfg.Log.Range(ctx)
	if err != nil {
		return err
	}
	if want.Count != have.Count {
		return fmt.Errorf("%w: it has %d batches, and %d were recovered: run it again", ErrMoved, want.Count, have.Count)
	}
	var peaks []byte
	for height := len(want.Peaks) - 1; height >= 0; height-- {
		if want.Count>>height&1 == 0 {
			continue
		}
		if have.Peaks[height] != want.Peaks[height] {
			return fmt.Errorf("%w: what was recovered does not give the contract's peak at height %d: run it again", ErrMoved, height)
		}
		peaks = append(peaks, want.Peaks[height][:]...)
	}
	if got := r.cfg.Store.Tail().Next; got != messages {
		return fmt.Errorf("%w: it counts %d entries, and %d were recovered: run it again", ErrMoved, messages, got)
	}
	r.sum.Head = proofs.Keccak(peaks)
	return nil
}
