package main

import (
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
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
		&cli.StringSliceFlag{Name: "rpc", EnvVars: []string{"HANSARD_RPC", "ETH_RPC_URL"}, Usage: "JSON-RPC `URL` of a node, repeated for several; without it the embedded development chain is used"},
		&cli.IntFlag{Name: "quorum", Usage: "nodes that must agree; 0: more than half (`N`)"},
		&cli.Uint64Flag{Name: "chain-id", Usage: "`ID` of the chain that the nodes must be on; 0: whichever they are on"},
		&cli.Uint64Flag{Name: "confirmations", Usage: "blocks on top that make a block final; 0: the chain's finalized tag (`N`)"},
		&cli.Uint64Flag{Name: "from-block", Usage: "no event of the log is in a block before `N`"},
		&cli.Float64Flag{Name: "max-fee-gwei", Usage: "sign nothing that pays more than `GWEI` per gas, and wait while gas costs more (0: no cap)"},
		&cli.Float64Flag{Name: "max-tip-gwei", Usage: "lower suggested tips to `GWEI` (0: no cap)"},
		&cli.StringFlag{Name: "on-cap", Value: anchor.Wait.String(), Usage: "when gas costs more than --max-fee-gwei and a promise is due: `delay` or pay"},
		&cli.DurationFlag{Name: "urgent", Usage: "`TIME` before a promise's deadline from which --on-cap pay pays, and twice that from which you are warned (default: 2h, or half of --promise)"},
		&cli.StringFlag{Name: "cap-tx", Usage: "most that one transaction may cost, such as \"0.01 ether\" (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-day", Usage: "most that 24 hours may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "cap-month", Usage: "most that 30 days may cost (`AMOUNT`)"},
		&cli.StringFlag{Name: "data-fee", Value: "none", Usage: "how the chain charges for data beside gas: `none` or op-stack"},
	}
}

// devMaxAge seals soon enough that a developer sees it happen.
const devMaxAge = 5 * time.Second

// nodeFrom reads nodeFlags.
func nodeFrom(c *cli.Context, logger *slog.Logger) (cfg nodeConfig, err error) {
	for _, name := range []string{"max-age", "promise"} {
		if c.Duration(name) <= 0 {
			return cfg, usage("--%s: want a time over 0, got %s", name, c.Duration(name))
		}
	}
	cfg = nodeConfig{
		Dir: c.String("data"), RPC: c.StringSlice("rpc"), Quorum: c.Int("quorum"), ChainID: c.Uint64("chain-id"),
		Promise: c.String("promise-key"), LogName: c.String("log-name"), Deploy: c.Bool("deploy"), Logger: logger,
		Batch: batcher.Config{MaxMessages: c.Uint64("max-messages"), MaxAge: c.Duration("max-age"), Promise: c.Duration("promise")},
	}
	if cfg.Anchor, err = anchorFrom(c); err != nil {
		return cfg, err
	}
	if c.Bool("dev") || len(cfg.RPC) == 0 {
		cfg.RPC = nil
		if !c.IsSet("max-age") {
			cfg.Batch.MaxAge = devMaxAge
		}
		return cfg, nil
	}
	if cfg.Batch.Promise <= cfg.Batch.MaxAge {
		return cfg, usage("--promise %s is not longer than --max-age %s: it could not be kept", cfg.Batch.Promise, cfg.Batch.MaxAge)
	}
	if s := c.String("log-owner"); s != "" {
		if cfg.Owner, err = proofs.ParseAddress(strings.ToLower(s)); err != nil {
			return cfg, usage("--log-owner: %w", err)
		}
	}
	if cfg.Password, err = password(c, "password-file", "Password of the keys"); err != nil {
		return cfg, err
	}
	cfg.Signers, err = openSigners(c, filepath.Join(cfg.Dir, "keys"), cfg.Password)
	return cfg, err
}

// gasPriceOracle is where every chain of the OP stack says what it charges for data.
var gasPriceOracle = mustAddress("0x420000000000000000000000000000000000000f")

// anchorFrom reads what chainFlags say of finality and money.
func anchorFrom(c *cli.Context) (a anchor.Config, err error) {
	a = anchor.Config{Confirmations: c.Uint64("confirmations"), FromBlock: c.Uint64("from-block"), Urgent: c.Duration("urgent")}
	if a.Urgent == 0 {
		a.Urgent = min(2*time.Hour, c.Duration("promise")/2)
	}
	if a.OnCap, err = anchor.ParseOnCap(c.String("on-cap")); err != nil {
		return a, usage("--on-cap: %w", err)
	}
	for name, field := range map[string]*uint64{"max-fee-gwei": &a.Fees.MaxFee, "max-tip-gwei": &a.Fees.MaxTip} {
		gwei := c.Float64(name)
		if gwei < 0 || gwei > 1e9 || math.IsNaN(gwei) {
			return a, usage("--%s: want 0 to 1e9, got %g", name, gwei)
		}
		*field = uint64(gwei * 1e9)
	}
	for name, field := range map[string]**big.Int{"cap-tx": &a.Caps.Tx, "cap-day": &a.Caps.Day, "cap-month": &a.Caps.Month} {
		if !c.IsSet(name) {
			continue
		}
		if *field, err = parseWei(c.String(name)); err != nil {
			return a, usage("--%s: %w", name, err)
		}
	}
	switch kind := c.String("data-fee"); kind {
	case "none":
	case "op-stack":
		a.DataFee = gasPriceOracle
	default:
		return a, usage("--data-fee: want none or op-stack, got %q", kind)
	}
	return a, nil
}

// parseWei reads an amount over 0: a decimal number and ether, gwei or wei, exactly.
func parseWei(s string) (*big.Int, error) {
	number, unit, _ := strings.Cut(strings.TrimSpace(s), " ")
	scale, ok := map[string]int64{"ether": 1e18, "gwei": 1e9, "wei": 1}[strings.TrimSpace(unit)]
	amount, fine := new(big.Rat).SetString(number)
	if !ok || !fine || strings.ContainsAny(number, "/eExXpP_") || amount.Sign() <= 0 {
		return nil, fmt.Errorf("want an amount over 0 such as \"0.01 ether\", \"5 gwei\" or \"1000 wei\", got %.40q", s)
	}
	if amount.Mul(amount, new(big.Rat).SetInt64(scale)); !amount.IsInt() {
		return nil, fmt.Errorf("%.40q is no whole number of wei", s)
	}
	return amount.Num(), nil
}

func mustAddress(s string) proofs.Address {
	a, err := proofs.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}
