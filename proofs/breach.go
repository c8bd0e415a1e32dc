package proofs

import (
	"fmt"
	"slices"
)

// Breach is how a promise was broken, numbered as in the PromiseBond contract.
type Breach uint8

// The breaches.
const (
	Conflict     Breach = iota // two leaves were promised at one index
	Substitution               // another leaf stands at the index
	Missed                     // the deadline passed and the log has not reached the index
	Late                       // the batch over the index was anchored after the deadline
	Withheld                   // the batch was anchored, and nobody shows what is in it
)

var breaches = []string{"conflict", "substitution", "missed", "late", "withheld"}

// String returns the breach's word.
func (b Breach) String() string { return breaches[b] }

// ParseBreach reads what Breach.String writes.
func ParseBreach(s string) (Breach, error) {
	i := slices.Index(breaches, s)
	if i < 0 {
		return 0, fmt.Errorf("want conflict, substitution, missed, late or withheld, got %.40q", s)
	}
	return Breach(i), nil
}
