package proofs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// The golden vectors in testdata are written by this file with -update and read by Foundry, by
// testdata/verify.mjs and by the tests here. That they say the right thing is for those others, and
// for the comparisons with go-ethereum and go-merkletree in this package, to show.
var update = flag.Bool("update", false, "write the golden vectors in testdata")

const testdata = "../testdata"

type dict map[string]any

// golden compares v with the file as JSON, or writes it.
func golden(t *testing.T, name string, v any) {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	goldenFile(t, name, append(b, '\n'))
}

func goldenFile(t *testing.T, name string, b []byte) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("%s differs from what the code makes; run go test ./proofs -update and read the diff", name)
	}
}

func testKey(name string) *identity.Key {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte("hansard golden " + name)))
	if err != nil {
		panic(err)
	}
	return identity.NewKey(key)
}

// wordHash is keccak256 of n as a word: high-entropy filler.
func wordHash(n int) proofs.Hash {
	return proofs.Hash(crypto.Keccak256(common.BigToHash(big.NewInt(int64(n))).Bytes()))
}

// treeOf returns size leaves and their root.
func treeOf(t *testing.T, size int) ([]proofs.Hash, proofs.Hash) {
	t.Helper()
	leaves := make([]proofs.Hash, size)
	for i := range leaves {
		leaves[i] = proofs.HashLeaf(common.BigToHash(big.NewInt(int64(i))).Bytes())
	}
	root, err := proofs.Root(leaves)
	if err != nil {
		t.Fatal(err)
	}
	return leaves, root
}

func TestGoldenTree(t *testing.T) {
	var trees []dict
	for size := 1; size <= 33; size++ {
		leaves, root := treeOf(t, size)
		all := make([][]proofs.Hash, size)
		for i := range all {
			all[i] = naiveProof(leaves, i)
			if err := proofs.VerifyInclusion(all[i], leaves[i], uint64(i), uint64(size), root); err != nil {
				t.Fatalf("size %d, position %d: %v", size, i, err)
			}
		}
		trees = append(trees, dict{"size": size, "leafHashes": leaves, "root": root, "proofs": all})
	}
	golden(t, "vectors/tree.json", dict{"trees": trees, "large": largeInclusions(t), "bad": badInclusions(t)})
}

// naiveProof pads the leaves and collects siblings row by row.
func naiveProof(leaves []proofs.Hash, i int) []proofs.Hash {
	row := append([]proofs.Hash(nil), leaves...)
	for len(row)&(len(row)-1) != 0 {
		row = append(row, proofs.Hash{})
	}
	proof := []proofs.Hash{}
	for ; len(row) > 1; i /= 2 {
		proof = append(proof, row[i^1])
		var next []proofs.Hash
		for k := 0; k < len(row); k += 2 {
			next = append(next, proofs.HashNode(row[k], row[k+1]))
		}
		row = next
	}
	return proof
}

func TestGoldenRange(t *testing.T) {
	var r proofs.Range
	var hashes []proofs.Hash
	ranges := []proofs.Range{{}}
	var batches, paths []dict
	b := proofs.Batch{Time: 1_700_000_000}
	for n := range 33 {
		leaves, root := treeOf(t, 1+7*n%33)
		b.Number, b.Root, b.First, b.Size, b.CID = uint64(n), root, b.First+b.Size, uint64(len(leaves)), wordHash(n)
		if n > 0 {
			b.Time += 12 + b.Number - 1
		}
		hash := b.Hash()
		hashes = append(hashes, hash)
		r.Append(hash)
		batches = append(batches, dict{"number": str(b.Number), "root": b.Root, "first": str(b.First), "size": str(b.Size),
			"time": str(b.Time), "cid": b.CID, "hash": hash})
		ranges = append(ranges, proofs.Range{Count: r.Count, Peaks: slices.Clone(r.Peaks)})
		for i := range hashes {
			path := proofs.ProveRange(hashes, uint64(i))
			if err := proofs.VerifyRange(path, hashes[i], uint64(i), r); err != nil {
				t.Fatalf("batch %d of %d: %v", i, n+1, err)
			}
			paths = append(paths, dict{"count": n + 1, "number": i, "path": path})
		}
	}
	var peaks [][]proofs.Hash
	for _, r := range ranges {
		peaks = append(peaks, shownPeaks(r))
	}
	golden(t, "vectors/range.json", dict{"batches": batches, "peaks": peaks, "paths": paths, "bad": badRanges(t, hashes, ranges)})
}

