//go:build kubo

package ipfs

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
)

// start runs the daemon until the test ends. Its profile has it listen on free ports of loopback and know no peer.
func (k *kubo) start() {
	k.t.Helper()
	for _, set := range [][]string{
		{"config", "Routing.Type", "none"}, {"config", "--json", "Version.SwarmCheckEnabled", "false"},
	} {
		k.run(set...)
	}
	cmd := k.command("daemon")
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { // the context of the test has ended it
		if err := cmd.Wait(); err == nil {
			k.t.Error("the daemon ended by itself")
		}
	})
	ready := false
	for lines := bufio.NewScanner(out); !ready && lines.Scan(); {
		ready = strings.Contains(lines.Text(), "Daemon is ready")
	}
	if !ready {
		k.t.Fatal("the daemon did not start")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	k.online = true
}

// A stock node that knows nothing but our address fetches a batch and those before it over Bitswap, and holds them
// when we are gone.
func TestKuboFetchesOverBitswap(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	chain := newTestChain(t, newRand(t), 2, 700, 2500)
	keepTest(t, n, chain...)
	first, second := chain[0], chain[1]
	h := serveTest(t, n)
	k := newKubo(t)
	k.start()
	if peers := k.lines("swarm", "peers"); len(peers) != 0 {
		t.Fatalf("the node has peers: %q", peers)
	}
	if out, err := k.try("block", "get", "--timeout=2s", first.cid()); err == nil {
		t.Fatalf("the node has %d bytes of the manifest before it knows us", len(out))
	}
	k.run("swarm", "connect", h.Addresses()[0])
	if got := k.run("block", "get", "--timeout=30s", second.cid()); got != string(second.blocks[len(second.blocks)-1]) {
		t.Fatalf("manifest: Kubo got %d bytes", len(got))
	}
	if got := strings.TrimSpace(k.run("dag", "get", "--timeout=30s", second.cid()+"/prev/size")); got != "700" {
		t.Errorf("size of the batch before: %s", got)
	}
	if out, err := k.try("block", "get", "--timeout=2s", proofs.FormatCID(proofs.Hash{1})); err == nil {
		t.Errorf("Kubo got %d bytes of a block that is nowhere", len(out))
	}
	begin := time.Now()
	k.run("pin", "add", "--timeout=60s", "--recursive", second.cid())
	t.Logf("pinned %d blocks in %s", len(first.blocks)+len(second.blocks), time.Since(begin).Round(time.Millisecond))
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	k.holds(first, second)
}

// holds checks that the daemon gives every block of the batches back, and pins the newest.
func (k *kubo) holds(batches ...*testBatch) {
	k.t.Helper()
	var all [][]byte
	newest := batches[len(batches)-1]
	for _, b := range batches {
		for i, c := range b.cids() {
			if got := k.run("block", "get", "--timeout=5s", c); got != string(b.blocks[i]) {
				k.t.Errorf("block %s: Kubo gives back %d bytes of %d", c, len(got), len(b.blocks[i]))
			}
		}
		all = append(all, b.blocks...)
	}
	if pins := k.lines("pin", "ls", "--type=recursive", "--quiet"); !slices.Contains(pins, newest.cid()) {
		k.t.Errorf("pins of Kubo: %q, want %s among them", pins, newest.cid())
	}
	k.checkStat(newest.cid(), all)
}

// A stock node imports our CAR files, and gives out CAR files that our store takes.
func TestKuboImportsCAR(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	chain := newTestChain(t, newRand(t), 2, 300, 2500)
	keepTest(t, n, chain...)
	k := newKubo(t)
	k.start()
	var files []string
	for _, b := range chain {
		files = append(files, n.cars.path(cidOf(b.digest)))
	}
	if out := k.run("dag", "import", "--pin-roots=false", files[0]); strings.Contains(out, "error") {
		t.Fatal(out)
	}
	k.run("dag", "import", files[1])
	k.holds(chain...)

	exported := filepath.Join(t.TempDir(), "exported.car")
	if err := os.WriteFile(exported, []byte(k.run("dag", "export", "--progress=false", chain[0].cid())), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := scan(exported, cidOf(chain[0].digest))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != len(chain[0].blocks) {
		t.Errorf("the exported CAR has %d blocks, want %d", len(found), len(chain[0].blocks))
	}
}

// Our client reads the same from a stock node's trustless gateway as from ours.
func TestKuboGateway(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	chain := newTestChain(t, newRand(t), 2, 300, 2500)
	keepTest(t, n, chain...)
	handler, err := n.Gateway()
	if err != nil {
		t.Fatal(err)
	}
	ours := httptest.NewServer(handler)
	defer ours.Close()
	k := newKubo(t)
	k.start()
	k.run("dag", "import", "--pin-roots=false", n.cars.path(cidOf(chain[0].digest)))
	k.run("dag", "import", n.cars.path(cidOf(chain[1].digest)))
	at, err := os.ReadFile(filepath.Join(k.dir, "gateway"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := gateway.New([]string{strings.TrimSpace(string(at))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	us, err := gateway.New([]string{ours.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range slices.Concat(chain[0].blocks, chain[1].blocks) {
		digest := proofs.BlockDigest(block)
		a, err := theirs.Block(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		b, err := us.Block(t.Context(), digest)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, block) || !bytes.Equal(b, block) {
			t.Errorf("block %s: %d bytes, Kubo gives %d and we %d", proofs.FormatCID(digest), len(block), len(a), len(b))
		}
	}
}
