//go:build clef

package signer_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// realClef is the clef command, which tools/clef pins and HANSARD_CLEF names, with folders of its own, one key and
// no terminal.
type realClef struct {
	t       *testing.T
	bin     string
	dir     string
	key     *identity.Key
	process *exec.Cmd
	stdin   io.WriteCloser
	mu      sync.Mutex
	out     strings.Builder // guarded by mu
}

func newClef(t *testing.T) *realClef {
	c := &realClef{t: t, bin: os.Getenv("HANSARD_CLEF"), dir: t.TempDir()}
	if c.bin == "" {
		t.Fatal("HANSARD_CLEF names no clef command; build it in tools/clef")
	}
	var err error
	store := identity.Keystore{Dir: filepath.Join(c.dir, "keystore"), Light: true}
	if c.key, err = store.New("anchor", "secret of the key"); err != nil {
		t.Fatal(err)
	}
	c.run("master secret\nmaster secret\n", "--lightkdf", "init")
	c.run("secret of the key\nsecret of the key\nmaster secret\n", "setpw", c.key.Address().String())
	return c
}

func (c *realClef) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), c.bin, append([]string{"--suppress-bootwarn", "--configdir", filepath.Join(c.dir, "clef")}, args...)...)
	cmd.Dir, cmd.Env = c.dir, []string{"HOME=" + c.dir}
	return cmd
}

// run runs one command to its end.
func (c *realClef) run(stdin string, args ...string) {
	c.t.Helper()
	cmd := c.command(args...)
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("clef %s: %v\n%s", args, err, out)
	}
}

// attest stores the rule and says that it is the one.
func (c *realClef) attest(rule string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, "rules.js"), []byte(rule), 0o600); err != nil {
		c.t.Fatal(err)
	}
	h := sha256.Sum256([]byte(rule))
	c.run("master secret\n", "attest", hex.EncodeToString(h[:]))
}

// start runs Clef until stop and returns where it listens: a path, or a URL with --http.
func (c *realClef) start(args ...string) (at string) {
	c.t.Helper()
	c.process = c.command(append([]string{
		"--keystore", filepath.Join(c.dir, "keystore"), "--chainid", chainID.String(), "--nousb", "--lightkdf",
		"--rules", filepath.Join(c.dir, "rules.js"),
	}, args...)...)
	var err error
	if c.stdin, err = c.process.StdinPipe(); err != nil {
		c.t.Fatal(err)
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.process.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.stop)
	if _, err := io.WriteString(c.stdin, "master secret\n"); err != nil {
		c.t.Fatal(err)
	}
	opened := regexp.MustCompile(`(?:IPC|HTTP) endpoint opened +url=(\S+)`)
	lines := bufio.NewScanner(out)
	for at == "" && lines.Scan() {
		c.note(lines.Text())
		if m := opened.FindStringSubmatch(lines.Text()); m != nil {
			at = m[1]
		}
	}
	if at == "" {
		c.t.Fatalf("clef opens nothing:\n%s", c.said())
	}
	go func() {
		for lines.Scan() {
			c.note(lines.Text())
		}
	}()
	return at
}

func (c *realClef) note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(&c.out, line)
}

func (c *realClef) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

func (c *realClef) stop() {
	if c.process != nil {
		c.process.Process.Kill()
		c.process.Wait()
		c.process = nil
	}
}

