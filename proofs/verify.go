package proofs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is the outcome of one check.
type Status string

// The four outcomes. Skip means that the check does not apply, Unknown that it could not be made.
const (
	Pass    Status = "pass"
	Fail    Status = "fail"
	Skip    Status = "skip"
	Unknown Status = "unknown"
)

// Check is one line of a report. The detail of Skip and Unknown is the reason.
type Check struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	Detail string `json:"detail"`
}

// The checks, by position in Report.Checks.
const (
	V1 = iota
	V2
	V3
	V4
	V5
	V6
	V7
	V8
	V9
	V10
	V11
	V12
	V13
	checkCount
)

var checkNames = [checkCount]string{
	"format", "content", "author", "gate", "inclusion", "order",
	"anchor", "block", "trusted", "finality", "payload", "promise", "fold",
}

// Verdict sums up the checks.
type Verdict string

// The verdicts; Exit has their exit codes.
const (
	Valid         Verdict = "VALID"
	Invalid       Verdict = "INVALID"
	NotFinal      Verdict = "NOT FINAL"
	Undetermined  Verdict = "UNDETERMINED"
	Mismatch      Verdict = "MISMATCH"
	PromiseBroken Verdict = "PROMISE BROKEN"
)

// Exit returns the exit code of the verdict, one table for every program.
func (v Verdict) Exit() int {
	switch v {
	case Valid:
		return 0
	case NotFinal:
		return 11
	case Undetermined:
		return 12
	case Mismatch:
		return 13
	case PromiseBroken:
		return 14
	}
	return 10
}

// Worse reports whether v counts before w when several files are judged together.
func (v Verdict) Worse(w Verdict) bool {
	order := []Verdict{Valid, PromiseBroken, NotFinal, Undetermined, Mismatch, Invalid}
	return slices.Index(order, v) > slices.Index(order, w)
}

// Options is what a verifier brings itself. The zero Options trusts nothing.
type Options struct {
	Trust        *Trust // nil: no trust file
	BlockHash    Hash   // of the block with the anchor, from a source that the verifier trusts; zero: none
	ExpectAuthor Author // empty: no expectation
	ExpectRoom   Room   // empty: no expectation
	// FoldBlockHash is of the block with the fold's anchor, from a source that the verifier trusts. Who
	// gives it expects a fold. Zero: none.
	FoldBlockHash Hash
	// Now is the verifier's clock, in seconds since 1970 UTC: a promise below Finalized is no longer open once its
	// deadline has passed. Zero: no clock, and it counts as open.
	Now uint64
}

// Expectation is the outcome of one thing that the verifier asked for.
type Expectation struct {
	Name   string `json:"name"`
	Want   string `json:"want"`
	Status Status `json:"status"`
}

// Report is what Verify found.
type Report struct {
	Verdict      Verdict
	Checks       [checkCount]Check
	Expectations []Expectation
	Receipt      *Receipt        // nil when V1 failed, and for evidence; untrusted unless the verdict says otherwise
	Evidence     *BreachEvidence // of VerifyEvidence; nil when V1 failed; untrusted unless the verdict says otherwise
	Header       *Header         // nil unless V7 passed
	FoldHeader   *Header         // of the other chain's block; nil unless V13 passed
	broken       bool            // V12 failed only because the promise was broken
}

// Verified returns the receipt if the verdict is Valid, and otherwise an error with the verdict and
// the first check behind it.
func (r *Report) Verified() (*Receipt, error) {
	if r.Verdict == Valid {
		return r.Receipt, nil
	}
	for _, status := range []Status{Fail, Unknown} {
		for _, c := range r.Checks {
			if c.Status == status {
				return nil, fmt.Errorf("%s: %s %s: %s", r.Verdict, c.ID, c.Name, c.Detail)
			}
		}
	}
	return nil, errors.New(string(r.Verdict))
}

