package proofs_test

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/proofs"
)

// gethSigner recovers by go-ethereum, which knows nothing of our form but for v.
func gethSigner(digest proofs.Hash, s []byte) (proofs.Address, error) {
	raw := bytes.Clone(s)
	raw[64] -= 27
	key, err := crypto.SigToPub(digest[:], raw)
	if err != nil {
		return proofs.Address{}, err
	}
	return proofs.Address(crypto.PubkeyToAddress(*key)), nil
}

// TestRecover compares with go-ethereum on signatures that hold, on those of other digests and on
// noise. That identity.Recover agrees at every edge is its own test.
func TestRecover(t *testing.T) {
	rng := newRand(t)
	key := testKey("alice")
	for range 100 {
		digest := randomHash(rng)
		s, err := key.SignDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := proofs.Recover(digest, s); err != nil || got != key.Address() {
			t.Fatalf("recovered %s, %v", got, err)
		}
		noise := proofs.Signature(randomBytes(rng, proofs.SignatureSize))
		noise[32] &= 0x3f
		noise[64] = byte(27 + rng.IntN(2))
		for _, s := range []proofs.Signature{s, noise} {
			digest := randomHash(rng)
			got, err := proofs.Recover(digest, s)
			want, wantErr := gethSigner(digest, s[:])
			if got != want || (err == nil) != (wantErr == nil) {
				t.Fatalf("digest %s, signature %x: %s, %v, go-ethereum says %s, %v", digest, s, got, err, want, wantErr)
			}
		}
	}
}

// word is n as 32 bytes.
func word(n *big.Int) []byte { return n.FillBytes(make([]byte, 32)) }

// TestSignatureForm holds ParseSignature, Recover and CheckEvidence against signatures that are not
// of the one form, the other signature of the same key among them.
func TestSignatureForm(t *testing.T) {
	key := testKey("alice")
	digest := wordHash(5)
	good, err := key.SignDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	order := crypto.S256().Params().N
	half, one := new(big.Int).Rsh(order, 1), big.NewInt(1)
	max := new(big.Int).Sub(new(big.Int).Lsh(one, 256), one)
	with := func(r, s []byte, v byte) []byte {
		b := bytes.Clone(good[:])
		copy(b, r)
		copy(b[32:], s)
		b[64] = v
		return b
	}
	high := twin(good)
	if signer, err := gethSigner(digest, high[:]); err != nil || signer != key.Address() {
		t.Fatalf("the other signature recovers %s, %v", signer, err)
	}
	v := good[64]
	tests := []struct {
		name   string
		b      []byte
		parsed bool // has the form; whether it recovers is another matter
	}{
		{"good", good[:], true},
		{"the other signature", high[:], false},
		{"s of n/2", with(nil, word(half), v), true},
		{"s over n/2", with(nil, word(new(big.Int).Add(half, one)), v), false},
		{"s of n", with(nil, word(order), v), false},
		{"largest s", with(nil, word(max), v), false},
		{"s zero", with(nil, word(new(big.Int)), v), true},
		{"r zero", with(word(new(big.Int)), nil, v), true},
		{"r of n", with(word(order), nil, v), true},
		{"r over n", with(word(new(big.Int).Add(order, one)), nil, v), true},
		{"largest r", with(word(max), nil, v), true},
		{"v 0", with(nil, nil, 0), false},
		{"v 1", with(nil, nil, 1), false},
		{"v 26", with(nil, nil, 26), false},
		{"v 29", with(nil, nil, 29), false},
		{"v 31", with(nil, nil, 31), false}, // of a compressed key, for Bitcoin
		{"v 255", with(nil, nil, 255), false},
		{"nothing", nil, false},
		{"64 bytes", good[:64], false}, // EIP-2098
		{"66 bytes", append(good[:], 0), false},
	}
	author := proofs.Author(key.Address().String())
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := proofs.ParseSignature(tt.b)
			if (err == nil) != tt.parsed || err == nil && !bytes.Equal(s[:], tt.b) || err != nil && s != (proofs.Signature{}) {
				t.Errorf("parsed as %x, %v", s, err)
			}
			holds := tt.name == "good"
			if len(tt.b) == proofs.SignatureSize {
				got, err := proofs.Recover(digest, proofs.Signature(tt.b))
				if (got == key.Address()) != holds || err != nil && !got.IsZero() || !tt.parsed && err == nil {
					t.Errorf("recovered %s, %v", got, err)
				}
			}
			vouch, err := proofs.CheckEvidence(digest, author, proofs.Evidence{Scheme: proofs.SchemeEIP712, Bytes: tt.b}, proofs.Recover)
			if (err == nil) != holds || (vouch == proofs.VouchAuthor) != holds || errors.Is(err, proofs.ErrScheme) {
				t.Errorf("vouches as %d, %v", vouch, err)
			}
		})
	}
}

// TestCheckEvidence tries each scheme with what is right for it and what is not.
func TestCheckEvidence(t *testing.T) {
	id, key := wordHash(6), testKey("alice")
	alice := proofs.Author(key.Address().String())
	sign := func(digest proofs.Hash) []byte {
		s, err := key.SignDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		return s[:]
	}
	text := sign(proofs.Keccak([]byte("\x19Ethereum Signed Message:\n74hansard:" + id.String())))
	other := id
	other[0] ^= 1
	tests := []struct {
		name   string
		author proofs.Author
		scheme string
		bytes  []byte
		vouch  proofs.Vouch
		says   string
	}{
		{"typed data", alice, "eip712", sign(id), proofs.VouchAuthor, ""},
		{"text", alice, "eip191", text, proofs.VouchAuthor, ""},
		{"nobody", "zoom:Dan", "none", []byte{}, proofs.VouchNobody, ""},
		{"nobody, nil", "zoom:Dan", "none", nil, proofs.VouchNobody, ""},
		{"text as typed data", alice, "eip712", text, 0, "not the author's"},
		{"typed data as text", alice, "eip191", sign(id), 0, "not the author's"},
		{"another message", alice, "eip712", sign(other), 0, "not the author's"},
		{"another author", proofs.Author(testKey("bob").Address().String()), "eip712", sign(id), 0, "not the author's"},
		{"a name", "zoom:Dan", "eip712", sign(id), 0, "needs a wallet"},
		{"upper-case wallet", proofs.Author(strings.ToUpper(string(alice))), "eip712", sign(id), 0, "needs a wallet"},
		{"the zero wallet and no signer", proofs.Author(proofs.Address{}.String()), "eip712", append(make([]byte, 64), 27), 0, "not the author's"},
		{"nobody with a byte", "zoom:Dan", "none", []byte{0}, 0, "carries none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vouch, err := proofs.CheckEvidence(id, tt.author, proofs.Evidence{Scheme: tt.scheme, Bytes: tt.bytes}, proofs.Recover)
			if vouch != tt.vouch || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got class %d, %v", vouch, err)
			}
		})
	}
	for _, scheme := range []string{"", "EIP712", "eip712 ", "session", "eip1271", "erc6492", "atproto", "farcaster", "nostr", "matrix", "webhook:discord", "x"} {
		vouch, err := proofs.CheckEvidence(id, alice, proofs.Evidence{Scheme: scheme, Bytes: sign(id)}, proofs.Recover)
		if vouch != 0 || !errors.Is(err, proofs.ErrScheme) {
			t.Errorf("scheme %q: class %d, %v", scheme, vouch, err)
		}
	}
}
