package ipfs

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	carstore "github.com/ipld/go-car/v2/blockstore"

	"github.com/hansard-dao/hansard/proofs"
)

// keep keeps the batch as one CAR file.
func keep(n *Node, t testing.TB, b *testBatch) error {
	return n.Keep(t.Context(), "batch", func(put func([]byte) error) (proofs.Hash, error) {
		for _, block := range b.blocks {
			if err := put(block); err != nil {
				return proofs.Hash{}, err
			}
		}
		return b.digest, nil
	})
}

func keepTest(t testing.TB, n *Node, batches ...*testBatch) {
	t.Helper()
	for _, b := range batches {
		if err := keep(n, t, b); err != nil {
			t.Fatal(err)
		}
	}
}

func carFiles(t testing.TB, n *Node) (names []string) {
	t.Helper()
	files, err := os.ReadDir(n.cars.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		names = append(names, f.Name())
	}
	return names
}

// A batch is one file under its CID that another reader of CAR files takes, and it is read from there, also by
// the next process.
func TestKeep(t *testing.T) {
	dir, chain := t.TempDir(), newTestChain(t, newRand(t), 3, 300, 2000)
	n := openTest(t, dir)
	keepTest(t, n, chain...)
	keepTest(t, n, chain[1]) // changes nothing
	n.check(t, chain, trues(3)...)
	if diff := cmp.Diff(cidsOf(chain...), n.keeps(t)); diff != "" {
		t.Errorf("kept by the pins (-want +got):\n%s", diff)
	}
	if files := carFiles(t, n); len(files) != len(chain) {
		t.Errorf("the files are %q", files)
	}
	for _, b := range chain {
		r, err := carstore.OpenReadOnly(n.cars.path(cidOf(b.digest)))
		if err != nil {
			t.Fatal(err)
		}
		roots, err := r.Roots()
		if err != nil || len(roots) != 1 || roots[0] != cidOf(b.digest) {
			t.Errorf("roots %v, %v", roots, err)
		}
		for _, block := range b.blocks {
			got, err := r.Get(t.Context(), cidOf(proofs.BlockDigest(block)))
			if err != nil || string(got.RawData()) != string(block) {
				t.Errorf("a block of %d bytes: %v", len(block), err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	closeTest(t, n)
	n = openTest(t, dir)
	defer closeTest(t, n)
	n.check(t, chain, trues(3)...)
	if got, want := keysOf(t, n), cidsOf(chain...); len(got) != len(want) {
		t.Errorf("%d keys are listed, want %d", len(got), len(want))
	}
}

// keysOf lists what the blockstore lists.
func keysOf(t testing.TB, n *Node) map[string]bool {
	t.Helper()
	keys, err := n.blocks.AllKeysChan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for id := range keys {
		digest, ok := sha256Of(id)
		if !ok {
			t.Fatalf("key %s", id)
		}
		size, err := n.blocks.GetSize(t.Context(), id)
		b, getErr := n.get(t.Context(), cidOf(digest))
		if err != nil || getErr != nil || len(b) != size {
			t.Errorf("%s has %d bytes, its size is %d: %v, %v", id, len(b), size, err, getErr)
		}
		set[cid.NewCidV1(cid.DagCBOR, id.Hash()).String()] = true
	}
	return set
}

// Whatever happens to a file is noticed, and keeping the batch again mends it.
func TestDamagedCAR(t *testing.T) {
	b := newTestBatch(t, newRand(t), nil, 300, 2000)
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	keepTest(t, n, b)
	path := n.cars.path(cidOf(b.digest))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := b.blocks[len(b.blocks)-1]
	for _, c := range []struct {
		name   string
		damage func() error
		want   error
	}{
		{"a byte flipped", func() error {
			bad := append([]byte(nil), whole...)
			bad[len(bad)-1] ^= 1
			return os.WriteFile(path, bad, 0o600)
		}, ErrCorrupt},
		{"cut short", func() error { return os.Truncate(path, int64(len(whole)-1)) }, ErrNotFound},
		{"gone", func() error { return os.Remove(path) }, ErrNotFound},
	} {
		if err := c.damage(); err != nil {
			t.Fatal(err)
		}
		if got, err := n.Get(t.Context(), proofs.BlockDigest(last)); !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
		keepTest(t, n, b)
		n.check(t, []*testBatch{b}, true)
	}
}

// A process that died at any moment leaves nothing that the next one stumbles over.
func TestOpenCARs(t *testing.T) {
	dir, chain := t.TempDir(), newTestChain(t, newRand(t), 2, 30, 500)
	n := openTest(t, dir)
	keepTest(t, n, chain...)
	forget(t, n) // as if it had died between the file's name and the index
	half := filepath.Join(n.cars.dir, "new-1.car")
	if err := os.WriteFile(half, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	closeTest(t, n)
	n = openTest(t, dir)
	n.check(t, chain, trues(2)...)
	if files := carFiles(t, n); len(files) != 2 {
		t.Errorf("the files are %q", files)
	}
	closeTest(t, n)
	path, other := n.cars.path(cidOf(chain[0].digest)), n.cars.path(cidOf(chain[1].digest))
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, content, want string }{
		"cut short":     {path, string(whole[:len(whole)-5]), "unexpected EOF"},
		"no CAR":        {path, "no CAR", "move it away"},
		"another root":  {other, string(whole), "it is not a CARv1 with the root"},
		"a name of its": {filepath.Join(n.cars.dir, "x.car"), string(whole), "its name is no CID"},
	} {
		n := openTest(t, dir)
		forget(t, n)
		closeTest(t, n)
		was, readErr := os.ReadFile(c.path)
		if err := os.WriteFile(c.path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "move it away") {
			t.Errorf("%s: %v", name, err)
		}
		if readErr == nil {
			err = os.WriteFile(c.path, was, 0o600)
		} else {
			err = os.Remove(c.path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// forget removes the index of CAR files.
func forget(t testing.TB, n *Node) {
	t.Helper()
	if err := n.db.DropPrefix([]byte{carBlock}, []byte{carFile}); err != nil {
		t.Fatal(err)
	}
}

func TestKeepRefuses(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	fault := errors.New("the fault")
	b := newTestBatch(t, newRand(t), nil, 30, 500)
	keepWith := func(blocks [][]byte, root proofs.Hash, err error) error {
		return n.Keep(t.Context(), "", func(put func([]byte) error) (proofs.Hash, error) {
			for _, block := range blocks {
				if err := put(block); err != nil {
					return root, err
				}
			}
			return root, err
		})
	}
	if err := keepWith(b.blocks, b.digest, fault); !errors.Is(err, fault) {
		t.Errorf("its own error: %v", err)
	}
	if err := keepWith(b.blocks[:len(b.blocks)-1], b.digest, nil); err == nil || !strings.Contains(err.Error(), "does not hold its root") {
		t.Errorf("without the root: %v", err)
	}
	if err := keepWith([][]byte{make([]byte, MaxBlock+1)}, b.digest, nil); err == nil || !strings.Contains(err.Error(), "over the limit") {
		t.Errorf("too large: %v", err)
	}
	if err := keepWith(b.blocks[1:], b.digest, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a chunk: %v", err)
	}
	n.reserve = math.MaxInt64
	if err := keepWith(b.blocks, b.digest, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	for _, f := range carFiles(t, n) {
		if strings.HasPrefix(f, "new-") {
			t.Errorf("%s was left", f)
		}
	}
}
