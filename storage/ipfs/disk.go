package ipfs

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/dgraph-io/badger/v4"
)

// reserveFree is what stays free on the disk. badger writes through memory maps: on a full disk the
// process dies by SIGBUS instead of getting an error. It covers what badger writes beyond the blocks
// (a memtable of 8 MiB, the tables of a compaction) and what others write meanwhile.
const reserveFree = 64 << 20

// writable reports what stands against writing size bytes of blocks: a fault, or a full disk by an
// error that wraps syscall.ENOSPC.
func (n *Node) writable(size int) error {
	if err := n.faults.err(); err != nil {
		return err
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(n.dir, &fs); err != nil {
		return fmt.Errorf("read free space of %q: %w", n.dir, err)
	}
	free, need := uint64(fs.Bavail)*uint64(fs.Bsize), uint64(size)+n.reserve
	if free < need {
		return fmt.Errorf("%d MiB are free on the disk of %q, %d MiB are needed, %d of them in reserve; nothing was written, free space and repeat: %w",
			free>>20, n.dir, need>>20, n.reserve>>20, syscall.ENOSPC)
	}
	return nil
}

// faults is badger's log. badger 4.9.6 reports some failures only there: a value log that could not be
// synced (the commit succeeds), a memtable that could not be flushed, a damaged table that it
// leaves out. The first of them stays until the store is opened again, and nothing is written any more.
type faults struct{ first atomic.Pointer[error] }

var _ badger.Logger = (*faults)(nil)

// About a value that cannot be read; it comes back empty, and our hash check finds it.
var readFaults = []string{"Unable to read: Key", "Key: %v, Version", "Invalid read: vp"}

func (f *faults) Errorf(format string, args ...any) {
	for _, prefix := range readFaults {
		if strings.HasPrefix(format, prefix) {
			return
		}
	}
	err := fmt.Errorf("badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...)))
	f.first.CompareAndSwap(nil, &err)
}

func (f *faults) Warningf(string, ...any) {}
func (f *faults) Infof(string, ...any)    {}
func (f *faults) Debugf(string, ...any)   {}

// errFault says that the store stopped writing.
var errFault = errors.New("the store stopped writing after a fault; check the disk and start again")

// err returns the first fault, or nil.
func (f *faults) err() error {
	if first := f.first.Load(); first != nil {
		return fmt.Errorf("%w: %w", errFault, *first)
	}
	return nil
}
