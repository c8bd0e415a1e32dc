package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
	"github.com/hansard-dao/hansard/storage"
)

// headsCall is the call of heads(log).
func headsCall(log proofs.Hash) []byte { return bindings.NewAnchorLog().PackHeads(log) }

// storeState is what the service's store holds, by itself or by the service's word.
type storeState struct {
	from       string // who said so
	batches    uint64 // sealed
	anchored   uint64 // of them included, safe or finalized
	messages   uint64 // in batches and pool; 0 where the service was asked
	firstBlock uint64 // of batch 0; 0: it has none
	spends     []proofs.Spend
}

// Free space of the data directory: below lowSpace an operator has time to act, below storage's own reserve
// nothing is accepted any more.
const lowSpace = 5 << 30

func (d *doctor) checkData() {
	dir := d.cli.String("data")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.add("data", doctorSkip, fmt.Sprintf("%s does not exist", dir), "a service makes it at its first start", "give --data DIR if the service has another")
		return
	case err != nil || !info.IsDir():
		d.add("data", doctorFail, fmt.Sprintf("%s is no directory that can be read", dir), "the service keeps everything in it", "correct --data")
		return
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		d.add("data", doctorFail, fmt.Sprintf("%s cannot be written: %s", dir, cause(err)), "no message is accepted that is not on disk", "run as the user of the service, or correct owner, mode or mount")
		return
	}
	f.Close()
	os.Remove(f.Name()) //nolint:errcheck // an empty file that says whose it is
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		d.add("data", doctorWarn, fmt.Sprintf("%s: free space is not known: %s", dir, err), "", "")
		return
	}
	free := s.Bavail * uint64(s.Bsize)
	what := fmt.Sprintf("%s can be written, %.1f GiB free", dir, float64(free)/(1<<30))
	switch {
	case free < storage.DefaultReserve:
		d.add("data", doctorFail, what, "messages are refused below the reserve", "make room")
	case free < lowSpace:
		d.add("data", doctorWarn, what, fmt.Sprintf("messages are refused below %.1f GiB", float64(storage.DefaultReserve)/(1<<30)), "make room")
	default:
		d.add("data", doctorOK, what)
	}
}

// askStore reads the store, or asks the service that has it open.
func (d *doctor) askStore() {
	trust, err := d.readTrust()
	if err != nil {
		d.add("trust", doctorFail, err.Error(), "it says which log is in the data directory", "start the service once: it writes the file anew")
		return
	}
	if trust == nil {
		return
	}
	state, err := d.openStore(trust)
	if inUse(err) {
		state, err = d.askService(trust)
	}
	switch {
	case err == nil:
		d.stored = state
	case errors.Is(err, client.ErrUnreachable):
		d.add("service", doctorFail, fmt.Sprintf("a process has the store open, and %s does not answer", d.cli.String("server")),
			"it hangs, it is starting, or it listens elsewhere", "name it with --server, or look at its log")
	default:
		d.add("store", doctorFail, oneLine(err.Error(), 300), "the service would not start with it", "")
	}
}

// readTrust returns the log that the data directory is of, or nil if there is none yet.
func (d *doctor) readTrust() (*proofs.TrustedLog, error) { return ownLog(d.cli.String("data")) }

// ownLog returns the log that a data directory is of, as its trust file says, or nil if there is none yet.
func ownLog(dir string) (*proofs.TrustedLog, error) {
	path := filepath.Join(dir, "trust.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := proofs.ParseTrust(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for i := range t.Logs { // a log into which it is folded has no promises
		if len(t.Logs[i].PromiseKeys) > 0 {
			return &t.Logs[i], nil
		}
	}
	return nil, fmt.Errorf("%s: want a log with its promise key", path)
}

