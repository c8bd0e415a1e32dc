// Package devchain is a private Ethereum chain inside the process: go-ethereum with the rules of the Osaka fork,
// one block producer, no peers, and a data directory that survives a restart and a kill. It is for development
// and tests: blocks are final because this process says so.
//
//	chain, err := devchain.Open(devchain.Config{Dir: "chain", Alloc: types.GenesisAlloc{addr: {Balance: wei}}})
//	...
//	defer chain.Close()
//	group.Go(func() error { return chain.Run(ctx) })
//	chain.Client().SendTransaction(ctx, tx)
//
// # Blocks
//
// Run mines a block at once when the pool holds a transaction that can be included, then an empty block a second
// until that transaction is finalized, then nothing. Of a head n, block n-1 is safe and n-2 finalized (genesis, when
// n is smaller; Config.Finality changes both), so a transaction is final at most two seconds after its block.
// finalized never goes back, and it moves before the head is announced: who asks for it on a new head gets the new
// answer.
//
// A block's time is the clock's second, or its parent's time plus one if that is later. Blocks with transactions may
// put the chain up to MaxAhead before the clock; beyond that, and for empty blocks, there is one block a second and
// the distance does not grow. A transaction that cannot be included (its fee cap is below the base fee) does not
// wake the chain: it waits in the pool. go-ethereum may leave a transaction that was just sent out of a block that
// has others of its sender; the next block takes it.
//
// # Crashes
//
// After each block the database is synced, so a block is on stable storage before the next one is built on it and
// before it is safe or finalized. A crash between a block and its sync may lose that one block. The pool is in
// memory: who sent a transaction sends it again after a restart. TestKill and TestRestart show it.
//
// # What is go-ethereum's own
//
// Open mines nothing and starts no loop of this package, but go-ethereum runs goroutines from the moment that it is
// opened until Close, and it ends the process (log.Crit) when its database cannot be written, for instance on a full
// disk. The reason then goes to its process-wide logger, which is silent unless Config.Logger is set.
package devchain

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/miner"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"
)

// MaxAhead is how far Run lets the time of a block with transactions run ahead of the clock.
const MaxAhead = 2 * time.Second

// DefaultChainID is the chain id where Config.ChainID is 0.
const DefaultChainID = 1337

var (
	// ErrInUse is the error of Open when another Chain, of this process or another, has the directory open.
	ErrInUse = errors.New("directory is in use by another process")
	// ErrOtherChain is the error of Open when the directory holds a chain with another genesis: another chain
	// id or other funded accounts.
	ErrOtherChain = errors.New("directory holds another chain: the chain id or the funded accounts differ")
)

var errClosed = errors.New("run development chain: the chain is closed")

// idle is the wait of a chain that has nothing to do.
const idle = time.Duration(math.MaxInt64)

// Config says where the chain is kept and who is rich on it.
type Config struct {
	// Dir is the data directory, made when missing. Empty: the chain is in memory and ends with Close.
	Dir string
	// ChainID is part of the genesis. 0: DefaultChainID.
	ChainID uint64
	// Alloc are the accounts of the genesis, beside the system contracts of Osaka and the deterministic deployment
	// proxy, which it cannot replace. Balances are in wei and not nil.
	Alloc types.GenesisAlloc
	// HTTPAddr is the host:port that serves JSON-RPC (eth, net, web3); port 0 takes a free one. Empty: none.
	HTTPAddr string
	// Finality is how many blocks the finalized one is behind the head; the safe one is half as many. 0: 2.
	Finality uint64
	// GasLimit is that of every block. 0: 60,000,000, that of Ethereum at Osaka.
	GasLimit uint64
	// Now is the clock of block times. nil: time.Now.
	Now func() time.Time
	// Logger receives go-ethereum's warnings and errors, through its logger for the whole process. nil: that
	// logger is left as it is, which is silent unless somebody set it.
	Logger *slog.Logger
}

// Chain is an open chain. Its methods may be called concurrently; Close is the last.
type Chain struct {
	node   *node.Node
	eth    *eth.Ethereum
	client *ethclient.Client
	http   string
	now    func() time.Time
	depth  uint64 // of finality

	mu   sync.Mutex // one block at a time; guards last
	last time.Time  // of the newest block of this process, or of Open
}

