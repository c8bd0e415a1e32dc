package faulttest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// The keys of every test. The author writes, the operator promises.
var (
	submitter = mustKey("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
	author    = mustKey("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")
	operator  = mustKey("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6")
)

// reserve is what the log keeps free on its disk, in bytes.
const reserve = 8 << 20

const (
	nearFinality = 2  // blocks, where the fault does not need more
	farFinality  = 26 // blocks: deeper than every reorg
)

// harness is a log on disk that is anchored by way of proxies on a chain.
type harness struct {
	*testing.T
	chain   chain
	client  *ethclient.Client // of the chain, undisturbed
	proxies []*faultrpc.Proxy
	urls    []string
	log     proofs.Chain
	dir     string
	db      *storage.DB
	store   *faultyStore
	batcher *batcher.Batcher
	pinner  *payload.Pinner
	sealed  chan struct{}
	stop    func()
	now     time.Duration // how far the service's clock is off

	anchorer *anchor.Anchorer
	answer   time.Duration // that a node may take
	maxFee   uint64        // wei; 0: no cap
	accepted []proofs.Hash
	tried    int
	finality int
	mayEnd   bool // the service may stop with a clear message, as long as the fault lasts
	ended    bool // it did
	lenient  bool // transactions of a reorg may be refused when they come again
	victim   atomic.Pointer[process]
}

// newHarness opens a log behind so many proxies.
func newHarness(t *testing.T, chainName string, finality, nodes int) *harness {
	t.Helper()
	return newHarnessIn(t, t.TempDir(), chainName, finality, nodes)
}

// newHarnessIn keeps the log below dir.
func newHarnessIn(t *testing.T, dir, chainName string, finality, nodes int) *harness {
	t.Helper()
	h := newSite(t, dir, chainName, finality, nodes)
	h.open()
	t.Cleanup(func() { h.stop() })
	h.anchorer = h.newAnchorer()
	return h
}

// newSite is a harness that leaves it to others to open the log.
func newSite(t *testing.T, dir, chainName string, finality, nodes int) *harness {
	t.Helper()
	h := &harness{T: t, chain: chains[chainName](t, finality), dir: dir, answer: 2 * time.Second, finality: finality}
	var err error
	if h.client, err = ethclient.DialContext(t.Context(), h.chain.url()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.client.Close)
	for range nodes {
		p := faultrpc.New(h.chain.url())
		server := httptest.NewServer(p)
		t.Cleanup(server.Close)
		h.proxies, h.urls = append(h.proxies, p), append(h.urls, server.URL)
	}
	h.setUp()
	return h
}

// setUp deploys the contract, opens the log and gives the submitter funds.
func (h *harness) setUp() {
	h.Helper()
	h.fund(submitter, ether(10))
	q, err := nodes.New([]nodes.Node{{Name: "chain", RPC: h.client.Client()}}, nodes.Config{})
	if err != nil {
		h.Fatal(err)
	}
	wallet := &anchor.Wallet{Nodes: q, Signer: rich, Poll: time.Millisecond}
	id, err := h.client.ChainID(h.Context())
	if err != nil {
		h.Fatal(err)
	}
	wallet.ChainID, h.log.ChainID = id.Uint64(), id.Uint64()
	h.mining(func(ctx context.Context) (err error) {
		for range 5 { // anvil can know that a nonce is used before it knows the receipt
			if h.log.AnchorLog, err = wallet.Deploy(ctx); err == nil {
				h.log.Log, err = wallet.OpenLog(ctx, h.log.AnchorLog, proofs.Keccak([]byte(h.Name())), submitter.Address())
			}
			if err == nil {
				return nil
			}
		}
		return err
	})
}

// mining mines blocks until do has returned.
func (h *harness) mining(do func(context.Context) error) {
	h.Helper()
	done := make(chan error, 1)
	go func() { done <- do(h.Context()) }()
	for {
		select {
		case err := <-done:
			if err != nil {
				h.Fatal(err)
			}
			return
		default:
			h.chain.mine(1)
		}
	}
}

// fund sends the account wei and mines that.
func (h *harness) fund(key key, wei *big.Int) {
	h.Helper()
	to := common.Address(key.Address())
	transact(h.T, h.client, rich, &to, nil, wei, 21_000, usualTip)
	h.chain.mine(1)
}

// open opens the log and starts to take messages.
func (h *harness) open() {
	h.Helper()
	var err error
	if h.db, err = storage.Open(h.storage()); err != nil {
		h.Fatal(err)
	}
	h.sealed = make(chan struct{}, 64)
	if h.batcher, err = batcher.New(batcher.Config{
		Chain: h.log, Store: h.db, Recover: identity.Recover, Logger: h.logger(), MaxAge: time.Hour,
		Sealed: func() { h.sealed <- struct{}{} },
		Now:    func() time.Time { return time.Now().Add(h.now) },
	}); err != nil {
		h.Fatal(err)
	}
	h.pinner = payload.New(payload.Config{Log: h.log.Log, Store: h.db, Node: memory{}, Pinned: func() {}, Logger: h.logger()})
	if h.store == nil {
		h.store = &faultyStore{}
	}
	h.store.DB = h.db
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.batcher.Run(ctx) }()
	h.stop = func() {
		cancel()
		if err := errors.Join(<-done, h.db.Close()); err != nil {
			h.Errorf("close the log: %v", err)
		}
		h.stop = func() {}
	}
}

