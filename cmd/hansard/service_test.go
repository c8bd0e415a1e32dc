package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// serviceTest is a service of this process with a key to speak to it.
type serviceTest struct {
	t     *testing.T
	dir   string
	url   string
	trust string
	stop  func() // ends the service
}

// startService runs hansard serve --dev until the test ends.
func startService(t *testing.T) *serviceTest {
	dir := t.TempDir()
	s := &serviceTest{t: t, dir: dir, trust: filepath.Join(dir, "data", "trust.json")}
	_, s.stop = s.serve()
	if err := os.WriteFile(s.path("password"), []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(0, "", "keys", "new", "alice", "--light", "--keystore", s.path("keys"), "--password-file", s.path("password"))
	return s
}

// serve runs the service until the test ends or stop is called. logs has the first lines that it logs.
func (s *serviceTest) serve(more ...string) (logs <-chan string, stop func()) {
	t := s.t
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		args := append([]string{"hansard", "serve", "--dev", "--data", s.path("data"), "--listen", "127.0.0.1:0", "--max-age", "200ms"}, more...)
		code := run(ctx, args, strings.NewReader(""), io.Discard, w)
		w.Close()
		done <- code
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ended with %d", code)
		}
	})
	t.Cleanup(stop)
	lines := bufio.NewScanner(r)
	for s.url = ""; s.url == "" && lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) == 2 && fields[0] == "api" {
			s.url = strings.TrimSuffix(fields[1], "/v1/info")
		}
	}
	if s.url == "" {
		t.Fatal("the service did not say where it listens")
	}
	logged := make(chan string, 1000)
	go func() {
		for lines.Scan() {
			select {
			case logged <- lines.Text():
			default:
			}
		}
		close(logged)
	}()
	return logged, stop
}

// want runs the program with the input and wants the exit code.
func (s *serviceTest) want(code int, stdin string, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	if got := run(s.t.Context(), append([]string{"hansard"}, args...), strings.NewReader(stdin), &out, &errs); got != code {
		s.t.Fatalf("%q: exit %d, want %d; stdout %s, stderr %s", args, got, code, &out, &errs)
	}
	return out.String(), errs.String()
}

// send sends words as alice to the service at url.
func (s *serviceTest) send(code int, url, words string, more ...string) (stdout, stderr string) {
	s.t.Helper()
	return s.want(code, words, append([]string{"send", "--room", "demo-dao", "--account", "alice", "--keystore", s.path("keys"),
		"--password-file", s.path("password"), "--server", url}, more...)...)
}

func decode[T any](t *testing.T, line string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &v); err != nil {
		t.Fatalf("%v in %q", err, line)
	}
	return v
}

