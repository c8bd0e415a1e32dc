package cost

import "math/big"

// AnchorGas is the mean of 128 batches of a log after its first: docs/contracts.md, measured.
const AnchorGas = 41_162

// Target is the aim, in dollars for 1,000 messages.
var Target = big.NewRat(1, 1000)

// Anchor is one transaction that anchors a batch.
type Anchor struct {
	Gas       uint64
	FeePerGas *big.Int // base fee and tip, wei
	Data      *DataFee // nil: an L1
	Size      int      // of the signed transaction after FastLZ; for Data
}

// Wei returns what the transaction costs.
func (a Anchor) Wei() *big.Int {
	wei := new(big.Int).Mul(new(big.Int).SetUint64(a.Gas), a.FeePerGas)
	if a.Data != nil {
		wei.Add(wei, a.Data.Wei(a.Size))
	}
	return wei
}

// PerThousand returns the wei for 1,000 messages where so many messages cost so much together, or nil where
// there are no messages.
func PerThousand(wei *big.Int, messages uint64) *big.Rat {
	if messages == 0 {
		return nil
	}
	return new(big.Rat).SetFrac(new(big.Int).Mul(wei, big.NewInt(1000)), new(big.Int).SetUint64(messages))
}

// TargetWei returns how much wei so many dollars are at a price of ether, which is in dollars and over 0.
func TargetWei(dollars, price *big.Rat) *big.Rat {
	wei := new(big.Rat).Quo(dollars, price)
	return wei.Mul(wei, new(big.Rat).SetInt(Ether))
}

// Dollars returns what wei are worth at a price of ether in dollars.
func Dollars(wei, price *big.Rat) *big.Rat {
	d := new(big.Rat).Quo(wei, new(big.Rat).SetInt(Ether))
	return d.Mul(d, price)
}

// SmallestBatch returns from how many messages a batch on 1,000 messages cost less than target wei, where an
// anchor costs so much. The target is over 0. It returns false where no 64-bit number of messages is enough.
func SmallestBatch(anchor *big.Int, target *big.Rat) (messages uint64, ok bool) {
	all := new(big.Rat).Quo(PerThousand(anchor, 1), target)
	n := new(big.Int).Quo(all.Num(), all.Denom())
	n.Add(n, big.NewInt(1)) // less than the target, not equal
	return n.Uint64(), n.IsUint64()
}

// PriceBelow returns the price of ether, in dollars, below which 1,000 messages cost less than that many dollars
// where they cost so many wei, which are over 0.
func PriceBelow(wei, dollars *big.Rat) *big.Rat {
	p := new(big.Rat).Quo(dollars, wei)
	return p.Mul(p, new(big.Rat).SetInt(Ether))
}

// Spent adds up what batches cost.
type Spent struct {
	Batches  uint64 // of which the cost is known
	Messages uint64 // in them
	Gas      uint64
	Wei      *big.Int
	Unknown  uint64 // batches without a known cost: not anchored yet, or by a version that did not write it down
}

// Add counts a batch; a nil wei is a cost that is not known.
func (s *Spent) Add(messages, gas uint64, wei *big.Int) {
	if wei == nil {
		s.Unknown++
		return
	}
	if s.Wei == nil {
		s.Wei = new(big.Int)
	}
	s.Batches, s.Messages, s.Gas = s.Batches+1, s.Messages+messages, s.Gas+gas
	s.Wei.Add(s.Wei, wei)
}
