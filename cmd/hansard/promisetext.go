package main

import (
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

const promiseSchema = "hansard.promise/1"

// promiseLine is hansard.promise/1: what became of one promise, or of the two of a conflict. Of a file that does not
// hold or is not in the trust file it has Files, Verdict, Exit and Detail only.
type promiseLine struct {
	Schema   string       `json:"schema"`
	Files    []string     `json:"files"`
	Verdict  string       `json:"verdict"`
	Exit     int          `json:"exit"`
	Detail   string       `json:"detail"`
	Breach   string       `json:"breach,omitempty"`
	Final    bool         `json:"final"` // no reorg changes what decided
	Evidence string       `json:"evidence,omitempty"`
	Next     string       `json:"next,omitempty"` // a command
	ID       *proofs.Hash `json:"id,omitempty"`   // that the contract knows the promise by
	Promise  *promiseSaid `json:"promise,omitempty"`
	Batch    *promiseAt   `json:"batch,omitempty"` // over the index
	At       *blockLine   `json:"at,omitempty"`    // at which this was decided
	Bond     *promiseBond `json:"bond,omitempty"`
}

type promiseSaid struct {
	ChainID     uint64         `json:"chainId,string"`
	Log         proofs.Hash    `json:"log"`
	Index       uint64         `json:"index,string"`
	Leaf        proofs.Hash    `json:"leaf"`
	Deadline    uint64         `json:"deadline,string"` // seconds
	Beneficiary proofs.Address `json:"beneficiary"`
	Signer      proofs.Address `json:"signer"`
}

type promiseAt struct {
	Number      uint64      `json:"number,string"`
	Time        uint64      `json:"time,string"` // seconds
	Tx          proofs.Hash `json:"tx"`
	BlockNumber uint64      `json:"blockNumber,string"`
}

type blockLine struct {
	Number uint64      `json:"number,string"`
	Hash   proofs.Hash `json:"hash"`
	Time   uint64      `json:"time,string"`
}

type promiseBond struct {
	Address     proofs.Address `json:"address"`
	AmountWei   string         `json:"amountWei"`
	LeavesAt    uint64         `json:"leavesAt,string,omitempty"`
	Enforceable bool           `json:"enforceable"` // it could be slashed for this promise
	Reason      string         `json:"reason,omitempty"`
	Succeeds    bool           `json:"succeeds"` // slashing now
	Rewards     []reward       `json:"rewards"`  // that the next command leads to
	Challenge   *challengeLine `json:"challenge,omitempty"`
	amount      *big.Int
	pays        bool // what may be done now leads to Rewards
}

type challengeLine struct {
	Challenger proofs.Address `json:"challenger"`
	AnswerBy   uint64         `json:"answerBy,string"` // seconds
	Closed     bool           `json:"closed"`
}

// verdictOf returns the word and the exit code of a finding.
func verdictOf(f *promises.Finding, leavesAt uint64) (string, int) {
	deadline := f.Promise.Deadline
	switch {
	case f.Outcome == promises.Kept:
		return "KEPT", openUntilFinal(f, proofs.Valid)
	case f.Outcome == promises.Broken:
		return "BROKEN", openUntilFinal(f, proofs.PromiseBroken)
	case withheld(f):
		return "BROKEN", proofs.PromiseBroken.Exit()
	case f.Outcome == promises.Unknown:
		return "UNDETERMINED", proofs.Undetermined.Exit()
	case f.Enforceable != nil, f.Key.Until <= deadline, leavesAt != 0 && leavesAt <= deadline:
		return "OPEN", proofs.Mismatch.Exit() // when it is broken there is nothing to take
	}
	return "OPEN", proofs.NotFinal.Exit()
}

// withheld reports whether a challenge waits to be concluded: nobody can answer it any more.
func withheld(f *promises.Finding) bool {
	return f.Outcome == promises.Unknown && f.Next == promises.Conclude
}

func openUntilFinal(f *promises.Finding, v proofs.Verdict) int {
	if !f.Final {
		v = proofs.NotFinal
	}
	return v.Exit()
}

func newPromiseLine(d *docket, f *promises.Finding, paths []string) promiseLine {
	p, head := f.Promise, f.Head.Block
	id := bond.PromiseID(d.chain, &p)
	l := promiseLine{
		Schema: promiseSchema, Files: paths, Detail: f.Detail, Final: f.Final, ID: &id,
		Promise: &promiseSaid{d.chain.ChainID, p.Log, p.Index, p.Leaf, p.Deadline, p.Beneficiary, f.Signer},
		At:      &blockLine{head.Number, head.Hash, head.Time},
		Bond: &promiseBond{Address: d.chain.PromiseBond, AmountWei: d.bond.Amount.String(), LeavesAt: d.bond.LeavesAt,
			Enforceable: f.Enforceable == nil, Rewards: []reward{}, amount: d.bond.Amount},
	}
	l.Verdict, l.Exit = verdictOf(f, d.bond.LeavesAt)
	switch {
	case f.Outcome == promises.Broken:
		l.Breach = f.Breach.String()
	case withheld(f):
		l.Breach = proofs.Withheld.String()
	}
	if b := f.Batch; b != nil {
		l.Batch = &promiseAt{b.Number, b.Time, b.Tx, b.Block.Number}
	}
	if f.Enforceable != nil {
		l.Bond.Reason = f.Enforceable.Error()
	}
	if f.Next == promises.Slash || f.Next == promises.Conclude || f.Next == promises.Challenge {
		broken := []proofs.Promise{p}
		if f.Second != nil {
			broken = append(broken, *f.Second)
		}
		l.Bond.Rewards, l.Bond.pays = rewards(d.bond.Amount, broken...), true
	}
	if ch := f.Challenge; ch != nil {
		l.Bond.Challenge = &challengeLine{ch.Challenger, ch.AnswerBy, ch.Closed}
	}
	return l
}

// challenged reports whether a challenge is open.
func (l *promiseLine) challenged() bool {
	return l.Bond != nil && l.Bond.Challenge != nil && !l.Bond.Challenge.Closed
}

// nextCommand returns the command that does what may be done now.
func nextCommand(c *cli.Context, l *promiseLine, f *promises.Finding) string {
	verb, files := "", l.Files
	switch f.Next {
	case promises.Slash:
		verb = "slash"
		if l.Evidence != "" {
			files = []string{l.Evidence}
		}
	case promises.Conclude:
		verb = "slash"
	case promises.Challenge:
		verb = "challenge"
	default:
		if l.Exit != proofs.NotFinal.Exit() && (f.Outcome != promises.Unknown || !l.challenged()) {
			return ""
		}
		verb = "check" // again, later
	}
	return promiseNext(c, verb, files...)
}

// print writes the lines and returns the worst of their exit codes.
func (k *checking) print() error {
	w := k.cli.App.Writer
	worst := 0
	for i := range k.lines {
		l := &k.lines[i]
		worst = worse(worst, l.Exit)
		var err error
		switch {
		case k.cli.Bool("json"):
			err = printJSON(w, l)
		case k.cli.Bool("quiet"):
			_, err = fmt.Fprintln(w, l.Verdict)
		default:
			if i > 0 {
				fmt.Fprintln(w)
			}
			err = l.text(w, len(gateways(k.cli)) > 0)
		}
		if err != nil {
			return err
		}
	}
	if worst != 0 {
		return &silentError{worst}
	}
	return nil
}

// worse returns the exit code that counts of two: what calls for action before what calls for patience.
func worse(a, b int) int {
	for _, code := range []int{
		proofs.PromiseBroken.Exit(), proofs.Invalid.Exit(), proofs.Mismatch.Exit(), proofs.Undetermined.Exit(), proofs.NotFinal.Exit(),
	} {
		if a == code || b == code {
			return code
		}
	}
	return 0
}

// nobodyAsked is said where a challenge may cost its deposit for what a gateway would have shown.
const nobodyAsked = "no gateway was asked for the batch: give --gateway URL, of the service or of any IPFS gateway, before you challenge"

// text writes the line for people. asked says whether any gateway was.
func (l *promiseLine) text(w io.Writer, asked bool) error {
	var names []string
	for _, f := range l.Files {
		names = append(names, oneLine(f, maxDetail))
	}
	fmt.Fprintln(w, strings.Join(names, " and "))
	field := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-10s %s\n", name, fmt.Sprintf(format, args...))
	}
	if p := l.Promise; p != nil {
		field("promise", "leaf %s at index %d of log %s", p.Leaf, p.Index, p.Log)
		field("deadline", "%s, %s", secondsUTC(p.Deadline), fromNow(p.Deadline, l.At.Time))
		field("signed by", "%s", p.Signer)
	}
	if b := l.Batch; b != nil {
		field("batch", "%d, anchored %s in block %d", b.Number, secondsUTC(b.Time), b.BlockNumber)
	}
	if l.Bond != nil {
		l.bondText(field)
	}
	if l.Verdict == "UNDETERMINED" && !asked && !l.challenged() {
		field("first", "%s", nobodyAsked)
	}
	if l.Evidence != "" {
		field("evidence", "%s", oneLine(l.Evidence, maxDetail))
	}
	if l.Next != "" {
		field("next", "%s", l.Next)
	}
	switch {
	case l.Verdict == "UNDETERMINED" && l.challenged():
		field("when", "after %s, when the time to answer is over", secondsUTC(l.Bond.Challenge.AnswerBy))
	case l.Verdict == "OPEN" && l.Next != "":
		field("when", "after the deadline, and before %d days are over since you accepted it", bond.UnbondingTime/(24*time.Hour))
	}
	verdict := l.Verdict
	if l.Breach != "" {
		verdict += ", " + l.Breach
	}
	if l.Exit == proofs.NotFinal.Exit() && l.Verdict != "OPEN" {
		verdict += ", not final"
	}
	_, err := fmt.Fprintf(w, "%s (exit %d): %s\n", verdict, l.Exit, oneLine(l.Detail, 3*maxDetail))
	return err
}

