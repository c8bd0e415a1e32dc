package main

import (
	"errors"
	"log/slog"
	"math"
	"math/big"
	"path/filepath"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// nodeFlags are those of every command that keeps a log itself.
func nodeFlags() []cli.Flag {
	return append(slices.Concat(chainFlags(), accountFlags(), answerFlags(), pinFlags()),
		&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` with keys, log, payloads and, in development, the chain"},
		&cli.BoolFlag{Name: "dev", Usage: "use the embedded development chain whatever --rpc says: no account, no funds, no network"},
		&cli.StringFlag{Name: "log-owner", Usage: "`ADDRESS` that owns the log; the default is the first --account"},
		bondFlag(),
		&cli.StringFlag{Name: "promise-key", Value: "promise", Usage: "`NAME` of the key that signs promises"},
		&cli.BoolFlag{Name: "rotate-promise-key", Usage: "let --promise-key be a new key that signs promises from now on; the old ones stay in the keystore"},
		&cli.StringFlag{Name: "mark", Usage: "`FILE` on another disk that says how far was promised, so that an old copy of --data is refused; none: no more"},
		&cli.StringFlag{Name: "promises", Usage: "`DIR` with *.receipt.json that users or watchtowers hold: entries that they promise and --data does not hold are restored"},
		&cli.StringFlag{Name: "password-file", Usage: "`FILE` with the password of the keys"},
		&cli.StringFlag{Name: "log-name", Value: "main", Usage: "`NAME` of the log; its salt is the name's hash"},
		&cli.BoolFlag{Name: "deploy", Usage: "deploy the contract and open the log if they are missing (spends gas)"},
		&cli.Uint64Flag{Name: "max-messages", Value: batcher.DefaultMaxMessages, Usage: "seal a batch of so many messages"},
		&cli.DurationFlag{Name: "max-age", Value: batcher.DefaultMaxAge, Usage: "seal a batch so old"},
		&cli.DurationFlag{Name: "promise", Value: batcher.DefaultPromise, Usage: "promise to anchor within"},
	)
}

// chainFlags say which chain, by which nodes, and what may be spent there.
func chainFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "chain", EnvVars: []string{"HANSARD_CHAIN"}, Usage: "chain `FILE`: docs/chains has examples; flags override it"},
		&cli.StringSliceFlag{Name: "rpc", EnvVars: []string{"HANSARD_RPC", "ETH_RPC_URL"}, Usage: "JSON-RPC `URL` of a node, repeated for several; without it the embedded development chain is used"},
		&cli.IntFlag{Name: "quorum", Usage: "nodes that must agree; 0: more than half (`N`)"},
		&cli.Uint64Flag{Name: "chain-id", Usage: "`ID` of the chain that the nodes must be on; 0: whichever they are on"},
		&cli.Uint64Flag{Name: "confirmations", Usage: "blocks on top that make a block final; 0: the chain's finalized tag (`N`)"},
		&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"},
		&cli.Float64Flag{Name: "max-fee-gwei", Usage: "sign nothing that pays more than `GWEI` per gas, and wait while gas costs more (0: no cap)"},
		&cli.Float64Flag{Name: "max-tip-gwei", Usage: "lower suggested tips to `GWEI` (0: no cap)"},
		&cli.StringFlag{Name: "on-cap", Value: anchor.Wait.String(), Usage: "when gas costs more than --max-fee-gwei and a promise is due, `RULE`: delay or pay"},
		&cli.DurationFlag{Name: "urgent", Usage: "`TIME` before a promise's deadline from which --on-cap pay pays, and twice that from which you are warned", DefaultText: "2h, or a quarter of --promise"},
		&cli.StringFlag{Name: "cap-tx", Usage: "most that one transaction may cost, such as \"0.01 ether\" (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-day", Usage: "most that 24 hours may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-month", Usage: "most that 30 days may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "fold-chain", Usage: "chain `FILE` of another chain, such as L1, into which the log's head is folded as a second anchor (spends gas)"},
		&cli.DurationFlag{Name: "fold-every", Usage: "least `TIME` between two heads there", DefaultText: "24h"},
		&cli.StringFlag{Name: "data-fee", Value: "none", Usage: "`HOW` the chain charges for data beside gas: none or op-stack"},
	}
}

// devMaxAge seals soon enough that a developer sees it happen.
const devMaxAge = 5 * time.Second

// nodeFrom reads nodeFlags, over the chain file where there is one.
func nodeFrom(c *cli.Context, logger *slog.Logger) (cfg nodeConfig, err error) {
	for _, name := range []string{"max-age", "promise"} {
		if c.Duration(name) <= 0 {
			return cfg, usage("--%s: want a time over 0, got %s", name, c.Duration(name))
		}
	}
	cfg = nodeConfig{
		Dir: c.String("data"), Promise: c.String("promise-key"), Rotate: c.Bool("rotate-promise-key"),
		Mark: c.String("mark"), Promises: c.String("promises"), LogName: c.String("log-name"), Deploy: c.Bool("deploy"), Logger: logger,
		Batch: batcher.Config{MaxMessages: c.Uint64("max-messages"), MaxAge: c.Duration("max-age"), Promise: c.Duration("promise")},
	}
	if err := cfg.pinsFrom(c); err != nil {
		return cfg, err
	}
	var file chainFile
	if path := c.String("chain"); path != "" && !c.Bool("dev") {
		if file, err = loadChain(path); err != nil {
			return cfg, err
		}
	}
	if err := file.override(c); err != nil {
		return cfg, err
	}
	cfg.Bond = file.Bond
	if cfg.Batch.Promise > maxPromise && cfg.Bond != noBond {
		return cfg, usage("--promise %s: with a bond at most %s, since clients accept no promise whose deadline is more than %d days away",
			cfg.Batch.Promise, maxPromise, bond.MaxDeadline/(24*time.Hour))
	}
	if c.Bool("dev") || len(file.RPC) == 0 {
		cfg.Anchor, err = file.anchor(cfg.Batch.Promise)
		if !c.IsSet("max-age") {
			cfg.Batch.MaxAge = devMaxAge
		}
		return cfg, errors.Join(err, noFold(c))
	}
	if cfg.Batch.Promise <= cfg.Batch.MaxAge {
		return cfg, usage("--promise %s is not longer than --max-age %s: it could not be kept", cfg.Batch.Promise, cfg.Batch.MaxAge)
	}
	if cfg.Password, err = password(c, "password-file", "Password of the keys"); err != nil {
		return cfg, err
	}
	if err := cfg.use(c, &file); err != nil {
		return cfg, err
	}
	return cfg, errors.Join(cfg.answerFrom(c), cfg.foldFrom(c))
}

// use fills what a chain file says: where the log is, what may be spent there, and who signs.
func (cfg *nodeConfig) use(c *cli.Context, file *chainFile) (err error) {
	cfg.RPC, cfg.Quorum, cfg.ChainID, cfg.Contract, cfg.Owner = file.RPC, file.Quorum, file.ChainID, file.Contract, file.LogOwner
	if cfg.Anchor, err = file.anchor(cfg.Batch.Promise); err != nil {
		return err
	}
	if len(file.Accounts) > 0 {
		cfg.Signers, err = openSigners(c, file.Accounts, filepath.Join(cfg.Dir, "keys"), cfg.Password)
	}
	return err
}

// foldFrom reads into which chain the log is folded, if into any.
func (cfg *nodeConfig) foldFrom(c *cli.Context) error {
	path := c.String("fold-chain")
	if path == "" {
		return noFold(c)
	}
	file, err := loadChain(path)
	if err != nil {
		return err
	}
	if cfg.Every = c.Duration("fold-every"); cfg.Every < 0 {
		return usage("--fold-every: want 0 or more, got %s", cfg.Every)
	}
	cfg.Fold = &nodeConfig{Dir: cfg.Dir, Password: cfg.Password, Signers: cfg.Signers, Deploy: cfg.Deploy, Logger: cfg.Logger}
	if err := cfg.Fold.use(c, &file); err != nil {
		return err
	}
	if len(cfg.Fold.RPC) == 0 {
		return usage("--fold-chain %s: it names no node (rpc)", path)
	}
	return nil
}

// noFold refuses flags that would do nothing.
func noFold(c *cli.Context) error {
	for _, name := range []string{"fold-chain", "fold-every"} {
		if c.IsSet(name) {
			return usage("--%s: want --fold-chain FILE, and a log on a chain of --rpc or --chain", name)
		}
	}
	return nil
}

// gasPriceOracle is where every chain of the OP stack says what it charges for data.
var gasPriceOracle = mustAddress("0x420000000000000000000000000000000000000f")

// override puts what flags say in the place of what the file says.
func (f *chainFile) override(c *cli.Context) (err error) {
	f.RPC = rpcURLs(c, f)
	if f.Quorum > len(f.RPC) {
		f.Quorum = 0 // the file's is of the file's nodes
	}
	flag(c, "quorum", c.Int, &f.Quorum)
	flag(c, "chain-id", c.Uint64, &f.ChainID)
	flag(c, "confirmations", c.Uint64, &f.Confirm)
	flag(c, "from-block", c.Uint64, &f.FromBlock)
	flag(c, "urgent", c.Duration, &f.Urgent)
	flag(c, "on-cap", c.String, &f.OnCap)
	if c.IsSet("account") || len(f.Accounts) == 0 {
		f.Accounts = c.StringSlice("account")
	}
	if err := f.bondFrom(c); err != nil {
		return err
	}
	if s := c.String("log-owner"); s != "" {
		if f.LogOwner, err = parseAddress(s); err != nil {
			return usage("--log-owner: %w", err)
		}
	}
	if c.IsSet("data-fee") {
		kind := c.String("data-fee")
		if f.OPStack = kind == "op-stack"; !f.OPStack && kind != "none" {
			return usage("--data-fee: want none or op-stack, got %q", kind)
		}
	}
	for name, field := range map[string]**big.Int{"max-fee-gwei": &f.MaxFee, "max-tip-gwei": &f.MaxTip} {
		if !c.IsSet(name) {
			continue
		}
		gwei := c.Float64(name)
		if gwei < 0 || gwei > 1e9 || math.IsNaN(gwei) {
			return usage("--%s: want 0 to 1e9, got %g", name, gwei)
		}
		*field = new(big.Int).SetUint64(uint64(gwei * 1e9))
	}
	for name, field := range map[string]**big.Int{"cap-tx": &f.CapTx, "cap-day": &f.CapDay, "cap-month": &f.CapMonth} {
		if !c.IsSet(name) {
			continue
		}
		if *field, err = cost.ParseWei(c.String(name)); err != nil {
			return usage("--%s: %w", name, err)
		}
		if (*field).Sign() == 0 {
			return usage("--%s: an amount of 0 lets nothing be anchored", name)
		}
	}
	return nil
}

// flag sets a field to the flag if that was given.
func flag[T any](c *cli.Context, name string, read func(string) T, field *T) {
	if c.IsSet(name) {
		*field = read(name)
	}
}

// anchor returns what the file says of finality and money, for promises of that length.
func (f *chainFile) anchor(promise time.Duration) (a anchor.Config, err error) {
	a = anchor.Config{
		Confirmations: f.Confirm, FromBlock: f.FromBlock, LogWindow: f.LogWindow, Urgent: f.Urgent,
		Caps: anchor.Caps{Tx: f.CapTx, Day: f.CapDay, Month: f.CapMonth},
	}
	if a.Urgent == 0 && promise > 0 {
		a.Urgent = min(2*time.Hour, promise/4)
	}
	if f.OnCap != "" {
		if a.OnCap, err = anchor.ParseOnCap(f.OnCap); err != nil {
			return a, usage("--on-cap: %w", err)
		}
	}
	if f.OPStack {
		a.DataFee = gasPriceOracle
	}
	for _, limit := range []struct {
		field *uint64
		wei   *big.Int
	}{{&a.Fees.MaxFee, f.MaxFee}, {&a.Fees.MaxTip, f.MaxTip}} {
		if limit.wei == nil {
			continue
		}
		if !limit.wei.IsUint64() {
			return a, usage("%s gwei is over any price of gas", cost.FormatGwei(limit.wei))
		}
		*limit.field = limit.wei.Uint64()
	}
	if a.Fees.MaxFee > 0 && a.Fees.MaxTip > a.Fees.MaxFee {
		return a, usage("the cap of the tip is over the cap of the fee: lower --max-tip-gwei")
	}
	return a, nil
}

func mustAddress(s string) proofs.Address {
	a, err := proofs.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}
