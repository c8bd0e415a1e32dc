package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
	"github.com/hansard-dao/hansard/watchtower"
)

func watchtowerCommand() *cli.Command {
	return &cli.Command{
		Name: "watchtower", Usage: "watch over promises: hold what batches hold, report breaches, answer challenges",
		Description: "DIR is where promises are put, at any time: receipts (*.receipt.json) at any level and evidence\n" +
			"(*.evidence.json), at all depths. Their logs are followed, every batch is fetched from the gateways and its\n" +
			"leaves are kept, each promise is decided about when something changes, and evidence of a breach is written\n" +
			"into a file that hansard verify understands. By itself it spends nothing: --answer, --challenge and --slash\n" +
			"send transactions, which --account pays.\n\n" +
			"Without --once it runs until it is interrupted. With it, exit codes: 14 a promise was broken, 12 something\n" +
			"is undetermined, 20 the nodes do not answer, 0 otherwise. docs/watchtower.md has the rest.",
		Flags: append(append(siteFlags(), accountFlags()...), trustFlag(), keystoreFlag(), passwordFlag(),
			&cli.StringFlag{Name: "promises", Usage: "`DIR` with the promises"},
			&cli.StringSliceFlag{Name: "gateway", Usage: "`URL` of an IPFS gateway, or of the service, to fetch what batches hold from; may be repeated: nothing that it says is believed"},
			&cli.StringFlag{Name: "evidence", Usage: "write evidence into `DIR` (default: the folder evidence of --promises)"},
			&cli.StringFlag{Name: "cache", Usage: "keep what batches hold in `DIR` (default: the folder leaves of --promises)"},
			&cli.Uint64Flag{Name: "confirmations", Usage: "blocks on top that make a block final; 0: the chain's finalized tag (`N`)"},
			&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"},
			&cli.DurationFlag{Name: "every", Value: watchtower.DefaultEvery, Usage: "`TIME` between rounds"},
			&cli.BoolFlag{Name: "once", Usage: "make one round, and say by the exit code what was found"},
			&cli.BoolFlag{Name: "answer", Usage: "answer open challenges whose proof is held (spends gas)"},
			&cli.BoolFlag{Name: "challenge", Usage: "challenge promises in batches that no gateway shows, and conclude (spends gas, and a deposit of 0.01 of the chain's coin at a time)"},
			&cli.DurationFlag{Name: "patience", Value: watchtower.DefaultPatience, Usage: "`TIME` that a batch is asked for in vain before --challenge challenges it"},
			&cli.IntFlag{Name: "max-challenges", Value: watchtower.DefaultDemands, Usage: "send at most `N` challenges until it is started again: each deposit is lost to an operator that answers"},
			&cli.BoolFlag{Name: "slash", Usage: "slash the bond when a promise is broken (spends gas)"},
			&cli.StringFlag{Name: "max-cost", Value: defaultMaxCost, Usage: "sign nothing if all may cost more in the worst case: `ETH`, or an amount with its unit"},
		),
		Action: runWatchtower,
	}
}

func runWatchtower(c *cli.Context) error {
	if c.Args().Present() {
		return usage("watchtower takes no argument: name the folder with --promises DIR")
	}
	if c.String("promises") == "" {
		return usage("which promises? give --promises DIR, the folder that they are put into")
	}
	cfg, err := watchtowerFrom(c)
	if err != nil {
		return err
	}
	defer cfg.Nodes.Close()
	out := &towerOutput{cli: c}
	cfg.Report = out.event
	w, err := watchtower.New(cfg)
	if err != nil {
		return usage("%w", err)
	}
	if cfg.Trust == nil {
		out.note("which chain, contracts and log count is the word of the files; give --trust FILE to hold them to yours")
	}
	if cfg.Blocks == nil {
		out.note("without --gateway nothing is fetched: what an operator hides later cannot be shown, and no challenge can be answered")
	}
	if !c.Bool("once") {
		out.note("promises in %s, evidence in %s, every %s", cfg.Dir, cfg.Evidence, cfg.Every)
		return w.Run(c.Context)
	}
	sum := w.Round(c.Context)
	if err := out.summary(sum); err != nil {
		return err
	}
	switch {
	case c.Context.Err() != nil:
		return c.Context.Err()
	case sum.Broken > 0:
		return &silentError{proofs.PromiseBroken.Exit()}
	case errors.Is(sum.Err, nodes.ErrNoQuorum):
		return chainError(sum.Err)
	case sum.Err != nil:
		return &exitError{proofs.Undetermined.Exit(), sum.Err}
	case sum.Unknown > 0:
		return &silentError{proofs.Undetermined.Exit()}
	}
	return nil
}

