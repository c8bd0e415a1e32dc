package proofs

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
)

// Sizes of blocks on IPFS, in bytes.
const (
	MaxChunk    = 256 << 10 // unless a single record is larger
	MaxManifest = 1 << 20   // what every IPFS implementation moves
	MaxRooms    = 4_096     // rooms of a batch: their heads take less than half of MaxManifest
)

// Record is an entry with what it stands for, as it is kept and pinned.
type Record struct {
	Entry    Entry
	Message  *Message // nil where the payload is private or was erased
	Evidence Evidence // Bytes is nil where Message is
}

// RoomHead is what a batch says of one of its rooms.
type RoomHead struct {
	Room  Hash   // tag
	First uint64 // room index of its first entry in the batch
	Count uint64 // of its entries in the batch
	Head  Hash   // its last leaf
}

// LeafData returns the 128 bytes that the head's leaf in the room index hashes.
func (h RoomHead) LeafData() []byte {
	var w words
	return w.hash(h.Room).uint(h.First).uint(h.Count).hash(h.Head).b
}

// RoomRoot returns the root of the room index over heads, which are sorted by room tag.
func RoomRoot(heads []RoomHead) (Hash, error) {
	leaves := make([]Hash, len(heads))
	for i, h := range heads {
		if i > 0 && bytes.Compare(heads[i-1].Room[:], h.Room[:]) >= 0 {
			return Hash{}, errors.New("room index: heads are not sorted by room tag")
		}
		leaves[i] = HashLeaf(h.LeafData())
	}
	return Root(leaves)
}

// RoomHeads returns the heads of entries in index order, sorted by room tag.
func RoomHeads(entries []Entry, leaves []Hash) []RoomHead {
	byRoom := map[Hash]*RoomHead{}
	var heads []RoomHead
	for i, e := range entries {
		h := byRoom[e.Room]
		if h == nil {
			h = &RoomHead{Room: e.Room, First: e.RoomIndex}
			byRoom[e.Room] = h
		}
		h.Count++
		h.Head = leaves[i]
	}
	for _, h := range byRoom {
		heads = append(heads, *h)
	}
	slices.SortFunc(heads, func(a, b RoomHead) int { return bytes.Compare(a.Room[:], b.Room[:]) })
	return heads
}

// Manifest is a batch on IPFS. Its CID is what the chain commits to.
type Manifest struct {
	Log, Root           Hash
	Number, First, Size uint64
	Prev                *Hash  // digest of the previous batch's manifest, nil for batch 0
	OpenedAt, SealedAt  uint64 // ms since 1970 UTC, the operator's clock
	NotBefore           Hash   // newest block that the operator knew when the batch was opened; zero: none
	Heads               []RoomHead
	Chunks              []Hash // digests of the chunks' CIDs
}

type manifestRooms struct {
	root  Hash
	heads []RoomHead
}

