//go:build linux

package faulttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// TestDisk fails each write of an anchoring: before it is done, and when it is done and not reported; with the process
// going on, and with another one.
func TestDisk(t *testing.T) {
	t.Parallel()
	for name, done := range map[string]bool{"disk full at each write": false, "disk full at each write, written all the same": true} {
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 1)
			for _, restart := range []bool{false, true} {
				for write := 1; ; write++ {
					h.seal(2)
					h.store.writes = 0
					failed := false
					h.store.around = func(n int, written bool) error {
						if n != write || written != done {
							return nil
						}
						failed = true
						if written {
							return syscall.ENOSPC
						}
						return fmt.Errorf("%w: %w", proofs.ErrRefused, syscall.ENOSPC)
					}
					for range 8 {
						if err := h.step(); errors.Is(err, syscall.ENOSPC) && restart {
							h.restart()
						}
						h.chain.mine(1)
					}
					h.store.around = nil
					h.until(proofs.StateFinalized)
					if !failed {
						break
					}
					h.tried++
				}
			}
			if h.tried < 6 {
				t.Errorf("only %d writes failed", h.tried)
			}
			h.check()
		})
	}
}

// TestDiskReally fills the disk of the log, one small disk after the other, before each step of an anchoring.
func TestDiskReally(t *testing.T) {
	t.Parallel()
	onChains(t, "disk full, for a while", func(t *testing.T, chain string) {
		dir, ok := smallDisk(t, "160m")
		if !ok {
			return
		}
		h := newHarnessIn(t, dir, chain, nearFinality, 1)
		for _, phase := range phases {
			h.seal(2)
			h.reach(phase)
			free := fill(t, dir)
			refused := 0
			for range 4 {
				if err := h.step(); errors.Is(err, syscall.ENOSPC) {
					refused++
				}
				h.chain.mine(1)
			}
			if refused == 0 {
				t.Errorf("at %s no write was refused", phase)
			}
			h.tried += refused
			free()
			h.until(proofs.StateFinalized)
		}
		h.check()
	})
}

// smallDisk mounts a disk. ok is false where the machine does not let us, which the test then has said.
func smallDisk(t *testing.T, size string) (dir string, ok bool) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("HANSARD_MOUNT") == "required" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Attr("notrun", "no disk can be mounted")
		t.Logf("NOT RUN: mount a small disk: %v", err)
		return "", false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

// fill writes until the reserve of the log is touched, and returns how to give the room back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	return fillTo(t, dir, reserve)
}

// defaultReserve is what the program keeps free, in bytes.
const defaultReserve = storage.DefaultReserve

func fillTo(t *testing.T, dir string, leave uint64) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "filler")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<16); ; {
		var s syscall.Statfs_t
		if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
			t.Fatal(err)
		}
		if s.Bavail*uint64(s.Bsize) < leave {
			break
		}
		if _, err := f.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// TestClock moves clocks by an hour while batches are on their way: the service's, and the chain's.
func TestClock(t *testing.T) {
	t.Parallel()
	onChains(t, "clock of the service jumps an hour either way", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		for _, jump := range []time.Duration{time.Hour, -time.Hour, -time.Hour, time.Hour} {
			for _, phase := range phases {
				h.seal(2)
				h.reach(phase)
				h.now += jump
				jump = -jump
				h.tried++
				h.seal(1)
				h.until(proofs.StateFinalized)
			}
		}
		h.check()
	})
	onChains(t, "clock of the chain jumps an hour ahead", func(t *testing.T, chain string) {
		h := newHarness(t, chain, nearFinality, 1)
		for _, phase := range phases {
			h.seal(2)
			h.reach(phase)
			h.chain.jump(time.Hour)
			h.tried++
			h.until(proofs.StateFinalized)
		}
		h.check()
	})
	// A block's time is later than its parent's: to go back it takes a reorg.
	onChains(t, "clock of the chain jumps an hour back", func(t *testing.T, chain string) {
		h := newHarness(t, chain, farFinality, 1)
		h.chain.mine(5)
		for range 3 {
			h.seal(2)
			h.step() //nolint:errcheck // sent
			h.chain.jump(time.Hour)
			h.chain.mine(2)
			h.until(proofs.StateIncluded)
			was := h.batches()[len(h.batches())-1]
			h.chain.rollback(2)
			h.chain.jump(-time.Hour)
			h.chain.mine(2)
			h.until(proofs.StateIncluded)
			h.tried++
			h.until(proofs.StateFinalized)
			if is := h.batches()[was.Number]; is.Time+3000 > was.Time {
				t.Errorf("batch %d was at %d, is at %d: the clock did not go back", was.Number, was.Time, is.Time)
			}
		}
		h.check()
	})
}
