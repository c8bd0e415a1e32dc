package storage

import (
	"context"
	"encoding/json"

	"github.com/dgraph-io/badger/v4"

	"github.com/hansard-dao/hansard/proofs"
)

// SetProbes stores what sources gave, each in the place of what the same source gave of the same batch before. If we
// die before it returns, all of them are stored or none.
func (db *DB) SetProbes(_ context.Context, probes []proofs.Probe) error {
	err := db.update(func(tx *badger.Txn) error {
		for i := range probes {
			b, err := json.Marshal(&probes[i])
			if err != nil {
				return err
			}
			source := proofs.Keccak([]byte(probes[i].Source))
			if err := tx.Set(append(key('p', probes[i].Batch), source[:]...), b); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "store probes")
}

// Probes returns what each source gave of the batch when it was last asked, in no order that means anything.
func (db *DB) Probes(_ context.Context, batch uint64) (probes []proofs.Probe, err error) {
	err = db.eachProbe(key('p', batch), func(p proofs.Probe) bool {
		probes = append(probes, p)
		return true
	})
	return probes, wrap(err, "read probes of batch %d", batch)
}

// Failing returns at most limit numbers of batches, in order, of which the source did not give all that it was asked
// for last. It reads every probe that is stored.
func (db *DB) Failing(ctx context.Context, source string, limit int) (batches []uint64, err error) {
	err = db.eachProbe(key('p'), func(p proofs.Probe) bool {
		if p.Source == source && !p.OK {
			batches = append(batches, p.Batch)
		}
		return len(batches) < limit && ctx.Err() == nil
	})
	if err == nil {
		err = ctx.Err()
	}
	return batches, wrap(err, "list what %s does not give", source)
}

// eachProbe calls f for the probes under the prefix until it returns false.
func (db *DB) eachProbe(prefix []byte, f func(proofs.Probe) bool) error {
	return db.badger.View(func(tx *badger.Txn) error {
		it := tx.NewIterator(badger.IteratorOptions{Prefix: prefix, PrefetchValues: true, PrefetchSize: 100})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			var p proofs.Probe
			if err := it.Item().Value(func(b []byte) error { return json.Unmarshal(b, &p) }); err != nil {
				return err
			}
			if !f(p) {
				return nil
			}
		}
		return nil
	})
}
