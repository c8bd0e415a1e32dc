// Package signer opens keys that sign transactions, each named by a URI.
//
//	keystore:NAME               a key file of package identity; a bare NAME means the same
//	clef:PATH?address=0x...     an account of Clef, over its IPC socket
//	clef:URL?address=0x...      the same over HTTP
//	env:VAR                     hex in an environment variable, only with Options.UnsafeEnvKey
//
// No URI holds a key: what looks like one is refused and never repeated in an error. Whatever signs, the
// signed transaction is held against the one that was asked for, field by field, and must recover to
// Address: so a signer can refuse or keep silent, but not redirect, reprice or move a transaction to
// another chain.
//
//	s, err := signer.Open(ctx, "clef:/run/clef/clef.ipc?address=0x731678aCaa3e68fBb1F839c42bb1FBDdE327F1f2", signer.Options{})
//	tx, err = s.SignTx(ctx, tx, chainID)
//
// docs/keys.md shows how to set up Clef; TestClef, behind the build tag clef, does so with the real one.
package signer

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	// ErrUnanswered is wrapped when an external signer is not there or did not answer in time. It is transient.
	ErrUnanswered = errors.New("the signer did not answer")
	// ErrRefused is wrapped when an external signer answered that it does not sign. It is transient: a
	// person or another rule can approve the next request.
	ErrRefused = errors.New("the signer refused")
	// ErrBadAnswer is wrapped when an answer is no transaction, or not the one that was asked for.
	ErrBadAnswer = errors.New("the signer answered something else")
)

// Signer signs transactions with the key of one address. It may be used by several goroutines.
type Signer interface {
	Address() proofs.Address
	// SignTx returns tx with a signature that is valid on that chain only. Types: legacy, access list
	// and dynamic fee; the latter two must name the chain. With an external signer it can take until
	// Options.Timeout.
	SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error)
}

// DefaultTimeout leaves a person the time to read a request and approve it, and ends before a round of the
// anchorer does. After it the request is made again.
const DefaultTimeout = 90 * time.Second

// Options is what Open needs besides the URI.
type Options struct {
	// Keystore and Password open keystore:NAME.
	Keystore identity.Keystore
	Password string
	// Getenv reads the variable of env:VAR; nil reads nothing. UnsafeEnvKey allows that scheme.
	Getenv       func(string) string
	UnsafeEnvKey bool
	// Methods are signatures such as "stop(bytes32)" that calls are expected to match. Clef is told, so that it
	// shows what is called instead of refusing data that it does not know.
	Methods []string
	// Timeout bounds each request to an external signer. 0: DefaultTimeout.
	Timeout time.Duration
}

// forms ends the errors about a URI.
const forms = "want keystore:NAME (or NAME), clef:PATH?address=0x..., clef:http://HOST:PORT?address=0x... or env:VAR"

var (
	// secret is more hex digits in a row than an address has.
	secret = regexp.MustCompile(`[0-9a-fA-F]{41}|\s`)
	// word and keyName are what an error may repeat of a scheme or variable, and of a key's name.
	word    = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)
	keyName = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)
)

// Open returns the signer that the URI names. A keystore's key is unlocked here. Clef is asked here only if
// the URI names no address; then it must have one account and approve that it is listed. Errors wrap those
// of this package or of identity; anything else is a mistake in the URI.
func Open(ctx context.Context, uri string, opts Options) (Signer, error) {
	if secret.MatchString(uri) {
		return nil, errors.New("account: it holds spaces or more hex digits in a row than an address, so it may be a private key, which other " +
			"programs can read on a command line; store the key with hansard keys import (and replace it if it was real), then name it: " + forms)
	}
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		scheme, rest = "keystore", uri
	}
	switch scheme {
	case "keystore":
		return openKeystore(rest, opts)
	case "clef":
		return openClef(ctx, rest, opts)
	case "env":
		return openEnv(rest, opts)
	}
	if word.MatchString(scheme) {
		return nil, fmt.Errorf("account: no scheme %s, and none that takes a key itself; %s", scheme, forms)
	}
	return nil, fmt.Errorf("account: %s; a key itself is not taken", forms)
}

// rulesOf returns the signing rules for a transaction that may be asked for on that chain.
func rulesOf(tx *types.Transaction, chainID *big.Int) (types.Signer, error) {
	if chainID == nil || chainID.Sign() <= 0 {
		return nil, errors.New("no chain id: the signature would hold on every chain")
	}
	switch tx.Type() {
	case types.LegacyTxType:
	case types.AccessListTxType, types.DynamicFeeTxType:
		if tx.ChainId().Cmp(chainID) != 0 {
			return nil, fmt.Errorf("the transaction is for chain %d, not %d", tx.ChainId(), chainID)
		}
	default:
		return nil, fmt.Errorf("transactions of type %d are not signed", tx.Type())
	}
	return types.LatestSignerForChainID(chainID), nil
}

// check returns an error unless got is asked, signed by the address for this chain.
func check(rules types.Signer, asked, got *types.Transaction, address proofs.Address) error {
	if d := difference(rules, asked, got); d != "" {
		return fmt.Errorf("%w: %s", ErrBadAnswer, d)
	}
	from, err := types.Sender(rules, got)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadAnswer, err)
	}
	if proofs.Address(from) != address {
		return fmt.Errorf("%w: signed by %s, not by %s", ErrBadAnswer, proofs.Address(from), address)
	}
	return nil
}

// difference names the first field that is not as asked, or returns nothing.
func difference(rules types.Signer, asked, got *types.Transaction) string {
	for _, f := range []struct {
		name       string
		asked, got any
	}{
		{"type", asked.Type(), got.Type()},
		{"chain id", rules.ChainID(), got.ChainId()}, // 0 where a legacy signature holds on every chain
		{"nonce", asked.Nonce(), got.Nonce()},
		{"to", to(asked), to(got)},
		{"value", asked.Value(), got.Value()},
		{"gas", asked.Gas(), got.Gas()},
		{"tip", asked.GasTipCap(), got.GasTipCap()},
		{"fee cap", asked.GasFeeCap(), got.GasFeeCap()},
		{"data with the hash", proofs.Keccak(asked.Data()), proofs.Keccak(got.Data())},
	} {
		if a, g := fmt.Sprint(f.asked), fmt.Sprint(f.got); a != g {
			return fmt.Sprintf("%s %.80s instead of %.80s", f.name, g, a)
		}
	}
	if rules.Hash(asked) != rules.Hash(got) {
		return "the access list is another"
	}
	return ""
}

func to(tx *types.Transaction) string {
	if tx.To() == nil {
		return "none"
	}
	return tx.To().Hex()
}
