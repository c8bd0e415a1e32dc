package proofs_test

import (
	"bytes"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethdb/memorydb"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/hansard-dao/hansard/proofs"
)

// receiptTrie is go-ethereum's trie over values, keyed as a block keys its receipts.
type receiptTrie struct {
	*trie.Trie
	root   proofs.Hash
	values [][]byte
}

func newReceiptTrie(values [][]byte) *receiptTrie {
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for i, v := range values {
		tr.MustUpdate(rlp.AppendUint64(nil, uint64(i)), v)
	}
	return &receiptTrie{tr, proofs.Hash(tr.Hash()), values}
}

func (r *receiptTrie) prove(t *testing.T, i int) (key []byte, nodes [][]byte) {
	t.Helper()
	key = rlp.AppendUint64(nil, uint64(i))
	var list nodeList
	if err := r.Prove(key, &list); err != nil {
		t.Fatal(err)
	}
	return key, list
}

// randomValues are as short as no receipt is, so that nodes are embedded in others, or as long.
func randomValues(rng *rand.Rand, n int) (values [][]byte) {
	most := []int{4, 40, 900}[rng.IntN(3)]
	for range n {
		values = append(values, randomBytes(rng, 1+rng.IntN(most)))
	}
	return values
}

// TestVerifyTrie proves receipts of blocks of up to 300 transactions with go-ethereum's trie, and keys
// that are not there.
func TestVerifyTrie(t *testing.T) {
	rng := newRand(t)
	for n := 1; n <= 300; n++ {
		r := newReceiptTrie(randomValues(rng, n))
		indices := []int{0, n - 1, n / 2, min(n-1, 127), min(n-1, 128), rng.IntN(n)}
		if n <= 20 || n == 300 {
			indices = rng.Perm(n)
		}
		for _, i := range indices {
			key, nodes := r.prove(t, i)
			got, err := proofs.VerifyTrie(r.root, key, nodes)
			if err != nil || !bytes.Equal(got, r.values[i]) {
				t.Fatalf("receipt %d of %d: %x, %v", i, n, got, err)
			}
			other := (i + 1) % n
			if got, err := proofs.VerifyTrie(r.root, rlp.AppendUint64(nil, uint64(other)), nodes); err == nil && !bytes.Equal(got, r.values[other]) {
				t.Fatalf("receipt %d of %d is shown as %d", i, n, other)
			}
		}
		for _, absent := range []int{n, n + 1, n + 128, 1 << 20} {
			key, nodes := r.prove(t, absent)
			if got, err := proofs.VerifyTrie(r.root, key, nodes); err != proofs.ErrProof || got != nil {
				t.Fatalf("receipt %d of %d: %x, %v", absent, n, got, err)
			}
		}
	}
}

// gethValue asks go-ethereum's verifier, which takes the nodes in any order and more than it needs.
func gethValue(root proofs.Hash, key []byte, nodes [][]byte) ([]byte, error) {
	db := memorydb.New()
	for _, n := range nodes {
		if err := db.Put(crypto.Keccak256(n), n); err != nil {
			return nil, err
		}
	}
	return trie.VerifyProof(common.Hash(root), key, db)
}

// TestForgedTrieProofs reorders, repeats, leaves out and adds nodes, and flips every bit of some
// proofs. What is accepted against all expectation must at least be what go-ethereum accepts.
func TestForgedTrieProofs(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{1, 2, 3, 16, 17, 129, 130, 300} {
		r := newReceiptTrie(randomValues(rng, n))
		i := rng.IntN(n)
		key, nodes := r.prove(t, i)
		refused := func(what string, root proofs.Hash, key []byte, nodes [][]byte) {
			t.Helper()
			if got, err := proofs.VerifyTrie(root, key, nodes); err != proofs.ErrProof || got != nil {
				want, wantErr := gethValue(root, key, nodes)
				t.Fatalf("receipt %d of %d, %s: %x, %v; go-ethereum says %x, %v", i, n, what, got, err, want, wantErr)
			}
		}
		for k := range nodes {
			refused("a node less", r.root, key, slices.Delete(slices.Clone(nodes), k, k+1))
			refused("a node twice", r.root, key, slices.Insert(slices.Clone(nodes), k, nodes[k]))
			refused("a strange node", r.root, key, slices.Insert(slices.Clone(nodes), k, []byte{0x80}))
			refused("an empty node", r.root, key, slices.Insert(slices.Clone(nodes), k, nil))
			for j := range k {
				swapped := slices.Clone(nodes)
				swapped[j], swapped[k] = swapped[k], swapped[j]
				refused("two nodes swapped", r.root, key, swapped)
			}
			for bit := range 8 * len(nodes[k]) {
				forged := slices.Clone(nodes)
				forged[k] = bytes.Clone(nodes[k])
				forged[k][bit/8] ^= 1 << (bit % 8)
				refused(fmt.Sprintf("bit %d of node %d", bit, k), r.root, key, forged)
			}
		}
		refused("a node more", r.root, key, append(slices.Clone(nodes), nodes[0]))
		refused("no nodes", r.root, key, nil)
		refused("a longer key", r.root, append(slices.Clone(key), 0), nodes)
		refused("no key", r.root, nil, nodes)
		for bit := range 256 {
			root := r.root
			root[bit/8] ^= 1 << (bit % 8)
			refused("another root", root, key, nodes)
		}
	}
}

