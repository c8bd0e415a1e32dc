package guard_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/signer"
	"github.com/hansard-dao/hansard/storage"
)

var (
	_ guard.Store   = (*storage.DB)(nil)
	_ guard.Entries = (*storage.DB)(nil)
)

// key has funds on every chain of these tests.
type key struct {
	*identity.Key
	signer.Signer
}

func (k key) Address() proofs.Address { return k.Key.Address() }

func mustKey(name string) key {
	k, err := crypto.ToECDSA(crypto.Keccak256([]byte(name)))
	if err != nil {
		panic(err)
	}
	id := identity.NewKey(k)
	return key{id, signer.FromKey(id)}
}

// The keys of every test: who anchors, who answers where that is another, who promises, who challenges and who writes.
var submitter, helper, operator, challenger, author = mustKey("submitter"), mustKey("helper"), mustKey("operator"), mustKey("challenger"), mustKey("author")

// promised is how long after acceptance a deadline of these tests is.
const promised = time.Hour

// world is a log with a bond on anvil, and the service's parts over it.
type world struct {
	*testing.T
	rpc      *rpc.Client // undisturbed
	proxy    *faultrpc.Proxy
	q        *nodes.Quorum
	chain    proofs.Chain
	dir      string
	db       *storage.DB
	batcher  *batcher.Batcher
	pinner   *payload.Pinner
	anchorer *anchor.Anchorer
	issuer   *receipts.Issuer
	guard    *guard.Guard // nil: nothing is refused
	sealed   chan struct{}
	stop     func()
	sent     int
	log      journal
	clock    clock
}

// clock is the service's: that of the machine, set by so much.
type clock struct {
	mu    sync.Mutex
	shift time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.shift)
}

func (c *clock) set(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shift = d
}

// journal is what was logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), text)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir()}
	url := startAnvil(t)
	w.proxy = faultrpc.New(url)
	server := httptest.NewServer(w.proxy)
	t.Cleanup(server.Close)
	var err error
	if w.rpc, err = rpc.DialContext(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.rpc.Close)
	if w.q, err = nodes.Dial(t.Context(), []string{server.URL}, nodes.Config{Timeout: 2 * time.Second}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.q.Close)
	for _, k := range []key{submitter, helper, challenger} {
		w.call("anvil_setBalance", k.Address(), "0x56bc75e2d63100000")
	}
	w.setUp()
	w.open()
	t.Cleanup(func() { w.stop() })
	return w
}

// startAnvil starts a chain that mines when it is told to, of which the newest block but two is final.
func startAnvil(t *testing.T) (url string) {
	t.Helper()
	program, err := filepath.Abs("../node_modules/.bin/anvil")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", "0", "--no-mining", "--slots-in-an-epoch", "1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start anvil (npm ci installs it): %v", err)
	}
	lines, at := bufio.NewScanner(out), ""
	for at == "" && lines.Scan() {
		at, _ = strings.CutPrefix(lines.Text(), "Listening on ")
		if !strings.Contains(lines.Text(), "Listening on ") {
			at = ""
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-drained
		cmd.Wait() //nolint:errcheck // killed
	})
	if at == "" {
		t.Fatalf("anvil did not say where it listens: %v", lines.Err())
	}
	return "http://" + at
}

func (w *world) call(method string, params ...any) {
	w.Helper()
	if err := w.rpc.CallContext(context.Background(), nil, method, params...); err != nil {
		w.Fatalf("%s: %v", method, err)
	}
}

func (w *world) mine(blocks int) {
	w.Helper()
	for range blocks {
		w.call("evm_mine")
	}
}

// mineAt mines a block with that base fee, in gwei.
func (w *world) mineAt(gwei int64) {
	w.Helper()
	w.call("anvil_setNextBlockBaseFeePerGas", fmt.Sprintf("0x%x", gwei*1e9))
	w.mine(1)
}

// jump makes the chain so much older.
func (w *world) jump(d time.Duration) {
	w.Helper()
	w.call("evm_increaseTime", int64(d/time.Second))
	w.mine(1)
}

// mining mines blocks until do has returned.
func (w *world) mining(do func() error) error {
	w.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	for {
		select {
		case err := <-done:
			return err
		default:
			w.mine(1)
		}
	}
}

func (w *world) wallet(k key) *anchor.Wallet {
	return &anchor.Wallet{Nodes: w.q, ChainID: w.chain.ChainID, Signer: k, Poll: time.Millisecond}
}

func (w *world) do(k key, plan ...anchor.Planned) {
	w.Helper()
	if err := w.mining(func() error { return w.wallet(k).Do(w.Context(), plan, nil, func(anchor.Planned, *anchor.Paid) {}) }); err != nil {
		w.Fatal(err)
	}
}

