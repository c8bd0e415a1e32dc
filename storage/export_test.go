package storage

import (
	"os"

	"github.com/dgraph-io/badger/v4"
)

// Tuned returns the configuration with other options of badger.
func (c Config) Tuned(f func(badger.Options) badger.Options) Config {
	c.tune = f
	return c
}

// Unguard lets writes begin however full the disk is.
func (db *DB) Unguard() { db.reserve = 0 }

// MarkNext returns how far was promised, as the file says.
func MarkNext(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	k, err := parseMark(b)
	return k.Next, err
}

// Break makes writes of the mark fail, as on a disk that became read-only, until mend is called.
func (m *Mark) Break() (mend func()) {
	file := m.file
	reading, err := os.Open(m.path)
	if err != nil {
		panic(err)
	}
	m.file = reading
	return func() { m.file = file; reading.Close() }
}

// FormatVersion returns the version that the directory says it has.
func (db *DB) FormatVersion() int { return db.id.Version }
