package ipfs

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/boxo/bitswap/message"
	pb "github.com/ipfs/boxo/bitswap/message/pb"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"

	"github.com/hansard-dao/hansard/proofs"
)

func serveTest(t *testing.T, n *Node) *Host {
	t.Helper()
	h, err := n.Serve(HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Key: filepath.Join(t.TempDir(), "ipfs.key")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// stranger is a libp2p host that may dial, and listens.
func stranger(t *testing.T) host.Host {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	id, err := peer.IDFromPrivateKey(key)
	must(err)
	peers, err := pstoremem.NewPeerstore()
	must(err)
	must(peers.AddPrivKey(id, key))
	must(peers.AddPubKey(id, key.GetPublic()))
	bus := eventbus.NewBus()
	dialer, err := swarm.NewSwarm(id, peers, bus)
	must(err)
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := noise.New(noise.ID, key, muxers)
	must(err)
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, &network.NullResourceManager{}, nil)
	must(err)
	transport, err := tcp.NewTCPTransport(up, nil, nil)
	must(err)
	must(dialer.AddTransport(transport))
	h, err := basichost.NewHost(dialer, &basichost.HostOpts{EventBus: bus})
	must(err)
	t.Cleanup(func() { h.Close() })
	must(dialer.Listen(multiaddr.StringCast("/ip4/127.0.0.1/tcp/0")))
	h.Start()
	return h
}

func connect(ctx context.Context, from host.Host, to *Host) error {
	info, err := peer.AddrInfoFromString(to.Addresses()[0])
	if err != nil {
		return err
	}
	return from.Connect(ctx, *info)
}

// heard collects what a Bitswap server answers.
type heard chan message.BitSwapMessage

func (c heard) ReceiveMessage(_ context.Context, _ peer.ID, m message.BitSwapMessage) { c <- m }
func (heard) ReceiveError(error)                                                      {}
func (heard) PeerConnected(peer.ID)                                                   {}
func (heard) PeerDisconnected(peer.ID)                                                {}

// ask wants the blocks, and returns those that the host gives and those that it says it does not have.
func ask(t *testing.T, h *Host, digests ...proofs.Hash) (got map[proofs.Hash][]byte, missing map[proofs.Hash]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	me, answers := stranger(t), make(heard, 64)
	bitswap := bsnet.NewFromIpfsHost(me)
	bitswap.Start(answers)
	defer bitswap.Stop()
	if err := connect(ctx, me, h); err != nil {
		t.Fatal(err)
	}
	want := message.New(true)
	for _, d := range digests {
		want.AddEntry(cidOf(d), 1, pb.Message_Wantlist_Block, true)
	}
	if err := bitswap.SendMessage(ctx, h.host.ID(), want); err != nil {
		t.Fatal(err)
	}
	got, missing = map[proofs.Hash][]byte{}, map[proofs.Hash]bool{}
	for len(got)+len(missing) < len(digests) {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d answered, %d of them missing", len(got)+len(missing), len(digests), len(missing))
		case m := <-answers:
			for _, b := range m.Blocks() {
				got[proofs.BlockDigest(b.RawData())] = b.RawData()
			}
			for _, c := range m.DontHaves() {
				digest, _ := sha256Of(c)
				missing[digest] = true
			}
		}
	}
	return got, missing
}

