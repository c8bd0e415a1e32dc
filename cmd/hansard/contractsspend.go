package main

import (
	"fmt"
	"math/big"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// spending is a plan on its way: priced, shown, and then sent, written for a Safe, or left at that.
type spending struct {
	cli       *cli.Context
	site      *site
	found     *anchor.Site
	action    string
	owner     proofs.Address
	submitter proofs.Address
	primary   string // of --quiet
}

// contractsLine is hansard.contracts/1 of what deploy and set-submitter plan and do.
type contractsLine struct {
	Schema    string          `json:"schema"`
	Action    string          `json:"action"`
	ChainID   uint64          `json:"chainId,string"`
	Proxy     bool            `json:"proxy"`    // the deployment proxy was there
	Contract  proofs.Address  `json:"contract"` //
	Deployed  bool            `json:"deployed"` // the contract was there
	Log       *proofs.Hash    `json:"log,omitempty"`
	Open      bool            `json:"open"` // the log was open
	Owner     proofs.Address  `json:"owner"`
	Submitter *proofs.Address `json:"submitter,omitempty"`
	Plan      []plannedLine   `json:"plan"`
	LikelyWei string          `json:"likelyWei"`
	WorstWei  string          `json:"worstWei"`
	CapWei    string          `json:"capWei"`
	Fits      bool            `json:"fits"`
	DryRun    bool            `json:"dryRun,omitempty"`
	Safe      string          `json:"safe,omitempty"` // the file
	Sent      []sentTxLine    `json:"sent"`
}

type plannedLine struct {
	What      string         `json:"what"`
	To        proofs.Address `json:"to"`
	Data      string         `json:"data"`
	Gas       uint64         `json:"gas,string"`
	Measured  bool           `json:"measured,omitempty"` // Gas was measured elsewhere: no node can estimate it yet
	GasLimit  uint64         `json:"gasLimit,string"`
	BaseFee   string         `json:"baseFeeWei"`
	Tip       string         `json:"tipWei"`
	FeeCap    string         `json:"feeCapWei"`
	DataFee   string         `json:"dataFeeWei"`
	LikelyWei string         `json:"likelyWei"`
	WorstWei  string         `json:"worstWei"`
}

type sentTxLine struct {
	What  string      `json:"what"`
	Tx    proofs.Hash `json:"tx"`
	Block uint64      `json:"block,string"`
	Gas   uint64      `json:"gas,string"`
	Wei   string      `json:"wei"`
}

// run carries the plan out as the flags say. What was sent before an error is told, too.
func (s *spending) run(plan []anchor.Planned) error {
	most, err := maxCost(s.cli)
	if err != nil {
		return err
	}
	line := s.line(most)
	likely, worst := new(big.Int), new(big.Int)
	w := anchor.Wallet{Nodes: s.site.nodes, ChainID: s.site.log.ChainID, Signer: addressOnly(s.owner), DataFee: s.site.data}
	for _, p := range plan {
		price, err := w.Price(s.cli.Context, p)
		if err != nil {
			return chainError(err)
		}
		line.Plan = append(line.Plan, newPlannedLine(p, price))
		likely.Add(likely, price.Likely())
		worst.Add(worst, price.Worst())
	}
	line.LikelyWei, line.WorstWei, line.Fits = likely.String(), worst.String(), worst.Cmp(most) <= 0
	s.show(line, likely, worst, most)
	if len(plan) > 0 {
		err = s.act(plan, line, worst, most)
	}
	if printErr := s.print(line); printErr != nil {
		return printErr
	}
	return err
}

// act does what is left after the plan was shown.
func (s *spending) act(plan []anchor.Planned, line *contractsLine, worst, most *big.Int) error {
	c := s.cli
	if path := c.String("safe"); path != "" {
		line.Safe = path
		return writeSafe(path, s.site.log.ChainID, s.owner, plan)
	}
	if !line.Fits {
		return &exitError{exitBudget, fmt.Errorf("in the worst case this costs %s ether, over --max-cost %s; nothing was sent",
			cost.RoundEther(worst), cost.FormatEther(most))}
	}
	if c.Bool("dry-run") {
		return nil
	}
	account, err := s.site.payer(c)
	if err != nil {
		return err
	}
	if account != s.owner {
		return &exitError{exitAuth, fmt.Errorf("the log's owner is %s and the account is %s: use the owner's key, or --safe FILE if the owner is a Safe",
			s.owner, account)}
	}
	if err := confirm(c, fmt.Sprintf("Send %d transaction(s) for at most %s ether?", len(plan), cost.RoundEther(worst))); err != nil {
		return err
	}
	uri, err := s.site.account(c)
	if err != nil {
		return err
	}
	key, err := s.site.open(c, uri)
	if err != nil {
		return err
	}
	w := anchor.Wallet{Nodes: s.site.nodes, ChainID: s.site.log.ChainID, Signer: key, DataFee: s.site.data}
	return chainError(w.Do(c.Context, plan, most, func(p anchor.Planned, paid *anchor.Paid) {
		line.Sent = append(line.Sent, sentTxLine{p.What, paid.Tx, paid.Block, paid.Gas, paid.Wei.String()})
		fmt.Fprintf(c.App.ErrWriter, "%s: tx %s in block %d, %s gas, %s wei (%s ether)\n", p.What, paid.Tx, paid.Block,
			cost.Count(paid.Gas), paid.Wei, cost.RoundEther(paid.Wei))
	}))
}

func (s *spending) line(most *big.Int) *contractsLine {
	l := &contractsLine{
		Schema: "hansard.contracts/1", Action: s.action, ChainID: s.site.log.ChainID, Proxy: s.found.Proxy, Contract: s.site.log.AnchorLog,
		Deployed: s.found.Ours, Open: !s.found.Owner.IsZero(), Owner: s.owner, CapWei: most.String(), DryRun: s.cli.Bool("dry-run"),
		Plan: []plannedLine{}, Sent: []sentTxLine{},
	}
	if !s.cli.Bool("contract-only") {
		l.Log, l.Submitter = &s.site.log.Log, &s.submitter
	}
	return l
}

func newPlannedLine(p anchor.Planned, price *anchor.Price) plannedLine {
	return plannedLine{
		What: p.What, To: p.To, Data: fmt.Sprintf("0x%x", p.Data), Gas: price.Gas, Measured: p.Gas > 0, GasLimit: price.Limit,
		BaseFee: price.BaseFee.String(), Tip: price.Tip.String(), FeeCap: price.FeeCap.String(), DataFee: price.DataFee.String(),
		LikelyWei: price.Likely().String(), WorstWei: price.Worst().String(),
	}
}

// show says on stderr what was found, what is planned and what it costs; a dry run's answer is that, on stdout.
func (s *spending) show(l *contractsLine, likely, worst, most *big.Int) {
	w := s.cli.App.ErrWriter
	switch {
	case s.cli.Bool("json"), s.cli.Bool("quiet"):
		return
	case l.DryRun:
		w = s.cli.App.Writer
	}
	fmt.Fprintf(w, "chain      %d, block %d\n", l.ChainID, s.found.Block.Number)
	fmt.Fprintf(w, "proxy      %s  %s\n", anchor.ProxyAddress(), state(l.Proxy, "there"))
	fmt.Fprintf(w, "contract   %s  %s\n", l.Contract, state(l.Deployed, "there, code of this version"))
	if l.Log != nil {
		fmt.Fprintf(w, "log        %s  %s\n", l.Log, state(l.Open, "open"))
		fmt.Fprintf(w, "owner      %s\n", l.Owner)
		fmt.Fprintf(w, "submitter  %s\n", l.Submitter)
	}
	for _, p := range l.Plan {
		how := "est."
		if p.Measured {
			how = "measured"
		}
		fee := new(big.Int)
		fee.SetString(p.BaseFee, 10)
		tip, _ := new(big.Int).SetString(p.Tip, 10)
		wei, _ := new(big.Int).SetString(p.LikelyWei, 10)
		fmt.Fprintf(w, "would %s\n  %s %s gas = %s wei (%s ether) @ %s gwei", p.What, how, cost.Count(p.Gas), wei, cost.RoundEther(wei), cost.RoundGwei(fee.Add(fee, tip)))
		if p.DataFee != "0" {
			data, _ := new(big.Int).SetString(p.DataFee, 10)
			fmt.Fprintf(w, ", of which %s ether for data at most", cost.RoundEther(data))
		}
		fmt.Fprintln(w)
	}
	if len(l.Plan) == 0 {
		fmt.Fprintln(w, "nothing to do")
		return
	}
	verdict := "ok"
	if !l.Fits {
		verdict = "too much"
	}
	fmt.Fprintf(w, "together   %s ether now, %s in the worst case; cap %s -> %s\n", cost.RoundEther(likely), cost.RoundEther(worst), cost.FormatEther(most), verdict)
	if s.cli.String("safe") != "" {
		fmt.Fprintln(w, "           without what the Safe itself uses")
	}
}

// print writes the answer.
func (s *spending) print(l *contractsLine) error {
	w := s.cli.App.Writer
	switch {
	case s.cli.Bool("json"):
		return printJSON(w, l)
	case s.cli.Bool("quiet"):
		_, err := fmt.Fprintln(w, s.primary)
		return err
	case l.DryRun:
		return nil
	case l.Safe != "":
		_, err := fmt.Fprintf(w, "%s\n", oneLine(l.Safe, maxDetail))
		return err
	}
	for _, t := range l.Sent {
		if _, err := fmt.Fprintf(w, "%s  %s  %s gas  %s wei\n", t.What, t.Tx, cost.Count(t.Gas), t.Wei); err != nil {
			return err
		}
	}
	return nil
}
