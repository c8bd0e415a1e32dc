package proofs_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

func TestGoldenReceipts(t *testing.T) {
	w := newWorld(t)
	goldenFile(t, "receipts/trust.json", w.trust().Format())
	other := w.trust()
	other.Logs[0].Chain.ChainID = 1
	goldenFile(t, "receipts/other.trust.json", other.Format())
	key := w.trust()
	key.Logs[0].PromiseKeys[0] = testKey("nobody").Address()
	goldenFile(t, "receipts/key.trust.json", key.Format())
	goldenFile(t, "receipts/fold.trust.json", w.foldTrust().Format())

	files := map[string][]byte{}
	cases := goldenCases(w)
	for i := range cases {
		c := &cases[i]
		if c.make != nil {
			files[c.File] = c.make(t, w)
			goldenFile(t, "receipts/"+c.File, files[c.File])
		}
		if c.BlockHash == "own" {
			rc, err := proofs.ParseReceipt(files[c.File])
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			c.BlockHash = rc.Anchor.Block.Hash.String()
		}
		if c.FoldHash == "own" {
			rc, err := proofs.ParseReceipt(files[c.File])
			if err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
			c.FoldHash = rc.Fold.Anchor.Block.Hash.String()
		}
		r := proofs.Verify(files[c.File], c.options(t))
		c.Exit = r.Verdict.Exit()
		if string(r.Verdict) != c.Verdict {
			t.Errorf("%s: %s, want %s", c.Name, r.Verdict, c.Verdict)
		}
		got := map[string]string{}
		for _, check := range r.Checks {
			got[check.ID] = string(check.Status)
			if check.Detail == "" {
				t.Errorf("%s: %s says nothing", c.Name, check.ID)
			}
		}
		if d := cmp.Diff(c.Checks, got); d != "" {
			t.Errorf("%s: checks differ (want, got):\n%s", c.Name, d)
		}
	}
	golden(t, "vectors/receipts.json", dict{"cases": cases})
}

func (c *goldenCase) options(t *testing.T) proofs.Options { return c.optionsIn(t, "receipts") }

// optionsIn reads the trust file from that folder of testdata.
func (c *goldenCase) optionsIn(t *testing.T, folder string) (o proofs.Options) {
	t.Helper()
	o.ExpectAuthor, o.ExpectRoom = proofs.Author(c.ExpectAuthor), proofs.Room(c.ExpectRoom)
	if c.Trust != "" {
		b, err := os.ReadFile(filepath.Join(testdata, folder, c.Trust))
		if err != nil {
			t.Fatal(err)
		}
		if o.Trust, err = proofs.ParseTrust(b); err != nil {
			t.Fatal(err)
		}
	}
	o.BlockHash, o.FoldBlockHash = parsedHash(t, c.BlockHash), parsedHash(t, c.FoldHash)
	return o
}

// parsedHash returns the hash, zero for no text.
func parsedHash(t *testing.T, s string) (h proofs.Hash) {
	t.Helper()
	if s == "" {
		return h
	}
	h, err := proofs.ParseHash(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestFlipEveryByte flips every bit of one finalized receipt, and one bit a byte of others: each flip is
// refused or changes only hints.
func TestFlipEveryByte(t *testing.T) {
	w := newWorld(t)
	for i := range w.accepted {
		file := w.receipt(t, i, proofs.Finalized).Format()
		o := proofs.Options{Trust: w.trust(), BlockHash: w.anchor.Block.Hash}
		if r := proofs.Verify(file, o); r.Verdict != proofs.Valid {
			t.Fatalf("receipt %d: %s", i, r.Verdict)
		}
		want := strip(t, file)
		flips, kept := 0, 0
		for at := range file {
			for bit := range 8 {
				if i > 0 && bit != (at+i)%8 {
					continue
				}
				forged := bytes.Clone(file)
				forged[at] ^= 1 << bit
				flips++
				if proofs.Verify(forged, o).Verdict != proofs.Valid {
					continue
				}
				kept++
				if got := strip(t, forged); !bytes.Equal(got, want) {
					t.Fatalf("receipt %d: flipping bit %d of byte %d (%q) is VALID and changes more than hints", i, bit, at, file[at])
				}
			}
		}
		t.Logf("receipt %d: %d flips, %d of them in hints", i, flips, kept)
		if hints := len(`{"note":"anything"}`) * 8; kept > hints {
			t.Errorf("receipt %d: %d flips were accepted, hints have %d bits", i, kept, hints)
		}
	}
}

// strip formats the file without its hints.
func strip(t *testing.T, file []byte) []byte {
	t.Helper()
	rc, err := proofs.ParseReceipt(file)
	if err != nil {
		t.Fatal(err)
	}
	rc.Hints = nil
	return rc.Format()
}

func TestFormatParseIdentity(t *testing.T) {
	w := newWorld(t)
	for i := range w.accepted {
		for _, level := range []proofs.Level{proofs.Promised, proofs.Included, proofs.Finalized} {
			want := w.receipt(t, i, level)
			got, err := proofs.ParseReceipt(want.Format())
			if err != nil {
				t.Fatalf("receipt %d, %s: %v", i, level, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("receipt %d, %s (want, got):\n%s", i, level, d)
			}
		}
	}
}

func FuzzParseReceipt(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(testdata, "receipts", "*.receipt.json"))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d golden receipts, %v", len(files), err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		proofs.Verify(b, proofs.Options{}) // must not panic
		rc, err := proofs.ParseReceipt(b)
		if err != nil {
			return
		}
		if !json.Valid(b) {
			t.Fatal("not JSON, and accepted")
		}
		again, err := proofs.ParseReceipt(rc.Format())
		if err != nil {
			t.Fatalf("what Format wrote is refused: %v", err)
		}
		rc.Hints, again.Hints = nil, nil
		if d := cmp.Diff(rc, again); d != "" {
			t.Fatal(d)
		}
	})
}

func TestVerdictWorse(t *testing.T) {
	order := []struct {
		verdict proofs.Verdict
		exit    int
	}{ // the worst first
		{"INVALID", 10}, {"MISMATCH", 13}, {"UNDETERMINED", 12}, {"NOT FINAL", 11}, {"PROMISE BROKEN", 14}, {"VALID", 0},
	}
	for i, v := range order {
		if got := v.verdict.Exit(); got != v.exit {
			t.Errorf("%s: exit %d, want %d", v.verdict, got, v.exit)
		}
		for j, w := range order {
			if got := v.verdict.Worse(w.verdict); got != (i < j) {
				t.Errorf("%s worse than %s: %t", v.verdict, w.verdict, got)
			}
		}
	}
}
