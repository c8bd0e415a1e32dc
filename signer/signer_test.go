package signer_test

import (
	"context"
	"encoding/hex"
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

var (
	chainID  = big.NewInt(11155111)
	contract = common.HexToAddress("0xd58311ce4Bdc1FA03d1816705cB0D5964C7FB6A7")
)

// testKey is nobody's: keccak256 of "test".
const testKey = "9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658"

// transactions returns one of each supported type.
func transactions() map[string]*types.Transaction {
	data := append([]byte{1, 2, 3, 4}, make([]byte, 64)...)
	list := types.AccessList{{Address: contract, StorageKeys: []common.Hash{{1}}}}
	return map[string]*types.Transaction{
		"legacy":  types.NewTx(&types.LegacyTx{Nonce: 7, To: &contract, Gas: 100_000, GasPrice: big.NewInt(3e9), Data: data}),
		"list":    types.NewTx(&types.AccessListTx{ChainID: chainID, Nonce: 7, To: &contract, Gas: 100_000, GasPrice: big.NewInt(3e9), Data: data, AccessList: list}),
		"dynamic": dynamic(nil),
		"no keys": dynamic(func(d *types.DynamicFeeTx) { d.AccessList = types.AccessList{{Address: contract}} }),
		"create":  dynamic(func(d *types.DynamicFeeTx) { d.To, d.Value = nil, big.NewInt(5) }),
	}
}

// dynamic returns a transaction as the anchorer asks for, but for what change does.
func dynamic(change func(*types.DynamicFeeTx)) *types.Transaction {
	d := &types.DynamicFeeTx{
		ChainID: chainID, Nonce: 7, To: &contract, Gas: 100_000, GasFeeCap: big.NewInt(3e9), GasTipCap: big.NewInt(1e9),
		Data: append([]byte{1, 2, 3, 4}, make([]byte, 64)...),
	}
	if change != nil {
		change(d)
	}
	return types.NewTx(d)
}

// env is an environment with one variable.
func env(name, value string) func(string) string {
	return func(n string) string {
		if n == name {
			return value
		}
		return ""
	}
}

func keyOf(t *testing.T, digits string) *identity.Key {
	t.Helper()
	key, err := crypto.HexToECDSA(digits)
	if err != nil {
		t.Fatal(err)
	}
	return identity.NewKey(key)
}

func TestLocal(t *testing.T) {
	store := identity.Keystore{Dir: filepath.Join(t.TempDir(), "keys"), Light: true}
	key, err := store.New("anchor", "secret")
	if err != nil {
		t.Fatal(err)
	}
	opts := signer.Options{Keystore: store, Password: "secret", Getenv: env("ANCHOR", " 0x"+testKey+"\n"), UnsafeEnvKey: true}
	for uri, want := range map[string]proofs.Address{
		"anchor": key.Address(), "keystore:anchor": key.Address(), "env:ANCHOR": keyOf(t, testKey).Address(),
	} {
		s, err := signer.Open(t.Context(), uri, opts)
		if err != nil {
			t.Fatal(err)
		}
		if s.Address() != want {
			t.Errorf("%s signs for %s, want %s", uri, s.Address(), want)
		}
		if err := signer.Check(t.Context(), s); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
		for name, tx := range transactions() {
			checkSigned(t, uri+" "+name, s, tx)
		}
	}
}

// checkSigned signs the transaction and checks by go-ethereum's own means that all is as it was.
func checkSigned(t *testing.T, name string, s signer.Signer, tx *types.Transaction) {
	t.Helper()
	signed, err := s.SignTx(t.Context(), tx, chainID)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	rules := types.LatestSignerForChainID(chainID)
	from, err := rules.Sender(signed)
	if err != nil || proofs.Address(from) != s.Address() || !signed.Protected() || signed.ChainId().Cmp(chainID) != 0 {
		t.Errorf("%s: from %s on chain %d, %v", name, from, signed.ChainId(), err)
	}
	if rules.Hash(signed) != rules.Hash(tx) {
		t.Errorf("%s: another transaction was signed", name)
	}
}

func TestNotSigned(t *testing.T) {
	s := signer.FromKey(keyOf(t, testKey))
	for name, tt := range map[string]struct {
		tx    *types.Transaction
		chain *big.Int
		want  string
	}{
		"no chain":    {dynamic(nil), nil, "no chain id"},
		"every chain": {transactions()["legacy"], new(big.Int), "no chain id"},
		"other chain": {dynamic(nil), big.NewInt(1), "the transaction is for chain 11155111, not 1"},
		"open chain":  {dynamic(func(d *types.DynamicFeeTx) { d.ChainID = nil }), chainID, "the transaction is for chain 0"},
		"blobs":       {types.NewTx(&types.BlobTx{}), chainID, "type 3 are not signed"},
	} {
		if tx, err := s.SignTx(t.Context(), tt.tx, tt.chain); tx != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want %q", name, tx, err, tt.want)
		}
	}
}

