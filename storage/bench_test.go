package storage_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// signed returns n signed messages of 64 authors with bodies of 200 bytes.
func signed(b *testing.B, n int) []batcher.Submission {
	b.Helper()
	subs := make([]batcher.Submission, n)
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < n; i += runtime.GOMAXPROCS(0) {
				key := author(i % 64)
				m := proofs.Message{
					Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%16)), Author: proofs.Author(key.Address().String()),
					SentAt: 1_795_254_630_000, Kind: "text/plain", Body: fmt.Sprintf("%0200d", i),
					Salt: proofs.Keccak(fmt.Appendf(nil, "salt %d", i)),
				}
				e, err := key.SignMessage(chain.MessageDomain(), &m)
				if err != nil {
					panic(err)
				}
				subs[i] = batcher.Submission{Message: m, Evidence: e}
			}
		})
	}
	wg.Wait()
	return subs
}

// verifyRate returns how many signatures a second all cores recover and do nothing else.
func verifyRate(subs []batcher.Submission) float64 {
	domain := chain.MessageDomain()
	ids := make([]proofs.Hash, len(subs))
	for i := range subs {
		ids[i] = domain.MessageID(&subs[i].Message)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(subs)); i = next.Add(1) - 1 {
				s, err := proofs.ParseSignature(subs[i].Evidence.Bytes)
				if err != nil {
					panic(err)
				}
				if _, err := identity.Recover(ids[i], s); err != nil {
					panic(err)
				}
			}
		})
	}
	wg.Wait()
	return float64(len(subs)) / time.Since(start).Seconds()
}

// BenchmarkIntake measures durable intake through the Go API against the rate at which the same
// cores recover the same signatures in the same run. Sub-benchmarks differ in what a caller does
// with the answer: sign its promise or not.
func BenchmarkIntake(b *testing.B) {
	for _, promise := range []bool{false, true} {
		b.Run(fmt.Sprintf("promise=%v", promise), func(b *testing.B) {
			const n = 60_000
			subs := signed(b, n)
			operator := author(99)
			domain := chain.PromiseDomain()
			for b.Loop() {
				b.StopTimer()
				limit := verifyRate(subs)
				l := newTestLog(b, batcher.Config{MaxMessages: 4096})
				b.StartTimer()
				start := time.Now()
				submitAll(subs, 2048, func(s batcher.Submission) {
					r := l.b.Submit(context.Background(), s)[0]
					if r.Err != nil {
						panic(r.Err)
					}
					if promise {
						p := r.Accepted.Promise()
						if _, err := operator.SignDigest(domain.PromiseDigest(&p)); err != nil {
							panic(err)
						}
					}
				})
				rate := n / time.Since(start).Seconds()
				b.StopTimer()
				limit = (limit + verifyRate(subs)) / 2
				b.ReportMetric(rate, "messages/s")
				b.ReportMetric(rate/limit*100, "%ofverify")
				l.stop()
				b.StartTimer()
			}
		})
	}
}

func submitAll(subs []batcher.Submission, callers int, f func(batcher.Submission)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(subs)); i = next.Add(1) - 1 {
				f(subs[i])
			}
		})
	}
	wg.Wait()
}

// BenchmarkIntakeLatency measures the time of a Submit at half of the rate of BenchmarkIntake, with
// arrivals at fixed times whatever the answers do.
func BenchmarkIntakeLatency(b *testing.B) {
	const n = 40_000
	subs := signed(b, n)
	for b.Loop() {
		rate := verifyRate(subs) * 0.35
		l := newTestLog(b, batcher.Config{MaxMessages: 4096})
		took := make([]time.Duration, n)
		var wg sync.WaitGroup
		start := time.Now()
		for i := range subs {
			due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			if d := time.Until(due); d > time.Millisecond {
				time.Sleep(d)
			}
			wg.Go(func() {
				if r := l.b.Submit(context.Background(), subs[i])[0]; r.Err != nil {
					panic(r.Err)
				}
				took[i] = time.Since(due)
			})
		}
		wg.Wait()
		slices.Sort(took)
		b.ReportMetric(rate, "messages/s")
		b.ReportMetric(float64(took[n/2].Microseconds())/1000, "p50-ms")
		b.ReportMetric(float64(took[n*99/100].Microseconds())/1000, "p99-ms")
		l.stop()
	}
}
