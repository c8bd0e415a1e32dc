package signer

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// local is a key in this process.
type local struct{ key *identity.Key }

// FromKey wraps a key that is already in memory.
func FromKey(key *identity.Key) Signer { return local{key} }

func openKeystore(name string, opts Options) (Signer, error) {
	if !keyName.MatchString(name) {
		return nil, fmt.Errorf("account: that is no name of a key, which has 1 to 64 of a-z 0-9 . _ -; %s", forms)
	}
	key, err := opts.Keystore.Unlock(name, opts.Password)
	if err != nil {
		return nil, fmt.Errorf("account: %w", err)
	}
	return local{key}, nil
}

func openEnv(name string, opts Options) (Signer, error) {
	if !word.MatchString(name) {
		return nil, fmt.Errorf("account: env: that is no name of a variable; %s", forms)
	}
	if !opts.UnsafeEnvKey {
		return nil, fmt.Errorf("account env:%s: refused: child processes, crash reports and administrators see the environment; "+
			"store the key with hansard keys import, or accept the risk with --unsafe-env-key", name)
	}
	var value string
	if opts.Getenv != nil {
		value = opts.Getenv(name)
	}
	if value == "" {
		return nil, fmt.Errorf("account env:%s: the variable is empty or not set; set it to 64 hex digits", name)
	}
	// Neither error of the libraries is passed on: they may repeat part of the value.
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(value), "0x"))
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("account env:%s: the value is no private key: want 64 hex digits", name)
	}
	key, err := crypto.ToECDSA(b)
	if err != nil {
		return nil, fmt.Errorf("account env:%s: the value is no private key: it is outside of the curve's order", name)
	}
	return local{identity.NewKey(key)}, nil
}

func (l local) Address() proofs.Address { return l.key.Address() }

func (l local) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	rules, err := rulesOf(tx, chainID)
	if err != nil {
		return nil, err
	}
	s, err := l.key.SignDigest(proofs.Hash(rules.Hash(tx)))
	if err != nil {
		return nil, err
	}
	s[64] -= 27
	signed, err := tx.WithSignature(rules, s[:])
	if err != nil {
		return nil, fmt.Errorf("add the signature: %w", err)
	}
	return signed, check(rules, tx, signed, l.Address())
}
