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

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/guard"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/pins"
	"github.com/hansard-dao/hansard/probe"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/signer"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// nodeConfig says what one process that keeps a log consists of.
type nodeConfig struct {
	Dir       string          // everything below it: keys, chain, log, ipfs, trust.json
	RPC       []string        // JSON-RPC of the nodes; empty: the embedded development chain
	Quorum    int             // nodes that must agree; 0: more than half
	ChainID   uint64          // that the nodes must be on; 0: whichever they are on
	ChainRPC  string          // host:port at which the development chain serves JSON-RPC; empty: none
	Signers   []signer.Signer // of transactions; none: the development chain's own
	Owner     proofs.Address  // of the log; zero: the first signer
	Contract  proofs.Address  // AnchorLog; zero: where this version deploys it
	Bond      bondChoice      // PromiseBond
	Promise   string          // key that signs promises, in Dir/keys
	Rotate    bool            // Promise may be a new key, which signs from now on
	Mark      string          // file that says how far was promised; empty: none, noMark: none any more
	Promises  string          // folder with receipts of entries that the store may not hold; empty: none
	Password  string
	LogName   string        // the log's salt is its hash
	Deploy    bool          // deploy the contract and open the log where they are missing
	Anchor    anchor.Config // all but Nodes, Log, Signers and Store
	Batch     batcher.Config
	Answer    signer.Signer              // of answers to challenges; nil: the first of Signers
	AnswerCap *big.Int                   // what the answer to one challenge may cost, in wei; nil: guard's default
	Look      time.Duration              // the time between looks for challenges; 0: guard's default
	Pins      []pins.Target              // that get a copy of each batch
	host      *atomic.Pointer[ipfs.Host] // where Pins may fetch from, once serve has put it there
	Require   int                        // places that must hold a batch before it is anchored, the embedded node among them; 0: 1
	Logger    *slog.Logger
	Fold      *nodeConfig   // the chain that the log is folded into, see openFold; nil: none
	Every     time.Duration // least time between two heads there; 0: fold's default
}

// node is one process that keeps a log: store, batcher, payload, anchorer and, in development, the
// chain. Its parts are wired here and nowhere else.
type node struct {
	chain    proofs.Chain
	trust    *proofs.Trust
	db       *storage.DB
	ipfs     *ipfs.Node
	host     *ipfs.Host    // nil: the IPFS node is not on the network
	prober   *probe.Prober // nil: nobody is asked for payloads
	check    time.Duration // between two checks of the payloads on disk; 0: none
	batcher  *batcher.Batcher
	pinner   *payload.Pinner
	keeper   *pins.Keeper
	anchorer *anchor.Anchorer
	issuer   *receipts.Issuer
	guard    *guard.Guard
	files    *attachments
	answerer *guard.Answerer // nil: challenges are not answered
	folding  *folding        // nil: the log is not folded
	dev      *devchain.Chain // nil with an RPC
	mined    chan struct{}   // closed when dev ended, after mineErr is set
	mineErr  error
	nodes    *nodes.Quorum
	changed  func() // something moved: whoever waits looks again
	newest   atomic.Pointer[proofs.Hash]
	bond     atomic.Pointer[bondView] // nil: not read yet
	key      proofs.Address           // that signs promises
	logger   *slog.Logger
	mark     *storage.Mark // nil: none
	halted   atomic.Bool   // nothing is promised any more
	unmarked atomic.Bool   // the mark could not be written when it was last needed
	close    []func() error
}

