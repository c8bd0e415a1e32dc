package watchtower

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// world is a chain with a log whose operator does what the test says, and a watchtower over a directory.
type world struct {
	*testing.T
	chain    *devchain.Chain
	now      time.Time // of the chain and of the watchtower
	nodes    *nodes.Quorum
	operator *identity.Key // owns the log, submits, and signs promises
	user     *identity.Key
	tower    *identity.Key
	log      proofs.Chain
	next     uint64 // index of the next entry
	batches  []proofs.Batch
	blocks   blockMap
	cfg      Config
	w        *Watchtower
	events   []Event
}

// blockMap is a gateway.
type blockMap map[proofs.Hash][]byte

func (m blockMap) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := m[digest]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("gateway: %w", proofs.ErrNotFound)
}

func (m blockMap) put(b []byte) proofs.Hash {
	digest := proofs.BlockDigest(b)
	m[digest] = b
	return digest
}

func newKey(t *testing.T) *identity.Key {
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Now().Truncate(time.Second), blocks: blockMap{}, operator: newKey(t), user: newKey(t), tower: newKey(t)}
	rich := types.Account{Balance: new(big.Int).Mul(cost.Ether, big.NewInt(100))}
	alloc := types.GenesisAlloc{}
	for _, k := range []*identity.Key{w.operator, w.user, w.tower} {
		alloc[common.Address(k.Address())] = rich
	}
	var err error
	if w.chain, err = devchain.Open(devchain.Config{Alloc: alloc, Now: func() time.Time { return w.now }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.chain.Close() })
	if w.nodes, err = nodes.New([]nodes.Node{{Name: "devchain", RPC: w.chain.Client().Client()}}, nodes.Config{}); err != nil {
		t.Fatal(err)
	}
	w.setUp()
	dir := t.TempDir()
	w.cfg = Config{
		Dir: filepath.Join(dir, "promises"), Evidence: filepath.Join(dir, "promises", "evidence"), Cache: filepath.Join(dir, "cache"),
		Trust: &proofs.Trust{Logs: []proofs.TrustedLog{{Name: "test", Chain: w.log, PromiseKeys: []proofs.Address{w.operator.Address()}}}},
		Nodes: w.nodes, Blocks: w.blocks, Sender: sender{w}, Now: func() time.Time { return w.now },
		Report: func(e Event) { w.events = append(w.events, e) },
	}
	if err := os.Mkdir(w.cfg.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return w
}

// setUp deploys the contracts, opens the log and makes its bond live.
func (w *world) setUp() {
	w.Helper()
	operator := w.operator.Address()
	salt := proofs.Keccak([]byte("main"))
	w.log = proofs.Chain{ChainID: devchain.DefaultChainID, AnchorLog: anchor.ContractAddress(), Log: proofs.LogID(operator, salt)}
	w.log.PromiseBond = bond.Address(w.log.AnchorLog)
	w.mine(1)
	for {
		site, err := anchor.ReadSite(w.Context(), w.nodes, w.log)
		if err != nil {
			w.Fatal(err)
		}
		plan, err := site.PlanDeploy()
		if err == nil && plan == nil {
			plan, err = site.PlanOpen(salt, operator)
		}
		if err != nil {
			w.Fatal(err)
		}
		if plan == nil {
			break
		}
		w.must(w.operator, plan...)
	}
	plan := func(plan []anchor.Planned, err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
		w.must(w.operator, plan...)
	}
	plan(w.bonded().PlanDeploy(w.Context(), w.nodes))
	plan(w.bonded().PlanFund(new(big.Int).Mul(cost.Ether, big.NewInt(10))))
	plan(w.bonded().PlanAddKey(bond.Key{Address: operator}))
}

// bonded reads the log's bond.
func (w *world) bonded() *bond.State {
	w.Helper()
	s, err := bond.Read(w.Context(), w.nodes, w.log)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) mine(n int) {
	w.Helper()
	if err := w.chain.Mine(n); err != nil {
		w.Fatal(err)
	}
}

// pass lets time pass and the present be final.
func (w *world) pass(d time.Duration) {
	w.Helper()
	w.now = w.now.Add(d)
	w.mine(3)
}

