//go:build faulty

package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// newServer returns the server of an operator that breaks its promises as HANSARD_FAULT says, for the tests of
// tools/scenarios:
//
//	drop      promises a message with "(drop)" in its words the next place, and does not keep it
//	swap      keeps two messages with "(swap)" in their words each in the place that it promised to the other
//	late      anchors nothing before there is a file "release" in the data directory
//	withhold  anchors, and shows nobody what
func newServer(n *node, cfg nodeConfig, c api.Config) *http.Server {
	switch fault := os.Getenv("HANSARD_FAULT"); fault {
	case "":
	case "drop", "swap":
		c.Batcher = newLiar(n, cfg, fault)
	case "late":
		n.pinner = pinInto(n, cfg, heldNode{n.ipfs, filepath.Join(cfg.Dir, "release")})
	case "withhold":
		n.pinner, n.answerer, c.Promises = pinInto(n, cfg, noNode{}), nil, nil
		server := api.NewServer(c)
		server.Handler = withhold(server.Handler)
		return server
	default:
		panic(fmt.Sprintf("there is no HANSARD_FAULT %q", fault))
	}
	return api.NewServer(c)
}

func pinInto(n *node, cfg nodeConfig, to payload.Node) *payload.Pinner {
	return payload.New(payload.Config{
		Log: n.chain.Log, Store: n.db, Node: to, Pinned: func() { n.anchorer.Wake() }, Logger: cfg.Logger,
	})
}

// heldNode pins nothing before the file is there; what is not pinned is not anchored.
type heldNode struct {
	*ipfs.Node
	release string
}

func (h heldNode) Keep(ctx context.Context, name string, write func(func([]byte) error) (proofs.Hash, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(h.release); err == nil {
			return h.Node.Keep(ctx, name, write)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// noNode forgets what it is given.
type noNode struct{}

func (noNode) Keep(_ context.Context, _ string, write func(func([]byte) error) (proofs.Hash, error)) error {
	_, err := write(func([]byte) error { return nil })
	return err
}

// withhold answers for no message and no payload.
func withhold(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/messages/") || strings.HasPrefix(r.URL.Path, "/ipfs/") {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// liar takes messages and promises some of them places that they do not get.
type liar struct {
	honest *batcher.Batcher
	fault  string
	shadow func() *batcher.Batcher // starts a batcher that goes on from where the log ends, and keeps nothing

	mu   sync.Mutex          // held while messages are taken; guards both below
	held *batcher.Submission // the first of two that are swapped
	lies *batcher.Batcher    // that promised held its place
}

func newLiar(n *node, cfg nodeConfig, fault string) *liar {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	n.close = append(n.close, func() error { stop(); running.Wait(); return nil })
	b := cfg.Batch
	b.Chain, b.Store, b.Recover, b.Logger, b.NotBefore = n.chain, forgetful{n.db}, identity.Recover, discard(), n.notBefore
	return &liar{honest: n.batcher, fault: fault, shadow: func() *batcher.Batcher {
		s, err := batcher.New(b)
		if err != nil {
			panic(err) // the same configuration as the honest one's
		}
		running.Go(func() { s.Run(ctx) }) //nolint:errcheck // its answers say it
		return s
	}}
}

// Submit takes messages one by one: honestly, unless their words ask for the fault.
func (l *liar) Submit(ctx context.Context, subs ...batcher.Submission) (results []batcher.Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range subs {
		take := l.honest.Submit
		if strings.Contains(s.Message.Body, "("+l.fault+")") {
			take = map[string]func(context.Context, ...batcher.Submission) []batcher.Result{"drop": l.drop, "swap": l.swap}[l.fault]
		}
		results = append(results, take(ctx, s)...)
	}
	return results
}

func (l *liar) drop(ctx context.Context, s ...batcher.Submission) []batcher.Result {
	return l.shadow().Submit(ctx, s...)
}

func (l *liar) swap(ctx context.Context, s ...batcher.Submission) []batcher.Result {
	if l.held == nil {
		l.held, l.lies = &s[0], l.shadow()
		return l.lies.Submit(ctx, s...)
	}
	results := l.lies.Submit(ctx, s...)
	for _, kept := range l.honest.Submit(ctx, s[0], *l.held) {
		if kept.Err != nil {
			return []batcher.Result{kept}
		}
	}
	l.held = nil
	return results
}

// forgetful reads the log and writes nothing.
type forgetful struct{ *storage.DB }

func (forgetful) Append(context.Context, proofs.Tail, []proofs.Accepted) error { return nil }
func (forgetful) Seal(context.Context, proofs.Sealed, proofs.Tree) error       { return nil }
