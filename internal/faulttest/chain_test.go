package faulttest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"math/big"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/identity"
)

// rich is the first of anvil's accounts, and has ether on every chain of these tests.
var rich = mustKey("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")

// key signs promises, messages and transactions.
type key struct {
	*identity.Key
	private *ecdsa.PrivateKey
}

func mustKey(hex string) key {
	k, err := crypto.HexToECDSA(hex)
	if err != nil {
		panic(err)
	}
	return key{identity.NewKey(k), k}
}

// SignTx returns the transaction with the key's signature.
func (k key) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	rules := types.LatestSignerForChainID(chainID)
	s, err := k.SignDigest([32]byte(rules.Hash(tx)))
	if err != nil {
		return nil, err
	}
	s[64] -= 27
	return tx.WithSignature(rules, s[:])
}

// chain is a real node that a test commands. Its methods fail the test.
type chain interface {
	name() string
	url() string
	// mine makes blocks with what the pool holds.
	mine(blocks int)
	// rollback takes the newest blocks away and empties the pool.
	rollback(blocks uint64)
	dropPool()
	// jump makes the next block so much later, or earlier, as far as its parent allows.
	jump(d time.Duration)
	// mineAt mines a block whose base fee is at least fee, and anvil only that one.
	mineAt(fee *big.Int)
}

// chains are the chains that each fault is tried on. finality is the distance of the finalized block.
var chains = map[string]func(t *testing.T, finality int) chain{"anvil": newAnvil, "devchain": newDevchain}

// onChains runs the fault on each chain.
func onChains(t *testing.T, fault string, do func(t *testing.T, name string)) {
	t.Helper()
	t.Run(fault, func(t *testing.T) {
		t.Parallel()
		for name := range chains {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				t.Attr("fault", fault)
				t.Attr("chain", name)
				do(t, name)
			})
		}
	})
}

// anvil is Foundry's node as a process.
type anvil struct {
	t       *testing.T
	at      string
	rpc     *rpc.Client
	process *exec.Cmd
	shift   time.Duration // of its clock
}

func newAnvil(t *testing.T, finality int) chain {
	t.Helper()
	program, err := filepath.Abs("../../node_modules/.bin/anvil")
	if err != nil {
		t.Fatal(err)
	}
	// Of a head n, n minus two epochs is finalized.
	cmd := exec.Command(program, "--port", "0", "--no-mining", "--slots-in-an-epoch", strconv.Itoa((finality+1)/2))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start anvil (npm ci installs it): %v", err)
	}
	a := &anvil{t: t, process: cmd}
	lines := bufio.NewScanner(out)
	for a.at == "" && lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			a.at = "http://" + addr
		}
	}
	if a.at == "" {
		t.Fatalf("anvil did not say where it listens: %v", lines.Err())
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		<-drained
		cmd.Wait() //nolint:errcheck // killed
	})
	if a.rpc, err = rpc.DialContext(t.Context(), a.at); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.rpc.Close)
	return a
}

func (a *anvil) name() string { return "anvil" }
func (a *anvil) url() string  { return a.at }

func (a *anvil) call(method string, params ...any) {
	a.t.Helper()
	if err := a.rpc.CallContext(context.Background(), nil, method, params...); err != nil {
		a.t.Fatalf("%s: %v", method, err)
	}
}

func (a *anvil) mine(blocks int) {
	a.t.Helper()
	for range blocks {
		a.call("evm_mine")
	}
}

func (a *anvil) rollback(blocks uint64) {
	a.t.Helper()
	a.dropPool()
	a.call("anvil_rollback", blocks)
}

func (a *anvil) dropPool() { a.t.Helper(); a.call("anvil_dropAllTransactions") }

func (a *anvil) jump(d time.Duration) {
	a.t.Helper()
	a.shift += d
	a.call("evm_setTime", time.Now().Add(a.shift).UnixMilli()/1000)
}

func (a *anvil) mineAt(fee *big.Int) {
	a.t.Helper()
	a.call("anvil_setNextBlockBaseFeePerGas", "0x"+fee.Text(16))
	a.mine(1)
}

// sim is go-ethereum's simulated chain.
type sim struct {
	t     *testing.T
	chain *devchain.Chain
	shift time.Duration // of the clock
}

