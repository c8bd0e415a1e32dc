package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	carstorage "github.com/ipld/go-car/v2/storage"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, PromiseBond: proofs.Address{0xb0}, Log: proofs.Keccak([]byte("export tests"))}

const clock = 1_795_254_640_000

// log is a log in memory: batches and their blocks.
type log struct {
	t       testing.TB
	batches []proofs.Sealed
	blocks  map[proofs.Hash][]byte
	rooms   map[proofs.Hash]proofs.RoomTail
	next    uint64
	last    *proofs.Manifest
	change  func(*proofs.Manifest) // of the next batch, before it is stored
}

func newLog(t testing.TB) *log {
	return &log{t: t, blocks: map[proofs.Hash][]byte{}, rooms: map[proofs.Hash]proofs.RoomTail{}}
}

// newTestLog returns a log of four batches: the rooms a and b, a alone, b alone, and a of which every message is private.
// Entry i was received i seconds after clock.
func newTestLog(t testing.TB) *log {
	l := newLog(t)
	l.seal(200, 3000, "a", "b")
	l.seal(20, 100, "a")
	l.seal(20, 100, "b")
	l.seal(10, -1, "a")
	return l
}

func (l *log) put(b []byte) proofs.Hash {
	d := proofs.BlockDigest(b)
	l.blocks[d] = b
	return d
}

// seal adds a batch of n entries with bodies of that many bytes; below 0 they are private.
func (l *log) seal(n, body int, rooms ...proofs.Room) {
	l.t.Helper()
	m := &proofs.Manifest{Log: chain.Log, Number: uint64(len(l.batches)), First: l.next, Size: uint64(n), OpenedAt: clock + l.next*1000, SealedAt: clock + (l.next+uint64(n))*1000}
	if l.last != nil {
		m.Prev = &l.batches[len(l.batches)-1].CID
	}
	var chunker proofs.Chunker
	var entries []proofs.Entry
	var leaves []proofs.Hash
	add := func(chunk []byte) {
		if chunk != nil {
			m.Chunks = append(m.Chunks, l.put(chunk))
		}
	}
	for i := range n {
		r := l.record(rooms[i%len(rooms)], body)
		entries, leaves = append(entries, r.Entry), append(leaves, r.Entry.Leaf())
		add(chunker.Add(proofs.AppendRecord(nil, r)))
	}
	add(chunker.Rest())
	m.Heads = proofs.RoomHeads(entries, leaves)
	var err error
	if m.Root, err = proofs.Root(leaves); err != nil {
		l.t.Fatal(err)
	}
	if l.change != nil {
		l.change(m)
		l.change = nil
	}
	l.last = m
	l.batches = append(l.batches, proofs.Sealed{
		Batch: proofs.Batch{Number: m.Number, Root: m.Root, First: m.First, Size: m.Size, CID: l.put(m.Format())}, OpenedAt: m.OpenedAt, SealedAt: m.SealedAt,
	})
}

func (l *log) record(name proofs.Room, body int) *proofs.Record {
	m := &proofs.Message{
		Log: chain.Log, Room: name, Author: "zoom:Ada", SentAt: clock, Kind: "text/plain",
		Body: strings.Repeat("x", max(body, 0)), Salt: proofs.Keccak(fmt.Append(nil, l.next)),
	}
	ev := proofs.Evidence{Scheme: proofs.SchemeNone, Bytes: []byte{}}
	room := l.rooms[name.Tag()]
	e := proofs.Entry{
		Log: chain.Log, Index: l.next, Room: name.Tag(), RoomIndex: room.Count, RoomPrev: room.Head, Message: chain.MessageDomain().MessageID(m),
		Author: m.Author.Commit(m.Salt), Vouch: proofs.VouchNobody, Evidence: ev.Hash(), ReceivedAt: clock + l.next*1000,
	}
	l.rooms[name.Tag()] = proofs.RoomTail{Count: room.Count + 1, Head: e.Leaf()}
	l.next++
	if body < 0 {
		return &proofs.Record{Entry: e, Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}}
	}
	return &proofs.Record{Entry: e, Message: m, Evidence: ev}
}