func (d *doctor) openStore(trust *proofs.TrustedLog) (s *storeState, err error) {
	dir := filepath.Join(d.cli.String("data"), "log")
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("there is a trust file and no store: %w", err)
	}
	db, err := storage.Open(storage.Config{Dir: dir, Chain: trust.Chain, PromiseKey: trust.PromiseKeys[0]})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	ctx := d.cli.Context
	tail, err := db.Tail(ctx)
	if err != nil {
		return nil, err
	}
	s = &storeState{from: "the store", batches: tail.Batches, anchored: tail.Batches, messages: tail.Next}
	if tail.Batches == 0 {
		return s, nil
	}
	if s.spends, err = db.Recent(ctx, d.weekAgo()); err != nil {
		return nil, err
	}
	waiting, err := db.Unfinal(ctx, 1<<20)
	if err != nil {
		return nil, err
	}
	for _, b := range waiting {
		s.spends = append(s.spends, b.Spent...)
		if b.State < proofs.StateIncluded {
			s.anchored--
		}
	}
	first, err := db.Batch(ctx, 0)
	if err == nil && first.Anchor != nil {
		s.firstBlock = first.Anchor.Block.Number
	}
	return s, err
}

// weekAgo is when the week began over which spending is averaged, in seconds since 1970 UTC.
func (d *doctor) weekAgo() uint64 { return uint64(d.now().Add(-7 * 24 * time.Hour).Unix()) }

// weekOfBatches is more than a week holds at one batch a minute.
const weekOfBatches = 12_000

// askService asks the running service for what the store holds.
func (d *doctor) askService(trust *proofs.TrustedLog) (*storeState, error) {
	c, err := serviceOf(d.cli)
	if err != nil {
		return nil, err
	}
	info, err := c.Info(d.cli.Context)
	if err != nil {
		return nil, err
	}
	if info.Chain != trust.Chain {
		return nil, fmt.Errorf("the service at %s keeps the log %s, and the data directory is of %s: name its own service with --server", d.cli.String("server"), info.Chain.Log, trust.Chain.Log)
	}
	s := &storeState{from: "the service"}
	if first, err := c.Batches(d.cli.Context, 0, 1); err == nil && len(first) == 1 {
		s.firstBlock = first[0].Block.Number
	}
	if d.found != nil {
		s.batches = d.found.Head.Batches - min(d.found.Head.Batches, weekOfBatches)
		s.anchored = s.batches
	}
	err = eachBatch(d.cli.Context, c, s.batches, func(b *client.Batch) {
		s.batches++
		if b.State >= proofs.StateIncluded {
			s.anchored++
		}
		if b.Spent != nil && b.Time >= d.weekAgo() {
			s.spends = append(s.spends, proofs.Spend{Time: b.Time, Gas: b.Spent.Gas, Wei: b.Spent.Wei})
		}
	})
	if err == nil {
		d.checkDelay(info)
		d.checkIntake(info.Promises)
	}
	return s, err
}

// checkDelay says whether the service anchors, and what holds it up if not.
func (d *doctor) checkDelay(info *client.Info) {
	what := fmt.Sprintf("%s answers, version %s", d.cli.String("server"), info.Version)
	if info.Delay != nil {
		d.add("service", doctorWarn, fmt.Sprintf("%s; delayed: %s, %s", what, info.Delay.Code, info.Delay.Detail), "messages are taken and wait to be anchored",
			"it goes on by itself; the row that names the cause says what helps")
		return
	}
	d.add("service", doctorOK, what)
}

// checkIntake says why new messages are refused.
func (d *doctor) checkIntake(p *client.Promises) {
	if p == nil || p.Refusal == nil {
		return
	}
	d.add("service", doctorWarn, fmt.Sprintf("new messages are refused: %s, %s", p.Refusal.Code, p.Refusal.Detail), "what was promised comes first",
		"it ends by itself once the cause is gone")
}

