package proofs_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hansard-dao/hansard/proofs"
)

// sealed is a batch as it stands on IPFS.
type sealed struct {
	manifest *proofs.Manifest
	records  []proofs.Record
	chunks   [][]byte
}

// seal puts the world's batch into chunks and a manifest; erased says which payloads are gone.
func (w *world) seal(t *testing.T, number uint64, prev *proofs.Hash, erased ...int) sealed {
	t.Helper()
	root, err := proofs.Root(w.tree)
	if err != nil {
		t.Fatal(err)
	}
	s := sealed{manifest: &proofs.Manifest{
		Log: w.chain.Log, Root: root, Number: number, First: w.accepted[0].Entry.Index, Size: uint64(len(w.accepted)), Prev: prev,
		OpenedAt: 1_795_254_631_000, SealedAt: 1_795_254_699_999, NotBefore: proofs.Hash{0xb1},
	}}
	var chunker proofs.Chunker
	keep := func(chunk []byte) {
		if chunk != nil {
			s.chunks = append(s.chunks, chunk)
			s.manifest.Chunks = append(s.manifest.Chunks, proofs.BlockDigest(chunk))
		}
	}
	var entries []proofs.Entry
	for i, a := range w.accepted {
		rec := a.Record
		if slices.Contains(erased, i) {
			rec.Message, rec.Evidence.Bytes = nil, nil
		}
		s.records, entries = append(s.records, rec), append(entries, rec.Entry)
		keep(chunker.Add(proofs.AppendRecord(nil, &rec)))
	}
	keep(chunker.Rest())
	s.manifest.Heads = proofs.RoomHeads(entries, w.tree)
	return s
}

// check reads back what the manifest and the chunks hold, and returns the vector.
func (s sealed) check(t *testing.T) dict {
	t.Helper()
	block := s.manifest.Format()
	m, err := proofs.ParseManifest(block)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.manifest, m, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("manifest (want, got):\n%s", d)
	}
	var records []proofs.Record
	for _, c := range s.chunks {
		some, err := proofs.ParseChunk(c)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, some...)
	}
	if d := cmp.Diff(s.records, records, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("records (want, got):\n%s", d)
	}
	roomRoot, err := proofs.RoomRoot(m.Heads)
	if err != nil {
		t.Fatal(err)
	}
	v := dict{"chain": chainDict(goldenChain), "chunks": s.chunks, "manifest": block, "cid": proofs.FormatCID(proofs.BlockDigest(block)),
		"root": m.Root, "roomRoot": roomRoot, "number": str(m.Number), "first": str(m.First), "size": str(m.Size), "prev": nil}
	if m.Prev != nil {
		v["prev"] = proofs.FormatCID(*m.Prev)
	}
	return v
}

func TestGoldenManifest(t *testing.T) {
	w := &world{chain: goldenChain, operator: testKey("operator")}
	messages := goldenMessages()
	w.accept(t, 0, messages[:2])
	first := w.seal(t, 0, nil)
	prev := proofs.BlockDigest(first.manifest.Format())

	long := slices.Clone(messages)
	for i := range long {
		long[i].Salt = wordHash(3000 + i)
		if i != 1 && i < 6 {
			long[i].Body = long[i].Body + strings.Repeat("\nhear, hear: \u2764\ufe0f", (proofs.MaxBody-200)/19)
		}
	}
	w.accept(t, 2, long)
	second := w.seal(t, 1, &prev, 6)
	if len(second.chunks) < 2 {
		t.Fatalf("%d chunks of the long batch", len(second.chunks))
	}
	golden(t, "vectors/manifest.json", dict{"cases": []dict{first.check(t), second.check(t)},
		"bad": badManifests(t), "badChunks": badChunks(t)})
}

func badManifests(t *testing.T) []dict {
	pairs := manifestPairs(t)
	if _, err := proofs.ParseManifest(cborMap(pairs)); err != nil {
		t.Fatal(err)
	}
	var bad []dict
	add := func(why string, b []byte) {
		t.Helper()
		if _, err := proofs.ParseManifest(b); err == nil {
			t.Errorf("accepted: %s", why)
		}
		bad = append(bad, dict{"why": why, "manifest": b})
	}
	badForms(pairs, add)
	badFields(pairs, add)
	badRooms(t, pairs, add)
	slices.SortFunc(bad, func(a, b dict) int { return strings.Compare(a["why"].(string), b["why"].(string)) })
	return bad
}

