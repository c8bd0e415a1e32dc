// Package promises decides whether promises were kept, and makes the evidence and the transactions for those that
// were not.
//
//	judge, err := promises.New(promises.Config{Nodes: q, Book: book, Leaves: leaves})
//	err = book.Refresh(ctx)
//	f, err := judge.Decide(ctx, promise, nil)      // kept, broken, open or unknown, at book.Head()
//	file, err := judge.Evidence(ctx, f)            // proofs.VerifyEvidence accepts it
//	tx, err := judge.Plan(ctx, f, promises.Slash)  // for whoever pays for it
//	err = judge.Simulate(ctx, sender, tx)          // whether it would succeed now
//
// The rules are the contract's: docs/contracts.md, Breaches. TestProperty holds the two against each other.
package promises
