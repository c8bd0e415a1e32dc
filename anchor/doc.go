// Package anchor brings sealed batches onto the chain: root -> transaction -> included -> safe ->
// finalized. It is the only writer of a log and is made to be left alone.
//
// What holds:
//
//   - A transaction is in the [Store] before it is sent. After a crash the store and the chain decide
//     what happened, never memory: [Anchorer.Step] starts each round from both.
//   - An unclear answer to a broadcast is not a failure. The transaction is looked up by every hash that
//     was ever signed for the batch, and the same bytes are sent again while they can be mined.
//   - A batch gets another nonce only when every nonce it has used was consumed without anchoring it, or
//     when a reorg left a free nonce before them. The contract takes the next number only, so that a repeat
//     reverts and a batch is never anchored twice.
//   - A batch is included when the transaction's receipt has status 1, stands in a canonical block, and
//     holds the event with exactly the batch's number, root, first, size and cid. That is asked again each
//     time the head moves, until the block is final; a batch whose block left the chain goes back to
//     proofs.StateSubmitted and is anchored again.
//   - At finality header and receipt proof are frozen, and only after proofs.VerifyAnchor accepted them.
//     A node that returns other receipts than the block's is refused there.
//
// Errors that wrap [ErrFatal] end [Anchorer.Run]; all others are logged and the round is repeated. Not
// here yet: replacing a transaction whose fee became too low (it is sent again unchanged until it is
// mined), several nodes, caps on money spent.
//
//	a, err := anchor.New(anchor.Config{Client: client, Log: log, Signer: key, Store: db})
//	...
//	go a.Run(ctx)
//	a.Wake() // a batch was pinned
//
// The contract is specified in docs/contracts.md, the receipt proof in docs/receipt-v1.md section 10, V7.
// TestStep and its neighbours show each rule against go-ethereum with reorgs, crashes and lies.
package anchor
