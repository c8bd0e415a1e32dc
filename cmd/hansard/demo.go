package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/ingest/zoomchat"
	"github.com/hansard-dao/hansard/proofs"
)

const demoRoom proofs.Room = "demo-dao/governance"

// demoChat is what the importer brings: the chat of a call, in the shape of Zoom's export.
const demoChat = "00:01:12\tCara (she/her):\tis the audit report out?\r\n" +
	"00:01:40\tDan | Treasury:\tReplying to \"is the audit report ...\"\n\non Thursday, they said\r\n" +
	"00:01:44\tCara (she/her):\tReacted to \"on Thursday, they said\" with 👍\r\n"

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:  "demo",
		Usage: "a tour on this machine alone: speak, anchor, verify, forge",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "hansard-demo", Usage: "`DIR` for everything the tour makes"},
		},
		Action: demo,
	}
}

// tour prints its steps and remembers what later steps need.
type tour struct {
	out   io.Writer
	dir   string
	quiet bool
	n     *node
	log   *localLog
	files []string // receipts, the first is alice's first
}

func (t *tour) step(format string, args ...any) {
	if !t.quiet {
		fmt.Fprintf(t.out, format+"\n", args...)
	}
}

func demo(c *cli.Context) error {
	if c.Args().Present() {
		return usage("demo takes no arguments, got %q", c.Args().First())
	}
	t := &tour{out: c.App.Writer, dir: c.String("dir"), quiet: c.Bool("json") || c.Bool("quiet")}
	started := time.Now()
	w := newWaiter()
	t.step("- starting a private chain, a database and an IPFS node in %s", t.dir)
	n, err := openNode(c.Context, nodeConfig{
		Dir: t.dir, Promise: "promise", LogName: "demo", Logger: discard(),
	}, w.notify)
	if err != nil {
		return hintDir(err, "--dir")
	}
	t.n, t.log = n, &localLog{n, w}
	t.step("- contract %s and log %s on chain %d", n.chain.AnchorLog, short(n.chain.Log), n.chain.ChainID)
	t.step("- bond %s", n.bond.Load().text())

	ctx, stop := context.WithCancel(c.Context)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.Run(ctx) })
	g.Go(func() error {
		defer stop()
		return t.run(ctx)
	})
	if err := errors.Join(g.Wait(), n.Close()); err != nil {
		return err
	}
	return t.finish(c, time.Since(started))
}

func short(h proofs.Hash) string { return h.String()[:10] + "..." }

// run lets two wallets and an importer speak, and waits for their receipts.
func (t *tour) run(ctx context.Context) error {
	names, subs, err := t.speak(ctx)
	if err != nil {
		return err
	}
	t.step("- two wallets and an importer speak in %s", demoRoom)
	ids := make([]proofs.Hash, len(subs))
	for i, r := range t.n.batcher.Submit(ctx, subs...) {
		if r.Err != nil {
			return r.Err
		}
		ids[i] = r.ID
	}
	t.step("- %d messages accepted, each with a signed promise of its index; sealing the batch", len(ids))
	t.n.batcher.Flush()
	for i, id := range ids {
		if err := t.log.WaitFinal(ctx, id); err != nil {
			return err
		}
		receipt, err := t.log.Receipt(ctx, id)
		if err != nil {
			return err
		}
		path := filepath.Join(t.dir, names[i]+".receipt.json")
		if err := renameio.WriteFile(path, receipt, 0o644); err != nil {
			return fmt.Errorf("write a receipt: %w", err)
		}
		t.files = append(t.files, path)
	}
	s, err := t.n.issuer.Status(ctx, ids[0])
	if err != nil {
		return err
	}
	t.step("- batch %d of %d messages pinned as %s", s.Batch.Number, s.Batch.Size, proofs.FormatCID(s.Batch.CID))
	t.step("- anchored by transaction %s in block %d, finalized", short(s.Batch.Tx), s.Batch.Anchor.Block.Number)
	return nil
}

