package probe_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/probe"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var _ probe.Store = (*storage.DB)(nil)

var (
	chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("probe tests"))}
	quiet = slog.New(slog.DiscardHandler)
)

const clock = 1_795_254_640_000

// rig is a log with pinned batches, and the gateway of its node.
type rig struct {
	t       *testing.T
	db      *storage.DB
	handler http.Handler
}

// newRig pins batches of so many messages, each of the largest size, so that three fill a chunk.
func newRig(t *testing.T, sizes ...int) *rig {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain, Reserve: 1})
	must(err)
	node, err := ipfs.Open(ipfs.Config{Dir: t.TempDir()})
	must(err)
	t.Cleanup(func() {
		if err := errors.Join(db.Close(), node.Close()); err != nil {
			t.Error(err)
		}
	})
	sealed := make(chan struct{}, 1)
	b, err := batcher.New(batcher.Config{Chain: chain, Store: db, Logger: quiet, NotBefore: func() (h proofs.Hash) { return h }, Sealed: func() { sealed <- struct{}{} }})
	must(err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for at, n := range sizes {
		var subs []batcher.Submission
		for i := range n {
			text := fmt.Sprintf("%d of batch %d", i, at)
			s := batcher.Submission{Message: proofs.Message{
				Log: chain.Log, Room: "demo-dao", Author: "zoom:Dan", SentAt: clock, Kind: "text/plain",
				Body: text + strings.Repeat(".", proofs.MaxBody-len(text)), Salt: proofs.Keccak([]byte(text)),
			}}
			s.Evidence.Scheme = proofs.SchemeNone
			subs = append(subs, s)
		}
		for _, r := range b.Submit(ctx, subs...) {
			must(r.Err)
		}
		b.Flush()
		<-sealed
	}
	cancel()
	must(<-done)
	must(payload.New(payload.Config{Log: chain.Log, Store: db, Node: node, Pinned: func() {}, Logger: quiet}).Step(t.Context()))
	handler, err := node.Gateway()
	must(err)
	return &rig{t, db, handler}
}

// manifest returns what the source of the batch gives, honestly asked.
func (r *rig) manifest(number uint64) (proofs.Hash, *proofs.Manifest) {
	r.t.Helper()
	s, err := r.db.Batch(r.t.Context(), number)
	if err != nil {
		r.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest("GET", "/ipfs/"+proofs.FormatCID(s.CID)+"?format=raw", nil))
	m, err := proofs.ParseManifest(w.Body.Bytes())
	if err != nil {
		r.t.Fatal(err)
	}
	return s.CID, m
}

