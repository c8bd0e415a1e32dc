package batcher

import (
	"runtime"
	"sync"

	"github.com/wealdtech/go-merkletree/v2"

	"github.com/hansard-dao/hansard/proofs"
)

// hashType is the tree's hash for the library: one argument is a leaf's data, two are nodes.
type hashType struct{}

func (hashType) Hash(data ...[]byte) []byte {
	prefix := []byte{0}
	if len(data) > 1 {
		prefix[0] = 1
	}
	h := proofs.Keccak(append([][]byte{prefix}, data...)...)
	return h[:]
}

func (hashType) HashName() string { return "hansard" }
func (hashType) HashLength() int  { return 32 }

// parallelLeaves is the size from which a tree is built in parts, one a core. Below it the parts
// are not worth their goroutines.
const parallelLeaves = 2048

// BuildTree builds the tree over leafData in index order. It panics on no leaves.
func BuildTree(leafData [][]byte) (proofs.Tree, error) {
	size := uint64(len(leafData))
	if size == 0 {
		panic("batcher: a tree of no leaves")
	}
	height := proofs.TreeHeight(size)
	part := height // height of the parts
	if size >= parallelLeaves {
		for cores := runtime.GOMAXPROCS(0); cores > 1; cores /= 2 {
			part--
		}
	}
	t := make(proofs.Tree, height+1)
	for k := range t {
		t[k] = make([]proofs.Hash, (size+1<<k-1)>>k)
	}
	var wg sync.WaitGroup
	errs := make([]error, len(t[part]))
	for i := range t[part] {
		wg.Go(func() { errs[i] = buildPart(t, leafData, part, i) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	for k := part; k < height; k++ {
		for i := range t[k+1] {
			right := proofs.PaddingRoot(k)
			if 2*i+1 < len(t[k]) {
				right = t[k][2*i+1]
			}
			t[k+1][i] = proofs.HashNode(t[k][2*i], right)
		}
	}
	return t, nil
}

// buildPart builds the part i of the given height with the library and copies its nodes. The
// library pads to the next power of two, which may be lower than the part.
func buildPart(t proofs.Tree, leafData [][]byte, height, i int) error {
	first := i << height
	data := leafData[first:min(first+1<<height, len(leafData))]
	lib, err := merkletree.NewTree(merkletree.WithData(data), merkletree.WithHashType(hashType{}))
	if err != nil {
		return err
	}
	low := proofs.TreeHeight(uint64(len(data)))
	for k := range low + 1 {
		row := lib.Nodes[1<<(low-k):]
		at := first >> k
		for j := range min(1<<(low-k), len(t[k])-at) {
			t[k][at+j] = proofs.Hash(row[j])
		}
	}
	for k := low; k < height; k++ {
		t[k+1][first>>(k+1)] = proofs.HashNode(t[k][first>>k], proofs.PaddingRoot(k))
	}
	return nil
}
