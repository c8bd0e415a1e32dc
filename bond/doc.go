// Package bond reads the PromiseBond contract, says which promises to accept, and plans the calls that
// fund a bond, challenge, answer and slash.
//
//	s, err := bond.Read(ctx, q, chain)            // what backs the log's promises, at one block
//	key, err := s.Key(ctx, q, signer)             // whether a signer's promises count there
//	err = s.Accept(&promise, key)                 // the rule of docs/contracts.md
//	plan, err := s.PlanFund(wei)                  // transactions for anchor.Wallet
//	open, err := s.OpenChallenges(ctx, q, oldest, window)
//
// The contract, its rule and what a bond deters are in docs/contracts.md.
package bond
