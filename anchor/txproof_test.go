package anchor

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// nodeList takes the nodes of a proof in the order in which go-ethereum gives them: root first.
type nodeList [][]byte

func (l *nodeList) Put(_, node []byte) error { *l = append(*l, bytes.Clone(node)); return nil }
func (l *nodeList) Delete([]byte) error      { panic("not used") }

func randomReceipts(r *rand.Rand, n int) types.Receipts {
	receipts := make(types.Receipts, n)
	for i := range receipts {
		logs := make([]*types.Log, r.IntN(4))
		for j := range logs {
			data := make([]byte, r.IntN(200))
			for k := range data {
				data[k] = byte(r.Uint32())
			}
			logs[j] = &types.Log{Address: common.BigToAddress(big.NewInt(r.Int64())), Data: data,
				Topics: make([]common.Hash, r.IntN(5))}
		}
		receipts[i] = &types.Receipt{Type: uint8(r.IntN(5)), Status: uint64(r.IntN(2)), CumulativeGasUsed: r.Uint64(), Logs: logs}
		receipts[i].Bloom = types.CreateBloom(receipts[i])
	}
	return receipts
}

// TestProveTx compares root and proof of every index with go-ethereum's trie.
func TestProveTx(t *testing.T) {
	const seed = 1
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, n := range []int{1, 2, 3, 16, 17, 127, 128, 129, 255, 256, 257, 300} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			receipts := randomReceipts(r, n)
			values := make([][]byte, n)
			ref := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
			for i := range receipts {
				var err error
				if values[i], err = receipts[i].MarshalBinary(); err != nil {
					t.Fatal(err)
				}
				ref.MustUpdate(rlp.AppendUint64(nil, uint64(i)), values[i])
			}
			want := types.DeriveSha(receipts, trie.NewStackTrie(nil))
			for _, i := range indices(n) {
				root, nodes := proveTx(values, i)
				if common.Hash(root) != want {
					t.Fatalf("index %d: root %s, want %s", i, root, want)
				}
				key := rlp.AppendUint64(nil, uint64(i))
				var theirs nodeList
				if err := ref.Prove(key, &theirs); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([][]byte(theirs), nodes); diff != "" {
					t.Errorf("index %d: nodes (-go-ethereum +ours):\n%s", i, diff)
				}
				got, err := proofs.VerifyTrie(root, key, nodes)
				if err != nil || !bytes.Equal(got, values[i]) {
					t.Errorf("index %d: verified %x, %v", i, got, err)
				}
				if i > 0 {
					if _, err := proofs.VerifyTrie(root, rlp.AppendUint64(nil, uint64(i-1)), nodes); err == nil {
						t.Errorf("index %d: its proof also verifies for %d", i, i-1)
					}
				}
			}
		})
	}
}

// TestProveTxEmbedded has values so short that nodes stand inside their parents.
func TestProveTxEmbedded(t *testing.T) {
	for n := 1; n <= 300; n += 13 {
		values := make([][]byte, n)
		ref := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
		for i := range values {
			values[i] = bytes.Repeat([]byte{byte(i) | 1}, 1+i%40)
			ref.MustUpdate(rlp.AppendUint64(nil, uint64(i)), values[i])
		}
		for _, i := range indices(n) {
			root, nodes := proveTx(values, i)
			if common.Hash(root) != ref.Hash() {
				t.Fatalf("%d values: root %s, want %s", n, root, ref.Hash())
			}
			got, err := proofs.VerifyTrie(root, rlp.AppendUint64(nil, uint64(i)), nodes)
			if err != nil || !bytes.Equal(got, values[i]) {
				t.Errorf("value %d of %d: verified %x, %v", i, n, got, err)
			}
		}
	}
}

// indices returns those of n values at which the keys change their shape, and some between.
func indices(n int) []int {
	all := []int{0, 1, 2, 15, 16, 17, 63, 126, 127, 128, 129, 130, 254, 255, 256, 257, n / 2, n - 1}
	all = slices.DeleteFunc(all, func(i int) bool { return i < 0 || i >= n })
	slices.Sort(all)
	return slices.Compact(all)
}
