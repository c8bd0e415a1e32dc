package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/backup"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

func backupCommand() *cli.Command {
	return &cli.Command{
		Name:  "backup",
		Usage: "write what of a data directory neither the chain nor IPFS holds into one file",
		Description: "The service must not run: one process has the directory at a time. Of a running one, back up a snapshot of\n" +
			"the file system. The file is a tar archive with sums; hansard backup verify FILE checks it.",
		Flags: []cli.Flag{
			stoppedDataFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` to write, which must not exist"},
			&cli.BoolFlag{Name: "full", Usage: "take every message, so that nothing else is needed to restore"},
			&cli.Uint64Flag{Name: "since", Usage: "leave out the deadlines of entries before `INDEX`, which an earlier backup has"},
		},
		Action: runBackup,
		Subcommands: []*cli.Command{{
			Name: "verify", Usage: "check every sum and everything inside", ArgsUsage: "FILE",
			Action: runBackupVerify,
		}},
	}
}

// stoppedDataFlag names the data directory of a service that does not run.
func stoppedDataFlag() cli.Flag {
	return &cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` of the service, which must not run"}
}

// backupLine is hansard.backup/1: what a backup holds.
type backupLine struct {
	Schema string `json:"schema"`
	File   string `json:"file"`
	Bytes  int64  `json:"bytes,string"`
	Whole  bool   `json:"whole"`
	backup.Header
	Keys     []string `json:"keys"`
	Withheld uint64   `json:"withheld,string"` // entries without their message
}

func runBackup(c *cli.Context) (err error) {
	if c.Args().Present() {
		return usage("unknown command %q; hansard backup --help lists them", "backup "+c.Args().First())
	}
	dir, out := c.String("data"), c.String("out")
	if out == "" {
		return usage("which file? hansard backup -o FILE")
	}
	if inside, err := within(out, dir); err != nil {
		return usage("-o %s: %w", out, cause(err))
	} else if inside {
		return usage("-o %s is in the data directory and would be lost with it; choose a file on another disk", out)
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return conflict("%s is there already, and no backup is overwritten: choose another name", out)
	}
	own, db, err := openStopped(dir)
	if inUse(err) {
		return fmt.Errorf("%w, or name a snapshot of its file system", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return writeFile(out, 0o600, func(f *renameio.PendingFile) error {
		cfg := backup.Config{
			DB: db, Chain: own.Chain, Dir: dir, Full: c.Bool("full"), Since: c.Uint64("since"), Version: version(), Now: time.Now(),
		}
		if _, err := backup.Write(c.Context, cfg, f); err != nil {
			return err
		}
		b, err := backup.Open(c.Context, f.Name()) // what cannot be read back is no backup
		if err != nil {
			return err
		}
		return errors.Join(printBackup(c, b, out, f.Name(), "wrote"), b.Close())
	})
}

// openStopped opens the log of a service that does not run.
func openStopped(dir string) (*proofs.TrustedLog, *storage.DB, error) {
	own, err := ownLog(dir)
	if err != nil {
		return nil, nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "log")); own == nil || err != nil { // opening would make one
		return nil, nil, usage("there is no log in %s; name its directory with --data", dir)
	}
	db, err := storage.Open(storage.Config{Dir: filepath.Join(dir, "log"), Chain: own.Chain, PromiseKey: own.PromiseKeys[0]})
	if err != nil {
		return nil, nil, hintDir(err, "--data")
	}
	return own, db, nil
}

// writeFile writes a file that is there whole and durably, or not at all.
func writeFile(path string, mode fs.FileMode, write func(*renameio.PendingFile) error) (err error) {
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(mode), renameio.WithTempDir(filepath.Dir(path)))
	if err != nil {
		return usage("write %s: %w", path, cause(err))
	}
	defer func() { err = errors.Join(err, f.Cleanup()) }()
	if err := write(f); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func runBackupVerify(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usage("which file? hansard backup verify FILE")
	}
	b, err := openBackup(c, c.Args().First())
	if err != nil {
		return err
	}
	return errors.Join(printBackup(c, b, c.Args().First(), c.Args().First(), "whole"), b.Close())
}

// openBackup opens a backup and verifies it.
func openBackup(c *cli.Context, path string) (*backup.File, error) {
	b, err := backup.Open(c.Context, path)
	var damage *backup.DamageError
	switch {
	case errors.As(err, &damage):
		return nil, &exitError{proofs.Invalid.Exit(), fmt.Errorf("%s is damaged, and nothing of it was used:\n  %s\ntake another backup",
			path, strings.Join(damage.What, "\n  "))}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, usage("read %s: %w", path, cause(err))
	}
	return b, err
}

// printBackup says what a backup holds. at is where it lies now.
func printBackup(c *cli.Context, b *backup.File, path, at, done string) error {
	info, err := os.Stat(at)
	if err != nil {
		return err
	}
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, backupLine{"hansard.backup/1", path, info.Size(), b.Whole(), b.Header, b.Keys, b.Withheld})
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, path)
		return err
	}
	fmt.Fprintf(w, "%s  %s  %d bytes, of %s, log %s\n", done, path, info.Size(), msUTC(b.CreatedAt), b.Log)
	fmt.Fprintf(w, "  entries    %s\n", spanText(b.FirstEntry, b.Next, b.Next))
	fmt.Fprintf(w, "  deadlines  %s\n", spanText(b.FirstDeadline, b.Next, b.Next))
	fmt.Fprintf(w, "  batches    %s\n", spanText(b.FirstBatch, b.Batches, b.Batches))
	fmt.Fprintf(w, "  keys       %s, encrypted: keep their password elsewhere\n", strings.Join(b.Keys, ", "))
	if b.Withheld > 0 {
		fmt.Fprintf(w, "  without their message: %d entries\n", b.Withheld)
	}
	return backupRest(c.App.ErrWriter, b)
}

// backupRest says what is not in the file.
func backupRest(w io.Writer, b *backup.File) error {
	if !b.Whole() {
		fmt.Fprintf(w, "the %d batches before batch %d are final: the chain has them, and their payloads have to be held elsewhere than in this directory; "+
			"--full takes them, too\n", b.FirstBatch, b.FirstBatch)
	}
	for _, k := range b.Unkept() {
		fmt.Fprintf(w, "the key file of the promise key %s is not in the keystore and so not in the file\n", k)
	}
	_, err := fmt.Fprintln(w, "not in it: the mark, importer.token and importer.secret (secrets that nothing encrypts), the log of heads (fold), the development chain")
	return err
}

// spanText is a span of a log as text.
func spanText(first, next, all uint64) string {
	if first == next {
		return fmt.Sprintf("none of %d", all)
	}
	return fmt.Sprintf("%d to %d of %d", first, next-1, all)
}
