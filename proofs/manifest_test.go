package proofs_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"

	"github.com/hansard-dao/hansard/proofs"
)

func randomBytes(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

func randomHash(rng *rand.Rand) proofs.Hash { return proofs.Hash(randomBytes(rng, 32)) }

// randomUint returns a number of any width, the ends of each among them.
func randomUint(rng *rand.Rand) uint64 {
	ends := []uint64{0, 23, 24, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64}
	if rng.IntN(2) == 0 {
		return ends[rng.IntN(len(ends))]
	}
	return rng.Uint64() >> rng.IntN(64)
}

// randomText returns valid UTF-8 of about n bytes, with every length of a rune and control characters.
func randomText(rng *rand.Rand, n int) string {
	runes := []rune{0, '\n', '"', 'a', 'z', 'é', '\u0301', '漢', '\ufffd', '\ufeff', '🗳'}
	var s []rune
	for size := 0; size < n; size += 2 {
		s = append(s, runes[rng.IntN(len(runes))])
	}
	return string(s)
}

func randomRecord(rng *rand.Rand) *proofs.Record {
	rec := &proofs.Record{
		Entry: proofs.Entry{
			Log: randomHash(rng), Index: randomUint(rng), Room: randomHash(rng), RoomIndex: randomUint(rng),
			RoomPrev: randomHash(rng), Message: randomHash(rng), Author: randomHash(rng),
			Vouch: proofs.Vouch(rng.IntN(256)), Evidence: randomHash(rng), ReceivedAt: randomUint(rng),
		},
		Evidence: proofs.Evidence{Scheme: randomText(rng, rng.IntN(64))},
	}
	if rng.IntN(4) == 0 {
		return rec
	}
	rec.Evidence.Bytes = randomBytes(rng, rng.IntN(1<<rng.IntN(12)))
	rec.Message = &proofs.Message{
		Log: randomHash(rng), Room: proofs.Room(randomText(rng, rng.IntN(128))), Author: proofs.Author(randomText(rng, rng.IntN(256))),
		SentAt: randomUint(rng), Kind: randomText(rng, rng.IntN(128)), Body: randomText(rng, rng.IntN(1<<rng.IntN(17))),
		Source: randomText(rng, rng.IntN(2048)), ReplyTo: randomHash(rng), Replaces: randomHash(rng), Seen: randomHash(rng),
		NotBefore: randomHash(rng), Salt: randomHash(rng),
	}
	for range rng.IntN(65) * rng.IntN(2) {
		rec.Message.Attachments = append(rec.Message.Attachments, proofs.FormatCID(randomHash(rng)))
	}
	return rec
}

func recordNode(rec *proofs.Record) qp.Assemble {
	return qp.Map(-1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "leaf", qp.Bytes(rec.Entry.LeafData()))
		qp.MapEntry(ma, "scheme", qp.String(rec.Evidence.Scheme))
		if rec.Message == nil {
			qp.MapEntry(ma, "message", qp.Null())
			qp.MapEntry(ma, "evidence", qp.Null())
			return
		}
		qp.MapEntry(ma, "message", messageNode(rec.Message))
		qp.MapEntry(ma, "evidence", qp.Bytes(rec.Evidence.Bytes))
	})
}

func messageNode(m *proofs.Message) qp.Assemble {
	return qp.Map(-1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "log", hashNode(m.Log))
		qp.MapEntry(ma, "room", qp.String(string(m.Room)))
		qp.MapEntry(ma, "author", qp.String(string(m.Author)))
		qp.MapEntry(ma, "sentAt", uintNode(m.SentAt))
		qp.MapEntry(ma, "kind", qp.String(m.Kind))
		qp.MapEntry(ma, "body", qp.String(m.Body))
		qp.MapEntry(ma, "attachments", qp.List(-1, func(la datamodel.ListAssembler) {
			for _, a := range m.Attachments {
				qp.ListEntry(la, qp.String(a))
			}
		}))
		qp.MapEntry(ma, "source", qp.String(m.Source))
		qp.MapEntry(ma, "replyTo", hashNode(m.ReplyTo))
		qp.MapEntry(ma, "replaces", hashNode(m.Replaces))
		qp.MapEntry(ma, "seen", hashNode(m.Seen))
		qp.MapEntry(ma, "notBefore", hashNode(m.NotBefore))
		qp.MapEntry(ma, "salt", hashNode(m.Salt))
	})
}

