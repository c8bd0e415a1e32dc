package proofs_test

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	gethmath "github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/hansard-dao/hansard/proofs"
)

// The types, as sections 2, 4 and 8 of the format name them.
var typedData = apitypes.Types{
	"EIP712Domain": {
		{Name: "name", Type: "string"}, {Name: "version", Type: "string"},
		{Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"},
	},
	"Message": {
		{Name: "log", Type: "bytes32"}, {Name: "room", Type: "string"}, {Name: "author", Type: "string"},
		{Name: "sentAt", Type: "uint64"}, {Name: "kind", Type: "string"}, {Name: "body", Type: "string"},
		{Name: "attachments", Type: "string[]"}, {Name: "source", Type: "string"}, {Name: "replyTo", Type: "bytes32"},
		{Name: "replaces", Type: "bytes32"}, {Name: "seen", Type: "bytes32"}, {Name: "notBefore", Type: "bytes32"},
		{Name: "salt", Type: "bytes32"},
	},
	"Entry": {
		{Name: "log", Type: "bytes32"}, {Name: "index", Type: "uint64"}, {Name: "room", Type: "bytes32"},
		{Name: "roomIndex", Type: "uint64"}, {Name: "roomPrev", Type: "bytes32"}, {Name: "message", Type: "bytes32"},
		{Name: "author", Type: "bytes32"}, {Name: "vouch", Type: "uint8"}, {Name: "evidence", Type: "bytes32"},
		{Name: "receivedAt", Type: "uint64"},
	},
	"Promise": {
		{Name: "log", Type: "bytes32"}, {Name: "index", Type: "uint256"}, {Name: "leaf", Type: "bytes32"},
		{Name: "deadline", Type: "uint256"}, {Name: "beneficiary", Type: "address"},
	},
}

// typed puts a struct together as a wallet would get it.
func typed(name string, chainID uint64, contract proofs.Address, fields map[string]any) apitypes.TypedData {
	return apitypes.TypedData{
		Types: typedData, PrimaryType: name, Message: fields,
		Domain: apitypes.TypedDataDomain{
			Name: "Hansard", Version: "1", ChainId: (*gethmath.HexOrDecimal256)(new(big.Int).SetUint64(chainID)),
			VerifyingContract: contract.String(),
		},
	}
}

// walletDigest is what go-ethereum's wallets sign for the struct.
func walletDigest(t *testing.T, td apitypes.TypedData) proofs.Hash {
	t.Helper()
	digest, _, err := apitypes.TypedDataAndHash(td)
	if err != nil {
		t.Fatal(err)
	}
	return proofs.Hash(digest)
}

func messageFields(m *proofs.Message) map[string]any {
	attachments := []any{}
	for _, a := range m.Attachments {
		attachments = append(attachments, a)
	}
	return map[string]any{
		"log": m.Log.String(), "room": string(m.Room), "author": string(m.Author), "sentAt": str(m.SentAt), "kind": m.Kind,
		"body": m.Body, "attachments": attachments, "source": m.Source, "replyTo": m.ReplyTo.String(),
		"replaces": m.Replaces.String(), "seen": m.Seen.String(), "notBefore": m.NotBefore.String(), "salt": m.Salt.String(),
	}
}

func randomMessage(rng *rand.Rand) *proofs.Message {
	for {
		if rec := randomRecord(rng); rec.Message != nil {
			return rec.Message
		}
	}
}

func randomChain(rng *rand.Rand) proofs.Chain {
	return proofs.Chain{
		ChainID: randomUint(rng), AnchorLog: proofs.Address(randomBytes(rng, 20)), PromiseBond: proofs.Address(randomBytes(rng, 20)),
		Log: randomHash(rng),
	}
}

// TestMessageID compares the message id with what a wallet signs.
func TestMessageID(t *testing.T) {
	check := func(c proofs.Chain, m *proofs.Message) {
		t.Helper()
		want := walletDigest(t, typed("Message", c.ChainID, c.AnchorLog, messageFields(m)))
		if got := c.MessageDomain().MessageID(m); got != want {
			t.Fatalf("message %+v: got %s, a wallet signs %s", m, got, want)
		}
	}
	for _, m := range goldenMessages() {
		check(goldenChain, &m)
	}
	rng := newRand(t)
	for range 300 {
		check(randomChain(rng), randomMessage(rng))
	}
	check(proofs.Chain{}, &proofs.Message{})
	check(proofs.Chain{ChainID: math.MaxUint64}, &proofs.Message{SentAt: math.MaxUint64, Attachments: []string{""}})
}

// TestMessageIDCoversAll changes each field by itself: another id.
func TestMessageIDCoversAll(t *testing.T) {
	m := goldenMessages()[3]
	domain := goldenChain.MessageDomain()
	ids := map[proofs.Hash]string{domain.MessageID(&m): "nothing"}
	changed := func(name string, d proofs.Domain, m *proofs.Message) {
		id := d.MessageID(m)
		if other, ok := ids[id]; ok {
			t.Errorf("changing %s gives the id of changing %s", name, other)
		}
		ids[id] = name
	}
	v := reflect.ValueOf(&m).Elem()
	for i := range v.NumField() {
		was := reflect.ValueOf(v.Field(i).Interface())
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(f.String() + "x")
		case reflect.Uint64:
			f.SetUint(f.Uint() + 1)
		case reflect.Array:
			f.Index(31).SetUint(f.Index(31).Uint() ^ 1)
		case reflect.Slice:
			f.Set(reflect.ValueOf(m.Attachments[:1]))
		default:
			t.Fatalf("a field of kind %s", f.Kind())
		}
		changed(v.Type().Field(i).Name, domain, &m)
		v.Field(i).Set(was)
	}
	for name, c := range map[string]proofs.Chain{
		"chain id": {ChainID: goldenChain.ChainID + 1, AnchorLog: goldenChain.AnchorLog},
		"contract": {ChainID: goldenChain.ChainID, AnchorLog: proofs.Address{1}},
	} {
		changed(name, c.MessageDomain(), &m)
	}
}

