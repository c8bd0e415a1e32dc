package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

func sendCommand() *cli.Command {
	return &cli.Command{
		Name:      "send",
		Usage:     "sign a message, submit it and keep its promised receipt",
		ArgsUsage: "[FILE|-]",
		Description: "Reads the words from FILE or stdin, without one newline at the end. With --replaces they are the\n" +
			"new words of that message; with --kind retract, the reason why it is taken back.\n\n" +
			"With a node (--rpc or --chain) nothing is signed unless a bond stands behind the promise: the bond is\n" +
			"live and not leaving, and a promise key of the log is active. When the promise came, its signer and its\n" +
			"deadline are held to the same rule (docs/promises.md); one that fails it is kept, and the exit code is 13.",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "room", Usage: "`ROOM` to speak in, such as demo-dao"},
			&cli.StringFlag{Name: "account", Usage: "`NAME` of the key to sign with; hansard keys list shows them"},
			keystoreFlag(), passwordFlag(), serverFlag(), trustFlag(),
			&cli.StringFlag{Name: "kind", Value: "text/plain", Usage: "a media type or a well-known `KIND`"},
			&cli.StringFlag{Name: "reply-to", Usage: "`ID` or receipt of the message that this answers"},
			&cli.StringFlag{Name: "replaces", Usage: "`ID` or receipt of the message that this edits or retracts"},
			&cli.StringFlag{Name: "wait", Usage: "wait for this `STATE`, such as finalized, and keep the receipt of then"},
			attachFlag(),
			outFlag("write the receipt to `FILE` (default: 8 digits of the id and .receipt.json)"),
		}, ruleFlags()...),
		Action: runSend,
	}
}

func runSend(c *cli.Context) error {
	m, wait, err := draft(c)
	if err != nil {
		return err
	}
	account, err := accountOf(c)
	if err != nil {
		return err
	}
	m.Author = proofs.Author(account.Address.String())
	s, err := serviceOf(c)
	if err != nil {
		return err
	}
	info, trust, err := chainOf(c, s)
	if err != nil {
		return err
	}
	behind, err := openBacking(c, info.Chain, trust.Find(info.Chain).PromiseKeys)
	if err != nil {
		return err
	}
	defer behind.close()
	if err := behind.before(c); err != nil {
		return err
	}
	chain := info.Chain
	m.Log, m.NotBefore = chain.Log, info.NewestBlock
	if m.Attachments, err = attachFiles(c, s); err != nil {
		return err
	}
	if err := m.Check(); err != nil {
		return usage("%w", err)
	}
	path, err := keepAt(c, chain.MessageDomain().MessageID(m))
	if err != nil {
		return err
	}
	if !c.Bool("quiet") {
		showSigned(c.App.ErrWriter, chain, m, account.Name)
	}
	key, err := unlockAccount(c, account)
	if err != nil {
		return err
	}
	rc, state, err := submit(c, s, key, chain, trust, m)
	if err != nil {
		return err
	}
	if err := saveReceipt(path, rc); err != nil {
		return fmt.Errorf("the message %s was taken, but its receipt could not be kept: %w", rc.Entry.Message, err)
	}
	promised := *rc.Promise
	backed, refused := behind.after(c, &promised, account.Address)
	if wait > state {
		if rc, state, err = waitFor(c, s, rc, wait, path); err != nil {
			return err
		}
	}
	err = printSent(c, sentLine{
		Schema: "hansard.send/1", ID: rc.Entry.Message, Index: rc.Entry.Index, RoomIndex: rc.Entry.RoomIndex,
		State: state.String(), Deadline: promised.Deadline, Level: rc.Level.String(), File: path, Bond: backed,
	})
	return cmp.Or(err, behind.told(c, path, backed, refused))
}

