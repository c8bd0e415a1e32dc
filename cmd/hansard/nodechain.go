package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// connect dials the nodes or opens the development chain, which makes the account rich.
func (n *node) connect(ctx context.Context, cfg nodeConfig) (err error) {
	if len(cfg.RPC) > 0 {
		return n.dial(ctx, cfg)
	}
	rich := new(big.Int).Mul(big.NewInt(1_000_000), big.NewInt(1e18))
	n.dev, err = devchain.Open(devchain.Config{
		Dir: filepath.Join(cfg.Dir, "chain"), HTTPAddr: cfg.ChainRPC,
		Alloc: types.GenesisAlloc{common.Address(cfg.Owner): {Balance: rich}},
	})
	if err != nil {
		return err
	}
	n.chain.ChainID = devchain.DefaultChainID
	if n.nodes, err = nodes.New([]nodes.Node{{Name: "development chain", RPC: n.dev.Client().Client()}}, nodes.Config{}); err != nil {
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
	if n.chain.ChainID, err = n.nodes.ChainID(ctx); errors.Is(err, nodes.ErrOtherChain) {
		return usage("%w; correct --rpc or --chain-id, or the chain file", err)
	} else if err != nil {
		return &exitError{exitUnreachable, err}
	}
	return nil
}

// name fills which log of which contract it is, and which bond its promises name.
func (n *node) name(cfg *nodeConfig) {
	if n.chain.AnchorLog = cfg.Contract; n.chain.AnchorLog.IsZero() {
		n.chain.AnchorLog = anchor.ContractAddress()
	}
	n.chain.PromiseBond = cfg.Bond.of(n.chain.AnchorLog)
	n.chain.Log = proofs.LogID(cfg.Owner, logSalt(cfg.LogName))
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
func (n *node) openLog(ctx context.Context, cfg nodeConfig) error {
	if n.dev != nil {
		return n.openDev(ctx, cfg)
	}
	if !cfg.Deploy {
		return n.findLog(ctx, cfg)
	}
	first := cfg.Signers[0]
	if first.Address() != cfg.Owner {
		return n.findLog(ctx, cfg) // nobody else can open it
	}
	w := &anchor.Wallet{
		Nodes: n.nodes, ChainID: n.chain.ChainID, Signer: first,
		Fees: cfg.Anchor.Fees, DataFee: cfg.Anchor.DataFee, Most: cfg.Anchor.Caps.Least(),
	}
	if _, err := w.Deploy(ctx); err != nil {
		return overCap(err)
	}
	if head, err := anchor.ReadHead(ctx, n.nodes, n.chain); err != nil || !head.Submitter.IsZero() {
		return err // it is open; the anchorer says whether one of the keys may write to it
	}
	_, err := w.OpenLog(ctx, n.chain.AnchorLog, logSalt(cfg.LogName), cfg.Owner)
	return overCap(err)
}

// overCap says what to do where a cap is too low for --deploy.
func overCap(err error) error {
	if errors.Is(err, anchor.ErrOverCap) {
		return &exitError{exitBudget, fmt.Errorf("%w; hansard contracts deploy has a cap of its own, --max-cost", err)}
	}
	return err
}

// checkNewest refuses a store that is behind the chain. A batch is in the store before it is sent, so
// that is an old copy; going on would promise indices that are taken.
func (n *node) checkNewest(ctx context.Context) error {
	b, err := n.nodes.Head(ctx)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	return n.checkAt(ctx, b.Hash)
}

// checkAt is checkNewest at a block.
func (n *node) checkAt(ctx context.Context, block proofs.Hash) error {
	head, err := anchor.ReadHeadAt(ctx, n.nodes, n.chain, block)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	tail, err := n.db.Tail(ctx)
	if err != nil {
		return err
	}
	if head.Batches > tail.Batches {
		return conflict("the chain holds %d batches of this log and the data directory %d: it is an old copy, or another service writes to the log; "+
			"stop that one and start with the newest copy, since this one would promise places that are taken (--promises restores only what is not on the chain yet)",
			head.Batches, tail.Batches)
	}
	return nil
}

// logSalt is the salt of the log of that name.
func logSalt(name string) proofs.Hash { return proofs.Keccak([]byte(name)) }

// findLog returns an error unless the contract and the log are there.
func (n *node) findLog(ctx context.Context, cfg nodeConfig) error {
	at, err := n.nodes.Head(ctx)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	code, err := n.nodes.Code(ctx, at.Hash, n.chain.AnchorLog)
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
			cfg.LogName, cfg.Owner, n.chain.ChainID)
	}
	return nil
}