func (h *harness) storage() storage.Config {
	return storage.Config{Dir: filepath.Join(h.dir, "log"), Chain: h.log, PromiseKey: operator.Address(), Reserve: reserve}
}

func (h *harness) logger() *slog.Logger { return slog.New(slog.NewTextHandler(h.Output(), nil)) }

// newAnchorer is a fresh one, as after a restart. It is made here and in child.anchorer only.
func (h *harness) newAnchorer() *anchor.Anchorer {
	h.Helper()
	q, err := nodes.Dial(h.Context(), h.urls, nodes.Config{Timeout: h.answer, Grace: 20 * time.Millisecond})
	if err != nil {
		h.Fatal(err)
	}
	h.Cleanup(q.Close)
	a, err := anchor.New(anchor.Config{Nodes: q, Log: h.log, Signers: []anchor.Signer{submitter}, Store: h.store,
		Logger: h.logger(), Fees: anchor.Fees{MaxFee: h.maxFee}})
	if err != nil {
		h.Fatal(err)
	}
	return a
}

// seal takes n messages and seals them as a batch.
func (h *harness) seal(n int) {
	h.Helper()
	for range n {
		m := newMessage(h.log, len(h.accepted), time.Now().Add(h.now))
		res := h.batcher.Submit(h.Context(), m)[0]
		if res.Err != nil {
			h.Fatalf("submit: %v", res.Err)
		}
		h.accepted = append(h.accepted, res.ID)
	}
	h.batcher.Flush()
	<-h.sealed
	if err := h.pinner.Step(h.Context()); err != nil {
		h.Fatal(err)
	}
}

// newMessage returns the n-th message of the author.
func newMessage(log proofs.Chain, n int, now time.Time) batcher.Submission {
	m := proofs.Message{
		Log: log.Log, Room: proofs.Room(fmt.Sprintf("room/%d", n%3)), Author: proofs.Author(author.Address().String()),
		SentAt: uint64(now.UnixMilli()), Kind: "text/plain", Body: fmt.Sprintf("message %d", n), Salt: proofs.Keccak([]byte(strconv.Itoa(n))),
	}
	e, err := author.SignMessage(log.MessageDomain(), &m)
	if err != nil {
		panic(err)
	}
	return batcher.Submission{Message: m, Evidence: e}
}

// step is one round, whatever comes of it; but nothing here is fatal.
func (h *harness) step() error {
	h.Helper()
	if h.ended {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.Context(), 10*time.Second)
	defer cancel()
	err := h.anchorer.Step(ctx)
	if errors.Is(err, anchor.ErrFatal) {
		if !h.mayEnd {
			h.Fatalf("the service stops: %v", err)
		}
		h.ended = true
	}
	if err != nil {
		h.Logf("round: %v", err)
	}
	return err
}

