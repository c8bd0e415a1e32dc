// Package bench measures what a user of Hansard feels: durable intake, sealing, proofs from disk. It
// serves hansard bench and the benchmarks of this package alike, so that both mean the same.
//
// Rates are given as a share of a limit measured in the same run, because machines and their other
// tenants differ.
package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// Chain is the log of the measurements.
var Chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xbe}, Log: proofs.Keccak([]byte("bench"))}

const (
	authors   = 64
	rooms     = 16
	bodyBytes = 200  // about a chat message
	inFlight  = 4096 // messages that callers wait for at once
)

// cores runs f on every core with the core's number.
func cores(f func(core int)) {
	var wg sync.WaitGroup
	for core := range runtime.GOMAXPROCS(0) {
		wg.Go(func() { f(core) })
	}
	wg.Wait()
}

// message returns the i-th message, unsigned.
func message(i int, author proofs.Author) proofs.Message {
	return proofs.Message{
		Log: Chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%rooms)), Author: author,
		SentAt: 1_795_254_630_000, Kind: "text/plain", Body: fmt.Sprintf("%0*d", bodyBytes, i),
		Salt: proofs.Keccak(fmt.Appendf(nil, "salt %d", i)),
	}
}

// Signed returns n messages signed by 64 wallets.
func Signed(n int) ([]batcher.Submission, error) {
	keys := make([]*identity.Key, authors)
	for i := range keys {
		var err error
		if keys[i], err = identity.GenerateKey(); err != nil {
			return nil, err
		}
	}
	subs := make([]batcher.Submission, n)
	var failed atomic.Pointer[error]
	cores(func(core int) {
		for i := core; i < n; i += runtime.GOMAXPROCS(0) {
			key := keys[i%authors]
			m := message(i, proofs.Author(key.Address().String()))
			e, err := key.SignMessage(Chain.MessageDomain(), &m)
			if err != nil {
				failed.Store(&err)
				return
			}
			subs[i] = batcher.Submission{Message: m, Evidence: e}
		}
	})
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return subs, nil
}

// VerifyRate returns how many of the signatures a second all cores recover while they do nothing
// else: the limit of intake.
func VerifyRate(subs []batcher.Submission) (float64, error) {
	domain := Chain.MessageDomain()
	ids := make([]proofs.Hash, len(subs))
	for i := range subs {
		ids[i] = domain.MessageID(&subs[i].Message)
	}
	var failed atomic.Pointer[error]
	start := time.Now()
	cores(func(core int) {
		for i := core; i < len(subs); i += runtime.GOMAXPROCS(0) {
			s, err := proofs.ParseSignature(subs[i].Evidence.Bytes)
			if err == nil {
				_, err = identity.Recover(ids[i], s)
			}
			if err != nil {
				failed.Store(&err)
				return
			}
		}
	})
	took := time.Since(start)
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return float64(len(subs)) / took.Seconds(), nil
}

// log is a batcher on a store in a directory, running.
type log struct {
	db      *storage.DB
	batcher *batcher.Batcher
	sealed  chan struct{}
	stop    func() error
}