var (
	messageSchema = newSchema(
		hashField("log", func(m *Message) *Hash { return &m.Log }),
		textField("room", func(m *Message) *Room { return &m.Room }),
		textField("author", func(m *Message) *Author { return &m.Author }),
		intField("sentAt", func(m *Message) *uint64 { return &m.SentAt }),
		textField("kind", func(m *Message) *string { return &m.Kind }),
		textField("body", func(m *Message) *string { return &m.Body }),
		cborField[Message]{"attachments", writeAttachments, readAttachments},
		textField("source", func(m *Message) *string { return &m.Source }),
		hashField("replyTo", func(m *Message) *Hash { return &m.ReplyTo }),
		hashField("replaces", func(m *Message) *Hash { return &m.Replaces }),
		hashField("seen", func(m *Message) *Hash { return &m.Seen }),
		hashField("notBefore", func(m *Message) *Hash { return &m.NotBefore }),
		hashField("salt", func(m *Message) *Hash { return &m.Salt }),
	)
	recordSchema = newSchema(
		cborField[Record]{"leaf",
			func(w *cborWriter, v *Record) { w.bytes(v.Entry.LeafData()) },
			readLeaf},
		cborField[Record]{"message", writeMessage, readRecordMessage},
		textField("scheme", func(v *Record) *string { return &v.Evidence.Scheme }),
		cborField[Record]{"evidence", writeEvidence, readEvidence},
	)
	headSchema = newSchema(
		hashField("room", func(h *RoomHead) *Hash { return &h.Room }),
		intField("first", func(h *RoomHead) *uint64 { return &h.First }),
		intField("count", func(h *RoomHead) *uint64 { return &h.Count }),
		hashField("head", func(h *RoomHead) *Hash { return &h.Head }),
	)
	roomsSchema = newSchema(
		hashField("root", func(x *manifestRooms) *Hash { return &x.root }),
		cborField[manifestRooms]{"heads", writeHeads, readHeads},
	)
	manifestSchema = newSchema(
		cborField[Manifest]{"v",
			func(w *cborWriter, _ *Manifest) { w.head(cborUint, 1) },
			func(r *cborReader, _ *Manifest) {
				if r.uint() != 1 {
					r.fail()
				}
			}},
		hashField("log", func(m *Manifest) *Hash { return &m.Log }),
		intField("number", func(m *Manifest) *uint64 { return &m.Number }),
		intField("first", func(m *Manifest) *uint64 { return &m.First }),
		intField("size", func(m *Manifest) *uint64 { return &m.Size }),
		hashField("root", func(m *Manifest) *Hash { return &m.Root }),
		cborField[Manifest]{"prev", writePrev, readPrev},
		intField("openedAt", func(m *Manifest) *uint64 { return &m.OpenedAt }),
		intField("sealedAt", func(m *Manifest) *uint64 { return &m.SealedAt }),
		hashField("notBefore", func(m *Manifest) *Hash { return &m.NotBefore }),
		cborField[Manifest]{"rooms", writeRooms, readRooms},
		cborField[Manifest]{"chunks", writeChunks, readChunks},
	)
)

func writeAttachments(w *cborWriter, m *Message) {
	w.head(cborArray, uint64(len(m.Attachments)))
	for _, a := range m.Attachments {
		w.text(a)
	}
}

func readAttachments(r *cborReader, m *Message) {
	for range r.array() {
		a := r.text()
		if r.err != nil {
			return
		}
		m.Attachments = append(m.Attachments, a)
	}
}

func readLeaf(r *cborReader, v *Record) {
	e, err := ParseLeafData(r.take(r.head(cborBytes)))
	if err != nil {
		r.fail()
	}
	v.Entry = e
}

func writeMessage(w *cborWriter, v *Record) {
	if v.Message == nil {
		w.null()
		return
	}
	messageSchema.write(w, v.Message)
}

func readRecordMessage(r *cborReader, v *Record) {
	if r.null() {
		return
	}
	v.Message = &Message{}
	messageSchema.read(r, v.Message)
}

func writeEvidence(w *cborWriter, v *Record) {
	if v.Message == nil {
		w.null()
		return
	}
	w.bytes(v.Evidence.Bytes)
}

func readEvidence(r *cborReader, v *Record) {
	if !r.null() {
		v.Evidence.Bytes = r.bytes()
	}
}

func writeHeads(w *cborWriter, x *manifestRooms) {
	w.head(cborArray, uint64(len(x.heads)))
	for i := range x.heads {
		headSchema.write(w, &x.heads[i])
	}
}

func readHeads(r *cborReader, x *manifestRooms) {
	n := r.array()
	for range n {
		var h RoomHead
		if headSchema.read(r, &h); r.err != nil {
			return
		}
		x.heads = append(x.heads, h)
	}
}

func writePrev(w *cborWriter, m *Manifest) {
	if m.Prev == nil {
		w.null()
		return
	}
	w.link(*m.Prev)
}

func readPrev(r *cborReader, m *Manifest) {
	if !r.null() {
		digest := r.link()
		m.Prev = &digest
	}
}

// writeRooms panics on unsorted heads: they come from RoomHeads or from ParseManifest.
func writeRooms(w *cborWriter, m *Manifest) {
	root, err := RoomRoot(m.Heads)
	if err != nil {
		panic("proofs: " + err.Error())
	}
	roomsSchema.write(w, &manifestRooms{root, m.Heads})
}

