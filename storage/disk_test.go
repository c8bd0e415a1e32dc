//go:build linux

package storage_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/internal/lazyfs"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// smallDisk mounts a disk of so many bytes. ok is false if the machine does not let us, which the test
// then has said.
func smallDisk(t *testing.T, part, size string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		notRun(t, part, "HANSARD_MOUNT", os.NewSyscallError("mount", err))
		return "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

// filler is what another program writes to our disk.
type filler struct{ *os.File }

func newFiller(t *testing.T, dir string) filler {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return filler{f}
}

// fill writes until no more than leave bytes are free.
func (f filler) fill(t *testing.T, leave uint64) {
	t.Helper()
	for block := make([]byte, 1<<20); ; {
		var s syscall.Statfs_t
		if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
			t.Fatal(err)
		}
		free := s.Bavail * uint64(s.Bsize)
		if free <= leave {
			return
		}
		_, err := f.Write(block[:min(uint64(len(block)), free-leave)])
		if errors.Is(err, syscall.ENOSPC) {
			return // another one was faster
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (f filler) free(t *testing.T) {
	t.Helper()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
}

// wantWords checks that a message to a user says all of it.
func wantWords(t *testing.T, message string, words ...string) {
	t.Helper()
	t.Log(message)
	for _, w := range words {
		if !strings.Contains(message, w) {
			t.Errorf("%q does not say %q", message, w)
		}
	}
}

// TestDiskFullIsRefusedInTime fills the disk up to the reserve: writes are refused before they are begun,
// what is known is still answered, and when there is room again all goes on without a restart.
func TestDiskFullIsRefusedInTime(t *testing.T) {
	dir, ok := smallDisk(t, "full disk", "96m")
	if !ok {
		return
	}
	cfg := storage.Config{Dir: filepath.Join(dir, "log"), Chain: chain, Reserve: 8 << 20}
	refused := make(chan string, 1024)
	r := run(t, cfg, func(op string, do func() error) error {
		err := do()
		if errors.Is(err, proofs.ErrRefused) {
			refused <- op
		}
		return err
	})
	promised := map[proofs.Hash]proofs.Promise{}
	take := func(n int) {
		t.Helper()
		a := r.submit(n)
		if a.Err != nil {
			t.Fatal(a.Err)
		}
		promised[a.ID] = a.Accepted.Promise()
	}
	for n := range 2*maxMessages + 1 {
		take(n)
	}
	for range 2 { // batches: nobody writes while the disk fills
		<-r.pinned
	}

	f := newFiller(t, dir)
	f.fill(t, 7<<20)
	a := r.submit(100)
	var busy *batcher.BusyError
	if !errors.As(a.Err, &busy) {
		t.Fatalf("submit on a full disk: got %v, want a BusyError", a.Err)
	}
	wantWords(t, a.Err.Error(), "nothing was written", "the disk of "+cfg.Dir+" is full", "free some space", "try again in")
	if op := <-refused; op != "Append" {
		t.Fatalf("%s was refused, want Append", op)
	}
	for op, err := range map[string]error{
		"Append": r.db.Append(t.Context(), proofs.Tail{}, []proofs.Accepted{a.Accepted}),
		"SetCID": r.db.SetCID(t.Context(), 0, proofs.Hash{}),
	} {
		if !errors.Is(err, proofs.ErrRefused) || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s on a full disk: got %v", op, err)
		}
	}
	if a := r.submit(0); a.Err != nil || !a.Replayed || a.Accepted.Promise() != promised[a.ID] {
		t.Errorf("a known message on a full disk: %+v", a)
	}
	r.b.Flush()
	if op := <-refused; op != "Seal" {
		t.Fatalf("%s was refused, want Seal", op)
	}

	f.free(t)
	for _, n := range []int{100, 101} {
		take(n)
	}
	r.settle()
	r.check(promised)
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	openOnFullDisk(t, cfg, f, promised)
}

// openOnFullDisk starts on a full disk, which is refused, and when there is room again.
func openOnFullDisk(t *testing.T, cfg storage.Config, f filler, promised map[proofs.Hash]proofs.Promise) {
	t.Helper()
	f.fill(t, 7<<20)
	_, err := storage.Open(cfg)
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("open on a full disk: got %v", err)
	}
	wantWords(t, err.Error(), cfg.Dir, "is full", "free some space")
	blocks := filepath.Join(cfg.Dir, "ipfs")
	_, err = ipfs.Open(ipfs.Config{Dir: blocks})
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("open IPFS store on a full disk: got %v", err)
	}
	wantWords(t, err.Error(), blocks, "free space")
	f.free(t)
	again := run(t, cfg, plain)
	again.check(promised)
	if err := again.close(); err != nil {
		t.Error(err)
	}
}

