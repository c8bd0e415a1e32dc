package main

import (
	"context"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/pins"
	"github.com/hansard-dao/hansard/probe"
	"github.com/hansard-dao/hansard/proofs"
)

// logReader is what metrics read of the log at each scrape.
type logReader interface {
	Tail(context.Context) (proofs.Tail, error)
	Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error)
	Unpinned(ctx context.Context, limit int) ([]proofs.Sealed, error)
	Batches(ctx context.Context, from uint64, limit int) ([]proofs.Sealed, error)
}

// metrics is where the numbers of GET /metrics are read. docs/operations.md lists them.
type metrics struct {
	Log        logReader
	Promise    time.Duration // from acceptance to the promised deadline
	Counts     func() anchor.Counts
	Delay      func() *anchor.Delay
	Money      func() *anchor.Money // nil: not known yet
	Health     func() []nodes.Health
	Promises   func() guard.Status     // nil: none are given
	Challenges func() guard.Challenges // nil as Promises
	Bond       func() *bondView        // nil, or returns nil: not known, or none
	Probes     func() []probe.Health   // nil: nobody is asked for payloads
	Pins       pinsReader              // nil: batches have no other places
	Now        func() time.Time        // nil: time.Now
}

// pinsReader is what metrics read of the places that get copies.
type pinsReader interface {
	Status() []pins.Status
	Backlog(ctx context.Context, i int) (missing, held uint64, err error)
	Require() int
}

// newMetrics serves the metrics in Prometheus' text format, with those of the Go runtime and the process. Those
// of the log into which this one is folded have the prefix fold_; nil: it is not folded.
func newMetrics(m metrics, fold *metrics, logger *slog.Logger) http.Handler {
	if m.Now == nil {
		m.Now = time.Now
	}
	r := prometheus.NewRegistry()
	if fold != nil {
		fold.Now = m.Now
		prometheus.WrapRegistererWithPrefix("fold_", r).MustRegister(fold)
	}
	r.MustRegister(&m, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 2, // a scrape reads the store
	})
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hansard_"+name, help, labels, nil)
}

var (
	descBuild    = newDesc("build_info", "Version of the program; always 1.", "version")
	descMessages = newDesc("messages_accepted_total", "Messages that the log holds.")
	descPool     = newDesc("pool_messages", "Messages that are in no batch yet.")
	descBatches  = newDesc("batches", "Batches by how far they have come.", "state")
	descOldest   = newDesc("oldest_unanchored_message_age_seconds", "Age of the oldest message that is in no block of the chain; 0 if there is none.")
	descPromise  = newDesc("promise_seconds", "From the acceptance of a message to the deadline that is promised.")

	descSent      = newDesc("anchor_sent_total", "Transactions signed and sent since the start, replacements included.")
	descReplaced  = newDesc("anchor_replaced_total", "Transactions that took the place of one that pays less.")
	descIncluded  = newDesc("anchor_included_total", "Batches found in a canonical block.")
	descAdopted   = newDesc("anchor_adopted_total", "Batches anchored by a transaction that is not in the store.")
	descReorgs    = newDesc("anchor_reorgs_total", "Batches whose block left the chain.")
	descFinalized = newDesc("anchor_finalized_total", "Batches found in a final block.")
	descDelayed   = newDesc("delayed", "1 for the reason why nothing is anchored for now, 0 for the others.", "code")

	descUp       = newDesc("node_up", "1 if the last answer of the node was one.", "node")
	descHead     = newDesc("node_head_block", "Newest block of the node when it was last asked.", "node")
	descLag      = newDesc("node_lag_blocks", "Blocks that the node is behind the newest one agreed on.", "node")
	descIgnored  = newDesc("node_ignored", "1 if the node is not listened to, as one on another chain.", "node")
	descErrors   = newDesc("node_errors_total", "Questions that the node did not answer.", "node")
	descOutvoted = newDesc("node_outvoted_total", "Answers of the node that enough others contradicted.", "node")

	descBalance   = newDesc("balance_wei", "What the anchoring account holds.", "account")
	descRunway    = newDesc("runway_seconds", "How long the balance lasts at the spending of the last week; absent while nothing was spent.")
	descSpent     = newDesc("spent_wei", "What the last 24 hours or 30 days cost, and at most will for what is signed.", "window")
	descLeft      = newDesc("promise_left_seconds", "Until the earliest deadline of what is in no block, below 0 once it passed; absent while nothing waits.")
	descOverdue   = newDesc("promises_overdue", "Messages of batches in no block whose first deadline passed.")
	descRefusing  = newDesc("refusing", "1 for the reason why no new message is taken, 0 for the others.", "code")
	descOpen      = newDesc("challenges_open", "Challenges of promises that are not answered.")
	descHopeless  = newDesc("challenges_unanswerable", "Open challenges that the log has no answer to.")
	descAnswerBy  = newDesc("challenge_left_seconds", "Until the first open challenge must be answered; absent while none is open.")
	descAnswered  = newDesc("challenges_answered_total", "Challenges answered since the start.")
	descBond      = newDesc("bond_wei", "What is staked on the log's promises.")
	descKeyActive = newDesc("promise_key_active", "1 if the bond counts promises of the key that signs them, and it was not revoked.", "key")
	descBacked    = newDesc("promises_backed", "1 if breaking a promise costs the bond: it is there, funded, not slashed, not leaving, and the key is active.")

	descRetrievable = newDesc("payload_retrievable", "Share, 0 to 1, of the payload blocks asked for in the last round that the source gave; absent before the first.", "source")
	descProbed      = newDesc("payload_probed_timestamp_seconds", "When the last round of the source ended.", "source")
	descPinRequire  = newDesc("pin_require", "Places that must hold a batch before it is anchored, the embedded node among them.")
	descPinFailing  = newDesc("pin_failing", "1 if the last attempt at the place failed.", "target")
	descPinBacklog  = newDesc("pin_backlog_batches", "Batches that the place does not hold yet.", "target")
	descPinHeld     = newDesc("pin_held_batches", "Batches that the place holds.", "target")
	descPinErrors   = newDesc("pin_errors_total", "Attempts at the place that failed.", "target")
	descPinPushed   = newDesc("pin_pushed_batches_total", "Batches given to the place.", "target")
	descPinBytes    = newDesc("pin_pushed_bytes_total", "Bytes of these batches.", "target")
	descPinLost     = newDesc("pin_lost_batches_total", "Batches that the place held and did not hold any more when it was asked again.", "target")

	descCap = newDesc("spend_cap_wei", "Configured limit of what one transaction, 24 hours or 30 days may cost.", "window")
)

