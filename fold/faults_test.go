package fold_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/fold"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var errTrap = errors.New("the trap snapped")

// trap fails one operation, before it does anything or after it did it all.
type trap struct {
	fold.Store
	fold.Node
	op    string
	after bool
	err   error
}

func (f *trap) call(op string, do func() error) error {
	if op == f.op && !f.after {
		return f.err
	}
	if err := do(); err != nil || op != f.op {
		return err
	}
	return f.err
}

func (f *trap) Batches(ctx context.Context, number uint64, limit int) (out []proofs.Sealed, err error) {
	err = f.call("Batches", func() error { out, err = f.Store.Batches(ctx, number, limit); return err })
	return out, err
}

func (f *trap) Tail(ctx context.Context) (out proofs.Tail, err error) {
	err = f.call("Tail", func() error { out, err = f.Store.Tail(ctx); return err })
	return out, err
}

func (f *trap) Seal(ctx context.Context, s proofs.Sealed, tree proofs.Tree) error {
	return f.call("Seal", func() error { return f.Store.Seal(ctx, s, tree) })
}

func (f *trap) Put(ctx context.Context, blocks [][]byte) error {
	return f.call("Put", func() error { return f.Node.Put(ctx, blocks) })
}

func (f *trap) Pin(ctx context.Context, digest proofs.Hash, name string) error {
	return f.call("Pin", func() error { return f.Node.Pin(ctx, digest, name) })
}

// TestCrash fails each durable step, not done and done but reported failed, and restarts. Each head is
// sealed once.
func TestCrash(t *testing.T) {
	p := newPair(t)
	n := 0
	for _, op := range []string{"Put", "Pin", "Seal", "Tail", "Batches"} {
		for _, after := range []bool{false, true} {
			p.grow(1)
			p.clock = p.clock.Add(every)
			cfg := p.config()
			f := &trap{Store: cfg.Store, Node: cfg.Node, op: op, after: after, err: errTrap}
			cfg.Store, cfg.Node = f, f
			p.folder = p.fresh(cfg)
			stored := op == "Seal" && after
			_, err := p.folder.Step(t.Context())
			if !errors.Is(err, errTrap) || errors.Is(err, fold.ErrUnclear) != (op == "Seal") {
				t.Fatalf("%s, done %t: %v", op, after, err)
			}
			n++
			if got := len(p.b.batches()); (got == n) != stored {
				t.Fatalf("%s, done %t: %d heads", op, after, got)
			}
			p.restart()
			p.step(!stored)
			p.b.until(proofs.StateFinalized)
			p.checkHeads(n)
			p.attached(n-1, 0)
		}
	}
}

// TestDiskFull waits out a store that refuses.
func TestDiskFull(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	cfg := p.config()
	f := &trap{Store: cfg.Store, Node: cfg.Node, op: "Seal", err: fmt.Errorf("full: %w", proofs.ErrRefused)}
	cfg.Store, cfg.Node = f, f
	p.folder = p.fresh(cfg)
	for range 2 {
		if _, err := p.folder.Step(t.Context()); !errors.Is(err, proofs.ErrRefused) || errors.Is(err, fold.ErrUnclear) {
			t.Fatal(err)
		}
	}
	f.op = ""
	p.step(true)
	p.b.until(proofs.StateFinalized)
	p.checkHeads(1)
}

// madeUp is a chain that says what a test wants.
type madeUp struct {
	fold.Chain
	pruned bool // no node has the state of a final block
	change func(*proofs.Head)
	final  func() (bool, error) // nil: asks
}

func (m *madeUp) FinalHead(ctx context.Context) (proofs.Head, error) {
	if m.pruned {
		return proofs.Head{}, errors.New("missing trie node")
	}
	return m.changed(m.Chain.FinalHead(ctx))
}

func (m *madeUp) NewestHead(ctx context.Context) (proofs.Head, error) {
	return m.changed(m.Chain.NewestHead(ctx))
}

func (m *madeUp) changed(h proofs.Head, err error) (proofs.Head, error) {
	if err == nil && m.change != nil {
		m.change(&h)
	}
	return h, err
}

