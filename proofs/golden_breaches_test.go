package proofs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/hansard-dao/hansard/proofs"
)

const (
	breachDeadline = 1_795_341_031
	breachBlock    = 7_412_999
)

// bonded is the golden world with a bond, which promises are signed for.
func bonded(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.chain.PromiseBond = proofs.Address(common.HexToAddress("0xA093c9E324e0651D0e21f373146f1BbBd3c07963"))
	return w
}

// headWord is AnchorLog's word of a head.
func headWord(batches uint32, messages uint64) (w proofs.Hash) {
	new(big.Int).SetUint64(messages).FillBytes(w[:8])
	big.NewInt(int64(batches)).FillBytes(w[8:12])
	copy(w[12:], bytes.Repeat([]byte{0x5b}, 20))
	return w
}

// breachOf is evidence of a breach that the golden world's operator committed.
func (w *world) breachOf(t *testing.T, breach proofs.Breach) *proofs.BreachEvidence {
	t.Helper()
	e := &proofs.BreachEvidence{Breach: breach, Chain: w.chain, Hints: json.RawMessage(`{"note":"anything"}`)}
	e.Promise = proofs.Promise{Log: w.chain.Log, Index: 6, Leaf: wordHash(6), Deadline: breachDeadline, Beneficiary: testKey("alice").Address()}
	switch breach {
	case proofs.Conflict:
		second := e.Promise
		second.Leaf, second.Deadline, second.Beneficiary = w.tree[1], breachDeadline+600, testKey("bob").Address()
		e.Second = &second
	case proofs.Substitution:
		e.Leaf, e.Inclusion = w.tree[1], naiveProof(w.tree, 1)
	case proofs.Missed:
		e.Promise.Index = 12
		e.Head = w.headAt(t, breachDeadline+3600, headWord(3, 12))
	case proofs.Late:
		e.Promise.Leaf, e.Promise.Deadline = w.tree[1], w.batch.Time-90
	case proofs.Withheld:
	}
	if breach != proofs.Conflict && breach != proofs.Missed {
		b, a := w.batch, w.anchor
		e.Batch, e.Anchor = &b, &a
	}
	w.sign(t, e)
	return e
}

// sign signs the promises of e by the operator.
func (w *world) sign(t *testing.T, e *proofs.BreachEvidence) {
	t.Helper()
	for _, p := range []*proofs.Promise{&e.Promise, e.Second} {
		if p == nil {
			continue
		}
		var err error
		if p.Signature, err = w.operator.SignDigest(e.Chain.PromiseDomain().PromiseDigest(p)); err != nil {
			t.Fatal(err)
		}
	}
}

// headAt proves the word of the log's head in a state with other contracts and slots; zero: it is absent.
func (w *world) headAt(t *testing.T, time uint64, word proofs.Hash) *proofs.HeadProof {
	t.Helper()
	slots := map[proofs.Hash]proofs.Hash{proofs.AnchorLogHeadSlot(w.chain.Log): word}
	contracts := map[proofs.Address]contractState{w.chain.AnchorLog: {slots, true}}
	for i := range 40 {
		slots[wordHash(100+i)] = wordHash(200 + i)
		contracts[proofs.Address(common.Hash(wordHash(300 + i)).Bytes()[:20])] = contractState{map[proofs.Hash]proofs.Hash{{1}: {31: 1}}, true}
	}
	return w.headIn(t, time, newState(t, contracts))
}

// headIn proves the log's head in that state.
func (w *world) headIn(t *testing.T, time uint64, s *state) *proofs.HeadProof {
	t.Helper()
	header := &types.Header{
		Root: common.Hash(s.root()), Number: big.NewInt(breachBlock), Time: time, ReceiptHash: types.EmptyReceiptsHash, Difficulty: new(big.Int),
		BaseFee: big.NewInt(7), GasLimit: 36_000_000,
	}
	raw, err := rlp.EncodeToBytes(header)
	if err != nil {
		t.Fatal(err)
	}
	h := &proofs.HeadProof{Block: proofs.BlockRef{Number: breachBlock, Hash: proofs.Hash(header.Hash())}, Header: raw}
	h.Account, h.Storage = s.prove(t, w.chain.AnchorLog, proofs.AnchorLogHeadSlot(w.chain.Log))
	return h
}