func TestService(t *testing.T) {
	s := startService(t)
	file := s.path("a.receipt.json")

	out, errs := s.send(0, s.url, "I will vote \x1b[31mFOR 12.\nReally.\n", "--trust", s.trust, "-o", file, "--json")
	sent := decode[sentLine](t, out)
	if want := (sentLine{Schema: "hansard.send/1", ID: sent.ID, State: "accepted", Deadline: sent.Deadline, Level: "promised", File: file, Bond: sent.Bond}); sent != want {
		t.Errorf("send: got %+v, want %+v", sent, want)
	}
	if !strings.Contains(errs, "You are signing") || !strings.Contains(errs, "| I will vote <U+001B>[31mFOR 12.\n") || strings.Contains(errs, "\x1b") {
		t.Errorf("what is signed must be shown, escaped: %q", errs)
	}
	s.want(11, "", "verify", file, "--trust", s.trust)
	if out, _ := s.want(0, "", "inspect", file); !strings.Contains(out, "             | Really.\n  replyTo") {
		t.Errorf("one newline at the end is not part of the body: %q", out)
	}

	out, _ = s.want(0, "", "watch", sent.ID.String(), "--server", s.url)
	var states []string
	for line := range strings.Lines(out) {
		l := decode[statusLine](t, line)
		if _, err := time.Parse(time.RFC3339Nano, l.At); err != nil || l.ID != sent.ID || l.Schema != "hansard.watch/1" {
			t.Errorf("watch: %s (%v)", line, err)
		}
		states = append(states, l.State)
	}
	if last := states[len(states)-1]; last != "finalized" {
		t.Errorf("watch ends with %s", last)
	}
	for i := range states[1:] {
		was, _ := proofs.ParseState(states[i])
		if is, _ := proofs.ParseState(states[i+1]); is <= was {
			t.Errorf("watch: states %v", states)
		}
	}

	s.want(0, "", "get", file, "-o", file, "--server", s.url)
	out, _ = s.want(0, "", "status", file, "--server", s.url, "--json")
	block := decode[statusLine](t, out).Batch.BlockHash.String()
	s.want(0, "", "verify", file, "--trust", s.trust, "--block-hash", block)
	printed, _ := s.want(0, "", "get", sent.ID.String(), "--server", s.url)
	if b, err := os.ReadFile(file); err != nil || string(b) != printed {
		t.Errorf("get prints %q, the file holds %q, %v", printed, b, err)
	}
	s.batches(sent)
	s.edits(sent, file)
}

func (s *serviceTest) batches(sent sentLine) {
	t := s.t
	t.Helper()
	list, _ := s.want(0, "", "batch", "list", "--server", s.url, "--json", "--limit", "1")
	one, _ := s.want(0, "", "batch", "show", "0", "--server", s.url, "--json")
	if diff := cmp.Diff(one, list); diff != "" {
		t.Errorf("batch 0 in show and list (-show +list):\n%s", diff)
	}
	if b := decode[batchLine](t, one); b.Schema != "hansard.batch/1" || b.State != "finalized" || b.First > sent.Index || b.First+b.Size <= sent.Index {
		t.Errorf("batch 0: %+v", b)
	}
	if out, _ := s.want(0, "", "batch", "list", "--from", "1000", "--server", s.url, "-q"); out != "" {
		t.Errorf("batches from 1000: %q", out)
	}
	s.want(exitUsage, "", "batch", "show", "1000", "--server", s.url)
	s.want(exitUsage, "", "status", proofs.Hash{1}.String(), "--server", s.url)
}

func (s *serviceTest) edits(sent sentLine, file string) {
	t := s.t
	t.Helper()
	edit := s.path("b.receipt.json")
	out, _ := s.send(0, s.url, "I will vote AGAINST <12>.", "--replaces", file, "--wait", "finalized", "-q", "-o", edit)
	rc := readReceipt(t, edit)
	if rc.Entry.Message.String() != strings.TrimSpace(out) || rc.Level != proofs.Finalized || rc.Message.Replaces != sent.ID ||
		rc.Message.Kind != proofs.KindEdit || rc.Message.Body != `{"kind":"text/plain","body":"I will vote AGAINST <12>."}` {
		t.Errorf("edit %s: %+v", out, rc.Message)
	}
	retract := s.path("c.receipt.json")
	s.send(0, s.url, "by mistake", "--replaces", edit, "--kind", "retract", "-o", retract)
	if m := readReceipt(t, retract).Message; m.Kind != proofs.KindRetract || m.Body != `{"reason":"by mistake"}` {
		t.Errorf("retract: %+v", m)
	}

	// Nothing is signed for a file that is there, and no receipt takes the place of another.
	if _, errs := s.send(exitConflict, s.url, "again", "-o", file); strings.Contains(errs, "You are signing") {
		t.Errorf("signed although the file is there: %s", errs)
	}
	s.want(exitConflict, "", "get", edit, "-o", file, "--server", s.url)
	if readReceipt(t, file).Entry.Message != sent.ID {
		t.Error("another message's receipt was overwritten")
	}
	for _, bad := range [][]string{{"--kind", "retract"}, {"--kind", "edit", "--replaces", file}, {"--kind", "Text"}, {"--wait", "later"}, {"--account", "nobody"}} {
		s.send(exitUsage, s.url, "words", append(bad, "-o", s.path("none"))...)
	}
	s.send(exitUsage, s.url, "", "-o", s.path("none"))
	s.send(exitUsage, s.url, strings.Repeat("x", proofs.MaxBody+1), "-o", s.path("none"))
	s.send(exitUsage, s.url, "\xff", "-o", s.path("none"))
	if err := os.WriteFile(s.path("other.json"), (&proofs.Trust{}).Format(), 0o644); err != nil {
		t.Fatal(err)
	}
	s.send(13, s.url, "words", "--trust", s.path("other.json"), "-o", s.path("none"))
	if _, err := os.Stat(s.path("none")); err == nil {
		t.Error("a refused message left a file")
	}
	s.lies(file)
}