func (m *madeUp) Final(ctx context.Context, b proofs.BlockRef) (bool, error) {
	if m.final != nil {
		return m.final()
	}
	return m.Chain.Final(ctx, b)
}

// TestLies: a chain that does not say what the log's own store gives is not folded, and nothing is left.
func TestLies(t *testing.T) {
	p := newPair(t)
	p.grow(3, 1)
	p.fold(proofs.StateIncluded)
	p.clock = p.clock.Add(every)
	p.grow(1)
	tests := map[string]struct {
		says   string
		change func(*proofs.Head)
	}{
		"peak":           {"own store", func(h *proofs.Head) { h.Peaks[0][0] ^= 1 }},
		"messages":       {"own store", func(h *proofs.Head) { h.Messages++ }},
		"count of peaks": {"peaks", func(h *proofs.Head) { h.Peaks = h.Peaks[:1] }},
		"another log":    {"not the folded one", func(h *proofs.Head) { h.Log[0] ^= 1 }},
		"another chain":  {"not the folded one", func(h *proofs.Head) { h.ChainID++ }},
		"went back":      {"a head of 2 was sealed", func(h *proofs.Head) { h.Batches, h.Messages, h.Peaks = 1, 3, h.Peaks[:1] }},
	}
	for name, tt := range tests {
		cfg := p.config()
		cfg.Chain = &madeUp{Chain: cfg.Chain, change: tt.change}
		p.folder = p.fresh(cfg)
		_, err := p.folder.Step(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v, want %q", name, err, tt.says)
		}
	}
	p.checkHeads(1)
	cfg := p.config()
	m := &madeUp{Chain: cfg.Chain, change: tests["peak"].change}
	cfg.Chain = m
	p.folder = p.fresh(cfg)
	if _, err := p.folder.Step(t.Context()); err == nil {
		t.Error("a wrong peak")
	}
	m.change = nil // and it is forgotten
	p.fold(proofs.StateFinalized)
	p.checkHeads(2)
	p.attached(2, 0)
}

// TestHeadLeavesChain reads the newest head, where final ones cannot be had, again when its block is gone.
func TestHeadLeavesChain(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	cfg := p.config()
	cfg.Chain = &madeUp{Chain: cfg.Chain, pruned: true}
	p.folder = p.fresh(cfg)
	p.step(false)
	was, err := p.a.quorum.Head(t.Context())
	p.a.must(err)
	p.a.fork(was.Number)
	p.a.mine(4)
	p.step(false) // sees that it is gone
	p.step(false) // sees the newest
	p.a.mine(2)
	p.step(true)
	p.b.until(proofs.StateFinalized)
	if h := p.attached(0, 0).Fold.Head; h.Block.Hash == was.Hash || h.Block.Number <= was.Number {
		t.Errorf("the head is of block %v, %v left the chain", h.Block, was)
	}
	p.checkHeads(1)
}

// TestChainFails goes on where it was once the nodes answer again.
func TestChainFails(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	cfg := p.config()
	m := &madeUp{Chain: cfg.Chain, pruned: true}
	cfg.Chain = m
	p.folder = p.fresh(cfg)
	p.step(false)
	p.a.mine(1)
	p.step(false)
	p.a.mine(1)
	m.final = func() (bool, error) { return false, nodes.ErrNoQuorum }
	if _, err := p.folder.Step(t.Context()); !errors.Is(err, nodes.ErrNoQuorum) {
		t.Error(err)
	}
	m.final = nil
	p.step(true)
}

// losing is a node that has lost blocks, or has others in their place.
type losing struct {
	fold.Node
	get func(digest proofs.Hash) ([]byte, error)
}

func (l *losing) Get(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	if b, err := l.get(digest); b != nil || err != nil {
		return b, err
	}
	return l.Node.Get(ctx, digest)
}

