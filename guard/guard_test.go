package guard_test

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// urgent is how long before a deadline nothing new is promised in these tests.
const urgent = 10 * time.Minute

// watch puts a fresh guard over the world, as after a restart.
func (w *world) watch() *guard.Guard {
	w.Helper()
	g, err := guard.New(guard.Config{
		Store: w.db, Unsealed: w.batcher.Unsealed, Promise: promised, Urgent: urgent, Now: w.clock.now, Logger: w.logger(),
		Delay: func() *anchor.Delay { return w.anchorer.Delay() },
	})
	if err != nil {
		w.Fatal(err)
	}
	w.guard = g
	return g
}

// look is what the guard does each second after something changed.
func (w *world) look() {
	w.Helper()
	if err := w.guard.Look(w.Context()); err != nil {
		w.Fatal(err)
	}
	w.guard.Tell(w.Context())
}

// wantRefused looks, and wants new messages refused with the code, and what is said for people; empty: taken.
func (w *world) wantRefused(code string, says ...string) time.Duration {
	w.Helper()
	w.look()
	r := w.batcher.Submit(w.Context(), w.message(w.sent))[0]
	if code == "" {
		if r.Err != nil {
			w.Fatalf("a message is refused: %v", r.Err)
		}
		w.sent++
		if s := w.guard.Status(); s.Refusal != nil {
			w.Errorf("a message was taken, and the status is %+v", s.Refusal)
		}
		return 0
	}
	var busy *batcher.BusyError
	if !errors.As(r.Err, &busy) || busy.Code != batcher.CannotPromise || busy.RetryAfter < time.Second {
		w.Fatalf("a message is answered with %+v, %v", busy, r.Err)
	}
	for _, s := range says {
		if !strings.Contains(busy.Reason, s) {
			w.Errorf("%q is not in the reason: %s", s, busy.Reason)
		}
	}
	if s := w.guard.Status(); s.Refusal == nil || s.Refusal.Code != code || s.Refusal.Reason != busy.Reason {
		w.Errorf("refused with %q, and the status is %+v", busy.Reason, s.Refusal)
	}
	if w.sent > 0 { // what was taken is answered as ever
		if r := w.batcher.Submit(w.Context(), w.message(0))[0]; r.Err != nil || !r.Replayed {
			w.Errorf("a known message is answered with %v", r.Err)
		}
	}
	return busy.RetryAfter
}

// wantTold wants so many lines of the log with that text.
func (w *world) wantTold(text string, n int) {
	w.Helper()
	if got := w.log.count(text); got != n {
		w.Errorf("%q is said %d times, want %d: %s", text, got, n, &w.log)
	}
}

// TestAtRisk follows one promise through each place where it can wait: it is warned of, then nothing new is promised, and
// both end when it is in a block.
func TestAtRisk(t *testing.T) {
	w := newWorld(t)
	g := w.watch()
	if r := w.batcher.Submit(t.Context(), w.message(0))[0]; r.Err == nil {
		t.Error("a message is taken before the guard looked")
	}
	w.wantRefused("")
	at := func(left time.Duration) { w.clock.set(promised - left) }
	at(2*urgent + 30*time.Second)
	w.wantRefused("")
	w.wantTold("promises are at risk", 0)
	at(2*urgent - time.Second)
	w.wantRefused("")
	w.look()
	w.wantTold("promises are at risk", 1)
	w.wantTold(`waits="the messages are not sealed in a batch"`, 1)
	if s := g.Status(); s.Messages != 3 || s.Overdue != 0 || s.Left > 2*urgent || s.Left < 2*urgent-time.Minute {
		t.Errorf("status %+v", s)
	}

	at(urgent - time.Second)
	if retry := w.wantRefused(guard.AtRisk, "are due in 9m", "not in a block yet"); retry != 12*time.Second {
		t.Errorf("retry after %s", retry)
	}
	w.wantRefused(guard.AtRisk)
	w.wantTold("new messages are refused", 1)
	w.batcher.Flush()
	<-w.sealed
	w.wantRefused(guard.AtRisk)
	if err := w.pinner.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(guard.AtRisk)
	if err := w.anchorer.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.pooled(submitter, w.chain.AnchorLog)
	w.wantRefused(guard.AtRisk)
	w.anchor()
	w.wantRefused("")
	w.wantTold("new messages are taken again", 1)

	// A reorg takes it back.
	w.call("anvil_rollback", 1)
	w.call("anvil_dropAllTransactions")
	w.mine(2)
	for w.waiting() == 0 {
		if err := w.anchorer.Step(t.Context()); err != nil {
			t.Logf("step: %v", err)
		}
	}
	w.wantRefused(guard.AtRisk)
	at(-time.Minute)
	w.wantRefused(guard.AtRisk, "are overdue by 1m")
	w.wantTold("promises are overdue", 1)
	w.anchor()
	w.wantRefused("")
}

