package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// Errors that callers tell apart.
var (
	// ErrNoQuorum is wrapped when too few nodes agree. Asking again later may help.
	ErrNoQuorum = errors.New("too few nodes agree")
	// ErrNotFound is wrapped when enough nodes agree that there is no such thing.
	ErrNotFound = errors.New("not found")
	// ErrOtherChain is wrapped when enough nodes are on a chain that is not the configured one.
	ErrOtherChain = errors.New("the nodes are on another chain")
)

// Node is one JSON-RPC node. The name is shown to people and must hold no secret.
type Node struct {
	Name string
	RPC  *rpc.Client
}

// Config says how to ask. The zero Config is ready to use.
type Config struct {
	Need    int           // nodes that must agree; zero: more than half
	ChainID uint64        // of every node; zero: what the nodes agree on at the first ChainID
	Timeout time.Duration // of one question to one node; zero: 10 s
	Grace   time.Duration // how long nodes that are slower than enough others are waited for; zero: 300 ms
}

const (
	defaultTimeout = 10 * time.Second
	defaultGrace   = 300 * time.Millisecond // a node on another continent answers within it
)

// Quorum asks several nodes. It is safe for concurrent use and starts nothing by itself.
type Quorum struct {
	cfg   Config
	nodes []*node

	mu      sync.Mutex
	chainID uint64 // zero until it is known
	newest  uint64 // newest head that was agreed on
}

// node is a Node with what was seen of it. mu guards seen.
type node struct {
	Node
	mu   sync.Mutex
	seen Health
}

// Health is what was seen of one node since the start.
type Health struct {
	Name     string
	Up       bool          // its last answer was one
	Wrong    string        // why it is not listened to, such as another chain; empty: it is
	Head     uint64        // its newest block, when last asked
	Lag      uint64        // blocks that it was behind the newest block agreed on
	Latency  time.Duration // of its last answer
	LastErr  string        // its last error, and
	LastFail time.Time     // when; zero: none
	Errors   uint64        // questions that it did not answer
	Late     uint64        // questions that were settled before it answered
	Outvoted uint64        // answers that enough others contradicted, or that did not hash to what was asked
}

// New makes a Quorum of at least one node. It asks nothing.
func New(list []Node, cfg Config) (*Quorum, error) {
	if cfg.Need == 0 {
		cfg.Need = len(list)/2 + 1
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.Grace = cmp.Or(cfg.Grace, defaultGrace)
	switch {
	case len(list) == 0:
		return nil, errors.New("no node is configured")
	case cfg.Need < 1 || cfg.Need > len(list):
		return nil, fmt.Errorf("a quorum of %d among %d nodes is impossible: want 1 to %d", cfg.Need, len(list), len(list))
	}
	q := &Quorum{cfg: cfg, chainID: cfg.ChainID}
	names := map[string]int{}
	for _, n := range list {
		if names[n.Name]++; names[n.Name] > 1 {
			n.Name = fmt.Sprintf("%s#%d", n.Name, names[n.Name])
		}
		q.nodes = append(q.nodes, &node{Node: n, seen: Health{Name: n.Name}})
	}
	return q, nil
}

// Dial makes a Quorum of the nodes at these URLs: http, https, ws, wss, or the path of an IPC socket. A
// node is called by its host. Nothing is asked of HTTP nodes yet; others are connected to.
func Dial(ctx context.Context, urls []string, cfg Config) (*Quorum, error) {
	var list []Node
	for _, s := range urls {
		c, err := rpc.DialOptions(ctx, s, rpc.WithHTTPClient(&http.Client{Transport: http.DefaultTransport}))
		if err != nil {
			return nil, fmt.Errorf("connect to node %s: %w", name(s), redact(err, s))
		}
		list = append(list, Node{Name: name(s), RPC: c})
	}
	return New(list, cfg)
}

// name returns the part of a URL that holds no secret: many providers put a key into the path.
func name(s string) string {
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		return u.Host
	}
	return s
}

// redact removes a URL with what is secret in it from an error's text.
func redact(err error, s string) error {
	if n := name(s); n != s && strings.Contains(err.Error(), s) {
		return errors.New(strings.ReplaceAll(err.Error(), s, n))
	}
	return err
}

// Close closes the connections.
func (q *Quorum) Close() {
	for _, n := range q.nodes {
		n.RPC.Close()
	}
}

// Len returns how many nodes there are, and Need how many of them must agree.
func (q *Quorum) Len() int { return len(q.nodes) }

// Need returns how many nodes must agree.
func (q *Quorum) Need() int { return q.cfg.Need }

// Health returns what was seen of each node, in the order of the configuration.
func (q *Quorum) Health() []Health {
	q.mu.Lock()
	newest := q.newest
	q.mu.Unlock()
	var out []Health
	for _, n := range q.nodes {
		n.mu.Lock()
		h := n.seen
		n.mu.Unlock()
		if h.Head > 0 && h.Head < newest {
			h.Lag = newest - h.Head
		}
		out = append(out, h)
	}
	return out
}

// note changes what was seen of the node.
func (n *node) note(change func(h *Health)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.seen)
}

func (n *node) wrong() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.Wrong
}

// listened returns the nodes that are listened to.
func (q *Quorum) listened() []*node {
	return slices.DeleteFunc(slices.Clone(q.nodes), func(n *node) bool { return n.wrong() != "" })
}
