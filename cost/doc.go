// Package cost is what anchoring costs: gas, wei and dollars for 1,000 messages, on an L1 and on an L2 of the
// OP stack with its data fee. It does no I/O and knows no price: who calls it names the fees and the price of ether.
//
//	fee := cost.Anchor{Gas: cost.AnchorGas, FeePerGas: big.NewInt(1e9)}.Wei()
//	cost.PerThousand(fee, 10_000)                       // wei for 1,000 messages, in batches of 10,000
//	target := cost.TargetWei(cost.Target, price)        // wei that $0.001 are at this price of ether
//	cost.SmallestBatch(fee, target)                     // messages a batch from which it costs less
//
// A batch is one transaction whatever its size, so the cost of a message is the cost of an anchor divided by the
// size of the batch: no fee makes a message cheap in a batch of one, and every fee does in a batch that is large enough.
package cost
