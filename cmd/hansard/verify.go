package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "check receipts and evidence of breaches, offline",
		ArgsUsage: "FILE...|-",
		Description: "Makes the thirteen checks V1 to V13 on each file and opens no socket. What counts is what you\n" +
			"bring: a trust file with the logs that you accept, and the hash of the block with the anchor,\n" +
			"from a source that you trust. Neither is ever taken from the receipt or from its folder.\n\n" +
			"A file may also be evidence of a breach (.evidence.json): PROMISE BROKEN is then what it proves,\n" +
			"and the block is the one that it speaks of. Whether an open promise is overdue is told by your\n" +
			"computer's clock; whether it was kept, hansard promise check asks the chain.\n\n" +
			"Exit codes: 0 VALID, 10 INVALID, 11 NOT FINAL (ask again later), 12 UNDETERMINED (an input is\n" +
			"missing), 13 MISMATCH (not what you asked for), 14 PROMISE BROKEN. Of several files the worst\n" +
			"counts, in the order 10, 13, 12, 11, 14, 0.",
		Flags: []cli.Flag{
			trustFlag(),
			&cli.StringSliceFlag{Name: "block-hash", Usage: "`HASH` of the block with the anchor, from a source that you trust; repeat it for receipts in several blocks"},
			&cli.StringSliceFlag{Name: "fold-block-hash", Usage: "`HASH` of the block with the anchor of the fold, on the other chain; whoever gives it wants a fold"},
			&cli.StringFlag{Name: "expect-author", Usage: "the `AUTHOR` that you expect: a wallet or a URI"},
			&cli.StringFlag{Name: "expect-room", Usage: "the `ROOM` that you expect"},
			&cli.BoolFlag{Name: "explain", Usage: "print the arithmetic, hash by hash"},
		},
		Action: runVerify,
	}
}

func trustFlag() cli.Flag {
	return &cli.StringFlag{Name: "trust", EnvVars: []string{"HANSARD_TRUST"}, Usage: "trust `FILE`: the logs and the promise keys that count"}
}

// clock says whether promises are overdue; tests set it.
var clock = time.Now

// verifier judges files with what its user brought.
type verifier struct {
	trustPath string
	options   proofs.Options
	blocks    []proofs.Hash
	folds     []proofs.Hash // blocks with anchors of folds
}

func newVerifier(c *cli.Context) (*verifier, error) {
	v := &verifier{trustPath: c.String("trust")}
	v.options.Now = uint64(clock().Unix())
	var err error
	if v.options.Trust, err = readTrust(v.trustPath); err != nil {
		return nil, err
	}
	if v.blocks, err = hashFlags(c, "block-hash"); err != nil {
		return nil, err
	}
	if v.folds, err = hashFlags(c, "fold-block-hash"); err != nil {
		return nil, err
	}
	if s := c.String("expect-author"); s != "" {
		if v.options.ExpectAuthor, err = parseAuthor(s); err != nil {
			return nil, usage("--expect-author: %w", err)
		}
	}
	if s := c.String("expect-room"); s != "" {
		if v.options.ExpectRoom, err = proofs.ParseRoom(s); err != nil {
			return nil, usage("--expect-room: %w", err)
		}
	}
	return v, nil
}

