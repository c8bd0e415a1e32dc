package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

func payloadCommand() *cli.Command {
	data := &cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` of the service, which must not run: it checks by itself, see serve --check-every"}
	return &cli.Command{
		Name:  "payload",
		Usage: "as an operator: check and repair the payloads of batches on disk",
		Subcommands: []*cli.Command{
			{
				Name: "check", Usage: "read the CAR files of all batches, hash every block, and say what is missing or damaged",
				Flags: []cli.Flag{data}, Action: func(c *cli.Context) error { return runPayload(c, false) },
			},
			{
				Name: "repair", Usage: "the same, and make what is missing or damaged again: from the log, or from gateways",
				Flags:  []cli.Flag{data, &cli.StringSliceFlag{Name: "gateway", Usage: "`URL` of a trustless IPFS gateway, repeated for several, for what the log does not give"}},
				Action: func(c *cli.Context) error { return runPayload(c, true) },
			},
		},
	}
}

// payloadLine is hansard.payload/1: one batch whose payload was not whole.
type payloadLine struct {
	Schema string `json:"schema"`
	Batch  uint64 `json:"batch,string"`
	CID    string `json:"cid"`
	Damage string `json:"damage"`
	Mended bool   `json:"mended"`
	From   string `json:"from,omitempty"` // log or gateways
	Why    string `json:"why,omitempty"`  // it could not be mended
}

// payloadEnd is hansard.payload-end/1: how many batches were read, and of these not whole and mended.
type payloadEnd struct {
	Schema  string `json:"schema"`
	Batches uint64 `json:"batches,string"`
	Damaged uint64 `json:"damaged,string"`
	Mended  uint64 `json:"mended,string"`
}

func runPayload(c *cli.Context, repair bool) (err error) {
	if c.Args().Present() {
		return usage("payload takes no argument, got %q", c.Args().First())
	}
	var other payload.Blocks
	if urls := c.StringSlice("gateway"); len(urls) > 0 {
		if other, err = gateway.New(urls, nil); err != nil {
			return usage("--gateway: %w", err)
		}
	}
	p, node, done, err := openPayloads(c.String("data"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	end := payloadEnd{Schema: "hansard.payload-end/1"}
	report := func(d payload.Damage) error {
		if end.Damaged++; d.Mended {
			end.Mended++
		}
		return printDamage(c, d, repair)
	}
	if repair {
		end.Batches, err = p.Repair(c.Context, node, other, report)
	} else {
		end.Batches, err = p.Check(c.Context, node, report)
	}
	if err != nil {
		return err
	}
	if err := printPayloadEnd(c, end); err != nil {
		return err
	}
	if end.Damaged > end.Mended {
		return &silentError{exitFindings}
	}
	return nil
}

// openPayloads opens what a data directory has of its batches.
func openPayloads(dir string) (p *payload.Pinner, node *ipfs.Node, done func() error, err error) {
	own, err := ownLog(dir)
	if err == nil && own == nil {
		err = usage("there is no log in %s; name its directory with --data", dir)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	db, err := storage.Open(storage.Config{Dir: filepath.Join(dir, "log"), Chain: own.Chain, PromiseKey: own.PromiseKeys[0]})
	if err != nil {
		return nil, nil, nil, hintDir(err, "--data")
	}
	if node, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(dir, "ipfs")}); err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	p = payload.New(payload.Config{Log: own.Chain.Log, Store: db, Node: node, Pinned: func() {}, Logger: discard()})
	return p, node, func() error { return errors.Join(node.Close(), db.Close()) }, nil
}

func printDamage(c *cli.Context, d payload.Damage, repair bool) error {
	l := payloadLine{Schema: "hansard.payload/1", Batch: d.Batch, CID: proofs.FormatCID(d.CID), Damage: d.Err.Error(), Mended: d.Mended, From: d.From}
	if d.Why != nil {
		l.Why = d.Why.Error()
	}
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, l)
	case c.Bool("quiet"):
		return nil
	}
	said := fmt.Sprintf("DAMAGED  batch %d: %s\n", l.Batch, l.Damage)
	switch {
	case l.Mended:
		said = fmt.Sprintf("MENDED   batch %d from the %s: %s\n", l.Batch, l.From, l.Damage)
	case repair:
		said = fmt.Sprintf("LOST     batch %d: %s; not mended: %s\n", l.Batch, l.Damage, l.Why)
	}
	_, err := fmt.Fprint(c.App.Writer, visible(said))
	return err
}

func printPayloadEnd(c *cli.Context, end payloadEnd) (err error) {
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, end)
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(c.App.Writer, end.Damaged-end.Mended)
		return err
	}
	next := ""
	if c.Command.Name == "check" && end.Damaged > 0 {
		next = "; mend with: hansard payload repair"
	} else if end.Damaged > end.Mended {
		next = "; what the log does not give may be had elsewhere: hansard payload repair --gateway URL"
	}
	_, err = fmt.Fprintf(c.App.Writer, "%d batches read, %d damaged, %d mended%s\n", end.Batches, end.Damaged, end.Mended, next)
	return err
}