// breachChecks is what is said of evidence that proves its breach, with every input given.
func breachChecks(b proofs.Breach) (verdict, checks string) {
	switch b {
	case proofs.Conflict:
		return "PROMISE BROKEN", "pass skip skip skip skip skip skip skip pass skip skip fail skip"
	case proofs.Missed:
		return "PROMISE BROKEN", "pass skip skip skip skip skip pass pass pass pass skip fail skip"
	case proofs.Withheld:
		return "UNDETERMINED", "pass skip skip skip pass skip pass pass pass pass skip unknown skip"
	}
	return "PROMISE BROKEN", "pass skip skip skip pass skip pass pass pass pass skip fail skip"
}

// breachCase is a file of evidence and what every verifier must say of it.
func breachCase(b proofs.Breach, name, verdict string, f func(t *testing.T, w *world) []byte, checks ...string) goldenCase {
	genuine, all := breachChecks(b)
	if verdict == "" {
		verdict = genuine
	}
	c := goldenCase{Name: name, File: name + proofs.EvidenceSuffix, Trust: "trust.json", BlockHash: "own", Verdict: verdict, make: f, Checks: map[string]string{}}
	for i, status := range strings.Fields(all) {
		c.Checks["V"+str(uint64(i+1))] = status
	}
	for _, check := range checks {
		id, status, _ := strings.Cut(check, "=")
		c.Checks[id] = status
	}
	if b == proofs.Conflict {
		c.BlockHash = ""
	}
	return c
}

// breachFile formats evidence after f changed it; the operator signs it before.
func breachFile(b proofs.Breach, f func(w *world, e *proofs.BreachEvidence)) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte {
		e := w.breachOf(t, b)
		f(w, e)
		return e.Format()
	}
}

// promisedOtherwise formats evidence whose promise f changed before the operator signed it.
func promisedOtherwise(b proofs.Breach, f func(w *world, e *proofs.BreachEvidence)) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte {
		e := w.breachOf(t, b)
		f(w, e)
		w.sign(t, e)
		return e.Format()
	}
}

var allBreaches = []proofs.Breach{proofs.Conflict, proofs.Substitution, proofs.Missed, proofs.Late, proofs.Withheld}

func breachCases() (cases []goldenCase) {
	untouched := func(*world, *proofs.BreachEvidence) {}
	for _, b := range allBreaches {
		genuine := breachCase(b, b.String(), "", breachFile(b, untouched))
		cases = append(cases, genuine)
		again := func(name, verdict string, f func(*goldenCase), checks ...string) {
			c := breachCase(b, b.String()+"-"+name, verdict, nil, checks...)
			c.File = genuine.File
			f(&c)
			cases = append(cases, c)
		}
		again("no-trust", "UNDETERMINED", func(c *goldenCase) { c.Trust = "" }, "V9=unknown", "V12=unknown")
		again("other-trust", "MISMATCH", func(c *goldenCase) { c.Trust = "other.trust.json" }, "V9=fail", "V12=unknown")
		again("other-key", "INVALID", func(c *goldenCase) { c.Trust = "key.trust.json" }, "V12=fail")
		again("expected", "UNDETERMINED", func(c *goldenCase) { c.ExpectRoom = "arb" })
		if b != proofs.Conflict {
			again("no-block-hash", "UNDETERMINED", func(c *goldenCase) { c.BlockHash = "" }, "V8=unknown", "V10=unknown")
			again("other-block", "INVALID", func(c *goldenCase) { c.BlockHash = wordHash(1).String() }, "V8=fail", "V10=unknown")
		}
	}
	cases = append(cases, missedCases()...)
	cases = append(cases, noBreaches()...)
	for _, f := range malformedBreaches() {
		c := breachCase(proofs.Conflict, f.name, "INVALID", f.make)
		for i := range 13 {
			c.Checks["V"+str(uint64(i+1))] = "skip"
		}
		c.Checks["V1"] = "fail"
		cases = append(cases, c)
	}
	return cases
}