// hashFlags reads the hashes of a flag that may be repeated.
func hashFlags(c *cli.Context, name string) (hashes []proofs.Hash, err error) {
	for _, s := range c.StringSlice(name) {
		h, err := proofs.ParseHash(strings.ToLower(s))
		if err != nil || h.IsZero() {
			return nil, usage("--%s %.80q: want 0x and 64 hex digits, not all zero", name, s)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

// parseAuthor reads an author as people write it: a wallet also with upper-case digits.
func parseAuthor(s string) (proofs.Author, error) {
	if strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X") {
		s = strings.ToLower(s)
	}
	return proofs.ParseAuthor(s)
}

// readTrust reads the trust file, or returns nil where none was named.
func readTrust(path string) (*proofs.Trust, error) {
	if path == "" {
		return nil, nil
	}
	b, err := readFile(path, nil)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	t, err := proofs.ParseTrust(b)
	if err != nil {
		return nil, usage("%s: %w", path, err)
	}
	return t, nil
}

// readFile reads a receipt or trust file, - being stdin. It takes one byte more than such a file may
// have: the parser then says that it is too long.
func readFile(path string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if path != "-" || stdin == nil {
		f, err := os.Open(path)
		if err != nil {
			return nil, usage("read %s: %w", path, cause(err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, proofs.MaxReceipt+1))
	if err != nil {
		return nil, usage("read %s: %w", path, cause(err))
	}
	return b, nil
}

// cause is why a file could not be used, without its name and the system call.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// readable reports the first of the files that cannot be read, before any of them is judged.
func readable(paths []string) error {
	stdin := false
	for _, path := range paths {
		if path == "-" {
			if stdin {
				return usage("- can be read only once")
			}
			stdin = true
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			return usage("read %s: %w; nothing was verified", path, cause(err))
		}
		if info.IsDir() {
			return usage("%s is a folder; name the files in it; nothing was verified", path)
		}
	}
	return nil
}

func runVerify(c *cli.Context) error {
	if !c.Args().Present() {
		return usage("which file? hansard verify FILE, or - for stdin")
	}
	v, err := newVerifier(c)
	if err != nil {
		return err
	}
	paths := c.Args().Slice()
	if err := readable(paths); err != nil {
		return err
	}
	worst, counts := proofs.Valid, map[proofs.Verdict]int{}
	for i, path := range paths {
		b, err := readFile(path, c.App.Reader)
		if err != nil {
			return err
		}
		r := v.verify(b)
		counts[r.Verdict]++
		if r.Verdict.Worse(worst) {
			worst = r.Verdict
		}
		if err := v.print(c, path, r, i > 0); err != nil {
			return err
		}
	}
	if len(paths) > 1 && !c.Bool("json") && !c.Bool("quiet") {
		fmt.Fprintf(c.App.Writer, "\n%s (exit %d)\n", summary(len(paths), counts), worst.Exit())
	}
	if worst != proofs.Valid {
		return &silentError{worst.Exit()}
	}
	return nil
}

func (v *verifier) verify(file []byte) *proofs.Report {
	o := v.options
	if proofs.IsEvidence(file) {
		var at proofs.Hash
		if e, err := proofs.ParseBreachEvidence(file); err == nil && e.Block() != nil {
			at = e.Block().Hash
		}
		o.BlockHash, o.FoldBlockHash = choose(v.blocks, at), choose(v.folds, proofs.Hash{})
		return proofs.VerifyEvidence(file, o)
	}
	var anchored, folded proofs.Hash
	if rc, err := proofs.ParseReceipt(file); err == nil {
		anchored = blockHash(rc)
		if rc.Fold != nil {
			folded = proofs.Keccak(rc.Fold.Anchor.Header)
		}
	}
	o.BlockHash, o.FoldBlockHash = choose(v.blocks, anchored), choose(v.folds, folded)
	return proofs.Verify(file, o)
}

// choose returns the hash that is in the file if it was given, and else the first that was, if any.
func choose(given []proofs.Hash, file proofs.Hash) (h proofs.Hash) {
	if slices.Contains(given, file) {
		return file
	}
	if len(given) > 0 {
		h = given[0]
	}
	return h
}

// blockHash returns the hash that V8 compares, zero below proofs.Included.
func blockHash(rc *proofs.Receipt) proofs.Hash {
	switch rc.Level {
	case proofs.Included:
		return rc.Anchor.Block.Hash
	case proofs.Finalized:
		return proofs.Keccak(rc.Anchor.Header)
	}
	return proofs.Hash{}
}

func (v *verifier) print(c *cli.Context, path string, r *proofs.Report, again bool) error {
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, v.line(path, r))
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, r.Verdict)
		return err
	case again:
		fmt.Fprintln(w)
	}
	v.printText(w, path, r)
	switch {
	case !c.Bool("explain"):
	case r.Receipt != nil:
		explain(w, r.Receipt)
	case r.Evidence != nil:
		explainEvidence(w, r.Evidence)
	}
	return nil
}

func summary(files int, counts map[proofs.Verdict]int) string {
	var parts []string
	for _, verdict := range []proofs.Verdict{
		proofs.Valid, proofs.PromiseBroken, proofs.NotFinal, proofs.Undetermined, proofs.Mismatch, proofs.Invalid,
	} {
		if n := counts[verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	return fmt.Sprintf("%d files: %s", files, strings.Join(parts, ", "))
}

// verifyLine is hansard.verify/1. Claims is what the file says; only the verdict says what it is worth.
type verifyLine struct {
	Schema       string               `json:"schema"`
	File         string               `json:"file"`
	Verdict      proofs.Verdict       `json:"verdict"`
	Exit         int                  `json:"exit"`
	Checks       []proofs.Check       `json:"checks"`
	Expectations []proofs.Expectation `json:"expectations"`
	Claims       any                  `json:"claims"`                        // claims, evidenceClaims or null
	NotBefore    *proofs.Hash         `json:"notBefore"`                     // a block that the message is younger than
	NotAfter     *uint64              `json:"notAfter,string"`               // in seconds; both null where nothing is proven
	FoldNotAfter *uint64              `json:"foldNotAfter,string,omitempty"` // the same by the fold, on its chain
	TrustBasis   []string             `json:"trustBasis"`
	NotChecked   []string             `json:"notChecked"`
	Compare      *compare             `json:"compare,omitempty"`
}

type claims struct {
	Level  string        `json:"level"`
	ID     proofs.Hash   `json:"id"`
	Index  uint64        `json:"index,string"`
	Vouch  proofs.Vouch  `json:"vouch"`
	Author proofs.Author `json:"author,omitempty"`
	Room   proofs.Room   `json:"room,omitempty"`
	Kind   string        `json:"kind,omitempty"`
	Body   string        `json:"body,omitempty"`
	SentAt uint64        `json:"sentAt,string,omitempty"`
}

// compare is the one value that is missing for a verdict, and the command that takes it.
type compare struct {
	ChainID   uint64      `json:"chainId,string"`
	Block     uint64      `json:"block,string"`
	BlockHash proofs.Hash `json:"blockHash"`
	Command   string      `json:"command"`
}

func (v *verifier) line(path string, r *proofs.Report) verifyLine {
	l := verifyLine{
		Schema: "hansard.verify/1", File: path, Verdict: r.Verdict, Exit: r.Verdict.Exit(), Checks: r.Checks[:],
		Expectations: append([]proofs.Expectation{}, r.Expectations...),
		TrustBasis:   r.Relied(), NotChecked: append([]string{}, r.NotChecked()...), Compare: v.compare(path, r),
	}
	if i := r.Interval(); r.Verdict != proofs.Invalid {
		if !i.NotBefore.IsZero() {
			l.NotBefore = &i.NotBefore
		}
		if i.NotAfter != 0 {
			l.NotAfter = &i.NotAfter
		}
		if r.FoldHeader != nil {
			l.FoldNotAfter = &r.FoldHeader.Time
		}
	}
	switch {
	case r.Receipt != nil:
		l.Claims = claimsOf(r.Receipt)
	case r.Evidence != nil:
		l.Claims = evidenceClaimsOf(r.Evidence)
	}
	return l
}

func claimsOf(rc *proofs.Receipt) claims {
	c := claims{Level: rc.Level.String(), ID: rc.Entry.Message, Index: rc.Entry.Index, Vouch: rc.Entry.Vouch}
	if m := rc.Message; m != nil {
		c.Author, c.Room, c.Kind, c.Body, c.SentAt = m.Author, m.Room, m.Kind, m.Body, m.SentAt
	}
	return c
}