// badForms adds encodings of the manifest's values that are not the one, and maps of other keys.
func badForms(pairs []pair, add func(string, []byte)) {
	good := cborMap(pairs)
	add("empty", nil)
	add("cut", good[:len(good)-1])
	add("a byte more", append(slices.Clone(good), 0))
	add("twice", append(slices.Clone(good), good...))
	add("in a list", cborArray(good))
	add("v 2", cborMap(with(pairs, "v", cborInt(2))))
	add("key missing", cborMap(pairs[:len(pairs)-1]))
	add("key repeated", cborMap(append(slices.Clone(pairs), pairs[0])))
	add("key unknown", cborMap(append(slices.Clone(pairs), pair{"zzzzzzzzz", cborInt(0)})))
	add("keys out of order", cborMap(swapped(pairs, 0, 1)))
	add("keys by bytes alone", cborMap(sortedByBytes(pairs)))
	add("integer of one byte too many", cborMap(with(pairs, "size", cborHeadOf(0, 1, 6))))
	add("integer of eight bytes", cborMap(with(pairs, "number", cborHeadOf(0, 8, 5))))
	add("negative integer", cborMap(with(pairs, "number", []byte{0x20})))
	add("float", cborMap(with(pairs, "number", []byte{0xfb, 0x40, 0x14, 0, 0, 0, 0, 0, 0})))
	add("integer as text", cborMap(with(pairs, "number", cborText("5"))))
	add("length of one byte too many", cborMap(with(pairs, "log", append(cborHeadOf(2, 2, 32), zero32...))))
	add("bytes of no stated length", cborMap(with(pairs, "log", slices.Concat([]byte{0x5f}, cborBytes(zero32), []byte{0xff}))))
	add("list of no stated length", cborMap(with(pairs, "chunks", slices.Concat([]byte{0x9f}, cborLink(linkPrefix, proofs.Hash{9}), []byte{0xff}))))
	add("map of no stated length", slices.Concat([]byte{0xbf}, good[1:], []byte{0xff}))
}

// badFields adds manifests with one field of another type, length or meaning.
func badFields(pairs []pair, add func(string, []byte)) {
	add("log of 31 bytes", cborMap(with(pairs, "log", cborBytes(zero32[1:]))))
	add("log of 33 bytes", cborMap(with(pairs, "log", cborBytes(append([]byte{0}, zero32...)))))
	add("log as text", cborMap(with(pairs, "log", cborText(strings.Repeat("a", 32)))))
	add("log null", cborMap(with(pairs, "log", []byte{0xf6})))
	add("prev undefined", cborMap(with(pairs, "prev", []byte{0xf7})))
	add("prev as bytes", cborMap(with(pairs, "prev", cborBytes(zero32))))
	for name, prefix := range map[string]string{"raw": "\x00\x01\x55\x12\x20", "SHA-512": "\x00\x01\x71\x13\x20", "version 2": "\x00\x02\x71\x12\x20",
		"no multibase": "\x01\x71\x12\x20", "base32": "b\x01\x71\x12\x20"} {
		add("link, "+name, cborMap(with(pairs, "prev", cborLink(prefix, proofs.Hash{9}))))
	}
	add("link of another tag", cborMap(with(pairs, "prev", append(cborHead(6, 43), cborLink(linkPrefix, proofs.Hash{9})[2:]...))))
	add("chunk null", cborMap(with(pairs, "chunks", cborArray([]byte{0xf6}))))
	add("more chunks than bytes", cborMap(with(pairs, "chunks", cborHead(4, math.MaxUint64))))
}

// badRooms adds manifests whose room index does not hold.
func badRooms(t *testing.T, pairs []pair, add func(string, []byte)) {
	t.Helper()
	root := headLeaf(1)
	one, two := cborMap(headPairs(1)), cborMap(headPairs(2))
	rooms := func(root proofs.Hash, heads ...[]byte) []byte {
		return cborMap(with(pairs, "rooms", cborMap([]pair{{"root", cborBytes(root[:])}, {"heads", cborArray(heads...)}})))
	}
	if _, err := proofs.ParseManifest(rooms(root, one)); err != nil {
		t.Fatal(err)
	}
	add("rooms of another root", rooms(wordHash(1), one))
	add("rooms unsorted", rooms(climbTo(headLeaf(2), 0, []proofs.Hash{headLeaf(1)}), two, one))
	add("room twice", rooms(climbTo(headLeaf(1), 0, []proofs.Hash{headLeaf(1)}), one, one))
	add("no rooms", rooms(proofs.Hash{}))
	add("room head of 3 keys", rooms(root, cborMap(headPairs(1)[:3])))
}