// speak makes the messages: alice, bob's answer, alice again, and the lines of a call's chat.
func (t *tour) speak(ctx context.Context) (names []string, subs []batcher.Submission, err error) {
	password, err := devPassword(filepath.Join(t.dir, "keys"))
	if err != nil {
		return nil, nil, err
	}
	keys := identity.Keystore{Dir: filepath.Join(t.dir, "keys"), Light: true}
	var previous proofs.Hash
	said := []struct{ who, file, body string }{
		{"alice", "alice-1", "I will vote FOR proposal 12 if the audit lands before Friday."},
		{"bob", "bob-1", "Noted. I will vote AGAINST whatever the audit says."},
		{"alice", "alice-2", "Then we disagree on the record, which is what it is for."},
	}
	domain := t.n.chain.MessageDomain()
	for _, s := range said {
		if _, err := keys.New(s.who, password); err != nil && !errors.Is(err, identity.ErrKeyExists) {
			return nil, nil, err
		}
		key, err := keys.Unlock(s.who, password)
		if err != nil {
			return nil, nil, err
		}
		m := proofs.Message{
			Log: t.n.chain.Log, Room: demoRoom, Author: proofs.Author(key.Address().String()),
			SentAt: uint64(time.Now().UnixMilli()), Kind: "text/plain", Body: s.body,
			ReplyTo: previous, Seen: previous, NotBefore: t.n.notBefore(), Salt: newSalt(),
		}
		e, err := key.SignMessage(domain, &m)
		if err != nil {
			return nil, nil, err
		}
		previous = domain.MessageID(&m)
		names, subs = append(names, s.file), append(subs, batcher.Submission{Message: m, Evidence: e})
	}
	lines, err := zoomchat.Parse(strings.NewReader(demoChat))
	if err != nil {
		return nil, nil, err
	}
	call := time.Now().Add(-time.Hour).Truncate(time.Second)
	plan, err := zoomchat.Plan(ctx, lines, zoomchat.Options{
		Domain: domain, Log: t.n.chain.Log, Room: demoRoom, Start: call, Secret: newSalt(),
	}, t.log)
	if err != nil {
		return nil, nil, err
	}
	for i, s := range plan.Steps {
		names = append(names, fmt.Sprintf("call-%d", i+1))
		subs = append(subs, batcher.Submission{Message: s.Message, Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}})
	}
	return names, subs, nil
}

// finish verifies alice's receipt as a stranger would, then one with a letter changed.
func (t *tour) finish(c *cli.Context, took time.Duration) error {
	file, err := os.ReadFile(t.files[0])
	if err != nil {
		return err
	}
	trustFile := filepath.Join(t.dir, "trust.json")
	raw, err := os.ReadFile(trustFile)
	if err != nil {
		return err
	}
	trust, err := proofs.ParseTrust(raw)
	if err != nil {
		return err
	}
	// The hash comes from the chain of this tour, which has ended; a stranger gets it from a node or a friend.
	rc, err := proofs.ParseReceipt(file)
	if err != nil {
		return err
	}
	o := proofs.Options{Trust: trust, BlockHash: rc.Anchor.Block.Hash}
	sound := proofs.Verify(file, o)
	if _, err := sound.Verified(); err != nil {
		return fmt.Errorf("the tour's own receipt does not verify: %w", err)
	}
	t.step("\n  %s  %q\n  by %s in %s, in a block of %s\n", sound.Verdict, rc.Message.Body, rc.Message.Author, rc.Message.Room,
		time.Unix(int64(rc.Batch.Time), 0).UTC().Format(time.RFC3339))

	forged := bytes.Replace(file, []byte("vote FOR"), []byte("vote FOX"), 1)
	forgedFile := filepath.Join(t.dir, "forged.receipt.json")
	if err := renameio.WriteFile(forgedFile, forged, 0o644); err != nil {
		return err
	}
	forgery := proofs.Verify(forged, o)
	if forgery.Verdict != proofs.Invalid {
		return fmt.Errorf("a changed letter was not noticed: %s", forgery.Verdict)
	}
	_, why := forgery.Verified()
	t.step("- one letter changed in a copy, FOR to FOX:\n\n  %v\n", why)
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Schema        string         `json:"schema"`
			Receipts      []string       `json:"receipts"`
			Trust         string         `json:"trust"`
			BlockHash     proofs.Hash    `json:"blockHash"`
			Forged        string         `json:"forged"`
			Verdict       proofs.Verdict `json:"verdict"`
			ForgedVerdict proofs.Verdict `json:"forgedVerdict"`
			Seconds       float64        `json:"seconds"`
		}{"hansard.demo/1", t.files, trustFile, o.BlockHash, forgedFile, sound.Verdict, forgery.Verdict, took.Seconds()})
	}
	if t.quiet {
		_, err := fmt.Fprintln(c.App.Writer, t.files[0])
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, `Done in %.1f s. Receipts, the trust file and everything else are in %s; delete it to start afresh.

Next, with the network cable out if you like:
  go run ./cmd/hansard verify %s --trust %s --block-hash %s
  go run ./cmd/hansard verify %s --trust %s --block-hash %s
  go run ./cmd/hansard inspect %s --path
`, took.Seconds(), t.dir, t.files[0], trustFile, o.BlockHash, forgedFile, trustFile, o.BlockHash, t.files[0])
	return err
}
