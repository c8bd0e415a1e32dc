package export

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	carstorage "github.com/ipld/go-car/v2/storage"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrBad is wrapped when a file is not what Write could have written.
var ErrBad = errors.New("the CAR file is not to be used")

const (
	maxHead    = 1 << 10                 // with one root it has 59 bytes
	maxSection = proofs.MaxManifest + 64 // with the CID
	// maxBlocks bounds the index in memory, up to 112 bytes each: 64 GiB of full chunks, or 131,072 small batches.
	maxBlocks = 1 << 18
	maxRooms  = 1 << 16 // that are told apart
	// DefaultMaxBytes is how long a file may be unless more is allowed.
	DefaultMaxBytes = 16 << 30
)

// Limits say how much is read.
type Limits struct {
	MaxBytes int64 // 0: DefaultMaxBytes
	// Chain is the log that the file must be of; nil: any. A file of one batch does not say which chain it is of, and
	// message ids are checked only where that is known.
	Chain *proofs.Chain
}

// Batch is a batch of a file. All of it was checked.
type Batch struct {
	Number, First, Size uint64
	Root, CID           proofs.Hash
	Prev                *proofs.Hash // CID of the batch before it; nil for batch 0
	Listed              bool         // the root asks for it; otherwise it is there since others link it
	Linked              bool         // the batch before it is in the file, or there is none
	Disclosed           uint64       // entries with their message
}

// Room is a room of a file.
type Room struct {
	Tag       proofs.Hash
	Name      proofs.Room // empty: no message of it is disclosed
	Entries   uint64
	Disclosed uint64
}

// File is a CAR file that was checked. Its batches are in order.
type File struct {
	Log                proofs.Hash
	Chain              *proofs.Chain  // nil: not known
	Export             *proofs.Export // nil: the root is a batch
	Batches            []Batch
	Rooms              []Room // the first 65,536, by tag
	MoreRooms          bool
	Entries, Disclosed uint64
	From, To           uint64 // ms since 1970 UTC: the earliest and the latest receivedAt
	Blocks             int
	Bytes              int64

	file  *os.File
	index map[proofs.Hash]place
}

type place struct {
	offset int64
	size   int32
	used   bool
}

// Check opens a CAR file and reads all of it, blocks at their place twice. Memory is up to 112 bytes a block, some
// 150 a batch and 64 an entry of the largest. The error wraps ErrBad if the file is read and is not what Write writes.
func Check(ctx context.Context, path string, l Limits) (_ *File, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("check CAR file: %w", err)
	}
	f := &File{file: file, index: map[proofs.Hash]place{}, Chain: l.Chain}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("check %s: %w", path, err), file.Close())
		}
	}()
	root, err := f.scan(ctx, cmp.Or(l.MaxBytes, DefaultMaxBytes))
	if err != nil {
		return nil, err
	}
	if err := f.walk(ctx, root); err != nil {
		return nil, err
	}
	for digest, at := range f.index {
		if !at.used {
			return nil, bad("block %s belongs to none of its batches", proofs.FormatCID(digest))
		}
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrBad}, args...)...)
}

