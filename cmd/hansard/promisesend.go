package main

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

func promiseChallengeCommand() *cli.Command {
	return &cli.Command{
		Name: "challenge", Usage: "demand the proof of a promise whose message nobody shows (spends gas, and a deposit)", ArgsUsage: "FILE",
		Description: fmt.Sprintf("Takes a deposit of %s ether for %d days. An answer is a proof that the promise was kept, and whoever gives it\n"+
			"gets the deposit. Without one, hansard promise slash FILE takes the bond and returns the deposit. FILE is a\n"+
			"receipt at any level.", cost.FormatEther(bond.Deposit()), bond.AnswerTime/(24*time.Hour)),
		Flags:  append(judgeFlags(), payerFlags()...),
		Action: runPromiseChallenge,
	}
}

func promiseSlashCommand() *cli.Command {
	return &cli.Command{
		Name: "slash", Usage: "take the bond for a broken promise (spends gas)", ArgsUsage: "FILE [FILE]",
		Description: "FILE is a receipt at any level or evidence of a breach, or two of a conflict. It is decided again at the newest\n" +
			"block, and only what the contract would accept is sent. A challenge that nobody answered in time is concluded.\n" +
			fmt.Sprintf("%d %% of the bond are credited to the beneficiary that the promise names, whoever sends this; the rest is burnt.", bond.RewardPercent),
		Flags:  append(judgeFlags(), payerFlags()...),
		Action: runPromiseSlash,
	}
}

func promiseCollectCommand() *cli.Command {
	return &cli.Command{
		Name: "collect", Usage: "have paid out what a bond owes the account (spends gas)", ArgsUsage: "[FILE]",
		Description: "What slashing pays, and deposits, are credited in the bond's contract until they are collected. FILE is a receipt or\n" +
			"evidence that names the bond; without one it is that of the chain file, or of this version.",
		Flags: append(append(siteFlags(), payerFlags()...), trustFlag(),
			&cli.StringFlag{Name: "to", Usage: "`ADDRESS` that is paid", DefaultText: "the account"}),
		Action: runPromiseCollect,
	}
}

// payerFlags are those of a command that sends a transaction of nobody in particular.
func payerFlags() []cli.Flag {
	return append(append(accountFlags(), keystoreFlag(), passwordFlag()), payFlags()...)
}

// promiseTxLine is hansard.promise-tx/1: a transaction about a promise, planned and sent.
type promiseTxLine struct {
	Schema   string         `json:"schema"`
	Action   string         `json:"action"`
	ChainID  uint64         `json:"chainId,string"`
	Contract proofs.Address `json:"contract"` // the bond
	Finding  *promiseLine   `json:"finding,omitempty"`
	AnswerBy uint64         `json:"answerBy,string,omitempty"` // of a challenge that was sent: the latest time, in seconds
	Credit   string         `json:"creditWei,omitempty"`       // that is collected
	To       string         `json:"to,omitempty"`
	spendLine
}

// openCase reads one or two files of one log and follows it. The caller closes the site's nodes.
func openCase(c *cli.Context, most int) (*docket, []*given, error) {
	paths := c.Args().Slice()
	if len(paths) == 0 || len(paths) > most {
		return nil, nil, usage("which promise? hansard promise %s %s", c.Command.Name, c.Command.ArgsUsage)
	}
	trust, err := readTrust(c.String("trust"))
	if err != nil {
		return nil, nil, err
	}
	var files []*given
	for _, path := range paths {
		g, err := readGiven(path, c.App.Reader, trust)
		if err != nil {
			return nil, nil, err
		}
		if files = append(files, g); g.chain != files[0].chain {
			return nil, nil, usage("%s and %s are promises of different logs: a conflict has two of one log", paths[0], path)
		}
	}
	s, err := openSite(c)
	if err != nil {
		return nil, nil, err
	}
	tellBasis(c, trust)
	d, err := openDocket(c, s, files[0].chain)
	if err != nil {
		s.nodes.Close()
		return nil, nil, err
	}
	return d, files, nil
}

func runPromiseChallenge(c *cli.Context) error {
	d, files, err := openCase(c, 1)
	if err != nil {
		return err
	}
	defer d.site.nodes.Close()
	f, err := d.decide(c.Context, files[0])
	if err != nil {
		return chainError(err)
	}
	if f.Next != promises.Challenge {
		return refuseChallenge(f)
	}
	return d.send(c, f, f.Next, files)
}

func runPromiseSlash(c *cli.Context) error {
	d, files, err := openCase(c, 2)
	if err != nil {
		return err
	}
	defer d.site.nodes.Close()
	var f *promises.Finding
	if len(files) == 2 {
		if both := []proofs.Promise{files[0].promise, files[1].promise}; len(promises.Conflicts(both)) == 0 {
			return usage("the promises in the two files do not contradict each other: a conflict has different leaves at one index; give one file")
		}
		f, err = d.judge.DecideConflict(c.Context, [2]proofs.Promise{files[0].promise, files[1].promise})
	} else {
		f, err = d.decide(c.Context, files[0])
	}
	if err != nil {
		return chainError(err)
	}
	if f.Next != promises.Slash && f.Next != promises.Conclude {
		return refuseSlash(f)
	}
	return d.send(c, f, f.Next, files)
}

