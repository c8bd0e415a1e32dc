package main

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

func bondCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return append(append(append(siteFlags(), logFlags()...), logIDFlag(), bondFlag()), more...)
	}
	spend := func() []cli.Flag { return flags(spendFlags()...) }
	return &cli.Command{
		Name:  "bond",
		Usage: "stake ether on a log's promises, name the keys that sign them, take the stake out",
		Subcommands: []*cli.Command{
			{
				Name: "info", Usage: "show what stands behind a log's promises",
				Description: "Ends with exit code 13 where the contract is missing or its code is not that of this version, and where\n" +
					"promises of a --key are not backed.",
				Flags:  flags(&cli.StringSliceFlag{Name: "key", Usage: "promise key to look at: its `ADDRESS`; may be repeated"}),
				Action: runBondInfo,
			},
			{
				Name: "deploy", Usage: "deploy PromiseBond where it is missing (spends gas)",
				Description: "It has the same address on every chain, and it commits to the code: where it is there already, nothing\n" +
					"is deployed. Anybody may deploy it.",
				Flags: spend(), Action: runBondDeploy,
			},
			{
				Name: "fund", Usage: "add to a log's bond (spends gas and AMOUNT; the log's owner only)", ArgsUsage: "AMOUNT",
				Description: "AMOUNT is in ether, or has its unit. It is no cost, so --max-cost does not count it: it comes back by\n" +
					"hansard bond unbond and withdraw, unless a promise is broken before. Then 90 % of it are burnt for ever.",
				Flags: spend(), Action: bondAction("fund"),
			},
			{
				Name: "add-key", Usage: "make promises of a key enforceable (spends gas; the log's owner only)", ArgsUsage: "ADDRESS",
				Description: "Everything that the key ever promised for this log becomes enforceable, old promises too: be able to prove\n" +
					"each of them. hansard serve --promise-key names the key. A key that was revoked is never added again.",
				Flags: spend(), Action: bondAction("add-key"),
			},
			{
				Name: "revoke-key", Usage: "end a promise key (spends gas; the log's owner only)", ArgsUsage: "ADDRESS",
				Description: "Its promises stay enforceable for 14 days more, and then never again. Add the next key, and have the\n" +
					"service sign with it, before you revoke this one: clients accept no promise of a revoked key.",
				Flags: spend(), Action: bondAction("revoke-key"),
			},
			{
				Name: "unbond", Usage: "let a log's bond leave in 14 days (spends gas; the log's owner only)",
				Description: "It cannot be taken back. From now on clients accept no promise of the log; what was promised before stays\n" +
					"enforceable until the bond is withdrawn.",
				Flags: spend(), Action: bondAction("unbond"),
			},
			{
				Name: "withdraw", Usage: "take out a bond that has left (spends gas; the log's owner only)",
				Flags:  append(spend(), &cli.StringFlag{Name: "to", Usage: "`ADDRESS` that is paid (default: the log's owner)"}),
				Action: bondAction("withdraw"),
			},
		},
	}
}

// bondSite is a log's bond as a command finds it.
type bondSite struct {
	*site
	state *bond.State
}

// openBond reads the bond of the log that the flags name.
func openBond(c *cli.Context) (*bondSite, error) {
	s, err := openSite(c)
	if err != nil {
		return nil, err
	}
	b := &bondSite{site: s}
	if err = s.nameLog(c); err == nil {
		if b.state, err = bond.Read(c.Context, s.nodes, s.log); err != nil {
			err = chainError(err)
		}
	}
	if err != nil {
		s.nodes.Close()
		return nil, err
	}
	return b, nil
}

// bondLine is hansard.bond/1 of what the commands that send plan and do.
type bondLine struct {
	Schema string `json:"schema"`
	Action string `json:"action"`
	bondFields
	spendLine
}

