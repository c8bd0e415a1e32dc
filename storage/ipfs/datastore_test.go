package ipfs

import (
	"testing"

	"github.com/dgraph-io/badger/v4"
	ds "github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
	dstest "github.com/ipfs/go-datastore/test"

	"github.com/hansard-dao/hansard/proofs"
)

// The suite of go-datastore without its slow part, the combinations of all queries.
var datastoreTests = map[string]func(*testing.T, ds.Datastore){
	"put and get": dstest.SubtestBasicPutGet,
	"not found":   dstest.SubtestNotFounds,
	"prefix":      dstest.SubtestPrefix,
	"order":       dstest.SubtestOrder,
	"limit":       dstest.SubtestLimit,
	"filter":      dstest.SubtestFilter,
	"many keys":   dstest.SubtestManyKeysAndQuery,
	"sizes":       dstest.SubtestReturnSizes,
	"sync":        dstest.SubtestBasicSync,
}

var batchTests = map[string]func(*testing.T, ds.Batching){
	"batch":            dstest.RunBatchTest,
	"batch delete":     dstest.RunBatchDeleteTest,
	"batch put delete": dstest.RunBatchPutAndDeleteTest,
}

func TestStore(t *testing.T) {
	for name, test := range datastoreTests {
		t.Run(name, func(t *testing.T) {
			n := openTest(t, t.TempDir())
			defer closeTest(t, n)
			test(t, &store{n.db})
		})
	}
	for name, test := range batchTests {
		t.Run(name, func(t *testing.T) {
			n := openTest(t, t.TempDir())
			defer closeTest(t, n)
			test(t, &store{n.db})
		})
	}
}

func TestTxnStore(t *testing.T) {
	for name, test := range datastoreTests {
		t.Run(name, func(t *testing.T) {
			n := openTest(t, t.TempDir())
			defer closeTest(t, n)
			err := n.db.Update(func(txn *badger.Txn) error {
				test(t, txnStore{txn})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// Sizes are exact in the value log as well, and a batch larger than a transaction arrives whole.
func TestStoreLargeBatch(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	s := &store{n.db}
	b, err := s.Batch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	put := func(size int) {
		key := ds.NewKey(proofs.Hash{byte(len(want)), byte(len(want) >> 8)}.String())
		want[key.String()] = size
		if err := b.Put(t.Context(), key, make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		put(1<<20 - i)
	}
	for i := range 3 * maxTxnOps {
		put(i)
	}
	if err := b.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	results, err := s.Query(t.Context(), query.Query{KeysOnly: true, ReturnsSizes: true})
	if err != nil {
		t.Fatal(err)
	}
	entries, err := results.Rest()
	if err != nil || len(entries) != len(want) {
		t.Fatalf("got %d of %d entries, %v", len(entries), len(want), err)
	}
	for _, e := range entries {
		size, err := s.GetSize(t.Context(), ds.RawKey(e.Key))
		if err != nil || size != want[e.Key] || e.Size != want[e.Key] {
			t.Fatalf("%s: got %d and %d, %v; want %d", e.Key, size, e.Size, err, want[e.Key])
		}
	}
}
