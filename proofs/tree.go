package proofs

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// MaxBatch is the largest size of a batch.
const MaxBatch = 1<<32 - 1

// ErrProof is the one answer to a proof that does not hold: it tells a forger nothing.
var ErrProof = errors.New("proof does not hold")

// HashLeaf returns keccak256(0x00 || data).
func HashLeaf(data []byte) Hash { return Keccak([]byte{0}, data) }

// HashNode returns keccak256(0x01 || left || right).
func HashNode(left, right Hash) Hash { return Keccak([]byte{1}, left[:], right[:]) }

// TreeHeight returns ceil(log2(size)): the length of every inclusion proof in a tree of size leaves.
// size must not be 0.
func TreeHeight(size uint64) int { return bits.Len64(size - 1) }

// PaddingRoot returns the root of a perfect tree of the given height whose leaves are all padding.
func PaddingRoot(height int) (h Hash) {
	for range height {
		h = HashNode(h, h)
	}
	return h
}

// Root returns the root over leaf hashes in order, padded on the right with zeros up to a power of
// two. It returns ErrProof for an empty tree. It is the verifier's; batches are built by batcher.
func Root(leaves []Hash) (Hash, error) {
	if len(leaves) == 0 {
		return Hash{}, ErrProof
	}
	row := append([]Hash(nil), leaves...)
	var padding Hash
	for range TreeHeight(uint64(len(leaves))) {
		if len(row)%2 == 1 {
			row = append(row, padding)
		}
		for i := range len(row) / 2 {
			row[i] = HashNode(row[2*i], row[2*i+1])
		}
		row, padding = row[:len(row)/2], HashNode(padding, padding)
	}
	return row[0], nil
}

// VerifyInclusion checks that leaf stands at position of a tree of size leaves with the root. The
// proof is exactly TreeHeight(size) siblings from the leaf upward. Every failure is ErrProof.
func VerifyInclusion(proof []Hash, leaf Hash, position, size uint64, root Hash) error {
	if size == 0 || size > MaxBatch || position >= size || len(proof) != TreeHeight(size) {
		return ErrProof
	}
	if climb(leaf, position, proof) != root {
		return ErrProof
	}
	return nil
}

// climb hashes from node up the path; bit k of position says whether it is the right child at level k.
func climb(node Hash, position uint64, path []Hash) Hash {
	for k, sibling := range path {
		if position>>k&1 == 0 {
			node = HashNode(node, sibling)
		} else {
			node = HashNode(sibling, node)
		}
	}
	return node
}

// Tree holds the nodes of a batch's tree by level: level 0 are the leaves, the last level is the root
// alone. Nodes over padding only are left out; at level k they are PaddingRoot(k).
type Tree [][]Hash

// NewTree returns the tree over leaf hashes in order. It returns ErrProof for no leaves. It is for those who prove what
// others batched; batches are built by batcher.
func NewTree(leaves []Hash) (Tree, error) {
	if len(leaves) == 0 || len(leaves) > MaxBatch {
		return nil, ErrProof
	}
	t := Tree{leaves}
	var padding Hash
	for row := leaves; len(row) > 1; row = t[len(t)-1] {
		next := make([]Hash, (len(row)+1)/2)
		for i := range next {
			right := padding
			if 2*i+1 < len(row) {
				right = row[2*i+1]
			}
			next[i] = HashNode(row[2*i], right)
		}
		t, padding = append(t, next), HashNode(padding, padding)
	}
	return t, nil
}

// Root returns the root.
func (t Tree) Root() Hash { return t[len(t)-1][0] }

// Prove returns the inclusion proof of the position: its siblings from the leaf upward.
func (t Tree) Prove(position uint64) []Hash {
	proof := make([]Hash, len(t)-1)
	for k := range proof {
		if s := position>>k ^ 1; s < uint64(len(t[k])) {
			proof[k] = t[k][s]
		} else {
			proof[k] = PaddingRoot(k)
		}
	}
	return proof
}

// Batch is a batch as it is anchored.
type Batch struct {
	Number uint64
	Root   Hash
	First  uint64 // index of its first entry
	Size   uint64
	Time   uint64 // seconds, of the block that anchored it
	CID    Hash   // SHA-256 digest inside the manifest's CID
}

// Hash returns the batch's leaf in the log's mountain range.
func (b Batch) Hash() Hash {
	var w words
	w.uint(b.Number).hash(b.Root).uint(b.First).uint(b.Size).uint(b.Time).hash(b.CID)
	return HashLeaf(w.b)
}

// Contains reports whether the entry with the index stands in the batch.
func (b Batch) Contains(index uint64) bool { return index >= b.First && index-b.First < b.Size }

// Range is a Merkle mountain range over batch hashes: the peak at height h is there exactly when bit
// h of the count is set. The zero Range is empty.
type Range struct {
	Count uint64
	Peaks []Hash // by height; meaningful where the bit of Count is set
}

// Append adds the hash of the next batch.
func (r *Range) Append(hash Hash) {
	height := 0
	for ; r.Count>>height&1 == 1; height++ {
		hash = HashNode(r.Peaks[height], hash)
	}
	if height == len(r.Peaks) {
		r.Peaks = append(r.Peaks, Hash{})
	}
	r.Peaks[height] = hash
	r.Count++
}

// ProveRange returns the path of batch number to the peak over it, given the hashes of all batches in
// order. It panics if number is out of range.
func ProveRange(hashes []Hash, number uint64) []Hash {
	height := peakHeight(number, uint64(len(hashes)))
	row := hashes[number>>height<<height:][:1<<height]
	position := number & (1<<height - 1)
	path := make([]Hash, height)
	for k := range path {
		path[k] = row[position>>k^1]
		next := make([]Hash, len(row)/2)
		for i := range next {
			next[i] = HashNode(row[2*i], row[2*i+1])
		}
		row = next
	}
	return path
}

// VerifyRange checks that hash is the batch number of the range. Every failure is ErrProof.
func VerifyRange(path []Hash, hash Hash, number uint64, r Range) error {
	if number >= r.Count {
		return ErrProof
	}
	height := peakHeight(number, r.Count)
	if len(path) != height || height >= len(r.Peaks) || climb(hash, number, path) != r.Peaks[height] {
		return ErrProof
	}
	return nil
}

// peakHeight is where number and count differ first: the height of the peak over batch number.
func peakHeight(number, count uint64) int {
	if number >= count {
		panic("proofs: batch number beyond the range")
	}
	return bits.Len64(number^count) - 1
}

// wordUint reads an ABI word as a number below 2^64.
func wordUint(w Hash) (uint64, error) {
	if Hash(w).upper() {
		return 0, errors.New("number over 64 bits")
	}
	return binary.BigEndian.Uint64(w[24:]), nil
}

func (h Hash) upper() bool { return [24]byte(h[:24]) != [24]byte{} }
