package devchain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	gethlog "github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
)

const (
	// defaultGasLimit is that of Ethereum at Osaka, so that what fits here fits there.
	defaultGasLimit = 60_000_000
	defaultFinality = 2
)

func (cfg *Config) validate() error {
	if cfg.ChainID == 0 {
		cfg.ChainID = DefaultChainID
	}
	if cfg.Finality == 0 {
		cfg.Finality = defaultFinality
	}
	if cfg.GasLimit == 0 {
		cfg.GasLimit = defaultGasLimit
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	var errs []error
	if cfg.HTTPAddr != "" {
		if _, _, err := splitAddr(cfg.HTTPAddr); err != nil {
			errs = append(errs, err)
		}
	}
	for addr, account := range cfg.Alloc {
		if account.Balance == nil || account.Balance.Sign() < 0 || account.Balance.BitLen() > 256 {
			errs = append(errs, fmt.Errorf("balance of account %s is missing or out of range", addr))
		}
	}
	return errors.Join(errs...)
}

func splitAddr(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("parse HTTP address: %w", err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("parse HTTP address %q: want host:port", addr)
	}
	return host, int(n), nil
}

// node is a node that talks to nobody: no listener, no discovery, no peers, no IPC.
func (cfg *Config) node() *node.Config {
	nc := node.DefaultConfig
	nc.Name = "devchain"
	nc.DataDir = cfg.Dir
	nc.P2P = p2p.Config{NoDiscovery: true, NoDial: true}
	nc.IPCPath = ""
	// It is made when missing and never used. One that exists leaves no trace.
	if nc.KeyStoreDir = cfg.Dir; cfg.Dir == "" {
		nc.KeyStoreDir = os.TempDir()
	}
	if cfg.HTTPAddr != "" {
		nc.HTTPHost, nc.HTTPPort, _ = splitAddr(cfg.HTTPAddr)
		nc.HTTPModules = []string{"eth", "net", "web3"}
	}
	return &nc
}

// eth keeps the whole state on disk after each block (hash scheme, no pruning): the other settings keep some of
// it in memory, and a kill then takes the chain back to its start.
func (cfg *Config) eth() *ethconfig.Config {
	ec := ethconfig.Defaults
	ec.Genesis = cfg.genesis()
	ec.NetworkId = cfg.ChainID
	ec.SyncMode = ethconfig.FullSync
	ec.StateScheme = rawdb.HashScheme
	ec.NoPruning = true
	ec.SnapshotCache = 0
	ec.DatabaseCache, ec.TrieCleanCache, ec.TrieDirtyCache = 16, 16, 16 // MB
	ec.LogNoHistory = true
	ec.TxPool.NoLocals = true
	ec.TxPool.Journal = ""
	ec.BlobPool.Datadir = ""
	// The least that the pool accepts, so that what it holds is what a block takes.
	ec.Miner.GasPrice = new(big.Int).SetUint64(ec.TxPool.PriceLimit)
	ec.Miner.GasCeil = cfg.GasLimit
	return &ec
}

// genesis is a function of the chain id and the funded accounts alone. The chain id is in the extra data, because
// the hash of a genesis block does not cover its configuration.
func (cfg *Config) genesis() *core.Genesis {
	rules := *params.AllDevChainProtocolChanges
	rules.ChainID = new(big.Int).SetUint64(cfg.ChainID)
	rules.AmsterdamTime, rules.BogotaTime = nil, nil

	alloc := types.GenesisAlloc{}
	maps.Copy(alloc, cfg.Alloc)
	for addr, code := range map[common.Address][]byte{
		params.BeaconRootsAddress:          params.BeaconRootsCode,          // EIP-4788
		params.HistoryStorageAddress:       params.HistoryStorageCode,       // EIP-2935
		params.WithdrawalQueueAddress:      params.WithdrawalQueueCode,      // EIP-7002
		params.ConsolidationQueueAddress:   params.ConsolidationQueueCode,   // EIP-7251
		params.DeterministicFactoryAddress: params.DeterministicFactoryCode, // EIP-7997
	} {
		alloc[addr] = types.Account{Nonce: 1, Code: code, Balance: new(big.Int)}
	}
	return &core.Genesis{
		Config:     &rules,
		ExtraData:  fmt.Appendf(nil, "devchain %d", cfg.ChainID),
		GasLimit:   cfg.GasLimit,
		BaseFee:    big.NewInt(params.InitialBaseFee),
		Difficulty: new(big.Int),
		Alloc:      alloc,
	}
}

// setLogger sends go-ethereum's warnings to l. The wrapping type keeps gethlog.SetDefault from making l the
// process's slog default as well.
func setLogger(l *slog.Logger) {
	type logger struct{ gethlog.Logger }
	gethlog.SetDefault(logger{gethlog.NewLogger(warnings{l.Handler()})})
}

type warnings struct{ slog.Handler }

func (h warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

func (h warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{h.Handler.WithAttrs(attrs)}
}

func (h warnings) WithGroup(name string) slog.Handler { return warnings{h.Handler.WithGroup(name)} }
