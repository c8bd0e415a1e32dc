package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/ethclient"
	"golang.org/x/sys/unix"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

// operator is a chain of anvil's with a funded account.
type operator struct {
	*serviceTest
	client  *ethclient.Client
	account proofs.Address
}

// startAnvil runs anvil until the test ends and returns its URL.
func startAnvil(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("../../node_modules/.bin/anvil", append([]string{"--port", "0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; npm ci brings anvil", err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Error(err)
		}
		cmd.Wait() //nolint:errcheck // it was killed
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			go io.Copy(io.Discard, out) //nolint:errcheck // anvil tells each call, and stops when nobody reads
			return "http://" + at
		}
	}
	t.Fatal("anvil did not say where it listens")
	return ""
}

func newOperator(t *testing.T, args ...string) *operator {
	t.Helper()
	dir := t.TempDir()
	o := &operator{serviceTest: &serviceTest{t: t, dir: dir, url: startAnvil(t, args...)}}
	if err := os.WriteFile(o.path("password"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := o.want(0, "", "keys", "new", "anchor", "--light", "-q", "--keystore", o.path("keys"), "--password-file", o.path("password"))
	o.account = mustAddress(strings.TrimSpace(out))
	var err error
	if o.client, err = ethclient.DialContext(t.Context(), o.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.client.Close)
	o.rpc("anvil_setBalance", o.account, "0xde0b6b3a7640000") // an ether
	return o
}

// rpc calls a method of anvil's own.
func (o *operator) rpc(method string, args ...any) {
	o.t.Helper()
	if err := o.client.Client().CallContext(o.t.Context(), nil, method, args...); err != nil {
		o.t.Fatalf("%s: %v", method, err)
	}
}

// contracts runs hansard contracts with the account.
func (o *operator) contracts(code int, args ...string) (stdout, stderr string) {
	o.t.Helper()
	return o.want(code, "", append(append([]string{"contracts"}, args...), "--rpc", o.url, "--keystore", o.path("keys"), "--password-file", o.path("password"))...)
}

func (o *operator) balance() *big.Int {
	o.t.Helper()
	wei, err := o.client.BalanceAt(context.Background(), common.Address(o.account), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	return wei
}

// TestContracts deploys, opens, looks and rotates on anvil; each wei that is reported is one that is gone.
func TestContracts(t *testing.T) {
	o := newOperator(t)
	before := o.balance()
	out, _ := o.contracts(0, "deploy", "--dry-run")
	for _, want := range []string{
		"chain      31337, block 0\n", "0x4e59b44847b379578588920ca78fbf26c0b4956c  there\n", anchor.ContractAddress().String() + "  missing\n",
		"would deploy AnchorLog", "  est. 7", "would open log", "  measured 69,209 gas", "cap 0.05 -> ok\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("dry run: no %q in\n%s", want, out)
		}
	}
	o.contracts(exitBudget, "deploy", "--dry-run", "--max-cost", "0.0001")
	o.contracts(exitBudget, "deploy", "--yes", "--max-cost", "100 gwei")
	_, errs := o.contracts(exitUsage, "deploy")
	if !strings.Contains(errs, "--yes") {
		t.Errorf("nobody can be asked: %s", errs)
	}
	if o.balance().Cmp(before) != 0 {
		t.Fatal("something was sent")
	}
	o.contracts(proofs.Mismatch.Exit(), "info")

	out, _ = o.contracts(0, "deploy", "--yes", "--json")
	l := decode[contractsLine](t, out)
	log := proofs.LogID(o.account, logSalt("main"))
	if l.Schema != "hansard.contracts/1" || len(l.Plan) != 2 || len(l.Sent) != 2 || *l.Log != log || *l.Submitter != o.account || !l.Fits || l.Deployed || l.Open {
		t.Errorf("deploy: %s", out)
	}
	o.wantSpent(before, l.Sent)
	if got := l.Sent[1].Gas; got > 69_209 || got < 69_100 {
		t.Errorf("open used %d gas, planned were 69,209", got)
	}
	before = o.balance()
	out, _ = o.contracts(0, "deploy", "--yes", "-q")
	if out != log.String()+"\n" || o.balance().Cmp(before) != 0 {
		t.Errorf("deploy again: %q", out)
	}

	out, _ = o.contracts(0, "info", "--json")
	info := decode[infoLine](t, out)
	if !info.Ours || *info.Owner != o.account || *info.Submitter != o.account || info.Batches != 0 || info.Log != log || info.CodeHash == nil {
		t.Errorf("info: %s", out)
	}
	next := proofs.Address{19: 7}
	out, errs = o.contracts(0, "set-submitter", next.String(), "--log", log.String(), "--yes")
	if !strings.Contains(out, "set the submitter of log "+log.String()) || !strings.Contains(errs, "goes on by itself") {
		t.Errorf("set-submitter: %s %s", out, errs)
	}
	if out, _ = o.contracts(0, "info", "--owner", common.Address(o.account).Hex()); !strings.Contains(out, "submitter  "+next.String()) {
		t.Errorf("info after it: %s", out)
	}
	if _, errs = o.contracts(exitUsage, "deploy", "--yes"); !strings.Contains(errs, "set-submitter replaces it") {
		t.Errorf("deploy with another submitter: %s", errs)
	}
	o.contracts(0, "set-submitter", next.String(), "--yes")
	o.want(0, "", "keys", "new", "thief", "--light", "--keystore", o.path("keys"), "--password-file", o.path("password"))
	o.contracts(exitAuth, "set-submitter", o.account.String(), "--log", log.String(), "--account", "thief", "--yes")
}

// wantSpent compares what was reported with what the account lost.
func (o *operator) wantSpent(before *big.Int, sent []sentTxLine) {
	o.t.Helper()
	total := new(big.Int)
	for _, s := range sent {
		total.Add(total, wei(o.t, s.Wei))
	}
	if lost := new(big.Int).Sub(before, o.balance()); lost.Cmp(total) != 0 || lost.Sign() == 0 {
		o.t.Errorf("%d wei were reported and %d are gone", total, lost)
	}
}

// terminal returns a terminal on which somebody has typed.
func terminal(t *testing.T, typed string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if _, err := master.WriteString(typed); err != nil {
		t.Fatal(err)
	}
	return slave
}

// TestContractsAsks: on a terminal a person is asked, and only a yes sends.
func TestContractsAsks(t *testing.T) {
	o := newOperator(t)
	ask := func(typed string, more ...string) (int, string) {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"hansard", "contracts", "deploy", "--rpc", o.url, "--keystore", o.path("keys"),
			"--password-file", o.path("password")}, more...), terminal(t, typed), &out, &errs)
		return code, errs.String()
	}
	before := o.balance()
	for _, typed := range []string{"n\n", "\n", "yes please\n"} {
		if code, errs := ask(typed); code != exitUsage || !strings.Contains(errs, "Send 2 transaction(s) for at most") || !strings.Contains(errs, "nothing was sent") {
			t.Errorf("%q: exit %d, %s", typed, code, errs)
		}
	}
	if code, errs := ask("y\n", "--no-input"); code != exitUsage || strings.Contains(errs, "[y/N]") || !strings.Contains(errs, "--yes") {
		t.Errorf("--no-input: exit %d, %s", code, errs)
	}
	if o.balance().Cmp(before) != 0 {
		t.Fatal("something was sent")
	}
	if code, errs := ask("y\n"); code != 0 || o.balance().Cmp(before) == 0 {
		t.Errorf("a yes: exit %d, %s", code, errs)
	}
}

