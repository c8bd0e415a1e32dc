package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

func recoverCommand() *cli.Command {
	return &cli.Command{
		Name: "recover", Usage: "as an operator: rebuild the data directory of a log from the chain and the payloads of its batches",
		Description: "DIR is empty, or has the keys of the service and what is left of its payloads, and no log. What was anchored comes\n" +
			"back: entries, trees, anchors, rooms, payloads. Nothing is believed: the contract proves the batches, and each\n" +
			"block is hashed. Signatures are not checked: hansard verify does that.\n\n" +
			"What neither the chain nor the payloads hold does not come back: messages that were accepted and not anchored,\n" +
			"erased and private messages, keys, and promises without --promise. docs/operations.md, Recovery from nothing,\n" +
			"says what to do before hansard serve.",
		Flags: append(nodesFlags(),
			&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` to recover into"},
			&cli.StringFlag{Name: "owner", Aliases: []string{"log-owner"}, Usage: "`ADDRESS` of the log's owner"},
			&cli.StringFlag{Name: "log-name", Value: "main", Usage: "`NAME` of the log; its salt is the name's hash"},
			logIDFlag(), bondFlag(),
			&cli.StringSliceFlag{Name: "ipfs", Usage: "`SOURCE` of payloads: the URL of an IPFS gateway or of another service, a CAR file, or a directory of CAR files; repeated, they are asked in turn"},
			&cli.StringFlag{Name: "newest", Usage: "`CID` of the newest batch, for nodes that show no event of it"},
			&cli.DurationFlag{Name: "promise", Usage: "the --promise that the service had (`TIME`): promises are signed again, byte for byte; without it receipts have none"},
			&cli.StringFlag{Name: "promise-key", Value: "promise", Usage: "`KEY` that signs promises: its name in the keystore of --data, or its address"},
			&cli.StringSliceFlag{Name: "replaced-key", Usage: "`ADDRESS:INDEX`: a promise key that was replaced, and the first entry that it did not sign for any more; repeated, in order"},
			&cli.Uint64Flag{Name: "confirmations", Usage: "blocks on top that make a block final; 0: the chain's finalized tag (`N`)"},
			&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"},
		),
		Action: runRecover,
	}
}

// rebuilding is a recovery as the flags describe it.
type rebuilding struct {
	cli     *cli.Context
	dir     string
	site    *site
	keys    []storage.PromiseKey
	promise time.Duration
	sources []recovery.Source
	began   time.Time
}

func runRecover(c *cli.Context) (err error) {
	if c.Args().Present() {
		return usage("recover takes no argument: name the directory with --data DIR and the payloads with --ipfs SOURCE")
	}
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(recovery.MemoryLimit))
	r := &rebuilding{cli: c, dir: c.String("data"), promise: c.Duration("promise"), began: time.Now()}
	if c.IsSet("promise") && (r.promise < time.Second || r.promise%time.Millisecond != 0) {
		return usage("--promise: want whole milliseconds, and at least a second, got %s", r.promise)
	}
	if r.keys, err = promiseKeysFrom(c, r.dir); err != nil {
		return err
	}
	if r.site, err = openSite(c); err != nil {
		return err
	}
	defer r.site.nodes.Close()
	if c.String("log") == "" && c.String("owner") == "" && r.site.file.LogOwner.IsZero() {
		return usage("which log? give --log ID, or --log-owner ADDRESS and --log-name NAME")
	}
	if err := r.site.nameLog(c); err != nil {
		return err
	}
	store, err := storage.OpenRebuild(storage.Config{
		Dir: filepath.Join(r.dir, "log"), Chain: r.site.log, PromiseKey: r.keys[len(r.keys)-1].Address,
	}, r.keys)
	if err != nil {
		return rebuildError(hintDir(err, "--data"))
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(r.dir, "ipfs")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, node.Close()) }()
	if err := r.openSources(node); err != nil {
		return err
	}
	return r.run(store, node)
}

// promiseKeysFrom reads which keys signed the promises of the log, and from which entry on.
func promiseKeysFrom(c *cli.Context, dir string) (keys []storage.PromiseKey, err error) {
	from := uint64(0)
	for _, s := range c.StringSlice("replaced-key") {
		address, index, _ := strings.Cut(s, ":")
		a, err := parseAddress(address)
		until, bad := strconv.ParseUint(index, 10, 64)
		if err != nil || bad != nil || until <= from {
			return nil, usage("--replaced-key: want ADDRESS:INDEX in order of INDEX, got %.60q", s)
		}
		keys, from = append(keys, storage.PromiseKey{Address: a, From: from}), until
	}
	name := c.String("promise-key")
	if a, err := parseAddress(name); err == nil {
		return append(keys, storage.PromiseKey{Address: a, From: from}), nil
	}
	store := identity.Keystore{Dir: filepath.Join(dir, "keys")}
	listed, err := store.List()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(listed, func(l identity.Listed) bool { return l.Name == name })
	if at < 0 {
		return nil, usage("there is no promise key %q in %s: put the keys of the service back there, or make a new one with hansard keys new %s --keystore %s and leave --promise away",
			name, store.Dir, name, store.Dir)
	}
	return append(keys, storage.PromiseKey{Address: listed[at].Address, From: from}), nil
}

// openSources opens what --ipfs names. What the directory has is asked first.
func (r *rebuilding) openSources(node *ipfs.Node) error {
	r.sources = []recovery.Source{{Name: "the data directory", Blocks: nodeBlocks{node}}}
	for _, s := range r.cli.StringSlice("ipfs") {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			client, err := gateway.New([]string{s}, nil)
			if err != nil {
				return usage("--ipfs: %w", err)
			}
			r.sources = append(r.sources, recovery.Source{Name: u.Host, Blocks: client})
			continue
		}
		cars, err := recovery.OpenCARs(r.cli.Context, s)
		if err != nil {
			return usage("--ipfs: %w", err)
		}
		for _, damage := range cars.Damaged {
			r.note("%s; what comes before that is used", damage)
		}
		r.sources = append(r.sources, recovery.Source{Name: s, Blocks: cars})
	}
	return nil
}

// nodeBlocks are the blocks that a node has.
type nodeBlocks struct{ *ipfs.Node }

func (b nodeBlocks) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	return b.Get(ctx, digest)
}

// run reads the log from the chain, recovers it and says what came of it.
func (r *rebuilding) run(store *storage.Rebuild, node *ipfs.Node) error {
	ctx := r.cli.Context
	log, err := r.follow(ctx)
	if err != nil {
		return err
	}
	head := log.book.Head()
	if head.Batches == 0 {
		return usage("log %s has no batches at block %d: there is nothing to recover; check --log, or --log-owner and --log-name", r.site.log.Log, head.Block.Number)
	}
	r.note("the log has %d batches with %d messages at block %d", head.Batches, head.Messages, head.Block.Number)
	sum, err := recovery.Run(ctx, recovery.Config{
		Chain: r.site.log, Log: log, Sources: r.sources, Store: store, Node: node, Promise: r.promise, Progress: r.progress(head),
	})
	if err != nil {
		return rebuildError(err)
	}
	trust := &proofs.Trust{Logs: []proofs.TrustedLog{{Name: r.cli.String("log-name"), Chain: r.site.log}}}
	for _, k := range slices.Backward(r.keys) {
		trust.Logs[0].PromiseKeys = append(trust.Logs[0].PromiseKeys, k.Address)
	}
	if err := renameio.WriteFile(filepath.Join(r.dir, "trust.json"), trust.Format(), 0o644); err != nil {
		return fmt.Errorf("write the trust file: %w", err)
	}
	return r.report(sum, head)
}

// follow reads the log's batches from the chain.
func (r *rebuilding) follow(ctx context.Context) (*bookLog, error) {
	file := r.site.file
	cfg := logbook.Config{
		Nodes: r.site.nodes, Log: r.site.log, FromBlock: file.FromBlock, Window: file.LogWindow, Confirmations: file.Confirm,
	}
	flag(r.cli, "from-block", r.cli.Uint64, &cfg.FromBlock)
	flag(r.cli, "confirmations", r.cli.Uint64, &cfg.Confirmations)
	book, err := openBook(ctx, cfg)
	if err == nil {
		return &bookLog{book: book, nodes: r.site.nodes}, nil
	}
	newest, named, bad := newestFrom(r.cli)
	if bad != nil {
		return nil, bad
	}
	if !errors.Is(err, logbook.ErrUnproven) && !named || ctx.Err() != nil {
		return nil, chainError(err)
	}
	r.note("%s", err)
	r.note("the nodes do not show all events: the manifests are followed from the newest batch backwards, and the headers are searched for their blocks")
	trail, trailErr := logbook.ReadTrail(ctx, cfg, recovery.Join(r.sources), newest)
	if trailErr != nil {
		return nil, chainError(fmt.Errorf("the nodes do not show all events, and by the manifests: %w", trailErr))
	}
	cfg.Known = trail
	if book, err = openBook(ctx, cfg); err != nil {
		return nil, chainError(err)
	}
	return &bookLog{book, r.site.nodes, trail}, nil
}

func openBook(ctx context.Context, cfg logbook.Config) (*logbook.Book, error) {
	book, err := logbook.New(cfg)
	if err != nil {
		return nil, err
	}
	return book, book.Refresh(ctx)
}

// newestFrom reads --newest.
func newestFrom(c *cli.Context) (digest proofs.Hash, named bool, err error) {
	s := c.String("newest")
	if s == "" {
		return digest, false, nil
	}
	if digest, err = recovery.ParseCID(s); err != nil {
		return digest, false, usage("--newest: %w", err)
	}
	return digest, true, nil
}

// progressEvery is how often people are told how far it is.
const progressEvery = 2 * time.Second

// progress returns a function that says now and then how far it is.
func (r *rebuilding) progress(head logbook.Head) func(recovery.Progress) {
	began, last := time.Now(), time.Now()
	return func(p recovery.Progress) {
		if time.Since(last) < progressEvery {
			return
		}
		last = time.Now()
		r.note("batch %d of %d, %d of %d messages, %.0f a second", p.Batches+1, head.Batches, p.Messages, head.Messages,
			float64(p.Messages)/time.Since(began).Seconds())
	}
}

func (r *rebuilding) note(format string, args ...any) {
	if !r.cli.Bool("quiet") {
		fmt.Fprintln(r.cli.App.ErrWriter, "hansard: "+oneLine(fmt.Sprintf(format, args...), maxTowerLine))
	}
}

// rebuildError gives an error of a recovery its exit code, and says what next.
func rebuildError(err error) error {
	switch {
	case errors.Is(err, recovery.ErrSources):
		return &exitError{exitUnreachable, fmt.Errorf("%w; name another source with --ipfs: what was fetched stays in the directory", err)}
	case errors.Is(err, recovery.ErrForged):
		return &exitError{proofs.Invalid.Exit(), err}
	case errors.Is(err, recovery.ErrMoved):
		return &exitError{exitUnreachable, err}
	case errors.Is(err, storage.ErrHoldsLog), errors.Is(err, storage.ErrRebuilding):
		return &exitError{exitConflict, err}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w; run the same command again after that: what was fetched stays in the directory", err)
	}
	return err
}