// A peer that never saw us gets every block byte for byte, from CAR files and loose, and is told what is not here: what
// was never put, what is damaged, and what is in a file that is gone.
func TestHostServes(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	rng := newRand(t)
	chain := newTestChain(t, rng, 2, 300, 4000)
	keepTest(t, n, chain...)
	loose := newTestBatch(t, rng, nil, 300, 4000)
	putTest(t, n, loose)
	h := serveTest(t, n)
	var digests []proofs.Hash
	want := map[proofs.Hash][]byte{}
	for _, b := range append(chain, loose) {
		for _, block := range b.blocks {
			digests = append(digests, proofs.BlockDigest(block))
			want[proofs.BlockDigest(block)] = block
		}
	}
	never := randomHash(rng)
	got, missing := ask(t, h, append(digests, never)...)
	for digest, block := range want {
		if !bytes.Equal(got[digest], block) {
			t.Errorf("block %s: %d bytes of %d", proofs.FormatCID(digest), len(got[digest]), len(block))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d blocks, want %d", len(got), len(want))
	}
	if diff := cmp.Diff(map[proofs.Hash]bool{never: true}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}

	gone, flipped := chain[0].blocks[0], loose.blocks[0]
	flip(t, n, flipped)
	if err := os.Remove(n.cars.path(cidOf(chain[0].digest))); err != nil {
		t.Fatal(err)
	}
	_, missing = ask(t, h, proofs.BlockDigest(gone), proofs.BlockDigest(flipped), proofs.BlockDigest(chain[1].blocks[0]))
	if diff := cmp.Diff(map[proofs.Hash]bool{proofs.BlockDigest(gone): true, proofs.BlockDigest(flipped): true}, missing); diff != "" {
		t.Errorf("missing after damage (-want +got):\n%s", diff)
	}
}

// Peers may not have the host dial, are not more than it can bear, and find nothing beside Bitswap.
func TestHostLimits(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	h := serveTest(t, n)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	other := stranger(t)
	if err := h.host.Connect(ctx, peer.AddrInfo{ID: other.ID(), Addrs: other.Addrs()}); err == nil {
		t.Error("the host dialled a stranger")
	}
	const over = 8
	refused := 0
	for range maxConns + over {
		if connect(ctx, stranger(t), h) != nil {
			refused++
		}
	}
	if refused != over {
		t.Errorf("%d of %d peers were refused, want %d", refused, maxConns+over, over)
	}
	protocols := map[string]bool{}
	for _, p := range h.host.Mux().Protocols() {
		protocols[string(p)] = true
	}
	want := map[string]bool{"/ipfs/bitswap/1.2.0": true, "/ipfs/id/1.0.0": true, "/ipfs/id/push/1.0.0": true, "/ipfs/ping/1.0.0": true}
	if diff := cmp.Diff(want, protocols); diff != "" {
		t.Errorf("protocols (-want +got):\n%s", diff)
	}
}

func TestHostIdentity(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	cfg := HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Key: filepath.Join(t.TempDir(), "keys", "ipfs.key")}
	var peers [2]string
	for i := range peers {
		h, err := n.Serve(cfg)
		if err != nil {
			t.Fatal(err)
		}
		peers[i] = h.Peer()
		a := h.Addresses()
		if len(a) != 1 || !strings.HasPrefix(a[0], "/ip4/127.0.0.1/tcp/") || strings.HasPrefix(a[0], "/ip4/127.0.0.1/tcp/0/") || !strings.HasSuffix(a[0], "/p2p/"+peers[i]) {
			t.Errorf("addresses %q", a)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Announce = nil
	}
	if peers[0] != peers[1] {
		t.Errorf("peer %s after a restart, %s before", peers[1], peers[0])
	}
	info, err := os.Stat(cfg.Key)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is %v, %v", info, err)
	}
	cfg.Announce = []string{"/dns4/hansard.example.org/tcp/4001"}
	h, err := n.Serve(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if diff := cmp.Diff([]string{cfg.Announce[0] + "/p2p/" + peers[0]}, h.Addresses()); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
}

func TestHostRefuses(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	taken := serveTest(t, n)
	at, _, _ := strings.Cut(taken.Addresses()[0], "/p2p/")
	damaged := filepath.Join(t.TempDir(), "ipfs.key")
	if err := os.WriteFile(damaged, bytes.Repeat([]byte{7}, 68), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "ipfs.key")
	for name, c := range map[string]struct {
		cfg  HostConfig
		want string
	}{
		"nowhere":          {HostConfig{Key: key}, "no address to listen on"},
		"no multiaddr":     {HostConfig{Listen: []string{"127.0.0.1:4001"}, Key: key}, "127.0.0.1:4001"},
		"UDP":              {HostConfig{Listen: []string{"/ip4/127.0.0.1/udp/0/quic-v1"}, Key: key}, "want IP and TCP"},
		"a name":           {HostConfig{Listen: []string{"/dns4/localhost/tcp/0"}, Key: key}, "want IP and TCP"},
		"taken":            {HostConfig{Listen: []string{at}, Key: key}, "address already in use"},
		"announces no one": {HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Announce: []string{"here"}, Key: key}, "here"},
		"a damaged key":    {HostConfig{Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Key: damaged}, "move it away"},
	} {
		t.Run(name, func(t *testing.T) {
			h, err := n.Serve(c.cfg)
			if err == nil {
				h.Close()
				t.Fatal("it serves")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
