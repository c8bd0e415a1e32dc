package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// problem is an error as RFC 9457 shapes it.
type problem struct {
	Title, Code, Detail string
	Status, RetryAfter  int
	Retryable           bool
	RequestID           string
}

// wantProblem checks an answer that is an error, in form and content, and that docs/api.md has its code.
func (s *service) wantProblem(a answer, status int, code string, retryable bool) problem {
	s.t.Helper()
	p := decode[problem](s.t, a)
	if a.status != status || p.Status != status || p.Code != code || p.Retryable != retryable || p.Title == "" || p.Detail == "" {
		s.t.Errorf("status %d, want %d %s: %s", a.status, status, code, a.body)
	}
	if a.header.Get("Content-Type") != "application/problem+json" || p.RequestID == "" || a.header.Get("Request-Id") != p.RequestID {
		s.t.Errorf("headers %v with %s", a.header, a.body)
	}
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		s.t.Fatal(err)
	}
	if row := fmt.Sprintf("| `%s` | %d |", code, status); !strings.Contains(string(docs), row) {
		s.t.Errorf("docs/api.md has no row %s", row)
	}
	return p
}

// TestEveryError shows each code that does not need a broken service.
func TestEveryError(t *testing.T) {
	s := newService(t, nil)
	m, key := message(t, "hello")
	change := func(f func(*proofs.Submission)) string {
		sub := sign(t, m, key)
		f(sub)
		return string(sub.Format())
	}
	resign := func(f func(*proofs.Message)) string {
		m := m
		f(&m)
		return string(sign(t, m, key).Format())
	}
	over := strings.Repeat(" ", proofs.MaxSubmission+1)
	many := `{"messages": [` + strings.Repeat("1,", 500) + "1]}"
	zero := proofs.Hash{}.String()
	ndjson := "Content-Type: application/x-ndjson"
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
		code                     string
	}{
		{name: "id in upper case", path: "/v1/messages/0x" + strings.Repeat("A", 64), status: 400, code: "malformed"},
		{name: "short id", path: "/v1/messages/0x12/status", status: 400, code: "malformed"},
		{name: "id without 0x", path: "/v1/messages/" + zero[2:] + "/receipt", status: 400, code: "malformed"},
		{name: "wait", path: path(proofs.Hash{}, "/status?wait=soon"), status: 400, code: "malformed"},
		{name: "negative wait", path: path(proofs.Hash{}, "/status?wait=-1s"), status: 400, code: "malformed"},
		{name: "until", path: path(proofs.Hash{}, "/status?until=done"), status: 400, code: "malformed"},
		{name: "room", path: "/v1/messages?room=A&source=zoom:1", status: 400, code: "malformed"},
		{name: "no source", path: "/v1/messages?room=a", status: 400, code: "malformed"},
		{name: "vouch", path: "/v1/messages?room=a&source=zoom:1&vouch=7", status: 400, code: "malformed"},
		{name: "batch number", path: "/v1/batches/01", status: 400, code: "malformed"},
		{name: "batch limit", path: "/v1/batches?limit=501", status: 400, code: "malformed"},
		{name: "batch from", path: "/v1/batches?from=-1", status: 400, code: "malformed"},
		{name: "kind without its body", method: "POST", path: "/v1/messages", body: resign(func(m *proofs.Message) { m.Kind = "edit" }), status: 400, code: "malformed"},
		{name: "empty many", method: "POST", path: "/v1/messages:batch", body: `{"messages": []}`, status: 400, code: "malformed"},
		{name: "no lines", method: "POST", path: "/v1/messages:batch", body: "\n\n", headers: []string{ndjson}, status: 400, code: "malformed"},
		{name: "many with another key", method: "POST", path: "/v1/messages:batch", body: `{"messages": [1], "x": 1}`, status: 400, code: "malformed"},
		{name: "many with trailing bytes", method: "POST", path: "/v1/messages:batch", body: `{"messages": [1]} 2`, status: 400, code: "malformed"},
		{name: "many cut short", method: "POST", path: "/v1/messages:batch", body: `{"messages": [1,`, status: 400, code: "malformed"},
		{name: "flush without token", method: "POST", path: "/v1/flush", status: 401, code: "unauthenticated"},
		{name: "flush with another", method: "POST", path: "/v1/flush", headers: []string{"Authorization: Bearer x"}, status: 401, code: "unauthenticated"},
		{name: "none", method: "POST", path: "/v1/messages", body: string(unsigned(t, "x", "zoom:1").Format()), status: 403, code: "unsigned_refused"},
		{name: "none with another token", method: "POST", path: "/v1/messages", body: string(unsigned(t, "x", "zoom:1").Format()), headers: []string{"Authorization: Bearer " + token + "x"}, status: 403, code: "unsigned_refused"},
		{name: "message", path: path(proofs.Hash{}, ""), status: 404, code: "not_found"},
		{name: "status", path: path(proofs.Hash{}, "/status?wait=30s"), status: 404, code: "not_found"},
		{name: "receipt", path: path(proofs.Hash{}, "/receipt"), status: 404, code: "not_found"},
		{name: "batch", path: "/v1/batches/0", status: 404, code: "not_found"},
		{name: "path", path: "/v2/info", status: 404, code: "not_found"},
		{name: "no gateway", path: "/ipfs/" + proofs.FormatCID(proofs.Hash{}) + "?format=raw", status: 404, code: "not_found"},
		{name: "method", method: "DELETE", path: "/v1/batches/0", status: 404, code: "not_found"},
		{name: "request", method: "POST", path: "/v1/messages", body: over, status: 413, code: "too_large"},
		{name: "body", method: "POST", path: "/v1/messages", body: resign(func(m *proofs.Message) { m.Body = strings.Repeat("x", proofs.MaxBody+1) }), status: 413, code: "too_large"},
		{name: "many", method: "POST", path: "/v1/messages:batch", body: many, status: 413, code: "too_large"},
		{name: "many lines", method: "POST", path: "/v1/messages:batch", body: strings.Repeat("1\n", 501), headers: []string{ndjson}, status: 413, code: "too_large"},
		{name: "many bytes", method: "POST", path: "/v1/messages:batch", body: strings.Repeat(" ", 16<<20+1), status: 413, code: "too_large"},
		{name: "signature", method: "POST", path: "/v1/messages", body: change(func(s *proofs.Submission) { s.Message.Body = "other words" }), status: 422, code: "bad_signature"},
		{name: "scheme", method: "POST", path: "/v1/messages", body: change(func(s *proofs.Submission) { s.Evidence.Scheme = "nostr" }), status: 422, code: "bad_signature"},
		{name: "future", method: "POST", path: "/v1/messages", body: resign(func(m *proofs.Message) { m.SentAt = clock + 301_000 }), status: 422, code: "stale_timestamp"},
		{name: "log", method: "POST", path: "/v1/messages", body: resign(func(m *proofs.Message) { m.Log[0]++ }), status: 422, code: "wrong_domain"},
		{name: "chain", method: "POST", path: "/v1/messages", body: change(func(s *proofs.Submission) {
			s.Domain = &proofs.SignedIn{ChainID: 1, VerifyingContract: chain.AnchorLog}
		}), status: 422, code: "wrong_domain"},
		{name: "contract", method: "POST", path: "/v1/messages", body: change(func(s *proofs.Submission) { s.Domain = &proofs.SignedIn{ChainID: chain.ChainID} }), status: 422, code: "wrong_domain"},
	} {
		t.Run(c.code+"/"+c.name, func(t *testing.T) {
			if c.method == "" {
				c.method = "GET"
			}
			s.wantProblem(s.call(c.method, c.path, c.body, c.headers...), c.status, c.code, false)
		})
	}
	if tail, err := s.db.Tail(t.Context()); err != nil || tail.Next != 0 {
		t.Errorf("%d entries (%v)", tail.Next, err)
	}
}