// TestWaitsAnywhere: the warning says where the promise waits and why.
func TestWaitsAnywhere(t *testing.T) {
	t.Run("unpinned", func(t *testing.T) {
		w := newWorld(t)
		w.accept(1)
		w.batcher.Flush()
		<-w.sealed
		w.watch()
		w.clock.set(promised - urgent)
		w.wantRefused(guard.AtRisk)
		w.wantTold(`waits="the payload of the batch is not pinned"`, 1)
	})
	for name, c := range map[string]struct {
		fault func(w *world)
		code  string
	}{
		"poor":  {func(w *world) { w.call("anvil_setBalance", submitter.Address(), "0x1") }, anchor.Funds},
		"dear":  {func(w *world) { w.mineAt(100) }, anchor.GasCap},
		"alone": {func(w *world) { w.proxy.Set(faultrpc.Status(500)) }, anchor.NodesOff},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.accept(1)
			w.seal()
			w.watch()
			w.clock.set(promised - urgent)
			w.anchorer = w.newAnchorer(anchor.Config{Fees: anchor.Fees{MaxFee: 20e9}})
			c.fault(w)
			if err := w.anchorer.Step(t.Context()); err != nil {
				t.Logf("step: %v", err)
			}
			if retry := w.wantRefused(guard.AtRisk, "("+c.code+")"); retry < 12*time.Second || retry > 16*time.Second {
				t.Errorf("retry after %s, and the next attempt is in 3 s", retry)
			}
			w.wantTold("promises are at risk", 1)
			w.wantTold(`waits="no transaction of the batch is signed"`, 1)
			w.wantTold("code="+c.code+" reason=", 2) // and the anchorer, that it waits
		})
	}
}

// TestLookBeforeRun: what was promised before a restart counts before the batcher has read it.
func TestLookBeforeRun(t *testing.T) {
	w := newWorld(t)
	w.accept(2)
	w.stop()
	w.clock.set(promised + time.Minute)
	var err error
	if w.db, err = storage.Open(storage.Config{Dir: filepath.Join(w.dir, "log"), Chain: w.chain, PromiseKey: operator.Address(), Reserve: 8 << 20}); err != nil {
		t.Fatal(err)
	}
	defer w.db.Close()
	if w.batcher, err = batcher.New(batcher.Config{Chain: w.chain, Store: w.db}); err != nil { // it does not run
		t.Fatal(err)
	}
	g := w.watch()
	w.look()
	if s := g.Status(); s.Messages != 2 || s.Overdue != 2 || s.Refusal == nil || s.Refusal.Code != guard.AtRisk {
		t.Errorf("status %+v", s)
	}
}

