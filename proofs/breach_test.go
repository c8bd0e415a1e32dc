package proofs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

func TestGoldenBreaches(t *testing.T) {
	w := bonded(t)
	goldenFile(t, "evidence/trust.json", w.trust().Format())
	other := w.trust()
	other.Logs[0].Chain.PromiseBond = proofs.Address{}
	goldenFile(t, "evidence/other.trust.json", other.Format())
	key := w.trust()
	key.Logs[0].PromiseKeys[0] = testKey("nobody").Address()
	goldenFile(t, "evidence/key.trust.json", key.Format())

	files := map[string][]byte{}
	cases := breachCases()
	for i := range cases {
		c := &cases[i]
		if c.make != nil {
			if files[c.File] != nil {
				t.Fatalf("two cases have the file %s", c.File)
			}
			files[c.File] = c.make(t, w)
			goldenFile(t, "evidence/"+c.File, files[c.File])
		}
		if c.BlockHash == "own" {
			c.BlockHash = ""
			if e, err := proofs.ParseBreachEvidence(files[c.File]); err == nil {
				c.BlockHash = e.Block().Hash.String()
			}
		}
		r := proofs.VerifyEvidence(files[c.File], c.optionsIn(t, "evidence"))
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
		if malformed := c.Checks["V1"] == "fail"; malformed != (r.Evidence == nil) || r.Receipt != nil || r.Interval() != (proofs.Interval{}) {
			t.Errorf("%s: evidence %v, receipt %v, interval %v", c.Name, r.Evidence, r.Receipt, r.Interval())
		}
		if _, err := r.Verified(); err == nil {
			t.Errorf("%s: passes for a valid receipt", c.Name)
		}
		if asReceipt := proofs.Verify(files[c.File], c.optionsIn(t, "evidence")); asReceipt.Verdict != proofs.Invalid {
			t.Errorf("%s: %s as a receipt", c.Name, asReceipt.Verdict)
		}
	}
	golden(t, "vectors/evidence.json", dict{"cases": cases})
}

// TestEvidenceIsNoReceipt has receipts that speak of evidence.
func TestEvidenceIsNoReceipt(t *testing.T) {
	w := bonded(t)
	rc := w.receipt(t, 0, proofs.Finalized)
	rc.Hints = json.RawMessage(`{"format":"hansard-evidence/1"}`)
	late := string(w.breachOf(t, proofs.Late).Format())
	reordered := strings.Replace(late, `"format": "hansard-evidence/1",`, ``, 1)
	reordered = strings.Replace(reordered, `"hints": `, `"format": "hansard-evidence/1", "hints": `, 1)
	tests := []struct {
		name string
		file string
		want bool
	}{
		{"evidence", late, true},
		{"format after the rest", reordered, true},
		{"another version", strings.Replace(late, "evidence/1", "evidence/2", 1), false},
		{"a receipt", string(rc.Format()), false},
		{"a word", `"hansard-evidence/1"`, false},
		{"a list", `["format","hansard-evidence/1"]`, false},
		{"a number", `{"format":1}`, false},
		{"the first of two", `{"format":"x","format":"hansard-evidence/1"}`, false},
		{"cut", late[:9], false},
		{"empty", "", false},
	}
	for _, tt := range tests {
		if got := proofs.IsEvidence([]byte(tt.file)); got != tt.want {
			t.Errorf("%s: %t", tt.name, got)
		}
	}
	if r := proofs.VerifyEvidence(rc.Format(), proofs.Options{}); r.Verdict != proofs.Invalid {
		t.Errorf("a receipt as evidence: %s", r.Verdict)
	}
	if r := proofs.VerifyEvidence([]byte(reordered), proofs.Options{Trust: w.trust(), BlockHash: w.anchor.Block.Hash}); r.Verdict != proofs.PromiseBroken {
		t.Errorf("format after the rest: %s", r.Verdict)
	}
}

