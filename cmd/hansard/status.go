package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "say how far a message has come, or whether the service takes messages", ArgsUsage: "[ID|RECEIPT]",
		Description: "Without a message: whether the service takes new ones, and if not why and until when; what it promised and\n" +
			"has in no block; which promises are challenged; and why nothing is anchored for now.",
		Flags:  []cli.Flag{serverFlag()},
		Action: runStatus,
	}
}

func watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "follow a message, state by state", ArgsUsage: "ID|RECEIPT",
		Description: "Prints each state once, with the time at which it was seen. While the service anchors nothing, as\n" +
			"when gas costs more than its cap, it prints why, and when the service tries again; and when that is\n" +
			"over. Where stdout is not a terminal it prints JSON, one object a line.",
		Flags: []cli.Flag{
			serverFlag(),
			&cli.StringFlag{Name: "until", Value: proofs.StateFinalized.String(), Usage: "end at this `STATE`: accepted, batched, submitted, included, safe or finalized"},
		},
		Action: runWatch,
	}
}

func serverFlag() cli.Flag {
	return &cli.StringFlag{Name: "server", Value: "http://" + defaultListen, EnvVars: []string{"HANSARD_SERVER"}, Usage: "`URL` of the service"}
}

const (
	dialTimeout   = 10 * time.Second
	answerTimeout = time.Minute // a service may hold a long poll for 30 s
)

// serviceOf returns a client of the service that the flags name.
func serviceOf(c *cli.Context) (*client.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	transport.ResponseHeaderTimeout = answerTimeout
	s, err := client.New(c.String("server"), &http.Client{Transport: transport})
	if err != nil {
		return nil, usage("--server: %w", err)
	}
	return s, nil
}

// messageArg reads a message id, or a receipt file of the message.
func messageArg(s string) (proofs.Hash, error) {
	if lower := strings.ToLower(s); strings.HasPrefix(lower, "0x") {
		id, err := proofs.ParseHash(lower)
		if err != nil {
			return id, usage("message id %.80q: want 0x and 64 hex digits, or a receipt file", s)
		}
		return id, nil
	}
	b, err := readFile(s, nil)
	if err != nil {
		return proofs.Hash{}, err
	}
	rc, err := proofs.ParseReceipt(b)
	if err != nil {
		return proofs.Hash{}, usage("%s: %w", s, err)
	}
	return rc.Entry.Message, nil
}

// oneMessage reads the only argument of a command.
func oneMessage(c *cli.Context) (*client.Client, proofs.Hash, error) {
	if c.Args().Len() != 1 {
		return nil, proofs.Hash{}, usage("want one message id or receipt file: hansard %s ID", c.Command.Name)
	}
	id, err := messageArg(c.Args().First())
	if err != nil {
		return nil, id, err
	}
	s, err := serviceOf(c)
	return s, id, err
}

// statusLine is hansard.status/1 and, with the time At at which it was seen, hansard.watch/1.
type statusLine struct {
	Schema    string      `json:"schema"`
	At        string      `json:"at,omitempty"`
	ID        proofs.Hash `json:"id"`
	State     string      `json:"state"`
	Index     uint64      `json:"index,string"`
	RoomIndex uint64      `json:"roomIndex,string"`
	Deadline  uint64      `json:"deadline,string"` // of the promise, in seconds
	Batch     *batchLine  `json:"batch,omitempty"`
	Delay     *delayLine  `json:"delay,omitempty"`
}

// delayLine is why nothing is anchored for now. Times are milliseconds.
type delayLine struct {
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Since       int64  `json:"since,string"`
	NextAttempt int64  `json:"nextAttempt,string,omitempty"`
}

func newStatusLine(schema string, st *client.Status) *statusLine {
	l := &statusLine{
		Schema: schema, ID: st.ID, State: st.State.String(), Index: st.Entry.Index, RoomIndex: st.Entry.RoomIndex,
		Deadline: st.Deadline,
	}
	if st.Batch != nil {
		l.Batch = newBatchLine("", st.Batch)
	}
	l.Delay = newDelayLine(st.Delay)
	return l
}

func newDelayLine(d *client.Delay) *delayLine {
	if d == nil {
		return nil
	}
	l := &delayLine{Code: d.Code, Detail: d.Detail, Since: d.Since.UnixMilli()}
	if !d.Next.IsZero() {
		l.NextAttempt = d.Next.UnixMilli()
	}
	return l
}

