// Package guard keeps an operator's promises: it knows the earliest deadline of everything that was promised and is in
// no block, warns of it, refuses what could not be kept, and answers challenges.
//
//	g, err := guard.New(guard.Config{Store: db, Unsealed: b.Unsealed, ...})  // batcher.Config.Refuse is g.Refuse
//	a, err := guard.NewAnswerer(guard.AnswererConfig{Nodes: q, Log: chain, Store: db, ...})
//	group.Go(func() error { return g.Run(ctx) })
//	group.Go(func() error { return a.Run(ctx) })
//
// # Which clock
//
// Promises are judged by the times of blocks, and signed by our own clock. A Guard goes by whichever is later: our
// clock, or the time of the newest block that it was told of and what passed since.
//
// # After a crash
//
// Nothing is kept here. What is promised is in the store, and which challenges are open is on the chain.
package guard
