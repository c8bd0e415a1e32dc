package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, PromiseBond: proofs.Address{0xb0}, Log: proofs.Keccak([]byte("client tests"))}

const (
	clock = 1_795_254_640_000
	token = "importer-token"
)

func newKey(t testing.TB) *identity.Key {
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// service is a real one but for the chain, and a client of it.
type service struct {
	*client.Client
	db      *storage.DB
	promise *identity.Key
	sealed  chan struct{}
	changed *api.Signal
	delay   atomic.Pointer[api.Delay]
	owed    atomic.Pointer[api.Promises]
	stop    func() // ends the intake
}

func newService(t testing.TB, older ...receipts.Key) *service {
	t.Helper()
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{db: db, promise: newKey(t), sealed: make(chan struct{}, 64), changed: api.NewSignal()}
	s.owed.Store(&api.Promises{})
	logger := slog.New(slog.DiscardHandler)
	b, err := batcher.New(batcher.Config{
		Chain: chain, Store: db, Recover: identity.Recover, Logger: logger,
		Now: func() time.Time { return time.UnixMilli(clock) }, Sealed: func() { s.sealed <- struct{}{} },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	issuer := receipts.New(chain, db, s.promise)
	issuer.Older = older
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = api.NewServer(api.Config{
		Chain: chain, PromiseKeys: []proofs.Address{s.promise.Address()}, Store: db, Batcher: b, Flush: b.Flush,
		Issuer: issuer, Changed: s.changed, Delay: s.delay.Load, Promises: s.owed.Load, ImporterToken: token, Version: "test", Logger: logger,
	})
	ts.Start()
	t.Cleanup(func() {
		ts.Close()
		s.stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Client = newClient(t, ts.URL+"/")
	s.ImporterToken = token
	return s
}

func newClient(t testing.TB, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func signed(t testing.TB, body string) *proofs.Submission {
	key := newKey(t)
	m := proofs.Message{
		Log: chain.Log, Room: "ethereum/acd", Author: proofs.Author(key.Address().String()), SentAt: clock,
		Kind: "text/plain", Body: body, Salt: proofs.Keccak([]byte(body)),
	}
	e, err := key.SignMessage(chain.MessageDomain(), &m)
	if err != nil {
		t.Fatal(err)
	}
	return &proofs.Submission{Message: m, Evidence: e, Domain: &proofs.SignedIn{ChainID: chain.ChainID, VerifyingContract: chain.AnchorLog}}
}

// seen returns the n-th line of a chat, which nobody signed.
func seen(n int) proofs.Submission {
	return proofs.Submission{
		Message: proofs.Message{
			Log: chain.Log, Room: "ethereum/acd", Author: "zoom:Somebody", SentAt: clock, Kind: "text/plain",
			Body: fmt.Sprint("line ", n), Source: "zoom:chat.txt", Salt: proofs.Keccak(fmt.Append(nil, n)),
		},
		Evidence: proofs.Evidence{Scheme: proofs.SchemeNone},
	}
}

// TestLife follows a message from its submission to the anchored batch.
func TestLife(t *testing.T) {
	s, ctx := newService(t), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := s.Info(ctx)
	must(err)
	want := &client.Info{Chain: chain, PromiseKeys: []proofs.Address{s.promise.Address()}, MaxMessages: 4096, MaxAge: 10 * time.Minute, Promises: &client.Promises{}, Version: "test"}
	if diff := cmp.Diff(want, info); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	sub := signed(t, "hello")
	a, err := s.Submit(ctx, sub)
	must(err)
	signer, err := proofs.Recover(chain.PromiseDomain().PromiseDigest(&a.Promise), a.Promise.Signature)
	if err != nil || signer != s.promise.Address() || a.ID != chain.MessageDomain().MessageID(&sub.Message) || a.Replayed {
		t.Errorf("accepted %+v, promise of %s (%v)", a, signer, err)
	}
	again, err := s.Submit(ctx, sub)
	must(err)
	if !again.Replayed || again.Promise != a.Promise {
		t.Errorf("again: %+v, first %+v", again, a)
	}
	st, err := s.Status(ctx, a.ID)
	must(err)
	if diff := cmp.Diff(&client.Status{ID: a.ID, Entry: a.Entry, Deadline: a.Promise.Deadline}, st); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	must(s.Flush(ctx))
	<-s.sealed
	cid := proofs.Keccak([]byte("payload"))
	must(s.db.SetCID(ctx, 0, cid))
	must(s.db.SaveTx(ctx, 0, []byte("raw")))
	block := proofs.BlockRef{Number: 7, Hash: proofs.Hash{0xbb}}
	must(s.db.SetAnchor(ctx, 0, proofs.Standing{State: proofs.StateIncluded, Time: 1_795_254_700, Tx: proofs.Hash{0x77}, Anchor: &proofs.Anchor{Block: block}}))
	s.changed.Notify()
	st, err = s.WaitStatus(ctx, a.ID, proofs.StateIncluded)
	must(err)
	batch := client.Batch{
		Batch: proofs.Batch{Root: a.Entry.Leaf(), Size: 1, Time: 1_795_254_700, CID: cid}, State: proofs.StateIncluded,
		OpenedAt: clock, SealedAt: clock, Deadline: a.Promise.Deadline, Txs: 1, NewestTx: proofs.Keccak([]byte("raw")), Tx: proofs.Hash{0x77}, Block: block,
	}
	if diff := cmp.Diff(&client.Status{ID: a.ID, State: proofs.StateIncluded, Entry: a.Entry, Deadline: a.Promise.Deadline, Batch: &batch}, st); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	m, err := s.Message(ctx, a.ID)
	must(err)
	if diff := cmp.Diff(&client.Message{Status: *st, Message: &sub.Message, Evidence: &sub.Evidence}, m); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	one, err := s.Batch(ctx, 0)
	must(err)
	all, err := s.Batches(ctx, 0, 500)
	must(err)
	if diff := cmp.Diff([]client.Batch{batch, batch}, append(all, *one)); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	file, err := s.Receipt(ctx, a.ID)
	must(err)
	if r := proofs.Verify(file, proofs.Options{Trust: info.Trust("mine")}); r.Verdict != proofs.NotFinal {
		t.Errorf("verdict %v", r.Verdict)
	}
}

// TestSubmitMany sends more than one request holds, with a bad message among them, and again.
func TestSubmitMany(t *testing.T) {
	s, ctx := newService(t), t.Context()
	var subs []proofs.Submission
	for i := range 1100 {
		subs = append(subs, seen(i))
	}
	subs[700].Message.Room = "Bad Room"
	for _, replayed := range []bool{false, true} {
		answers, err := s.SubmitMany(ctx, subs)
		if err != nil || len(answers) != len(subs) {
			t.Fatalf("%d answers: %v", len(answers), err)
		}
		for i, a := range answers {
			var e *client.Error
			switch {
			case i == 700:
				if !errors.As(a.Err, &e) || e.Code != "malformed" || e.Status != 400 || e.Retryable || e.RequestID == "" {
					t.Errorf("answer 700: %+v", a)
				}
			case a.Err != nil || a.Accepted.ID != chain.MessageDomain().MessageID(&subs[i].Message) || a.Accepted.Replayed != replayed:
				t.Fatalf("answer %d: %+v", i, a)
			}
		}
	}
	found, more, err := s.BySource(ctx, "ethereum/acd", "zoom:chat.txt", proofs.VouchNobody)
	if err != nil || !more || len(found) != 128 || found[127].Message.Body != "line 1099" {
		t.Errorf("%d found, more %v: %v", len(found), more, err)
	}
	found, more, err = s.BySource(ctx, "ethereum/acd", "zoom:other.txt", proofs.VouchNobody)
	if err != nil || more || len(found) != 0 {
		t.Errorf("%d found of another source, more %v: %v", len(found), more, err)
	}
}

// TestSubmitManyBytes sends more bytes than one request may have.
func TestSubmitManyBytes(t *testing.T) {
	s := newService(t)
	var subs []proofs.Submission
	for i := range 40 {
		sub := seen(i)
		sub.Message.Body = strings.Repeat("\x01", proofs.MaxBody) // six bytes each in JSON
		subs = append(subs, sub)
	}
	answers, err := s.SubmitMany(t.Context(), subs)
	if err != nil || len(answers) != 40 {
		t.Fatalf("%d answers: %v", len(answers), err)
	}
	for i, a := range answers {
		if a.Err != nil {
			t.Errorf("answer %d: %v", i, a.Err)
		}
	}
}

// TestRefusals checks that an answer that says no comes as an *Error with its code.
func TestRefusals(t *testing.T) {
	s, ctx := newService(t), t.Context()
	forged := signed(t, "hello")
	forged.Message.Body = "other words"
	none := seen(1)
	for code, call := range map[string]func(*client.Client) error{
		"bad_signature":    func(c *client.Client) error { _, err := c.Submit(ctx, forged); return err },
		"not_found":        func(c *client.Client) error { _, err := c.Receipt(ctx, proofs.Hash{}); return err },
		"unsigned_refused": func(c *client.Client) error { c.ImporterToken = ""; _, err := c.Submit(ctx, &none); return err },
		"unauthenticated":  func(c *client.Client) error { c.ImporterToken = "x"; return c.Flush(ctx) },
		"malformed":        func(c *client.Client) error { _, err := c.Batches(ctx, 0, 501); return err },
		"closed": func(c *client.Client) error {
			s := newService(t)
			s.stop()
			_, err := s.Submit(ctx, signed(t, "late"))
			return err
		},
	} {
		t.Run(code, func(t *testing.T) {
			c := *s.Client
			err := call(&c)
			var e *client.Error
			if !errors.As(err, &e) || e.Code != code || e.Retryable != (code == "closed") || !strings.Contains(err.Error(), e.Detail) {
				t.Errorf("got %v", err)
			}
			if errors.Is(err, client.ErrUnreachable) {
				t.Errorf("an answer is not unreachable: %v", err)
			}
		})
	}
}

// answering returns a client of a server that answers everything alike.
func answering(t testing.TB, status int, body string) *client.Client {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body))
	}))
	t.Cleanup(ts.Close)
	return newClient(t, ts.URL)
}

func TestBusyCarriesTheTime(t *testing.T) {
	c := answering(t, 503, `{"status": 503, "code": "busy", "detail": "full", "retryable": true, "retryAfter": 7, "requestId": "req_1"}`)
	_, err := c.Info(t.Context())
	var e *client.Error
	want := &client.Error{Status: 503, Code: "busy", Detail: "full", Retryable: true, RetryAfter: 7 * time.Second, RequestID: "req_1"}
	if !errors.As(err, &e) || *e != *want {
		t.Errorf("got %+v", err)
	}
}

// TestStrangers talks to what is no Hansard service, or a lying one.
func TestStrangers(t *testing.T) {
	s, ctx := newService(t), t.Context()
	sub := signed(t, "mine")
	if _, err := s.Submit(ctx, sub); err != nil {
		t.Fatal(err)
	}
	id := chain.MessageDomain().MessageID(&sub.Message)

	var e *client.Error
	if _, err := answering(t, 502, "<html>bad gateway").Info(ctx); !errors.As(err, &e) || e.Code != "" || !e.Retryable || e.Status != 502 {
		t.Errorf("a proxy's error: %v", err)
	}
	if _, err := answering(t, 404, "404 page not found").Info(ctx); !errors.As(err, &e) || e.Retryable {
		t.Errorf("another server: %v", err)
	}
	if _, err := answering(t, 200, "<html>hello").Info(ctx); err == nil || errors.As(err, &e) {
		t.Errorf("a page: %v", err)
	}
	if _, err := answering(t, 200, strings.Repeat(" ", proofs.MaxReceipt+1)).Receipt(ctx, id); err == nil || !strings.Contains(err.Error(), "limit") {
		t.Errorf("an endless receipt: %v", err)
	}
	if _, err := answering(t, 200, `{"id": "`+id.String()+`", "state": "done"}`).Status(ctx, id); err == nil {
		t.Error("an unknown state was taken")
	}
	if _, err := answering(t, 200, `{"results": []}`).SubmitMany(ctx, []proofs.Submission{*sub}); err == nil {
		t.Error("no answer to a message was taken")
	}
	batch := `{"number": "0", "state": "batched", "first": "0", "size": "1", "cid": "bafy"}`
	if _, err := answering(t, 200, batch).Batch(ctx, 0); err == nil || !strings.Contains(err.Error(), "cid") {
		t.Errorf("a bad CID: %v", err)
	}
}

// TestAnotherMessage gives the answer to one message for another.
func TestAnotherMessage(t *testing.T) {
	s, ctx := newService(t), t.Context()
	a, b := signed(t, "a"), signed(t, "b")
	var body string
	tap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }))
	defer tap.Close()
	acc, err := s.Submit(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	entry, _ := acc.Entry.MarshalJSON()
	sig, _ := acc.Promise.Signature.MarshalText()
	body = fmt.Sprintf(`{"id": %q, "state": "accepted", "entry": %s, "promise": {"deadline": "%d", "beneficiary": %q, "signature": %q}}`,
		acc.ID, entry, acc.Promise.Deadline, acc.Promise.Beneficiary, sig)
	c := newClient(t, tap.URL)
	if got, err := c.Submit(ctx, a); err != nil || got.Promise != acc.Promise {
		t.Fatalf("the message's own answer: %v", err)
	}
	if _, err := c.Submit(ctx, b); err == nil {
		t.Error("the answer to another author's message was taken")
	}
	edited := *a
	edited.Message.Body = "A"
	if _, err := c.Submit(ctx, &edited); err == nil {
		t.Error("the answer to other words was taken")
	}
	body = fmt.Sprintf(`{"results": [{"status": 201, "accepted": %s}]}`, body)
	if answers, err := c.SubmitMany(ctx, []proofs.Submission{*b}); err != nil || answers[0].Err == nil {
		t.Errorf("one of many: %v %v", answers, err)
	}
}

