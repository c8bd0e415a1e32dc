package ipfs

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/ipfs/boxo/bitswap/network"
	"github.com/ipfs/boxo/bitswap/network/bsnet"
	"github.com/ipfs/boxo/bitswap/server"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/host/basic"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
	"github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
)

// HostConfig says where a Host listens, and as whom.
type HostConfig struct {
	// Listen are multiaddrs of IP and TCP, such as /ip4/0.0.0.0/tcp/4001; port 0 is a free one. At least one.
	Listen []string
	// Announce are multiaddrs at which the host is reached, where that is not where it listens: behind a NAT, or by a
	// DNS name. None: the addresses of Listen, 0.0.0.0 and :: as those of all interfaces.
	Announce []string
	// Key is the file with the private key of the peer ID, made if missing, readable by its owner only. Required.
	Key string
	// UserAgent is what peers are told.
	UserAgent string
}

// Host serves the blocks of a Node to whoever connects, over libp2p and Bitswap 1.2.0, as stock IPFS nodes ask for them.
//
// It only answers. It fetches from nobody, dials nobody, not even back to a peer that has gone, and takes part in no DHT,
// relay, local discovery or measuring of NATs; so it is found only by its address. What peers may take of the process
// is bounded by the constants below.
type Host struct {
	host   host.Host
	net    network.BitSwapNetwork
	server *server.Server
}

// What all peers may take together and each of them alone. A message that is read takes up to 4 MiB, so that of streams
// there are few; a peer asks for many blocks in one. Above maxConns new connections are refused, above keepConns idle
// ones are closed.
const (
	keepConns     = 64
	maxConns      = 128
	maxUnverified = 32 // connections that have not shown their peer ID
	peerConns     = 4
	maxStreams    = 512
	maxRequests   = 64 // streams of Bitswap
	peerStreams   = 32
	maxP2PBytes   = 64 << 20 // of buffers of connections and streams
)

// What Bitswap does at once: blocks are read from disk, and sent.
const (
	blockReaders  = 8
	blockSenders  = 4
	peerInFlight  = 4 * MaxBlock
	maxWantedCIDs = 1024 // of a peer; what it wants beyond is dropped until it asks again
	maxCIDBytes   = 64   // ours have 36
)

// Serve listens and serves the blocks of the node until Close. Port 0 is replaced by the one that was taken.
func (n *Node) Serve(cfg HostConfig) (*Host, error) {
	h, err := n.serve(cfg)
	if err != nil {
		return nil, fmt.Errorf("serve IPFS: %w", err)
	}
	return h, nil
}

func (n *Node) serve(cfg HostConfig) (*Host, error) {
	listen, err := parseAddrs(cfg.Listen, listenable)
	if err != nil {
		return nil, err
	}
	announce, err := parseAddrs(cfg.Announce, nil)
	if err != nil {
		return nil, err
	}
	if len(listen) == 0 {
		return nil, errors.New("no address to listen on")
	}
	key, err := peerKey(cfg.Key)
	if err != nil {
		return nil, err
	}
	p2p, err := newHost(key, announce, cfg.UserAgent)
	if err != nil {
		return nil, err
	}
	if err := p2p.Network().Listen(listen...); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %v: %w", listen, err), p2p.Close())
	}
	h := &Host{host: p2p, net: bsnet.NewFromIpfsHost(p2p, bsnet.SupportedProtocols([]protocol.ID{bsnet.ProtocolBitswap}))}
	h.server = server.New(context.Background(), h.net, n.blocks, // Close ends it
		server.TaskWorkerCount(blockSenders), server.EngineTaskWorkerCount(blockSenders),
		server.EngineBlockstoreWorkerCount(blockReaders), server.MaxOutstandingBytesPerPeer(peerInFlight),
		server.MaxQueuedWantlistEntriesPerPeer(maxWantedCIDs), server.MaxCidSize(maxCIDBytes))
	h.net.Start(h.server)
	p2p.Start()
	return h, nil
}

