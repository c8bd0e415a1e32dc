package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// noStore is a log without batches.
type noStore struct{}

func (noStore) Unfinal(context.Context, int) ([]proofs.Sealed, error)          { return nil, nil }
func (noStore) SaveTx(context.Context, uint64, []byte) error                   { return errDry }
func (noStore) SetAnchor(context.Context, uint64, proofs.Standing) error       { return errDry }
func (noStore) Recent(context.Context, uint64) (spent []proofs.Spend, _ error) { return nil, nil }

// readStore is a store that is only read.
type readStore struct{ *storage.DB }

func (readStore) SaveTx(context.Context, uint64, []byte) error             { return errDry }
func (readStore) SetAnchor(context.Context, uint64, proofs.Standing) error { return errDry }

var errDry = errors.New("a dry run writes nothing")

// dryLine is hansard.dry-run/1. Amounts are in wei.
type dryLine struct {
	Schema    string         `json:"schema"`
	ChainID   uint64         `json:"chainId,string"`
	Nodes     int            `json:"nodes"`
	Quorum    int            `json:"quorum"`
	Head      uint64         `json:"head,string"`
	AnchorLog proofs.Address `json:"anchorLog"`
	Log       proofs.Hash    `json:"log"`
	Batches   uint64         `json:"batches,string"`
	Messages  uint64         `json:"messages,string"`
	Store     string         `json:"store"`
	Waiting   *int           `json:"waiting,omitempty"` // it, PerDay, Runway, Day and Month only where the store was read
	Account   proofs.Address `json:"account"`
	Balance   *big.Int       `json:"balance"`
	PerDay    *big.Int       `json:"perDay,omitempty"`
	Runway    float64        `json:"runwayDays,omitempty"`
	Day       *big.Int       `json:"spentDay,omitempty"`
	Month     *big.Int       `json:"spentMonth,omitempty"`
	Gas       uint64         `json:"gas,omitempty"`
	Tip       *big.Int       `json:"tip,omitempty"`
	Fee       *big.Int       `json:"fee,omitempty"`
	Worst     *big.Int       `json:"worst,omitempty"`
	Hold      string         `json:"hold,omitempty"`
	Detail    string         `json:"detail,omitempty"`
	Bond      proofs.Address `json:"bond"`
	Backed    bool           `json:"backed"` // promises of the key are
	Unbacked  string         `json:"unbacked,omitempty"`
}

// dryRun says what serve would do first and what that would cost. It signs and sends nothing.
func dryRun(c *cli.Context, cfg nodeConfig) error {
	if len(cfg.RPC) == 0 {
		return usage("--dry-run: the development chain costs nothing; name the nodes of a chain with --rpc")
	}
	n := &node{changed: func() {}}
	defer n.Close()
	promise, err := n.unlock(&cfg)
	if err != nil {
		return err
	}
	if err := n.dial(c.Context, cfg); err != nil {
		return err
	}
	n.name(&cfg)
	if err := n.findLog(c.Context, cfg); err != nil {
		return err
	}
	store, what, err := n.openToRead(cfg, promise.Address())
	if err != nil {
		return hintDir(err, "--data")
	}
	a := n.anchorConfig(cfg)
	a.Store = store
	planner, err := anchor.New(a)
	if err != nil {
		return err
	}
	p, err := planner.Plan(c.Context)
	if err != nil {
		return err
	}
	n.key = promise.Address()
	b, err := n.readBond(c.Context)
	if err != nil {
		return chainError(err)
	}
	return printPlan(c, n, p, b, what)
}

const storeInUse = "in use by a running service"

// openToRead opens the store where there is one and no service has it. what says which.
func (n *node) openToRead(cfg nodeConfig, promise proofs.Address) (store anchor.Store, what string, err error) {
	dir := filepath.Join(cfg.Dir, "log")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return noStore{}, "new", nil
	}
	n.db, err = storage.Open(storage.Config{Dir: dir, Chain: n.chain, PromiseKey: promise, Rotate: cfg.Rotate})
	if inUse(err) {
		return noStore{}, storeInUse, nil
	}
	if err != nil {
		return nil, "", err
	}
	n.close = append(n.close, n.db.Close)
	return readStore{n.db}, "read", nil
}

func printPlan(c *cli.Context, n *node, p *anchor.Plan, b *bondView, store string) error {
	l := dryLine{
		Schema: "hansard.dry-run/1", ChainID: n.chain.ChainID, Nodes: n.nodes.Len(), Quorum: n.nodes.Need(), Head: p.Head,
		AnchorLog: n.chain.AnchorLog, Log: n.chain.Log, Batches: p.Log.Batches, Messages: p.Log.Messages, Store: store,
		Account: p.Money.Account, Balance: p.Money.Balance, Gas: p.Gas, Tip: p.Tip, Fee: p.Fee, Worst: p.Worst,
		Bond: n.chain.PromiseBond, Backed: b.Err == nil,
	}
	bondText := b.text()
	if b.Err != nil {
		l.Unbacked = b.why()
		bondText += "; " + b.next()
	}
	if store != storeInUse {
		waiting := len(p.Waiting)
		l.Waiting, l.PerDay, l.Runway, l.Day, l.Month = &waiting, p.Money.PerDay, p.Money.Runway.Hours()/24, p.Money.Day, p.Money.Month
	}
	if p.Hold != nil {
		l.Hold, l.Detail = p.Hold.Code, p.Hold.Detail
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, l)
	}
	rows := [][2]string{
		{"chain", fmt.Sprintf("%d at block %d, by %d nodes of which %d must agree", l.ChainID, l.Head, l.Nodes, l.Quorum)},
		{"contract", l.AnchorLog.String()},
		{"log", fmt.Sprintf("%s with %d batches of %d messages", l.Log, l.Batches, l.Messages)},
		{"bond", bondText},
	}
	if l.Waiting != nil {
		rows = append(rows, [2]string{"store", fmt.Sprintf("%s; %d batches wait to be anchored", store, *l.Waiting)},
			[2]string{"spent", fmt.Sprintf("%s in 24 hours, %s; %s in 30 days, %s", ether(l.Day), capOf(p.Money.Caps.Day), ether(l.Month), capOf(p.Money.Caps.Month))})
	} else {
		rows = append(rows, [2]string{"store", store + ", which alone knows what waits and what was spent: caps of a day and a month are not looked at"})
	}
	rows = append(rows, [2]string{"account", fmt.Sprintf("%s holds %s", l.Account, ether(l.Balance))})
	if l.PerDay != nil {
		rows = append(rows, [2]string{"runway", fmt.Sprintf("%.1f days at %s a day", l.Runway, ether(l.PerDay))})
	}
	if l.Worst != nil {
		rows = append(rows, [2]string{"next", fmt.Sprintf("%d gas at no more than %s: at worst %s, %s", l.Gas, cost.FormatGwei(l.Fee)+" gwei", ether(l.Worst), capOf(p.Money.Caps.Tx))})
	}
	verdict := "the next batch would be anchored"
	if l.Hold != "" {
		verdict = "the next batch would wait: " + l.Detail
	}
	rows = append(rows, [2]string{"so", verdict + ". Nothing was signed or sent."})
	for _, r := range rows {
		if _, err := fmt.Fprintf(c.App.Writer, "  %-9s %s\n", r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}

func capOf(limit *big.Int) string {
	if limit == nil {
		return "no cap"
	}
	return "cap " + ether(limit)
}

// ether writes an amount in full.
func ether(wei *big.Int) string { return cost.FormatEther(wei) + " ether" }
