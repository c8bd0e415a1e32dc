package proofs_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

func someHashes(n int) (hashes []proofs.Hash) {
	for i := range n {
		hashes = append(hashes, wordHash(i))
	}
	return hashes
}

// naiveRoot pads and hashes row by row.
func naiveRoot(leaves []proofs.Hash) proofs.Hash {
	row := slices.Clone(leaves)
	for len(row)&(len(row)-1) != 0 {
		row = append(row, proofs.Hash{})
	}
	for len(row) > 1 {
		var next []proofs.Hash
		for i := 0; i < len(row); i += 2 {
			next = append(next, proofs.HashNode(row[i], row[i+1]))
		}
		row = next
	}
	return row[0]
}

func TestRoot(t *testing.T) {
	for size := 1; size <= 130; size++ {
		leaves := someHashes(size)
		before := slices.Clone(leaves)
		root, err := proofs.Root(leaves)
		if err != nil || root != naiveRoot(leaves) {
			t.Errorf("size %d: %s, %v", size, root, err)
		}
		if !slices.Equal(leaves, before) {
			t.Fatalf("size %d: the leaves were changed", size)
		}
		if height := proofs.TreeHeight(uint64(size)); 1<<height < size || height > 0 && 1<<(height-1) >= size {
			t.Errorf("size %d: height %d", size, height)
		}
	}
	if root, err := proofs.Root(nil); err != proofs.ErrProof || !root.IsZero() {
		t.Errorf("the root of nothing is %s, %v", root, err)
	}
	for height, want := 0, (proofs.Hash{}); height < 40; height++ {
		if got := proofs.PaddingRoot(height); got != want {
			t.Errorf("padding of height %d: %s, want %s", height, got, want)
		}
		want = proofs.HashNode(want, want)
	}
}

// TestHashesAreSeparated: a leaf is no node, whatever it says.
func TestHashesAreSeparated(t *testing.T) {
	l, r := wordHash(1), wordHash(2)
	data := slices.Concat(l[:], r[:])
	if proofs.HashLeaf(data) == proofs.HashNode(l, r) || proofs.HashLeaf(append([]byte{1}, data...)) == proofs.HashNode(l, r) {
		t.Error("a leaf hashes like a node")
	}
	if proofs.HashLeaf(data) != proofs.Keccak([]byte{0}, data) || proofs.HashNode(l, r) != proofs.Keccak([]byte{1}, data) {
		t.Error("leaf or node is not H of its prefix and content")
	}
}

// TestInclusionBounds verifies in the largest tree there is, of which only the path is known.
func TestInclusionBounds(t *testing.T) {
	path := someHashes(32)
	leaf := wordHash(100)
	root := func(position uint64) proofs.Hash {
		node := leaf
		for k, sibling := range path {
			pair := [2]proofs.Hash{node, sibling}
			if position&(1<<k) != 0 {
				pair[0], pair[1] = pair[1], pair[0]
			}
			node = proofs.HashNode(pair[0], pair[1])
		}
		return node
	}
	for _, position := range []uint64{0, 1, 1 << 31, proofs.MaxBatch / 3, proofs.MaxBatch - 1} {
		if err := proofs.VerifyInclusion(path, leaf, position, proofs.MaxBatch, root(position)); err != nil {
			t.Errorf("position %d of the largest batch: %v", position, err)
		}
		for _, size := range []uint64{0, position, proofs.MaxBatch + 1, 1 << 33, math.MaxUint64} {
			if err := proofs.VerifyInclusion(path, leaf, position, size, root(position)); err != proofs.ErrProof {
				t.Errorf("position %d of %d: %v", position, size, err)
			}
		}
		high := position + 1<<32 // the bits of the path are the same
		if err := proofs.VerifyInclusion(path, leaf, high, proofs.MaxBatch, root(position)); err != proofs.ErrProof {
			t.Errorf("position %d: %v", high, err)
		}
	}
	if err := proofs.VerifyInclusion(nil, leaf, 0, 0, leaf); err != proofs.ErrProof {
		t.Errorf("a leaf in an empty tree: %v", err)
	}
}

// TestInnerNodes shows an inner node with what is left of a path as a leaf and as a batch: only the
// length of the path tells.
func TestInnerNodes(t *testing.T) {
	leaves := someHashes(8)
	var r proofs.Range
	for _, h := range leaves {
		r.Append(h)
	}
	for i := range uint64(8) {
		path, node := naiveProof(leaves, int(i)), leaves[i]
		for k := range 3 {
			if i>>k&1 == 0 {
				node = proofs.HashNode(node, path[k])
			} else {
				node = proofs.HashNode(path[k], node)
			}
			if err := proofs.VerifyInclusion(path[k+1:], node, i>>(k+1), 8, naiveRoot(leaves)); err != proofs.ErrProof {
				t.Errorf("the node over leaf %d at level %d is a leaf: %v", i, k+1, err)
			}
			if err := proofs.VerifyRange(path[k+1:], node, i>>(k+1), r); err != proofs.ErrProof {
				t.Errorf("the node over batch %d at level %d is a batch: %v", i, k+1, err)
			}
		}
	}
}

