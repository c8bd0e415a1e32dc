package proofs

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// headType is the type text of a head, section 6 of the format.
const headType = "Head(uint256 chainId,address anchorLog,bytes32 log,uint256 batches,uint256 messages," +
	"bytes32 peaks,uint256 blockNumber,bytes32 blockHash)"

var headTypeHash = Keccak([]byte(headType))

const (
	maxPeaks   = 32 // bits of a count of batches
	maxPeak    = 31 // height of the highest
	maxHeadLen = 2 << 10
)

// Place is where a log is kept.
type Place struct {
	ChainID   uint64
	AnchorLog Address
	Log       Hash
}

// Place returns the chain's without what promises are signed for.
func (c Chain) Place() Place { return Place{c.ChainID, c.AnchorLog, c.Log} }

// Head is what a log holds at a block: what a fold of it anchors on another chain.
type Head struct {
	Place
	Batches  uint64
	Messages uint64
	Peaks    []Hash   // of the mountain range, highest first: one for each bit set in Batches
	Block    BlockRef // at which this was read
}

// Check returns an error unless a log can have the head.
func (h *Head) Check() error {
	switch {
	case h.Batches == 0 || h.Batches > MaxBatch:
		return fmt.Errorf("head: %d batches are out of range", h.Batches)
	case h.Messages < h.Batches:
		return fmt.Errorf("head: %d batches cannot hold %d messages", h.Batches, h.Messages)
	case len(h.Peaks) != bits.OnesCount64(h.Batches):
		return fmt.Errorf("head: %d batches have %d peaks, not %d", h.Batches, bits.OnesCount64(h.Batches), len(h.Peaks))
	}
	return nil
}

// PeaksDigest returns keccak256 of the peaks joined, highest first.
func (h *Head) PeaksDigest() Hash {
	var w words
	for _, p := range h.Peaks {
		w.hash(p)
	}
	return Keccak(w.b)
}

// LeafData returns the 288 bytes that the head's leaf hashes.
func (h *Head) LeafData() []byte {
	w := words{make([]byte, 0, 9*32)}
	w.hash(headTypeHash).uint(h.ChainID).address(h.AnchorLog).hash(h.Log).uint(h.Batches).uint(h.Messages)
	return w.hash(h.PeaksDigest()).uint(h.Block.Number).hash(h.Block.Hash).b
}

// Leaf returns the head's leaf: the root of the batch of size 1 that anchors it.
func (h *Head) Leaf() Hash { return HashLeaf(h.LeafData()) }

// Range returns the mountain range that the head commits to. The head must pass Check.
func (h *Head) Range() Range {
	r := Range{Count: h.Batches, Peaks: make([]Hash, bits.Len64(h.Batches))}
	next := 0
	for height := len(r.Peaks) - 1; height >= 0; height-- {
		if h.Batches>>height&1 == 1 {
			r.Peaks[height] = h.Peaks[next]
			next++
		}
	}
	return r
}

var logHeadSchema = newSchema(
	cborField[Head]{"v",
		func(w *cborWriter, _ *Head) { w.head(cborUint, 1) },
		func(r *cborReader, _ *Head) {
			if r.uint() != 1 {
				r.fail()
			}
		}},
	intField("chainId", func(h *Head) *uint64 { return &h.ChainID }),
	cborField[Head]{"anchorLog", func(w *cborWriter, h *Head) { w.bytes(h.AnchorLog[:]) }, readAnchorLog},
	hashField("log", func(h *Head) *Hash { return &h.Log }),
	intField("batches", func(h *Head) *uint64 { return &h.Batches }),
	intField("messages", func(h *Head) *uint64 { return &h.Messages }),
	cborField[Head]{"peaks", writePeaks, readPeaks},
	intField("blockNumber", func(h *Head) *uint64 { return &h.Block.Number }),
	hashField("blockHash", func(h *Head) *Hash { return &h.Block.Hash }),
)

func readAnchorLog(r *cborReader, h *Head) {
	b := r.take(r.head(cborBytes))
	if len(b) != len(h.AnchorLog) {
		r.fail()
		return
	}
	h.AnchorLog = Address(b)
}

func writePeaks(w *cborWriter, h *Head) {
	w.head(cborArray, uint64(len(h.Peaks)))
	for _, p := range h.Peaks {
		w.bytes(p[:])
	}
}

func readPeaks(r *cborReader, h *Head) {
	for range r.array() {
		p := r.hash()
		if r.err != nil {
			return
		}
		h.Peaks = append(h.Peaks, p)
	}
}

