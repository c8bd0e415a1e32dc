package main

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// otherChain is a chain that mines by itself, and the configuration to anchor on it.
func otherChain(t *testing.T, id uint64) nodeConfig {
	t.Helper()
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	rich := new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))
	chain, err := devchain.Open(devchain.Config{ChainID: id, HTTPAddr: "127.0.0.1:0",
		Alloc: types.GenesisAlloc{common.Address(key.Address()): {Balance: rich}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- chain.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-done, chain.Close()); err != nil {
			t.Error(err)
		}
	})
	return nodeConfig{RPC: []string{chain.URL()}, ChainID: id, Signers: []signer.Signer{signer.FromKey(key)}, Deploy: true,
		Anchor: anchor.Config{Poll: devPoll}, Logger: discard()}
}

// TestOpenFold keeps a log on one chain and its heads on another, until a receipt carries both anchors.
func TestOpenFold(t *testing.T) {
	var log transcript
	own := nodeConfig{Dir: t.TempDir(), Promise: "promise", LogName: "main", Batch: batcher.Config{MaxAge: time.Second}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	w := newWaiter()
	other := otherChain(t, 20)
	same := other
	same.ChainID = 21
	own.Fold, own.Every = &same, time.Hour
	if _, err := openNode(t.Context(), own, w.notify); err == nil {
		t.Error("nodes of another chain than the one configured")
	}
	own.Fold = &other
	n, err := openNode(t.Context(), own, w.notify)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	b, err := os.ReadFile(filepath.Join(own.Dir, "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := proofs.ParseTrust(b)
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	loops := make(chan error, 1)
	go func() { loops <- n.Run(ctx) }()
	res := n.batcher.Submit(ctx, batcher.Submission{Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}, Message: proofs.Message{
		Log: n.chain.Log, Room: "room", Author: "zoom:Dan", Kind: "text/plain", Body: "to be folded", Salt: proofs.Hash{1}, SentAt: uint64(time.Now().UnixMilli()),
	}})[0]
	if res.Err != nil {
		t.Fatal(res.Err)
	}
	n.batcher.Flush()
	var rc *proofs.Receipt
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = w.until(limit, func() (bool, error) {
		rc, err = n.issuer.Receipt(limit, res.ID)
		return err == nil && rc.Fold != nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	r := proofs.Verify(rc.Format(), proofs.Options{Trust: trust, BlockHash: rc.Anchor.Block.Hash, FoldBlockHash: rc.Fold.Anchor.Block.Hash})
	if r.Verdict != proofs.Valid || r.Checks[proofs.V13].Status != proofs.Pass || rc.Fold.ChainID != 20 {
		t.Errorf("%s, %+v", r.Verdict, r.Checks[proofs.V13])
	}
	stop()
	if err := <-loops; err != nil {
		t.Error(err)
	}
	wantNamed(t, log.String())
}

// TestFoldWaits starts while the chain of the fold is silent: the log is kept, and heads are anchored once it
// answers.
func TestFoldWaits(t *testing.T) {
	other := otherChain(t, 20)
	behind, err := url.Parse(other.RPC[0])
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(behind)
	var answers atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	other.RPC = []string{front.URL}
	w := newWaiter()
	var log transcript
	own := nodeConfig{Dir: t.TempDir(), Promise: "promise", LogName: "main", Fold: &other, Logger: slog.New(slog.NewTextHandler(&log, nil))}
	n, err := openNode(t.Context(), own, w.notify)
	if err != nil {
		t.Fatal(err)
	}
	if !n.folding.waits || !strings.Contains(log.String(), "heads wait") {
		t.Errorf("it does not wait: %s", &log)
	}
	ctx, stop := context.WithCancel(t.Context())
	loops := make(chan error, 1)
	go func() { loops <- n.Run(ctx) }()
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = w.until(limit, func() (bool, error) { return strings.Count(log.String(), "cannot be opened yet") > 1, nil })
	if err != nil {
		t.Errorf("it does not ask again: %v", err)
	}
	answers.Store(true)
	err = w.until(limit, func() (bool, error) {
		head, err := anchor.ReadHead(limit, n.folding.nodes, n.folding.chain)
		return err == nil && !head.Submitter.IsZero(), nil // there is no contract at first
	})
	stop()
	if err := errors.Join(err, <-loops, n.Close()); err != nil {
		t.Error(err)
	}
}

// TestFoldEnds has a log of heads that none of the keys may write to any more: the folded log goes on.
func TestFoldEnds(t *testing.T) {
	own := nodeConfig{Dir: t.TempDir(), Promise: "promise", LogName: "main", Logger: discard()}
	other := otherChain(t, 20)
	own.Fold, own.Every = &other, time.Hour
	w := newWaiter()
	n, err := openNode(t.Context(), own, w.notify)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}()
	cfg := n.folding.anchorConfig(other)
	cfg.Store, cfg.Log.Log = anchorStore{n.folding.db, func() {}}, proofs.Hash{1} // nobody's log
	if n.folding.anchorer, err = anchor.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := n.folding.anchorer.Step(t.Context()); !errors.Is(err, anchor.ErrFatal) {
		t.Fatalf("the log of heads: %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Second)
	defer stop()
	if err := n.Run(ctx); err != nil || ctx.Err() == nil {
		t.Errorf("the node ended: %v", err)
	}
}

// wantNamed wants the lines about the log of heads, and no others, to name its chain.
func wantNamed(t *testing.T, log string) {
	t.Helper()
	for line := range strings.Lines(log) {
		if heads := strings.Contains(line, "fold_chain=20"); strings.Contains(line, "head sealed") && !heads || strings.Contains(line, "batch pinned") && heads {
			t.Errorf("of which chain: %s", line)
		}
	}
	if n := strings.Count(log, "batch finalized"); n < 2 || strings.Count(log, "fold_chain=20") < 3 {
		t.Errorf("%d batches finalized: %s", n, log)
	}
}
