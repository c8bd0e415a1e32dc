package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/export"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

func importCARCommand() *cli.Command {
	return &cli.Command{
		Name: "car", ArgsUsage: "FILE",
		Usage: "check a CAR file of hansard export, and keep its batches in a data directory",
		Description: "Every block is hashed, and every batch gives its root again. Whether a batch is the log's is what the chain\n" +
			"says of its CID; it is held against the batches that the directory's log has.",
		Flags: []cli.Flag{
			stoppedDataFlag(),
			&cli.BoolFlag{Name: "check", Usage: "only check, and keep nothing"},
			&cli.Int64Flag{Name: "max-bytes", Value: export.DefaultMaxBytes, Usage: "refuse a file that is longer than `BYTES`"},
		},
		Action: runImportCAR,
	}
}

// importCARLine is hansard.import-car/1: what a CAR file holds.
type importCARLine struct {
	Schema    string         `json:"schema"`
	File      string         `json:"file"`
	Log       proofs.Hash    `json:"log"`
	Bytes     int64          `json:"bytes,string"`
	Blocks    int            `json:"blocks"`
	Entries   uint64         `json:"entries,string"`
	Disclosed uint64         `json:"disclosed,string"` // entries with their message; the others are private or erased
	From      uint64         `json:"from,string"`      // ms since 1970 UTC
	To        uint64         `json:"to,string"`
	Batches   []carBatchLine `json:"batches"`
	Rooms     []carRoomLine  `json:"rooms"` // the first 65,536
	Kept      int            `json:"kept"`  // batches that the directory keeps now
}

type carBatchLine struct {
	Number    uint64 `json:"number,string"`
	CID       string `json:"cid"`
	First     uint64 `json:"first,string"`
	Size      uint64 `json:"size,string"`
	Disclosed uint64 `json:"disclosed,string"`
	Listed    bool   `json:"listed"`
}

type carRoomLine struct {
	Tag       proofs.Hash `json:"tag"`
	Room      string      `json:"room,omitempty"` // not known where nothing of it is disclosed
	Entries   uint64      `json:"entries,string"`
	Disclosed uint64      `json:"disclosed,string"`
}

func runImportCAR(c *cli.Context) (err error) {
	if c.Args().Len() != 1 {
		return usage("which file? hansard import car FILE")
	}
	if c.Int64("max-bytes") < 1 {
		return usage("--max-bytes: want at least 1")
	}
	path, dir := c.Args().First(), c.String("data")
	limits := export.Limits{MaxBytes: c.Int64("max-bytes")}
	var own *proofs.TrustedLog
	if !c.Bool("check") || c.IsSet("data") {
		if own, err = ownLog(dir); err != nil {
			return err
		}
	}
	if own != nil {
		limits.Chain = &own.Chain
	} else if !c.Bool("check") {
		return usage("there is no log in %s; name its directory with --data, or only --check", dir)
	}
	f, err := export.Check(c.Context, path, limits)
	switch {
	case errors.Is(err, export.ErrBad):
		return &exitError{proofs.Invalid.Exit(), fmt.Errorf("%w; nothing of it was kept: get another copy", err)}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return usage("read %s: %w", path, cause(err))
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	kept := 0
	if !c.Bool("check") {
		if kept, err = keepCAR(c.Context, f, dir); err != nil {
			return err
		}
	}
	return printCAR(c, path, f, kept)
}

// keepCAR keeps the batches of the file in the directory, which must not know them otherwise.
func keepCAR(ctx context.Context, f *export.File, dir string) (kept int, err error) {
	if err := heldAgainst(ctx, f, dir); err != nil {
		return 0, err
	}
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(dir, "ipfs")})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	for i := range f.Batches {
		b := &f.Batches[i]
		if b.Prev != nil && !b.Linked {
			held, err := node.Pinned(ctx, *b.Prev)
			if err != nil {
				return kept, err
			}
			if !held {
				return kept, usage("batch %d links batch %d, which is neither in the file nor kept in %s: export with --before, or import that one first",
					b.Number, b.Number-1, dir)
			}
		}
		err := node.Keep(ctx, fmt.Sprintf("hansard batch %d", b.Number), func(put func([]byte) error) (proofs.Hash, error) {
			if err := f.BlocksOf(ctx, b, put); err != nil {
				return proofs.Hash{}, err
			}
			return b.CID, nil
		})
		if err != nil {
			return kept, fmt.Errorf("keep batch %d: %w", b.Number, err)
		}
		kept++
	}
	return kept, nil
}