// TestOverdueAtStart: what is overdue at a restart is anchored all the same, and nothing new is promised before that.
func TestOverdueAtStart(t *testing.T) {
	w := newWorld(t)
	w.accept(2)
	w.stop()
	w.clock.set(promised + time.Minute)
	w.jump(promised + time.Minute)
	w.guard = nil
	w.open()
	<-w.sealed // at once, since it is old
	for w.batcher.Unsealed().Messages > 0 {
		runtime.Gosched() // until then it counts twice
	}
	g := w.watch()
	w.wantRefused(guard.AtRisk, "are overdue by")
	if s := g.Status(); s.Messages != 2 || s.Overdue != 2 || s.Left > -time.Minute {
		t.Errorf("status %+v", s)
	}
	if err := w.pinner.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantRefused(guard.AtRisk)
	w.anchor()
	w.wantRefused("")
	w.wantTold("promises broken: the batch is in a block after their deadline", 1)
}

// TestChainClock: deadlines are judged by blocks, so theirs counts where it is ahead of ours.
func TestChainClock(t *testing.T) {
	w := newWorld(t)
	g := w.watch()
	w.wantRefused("")
	saw := func(ahead time.Duration) {
		g.Saw(nodes.Block{Time: uint64(time.Now().Add(ahead).Unix())})
	}
	saw(promised/4 - 30*time.Second)
	w.wantRefused("")
	saw(promised/4 + 30*time.Second)
	if retry := w.wantRefused(guard.BadClock, "the chain's blocks are 15m", "its operator"); retry != time.Minute {
		t.Errorf("retry after %s", retry)
	}
	saw(promised - urgent)
	w.wantRefused(guard.AtRisk, "are due in")
	saw(-promised) // a chain that has no blocks for a while says nothing
	w.wantRefused("")
	w.clock.set(promised / 4)
	saw(promised / 2)
	w.wantRefused("")
}

// TestStopped: while anchoring needs its operator nothing is promised.
func TestStopped(t *testing.T) {
	w := newWorld(t)
	delay := &anchor.Delay{Code: anchor.GasCap, Next: time.Now().Add(3 * time.Second)}
	g, err := guard.New(guard.Config{Store: w.db, Unsealed: w.batcher.Unsealed, Promise: promised, Urgent: urgent, Delay: func() *anchor.Delay { return delay }})
	if err != nil {
		t.Fatal(err)
	}
	w.guard = g
	w.wantRefused("") // a delay alone is waited out
	delay = &anchor.Delay{Code: anchor.Stopped, Detail: "/path/of/a/secret"}
	w.wantRefused(guard.Stopped, "anchoring stopped")
	if s := g.Status(); strings.Contains(s.Refusal.Reason, "secret") {
		t.Errorf("the reason tells everybody %q", s.Refusal.Reason)
	}
}

// TestBacklog: batches that would take longer to anchor than half of what is promised are a reason, until they are fewer,
// or are found to take less.
func TestBacklog(t *testing.T) {
	w := newWorld(t)
	w.watch()
	w.look()
	most := int(promised / 2 / guard.FirstPace)
	for range most + 5 {
		w.accept(1)
		w.seal()
		w.look()
		if w.guard.Status().Refusal != nil {
			break
		}
	}
	w.look()
	if n := w.waiting(); n != most+1 {
		t.Errorf("refused with %d batches that wait, want %d", n, most+1)
	}
	if retry := w.wantRefused(guard.Backlog, "batches wait to be anchored, which takes about 30m24s"); retry != guard.FirstPace {
		t.Errorf("retry after %s, want the time of one batch, %s", retry, guard.FirstPace)
	}
	for range 3 {
		if err := w.anchorer.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.mine(1)
	}
	w.wantRefused("")
}

// TestConfig reports every problem at once.
func TestConfig(t *testing.T) {
	_, err := guard.New(guard.Config{})
	for _, want := range []string{"Store is missing", "Unsealed is missing", "Promise is not over 0", "Urgent is not over 0"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %s", err, want)
		}
	}
	_, err = guard.NewAnswerer(guard.AnswererConfig{Log: proofs.Chain{}})
	for _, want := range []string{"Nodes is missing", "Store is missing", "Signer is missing", "Log.Log is zero"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewAnswerer: %v, want %s", err, want)
		}
	}
}
