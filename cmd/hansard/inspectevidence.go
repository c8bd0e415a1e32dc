package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func inspectEvidence(c *cli.Context, path string, e *proofs.BreachEvidence) error {
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, evidenceLineOf(path, e))
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, e.Breach)
		return err
	}
	fmt.Fprintf(w, "%s  (evidence of a breach: %s; shown as the file says, nothing is judged)\n", oneLine(path, maxDetail), e.Breach)
	printSections(w, evidenceSections(e))
	switch {
	case !c.Bool("path"):
	case e.Breach != proofs.Substitution:
		fmt.Fprintln(w, "path\n  none: only the breach substitution has one")
	default:
		drawPath(w, place{e.Leaf, e.Promise.Index, e.Batch, e.Inclusion}, e.Anchor.Block.Number, "what stands there")
	}
	return nil
}

// evidenceLine is hansard.inspect/1 of evidence.
type evidenceLine struct {
	Schema        string          `json:"schema"`
	File          string          `json:"file"`
	Breach        string          `json:"breach"`
	ID            proofs.Hash     `json:"id"` // of the promise: what was signed
	PromiseSigner *proofs.Address `json:"promiseSigner,omitempty"`
	SecondID      *proofs.Hash    `json:"secondId,omitempty"`
	SecondSigner  *proofs.Address `json:"secondSigner,omitempty"`
	Path          []proofs.Hash   `json:"path,omitempty"` // from the leaf that stands there to the root that the siblings give
	CID           string          `json:"cid,omitempty"`
	Evidence      json.RawMessage `json:"evidence"`
}

func evidenceLineOf(path string, e *proofs.BreachEvidence) evidenceLine {
	domain := e.Chain.PromiseDomain()
	l := evidenceLine{
		Schema: "hansard.inspect/1", File: path, Breach: e.Breach.String(), ID: domain.PromiseDigest(&e.Promise),
		PromiseSigner: signerOf(e.Chain, &e.Promise), Evidence: e.Format(),
	}
	if e.Second != nil {
		id := domain.PromiseDigest(e.Second)
		l.SecondID, l.SecondSigner = &id, signerOf(e.Chain, e.Second)
	}
	if e.Breach == proofs.Substitution {
		l.Path, _ = place{e.Leaf, e.Promise.Index, e.Batch, e.Inclusion}.climb()
	}
	if e.Batch != nil {
		l.CID = proofs.FormatCID(e.Batch.CID)
	}
	return l
}

// evidenceSections lists the fields of evidence in the order of the file.
func evidenceSections(e *proofs.BreachEvidence) []section {
	p := promiseSection("promise", e.Chain, &e.Promise)
	p.fields = append([][2]string{{"index", fmt.Sprint(e.Promise.Index)}, {"leaf", e.Promise.Leaf.String()}}, p.fields...)
	all := []section{chainSection(e.Chain), p}
	if e.Second != nil {
		s := promiseSection("second", e.Chain, e.Second)
		s.fields = append([][2]string{{"leaf", e.Second.Leaf.String()}}, s.fields...)
		all = append(all, s)
	}
	if e.Breach == proofs.Substitution {
		s := section{name: "stands there"}
		s.add("leaf", "%s", e.Leaf)
		for k, h := range e.Inclusion {
			s.add(fmt.Sprintf("level %d", k), "%s", h)
		}
		all = append(all, s)
	}
	if e.Batch != nil {
		all = append(all, batchSection("batch", "manifest", e.Batch), anchorSection("anchor", e.Anchor, proofs.Finalized))
	}
	if h := e.Head; h != nil {
		s := section{name: "head"}
		s.add("blockNumber", "%d", h.Block.Number)
		s.add("blockHash", "%s", h.Block.Hash)
		s.add("header", "%d bytes %s", len(h.Header), clip(base64.StdEncoding.EncodeToString(h.Header)))
		s.addNodes("account", h.Account)
		s.addNodes("storage", h.Storage)
		s.add("slot", "%s (computed)", proofs.AnchorLogHeadSlot(e.Chain.Log))
		all = append(all, s)
	}
	if e.Hints != nil {
		s := section{name: "hints"}
		s.add("", "%s", oneLine(string(e.Hints), maxDetail))
		all = append(all, s)
	}
	return all
}
