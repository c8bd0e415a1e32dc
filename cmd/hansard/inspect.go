package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:        "inspect",
		Usage:       "decode and show a receipt or evidence of a breach, without judging it",
		ArgsUsage:   "FILE|-",
		Description: "Shows what the file says. Only verify says what that is worth. Exits 10 where it is neither.",
		Flags:       []cli.Flag{&cli.BoolFlag{Name: "path", Usage: "draw the Merkle path"}},
		Action:      runInspect,
	}
}

func runInspect(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usage("want one file: hansard inspect FILE, or - for stdin")
	}
	path, w := c.Args().First(), c.App.Writer
	b, err := readFile(path, c.App.Reader)
	if err != nil {
		return err
	}
	unreadable := func(err error) error {
		return &exitError{proofs.Invalid.Exit(), fmt.Errorf("%s: %s", oneLine(path, maxDetail), oneLine(err.Error(), maxDetail))}
	}
	if proofs.IsEvidence(b) {
		e, err := proofs.ParseBreachEvidence(b)
		if err != nil {
			return unreadable(err)
		}
		return inspectEvidence(c, path, e)
	}
	rc, err := proofs.ParseReceipt(b)
	if err != nil {
		return unreadable(err)
	}
	switch {
	case c.Bool("json"):
		return printJSON(w, inspectLineOf(path, rc))
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, rc.Entry.Message)
		return err
	}
	fmt.Fprintf(w, "%s  (level %s; shown as the file says, nothing is judged)\n", oneLine(path, maxDetail), rc.Level)
	printSections(w, sections(rc))
	switch {
	case !c.Bool("path"):
	case rc.Batch == nil:
		fmt.Fprintln(w, "path\n  none: not in a batch yet")
	default:
		drawPath(w, stoodAt(rc), rc.Anchor.Block.Number, "this message")
	}
	return nil
}

func printSections(w io.Writer, all []section) {
	for _, s := range all {
		fmt.Fprintln(w, s.name)
		for _, f := range s.fields {
			fmt.Fprintf(w, "  %-12s %s\n", f[0], f[1])
		}
	}
}

type inspectLine struct {
	Schema        string          `json:"schema"`
	File          string          `json:"file"`
	Level         string          `json:"level"`
	ID            proofs.Hash     `json:"id"`
	Leaf          proofs.Hash     `json:"leaf"`
	Path          []proofs.Hash   `json:"path,omitempty"` // from the leaf to the root that the siblings give
	PromiseSigner *proofs.Address `json:"promiseSigner,omitempty"`
	CID           string          `json:"cid,omitempty"`
	Receipt       json.RawMessage `json:"receipt"`
}

func inspectLineOf(path string, rc *proofs.Receipt) inspectLine {
	l := inspectLine{
		Schema: "hansard.inspect/1", File: path, Level: rc.Level.String(), ID: rc.Entry.Message,
		Leaf: rc.Entry.Leaf(), PromiseSigner: promiseSigner(rc), Receipt: rc.Format(),
	}
	if rc.Batch != nil {
		l.Path, _ = stoodAt(rc).climb()
		l.CID = proofs.FormatCID(rc.Batch.CID)
	}
	return l
}

// promiseSigner returns whose signature the promise bears, nil where there is none to recover.
func promiseSigner(rc *proofs.Receipt) *proofs.Address {
	if rc.Promise == nil {
		return nil
	}
	return signerOf(rc.Chain, rc.Promise)
}

func signerOf(c proofs.Chain, p *proofs.Promise) *proofs.Address {
	signer, err := proofs.Recover(c.PromiseDomain().PromiseDigest(p), p.Signature)
	if err != nil {
		return nil
	}
	return &signer
}

type section struct {
	name   string
	fields [][2]string
}

func (s *section) add(name, format string, args ...any) {
	s.fields = append(s.fields, [2]string{name, fmt.Sprintf(format, args...)})
}

