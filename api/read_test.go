package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

func TestInfo(t *testing.T) {
	s := newService(t, nil)
	a := s.want(s.call("GET", "/v1/info", ""), http.StatusOK)
	got := decode[map[string]any](t, a)
	want := map[string]any{
		"chain": map[string]any{
			"chainId": "1337", "anchorLog": chain.AnchorLog.String(),
			"promiseBond": chain.PromiseBond.String(), "log": chain.Log.String(),
		},
		"promiseKeys": []any{s.promise.Address().String()},
		"limits": map[string]any{
			"bodyBytes": 65536.0, "evidenceBytes": 65536.0, "sourceBytes": 2048.0, "attachments": 64.0,
			"requestBytes": 1048576.0, "many": 500.0, "manyBytes": 16777216.0, "waitSeconds": 60.0,
		},
		"batch":   map[string]any{"maxMessages": "4096", "maxAge": "600000"},
		"version": "test",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestMessage follows a message from the pool to finality.
func TestMessage(t *testing.T) {
	s := newService(t, nil)
	sub := signed(t, `quotes ", <tags> & line`+"\n"+`separators`+"\u2028")
	a := s.submit(sub)
	type message struct {
		ID         proofs.Hash
		State      string
		Message    proofs.Message
		Authorship struct {
			Scheme   string
			Evidence []byte
		}
		Entry    proofs.Entry
		Deadline string
		Batch    map[string]string
		Links    map[string]string
	}
	check := func(state string, batch map[string]string) {
		t.Helper()
		got := decode[message](t, s.want(s.call("GET", path(a.ID, ""), ""), http.StatusOK))
		want := message{
			ID: a.ID, State: state, Message: sub.Message, Entry: a.Entry, Deadline: "1795341040", Batch: batch, Links: a.Links,
		}
		want.Authorship.Scheme, want.Authorship.Evidence = "eip712", sub.Evidence.Bytes
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", state, diff)
		}
		st := decode[map[string]json.RawMessage](t, s.want(s.call("GET", path(a.ID, "/status"), ""), http.StatusOK))
		if string(st["state"]) != `"`+state+`"` || st["message"] != nil || (st["batch"] != nil) != (batch != nil) {
			t.Errorf("status: %s", st)
		}
	}
	check("accepted", nil)
	s.seal()
	root := a.Entry.Leaf()
	batch := map[string]string{
		"number": "0", "state": "batched", "root": root.String(), "first": "0", "size": "1",
		"openedAt": "1795254640000", "sealedAt": "1795254640000", "notBefore": proofs.Hash{}.String(), "deadline": "1795341040",
	}
	check("batched", batch)
	s.anchor(0, proofs.StateFinalized)
	b, err := s.db.Batch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	batch["state"], batch["cid"], batch["time"] = "finalized", proofs.FormatCID(b.CID), "1795254700"
	batch["txs"], batch["newestTx"] = "1", proofs.Keccak([]byte("raw transaction")).String()
	batch["tx"], batch["blockNumber"], batch["blockHash"] = b.Tx.String(), "7", b.Anchor.Block.Hash.String()
	check("finalized", batch)
	if diff := cmp.Diff(batch, decode[map[string]string](t, s.call("GET", "/v1/batches/0", ""))); diff != "" {
		t.Errorf("batch (-want +got):\n%s", diff)
	}
}

// TestReceipt asks at every level. A pending receipt is there, and never kept by a cache.
func TestReceipt(t *testing.T) {
	s := newService(t, nil)
	a := s.submit(signed(t, "hello"))
	var tags []string
	check := func(level proofs.Level, cache string, verdict proofs.Verdict) {
		t.Helper()
		got := s.want(s.call("GET", path(a.ID, "/receipt"), ""), http.StatusOK)
		rc, err := proofs.ParseReceipt(got.body)
		if err != nil || rc.Level != level {
			t.Fatalf("level %v, want %v (%v)", rc.Level, level, err)
		}
		if got.header.Get("Cache-Control") != cache || got.header.Get("Content-Type") != proofs.MediaType {
			t.Errorf("headers %v", got.header)
		}
		trust := &proofs.Trust{Logs: []proofs.TrustedLog{{Chain: chain, PromiseKeys: []proofs.Address{s.promise.Address()}}}}
		o := proofs.Options{Trust: trust}
		if rc.Anchor != nil {
			o.BlockHash = rc.Anchor.Block.Hash
		}
		if r := proofs.Verify(got.body, o); r.Verdict != verdict {
			t.Errorf("verdict %v, want %v", r.Verdict, verdict)
		}
		tag := got.header.Get("ETag")
		same := s.call("GET", path(a.ID, "/receipt"), "", "If-None-Match: "+tag)
		if same.status != http.StatusNotModified || len(same.body) != 0 {
			t.Errorf("with its ETag: status %d, %d bytes", same.status, len(same.body))
		}
		head := s.call("HEAD", path(a.ID, "/receipt"), "")
		if head.status != http.StatusOK || head.header.Get("ETag") != tag {
			t.Errorf("HEAD: %d %v", head.status, head.header)
		}
		for _, old := range tags {
			if old == tag {
				t.Errorf("another receipt has the same ETag")
			}
		}
		tags = append(tags, tag)
	}
	check(proofs.Promised, "no-cache", proofs.NotFinal)
	s.seal()
	s.anchor(0, proofs.StateIncluded)
	check(proofs.Included, "no-cache", proofs.NotFinal)
	s.anchor(0, proofs.StateFinalized)
	check(proofs.Finalized, "public, max-age=31536000, immutable", proofs.Valid)
}

// TestReceiptBeforeItsFold: where the log is folded, a finalized receipt is still to change, once.
func TestReceiptBeforeItsFold(t *testing.T) {
	for _, tt := range []struct {
		trouble error
		status  int
		cache   string
	}{{proofs.ErrNotFound, http.StatusOK, "no-cache"}, {errors.New("trouble"), http.StatusInternalServerError, "no-store"}} {
		s := newService(t, func(_ *service, with *setup) { with.folds = folds{tt.trouble} })
		a := s.submit(signed(t, "hello"))
		s.seal()
		s.anchor(0, proofs.StateFinalized)
		got := s.want(s.call("GET", path(a.ID, "/receipt"), ""), tt.status)
		if cache := got.header.Get("Cache-Control"); cache != tt.cache {
			t.Errorf("%v: Cache-Control %q, want %q", tt.trouble, cache, tt.cache)
		}
	}
}

// folds has no fold for anybody.
type folds struct{ err error }

func (f folds) Attach(context.Context, *proofs.Receipt) (*proofs.Receipt, error) { return nil, f.err }

// TestBySource asks for the versions of an imported line, of which others may say what they like.
func TestBySource(t *testing.T) {
	s := newService(t, nil)
	source := "zoom:chat.txt?line=1&x=%20"
	ask := func(vouch string) (bodies []string, more bool) {
		query := url.Values{"room": {"ethereum/acd"}, "source": {source}, "vouch": {vouch}}.Encode()
		got := decode[struct {
			Messages []struct {
				State   string
				Message proofs.Message
			}
			More bool
		}](t, s.want(s.call("GET", "/v1/messages?"+query, ""), http.StatusOK))
		for _, m := range got.Messages {
			bodies = append(bodies, m.State+" "+m.Message.Body)
		}
		return bodies, got.More
	}
	if got, more := ask(""); len(got) != 0 || more {
		t.Errorf("before: %v", got)
	}
	s.submit(unsigned(t, "as first seen", source))
	s.seal()
	m, key := message(t, "another's word")
	m.Source = source
	s.submit(sign(t, m, key))
	s.submit(unsigned(t, "as edited", source))
	s.submit(unsigned(t, "another line", "zoom:chat.txt?line=2"))
	got, more := ask("6")
	if diff := cmp.Diff([]string{"batched as first seen", "accepted as edited"}, got); diff != "" || more {
		t.Errorf("more %v (-want +got):\n%s", more, diff)
	}
	if got, _ := ask(""); len(got) != 3 {
		t.Errorf("of any author: %v", got)
	}
	var items []string
	for i := range 128 {
		items = append(items, string(unsigned(t, fmt.Sprint("version ", i), source).Format()))
	}
	s.call("POST", "/v1/messages:batch", `{"messages": [`+strings.Join(items, ",")+"]}", "Authorization: Bearer "+token)
	if got, more := ask("6"); !more || len(got) != 128 || got[127] != "accepted version 127" || got[0] != "accepted version 0" {
		t.Errorf("%d of 130, more %v: %.2v", len(got), more, got)
	}
}

// TestHeldBy: who holds a batch is said of it, alone and in lists, and an error is none of the client's.
func TestHeldBy(t *testing.T) {
	var fault error
	s := newService(t, func(_ *service, with *setup) {
		with.api.Holders = func(_ context.Context, s *proofs.Sealed) ([]string, error) {
			return []string{"embedded", fmt.Sprint("place-", s.Number)}[:1+s.Number], fault
		}
	})
	for _, body := range []string{"a", "b"} {
		s.submit(signed(t, body))
		s.seal()
	}
	type held struct{ HeldBy []string }
	want := []held{{[]string{"embedded"}}, {[]string{"embedded", "place-1"}}}
	list := decode[struct{ Batches []held }](t, s.want(s.call("GET", "/v1/batches", ""), http.StatusOK))
	one := decode[held](t, s.want(s.call("GET", "/v1/batches/1", ""), http.StatusOK))
	if diff := cmp.Diff(append(want, want[1]), append(list.Batches, one)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	fault = errors.New("no disk")
	for _, path := range []string{"/v1/batches", "/v1/batches/0"} {
		s.want(s.call("GET", path, ""), http.StatusInternalServerError)
	}
}

func TestBatches(t *testing.T) {
	s := newService(t, nil)
	for _, body := range []string{"a", "b", "c"} {
		s.submit(signed(t, body))
		s.seal()
	}
	for query, want := range map[string][]string{
		"":                {"0", "1", "2"},
		"?from=1":         {"1", "2"},
		"?limit=2":        {"0", "1"},
		"?from=1&limit=1": {"1"},
		"?limit=0":        {},
		"?from=3":         {},
	} {
		list := decode[struct{ Batches []map[string]string }](t, s.want(s.call("GET", "/v1/batches"+query, ""), http.StatusOK))
		got := []string{}
		for _, b := range list.Batches {
			got = append(got, b["number"])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

// TestHeaders checks what every answer carries, and that other origins may read and not write.
func TestHeaders(t *testing.T) {
	s := newService(t, nil)
	seen := map[string]bool{}
	for _, c := range []struct{ method, path, origin string }{
		{"GET", "/livez", "*"}, {"GET", "/readyz", "*"}, {"GET", "/v1/info", "*"}, {"HEAD", "/v1/batches", "*"},
		{"GET", "/nowhere", "*"}, {"POST", "/v1/messages", ""}, {"POST", "/v1/flush", ""}, {"OPTIONS", "/v1/messages", ""},
	} {
		h := s.call(c.method, c.path, "").header
		if got := h.Get("Access-Control-Allow-Origin"); got != c.origin {
			t.Errorf("%s %s: other origins: %q, want %q", c.method, c.path, got, c.origin)
		}
		id := h.Get("Request-Id")
		if id == "" || seen[id] || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %s: %v", c.method, c.path, h)
		}
		seen[id] = true
	}
}

type receiptsStore = receipts.Store

// watched says when a status was read.
type watched struct {
	receiptsStore
	read chan struct{}
}

func (w watched) BatchOf(ctx context.Context, index uint64) (proofs.Sealed, error) {
	defer func() { w.read <- struct{}{} }()
	return w.receiptsStore.BatchOf(ctx, index)
}

// poll asks for a status in the background and returns once the service has looked for the first time.
func (s *service) poll(path string, read <-chan struct{}) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		defer close(answers)
		a, err := s.try("GET", path, "")
		if err != nil {
			s.t.Error(err)
			return
		}
		answers <- a
	}()
	<-read
	return answers
}

// TestLongPoll: the answer comes with the change that was waited for, not with another one, and long
// before the wait is over.
func TestLongPoll(t *testing.T) {
	read := make(chan struct{}, 64)
	s := newService(t, func(s *service, with *setup) { with.receipts = watched{s.db, read} })
	a := s.submit(signed(t, "hello"))
	answers := s.poll(path(a.ID, "/status?wait=1h&until=included"), read)
	s.seal()
	s.changed.Notify()
	<-read
	select {
	case got := <-answers:
		t.Fatalf("answered at batched: %s", got.body)
	default:
	}
	s.anchor(0, proofs.StateIncluded)
	if got := <-answers; !strings.Contains(string(got.body), `"state":"included"`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

func TestLongPollEndsWithTheServer(t *testing.T) {
	read := make(chan struct{}, 64)
	s := newService(t, func(s *service, with *setup) { with.receipts = watched{s.db, read} })
	a := s.submit(signed(t, "hello"))
	answers := s.poll(path(a.ID, "/status?wait=60s"), read)
	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-answers; got.status != http.StatusOK || !strings.Contains(string(got.body), `"state":"accepted"`) {
		t.Errorf("got %d %s", got.status, got.body)
	}
}

// TestLongPollOutlivesTimeouts: the server's timeouts are for other requests.
func TestLongPollOutlivesTimeouts(t *testing.T) {
	s := newService(t, func(_ *service, with *setup) { with.timeout = 50 * time.Millisecond })
	a := s.submit(signed(t, "hello"))
	started := time.Now()
	got := s.want(s.call("GET", path(a.ID, "/status?wait=250ms"), ""), http.StatusOK)
	if took := time.Since(started); took < 250*time.Millisecond || !strings.Contains(string(got.body), `"state":"accepted"`) {
		t.Errorf("after %s: %s", took, got.body)
	}
}