// missedCases are states that a log can be in, and that none is in.
func missedCases() []goldenCase {
	in := func(contract func(w *world) (proofs.Address, contractState)) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte {
			e := w.breachOf(t, proofs.Missed)
			address, c := contract(w)
			e.Head = w.headIn(t, breachDeadline+3600, newState(t, map[proofs.Address]contractState{address: c, {9}: {nil, true}}))
			return e.Format()
		}
	}
	at := func(time uint64, word proofs.Hash) func(*testing.T, *world) []byte {
		return func(t *testing.T, w *world) []byte {
			e := w.breachOf(t, proofs.Missed)
			e.Head = w.headAt(t, time, word)
			return e.Format()
		}
	}
	head := func(f func(h *proofs.HeadProof)) func(*testing.T, *world) []byte {
		return breachFile(proofs.Missed, func(_ *world, e *proofs.BreachEvidence) { f(e.Head) })
	}
	missed := func(name, verdict string, f func(*testing.T, *world) []byte, checks ...string) goldenCase {
		return breachCase(proofs.Missed, name, verdict, f, checks...)
	}
	return []goldenCase{
		missed("missed-never-opened", "", at(breachDeadline+1, proofs.Hash{})),
		missed("missed-without-storage", "", in(func(w *world) (proofs.Address, contractState) { return w.chain.AnchorLog, contractState{nil, true} })),
		missed("missed-no-contract", "INVALID", in(func(w *world) (proofs.Address, contractState) { return w.chain.AnchorLog, contractState{nil, false} }), "V7=fail", "V12=unknown"),
		missed("missed-no-account", "INVALID", in(func(*world) (proofs.Address, contractState) { return proofs.Address{8}, contractState{nil, true} }), "V7=fail", "V12=unknown"),
		missed("missed-in-time", "INVALID", at(breachDeadline, headWord(3, 12))),
		missed("missed-reached", "INVALID", at(breachDeadline+1, headWord(4, 13))),
		missed("missed-batches-are-no-messages", "INVALID", at(breachDeadline+1, headWord(3, 1<<63))),
		missed("missed-block-number", "INVALID", head(func(h *proofs.HeadProof) { h.Block.Number++ }), "V7=fail", "V12=unknown"),
		missed("missed-block-hash", "INVALID", head(func(h *proofs.HeadProof) { h.Block.Hash[0] ^= 1 }), "V7=fail", "V12=unknown"),
		missed("missed-account-node-less", "INVALID", head(func(h *proofs.HeadProof) { h.Account = h.Account[:1] }), "V7=fail", "V12=unknown"),
		missed("missed-storage-cut-off", "INVALID", head(func(h *proofs.HeadProof) { h.Storage = h.Storage[:1] }), "V7=fail", "V12=unknown"),
		missed("missed-no-storage", "INVALID", head(func(h *proofs.HeadProof) { h.Storage = nil }), "V7=fail", "V12=unknown"),
		missed("missed-storage-node-more", "INVALID", head(func(h *proofs.HeadProof) { h.Storage = append(h.Storage, h.Storage[0]) }), "V7=fail", "V12=unknown"),
		missed("missed-tries-swapped", "INVALID", head(func(h *proofs.HeadProof) { h.Account, h.Storage = h.Storage, h.Account }), "V7=fail", "V12=unknown"),
		missed("missed-state-root-short", "INVALID", shortStateRoot, "V7=fail", "V12=unknown"),
		missed("missed-other-header", "INVALID", func(t *testing.T, w *world) []byte {
			e := w.breachOf(t, proofs.Missed)
			e.Head.Header, e.Head.Block = w.anchor.Header, w.anchor.Block
			return e.Format()
		}, "V7=fail", "V12=unknown"),
	}
}

// shortStateRoot is a header whose state root has 31 bytes.
func shortStateRoot(t *testing.T, w *world) []byte {
	e := w.breachOf(t, proofs.Missed)
	var fields []rlp.RawValue
	if err := rlp.DecodeBytes(e.Head.Header, &fields); err != nil {
		t.Fatal(err)
	}
	fields[3] = rlpOf(t, bytes.Repeat([]byte{1}, 31))
	e.Head.Header = rlpOf(t, fields)
	e.Head.Block.Hash = proofs.Keccak(e.Head.Header)
	return e.Format()
}

