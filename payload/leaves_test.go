package payload_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
)

// blockMap is a source of blocks that may lie.
type blockMap map[proofs.Hash][]byte

func (m blockMap) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := m[digest]; ok {
		return b, nil
	}
	return nil, proofs.ErrNotFound
}

func (m blockMap) put(b []byte) proofs.Hash {
	digest := proofs.BlockDigest(b)
	m[digest] = b
	return digest
}

// pinnedBatch returns the batch of several chunks as it was pinned, its blocks and its leaves.
func pinnedBatch(t *testing.T) (proofs.Batch, *proofs.Manifest, blockMap, []proofs.Hash) {
	t.Helper()
	d := newDisk(t)
	d.fill(batches()...)
	if _, err := step(t, d.db, d.node); err != nil {
		t.Fatal(err)
	}
	b := d.sealedBatches()[2].Batch
	blocks := blockMap{}
	read := func(digest proofs.Hash) []byte {
		block, err := d.node.Get(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		blocks.put(block)
		return block
	}
	m, err := proofs.ParseManifest(read(b.CID))
	if err != nil || len(m.Chunks) < 3 {
		t.Fatalf("a manifest with %d chunks, %v", len(m.Chunks), err)
	}
	for _, c := range m.Chunks {
		read(c)
	}
	var leaves []proofs.Hash
	err = d.db.Records(t.Context(), b.First, b.Size, func(record []byte) error {
		rec, _, err := proofs.ParseRecord(record)
		leaves = append(leaves, rec.Entry.Leaf())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b, m, blocks, leaves
}

func TestReadLeaves(t *testing.T) {
	b, m, blocks, want := pinnedBatch(t)
	got, err := payload.ReadLeaves(t.Context(), blocks, b)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%d leaves, %v; want those of the log's %d entries", len(got), err, len(want))
	}
	type forgery struct {
		blocks   blockMap
		manifest proofs.Manifest
		batch    proofs.Batch
	}
	repin := func(f *forgery) { f.batch.CID = f.blocks.put(f.manifest.Format()) }
	for _, c := range []struct {
		name string
		bend func(*forgery)
		want error // nil: the source is to blame
		says string
	}{
		{"no manifest", func(f *forgery) { delete(f.blocks, f.batch.CID) }, proofs.ErrNotFound, "manifest"},
		{"a chunk is withheld", func(f *forgery) { delete(f.blocks, m.Chunks[1]) }, proofs.ErrNotFound, "chunk 1 of"},
		{"other bytes for the manifest", func(f *forgery) { f.blocks[f.batch.CID] = m.Format()[1:] }, nil, "other bytes"},
		{"other bytes for a chunk", func(f *forgery) { f.blocks[m.Chunks[1]] = f.blocks[m.Chunks[0]] }, nil, "other bytes"},
		{"no dag-cbor", func(f *forgery) { f.batch.CID = f.blocks.put([]byte("a web page")) }, payload.ErrForged, "not canonical"},
		{"a chunk for a manifest", func(f *forgery) { f.batch.CID = m.Chunks[0] }, payload.ErrForged, "not canonical"},
		{"a manifest for a chunk", func(f *forgery) { f.manifest.Chunks[0] = f.batch.CID; repin(f) }, payload.ErrForged, "not canonical"},
		{"no chunks", func(f *forgery) { f.manifest.Chunks = nil; repin(f) }, payload.ErrForged, "0 entries"},
		{"a chunk left out", func(f *forgery) { f.manifest.Chunks = f.manifest.Chunks[1:]; repin(f) }, payload.ErrForged, "entries"},
		{"a chunk too many", func(f *forgery) { f.manifest.Chunks = append(f.manifest.Chunks, m.Chunks[0]); repin(f) }, payload.ErrForged, "entries"},
		{"chunks in another order", func(f *forgery) { slices.Reverse(f.manifest.Chunks); repin(f) }, payload.ErrForged, "root"},
		{"an empty chunk for ever", func(f *forgery) {
			f.manifest.Chunks = slices.Repeat([]proofs.Hash{f.blocks.put(proofs.FormatChunk(nil))}, 1000)
			repin(f)
		}, payload.ErrForged, "chunk 0 of 1000"},
		{"one chunk for ever", func(f *forgery) { f.manifest.Chunks = slices.Repeat(m.Chunks[:1], 20_000); repin(f) }, payload.ErrForged, "or more"},
		{"an entry of another time", func(f *forgery) {
			records, err := proofs.ParseChunk(f.blocks[m.Chunks[0]])
			if err != nil {
				t.Fatal(err)
			}
			records[0].Entry.ReceivedAt++
			var all [][]byte
			for i := range records {
				all = append(all, proofs.AppendRecord(nil, &records[i]))
			}
			f.manifest.Chunks[0] = f.blocks.put(proofs.FormatChunk(all))
			repin(f)
		}, payload.ErrForged, "root"},
		{"another batch's root", func(f *forgery) { f.batch.Root[0] ^= 1 }, payload.ErrForged, "root"},
		{"a batch that is said to be larger", func(f *forgery) { f.batch.Size++ }, payload.ErrForged, "entries"},
		{"a batch that is said to have as many leaves as there can be", func(f *forgery) { f.batch.Size = proofs.MaxBatch }, payload.ErrForged, "entries"},
		{"a batch that is said to be smaller", func(f *forgery) { f.batch.Size = 1 }, payload.ErrForged, "or more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &forgery{blocks: blockMap{}, manifest: *m, batch: b}
			for k, v := range blocks {
				f.blocks[k] = v
			}
			f.manifest.Chunks = slices.Clone(m.Chunks)
			c.bend(f)
			leaves, err := payload.ReadLeaves(t.Context(), f.blocks, f.batch)
			if err == nil || leaves != nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%d leaves, %v; want an error with %q", len(leaves), err, c.says)
			}
			for _, e := range []error{proofs.ErrNotFound, payload.ErrForged} {
				if errors.Is(err, e) != (e == c.want) {
					t.Errorf("%v; is it %q: %v", err, e, errors.Is(err, e))
				}
			}
		})
	}
	t.Run("what the manifest says beside its chunks", func(t *testing.T) {
		said := *m
		said.Number, said.First, said.Size, said.Root, said.Log = 7, 8, 9, proofs.Hash{1}, proofs.Hash{2}
		moved := b
		moved.CID = blocks.put(said.Format())
		if got, err := payload.ReadLeaves(t.Context(), blocks, moved); err != nil || !slices.Equal(got, want) {
			t.Errorf("%d leaves, %v: the leaves give the root, so they are what stands there", len(got), err)
		}
	})
}
