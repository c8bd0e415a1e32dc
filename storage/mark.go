package storage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/google/renameio/v2"

	"github.com/hansard-dao/hansard/proofs"
)

var (
	// ErrOldCopy is wrapped when more was promised than the directory holds.
	ErrOldCopy = errors.New("the data directory is an old copy")
	// ErrMark is wrapped when a mark is missing, damaged, or of another log, key or directory.
	ErrMark = errors.New("the mark does not fit the data directory")
)

const (
	markFormat = "hansard-mark/1"
	markPage   = 4096 // each of the two has a page of the disk of its own
)

// marked is what a mark says.
type marked struct {
	Format     string
	Seq        uint64 // the page with the greater one is the newer
	Chain      proofs.Chain
	PromiseKey proofs.Address
	Next       uint64      // entries below it may have been promised, none from it on
	Leaf       proofs.Hash // of entry Next-1; zero for Next 0
}

// Mark is a small file on another disk than the directory's, that says how far was promised. A directory
// that ends before it is an old copy.
//
// The file has two pages of 4,096 bytes, written in turn: the SHA-256 of the JSON that follows it, in hex, a
// space, that JSON, spaces, and a newline. The newer page that is whole counts.
//
// A mark is written after the entries are on stable storage in the directory, and before the first promise of
// one of them is signed. So it is never ahead of the directory, and never behind what was promised, wherever
// the process dies: TestKill and TestMarkPages check that.
type Mark struct {
	db   *DB
	path string
	next atomic.Uint64 // what the file says for certain

	mu   sync.Mutex
	file *os.File
	at   marked
	err  error // of the last write
}

// OpenMark opens the mark of the directory, or makes it where the directory never had one. The error wraps
// ErrOldCopy where the mark is ahead, and ErrMark where it cannot be of this directory.
func OpenMark(path string, db *DB) (m *Mark, err error) {
	defer func() { err = wrap(err, "open mark %s", path) }()
	m = &Mark{db: db, path: path}
	if m.file, err = os.OpenFile(path, os.O_RDWR, 0); errors.Is(err, fs.ErrNotExist) {
		if db.identity().Marked {
			return nil, fmt.Errorf("%w: the file is not there, and the directory has a mark: mount its disk or correct --mark; "+
				"if it is lost and this directory is surely the newest, start once with --mark none", ErrMark)
		}
		if err = renameio.WriteFile(path, make([]byte, 2*markPage), 0o600); err == nil {
			err = syncDir(filepath.Dir(path))
		}
		if err == nil {
			m.file, err = os.OpenFile(path, os.O_RDWR, 0)
		}
	}
	if err != nil {
		return nil, err
	}
	if err = m.begin(); err != nil {
		return nil, errors.Join(err, m.file.Close())
	}
	return m, nil
}

// begin locks and reads the file, holds it against the directory and brings it up to date.
func (m *Mark) begin() error {
	if err := syscall.Flock(int(m.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("%w: another process has the mark: %w", ErrInUse, err)
	}
	b, err := io.ReadAll(io.LimitReader(m.file, 2*markPage+1))
	if err != nil {
		return err
	}
	fresh := len(b) == 2*markPage && len(bytes.Trim(b, "\x00")) == 0 && !m.db.identity().Marked
	if !fresh {
		if m.at, err = parseMark(b); err != nil {
			return err
		}
		if err := m.check(); err != nil {
			return err
		}
	}
	if err := m.write(m.db.next.Load()); err != nil {
		return err
	}
	return m.db.setMarked(true)
}

// check holds what the file says against the directory.
func (m *Mark) check() error {
	id, at := m.db.identity(), m.at
	if how := (&identity{Version: 1, Chain: at.Chain}).differs(&id); how != "" {
		return fmt.Errorf("%w: %s; give each log a mark of its own", ErrMark, how)
	}
	next := m.db.next.Load()
	if at.Next > next {
		return fmt.Errorf("%w: the mark says that entries up to %d were promised, and those from %d on are not there: start with the newest copy, "+
			"or give with --promises the receipts of all these entries, which users and watchtowers hold", ErrOldCopy, at.Next-1, next)
	}
	if !id.knows(at.PromiseKey) {
		return fmt.Errorf("%w: the promise key was %s when the mark was written, which the directory does not know: "+
			"start with the newest copy, or with the mark of this directory", ErrMark, at.PromiseKey)
	}
	leaf, err := m.db.leafBefore(at.Next)
	if err == nil && leaf != at.Leaf {
		err = fmt.Errorf("%w: entry %d was promised with leaf %s, and the directory has %s there: after it was copied two went on, "+
			"and the same places were promised twice; start with the one that the mark is of", ErrMark, at.Next-1, at.Leaf, leaf)
	}
	return err
}

// Cover returns nil when the mark says, on stable storage, that the entry at index was promised, which the
// directory must hold. An error wraps proofs.ErrRefused: then nothing may be signed.
func (m *Mark) Cover(index uint64) error {
	if index < m.next.Load() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if index < m.next.Load() {
		return nil // with the others of its group
	}
	next := m.db.next.Load()
	if index >= next {
		return fmt.Errorf("mark entry %d: %w", index, proofs.ErrNotFound)
	}
	return m.write(next)
}

// Check returns nil unless the mark could not be written, nor can now: until it can, nothing is promised. The
// error wraps proofs.ErrRefused.
func (m *Mark) Check() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		return nil
	}
	return m.write(m.at.Next)
}

