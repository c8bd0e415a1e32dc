// Package emptylogs removes log files of badger without a byte in them.
//
// badger makes a log, of a memtable or of values, in two steps, first the file and then its size, and
// removes it in two, first the size and then the file. If the process or the machine dies in between,
// an empty file stays, and badger 4.9.6 does not open the directory any more ("Create a new file").
// Such a file holds nothing that was acknowledged: that was synced, and the size with it.
//
// TestRemove shows it, and TestPowerCut in package storage found it.
package emptylogs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Remove removes the empty logs of a directory that badger is about to open. It leaves a directory
// alone that badger holds, in whatever process: there an empty file is a new one.
func Remove(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close() // and gives the lock back
	// The lock that badger takes.
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", dir, err)
	}
	files, err := d.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		info, err := f.Info()
		if err == nil && info.Size() == 0 {
			err = os.Remove(filepath.Join(dir, f.Name()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