// ownOptions brings all that evidence needs.
func (w *world) ownOptions(e *proofs.BreachEvidence) proofs.Options {
	o := proofs.Options{Trust: w.trust()}
	if b := e.Block(); b != nil {
		o.BlockHash = b.Hash
	}
	return o
}

// TestTamperEvidence changes every value of every kind of evidence, one at a time: it proves nothing any more.
func TestTamperEvidence(t *testing.T) {
	w := bonded(t)
	for _, b := range allBreaches {
		e := w.breachOf(t, b)
		genuine, _ := breachChecks(b)
		o, file := w.ownOptions(e), e.Format()
		if r := proofs.VerifyEvidence(file, o); string(r.Verdict) != genuine {
			t.Fatalf("%s: %s", b, r.Verdict)
		}
		var tree any
		d := json.NewDecoder(bytes.NewReader(file))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			t.Fatal(err)
		}
		changed := 0
		tamper(tree, "", func(path string) {
			forged, err := json.Marshal(tree)
			if err != nil {
				t.Fatal(err)
			}
			changed++
			switch r := proofs.VerifyEvidence(forged, o); {
			case strings.HasPrefix(path, ".hints") && path != ".hints": // which is null
				if string(r.Verdict) != genuine {
					t.Errorf("%s: %s: %s, hints decide nothing", b, path, r.Verdict)
				}
			case r.Verdict != proofs.Invalid && r.Verdict != proofs.Mismatch:
				t.Errorf("%s: %s changed: %s", b, path, r.Verdict)
			}
		})
		t.Logf("%s: %d values changed", b, changed)
		if changed < 15 {
			t.Errorf("%s: only %d values were changed", b, changed)
		}
	}
}

// tamper changes every value of v, one at a time, calls f and changes it back.
func tamper(v any, path string, f func(path string)) {
	each := func(name string, value any, set func(any)) {
		at := path + name
		switch value := value.(type) {
		case string:
			last := len(value) - 1
			for last > 0 && value[last] == '=' {
				last--
			}
			set(value[:last] + string(value[last]^1) + value[last+1:])
			f(at)
			if rest := strings.TrimPrefix(value, "0x"); rest != value {
				set("0x" + string(rest[0]^1) + rest[1:])
				f(at)
			}
		case json.Number:
			set(json.Number(value.String() + "1"))
			f(at)
		default:
			set(nil)
			f(at)
			set(value)
			tamper(value, at, f)
		}
		set(value)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			each("."+key, value, func(x any) { v[key] = x })
			delete(v, key)
			f(path + "." + key + " left out")
			v[key] = value
		}
	case []any:
		for i, value := range v {
			each(fmt.Sprintf("[%d]", i), value, func(x any) { v[i] = x })
		}
	}
}

// TestFlipEvidence flips one bit of every byte of every kind of evidence, and every bit of the shortest: what
// is still proven is the same breach.
func TestFlipEvidence(t *testing.T) {
	w := bonded(t)
	for _, b := range allBreaches {
		e := w.breachOf(t, b)
		o, file := w.ownOptions(e), e.Format()
		genuine := proofs.VerifyEvidence(file, o).Verdict
		want := stripEvidence(t, file)
		flips, kept := 0, 0
		for at := range file {
			for bit := range 8 {
				if b != proofs.Conflict && bit != at%8 {
					continue
				}
				forged := bytes.Clone(file)
				forged[at] ^= 1 << bit
				flips++
				if proofs.VerifyEvidence(forged, o).Verdict != genuine {
					continue
				}
				kept++
				if !bytes.Equal(stripEvidence(t, forged), want) {
					t.Fatalf("%s: flipping bit %d of byte %d (%q) changes more than hints and is %s", b, bit, at, file[at], genuine)
				}
			}
		}
		t.Logf("%s: %d flips, %d of them in hints", b, flips, kept)
		if hints := len(`{"note":"anything"}`) * 8; kept > hints {
			t.Errorf("%s: %d flips were accepted, hints have %d bits", b, kept, hints)
		}
	}
}

