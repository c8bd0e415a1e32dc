package ipfs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// content is a file of n bytes of which no two chunks are equal.
func content(n int64) io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{7}), n) }

// What is kept is read again, also by the next process. TestKuboFiles compares the CIDs with Kubo's.
func TestKeepFile(t *testing.T) {
	dir := t.TempDir()
	n := openTest(t, dir)
	want := map[string]int64{}
	for _, size := range []int64{0, 1, fileChunk - 1, fileChunk, fileChunk + 1, 3*fileChunk + 17, 200 * fileChunk} {
		file, err := n.KeepFile(t.Context(), iotest.OneByteReader(content(min(size, 10))))
		if err != nil || file.Size != min(size, 10) {
			t.Fatalf("%d bytes, one by one: %+v, %v", size, file, err)
		}
		file, err = n.KeepFile(t.Context(), content(size))
		if err != nil || file.Size != size {
			t.Fatalf("%d bytes: %+v, %v", size, file, err)
		}
		want[file.CID] = size
	}
	again, err := n.KeepFile(t.Context(), content(fileChunk+1))
	if err != nil || want[again.CID] != fileChunk+1 {
		t.Errorf("again: %+v, %v", again, err)
	}
	closeTest(t, n)
	n = openTest(t, dir)
	defer closeTest(t, n)
	for id, size := range want {
		n.reads(t, id, size)
	}
}

// reads reads the file and compares it.
func (n *Node) reads(t testing.TB, id string, size int64) {
	t.Helper()
	f, err := n.OpenFile(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	all, _ := io.ReadAll(content(size))
	if err != nil || !bytes.Equal(got, all) {
		t.Errorf("%s: %d bytes of %d, %v", id, len(got), size, err)
	}
}

// Dropping a file leaves another that has the same blocks.
func TestDropFile(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	long, err := n.KeepFile(t.Context(), content(3*fileChunk))
	if err != nil {
		t.Fatal(err)
	}
	short, err := n.KeepFile(t.Context(), content(2*fileChunk)) // its chunks are the first of the other
	if err != nil {
		t.Fatal(err)
	}
	listed := func() (ids []string) {
		if err := n.Files(t.Context(), func(f File) error { ids = append(ids, f.CID); return nil }); err != nil {
			t.Error(err)
		}
		return ids
	}
	if ids := listed(); len(ids) != 2 {
		t.Errorf("listed are %q", ids)
	}
	if err := n.DropFile(t.Context(), short.CID); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{long.CID}, listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	n.reads(t, long.CID, long.Size)
	for name, err := range map[string]error{
		"dropped twice": n.DropFile(t.Context(), short.CID), "no CID": n.DropFile(t.Context(), "../x"),
		"of a batch": n.DropFile(t.Context(), proofs.FormatCID(proofs.Hash{1})), "read": onlyErr(n.OpenFile(t.Context(), short.CID)),
	} {
		if !errors.Is(err, proofs.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := n.DropFile(t.Context(), long.CID); err != nil {
		t.Fatal(err)
	}
	if keys := keysOf(t, n); len(keys) != 0 || len(carFiles(t, n)) != 0 {
		t.Errorf("left are the blocks %v and the files %q", keys, carFiles(t, n))
	}
}

func onlyErr(_ io.ReadSeekCloser, err error) error { return err }

func TestKeepFileRefuses(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	fault := errors.New("the fault")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		want error
	}{
		"its reader": {t.Context(), io.MultiReader(content(fileChunk+5), iotest.ErrReader(fault)), fault},
		"cancelled":  {gone, content(10), context.Canceled},
		"too large":  {t.Context(), &sparse{left: MaxFile + 1}, ErrTooLarge},
	} {
		if _, err := n.KeepFile(c.ctx, c.r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	n.reserve = math.MaxInt64
	if _, err := n.KeepFile(t.Context(), content(10)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	if files := carFiles(t, n); len(files) != 0 {
		t.Errorf("left: %q", files)
	}
}

// sparse gives zeros: equal chunks are stored once.
type sparse struct{ left int64 }

func (s *sparse) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), s.left))
	clear(p[:n])
	s.left -= int64(n)
	return n, nil
}

// 256 MiB take no more memory than a few chunks.
func TestKeepFileMemory(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := &watching{r: content(256 << 20)}
	file, err := n.KeepFile(t.Context(), peak)
	if err != nil || file.Size != 256<<20 {
		t.Fatal(file, err)
	}
	if grown := int64(peak.most) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	root, err := parseFile(file.CID)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(n.cars.path(root)); err != nil || info.Size() < file.Size {
		t.Errorf("the CAR file: %v, %v", info, err)
	}
	if !strings.HasPrefix(file.CID, "bafybei") {
		t.Errorf("CID %s", file.CID)
	}
}

// watching looks at the heap every 16 MiB.
type watching struct {
	r       io.Reader
	n, next int64
	most    uint64
}

func (w *watching) Read(p []byte) (int, error) {
	if w.n >= w.next {
		w.next += 16 << 20
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapInuse)
	}
	n, err := w.r.Read(p)
	w.n += int64(n)
	return n, err
}
