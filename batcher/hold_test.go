package batcher_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// TestHold lets a pool grow past its age and its size while nothing could be anchored: it becomes one
// batch as soon as something can, and later pools are as ever.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hold atomic.Bool
		var asked atomic.Int64
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5, MaxAge: 10 * time.Minute, Hold: func() bool { asked.Add(1); return hold.Load() }})
		r.take(many(0, 3)...)
		time.Sleep(10*time.Minute - time.Millisecond)
		if n := asked.Load(); n > 0 {
			t.Errorf("asked %d times about a pool that is neither full nor old", n)
		}
		hold.Store(true)
		time.Sleep(time.Hour)
		r.wantSizes()
		if n := asked.Load(); n < 3590 || n > 3700 {
			t.Errorf("asked %d times in an hour", n)
		}
		for i := range 20 {
			r.take(many(3+i, 1)...)
		}
		r.wantSizes()
		hold.Store(false)
		time.Sleep(time.Second)
		r.wantSizes(23)
		r.take(many(23, 13)...)
		r.wantSizes(23, 5, 5)
		time.Sleep(10*time.Minute - time.Millisecond)
		r.wantSizes(23, 5, 5)
		time.Sleep(time.Millisecond)
		r.wantSizes(23, 5, 5, 3)
	})
}

// TestHoldFull: a held pool is bounded by count, by rooms and, in TestCut, by bytes.
func TestHoldFull(t *testing.T) {
	always := func() bool { return true }
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5, HoldMessages: 12, Hold: always})
		r.take(many(0, 11)...)
		r.wantSizes()
		r.take(many(11, 1)...)
		r.wantSizes(12)
		r.take(many(12, 30)...)
		r.wantSizes(12, 12, 12)
	})
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5, HoldMessages: 2 * proofs.MaxRooms, Hold: always})
		var subs []batcher.Submission
		for i := range proofs.MaxRooms + 3 {
			subs = append(subs, spoken(proofs.Room(fmt.Sprintf("room/%d", i)), "gm"))
		}
		r.take(subs...)
		r.wantSizes(proofs.MaxRooms)
	})
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5, Hold: always})
		r.take(many(0, 79)...)
		r.wantSizes()
		r.take(many(79, 1)...)
		r.wantSizes(80)
	})
}

// TestHoldUrgent: a promise that comes due ends the hold, whatever became of the clock.
func TestHoldUrgent(t *testing.T) {
	tests := []struct {
		name   string
		urgent time.Duration
		second time.Duration // how far the clock is set for the second message, a minute later
		set    time.Duration // and from then on
		sealed time.Duration // after the first message
	}{
		{"as configured", 10 * time.Minute, 0, 0, 50 * time.Minute},
		{"a quarter of the promise", 0, 0, 0, 45 * time.Minute},
		{"the clock is set forward", 10 * time.Minute, 0, 20 * time.Minute, 30 * time.Minute},
		{"the clock is set back", 10 * time.Minute, 0, -20 * time.Minute, 50 * time.Minute},
		{"a later promise is due first", 10 * time.Minute, -20 * time.Minute, 0, 31 * time.Minute},
		{"it is urgent at once", time.Hour, 0, 0, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var set atomic.Int64
				began := time.Now()
				r := start(t, newMemory(t), batcher.Config{
					MaxAge: 5 * time.Minute, Ahead: time.Hour, Promise: time.Hour, Urgent: tt.urgent, Hold: func() bool { return true },
					Now: func() time.Time { return time.Now().Add(time.Duration(set.Load())) },
				})
				r.take(many(0, 1)...)
				time.Sleep(time.Minute)
				set.Store(int64(tt.second))
				r.take(many(1, 1)...)
				set.Store(int64(tt.set))
				time.Sleep(tt.sealed - time.Since(began) - time.Second)
				r.wantSizes()
				time.Sleep(time.Second)
				r.wantSizes(2)
			})
		})
	}
}

// TestHoldFlush: who asks for the pool to be sealed is not held.
func TestHoldFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newMemory(t), batcher.Config{MaxMessages: 5, Hold: func() bool { return true }})
		r.take(many(0, 17)...)
		r.wantSizes()
		r.Flush()
		r.wantSizes(17)
		r.take(many(17, 2)...)
		r.Flush()
		r.wantSizes(17, 2)
	})
}

// TestHoldRestart: a pool that is held stays one batch over a restart, held or not.
func TestHoldRestart(t *testing.T) {
	for _, after := range []bool{true, false} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(t)
				hold := true
				cfg := batcher.Config{MaxMessages: 5, MaxAge: time.Minute, Promise: 40 * time.Minute, HoldMessages: 5000, Hold: func() bool { return hold }}
				r := start(t, store, cfg)
				r.take(many(0, 600)...)
				time.Sleep(5 * time.Minute)
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				hold = after
				time.Sleep(5 * time.Minute)
				r = start(t, store, cfg)
				if after {
					r.take(many(600, 50)...)
					time.Sleep(20*time.Minute - time.Second) // a quarter of the promise is left
					r.wantSizes()
					time.Sleep(time.Second)
					r.wantSizes(650)
				} else {
					r.wantSizes(600)
				}
			})
		})
	}
}

// TestBatchDeadline cuts a pool whose promises are not in order, since the clock was set back. The store
// holds each batch's deadline against those of its entries.
func TestBatchDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set atomic.Int64
		store := newMemory(t)
		cfg := batcher.Config{
			MaxMessages: 4, Ahead: 24 * time.Hour, Promise: 10 * time.Hour,
			Now: func() time.Time { return time.Now().Add(time.Duration(set.Load())) },
		}
		r := start(t, store, cfg)
		for i, hours := range []int{0, -1, -2, -3, -5, -4, -3} {
			set.Store(int64(hours) * int64(time.Hour))
			r.take(many(i, 1)...)
			synctest.Wait()
		}
		r.wantSizes(4)
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		cfg.MaxMessages = 2 // the pool of three is read, and cut
		r = start(t, store, cfg)
		r.Flush()
		r.wantSizes(4, 2, 1)
		for i, hours := range []uint64{7, 5, 7} {
			if got, want := store.batches[i].Deadline, 946_684_800+hours*3600; got != want {
				t.Errorf("batch %d is due at %d, want %d", i, got, want)
			}
		}
	})
}
