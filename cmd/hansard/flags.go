package main

import (
	"log/slog"
	"math"
	"math/big"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// nodeFlags are those of every command that keeps a log itself.
func nodeFlags() []cli.Flag {
	return append(append(chainFlags(), accountFlags()...),
		&cli.StringFlag{Name: "data", Value: "hansard-data", EnvVars: []string{"HANSARD_DATA"}, Usage: "`DIR` with keys, log, payloads and, in development, the chain"},
		&cli.BoolFlag{Name: "dev", Usage: "use the embedded development chain whatever --rpc says: no account, no funds, no network"},
		&cli.StringFlag{Name: "log-owner", Usage: "`ADDRESS` that owns the log; the default is the first --account"},
		&cli.StringFlag{Name: "promise-key", Value: "promise", Usage: "`NAME` of the key that signs promises"},
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
		&cli.StringFlag{Name: "on-cap", Value: anchor.Wait.String(), Usage: "when gas costs more than --max-fee-gwei and a promise is due: `delay` or pay"},
		&cli.DurationFlag{Name: "urgent", Usage: "`TIME` before a promise's deadline from which --on-cap pay pays, and twice that from which you are warned (default: 2h, or a quarter of --promise)"},
		&cli.StringFlag{Name: "cap-tx", Usage: "most that one transaction may cost, such as \"0.01 ether\" (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-day", Usage: "most that 24 hours may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-month", Usage: "most that 30 days may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "data-fee", Value: "none", Usage: "how the chain charges for data beside gas: `none` or op-stack"},
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
	var file chainFile
	if path := c.String("chain"); path != "" && !c.Bool("dev") {
		if file, err = loadChain(path); err != nil {
			return cfg, err
		}
	}
	cfg = nodeConfig{
		Dir: c.String("data"), RPC: rpcURLs(c, &file), Contract: file.Contract, Owner: file.LogOwner,
		Promise: c.String("promise-key"), LogName: c.String("log-name"), Deploy: c.Bool("deploy"), Logger: logger,
		Batch: batcher.Config{MaxMessages: c.Uint64("max-messages"), MaxAge: c.Duration("max-age"), Promise: c.Duration("promise")},
	}
	override(c, "quorum", c.Int, &cfg.Quorum, file.Quorum)
	override(c, "chain-id", c.Uint64, &cfg.ChainID, file.ChainID)
	if cfg.Quorum > len(cfg.RPC) && !c.IsSet("quorum") {
		cfg.Quorum = 0 // the file's is of the file's nodes
	}
	if cfg.Anchor, err = anchorFrom(c, &file); err != nil {
		return cfg, err
	}
	if c.Bool("dev") || len(cfg.RPC) == 0 {
		cfg.RPC, cfg.Owner = nil, proofs.Address{}
		if !c.IsSet("max-age") {
			cfg.Batch.MaxAge = devMaxAge
		}
		return cfg, nil
	}
	if cfg.Batch.Promise <= cfg.Batch.MaxAge {
		return cfg, usage("--promise %s is not longer than --max-age %s: it could not be kept", cfg.Batch.Promise, cfg.Batch.MaxAge)
	}
	return cfg, keysFrom(c, &file, &cfg)
}

// keysFrom reads who owns the log, and opens who signs.
func keysFrom(c *cli.Context, file *chainFile, cfg *nodeConfig) (err error) {
	if s := c.String("log-owner"); s != "" {
		if cfg.Owner, err = parseAddress(s); err != nil {
			return usage("--log-owner: %w", err)
		}
	}
	if !c.IsSet("account") {
		for _, uri := range file.Accounts {
			if err := c.Set("account", uri); err != nil {
				return usage("--account: %w", err)
			}
		}
	}
	if cfg.Password, err = password(c, "password-file", "Password of the keys"); err != nil {
		return err
	}
	cfg.Signers, err = openSigners(c, filepath.Join(cfg.Dir, "keys"), cfg.Password)
	return err
}

// override sets a field to the flag, if that was given, and else to what the chain file says.
func override[T comparable](c *cli.Context, flag string, read func(string) T, field *T, file T) {
	var zero T
	if *field = read(flag); !c.IsSet(flag) && file != zero {
		*field = file
	}
}

// gasPriceOracle is where every chain of the OP stack says what it charges for data.
var gasPriceOracle = mustAddress("0x420000000000000000000000000000000000000f")

// anchorFrom reads what chainFlags and the chain file say of finality and money.
func anchorFrom(c *cli.Context, file *chainFile) (a anchor.Config, err error) {
	override(c, "confirmations", c.Uint64, &a.Confirmations, file.Confirm)
	override(c, "from-block", c.Uint64, &a.FromBlock, file.FromBlock)
	override(c, "urgent", c.Duration, &a.Urgent, file.Urgent)
	a.LogWindow = file.LogWindow
	if a.Urgent == 0 {
		a.Urgent = min(2*time.Hour, c.Duration("promise")/4)
	}
	var rule, data string
	charges := map[bool]string{true: "op-stack"}[file.OPStack]
	override(c, "on-cap", c.String, &rule, file.OnCap)
	override(c, "data-fee", c.String, &data, charges)
	if a.OnCap, err = anchor.ParseOnCap(rule); err != nil {
		return a, usage("--on-cap: %w", err)
	}
	switch data {
	case "none":
	case "op-stack":
		a.DataFee = gasPriceOracle
	default:
		return a, usage("--data-fee: want none or op-stack, got %q", data)
	}
	if a.Fees, err = feesFrom(c, file); err != nil {
		return a, err
	}
	a.Caps = anchor.Caps{Tx: file.CapTx, Day: file.CapDay, Month: file.CapMonth}
	for name, field := range map[string]**big.Int{"cap-tx": &a.Caps.Tx, "cap-day": &a.Caps.Day, "cap-month": &a.Caps.Month} {
		if !c.IsSet(name) {
			continue
		}
		if *field, err = cost.ParseWei(c.String(name)); err != nil {
			return a, usage("--%s: %w", name, err)
		}
		if (*field).Sign() == 0 {
			return a, usage("--%s: an amount of 0 lets nothing be anchored", name)
		}
	}
	return a, nil
}

// feesFrom reads the caps of a gas price, in wei.
func feesFrom(c *cli.Context, file *chainFile) (f anchor.Fees, err error) {
	for _, limit := range []struct {
		name  string
		field *uint64
		file  *big.Int
	}{{"max-fee-gwei", &f.MaxFee, file.MaxFee}, {"max-tip-gwei", &f.MaxTip, file.MaxTip}} {
		gwei := c.Float64(limit.name)
		if gwei < 0 || gwei > 1e9 || math.IsNaN(gwei) {
			return f, usage("--%s: want 0 to 1e9, got %g", limit.name, gwei)
		}
		*limit.field = uint64(gwei * 1e9)
		if !c.IsSet(limit.name) && limit.file != nil {
			if !limit.file.IsUint64() {
				return f, usage("chain file: %s is over any price of gas", limit.name)
			}
			*limit.field = limit.file.Uint64()
		}
	}
	if f.MaxFee > 0 && f.MaxTip > f.MaxFee {
		return f, usage("--max-tip-gwei is over --max-fee-gwei")
	}
	return f, nil
}

func mustAddress(s string) proofs.Address {
	a, err := proofs.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}
