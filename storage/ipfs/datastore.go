package ipfs

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// A batch is committed in transactions of at most these sizes, so that badger takes each and its copy
// in memory stays small.
const (
	maxTxnBytes = 8 << 20
	maxTxnOps   = 512
)

// txnStore is a transaction as a datastore: what is written stands when the transaction commits. As
// badger has it, a transaction that writes has one query open at a time.
type txnStore struct{ txn *badger.Txn }

var _ ds.Datastore = txnStore{}

func (s txnStore) item(key ds.Key) (*badger.Item, error) {
	item, err := s.txn.Get(key.Bytes())
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, ds.ErrNotFound
	}
	return item, err
}

func (s txnStore) Get(_ context.Context, key ds.Key) ([]byte, error) {
	item, err := s.item(key)
	if err != nil {
		return nil, err
	}
	return item.ValueCopy(nil)
}

func (s txnStore) Has(_ context.Context, key ds.Key) (bool, error) {
	_, err := s.item(key)
	if errors.Is(err, ds.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s txnStore) GetSize(_ context.Context, key ds.Key) (int, error) {
	item, err := s.item(key)
	if err != nil {
		return -1, err
	}
	return valueSize(item)
}

// valueSize reads the value: badger's own ValueSize is off by a byte or so for the value log and zero
// for what the transaction itself wrote.
func valueSize(item *badger.Item) (size int, err error) {
	err = item.Value(func(value []byte) error {
		size = len(value)
		return nil
	})
	return size, err
}

func (s txnStore) Query(_ context.Context, q query.Query) (query.Results, error) {
	return s.query(q, func() {}), nil
}

func (s txnStore) Put(_ context.Context, key ds.Key, value []byte) error {
	return s.txn.Set(key.Bytes(), value)
}

func (s txnStore) Delete(_ context.Context, key ds.Key) error { return s.txn.Delete(key.Bytes()) }

// Sync does nothing: the owner of the transaction commits it.
func (s txnStore) Sync(context.Context, ds.Key) error { return nil }

// Close does nothing: the transaction belongs to its owner.
func (s txnStore) Close() error { return nil }

// query streams the entries strictly below q.Prefix in the order of their keys and calls done when
// the results are closed or used up.
func (s txnStore) query(q query.Query, done func()) query.Results {
	prefix := ds.NewKey(q.Prefix).String()
	if prefix != "/" {
		prefix += "/"
	}
	options := badger.DefaultIteratorOptions
	options.Prefix = []byte(prefix)
	options.PrefetchValues = !q.KeysOnly
	options.PrefetchSize = 4 // blocks are large
	it := s.txn.NewIterator(options)
	it.Rewind()
	open := true
	next := func() (query.Result, bool) {
		if !open || !it.Valid() {
			return query.Result{}, false
		}
		defer it.Next()
		entry, err := entryOf(it.Item(), q)
		return query.Result{Entry: entry, Error: err}, true
	}
	end := func() error {
		if open {
			open = false
			it.Close()
			done()
		}
		return nil
	}
	results := query.ResultsFromIterator(q, query.Iterator{Next: next, Close: end})
	q.Prefix = "" // done
	return query.NaiveQueryApply(q, results)
}

func entryOf(item *badger.Item, q query.Query) (query.Entry, error) {
	e := query.Entry{Key: string(item.Key()), Size: -1} // not known
	var err error
	switch {
	case !q.KeysOnly:
		e.Value, err = item.ValueCopy(nil)
		e.Size = len(e.Value)
	case q.ReturnsSizes:
		e.Size, err = valueSize(item)
	}
	if err != nil {
		return query.Entry{}, err
	}
	return e, nil
}

// store is a badger database with synced writes as a datastore: each write is a transaction of its
// own and durable when it returns.
type store struct{ db *badger.DB }

var _ ds.Batching = (*store)(nil)

func (s *store) Get(ctx context.Context, key ds.Key) (value []byte, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		value, err = txnStore{txn}.Get(ctx, key)
		return err
	})
	return value, err
}

func (s *store) Has(ctx context.Context, key ds.Key) (has bool, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		has, err = txnStore{txn}.Has(ctx, key)
		return err
	})
	return has, err
}

func (s *store) GetSize(ctx context.Context, key ds.Key) (size int, err error) {
	err = s.db.View(func(txn *badger.Txn) error {
		size, err = txnStore{txn}.GetSize(ctx, key)
		return err
	})
	return size, err
}

func (s *store) Query(_ context.Context, q query.Query) (query.Results, error) {
	txn := s.db.NewTransaction(false)
	return txnStore{txn}.query(q, txn.Discard), nil
}

func (s *store) Put(ctx context.Context, key ds.Key, value []byte) error {
	return s.db.Update(func(txn *badger.Txn) error { return txnStore{txn}.Put(ctx, key, value) })
}

func (s *store) Delete(ctx context.Context, key ds.Key) error {
	return s.db.Update(func(txn *badger.Txn) error { return txnStore{txn}.Delete(ctx, key) })
}

// Sync does nothing: every write was synced before it returned.
func (s *store) Sync(context.Context, ds.Key) error { return nil }

// Close does nothing: the database belongs to the node.
func (s *store) Close() error { return nil }

func (s *store) Batch(context.Context) (ds.Batch, error) { return &batch{db: s.db}, nil }

// batch collects writes until Commit. If the process dies inside Commit, the writes before some
// point of their order are durable and those after it are not there.
type batch struct {
	db  *badger.DB
	ops []op
}

type op struct {
	key    ds.Key
	value  []byte
	delete bool
}

func (b *batch) Put(_ context.Context, key ds.Key, value []byte) error {
	b.ops = append(b.ops, op{key: key, value: value})
	return nil
}

func (b *batch) Delete(_ context.Context, key ds.Key) error {
	b.ops = append(b.ops, op{key: key, delete: true})
	return nil
}

func (b *batch) Commit(ctx context.Context) error {
	for len(b.ops) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, size := 1, len(b.ops[0].value)
		for n < min(len(b.ops), maxTxnOps) && size+len(b.ops[n].value) <= maxTxnBytes {
			size += len(b.ops[n].value)
			n++
		}
		err := b.db.Update(func(txn *badger.Txn) error {
			for _, o := range b.ops[:n] {
				if err := o.apply(ctx, txnStore{txn}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		b.ops = b.ops[n:]
	}
	return nil
}

func (o op) apply(ctx context.Context, s txnStore) error {
	if o.delete {
		return s.Delete(ctx, o.key)
	}
	return s.Put(ctx, o.key, o.value)
}
