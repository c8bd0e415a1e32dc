// Package client talks to a Hansard service over HTTP. docs/api.md is the reference of what it calls.
//
// An answer is the service's word, but for a receipt: give its bytes to proofs.Verify with a trust
// file of your own. Submit and SubmitMany check that an answer is about the message that was sent.
//
//	c, err := client.New("http://127.0.0.1:8080", nil)
//	a, err := c.Submit(ctx, &proofs.Submission{Message: m, Evidence: e})
//	st, err := c.WaitStatus(ctx, a.ID, proofs.StateFinalized)
//	file, err := c.Receipt(ctx, a.ID)
//
// The package is tested against package api.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrUnreachable is wrapped when no answer came: the network, a wrong address, or the service is down.
// It is safe to submit again what was being submitted.
var ErrUnreachable = errors.New("the service cannot be reached")

// Error is an answer of the service that says no.
type Error struct {
	Status     int           // of HTTP
	Code       string        // stable; docs/api.md lists them. Empty: the answer is not a Hansard service's
	Detail     string        // for people: what, why, what next
	Retryable  bool          // the same request may do later
	RetryAfter time.Duration // 0: not said
	RequestID  string        // names the request in the service's log
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Detail
	}
	return fmt.Sprintf("%s (%s)", e.Detail, e.Code)
}

const (
	maxAnswer    = 32 << 20 // bytes; 500 answers or batches are about 1 MiB, 128 of the longest messages 30
	maxMany      = 500      // submissions of one request
	maxManyBytes = 12 << 20 // of one request, below the service's 16 MiB
	poll         = 30 * time.Second
	pause        = time.Second // between long polls that end early
)

// Client talks to one service. It is safe for concurrent use.
type Client struct {
	// ImporterToken is sent with what only an importer may do; empty: none. Set it before use.
	ImporterToken string

	base string
	http *http.Client
}

// New returns a client of the service at baseURL, such as https://hansard.example.org. With a nil
// httpClient it is http.DefaultClient; its timeout, if any, must be over 40 s for WaitStatus.
func New(baseURL string, httpClient *http.Client) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("service address %.80q: want a URL such as http://127.0.0.1:8080", baseURL)
	}
	if httpClient == nil {
		httpClient = http.DefaultClient
	}
	return &Client{base: strings.TrimSuffix(u.String(), "/"), http: httpClient}, nil
}

// Attach uploads a file that a message will name, and returns the CID that the service gives it: it is for the caller to check. The
// same file again is the same attachment. What no message names is dropped after a day.
func (c *Client) Attach(ctx context.Context, r io.Reader) (cid string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/v1/attachments", r)
	if err != nil {
		return "", fmt.Errorf("upload attachment: %w", err)
	}
	req.Header.Set("Content-Type", "application/octet-stream")
	b, _, err := c.send(req, maxAnswer)
	var w struct{ CID string }
	if err == nil {
		err = json.Unmarshal(b, &w)
	}
	if err != nil {
		return "", fmt.Errorf("upload attachment: %w", err)
	}
	return w.CID, nil
}

// Info returns what the service says about itself.
func (c *Client) Info(ctx context.Context) (*Info, error) {
	var w infoJSON
	if _, err := c.get(ctx, "/v1/info", &w); err != nil {
		return nil, fmt.Errorf("get the service's info: %w", err)
	}
	return w.info(), nil
}

// Submit sends a message. When it returns, the service has it on stable storage and has promised its
// place; the promise's signature is for the caller to check.
func (c *Client) Submit(ctx context.Context, s *proofs.Submission) (*Accepted, error) {
	var w acceptedJSON
	status, err := c.post(ctx, "/v1/messages", s.Format(), &w)
	if err != nil {
		return nil, fmt.Errorf("submit message: %w", err)
	}
	a, err := w.accepted(s, status == http.StatusOK)
	if err != nil {
		return nil, fmt.Errorf("submit message: %w", err)
	}
	return a, nil
}

