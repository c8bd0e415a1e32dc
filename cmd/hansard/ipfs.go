package main

import (
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// ipfsFlags say whether the embedded IPFS node is on the network.
func ipfsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "ipfs-listen", Usage: "serve payloads to IPFS nodes by Bitswap at `MULTIADDR`, such as /ip4/0.0.0.0/tcp/4001, repeated for several; without it nothing listens: it is a second port that strangers reach"},
		&cli.StringSliceFlag{Name: "ipfs-announce", Usage: "tell peers `MULTIADDR` in the place of --ipfs-listen, as behind a NAT: /dns4/hansard.example.org/tcp/4001"},
	}
}

// serveIPFS puts the node on the network if flags ask for it.
func (n *node) serveIPFS(c *cli.Context, cfg nodeConfig) error {
	listen, announce := c.StringSlice("ipfs-listen"), c.StringSlice("ipfs-announce")
	if len(listen) == 0 {
		if len(announce) > 0 {
			return usage("--ipfs-announce: want --ipfs-listen MULTIADDR too, where peers connect")
		}
		return nil
	}
	h, err := n.ipfs.Serve(ipfs.HostConfig{Listen: listen, Announce: announce, Key: filepath.Join(cfg.Dir, "ipfs.key"), UserAgent: "hansard/" + version()})
	if err != nil {
		return usage("%w; --ipfs-listen and --ipfs-announce say where", err)
	}
	n.host = h
	cfg.host.Store(h)
	n.close = append(n.close, h.Close)
	return nil
}

// ipfsInfo says where the node is on the network; nil: it is not.
func (n *node) ipfsInfo() *api.IPFS {
	if n.host == nil {
		return nil
	}
	return &api.IPFS{Peer: n.host.Peer(), Addresses: n.host.Addresses()}
}
