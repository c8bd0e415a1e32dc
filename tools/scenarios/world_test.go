package scenarios

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

const password = "correct horse"

// exitUsage is the exit code of what was refused before anything was sent.
const exitUsage = 2

// exitRetry is that of what may be tried again later.
const exitRetry = 22

// builds is where the programs are.
var builds string

func TestMain(m *testing.M) {
	var err error
	if builds, err = os.MkdirTemp("", "hansard-scenarios"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(builds) //nolint:errcheck // of the system's temporary files
	os.Exit(code)
}

// The program as it is shipped, and the one that breaks promises.
var (
	honest = sync.OnceValues(func() (string, error) { return build("honest") })
	faulty = sync.OnceValues(func() (string, error) { return build("faulty") })
)

func build(tag string) (string, error) {
	path := filepath.Join(builds, tag)
	out, err := exec.Command("go", "build", "-tags", tag, "-o", path, "../../cmd/hansard").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build hansard: %w: %s", err, out)
	}
	return path, nil
}

func program(t *testing.T, get func() (string, error)) string {
	t.Helper()
	path, err := get()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// world is a chain with an operator and users.
type world struct {
	*testing.T
	dir     string
	hansard string // the program of everybody but the operator
	anvil   *anvil
	eth     *ethclient.Client
	log     proofs.Chain
	keys    map[string]*identity.Key // by the name of who has them
	service *service
}

// bondAmount is what the operator stakes.
var bondAmount = ether(10)

func ether(n int64) *big.Int { return new(big.Int).Mul(big.NewInt(n), big.NewInt(1e18)) }

// newWorld has an operator with an open log and a live bond. operator runs its service.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, dir: t.TempDir(), hansard: program(t, honest), anvil: newAnvil(t), keys: map[string]*identity.Key{}}
	w.eth = w.anvil.eth
	if err := os.WriteFile(w.path("password"), []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anchor", "promise"} {
		w.newKey("operator", name)
	}
	w.newUser("alice")
	w.newUser("bob")
	w.setUp()
	return w
}

func (w *world) path(elem ...string) string {
	return filepath.Join(append([]string{w.dir}, elem...)...)
}

// newUser makes a directory with nothing in it but a key, which has ether.
func (w *world) newUser(name string) { w.newKey(name, name) }

// newKey makes a key of that name in the keystore of who, and gives its account ether.
func (w *world) newKey(who, name string) {
	w.Helper()
	key, err := identity.Keystore{Dir: w.path(who, "keys"), Light: true}.New(name, password)
	if err != nil {
		w.Fatal(err)
	}
	w.keys[name] = key
	w.anvil.setBalance(key.Address(), ether(100))
}

// run runs the program in the directory of who and wants the exit code.
func (w *world) run(want int, who, stdin string, args ...string) (stdout, stderr string) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, w.hansard, args...)
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = w.path(who), strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		w.Fatalf("%s: hansard %s: exit %d, want %d\n%s%s", who, strings.Join(args, " "), got, want, &out, &errs)
	}
	return out.String(), errs.String()
}

// spend runs a command that sends transactions from the account of that name.
func (w *world) spend(want int, who, account string, args ...string) (stdout, stderr string) {
	w.Helper()
	return w.run(want, who, "", append(args, "--rpc", w.anvil.url, "--account", account, "--keystore", "keys",
		"--password-file", w.path("password"), "--yes")...)
}