// Answer is what became of one of many submissions: Accepted, or Err, mostly an *Error.
type Answer struct {
	Accepted *Accepted
	Err      error
}

// SubmitMany sends messages in as few requests as their limits allow and returns an answer for each.
// With an error it returns the answers that it has: those to the first submissions.
func (c *Client) SubmitMany(ctx context.Context, subs []proofs.Submission) ([]Answer, error) {
	answers := make([]Answer, 0, len(subs))
	for len(answers) < len(subs) {
		rest := subs[len(answers):]
		items, size := [][]byte{}, 0
		for i := range rest {
			b := rest[i].Format()
			if size += len(b); i > 0 && size > maxManyBytes || i == maxMany {
				break
			}
			items = append(items, b)
		}
		body := append(append([]byte(`{"messages":[`), bytes.Join(items, []byte(","))...), "]}"...)
		var w struct{ Results []answerJSON }
		_, err := c.post(ctx, "/v1/messages:batch", body, &w)
		if err == nil && len(w.Results) != len(items) {
			err = fmt.Errorf("%d answers to %d messages", len(w.Results), len(items))
		}
		if err != nil {
			return answers, fmt.Errorf("submit %d messages: %w", len(items), err)
		}
		for i := range w.Results {
			answers = append(answers, w.Results[i].answer(&rest[i]))
		}
	}
	return answers, nil
}

// Message returns a message with how far it has come.
func (c *Client) Message(ctx context.Context, id proofs.Hash) (*Message, error) {
	var w messageJSON
	_, err := c.get(ctx, messagePath(id), &w)
	if err == nil {
		var m *Message
		if m, err = w.message(); err == nil {
			return m, nil
		}
	}
	return nil, fmt.Errorf("get message: %w", err)
}

// BySource returns the messages of the room that name the source and have that class of author, in
// the order of the log. more says that the service looked at the newest only, so that older ones
// may be missing.
func (c *Client) BySource(ctx context.Context, room proofs.Room, source string, vouch proofs.Vouch) (found []Message, more bool, err error) {
	query := url.Values{"room": {string(room)}, "source": {source}, "vouch": {strconv.Itoa(int(vouch))}}
	var w struct {
		Messages []messageJSON
		More     bool
	}
	if _, err := c.get(ctx, "/v1/messages?"+query.Encode(), &w); err != nil {
		return nil, false, fmt.Errorf("find messages by source: %w", err)
	}
	for i := range w.Messages {
		m, err := w.Messages[i].message()
		if err != nil {
			return nil, false, fmt.Errorf("find messages by source: %w", err)
		}
		found = append(found, *m)
	}
	return found, w.More, nil
}

// Status returns how far the message has come.
func (c *Client) Status(ctx context.Context, id proofs.Hash) (*Status, error) {
	return c.status(ctx, messagePath(id)+"/status")
}

// WaitStatus returns the message's status once its state is until or later, or an error when ctx
// ends or the service cannot be reached.
func (c *Client) WaitStatus(ctx context.Context, id proofs.Hash, until proofs.State) (*Status, error) {
	query := url.Values{"until": {until.String()}}
	return c.wait(ctx, id, query, func(st *Status) bool { return st.State >= until })
}

// WaitChange returns the message's status once it has another state than last or is delayed for another
// reason; but that of a finalized message, which never changes, at once.
func (c *Client) WaitChange(ctx context.Context, last *Status) (*Status, error) {
	until := min(last.State+1, proofs.StateFinalized)
	query := url.Values{"until": {until.String()}, "delay": {last.Delay.word()}}
	return c.wait(ctx, last.ID, query, func(st *Status) bool {
		return st.State != last.State || st.State == proofs.StateFinalized || st.Delay.word() != last.Delay.word()
	})
}

// word returns what the service calls the delay, or its absence.
func (d *Delay) word() string {
	if d == nil {
		return "none"
	}
	return d.Code
}

