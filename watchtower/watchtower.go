package watchtower

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
)

// Defaults of Config.
const (
	DefaultEvery    = time.Minute
	DefaultPatience = time.Hour // a gateway's outage is no reason to pay a deposit; days are left
	DefaultDemands  = 10        // an operator that hides batches and answers earns the deposits
)

// Sender sends the transactions that a watchtower makes.
type Sender interface {
	// Address is the account that pays, and that the bond's rewards for an answer are credited to.
	Address() proofs.Address
	// Send sends the transaction and waits until it is mined. It returns what that cost, also of one that reverted.
	Send(ctx context.Context, p anchor.Planned) (*anchor.Paid, error)
}

// Config is what a Watchtower needs. Dir, Evidence, Cache and Nodes are required.
type Config struct {
	Dir      string         // with promises: *.receipt.json at any level and *.evidence.json, at all depths
	Evidence string         // directory that evidence is written into, made if missing; it may be below Dir
	Cache    string         // directory of what batches hold, made if missing
	Trust    *proofs.Trust  // the logs that count; nil: every log that a file names
	Nodes    *nodes.Quorum  // of one chain: files of others are left out
	Blocks   payload.Blocks // nil: nothing is fetched
	// FromBlock, Window and Confirmations are those of logbook.Config.
	FromBlock, Window, Confirmations uint64

	Every    time.Duration // between rounds, and the most that one fetches; zero: DefaultEvery
	Patience time.Duration // that a batch is asked for in vain before it is challenged; negative: none; zero: DefaultPatience
	Sender   Sender        // nil: nothing is sent
	Answer   bool          // answer open challenges whose proof is here
	Demand   bool          // challenge what nobody shows, and conclude
	Demands  int           // most challenges that are sent, of all logs; zero: DefaultDemands
	Slash    bool          // slash for breaches, and conclude

	// Recover returns who signed a digest; nil: proofs.Recover.
	Recover func(digest proofs.Hash, s proofs.Signature) (proofs.Address, error)

	Report func(Event)      // nil: nobody is told
	Now    func() time.Time // nil: time.Now
}

func (c *Config) validate() error {
	var errs []error
	for _, x := range []struct {
		wrong bool
		what  string
	}{
		{c.Dir == "", "Dir is missing"}, {c.Evidence == "", "Evidence is missing"}, {c.Cache == "", "Cache is missing"},
		{c.Nodes == nil, "Nodes is missing"},
		{c.Sender == nil && (c.Answer || c.Demand || c.Slash), "there is no Sender to answer, challenge or slash with"},
		{c.Demands < 0, "Demands is below zero"},
		{c.Blocks == nil && c.Demand, "without Blocks everything would be challenged"},
	} {
		if x.wrong {
			errs = append(errs, errors.New(x.what))
		}
	}
	return errors.Join(errs...)
}

// Watchtower watches over promises. It belongs to one goroutine.
type Watchtower struct {
	cfg     Config
	inbox   inbox
	cache   *cache
	chainID uint64  // zero: not known yet
	pending []given // of an unknown chain
	logs    map[proofs.Chain]*followed
	order   []*followed
	trouble map[string]bool
	demands int // challenges that were sent
}

// New checks the configuration and makes the directories.
func New(cfg Config) (*Watchtower, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure watchtower: %w", err)
	}
	cfg.Every, cfg.Patience = cmp.Or(cfg.Every, DefaultEvery), cmp.Or(cfg.Patience, DefaultPatience)
	cfg.Demands = cmp.Or(cfg.Demands, DefaultDemands)
	if cfg.Report == nil {
		cfg.Report = func(Event) {}
	}
	if cfg.Recover == nil {
		cfg.Recover = proofs.Recover
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if _, err := os.ReadDir(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open the directory of promises: %w", err)
	}
	for _, dir := range []string{cfg.Evidence, cfg.Cache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("make directory: %w", err)
		}
	}
	return &Watchtower{
		cfg: cfg, inbox: inbox{cfg.Dir, map[string]stamp{}}, cache: &cache{dir: cfg.Cache},
		logs: map[proofs.Chain]*followed{}, trouble: map[string]bool{},
	}, nil
}