// Format returns the head as a dag-cbor block, whose digest is the cid of the batch that anchors it.
func (h *Head) Format() []byte {
	var w cborWriter
	logHeadSchema.write(&w, h)
	return w.b
}

// ParseHead reads what Format returns for a head that passes Check, and nothing else.
func ParseHead(b []byte) (*Head, error) {
	if len(b) > maxHeadLen {
		return nil, fmt.Errorf("head: %d bytes are over the limit of %d", len(b), maxHeadLen)
	}
	r, h := cborReader{b: b}, &Head{}
	if logHeadSchema.read(&r, h); r.err != nil || len(r.b) != 0 {
		return nil, fmt.Errorf("head: %w", errCBOR)
	}
	return h, h.Check()
}

// Fold is a second anchor of a batch: another log, on another chain, named a head of the batch's log
// that the batch is part of.
type Fold struct {
	Place        // of the other log
	Head  Head   // its Place is that of the batch's log
	Path  []Hash // from the batch to its peak in the head
	Batch Batch  // of the other log: size 1, its root is the head's leaf
	// Anchor is the other log's batch on its chain, with Header and Proof.
	Anchor Anchor
}

// VerifyFold checks that the other log named a head with the batch b, which is anchored in the block
// at, and returns the header of the other chain's block. It does not ask whether that block is
// canonical, whether the other log is to be trusted, or whether what it says of the head is true.
func VerifyFold(f *Fold, b Batch, at BlockRef) (Header, error) {
	h := &f.Head
	if err := h.Check(); err != nil {
		return Header{}, err
	}
	later, end := h.Batches-1-b.Number, b.First+b.Size // batches after b, and the first message of theirs
	switch {
	case f.ChainID == h.ChainID:
		return Header{}, errors.New("the fold is on the log's own chain")
	case b.Number >= h.Batches:
		return Header{}, fmt.Errorf("batch %d is not among the %d of the head", b.Number, h.Batches)
	case end > h.Messages || h.Messages-end < later || h.Messages-end > later*MaxBatch:
		return Header{}, fmt.Errorf("batch %d ends at %d, and the head holds %d messages in %d batches", b.Number, end, h.Messages, h.Batches)
	case at.Number > h.Block.Number || at.Number == h.Block.Number && at.Hash != h.Block.Hash:
		return Header{}, fmt.Errorf("the batch is in block %d, which is not at or below the head's block %d", at.Number, h.Block.Number)
	case f.Batch.Size != 1 || f.Batch.Root != h.Leaf():
		return Header{}, errors.New("the fold's batch is not the head")
	}
	if err := VerifyRange(f.Path, b.Hash(), b.Number, h.Range()); err != nil {
		return Header{}, fmt.Errorf("batch and path do not give a peak of the head: %w", err)
	}
	header, err := VerifyAnchor(&f.Anchor, f.Batch, Chain{ChainID: f.ChainID, AnchorLog: f.AnchorLog, Log: f.Log})
	if err != nil {
		return Header{}, fmt.Errorf("anchor of the fold: %w", err)
	}
	return header, nil
}

func readFold(o, parent *reader, rc *Receipt) *Fold {
	f := &Fold{Place: readPlace(o.object("chain"), o)}
	h := o.object("head")
	f.Head = Head{
		Place: rc.Chain.Place(), Batches: h.uint("batches", MaxBatch), Messages: h.uint("messages", math.MaxUint64),
		Peaks: h.hashes("peaks", maxPeaks), Block: BlockRef{h.uint("blockNumber", math.MaxUint64), h.hash("blockHash")},
	}
	o.sub(h)
	f.Path = o.hashes("path", maxPeak)
	f.Batch = *readBatch(o.object("batch"), o)
	f.Anchor = *readAnchor(o.object("anchor"), o, Finalized)
	parent.sub(o)
	return f
}

func readPlace(o, parent *reader) Place {
	p := Place{o.uint("chainId", math.MaxUint64), o.address("anchorLog"), o.hash("log")}
	parent.sub(o)
	return p
}

func (w *writer) fold(f *Fold) {
	w.open("fold").open("chain").uint("chainId", f.ChainID).text("anchorLog", f.AnchorLog.String())
	w.text("log", f.Log.String()).close()
	h := &f.Head
	w.open("head").uint("batches", h.Batches).uint("messages", h.Messages).hashes("peaks", h.Peaks)
	w.uint("blockNumber", h.Block.Number).text("blockHash", h.Block.Hash.String()).close()
	w.hashes("path", f.Path).batch(&f.Batch).anchor(&f.Anchor, Finalized).close()
}
