// Package anchor brings sealed batches onto the chain: root -> transaction -> included -> safe ->
// finalized. It is the only writer of a log and is made to be left alone.
//
// What holds:
//
//   - Journal, broadcast, observe. A transaction is in the [Store], with its nonce and bytes, before it is
//     sent. After a crash the store and the chain decide what happened, never memory: [Anchorer.Step] starts
//     each round from both.
//   - An unclear answer to a broadcast is not a failure. The transaction is looked up by every hash that
//     was ever signed for the batch, and the same bytes are sent again while they can be mined.
//   - A transaction that waits because of its fee is replaced: the same nonce, tip and cap an eighth higher
//     or more, until a cap; then the batch waits, [Anchorer.Delay] says why, and it goes on when fees fall.
//   - A batch gets another nonce only when every nonce it has used was consumed without anchoring it, or
//     when a reorg left a free nonce before them. The contract takes the next number only, so that a repeat
//     reverts and a batch is never anchored twice. One batch at a time takes a nonce.
//   - A batch is included when the transaction's receipt has status 1, stands in a canonical block, and
//     holds the event with exactly the batch's number, root, first, size and cid. That is asked again each
//     time the head moves, until the block is final; a batch whose block left the chain goes back to
//     proofs.StateSubmitted and is anchored again.
//   - All of that is believed only when a quorum of nodes says so: see package nodes.
//   - At finality header and receipt proof are frozen, and only after proofs.VerifyAnchor accepted them.
//     A node that returns other receipts than the block's is refused there.
//   - The worst case of a transaction is held against the caps of a transaction, a day and a month before
//     it is signed, by the chain's time. What was mined, reverted or not, is counted at what it cost.
//   - The contract says which of the configured keys signs, so that the submitter is replaced without a
//     batch that is missed. Where it names none of them the service stops.
//
// Errors that wrap [ErrFatal] end [Anchorer.Run]; all others are logged and the round is repeated.
//
// Not covered: a transaction of a batch that is final already, mined and reverted later, is not counted
// (a batch has two only after a reorg that dropped a nonce before them, or by several keys); what a key that is
// not the submitter any more has signed counts for the caps when it is mined, and not before; two services with the same key and
// separate stores promise the same indices until the first batch tells them apart, and then one stops.
//
//	a, err := anchor.New(anchor.Config{Nodes: quorum, Log: log, Signers: []anchor.Signer{key}, Store: db})
//	...
//	go a.Run(ctx)
//	a.Wake() // a batch was pinned
//
// The contract is specified in docs/contracts.md, the receipt proof in docs/receipt-v1.md section 10, V7.
// TestStep and its neighbours show each rule against go-ethereum with reorgs, crashes and lies; make faults
// shows them against anvil, too, and docs/reliability.md has what came of it.
package anchor
