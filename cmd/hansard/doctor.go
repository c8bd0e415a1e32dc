package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check the configuration, each node, the log, its bond, the money and the data directory",
		Description: "Changes nothing and signs nothing. FAIL is what keeps a service from working, WARN what will or may; each says\n" +
			"why and what to do. Exit code 0 without a FAIL, 1 with one.",
		Flags: append(append(append(siteFlags(), logFlags()...), logIDFlag(), bondFlag(), serverFlag()),
			&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` of the service"},
			&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"}),
		Action: runDoctor,
	}
}

// Results of a check.
const (
	doctorOK   = "ok"
	doctorWarn = "WARN"
	doctorFail = "FAIL"
	doctorSkip = "SKIP"
)

// doctorRow is what one check found: what, and unless all is well why it matters and what to do next.
type doctorRow struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	What   string `json:"what"`
	Why    string `json:"why,omitempty"`
	Next   string `json:"next,omitempty"`
}

// doctorLine is hansard.doctor/1.
type doctorLine struct {
	Schema string      `json:"schema"`
	OK     bool        `json:"ok"` // no FAIL
	Rows   []doctorRow `json:"rows"`
}

// doctor is one run of the checks. A check that needs what an earlier one did not find is skipped.
type doctor struct {
	cli  *cli.Context
	now  func() time.Time
	rows []doctorRow

	site   *site        // nil: no node was named, or the configuration is wrong
	urls   []string     // of the nodes
	head   *nodes.Block // agreed on; nil: the nodes do not agree
	found  *anchor.Site // nil: not read
	stored *storeState  // nil: neither the store nor a service could be asked
}

func (d *doctor) add(check, result, what string, whyNext ...string) {
	r := doctorRow{Check: check, Result: result, What: what}
	if len(whyNext) > 0 {
		r.Why = whyNext[0]
	}
	if len(whyNext) > 1 {
		r.Next = whyNext[1]
	}
	d.rows = append(d.rows, r)
}

func runDoctor(c *cli.Context) error {
	if c.Args().Present() {
		return usage("doctor takes no argument")
	}
	if keys := filepath.Join(c.String("data"), "keys"); !c.IsSet("keystore") && isDir(keys) {
		if err := c.Set("keystore", keys); err != nil {
			return err
		}
	}
	d := &doctor{cli: c, now: time.Now}
	if err := d.config(); err != nil {
		return err
	}
	d.checkData()
	if d.site != nil {
		defer d.site.nodes.Close()
		d.readChain()
		d.askStore()
		d.checkNodes()
		d.checkClock()
		d.checkContract()
		d.checkLog()
		d.checkBond()
		d.checkFees()
		d.checkSigners()
	} else {
		d.askStore()
	}
	d.checkStore()
	if err := c.Context.Err(); err != nil {
		return err
	}
	return d.print()
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// config reads the configuration. A wrong flag is an error; a wrong chain file is a finding.
func (d *doctor) config() error {
	path := d.cli.String("chain")
	if path != "" {
		if _, err := loadChain(path); err != nil {
			d.add("config", doctorFail, err.Error(), "nothing that needs the chain can be checked", "correct the file: docs/chains has examples")
			return nil
		}
		d.checkMode(path)
	}
	if path == "" && len(d.cli.StringSlice("rpc")) == 0 {
		d.add("config", doctorSkip, "no node is named, so the chain is not looked at",
			"a service without --rpc keeps the embedded development chain, which proves nothing to anybody else",
			"give --chain FILE or --rpc URL")
		return nil
	}
	s, urls, err := dialSite(d.cli)
	if err != nil {
		return err
	}
	d.site, d.urls = s, urls
	if path == "" {
		d.add("config", doctorOK, fmt.Sprintf("by flags: %d node(s), %d must agree", s.nodes.Len(), s.nodes.Need()))
	}
	if n := s.nodes.Len(); s.nodes.Need() == 1 {
		d.add("config", doctorWarn, fmt.Sprintf("one of %d node(s) is believed by itself", n),
			"it can report blocks and receipts that do not exist, and a lie holds up anchoring", "name three nodes of providers that share no back end")
	}
	if shared := s.nodes.Shared(); len(shared) > 0 {
		d.add("config", doctorWarn, "several nodes are at "+strings.Join(shared, " and at "),
			"who runs that host votes as often", "name nodes of providers that share no back end")
	}
	return nil
}

// checkMode looks at who may change the chain file.
func (d *doctor) checkMode(path string) {
	info, err := os.Stat(path)
	if err != nil {
		d.add("config", doctorFail, err.Error(), "", "")
		return
	}
	what := fmt.Sprintf("%s (%04o)", filepath.Clean(path), info.Mode().Perm())
	if info.Mode().Perm()&0o022 != 0 {
		d.add("config", doctorWarn, what, "others than its owner can change which nodes are believed and what may be spent", "chmod go-w "+shellQuote(path))
		return
	}
	d.add("config", doctorOK, what)
}

// readChain asks all nodes together for the head, the contract and the log.
func (d *doctor) readChain() {
	id, err := d.site.nodes.ChainID(d.cli.Context)
	if err != nil {
		d.add("nodes", doctorFail, err.Error(), "the service does not start while too few nodes agree on the chain", "see the rows of the nodes; correct --rpc or the chain id")
		return
	}
	d.site.log.ChainID = id
	if d.head, err = d.site.nodes.Head(d.cli.Context); err != nil {
		d.add("nodes", doctorFail, err.Error(), "nothing is anchored or said to be final while too few nodes agree", "see the rows of the nodes; add or replace nodes")
		return
	}
	if err := d.nameLog(); err != nil {
		d.add("log", doctorFail, err.Error(), "which log it is follows from its owner", "name it with --log, --owner or --account")
	}
	if d.found, err = anchor.ReadSite(d.cli.Context, d.site.nodes, d.site.log); err != nil {
		d.add("nodes", doctorFail, err.Error(), "the state of the log is read at each round of anchoring", "see the rows of the nodes")
	}
}

// nameLog finds which log is meant: by the flags or the chain file, or else the one of the data directory.
func (d *doctor) nameLog() error {
	named := !d.site.file.LogOwner.IsZero()
	for _, flag := range []string{"log", "owner", "log-name", "account"} {
		named = named || d.cli.IsSet(flag)
	}
	if t, err := d.readTrust(); !named && err == nil && t != nil {
		d.site.log.Log = t.Chain.Log
		if !d.cli.IsSet("bond") && !d.site.file.Bond.Set {
			d.site.log.PromiseBond = t.Chain.PromiseBond
		}
		return nil
	}
	return d.site.nameLog(d.cli)
}

// maxSkew is how far a block's time may be ahead of a right clock: consensus allows next to nothing.
// maxBehind is how old the newest block may be: ten slots of Ethereum, and more of any other chain.
const (
	maxSkew   = 2 * time.Second
	maxBehind = 2 * time.Minute
)

func (d *doctor) checkClock() {
	if d.head == nil {
		d.add("clock", doctorSkip, "no block to compare it with")
		return
	}
	behind := d.now().Sub(time.Unix(int64(d.head.Time), 0))
	switch {
	case behind < -maxSkew:
		d.add("clock", doctorFail, fmt.Sprintf("the newest block is %s in the future", (-behind).Round(time.Second)),
			"the clock is behind: promises would name deadlines that are too early, and receivedAt would be wrong", "synchronise the clock, with chrony or systemd-timesyncd")
	case behind > maxBehind:
		d.add("clock", doctorWarn, fmt.Sprintf("the newest block is %s old", behind.Round(time.Second)),
			"the clock is ahead, the nodes are behind, or the chain stands still", "compare the clock with another machine, and the block with an explorer")
	default:
		d.add("clock", doctorOK, fmt.Sprintf("the newest block is %s old", max(behind, 0).Round(time.Second)))
	}
}

func (d *doctor) checkContract() {
	switch {
	case d.found == nil:
		d.add("contract", doctorSkip, "the chain could not be read")
	case d.found.Ours:
		d.add("contract", doctorOK, fmt.Sprintf("%s has the code of this version", d.found.Log.AnchorLog))
	case d.found.CodeHash.IsZero():
		d.add("contract", doctorFail, fmt.Sprintf("no contract at %s on chain %d", d.found.Log.AnchorLog, d.found.Log.ChainID),
			"there is nothing to anchor in", "hansard contracts deploy")
	default:
		d.add("contract", doctorFail, fmt.Sprintf("%s has other code, %s", d.found.Log.AnchorLog, d.found.CodeHash),
			"receipts would prove what that code says, not what this version means", "correct the contract's address, or use the version that deployed it")
	}
}

func (d *doctor) checkLog() {
	switch f := d.found; {
	case f != nil && f.Log.Log.IsZero(): // readChain said why
	case f == nil || !f.Ours:
		d.add("log", doctorSkip, "there is no contract to ask")
	case f.Owner.IsZero():
		d.add("log", doctorFail, fmt.Sprintf("%s was never opened", f.Log.Log), "nothing can be anchored in it",
			"hansard contracts deploy opens it; if it should be there, check --owner and --log-name")
	case f.Head.Submitter.IsZero():
		d.add("log", doctorFail, fmt.Sprintf("%s is stopped: it has no submitter", f.Log.Log), "nothing can be anchored in it", "its owner "+f.Owner.String()+" can: hansard contracts set-submitter ADDRESS")
	default:
		d.add("log", doctorOK, fmt.Sprintf("%s: %d batches, %d messages, submitter %s", f.Log.Log, f.Head.Batches, f.Head.Messages, f.Head.Submitter))
	}
}

// print writes the rows and returns exit code 1 if one is FAIL.
func (d *doctor) print() error {
	l := doctorLine{Schema: "hansard.doctor/1", OK: true, Rows: d.rows}
	for _, r := range d.rows {
		l.OK = l.OK && r.Result != doctorFail
	}
	w := d.cli.App.Writer
	var err error
	switch {
	case d.cli.Bool("json"):
		err = printJSON(w, l)
	case d.cli.Bool("quiet"):
		_, err = fmt.Fprintln(w, map[bool]string{true: doctorOK, false: doctorFail}[l.OK])
	default:
		for _, r := range d.rows {
			fmt.Fprintf(w, "%-9s %-4s %s\n", r.Check, r.Result, visible(r.What))
			for _, more := range []string{r.Why, r.Next} {
				if more != "" {
					fmt.Fprintf(w, "               %s\n", visible(more))
				}
			}
		}
	}
	if err == nil && !l.OK {
		err = &silentError{exitInternal}
	}
	return err
}
