package main

import (
	"fmt"
	"math/big"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// spending is a plan on its way: priced, shown, and then sent, written for a Safe, or left at that.
type spending struct {
	cli     *cli.Context
	site    *site
	at      nodes.Block                      // that was looked at
	owner   proofs.Address                   // who must send it
	found   func(holds *big.Int) [][2]string // what there is, where the owner holds so many wei
	line    any                              // JSON, which holds
	spent   *spendLine                       // what is planned and done
	primary string                           // of --quiet
	explain func(error) error                // adds the contract's reason; nil: package anchor did
	done    func() error                     // after all was sent, before the answer; nil: nothing is left to say
}

// spendLine is what a command that sends transactions plans and does.
type spendLine struct {
	Plan      []plannedLine `json:"plan"`
	LikelyWei string        `json:"likelyWei"`
	WorstWei  string        `json:"worstWei"`
	CapWei    string        `json:"capWei"`
	ValueWei  string        `json:"valueWei,omitempty"` // ether that the transactions carry, no part of the others
	Balance   string        `json:"ownerWei"`           // what the owner holds, who pays for all unless it is a Safe
	Fits      bool          `json:"fits"`
	DryRun    bool          `json:"dryRun,omitempty"`
	Safe      string        `json:"safe,omitempty"` // the file
	Sent      []sentTxLine  `json:"sent"`
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
	ValueWei  string         `json:"valueWei,omitempty"` // that it carries
	price     *anchor.Price
}

type sentTxLine struct {
	What  string      `json:"what"`
	Tx    proofs.Hash `json:"tx"`
	Block uint64      `json:"block,string"`
	Gas   uint64      `json:"gas,string"`
	Wei   string      `json:"wei"`
}

// bill is what a plan costs together, what it carries beside that, and what there is, in wei.
type bill struct{ likely, worst, most, value, holds *big.Int }

// short reports whether the sender holds too little.
func (b *bill) short() bool { return b.holds.Cmp(new(big.Int).Add(b.worst, b.value)) < 0 }

// run carries the plan out as the flags say. What was sent before an error is told, too.
func (s *spending) run(plan []anchor.Planned) error {
	most, err := maxCost(s.cli)
	if err != nil {
		return err
	}
	line, sum := s.spent, bill{likely: new(big.Int), worst: new(big.Int), most: most, value: new(big.Int)}
	line.Plan, line.Sent, line.DryRun = []plannedLine{}, []sentTxLine{}, s.cli.Bool("dry-run")
	if sum.holds, err = s.site.nodes.Balance(s.cli.Context, s.at.Hash, s.owner); err != nil {
		return chainError(err)
	}
	for _, p := range plan {
		if p.Value != nil {
			sum.value.Add(sum.value, p.Value)
		}
	}
	if sum.value.Cmp(sum.holds) > 0 { // no node could say what the gas costs
		return s.tooLittle(sum)
	}
	w := anchor.Wallet{Nodes: s.site.nodes, ChainID: s.site.log.ChainID, Signer: addressOnly(s.owner), DataFee: s.site.data}
	for _, p := range plan {
		price, err := w.Price(s.cli.Context, p)
		if err != nil {
			return s.chainError(err)
		}
		line.Plan = append(line.Plan, newPlannedLine(p, price))
		sum.likely.Add(sum.likely, price.Likely())
		sum.worst.Add(sum.worst, price.Worst())
	}
	line.LikelyWei, line.WorstWei, line.CapWei, line.Balance = sum.likely.String(), sum.worst.String(), most.String(), sum.holds.String()
	line.Fits = sum.worst.Cmp(most) <= 0
	if sum.value.Sign() > 0 {
		line.ValueWei = sum.value.String()
	}
	s.show(line, sum)
	if len(plan) > 0 {
		err = s.act(plan, line, sum)
	}
	if printErr := s.print(); printErr != nil {
		return printErr
	}
	return err
}

// chainError gives an error its reason and exit code.
func (s *spending) chainError(err error) error {
	if s.explain != nil && err != nil {
		err = s.explain(err)
	}
	return chainError(err)
}

// tooLittle is the error where the sender holds too little.
func (s *spending) tooLittle(sum bill) error {
	what := fmt.Sprintf("in the worst case this costs %s", cost.RoundEther(sum.worst))
	if sum.value.Sign() > 0 {
		what = fmt.Sprintf("%s are to be sent beside what gas costs", cost.FormatEther(sum.value))
	}
	return &exitError{exitBudget, fmt.Errorf("%s holds %s ether, and %s: send it funds; nothing was sent", s.owner, cost.RoundEther(sum.holds), what)}
}

// act does what is left after the plan was shown.
func (s *spending) act(plan []anchor.Planned, line *spendLine, sum bill) error {
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
	if sum.short() {
		return s.tooLittle(sum)
	}
	question := fmt.Sprintf("Send %d transaction(s) for at most %s ether?", len(plan), cost.RoundEther(sum.worst))
	if sum.value.Sign() > 0 {
		question = fmt.Sprintf("Send %d transaction(s) with %s ether, for at most %s more?", len(plan), cost.FormatEther(sum.value), cost.RoundEther(sum.worst))
	}
	if err := confirm(c, question); err != nil {
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
	err = s.chainError(w.Do(c.Context, plan, sum.most, func(p anchor.Planned, paid *anchor.Paid) {
		line.Sent = append(line.Sent, sentTxLine{p.What, paid.Tx, paid.Block, paid.Gas, paid.Wei.String()})
		fmt.Fprintf(c.App.ErrWriter, "%s: tx %s in block %d, %s gas, %s wei (%s ether)\n", p.What, paid.Tx, paid.Block,
			cost.Count(paid.Gas), paid.Wei, cost.RoundEther(paid.Wei))
	}))
	if err == nil && s.done != nil {
		err = s.done()
	}
	return err
}

func newPlannedLine(p anchor.Planned, price *anchor.Price) plannedLine {
	l := plannedLine{
		What: p.What, To: p.To, Data: fmt.Sprintf("0x%x", p.Data), Gas: price.Gas, Measured: p.Gas > 0, GasLimit: price.Limit,
		BaseFee: price.BaseFee.String(), Tip: price.Tip.String(), FeeCap: price.FeeCap.String(), DataFee: price.DataFee.String(),
		LikelyWei: price.Likely().String(), WorstWei: price.Worst().String(), price: price,
	}
	if price.Value.Sign() > 0 {
		l.ValueWei = price.Value.String()
	}
	return l
}

// show says on stderr what was found, what is planned and what it costs; a dry run's answer is that, on stdout.
func (s *spending) show(l *spendLine, sum bill) {
	w := s.cli.App.ErrWriter
	switch {
	case s.cli.Bool("json"), s.cli.Bool("quiet"):
		return
	case l.DryRun:
		w = s.cli.App.Writer
	}
	for _, f := range s.found(sum.holds) {
		fmt.Fprintf(w, "%-10s %s\n", f[0], f[1])
	}
	for _, p := range l.Plan {
		fmt.Fprintf(w, "would %s\n  %s\n", p.What, p.estimate())
		if p.ValueWei != "" {
			fmt.Fprintf(w, "  with %s ether, which the cap does not count\n", cost.FormatEther(p.price.Value))
		}
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
	case sum.short():
		verdict = "the sender holds too little"
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
func (s *spending) print() error {
	w, l := s.cli.App.Writer, s.spent
	switch {
	case s.cli.Bool("json"):
		return printJSON(w, s.line)
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
