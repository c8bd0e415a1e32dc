package anchor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// ErrFatal is wrapped by errors that no retry can mend: another writer on the log, a wrong chain, a
// wrong key. The text says what was found, why it stops, and what to do.
var ErrFatal = errors.New("cannot go on")

// Store is the durable record of batches. Each write is on stable storage when it returns nil; after an
// error it may have happened or not, and the next Unfinal tells.
type Store interface {
	// Unfinal returns at most limit batches below proofs.StateFinalized, in order of number without
	// gaps from the first such batch; it ends before the first batch whose payload is not pinned.
	Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error)

	// SaveTx appends a signed transaction (EIP-2718 bytes) to Txs of a batch below
	// proofs.StateIncluded, and makes the state proofs.StateSubmitted. It is called before broadcast.
	SaveTx(ctx context.Context, number uint64, raw []byte) error

	// SetAnchor sets where a batch stands. Forward: from below proofs.StateIncluded to StateIncluded (a
	// batch without Txs too: its transaction may have been lost with an older store); from there to
	// StateSafe, and from either to StateFinalized, with the same tx, time and block. Back, after a
	// reorg: StateIncluded or StateSafe to StateSubmitted, with time 0, the zero tx and a nil anchor.
	// From StateSubmitted to itself it changes Spent. Header and Proof of the anchor are set at
	// StateFinalized only, which nothing leaves.
	SetAnchor(ctx context.Context, number uint64, st proofs.Standing) error

	// Recent returns what transactions of finalized batches cost in blocks of that time or later, in
	// seconds since 1970 UTC.
	Recent(ctx context.Context, since uint64) ([]proofs.Spend, error)
}

// Signer signs transactions of one account. It may ask a person or another process, and may refuse.
type Signer interface {
	Address() proofs.Address
	// SignTx returns the transaction with the account's signature and nothing else changed.
	SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
}

const (
	defaultPoll     = 3 * time.Second // a quarter of a mainnet slot
	defaultPatience = 3               // blocks: with a tip that is taken, one or two are enough
	defaultUrgent   = 2 * time.Hour   // fees that spike for an hour are common, and one more hour is to act
	maxBackoff      = time.Minute     // between rounds that fail
	roundTimeout    = 2 * time.Minute // nodes that hang end the round, not the loop
	defaultWindow   = 2_000           // blocks: what public nodes grant
	maxUnfinal      = 1_024           // batches of one round, unless all are included: 15 minutes at one a second
)

// Config is what an Anchorer needs. Nodes, Log, Signers and Store are required.
type Config struct {
	Nodes   *nodes.Quorum
	Log     proofs.Chain
	Signers []Signer // of these, the one that the contract names as the log's submitter signs
	Store   Store

	Poll          time.Duration // between rounds; zero: 3 s
	Confirmations uint64        // blocks on top that make a block final; zero: the chain's finalized tag
	FromBlock     uint64        // no event of the log is in an older block; zero: genesis
	LogWindow     uint64        // blocks asked for in one eth_getLogs; zero: 2,000
	Patience      uint64        // blocks that a transaction may wait before it is replaced; zero: 3
	Fees          Fees
	Caps          Caps
	OnCap         OnCap
	Urgent        time.Duration  // before a promise's deadline, when OnCap begins to count; zero: 2 h
	DataFee       proofs.Address // the OP stack's GasPriceOracle; zero: the chain charges nothing for data
	Yield         func() bool    // another transaction of ours goes first: nothing is signed unless a promise is due within Urgent. From memory; nil: never
	Delayed       func()         // called when Delay begins, ends, or has another code; nil: nothing
	Logger        *slog.Logger   // nil: discards
}

