package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// on returns a hook of the store for one operation.
func on(op string, f func() error) func(string) error {
	return func(got string) error {
		if got != op {
			return nil
		}
		return f()
	}
}

// held makes every such operation of the store wait until release is called.
func held(store *memory, op string) (release func()) {
	gate := make(chan struct{})
	store.before = on(op, func() error { <-gate; return nil })
	return sync.OnceFunc(func() { close(gate) })
}

// busy checks that a message was not taken for now and returns why.
func busy(t testing.TB, r batcher.Result, retry time.Duration) string {
	t.Helper()
	var b *batcher.BusyError
	if !errors.As(r.Err, &b) || b.RetryAfter != retry || !strings.Contains(b.Error(), "try again in "+retry.String()) {
		t.Fatalf("got %v, want a refusal for %s", r.Err, retry)
	}
	return b.Reason
}

// background submits on a goroutine of its own; the function returned waits for the answers.
func (r *running) background(ctx context.Context, subs ...batcher.Submission) func() []batcher.Result {
	answers := make(chan []batcher.Result, 1)
	go func() { answers <- r.Submit(ctx, subs...) }()
	return func() []batcher.Result { return <-answers }
}

func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		release := held(store, "Append")
		verified, verify := 0, make(chan struct{})
		r := start(t, store, batcher.Config{Queue: 4, Recover: func(digest proofs.Hash, s proofs.Signature) (proofs.Address, error) {
			verified++
			<-verify
			return proofs.Recover(digest, s)
		}})
		late := r.background(t.Context(), signed(func(*message) {})) // comes to the queue when it is full
		var waiting []func() []batcher.Result
		for i := range 5 { // one is being written, four wait
			waiting = append(waiting, r.background(t.Context(), many(i, 1)...))
			synctest.Wait()
		}
		full := func(res batcher.Result) {
			t.Helper()
			if why := busy(t, res, time.Second); why != "the intake queue is full" {
				t.Errorf("refused because %s", why)
			}
		}
		for _, res := range r.Submit(t.Context(), append(many(100, 2), signed(func(*message) {}))...) { // would hang if it waited
			full(res)
		}
		if verified != 1 {
			t.Errorf("%d signatures were verified, want none while the queue is full", verified-1)
		}
		close(verify)
		full(late()[0])
		release()
		for _, answer := range waiting {
			store.checkAnswer(answer()[0])
		}
		r.take(many(100, 3)...)
		if n, bytes := len(store.bodies()), r.AddQueued(0); n != 8 || bytes != 0 {
			t.Errorf("the store holds %d entries, want 8, and %d bytes wait in an empty queue", n, bytes)
		}
	})
}

// TestFullMemory fills the queue by bytes: what waits is bounded however large each message is, and
// what does not wait any more does not count.
func TestFullMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls, free = 5, 3*(proofs.MaxBody+1100) + 1100 // three messages and a bit
		store := newMemory(t)
		release := held(store, "Append")
		r := start(t, store, batcher.Config{})
		first := r.background(t.Context(), many(0, 1)...)
		synctest.Wait() // it is being written and does not wait in the queue
		if n := r.AddQueued(batcher.MaxQueued - free); n != batcher.MaxQueued-free {
			t.Fatalf("%d bytes wait in an empty queue", n)
		}
		answers := make(chan batcher.Result, calls)
		for i := range calls {
			s := spoken("room", strings.Repeat(string(rune('a'+i)), proofs.MaxBody))
			go func() { answers <- r.Submit(t.Context(), s)[0] }()
		}
		synctest.Wait()
		if len(answers) != calls-3 {
			t.Fatalf("%d of %d calls wait, want 3", calls-len(answers), calls)
		}
		for range calls - 3 {
			if why := busy(t, <-answers, time.Second); why != "the intake queue is full" {
				t.Errorf("refused because %s", why)
			}
		}
		release()
		store.checkAnswer(first()[0])
		for range 3 {
			store.checkAnswer(<-answers)
		}
		if n := r.AddQueued(free - batcher.MaxQueued); n != 0 {
			t.Errorf("%d bytes wait in an empty queue", n)
		}
	})
}