// Open opens the chain in cfg.Dir, or makes it. The error is ErrInUse or ErrOtherChain where that is the reason.
func Open(cfg Config) (*Chain, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure development chain: %w", err)
	}
	if cfg.Logger != nil {
		setLogger(cfg.Logger)
	}
	c, err := open(&cfg)
	var other *core.GenesisMismatchError
	switch {
	case errors.Is(err, node.ErrDatadirUsed):
		err = ErrInUse
	case errors.As(err, &other):
		err = ErrOtherChain
	}
	if err != nil {
		return nil, fmt.Errorf("open development chain %q: %w", cfg.Dir, err)
	}
	return c, nil
}

func open(cfg *Config) (*Chain, error) {
	stack, err := node.New(cfg.node())
	if err != nil {
		return nil, err
	}
	c := &Chain{node: stack, now: cfg.Now, depth: cfg.Finality, last: cfg.Now()}
	if c.eth, err = eth.New(stack, cfg.eth()); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	c.eth.SetSynced()
	c.settle(c.eth.BlockChain().CurrentBlock().Number.Uint64())
	if err := c.index(); err != nil {
		return nil, errors.Join(err, stack.Close())
	}
	logs := filters.NewFilterAPI(filters.NewFilterSystem(c.eth.APIBackend, filters.Config{}))
	stack.RegisterAPIs([]rpc.API{{Namespace: "eth", Service: logs}})
	if err := stack.Start(); err != nil {
		return nil, err
	}
	if cfg.HTTPAddr != "" {
		c.http = stack.HTTPEndpoint()
	}
	c.client = ethclient.NewClient(stack.Attach())
	return c, nil
}

// index marks the transactions of a chain without blocks as indexed. go-ethereum does so with the first block, and
// until then answers that it is still indexing, instead of not found, when asked for a transaction: for ever, where
// the sender waits for that answer before it sends again.
func (c *Chain) index() error {
	bc, db := c.eth.BlockChain(), c.eth.ChainDb()
	if bc.CurrentBlock().Number.Sign() > 0 || rawdb.ReadTxIndexTail(db) != nil {
		return nil
	}
	rawdb.WriteTxIndexTail(db, 0)
	// The indexer reads the mark, in a goroutine of its own, when a head is announced.
	if _, err := bc.SetCanonical(bc.GetBlockByNumber(0)); err != nil {
		return fmt.Errorf("announce genesis: %w", err)
	}
	for range 1000 {
		if bc.TxIndexDone() {
			return c.sync()
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("transaction indexer does not answer")
}

// Client is connected to the chain inside the process. It is closed by Close.
func (c *Chain) Client() *ethclient.Client { return c.client }

// URL is where JSON-RPC is served over HTTP, or empty.
func (c *Chain) URL() string { return c.http }

// Close stops the chain and releases its directory. Run must have returned.
func (c *Chain) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.client.Close()
	if err := c.node.Close(); err != nil {
		return fmt.Errorf("close development chain: %w", err)
	}
	return nil
}

// Run mines blocks as the package says until ctx ends, and then returns nil. Any other return is an error after which
// the chain should be closed.
func (c *Chain) Run(ctx context.Context) error {
	events := make(chan core.NewTxsEvent)
	sub := c.eth.TxPool().SubscribeTransactions(events, true)
	if sub == nil {
		return errClosed
	}
	wake := make(chan struct{}, 1)
	done := make(chan struct{})
	// The pool blocks on a subscriber that does not read, and step waits for the pool: somebody else must read.
	go func() {
		defer close(done)
		for {
			select {
			case <-sub.Err():
				return
			case <-events:
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		}
	}()
	defer func() { sub.Unsubscribe(); <-done }()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return errClosed
		case <-wake:
		case <-timer.C:
		}
		wait, err := c.step()
		if err != nil {
			return fmt.Errorf("run development chain: %w", err)
		}
		timer.Reset(wait)
	}
}

// step mines the block that is due, if any, and returns how long to wait for the next, unless a transaction comes.
func (c *Chain) step() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, head := c.now(), c.eth.BlockChain().CurrentBlock()
	ahead := time.Unix(int64(head.Time)+1, 0).Sub(now)
	pace := time.Second - now.Sub(c.last)
	if wait := min(ahead-MaxAhead, pace); wait > 0 {
		return wait, nil
	}
	block, err := c.build(head, now)
	if err != nil {
		return 0, err
	}
	if len(block.Transactions()) == 0 {
		if c.settled(head.Number.Uint64()) {
			return idle, nil
		}
		if wait := min(ahead, pace); wait > 0 {
			return wait, nil
		}
	}
	return 0, c.append(block)
}