// source is a gateway over HTTP, through a fault that may be swapped.
func (r *rig) source(name string, fault *atomic.Value) probe.Source {
	r.t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		fault.Load().(http.HandlerFunc)(w, q)
	}))
	r.t.Cleanup(s.Close)
	c, err := gateway.New([]string{s.URL}, &http.Client{Timeout: time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	return probe.Source{Name: name, Blocks: c}
}

func (r *rig) round(s probe.Source, sample int) probe.Health {
	r.t.Helper()
	p, err := probe.New(probe.Config{Store: r.db, Sources: []probe.Source{s}, Sample: sample, Logger: quiet, Now: func() time.Time { return time.UnixMilli(clock) }})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := p.Round(r.t.Context(), s); err != nil {
		r.t.Fatal(err)
	}
	h := p.Health()
	if len(h) != 1 || h[0].Source != s.Name {
		r.t.Fatalf("health %+v", h)
	}
	return h[0]
}

// verdicts are what is stored of each batch.
func (r *rig) verdicts(source string) (out []string) {
	r.t.Helper()
	batches, err := r.db.Batches(r.t.Context(), 0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, b := range batches {
		probes, err := r.db.Probes(r.t.Context(), b.Number)
		if err != nil {
			r.t.Fatal(err)
		}
		slices.SortFunc(probes, func(x, y proofs.Probe) int { return cmp.Compare(x.Source, y.Source) })
		said := "-"
		for _, p := range probes {
			switch {
			case p.Source != source:
			case p.OK && p.Why == "" && p.Time == clock && p.Blocks > 1:
				said = "ok"
			default:
				said = p.Why
			}
		}
		out = append(out, said)
	}
	return out
}

// A source is found out whatever it does, its outcome is stored by batch, and forgotten once it gives everything.
func TestRound(t *testing.T) {
	r := newRig(t, 1, 2, 9, 3)
	cid, m := r.manifest(2)
	if len(m.Chunks) < 3 {
		t.Fatalf("want several chunks, got %d", len(m.Chunks))
	}
	honest := http.HandlerFunc(r.handler.ServeHTTP)
	only := func(digest proofs.Hash, bad http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			if strings.Contains(q.URL.Path, proofs.FormatCID(digest)) {
				bad(w, q)
				return
			}
			honest(w, q)
		}
	}
	altered := func(f func([]byte) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			rec := httptest.NewRecorder()
			honest(rec, q)
			w.Write(f(rec.Body.Bytes()))
		}
	}
	lie := altered(func(b []byte) []byte { b = bytes.Clone(b); b[len(b)-1] ^= 1; return b })
	cut := altered(func(b []byte) []byte { return b[:len(b)-1] })
	dropped := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rec := httptest.NewRecorder()
		honest(rec, q)
		w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
		w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		panic(http.ErrAbortHandler)
	})
	down := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	slow := http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	gone := http.HandlerFunc(http.NotFound)
	busy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	chunk := m.Chunks[1]
	for name, c := range map[string]struct {
		fault http.HandlerFunc
		want  []string // parts of what is said of each batch
	}{
		"honest":              {honest, []string{"ok", "ok", "ok", "ok"}},
		"down":                {down, []string{"manifest: ", "manifest: ", "manifest: ", "-"}},
		"slow":                {only(chunk, slow), []string{"ok", "ok", "chunk 1 of ", "ok"}},
		"busy":                {busy, []string{"status 503", "status 503", "status 503", "-"}},
		"lying":               {lie, []string{"not the block", "not the block", "not the block", "-"}},
		"lying of one chunk":  {only(chunk, lie), []string{"ok", "ok", "not the block", "ok"}},
		"truncating":          {only(cid, cut), []string{"ok", "ok", "not the block", "ok"}},
		"hanging up half way": {only(chunk, dropped), []string{"ok", "ok", "unexpected EOF", "ok"}},
		"without one chunk":   {only(chunk, gone), []string{"ok", "ok", "does not have the block", "ok"}},
		"without anything":    {gone, []string{"does not have", "does not have", "does not have", "does not have"}},
	} {
		t.Run(name, func(t *testing.T) {
			var fault atomic.Value
			fault.Store(c.fault)
			s := r.source(name, &fault)
			h := r.round(s, probe.DefaultSample)
			for i, said := range r.verdicts(name) {
				if !strings.Contains(said, c.want[i]) {
					t.Errorf("batch %d: %q, want %q", i, said, c.want[i])
				}
			}
			if (h.Given == h.Asked) != (name == "honest") || h.Asked == 0 {
				t.Errorf("health %+v", h)
			}
			fault.Store(honest)
			h = r.round(s, 1)
			if diff := gocmp.Diff([]string{"ok", "ok", "ok", "ok"}, r.verdicts(name)); diff != "" || h.Given != h.Asked {
				t.Errorf("once it is honest: %+v (-want +got):\n%s", h, diff)
			}
		})
	}
}

