// Package badgerlog listens to badger's log, because badger 4.9.6 reports some failures only there: a
// value log that could not be synced (the commit succeeds), a memtable that could not be flushed, a
// damaged table that it leaves out when it opens.
package badgerlog

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"
)

// ErrFault is wrapped by the error of a store that badger has told of a fault.
var ErrFault = errors.New("the store stopped writing after a fault; check the disk and start again")

// Faults is a logger that keeps the first error until the store is opened again. The zero Faults is
// ready for use.
type Faults struct{ first atomic.Pointer[error] }

var _ badger.Logger = (*Faults)(nil)

// About a value that cannot be read; it comes back empty, which its reader finds by hashing it.
var readFaults = []string{"Unable to read: Key", "Key: %v, Version", "Invalid read: vp"}

// Errorf keeps the error if it is the first.
func (f *Faults) Errorf(format string, args ...any) {
	for _, prefix := range readFaults {
		if strings.HasPrefix(format, prefix) {
			return
		}
	}
	err := fmt.Errorf("badger: %s", strings.TrimSpace(fmt.Sprintf(format, args...)))
	f.first.CompareAndSwap(nil, &err)
}

// Warningf, Infof and Debugf discard.
func (f *Faults) Warningf(string, ...any) {}
func (f *Faults) Infof(string, ...any)    {}
func (f *Faults) Debugf(string, ...any)   {}

// Err returns the first fault, wrapped with ErrFault, or nil.
func (f *Faults) Err() error {
	if first := f.first.Load(); first != nil {
		return fmt.Errorf("%w: %w", ErrFault, *first)
	}
	return nil
}
