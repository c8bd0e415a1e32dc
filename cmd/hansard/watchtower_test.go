package main

import (
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
)

// TestBlocks reads a batch of a real service from its /ipfs route: as anybody with an HTTP client can, and as a
// watchtower does.
func TestBlocks(t *testing.T) {
	s := startService(t)
	file := s.path("a.receipt.json")
	s.send(0, s.url, "hello", "--trust", s.trust, "-o", file, "--wait", "finalized")
	b := readReceipt(t, file).Batch
	resp, err := http.Get(s.url + "/ipfs/" + proofs.FormatCID(b.CID) + "?format=raw")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	block, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 || sha256.Sum256(block) != b.CID {
		t.Fatalf("status %d, %d bytes, %v", resp.StatusCode, len(block), err)
	}
	h := resp.Header
	if h.Get("Access-Control-Allow-Origin") != "*" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Cache-Control"), "immutable") ||
		h.Get("Content-Type") != "application/vnd.ipld.raw" {
		t.Errorf("headers %v", h)
	}
	for _, c := range []struct{ method, path string }{{"POST", "/ipfs/" + proofs.FormatCID(b.CID)}, {"GET", "/ipns/example.org"}, {"GET", "/ipfs/" + proofs.FormatCID(proofs.Hash{1}) + "?format=raw"}} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, s.url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 404 {
			t.Errorf("%s %s: status %d", c.method, c.path, resp.StatusCode)
		}
	}
	g, err := gateway.New([]string{s.url}, nil)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := payload.ReadLeaves(t.Context(), g, *b)
	if e := readReceipt(t, file).Entry; err != nil || leaves[e.Index-b.First] != e.Leaf() {
		t.Errorf("%d leaves, %v", len(leaves), err)
	}
}

// bonded makes a log with a live bond and a promise key.
func (o *operator) bonded() (proofs.Chain, *identity.Key) {
	o.t.Helper()
	key, err := identity.GenerateKey()
	if err != nil {
		o.t.Fatal(err)
	}
	o.contracts(0, "deploy", "--yes")
	o.bond(0, "deploy", "--yes")
	o.bond(0, "fund", "0.5", "--yes")
	o.bond(0, "add-key", key.Address().String(), "--yes")
	log := proofs.Chain{ChainID: 31337, AnchorLog: anchor.ContractAddress(), Log: proofs.LogID(o.account, logSalt("main"))}
	log.PromiseBond = bond.Address(log.AnchorLog)
	return log, key
}

