package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// Entries is what answers are made from. Errors wrap proofs.ErrNotFound.
type Entries interface {
	Store
	// BatchOf returns the batch that holds the index.
	BatchOf(ctx context.Context, index uint64) (proofs.Sealed, error)
	// Prove returns the siblings from the leaf at that position of the batch to its root.
	Prove(ctx context.Context, b proofs.Batch, position uint64) ([]proofs.Hash, error)
}

const (
	defaultPoll   = time.Minute      // there are three days
	defaultWindow = 2_000            // blocks: what public nodes grant
	attempt       = 2 * time.Minute  // that an answer may take to be mined before it is sent again for more
	turn          = 10 * time.Minute // that answers are sent in a row while anchors wait: who challenges without end must not stop the log
	margin        = time.Hour        // that is looked back beyond the oldest challenge that can be answered
	reorg         = 256              // blocks that are looked at again
	tries         = 3                // to build an answer that the contract takes at the newest block
)

// DefaultAnswerCap is what one answer may cost, in wei: 0.05 ether. For an entry of a batch of 2^20 that is 314 gwei a gas, which
// is a small part of what the bond is worth.
func DefaultAnswerCap() *big.Int { return big.NewInt(5e16) }

// AnswererConfig is what an Answerer needs. Nodes, Log, Store and Signer are required.
type AnswererConfig struct {
	Nodes   *nodes.Quorum
	Log     proofs.Chain
	Store   Entries
	Signer  anchor.Signer // the deposits of answered challenges are credited to its account
	Fees    anchor.Fees   // obeyed until half of the time to answer is over
	DataFee proofs.Address
	Cap     *big.Int // what the answer to one challenge may cost, in wei; nil: DefaultAnswerCap

	FromBlock uint64        // no event of the bond is in an older block
	Window    uint64        // blocks asked for in one eth_getLogs; zero: 2,000
	Poll      time.Duration // between looks; zero: 1 min
	TxPoll    time.Duration // between looks for a transaction's receipt; zero: 3 s
	Attempt   time.Duration // that an answer may take to be mined before it is sent again for more; zero: 2 min
	Turn      time.Duration // after which a step ends, but for challenges whose time is half over, so that anchors have their turn; zero: 10 min
	Logger    *slog.Logger  // nil: discards
}

func (c *AnswererConfig) validate() error {
	var errs []error
	for what, wrong := range map[string]bool{
		"Nodes is missing": c.Nodes == nil, "Store is missing": c.Store == nil, "Signer is missing": c.Signer == nil,
		"Log.Log is zero": c.Log.Log.IsZero(), "Cap is not over 0": c.Cap != nil && c.Cap.Sign() <= 0,
	} {
		if wrong {
			errs = append(errs, errors.New(what))
		}
	}
	return errors.Join(errs...)
}

// Answerer answers the challenges of one log's promises. Run and Step belong to one goroutine.
type Answerer struct {
	cfg      AnswererConfig
	scanned  uint64 // block up to which events were read; 0: none
	rescan   time.Time
	known    map[proofs.Hash]*demand
	sending  atomic.Bool
	answered atomic.Uint64

	mu     sync.Mutex // guards status
	status Challenges
}

// demand is an open challenge.
type demand struct {
	bond.Challenge
	spent *big.Int // on answers that reverted
	raise int      // attempts that were not mined
	told  string   // what the operator was last told of it
	at    time.Time
	lost  bool // it cannot be answered
}

// near reports whether half of the time to answer is over.
func (d *demand) near(head *nodes.Block) bool {
	return d.AnswerBy < head.Time+uint64(bond.AnswerTime/time.Second/2)
}

// Challenges says how many of a log's promises are challenged.
type Challenges struct {
	Open     int       // and not answered yet
	Hopeless int       // of these, those that we have no answer to
	AnswerBy time.Time // the earliest of them; zero: none is open
	Answered uint64    // by this process
}

// NewAnswerer checks the configuration. It reads nothing.
func NewAnswerer(cfg AnswererConfig) (*Answerer, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("answerer: %w", err)
	}
	set(&cfg.Window, defaultWindow)
	set(&cfg.Poll, defaultPoll)
	set(&cfg.Attempt, attempt)
	set(&cfg.Turn, turn)
	if cfg.Cap == nil {
		cfg.Cap = DefaultAnswerCap()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Answerer{cfg: cfg, known: map[proofs.Hash]*demand{}}, nil
}

func set[T comparable](field *T, def T) {
	var zero T
	if *field == zero {
		*field = def
	}
}

// Sending reports whether an answer is on its way to a block: an anchor before it would void its path, and would take its
// nonce if the account is the same. It is anchor.Config.Yield.
func (a *Answerer) Sending() bool { return a.sending.Load() }

