package devchain_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor/devchain"
)

var (
	key    = mustKey("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	sender = crypto.PubkeyToAddress(key.PublicKey)
	friend = common.HexToAddress("0xf00d")
	proxy  = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")
	// clz stores clz(1) in a new slot: PUSH1 1, CLZ, PUSH0, SSTORE.
	clz = common.HexToAddress("0xc12")
)

func mustKey(hex string) *ecdsa.PrivateKey {
	key, err := crypto.HexToECDSA(hex)
	if err != nil {
		panic(err)
	}
	return key
}

func config(dir string) devchain.Config {
	return devchain.Config{Dir: dir, Alloc: types.GenesisAlloc{
		sender: {Balance: new(big.Int).Mul(big.NewInt(1e9), big.NewInt(1e18))},
		clz:    {Balance: new(big.Int), Code: common.FromHex("60011e5f55")},
	}}
}

func open(t *testing.T, cfg devchain.Config) *devchain.Chain {
	t.Helper()
	c, err := devchain.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeChain(t *testing.T, c *devchain.Chain) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// send puts a transaction into the pool: next nonce, 100 gwei at most.
func send(client *ethclient.Client, to common.Address, wei int64, data []byte) (*types.Transaction, error) {
	nonce, err := client.PendingNonceAt(context.Background(), sender)
	if err != nil {
		return nil, err
	}
	return sendAt(client, nonce, to, wei, data, 100*params.GWei)
}

func sendAt(client *ethclient.Client, nonce uint64, to common.Address, wei int64, data []byte, feeCap int64) (*types.Transaction, error) {
	ctx := context.Background()
	id, err := client.ChainID(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: nonce, To: &to, Value: big.NewInt(wei), Data: data,
		Gas: 500_000, GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(feeCap),
	})
	if err != nil {
		return nil, err
	}
	return tx, client.SendTransaction(ctx, tx)
}

func mustSend(t *testing.T, c *devchain.Chain, to common.Address, wei int64, data []byte) *types.Transaction {
	t.Helper()
	tx, err := send(c.Client(), to, wei, data)
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func mine(t *testing.T, c *devchain.Chain, n int) {
	t.Helper()
	if err := c.Mine(n); err != nil {
		t.Fatal(err)
	}
}

func txReceipt(t *testing.T, c *devchain.Chain, tx *types.Transaction) *types.Receipt {
	t.Helper()
	r, err := c.Client().TransactionReceipt(t.Context(), tx.Hash())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// view is what a client sees of a chain.
type view struct {
	Latest, Safe, Finalized uint64
	Head                    common.Hash
	Friend                  string
}

func look(t *testing.T, c *devchain.Chain) view {
	t.Helper()
	header := func(tag rpc.BlockNumber) *types.Header {
		h, err := c.Client().HeaderByNumber(t.Context(), big.NewInt(tag.Int64()))
		if err != nil {
			t.Fatalf("%s: %v", tag, err)
		}
		return h
	}
	balance, err := c.Client().BalanceAt(t.Context(), friend, nil)
	if err != nil {
		t.Fatal(err)
	}
	head := header(rpc.LatestBlockNumber)
	return view{
		Latest:    head.Number.Uint64(),
		Safe:      header(rpc.SafeBlockNumber).Number.Uint64(),
		Finalized: header(rpc.FinalizedBlockNumber).Number.Uint64(),
		Head:      head.Hash(),
		Friend:    balance.String(),
	}
}

func TestFinality(t *testing.T) {
	clock := time.Unix(1_800_000_000, 0)
	cfg := config("")
	cfg.Now = func() time.Time { return clock }
	c := open(t, cfg)
	defer closeChain(t, c)

	mustSend(t, c, friend, 5, nil)
	for i, want := range []view{
		{Latest: 0, Safe: 0, Finalized: 0, Friend: "0"},
		{Latest: 1, Safe: 0, Finalized: 0, Friend: "5"},
		{Latest: 2, Safe: 1, Finalized: 0, Friend: "5"},
		{Latest: 3, Safe: 2, Finalized: 1, Friend: "5"},
	} {
		got := look(t, c)
		got.Head = common.Hash{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("after %d blocks (-want +got):\n%s", i, diff)
		}
		h, err := c.Commit()
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(clock.Unix()) + uint64(i); h.Time != want {
			t.Errorf("block %d: time %d, want %d", h.Number, h.Time, want)
		}
	}
}

// TestRun sees on a real clock what TestStep and TestAhead check turn by turn on a clock of their own.
func TestRun(t *testing.T) {
	c := open(t, config(""))
	heads := make(chan *types.Header, 16)
	sub, err := c.Client().SubscribeNewHead(t.Context(), heads)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	result := make(chan error, 1)
	go func() { result <- c.Run(ctx) }()
	tx := mustSend(t, c, friend, 1, nil)
	for want := uint64(1); want <= 3; want++ {
		select {
		case h := <-heads:
			if ahead := time.Until(time.Unix(int64(h.Time), 0)); h.Number.Uint64() != want || ahead > devchain.MaxAhead {
				t.Errorf("head %d, want %d; %v ahead", h.Number, want, ahead)
			}
		case err := <-result:
			t.Fatalf("ended before block %d: %v", want, err)
		}
	}
	if got := look(t, c); got.Finalized != txReceipt(t, c, tx).BlockNumber.Uint64() {
		t.Errorf("on the third head: %+v", got)
	}
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
	sub.Unsubscribe()
	closeChain(t, c)
	if err := c.Run(t.Context()); err == nil {
		t.Error("runs after Close")
	}
}

// stepper turns the block loop by hand, on a clock of its own.
type stepper struct {
	*devchain.Chain
	t     *testing.T
	clock time.Time
	ahead time.Duration // the most that a new head was ahead of the clock
}

func newStepper(t *testing.T) *stepper {
	// Inside a second, as clocks are.
	s := &stepper{t: t, clock: time.Unix(1_800_000_000, 3e8)}
	cfg := config("")
	cfg.Now = func() time.Time { return s.clock }
	s.Chain = open(t, cfg)
	t.Cleanup(func() { closeChain(t, s.Chain) })
	return s
}

// pass lets d pass, with the turns that the loop asks for, and one at the start, as if it had been woken.
func (s *stepper) pass(d time.Duration) {
	s.t.Helper()
	for end := s.clock.Add(d); ; {
		wait, err := s.Step()
		if err != nil {
			s.t.Fatal(err)
		}
		s.ahead = max(s.ahead, s.lead())
		if wait > end.Sub(s.clock) {
			s.clock = end
			return
		}
		s.clock = s.clock.Add(wait)
	}
}

func (s *stepper) lead() time.Duration {
	h, err := s.Client().HeaderByNumber(s.t.Context(), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return time.Unix(int64(h.Time), 0).Sub(s.clock)
}

func TestStep(t *testing.T) {
	s := newStepper(t)
	latest := func(want uint64, when string) {
		t.Helper()
		if got := look(t, s.Chain); got.Latest != want {
			t.Errorf("%d blocks %s, want %d", got.Latest, when, want)
		}
	}
	s.pass(time.Hour)
	latest(0, "without a transaction")
	tx := mustSend(t, s.Chain, friend, 1, nil)
	s.pass(0)
	latest(1, "at once after a transaction")
	s.pass(500 * time.Millisecond)
	latest(1, "half a second later")
	s.pass(1500 * time.Millisecond)
	if got, r := look(t, s.Chain), txReceipt(t, s.Chain, tx); got.Finalized != r.BlockNumber.Uint64() {
		t.Errorf("block %d after 2 s: %+v", r.BlockNumber, got)
	}
	s.pass(time.Hour)
	latest(3, "an hour later")

	// A fee cap of 1 wei is under every base fee here.
	low, err := sendAt(s.Client(), 1, friend, 1, nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	s.pass(time.Hour)
	latest(3, "with a transaction that cannot be included")
	if _, pending, err := s.Client().TransactionByHash(t.Context(), low.Hash()); err != nil || !pending {
		t.Errorf("transaction that cannot be included: pending %v, %v", pending, err)
	}
	if s.ahead > 0 {
		t.Errorf("%v ahead of the clock", s.ahead)
	}
}

// TestAhead has transactions come faster than seconds, and then a chain that is far ahead of the clock.
func TestAhead(t *testing.T) {
	s := newStepper(t)
	var tx *types.Transaction
	for nonce := range uint64(60) {
		var err error
		// The pool counts a transaction in its pending nonce a moment after it took it.
		if tx, err = sendAt(s.Client(), nonce, friend, 1, nil, 100*params.GWei); err != nil {
			t.Fatal(err)
		}
		s.pass(100 * time.Millisecond)
	}
	if s.ahead > devchain.MaxAhead || s.ahead < devchain.MaxAhead-time.Second {
		t.Errorf("chain time is up to %v ahead of the clock, want up to %v", s.ahead, devchain.MaxAhead)
	}
	// A second until the next block, two until it is finalized, and one more, because the pool may leave a transaction
	// out of a block that has others of its sender.
	s.pass(4 * time.Second)
	if got := look(t, s.Chain); got.Finalized < txReceipt(t, s.Chain, tx).BlockNumber.Uint64() || got.Friend != "60" {
		t.Errorf("4 s after 60 transactions: %+v", got)
	}
	if s.ahead > devchain.MaxAhead {
		t.Errorf("up to %v ahead of the clock, want up to %v", s.ahead, devchain.MaxAhead)
	}

	mine(t, s.Chain, 100)
	before := s.lead()
	tx = mustSend(t, s.Chain, friend, 1, nil)
	s.pass(3 * time.Second)
	if got := look(t, s.Chain); got.Finalized != txReceipt(t, s.Chain, tx).BlockNumber.Uint64() {
		t.Errorf("3 s after a transaction, %v ahead of the clock: %+v", before, got)
	}
	if s.lead() > before {
		t.Errorf("%v ahead of the clock, was %v", s.lead(), before)
	}
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	c := open(t, config(dir))
	tx := mustSend(t, c, friend, 7, nil)
	mine(t, c, 5)
	want, wantReceipt := look(t, c), txReceipt(t, c, tx)
	closeChain(t, c)

	c = open(t, config(dir))
	defer closeChain(t, c)
	if diff := cmp.Diff(want, look(t, c)); diff != "" {
		t.Errorf("after restart (-want +got):\n%s", diff)
	}
	if got := txReceipt(t, c, tx); got.BlockHash != wantReceipt.BlockHash {
		t.Errorf("transaction is in block %s, was in %s", got.BlockHash, wantReceipt.BlockHash)
	}
	mustSend(t, c, friend, 1, nil)
	mine(t, c, 1)
	if got := look(t, c); got.Latest != want.Latest+1 || got.Friend != "8" {
		t.Errorf("a block after restart: %+v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	c := open(t, config(dir))
	_, err := devchain.Open(config(dir))
	if !errors.Is(err, devchain.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open twice: %v", err)
	}
	closeChain(t, c)

	for _, tc := range []struct {
		name   string
		change func(*devchain.Config)
		want   error
		text   string
	}{
		{"chain id", func(c *devchain.Config) { c.ChainID = 1338 }, devchain.ErrOtherChain, dir},
		{"accounts", func(c *devchain.Config) { c.Alloc = nil }, devchain.ErrOtherChain, dir},
		{"no balance", func(c *devchain.Config) { c.Alloc = types.GenesisAlloc{friend: {}} }, nil, friend.Hex()},
		{"address", func(c *devchain.Config) { c.HTTPAddr = "localhost" }, nil, "HTTP address"},
		{"port", func(c *devchain.Config) { c.HTTPAddr = "127.0.0.1:http" }, nil, "HTTP address"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := config(dir)
			tc.change(&cfg)
			c, err := devchain.Open(cfg)
			if err == nil {
				c.Close()
				t.Fatal("opened")
			}
			if tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("got %v", err)
			}
		})
	}
	closeChain(t, open(t, config(dir)))
}

func TestDeploymentProxy(t *testing.T) {
	c := open(t, config(""))
	defer closeChain(t, c)
	code, err := c.Client().CodeAt(t.Context(), proxy, nil)
	if err != nil {
		t.Fatal(err)
	}
	const known = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
	if got := common.Bytes2Hex(code); got != known {
		t.Errorf("code %s", got)
	}
	// Init code that returns one byte, 0x42: PUSH1 0x42, PUSH0, MSTORE8, PUSH1 1, PUSH0, RETURN.
	initCode, salt := common.FromHex("60425f5360015ff3"), common.Hash{31: 9}
	tx := mustSend(t, c, proxy, 0, append(salt[:], initCode...))
	mine(t, c, 1)
	if r := txReceipt(t, c, tx); r.Status != types.ReceiptStatusSuccessful {
		t.Fatalf("deployment reverted, %d gas", r.GasUsed)
	}
	at := crypto.CreateAddress2(proxy, salt, crypto.Keccak256(initCode))
	if code, err = c.Client().CodeAt(t.Context(), at, nil); err != nil || !bytes.Equal(code, []byte{0x42}) {
		t.Errorf("code at %s: %x, %v", at, code, err)
	}
}

// TestRules: CLZ exists since Osaka, and no fork after it prices the new slot at 22,100 gas.
func TestRules(t *testing.T) {
	c := open(t, config(""))
	defer closeChain(t, c)
	tx := mustSend(t, c, clz, 0, nil)
	mine(t, c, 1)
	r := txReceipt(t, c, tx)
	if want := uint64(21_000 + 3 + 5 + 2 + 22_100); r.Status != types.ReceiptStatusSuccessful || r.GasUsed != want {
		t.Errorf("status %d, %d gas, want %d", r.Status, r.GasUsed, want)
	}
}

func TestFork(t *testing.T) {
	c := open(t, config(""))
	defer closeChain(t, c)
	mine(t, c, 4)
	parent := look(t, c)
	tx := mustSend(t, c, friend, 3, nil)
	mine(t, c, 1)
	first := txReceipt(t, c, tx)

	if err := c.Fork(parent.Head); err != nil {
		t.Fatal(err)
	}
	if got := look(t, c); got.Latest != 4 || got.Safe != 3 || got.Finalized != 3 || got.Friend != "0" {
		t.Errorf("after fork: %+v", got)
	}
	mine(t, c, 1)
	again := txReceipt(t, c, tx)
	if again.BlockHash == first.BlockHash || again.BlockNumber.Cmp(first.BlockNumber) != 0 {
		t.Errorf("mined again in block %d %s, was %d %s", again.BlockNumber, again.BlockHash, first.BlockNumber, first.BlockHash)
	}

	if err := c.Fork(parent.Head); err != nil {
		t.Fatal(err)
	}
	c.DropPool()
	mine(t, c, 3)
	if r, err := c.Client().TransactionReceipt(t.Context(), tx.Hash()); err == nil {
		t.Errorf("dropped transaction is in block %d", r.BlockNumber)
	}
	for _, at := range []common.Hash{parent.Head, first.BlockHash, {1}} {
		if err := c.Fork(at); err == nil {
			t.Errorf("forked at %s, which is before the finalized block or not on the chain", at)
		}
	}
}

func TestHTTP(t *testing.T) {
	cfg := config("")
	cfg.ChainID, cfg.HTTPAddr = 4711, "127.0.0.1:0"
	c := open(t, cfg)
	defer closeChain(t, c)
	client, err := ethclient.DialContext(t.Context(), c.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if id, err := client.ChainID(t.Context()); err != nil || id.Uint64() != 4711 {
		t.Errorf("chain id %v, %v", id, err)
	}
	// Also before the first block, and there is no other until somebody sends a transaction.
	if _, err := client.TransactionReceipt(t.Context(), common.Hash{1}); !errors.Is(err, ethereum.NotFound) {
		t.Errorf("receipt of an unknown transaction: %v", err)
	}
	if p, err := client.SyncProgress(t.Context()); err != nil || p != nil {
		t.Errorf("sync progress %v, %v", p, err)
	}
	cfg.HTTPAddr = strings.TrimPrefix(c.URL(), "http://")
	if _, err := devchain.Open(cfg); err == nil || !strings.Contains(err.Error(), cfg.HTTPAddr) {
		t.Errorf("port taken: %v", err)
	}
}

// TestDepth moves safe and finalized further away, and makes blocks small.
func TestDepth(t *testing.T) {
	cfg := config("")
	cfg.Finality, cfg.GasLimit = 7, 1_000_000
	c := open(t, cfg)
	defer closeChain(t, c)
	mine(t, c, 10)
	if got := look(t, c); got.Latest != 10 || got.Safe != 6 || got.Finalized != 3 {
		t.Errorf("after 10 blocks: %+v", got)
	}
	h, err := c.Client().HeaderByNumber(t.Context(), nil)
	if err != nil || h.GasLimit != 1_000_000 {
		t.Errorf("gas limit %d, %v", h.GasLimit, err)
	}
}