// keepAt returns where the receipt will be kept, and an error if that cannot be: a promise that is lost is worth
// nothing.
func keepAt(c *cli.Context, id proofs.Hash) (path string, err error) {
	if path = c.String("out"); path == "" {
		path = receiptName(id)
	}
	if _, err := os.Lstat(path); err == nil {
		return "", &exitError{exitConflict, fmt.Errorf("%s is there already; nothing was signed; choose another file with -o", path)}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".hansard-*")
	if err != nil {
		return "", usage("the receipt could not be kept at %s: %w; nothing was signed; choose another file with -o", path, cause(err))
	}
	return path, errors.Join(f.Close(), os.Remove(f.Name()))
}

// accountOf finds the key to sign with, still locked.
func accountOf(c *cli.Context) (identity.Listed, error) {
	store, err := keystoreOf(c)
	if err != nil {
		return identity.Listed{}, err
	}
	keys, err := store.List()
	if err != nil {
		return identity.Listed{}, usage("%w", err)
	}
	var names []string
	for _, k := range keys {
		if k.Name == c.String("account") {
			return k, nil
		}
		names = append(names, k.Name)
	}
	there := "there is none in " + store.Dir + "; make one with: hansard keys new NAME"
	if len(names) > 0 {
		there = "there are " + strings.Join(names, ", ") + " in " + store.Dir
	}
	return identity.Listed{}, usage("which key? give --account NAME; %s", there)
}

// unlockAccount unlocks the key that accountOf found.
func unlockAccount(c *cli.Context, account identity.Listed) (*identity.Key, error) {
	key, err := unlock(c, account.Name)
	if err == nil && key.Address() != account.Address {
		err = usage("the key file of %s says that it is %s, but it holds the key of %s", account.Name, account.Address, key.Address())
	}
	return key, err
}

// chainOf asks the service for its log and looks it up in the trust file; without one it takes the
// service's word and says so.
func chainOf(c *cli.Context, s *client.Client) (*client.Info, *proofs.Trust, error) {
	trust, err := readTrust(c.String("trust"))
	if err != nil {
		return nil, nil, err
	}
	info, err := s.Info(c.Context)
	if err != nil {
		return nil, nil, err
	}
	if trust == nil {
		fmt.Fprintf(c.App.ErrWriter, "hansard: chain, contract, log and promise keys are the word of %s; give --trust FILE to hold it to yours\n",
			oneLine(c.String("server"), maxDetail))
		return info, info.Trust("service"), nil
	}
	if trust.Find(info.Chain) == nil {
		return nil, nil, &exitError{proofs.Mismatch.Exit(),
			fmt.Errorf("the service keeps the log %s on chain %d, which is not in your trust file; nothing was signed", info.Chain.Log, info.Chain.ChainID)}
	}
	return info, trust, nil
}

// showSigned shows what the account is about to sign.
func showSigned(w io.Writer, chain proofs.Chain, m *proofs.Message, account string) {
	reference := func(h proofs.Hash) string {
		if h.IsZero() {
			return "-"
		}
		return h.String()
	}
	fmt.Fprintf(w, "You are signing (EIP-712, Message, chain %d, contract %s):\n", chain.ChainID, chain.AnchorLog)
	fields := [][2]string{
		{"log", m.Log.String()}, {"room", string(m.Room)}, {"author", string(m.Author) + " (" + account + ")"},
		{"sentAt", msUTC(m.SentAt)}, {"kind", m.Kind}, {"replyTo", reference(m.ReplyTo)}, {"replaces", reference(m.Replaces)}, {"notBefore", reference(m.NotBefore)},
	}
	for _, cid := range m.Attachments {
		fields = append(fields, [2]string{"attached", cid})
	}
	for _, f := range append(fields, [2]string{"body", "| " + strings.ReplaceAll(visible(m.Body), "\n", "\n             | ")}) {
		fmt.Fprintf(w, "  %-10s %s\n", f[0], f[1])
	}
}

