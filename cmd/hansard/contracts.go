package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

func contractsCommand() *cli.Command {
	return &cli.Command{
		Name:  "contracts",
		Usage: "deploy the contract, open a log, look at both, replace a log's submitter",
		Subcommands: []*cli.Command{
			{
				Name: "deploy", Usage: "deploy AnchorLog and open a log where they are missing (spends gas)",
				Description: "The contract has the same address on every chain, and it commits to the code: where it is there\n" +
					"already, nothing is deployed. The log belongs to the account, or with --safe to the --owner, for ever.",
				Flags: append(append(siteFlags(), logFlags()...), append(spendFlags(),
					&cli.StringFlag{Name: "submitter", Usage: "`ADDRESS` that may anchor (default: the account)"},
					&cli.BoolFlag{Name: "contract-only", Usage: "open no log"})...),
				Action: runContractsDeploy,
			},
			{
				Name: "info", Usage: "show the contract and a log as the chain has them",
				Description: "Ends with exit code 13 where the contract is missing or its code is not that of this version.",
				Flags:       append(append(siteFlags(), logFlags()...), logIDFlag(), bondFlag()),
				Action:      runContractsInfo,
			},
			{
				Name: "set-submitter", Usage: "let another key anchor (spends gas; the log's owner only)", ArgsUsage: "ADDRESS",
				Description: rotation,
				Flags:       append(append(append(siteFlags(), logFlags()...), logIDFlag()), spendFlags()...),
				Action:      runSetSubmitter,
			},
		},
	}
}

const rotation = "To rotate from key A to key B without a missed batch:\n" +
	"  1. give B funds, and start the service with both: --account A --account B\n" +
	"  2. hansard contracts set-submitter B's ADDRESS, by the log's owner\n" +
	"  3. the service notices and anchors with B; when nothing of A is pending, drop --account A, and\n" +
	"     name the owner with --log-owner if that is A\n" +
	"The address of zeros stops the log until its owner sets another. What is anchored stays."

// siteFlags are those of every command that spends on a chain without keeping a log.
func siteFlags() []cli.Flag {
	return append(nodesFlags(),
		&cli.StringFlag{Name: "data-fee", Value: "none", Usage: "`HOW` the chain charges for data beside gas: none or op-stack"},
	)
}

// nodesFlags say which nodes a command asks.
func nodesFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "chain", EnvVars: []string{"HANSARD_CHAIN"}, Usage: "chain `FILE`: docs/chains has examples; flags override it"},
		&cli.StringSliceFlag{Name: "rpc", EnvVars: []string{"HANSARD_RPC", "ETH_RPC_URL"}, Usage: "JSON-RPC `URL` of a node; may be repeated"},
		&cli.IntFlag{Name: "quorum", Usage: "nodes that must agree; 0: more than half (`N`)"},
		&cli.Uint64Flag{Name: "chain-id", Usage: "`ID` of the chain that the nodes must be on; 0: whichever they are on"},
	}
}

// logFlags name a log by its owner and name.
func logFlags() []cli.Flag {
	return append(accountFlags(),
		&cli.StringFlag{Name: "log-name", Value: "main", Usage: "`NAME` of the log; its salt is the name's hash"},
		&cli.StringFlag{Name: "owner", Aliases: []string{"log-owner"}, Usage: "`ADDRESS` of the log's owner (default: the account)"},
		keystoreFlag(), passwordFlag(),
	)
}

func logIDFlag() cli.Flag {
	return &cli.StringFlag{Name: "log", Usage: "`ID` of the log, instead of owner and name"}
}

// defaultMaxCost is generous for the three transactions there are: together some 830,000 gas, 0.05 ether at
// 48 gwei in the worst case.
const defaultMaxCost = "0.05"

// payFlags are those of every command that sends transactions of an account by itself.
func payFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "dry-run", Usage: "say what would be sent and what it costs, and send nothing"},
		&cli.StringFlag{Name: "max-cost", Value: defaultMaxCost, Usage: "sign nothing if all may cost more in the worst case: `ETH`, or an amount with its unit"},
		&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask before spending"},
	}
}

// spendFlags are payFlags of a command whose transactions are a log owner's.
func spendFlags() []cli.Flag {
	return append(payFlags(),
		&cli.StringFlag{Name: "safe", Usage: "send nothing and write a Safe Transaction Builder `FILE` for the owner, a Safe"},
	)
}

