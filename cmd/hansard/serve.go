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
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
)

const defaultListen = "127.0.0.1:8080"

// nodeFlags are those of every command that keeps a log itself.
func nodeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` with keys, log, payloads and, in development, the chain"},
		&cli.StringFlag{Name: "rpc", EnvVars: []string{"HANSARD_RPC", "ETH_RPC_URL"}, Usage: "JSON-RPC `URL` of a node; without it an embedded development chain is used"},
		&cli.StringFlag{Name: "account", Value: "anchor", Usage: "`NAME` of the key that sends transactions"},
		&cli.StringFlag{Name: "promise-key", Value: "promise", Usage: "`NAME` of the key that signs promises"},
		&cli.StringFlag{Name: "password-file", Usage: "`FILE` with the password of both keys"},
		&cli.StringFlag{Name: "log-name", Value: "main", Usage: "`NAME` of the log; its salt is the name's hash"},
		&cli.BoolFlag{Name: "deploy", Usage: "deploy the contract and open the log if they are missing (spends gas)"},
		&cli.Uint64Flag{Name: "max-messages", Value: batcher.DefaultMaxMessages, Usage: "seal a batch of so many messages"},
		&cli.DurationFlag{Name: "max-age", Value: batcher.DefaultMaxAge, Usage: "seal a batch so old"},
		&cli.DurationFlag{Name: "promise", Value: batcher.DefaultPromise, Usage: "promise to anchor within"},
	}
}

// nodeFrom reads nodeFlags. With dev, an RPC URL in the environment is not used.
func nodeFrom(c *cli.Context, dev bool, logger *slog.Logger) (nodeConfig, error) {
	cfg := nodeConfig{
		Dir: c.String("data"), RPC: c.String("rpc"), Account: c.String("account"), Promise: c.String("promise-key"),
		LogName: c.String("log-name"), Deploy: c.Bool("deploy"), Logger: logger,
		Batch: batcher.Config{MaxMessages: c.Uint64("max-messages"), MaxAge: c.Duration("max-age"), Promise: c.Duration("promise")},
	}
	if dev {
		cfg.RPC = ""
	}
	if cfg.RPC == "" {
		return cfg, nil
	}
	var err error
	cfg.Password, err = password(c, "password-file", "Password of "+cfg.Account)
	return cfg, err
}

func serveCommand() *cli.Command {
	return &cli.Command{
		Name:  "serve",
		Usage: "keep a log: take messages over HTTP, batch, pin and anchor them",
		Flags: append(nodeFlags(),
			&cli.BoolFlag{Name: "dev", Usage: "use the embedded development chain: no account, no funds, no network"},
			&cli.StringFlag{Name: "listen", Value: defaultListen, Usage: "`HOST:PORT` of the HTTP API"},
			&cli.StringFlag{Name: "chain-rpc", Usage: "`HOST:PORT` at which the development chain serves JSON-RPC"},
		),
		Action: serve,
	}
}

func serve(c *cli.Context) error {
	if c.Args().Present() {
		return usage("serve takes no arguments, got %q", c.Args().First())
	}
	if !c.Bool("dev") && c.String("rpc") == "" {
		return usage("serve needs a chain: --rpc URL, or --dev for the embedded development chain")
	}
	logger := slog.New(slog.NewTextHandler(c.App.ErrWriter, nil))
	cfg, err := nodeFrom(c, c.Bool("dev"), logger)
	if err != nil {
		return err
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
		return err
	}
	token, err := secretFile(filepath.Join(cfg.Dir, "importer.token"))
	if err != nil {
		return errors.Join(err, n.Close())
	}
	server := api.NewServer(api.Config{
		Chain: n.chain, Batcher: n.batcher, Issuer: n.issuer, Store: n.db, PromiseKeys: n.trust.Logs[0].PromiseKeys,
		ImporterToken: token, Changed: changed, Flush: n.batcher.Flush,
		MaxMessages: cfg.Batch.MaxMessages, MaxAge: cfg.Batch.MaxAge, Version: version(), Logger: logger,
	})
	fmt.Fprintf(c.App.ErrWriter, "hansard %s\n  api       http://%s/v1/info\n  chain     %d  contract %s\n  log       %s\n  trust     %s\n  token     %s (for importers)\n",
		version(), ln.Addr(), n.chain.ChainID, n.chain.AnchorLog, n.chain.Log,
		filepath.Join(cfg.Dir, "trust.json"), filepath.Join(cfg.Dir, "importer.token"))
	return errors.Join(serveUntil(c.Context, n, server, ln), n.Close())
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
	b, err := os.ReadFile(path)
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