// bondFields are what is known of a bond before anything is sent.
type bondFields struct {
	ChainID     uint64          `json:"chainId,string"`
	BlockNumber uint64          `json:"blockNumber,string"`
	BlockHash   proofs.Hash     `json:"blockHash"`
	AnchorLog   proofs.Address  `json:"anchorLog"`
	Bond        proofs.Address  `json:"promiseBond"`
	Deployed    bool            `json:"deployed"`
	Ours        bool            `json:"codeMatches"` // the code of this version, for AnchorLog
	Log         proofs.Hash     `json:"log"`
	Owner       *proofs.Address `json:"owner,omitempty"` // none: the log was never opened, or was not looked at
	AmountWei   string          `json:"amountWei"`
	LeavesAt    uint64          `json:"leavesAt,string"` // 0: it does not leave
	Open        uint32          `json:"openChallenges"`
	Broken      bool            `json:"broken"`
}

func newBondFields(s *bond.State) bondFields {
	f := bondFields{
		ChainID: s.Log.ChainID, BlockNumber: s.Block.Number, BlockHash: s.Block.Hash, AnchorLog: s.Log.AnchorLog, Bond: s.Log.PromiseBond,
		Deployed: s.Deployed, Ours: s.Ours, Log: s.Log.Log, AmountWei: s.Amount.String(), LeavesAt: s.LeavesAt, Open: s.Open, Broken: s.Broken,
	}
	if !s.Owner.IsZero() {
		f.Owner = &s.Owner
	}
	return f
}

// rows are the fields for people.
func (b *bondSite) rows() [][2]string {
	s := b.state
	rows := [][2]string{
		{"chain", fmt.Sprintf("%d, block %d", s.Log.ChainID, s.Block.Number)},
		{"bond", fmt.Sprintf("%s  %s", s.Log.PromiseBond, contractState(s))},
		{"log", s.Log.Log.String()},
	}
	if s.Ours {
		rows = append(rows, [2]string{"staked", fmt.Sprintf("%s ether, %s", cost.FormatEther(s.Amount), bondState(s))})
	}
	return rows
}

func contractState(s *bond.State) string {
	switch {
	case s.Log.PromiseBond.IsZero():
		return "none: the log's promises name no bond"
	case !s.Deployed:
		return "missing; hansard bond deploy deploys it"
	case !s.Ours:
		return "there, but NOT the PromiseBond of this version for an AnchorLog of this version at " + s.Log.AnchorLog.String()
	}
	return "there, code of this version"
}

// bondState says which state of docs/contracts.md the bond of a log is in.
func bondState(s *bond.State) string {
	text := "live"
	switch {
	case s.Owner.IsZero():
		text = "none: the log was never opened"
	case s.Broken:
		text = "broken: it was slashed, for ever"
	case s.Amount.Sign() == 0:
		text = "none: it was never funded, or was withdrawn"
	case s.LeavesAt != 0:
		text = "leaving: it may be withdrawn from " + secondsUTC(s.LeavesAt) + " on"
	}
	if s.Open > 0 {
		text += fmt.Sprintf("; %d challenge(s) open", s.Open)
	}
	return text
}

// spend carries out a plan.
func (b *bondSite) spend(c *cli.Context, action string, from proofs.Address, plan []anchor.Planned) error {
	line := &bondLine{Schema: "hansard.bond/1", Action: action, bondFields: newBondFields(b.state)}
	sp := &spending{
		cli: c, site: b.site, at: b.state.Block, owner: from, line: line, spent: &line.spendLine, primary: b.log.PromiseBond.String(),
		explain: bond.Explain,
		found: func(holds *big.Int) [][2]string {
			who := "owner"
			if from != b.state.Owner {
				who = "account"
			}
			return append(b.rows(), [2]string{who, fmt.Sprintf("%s  holds %s ether", from, cost.RoundEther(holds))})
		},
	}
	return sp.run(plan)
}