// checkStore compares what is stored with what is on the chain.
func (d *doctor) checkStore() {
	s, f := d.stored, d.found
	if s == nil {
		d.add("store", doctorSkip, "there is no store, or it could not be read")
		return
	}
	what := fmt.Sprintf("%d batches in %s, %d of them anchored", s.batches, s.from, s.anchored)
	if f == nil || !f.Ours {
		d.add("store", doctorOK, what+"; the chain was not asked")
		return
	}
	what += fmt.Sprintf("; %d on the chain", f.Head.Batches)
	switch waiting := s.batches - min(s.batches, f.Head.Batches); {
	case f.Log.Place() == d.storedLog().Place() && f.Log != d.storedLog():
		d.add("store", doctorFail, fmt.Sprintf("promises of the data directory name the bond %s, and %s is looked at", d.storedLog().PromiseBond, f.Log.PromiseBond),
			"a service with this configuration would refuse the directory", "correct --bond; it is none where the directory was made without a bond")
	case f.Log != d.storedLog():
		d.add("store", doctorFail, fmt.Sprintf("the data directory is of the log %s on chain %d, and %s on chain %d is looked at",
			d.storedLog().Log, d.storedLog().ChainID, f.Log.Log, f.Log.ChainID),
			"a service with this configuration would refuse the directory", "correct --data, --rpc, --owner, --log-name or --log")
	case s.batches < f.Head.Batches:
		d.add("store", doctorFail, what, "the directory is an old copy, or another service writes to this log", "find the newest data directory; with this one, places would be promised that are taken")
	case waiting > 0:
		d.add("store", doctorWarn, fmt.Sprintf("%s: %d wait to be anchored", what, waiting), "they are on their way, or fees, funds or nodes hold them up", "hansard status, or the service's log, say why")
	default:
		d.add("store", doctorOK, what)
	}
}

// storedLog is the log that the data directory is of.
func (d *doctor) storedLog() proofs.Chain {
	if t, err := d.readTrust(); err == nil && t != nil {
		return t.Chain
	}
	return proofs.Chain{}
}

// lowRunway is from when on an operator is warned: a weekend and time to act.
const lowRunway = 10

// checkSigners looks at each account: whether it may anchor, what it holds and how long that lasts.
func (d *doctor) checkSigners() {
	uris := d.cli.StringSlice("account")
	if !d.cli.IsSet("account") && len(d.site.file.Accounts) > 0 {
		uris = d.site.file.Accounts
	}
	submits := false
	for _, uri := range uris {
		at, err := d.site.addressOf(d.cli, uri)
		if err != nil {
			result := doctorFail
			if errors.Is(err, signer.ErrUnanswered) || errors.Is(err, signer.ErrRefused) {
				result = doctorWarn
			}
			d.add("signer", result, fmt.Sprintf("%s: %s", oneLine(uri, maxDetail), oneLine(err.Error(), 200)), "it cannot sign now", "docs/keys.md says how accounts are named")
			continue
		}
		submits = submits || d.found != nil && d.found.Head.Submitter == at
		d.checkMoney(uri, at)
	}
	if f := d.found; f != nil && f.Ours && !f.Head.Submitter.IsZero() && !submits {
		d.add("signer", doctorFail, fmt.Sprintf("none of the accounts is the log's submitter, %s", f.Head.Submitter), "no other key can anchor in this log",
			"use that key, or let the owner "+f.Owner.String()+" run: hansard contracts set-submitter ADDRESS")
	}
}

