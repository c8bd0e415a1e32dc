// Package identity says who said it: it keeps signing keys in keystore files and recovers signers
// at the speed of C.
//
// Key files are Web3 Secret Storage version 3, as written by geth, Foundry and others, one file a
// name. See https://ethereum.org/developers/docs/data-structures-and-encoding/web3-secret-storage.
// TestRecoverAgreesWithProofs holds Recover against the pure Go of package proofs.
package identity

import (
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/proofs"
)

// Recover is proofs.Recover by way of libsecp256k1: about four times as fast where cgo is on.
func Recover(digest proofs.Hash, s proofs.Signature) (proofs.Address, error) {
	if _, err := proofs.ParseSignature(s[:]); err != nil {
		return proofs.Address{}, err
	}
	s[64] -= 27
	key, err := crypto.Ecrecover(digest[:], s[:])
	if err != nil {
		return proofs.Address{}, fmt.Errorf("signature: %w", err)
	}
	h := proofs.Keccak(key[1:])
	return proofs.Address(h[12:]), nil
}

// Key is an unlocked secp256k1 key.
type Key struct {
	key     *ecdsa.PrivateKey
	address proofs.Address
}

// NewKey wraps a private key that is already in memory, for demonstrations and tests.
func NewKey(key *ecdsa.PrivateKey) *Key {
	return &Key{key, proofs.Address(crypto.PubkeyToAddress(key.PublicKey))}
}

// GenerateKey makes a random key that lives in memory only.
func GenerateKey() (*Key, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return NewKey(key), nil
}

// Address returns the key's address.
func (k *Key) Address() proofs.Address { return k.address }

// SignDigest signs 32 bytes. The signature is deterministic (RFC 6979): the same digest gives the
// same bytes.
func (k *Key) SignDigest(digest proofs.Hash) (proofs.Signature, error) {
	b, err := crypto.Sign(digest[:], k.key)
	if err != nil {
		return proofs.Signature{}, fmt.Errorf("sign: %w", err)
	}
	b[64] += 27
	return proofs.ParseSignature(b)
}

// SignMessage signs a message as its author: evidence of the scheme eip712.
func (k *Key) SignMessage(d proofs.Domain, m *proofs.Message) (proofs.Evidence, error) {
	s, err := k.SignDigest(d.MessageID(m))
	if err != nil {
		return proofs.Evidence{}, err
	}
	return proofs.Evidence{Scheme: proofs.SchemeEIP712, Bytes: s[:]}, nil
}
