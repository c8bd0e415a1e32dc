package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/ingest/zoomchat"
	"github.com/hansard-dao/hansard/proofs"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:  "import",
		Usage: "record what was said elsewhere, as seen by the importer",
		Subcommands: []*cli.Command{{
			Name:      "zoom-chat",
			Usage:     "record the chat of a call as exported by Zoom, and write a receipt for each line",
			ArgsUsage: "FILE",
			Description: "Each line becomes a message that nobody signed (class 6: recorded as seen). Importing the same\n" +
				"file again adds nothing; an edited copy adds what was edited, as messages of the kind edit.\n" +
				"Without --server the log in --data is used, on an embedded chain unless --rpc names another.",
			Flags: append(nodeFlags(),
				&cli.StringFlag{Name: "room", Usage: "`ROOM`, such as ethereum/acd"},
				&cli.StringFlag{Name: "start", Usage: "when the recording began, such as 2026-08-20T14:00:00Z (`TIME`)"},
				&cli.StringFlag{Name: "server", EnvVars: []string{"HANSARD_SERVER"}, Usage: "`URL` of a running service"},
				&cli.StringFlag{Name: "token-file", Usage: "`FILE` with the service's importer token (default: importer.token in --data)"},
				&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` for the receipts (default: the file's name and -receipts)"},
				&cli.BoolFlag{Name: "accept-doubtful", Usage: "import lines that may hide another line in their text"},
				&cli.BoolFlag{Name: "dry-run", Usage: "say what would be added, and add nothing"},
			),
			Action: importZoomChat,
		}, importCARCommand()},
	}
}

// importLog is a log that an import goes into: of this process or of a service.
type importLog interface {
	zoomchat.Known
	Chain() proofs.Chain
	Submit(ctx context.Context, subs []batcher.Submission) error
	Flush(ctx context.Context) error
	// WaitFinal returns when the message is finalized.
	WaitFinal(ctx context.Context, id proofs.Hash) error
	Receipt(ctx context.Context, id proofs.Hash) ([]byte, error)
}

func importZoomChat(c *cli.Context) error {
	if c.NArg() != 1 {
		return usage("import zoom-chat takes one FILE, got %d arguments", c.NArg())
	}
	for _, name := range []string{"room", "start"} {
		if c.String(name) == "" {
			return usage("import zoom-chat needs --%s", name)
		}
	}
	file := c.Args().First()
	start, err := time.Parse(time.RFC3339, c.String("start"))
	if err != nil {
		return usage("--start: want a time such as 2026-08-20T14:00:00Z, got %q", c.String("start"))
	}
	room, err := proofs.ParseRoom(c.String("room"))
	if err != nil {
		return usage("--%w", err)
	}
	f, err := os.Open(file)
	if err != nil {
		return usage("%w", err)
	}
	lines, err := zoomchat.Parse(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return usage("read %s: %w", file, err)
	}
	secret, err := secretFile(filepath.Join(c.String("data"), "importer.secret"))
	if err != nil {
		return err
	}
	return withImportLog(c, func(ctx context.Context, log importLog) error {
		o := zoomchat.Options{Domain: log.Chain().MessageDomain(), Log: log.Chain().Log, Room: room, Start: start, Latest: time.Now().Add(batcher.DefaultAhead)}
		if _, err := hex.Decode(o.Secret[:], []byte(secret)); err != nil {
			return err
		}
		plan, err := zoomchat.Plan(ctx, lines, o, log)
		if err != nil {
			return usage("%s: %w", file, err)
		}
		if len(plan.Doubtful) > 0 && !c.Bool("accept-doubtful") {
			return usage("%s: lines %v hold what looks like another chat line in their text, which somebody may have typed; "+
				"compare them with the call, then import with --accept-doubtful", file, plan.Doubtful)
		}
		out := c.String("out")
		if out == "" {
			out = strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) + "-receipts"
		}
		var blocks []proofs.BlockRef
		if !c.Bool("dry-run") {
			if blocks, err = record(ctx, c, log, plan, out); err != nil {
				return err
			}
		}
		return printImport(c, plan, room, out, blocks)
	})
}

// record submits what the plan adds, waits until every line is final, and writes the receipts. It
// returns the blocks that they stand in.
func record(ctx context.Context, c *cli.Context, log importLog, plan *zoomchat.Import, out string) (blocks []proofs.BlockRef, err error) {
	var subs []batcher.Submission
	for _, s := range plan.Steps {
		if s.Action != zoomchat.Keep {
			subs = append(subs, batcher.Submission{Message: s.Message, Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}})
		}
	}
	if len(subs) > 0 {
		if err := submitAll(ctx, c.App.ErrWriter, log, subs); err != nil {
			return nil, err
		}
	}
	if err := log.Flush(ctx); err != nil { // also what an interrupted import left in the pool
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, usage("make the folder for the receipts: %w", err)
	}
	bar := progressbar.NewOptions(len(plan.Steps), progressbar.OptionSetWriter(c.App.ErrWriter),
		progressbar.OptionSetVisibility(isTerminal(c.App.ErrWriter) && !c.Bool("json") && !c.Bool("quiet")),
		progressbar.OptionSetDescription("anchoring"), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	for _, s := range plan.Steps {
		if err := log.WaitFinal(ctx, s.ID); err != nil {
			return nil, err
		}
		receipt, err := log.Receipt(ctx, s.ID)
		if err != nil {
			return nil, err
		}
		rc, err := checkFetched(receipt, s.ID)
		if err == nil && rc.Level != proofs.Finalized {
			err = fmt.Errorf("its level is %s", rc.Level)
		}
		if err != nil {
			return nil, fmt.Errorf("the receipt of line %d is not what it should be: %w", s.Line.Number, err)
		}
		if !slices.Contains(blocks, rc.Anchor.Block) {
			blocks = append(blocks, rc.Anchor.Block)
		}
		name := fmt.Sprintf("%05d-%s.receipt.json", s.Line.Number, s.ID.String()[2:10])
		if err := renameio.WriteFile(filepath.Join(out, name), receipt, 0o644); err != nil {
			return nil, fmt.Errorf("write a receipt: %w", err)
		}
		bar.Add(1) //nolint:errcheck // it only draws
	}
	return blocks, nil
}

func printImport(c *cli.Context, plan *zoomchat.Import, room proofs.Room, out string, blocks []proofs.BlockRef) error {
	hashes := make([]string, len(blocks))
	for i, b := range blocks {
		hashes[i] = b.Hash.String()
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Schema          string      `json:"schema"`
			Room            proofs.Room `json:"room"`
			Lines           int         `json:"lines"`
			Added           int         `json:"added"`
			Edited          int         `json:"edited"`
			Kept            int         `json:"kept"`
			Replies         int         `json:"replies"`
			LinkedReplies   int         `json:"linkedReplies"`
			Reactions       int         `json:"reactions"`
			LinkedReactions int         `json:"linkedReactions"`
			Receipts        string      `json:"receipts"`
			BlockHashes     []string    `json:"blockHashes"`
			DryRun          bool        `json:"dryRun"`
		}{"hansard.import/1", room, len(plan.Steps), plan.Adds, plan.Edits, plan.Keeps, plan.Replies, plan.LinkedReplies,
			plan.Reactions, plan.LinkedReactions, out, hashes, c.Bool("dry-run")})
	}
	if c.Bool("quiet") {
		_, err := fmt.Fprintln(c.App.Writer, out)
		return err
	}
	verb := "recorded"
	if c.Bool("dry-run") {
		verb = "would record"
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s %d lines in %s: %d new, %d edited, %d known already\n"+
		"  replies    %d, %d linked to the line they quote\n  reactions  %d, %d linked\n",
		verb, len(plan.Steps), room, plan.Adds, plan.Edits, plan.Keeps,
		plan.Replies, plan.LinkedReplies, plan.Reactions, plan.LinkedReactions)
	if err != nil || c.Bool("dry-run") {
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "  receipts   %s, all finalized\n"+
		"  class 6: nobody signed these lines; a receipt says what the importer saw, and when at the latest\n"+
		"Check them, after comparing the block hashes with a node that you trust:\n"+
		"  hansard verify %s/*.receipt.json --trust TRUST --block-hash %s\n", oneLine(out, maxDetail), oneLine(out, maxDetail), strings.Join(hashes, " --block-hash "))
	return err
}

// submitAll submits, and again when a service says so that cannot promise anything for now. What it took the first time it
// knows the next time.
func submitAll(ctx context.Context, w io.Writer, log importLog, subs []batcher.Submission) error {
	for {
		err := log.Submit(ctx, subs)
		after := promisedAgain(err)
		if after == 0 {
			return err
		}
		if _, err := fmt.Fprintf(w, "waiting %s: %v\n", after, err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(after):
		}
	}
}

// promisedAgain returns when a service may promise again that cannot for now, and 0 for any other error and for none.
func promisedAgain(err error) time.Duration {
	var busy *batcher.BusyError
	var answer *client.Error
	switch {
	case errors.As(err, &busy) && busy.Code == batcher.CannotPromise:
		return max(busy.RetryAfter, time.Second)
	case errors.As(err, &answer) && answer.Code == string(batcher.CannotPromise):
		return max(answer.RetryAfter, time.Second)
	}
	return 0
}

// withImportLog calls f with the service's log, or with the log in --data while this process keeps it.
func withImportLog(c *cli.Context, f func(context.Context, importLog) error) error {
	if url := c.String("server"); url != "" {
		log, err := openRemote(c, url)
		if err != nil {
			return err
		}
		return f(c.Context, log)
	}
	cfg, err := nodeFrom(c, discard())
	if err != nil {
		return err
	}
	if len(cfg.RPC) > 0 {
		fmt.Fprintf(c.App.ErrWriter, "anchoring on the chain of %d nodes, which spends gas\n", len(cfg.RPC))
	}
	w := newWaiter()
	n, err := openNode(c.Context, cfg, w.notify)
	if err != nil {
		return hintServer(err)
	}
	ctx, stop := context.WithCancel(c.Context)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return f(ctx, &localLog{n, w})
	})
	return errors.Join(g.Wait(), n.Close())
}

// localLog is the log that this process keeps.
type localLog struct {
	*node
	w *waiter
}

func (l *localLog) Chain() proofs.Chain { return l.chain }

// maxVersions is far more often than a line is edited.
const maxVersions = 100_000

func (l *localLog) Versions(ctx context.Context, room proofs.Room, source string) ([]proofs.Message, error) {
	// Others cannot speak for the importer.
	found, err := l.db.BySource(ctx, room, source, proofs.VouchNobody, maxVersions)
	var messages []proofs.Message
	for _, a := range found {
		if a.Message != nil {
			messages = append(messages, *a.Message)
		}
	}
	return messages, err
}

func (l *localLog) Submit(ctx context.Context, subs []batcher.Submission) error {
	for _, r := range l.batcher.Submit(ctx, subs...) {
		if r.Err != nil {
			return r.Err
		}
	}
	return nil
}

func (l *localLog) Flush(context.Context) error { l.batcher.Flush(); return nil }

func (l *localLog) WaitFinal(ctx context.Context, id proofs.Hash) error {
	return l.w.until(ctx, func() (bool, error) {
		s, err := l.issuer.Status(ctx, id)
		return s.State == proofs.StateFinalized, err
	})
}

func (l *localLog) Receipt(ctx context.Context, id proofs.Hash) ([]byte, error) {
	rc, err := l.issuer.Receipt(ctx, id)
	if err != nil {
		return nil, err
	}
	return rc.Format(), nil
}

// hintServer says how to reach a log that another process keeps.
func hintServer(err error) error {
	if inUse(err) {
		return fmt.Errorf("%w; if that is hansard serve, add --server http://%s", err, defaultListen)
	}
	return err
}