// site is a chain as a command finds it.
type site struct {
	nodes *nodes.Quorum
	file  chainFile
	log   proofs.Chain   // Log is zero until it is named
	data  proofs.Address // the OP stack's GasPriceOracle; zero: none
}

// openSite asks the nodes that the flags name for their chain.
func openSite(c *cli.Context) (*site, error) {
	s, _, err := dialSite(c)
	if err != nil {
		return nil, err
	}
	if s.log.ChainID, err = s.nodes.ChainID(c.Context); err != nil {
		s.nodes.Close()
		return nil, chainError(err)
	}
	return s, nil
}

// dialSite reads which chain the flags and the chain file name, and connects to its nodes, whose URLs it returns.
func dialSite(c *cli.Context) (*site, []string, error) {
	s := &site{}
	if path := c.String("chain"); path != "" {
		var err error
		if s.file, err = loadChain(path); err != nil {
			return nil, nil, err
		}
	}
	urls := rpcURLs(c, &s.file)
	if len(urls) == 0 {
		return nil, nil, usage("no node to ask: give --rpc URL or --chain FILE")
	}
	cfg := nodes.Config{Need: s.file.Quorum, ChainID: s.file.ChainID}
	if c.IsSet("quorum") || len(urls) < cfg.Need {
		cfg.Need = c.Int("quorum")
	}
	if c.IsSet("chain-id") {
		cfg.ChainID = c.Uint64("chain-id")
	}
	op := s.file.OPStack
	if kind := c.String("data-fee"); c.IsSet("data-fee") {
		if op = kind == "op-stack"; !op && kind != "none" {
			return nil, nil, usage("--data-fee: want none or op-stack, got %q", kind)
		}
	}
	if op {
		s.data = gasPriceOracle
	}
	var err error
	if s.nodes, err = nodes.Dial(c.Context, urls, cfg); err != nil {
		return nil, nil, usage("--rpc: %w", err)
	}
	if s.log.AnchorLog = s.file.Contract; s.log.AnchorLog.IsZero() {
		s.log.AnchorLog = anchor.ContractAddress()
	}
	if err := s.file.bondFrom(c); err != nil {
		return nil, nil, err
	}
	s.log.PromiseBond = s.file.Bond.of(s.log.AnchorLog)
	return s, urls, nil
}

// rpcURLs returns the nodes of the flags, or else of the chain file. $ETH_RPC_URL, which other programs use,
// does not override a file.
func rpcURLs(c *cli.Context, file *chainFile) []string {
	urls := c.StringSlice("rpc")
	fallback := os.Getenv("HANSARD_RPC") == "" && strings.Join(urls, ",") == os.Getenv("ETH_RPC_URL")
	if len(file.RPC) > 0 && (!c.IsSet("rpc") || fallback) {
		return file.RPC
	}
	return urls
}

// chainError gives an error of a chain its exit code.
func chainError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, anchor.ErrOverCap):
		return &exitError{exitBudget, err}
	case errors.Is(err, anchor.ErrFatal), errors.Is(err, nodes.ErrOtherChain):
		return &exitError{exitUsage, err}
	}
	return &exitError{exitUnreachable, err}
}

// account returns the only --account, or the chain file's first.
func (s *site) account(c *cli.Context) (string, error) {
	uris := c.StringSlice("account")
	if !c.IsSet("account") && len(s.file.Accounts) > 0 {
		uris = s.file.Accounts[:1]
	}
	if len(uris) != 1 {
		return "", usage("--account: want the one that pays, got %d", len(uris))
	}
	return uris[0], nil
}

// payer returns the address of the account without a password.
func (s *site) payer(c *cli.Context) (proofs.Address, error) {
	uri, err := s.account(c)
	if err != nil {
		return proofs.Address{}, err
	}
	return s.addressOf(c, uri)
}

// addressOf returns the address of a signer URI without a password.
func (s *site) addressOf(c *cli.Context, uri string) (proofs.Address, error) {
	store, err := keystoreOf(c)
	if err != nil {
		return proofs.Address{}, err
	}
	name, isKey := keyFile(uri)
	if !isKey {
		opened, err := s.open(c, uri)
		if err != nil {
			return proofs.Address{}, err
		}
		return opened.Address(), nil
	}
	keys, err := store.List()
	if err != nil {
		return proofs.Address{}, usage("%w", err)
	}
	for _, k := range keys {
		if k.Name == name {
			return k.Address, nil
		}
	}
	return proofs.Address{}, usage("look up --account: %w: %.64s in %s; name the key with --account and --keystore, or an address with --owner",
		identity.ErrNoKey, oneLine(name, maxDetail), store.Dir)
}