// heldAgainst holds the batches against those of the directory's log, if it has one.
func heldAgainst(ctx context.Context, f *export.File, dir string) (err error) {
	if _, err := os.Stat(filepath.Join(dir, "log")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	_, db, err := openStopped(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for i := range f.Batches {
		b := &f.Batches[i]
		s, err := db.Batch(ctx, b.Number)
		if errors.Is(err, proofs.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if s.Root != b.Root || s.First != b.First || s.Size != b.Size || !s.CID.IsZero() && s.CID != b.CID {
			return conflict("batch %d of the file is not the one of the log in %s: its payload is %s there; nothing was kept", b.Number, dir, proofs.FormatCID(s.CID))
		}
	}
	return nil
}

func printCAR(c *cli.Context, path string, f *export.File, kept int) (err error) {
	w := c.App.Writer
	if c.Bool("quiet") {
		_, err = fmt.Fprintln(w, len(f.Batches))
		return err
	}
	if c.Bool("json") {
		l := importCARLine{Schema: "hansard.import-car/1", File: path, Log: f.Log, Bytes: f.Bytes, Blocks: f.Blocks, Entries: f.Entries,
			Disclosed: f.Disclosed, From: f.From, To: f.To, Kept: kept}
		for i := range f.Batches {
			b := &f.Batches[i]
			l.Batches = append(l.Batches, carBatchLine{b.Number, proofs.FormatCID(b.CID), b.First, b.Size, b.Disclosed, b.Listed})
		}
		for _, r := range f.Rooms {
			l.Rooms = append(l.Rooms, carRoomLine{r.Tag, string(r.Name), r.Entries, r.Disclosed})
		}
		return printJSON(w, l)
	}
	fmt.Fprintf(w, "whole  %s  %d bytes, %d blocks, log %s\n", path, f.Bytes, f.Blocks, f.Log)
	printContents(w, f)
	if kept > 0 {
		fmt.Fprintf(w, "kept   %d batches in %s\n", kept, c.String("data"))
	}
	if f.Chain == nil {
		_, err = fmt.Fprintln(c.App.ErrWriter, "the file does not say which chain it is of: message ids were not checked; --data names a directory of the log")
	}
	return err
}

// most of batches and rooms that are listed as text.
const maxListed = 20

// printContents lists batches and rooms.
func printContents(w io.Writer, f *export.File) {
	fmt.Fprintf(w, "  %d batches, %d entries, %d without their message (private or erased), received %s to %s\n",
		len(f.Batches), f.Entries, f.Entries-f.Disclosed, msUTC(f.From), msUTC(f.To))
	for _, b := range f.Batches[:min(len(f.Batches), maxListed)] {
		why := ""
		if !b.Listed {
			why = "  (linked by a later one)"
		}
		fmt.Fprintf(w, "  batch %-8d entries %d to %d  %s%s\n", b.Number, b.First, b.First+b.Size-1, proofs.FormatCID(b.CID), why)
	}
	if n := len(f.Batches) - maxListed; n > 0 {
		fmt.Fprintf(w, "  and %d more batches\n", n)
	}
	for _, r := range f.Rooms[:min(len(f.Rooms), maxListed)] {
		name := oneLine(string(r.Name), maxDetail)
		if name == "" {
			name = r.Tag.String() + ", nothing of it is disclosed"
		}
		fmt.Fprintf(w, "  room  %-20s %d entries, %d without their message\n", name, r.Entries, r.Entries-r.Disclosed)
	}
	if n := len(f.Rooms) - maxListed; n > 0 || f.MoreRooms {
		fmt.Fprintf(w, "  and more rooms\n")
	}
}
