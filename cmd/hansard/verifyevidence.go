package main

import (
	"fmt"
	"io"

	"github.com/hansard-dao/hansard/proofs"
)

// evidenceClaims is what a file of evidence says.
type evidenceClaims struct {
	Breach      string         `json:"breach"`
	Index       uint64         `json:"index,string"`
	Leaf        proofs.Hash    `json:"leaf"`                // promised
	OtherLeaf   *proofs.Hash   `json:"otherLeaf,omitempty"` // promised too, or what stands there
	Deadline    uint64         `json:"deadline,string"`     // seconds
	Beneficiary proofs.Address `json:"beneficiary"`
}

func evidenceClaimsOf(e *proofs.BreachEvidence) evidenceClaims {
	p := e.Promise
	return evidenceClaims{e.Breach.String(), p.Index, p.Leaf, otherLeaf(e), p.Deadline, p.Beneficiary}
}

// otherLeaf returns what the promised leaf has to share its index with, nil if nothing.
func otherLeaf(e *proofs.BreachEvidence) *proofs.Hash {
	switch e.Breach {
	case proofs.Conflict:
		return &e.Second.Leaf
	case proofs.Substitution:
		return &e.Leaf
	}
	return nil
}

// breachWords says what each breach is.
var breachWords = map[proofs.Breach]string{
	proofs.Conflict:     "two leaves were promised at one index",
	proofs.Substitution: "another leaf stands at the index",
	proofs.Missed:       "the deadline passed and the log had not reached the index",
	proofs.Late:         "the batch over the index was anchored after the deadline",
	proofs.Withheld:     "the batch over the index was anchored, and nobody shows what is in it",
}

func (v *verifier) printEvidence(w io.Writer, r *proofs.Report) {
	e := r.Evidence
	switch r.Verdict {
	case proofs.PromiseBroken:
	case proofs.Invalid:
		fmt.Fprintln(w, "  This file FAILED. What follows is what it claims:")
	default:
		fmt.Fprintln(w, "  What follows is what the file claims:")
	}
	signer := "nobody: the signature is malformed"
	if a := signerOf(e.Chain, &e.Promise); a != nil {
		signer = a.String()
	}
	fmt.Fprintf(w, "  WHO    promised and signed by %s\n", signer)
	fmt.Fprintf(w, "  WHAT   %s: %s\n", e.Breach, breachWords[e.Breach])
	fmt.Fprintf(w, "  WHERE  %s\n", entryOf(r, v.options.Trust, e.Chain, e.Promise.Index))
	fmt.Fprintf(w, "  LEAF   %s, promised by %s\n", e.Promise.Leaf, secondsUTC(e.Promise.Deadline))
	if other := otherLeaf(e); other != nil {
		fmt.Fprintf(w, "  OTHER  %s\n", other)
	}
	if r.Header != nil {
		fmt.Fprintf(w, "  WHEN   as of block %d of %s\n", r.Header.Number, secondsUTC(r.Header.Time))
	}
	fmt.Fprintf(w, "  FOR    beneficiary %s\n", e.Promise.Beneficiary)
}

// provenBreach is what follows the verdict on evidence that proves its breach.
func provenBreach(path string, r *proofs.Report) string {
	s := ". This file proves it, whoever gave it to you.\n" + firstFail(r) + "."
	if !r.Evidence.Chain.PromiseBond.IsZero() && path != "-" {
		s += "\nHave the bond pay for it:  hansard promise slash " + shellQuote(path)
	}
	return s
}

// openEvidence says what leaves evidence open, beside a trust file and a block hash.
func openEvidence(path string, r *proofs.Report) (s string) {
	if len(r.Expectations) > 0 {
		s += "\nEvidence of a breach names no author, no room and no fold, so it cannot be compared with what you expect."
	}
	if e := r.Evidence; e.Breach == proofs.Withheld && r.Checks[proofs.V9].Status == proofs.Pass {
		s += "\nNo file can show that nobody has what is in the batch. The bond can ask for it, and takes silence for an answer:\n" +
			"  hansard promise challenge " + shellQuote(path)
	}
	return s
}

