package payload

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Checker is a node that can tell whether what it kept is whole.
type Checker interface {
	Node
	// Check reads everything below root that Keep stored with it, and hashes it. An error that wraps
	// proofs.ErrNotFound says what is missing or damaged, and that keeping it again mends it.
	Check(ctx context.Context, root proofs.Hash) error
}

// Damage is a batch whose payload is not whole here.
type Damage struct {
	Batch  uint64
	CID    proofs.Hash
	Err    error // what is missing or damaged
	Mended bool
	From   string // where the blocks came from: "log" or "gateways"; empty: not mended
	Why    error  // it could not be mended; nil: it was, or nobody tried
}

// Check checks the payload of every batch that is pinned, and calls report for each that is not whole. It returns how
// many batches it read. An error is of the store or the node, not of a payload.
func (p *Pinner) Check(ctx context.Context, node Checker, report func(Damage) error) (checked uint64, err error) {
	return p.eachDamaged(ctx, node, report)
}

// Repair does as Check, and makes again what is missing or damaged: from the records of the log, or, where these do not
// give the blocks any more, from other, which may be nil.
func (p *Pinner) Repair(ctx context.Context, node Checker, other Blocks, report func(Damage) error) (checked uint64, err error) {
	return p.eachDamaged(ctx, node, func(d Damage) error {
		if d.From, d.Why = p.mend(ctx, d, other); d.Why == nil {
			d.Why = node.Check(ctx, d.CID)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if d.Mended = d.Why == nil; !d.Mended {
			d.From = ""
		}
		return report(d)
	})
}

func (p *Pinner) eachDamaged(ctx context.Context, node Checker, found func(Damage) error) (checked uint64, err error) {
	for number := uint64(0); ; number++ {
		if err := ctx.Err(); err != nil {
			return checked, err
		}
		s, err := p.cfg.Store.Batch(ctx, number)
		if errors.Is(err, proofs.ErrNotFound) || err == nil && s.CID.IsZero() {
			return checked, nil // batches are pinned in order
		}
		if err != nil {
			return checked, err
		}
		checked++
		err = node.Check(ctx, s.CID)
		if err == nil {
			continue
		}
		if !errors.Is(err, proofs.ErrNotFound) {
			return checked, err
		}
		if err := found(Damage{Batch: number, CID: s.CID, Err: err}); err != nil {
			return checked, err
		}
	}
}

// mend keeps the blocks of a damaged batch again, and returns where they came from.
func (p *Pinner) mend(ctx context.Context, d Damage, other Blocks) (from string, err error) {
	s, err := p.cfg.Store.Batch(ctx, d.Batch)
	if err != nil {
		return "", err
	}
	if _, _, err = p.put(ctx, s); err == nil {
		return "log", nil
	}
	if other == nil || ctx.Err() != nil {
		return "", err
	}
	if fetched := p.fetch(ctx, d, other); fetched != nil {
		return "", errors.Join(fmt.Errorf("from the log: %w", err), fmt.Errorf("from the gateways: %w", fetched))
	}
	return "gateways", nil
}

// fetch keeps the blocks of a batch that others have.
func (p *Pinner) fetch(ctx context.Context, d Damage, other Blocks) error {
	block, err := readBlock(ctx, other, d.CID)
	if err != nil {
		return err
	}
	m, err := proofs.ParseManifest(block)
	if err != nil {
		return err
	}
	return p.cfg.Node.Keep(ctx, pinName(d.Batch), func(put func([]byte) error) (proofs.Hash, error) {
		for _, digest := range m.Chunks {
			chunk, err := readBlock(ctx, other, digest)
			if err == nil {
				err = put(chunk)
			}
			if err != nil {
				return proofs.Hash{}, err
			}
		}
		return d.CID, put(block)
	})
}

// RunRepair repairs every so often until ctx ends, and logs what it found.
func (p *Pinner) RunRepair(ctx context.Context, node Checker, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		checked, err := p.Repair(ctx, node, nil, func(d Damage) error {
			if d.Mended {
				p.cfg.Logger.WarnContext(ctx, "a payload was damaged on disk and was made again", "batch", d.Batch, "cid", proofs.FormatCID(d.CID), "damage", d.Err)
			} else {
				p.cfg.Logger.ErrorContext(ctx, "a payload is damaged on disk and could not be made again", "batch", d.Batch, "cid", proofs.FormatCID(d.CID), "damage", d.Err, "err", d.Why)
			}
			return nil
		})
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("check payloads: %w", err)
		}
		p.cfg.Logger.DebugContext(ctx, "payloads checked", "batches", checked)
	}
}