// Verify makes every check of section 10 that needs no network. It never panics on hostile input.
func Verify(file []byte, o Options) *Report {
	r := newReport("")
	rc, err := ParseReceipt(file)
	if err != nil {
		r.malformed("the file is not a receipt", err)
		return r
	}
	r.Receipt = rc
	r.set(V1, Pass, "%s, %s", receiptFormat, rc.Level)
	r.content(rc)
	r.author(rc)
	r.set(V4, Skip, "version 1 receipts name no gate")
	r.inclusion(rc)
	r.order(rc)
	r.anchor(rc)
	r.block(rc, o)
	trusted := r.trusted(rc.Chain, o)
	r.finality(rc, o)
	r.set(V11, Skip, "no payload was given")
	r.promise(rc, o, trusted)
	r.fold(rc, o)
	r.expect(rc, o)
	r.Verdict = r.verdict(rc)
	return r
}

// newReport returns a report whose checks are skipped for that reason until they are made.
func newReport(skipped string) *Report {
	r := &Report{}
	for i := range r.Checks {
		r.Checks[i] = Check{fmt.Sprintf("V%d", i+1), checkNames[i], Skip, skipped}
	}
	return r
}

// malformed is the report on a file that cannot be read.
func (r *Report) malformed(skipped string, err error) {
	for i := range r.Checks {
		r.set(i, Skip, "%s", skipped)
	}
	r.set(V1, Fail, "%v", err)
	r.Verdict = Invalid
}

func (r *Report) set(i int, s Status, format string, args ...any) {
	r.Checks[i].Status, r.Checks[i].Detail = s, fmt.Sprintf(format, args...)
}

func (r *Report) content(rc *Receipt) {
	m := rc.Message
	if m == nil {
		r.set(V2, Skip, "the message is not disclosed")
		return
	}
	switch {
	case rc.Chain.MessageDomain().MessageID(m) != rc.Entry.Message:
		r.set(V2, Fail, "the message does not hash to the signed id")
	case m.Room.Tag() != rc.Entry.Room:
		r.set(V2, Fail, "the room is not the entry's")
	case m.Author.Commit(m.Salt) != rc.Entry.Author:
		r.set(V2, Fail, "the author is not the entry's")
	default:
		r.set(V2, Pass, "message %s", rc.Entry.Message)
	}
}

func (r *Report) author(rc *Receipt) {
	if rc.Message == nil {
		r.set(V3, Skip, "the message is not disclosed")
		return
	}
	e := *rc.Evidence
	if e.Hash() != rc.Entry.Evidence {
		r.set(V3, Fail, "the evidence is not the entry's")
		return
	}
	if classes, known := classesOf(e.Scheme); known && !slices.Contains(classes, rc.Entry.Vouch) {
		r.set(V3, Fail, "scheme %s cannot stand for class %d", e.Scheme, rc.Entry.Vouch)
		return
	}
	vouch, err := CheckEvidence(rc.Entry.Message, rc.Message.Author, e, Recover)
	switch {
	case errors.Is(err, ErrScheme):
		r.set(V3, Unknown, "scheme %s is not checked by this version", e.Scheme)
	case err != nil:
		r.set(V3, Fail, "%v", err)
	default:
		r.set(V3, Pass, "%s, class %d: %s", e.Scheme, vouch, vouch)
	}
}

func classesOf(scheme string) ([]Vouch, bool) {
	if strings.HasPrefix(scheme, "webhook:") {
		return []Vouch{VouchPlatform}, true
	}
	classes, known := schemeClasses[scheme]
	return classes, known
}

func (r *Report) inclusion(rc *Receipt) {
	if rc.Batch == nil {
		r.set(V5, Skip, "not in a batch yet")
		return
	}
	e, b := rc.Entry, *rc.Batch
	if !b.Contains(e.Index) {
		r.set(V5, Fail, "index %d is not in batch %d: %d to %d", e.Index, b.Number, b.First, b.First+b.Size-1)
		return
	}
	if err := VerifyInclusion(rc.Inclusion, e.Leaf(), e.Index-b.First, b.Size, b.Root); err != nil {
		r.set(V5, Fail, "leaf and siblings do not give the batch's root")
		return
	}
	r.set(V5, Pass, "leaf %d of %d, %d hashes", e.Index-b.First, b.Size, len(rc.Inclusion))
}

func (r *Report) order(rc *Receipt) {
	e := rc.Entry
	if (e.RoomIndex == 0) != e.RoomPrev.IsZero() || e.RoomIndex > e.Index {
		r.set(V6, Fail, "room index %d, index %d and the previous leaf contradict each other", e.RoomIndex, e.Index)
		return
	}
	r.set(V6, Skip, "no neighbour or room index was given to compare with")
}

