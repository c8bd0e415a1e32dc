package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func promiseCommand() *cli.Command {
	return &cli.Command{
		Name:  "promise",
		Usage: "hold an operator to its promises: check, challenge, slash, collect; as an operator, recover them",
		Subcommands: []*cli.Command{
			promiseCheckCommand(), promiseChallengeCommand(), promiseSlashCommand(), promiseCollectCommand(), promiseRecoverCommand(),
		},
	}
}

// judgeFlags are those of every command that decides about a promise against the chain.
func judgeFlags() []cli.Flag {
	return append(siteFlags(), trustFlag(),
		&cli.StringSliceFlag{Name: "gateway", Usage: "`URL` of an IPFS gateway, or of the service, to fetch what batches hold from; may be repeated: nothing that it says is believed"},
		&cli.StringFlag{Name: "server", EnvVars: []string{"HANSARD_SERVER"}, Usage: "`URL` of the service: a gateway, and it says where its batches were anchored, so that no older blocks are searched; it is not believed either"},
		&cli.Uint64Flag{Name: "confirmations", Usage: "blocks on top that make a block final; 0: the chain's finalized tag (`N`)"},
		&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"},
	)
}

// given is a promise in a file that the user named.
type given struct {
	path     string
	chain    proofs.Chain
	promise  proofs.Promise
	receipt  *proofs.Receipt        // nil: the file is evidence
	evidence *proofs.BreachEvidence // nil: the file is a receipt
	signer   proofs.Address
	listed   bool // the trust file names the signer
}

// pathError is what is wrong with a file, with the exit code of it.
func pathError(code int, path, format string, args ...any) error {
	return &exitError{code, fmt.Errorf("%s: %w", oneLine(path, maxDetail), fmt.Errorf(format, args...))}
}

// readGiven reads a receipt or evidence of a breach, and holds it to what needs no chain. With a trust file its log
// must stand there.
func readGiven(path string, stdin io.Reader, trust *proofs.Trust) (*given, error) {
	b, err := readFile(path, stdin)
	if err != nil {
		return nil, err
	}
	g, r := &given{path: path}, (*proofs.Report)(nil)
	if proofs.IsEvidence(b) {
		if g.evidence, err = proofs.ParseBreachEvidence(b); err == nil {
			g.chain, g.promise = g.evidence.Chain, g.evidence.Promise
			r = proofs.VerifyEvidence(b, proofs.Options{})
		}
	} else if g.receipt, err = proofs.ParseReceipt(b); err == nil {
		if g.receipt.Promise == nil {
			return nil, pathError(exitUsage, path, "it holds no promise: the receipt that hansard send kept has one")
		}
		g.chain, g.promise = g.receipt.Chain, *g.receipt.Promise
		r = proofs.Verify(b, proofs.Options{})
	}
	if err == nil && r.Verdict == proofs.Invalid {
		err = errors.New(firstFail(r))
	}
	if err == nil {
		g.signer, err = proofs.Recover(g.chain.PromiseDomain().PromiseDigest(&g.promise), g.promise.Signature)
	}
	if err != nil {
		return nil, pathError(proofs.Invalid.Exit(), path, "%w", err)
	}
	if trust != nil {
		log := trust.Find(g.chain)
		if log == nil {
			return nil, pathError(proofs.Mismatch.Exit(), path, "its log %s of chain %d, with its contracts, is not in your trust file", g.chain.Log, g.chain.ChainID)
		}
		g.listed = slices.Contains(log.PromiseKeys, g.signer)
	}
	return g, nil
}

// tellBasis says on whose word the contracts are, if it is not the user's.
func tellBasis(c *cli.Context, trust *proofs.Trust) {
	if trust == nil {
		fmt.Fprintln(c.App.ErrWriter, "hansard: which chain, contracts and log count is the word of the files; their code is held against this version's, "+
			"but an operator can name a log of its own; give --trust FILE to hold them to yours")
	}
}

// gateways returns the URLs to fetch what batches hold from.
func gateways(c *cli.Context) []string {
	urls := c.StringSlice("gateway")
	if s := c.String("server"); s != "" {
		urls = append(slices.Clone(urls), s)
	}
	return urls
}

// promiseNext returns a command about the file with those flags of this call that name the chain and what is trusted. URLs
// that may hold a key are left out.
func promiseNext(c *cli.Context, verb string, files ...string) string {
	args := []string{"hansard promise " + verb}
	for _, file := range files {
		args = append(args, shellQuote(file))
	}
	if file := c.String("chain"); file != "" {
		args = append(args, "--chain "+shellQuote(file))
	}
	if c.IsSet("rpc") {
		for _, s := range c.StringSlice("rpc") {
			u, err := url.Parse(s)
			if err != nil || u.User != nil || u.RawQuery != "" || len(u.Path) > 1 && u.Host != "" {
				s = "URL"
			}
			args = append(args, "--rpc "+shellQuote(s))
		}
	}
	if file := c.String("trust"); file != "" {
		args = append(args, "--trust "+shellQuote(file))
	}
	if verb == "collect" { // which looks at no batch
		return strings.Join(args, " ")
	}
	for _, s := range c.StringSlice("gateway") {
		args = append(args, "--gateway "+shellQuote(s))
	}
	if s := c.String("server"); s != "" {
		args = append(args, "--server "+shellQuote(s))
	}
	for _, name := range []string{"confirmations", "from-block"} {
		if c.IsSet(name) {
			args = append(args, fmt.Sprintf("--%s %d", name, c.Uint64(name)))
		}
	}
	return strings.Join(args, " ")
}
