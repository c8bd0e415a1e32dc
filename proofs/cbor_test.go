package proofs_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"

	"github.com/hansard-dao/hansard/proofs"
)

// The blocks are compared with those that go-ipld-prime encodes from values put together here by
// section 7 of the format, and the strict decoder is given what go-ipld-prime would never write,
// spelled with the functions below.

func cborHead(major byte, n uint64) []byte {
	for i, size := range []int{0, 1, 2, 4, 8} {
		if i == 0 && n < 24 {
			return []byte{major<<5 | byte(n)}
		}
		if i > 0 && (size == 8 || n>>(8*size) == 0) {
			return cborHeadOf(major, size, n)
		}
	}
	panic("unreachable")
}

// cborHeadOf spells n in size bytes, needed or not.
func cborHeadOf(major byte, size int, n uint64) []byte {
	info := map[int]byte{1: 24, 2: 25, 4: 26, 8: 27}[size]
	word := binary.BigEndian.AppendUint64(nil, n)
	return append([]byte{major<<5 | info}, word[8-size:]...)
}

func cborInt(n uint64) []byte   { return cborHead(0, n) }
func cborBytes(b []byte) []byte { return append(cborHead(2, uint64(len(b))), b...) }
func cborText(s string) []byte  { return append(cborHead(3, uint64(len(s))), s...) }

func cborArray(items ...[]byte) []byte {
	return append(cborHead(4, uint64(len(items))), slices.Concat(items...)...)
}

func cborLink(prefix string, digest proofs.Hash) []byte {
	return append(cborHead(6, 42), cborBytes(append([]byte(prefix), digest[:]...))...)
}

const linkPrefix = "\x00\x01\x71\x12\x20"

// pair is an entry of a map, its value encoded.
type pair struct {
	key   string
	value []byte
}

func cborMap(pairs []pair) []byte {
	b := cborHead(5, uint64(len(pairs)))
	for _, p := range pairs {
		b = append(append(b, cborText(p.key)...), p.value...)
	}
	return b
}

// with returns the pairs with another value for key, which must be there.
func with(pairs []pair, key string, value []byte) []pair {
	pairs = slices.Clone(pairs)
	i := slices.IndexFunc(pairs, func(p pair) bool { return p.key == key })
	pairs[i].value = value
	return pairs
}

var zero32 = make([]byte, 32)

func messagePairs() []pair {
	h := cborBytes(zero32)
	return []pair{
		{"log", h}, {"body", cborText("words")}, {"kind", cborText("text/plain")}, {"room", cborText("demo")},
		{"salt", h}, {"seen", h}, {"author", cborText("zoom:Ada")}, {"sentAt", cborInt(23)}, {"source", cborText("")},
		{"replyTo", h}, {"replaces", h}, {"notBefore", h}, {"attachments", cborArray(cborText("b"))},
	}
}

func recordPairs() []pair {
	leaf := (&proofs.Entry{Index: 7, Vouch: proofs.VouchNobody}).LeafData()
	return []pair{
		{"leaf", cborBytes(leaf)}, {"scheme", cborText("none")},
		{"message", cborMap(messagePairs())}, {"evidence", cborBytes(nil)},
	}
}

func headPairs(room byte) []pair {
	return []pair{
		{"head", cborBytes(zero32)}, {"room", cborBytes(append([]byte{room}, zero32[1:]...))},
		{"count", cborInt(3)}, {"first", cborInt(24)},
	}
}

func roomsPairs(root proofs.Hash) []pair {
	return []pair{{"root", cborBytes(root[:])}, {"heads", cborArray(cborMap(headPairs(1)), cborMap(headPairs(2)))}}
}

