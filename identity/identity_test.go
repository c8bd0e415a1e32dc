package identity_test

import (
	"crypto/rand"
	"math/big"
	mathrand "math/rand/v2"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

var order = crypto.S256().Params().N

func newRand(t *testing.T) *mathrand.Rand {
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	return mathrand.New(mathrand.NewPCG(seed, 0))
}

func randomHash(rng *mathrand.Rand) (h proofs.Hash) {
	for i := range h {
		h[i] = byte(rng.Uint32())
	}
	return h
}

func newKey(t *testing.T) *identity.Key {
	t.Helper()
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// agree recovers in C and in Go: the same address, or two errors and no address.
func agree(t *testing.T, what string, digest proofs.Hash, s proofs.Signature) (proofs.Address, error) {
	t.Helper()
	c, errC := identity.Recover(digest, s)
	g, errGo := proofs.Recover(digest, s)
	if c != g || (errC == nil) != (errGo == nil) || errC != nil && !c.IsZero() {
		t.Fatalf("%s: digest %s, signature %x: %s, %v in C and %s, %v in Go", what, digest, s, c, errC, g, errGo)
	}
	return c, errC
}

// TestRecoverAgreesWithProofs compares the two on signatures that hold, on every bit of one flipped,
// on noise, and on r and s at the edges of their range with every v.
func TestRecoverAgreesWithProofs(t *testing.T) {
	rng := newRand(t)
	key := newKey(t)
	for range 200 {
		digest := randomHash(rng)
		s, err := key.SignDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := agree(t, "signed", digest, s); err != nil || got != key.Address() {
			t.Fatalf("recovered %s, %v, want %s", got, err, key.Address())
		}
		if got, err := agree(t, "other digest", randomHash(rng), s); got == key.Address() {
			t.Fatalf("another digest recovers the signer, %v", err)
		}
	}
	digest := randomHash(rng)
	s, err := key.SignDigest(digest)
	if err != nil {
		t.Fatal(err)
	}
	for bit := range 8 * len(s) {
		flipped := s
		flipped[bit/8] ^= 1 << (bit % 8)
		if got, _ := agree(t, "flipped", digest, flipped); got == key.Address() {
			t.Fatalf("flipping bit %d recovers the signer", bit)
		}
	}
	held := 0
	for range 500 {
		var noise proofs.Signature
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		noise[32] &= 0x3f
		noise[64] = byte(27 + rng.IntN(2))
		if _, err := agree(t, "noise", randomHash(rng), noise); err == nil {
			held++
		}
	}
	if held == 0 || held == 500 {
		t.Errorf("%d of 500 noisy signatures recover an address, want about half", held)
	}
	half := new(big.Int).Rsh(order, 1)
	field := crypto.S256().Params().P
	one := big.NewInt(1)
	edges := []*big.Int{
		new(big.Int), one, big.NewInt(2), new(big.Int).Sub(half, one), half, new(big.Int).Add(half, one), new(big.Int).Sub(order, one), order,
		new(big.Int).Add(order, one), new(big.Int).Sub(field, order), new(big.Int).Sub(field, one), field, new(big.Int).Sub(new(big.Int).Lsh(one, 256), one),
	}
	for _, r := range edges {
		for _, s := range edges {
			for _, v := range []byte{0, 1, 2, 3, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 255} {
				var sig proofs.Signature
				r.FillBytes(sig[:32])
				s.FillBytes(sig[32:64])
				sig[64] = v
				for _, digest := range []proofs.Hash{{}, digest, proofs.Hash(order.FillBytes(make([]byte, 32)))} {
					_, err := agree(t, "edge", digest, sig)
					outside := r.Sign() == 0 || s.Sign() == 0 || r.Cmp(order) >= 0 || s.Cmp(half) > 0 || v != 27 && v != 28
					if outside && err == nil {
						t.Fatalf("r %x, s %x, v %d recovers an address", r, s, v)
					}
				}
			}
		}
	}
}

// TestSignDigest: the same digest gives the same bytes, in the form that ParseSignature takes.
func TestSignDigest(t *testing.T) {
	rng := newRand(t)
	key := newKey(t)
	for range 50 {
		digest := randomHash(rng)
		one, err := key.SignDigest(digest)
		if err != nil {
			t.Fatal(err)
		}
		two, err := key.SignDigest(digest)
		if err != nil || one != two {
			t.Fatalf("%x and then %x, %v", one, two, err)
		}
		if _, err := proofs.ParseSignature(one[:]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSignMessage holds a signed message against the check of a verifier.
func TestSignMessage(t *testing.T) {
	key := newKey(t)
	chain := proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{1}, Log: proofs.Hash{2}}
	m := proofs.Message{Log: chain.Log, Room: "room", Author: proofs.Author(key.Address().String()), Kind: "text/plain", Body: "gm"}
	rand.Read(m.Salt[:])
	e, err := key.SignMessage(chain.MessageDomain(), &m)
	if err != nil {
		t.Fatal(err)
	}
	for _, recoverer := range []proofs.Recoverer{identity.Recover, proofs.Recover} {
		vouch, err := proofs.CheckEvidence(chain.MessageDomain().MessageID(&m), m.Author, e, recoverer)
		if err != nil || vouch != proofs.VouchAuthor {
			t.Errorf("got class %d, %v", vouch, err)
		}
	}
}