// Summary is what a round found.
type Summary struct {
	Promises int // that are watched
	Open     int
	Kept     int
	Broken   int
	Unknown  int   // undetermined: nobody shows the leaf, or nobody knows the key
	Err      error // why something could not be looked at; nil: all was
}

// Run makes rounds until ctx ends.
func (w *Watchtower) Run(ctx context.Context) error {
	timer := time.NewTicker(w.cfg.Every)
	defer timer.Stop()
	for {
		w.Round(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Round looks at everything once. Nothing that goes wrong is fatal: it is reported, and tried again in the next round.
func (w *Watchtower) Round(ctx context.Context) Summary {
	var sum Summary
	fail := func(about string, err error) {
		if w.say(ctx, about, err) {
			sum.Err = errors.Join(sum.Err, fmt.Errorf("%s: %w", about, err))
		}
	}
	fail("read "+w.cfg.Dir, w.read())
	err := w.learnChain(ctx)
	fail("ask the nodes for their chain", err)
	for _, l := range w.order {
		if err == nil {
			fail(l.name, l.round(ctx))
		}
		l.count(&sum)
	}
	return sum
}

// say reports when something begins to fail, and when it works again.
func (w *Watchtower) say(ctx context.Context, about string, err error) (failed bool) {
	if ctx.Err() != nil {
		return err != nil
	}
	switch was := w.trouble[about]; {
	case err != nil && !was:
		w.report(Event{Kind: KindTrouble, Detail: fmt.Sprintf("%s: %v", about, err)})
	case err == nil && was:
		w.report(Event{Kind: KindClear, Detail: about})
	}
	w.trouble[about] = err != nil
	return err != nil
}

func (w *Watchtower) report(e Event) {
	e.Time = w.cfg.Now()
	w.cfg.Report(e)
}

// read takes what is new in the directory.
func (w *Watchtower) read() error {
	return w.inbox.scan(func(g given) { w.pending = append(w.pending, g) }, func(path string, err error) {
		w.report(Event{Kind: KindFile, Path: path, Detail: err.Error()})
	})
}

// learnChain hands what was read to the logs, once the nodes have said which chain they are on.
func (w *Watchtower) learnChain(ctx context.Context) error {
	if w.chainID == 0 {
		id, err := w.cfg.Nodes.ChainID(ctx)
		if err != nil {
			return err
		}
		w.chainID = id
	}
	for _, g := range w.pending {
		w.take(g)
	}
	w.pending = nil
	for _, l := range w.order { // what is in one batch is decided together
		slices.SortFunc(l.promises, func(a, b *watched) int { return cmp.Compare(a.Index, b.Index) })
	}
	return nil
}

// take hands the promises of a file to their log.
func (w *Watchtower) take(g given) {
	refuse := func(format string, args ...any) {
		w.report(Event{Kind: KindFile, Path: g.path, Chain: g.chain, Detail: fmt.Sprintf(format, args...)})
	}
	var keys []proofs.Address
	if w.cfg.Trust != nil {
		trusted := w.cfg.Trust.Find(g.chain)
		if trusted == nil {
			refuse("its log %s of chain %d, with its contracts, is not in the trust file", g.chain.Log, g.chain.ChainID)
			return
		}
		keys = trusted.PromiseKeys
	}
	if g.chain.ChainID != w.chainID {
		refuse("it is of chain %d and the nodes are on chain %d: a watchtower watches one chain", g.chain.ChainID, w.chainID)
		return
	}
	l := w.logs[g.chain]
	if l == nil {
		var err error
		if l, err = w.follow(g.chain, keys); err != nil {
			refuse("%v", err)
			return
		}
		w.logs[g.chain] = l
		w.order = append(w.order, l)
		w.report(Event{Kind: KindLog, Chain: g.chain, Detail: "followed, with the bond " + g.chain.PromiseBond.String()})
	}
	if g.receipt != nil {
		l.show(g.receipt)
	}
	for i := range g.promises {
		if err := l.add(g, &g.promises[i]); err != nil {
			refuse("%v", err)
		}
	}
}
