package storage

import "github.com/dgraph-io/badger/v4"

// Tuned returns the configuration with other options of badger.
func (c Config) Tuned(f func(badger.Options) badger.Options) Config {
	c.tune = f
	return c
}

// Unguard lets writes begin however full the disk is.
func (db *DB) Unguard() { db.reserve = 0 }
