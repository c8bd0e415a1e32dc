package payload_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var (
	_ payload.Store = (*storage.DB)(nil)
	_ payload.Node  = (*ipfs.Node)(nil)
)

// chain is the log of these tests.
var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("payload tests"))}

const clock = 1_795_254_640_000 // ms since 1970 UTC, so that every log is the same

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// disk is a log and an IPFS node on disk.
type disk struct {
	t    testing.TB
	dir  string
	db   *storage.DB
	node *ipfs.Node
}

func newDisk(t testing.TB) *disk {
	t.Helper()
	d := &disk{t: t, dir: t.TempDir()}
	d.open()
	t.Cleanup(func() { d.close() })
	return d
}

func (d *disk) open() {
	d.t.Helper()
	var err error
	if d.db, err = storage.Open(storage.Config{Dir: d.dir + "/log", Chain: chain}); err != nil {
		d.t.Fatal(err)
	}
	if d.node, err = ipfs.Open(ipfs.Config{Dir: d.dir + "/ipfs"}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *disk) close() {
	if err := errors.Join(d.db.Close(), d.node.Close()); err != nil {
		d.t.Error(err)
	}
}

// batches are the messages of the batches of these tests: of one message, of several rooms, and of
// several chunks, the largest message among them. Every log has the same.
func batches() (all [][]batcher.Submission) {
	add := func(n, rooms, size int) {
		var subs []batcher.Submission
		for i := range n {
			body := fmt.Sprintf("batch %d, message %d", len(all), i)
			s := batcher.Submission{Message: proofs.Message{
				Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%rooms)), Author: "zoom:Dan", SentAt: clock, Kind: "text/plain",
				Body: body + strings.Repeat(".", max(0, size-len(body))), Salt: proofs.Keccak([]byte(body)),
			}}
			s.Evidence.Scheme = proofs.SchemeNone
			subs = append(subs, s)
		}
		all = append(all, subs)
	}
	add(1, 1, 0)
	add(33, 5, 100)
	add(11, 3, proofs.MaxBody)
	return all
}

// fill accepts and seals the batches.
func (d *disk) fill(all ...[]batcher.Submission) {
	d.t.Helper()
	sealed := make(chan struct{}, 1024)
	block := proofs.Hash{}
	b, err := batcher.New(batcher.Config{
		Chain: chain, Store: d.db, Logger: quiet, Now: func() time.Time { return time.UnixMilli(clock) },
		NotBefore: func() proofs.Hash { block[0]++; return block }, Sealed: func() { sealed <- struct{}{} },
	})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for _, subs := range all {
		for _, res := range b.Submit(ctx, subs...) {
			if res.Err != nil {
				d.t.Fatal(res.Err)
			}
		}
		b.Flush()
		<-sealed
	}
	cancel()
	if err := <-done; err != nil {
		d.t.Fatal(err)
	}
}

// sealedBatches returns the batches as the log has them.
func (d *disk) sealedBatches() []proofs.Sealed {
	d.t.Helper()
	all, err := d.db.Batches(d.t.Context(), 0, 1000)
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}

// cids returns the CIDs that the log has for its batches.
func (d *disk) cids() (cids []proofs.Hash) {
	d.t.Helper()
	for _, s := range d.sealedBatches() {
		cids = append(cids, s.CID)
	}
	return cids
}

func config(store payload.Store, node payload.Node, pinned func()) payload.Config {
	return payload.Config{Log: chain.Log, Store: store, Node: node, Pinned: pinned, Logger: quiet}
}

// step pins with the store and the node given and returns how many batches were reported.
func step(t testing.TB, store payload.Store, node payload.Node) (pinned int, err error) {
	t.Helper()
	err = payload.New(config(store, node, func() { pinned++ })).Step(t.Context())
	return pinned, err
}

// trap fails the n-th call of one operation, before it does anything or after it did it all.
type trap struct {
	payload.Store
	payload.Node
	op    string
	n     int
	after bool
	calls map[string]int
	order []string // of writes
}

var errTrap = errors.New("the trap snapped")

func (f *trap) call(op string, do func() error) error {
	f.calls[op]++
	hit := op == f.op && f.calls[op] == f.n
	if hit && !f.after {
		return errTrap
	}
	if err := do(); err != nil {
		return err
	}
	if hit {
		return errTrap
	}
	return nil
}

func (f *trap) Unpinned(ctx context.Context, limit int) (out []proofs.Sealed, err error) {
	err = f.call("Unpinned", func() error { out, err = f.Store.Unpinned(ctx, limit); return err })
	return out, err
}

func (f *trap) Batch(ctx context.Context, number uint64) (out proofs.Sealed, err error) {
	err = f.call("Batch", func() error { out, err = f.Store.Batch(ctx, number); return err })
	return out, err
}

func (f *trap) Records(ctx context.Context, first, n uint64, do func([]byte) error) error {
	return f.call("Records", func() error { return f.Store.Records(ctx, first, n, do) })
}

func (f *trap) SetCID(ctx context.Context, number uint64, digest proofs.Hash) error {
	f.order = append(f.order, "SetCID")
	return f.call("SetCID", func() error { return f.Store.SetCID(ctx, number, digest) })
}

func (f *trap) Keep(ctx context.Context, name string, write func(func([]byte) error) (proofs.Hash, error)) error {
	f.order = append(f.order, "Keep")
	return f.call("Keep", func() error {
		return f.Node.Keep(ctx, name, func(put func([]byte) error) (proofs.Hash, error) {
			return write(func(block []byte) error { return f.call("put", func() error { return put(block) }) })
		})
	})
}
