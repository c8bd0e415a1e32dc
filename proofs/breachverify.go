package proofs

import (
	"errors"
	"fmt"
	"slices"
)

// VerifyHead checks that AnchorLog held the head of the log of c after the block of the header, and returns
// both. Whether the block is canonical is not its question.
func VerifyHead(p *HeadProof, c Chain) (Header, AnchorLogHead, error) {
	h, err := ParseHeader(p.Header)
	if err != nil {
		return Header{}, AnchorLogHead{}, err
	}
	switch {
	case h.Hash != p.Block.Hash:
		err = errors.New("the header does not hash to blockHash")
	case h.Number != p.Block.Number:
		err = fmt.Errorf("the header is of block %d, not %d", h.Number, p.Block.Number)
	}
	if err != nil {
		return Header{}, AnchorLogHead{}, err
	}
	word, err := VerifyStorage(h.StateRoot, c.AnchorLog, p.Account, AnchorLogHeadSlot(c.Log), p.Storage)
	if err != nil {
		return Header{}, AnchorLogHead{}, err
	}
	return h, ParseAnchorLogHead(word), nil
}

// VerifyEvidence makes every check of section 11 that needs no network. It never panics on hostile input. The
// verdict is PromiseBroken only if the file, with what o brings, proves the breach.
func VerifyEvidence(file []byte, o Options) *Report {
	r := newReport("evidence of a breach holds no message")
	e, err := ParseBreachEvidence(file)
	if err != nil {
		r.malformed("the file is not evidence of a breach", err)
		return r
	}
	r.Evidence = e
	r.set(V1, Pass, "%s, %s", evidenceFormat, e.Breach)
	r.stands(e)
	head := r.held(e)
	if at := e.Block(); at != nil {
		r.compare(*at, o)
		r.vouched()
	} else {
		r.set(V8, Skip, "a conflict needs no block")
		r.set(V10, Skip, "a conflict needs no block")
	}
	r.breach(e, head, o, r.trusted(e.Chain, o))
	r.expectNothing(o)
	r.Verdict = r.breachVerdict()
	return r
}

// Block returns the block whose hash V8 compares, hashed from the header, or nil for a Conflict.
func (e *BreachEvidence) Block() *BlockRef {
	switch {
	case e.Head != nil:
		return &BlockRef{e.Head.Block.Number, Keccak(e.Head.Header)}
	case e.Anchor != nil:
		return &BlockRef{e.Anchor.Block.Number, Keccak(e.Anchor.Header)}
	}
	return nil
}

// stands is V5: what is at the promise's index.
func (r *Report) stands(e *BreachEvidence) {
	index, b := e.Promise.Index, e.Batch
	switch {
	case e.Breach == Conflict:
		r.set(V5, Skip, "what stands at the index plays no part")
	case e.Breach == Missed:
		r.set(V5, Skip, "nothing stands at the index yet")
	case !b.Contains(index):
		r.set(V5, Fail, "index %d is not in batch %d: %d to %d", index, b.Number, b.First, b.First+b.Size-1)
	case e.Breach != Substitution:
		r.set(V5, Pass, "index %d is in batch %d: %d to %d", index, b.Number, b.First, b.First+b.Size-1)
	case VerifyInclusion(e.Inclusion, e.Leaf, index-b.First, b.Size, b.Root) != nil:
		r.set(V5, Fail, "leaf and siblings do not give the batch's root")
	case e.Leaf == e.Promise.Leaf:
		r.set(V5, Fail, "the leaf at index %d is the promised one", index)
	default:
		r.set(V5, Pass, "leaf %d of %d, %d hashes: another leaf than the promised one", index-b.First, b.Size, len(e.Inclusion))
	}
}

// held is V7: what the chain holds. It returns the log's head, for Missed.
func (r *Report) held(e *BreachEvidence) (head AnchorLogHead) {
	var h Header
	var err error
	switch e.Breach {
	case Conflict:
		r.set(V7, Skip, "a conflict needs no chain")
		return head
	case Missed:
		h, head, err = VerifyHead(e.Head, e.Chain)
	default:
		h, err = VerifyAnchor(e.Anchor, *e.Batch, e.Chain)
	}
	switch {
	case err != nil:
		r.set(V7, Fail, "%v", err)
		return head
	case e.Breach == Missed:
		r.set(V7, Pass, "the log holds %d messages at %s, %d proof nodes", head.Messages, unixUTC(h.Time), len(e.Head.Account)+len(e.Head.Storage))
	default:
		r.set(V7, Pass, "batch %d, log %d of transaction %d, %d proof nodes", e.Batch.Number, e.Anchor.LogIndex, e.Anchor.TxIndex, len(e.Anchor.Proof))
	}
	r.Header = &h
	return head
}

