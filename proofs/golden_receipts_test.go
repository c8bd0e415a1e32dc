package proofs_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/proofs"
)

// goldenCase is one receipt of testdata/receipts and what every verifier must say of it.
type goldenCase struct {
	Name         string            `json:"name"`
	File         string            `json:"file"`
	Trust        string            `json:"trust"`
	BlockHash    string            `json:"blockHash"`
	FoldHash     string            `json:"foldBlockHash,omitempty"`
	ExpectAuthor string            `json:"expectAuthor"`
	ExpectRoom   string            `json:"expectRoom"`
	Verdict      string            `json:"verdict"`
	Exit         int               `json:"exit"`
	Checks       map[string]string `json:"checks"`

	make func(t *testing.T, w *world) []byte // the file; nil: that of an earlier case
}

// change replaces the first of old in the file by new; both must differ and old must be there.
func change(t *testing.T, file []byte, old, new string) []byte {
	t.Helper()
	if !bytes.Contains(file, []byte(old)) {
		t.Fatalf("%q is not in the file", old)
	}
	return bytes.Replace(file, []byte(old), []byte(new), 1)
}

func finalized(i int) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte { return w.receipt(t, i, proofs.Finalized).Format() }
}

// edited formats the finalized receipt i after f changed it.
func edited(i int, f func(*proofs.Receipt)) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte {
		rc := w.receipt(t, i, proofs.Finalized)
		m := *rc.Message
		rc.Message = &m
		f(rc)
		return rc.Format()
	}
}

// replaced changes the text of the finalized receipt 0.
func replaced(old, new string) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte { return change(t, finalized(0)(t, w), old, new) }
}

// moved anchors the batch elsewhere and formats the finalized receipt 0.
func moved(n, txIndex, logIndex int, f func(*world)) func(*testing.T, *world) []byte {
	return func(t *testing.T, w *world) []byte {
		other := *w
		f(&other)
		other.anchorIn(t, n, txIndex, logIndex)
		other.batch, other.chain = w.batch, w.chain
		return other.receipt(t, 0, proofs.Finalized).Format()
	}
}

// caseMaker makes the cases of one world.
type caseMaker struct{ hash string } // of the world's block

// full is a finalized receipt with every input given: all checks pass but those named "V5=fail".
func (m caseMaker) full(name string, f func(*testing.T, *world) []byte, verdict string, checks ...string) goldenCase {
	c := goldenCase{Name: name, File: name + ".receipt.json", Trust: "trust.json", BlockHash: m.hash, Verdict: verdict, make: f,
		Checks: map[string]string{}}
	for i, status := range strings.Fields("pass pass pass skip pass skip pass pass pass pass skip pass skip") {
		c.Checks["V"+str(uint64(i+1))] = status
	}
	for _, check := range checks {
		id, status, _ := strings.Cut(check, "=")
		c.Checks[id] = status
	}
	return c
}

func (m caseMaker) malformed(name string, f func(*testing.T, *world) []byte) goldenCase {
	c := m.full(name, f, "INVALID", "V1=fail")
	for i := 2; i <= 13; i++ {
		c.Checks["V"+str(uint64(i))] = "skip"
	}
	return c
}

// again is the file of another case with inputs that f changes.
func (m caseMaker) again(name, file, verdict string, f func(*goldenCase), checks ...string) goldenCase {
	c := m.full(name, nil, verdict, checks...)
	c.File = file + ".receipt.json"
	f(&c)
	return c
}

func goldenCases(w *world) []goldenCase {
	m := caseMaker{w.anchor.Block.Hash.String()}
	cases := append(m.genuine(w), m.inputs()...)
	cases = append(cases, m.forgeries()...)
	cases = append(cases, m.folds()...)
	for _, f := range append(malformedFiles(), malformedFolds()...) {
		cases = append(cases, m.malformed(f.name, f.make))
	}
	return cases
}

