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
				h.seal(3)
				h.seal(2)
				h.until(proofs.StateIncluded)
				head, err := h.client.BlockNumber(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				old := h.batches()
				last := old[1].Anchor.Block.Number
				h.rounds(int(depth - min(depth, head-last+1)))
				h.reorg(depth, keep)
				h.step() //nolint:errcheck // logged
				if s := h.batches()[1]; s.State > proofs.StateSubmitted && s.Anchor.Block == old[1].Anchor.Block {
					t.Errorf("batch 1 is %s in block %v, which is gone", s.State, s.Anchor.Block)
				}
				h.until(proofs.StateFinalized)
				if now := h.batches()[1]; now.Anchor == nil || now.Anchor.Block == old[1].Anchor.Block || now.Time == old[1].Time {
					t.Errorf("batch 1 was in block %v at %d and is final in %v at %d", old[1].Anchor.Block, old[1].Time, now.Anchor, now.Time)
				}
				h.check()
			})
		}
	}
}
