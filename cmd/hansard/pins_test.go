package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/pins"
)

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPins: a service whose second place is not there takes messages and anchors nothing, and says why; once the place is
// there it goes on by itself.
func TestPins(t *testing.T) {
	s := startService(t)
	s.stop()
	at := s.path("copies")
	logs, stop := s.serve("--pin", "dir:"+at+"?name=backup", "--pin-require", "2")
	file := s.path("a.receipt.json")
	s.send(0, s.url, "where is it kept?", "--trust", s.trust, "-o", file)
	for line := range logs {
		if strings.Contains(line, "anchoring waits for copies") {
			if !strings.Contains(line, "without it: backup (batch 0: ") || !strings.Contains(line, "no such file") {
				t.Errorf("it says %s", line)
			}
			break
		}
	}
	out, _ := s.want(0, "", "status", file, "--server", s.url, "--json")
	st := decode[statusLine](t, out)
	if st.State != "batched" || st.Delay == nil || st.Delay.Code != "pins" || strings.Contains(st.Delay.Detail, at) || st.Delay.NextAttempt == 0 {
		t.Errorf("status %s", out)
	}
	if out, _ := s.want(0, "", "batch", "show", "0", "--server", s.url); !strings.Contains(out, "  held by    embedded\n") {
		t.Errorf("batch show: %s", out)
	}
	metrics := fetch(t, s.url+"/metrics")
	for _, line := range []string{
		`hansard_delayed{code="pins"} 1`, `hansard_pin_failing{target="backup"} 1`, `hansard_pin_backlog_batches{target="backup"} 1`,
		"hansard_pin_require 2", `hansard_anchor_sent_total 0`,
	} {
		if !strings.Contains(metrics, "\n"+line+"\n") {
			t.Errorf("%s is not in the metrics", line)
		}
	}
	if err := os.Mkdir(at, 0o700); err != nil {
		t.Fatal(err)
	}
	s.want(0, "", "watch", file, "--server", s.url)
	out, _ = s.want(0, "", "batch", "show", "0", "--server", s.url, "--json")
	b := decode[batchLine](t, out)
	if diff := cmp.Diff([]string{"embedded", "backup"}, b.HeldBy); diff != "" || b.State != "finalized" {
		t.Errorf("batch show: %s", out)
	}
	own, err := os.ReadFile(filepath.Join(s.path("data"), "ipfs", "cars", b.CID+".car"))
	if err != nil {
		t.Fatal(err)
	}
	if other, err := os.ReadFile(filepath.Join(at, b.CID+".car")); err != nil || !bytes.Equal(own, other) {
		t.Errorf("the copy has %d bytes of %d, %v", len(other), len(own), err)
	}
	stop()

	// What is known survives a restart, and a place that nobody asks any more does not count.
	_, stop = s.serve("--pin", "dir:"+s.path("data")+"?name=other")
	if out, _ := s.want(0, "", "batch", "show", "0", "--server", s.url, "--json"); strings.Contains(out, "backup") {
		t.Errorf("batch show: %s", out)
	}
	stop()
}

// TestPinFlags refuses what cannot be, and repeats no secret.
func TestPinFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--pin", "ftp://x"}, "--pin number 1: want kubo:URL"},
		{[]string{"--pin", "dir:/a", "--pin", "psa:https://x.example?token=s3cret"}, "--pin number 2: psa: "},
		{[]string{"--pin", "dir:/a", "--pin", "dir:/b"}, "another has the name dir, too; add name=WORD"},
		{[]string{"--pin", "dir:/a", "--pin-require", "3"}, "want 1 to 2"},
		{[]string{"--pin-require", "0"}, "want 1 to 1"},
	} {
		var errs bytes.Buffer
		args := append([]string{"hansard", "serve", "--dev", "--data", t.TempDir(), "--listen", "127.0.0.1:0"}, c.args...)
		if code := run(t.Context(), args, strings.NewReader(""), io.Discard, &errs); code != exitUsage || !strings.Contains(errs.String(), c.want) || strings.Contains(errs.String(), "s3cret") {
			t.Errorf("%q: exit %d, %s", c.args, code, &errs)
		}
	}
}

// places are two of which one fails.
type places struct{}

func (places) Require() int { return 2 }
func (places) Status() []pins.Status {
	return []pins.Status{{Name: "kubo", Pushed: 3, PushedBytes: 1e6, Lost: 1}, {Name: "s3", Err: errors.New("the bucket is full"), Errors: 7}}
}

func (places) Backlog(_ context.Context, i int) (missing, held uint64, err error) {
	if i == 0 {
		return 0, 0, errors.New("no disk")
	}
	return 4, 5, nil
}

func TestPinMetrics(t *testing.T) {
	var logs bytes.Buffer
	var got []string
	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range scrape(t, metrics{
		Log: broken{}, Counts: func() anchor.Counts { return anchor.Counts{} }, Delay: func() *anchor.Delay { return nil },
		Money: func() *anchor.Money { return nil }, Health: func() []nodes.Health { return nil }, Pins: places{}, Now: time.Now,
	}, &logs) {
		if !strings.HasPrefix(line, "pin_") {
			continue
		}
		got = append(got, line)
		if name, _, _ := strings.Cut(strings.ReplaceAll(line, "{", " "), " "); !strings.Contains(string(docs), "`hansard_"+name) {
			t.Errorf("docs/operations.md has no row hansard_%s", name)
		}
	}
	want := []string{
		`pin_backlog_batches{target="s3"} 4`, `pin_errors_total{target="kubo"} 0`, `pin_errors_total{target="s3"} 7`,
		`pin_failing{target="kubo"} 0`, `pin_failing{target="s3"} 1`, `pin_held_batches{target="s3"} 5`,
		`pin_lost_batches_total{target="kubo"} 1`, `pin_lost_batches_total{target="s3"} 0`,
		`pin_pushed_batches_total{target="kubo"} 3`, `pin_pushed_batches_total{target="s3"} 0`,
		`pin_pushed_bytes_total{target="kubo"} 1e+06`, `pin_pushed_bytes_total{target="s3"} 0`, "pin_require 2",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