// eager sends bodies only once the service asks for them.
var eager = &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}

// stalled is a body that says when it is first read and then waits for its end.
type stalled struct {
	asked chan<- struct{}
	end   <-chan struct{}
}

func (b stalled) Read([]byte) (int, error) {
	b.asked <- struct{}{}
	<-b.end
	return 0, io.ErrUnexpectedEOF
}

func (s *service) stall(size int64, asked chan<- struct{}, end <-chan struct{}) (*http.Response, error) {
	req, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+"/v1/messages:batch", stalled{asked, end})
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	req.Header.Set("Expect", "100-continue")
	return eager.Do(req)
}

// TestTooLargeIsNotRead: a body that is said to be too large is not asked for.
func TestTooLargeIsNotRead(t *testing.T) {
	s := newService(t, nil)
	asked, end := make(chan struct{}, 1), make(chan struct{})
	close(end)
	resp, err := s.stall(api.MaxManyBytes+1, asked, end)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge || len(asked) != 0 {
		t.Errorf("status %d, body asked for %d times", resp.StatusCode, len(asked))
	}
}

// TestBodiesAreBounded: four requests of 16 MiB are read at once, and another is told to wait.
func TestBodiesAreBounded(t *testing.T) {
	s := newService(t, nil)
	end := make(chan struct{})
	var wg sync.WaitGroup
	for range 6 { // four fill the service; who is one too many tries again
		wg.Go(func() {
			for {
				select {
				case <-end:
					return
				default:
				}
				read, write := io.Pipe()
				wg.Go(func() {
					write.Write(bytes.Repeat([]byte(" "), api.MaxManyBytes-100)) //nolint:errcheck // it may be refused
					<-end
					write.Close()
				})
				if resp, err := http.Post(s.url+"/v1/messages:batch", "application/json", read); err == nil {
					resp.Body.Close()
				}
				read.Close()
			}
		})
	}
	file := string(signed(t, "x").Format())
	got := s.call("POST", "/v1/messages", file)
	for got.status != http.StatusServiceUnavailable {
		runtime.Gosched() // the bodies arrive in their own time
		got = s.call("POST", "/v1/messages", file)
	}
	s.wantProblem(got, 503, "busy", true)
	close(end)
	wg.Wait()
	for s.call("POST", "/v1/messages", string(signed(t, "y").Format())).status == http.StatusServiceUnavailable {
		runtime.Gosched() // the service notices the ends in its own time
	}
}

