package ipfs

import (
	"math/rand/v2"
	"path/filepath"
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

// BenchmarkServe is what going onto the network costs, and leaving it.
func BenchmarkServe(b *testing.B) {
	n := openTest(b, b.TempDir())
	defer closeTest(b, n)
	cfg := HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Key: filepath.Join(b.TempDir(), "ipfs.key")}
	for b.Loop() {
		h, err := n.Serve(cfg)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
}
