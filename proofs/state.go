package proofs

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// State is how far a message or its batch has come. States only go forward, but for a reorg, which
// sends a batch back to StateSubmitted.
type State int

// The states, in order.
const (
	StateAccepted  State = iota // durable and promised
	StateBatched                // sealed under a root
	StateSubmitted              // a transaction with the root was signed and sent
	StateIncluded               // in a canonical block
	StateSafe                   // in a block that the chain calls safe
	StateFinalized              // in a block that the chain calls finalized
)

var states = []string{"accepted", "batched", "submitted", "included", "safe", "finalized"}

// String returns the state's word.
func (s State) String() string { return states[s] }

// ParseState reads what String returns.
func ParseState(s string) (State, error) {
	if i := slices.Index(states, s); i >= 0 {
		return State(i), nil
	}
	return 0, fmt.Errorf("state: want one of %v, got %.40q", states, s)
}

// Sealed is a batch with how far it has come. Batch.Time is 0 below StateIncluded, Batch.CID zero
// until its payload is pinned.
type Sealed struct {
	Batch
	State     State
	OpenedAt  uint64   // ms since 1970 UTC
	SealedAt  uint64   // ms since 1970 UTC
	Deadline  uint64   // seconds since 1970 UTC, the earliest of its promises; 0: not known
	NotBefore Hash     // newest block known when the batch was opened
	Txs       [][]byte // every signed transaction ever sent for it, oldest first
	Tx        Hash     // hash of the one in whose block it stands; zero below StateIncluded
	Anchor    *Anchor  // nil below StateIncluded; Header and Proof at StateFinalized
	Spent     []Spend  // what its transactions cost that stand in canonical blocks, as last seen
}

// Standing is where a batch stands on the chain: the part of Sealed that is set together.
type Standing struct {
	State  State
	Time   uint64
	Tx     Hash
	Anchor *Anchor
	Spent  []Spend
}

// Standing returns where the batch stands.
func (s *Sealed) Standing() Standing { return Standing{s.State, s.Time, s.Tx, s.Anchor, s.Spent} }

// Stand puts the batch where st says.
func (s *Sealed) Stand(st Standing) {
	s.State, s.Time, s.Tx, s.Anchor, s.Spent = st.State, st.Time, st.Tx, st.Anchor, st.Spent
}

// Spend is what one transaction cost, mined and paid for whether it succeeded or reverted.
type Spend struct {
	Tx   Hash
	Time uint64   // of its block, in seconds
	Gas  uint64   // used
	Wei  *big.Int // paid for gas and, on an L2, for data
}

// Accepted is a record with what the operator promised for it.
type Accepted struct {
	Record
	Leaf     Hash
	Deadline uint64 // seconds since 1970 UTC
}

// Promise returns the promise for the entry, unsigned.
func (a *Accepted) Promise() Promise {
	p := Promise{Log: a.Entry.Log, Index: a.Entry.Index, Leaf: a.Leaf, Deadline: a.Deadline}
	if a.Message != nil {
		p.Beneficiary, _ = a.Message.Author.Wallet()
	}
	return p
}

// Tail is where the log ends in the store.
type Tail struct {
	Next      uint64 // index of the next entry
	Sealed    uint64 // entries that stand in batches: the pool is [Sealed, Next)
	Batches   uint64 // number of the next batch
	OpenedAt  uint64 // ms since 1970 UTC, of the pool; meaningful while it is not empty
	NotBefore Hash   // newest block known when the pool was opened
}

// RoomTail is where a room ends. The zero RoomTail is a room without entries.
type RoomTail struct {
	Count uint64
	Head  Hash // leaf of its last entry
}

// Errors of stores.
var (
	// ErrNotFound is wrapped for a message, a batch or a block that the store does not hold.
	ErrNotFound = errors.New("not found")
	// ErrRefused is wrapped by an error that left the store as it was, such as a full disk that was
	// noticed in time. After any other error of a write its outcome is unknown.
	ErrRefused = errors.New("nothing was written")
)
