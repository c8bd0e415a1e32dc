package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/export"
	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

func exportCommand() *cli.Command {
	flags := func(more ...cli.Flag) []cli.Flag {
		return append(more,
			serverFlag(),
			&cli.StringFlag{Name: "data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` of a service that does not run; without it --server is asked"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE.car` to write, which must not exist"},
			&cli.BoolFlag{Name: "before", Usage: "take all earlier batches, too, so that IPFS nodes can pin the file's root"},
		)
	}
	from := &cli.StringFlag{Name: "from", Usage: "entries received from `TIME` on, such as 2026-11-21T09:00:00Z"}
	to := &cli.StringFlag{Name: "to", Usage: "entries received before `TIME`"}
	return &cli.Command{
		Name: "export", Usage: "write batches into one CAR file, which IPFS implementations read",
		Subcommands: []*cli.Command{
			{Name: "batch", Usage: "export one batch", ArgsUsage: "NUMBER", Flags: flags(), Action: runExportBatch},
			{
				Name: "room", Usage: "export the batches that hold entries of a room", ArgsUsage: "ROOM", Flags: flags(from, to), Action: runExportRoom,
				Description: "Whole batches are exported, since only a whole batch gives its root again: other rooms' messages that\n" +
					"stand in them go with it.",
			},
			{
				Name: "range", Usage: "export the batches that hold entries of a time", Flags: flags(from, to), Action: runExportRange,
				Description: "Whole batches are exported, since only a whole batch gives its root again.",
			},
		},
	}
}

// exportLine is hansard.export/1: what was exported.
type exportLine struct {
	Schema   string   `json:"schema"`
	File     string   `json:"file"`
	Root     string   `json:"root"`
	Bytes    int64    `json:"bytes,string"`
	Blocks   int      `json:"blocks"`
	Batches  []uint64 `json:"batches"` // linked by the root
	All      int      `json:"all"`     // batches in the file
	Entries  uint64   `json:"entries,string"`
	Unpinned uint64   `json:"unpinned,string"` // entries from here on were not looked at
}

func runExportBatch(c *cli.Context) error {
	n, err := strconv.ParseUint(c.Args().First(), 10, 64)
	if c.Args().Len() != 1 || err != nil || n > proofs.MaxBatch {
		return usage("want the number of one batch: hansard export batch NUMBER -o FILE.car")
	}
	return runExport(c, export.Want{Batch: &n})
}

func runExportRoom(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usage("want one room: hansard export room ROOM -o FILE.car")
	}
	room, err := proofs.ParseRoom(c.Args().First())
	if err != nil {
		return usage("%w", err)
	}
	want := export.Want{Export: proofs.Export{Room: room}}
	if err := times(c, &want.Export); err != nil {
		return err
	}
	return runExport(c, want)
}

func runExportRange(c *cli.Context) error {
	var want export.Want
	if err := times(c, &want.Export); err != nil {
		return err
	}
	if c.Args().Present() || want.Export.From == 0 && want.Export.To == 0 {
		return usage("want a time: hansard export range --from TIME --to TIME -o FILE.car")
	}
	return runExport(c, want)
}

// times reads --from and --to.
func times(c *cli.Context, x *proofs.Export) error {
	for name, field := range map[string]*uint64{"from": &x.From, "to": &x.To} {
		if c.String(name) == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, c.String(name))
		if err != nil || t.UnixMilli() <= 0 {
			return usage("--%s: want a time such as 2026-11-21T09:00:00Z, got %q", name, c.String(name))
		}
		*field = uint64(t.UnixMilli())
	}
	if x.To > 0 && x.To <= x.From {
		return usage("--to is not after --from")
	}
	return nil
}

// runExport writes the file, checks it as an importer would, and only then gives it its name.
func runExport(c *cli.Context, want export.Want) (err error) {
	out := c.String("out")
	if out == "" {
		return usage("which file? give -o FILE.car")
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return conflict("%s is there already: choose another name", out)
	}
	chain, src, done, err := exportSource(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	want.Export.Chain, want.Before = chain, c.Bool("before")
	return writeFile(out, 0o644, func(f *renameio.PendingFile) error {
		w, err := export.Write(c.Context, src, want, f)
		if errors.Is(err, proofs.ErrNotFound) {
			return usage("%w", err)
		}
		if err != nil {
			return err
		}
		checked, err := export.Check(c.Context, f.Name(), export.Limits{MaxBytes: 1<<63 - 1, Chain: &chain})
		if err != nil {
			return err
		}
		return errors.Join(printExport(c, out, w, checked), checked.Close())
	})
}

func printExport(c *cli.Context, path string, w *export.Written, f *export.File) (err error) {
	root := proofs.FormatCID(w.Root)
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, exportLine{"hansard.export/1", path, root, f.Bytes, f.Blocks, w.Batches, w.All, w.Entries, w.Unpinned})
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(c.App.Writer, root)
		return err
	}
	fmt.Fprintf(c.App.Writer, "wrote  %s  %d bytes, %d blocks, root %s\n", path, f.Bytes, f.Blocks, root)
	printContents(c.App.Writer, f)
	_, err = fmt.Fprintf(c.App.ErrWriter, "the batches are whole: everything else that stands in them is in the file. What is in no pinned batch yet is not, from entry %d on\n", w.Unpinned)
	return err
}

// exportSource opens the directory, or connects to the service.
func exportSource(c *cli.Context) (chain proofs.Chain, src export.Source, done func() error, err error) {
	if dir := c.String("data"); dir != "" {
		own, db, err := openStopped(dir)
		if err != nil {
			return chain, nil, nil, err
		}
		node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(dir, "ipfs")})
		if err != nil {
			return chain, nil, nil, errors.Join(err, db.Close())
		}
		return own.Chain, ownBatches{db, node}, func() error { return errors.Join(node.Close(), db.Close()) }, nil
	}
	s, err := serviceOf(c)
	if err != nil {
		return chain, nil, nil, err
	}
	info, err := s.Info(c.Context)
	if err != nil {
		return chain, nil, nil, err
	}
	blocks, err := gateway.New([]string{c.String("server")}, nil)
	if err != nil {
		return chain, nil, nil, usage("--server: %w", err)
	}
	return info.Chain, serviceBatches{s, blocks}, func() error { return nil }, nil
}

// ownBatches are those of a directory.
type ownBatches struct {
	*storage.DB
	node *ipfs.Node
}

func (b ownBatches) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	return b.node.Get(ctx, digest)
}

// serviceBatches are those of a running service, by its API and its gateway.
type serviceBatches struct {
	client *client.Client
	*gateway.Client
}

func (b serviceBatches) Batches(ctx context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	all, err := b.client.Batches(ctx, number, min(limit, serviceLimit))
	var batches []proofs.Sealed
	for _, s := range all {
		batches = append(batches, proofs.Sealed{Batch: s.Batch, State: s.State, OpenedAt: s.OpenedAt, SealedAt: s.SealedAt})
	}
	return batches, err
}
