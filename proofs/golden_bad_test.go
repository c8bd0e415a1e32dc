package proofs_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// What every verifier must refuse: the "bad" lists of the golden vectors.

// climbTo hashes from node up the siblings, whatever their number.
func climbTo(node proofs.Hash, position uint64, siblings []proofs.Hash) proofs.Hash {
	for _, sibling := range siblings {
		if position%2 == 0 {
			node = proofs.HashNode(node, sibling)
		} else {
			node = proofs.HashNode(sibling, node)
		}
		position /= 2
	}
	return node
}

// inclusions gathers inclusion proofs and holds VerifyInclusion to them.
type inclusions struct {
	t    *testing.T
	want error
	list []dict
}

func (l *inclusions) add(why string, leaf proofs.Hash, position, size uint64, root proofs.Hash, proof []proofs.Hash) {
	l.t.Helper()
	if err := proofs.VerifyInclusion(proof, leaf, position, size, root); !errors.Is(err, l.want) {
		l.t.Errorf("%s, position %d of %d: got %v, want %v", why, position, size, err, l.want)
	}
	l.list = append(l.list, dict{"why": why, "leaf": leaf, "position": str(position), "size": str(size), "root": root,
		"proof": append([]proofs.Hash{}, proof...)})
}

// siblings returns n made-up ones.
func siblings(n int) []proofs.Hash {
	s := make([]proofs.Hash, n)
	for i := range s {
		s[i] = wordHash(500 + i)
	}
	return s
}

// largeInclusions are proofs in trees up to the largest, whose siblings are made up.
func largeInclusions(t *testing.T) []dict {
	l := inclusions{t: t}
	leaf := wordHash(499)
	for _, c := range []struct {
		position, size uint64
		height         int
	}{{0, 1<<32 - 1, 32}, {1<<32 - 2, 1<<32 - 1, 32}, {1 << 31, 1<<31 + 1, 32}, {1<<31 - 1, 1 << 31, 31}, {0x5aa5_a55a, 0x8000_0001, 32}} {
		path := siblings(c.height)
		l.add("", leaf, c.position, c.size, climbTo(leaf, c.position, path), path)
	}
	return l.list
}

func badInclusions(t *testing.T) []dict {
	l := &inclusions{t: t, want: proofs.ErrProof}
	for _, size := range []int{1, 2, 3, 4, 5, 8, 9, 33} {
		leaves, root := treeOf(t, size)
		for _, i := range slices.Compact([]int{0, size / 2, size - 1}) {
			l.others(leaves, i, root)
			l.lengths(leaves, i, root)
		}
		for i := size; i < 1<<len(naiveProof(leaves, 0)); i++ {
			l.add("a padding leaf", proofs.Hash{}, uint64(i), uint64(size), root, naiveProof(leaves, i))
		}
	}
	l.add("an empty tree", proofs.Hash{}, 0, 0, proofs.Hash{}, nil)
	l.add("an empty tree, leaf as root", wordHash(499), 0, 0, wordHash(499), nil)
	path := siblings(33)
	for _, height := range []int{32, 33} {
		l.add("a tree over 2^32-1 leaves", wordHash(499), 0, 1<<(height-1)+1<<31, climbTo(wordHash(499), 0, path[:height]), path[:height])
	}
	return l.list
}

// others adds the proof of leaf i with another position, size, leaf, root or side.
func (l *inclusions) others(leaves []proofs.Hash, i int, root proofs.Hash) {
	leaf, at, size, proof := leaves[i], uint64(i), uint64(len(leaves)), naiveProof(leaves, i)
	height := len(proof)
	l.add("position is size", leaf, size, size, root, proof)
	l.add("position beyond the row with the same sides", leaf, at+1<<height, size, root, proof)
	l.add("the same sides in 64 bits", leaf, at|(1<<64-1)<<height, size, root, proof)
	l.add("other leaf", wordHash(3), at, size, root, proof)
	l.add("other root", leaf, at, size, wordHash(4), proof)
	l.add("size of a higher tree", leaf, at, 1<<height+1, root, proof)
	if height > 0 {
		l.add("other position", leaf, at^1, size, root, proof)
		l.add("size of a lower tree", leaf, at, 1<<(height-1), root, proof)
		if at == size-1 && proofs.TreeHeight(size-1) == height {
			l.add("smaller size of the same height", leaf, at, size-1, root, proof)
		}
		changed := slices.Clone(proof)
		changed[height-1][31] ^= 1
		l.add("other sibling", leaf, at, size, root, changed)
	}
	if height > 1 && proof[0] != proof[height-1] {
		swapped := slices.Clone(proof)
		slices.Reverse(swapped)
		l.add("siblings from the root down", leaf, at, size, root, swapped)
	}
}