// TestLostHead: receipts take the next fold, the log is folded on.
func TestLostHead(t *testing.T) {
	p := newPair(t)
	p.grow(1, 2)
	p.fold(proofs.StateFinalized)
	p.grow(1)
	p.clock = p.clock.Add(every)
	cfg := p.config()
	lost := p.b.batches()[0].CID
	l := &losing{Node: cfg.Node, get: func(digest proofs.Hash) ([]byte, error) {
		if digest == lost {
			return nil, proofs.ErrNotFound
		}
		return nil, nil
	}}
	cfg.Node = l
	p.folder = p.fresh(cfg)
	p.none(0)
	p.fold(proofs.StateFinalized)
	if rc := p.attached(0, 0); rc.Fold.Batch.Number != 1 || rc.Fold.Head.Batches != 3 {
		t.Errorf("fold %d of %d batches, want the second", rc.Fold.Batch.Number, rc.Fold.Head.Batches)
	}
	other := proofs.Head{Place: p.a.log.Place(), Batches: 1, Messages: 9, Peaks: make([]proofs.Hash, 1)}
	l.get = func(proofs.Hash) ([]byte, error) { return other.Format(), nil }
	p.folder = p.fresh(cfg)
	p.clock = p.clock.Add(every)
	_, attaching := p.folder.Attach(t.Context(), p.receipt(0, 0))
	_, stepping := p.folder.Step(t.Context())
	cfg = p.config()
	cfg.Log.Log[0] ^= 1
	_, another := p.fresh(cfg).Step(t.Context())
	for _, err := range []error{attaching, stepping, another} {
		if err == nil || errors.Is(err, proofs.ErrNotFound) || !strings.Contains(err.Error(), "does not anchor a head") {
			t.Errorf("another head under the CID, or of another log: %v", err)
		}
	}
}

// told is a store that answers as a test wants.
type told func(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)

func (f told) Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	return f(ctx, number, limit)
}

// TestOldStore: a head of more batches than the store has cannot be proved, and none is sealed.
func TestOldStore(t *testing.T) {
	p := newPair(t)
	p.grow(1, 1, 1)
	p.fold(proofs.StateFinalized)
	p.grow(1)
	p.clock = p.clock.Add(every)
	cfg := p.config()
	cfg.Batches = told(func(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
		return p.a.db.Batches(ctx, number, max(0, min(limit, 2-int(number))))
	})
	p.folder = p.fresh(cfg)
	p.none(0)
	p.step(false)
	cfg.Batches = told(func(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
		return p.a.db.Batches(ctx, number+1, limit)
	})
	if _, err := p.fresh(cfg).Step(t.Context()); err == nil || !strings.Contains(err.Error(), "the store has 1 there") {
		t.Errorf("a store that leaves out a batch: %v", err)
	}
	p.folder = p.fresh(p.config())
	p.attached(0, 0)
	p.step(true)
}

// TestManyBatches folds more batches than are read at once.
func TestManyBatches(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	stands := p.a.batches()[0].Standing()
	tree := proofs.RangeTree{}
	for n := uint64(0); n < 150; n++ {
		s := proofs.Sealed{Batch: proofs.Batch{Number: n, Root: proofs.Keccak([]byte{byte(n)}), First: n, Size: 1}, State: proofs.StateBatched}
		if n > 0 {
			p.a.must(p.a.db.Seal(t.Context(), s, proofs.Tree{{s.Root}}))
			p.a.must(p.a.db.SetCID(t.Context(), n, proofs.Hash{1}))
			p.a.must(p.a.db.SetAnchor(t.Context(), n, stands))
		}
		tree.Append(p.a.batches()[n].Hash())
	}
	cfg := p.config()
	cfg.Chain = &madeUp{Chain: cfg.Chain, change: func(h *proofs.Head) { h.Batches, h.Messages, h.Peaks = 150, 150, tree.Peaks(150) }}
	p.folder = p.fresh(cfg)
	p.fold(proofs.StateFinalized)
	if rc := p.attached(0, 0); rc.Fold.Head.Batches != 150 || len(rc.Fold.Path) != 7 {
		t.Errorf("fold of %d batches, path of %d", rc.Fold.Head.Batches, len(rc.Fold.Path))
	}
}

// TestUnclear: after an unclear write the same head is not sealed again, if somebody steps on.
func TestUnclear(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	cfg := p.config()
	f := &trap{Store: cfg.Store, Node: cfg.Node, op: "Seal", after: true, err: errTrap}
	cfg.Store, cfg.Node = f, f
	cfg.Chain = &madeUp{Chain: cfg.Chain, pruned: true}
	p.folder = p.fresh(cfg)
	p.step(false)
	p.a.mine(2)
	if _, err := p.folder.Step(t.Context()); !errors.Is(err, fold.ErrUnclear) {
		t.Fatal(err)
	}
	f.op = ""
	p.b.until(proofs.StateFinalized)
	p.clock = p.clock.Add(every)
	p.step(false)
	p.a.mine(2)
	p.step(false)
	p.checkHeads(1)
}

