package recovery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// ErrForged says that a block is what the chain commits to, and that what it holds cannot be the log's: no other source
// helps. Whoever anchored it did that.
var ErrForged = errors.New("what was anchored does not hold together")

// checker checks what blocks hold. It is safe for concurrent use.
type checker struct {
	chain   proofs.Chain
	domain  proofs.Domain
	promise time.Duration // 0: not known
}

// chunk is a checked chunk.
type chunk struct {
	block    []byte
	entries  []storage.Rebuilt
	withheld []uint64 // entries without their message
	late     []uint64 // entries whose batch missed the deadline that the promise gives
}

// manifest reads and checks the manifest of a batch. prev is the CID of the batch before it.
func (c *checker) manifest(ctx context.Context, from Blocks, b proofs.Batch, prev proofs.Hash) (block []byte, m *proofs.Manifest, err error) {
	if block, err = from.Block(ctx, b.CID); err != nil {
		return nil, nil, fmt.Errorf("manifest: %w", err)
	}
	if m, err = proofs.ParseManifest(block); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	linked := m.Prev == nil
	if b.Number > 0 {
		linked = m.Prev != nil && *m.Prev == prev
	}
	switch {
	case m.Log != c.chain.Log, m.Number != b.Number, m.First != b.First, m.Size != b.Size, m.Root != b.Root:
		return nil, nil, fmt.Errorf("%w: the manifest is of batch %d of log %s, %d entries from %d under %s", ErrForged, m.Number, m.Log, m.Size, m.First, m.Root)
	case !linked:
		return nil, nil, fmt.Errorf("%w: the manifest does not link the one before it", ErrForged)
	}
	return block, m, nil
}

// chunk reads and checks a chunk of a batch.
func (c *checker) chunk(ctx context.Context, from Blocks, digest proofs.Hash, b proofs.Batch) (*chunk, error) {
	block, err := from.Block(ctx, digest)
	if err != nil {
		return nil, err
	}
	records, err := proofs.ParseChunk(block)
	if err == nil && len(records) == 0 {
		err = errors.New("chunk: it is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	out := &chunk{block: block, entries: make([]storage.Rebuilt, len(records))}
	raw := make([]byte, 0, len(block))
	for i := range records {
		rec := &records[i]
		if err := c.record(rec); err != nil {
			return nil, fmt.Errorf("%w: entry %d: %w", ErrForged, rec.Entry.Index, err)
		}
		at := len(raw)
		raw = proofs.AppendRecord(raw, rec)
		a := proofs.Accepted{Record: *rec, Leaf: rec.Entry.Leaf()}
		if rec.Message == nil {
			out.withheld = append(out.withheld, rec.Entry.Index)
		}
		if c.promise > 0 {
			if a.Deadline = (rec.Entry.ReceivedAt + uint64(c.promise.Milliseconds())) / 1000; a.Deadline < b.Time {
				a.Deadline = 0
				out.late = append(out.late, rec.Entry.Index)
			}
		}
		out.entries[i] = storage.Rebuilt{Accepted: a, Raw: raw[at:len(raw):len(raw)]}
	}
	return out, nil
}

// record checks that message and evidence are the entry's.
func (c *checker) record(r *proofs.Record) error {
	e, m := &r.Entry, r.Message
	switch {
	case e.Log != c.chain.Log:
		return errors.New("it is of another log")
	case m == nil:
		return nil
	case c.domain.MessageID(m) != e.Message, m.Room.Tag() != e.Room, m.Author.Commit(m.Salt) != e.Author:
		return errors.New("its message is another's")
	case r.Evidence.Hash() != e.Evidence:
		return errors.New("its evidence is another's")
	}
	return nil
}
