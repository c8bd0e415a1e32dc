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
	Proxy     bool            `json:"proxy"` // the deployment proxy was there
	Contract  proofs.Address  `json:"contract"`
	Deployed  bool            `json:"deployed"` // the contract was there
	Log       *proofs.Hash    `json:"log,omitempty"`
	Open      bool            `json:"open"` // the log was open
	Owner     proofs.Address  `json:"owner"`
	Submitter *proofs.Address `json:"submitter,omitempty"`
	Plan      []plannedLine   `json:"plan"`
	LikelyWei string          `json:"likelyWei"`
	WorstWei  string          `json:"worstWei"`
	CapWei    string          `json:"capWei"`
	Balance   string          `json:"ownerWei"` // what the owner holds, who pays for all unless it is a Safe
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
	price     *anchor.Price
}

type sentTxLine struct {
	What  string      `json:"what"`
	Tx    proofs.Hash `json:"tx"`
	Block uint64      `json:"block,string"`
	Gas   uint64      `json:"gas,string"`
	Wei   string      `json:"wei"`
}

// bill is what a plan costs together, and what there is, in wei.
type bill struct{ likely, worst, most, holds *big.Int }

// run carries the plan out as the flags say. What was sent before an error is told, too.
func (s *spending) run(plan []anchor.Planned) error {
	most, err := maxCost(s.cli)
	if err != nil {
		return err
	}
	line, sum := s.line(), bill{new(big.Int), new(big.Int), most, nil}
	if sum.holds, err = s.site.nodes.Balance(s.cli.Context, s.found.Block.Hash, s.owner); err != nil {
		return chainError(err)
	}
	w := anchor.Wallet{Nodes: s.site.nodes, ChainID: s.site.log.ChainID, Signer: addressOnly(s.owner), DataFee: s.site.data}
	for _, p := range plan {
		price, err := w.Price(s.cli.Context, p)
		if err != nil {
			return chainError(err)
		}
		line.Plan = append(line.Plan, newPlannedLine(p, price))
		sum.likely.Add(sum.likely, price.Likely())
		sum.worst.Add(sum.worst, price.Worst())
	}
	line.LikelyWei, line.WorstWei, line.CapWei, line.Balance = sum.likely.String(), sum.worst.String(), most.String(), sum.holds.String()
	line.Fits = sum.worst.Cmp(most) <= 0
	s.show(line, sum)
	if len(plan) > 0 {
		err = s.act(plan, line, sum)
	}
	if printErr := s.print(line); printErr != nil {
		return printErr
	}
	return err
}

// act does what is left after the plan was shown.
func (s *spending) act(plan []anchor.Planned, line *contractsLine, sum bill) error {
	c := s.cli
	if path := c.String("safe"); path != "" {
		line.Safe = path
		return writeSafe(path, s.site.log.ChainID, s.owner, plan)
	}
	if !line.Fits {
		return &exitError{exitBudget, fmt.Errorf("in the worst case this costs %s ether, over --max-cost %s; nothing was sent",
			cost.RoundEther(sum.worst), cost.FormatEther(sum.most))}
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
	if sum.holds.Cmp(sum.worst) < 0 {
		return &exitError{exitBudget, fmt.Errorf("%s holds %s ether, and in the worst case this costs %s: send it funds; nothing was sent",
			s.owner, cost.RoundEther(sum.holds), cost.RoundEther(sum.worst))}
	}
	if err := confirm(c, fmt.Sprintf("Send %d transaction(s) for at most %s ether?", len(plan), cost.RoundEther(sum.worst))); err != nil {
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
	return chainError(w.Do(c.Context, plan, sum.most, func(p anchor.Planned, paid *anchor.Paid) {
		line.Sent = append(line.Sent, sentTxLine{p.What, paid.Tx, paid.Block, paid.Gas, paid.Wei.String()})
		fmt.Fprintf(c.App.ErrWriter, "%s: tx %s in block %d, %s gas, %s wei (%s ether)\n", p.What, paid.Tx, paid.Block,
			cost.Count(paid.Gas), paid.Wei, cost.RoundEther(paid.Wei))
	}))
}

func (s *spending) line() *contractsLine {
	l := &contractsLine{
		Schema: "hansard.contracts/1", Action: s.action, ChainID: s.site.log.ChainID, Proxy: s.found.Proxy, Contract: s.site.log.AnchorLog,
		Deployed: s.found.Ours, Open: !s.found.Owner.IsZero(), Owner: s.owner, DryRun: s.cli.Bool("dry-run"),
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
		LikelyWei: price.Likely().String(), WorstWei: price.Worst().String(), price: price,
	}
}

// show says on stderr what was found, what is planned and what it costs; a dry run's answer is that, on stdout.
func (s *spending) show(l *contractsLine, sum bill) {
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
		fmt.Fprintf(w, "owner      %s  holds %s ether\n", l.Owner, cost.RoundEther(sum.holds))
		fmt.Fprintf(w, "submitter  %s\n", l.Submitter)
	}
	for _, p := range l.Plan {
		fmt.Fprintf(w, "would %s\n  %s\n", p.What, p.estimate())
	}
	if len(l.Plan) == 0 {
		fmt.Fprintln(w, "nothing to do")
		return
	}
	verdict := "ok"
	switch {
	case !l.Fits:
		verdict = "over the cap"
	case s.cli.String("safe") != "":
		verdict += ", without what the Safe itself uses"
	case sum.holds.Cmp(sum.worst) < 0:
		verdict = "the owner holds too little"
	}
	fmt.Fprintf(w, "together   %s ether now, %s in the worst case; cap %s -> %s\n", cost.RoundEther(sum.likely), cost.RoundEther(sum.worst), cost.FormatEther(sum.most), verdict)
}

// estimate says what the transaction costs now.
func (p *plannedLine) estimate() string {
	how := "est."
	if p.Measured {
		how = "measured"
	}
	x := p.price
	s := fmt.Sprintf("%s %s gas = %s wei (%s ether) @ %s gwei", how, cost.Count(x.Gas), x.Likely(), cost.RoundEther(x.Likely()),
		cost.RoundGwei(new(big.Int).Add(x.BaseFee, x.Tip)))
	if x.DataFee.Sign() > 0 {
		s += fmt.Sprintf(", of which at most %s ether for data", cost.RoundEther(x.DataFee))
	}
	return s
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
