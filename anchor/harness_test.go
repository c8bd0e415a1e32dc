package anchor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

type testKey struct{ *ecdsa.PrivateKey }

func newKey(name string) testKey {
	h := proofs.Keccak([]byte(name))
	k, err := crypto.ToECDSA(h[:])
	if err != nil {
		panic(err)
	}
	return testKey{k}
}

func (k testKey) Address() proofs.Address { return proofs.Address(crypto.PubkeyToAddress(k.PublicKey)) }

func (k testKey) SignTx(_ context.Context, tx *types.Transaction, id *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(id), k.PrivateKey)
}

// The accounts of every test. pauper has no funds.
var submitter, stranger, pauper = newKey("submitter"), newKey("stranger"), newKey("pauper")

// oracle says what data costs, as that of the OP stack does.
var oracle = common.HexToAddress("0x420000000000000000000000000000000000000F")

// request is a JSON-RPC request on its way to the chain.
type request struct {
	ctx    context.Context
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

// fault stands between client and chain. next asks the chain.
type fault func(r *request, next func() []byte) ([]byte, error)

// harness is a chain with the contract and a log, a client that tests can disturb, and a store.
type harness struct {
	*testing.T
	chain  *devchain.Chain
	client *ethclient.Client
	fault  fault      // nil: none
	mu     sync.Mutex // guards calls
	calls  map[string]int
	log    proofs.Chain
	store  *memStore
	mixed  uint64                    // transactions of transact so far
	next   map[common.Address]uint64 // nonce after those of transact
	clock  time.Time                 // of the chain; a fork moves it on
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	ether := new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))
	h := &harness{T: t, calls: map[string]int{}, next: map[common.Address]uint64{}, clock: time.Unix(1_800_000_000, 0)}
	chain, err := devchain.Open(devchain.Config{HTTPAddr: "127.0.0.1:0", Now: func() time.Time { return h.clock }, Alloc: types.GenesisAlloc{
		common.Address(submitter.Address()): {Balance: ether},
		common.Address(stranger.Address()):  {Balance: ether},
		oracle:                              {Balance: new(big.Int), Code: common.FromHex("662386f26fc1000060005260206000f3")}, // returns 10^16
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := chain.Close(); err != nil {
			t.Error(err)
		}
	})
	h.chain = chain
	raw, err := rpc.DialOptions(t.Context(), chain.URL(), rpc.WithHTTPClient(h.httpClient()))
	if err != nil {
		t.Fatal(err)
	}
	h.client = ethclient.NewClient(raw)
	h.fault = h.mineAtOnce
	w := h.wallet(submitter)
	h.log = proofs.Chain{ChainID: devchain.DefaultChainID}
	if h.log.AnchorLog, err = w.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h.log.Log, err = w.OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{1}, submitter.Address()); err != nil {
		t.Fatal(err)
	}
	h.fault = nil
	h.store = &memStore{t: t}
	return h
}

// mineAtOnce mines each transaction before the sender hears of it.
func (h *harness) mineAtOnce(r *request, next func() []byte) ([]byte, error) {
	answer := next()
	if r.Method == "eth_sendRawTransaction" {
		h.mine(1)
	}
	return answer, nil
}

// RoundTrip hands a request to the chain by way of the fault.
func (h *harness) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r := &request{ctx: req.Context()}
	if err := json.Unmarshal(body, r); err != nil {
		return nil, err
	}
	h.mu.Lock()
	h.calls[r.Method]++
	h.mu.Unlock()
	var trouble error
	next := func() []byte {
		body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": r.ID, "method": r.Method, "params": r.Params})
		if err != nil {
			trouble = err
			return nil
		}
		out, err := http.Post(h.chain.URL(), "application/json", bytes.NewReader(body))
		if err != nil {
			trouble = err
			return nil
		}
		defer out.Body.Close()
		var answer []byte
		answer, trouble = io.ReadAll(out.Body)
		return answer
	}
	var answer []byte
	if f := h.fault; f != nil {
		answer, err = f(r, next)
	} else {
		answer = next()
	}
	if err := errors.Join(err, trouble); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(answer)), Request: req}, nil
}

func (h *harness) httpClient() *http.Client { return &http.Client{Transport: h} }

func (h *harness) wallet(key testKey) *Wallet {
	return &Wallet{Nodes: h.nodes(), ChainID: devchain.DefaultChainID, Signer: key, Poll: 1}
}

func (h *harness) nodes() *nodes.Quorum {
	h.Helper()
	q, err := nodes.New([]nodes.Node{{Name: "node", RPC: h.client.Client()}}, nodes.Config{})
	if err != nil {
		h.Fatal(err)
	}
	return q
}