// genuine are files as an operator makes them.
func (m caseMaker) genuine(w *world) []goldenCase {
	cases := []goldenCase{
		m.full("alice-finalized", finalized(0), "VALID"),
		m.full("bob-empty-body", finalized(1), "VALID"),
		m.full("escapes", finalized(2), "VALID"),
		m.full("eip191", finalized(3), "VALID"),
		m.full("none", finalized(4), "VALID"),
		m.full("edit", finalized(5), "VALID"),
		m.full("largest-time", finalized(6), "VALID"),
		m.full("undisclosed", edited(0, func(rc *proofs.Receipt) { rc.Message, rc.Evidence = nil, nil }), "VALID", "V2=skip", "V3=skip"),
		m.full("no-promise", edited(0, func(rc *proofs.Receipt) { rc.Promise = nil }), "VALID", "V12=skip"),
		m.full("no-hints", edited(0, func(rc *proofs.Receipt) { rc.Hints = nil }), "VALID"),
		m.full("deepest-hints", func(t *testing.T, w *world) []byte {
			deep := strings.Repeat("[", 30) + "1" + strings.Repeat("]", 30)
			return bytes.Replace(finalized(0)(t, w), []byte(`"anything"`), []byte(deep), 1)
		}, "VALID"),
		m.full("promised", func(t *testing.T, w *world) []byte { return w.receipt(t, 0, proofs.Promised).Format() }, "NOT FINAL",
			"V5=skip", "V7=skip", "V8=skip", "V10=unknown"),
		m.full("included", func(t *testing.T, w *world) []byte { return w.receipt(t, 0, proofs.Included).Format() }, "NOT FINAL",
			"V7=unknown", "V10=unknown"),
		m.full("late", edited(0, func(rc *proofs.Receipt) {
			p := rc.Promise
			p.Deadline = rc.Batch.Time - 1
			p.Signature, _ = w.operator.SignDigest(w.chain.PromiseDomain().PromiseDigest(p))
		}), "PROMISE BROKEN", "V12=fail"),
		m.full("unknown-scheme", func(t *testing.T, w *world) []byte {
			other := *w
			other.accepted = append([]proofs.Accepted(nil), w.accepted...)
			a := &other.accepted[0]
			a.Evidence.Scheme, a.Entry.Vouch = "nostr", proofs.VouchHost
			a.Leaf = a.Entry.Leaf()
			other.tree = append([]proofs.Hash{a.Leaf}, w.tree[1:]...)
			other.batch.Root, _ = proofs.Root(other.tree)
			other.anchorIn(t, 3, 0, 0)
			return other.receipt(t, 0, proofs.Finalized).Format()
		}, "UNDETERMINED", "V3=unknown"),
	}
	cases[len(cases)-1].BlockHash = "own"
	return cases
}

// inputs are files above, judged by other inputs.
func (m caseMaker) inputs() []goldenCase {
	alice, bob := testKey("alice").Address().String(), testKey("bob").Address().String()
	same := func(name string, f func(*goldenCase), verdict string, checks ...string) goldenCase {
		return m.again(name, "alice-finalized", verdict, f, checks...)
	}
	return []goldenCase{
		same("no-block-hash", func(c *goldenCase) { c.BlockHash = "" }, "UNDETERMINED", "V8=unknown", "V10=unknown"),
		same("no-trust", func(c *goldenCase) { c.Trust = "" }, "UNDETERMINED", "V9=unknown", "V12=unknown"),
		same("other-trust", func(c *goldenCase) { c.Trust = "other.trust.json" }, "MISMATCH", "V9=fail", "V12=unknown"),
		same("other-key", func(c *goldenCase) { c.Trust = "key.trust.json" }, "INVALID", "V12=fail"),
		same("other-block", func(c *goldenCase) { c.BlockHash = wordHash(1).String() }, "INVALID", "V8=fail", "V10=unknown"),
		same("expected", func(c *goldenCase) { c.ExpectAuthor, c.ExpectRoom = alice, "arb/governance" }, "VALID"),
		same("other-author", func(c *goldenCase) { c.ExpectAuthor = bob }, "MISMATCH"),
		same("other-room", func(c *goldenCase) { c.ExpectRoom = "arb" }, "MISMATCH"),
		m.again("undisclosed-expected", "undisclosed", "UNDETERMINED", func(c *goldenCase) { c.ExpectAuthor = alice }, "V2=skip", "V3=skip"),
		m.again("undisclosed-room", "undisclosed", "VALID", func(c *goldenCase) { c.ExpectRoom = "arb/governance" }, "V2=skip", "V3=skip"),
		m.again("undisclosed-other-room", "undisclosed", "MISMATCH", func(c *goldenCase) { c.ExpectRoom = "arb" }, "V2=skip", "V3=skip"),
		m.again("nobody-vouches", "none", "UNDETERMINED", func(c *goldenCase) { c.ExpectAuthor = "zoom:Dan | Treasury \U0001F525" }),
		m.again("nobody-and-another", "none", "MISMATCH", func(c *goldenCase) { c.ExpectAuthor = "zoom:Dan" }),
	}
}

