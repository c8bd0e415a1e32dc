package proofs_test

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

func TestParseRoom(t *testing.T) {
	for _, s := range []string{"a", "0", "-", "uniswap/governance", "a-z.0_9/", "///", strings.Repeat("r", proofs.MaxRoom)} {
		if r, err := proofs.ParseRoom(s); err != nil || string(r) != s {
			t.Errorf("%q: %q, %v", s, r, err)
		}
	}
	allowed := "abcdefghijklmnopqrstuvwxyz0123456789._/-"
	for c := range 256 {
		s := "a" + string([]byte{byte(c)})
		if _, err := proofs.ParseRoom(s); (err == nil) != (strings.IndexByte(allowed, byte(c)) >= 0) {
			t.Errorf("byte %#x: %v", c, err)
		}
	}
	for _, s := range []string{"", "A", "caf\u00e9", "\u0430", strings.Repeat("r", proofs.MaxRoom+1)} {
		if r, err := proofs.ParseRoom(s); err == nil || r != "" {
			t.Errorf("%q is a room", s)
		}
	}
}

func TestParseAuthor(t *testing.T) {
	wallet := "0x70997970c51812dc3a010c7d01b50e0d17dc79c8"
	valid := []string{
		wallet, "0x0000000000000000000000000000000000000000", "did:plc:ewvi7nxzyoun6zhxrhs64oiz", "farcaster:3", "zoom:Dan | Treasury \U0001F525",
		"a:b", "a::", "a: ", "a+b-c.d9:\x00", "x:0x", "zoom:" + strings.Repeat("\u00e9", (proofs.MaxAuthor-5)/2) + "e", "https:" + strings.Repeat("a", proofs.MaxAuthor-6),
	}
	for _, s := range valid {
		a, err := proofs.ParseAuthor(s)
		if err != nil || string(a) != s {
			t.Errorf("%q: %q, %v", s, a, err)
		}
		if address, ok := a.Wallet(); ok != strings.HasPrefix(s, "0x") || ok && address.String() != s {
			t.Errorf("%q is the wallet %s: %t", s, address, ok)
		}
	}
	invalid := []string{
		"", "Dan", ":", "a:", "did:", ":b", "9a:b", "A:b", "aB:c", "a_b:c", " a:b", "\n:b", "caf\u00e9:b", "zoom", "zoom:\xff", "zoom:\xed\xa0\x80", "zoom:\xc0\x80",
		wallet[:41], wallet + "0", strings.ToUpper(wallet), "0X" + wallet[2:], "0x70997970C51812dc3a010c7d01b50e0d17dc79c8", "0x:b", "0x", wallet + ":b",
		"https:" + strings.Repeat("a", proofs.MaxAuthor-5), wallet[2:],
	}
	for _, s := range invalid {
		if a, err := proofs.ParseAuthor(s); err == nil || a != "" {
			t.Errorf("%q is an author", s)
		}
		if _, ok := proofs.Author(s).Wallet(); ok {
			t.Errorf("%q is a wallet", s)
		}
	}
}

func TestCheckKind(t *testing.T) {
	wellKnown := []string{"governance.proposal", "tx.confirmation", "nft.transfer", "defi.alert", "call.receipt", "edit", "retract"}
	for _, k := range wellKnown {
		if !proofs.IsWellKnown(k) {
			t.Errorf("%q is not well known", k)
		}
	}
	longest := "text/" + strings.Repeat("x", proofs.MaxKind-5)
	for _, k := range append(wellKnown, "text/plain", "text/markdown", "a/b", "0/9", "application/vnd.a+json", "x/a!#$&^_.+-", "image/svg+xml", longest) {
		if err := proofs.CheckKind(k); err != nil {
			t.Errorf("%q: %v", k, err)
		}
	}
	for _, k := range []string{
		"", "text", "text/", "/plain", "text/plain/x", "Text/plain", "text/Plain", "text/plain; charset=utf-8", "text/plain;", "text /plain", "text/plain\n", "\ntext/plain",
		".a/b", "a/-b", "a/b c", "a/b%", "a/b*", "t\u00e9xt/plain", "governance", "governance.proposal ", "Edit", "edit/", "retract.", longest + "x",
	} {
		if err := proofs.CheckKind(k); err == nil {
			t.Errorf("%q is a kind", k)
		}
		if proofs.IsWellKnown(k) {
			t.Errorf("%q is well known", k)
		}
	}
}

// newCID makes a CID of any version, codec, hash function and digest with go-cid.
func newCID(t *testing.T, codec, function uint64, digest []byte) string {
	t.Helper()
	mh, err := multihash.Encode(digest, function)
	if err != nil {
		t.Fatal(err)
	}
	return cid.NewCidV1(codec, mh).String()
}