func (h *harness) config() Config {
	q := h.nodes()
	return Config{Nodes: q, Log: h.log, Signers: []Signer{submitter}, Store: h.store,
		Logger: slog.New(slog.NewTextHandler(h.Output(), nil))}
}

// anchorer is a fresh one, as after a restart.
func (h *harness) anchorer() *Anchorer {
	h.Helper()
	return h.configured(h.config())
}

func (h *harness) configured(cfg Config) *Anchorer {
	h.Helper()
	a, err := New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	return a
}

func (h *harness) step(a *Anchorer) {
	h.Helper()
	if err := a.Step(h.Context()); err != nil {
		h.Fatalf("step: %v", err)
	}
}

func (h *harness) mine(n int) {
	h.Helper()
	if err := h.chain.Mine(n); err != nil {
		h.Fatal(err)
	}
}

func (h *harness) head() *types.Header {
	h.Helper()
	head, err := h.chain.Client().HeaderByNumber(h.Context(), nil)
	if err != nil {
		h.Fatal(err)
	}
	return head
}

// fork goes back by that many blocks and, unless the dropped transactions are to stay in the pool,
// forgets them.
func (h *harness) fork(depth uint64, keep bool) {
	h.Helper()
	h.clock = h.clock.Add(time.Minute)
	clear(h.next)
	n := h.head().Number.Uint64() - depth
	b, err := h.chain.Client().HeaderByNumber(h.Context(), new(big.Int).SetUint64(n))
	if err != nil {
		h.Fatal(err)
	}
	if err := h.chain.Fork(b.Hash()); err != nil {
		h.Fatal(err)
	}
	if !keep {
		h.chain.DropPool()
	}
}

// transact sends a transaction of key as it stands, of a type by turns, and does not mine it.
func (h *harness) transact(key testKey, to proofs.Address, data []byte, tip int64) common.Hash {
	h.Helper()
	c, from := h.chain.Client(), common.Address(key.Address())
	nonce, err := c.NonceAt(h.Context(), from, nil)
	if err != nil {
		h.Fatal(err)
	}
	nonce = max(nonce, h.next[from])
	h.next[from] = nonce + 1
	id, at := big.NewInt(devchain.DefaultChainID), common.Address(to)
	fee := new(big.Int).Add(big.NewInt(1e11), big.NewInt(tip))
	all := []types.TxData{
		&types.LegacyTx{Nonce: nonce, GasPrice: fee, Gas: 300_000, To: &at, Data: data},
		&types.AccessListTx{ChainID: id, Nonce: nonce, GasPrice: fee, Gas: 300_000, To: &at, Data: data},
		&types.DynamicFeeTx{ChainID: id, Nonce: nonce, GasTipCap: big.NewInt(tip), GasFeeCap: fee, Gas: 300_000, To: &at, Data: data},
	}
	tx, err := types.SignNewTx(key.PrivateKey, types.LatestSignerForChainID(id), all[h.mixed%3])
	h.mixed++
	if err == nil {
		err = c.SendTransaction(h.Context(), tx)
	}
	if err != nil {
		h.Fatal(err)
	}
	for n := uint64(0); n <= nonce; { // the pool takes it up on its own time
		if n, err = c.PendingNonceAt(h.Context(), from); err != nil {
			h.Fatal(err)
		}
	}
	return tx.Hash()
}

// checkChain holds the chain against the store: each batch that is included or more is anchored once,
// with its content, in a canonical block of its time, and every final one has a proof that verifies.
func (h *harness) checkChain() {
	h.Helper()
	logs, err := h.chain.Client().FilterLogs(h.Context(), ethereum.FilterQuery{
		Addresses: []common.Address{common.Address(h.log.AnchorLog)}, Topics: [][]common.Hash{{anchoredEvent}},
	})
	if err != nil {
		h.Fatal(err)
	}
	if n := len(h.store.batches); len(logs) > n {
		h.Errorf("%d batches are anchored, the store has %d", len(logs), n)
	}
	for i, s := range h.store.batches {
		if s.State < proofs.StateIncluded {
			continue
		}
		if i >= len(logs) {
			h.Errorf("batch %d is %s and not anchored", i, s.State)
			continue
		}
		block, err := h.chain.Client().HeaderByNumber(h.Context(), new(big.Int).SetUint64(logs[i].BlockNumber))
		if err != nil {
			h.Fatal(err)
		}
		want := proofs.BlockRef{Number: block.Number.Uint64(), Hash: proofs.Hash(block.Hash())}
		if s.Anchor.Block != want || s.Time != block.Time || s.Tx != proofs.Hash(logs[i].TxHash) || uint64(logs[i].TxIndex) != s.Anchor.TxIndex {
			h.Errorf("batch %d: stored block %v, time %d, tx %s, index %d; on chain %v, %d, %s, %d", i, s.Anchor.Block,
				s.Time, s.Tx, s.Anchor.TxIndex, want, block.Time, logs[i].TxHash, logs[i].TxIndex)
		}
		if s.State == proofs.StateFinalized {
			if _, err := proofs.VerifyAnchor(s.Anchor, s.Batch, h.log); err != nil {
				h.Errorf("batch %d: %v", i, err)
			}
		}
	}
}