func (l *log) Batches(_ context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	from := min(number, uint64(len(l.batches)))
	return l.batches[from:min(int(from)+limit, len(l.batches))], nil
}

func (l *log) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := l.blocks[digest]; ok {
		return b, nil
	}
	return nil, proofs.ErrNotFound
}

// write exports what is wanted and returns the file.
func (l *log) write(want Want) ([]byte, *Written) {
	l.t.Helper()
	var b bytes.Buffer
	w, err := Write(l.t.Context(), l, want, &b)
	if err != nil {
		l.t.Fatal(err)
	}
	return b.Bytes(), w
}

func save(t testing.TB, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.car")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func number(n uint64) *uint64 { return &n }

func about(room proofs.Room, from, to uint64) proofs.Export {
	x := proofs.Export{Chain: chain, Room: room}
	if from > 0 {
		x.From = clock + from*1000
	}
	if to > 0 {
		x.To = clock + to*1000
	}
	return x
}

// TestExport exports and checks what it exported.
func TestExport(t *testing.T) {
	l := newTestLog(t)
	for name, tc := range map[string]struct {
		want   Want
		listed []uint64
		all    []uint64
	}{
		"a batch":            {Want{Batch: number(1)}, []uint64{1}, []uint64{1}},
		"a batch and before": {Want{Batch: number(2), Before: true}, []uint64{2}, []uint64{0, 1, 2}},
		"a room":             {Want{Export: about("b", 0, 0)}, []uint64{0, 2}, []uint64{0, 2}},
		"a room and before":  {Want{Export: about("b", 0, 0), Before: true}, []uint64{0, 2}, []uint64{0, 1, 2}},
		"a time":             {Want{Export: about("", 199, 201)}, []uint64{0, 1}, []uint64{0, 1}},
		"a time in a room":   {Want{Export: about("b", 198, 500)}, []uint64{0, 2}, []uint64{0, 2}},
		"not the last of b":  {Want{Export: about("b", 200, 500)}, []uint64{2}, []uint64{2}},
		"from a time on":     {Want{Export: about("", 230, 0)}, []uint64{2, 3}, []uint64{2, 3}},
		"up to a time":       {Want{Export: about("", 0, 200)}, []uint64{0}, []uint64{0}},
	} {
		b, w := l.write(tc.want)
		f, err := Check(t.Context(), save(t, b), Limits{Chain: &chain})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var listed, all []uint64
		var entries uint64
		for _, b := range f.Batches {
			if all = append(all, b.Number); b.Listed {
				listed = append(listed, b.Number)
			}
			entries += b.Size
		}
		if diff := cmp.Diff([][]uint64{tc.listed, tc.listed, tc.all}, [][]uint64{listed, w.Batches, all}); diff != "" {
			t.Errorf("%s: batches (-want +got):\n%s", name, diff)
		}
		if entries != w.Entries || entries != f.Entries || w.All != len(all) || w.Unpinned != 250 || (f.Export == nil) != (tc.want.Batch != nil) {
			t.Errorf("%s: %d entries; %+v", name, entries, w)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
	f, err := Check(t.Context(), save(t, first(l.write(Want{Export: about("a", 0, 0)}))), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := []Room{{proofs.Room("a").Tag(), "a", 130, 120}, {proofs.Room("b").Tag(), "b", 100, 100}}
	slices.SortFunc(want, func(a, b Room) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	if diff := cmp.Diff(want, f.Rooms); diff != "" || f.Disclosed != 220 || f.From != clock || f.To != clock+249_000 || *f.Chain != chain {
		t.Errorf("rooms (-want +got):\n%s\n%d, %d to %d", diff, f.Disclosed, f.From, f.To)
	}
}

func first(b []byte, _ *Written) []byte { return b }

// TestNothing: what no batch holds is said, and a batch that is not pinned is not exported.
func TestNothing(t *testing.T) {
	l := newTestLog(t)
	l.batches[2].CID = proofs.Hash{}
	for name, want := range map[string]Want{
		"no such batch": {Batch: number(9)}, "not pinned": {Batch: number(2)}, "after it": {Batch: number(3)},
		"no such room": {Export: about("c", 0, 0)}, "no such time": {Export: about("", 220, 0)}, "long ago": {Export: proofs.Export{To: 5}},
	} {
		if _, err := Write(t.Context(), l, want, &bytes.Buffer{}); !errors.Is(err, proofs.ErrNotFound) || !strings.Contains(err.Error(), "entries from 220 on") {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(l.blocks, l.last.Chunks[0])
	l = newTestLog(t)
	l.blocks[l.last.Chunks[0]] = []byte("other bytes")
	if _, err := Write(t.Context(), l, Want{Batch: number(3)}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "its source gave other bytes") {
		t.Errorf("a source that lies: %v", err)
	}
}

// pack writes a CAR file of blocks, each under the CID of its own bytes or the one that is given.
func pack(t testing.TB, roots []cid.Cid, blocks ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := carstorage.NewWritable(&b, roots, car.WriteAsCarV1(true), car.AllowDuplicatePuts(true), car.StoreIdentityCIDs(true))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(blocks); i++ {
		id, given := blocks[i].(cid.Cid)
		if given {
			i++
		}
		block := blocks[i].([]byte)
		if !given {
			id = cidOf(proofs.BlockDigest(block))
		}
		if err := w.Put(t.Context(), id.KeyString(), block); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func sum(t testing.TB, codec, function uint64, b []byte) cid.Cid {
	t.Helper()
	mh, err := multihash.Sum(b, function, -1)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(codec, mh)
}

// blocksOf returns the blocks of a batch, its manifest first.
func (l *log) blocksOf(number int) (blocks []any) {
	l.t.Helper()
	raw := l.blocks[l.batches[number].CID]
	m, err := proofs.ParseManifest(raw)
	if err != nil {
		l.t.Fatal(err)
	}
	blocks = append(blocks, raw)
	for _, c := range slices.Compact(slices.Clone(m.Chunks)) {
		blocks = append(blocks, l.blocks[c])
	}
	return blocks
}

// sealed adds a batch that is changed before it is stored, and packs it.
func sealed(t testing.TB, change func(*proofs.Manifest)) []byte {
	l := newLog(t)
	l.change = change
	l.seal(10, 100, "a", "b")
	return pack(t, []cid.Cid{cidOf(l.batches[0].CID)}, l.blocksOf(0)...)
}

// TestCheckRefuses gives Check files that nobody should use.
func TestCheckRefuses(t *testing.T) {
	l := newTestLog(t)
	root := []cid.Cid{cidOf(l.batches[1].CID)}
	good, chunk := l.blocksOf(1), l.blocksOf(1)[1].([]byte)
	whole := pack(t, root, good...)
	if f, err := Check(t.Context(), save(t, whole), Limits{}); err != nil || f.Close() != nil {
		t.Fatal("the file without a fault:", err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-1] ^= 1
	exported := func(x proofs.Export, blocks ...any) []byte {
		b, err := x.Format()
		if err != nil {
			t.Fatal(err)
		}
		return pack(t, []cid.Cid{cidOf(proofs.BlockDigest(b))}, append([]any{b}, blocks...)...)
	}
	listing := func(x proofs.Export, batches ...proofs.Hash) proofs.Export { x.Batches = batches; return x }
	one, zero := l.batches[1].CID, l.batches[0].CID
	extra := sum(t, cid.DagCBOR, multihash.SHA2_256, []byte{0xf6})
	for name, tc := range map[string]struct {
		file []byte
		says string
	}{
		"nothing":                  {nil, "header"},
		"no CAR":                   {[]byte("a receipt?"), "header"},
		"a header as a bomb":       {append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, whole...), "header"},
		"a section as a bomb":      {append(bytes.Clone(whole), 0xff, 0xff, 0xff, 0xff, 0x0f), "beyond allowable maximum"},
		"a section of nothing":     {append(bytes.Clone(whole), 0), "after 2 blocks"},
		"two roots":                {pack(t, []cid.Cid{root[0], root[0]}, good...), "with 2 roots"},
		"a root that is raw":       {pack(t, []cid.Cid{sum(t, cid.Raw, multihash.SHA2_256, chunk)}, good...), "no dag-cbor block by SHA-256"},
		"a root that is not in it": {pack(t, []cid.Cid{cidOf(l.batches[0].CID)}, good...), "is missing"},
		"cut in a block":           {whole[:len(whole)-1], "unexpected EOF"},
		"cut between blocks":       {pack(t, root, good[0]), "is missing"},
		"a byte flipped":           {flipped, "mismatch in content integrity"},
		"a wrong hash":             {pack(t, root, good[0], cidOf(proofs.BlockDigest(chunk)), []byte("other bytes")), "mismatch in content integrity"},
		"an unknown codec":         {pack(t, root, append(good, sum(t, 0x9999, multihash.SHA2_256, chunk), chunk)...), "no dag-cbor block by SHA-256"},
		"an identity hash":         {pack(t, root, append(good, sum(t, cid.DagCBOR, multihash.IDENTITY, []byte{0xf6}), []byte{0xf6})...), "no dag-cbor block by SHA-256"},
		"a block twice":            {pack(t, root, append(good, chunk)...), "is there twice"},
		"a block of no batch":      {pack(t, root, append(good, extra, []byte{0xf6})...), "belongs to none of its batches"},
		"a root of no kind":        {pack(t, []cid.Cid{extra}, []byte{0xf6}), "neither a batch"},
		"another log":              {exported(listing(proofs.Export{Chain: proofs.Chain{Log: proofs.Hash{1}}, Room: "a"}, one), good...), "is of another log"},
		"listed twice":             {exported(listing(about("a", 0, 0), one, one), good...), "listed twice"},
		"not in order":             {exported(listing(about("a", 0, 0), one, zero), append(good, l.blocksOf(0)...)...), "or before an earlier one"},
		"of no such room":          {exported(listing(about("b", 0, 0), one), good...), "holds nothing of what"},
		"of no such time":          {exported(listing(about("", 500, 0), one), good...), "holds nothing of what"},
		"of nothing":               {exported(listing(proofs.Export{Chain: chain}, one), good...), "neither a room nor a time"},
		"no batch":                 {exported(about("a", 0, 0)), "lists no batch"},
		"another root":             {sealed(t, func(m *proofs.Manifest) { m.Root[0] ^= 1 }), "do not give its root"},
		"too large":                {sealed(t, func(m *proofs.Manifest) { m.Size++ }), "hold 10 entries of 11"},
		"too small":                {sealed(t, func(m *proofs.Manifest) { m.Size-- }), "10 entries after 0 of 9"},
		"a chunk again and again": {sealed(t, func(m *proofs.Manifest) {
			m.Size, m.Chunks = 1<<31, slices.Repeat(m.Chunks, 20_000)
		}), "it says that it is 0"},
		"other places":     {sealed(t, func(m *proofs.Manifest) { m.Number, m.First, m.Prev = 1, 7, &proofs.Hash{1} }), "entry 7: it says that it is 0"},
		"no link":          {sealed(t, func(m *proofs.Manifest) { m.Number = 1 }), "its link to the one before it does not fit"},
		"a room elsewhere": {sealed(t, func(m *proofs.Manifest) { m.Heads[0].First++ }), "says of room"},
		"a room too few":   {sealed(t, func(m *proofs.Manifest) { m.Heads = m.Heads[1:] }), "names 1 rooms, its entries 2"},
	} {
		_, err := Check(t.Context(), save(t, tc.file), Limits{})
		if !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: want %q, got %v", name, tc.says, err)
		}
	}
	skips := newLog(t)
	skips.seal(10, 100, "a")
	skips.change = func(m *proofs.Manifest) { m.Number = 2 }
	skips.seal(10, 100, "a")
	file := exported(listing(about("a", 0, 0), skips.batches[0].CID, skips.batches[1].CID), append(skips.blocksOf(0), skips.blocksOf(1)...)...)
	if _, err := Check(t.Context(), save(t, file), Limits{}); !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), "batch 2 does not follow") {
		t.Errorf("a batch that links the one before the one before it: %v", err)
	}
	other := chain
	other.ChainID++
	for name, limits := range map[string]Limits{"too long": {MaxBytes: int64(len(whole)) - 1}, "an id of another chain": {Chain: &other}} {
		if _, err := Check(t.Context(), save(t, whole), limits); !errors.Is(err, ErrBad) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Check(t.Context(), save(t, whole)+".none", Limits{}); errors.Is(err, ErrBad) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestFlips: no byte of a file changes unseen.
func TestFlips(t *testing.T) {
	l := newLog(t)
	l.seal(1, 10, "a")
	whole := first(l.write(Want{Batch: number(0)}))
	path := filepath.Join(t.TempDir(), "x.car")
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 1 << (at % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(t.Context(), path, Limits{}); !errors.Is(err, ErrBad) {
			t.Errorf("byte %d flipped: %v", at, err)
		}
		if err := os.WriteFile(path, whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Check(t.Context(), path, Limits{}); !errors.Is(err, ErrBad) {
			t.Errorf("cut to %d: %v", at, err)
		}
	}
}

// TestManyBlocks refuses a file of more small blocks than there could be.
func TestManyBlocks(t *testing.T) {
	var out bytes.Buffer
	w, err := carstorage.NewWritable(&out, []cid.Cid{cidOf(proofs.Hash{1})}, car.WriteAsCarV1(true), car.AllowDuplicatePuts(true))
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxBlocks + 1 {
		block := proofs.FormatChunk(nil)
		block = fmt.Append(block, i)
		if err := w.Put(t.Context(), cidOf(proofs.BlockDigest(block)).KeyString(), block); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Check(t.Context(), save(t, out.Bytes()), Limits{}); !errors.Is(err, ErrBad) || !strings.Contains(err.Error(), "more than 262144 blocks") {
		t.Errorf("many blocks: %v", err)
	}
}

// TestMemory: neither the payload of a file nor the rooms of its batches are kept while it is read.
func TestMemory(t *testing.T) {
	l := newLog(t)
	for range 8 {
		l.seal(200, 60_000, "a")
	}
	rooms := make([]proofs.Room, 4000)
	for i := range rooms {
		rooms[i] = proofs.Room(fmt.Sprintf("room/%d", i))
	}
	for range 20 {
		l.seal(4000, -1, rooms...)
	}
	b, _ := l.write(Want{Export: about("", 1, 0)})
	path, size := save(t, b), len(b)
	l, b = nil, nil
	ctx := &heapWatch{Context: t.Context()}
	start := heap()
	f, err := Check(ctx, path, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	grown := int64(ctx.most) - int64(start)
	t.Logf("%d bytes of heap, of a file of %d", grown, size)
	if grown > 5<<20 || size < 120<<20 || ctx.looks < 20 {
		t.Errorf("%d bytes of heap are in use for a file of %d, of %d looks", grown, size, ctx.looks)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// heapWatch is a context that looks at the heap every so often when it is asked whether it ended.
type heapWatch struct {
	context.Context
	asked, looks int
	most         uint64
}

func (h *heapWatch) Err() error {
	if h.asked++; h.asked%16 == 0 {
		h.most = max(h.most, heap())
		h.looks++
	}
	return h.Context.Err()
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