// wait asks for the message's status until it is enough. The query tells the service what to wait for.
func (c *Client) wait(ctx context.Context, id proofs.Hash, query url.Values, enough func(*Status) bool) (*Status, error) {
	query.Set("wait", poll.String())
	for {
		started := time.Now()
		st, err := c.status(ctx, messagePath(id)+"/status?"+query.Encode())
		if err != nil || enough(st) {
			return st, err
		}
		// A service that is stopping answers early.
		timer := time.NewTimer(pause - time.Since(started))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("wait for message %s: %w", id, ctx.Err())
		}
	}
}

func (c *Client) status(ctx context.Context, path string) (*Status, error) {
	var w statusJSON
	_, err := c.get(ctx, path, &w)
	if err == nil {
		var st *Status
		if st, err = w.status(); err == nil {
			return st, nil
		}
	}
	return nil, fmt.Errorf("get status: %w", err)
}

// Receipt returns the message's receipt file at the best level there is, byte for byte. It is not
// verified.
func (c *Client) Receipt(ctx context.Context, id proofs.Hash) ([]byte, error) {
	b, _, err := c.do(ctx, http.MethodGet, messagePath(id)+"/receipt", nil, proofs.MaxReceipt)
	if err != nil {
		return nil, fmt.Errorf("get receipt: %w", err)
	}
	return b, nil
}

func messagePath(id proofs.Hash) string { return "/v1/messages/" + id.String() }

// Batch returns the batch of that number.
func (c *Client) Batch(ctx context.Context, number uint64) (*Batch, error) {
	var w batchJSON
	_, err := c.get(ctx, "/v1/batches/"+strconv.FormatUint(number, 10), &w)
	if err == nil {
		var b *Batch
		if b, err = w.batch(); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("get batch %d: %w", number, err)
}

// Batches returns at most limit batches, at most 500, from the number on, in order.
func (c *Client) Batches(ctx context.Context, from uint64, limit int) ([]Batch, error) {
	var w struct{ Batches []batchJSON }
	if _, err := c.get(ctx, fmt.Sprintf("/v1/batches?from=%d&limit=%d", from, limit), &w); err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	batches := make([]Batch, len(w.Batches))
	for i := range w.Batches {
		b, err := w.Batches[i].batch()
		if err != nil {
			return nil, fmt.Errorf("list batches: %w", err)
		}
		batches[i] = *b
	}
	return batches, nil
}

// Flush asks for the pool to be sealed now. It needs the importer's token and does not wait.
func (c *Client) Flush(ctx context.Context) error {
	if _, _, err := c.do(ctx, http.MethodPost, "/v1/flush", nil, maxAnswer); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

func (c *Client) get(ctx context.Context, path string, v any) (status int, err error) {
	return c.call(ctx, http.MethodGet, path, nil, v)
}

func (c *Client) post(ctx context.Context, path string, body []byte, v any) (status int, err error) {
	return c.call(ctx, http.MethodPost, path, body, v)
}

func (c *Client) call(ctx context.Context, method, path string, body []byte, v any) (int, error) {
	b, status, err := c.do(ctx, method, path, body, maxAnswer)
	if err != nil {
		return status, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return status, fmt.Errorf("answer of the service: %w", err)
	}
	return status, nil
}

// do returns the answer's body, at most limit bytes of it, or an error for any status but 2xx.
func (c *Client) do(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, int, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
		if c.ImporterToken != "" {
			req.Header.Set("Authorization", "Bearer "+c.ImporterToken)
		}
	}
	return c.send(req, limit)
}

// send returns the answer's body, as do does.
func (c *Client) send(req *http.Request, limit int64) ([]byte, int, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, unreachable(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, 0, unreachable(err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, resp.StatusCode, newError(resp.StatusCode, b)
	}
	if int64(len(b)) > limit {
		return nil, 0, fmt.Errorf("answer of the service: over the limit of %d bytes", limit)
	}
	return b, resp.StatusCode, nil
}

// unreachable keeps the caller's own wish to stop apart from a service that does not answer.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
