package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/pins"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// pinFlags say where copies of batches are kept.
func pinFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "pin", Usage: "`URI` of a place for a copy of each batch, repeated for several: kubo:URL, psa:URL?token-env=VARIABLE, s3:URL/BUCKET or dir:PATH"},
		&cli.IntFlag{Name: "pin-require", Value: 1, Usage: "places that must hold a batch before it is anchored; the embedded node is one of them (`N`)"},
	}
}

// pinsFrom reads pinFlags.
func (cfg *nodeConfig) pinsFrom(c *cli.Context) error {
	host := &atomic.Pointer[ipfs.Host]{}
	cfg.host = host
	origins := func() []string {
		if h := host.Load(); h != nil {
			return h.Addresses()
		}
		return nil
	}
	names := map[string]bool{}
	for i, uri := range c.StringSlice("pin") {
		t, err := pins.Open(uri, pins.Options{
			Env:      os.Getenv,
			ReadFile: func(path string) ([]byte, error) { return readFile(path, nil) },
			Origins:  origins,
		})
		if err != nil {
			return usage("--pin number %d: %w", i+1, err)
		}
		if names[t.Name()] {
			return usage("--pin number %d: another has the name %s, too; add name=WORD after its ? (or &)", i+1, t.Name())
		}
		names[t.Name()] = true
		cfg.Pins = append(cfg.Pins, t)
	}
	if cfg.Require = c.Int("pin-require"); cfg.Require < 1 || cfg.Require > len(cfg.Pins)+1 {
		return usage("--pin-require: want 1 to %d, one for the embedded node and one for each --pin, got %d", len(cfg.Pins)+1, cfg.Require)
	}
	return nil
}

// wirePins makes what keeps copies of batches. The node's files are what is copied.
func (n *node) wirePins(cfg nodeConfig) (err error) {
	n.keeper, err = pins.New(pins.Config{
		Targets: cfg.Pins, Require: cmp.Or(cfg.Require, 1), Store: n.db, CAR: n.car, Logger: cfg.Logger,
		Held: func() { n.anchorer.Wake(); n.changed() }, Changed: n.changed,
	})
	return err
}

// car is the file of the batch with that manifest.
func (n *node) car(root proofs.Hash) (c pins.CAR, err error) {
	f, err := n.ipfs.CAR(root)
	if err != nil {
		return c, fmt.Errorf("open the batch's CAR file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return c, err
	}
	return pins.CAR{Root: root, Size: info.Size(), Open: func() (io.ReadSeekCloser, error) { return n.ipfs.CAR(root) }}, nil
}

// pinnedStore shows the anchorer only what enough places hold.
type pinnedStore struct {
	anchorStore
	keeper *pins.Keeper
}

func (s pinnedStore) Unfinal(ctx context.Context, limit int) ([]proofs.Sealed, error) {
	batches, err := s.anchorStore.Unfinal(ctx, limit)
	if err != nil {
		return nil, err
	}
	return s.keeper.Enough(ctx, batches)
}

// pinsMissing is the code of a delay because too few places hold a batch; the others are anchor's.
const pinsMissing = "pins"

// delay is why nothing is anchored for now, and nil if nothing stands in the way.
func (n *node) delay() *anchor.Delay {
	if d := n.anchorer.Delay(); d != nil {
		return d
	}
	if d := n.keeper.Delay(); d != nil {
		return &anchor.Delay{Code: pinsMissing, Detail: d.Detail, Since: d.Since, Next: d.Next}
	}
	return nil
}
