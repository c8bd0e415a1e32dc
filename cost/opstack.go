package cost

import "math/big"

// The constants of the OP Stack's Fjord upgrade: specs, "L2 Execution Engine", "Fjord L1-Cost fee changes
// (FastLZ estimator)". They are scaled by 1e6.
const (
	fjordIntercept = -42_585_600
	fjordCoef      = 836_500
	fjordMinSize   = 100 * 1_000_000
)

// The scalars of OP Mainnet in its block 124,665,056 of September 2024. Each chain sets its own and changes
// them: GasPriceOracle's baseFeeScalar() and blobBaseFeeScalar() say the present ones.
const (
	DefaultBaseFeeScalar     = 5_227
	DefaultBlobBaseFeeScalar = 1_014_213
)

// DataFee says what an L2 of the OP stack charges, beside its own gas, for publishing a transaction on L1.
type DataFee struct {
	BaseFeeScalar     uint64   // scaled by 1e6
	BlobBaseFeeScalar uint64   // scaled by 1e6
	L1BaseFee         *big.Int // wei per unit of gas on L1
	BlobBaseFee       *big.Int // wei per unit of blob gas on L1
}

// Wei returns the data fee of a transaction whose signed bytes FastLZ compresses to size bytes, as of Fjord.
// The operator fee of Isthmus, where a chain charges one, is not in it.
func (d DataFee) Wei(size int) *big.Int {
	scaled := max(fjordMinSize, fjordIntercept+fjordCoef*int64(size))
	fee := new(big.Int).Mul(new(big.Int).SetUint64(16*d.BaseFeeScalar), d.L1BaseFee)
	fee.Add(fee, new(big.Int).Mul(new(big.Int).SetUint64(d.BlobBaseFeeScalar), d.BlobBaseFee))
	fee.Mul(fee, big.NewInt(scaled))
	return fee.Quo(fee, big.NewInt(1_000_000_000_000))
}

// LeastBlobBaseFee returns the price under which blob gas does not stay at that base fee of L1: EIP-7918 raises it
// until a blob costs as much as 2^13 units of gas, which is a sixteenth of the base fee for each unit of blob gas.
func LeastBlobBaseFee(l1BaseFee *big.Int) *big.Int {
	return new(big.Int).Quo(l1BaseFee, big.NewInt(16))
}

const (
	flzWindow   = 1<<13 - 1 // farthest match
	flzTail     = 13        // bytes at the end in which no match begins
	flzBound    = 4         // bytes at the end that no match reaches
	flzLiterals = 32        // bytes behind one control byte
	flzLongest  = 262       // length that three bytes can say, less two
)

// FastLZSize returns how long FastLZ, level 1, makes the data: the size that Fjord's data fee counts.
// https://github.com/ariya/FastLZ
func FastLZSize(data []byte) int {
	var seen [1 << 13]int // by hash of three bytes: where they were last
	word := func(i int) uint32 { return uint32(data[i]) | uint32(data[i+1])<<8 | uint32(data[i+2])<<16 }
	look := func(i int) (last int) {
		h := word(i) * 2654435769 >> 19
		last, seen[h] = seen[h], i
		return last
	}
	size, from := 0, 0 // from: the first byte that is not in size
	for at := 2; at+1 < len(data)-flzTail; at++ {
		last := look(at)
		if at-last > flzWindow || word(at) != word(last) {
			continue
		}
		n := 0 // bytes that are compared after the first three; the first that differs is among them
		for end := len(data) - flzBound; at+3+n < end; {
			n++
			if data[last+2+n] != data[at+2+n] {
				break
			}
		}
		size += literalsSize(at-from) + matchSize(n)
		look(at + n)
		look(at + n + 1)
		from = at + n + 2
		at = from - 1
	}
	return size + literalsSize(len(data)-from)
}

func literalsSize(n int) int { return n + (n+flzLiterals-1)/flzLiterals }

func matchSize(n int) int {
	n--
	size := n / flzLongest * 3
	if n%flzLongest < 6 {
		return size + 2
	}
	return size + 3
}
