package batcher

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestCut holds pools of given sizes and rooms against the limits of a batch. It is the one test from
// inside: a batch of a gigabyte takes too long to make.
func TestCut(t *testing.T) {
	const half, full = maxBatchBytes / 2, maxBatchBytes
	tests := []struct {
		name  string
		sizes []int64
		limit uint64
		want  uint64
	}{
		{"empty", nil, 10, 0},
		{"small", []int64{1, 1, 1}, 10, 3},
		{"by count", []int64{1, 1, 1}, 2, 2},
		{"exactly full", []int64{half, half}, 10, 2},
		{"one byte over", []int64{half, half, 1}, 10, 2},
		{"over in the middle", []int64{half, half + 1, 1, 1}, 10, 1},
		{"count before bytes", []int64{1, 1, full}, 1, 1},
		{"bytes before count", []int64{full, 1, 1}, 2, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &pool{rooms: map[proofs.Hash]bool{{1}: true}}
			for _, size := range tt.sizes {
				p.entries, p.sizes = append(p.entries, proofs.Entry{Room: proofs.Hash{1}}), append(p.sizes, size)
				p.bytes += size
			}
			if got := p.cut(tt.limit); got != tt.want {
				t.Errorf("cut %d entries, want %d", got, tt.want)
			}
		})
	}
}

// TestSplit cuts a pool again and again: what is left knows its rooms and its size.
func TestSplit(t *testing.T) {
	b := &Batcher{}
	b.pool = b.newPool()
	for i := range 10 {
		m := proofs.Message{Body: strings.Repeat("x", i)}
		b.pool.add(&proofs.Accepted{Deadline: uint64(20 - i), Record: proofs.Record{Message: &m, Entry: proofs.Entry{Index: uint64(i), Room: proofs.Hash{byte(i / 4)}}}})
	}
	for n, rooms := range []int{3, 2, 1} {
		cut := b.pool
		b.pool = b.split(3)
		if last := uint64(20 - (3*n + 2)); cut.earliest != last || b.pool.earliest != 11 {
			t.Errorf("split %d: due at %d and %d, want %d and 11", n, cut.earliest, b.pool.earliest, last)
		}
		p, entries, bytes := b.pool, 10-3*(n+1), int64(0)
		for i := 10 - entries; i < 10; i++ {
			bytes += 1024 + int64(i)
		}
		if len(p.entries) != entries || len(p.leaves) != entries || len(p.sizes) != entries || p.bytes != bytes || len(p.rooms) != rooms {
			t.Errorf("split %d leaves %d entries, %d sizes, %d bytes and %d rooms; want %d, %d and %d", n,
				len(p.entries), len(p.sizes), p.bytes, len(p.rooms), entries, bytes, rooms)
		}
		if p.entries[0].Index != uint64(10-entries) || p.tail.Sealed != uint64(10-entries) || p.tail.Batches != uint64(n+1) {
			t.Errorf("split %d begins with entry %d as %+v", n, p.entries[0].Index, p.tail)
		}
	}
}

// TestLargestManifest: whatever is in a batch, its manifest is small enough to be moved. Two chunks in
// a row hold more than MaxChunk, so a batch has no more chunks than this.
func TestLargestManifest(t *testing.T) {
	m := proofs.Manifest{
		Number: proofs.MaxBatch, First: math.MaxUint64, Size: proofs.MaxBatch, Prev: &proofs.Hash{}, OpenedAt: math.MaxUint64, SealedAt: math.MaxUint64,
		Chunks: make([]proofs.Hash, 2*maxBatchBytes/proofs.MaxChunk+1),
	}
	for i := range proofs.MaxRooms {
		h := proofs.RoomHead{First: math.MaxUint64, Count: math.MaxUint32}
		binary.BigEndian.PutUint32(h.Room[:], uint32(i))
		m.Heads = append(m.Heads, h)
	}
	if n := len(m.Format()); n > proofs.MaxManifest {
		t.Errorf("the largest manifest has %d bytes, over the limit of %d", n, proofs.MaxManifest)
	}
}

// TestSizeOf holds the estimate against the smallest and the largest record.
func TestSizeOf(t *testing.T) {
	long := proofs.Message{
		Room: proofs.Room(strings.Repeat("r", proofs.MaxRoom)), Author: proofs.Author("zoom:" + strings.Repeat("a", proofs.MaxAuthor-5)),
		SentAt: math.MaxUint64, Kind: "text/" + strings.Repeat("k", proofs.MaxKind-5), Body: strings.Repeat("b", proofs.MaxBody),
		Source: "https:" + strings.Repeat("s", proofs.MaxSource-6),
	}
	for range proofs.MaxAttachments {
		long.Attachments = append(long.Attachments, strings.Repeat("c", proofs.MaxCID))
	}
	scheme := strings.Repeat("s", proofs.MaxScheme)
	for name, m := range map[string]proofs.Message{"empty": {}, "long": long} {
		e := proofs.Evidence{Scheme: scheme, Bytes: make([]byte, proofs.MaxEvidence)}
		record := proofs.AppendRecord(nil, &proofs.Record{Message: &m, Evidence: e})
		if got := sizeOf(&m, e); got < int64(len(record))*99/100 || got > int64(len(record))+1024 {
			t.Errorf("%s: estimated %d bytes, the record has %d", name, got, len(record))
		}
	}
}

// TestHoldMessages: what a pool may grow to by default is bounded, but never below a batch.
func TestHoldMessages(t *testing.T) {
	for messages, want := range map[uint64]uint64{
		0: 65_536, 1: 16, 16_384: 1 << 18, 16_385: 1 << 18, 1 << 18: 1 << 18, 1<<18 + 1: 1<<18 + 1, proofs.MaxBatch: proofs.MaxBatch,
	} {
		if got := (Config{MaxMessages: messages}).withDefaults().HoldMessages; got != want {
			t.Errorf("a pool of batches of %d is held up to %d, want %d", messages, got, want)
		}
	}
}
