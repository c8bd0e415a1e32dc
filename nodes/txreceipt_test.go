package nodes

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
)

// TestTxReceiptEncode holds Encode against go-ethereum's encoding of each type that it knows.
func TestTxReceiptEncode(t *testing.T) {
	logs := []*types.Log{
		{Address: common.Address{1}, Topics: []common.Hash{}, Data: []byte{}},
		{Address: common.Address{2}, Topics: []common.Hash{{1}, {2}, {3}, {4}}, Data: bytes.Repeat([]byte{7}, 300)},
	}
	for kind := range uint8(5) {
		for status := range uint64(2) {
			for n := range len(logs) + 1 {
				for _, gas := range []uint64{0, 127, 128, 1 << 40} {
					want := types.Receipt{Type: kind, Status: status, CumulativeGasUsed: gas, GasUsed: gas, Logs: logs[:n],
						TxHash: common.Hash{5}, BlockHash: common.Hash{6}, BlockNumber: big.NewInt(8), TransactionIndex: 9, EffectiveGasPrice: big.NewInt(10)}
					want.Bloom = types.CreateBloom(&want)
					raw, err := json.Marshal(&want)
					if err != nil {
						t.Fatal(err)
					}
					var r TxReceipt
					if err := json.Unmarshal(raw, &r); err != nil {
						t.Fatalf("type %d: %v", kind, err)
					}
					got, err := r.Encode()
					if err != nil {
						t.Fatal(err)
					}
					binary, err := want.MarshalBinary()
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(got, binary) {
						t.Errorf("type %d, status %d, %d logs, gas %d: got %x, want %x", kind, status, n, gas, got, binary)
					}
					if r.Tx != [32]byte{5} || r.Block != [32]byte{6} || r.BlockNumber != 8 || r.Index != 9 || r.GasUsed != gas || r.Price.Int64() != 10 {
						t.Errorf("type %d: read as %+v", kind, r)
					}
				}
			}
		}
	}
}

// depositJSON is the receipt of a deposit with these fields beside the usual ones.
func depositJSON(more string) string {
	return `{"type":"0x7e","status":"0x1","cumulativeGasUsed":"0xb741","logsBloom":"0x` + strings.Repeat("00", 256) + `","logs":[],
		"transactionHash":"0x` + strings.Repeat("11", 32) + `","blockHash":"0x` + strings.Repeat("22", 32) + `","blockNumber":"0x3","transactionIndex":"0x0","gasUsed":"0xb741"` + more + `}`
}

// TestTxReceiptDeposit holds deposits of the OP stack against the bytes that its trie holds: the vectors of
// op-alloy's receipt tests, for a deposit of 46,913 gas and nonce 4,012,991, with the type in front. Between
// Regolith and Canyon nodes name the nonce, and the trie does not hold it.
func TestTxReceiptDeposit(t *testing.T) {
	bloom := strings.Repeat("00", 256)
	bedrock := "7ef901080182b741b90100" + bloom + "c0"
	for _, tc := range []struct{ name, more, want string }{
		{"Bedrock", ``, bedrock},
		{"Regolith", `,"depositNonce":"0x3d3bbf"`, bedrock},
		{"Canyon", `,"depositNonce":"0x3d3bbf","depositReceiptVersion":"0x1"`, "7ef9010d0182b741b90100" + bloom + "c0833d3bbf01"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var r TxReceipt
			if err := json.Unmarshal([]byte(depositJSON(tc.more)), &r); err != nil {
				t.Fatal(err)
			}
			got, err := r.Encode()
			if err != nil || hex.EncodeToString(got) != tc.want {
				t.Errorf("got %x, %v; want %s", got, err, tc.want)
			}
			if r.Price != nil || r.L1Fee != nil {
				t.Errorf("price %v and L1 fee %v of nothing", r.Price, r.L1Fee)
			}
		})
	}
}