// TestCheckCID takes what go-cid makes, and nothing that go-cid does not decode to the same text.
func TestCheckCID(t *testing.T) {
	rng := newRand(t)
	var valid []string
	for range 300 {
		function := []uint64{0, 0x12, 0x13, 0x1b, 0x1e, 0xb220, 1<<32 + 5}[rng.IntN(7)]
		c := newCID(t, []uint64{0x55, 0x70, 0x71, 0x0129, 1 << 40}[rng.IntN(5)], function, randomBytes(rng, 1+rng.IntN(64)))
		valid = append(valid, c)
	}
	valid = append(valid, newCID(t, 0x55, 0, nil), newCID(t, 1<<63-1, 1<<63-1, []byte{1}), newCID(t, 0x55, 0, make([]byte, 75)))
	if n := len(valid[len(valid)-1]); n != proofs.MaxCID {
		t.Fatalf("the longest CID has %d bytes", n)
	}
	for _, c := range valid {
		if err := proofs.CheckCID(c); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
	c := proofs.FormatCID(proofs.Hash{1})
	if parsed, err := cid.Decode(c); err != nil || parsed.Type() != cid.DagCBOR || proofs.CheckCID(c) != nil {
		t.Errorf("FormatCID gives %s: %v", c, err)
	}
	digits := base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	raw := func(b ...byte) string { return "b" + digits.EncodeToString(b) }
	invalid := []string{
		"", "b", "Qm" + strings.Repeat("Y", 44), strings.ToUpper(c), c[:len(c)-1], c + "a", c + "=", c + "\n", c[:9] + "\n" + c[9:], " " + c, "B" + c[1:], "z" + c[1:],
		strings.Replace(c, "a", "A", 1), c[:len(c)-1] + "9", newCID(t, 0x55, 0, make([]byte, 76)),
		raw(0), raw(1), raw(1, 0x55), raw(1, 0x55, 0x12), raw(1, 0x55, 0x12, 1), raw(1, 0x55, 0x12, 1, 2, 3), raw(2, 0x55, 0x12, 1, 2), raw(0x12, 0x20),
		raw(1, 0xd5, 0, 0x12, 1, 2), raw(1, 0x55, 0x92, 0, 1, 2), raw(1, 0x55, 0x12, 0x81, 0, 2), raw(1, 0x80), raw(0x81, 0, 0x55, 0x12, 1, 2),
		raw(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0x12, 1, 2),
	}
	for _, s := range invalid {
		if err := proofs.CheckCID(s); err == nil {
			t.Errorf("%q is a CID", s)
		}
	}
	for _, last := range "abcdefghijklmnopqrstuvwxyz234567" { // the last digit has two bits that no byte uses
		s := c[:len(c)-1] + string(last)
		parsed, err := cid.Decode(s)
		if canonical := err == nil && parsed.String() == s; (proofs.CheckCID(s) == nil) != canonical {
			t.Errorf("%s: canonical %t, %v", s, canonical, proofs.CheckCID(s))
		}
	}
}

// largest is a message with every field at its limit, in the characters given.
func largest(text string) proofs.Message {
	fill := func(prefix string, limit int) string {
		return prefix + strings.Repeat(text, (limit-len(prefix))/len(text))
	}
	m := proofs.Message{
		Room: proofs.Room(strings.Repeat("r", proofs.MaxRoom)), Author: proofs.Author(fill("zoom:", proofs.MaxAuthor)), SentAt: 1<<64 - 1,
		Kind: "text/" + strings.Repeat("k", proofs.MaxKind-5), Body: fill("", proofs.MaxBody), Source: fill("https:", proofs.MaxSource),
	}
	for range proofs.MaxAttachments {
		m.Attachments = append(m.Attachments, proofs.FormatCID(proofs.Hash{1}))
	}
	return m
}

// TestMessageLimits takes a message with every field at its limit, and refuses each field one over.
func TestMessageLimits(t *testing.T) {
	m := largest("x")
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	for field, over := range map[string]func(*proofs.Message){
		"room":   func(m *proofs.Message) { m.Room += "r" },
		"author": func(m *proofs.Message) { m.Author += "x" },
		"kind":   func(m *proofs.Message) { m.Kind += "k" },
		"body":   func(m *proofs.Message) { m.Body += "x" },
		"source": func(m *proofs.Message) { m.Source += "x" },
		"attachments": func(m *proofs.Message) {
			m.Attachments = append(m.Attachments[:proofs.MaxAttachments:proofs.MaxAttachments], m.Attachments[0])
		},
	} {
		m := m
		over(&m)
		if err := m.Check(); err == nil || !strings.HasPrefix(err.Error(), field+":") {
			t.Errorf("%s one over: %v", field, err)
		}
	}
	for name, bad := range map[string]func(*proofs.Message){
		"body: invalid UTF-8":   func(m *proofs.Message) { m.Body = "\xff" },
		"source: want empty":    func(m *proofs.Message) { m.Source = "//forum.example/12" },
		"source: want empty or": func(m *proofs.Message) { m.Source = "https:\xff" },
		"attachment 1: ":        func(m *proofs.Message) { m.Attachments = []string{m.Attachments[0], ""} },
	} {
		m := m
		bad(&m)
		if err := m.Check(); err == nil || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// TestLargestFits: whatever a message says, it fits in a submission and its receipt in a file, and
// both come back as they were.
func TestLargestFits(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"x", "\x01", "\"", "\u2028", "\U0001F5F3"} {
		m := largest(text)
		m.Log = w.chain.Log
		if err := m.Check(); err != nil || !utf8.ValidString(m.Body) {
			t.Fatal(err)
		}
		s := proofs.Submission{Message: m, Evidence: proofs.Evidence{Scheme: strings.Repeat("s", proofs.MaxScheme), Bytes: make([]byte, proofs.MaxEvidence)}}
		for _, domain := range []*proofs.SignedIn{nil, {ChainID: 1<<64 - 1, VerifyingContract: proofs.Address{1}}} {
			s.Domain = domain
			got, err := proofs.ParseSubmission(s.Format())
			if d := cmp.Diff(&s, got); err != nil || d != "" {
				t.Errorf("%q: %v, submission (want, got):\n%s", text, err, d)
			}
		}
		rc := w.receipt(t, 0, proofs.Finalized)
		rc.Message, rc.Evidence = &m, &s.Evidence
		got, err := proofs.ParseReceipt(rc.Format())
		if d := cmp.Diff(rc, got); err != nil || d != "" {
			t.Errorf("%q: %v, receipt (want, got):\n%s", text, err, d)
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var again proofs.Message
		if err := json.Unmarshal(b, &again); err != nil || cmp.Diff(m, again) != "" {
			t.Errorf("%q: %v, message:\n%s", text, err, cmp.Diff(m, again))
		}
	}
}

// TestFileLimits reads files that are exactly as large as may be, and refuses one byte more.
func TestFileLimits(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		name  string
		file  []byte
		limit int
		parse func([]byte) error
	}{
		{"receipt", w.receipt(t, 0, proofs.Finalized).Format(), proofs.MaxReceipt, func(b []byte) error { _, err := proofs.ParseReceipt(b); return err }},
		{"trust file", w.trust().Format(), proofs.MaxReceipt, func(b []byte) error { _, err := proofs.ParseTrust(b); return err }},
		{"submission", (&proofs.Submission{Evidence: proofs.Evidence{Scheme: "none"}}).Format(), proofs.MaxSubmission,
			func(b []byte) error { _, err := proofs.ParseSubmission(b); return err }},
	}
	for _, tt := range tests {
		if err := tt.parse(tt.file); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		for over := range 2 {
			space := strings.Repeat(" ", tt.limit+over-len(tt.file))
			err := tt.parse([]byte("{" + space + string(tt.file[1:])))
			if over == 0 && err != nil || over == 1 && (err == nil || !strings.Contains(err.Error(), "1048577 bytes are over the limit of 1048576")) {
				t.Errorf("%s %d over: %v", tt.name, over, err)
			}
		}
	}
}

// TestAuthorshipLimits takes evidence and schemes at their limits and refuses one byte more.
func TestAuthorshipLimits(t *testing.T) {
	file := string((&proofs.Submission{Evidence: proofs.Evidence{Scheme: "none"}}).Format())
	parse := func(scheme string, evidence []byte) error {
		text := strings.NewReplacer(`"none"`, `"`+scheme+`"`, `"evidence": ""`, `"evidence": "`+base64.StdEncoding.EncodeToString(evidence)+`"`).Replace(file)
		_, err := proofs.ParseSubmission([]byte(text))
		return err
	}
	for _, scheme := range []string{"a", "webhook:discord_1", "a.b-c", strings.Repeat("s", proofs.MaxScheme)} {
		if err := parse(scheme, make([]byte, proofs.MaxEvidence)); err != nil {
			t.Errorf("scheme %q: %v", scheme, err)
		}
	}
	for _, scheme := range []string{"", "Webhook", "a b", "a/b", "caf\u00e9", strings.Repeat("s", proofs.MaxScheme+1)} {
		if err := parse(scheme, nil); err == nil || !strings.Contains(err.Error(), "authorship.scheme") {
			t.Errorf("scheme %q: %v", scheme, err)
		}
	}
	if err := parse("none", make([]byte, proofs.MaxEvidence+1)); err == nil || !strings.Contains(err.Error(), "authorship.evidence") {
		t.Errorf("evidence over: %v", err)
	}
}
