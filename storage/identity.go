package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// PromiseKey is a key that signs the log's promises: those of entries from index From on, up to the From
// of the next key.
type PromiseKey struct {
	Address proofs.Address
	From    uint64
}

// identity is what a directory belongs to.
type identity struct {
	Version    int // 1, 2 once Rotated or Marked is set, 3 while Rebuilding: older programs refuse those
	Chain      proofs.Chain
	PromiseKey proofs.Address // the first
	Rotated    []PromiseKey   `json:",omitempty"` // those after it, in order of From
	Marked     bool           `json:",omitempty"` // a mark outside says how far was promised
	Rebuilding bool           `json:",omitempty"` // see Rebuild
}

// keys returns the promise keys in order, the first one included.
func (id *identity) keys() []PromiseKey {
	return append([]PromiseKey{{Address: id.PromiseKey}}, id.Rotated...)
}

// newest returns the key that signs promises of new entries.
func (id *identity) newest() proofs.Address { k := id.keys(); return k[len(k)-1].Address }

// knows reports whether the key is one of the directory's.
func (id *identity) knows(key proofs.Address) bool {
	return slices.ContainsFunc(id.keys(), func(k PromiseKey) bool { return k.Address == key })
}

// identify writes the log and its promise key into a new directory, or compares them.
func (db *DB) identify(rotate bool) error {
	err := db.badger.View(func(tx *badger.Txn) error {
		b, err := get(tx, []byte("v"))
		if err == nil {
			err = json.Unmarshal(b, &db.id)
		}
		return err
	})
	want := identity{Chain: db.chain, PromiseKey: db.key}
	if errors.Is(err, proofs.ErrNotFound) {
		if db.rebuild {
			return db.empty()
		}
		return db.setIdentity(want)
	}
	if err != nil {
		return err
	}
	got := &db.id
	switch {
	case db.rebuild && (got.Rebuilding || db.unused(&want)):
		return nil
	case db.rebuild:
		return fmt.Errorf("%w, %s: nothing is recovered over it; give a directory without one", ErrHoldsLog, got.Chain.Log)
	case got.Rebuilding:
		return fmt.Errorf("%w: run hansard recover again, which begins anew", ErrRebuilding)
	}
	if how := got.differs(&want); how != "" {
		return fmt.Errorf("%w: %s; give another directory, or what this one was made with", ErrOtherLog, how)
	}
	switch key := db.key; {
	case key == got.newest():
		return nil
	case got.knows(key):
		return fmt.Errorf("%w: %s by %s, and a key that was replaced signs nothing new: give the newest with --promise-key", ErrReplacedKey, key, got.newest())
	case rotate:
		return nil
	default:
		return fmt.Errorf("%w: it is %s, and %s is wanted", ErrOtherKey, got.newest(), key)
	}
}

// unused reports whether the directory is of the log that is wanted and nothing was ever accepted: somebody started a
// service on it.
func (db *DB) unused(want *identity) bool {
	t, err := db.Tail(context.Background())
	return err == nil && t.Next == 0 && t.Batches == 0 && db.id.differs(want) == ""
}

// empty returns an error unless nothing is stored: a directory of another program, or one that lost what it belongs to.
func (db *DB) empty() error {
	return db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{})
		defer it.Close()
		if it.Rewind(); it.Valid() {
			return fmt.Errorf("%w, or something else: it is not empty; give an empty directory", ErrHoldsLog)
		}
		return nil
	})
}

// differs says in what the directory differs from what it is opened as; "" if in nothing.
func (id *identity) differs(want *identity) string {
	var how []string
	if id.Version < 1 || id.Version > 2 {
		how = append(how, fmt.Sprintf("its format is %d, and 1 or 2 is wanted", id.Version))
	}
	for _, f := range []struct{ what, got, want any }{
		{"chain", id.Chain.ChainID, want.Chain.ChainID},
		{"AnchorLog", id.Chain.AnchorLog, want.Chain.AnchorLog},
		{"PromiseBond", id.Chain.PromiseBond, want.Chain.PromiseBond},
		{"log", id.Chain.Log, want.Chain.Log},
	} {
		if f.got != f.want {
			how = append(how, fmt.Sprintf("its %s is %v, and %v is wanted", f.what, f.got, f.want))
		}
	}
	return strings.Join(how, "; ")
}

// setIdentity stores what the directory belongs to, durably.
func (db *DB) setIdentity(id identity) error {
	id.Version = 1
	if len(id.Rotated) > 0 || id.Marked {
		id.Version = 2
	}
	if id.Rebuilding {
		id.Version = 3
	}
	raw, err := json.Marshal(id)
	if err != nil {
		return err
	}
	if err := db.update(func(tx *badger.Txn) error { return tx.Set([]byte("v"), raw) }); err != nil {
		return err
	}
	db.id = id
	return nil
}

// PromiseKeys returns the keys of the log's promises, the first one first.
func (db *DB) PromiseKeys() []PromiseKey {
	db.idMu.Lock()
	defer db.idMu.Unlock()
	return db.id.keys()
}

// ConfiguredKey returns Config.PromiseKey.
func (db *DB) ConfiguredKey() proofs.Address { return db.key }

// Rotate makes Config.PromiseKey sign the promises of entries from the tail on, durably, if it does not
// already. Nothing may have been signed with it before, and no entry may be appended meanwhile.
func (db *DB) Rotate(context.Context) error {
	db.idMu.Lock()
	defer db.idMu.Unlock()
	if db.key == db.id.newest() {
		return nil
	}
	id := db.id
	id.Rotated = append(slices.Clone(id.Rotated), PromiseKey{db.key, db.next.Load()})
	return wrap(db.setIdentity(id), "rotate the promise key")
}

// setMarked says whether a mark outside the directory says how far was promised.
func (db *DB) setMarked(marked bool) error {
	db.idMu.Lock()
	defer db.idMu.Unlock()
	if db.id.Marked == marked {
		return nil
	}
	id := db.id
	id.Marked = marked
	return db.setIdentity(id)
}