func TestAttachRefuses(t *testing.T) {
	p := newPair(t)
	p.grow(1)
	p.fold(proofs.StateFinalized)
	p.say(1)
	if rc, err := p.folder.Attach(t.Context(), p.receipt(1, 0)); err == nil || errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("promised: %+v, %v", rc, err)
	}
	for name, f := range map[string]func(*proofs.Receipt){
		"another log":   func(rc *proofs.Receipt) { rc.Chain.Log[0] ^= 1 },
		"another chain": func(rc *proofs.Receipt) { rc.Chain.ChainID++ },
		"another batch": func(rc *proofs.Receipt) { b := *rc.Batch; b.CID[0] ^= 1; rc.Batch = &b },
	} {
		rc := p.receipt(0, 0)
		f(rc)
		rc, err := p.folder.Attach(t.Context(), rc)
		if err == nil || errors.Is(err, proofs.ErrNotFound) || strings.Contains(err.Error(), "not the folded one") != (name != "another batch") {
			t.Errorf("%s: %+v, %v", name, rc, err)
		}
	}
	p.attached(0, 0)
}

// TestNodes reads heads and finality by the tag and by confirmations.
func TestNodes(t *testing.T) {
	p := newPair(t)
	p.grow(1, 1, 1)
	place := p.a.log.Place()
	n := &fold.Nodes{Quorum: p.a.quorum, Log: place}
	h, err := n.NewestHead(t.Context())
	if err != nil || h.Batches != 3 || h.Messages != 3 || len(h.Peaks) != 2 || h.Check() != nil {
		t.Fatalf("head %+v, %v", h, err)
	}
	final := func(n *fold.Nodes, b proofs.BlockRef, want bool) {
		t.Helper()
		if got, err := n.Final(t.Context(), b); err != nil || got != want {
			t.Errorf("block %d final: %t, %v, want %t", b.Number, got, err, want)
		}
	}
	deep := &fold.Nodes{Quorum: p.a.quorum, Log: place, Confirmations: 5}
	final(n, h.Block, false)
	if old, err := n.FinalHead(t.Context()); err != nil || old.Block.Number != h.Block.Number-2 {
		t.Errorf("final head at block %d, %v, want two below %d", old.Block.Number, err, h.Block.Number)
	}
	p.a.mine(2)
	final(n, h.Block, true)
	if d, err := n.FinalHead(t.Context()); err != nil || !cmp.Equal(d, h) {
		t.Errorf("final head %+v, %v, want %+v", d, err, h)
	}
	final(deep, h.Block, false)
	p.a.mine(2)
	final(deep, h.Block, false)
	p.a.mine(1)
	final(deep, h.Block, true)
	if d, err := deep.FinalHead(t.Context()); err != nil || !cmp.Equal(d, h) {
		t.Errorf("final head %+v, %v, want %+v", d, err, h)
	}
	young := &fold.Nodes{Quorum: p.a.quorum, Log: place, Confirmations: 1 << 40}
	final(young, h.Block, false)
	if h, err := young.FinalHead(t.Context()); err != nil || h.Batches != 0 {
		t.Errorf("a chain where nothing is final: %+v, %v", h, err)
	}
	h.Block.Hash[0] ^= 1
	if _, err := n.Final(t.Context(), h.Block); !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("a block that is not there: %v", err)
	}
	empty := &fold.Nodes{Quorum: p.a.quorum, Log: proofs.Place{ChainID: place.ChainID, AnchorLog: place.AnchorLog, Log: proofs.Hash{1}}}
	if h, err := empty.NewestHead(t.Context()); err != nil || h.Batches != 0 || h.Peaks != nil {
		t.Errorf("a log that nobody opened: %+v, %v", h, err)
	}
	nowhere := &fold.Nodes{Quorum: p.a.quorum, Log: proofs.Place{ChainID: place.ChainID, AnchorLog: proofs.Address{1}, Log: place.Log}}
	if _, err := nowhere.NewestHead(t.Context()); err == nil || !strings.Contains(err.Error(), "no AnchorLog contract") {
		t.Errorf("no contract: %v", err)
	}
	if _, err := n.NewestHead(canceled(t)); err == nil {
		t.Error("a head without an answer")
	}
	if _, err := n.FinalHead(canceled(t)); err == nil {
		t.Error("a final head without an answer")
	}
}