// shownPeaks returns the peaks by height, zero where there is none.
func shownPeaks(r proofs.Range) []proofs.Hash {
	shown := make([]proofs.Hash, len(r.Peaks))
	for h := range shown {
		if r.Count>>h&1 == 1 {
			shown[h] = r.Peaks[h]
		}
	}
	return shown
}

func str(n uint64) string { return strconv.FormatUint(n, 10) }

// world is one made-up log with a batch of seven messages, anchored in a made-up block that
// go-ethereum's own types and trie encode.
type world struct {
	chain    proofs.Chain
	operator *identity.Key
	accepted []proofs.Accepted
	batch    proofs.Batch
	tree     []proofs.Hash
	rooms    map[proofs.Hash]proofs.RoomTail
	anchor   proofs.Anchor
	failed   bool // the transaction has status 0
}

var goldenChain = proofs.Chain{
	ChainID: 1337, AnchorLog: proofs.Address{0xd5, 0x83, 0x11}, Log: proofs.LogID(proofs.Address{0x70}, proofs.Keccak([]byte("golden"))),
}

func goldenMessages() []proofs.Message {
	alice, bob := proofs.Author(testKey("alice").Address().String()), proofs.Author(testKey("bob").Address().String())
	base := proofs.Message{Log: goldenChain.Log, Room: "arb/governance", SentAt: 1_795_254_630_000, Kind: "text/plain"}
	with := func(f func(*proofs.Message)) proofs.Message { m := base; f(&m); return m }
	messages := []proofs.Message{
		with(func(m *proofs.Message) {
			m.Author, m.Body = alice, "I will vote FOR 12 if the audit lands before Friday."
		}),
		with(func(m *proofs.Message) { m.Author, m.Body = bob, "" }),
		with(func(m *proofs.Message) {
			m.Author, m.Body = alice, "quotes \" \\ / and controls \x00\x1f\t\n\r and \u2028 \u202eRTL\u202c e\u0301 \u00e9 \U0001F44D\U0001F3FD"
			m.NotBefore, m.Source = proofs.Hash{0xb1}, "https://forum.example/t/12#3"
		}),
		with(func(m *proofs.Message) {
			m.Author, m.Kind, m.Room = bob, "text/markdown", "a"
			m.Attachments = []string{"bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", "bafyreib2rxk3rybk3aobmv5cjuql3bm2twh4jo5uxgf5jsrxi6rvm5wmpu"}
		}),
		with(func(m *proofs.Message) {
			m.Author, m.Kind, m.Body = "zoom:Dan | Treasury \U0001F525", "text/reaction", "Reacted to \"gm\" with \u2764\ufe0f"
		}),
		with(func(m *proofs.Message) {
			m.Author, m.Kind, m.Body = alice, proofs.KindEdit, `{"kind":"text/plain","body":"I will vote AGAINST 12."}`
		}),
		with(func(m *proofs.Message) { m.Author, m.SentAt, m.Body = alice, 1<<64-1, "the largest time" }),
	}
	domain := goldenChain.MessageDomain()
	for i := range messages {
		messages[i].Salt = wordHash(1000 + i)
		if i > 0 {
			messages[i].ReplyTo, messages[i].Seen = domain.MessageID(&messages[0]), domain.MessageID(&messages[i-1])
		}
		if messages[i].Kind == proofs.KindEdit {
			messages[i].Replaces = domain.MessageID(&messages[0])
		}
	}
	return messages
}

func newWorld(t *testing.T) *world {
	t.Helper()
	const first = 5
	w := &world{chain: goldenChain, operator: testKey("operator")}
	w.accept(t, first, goldenMessages())
	root, err := proofs.Root(w.tree)
	if err != nil {
		t.Fatal(err)
	}
	w.batch = proofs.Batch{Number: 2, Root: root, First: first, Size: uint64(len(w.tree)), Time: 1_795_254_700, CID: wordHash(77)}
	w.anchorIn(t, 131, 130, 1)
	return w
}

