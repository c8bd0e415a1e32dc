package storage_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// childEnv makes the test binary the process that gets killed. It holds a child as JSON.
const childEnv = "HANSARD_STORAGE_CHILD"

func TestMain(m *testing.M) {
	s := os.Getenv(childEnv)
	if s == "" {
		os.Exit(m.Run())
	}
	var c child
	err := json.Unmarshal([]byte(s), &c)
	if err == nil {
		err = c.run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// child takes, seals and pins messages until it dies. It reports each answer on standard output
// before the one who asked goes on.
type child struct {
	Dir         string // of the log
	Seed, Round uint64
	Messages    int // numbers below it are sent, many of them again and again
	MaxMessages uint64
	MaxAge      time.Duration
	Reserve     uint64
	Small       bool // tables that are full after some hundred messages
	Unguarded   bool // writes to a full disk

	Mark            string // file of the mark; empty: none
	BlocksElsewhere string // directory of the payloads; default: ipfs below Dir

	// Faults that a test must find.
	Early    bool // answers before it writes
	EarlyPin bool // says that a batch is pinned before it is
	NoMark   bool // answers without writing the mark
	NoSync   bool // writes without syncing
}

// report is one answer: a promise, or why the message was not taken.
type report struct {
	ID, Leaf        proofs.Hash
	Index, Deadline uint64
	Busy            string // why it was not taken
}

func (c *child) blocks() string { return cmp.Or(c.BlocksElsewhere, filepath.Join(c.Dir, "ipfs")) }

func (c *child) config() storage.Config {
	return storage.Config{Dir: c.Dir, Chain: chain, Reserve: c.Reserve}.Tuned(func(o badger.Options) badger.Options {
		if c.Small {
			o = o.WithMemTableSize(512 << 10).WithValueThreshold(64 << 10).WithNumLevelZeroTables(2)
		}
		return o.WithSyncWrites(!c.NoSync)
	})
}

// submitters is enough to keep groups growing while one is written.
const submitters = 8

func (c *child) run(ctx context.Context) error {
	db, err := storage.Open(c.config())
	if err != nil {
		return err
	}
	if c.Unguarded {
		db.Unguard()
	}
	var mark *storage.Mark
	if c.Mark != "" {
		if mark, err = storage.OpenMark(c.Mark, db); err != nil {
			return err
		}
	}
	node, err := ipfs.Open(ipfs.Config{Dir: c.blocks()})
	if err != nil {
		return err
	}
	var pins payload.Node = node
	if c.EarlyPin {
		pins = &earlyNode{Node: node}
	}
	pinner := payload.New(payload.Config{
		Log: chain.Log, Store: db, Node: pins, Pinned: func() {}, Logger: slog.New(slog.DiscardHandler),
	})
	start := time.Now()
	cfg := batcher.Config{
		Chain: chain, Store: db, MaxMessages: c.MaxMessages, MaxAge: c.MaxAge, Recover: identity.Recover,
		Sealed: pinner.Wake, Logger: slog.New(slog.DiscardHandler),
		// An hour later in each round: a promise made anew would have another deadline.
		Now: func() time.Time {
			return time.UnixMilli(1_795_254_640_000).Add(time.Duration(c.Round)*time.Hour + time.Since(start))
		},
	}
	if c.Early { // and does not seal what it has not written
		cfg.Store, cfg.MaxMessages, cfg.MaxAge = &earlyStore{DB: db}, 0, 0
	}
	b, err := batcher.New(cfg)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return b.Run(ctx) })
	g.Go(func() error { return pinner.Run(ctx) })
	var out sync.Mutex
	for s := range submitters {
		g.Go(func() error { return c.submit(ctx, b, mark, rand.New(rand.NewPCG(c.Seed, c.Round<<8|uint64(s))), &out) })
	}
	return g.Wait()
}

func (c *child) submit(ctx context.Context, b *batcher.Batcher, mark *storage.Mark, rng *rand.Rand, out *sync.Mutex) error {
	enc := json.NewEncoder(os.Stdout)
	for {
		subs := make([]batcher.Submission, 1+rng.IntN(4))
		for i := range subs {
			subs[i] = submission(rng.IntN(c.Messages))
		}
		if rng.IntN(4) == 0 {
			subs = append(subs, subs[0])
		}
		for _, r := range b.Submit(ctx, subs...) {
			a := &r.Accepted
			rep := report{ID: r.ID, Leaf: a.Leaf, Index: a.Entry.Index, Deadline: a.Deadline}
			var busy *batcher.BusyError
			if errors.As(r.Err, &busy) {
				rep.Busy = busy.Error()
			} else if r.Err != nil {
				return r.Err
			} else if mark != nil && !c.NoMark {
				if err := mark.Cover(rep.Index); err != nil {
					return err
				}
			}
			out.Lock()
			err := enc.Encode(rep)
			out.Unlock()
			if err != nil {
				return err
			}
		}
	}
}

// earlyStore says that entries are stored, and shows them, when it has stored only those before them.
type earlyStore struct {
	*storage.DB
	tail    proofs.Tail
	entries []proofs.Accepted
}

func (s *earlyStore) Append(ctx context.Context, t proofs.Tail, entries []proofs.Accepted) error {
	tail, before := s.tail, s.entries
	s.tail, s.entries = t, entries
	if len(before) == 0 {
		return nil
	}
	return s.DB.Append(ctx, tail, before)
}

func (s *earlyStore) Known(ctx context.Context, ids []proofs.Hash) (map[proofs.Hash]proofs.Accepted, error) {
	known, err := s.DB.Known(ctx, ids)
	for _, a := range s.entries {
		if slices.Contains(ids, a.Entry.Message) {
			known[a.Entry.Message] = a
		}
	}
	return known, err
}

// earlyNode says that a batch is pinned when it has pinned the one before it.
type earlyNode struct {
	*ipfs.Node
	name string
	last func(func([]byte) error) (proofs.Hash, error)
}

func (n *earlyNode) Keep(ctx context.Context, name string, write func(func([]byte) error) (proofs.Hash, error)) error {
	before, was := n.last, n.name
	n.last, n.name = write, name
	if _, err := write(func([]byte) error { return nil }); err != nil || before == nil {
		return err
	}
	return n.Node.Keep(ctx, was, before)
}
