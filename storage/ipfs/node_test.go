package ipfs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/boxo/blockstore"
	"github.com/ipfs/boxo/ipld/merkledag"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	_ "github.com/ipld/go-ipld-prime/codec/dagcbor"

	"github.com/hansard-dao/hansard/internal/badgerlog"
	"github.com/hansard-dao/hansard/proofs"
)

func openTest(t testing.TB, dir string) *Node {
	t.Helper()
	n, err := Open(Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func closeTest(t testing.TB, n *Node) {
	t.Helper()
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

func putTest(t testing.TB, n *Node, batches ...*testBatch) {
	t.Helper()
	for _, b := range batches {
		if err := n.Put(t.Context(), b.blocks); err != nil {
			t.Fatal(err)
		}
	}
}

func pinTest(t testing.TB, n *Node, batches ...*testBatch) {
	t.Helper()
	for _, b := range batches {
		if err := n.Pin(t.Context(), b.digest, "batch"); err != nil {
			t.Fatal(err)
		}
	}
}

// check compares every block of the batches and which of the manifests are pinned.
func (n *Node) check(t testing.TB, batches []*testBatch, pinned ...bool) {
	t.Helper()
	for i, b := range batches {
		for j, want := range b.blocks {
			got, err := n.Get(t.Context(), proofs.BlockDigest(want))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("batch %d, block %d: got %d bytes of %d, %v", i, j, len(got), len(want), err)
			}
		}
		if got, err := n.Pinned(t.Context(), b.digest); err != nil || got != pinned[i] {
			t.Fatalf("batch %d: pinned is %t, %v; want %t", i, got, err, pinned[i])
		}
	}
}

// keeps returns the blocks that garbage collection would keep: those that boxo reaches from the
// recursive pins, with its own decoder and nothing of ours in between.
func (n *Node) keeps(t testing.TB) map[string]bool {
	t.Helper()
	kept := cid.NewSet()
	err := n.db.View(func(txn *badger.Txn) error {
		p, err := n.pinner(t.Context(), txn)
		if err != nil {
			return err
		}
		for pin := range p.RecursiveKeys(t.Context(), true) {
			if pin.Err != nil {
				return pin.Err
			}
			if err := merkledag.Walk(t.Context(), merkledag.GetLinksDirect(n.dag), pin.Pin.Key, kept.Visit); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for _, c := range kept.Keys() {
		set[c.String()] = true
	}
	return set
}

func cidsOf(batches ...*testBatch) map[string]bool {
	set := map[string]bool{}
	for _, b := range batches {
		for _, block := range b.blocks {
			set[proofs.FormatCID(proofs.BlockDigest(block))] = true
		}
	}
	return set
}

func TestPutPinGet(t *testing.T) {
	dir := t.TempDir()
	chain := newTestChain(t, newRand(t), 3, 300, 2000)
	if len(chain[0].blocks) < 3 {
		t.Fatalf("want several chunks, got %d blocks", len(chain[0].blocks))
	}
	n := openTest(t, dir)
	putTest(t, n, chain...)
	n.check(t, chain, false, false, false)
	pinTest(t, n, chain[:2]...)
	n.check(t, chain, true, true, false)
	putTest(t, n, chain...)
	pinTest(t, n, chain[:2]...)
	closeTest(t, n)

	n = openTest(t, dir)
	defer closeTest(t, n)
	n.check(t, chain, true, true, false)
	if held, err := n.Pinned(t.Context(), proofs.BlockDigest(chain[0].blocks[0])); held || err != nil {
		t.Errorf("a chunk is pinned itself: %t, %v", held, err)
	}
	if diff := cmp.Diff(cidsOf(chain[:2]...), n.keeps(t)); diff != "" {
		t.Errorf("kept by the pins (-want +got):\n%s", diff)
	}
	pinTest(t, n, chain[2])
	n.check(t, chain, true, true, true)
}

// Only the newest of five is pinned, and its pin holds them all.
func TestPinHoldsHistory(t *testing.T) {
	rng := newRand(t)
	chain := newTestChain(t, rng, 5, 40, 500)
	stray := newTestBatch(t, rng, nil, 20, 500)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	putTest(t, n, append(chain, stray)...)
	pinTest(t, n, chain[4])
	n.check(t, chain, false, false, false, false, true)
	if diff := cmp.Diff(cidsOf(chain...), n.keeps(t)); diff != "" {
		t.Errorf("kept by the pin (-want +got):\n%s", diff)
	}
}

// countingStore counts the blocks that are read.
type countingStore struct {
	blockstore.Blockstore
	reads int
}

func (s *countingStore) Get(ctx context.Context, c cid.Cid) (blocks.Block, error) {
	s.reads++
	return s.Blockstore.Get(ctx, c)
}

func TestPinReadsItsOwnBlocksOnly(t *testing.T) {
	chain := newTestChain(t, newRand(t), 30, 3, 200)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	counting := &countingStore{Blockstore: n.blocks}
	n.blocks = counting
	for i, b := range chain {
		putTest(t, n, b)
		counting.reads = 0
		pinTest(t, n, b)
		if counting.reads != len(b.blocks) {
			t.Fatalf("pinning batch %d read %d blocks, it has %d", i, counting.reads, len(b.blocks))
		}
	}
}

// flip changes one byte of the block on disk, below badger.
func flip(t testing.TB, n *Node, block []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(n.dir, "*.vlog"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(content, block)
		if at < 0 {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte{block[len(block)/2] ^ 1}, int64(at+len(block)/2))
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatalf("no value log holds the block of %d bytes", len(block))
}

func TestCorruptBlock(t *testing.T) {
	b := newTestBatch(t, newRand(t), nil, 300, 2000)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	putTest(t, n, b)
	for _, block := range b.blocks[:len(b.blocks)-1] { // the small manifest is not in the value log
		flip(t, n, block)
		if got, err := n.Get(t.Context(), proofs.BlockDigest(block)); !errors.Is(err, ErrCorrupt) || got != nil {
			t.Fatalf("got %d bytes, %v; want %v", len(got), err, ErrCorrupt)
		}
		if err := n.Pin(t.Context(), b.digest, ""); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("pin: got %v, want %v", err, ErrCorrupt)
		}
		putTest(t, n, b)
		n.check(t, []*testBatch{b}, false)
	}
	pinTest(t, n, b)
}

func TestGetNotFound(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	if got, err := n.Get(t.Context(), proofs.Hash{1}); !errors.Is(err, ErrNotFound) || got != nil {
		t.Errorf("got %x, %v; want %v", got, err, ErrNotFound)
	}
}

func TestPinRefuses(t *testing.T) {
	rng := newRand(t)
	chain := newTestChain(t, rng, 2, 300, 2000)
	first, second := chain[0], chain[1]
	rawLink := append([]byte{0x81, 0xd8, 42, 0x58, 37, 0, 1, 0x55, 0x12, 0x20}, make([]byte, 32)...)
	tests := []struct {
		name string
		put  [][]byte
		root proofs.Hash
		want error // nil: any
	}{
		{"no manifest", first.blocks[:1], first.digest, ErrNotFound},
		{"no first chunk", first.blocks[1:], first.digest, ErrNotFound},
		{"no previous manifest", second.blocks, second.digest, ErrNotFound},
		{"no chunk of the previous batch", append(second.blocks, first.blocks[1:]...), second.digest, ErrNotFound},
		{"not dag-cbor", [][]byte{{0xff}}, proofs.BlockDigest([]byte{0xff}), errNotDagCBOR},
		{"link to a raw block", [][]byte{rawLink}, proofs.BlockDigest(rawLink), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := openTest(t, t.TempDir())
			defer closeTest(t, n)
			if err := n.Put(t.Context(), tt.put); err != nil {
				t.Fatal(err)
			}
			if err := n.Pin(t.Context(), tt.root, ""); err == nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			if kept := n.keeps(t); len(kept) != 0 {
				t.Fatalf("pinned: %v", kept)
			}
			putTest(t, n, chain...)
			pinTest(t, n, chain...)
		})
	}
}

func TestPutRefuses(t *testing.T) {
	b := newTestBatch(t, newRand(t), nil, 30, 500)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	large := make([]byte, MaxBlock+1)
	if err := n.Put(t.Context(), append(b.blocks, large)); err == nil {
		t.Fatal("a block over the limit was stored")
	}
	n.reserve = 1 << 62
	if err := n.Put(t.Context(), b.blocks); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: got %v", err)
	}
	for _, block := range b.blocks {
		if _, err := n.Get(t.Context(), proofs.BlockDigest(block)); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a refused block is here: %v", err)
		}
	}
	n.reserve = reserveFree
	putTest(t, n, b)
	n.reserve = 1 << 62
	if err := n.Pin(t.Context(), b.digest, ""); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("pin on a full disk: got %v", err)
	}
	n.reserve = reserveFree
	n.check(t, []*testBatch{b}, false)
	pinTest(t, n, b)
}

func TestFaultStopsWriting(t *testing.T) {
	dir := t.TempDir()
	chain := newTestChain(t, newRand(t), 2, 30, 500)
	n := openTest(t, dir)
	putTest(t, n, chain[0])
	n.db.Opts().Logger.Errorf("Error while curlf sync: %v\n", syscall.EIO)
	for _, b := range chain {
		if err := n.Put(t.Context(), b.blocks); !errors.Is(err, badgerlog.ErrFault) {
			t.Errorf("put after a fault: %v", err)
		}
	}
	if err := n.Pin(t.Context(), chain[0].digest, ""); !errors.Is(err, badgerlog.ErrFault) {
		t.Errorf("pin after a fault: %v", err)
	}
	n.check(t, chain[:1], false)
	if err := n.Close(); !errors.Is(err, badgerlog.ErrFault) {
		t.Errorf("close after a fault: %v", err)
	}
	n = openTest(t, dir)
	defer closeTest(t, n)
	putTest(t, n, chain...)
	pinTest(t, n, chain...)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if n, err := Open(Config{}); err == nil {
		closeTest(t, n)
		t.Error("opened without a directory")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: filepath.Join(file, "ipfs")}); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: got %v", err)
	}
	held := openTest(t, filepath.Join(dir, "held"))
	defer closeTest(t, held)
	if n, err := Open(Config{Dir: held.dir}); err == nil {
		closeTest(t, n)
		t.Error("opened twice")
	}
}

