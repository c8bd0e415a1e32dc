package ipfs

import (
	"fmt"
	"net/http"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/gateway"
	"github.com/prometheus/client_golang/prometheus"
)

// What one gateway serves at once, and for how long: a CAR of a batch holds the batches behind it too.
const (
	maxGatewayRequests = 64
	maxGatewayTime     = time.Minute
)

// Gateway returns a trustless IPFS gateway over the blocks that are here: GET and HEAD of /ipfs/CID as a raw
// block or as a CAR, to be cached for ever. It fetches from nobody and converts nothing.
func (n *Node) Gateway() (http.Handler, error) {
	backend, err := gateway.NewBlocksBackend(blockservice.New(n.blocks, offline.Exchange(n.blocks)))
	if err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	return gateway.NewHandler(gateway.Config{
		NoDNSLink: true, DisableHTMLErrors: true,
		MaxConcurrentRequests: maxGatewayRequests, MaxRequestDuration: maxGatewayTime,
		MetricsRegistry: prometheus.NewRegistry(),
	}, backend), nil
}
