// Package probe measures whether payloads can be had from others: it fetches some blocks from each source as a
// stranger would, hashes them, and stores the outcome by batch and source.
//
//	p, err := probe.New(probe.Config{Store: db, Sources: []probe.Source{{"ipfs.example", client}}, Every: time.Hour})
//	err = p.Run(ctx)
//
// Only the CID of a batch is taken from the log, and that is on the chain. Its manifest and chunks come from the source
// that is probed, not from the node that wrote them.
//
// In one round a source is asked for Sample messages picked at random from the whole log: of the batch of each the
// manifest and one chunk, picked at random. Messages of one batch are asked for together, and no block twice. If one
// message in a hundred is lost, 299 samples find one of these with 95 percent, 459 with 99. Beside these it is asked for
// the newest batches, and for all blocks of batches of which it lacked something before, until it has them: a sample
// that misses the hole does not make it whole. TestRound has the sources that lie, are slow, cut short or are gone.
package probe

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/proofs"
)

const (
	// DefaultSample finds a loss of one percent with 95 percent.
	DefaultSample = 299
	// DefaultEvery is the time between two rounds.
	DefaultEvery = time.Hour

	newest     = 16  // batches that are always among the sample
	again      = 64  // batches that lacked something, of one round
	silent     = 3   // batches in a row that a source did not answer for, before the round ends
	maxWhy     = 300 // bytes
	storeEvery = 64  // batches: what a round found is stored as it goes
)

// Store is where batches come from and outcomes go.
type Store interface {
	Tail(ctx context.Context) (proofs.Tail, error)
	// BatchOf returns the batch that holds the index, Batches at most limit of them from number on.
	BatchOf(ctx context.Context, index uint64) (proofs.Sealed, error)
	Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)
	// Failing returns at most limit numbers of batches of which the source's last probe was not OK.
	Failing(ctx context.Context, source string, limit int) ([]uint64, error)
	// SetProbes stores outcomes durably, each in the place of the one before of that batch and source.
	SetProbes(ctx context.Context, probes []proofs.Probe) error
}

// Source is where payloads are fetched from.
type Source struct {
	Name   string // unique, for people and as label of metrics
	Blocks interface {
		// Block returns the dag-cbor block with that SHA-256 digest. An error that wraps proofs.ErrNotFound says that
		// the source answers and does not have it.
		Block(ctx context.Context, digest proofs.Hash) ([]byte, error)
	}
}

// Config says what is probed.
type Config struct {
	Store   Store
	Sources []Source
	Sample  int              // messages of a round and source; 0: DefaultSample
	Every   time.Duration    // from the end of a round to the next; 0: DefaultEvery
	Now     func() time.Time // nil: time.Now
	Logger  *slog.Logger     // nil: slog.Default()
}

// Health is what the last round of a source found.
type Health struct {
	Source string
	Time   time.Time // its end
	Asked  uint64    // blocks
	Given  uint64    // of these
}

// Prober probes sources.
type Prober struct {
	cfg    Config
	mu     sync.Mutex // guards health
	health map[string]Health
}

// New returns a Prober. It starts nothing.
func New(cfg Config) (*Prober, error) {
	if cfg.Sample == 0 {
		cfg.Sample = DefaultSample
	}
	if cfg.Every == 0 {
		cfg.Every = DefaultEvery
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	var errs []error
	if cfg.Sample < 0 || cfg.Every < 0 {
		errs = append(errs, errors.New("probe: Sample and Every cannot be below 0"))
	}
	names := map[string]bool{}
	for _, s := range cfg.Sources {
		if s.Name == "" || s.Blocks == nil || names[s.Name] {
			errs = append(errs, fmt.Errorf("probe: source %q has no name, no blocks, or is there twice", s.Name))
		}
		names[s.Name] = true
	}
	return &Prober{cfg: cfg, health: map[string]Health{}}, errors.Join(errs...)
}

// Run probes every source at once and then every so often, each by itself, until ctx ends. What fails is logged and
// tried again: a probe stops nothing.
func (p *Prober) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range p.cfg.Sources {
		g.Go(func() error {
			tick := time.NewTimer(0)
			defer tick.Stop()
			for {
				select {
				case <-ctx.Done():
					return nil
				case <-tick.C:
				}
				if err := p.Round(ctx, s); err != nil && ctx.Err() == nil {
					p.cfg.Logger.WarnContext(ctx, "payloads could not be probed", "source", s.Name, "err", err)
				}
				tick.Reset(p.cfg.Every)
			}
		})
	}
	return g.Wait()
}

// Health returns the last rounds, by source; sources that were asked for nothing yet are left out.
func (p *Prober) Health() []Health {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Health
	for _, name := range slices.Sorted(maps.Keys(p.health)) {
		out = append(out, p.health[name])
	}
	return out
}