func open(dir string, maxMessages uint64) (*log, error) {
	db, err := storage.Open(storage.Config{Dir: dir, Chain: Chain})
	if err != nil {
		return nil, err
	}
	l := &log{db: db, sealed: make(chan struct{}, 1024)}
	l.batcher, err = batcher.New(batcher.Config{
		Chain: Chain, Store: db, MaxMessages: maxMessages, Recover: identity.Recover,
		Sealed: func() { l.sealed <- struct{}{} }, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.batcher.Run(ctx) }()
	l.stop = func() error {
		cancel()
		if err := <-done; err != nil {
			return err
		}
		return db.Close()
	}
	return l, nil
}

// Intake submits every message, perCall of them a call, from as many callers as keep 4,096 messages in
// flight but at most 1,024, and returns messages a second from the first call to the last
// acknowledgement. With promises each caller also signs the promises for its messages.
func Intake(dir string, subs []batcher.Submission, perCall int, promises bool) (float64, error) {
	l, err := open(dir, batcher.DefaultMaxMessages)
	if err != nil {
		return 0, err
	}
	operator, err := identity.GenerateKey()
	if err != nil {
		return 0, err
	}
	domain := Chain.PromiseDomain()
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	step := int64(perCall)
	for range min(1024, inFlight/perCall) {
		wg.Go(func() {
			for i := next.Add(step) - step; i < int64(len(subs)); i = next.Add(step) - step {
				for _, r := range l.batcher.Submit(context.Background(), subs[i:min(i+step, int64(len(subs)))]...) {
					if r.Err == nil && promises {
						p := r.Accepted.Promise()
						_, r.Err = operator.SignDigest(domain.PromiseDigest(&p))
					}
					if r.Err != nil {
						failed.Store(&r.Err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	rate := float64(len(subs)) / time.Since(start).Seconds()
	if err := failed.Load(); err != nil {
		return 0, *err
	}
	return rate, l.stop()
}

// Latency submits the messages at the rate, one every so often whatever the answers do, and returns
// how long an acknowledgement took from when its message was due: the median and the 99th of 100.
func Latency(dir string, subs []batcher.Submission, rate float64) (p50, p99 time.Duration, err error) {
	l, err := open(dir, batcher.DefaultMaxMessages)
	if err != nil {
		return 0, 0, err
	}
	took := make([]time.Duration, len(subs))
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	start := time.Now()
	for i := range subs {
		due := start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		if d := time.Until(due); d > time.Millisecond { // timers are no finer than that
			time.Sleep(d)
		}
		wg.Go(func() {
			if r := l.batcher.Submit(context.Background(), subs[i])[0]; r.Err != nil {
				failed.Store(&r.Err)
			}
			took[i] = time.Since(due)
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return 0, 0, *err
	}
	slices.Sort(took)
	return took[len(took)/2], took[len(took)*99/100], l.stop()
}

// Seal fills a pool with n unsigned messages and returns how long sealing it took, from the wish to the
// batch and its tree on disk.
func Seal(dir string, n int) (time.Duration, error) {
	l, err := open(dir, uint64(n)+1)
	if err != nil {
		return 0, err
	}
	const chunk = 1000
	for at := 0; at < n; at += chunk {
		subs := make([]batcher.Submission, min(chunk, n-at))
		for i := range subs {
			subs[i] = batcher.Submission{Message: message(at+i, "zoom:Bench"), Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}}
		}
		for _, r := range l.batcher.Submit(context.Background(), subs...) {
			if r.Err != nil {
				return 0, r.Err
			}
		}
	}
	start := time.Now()
	l.batcher.Flush()
	<-l.sealed
	return time.Since(start), l.stop()
}

// Prove opens a directory that Seal left and returns the mean time of an inclusion proof at random
// positions of its batch, read from disk and verified outside the measured time.
func Prove(dir string, count int) (time.Duration, error) {
	db, err := storage.Open(storage.Config{Dir: dir, Chain: Chain})
	if err != nil {
		return 0, err
	}
	ctx := context.Background()
	b, err := db.Batch(ctx, 0)
	if err != nil {
		return 0, err
	}
	entries, err := db.Read(ctx, 0, b.Size)
	if err != nil {
		return 0, err
	}
	var total time.Duration
	for range count {
		position := rand.Uint64N(b.Size)
		start := time.Now()
		proof, err := db.Prove(ctx, b.Batch, position)
		total += time.Since(start)
		if err == nil {
			err = proofs.VerifyInclusion(proof, entries[position].Leaf, position, b.Size, b.Root)
		}
		if err != nil {
			return 0, err
		}
	}
	return total / time.Duration(count), db.Close()
}

// Verify returns the mean time of verifying the receipt.
func Verify(receipt []byte, o proofs.Options, count int) time.Duration {
	start := time.Now()
	for range count {
		proofs.Verify(receipt, o)
	}
	return time.Since(start) / time.Duration(count)
}
