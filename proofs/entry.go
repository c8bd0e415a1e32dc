package proofs

import (
	"crypto/sha256"
	"fmt"
)

// LeafDataSize is the length of an entry's leaf data: eleven ABI words.
const LeafDataSize = 11 * 32

// Vouch is the class of who vouches for a message; a smaller number is a stronger word.
type Vouch uint8

// The classes of SPEC section 3.
const (
	VouchAuthor   Vouch = 1 // the author's own key
	VouchSession  Vouch = 2 // a delegated key
	VouchContract Vouch = 3 // a contract account
	VouchHost     Vouch = 4 // the account's host server
	VouchPlatform Vouch = 5 // a platform's word
	VouchNobody   Vouch = 6 // recorded as seen
)

// String says the class in words, as reports show it.
func (v Vouch) String() string {
	switch v {
	case VouchAuthor:
		return "the author's own key"
	case VouchSession:
		return "a delegated key"
	case VouchContract:
		return "a contract account"
	case VouchHost:
		return "the account's host server"
	case VouchPlatform:
		return "a platform's word"
	case VouchNobody:
		return "nobody: recorded as seen"
	}
	return "unknown class"
}

// Entry is a message's place in the log.
type Entry struct {
	Log        Hash
	Index      uint64 // in the log, from 0 without gaps
	Room       Hash   // tag
	RoomIndex  uint64 // in the room, from 0 without gaps
	RoomPrev   Hash   // leaf of the room's previous entry, zero for the first
	Message    Hash   // id
	Author     Hash   // salted commitment
	Vouch      Vouch
	Evidence   Hash   // SHA-256 of the evidence
	ReceivedAt uint64 // ms since 1970 UTC, the operator's clock
}

// LeafData returns the 352 bytes that a leaf hashes: eleven ABI words.
func (e *Entry) LeafData() []byte {
	w := words{make([]byte, 0, LeafDataSize)}
	w.hash(entryTypeHash).hash(e.Log).uint(e.Index).hash(e.Room).uint(e.RoomIndex).hash(e.RoomPrev)
	w.hash(e.Message).hash(e.Author).uint(uint64(e.Vouch)).hash(e.Evidence).uint(e.ReceivedAt)
	return w.b
}

// Leaf returns the entry's leaf hash.
func (e *Entry) Leaf() Hash { return HashLeaf(e.LeafData()) }

// ParseLeafData reads what LeafData returns, and nothing else.
func ParseLeafData(b []byte) (Entry, error) {
	if len(b) != LeafDataSize || Hash(b[:32]) != entryTypeHash {
		return Entry{}, fmt.Errorf("leaf data: want %d bytes that begin with the entry type", LeafDataSize)
	}
	word := func(i int) Hash { return Hash(b[32*i : 32*i+32]) }
	var bad error
	num := func(i int, limit uint64) uint64 {
		v, err := wordUint(word(i))
		if err != nil || v > limit {
			bad = fmt.Errorf("leaf data: word %d is over %d", i, limit)
		}
		return v
	}
	const any = 1<<64 - 1
	e := Entry{
		Log: word(1), Index: num(2, any), Room: word(3), RoomIndex: num(4, any), RoomPrev: word(5),
		Message: word(6), Author: word(7), Vouch: Vouch(num(8, 255)), Evidence: word(9), ReceivedAt: num(10, any),
	}
	if bad != nil {
		return Entry{}, bad
	}
	return e, nil
}

// Evidence is how somebody vouches for a message: the scheme that says how to check the bytes.
type Evidence struct {
	Scheme string
	Bytes  []byte // exactly as received
}

// Hash returns the SHA-256 that an entry carries.
func (e Evidence) Hash() Hash { return sha256.Sum256(e.Bytes) }
