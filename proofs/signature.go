package proofs

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
)

// SignatureSize is the length of a signature r || s || v.
const SignatureSize = 65

// Signature is a secp256k1 signature r || s || v with s at most n/2 and v 27 or 28. A value that
// exists has that form; whether r and s lie in range is found when it is recovered.
type Signature [SignatureSize]byte

var halfOrder = [32]byte{
	0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
}

// ParseSignature checks length, s and v. The twin (r, n-s) of a signature recovers the same address,
// so that nothing may ever be keyed on signature bytes; it is refused all the same.
func ParseSignature(b []byte) (Signature, error) {
	if len(b) != SignatureSize {
		return Signature{}, fmt.Errorf("signature: want %d bytes, got %d", SignatureSize, len(b))
	}
	if string(b[32:64]) > string(halfOrder[:]) {
		return Signature{}, errors.New("signature: s is over n/2")
	}
	if b[64] != 27 && b[64] != 28 {
		return Signature{}, fmt.Errorf("signature: want v 27 or 28, got %d", b[64])
	}
	return Signature(b), nil
}

// Recoverer returns the address whose key signed digest. Package identity has one that is four times
// as fast as Recover, by way of C.
type Recoverer func(digest Hash, s Signature) (Address, error)

// Recover returns the address whose key signed digest, in pure Go.
func Recover(digest Hash, s Signature) (Address, error) {
	if _, err := ParseSignature(s[:]); err != nil {
		return Address{}, err
	}
	compact := append([]byte{s[64]}, s[:64]...)
	key, _, err := ecdsa.RecoverCompact(compact, digest[:])
	if err != nil {
		return Address{}, fmt.Errorf("signature: %w", err)
	}
	return keyAddress(key), nil
}

func keyAddress(key *secp256k1.PublicKey) Address {
	h := Keccak(key.SerializeUncompressed()[1:])
	return Address(h[12:])
}

// errAuthor is the answer to a signature that is not the author's.
var errAuthor = errors.New("the signature is not the author's")

// ErrScheme is wrapped by the error for a scheme that this version does not check.
var ErrScheme = errors.New("scheme is not checked by this version")

// schemeClasses lists the classes that each scheme can stand for. Schemes that are not listed, but
// for webhook:<name>, are unknown.
var schemeClasses = map[string][]Vouch{
	"eip712": {VouchAuthor}, "eip191": {VouchAuthor}, "session": {VouchSession},
	"eip1271": {VouchContract}, "erc6492": {VouchContract},
	"atproto":   {VouchAuthor, VouchSession, VouchHost},
	"farcaster": {VouchAuthor, VouchSession, VouchHost},
	"nostr":     {VouchAuthor, VouchSession, VouchHost},
	"matrix":    {VouchAuthor, VouchSession, VouchHost},
	"none":      {VouchNobody},
}

// SchemeNone is the scheme of a message that nobody signed: recorded as seen, VouchNobody.
const SchemeNone = "none"

// SchemeEIP712 is the scheme of a wallet's signature over the message id, VouchAuthor.
const SchemeEIP712 = "eip712"

// CheckEvidence checks that the evidence vouches for the message id and returns the class. It
// returns an error that wraps ErrScheme for a scheme that it cannot check.
func CheckEvidence(id Hash, author Author, e Evidence, recover Recoverer) (Vouch, error) {
	digest := id
	switch e.Scheme {
	case SchemeNone:
		if len(e.Bytes) != 0 {
			return 0, errors.New("evidence: the scheme none carries none")
		}
		return VouchNobody, nil
	case "eip191":
		text := "hansard:" + id.String()
		digest = Keccak(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(text), text))
	case SchemeEIP712:
	default:
		return 0, fmt.Errorf("%w: %.64q", ErrScheme, e.Scheme)
	}
	wallet, ok := author.Wallet()
	if !ok {
		return 0, errors.New("author: this scheme needs a wallet")
	}
	s, err := ParseSignature(e.Bytes)
	if err != nil {
		return 0, err
	}
	signer, err := recover(digest, s)
	if err != nil || signer != wallet {
		return 0, errAuthor
	}
	return VouchAuthor, nil
}