// openNode opens everything and, in development, makes what is missing. It starts no loop but the
// development chain's own.
func openNode(ctx context.Context, cfg nodeConfig, changed func()) (n *node, err error) {
	n = &node{logger: cfg.Logger}
	n.changed = func() {
		if n.guard != nil {
			n.guard.Wake()
		}
		changed()
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
			n = nil
		}
	}()
	promise, err := n.unlock(&cfg)
	if err != nil {
		return n, err
	}
	if err := n.connect(ctx, cfg); err != nil {
		return n, err
	}
	n.key = promise.Address()
	n.name(&cfg)
	// The directory first: if it belongs to another log, nothing is spent.
	if err := n.openStores(cfg); err != nil {
		return n, err
	}
	if err := n.openLog(ctx, cfg); err != nil {
		return n, err
	}
	if err := n.checkNewest(ctx); err != nil {
		return n, err
	}
	if err := n.ready(ctx, cfg); err != nil {
		return n, restoreError(err)
	}
	n.trust = &proofs.Trust{Logs: []proofs.TrustedLog{{
		Name: cfg.LogName, Chain: n.chain, PromiseKeys: keysNewestFirst(n.db),
	}}}
	n.lookAtBond(ctx)
	if err := n.wire(cfg, promise); err != nil {
		return n, err
	}
	if err := n.lookAtPromises(ctx); err != nil {
		return n, err
	}
	if cfg.Fold != nil {
		if err := n.openFold(ctx, cfg); err != nil {
			return n, err
		}
	}
	if err := renameio.WriteFile(filepath.Join(cfg.Dir, "trust.json"), n.trust.Format(), 0o644); err != nil {
		return n, fmt.Errorf("write the trust file: %w", err)
	}
	return n, nil
}

// openStores opens the log on disk and the payloads.
func (n *node) openStores(cfg nodeConfig) (err error) {
	if n.db, err = storage.Open(storage.Config{
		Dir: filepath.Join(cfg.Dir, "log"), Chain: n.chain, PromiseKey: n.key, Rotate: cfg.Rotate,
	}); err != nil {
		return err
	}
	n.close = append(n.close, n.db.Close)
	if n.ipfs, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(cfg.Dir, "ipfs")}); err != nil {
		return err
	}
	n.close = append(n.close, n.ipfs.Close)
	return nil
}

// devAccount is the key of the development chain's only account.
const devAccount = "anchor"

// unlock opens the promise key; in development it makes that one and the account's, with a password of
// their own.
func (n *node) unlock(cfg *nodeConfig) (promise *identity.Key, err error) {
	store := identity.Keystore{Dir: filepath.Join(cfg.Dir, "keys"), Light: len(cfg.RPC) == 0}
	if len(cfg.RPC) == 0 {
		if cfg.Password, err = devPassword(store.Dir); err != nil {
			return nil, err
		}
		for _, name := range []string{devAccount, cfg.Promise} {
			if _, err := store.New(name, cfg.Password); err != nil && !errors.Is(err, identity.ErrKeyExists) {
				return nil, err
			}
		}
		account, err := store.Unlock(devAccount, cfg.Password)
		if err != nil {
			return nil, err
		}
		cfg.Signers = []signer.Signer{signer.FromKey(account)}
	}
	if cfg.Owner.IsZero() {
		cfg.Owner = cfg.Signers[0].Address()
	}
	promise, err = store.Unlock(cfg.Promise, cfg.Password)
	if errors.Is(err, identity.ErrNoKey) {
		err = fmt.Errorf("%w; make it with: hansard keys new NAME --keystore %s", err, store.Dir)
	}
	return promise, err
}

// devPassword reads or makes the password of the development keys.
func devPassword(dir string) (string, error) { return secretFile(filepath.Join(dir, "password")) }

// devPoll is how often the development chain is looked at: it mines at once.
const devPoll = 50 * time.Millisecond

