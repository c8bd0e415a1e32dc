package proofs

import (
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"sync"

	"golang.org/x/crypto/sha3"
)

// Hash is 32 bytes: a keccak256 or SHA-256 digest, a log, a message id or a salt.
type Hash [32]byte

// Address is an Ethereum address, 20 bytes.
type Address [20]byte

// String returns 0x and 64 lower-case hex digits.
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// IsZero reports whether every byte is zero.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns 0x and 40 lower-case hex digits, the form of a wallet as an author.
func (a Address) String() string { return "0x" + hex.EncodeToString(a[:]) }

// IsZero reports whether every byte is zero.
func (a Address) IsZero() bool { return a == Address{} }

// ParseHash reads what Hash.String writes, and nothing else.
func ParseHash(s string) (h Hash, err error) {
	return h, parseHex(h[:], s)
}

// ParseAddress reads what Address.String writes, and nothing else.
func ParseAddress(s string) (a Address, err error) {
	return a, parseHex(a[:], s)
}

// MarshalText writes the form of String.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads the form of String strictly.
func (h *Hash) UnmarshalText(b []byte) error { return parseHex(h[:], string(b)) }

// MarshalText writes the form of String.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the form of String strictly.
func (a *Address) UnmarshalText(b []byte) error { return parseHex(a[:], string(b)) }

// parseHex decodes 0x and exactly 2*len(dst) lower-case digits. It writes dst only when s is valid.
func parseHex(dst []byte, s string) error {
	if len(s) != 2+2*len(dst) || s[:2] != "0x" {
		return fmt.Errorf("want 0x and %d lower-case hex digits, got %d bytes", 2*len(dst), len(s))
	}
	for i := 2; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return fmt.Errorf("want lower-case hex, got %q at byte %d", c, i)
		}
	}
	_, err := hex.Decode(dst, []byte(s[2:]))
	return err
}

// hasher is a keccak state with room for its input and output: copying the input spares an
// allocation for every part that would otherwise escape through the interface.
type hasher struct {
	state interface {
		hash.Hash
		io.Reader
	}
	in  []byte
	out Hash
}

var hashers = sync.Pool{New: func() any {
	return &hasher{state: sha3.NewLegacyKeccak256().(interface {
		hash.Hash
		io.Reader
	})}
}}

// sum returns the keccak256 of h.in and gives the hasher back.
func (h *hasher) sum() Hash {
	h.state.Reset()
	h.state.Write(h.in)
	h.state.Read(h.out[:]) // squeezes without copying the state; never fails
	out := h.out
	hashers.Put(h)
	return out
}

// Keccak returns the keccak256 of the parts joined.
func Keccak(parts ...[]byte) Hash {
	h := hashers.Get().(*hasher)
	h.in = h.in[:0]
	for _, p := range parts {
		h.in = append(h.in, p...)
	}
	return h.sum()
}

// keccakText returns the keccak256 of the text.
func keccakText(s string) Hash {
	if s == "" {
		return emptyHash
	}
	h := hashers.Get().(*hasher)
	h.in = append(h.in[:0], s...)
	return h.sum()
}

var emptyHash = Keccak()