// TestRange builds ranges of up to 70 batches and verifies every path in every range: it holds where
// the peak over the batch has the same height, and nowhere else.
func TestRange(t *testing.T) {
	const most = 70
	hashes := someHashes(most)
	ranges := []proofs.Range{{}}
	var r proofs.Range
	for n := range most {
		r.Append(hashes[n])
		ranges = append(ranges, proofs.Range{Count: r.Count, Peaks: slices.Clone(r.Peaks)})
	}
	peak := func(i, n uint64) int { // the height of the peak over batch i of n
		for first, height := uint64(0), 63; ; height-- {
			if n>>height&1 == 1 {
				if first += 1 << height; i < first {
					return height
				}
			}
		}
	}
	for n := range uint64(most + 1) {
		first := uint64(0)
		for height := 63; height >= 0; height-- {
			if n>>height&1 == 0 {
				continue
			}
			want := naiveRoot(hashes[first : first+1<<height])
			if got := ranges[n].Peaks[height]; got != want {
				t.Errorf("range of %d: peak %d is %s, want %s", n, height, got, want)
			}
			first += 1 << height
		}
		for i := range n {
			path := proofs.ProveRange(hashes[:n], i)
			if len(path) != peak(i, n) {
				t.Fatalf("path of batch %d of %d has %d hashes", i, n, len(path))
			}
			for m := range uint64(most + 1) {
				want := i < m && peak(i, m) == peak(i, n)
				if err := proofs.VerifyRange(path, hashes[i], i, ranges[m]); (err == nil) != want || err != nil && err != proofs.ErrProof {
					t.Fatalf("path of batch %d of %d in a range of %d: %v", i, n, m, err)
				}
			}
			checkForgedPaths(t, path, hashes, i, ranges[n])
		}
	}
}

// checkForgedPaths changes the path of batch i of a range, and who it is for.
func checkForgedPaths(t *testing.T, path, hashes []proofs.Hash, i uint64, r proofs.Range) {
	t.Helper()
	refused := func(what string, path []proofs.Hash, hash proofs.Hash, number uint64) {
		t.Helper()
		if err := proofs.VerifyRange(path, hash, number, r); err != proofs.ErrProof {
			t.Fatalf("batch %d of %d, %s: %v", i, r.Count, what, err)
		}
	}
	for j := range r.Count + 2 {
		if j != i {
			refused("as another number", path, hashes[i], j)
		}
	}
	refused("as a number far beyond", path, hashes[i], i+1<<32)
	refused("as the last number there is", path, hashes[i], math.MaxUint64)
	refused("another batch", path, hashes[(i+1)%uint64(len(hashes))], i)
	refused("one hash more", append(slices.Clone(path), proofs.Hash{}), hashes[i], i)
	for k := range path {
		refused("one hash less", slices.Delete(slices.Clone(path), k, k+1), hashes[i], i)
		forged := slices.Clone(path)
		forged[k][k] ^= 1
		refused("another hash", forged, hashes[i], i)
	}
	short := r
	short.Peaks = nil
	if err := proofs.VerifyRange(path, hashes[i], i, short); err != proofs.ErrProof {
		t.Fatalf("batch %d of %d in a range without peaks: %v", i, r.Count, err)
	}
}

func TestProveRangePanics(t *testing.T) {
	for _, number := range []uint64{3, 4, math.MaxUint64} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("batch %d of 3 has a path", number)
				}
			}()
			proofs.ProveRange(someHashes(3), number)
		}()
	}
}

func TestBatchContains(t *testing.T) {
	tests := []struct {
		first, size uint64
		in, out     []uint64
	}{
		{0, 1, []uint64{0}, []uint64{1, math.MaxUint64}},
		{5, 3, []uint64{5, 6, 7}, []uint64{0, 4, 8, math.MaxUint64}},
		{math.MaxUint64 - 2, 2, []uint64{math.MaxUint64 - 2, math.MaxUint64 - 1}, []uint64{0, math.MaxUint64 - 3, math.MaxUint64}},
		{math.MaxUint64 - 1, 2, []uint64{math.MaxUint64 - 1, math.MaxUint64}, []uint64{0, math.MaxUint64 - 2}},
		{7, 0, nil, []uint64{6, 7, 8}},
	}
	for _, tt := range tests {
		b := proofs.Batch{First: tt.first, Size: tt.size}
		for _, i := range tt.in {
			if !b.Contains(i) {
				t.Errorf("%d is not in %d from %d", i, tt.size, tt.first)
			}
		}
		for _, i := range tt.out {
			if b.Contains(i) {
				t.Errorf("%d is in %d from %d", i, tt.size, tt.first)
			}
		}
	}
}

// TestTreeProve proves from a tree put together here, padding left out, against the naive proof.
func TestTreeProve(t *testing.T) {
	for size := 1; size <= 40; size++ {
		leaves := someHashes(size)
		tree := proofs.Tree{leaves}
		for k := 0; len(tree[k]) > 1; k++ {
			var next []proofs.Hash
			for i := 0; i < len(tree[k]); i += 2 {
				right := proofs.PaddingRoot(k)
				if i+1 < len(tree[k]) {
					right = tree[k][i+1]
				}
				next = append(next, proofs.HashNode(tree[k][i], right))
			}
			tree = append(tree, next)
		}
		if tree.Root() != naiveRoot(leaves) {
			t.Fatalf("size %d: root %s", size, tree.Root())
		}
		for i := range leaves {
			if d := cmp.Diff(naiveProof(leaves, i), tree.Prove(uint64(i))); d != "" {
				t.Fatalf("proof of %d in %d (want, got):\n%s", i, size, d)
			}
		}
	}
}
