package guard

import (
	"context"

	"github.com/hansard-dao/hansard/proofs"
)

// Tell is what Run does each second.
func (g *Guard) Tell(ctx context.Context) { g.tell(ctx) }

// FirstPace is what a batch takes to anchor before that was measured.
const FirstPace = firstPace

// Path is the path of the batch where the log holds count batches.
func (a *Answerer) Path(ctx context.Context, number, count uint64) ([]proofs.Hash, error) {
	return a.path(ctx, number, count)
}
