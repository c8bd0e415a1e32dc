package anchor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

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

	// SetAnchor sets State, Time, Tx and Anchor of a batch. Forward: from below proofs.StateIncluded to
	// StateIncluded (a batch without Txs too: its transaction may have been lost with an older store);
	// from there to StateSafe, and from either to StateFinalized, with the same tx, time and block.
	// Back, after a reorg: StateIncluded or StateSafe to StateSubmitted, with time 0, the zero tx and a
	// nil anchor. a.Header and a.Proof are set at StateFinalized only, which nothing leaves.
	SetAnchor(ctx context.Context, number uint64, state proofs.State, time uint64, tx proofs.Hash, a *proofs.Anchor) error
}

// Signer signs transactions as the log's submitter.
type Signer interface {
	Address() proofs.Address
	SignDigest(digest proofs.Hash) (proofs.Signature, error)
}

const (
	defaultPoll   = 3 * time.Second // a quarter of a mainnet slot
	maxBackoff    = time.Minute     // between rounds that fail
	roundTimeout  = 2 * time.Minute // a node that hangs ends the round, not the loop
	defaultWindow = 2_000           // what public nodes grant
	maxUnfinal    = 1_024           // batches of one round: 15 minutes at one a second
	maxTxs        = 25              // nonces of one batch before a person has to look
)

// Config is what an Anchorer needs. Client, Log, Signer and Store are required.
type Config struct {
	Client *ethclient.Client
	Log    proofs.Chain
	Signer Signer // the log's submitter
	Store  Store

	Poll          time.Duration // between rounds; zero: 3 s
	Confirmations uint64        // blocks on top that make a block final; zero: the chain's finalized tag
	FromBlock     uint64        // no event of the log is in an older block; zero: genesis
	LogWindow     uint64        // blocks asked for in one eth_getLogs; zero: 2,000
	Fees          Fees
	Logger        *slog.Logger // nil: discards
}

func (c *Config) validate() error {
	var errs []error
	refuse := func(wrong bool, what string) {
		if wrong {
			errs = append(errs, errors.New(what))
		}
	}
	refuse(c.Client == nil, "Client is missing")
	refuse(c.Signer == nil, "Signer is missing")
	refuse(c.Store == nil, "Store is missing")
	refuse(c.Log.ChainID == 0, "Log.ChainID is 0")
	refuse(c.Log.AnchorLog.IsZero(), "Log.AnchorLog is zero")
	refuse(c.Log.Log.IsZero(), "Log.Log is zero")
	refuse(c.Poll < 0, "Poll is negative")
	refuse(c.Fees.MaxFee > 0 && c.Fees.MaxTip > c.Fees.MaxFee, "Fees.MaxTip is over Fees.MaxFee")
	return errors.Join(errs...)
}

// Anchorer anchors the batches of one log. Run and Step belong to one goroutine.
type Anchorer struct {
	cfg    Config
	wallet Wallet
	log    *slog.Logger
	wake   chan struct{} // holds one poke
	counts counts

	checked bool              // the chain was found to be the configured one
	at      proofs.Hash       // hash of the head that blocks is of
	blocks  map[uint64]*block // canonical blocks below it that were asked for, by number
}

type counts struct{ sent, included, adopted, reorgs, finalized atomic.Uint64 }

// Counts says what an Anchorer did since it was made.
type Counts struct {
	Sent      uint64 // transactions signed and sent, repeats not counted
	Included  uint64 // batches found in a canonical block
	Adopted   uint64 // of these, by a transaction that is not in the store
	Reorgs    uint64 // batches whose block left the chain
	Finalized uint64
}

// New checks the configuration, all problems at once. It reads nothing from the node.
func New(cfg Config) (*Anchorer, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("anchor: %w", err)
	}
	if cfg.Poll == 0 {
		cfg.Poll = defaultPoll
	}
	if cfg.LogWindow == 0 {
		cfg.LogWindow = defaultWindow
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	w := Wallet{Client: cfg.Client, ChainID: cfg.Log.ChainID, Signer: cfg.Signer, Fees: cfg.Fees, Poll: cfg.Poll}
	return &Anchorer{cfg: cfg, wallet: w, log: cfg.Logger, wake: make(chan struct{}, 1)}, nil
}

