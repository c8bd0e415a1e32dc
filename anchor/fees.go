package anchor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	amount "github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// Fees caps what a transaction may pay, in wei per unit of gas. Zero is no cap.
type Fees struct {
	MaxTip uint64 // a higher suggestion of the nodes is lowered to it; replacing may need more
	MaxFee uint64 // nothing is signed for more, nor while base fee and tip are over it, the base fee with more than half
}

// Caps bounds what is spent, in wei. The worst case of a transaction is held against them before it is
// signed, by the chain's time. Nil is no cap.
type Caps struct {
	Tx    *big.Int // one transaction
	Day   *big.Int // the last 24 hours
	Month *big.Int // the last 30 days
}

// Least returns the lowest of the caps, and nil if there is none.
func (c Caps) Least() (least *big.Int) {
	for _, limit := range []*big.Int{c.Tx, c.Day, c.Month} {
		if limit != nil && (least == nil || limit.Cmp(least) < 0) {
			least = limit
		}
	}
	return least
}

// OnCap says what gives way when gas costs more than Fees.MaxFee and a promise is due.
type OnCap int

const (
	Wait OnCap = iota // the promise: fees are waited for
	Pay               // the fee cap, from Config.Urgent before the deadline on; Caps hold all the same
)

// String returns the word of the configuration.
func (o OnCap) String() string { return [...]string{"delay", "pay"}[o] }

// ParseOnCap reads what String returns.
func ParseOnCap(s string) (OnCap, error) {
	switch s {
	case "delay":
		return Wait, nil
	case "pay":
		return Pay, nil
	}
	return 0, fmt.Errorf("rule at the fee cap: want delay or pay, got %.40q", s)
}

const (
	day   = 24 * time.Hour
	month = 30 * day
	week  = 7 * day

	// maxRaise bounds, where no cap does, how far replacing outbids what the nodes ask for: a transaction
	// that still waits at five times the price does not wait for its fee.
	maxRaise = 5
)

// price is what a transaction offers, in wei per unit of gas.
type price struct{ tip, fee *big.Int }

// quote returns what a new transaction offers above a base fee: twice the base fee and the tip, so that six
// full blocks in a row do not outprice it, within the caps. The error is a hold if not even the base fee and
// the tip are. free says that the fee cap gives way.
func quote(ctx context.Context, q *nodes.Quorum, baseFee *big.Int, caps Fees, free bool) (price, error) {
	if baseFee == nil {
		return price{}, errors.New("read base fee: the latest block has none, and this chain needs EIP-1559")
	}
	tip, err := q.Tip(ctx)
	if err != nil {
		return price{}, err
	}
	if limit := new(big.Int).SetUint64(caps.MaxTip); limit.Sign() > 0 && tip.Cmp(limit) > 0 {
		tip = limit
	}
	least := new(big.Int).Add(baseFee, tip)
	fee := new(big.Int).Add(least, baseFee)
	limit := new(big.Int).SetUint64(caps.MaxFee)
	if free || limit.Sign() == 0 || fee.Cmp(limit) <= 0 {
		return price{tip, fee}, nil
	}
	switch {
	case least.Cmp(limit) <= 0:
	case new(big.Int).Lsh(baseFee, 1).Cmp(limit) <= 0:
		// Where few transact, one who tips too much sets what nodes suggest for a long time: that is no reason to wait.
		if tip.Cmp(limit) > 0 {
			tip = limit
		}
	default:
		return price{}, &hold{GasCap, fmt.Sprintf("gas costs %s and the cap is %s", gwei(least), gwei(limit))}
	}
	return price{tip, limit}, nil
}

func (a *Anchorer) quote(ctx context.Context, v *view, free bool) (price, error) {
	return quote(ctx, a.cfg.Nodes, v.head.BaseFee, a.cfg.Fees, free)
}

// raised returns the least that nodes take in the place of n: an eighth more. They demand a tenth.
func raised(n *big.Int) *big.Int {
	more := new(big.Int).Add(n, big.NewInt(7))
	more.Div(more, big.NewInt(8))
	return more.Add(more, n).Add(more, big.NewInt(1))
}

