package nodes

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// Limits of what a node may send over HTTP. A WebSocket message may have 32 MiB too, which is the
// default of go-ethereum; an IPC socket is a node of one's own.
const (
	maxAnswer     = 4 << 20  // a block's transaction hashes, 20,000 of them, are 1.4 MB
	maxBulk       = 32 << 20 // receipts of a block of 60M gas with as many log bytes as it can pay for are 16 MB
	maxHeaderSize = 64 << 10 // of an HTTP answer
	maxText       = 300      // bytes of a node's words that are kept
	minSecret     = 8        // letters of a part of a path or query that can be a key; v3 or rpc is none
)

// Dial makes a Quorum of the nodes at these URLs: http, https, ws, wss, or the path of an IPC socket. A
// node is called by its host, and whatever else its URL holds is kept out of names and errors. Nothing is
// connected to before it is asked, so that nodes may be down. Redirects are not followed.
func Dial(_ context.Context, urls []string, cfg Config) (*Quorum, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxResponseHeaderBytes = maxHeaderSize
	q, err := dial(urls, cfg, t)
	if err != nil {
		return nil, err
	}
	q.http = t
	return q, nil
}

func dial(urls []string, cfg Config, transport http.RoundTripper) (*Quorum, error) {
	q, err := newQuorum(len(urls), cfg)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport:     limited{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var places []string
	hosts := map[string]int{}
	for i, s := range urls {
		u, err := parseNode(s)
		if err != nil {
			return nil, fmt.Errorf("node %d: %w", i+1, err)
		}
		if at := place(u); slices.Contains(places, at) {
			return nil, fmt.Errorf("node %d, %s, is given twice, and would count twice", i+1, name(u))
		} else {
			places = append(places, at)
		}
		if h := u.Hostname(); h != "" && h != "localhost" && !strings.HasPrefix(h, "127.") && h != "::1" {
			if hosts[h]++; hosts[h] == 2 {
				q.shared = append(q.shared, h)
			}
		}
		q.add(&node{Node: Node{Name: name(u)}, secrets: secrets(u), dial: func(ctx context.Context) (*rpc.Client, error) {
			return rpc.DialOptions(ctx, s, rpc.WithHTTPClient(client))
		}})
	}
	return q, nil
}

// parseNode reads a node's URL. Its errors do not quote it.
func parseNode(s string) (*url.URL, error) {
	const want = "want an http, https, ws or wss URL, or the path of an IPC socket"
	u, err := url.Parse(s)
	if err != nil {
		return nil, errors.New("it is no URL: " + want)
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
		if u.Hostname() == "" {
			return nil, errors.New("the URL has no host")
		}
	case "":
		if !filepath.IsAbs(s) && !strings.HasSuffix(s, ".ipc") {
			return nil, errors.New("it has no scheme and is no path of a socket: " + want)
		}
	default:
		return nil, errors.New("it has another scheme: " + want)
	}
	return u, nil
}

// place tells nodes apart: where they are, by whatever protocol.
func place(u *url.URL) string {
	if u.Host == "" {
		return filepath.Clean(u.Path)
	}
	port := u.Port()
	if port == "80" || port == "443" {
		port = ""
	}
	return fmt.Sprintf("%s@%s:%s/%s?%s", u.User, strings.ToLower(u.Hostname()), port, strings.Trim(u.EscapedPath(), "/"), u.RawQuery)
}

// name returns the part of a URL that holds no secret: many providers put a key into the path.
func name(u *url.URL) string {
	if u.Host == "" {
		return filepath.Base(u.Path)
	}
	return u.Host
}

// secrets returns the parts of a node's URL that may not be shown, longest first.
func secrets(u *url.URL) []string {
	if u.Host == "" {
		return nil
	}
	all := []string{u.String(), u.RequestURI()}
	all = append(all, strings.Split(u.Path, "/")...)
	all = append(all, strings.Split(u.EscapedPath(), "/")...)
	for _, vs := range u.Query() {
		all = append(all, vs...)
	}
	all = append(all, u.RawQuery, u.Fragment)
	all = slices.DeleteFunc(all, func(s string) bool { return len(s) < minSecret })
	word, _ := u.User.Password()
	if user := u.User.Username(); len(word) > 3 || len(user) >= minSecret { // some providers take a key for the user
		all = append(all, u.User.String(), base64.StdEncoding.EncodeToString([]byte(user+":"+word)))
		for s, least := range map[string]int{word: 4, user: minSecret} {
			if len(s) >= least {
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(all)
}

// limited bounds the answers of a transport.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	limit := int64(maxAnswer)
	if r.Context().Value(bulkKey{}) != nil {
		limit = maxBulk
	}
	resp.Body = &capped{resp.Body, limit, limit}
	return resp, nil
}

// bulkKey marks the context of questions with long answers.
type bulkKey struct{}

func bulk(ctx context.Context) context.Context { return context.WithValue(ctx, bulkKey{}, true) }

type capped struct {
	io.ReadCloser
	left, limit int64
}

func (c *capped) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("its answer is longer than %d MiB", c.limit>>20)
	}
	n, err := c.ReadCloser.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	return n, err
}

// nodeError is what a node did instead of answering, in words that may be shown.
type nodeError struct {
	name, text string
	stated     bool  // it answered, with an error of its own
	cause      error // that callers may ask for
}

func (e *nodeError) Error() string { return e.name + ": " + e.text }
func (e *nodeError) Unwrap() error { return e.cause }

// What f may return beside the errors of a client.
var (
	errNull    = errors.New("it answers null")
	errBehind  = errors.New("it is behind and cannot know")
	errDropped = errors.New("it was not asked: too many questions to it are open")
)

// fail returns err in words that may be shown. URLs hold keys, and nodes may say anything.
func (n *node) fail(err error, timeout time.Duration) *nodeError {
	e := &nodeError{name: n.Name}
	var (
		already *nodeError
		at      *url.Error
		status  rpc.HTTPError
		stated  rpc.Error
	)
	switch {
	case errors.As(err, &already):
		return already
	case errors.Is(err, context.DeadlineExceeded):
		e.text, e.cause = fmt.Sprintf("no answer within %s", timeout), context.DeadlineExceeded
	case errors.Is(err, context.Canceled):
		e.text, e.cause = "canceled", context.Canceled
	case errors.Is(err, errNull), errors.Is(err, errBehind):
		e.text, e.stated, e.cause = err.Error(), true, err
	case errors.As(err, &at):
		e.text = at.Err.Error()
	case errors.As(err, &status):
		e.text = strings.TrimSpace(status.Status + " " + string(status.Body[:min(len(status.Body), 4*maxText)]))
	case errors.As(err, &stated):
		e.text, e.stated = fmt.Sprintf("%s (code %d)", err, stated.ErrorCode()), true
	default:
		e.text = err.Error()
	}
	e.text = n.clean(e.text)
	return e
}

// clean returns text without what is secret, what confuses a terminal, and what is too much.
func (n *node) clean(text string) string {
	text = text[:min(len(text), 1<<16)]
	for _, s := range n.secrets {
		text = strings.ReplaceAll(text, s, "***")
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}

// client returns the node's client, connected to it if that is needed.
func (n *node) client(ctx context.Context) (*rpc.Client, error) {
	select {
	case n.dialing <- struct{}{}:
		defer func() { <-n.dialing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.mu.Lock()
	c := n.RPC
	n.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := n.dial(ctx)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.RPC = c
	return c, nil
}

// call asks one node and returns nil where it answers null.
func call[T any](ctx context.Context, n *node, method string, args ...any) (*T, error) {
	c, err := n.client(ctx)
	if err != nil {
		return nil, err
	}
	var raw json.RawMessage
	began := time.Now()
	err = c.CallContext(ctx, &raw, method, args...)
	var stated rpc.Error
	if err == nil || errors.As(err, &stated) {
		n.note(func(h *Health) { h.Latency = time.Since(began) })
	}
	if err != nil || bytes.Equal(bytes.TrimSpace(raw), []byte("null")) {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("its answer to %s makes no sense: %w", method, err)
	}
	return v, nil
}

// must asks for something of which null is no answer.
func must[T any](ctx context.Context, n *node, method string, args ...any) (v T, err error) {
	p, err := call[T](ctx, n, method, args...)
	if err == nil && p == nil {
		err = errNull
	}
	if err != nil {
		return v, err
	}
	return *p, nil
}