func TestUnreachable(t *testing.T) {
	ts := httptest.NewServer(http.NotFoundHandler())
	c := newClient(t, ts.URL)
	ts.Close()
	if _, err := c.Info(t.Context()); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("no server: %v", err)
	}
	if _, err := c.WaitStatus(t.Context(), proofs.Hash{}, proofs.StateFinalized); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("wait without a server: %v", err)
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.Write([]byte("{"))
	}))
	defer cut.Close()
	if _, err := newClient(t, cut.URL).Info(t.Context()); !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("an answer cut short: %v", err)
	}

	s := newService(t)
	sub := signed(t, "hello")
	a, err := s.Submit(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.WaitStatus(ctx, a.ID, proofs.StateFinalized); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("a time that ran out: %v", err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := s.Status(stopped, a.ID); !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrUnreachable) {
		t.Errorf("the caller's own wish: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:8080", "ftp://host", "http://", "http://host?x=1", "http://host#x", "http://ho st"} {
		if _, err := client.New(url, nil); err == nil {
			t.Errorf("%q was taken", url)
		}
	}
}

// TestNoPromise: an answer without a promise is an error that says so, and no promise of zeros.
func TestNoPromise(t *testing.T) {
	s := newService(t, receipts.Key{Address: proofs.Address{1}, Until: 1})
	sub := signed(t, "words")
	if a, err := s.Submit(t.Context(), sub); a != nil || err == nil || !strings.Contains(err.Error(), "cannot sign its promise again") {
		t.Errorf("got %+v, %v", a, err)
	}
	many, err := s.SubmitMany(t.Context(), []proofs.Submission{*sub, *signed(t, "more")})
	if err != nil || many[0].Accepted != nil || many[0].Err == nil || many[1].Err != nil {
		t.Errorf("got %+v, %v", many, err)
	}
}
