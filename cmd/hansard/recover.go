package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

func promiseRecoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", ArgsUsage: "FILE|DIR...",
		Usage: "as an operator: append what these receipts promise to an old copy of the data directory, without starting the service",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` of the service, which must not run"},
		},
		Action: runPromiseRecover,
	}
}

// recoverLine is hansard.promise-recover/1: how many entries were appended, and where the log ends now.
type recoverLine struct {
	Schema   string `json:"schema"`
	Restored int    `json:"restored"`
	Next     uint64 `json:"next,string"`
}

func runPromiseRecover(c *cli.Context) (err error) {
	if !c.Args().Present() {
		return usage("which receipts? hansard promise recover FILE|DIR...")
	}
	var files []string
	for _, arg := range c.Args().Slice() {
		in, err := promiseFiles(arg)
		if err != nil {
			return usage("%w", err)
		}
		files = append(files, in...)
	}
	own, err := ownLog(c.String("data"))
	if err == nil && own == nil {
		err = usage("there is no log in %s; name its directory with --data", c.String("data"))
	}
	if err != nil {
		return err
	}
	n := &node{chain: own.Chain}
	if n.db, err = storage.Open(storage.Config{
		Dir: filepath.Join(c.String("data"), "log"), Chain: own.Chain, PromiseKey: own.PromiseKeys[0],
	}); err != nil {
		return hintDir(err, "--data")
	}
	defer func() { err = errors.Join(err, n.db.Close()) }()
	restored, err := n.recover(c.Context, files, nodeConfig{Logger: slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))})
	if err != nil {
		return err
	}
	tail, err := n.db.Tail(c.Context)
	if err != nil {
		return err
	}
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, recoverLine{"hansard.promise-recover/1", len(restored), tail.Next})
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(c.App.Writer, len(restored))
	default:
		_, err = fmt.Fprintf(c.App.Writer, "restored %d entries; the next message gets place %d. Promises that nobody showed here are not known: start with --mark, where there is one\n",
			len(restored), tail.Next)
	}
	return err
}

// promiseFiles returns the file, or the receipts and evidence in the folder.
func promiseFiles(path string) (files []string, err error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	for _, pattern := range []string{"*.receipt.json", "*.evidence.json"} {
		in, err := filepath.Glob(filepath.Join(globEscape.Replace(path), pattern))
		if err != nil {
			return nil, err
		}
		files = append(files, in...)
	}
	return files, nil
}

// globEscape makes a pattern of a path that only it fits.
var globEscape = strings.NewReplacer("*", "\\*", "?", "\\?", "[", "\\[", "\\", "\\\\")

// found is a promise of the log in a file.
type found struct {
	file             string
	storage.Restored // Message is nil where the file does not hold it, or not as it was
}

// gathering collects the promises of one log.
type gathering struct {
	chain proofs.Chain
	keys  []proofs.Address // whose promises count
	log   *slog.Logger
	next  uint64           // of the store
	known map[uint64]found // promises from next on
}

// recover appends the entries that these receipts promise and the store does not hold.
func (n *node) recover(ctx context.Context, files []string, cfg nodeConfig) (restored []storage.Restored, err error) {
	tail, err := n.db.Tail(ctx)
	if err != nil {
		return nil, err
	}
	r := &gathering{
		chain: n.chain, keys: keysNewestFirst(n.db), log: cfg.Logger, next: tail.Next, known: map[uint64]found{},
	}
	if cfg.Rotate {
		r.keys = append(r.keys, n.db.ConfiguredKey())
	}
	for _, file := range files {
		promises, err := r.read(file)
		if err != nil {
			return nil, err
		}
		for _, f := range promises {
			if f.Entry.Index >= r.next {
				err = r.add(f)
			} else {
				err = n.compare(ctx, f)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	entries, err := r.inOrder()
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if err := n.db.Restore(ctx, entries); err != nil {
		return nil, conflict("%w; leave out what does not belong to this log, or start with the newest copy", err)
	}
	cfg.Logger.Info("entries restored from receipts", "first", r.next, "count", len(entries), "files", len(files))
	return entries, nil
}

// read reads the promises of the log in a receipt, or in evidence of a breach, which has no entry.
func (r *gathering) read(file string) (all []found, err error) {
	raw, err := readFile(file, nil)
	if err != nil {
		return nil, err
	}
	if proofs.IsEvidence(raw) {
		e, err := proofs.ParseBreachEvidence(raw)
		if err != nil {
			return r.ignore(file, "it cannot be read", err)
		}
		for _, p := range []*proofs.Promise{&e.Promise, e.Second} {
			if f, ok := r.signed(file, e.Chain, p); ok {
				f.Entry = proofs.Entry{Index: p.Index}
				all = append(all, f)
			}
		}
		return all, nil
	}
	rc, err := proofs.ParseReceipt(raw)
	if err != nil {
		return r.ignore(file, "it cannot be read", err)
	}
	f, ok := r.signed(file, rc.Chain, rc.Promise)
	if !ok {
		return nil, nil
	}
	f.Entry = rc.Entry
	checks := proofs.Verify(raw, proofs.Options{}).Checks
	if checks[proofs.V2].Status == proofs.Pass && checks[proofs.V3].Status == proofs.Pass {
		f.Message, f.Evidence = rc.Message, *rc.Evidence
	}
	return []found{f}, nil
}

// signed returns the promise, without its entry, if a key of the log signed it.
func (r *gathering) signed(file string, chain proofs.Chain, p *proofs.Promise) (f found, ok bool) {
	if p == nil {
		return f, false
	}
	signer, err := identity.Recover(r.chain.PromiseDomain().PromiseDigest(p), p.Signature)
	if chain != r.chain || err != nil || !slices.Contains(r.keys, signer) {
		r.ignore(file, "its promise is not signed by a key of the log", err) //nolint:errcheck // nil
		return f, false
	}
	f = found{file: file}
	f.Leaf, f.Deadline, f.Signer = p.Leaf, p.Deadline, signer
	return f, true
}

// ignore says that a file is of no use here.
func (r *gathering) ignore(file, why string, err error) ([]found, error) {
	r.log.Warn("file ignored", "file", file, "reason", why, "err", err)
	return nil, nil
}

// add keeps the promise, unless another one contradicts it.
func (r *gathering) add(f found) error {
	index := f.Entry.Index
	was, ok := r.known[index]
	switch {
	case ok && was.Leaf != f.Leaf:
		return promisedTwice(index, was.file, f.file)
	case ok && was.Message != nil && (f.Message == nil || was.Deadline <= f.Deadline):
		return nil
	}
	r.known[index] = f
	return nil
}

func promisedTwice(index uint64, one, other string) error {
	return conflict("entry %d was promised twice with different leaves, in %s and in %s: whoever holds both can take the bond, and no directory keeps both promises; "+
		"stop whatever else signs with this key and see docs/operations.md, After a restore", index, one, other)
}

// compare holds the promise against the store, which has its place.
func (n *node) compare(ctx context.Context, f found) error {
	stored, err := n.db.Read(ctx, f.Entry.Index, 1)
	if err != nil {
		return err
	}
	if stored[0].Leaf != f.Leaf {
		return promisedTwice(f.Entry.Index, f.file, "the data directory")
	}
	return nil
}

// inOrder returns the entries from next on, or an error that says which are missing.
func (r *gathering) inOrder() (entries []storage.Restored, err error) {
	var missing, bare []string
	at := r.next
	for _, index := range slices.Sorted(maps.Keys(r.known)) {
		f := r.known[index]
		switch {
		case at+1 == index:
			missing = append(missing, fmt.Sprint(at))
		case at < index:
			missing = append(missing, fmt.Sprintf("%d to %d", at, index-1))
		}
		at = index + 1
		if f.Message == nil {
			bare = append(bare, fmt.Sprintf("%d (%s)", index, filepath.Base(f.file)))
		}
		entries = append(entries, f.Restored)
	}
	switch {
	case len(missing) > 0:
		return nil, conflict("entry %d was promised, and nobody here holds %s: ask those who wrote them, and watchtowers, for their receipts; "+
			"without these entries no later one can stand at its place, and nothing was appended", at-1, strings.Join(missing, ", "))
	case len(bare) > 0:
		return nil, conflict("entries %s were promised, and these receipts do not hold their messages as they were signed: "+
			"ask those who wrote them for theirs; nothing was appended", strings.Join(bare, ", "))
	}
	return entries, nil
}