// counter counts what was read.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// scan reads and hashes every block once, and remembers where each lies.
func (f *File) scan(ctx context.Context, maxBytes int64) (root proofs.Hash, err error) {
	info, err := f.file.Stat()
	if err != nil {
		return root, err
	}
	if f.Bytes = info.Size(); f.Bytes > maxBytes {
		return root, bad("it has %d bytes, and %d are allowed: --max-bytes allows more", f.Bytes, maxBytes)
	}
	in := &counter{r: bufio.NewReaderSize(f.file, 256<<10)}
	r, err := car.NewBlockReader(in, car.MaxAllowedHeaderSize(maxHead), car.MaxAllowedSectionSize(maxSection))
	if err != nil {
		return root, bad("its header: %v", err)
	}
	if r.Version != 1 || len(r.Roots) != 1 {
		return root, bad("it is version %d with %d roots, and version 1 with one root is wanted", r.Version, len(r.Roots))
	}
	if root, err = digestOf(r.Roots[0]); err != nil {
		return root, bad("its root %s: %v", r.Roots[0], err)
	}
	if err := f.checkHeader(r.Roots, in.n); err != nil {
		return root, err
	}
	for ctx.Err() == nil {
		b, err := r.Next()
		if errors.Is(err, io.EOF) && in.n == f.Bytes {
			return root, nil
		}
		if err != nil {
			return root, bad("after %d blocks, at byte %d of %d: %v", len(f.index), in.n, f.Bytes, err)
		}
		digest, err := digestOf(b.Cid())
		if err != nil {
			return root, bad("block %s: %v", b.Cid(), err)
		}
		if _, twice := f.index[digest]; twice {
			return root, bad("block %s is there twice", b.Cid())
		}
		if f.Blocks++; f.Blocks > maxBlocks {
			return root, bad("it has more than %d blocks", maxBlocks)
		}
		size := len(b.RawData())
		f.index[digest] = place{in.n - int64(size), int32(size), false}
	}
	return root, ctx.Err()
}

// checkHeader returns an error unless the header of that length is the one encoding of its root: go-car reads others, too.
func (f *File) checkHeader(roots []cid.Cid, length int64) error {
	var want bytes.Buffer
	if _, err := carstorage.NewWritable(&want, roots, car.WriteAsCarV1(true)); err != nil {
		return err
	}
	got := make([]byte, length)
	if _, err := f.file.ReadAt(got, 0); err != nil {
		return err
	}
	if !bytes.Equal(got, want.Bytes()) {
		return bad("its header is not canonical dag-cbor")
	}
	return nil
}

// Block returns a block of the file. The error wraps proofs.ErrNotFound if the file does not hold it.
func (f *File) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	at, ok := f.index[digest]
	if !ok {
		return nil, fmt.Errorf("block %s: %w", proofs.FormatCID(digest), proofs.ErrNotFound)
	}
	b := make([]byte, at.size)
	if _, err := f.file.ReadAt(b, at.offset); err != nil {
		return nil, err
	}
	if proofs.BlockDigest(b) != digest {
		return nil, bad("block %s changed while it was read", proofs.FormatCID(digest))
	}
	return b, nil
}

// use returns a block, and knows from then on that it belongs to the file.
func (f *File) use(digest proofs.Hash) ([]byte, error) {
	b, err := f.Block(context.Background(), digest)
	if errors.Is(err, proofs.ErrNotFound) {
		return nil, bad("block %s is missing", proofs.FormatCID(digest))
	}
	if err != nil {
		return nil, err
	}
	at := f.index[digest]
	at.used = true
	f.index[digest] = at
	return b, nil
}

// walk checks everything from the root on.
func (f *File) walk(ctx context.Context, root proofs.Hash) error {
	b, err := f.use(root)
	if err != nil {
		return err
	}
	listed := []proofs.Hash{root}
	if _, notBatch := proofs.ParseManifest(b); notBatch != nil {
		if f.Export, err = proofs.ParseExport(b); err != nil {
			return bad("its root is neither a batch (%v) nor an export (%v)", notBatch, err)
		}
		if f.Chain != nil && *f.Chain != f.Export.Chain {
			return bad("it is of log %s on chain %d, and log %s on chain %d is wanted", f.Export.Chain.Log, f.Export.Chain.ChainID, f.Chain.Log, f.Chain.ChainID)
		}
		f.Chain, listed = &f.Export.Chain, f.Export.Batches
	}
	if err := f.gather(ctx, listed); err != nil {
		return err
	}
	rooms := map[proofs.Hash]*Room{}
	for i := range f.Batches {
		b := &f.Batches[i]
		if b.Prev != nil {
			here := i > 0 && f.Batches[i-1].Number == b.Number-1
			if b.Linked != here || here && (*b.Prev != f.Batches[i-1].CID || b.First != f.Batches[i-1].First+f.Batches[i-1].Size) {
				return bad("batch %d does not follow the batch before it", b.Number)
			}
		}
		if err := f.batch(ctx, b, rooms); err != nil {
			return fmt.Errorf("batch %d: %w", b.Number, err)
		}
	}
	for _, r := range rooms {
		f.Rooms = append(f.Rooms, *r)
	}
	slices.SortFunc(f.Rooms, func(a, b Room) int { return bytes.Compare(a.Tag[:], b.Tag[:]) })
	return nil
}