func runStatus(c *cli.Context) error {
	if c.Args().Len() == 0 {
		return serviceStatus(c)
	}
	s, id, err := oneMessage(c)
	if err != nil {
		return err
	}
	st, err := s.Status(c.Context, id)
	if err != nil {
		return err
	}
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, newStatusLine("hansard.status/1", st))
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, st.State)
		return err
	}
	fmt.Fprintf(w, "%s  %s  (the service's word; hansard verify checks a receipt)\n", id, st.State)
	fields := [][2]string{
		{"index", fmt.Sprintf("%d, and %d in its room", st.Entry.Index, st.Entry.RoomIndex)},
		{"received", msUTC(st.Entry.ReceivedAt)},
		{"promised", "anchored by " + secondsUTC(st.Deadline)},
	}
	if st.Batch != nil {
		fields = append(fields, [2]string{"batch", fmt.Sprint(st.Batch.Number)})
		fields = append(fields, batchFields(st.Batch)...)
	}
	if st.Delay != nil {
		fields = append(fields, [2]string{"delayed", delayText(st.Delay) + sinceText(st.Delay.Since)})
	}
	for _, f := range fields {
		if _, err := fmt.Fprintf(w, "  %-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

func runWatch(c *cli.Context) error {
	s, id, err := oneMessage(c)
	if err != nil {
		return err
	}
	until, err := proofs.ParseState(c.String("until"))
	if err != nil {
		return usage("--until: %w", err)
	}
	w, lines := c.App.Writer, c.Bool("json") || !isTerminal(c.App.Writer)
	return watch(c.Context, s, id, until, lookAgain, func(seen sighting) error {
		switch {
		case c.Bool("quiet"):
			if seen.State < until {
				return nil
			}
			_, err := fmt.Fprintln(w, seen.State)
			return err
		case lines:
			l := newStatusLine("hansard.watch/1", seen.Status)
			l.At = time.Now().UTC().Format(time.RFC3339Nano)
			return printJSON(w, l)
		}
		return printSighting(w, seen, time.Now())
	})
}

// sighting is a status that differs from the one before: in its state, its delay or both.
type sighting struct {
	*client.Status
	moved bool          // it has another state
	back  bool          // and an earlier one
	other bool          // its delay has another code, or ended
	was   *client.Delay // the delay before; nil: none
}

// printSighting prints a line for each thing that changed.
func printSighting(w io.Writer, s sighting, now time.Time) error {
	clock := now.UTC().Format(clockUTC)
	if s.other && s.Delay == nil {
		if _, err := fmt.Fprintf(w, "%s  %-10s %s\n", clock, "goes on", overText(s.was, now)); err != nil {
			return err
		}
	}
	if s.moved {
		if _, err := fmt.Fprintf(w, "%s  %-10s %s\n", clock, s.State, stateText(s)); err != nil {
			return err
		}
	}
	if s.other && s.Delay != nil {
		if _, err := fmt.Fprintf(w, "%s  %-10s %s\n", clock, "delayed", delayText(s.Delay)); err != nil {
			return err
		}
	}
	return nil
}

const clockUTC = "15:04:05Z"

// delayText says why nothing is anchored and when it is tried again.
func delayText(d *client.Delay) string {
	text := oneLine(d.Detail, maxDetail)
	if text == "" {
		text = oneLine(d.Code, maxDetail)
	}
	if !d.Next.IsZero() {
		text += "; next attempt " + d.Next.UTC().Format(clockUTC)
	}
	return text
}

// overText says what ended, and how long it took.
func overText(d *client.Delay, now time.Time) string {
	return fmt.Sprintf("%s is over after %s", oneLine(d.Code, maxDetail), max(now.Sub(d.Since), 0).Round(time.Second))
}

func stateText(s sighting) string {
	switch b := s.Batch; {
	case s.back:
		return "the block with the anchor left the chain; the same batch is sent again"
	case b == nil:
		return fmt.Sprintf("index %d, promised to be anchored by %s", s.Entry.Index, secondsUTC(s.Deadline))
	case s.State == proofs.StateBatched:
		return fmt.Sprintf("batch %d of %d messages", b.Number, b.Size)
	case s.State >= proofs.StateIncluded:
		return fmt.Sprintf("batch %d in block %d", b.Number, b.Block.Number)
	}
	return ""
}

// lookAgain is how long to wait for the next state before asking whether the message went back.
const lookAgain = 20 * time.Second

// watch calls seen with each state of the message and each delay that it sees, once each, until the given
// state. A message that goes back in a reorganisation is seen in that state, too.
func watch(ctx context.Context, s *client.Client, id proofs.Hash, until proofs.State, again time.Duration, seen func(sighting) error) error {
	st, err := s.Status(ctx, id)
	if err != nil {
		return err
	}
	for now := (sighting{Status: st, moved: true, other: st.Delay != nil}); ; {
		if err := seen(now); err != nil || now.State >= until {
			return err
		}
		last := now.Status
		for now = (sighting{}); !now.moved && !now.other; {
			st, err := next(ctx, s, last, again)
			if err != nil {
				return err
			}
			now = sighting{Status: st, moved: st.State != last.State, back: st.State < last.State, other: code(st.Delay) != code(last.Delay), was: last.Delay}
		}
	}
}

// code returns the code of a delay, and of none the empty one.
func code(d *client.Delay) string {
	if d == nil {
		return ""
	}
	return d.Code
}

// next waits for another state or delay than last's, but no longer than again, and returns what there is.
func next(ctx context.Context, s *client.Client, last *client.Status, again time.Duration) (*client.Status, error) {
	wait, cancel := context.WithTimeout(ctx, again)
	defer cancel()
	st, err := s.WaitChange(wait, last)
	if err != nil && ctx.Err() == nil && errors.Is(wait.Err(), context.DeadlineExceeded) {
		return s.Status(ctx, last.ID)
	}
	return st, err
}