// promised writes a receipt with a promise for index 0, due in that time by anvil's clock.
func (o *operator) promised(path string, log proofs.Chain, key *identity.Key, due time.Duration) {
	o.t.Helper()
	h, err := o.client.HeaderByNumber(o.t.Context(), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	e := proofs.Entry{Log: log.Log, Room: proofs.Hash{1}, Message: proofs.Hash{2}, Author: proofs.Hash{3}, Vouch: proofs.VouchAuthor, Evidence: proofs.Hash{4}}
	p := proofs.Promise{Log: log.Log, Leaf: e.Leaf(), Deadline: h.Time + uint64(due/time.Second), Beneficiary: proofs.Address{19: 1}}
	if p.Signature, err = key.SignDigest(bond.PromiseID(log, &p)); err != nil {
		o.t.Fatal(err)
	}
	file := (&proofs.Receipt{Level: proofs.Promised, Chain: log, Entry: e, Promise: &p}).Format()
	if err = os.MkdirAll(filepath.Dir(path), 0o755); err == nil {
		err = os.WriteFile(path, file, 0o644)
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// TestWatchtower follows a promise from its file to a slashed bond.
func TestWatchtower(t *testing.T) {
	o := newOperator(t)
	log, key := o.bonded()
	dir := o.path("promises")
	watch := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		return o.want(code, "", append([]string{"watchtower", "--promises", dir, "--rpc", o.url, "--confirmations", "1", "--once",
			"--keystore", o.path("keys"), "--password-file", o.path("password")}, args...)...)
	}
	_, errs := watch(exitUsage)
	says(t, "no directory", errs, "promises", "no such file")
	o.promised(filepath.Join(dir, "a.receipt.json"), log, key, time.Hour)
	out, errs := watch(0)
	says(t, "open", out, "promise open  index 0", "1 promises: 0 kept, 1 open, 0 broken, 0 undetermined\n")
	says(t, "open", errs, "--trust FILE", "--gateway")
	for _, args := range [][]string{{"--challenge"}, {"--slash"}, {"--challenge", "--trust", o.trustFile(log, key)}, {"--gateway", "ipfs.example"}, {"--every", "0s"}, {"--patience", "-1s"}, {"file"}, {"--slash", "--trust", o.trustFile(log, key), "--max-cost", "x"}} {
		watch(exitUsage, args...)
	}
	o.want(exitUsage, "", "watchtower", "--promises", dir, "--once")
	_, errs = o.want(exitUsage, "", "watchtower", "--rpc", o.url, "--once")
	says(t, "without promises", errs, "--promises DIR")
	o.want(exitUnreachable, "", "watchtower", "--promises", dir, "--once", "--rpc", "http://127.0.0.1:1")

	o.after(2 * time.Hour)
	o.after(time.Second)
	out, _ = watch(proofs.PromiseBroken.Exit(), "--json")
	var evidence string
	var kinds []string
	for line := range strings.Lines(out) {
		l := decode[towerLine](t, line)
		kinds = append(kinds, l.Kind)
		if _, err := time.Parse(time.RFC3339, l.Time); err != nil || l.Schema != towerSchema {
			t.Errorf("%s: %v", line, err)
		}
		if l.Kind == "evidence" {
			evidence = l.File
		}
	}
	if got := strings.Join(kinds, " "); got != "log bond promise evidence summary" || filepath.Dir(evidence) != filepath.Join(dir, "evidence") {
		t.Errorf("events %s, evidence %q", got, evidence)
	}
	out, _ = o.want(proofs.Undetermined.Exit(), "", "verify", evidence)
	says(t, "verify", out, "missed")

	out, _ = watch(proofs.PromiseBroken.Exit(), "--slash", "--trust", o.trustFile(log, key), "--max-cost", "1 gwei")
	if strings.Contains(out, "sent slash") {
		t.Errorf("sent over the cap: %s", out)
	}
	out, _ = watch(proofs.PromiseBroken.Exit(), "--slash", "--trust", o.trustFile(log, key))
	says(t, "slash", out, "PROMISE BROKEN (missed)  index 0", "sent slash", "1 broken")
	info, _ := o.bond(0, "info")
	says(t, "info", info, "slashed")
}

func (o *operator) trustFile(log proofs.Chain, key *identity.Key) string {
	o.t.Helper()
	path := o.path("trust.json")
	trust := proofs.Trust{Logs: []proofs.TrustedLog{{Name: "test", Chain: log, PromiseKeys: []proofs.Address{key.Address()}}}}
	if err := os.WriteFile(path, trust.Format(), 0o644); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// TestWatchtowerRuns takes files while it runs, and ends when it is told to.
func TestWatchtowerRuns(t *testing.T) {
	o := newOperator(t)
	log, key := o.bonded()
	dir := o.path("promises")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"hansard", "watchtower", "--promises", dir, "--rpc", o.url, "--every", "50ms", "--json"}, strings.NewReader(""), w, io.Discard)
		w.Close()
	}()
	o.promised(filepath.Join(dir, "later", "a.receipt.json"), log, key, time.Hour)
	out := make([]byte, 0, 1<<16)
	for !strings.Contains(string(out), `"outcome":"open"`) {
		part := make([]byte, 4096)
		n, err := r.Read(part)
		if out = append(out, part[:n]...); err != nil {
			t.Fatalf("%v after %s", err, out)
		}
	}
	cancel()
	go io.Copy(io.Discard, r)
	if code := <-done; code != 0 {
		t.Errorf("ended with %d", code)
	}
}