// headLeaf is the leaf of headPairs(room) in a room index.
func headLeaf(room byte) proofs.Hash {
	return proofs.HashLeaf(proofs.RoomHead{Room: proofs.Hash{room}, First: 24, Count: 3}.LeafData())
}

func sortedByBytes(pairs []pair) []pair {
	pairs = slices.Clone(pairs)
	slices.SortFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return pairs
}

func badChunks(t *testing.T) []dict {
	pairs, message := recordPairs(), messagePairs()
	good := cborArray(cborMap(pairs))
	if _, err := proofs.ParseChunk(good); err != nil {
		t.Fatal(err)
	}
	var bad []dict
	add := func(why string, b []byte) {
		t.Helper()
		if _, err := proofs.ParseChunk(b); err == nil {
			t.Errorf("accepted: %s", why)
		}
		bad = append(bad, dict{"why": why, "chunk": b})
	}
	record := func(why, key string, value []byte) {
		t.Helper()
		add(why, cborArray(cborMap(pairs), cborMap(with(pairs, key, value))))
	}
	words := func(why, key string, value []byte) {
		t.Helper()
		record(why, "message", cborMap(with(message, key, value)))
	}
	add("empty", nil)
	add("cut", good[:len(good)-1])
	add("a byte more", append(slices.Clone(good), 0))
	add("a record alone", cborMap(pairs))
	add("fewer records than said", append(cborHead(4, 2), cborMap(pairs)...))
	add("more records than said", append(cborHead(4, 1), bytes.Repeat(cborMap(pairs), 2)...))
	add("more records than bytes", cborHead(4, math.MaxUint64))
	add("length of one byte too many", append(cborHeadOf(4, 1, 1), cborMap(pairs)...))
	add("no stated length", slices.Concat([]byte{0x9f}, cborMap(pairs), []byte{0xff}))
	add("null record", cborArray([]byte{0xf6}))
	add("keys out of order", cborArray(cborMap(swapped(pairs, 0, 1))))
	add("key missing", cborArray(cborMap(pairs[:3])))
	record("message null, evidence not", "message", []byte{0xf6})
	record("evidence null, message not", "evidence", []byte{0xf6})
	record("evidence as text", "evidence", cborText(""))
	record("scheme null", "scheme", []byte{0xf6})
	record("scheme as bytes", "scheme", cborBytes([]byte("none")))
	leaf := (&proofs.Entry{Index: 7, Vouch: proofs.VouchNobody}).LeafData()
	record("leaf of 351 bytes", "leaf", cborBytes(leaf[:351]))
	record("leaf of another type", "leaf", cborBytes(append([]byte{leaf[0] ^ 1}, leaf[1:]...)))
	record("message of 12 keys", "message", cborMap(message[:12]))
	record("message keys out of order", "message", cborMap(swapped(message, 3, 4)))
	words("body of bad UTF-8", "body", append(cborHead(3, 1), 0xff))
	words("body with half a surrogate pair", "body", append(cborHead(3, 3), 0xed, 0xa0, 0x80))
	words("body as bytes", "body", cborBytes([]byte("words")))
	words("sentAt of eight bytes", "sentAt", cborHeadOf(0, 8, 23))
	words("sentAt negative", "sentAt", []byte{0x20})
	words("salt of 31 bytes", "salt", cborBytes(zero32[1:]))
	words("seen null", "seen", []byte{0xf6})
	words("attachments null", "attachments", []byte{0xf6})
	words("attachment as link", "attachments", cborArray(cborLink(linkPrefix, proofs.Hash{9})))
	return bad
}

// textFile is a JSON file of the vectors. The star in the text stands for times copies of item, joined
// by commas; without an item it is a star.
type textFile struct {
	Why   string `json:"why,omitempty"`
	Text  string `json:"text"`
	Item  string `json:"item,omitempty"`
	Times int    `json:"times,omitempty"`
}

func (f textFile) bytes() []byte {
	if f.Item == "" {
		return []byte(f.Text)
	}
	items := strings.Join(slices.Repeat([]string{f.Item}, f.Times), ",")
	return []byte(strings.Replace(f.Text, "*", items, 1))
}

const trustKey = `"0x00000000000000000000000000000000000000aa"`

