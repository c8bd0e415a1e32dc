package guard

import "context"

// Tell is what Run does each second.
func (g *Guard) Tell(ctx context.Context) { g.tell(ctx) }

// FirstPace is what a batch takes to anchor before that was measured.
const FirstPace = firstPace
