package ipfs

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// testBatch is a batch as it goes to IPFS: chunks and then the manifest.
type testBatch struct {
	blocks   [][]byte
	records  [][]byte
	manifest *proofs.Manifest
	digest   proofs.Hash // of the manifest
}

func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func randomHash(rng *rand.Rand) (h proofs.Hash) {
	for i := 0; i < len(h); i += 8 {
		binary.BigEndian.PutUint64(h[i:], rng.Uint64())
	}
	return h
}

// newTestBatch returns a batch of size entries with bodies of up to body bytes. It continues prev.
func newTestBatch(t testing.TB, rng *rand.Rand, prev *testBatch, size, body int) *testBatch {
	b := &testBatch{manifest: &proofs.Manifest{
		Log: proofs.Hash{1}, Size: uint64(size), OpenedAt: 1795254630000, SealedAt: 1795254631000, NotBefore: randomHash(rng),
	}}
	if prev != nil {
		b.manifest.Prev = &prev.digest
		b.manifest.Number, b.manifest.First = prev.manifest.Number+1, prev.manifest.First+prev.manifest.Size
	}
	rooms := []proofs.Room{"demo-dao", "ethereum/acd", "uniswap/governance"}
	var entries []proofs.Entry
	var leaves []proofs.Hash
	var chunker proofs.Chunker
	for i := range size {
		room := rooms[rng.IntN(len(rooms))]
		m := &proofs.Message{
			Log: proofs.Hash{1}, Room: room, Author: "zoom:Ada", SentAt: rng.Uint64() >> 1, Kind: "text/plain",
			Body:   strings.Repeat("wörd ", rng.IntN(body)/6+1),
			Source: "zoom:chat.txt#1", Attachments: []string{proofs.FormatCID(randomHash(rng))}, Salt: randomHash(rng),
		}
		evidence := randomHash(rng)
		e := proofs.Entry{
			Log: m.Log, Index: b.manifest.First + uint64(i), Room: room.Tag(), RoomIndex: b.manifest.First + uint64(i),
			RoomPrev: randomHash(rng), Message: randomHash(rng), Author: m.Author.Commit(m.Salt),
			Vouch: proofs.VouchNobody, Evidence: evidence, ReceivedAt: 1795254630500,
		}
		rec := &proofs.Record{Entry: e, Message: m, Evidence: proofs.Evidence{Scheme: "none", Bytes: evidence[:]}}
		if i%7 == 3 {
			rec.Message, rec.Evidence.Bytes = nil, nil
		}
		encoded := proofs.AppendRecord(nil, rec)
		b.records = append(b.records, encoded)
		b.add(chunker.Add(encoded))
		entries, leaves = append(entries, e), append(leaves, e.Leaf())
	}
	b.add(chunker.Rest())
	root, err := proofs.Root(leaves)
	if err != nil {
		t.Fatal(err)
	}
	b.manifest.Root, b.manifest.Heads = root, proofs.RoomHeads(entries, leaves)
	block := b.manifest.Format()
	b.digest = proofs.BlockDigest(block)
	b.blocks = append(b.blocks, block)
	return b
}

func (b *testBatch) add(chunk []byte) {
	if chunk != nil {
		b.blocks = append(b.blocks, chunk)
		b.manifest.Chunks = append(b.manifest.Chunks, proofs.BlockDigest(chunk))
	}
}

// newTestChain returns n batches, each on top of the one before.
func newTestChain(t testing.TB, rng *rand.Rand, n, size, body int) []*testBatch {
	var chain []*testBatch
	var prev *testBatch
	for range n {
		prev = newTestBatch(t, rng, prev, size, body)
		chain = append(chain, prev)
	}
	return chain
}
