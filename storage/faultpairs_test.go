package storage_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// write is a durable write of the log: what is called, and the call.
type write func(op string, do func() error) error

// watched is a log on disk whose durable writes all go through one function.
type watched struct {
	*storage.DB
	write write
}

func (w *watched) Append(ctx context.Context, t proofs.Tail, entries []proofs.Accepted) error {
	return w.write("Append", func() error { return w.DB.Append(ctx, t, entries) })
}

func (w *watched) Seal(ctx context.Context, s proofs.Sealed, t proofs.Tree) error {
	return w.write("Seal", func() error { return w.DB.Seal(ctx, s, t) })
}

func (w *watched) SetCID(ctx context.Context, number uint64, digest proofs.Hash) error {
	return w.write("SetCID", func() error { return w.DB.SetCID(ctx, number, digest) })
}

// running is a log with a batcher and a pinner at work.
type running struct {
	t      testing.TB
	db     *storage.DB
	ipfs   *ipfs.Node
	b      *batcher.Batcher
	pinned chan struct{}
	ended  chan error // what Run of both returned
	cancel context.CancelFunc
}

// maxMessages of batches of a running.
const maxMessages = 4

func run(t testing.TB, cfg storage.Config, w write) *running {
	t.Helper()
	db, err := storage.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, db: db, pinned: make(chan struct{}, 1024), ended: make(chan error, 1)}
	if r.ipfs, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(cfg.Dir, "ipfs")}); err != nil {
		t.Fatal(err)
	}
	store := &watched{db, w}
	quiet := slog.New(slog.DiscardHandler)
	pinner := payload.New(payload.Config{
		Log: chain.Log, Store: store, Node: r.ipfs, Pinned: func() { r.pinned <- struct{}{} }, Logger: quiet,
	})
	r.b, err = batcher.New(batcher.Config{
		Chain: chain, Store: store, MaxMessages: maxMessages, Recover: identity.Recover, Sealed: pinner.Wake, Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.b.Run(ctx) })
	g.Go(func() error { return pinner.Run(ctx) })
	go func() { r.ended <- g.Wait() }()
	return r
}

// plain writes as asked.
func plain(_ string, do func() error) error { return do() }

func (r *running) submit(n int) batcher.Result {
	return r.b.Submit(context.Background(), submission(n))[0]
}

// settle seals the pool and waits until everything is pinned.
func (r *running) settle() {
	r.t.Helper()
	r.b.Flush()
	for {
		tail, err := r.db.Tail(context.Background())
		if err != nil {
			r.t.Fatal(err)
		}
		unpinned, err := r.db.Unpinned(context.Background(), 1)
		if err != nil {
			r.t.Fatal(err)
		}
		if tail.Sealed == tail.Next && len(unpinned) == 0 {
			return
		}
		select {
		case <-r.pinned:
		case err := <-r.ended:
			r.t.Fatal(err)
		}
	}
}

// check holds what is on disk against what was promised.
func (r *running) check(promised map[proofs.Hash]proofs.Promise) {
	r.t.Helper()
	if err := errors.Join(checkLog(r.db, promised), checkPinned(r.db, r.ipfs)); err != nil {
		r.t.Fatal(err)
	}
}

// close ends both loops and returns their error.
func (r *running) close() error {
	r.t.Helper()
	r.cancel()
	err := <-r.ended
	if err := errors.Join(r.db.Close(), r.ipfs.Close()); err != nil {
		r.t.Error(err)
	}
	return err
}

var errDisk = errors.New("the disk is on fire")

// The ways in which a write can fail.
var writeFaults = []struct {
	name    string
	refused bool // nothing was written, and the store says so
	written bool // it was, and the store says that it was not
	fail    func(do func() error) error
}{
	{"refused", true, false, func(func() error) error { return fmt.Errorf("%w: %w", proofs.ErrRefused, syscall.ENOSPC) }},
	{"not written", false, false, func(func() error) error { return errDisk }},
	{"written", false, true, func(do func() error) error { return errors.Join(do(), errDisk) }},
}

// TestWriteFaults lets each durable write fail once, without and after writing. What was refused may be
// tried again; after any other failure everything ends with an error, and the next start finds on disk
// what was written.
func TestWriteFaults(t *testing.T) {
	for _, op := range []string{"Append", "Seal", "SetCID"} {
		for _, fault := range writeFaults {
			for _, nth := range []int{1, 3} {
				t.Run(fmt.Sprintf("%s %d %s", op, nth, fault.name), func(t *testing.T) {
					cfg := storage.Config{Dir: t.TempDir(), Chain: chain}
					calls := 0
					r := run(t, cfg, func(is string, do func() error) error {
						if is != op {
							return do()
						}
						if calls++; calls != nth { // one goroutine calls each op
							return do()
						}
						return fault.fail(do)
					})
					promised, failed := submitAll(t, r, fault.refused)
					if op == "Append" && failed != nth-1 {
						t.Errorf("message %d failed, want %d", failed, nth-1)
					}
					if fault.refused {
						r.settle()
						r.check(promised)
						if err := r.close(); err != nil {
							t.Fatalf("a refusal ended it: %v", err)
						}
					} else if err := errors.Join(<-r.ended, r.db.Close(), r.ipfs.Close()); !errors.Is(err, errDisk) {
						t.Fatalf("Run: got %v, want %v", err, errDisk)
					}
					again(t, cfg, promised, failed, op == "Append" && fault.written)
				})
			}
		}
	}
}

// faultMessages is enough for four batches.
const faultMessages = 4*maxMessages + 1

// submitAll submits until one is not taken, or all if the log goes on after that. It returns what was
// promised and which message failed, -1 for none.
func submitAll(t *testing.T, r *running, goesOn bool) (promised map[proofs.Hash]proofs.Promise, failed int) {
	promised, failed = map[proofs.Hash]proofs.Promise{}, -1
	for n := range faultMessages {
		a := r.submit(n)
		var busy *batcher.BusyError
		switch {
		case a.Err == nil:
			promised[a.ID] = a.Accepted.Promise()
			continue
		case goesOn && !errors.As(a.Err, &busy):
			t.Fatalf("message %d: got %v, want a BusyError", n, a.Err)
		case !goesOn && !errors.Is(a.Err, batcher.ErrClosed):
			t.Fatalf("message %d: got %v, want %v", n, a.Err, batcher.ErrClosed)
		case failed >= 0:
			t.Fatalf("messages %d and %d failed", failed, n)
		}
		if failed = n; !goesOn {
			break
		}
	}
	return promised, failed
}

// again starts the log again and submits every message once more: each has the place it was promised,
// and the one whose outcome was unknown has a place exactly if it was written.
func again(t *testing.T, cfg storage.Config, promised map[proofs.Hash]proofs.Promise, failed int, written bool) {
	t.Helper()
	r := run(t, cfg, plain)
	r.check(promised)
	for n := range faultMessages {
		a := r.submit(n)
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		p, before := promised[a.ID]
		if before && a.Accepted.Promise() != p {
			t.Errorf("message %d was promised %d, and now %d", n, p.Index, a.Accepted.Entry.Index)
		}
		if want := before || n == failed && written; a.Replayed != want {
			t.Errorf("message %d was there: %v, want %v", n, a.Replayed, want)
		}
		promised[a.ID] = a.Accepted.Promise()
	}
	r.settle()
	r.check(promised)
	if tail, err := r.db.Tail(t.Context()); err != nil || tail.Next != faultMessages {
		t.Errorf("%d entries, %v, want %d", tail.Next, err, faultMessages)
	}
	if err := r.close(); err != nil {
		t.Error(err)
	}
}
