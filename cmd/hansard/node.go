package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// nodeConfig says what one process that keeps a log consists of.
type nodeConfig struct {
	Dir      string // everything below it: keys, chain, log, ipfs, trust.json
	RPC      []string // JSON-RPC of the nodes; empty: the embedded development chain
	Quorum   int      // nodes that must agree; 0: more than half
	ChainID  uint64   // that the nodes must be on; 0: whichever they are on
	ChainRPC string // host:port at which the development chain serves JSON-RPC; empty: none
	Account  string // key that sends transactions, in Dir/keys
	Promise  string // key that signs promises
	Password string
	LogName  string // the log's salt is its hash
	Deploy   bool   // deploy the contract and open the log where they are missing
	Anchor   anchor.Config // all but Nodes, Log, Signers and Store
	Batch                    batcher.Config
	Logger                   *slog.Logger
}

// node is one process that keeps a log: store, batcher, payload, anchorer and, in development, the
// chain. Its parts are wired here and nowhere else.
type node struct {
	chain    proofs.Chain
	trust    *proofs.Trust
	db       *storage.DB
	ipfs     *ipfs.Node
	batcher  *batcher.Batcher
	pinner   *payload.Pinner
	anchorer *anchor.Anchorer
	issuer   *receipts.Issuer
	dev      *devchain.Chain // nil with an RPC
	mined    chan struct{}   // closed when dev ended, after mineErr is set
	mineErr  error
	nodes    *nodes.Quorum
	client   *ethclient.Client // of the first node
	changed  func() // something moved: whoever waits looks again
	newest   atomic.Pointer[proofs.Hash]
	close    []func() error
}

// openNode opens everything and, in development, makes what is missing. It starts no loop but the
// development chain's own.
func openNode(ctx context.Context, cfg nodeConfig, changed func()) (n *node, err error) {
	n = &node{changed: changed}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	account, promise, err := n.unlock(&cfg)
	if err != nil {
		return n, err
	}
	if err := n.connect(ctx, cfg, account); err != nil {
		return n, err
	}
	n.chain.AnchorLog = anchor.ContractAddress()
	n.chain.Log = proofs.LogID(account.Address(), logSalt(cfg.LogName))
	// The directory first: if it belongs to another log, nothing is spent.
	if n.db, err = storage.Open(storage.Config{
		Dir: filepath.Join(cfg.Dir, "log"), Chain: n.chain, PromiseKey: promise.Address(),
	}); err != nil {
		return n, err
	}
	n.close = append(n.close, n.db.Close)
	if n.ipfs, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(cfg.Dir, "ipfs")}); err != nil {
		return n, err
	}
	n.close = append(n.close, n.ipfs.Close)
	if err := n.openLog(ctx, cfg, account); err != nil {
		return n, err
	}
	if err := n.checkNewest(ctx); err != nil {
		return n, err
	}
	n.trust = &proofs.Trust{Logs: []proofs.TrustedLog{{
		Name: cfg.LogName, Chain: n.chain, PromiseKeys: []proofs.Address{promise.Address()},
	}}}
	if err := renameio.WriteFile(filepath.Join(cfg.Dir, "trust.json"), n.trust.Format(), 0o644); err != nil {
		return n, fmt.Errorf("write the trust file: %w", err)
	}
	n.lookAtHead(ctx)
	return n, n.wire(cfg, account, promise)
}

// unlock opens the two keys; in development it makes them, with a password of their own.
func (n *node) unlock(cfg *nodeConfig) (account, promise *identity.Key, err error) {
	store := identity.Keystore{Dir: filepath.Join(cfg.Dir, "keys"), Light: len(cfg.RPC) == 0}
	if len(cfg.RPC) == 0 {
		if cfg.Password, err = devPassword(store.Dir); err != nil {
			return nil, nil, err
		}
		for _, name := range []string{cfg.Account, cfg.Promise} {
			if _, err := store.New(name, cfg.Password); err != nil && !errors.Is(err, identity.ErrKeyExists) {
				return nil, nil, err
			}
		}
	}
	if account, err = store.Unlock(cfg.Account, cfg.Password); err == nil {
		promise, err = store.Unlock(cfg.Promise, cfg.Password)
	}
	if errors.Is(err, identity.ErrNoKey) {
		err = fmt.Errorf("%w; make it with: hansard keys new NAME --keystore %s", err, store.Dir)
	}
	return account, promise, err
}

// devPassword reads or makes the password of the development keys.
func devPassword(dir string) (string, error) { return secretFile(filepath.Join(dir, "password")) }