// wantStates checks the states that a batch went through.
func (h *harness) wantStates(number int, want ...proofs.State) {
	h.Helper()
	if got := h.store.history[number]; !slices.Equal(got, want) {
		h.Errorf("batch %d went through %v, want %v", number, got, want)
	}
}

// memStore holds the contract of Store against its caller.
type memStore struct {
	t       *testing.T
	batches []proofs.Sealed
	history [][]proofs.State
	writes  int
	// fail decides about a write, counted from 1: before it is done, and after.
	fail func(write int, done bool) error
	read chan struct{} // if not nil, told of each Unfinal
}

// add seals the next batch.
func (m *memStore) add() {
	n, first := uint64(len(m.batches)), uint64(0)
	if n > 0 {
		first = m.batches[n-1].First + m.batches[n-1].Size
	}
	b := proofs.Batch{Number: n, Root: proofs.Keccak([]byte{byte(n), 0}), First: first, Size: 3 + n%5, CID: proofs.Keccak([]byte{byte(n), 1})}
	m.batches = append(m.batches, proofs.Sealed{Batch: b, State: proofs.StateBatched})
	m.history = append(m.history, nil)
}

func (m *memStore) Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error) {
	if m.read != nil {
		m.read <- struct{}{}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []proofs.Sealed
	for _, s := range m.batches {
		if s.State < proofs.StateFinalized && len(out) < limit {
			s.Txs = slices.Clone(s.Txs)
			out = append(out, s)
		}
	}
	return out, nil
}

// write does a write and fails as the test wishes.
func (m *memStore) write(ctx context.Context, do func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.writes++
	if m.fail != nil {
		if err := m.fail(m.writes, false); err != nil {
			return err
		}
	}
	do()
	if m.fail != nil {
		return m.fail(m.writes, true)
	}
	return nil
}

func (m *memStore) SaveTx(ctx context.Context, number uint64, raw []byte) error {
	return m.write(ctx, func() {
		s := &m.batches[number]
		if s.State >= proofs.StateIncluded {
			m.t.Errorf("batch %d: transaction stored in state %s", number, s.State)
		}
		s.Txs = append(s.Txs, raw)
		m.enter(number, proofs.StateSubmitted)
	})
}

func (m *memStore) enter(number uint64, state proofs.State) {
	m.batches[number].State = state
	m.history[number] = append(m.history[number], state)
}

func (m *memStore) SetAnchor(ctx context.Context, number uint64, st proofs.Standing) error {
	return m.write(ctx, func() {
		s := &m.batches[number]
		if problem := m.illegal(s, st.State, st.Time, st.Tx, st.Anchor); problem != "" {
			m.t.Errorf("batch %d from %s to %s: %s", number, s.State, st.State, problem)
		}
		same := st.State == s.State
		s.Stand(st)
		if !same {
			m.enter(number, st.State)
		}
	})
}

func (m *memStore) Recent(_ context.Context, since uint64) (spent []proofs.Spend, err error) {
	for _, s := range m.batches {
		for _, sp := range s.Spent {
			if s.State == proofs.StateFinalized && sp.Time >= since {
				spent = append(spent, sp)
			}
		}
	}
	return spent, nil
}

func (m *memStore) illegal(s *proofs.Sealed, state proofs.State, time uint64, tx proofs.Hash, a *proofs.Anchor) string {
	switch from := s.State; {
	case from == proofs.StateFinalized:
		return "nothing leaves finalized"
	case state == proofs.StateSubmitted:
		if from < proofs.StateSubmitted || time != 0 || !tx.IsZero() || a != nil {
			return fmt.Sprintf("back with time %d, tx %s, anchor %v", time, tx, a)
		}
	case state < proofs.StateIncluded || state <= from || from < proofs.StateIncluded && state != proofs.StateIncluded:
		return "no such transition"
	case a == nil || time == 0 || tx.IsZero():
		return "without anchor, time or tx"
	case from >= proofs.StateIncluded && (a.Block != s.Anchor.Block || time != s.Time || tx != s.Tx):
		return "another block"
	case (state == proofs.StateFinalized) != (len(a.Header) > 0 && len(a.Proof) > 0):
		return "header and proof belong to finalized"
	}
	return ""
}