// bondText says what stands behind the promise and what slashing would pay.
func (l *promiseLine) bondText(field func(name, format string, args ...any)) {
	b := l.Bond
	holds := cost.FormatEther(b.amount) + " ether"
	switch {
	case !b.Enforceable:
		field("bond", "%s", oneLine(b.Reason, maxDetail))
	case b.LeavesAt != 0:
		field("bond", "%s at %s, leaving from %s on", holds, b.Address, secondsUTC(b.LeavesAt))
	default:
		field("bond", "%s at %s", holds, b.Address)
	}
	if ch := b.Challenge; l.challenged() {
		field("challenge", "by %s; anybody may answer until %s", ch.Challenger, secondsUTC(ch.AnswerBy))
	}
	if !b.pays {
		return
	}
	how := "slashing would pay"
	if b.Succeeds {
		how = "slashing now succeeds and pays"
	}
	for _, r := range b.Rewards {
		field("reward", "%s %s ether to %s, and burns the rest", how, cost.FormatEther(r.wei), r.To)
	}
	if len(b.Rewards) == 0 {
		field("reward", "%s nobody: the promise names no beneficiary, and all is burnt", how)
	}
}

// fromNow says how far a time is from a block's, both in seconds.
func fromNow(at, now uint64) string {
	span := func(s uint64) string {
		if s > 1<<31 {
			return fmt.Sprintf("%d s", s)
		}
		return (time.Duration(s) * time.Second).String()
	}
	if at >= now {
		return span(at-now) + " from the newest block"
	}
	return span(now-at) + " before the newest block"
}
