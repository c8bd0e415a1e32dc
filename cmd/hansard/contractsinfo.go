package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// infoLine is hansard.contracts/1 of what info finds. A log that was never opened has no owner.
type infoLine struct {
	Schema      string          `json:"schema"`
	Action      string          `json:"action"`
	ChainID     uint64          `json:"chainId,string"`
	BlockNumber uint64          `json:"blockNumber,string"`
	BlockHash   proofs.Hash     `json:"blockHash"`
	Proxy       bool            `json:"proxy"`
	Contract    proofs.Address  `json:"contract"`
	CodeHash    *proofs.Hash    `json:"codeHash,omitempty"` // none: no contract
	Ours        bool            `json:"codeMatches"`        // the code of this version
	Bond        proofs.Address  `json:"promiseBond"`        // that the log's promises name, there or not; zero: none
	Log         proofs.Hash     `json:"log"`
	Open        bool            `json:"open"`
	Owner       *proofs.Address `json:"owner,omitempty"`
	Submitter   *proofs.Address `json:"submitter,omitempty"`
	Batches     uint64          `json:"batches,string"`
	Messages    uint64          `json:"messages,string"`
	Peaks       []peakLine      `json:"peaks"`
}

type peakLine struct {
	Height int         `json:"height"`
	Hash   proofs.Hash `json:"hash"`
}

func newInfoLine(s *anchor.Site) *infoLine {
	l := &infoLine{
		Schema: "hansard.contracts/1", Action: "info", ChainID: s.Log.ChainID, BlockNumber: s.Block.Number, BlockHash: s.Block.Hash,
		Proxy: s.Proxy, Contract: s.Log.AnchorLog, Ours: s.Ours, Bond: s.Log.PromiseBond, Log: s.Log.Log, Batches: s.Head.Batches, Messages: s.Head.Messages,
		Peaks: []peakLine{},
	}
	if !s.CodeHash.IsZero() {
		l.CodeHash = &s.CodeHash
	}
	if l.Open = !s.Owner.IsZero(); l.Open {
		l.Owner, l.Submitter = &s.Owner, &s.Head.Submitter
	}
	for _, p := range s.Peaks {
		l.Peaks = append(l.Peaks, peakLine{p.Height, p.Hash})
	}
	return l
}

func runContractsInfo(c *cli.Context) error {
	if c.Args().Present() {
		return usage("contracts info takes no argument; name the log with --log, or with --owner and --log-name")
	}
	s, err := openSite(c)
	if err != nil {
		return err
	}
	defer s.nodes.Close()
	// With nothing that names a log the contract is still worth a look.
	if err := s.nameLog(c); err != nil && (!errors.Is(err, identity.ErrNoKey) || c.IsSet("account") || c.IsSet("log-name")) {
		return err
	} else if err != nil {
		s.log.Log = proofs.Hash{}
	}
	found, err := anchor.ReadSite(c.Context, s.nodes, s.log)
	if err != nil {
		return chainError(err)
	}
	if err := printInfo(c, found); err != nil {
		return err
	}
	if !found.Ours {
		return &silentError{proofs.Mismatch.Exit()}
	}
	return nil
}

func printInfo(c *cli.Context, s *anchor.Site) error {
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, newInfoLine(s))
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, s.Log.Log)
		return err
	}
	code := "missing; hansard contracts deploy deploys it"
	if s.Ours {
		code = fmt.Sprintf("code %s, that of this version", s.CodeHash)
	} else if !s.CodeHash.IsZero() {
		code = fmt.Sprintf("code %s, which is NOT the AnchorLog of this version", s.CodeHash)
	}
	fields := [][2]string{
		{"chain", fmt.Sprintf("%d, block %d %s", s.Log.ChainID, s.Block.Number, s.Block.Hash)},
		{"proxy", fmt.Sprintf("%s  %s", anchor.ProxyAddress(), state(s.Proxy, "there"))},
		{"contract", fmt.Sprintf("%s  %s", s.Log.AnchorLog, code)},
	}
	if s.Ours && s.Log.Log.IsZero() {
		fields = append(fields, [2]string{"log", "none is named: give --log, --owner or --account"})
	} else if s.Ours {
		fields = append(fields, [2]string{"log", fmt.Sprintf("%s  %s", s.Log.Log, logState(s))})
	}
	if !s.Log.PromiseBond.IsZero() {
		fields = append(fields, [2]string{"bond", s.Log.PromiseBond.String() + "  hansard bond info says what it holds"})
	}
	if !s.Owner.IsZero() {
		fields = append(fields, [][2]string{
			{"owner", s.Owner.String()}, {"submitter", s.Head.Submitter.String()},
			{"batches", cost.Count(s.Head.Batches)}, {"messages", cost.Count(s.Head.Messages)},
		}...)
	}
	for _, p := range s.Peaks {
		fields = append(fields, [2]string{"peak", fmt.Sprintf("%s  of 2^%d batches", p.Hash, p.Height)})
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(w, "%-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func logState(s *anchor.Site) string {
	switch {
	case s.Owner.IsZero():
		return "never opened"
	case s.Head.Submitter.IsZero():
		return "stopped: it has no submitter"
	}
	return "open"
}