// watchtowerFrom reads the flags. Nodes need not be up.
func watchtowerFrom(c *cli.Context) (cfg watchtower.Config, err error) {
	dir := c.String("promises")
	cfg = watchtower.Config{
		Dir: dir, Evidence: c.String("evidence"), Cache: c.String("cache"), Every: c.Duration("every"), Patience: c.Duration("patience"),
		Answer: c.Bool("answer"), Demand: c.Bool("challenge"), Demands: c.Int("max-challenges"), Slash: c.Bool("slash"),
		Recover: identity.Recover,
	}
	if cfg.Evidence == "" {
		cfg.Evidence = filepath.Join(dir, "evidence")
	}
	if cfg.Cache == "" {
		cfg.Cache = filepath.Join(dir, "leaves")
	}
	switch {
	case cfg.Every <= 0:
		return cfg, usage("--every: want a time over 0, got %s", cfg.Every)
	case cfg.Demands <= 0:
		return cfg, usage("--max-challenges: want 1 or more, got %d", cfg.Demands)
	case cfg.Patience < 0:
		return cfg, usage("--patience: want 0 or more, got %s", cfg.Patience)
	case cfg.Patience == 0:
		cfg.Patience = -1
	}
	if cfg.Trust, err = readTrust(c.String("trust")); err != nil {
		return cfg, err
	}
	if cfg.Trust == nil && (cfg.Answer || cfg.Demand || cfg.Slash) {
		return cfg, usage("--answer, --challenge and --slash need --trust FILE: anybody can open a log whose promises make a watchtower spend")
	}
	if urls := c.StringSlice("gateway"); len(urls) > 0 {
		client, err := gateway.New(urls, nil)
		if err != nil {
			return cfg, usage("--gateway: %w", err)
		}
		cfg.Blocks = client
	} else if cfg.Demand {
		return cfg, usage("--challenge needs a --gateway: without one everything would be challenged")
	}
	s, _, err := dialSite(c)
	if err != nil {
		return cfg, err
	}
	cfg.Nodes, cfg.FromBlock, cfg.Window, cfg.Confirmations = s.nodes, s.file.FromBlock, s.file.LogWindow, s.file.Confirm
	flag(c, "from-block", c.Uint64, &cfg.FromBlock)
	flag(c, "confirmations", c.Uint64, &cfg.Confirmations)
	if cfg.Answer || cfg.Demand || cfg.Slash {
		if cfg.Sender, err = newTowerSender(c, s); err != nil {
			s.nodes.Close()
		}
	}
	return cfg, err
}

// towerSender pays for what a watchtower sends.
type towerSender struct {
	site *site
	key  signer.Signer
	most *big.Int // wei, of each transaction
}

func newTowerSender(c *cli.Context, s *site) (*towerSender, error) {
	most, err := maxCost(c)
	if err != nil {
		return nil, err
	}
	uri, err := s.account(c)
	if err != nil {
		return nil, err
	}
	key, err := s.open(c, uri)
	return &towerSender{s, key, most}, err
}

func (t *towerSender) Address() proofs.Address { return t.key.Address() }

// sendTime is how long a transaction may take to be mined before other work goes on: at these fees, minutes are a
// chain's outage.
const sendTime = 10 * time.Minute

func (t *towerSender) Send(ctx context.Context, p anchor.Planned) (paid *anchor.Paid, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	id, err := t.site.nodes.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	w := anchor.Wallet{Nodes: t.site.nodes, ChainID: id, Signer: t.key, DataFee: t.site.data}
	err = w.Do(ctx, []anchor.Planned{p}, t.most, func(_ anchor.Planned, done *anchor.Paid) { paid = done })
	return paid, err
}

// towerOutput writes events: for people, or as NDJSON.
type towerOutput struct{ cli *cli.Context }

// towerLine is hansard.watchtower/1.
type towerLine struct {
	Schema   string        `json:"schema"`
	Kind     string        `json:"kind"`
	Time     string        `json:"time"`
	Detail   string        `json:"detail"`
	Chain    string        `json:"chainId,omitempty"`
	Log      *proofs.Hash  `json:"log,omitempty"`
	File     string        `json:"file,omitempty"`
	ID       *proofs.Hash  `json:"id,omitempty"`
	Index    string        `json:"index,omitempty"`
	Deadline string        `json:"deadline,omitempty"`
	Outcome  string        `json:"outcome,omitempty"`
	Breach   string        `json:"breach,omitempty"`
	Final    bool          `json:"final,omitempty"`
	Batch    string        `json:"batch,omitempty"`
	Action   string        `json:"action,omitempty"`
	Tx       *proofs.Hash  `json:"tx,omitempty"`
	Wei      string        `json:"wei,omitempty"`
	AnswerBy string        `json:"answerBy,omitempty"`
	Summary  *towerSummary `json:"summary,omitempty"`
}

