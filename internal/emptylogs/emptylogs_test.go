package emptylogs_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/internal/emptylogs"
)

func open(dir string) (*badger.DB, error) {
	return badger.Open(badger.DefaultOptions(dir).WithLogger(nil).WithSyncWrites(true))
}

// made is a directory with one key, and a file without a byte.
func made(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	db, err := open(dir)
	if err == nil {
		err = db.Update(func(tx *badger.Txn) error { return tx.Set([]byte("k"), []byte("v")) })
	}
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRemove(t *testing.T) {
	for _, name := range []string{"00007.mem", "000007.vlog"} {
		dir := made(t, name)
		if db, err := open(dir); err == nil {
			t.Errorf("badger opens with an empty %s: this package is not needed any more", name)
			db.Close()
			continue
		}
		if err := emptylogs.Remove(dir); err != nil {
			t.Fatal(err)
		}
		db, err := open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.View(func(tx *badger.Txn) error { _, err := tx.Get([]byte("k")); return err }); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRemoveLeavesWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	db, err := open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(dir, "00007.mem")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := emptylogs.Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestRemoveNoDirectory(t *testing.T) {
	if err := emptylogs.Remove(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
