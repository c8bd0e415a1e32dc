package proofs

import "math/bits"

// RangeTree holds every node of a mountain range by height: level 0 are the batch hashes in order. It
// answers for each count that the range went through. The zero RangeTree is empty.
type RangeTree [][]Hash

// Count returns how many batches the tree holds.
func (t RangeTree) Count() uint64 {
	if len(t) == 0 {
		return 0
	}
	return uint64(len(t[0]))
}

// Append adds the hash of the next batch.
func (t *RangeTree) Append(hash Hash) {
	for height := 0; ; height++ {
		if height == len(*t) {
			*t = append(*t, nil)
		}
		row := append((*t)[height], hash)
		(*t)[height] = row
		if len(row)%2 == 1 {
			return
		}
		hash = HashNode(row[len(row)-2], hash)
	}
}

// Peaks returns the peaks over the first count batches, highest first. It panics if the tree holds
// fewer.
func (t RangeTree) Peaks(count uint64) []Hash {
	peaks := make([]Hash, 0, bits.OnesCount64(count))
	for height := bits.Len64(count) - 1; height >= 0; height-- {
		if count>>height&1 == 1 {
			peaks = append(peaks, t[height][count>>height-1])
		}
	}
	return peaks
}

// Prove returns the path of batch number to its peak over the first count batches. It panics unless
// number < count and the tree holds count batches.
func (t RangeTree) Prove(number, count uint64) []Hash {
	path := make([]Hash, peakHeight(number, count))
	for k := range path {
		path[k] = t[k][number>>k^1]
	}
	return path
}