// connect dials the nodes or opens the development chain, which makes the account rich.
func (n *node) connect(ctx context.Context, cfg nodeConfig, account *identity.Key) (err error) {
	if len(cfg.RPC) > 0 {
		return n.dial(ctx, cfg)
	}
	rich := new(big.Int).Mul(big.NewInt(1_000_000), big.NewInt(1e18))
	n.dev, err = devchain.Open(devchain.Config{
		Dir: filepath.Join(cfg.Dir, "chain"), HTTPAddr: cfg.ChainRPC,
		Alloc: types.GenesisAlloc{common.Address(account.Address()): {Balance: rich}},
	})
	if err != nil {
		return err
	}
	n.chain.ChainID, n.client = devchain.DefaultChainID, n.dev.Client()
	if n.nodes, err = nodes.New([]nodes.Node{{Name: "development chain", RPC: n.client.Client()}}, nodes.Config{}); err != nil {
		return errors.Join(err, n.dev.Close())
	}
	// The chain mines for as long as the node is open: deploying needs it before the other loops run.
	loop, stop := context.WithCancel(context.WithoutCancel(ctx))
	n.mined = make(chan struct{})
	go func() { n.mineErr = n.dev.Run(loop); close(n.mined) }()
	n.close = append(n.close, func() error { stop(); <-n.mined; return errors.Join(n.mineErr, n.dev.Close()) })
	return nil
}

// dial connects to the nodes of a chain and asks which one it is.
func (n *node) dial(ctx context.Context, cfg nodeConfig) (err error) {
	n.nodes, err = nodes.Dial(ctx, cfg.RPC, nodes.Config{Need: cfg.Quorum, ChainID: cfg.ChainID})
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	n.close = append(n.close, func() error { n.nodes.Close(); return nil })
	if n.client, err = ethclient.DialContext(ctx, cfg.RPC[0]); err != nil {
		return &exitError{exitUnreachable, fmt.Errorf("connect to the first node: %w", err)}
	}
	n.close = append(n.close, func() error { n.client.Close(); return nil })
	if n.chain.ChainID, err = n.nodes.ChainID(ctx); err != nil {
		return &exitError{exitUnreachable, err}
	}
	return nil
}

// watchChain returns an error if the development chain ends before ctx does.
func (n *node) watchChain(ctx context.Context) error {
	if n.dev == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-n.mined:
		return fmt.Errorf("the development chain ended: %w", n.mineErr)
	}
}

// openLog finds the log's contract and id, and deploys and opens what is missing if that is wanted.
func (n *node) openLog(ctx context.Context, cfg nodeConfig, account *identity.Key) (err error) {
	w := &anchor.Wallet{Client: n.client, ChainID: n.chain.ChainID, Signer: txSigner{account}, Fees: cfg.Anchor.Fees}
	if n.dev != nil {
		w.Poll = devPoll
	}
	if !cfg.Deploy && n.dev == nil {
		return n.findLog(ctx, cfg.LogName, account)
	}
	if _, err = w.Deploy(ctx); err != nil {
		return err
	}
	_, err = w.OpenLog(ctx, n.chain.AnchorLog, logSalt(cfg.LogName), account.Address())
	return err
}

// checkNewest refuses a store that is behind the chain. A batch is in the store before it is sent, so
// that is an old copy; going on would promise indices that are taken.
func (n *node) checkNewest(ctx context.Context) error {
	head, err := anchor.ReadHead(ctx, n.nodes, n.chain)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	tail, err := n.db.Tail(ctx)
	if err != nil {
		return err
	}
	if head.Batches > tail.Batches {
		return &exitError{exitConflict, fmt.Errorf("the chain holds %d batches of this log and the data directory %d: it is an old copy; "+
			"start with the newest one, since this one would promise places that are taken", head.Batches, tail.Batches)}
	}
	return nil
}

// logSalt is the salt of the log of that name.
func logSalt(name string) proofs.Hash { return proofs.Keccak([]byte(name)) }

// findLog returns an error unless the contract and the log are there.
func (n *node) findLog(ctx context.Context, name string, account *identity.Key) error {
	code, err := n.client.CodeAt(ctx, common.Address(n.chain.AnchorLog), nil)
	if err != nil {
		return &exitError{exitUnreachable, fmt.Errorf("look for the contract: %w", err)}
	}
	var head anchor.Head
	if len(code) > 0 {
		if head, err = anchor.ReadHead(ctx, n.nodes, n.chain); err != nil {
			return &exitError{exitUnreachable, err}
		}
	}
	if head.Submitter.IsZero() {
		return usage("there is no log %q of %s on chain %d; --deploy deploys the contract if it is missing and opens the log, which spends gas",
			name, account.Address(), n.chain.ChainID)
	}
	return nil
}

