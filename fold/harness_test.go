package fold_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/fold"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var (
	_ fold.Store = (*storage.DB)(nil)
	_ fold.Node  = (*ipfs.Node)(nil)
)

var (
	quiet    = slog.New(slog.NewTextHandler(io.Discard, nil))
	contract = bindings.NewAnchorLog()
)

// account sends the transactions of both chains.
type account struct{ *ecdsa.PrivateKey }

func newAccount(t *testing.T) account {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return account{key}
}

func (a account) Address() proofs.Address { return proofs.Address(crypto.PubkeyToAddress(a.PublicKey)) }

func (a account) SignTx(_ context.Context, tx *types.Transaction, id *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(id), a.PrivateKey)
}

// side is a chain with the contract and a log, and the log's store.
type side struct {
	t       *testing.T
	chain   *devchain.Chain
	quorum  *nodes.Quorum
	account account
	log     proofs.Chain
	dir     string
	db      *storage.DB
	skew    time.Duration // of the chain's clock; a fork moves it on
}

func newSide(t *testing.T, chainID uint64) *side {
	t.Helper()
	s := &side{t: t, account: newAccount(t), dir: t.TempDir(), log: proofs.Chain{ChainID: chainID}}
	rich := new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))
	start := time.Unix(1_800_000_000, 0)
	var err error
	s.chain, err = devchain.Open(devchain.Config{ChainID: chainID, Now: func() time.Time { return start.Add(s.skew) },
		Alloc: types.GenesisAlloc{common.Address(s.account.Address()): {Balance: rich}}})
	s.must(err)
	t.Cleanup(func() { s.must(s.chain.Close()) })
	s.quorum, err = nodes.New([]nodes.Node{{Name: "dev", RPC: s.chain.Client().Client()}}, nodes.Config{})
	s.must(err)
	s.transact(0, nil, common.FromHex(bindings.AnchorLogMetaData.Bin))
	s.log.AnchorLog = proofs.Address(crypto.CreateAddress(common.Address(s.account.Address()), 0))
	to, salt := common.Address(s.log.AnchorLog), proofs.Hash{byte(chainID)}
	s.transact(1, &to, contract.PackOpen(salt, common.Address(s.account.Address())))
	s.log.Log = proofs.LogID(s.account.Address(), salt)
	s.open()
	t.Cleanup(func() { s.must(s.db.Close()) })
	return s
}

func (s *side) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *side) open() {
	s.t.Helper()
	var err error
	s.db, err = storage.Open(storage.Config{Dir: s.dir, Chain: s.log})
	s.must(err)
}

// transact sends a transaction with the nonce and mines it.
func (s *side) transact(nonce uint64, to *common.Address, data []byte) {
	s.t.Helper()
	tx, err := s.account.SignTx(s.t.Context(), types.NewTx(&types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(s.log.ChainID), Nonce: nonce, To: to, Data: data, Gas: 2_000_000, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(1e11),
	}), new(big.Int).SetUint64(s.log.ChainID))
	s.must(err)
	s.must(s.chain.Client().SendTransaction(s.t.Context(), tx))
	for range 20 { // the pool takes it up on its own time
		s.mine(1)
		r, err := s.chain.Client().TransactionReceipt(s.t.Context(), tx.Hash())
		if err != nil {
			continue
		}
		if r.Status != 1 {
			s.t.Fatalf("transaction %d reverted", nonce)
		}
		return
	}
	s.t.Fatalf("transaction %d is not mined", nonce)
}

func (s *side) mine(n int) {
	s.t.Helper()
	s.must(s.chain.Mine(n))
}

// fork drops the block of that number with all that follow, and their transactions.
func (s *side) fork(number uint64) {
	s.t.Helper()
	parent, err := s.chain.Client().HeaderByNumber(s.t.Context(), new(big.Int).SetUint64(number-1))
	s.must(err)
	s.skew += time.Minute
	s.must(s.chain.Fork(parent.Hash()))
	s.chain.DropPool()
}

// anchorer is a fresh one, as after a restart. No other line of these tests knows package anchor.
func (s *side) anchorer() *anchor.Anchorer {
	s.t.Helper()
	a, err := anchor.New(anchor.Config{Nodes: s.quorum, Log: s.log, Signers: []anchor.Signer{s.account}, Store: s.db})
	s.must(err)
	return a
}

// until anchors until the newest batch has the state.
func (s *side) until(state proofs.State) {
	s.t.Helper()
	a := s.anchorer()
	for range 40 {
		if all := s.batches(); len(all) == 0 || all[len(all)-1].State >= state {
			return
		}
		s.must(a.Step(s.t.Context()))
		s.mine(1)
	}
	s.t.Fatalf("the newest batch is not %s: %+v", state, s.batches())
}

func (s *side) batches() []proofs.Sealed {
	s.t.Helper()
	all, err := s.db.Batches(s.t.Context(), 0, 1000)
	s.must(err)
	return all
}

// pair is a log on chain 10 that is folded into one on chain 20.
type pair struct {
	*testing.T
	a, b     *side
	ipfsDir  string
	node     *ipfs.Node
	operator *identity.Key
	clock    time.Time
	folder   *fold.Folder
	ids      [][]proofs.Hash // of the messages, by batch of a
}