// TestContractsMissing: no deployment proxy, no funds, another chain, no node.
func TestContractsMissing(t *testing.T) {
	o := newOperator(t)
	o.rpc("anvil_setCode", anchor.ProxyAddress(), "0x")
	_, errs := o.contracts(exitUsage, "deploy", "--dry-run")
	if !strings.Contains(errs, "no deployment proxy at 0x4e59") {
		t.Errorf("no proxy: %s", errs)
	}
	o.rpc("anvil_setCode", anchor.ContractAddress(), "0x00")
	if out, _ := o.contracts(proofs.Mismatch.Exit(), "info"); !strings.Contains(out, "NOT the AnchorLog of this version") {
		t.Errorf("other code: %s", out)
	}
	o.contracts(exitUsage, "deploy", "--chain-id", "5", "--dry-run")
	o.want(exitUsage, "", "contracts", "info", "--owner", o.account.String())
	o.want(exitUnreachable, "", "contracts", "info", "--owner", o.account.String(), "--rpc", "http://127.0.0.1:1")
	o.contracts(exitUsage, "info", "--account", "nobody")
	o.rpc("anvil_setCode", anchor.ContractAddress(), "0x")
	out, _ := o.want(proofs.Mismatch.Exit(), "", "contracts", "info", "--rpc", o.url, "--keystore", o.path("nokeys"))
	if !strings.Contains(out, "missing; hansard contracts deploy") || strings.Contains(out, "\nlog ") {
		t.Errorf("no log named: %s", out)
	}
	o.contracts(exitUsage, "info", "--log", "0x12")
	for _, bad := range []string{"1e18", "-1", "50000000000000000", "5 dollar", ""} {
		o.contracts(exitUsage, "deploy", "--dry-run", "--max-cost", bad)
	}
}

func TestContractsFunds(t *testing.T) {
	o := newOperator(t)
	o.rpc("anvil_setBalance", o.account, "0x1")
	_, errs := o.contracts(exitBudget, "deploy", "--yes")
	if !strings.Contains(errs, "holds 0.000000000000000001 ether") || !strings.Contains(errs, "send it funds; nothing was sent") {
		t.Errorf("no funds: %s", errs)
	}
	if out, _ := o.contracts(0, "deploy", "--dry-run"); !strings.Contains(out, "-> the sender holds too little\n") {
		t.Errorf("dry run: %s", out)
	}
}

