package faultrpc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/internal/faultrpc"
)

var key, _ = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")

// node is a chain of eight blocks with a transfer in each, behind a proxy.
type node struct {
	*testing.T
	chain  *devchain.Chain
	proxy  *faultrpc.Proxy
	client *ethclient.Client // by way of the proxy
	txs    []common.Hash     // of blocks 1 to 8
}

func from(k *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(k.PublicKey) }

func newNode(t *testing.T) *node {
	t.Helper()
	chain, err := devchain.Open(devchain.Config{HTTPAddr: "127.0.0.1:0", Alloc: types.GenesisAlloc{from(key): {Balance: big.NewInt(1e18)}}})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{T: t, chain: chain, proxy: faultrpc.New(chain.URL())}
	server := httptest.NewServer(n.proxy)
	t.Cleanup(func() {
		n.client.Close()
		server.Close()
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	})
	if n.client, err = ethclient.DialContext(t.Context(), server.URL); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		n.transfer()
	}
	n.proxy.Reset()
	return n
}

// transfer mines one wei to nobody.
func (n *node) transfer() {
	n.Helper()
	tx := n.sign(uint64(len(n.txs)))
	if err := n.chain.Client().SendTransaction(n.Context(), tx); err != nil {
		n.Fatal(err)
	}
	if err := n.chain.Mine(1); err != nil {
		n.Fatal(err)
	}
	n.txs = append(n.txs, tx.Hash())
}

func (n *node) sign(nonce uint64) *types.Transaction {
	n.Helper()
	id := big.NewInt(devchain.DefaultChainID)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &common.Address{1}, Value: big.NewInt(1), Gas: 25_000, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(1e10),
	})
	if err != nil {
		n.Fatal(err)
	}
	return tx
}

func (n *node) header(number int64) *types.Header {
	n.Helper()
	h, err := n.client.HeaderByNumber(n.Context(), big.NewInt(number))
	if err != nil {
		n.Fatal(err)
	}
	return h
}

func (n *node) wantHits(name string, least int) {
	n.Helper()
	if got := n.proxy.Hits()[name]; got < least {
		n.Errorf("fault %q made a difference to %d calls, want at least %d: %v", name, got, least, n.proxy.Hits())
	}
}