// lengths adds the proof of leaf i too long and too short, also under the root that it then gives.
func (l *inclusions) lengths(leaves []proofs.Hash, i int, root proofs.Hash) {
	leaf, at, size, proof := leaves[i], uint64(i), uint64(len(leaves)), naiveProof(leaves, i)
	longer := append(slices.Clone(proof), wordHash(5))
	l.add("one sibling more", leaf, at, size, root, longer)
	l.add("one sibling more and its root", leaf, at, size, climbTo(leaf, at, longer), longer)
	if len(proof) == 0 {
		return
	}
	shorter := proof[:len(proof)-1]
	l.add("one sibling less", leaf, at, size, root, shorter)
	l.add("one sibling less and its root", leaf, at, size, climbTo(leaf, at, shorter), shorter)
	l.add("inner node as leaf", climbTo(leaf, at, proof[:1]), at/2, size, root, proof[1:])
}

// rangeProofs gathers paths that VerifyRange must refuse.
type rangeProofs struct {
	t    *testing.T
	list []dict
}

func (l *rangeProofs) add(why string, hash proofs.Hash, number uint64, r proofs.Range, path []proofs.Hash) {
	l.t.Helper()
	if err := proofs.VerifyRange(path, hash, number, r); !errors.Is(err, proofs.ErrProof) {
		l.t.Errorf("%s, batch %d of %d: got %v, want %v", why, number, r.Count, err, proofs.ErrProof)
	}
	l.list = append(l.list, dict{"why": why, "hash": hash, "number": str(number), "count": str(r.Count), "peaks": shownPeaks(r),
		"path": append([]proofs.Hash{}, path...)})
}

func badRanges(t *testing.T, hashes []proofs.Hash, ranges []proofs.Range) []dict {
	l := &rangeProofs{t: t}
	l.add("an empty range", hashes[0], 0, ranges[0], nil)
	for _, count := range []int{1, 2, 3, 5, 8, 11, 32, 33} {
		r := ranges[count]
		for _, i := range slices.Compact([]int{0, count / 2, count - 1}) {
			at, path := uint64(i), proofs.ProveRange(hashes[:count], uint64(i))
			l.add("number is count", hashes[i], uint64(count), r, path)
			l.add("the largest number", hashes[i], 1<<64-1, r, path)
			l.add("other batch", hashes[(i+1)%33], at, r, path)
			l.add("one sibling more", hashes[i], at, r, append(slices.Clone(path), wordHash(5)))
			if count < 33 {
				if other := proofs.ProveRange(hashes[:count+1], at); !slices.Equal(other, path) {
					l.add("path of a later count", hashes[i], at, r, other)
				}
				l.add("batch of a later count", hashes[count], uint64(count), r, proofs.ProveRange(hashes[:count+1], uint64(count)))
			}
			if i < count-1 {
				if other := proofs.ProveRange(hashes[:count-1], at); !slices.Equal(other, path) {
					l.add("path of an earlier count", hashes[i], at, r, other)
				}
			}
			if len(path) > 0 {
				l.add("other number", hashes[i], at^1, r, path)
				l.add("one sibling less", hashes[i], at, r, path[1:])
				peak := at >> len(path) << len(path)
				l.add("inner node as batch", climbTo(hashes[i], at, path[:1]), peak+(at-peak)/2, r, path[1:])
				changed := slices.Clone(path)
				changed[0][0] ^= 1
				l.add("other sibling", hashes[i], at, r, changed)
			}
		}
	}
	return l.list
}

