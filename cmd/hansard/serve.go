package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

const defaultListen = "127.0.0.1:8080"

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "keep a log: take messages over HTTP, batch, pin and anchor them",
		Flags: append(slices.Concat(nodeFlags(), ipfsFlags(), probeFlags()),
			&cli.StringFlag{Name: "listen", Value: defaultListen, Usage: "`HOST:PORT` of the HTTP API"},
			&cli.BoolFlag{Name: "dry-run", Usage: "say what would be anchored and what it would cost, and end: nothing is signed or sent"},
			&cli.StringFlag{Name: "chain-rpc", Usage: "`HOST:PORT` at which the development chain serves JSON-RPC"},
		),
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	if c.Args().Present() {
		return usage("serve takes no arguments, got %q", c.Args().First())
	}
	var handler slog.Handler = slog.NewTextHandler(c.App.ErrWriter, nil)
	if c.Bool("json") {
		handler = slog.NewJSONHandler(c.App.ErrWriter, nil)
	}
	logger := slog.New(handler)
	cfg, err := nodeFrom(c, logger)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return dryRun(c, cfg)
	}
	cfg.ChainRPC = c.String("chain-rpc")
	ln, err := net.Listen("tcp", c.String("listen"))
	if err != nil {
		return usage("listen on %s: %w; give another with --listen", c.String("listen"), err)
	}
	defer ln.Close()
	changed := api.NewSignal()
	n, err := openNode(c.Context, cfg, changed.Notify)
	if err != nil {
		return hintDir(err, "--data")
	}
	token, err := secretFile(filepath.Join(cfg.Dir, "importer.token"))
	if err != nil {
		return errors.Join(err, n.Close())
	}
	if err := errors.Join(n.serveIPFS(c, cfg), n.openProbe(c, logger)); err != nil {
		return errors.Join(err, n.Close())
	}
	blocks, err := n.ipfs.Gateway()
	if err != nil {
		return errors.Join(err, n.Close())
	}
	server := newServer(n, cfg, api.Config{
		Chain: n.chain, Batcher: n.batcher, Issuer: n.issuer, Store: n.db, PromiseKeys: n.trust.Logs[0].PromiseKeys,
		ImporterToken: token, Changed: changed, Flush: n.batcher.Flush, NewestBlock: n.notBefore,
		MaxMessages: cfg.Batch.MaxMessages, MaxAge: cfg.Batch.MaxAge, Version: version(), Logger: logger,
		Delay:    func() *api.Delay { return publicDelay(n.delay()) },
		Promises: n.promises,
		Metrics:  n.metrics(cfg.Batch.Promise, logger),
		Blocks:   blocks,
		Files:    n.files,
		IPFS:     n.ipfsInfo,
		Probes:   n.db.Probes,
		Holders:  n.keeper.Holders,
	})
	if err := announce(c, n, cfg.Dir, ln.Addr()); err != nil {
		return errors.Join(err, n.Close())
	}
	return errors.Join(serveUntil(c.Context, n, server, ln), n.Close())
}

// hintDir says what to do about a directory that another process holds, or that is another log's.
func hintDir(err error, flag string) error {
	if errors.Is(err, storage.ErrOtherLog) {
		return fmt.Errorf("%w, or name its own log: --log-owner (without it the first --account), --log-name, and --bond (none for a directory whose PromiseBond is zero)", err)
	}
	if errors.Is(err, storage.ErrOtherKey) {
		return fmt.Errorf("%w; name that key with --promise-key, or add --rotate-promise-key to have the new one sign from here on: "+
			"docs/keys.md says what comes before", err)
	}
	if inUse(err) {
		return fmt.Errorf("%w; stop that process or give another directory with %s", err, flag)
	}
	return err
}

// announce says where the service is: text on stderr, or with --json one object on stdout.
func announce(c *cli.Context, n *node, dir string, addr net.Addr) error {
	trust, token := filepath.Join(dir, "trust.json"), filepath.Join(dir, "importer.token")
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Schema  string         `json:"schema"`
			Version string         `json:"version"`
			API     string         `json:"api"`
			ChainID uint64         `json:"chainId,string"`
			Anchor  proofs.Address `json:"anchorLog"`
			Bond    proofs.Address `json:"promiseBond"`
			Backed  bool           `json:"promisesBacked"`
			Log     proofs.Hash    `json:"log"`
			Trust   string         `json:"trust"`
			Token   string         `json:"importerToken"`
			IPFS    *api.IPFS      `json:"ipfs,omitempty"`
		}{"hansard.serve/1", version(), "http://" + addr.String(), n.chain.ChainID, n.chain.AnchorLog, n.chain.PromiseBond, n.backed(), n.chain.Log, trust, token, n.ipfsInfo()})
	}
	chain := fmt.Sprintf("%d", n.chain.ChainID)
	if n.dev != nil {
		chain += ", embedded, for development: it proves nothing to anybody else"
	}
	peers := ""
	if i := n.ipfsInfo(); i != nil {
		for _, a := range i.Addresses {
			peers += "  ipfs      " + a + "\n"
		}
	}
	_, err := fmt.Fprintf(c.App.ErrWriter, "hansard %s\n  api       http://%s/v1/info\n  chain     %s\n  contract  %s\n  bond      %s\n  log       %s\n  trust     %s\n  token     %s (for importers)\n%s",
		version(), addr, chain, n.chain.AnchorLog, n.bond.Load().text(), n.chain.Log, trust, token, peers)
	return err
}

// drain is how long requests may finish after a signal.
const drain = 10 * time.Second

// serveUntil serves until ctx ends: first the server stops taking requests, then the loops end.
func serveUntil(ctx context.Context, n *node, server *http.Server, ln net.Listener) error {
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Run(loops) })
	g.Go(func() error {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-gctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
		defer cancel()
		err := server.Shutdown(end)
		stop()
		return err
	})
	return g.Wait()
}

// secretFile reads 32 random bytes in hex from a file that only its owner may read, or makes it.
func secretFile(path string) (string, error) {
	b, err := readFile(path, nil)
	if err == nil {
		s := strings.TrimSpace(string(b))
		if raw, err := hex.DecodeString(s); err != nil || len(raw) != 32 {
			return "", fmt.Errorf("%s: want 64 hex digits; move it away to have a new one made", path)
		}
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	var secret [32]byte
	rand.Read(secret[:])
	s := hex.EncodeToString(secret[:])
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return s, renameio.WriteFile(path, []byte(s+"\n"), 0o600)
}