// devPoll is how often the development chain is looked at: it mines at once.
const devPoll = 50 * time.Millisecond

// wire makes the loops: a sealed batch wakes the pinner, a pinned one the anchorer.
func (n *node) wire(cfg nodeConfig, account, promise *identity.Key) (err error) {
	b := cfg.Batch
	b.Chain, b.Store, b.Recover, b.Logger, b.NotBefore = n.chain, n.db, identity.Recover, cfg.Logger, n.notBefore
	b.Sealed = func() { n.pinner.Wake(); n.changed() }
	if n.batcher, err = batcher.New(b); err != nil {
		return err
	}
	n.pinner = payload.New(payload.Config{
		Log: n.chain.Log, Store: n.db, Node: n.ipfs, Pinned: func() { n.anchorer.Wake() }, Logger: cfg.Logger,
	})
	a := cfg.Anchor
	a.Nodes, a.Log, a.Signers, a.Store, a.Logger = n.nodes, n.chain, []anchor.Signer{txSigner{account}}, anchorStore{n.db, n.changed}, cfg.Logger
	if n.dev != nil {
		a.Poll = devPoll
	}
	if n.anchorer, err = anchor.New(a); err != nil {
		return err
	}
	n.issuer = receipts.New(n.chain, n.db, promise)
	return nil
}

// anchorStore tells whoever waits about each step of a batch.
type anchorStore struct {
	*storage.DB
	changed func()
}

func (s anchorStore) SaveTx(ctx context.Context, number uint64, raw []byte) error {
	defer s.changed()
	return s.DB.SaveTx(ctx, number, raw)
}

func (s anchorStore) SetAnchor(ctx context.Context, number uint64, st proofs.Standing) error {
	defer s.changed()
	return s.DB.SetAnchor(ctx, number, st)
}

// txSigner signs transactions with a key of the keystore.
type txSigner struct{ *identity.Key }

func (s txSigner) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	rules := types.LatestSignerForChainID(chainID)
	sig, err := s.SignDigest(proofs.Hash(rules.Hash(tx)))
	if err != nil {
		return nil, err
	}
	sig[64] -= 27
	return tx.WithSignature(rules, sig[:])
}

// notBefore returns the newest block that followHead saw.
func (n *node) notBefore() proofs.Hash {
	if h := n.newest.Load(); h != nil {
		return *h
	}
	return proofs.Hash{}
}

// headPeriod is how often the newest block is asked for: about one block of Ethereum.
const headPeriod = 12 * time.Second

// lookAtHead refreshes notBefore. Nodes that do not answer leave it as it is: older is still true.
func (n *node) lookAtHead(ctx context.Context) {
	if b, err := n.nodes.Head(ctx); err == nil {
		n.newest.Store(&b.Hash)
	}
}

// followHead keeps notBefore fresh.
func (n *node) followHead(ctx context.Context) error {
	tick := time.NewTicker(headPeriod)
	defer tick.Stop()
	for {
		n.lookAtHead(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Run runs the loops until ctx ends or one fails.
func (n *node) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.batcher.Run(ctx) })
	g.Go(func() error { return n.pinner.Run(ctx) })
	g.Go(func() error { return n.anchorer.Run(ctx) })
	g.Go(func() error { return n.followHead(ctx) })
	g.Go(func() error { return n.watchChain(ctx) })
	return g.Wait()
}

// Close closes what openNode opened, last first. Run must have returned.
func (n *node) Close() error {
	var errs []error
	for i := len(n.close) - 1; i >= 0; i-- {
		errs = append(errs, n.close[i]())
	}
	n.close = nil
	return errors.Join(errs...)
}

// discard is the logger of commands that say everything themselves.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// waiter lets one goroutine wait for changes.
type waiter struct{ c chan struct{} }

func newWaiter() *waiter { return &waiter{make(chan struct{}, 1)} }

func (w *waiter) notify() {
	select {
	case w.c <- struct{}{}:
	default:
	}
}

// until looks whenever something changed, and every second: a missed change must not hang it.
func (w *waiter) until(ctx context.Context, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.c:
		case <-time.After(time.Second):
		}
	}
}
