package main

import (
	"fmt"
	"io"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// serviceLine is hansard.service/1: what a service says about itself. Times are milliseconds, deadlines seconds.
type serviceLine struct {
	Schema   string        `json:"schema"`
	Version  string        `json:"version"`
	ChainID  uint64        `json:"chainId,string"`
	Log      proofs.Hash   `json:"log"`
	Delay    *delayLine    `json:"delay,omitempty"`
	Promises *promisesLine `json:"promises,omitempty"` // left out where the service does not say
}

type promisesLine struct {
	Waiting    uint64          `json:"waiting,string"`            // messages that are promised and in no block
	Deadline   int64           `json:"deadline,string,omitempty"` // the earliest
	Overdue    uint64          `json:"overdue,string"`
	Refusal    *refusalLine    `json:"refusal,omitempty"`    // left out while new messages are taken
	Challenges *challengesLine `json:"challenges,omitempty"` // left out while none is open
}

type refusalLine struct {
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	Since      int64  `json:"since,string"`
	RetryAfter int64  `json:"retryAfter"` // seconds
}

type challengesLine struct {
	Open         int   `json:"open"`
	Unanswerable int   `json:"unanswerable"`
	AnswerBy     int64 `json:"answerBy,string"`
}

func newServiceLine(i *client.Info) *serviceLine {
	l := &serviceLine{Schema: "hansard.service/1", Version: i.Version, ChainID: i.Chain.ChainID, Log: i.Chain.Log, Delay: newDelayLine(i.Delay)}
	p := i.Promises
	if p == nil {
		return l
	}
	l.Promises = &promisesLine{Waiting: p.Waiting, Overdue: p.Overdue}
	if !p.Deadline.IsZero() {
		l.Promises.Deadline = p.Deadline.Unix()
	}
	if r := p.Refusal; r != nil {
		l.Promises.Refusal = &refusalLine{r.Code, r.Detail, r.Since.UnixMilli(), int64(r.RetryAfter / time.Second)}
	}
	if c := p.Challenges; c != nil {
		l.Promises.Challenges = &challengesLine{c.Open, c.Unanswerable, c.AnswerBy.Unix()}
	}
	return l
}

// serviceStatus says whether the service takes messages and keeps what it promised.
func serviceStatus(c *cli.Context) error {
	s, err := serviceOf(c)
	if err != nil {
		return err
	}
	info, err := s.Info(c.Context)
	if err != nil {
		return err
	}
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, newServiceLine(info))
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, intakeWord(info))
		return err
	}
	return printService(w, c.String("server"), info)
}

// intakeWord says in a word whether new messages are taken.
func intakeWord(i *client.Info) string {
	switch {
	case i.Promises == nil:
		return "unknown"
	case i.Promises.Refusal != nil:
		return "refused"
	}
	return "taken"
}

func printService(w io.Writer, server string, i *client.Info) error {
	fields := [][2]string{
		{"log", fmt.Sprintf("%s on chain %d", i.Chain.Log, i.Chain.ChainID)},
	}
	if i.Promises != nil {
		fields = append(fields, promisesFields(i.Promises)...)
	}
	if i.Delay != nil {
		fields = append(fields, [2]string{"delayed", delayText(i.Delay) + sinceText(i.Delay.Since)})
	}
	if _, err := fmt.Fprintf(w, "%s  version %s  (the service's word)\n", server, oneLine(i.Version, maxDetail)); err != nil {
		return err
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(w, "  %-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func promisesFields(p *client.Promises) [][2]string {
	fields := [][2]string{{"messages", "are taken"}}
	if r := p.Refusal; r != nil {
		fields[0][1] = "are refused: " + oneLine(r.Detail, maxDetail) + " (" + oneLine(r.Code, maxDetail) + "); try again in " + r.RetryAfter.String() + sinceText(r.Since)
	}
	switch {
	case p.Overdue > 0:
		fields = append(fields, [2]string{"promised", fmt.Sprintf("%d in no block yet, %d of them overdue", p.Waiting, p.Overdue)})
	case p.Waiting > 0:
		fields = append(fields, [2]string{"promised", fmt.Sprintf("%d in no block yet, the first due by %s", p.Waiting, p.Deadline.UTC().Format(time.RFC3339))})
	default:
		fields = append(fields, [2]string{"promised", "all of it is in a block"})
	}
	if c := p.Challenges; c != nil {
		text := fmt.Sprintf("%d open at the bond, the first to be answered by %s", c.Open, c.AnswerBy.UTC().Format(time.RFC3339))
		if c.Unanswerable > 0 {
			text += fmt.Sprintf("; the service has no answer to %d", c.Unanswerable)
		}
		fields = append(fields, [2]string{"challenges", text})
	}
	return fields
}

// sinceText says when something began.
func sinceText(t time.Time) string { return " (since " + t.UTC().Format(time.RFC3339) + ")" }
