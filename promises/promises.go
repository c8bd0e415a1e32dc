package promises

import (
	"context"
	"errors"
	"sync"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// Outcome says what became of a promise.
type Outcome int

// The outcomes.
const (
	Open    Outcome = iota // the index is not reached, and the deadline did not pass
	Kept                   // the leaf stands at the index, in time
	Broken                 // see Breach
	Unknown                // anchored in time, and nobody shows the leaf: challenge it
)

var outcomes = []string{"open", "kept", "broken", "unknown"}

// String returns the outcome's word.
func (o Outcome) String() string { return outcomes[o] }

// Action is a transaction about a promise.
type Action int

// The actions.
const (
	None      Action = iota // nothing is to be done
	Slash                   // of a breach other than Withheld
	Challenge               // demands the inclusion proof, for a deposit
	Answer                  // shows it
	Conclude                // after a challenge that was not answered: slashes
)

var actions = []string{"none", "slash", "challenge", "answer", "conclude"}

// String returns the action's word.
func (a Action) String() string { return actions[a] }

// Leaves gives the leaf hashes of a batch in order, which hash to b.Root. The error wraps proofs.ErrNotFound if
// nobody has them.
type Leaves interface {
	Leaves(ctx context.Context, b proofs.Batch) ([]proofs.Hash, error)
}

// Finding is what became of a promise, as of Head.
type Finding struct {
	Promise proofs.Promise
	Signer  proofs.Address // zero: the signature is none
	Key     bond.Key       // of the signer, as the bond has it; zero: there is no bond to ask
	Outcome Outcome
	Breach  proofs.Breach     // of Broken
	Second  *proofs.Promise   // of Conflict
	Head    logbook.Head      // at which this was decided
	Batch   *logbook.Anchored // over the index; nil: the log has not reached it
	// Leaf is what stands at the index and Inclusion its proof in Batch; zero and nil where nobody shows it.
	Leaf      proofs.Hash
	Inclusion []proofs.Hash
	Challenge *bond.Challenge // nil: none, or it was not looked for since it decides nothing
	Final     bool            // what decides is final: no reorg changes it
	// Enforceable is nil if the bond can be slashed for the promise at Head: it is funded and the key counts.
	Enforceable error
	Next        Action // that anybody may take now
	Detail      string // for people
}

// Config is what a Judge needs. Nodes and Book are required.
type Config struct {
	Nodes  *nodes.Quorum
	Book   *logbook.Book
	Leaves Leaves // nil: nobody has any
}

// Judge decides about the promises of one log. It is safe for concurrent use.
type Judge struct {
	cfg Config

	mu     sync.Mutex                  // guards what follows
	state  *bond.State                 // of the bond at the last head
	keys   map[proofs.Address]bond.Key // at that head
	tree   proofs.Tree                 // of the batch with the root treeOf
	treeOf proofs.Hash
}

// New makes a Judge.
func New(cfg Config) (*Judge, error) {
	if cfg.Nodes == nil || cfg.Book == nil {
		return nil, errors.New("configure judge: no nodes, or no book")
	}
	return &Judge{cfg: cfg}, nil
}
