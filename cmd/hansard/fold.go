package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/fold"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

var _ receipts.Folds = (*folding)(nil)

// folding keeps the log of a node's heads, on another chain.
type folding struct {
	*node  // of the other chain: nodes, store and anchorer
	folder *fold.Folder
	log    *slog.Logger
	cfg    nodeConfig // of the other chain
	waits  bool       // its nodes did not answer at the start
}

// headsName is the name of the log of heads: an account may keep several on one chain.
func headsName(of proofs.Chain) string {
	return fmt.Sprintf("heads of log %s of %s on chain %d", of.Log, of.AnchorLog, of.ChainID)
}

// openFold folds the node's log into the chain of cfg.Fold, and its receipts carry the fold from then on.
func (n *node) openFold(ctx context.Context, cfg nodeConfig) (err error) {
	if n.folding, err = openFolding(ctx, n, cfg, *cfg.Fold, cfg.Every); err != nil {
		return err
	}
	n.close = append(n.close, n.folding.Close)
	n.issuer.Folds = n.folding
	n.trust.Logs = append(n.trust.Logs, proofs.TrustedLog{Name: "heads of " + cfg.LogName, Chain: n.folding.chain})
	return nil
}

// openFolding opens what folds n's log into the chain of other: RPC, Quorum, ChainID, Signers, Owner, Deploy and
// Anchor count there, own is n's configuration. It starts nothing.
func openFolding(ctx context.Context, n *node, own, other nodeConfig, every time.Duration) (f *folding, err error) {
	f = &folding{node: &node{changed: n.changed}, log: own.Logger}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open the fold: %w", err), f.Close())
			f = nil
		}
	}()
	if other.Owner.IsZero() {
		other.Owner = other.Signers[0].Address()
	}
	other.LogName = headsName(n.chain)
	other.Bond = noBond // heads are promised to nobody
	f.log = own.Logger
	if f.nodes, err = nodes.Dial(ctx, other.RPC, nodes.Config{Need: other.Quorum, ChainID: other.ChainID}); err != nil {
		return f, usage("--fold-chain: %w", err)
	}
	f.close = append(f.close, func() error { f.nodes.Close(); return nil })
	id, err := f.nodes.ChainID(ctx)
	switch f.chain.ChainID = cmp.Or(other.ChainID, id); {
	case errors.Is(err, nodes.ErrOtherChain):
		return f, usage("%w; correct the chain file", err)
	case err != nil && (other.ChainID == 0 || !silent(err)):
		return f, &exitError{exitUnreachable, fmt.Errorf("%w; with chain_id in its file the log starts without", err)}
	}
	if f.chain.ChainID == n.chain.ChainID {
		return f, usage("the log cannot be folded into its own chain %d", n.chain.ChainID)
	}
	f.log = own.Logger.With("fold_chain", f.chain.ChainID)
	other.Logger = f.log
	f.cfg = other
	f.name(&other)
	if f.db, err = storage.Open(storage.Config{Dir: filepath.Join(own.Dir, "fold"), Chain: f.chain}); err != nil {
		return f, err
	}
	f.close = append(f.close, f.db.Close)
	if err := f.connect(ctx); silent(err) {
		f.waits = true
		f.log.Warn("the chain of the fold does not answer: the log goes on, and heads wait", "err", err)
	} else if err != nil {
		return f, err
	}
	a := f.anchorConfig(other)
	a.Store = anchorStore{f.db, f.changed}
	if f.anchorer, err = anchor.New(a); err != nil {
		return f, err
	}
	cfg := fold.Config{
		Log: n.chain.Place(), Into: f.chain.Place(), Batches: n.db, Store: f.db, Node: n.ipfs, Every: every, Logger: f.log,
		Chain:  &fold.Nodes{Quorum: n.nodes, Log: n.chain.Place(), Confirmations: own.Anchor.Confirmations},
		Sealed: func() { f.anchorer.Wake(); f.changed() },
	}
	if n.dev != nil {
		cfg.Poll = time.Second
	}
	f.folder, err = fold.New(cfg)
	return f, err
}

// connect looks whether the log of heads is there, and opens it if that is wanted.
func (f *folding) connect(ctx context.Context) error {
	if _, err := f.nodes.ChainID(ctx); errors.Is(err, nodes.ErrOtherChain) {
		return usage("%w; correct the chain file", err)
	} else if err != nil {
		return err
	}
	if err := f.openLog(ctx, f.cfg); err != nil {
		return err
	}
	return f.checkNewest(ctx)
}

// silent reports whether an error says that too few nodes answer.
func silent(err error) bool { return errors.Is(err, nodes.ErrNoQuorum) }

// connectEvery is how often a chain that did not answer at the start is asked again.
const connectEvery = time.Minute

// await connects until it works. It returns false if the log of heads cannot be kept, or ctx ended.
func (f *folding) await(ctx context.Context) bool {
	for f.waits {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(cmp.Or(f.cfg.Anchor.Poll, connectEvery)):
		}
		switch err := f.connect(ctx); {
		case err == nil:
			f.waits = false
			f.log.Info("the chain of the fold answers")
		case ctx.Err() != nil:
			return false
		case exitCode(err) == exitUsage || exitCode(err) == exitConflict:
			f.log.Error(foldEnds, "err", err)
			return false
		default: // silent still, or dear, or cut off: all of it passes
			f.log.Warn("the log of heads cannot be opened yet", "err", err)
		}
	}
	return true
}

const foldEnds = "heads are anchored no more until the next start; the log itself goes on"

// Attach adds a fold. A receipt does not wait for its second anchor: trouble is logged, and there is none.
func (f *folding) Attach(ctx context.Context, rc *proofs.Receipt) (*proofs.Receipt, error) {
	folded, err := f.folder.Attach(ctx, rc)
	if err != nil && !errors.Is(err, proofs.ErrNotFound) && ctx.Err() == nil {
		f.log.Warn("receipt goes without its fold", "batch", rc.Batch.Number, "err", err)
		err = fmt.Errorf("%w: %w", proofs.ErrNotFound, err)
	}
	return folded, err
}

// Run folds and anchors until ctx ends or its store fails. Where its heads cannot be anchored any more, such as
// when another key may, the log itself goes on without them.
func (f *folding) Run(ctx context.Context) error {
	if !f.await(ctx) {
		<-ctx.Done()
		return nil
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return f.folder.Run(ctx) })
	g.Go(func() error {
		err := f.anchorer.Run(ctx)
		if errors.Is(err, anchor.ErrFatal) {
			f.log.Error(foldEnds, "err", err)
			return nil
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("fold: %w", err)
	}
	return nil
}
