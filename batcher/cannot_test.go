package batcher_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// TestCannotPromise takes nothing new while it is refused, and answers for what it took as ever.
func TestCannotPromise(t *testing.T) {
	var no atomic.Pointer[batcher.BusyError]
	var asked atomic.Int64
	r := start(t, newMemory(t), batcher.Config{Refuse: func() *batcher.BusyError { asked.Add(1); return no.Load() }})
	before := r.take(many(0, 2)...)
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times for a group, want once", n)
	}
	why := &batcher.BusyError{Code: batcher.CannotPromise, Reason: "promises are due", RetryAfter: 12 * time.Second}
	no.Store(why)
	subs := append(many(2, 1), append(many(0, 2), many(2, 1)...)...)
	results := r.Submit(t.Context(), subs...)
	for i, res := range results {
		var busy *batcher.BusyError
		switch known := i == 1 || i == 2; {
		case known && (res.Err != nil || !res.Replayed || res.Accepted.Deadline != before[i-1].Accepted.Deadline):
			t.Errorf("message %d was taken before, and is answered with %+v", i, res)
		case !known && (!errors.As(res.Err, &busy) || *busy != *why):
			t.Errorf("message %d is new, and is answered with %v", i, res.Err)
		}
	}
	asked.Store(0)
	r.take(many(0, 2)...)
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times for messages that are known", n)
	}
	no.Store(nil)
	if after := r.take(many(2, 1)...); after[0].Accepted.Entry.Index != 2 {
		t.Errorf("what was refused left a gap: the next index is %d", after[0].Accepted.Entry.Index)
	}
}

// TestUnsealed counts what is in no batch of the store: in the pool, on its way, while the store refuses, and after a
// restart.
func TestUnsealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		var full atomic.Bool
		store.before = func(op string) error {
			if op == "Seal" && full.Load() {
				return proofs.ErrRefused
			}
			return nil
		}
		cfg := batcher.Config{MaxMessages: 2, MaxAge: time.Hour, Promise: 24 * time.Hour}
		r := start(t, store, cfg)
		want := func(messages uint64, deadline time.Time) {
			t.Helper()
			synctest.Wait()
			w := batcher.Unsealed{Messages: messages}
			if messages > 0 {
				w.Deadline = uint64(deadline.Unix())
			}
			if diff := cmp.Diff(w, r.Unsealed()); diff != "" {
				t.Errorf("unsealed (-want +got):\n%s", diff)
			}
		}
		want(0, time.Time{})
		full.Store(true)
		first := time.Now().Add(24 * time.Hour)
		r.take(many(0, 2)...) // handed on, and refused by the store
		time.Sleep(10 * time.Minute)
		r.take(many(2, 2)...) // waits behind it
		time.Sleep(10 * time.Minute)
		r.take(many(4, 1)...) // in the pool
		want(5, first)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		full.Store(false)
		r = start(t, store, batcher.Config{MaxMessages: 10, MaxAge: time.Hour, Promise: 24 * time.Hour})
		want(5, first)
		r.Flush()
		want(0, time.Time{})
		full.Store(true)
		last := time.Now().Add(24 * time.Hour)
		r.take(many(5, 1)...)
		r.Flush()
		want(1, last)
		full.Store(false)
		time.Sleep(2 * time.Second)
		want(0, time.Time{})
	})
}