// TestLeafData compares leaf data with the encoding of the struct, and the batch's hash and a log's id
// with that of a contract.
func TestLeafData(t *testing.T) {
	rng := newRand(t)
	for range 200 {
		e := randomRecord(rng).Entry
		td := typed("Entry", 1, proofs.Address{}, nil)
		want, err := td.EncodeData("Entry", map[string]any{
			"log": e.Log.String(), "index": str(e.Index), "room": e.Room.String(), "roomIndex": str(e.RoomIndex),
			"roomPrev": e.RoomPrev.String(), "message": e.Message.String(), "author": e.Author.String(), "vouch": str(uint64(e.Vouch)),
			"evidence": e.Evidence.String(), "receivedAt": str(e.ReceivedAt),
		}, 1)
		if err != nil {
			t.Fatal(err)
		}
		data := e.LeafData()
		if !bytes.Equal(data, want) || len(data) != proofs.LeafDataSize {
			t.Fatalf("entry %+v: leaf data %x, want %x", e, data, want)
		}
		if got, want := e.Leaf(), crypto.Keccak256([]byte{0}, want); !bytes.Equal(got[:], want) {
			t.Fatalf("leaf %s, want %x", got, want)
		}
		again, err := proofs.ParseLeafData(data)
		if err != nil || again != e {
			t.Fatalf("read as %+v, %v, want %+v", again, err, e)
		}
	}
}

// TestParseLeafData puts a byte too many, or one that no number has room for, into each word.
func TestParseLeafData(t *testing.T) {
	rng := newRand(t)
	e := randomRecord(rng).Entry
	data := e.LeafData()
	for _, n := range []int{0, 31, 32, len(data) - 1, len(data) + 1} {
		if _, err := proofs.ParseLeafData(append(bytes.Clone(data), 0)[:n]); err == nil {
			t.Errorf("%d bytes are leaf data", n)
		}
	}
	numbers := map[int]int{2: 8, 4: 8, 8: 1, 10: 8} // word to the bytes of its number
	for i := range data {
		forged := bytes.Clone(data)
		forged[i] ^= 0x80
		got, err := proofs.ParseLeafData(forged)
		width, number := numbers[i/32]
		if refused := i < 32 || number && i%32 < 32-width; (err != nil) != refused {
			t.Errorf("byte %d of word %d changed: %v", i%32, i/32, err)
		}
		if err == nil && (got == e || !bytes.Equal(got.LeafData(), forged)) {
			t.Errorf("byte %d changed is read as %+v", i, got)
		}
	}
}

// TestContractHashes compares the batch's hash and a log's id with the contract's encoding.
func TestContractHashes(t *testing.T) {
	encode := func(types string, values ...any) []byte {
		var args abi.Arguments
		for _, c := range types {
			typ, err := abi.NewType(map[rune]string{'u': "uint256", 'b': "bytes32", 'a': "address"}[c], "", nil)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, abi.Argument{Type: typ})
		}
		b, err := args.Pack(values...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rng := newRand(t)
	word := func(n uint64) *big.Int { return new(big.Int).SetUint64(n) }
	for range 100 {
		b := proofs.Batch{
			Number: randomUint(rng), Root: randomHash(rng), First: randomUint(rng), Size: randomUint(rng), Time: randomUint(rng), CID: randomHash(rng),
		}
		want := crypto.Keccak256([]byte{0}, encode("ubuuub", word(b.Number), b.Root, word(b.First), word(b.Size), word(b.Time), b.CID))
		if got := b.Hash(); !bytes.Equal(got[:], want) {
			t.Fatalf("batch %+v: hash %s, want %x", b, got, want)
		}
		owner, salt := proofs.Address(randomBytes(rng, 20)), randomHash(rng)
		want = crypto.Keccak256(encode("ab", common.Address(owner), salt))
		if got := proofs.LogID(owner, salt); !bytes.Equal(got[:], want) {
			t.Fatalf("log of %s and %s: %s, want %x", owner, salt, got, want)
		}
	}
}
