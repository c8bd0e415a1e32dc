package batcher_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// wantSizes waits until nothing moves any more and compares the sizes of the batches.
func (r *running) wantSizes(sizes ...uint64) {
	r.t.Helper()
	synctest.Wait()
	if d := cmp.Diff(sizes, r.store.sizes()); d != "" {
		r.t.Fatalf("sizes of batches (want, got):\n%s", d)
	}
}

func TestSealByCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5})
		for i := range 12 {
			r.take(many(i, 1)...)
		}
		r.wantSizes(5, 5)
		r.take(many(12, 2)...)
		r.wantSizes(5, 5)
		r.take(many(14, 13)...) // one group that is larger than a batch
		r.wantSizes(5, 5, 5, 5, 5)
		if n := len(r.sealed); n != 5 {
			t.Errorf("Sealed was called %d times", n)
		}
	})
}

func TestSealByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxAge: 10 * time.Minute})
		time.Sleep(25 * time.Hour) // an empty pool is never sealed
		r.wantSizes()
		r.take(many(0, 2)...)
		time.Sleep(9 * time.Minute)
		r.take(many(2, 1)...) // does not make the pool younger
		time.Sleep(time.Minute - time.Millisecond)
		r.wantSizes()
		time.Sleep(time.Millisecond)
		r.wantSizes(3)
		if s := r.store.batches[0]; s.SealedAt-s.OpenedAt != 600_000 {
			t.Errorf("the batch was open for %d ms", s.SealedAt-s.OpenedAt)
		}
		r.take(many(3, 1)...)
		time.Sleep(10*time.Minute - time.Millisecond)
		r.wantSizes(3)
		time.Sleep(time.Millisecond)
		r.wantSizes(3, 1)
	})
}

func TestSealByFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{})
		r.Flush() // there is nothing to seal
		r.wantSizes()
		r.take(many(0, 3)...)
		r.wantSizes()
		r.Flush()
		r.Flush()
		r.wantSizes(3)
		r.take(many(3, 1)...)
		r.wantSizes(3)
		r.Flush()
		r.wantSizes(3, 1)
	})
}

// TestSealByRooms fills a pool with more rooms than a manifest can list.
func TestSealByRooms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 3 * proofs.MaxRooms})
		var subs []batcher.Submission
		for i := range proofs.MaxRooms {
			subs = append(subs, spoken(proofs.Room(fmt.Sprintf("room/%d", i)), "gm"))
		}
		r.take(subs...)
		r.take(spoken("room/7", "gn"))
		r.wantSizes()
		r.take(spoken("one-more", "gm"), spoken("room/8", "gn"))
		r.wantSizes(proofs.MaxRooms + 1)
		r.Flush()
		r.wantSizes(proofs.MaxRooms+1, 2)
	})
}

// TestSealLargePool starts over a pool that is larger than its batches may be now.
func TestSealLargePool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		r := start(t, store, batcher.Config{})
		r.take(many(0, 43)...)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r.wantSizes()
		r = start(t, store, batcher.Config{MaxMessages: 10})
		r.wantSizes(10, 10, 10, 10)
		r.take(many(43, 7)...)
		r.wantSizes(10, 10, 10, 10, 10)
	})
}

// TestLoadInSteps starts over a pool that is read in several steps.
func TestLoadInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		r := start(t, store, batcher.Config{MaxMessages: 10_000})
		r.take(many(0, 4200)...)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = start(t, store, batcher.Config{MaxMessages: 10_000})
		r.take(many(4199, 2)...)
		r.Flush()
		r.wantSizes(4201)
	})
}

// TestSlowSeal holds the store's Seal: the intake goes on for a while, then it is full, and afterwards
// every batch is there in order.
func TestSlowSeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		release := held(store, "Seal")
		r := start(t, store, batcher.Config{MaxMessages: 1, Queue: 2})
		answers := make(chan batcher.Result, 20)
		for i := range 20 {
			go func() { answers <- r.Submit(t.Context(), many(i, 1)...)[0] }()
			synctest.Wait()
		}
		taken, full := 0, 0
		for range len(answers) {
			if res := <-answers; res.Err == nil {
				store.checkAnswer(res)
				taken++
			} else {
				busy(t, res, time.Second)
				full++
			}
		}
		if taken != 3 || full != 15 { // one is sealed, one waits for it, one pool is full; two wait in the queue
			t.Errorf("%d were taken and %d refused", taken, full)
		}
		release()
		store.checkAnswer(<-answers)
		store.checkAnswer(<-answers)
		r.wantSizes(1, 1, 1, 1, 1)
	})
}