func readRooms(r *cborReader, m *Manifest) {
	var x manifestRooms
	if roomsSchema.read(r, &x); r.err != nil {
		return
	}
	if root, err := RoomRoot(x.heads); err != nil || root != x.root {
		r.fail()
	}
	m.Heads = x.heads
}

func writeChunks(w *cborWriter, m *Manifest) {
	w.head(cborArray, uint64(len(m.Chunks)))
	for _, c := range m.Chunks {
		w.link(c)
	}
}

func readChunks(r *cborReader, m *Manifest) {
	for range r.array() {
		c := r.link()
		if r.err != nil {
			return
		}
		m.Chunks = append(m.Chunks, c)
	}
}

// Format returns the manifest as a dag-cbor block.
func (m *Manifest) Format() []byte {
	var w cborWriter
	manifestSchema.write(&w, m)
	return w.b
}

// ParseManifest reads what Format returns, and nothing else. The room index is checked against its
// own root; whether the manifest is the anchored one is for the caller to compare.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("manifest: %d bytes are over the limit of %d", len(b), MaxManifest)
	}
	r, m := cborReader{b: b}, &Manifest{}
	if manifestSchema.read(&r, m); r.err != nil || len(r.b) != 0 {
		return nil, fmt.Errorf("manifest: %w", errCBOR)
	}
	return m, nil
}

// AppendRecord appends the record as it stands in a chunk and in the store.
func AppendRecord(b []byte, rec *Record) []byte {
	w := cborWriter{b}
	recordSchema.write(&w, rec)
	return w.b
}

// ParseRecord reads one record and returns what follows it.
func ParseRecord(b []byte) (rec Record, rest []byte, err error) {
	r := cborReader{b: b}
	recordSchema.read(&r, &rec)
	if r.err != nil || (rec.Message == nil) != (rec.Evidence.Bytes == nil) {
		return Record{}, nil, fmt.Errorf("record: %w", errCBOR)
	}
	return rec, r.b, nil
}

// FormatChunk returns the chunk of records that AppendRecord encoded.
func FormatChunk(records [][]byte) []byte {
	size := 9
	for _, r := range records {
		size += len(r)
	}
	w := cborWriter{make([]byte, 0, size)}
	w.head(cborArray, uint64(len(records)))
	for _, r := range records {
		w.b = append(w.b, r...)
	}
	return w.b
}

// ParseChunk reads what FormatChunk returns.
func ParseChunk(b []byte) ([]Record, error) {
	r := cborReader{b: b}
	n := r.array()
	if r.err != nil {
		return nil, fmt.Errorf("chunk: %w", r.err)
	}
	var records []Record
	rest := r.b
	for range n {
		rec, after, err := ParseRecord(rest)
		if err != nil {
			return nil, fmt.Errorf("chunk: %w", err)
		}
		records, rest = append(records, rec), after
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("chunk: %w", errCBOR)
	}
	return records, nil
}

// Chunker packs encoded records into chunks of at most MaxChunk bytes, in order and greedily.
type Chunker struct {
	records [][]byte
	size    int
}

// chunkHead returns the length of the head of an array of n records: fewer than 2^16 fit a chunk.
func chunkHead(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	}
	return 3
}

// Add takes the next record and returns the chunk that it did not fit into any more, or nil.
func (c *Chunker) Add(record []byte) (full []byte) {
	if len(c.records) > 0 && chunkHead(len(c.records)+1)+c.size+len(record) > MaxChunk {
		full = c.Rest()
	}
	c.records = append(c.records, record)
	c.size += len(record)
	return full
}

// Rest returns the last chunk, or nil if there is none.
func (c *Chunker) Rest() []byte {
	if len(c.records) == 0 {
		return nil
	}
	chunk := FormatChunk(c.records)
	c.records, c.size = nil, 0
	return chunk
}

// BlockDigest returns the SHA-256 inside the CID of a dag-cbor block.
func BlockDigest(block []byte) Hash { return sha256.Sum256(block) }