// delayCodes are those of package anchor, and ours. Any other counts as "other".
var delayCodes = []string{
	anchor.GasCap, anchor.TxCap, anchor.DayCap, anchor.MonthCap, anchor.Funds, anchor.Reverted, anchor.NodesOff, anchor.SignOff, anchor.StoreOff, anchor.Stopped, pinsMissing, "other",
}

// Describe sends none: which metrics there are depends on the configuration.
func (m *metrics) Describe(chan<- *prometheus.Desc) {}

// Collect reads and sends every metric.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge(descBuild, 1, strings.ToValidUTF8(version(), "?"))
	if err := m.collectLog(gauge, count); err != nil {
		out <- prometheus.NewInvalidMetric(descMessages, err)
	}
	m.collectAnchor(gauge, count)
	m.collectNodes(gauge, count)
	m.collectMoney(gauge)
	m.collectBond(gauge)
	if m.Probes != nil {
		for _, h := range m.Probes() {
			gauge(descRetrievable, float64(h.Given)/float64(h.Asked), h.Source)
			gauge(descProbed, float64(h.Time.UnixMilli())/1000, h.Source)
		}
	}
	if m.Promises != nil {
		m.collectPromises(gauge, count)
	}
	if m.Pins != nil {
		m.collectPins(gauge, count)
	}
}

func (m *metrics) collectPins(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge(descPinRequire, float64(m.Pins.Require()))
	for i, s := range m.Pins.Status() {
		gauge(descPinFailing, toFloat(s.Err != nil), s.Name)
		if missing, held, err := m.Pins.Backlog(ctx, i); err == nil { // the log's own numbers say that the store is not read
			gauge(descPinBacklog, float64(missing), s.Name)
			gauge(descPinHeld, float64(held), s.Name)
		}
		count(descPinErrors, s.Errors, s.Name)
		count(descPinPushed, s.Pushed, s.Name)
		count(descPinBytes, s.PushedBytes, s.Name)
		count(descPinLost, s.Lost, s.Name)
	}
}

func (m *metrics) collectPromises(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	p, c := m.Promises(), m.Challenges()
	if !p.Deadline.IsZero() {
		gauge(descLeft, p.Left.Seconds())
	}
	gauge(descOverdue, float64(p.Overdue))
	for _, code := range append(slices.Clip(guard.Codes), unmarked) {
		gauge(descRefusing, toFloat(p.Refusal != nil && p.Refusal.Code == code), code)
	}
	gauge(descOpen, float64(c.Open))
	gauge(descHopeless, float64(c.Hopeless))
	if !c.AnswerBy.IsZero() {
		gauge(descAnswerBy, c.AnswerBy.Sub(m.Now()).Seconds())
	}
	count(descAnswered, c.Answered)
}

// scrapeTime bounds what one scrape reads of the store.
const scrapeTime = 10 * time.Second