// keyFile returns the name of the key file that a signer URI means, if it means one.
func keyFile(uri string) (string, bool) {
	name, is := strings.CutPrefix(uri, "keystore:")
	return name, is || !strings.Contains(uri, ":")
}

// open opens a signer URI for signing.
func (s *site) open(c *cli.Context, uri string) (signer.Signer, error) {
	store, err := keystoreOf(c)
	if err != nil {
		return nil, err
	}
	if err := refuseKeys([]string{uri}, c.Bool("unsafe-env-key"), os.Environ()); err != nil {
		return nil, err
	}
	opts := signer.Options{Keystore: store, Getenv: os.Getenv, UnsafeEnvKey: c.Bool("unsafe-env-key")}
	if name, isKey := keyFile(uri); isKey {
		if opts.Password, err = password(c, "password-file", "Password for "+name); err != nil {
			return nil, err
		}
	}
	if opts.Methods, err = contractMethods(); err != nil {
		return nil, err
	}
	opened, err := signer.Open(c.Context, uri, opts)
	if err != nil {
		return nil, accountError(err, store.Dir)
	}
	return opened, nil
}

// addressFlag reads a flag that names an address; zero if it is not given.
func addressFlag(c *cli.Context, name string) (proofs.Address, error) {
	s := c.String(name)
	if s == "" {
		return proofs.Address{}, nil
	}
	a, err := parseAddress(s)
	if err != nil {
		return a, usage("--%s: %w", name, err)
	}
	return a, nil
}

// owner returns who owns the log: --owner, the chain file's, or the account.
func (s *site) owner(c *cli.Context) (proofs.Address, error) {
	owner, err := addressFlag(c, "owner")
	if err != nil || !owner.IsZero() {
		return owner, err
	}
	if !s.file.LogOwner.IsZero() {
		return s.file.LogOwner, nil
	}
	return s.payer(c)
}

// nameLog finds the log's id by --log, or by owner and name.
func (s *site) nameLog(c *cli.Context) (err error) {
	if id := c.String("log"); id != "" {
		if c.IsSet("log-name") || c.IsSet("owner") {
			return usage("--log names the log: leave --log-name and --owner away")
		}
		if s.log.Log, err = proofs.ParseHash(strings.ToLower(id)); err != nil {
			return usage("--log: %w", err)
		}
		return nil
	}
	owner, err := s.owner(c)
	s.log.Log = proofs.LogID(owner, logSalt(c.String("log-name")))
	return err
}

func runContractsDeploy(c *cli.Context) error {
	if c.Args().Present() {
		return usage("contracts deploy takes no argument")
	}
	s, err := openSite(c)
	if err != nil {
		return err
	}
	defer s.nodes.Close()
	owner, err := s.owner(c)
	if err != nil {
		return err
	}
	submitter, err := addressFlag(c, "submitter")
	if err != nil {
		return err
	}
	if submitter.IsZero() {
		if c.String("safe") != "" && !c.Bool("contract-only") {
			return usage("a Safe cannot anchor: name the key that does with --submitter ADDRESS")
		}
		submitter = owner
	}
	salt := logSalt(c.String("log-name"))
	s.log.Log = proofs.LogID(owner, salt)
	found, err := anchor.ReadSite(c.Context, s.nodes, s.log)
	if err != nil {
		return chainError(err)
	}
	plan, err := found.PlanDeploy()
	if err != nil {
		return usage("%w", err)
	}
	line := newContractsLine("deploy", found, owner)
	sp := line.spending(c, s, found)
	if c.Bool("contract-only") {
		sp.primary = s.log.AnchorLog.String()
	} else {
		line.Log, line.Submitter = &s.log.Log, &submitter
		open, err := found.PlanOpen(salt, submitter)
		if err != nil {
			return usage("%w; hansard contracts set-submitter replaces it", err)
		}
		plan = append(plan, open...)
	}
	return sp.run(plan)
}