func randomManifest(rng *rand.Rand) *proofs.Manifest {
	m := &proofs.Manifest{
		Log: randomHash(rng), Root: randomHash(rng), Number: randomUint(rng), First: randomUint(rng), Size: randomUint(rng),
		OpenedAt: randomUint(rng), SealedAt: randomUint(rng), NotBefore: randomHash(rng),
	}
	if rng.IntN(3) > 0 {
		prev := randomHash(rng)
		m.Prev = &prev
	}
	for range 1 + rng.IntN(300) {
		m.Heads = append(m.Heads, proofs.RoomHead{
			Room: randomHash(rng), First: randomUint(rng), Count: randomUint(rng), Head: randomHash(rng),
		})
	}
	slices.SortFunc(m.Heads, func(a, b proofs.RoomHead) int { return bytes.Compare(a.Room[:], b.Room[:]) })
	for range rng.IntN(300) {
		m.Chunks = append(m.Chunks, randomHash(rng))
	}
	return m
}

func manifestNode(t testing.TB, m *proofs.Manifest) qp.Assemble {
	heads := qp.List(-1, func(la datamodel.ListAssembler) {
		for _, h := range m.Heads {
			qp.ListEntry(la, qp.Map(-1, func(ma datamodel.MapAssembler) {
				qp.MapEntry(ma, "room", hashNode(h.Room))
				qp.MapEntry(ma, "first", uintNode(h.First))
				qp.MapEntry(ma, "count", uintNode(h.Count))
				qp.MapEntry(ma, "head", hashNode(h.Head))
			}))
		}
	})
	root, err := proofs.RoomRoot(m.Heads)
	if err != nil {
		t.Fatal(err)
	}
	return qp.Map(-1, func(ma datamodel.MapAssembler) {
		qp.MapEntry(ma, "v", qp.Int(1))
		qp.MapEntry(ma, "log", hashNode(m.Log))
		qp.MapEntry(ma, "number", uintNode(m.Number))
		qp.MapEntry(ma, "first", uintNode(m.First))
		qp.MapEntry(ma, "size", uintNode(m.Size))
		qp.MapEntry(ma, "root", hashNode(m.Root))
		if m.Prev == nil {
			qp.MapEntry(ma, "prev", qp.Null())
		} else {
			qp.MapEntry(ma, "prev", linkNode(t, *m.Prev))
		}
		qp.MapEntry(ma, "openedAt", uintNode(m.OpenedAt))
		qp.MapEntry(ma, "sealedAt", uintNode(m.SealedAt))
		qp.MapEntry(ma, "notBefore", hashNode(m.NotBefore))
		qp.MapEntry(ma, "rooms", qp.Map(-1, func(ma datamodel.MapAssembler) {
			qp.MapEntry(ma, "root", hashNode(root))
			qp.MapEntry(ma, "heads", heads)
		}))
		qp.MapEntry(ma, "chunks", qp.List(-1, func(la datamodel.ListAssembler) {
			for _, c := range m.Chunks {
				qp.ListEntry(la, linkNode(t, c))
			}
		}))
	})
}

// checkCID compares our CID of the block with go-cid's.
func checkCID(t *testing.T, block []byte) {
	t.Helper()
	want, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: 0x12}.Sum(block)
	if err != nil {
		t.Fatal(err)
	}
	if got := proofs.FormatCID(proofs.BlockDigest(block)); got != want.String() {
		t.Fatalf("CID %s, go-cid says %s", got, want)
	}
}

