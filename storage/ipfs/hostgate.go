package ipfs

import (
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
)

// answerOnly lets everybody connect and nothing be dialled: a peer says itself what its addresses are, and could name
// those of machines that only this one reaches.
type answerOnly struct{}

func (answerOnly) InterceptPeerDial(peer.ID) bool                      { return false }
func (answerOnly) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool { return false }
func (answerOnly) InterceptAccept(network.ConnMultiaddrs) bool         { return true }

func (answerOnly) InterceptSecured(d network.Direction, _ peer.ID, _ network.ConnMultiaddrs) bool {
	return d == network.DirInbound
}

func (answerOnly) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
