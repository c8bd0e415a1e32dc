package proofs

import (
	"encoding/hex"
	"fmt"
	"math"
)

// MaxSubmission is the largest submission, in bytes: any message with its evidence fits, however it
// is escaped.
const MaxSubmission = 1 << 20

// Submission is a message on its way to an operator, with what vouches for it. It is JSON by the
// rules of section 9 of the format: {"message", "authorship": {"scheme", "evidence"}, "domain"?}.
type Submission struct {
	Message  Message
	Evidence Evidence
	Domain   *SignedIn // nil: not said
}

// SignedIn names the domain that a message was signed in, so that a wallet on another chain gets a
// better answer than that its signature is wrong.
type SignedIn struct {
	ChainID           uint64
	VerifyingContract Address
}

// ParseSubmission decodes a submission strictly. Whether the message keeps the rules of its fields is
// Message.Check's question.
func ParseSubmission(b []byte) (*Submission, error) {
	if len(b) > MaxSubmission {
		return nil, fmt.Errorf("submission: %d bytes are over the limit of %d", len(b), MaxSubmission)
	}
	s := &Submission{}
	err := parseObject(b, func(r *reader) {
		s.Message = *readMessageFields(r.object("message"), r)
		a := r.object("authorship")
		s.Evidence = *readAuthorship(a)
		r.sub(a)
		if r.has("domain") {
			o := r.object("domain")
			s.Domain = &SignedIn{o.uint("chainId", math.MaxUint64), o.address("verifyingContract")}
			r.sub(o)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("submission: %w", err)
	}
	return s, nil
}

func parseObject(b []byte, read func(*reader)) error {
	v, err := parseJSON(b)
	if err != nil {
		return err
	}
	r := newReader(v, "")
	read(r)
	return r.close()
}

// Format returns the submission as ParseSubmission reads it.
func (s *Submission) Format() []byte {
	w := &writer{}
	w.open("").open("message").message(&s.Message).close()
	w.open("authorship").evidence(s.Evidence).close()
	if d := s.Domain; d != nil {
		w.open("domain").uint("chainId", d.ChainID).text("verifyingContract", d.VerifyingContract.String()).close()
	}
	w.close()
	return append(w.b, '\n')
}

// MarshalJSON writes the message as a receipt holds it.
func (m Message) MarshalJSON() ([]byte, error) {
	return (&writer{}).open("").message(&m).close().b, nil
}

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (m *Message) UnmarshalJSON(b []byte) error {
	return parseObject(b, func(r *reader) { *m = *readMessageFields(r, r) })
}

// MarshalJSON writes the entry as a receipt holds it.
func (e Entry) MarshalJSON() ([]byte, error) { return (&writer{}).open("").entry(e).close().b, nil }

// UnmarshalJSON reads what MarshalJSON writes, strictly.
func (e *Entry) UnmarshalJSON(b []byte) error {
	return parseObject(b, func(r *reader) { *e = readEntry(r, r) })
}

// MarshalText writes 0x and 130 lower-case hex digits.
func (s Signature) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(s[:])), nil }

// UnmarshalText reads what MarshalText writes, strictly.
func (s *Signature) UnmarshalText(b []byte) error {
	var raw [SignatureSize]byte
	err := parseHex(raw[:], string(b))
	if err == nil {
		*s, err = ParseSignature(raw[:])
	}
	return err
}
