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
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// at is when the delays of these tests begin: 2026-11-21T10:00:00Z.
var at = time.UnixMilli(1_795_255_200_000)

// scripted is a service with one message: each answer about it is the next step, and the last one for ever.
type scripted struct {
	mu    sync.Mutex
	steps []map[string]any // guarded by mu
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := map[string]any{"id": proofs.Hash{1}, "entry": proofs.Entry{Vouch: proofs.VouchAuthor}, "deadline": "1795341040"}
	for k, v := range s.steps[0] {
		answer[k] = v
	}
	if len(s.steps) > 1 {
		s.steps = s.steps[1:]
	}
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client notices
}

func delayJSON(code, detail string) map[string]string {
	return map[string]string{"code": code, "detail": detail, "since": fmt.Sprint(at.UnixMilli()), "nextAttempt": fmt.Sprint(at.Add(12 * time.Second).UnixMilli())}
}

// feeSpike is what a service answers while gas costs more than its cap, and then more than a day's.
func feeSpike(t *testing.T) string {
	gas := "gas costs 94 gwei, over the cap of 60"
	batch := map[string]string{"number": "7", "state": "batched", "first": "0", "size": "3"}
	in := map[string]string{"number": "7", "state": "included", "first": "0", "size": "3", "blockNumber": "99"}
	server := httptest.NewServer(&scripted{steps: []map[string]any{
		{"state": "accepted"},
		{"state": "accepted", "delay": delayJSON("gas_cap", gas)},
		{"state": "accepted", "delay": delayJSON("gas_cap", "gas costs 95 gwei, over the cap of 60")}, // nothing new
		{"state": "batched", "batch": batch, "delay": delayJSON("gas_cap", gas)},
		{"state": "batched", "batch": batch, "delay": delayJSON("day_cap", "\x1b[31mtoday's cap\n")},
		{"state": "submitted", "batch": batch},
		{"state": "submitted", "batch": batch, "delay": delayJSON("nodes", "")},
		{"state": "included", "batch": in},
	}})
	t.Cleanup(server.Close)
	return server.URL
}