// must sends the transactions, each in a block of its own, and wants them to succeed.
func (w *world) must(key *identity.Key, plan ...anchor.Planned) {
	w.Helper()
	for _, p := range plan {
		if _, err := w.transact(key, p); err != nil {
			w.Fatalf("%s: %v", p.What, err)
		}
	}
}

func (w *world) transact(key *identity.Key, p anchor.Planned) (*types.Receipt, error) {
	ctx, eth := w.Context(), w.chain.Client()
	nonce, err := eth.NonceAt(ctx, common.Address(key.Address()), nil)
	if err != nil {
		return nil, err
	}
	to := common.Address(p.To)
	rules := types.LatestSignerForChainID(new(big.Int).SetUint64(w.log.ChainID))
	tx := types.NewTx(&types.DynamicFeeTx{
		ChainID: rules.ChainID(), Nonce: nonce, To: &to, Value: p.Value, Data: p.Data, Gas: 3_000_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
	})
	s, err := key.SignDigest(proofs.Hash(rules.Hash(tx)))
	if err != nil {
		return nil, err
	}
	s[64] -= 27
	if tx, err = tx.WithSignature(rules, s[:]); err != nil {
		return nil, err
	}
	if err := eth.SendTransaction(ctx, tx); err != nil {
		return nil, err
	}
	w.mine(1)
	r, err := eth.TransactionReceipt(ctx, tx.Hash())
	if err == nil && r.Status != 1 {
		err = errors.New("reverted")
	}
	return r, err
}

// sender is the watchtower's account.
type sender struct{ w *world }

func (s sender) Address() proofs.Address { return s.w.tower.Address() }

func (s sender) Send(_ context.Context, p anchor.Planned) (*anchor.Paid, error) {
	r, err := s.w.transact(s.w.tower, p)
	if r == nil {
		return nil, err
	}
	wei := new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed))
	return &anchor.Paid{Tx: proofs.Hash(r.TxHash), Block: r.BlockNumber.Uint64(), Gas: r.GasUsed, Wei: wei}, err
}

// entry makes an entry with that index, another one for each text.
func (w *world) entry(index uint64, text string) proofs.Entry {
	return proofs.Entry{
		Log: w.log.Log, Index: index, Room: proofs.Keccak([]byte("room")), RoomIndex: index, RoomPrev: proofs.Keccak([]byte{byte(index)}),
		Message: proofs.Keccak([]byte(text)), Author: proofs.Keccak([]byte("author")), Vouch: proofs.VouchAuthor,
		Evidence: proofs.Keccak([]byte("evidence")), ReceivedAt: uint64(w.now.UnixMilli()),
	}
}

// promise signs a promise for the entry, due after d.
func (w *world) promise(e proofs.Entry, d time.Duration) proofs.Promise {
	w.Helper()
	p := proofs.Promise{Log: w.log.Log, Index: e.Index, Leaf: e.Leaf(), Deadline: uint64(w.now.Add(d).Unix()), Beneficiary: w.user.Address()}
	return w.sign(w.operator, p)
}

func (w *world) sign(key *identity.Key, p proofs.Promise) proofs.Promise {
	w.Helper()
	var err error
	if p.Signature, err = key.SignDigest(bond.PromiseID(w.log, &p)); err != nil {
		w.Fatal(err)
	}
	return p
}

// give puts a receipt with the promise into the directory.
func (w *world) give(name string, e proofs.Entry, p proofs.Promise) {
	w.Helper()
	w.write(name+receiptSuffix, w.receipt(e, p))
}

func (w *world) receipt(e proofs.Entry, p proofs.Promise) []byte {
	r := proofs.Receipt{Level: proofs.Promised, Chain: w.log, Entry: e, Promise: &p}
	return r.Format()
}

func (w *world) write(name string, b []byte) {
	w.Helper()
	path := filepath.Join(w.cfg.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		w.Fatal(err)
	}
}

// anchor anchors a batch of these entries, with its payload at the gateway, and lets it be final.
func (w *world) anchor(entries ...proofs.Entry) {
	w.Helper()
	w.anchorOnly(entries...)
	w.mine(3)
}