// raise returns what a replacement of tx offers: what nodes demand in its place, and at least what a new
// transaction would offer, up to the cap. With outbid, another transaction of the account has its place,
// and pays nobody knows what: then the tip doubles.
func (a *Anchorer) raise(ctx context.Context, v *view, free bool, tx journaled, outbid bool) (price, error) {
	now, err := a.quote(ctx, v, true)
	if err != nil {
		return price{}, err
	}
	least := price{raised(tx.GasTipCap()), raised(tx.GasFeeCap())}
	if outbid {
		least.tip.Lsh(least.tip, 1)
	}
	limit, what := new(big.Int).SetUint64(a.cfg.Fees.MaxFee), "the cap"
	if free || limit.Sign() == 0 {
		limit, what = new(big.Int).Mul(now.fee, big.NewInt(maxRaise)), fmt.Sprintf("%d times what is asked for", maxRaise)
	}
	if least.fee.Cmp(limit) > 0 {
		return price{}, &hold{GasCap, fmt.Sprintf("the transaction pays up to %s, the base fee is %s, and %s is %s",
			gwei(tx.GasFeeCap()), gwei(v.head.BaseFee), what, gwei(limit))}
	}
	p := price{larger(least.tip, now.tip), larger(least.fee, now.fee)}
	if p.fee.Cmp(limit) > 0 {
		p.fee = limit
	}
	if p.tip.Cmp(p.fee) > 0 {
		p.tip = p.fee
	}
	return p, nil
}

func larger(x, y *big.Int) *big.Int {
	if x.Cmp(y) > 0 {
		return x
	}
	return y
}

// gwei writes a price for people.
func gwei(wei *big.Int) string { return amount.RoundGwei(wei) + " gwei" }

// ether writes an amount for people.
func ether(wei *big.Int) string { return amount.RoundEther(wei) + " ether" }

// worst returns the most that the transaction can cost for gas.
func worst(gas uint64, fee *big.Int) *big.Int {
	return new(big.Int).Mul(new(big.Int).SetUint64(gas), fee)
}

// ledger holds what was spent for finalized batches in the last month.
type ledger struct {
	final []proofs.Spend
	stale bool // the store may know more
}

// forget drops what was spent before that time.
func (l *ledger) forget(since uint64) {
	l.final = slices.DeleteFunc(l.final, func(s proofs.Spend) bool { return s.Time < since })
}

// Money says what the anchoring account holds and spends, in wei, as of the last round.
type Money struct {
	Account    proofs.Address
	Balance    *big.Int
	Day, Month *big.Int      // spent, and at most to be spent for what is signed
	PerDay     *big.Int      // in the mean of the last week; nil: nothing was spent yet
	Runway     time.Duration // that the balance lasts at PerDay; 0 with PerDay nil
	Caps       Caps
}

// Money returns the figures of the last round, and nil before the first. It is safe for concurrent use.
func (a *Anchorer) Money() *Money { return a.money.Load() }

// account reads the balance and, at first, what was spent, and works out where that leaves us.
func (a *Anchorer) account(ctx context.Context, v *view, batches []proofs.Sealed) (err error) {
	since := before(v.head.Time, month+day) // a day more, since the head may go back
	if a.ledger == nil || a.ledger.stale {
		spends, err := a.cfg.Store.Recent(ctx, since)
		if err != nil {
			return fmt.Errorf("%w: read what was spent: %w", errStore, err)
		}
		a.ledger = &ledger{final: spends}
	}
	a.ledger.forget(since)
	if v.balance, err = a.cfg.Nodes.Balance(ctx, v.head.Hash, v.own()); err != nil {
		return err
	}
	v.batches = batches
	return a.tally(v)
}

// tally works out the figures of Money. It is repeated at the end of a round, which spends.
func (a *Anchorer) tally(v *view) (err error) {
	m := &Money{Account: v.own(), Caps: a.cfg.Caps, Balance: v.balance}
	for span, field := range map[time.Duration]**big.Int{day: &m.Day, month: &m.Month} {
		if *field, err = a.spent(v, span, nil); err != nil {
			return err
		}
	}
	m.PerDay, m.Runway = a.runway(v)
	a.money.Store(m)
	if m.PerDay != nil && m.Runway < lowRunway && time.Since(a.poor) > day {
		a.poor = time.Now()
		a.log.Warn("funds run low", "account", m.Account.String(), "balance", ether(m.Balance), "per_day", ether(m.PerDay),
			"days", int(m.Runway/day))
	}
	return nil
}

// lowRunway is from when on the operator is told, once a day: a weekend and time to act.
const lowRunway = 10 * day

// before returns the time in seconds that lies a span before now.
func before(now uint64, span time.Duration) uint64 {
	return now - min(now, uint64(span/time.Second))
}

