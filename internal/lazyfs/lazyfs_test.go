//go:build linux

package lazyfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary started with this variable does one case's work in the directory named: the process
// that serves a mount must not touch it.
const workIn = "HANSARD_LAZYFS_WORK"

func TestMain(m *testing.M) {
	if name, dir, ok := strings.Cut(os.Getenv(workIn), "="); ok {
		for _, c := range cases {
			if c.name == name {
				c.work(dir + "/f")
				os.Exit(0)
			}
		}
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func must[T any](v T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return v
}

func open(path string, flags int) *os.File { return must(os.OpenFile(path, flags, 0o600)) }

func write(f *os.File, at int64, b string) { must(f.WriteAt([]byte(b), at)) }

func fsync(f *os.File) { must(0, f.Sync()) }

// mapped writes through a shared memory map of the first two pages and syncs the first, if wanted.
func mapped(path string, msync bool) {
	f := open(path, os.O_RDWR)
	m := must(syscall.Mmap(int(f.Fd()), 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED))
	m[0], m[page] = 'x', 'y'
	if msync {
		must(0, unix.Msync(m[:page], unix.MS_SYNC))
	}
}

var old = strings.Repeat("o", 2*page) // what stands in f before each case

var cases = []struct {
	name string
	work func(f string)
	none string // f after a cut that nothing survives
	all  string // f after a cut that everything survives
}{
	{"overwritten", func(f string) { write(open(f, os.O_RDWR), 1, "new") }, old, "onew" + old[4:]},
	{"overwritten and synced", func(f string) {
		w := open(f, os.O_RDWR)
		write(w, 1, "new")
		fsync(w)
	}, "onew" + old[4:], "onew" + old[4:]},
	{"synced, then overwritten", func(f string) {
		w := open(f, os.O_RDWR)
		write(w, 0, "1")
		fsync(w)
		write(w, 0, "2")
	}, "1" + old[1:], "2" + old[1:]},
	{"overwritten through O_DSYNC", func(f string) { write(open(f, os.O_RDWR|syscall.O_DSYNC), 0, "n") }, "n" + old[1:], "n" + old[1:]},
	{"synced by another handle", func(f string) {
		write(open(f, os.O_RDWR), 0, "n")
		fsync(open(f, os.O_RDWR))
	}, "n" + old[1:], "n" + old[1:]},
	{"closed only", func(f string) {
		w := open(f, os.O_RDWR)
		write(w, 0, "n")
		must(0, w.Close())
	}, old, "n" + old[1:]},
	{"appended", func(f string) { write(open(f, os.O_RDWR), 2*page, "new") }, old, old + "new"},
	{"appended and synced", func(f string) {
		w := open(f, os.O_RDWR)
		write(w, 2*page, "new")
		fsync(w)
	}, old + "new", old + "new"},
	{"made shorter", func(f string) { must(0, os.Truncate(f, 3)) }, old, "ooo"},
	{"made shorter, then longer", func(f string) {
		must(0, os.Truncate(f, 3))
		must(0, os.Truncate(f, 6))
	}, old, "ooo\x00\x00\x00"},
	{"emptied and written", func(f string) { must(0, os.WriteFile(f, []byte("new"), 0)) }, old, "new"},
	{"renamed over without sync", func(f string) {
		must(0, os.WriteFile(f+"2", []byte("new"), 0o600))
		must(0, os.Rename(f+"2", f))
	}, "", "new"},
	{"renamed over after sync", func(f string) {
		w := open(f+"2", os.O_CREATE|os.O_RDWR)
		write(w, 0, "new")
		fsync(w)
		must(0, os.Rename(f+"2", f))
	}, "new", "new"},
	{"mapped", func(f string) { mapped(f, false) }, old, "x" + old[1:page] + "y" + old[1:page]},
	{"mapped and synced in part", func(f string) { mapped(f, true) }, "x" + old[1:], "x" + old[1:page] + "y" + old[1:page]},
	{"removed and made anew", func(f string) {
		must(0, os.Remove(f))
		write(open(f, os.O_CREATE|os.O_RDWR), 0, "new")
	}, "", "new"},
}

// work runs a case in a child process on a fresh disk and returns the disk and its file.
func work(t *testing.T, name string) (d *Disk, file string) {
	t.Helper()
	dir, mnt := t.TempDir(), t.TempDir()
	file = filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte(old), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Mount(dir, mnt)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	// A race detector's child would linger for a second each.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", workIn+"="+name+"="+mnt)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return d, file
}

// available reports whether the machine has FUSE. If not it says so, and the test fails where
// HANSARD_FUSE is "required".
func available(t *testing.T) bool {
	d, err := Mount(t.TempDir(), t.TempDir())
	if errors.Is(err, ErrUnavailable) {
		t.Logf("lazyfs: NOT RUN: %v", err)
		fmt.Fprintf(os.Stderr, "lazyfs: NOT RUN: %v\n", err)
		if os.Getenv("HANSARD_FUSE") == "required" {
			t.Error("HANSARD_FUSE is required")
		}
		return false
	}
	if err == nil {
		err = d.Cut(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return true
}

func TestCut(t *testing.T) {
	if !available(t) {
		return
	}
	for _, c := range cases {
		for survives, want := range map[bool]string{false: c.none, true: c.all} {
			t.Run(fmt.Sprintf("%s, survives %v", c.name, survives), func(t *testing.T) {
				d, file := work(t, c.name)
				if err := d.Cut(func() bool { return survives }); err != nil {
					t.Fatal(err)
				}
				got, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, []byte(want)) {
					t.Errorf("got %d bytes %.8q, want %d %.8q", len(got), got, len(want), want)
				}
			})
		}
	}
}

// A disk that fails refuses syncs as well as writes.
func TestFail(t *testing.T) {
	if !available(t) {
		return
	}
	dir, mnt := t.TempDir(), t.TempDir()
	d, err := Mount(dir, mnt)
	if err != nil {
		t.Fatal(err)
	}
	w := open(mnt+"/f", os.O_CREATE|os.O_RDWR)
	write(w, 0, "old")
	fsync(w)
	write(w, 0, "new")
	d.Fail(syscall.EROFS)
	if err := w.Sync(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("sync: got %v, want %v", err, syscall.EROFS)
	}
	if _, err := w.WriteAt([]byte("xxx"), 0); !errors.Is(err, syscall.EROFS) {
		t.Errorf("write: got %v, want %v", err, syscall.EROFS)
	}
	if err := os.Rename(mnt+"/f", mnt+"/g"); !errors.Is(err, syscall.EROFS) {
		t.Errorf("rename: got %v, want %v", err, syscall.EROFS)
	}
	if err := errors.Join(w.Close(), d.Cut(nil)); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(dir + "/f"); err != nil || string(got) != "old" {
		t.Errorf("got %q, %v, want old", got, err)
	}
}