func (m *metrics) collectLog(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) error {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	tail, err := m.Log.Tail(ctx)
	if err != nil {
		return err
	}
	first, err := m.firstUnfinal(ctx, tail)
	if err != nil {
		return err
	}
	states := map[proofs.State]uint64{proofs.StateFinalized: first}
	now := uint64(m.Now().UnixMilli())
	oldest := now
	if tail.Next > tail.Sealed {
		oldest = min(oldest, tail.OpenedAt)
	}
	const step = 256
	for from := first; ; from += step {
		batches, err := m.Log.Batches(ctx, from, step)
		if err != nil {
			return err
		}
		for i := range batches {
			states[batches[i].State]++
			if batches[i].State < proofs.StateIncluded {
				oldest = min(oldest, batches[i].OpenedAt)
			}
		}
		if len(batches) < step {
			break
		}
	}
	count(descMessages, tail.Next)
	gauge(descPool, float64(tail.Next-tail.Sealed))
	for s := proofs.StateBatched; s <= proofs.StateFinalized; s++ {
		gauge(descBatches, float64(states[s]), s.String())
	}
	gauge(descOldest, float64(now-oldest)/1000)
	gauge(descPromise, m.Promise.Seconds())
	return nil
}

// firstUnfinal returns the number of the first batch that is not finalized, or of the next one.
func (m *metrics) firstUnfinal(ctx context.Context, tail proofs.Tail) (uint64, error) {
	first := tail.Batches
	for _, list := range []func(context.Context, int) ([]proofs.Sealed, error){m.Log.Unfinal, m.Log.Unpinned} {
		found, err := list(ctx, 1)
		if err != nil {
			return 0, err
		}
		if len(found) > 0 {
			first = min(first, found[0].Number)
		}
	}
	return first, nil
}

func (m *metrics) collectAnchor(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	c := m.Counts()
	count(descSent, c.Sent)
	count(descReplaced, c.Replaced)
	count(descIncluded, c.Included)
	count(descAdopted, c.Adopted)
	count(descReorgs, c.Reorgs)
	count(descFinalized, c.Finalized)
	code := ""
	if d := m.Delay(); d != nil {
		if code = d.Code; !slices.Contains(delayCodes, code) {
			code = "other"
		}
	}
	for _, known := range delayCodes {
		gauge(descDelayed, toFloat(known == code), known)
	}
}

func (m *metrics) collectNodes(gauge func(*prometheus.Desc, float64, ...string), count func(*prometheus.Desc, uint64, ...string)) {
	for _, h := range m.Health() {
		name := strings.ToValidUTF8(h.Name, "?")
		gauge(descUp, toFloat(h.Up), name)
		gauge(descHead, float64(h.Head), name)
		gauge(descLag, float64(h.Lag), name)
		gauge(descIgnored, toFloat(h.Wrong != ""), name)
		count(descErrors, h.Errors, name)
		count(descOutvoted, h.Outvoted, name)
	}
}

func (m *metrics) collectMoney(gauge func(*prometheus.Desc, float64, ...string)) {
	money := m.Money()
	if money == nil {
		return
	}
	wei := func(d *prometheus.Desc, amount *big.Int, label string) {
		if amount != nil {
			f, _ := new(big.Float).SetInt(amount).Float64()
			gauge(d, f, label)
		}
	}
	wei(descBalance, money.Balance, money.Account.String())
	if money.PerDay != nil {
		gauge(descRunway, money.Runway.Seconds())
	}
	wei(descSpent, money.Day, "day")
	wei(descSpent, money.Month, "month")
	wei(descCap, money.Caps.Tx, "transaction")
	wei(descCap, money.Caps.Day, "day")
	wei(descCap, money.Caps.Month, "month")
}

// collectBond sends what followBond last saw.
func (m *metrics) collectBond(gauge func(*prometheus.Desc, float64, ...string)) {
	if m.Bond == nil {
		return
	}
	v := m.Bond()
	if v == nil || v.State.Log.PromiseBond.IsZero() {
		return
	}
	amount, _ := new(big.Float).SetInt(v.State.Amount).Float64()
	gauge(descBond, amount)
	gauge(descKeyActive, toFloat(v.Key.Active()), v.Key.Address.String())
	gauge(descBacked, toFloat(v.Err == nil))
}

func toFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// metrics serves those of the node.
func (n *node) metrics(promise time.Duration, logger *slog.Logger) http.Handler {
	of := func(n *node) metrics {
		return metrics{Log: n.db, Promise: promise, Counts: n.anchorer.Counts, Delay: n.anchorer.Delay, Money: n.anchorer.Money, Health: n.nodes.Health}
	}
	own := of(n)
	own.Promises, own.Challenges = n.atRisk, n.answerer.Challenges
	own.Bond, own.Delay, own.Pins = n.bond.Load, n.delay, n.keeper
	if n.prober != nil {
		own.Probes = n.prober.Health
	}
	var fold *metrics
	if n.folding != nil {
		m := of(n.folding.node)
		fold = &m
	}
	return newMetrics(own, fold, logger)
}
