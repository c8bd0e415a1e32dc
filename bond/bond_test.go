package bond

import (
	"testing"

	"github.com/hansard-dao/hansard/anchor"
)

// The address is that of docs/contracts.md and of PromiseBond.deploy.t.sol.
func TestAddress(t *testing.T) {
	const want = "0xa093c9e324e0651d0e21f373146f1bbbd3c07963"
	if got := Address(anchor.ContractAddress()).String(); got != want {
		t.Errorf("Address = %s, want %s", got, want)
	}
}