// rounds steps and mines so many times.
func (h *harness) rounds(n int) {
	h.Helper()
	for range n {
		h.step() //nolint:errcheck // logged
		h.chain.mine(1)
	}
}

// until steps and mines until every batch is in the state or further, and fails after too many rounds.
func (h *harness) until(state proofs.State) {
	h.Helper()
	for range 3*h.finality + 40 {
		h.step() //nolint:errcheck // logged
		if h.lowest() >= state {
			return
		}
		h.chain.mine(1)
	}
	h.Errorf("a batch is stuck: %s", h.lowest())
}

// lowest returns the state of the batch that is least far.
func (h *harness) lowest() proofs.State {
	h.Helper()
	low := proofs.StateFinalized
	for _, s := range h.batches() {
		low = min(low, s.State)
	}
	return low
}

func (h *harness) batches() []proofs.Sealed {
	h.Helper()
	all, err := h.db.Batches(context.Background(), 0, 1_000_000)
	if err != nil {
		h.Fatal(err)
	}
	return all
}

// all runs f on every proxy's faults.
func (h *harness) faults(f ...faultrpc.Fault) {
	for _, p := range h.proxies {
		p.Set(f...)
	}
}

// hits returns how many calls were disturbed so far.
func (h *harness) hits() (n int) {
	for _, p := range h.proxies {
		for _, hits := range p.Hits() {
			n += hits
		}
	}
	return n
}

// head returns the number of the newest block.
func (h *harness) head() uint64 {
	h.Helper()
	n, err := h.client.BlockNumber(context.Background())
	if err != nil {
		h.Fatal(err)
	}
	return n
}

// reorg takes the newest blocks away. What was in them is lost, or with keep sent again behind an empty block.
func (h *harness) reorg(depth uint64, keep bool) {
	h.Helper()
	var txs []*types.Transaction
	head := h.head()
	for n := head - depth + 1; n <= head; n++ {
		b, err := h.client.BlockByNumber(h.Context(), new(big.Int).SetUint64(n))
		if err != nil {
			h.Fatal(err)
		}
		txs = append(txs, b.Transactions()...)
	}
	h.chain.rollback(depth)
	h.chain.jump(time.Minute) // no block of the new branch is one of the old
	h.chain.mine(1)
	if keep {
		for _, tx := range txs {
			if h.lenient {
				h.client.SendTransaction(h.Context(), tx) //nolint:errcheck // as it may
			} else {
				send(h.T, h.client, tx)
			}
		}
	}
	h.tried++
}

// memory takes blocks and pins: what is pinned is not under test here.
type memory struct{}

func (memory) Keep(_ context.Context, _ string, write func(func([]byte) error) (proofs.Hash, error)) error {
	_, err := write(func([]byte) error { return nil })
	return err
}

// faultyStore is the log on disk, with a hook around each write of the anchorer.
type faultyStore struct {
	*storage.DB
	writes int
	// around decides about a write, counted from 1: before it is done, and after. An error is returned to the anchorer.
	around func(write int, done bool) error
}

func (s *faultyStore) write(do func() error) error {
	s.writes++
	if s.around == nil {
		return do()
	}
	if err := s.around(s.writes, false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.around(s.writes, true)
}

func (s *faultyStore) SaveTx(ctx context.Context, number uint64, raw []byte) error {
	return s.write(func() error { return s.DB.SaveTx(ctx, number, raw) })
}

func (s *faultyStore) SetAnchor(ctx context.Context, number uint64, st proofs.Standing) error {
	return s.write(func() error { return s.DB.SetAnchor(ctx, number, st) })
}

// restart makes a new anchorer, as a new process would.
func (h *harness) restart() {
	h.Helper()
	h.anchorer, h.ended = h.newAnchorer(), false
}

// hurry gives up on silent nodes early.
func (h *harness) hurry() {
	h.answer = 150 * time.Millisecond
	h.restart()
}