func runBondDeploy(c *cli.Context) error {
	if c.Args().Present() {
		return usage("bond deploy takes no argument")
	}
	b, err := openBond(c)
	if err != nil {
		return err
	}
	defer b.nodes.Close()
	pays := b.payer
	if c.String("safe") != "" {
		pays = b.owner
	}
	from, err := pays(c)
	if err != nil {
		return err
	}
	plan, err := b.state.PlanDeploy(c.Context, b.nodes)
	if err != nil {
		return usage("%w", err)
	}
	return b.spend(c, "deploy", from, plan)
}

// bondAction is a command of the log's owner.
func bondAction(action string) cli.ActionFunc {
	return func(c *cli.Context) error {
		arg, err := bondArgument(c, action)
		if err != nil {
			return err
		}
		b, err := openBond(c)
		if err != nil {
			return err
		}
		defer b.nodes.Close()
		plan, err := b.plan(c, action, arg)
		if err != nil {
			return err
		}
		return b.spend(c, action, b.state.Owner, plan)
	}
}

// bondArg is what a command of the owner is about.
type bondArg struct {
	wei     *big.Int       // of fund
	address proofs.Address // a key, or of withdraw who is paid; zero: the owner
}

func bondArgument(c *cli.Context, action string) (a bondArg, err error) {
	want := map[string]string{"fund": "AMOUNT", "add-key": "ADDRESS", "revoke-key": "ADDRESS"}[action]
	switch given := c.Args().Len(); {
	case want == "" && given > 0:
		return a, usage("bond %s takes no argument", action)
	case want != "" && given != 1:
		return a, usage("want one argument: hansard bond %s %s", action, want)
	}
	switch want {
	case "AMOUNT":
		text := strings.TrimSpace(c.Args().First())
		if !strings.Contains(text, " ") {
			text += " ether"
		}
		if a.wei, err = cost.ParseWei(text); err != nil {
			return a, usage("%w", err)
		}
	case "ADDRESS":
		if a.address, err = parseAddress(c.Args().First()); err != nil {
			return a, usage("%w", err)
		}
	default:
		a.address, err = addressFlag(c, "to")
	}
	return a, err
}

func (b *bondSite) plan(c *cli.Context, action string, arg bondArg) (plan []anchor.Planned, err error) {
	s, key := b.state, bond.Key{Address: arg.address}
	if strings.HasSuffix(action, "-key") && s.Ours {
		if key, err = s.Key(c.Context, b.nodes, arg.address); err != nil {
			return nil, chainError(err)
		}
	}
	switch action {
	case "fund":
		plan, err = s.PlanFund(arg.wei)
	case "add-key":
		plan, err = s.PlanAddKey(key)
	case "revoke-key":
		plan, err = s.PlanRevokeKey(key)
	case "unbond":
		plan, err = s.PlanUnbond()
	case "withdraw":
		if arg.address.IsZero() {
			arg.address = s.Owner
		}
		plan, err = s.PlanWithdraw(arg.address)
	}
	if err != nil {
		return nil, usage("%w", err)
	}
	return plan, b.warn(c, action, plan)
}

// warn says on stderr what cannot be taken back.
func (b *bondSite) warn(c *cli.Context, action string, plan []anchor.Planned) error {
	text := map[string]string{
		"fund":       "a broken promise takes all of the bond: 90 % are burnt. It leaves 14 days after hansard bond unbond, and no sooner",
		"add-key":    "all that this key ever promised for the log becomes enforceable, old promises too",
		"revoke-key": "the key's promises stay enforceable for 14 days; it is never added again",
		"unbond":     "this cannot be taken back: for 14 days and until it is funded again, clients accept no promise of the log",
	}[action]
	if text == "" || len(plan) == 0 || c.Bool("json") || c.Bool("quiet") {
		return nil
	}
	_, err := fmt.Fprintln(c.App.ErrWriter, "note       "+text)
	return err
}