func (c *realClef) open(at string, opts signer.Options) signer.Signer {
	c.t.Helper()
	s, err := signer.Open(c.t.Context(), fmt.Sprintf("clef:%s?address=%s", at, c.key.Address()), opts)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// documented returns the rule of docs/keys.md and the log that it is for.
func documented(t *testing.T) (rule string, log proofs.Hash) {
	t.Helper()
	page, err := os.ReadFile("../docs/keys.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 1 {
		t.Fatalf("docs/keys.md has %d rules, want one", len(blocks))
	}
	rule = string(blocks[0][1])
	m := regexp.MustCompile(`var LOG = "(0x[0-9a-f]{64})"`).FindStringSubmatch(rule)
	if m == nil {
		t.Fatal("the rule names no log")
	}
	if log, err = proofs.ParseHash(m[1]); err != nil {
		t.Fatal(err)
	}
	return rule, log
}

// anchorLog returns what makes calldata for AnchorLog, and its functions' signatures.
func anchorLog(t *testing.T) (call func(name string, args ...any) []byte, methods []string) {
	t.Helper()
	contract, err := abi.JSON(strings.NewReader(bindings.AnchorLogMetaData.ABI))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range contract.Methods {
		methods = append(methods, m.Sig)
	}
	return func(name string, args ...any) []byte {
		t.Helper()
		data, err := contract.Pack(name, args...)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}, methods
}

// TestClef: the rule of docs/keys.md lets one call through and nothing else, and each refusal says what to do.
func TestClef(t *testing.T) {
	rule, log := documented(t)
	call, methods := anchorLog(t)
	c := newClef(t)
	c.attest(rule)
	at := c.start()
	s := c.open(at, signer.Options{Methods: methods})
	if err := signer.Check(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if only, err := signer.Open(t.Context(), "clef:"+at, signer.Options{}); err != nil || only.Address() != c.key.Address() {
		t.Errorf("its only account is %v, %v", only, err)
	}
	data := call("anchor", [32]byte(log), big.NewInt(3), [32]byte{1}, big.NewInt(1000), [32]byte{2})
	ours := func(change func(*types.DynamicFeeTx)) *types.Transaction {
		return dynamic(func(d *types.DynamicFeeTx) {
			to := common.Address(anchor.ContractAddress())
			d.To, d.Data, d.Gas, d.GasFeeCap = &to, append([]byte(nil), data...), 250_000, big.NewInt(300e9)
			if change != nil {
				change(d)
			}
		})
	}
	checkSigned(t, "anchor", s, ours(nil))
	checkSigned(t, "with an access list", s, ours(func(d *types.DynamicFeeTx) { d.AccessList = types.AccessList{{Address: *d.To}} }))
	to := common.Address(anchor.ContractAddress())
	for name, tx := range map[string]*types.Transaction{
		"other contract": ours(func(d *types.DynamicFeeTx) { d.To = &common.Address{1} }),
		"other log":      ours(func(d *types.DynamicFeeTx) { d.Data[35] ^= 1 }),
		"other function": ours(func(d *types.DynamicFeeTx) { d.Data = call("setSubmitter", [32]byte(log), common.Address{1}) }),
		"value":          ours(func(d *types.DynamicFeeTx) { d.Value = big.NewInt(1) }),
		"gas":            ours(func(d *types.DynamicFeeTx) { d.Gas++ }),
		"price":          ours(func(d *types.DynamicFeeTx) { d.GasFeeCap = big.NewInt(300e9 + 1) }),
		"transfer":       ours(func(d *types.DynamicFeeTx) { d.Data = nil }),
		"legacy":         types.NewTx(&types.LegacyTx{To: &to, Gas: 100_000, GasPrice: big.NewInt(1e9), Data: data}),
		"creation":       ours(func(d *types.DynamicFeeTx) { d.To, d.Data = nil, make([]byte, 64) }),
	} {
		refused(t, name, s, tx, chainID, "the person at Clef or its rule said no")
	}
	refused(t, "unknown call", s, ours(func(d *types.DynamicFeeTx) { d.Data[0] ^= 1 }), chainID, "not know the call, or not in this form")
	refused(t, "longer", s, ours(func(d *types.DynamicFeeTx) { d.Data = append(d.Data, make([]byte, 32)...) }), chainID, "not know the call, or not in this form")
	one := big.NewInt(1)
	refused(t, "other chain", s, ours(func(d *types.DynamicFeeTx) { d.ChainID = one }), one, "start Clef with the --chainid of this chain")
	stranger, err := signer.Open(t.Context(), "clef:"+at+"?address="+keyOf(t, testKey).Address().String(), signer.Options{Methods: methods})
	if err != nil {
		t.Fatal(err)
	}
	refused(t, "other account", stranger, ours(nil), chainID, "no key of this address")
	c.stop()
	if _, err := s.SignTx(t.Context(), ours(nil), chainID); !errors.Is(err, signer.ErrUnanswered) {
		t.Errorf("a Clef that is gone: %v", err)
	}
	c.start()
	checkSigned(t, "after a restart", s, ours(nil))
	if t.Failed() {
		t.Log(c.said())
	}
}

func refused(t *testing.T, name string, s signer.Signer, tx *types.Transaction, chain *big.Int, want string) {
	t.Helper()
	got, err := s.SignTx(t.Context(), tx, chain)
	if got != nil || !errors.Is(err, signer.ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, %v, want %q", name, got, err, want)
	}
}

// TestClefWaits: without a rule a person decides. The request is given up and made again.
func TestClefWaits(t *testing.T) {
	call, methods := anchorLog(t)
	c := newClef(t)
	at := c.start("--http", "--http.port", "0", "--ipcdisable")
	if !strings.HasPrefix(at, "http://") {
		t.Fatalf("clef listens at %s", at)
	}
	tx := dynamic(func(d *types.DynamicFeeTx) { d.Data = call("setSubmitter", [32]byte{1}, common.Address{1}) })
	hasty := c.open(at, signer.Options{Methods: methods, Timeout: 200 * time.Millisecond})
	if _, err := hasty.SignTx(t.Context(), tx, chainID); !errors.Is(err, signer.ErrUnanswered) || !strings.Contains(err.Error(), "waits for a person") {
		t.Errorf("nobody answers: %v", err)
	}
	s := c.open(at, signer.Options{Methods: methods})
	// The first answer is to the request that was given up: Clef still asks about it.
	if _, err := io.WriteString(c.stdin, "n\ny\nn\n"); err != nil {
		t.Fatal(err)
	}
	checkSigned(t, "approved", s, tx)
	refused(t, "declined", s, tx, chainID, "the person at Clef or its rule said no")
}