// Commit mines one block at once, with what the pool holds, and returns its header. Unlike Run it does not look at how
// far the chain is ahead of the clock.
func (c *Chain) Commit() (*types.Header, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	block, err := c.build(c.eth.BlockChain().CurrentBlock(), c.now())
	if err == nil {
		err = c.append(block)
	}
	if err != nil {
		return nil, fmt.Errorf("commit block: %w", err)
	}
	return block.Header(), nil
}

// Mine commits n blocks.
func (c *Chain) Mine(n int) error {
	for range n {
		if _, err := c.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// Fork makes an earlier block of the chain the head again; the next block replaces what followed it. Transactions
// of the blocks that it drops return to the pool. A block before the finalized one is refused.
func (c *Chain) Fork(parent common.Hash) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	bc := c.eth.BlockChain()
	block := bc.GetBlockByHash(parent)
	switch {
	case block == nil || bc.GetCanonicalHash(block.NumberU64()) != parent:
		return fmt.Errorf("fork at %s: not a block of this chain", parent)
	case block.NumberU64() < bc.CurrentFinalBlock().Number.Uint64():
		return fmt.Errorf("fork at block %d: it is before the finalized block", block.NumberU64())
	}
	if _, err := bc.SetCanonical(block); err != nil {
		return fmt.Errorf("fork at block %d: %w", block.NumberU64(), err)
	}
	c.settle(block.NumberU64())
	return c.sync()
}

// DropPool forgets every transaction that is not in a block.
func (c *Chain) DropPool() { c.eth.TxPool().Clear() }

// build returns the block after head, with the transactions of the pool, and changes nothing.
func (c *Chain) build(head *types.Header, now time.Time) (*types.Block, error) {
	if err := c.eth.TxPool().Sync(); err != nil {
		return nil, fmt.Errorf("sync pool: %w", err)
	}
	args := &miner.BuildPayloadArgs{
		Parent:     head.Hash(),
		Timestamp:  max(uint64(max(now.Unix(), 0)), head.Time+1),
		BeaconRoot: &common.Hash{},
	}
	// Without it two blocks on one parent could be the same block.
	rand.Read(args.Random[:])
	block, _, err := c.eth.Miner().BuildTestingPayload(args, nil, false, nil)
	if err != nil {
		return nil, fmt.Errorf("build block %d: %w", head.Number.Uint64()+1, err)
	}
	return block, nil
}

// append makes block, which build returned for the present head, the head. If the process dies before the sync, the
// block may be lost, the blocks below it are not, and what settle marked as finalized is among those.
func (c *Chain) append(block *types.Block) error {
	c.settle(block.NumberU64())
	if _, err := c.eth.BlockChain().InsertChain(types.Blocks{block}); err != nil {
		return fmt.Errorf("insert block %d: %w", block.NumberU64(), err)
	}
	c.last = c.now()
	return c.sync()
}

func (c *Chain) sync() error {
	if err := c.eth.ChainDb().SyncKeyValue(); err != nil {
		return fmt.Errorf("sync database: %w", err)
	}
	return nil
}

// settle marks the blocks that are safe and finalized once block head is the head. finalized never goes back.
func (c *Chain) settle(head uint64) {
	bc := c.eth.BlockChain()
	final := head - min(head, c.depth)
	if old := bc.CurrentFinalBlock(); old != nil {
		final = max(final, old.Number.Uint64())
	}
	bc.SetFinalized(bc.GetHeaderByNumber(final))
	bc.SetSafe(bc.GetHeaderByNumber(max(final, head-min(head, (c.depth+1)/2))))
}

// settled tells whether no block after the finalized one has a transaction.
func (c *Chain) settled(head uint64) bool {
	bc := c.eth.BlockChain()
	for n := bc.CurrentFinalBlock().Number.Uint64() + 1; n <= head; n++ {
		if len(bc.GetBlockByNumber(n).Transactions()) > 0 {
			return false
		}
	}
	return true
}