// TestDiskFullUnderneath lets another program take the last byte between our look at the disk and our
// write. badger writes through memory maps: the process dies of it. What was answered is there when
// there is room again.
func TestDiskFullUnderneath(t *testing.T) {
	dir, ok := smallDisk(t, "disk full to the last byte", "96m")
	if !ok {
		return
	}
	rng := newRand(t)
	r := newFaultRun(t, rng, filepath.Join(dir, "log"))
	r.child.Unguarded, r.child.BlocksElsewhere = true, t.TempDir()
	f := newFiller(t, dir)
	for range 5 {
		p := r.start(1 + rng.IntN(200))
		select {
		case <-p.reached:
		case <-p.ended:
			t.Fatalf("the process ended by itself: %s", p.stderr.Bytes())
		}
		late := time.After(30 * time.Second)
		for dead := false; !dead; {
			f.fill(t, 0) // again and again: it may free some itself
			select {
			case <-p.ended:
				dead = true
			case <-late:
				_, err := p.kill()
				t.Fatalf("the process goes on without a byte to write: %v", err)
			default:
			}
		}
		status, err := p.kill()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("after %d answers: exit %d, %.120q", len(p.reports), status.ExitStatus(), firstLine(p.stderr.Bytes()))
		f.free(t)
		if err := errors.Join(r.keep(p), r.check()); err != nil {
			t.Fatal(err)
		}
	}
}

func firstLine(b []byte) []byte {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return line
}

// remount makes the disk at dir read-only or writable.
func remount(t *testing.T, dir string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
		t.Fatal(os.NewSyscallError("remount", err))
	}
}

// TestReadOnly opens a log whose disk is read-only.
func TestReadOnly(t *testing.T) {
	dir, ok := smallDisk(t, "read-only disk", "512m")
	if !ok {
		return
	}
	cfg := storage.Config{Dir: filepath.Join(dir, "log"), Chain: chain}
	r := run(t, cfg, plain)
	promised, _ := submitAll(t, r, false)
	r.settle()
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	remount(t, dir, syscall.MS_RDONLY)
	_, err := storage.Open(cfg)
	if !errors.Is(err, syscall.EROFS) {
		t.Fatalf("open: got %v, want %v", err, syscall.EROFS)
	}
	wantWords(t, err.Error(), cfg.Dir, "cannot be written: read-only file system", "give another")
	_, err = storage.Open(storage.Config{Dir: filepath.Join(dir, "new"), Chain: chain})
	if !errors.Is(err, syscall.EROFS) {
		t.Fatalf("open a new log: got %v, want %v", err, syscall.EROFS)
	}
	wantWords(t, err.Error(), filepath.Join(dir, "new"), "cannot be made", "read-only file system", "give another")
	_, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(cfg.Dir, "ipfs")})
	if !errors.Is(err, syscall.EROFS) {
		t.Fatalf("open IPFS store: got %v, want %v", err, syscall.EROFS)
	}
	wantWords(t, err.Error(), filepath.Join(cfg.Dir, "ipfs"), "read-only file system")
	remount(t, dir, 0)
	r = run(t, cfg, plain)
	r.check(promised)
	if err := r.close(); err != nil {
		t.Error(err)
	}
}

// TestReadOnlyUnderneath lets the disk become read-only while a process writes, as the kernel does it
// after a fault of the disk. (By hand it cannot be done: the kernel does not remount under open files.)
// The process ends with an error that says so, and what was answered is there afterwards.
func TestReadOnlyUnderneath(t *testing.T) {
	if !haveFUSE(t, "disk read-only underneath") {
		return
	}
	rng := newRand(t)
	for range 4 {
		c := newCutRun(t, rng)
		d, err := lazyfs.Mount(c.disk, c.mnt)
		if err != nil {
			t.Fatal(err)
		}
		p := c.start(1 + rng.IntN(200))
		select {
		case <-p.reached:
		case <-p.ended:
		}
		d.Fail(syscall.EROFS)
		<-p.ended
		status, err := p.kill()
		if err := errors.Join(err, d.Cut(nil), c.keep(p)); err != nil {
			t.Fatal(err)
		}
		if !status.Exited() || status.ExitStatus() != 1 {
			t.Errorf("the process died: %v: %s", status, firstLine(p.stderr.Bytes()))
		}
		wantWords(t, p.stderr.String(), "read-only file system")
		if err := c.check(); err != nil {
			t.Fatal(err)
		}
	}
}
