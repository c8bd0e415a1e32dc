package anchor

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// TestRun wakes a loop whose poll is far away.
func TestRun(t *testing.T) {
	h := newHarness(t)
	h.store.read = make(chan struct{})
	cfg := h.config()
	cfg.Poll = time.Hour
	a := h.configured(cfg)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	for range 5 {
		<-h.store.read
		a.Wake()
	}
	<-h.store.read
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}

// TestRunPauses has a node that hangs and is then gone: it is waited for ten seconds, the pause doubles
// up to a minute, and a wake does not cut it.
func TestRunPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &harness{T: t, calls: map[string]int{}, store: &memStore{t: t}}
		h.log = proofs.Chain{ChainID: 1, AnchorLog: ContractAddress(), Log: proofs.Hash{1}}
		var rounds []time.Duration
		start := time.Now()
		var a *Anchorer
		h.fault = func(r *request, _ func() []byte) ([]byte, error) {
			rounds = append(rounds, time.Since(start))
			a.Wake()
			if len(rounds) == 1 {
				<-r.ctx.Done()
			}
			return nil, errors.New("node is gone")
		}
		raw, err := rpc.DialOptions(t.Context(), "http://node.invalid", rpc.WithHTTPClient(h.httpClient()))
		if err != nil {
			t.Fatal(err)
		}
		h.client = ethclient.NewClient(raw)
		a = h.anchorer()
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
		defer cancel()
		if err := a.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
		var want []time.Duration
		for _, s := range []int{0, 13, 19, 31, 55, 103, 163, 223, 283, 343} {
			want = append(want, time.Duration(s)*time.Second)
		}
		if fmt.Sprint(rounds) != fmt.Sprint(want) {
			t.Errorf("rounds at %v, want %v", rounds, want)
		}
	})
}
