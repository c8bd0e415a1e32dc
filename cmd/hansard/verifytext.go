package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// words are the four outcomes as text reports print them.
var words = map[proofs.Status]string{
	proofs.Pass: "PASS", proofs.Fail: "FAIL", proofs.Skip: "SKIP", proofs.Unknown: "????",
}

// maxDetail bounds what a line takes from a file, in characters.
const maxDetail = 300

func (v *verifier) printText(w io.Writer, path string, r *proofs.Report) {
	fmt.Fprintln(w, oneLine(path, maxDetail))
	if rc := r.Receipt; rc != nil {
		if r.Verdict == proofs.Invalid {
			fmt.Fprintln(w, "  This file FAILED. WHO, WHAT, WHERE and WHEN are what it claims:")
		}
		fmt.Fprintf(w, "  WHO    %s\n", who(r))
		fmt.Fprintf(w, "  WHAT   %s\n", what(rc.Message))
		fmt.Fprintf(w, "  WHERE  %s\n", where(r, v.options.Trust))
		fmt.Fprintf(w, "  WHEN   %s\n", when(r))
	}
	if r.Evidence != nil {
		v.printEvidence(w, r)
	}
	for _, c := range r.Checks {
		fmt.Fprintf(w, "  %-3s %-10s %s  %s\n", c.ID, c.Name, words[c.Status], oneLine(c.Detail, maxDetail))
	}
	if r.Verdict != proofs.Invalid && r.Receipt != nil {
		fmt.Fprintf(w, "  Proven: %s\n", proven(r))
	}
	fmt.Fprintf(w, "%s (exit %d)%s\n", r.Verdict, r.Verdict.Exit(), v.meaning(path, r))
	fmt.Fprintf(w, "Trust basis: %s; not checked: %s\n",
		strings.Join(r.Relied(), "; "), strings.Join(r.NotChecked(), ", "))
	fmt.Fprintf(w, "Asserted by you: %s\n", asserted(r))
}

func who(r *proofs.Report) string {
	m := r.Receipt.Message
	if m == nil {
		return "not disclosed"
	}
	author, class := oneLine(string(m.Author), maxDetail), r.Receipt.Entry.Vouch
	content, check := r.Checks[proofs.V2].Status, r.Checks[proofs.V3].Status
	switch {
	case content == proofs.Fail || check == proofs.Fail:
		return author + "  (claimed; it does not hold)"
	case check != proofs.Pass:
		return fmt.Sprintf("%s  (claimed; class %d, %s; not checked)", author, class, class)
	case class == proofs.VouchNobody:
		return author + "  (class 6: NOBODY VOUCHES for this name; an importer wrote down what it saw)"
	}
	return fmt.Sprintf("%s  (class %d: %s)", author, class, class)
}

func what(m *proofs.Message) string {
	if m == nil {
		return "not disclosed"
	}
	s := `"` + oneLine(m.Body, maxDetail) + `"`
	if m.Kind != "text/plain" {
		s += "  " + m.Kind
	}
	if !m.Replaces.IsZero() {
		s += "  replaces " + m.Replaces.String()
	}
	if !m.ReplyTo.IsZero() {
		s += "  in reply to " + m.ReplyTo.String()
	}
	return s
}

func where(r *proofs.Report, trust *proofs.Trust) string {
	rc, room := r.Receipt, "room not disclosed"
	if rc.Message != nil {
		room = string(rc.Message.Room)
	}
	return room + ", " + entryOf(r, trust, rc.Chain, rc.Entry.Index)
}

// entryOf names an entry and its log.
func entryOf(r *proofs.Report, trust *proofs.Trust, c proofs.Chain, index uint64) string {
	if r.Checks[proofs.V9].Status == proofs.Pass {
		return fmt.Sprintf("entry %d of your trusted log %q, chain %d", index, oneLine(trust.Find(c).Name, maxDetail), c.ChainID)
	}
	return fmt.Sprintf("entry %d of log %s, chain %d (not known to be trusted)", index, c.Log, c.ChainID)
}