func (r *Report) anchor(rc *Receipt) {
	switch rc.Level {
	case Promised:
		r.set(V7, Skip, "not anchored yet")
	case Included:
		r.set(V7, Unknown, "the proof is frozen into the file at finality")
	case Finalized:
		h, err := VerifyAnchor(rc.Anchor, *rc.Batch, rc.Chain)
		if err != nil {
			r.set(V7, Fail, "%v", err)
			return
		}
		r.Header = &h
		r.set(V7, Pass, "batch %d, log %d of transaction %d, %d proof nodes",
			rc.Batch.Number, rc.Anchor.LogIndex, rc.Anchor.TxIndex, len(rc.Anchor.Proof))
	}
}

func (r *Report) block(rc *Receipt, o Options) {
	if rc.Anchor == nil {
		r.set(V8, Skip, "not anchored yet")
		return
	}
	block := rc.Anchor.Block
	if rc.Level == Finalized {
		block.Hash = Keccak(rc.Anchor.Header)
	}
	r.compare(block, o)
}

// compare holds the block of the file against the hash that the verifier brought.
func (r *Report) compare(block BlockRef, o Options) {
	switch o.BlockHash {
	case Hash{}:
		r.set(V8, Unknown, "you gave no block hash; block %d must have the hash %s", block.Number, block.Hash)
	case block.Hash:
		r.set(V8, Pass, "block %d has the hash that you gave", block.Number)
	default:
		r.set(V8, Fail, "block %d of the file has the hash %s, not the one that you gave", block.Number, block.Hash)
	}
}

func (r *Report) trusted(c Chain, o Options) *TrustedLog {
	if o.Trust == nil {
		r.set(V9, Unknown, "you gave no trust file")
		return nil
	}
	l := o.Trust.Find(c)
	if l == nil {
		r.set(V9, Fail, "chain, contracts and log are not in your trust file")
		return nil
	}
	r.set(V9, Pass, "log %q of your trust file", l.Name)
	return l
}

func (r *Report) finality(rc *Receipt, o Options) {
	switch {
	case rc.Level == Promised:
		r.set(V10, Unknown, "not anchored yet")
	case rc.Level == Included:
		r.set(V10, Unknown, "in a block, not known to be final")
	default:
		r.vouched()
	}
}

// vouched says whether the verifier stands for the block.
func (r *Report) vouched() {
	if r.Checks[V8].Status == Pass {
		r.set(V10, Pass, "you vouch for the block by its hash")
		return
	}
	r.set(V10, Unknown, "nothing here says that the block is final")
}

func (r *Report) promise(rc *Receipt, o Options, trusted *TrustedLog) {
	p := rc.Promise
	if p == nil {
		r.set(V12, Skip, "no promise in the file")
		return
	}
	status, why := signed(p, rc.Chain, o, trusted)
	switch {
	case status != Pass:
		r.set(V12, status, "%s", why)
	case rc.Level < Finalized && o.Now > p.Deadline:
		r.set(V12, Unknown, "signed; the deadline passed %s ago: hansard promise check asks the chain whether it was kept", seconds(o.Now-p.Deadline))
	case rc.Level < Finalized:
		r.set(V12, Pass, "signed; open until %s", unixUTC(p.Deadline))
	case r.Header == nil:
		r.set(V12, Unknown, "signed; whether it was kept cannot be told without the anchor")
	case rc.Batch.Time > p.Deadline:
		r.broken = true
		r.set(V12, Fail, "broken: anchored %s after the deadline", seconds(rc.Batch.Time-p.Deadline))
	default:
		r.set(V12, Pass, "kept: anchored %s before the deadline", seconds(p.Deadline-rc.Batch.Time))
	}
}

// signed says whether a promise key of the trusted log signed the promise, and why not.
func signed(p *Promise, c Chain, o Options, trusted *TrustedLog) (s Status, why string) {
	signer, err := Recover(c.PromiseDomain().PromiseDigest(p), p.Signature)
	switch {
	case err != nil:
		return Fail, err.Error()
	case o.Trust == nil:
		return Unknown, "you gave no trust file to say which promise keys count"
	case trusted == nil:
		return Unknown, "the log is not in your trust file"
	case !slices.Contains(trusted.PromiseKeys, signer):
		return Fail, "not signed by a promise key of the log"
	}
	return Pass, ""
}