// setUp deploys both contracts, opens the log and funds its bond.
func (w *world) setUp() {
	w.Helper()
	id, err := w.q.ChainID(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	w.chain.ChainID = id
	err = w.mining(func() (err error) {
		if w.chain.AnchorLog, err = w.wallet(submitter).Deploy(w.Context()); err == nil {
			w.chain.Log, err = w.wallet(submitter).OpenLog(w.Context(), w.chain.AnchorLog, proofs.Keccak([]byte(w.Name())), submitter.Address())
		}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	w.chain.PromiseBond = bond.Address(w.chain.AnchorLog)
	w.do(submitter, plan(w, func(s *bond.State) ([]anchor.Planned, error) { return s.PlanDeploy(w.Context(), w.q) })...)
	w.do(submitter, plan(w, func(s *bond.State) ([]anchor.Planned, error) { return s.PlanFund(big.NewInt(1e18)) })...)
	w.do(submitter, plan(w, func(s *bond.State) ([]anchor.Planned, error) {
		return s.PlanAddKey(bond.Key{Address: operator.Address()})
	})...)
}

func plan(w *world, f func(*bond.State) ([]anchor.Planned, error)) []anchor.Planned {
	w.Helper()
	p, err := f(w.state())
	if err != nil {
		w.Fatal(err)
	}
	return p
}

func (w *world) state() *bond.State {
	w.Helper()
	s, err := bond.Read(w.Context(), w.q, w.chain)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// open opens the store and starts to take messages.
func (w *world) open() {
	w.Helper()
	w.openWith(batcher.Config{})
}

func (w *world) openWith(cfg batcher.Config) {
	w.Helper()
	var err error
	if w.db, err = storage.Open(storage.Config{Dir: filepath.Join(w.dir, "log"), Chain: w.chain, PromiseKey: operator.Address(), Reserve: 8 << 20}); err != nil {
		w.Fatal(err)
	}
	w.sealed = make(chan struct{}, 64)
	cfg.Chain, cfg.Store, cfg.Recover, cfg.Logger, cfg.Now = w.chain, w.db, identity.Recover, w.logger(), w.clock.now
	cfg.Refuse = func() *batcher.BusyError {
		if w.guard == nil {
			return nil
		}
		return w.guard.Refuse()
	}
	cfg.MaxAge, cfg.Promise, cfg.Sealed = promised/4, promised, func() { w.sealed <- struct{}{} }
	if w.batcher, err = batcher.New(cfg); err != nil {
		w.Fatal(err)
	}
	w.pinner = payload.New(payload.Config{Log: w.chain.Log, Store: w.db, Node: memory{}, Pinned: func() {}, Logger: w.logger()})
	w.issuer = receipts.New(w.chain, w.db, operator)
	w.anchorer = w.newAnchorer(anchor.Config{})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.batcher.Run(ctx) }()
	w.stop = func() {
		cancel()
		if err := errors.Join(<-done, w.db.Close()); err != nil {
			w.Errorf("close the log: %v", err)
		}
		w.stop = func() {}
	}
}

// memory takes every payload and keeps none.
type memory struct{}

func (memory) Keep(_ context.Context, _ string, write func(put func([]byte) error) (proofs.Hash, error)) error {
	_, err := write(func([]byte) error { return nil })
	return err
}

func (w *world) newAnchorer(cfg anchor.Config) *anchor.Anchorer {
	w.Helper()
	cfg.Nodes, cfg.Log, cfg.Signers, cfg.Store, cfg.Logger = w.q, w.chain, []anchor.Signer{submitter}, w.db, w.logger()
	a, err := anchor.New(cfg)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *world) logger() *slog.Logger {
	return slog.New(slog.NewMultiHandler(slog.NewTextHandler(w.Output(), nil), slog.NewTextHandler(&w.log, nil)))
}

// message is the n-th of the author.
func (w *world) message(n int) batcher.Submission {
	w.Helper()
	m := proofs.Message{
		Log: w.chain.Log, Room: "room", Author: proofs.Author(author.Address().String()), SentAt: 1_795_254_630_000,
		Kind: "text/plain", Body: fmt.Sprintf("message %d", n), Salt: proofs.Keccak(fmt.Append(nil, n)),
	}
	e, err := author.SignMessage(w.chain.MessageDomain(), &m)
	if err != nil {
		w.Fatal(err)
	}
	return batcher.Submission{Message: m, Evidence: e}
}

// accept takes n messages and returns their promises.
func (w *world) accept(n int) (promises []proofs.Promise) {
	w.Helper()
	for range n {
		r := w.batcher.Submit(w.Context(), w.message(w.sent))[0]
		if r.Err != nil {
			w.Fatal(r.Err)
		}
		w.sent++
		p, err := w.issuer.Promise(&r.Accepted)
		if err != nil {
			w.Fatal(err)
		}
		promises = append(promises, p)
	}
	return promises
}

// seal seals what was accepted and pins it.
func (w *world) seal() {
	w.Helper()
	w.batcher.Flush()
	<-w.sealed
	if err := w.pinner.Step(w.Context()); err != nil {
		w.Fatal(err)
	}
}

// anchor takes every batch into a block.
func (w *world) anchor() {
	w.Helper()
	for range 40 {
		if err := w.anchorer.Step(w.Context()); err != nil {
			w.Fatal(err)
		}
		if w.waiting() == 0 {
			return
		}
		w.mine(1)
	}
	w.Fatal("a batch is stuck")
}

// waiting returns how many batches are in no block.
func (w *world) waiting() (n int) {
	w.Helper()
	batches, err := w.db.Batches(w.Context(), 0, 1000)
	if err != nil {
		w.Fatal(err)
	}
	for _, b := range batches {
		if b.State < proofs.StateIncluded {
			n++
		}
	}
	return n
}

// batches anchors so many batches of two and returns their promises.
func (w *world) batches(n int) (promises []proofs.Promise) {
	w.Helper()
	for range n {
		promises = append(promises, w.accept(2)...)
		w.seal()
		w.anchor()
	}
	return promises
}