// sections lists the fields of a receipt in the order of the file.
func sections(rc *proofs.Receipt) []section {
	all := append([]section{chainSection(rc.Chain)}, messageSections(rc)...)

	e := section{name: "entry"}
	e.add("index", "%d", rc.Entry.Index)
	e.add("room", "%s", rc.Entry.Room)
	e.add("roomIndex", "%d", rc.Entry.RoomIndex)
	e.add("roomPrev", "%s", rc.Entry.RoomPrev)
	e.add("message", "%s", rc.Entry.Message)
	e.add("author", "%s", rc.Entry.Author)
	e.add("vouch", "%d: %s", rc.Entry.Vouch, rc.Entry.Vouch)
	e.add("evidence", "%s", rc.Entry.Evidence)
	e.add("receivedAt", "%d = %s", rc.Entry.ReceivedAt, msUTC(rc.Entry.ReceivedAt))
	e.add("leaf", "%s (computed)", rc.Entry.Leaf())
	all = append(all, e)

	if p := rc.Promise; p != nil {
		all = append(all, promiseSection("promise", rc.Chain, p))
	}
	if rc.Batch != nil {
		all = append(all, batchSections(rc)...)
	}
	if rc.Fold != nil {
		all = append(all, foldSections(rc.Fold)...)
	}
	if rc.Hints != nil {
		s := section{name: "hints"}
		s.add("", "%s", oneLine(string(rc.Hints), maxDetail))
		all = append(all, s)
	}
	return all
}

func chainSection(c proofs.Chain) section {
	s := section{name: "chain"}
	s.add("chainId", "%d", c.ChainID)
	s.add("anchorLog", "%s", c.AnchorLog)
	s.add("promiseBond", "%s", c.PromiseBond)
	s.add("log", "%s", c.Log)
	return s
}

func promiseSection(name string, c proofs.Chain, p *proofs.Promise) section {
	s := section{name: name}
	s.add("deadline", "%d = %s", p.Deadline, secondsUTC(p.Deadline))
	s.add("beneficiary", "%s", p.Beneficiary)
	s.add("signature", "0x%x", p.Signature[:])
	if signer := signerOf(c, p); signer != nil {
		s.add("signer", "%s (computed)", signer)
	}
	return s
}

func messageSections(rc *proofs.Receipt) []section {
	m := rc.Message
	if m == nil {
		return []section{{name: "message", fields: [][2]string{{"", "not disclosed"}}}}
	}
	s := section{name: "message"}
	s.add("room", "%s", m.Room)
	s.add("author", "%s", oneLine(string(m.Author), proofs.MaxAuthor))
	s.add("sentAt", "%d = %s", m.SentAt, msUTC(m.SentAt))
	s.add("kind", "%s", m.Kind)
	// Every line of the body is marked, so that none can pass for a line of this report.
	s.add("body", "| %s", strings.ReplaceAll(visible(m.Body), "\n", "\n               | "))
	for _, a := range m.Attachments {
		s.add("attachment", "%s", a)
	}
	if m.Source != "" {
		s.add("source", "%s", oneLine(m.Source, proofs.MaxSource))
	}
	for _, ref := range []struct {
		name string
		hash proofs.Hash
	}{{"replyTo", m.ReplyTo}, {"replaces", m.Replaces}, {"seen", m.Seen}, {"notBefore", m.NotBefore}} {
		if ref.hash.IsZero() {
			s.add(ref.name, "none")
		} else {
			s.add(ref.name, "%s", ref.hash)
		}
	}
	s.add("salt", "%s", m.Salt)
	a := section{name: "authorship"}
	a.add("scheme", "%s", rc.Evidence.Scheme)
	a.add("evidence", "%d bytes 0x%s", len(rc.Evidence.Bytes), clip(hex.EncodeToString(rc.Evidence.Bytes)))
	if b := rc.AtBlock; b != nil {
		a.add("block", "%d %s", b.Number, b.Hash)
	}
	return []section{s, a}
}

func batchSections(rc *proofs.Receipt) []section {
	i := section{name: "inclusion"}
	for k, h := range rc.Inclusion {
		i.add(fmt.Sprintf("level %d", k), "%s", h)
	}
	return []section{batchSection("batch", "manifest", rc.Batch), i, anchorSection("anchor", rc.Anchor, rc.Level)}
}