var promiseWords = [6]string{"H(Promise type)", "log", "index", "leaf", "deadline", "beneficiary"}

// promiseType is the type text of section 8 of the format; TestExplainEvidence holds the digest computed here
// against proofs.
const promiseType = "Promise(bytes32 log,uint256 index,bytes32 leaf,uint256 deadline,address beneficiary)"

// explainEvidence prints the arithmetic of promises, path, root and block of evidence, hash by hash. It judges
// nothing: the checks do.
func explainEvidence(w io.Writer, e *proofs.BreachEvidence) {
	fmt.Fprintln(w, "\nThe arithmetic (H is keccak256, || joins bytes):")
	explainPromise(w, "promise", e.Chain, &e.Promise)
	if e.Second != nil {
		explainPromise(w, "second", e.Chain, e.Second)
	}
	switch {
	case e.Breach == proofs.Substitution:
		explainPath(w, place{e.Leaf, e.Promise.Index, e.Batch, e.Inclusion})
		explainBlock(w, e.Anchor)
	case e.Anchor != nil:
		explainBlock(w, e.Anchor)
	case e.Head != nil:
		explainHead(w, e)
	}
}

// explainPromise prints the words of the signed struct and returns the digest computed from them.
func explainPromise(w io.Writer, name string, c proofs.Chain, p *proofs.Promise) proofs.Hash {
	var beneficiary proofs.Hash
	copy(beneficiary[12:], p.Beneficiary[:])
	fmt.Fprintf(w, "  %s: EIP-712, six words\n", name)
	var joined []byte
	for i, h := range [...]proofs.Hash{text(promiseType), p.Log, uintWord(p.Index), p.Leaf, uintWord(p.Deadline), beneficiary} {
		word(w, promiseWords[i], h)
		joined = append(joined, h[:]...)
	}
	domain, structHash := proofs.Hash(c.PromiseDomain()), proofs.Keccak(joined)
	digest := proofs.Keccak([]byte{0x19, 0x01}, domain[:], structHash[:])
	word(w, "struct = H(words)", structHash)
	fmt.Fprintf(w, "    domain of (Hansard, 1, chain %d, contract %s)\n", c.ChainID, c.PromiseBond)
	word(w, "domain", domain)
	word(w, "H(0x1901||domain||struct)", digest)
	if a := signerOf(c, p); a != nil {
		fmt.Fprintf(w, "    %-22s %s\n", "signature recovers", a)
	}
	return digest
}

// explainHead prints the way from a block's state root to the log's head.
func explainHead(w io.Writer, e *proofs.BreachEvidence) {
	fmt.Fprintf(w, "  block: the header, %d bytes\n", len(e.Head.Header))
	word(w, "H(header)", proofs.Keccak(e.Head.Header))
	equal(w, "head.blockHash", proofs.Keccak(e.Head.Header), e.Head.Block.Hash)
	h, err := proofs.ParseHeader(e.Head.Header)
	if err != nil {
		fmt.Fprintf(w, "    %v\n", err)
		return
	}
	fmt.Fprintf(w, "    number %d, time %d\n", h.Number, h.Time)
	word(w, "state root", h.StateRoot)
	fmt.Fprintln(w, "  account: the state trie's nodes on the way to AnchorLog")
	word(w, "H(anchorLog)", proofs.Keccak(e.Chain.AnchorLog[:]))
	explainTrie(w, e.Head.Account, "the state root", h.StateRoot)
	slot := proofs.AnchorLogHeadSlot(e.Chain.Log)
	fmt.Fprintln(w, "  head: the nodes of its storage on the way to the log's head")
	word(w, "slot = H(log || 0)", slot)
	word(w, "H(slot)", proofs.Keccak(slot[:]))
	for i, node := range e.Head.Storage {
		word(w, fmt.Sprintf("H(node %d, %d bytes)", i, len(node)), proofs.Keccak(node))
	}
	_, head, err := proofs.VerifyHead(e.Head, e.Chain)
	if err != nil {
		fmt.Fprintf(w, "    %v\n", err)
		return
	}
	fmt.Fprintf(w, "    submitter %s, %d batches, %d messages\n", head.Submitter, head.Batches, head.Messages)
}
