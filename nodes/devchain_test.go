package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/proofs"
)

var richKey, _ = crypto.ToECDSA(crypto.Keccak256([]byte("rich")))

func rich() common.Address { return crypto.PubkeyToAddress(richKey.PublicKey) }

// openChain opens go-ethereum's chain in memory, served over HTTP.
func openChain(t testing.TB) *devchain.Chain {
	t.Helper()
	c, err := devchain.Open(devchain.Config{HTTPAddr: "127.0.0.1:0", Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
		Alloc: types.GenesisAlloc{rich(): {Balance: new(big.Int).Lsh(big.NewInt(1), 80)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// proxy serves the chain with an answer changed.
func proxy(t testing.TB, c *devchain.Chain, change func(method string, answer map[string]any)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		resp, err := http.Post(c.URL(), "application/json", bytes.NewReader(body))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		var asked struct{ Method string }
		var answer map[string]any
		if json.Unmarshal(body, &asked) != nil || json.NewDecoder(resp.Body).Decode(&answer) != nil {
			w.WriteHeader(http.StatusBadGateway) // a batch, too
			return
		}
		change(asked.Method, answer)
		json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// transact mines transactions of three types, with and without logs, one of which fails.
func transact(t testing.TB, c *devchain.Chain, from uint64) (txs []common.Hash) {
	t.Helper()
	id, fee := big.NewInt(devchain.DefaultChainID), big.NewInt(1e11)
	logs, fails := common.FromHex("60206000a000"), common.FromHex("fe")
	for i, tx := range []types.TxData{
		&types.LegacyTx{Nonce: from, GasPrice: fee, Gas: 100_000, Data: logs},
		&types.AccessListTx{ChainID: id, Nonce: from + 1, GasPrice: fee, Gas: 100_000, To: &common.Address{9}, Value: big.NewInt(1)},
		&types.DynamicFeeTx{ChainID: id, Nonce: from + 2, GasTipCap: big.NewInt(1), GasFeeCap: fee, Gas: 100_000, Data: fails},
		&types.DynamicFeeTx{ChainID: id, Nonce: from + 3, GasTipCap: big.NewInt(1), GasFeeCap: fee, Gas: 100_000, Data: logs},
	} {
		signed, err := types.SignNewTx(richKey, types.LatestSignerForChainID(id), tx)
		if err == nil {
			err = c.Client().SendTransaction(t.Context(), signed)
		}
		if err != nil {
			t.Fatal(i, err)
		}
		txs = append(txs, signed.Hash())
	}
	if err := c.Mine(1); err != nil {
		t.Fatal(err)
	}
	return txs
}

// encoded is a list of receipts for a trie.
type encoded [][]byte

func (e encoded) Len() int                           { return len(e) }
func (e encoded) EncodeIndex(i int, w *bytes.Buffer) { w.Write(e[i]) }

// rooted accepts receipts that make this root.
func rooted(root common.Hash) func([]*TxReceipt) error {
	return func(all []*TxReceipt) error {
		var e encoded
		for _, r := range all {
			raw, err := r.Encode()
			if err != nil {
				return err
			}
			e = append(e, raw)
		}
		if got := types.DeriveSha(e, trie.NewStackTrie(nil)); got != root {
			return fmt.Errorf("root %s, want %s", got, root)
		}
		return nil
	}
}

// TestChain asks a real chain by way of three nodes: one that is honest, one that gives receipts one by one
// only, and one that lies; and then again after a reorg.
func TestChain(t *testing.T) {
	c := openChain(t)
	poor := proxy(t, c, func(method string, answer map[string]any) {
		if method == "eth_getBlockReceipts" {
			delete(answer, "result")
			answer["error"] = map[string]any{"code": -32601, "message": "the method does not exist"}
		}
	})
	liar := proxy(t, c, func(method string, answer map[string]any) {
		switch m, _ := answer["result"].(map[string]any); {
		case m == nil && method != "eth_chainId":
			answer["result"] = "0x1"
		case m["stateRoot"] != nil:
			m["stateRoot"], m["hash"] = common.Hash{1}, common.Hash{2}
		case m["status"] != nil:
			m["status"] = "0x0"
		}
	})
	q, err := Dial(t.Context(), []string{liar, poor, c.URL()}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := c.Mine(3); err != nil {
		t.Fatal(err)
	}
	check := func(nonce uint64) {
		t.Helper()
		txs := transact(t, c, nonce)
		want, err := c.Client().HeaderByNumber(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := q.Head(t.Context())
		if err != nil || b.Hash != proofs.Hash(want.Hash()) || b.Time != want.Time || b.BaseFee.Cmp(want.BaseFee) != 0 {
			t.Fatalf("head %+v, %v", b, err)
		}
		raw, err := q.Header(t.Context(), b.Hash)
		var header types.Header
		if err != nil || rlp.DecodeBytes(raw, &header) != nil || header.Hash() != want.Hash() {
			t.Fatalf("header %x, %v", raw, err)
		}
		all, err := q.BlockReceipts(t.Context(), b.Hash, rooted(header.ReceiptHash))
		if err != nil || len(all) != len(txs) || all[2].Status != 0 || len(all[3].Logs) != 1 {
			t.Fatalf("receipts %+v, %v", all, err)
		}
		for i, tx := range txs {
			r, err := q.TxReceipt(t.Context(), proofs.Hash(tx))
			if err != nil {
				t.Fatal(err)
			}
			one, err := r.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if other, _ := all[i].Encode(); !bytes.Equal(one, other) || r.Index != uint64(i) || r.Block != b.Hash || r.Price == nil {
				t.Errorf("receipt %d is %+v", i, r)
			}
		}
		n, err := q.Nonce(t.Context(), b.Hash, proofs.Address(rich()))
		if err != nil || n != nonce+4 {
			t.Errorf("nonce %d, %v", n, err)
		}
		if _, err := q.Balance(t.Context(), b.Hash, proofs.Address(rich())); err != nil {
			t.Error(err)
		}
		logs, err := q.Logs(t.Context(), b.Number, b.Number, proofs.Address(crypto.CreateAddress(rich(), nonce)))
		if err != nil || len(logs) != 1 || logs[0].TxHash != txs[0] {
			t.Errorf("logs %+v, %v", logs, err)
		}
	}
	check(0)
	if h := q.Health(); h[0].Outvoted == 0 || h[1].Outvoted+h[2].Outvoted > 0 {
		t.Errorf("health: %+v", h)
	}
	old, err := c.Client().HeaderByNumber(t.Context(), big.NewInt(3))
	if err == nil {
		err = c.Fork(old.Hash())
	}
	if err != nil {
		t.Fatal(err)
	}
	c.DropPool()
	check(0)
	if f, err := q.Tagged(t.Context(), "finalized"); err != nil || f == nil || f.Number != 2 {
		t.Errorf("finalized %+v, %v", f, err)
	}
	if _, err := q.TxReceipt(t.Context(), proofs.Hash{1}); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

// TestChains asks two chains of one genesis, which differ in all later blocks, and a third node that is on
// the first of them.
func TestChains(t *testing.T) {
	a, b := openChain(t), openChain(t)
	if err := errors.Join(a.Mine(5), b.Mine(7)); err != nil {
		t.Fatal(err)
	}
	two, err := Dial(t.Context(), []string{a.URL(), b.URL()}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if head, err := two.Head(t.Context()); err != nil || head.Number != 0 {
		t.Errorf("head %+v, %v", head, err)
	}
	if _, err := two.BlockAt(t.Context(), 3); !errors.Is(err, ErrNoQuorum) {
		t.Error(err)
	}
	three, err := Dial(t.Context(), []string{b.URL(), a.URL(), proxy(t, a, func(string, map[string]any) {})}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer three.Close()
	want, err := a.Client().HeaderByNumber(t.Context(), big.NewInt(5))
	if err != nil {
		t.Fatal(err)
	}
	if head, err := three.Head(t.Context()); err != nil || head.Hash != proofs.Hash(want.Hash()) {
		t.Errorf("head %+v, %v; want %s", head, err, want.Hash())
	}
}

// BenchmarkHead reads the head of three nodes in this process, over HTTP.
func BenchmarkHead(b *testing.B) {
	c := openChain(b)
	if err := c.Mine(3); err != nil {
		b.Fatal(err)
	}
	same := func(string, map[string]any) {}
	q, err := Dial(b.Context(), []string{c.URL(), proxy(b, c, same), proxy(b, c, same)}, Config{})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	for b.Loop() {
		if _, err := q.Head(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