// noBreaches are signed promises that the file does not show to be broken, and files that were changed.
func noBreaches() []goldenCase {
	return []goldenCase{
		breachCase(proofs.Conflict, "conflict-same-leaf", "INVALID", promisedOtherwise(proofs.Conflict, func(_ *world, e *proofs.BreachEvidence) { e.Second.Leaf = e.Promise.Leaf })),
		breachCase(proofs.Conflict, "conflict-second-unsigned", "INVALID", breachFile(proofs.Conflict, func(_ *world, e *proofs.BreachEvidence) { e.Second.Deadline++ })),
		breachCase(proofs.Conflict, "conflict-first-unsigned", "INVALID", breachFile(proofs.Conflict, func(_ *world, e *proofs.BreachEvidence) { e.Promise.Deadline++ })),
		breachCase(proofs.Conflict, "conflict-other-log", "MISMATCH", breachFile(proofs.Conflict, func(_ *world, e *proofs.BreachEvidence) {
			e.Chain.Log[0] ^= 1
			e.Promise.Log, e.Second.Log = e.Chain.Log, e.Chain.Log
		}), "V9=fail", "V12=unknown"),
		breachCase(proofs.Conflict, "conflict-high-s", "INVALID", breachFile(proofs.Conflict, func(_ *world, e *proofs.BreachEvidence) { e.Promise.Signature = twin(e.Promise.Signature) })),
		breachCase(proofs.Substitution, "substitution-promised-leaf", "INVALID", promisedOtherwise(proofs.Substitution, func(w *world, e *proofs.BreachEvidence) { e.Promise.Leaf = e.Leaf }), "V5=fail", "V12=unknown"),
		breachCase(proofs.Substitution, "substitution-neighbour", "INVALID", breachFile(proofs.Substitution, func(w *world, e *proofs.BreachEvidence) {
			e.Leaf, e.Inclusion = w.tree[2], naiveProof(w.tree, 2)
		}), "V5=fail", "V12=unknown"),
		breachCase(proofs.Substitution, "substitution-inner-node", "INVALID", breachFile(proofs.Substitution, func(w *world, e *proofs.BreachEvidence) {
			e.Leaf, e.Inclusion = proofs.HashNode(w.tree[0], w.tree[1]), e.Inclusion[1:]
		}), "V5=fail", "V12=unknown"),
		breachCase(proofs.Substitution, "substitution-padding", "INVALID", promisedOtherwise(proofs.Substitution, func(w *world, e *proofs.BreachEvidence) {
			e.Promise.Index, e.Leaf, e.Inclusion = 12, proofs.Hash{}, naiveProof(w.tree, 7)
		}), "V5=fail", "V12=unknown"),
		breachCase(proofs.Substitution, "substitution-other-batch", "INVALID", breachFile(proofs.Substitution, func(_ *world, e *proofs.BreachEvidence) { e.Batch.Number++ }), "V7=fail", "V12=unknown"),
		breachCase(proofs.Late, "late-in-time", "INVALID", promisedOtherwise(proofs.Late, func(w *world, e *proofs.BreachEvidence) { e.Promise.Deadline = w.batch.Time })),
		breachCase(proofs.Late, "late-by-a-second", "", promisedOtherwise(proofs.Late, func(w *world, e *proofs.BreachEvidence) { e.Promise.Deadline = w.batch.Time - 1 })),
		breachCase(proofs.Late, "late-time", "INVALID", breachFile(proofs.Late, func(_ *world, e *proofs.BreachEvidence) { e.Batch.Time++ }), "V7=fail", "V12=unknown"),
		breachCase(proofs.Late, "late-index-before", "INVALID", promisedOtherwise(proofs.Late, func(_ *world, e *proofs.BreachEvidence) { e.Promise.Index = 4 }), "V5=fail", "V12=unknown"),
		breachCase(proofs.Late, "late-index-after", "INVALID", promisedOtherwise(proofs.Late, func(_ *world, e *proofs.BreachEvidence) { e.Promise.Index = 12 }), "V5=fail", "V12=unknown"),
		breachCase(proofs.Withheld, "withheld-late", "INVALID", promisedOtherwise(proofs.Withheld, func(w *world, e *proofs.BreachEvidence) { e.Promise.Deadline = w.batch.Time - 1 }), "V12=fail"),
		breachCase(proofs.Withheld, "withheld-elsewhere", "INVALID", promisedOtherwise(proofs.Withheld, func(w *world, e *proofs.BreachEvidence) { e.Promise.Index = 12 }), "V5=fail", "V12=unknown"),
	}
}