func trustLogText(name, keys string) string {
	return fmt.Sprintf(`{"name":"%s","chainId":"1","anchorLog":"0x%040x","promiseBond":"0x%040x","log":"0x%064x","promiseKeys":[%s]}`,
		name, 1, 2, 3, keys)
}

func trustText(logs string) string { return `{"format":"hansard-trust/1","logs":[` + logs + `]}` }

// paddedTrust is a trust file of total bytes: 1,023 of the same log and a last one that fills it up.
func paddedTrust(total int) textFile {
	f := textFile{Text: trustText("*," + trustLogText("", trustKey)), Item: trustLogText(strings.Repeat("n", 740), ""), Times: 1023}
	f.Text = trustText("*," + trustLogText(strings.Repeat("x", total-len(f.bytes())), trustKey))
	return f
}

func TestGoldenTrust(t *testing.T) {
	const key = trustKey
	file, log := trustText, trustLogText
	good := file(log("demo", key))
	cases := []struct {
		textFile
		Logs int `json:"logs"`
		Keys int `json:"keys"` // of the last log
	}{
		{textFile{Text: good}, 1, 1},
		{textFile{Text: good + "\n"}, 1, 1},
		{textFile{Text: strings.NewReplacer(`,`, " ,\r\n\t", `:`, " : ").Replace(good)}, 1, 1},
		{textFile{Text: file("")}, 0, 0},
		{textFile{Text: file(log("demo", ""))}, 1, 0},
		{textFile{Text: file(log(`\ud83d\ude00 \"\u0000`, key) + "," + log("demo", key+","+key))}, 2, 2},
		{textFile{Text: file("*"), Item: log("", key), Times: 1024}, 1024, 1},
		{textFile{Text: file(log("", "*")), Item: key, Times: 1024}, 1, 1024},
		{paddedTrust(1 << 20), 1024, 1},
	}
	for i, c := range cases {
		trust, err := proofs.ParseTrust(c.bytes())
		if err != nil {
			t.Fatalf("trust file %d: %v", i, err)
		}
		if len(trust.Logs) != c.Logs || c.Logs > 0 && len(trust.Logs[c.Logs-1].PromiseKeys) != c.Keys {
			t.Errorf("trust file %d: %d logs", i, len(trust.Logs))
		}
		again, err := proofs.ParseTrust(trust.Format())
		if d := cmp.Diff(trust, again); err == nil && d != "" {
			t.Errorf("trust file %d comes back as\n%s", i, d)
		}
	}
	bad := badTrust(t)
	for _, f := range bad {
		if _, err := proofs.ParseTrust(f.bytes()); err == nil {
			t.Errorf("accepted: %s", f.Why)
		}
	}
	golden(t, "vectors/trust.json", dict{"cases": cases, "bad": bad})
}

func badTrust(t *testing.T) []textFile {
	t.Helper()
	const key = trustKey
	file, log := trustText, trustLogText
	good := file(log("demo", key))
	bad := []textFile{
		{Why: "1025 logs", Text: file("*"), Item: log("", key), Times: 1025},
		{Why: "1025 keys", Text: file(log("", "*")), Item: key, Times: 1025},
		paddedTrust(1<<20 + 1),
	}
	bad[2].Why = "a byte over 1 MiB"
	for _, c := range [][2]string{
		{`trust/1`, `trust/2`}, {`trust/1`, `receipt/1`}, {`"logs"`, `"Logs"`}, {`{"format"`, `{"extra":1,"format"`},
		{`"name":"demo",`, ``}, {`"name":"demo"`, `"name":null`}, {`"name":"demo"`, `"name":"demo","name":"demo"`}, {`"name"`, `"note":"","name"`},
		{`"chainId":"1"`, `"chainId":1`}, {`"chainId":"1"`, `"chainId":"01"`}, {`"chainId":"1"`, `"chainId":"18446744073709551616"`},
		{`"chainId":"1"`, `"chainId":"0x1"`}, {`"anchorLog":"0x`, `"anchorLog":"0x0`}, {`"anchorLog":"0x`, `"anchorLog":"`},
		{`"promiseBond":"0x00`, `"promiseBond":"0x`}, {`"log":"0x0`, `"log":"0xA`}, {`00aa"`, `00AA"`}, {`00aa"`, `00a"`}, {key, `null`}, {key, key + `,`},
		{`[` + key + `]`, key}, {`[` + key + `]`, `null`}, {`"logs":[`, `"logs":[null,`}, {`"logs":[`, `"logs":[[],`}, {`{"format"`, `[{"format"`}, {`{"format"`, ` {"format"`},
		{`]}]}`, `]}]}` + "\n\n"}, {`]}]}`, `]}]} `}, {`]}]}`, `]}]}{}`}, {`]}]}`, `]}]`}, {`demo`, "de\tmo"}, {`demo`, `\ud83d`}, {`demo`, `\u00E9`},
	} {
		bad = append(bad, textFile{Why: c[0] + " is " + c[1], Text: string(change(t, []byte(good), c[0], c[1]))})
	}
	bad = append(bad, textFile{Why: "empty"}, textFile{Why: "no logs", Text: `{"format":"hansard-trust/1"}`})
	return bad
}