func when(r *proofs.Report) string {
	var parts []string
	if m := r.Receipt.Message; m != nil {
		parts = append(parts, "sent "+msUTC(m.SentAt)+" (the sender's word)")
	}
	parts = append(parts, "received "+msUTC(r.Receipt.Entry.ReceivedAt)+" (the operator's word)")
	if h := r.Header; h != nil {
		parts = append(parts, fmt.Sprintf("in block %d of %s", h.Number, secondsUTC(h.Time)))
	}
	return strings.Join(parts, ", ")
}

// proven says what the chain proves about the time, and nobody's clock.
func proven(r *proofs.Report) string {
	i := r.Interval()
	lower, upper := "no lower bound", "no upper bound yet"
	if !i.NotBefore.IsZero() {
		lower = "younger than the block " + i.NotBefore.String()
	}
	if r.Header != nil {
		upper = "said no later than " + secondsUTC(i.NotAfter)
		if r.Checks[proofs.V8].Status != proofs.Pass {
			upper += fmt.Sprintf(", if block %d has the hash of V8", r.Header.Number)
		}
	}
	if h := r.FoldHeader; h != nil {
		lower += fmt.Sprintf("; by the fold it was there by %s, whatever became of chain %d", secondsUTC(h.Time), r.Receipt.Chain.ChainID)
	}
	return upper + "; " + lower
}

func asserted(r *proofs.Report) string {
	if len(r.Expectations) == 0 {
		return "nothing - read WHO and WHERE yourself"
	}
	parts := make([]string, len(r.Expectations))
	for i, e := range r.Expectations {
		parts[i] = fmt.Sprintf("%s %s %s", e.Name, e.Want, words[e.Status])
	}
	return strings.Join(parts, ", ")
}

// meaning is what follows the verdict: why, and what to do next.
func (v *verifier) meaning(path string, r *proofs.Report) string {
	switch r.Verdict {
	case proofs.Invalid:
		return ". " + firstFail(r) + ".\nDo not rely on this file. Asking again will not change that."
	case proofs.Mismatch:
		return ". Nothing is wrong with the file itself, but it is not what you asked for: " + firstFail(r) + "."
	case proofs.NotFinal:
		return v.notFinal(path, r.Receipt)
	case proofs.Undetermined:
		return v.undetermined(path, r)
	case proofs.PromiseBroken:
		if r.Evidence != nil {
			return provenBreach(path, r)
		}
		return ". All the rest holds: the receipt is sound, and it is evidence against the operator.\n" + firstFail(r) + "."
	}
	if rc := r.Receipt; rc.Message != nil && rc.Entry.Vouch == proofs.VouchNobody {
		return ". It proves that these words were recorded in this room by the time above.\n" +
			"Nobody vouches for who said them."
	}
	return ""
}

// firstFail names the check or the expectation that decided the verdict.
func firstFail(r *proofs.Report) string {
	for _, c := range r.Checks {
		if c.Status == proofs.Fail {
			return fmt.Sprintf("%s %s: %s", c.ID, c.Name, oneLine(c.Detail, maxDetail))
		}
	}
	for _, e := range r.Expectations {
		if e.Status == proofs.Fail && e.Name == "fold" {
			return "you expected a fold, anchored in the block " + e.Want
		}
		if e.Status == proofs.Fail {
			return fmt.Sprintf("you expected the %s %s", e.Name, e.Want)
		}
	}
	return ""
}

func (v *verifier) notFinal(path string, rc *proofs.Receipt) string {
	s := ". Nothing failed; it is too early.\n"
	p := rc.Promise
	if p != nil && rc.Level == proofs.Promised {
		s += "The file promises an anchor by " + secondsUTC(p.Deadline) + ".\n"
	}
	if p != nil && v.options.Now > p.Deadline && path != "-" {
		s += "Was it kept? Ask the chain:  hansard promise check " + shellQuote(path) + "\n"
	}
	if path == "-" {
		path = receiptName(rc.Entry.Message)
	}
	return s + fmt.Sprintf("Ask again later:  hansard get %s -o %s", rc.Entry.Message, shellQuote(path))
}

