//go:build cgo

package identity_test

import (
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/secp256k1"
)

// TestRecoverIsC: where there is cgo, signatures are recovered by libsecp256k1. The rate of intake
// depends on it.
func TestRecoverIsC(t *testing.T) {
	if _, ok := crypto.S256().(*secp256k1.BitCurve); !ok {
		t.Errorf("go-ethereum computes with %T", crypto.S256())
	}
}