func TestGoldenSubmissions(t *testing.T) {
	w := newWorld(t)
	var cases []dict
	for i, a := range w.accepted {
		want := &proofs.Submission{Message: *a.Message, Evidence: a.Evidence}
		if i%2 == 0 {
			want.Domain = &proofs.SignedIn{ChainID: w.chain.ChainID, VerifyingContract: w.chain.AnchorLog}
		}
		file := want.Format()
		got, err := proofs.ParseSubmission(file)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("submission %d (want, got):\n%s", i, d)
		}
		cases = append(cases, dict{"text": string(file), "id": a.Entry.Message, "scheme": a.Evidence.Scheme,
			"evidence": base64.StdEncoding.EncodeToString(a.Evidence.Bytes), "domain": want.Domain != nil})
	}
	golden(t, "vectors/submissions.json", dict{"cases": cases, "bad": badSubmissions(t, w)})
}

func badSubmissions(t *testing.T, w *world) []dict {
	t.Helper()
	good := (&proofs.Submission{Message: *w.accepted[0].Message, Evidence: w.accepted[0].Evidence,
		Domain: &proofs.SignedIn{ChainID: 1337, VerifyingContract: w.chain.AnchorLog}}).Format()
	var bad []dict
	refuse := func(why string, file []byte) {
		t.Helper()
		if _, err := proofs.ParseSubmission(file); err == nil {
			t.Errorf("accepted: %s", why)
		}
		bad = append(bad, dict{"why": why, "text": string(file)})
	}
	refuse("empty", nil)
	refuse("cut", good[:len(good)/2])
	refuse("two line feeds", append(slices.Clone(good), '\n'))
	for _, c := range [][2]string{
		{`"message"`, `"Message"`}, {`{`, ` {`}, {`{`, `{"extra": 1,`}, {`"domain": {`, `"domain": null, "x": {`}, {`"domain": {`, `"domain": {"name": "Hansard",`},
		{`"chainId": "1337"`, `"chainId": 1337`}, {`"chainId": "1337"`, `"chainId": "18446744073709551616"`}, {`"verifyingContract": "0x`, `"verifyingContract": "0x0`},
		{`"verifyingContract"`, `"anchorLog"`}, {`"authorship": {`, `"authorship": null, "x": {`}, {`"message": {`, `"message": null, "x": {`},
		{`"scheme": "eip712"`, `"scheme": "EIP712"`}, {`"scheme": "eip712"`, `"scheme": ""`}, {`"scheme": "eip712"`, `"scheme": "` + strings.Repeat("s", 65) + `"`},
		{`"scheme": "eip712"`, `"scheme": "eip712", "scheme": "eip712"`}, {`"scheme": "eip712"`, `"scheme": "eip712", "block": null`},
		{`"evidence": "`, `"evidence": "=`}, {`"evidence": "`, `"evidence": "-`}, {`"evidence": "`, `"evidence": " `}, {`"evidence": "`, `"evidence": "` + base64.StdEncoding.EncodeToString(make([]byte, 65_535))},
		{`"sentAt": "1`, `"sentAt": "01`}, {`"sentAt": "1795254630000"`, `"sentAt": 1795254630000`}, {`"salt": "0x`, `"salt": "0X`}, {`"salt": "`, `"pepper": "`},
		{`"attachments": []`, `"attachments": null`}, {`"attachments": []`, `"attachments": [` + strings.TrimSuffix(strings.Repeat(`"",`, 65), ",") + `]`},
		{`Friday`, `\u00E9`}, {`Friday`, `\ud83d`}, {`Friday`, "\t"},
	} {
		why := c[0] + " is " + c[1]
		refuse(why[:min(len(why), 80)], change(t, good, c[0], c[1]))
	}
	return bad
}