func TestBreaks(t *testing.T) {
	n := newNode(t)
	for name, tc := range map[string]struct {
		fault faultrpc.Fault
		want  func(error) bool
	}{
		"hang":       {faultrpc.Hang(), func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
		"reset":      {faultrpc.Reset(), func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		"late reset": {faultrpc.LateReset(), func(err error) bool { return errors.Is(err, syscall.ECONNRESET) }},
		"status 429": {faultrpc.Status(429), status(http.StatusTooManyRequests)},
		"status 500": {faultrpc.Status(500), status(http.StatusInternalServerError)},
		"malformed":  {faultrpc.Malformed(), func(err error) bool { return strings.Contains(err.Error(), "unexpected EOF") }},
		"error": {faultrpc.Refuse(-32005, "slow down"), func(err error) bool {
			var e rpc.Error
			return errors.As(err, &e) && e.ErrorCode() == -32005 && e.Error() == "slow down"
		}},
		"null": {faultrpc.Null(), func(err error) bool { return errors.Is(err, ethereum.NotFound) }},
	} {
		t.Run(name, func(t *testing.T) {
			n.proxy.Set(tc.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := n.client.HeaderByNumber(ctx, nil); err == nil || !tc.want(err) {
				t.Errorf("got %v", err)
			}
			batch := []rpc.BatchElem{{Method: "eth_blockNumber", Result: new(any)}, {Method: "eth_chainId", Result: new(any)}}
			err := n.client.Client().BatchCallContext(ctx, batch)
			if err == nil && batch[0].Error == nil && *batch[0].Result.(*any) != nil {
				t.Error("a batch is not disturbed")
			}
			n.proxy.Set()
			if _, err := n.client.HeaderByNumber(t.Context(), nil); err != nil {
				t.Errorf("healed: %v", err)
			}
		})
	}
}

func status(code int) func(error) bool {
	return func(err error) bool {
		var e rpc.HTTPError
		return errors.As(err, &e) && e.StatusCode == code
	}
}

func TestHooks(t *testing.T) {
	n := newNode(t)
	var got []string
	note := func(when string) func(faultrpc.Call) {
		return func(c faultrpc.Call) { got = append(got, when+" "+c.Method) }
	}
	n.proxy.Set(faultrpc.Before(2, note("before")), faultrpc.After(3, note("after"), "eth_chainId"), faultrpc.Hang("eth_gasPrice"))
	batch := []rpc.BatchElem{
		{Method: "eth_chainId", Result: new(any)}, {Method: "eth_blockNumber", Result: new(any)},
		{Method: "eth_syncing", Result: new(any)}, {Method: "eth_chainId", Result: new(any)}, {Method: "eth_chainId", Result: new(any)},
	}
	if err := n.client.Client().BatchCallContext(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"before eth_blockNumber", "after eth_chainId"}, got); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{"eth_chainId": 3, "eth_blockNumber": 1, "eth_syncing": 1}, n.proxy.Calls()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if hits := n.proxy.Hits(); len(hits) != 0 {
		t.Errorf("hits of faults that change nothing: %v", hits)
	}
}

func TestLag(t *testing.T) {
	n := newNode(t)
	all := n.header(8)
	five := n.header(5).Hash()
	n.proxy.Set(faultrpc.Lag(3))
	c := n.client
	if number, err := c.BlockNumber(t.Context()); number != 5 || err != nil {
		t.Errorf("block number %d, %v", number, err)
	}
	for _, tag := range []struct{ tag, want int64 }{{int64(rpc.LatestBlockNumber), 5}, {int64(rpc.SafeBlockNumber), 4}, {int64(rpc.FinalizedBlockNumber), 3}, {5, 5}} {
		if h := n.header(tag.tag); h.Number.Int64() != tag.want {
			t.Errorf("block %d is %d, want %d", tag.tag, h.Number, tag.want)
		}
	}
	for name, ask := range map[string]func() error{
		"number":     func() error { _, err := c.HeaderByNumber(t.Context(), big.NewInt(6)); return err },
		"hash":       func() error { _, err := c.HeaderByHash(t.Context(), all.Hash()); return err },
		"receipt":    func() error { _, err := c.TransactionReceipt(t.Context(), n.txs[5]); return err },
		"tx":         func() error { _, _, err := c.TransactionByHash(t.Context(), n.txs[5]); return err },
		"state":      func() error { _, err := c.BalanceAt(t.Context(), from(key), big.NewInt(6)); return err },
		"state hash": func() error { _, err := c.NonceAtHash(t.Context(), from(key), all.Hash()); return err },
	} {
		if err := ask(); err == nil {
			t.Errorf("%s of a younger block is known", name)
		}
	}
	if nonce, err := c.NonceAt(t.Context(), from(key), nil); nonce != 5 || err != nil {
		t.Errorf("nonce %d, %v", nonce, err)
	}
	if nonce, err := c.NonceAtHash(t.Context(), from(key), five); nonce != 5 || err != nil {
		t.Errorf("nonce at block 5: %d, %v", nonce, err)
	}
	if receipts, err := c.BlockReceipts(t.Context(), rpc.BlockNumberOrHashWithHash(five, false)); len(receipts) != 1 || err != nil {
		t.Errorf("receipts of block 5: %v, %v", receipts, err)
	}
	if r, err := c.TransactionReceipt(t.Context(), n.txs[4]); err != nil || r.BlockHash != five {
		t.Errorf("receipt in block 5: %v, %v", r, err)
	}
	n.wantHits("lag", 10)
}

func TestReceiptFaults(t *testing.T) {
	n := newNode(t)
	seven := n.header(7).Hash()
	n.proxy.Set(faultrpc.DropReceipt(func(tx common.Hash) bool { return tx == n.txs[6] }))
	if _, err := n.client.TransactionReceipt(t.Context(), n.txs[6]); !errors.Is(err, ethereum.NotFound) {
		t.Errorf("dropped receipt: %v", err)
	}
	if list, err := n.client.BlockReceipts(t.Context(), rpc.BlockNumberOrHashWithHash(seven, false)); len(list) != 0 || err != nil {
		t.Errorf("receipts of the block: %v, %v", list, err)
	}
	if r, err := n.client.TransactionReceipt(t.Context(), n.txs[5]); err != nil || r.BlockNumber.Int64() != 6 {
		t.Errorf("another receipt: %v, %v", r, err)
	}
	n.wantHits("drop receipt", 2)

	rec := faultrpc.NewRecorder()
	n.proxy.Set(rec.Record())
	before, err := n.client.TransactionReceipt(t.Context(), n.txs[7])
	if err != nil {
		t.Fatal(err)
	}
	if err := n.chain.Fork(seven); err != nil {
		t.Fatal(err)
	}
	n.chain.DropPool()
	if err := n.chain.Mine(2); err != nil {
		t.Fatal(err)
	}
	if _, err := n.client.TransactionReceipt(t.Context(), n.txs[7]); !errors.Is(err, ethereum.NotFound) {
		t.Errorf("after the reorg: %v", err)
	}
	n.proxy.Set(rec.Replay("eth_getTransactionReceipt"))
	if r, err := n.client.TransactionReceipt(t.Context(), n.txs[7]); err != nil || r.BlockHash != before.BlockHash {
		t.Errorf("receipt of the orphaned block: %v, %v", r, err)
	}
	n.wantHits("replay", 1)
}

func TestSends(t *testing.T) {
	n := newNode(t)
	tx := n.sign(8)
	n.proxy.Set(faultrpc.SwallowSend())
	if err := n.client.SendTransaction(t.Context(), tx); err != nil {
		t.Error(err)
	}
	pending := func() uint64 {
		nonce, err := n.chain.Client().PendingNonceAt(t.Context(), from(key))
		if err != nil {
			t.Fatal(err)
		}
		return nonce
	}
	if got := pending(); got != 8 {
		t.Errorf("pending nonce %d after a swallowed transaction", got)
	}
	n.proxy.Set(faultrpc.FailSend("internal error"))
	if err := n.client.SendTransaction(t.Context(), tx); err == nil || err.Error() != "internal error" {
		t.Errorf("got %v", err)
	}
	if err := n.chain.Mine(1); err != nil {
		t.Fatal(err)
	}
	if got := pending(); got != 9 {
		t.Errorf("pending nonce %d after a transaction that was said to have failed", got)
	}
	n.wantHits("swallow send", 1)
	n.wantHits("fail send", 1)
}

func TestLies(t *testing.T) {
	n := newNode(t)
	other := newNode(t)
	lie := big.NewInt(12345)
	n.proxy.Set(faultrpc.ChainID(5), faultrpc.BaseFee(lie), faultrpc.Nonce(77), faultrpc.Balance(lie))
	if id, err := n.client.ChainID(t.Context()); err != nil || id.Int64() != 5 {
		t.Errorf("chain id %v, %v", id, err)
	}
	if fee := n.header(8).BaseFee; fee.Cmp(lie) != 0 {
		t.Errorf("base fee %v", fee)
	}
	if b, err := n.client.BalanceAt(t.Context(), from(key), nil); err != nil || b.Cmp(lie) != 0 {
		t.Errorf("balance %v, %v", b, err)
	}
	if nonce, err := n.client.NonceAt(t.Context(), from(key), nil); err != nil || nonce != 77 {
		t.Errorf("nonce %d, %v", nonce, err)
	}
	n.proxy.Set(faultrpc.Edit("eth_getTransactionReceipt", func(v any) any { v.(map[string]any)["status"] = "0x0"; return v }))
	if r, err := n.client.TransactionReceipt(t.Context(), n.txs[0]); err != nil || r.Status != 0 {
		t.Errorf("receipt %v, %v", r, err)
	}
	n.proxy.Set(faultrpc.Elsewhere(other.chain.URL()))
	if got, want := n.header(8).Hash(), other.header(8).Hash(); got != want {
		t.Errorf("block %s, want the other chain's %s", got, want)
	}
}

// TestForgery shows that a forged chain holds together, so that only other nodes can tell.
func TestForgery(t *testing.T) {
	n := newNode(t)
	truth := n.header(6)
	n.proxy.Set(faultrpc.NewForgery(6, func(h *types.Header) { h.Time += 100 }, func(r *types.Receipt) { r.Status = 0 }).Lie())
	parent := n.header(5)
	for number := int64(6); number <= 8; number++ {
		h := n.header(number)
		if h.ParentHash != parent.Hash() || number == 6 && h.Hash() == truth.Hash() {
			t.Errorf("block %d on %s, want %s", number, h.ParentHash, parent.Hash())
		}
		parent = h
		var said struct{ Hash common.Hash }
		if err := n.client.Client().CallContext(t.Context(), &said, "eth_getBlockByHash", h.Hash(), false); err != nil || said.Hash != h.Hash() {
			t.Errorf("block %d by hash: %s, %v", number, said.Hash, err)
		}
		list, err := n.client.BlockReceipts(t.Context(), rpc.BlockNumberOrHashWithHash(h.Hash(), false))
		if err != nil {
			t.Fatal(err)
		}
		if root := types.DeriveSha(types.Receipts(list), trie.NewListHasher()); root != h.ReceiptHash || list[0].Status != 0 {
			t.Errorf("block %d: receipts root %s, header %s, status %d", number, root, h.ReceiptHash, list[0].Status)
		}
		one, err := n.client.TransactionReceipt(t.Context(), n.txs[number-1])
		if err != nil || one.BlockHash != h.Hash() || one.Status != 0 {
			t.Errorf("receipt in block %d: %+v, %v", number, one, err)
		}
		if nonce, err := n.client.NonceAtHash(t.Context(), from(key), h.Hash()); err != nil || nonce != uint64(number) {
			t.Errorf("nonce at block %d: %d, %v", number, nonce, err)
		}
	}
	n.proxy.Set()
	if raw := n.header(6); !bytes.Equal(raw.Hash().Bytes(), truth.Hash().Bytes()) {
		t.Error("the truth changed")
	}
}
