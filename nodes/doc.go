// Package nodes asks several JSON-RPC nodes of one chain and believes what enough of them agree on.
//
// What holds of a [Quorum] of n nodes of which Need must agree, by default more than half:
//
//   - Heads, tagged blocks, blocks by number, transaction receipts and state at a block are answered only
//     when Need nodes answer the same. Fewer liars than that cannot make up an answer, and fewer than
//     n-Need+1 nodes that hang, lag or refuse cannot hold one up.
//   - The head is the newest block that Need nodes have on their chain, so a node that is behind or on
//     another fork does not move it. It may go back when the nodes that are ahead fall silent.
//   - Headers and a block's receipts prove themselves by their hashes: one honest node is enough.
//   - Transactions go to all nodes, and one that takes it is enough.
//   - Fees and gas are the median of the answers: they are advice, and capped by who asks.
//   - A node of another chain is never listened to.
//
// Which node was outvoted, late, or wrong is counted: see [Quorum.Health]. What is missing: nodes behind one
// provider are one liar, however many addresses they have; choose providers that do not share a back end.
//
//	q, err := nodes.Dial(ctx, []string{"https://rpc.a.example", "https://rpc.b.example"}, nodes.Config{})
//	head, err := q.Head(ctx)
//	txReceipt, err := q.TxReceipt(ctx, tx)
//
// TestQuorum and its neighbours show it with nodes that lie, lag, hang and fork.
package nodes
