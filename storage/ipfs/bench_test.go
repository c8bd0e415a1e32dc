package ipfs

import (
	"math/rand/v2"
	"testing"
)

// A batch of 10,000 entries of about a kilobyte, kept as a CAR file and pinned on top of the one before.
func BenchmarkKeep(b *testing.B) {
	n := openTest(b, b.TempDir())
	defer closeTest(b, n)
	rng := rand.New(rand.NewPCG(1, 1))
	var prev *testBatch
	for b.Loop() {
		b.StopTimer()
		batch := newTestBatch(b, rng, prev, 10_000, 1000)
		size := 0
		for _, block := range batch.blocks {
			size += len(block)
		}
		b.SetBytes(int64(size))
		b.StartTimer()
		keepTest(b, n, batch)
		prev = batch
	}
}

// The cost of a pin on top of a history of 500 batches.
func BenchmarkPinOnHistory(b *testing.B) {
	n := openTest(b, b.TempDir())
	defer closeTest(b, n)
	rng := rand.New(rand.NewPCG(1, 1))
	var prev *testBatch
	next := func() *testBatch {
		prev = newTestBatch(b, rng, prev, 10, 300)
		putTest(b, n, prev)
		return prev
	}
	for range 500 {
		pinTest(b, n, next())
	}
	for b.Loop() {
		b.StopTimer()
		batch := next()
		b.StartTimer()
		pinTest(b, n, batch)
	}
}