// checkMoney says how long an account's balance lasts, by what the last week cost, or else by the present fee.
func (d *doctor) checkMoney(uri string, at proofs.Address) {
	if d.head == nil {
		d.add("signer", doctorSkip, fmt.Sprintf("%s %s: the chain could not be read", oneLine(uri, maxDetail), at))
		return
	}
	balance, err := d.site.nodes.Balance(d.cli.Context, d.head.Hash, at)
	if err != nil {
		d.add("signer", doctorFail, oneLine(err.Error(), 200), "what the account holds is not known", "see the rows of the nodes")
		return
	}
	what := fmt.Sprintf("%s %s holds %s ether", oneLine(uri, maxDetail), at, cost.RoundEther(balance))
	const why, next = "without funds nothing is anchored, and promises are broken", "send it funds"
	w := anchor.Wallet{Nodes: d.site.nodes, ChainID: d.site.log.ChainID, Signer: addressOnly(at), DataFee: d.site.data}
	price, err := w.Price(d.cli.Context, anchor.Planned{What: "anchor", To: d.site.log.AnchorLog, Data: make([]byte, anchorCalldata), Gas: cost.AnchorGas})
	if err == nil && balance.Cmp(price.Worst()) < 0 {
		d.add("signer", doctorFail, fmt.Sprintf("%s, and one anchor may cost %s", what, cost.RoundEther(price.Worst())), why, next)
		return
	}
	perDay := d.perDay()
	switch {
	case perDay.Sign() > 0:
		days, _ := new(big.Rat).SetFrac(balance, perDay).Float64()
		what += fmt.Sprintf(", runway %.1f days at the last week's %s ether a day", days, cost.RoundEther(perDay))
		if days < lowRunway {
			d.add("signer", doctorWarn, fmt.Sprintf("%s (alert < %d)", what, lowRunway), why, next)
			return
		}
	case err == nil && price.Likely().Sign() > 0:
		anchors := new(big.Int).Quo(balance, price.Likely())
		what += fmt.Sprintf(", enough for %s anchors at the present fee; nothing was spent in the last week", anchors)
	}
	d.add("signer", doctorOK, what)
}

// anchorCalldata is the length of a call of anchor, in bytes.
const anchorCalldata = 4 + 5*32

// checkFees holds the present price of an anchor against the caps of the chain file.
func (d *doctor) checkFees() {
	if d.head == nil {
		return
	}
	w := anchor.Wallet{Nodes: d.site.nodes, ChainID: d.site.log.ChainID, Signer: addressOnly{}, DataFee: d.site.data}
	price, err := w.Price(d.cli.Context, anchor.Planned{What: "anchor", To: d.site.log.AnchorLog, Data: make([]byte, anchorCalldata), Gas: cost.AnchorGas})
	if err != nil {
		d.add("fees", doctorFail, oneLine(err.Error(), 200), "nothing is signed without a price", "see the rows of the nodes; --data-fee is for chains of the OP stack only")
		return
	}
	f, now := d.site.file, new(big.Int).Add(price.BaseFee, price.Tip)
	if f.MaxFee != nil && f.MaxFee.Cmp(price.FeeCap) < 0 {
		price.FeeCap = f.MaxFee
	}
	what := fmt.Sprintf("gas costs %s gwei, an anchor about %s ether, %s in the worst case", cost.RoundGwei(now), cost.RoundEther(price.Likely()), cost.RoundEther(price.Worst()))
	switch {
	case f.MaxFee != nil && now.Cmp(f.MaxFee) > 0:
		d.add("fees", doctorWarn, fmt.Sprintf("%s; max_fee_gwei is %s", what, cost.FormatGwei(f.MaxFee)), "batches wait until fees fall", "wait, or raise max_fee_gwei")
	case f.CapTx != nil && price.Worst().Cmp(f.CapTx) > 0:
		d.add("fees", doctorWarn, fmt.Sprintf("%s; caps.tx is %s", what, cost.FormatEther(f.CapTx)), "nothing is signed that may cost more", "wait, raise caps.tx, or lower max_fee_gwei, which bounds the worst case")
	default:
		d.add("fees", doctorOK, what)
	}
}

// perDay is what the last week cost a day, or the days since its first payment if they are fewer.
func (d *doctor) perDay() *big.Int {
	total, now := new(big.Int), uint64(d.now().Unix())
	first := now
	if d.stored == nil {
		return total
	}
	for _, s := range d.stored.spends {
		if s.Time >= d.weekAgo() {
			total.Add(total, s.Wei)
			first = min(first, s.Time)
		}
	}
	const day = 24 * 60 * 60
	span := max(now-first, day)
	return total.Quo(total.Mul(total, big.NewInt(day)), new(big.Int).SetUint64(span))
}
