// Package logchain is a chain for tests with AnchorLog, its PromiseBond, a log whose bond is funded, and any number of
// nodes that can be disturbed.
package logchain

import (
	"crypto/ecdsa"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	anchorLog   = bindings.NewAnchorLog()
	promiseBond = bindings.NewPromiseBond()
)

// Stake is what the log's bond holds, in wei.
var Stake = big.NewInt(1e18)

// Key returns the private key of that name.
func Key(name string) *ecdsa.PrivateKey {
	h := proofs.Keccak([]byte(name))
	k, err := crypto.ToECDSA(h[:])
	if err != nil {
		panic(err)
	}
	return k
}

// Address returns the account of a key.
func Address(k *ecdsa.PrivateKey) proofs.Address {
	return proofs.Address(crypto.PubkeyToAddress(k.PublicKey))
}

// Chain is a chain with a log. Its methods fail the test where they fail.
type Chain struct {
	testing.TB
	Dev      *devchain.Chain
	Log      proofs.Chain
	Operator *ecdsa.PrivateKey // owns the log, and anchors
	Promiser *ecdsa.PrivateKey // signs promises
	User     *ecdsa.PrivateKey // has funds
	Batches  []proofs.Batch    // that were anchored
	clock    time.Time
}

// New makes a chain with a log, whose bond has the Promiser's key.
func New(t testing.TB) *Chain {
	t.Helper()
	c := &Chain{TB: t, Operator: Key("operator"), Promiser: Key("promiser"), User: Key("user"), clock: time.Unix(1_800_000_000, 0)}
	ether := new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))
	rich := types.Account{Balance: ether}
	chain, err := devchain.Open(devchain.Config{HTTPAddr: "127.0.0.1:0", Now: func() time.Time { return c.clock }, Alloc: types.GenesisAlloc{
		common.Address(Address(c.Operator)): rich, common.Address(Address(c.User)): rich,
	}})
	c.must(err)
	t.Cleanup(func() { c.must(chain.Close()) })
	c.Dev = chain
	at := anchor.ContractAddress()
	c.Log = proofs.Chain{
		ChainID: devchain.DefaultChainID, AnchorLog: at, PromiseBond: bond.Address(at), Log: proofs.LogID(Address(c.Operator), proofs.Hash{1}),
	}
	salt := make([]byte, 32)
	code := common.FromHex(bindings.PromiseBondMetaData.Bin)
	code = append(code, promiseBond.PackConstructor(common.Address(at))...)
	c.Send(c.Operator, anchor.ProxyAddress(), nil, append(salt[:32:32], common.FromHex(bindings.AnchorLogMetaData.Bin)...))
	c.Send(c.Operator, anchor.ProxyAddress(), nil, append(salt[:32:32], code...))
	c.Send(c.Operator, at, nil, anchorLog.PackOpen(proofs.Hash{1}, common.Address(Address(c.Operator))))
	c.Fund()
	c.Send(c.Operator, c.Log.PromiseBond, nil, promiseBond.PackAddKey(c.Log.Log, common.Address(Address(c.Promiser))))
	return c
}

func (c *Chain) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// Fund puts Stake into the log's bond.
func (c *Chain) Fund() {
	c.Helper()
	c.Send(c.Operator, c.Log.PromiseBond, Stake, promiseBond.PackFund(c.Log.Log))
}

// Queue sends a transaction without mining it.
func (c *Chain) Queue(key *ecdsa.PrivateKey, to proofs.Address, value *big.Int, data []byte) common.Hash {
	c.Helper()
	client, from := c.Dev.Client(), common.Address(Address(key))
	nonce, err := client.PendingNonceAt(c.Context(), from)
	c.must(err)
	target := common.Address(to)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(big.NewInt(devchain.DefaultChainID)), &types.DynamicFeeTx{
		ChainID: big.NewInt(devchain.DefaultChainID), Nonce: nonce, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
		Gas: 5_000_000, To: &target, Value: value, Data: data,
	})
	c.must(err)
	c.must(client.SendTransaction(c.Context(), tx))
	for n := nonce; n == nonce; { // the pool takes it up on its own time
		n, err = client.PendingNonceAt(c.Context(), from)
		c.must(err)
	}
	return tx.Hash()
}

// Try sends a transaction in a block of its own and returns its receipt, of one that reverted too.
func (c *Chain) Try(key *ecdsa.PrivateKey, to proofs.Address, value *big.Int, data []byte) *types.Receipt {
	c.Helper()
	tx := c.Queue(key, to, value, data)
	c.Mine(1)
	r, err := c.Dev.Client().TransactionReceipt(c.Context(), tx)
	c.must(err)
	return r
}

