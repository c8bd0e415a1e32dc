// Package export puts batches of a log into one CAR file, and checks such a file.
//
// A file is CARv1, as docs/export.md has it: it holds whole batches, each a manifest and its chunks (docs/receipt-v1.md,
// section 7), because only a whole batch gives its root again. Its one root is the manifest where one batch was wanted, and
// otherwise a block that says what was wanted and links the manifests, see proofs.Export. Blocks come in the order in which
// a reader meets them: root, and for each batch its manifest and its chunks.
//
// Check reads a file that anybody made. It believes nothing: every block is hashed, every leaf, every root, and nothing
// may be in the file that does not belong there. Whether the batches are the log's is what the chain says, by their CIDs.
package export

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	carstorage "github.com/ipld/go-car/v2/storage"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

// Source is where batches and their blocks come from.
type Source interface {
	// Batches returns at most limit batches from number on, in order. Batch, OpenedAt and SealedAt of each are looked at.
	Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error)
	// Block returns the dag-cbor block with that SHA-256 digest.
	Block(ctx context.Context, digest proofs.Hash) ([]byte, error)
}

// Want is what to export: one batch, or the batches with entries of a room, of a time, or of both.
type Want struct {
	Batch  *uint64       // that batch; nil: those with entries of what follows
	Export proofs.Export // its Batches are filled
	// Before takes all earlier batches, too, so that every link in the file leads to a block in it.
	Before bool
}

// Written is what was written.
type Written struct {
	Root     proofs.Hash // digest of the file's root
	Batches  []uint64    // numbers of those that are linked by the root, in order
	All      int         // batches in the file
	Entries  uint64      // in them
	Unpinned uint64      // entries of batches that are not pinned yet are not looked at: they begin here
}

// clockSlack is how far a clock may have been set back inside a batch: entries are looked for in batches whose times are so
// near to what is wanted.
const clockSlack = 3_600_000

// Write writes a CAR file. The error wraps proofs.ErrNotFound if no batch is what is wanted.
func Write(ctx context.Context, src Source, want Want, out io.Writer) (*Written, error) {
	w := &exporter{src: src, want: want}
	if err := w.choose(ctx); err != nil {
		return nil, fmt.Errorf("choose batches: %w", err)
	}
	if err := w.write(ctx, out); err != nil {
		return nil, fmt.Errorf("write CAR file: %w", err)
	}
	return &w.done, nil
}

type exporter struct {
	src    Source
	want   Want
	all    []proofs.Sealed // that go into the file
	listed []proofs.Sealed
	root   []byte // nil: the manifest of the one batch
	done   Written
}

// choose looks through the batches.
func (w *exporter) choose(ctx context.Context) error {
	const page = 500
	for from := uint64(0); ; from += page {
		batches, err := w.src.Batches(ctx, from, page)
		if err != nil {
			return err
		}
		for _, s := range batches {
			if s.CID.IsZero() {
				return w.chosen(s.First)
			}
			takes, err := w.takes(ctx, &s)
			if err != nil {
				return fmt.Errorf("batch %d: %w", s.Number, err)
			}
			if takes {
				w.listed = append(w.listed, s)
			}
			if takes || w.want.Before {
				w.all = append(w.all, s)
			}
			w.done.Unpinned = s.First + s.Size
		}
		if len(batches) < page {
			return w.chosen(w.done.Unpinned)
		}
	}
}

// chosen ends choosing. Entries from unpinned on stand in no batch that could be exported.
func (w *exporter) chosen(unpinned uint64) (err error) {
	if w.done.Unpinned = unpinned; len(w.listed) == 0 {
		return fmt.Errorf("no pinned batch holds what is wanted; entries from %d on are in none yet: %w", unpinned, proofs.ErrNotFound)
	}
	last := w.listed[len(w.listed)-1]
	w.all = slices.DeleteFunc(w.all, func(s proofs.Sealed) bool { return s.Number > last.Number })
	for _, s := range w.all {
		w.done.Entries += s.Size
	}
	w.done.All = len(w.all)
	for _, s := range w.listed {
		w.done.Batches = append(w.done.Batches, s.Number)
	}
	if w.want.Batch != nil {
		w.done.Root = last.CID
		return nil
	}
	x := w.want.Export
	for _, s := range w.listed {
		x.Batches = append(x.Batches, s.CID)
	}
	w.root, err = x.Format()
	w.done.Root = proofs.BlockDigest(w.root)
	return err
}