// TestSealRefused lets the store refuse a batch for a while, as a full disk does: it waits, and the
// intake goes on.
func TestSealRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		var tries atomic.Int64
		store.before = on("Seal", func() error {
			if tries.Add(1) < 5 {
				return fmt.Errorf("%w: %w", proofs.ErrRefused, syscall.ENOSPC)
			}
			return nil
		})
		r := start(t, store, batcher.Config{MaxMessages: 2})
		began := time.Now()
		r.take(many(0, 3)...)
		r.wantSizes()
		r.take(many(3, 2)...)
		<-r.sealed
		if waited := time.Since(began); tries.Load() < 5 || waited < 4*time.Second || waited > time.Minute {
			t.Errorf("sealed after %d tries in %s", tries.Load(), waited)
		}
		r.wantSizes(2, 2)

		tries.Store(0)
		r.take(many(5, 1)...)
		synctest.Wait()
		if err := r.stop(); err != nil { // it does not wait for the disk
			t.Errorf("Run: %v", err)
		}
		r.closedNow(nil)
		r.wantSizes(2, 2)
	})
}

// block is the newest block at a time of the bubble: one an hour.
func block() proofs.Hash { return proofs.Keccak([]byte(time.Now().Format("15"))) }

// TestOpened follows when pools are opened, and the newest block then.
func TestOpened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		cfg := batcher.Config{MaxMessages: 3, MaxAge: 5 * time.Hour, NotBefore: block}
		r := start(t, store, cfg)
		open := func() proofs.Sealed {
			return proofs.Sealed{OpenedAt: uint64(time.Now().UnixMilli()), NotBefore: block()}
		}
		var want []proofs.Sealed
		want = append(want, open())
		r.take(many(0, 1)...)
		time.Sleep(time.Hour) // a pool that is open stays as it was opened
		r.take(many(1, 2)...)
		time.Sleep(time.Hour)
		want = append(want, open(), open(), open()) // cut from one group
		r.take(many(3, 8)...)
		time.Sleep(time.Hour)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		r = start(t, store, cfg) // the pool of two keeps its time, and so its age
		time.Sleep(3*time.Hour - time.Millisecond)
		r.wantSizes(3, 3, 3)
		time.Sleep(time.Millisecond)
		r.wantSizes(3, 3, 3, 2)
		for i, s := range store.batches {
			if s.OpenedAt != want[i].OpenedAt || s.NotBefore != want[i].NotBefore {
				t.Errorf("batch %d was opened at %d after %s, want %d after %s", i, s.OpenedAt, s.NotBefore, want[i].OpenedAt, want[i].NotBefore)
			}
		}
	})
}

// TestOpenedAfterCrash dies while one pool is being sealed and the next is open. Both are one pool
// then: as old as the older, and no block is known that is older than all of it.
func TestOpenedAfterCrash(t *testing.T) {
	for name, step := range map[string]time.Duration{"clock goes on": time.Hour, "clock is set back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(t)
				var set time.Duration
				cfg := batcher.Config{MaxMessages: 2, MaxAge: 12 * time.Hour, Ahead: 2 * time.Hour, NotBefore: block, Now: func() time.Time { return time.Now().Add(set) }}
				opened := uint64(time.Now().UnixMilli())
				gate := make(chan struct{})
				store.before = on("Seal", func() error { <-gate; return errors.New("killed") })
				r := start(t, store, cfg)
				r.take(many(0, 2)...)
				synctest.Wait()
				set = step
				time.Sleep(time.Minute)
				r.take(many(2, 1)...)
				close(gate)
				synctest.Wait()
				if err := r.stop(); err == nil {
					t.Fatal("nothing was killed")
				}
				r.wantSizes()

				store.before = nil
				cfg.MaxMessages = 3
				r = start(t, store, cfg)
				r.wantSizes(3)
				if s := store.batches[0]; s.OpenedAt != opened || !s.NotBefore.IsZero() {
					t.Errorf("opened at %d after block %s, want %d and none", s.OpenedAt, s.NotBefore, opened)
				}
			})
		})
	}
}

// TestOldPool starts over a pool that became too old while nobody ran: it is sealed at once.
func TestOldPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		r := start(t, store, batcher.Config{})
		r.take(many(0, 2)...)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		r = start(t, store, batcher.Config{})
		r.wantSizes(2)
	})
}

// TestDeadline: what is promised is counted from acceptance, in whole seconds.
func TestDeadline(t *testing.T) {
	store := newMemory(t)
	now := time.UnixMilli(clock + 999)
	r := start(t, store, batcher.Config{Promise: time.Hour, Now: func() time.Time { return now }})
	a := r.take(signed(func(*message) {}))[0].Accepted
	want := proofs.Promise{Log: chain.Log, Leaf: a.Leaf, Deadline: clock/1000 + 3600, Beneficiary: key("alice").Address()}
	if d := cmp.Diff(want, a.Promise()); d != "" {
		t.Errorf("promise (want, got):\n%s", d)
	}
	if a.Entry.ReceivedAt != clock+999 {
		t.Errorf("received at %d", a.Entry.ReceivedAt)
	}
}
