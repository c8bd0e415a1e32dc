package proofs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// EvidenceMediaType is the media type of a file with evidence of a breach.
const EvidenceMediaType = "application/vnd.hansard.evidence.v1+json"

// EvidenceSuffix ends the name of such a file.
const EvidenceSuffix = ".evidence.json"

const evidenceFormat = "hansard-evidence/1"

// BreachEvidence is a decoded file that shows how a promise was broken. It is untrusted: only
// VerifyEvidence says what it proves. Each breach has its own fields, and the others are nil.
type BreachEvidence struct {
	Breach    Breach
	Chain     Chain
	Promise   Promise         // its Log is Chain.Log
	Second    *Promise        // Conflict: of the same log and index
	Batch     *Batch          // Substitution, Late and Withheld: over the index
	Anchor    *Anchor         // of Batch, with Header and Proof
	Leaf      Hash            // Substitution: what stands at the index
	Inclusion []Hash          // of Leaf in Batch
	Head      *HeadProof      // Missed
	Hints     json.RawMessage // an object, or nil; never used for a decision
}

// HeadProof is what AnchorLog held of a log after a block, as eth_getProof shows it.
type HeadProof struct {
	Block   BlockRef
	Header  []byte   // RLP, as hashed
	Account [][]byte // trie nodes from the state root to AnchorLog's account
	Storage [][]byte // trie nodes from its storage root to AnchorLogHeadSlot, or to where that is absent; may be empty
}

// IsEvidence reports whether a file says that it is evidence of a breach, and not a receipt. It judges nothing.
func IsEvidence(file []byte) bool {
	d := json.NewDecoder(bytes.NewReader(file))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil {
			return false
		}
		if key == "format" {
			var format string
			return json.Unmarshal(v, &format) == nil && format == evidenceFormat
		}
	}
	return false
}

