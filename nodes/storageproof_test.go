package nodes

import (
	"bufio"
	"errors"
	"math/big"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/proofs"
)

// openAnvil runs Foundry's node, which mines when it is told to, until the test ends, and returns its URL.
func openAnvil(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("../node_modules/.bin/anvil", "--port", "0", "--no-mining", "--chain-id", "1337")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("%v; npm ci brings anvil", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			return "http://" + address
		}
	}
	t.Fatal("anvil did not say where it listens")
	return ""
}

// logSite is an AnchorLog on a real chain with a log of 2 batches and 12 messages.
type logSite struct {
	log           proofs.Chain
	before, after proofs.Hash // blocks: the contract is there, and the log has its batches
}

// openLog deploys AnchorLog, and anchors in the next block.
func openLog(t *testing.T, url string, mine func()) logSite {
	t.Helper()
	c, err := ethclient.DialContext(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	nonce := uint64(0)
	transact := func(to *common.Address, data []byte) {
		t.Helper()
		tx, err := types.SignNewTx(richKey, types.LatestSignerForChainID(big.NewInt(1337)),
			&types.LegacyTx{Nonce: nonce, GasPrice: big.NewInt(1e11), Gas: 2_000_000, To: to, Data: data})
		if err == nil {
			err = c.SendTransaction(t.Context(), tx)
		}
		if err != nil {
			t.Fatal(err)
		}
		nonce++
	}
	block := func() proofs.Hash {
		t.Helper()
		for mined := uint64(0); mined < nonce; { // a block may come before the pool has sorted what it was sent
			mine()
			var err error
			if mined, err = c.NonceAt(t.Context(), rich(), nil); err != nil {
				t.Fatal(err)
			}
		}
		h, err := c.HeaderByNumber(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		return proofs.Hash(h.Hash())
	}
	at, owner, contract := crypto.CreateAddress(rich(), 0), proofs.Address(rich()), bindings.NewAnchorLog()
	s := logSite{log: proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address(at), Log: proofs.LogID(owner, proofs.Hash{1})}}
	transact(nil, common.FromHex(bindings.AnchorLogMetaData.Bin))
	s.before = block()
	transact(&at, contract.PackOpen([32]byte{1}, rich()))
	transact(&at, contract.PackAnchor(s.log.Log, big.NewInt(0), [32]byte{2}, big.NewInt(5), [32]byte{3}))
	transact(&at, contract.PackAnchor(s.log.Log, big.NewInt(1), [32]byte{4}, big.NewInt(7), [32]byte{5}))
	s.after = block()
	return s
}

// TestStorageProof proves the head of a real log by go-ethereum and by anvil.
func TestStorageProof(t *testing.T) {
	chains := map[string]func(t *testing.T) (url string, mine func()){
		"devchain": func(t *testing.T) (string, func()) {
			c := openChain(t)
			return c.URL(), func() {
				if err := c.Mine(1); err != nil {
					t.Fatal(err)
				}
			}
		},
		"anvil": func(t *testing.T) (string, func()) {
			url := openAnvil(t)
			c, err := rpc.DialContext(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			do := func(method string, args ...any) {
				if err := c.CallContext(t.Context(), nil, method, args...); err != nil {
					t.Fatal(err)
				}
			}
			do("anvil_setBalance", rich(), "0xde0b6b3a7640000")
			return url, func() { do("anvil_mine", "0x1") }
		},
	}
	for name, open := range chains {
		t.Run(name, func(t *testing.T) {
			url, mine := open(t)
			s := openLog(t, url, mine)
			q, err := Dial(t.Context(), []string{url}, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			want := proofs.AnchorLogHead{Submitter: proofs.Address(rich()), Batches: 2, Messages: 12}
			s.check(t, q, s.log, s.after, want)
			never := s.log
			never.Log[0] ^= 1
			s.check(t, q, never, s.after, proofs.AnchorLogHead{})
			s.check(t, q, s.log, s.before, proofs.AnchorLogHead{}) // no slot is written yet
			mine()
			s.check(t, q, s.log, s.after, want)
			slot := proofs.AnchorLogHeadSlot(s.log.Log)
			for what, account := range map[string]proofs.Address{"an account without code": proofs.Address(rich()), "no account": {0xff}} {
				if _, _, _, err := q.StorageProof(t.Context(), s.after, account, slot); !errors.Is(err, ErrNoQuorum) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, _, _, err := q.StorageProof(t.Context(), proofs.Hash{1}, s.log.AnchorLog, slot); !errors.Is(err, ErrNotFound) {
				t.Errorf("no block: %v", err)
			}
		})
	}
}

// check holds the log's head at a block.
func (s logSite) check(t *testing.T, q *Quorum, c proofs.Chain, block proofs.Hash, want proofs.AnchorLogHead) {
	t.Helper()
	header, account, storage, err := q.StorageProof(t.Context(), block, c.AnchorLog, proofs.AnchorLogHeadSlot(c.Log))
	if err != nil {
		t.Fatal(err)
	}
	h, err := proofs.ParseHeader(header)
	if err != nil {
		t.Fatal(err)
	}
	p := &proofs.HeadProof{Block: proofs.BlockRef{Number: h.Number, Hash: block}, Header: header, Account: account, Storage: storage}
	if _, got, err := proofs.VerifyHead(p, c); err != nil || got != want {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
}

// TestStorageProofLies has a node that answers eth_getProof in another way, alone and beside an honest one.
func TestStorageProofLies(t *testing.T) {
	c := openChain(t)
	s := openLog(t, c.URL(), func() {
		if err := c.Mine(1); err != nil {
			t.Fatal(err)
		}
	})
	slotOf := func(r map[string]any) map[string]any { return r["storageProof"].([]any)[0].(map[string]any) }
	lies := map[string]func(r map[string]any){
		"no slot":               func(r map[string]any) { r["storageProof"] = []any{} },
		"slots":                 func(r map[string]any) { r["storageProof"] = []any{slotOf(r), slotOf(r)} },
		"null slot":             func(r map[string]any) { r["storageProof"] = nil },
		"no nodes of the slot":  func(r map[string]any) { slotOf(r)["proof"] = []any{} },
		"an empty trie":         func(r map[string]any) { slotOf(r)["proof"] = []any{"0x80"} },
		"a node less":           func(r map[string]any) { slotOf(r)["proof"] = slotOf(r)["proof"].([]any)[1:] },
		"cut off":               func(r map[string]any) { slotOf(r)["proof"] = slotOf(r)["proof"].([]any)[:1] },
		"no account":            func(r map[string]any) { r["accountProof"] = nil },
		"the slot's as account": func(r map[string]any) { r["accountProof"] = slotOf(r)["proof"] },
		"no hex":                func(r map[string]any) { r["accountProof"] = []any{"zz"} },
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			liar := proxy(t, c, func(method string, answer map[string]any) {
				if r, ok := answer["result"].(map[string]any); ok && method == "eth_getProof" {
					lie(r)
				}
			})
			alone, err := Dial(t.Context(), []string{liar}, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer alone.Close()
			if _, _, _, err := alone.StorageProof(t.Context(), s.after, s.log.AnchorLog, proofs.AnchorLogHeadSlot(s.log.Log)); !errors.Is(err, ErrNoQuorum) {
				t.Errorf("alone: %v", err)
			}
			both, err := Dial(t.Context(), []string{liar, c.URL()}, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer both.Close()
			s.check(t, both, s.log, s.after, proofs.AnchorLogHead{Submitter: proofs.Address(rich()), Batches: 2, Messages: 12})
			if h := both.Health(); h[0].Outvoted+h[0].Errors == 0 || h[1].Outvoted+h[1].Errors > 0 {
				t.Errorf("health: %+v", h)
			}
		})
	}
}

// TestStorageProofByNumber has a node that knows no hashes of blocks.
func TestStorageProofByNumber(t *testing.T) {
	c := openChain(t)
	s := openLog(t, c.URL(), func() {
		if err := c.Mine(1); err != nil {
			t.Fatal(err)
		}
	})
	var asked atomic.Int32
	old := proxy(t, c, func(method string, answer map[string]any) {
		if method == "eth_getProof" && asked.Add(1) == 1 {
			delete(answer, "result")
			answer["error"] = map[string]any{"code": -32602, "message": "invalid argument 2: hex string expected"}
		}
	})
	q, err := Dial(t.Context(), []string{old}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	s.check(t, q, s.log, s.after, proofs.AnchorLogHead{Submitter: proofs.Address(rich()), Batches: 2, Messages: 12})
	if n := asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}