// TestWaiterLeaves cancels a waiter whose message is being written: it has its place all the same, and
// the same message again says so.
func TestWaiterLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		release := held(store, "Append")
		r := start(t, store, batcher.Config{})
		writing, leave := context.WithCancel(t.Context())
		written := r.background(writing, many(0, 2)...)
		synctest.Wait()
		queued := r.background(writing, many(2, 1)...)
		synctest.Wait()
		leave()
		for _, res := range append(written(), queued()...) {
			if !errors.Is(res.Err, context.Canceled) || res.Accepted.Message != nil {
				t.Errorf("got %v and %+v, want the context's error alone", res.Err, res.Accepted)
			}
		}
		release()
		for i, res := range r.take(many(0, 4)...) {
			if res.Accepted.Entry.Index != uint64(i) || res.Replayed != (i < 3) {
				t.Errorf("message %d stands at %d, replayed %t", i, res.Accepted.Entry.Index, res.Replayed)
			}
		}
	})
}

// closedNow checks that an intake refuses, and says why if it broke.
func (r *running) closedNow(cause error) {
	r.t.Helper()
	for _, res := range r.Submit(r.t.Context(), many(1000, 2)...) {
		if !errors.Is(res.Err, batcher.ErrClosed) || cause != nil && !errors.Is(res.Err, cause) {
			r.t.Errorf("got %v, want a closed intake because of %v", res.Err, cause)
		}
	}
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		release := held(store, "Append")
		r := start(t, store, batcher.Config{})
		writing := r.background(t.Context(), many(0, 3)...)
		synctest.Wait()
		queued := r.background(t.Context(), many(3, 1)...)
		synctest.Wait()
		ended := make(chan error)
		go func() { ended <- r.stop() }()
		synctest.Wait()
		release()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		for _, res := range writing() { // a group that was begun is finished
			store.checkAnswer(res)
		}
		if res := queued()[0]; res.Err == nil {
			store.checkAnswer(res) // the loop may have taken it before it looked at its context
		} else if !errors.Is(res.Err, batcher.ErrClosed) || len(store.bodies()) != 3 {
			t.Errorf("got %v with %d entries in the store", res.Err, len(store.bodies()))
		}
		r.closedNow(nil)
	})
}

func TestStoreFails(t *testing.T) {
	broken := errors.New("the disk is on fire")
	for _, op := range []string{"Tail", "Read", "Known", "Room", "Append", "Seal"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(t)
				r := start(t, store, batcher.Config{})
				r.take(many(0, 2)...)
				if err := r.stop(); err != nil {
					t.Fatal(err)
				}
				store.before = on(op, func() error { return broken })
				r = start(t, store, batcher.Config{MaxMessages: 3})
				answer := r.background(t.Context(), spoken("another/room", "gm"))
				synctest.Wait()
				if err := r.stop(); !errors.Is(err, broken) {
					t.Errorf("Run returned %v", err)
				}
				r.closedNow(broken)
				switch res := answer()[0]; {
				case op == "Seal": // the message was durable before its batch broke
					store.checkAnswer(res)
				case !errors.Is(res.Err, batcher.ErrClosed) || !errors.Is(res.Err, broken) || len(store.bodies()) != 2:
					t.Errorf("got %v with %d entries in the store", res.Err, len(store.bodies()))
				}
			})
		})
	}
}

// TestUnknownOutcome lets the store take a group and say that it failed: the loop ends, and the next
// one finds the messages in their places.
func TestUnknownOutcome(t *testing.T) {
	for _, op := range []string{"Append", "Seal"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newMemory(t)
				store.after = on(op, func() error { return errors.New("who knows") })
				r := start(t, store, batcher.Config{MaxMessages: 2})
				r.Submit(t.Context(), many(0, 3)...)
				synctest.Wait()
				if err := r.stop(); err == nil {
					t.Error("Run returned nothing")
				}
				store.after = nil
				r = start(t, store, batcher.Config{MaxMessages: 2})
				for i, res := range r.take(many(0, 4)...) {
					if res.Accepted.Entry.Index != uint64(i) || res.Replayed != (i < 3) {
						t.Errorf("message %d stands at %d, replayed %t", i, res.Accepted.Entry.Index, res.Replayed)
					}
				}
				synctest.Wait()
				var total uint64
				for _, n := range store.sizes() {
					total += n
				}
				if total != 4 {
					t.Errorf("batches of %v, want all 4 entries in them", store.sizes())
				}
			})
		})
	}
}