// TestOpenRefuses: each error says why, and none repeats anything that could be a key.
func TestOpenRefuses(t *testing.T) {
	store := identity.Keystore{Dir: filepath.Join(t.TempDir(), "keys"), Light: true}
	if _, err := store.New("anchor", "secret"); err != nil {
		t.Fatal(err)
	}
	const words = "test test test test test test test test test test test junk"
	upper := strings.ToUpper(testKey)
	for uri, tt := range map[string]struct {
		value  string // of $KEY
		unsafe bool
		want   string
		is     error
	}{
		testKey:                                  {want: "may be a private key"},
		"0x" + testKey:                           {want: "may be a private key"},
		upper:                                    {want: "may be a private key"},
		testKey[:63]:                             {want: "may be a private key"},
		"keystore:" + testKey:                    {want: "may be a private key"},
		"env:" + testKey:                         {unsafe: true, want: "may be a private key"},
		"hex:" + testKey:                         {want: "may be a private key"},
		"clef:/run/clef.ipc?address=" + testKey:  {want: "may be a private key"},
		"http://" + testKey + "@localhost":       {want: "may be a private key"},
		words:                                    {want: "may be a private key"},
		"nobody":                                 {want: "no such key", is: identity.ErrNoKey},
		"anchor":                                 {want: "wrong password", is: identity.ErrPassword},
		"ANCHOR":                                 {want: "no name of a key"},
		".anchor":                                {want: "want 1 to 64 of a-z"},
		"":                                       {want: "no name of a key"},
		"xprv9s21ZrQH143K3/QTDL4LXw2F7HEK":       {want: "no name of a key"},
		"keystore:../anchor":                     {want: "no name of a key"},
		"awskms:alias":                           {want: "no scheme awskms, and none that takes a key itself"},
		"a/b:c":                                  {want: "a key itself is not taken"},
		"env:KEY":                                {value: testKey, want: "accept the risk with --unsafe-env-key"},
		"env:NONE":                               {unsafe: true, want: "is empty or not set"},
		"env:A=B":                                {unsafe: true, want: "no name of a variable"},
		"clef:":                                  {want: "no path and no URL"},
		"clef:ws://localhost:8550":               {want: "by the path of its socket or by http"},
		"clef:http:///x":                         {want: "malformed URL"},
		"clef:http://u:hunter2@localhost":        {want: "a password in a URL"},
		"clef:/run/clef.ipc?address=0x12":        {want: "address"},
		"clef:/run/clef.ipc?key=hunter2":         {want: "only address=0x... may stand"},
		"clef:/run/clef.ipc?address=1&address=2": {want: "only address=0x... may stand"},
		"clef:" + filepath.Join(t.TempDir(), "no"): {want: "start it, or correct the path", is: signer.ErrUnanswered},
	} {
		s, err := signer.Open(t.Context(), uri, signer.Options{
			Keystore: store, Password: "another", Getenv: env("KEY", tt.value), UnsafeEnvKey: tt.unsafe,
		})
		if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%q: %v, %v, want %q", uri, s, err, tt.want)
			continue
		}
		noSecret(t, uri, err, testKey, upper, words, "hunter2", "QTDL4LXw", "another")
	}
}

func TestEnvRefuses(t *testing.T) {
	const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	for name, value := range map[string]string{
		"short": testKey[:62], "long": testKey + "00", "no hex": testKey[:63] + "g", "zero": strings.Repeat("0", 64), "order": order,
	} {
		s, err := signer.Open(t.Context(), "env:KEY", signer.Options{Getenv: env("KEY", value), UnsafeEnvKey: true})
		if s != nil || err == nil || !strings.Contains(err.Error(), "the value is no private key") {
			t.Errorf("%s: %v, %v", name, s, err)
			continue
		}
		noSecret(t, name, err, value)
	}
	if _, err := signer.Open(t.Context(), "env:KEY", signer.Options{UnsafeEnvKey: true}); err == nil {
		t.Error("without an environment there is a key")
	}
}

// noSecret fails if the error repeats eight characters in a row of a secret.
func noSecret(t *testing.T, name string, err error, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		for i := 0; i+8 <= len(secret); i++ {
			if strings.Contains(err.Error(), secret[i:i+8]) {
				t.Errorf("%q: the error repeats %q: %v", name, secret[i:i+8], err)
				return
			}
		}
		if len(secret) < 8 && strings.Contains(err.Error(), secret) {
			t.Errorf("%q: the error repeats %q: %v", name, secret, err)
		}
	}
}

// TestCancelled: a caller that gives up is not told that the signer was slow.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := signer.Open(ctx, "clef:/run/clef.ipc", signer.Options{})
	if !errors.Is(err, context.Canceled) || errors.Is(err, signer.ErrUnanswered) {
		t.Error(err)
	}
}

func hexOf(t *testing.T, tx *types.Transaction) string {
	t.Helper()
	b, err := tx.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return "0x" + hex.EncodeToString(b)
}