// TestWatchDelay shows a fee spike on a terminal: why, and when the next attempt is, and never a failure.
func TestWatchDelay(t *testing.T) {
	c, err := client.New(feeSpike(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	now := at.Add(-time.Second)
	err = watch(t.Context(), c, proofs.Hash{1}, proofs.StateIncluded, time.Minute, func(s sighting) error {
		now = now.Add(time.Second)
		return printSighting(&out, s, now)
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"10:00:00Z  accepted   index 0, promised to be anchored by 2026-11-22T09:50:40Z",
		"10:00:01Z  delayed    gas costs 94 gwei, over the cap of 60; next attempt 10:00:12Z",
		"10:00:02Z  batched    batch 7 of 3 messages",
		"10:00:03Z  delayed    <U+001B>[31mtoday's cap / ; next attempt 10:00:12Z",
		"10:00:04Z  goes on    day_cap is over after 4s",
		"10:00:04Z  submitted  ",
		"10:00:05Z  delayed    nodes; next attempt 10:00:12Z",
		"10:00:06Z  goes on    nodes is over after 6s",
		"10:00:06Z  included   batch 7 in block 99",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWatchDelayJSON is the same for programs.
func TestWatchDelayJSON(t *testing.T) {
	var out bytes.Buffer
	id := proofs.Hash{1}.String()
	if code := run(t.Context(), []string{"hansard", "watch", id, "--until", "included", "--server", feeSpike(t)}, strings.NewReader(""), &out, io.Discard); code != 0 {
		t.Fatalf("exit %d", code)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		l := decode[statusLine](t, line)
		seen := l.State
		if d := l.Delay; d != nil {
			seen += fmt.Sprint(" ", d.Code, " ", d.Since, " ", d.NextAttempt)
		}
		got = append(got, seen)
	}
	const when = " 1795255200000 1795255212000"
	want := []string{"accepted", "accepted gas_cap" + when, "batched gas_cap" + when, "batched day_cap" + when, "submitted", "submitted nodes" + when, "included"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusDelay(t *testing.T) {
	server := httptest.NewServer(&scripted{steps: []map[string]any{
		{"state": "accepted", "delay": delayJSON("gas_cap", "gas costs 94 gwei, over the cap of 60")},
	}})
	defer server.Close()
	var out bytes.Buffer
	args := []string{"hansard", "status", proofs.Hash{1}.String(), "--server", server.URL}
	if code := run(t.Context(), args, strings.NewReader(""), &out, io.Discard); code != 0 {
		t.Fatalf("exit %d", code)
	}
	const want = "\n  delayed    gas costs 94 gwei, over the cap of 60; next attempt 10:00:12Z (since 2026-11-21T10:00:00Z)\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("got %s", &out)
	}
	out.Reset()
	if code := run(t.Context(), append(args, "--json"), strings.NewReader(""), &out, io.Discard); code != 0 {
		t.Fatalf("exit %d", code)
	}
	l := decode[statusLine](t, out.String())
	if d := (delayLine{Code: "gas_cap", Detail: "gas costs 94 gwei, over the cap of 60", Since: 1_795_255_200_000, NextAttempt: 1_795_255_212_000}); l.Delay == nil || *l.Delay != d {
		t.Errorf("got %s", &out)
	}
}

// TestStatusOfService: refusals, overdue promises and challenges are said, to people and to programs.
func TestStatusOfService(t *testing.T) {
	log := fmt.Sprintf(`"chain":{"chainId":"5","log":"%s"},"version":"1.2"`, proofs.Hash{9})
	for _, tt := range []struct {
		name, info, quiet, text, json string
	}{
		{
			"quiet times", `"promises":{"waiting":"0","overdue":"0"}`, "taken",
			"  messages   are taken\n  promised   all of it is in a block\n", `"promises":{"waiting":"0","overdue":"0"}`,
		},
		{
			"waiting", `"promises":{"waiting":"3","deadline":"1795341040","overdue":"0"}`, "taken",
			"  messages   are taken\n  promised   3 in no block yet, the first due by 2026-11-22T09:50:40Z\n",
			`"promises":{"waiting":"3","deadline":"1795341040","overdue":"0"}`,
		},
		{
			"trouble", `"delay":{"code":"gas_cap","detail":"gas costs 94 gwei","since":"1795255200000","nextAttempt":"1795255212000"},` +
				`"promises":{"waiting":"3","deadline":"1795341040","overdue":"1",` +
				`"refusal":{"code":"at_risk","detail":"promises\u001b are due","since":"1795254640000","retryAfter":15},` +
				`"challenges":{"open":2,"unanswerable":1,"answerBy":"1795600240"}}`, "refused",
			"  messages   are refused: promises<U+001B> are due (at_risk); try again in 15s (since 2026-11-21T09:50:40Z)\n" +
				"  promised   3 in no block yet, 1 of them overdue\n" +
				"  challenges 2 open at the bond, the first to be answered by 2026-11-25T09:50:40Z; the service has no answer to 1\n" +
				"  delayed    gas costs 94 gwei; next attempt 10:00:12Z (since 2026-11-21T10:00:00Z)\n",
			`"delay":{"code":"gas_cap","detail":"gas costs 94 gwei","since":"1795255200000","nextAttempt":"1795255212000"},` +
				`"promises":{"waiting":"3","deadline":"1795341040","overdue":"1",` +
				`"refusal":{"code":"at_risk","detail":"promises\u001b are due","since":"1795254640000","retryAfter":15},` +
				`"challenges":{"open":2,"unanswerable":1,"answerBy":"1795600240"}}`,
		},
		{"an older service", `"delay":null`, "unknown", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/v1/info" {
					t.Errorf("asked for %s", r.URL)
				}
				fmt.Fprintf(w, "{%s,%s}", log, tt.info)
			}))
			defer server.Close()
			said := map[string]string{}
			for _, flag := range []string{"--no-input", "--quiet", "--json"} {
				var out bytes.Buffer
				if code := run(t.Context(), []string{"hansard", "status", "--server", server.URL, flag}, strings.NewReader(""), &out, io.Discard); code != 0 {
					t.Fatalf("%s: exit %d", flag, code)
				}
				said[flag] = out.String()
			}
			line := fmt.Sprintf(`{"schema":"hansard.service/1","version":"1.2","chainId":"5","log":"%s"`, proofs.Hash{9})
			if tt.json != "" {
				line += "," + tt.json
			}
			want := map[string]string{
				"--no-input": fmt.Sprintf("%s  version 1.2  (the service's word)\n  log        %s on chain 5\n%s", server.URL, proofs.Hash{9}, tt.text),
				"--quiet":    tt.quiet + "\n", "--json": line + "}\n",
			}
			if diff := cmp.Diff(want, said); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestFeeSpike runs a service while gas costs more than its cap: messages are taken, are told why they wait,
// and are one batch once it goes on.
func TestFeeSpike(t *testing.T) {
	s := startService(t) // it deploys the contract while gas is cheap
	s.stop()
	logs, stop := s.serve("--max-fee-gwei", "0.000000001")
	var words strings.Builder
	var ids []string
	for i := range 3 {
		out, errs := s.send(0, s.url, fmt.Sprint("message ", i), "-q", "-o", s.path(fmt.Sprint(i)))
		ids = append(ids, strings.TrimSpace(out))
		words.WriteString(errs)
	}
	held := false
	for !held {
		line, ok := <-logs
		if !ok {
			t.Fatal("the service ended")
		}
		held = strings.Contains(line, "pool held")
	}
	out, _ := s.want(0, "", "status", ids[0], "--server", s.url)
	words.WriteString(out)
	if !strings.Contains(out, "  accepted  (") || !strings.Contains(out, "\n  delayed    gas costs ") || !strings.Contains(out, "; next attempt ") {
		t.Errorf("status: %s", out)
	}
	out, _ = s.want(0, "", "watch", ids[0], "--server", s.url, "--until", "accepted")
	words.WriteString(out)
	if l := decode[statusLine](t, out); l.Delay == nil || l.Delay.Code != "gas_cap" || l.Delay.NextAttempt < l.Delay.Since {
		t.Errorf("watch: %s", out)
	}
	if got := s.metric("pool_messages") + s.metric(`delayed{code="gas_cap"}`); got != "31" {
		t.Errorf("messages in the pool, and delayed: %s", got)
	}
	words.WriteString(s.waits())
	stop()

	s.serve()
	out, _ = s.want(0, "", "watch", ids[2], "--server", s.url)
	words.WriteString(out)
	if strings.Contains(out, "delay") || strings.Contains(words.String(), "failed") {
		t.Errorf("what people saw: %s", &words)
	}
	out, _ = s.want(0, "", "batch", "show", "0", "--server", s.url, "--json")
	b := decode[batchLine](t, out)
	if b.Size != 4 || b.Txs != 1 || b.Deadline == 0 || b.Spent == nil || b.Spent.Gas < 21_000 || *b.NewestTx != *b.Tx {
		t.Errorf("the batch: %s", out)
	}
	if got := s.metric("oldest_unanchored_message_age_seconds") + s.metric("anchor_finalized_total") + s.metric(`batches{state="finalized"}`); got != "011" {
		t.Errorf("age, finalized: %s", got)
	}
}

// waits sends a message, waits for its batch until it hears of the delay, and returns what it heard.
func (s *serviceTest) waits() (heard string) {
	ctx, cancel := context.WithCancel(s.t.Context())
	r, w := io.Pipe()
	go func() {
		run(ctx, []string{"hansard", "send", "--room", "demo-dao", "--account", "alice", "--keystore", s.path("keys"), "--password-file", s.path("password"),
			"--server", s.url, "--wait", "batched", "-o", s.path("waits")}, strings.NewReader("I wait"), io.Discard, w)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for !strings.Contains(heard, "  delayed    gas costs ") && lines.Scan() {
		heard += lines.Text() + "\n"
	}
	cancel()
	io.Copy(io.Discard, r) //nolint:errcheck // ends with the pipe
	if !strings.Contains(heard, "; next attempt ") {
		s.t.Errorf("who waits hears %s", heard)
	}
	return heard
}

// metric returns the value of one of our metrics.
func (s *serviceTest) metric(name string) string {
	s.t.Helper()
	resp, err := http.Get(s.url + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "hansard_"+name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return ""
}

// TestPublicDelay: what an error says of the inside is for the log; amounts and prices are for anybody.
func TestPublicDelay(t *testing.T) {
	for code, shown := range map[string]bool{
		anchor.GasCap: true, anchor.TxCap: true, anchor.DayCap: true, anchor.MonthCap: true, anchor.Funds: true, anchor.Reverted: true,
		anchor.NodesOff: false, anchor.SignOff: false, anchor.StoreOff: false, anchor.Stopped: false,
	} {
		d := publicDelay(&anchor.Delay{Code: code, Detail: "dial http://10.0.0.7/key: failed", Since: at, Next: at.Add(time.Second)})
		if d.Code != code || !d.Since.Equal(at) || !d.Next.Equal(at.Add(time.Second)) || d.Detail == "" || strings.Contains(d.Detail, "10.0.0.7") != shown {
			t.Errorf("%s: %+v", code, d)
		}
	}
	if d := publicDelay(nil); d != nil {
		t.Errorf("no delay: %+v", d)
	}
}