type towerSummary struct {
	Promises     int `json:"promises"`
	Open         int `json:"open"`
	Kept         int `json:"kept"`
	Broken       int `json:"broken"`
	Undetermined int `json:"undetermined"`
}

const towerSchema = "hansard.watchtower/1"

func newTowerLine(e watchtower.Event) towerLine {
	l := towerLine{
		Schema: towerSchema, Kind: string(e.Kind), Time: e.Time.UTC().Format(time.RFC3339), Detail: e.Detail, File: e.Path,
		Outcome: e.Outcome, Breach: e.Breach, Final: e.Final, Action: e.Action,
	}
	if !e.Chain.Log.IsZero() {
		l.Chain, l.Log = fmt.Sprint(e.Chain.ChainID), &e.Chain.Log
	}
	if e.Promise != nil {
		l.ID, l.Index, l.Deadline = &e.ID, fmt.Sprint(e.Promise.Index), fmt.Sprint(e.Promise.Deadline)
	}
	if e.Batch != nil {
		l.Batch = fmt.Sprint(*e.Batch)
	}
	if !e.Tx.IsZero() {
		l.Tx = &e.Tx
	}
	if e.Cost != nil {
		l.Wei = e.Cost.String()
	}
	if e.AnswerBy != 0 {
		l.AnswerBy = fmt.Sprint(e.AnswerBy)
	}
	return l
}

// event writes one event. That nobody reads stdout any more is no reason to stop watching.
func (o *towerOutput) event(e watchtower.Event) {
	c := o.cli
	switch {
	case c.Bool("json"):
		_ = printJSON(c.App.Writer, newTowerLine(e))
	case c.Bool("quiet"):
		if e.Kind == watchtower.KindEvidence {
			fmt.Fprintln(c.App.Writer, e.Path)
		}
	case e.Kind == watchtower.KindTrouble, e.Kind == watchtower.KindFile, e.Kind == watchtower.KindClear:
		fmt.Fprintln(c.App.ErrWriter, towerText(e))
	default:
		fmt.Fprintln(c.App.Writer, towerText(e))
	}
}

// towerText is an event on a line, for people.
func towerText(e watchtower.Event) string {
	word := string(e.Kind)
	switch {
	case e.Kind == watchtower.KindPromise && e.Breach != "":
		word = fmt.Sprintf("PROMISE BROKEN (%s)", e.Breach)
	case e.Kind == watchtower.KindPromise:
		word = "promise " + e.Outcome
	case e.Kind == watchtower.KindClear:
		word = "works again"
	case e.Kind == watchtower.KindSent:
		word = "sent " + e.Action
	case e.Kind == watchtower.KindTrouble && e.Action != "":
		word = "NOT SENT " + e.Action
	}
	line := e.Time.UTC().Format("2006-01-02 15:04:05Z") + "  " + word
	if e.Promise != nil {
		line += fmt.Sprintf("  index %d", e.Promise.Index)
	}
	if e.Batch != nil {
		line += fmt.Sprintf("  batch %d", *e.Batch)
	}
	if e.Kind == watchtower.KindPromise && e.Breach != "" && !e.Final {
		line += "  not final yet"
	}
	if e.Path != "" {
		line += "  " + e.Path
	}
	if !e.Tx.IsZero() {
		line += fmt.Sprintf("  tx %s", e.Tx)
	}
	if !e.Chain.Log.IsZero() && e.Promise == nil {
		line += fmt.Sprintf("  log %s", e.Chain.Log)
	}
	if e.AnswerBy != 0 {
		line += "  answer by " + secondsUTC(e.AnswerBy)
	}
	return oneLine(line+"  "+e.Detail, maxTowerLine)
}

// maxTowerLine bounds what files and nodes can put on a line.
const maxTowerLine = 1000

func (o *towerOutput) note(format string, args ...any) {
	if !o.cli.Bool("json") && !o.cli.Bool("quiet") {
		fmt.Fprintln(o.cli.App.ErrWriter, "hansard: "+oneLine(fmt.Sprintf(format, args...), maxTowerLine))
	}
}

func (o *towerOutput) summary(s watchtower.Summary) error {
	c := o.cli
	switch {
	case c.Bool("json"):
		l := towerLine{Schema: towerSchema, Kind: "summary", Time: time.Now().UTC().Format(time.RFC3339)}
		l.Summary = &towerSummary{s.Promises, s.Open, s.Kept, s.Broken, s.Unknown}
		return printJSON(c.App.Writer, l)
	case c.Bool("quiet"):
		return nil
	}
	_, err := fmt.Fprintf(c.App.Writer, "%d promises: %d kept, %d open, %d broken, %d undetermined\n", s.Promises, s.Kept, s.Open, s.Broken, s.Unknown)
	return err
}