func TestRecord(t *testing.T) {
	rng := newRand(t)
	for range 300 {
		rec := randomRecord(rng)
		ours := proofs.AppendRecord(nil, rec)
		if want := encodeNode(t, recordNode(rec), ours); !bytes.Equal(ours, want) {
			t.Fatalf("%+v:\ngot  %x\nwant %x", rec, ours, want)
		}
		tail := randomBytes(rng, rng.IntN(9))
		got, rest, err := proofs.ParseRecord(append(slices.Clone(ours), tail...))
		if err != nil || !bytes.Equal(rest, tail) {
			t.Fatalf("%+v: %v, %d bytes left of %d", rec, err, len(rest), len(tail))
		}
		if diff := cmp.Diff(rec, &got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("came back different (-want +got):\n%s", diff)
		}
		if (got.Message == nil) != (got.Evidence.Bytes == nil) {
			t.Fatal("an empty evidence came back as null")
		}
	}
}

func TestManifest(t *testing.T) {
	rng := newRand(t)
	for range 60 {
		m := randomManifest(rng)
		ours := m.Format()
		if want := encodeNode(t, manifestNode(t, m), ours); !bytes.Equal(ours, want) {
			t.Fatalf("%+v:\ngot  %x\nwant %x", m, ours, want)
		}
		got, err := proofs.ParseManifest(ours)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("came back different (-want +got):\n%s", diff)
		}
		checkCID(t, ours)
	}
}

func TestChunk(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{0, 1, 23, 24, 255, 256, 300} {
		var records []proofs.Record
		var encoded [][]byte
		for range n {
			rec := randomRecord(rng)
			records = append(records, *rec)
			encoded = append(encoded, proofs.AppendRecord(nil, rec))
		}
		ours := proofs.FormatChunk(encoded)
		if n < 256 {
			want := encodeNode(t, qp.List(-1, func(la datamodel.ListAssembler) {
				for i := range records {
					qp.ListEntry(la, recordNode(&records[i]))
				}
			}), ours)
			if !bytes.Equal(ours, want) {
				t.Fatalf("%d records: got %.100x, want %.100x", n, ours, want)
			}
		}
		got, err := proofs.ParseChunk(ours)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(records, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%d records came back different (-want +got):\n%s", n, diff)
		}
		checkCID(t, ours)
	}
}

// chunk feeds byte strings of the given encoded sizes to a Chunker and returns, by go-ipld-prime, how
// many came to lie in each chunk. It checks size, greed and order on the way.
func chunk(t *testing.T, sizes []int) []int {
	t.Helper()
	var records, chunks [][]byte
	for i, size := range sizes {
		// The head and the number of the record say where it belongs.
		record := cborBytes(make([]byte, size-len(cborHead(2, uint64(size)))))
		if len(record) != size {
			t.Fatalf("no byte string takes %d bytes", size)
		}
		record[size-2], record[size-1] = byte(i>>8), byte(i)
		records = append(records, record)
	}
	var chunker proofs.Chunker
	for _, r := range records {
		if c := chunker.Add(r); c != nil {
			chunks = append(chunks, c)
		}
	}
	if c := chunker.Rest(); c != nil {
		chunks = append(chunks, c)
	}
	if c := chunker.Rest(); c != nil {
		t.Fatal("a chunk after the last")
	}
	var counts []int
	next := 0
	for _, c := range chunks {
		node, err := ipld.Decode(c, dagcbor.Decode)
		if err != nil {
			t.Fatal(err)
		}
		n := int(node.Length())
		for i := range n {
			item, err := node.LookupByIndex(int64(i))
			if err != nil {
				t.Fatal(err)
			}
			content, err := item.AsBytes()
			if err != nil || !bytes.Equal(cborBytes(content), records[next+i]) {
				t.Fatalf("record %d of chunk %d is not record %d, %v", i, len(counts), next+i, err)
			}
		}
		if len(c) > proofs.MaxChunk && n > 1 {
			t.Fatalf("chunk %d has %d bytes", len(counts), len(c))
		}
		if next += n; next < len(records) {
			more := len(c) - len(cborHead(4, uint64(n))) + len(cborHead(4, uint64(n+1))) + len(records[next])
			if more <= proofs.MaxChunk {
				t.Fatalf("record %d would have fitted chunk %d: %d bytes", next, len(counts), more)
			}
		}
		counts = append(counts, n)
	}
	if next != len(records) {
		t.Fatalf("%d records of %d", next, len(records))
	}
	return counts
}

