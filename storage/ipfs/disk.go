package ipfs

import (
	"fmt"
	"syscall"
)

// reserveFree is what stays free on the disk. badger writes through memory maps: on a full disk the
// process dies by SIGBUS instead of getting an error. It covers what badger writes beyond the blocks
// (a memtable of 8 MiB, the tables of a compaction) and what others write meanwhile.
const reserveFree = 64 << 20

// writable reports what stands against writing size bytes of blocks: a fault, or a full disk by an
// error that wraps syscall.ENOSPC.
func (n *Node) writable(size int) error {
	if err := n.faults.Err(); err != nil {
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