const every = 24 * time.Hour

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{T: t, a: newSide(t, 10), b: newSide(t, 20), ipfsDir: t.TempDir(), clock: time.UnixMilli(1_800_000_000_000)}
	var err error
	if p.operator, err = identity.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	p.openNode()
	t.Cleanup(func() { p.a.must(p.node.Close()) })
	p.folder = p.fresh(p.config())
	return p
}

func (p *pair) openNode() {
	p.Helper()
	var err error
	p.node, err = ipfs.Open(ipfs.Config{Dir: p.ipfsDir})
	p.a.must(err)
}

func (p *pair) config() fold.Config {
	return fold.Config{Log: p.a.log.Place(), Into: p.b.log.Place(), Chain: &fold.Nodes{Quorum: p.a.quorum, Log: p.a.log.Place()},
		Batches: p.a.db, Store: p.b.db, Node: p.node, Every: every, Now: func() time.Time { return p.clock }}
}

func (p *pair) fresh(cfg fold.Config) *fold.Folder {
	p.Helper()
	f, err := fold.New(cfg)
	if err != nil {
		p.Fatal(err)
	}
	return f
}

// restart closes all that is on disk and opens it again.
func (p *pair) restart() {
	p.Helper()
	p.a.must(errors.Join(p.a.db.Close(), p.b.db.Close(), p.node.Close()))
	p.a.open()
	p.b.open()
	p.openNode()
	p.folder = p.fresh(p.config())
}

// say seals batches of that many messages each on chain 10.
func (p *pair) say(sizes ...int) {
	p.Helper()
	sealed := make(chan struct{}, len(sizes))
	b, err := batcher.New(batcher.Config{Chain: p.a.log, Store: p.a.db, Logger: quiet, Now: func() time.Time { return p.clock },
		Sealed: func() { sealed <- struct{}{} }})
	p.a.must(err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for _, n := range sizes {
		number := len(p.ids)
		p.ids = append(p.ids, nil)
		for i := range n {
			text := fmt.Sprintf("batch %d, message %d", number, i)
			res := b.Submit(ctx, batcher.Submission{Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}, Message: proofs.Message{
				Log: p.a.log.Log, Room: "room", Author: "zoom:Dan", SentAt: uint64(p.clock.UnixMilli()), Kind: "text/plain", Body: text, Salt: proofs.Keccak([]byte(text)),
			}})[0]
			p.a.must(res.Err)
			p.ids[number] = append(p.ids[number], res.ID)
		}
		b.Flush()
		<-sealed
		p.a.must(p.a.db.SetCID(ctx, uint64(number), proofs.Keccak([]byte{byte(number)})))
	}
	stop()
	p.a.must(<-done)
}

// grow says and anchors batches until they are final.
func (p *pair) grow(sizes ...int) {
	p.Helper()
	p.say(sizes...)
	p.a.until(proofs.StateFinalized)
}

// step takes a step and checks whether it sealed a head.
func (p *pair) step(sealed bool) {
	p.Helper()
	got, err := p.folder.Step(p.Context())
	if err != nil || got != sealed {
		p.Fatalf("step: sealed %t, %v, want %t", got, err, sealed)
	}
}

// fold folds what is final and anchors it until it has the state.
func (p *pair) fold(state proofs.State) {
	p.Helper()
	p.step(true)
	p.b.until(state)
}

// receipt returns the receipt of a message without a fold.
func (p *pair) receipt(batch, message int) *proofs.Receipt {
	p.Helper()
	rc, err := receipts.New(p.a.log, p.a.db, p.operator).Receipt(p.Context(), p.ids[batch][message])
	p.a.must(err)
	return rc
}

// attached returns the receipt with its fold, judged as a stranger does who trusts both logs and knows
// both blocks.
func (p *pair) attached(batch, message int) *proofs.Receipt {
	p.Helper()
	plain := p.receipt(batch, message)
	rc, err := p.folder.Attach(p.Context(), plain)
	if err != nil {
		p.Fatal(err)
	}
	if plain.Fold != nil {
		p.Fatal("the receipt given was changed")
	}
	r := p.verify(rc)
	if r.Verdict != proofs.Valid || r.Checks[proofs.V13].Status != proofs.Pass {
		p.Fatalf("batch %d, message %d: %s, %+v", batch, message, r.Verdict, r.Checks[proofs.V13])
	}
	return rc
}

func (p *pair) verify(rc *proofs.Receipt) *proofs.Report {
	trust := &proofs.Trust{Logs: []proofs.TrustedLog{{Chain: p.a.log, PromiseKeys: []proofs.Address{p.operator.Address()}}, {Chain: p.b.log}}}
	return proofs.Verify(rc.Format(), proofs.Options{Trust: trust, BlockHash: rc.Anchor.Block.Hash, FoldBlockHash: rc.Fold.Anchor.Block.Hash})
}

// none checks that there is no fold for the batch yet.
func (p *pair) none(batch int) {
	p.Helper()
	if rc, err := p.folder.Attach(p.Context(), p.receipt(batch, 0)); !errors.Is(err, proofs.ErrNotFound) {
		p.Errorf("batch %d has a fold: %+v, %v", batch, rc, err)
	}
}
