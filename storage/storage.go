// Package storage keeps the log on disk, in badger with synced writes.
//
// # Keys
//
// A key is one letter and big-endian numbers or hashes:
//
//	v                  the format's version, the log that the directory belongs to and its promise keys
//	t                  the tail: next index, when the pool was opened, the block known then
//	e first            entries from index first on, packed
//	i message          8 bytes index, 8 bytes first of its e
//	r room             8 bytes count, 32 bytes head, the room's name
//	s room source i    a message of the room with that source, at index i; the source is hashed
//	a attachment       index of the newest message that names it; its CID is hashed
//	b number           the batch as JSON
//	B first            number of the batch that begins at first
//	u                  number of the first batch that is not finalized, number of the first without CID
//	n number layer at  a tile of the batch's tree
//	p number source    what a source gave of the batch's payload, as JSON; the source is hashed
//	h target number    nothing: the target, whose name is hashed, holds a copy of the batch
//	H target           first batch that it may not hold, how many it holds, its name
//
// # Durability
//
// A method that returns nil after a write has synced it. badger does not group commits: the caller
// does. Values stay below badger's value threshold, because it only logs a failed sync of its value
// log. A write is refused while less than Config.Reserve is free: badger writes through memory maps,
// and a full disk would kill the process in the middle of one.
//
// TestKill kills a process that writes at random moments, TestPowerCut takes away all that was not
// synced, and both check every promise from disk afterwards.
package storage

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/hansard-dao/hansard/internal/badgerlog"
	"github.com/hansard-dao/hansard/internal/emptylogs"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	// ErrInUse is wrapped when another process holds the directory.
	ErrInUse = errors.New("the data directory is in use by another process")
	// ErrOtherLog is wrapped when the directory belongs to another log.
	ErrOtherLog = errors.New("the data directory belongs to another log")
	// ErrOtherKey is wrapped when the directory's promises are signed by another key.
	ErrOtherKey = errors.New("the promises of the data directory are signed by another key")
	// ErrReplacedKey is wrapped when a newer key has replaced the one that is given.
	ErrReplacedKey = errors.New("the promise key was replaced")
)

const (
	// DefaultReserve is one memtable to flush, its log, and room to say so.
	DefaultReserve = 256 << 20
	memtable       = 64 << 20
	// maxPacked bounds an e value: reading one entry reads all of its value.
	maxPacked = 32 << 10
)

// Config says where the log is.
type Config struct {
	Dir   string
	Chain proofs.Chain // which log; a directory holds one
	// PromiseKey signs the promises of new entries. Another one than the directory's newest is refused.
	PromiseKey proofs.Address
	Rotate     bool   // PromiseKey may be a new one, which DB.Rotate makes the directory's newest
	Reserve    uint64 // bytes that stay free on the disk; 0: DefaultReserve

	rebuild bool                                // for OpenRebuild
	tune    func(badger.Options) badger.Options // tests: smaller tables, or a fault to be found
}

// DB is the log on disk. Its methods are safe for concurrent use, but there is one writer of entries.
type DB struct {
	badger  *badger.DB
	dir     string
	chain   proofs.Chain
	reserve uint64
	faults  *badgerlog.Faults
	key     proofs.Address // Config.PromiseKey
	rebuild bool           // Config.rebuild
	next    atomic.Uint64  // index of the next entry: those before are on stable storage for certain

	mu sync.Mutex // held while a batch is read, changed and stored

	idMu sync.Mutex // guards id, and is held while it is stored
	id   identity
}