// stripEvidence formats the file without its hints.
func stripEvidence(t *testing.T, file []byte) []byte {
	t.Helper()
	e, err := proofs.ParseBreachEvidence(file)
	if err != nil {
		t.Fatal(err)
	}
	e.Hints = nil
	return e.Format()
}

func TestEvidenceFormatParse(t *testing.T) {
	w := bonded(t)
	for _, b := range allBreaches {
		for _, hints := range []json.RawMessage{nil, json.RawMessage(`{"a":[1,{"b":null}]}`)} {
			want := w.breachOf(t, b)
			want.Hints = hints
			got, err := proofs.ParseBreachEvidence(want.Format())
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s (want, got):\n%s", b, d)
			}
		}
		if got, err := proofs.ParseBreach(b.String()); err != nil || got != b {
			t.Errorf("%s: %s, %v", b, got, err)
		}
	}
	long := bytes.Replace(w.breachOf(t, proofs.Conflict).Format(), []byte("{"), []byte("{"+strings.Repeat(" ", 1<<20)), 1)
	if _, err := proofs.ParseBreachEvidence(long); err == nil {
		t.Error("a file over 1 MiB is read")
	}
	other := w.breachOf(t, proofs.Conflict)
	other.Second.Index++
	defer func() {
		if recover() == nil {
			t.Error("promises of two indices are written as one conflict")
		}
	}()
	other.Format()
}

// TestPromiseClock has a promise that nothing was anchored for, by several clocks.
func TestPromiseClock(t *testing.T) {
	w := newWorld(t)
	tests := []struct {
		level   proofs.Level
		now     uint64
		status  proofs.Status
		verdict proofs.Verdict
		says    string
	}{
		{proofs.Promised, 0, proofs.Pass, proofs.NotFinal, "signed; open until 2026-11-22T09:50:31Z"},
		{proofs.Promised, breachDeadline, proofs.Pass, proofs.NotFinal, "signed; open until 2026-11-22T09:50:31Z"},
		{proofs.Promised, breachDeadline + 10800, proofs.Unknown, proofs.NotFinal,
			"signed; the deadline passed 3h0m0s ago: hansard promise check asks the chain whether it was kept"},
		{proofs.Included, breachDeadline, proofs.Pass, proofs.NotFinal, "signed; open until 2026-11-22T09:50:31Z"},
		{proofs.Included, breachDeadline + 1, proofs.Unknown, proofs.NotFinal,
			"signed; the deadline passed 1s ago: hansard promise check asks the chain whether it was kept"},
		{proofs.Finalized, breachDeadline + 1, proofs.Pass, proofs.Valid, "kept: anchored 23h58m51s before the deadline"},
	}
	for _, tt := range tests {
		o := proofs.Options{Trust: w.trust(), BlockHash: w.anchor.Block.Hash, Now: tt.now}
		r := proofs.Verify(w.receipt(t, 0, tt.level).Format(), o)
		if got := r.Checks[proofs.V12]; r.Verdict != tt.verdict || got.Status != tt.status || got.Detail != tt.says {
			t.Errorf("%s at %d: %s, %s: %s", tt.level, tt.now, r.Verdict, got.Status, got.Detail)
		}
	}
}

func FuzzParseBreachEvidence(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(testdata, "evidence", "*"+proofs.EvidenceSuffix))
	if err != nil || len(files) == 0 {
		f.Fatalf("%d golden files, %v", len(files), err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		proofs.VerifyEvidence(b, proofs.Options{}) // must not panic
		e, err := proofs.ParseBreachEvidence(b)
		if err != nil {
			return
		}
		if !json.Valid(b) || !proofs.IsEvidence(b) {
			t.Fatal("not JSON, or not taken for evidence, and accepted")
		}
		again, err := proofs.ParseBreachEvidence(e.Format())
		if err != nil {
			t.Fatalf("what Format wrote is refused: %v", err)
		}
		e.Hints, again.Hints = nil, nil
		if d := cmp.Diff(e, again); d != "" {
			t.Fatal(d)
		}
	})
}