func cidOf(raw ...byte) string {
	return "b" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

var digest75 = make([]byte, 75)

// longestCID has 128 bytes, and a codec of nine.
var longestCID = cidOf(append([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x12, 67}, digest75[:67]...)...)

// limitMessages are as long, or as short, as sections 1 and 2 let them be.
func limitMessages() []proofs.Message {
	base := proofs.Message{Log: goldenChain.Log, Room: "a", Author: "a:b", Kind: "a/b", Source: "a:", Salt: wordHash(2000)}
	longest := base
	longest.Room = proofs.Room(strings.Repeat("abcdefghijklmnopqrstuvwxyz0./_-9", 4))
	longest.Author = proofs.Author("zoom:" + strings.Repeat("\u00e9", 125) + "!")
	longest.Kind = "9!#$&^_.+-/" + strings.Repeat("z", 117)
	longest.Body = strings.Repeat("\u20ac", 65_536/3) + "."
	longest.Source = "a+.-:" + strings.Repeat(" ", 2043)
	longest.Attachments = slices.Repeat([]string{longestCID}, 64)
	longest.SentAt = 1<<64 - 1
	shortCID := base
	shortCID.Attachments = []string{cidOf(1, 0x55, 0, 0)}
	return []proofs.Message{base, longest, shortCID}
}

// badMessageText is what to replace in a message's JSON, and by what.
var badMessageText = [][2]string{
	{`"sentAt":"1795254630000"`, `"sentAt":"18446744073709551616"`}, {`"sentAt":"1795254630000"`, `"sentAt":1795254630000`},
	{`"sentAt":"1795254630000"`, `"sentAt":"01"`}, {`"sentAt":"1795254630000"`, `"sentAt":"-1"`}, {`"sentAt":"1795254630000"`, `"sentAt":""`},
	{`"source":""`, `"source":null`}, {`"source":""`, `"other":""`}, {`"source":""`, `"source":"","other":""`},
	{`"attachments":[]`, `"attachments":""`}, {`"attachments":[]`, `"attachments":[1]`},
	{`"replyTo":"0x`, `"replyTo":"0x0`}, {`"seen":"0x`, `"seen":"`}, {`"salt":"0x`, `"salt":"0X`},
}

func badMessages(t *testing.T) []dict {
	var bad []dict
	base := goldenMessages()[1]
	refuse := func(why string, raw []byte) {
		t.Helper()
		var m proofs.Message
		err := json.Unmarshal(raw, &m)
		if err == nil {
			err = m.Check()
		}
		if err == nil {
			t.Errorf("accepted: %s", why)
		}
		bad = append(bad, dict{"why": why, "message": json.RawMessage(raw)})
	}
	edit := func(why string, f func(*proofs.Message)) {
		t.Helper()
		m := base
		f(&m)
		raw, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		refuse(why, raw)
	}
	for _, s := range []string{"", strings.Repeat("a", 129), "a b", "A", "a\n", "\u00e9", "a:b", "a\x00"} {
		edit("room", func(m *proofs.Message) { m.Room = proofs.Room(s) })
	}
	wallet := string(base.Author)
	for _, s := range []string{"", "a:" + strings.Repeat("b", 255), "a:" + strings.Repeat("\u00e9", 127) + "b", "a:", ":b", "ab", "A:b", "1:b", "a b:c", "\u00e9:b",
		wallet[:41], wallet + "0", strings.ToUpper(wallet), "0x" + strings.ToUpper(wallet[2:]), wallet[2:], "0x:a", wallet + "\n"} {
		edit("author", func(m *proofs.Message) { m.Author = proofs.Author(s) })
	}
	for _, s := range []string{"", "a/" + strings.Repeat("b", 127), "text", "text/", "/plain", "text/plain/x", "Text/plain", "text/plain;charset=utf-8", "text/pl ain",
		"-a/b", "a/-b", "text/plain\n", "Edit", "edit2", "governance", "\u00e9/a"} {
		edit("kind", func(m *proofs.Message) { m.Kind = s })
	}
	edit("body over by one", func(m *proofs.Message) { m.Body = strings.Repeat("x", 65_537) })
	edit("body over by one byte, not by one rune", func(m *proofs.Message) { m.Body = strings.Repeat("\U0001F44D", 16_384) + "x" })
	for _, s := range []string{"a:" + strings.Repeat("b", 2047), "a", ":", "A:b", "1a:b", " a:b", "//example", "\u00e9:b"} {
		edit("source", func(m *proofs.Message) { m.Source = s })
	}
	for _, s := range badCIDs() {
		edit("attachment", func(m *proofs.Message) { m.Attachments = []string{cidOf(1, 0x55, 0, 0), s} })
	}
	edit("65 attachments", func(m *proofs.Message) { m.Attachments = slices.Repeat([]string{cidOf(1, 0x55, 0, 0)}, 65) })
	good, err := json.Marshal(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range badMessageText {
		refuse("field "+c[1], change(t, good, c[0], c[1]))
	}
	return bad
}

func badCIDs() []string {
	good := cidOf(append([]byte{1, 0x71, 0x12, 32}, digest75[:32]...)...)
	return []string{
		"", "b", good[1:], strings.ToUpper(good), "B" + good[1:], good + "=", good + "a", good[:len(good)-1] + "b", good[:len(good)-1], "z" + good[1:], good + "\n",
		"QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG",
		cidOf(append([]byte{1, 0x55, 0x12, 76}, make([]byte, 76)...)...), // 129 bytes
		cidOf(append([]byte{2, 0x71, 0x12, 32}, digest75[:32]...)...),
		cidOf(append([]byte{0x81, 0, 0x71, 0x12, 32}, digest75[:32]...)...),
		cidOf(append([]byte{1, 0xf1, 0, 0x12, 32}, digest75[:32]...)...),
		cidOf(append([]byte{1, 0x71, 0x12, 0xa0, 0}, digest75[:32]...)...),
		cidOf(append([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0x12, 32}, digest75[:32]...)...), // ten bytes
		cidOf(append([]byte{1, 0x71, 0x12, 32}, digest75[:31]...)...),
		cidOf(append([]byte{1, 0x71, 0x12, 32}, digest75[:33]...)...),
		cidOf(1, 0x71, 0x92), cidOf(1, 0x71), cidOf(1),
	}
}

type badSignature struct {
	why string
	s   []byte
}

// badSignatures are made of a good one so that none is plain low-s ECDSA by the same key.
func badSignatures(s proofs.Signature) []badSignature {
	order := crypto.S256().Params().N.FillBytes(make([]byte, 32))
	other := twin(s)
	with := func(at int, b ...byte) []byte {
		c := slices.Clone(s[:])
		copy(c[at:], b)
		return c
	}
	zero := make([]byte, 32)
	return []badSignature{
		{"twin: s over n/2", other[:]}, {"v of the twin", with(64, other[64])}, {"s of the twin", with(32, other[32:64]...)},
		{"v 0 or 1", with(64, s[64]-27)}, {"v 26", with(64, 26)}, {"v 29", with(64, 29)}, {"v of EIP-155", with(64, s[64]+10)}, {"v of a compressed key", with(64, s[64]+4)},
		{"64 bytes", s[:64]}, {"66 bytes", append(slices.Clone(s[:]), 0)}, {"none", []byte{}},
		{"r is 0", with(0, zero...)}, {"s is 0", with(32, zero...)}, {"r is n", with(0, order...)}, {"s is n", with(32, order...)},
	}
}

func badEvidence(t *testing.T, w *world) []dict {
	var bad []dict
	add := func(why string, id proofs.Hash, author proofs.Author, e proofs.Evidence) {
		t.Helper()
		for name, recover := range map[string]proofs.Recoverer{"proofs": proofs.Recover, "identity": identity.Recover} {
			if _, err := proofs.CheckEvidence(id, author, e, recover); err == nil || errors.Is(err, proofs.ErrScheme) {
				t.Errorf("%s, %s by %s: got %v", why, e.Scheme, name, err)
			}
		}
		bad = append(bad, dict{"why": why, "id": id, "author": author, "scheme": e.Scheme, "evidence": base64.StdEncoding.EncodeToString(e.Bytes)})
	}
	for _, i := range []int{0, 3} {
		a, other := w.accepted[i], w.accepted[3-i]
		id, author, scheme := a.Entry.Message, a.Message.Author, a.Evidence.Scheme
		for _, b := range badSignatures(proofs.Signature(a.Evidence.Bytes)) {
			add(b.why, id, author, proofs.Evidence{Scheme: scheme, Bytes: b.s})
		}
		add("scheme of the other digest", id, author, proofs.Evidence{Scheme: other.Evidence.Scheme, Bytes: a.Evidence.Bytes})
		add("other message", other.Entry.Message, author, a.Evidence)
		add("other author", id, other.Message.Author, a.Evidence)
		add("author is no wallet", id, "zoom:"+author, a.Evidence)
	}
	none := w.accepted[4]
	add("evidence of nobody", none.Entry.Message, none.Message.Author, proofs.Evidence{Scheme: proofs.SchemeNone, Bytes: []byte{0}})
	return bad
}

func badLeafData(t *testing.T, w *world) []dict {
	var bad []dict
	good := w.accepted[1].Entry.LeafData()
	add := func(why string, b []byte) {
		t.Helper()
		if _, err := proofs.ParseLeafData(b); err == nil {
			t.Errorf("accepted: %s", why)
		}
		bad = append(bad, dict{"why": why, "leafData": fmt.Sprintf("0x%x", b)})
	}
	with := func(at int, c byte) []byte { b := slices.Clone(good); b[at] = c; return b }
	add("empty", nil)
	add("one byte less", good[:351])
	add("one byte more", append(slices.Clone(good), 0))
	add("one word less", good[:320])
	add("without its type", good[32:])
	add("other type", with(0, good[0]^1))
	for word, name := range map[int]string{2: "index", 4: "roomIndex", 10: "receivedAt"} {
		add(name+" over 64 bits", with(32*word+23, 1))
		add(name+" over 255 bits", with(32*word, 0x80))
	}
	add("vouch over 8 bits", with(32*8+30, 1))
	add("vouch over 64 bits", with(32*8, 1))
	slices.SortFunc(bad, func(a, b dict) int { return strings.Compare(a["why"].(string), b["why"].(string)) })
	return bad
}

func badPromises(t *testing.T, w *world) []dict {
	var bad []dict
	add := func(why string, c proofs.Chain, p proofs.Promise, signature []byte) {
		t.Helper()
		s, err := proofs.ParseSignature(signature)
		if err == nil {
			var signer proofs.Address
			if signer, err = proofs.Recover(c.PromiseDomain().PromiseDigest(&p), s); err == nil && signer == w.operator.Address() {
				t.Errorf("accepted: %s", why)
			}
		}
		bad = append(bad, promiseDict(c, &p, signature, w.operator.Address()))
		bad[len(bad)-1]["why"] = why
	}
	good := *w.receipt(t, 0, proofs.Promised).Promise
	for _, b := range badSignatures(good.Signature) {
		add(b.why, w.chain, good, b.s)
	}
	s := good.Signature[:]
	for why, f := range map[string]func(*proofs.Promise){
		"other index": func(p *proofs.Promise) { p.Index++ }, "other leaf": func(p *proofs.Promise) { p.Leaf[0] ^= 1 },
		"other deadline": func(p *proofs.Promise) { p.Deadline-- }, "other beneficiary": func(p *proofs.Promise) { p.Beneficiary[19] ^= 1 },
	} {
		p := good
		f(&p)
		add(why, w.chain, p, s)
	}
	bond, chainID := w.chain, w.chain
	bond.PromiseBond, chainID.ChainID = bond.AnchorLog, 1
	add("signed for another bond", bond, good, s)
	add("signed for another chain", chainID, good, s)
	slices.SortFunc(bad, func(a, b dict) int { return strings.Compare(a["why"].(string), b["why"].(string)) })
	return bad
}