// decode reads one JSON object.
func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// eventually waits until done, and fails after a minute.
func (w *world) eventually(what string, done func() bool) {
	w.Helper()
	late := time.After(time.Minute)
	for !done() {
		select {
		case <-late:
			w.Fatalf("a minute passed before %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// service is hansard serve as a process.
type service struct {
	*world
	url  string
	cmd  *exec.Cmd
	log  bytes.Buffer // its standard error; read after done
	done chan struct{}
}

// serve starts the operator's service. fault is what it is told to do wrong.
func (w *world) serve(binary, fault string, flags ...string) {
	w.Helper()
	s := &service{world: w, done: make(chan struct{})}
	s.cmd = exec.Command(binary, append([]string{"serve", "--data", w.path("operator"), "--listen", "127.0.0.1:0",
		"--password-file", w.path("password"), "--rpc", w.anvil.url, "--account", "anchor", "--max-age", "200ms"}, flags...)...)
	s.cmd.Env = append(os.Environ(), "HANSARD_FAULT="+fault)
	errs, err := s.cmd.StderrPipe()
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		w.Fatal(err)
	}
	lines := bufio.NewScanner(io.TeeReader(errs, &s.log))
	for s.url == "" && lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "api" {
			s.url = strings.TrimSuffix(fields[1], "/v1/info")
		}
	}
	url := s.url
	go func() {
		for lines.Scan() {
		}
		s.cmd.Wait() //nolint:errcheck // it is killed
		close(s.done)
	}()
	w.service = s
	w.Cleanup(func() {
		s.kill()
		if w.Failed() {
			lines := strings.SplitAfter(s.log.String(), "\n")
			w.Logf("the service's last words:\n%s", strings.Join(lines[max(0, len(lines)-30):], ""))
		}
	})
	if url == "" {
		<-s.done
		w.Fatalf("the service ended at its start")
	}
}

// kill sends SIGKILL and waits until the process is gone.
func (s *service) kill() {
	s.cmd.Process.Kill() //nolint:errcheck // it may have ended
	<-s.done
}

// send has the user speak and keep the promise's file, whose name it returns.
func (w *world) send(user, words string, flags ...string) (file string) {
	w.Helper()
	file = fmt.Sprintf("%x.receipt.json", proofs.Keccak([]byte(words)).String()[2:10])
	w.run(0, user, words, append([]string{"send", "--room", "demo-dao", "--account", user, "--keystore", "keys", "--server", w.service.url,
		"--password-file", w.path("password"), "--trust", w.path("operator", "trust.json"), "-o", file}, flags...)...)
	return file
}

// anvil is Foundry's node as a process. It mines each transaction at once.
type anvil struct {
	t     *testing.T
	url   string
	eth   *ethclient.Client
	shift time.Duration // of its clock
}

func newAnvil(t *testing.T) *anvil {
	t.Helper()
	program, err := filepath.Abs("../../node_modules/.bin/anvil")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--port", "0", "--slots-in-an-epoch", "1")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("start anvil (npm ci installs it): %v", err)
	}
	a := &anvil{t: t}
	lines := bufio.NewScanner(out)
	for a.url == "" && lines.Scan() {
		if addr, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			a.url = "http://" + addr
		}
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
	if a.url == "" {
		t.Fatalf("anvil did not say where it listens: %v", lines.Err())
	}
	if a.eth, err = ethclient.DialContext(t.Context(), a.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.eth.Close)
	return a
}

func (a *anvil) call(method string, params ...any) {
	a.t.Helper()
	if err := a.eth.Client().CallContext(context.Background(), nil, method, params...); err != nil {
		a.t.Fatalf("%s: %v", method, err)
	}
}

func (a *anvil) setBalance(to proofs.Address, wei *big.Int) {
	a.t.Helper()
	a.call("anvil_setBalance", to.String(), hexutil.EncodeBig(wei))
}

// mine makes blocks: what was in a block before is finalized after three.
func (a *anvil) mine(blocks int) {
	a.t.Helper()
	a.call("anvil_mine", hexutil.EncodeUint64(uint64(blocks)))
}

// pass lets so much time pass on the chain.
func (a *anvil) pass(d time.Duration) {
	a.t.Helper()
	a.shift += d
	a.call("evm_increaseTime", uint64(d/time.Second))
	a.mine(3)
}

// rollback takes the newest blocks away. Time goes on.
func (a *anvil) rollback(blocks uint64) {
	a.t.Helper()
	a.call("anvil_rollback", blocks)
	a.call("evm_setTime", time.Now().Add(a.shift).Unix())
	a.mine(1)
}
