package batcher_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// leafData returns n pieces of leaf data and their leaves.
func leafData(n int) (data [][]byte, leaves []proofs.Hash) {
	for i := range n {
		e := proofs.Entry{Log: chain.Log, Index: uint64(i), Vouch: proofs.VouchNobody}
		data, leaves = append(data, e.LeafData()), append(leaves, e.Leaf())
	}
	return data, leaves
}

func buildTree(t *testing.T, data [][]byte) proofs.Tree {
	t.Helper()
	tree, err := batcher.BuildTree(data)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// treeSizes are those with every shape of a small tree, and those around the sizes where trees are
// built in parts and get another level.
func treeSizes() (sizes []int) {
	for n := 1; n <= 70; n++ {
		sizes = append(sizes, n)
	}
	return append(sizes, 2047, 2048, 2049, 2050, 3073, 4095, 4096, 4097, 4098, 4099, 5000)
}

// TestTree builds trees on one core and on several, with go-merkletree, and holds them against proofs.NewTree,
// proofs.Root and every proof against proofs.VerifyInclusion.
func TestTree(t *testing.T) {
	cores := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(cores)
	for _, size := range treeSizes() {
		data, leaves := leafData(size)
		root, err := proofs.Root(leaves)
		if err != nil {
			t.Fatal(err)
		}
		first, err := proofs.NewTree(leaves)
		if err != nil {
			t.Fatal(err)
		}
		for _, cores := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(cores)
			tree := buildTree(t, data)
			if !slices.EqualFunc(first, tree, slices.Equal[[]proofs.Hash]) {
				t.Fatalf("size %d: another tree on %d cores", size, cores)
			}
		}
		if first.Root() != root || !slices.Equal(first[0], leaves) {
			t.Fatalf("size %d: root %s, want %s, or other leaves", size, first.Root(), root)
		}
		for k := range first {
			if want := (size + 1<<k - 1) >> k; len(first[k]) != want {
				t.Errorf("size %d: %d nodes at level %d, want %d", size, len(first[k]), k, want)
			}
		}
		for i := 0; i < size; i += 1 + size/500 {
			checkProof(t, first, uint64(i), uint64(size))
		}
		checkProof(t, first, uint64(size-1), uint64(size))
	}
}

func checkProof(t *testing.T, tree proofs.Tree, i, size uint64) {
	t.Helper()
	if err := proofs.VerifyInclusion(tree.Prove(i), tree[0][i], i, size, tree.Root()); err != nil {
		t.Fatalf("size %d, position %d: %v", size, i, err)
	}
}

// TestTreeElsewhere holds each proof against every other position and size: it verifies at its own
// position alone. The root says nothing of the size beyond the height, so it stands beside its size
// wherever it is anchored or signed.
func TestTreeElsewhere(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 70} {
		data, leaves := leafData(size)
		tree := buildTree(t, data)
		height := proofs.TreeHeight(uint64(size))
		for i, leaf := range leaves {
			proof := tree.Prove(uint64(i))
			for position := range uint64(1<<height + 2) {
				for _, other := range []uint64{0, position, uint64(size), 1 << height >> 1, 1<<height + 1} {
					want := position == uint64(i) && position < other && proofs.TreeHeight(other) == height
					if err := proofs.VerifyInclusion(proof, leaf, position, other, tree.Root()); (err == nil) != want {
						t.Fatalf("proof of %d in %d: position %d in %d: %v", i, size, position, other, err)
					}
				}
			}
		}
	}
}

// TestTreeForgeries changes a proof, a leaf and a root in every way that is small.
func TestTreeForgeries(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, size := range []int{1, 2, 3, 7, 64, 65, 2049, 4099} {
		data, leaves := leafData(size)
		tree := buildTree(t, data)
		i := uint64(rng.IntN(size))
		proof, root := tree.Prove(i), tree.Root()
		refused := func(what string, proof []proofs.Hash, leaf, root proofs.Hash) {
			t.Helper()
			if proofs.VerifyInclusion(proof, leaf, i, uint64(size), root) == nil {
				t.Errorf("size %d, position %d: %s", size, i, what)
			}
		}
		if err := proofs.VerifyInclusion(proof, leaves[i], i, uint64(size), root); err != nil {
			t.Fatal(err)
		}
		flip := func(h proofs.Hash) proofs.Hash { h[rng.IntN(32)] ^= 1 << rng.IntN(8); return h }
		refused("another leaf", proof, flip(leaves[i]), root)
		refused("another root", proof, leaves[i], flip(root))
		refused("a sibling more", append(slices.Clone(proof), proofs.Hash{}), leaves[i], root)
		refused("the data for its hash", proof, proofs.Keccak(data[i]), root)
		for k := range proof {
			forged := slices.Clone(proof)
			forged[k] = flip(forged[k])
			refused("another sibling", forged, leaves[i], root)
			refused("a sibling less", slices.Delete(slices.Clone(proof), k, k+1), leaves[i], root)
			refused("an inner node as leaf", proof[k+1:], tree[k+1][i>>(k+1)], root)
		}
	}
}

// TestTreePadding: a proof for the padding holds by arithmetic, and position < size refuses it.
func TestTreePadding(t *testing.T) {
	data, _ := leafData(5)
	tree := buildTree(t, data)
	proof := []proofs.Hash{{}, {}, tree[2][0]}
	proof[0], proof[1] = tree[0][4], proofs.PaddingRoot(1)
	if err := proofs.VerifyInclusion(proof, proofs.Hash{}, 5, 8, tree.Root()); err != nil {
		t.Fatalf("the proof of the padding is put together wrongly: %v", err)
	}
	if proofs.VerifyInclusion(proof, proofs.Hash{}, 5, 5, tree.Root()) == nil {
		t.Error("the padding is a leaf")
	}
}

func TestTreeOfNothing(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a tree of no leaves was built")
		}
	}()
	tree, err := batcher.BuildTree(nil)
	t.Errorf("got %v, %v", tree, err)
}
