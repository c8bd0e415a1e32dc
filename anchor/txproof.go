package anchor

import (
	"bytes"
	"slices"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/hansard-dao/hansard/proofs"
)

// trieItem is a value of a Merkle-Patricia trie under its key in nibbles.
type trieItem struct{ path, value []byte }

// trieProof builds a trie and keeps the nodes on the path to target, deepest first.
type trieProof struct {
	target []byte
	nodes  [][]byte
}

// proveTx returns the root of a block's receipts trie over the encoded receipts in their order, and the
// proof of the one at index, root node first. It panics if there is none.
func proveTx(txReceipts [][]byte, index int) (root proofs.Hash, nodes [][]byte) {
	items := make([]trieItem, len(txReceipts))
	for i, r := range txReceipts {
		items[i] = trieItem{keyPath(uint64(i)), r}
	}
	p := trieProof{target: items[index].path}
	slices.SortFunc(items, func(x, y trieItem) int { return bytes.Compare(x.path, y.path) })
	top := p.node(items, 0, true)
	p.nodes = append(p.nodes, top)
	slices.Reverse(p.nodes)
	return proofs.Keccak(top), p.nodes
}

// keyPath returns the nibbles of rlp(index). Such keys are prefix-free, so that no branch has a value.
func keyPath(index uint64) []byte {
	var path []byte
	for _, c := range rlp.AppendUint64(nil, index) {
		path = append(path, c>>4, c&15)
	}
	return path
}

// node encodes the node over items, sorted, at least one, and alike in the first depth nibbles. onPath
// says that target is among them.
func (p *trieProof) node(items []trieItem, depth int, onPath bool) []byte {
	if len(items) == 1 {
		return encode([]rlp.RawValue{encode(compact(items[0].path[depth:], 2)), encode(items[0].value)})
	}
	first, last := items[0].path, items[len(items)-1].path
	fork := depth
	for first[fork] == last[fork] {
		fork++
	}
	if fork > depth {
		return encode([]rlp.RawValue{encode(compact(first[depth:fork], 0)), p.child(items, fork, onPath)})
	}
	branch := slices.Repeat([]rlp.RawValue{{0x80}}, 17)
	for len(items) > 0 {
		nibble, n := items[0].path[depth], 1
		for n < len(items) && items[n].path[depth] == nibble {
			n++
		}
		branch[nibble] = p.child(items[:n], depth+1, onPath && p.target[depth] == nibble)
		items = items[n:]
	}
	return encode(branch)
}

// child refers to the node over items: by its hash, or by itself where it is shorter than a hash.
func (p *trieProof) child(items []trieItem, depth int, onPath bool) rlp.RawValue {
	node := p.node(items, depth, onPath)
	if len(node) < 32 {
		return node
	}
	if onPath {
		p.nodes = append(p.nodes, node)
	}
	h := proofs.Keccak(node)
	return encode(h[:])
}

// compact packs nibbles behind a flag: 0 of an extension, 2 of a leaf, and 1 more if their count is odd.
func compact(path []byte, flag byte) []byte {
	if len(path)%2 == 1 {
		path = append([]byte{flag + 1}, path...)
	} else {
		path = append([]byte{flag, 0}, path...)
	}
	b := make([]byte, len(path)/2)
	for i := range b {
		b[i] = path[2*i]<<4 | path[2*i+1]
	}
	return b
}

// encode returns the RLP of byte strings and lists, which cannot fail.
func encode(v any) []byte {
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		panic(err)
	}
	return b
}