// forgeries are files that decode and do not hold.
func (m caseMaker) forgeries() []goldenCase {
	full := m.full
	own := func(c goldenCase) goldenCase { c.BlockHash = "own"; return c } // the block hash of the file itself
	return []goldenCase{
		full("body", replaced("vote FOR", "vote FOX"), "INVALID", "V2=fail"),
		full("room", replaced(`"room": "arb/governance"`, `"room": "arb/governancE"`), "INVALID", "V1=fail", "V2=skip", "V3=skip",
			"V5=skip", "V7=skip", "V8=skip", "V9=skip", "V10=skip", "V12=skip"),
		full("salt", edited(0, func(rc *proofs.Receipt) { rc.Message.Salt[31] ^= 1 }), "INVALID", "V2=fail"),
		full("author", edited(0, func(rc *proofs.Receipt) {
			rc.Message.Author = proofs.Author(testKey("bob").Address().String())
		}), "INVALID", "V2=fail", "V3=fail"),
		full("evidence", edited(0, func(rc *proofs.Receipt) {
			e := *rc.Evidence
			e.Bytes = bytes.Clone(e.Bytes)
			e.Bytes[3] ^= 1
			rc.Evidence = &e
		}), "INVALID", "V3=fail"),
		full("stronger-class", edited(4, func(rc *proofs.Receipt) { rc.Entry.Vouch = proofs.VouchAuthor }), "INVALID",
			"V3=fail", "V5=fail", "V12=fail"),
		full("index", edited(0, func(rc *proofs.Receipt) { rc.Entry.Index++ }), "INVALID", "V5=fail", "V12=fail"),
		full("index-outside", edited(0, func(rc *proofs.Receipt) { rc.Entry.Index = 12 }), "INVALID", "V5=fail", "V12=fail"),
		full("sibling", edited(0, func(rc *proofs.Receipt) { rc.Inclusion[2][0] ^= 1 }), "INVALID", "V5=fail"),
		full("surplus-sibling", edited(0, func(rc *proofs.Receipt) { rc.Inclusion = append(rc.Inclusion, proofs.Hash{}) }), "INVALID", "V5=fail"),
		full("missing-sibling", edited(0, func(rc *proofs.Receipt) { rc.Inclusion = rc.Inclusion[:2] }), "INVALID", "V5=fail"),
		full("room-order", edited(0, func(rc *proofs.Receipt) { rc.Entry.RoomIndex = 1 }), "INVALID", "V5=fail", "V6=fail", "V12=fail"),
		full("root", edited(0, func(rc *proofs.Receipt) { rc.Batch.Root[0] ^= 1 }), "INVALID", "V5=fail", "V7=fail", "V12=unknown"),
		full("size", edited(0, func(rc *proofs.Receipt) { rc.Batch.Size++ }), "INVALID", "V7=fail", "V12=unknown"),
		full("number", edited(0, func(rc *proofs.Receipt) { rc.Batch.Number++ }), "INVALID", "V7=fail", "V12=unknown"),
		full("cid", edited(0, func(rc *proofs.Receipt) { rc.Batch.CID[0] ^= 1 }), "INVALID", "V7=fail", "V12=unknown"),
		full("time", edited(0, func(rc *proofs.Receipt) { rc.Batch.Time-- }), "INVALID", "V7=fail", "V12=unknown"),
		full("block-number", edited(0, func(rc *proofs.Receipt) { rc.Anchor.Block.Number++ }), "INVALID", "V7=fail", "V12=unknown"),
		full("tx-index", edited(0, func(rc *proofs.Receipt) { rc.Anchor.TxIndex-- }), "INVALID", "V7=fail", "V12=unknown"),
		full("log-index", edited(0, func(rc *proofs.Receipt) { rc.Anchor.LogIndex = 0 }), "INVALID", "V7=fail", "V12=unknown"),
		full("log-index-outside", edited(0, func(rc *proofs.Receipt) { rc.Anchor.LogIndex = 2 }), "INVALID", "V7=fail", "V12=unknown"),
		full("surplus-node", edited(0, func(rc *proofs.Receipt) {
			rc.Anchor.Proof = append(rc.Anchor.Proof[:len(rc.Anchor.Proof):len(rc.Anchor.Proof)], rc.Anchor.Proof[0])
		}), "INVALID", "V7=fail", "V12=unknown"),
		full("missing-node", edited(0, func(rc *proofs.Receipt) { rc.Anchor.Proof = rc.Anchor.Proof[:1] }), "INVALID", "V7=fail", "V12=unknown"),
		full("swapped-nodes", edited(0, func(rc *proofs.Receipt) {
			p := append([][]byte(nil), rc.Anchor.Proof...)
			p[0], p[1] = p[1], p[0]
			rc.Anchor.Proof = p
		}), "INVALID", "V7=fail", "V12=unknown"),
		full("promise-deadline", edited(0, func(rc *proofs.Receipt) { rc.Promise.Deadline++ }), "INVALID", "V12=fail"),
		full("promise-high-s", edited(0, func(rc *proofs.Receipt) { rc.Promise.Signature = twin(rc.Promise.Signature) }), "INVALID", "V12=fail"),
		full("evidence-v", edited(4, func(rc *proofs.Receipt) { rc.Evidence.Bytes = []byte{1} }), "INVALID", "V3=fail"),
		own(full("look-alike-contract", moved(3, 1, 0, func(w *world) { w.chain.AnchorLog[0] ^= 1 }), "INVALID", "V7=fail", "V12=unknown")),
		own(full("other-log-event", moved(3, 1, 0, func(w *world) { w.chain.Log[0] ^= 1 }), "INVALID", "V7=fail", "V12=unknown")),
		own(full("other-batch-event", moved(3, 1, 0, func(w *world) { w.batch.Root[0] ^= 1 }), "INVALID", "V7=fail", "V12=unknown")),
		own(full("status-0", moved(131, 130, 1, func(w *world) { w.failed = true }), "INVALID", "V7=fail", "V12=unknown")),
		full("first-limit", edited(0, func(rc *proofs.Receipt) { rc.Batch.First = 1<<64 - 1 - rc.Batch.Size }), "INVALID", "V5=fail", "V7=fail", "V12=unknown"),
		own(full("one-transaction", moved(1, 0, 0, func(*world) {}), "VALID")),
		own(full("transaction-127", moved(128, 127, 3, func(*world) {}), "VALID")),
		own(full("transaction-128", moved(200, 128, 0, func(*world) {}), "VALID")),
	}
}