// TestDiskFull lets the store refuse a group: its messages hear when to come again, those that stood
// already get their answer, and the loop goes on.
func TestDiskFull(t *testing.T) {
	store := newMemory(t)
	r := start(t, store, batcher.Config{})
	r.take(many(0, 2)...)
	store.before = on("Append", func() error { return fmt.Errorf("%w: %w", proofs.ErrRefused, syscall.ENOSPC) })
	results := r.Submit(t.Context(), append(many(1, 3), many(3, 1)...)...) // 1 stands, 3 comes twice
	store.checkAnswer(results[0])
	for _, res := range results[1:] {
		if why := busy(t, res, time.Minute); !strings.Contains(why, syscall.ENOSPC.Error()) || res.Accepted.Message != nil {
			t.Errorf("refused because %s, with %+v", why, res.Accepted)
		}
	}
	store.before = nil
	for i, res := range r.take(many(0, 5)...) {
		if res.Accepted.Entry.Index != uint64(i) || res.Replayed != (i < 2) {
			t.Errorf("message %d stands at %d, replayed %t", i, res.Accepted.Entry.Index, res.Replayed)
		}
	}
}

// TestSameMessage submits one message twice in a call, in a group, in another group and after a
// restart: it has one place and one promise, which does not know the clock of the answer.
func TestSameMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		r := start(t, store, batcher.Config{})
		m := many(7, 1)[0]
		want := r.take(m, m, many(8, 1)[0], m)
		if want[0].Replayed || !want[1].Replayed || want[2].Replayed || !want[3].Replayed {
			t.Errorf("replayed: %t %t %t %t", want[0].Replayed, want[1].Replayed, want[2].Replayed, want[3].Replayed)
		}
		promise := want[0].Accepted.Promise()
		digest := chain.PromiseDomain().PromiseDigest(&promise)
		check := func(when string, res batcher.Result, replayed bool) {
			t.Helper()
			p := res.Accepted.Promise()
			if d := cmp.Diff(promise, p); d != "" || res.Replayed != replayed || chain.PromiseDomain().PromiseDigest(&p) != digest {
				t.Errorf("%s: replayed %t, another promise: %s", when, res.Replayed, d)
			}
		}
		check("in one call", want[3], true)
		time.Sleep(time.Hour)
		check("later", r.take(m)[0], true)

		release := held(store, "Append")
		blocker := r.background(t.Context(), many(9, 1)...)
		synctest.Wait()
		n := many(10, 1)[0] // twice in the group that gathers meanwhile
		one, two := r.background(t.Context(), n), r.background(t.Context(), n, m)
		synctest.Wait()
		release()
		blocker()
		a, b := one()[0], two()
		if a.Replayed == b[0].Replayed || cmp.Diff(a.Accepted, b[0].Accepted) != "" {
			t.Errorf("one message in one group: %+v and %+v", a, b[0])
		}
		check("in a group", b[1], true)

		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		store.before = nil
		time.Sleep(time.Hour)
		r = start(t, store, batcher.Config{Promise: time.Hour, MaxAge: time.Minute})
		check("after a restart", r.take(m)[0], true)
		if n := len(store.bodies()); n != 4 {
			t.Errorf("the store holds %d entries, want 4", n)
		}
	})
}