// A hole that was found once stays known, although later samples look elsewhere.
func TestHoleStaysKnown(t *testing.T) {
	r := newRig(t, 12, 1)
	_, m := r.manifest(0)
	var fault atomic.Value
	lost := proofs.FormatCID(m.Chunks[len(m.Chunks)-1])
	fault.Store(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if strings.Contains(q.URL.Path, lost) {
			http.NotFound(w, q)
			return
		}
		r.handler.ServeHTTP(w, q)
	}))
	s := r.source("holed", &fault)
	r.round(s, probe.DefaultSample)
	for i := range 8 {
		if got := r.verdicts("holed"); !strings.Contains(got[0], "does not have") || got[1] != "ok" {
			t.Fatalf("round %d: %q", i, got)
		}
		r.round(s, 1)
	}
}

// memory is a log of batches of one message, and a source of their blocks.
type memory struct {
	batches []proofs.Sealed
	blocks  map[proofs.Hash][]byte
	lost    map[proofs.Hash]bool
	found   int // losses, since it was last set to 0
}

func (m *memory) Tail(context.Context) (proofs.Tail, error) {
	n := uint64(len(m.batches))
	return proofs.Tail{Next: n, Sealed: n, Batches: n}, nil
}
func (m *memory) BatchOf(_ context.Context, index uint64) (proofs.Sealed, error) {
	return m.batches[index], nil
}
func (m *memory) Batches(_ context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	return m.batches[number:min(len(m.batches), int(number)+limit)], nil
}
func (m *memory) Failing(context.Context, string, int) ([]uint64, error)   { return nil, nil }
func (m *memory) SetProbes(_ context.Context, probes []proofs.Probe) error { return nil }

func (m *memory) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if m.lost[digest] {
		m.found++
		return nil, proofs.ErrNotFound
	}
	return m.blocks[digest], nil
}

// One message in a hundred is lost: the default sample notices it in 95 rounds of 100.
func TestSampleFindsLoss(t *testing.T) {
	const size, rounds = 2000, 300
	m := &memory{blocks: map[proofs.Hash][]byte{}, lost: map[proofs.Hash]bool{}}
	for i := range uint64(size) {
		chunk := proofs.Keccak(fmt.Append(nil, i))
		entry := proofs.Entry{Log: chain.Log, Index: i, Room: proofs.Room("demo-dao").Tag(), RoomIndex: i}
		heads := proofs.RoomHeads([]proofs.Entry{entry}, []proofs.Hash{entry.Leaf()})
		manifest := proofs.Manifest{Log: chain.Log, Heads: heads, Root: chunk, Number: i, First: i, Size: 1, SealedAt: 1, Chunks: []proofs.Hash{proofs.BlockDigest(chunk[:])}}
		if i > 0 {
			manifest.Prev = &m.batches[i-1].CID
		}
		block := manifest.Format()
		digest := proofs.BlockDigest(block)
		m.blocks[digest], m.blocks[manifest.Chunks[0]] = block, chunk[:]
		m.batches = append(m.batches, proofs.Sealed{Batch: proofs.Batch{Number: i, First: i, Size: 1, CID: digest}})
		if i%100 == 7 {
			m.lost[manifest.Chunks[0]] = true
		}
	}
	s := probe.Source{Name: "memory", Blocks: m}
	p, err := probe.New(probe.Config{Store: m, Sources: []probe.Source{s}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	for range rounds {
		m.found = 0
		if err := p.Round(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if m.found > 0 {
			noticed++
		}
	}
	t.Logf("a loss of 1%% was noticed in %d of %d rounds", noticed, rounds)
	if share := float64(noticed) / rounds; share < 0.89 || noticed == rounds { // 95.05 % expected: five sigma away
		t.Errorf("noticed in %.1f %% of the rounds, want 95", 100*share)
	}
}

func TestNewRefuses(t *testing.T) {
	blocks := &memory{}
	for name, cfg := range map[string]probe.Config{
		"twice":       {Sources: []probe.Source{{Name: "a", Blocks: blocks}, {Name: "a", Blocks: blocks}}},
		"no name":     {Sources: []probe.Source{{Blocks: blocks}}},
		"no blocks":   {Sources: []probe.Source{{Name: "a"}}},
		"below zero":  {Sample: -1},
		"never again": {Every: -1},
	} {
		if _, err := probe.New(cfg); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