// batchSection lists a batch; names is what its cid names.
func batchSection(name, names string, b *proofs.Batch) section {
	s := section{name: name}
	s.add("number", "%d", b.Number)
	s.add("root", "%s", b.Root)
	s.add("first", "%d", b.First)
	s.add("size", "%d", b.Size)
	s.add("time", "%d = %s", b.Time, secondsUTC(b.Time))
	s.add("cid", "%s", b.CID)
	s.add(names, "%s (computed)", proofs.FormatCID(b.CID))
	return s
}

func anchorSection(name string, a *proofs.Anchor, level proofs.Level) section {
	n := section{name: name}
	n.add("blockNumber", "%d", a.Block.Number)
	n.add("blockHash", "%s", a.Block.Hash)
	n.add("txIndex", "%d", a.TxIndex)
	n.add("logIndex", "%d", a.LogIndex)
	if level == proofs.Finalized {
		n.add("header", "%d bytes %s", len(a.Header), clip(base64.StdEncoding.EncodeToString(a.Header)))
		n.addNodes("proof", a.Proof)
	}
	return n
}

// addNodes lists the nodes of a trie.
func (s *section) addNodes(name string, nodes [][]byte) {
	for i, node := range nodes {
		s.add(name, "node %d, %d bytes %s", i, len(node), clip(base64.StdEncoding.EncodeToString(node)))
	}
}

// foldSections lists the second anchor.
func foldSections(f *proofs.Fold) []section {
	c := section{name: "fold chain"}
	c.add("chainId", "%d", f.ChainID)
	c.add("anchorLog", "%s", f.AnchorLog)
	c.add("log", "%s", f.Log)
	h := section{name: "fold head"}
	h.add("batches", "%d", f.Head.Batches)
	h.add("messages", "%d", f.Head.Messages)
	for _, p := range f.Head.Peaks {
		h.add("peak", "%s", p)
	}
	h.add("blockNumber", "%d", f.Head.Block.Number)
	h.add("blockHash", "%s", f.Head.Block.Hash)
	h.add("leaf", "%s (computed)", f.Head.Leaf())
	p := section{name: "fold path"}
	for k, sibling := range f.Path {
		p.add(fmt.Sprintf("level %d", k), "%s", sibling)
	}
	return []section{c, h, p, batchSection("fold batch", "head", &f.Batch), anchorSection("fold anchor", &f.Anchor, proofs.Finalized)}
}

// clip shortens what no person reads.
func clip(s string) string {
	if len(s) > 140 {
		return s[:137] + "..."
	}
	return s
}

// drawPath draws the path from the root that the siblings give down to the leaf, which is what mark says.
func drawPath(w io.Writer, p place, block uint64, mark string) {
	nodes, position := p.climb()
	root := nodes[len(nodes)-1]
	fmt.Fprintf(w, "path\n  %s  root, computed; batch %d of %d, in block %d\n", root, p.batch.Number, p.batch.Size, block)
	if root != p.batch.Root {
		fmt.Fprintf(w, "  %s  root in the file: it DIFFERS\n", p.batch.Root)
	}
	drawBelow(w, "  ", nodes, p.siblings, position, mark)
}

// drawBelow draws the two children of the last of nodes, left above right.
func drawBelow(w io.Writer, indent string, nodes, siblings []proofs.Hash, position uint64, mark string) {
	k := len(siblings) - 1
	if k < 0 {
		return
	}
	label := "computed"
	if k == 0 {
		label = fmt.Sprintf("leaf %d <- %s", position, mark)
	}
	if position>>k&1 == 1 {
		fmt.Fprintf(w, "%s|- %s  given\n", indent, siblings[k])
		fmt.Fprintf(w, "%s`- %s  %s\n", indent, nodes[k], label)
		drawBelow(w, indent+"   ", nodes[:k+1], siblings[:k], position, mark)
		return
	}
	fmt.Fprintf(w, "%s|- %s  %s\n", indent, nodes[k], label)
	drawBelow(w, indent+"|  ", nodes[:k+1], siblings[:k], position, mark)
	fmt.Fprintf(w, "%s`- %s  given\n", indent, siblings[k])
}