// burner takes all the gas that it is given.
var burner = common.HexToAddress("0xb0b0")

// simGasLimit is small, so that blocks can be filled. It holds the deployment of the contract.
const simGasLimit = 4_000_000

func newDevchain(t *testing.T, finality int) chain {
	t.Helper()
	return openDevchain(t, finality, 0)
}

// newDevchainAs returns a chain with another id.
func newDevchainAs(t *testing.T, id uint64) chain {
	t.Helper()
	return openDevchain(t, nearFinality, id)
}

func openDevchain(t *testing.T, finality int, id uint64) *sim {
	t.Helper()
	s := &sim{t: t}
	began := time.Now()
	var err error
	s.chain, err = devchain.Open(devchain.Config{
		HTTPAddr: "127.0.0.1:0", ChainID: id, Finality: uint64(finality), GasLimit: simGasLimit,
		Now: func() time.Time { return began.Add(s.shift) },
		Alloc: types.GenesisAlloc{
			common.Address(rich.Address()): {Balance: ether(10_000)},
			burner:                         {Balance: new(big.Int), Code: common.FromHex("5b5f56")}, // JUMPDEST, PUSH0, JUMP
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.chain.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *sim) name() string { return "devchain" }
func (s *sim) url() string  { return s.chain.URL() }

func (s *sim) mine(blocks int) {
	s.t.Helper()
	for range blocks {
		s.shift += time.Second
		if err := s.chain.Mine(1); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *sim) head() *types.Header {
	s.t.Helper()
	h, err := s.chain.Client().HeaderByNumber(context.Background(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return h
}

func (s *sim) rollback(blocks uint64) {
	s.t.Helper()
	n := new(big.Int).Sub(s.head().Number, new(big.Int).SetUint64(blocks))
	to, err := s.chain.Client().HeaderByNumber(context.Background(), n)
	if err == nil {
		err = s.chain.Fork(to.Hash())
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.chain.DropPool()
}

func (s *sim) dropPool()            { s.chain.DropPool() }
func (s *sim) jump(d time.Duration) { s.shift += d }

// usualTip is what everybody pays, in wei per gas.
const usualTip = 2e9

// mineAt fills blocks until the base fee is there: it rises by an eighth at most with each full block. At the height it
// fills half of each. What fills them pays a higher tip, so that nothing of ours gets in before it.
func (s *sim) mineAt(fee *big.Int) {
	s.t.Helper()
	for {
		gas := uint64(simGasLimit / 2)
		h := s.head()
		reached := h.BaseFee.Cmp(fee) >= 0
		if !reached {
			gas = simGasLimit - 50_000
		}
		transact(s.t, s.chain.Client(), rich, &burner, nil, nil, gas, 2*usualTip)
		s.mine(1)
		if reached {
			return
		}
	}
}

func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e18)) }

// transact sends a transaction of key with its lowest nonce that is free, and does not mine it.
func transact(t *testing.T, c *ethclient.Client, key key, to *common.Address, data []byte, wei *big.Int, gas uint64, tip int64) *types.Transaction {
	t.Helper()
	nonce, err := c.PendingNonceAt(context.Background(), common.Address(key.Address()))
	if err != nil {
		t.Fatal(err)
	}
	tx := sign(t, c, key, &types.DynamicFeeTx{Nonce: nonce, To: to, Data: data, Value: wei, Gas: gas,
		GasTipCap: big.NewInt(tip), GasFeeCap: big.NewInt(2e11)})
	send(t, c, tx)
	return tx
}

func sign(t *testing.T, c *ethclient.Client, key key, data *types.DynamicFeeTx) *types.Transaction {
	t.Helper()
	id, err := c.ChainID(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	data.ChainID = id
	tx, err := key.SignTx(context.Background(), types.NewTx(data), id)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// send sends the transaction and waits until the pool says so: it takes transactions up on its own time.
func send(t *testing.T, c *ethclient.Client, tx *types.Transaction) {
	t.Helper()
	if err := c.SendTransaction(context.Background(), tx); err != nil && !strings.Contains(err.Error(), "already") {
		t.Fatalf("send transaction: %v", err)
	}
	for {
		_, _, err := c.TransactionByHash(context.Background(), tx.Hash())
		if err == nil {
			return
		}
	}
}