// breach is V12: who promised, and whether the promise was broken in the way that the file says.
func (r *Report) breach(e *BreachEvidence, head AnchorLogHead, o Options, trusted *TrustedLog) {
	status, why := signed(&e.Promise, e.Chain, o, trusted)
	if e.Second != nil {
		if s, w := signed(e.Second, e.Chain, o, trusted); status != Fail && s != Pass {
			status, why = s, "second: "+w
		}
	}
	broken, err := e.broken(r.Header, head)
	switch {
	case status == Fail:
		r.set(V12, Fail, "%s", why)
	case e.Breach != Conflict && (r.Checks[V5].Status == Fail || r.Header == nil):
		r.set(V12, Unknown, "V5 and V7 must hold to tell")
	case err != nil:
		r.set(V12, Fail, "no breach: %v", err)
	case status == Unknown:
		r.set(V12, Unknown, "%s", why)
	case e.Breach == Withheld:
		r.set(V12, Unknown, "signed, and anchored in time; no file can show that nobody has what is in the batch: hansard promise challenge has the bond ask for it")
	default:
		r.broken = true
		r.set(V12, Fail, "broken: %s", broken)
	}
}

// broken says in words how the promise was broken, or returns why it was not. h is that of V7, nil if V7 did not pass.
func (e *BreachEvidence) broken(h *Header, head AnchorLogHead) (how string, err error) {
	p := &e.Promise
	switch {
	case e.Breach == Conflict && p.Leaf == e.Second.Leaf:
		return "", errors.New("both promise the same leaf")
	case e.Breach == Conflict:
		return fmt.Sprintf("two leaves were promised at index %d", p.Index), nil
	case h == nil:
		return "", ErrProof
	case e.Breach == Missed && h.Time <= p.Deadline:
		return "", fmt.Errorf("the deadline, %s, was not over in block %d", unixUTC(p.Deadline), h.Number)
	case e.Breach == Missed && head.Messages > p.Index:
		return "", fmt.Errorf("the log had reached index %d in block %d", p.Index, h.Number)
	case e.Breach == Missed:
		return fmt.Sprintf("%s after the deadline the log had not reached index %d", seconds(h.Time-p.Deadline), p.Index), nil
	case e.Breach == Substitution:
		return fmt.Sprintf("another leaf stands at index %d", p.Index), nil
	case e.Breach == Late && h.Time <= p.Deadline:
		return "", errors.New("the batch was anchored in time")
	case e.Breach == Late:
		return fmt.Sprintf("anchored %s after the deadline", seconds(h.Time-p.Deadline)), nil
	case h.Time > p.Deadline:
		return "", errors.New("the batch was anchored after the deadline, which is the breach late")
	}
	return "", nil
}

// expectNothing leaves open what the verifier asked for: evidence names no author, no room and no fold.
func (r *Report) expectNothing(o Options) {
	for _, e := range []Expectation{{"author", string(o.ExpectAuthor), Unknown}, {"room", string(o.ExpectRoom), Unknown}} {
		if e.Want != "" {
			r.Expectations = append(r.Expectations, e)
		}
	}
	if !o.FoldBlockHash.IsZero() {
		r.Expectations = append(r.Expectations, Expectation{"fold", o.FoldBlockHash.String(), Unknown})
	}
}

func (r *Report) breachVerdict() Verdict {
	is := func(s Status, checks ...int) bool {
		return slices.ContainsFunc(checks, func(i int) bool { return r.Checks[i].Status == s })
	}
	switch {
	case is(Fail, V1, V5, V7, V8) || is(Fail, V12) && !r.broken:
		return Invalid
	case is(Fail, V9):
		return Mismatch
	case is(Unknown, V8, V9, V10, V12) || len(r.Expectations) > 0 || !r.broken:
		return Undetermined
	}
	return PromiseBroken
}