// write makes next what the file says. If we die in it, the page before holds, and nothing after that was
// signed.
func (m *Mark) write(next uint64) error {
	leaf, err := m.db.leafBefore(next)
	if err != nil {
		return err
	}
	id := m.db.identity()
	to := marked{markFormat, m.at.Seq + 1, id.Chain, id.newest(), next, leaf}
	_, err = m.file.WriteAt(to.format(), int64(to.Seq%2)*markPage)
	if err == nil {
		err = m.file.Sync()
	}
	if m.err = err; err != nil {
		m.err = fmt.Errorf("%w: the mark %s cannot be written: %w; nothing is promised until it can", proofs.ErrRefused, m.path, err)
		return m.err
	}
	m.at = to
	m.next.Store(next)
	return nil
}

// Close closes the file.
func (m *Mark) Close() error { return wrap(m.file.Close(), "close mark %s", m.path) }

// NoMark forgets that the directory had a mark, for one that is lost.
func (db *DB) NoMark() error { return wrap(db.setMarked(false), "forget the mark") }

// RequireMark makes the directory one that has a mark, wherever that is: whoever goes on with it must name the mark, or
// say that there is none.
func (db *DB) RequireMark() error { return wrap(db.setMarked(true), "require a mark") }

// Marked reports whether the directory has a mark.
func (db *DB) Marked() bool { return db.identity().Marked }

func (db *DB) identity() identity {
	db.idMu.Lock()
	defer db.idMu.Unlock()
	return db.id
}

// leafBefore returns the leaf of the entry before next, and zero for 0.
func (db *DB) leafBefore(next uint64) (leaf proofs.Hash, err error) {
	if next == 0 {
		return leaf, nil
	}
	entries, err := db.Read(context.Background(), next-1, 1)
	if err == nil {
		leaf = entries[0].Leaf
	}
	return leaf, err
}

// format returns the page.
func (k *marked) format() []byte {
	raw, err := json.Marshal(k)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(raw)
	page := bytes.Repeat([]byte(" "), markPage)
	n := hex.Encode(page, sum[:])
	copy(page[n+1:], raw)
	page[markPage-1] = '\n'
	return page
}

// parseMark returns what the newer page says that is whole. There is always one: they are written in turn.
func parseMark(b []byte) (newest marked, err error) {
	if len(b) != 2*markPage {
		return newest, fmt.Errorf("%w: want %d bytes, got %d", ErrMark, 2*markPage, len(b))
	}
	for _, page := range [][]byte{b[:markPage], b[markPage:]} {
		if k, ok := parsePage(page); ok && k.Seq > newest.Seq {
			newest = k
		}
	}
	if newest.Seq == 0 {
		return newest, fmt.Errorf("%w: neither of its pages is whole", ErrMark)
	}
	return newest, nil
}

// parsePage reads what format returns, and nothing else.
func parsePage(page []byte) (k marked, ok bool) {
	raw := bytes.TrimRight(page[65:markPage-1], " ")
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&k); err != nil || k.Format != markFormat || !bytes.Equal(k.format(), page) {
		return marked{}, false
	}
	return k, true
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