// submit signs and submits the message and returns its promised receipt, which holds what trust asks. Once it was
// sent an interruption waits for the answer, as long as a service that stops would: a promise that was given is kept.
func submit(c *cli.Context, s *client.Client, key *identity.Key, chain proofs.Chain, trust *proofs.Trust, m *proofs.Message) (*proofs.Receipt, proofs.State, error) {
	e, err := key.SignMessage(chain.MessageDomain(), m)
	if err != nil {
		return nil, 0, err
	}
	id := chain.MessageDomain().MessageID(m)
	ctx, cancel := outlive(c.Context, drain)
	defer cancel()
	a, err := s.Submit(ctx, &proofs.Submission{
		Message: *m, Evidence: e, Domain: &proofs.SignedIn{ChainID: chain.ChainID, VerifyingContract: chain.AnchorLog},
	})
	if errors.Is(err, client.ErrUnreachable) {
		err = fmt.Errorf("%w; whether it was taken is not known: hansard status %s tells once the service answers", err, id)
	}
	if errors.Is(err, context.Canceled) { // which is all that is said otherwise
		fmt.Fprintf(c.App.ErrWriter, "hansard: whether %s was taken is not known: hansard status tells, and hansard get fetches its promise\n", id)
	}
	if err != nil {
		return nil, 0, err
	}
	rc := &proofs.Receipt{Level: proofs.Promised, Chain: chain, Message: m, Evidence: &e, Entry: a.Entry, Promise: &a.Promise}
	if r := proofs.Verify(rc.Format(), proofs.Options{Trust: trust}); r.Verdict != proofs.NotFinal {
		return nil, 0, &exitError{r.Verdict.Exit(), fmt.Errorf("the service took %s, but its promise does not hold: %s", id, firstFail(r))}
	}
	return rc, a.State, nil
}

// outlive returns a context that ends so long after ctx.
func outlive(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// waitFor waits for the state, says why when it takes long, and keeps the receipt of then.
func waitFor(c *cli.Context, s *client.Client, rc *proofs.Receipt, until proofs.State, path string) (*proofs.Receipt, proofs.State, error) {
	id := rc.Entry.Message
	state := proofs.StateAccepted
	err := watch(c.Context, s, id, until, lookAgain, func(seen sighting) error {
		state, seen.moved = seen.State, false
		if c.Bool("quiet") {
			return nil
		}
		return printSighting(c.App.ErrWriter, seen, time.Now())
	})
	if err != nil {
		return nil, 0, fmt.Errorf("the message %s was taken, its promised receipt is in %s: %w", id, path, err)
	}
	file, err := s.Receipt(c.Context, id)
	if err != nil {
		return nil, 0, err
	}
	if rc, err = checkFetched(file, id); err != nil {
		return nil, 0, err
	}
	return rc, state, saveReceipt(path, rc)
}

// sentLine is hansard.send/1.
type sentLine struct {
	Schema    string      `json:"schema"`
	ID        proofs.Hash `json:"id"`
	Index     uint64      `json:"index,string"`
	RoomIndex uint64      `json:"roomIndex,string"`
	State     string      `json:"state"`
	Deadline  uint64      `json:"deadline,string"` // of the promise, in seconds
	Level     string      `json:"level"`
	File      string      `json:"file"`
	Bond      sentBond    `json:"bond"`
}

func printSent(c *cli.Context, l sentLine) error {
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, l)
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, l.ID)
		return err
	}
	_, err := fmt.Fprintf(w, "%-10s %s  index %d, promised to be anchored by %s\nreceipt    %s  (%s)\n",
		l.State, l.ID, l.Index, secondsUTC(l.Deadline), oneLine(l.File, maxDetail), l.Level)
	if err == nil && l.Bond.Checked {
		_, err = fmt.Fprintf(w, "bond       %s\n", l.Bond)
	}
	if l.Level != proofs.Finalized.String() {
		fmt.Fprintf(c.App.ErrWriter, "complete it later:  hansard get %s -o %s\n", l.ID, shellQuote(l.File))
	}
	return err
}