func (v *verifier) undetermined(path string, r *proofs.Report) string {
	s := ". Nothing failed."
	if r.Checks[proofs.V12].Status == proofs.Fail {
		s = ". Nothing but the promise failed, and whether it was broken is not proven yet."
	}
	if r.Checks[proofs.V3].Status == proofs.Unknown {
		s += "\nThe author cannot be checked here: " + oneLine(r.Checks[proofs.V3].Detail, maxDetail) + "."
	}
	if r.Evidence != nil {
		s += openEvidence(path, r)
	} else if r.Receipt.Message == nil && (v.options.ExpectAuthor != "" || v.options.ExpectRoom != "") {
		s += "\nThe message is not disclosed, so it cannot be compared with what you expect."
	}
	if r.Checks[proofs.V13].Status == proofs.Unknown && len(v.folds) > 0 {
		s += "\nThe fold cannot be checked here: " + oneLine(r.Checks[proofs.V13].Detail, maxDetail) + "."
	}
	if r.Checks[proofs.V9].Status == proofs.Unknown {
		s += "\nWhich logs count is yours to say: give a trust file (--trust FILE) that did not come with the file."
	}
	if c := v.compare(path, r); c != nil {
		s += fmt.Sprintf("\nCompare ONE value with a source that you trust, such as your own node or a block explorer:\n"+
			"  block %d of chain %d must have the hash\n  %s\nthen run:  %s", c.Block, c.ChainID, c.BlockHash, c.Command)
	}
	return s
}

// compare returns the value that V8 lacks, or nil where that is not what the verdict waits for.
func (v *verifier) compare(path string, r *proofs.Report) *compare {
	if r.Verdict != proofs.Undetermined || r.Checks[proofs.V8].Status != proofs.Unknown {
		return nil
	}
	c := &compare{}
	if e := r.Evidence; e != nil {
		c.ChainID, c.Block, c.BlockHash = e.Chain.ChainID, e.Block().Number, e.Block().Hash
	} else {
		c.ChainID, c.Block, c.BlockHash = r.Receipt.Chain.ChainID, r.Receipt.Anchor.Block.Number, blockHash(r.Receipt)
	}
	args := []string{"hansard verify", shellQuote(path), "--block-hash", c.BlockHash.String(), "--trust", "FILE"}
	if v.trustPath != "" {
		args[5] = shellQuote(v.trustPath)
	}
	for _, e := range r.Expectations {
		if r.Evidence != nil {
			break // they cannot be checked
		}
		flag := "--expect-" + e.Name
		if e.Name == "fold" {
			flag = "--fold-block-hash"
		}
		args = append(args, flag, shellQuote(e.Want))
	}
	c.Command = strings.Join(args, " ")
	return c
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,][A-Za-z0-9_./:@%+=,-]*$`)

// shellQuote returns s as one word of a shell command that can be shown and pasted.
func shellQuote(s string) string {
	if plainWord.MatchString(s) || s == "-" {
		return s
	}
	if strings.HasPrefix(s, "-") {
		s = "./" + s
	}
	return "'" + strings.ReplaceAll(visible(s), "'", `'\''`) + "'"
}

// msUTC formats milliseconds since 1970; what no calendar holds is shown as the number.
func msUTC(ms uint64) string {
	const year10000 = 253402300800_000
	if ms >= year10000 {
		return fmt.Sprintf("millisecond %d", ms)
	}
	return time.UnixMilli(int64(ms)).UTC().Format("2006-01-02T15:04:05.000Z")
}

// secondsUTC formats seconds since 1970 in the same way.
func secondsUTC(s uint64) string {
	if s > math.MaxUint64/1000 || s*1000 >= 253402300800_000 {
		return fmt.Sprintf("second %d", s)
	}
	return time.Unix(int64(s), 0).UTC().Format(time.RFC3339)
}