func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// still is a log without batches, on a chain that answers as told.
type still struct {
	err    error
	looked chan time.Time
}

func (s *still) FinalHead(context.Context) (proofs.Head, error) {
	s.looked <- time.Now()
	return proofs.Head{}, s.err
}
func (s *still) NewestHead(context.Context) (proofs.Head, error)      { return proofs.Head{}, s.err }
func (s *still) Final(context.Context, proofs.BlockRef) (bool, error) { panic("nothing to ask for") }
func (s *still) Batches(context.Context, uint64, int) ([]proofs.Sealed, error) {
	return nil, nil
}
func (s *still) Tail(context.Context) (proofs.Tail, error)              { return proofs.Tail{}, nil }
func (s *still) Seal(context.Context, proofs.Sealed, proofs.Tree) error { return nil }
func (s *still) Put(context.Context, [][]byte) error                    { return nil }
func (s *still) Pin(context.Context, proofs.Hash, string) error         { return nil }
func (s *still) Get(context.Context, proofs.Hash) (b []byte, err error) { return nil, nil }
func stillConfig(s *still) fold.Config {
	place := proofs.Place{ChainID: 1, AnchorLog: proofs.Address{1}, Log: proofs.Hash{1}}
	into := place
	into.ChainID = 2
	return fold.Config{Log: place, Into: into, Chain: s, Batches: s, Store: s, Node: s}
}

// TestRun looks once a minute whatever the nodes answer, and ends when asked to or when a write is unclear.
func TestRun(t *testing.T) {
	for _, trouble := range []error{nil, nodes.ErrNoQuorum} {
		synctest.Test(t, func(t *testing.T) {
			s := &still{err: trouble, looked: make(chan time.Time, 100)}
			f, err := fold.New(stillConfig(s))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+time.Second)
			defer cancel()
			start := time.Now()
			if err := f.Run(ctx); err != nil {
				t.Error(err)
			}
			close(s.looked)
			var at []time.Duration
			for looked := range s.looked {
				at = append(at, looked.Sub(start))
			}
			if want := []time.Duration{0, time.Minute, 2 * time.Minute, 3 * time.Minute}; !slices.Equal(at, want) {
				t.Errorf("looked after %v, want %v", at, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		s := &still{err: fmt.Errorf("%w: so", fold.ErrUnclear), looked: make(chan time.Time, 100)}
		f, err := fold.New(stillConfig(s))
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context()); !errors.Is(err, fold.ErrUnclear) {
			t.Error(err)
		}
	})
}

// TestNewRefuses names every problem at once.
func TestNewRefuses(t *testing.T) {
	s := &still{}
	tests := map[string]func(*fold.Config){
		"Log is incomplete": func(c *fold.Config) { c.Log.Log = proofs.Hash{} }, "Into is incomplete": func(c *fold.Config) { c.Into.AnchorLog = proofs.Address{} },
		"on the same chain": func(c *fold.Config) { c.Into.ChainID = 1 }, "Chain is missing": func(c *fold.Config) { c.Chain = nil },
		"Batches is missing": func(c *fold.Config) { c.Batches = nil }, "Store is missing": func(c *fold.Config) { c.Store = nil },
		"Node is missing": func(c *fold.Config) { c.Node = nil }, "Every is negative": func(c *fold.Config) { c.Every = -1 }, "Poll is negative": func(c *fold.Config) { c.Poll = -1 },
	}
	all := stillConfig(s)
	for says, f := range tests {
		cfg := stillConfig(s)
		f(&cfg)
		f(&all)
		if _, err := fold.New(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	_, err := fold.New(all)
	for says := range tests {
		if err == nil || says != "on the same chain" && !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not say %q", err, says)
		}
	}
}