func manifestPairs(t testing.TB) []pair {
	root, err := proofs.RoomRoot([]proofs.RoomHead{
		{Room: proofs.Hash{1}, First: 24, Count: 3}, {Room: proofs.Hash{2}, First: 24, Count: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	h, link := cborBytes(zero32), cborLink(linkPrefix, proofs.Hash{9})
	return []pair{
		{"v", cborInt(1)}, {"log", h}, {"prev", link}, {"root", h}, {"size", cborInt(6)}, {"first", cborInt(1 << 32)},
		{"rooms", cborMap(roomsPairs(root))}, {"chunks", cborArray(link, link)}, {"number", cborInt(5)},
		{"openedAt", cborInt(1)}, {"sealedAt", cborInt(2)}, {"notBefore", h},
	}
}

func swapped(pairs []pair, i, j int) []pair {
	pairs = slices.Clone(pairs)
	pairs[i], pairs[j] = pairs[j], pairs[i]
	return pairs
}

// badValues are refused in place of any field.
var badValues = map[string][]byte{
	"nothing":           {},
	"undefined":         {0xf7},
	"true":              {0xf5},
	"float":             {0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0},
	"negative":          {0x20},
	"break":             {0xff},
	"reserved length":   {0x1c},
	"indefinite bytes":  {0x5f, 0x41, 0, 0xff},
	"indefinite text":   {0x7f, 0x61, 'a', 0xff},
	"indefinite array":  {0x9f, 0xff},
	"indefinite map":    {0xbf, 0xff},
	"huge bytes":        cborHead(2, math.MaxUint64),
	"huge text":         cborHead(3, math.MaxUint64),
	"huge array":        cborHead(4, math.MaxUint64),
	"huge map":          cborHead(5, math.MaxUint64),
	"huge signed bytes": cborHead(2, math.MaxInt64),
	"long array":        cborHead(4, 100),
	"invalid UTF-8":     cborText("\xff"),
	"surrogate":         cborText("\xed\xa0\x80"),
	"overlong NUL":      cborText("\xc0\x80"),
	"31 bytes":          cborBytes(zero32[1:]),
	"33 bytes":          cborBytes(append([]byte{0}, zero32...)),
	"tag 43":            append(cborHead(6, 43), cborLink(linkPrefix, proofs.Hash{})[2:]...),
	"wide tag":          append(cborHeadOf(6, 2, 42), cborLink(linkPrefix, proofs.Hash{})[2:]...),
	"link as text":      append(cborHead(6, 42), cborText(linkPrefix+string(zero32))...),
	"link of a raw one": cborLink("\x00\x01\x55\x12\x20", proofs.Hash{}),
	"link of dag-pb":    cborLink("\x00\x01\x70\x12\x20", proofs.Hash{}),
	"link by SHA-512":   cborLink("\x00\x01\x71\x13\x20", proofs.Hash{}),
	"link of 31 bytes":  append(cborHead(6, 42), cborBytes([]byte("\x00\x01\x71\x12\x1f"+string(zero32[1:])))...),
	"link of 33 bytes":  append(cborHead(6, 42), cborBytes([]byte(linkPrefix+string(zero32)+"x"))...),
	"link of version 0": append(cborHead(6, 42), cborBytes([]byte("\x00\x12\x20"+string(zero32)))...),
	"link without zero": append(cborHead(6, 42), cborBytes([]byte(linkPrefix[1:]+string(zero32)))...),
	"link not zero":     cborLink("\x01\x01\x71\x12\x20", proofs.Hash{}),
	"nested arrays":     bytes.Repeat([]byte{0x81}, 1<<18),
	"nested maps":       bytes.Repeat([]byte{0xa1, 0x60}, 1<<17),
	"nested tags":       bytes.Repeat([]byte{0xd8, 42}, 1<<17),
	"wide zero":         cborHeadOf(0, 1, 23),
	"wide int":          cborHeadOf(0, 2, 255),
	"wider int":         cborHeadOf(0, 4, 65535),
	"widest int":        cborHeadOf(0, 8, math.MaxUint32),
	"wide bytes":        append(cborHeadOf(2, 2, 32), zero32...),
	"wide text":         append(cborHeadOf(3, 1, 1), 'b'),
	"wide array":        append(cborHeadOf(4, 1, 1), cborText("b")...),
	"wide array of 0":   cborHeadOf(4, 8, 0),
	"unknown map":       cborMap([]pair{{"x", cborInt(1)}}),
	"empty map":         cborMap(nil),
	"evil links":        cborArray(cborInt(0)),
}

// badMaps calls f with every way to get the keys of the map wrong and with every bad value in it.
func badMaps(pairs []pair, f func(name string, value []byte)) {
	for i, p := range pairs {
		f(p.key+" missing", cborMap(slices.Delete(slices.Clone(pairs), i, i+1)))
		f(p.key+" twice", cborMap(slices.Insert(slices.Clone(pairs), i, p)))
		f(p.key+" twice instead of another", cborMap(slices.Replace(slices.Clone(pairs), (i+1)%len(pairs), (i+1)%len(pairs)+1, p)))
		f(p.key+" and an unknown key", cborMap(slices.Insert(slices.Clone(pairs), i, pair{p.key + "x", cborInt(1)})))
		f(p.key+" renamed", cborMap(slices.Replace(slices.Clone(pairs), i, i+1, pair{"x" + p.key[1:], p.value})))
		if i > 0 {
			f(p.key+" too early", cborMap(swapped(pairs, i-1, i)))
		}
		for name, value := range badValues {
			f(p.key+": "+name, cborMap(with(pairs, p.key, value)))
		}
	}
	all := cborMap(pairs)
	f("wide map", append(cborHeadOf(5, 1, uint64(len(pairs))), all[1:]...))
	f("map that promises one more", append(cborHead(5, uint64(len(pairs)+1)), all[1:]...))
	f("map that promises one less", append(cborHead(5, uint64(len(pairs)-1)), all[1:]...))
	f("indefinite map", append(append([]byte{0xbf}, all[1:]...), 0xff))
	f("key as bytes", append([]byte{all[0], all[1]&31 | 2<<5}, all[2:]...))
	f("wide key", append([]byte{all[0], 0x78, all[1] & 31}, all[2:]...))
}

func TestParseRecordRefuses(t *testing.T) {
	good := cborMap(recordPairs())
	rec, rest, err := proofs.ParseRecord(good)
	if err != nil || len(rest) != 0 || !bytes.Equal(proofs.AppendRecord(nil, &rec), good) {
		t.Fatalf("the good one: %v, %d bytes left", err, len(rest))
	}
	n := 0
	// Evidence has no fixed length.
	sized := map[string]bool{"evidence: 31 bytes": true, "evidence: 33 bytes": true}
	refuse := func(name string, b []byte) {
		n++
		if rec, _, err := proofs.ParseRecord(b); (err == nil) != sized[name] {
			t.Errorf("%s: accepted %.80x as %+v, %v", name, b, rec, err)
		}
	}
	badMaps(recordPairs(), refuse)
	badMaps(messagePairs(), func(name string, b []byte) {
		refuse("message: "+name, cborMap(with(recordPairs(), "message", b)))
	})
	null := []byte{0xf6}
	for _, p := range messagePairs() {
		refuse("null "+p.key, cborMap(with(recordPairs(), "message", cborMap(with(messagePairs(), p.key, null)))))
	}
	refuse("null message with evidence", cborMap(with(recordPairs(), "message", null)))
	refuse("message with null evidence", cborMap(with(recordPairs(), "evidence", null)))
	refuse("null leaf", cborMap(with(recordPairs(), "leaf", null)))
	refuse("null scheme", cborMap(with(recordPairs(), "scheme", null)))
	leaf := (&proofs.Entry{Index: 7, Vouch: proofs.VouchNobody}).LeafData()
	for name, bad := range map[string][]byte{
		"short": leaf[1:], "long": append(slices.Clone(leaf), 0), "of another type": append([]byte{leaf[0] ^ 1}, leaf[1:]...),
		"with a vouch of 256":      slices.Replace(slices.Clone(leaf), 8*32+30, 8*32+31, 1),
		"with an index over 2^64":  slices.Replace(slices.Clone(leaf), 2*32+23, 2*32+24, 1),
		"with the highest bit set": slices.Replace(slices.Clone(leaf), 10*32, 10*32+1, 0x80),
	} {
		refuse("leaf "+name, cborMap(with(recordPairs(), "leaf", cborBytes(bad))))
	}
	for i := range good {
		refuse("cut", good[:i])
	}
	t.Logf("%d records refused", n)
}

func TestParseManifestRefuses(t *testing.T) {
	pairs := manifestPairs(t)
	good := cborMap(pairs)
	m, err := proofs.ParseManifest(good)
	if err != nil || !bytes.Equal(m.Format(), good) {
		t.Fatalf("the good one: %v", err)
	}
	null := []byte{0xf6}
	if m, err := proofs.ParseManifest(cborMap(with(pairs, "prev", null))); err != nil || m.Prev != nil {
		t.Fatalf("the first one: %v, %v", m, err)
	}
	n := 0
	refuse := func(name string, b []byte) {
		n++
		if m, err := proofs.ParseManifest(b); err == nil {
			t.Errorf("%s: accepted %.80x as %+v", name, b, m)
		}
	}
	badMaps(pairs, refuse)
	for _, p := range pairs {
		if p.key != "prev" {
			refuse("null "+p.key, cborMap(with(pairs, p.key, null)))
		}
	}
	root := m.Heads
	rooms, err := proofs.RoomRoot(root)
	if err != nil {
		t.Fatal(err)
	}
	inRooms := func(name string, b []byte) { refuse("rooms: "+name, cborMap(with(pairs, "rooms", b))) }
	badMaps(roomsPairs(rooms), inRooms)
	inHeads := func(name string, heads ...[]byte) {
		inRooms("heads: "+name, cborMap(with(roomsPairs(rooms), "heads", cborArray(heads...))))
	}
	one, two := cborMap(headPairs(1)), cborMap(headPairs(2))
	badMaps(headPairs(2), func(name string, b []byte) { inHeads(name, one, b) })
	inHeads("unsorted", two, one)
	inHeads("a room twice", one, one)
	inHeads("one missing", one)
	inHeads("none")
	inRooms("another root", cborMap(roomsPairs(proofs.Hash{1})))
	refuse("version 0", cborMap(with(pairs, "v", cborInt(0))))
	refuse("version 2", cborMap(with(pairs, "v", cborInt(2))))
	for i := range good {
		refuse("cut", good[:i])
	}
	refuse("trailing byte", append(slices.Clone(good), 0))
	refuse("twice", append(slices.Clone(good), good...))
	link := cborLink(linkPrefix, proofs.Hash{9})
	many := slices.Repeat([][]byte{link}, proofs.MaxManifest/len(link))
	refuse("over the limit", cborMap(with(pairs, "chunks", cborArray(many...))))
	if fits := cborMap(with(pairs, "chunks", cborArray(many[:len(many)-30]...))); len(fits) > proofs.MaxManifest {
		t.Errorf("%d bytes are over the limit", len(fits))
	} else if _, err := proofs.ParseManifest(fits); err != nil {
		t.Errorf("%d bytes, below the limit: %v", len(fits), err)
	}
	t.Logf("%d manifests refused", n)
}

func TestParseChunkRefuses(t *testing.T) {
	rec := cborMap(recordPairs())
	good := cborArray(rec, rec)
	if got, err := proofs.ParseChunk(good); err != nil || len(got) != 2 {
		t.Fatalf("the good one: %d records, %v", len(got), err)
	}
	for name, b := range map[string][]byte{
		"one promised, two there": append(cborHead(4, 1), good[1:]...),
		"three promised":          append(cborHead(4, 3), good[1:]...),
		"wide head":               append(cborHeadOf(4, 1, 2), good[1:]...),
		"indefinite":              append(append([]byte{0x9f}, good[1:]...), 0xff),
		"trailing byte":           append(slices.Clone(good), 0),
		"huge":                    cborHead(4, math.MaxUint64),
		"a map":                   append(cborHead(5, 1), good[1:]...),
		"nothing":                 {},
		"null record":             cborArray([]byte{0xf6}),
		"nested":                  cborArray(good),
	} {
		if got, err := proofs.ParseChunk(b); err == nil {
			t.Errorf("%s: accepted %d records", name, len(got))
		}
	}
	for i := range good {
		if _, err := proofs.ParseChunk(good[:i]); err == nil {
			t.Errorf("cut at %d: accepted", i)
		}
	}
}

// One value has one encoding: whatever a changed block is read as, it is written as that block.
func TestOneEncoding(t *testing.T) {
	record, manifest := cborMap(recordPairs()), cborMap(manifestPairs(t))
	accepted := 0
	for i := range record {
		for change := 1; change < 256; change *= 2 {
			b := slices.Clone(record)
			b[i] ^= byte(change)
			rec, rest, err := proofs.ParseRecord(b)
			if err != nil {
				continue
			}
			accepted++
			if again := append(proofs.AppendRecord(nil, &rec), rest...); !bytes.Equal(again, b) {
				t.Fatalf("record with byte %d changed by %#x comes back different", i, change)
			}
		}
	}
	for i := range manifest {
		for change := 1; change < 256; change *= 2 {
			b := slices.Clone(manifest)
			b[i] ^= byte(change)
			m, err := proofs.ParseManifest(b)
			if err != nil {
				continue
			}
			accepted++
			if !bytes.Equal(m.Format(), b) {
				t.Fatalf("manifest with byte %d changed by %#x comes back different", i, change)
			}
		}
	}
	if accepted == 0 {
		t.Error("every change was refused: nothing was compared")
	}
	t.Logf("%d changed blocks accepted", accepted)
}

// A length in the input is no reason to take memory.
func TestDecodingIsBounded(t *testing.T) {
	const size = 1 << 19
	lie := append(cborHead(4, size), bytes.Repeat([]byte{0xff}, size)...)
	record := cborMap(with(recordPairs(), "message", cborMap(with(messagePairs(), "attachments", lie))))
	manifest := cborMap(with(manifestPairs(t), "chunks", lie))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, _, err := proofs.ParseRecord(record); err == nil {
			t.Fatal("record accepted")
		}
		if _, err := proofs.ParseManifest(manifest); err == nil {
			t.Fatal("manifest accepted")
		}
		if _, err := proofs.ParseChunk(lie); err == nil {
			t.Fatal("chunk accepted")
		}
	}
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) / 100; took > 64<<10 {
		t.Errorf("refusing takes %d bytes", took)
	}
}

func newRand(t testing.TB) *rand.Rand {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// nodes builds values for go-ipld-prime.
func uintNode(v uint64) qp.Assemble      { return qp.Node(basicnode.NewUint(v)) }
func hashNode(h proofs.Hash) qp.Assemble { return qp.Bytes(h[:]) }

func linkNode(t testing.TB, digest proofs.Hash) qp.Assemble {
	c, err := cid.Decode(proofs.FormatCID(digest))
	if err != nil {
		t.Fatal(err)
	}
	return qp.Link(cidlink.Link{Cid: c})
}

// encodeNode encodes with go-ipld-prime, and checks that ours survives being decoded and encoded by it.
func encodeNode(t testing.TB, build qp.Assemble, ours []byte) []byte {
	t.Helper()
	nb := basicnode.Prototype.Any.NewBuilder()
	build(nb)
	want, err := ipld.Encode(nb.Build(), dagcbor.Encode)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := ipld.Decode(ours, dagcbor.Decode)
	if err != nil {
		t.Fatalf("go-ipld-prime refuses %.100x: %v", ours, err)
	}
	if again, err := ipld.Encode(decoded, dagcbor.Encode); err != nil || !bytes.Equal(again, ours) {
		t.Fatalf("go-ipld-prime reads and writes %.100x as %.100x, %v", ours, again, err)
	}
	return want
}
