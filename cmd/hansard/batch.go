package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

func batchCommand() *cli.Command {
	return &cli.Command{
		Name:  "batch",
		Usage: "list and show batches",
		Subcommands: []*cli.Command{
			{
				Name: "list", Usage: "list batches in order",
				Flags: []cli.Flag{
					serverFlag(),
					&cli.Uint64Flag{Name: "from", Usage: "`NUMBER` of the first batch to list"},
					&cli.Uint64Flag{Name: "limit", Value: 50, Usage: "list at most so many (`COUNT`)"},
				},
				Action: runBatchList,
			},
			{
				Name: "show", Usage: "show one batch", ArgsUsage: "NUMBER",
				Flags:  []cli.Flag{serverFlag()},
				Action: runBatchShow,
			},
		},
	}
}

// batchLine is hansard.batch/1: the service's word about a batch. What the batch does not have yet is
// left out.
type batchLine struct {
	Schema      string       `json:"schema,omitempty"`
	Number      uint64       `json:"number,string"`
	State       string       `json:"state"`
	Root        proofs.Hash  `json:"root"`
	First       uint64       `json:"first,string"`
	Size        uint64       `json:"size,string"`
	OpenedAt    uint64       `json:"openedAt,string"`
	SealedAt    uint64       `json:"sealedAt,string"`
	NotBefore   proofs.Hash  `json:"notBefore"`
	Deadline    uint64       `json:"deadline,string,omitempty"` // the earliest of its promises, in seconds
	CID         string       `json:"cid,omitempty"`
	HeldBy      []string     `json:"heldBy,omitempty"`
	Txs         uint64       `json:"txs,string,omitempty"`
	NewestTx    *proofs.Hash `json:"newestTx,omitempty"`
	Spent       *spentLine   `json:"spent,omitempty"`
	Time        uint64       `json:"time,string,omitempty"`
	Tx          *proofs.Hash `json:"tx,omitempty"`
	BlockNumber *uint64      `json:"blockNumber,string,omitempty"`
	BlockHash   *proofs.Hash `json:"blockHash,omitempty"`
	Probes      []probeLine  `json:"probes,omitempty"`
}

// spentLine is what the transactions of a batch cost.
type spentLine struct {
	Gas           uint64 `json:"gas,string"`
	Wei           string `json:"wei"`
	WeiPerMessage string `json:"weiPerMessage"`
}

func newBatchLine(schema string, b *client.Batch) *batchLine {
	l := &batchLine{
		Schema: schema, Number: b.Number, State: b.State.String(), Root: b.Root, First: b.First, Size: b.Size,
		OpenedAt: b.OpenedAt, SealedAt: b.SealedAt, NotBefore: b.NotBefore, Deadline: b.Deadline, Txs: b.Txs, Time: b.Time, HeldBy: b.HeldBy,
	}
	if b.Txs > 0 {
		l.NewestTx = &b.NewestTx
	}
	if s := b.Spent; s != nil {
		l.Spent = &spentLine{s.Gas, s.Wei.String(), s.PerMessage.String()}
	}
	if !b.CID.IsZero() {
		l.CID = proofs.FormatCID(b.CID)
	}
	if b.State >= proofs.StateIncluded {
		l.Tx, l.BlockNumber, l.BlockHash = &b.Tx, &b.Block.Number, &b.Block.Hash
	}
	l.Probes = newProbeLines(b.Probes)
	return l
}

// serviceLimit is how many batches a service hands out at once.
const serviceLimit = 500