func (c *Config) validate() error {
	var errs []error
	refuse := func(wrong bool, what string) {
		if wrong {
			errs = append(errs, errors.New(what))
		}
	}
	refuse(c.Nodes == nil, "Nodes is missing")
	refuse(len(c.Signers) == 0 || slices.Contains(c.Signers, nil), "Signers has none, or a nil one")
	refuse(c.Store == nil, "Store is missing")
	refuse(c.Log.ChainID == 0, "Log.ChainID is 0")
	refuse(c.Log.AnchorLog.IsZero(), "Log.AnchorLog is zero")
	refuse(c.Log.Log.IsZero(), "Log.Log is zero")
	refuse(c.Poll < 0, "Poll is negative")
	refuse(c.Urgent < 0, "Urgent is negative")
	refuse(c.Fees.MaxFee > 0 && c.Fees.MaxTip > c.Fees.MaxFee, "Fees.MaxTip is over Fees.MaxFee")
	for name, limit := range map[string]*big.Int{"Tx": c.Caps.Tx, "Day": c.Caps.Day, "Month": c.Caps.Month} {
		refuse(limit != nil && limit.Sign() <= 0, "Caps."+name+" is not over 0")
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	c.Poll = cmp.Or(c.Poll, defaultPoll)
	c.LogWindow = cmp.Or(c.LogWindow, defaultWindow)
	c.Patience = cmp.Or(c.Patience, defaultPatience)
	c.Urgent = cmp.Or(c.Urgent, defaultUrgent)
	if c.Yield == nil {
		c.Yield = func() bool { return false }
	}
	if c.Delayed == nil {
		c.Delayed = func() {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Anchorer anchors the batches of one log. Run and Step belong to one goroutine.
type Anchorer struct {
	cfg    Config
	log    *slog.Logger
	wake   chan struct{} // holds one poke
	counts counts
	delay  atomic.Pointer[Delay]
	money  atomic.Pointer[Money]

	window  int                     // how many batches are read at first in a round
	checked bool                    // the chain was found to be the configured one
	at      proofs.Hash             // hash of the head that blocks is of
	blocks  map[uint64]*nodes.Block // canonical blocks below it that were asked for, by number
	floor   uint64                  // block of a batch before every batch that is looked for
	ledger  *ledger                 // nil until it was read
	pending map[proofs.Hash]*waiting
	retry   map[uint64]pause
	looked  time.Time   // when the chain was last looked at with nothing to send; zero: that failed
	ours    uint64      // number of the newest head at which one of the keys was the submitter
	ahead   proofs.Hash // hash of the head that an estimate was ahead of
	poor    time.Time   // when low funds were last warned of
}

type counts struct {
	sent, replaced, included, adopted, reorgs, finalized atomic.Uint64
}

// Counts says what an Anchorer did since it was made.
type Counts struct {
	Sent      uint64 // transactions signed and sent, with replacements and without repeats
	Replaced  uint64 // of these, in the place of one that pays less
	Included  uint64 // batches found in a canonical block
	Adopted   uint64 // of these, by a transaction that is not in the store
	Reorgs    uint64 // batches whose block left the chain
	Finalized uint64
}

// New checks the configuration, all problems at once. It reads nothing from the nodes.
func New(cfg Config) (*Anchorer, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	cfg = cfg.withDefaults()
	return &Anchorer{
		cfg: cfg, log: cfg.Logger, window: maxUnfinal, wake: make(chan struct{}, 1), pending: map[proofs.Hash]*waiting{},
		retry: map[uint64]pause{},
	}, nil
}

// Counts returns the counts so far. It is safe for concurrent use.
func (a *Anchorer) Counts() Counts {
	c := &a.counts
	return Counts{c.sent.Load(), c.replaced.Load(), c.included.Load(), c.adopted.Load(), c.reorgs.Load(), c.finalized.Load()}
}

// Wake starts the next round now, unless the last one failed and its pause is not over. It never
// blocks and is safe for concurrent use.
func (a *Anchorer) Wake() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run repeats Step until ctx ends, which returns nil, or until an error that wraps ErrFatal, which it
// returns. After other errors it pauses twice as long each time, up to a minute.
func (a *Anchorer) Run(ctx context.Context) error {
	pause := a.cfg.Poll
	for {
		err := a.Step(ctx)
		wake := a.wake
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrFatal):
			return err
		case err != nil:
			a.log.Warn("anchoring round cut short", "err", err, "retry_in", pause)
			a.nextIn(pause)
			wake = nil
		default:
			pause = a.cfg.Poll
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
		if err != nil {
			pause = min(2*pause, max(maxBackoff, a.cfg.Poll))
		}
	}
}

// Step is one round: it compares every batch that is not final with the chain and takes what steps can
// be taken now. It may be cut off at any point and repeated. Trouble with one batch does not hold up
// the others; all errors are joined. What only has to wait is no error: see Delay.
func (a *Anchorer) Step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	why, err := a.round(ctx)
	if errors.Is(err, ErrFatal) {
		a.stop(err)
		return err
	}
	if err != nil {
		a.looked = time.Time{} // what is wrong lasts until a look finds it mended
		if why == nil {
			why = &hold{codeOf(err), err.Error()}
		}
	}
	if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		a.setDelay(why)
	}
	return err
}

// round returns why a batch has to wait, if one has to, and what went wrong.
func (a *Anchorer) round(ctx context.Context) (why *hold, err error) {
	if err := a.check(ctx); err != nil {
		return nil, err
	}
	batches, err := a.unfinal(ctx)
	if err != nil {
		return nil, err
	}
	if len(batches) == 0 && !a.timeToLook() {
		if d := a.delay.Load(); d != nil && d.Code == GasCap { // of the last look at fees
			return &hold{d.Code, d.Detail}, nil
		}
		return nil, nil
	}
	v, err := a.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.account(ctx, v, batches); err != nil {
		return nil, err
	}
	var errs []error
	for i := range batches {
		err := a.advance(ctx, v, &batches[i])
		v.waiting = v.waiting || batches[i].State < proofs.StateIncluded
		var h *hold
		switch {
		case err == nil:
			continue
		case errors.As(err, &h):
			if why == nil {
				why = h
			}
			continue
		}
		errs = append(errs, fmt.Errorf("batch %d: %w", batches[i].Number, err))
		if errors.Is(err, ErrFatal) || ctx.Err() != nil {
			break
		}
	}
	if !v.waiting && why == nil && len(errs) == 0 {
		why = a.tooDear(ctx, v)
	}
	return why, errors.Join(append(errs, a.tally(v))...)
}

// unfinal returns the batches of a round: those that are not final, up to one that waits at least.
func (a *Anchorer) unfinal(ctx context.Context) ([]proofs.Sealed, error) {
	for limit := a.window; ; limit *= 2 {
		batches, err := a.cfg.Store.Unfinal(ctx, limit)
		if err != nil {
			return nil, fmt.Errorf("%w: read batches: %w", errStore, err)
		}
		if n := len(batches); n < limit || batches[n-1].State < proofs.StateIncluded {
			return batches, nil
		}
	}
}

// advance takes one batch as far as the view allows. s is kept as the store has it.
func (a *Anchorer) advance(ctx context.Context, v *view, s *proofs.Sealed) error {
	if s.State >= proofs.StateIncluded {
		err := a.recheck(ctx, v, s)
		if err == nil && s.State >= proofs.StateIncluded {
			err = a.recount(ctx, v, s)
		}
		if err != nil {
			return err
		}
	}
	if s.State < proofs.StateIncluded {
		in, spent, err := a.find(ctx, v, s)
		if err != nil {
			return err
		}
		if in == nil {
			return a.push(ctx, v, s, spent)
		}
		if err := a.include(ctx, s, in, spent); err != nil {
			return err
		}
	}
	number := s.Anchor.Block.Number
	a.floor = number
	if s.State == proofs.StateIncluded && covers(v.safe, number) {
		if err := a.move(ctx, s, proofs.StateSafe, s.Anchor); err != nil {
			return err
		}
	}
	if !covers(v.final, number) {
		return nil
	}
	frozen, err := a.freeze(ctx, s)
	if errors.Is(err, errInclusion) { // a node told something wrong then or now: look again
		return errors.Join(err, a.back(ctx, s))
	}
	if err != nil {
		return err
	}
	if err := a.move(ctx, s, proofs.StateFinalized, frozen); err != nil {
		a.ledger.stale = true // it may be final
		return err
	}
	a.ledger.final = append(a.ledger.final, s.Spent...)
	a.counts.finalized.Add(1)
	a.log.Info("batch finalized", "batch", s.Number, "block", number)
	return nil
}

// recheck moves the batch back if its block is not on the chain any more.
func (a *Anchorer) recheck(ctx context.Context, v *view, s *proofs.Sealed) error {
	b, err := a.canonical(ctx, v, s.Anchor.Block.Number)
	if err == nil && b == nil { // the nodes are behind, or in a reorg to a chain that is not as long yet
		return a.repeat(ctx, v, s)
	}
	if err != nil || b.Hash == s.Anchor.Block.Hash {
		return err
	}
	a.counts.reorgs.Add(1)
	a.log.Warn("batch left the chain", "batch", s.Number, "block", s.Anchor.Block.Number,
		"block_hash", s.Anchor.Block.Hash.String(), "tx", s.Tx.String())
	return a.back(ctx, s)
}

// recount adds to s what other transactions of an included batch cost that were mined after it, in vain.
// It is stored with the next state.
func (a *Anchorer) recount(ctx context.Context, v *view, s *proofs.Sealed) error {
	all, err := journal(s)
	if err != nil {
		return err
	}
	type place struct {
		from  proofs.Address
		nonce uint64
	}
	used := map[place]bool{}
	for _, tx := range all {
		if slices.ContainsFunc(s.Spent, func(sp proofs.Spend) bool { return sp.Tx == tx.hash }) {
			used[place{tx.from, tx.Nonce()}] = true
		}
	}
	for i := range all {
		at := place{all[i].from, all[i].Nonce()}
		if used[at] {
			continue
		}
		_, cost, err := a.observe(ctx, v, s, all[i].hash, &all[i])
		if err != nil {
			return err
		}
		if cost != nil {
			used[at] = true
			s.Spent = append(slices.Clip(s.Spent), *cost)
		}
	}
	return nil
}

// back moves the batch back to submitted, from where the next look at the chain takes it on.
func (a *Anchorer) back(ctx context.Context, s *proofs.Sealed) error {
	st := proofs.Standing{State: proofs.StateSubmitted}
	if err := a.cfg.Store.SetAnchor(ctx, s.Number, st); err != nil {
		return fmt.Errorf("%w: reorg: %w", errStore, err)
	}
	s.Stand(st)
	return nil
}

// include stores where the batch was found.
func (a *Anchorer) include(ctx context.Context, s *proofs.Sealed, in *inclusion, spent []proofs.Spend) error {
	st := proofs.Standing{State: proofs.StateIncluded, Time: in.time, Tx: in.tx, Anchor: &in.anchor, Spent: spent}
	if err := a.set(ctx, s, st); err != nil {
		return err
	}
	a.forget(s)
	a.counts.included.Add(1)
	if in.adopted {
		a.counts.adopted.Add(1)
	}
	a.log.Info("batch included", "batch", s.Number, "block", in.anchor.Block.Number, "tx", in.tx.String(),
		"adopted", in.adopted)
	return nil
}

// move changes state and anchor, and nothing else of where the batch stands.
func (a *Anchorer) move(ctx context.Context, s *proofs.Sealed, state proofs.State, anchor *proofs.Anchor) error {
	st := s.Standing()
	st.State, st.Anchor = state, anchor
	return a.set(ctx, s, st)
}

func (a *Anchorer) set(ctx context.Context, s *proofs.Sealed, st proofs.Standing) error {
	if err := a.cfg.Store.SetAnchor(ctx, s.Number, st); err != nil {
		return fmt.Errorf("%w: state %s: %w", errStore, st.State, err)
	}
	s.Stand(st)
	return nil
}
