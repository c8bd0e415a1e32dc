package faulttest

import (
	"fmt"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestReorg takes away the blocks of batches that are not final yet. Their transactions are mined again in other blocks,
// or they are lost and have to be sent again.
func TestReorg(t *testing.T) {
	t.Parallel()
	for _, depth := range []uint64{1, 2, 5, 20} {
		for name, keep := range map[string]bool{"re-mined": true, "dropped": false} {
			onChains(t, fmt.Sprintf("reorg of depth %d, %s", depth, name), func(t *testing.T, chain string) {
				h := newHarness(t, chain, farFinality, 1)
				for range 3 {
					h.seal(3)
					h.seal(2)
					h.until(proofs.StateIncluded)
					h.reorgLast(depth, keep)
				}
				h.check()
			})
		}
	}
}

// reorgLast takes away the block of the newest batch, which is not final.
func (h *harness) reorgLast(depth uint64, keep bool) {
	h.Helper()
	last := func() proofs.Sealed { all := h.batches(); return all[len(all)-1] }
	old := last()
	h.rounds(int(depth - min(depth, h.head()-old.Anchor.Block.Number+1)))
	h.reorg(depth, keep)
	h.step() //nolint:errcheck // logged
	if s := last(); s.State > proofs.StateSubmitted && s.Anchor.Block == old.Anchor.Block && h.head() >= old.Anchor.Block.Number {
		h.Errorf("batch %d is %s in block %v, which is gone", s.Number, s.State, s.Anchor.Block)
	}
	h.until(proofs.StateFinalized)
	if now := last(); now.Anchor == nil || now.Anchor.Block == old.Anchor.Block || now.Time == old.Time {
		h.Errorf("batch %d was in block %v at %d and is final in %v at %d", now.Number, old.Anchor.Block, old.Time, now.Anchor, now.Time)
	}
}