// TestTxReceiptRefused has receipts with one field wrong or missing.
func TestTxReceiptRefused(t *testing.T) {
	type fields = map[string]any
	for _, tc := range []struct {
		name   string
		change func(m fields)
		want   string
	}{
		{"status", func(m fields) { delete(m, "status") }, "a field is missing"},
		{"pre-Byzantium", func(m fields) { delete(m, "status"); m["root"] = "0x" + strings.Repeat("11", 32) }, "before Byzantium"},
		{"status 2", func(m fields) { m["status"] = "0x2" }, "no status 2"},
		{"gas", func(m fields) { m["cumulativeGasUsed"] = nil }, "a field is missing"},
		{"gas over 64 bits", func(m fields) { m["gasUsed"] = "0x10000000000000000" }, "64 bits"},
		{"bloom", func(m fields) { delete(m, "logsBloom") }, "a field is missing"},
		{"short bloom", func(m fields) { m["logsBloom"] = "0x00" }, "its bloom has 1 bytes"},
		{"no logs", func(m fields) { delete(m, "logs") }, "a field is missing"},
		{"null for logs", func(m fields) { m["logs"] = nil }, "a field is missing"},
		{"null log", func(m fields) { m["logs"] = []any{nil} }, "log"},
		{"log without data", func(m fields) {
			m["logs"] = []any{fields{"address": common.Address{}, "topics": []any{}, "transactionHash": common.Hash{}}}
		}, "data"},
		{"hash", func(m fields) { delete(m, "transactionHash") }, "a field is missing"},
		{"short hash", func(m fields) { m["transactionHash"] = "0x11" }, "want 64"},
		{"block", func(m fields) { delete(m, "blockHash") }, "a field is missing"},
		{"number", func(m fields) { m["blockNumber"] = nil }, "a field is missing"},
		{"index", func(m fields) { delete(m, "transactionIndex") }, "a field is missing"},
		{"type 128", func(m fields) { m["type"] = "0x80" }, "no type 128"},
		{"number for text", func(m fields) { m["status"] = 1 }, "non-string"},
		{"version without nonce", func(m fields) { m["depositReceiptVersion"] = "0x1" }, "a version and no nonce"},
		{"price over 256 bits", func(m fields) { m["effectiveGasPrice"] = "0x1" + strings.Repeat("00", 32) }, "256 bits"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var m fields
			if err := json.Unmarshal([]byte(depositJSON("")), &m); err != nil {
				t.Fatal(err)
			}
			tc.change(m)
			raw, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if err := new(TxReceipt).UnmarshalJSON(raw); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	r := TxReceipt{Type: depositType, DepositVersion: new(uint64)}
	if _, err := r.Encode(); err == nil {
		t.Error("a deposit with a version and no nonce was encoded")
	}
}

// TestTxReceiptUnknown encodes a type that nobody knows as EIP-2718 receipts are.
func TestTxReceiptUnknown(t *testing.T) {
	raw := strings.Replace(depositJSON(`,"depositNonce":"0x1","depositReceiptVersion":"0x1"`), `"0x7e"`, `"0x6a"`, 1)
	var r TxReceipt
	if err := json.Unmarshal([]byte(raw), &r); err != nil {
		t.Fatal(err)
	}
	want := "6af901080182b741b90100" + strings.Repeat("00", 256) + "c0"
	if got, err := r.Encode(); err != nil || hex.EncodeToString(got) != want {
		t.Errorf("got %x, %v", got, err)
	}
}

// FuzzTxReceipt reads receipts: what is read can be encoded, and go-ethereum, where it knows the type and
// reads it, encodes the same.
func FuzzTxReceipt(f *testing.F) {
	for _, r := range mainChain.receipts {
		raw, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(depositJSON(`,"depositNonce":"0x3d3bbf","depositReceiptVersion":"0x1","l1Fee":"0x5"`)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r TxReceipt
		if json.Unmarshal(raw, &r) != nil {
			return
		}
		got, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var want types.Receipt
		if r.Type > types.SetCodeTxType || want.UnmarshalJSON(raw) != nil || len(want.PostState) > 0 {
			return
		}
		if binary, err := want.MarshalBinary(); err != nil || !bytes.Equal(got, binary) {
			t.Fatalf("got %x, want %x, %v", got, binary, err)
		}
	})
}
