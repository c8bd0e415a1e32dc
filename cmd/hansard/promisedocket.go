package main

import (
	"context"
	"fmt"
	"math/big"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// docket decides about the promises of one log, all at one block.
type docket struct {
	site  *site
	chain proofs.Chain
	book  *logbook.Book
	judge *promises.Judge
	bond  *bond.State
}

// fetched are the leaves of batches as gateways have them.
type fetched struct{ blocks payload.Blocks }

func (f fetched) Leaves(ctx context.Context, b proofs.Batch) ([]proofs.Hash, error) {
	return payload.ReadLeaves(ctx, f.blocks, b)
}

// said are the batches that a service names. They are leads, and one that does not answer has none.
type said struct{ service *client.Client }

// saidPage is how many batches a service names at once.
const saidPage = 500

func (s said) Batches(ctx context.Context, number uint64, limit int) (all []proofs.Sealed, err error) {
	for len(all) < limit {
		want := min(saidPage, limit-len(all))
		page, err := s.service.Batches(ctx, number+uint64(len(all)), want)
		if err != nil {
			return all, ctx.Err()
		}
		for i := range page {
			b := &page[i]
			all = append(all, proofs.Sealed{Batch: b.Batch, State: b.State, Tx: b.Tx, Anchor: &proofs.Anchor{Block: b.Block}})
		}
		if len(page) < want {
			return all, nil
		}
	}
	return all, nil
}

// openDocket follows the log to the newest block. The contracts must be those of this version: others could say
// anything of the log.
func openDocket(c *cli.Context, s *site, chain proofs.Chain) (*docket, error) {
	if s.log.ChainID != chain.ChainID {
		return nil, usage("the nodes are on chain %d and the promise is on chain %d: name nodes of that chain with --rpc or --chain", s.log.ChainID, chain.ChainID)
	}
	found, err := anchor.ReadSite(c.Context, s.nodes, chain)
	if err != nil {
		return nil, chainError(err)
	}
	if !found.Ours {
		return nil, &exitError{proofs.Mismatch.Exit(), fmt.Errorf(
			"the contract at %s on chain %d is not the AnchorLog of this version: what it says of the log is worth nothing", chain.AnchorLog, chain.ChainID)}
	}
	cfg := logbook.Config{Nodes: s.nodes, Log: chain, FromBlock: s.file.FromBlock, Window: s.file.LogWindow, Confirmations: s.file.Confirm}
	flag(c, "from-block", c.Uint64, &cfg.FromBlock)
	flag(c, "confirmations", c.Uint64, &cfg.Confirmations)
	if c.String("server") != "" {
		service, err := serviceOf(c)
		if err != nil {
			return nil, err
		}
		cfg.Known = said{service}
	}
	d := &docket{site: s, chain: chain}
	if d.book, err = logbook.New(cfg); err != nil {
		return nil, err
	}
	if err := d.book.Refresh(c.Context); err != nil {
		return nil, chainError(err)
	}
	if d.bond, err = bond.ReadAt(c.Context, s.nodes, chain, d.book.Head().Block); err != nil {
		return nil, chainError(err)
	}
	judge := promises.Config{Nodes: s.nodes, Book: d.book}
	if urls := gateways(c); len(urls) > 0 {
		blocks, err := gateway.New(urls, nil)
		if err != nil {
			return nil, usage("--gateway: %w", err)
		}
		judge.Leaves = fetched{blocks}
	}
	d.judge, err = promises.New(judge)
	return d, err
}

// decide says what became of the promise in the file.
func (d *docket) decide(ctx context.Context, g *given) (*promises.Finding, error) {
	if g.evidence != nil {
		return d.judge.Weigh(ctx, g.evidence)
	}
	return d.judge.Decide(ctx, g.promise, g.receipt)
}

// reward is what a slashing credits to a beneficiary.
type reward struct {
	To  proofs.Address `json:"to"`
	Wei string         `json:"wei"`
	wei *big.Int
}

// rewards returns what slashing a bond of that amount would credit for the broken promises: one, or the two of a
// conflict. What is due to nobody is burnt.
func rewards(amount *big.Int, broken ...proofs.Promise) []reward {
	share := new(big.Int).Div(new(big.Int).Mul(amount, big.NewInt(bond.RewardPercent)), big.NewInt(200))
	all := []reward{}
	for i := range 2 {
		to := broken[min(i, len(broken)-1)].Beneficiary
		switch {
		case to.IsZero():
		case len(all) > 0 && all[0].To == to:
			all[0].wei.Add(all[0].wei, share)
		default:
			all = append(all, reward{To: to, wei: new(big.Int).Set(share)})
		}
	}
	for i := range all {
		all[i].Wei = all[i].wei.String()
	}
	return all
}
