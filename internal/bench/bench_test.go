package bench_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hansard-dao/hansard/internal/bench"
	"github.com/hansard-dao/hansard/proofs"
)

// BenchmarkIntake reports durable intake as a share of the rate at which the same cores recover the
// same signatures, measured before and after.
func BenchmarkIntake(b *testing.B) {
	subs, err := bench.Signed(60_000)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		perCall  int
		promises bool
	}{{16, false}, {16, true}, {1, false}} {
		b.Run(fmt.Sprintf("percall=%d/promises=%v", c.perCall, c.promises), func(b *testing.B) {
			var rates, shares []float64
			for b.Loop() {
				before, err := bench.VerifyRate(subs)
				if err != nil {
					b.Fatal(err)
				}
				rate, err := bench.Intake(b.TempDir(), subs, c.perCall, c.promises)
				if err != nil {
					b.Fatal(err)
				}
				after, err := bench.VerifyRate(subs)
				if err != nil {
					b.Fatal(err)
				}
				rates, shares = append(rates, rate), append(shares, 100*rate/((before+after)/2))
			}
			b.ReportMetric(median(rates), "messages/s")
			b.ReportMetric(median(shares), "%ofverify")
			b.ReportMetric(slices.Max(shares), "%ofverify-max")
		})
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// BenchmarkLatency reports acknowledgement times at half of 70 % of the rate of verification.
func BenchmarkLatency(b *testing.B) {
	subs, err := bench.Signed(40_000)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		limit, err := bench.VerifyRate(subs)
		if err != nil {
			b.Fatal(err)
		}
		p50, p99, err := bench.Latency(b.TempDir(), subs, limit*0.35)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(limit*0.35, "messages/s")
		b.ReportMetric(p50.Seconds()*1000, "p50-ms")
		b.ReportMetric(p99.Seconds()*1000, "p99-ms")
	}
}

// BenchmarkSealAndProve reports the sealing of 100,000 entries and proofs from the batch.
func BenchmarkSealAndProve(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		took, err := bench.Seal(dir, 100_000)
		if err != nil {
			b.Fatal(err)
		}
		proof, err := bench.Prove(dir, 20_000)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(took.Seconds()*1000, "seal-ms")
		b.ReportMetric(float64(proof.Nanoseconds())/1000, "proof-us")
	}
}

// BenchmarkVerify verifies a finalized receipt that carries two signatures and a trie proof.
func BenchmarkVerify(b *testing.B) {
	read := func(name string) []byte {
		file, err := os.ReadFile(filepath.Join("../../testdata/receipts", name))
		if err != nil {
			b.Fatal(err)
		}
		return file
	}
	trust, err := proofs.ParseTrust(read("trust.json"))
	if err != nil {
		b.Fatal(err)
	}
	receipt := read("alice-finalized.receipt.json")
	rc, err := proofs.ParseReceipt(receipt)
	if err != nil {
		b.Fatal(err)
	}
	o := proofs.Options{Trust: trust, BlockHash: rc.Anchor.Block.Hash}
	if r := proofs.Verify(receipt, o); r.Verdict != proofs.Valid {
		b.Fatal(r.Verdict)
	}
	for b.Loop() {
		proofs.Verify(receipt, o)
	}
}