// Counts returns the counts so far. It is safe for concurrent use.
func (a *Anchorer) Counts() Counts {
	c := &a.counts
	return Counts{c.sent.Load(), c.included.Load(), c.adopted.Load(), c.reorgs.Load(), c.finalized.Load()}
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
			a.log.Warn("anchoring round failed", "err", err, "retry_in", pause)
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
// the others; all errors are joined.
func (a *Anchorer) Step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	if err := a.check(ctx); err != nil {
		return err
	}
	batches, err := a.cfg.Store.Unfinal(ctx, maxUnfinal)
	if err != nil {
		return fmt.Errorf("read batches: %w", err)
	}
	if len(batches) == 0 {
		return nil
	}
	v, err := a.look(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for i := range batches {
		err := a.advance(ctx, v, &batches[i])
		v.waiting = v.waiting || batches[i].State < proofs.StateIncluded
		if err == nil {
			continue
		}
		errs = append(errs, fmt.Errorf("batch %d: %w", batches[i].Number, err))
		if errors.Is(err, ErrFatal) || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

// advance takes one batch as far as the view allows. s is kept as the store has it.
func (a *Anchorer) advance(ctx context.Context, v *view, s *proofs.Sealed) error {
	if s.State >= proofs.StateIncluded {
		if err := a.recheck(ctx, v, s); err != nil {
			return err
		}
	}
	if s.State < proofs.StateIncluded {
		in, err := a.find(ctx, v, s)
		if err != nil {
			return err
		}
		if in == nil {
			return a.push(ctx, v, s)
		}
		if err := a.include(ctx, v, s, in); err != nil {
			return err
		}
	}
	number := s.Anchor.Block.Number
	if s.State == proofs.StateIncluded && v.safe.covers(number) {
		if err := a.set(ctx, s, proofs.StateSafe, s.Anchor); err != nil {
			return err
		}
	}
	if !v.final.covers(number) {
		return nil
	}
	frozen, err := a.freeze(ctx, s)
	if errors.Is(err, errInclusion) { // a node told something wrong then or now: look again
		return errors.Join(err, a.back(ctx, s))
	}
	if err != nil {
		return err
	}
	if err := a.set(ctx, s, proofs.StateFinalized, frozen); err != nil {
		return err
	}
	a.counts.finalized.Add(1)
	a.log.Info("batch finalized", "batch", s.Number, "block", number)
	return nil
}

// recheck moves the batch back if its block is not on the chain any more.
func (a *Anchorer) recheck(ctx context.Context, v *view, s *proofs.Sealed) error {
	b, err := a.canonical(ctx, v, s.Anchor.Block.Number)
	if err != nil || b != nil && b.Hash == s.Anchor.Block.Hash {
		return err
	}
	a.counts.reorgs.Add(1)
	a.log.Warn("batch left the chain", "batch", s.Number, "block", s.Anchor.Block.Number,
		"block_hash", s.Anchor.Block.Hash.String(), "tx", s.Tx.String())
	return a.back(ctx, s)
}

// back moves the batch back to submitted, from where the next look at the chain takes it on.
func (a *Anchorer) back(ctx context.Context, s *proofs.Sealed) error {
	if err := a.cfg.Store.SetAnchor(ctx, s.Number, proofs.StateSubmitted, 0, proofs.Hash{}, nil); err != nil {
		return fmt.Errorf("store reorg: %w", err)
	}
	s.State, s.Time, s.Tx, s.Anchor = proofs.StateSubmitted, 0, proofs.Hash{}, nil
	return nil
}

// include stores where the batch was found.
func (a *Anchorer) include(ctx context.Context, v *view, s *proofs.Sealed, in *inclusion) error {
	s.Tx, s.Time = in.tx, in.time
	if err := a.set(ctx, s, proofs.StateIncluded, &in.anchor); err != nil {
		return err
	}
	a.counts.included.Add(1)
	if in.adopted {
		a.counts.adopted.Add(1)
	}
	a.log.Info("batch included", "batch", s.Number, "block", in.anchor.Block.Number, "tx", in.tx.String(),
		"adopted", in.adopted)
	return nil
}

func (a *Anchorer) set(ctx context.Context, s *proofs.Sealed, state proofs.State, anchor *proofs.Anchor) error {
	if err := a.cfg.Store.SetAnchor(ctx, s.Number, state, s.Time, s.Tx, anchor); err != nil {
		return fmt.Errorf("store state %s: %w", state, err)
	}
	s.State, s.Anchor = state, anchor
	return nil
}

// push sends again what can still be mined, or makes the batch's next transaction if it is its turn.
func (a *Anchorer) push(ctx context.Context, v *view, s *proofs.Sealed) error {
	var lowest *uint64 // nonce of the batch that is not consumed
	for _, raw := range s.Txs {
		tx, err := decodeTx(raw)
		if err != nil {
			return err
		}
		if n := tx.Nonce(); n >= v.nonce {
			if lowest == nil || n < *lowest {
				lowest = &n
			}
			a.send(ctx, s.Number, tx)
		}
	}
	if v.waiting {
		return nil // an earlier batch comes first
	}
	if lowest != nil {
		gap, err := a.gap(ctx, v, *lowest)
		if err != nil || !gap {
			return err
		}
		a.log.Warn("nonce below the transaction's is free", "batch", s.Number, "nonce", v.nonce, "tx_nonce", *lowest)
	}
	switch head := v.log; {
	case head.Batches < s.Number:
		return fmt.Errorf("the log holds %d batches on chain and batch %d is due: the node is behind, or this is another chain", head.Batches, s.Number)
	case head.Messages != s.First:
		return fmt.Errorf("%w: the log on chain holds %d entries and the batch begins at %d: the store and the log do not belong together; restore the log's newest store", ErrFatal, head.Messages, s.First)
	case len(s.Txs) >= maxTxs:
		return fmt.Errorf("%w: %d transactions were signed and none anchored the batch: look at the newest on a block explorer before starting again", ErrFatal, len(s.Txs))
	}
	return a.sendNew(ctx, v, s)
}

// gap reports whether nobody's transaction fills the account's next nonce, so that one with the nonce
// lowest waits for ever: a reorg dropped what was before it. The batch then fills it itself. Should both
// be mined, the contract reverts the second.
func (a *Anchorer) gap(ctx context.Context, v *view, lowest uint64) (bool, error) {
	if lowest == v.nonce {
		return false, nil
	}
	pending, err := a.cfg.Client.PendingNonceAt(ctx, common.Address(a.cfg.Signer.Address()))
	if err != nil {
		return false, fmt.Errorf("read pending nonce: %w", err)
	}
	return pending <= v.nonce, nil
}

// sendNew signs, stores and sends another transaction of the batch.
func (a *Anchorer) sendNew(ctx context.Context, v *view, s *proofs.Sealed) error {
	tx, err := a.build(ctx, v, s)
	if err != nil {
		return err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	// A crash before SaveTx has sent nothing; a crash after it finds these bytes and sends them.
	if err := a.cfg.Store.SaveTx(ctx, s.Number, raw); err != nil {
		return fmt.Errorf("store transaction: %w", err)
	}
	a.counts.sent.Add(1)
	a.log.Info("transaction signed", "batch", s.Number, "tx", tx.Hash().Hex(), "nonce", tx.Nonce(),
		"gas", tx.Gas(), "max_fee", tx.GasFeeCap(), "max_tip", tx.GasTipCap())
	a.send(ctx, s.Number, tx)
	return nil
}

// send broadcasts. What a node answers says nothing for certain, so that the next rounds look.
func (a *Anchorer) send(ctx context.Context, number uint64, tx *types.Transaction) {
	if err := a.wallet.send(ctx, tx); err != nil {
		a.log.Warn("transaction not taken by the node", "batch", number, "tx", tx.Hash().Hex(), "err", err)
	}
}
