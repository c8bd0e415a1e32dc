package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/api"
)

// The IPFS node is on the network only if that is asked for, and keeps its peer ID.
func TestServeIPFS(t *testing.T) {
	s := startService(t)
	info := func() *api.IPFS {
		t.Helper()
		resp, err := http.Get(s.url + "/v1/info")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var i struct{ IPFS *api.IPFS }
		if err := json.NewDecoder(resp.Body).Decode(&i); err != nil {
			t.Fatal(err)
		}
		return i.IPFS
	}
	if got := info(); got != nil {
		t.Errorf("without --ipfs-listen it is at %+v", got)
	}
	if _, err := os.Stat(s.path("data/ipfs.key")); err == nil {
		t.Error("without --ipfs-listen there is a key")
	}
	s.stop()
	var peers [2]string
	for i := range peers {
		_, stop := s.serve("--ipfs-listen", "/ip4/127.0.0.1/tcp/0")
		got := info()
		stop()
		if got == nil || len(got.Addresses) != 1 || !strings.HasPrefix(got.Addresses[0], "/ip4/127.0.0.1/tcp/") || !strings.HasSuffix(got.Addresses[0], "/p2p/"+got.Peer) {
			t.Fatalf("it is at %+v", got)
		}
		peers[i] = got.Peer
	}
	if peers[0] != peers[1] {
		t.Errorf("peer %s after a restart, %s before", peers[1], peers[0])
	}
	if f, err := os.Stat(s.path("data/ipfs.key")); err != nil || f.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", f, err)
	}
	for want, args := range map[string][]string{
		"want IP and TCP":    {"--ipfs-listen", "/ip4/127.0.0.1/udp/0/quic-v1"},
		"want --ipfs-listen": {"--ipfs-announce", "/ip4/192.0.2.1/tcp/4001"},
	} {
		if _, errs := s.want(2, "", append([]string{"serve", "--dev", "--data", s.path("data"), "--listen", "127.0.0.1:0"}, args...)...); !strings.Contains(errs, want) {
			t.Errorf("%q: %s", args, errs)
		}
	}
}