// fold checks the second anchor. What is open there leaves the first as it is: unknown changes no
// verdict unless the verifier asked for the fold.
func (r *Report) fold(rc *Receipt, o Options) {
	f := rc.Fold
	if f == nil {
		r.set(V13, Skip, "the receipt carries none")
		return
	}
	h, err := VerifyFold(f, *rc.Batch, rc.Anchor.Block)
	says := fmt.Sprintf("the batch is among %d that log %s of chain %d named", f.Head.Batches, f.Log, f.ChainID)
	switch {
	case err != nil:
		r.set(V13, Fail, "%v", err)
	case !o.FoldBlockHash.IsZero() && o.FoldBlockHash != h.Hash:
		r.set(V13, Fail, "block %d of the fold has the hash %s, not the one that you gave", h.Number, h.Hash)
	case o.Trust == nil:
		r.set(V13, Unknown, "%s; you gave no trust file to say whether that log counts", says)
	case !o.Trust.names(f.Place):
		r.set(V13, Unknown, "%s; that log is not in your trust file", says)
	case o.FoldBlockHash.IsZero():
		r.set(V13, Unknown, "%s; you gave no hash of the fold's block: block %d of chain %d must have the hash %s", says, h.Number, f.ChainID, h.Hash)
	default:
		r.FoldHeader = &h
		r.set(V13, Pass, "%s no later than %s, in block %d, which you vouch for by its hash", says, unixUTC(h.Time), h.Number)
	}
}

// expect holds the receipt to what the verifier asked for. An author is only confirmed by somebody's
// key: what a platform or nobody vouches for (classes 5 and 6) stays open.
func (r *Report) expect(rc *Receipt, o Options) {
	add := func(name, want string, open, holds bool) {
		status := Fail
		switch {
		case open:
			status = Unknown
		case holds:
			status = Pass
		}
		r.Expectations = append(r.Expectations, Expectation{name, want, status})
	}
	if o.ExpectAuthor != "" {
		known := rc.Message != nil
		holds := known && rc.Message.Author == o.ExpectAuthor
		add("author", string(o.ExpectAuthor), !known || holds && rc.Entry.Vouch >= VouchPlatform, holds)
	}
	if o.ExpectRoom != "" {
		add("room", string(o.ExpectRoom), false, o.ExpectRoom.Tag() == rc.Entry.Room)
	}
	if !o.FoldBlockHash.IsZero() {
		fold := r.Checks[V13].Status
		add("fold", o.FoldBlockHash.String(), fold == Unknown, fold == Pass)
	}
}

func (r *Report) verdict(rc *Receipt) Verdict {
	is := func(s Status, checks ...int) bool {
		return slices.ContainsFunc(checks, func(i int) bool { return r.Checks[i].Status == s })
	}
	expected := func(s Status) bool {
		return slices.ContainsFunc(r.Expectations, func(e Expectation) bool { return e.Status == s })
	}
	switch {
	case is(Fail, V1, V2, V3, V4, V5, V6, V7, V8, V10, V11, V13) || is(Fail, V12) && !r.broken:
		return Invalid
	case is(Fail, V9) || expected(Fail):
		return Mismatch
	case rc.Level < Finalized:
		return NotFinal
	case is(Unknown, V3, V7, V8, V9, V10) || expected(Unknown):
		return Undetermined
	case r.broken:
		return PromiseBroken
	}
	return Valid
}

// unixUTC formats seconds since 1970 as RFC 3339. Times beyond year 9999 are shown as the number.
func unixUTC(s uint64) string {
	const year10000 = 253402300800
	if s >= year10000 {
		return fmt.Sprintf("second %d", s)
	}
	return time.Unix(int64(s), 0).UTC().Format(time.RFC3339)
}

// seconds formats a span without overflowing time.Duration.
func seconds(s uint64) string {
	if s > 1<<31 {
		return fmt.Sprintf("%d s", s)
	}
	return (time.Duration(s) * time.Second).String()
}
