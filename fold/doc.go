// Package fold anchors what a log holds on one chain in a log on another, so that receipts can carry a
// second anchor: slower, on a chain that is harder to rewrite (docs/receipt-v1.md, sections 6, 7 and 9).
//
// The other log is a log like any, with a store of its own and an anchor.Anchorer over it. A [Folder]
// seals its batches: when the time has come and the folded log has grown, it reads the head, at a final
// block or at one that it waits for, holds it against the folded log's own batches, pins it, and seals a
// batch of size 1 whose root is the head's leaf. From there on the batch is anchored as any other.
// [Folder.Attach] adds what is final to a receipt.
//
// What holds:
//
//   - The store decides what was sealed; nothing of a Folder must survive it. A head that was read and
//     not sealed is read again. A sealed one is never replaced.
//   - Batch and CID are stored in one write, after the head was pinned. If the process dies between the
//     two, a pinned head is left over that no batch names.
//   - Heads wait for each other: as long as the newest is not in a block, none follows it. A new one says
//     all that a waiting one would.
//   - Each sealed head agrees with the batches of the folded log's store, whatever a node said. So every
//     batch below it can be proved against it.
//   - A receipt is handed out with a fold only after the fold was verified as a stranger would.
//
// A log on an L2 is folded into one on L1 so:
//
//	f, err := fold.New(fold.Config{Log: l2, Into: l1, Chain: &fold.Nodes{Quorum: q, Log: l2},
//		Batches: db, Store: heads, Node: ipfs})
//	...
//	go f.Run(ctx)
//	rc, err := f.Attach(ctx, rc)
//
// TestFold walks the whole way over two chains; TestCrash fails every durable step twice.
package fold
