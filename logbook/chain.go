package logbook

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/hansard-dao/hansard/proofs"
)

// chain is the first batches of a log with the tree over them.
type chain struct {
	batches []Anchored
	tree    proofs.RangeTree
}

func (c *chain) count() uint64 { return uint64(len(c.batches)) }

// prefix returns a chain of the first n batches. What is appended to it does not show in c.
func (c *chain) prefix(n uint64) *chain {
	p := &chain{batches: c.batches[:n], tree: make(proofs.RangeTree, 0, len(c.tree))}
	for height, row := range c.tree {
		if n>>height > 0 {
			p.tree = append(p.tree, row[:n>>height])
		}
	}
	if n < c.count() { // or else it would write over what c holds
		p.batches = slices.Clip(p.batches)
		for i := range p.tree {
			p.tree[i] = slices.Clip(p.tree[i])
		}
	}
	return p
}

func (c *chain) append(a Anchored) {
	c.batches = append(c.batches, a)
	c.tree.Append(a.Hash())
}

// span is the batches from first to end, without end.
type span struct{ first, end uint64 }

func (s span) String() string {
	if s.end-s.first == 1 {
		return fmt.Sprintf("batch %d", s.first)
	}
	return fmt.Sprintf("batches %d to %d", s.first, s.end-1)
}

// wrong returns the batches under peaks that are not those of the range, first ones first. The chain must hold
// r.Count batches.
func (c *chain) wrong(r proofs.Range) (all []span) {
	for height := bits.Len64(r.Count) - 1; height >= 0; height-- {
		if r.Count>>height&1 == 0 {
			continue
		}
		at := r.Count>>height - 1
		if c.tree[height][at] != r.Peaks[height] {
			all = append(all, span{at << height, (at + 1) << height})
		}
	}
	return all
}

// place returns the position among the batches, by number, of the one over the index.
func (c *chain) place(index uint64) (int, bool) {
	return slices.BinarySearchFunc(c.batches, index, func(a Anchored, index uint64) int {
		switch {
		case a.Contains(index):
			return 0
		case a.First > index:
			return 1
		}
		return -1
	})
}