func runBatchList(c *cli.Context) error {
	if c.Args().Present() {
		return usage("batch list takes no argument; hansard batch show NUMBER shows one")
	}
	s, err := serviceOf(c)
	if err != nil {
		return err
	}
	from, left, w := c.Uint64("from"), c.Uint64("limit"), c.App.Writer
	if left == 0 {
		return usage("--limit: want at least 1")
	}
	if !c.Bool("json") && !c.Bool("quiet") {
		fmt.Fprintf(w, batchRow, "BATCH", "STATE", "MESSAGES", "INDEXES", "BLOCK", "SEALED", "DEADLINE", "TXS", "GAS", "WEI/MESSAGE")
	}
	for left > 0 {
		want := min(left, serviceLimit)
		batches, err := s.Batches(c.Context, from, int(want))
		if err != nil {
			return err
		}
		for i := range batches {
			if err := printBatchRow(c, w, &batches[i]); err != nil {
				return err
			}
		}
		if uint64(len(batches)) < want {
			return nil
		}
		from, left = batches[len(batches)-1].Number+1, left-want
	}
	return nil
}

const batchRow = "%-8v %-10v %10v  %-23v %-12v %-24v %-20v %3v %9v %14v\n"

func printBatchRow(c *cli.Context, w io.Writer, b *client.Batch) (err error) {
	switch {
	case c.Bool("json"):
		return printJSON(w, newBatchLine("hansard.batch/1", b))
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, b.Number)
		return err
	}
	block, deadline, gas, wei := "-", "-", "-", "-"
	if b.State >= proofs.StateIncluded {
		block = strconv.FormatUint(b.Block.Number, 10)
	}
	if b.Deadline > 0 {
		deadline = secondsUTC(b.Deadline)
	}
	if s := b.Spent; s != nil {
		gas, wei = strconv.FormatUint(s.Gas, 10), s.PerMessage.String()
	}
	indexes := fmt.Sprintf("%d-%d", b.First, b.First+b.Size-1)
	_, err = fmt.Fprintf(w, batchRow, b.Number, b.State, b.Size, indexes, block, msUTC(b.SealedAt), deadline, b.Txs, gas, wei)
	return err
}

func runBatchShow(c *cli.Context) error {
	n, err := strconv.ParseUint(c.Args().First(), 10, 64)
	if c.Args().Len() != 1 || err != nil || n > proofs.MaxBatch {
		return usage("want the number of one batch: hansard batch show NUMBER")
	}
	s, err := serviceOf(c)
	if err != nil {
		return err
	}
	b, err := s.Batch(c.Context, n)
	if err != nil {
		return err
	}
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, newBatchLine("hansard.batch/1", b))
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, b.Root)
		return err
	}
	fmt.Fprintf(w, "batch %d  %s  (the service's word)\n", b.Number, b.State)
	for _, f := range batchFields(b) {
		if _, err := fmt.Fprintf(w, "  %-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func batchFields(b *client.Batch) [][2]string {
	fields := [][2]string{
		{"messages", fmt.Sprintf("%d, index %d to %d", b.Size, b.First, b.First+b.Size-1)},
		{"root", b.Root.String()},
		{"opened", msUTC(b.OpenedAt)},
		{"sealed", msUTC(b.SealedAt)},
	}
	if b.Deadline > 0 {
		fields = append(fields, [2]string{"deadline", secondsUTC(b.Deadline)})
	}
	if !b.CID.IsZero() {
		fields = append(fields, [2]string{"payload", proofs.FormatCID(b.CID)})
	}
	if len(b.HeldBy) > 0 {
		fields = append(fields, [2]string{"held by", oneLine(strings.Join(b.HeldBy, ", "), maxDetail)})
	}
	if b.Txs > 0 {
		fields = append(fields, [2]string{"signed", fmt.Sprintf("%d, the newest %s", b.Txs, b.NewestTx)})
	}
	if s := b.Spent; s != nil {
		fields = append(fields, [2]string{"spent", fmt.Sprintf("%d gas, %s wei, %s wei a message", s.Gas, s.Wei, s.PerMessage)})
	}
	if b.State >= proofs.StateIncluded {
		fields = append(fields, [2]string{"block", fmt.Sprintf("%d %s", b.Block.Number, b.Block.Hash)},
			[2]string{"time", secondsUTC(b.Time)}, [2]string{"tx", b.Tx.String()})
	}
	return append(fields, probeFields(b.Probes)...)
}