// TestOtherEvidence submits a message that stands already with other evidence: the first stays.
func TestOtherEvidence(t *testing.T) {
	store := newMemory(t)
	r := start(t, store, batcher.Config{Now: atClock})
	asText := signedAsText()
	first := r.take(asText)[0]
	again := asText
	again.Evidence, _ = key("alice").SignMessage(chain.MessageDomain(), &again.Message)
	if res := r.take(again)[0]; !res.Replayed || cmp.Diff(first.Accepted, res.Accepted) != "" {
		t.Errorf("got %+v, want %+v", res, first)
	}
	again.Evidence.Bytes[0] ^= 1
	if code := refused(t, r.Submit(t.Context(), again)[0]).Code; code != batcher.BadSignature {
		t.Errorf("got %s for a forgery of a message that stands", code)
	}
}

// TestOrder lets callers submit at once, in calls of one and of thousands: each finds its messages in
// its own order, and the answers in the order of the call.
func TestOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	store := newMemory(t)
	r := start(t, store, batcher.Config{MaxMessages: 700, Queue: 1 << 12})
	const callers, each = 8, 1000
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(seed, uint64(c)))
			for from := 0; from < each; {
				n := min(1<<rng.IntN(12), each-from)
				var subs []batcher.Submission
				for i := range n {
					subs = append(subs, spoken(proofs.Room(fmt.Sprintf("room/%d", rng.IntN(3))), fmt.Sprintf("%d %d", c, from+i)))
				}
				r.take(subs...)
				from += n
			}
		})
	}
	wg.Wait()
	var next [callers]int
	for i, body := range store.bodies() {
		var c, n int
		if _, err := fmt.Sscanf(body, "%d %d", &c, &n); err != nil {
			t.Fatal(err)
		}
		if n != next[c] {
			t.Fatalf("entry %d is message %d of caller %d, want %d", i, n, c, next[c])
		}
		next[c]++
	}
	if len(store.bodies()) != callers*each {
		t.Errorf("the store holds %d entries", len(store.bodies()))
	}
	t.Logf("%d messages in %d writes", callers*each, len(store.appends))
}

// TestGroupCommit lets messages gather while a group is written: they share the next write.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory(t)
		release := held(store, "Append")
		r := start(t, store, batcher.Config{})
		var waiting []func() []batcher.Result
		for i := range 100 {
			waiting = append(waiting, r.background(t.Context(), many(i, 1)...))
			synctest.Wait()
		}
		release()
		for _, answer := range waiting {
			store.checkAnswer(answer()[0])
		}
		if d := cmp.Diff([]int{1, 99}, store.appends); d != "" {
			t.Errorf("entries of each write (want, got):\n%s", d)
		}
		if res := r.Submit(t.Context()); len(res) != 0 {
			t.Errorf("%d answers to nothing", len(res))
		}
	})
}

// TestLargeGroup lets more gather than one write may hold.
func TestLargeGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size = 18 // messages of a call: more than half of what a write holds
		store := newMemory(t)
		release := held(store, "Append")
		r := start(t, store, batcher.Config{})
		waiting := []func() []batcher.Result{r.background(t.Context(), many(0, 1)...)}
		synctest.Wait()
		for i := range 3 {
			var subs []batcher.Submission
			for k := range size {
				subs = append(subs, spoken("room", fmt.Sprintf("%d %d", i, k)+strings.Repeat(".", proofs.MaxBody-8)))
			}
			waiting = append(waiting, r.background(t.Context(), subs...))
		}
		synctest.Wait()
		release()
		for _, answer := range waiting {
			for _, res := range answer() {
				store.checkAnswer(res)
			}
		}
		if d := cmp.Diff([]int{1, size, size, size}, store.appends); d != "" {
			t.Errorf("entries of each write (want, got):\n%s", d)
		}
	})
}

// TestRoomsAreRead once: where a room ends is known from then on.
func TestRoomsAreRead(t *testing.T) {
	store := newMemory(t)
	asked := 0
	store.before = on("Room", func() error { asked++; return nil })
	r := start(t, store, batcher.Config{})
	for i := range 3 {
		r.take(append(many(2*i, 2), spoken("another", fmt.Sprint(i)))...)
	}
	if asked != 2 {
		t.Errorf("the store was asked for a room %d times, want once for each of 2", asked)
	}
}