// wire makes the loops: a sealed batch wakes the pinner, a pinned one the keeper of copies and the anchorer.
func (n *node) wire(cfg nodeConfig, promise *identity.Key) (err error) {
	b := cfg.Batch
	b.Chain, b.Store, b.Recover, b.Logger, b.NotBefore = n.chain, n.db, identity.Recover, cfg.Logger, n.notBefore
	b.Sealed = func() { n.pinner.Wake(); n.changed() }
	b.Hold = func() bool { return n.delay() != nil }
	b.Refuse = n.refuse
	if b.Urgent == 0 { // when the operator is told of promises at risk
		b.Urgent = min(2*cfg.Anchor.Urgent, b.Promise/2)
	}
	if n.batcher, err = batcher.New(b); err != nil {
		return err
	}
	n.pinner = payload.New(payload.Config{
		Log: n.chain.Log, Store: n.db, Node: n.ipfs, Pinned: func() { n.keeper.Wake(); n.anchorer.Wake() }, Logger: cfg.Logger,
	})
	if err := n.wirePins(cfg); err != nil {
		return err
	}
	a := n.anchorConfig(cfg)
	a.Store = pinnedStore{anchorStore{n.db, n.changed}, n.keeper}
	a.Yield = func() bool { return n.answerer != nil && n.answerer.Sending() }
	if n.dev != nil {
		a.Poll = devPoll
	}
	if n.anchorer, err = anchor.New(a); err != nil {
		return err
	}
	n.files = &attachments{node: n.ipfs, log: n.db, logger: cfg.Logger, now: time.Now, limit: maxUnnamed}
	n.issuer = receipts.New(n.chain, n.db, promise)
	n.issuer.Durable = n.batcher.Durable
	n.issuer.Mark = n
	if n.issuer.Older, err = n.olderKeys(cfg); err != nil {
		return err
	}
	return n.wireGuard(cfg)
}

// anchorConfig is the anchorer's configuration, but for its store.
func (n *node) anchorConfig(cfg nodeConfig) anchor.Config {
	a := cfg.Anchor
	a.Nodes, a.Log, a.Logger, a.Delayed = n.nodes, n.chain, cfg.Logger, n.changed
	for _, s := range cfg.Signers {
		a.Signers = append(a.Signers, s)
	}
	return a
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

// notBefore returns the newest block that followHead saw.
func (n *node) notBefore() proofs.Hash {
	if h := n.newest.Load(); h != nil {
		return *h
	}
	return proofs.Hash{}
}

// headPeriod is how often the newest block is asked for: about one block of Ethereum.
const headPeriod = 12 * time.Second

// lookAtHead refreshes notBefore, and returns an error if the log went on there without us. Nodes that do not
// answer leave all as it is: older is still true.
func (n *node) lookAtHead(ctx context.Context) error {
	b, err := n.nodes.Head(ctx)
	if err != nil {
		return nil
	}
	n.newest.Store(&b.Hash)
	n.guard.Saw(*b)
	if err := n.checkAt(ctx, b.Hash); exitCode(err) == exitConflict {
		return err
	}
	return nil
}

// followHead keeps notBefore fresh, and ends when somebody else anchored in the log: the places that come next
// may be taken.
func (n *node) followHead(ctx context.Context) error {
	tick := time.NewTicker(headPeriod)
	defer tick.Stop()
	for {
		if err := n.lookAtHead(ctx); err != nil {
			return err
		}
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
	g.Go(func() error { return n.keeper.Run(ctx) })
	g.Go(func() error { return n.followBond(ctx) })
	g.Go(func() error { return n.halt(ctx, n.anchorer.Run) })
	g.Go(func() error { return n.halt(ctx, n.followHead) })
	g.Go(func() error { return n.watchChain(ctx) })
	g.Go(func() error { return n.guard.Run(ctx) })
	g.Go(func() error { return n.files.Run(ctx) })
	if n.answerer != nil {
		g.Go(func() error { return n.answerer.Run(ctx) })
	}
	if n.folding != nil {
		g.Go(func() error { return n.folding.Run(ctx) })
	}
	if n.prober != nil {
		g.Go(func() error { return n.prober.Run(ctx) })
	}
	if n.check > 0 {
		g.Go(func() error { return n.pinner.RunRepair(ctx, n.ipfs, n.check) })
	}
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
