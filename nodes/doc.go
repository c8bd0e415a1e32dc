// Package nodes asks several JSON-RPC nodes of one chain and believes what enough of them agree on.
//
// What holds of a [Quorum] of n nodes of which Need must agree, by default more than half:
//
//   - Heads, tagged blocks, blocks by number, transaction receipts and state at a block are answered only
//     when Need nodes answer the same. Fewer liars than that cannot make up an answer, and fewer than
//     n-Need+1 nodes that lie, hang, lag or refuse cannot hold one up for longer than the grace.
//   - That there is no such thing is an answer too, and not one of a node that is behind.
//   - The head is the newest block that Need nodes have on their chain, so a node that is behind or on
//     another fork does not move it. It may go back when the nodes that are ahead fall silent, but not
//     before each of them had Timeout to answer. So may tagged blocks.
//   - Headers and a block's receipts prove themselves by their hashes: one honest node is enough.
//   - Transactions go to all nodes, and one that takes it is enough.
//   - Fees and gas are the median of the answers: they are advice, and capped by who asks. So are logs:
//     whatever any node finds, first what Need of them find.
//   - A node of another chain is not listened to, nor one that does not name its chain.
//   - What a node sends is bounded in length and in time, and what it says is kept short, without the secrets
//     of its URL and without what confuses a terminal.
//
// Which node was outvoted, late, or wrong is counted: see [Quorum.Health]. What is missing: nodes behind one
// provider are one liar, however many addresses they have; choose providers that do not share a back end
// ([Quorum.Shared] names hosts that are given twice). With two nodes, one that lies is not believed but
// can hold everything up; three is the least of which one may be bad. While one honest node of three is
// gone or far behind, a liar among the other two can hold things up as well. For the first head there is none to go back
// from: a liar that names an old block, and one honest node that is slower than the grace, make it an old one.
//
//	q, err := nodes.Dial(ctx, []string{"https://rpc.a.example", "https://rpc.b.example"}, nodes.Config{})
//	head, err := q.Head(ctx)
//	txReceipt, err := q.TxReceipt(ctx, tx)
//
// TestQuorum puts some fifty kinds of bad nodes among honest ones and asks each question; TestChain does so
// with go-ethereum's own chain.
package nodes