func TestChunker(t *testing.T) {
	// fill returns n sizes that add up to total.
	fill := func(n, total int) []int {
		sizes := slices.Repeat([]int{total / n}, n)
		sizes[n-1] += total % n
		return sizes
	}
	const limit = proofs.MaxChunk
	tests := []struct {
		name  string
		sizes []int
		want  []int
	}{
		{"nothing", nil, nil},
		{"one", []int{400}, []int{1}},
		{"one that fills a chunk", []int{limit - 1}, []int{1}},
		{"one over the limit", []int{limit + 100}, []int{1}},
		{"one over the limit between others", []int{400, limit, 400, 400}, []int{1, 1, 2}},
		{"two over the limit", []int{2 * limit, 2 * limit}, []int{1, 1}},
		{"two that fill a chunk", fill(2, limit-1), []int{2}},
		{"two that do not", fill(2, limit), []int{1, 1}},
		{"23 that fill a chunk", fill(23, limit-1), []int{23}},
		{"24 that fill a chunk", fill(24, limit-2), []int{24}},
		{"24 that would without the longer head", fill(24, limit-1), []int{23, 1}},
		{"255 that fill a chunk", fill(255, limit-2), []int{255}},
		{"256 that fill a chunk", fill(256, limit-3), []int{256}},
		{"256 that would without the longer head", fill(256, limit-2), []int{255, 1}},
		{"three chunks", slices.Repeat([]int{1000}, 600), []int{262, 262, 76}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := chunk(t, tt.sizes); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
	rng := newRand(t)
	for range 20 {
		var sizes []int
		largest := 300 + rng.IntN(1<<rng.IntN(19))
		for range 2000 {
			if size := 300 + rng.IntN(largest); size != 65538+1 {
				sizes = append(sizes, size)
			}
			if len(sizes)*largest > 40*limit {
				break
			}
		}
		chunk(t, sizes)
	}
}

func TestRoomHeads(t *testing.T) {
	rng := newRand(t)
	rooms := []proofs.Hash{{9}, {3}, {7}}
	var entries []proofs.Entry
	var leaves []proofs.Hash
	want := map[proofs.Hash]*proofs.RoomHead{}
	next := map[proofs.Hash]uint64{{9}: 100, {3}: 0, {7}: math.MaxUint64 - 500}
	for range 500 {
		room := rooms[rng.IntN(len(rooms))]
		e := proofs.Entry{Room: room, RoomIndex: next[room]}
		if want[room] == nil {
			want[room] = &proofs.RoomHead{Room: room, First: next[room]}
		}
		next[room]++
		want[room].Count++
		want[room].Head = e.Leaf()
		entries, leaves = append(entries, e), append(leaves, e.Leaf())
	}
	got := proofs.RoomHeads(entries, leaves)
	if diff := cmp.Diff([]proofs.RoomHead{*want[rooms[1]], *want[rooms[2]], *want[rooms[0]]}, got); diff != "" {
		t.Errorf("heads (-want +got):\n%s", diff)
	}
	if _, err := proofs.RoomRoot([]proofs.RoomHead{got[1], got[0]}); err == nil {
		t.Error("unsorted heads have a root")
	}
	if _, err := proofs.RoomRoot([]proofs.RoomHead{got[0], got[0]}); err == nil {
		t.Error("a room twice has a root")
	}
	if _, err := proofs.RoomRoot(nil); err == nil {
		t.Error("no heads have a root")
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add(cborMap(recordPairs()))
	private := with(recordPairs(), "message", []byte{0xf6})
	f.Add(cborMap(with(private, "evidence", []byte{0xf6})))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, rest, err := proofs.ParseRecord(b)
		if err != nil {
			return
		}
		if again := append(proofs.AppendRecord(nil, &rec), rest...); !bytes.Equal(again, b) {
			t.Errorf("%x comes back as %x", b, again)
		}
	})
}

func FuzzParseManifest(f *testing.F) {
	f.Add(cborMap(manifestPairs(f)))
	f.Add(cborMap(with(manifestPairs(f), "prev", []byte{0xf6})))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := proofs.ParseManifest(b)
		if err != nil {
			return
		}
		if again := m.Format(); !bytes.Equal(again, b) {
			t.Errorf("%x comes back as %x", b, again)
		}
	})
}
