package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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

// Node is one JSON-RPC node. The name is shown to people and must hold no secret. What New is given is
// asked as it is: how long its answers may be is up to its client. Dial sets limits.
type Node struct {
	Name string
	RPC  *rpc.Client
}

// Config says how to ask. The zero Config is ready to use.
type Config struct {
	// Need is how many nodes must agree; zero: more than half. With half or less, so few liars can make up
	// an answer: it is for nodes that are all trusted, one of which may fail.
	Need    int
	ChainID uint64        // of every node; zero: what the nodes agree on at the first ChainID
	Timeout time.Duration // of one question to one node; zero: 10 s
	Grace   time.Duration // how long nodes that are slower than enough others are waited for; zero: 300 ms
}

const (
	defaultTimeout = 10 * time.Second
	defaultGrace   = 300 * time.Millisecond // a node on another continent answers within it
	maxOpen        = 16                     // requests to one node at a time: what a node that hangs can pile up
)

// Quorum asks several nodes. It is safe for concurrent use and starts nothing by itself. What it starts to
// ask a question ends within Timeout, also when the question was settled before.
type Quorum struct {
	cfg    Config
	nodes  []*node
	shared []string
	http   *http.Transport // of Dial; nil: none

	mu      sync.Mutex
	chainID uint64            // zero until it is known
	newest  map[string]uint64 // number of the block last agreed on, by tag
}

// node is a Node with what was seen of it. mu guards chain, RPC and seen.
type node struct {
	Node
	dial    func(context.Context) (*rpc.Client, error) // nil: RPC is set
	dialing chan struct{}                              // holds one element while somebody dials
	secrets []string
	open    chan struct{} // holds one element for each request under way

	mu    sync.Mutex
	chain uint64 // it said last; zero: none
	seen  Health
}

// Health is what was seen of one node since the start.
type Health struct {
	Name     string
	Up       bool          // it answered when last asked, be it with an error of its own
	Wrong    string        // why it is not listened to, such as another chain; empty: it is
	Head     uint64        // its newest block, when last asked
	Lag      uint64        // blocks that it was behind the newest block agreed on
	Latency  time.Duration // of its last answer
	LastErr  string        // its last error, without secrets, and
	LastFail time.Time     // when; zero: none
	Errors   uint64        // questions that it did not answer, or not sensibly
	Late     uint64        // answers that came, or would have, more than the grace after enough others
	Outvoted uint64        // answers that enough others contradicted, or that did not hash to what was asked
}

// New makes a Quorum of at least one node. It asks nothing.
func New(list []Node, cfg Config) (*Quorum, error) {
	q, err := newQuorum(len(list), cfg)
	if err != nil {
		return nil, err
	}
	for i, n := range list {
		if n.RPC == nil {
			return nil, fmt.Errorf("node %d, %s, has no client", i+1, n.Name)
		}
		if slices.ContainsFunc(q.nodes, func(o *node) bool { return o.RPC == n.RPC }) {
			return nil, fmt.Errorf("node %d, %s, is given twice, and would count twice", i+1, n.Name)
		}
		q.add(&node{Node: n})
	}
	return q, nil
}

// newQuorum makes a Quorum that n nodes are to be added to.
func newQuorum(n int, cfg Config) (*Quorum, error) {
	cfg.Need = cmp.Or(cfg.Need, n/2+1)
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.Grace = cmp.Or(cfg.Grace, defaultGrace)
	var errs []error
	switch {
	case n == 0:
		errs = append(errs, errors.New("no node is configured"))
	case cfg.Need < 1 || cfg.Need > n:
		errs = append(errs, fmt.Errorf("a quorum of %d among %d nodes is impossible: want 1 to %d", cfg.Need, n, n))
	}
	if cfg.Timeout < 0 || cfg.Grace < 0 {
		errs = append(errs, errors.New("timeout or grace is negative"))
	}
	return &Quorum{cfg: cfg, chainID: cfg.ChainID, newest: map[string]uint64{}}, errors.Join(errs...)
}

// add adds a node under a name that no other has.
func (q *Quorum) add(n *node) {
	n.open, n.dialing = make(chan struct{}, maxOpen), make(chan struct{}, 1)
	base := cmp.Or(n.Name, "node")
	n.Name = base
	for i := 2; slices.ContainsFunc(q.nodes, func(o *node) bool { return o.Name == n.Name }); i++ {
		n.Name = fmt.Sprintf("%s#%d", base, i)
	}
	n.seen.Name = n.Name
	q.nodes = append(q.nodes, n)
}

// Close closes the connections.
func (q *Quorum) Close() {
	for _, n := range q.nodes {
		n.mu.Lock()
		if n.RPC != nil {
			n.RPC.Close()
		}
		n.mu.Unlock()
	}
	if q.http != nil {
		q.http.CloseIdleConnections()
	}
}

// Len returns how many nodes there are, and Need how many of them must agree.
func (q *Quorum) Len() int { return len(q.nodes) }

// Need returns how many nodes must agree.
func (q *Quorum) Need() int { return q.cfg.Need }

// Shared returns the hosts that serve several of the nodes given to Dial, such as one provider's: who
// runs it is several nodes.
func (q *Quorum) Shared() []string { return slices.Clone(q.shared) }

// Health returns what was seen of each node, in the order of the configuration.
func (q *Quorum) Health() []Health {
	newest := q.last("latest")
	var out []Health
	for _, n := range q.nodes {
		wrong := q.wrong(n)
		n.mu.Lock()
		h := n.seen
		n.mu.Unlock()
		h.Wrong = wrong
		if h.Head > 0 && h.Head < newest {
			h.Lag = newest - h.Head
		}
		out = append(out, h)
	}
	return out
}

// last returns the number of the block that was last agreed on for the tag.
func (q *Quorum) last(tag string) uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.newest[tag]
}

func (q *Quorum) setLast(tag string, number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.newest[tag] = number
}

// note changes what was seen of the node.
func (n *node) note(change func(h *Health)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change(&n.seen)
}

func (n *node) outvoted() { n.note(func(h *Health) { h.Outvoted++ }) }

// head returns the number of the newest block that the node named.
func (n *node) head() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.Head
}

// wrong returns why the node is not listened to.
func (q *Quorum) wrong(n *node) string {
	q.mu.Lock()
	want := q.chainID
	q.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if want != 0 && n.chain != 0 && n.chain != want {
		return fmt.Sprintf("it is on chain %d", n.chain)
	}
	return ""
}

// listened returns the nodes that are listened to.
func (q *Quorum) listened() []*node {
	return slices.DeleteFunc(slices.Clone(q.nodes), func(n *node) bool { return q.wrong(n) != "" })
}
