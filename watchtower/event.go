package watchtower

import (
	"math/big"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Kind is what an Event is about.
type Kind string

// The kinds of events.
const (
	KindFile      Kind = "file"      // a file cannot be used; it is looked at again when it changes
	KindLog       Kind = "log"       // a log is followed from now on
	KindTrouble   Kind = "trouble"   // something does not work for now; it is tried again
	KindClear     Kind = "clear"     // it works again
	KindBond      Kind = "bond"      // the log's bond changed
	KindBatch     Kind = "batch"     // what a batch holds is here, or is not to be had
	KindPromise   Kind = "promise"   // the outcome of a promise changed
	KindEvidence  Kind = "evidence"  // evidence of a breach was written
	KindChallenge Kind = "challenge" // a challenge was found
	KindSent      Kind = "sent"      // a transaction was mined
)

// Event is what happened. Fields that do not belong to its kind are zero.
type Event struct {
	Kind     Kind
	Time     time.Time
	Detail   string // for people
	Chain    proofs.Chain
	Path     string // of KindFile, KindPromise and KindEvidence
	Promise  *proofs.Promise
	ID       proofs.Hash // of Promise
	Outcome  string      // open, kept, broken, unknown or none: nobody's promise
	Breach   string      // of the outcome broken
	Final    bool        // no reorg changes the outcome
	Batch    *uint64     // number
	Action   string      // of KindSent: answer, challenge, slash, conclude
	Tx       proofs.Hash
	Cost     *big.Int // wei
	AnswerBy uint64   // of KindChallenge: seconds
}
