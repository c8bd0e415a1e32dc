package ipfs

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/exchange/offline"
	"github.com/ipfs/boxo/gateway"
	"github.com/prometheus/client_golang/prometheus"
)

// What one gateway serves at once, and for how long.
const (
	maxGatewayRequests = 64
	maxGatewayTime     = time.Minute
)

// Gateway returns a trustless IPFS gateway over the blocks that are here: GET and HEAD of /ipfs/CID as a raw
// block or as a CAR of that block alone, to be cached for ever. It fetches from nobody, converts nothing and follows no link:
// each manifest links to the one before, and so the newest to all that was ever pinned.
func (n *Node) Gateway() (http.Handler, error) {
	backend, err := gateway.NewBlocksBackend(blockservice.New(n.blocks, offline.Exchange(n.blocks)))
	if err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	return oneBlock(gateway.NewHandler(gateway.Config{
		NoDNSLink: true, DisableHTMLErrors: true,
		MaxConcurrentRequests: maxGatewayRequests, MaxRequestDuration: maxGatewayTime,
		MetricsRegistry: prometheus.NewRegistry(),
	}, backend)), nil
}

// oneBlock refuses what takes more than the block that the path names.
func oneBlock(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format, scope := r.URL.Query().Get("format"), r.URL.Query()["dag-scope"]
		accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
		wantsCAR := format == "car" || format != "raw" && strings.Contains(accept, "vnd.ipld.car") // the format counts first
		switch cid := strings.TrimPrefix(r.URL.Path, "/ipfs/"); {
		case strings.Contains(strings.TrimSuffix(cid, "/"), "/"):
			http.Error(w, "paths are not followed: ask for each block by its own CID", http.StatusBadRequest)
		case wantsCAR && (len(scope) != 1 || scope[0] != "block"):
			http.Error(w, "a CAR holds one block here: ask with dag-scope=block, and for what it links to in the same way", http.StatusBadRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