func runSetSubmitter(c *cli.Context) error {
	if c.Args().Len() != 1 {
		return usage("want the address of the key that may anchor: hansard contracts set-submitter ADDRESS")
	}
	submitter, err := parseAddress(c.Args().First())
	if err != nil {
		return usage("%w", err)
	}
	s, err := openSite(c)
	if err != nil {
		return err
	}
	defer s.nodes.Close()
	if err := s.nameLog(c); err != nil {
		return err
	}
	found, err := anchor.ReadSite(c.Context, s.nodes, s.log)
	if err != nil {
		return chainError(err)
	}
	plan, err := found.PlanSetSubmitter(submitter)
	if err != nil {
		return usage("%w", err)
	}
	line := newContractsLine("set-submitter", found, found.Owner)
	line.Log, line.Submitter = &s.log.Log, &submitter
	sp := line.spending(c, s, found)
	if err := sp.run(plan); err != nil || len(plan) == 0 || c.Bool("dry-run") || c.Bool("json") || c.Bool("quiet") {
		return err
	}
	_, err = fmt.Fprintf(c.App.ErrWriter, "a service that runs with this key among its accounts goes on by itself; hansard contracts set-submitter --help explains\n")
	return err
}

// contractsLine is hansard.contracts/1 of what deploy and set-submitter plan and do.
type contractsLine struct {
	Schema    string          `json:"schema"`
	Action    string          `json:"action"`
	ChainID   uint64          `json:"chainId,string"`
	Proxy     bool            `json:"proxy"` // the deployment proxy was there
	Contract  proofs.Address  `json:"contract"`
	Deployed  bool            `json:"deployed"` // the contract was there
	Log       *proofs.Hash    `json:"log,omitempty"`
	Open      bool            `json:"open"` // the log was open
	Owner     proofs.Address  `json:"owner"`
	Submitter *proofs.Address `json:"submitter,omitempty"`
	spendLine
}

func newContractsLine(action string, found *anchor.Site, owner proofs.Address) *contractsLine {
	return &contractsLine{
		Schema: "hansard.contracts/1", Action: action, ChainID: found.Log.ChainID, Proxy: found.Proxy, Contract: found.Log.AnchorLog,
		Deployed: found.Ours, Open: !found.Owner.IsZero(), Owner: owner,
	}
}

// spending carries out what the line is about.
func (l *contractsLine) spending(c *cli.Context, s *site, found *anchor.Site) *spending {
	return &spending{cli: c, site: s, at: found.Block, owner: l.Owner, line: l, spent: &l.spendLine, primary: s.log.Log.String(),
		found: func(holds *big.Int) [][2]string {
			fields := [][2]string{
				{"chain", fmt.Sprintf("%d, block %d", l.ChainID, found.Block.Number)},
				{"proxy", fmt.Sprintf("%s  %s", anchor.ProxyAddress(), state(l.Proxy, "there"))},
				{"contract", fmt.Sprintf("%s  %s", l.Contract, state(l.Deployed, "there, code of this version"))},
			}
			if l.Log == nil {
				return fields
			}
			return append(fields, [][2]string{
				{"log", fmt.Sprintf("%s  %s", l.Log, state(l.Open, "open"))},
				{"owner", fmt.Sprintf("%s  holds %s ether", l.Owner, cost.RoundEther(holds))},
				{"submitter", l.Submitter.String()},
			}...)
		}}
}

// addressOnly is who would sign. It cannot.
type addressOnly proofs.Address

func (a addressOnly) Address() proofs.Address { return proofs.Address(a) }

func (a addressOnly) SignTx(context.Context, *types.Transaction, *big.Int) (*types.Transaction, error) {
	return nil, errors.New("nothing may be signed in a dry run")
}

// maxCost reads --max-cost, where a bare number is ether.
func maxCost(c *cli.Context) (*big.Int, error) {
	wei, err := etherFlag(c, "max-cost")
	if err != nil {
		return nil, err
	}
	if limit := new(big.Int).Mul(cost.Ether, big.NewInt(1000)); wei.Cmp(limit) > 0 {
		return nil, usage("--max-cost: %s ether is no cap; a bare number is in ether, others need their unit: '500 gwei'", cost.FormatEther(wei))
	}
	return wei, nil
}

// confirm asks for a yes on a terminal. --yes answers it.
func confirm(c *cli.Context, question string) error {
	if c.Bool("yes") {
		return nil
	}
	f, ok := c.App.Reader.(*os.File)
	if !ok || c.Bool("no-input") || !term.IsTerminal(int(f.Fd())) {
		return usage("this spends gas and nobody can be asked: give --yes to send, or --dry-run to look")
	}
	fmt.Fprintf(c.App.ErrWriter, "%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(f, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if answer := strings.ToLower(strings.TrimSpace(line)); answer != "y" && answer != "yes" {
		return usage("nothing was sent")
	}
	return nil
}

// state says in a word what was found of something.
func state(there bool, yes string) string {
	return cmp.Or(map[bool]string{true: yes}[there], "missing")
}
