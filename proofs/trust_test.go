package proofs_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

func TestTrustFormatParse(t *testing.T) {
	rng := newRand(t)
	for range 100 {
		want := &proofs.Trust{}
		for range rng.IntN(4) {
			l := proofs.TrustedLog{Name: randomText(rng, rng.IntN(40)), Chain: randomChain(rng)}
			for range rng.IntN(4) {
				l.PromiseKeys = append(l.PromiseKeys, proofs.Address(randomBytes(rng, 20)))
			}
			want.Logs = append(want.Logs, l)
		}
		got, err := proofs.ParseTrust(want.Format())
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Fatalf("%v, trust (want, got):\n%s", err, d)
		}
	}
}

// TestParseTrustRefuses changes one thing of a trust file. What is trusted must not depend on how a
// reader fills gaps.
func TestParseTrustRefuses(t *testing.T) {
	file := string(newWorld(t).trust().Format())
	key := testKey("operator").Address().String()
	tests := []struct{ name, old, new, says string }{
		{"another version", "hansard-trust/1", "hansard-trust/2", "format: want hansard-trust/1"},
		{"a receipt", "hansard-trust/1", "hansard-receipt/1", "format: want hansard-trust/1"},
		{"format is a number", `"hansard-trust/1"`, `1`, "format: want a string"},
		{"no format", `"format": "hansard-trust/1",`, ``, "format: missing"},
		{"no logs", `"logs"`, `"log"`, "logs: missing"},
		{"logs is an object", `"logs": [`, `"logs": {}, "x": [`, "logs: want an array"},
		{"a log is a string", `"logs": [`, `"logs": ["all",`, "logs[0]: want an object"},
		{"unknown key", `"format"`, `"all": true, "format"`, "all: unknown key"},
		{"unknown key of a log", `"name"`, `"from": "1", "name"`, "logs[0].from: unknown key"},
		{"repeated key", `"format"`, `"format": "hansard-trust/1", "format"`, `repeated key "format"`},
		{"repeated key of a log", `"chainId"`, `"chainId": "1", "chainId"`, `repeated key "chainId"`},
		{"another case", `"chainId"`, `"chainID"`, "logs[0].chainId: missing"},
		{"no name", `"name": "golden",`, ``, "logs[0].name: missing"},
		{"name is null", `"golden"`, `null`, "logs[0].name: want a string"},
		{"chain id is a number", `"1337"`, `1337`, "logs[0].chainId: "},
		{"chain id with a zero before it", `"1337"`, `"01337"`, "logs[0].chainId: "},
		{"chain id in hex", `"1337"`, `"0x539"`, "logs[0].chainId: "},
		{"chain id over 64 bits", `"1337"`, `"18446744073709551616"`, "logs[0].chainId: "},
		{"chain id is negative", `"1337"`, `"-1"`, "logs[0].chainId: "},
		{"no contract", `"anchorLog"`, `"anchorlog"`, "logs[0].anchorLog: missing"},
		{"upper-case contract", "0xd58311", "0xD58311", "logs[0].anchorLog: want lower-case hex"},
		{"short contract", "0xd58311", "0xd583", "logs[0].anchorLog: want 0x and 40"},
		{"contract without 0x", `"0xd58311`, `"d58311`, "logs[0].anchorLog: want 0x and 40"},
		{"no bond", `"promiseBond"`, `"bond"`, "logs[0].promiseBond: missing"},
		{"no log", `"log": "`, `"logs": "`, "logs[0].log: missing"},
		{"log is an address", goldenChain.Log.String(), key, "logs[0].log: want 0x and 64"},
		{"no keys", `"promiseKeys"`, `"keys"`, "logs[0].promiseKeys: missing"},
		{"keys are one key", `"promiseKeys": [`, `"promiseKeys": "` + key + `", "x": [`, "logs[0].promiseKeys: want an array"},
		{"a key that is no address", key, key + "0", "logs[0].promiseKeys: element 0: want 0x and 40"},
		{"a key that is a number", `"` + key + `"`, `1`, "logs[0].promiseKeys: element 0: want 0x and 40"},
		{"a key that is null", `"promiseKeys": [`, `"promiseKeys": [null, `, "logs[0].promiseKeys: element 0: "},
		{"a comma too many", `"` + key + `"`, `"` + key + `",`, "want a value"},
		{"a comment", `"logs"`, `/* all */ "logs"`, "want a key"},
		{"an object before it", "{", "{}{", "trailing bytes"},
		{"space before it", "{", " {", "want an object from the first byte on"},
		{"space after it", "]\n}\n", "]\n} \n", "trailing bytes"},
		{"two lines after it", "]\n}\n", "]\n}\n\n", "trailing bytes"},
		{"an array", file, "[" + file + "]", "want an object from the first byte on"},
		{"nothing", file, "", "want an object from the first byte on"},
		{"invalid UTF-8", "golden", "gol\xffden", "invalid UTF-8"},
		{"cut", "]\n}\n", "", "byte "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := proofs.ParseTrust(change(t, []byte(file), tt.old, tt.new))
			if got != nil || err == nil || !strings.HasPrefix(err.Error(), "trust file: ") || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, %v, want an error that says %q", got, err, tt.says)
			}
		})
	}
}

// TestTrustLimits reads as many logs and keys as may be, and refuses one more.
func TestTrustLimits(t *testing.T) {
	const most = 1024
	for over := range 2 {
		logs := &proofs.Trust{Logs: make([]proofs.TrustedLog, most+over)}
		keys := &proofs.Trust{Logs: []proofs.TrustedLog{{PromiseKeys: make([]proofs.Address, most+over)}}}
		for want, trust := range map[string]*proofs.Trust{"logs: want an array of at most 1024": logs, "promiseKeys: want an array of at most 1024": keys} {
			got, err := proofs.ParseTrust(trust.Format())
			if over == 0 && (err != nil || cmp.Diff(trust, got) != "") || over == 1 && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%d over: %v, want %q", over, err, want)
			}
		}
	}
}

// TestTrustFind finds a log that is equal in every part. Of two such the first counts.
func TestTrustFind(t *testing.T) {
	c := proofs.Chain{ChainID: 1, AnchorLog: proofs.Address{2}, PromiseBond: proofs.Address{3}, Log: proofs.Hash{4}}
	others := []proofs.Chain{
		{ChainID: 2, AnchorLog: c.AnchorLog, PromiseBond: c.PromiseBond, Log: c.Log},
		{ChainID: 1, PromiseBond: c.PromiseBond, Log: c.Log},
		{ChainID: 1, AnchorLog: c.AnchorLog, Log: c.Log},
		{ChainID: 1, AnchorLog: c.AnchorLog, PromiseBond: c.PromiseBond},
	}
	trust := &proofs.Trust{}
	for _, o := range others {
		trust.Logs = append(trust.Logs, proofs.TrustedLog{Name: "other", Chain: o})
	}
	if l := trust.Find(c); l != nil {
		t.Errorf("found %+v", l)
	}
	trust.Logs = append(trust.Logs, proofs.TrustedLog{Name: "first", Chain: c}, proofs.TrustedLog{Name: "second", Chain: c})
	if l := trust.Find(c); l == nil || l.Name != "first" {
		t.Errorf("found %+v", l)
	}
	if l := (&proofs.Trust{}).Find(proofs.Chain{}); l != nil {
		t.Errorf("an empty trust file holds %+v", l)
	}
}