// list encodes a trie node: bytes are strings, rlp.RawValue stands as it is.
func list(t *testing.T, items ...any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// branch makes a branch with the children given and nothing else.
func branch(t *testing.T, value []byte, children map[int]any) []byte {
	items := make([]any, 17)
	for i := range items {
		items[i] = []byte{}
	}
	for i, c := range children {
		items[i] = c
	}
	items[16] = value
	return list(t, items...)
}

// TestNodeShapes walks hand-made nodes whose hashes are right: only the canonical shapes are taken.
func TestNodeShapes(t *testing.T) {
	value := bytes.Repeat([]byte{7}, 40)
	leaf := func(path []byte, v any) []byte { return list(t, path, v) }
	key := []byte{0x12} // nibbles 1 and 2
	raw := func(b []byte) rlp.RawValue { return b }
	hash := func(b []byte) []byte { return crypto.Keccak256(b) }
	deep := leaf([]byte{0x32}, value) // the last nibble
	small := leaf([]byte{0x32}, []byte("v"))
	whole, long := leaf([]byte{0x20, 0x12}, value), leaf([]byte{0x20, 0x12}, bytes.Repeat(value, 3))
	embedding := branch(t, nil, map[int]any{1: raw(small), 5: hash(deep)})
	end := branch(t, value, map[int]any{3: hash(deep)})
	tests := []struct {
		name  string
		nodes [][]byte
		want  []byte // nil: refused
	}{
		{"leaf", [][]byte{whole}, value},
		{"long leaf", [][]byte{long}, bytes.Repeat(value, 3)},
		{"short root", [][]byte{leaf([]byte{0x20, 0x12}, []byte("v"))}, []byte("v")},
		{"branch and leaf", [][]byte{branch(t, nil, map[int]any{1: hash(deep)}), deep}, value},
		{"extension and branch", [][]byte{list(t, []byte{0x00, 0x12}, hash(end)), end}, value},
		{"leaf of no nibbles", [][]byte{branch(t, nil, map[int]any{1: raw(branchOf(t, 2, leaf([]byte{0x20}, []byte("v"))))})}, []byte("v")},
		{"embedded leaf", [][]byte{embedding}, []byte("v")},
		{"embedded extension", [][]byte{list(t, []byte{0x11}, raw(list(t, []byte{0x32}, []byte("v"))))}, []byte("v")},

		{"other path", [][]byte{leaf([]byte{0x20, 0x13}, value)}, nil},
		{"leaf of a longer path", [][]byte{leaf([]byte{0x31, 0x23}, value)}, nil},
		{"leaf of a shorter path", [][]byte{leaf([]byte{0x31}, value)}, nil},
		{"extension of no nibbles", [][]byte{list(t, []byte{0x00}, hash(whole)), whole}, nil},
		{"extension beyond the key", [][]byte{list(t, []byte{0x11, 0x23}, hash(end)), end}, nil},
		{"extension to nothing", [][]byte{list(t, []byte{0x00, 0x12}, []byte{})}, nil},
		{"even path with padding", [][]byte{leaf([]byte{0x21, 0x12}, value)}, nil},
		{"flag 4", [][]byte{leaf([]byte{0x40, 0x12}, value)}, nil},
		{"flag 15", [][]byte{leaf([]byte{0xf1, 0x2f}, value)}, nil},
		{"no path", [][]byte{leaf([]byte{}, value)}, nil},
		{"path is a list", [][]byte{list(t, raw(list(t, []byte{0x20})), value)}, nil},
		{"empty value", [][]byte{leaf([]byte{0x20, 0x12}, []byte{})}, nil},
		{"value is a list", [][]byte{leaf([]byte{0x20, 0x12}, raw(list(t, value)))}, nil},
		{"branch without value", [][]byte{list(t, []byte{0x00, 0x12}, hash(branch(t, nil, nil))), branch(t, nil, nil)}, nil},
		{"branch without child", [][]byte{branch(t, nil, map[int]any{2: hash(deep)}), deep}, nil},
		{"branch of 16", [][]byte{list(t, anys(16, hash(deep))...), deep}, nil},
		{"branch of 18", [][]byte{list(t, anys(18, hash(deep))...), deep}, nil},
		{"three items", [][]byte{list(t, []byte{0x20, 0x12}, value, value)}, nil},
		{"one item", [][]byte{list(t, value)}, nil},
		{"no items", [][]byte{list(t)}, nil},
		{"no list", [][]byte{append([]byte{0xb8, 40}, value...)}, nil},
		{"child of 31 bytes", [][]byte{branch(t, nil, map[int]any{1: hash(deep), 4: hash(deep)[:31]}), deep}, nil},
		{"child of 33 bytes", [][]byte{branch(t, nil, map[int]any{1: hash(deep), 4: append(hash(deep), 0)}), deep}, nil},
		{"embedded node too long", [][]byte{branch(t, nil, map[int]any{1: raw(deep)})}, nil},
		{"another embedded node too long", [][]byte{branch(t, nil, map[int]any{1: hash(deep), 4: raw(deep)}), deep}, nil},
		{"extension to a node too long to embed", [][]byte{list(t, []byte{0x11}, raw(deep))}, nil},
		{"short node by its hash", [][]byte{branch(t, nil, map[int]any{1: hash(small)}), small}, nil},
		{"a byte after the node", [][]byte{append(bytes.Clone(whole), 0)}, nil},
		{"long form of a short length", [][]byte{append([]byte{0xf8, byte(len(whole) - 1)}, whole[1:]...)}, nil},
		{"length with a zero before it", [][]byte{slices.Concat([]byte{0xf9, 0}, long[1:])}, nil},
		{"a byte spelled as a string", [][]byte{{0xc5, 0x82, 0x20, 0x12, 0x81, 'v'}}, nil},
		{"cut", [][]byte{whole[:len(whole)-1]}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := proofs.Hash(hash(tt.nodes[0]))
			got, err := proofs.VerifyTrie(root, key, tt.nodes)
			if !bytes.Equal(got, tt.want) || (err == nil) != (tt.want != nil) {
				t.Errorf("got %x, %v, want %x", got, err, tt.want)
			}
			if tt.want != nil {
				if got, err := gethValue(root, key, tt.nodes); err != nil || !bytes.Equal(got, tt.want) {
					t.Errorf("go-ethereum says %x, %v", got, err)
				}
			}
		})
	}
}