// ParseBreachEvidence decodes evidence of a breach strictly: section 11 of the format.
func ParseBreachEvidence(b []byte) (*BreachEvidence, error) {
	if len(b) > MaxReceipt {
		return nil, fmt.Errorf("evidence: %d bytes are over the limit of %d", len(b), MaxReceipt)
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	r := newReader(v, "")
	if f := r.string("format"); r.err == nil && f != evidenceFormat {
		r.fail("format", "want %s, got %.40q", evidenceFormat, f)
	}
	e := &BreachEvidence{Breach: readBreach(r), Chain: readChain(r.object("chain"), r)}
	readPromises(r, e)
	switch e.Breach {
	case Missed:
		e.Head = readHeadProof(r.object("head"), r)
	case Substitution:
		e.Leaf, e.Inclusion = r.hash("leaf"), r.hashes("inclusion", 32)
		fallthrough
	case Late, Withheld:
		e.Batch, e.Anchor = readBatch(r.object("batch"), r), readAnchor(r.object("anchor"), r, Finalized)
	}
	if r.has("hints") {
		if _, ok := r.get("hints").(object); !ok {
			r.fail("hints", "want an object")
		}
	}
	if err := r.close(); err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	if r.has("hints") {
		e.Hints, err = rawField(b, "hints")
	}
	if err == nil {
		err = e.consistent()
	}
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	return e, nil
}

// consistent checks what V1 asks beyond the shape.
func (e *BreachEvidence) consistent() error {
	if e.Promise.Log != e.Chain.Log {
		return errors.New("promise: not of the log of chain")
	}
	if s := e.Second; s != nil && (s.Log != e.Promise.Log || s.Index != e.Promise.Index) {
		return errors.New("second: not of the log and index of the promise")
	}
	if b := e.Batch; b != nil && (b.Size == 0 || b.First > math.MaxUint64-b.Size) {
		return errors.New("batch: size and first are out of range")
	}
	return nil
}

func readBreach(r *reader) Breach {
	b, err := ParseBreach(r.string("breach"))
	if err != nil {
		r.fail("breach", "%w", err)
	}
	return b
}

func readPromises(r *reader, e *BreachEvidence) {
	o := r.object("promise")
	log, index := e.Chain.Log, o.uint("index", math.MaxUint64)
	e.Promise = *readPromiseOf(o, r, log, index)
	if e.Breach == Conflict {
		e.Second = readPromiseOf(r.object("second"), r, log, index)
	}
}

func readPromiseOf(o, parent *reader, log Hash, index uint64) *Promise {
	p := &Promise{
		Log: log, Index: index, Leaf: o.hash("leaf"),
		Deadline: o.uint("deadline", math.MaxUint64), Beneficiary: o.address("beneficiary"),
	}
	o.bytes("signature", p.Signature[:])
	parent.sub(o)
	return p
}

func readHeadProof(o, parent *reader) *HeadProof {
	h := &HeadProof{
		Block:  BlockRef{o.uint("blockNumber", math.MaxUint64), o.hash("blockHash")},
		Header: o.base64("header", o.get("header"), maxHeader), Account: readNodes(o, "account"), Storage: readNodes(o, "storage"),
	}
	if o.err == nil && (len(h.Header) == 0 || len(h.Account) == 0) {
		o.fail("account", "header and account must not be empty")
	}
	parent.sub(o)
	return h
}

// readNodes reads the nodes of a trie, none of them empty.
func readNodes(o *reader, key string) (nodes [][]byte) {
	for _, v := range o.array(key, maxProofNodes) {
		nodes = append(nodes, o.base64(key, v, maxNode))
	}
	if o.err == nil && slices.ContainsFunc(nodes, func(b []byte) bool { return len(b) == 0 }) {
		o.fail(key, "a node is empty")
	}
	return nodes
}

// Format returns the evidence as a file: indented by two spaces, with a final newline. It panics if it is not
// evidence that ParseBreachEvidence could return.
func (e *BreachEvidence) Format() []byte {
	if err := e.consistent(); err != nil {
		panic("proofs: format evidence: " + err.Error())
	}
	w := &writer{}
	w.open("")
	w.text("format", evidenceFormat).text("breach", e.Breach.String()).chain(e.Chain)
	w.open("promise").uint("index", e.Promise.Index).promise(&e.Promise)
	if e.Breach == Conflict {
		w.open("second").promise(e.Second)
	}
	switch e.Breach {
	case Missed:
		w.head(e.Head)
	case Substitution:
		w.text("leaf", e.Leaf.String()).hashes("inclusion", e.Inclusion)
		fallthrough
	case Late, Withheld:
		w.batch(e.Batch).anchor(e.Anchor, Finalized)
	}
	if e.Hints != nil {
		w.raw("hints", compact(e.Hints))
	}
	w.close()
	return append(w.b, '\n')
}

func (w *writer) chain(c Chain) *writer {
	w.open("chain").uint("chainId", c.ChainID).text("anchorLog", c.AnchorLog.String())
	return w.text("promiseBond", c.PromiseBond.String()).text("log", c.Log.String()).close()
}

func (w *writer) promise(p *Promise) *writer {
	w.text("leaf", p.Leaf.String()).uint("deadline", p.Deadline).text("beneficiary", p.Beneficiary.String())
	return w.text("signature", fmt.Sprintf("0x%x", p.Signature[:])).close()
}

func (w *writer) head(h *HeadProof) *writer {
	w.open("head").uint("blockNumber", h.Block.Number).text("blockHash", h.Block.Hash.String())
	w.text("header", base64.StdEncoding.EncodeToString(h.Header))
	return w.nodes("account", h.Account).nodes("storage", h.Storage).close()
}

func (w *writer) nodes(key string, nodes [][]byte) *writer {
	items := make([]string, len(nodes))
	for i, n := range nodes {
		items[i] = base64.StdEncoding.EncodeToString(n)
	}
	return w.list(key, items)
}
