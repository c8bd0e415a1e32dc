package main

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// openDev makes what is missing on the development chain: the contract, the log, and a bond of an ether of play money
// with the node's promise key. All of it goes out at once: that chain mines few blocks a second.
func (n *node) openDev(ctx context.Context, cfg nodeConfig) error {
	site, err := anchor.ReadSite(ctx, n.nodes, n.chain)
	if err != nil {
		return err
	}
	plan, err := site.PlanDeploy()
	if err != nil {
		return err
	}
	if site.Owner.IsZero() {
		open, err := site.PlanOpen(logSalt(cfg.LogName), cfg.Owner)
		if err != nil {
			return err
		}
		plan = append(plan, open...)
	}
	if n.chain.PromiseBond == bond.Address(n.chain.AnchorLog) {
		bonded, err := n.planDevBond(ctx, cfg.Owner)
		if err != nil {
			return err
		}
		plan = append(plan, bonded...)
	}
	return n.sendDev(ctx, cfg.Signers[0], plan)
}

// planDevBond plans the bond of the development chain as if the log were open already.
func (n *node) planDevBond(ctx context.Context, owner proofs.Address) ([]anchor.Planned, error) {
	v, err := n.readBond(ctx)
	if err != nil {
		return nil, err
	}
	plan, err := v.State.PlanDeploy(ctx, n.nodes)
	if err != nil {
		return nil, err
	}
	s := *v.State
	s.Deployed, s.Ours, s.Owner = true, true, owner
	if s.Amount.Sign() == 0 && !s.Broken {
		fund, err := s.PlanFund(cost.Ether)
		if err != nil {
			return nil, err
		}
		plan = append(plan, fund...)
	}
	if v.Key.Until == 0 {
		add, err := s.PlanAddKey(v.Key)
		if err != nil {
			return nil, err
		}
		plan = append(plan, add...)
	}
	return plan, nil
}

// What a transaction of openDev may use and pay: more than each needs, in play money.
const (
	devGas = 3_000_000
	devFee = 100e9 // wei per gas
)

// sendDev sends all of the plan and waits until it is mined.
func (n *node) sendDev(ctx context.Context, from anchor.Signer, plan []anchor.Planned) error {
	if len(plan) == 0 {
		return nil
	}
	head, err := n.nodes.Head(ctx)
	if err != nil {
		return err
	}
	nonce, err := n.nodes.Nonce(ctx, head.Hash, from.Address())
	if err != nil {
		return err
	}
	chainID := new(big.Int).SetUint64(n.chain.ChainID)
	sent := make([]proofs.Hash, len(plan))
	for i, p := range plan {
		tx, err := from.SignTx(ctx, types.NewTx(&types.DynamicFeeTx{
			ChainID: chainID, Nonce: nonce + uint64(i), GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(devFee), Gas: devGas,
			To: (*common.Address)(&p.To), Value: p.Value, Data: p.Data,
		}), chainID)
		if err != nil {
			return fmt.Errorf("%s: %w", p.What, err)
		}
		raw, err := tx.MarshalBinary()
		if err != nil {
			return fmt.Errorf("%s: %w", p.What, err)
		}
		if err := n.nodes.Send(ctx, raw); err != nil {
			return fmt.Errorf("%s: %w", p.What, err)
		}
		sent[i] = proofs.Hash(tx.Hash())
	}
	for i, p := range plan {
		if err := n.minedDev(ctx, sent[i]); err != nil {
			return fmt.Errorf("%s: %w", p.What, err)
		}
	}
	return nil
}

// minedDev waits until a transaction is mined.
func (n *node) minedDev(ctx context.Context, tx proofs.Hash) error {
	look := time.NewTicker(devPoll)
	defer look.Stop()
	for {
		r, err := n.nodes.TxReceipt(ctx, tx)
		if err == nil && r.Status != types.ReceiptStatusSuccessful {
			return fmt.Errorf("transaction %s reverted in block %d", tx, r.BlockNumber)
		}
		if !errors.Is(err, nodes.ErrNotFound) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}
