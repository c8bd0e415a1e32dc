package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

// faultyStore is a store whose writes of entries go wrong. It knows the promises of what it stored.
type faultyStore struct {
	*storage.DB
	t testing.TB

	mu     sync.Mutex
	fault  func(write func() error) error // in the place of the next writes; nil: none
	stored map[proofs.Hash]bool           // digests of the promises of what an Append returned nil for
	signed int
}

func (s *faultyStore) Append(ctx context.Context, tail proofs.Tail, entries []proofs.Accepted) error {
	write := func() error { return s.DB.Append(ctx, tail, entries) }
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault == nil {
		fault = func(write func() error) error { return write() }
	}
	err := fault(write)
	if err == nil {
		s.keep(entries)
	}
	return err
}

// keep notes that entries are on stable storage.
func (s *faultyStore) keep(entries []proofs.Accepted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range entries {
		p := entries[i].Promise()
		s.stored[chain.PromiseDomain().PromiseDigest(&p)] = true
	}
}

// watchedSigner signs, and fails the test for a promise of what the store did not say it has.
type watchedSigner struct {
	*identity.Key
	store *faultyStore
}

func (w watchedSigner) SignDigest(digest proofs.Hash) (proofs.Signature, error) {
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.signed++
	if !w.store.stored[digest] {
		w.store.t.Error("a promise is signed for an entry that is not on stable storage")
	}
	return w.Key.SignDigest(digest)
}

func (s *faultyStore) breakWith(fault func(write func() error) error) (signedBefore int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
	return s.signed
}

// count returns how many promises were signed.
func (s *faultyStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signed
}

// serve starts a service over the store.
func (s *faultyStore) serve(ctx context.Context, key *identity.Key) (url string, stop func()) {
	t := s.t
	t.Helper()
	b, err := batcher.New(batcher.Config{Chain: chain, Store: s, Recover: identity.Recover, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(clock) }})
	if err != nil {
		t.Fatal(err)
	}
	issuer := receipts.New(chain, s.DB, watchedSigner{key, s})
	issuer.Durable = b.Durable
	server := api.NewServer(api.Config{Chain: chain, PromiseKeys: []proofs.Address{key.Address()}, Store: s.DB, ImporterToken: token,
		Batcher: b, Flush: b.Flush, Issuer: issuer, Logger: slog.New(slog.DiscardHandler)})
	ts := httptest.NewServer(server.Handler)
	loop, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { b.Run(loop); close(done) }() //nolint:errcheck // an unclear write ends it
	return ts.URL, func() { cancel(); ts.Close(); <-done }
}

// TestPromisesAreDurable: whatever becomes of the write, and whoever asks, no promise is signed for an entry that is not on
// stable storage.
func TestPromisesAreDurable(t *testing.T) {
	errDisk := errors.New("the disk answers with an error")
	for name, fault := range map[string]func(write func() error) error{
		"refused":              func(func() error) error { return proofs.ErrRefused },
		"failed":               func(func() error) error { return errDisk },
		"written, said failed": func(write func() error) error { return errors.Join(write(), errDisk) },
		"hangs":                nil, // set below
	} {
		t.Run(name, func(t *testing.T) {
			db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain, Reserve: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			store := &faultyStore{DB: db, t: t, stored: map[proofs.Hash]bool{}}
			key := newKey(t)
			url, stop := store.serve(t.Context(), key)
			m, author := message(t, "before")
			good := string(sign(t, m, author).Format())
			if status, body := post(t, url, "/v1/messages", good, time.Minute); status != http.StatusCreated || store.count() != 1 {
				t.Fatalf("status %d, %d promises signed: %s", status, store.count(), body)
			}

			release := make(chan struct{})
			if fault == nil {
				fault = func(write func() error) error { <-release; return errDisk }
			}
			signed := store.breakWith(fault)
			m, author = message(t, "now")
			one, id := string(sign(t, m, author).Format()), chain.MessageDomain().MessageID(&m)
			post(t, url, "/v1/messages", one, 300*time.Millisecond)
			post(t, url, "/v1/messages:batch", `{"messages": [`+one+","+string(unsigned(t, "x", "zoom:1").Format())+"]}", 300*time.Millisecond, "Authorization: Bearer "+token)
			post(t, url, "/v1/messages", one, 300*time.Millisecond) // the same again
			if n := store.count(); n != signed {
				t.Errorf("%d promises are signed while nothing is stored", n-signed)
			}
			for _, what := range []string{"", "/status", "/receipt"} {
				get(t, url, "/v1/messages/"+id.String()+what)
			}
			close(release)
			stop()

			// After a restart the store says what it has, and the same message gets one place.
			store.breakWith(nil)
			if tail, err := db.Tail(t.Context()); err != nil {
				t.Fatal(err)
			} else if entries, err := db.Read(t.Context(), 0, tail.Next); err != nil {
				t.Fatal(err)
			} else {
				store.keep(entries)
			}
			url, stop = store.serve(t.Context(), key)
			defer stop()
			if status, body := post(t, url, "/v1/messages", one, time.Minute); status/100 != 2 {
				t.Errorf("after the restart: %d %s", status, body)
			}
			if status, body := get(t, url, "/v1/messages/"+id.String()+"/receipt"); status != http.StatusOK {
				t.Errorf("receipt after the restart: %d %s", status, body)
			}
		})
	}
}

// post sends a body and gives up after a while, with status 0.
func post(t *testing.T, url, path, body string, patience time.Duration, headers ...string) (status int, answer string) {
	t.Helper()
	return ask(t, http.MethodPost, url+path, body, patience, headers...)
}

func get(t *testing.T, url, path string) (status int, answer string) {
	t.Helper()
	return ask(t, http.MethodGet, url+path, "", time.Minute)
}

func ask(t *testing.T, method, url, body string, patience time.Duration, headers ...string) (status int, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}