// gather reads the manifests that are listed, and those before them that are in the file.
func (f *File) gather(ctx context.Context, listed []proofs.Hash) error {
	seen := map[proofs.Hash]bool{}
	last := int64(-1)
	for _, digest := range listed {
		if seen[digest] {
			return bad("batch %s is listed twice, or before an earlier one", proofs.FormatCID(digest))
		}
		for at := &digest; at != nil && !seen[*at]; {
			if _, here := f.index[*at]; !here && *at != digest {
				break
			}
			b, err := f.manifest(*at, *at == digest)
			if err != nil {
				return err
			}
			if b.Listed && int64(b.Number) <= last {
				return bad("batch %d is listed after batch %d, or before an earlier one", b.Number, last)
			}
			if b.Listed {
				last = int64(b.Number)
			}
			seen[*at] = true
			f.Batches = append(f.Batches, b)
			if at = b.Prev; ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	slices.SortFunc(f.Batches, func(a, b Batch) int { return cmp.Compare(a.Number, b.Number) })
	for i := range f.Batches[1:] {
		if f.Batches[i].Number == f.Batches[i+1].Number {
			return bad("batch %d is there twice, otherwise each time", f.Batches[i].Number)
		}
	}
	return nil
}

func (f *File) manifest(digest proofs.Hash, listed bool) (b Batch, err error) {
	raw, err := f.use(digest)
	if err != nil {
		return b, err
	}
	m, err := proofs.ParseManifest(raw) // a mebibyte of rooms and chunks, which is not kept
	if err != nil {
		return b, bad("block %s: %v", proofs.FormatCID(digest), err)
	}
	if f.Log.IsZero() {
		f.Log = m.Log
	}
	b = Batch{Number: m.Number, First: m.First, Size: m.Size, Root: m.Root, CID: digest, Prev: m.Prev, Listed: listed, Linked: m.Prev == nil}
	if m.Prev != nil {
		_, b.Linked = f.index[*m.Prev]
	}
	switch {
	case m.Log != f.Log, f.Chain != nil && m.Log != f.Chain.Log:
		return b, bad("batch %d is of another log, %s", m.Number, m.Log)
	case m.Number > proofs.MaxBatch, (m.Number == 0) != (m.Prev == nil), m.Number == 0 && m.First != 0:
		return b, bad("batch %d begins at %d, and its link to the one before it does not fit", m.Number, m.First)
	case m.Size == 0 || m.Size > 1<<32-1:
		return b, bad("batch %d has %d entries", m.Number, m.Size)
	}
	return b, nil
}

// BlocksOf calls do with the blocks of a batch of the file, its manifest last.
func (f *File) BlocksOf(ctx context.Context, b *Batch, do func(block []byte) error) error {
	m, err := f.readManifest(ctx, b)
	if err != nil {
		return err
	}
	for _, digest := range append(m.Chunks, b.CID) {
		block, err := f.Block(ctx, digest)
		if err == nil {
			err = do(block)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *File) readManifest(ctx context.Context, b *Batch) (*proofs.Manifest, error) {
	raw, err := f.Block(ctx, b.CID)
	if err != nil {
		return nil, err
	}
	return proofs.ParseManifest(raw)
}

// batch reads the chunks of a batch and re-derives its root and its rooms.
func (f *File) batch(ctx context.Context, b *Batch, rooms map[proofs.Hash]*Room) error {
	m, err := f.readManifest(ctx, b)
	if err != nil {
		return err
	}
	var leaves []proofs.Hash
	heads := map[proofs.Hash]proofs.RoomHead{}
	found := f.Export == nil || !b.Listed
	for _, digest := range m.Chunks {
		raw, err := f.use(digest)
		if err != nil {
			return err
		}
		records, err := proofs.ParseChunk(raw)
		if err != nil || len(records) == 0 || uint64(len(leaves)+len(records)) > b.Size {
			return bad("chunk %s has %d entries after %d of %d: %v", proofs.FormatCID(digest), len(records), len(leaves), b.Size, err)
		}
		for i := range records {
			r := &records[i]
			if err := f.record(r, b.First+uint64(len(leaves))); err != nil {
				return bad("entry %d: %v", b.First+uint64(len(leaves)), err)
			}
			leaf := r.Entry.Leaf()
			if err := follow(heads, &r.Entry, leaf); err != nil {
				return err
			}
			leaves = append(leaves, leaf)
			found = found || f.Export.Takes(&r.Entry)
			f.count(r, b, rooms)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if uint64(len(leaves)) != b.Size {
		return bad("its chunks hold %d entries of %d", len(leaves), b.Size)
	}
	if root, err := proofs.Root(leaves); err != nil || root != b.Root {
		return bad("its entries do not give its root %s", b.Root)
	}
	for _, h := range m.Heads {
		if heads[h.Room] != h {
			return bad("its manifest says of room %s what its entries do not", h.Room)
		}
	}
	switch {
	case len(m.Heads) != len(heads):
		return bad("its manifest names %d rooms, its entries %d", len(m.Heads), len(heads))
	case !found:
		return bad("it is listed, and holds nothing of what the file was made for")
	}
	return nil
}

// follow goes on to the entry in its room.
func follow(heads map[proofs.Hash]proofs.RoomHead, e *proofs.Entry, leaf proofs.Hash) error {
	h, ok := heads[e.Room]
	if !ok {
		h = proofs.RoomHead{Room: e.Room, First: e.RoomIndex}
	} else if e.RoomIndex != h.First+h.Count || e.RoomPrev != h.Head {
		return bad("entry %d does not follow its room's entry before it", e.Index)
	}
	h.Count, h.Head = h.Count+1, leaf
	heads[e.Room] = h
	return nil
}

// record returns an error unless message and evidence are the entry's, at that index.
func (f *File) record(r *proofs.Record, index uint64) error {
	e, m := &r.Entry, r.Message
	switch {
	case e.Log != f.Log:
		return errors.New("it is of another log")
	case e.Index != index:
		return fmt.Errorf("it says that it is %d", e.Index)
	case m == nil:
		return nil
	case m.Room.Tag() != e.Room, m.Author.Commit(m.Salt) != e.Author,
		f.Chain != nil && f.Chain.MessageDomain().MessageID(m) != e.Message:
		return errors.New("its message is another's")
	case r.Evidence.Hash() != e.Evidence:
		return errors.New("its evidence is another's")
	}
	return nil
}

// count adds an entry to what the file is said to hold.
func (f *File) count(r *proofs.Record, b *Batch, rooms map[proofs.Hash]*Room) {
	at := r.Entry.ReceivedAt
	if f.Entries == 0 {
		f.From, f.To = at, at
	}
	f.From, f.To, f.Entries = min(f.From, at), max(f.To, at), f.Entries+1
	room := rooms[r.Entry.Room]
	switch {
	case room == nil && len(rooms) == maxRooms:
		f.MoreRooms = true
		room = &Room{}
	case room == nil:
		room = &Room{Tag: r.Entry.Room}
		rooms[r.Entry.Room] = room
	}
	room.Entries++
	if r.Message == nil {
		return
	}
	room.Name = r.Message.Room
	room.Disclosed++
	b.Disclosed++
	f.Disclosed++
}