// lies puts a service that lies in front of the real one.
func (s *serviceTest) lies(file string) {
	t := s.t
	t.Helper()
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var change atomic.Value // func(string) string
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		b, err := io.ReadAll(r.Body)
		text := change.Load().(func(string) string)(string(b))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Length", fmt.Sprint(len(text)))
		return err
	}
	liar := httptest.NewServer(proxy)
	defer liar.Close()
	lie := func(f func(string) string) { change.Store(f) }

	lie(func(b string) string { return strings.Replace(b, `"deadline":"1`, `"deadline":"2`, 1) })
	if _, errs := s.send(10, liar.URL, "words", "--trust", s.trust, "-o", s.path("lie")); !strings.Contains(errs, "V12 promise") {
		t.Errorf("a promise with another deadline: %s", errs)
	}
	lie(func(b string) string { return strings.Replace(b, "FOR 12", "FOX 12", 1) })
	if _, errs := s.want(10, "", "get", file, "-o", s.path("lie"), "--server", liar.URL); !strings.Contains(errs, "V2 content") {
		t.Errorf("a receipt with another body: %s", errs)
	}
	other, err := os.ReadFile(s.path("b.receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	lie(func(string) string { return string(other) })
	s.want(13, "", "get", file, "-o", s.path("lie"), "--server", liar.URL)
	if _, err := os.Stat(s.path("lie")); err == nil {
		t.Error("a lie left a file")
	}
}

func readReceipt(t *testing.T, path string) *proofs.Receipt {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rc, err := proofs.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// TestWatchReorg: a message that goes back to submitted is seen there, and once again in what follows.
func TestWatchReorg(t *testing.T) {
	var state atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := proofs.State(state.Load())
		if until, err := proofs.ParseState(r.URL.Query().Get("until")); err == nil && at < until {
			<-r.Context().Done()
			return
		}
		l := newStatusLine("", &client.Status{ID: proofs.Hash{1}, State: at})
		json.NewEncoder(w).Encode(map[string]any{"id": l.ID, "state": l.State, "entry": proofs.Entry{Vouch: proofs.VouchAuthor}, "deadline": "1"}) //nolint:errcheck // the client notices
	}))
	defer server.Close()
	c, err := client.New(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	script := []proofs.State{proofs.StateIncluded, proofs.StateSubmitted, proofs.StateIncluded, proofs.StateFinalized}
	state.Store(int64(script[0]))
	var got []string
	err = watch(t.Context(), c, proofs.Hash{1}, proofs.StateFinalized, 20*time.Millisecond, func(s sighting) error {
		got = append(got, fmt.Sprint(s.State, " ", s.back))
		if len(got) < len(script) {
			state.Store(int64(script[len(got)]))
		}
		return nil
	})
	if diff := cmp.Diff([]string{"included false", "submitted true", "included false", "finalized false"}, got); diff != "" || err != nil {
		t.Errorf("states (-want +got):\n%s%v", diff, err)
	}
}
