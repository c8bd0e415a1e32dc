package recovery_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var (
	_ recovery.Blocks = blocks{}
	_ recovery.Log    = (*fakeLog)(nil)
	_ recovery.Node   = (*ipfs.Node)(nil)
)

// chain is the log of these tests.
var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("recovery tests"))}

const (
	clock   = 1_795_254_640_123 // ms since 1970 UTC
	promise = 15*time.Minute + 77*time.Millisecond
)

var (
	quiet = slog.New(slog.NewTextHandler(io.Discard, nil))
	key   = proofs.Address{0x17}
)

// blocks are those of a node.
type blocks struct{ *ipfs.Node }

func (b blocks) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	return b.Get(ctx, digest)
}

// fakeLog is what the chain would prove.
type fakeLog struct {
	sealed   []proofs.Sealed
	messages uint64
	peaks    proofs.Range
}

func (l *fakeLog) Batch(number uint64) (proofs.Batch, bool) {
	if number >= uint64(len(l.sealed)) {
		return proofs.Batch{}, false
	}
	return l.sealed[number].Batch, true
}

func (l *fakeLog) Standing(_ context.Context, number uint64) (proofs.Standing, error) {
	return l.sealed[number].Standing(), nil
}

func (l *fakeLog) Range(context.Context) (uint64, proofs.Range, error) {
	return l.messages, l.peaks, nil
}

// service is a directory of a service whose batches are all anchored, but for the last of four.
type service struct {
	t    *testing.T
	dir  string
	log  *fakeLog
	cars string // its CAR files
}

// newService makes the log of a service: batches of one message, of several rooms, of several chunks, and of messages
// with sources.
func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, dir: t.TempDir()}
	s.cars = filepath.Join(s.dir, "ipfs", "cars")
	db, node := s.open()
	s.fill(db, submissions(1, 1, 10), submissions(33, 5, 100), submissions(30, 3, proofs.MaxBody), submissions(2, 2, 300))
	p := payload.New(payload.Config{Log: chain.Log, Store: db, Node: node, Pinned: func() {}, Logger: quiet})
	if err := p.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.anchor(db)
	s.close(db, node)
	return s
}

func (s *service) open() (*storage.DB, *ipfs.Node) {
	s.t.Helper()
	db, err := storage.Open(storage.Config{Dir: filepath.Join(s.dir, "log"), Chain: chain, PromiseKey: key})
	if err != nil {
		s.t.Fatal(err)
	}
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(s.dir, "ipfs")})
	if err != nil {
		s.t.Fatal(err)
	}
	return db, node
}

func (s *service) close(all ...io.Closer) {
	s.t.Helper()
	for _, c := range all {
		if err := c.Close(); err != nil {
			s.t.Error(err)
		}
	}
}

// submissions returns n messages in so many rooms, with bodies of about that size.
func submissions(n, rooms, size int) (subs []batcher.Submission) {
	for i := range n {
		sub := batcher.Submission{Message: proofs.Message{
			Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%rooms)), Author: "zoom:Dan", SentAt: clock, Kind: "text/plain",
			Body: fmt.Sprintf("%0*d", size, i), Salt: proofs.Keccak(fmt.Appendf(nil, "%d %d %d", n, rooms, i)),
		}}
		if i%4 == 1 {
			sub.Message.Source = "zoom:call#1"
		}
		sub.Evidence.Scheme = proofs.SchemeNone
		subs = append(subs, sub)
	}
	return subs
}

// fill accepts and seals the batches.
func (s *service) fill(db *storage.DB, all ...[]batcher.Submission) {
	s.t.Helper()
	sealed := make(chan struct{}, 1024)
	now, block := time.UnixMilli(clock), proofs.Hash{}
	b, err := batcher.New(batcher.Config{
		Chain: chain, Store: db, Logger: quiet, Promise: promise,
		Now:       func() time.Time { now = now.Add(987 * time.Microsecond); return now },
		NotBefore: func() proofs.Hash { block[0]++; return block }, Sealed: func() { sealed <- struct{}{} },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for _, subs := range all {
		for i := range subs { // each with a time of its own
			if res := b.Submit(ctx, subs[i]); res[0].Err != nil {
				s.t.Fatal(res[0].Err)
			}
		}
		b.Flush()
		<-sealed
	}
	cancel()
	if err := <-done; err != nil {
		s.t.Fatal(err)
	}
}

// anchor says where the batches stand, and makes the log of it.
func (s *service) anchor(db *storage.DB) {
	s.t.Helper()
	all, err := db.Batches(s.t.Context(), 0, 100)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := range all {
		at := &proofs.Anchor{Block: proofs.BlockRef{Number: uint64(100 + i), Hash: proofs.Hash{byte(i + 1)}}, TxIndex: 3}
		st := proofs.Standing{State: proofs.StateIncluded, Time: clock/1000 + uint64(60*i) + 60, Tx: proofs.Hash{0xaa, byte(i)}, Anchor: at}
		if i < len(all)-1 {
			st.State, at.Header, at.Proof = proofs.StateFinalized, []byte("header"), [][]byte{[]byte("node")}
		}
		if err := db.SetAnchor(s.t.Context(), uint64(i), st); err != nil {
			s.t.Fatal(err)
		}
	}
	if all, err = db.Batches(s.t.Context(), 0, 100); err != nil {
		s.t.Fatal(err)
	}
	s.log = logOf(all)
}

func logOf(all []proofs.Sealed) *fakeLog {
	l := &fakeLog{sealed: all}
	for i := range all {
		l.peaks.Append(all[i].Hash())
		l.messages += all[i].Size
	}
	return l
}

// attempt is a directory to recover into.
type attempt struct {
	dir     string
	log     recovery.Log
	sources []recovery.Source
	promise time.Duration
	reserve uint64
	report  func(recovery.Progress)
}

// run opens the directory, recovers and closes it.
func (a *attempt) run(ctx context.Context) (sum *recovery.Summary, err error) {
	store, err := storage.OpenRebuild(storage.Config{Dir: filepath.Join(a.dir, "log"), Chain: chain, PromiseKey: key, Reserve: a.reserve},
		[]storage.PromiseKey{{Address: key}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(a.dir, "ipfs")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	return recovery.Run(ctx, recovery.Config{
		Chain: chain, Log: a.log, Store: store, Node: node, Promise: a.promise, Progress: a.report,
		Sources: append([]recovery.Source{{Name: "the directory", Blocks: blocks{node}}}, a.sources...),
	})
}

// carsOf opens CAR files as a source.
func carsOf(t testing.TB, path string) recovery.Source {
	t.Helper()
	c, err := recovery.OpenCARs(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return recovery.Source{Name: filepath.Base(path), Blocks: c}
}
