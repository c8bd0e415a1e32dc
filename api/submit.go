package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

func (s *server) submit(w http.ResponseWriter, r *http.Request) error {
	body, done, err := s.body(w, r, proofs.MaxSubmission)
	if err != nil {
		return err
	}
	defer done()
	answer := s.take(r, [][]byte{body})[0]
	if answer.err != nil {
		return answer.err
	}
	if answer.Status == http.StatusOK {
		w.Header().Set("Idempotency-Replayed", "true")
	} else {
		w.Header().Set("Location", "/v1/messages/"+answer.Accepted.ID.String())
	}
	return write(w, answer.Status, answer.Accepted)
}

func (s *server) submitMany(w http.ResponseWriter, r *http.Request) error {
	body, done, err := s.body(w, r, MaxManyBytes)
	if err != nil {
		return err
	}
	defer done()
	items, err := split(body, r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	answers := s.take(r, items)
	for i := range answers {
		if a := &answers[i]; a.err != nil {
			a.Error = s.problem(w, r, a.err)
			a.Status = a.Error.Status
		}
	}
	return write(w, http.StatusOK, struct {
		Results []answerJSON `json:"results"`
	}{answers})
}

// body reads the whole body, if it is within the limit and there is room for it. The caller calls done
// when the body is no longer used.
func (s *server) body(w http.ResponseWriter, r *http.Request, limit int64) (b []byte, done func(), err error) {
	if r.ContentLength > limit {
		return nil, nil, &http.MaxBytesError{Limit: limit}
	}
	in := &counted{r: http.MaxBytesReader(w, r.Body, limit), total: &s.bodies}
	b, err = io.ReadAll(in)
	if err == nil {
		return b, in.done, nil
	}
	in.done()
	var tooLarge *http.MaxBytesError
	var busy *batcher.BusyError
	if !errors.As(err, &tooLarge) && !errors.As(err, &busy) {
		err = refuse(batcher.Malformed, "the body ended early or came too slowly; send it again")
	}
	return nil, nil, err
}

// counted adds what it reads to a total as it comes, so that a claimed length reserves nothing.
type counted struct {
	r     io.Reader
	total *atomic.Int64
	n     int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.total.Add(int64(n)) > maxBodies {
		return n, &batcher.BusyError{RetryAfter: time.Second, Reason: "too many requests are being read"}
	}
	return n, err
}

func (c *counted) done() { c.total.Add(-c.n) }

// split cuts the body of a batch into submissions, undecoded: one a line, or {"messages": [...]}. It
// stops past MaxMany: a list of nothing but commas would take twelve times its size.
func split(body []byte, contentType string) (items [][]byte, err error) {
	if t, _, _ := mime.ParseMediaType(contentType); t == "application/x-ndjson" {
		for line := range bytes.Lines(body) {
			if line = bytes.TrimSpace(line); len(line) > 0 && len(items) <= MaxMany {
				items = append(items, line)
			}
		}
	} else if items, err = splitJSON(body); err != nil {
		return nil, refuse(batcher.Malformed, `body: want {"messages": [...]}, or one message a line as application/x-ndjson: %v`, err)
	}
	switch {
	case len(items) == 0:
		return nil, refuse(batcher.Malformed, "body: there is no message in it")
	case len(items) > MaxMany:
		return nil, refuse(batcher.TooLarge, "body: more than %d messages; send them in several requests", MaxMany)
	}
	return items, nil
}

func splitJSON(body []byte) (items [][]byte, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	expect := func(want ...json.Token) error {
		for _, t := range want {
			if got, err := d.Token(); err != nil || got != t {
				return fmt.Errorf("want %v before byte %d", t, d.InputOffset())
			}
		}
		return nil
	}
	if err := expect(json.Delim('{'), "messages", json.Delim('[')); err != nil {
		return nil, err
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		if items = append(items, raw); len(items) > MaxMany {
			return items, nil
		}
	}
	if err := expect(json.Delim(']'), json.Delim('}')); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("trailing bytes after byte %d", d.InputOffset())
	}
	return items, nil
}

// answerJSON is what became of one submission: Accepted or Error.
type answerJSON struct {
	Status   int           `json:"status"` // 201 taken, 200 taken before, or the error's
	Accepted *acceptedJSON `json:"accepted,omitempty"`
	Error    *problem      `json:"error,omitempty"`
	err      error         // what Error is about
}

// take hands the submissions that can be read to the intake and returns when it has answered.
func (s *server) take(r *http.Request, items [][]byte) []answerJSON {
	answers := make([]answerJSON, len(items))
	var subs []batcher.Submission
	var at []int // position of each of subs in items
	for i, item := range items {
		sub, err := s.read(r, item)
		if err != nil {
			answers[i].err = err
			continue
		}
		subs, at = append(subs, sub), append(at, i)
	}
	if len(subs) == 0 {
		return answers
	}
	for i, result := range s.cfg.Batcher.Submit(r.Context(), subs...) {
		answers[at[i]] = s.answer(r, &result)
	}
	return answers
}

// read decodes a submission and checks what the intake cannot know.
func (s *server) read(r *http.Request, item []byte) (batcher.Submission, error) {
	s.heavy <- struct{}{}
	sub, err := proofs.ParseSubmission(item)
	<-s.heavy
	if err != nil {
		return batcher.Submission{}, refuse(batcher.Malformed, "%v", err)
	}
	c := s.cfg.Chain
	if d := sub.Domain; d != nil && (d.ChainID != c.ChainID || d.VerifyingContract != c.AnchorLog) {
		return batcher.Submission{}, refuse(batcher.WrongLog, "domain: signed for chain %d and contract %s, this log is on chain %d with contract %s; switch the wallet's network and sign again",
			d.ChainID, d.VerifyingContract, c.ChainID, c.AnchorLog)
	}
	if sub.Evidence.Scheme == proofs.SchemeNone && !s.importer(r) {
		return batcher.Submission{}, refuse(codeUnsigned, "the scheme none is for importers: sign the message, or send the importer's token as Authorization: Bearer TOKEN")
	}
	return batcher.Submission{Message: sub.Message, Evidence: sub.Evidence}, nil
}

// answer says what became of a submission. A message that was taken before may have come further.
func (s *server) answer(r *http.Request, result *batcher.Result) (a answerJSON) {
	if a.err = result.Err; a.err != nil {
		return a
	}
	a.Status = http.StatusCreated
	state := proofs.StateAccepted
	if result.Replayed {
		a.Status = http.StatusOK
		st, err := s.cfg.Issuer.Status(r.Context(), result.ID)
		if a.err = err; err != nil {
			return a
		}
		state = st.State
	}
	switch p, err := s.cfg.Issuer.Promise(&result.Accepted); {
	case err == nil:
		a.Accepted = newAccepted(state, &result.Accepted.Entry, &p)
	case errors.Is(err, receipts.ErrUnsigned):
		a.Accepted = newAccepted(state, &result.Accepted.Entry, nil)
	default:
		a.err = err
	}
	return a
}