func TestOpenReadOnlyDirectory(t *testing.T) {
	for _, mode := range []fs.FileMode{0o500, 0o000} {
		dir := filepath.Join(t.TempDir(), "ipfs")
		closeTest(t, openTest(t, dir))
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		errs := make(chan error, 1)
		go func() {
			// Permissions do not bind root: give them up, for this thread, which ends with the goroutine.
			runtime.LockOSThread()
			const nobody = 65534
			if os.Geteuid() == 0 {
				if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0); errno != 0 {
					errs <- errno
					return
				}
			}
			n, err := Open(Config{Dir: dir})
			if err == nil {
				err = errors.Join(errors.New("opened"), n.Close())
			}
			errs <- err
		}()
		if err := <-errs; !errors.Is(err, fs.ErrPermission) {
			t.Errorf("mode %o: got %v", mode, err)
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		closeTest(t, openTest(t, dir))
	}
}

func TestConcurrent(t *testing.T) {
	chain := newTestChain(t, newRand(t), 4, 60, 800)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	putTest(t, n, chain[0])
	var failed atomic.Int32
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			b := chain[i%len(chain)]
			if err := n.Put(t.Context(), b.blocks); err != nil {
				t.Error(err)
			}
			// An earlier batch may not be here yet: then the pin must fail, and only so.
			if err := n.Pin(t.Context(), b.digest, ""); err != nil {
				failed.Add(1)
				if !errors.Is(err, ErrNotFound) {
					t.Error(err)
				}
			}
			for _, block := range b.blocks {
				if _, err := n.Get(t.Context(), proofs.BlockDigest(block)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d of 12 pins came too early", failed.Load())
	pinTest(t, n, chain...)
	n.check(t, chain, true, true, true, true)
	pins := 0
	err := n.db.View(func(txn *badger.Txn) error {
		p, err := n.pinner(t.Context(), txn)
		if err != nil {
			return err
		}
		for range p.RecursiveKeys(t.Context(), true) {
			pins++
		}
		return nil
	})
	if err != nil || pins != len(chain) {
		t.Errorf("%d pins for %d manifests, %v", pins, len(chain), err)
	}
}
