package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// carFiles are the CAR files of the service's data directory.
func (s *serviceTest) carFiles() []string {
	s.t.Helper()
	files, err := filepath.Glob(s.path("data/ipfs/cars/*.car"))
	if err != nil || len(files) == 0 {
		s.t.Fatalf("%d CAR files, %v", len(files), err)
	}
	return files
}

// eventually looks until done, or fails after a while.
func (s *serviceTest) eventually(what string, done func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(20 * time.Second); !done(); {
		select {
		case <-end:
			s.t.Fatalf("%s: not within 20 s", what)
		case <-tick.C:
		}
	}
}

// The running service measures what gateways give of its batches, shows it, counts it, and keeps it.
func TestServeProbes(t *testing.T) {
	s := startService(t)
	s.send(0, s.url, "Is this kept?\n", "--wait", "finalized", "--trust", s.trust, "-o", s.path("kept.receipt.json"))
	s.stop()

	var lying atomic.Bool
	var self atomic.Pointer[httputil.ReverseProxy]
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lying.Load() {
			w.Write([]byte("something else"))
			return
		}
		if p := self.Load(); p != nil {
			p.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer gate.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()

	_, stop := s.serve("--probe", gate.URL, "--probe", gone.URL, "--probe-every", "50ms")
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	self.Store(httputil.NewSingleHostReverseProxy(to))
	show := func() string {
		out, _ := s.want(0, "", "batch", "show", "0", "--server", s.url)
		return out
	}
	s.eventually("an honest gateway", func() bool { return strings.Contains(show(), "retrievable from 1 of 2, last probed ") })
	if out := show(); !strings.Contains(out, "NOT RETRIEVABLE") || !strings.Contains(out, strings.TrimPrefix(gone.URL, "http://")) {
		t.Errorf("batch show: %s", out)
	}
	metric := func(source, value string) bool {
		resp, err := http.Get(s.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		if _, err := b.ReadFrom(resp.Body); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(b.String(), `hansard_payload_retrievable{source="`+strings.TrimPrefix(source, "http://")+`"} `+value+"\n")
	}
	s.eventually("the metric of an honest gateway", func() bool { return metric(gate.URL, "1") })
	s.eventually("the metric of none", func() bool { return metric(gone.URL, "0") })

	lying.Store(true)
	s.eventually("a lying gateway", func() bool { return strings.Contains(show(), "not the block") })
	stop()
	s.serve() // nobody is asked any more, what was found is kept
	out, _ := s.want(0, "", "batch", "show", "0", "--server", s.url, "--json")
	probes := decode[batchLine](t, out).Probes
	if len(probes) != 2 || probes[0].OK || probes[1].OK || probes[0].Time == 0 || probes[0].Why == "" {
		t.Errorf("after a restart: %+v", probes)
	}
	for _, args := range [][]string{
		{"--probe", "ipfs.example"}, {"--probe", gate.URL, "--probe", gate.URL}, {"--probe-every", "1h"}, {"--probe", gate.URL, "--probe-sample", "0"}, {"--check-every", "-1s"},
	} {
		s.want(2, "", append([]string{"serve", "--dev", "--data", s.path("other"), "--listen", "127.0.0.1:0"}, args...)...)
	}
}

// What is deleted, cut or flipped on disk while the service runs, it finds and makes again.
func TestServeRepairs(t *testing.T) {
	s := startService(t)
	s.send(0, s.url, "Is this kept?\n", "--wait", "finalized", "--trust", s.trust, "-o", s.path("kept.receipt.json"))
	s.stop()
	s.serve("--check-every", "50ms")
	file := s.carFiles()[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-3] ^= 4
	for name, damage := range map[string]func() error{
		"deleted":   func() error { return os.Remove(file) },
		"truncated": func() error { return os.Truncate(file, int64(len(whole)/2)) },
		"flipped":   func() error { return os.WriteFile(file, flipped, 0o600) },
	} {
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		s.eventually(name, func() bool {
			now, err := os.ReadFile(file)
			return err == nil && bytes.Equal(now, whole)
		})
	}
}

func TestPayload(t *testing.T) {
	s := startService(t)
	s.send(0, s.url, "Is this kept?\n", "--wait", "finalized", "--trust", s.trust, "-o", s.path("kept.receipt.json"))
	s.want(24, "", "payload", "check", "--data", s.path("data")) // the service runs
	s.stop()
	end := func(code int, args ...string) payloadEnd {
		t.Helper()
		out, _ := s.want(code, "", append(append([]string{"payload"}, args...), "--data", s.path("data"), "--json")...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		for _, l := range lines[:len(lines)-1] {
			var d payloadLine
			if err := json.Unmarshal([]byte(l), &d); err != nil || d.Schema != "hansard.payload/1" || d.Damage == "" {
				t.Errorf("%s: %v", l, err)
			}
		}
		return decode[payloadEnd](t, lines[len(lines)-1])
	}
	batches := uint64(len(s.carFiles()))
	want := func(code int, damaged, mended uint64, args ...string) {
		t.Helper()
		if diff := cmp.Diff(payloadEnd{"hansard.payload-end/1", batches, damaged, mended}, end(code, args...)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", args, diff)
		}
	}
	want(0, 0, 0, "check")
	if err := os.Remove(s.carFiles()[0]); err != nil {
		t.Fatal(err)
	}
	want(14, 1, 0, "check")
	want(0, 1, 1, "repair")
	want(0, 0, 0, "check")
	if err := os.Truncate(s.carFiles()[0], 70); err != nil {
		t.Fatal(err)
	}
	out, _ := s.want(0, "", "payload", "repair", "--data", s.path("data"))
	if !strings.Contains(out, "MENDED   batch 0 from the log: ") || !strings.Contains(out, "1 damaged, 1 mended\n") {
		t.Errorf("repair says %s", out)
	}
	s.want(2, "", "payload", "check", "--data", s.path("nothing"))
}