// Round probes one source once. An error is of the store: what the source does is an outcome.
func (p *Prober) Round(ctx context.Context, s Source) error {
	wanted, err := p.pick(ctx, s.Name)
	if err != nil || len(wanted) == 0 {
		return err
	}
	h := Health{Source: s.Name}
	var found []proofs.Probe
	mute := 0
	for _, number := range slices.Sorted(maps.Keys(wanted)) {
		w := wanted[number]
		outcome, given, answered := p.probe(ctx, s, w)
		if ctx.Err() != nil {
			break
		}
		h.Asked, h.Given = h.Asked+outcome.Blocks, h.Given+given
		if found = append(found, outcome); len(found) == storeEvery {
			if err := p.cfg.Store.SetProbes(ctx, found); err != nil {
				return err
			}
			found = nil
		}
		if mute++; answered {
			mute = 0
		}
		if mute == silent {
			break
		}
	}
	if err := p.cfg.Store.SetProbes(context.WithoutCancel(ctx), found); err != nil {
		return err
	}
	if ctx.Err() == nil {
		p.tell(ctx, h)
	}
	return nil
}

// tell keeps what a round found, and logs it where it changed.
func (p *Prober) tell(ctx context.Context, h Health) {
	h.Time = p.cfg.Now()
	p.mu.Lock()
	old, known := p.health[h.Source]
	p.health[h.Source] = h
	p.mu.Unlock()
	was := !known || old.Given == old.Asked
	switch is := h.Given == h.Asked; {
	case was && !is:
		p.cfg.Logger.WarnContext(ctx, "a source does not give every payload", "source", h.Source, "asked", h.Asked, "given", h.Given)
	case is && !was:
		p.cfg.Logger.InfoContext(ctx, "a source gives every payload again", "source", h.Source, "asked", h.Asked)
	}
}

// wanted is what is asked for of a batch: so many of its chunks, or all.
type wanted struct {
	batch  proofs.Sealed
	chunks int
	all    bool
}

// pick returns what the source is asked for in this round, by the number of the batch.
func (p *Prober) pick(ctx context.Context, source string) (map[uint64]wanted, error) {
	tail, err := p.cfg.Store.Tail(ctx)
	if err != nil || tail.Batches == 0 {
		return nil, err
	}
	out := map[uint64]wanted{}
	add := func(s proofs.Sealed, all bool) {
		if s.CID.IsZero() {
			return
		}
		w := out[s.Number]
		out[s.Number] = wanted{s, w.chunks + 1, w.all || all}
	}
	for range p.cfg.Sample {
		s, err := p.cfg.Store.BatchOf(ctx, rand.Uint64N(tail.Sealed))
		if err != nil {
			return nil, err
		}
		add(s, false)
	}
	last, err := p.cfg.Store.Batches(ctx, tail.Batches-min(tail.Batches, newest), newest)
	if err != nil {
		return nil, err
	}
	for _, s := range last {
		add(s, false)
	}
	failing, err := p.cfg.Store.Failing(ctx, source, again)
	if err != nil {
		return nil, err
	}
	for _, number := range failing {
		s, err := p.cfg.Store.Batches(ctx, number, 1)
		if err != nil {
			return nil, err
		}
		for _, s := range s {
			add(s, true)
		}
	}
	return out, nil
}

// probe fetches what is wanted of a batch, up to the first block that the source does not give. It answered if it gave
// something, or said that it has not.
func (p *Prober) probe(ctx context.Context, s Source, w wanted) (outcome proofs.Probe, given uint64, answered bool) {
	outcome = proofs.Probe{Batch: w.batch.Number, Source: s.Name, Time: uint64(p.cfg.Now().UnixMilli()), Blocks: 1}
	fail := func(what string, err error) (proofs.Probe, uint64, bool) {
		outcome.Why = fmt.Sprintf("%s: %v", what, err)
		if len(outcome.Why) > maxWhy {
			outcome.Why = outcome.Why[:maxWhy]
		}
		return outcome, given, given > 0 || errors.Is(err, proofs.ErrNotFound)
	}
	block, err := fetch(ctx, s, w.batch.CID)
	if err != nil {
		return fail("manifest", err)
	}
	given = 1
	m, err := proofs.ParseManifest(block)
	if err != nil {
		return fail("manifest", err)
	}
	chunks := rand.Perm(len(m.Chunks))
	if !w.all {
		chunks = chunks[:min(w.chunks, len(chunks))]
	}
	for _, i := range chunks {
		outcome.Blocks++
		if _, err := fetch(ctx, s, m.Chunks[i]); err != nil {
			return fail(fmt.Sprintf("chunk %d of %d", i, len(m.Chunks)), err)
		}
		given++
	}
	outcome.OK = true
	return outcome, given, true
}

// fetch asks for a block and hashes it.
func fetch(ctx context.Context, s Source, digest proofs.Hash) ([]byte, error) {
	b, err := s.Blocks.Block(ctx, digest)
	if err == nil && proofs.BlockDigest(b) != digest {
		err = fmt.Errorf("block %s: it gave other bytes", proofs.FormatCID(digest))
	}
	return b, err
}
