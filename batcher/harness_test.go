package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// chain is the log of these tests.
var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("batcher tests"))}

// key returns the key of that name, always the same.
func key(name string) *identity.Key {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte("batcher " + name)))
	if err != nil {
		panic(err)
	}
	return identity.NewKey(k)
}

// spoken returns a message that nobody signed. It fits the clock of a synctest bubble, which begins
// in the year 2000.
func spoken(room proofs.Room, body string) batcher.Submission {
	return batcher.Submission{
		Message: proofs.Message{
			Log: chain.Log, Room: room, Author: "zoom:Dan", SentAt: 946_684_800_000, Kind: "text/plain", Body: body,
			Salt: proofs.Keccak([]byte(room), []byte(body)),
		},
		Evidence: proofs.Evidence{Scheme: proofs.SchemeNone},
	}
}

// many returns n messages of one room.
func many(from, n int) (subs []batcher.Submission) {
	for i := range n {
		subs = append(subs, spoken("room", fmt.Sprintf("message %d", from+i)))
	}
	return subs
}

// signed changes a message of alice and signs it.
func signed(change func(*proofs.Message)) batcher.Submission {
	alice := key("alice")
	s := spoken("room", "I will vote FOR 12.")
	s.Message.Author = proofs.Author(alice.Address().String())
	change(&s.Message)
	e, err := alice.SignMessage(chain.MessageDomain(), &s.Message)
	if err != nil {
		panic(err)
	}
	s.Evidence = e
	return s
}

// running is a batcher that runs over a store.
type running struct {
	*batcher.Batcher
	t      testing.TB
	store  *memory
	stop   func() error  // ends Run and returns what it returned; again: the same
	sealed chan struct{} // one a batch
}

// start runs a batcher with cfg over the store until the test ends.
func start(t testing.TB, store *memory, cfg batcher.Config) *running {
	t.Helper()
	r := &running{t: t, store: store, sealed: make(chan struct{}, 1024)}
	cfg.Chain, cfg.Store, cfg.Logger = chain, store, slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.Sealed = func() { r.sealed <- struct{}{} }
	var err error
	if r.Batcher, err = batcher.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	t.Cleanup(func() { r.stop() })
	return r
}

// take submits messages that must be accepted and holds the answers against the store.
func (r *running) take(subs ...batcher.Submission) []batcher.Result {
	r.t.Helper()
	results := r.Submit(r.t.Context(), subs...)
	if len(results) != len(subs) {
		r.t.Fatalf("%d answers to %d messages", len(results), len(subs))
	}
	for i, res := range results {
		if want := chain.MessageDomain().MessageID(&subs[i].Message); res.ID != want {
			r.t.Errorf("answer %d is about message %s, want %s", i, res.ID, want)
		}
		r.store.checkAnswer(res)
	}
	return results
}

// refused returns the error of a message that must be refused.
func refused(t testing.TB, r batcher.Result) *batcher.RefusedError {
	t.Helper()
	var refusal *batcher.RefusedError
	if !errors.As(r.Err, &refusal) {
		t.Fatalf("got %v, want a refusal", r.Err)
	}
	return refusal
}