// accept replaces the world's batch by one of messages, signed where testKey has the author.
func (w *world) accept(t *testing.T, first uint64, messages []proofs.Message) {
	t.Helper()
	if w.rooms == nil {
		w.rooms = map[proofs.Hash]proofs.RoomTail{}
	}
	w.accepted, w.tree = nil, nil
	domain := w.chain.MessageDomain()
	for i, m := range messages {
		id := domain.MessageID(&m)
		e, vouch := signed(t, &m, i == 3)
		tag := m.Room.Tag()
		r := w.rooms[tag]
		a := proofs.Accepted{Record: proofs.Record{Message: &m, Evidence: e, Entry: proofs.Entry{
			Log: w.chain.Log, Index: first + uint64(i), Room: tag, RoomIndex: r.Count, RoomPrev: r.Head, Message: id,
			Author: m.Author.Commit(m.Salt), Vouch: vouch, Evidence: e.Hash(), ReceivedAt: 1_795_254_631_000 + uint64(i),
		}}, Deadline: 1_795_341_031}
		a.Leaf = a.Entry.Leaf()
		w.rooms[tag] = proofs.RoomTail{Count: r.Count + 1, Head: a.Leaf}
		w.accepted = append(w.accepted, a)
		w.tree = append(w.tree, a.Leaf)
	}
}

// signed returns the evidence of the author's key, over the id as text if asText; none without a key.
func signed(t *testing.T, m *proofs.Message, asText bool) (proofs.Evidence, proofs.Vouch) {
	t.Helper()
	domain := goldenChain.MessageDomain()
	for _, name := range []string{"alice", "bob"} {
		key := testKey(name)
		if proofs.Author(key.Address().String()) != m.Author {
			continue
		}
		if asText {
			s, err := key.SignDigest(textDigest(domain.MessageID(m)))
			if err != nil {
				t.Fatal(err)
			}
			return proofs.Evidence{Scheme: "eip191", Bytes: s[:]}, proofs.VouchAuthor
		}
		e, err := key.SignMessage(domain, m)
		if err != nil {
			t.Fatal(err)
		}
		return e, proofs.VouchAuthor
	}
	return proofs.Evidence{Scheme: proofs.SchemeNone, Bytes: []byte{}}, proofs.VouchNobody
}

// textDigest is what personal_sign signs for a message id.
func textDigest(id proofs.Hash) proofs.Hash {
	text := "hansard:" + id.String()
	return proofs.Hash(crypto.Keccak256(fmt.Appendf(nil, "\x19Ethereum Signed Message:\n%d%s", len(text), text)))
}

// anchorIn puts the batch's event into the transaction txIndex of a block of n transactions, as log
// logIndex of its receipt.
func (w *world) anchorIn(t *testing.T, n, txIndex, logIndex int) {
	t.Helper()
	tr := trie.NewEmpty(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil))
	for i := range n {
		r := &types.Receipt{Type: uint8(i % 3), Status: 1, CumulativeGasUsed: uint64(21000 * (i + 1))}
		r.Logs = []*types.Log{{Address: common.Address{0xee}, Topics: []common.Hash{{byte(i)}}, Data: []byte{byte(i)}}}
		if i == txIndex {
			if w.failed {
				r.Status = 0
			}
			for len(r.Logs) < logIndex {
				r.Logs = append(r.Logs, r.Logs[0])
			}
			r.Logs = append(r.Logs[:logIndex], w.event())
		}
		r.Bloom = types.CreateBloom(r)
		b, err := r.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		tr.MustUpdate(rlp.AppendUint64(nil, uint64(i)), b)
	}
	header := &types.Header{
		Number: big.NewInt(7_412_055), Time: w.batch.Time, ReceiptHash: tr.Hash(), Difficulty: new(big.Int), BaseFee: big.NewInt(7),
		GasLimit: 36_000_000, WithdrawalsHash: &common.Hash{1}, BlobGasUsed: new(uint64), ExcessBlobGas: new(uint64),
		ParentBeaconRoot: &common.Hash{2}, RequestsHash: &common.Hash{3},
	}
	raw, err := rlp.EncodeToBytes(header)
	if err != nil {
		t.Fatal(err)
	}
	var nodes nodeList
	if err := tr.Prove(rlp.AppendUint64(nil, uint64(txIndex)), &nodes); err != nil {
		t.Fatal(err)
	}
	w.anchor = proofs.Anchor{
		Block:   proofs.BlockRef{Number: header.Number.Uint64(), Hash: proofs.Hash(header.Hash())},
		TxIndex: uint64(txIndex), LogIndex: uint64(logIndex), Header: raw, Proof: nodes,
	}
}

