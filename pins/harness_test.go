package pins

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var _ Store = (*storage.DB)(nil)

// world is a log with pinned batches of several blocks, each on top of the one before, in a real store and a real node.
type world struct {
	t     *testing.T
	dir   string
	db    *storage.DB
	node  *ipfs.Node
	rng   *rand.Rand
	roots []proofs.Hash
	logs  lockedBuffer
	took  chan struct{} // one for each batch that a target took
}

// lockedBuffer is a buffer that several goroutines use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t *testing.T, batches int) *world {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	w := &world{t: t, dir: t.TempDir(), rng: rand.New(rand.NewPCG(seed, 0)), took: make(chan struct{}, 1024)}
	w.open()
	t.Cleanup(func() { w.close() })
	for range batches {
		w.add()
	}
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.db, err = storage.Open(storage.Config{Dir: filepath.Join(w.dir, "log"), Reserve: 1,
		Chain: proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Hash{1}}})
	w.check(err)
	w.node, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(w.dir, "ipfs")})
	w.check(err)
}

func (w *world) close() {
	w.t.Helper()
	w.check(w.db.Close())
	w.check(w.node.Close())
}

// randomBlock is a dag-cbor byte string.
func (w *world) randomBlock() []byte {
	n := 300 + w.rng.IntN(3000)
	b := []byte{0x59, byte(n >> 8), byte(n)}
	for range n {
		b = append(b, byte(w.rng.Uint32()))
	}
	return b
}

// add seals and pins a batch: five blocks, and one that links to them and to the batch before.
func (w *world) add() {
	w.t.Helper()
	w.keep(func(put func([]byte) error) error {
		for range 5 {
			if err := put(w.randomBlock()); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep is add with other blocks.
func (w *world) keep(fill func(put func([]byte) error) error) {
	w.t.Helper()
	ctx, n := w.t.Context(), uint64(len(w.roots))
	var root proofs.Hash
	err := w.node.Keep(ctx, "", func(put func([]byte) error) (proofs.Hash, error) {
		var links []proofs.Hash
		if n > 0 {
			links = append(links, w.roots[n-1])
		}
		if err := fill(func(b []byte) error {
			links = append(links, proofs.BlockDigest(b))
			return put(b)
		}); err != nil {
			return root, err
		}
		manifest := []byte{0x98, byte(len(links))}
		if len(links) < 24 {
			manifest = []byte{0x80 | byte(len(links))}
		}
		for _, l := range links {
			manifest = append(manifest, 0xd8, 0x2a, 0x58, 0x25, 0, 1, 0x71, 0x12, 0x20)
			manifest = append(manifest, l[:]...)
		}
		root = proofs.BlockDigest(manifest)
		return root, put(manifest)
	})
	w.check(err)
	w.check(w.db.Seal(ctx, proofs.Sealed{Batch: proofs.Batch{Number: n, First: n, Root: proofs.Hash{7}, Size: 1}, State: proofs.StateBatched}, proofs.Tree{{{7}}}))
	w.check(w.db.SetCID(ctx, n, root))
	w.roots = append(w.roots, root)
}

func (w *world) path(n int) string {
	return filepath.Join(w.dir, "ipfs", "cars", proofs.FormatCID(w.roots[n])+".car")
}

// car returns a file of the node, as cmd does.
func (w *world) car(root proofs.Hash) (CAR, error) {
	f, err := w.node.CAR(root)
	if err != nil {
		return CAR{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return CAR{}, err
	}
	return CAR{Root: root, Size: info.Size(), Open: func() (io.ReadSeekCloser, error) { return w.node.CAR(root) }}, nil
}

// batch returns the file of the n-th batch.
func (w *world) batch(n int) CAR {
	w.t.Helper()
	c, err := w.car(w.roots[n])
	w.check(err)
	c.Name = fmt.Sprintf("hansard batch %d", n)
	return c
}

func (w *world) bytes(n int) []byte {
	w.t.Helper()
	b, err := os.ReadFile(w.path(n))
	w.check(err)
	return b
}

// keeper makes one whose pauses are short.
func (w *world) keeper(require int, targets ...Target) *Keeper {
	w.t.Helper()
	k, err := New(Config{
		Targets: targets, Require: require, Store: w.db, CAR: w.car,
		Held: func() { w.took <- struct{}{} }, Logger: slog.New(slog.NewTextHandler(&w.logs, nil)),
		pause: time.Millisecond, patience: time.Hour,
	})
	w.check(err)
	return k
}

// run runs the keeper until stop is called, which waits for its end.
func (w *world) run(k *Keeper) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return func() {
		w.t.Helper()
		cancel()
		w.check(<-done)
	}
}

// held returns the numbers of the batches that the store says the target holds.
func (w *world) held(t Target) (numbers []int) {
	w.t.Helper()
	not, err := w.db.Unheld(w.t.Context(), t.ID(), 0, 1000)
	w.check(err)
	missing := map[int]bool{}
	for _, s := range not {
		missing[int(s.Number)] = true
	}
	for n := range w.roots {
		if !missing[n] {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// target opens a URI, with the secrets of tests.
func target(t *testing.T, uri string) Target {
	t.Helper()
	got, err := Open(uri, testOptions)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

var testOptions = Options{
	Env: func(name string) string {
		return map[string]string{"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "value", "TOKEN": "test-token"}[name]
	},
	ReadFile: os.ReadFile,
}
