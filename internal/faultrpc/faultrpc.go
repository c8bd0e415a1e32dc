// Package faultrpc stands between a client and a real Ethereum node and disturbs what they say to each other.
//
// A [Proxy] is an HTTP handler that forwards JSON-RPC calls, single or in a batch, to one node. Each call passes through
// the faults that are switched on, the first outermost. A [Fault] may answer itself, forward the call, change it before
// or the answer after, hang, or break the connection. Faults combine: Set(Hang("eth_call"), Lag(3)) hangs calls and lags
// with everything else.
//
//	p := faultrpc.New(node.URL)
//	server := httptest.NewServer(p)
//	p.Set(faultrpc.Status(429), faultrpc.SwallowSend())
//	...
//	p.Set() // healed
//
// It is for tests. What a fault does to the answers of a real node is shown in the tests of this package; what the
// product does about it, in package faulttest.
package faultrpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync"
)

// Call is one JSON-RPC call on its way to the node. A fault that changes it changes a copy.
type Call struct {
	Context context.Context // of the HTTP request: ends when the client goes away
	Method  string
	Params  []json.RawMessage
	Number  int // among the calls to the proxy since New or Reset, from 1
}

// Error is an error as JSON-RPC has it.
type Error struct {
	Code    int             `json:"code"`
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Answer is what the client gets. At most one field is set; none is the result null.
type Answer struct {
	Result json.RawMessage
	Err    *Error
	Break  Break // of the connection or the whole HTTP answer
}

// Break is an answer that is not JSON-RPC. In a batch it is the answer to all calls.
type Break struct {
	Reset  bool   // the connection is reset without an answer
	Status int    // an HTTP status instead of an answer
	Body   string // these bytes instead of an answer
}

// Next hands a call on, in the end to the node.
type Next func(Call) Answer

// Fault is one named way to be wrong. Do may be called concurrently.
type Fault struct {
	Name string
	Do   func(c Call, next Next) Answer
}

// Proxy forwards calls to one node through faults. Its methods may be called concurrently.
type Proxy struct {
	url    string
	client *http.Client

	mu     sync.Mutex // guards all below
	faults []Fault
	calls  map[string]int
	hits   map[string]int
	number int
}

// New returns a Proxy without faults in front of the node at url.
func New(url string) *Proxy {
	p := &Proxy{url: url, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	p.Reset()
	return p
}

// Set switches on these faults and no others. Calls that are under way keep those that they began with.
func (p *Proxy) Set(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
}

// Reset begins to count again.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls, p.hits, p.number = map[string]int{}, map[string]int{}, 0
}

// Calls returns how often each method was called.
func (p *Proxy) Calls() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.calls)
}

// Hits returns, for each fault by name, to how many calls it gave another answer than the node would have, or did not
// hand them on as they were.
func (p *Proxy) Hits() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.hits)
}

// request is a JSON-RPC request.
type request struct {
	Version string            `json:"jsonrpc"`
	ID      json.RawMessage   `json:"id"`
	Method  string            `json:"method"`
	Params  []json.RawMessage `json:"params"`
}

// response is the answer to a request.
type response struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Err     *Error          `json:"error,omitempty"`
}

// maxBody bounds a request, in bytes.
const maxBody = 16 << 20

// ServeHTTP answers a call or a batch of calls, in their order.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	var requests []request
	batch := bytes.HasPrefix(bytes.TrimSpace(body), []byte("["))
	if batch {
		err = json.Unmarshal(body, &requests)
	} else {
		requests = make([]request, 1)
		err = json.Unmarshal(body, &requests[0])
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	responses := make([]response, len(requests))
	for i, req := range requests {
		a := p.answer(r.Context(), req)
		if a.Break != (Break{}) {
			a.Break.write(w)
			return
		}
		if a.Result == nil && a.Err == nil {
			a.Result = json.RawMessage("null")
		}
		responses[i] = response{"2.0", req.ID, a.Result, a.Err}
	}
	var out []byte
	if batch {
		out, err = json.Marshal(responses)
	} else {
		out, err = json.Marshal(responses[0])
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(out) //nolint:errcheck // the client has gone
}

func (b Break) write(w http.ResponseWriter) {
	switch {
	case b.Reset:
		reset(w)
	case b.Status != 0:
		http.Error(w, http.StatusText(b.Status), b.Status)
	default:
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, b.Body) //nolint:errcheck // the client has gone
	}
}

// answer takes one call through the faults.
func (p *Proxy) answer(ctx context.Context, r request) Answer {
	p.mu.Lock()
	p.calls[r.Method]++
	p.number++
	c, faults := Call{ctx, r.Method, r.Params, p.number}, p.faults
	p.mu.Unlock()
	next := p.forward
	for i := len(faults) - 1; i >= 0; i-- {
		next = p.counted(faults[i], next)
	}
	return next(c)
}

// counted wraps next in a fault and counts where that made a difference.
func (p *Proxy) counted(f Fault, next Next) Next {
	return func(c Call) Answer {
		var got *Answer
		same := true
		a := f.Do(c, func(inner Call) Answer {
			a := next(inner)
			same = same && got == nil && inner.Method == c.Method && equalParams(inner.Params, c.Params)
			got = &a
			return a
		})
		if got == nil || !same || !a.equal(*got) {
			p.mu.Lock()
			p.hits[f.Name]++
			p.mu.Unlock()
		}
		return a
	}
}

func equalParams(a, b []json.RawMessage) bool {
	return bytes.Equal(bytes.Join(rawBytes(a), []byte{0}), bytes.Join(rawBytes(b), []byte{0}))
}

func rawBytes(raw []json.RawMessage) [][]byte {
	out := make([][]byte, len(raw))
	for i := range raw {
		out[i] = raw[i]
	}
	return out
}

func (a Answer) equal(b Answer) bool {
	return bytes.Equal(a.Result, b.Result) && a.Err == b.Err && a.Break == b.Break
}

// forward asks the node of the proxy.
func (p *Proxy) forward(c Call) Answer { return p.ask(c, p.url) }

// ask asks the node at url. A node that cannot be reached breaks the connection.
func (p *Proxy) ask(c Call, url string) Answer { return post(p.client, c, url) }

func post(client *http.Client, c Call, url string) Answer {
	a, err := tryPost(client, c, url)
	if err != nil {
		return Answer{Break: Break{Reset: true}}
	}
	return a
}

func tryPost(client *http.Client, c Call, url string) (Answer, error) {
	params := c.Params
	if params == nil {
		params = []json.RawMessage{}
	}
	body, err := json.Marshal(request{"2.0", json.RawMessage("1"), c.Method, params})
	if err != nil {
		return Answer{}, fmt.Errorf("encode %s: %w", c.Method, err)
	}
	req, err := http.NewRequestWithContext(c.Context, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	req.Header.Set("Content-Type", "application/json")
	out, err := client.Do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", url, err)
	}
	defer out.Body.Close()
	if out.StatusCode != http.StatusOK {
		return Answer{Break: Break{Status: out.StatusCode}}, nil
	}
	var r response
	if err := json.NewDecoder(out.Body).Decode(&r); err != nil {
		return Answer{}, fmt.Errorf("read answer of %s: %w", url, err)
	}
	return Answer{Result: r.Result, Err: r.Err}, nil
}

// reset ends the connection with RST where it can.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(errors.Join(http.ErrAbortHandler, err))
	}
	if tcp, ok := conn.(interface{ SetLinger(int) error }); ok {
		tcp.SetLinger(0) //nolint:errcheck // closing is enough
	}
	conn.Close() //nolint:errcheck // that is the fault
}
