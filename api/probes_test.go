package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// A batch says what others held of its payload, and info where peers reach the IPFS node: only where there is something.
func TestProbes(t *testing.T) {
	at := &api.IPFS{Peer: "12D3KooW", Addresses: []string{"/dns4/hansard.example.org/tcp/4001/p2p/12D3KooW"}}
	s := newService(t, func(s *service, with *setup) {
		with.api.Probes = s.db.Probes
		with.api.IPFS = func() *api.IPFS { return at }
	})
	for range 2 {
		s.submit(signed(t, "kept?"))
		s.seal()
	}
	probes := []proofs.Probe{
		{Batch: 1, Source: "a.example", Time: clock, Blocks: 7, OK: true},
		{Batch: 1, Source: "b.example", Time: clock + 1, Blocks: 2, Why: "manifest: it does not have the block"},
	}
	if err := s.db.SetProbes(t.Context(), probes); err != nil {
		t.Fatal(err)
	}
	type batch struct{ Probes []map[string]any }
	want := []map[string]any{
		{"source": "a.example", "time": "1795254640000", "blocks": "7", "ok": true},
		{"source": "b.example", "time": "1795254640001", "blocks": "2", "ok": false, "why": "manifest: it does not have the block"},
	}
	if diff := cmp.Diff(want, decode[batch](t, s.want(s.call("GET", "/v1/batches/1", ""), http.StatusOK)).Probes); diff != "" {
		t.Errorf("probes (-want +got):\n%s", diff)
	}
	if got := decode[batch](t, s.want(s.call("GET", "/v1/batches/0", ""), http.StatusOK)).Probes; got != nil {
		t.Errorf("nobody was asked for batch 0, it says %v", got)
	}
	c, err := client.New(s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Batch(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(probes, b.Probes); diff != "" {
		t.Errorf("the client reads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(at, decode[struct{ IPFS *api.IPFS }](t, s.call("GET", "/v1/info", "")).IPFS); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	if got := decode[map[string]any](t, newService(t, nil).call("GET", "/v1/info", ""))["ipfs"]; got != nil {
		t.Errorf("on no network, it says %v", got)
	}
}