// TestContractsSafe: what a Safe sends from the file is what the log's owner would send itself.
func TestContractsSafe(t *testing.T) {
	o := newOperator(t)
	safe := proofs.Address{19: 0x5a}
	o.contracts(exitUsage, "deploy", "--safe", o.path("x.json"), "--owner", safe.String()) // who anchors?
	path := o.path("safe.json")
	o.contracts(0, "deploy", "--safe", path, "--owner", safe.String(), "--submitter", o.account.String())
	o.contracts(exitUsage, "deploy", "--safe", path, "--owner", safe.String(), "--submitter", o.account.String())
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file := decode[safeFile](t, string(b))
	log := proofs.LogID(safe, logSalt("main"))
	if file.Version != "1.0" || file.ChainID != "31337" || len(file.Transactions) != 2 || file.Meta.CreatedFromSafeAddress != common.Address(safe).Hex() {
		t.Errorf("%s", b)
	}
	if !strings.Contains(string(b), `"contractMethod": null`) || !strings.Contains(string(b), `"contractInputsValues": null`) {
		t.Errorf("the nulls are missing: %s", b)
	}
	sum := file.Meta.Checksum
	file.Meta.Checksum, file.Meta.Name = "", "renamed"
	if again, err := safeChecksum(file); err != nil || again != sum {
		t.Errorf("checksum %s, and %s without its own field and under another name; %v", sum, again, err)
	}
	file.Transactions[0].Data += "00"
	if other, _ := safeChecksum(file); other == sum {
		t.Error("the checksum does not cover the data")
	}
	// The Safe, played by anvil, sends them.
	o.rpc("anvil_setBalance", safe, "0xde0b6b3a7640000")
	o.rpc("anvil_impersonateAccount", safe)
	file = decode[safeFile](t, string(b))
	for _, tx := range file.Transactions {
		o.rpc("eth_sendTransaction", map[string]string{"from": safe.String(), "to": tx.To, "data": tx.Data, "gas": "0x2dc6c0"})
	}
	o.rpc("evm_mine")
	out, _ := o.contracts(0, "info", "--owner", safe.String(), "--json")
	info := decode[infoLine](t, out)
	if info.Log != log || *info.Owner != safe || *info.Submitter != o.account {
		t.Errorf("info: %s", out)
	}
	_, errs := o.contracts(exitAuth, "set-submitter", safe.String(), "--log", log.String(), "--yes")
	if !strings.Contains(errs, "--safe FILE") {
		t.Errorf("not the owner: %s", errs)
	}
	o.contracts(0, "set-submitter", proofs.Address{}.String(), "--log", log.String(), "--safe", o.path("stop.json"))
}

// TestSafeChecksum is the vector of the Transaction Builder's own test.
func TestSafeChecksum(t *testing.T) {
	const vector = `{"version":"1.0","chainId":"4","createdAt":1646321521061,"meta":{"name":"test batch file","txBuilderVersion":"1.4.0",
		"checksum":"","createdFromSafeAddress":"0xDF8a1Ce35c9a6ACE153B4e0767942f1E2291a1Aa","createdFromOwnerAddress":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"},
		"transactions":[{"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"0","contractMethod":{"inputs":[{"internalType":"address",
		"name":"paramAddress","type":"address"}],"name":"testAddress","payable":false},"contractInputsValues":{"paramAddress":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6"}},
		{"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"0","contractMethod":{"inputs":[{"internalType":"bool","name":"paramBool","type":"bool"}],
		"name":"testBool","payable":false},"contractInputsValues":{"paramAddress":"","paramBool":"false"}},
		{"to":"0x49d4450977E2c95362C13D3a31a09311E0Ea26A6","value":"2000000000000000000","data":"0x42f4579000000000000000000000000049d4450977e2c95362c13d3a31a09311e0ea26a6"}]}`
	const want = "0x86c81826dbf7e8a37612153294cc85fdf5c81998dd0a44b86d945502a7eace7c"
	v := decode[map[string]any](t, vector)
	delete(v["meta"].(map[string]any), "checksum") // as the builder does
	if got, err := safeChecksum(v); err != nil || got != want {
		t.Errorf("checksum %s, %v; want %s", got, err, want)
	}
}

// TestContractsChain takes nodes, chain id and owner from a chain file.
func TestContractsChain(t *testing.T) {
	o := newOperator(t)
	owner := proofs.Address{19: 0x0e}
	path := o.path("chain.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("chain_id: 31337\nrpc: [" + o.url + "]\nlog_owner: '" + owner.String() + "'\n")
	out, _ := o.want(proofs.Mismatch.Exit(), "", "contracts", "info", "--chain", path, "--json")
	if got := decode[infoLine](t, out); got.Log != proofs.LogID(owner, logSalt("main")) {
		t.Errorf("%s", out)
	}
	write("chain_id: 1\nrpc: [" + o.url + "]\n")
	_, errs := o.want(exitUsage, "", "contracts", "info", "--chain", path, "--owner", owner.String())
	if !strings.Contains(errs, "another chain") {
		t.Errorf("another chain: %s", errs)
	}
}