func (w *world) event() *types.Log {
	word := func(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }
	b := w.batch
	return &types.Log{
		Address: common.Address(w.chain.AnchorLog),
		Topics: []common.Hash{
			crypto.Keccak256Hash([]byte("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)")),
			common.Hash(w.chain.Log), common.BytesToHash(word(b.Number)),
		},
		Data: bytes.Join([][]byte{b.Root[:], word(b.First), word(b.Size), b.CID[:]}, nil),
	}
}

// nodeList gathers proof nodes in the order of the path.
type nodeList [][]byte

func (l *nodeList) Put(_, value []byte) error { *l = append(*l, bytes.Clone(value)); return nil }
func (l *nodeList) Delete([]byte) error       { panic("not used") }

// receipt returns the receipt of the i-th message at the level.
func (w *world) receipt(t *testing.T, i int, level proofs.Level) *proofs.Receipt {
	t.Helper()
	a := w.accepted[i]
	p := a.Promise()
	var err error
	if p.Signature, err = w.operator.SignDigest(w.chain.PromiseDomain().PromiseDigest(&p)); err != nil {
		t.Fatal(err)
	}
	rc := &proofs.Receipt{Level: level, Chain: w.chain, Message: a.Message, Evidence: &a.Evidence, Entry: a.Entry, Promise: &p,
		Hints: json.RawMessage(`{"note":"anything"}`)}
	if level >= proofs.Included {
		b, at := w.batch, w.anchor
		rc.Batch, rc.Inclusion, rc.Anchor = &b, naiveProof(w.tree, i), &at
		if level < proofs.Finalized {
			rc.Anchor.Header, rc.Anchor.Proof = nil, nil
		}
	}
	return rc
}

func (w *world) trust() *proofs.Trust {
	return &proofs.Trust{Logs: []proofs.TrustedLog{{Name: "golden", Chain: w.chain, PromiseKeys: []proofs.Address{w.operator.Address()}}}}
}

func chainDict(c proofs.Chain) dict {
	return dict{"chainId": str(c.ChainID), "anchorLog": c.AnchorLog, "promiseBond": c.PromiseBond, "log": c.Log}
}

func messageDict(c proofs.Chain, m *proofs.Message, e proofs.Evidence) dict {
	signer := ""
	if addr, ok := m.Author.Wallet(); ok {
		signer = addr.String()
	}
	return dict{"chain": chainDict(c), "message": m, "id": c.MessageDomain().MessageID(m), "roomTag": m.Room.Tag(),
		"authorCommitment": m.Author.Commit(m.Salt), "scheme": e.Scheme, "evidence": base64.StdEncoding.EncodeToString(e.Bytes),
		"signer": signer}
}

func promiseDict(c proofs.Chain, p *proofs.Promise, signature []byte, signer proofs.Address) dict {
	return dict{"chain": chainDict(c), "index": str(p.Index), "leaf": p.Leaf, "deadline": str(p.Deadline),
		"beneficiary": p.Beneficiary, "digest": c.PromiseDomain().PromiseDigest(p),
		"signature": fmt.Sprintf("0x%x", signature), "signer": signer}
}

func TestGoldenMessages(t *testing.T) {
	w := newWorld(t)
	var messages, entries, promises []dict
	for i, a := range w.accepted {
		if err := a.Message.Check(); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, messageDict(w.chain, a.Message, a.Evidence))
		entries = append(entries, dict{"entry": a.Entry, "leafData": fmt.Sprintf("0x%x", a.Entry.LeafData()), "leaf": a.Leaf})
		p := w.receipt(t, i, proofs.Promised).Promise
		promises = append(promises, promiseDict(w.chain, p, p.Signature[:], w.operator.Address()))
	}
	for _, m := range limitMessages() {
		if err := m.Check(); err != nil {
			t.Fatalf("a message at the limits: %v", err)
		}
		messages = append(messages, messageDict(w.chain, &m, proofs.Evidence{Scheme: proofs.SchemeNone}))
	}
	golden(t, "vectors/messages.json", dict{"cases": messages, "bad": badMessages(t), "badEvidence": badEvidence(t, w)})
	golden(t, "vectors/entries.json", dict{"cases": entries, "bad": badLeafData(t, w)})
	golden(t, "vectors/promises.json", dict{"cases": promises, "bad": badPromises(t, w)})
}