// newHost puts together what libp2p.New would, without the transports, relays and measurements that it brings: TCP,
// Noise, yamux.
func newHost(key crypto.PrivKey, announce []multiaddr.Multiaddr, agent string) (h *basichost.BasicHost, err error) {
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, err
	}
	peers, err := pstoremem.NewPeerstore()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(peers.AddPrivKey(id, key), peers.AddPubKey(id, key.GetPublic())); err != nil {
		return nil, errors.Join(err, peers.Close())
	}
	limits, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(p2pLimits()), rcmgr.WithMetricsDisabled())
	if err != nil {
		return nil, errors.Join(err, peers.Close())
	}
	bus := eventbus.NewBus()
	net, err := swarm.NewSwarm(id, peers, bus, swarm.WithResourceManager(limits), swarm.WithConnectionGater(answerOnly{}))
	if err != nil {
		return nil, errors.Join(err, limits.Close(), peers.Close())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, net.Close())
		}
	}()
	muxers := []upgrader.StreamMuxer{{ID: yamux.ID, Muxer: yamux.DefaultTransport}}
	secure, err := noise.New(noise.ID, key, muxers)
	if err != nil {
		return nil, err
	}
	up, err := upgrader.New([]sec.SecureTransport{secure}, muxers, nil, limits, answerOnly{})
	if err != nil {
		return nil, err
	}
	transport, err := tcp.NewTCPTransport(up, limits, nil, tcp.DisableReuseport()) // else two processes listen on one port
	if err != nil {
		return nil, err
	}
	if err := net.AddTransport(transport); err != nil {
		return nil, err
	}
	conns, err := connmgr.NewConnManager(keepConns/2, keepConns)
	if err != nil {
		return nil, err
	}
	opts := &basichost.HostOpts{EventBus: bus, ConnManager: conns, EnablePing: true, UserAgent: agent}
	if len(announce) > 0 {
		opts.AddrsFactory = func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return announce }
	}
	return basichost.NewHost(net, opts)
}

// p2pLimits are the constants above in libp2p's words. What is not named is bounded by the whole.
func p2pLimits() rcmgr.ConcreteLimitConfig {
	all := rcmgr.ResourceLimits{
		Conns: maxConns, ConnsInbound: maxConns, ConnsOutbound: rcmgr.BlockAllLimit, FD: maxConns,
		Streams: maxStreams, StreamsInbound: maxStreams, StreamsOutbound: maxStreams, Memory: maxP2PBytes,
	}
	one := all
	one.Conns, one.ConnsInbound, one.FD = peerConns, peerConns, peerConns
	one.Streams, one.StreamsInbound, one.StreamsOutbound, one.Memory = peerStreams, peerStreams, peerStreams, maxP2PBytes/8
	unverified := all
	unverified.Conns, unverified.ConnsInbound, unverified.FD = maxUnverified, maxUnverified, maxUnverified
	requests := all
	requests.StreamsInbound = maxRequests
	return rcmgr.PartialLimitConfig{
		System: all, Transient: unverified, PeerDefault: one,
		Protocol: map[protocol.ID]rcmgr.ResourceLimits{bsnet.ProtocolBitswap: requests},
	}.Build(rcmgr.InfiniteLimits)
}

// parseAddrs reads multiaddrs that are as they must be.
func parseAddrs(texts []string, allowed func(multiaddr.Multiaddr) error) (addrs []multiaddr.Multiaddr, err error) {
	for _, s := range texts {
		a, err := multiaddr.NewMultiaddr(s)
		if err == nil && allowed != nil {
			err = allowed(a)
		}
		if err != nil {
			return nil, fmt.Errorf("address %.100q: %w", s, err)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

func listenable(a multiaddr.Multiaddr) error {
	p := a.Protocols()
	if len(p) != 2 || p[0].Code != multiaddr.P_IP4 && p[0].Code != multiaddr.P_IP6 || p[1].Code != multiaddr.P_TCP {
		return errors.New("want IP and TCP, such as /ip4/0.0.0.0/tcp/4001")
	}
	return nil
}

// peerKey reads the private key in the file, or makes one.
func peerKey(path string) (crypto.PrivKey, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		key, err := crypto.UnmarshalPrivateKey(b)
		if err != nil {
			return nil, fmt.Errorf("%s is no private key of libp2p: %w; move it away to have a new one made, with another peer ID", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key of the peer: %w", err)
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	if b, err = crypto.MarshalPrivateKey(key); err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), renameio.WriteFile(path, b, 0o600)); err != nil {
		return nil, fmt.Errorf("write the key of the peer: %w", err)
	}
	return key, nil
}

// Peer returns the peer ID.
func (h *Host) Peer() string { return h.host.ID().String() }

// Addresses returns the multiaddrs at which peers reach the host, each with its peer ID at the end.
func (h *Host) Addresses() []string {
	var out []string
	for _, a := range h.host.Addrs() {
		out = append(out, a.String()+"/p2p/"+h.Peer())
	}
	return out
}

// Close stops serving. The node stays open.
func (h *Host) Close() error {
	h.net.Stop()
	h.server.Close()
	if err := h.host.Close(); err != nil {
		return fmt.Errorf("close IPFS host: %w", err)
	}
	return nil
}