// Send is Try of a transaction that must succeed.
func (c *Chain) Send(key *ecdsa.PrivateKey, to proofs.Address, value *big.Int, data []byte) *types.Receipt {
	c.Helper()
	r := c.Try(key, to, value, data)
	if r.Status != 1 {
		c.Fatalf("transaction to %s reverted", to)
	}
	return r
}

// Mine mines n blocks.
func (c *Chain) Mine(n int) {
	c.Helper()
	c.must(c.Dev.Mine(n))
}

// Pass moves the clock and mines a block.
func (c *Chain) Pass(d time.Duration) {
	c.Helper()
	c.clock = time.Unix(int64(c.Now()), 0).Add(d)
	c.Mine(1)
}

// Now returns the newest block's time.
func (c *Chain) Now() uint64 {
	c.Helper()
	return c.Head().Time
}

// Head returns the newest block.
func (c *Chain) Head() *types.Header {
	c.Helper()
	h, err := c.Dev.Client().HeaderByNumber(c.Context(), nil)
	c.must(err)
	return h
}

// Next returns the index of the next entry.
func (c *Chain) Next() uint64 {
	if n := len(c.Batches); n > 0 {
		return c.Batches[n-1].First + c.Batches[n-1].Size
	}
	return 0
}

// Anchor anchors a batch of the leaves and returns it.
func (c *Chain) Anchor(leaves []proofs.Hash) proofs.Batch {
	c.Helper()
	root, err := proofs.Root(leaves)
	c.must(err)
	return c.AnchorRoots(uint64(len(leaves)), root)[0]
}

// AnchorRoots anchors a batch of that size for each root, all in one block.
func (c *Chain) AnchorRoots(size uint64, roots ...proofs.Hash) (anchored []proofs.Batch) {
	c.Helper()
	var last common.Hash
	for _, root := range roots {
		b := proofs.Batch{Number: uint64(len(c.Batches)), Root: root, First: c.Next(), Size: size, CID: proofs.Keccak(root[:])}
		last = c.Queue(c.Operator, c.Log.AnchorLog, nil,
			anchorLog.PackAnchor(c.Log.Log, new(big.Int).SetUint64(b.Number), root, new(big.Int).SetUint64(size), b.CID))
		c.Batches = append(c.Batches, b)
	}
	c.Mine(1)
	r, err := c.Dev.Client().TransactionReceipt(c.Context(), last)
	c.must(err)
	if r.Status != 1 {
		c.Fatal("anchoring reverted")
	}
	anchored = c.Batches[len(c.Batches)-len(roots):]
	for i := range anchored {
		anchored[i].Time = c.Now()
	}
	return anchored
}

// Fork goes back by that many blocks, forgets their transactions, and has the log end after so many batches.
func (c *Chain) Fork(depth, batches int) {
	c.Helper()
	c.clock = time.Unix(int64(c.Now()), 0).Add(time.Minute)
	at, err := c.Dev.Client().HeaderByNumber(c.Context(), new(big.Int).Sub(c.Head().Number, big.NewInt(int64(depth))))
	c.must(err)
	c.must(c.Dev.Fork(at.Hash()))
	c.Dev.DropPool()
	c.Batches = c.Batches[:batches]
}

// Nodes returns a quorum of n nodes of the chain, each behind a proxy.
func (c *Chain) Nodes(n int, cfg nodes.Config) (*nodes.Quorum, []*faultrpc.Proxy) {
	c.Helper()
	var all []nodes.Node
	var proxies []*faultrpc.Proxy
	for range n {
		p := faultrpc.New(c.Dev.URL())
		server := httptest.NewServer(p)
		c.Cleanup(server.Close)
		client, err := rpc.Dial(server.URL)
		c.must(err)
		c.Cleanup(client.Close)
		all, proxies = append(all, nodes.Node{Name: "node", RPC: client}), append(proxies, p)
	}
	q, err := nodes.New(all, cfg)
	c.must(err)
	return q, proxies
}

// Promise returns a promise of the log, signed by the key.
func (c *Chain) Promise(key *ecdsa.PrivateKey, index uint64, leaf proofs.Hash, deadline uint64) proofs.Promise {
	c.Helper()
	p := proofs.Promise{Log: c.Log.Log, Index: index, Leaf: leaf, Deadline: deadline, Beneficiary: Address(c.User)}
	digest := c.Log.PromiseDomain().PromiseDigest(&p)
	sig, err := crypto.Sign(digest[:], key)
	c.must(err)
	sig[64] += 27
	p.Signature = proofs.Signature(sig)
	return p
}