// takes reports whether the batch is what is wanted.
func (w *exporter) takes(ctx context.Context, s *proofs.Sealed) (bool, error) {
	if w.want.Batch != nil {
		return s.Number == *w.want.Batch, nil
	}
	x := &w.want.Export
	if s.SealedAt+clockSlack < x.From || x.To > 0 && s.OpenedAt > x.To+clockSlack {
		return false, nil
	}
	m, _, err := w.manifest(ctx, s)
	if err != nil {
		return false, err
	}
	if x.Room != "" && !slices.ContainsFunc(m.Heads, func(h proofs.RoomHead) bool { return h.Room == x.Room.Tag() }) {
		return false, nil
	}
	if x.From == 0 && x.To == 0 {
		return true, nil
	}
	for _, digest := range m.Chunks {
		b, err := w.block(ctx, digest)
		if err != nil {
			return false, err
		}
		records, err := proofs.ParseChunk(b)
		if err != nil {
			return false, err
		}
		for i := range records {
			if x.Takes(&records[i].Entry) {
				return true, nil
			}
		}
	}
	return false, nil
}

func (w *exporter) manifest(ctx context.Context, s *proofs.Sealed) (*proofs.Manifest, []byte, error) {
	b, err := w.block(ctx, s.CID)
	if err != nil {
		return nil, nil, err
	}
	m, err := proofs.ParseManifest(b)
	return m, b, err
}

// block reads a block and hashes it.
func (w *exporter) block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	b, err := w.src.Block(ctx, digest)
	if err == nil && proofs.BlockDigest(b) != digest {
		err = fmt.Errorf("block %s: its source gave other bytes", proofs.FormatCID(digest))
	}
	return b, err
}

func (w *exporter) write(ctx context.Context, out io.Writer) error {
	c, err := carstorage.NewWritable(out, []cid.Cid{cidOf(w.done.Root)}, car.WriteAsCarV1(true))
	if err != nil {
		return err
	}
	put := func(b []byte) error { return c.Put(ctx, cidOf(proofs.BlockDigest(b)).KeyString(), b) }
	if w.root != nil {
		if err := put(w.root); err != nil {
			return err
		}
	}
	if w.root == nil { // the root comes first, whatever is before it in the log
		slices.Reverse(w.all)
	}
	for i := range w.all {
		if err := w.batch(ctx, &w.all[i], put); err != nil {
			return fmt.Errorf("batch %d: %w", w.all[i].Number, err)
		}
	}
	return nil
}

func (w *exporter) batch(ctx context.Context, s *proofs.Sealed, put func([]byte) error) error {
	m, b, err := w.manifest(ctx, s)
	if err != nil {
		return err
	}
	if err := put(b); err != nil {
		return err
	}
	for _, digest := range m.Chunks {
		if b, err = w.block(ctx, digest); err == nil {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// cidOf returns the CID of a dag-cbor block.
func cidOf(digest proofs.Hash) cid.Cid {
	mh, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		panic(err)
	}
	return cid.NewCidV1(cid.DagCBOR, mh)
}

// digestOf returns the digest inside the CID of a dag-cbor block.
func digestOf(id cid.Cid) (proofs.Hash, error) {
	mh, err := multihash.Decode(id.Hash())
	if err != nil {
		return proofs.Hash{}, err
	}
	if mh.Code != multihash.SHA2_256 || len(mh.Digest) != len(proofs.Hash{}) || cidOf(proofs.Hash(mh.Digest)) != id {
		return proofs.Hash{}, errors.New("it is no dag-cbor block by SHA-256, CIDv1, of which batches consist")
	}
	return proofs.Hash(mh.Digest), nil
}
