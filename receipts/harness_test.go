package receipts_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

var _ receipts.Store = (*storage.DB)(nil)

// chain is the log of these tests.
var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, PromiseBond: proofs.Address{0xb0}, Log: proofs.Keccak([]byte("receipts tests"))}

const (
	clock   = 1_795_254_640_000 // ms since 1970 UTC
	promise = 24 * time.Hour
)

// log is a log on disk with one batch of seven messages and a pool of two. The even ones are signed.
type log struct {
	t        *testing.T
	db       *storage.DB
	operator *identity.Key
	ids      []proofs.Hash
}

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newLog(t *testing.T) *log {
	t.Helper()
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	l := &log{t: t, db: db, operator: newKey(t)}
	sealed := make(chan struct{}, 16)
	b, err := batcher.New(batcher.Config{
		Chain: chain, Store: db, Promise: promise, Now: func() time.Time { return time.UnixMilli(clock) }, Recover: identity.Recover,
		Sealed: func() { sealed <- struct{}{} }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	author := newKey(t)
	for i := range 9 {
		m := proofs.Message{
			Log: chain.Log, Room: "room", Author: "zoom:Dan", SentAt: clock, Kind: "text/plain", Body: fmt.Sprintf("message %d", i),
			Salt: proofs.Hash{byte(i)},
		}
		e := proofs.Evidence{Scheme: proofs.SchemeNone}
		if i%2 == 0 {
			m.Author = proofs.Author(author.Address().String())
			if e, err = author.SignMessage(chain.MessageDomain(), &m); err != nil {
				t.Fatal(err)
			}
		}
		res := b.Submit(ctx, batcher.Submission{Message: m, Evidence: e})[0]
		if res.Err != nil {
			t.Fatal(res.Err)
		}
		l.ids = append(l.ids, res.ID)
		if i == 6 {
			b.Flush()
			<-sealed
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return l
}

// batch returns the batch as the log has it.
func (l *log) batch() proofs.Sealed {
	l.t.Helper()
	s, err := l.db.Batch(l.t.Context(), 0)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// set moves the batch to the state, in a block of the time given.
func (l *log) set(state proofs.State, seconds uint64) {
	l.t.Helper()
	var a *proofs.Anchor
	tx := proofs.Hash{}
	if state >= proofs.StateIncluded {
		s := l.batch()
		s.Time = seconds
		a, tx = l.anchor(s.Batch), proofs.Hash{0x7a}
		if state < proofs.StateFinalized {
			a.Header, a.Proof = nil, nil
		}
	}
	if err := l.db.SetAnchor(l.t.Context(), 0, proofs.Standing{State: state, Time: seconds, Tx: tx, Anchor: a}); err != nil {
		l.t.Fatal(err)
	}
}

// nodeList gathers proof nodes in the order of the path.
type nodeList [][]byte

func (l *nodeList) Put(_, value []byte) error { *l = append(*l, bytes.Clone(value)); return nil }
func (l *nodeList) Delete([]byte) error       { panic("not used") }

// anchor puts the batch's event into the third of five transactions of a block, with go-ethereum's
// types and trie.
func (l *log) anchor(b proofs.Batch) *proofs.Anchor {
	l.t.Helper()
	const index = 2
	word := func(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }
	event := &types.Log{
		Address: common.Address(chain.AnchorLog),
		Topics: []common.Hash{
			crypto.Keccak256Hash([]byte("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)")), common.Hash(chain.Log), common.Hash(word(b.Number)),
		},
		Data: bytes.Join([][]byte{b.Root[:], word(b.First), word(b.Size), b.CID[:]}, nil),
	}
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for i := range 5 {
		r := &types.Receipt{Type: types.DynamicFeeTxType, Status: 1, CumulativeGasUsed: uint64(40_000 * (i + 1))}
		if i == index {
			r.Logs = []*types.Log{event}
		}
		r.Bloom = types.CreateBloom(r)
		raw, err := r.MarshalBinary()
		if err != nil {
			l.t.Fatal(err)
		}
		tr.MustUpdate(rlp.AppendUint64(nil, uint64(i)), raw)
	}
	header := &types.Header{Number: big.NewInt(7_412_055), Time: b.Time, ReceiptHash: tr.Hash(), Difficulty: new(big.Int), BaseFee: big.NewInt(7)}
	raw, err := rlp.EncodeToBytes(header)
	if err != nil {
		l.t.Fatal(err)
	}
	var nodes nodeList
	if err := tr.Prove(rlp.AppendUint64(nil, index), &nodes); err != nil {
		l.t.Fatal(err)
	}
	return &proofs.Anchor{
		Block: proofs.BlockRef{Number: header.Number.Uint64(), Hash: proofs.Hash(header.Hash())}, TxIndex: index, Header: raw, Proof: nodes,
	}
}

// verify judges a receipt as a stranger does who trusts the log and knows the block.
func (l *log) verify(rc *proofs.Receipt) *proofs.Report {
	o := proofs.Options{Trust: &proofs.Trust{Logs: []proofs.TrustedLog{{Chain: chain, PromiseKeys: []proofs.Address{l.operator.Address()}}}}}
	if rc.Anchor != nil {
		o.BlockHash = rc.Anchor.Block.Hash
	}
	return proofs.Verify(rc.Format(), o)
}
