package bond_test

import (
	"context"
	"fmt"
	"log"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// A promise that came from a service is held to the rule of docs/contracts.md before anybody relies on it.
func ExampleCheck() {
	ctx := context.Background()
	w := openBonded(ctx) // a log on a chain in this process, whose owner staked 2 ether
	defer w.close()

	accept := func(p *proofs.Promise) {
		s, err := bond.Check(ctx, w.nodes, w.chain, p)
		switch {
		case s == nil:
			log.Fatal(err) // the nodes do not answer: ask again
		case err != nil:
			fmt.Println("refuse:", err)
		case s.Amount.Cmp(cost.Ether) < 0:
			fmt.Println("refuse: less than an ether")
		default:
			fmt.Printf("accept: %s ether\n", cost.FormatEther(s.Amount))
		}
	}
	accept(w.promise(24 * time.Hour))
	accept(w.promise(30 * 24 * time.Hour))
	w.unbond(ctx)
	_, err := bond.Check(ctx, w.nodes, w.chain, w.promise(24*time.Hour))
	fmt.Println("left:", err != nil)
	// Output:
	// accept: 2 ether
	// refuse: nothing enforceable stands behind the promise: the deadline is more than 7 days away, and the bond may be gone before it can be claimed
	// left: true
}

// bonded is a log with a bond.
type bonded struct {
	nodes  *nodes.Quorum
	chain  proofs.Chain
	key    *identity.Key // owns the log, and signs promises
	wallet *anchor.Wallet
	stop   func()
	done   chan error
	dev    *devchain.Chain
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func openBonded(ctx context.Context) *bonded {
	key := must(identity.GenerateKey())
	w := &bonded{key: key, done: make(chan error, 1)}
	w.dev = must(devchain.Open(devchain.Config{HTTPAddr: "127.0.0.1:0",
		Alloc: types.GenesisAlloc{common.Address(key.Address()): {Balance: new(big.Int).Mul(cost.Ether, big.NewInt(10))}}}))
	run, stop := context.WithCancel(ctx)
	w.stop = stop
	go func() { w.done <- w.dev.Run(run) }()
	w.nodes = must(nodes.Dial(ctx, []string{w.dev.URL()}, nodes.Config{}))
	w.chain.ChainID = must(w.nodes.ChainID(ctx))
	w.wallet = &anchor.Wallet{Nodes: w.nodes, ChainID: w.chain.ChainID, Signer: signer.FromKey(key), Poll: 50 * time.Millisecond}
	w.chain.AnchorLog = must(w.wallet.Deploy(ctx))
	w.chain.Log = must(w.wallet.OpenLog(ctx, w.chain.AnchorLog, proofs.Hash{1}, key.Address()))
	w.chain.PromiseBond = bond.Address(w.chain.AnchorLog)
	w.do(ctx, must(w.read(ctx).PlanDeploy(ctx, w.nodes)))
	w.do(ctx, must(w.read(ctx).PlanFund(new(big.Int).Mul(cost.Ether, big.NewInt(2)))))
	w.do(ctx, must(w.read(ctx).PlanAddKey(bond.Key{Address: key.Address()})))
	return w
}

func (w *bonded) read(ctx context.Context) *bond.State { return must(bond.Read(ctx, w.nodes, w.chain)) }

func (w *bonded) do(ctx context.Context, plan []anchor.Planned) {
	must(0, w.wallet.Do(ctx, plan, nil, func(anchor.Planned, *anchor.Paid) {}))
}

func (w *bonded) unbond(ctx context.Context) { w.do(ctx, must(w.read(ctx).PlanUnbond())) }

// promise is one as a service gives it.
func (w *bonded) promise(within time.Duration) *proofs.Promise {
	p := &proofs.Promise{Log: w.chain.Log, Index: 7, Leaf: proofs.Hash{7}, Deadline: uint64(time.Now().Add(within).Unix())}
	p.Signature = must(w.key.SignDigest(w.chain.PromiseDomain().PromiseDigest(p)))
	return p
}

func (w *bonded) close() {
	w.nodes.Close()
	w.stop()
	must(0, <-w.done)
	must(0, w.dev.Close())
}
