package faulttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

const password = "correct horse"

// service is hansard serve as a process that is started again whenever it ends, as an init system does.
type service struct {
	*harness
	args   []string
	url    string
	client *client.Client
	log    *os.File // standard error of all processes

	mu       sync.Mutex // guards all below
	cmd      *exec.Cmd
	stopping bool
	starts   int
	ends     int // by itself
	done     chan struct{}

	taken    sync.WaitGroup // of the author's loop
	promises map[proofs.Hash]client.Accepted
	refused  []error // answers that are neither a promise nor a reason to try again
}

// binary is the program, once hansard has built it.
var binary = filepath.Join(os.TempDir(), fmt.Sprintf("hansard-faults-%d", os.Getpid()))

var hansard = sync.OnceValue(func() error {
	out, err := exec.Command("go", "build", "-o", binary, "../../cmd/hansard").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build hansard: %w: %s", err, out)
	}
	return nil
})

// newService starts the program on the harness's log, with flags beside those that it needs.
func (h *harness) newService(flags ...string) *service {
	h.Helper()
	if err := hansard(); err != nil {
		h.Fatal(err)
	}
	data := filepath.Join(h.dir, "data")
	keys := filepath.Join(data, "keys")
	writeKey(h.T, keys, "anchor", submitter)
	writeKey(h.T, keys, "promise", operator)
	file := filepath.Join(h.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		h.Fatal(err)
	}
	h.log.PromiseBond = bond.Address(h.log.AnchorLog) // the program's default
	addr := freeAddr(h.T)
	s := &service{harness: h, url: "http://" + addr, promises: map[proofs.Hash]client.Accepted{}, done: make(chan struct{})}
	s.args = append([]string{binary, "serve", "--data", data, "--listen", addr, "--password-file", file,
		"--account", "anchor", "--log-owner", rich.Address().String(), "--log-name", h.Name()}, flags...)
	for _, url := range h.urls {
		s.args = append(s.args, "--rpc", url)
	}
	var err error
	if s.client, err = client.New(s.url, &http.Client{Timeout: time.Minute}); err != nil {
		h.Fatal(err)
	}
	if s.log, err = os.Create(filepath.Join(h.ArtifactDir(), "stderr")); err != nil {
		h.Fatal(err)
	}
	h.Cleanup(func() { s.log.Close() })
	if err := s.start(); err != nil {
		h.Fatal(err)
	}
	go s.supervise()
	h.Cleanup(s.stopForGood)
	return s
}

// freeAddr returns an address that nobody listens at.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// writeKey stores the key under the name.
func writeKey(t *testing.T, dir, name string, k key) {
	t.Helper()
	file, err := keystore.EncryptKey(&keystore.Key{Id: uuid.New(), Address: common.Address(k.Address()), PrivateKey: k.private},
		password, keystore.LightScryptN, keystore.LightScryptP)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".json"), file, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// start starts a process. The caller owns s or holds mu.
func (s *service) start() error {
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	s.cmd.Stderr, s.cmd.Stdout = s.log, s.log
	s.starts++
	return s.cmd.Start()
}

// supervise starts the program again whenever it has ended.
func (s *service) supervise() {
	defer close(s.done)
	for {
		s.mu.Lock()
		cmd := s.cmd
		s.mu.Unlock()
		err := cmd.Wait()
		s.mu.Lock()
		if s.stopping {
			s.mu.Unlock()
			return
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() >= 0 {
			s.ends++
		}
		err = s.start()
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// kill sends SIGKILL to the process.
func (s *service) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmd.Process.Kill() //nolint:errcheck // it may just have ended
}

func (s *service) stopForGood() {
	s.mu.Lock()
	s.stopping = true
	s.cmd.Process.Kill() //nolint:errcheck // it may just have ended
	s.mu.Unlock()
	<-s.done
	if s.Failed() {
		s.Logf("the service's last words:\n%s", s.lastWords(60))
	}
}

// lastWords returns the newest lines of the processes' standard error.
func (s *service) lastWords(lines int) []byte {
	b, err := os.ReadFile(s.log.Name())
	if err != nil {
		return []byte(err.Error())
	}
	all := bytes.Split(b, []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], []byte("\n"))
}

// submit sends the n-th message until it is taken, or ctx ends.
func (s *service) submit(ctx context.Context, n int) {
	sub := newMessage(s.harness.log, n, time.Now())
	for ctx.Err() == nil {
		a, err := s.client.Submit(ctx, &proofs.Submission{Message: sub.Message, Evidence: sub.Evidence})
		var refused *client.Error
		switch {
		case err == nil:
			s.mu.Lock()
			if was, ok := s.promises[a.ID]; ok && was.Promise != a.Promise {
				s.refused = append(s.refused, fmt.Errorf("message %s: promised %+v, then %+v", a.ID, was.Promise, a.Promise))
			}
			s.promises[a.ID] = *a
			s.mu.Unlock()
			return
		case errors.As(err, &refused) && !refused.Retryable:
			s.mu.Lock()
			s.refused = append(s.refused, err)
			s.mu.Unlock()
			return
		}
		wait(ctx, 30*time.Millisecond)
	}
}

// author sends a message each period until stop, and some of them again.
func (s *service) author(period time.Duration) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	s.taken.Add(1)
	go func() {
		defer s.taken.Done()
		for n := 0; ctx.Err() == nil; n++ {
			s.submit(ctx, n)
			if n%7 == 0 {
				s.submit(ctx, n)
			}
			wait(ctx, period)
		}
	}()
	return func() { cancel(); s.taken.Wait() }
}

// wait waits, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// count returns how many messages were taken.
func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.promises)
}