// anchorOnly is anchor in a block that is not final.
func (w *world) anchorOnly(entries ...proofs.Entry) {
	w.Helper()
	m := proofs.Manifest{Log: w.log.Log, Number: uint64(len(w.batches)), First: w.next, Size: uint64(len(entries))}
	var chunker proofs.Chunker
	var leaves []proofs.Hash
	add := func(chunk []byte) {
		if chunk != nil {
			m.Chunks = append(m.Chunks, w.blocks.put(chunk))
		}
	}
	for _, e := range entries {
		leaves = append(leaves, e.Leaf())
		add(chunker.Add(proofs.AppendRecord(nil, &proofs.Record{Entry: e, Evidence: proofs.Evidence{Scheme: "none"}})))
	}
	add(chunker.Rest())
	var err error
	if m.Root, err = proofs.Root(leaves); err != nil {
		w.Fatal(err)
	}
	m.Heads = proofs.RoomHeads(entries, leaves)
	b := proofs.Batch{Number: m.Number, Root: m.Root, First: m.First, Size: m.Size, CID: w.blocks.put(m.Format())}
	w.anchorBatch(&b)
}

func (w *world) anchorBatch(b *proofs.Batch) {
	w.Helper()
	big := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	p := anchor.Planned{What: "anchor", To: w.log.AnchorLog, Data: bindings.NewAnchorLog().PackAnchor(w.log.Log, big(b.Number), b.Root, big(b.Size), b.CID)}
	w.must(w.operator, p)
	w.next += b.Size
	w.batches = append(w.batches, *b)
}

// round makes a round of a watchtower that was there before, or of a new one after restart.
func (w *world) round() Summary {
	w.Helper()
	if w.w == nil {
		var err error
		if w.w, err = New(w.cfg); err != nil {
			w.Fatal(err)
		}
	}
	w.events = nil
	return w.w.Round(w.Context())
}

func (w *world) restart() { w.w = nil }

// happened returns the events of a kind in the last round.
func (w *world) happened(kind Kind) (found []Event) {
	for _, e := range w.events {
		if e.Kind == kind {
			found = append(found, e)
		}
	}
	return found
}

// want checks the summary of a round in which nothing went wrong.
func (w *world) want(got Summary, open, kept, broken, unknown int) {
	w.Helper()
	want := Summary{Promises: open + kept + broken + unknown, Open: open, Kept: kept, Broken: broken, Unknown: unknown}
	if got != want {
		w.Fatalf("got %+v, want %+v; events: %s", got, want, w.told())
	}
}

func (w *world) told() string {
	var b bytes.Buffer
	for _, e := range w.events {
		fmt.Fprintf(&b, "\n  %s %s %s %s: %s", e.Kind, e.Path, e.Outcome, e.Breach, e.Detail)
	}
	return b.String()
}

// evidence returns the only file of evidence, checked as a stranger with the block's hash would.
func (w *world) evidence() *proofs.BreachEvidence {
	w.Helper()
	files, err := filepath.Glob(filepath.Join(w.cfg.Evidence, "*"))
	if err != nil || len(files) != 1 {
		w.Fatalf("files %q, %v; want one; events: %s", files, err, w.told())
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		w.Fatal(err)
	}
	e, err := proofs.ParseBreachEvidence(b)
	if err != nil {
		w.Fatal(err)
	}
	o := proofs.Options{Trust: w.cfg.Trust}
	if e.Anchor != nil {
		o.BlockHash = e.Anchor.Block.Hash
	} else if e.Head != nil {
		o.BlockHash = e.Head.Block.Hash
	}
	if r := proofs.VerifyEvidence(b, o); e.Breach != proofs.Withheld && r.Verdict != proofs.PromiseBroken {
		w.Fatalf("%s: %s: %+v", files[0], r.Verdict, r.Checks)
	}
	if id := bond.PromiseID(w.log, &e.Promise); filepath.Base(files[0]) != fmt.Sprintf("%s-%d-%x.evidence.json", e.Breach, e.Promise.Index, id[:4]) {
		w.Errorf("the evidence is in %s", files[0])
	}
	return e
}
