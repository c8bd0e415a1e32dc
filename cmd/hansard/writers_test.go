package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// outcome is how a service ended, and what it said.
type outcome struct {
	code int
	said string
}

// transcript is written by the service and read by the test.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serveAt runs a service over anvil with the data directory of that name and returns where it listens.
func (o *operator) serveAt(name string, more ...string) (url string, ended <-chan outcome, stop func()) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	args := append([]string{"hansard", "serve", "--rpc", o.url, "--data", o.path(name), "--password-file", o.path("password"),
		"--listen", "127.0.0.1:0", "--max-age", "200ms", "--promise", "1h"}, more...)
	var log transcript
	done := make(chan outcome, 1)
	go func() {
		code := run(ctx, args, strings.NewReader(""), io.Discard, &log)
		done <- outcome{code, log.String()}
	}()
	o.t.Cleanup(cancel)
	for range 600 {
		for line := range strings.Lines(log.String()) {
			if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "api" {
				return strings.TrimSuffix(fields[1], "/v1/info"), done, cancel
			}
		}
		select {
		case end := <-done:
			o.t.Fatalf("serve ended with %d: %s", end.code, end.said)
		case <-time.After(50 * time.Millisecond):
		}
	}
	o.t.Fatalf("the service did not say where it listens: %s", &log)
	return "", nil, nil
}

// newLog makes the keys of a data directory, and the log's on the chain.
func (o *operator) newLog(name string, keys ...string) (accounts []proofs.Address) {
	o.t.Helper()
	for _, key := range append(keys, "promise") {
		out, _ := o.want(0, "", "keys", "new", key, "--light", "-q", "--keystore", o.path(name, "keys"), "--password-file", o.path("password"))
		a := mustAddress(strings.TrimSpace(out))
		o.rpc("anvil_setBalance", a, "0xde0b6b3a7640000")
		accounts = append(accounts, a)
	}
	o.want(0, "", "contracts", "deploy", "--yes", "--rpc", o.url, "--account", keys[0], "--keystore", o.path(name, "keys"), "--password-file", o.path("password"))
	return accounts
}

// say sends a message and waits until it is final.
func (o *operator) say(url, words string) (file string) {
	o.t.Helper()
	file = o.path(proofs.Keccak([]byte(words)).String()[:10] + ".receipt.json")
	o.want(0, words, "send", "--room", "demo-dao", "--account", "anchor", "--keystore", o.path("keys"), "--password-file", o.path("password"),
		"--server", url, "--wait", "finalized", "-o", file)
	return file
}

// TestRotate replaces the submitter of a log under a running service that has both keys. No batch is
// missed, and the receipts of both keys verify.
func TestRotate(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	keys := o.newLog("data", "old", "new")
	url, ended, stop := o.serveAt("data", "--account", "old", "--account", "new")
	files := []string{o.say(url, "before")}
	o.want(0, "", "contracts", "set-submitter", keys[1].String(), "--yes", "--rpc", o.url, "--account", "old",
		"--keystore", o.path("data", "keys"), "--password-file", o.path("password"))
	files = append(files, o.say(url, "after"))
	for _, file := range files {
		block := readReceipt(t, file).Anchor.Block.Hash
		o.want(0, "", "verify", file, "--trust", o.path("data", "trust.json"), "--block-hash", block.String())
	}
	out, _ := o.want(0, "", "contracts", "info", "--rpc", o.url, "--owner", keys[0].String(), "--json")
	if !strings.Contains(out, fmt.Sprintf("%q", keys[1])) {
		t.Errorf("the submitter is another: %s", out)
	}
	stop()
	if end := <-ended; end.code != exitInterrupted && end.code != 0 {
		t.Errorf("serve ended with %+v", end)
	}
	_, errs := o.want(exitUsage, "", "serve", "--rpc", o.url, "--data", o.path("data"), "--password-file", o.path("password"),
		"--account", "new", "--listen", "127.0.0.1:0")
	if !strings.Contains(errs, "--log-owner") {
		t.Errorf("the new key alone: %s", errs)
	}
	url, _, _ = o.serveAt("data", "--account", "new", "--log-owner", keys[0].String())
	o.say(url, "alone")
}

// TestTwoServices runs a second service on the log of the first, with the same keys and a store of its own.
// The second stops as soon as the first has anchored, says why, and the first goes on.
func TestTwoServices(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	o.newLog("first", "old")
	if err := os.CopyFS(o.path("second"), os.DirFS(o.path("first"))); err != nil {
		t.Fatal(err)
	}
	second, ended, _ := o.serveAt("second", "--account", "old", "--max-age", "10s")
	o.want(0, "mine", "send", "--room", "demo-dao", "--account", "anchor", "--keystore", o.path("keys"), "--password-file", o.path("password"),
		"--server", second, "-o", o.path("lost.receipt.json"))
	first, _, _ := o.serveAt("first", "--account", "old")
	o.say(first, "first")
	select {
	case end := <-ended:
		if end.code != exitConflict || !strings.Contains(end.said, "service writes to th") {
			t.Errorf("the second ended with %+v", end)
		}
	case <-time.After(time.Minute):
		t.Fatal("the second goes on")
	}
	o.say(first, "and goes on")
}

func (s *serviceTest) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}
