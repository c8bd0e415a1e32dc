package proofs_test

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
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/hansard-dao/hansard/proofs"
)

// contractState is a contract in a state: what its slots hold, and whether it has code.
type contractState struct {
	slots map[proofs.Hash]proofs.Hash
	code  bool
}

// state is go-ethereum's trie over accounts and those over their slots.
type state struct {
	accounts *trie.Trie
	slots    map[proofs.Address]*trie.Trie
}

// account is types.StateAccount without the package of its balance.
type account struct {
	Nonce    uint64
	Balance  *big.Int
	Root     common.Hash
	CodeHash []byte
}

func newTrie() *trie.Trie { return trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil)) }

func rlpOf(t testing.TB, v any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newState(t testing.TB, contracts map[proofs.Address]contractState) *state {
	t.Helper()
	s := &state{newTrie(), map[proofs.Address]*trie.Trie{}}
	for address, c := range contracts {
		slots := newTrie()
		for slot, word := range c.slots {
			if !word.IsZero() {
				slots.MustUpdate(crypto.Keccak256(slot[:]), rlpOf(t, bytes.TrimLeft(word[:], "\x00")))
			}
		}
		a := account{Nonce: uint64(address[0]), Balance: big.NewInt(int64(address[1])), Root: slots.Hash(), CodeHash: types.EmptyCodeHash[:]}
		if c.code {
			a.CodeHash = crypto.Keccak256(address[:])
		}
		s.accounts.MustUpdate(crypto.Keccak256(address[:]), rlpOf(t, &a))
		s.slots[address] = slots
	}
	return s
}

func (s *state) root() proofs.Hash { return proofs.Hash(s.accounts.Hash()) }

// prove returns the nodes on the way to a slot. An account that is not there has no nodes of slots.
func (s *state) prove(t testing.TB, address proofs.Address, slot proofs.Hash) (accountProof, slotProof [][]byte) {
	t.Helper()
	var a, b nodeList
	if err := s.accounts.Prove(crypto.Keccak256(address[:]), &a); err != nil {
		t.Fatal(err)
	}
	if slots := s.slots[address]; slots != nil {
		if err := slots.Prove(crypto.Keccak256(slot[:]), &b); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// randomState has contracts of up to 300 slots, some of them without any, and accounts without code.
func randomState(rng *rand.Rand, accounts int) (contracts map[proofs.Address]contractState) {
	contracts = map[proofs.Address]contractState{}
	for i := range accounts {
		c := contractState{map[proofs.Hash]proofs.Hash{}, i%4 != 3}
		for range []int{0, 1, 2, 17, 300}[rng.IntN(5)] {
			word := randomHash(rng)
			clear(word[:rng.IntN(32)])
			c.slots[randomHash(rng)] = word
		}
		contracts[proofs.Address(randomBytes(rng, 20))] = c
	}
	return contracts
}

// TestVerifyStorage proves slots that are there and slots that are not with go-ethereum's tries.
func TestVerifyStorage(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{1, 2, 3, 16, 17, 100} {
		contracts := randomState(rng, n)
		s := newState(t, contracts)
		for address, c := range contracts {
			slots := []proofs.Hash{randomHash(rng), randomHash(rng)}
			for slot := range c.slots {
				if slots = append(slots, slot); len(slots) == 5 {
					break
				}
			}
			for _, slot := range slots {
				a, b := s.prove(t, address, slot)
				got, err := proofs.VerifyStorage(s.root(), address, a, slot, b)
				if c.code != (err == nil) || err == nil && got != c.slots[slot] {
					t.Fatalf("%d accounts, %d slots, code %t: %s, %v; want %s", n, len(c.slots), c.code, got, err, c.slots[slot])
				}
				other := randomHash(rng)
				if got, err := proofs.VerifyStorage(s.root(), address, a, other, b); err == nil && !got.IsZero() {
					t.Fatalf("a slot that is not there holds %s", got)
				}
			}
		}
		address := proofs.Address(randomBytes(rng, 20))
		a, b := s.prove(t, address, proofs.Hash{1})
		if got, err := proofs.VerifyStorage(s.root(), address, a, proofs.Hash{1}, b); err == nil {
			t.Fatalf("an account that is not there holds %s", got)
		}
	}
}

// TestForgedStorage reorders, repeats, leaves out and adds nodes of slots that are there and of slots that are
// not, and flips their bits: nothing is taken for a slot's word, and above all not for its absence.
func TestForgedStorage(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{0, 1, 2, 17, 300} {
		address, c := proofs.Address(randomBytes(rng, 20)), contractState{map[proofs.Hash]proofs.Hash{}, true}
		var there proofs.Hash
		for range n {
			there = randomHash(rng)
			c.slots[there] = randomHash(rng)
		}
		contracts := randomState(rng, 40)
		contracts[address] = c
		s := newState(t, contracts)
		for _, slot := range []proofs.Hash{there, randomHash(rng)} {
			a, b := s.prove(t, address, slot)
			refused := func(what string, root proofs.Hash, a, b [][]byte) {
				t.Helper()
				if got, err := proofs.VerifyStorage(root, address, a, slot, b); err == nil {
					t.Fatalf("%d slots, %s: %s", n, what, got)
				}
			}
			forge(a, func(what string, a [][]byte) { refused("account: "+what, s.root(), a, b) })
			forge(b, func(what string, b [][]byte) { refused("slot: "+what, s.root(), a, b) })
			refused("of the other trie", s.root(), b, a)
			for bit := range 256 {
				root := s.root()
				root[bit/8] ^= 1 << (bit % 8)
				refused("another root", root, a, b)
			}
		}
	}
}

// forge calls f with every proof that is a step from nodes.
func forge(nodes [][]byte, f func(what string, nodes [][]byte)) {
	f("an empty string more", append(slices.Clone(nodes), []byte{0x80}))
	f("an empty node more", append(slices.Clone(nodes), nil))
	if len(nodes) == 0 {
		return
	}
	f("no nodes", nil)
	f("a node more", append(slices.Clone(nodes), nodes[0]))
	for k := range nodes {
		f("a node less", slices.Delete(slices.Clone(nodes), k, k+1))
		f("nodes cut off", nodes[:k])
		f("a node twice", slices.Insert(slices.Clone(nodes), k, nodes[k]))
		for j := range k {
			swapped := slices.Clone(nodes)
			swapped[j], swapped[k] = swapped[k], swapped[j]
			f("two nodes swapped", swapped)
		}
		for bit := range 8 * len(nodes[k]) {
			forged := slices.Clone(nodes)
			forged[k] = bytes.Clone(nodes[k])
			forged[k][bit/8] ^= 1 << (bit % 8)
			f(fmt.Sprintf("bit %d of node %d", bit, k), forged)
		}
	}
}

// leafAccount returns a state of one account whose storage root is that, and the proof of it.
func leafAccount(t testing.TB, address proofs.Address, a account) (root proofs.Hash, accountProof [][]byte) {
	t.Helper()
	node := rlpOf(t, []any{append([]byte{0x20}, crypto.Keccak256(address[:])...), rlpOf(t, &a)})
	return proofs.Keccak(node), [][]byte{node}
}

// TestStorageShapes walks hand-made nodes whose hashes are right.
func TestStorageShapes(t *testing.T) {
	var address proofs.Address
	slot := proofs.Hash{7}
	key := proofs.Keccak(slot[:])
	first := key[0] >> 4
	value, code := bytes.Repeat([]byte{9}, 32), crypto.Keccak256([]byte("code"))
	leaf := func(flag byte, path []byte, content any) []byte {
		return rlpOf(t, []any{append([]byte{flag}, path...), rlpOf(t, content)})
	}
	whole := leaf(0x20, key[:], value)
	rest := leaf(0x30|key[0]&15, key[1:], value)
	other := bytes.Clone(key[:])
	other[31] ^= 1
	branchNode := func(at byte, node []byte) []byte {
		items := make([]any, 17)
		for i := range items {
			items[i] = []byte{}
		}
		items[at] = crypto.Keccak256(node)
		return rlpOf(t, items)
	}
	branching, elsewhere := branchNode(first, rest), branchNode(first^1, rest)
	extension := func(path ...byte) []byte { return rlpOf(t, []any{path, crypto.Keccak256(branching)}) }
	word, zero := proofs.Hash(value), proofs.Hash{}
	tests := []struct {
		name  string
		nodes [][]byte
		want  *proofs.Hash // nil: refused
	}{
		{"leaf", [][]byte{whole}, &word},
		{"branch and leaf", [][]byte{branching, rest}, &word},
		{"another leaf", [][]byte{leaf(0x20, other, value)}, &zero},
		{"a branch that ends", [][]byte{elsewhere}, &zero},
		{"an extension elsewhere", [][]byte{extension(0x10 | first ^ 1)}, &zero},

		{"a branch that ends, and a node", [][]byte{elsewhere, rest}, nil},
		{"another leaf, and a node", [][]byte{leaf(0x20, other, value), rest}, nil},
		{"an extension elsewhere, and its branch", [][]byte{extension(0x10 | first ^ 1), branching}, nil},
		{"another leaf of a shorter path", [][]byte{leaf(0x20, other[:31], value)}, nil},
		{"another leaf of a longer path", [][]byte{leaf(0x20, append(bytes.Clone(other), 0), value)}, nil},
		{"an extension of a longer path", [][]byte{rlpOf(t, []any{append([]byte{0x00}, append(bytes.Clone(other), 0)...), code})}, nil},
		{"an extension to nothing", [][]byte{rlpOf(t, []any{[]byte{0x10 | first}, []byte{}})}, nil},
		{"an extension elsewhere to nothing", [][]byte{rlpOf(t, []any{[]byte{0x10 | first ^ 1}, []byte{}})}, nil},
		{"an extension elsewhere to 31 bytes", [][]byte{rlpOf(t, []any{[]byte{0x10 | first ^ 1}, code[:31]})}, nil},
		{"another leaf of nothing", [][]byte{rlpOf(t, []any{append([]byte{0x20}, other...), []byte{}})}, nil},
		{"another leaf of a list", [][]byte{rlpOf(t, []any{append([]byte{0x20}, other...), []any{[]byte{1}}})}, nil},
		{"zero", [][]byte{leaf(0x20, key[:], []byte{})}, nil},
		{"a leading zero", [][]byte{leaf(0x20, key[:], []byte{0, 1})}, nil},
		{"33 bytes", [][]byte{leaf(0x20, key[:], append([]byte{1}, value...))}, nil},
		{"a list", [][]byte{leaf(0x20, key[:], [][]byte{{1}})}, nil},
		{"no RLP", [][]byte{rlpOf(t, []any{append([]byte{0x20}, key[:]...), append(rlpOf(t, value), 1)})}, nil},
		{"empty string", [][]byte{{0x80}}, nil},
	}
	for _, tt := range tests {
		a := account{Balance: new(big.Int), Root: crypto.Keccak256Hash(tt.nodes[0]), CodeHash: code}
		root, proof := leafAccount(t, address, a)
		got, err := proofs.VerifyStorage(root, address, proof, slot, tt.nodes)
		if tt.want == nil && err == nil || tt.want != nil && (err != nil || got != *tt.want) {
			t.Errorf("%s: %s, %v", tt.name, got, err)
		}
	}
	root, proof := leafAccount(t, address, account{Balance: new(big.Int), Root: types.EmptyRootHash, CodeHash: code})
	if got, err := proofs.VerifyStorage(root, address, proof, slot, nil); err != nil || !got.IsZero() {
		t.Errorf("no storage: %s, %v", got, err)
	}
}

// TestAccountShapes has accounts that are none.
func TestAccountShapes(t *testing.T) {
	address, slot, code, empty := proofs.Address{1}, proofs.Hash{7}, crypto.Keccak256([]byte("code")), types.EmptyRootHash[:]
	tests := []struct {
		name   string
		fields any
		ok     bool
	}{
		{"contract", []any{[]byte{1}, []byte{}, empty, code}, true},
		{"without code", []any{[]byte{1}, []byte{1}, empty, types.EmptyCodeHash[:]}, false},
		{"three fields", []any{[]byte{1}, []byte{1}, empty}, false},
		{"five fields", []any{[]byte{1}, []byte{1}, empty, code, []byte{}}, false},
		{"nonce of 9 bytes", []any{bytes.Repeat([]byte{1}, 9), []byte{1}, empty, code}, false},
		{"nonce as a list", []any{[]any{}, []byte{1}, empty, code}, false},
		{"balance of 33 bytes", []any{[]byte{1}, bytes.Repeat([]byte{1}, 33), empty, code}, false},
		{"balance as a list", []any{[]byte{1}, []any{}, empty, code}, false},
		{"storage root of 31 bytes", []any{[]byte{1}, []byte{1}, empty[:31], code}, false},
		{"hash of the code of 31 bytes", []any{[]byte{1}, []byte{1}, empty, code[:31]}, false},
		{"a string", []byte("account"), false},
	}
	for _, tt := range tests {
		node := rlpOf(t, []any{append([]byte{0x20}, crypto.Keccak256(address[:])...), rlpOf(t, tt.fields)})
		_, err := proofs.VerifyStorage(proofs.Keccak(node), address, [][]byte{node}, slot, nil)
		if tt.ok != (err == nil) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestAnchorLogHead holds slot and word against docs/contracts.md.
func TestAnchorLogHead(t *testing.T) {
	log := proofs.Hash{0xab}
	if got, want := proofs.AnchorLogHeadSlot(log), proofs.Keccak(log[:], make([]byte, 32)); got != want {
		t.Errorf("slot %s, want %s", got, want)
	}
	word, err := proofs.ParseHash("0x00000000000000120000000fffeeddccbbaa99887766554433221100deadbeef")
	if err != nil {
		t.Fatal(err)
	}
	head := proofs.ParseAnchorLogHead(word)
	if head.Messages != 0x12 || head.Batches != 0xf || head.Submitter.String() != "0xffeeddccbbaa99887766554433221100deadbeef" {
		t.Errorf("%+v", head)
	}
	if head := proofs.ParseAnchorLogHead(proofs.Hash{}); head != (proofs.AnchorLogHead{}) {
		t.Errorf("zero word: %+v", head)
	}
}

// FuzzVerifyStorage walks nodes of any shape below a root that is theirs: what is taken for a slot's word or its
// absence is what go-ethereum takes it for.
func FuzzVerifyStorage(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 2, 17, 300} {
		c := contractState{map[proofs.Hash]proofs.Hash{}, true}
		var slot proofs.Hash
		for range n {
			slot = randomHash(rng)
			c.slots[slot] = proofs.Hash{31: byte(n)}
		}
		s := newState(f, map[proofs.Address]contractState{{}: c})
		for _, slot := range []proofs.Hash{slot, randomHash(rng)} {
			_, nodes := s.prove(f, proofs.Address{}, slot)
			f.Add(slot[:], rlpOf(f, nodes))
		}
	}
	f.Fuzz(func(t *testing.T, slotBytes, list []byte) {
		var nodes [][]byte
		if len(slotBytes) != 32 || rlp.DecodeBytes(list, &nodes) != nil || len(nodes) == 0 {
			return
		}
		slot, address := proofs.Hash(slotBytes), proofs.Address{}
		storage := proofs.Keccak(nodes[0])
		root, proof := leafAccount(t, address, account{Balance: new(big.Int), Root: common.Hash(storage), CodeHash: crypto.Keccak256([]byte("code"))})
		got, err := proofs.VerifyStorage(root, address, proof, slot, nodes)
		if err != nil {
			return
		}
		raw, err := gethValue(storage, crypto.Keccak256(slot[:]), nodes)
		if err != nil {
			t.Fatalf("go-ethereum refuses it: %v", err)
		}
		var want []byte
		if raw != nil {
			if err := rlp.DecodeBytes(raw, &want); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(bytes.TrimLeft(got[:], "\x00"), want) {
			t.Fatalf("%x, go-ethereum reads %x", got, want)
		}
	})
}