// malformedBreaches are files that no verifier may decode.
func malformedBreaches() (files []malformedFile) {
	add := func(b proofs.Breach, name, old, new string) {
		files = append(files, malformedFile{b.String() + "-" + name, func(t *testing.T, w *world) []byte {
			return change(t, w.breachOf(t, b).Format(), old, new)
		}})
	}
	add(proofs.Conflict, "format", "evidence/1", "evidence/2")
	add(proofs.Conflict, "breach-unknown", `"breach": "conflict"`, `"breach": "forgery"`)
	add(proofs.Conflict, "breach-as-number", `"breach": "conflict"`, `"breach": 0`)
	add(proofs.Conflict, "as-late", `"breach": "conflict"`, `"breach": "late"`)
	add(proofs.Conflict, "without-second", `"second"`, `"third"`)
	add(proofs.Conflict, "index-of-second", `"second": {`, `"second": { "index": "6",`)
	add(proofs.Conflict, "log-of-promise", `"promise": {`, `"promise": { "log": "0x00",`)
	add(proofs.Conflict, "unknown-key", `"breach": `, `"verdict": "x", "breach": `)
	add(proofs.Conflict, "repeated-key", `"breach": `, `"breach": "conflict", "breach": `)
	add(proofs.Conflict, "leading-space", `{`, ` {`)
	add(proofs.Conflict, "two-newlines", "\n}\n", "\n}\n\n")
	add(proofs.Conflict, "hints-null", `"hints": {"note":"anything"}`, `"hints": null`)
	add(proofs.Conflict, "with-head", `"hints"`, `"head": {}, "hints"`)
	add(proofs.Conflict, "deadline-over-64-bits", `"deadline": "1795341031"`, `"deadline": "18446744073709551616"`)
	add(proofs.Conflict, "deadline-as-number", `"deadline": "1795341031"`, `"deadline": 1795341031`)
	add(proofs.Conflict, "short-signature", `"signature": "0x`, `"signature": "0`)
	add(proofs.Substitution, "as-late", `"breach": "substitution"`, `"breach": "late"`)
	add(proofs.Substitution, "33-siblings", `"inclusion": [`, `"inclusion": [`+strings.Repeat(`"`+proofs.Hash{}.String()+`",`, 30))
	add(proofs.Substitution, "size-0", `"size": "7"`, `"size": "0"`)
	add(proofs.Substitution, "first-overflow", `"first": "5"`, `"first": "18446744073709551615"`)
	add(proofs.Substitution, "without-header", `"header"`, `"heading"`)
	add(proofs.Late, "as-substitution", `"breach": "late"`, `"breach": "substitution"`)
	add(proofs.Late, "with-leaf", `"batch": {`, `"leaf": "`+proofs.Hash{}.String()+`", "batch": {`)
	add(proofs.Missed, "as-late", `"breach": "missed"`, `"breach": "late"`)
	add(proofs.Missed, "empty-node", `"storage": [`, `"storage": ["",`)
	add(proofs.Missed, "65-nodes", `"storage": [`, `"storage": [`+strings.Repeat(`"gA==",`, 65))
	add(proofs.Missed, "storage-null", `"storage": [`, `"storage": null, "stores": [`)
	add(proofs.Missed, "accounts", `"account": [`, `"account": [], "accounts": [`)
	add(proofs.Missed, "long-header", `"header": "`, `"header": "`+base64.StdEncoding.EncodeToString(make([]byte, 16_386)))
	add(proofs.Missed, "block-number-as-number", `"blockNumber": "7412999"`, `"blockNumber": 7412999`)
	return append(files,
		malformedFile{"missed-no-account-nodes", breachFile(proofs.Missed, func(_ *world, e *proofs.BreachEvidence) { e.Head.Account = nil })},
		malformedFile{"missed-no-header", breachFile(proofs.Missed, func(_ *world, e *proofs.BreachEvidence) { e.Head.Header = nil })})
}
