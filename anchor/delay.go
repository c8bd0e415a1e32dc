package anchor

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Why nothing is anchored for now.
const (
	GasCap   = "gas_cap"   // gas costs more than Fees.MaxFee
	TxCap    = "tx_cap"    // the next transaction could cost more than Caps.Tx
	DayCap   = "day_cap"   // it could bring the last 24 hours over Caps.Day
	MonthCap = "month_cap" // it could bring the last 30 days over Caps.Month
	Funds    = "funds"     // the account holds less than the transaction could cost
	Reverted = "reverted"  // transactions were mined and reverted: tried again after a while
	NodesOff = "nodes"     // the nodes do not answer, or do not agree
	SignOff  = "signer"    // the signer does not sign
	StoreOff = "store"     // the store does not take what has to be written first
	Stopped  = "stopped"   // an error that wraps ErrFatal: nothing is tried again before a restart
)

// Delay says why nothing is anchored for now. It is no failure: but for Stopped the next attempt is made by itself.
type Delay struct {
	Code   string // one of the above
	Detail string // for people
	Since  time.Time
	Next   time.Time // of the next attempt; zero with Stopped
}

// hold is why a batch has to wait, as an error on its way up.
type hold struct{ code, detail string }

func (h *hold) Error() string { return h.detail }

// What an error is about, where it is not the nodes.
var (
	errStore  = errors.New("store")
	errSigner = errors.New("sign transaction")
)

func codeOf(err error) string {
	switch {
	case errors.Is(err, errStore):
		return StoreOff
	case errors.Is(err, errSigner):
		return SignOff
	}
	return NodesOff
}

// Delay returns why nothing is anchored for now, and nil if nothing stands in the way. It is safe for
// concurrent use.
func (a *Anchorer) Delay() *Delay { return a.delay.Load() }

// setDelay keeps the reason of the round that ended.
func (a *Anchorer) setDelay(h *hold) {
	was, now := a.delay.Load(), time.Now()
	var d *Delay
	if h != nil {
		d = &Delay{Code: h.code, Detail: h.detail, Since: now, Next: now.Add(a.cfg.Poll)}
	}
	switch {
	case d == nil && was == nil:
		return
	case d == nil:
		a.log.Info("anchoring goes on", "after", was.Code, "since", was.Since)
	case was != nil && was.Code == d.Code:
		d.Since = was.Since
		a.delay.Store(d)
		return
	default:
		a.log.Warn("anchoring waits", "code", d.Code, "reason", d.Detail)
	}
	a.delay.Store(d)
	a.cfg.Delayed()
}

// stop keeps why nothing is anchored any more, for those who still ask. Who called Step says it to the operator.
func (a *Anchorer) stop(err error) {
	a.delay.Store(&Delay{Code: Stopped, Detail: err.Error(), Since: time.Now()})
	a.cfg.Delayed()
}

// nextIn says when the next attempt is made.
func (a *Anchorer) nextIn(pause time.Duration) {
	if d := a.delay.Load(); d != nil {
		next := *d
		next.Next = time.Now().Add(pause)
		a.delay.Store(&next)
	}
}

// remaining returns the time on the chain from its head to the batch's earliest deadline.
func remaining(v *view, s *proofs.Sealed) (left time.Duration, known bool) {
	if s.Deadline == 0 {
		return 0, false
	}
	most := uint64(math.MaxInt64 / time.Second)
	if s.Deadline < v.head.Time {
		return -time.Duration(min(v.head.Time-s.Deadline, most)) * time.Second, true
	}
	return time.Duration(min(s.Deadline-v.head.Time, most)) * time.Second, true
}

// mustPay reports whether the fee cap gives way to the promises of the batch.
func (a *Anchorer) mustPay(v *view, s *proofs.Sealed) bool {
	return a.cfg.OnCap == Pay && a.urgent(v, s)
}

// urgent reports whether the first promise of the batch is due soon, or overdue.
func (a *Anchorer) urgent(v *view, s *proofs.Sealed) bool {
	left, known := remaining(v, s)
	return known && left <= a.cfg.Urgent
}

// How often the chain is looked at while no batch waits.
const (
	priceEvery = 12 * time.Second // where there is a cap of the fee: about one block of Ethereum
	idleEvery  = time.Minute      // for what the account holds
)

// timeToLook reports whether the chain is to be looked at though no batch waits.
func (a *Anchorer) timeToLook() bool {
	every := idleEvery
	if a.cfg.Fees.MaxFee > 0 {
		every = priceEvery
	}
	if time.Since(a.looked) < every {
		return false
	}
	a.looked = time.Now()
	return true
}

// tooDear returns a reason to keep the pool open while no batch waits: the next one would have to.
func (a *Anchorer) tooDear(ctx context.Context, v *view) *hold {
	if a.cfg.Fees.MaxFee == 0 {
		return nil
	}
	var h *hold
	if _, err := a.quote(ctx, v, false); errors.As(err, &h) {
		return h
	}
	return nil
}