// TestClaimedLength opens requests that claim the longest bodies and send nothing: they hold up nobody.
func TestClaimedLength(t *testing.T) {
	s := newService(t, nil)
	asked, end := make(chan struct{}, 8), make(chan struct{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if resp, err := s.stall(api.MaxManyBytes, asked, end); err == nil {
				resp.Body.Close()
			}
		})
	}
	for range 8 {
		<-asked
	}
	s.want(s.call("POST", "/v1/messages", string(signed(t, "x").Format())), http.StatusCreated)
	close(end)
	wg.Wait()
}

// TestUnknownLength sends too much without saying so beforehand.
func TestUnknownLength(t *testing.T) {
	s := newService(t, nil)
	body := io.MultiReader(strings.NewReader(strings.Repeat(" ", proofs.MaxSubmission+1)))
	resp, err := http.Post(s.url+"/v1/messages", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestNoTokenIsNever(t *testing.T) {
	s := newService(t, func(_ *service, with *setup) { with.api.ImporterToken = "" })
	for _, bearer := range []string{"Bearer ", "Bearer", "", "Bearer " + token} {
		file := string(unsigned(t, "x", "zoom:1").Format())
		s.wantProblem(s.call("POST", "/v1/messages", file, "Authorization: "+bearer), 403, "unsigned_refused", false)
		r := httptest.NewRequest("POST", "/v1/flush", nil) // as it is: a connection drops the trailing space
		r.Header.Set("Authorization", bearer)
		w := httptest.NewRecorder()
		s.server.Handler.ServeHTTP(w, r)
		s.wantProblem(answer{w.Code, w.Header(), w.Body.Bytes()}, 401, "unauthenticated", false)
	}
}

// TestBusy fills a queue that nobody empties.
func TestBusy(t *testing.T) {
	s := newService(t, func(_ *service, with *setup) { with.idle, with.batcher.Queue = true, 1 })
	if a := s.call("GET", "/readyz", ""); a.status != http.StatusOK {
		t.Errorf("readyz before: %d %s", a.status, a.body)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	first := signed(t, "first")
	s.batcher.Submit(gone, batcher.Submission{Message: first.Message, Evidence: first.Evidence})
	file := string(signed(t, "second").Format())
	for _, a := range []answer{s.call("POST", "/v1/messages", file), s.call("GET", "/readyz", "")} {
		if p := s.wantProblem(a, 503, "busy", true); p.RetryAfter != 1 || a.header.Get("Retry-After") != "1" {
			t.Errorf("retry after %d, header %q", p.RetryAfter, a.header.Get("Retry-After"))
		}
	}
	type results struct{ Results []result }
	many := decode[results](t, s.call("POST", "/v1/messages:batch", `{"messages": [`+file+"]}")).Results
	if len(many) != 1 || many[0].Error == nil || many[0].Error.Code != "busy" || many[0].Error.RetryAfter != 1 {
		t.Errorf("many: %+v", many)
	}
}

// TestClosed stops the intake: reading goes on.
func TestClosed(t *testing.T) {
	s := newService(t, nil)
	a := s.submit(signed(t, "before"))
	s.stop()
	s.wantProblem(s.call("POST", "/v1/messages", string(signed(t, "after").Format())), 503, "closed", true)
	s.wantProblem(s.call("GET", "/readyz", ""), 503, "closed", true)
	s.want(s.call("GET", "/livez", ""), http.StatusOK)
	s.want(s.call("GET", path(a.ID, "/receipt"), ""), http.StatusOK)
}

// brokenStore cannot read batches.
type brokenStore struct{ receiptsStore }

var errDisk = errors.New("input/output error")

func (brokenStore) BatchOf(context.Context, uint64) (proofs.Sealed, error) {
	return proofs.Sealed{}, errDisk
}

// TestInternal breaks the disk: the client hears that and no more, the log holds the cause, and
// neither bodies nor tokens.
func TestInternal(t *testing.T) {
	s := newService(t, func(s *service, with *setup) { with.receipts = brokenStore{s.db} })
	sub := signed(t, "secret words")
	a := s.submit(sub)
	p := s.wantProblem(s.call("GET", path(a.ID, "/status?wait=1s"), ""), 500, "internal", false)
	if strings.Contains(p.Detail, errDisk.Error()) {
		t.Errorf("the client was told %q", p.Detail)
	}
	s.wantProblem(s.call("POST", "/v1/messages", string(sub.Format()), "Authorization: Bearer "+token), 500, "internal", false)
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	logs := s.logs.String()
	if strings.Count(logs, errDisk.Error()) != 2 || !strings.Contains(logs, p.RequestID) {
		t.Errorf("logs: %s", logs)
	}
	if strings.Contains(logs, "secret") || strings.Contains(logs, token) {
		t.Errorf("logs tell too much: %s", logs)
	}
}
