package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/backup"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

func restoreCommand() *cli.Command {
	return &cli.Command{
		Name: "restore", ArgsUsage: "FILE",
		Usage: "make a data directory of a backup",
		Description: "Keys and trust file are put back, and of a backup that holds every entry the whole log, its payloads and pins.\n" +
			"The directory must be empty. The service then starts with --mark only.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` to make, or one that is empty"},
			&cli.BoolFlag{Name: "append", Usage: "append what the backup holds to the log in --data, which ends before it, instead of making one"},
		},
		Action: runRestore,
	}
}

// restoreLine is hansard.restore/1: what was restored.
type restoreLine struct {
	Schema  string   `json:"schema"`
	Dir     string   `json:"dir"`
	Log     bool     `json:"log"`            // false: only keys and trust file
	Entries uint64   `json:"entries,string"` // that were restored
	Next    uint64   `json:"next,string"`    // index of the next entry; 0 without a log
	Batches uint64   `json:"batches,string"`
	Keys    []string `json:"keys"`
}

// staging is the folder in a data directory in which it is made.
const staging = "restoring"

func runRestore(c *cli.Context) (err error) {
	if c.Args().Len() != 1 {
		return usage("which file? hansard restore FILE --data DIR")
	}
	dir := c.String("data")
	if c.Bool("append") {
		return runRestoreAppend(c, dir)
	}
	if err := emptyDir(dir); err != nil {
		return err
	}
	b, err := openBackup(c, c.Args().First())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	stage := filepath.Join(dir, staging)
	if err := os.MkdirAll(stage, 0o700); err != nil {
		return usage("make %s: %w", stage, cause(err))
	}
	if err := restoreInto(c, b, stage); err != nil {
		return fmt.Errorf("%w; nothing counts of what is in %s, and the same command begins anew", err, stage)
	}
	if err := moveUp(stage, dir); err != nil {
		return err
	}
	return printRestored(c, b, dir)
}

// runRestoreAppend appends a backup to a log that recovery left.
func runRestoreAppend(c *cli.Context, dir string) (err error) {
	b, err := openBackup(c, c.Args().First())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	own, db, err := openStopped(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if own.Chain != b.Chain() {
		return conflict("the backup is of log %s, and %s holds log %s: name its directory with --data", b.Log, dir, own.Chain.Log)
	}
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(dir, "ipfs")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	n, err := b.AppendTo(c.Context, db, node, restoreLog(c))
	if err != nil {
		return conflict("%w; a log that ends before the backup begins is recovered from chain and IPFS first", err)
	}
	tail, err := db.Tail(c.Context)
	if err != nil {
		return err
	}
	l := restoreLine{"hansard.restore/1", dir, true, uint64(n), tail.Next, tail.Batches, nil}
	return printRestore(c, l, fmt.Sprintf("appended %d entries to the log in %s: it has %d batches now, and the next message gets place %d",
		n, dir, tail.Batches, tail.Next))
}

// restoreLog logs what is worth a look.
func restoreLog(c *cli.Context) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// emptyDir refuses a directory that holds anything but what an earlier attempt left, and removes that.
func emptyDir(dir string) error {
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return usage("read %s: %w", dir, cause(err))
	}
	for _, f := range files {
		if f.Name() != staging {
			return conflict("%s is not empty (%s): a backup is restored over nothing; give an empty directory with --data", dir, f.Name())
		}
	}
	return os.RemoveAll(filepath.Join(dir, staging))
}

// restoreInto makes the directory, durably.
func restoreInto(c *cli.Context, b *backup.File, dir string) (err error) {
	if err := b.RestoreFiles(dir); err != nil || !b.Whole() {
		return err
	}
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(dir, "ipfs")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	return b.RestoreLog(c.Context, filepath.Join(dir, "log"), node, restoreLog(c))
}

// moveUp puts what was made into its place, the keys last: a service that is started before they are there has nothing to
// sign with. If we die in it, the directory is refused until it is emptied.
func moveUp(stage, dir string) error {
	if err := errors.Join(syncDir(filepath.Join(stage, "keys")), syncDir(stage)); err != nil {
		return err
	}
	for _, name := range []string{"log", "ipfs", "trust.json", "keys"} {
		err := os.Rename(filepath.Join(stage, name), filepath.Join(dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := os.Remove(stage); err != nil {
		return err
	}
	return syncDir(dir)
}

func printRestored(c *cli.Context, b *backup.File, dir string) error {
	if !b.Whole() {
		return printRestore(c, restoreLine{"hansard.restore/1", dir, false, 0, 0, 0, b.Keys},
			fmt.Sprintf("restored %s: %d keys and the trust file, as of %s. The log is not there: the backup begins at entry %d, and those before it come from chain and IPFS; "+
				"then hansard restore --append takes the rest from the backup", dir, len(b.Keys), msUTC(b.CreatedAt), b.FirstEntry))
	}
	return printRestore(c, restoreLine{"hansard.restore/1", dir, true, b.Next, b.Next, b.Batches, b.Keys},
		fmt.Sprintf("restored %s: %d entries, %d batches, %d keys, as of %s; the next message gets place %d",
			dir, b.Next, b.Batches, len(b.Keys), msUTC(b.CreatedAt), b.Next))
}

// twoCopies is said after every restore.
const twoCopies = "Two directories of one log that both run promise the same places twice, and that costs the bond. Before you start this one:\n" +
	"  make sure that the old service is gone for good, and that it left no transaction unmined\n" +
	"  what was promised after the backup is not in it: start with --mark FILE, the mark of the old one, and with --promises DIR if that says that entries are missing\n" +
	"  only if nothing was promised since, or the log never had a mark and you accept that: --mark none, once\n" +
	"docs/operations.md, Backup and After a restore, has the steps\n"

func printRestore(c *cli.Context, l restoreLine, text string) (err error) {
	switch {
	case c.Bool("json"):
		err = printJSON(c.App.Writer, l)
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(c.App.Writer, l.Dir)
	default:
		_, err = fmt.Fprintln(c.App.Writer, text)
	}
	if err == nil {
		_, err = fmt.Fprint(c.App.ErrWriter, twoCopies)
	}
	return err
}