// Open opens the directory, or makes it. The error says whether another process holds it, it belongs
// to another log, or it cannot be written.
func Open(cfg Config) (*DB, error) {
	db := &DB{dir: cfg.Dir, chain: cfg.Chain, reserve: cfg.Reserve, faults: &badgerlog.Faults{}, key: cfg.PromiseKey, rebuild: cfg.rebuild}
	if db.reserve == 0 {
		db.reserve = DefaultReserve
	}
	if err := writable(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	if err := db.room(); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	if err := emptylogs.Remove(cfg.Dir); err != nil {
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	opts := badger.DefaultOptions(cfg.Dir).WithLogger(db.faults).WithSyncWrites(true).
		WithDetectConflicts(false). // nothing is read and then written by two
		WithCompression(options.None).
		WithMemTableSize(memtable).WithNumMemtables(3).
		WithValueLogFileSize(64 << 20).
		WithBlockCacheSize(0). // for compressed tables; ours are read from their maps
		WithMetricsEnabled(false)
	if cfg.rebuild {
		opts = opts.WithMemTableSize(rebuildMemtable).WithNumMemtables(2).WithNumCompactors(2)
	}
	if cfg.tune != nil {
		opts = cfg.tune(opts)
	}
	var err error
	if db.badger, err = badger.Open(opts); err != nil {
		if strings.Contains(err.Error(), "Cannot acquire directory lock") {
			err = ErrInUse
		}
		return nil, fmt.Errorf("open %s: %w", cfg.Dir, err)
	}
	// badger leaves out a table whose checksum is wrong, says so in its log and opens without it.
	if err := errors.Join(db.faults.Err(), db.identify(cfg.Rotate), db.findNext()); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", cfg.Dir, err), db.Close())
	}
	return db, nil
}

// findNext reads where the log ends.
func (db *DB) findNext() error {
	t, err := db.Tail(context.Background())
	db.next.Store(t.Next)
	return err
}

// writable makes the directory and a file in it: badger's own answer to a read-only one is unclear.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data directory cannot be made: %w; give another with --data", err)
	}
	probe := filepath.Join(dir, "writable")
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		return fmt.Errorf("the data directory cannot be written: %w; make it writable or give another with --data", err)
	}
	return os.Remove(probe)
}

// Close closes the directory. Everything that was acknowledged is on disk before it, too.
func (db *DB) Close() error {
	if err := db.badger.Close(); err != nil {
		return fmt.Errorf("close %s: %w", db.dir, err)
	}
	return nil
}

// room refuses a write while the disk is all but full.
func (db *DB) room() error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(db.dir, &s); err != nil {
		return fmt.Errorf("%w: %w", proofs.ErrRefused, err)
	}
	if free := s.Bavail * uint64(s.Bsize); free < db.reserve {
		return fmt.Errorf("%w: the disk of %s is full: %d MB are free and %d MB are kept in reserve; free some space: %w",
			proofs.ErrRefused, db.dir, free>>20, db.reserve>>20, syscall.ENOSPC)
	}
	return nil
}

// update runs one durable transaction, if the disk has room for it. After a fault nothing is written
// any more, and that error does not wrap proofs.ErrRefused: whoever writes must stop.
func (db *DB) update(f func(*badger.Txn) error) error {
	if err := db.faults.Err(); err != nil {
		return err
	}
	if err := db.room(); err != nil {
		return err
	}
	return errors.Join(db.badger.Update(f), db.faults.Err())
}

// get returns a copy of the value, or an error that wraps proofs.ErrNotFound.
func get(tx *badger.Txn, key []byte) ([]byte, error) {
	item, err := tx.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, fmt.Errorf("key %.1s: %w", key, proofs.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

// key joins a letter and numbers.
func key(letter byte, numbers ...uint64) []byte {
	k := append(make([]byte, 0, 1+8*len(numbers)), letter)
	for _, n := range numbers {
		k = binary.BigEndian.AppendUint64(k, n)
	}
	return k
}

func hashKey(letter byte, hashes ...proofs.Hash) []byte {
	k := append(make([]byte, 0, 1+32*len(hashes)), letter)
	for _, h := range hashes {
		k = append(k, h[:]...)
	}
	return k
}

// errDamaged is for bytes that this package cannot have written.
var errDamaged = errors.New("the database is damaged")

// numbers reads n big-endian numbers.
func numbers(b []byte, n int) ([]uint64, error) {
	if len(b) != 8*n {
		return nil, fmt.Errorf("%w: want %d numbers, got %d bytes", errDamaged, n, len(b))
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return out, nil
}
