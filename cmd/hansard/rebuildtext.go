package main

import (
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
)

// rebuiltLine is hansard.recover/1.
type rebuiltLine struct {
	Schema      string         `json:"schema"`
	ChainID     uint64         `json:"chainId,string"`
	AnchorLog   proofs.Address `json:"anchorLog"`
	PromiseBond proofs.Address `json:"promiseBond"`
	Log         proofs.Hash    `json:"log"`
	Batches     uint64         `json:"batches,string"`
	Final       uint64         `json:"final,string"`
	Messages    uint64         `json:"messages,string"` // and the index of the next one
	Rooms       uint64         `json:"rooms,string"`
	Bytes       uint64         `json:"bytes,string"`
	Peaks       proofs.Hash    `json:"peaks"` // hash of the contract's, which what was recovered gives
	Block       uint64         `json:"block,string"`
	Seconds     float64        `json:"seconds"`
	Promises    bool           `json:"promises"` // --promise was given
	Withheld    indexLine      `json:"withheld"` // erased or private
	Late        indexLine      `json:"late"`     // without promise: the batch missed its deadline
	Sources     []sourceLine   `json:"sources"`
	NotHere     []string       `json:"notRecovered"`
}

// indexLine is how many entries, and which: the first 10,000 runs of them.
type indexLine struct {
	Count  uint64      `json:"count,string"`
	Ranges [][2]string `json:"ranges"` // first and last index
}

type sourceLine struct {
	Name   string `json:"name"`
	Blocks uint64 `json:"blocks,string"`
	Bytes  uint64 `json:"bytes,string"`
	Wrong  uint64 `json:"wrong,string"` // answers that were neither the block nor that it is not there
	Last   string `json:"last,omitempty"`
}

func newIndexLine(x recovery.Indexes) indexLine {
	l := indexLine{x.Count, [][2]string{}}
	for _, s := range x.Spans {
		l.Ranges = append(l.Ranges, [2]string{fmt.Sprint(s.First), fmt.Sprint(s.Last)})
	}
	return l
}

// text lists the first runs of indices.
func (l indexLine) text() (s string) {
	const most = 10
	for i, r := range l.Ranges {
		if i == most {
			return s + ", ... (--json has more)"
		}
		if i > 0 {
			s += ", "
		}
		if s += r[0]; r[0] != r[1] {
			s += " to " + r[1]
		}
	}
	return s
}

// report says what was recovered and what was not.
func (r *rebuilding) report(sum *recovery.Summary, head logbook.Head) error {
	l := &rebuiltLine{
		Schema: "hansard.recover/1", ChainID: r.site.log.ChainID, AnchorLog: r.site.log.AnchorLog, PromiseBond: r.site.log.PromiseBond, Log: r.site.log.Log,
		Batches: sum.Batches, Final: sum.Final, Messages: sum.Messages, Rooms: sum.Rooms, Bytes: sum.Bytes, Peaks: sum.Head, Block: head.Block.Number,
		Seconds: time.Since(r.began).Seconds(), Promises: r.promise > 0, Withheld: newIndexLine(sum.Withheld), Late: newIndexLine(sum.Late),
		Sources: []sourceLine{},
	}
	for _, u := range sum.Sources {
		s := sourceLine{Name: u.Name, Blocks: u.Blocks, Bytes: u.Bytes, Wrong: u.Wrong}
		if u.Last != nil {
			s.Last = u.Last.Error()
		}
		l.Sources = append(l.Sources, s)
	}
	l.NotHere = l.missing()
	w := r.cli.App.Writer
	switch {
	case r.cli.Bool("json"):
		return printJSON(w, l)
	case r.cli.Bool("quiet"):
		_, err := fmt.Fprintln(w, l.Messages)
		return err
	}
	return r.print(l)
}

// missing says what does not come back.
func (l *rebuiltLine) missing() []string {
	all := []string{
		fmt.Sprintf("messages that were accepted and not anchored: whoever has a promise for entry %d or later holds one that this directory does not know; "+
			"start with --mark FILE and --promises DIR, docs/operations.md, After a restore", l.Messages),
		"keys, the importer's token, and what the log was folded into",
		"the signed transactions of the batches, and what those cost that reverted",
	}
	if !l.Promises {
		all = append(all, fmt.Sprintf("the promises of all %d messages: --promise was not given; their holders' copies are as good as ever", l.Messages))
	}
	if l.Late.Count > 0 {
		all = append(all, fmt.Sprintf("the promises of %d messages whose batch missed the deadline that --promise gives, none of which is signed again: %s",
			l.Late.Count, l.Late.text()))
	}
	if l.Withheld.Count > 0 {
		all = append(all, fmt.Sprintf("%d messages, erased or private, of which leaf and proofs are here: %s", l.Withheld.Count, l.Withheld.text()))
	}
	return append(all, "signatures were not checked: hansard verify does that, one receipt at a time")
}

func (r *rebuilding) print(l *rebuiltLine) error {
	w := r.cli.App.Writer
	fmt.Fprintf(w, "recovered log %s of chain %d into %s\n", l.Log, l.ChainID, r.dir)
	for _, f := range [][2]string{
		{"batches", fmt.Sprintf("%d, %d of them final", l.Batches, l.Final)},
		{"messages", fmt.Sprintf("%d in %d rooms; the next one gets place %d", l.Messages, l.Rooms, l.Messages)},
		{"chain", fmt.Sprintf("batches, messages and peaks are those of contract %s, read at the end", l.AnchorLog)},
		{"payloads", fmt.Sprintf("%d bytes, each block pinned", l.Bytes)},
		{"took", fmt.Sprintf("%.1f s, %.0f messages a second", l.Seconds, float64(l.Messages)/l.Seconds)},
	} {
		fmt.Fprintf(w, "  %-9s %s\n", f[0], f[1])
	}
	for _, s := range l.Sources {
		line := fmt.Sprintf("%s: %d blocks, %d bytes", s.Name, s.Blocks, s.Bytes)
		if s.Wrong > 0 {
			line += fmt.Sprintf("; %d wrong answers, the last: %s", s.Wrong, s.Last)
		}
		fmt.Fprintf(w, "  %-9s %s\n", "source", oneLine(line, maxTowerLine))
	}
	fmt.Fprintln(w, "not recovered:")
	for _, m := range l.NotHere {
		if _, err := fmt.Fprintf(w, "  - %s\n", m); err != nil {
			return err
		}
	}
	return nil
}
