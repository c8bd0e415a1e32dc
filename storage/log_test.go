package storage_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

var _ batcher.Store = (*storage.DB)(nil)

// chain is the log of these tests.
var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("storage tests"))}

// author returns the i-th author's key, always the same.
func author(i int) *identity.Key {
	key, err := crypto.ToECDSA(crypto.Keccak256(fmt.Appendf(nil, "author %d", i)))
	if err != nil {
		panic(err)
	}
	return identity.NewKey(key)
}

// submission returns the n-th signed message of these tests, always the same.
func submission(n int) batcher.Submission {
	key := author(n % 8)
	m := proofs.Message{
		Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", n%5)), Author: proofs.Author(key.Address().String()),
		SentAt: 1_795_254_630_000 + uint64(n), Kind: "text/plain", Body: fmt.Sprintf("message %d", n),
		Salt: proofs.Keccak(fmt.Appendf(nil, "salt %d", n)),
	}
	e, err := key.SignMessage(chain.MessageDomain(), &m)
	if err != nil {
		panic(err)
	}
	return batcher.Submission{Message: m, Evidence: e}
}

// testLog is a log on disk with a running batcher. After each step check re-derives everything.
type testLog struct {
	t      testing.TB
	dir    string
	cfg    batcher.Config
	db     *storage.DB
	b      *batcher.Batcher
	stop   func()
	sealed chan struct{}

	mu       sync.Mutex
	promised map[proofs.Hash]proofs.Promise // what was acknowledged, over all restarts
}

func newTestLog(t testing.TB, cfg batcher.Config) *testLog {
	l := &testLog{t: t, dir: t.TempDir(), cfg: cfg, promised: map[proofs.Hash]proofs.Promise{}, sealed: make(chan struct{}, 1024)}
	l.start()
	t.Cleanup(func() { l.stop() })
	return l
}

func (l *testLog) start() {
	l.t.Helper()
	db, err := storage.Open(storage.Config{Dir: l.dir, Chain: chain})
	if err != nil {
		l.t.Fatal(err)
	}
	cfg := l.cfg
	cfg.Chain, cfg.Recover, cfg.Logger = chain, identity.Recover, slog.New(slog.NewTextHandler(io.Discard, nil))
	if cfg.Store == nil {
		cfg.Store = db
	}
	cfg.Now = func() time.Time { return time.UnixMilli(1_795_254_640_000) }
	cfg.Sealed = func() { l.sealed <- struct{}{} }
	b, err := batcher.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	l.db, l.b = db, b
	l.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Errorf("Run: %v", err)
		}
		if err := db.Close(); err != nil {
			l.t.Error(err)
		}
	})
}

// restart closes everything and opens it again.
func (l *testLog) restart() {
	l.t.Helper()
	l.stop()
	l.start()
}

