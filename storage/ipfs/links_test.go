package ipfs

import (
	"bytes"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-ipld-prime"
	"github.com/ipld/go-ipld-prime/codec/dagcbor"
	"github.com/ipld/go-ipld-prime/datamodel"
	"github.com/ipld/go-ipld-prime/fluent/qp"
	cidlink "github.com/ipld/go-ipld-prime/linking/cid"
	"github.com/ipld/go-ipld-prime/node/basicnode"
	"github.com/ipld/go-ipld-prime/traversal"

	"github.com/hansard-dao/hansard/proofs"
)

// randomValue writes a random dag-cbor value at most depth levels deep.
func randomValue(rng *rand.Rand, depth int) qp.Assemble {
	kind := rng.IntN(9)
	if depth == 0 {
		kind %= 7
	}
	length := rng.IntN(1 << rng.IntN(10))
	switch kind {
	case 0:
		return qp.Null()
	case 1:
		return qp.Bool(rng.IntN(2) == 0)
	case 2:
		return qp.Int(rng.Int64() >> rng.IntN(64) * int64(1-2*rng.IntN(2)))
	case 3:
		return qp.Float(rng.NormFloat64())
	case 4:
		return qp.String(string(bytes.Repeat([]byte{'x'}, length)))
	case 5:
		return qp.Bytes(make([]byte, length))
	case 6:
		return qp.Link(cidlink.Link{Cid: cidOf(randomHash(rng))})
	case 7:
		return qp.List(-1, func(la datamodel.ListAssembler) {
			for range rng.IntN(30) {
				qp.ListEntry(la, randomValue(rng, depth-1))
			}
		})
	}
	return qp.Map(-1, func(ma datamodel.MapAssembler) {
		for i := range rng.IntN(30) {
			qp.MapEntry(ma, string(rune('A'+i)), randomValue(rng, depth-1))
		}
	})
}

// Our links are those that go-ipld-prime finds.
func TestLinks(t *testing.T) {
	rng := newRand(t)
	var found int
	for range 500 {
		node, err := qp.BuildList(basicnode.Prototype.Any, 1, func(la datamodel.ListAssembler) {
			qp.ListEntry(la, randomValue(rng, 4))
		})
		if err != nil {
			t.Fatal(err)
		}
		block, err := ipld.Encode(node, dagcbor.Encode)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := ipld.Decode(block, dagcbor.Decode)
		if err != nil {
			t.Fatal(err)
		}
		selected, err := traversal.SelectLinks(decoded)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []cid.Cid
		for _, l := range selected {
			want = append(want, l.(cidlink.Link).Cid)
		}
		links, err := links(block)
		for _, l := range links {
			got = append(got, l.Cid)
		}
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%x: got %v, %v; want %v", block, got, err, want)
		}
		found += len(got)
	}
	if found == 0 {
		t.Error("no value held a link")
	}
}

func TestLinksRefuses(t *testing.T) {
	link := append([]byte{0xd8, 42, 0x58, 37, 0, 1, 0x71, 0x12, 0x20}, make([]byte, 32)...)
	if _, err := links(link); err != nil {
		t.Fatal(err)
	}
	tests := map[string][]byte{
		"nothing":           {},
		"trailing byte":     {0, 0},
		"cut head":          {0x19, 1},
		"cut text":          {0x63, 'a', 'b'},
		"cut array":         {0x82, 0},
		"cut map":           {0xa1, 0x61, 'a'},
		"huge array":        {0x9b, 255, 255, 255, 255, 255, 255, 255, 255},
		"huge map":          {0xbb, 128, 0, 0, 0, 0, 0, 0, 0, 0},
		"huge bytes":        {0x5b, 255, 255, 255, 255, 255, 255, 255, 255},
		"indefinite":        {0x9f, 0xff},
		"reserved length":   {0x1c},
		"another tag":       append([]byte{0xd8, 43}, link[2:]...),
		"tag of a number":   {0xd8, 42, 0},
		"tag of nothing":    {0xd8, 42},
		"empty link":        {0xd8, 42, 0x40},
		"link without zero": append([]byte{0xd8, 42, 0x58, 37, 1}, link[5:]...),
		"cut link":          link[:len(link)-1],
		"no CID":            {0xd8, 42, 0x42, 0, 0},
	}
	for name, block := range tests {
		if got, err := links(block); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func FuzzLinks(f *testing.F) {
	b := newTestBatch(f, rand.New(rand.NewPCG(1, 1)), nil, 2, 20)
	for _, block := range b.blocks {
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		found, err := links(block)
		node, primeErr := ipld.DecodeUsingPrototype(block, dagcbor.Decode, basicnode.Prototype.Any)
		if primeErr != nil {
			return // ours does not look into text, floats and the order of keys
		}
		want, selectErr := traversal.SelectLinks(node)
		if err != nil || selectErr != nil || len(found) != len(want) {
			t.Fatalf("got %d links, %v; go-ipld-prime %d, %v", len(found), err, len(want), selectErr)
		}
	})
}

// Our CID is the one that go-cid makes of the bytes.
func TestCID(t *testing.T) {
	rng := newRand(t)
	for range 100 {
		block := make([]byte, rng.IntN(1000))
		for i := range block {
			block[i] = byte(rng.Uint32())
		}
		digest := proofs.Hash(sha256.Sum256(block))
		want, err := cid.V1Builder{Codec: cid.DagCBOR, MhType: 0x12}.Sum(block)
		if err != nil {
			t.Fatal(err)
		}
		if got := cidOf(digest); !got.Equals(want) || got.String() != proofs.FormatCID(digest) {
			t.Fatalf("got %s and %s, want %s", got, proofs.FormatCID(digest), want)
		}
	}
}