// twin returns the other signature of the same key over the same digest: (r, n-s) and the other v.
func twin(s proofs.Signature) proofs.Signature {
	order := crypto.S256().Params().N
	new(big.Int).Sub(order, new(big.Int).SetBytes(s[32:64])).FillBytes(s[32:64])
	s[64] = 27 + 28 - s[64]
	return s
}

type malformedFile struct {
	name string
	make func(*testing.T, *world) []byte
}

// malformedFiles are files that no verifier may decode.
func malformedFiles() []malformedFile {
	var files []malformedFile
	add := func(name, old, new string) {
		files = append(files, malformedFile{name, replaced(old, new)})
	}
	add("format", "hansard-receipt/1", "hansard-receipt/2")
	add("level-lower", `"level": "finalized"`, `"level": "included"`)
	add("level-unknown", `"level": "finalized"`, `"level": "final"`)
	add("unknown-key", `"level": `, `"levels": "x", "level": `)
	add("repeated-key", `"level": `, `"level": "finalized", "level": `)
	add("repeated-deep-key", `"vouch": 1`, `"vouch": 1, "vouch": 1`)
	add("repeated-key-in-hints", `"note":"anything"`, `"note":"anything","note":"anything"`)
	add("key-case", `"vouch"`, `"Vouch"`)
	add("missing-key", `"source": "",`, ``)
	add("null-for-absent", `"hints": {"note":"anything"}`, `"hints": null`)
	add("upper-hex", `"roomPrev": "0x0`, `"roomPrev": "0X0`)
	add("short-hex", `"roomPrev": "0x00`, `"roomPrev": "0x`)
	add("number-as-string", `"vouch": 1`, `"vouch": "1"`)
	add("string-as-number", `"index": "5"`, `"index": 5`)
	add("class-0", `"vouch": 1`, `"vouch": 0`)
	add("class-7", `"vouch": 1`, `"vouch": 7`)
	add("empty-node", `"proof": [`, `"proof": ["",`)
	add("leading-zero", `"index": "5"`, `"index": "05"`)
	add("plus-sign", `"index": "5"`, `"index": "+5"`)
	add("fraction", `"vouch": 1`, `"vouch": 1.0`)
	add("exponent", `"vouch": 1`, `"vouch": 1e0`)
	add("over-64-bits", `"index": "5"`, `"index": "18446744073709551616"`)
	add("trailing-comma", `"vouch": 1,`, `"vouch": 1,,`)
	add("comment", `"vouch": 1,`, `"vouch": 1, // one`)
	add("other-log", `"log": "0x`, `"log": "0x0`)
	add("bad-escape", `Friday`, `\x46riday`)
	add("upper-escape", `Friday`, `\u004Griday`)
	add("upper-hex-escape", `Friday`, `Friday\u00E9`)
	add("lone-surrogate", `Friday`, `\ud83dFriday`)
	add("swapped-surrogates", `Friday`, `\udc4d\ud83d`)
	add("control", `Friday`, "Fri\x01day")
	add("raw-newline", `Friday`, "Fri\nday")
	add("bad-utf8", `Friday`, "Fri\xffday")
	add("surrogate-utf8", `Friday`, "Fri\xed\xa0\x80day")
	add("base64-space", `"evidence": "`, `"evidence": " `)
	add("base64-newline", `"header": "`, `"header": "\n`)
	add("bad-kind", `"kind": "text/plain"`, `"kind": "Text/Plain"`)
	add("bad-room", `"room": "arb/governance"`, `"room": "arb governance"`)
	add("upper-wallet", `"author": "0x`, `"author": "0X`)
	add("block-for-eip712", `"scheme": "eip712",`, `"scheme": "eip712", "block": {"number": "1", "hash": "0x`+strings.Repeat("00", 32)+`"},`)
	add("message-without-authorship", `"authorship": {`, `"authorship": null, "x": {`)
	add("first-overflow", `"first": "5"`, `"first": "18446744073709551609"`) // and size 7 make 2^64
	add("first-largest", `"first": "5"`, `"first": "18446744073709551615"`)
	add("number-over-32-bits", `"number": "2"`, `"number": "4294967296"`)
	add("size-over-32-bits", `"size": "7"`, `"size": "4294967296"`)
	add("empty-size", `"size": "7"`, `"size": "0"`)
	return append(files, malformedWhole()...)
}

// malformedWhole are files that break what holds of a file as a whole.
func malformedWhole() []malformedFile {
	var files []malformedFile
	file := func(name string, f func([]byte) []byte) {
		files = append(files, malformedFile{name, func(t *testing.T, w *world) []byte { return f(finalized(0)(t, w)) }})
	}
	file("empty", func([]byte) []byte { return nil })
	file("array", func(b []byte) []byte { return append(append([]byte("["), b...), ']') })
	file("leading-space", func(b []byte) []byte { return append([]byte(" "), b...) })
	file("trailing-space", func(b []byte) []byte { return append(b, ' ') })
	file("trailing-brace", func(b []byte) []byte { return append(b, '}') })
	file("two-newlines", func(b []byte) []byte { return append(b, '\n') })
	file("byte-order-mark", func(b []byte) []byte { return append([]byte("\ufeff"), b...) })
	file("cut", func(b []byte) []byte { return b[:len(b)/2] })
	file("deep-hints", func(b []byte) []byte { // the file and hints are two of 33
		deep := strings.Repeat("[", 31) + strings.Repeat("]", 31)
		return bytes.Replace(b, []byte(`"anything"`), []byte(deep), 1)
	})
	return files
}