// submit sends the n-th message and keeps its promise; every answer for it must be the same one.
func (l *testLog) submit(n int) batcher.Result {
	l.t.Helper()
	r := l.b.Submit(context.Background(), submission(n))[0]
	if r.Err != nil {
		l.t.Fatalf("submit %d: %v", n, r.Err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p := r.Accepted.Promise()
	if was, ok := l.promised[r.ID]; ok && was != p {
		l.t.Fatalf("message %d was promised %+v and then %+v", n, was, p)
	}
	l.promised[r.ID] = p
	return r
}

// flush seals the pool and waits until it is a batch.
func (l *testLog) flush() {
	l.t.Helper()
	l.b.Flush()
	<-l.sealed
}

// check re-derives the whole log from disk and holds it against every promise.
func (l *testLog) check() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := checkLog(l.db, l.promised); err != nil {
		l.t.Fatal(err)
	}
}

// checkLog reads every entry and batch and checks numbering, room chains, roots and proofs, and that
// each promise stands where it says.
func checkLog(db *storage.DB, promised map[proofs.Hash]proofs.Promise) error {
	ctx := context.Background()
	tail, err := db.Tail(ctx)
	if err != nil {
		return err
	}
	entries, err := db.Read(ctx, 0, tail.Next)
	if err != nil {
		return err
	}
	rooms := map[proofs.Hash]proofs.RoomTail{}
	ids := map[proofs.Hash]bool{}
	for i, a := range entries {
		e := a.Entry
		r := rooms[e.Room]
		if e.Index != uint64(i) || e.RoomIndex != r.Count || e.RoomPrev != r.Head || ids[e.Message] {
			return fmt.Errorf("entry %d is out of order: %+v after %+v", i, e, r)
		}
		if chain.MessageDomain().MessageID(a.Message) != e.Message {
			return fmt.Errorf("entry %d has another message", i)
		}
		ids[e.Message], rooms[e.Room] = true, proofs.RoomTail{Count: r.Count + 1, Head: e.Leaf()}
		found, err := db.Find(ctx, e.Message)
		if err != nil {
			return err
		}
		if d := cmp.Diff(a, found); d != "" {
			return fmt.Errorf("entry %d is found otherwise: %s", i, d)
		}
	}
	for tag, want := range rooms {
		if got, err := db.Room(ctx, tag); err != nil || got != want {
			return fmt.Errorf("room %s: got %+v, %v, want %+v", tag, got, err, want)
		}
	}
	for id, p := range promised {
		if p.Index >= tail.Next || entries[p.Index].Leaf != p.Leaf || entries[p.Index].Entry.Message != id ||
			entries[p.Index].Deadline != p.Deadline {
			return fmt.Errorf("promise of message %s at %d is not kept", id, p.Index)
		}
	}
	return checkBatches(ctx, db, tail, entries)
}

func checkBatches(ctx context.Context, db *storage.DB, tail proofs.Tail, entries []proofs.Accepted) error {
	next := uint64(0)
	for number := range tail.Batches {
		s, err := db.Batch(ctx, number)
		if err != nil {
			return err
		}
		if s.First != next || s.Number != number {
			return fmt.Errorf("batch %d begins at %d, want %d", number, s.First, next)
		}
		next += s.Size
		var leaves []proofs.Hash
		for _, a := range entries[s.First:next] {
			leaves = append(leaves, a.Leaf)
		}
		if root, err := proofs.Root(leaves); err != nil || root != s.Root {
			return fmt.Errorf("batch %d: root %s, %v, want %s", number, s.Root, err, root)
		}
		for i, leaf := range leaves {
			proof, err := db.Prove(ctx, s.Batch, uint64(i))
			if err == nil {
				err = proofs.VerifyInclusion(proof, leaf, uint64(i), s.Size, s.Root)
			}
			if err != nil {
				return fmt.Errorf("batch %d, position %d: %w", number, i, err)
			}
		}
		if of, err := db.BatchOf(ctx, next-1); err != nil || of.Number != number {
			return fmt.Errorf("entry %d: in batch %d, %v, want %d", next-1, of.Number, err, number)
		}
	}
	if next != tail.Sealed {
		return fmt.Errorf("batches end at %d, the pool begins at %d", next, tail.Sealed)
	}
	// The pool may have been sealed since the tail was read.
	if of, err := db.BatchOf(ctx, next); !errors.Is(err, proofs.ErrNotFound) && of.Number != tail.Batches {
		return fmt.Errorf("entry %d of the pool: in batch %d, %v", next, of.Number, err)
	}
	return nil
}

func TestLogSurvivesRestartAfterEachStep(t *testing.T) {
	l := newTestLog(t, batcher.Config{MaxMessages: 7})
	for n := range 30 {
		l.submit(n)
		if r := l.submit(n / 2); !r.Replayed {
			t.Fatalf("message %d was taken twice", n/2)
		}
		if n%4 == 3 {
			l.restart()
		}
		if n%13 == 12 {
			l.flush()
		}
		l.check()
	}
	if tail, _ := l.db.Tail(t.Context()); tail.Next != 30 || tail.Batches < 4 {
		t.Fatalf("tail is %+v", tail)
	}
}

func TestManySubmitters(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	l := newTestLog(t, batcher.Config{MaxMessages: 64})
	const messages, submitters = 400, 16
	var wg sync.WaitGroup
	for s := range submitters {
		wg.Go(func() {
			for _, n := range rand.New(rand.NewPCG(seed, uint64(s))).Perm(messages)[:messages/2] {
				l.submit(n)
			}
		})
	}
	wg.Wait()
	l.restart()
	l.check()
}