// Challenges returns what the last look found, and nothing of a nil Answerer. It is safe for concurrent use.
func (a *Answerer) Challenges() Challenges {
	if a == nil {
		return Challenges{}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.status
	s.Answered = a.answered.Load()
	return s
}

// Run repeats Step until ctx ends.
func (a *Answerer) Run(ctx context.Context) error {
	if a.cfg.Log.PromiseBond.IsZero() {
		<-ctx.Done()
		return nil
	}
	timer := time.NewTicker(a.cfg.Poll)
	defer timer.Stop()
	for {
		if err := a.Step(ctx); err != nil && ctx.Err() == nil {
			a.cfg.Logger.WarnContext(ctx, "challenges not looked for", "err", err, "retry_in", a.cfg.Poll)
		}
		timer.Reset(a.cfg.Poll) // an anchor is signed before the next one, however long this one took
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

// Step looks for open challenges and answers what can be answered now, the most urgent first. It may be cut off at any
// point and repeated. What is wrong with one challenge is logged and tried again at the next step. After AnswererConfig.Turn it
// leaves the rest to the next one.
func (a *Answerer) Step(ctx context.Context) error {
	s, err := bond.Read(ctx, a.cfg.Nodes, a.cfg.Log)
	if err != nil {
		return err
	}
	if s.Open == 0 { // or the contract is not there
		clear(a.known)
		a.scanned = s.Block.Number
		a.report(nil)
		return nil
	}
	open, lost := a.find(ctx, s)
	a.report(open)
	began := time.Now()
	for i, d := range open {
		if i > 0 && time.Since(began) > a.cfg.Turn && !d.near(&s.Block) {
			break
		}
		err := a.answer(ctx, s, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.tell(ctx, d, err)
	}
	a.report(open)
	return lost
}

// scan reads the events that are new into known.
func (a *Answerer) scan(ctx context.Context, s *bond.State) error {
	from := a.scanned - min(a.scanned, reorg)
	if a.scanned == 0 || time.Now().After(a.rescan) && len(a.known) < int(s.Open) {
		var err error
		if from, err = a.oldest(ctx, &s.Block); err != nil {
			return err
		}
		a.rescan = time.Now().Add(warnAt)
	}
	for at := from; at <= s.Block.Number; at += a.cfg.Window {
		found, err := bond.Challenges(ctx, a.cfg.Nodes, a.cfg.Log, at, min(at+a.cfg.Window-1, s.Block.Number))
		if err != nil {
			return err
		}
		for _, c := range found {
			if a.known[c.ID] == nil && !c.Closed {
				a.known[c.ID] = &demand{Challenge: c, spent: new(big.Int)}
			}
		}
	}
	a.scanned = max(s.Block.Number, 1)
	return nil
}

// find returns the open challenges, the one that is to be answered first at the front. An error beside them says that there
// may be others.
func (a *Answerer) find(ctx context.Context, s *bond.State) ([]*demand, error) {
	lost := a.scan(ctx, s)
	var open []*demand
	for id, d := range a.known {
		c, err := s.Challenge(ctx, a.cfg.Nodes, id)
		if err != nil {
			return nil, err
		}
		if c == nil || c.Closed {
			a.cfg.Logger.InfoContext(ctx, "challenge closed", "challenge", id.String(), "index", d.Promise.Index)
			delete(a.known, id)
			continue
		}
		d.AnswerBy = c.AnswerBy // after a reorg it is another
		open = append(open, d)
	}
	slices.SortFunc(open, func(x, y *demand) int { return int(int64(x.AnswerBy - y.AnswerBy)) })
	if len(open) < int(s.Open) {
		a.cfg.Logger.WarnContext(ctx, "open challenges without event", "open", s.Open, "found", len(open), "look_again", a.rescan)
	}
	return open, lost
}

// oldest returns the first block in which a challenge may have been made that can still be answered.
func (a *Answerer) oldest(ctx context.Context, head *nodes.Block) (uint64, error) {
	since := head.Time - min(head.Time, uint64((bond.AnswerTime+margin)/time.Second))
	low, high := min(a.cfg.FromBlock, head.Number), head.Number
	for low < high {
		middle := low + (high-low)/2
		b, err := a.cfg.Nodes.BlockAt(ctx, middle)
		if err != nil {
			return 0, err
		}
		if b.Time < since {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// report keeps what is open for others.
func (a *Answerer) report(open []*demand) {
	var c Challenges
	for _, d := range open {
		if d.Closed {
			continue
		}
		c.Open++
		if d.lost {
			c.Hopeless++
		}
		if by := unix(d.AnswerBy); c.AnswerBy.IsZero() || by.Before(c.AnswerBy) {
			c.AnswerBy = by
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status = c
}

// errHopeless is wrapped where we have no answer.
var errHopeless = errors.New("there is no answer to the challenge, and it will cost the bond")

// tell tells the operator what keeps a challenge from being answered, once an hour unless it changes.
func (a *Answerer) tell(ctx context.Context, d *demand, err error) {
	if d.lost = errors.Is(err, errHopeless); err == nil {
		d.told = ""
		return
	}
	if err.Error() == d.told && time.Since(d.at) < warnAt {
		return
	}
	d.told, d.at = err.Error(), time.Now()
	say := a.cfg.Logger.WarnContext
	if d.lost {
		say = a.cfg.Logger.ErrorContext
	}
	say(ctx, "challenge not answered", "challenge", d.ID.String(), "index", d.Promise.Index, "answer_by", unix(d.AnswerBy),
		"deadline", unix(d.Promise.Deadline), "err", err)
}