// branchOf is an extension over one nibble, short enough to be embedded.
func branchOf(t *testing.T, nibble byte, child []byte) []byte {
	return list(t, []byte{0x10 | nibble}, rlp.RawValue(child))
}

func anys(n int, v any) (items []any) {
	for range n {
		items = append(items, v)
	}
	return items
}

// someHeader is a header with everything that today's have.
func someHeader() *types.Header {
	return &types.Header{
		Number: big.NewInt(7_412_055), Time: 1_795_254_700, ReceiptHash: common.Hash(wordHash(1)), Difficulty: new(big.Int), BaseFee: big.NewInt(7),
		GasLimit: 36_000_000, Extra: []byte("extra"), WithdrawalsHash: &common.Hash{1}, BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64),
		ParentBeaconRoot: &common.Hash{2}, RequestsHash: &common.Hash{3},
	}
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fields splits a header.
func fields(t *testing.T, h *types.Header) (items []rlp.RawValue) {
	t.Helper()
	if err := rlp.DecodeBytes(encode(t, h), &items); err != nil {
		t.Fatal(err)
	}
	return items
}

// TestParseHeader reads headers of every fork from the first on, and of forks that are to come.
func TestParseHeader(t *testing.T) {
	frontier := someHeader()
	frontier.BaseFee, frontier.WithdrawalsHash, frontier.BlobGasUsed, frontier.ExcessBlobGas, frontier.ParentBeaconRoot, frontier.RequestsHash = nil, nil, nil, nil, nil, nil
	london := *frontier
	london.BaseFee = big.NewInt(7)
	genesis := *frontier
	genesis.Number, genesis.Time = new(big.Int), 0
	for name, h := range map[string]*types.Header{"frontier": frontier, "london": &london, "genesis": &genesis, "today": someHeader()} {
		want := proofs.Header{Hash: proofs.Hash(h.Hash()), ReceiptsRoot: wordHash(1), Number: h.Number.Uint64(), Time: h.Time}
		if got, err := proofs.ParseHeader(encode(t, h)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	items := fields(t, someHeader())
	for len(items) < 64 {
		items = append(items, encode(t, bytes.Repeat([]byte{9}, len(items)-10)))
		raw := encode(t, items)
		got, err := proofs.ParseHeader(raw)
		if err != nil || got.Hash != proofs.Hash(crypto.Keccak256(raw)) || got.Number != 7_412_055 || got.Time != 1_795_254_700 || got.ReceiptsRoot != wordHash(1) {
			t.Fatalf("%d fields: %+v, %v", len(items), got, err)
		}
	}
	if _, err := proofs.ParseHeader(encode(t, append(items, items[0]))); err == nil {
		t.Error("a header of 65 fields")
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	with := func(field int, b []byte) []byte {
		items := fields(t, someHeader())
		items[field] = b
		return encode(t, items)
	}
	whole := encode(t, someHeader())
	tests := map[string][]byte{
		"nothing": nil, "a string": encode(t, whole), "an empty list": {0xc0}, "14 fields": encode(t, fields(t, someHeader())[:14]),
		"a byte after it": append(bytes.Clone(whole), 0), "cut": whole[:len(whole)-1],
		"a field that is a list": with(12, encode(t, [][]byte{{1}})), "a later field that is a list": with(20, encode(t, [][]byte{{1}})),
		"receipts root of 31 bytes": with(5, encode(t, make([]byte, 31))), "receipts root of 33 bytes": with(5, encode(t, make([]byte, 33))),
		"no receipts root": with(5, []byte{0x80}), "number with a leading zero": with(8, []byte{0x82, 0, 7}), "number zero as a byte": with(8, []byte{0}),
		"number of 9 bytes": with(8, encode(t, bytes.Repeat([]byte{1}, 9))), "time with a leading zero": with(11, []byte{0x82, 0, 7}),
		"time of 9 bytes": with(11, encode(t, bytes.Repeat([]byte{1}, 9))), "small time as a string": with(11, []byte{0x81, 7}),
	}
	for name, raw := range tests {
		if h, err := proofs.ParseHeader(raw); err == nil || h != (proofs.Header{}) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// anchorOf puts a transaction's receipt alone into a block, as it stands.
func anchorOf(t *testing.T, txReceipt []byte) (*proofs.Anchor, uint64) {
	t.Helper()
	r := newReceiptTrie([][]byte{txReceipt})
	h := someHeader()
	h.ReceiptHash = common.Hash(r.root)
	_, nodes := r.prove(t, 0)
	return &proofs.Anchor{
		Block: proofs.BlockRef{Number: h.Number.Uint64(), Hash: proofs.Hash(h.Hash())}, Header: encode(t, h), Proof: nodes,
	}, h.Time
}

// TestVerifyAnchor puts receipts into a block that go-ethereum would not write, or that are of another
// transaction. The golden receipts show the rest.
func TestVerifyAnchor(t *testing.T) {
	w := newWorld(t)
	bloom, event := make([]byte, 256), encode(t, w.event())
	part := func(i int) rlp.RawValue {
		var items []rlp.RawValue
		if err := rlp.DecodeBytes(event, &items); err != nil {
			t.Fatal(err)
		}
		return items[i]
	}
	var topics [][]byte
	if err := rlp.DecodeBytes(part(1), &topics); err != nil {
		t.Fatal(err)
	}
	logs := func(log ...any) rlp.RawValue { return list(t, rlp.RawValue(list(t, log...))) }
	status, gas := []byte{1}, []byte{0x52, 0x08}
	good := list(t, status, gas, bloom, rlp.RawValue(encode(t, []rlp.RawValue{event})))
	of := func(log ...any) []byte { return list(t, status, gas, bloom, logs(log...)) }
	tests := []struct {
		name  string
		value []byte
		says  string // empty: it holds
	}{
		{"legacy", good, ""},
		{"type 1", append([]byte{1}, good...), ""},
		{"type of the future", append([]byte{0x7f}, good...), ""},
		{"type 0x80", append([]byte{0x80}, good...), "transaction receipt: malformed"},
		{"two types", append([]byte{1, 1}, good...), "transaction receipt: malformed"},
		{"a type alone", []byte{1}, "transaction receipt: malformed"},
		{"a byte after it", append(bytes.Clone(good), 0), "transaction receipt: malformed"},
		{"a string", encode(t, good), "transaction receipt: malformed"},
		{"three items", list(t, status, gas, bloom), "transaction receipt: malformed"},
		{"five items", list(t, status, gas, bloom, logs(part(0), part(1), part(2)), []byte{}), "transaction receipt: malformed"},
		{"bloom of 255 bytes", list(t, status, gas, bloom[1:], logs(part(0), part(1), part(2))), "transaction receipt: malformed"},
		{"logs are a string", list(t, status, gas, bloom, event), "transaction receipt: malformed"},
		{"failed", list(t, []byte{}, gas, bloom, logs(part(0), part(1), part(2))), "status is not 1"},
		{"status 2", list(t, []byte{2}, gas, bloom, logs(part(0), part(1), part(2))), "status is not 1"},
		{"a state root for the status", list(t, make([]byte, 32), gas, bloom, logs(part(0), part(1), part(2))), "status is not 1"},
		{"status is a list", list(t, rlp.RawValue{0xc1, 1}, gas, bloom, logs(part(0), part(1), part(2))), "transaction receipt: malformed"},
		{"no logs", list(t, status, gas, bloom, rlp.RawValue{0xc0}), "no such log"},
		{"log of two items", of(part(0), part(1)), "log: malformed"},
		{"log of four items", of(part(0), part(1), part(2), []byte{}), "log: malformed"},
		{"data in a list", of(part(0), part(1), rlp.RawValue(append([]byte{0xf8, 128}, w.event().Data...))), "malformed"},
		{"data is a list", of(part(0), part(1), rlp.RawValue{0xc0}), "log: malformed"},
		{"emitter is a list", of(rlp.RawValue{0xc0}, part(1), part(2)), "not emitted by anchorLog"},
		{"emitter in a list", of(rlp.RawValue(append([]byte{0xc0 + 20}, goldenChain.AnchorLog[:]...)), part(1), part(2)), "malformed"},
		{"emitter of 32 bytes", of(append(make([]byte, 12), goldenChain.AnchorLog[:]...), part(1), part(2)), "not emitted by anchorLog"},
		{"topics are a string", of(part(0), topics[0], part(2)), "topics are not those"},
		{"two topics", of(part(0), rlp.RawValue(encode(t, topics[:2])), part(2)), "topics are not those"},
		{"four topics", of(part(0), rlp.RawValue(encode(t, append(topics[:3:3], topics[0]))), part(2)), "topics are not those"},
		{"a topic in a list", of(part(0), rlp.RawValue(list(t, topics[0], rlp.RawValue(append([]byte{0xc0 + 32}, topics[1]...)), topics[2])), part(2)), "malformed"},
		{"topics in another order", of(part(0), rlp.RawValue(encode(t, [][]byte{topics[0], topics[2], topics[1]})), part(2)), "topics are not those"},
		{"another event", of(part(0), rlp.RawValue(encode(t, [][]byte{topics[1], topics[1], topics[2]})), part(2)), "topics are not those"},
		{"a word more", of(part(0), part(1), append(bytes.Clone(w.event().Data), make([]byte, 32)...)), "data is not that"},
		{"a byte less", of(part(0), part(1), w.event().Data[:127]), "data is not that"},
		{"no data", of(part(0), part(1), []byte{}), "data is not that"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, time := anchorOf(t, tt.value)
			b := w.batch
			b.Time = time
			h, err := proofs.VerifyAnchor(a, b, w.chain)
			if tt.says == "" && (err != nil || h.Hash != a.Block.Hash) || tt.says != "" && (err == nil || h != (proofs.Header{}) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %+v, %v, want %q", h, err, tt.says)
			}
		})
	}
	for says, f := range map[string]func(*proofs.Anchor, *proofs.Batch){
		"does not hash to blockHash": func(a *proofs.Anchor, _ *proofs.Batch) { a.Block.Hash[0] ^= 1 },
		"of block 7412055, not 0":    func(a *proofs.Anchor, _ *proofs.Batch) { a.Block.Number = 0 },
		"the block's time is":        func(_ *proofs.Anchor, b *proofs.Batch) { b.Time++ },
		"transaction receipt: proof": func(a *proofs.Anchor, _ *proofs.Batch) { a.TxIndex = 1 },
		"no such log":                func(a *proofs.Anchor, _ *proofs.Batch) { a.LogIndex = 1 },
	} {
		a, time := anchorOf(t, good)
		b := w.batch
		b.Time = time
		f(a, &b)
		if h, err := proofs.VerifyAnchor(a, b, w.chain); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %+v, %v, want %q", h, err, says)
		}
	}
}
