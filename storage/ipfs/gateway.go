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
// block or as a CAR, to be cached for ever. It fetches from nobody and converts nothing. A CAR holds all of an attachment, but
// of a batch one block alone: each manifest links to the one before, and so the newest to all that was ever pinned.
func (n *Node) Gateway() (http.Handler, error) {
	backend, err := gateway.NewBlocksBackend(blockservice.New(n.blocks, offline.Exchange(n.blocks)))
	if err != nil {
		return nil, fmt.Errorf("open gateway: %w", err)
	}
	return n.bounded(gateway.NewHandler(gateway.Config{
		NoDNSLink: true, DisableHTMLErrors: true,
		MaxConcurrentRequests: maxGatewayRequests, MaxRequestDuration: maxGatewayTime,
		MetricsRegistry: prometheus.NewRegistry(),
	}, backend)), nil
}

// bounded refuses what takes more than the block or the attachment that the path names.
func (n *Node) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		format, scope := r.URL.Query().Get("format"), r.URL.Query()["dag-scope"]
		accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
		wantsCAR := format == "car" || format != "raw" && strings.Contains(accept, "vnd.ipld.car") // the format counts first
		name := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/ipfs/"), "/")
		more := wantsCAR && (len(scope) != 1 || scope[0] != "block")
		file, notFile := parseFile(name)
		switch {
		case strings.Contains(name, "/"):
			http.Error(w, "paths are not followed: ask for each block by its own CID", http.StatusBadRequest)
		case more && notFile == nil && n.keepsFile(file) != nil:
			http.Error(w, "no attachment has this CID: ask for a part of one with dag-scope=block", http.StatusNotFound)
		case more && notFile != nil:
			http.Error(w, "a CAR holds one block of a batch here: ask with dag-scope=block, and for what it links to in the same way", http.StatusBadRequest)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