// spent returns what was paid within the span before the head, and may yet be paid for what is signed,
// but for the nonce of except.
func (a *Anchorer) spent(v *view, span time.Duration, except txData) (*big.Int, error) {
	total, since := new(big.Int), before(v.head.Time, span)
	add := func(spends []proofs.Spend) {
		for _, s := range spends {
			if s.Time >= since {
				total.Add(total, s.Wei)
			}
		}
	}
	add(a.ledger.final)
	for i := range v.batches {
		s := &v.batches[i]
		if s.State == proofs.StateFinalized {
			continue // in this round: it is in the ledger
		}
		add(s.Spent)
		all, err := journal(s)
		if err != nil {
			return nil, err
		}
		for _, tx := range open(all, v.own(), v.nonce) {
			if except == nil || tx.Nonce() != except.Nonce {
				total.Add(total, worst(tx.Gas(), tx.GasFeeCap()))
			}
		}
	}
	return total, nil
}

// runway returns what a day costs in the mean of the last week, or of the time since the first of its
// payments, and how long the balance lasts at that.
func (a *Anchorer) runway(v *view) (perDay *big.Int, lasts time.Duration) {
	since, total, first := before(v.head.Time, week), new(big.Int), v.head.Time
	add := func(spends []proofs.Spend) {
		for _, s := range spends {
			if s.Time >= since {
				total.Add(total, s.Wei)
				first = min(first, s.Time)
			}
		}
	}
	add(a.ledger.final)
	for i := range v.batches {
		if v.batches[i].State != proofs.StateFinalized { // in this round: it is in the ledger
			add(v.batches[i].Spent)
		}
	}
	if total.Sign() == 0 {
		return nil, 0
	}
	span := max(v.head.Time-first, uint64(day/time.Second))
	perDay = new(big.Int).Div(total.Mul(total, big.NewInt(int64(day/time.Second))), new(big.Int).SetUint64(span))
	if perDay.Sign() == 0 {
		return nil, 0
	}
	days, _ := new(big.Float).Quo(new(big.Float).SetInt(v.balance), new(big.Float).SetInt(perDay)).Float64()
	return perDay, time.Duration(min(days, 100_000) * float64(day)) // 270 years: more does not fit a Duration
}

// afford holds the worst case of a transaction against the balance and the caps.
func (a *Anchorer) afford(ctx context.Context, v *view, tx txData) error {
	cost := worst(tx.Gas, tx.GasFeeCap)
	data, err := dataFee(ctx, a.cfg.Nodes, v.head.Hash, a.cfg.DataFee, len(tx.Data))
	if err != nil {
		return err
	}
	// Twice, since the price of data on L1 rises by an eighth a block at most: that is more than a minute.
	cost.Add(cost, data.Lsh(data, 1))
	caps := a.cfg.Caps
	if caps.Tx != nil && cost.Cmp(caps.Tx) > 0 {
		return &hold{TxCap, fmt.Sprintf("the transaction may cost %s and the cap is %s", ether(cost), ether(caps.Tx))}
	}
	for _, c := range []struct {
		code string
		span time.Duration
		cap  *big.Int
	}{{DayCap, day, caps.Day}, {MonthCap, month, caps.Month}} {
		if c.cap == nil {
			continue
		}
		spent, err := a.spent(v, c.span, tx)
		if err != nil {
			return err
		}
		if new(big.Int).Add(spent, cost).Cmp(c.cap) > 0 {
			return &hold{c.code, fmt.Sprintf("%s are spent or signed for in %d hours, the transaction may cost %s more, and the cap is %s",
				ether(spent), c.span/time.Hour, ether(cost), ether(c.cap))}
		}
	}
	if v.balance.Cmp(cost) < 0 {
		return &hold{Funds, fmt.Sprintf("%s holds %s and the transaction may cost %s: send it funds", v.own(), ether(v.balance), ether(cost))}
	}
	return nil
}

// txOverhead is more than the bytes of a transaction beside its calldata and its signature.
const txOverhead = 100

// dataFee returns the most that a chain of the OP stack charges now for publishing a transaction with so much
// calldata: getL1FeeUpperBound of the GasPriceOracle predeploy, since Fjord. Isthmus' operator fee is not in it.
func dataFee(ctx context.Context, q *nodes.Quorum, block proofs.Hash, oracle proofs.Address, calldata int) (*big.Int, error) {
	if oracle.IsZero() {
		return new(big.Int), nil
	}
	call := crypto.Keccak256([]byte("getL1FeeUpperBound(uint256)"))[:4]
	call = append(call, common.BigToHash(big.NewInt(int64(calldata+txOverhead))).Bytes()...)
	out, err := q.Call(ctx, block, oracle, call)
	if err == nil && len(out) != 32 {
		err = fmt.Errorf("%s is not the oracle of a chain of the OP stack since Fjord", oracle)
	}
	if err != nil {
		return nil, fmt.Errorf("read data fee: %w", err)
	}
	return new(big.Int).SetBytes(out), nil
}