// refuseChallenge says why the promise is not challenged.
func refuseChallenge(f *promises.Finding) error {
	switch ch := f.Challenge; {
	case f.Outcome == promises.Broken:
		return usage("the promise is broken, which needs no challenge: %s; take the bond with: hansard promise slash FILE", f.Detail)
	case f.Outcome == promises.Kept:
		return usage("the promise was kept, and a challenge would only cost you the deposit: %s", f.Detail)
	case ch != nil && !ch.Closed:
		return &exitError{proofs.NotFinal.Exit(), fmt.Errorf("the promise was challenged already, by %s: it may be answered until %s; then: hansard promise slash FILE",
			ch.Challenger, secondsUTC(ch.AnswerBy))}
	case ch != nil:
		return usage("the promise was challenged already, and that is over: a promise is challenged once")
	}
	return refuse(f)
}

// refuseSlash says why the bond is not slashed.
func refuseSlash(f *promises.Finding) error {
	switch ch := f.Challenge; {
	case f.Outcome == promises.Kept:
		return usage("the promise was kept: %s", f.Detail)
	case f.Outcome == promises.Unknown && ch != nil && !ch.Closed:
		return &exitError{proofs.NotFinal.Exit(), fmt.Errorf("the challenge may be answered until %s; slash after that", secondsUTC(ch.AnswerBy))}
	case f.Outcome == promises.Unknown && f.Enforceable == nil && f.Next == promises.Challenge:
		return &exitError{proofs.Undetermined.Exit(), fmt.Errorf("nothing shows a breach yet: %s; challenge it with: hansard promise challenge FILE", f.Detail)}
	}
	return refuse(f)
}

// refuse says why nothing can be done about the promise, now or at all.
func refuse(f *promises.Finding) error {
	code := proofs.NotFinal.Exit()
	switch {
	case f.Enforceable != nil:
		return &exitError{proofs.Mismatch.Exit(), fmt.Errorf("the bond cannot be taken for this promise: %w; nothing was sent", f.Enforceable)}
	case f.Outcome == promises.Unknown:
		code = proofs.Undetermined.Exit()
	}
	return &exitError{code, fmt.Errorf("%s; nothing was sent", f.Detail)}
}

// send plans, tries and sends a transaction about the promises.
func (d *docket) send(c *cli.Context, f *promises.Finding, a promises.Action, files []*given) error {
	payer, err := d.site.payer(c)
	if err != nil {
		return err
	}
	tx, err := d.judge.Plan(c.Context, f, a)
	if err != nil {
		return chainError(err)
	}
	if err := d.try(c.Context, payer, tx); err != nil {
		return err
	}
	var paths []string
	for _, g := range files {
		paths = append(paths, g.path)
	}
	found := newPromiseLine(d, f, paths)
	line := &promiseTxLine{Schema: "hansard.promise-tx/1", Action: a.String(), ChainID: d.chain.ChainID, Contract: d.chain.PromiseBond, Finding: &found}
	s := &spending{
		cli: c, site: d.site, at: f.Head.Block, owner: payer, line: line, spent: &line.spendLine, primary: found.ID.String(), explain: bond.Explain,
		found: func(holds *big.Int) [][2]string { return d.facts(&found, a, payer, holds, len(gateways(c)) > 0) },
		done:  func() error { return d.done(c, line, a, &f.Promise) },
	}
	return s.run([]anchor.Planned{tx})
}

// try returns an error if the contract would revert the transaction. An account without the ether that it carries is
// refused later, with the others.
func (d *docket) try(ctx context.Context, payer proofs.Address, tx anchor.Planned) error {
	if tx.Value != nil {
		holds, err := d.site.nodes.Balance(ctx, d.book.Head().Block.Hash, payer)
		if err != nil || holds.Cmp(tx.Value) < 0 {
			return chainError(err)
		}
	}
	err := d.judge.Simulate(ctx, payer, tx)
	if _, reverts := ethclient.RevertErrorData(err); reverts {
		return usage("%w; nothing was sent", err)
	}
	return chainError(err)
}

