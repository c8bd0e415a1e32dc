package proofs_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestGoldenHeads writes heads with their leaves and blocks.
func TestGoldenHeads(t *testing.T) {
	var cases []dict
	for _, n := range []uint64{1, 2, 3, 21, 255, 256, 1<<32 - 1} {
		h := someHead()
		h.Batches, h.Messages, h.Peaks = n, n*7, nil
		for b := n; b != 0; b &= b - 1 {
			h.Peaks = append(h.Peaks, wordHash(int(b%9999)))
		}
		if n == 1 {
			h.Messages, h.Block.Number = 1<<64-1, 1<<64-1
		}
		if err := h.Check(); err != nil {
			t.Fatal(err)
		}
		block := h.Format()
		cases = append(cases, dict{
			"chainId": str(h.ChainID), "anchorLog": h.AnchorLog, "log": h.Log, "batches": str(h.Batches), "messages": str(h.Messages), "peaks": h.Peaks,
			"blockNumber": str(h.Block.Number), "blockHash": h.Block.Hash, "leafData": fmt.Sprintf("0x%x", h.LeafData()), "leaf": h.Leaf(),
			"block": base64.StdEncoding.EncodeToString(block), "cid": proofs.FormatCID(proofs.BlockDigest(block)),
		})
	}
	golden(t, "vectors/heads.json", dict{"cases": cases})
}

// folds are receipts with a fold, and one without where one was asked for.
func (m caseMaker) folds() []goldenCase {
	full := func(c goldenCase) goldenCase { c.Trust, c.FoldHash = "fold.trust.json", "own"; return c }
	folded := func(t *testing.T, w *world) []byte { return w.folded(t, 0, w.foldAt(t, 21)).Format() }
	same := func(name, verdict string, f func(*goldenCase), checks ...string) goldenCase {
		c := full(m.again(name, "folded", verdict, func(*goldenCase) {}, checks...))
		f(&c)
		return c
	}
	cases := []goldenCase{
		full(m.full("folded", folded, "VALID", "V13=pass")),
		full(m.full("folded-last-batch", func(t *testing.T, w *world) []byte { return w.folded(t, 0, w.foldAt(t, 3)).Format() }, "VALID", "V13=pass")),
		full(m.full("folded-thousand", func(t *testing.T, w *world) []byte { return w.folded(t, 6, w.foldAt(t, 1000)).Format() }, "VALID", "V13=pass")),
		full(m.full("folded-undisclosed", func(t *testing.T, w *world) []byte {
			rc := w.folded(t, 0, w.foldAt(t, 21))
			rc.Message, rc.Evidence = nil, nil
			return rc.Format()
		}, "VALID", "V2=skip", "V3=skip", "V13=pass")),
		same("folded-no-fold-hash", "VALID", func(c *goldenCase) { c.FoldHash = "" }, "V13=unknown"),
		same("folded-elsewhere", "VALID", func(c *goldenCase) { c.FoldHash, c.Trust = "", "trust.json" }, "V13=unknown"),
		same("folded-elsewhere-expected", "UNDETERMINED", func(c *goldenCase) { c.Trust = "trust.json" }, "V13=unknown"),
		same("folded-no-trust", "UNDETERMINED", func(c *goldenCase) { c.Trust = "" }, "V9=unknown", "V12=unknown", "V13=unknown"),
		same("folded-no-block-hash", "UNDETERMINED", func(c *goldenCase) { c.BlockHash = "" }, "V8=unknown", "V10=unknown", "V13=pass"),
		same("folded-other-hash", "INVALID", func(c *goldenCase) { c.FoldHash = m.hash }, "V13=fail"),
		full(m.again("no-fold-expected", "alice-finalized", "MISMATCH", func(c *goldenCase) {})),
	}
	cases[len(cases)-1].FoldHash = m.hash
	for _, c := range foldChanges {
		f := func(t *testing.T, w *world) []byte { return w.folded(t, 0, c.make(t, w)).Format() }
		cases = append(cases, full(m.full("fold-"+strings.ReplaceAll(c.name, " ", "-"), f, "INVALID", "V13=fail")))
	}
	return cases
}

// malformedFolds are receipts whose fold no verifier may decode.
func malformedFolds() []malformedFile {
	var files []malformedFile
	add := func(name string, f func(t *testing.T, file []byte) []byte) {
		files = append(files, malformedFile{"fold-" + name, func(t *testing.T, w *world) []byte {
			return f(t, w.folded(t, 0, w.foldAt(t, 21)).Format())
		}})
	}
	text := func(name, old, new string) {
		add(name, func(t *testing.T, file []byte) []byte {
			at := bytes.Index(file, []byte(`"fold"`))
			return append(slices.Clone(file[:at]), change(t, file[at:], old, new)...)
		})
	}
	text("null", `"fold": {`, `"fold": null, "x": {`)
	text("bond", `"anchorLog"`, `"promiseBond": "0x0000000000000000000000000000000000000000", "anchorLog"`)
	text("without-chain", `"chain"`, `"chains"`)
	text("head-with-log", `"batches"`, `"log": "`+goldenChain.Log.String()+`", "batches"`)
	text("batches-over-32-bits", `"batches": "21"`, `"batches": "4294967296"`)
	text("batches-as-number", `"batches": "21"`, `"batches": 21`)
	text("33-peaks", `"peaks": [`, `"peaks": [`+strings.Repeat(`"`+wordHash(1).String()+`",`, 30))
	text("no-peaks", `"peaks"`, `"peak"`)
	text("32-siblings", `"path": [`, `"path": [`+strings.Repeat(`"`+wordHash(1).String()+`",`, 30))
	text("path-of-nothing", `"path": [`, `"path": [null, `)
	text("size-0", `"size": "1"`, `"size": "0"`)
	text("inclusion", `"path"`, `"inclusion": [], "path"`)
	text("first-overflow", `"first": "3"`, `"first": "18446744073709551615"`)
	text("without-header", `"header"`, `"headers"`)
	text("empty-header", `"header": "`, `"header": "", "x": "`)
	text("no-nodes", `"proof": [`, `"proof": [], "x": [`)
	text("twice", `"fold": {`, `"fold": {}, "fold": {`)
	files = append(files, malformedFile{"fold-at-included", func(t *testing.T, w *world) []byte {
		fold := w.folded(t, 0, w.foldAt(t, 21)).Format()
		var parts map[string]json.RawMessage
		if err := json.Unmarshal(fold, &parts); err != nil {
			t.Fatal(err)
		}
		return change(t, w.receipt(t, 0, proofs.Included).Format(), `"hints"`, `"fold": `+string(parts["fold"])+`, "hints"`)
	}})
	return files
}
