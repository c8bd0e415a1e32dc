//go:build linux

package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/internal/lazyfs"
)

// notRun says plainly, in the log and on standard error, that part of a run did not take place. It is a
// failure where the variable has the value "required".
func notRun(t testing.TB, part, variable string, err error) {
	t.Helper()
	line := fmt.Sprintf("%s: NOT RUN: %v", part, err)
	t.Log(line)
	fmt.Fprintln(os.Stderr, line)
	if os.Getenv(variable) == "required" {
		t.Errorf("%s is required", variable)
	}
}

// haveFUSE reports whether disks can be mounted that forget.
func haveFUSE(t testing.TB, part string) bool {
	t.Helper()
	d, err := lazyfs.Mount(t.TempDir(), t.TempDir())
	if errors.Is(err, lazyfs.ErrUnavailable) {
		notRun(t, part, "HANSARD_FUSE", err)
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

// cutRun is a faultRun on a disk that forgets.
type cutRun struct {
	*faultRun
	disk, mnt string
	syncs     int64
}

func newCutRun(t testing.TB, rng *rand.Rand) *cutRun {
	t.Helper()
	c := &cutRun{disk: t.TempDir(), mnt: t.TempDir()}
	c.faultRun = newFaultRun(t, rng, filepath.Join(c.disk, "log"))
	c.child.Dir = filepath.Join(c.mnt, "log")
	c.mark, c.child.Mark = filepath.Join(c.disk, "mark"), filepath.Join(c.mnt, "mark")
	return c
}

// round runs a child, cuts the power and checks what is left; sometimes the next child has to start
// from it. Half of the cuts leave nothing that was not synced, the others any part of it.
func (c *cutRun) round() error {
	d, err := lazyfs.Mount(c.disk, c.mnt)
	if err != nil {
		return err
	}
	survives := func() bool { return c.rng.IntN(2) == 0 }
	if survives() {
		survives = nil
	}
	p := c.next()
	select {
	case <-p.ended:
		_, err := p.kill()
		return errors.Join(fmt.Errorf("the process ended before the power did: %s", p.stderr.Bytes()), err, d.Cut(nil))
	default:
	}
	if c.rng.IntN(2) == 0 { // The disk goes first: the process hears of errors and must not answer.
		err = d.Cut(survives)
		_, killErr := p.kill()
		err = errors.Join(err, killErr)
	} else {
		_, err = p.kill()
		err = errors.Join(err, d.Cut(survives))
	}
	c.syncs += d.Syncs()
	if err = errors.Join(err, c.keep(p)); err != nil || c.rng.IntN(2) == 0 {
		return err
	}
	return c.check()
}

// TestPowerCut is TestKill with the disk: with the process dies all that was not synced.
func TestPowerCut(t *testing.T) {
	if !haveFUSE(t, "power cut") {
		return
	}
	rng, syncs := newRand(t), int64(0)
	sum := soak(t, more(t, 10, 10*time.Second), func() (*faultRun, func() error) {
		c := newCutRun(t, rng)
		return c.faultRun, func() error {
			before := c.syncs
			err := c.round()
			syncs += c.syncs - before
			return err
		}
	})
	t.Logf("power cut: %s; %d syncs", sum, syncs)
}

// TestPowerCutFinds is TestPowerCut on a process that does not sync what it writes: it has to fail.
func TestPowerCutFinds(t *testing.T) {
	if !haveFUSE(t, "power cut without syncs") {
		return
	}
	c := newCutRun(t, newRand(t))
	c.child.NoSync = true
	c.finds(t, c.round)
}