// facts are what the payer is shown before it is asked. asked says whether any gateway was.
func (d *docket) facts(l *promiseLine, a promises.Action, payer proofs.Address, holds *big.Int, asked bool) [][2]string {
	fields := [][2]string{
		{"chain", fmt.Sprintf("%d, block %d", d.chain.ChainID, l.At.Number)},
		{"bond", fmt.Sprintf("%s  holds %s ether of log %s", d.chain.PromiseBond, cost.FormatEther(d.bond.Amount), d.chain.Log)},
		{"promise", fmt.Sprintf("leaf %s at index %d by %s", l.Promise.Leaf, l.Promise.Index, secondsUTC(l.Promise.Deadline))},
		{"decided", l.Verdict + ": " + oneLine(l.Detail, maxDetail)},
	}
	if a == promises.Challenge {
		if !asked {
			fields = append(fields, [2]string{"first", nobodyAsked})
		}
		fields = append(fields, [2]string{"deposit", fmt.Sprintf("%s ether: comes back if nobody answers within %d days, goes to whoever answers otherwise",
			cost.FormatEther(bond.Deposit()), bond.AnswerTime/(24*time.Hour))})
	}
	when, burnt := "", new(big.Int).Set(d.bond.Amount)
	if a == promises.Challenge {
		when = ", if nobody answers"
	}
	for _, r := range l.Bond.Rewards {
		burnt.Sub(burnt, r.wei)
		fields = append(fields, [2]string{"reward", fmt.Sprintf("%s ether to %s, which the promise names%s", cost.FormatEther(r.wei), r.To, when)})
	}
	fields = append(fields, [2]string{"burnt", cost.FormatEther(burnt) + " ether" + when})
	return append(fields, [2]string{"account", fmt.Sprintf("%s  holds %s ether", payer, cost.RoundEther(holds))})
}

// done says what became of it and what comes next.
func (d *docket) done(c *cli.Context, line *promiseTxLine, a promises.Action, p *proofs.Promise) error {
	w, file := c.App.ErrWriter, line.Finding.Files[0]
	if a != promises.Challenge {
		fmt.Fprintf(w, "the bond of log %s is gone; what is credited waits for whom it is owed to: %s\n", d.chain.Log, promiseNext(c, "collect", file))
		return nil
	}
	state, err := bond.Read(c.Context, d.site.nodes, d.chain)
	var ch *bond.Challenge
	if err == nil {
		ch, err = state.Challenge(c.Context, d.site.nodes, bond.PromiseID(d.chain, p))
	}
	if err != nil || ch == nil {
		return chainError(fmt.Errorf("the challenge was sent, but until when it may be answered could not be read: %w", err))
	}
	line.AnswerBy = ch.AnswerBy
	fmt.Fprintf(w, "it may be answered until %s; if it was not, take the bond then: %s\n", secondsUTC(ch.AnswerBy), promiseNext(c, "slash", file))
	return nil
}

func runPromiseCollect(c *cli.Context) error {
	if c.Args().Len() > 1 {
		return usage("want at most one file, which names the bond: hansard promise collect [FILE]")
	}
	trust, err := readTrust(c.String("trust"))
	if err != nil {
		return err
	}
	to, err := addressFlag(c, "to")
	if err != nil {
		return err
	}
	s, err := openSite(c)
	if err != nil {
		return err
	}
	defer s.nodes.Close()
	if path := c.Args().First(); path != "" {
		g, err := readGiven(path, c.App.Reader, trust)
		if err != nil {
			return err
		}
		if g.chain.ChainID != s.log.ChainID {
			return usage("the nodes are on chain %d and the promise is on chain %d", s.log.ChainID, g.chain.ChainID)
		}
		s.log = g.chain
	}
	payer, err := s.payer(c)
	if err != nil {
		return err
	}
	if to.IsZero() {
		to = payer
	}
	return collect(c, s, payer, to)
}

// collect has the account's credit paid to an address.
func collect(c *cli.Context, s *site, payer, to proofs.Address) error {
	state, err := bond.Read(c.Context, s.nodes, s.log)
	if err != nil {
		return chainError(err)
	}
	if !state.Ours {
		return &exitError{proofs.Mismatch.Exit(), fmt.Errorf("the contract at %s on chain %d is not the PromiseBond of this version for AnchorLog %s: nothing is collected there",
			s.log.PromiseBond, s.log.ChainID, s.log.AnchorLog)}
	}
	wei, err := bond.Credits(c.Context, s.nodes, s.log, state.Block.Hash, payer)
	if err != nil {
		return chainError(err)
	}
	var plan []anchor.Planned
	if wei.Sign() > 0 {
		if plan, err = bond.PlanCollect(s.log, to); err != nil {
			return usage("%w", err)
		}
	}
	line := &promiseTxLine{Schema: "hansard.promise-tx/1", Action: "collect", ChainID: s.log.ChainID, Contract: s.log.PromiseBond, Credit: wei.String(), To: to.String()}
	sp := &spending{
		cli: c, site: s, at: state.Block, owner: payer, line: line, spent: &line.spendLine, primary: wei.String(), explain: bond.Explain,
		found: func(holds *big.Int) [][2]string { return creditFacts(s, state.Block, wei, payer, to, holds) },
	}
	return sp.run(plan)
}

func creditFacts(s *site, at nodes.Block, wei *big.Int, payer, to proofs.Address, holds *big.Int) [][2]string {
	return [][2]string{
		{"chain", fmt.Sprintf("%d, block %d", s.log.ChainID, at.Number)},
		{"bond", s.log.PromiseBond.String()},
		{"credit", fmt.Sprintf("%s ether, to be paid to %s", cost.FormatEther(wei), to)},
		{"account", fmt.Sprintf("%s  holds %s ether", payer, cost.RoundEther(holds))},
	}
}
