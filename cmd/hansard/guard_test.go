package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/signer"
)

// ownerDoes runs a command of the owner of the log in the data directory of that name.
func (o *operator) ownerDoes(name, account string, args ...string) {
	o.t.Helper()
	o.want(0, "", append(args, "--yes", "--rpc", o.url, "--account", account, "--keystore", o.path(name, "keys"), "--password-file", o.path("password"))...)
}

// until asks the service for a path until the answer holds the text.
func (o *operator) until(url, path, text string) {
	o.t.Helper()
	var said string
	for range 600 {
		resp, err := http.Get(url + path)
		if err != nil {
			o.t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if said = string(b); err == nil && strings.Contains(said, text) {
			return
		}
		<-time.After(50 * time.Millisecond)
	}
	o.t.Fatalf("%s never says %q: %s", path, text, said)
}

// sendTo sends words to the service and wants the exit code.
func (o *operator) sendTo(code int, url, words string, more ...string) (stderr string) {
	o.t.Helper()
	_, stderr = o.want(code, words, append([]string{"send", "--room", "demo-dao", "--account", "anchor", "--keystore", o.path("keys"),
		"--password-file", o.path("password"), "--server", url}, more...)...)
	return stderr
}

// TestServiceAnswers: a promise is challenged while the service is down. Once it is up it answers by itself, and promises
// nothing while its clock is not the chain's.
func TestServiceAnswers(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	keys := o.newLog("data", "old", "helper")
	o.ownerDoes("data", "old", "bond", "deploy")
	o.ownerDoes("data", "old", "bond", "fund", "0.1")
	o.ownerDoes("data", "old", "bond", "add-key", keys[2].String())
	url, ended, stop := o.serveAt("data", "--account", "old")
	rc := readReceipt(t, o.say(url, "kept"))
	stop()
	<-ended

	o.after(2 * time.Hour)
	key, err := identity.Keystore{Dir: o.path("keys")}.Unlock("anchor", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	q, err := nodes.Dial(t.Context(), []string{o.url}, nodes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	w := anchor.Wallet{Nodes: q, ChainID: rc.Chain.ChainID, Signer: signer.FromKey(key), Poll: 50 * time.Millisecond}
	if err := w.Do(t.Context(), []anchor.Planned{bond.PlanChallenge(rc.Chain, rc.Promise)}, nil, func(anchor.Planned, *anchor.Paid) {}); err != nil {
		t.Fatal(err)
	}

	url, _, _ = o.serveAt("data", "--account", "old", "--answer-account", "keystore:helper")
	o.until(url, "/metrics", "hansard_challenges_answered_total 1")
	s, err := bond.Read(t.Context(), q, rc.Chain)
	if err != nil || s.Open != 0 || s.Broken {
		t.Errorf("the bond after the answer: %+v, %v", s, err)
	}
	if credit, err := bond.Credits(t.Context(), q, rc.Chain, s.Block.Hash, keys[1]); err != nil || credit.Cmp(bond.Deposit()) != 0 {
		t.Errorf("the account that answered is credited %s, %v", credit, err)
	}

	o.until(url, "/metrics", `hansard_refusing{code="clock"} 1`)
	says(t, "send", o.sendTo(exitLimited, url, "too soon", "-o", o.path("none")), "ahead of the service's clock", "try again in 1m0s", "cannot_promise")
}

// TestServiceRefuses: while the account is poor and a promise is due, nothing new is promised; then it is.
func TestServiceRefuses(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	keys := o.newLog("data", "old")
	url, _, _ := o.serveAt("data", "--account", "old", "--promise", "6s")
	o.rpc("anvil_setBalance", keys[0], "0x1")
	o.sendTo(0, url, "first", "-o", o.path("first.receipt.json"))
	o.until(url, "/v1/info", `"code":"at_risk"`)
	says(t, "send", o.sendTo(exitLimited, url, "second", "-o", o.path("none")), "promises that were given are", "(funds)", "try again in 1")
	o.rpc("anvil_setBalance", keys[0], "0xde0b6b3a7640000")
	o.until(url, "/metrics", `hansard_refusing{code="at_risk"} 0`)
	o.sendTo(0, url, "second", "-o", o.path("second.receipt.json"))
}

// TestAnswerFlags: what cannot be meant is refused before a node is asked.
func TestAnswerFlags(t *testing.T) {
	s := &serviceTest{t: t, dir: t.TempDir()}
	if err := os.WriteFile(s.path("password"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(0, "", "keys", "new", "old", "--light", "-q", "--keystore", s.path("data", "keys"), "--password-file", s.path("password"))
	for flag, text := range map[string]string{
		"--answer-cap=much": "--answer-cap: ", "--answer-cap=0": "costs the bond", "--answer-account=nokey": "--answer-account: ", "--answer-account=env:X": "unsafe-env-key",
	} {
		args := []string{"serve", "--rpc", "http://127.0.0.1:1", "--data", s.path("data"), "--account", "old", "--password-file", s.path("password"), "--listen", "127.0.0.1:0"}
		if _, errs := s.want(exitUsage, "", append(args, flag)...); !strings.Contains(errs, text) {
			t.Errorf("%s: no %q in %s", flag, text, errs)
		}
	}
}

// unwilling is a log that cannot promise for a while.
type unwilling struct {
	importLog
	errs []error
	took [][]batcher.Submission
}

func (u *unwilling) Submit(_ context.Context, subs []batcher.Submission) (err error) {
	if len(u.errs) > 0 {
		err, u.errs = u.errs[0], u.errs[1:]
		return err
	}
	u.took = append(u.took, subs)
	return nil
}

// TestImportWaits: an import waits while nothing can be promised, as long as it is told, and ends with any other error.
func TestImportWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := &batcher.BusyError{Code: batcher.CannotPromise, Reason: "promises are due", RetryAfter: 90 * time.Second}
		answer := &client.Error{Status: 503, Code: "cannot_promise", Detail: "not now", RetryAfter: time.Hour}
		log, began := &unwilling{errs: []error{busy, fmt.Errorf("submit: %w", answer)}}, time.Now()
		var said bytes.Buffer
		subs := make([]batcher.Submission, 3)
		if err := submitAll(t.Context(), &said, log, subs); err != nil || len(log.took) != 1 || len(log.took[0]) != 3 {
			t.Errorf("took %d, %v", len(log.took), err)
		}
		if took := time.Since(began); took != time.Hour+90*time.Second {
			t.Errorf("waited %s", took)
		}
		says(t, "waiting", said.String(), "waiting 1m30s: message not taken: promises are due", "waiting 1h0m0s: submit: not now")
		other := errors.New("other")
		for _, err := range []error{other, &batcher.BusyError{RetryAfter: time.Second}} {
			if got := submitAll(t.Context(), &said, &unwilling{errs: []error{err}}, subs); got != err {
				t.Errorf("got %v, want %v", got, err)
			}
		}
	})
}
