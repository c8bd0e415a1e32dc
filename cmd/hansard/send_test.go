package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestSendInterrupted: a promise that the service gave is kept, though the user wished to stop while it was on its way.
func TestSendInterrupted(t *testing.T) {
	s := startService(t)
	target, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method == http.MethodPost {
			interrupt()
		}
		return nil
	}
	server := httptest.NewServer(proxy)
	defer server.Close()
	file := s.path("kept.receipt.json")
	var out, errs bytes.Buffer
	code := run(ctx, []string{"hansard", "send", "--room", "demo-dao", "--account", "alice", "--keystore", s.path("keys"), "--password-file", s.path("password"),
		"--server", server.URL, "-o", file}, strings.NewReader("words"), &out, &errs)
	if rc := readReceipt(t, file); code != 0 || rc.Promise == nil || !strings.HasPrefix(out.String(), "accepted") {
		t.Errorf("exit %d; stdout %s, stderr %s", code, &out, &errs)
	}
}

// TestSendNowhere: nothing is signed if the receipt could not be kept.
func TestSendNowhere(t *testing.T) {
	s := startService(t)
	if err := os.Mkdir(s.path("locked"), 0o755); err != nil {
		t.Fatal(err)
	}
	for file, code := range map[string]int{
		s.path("missing", "x.json"):  exitUsage,
		s.path("password", "x.json"): exitUsage, // a file is no folder
		s.path("locked"):             exitConflict,
	} {
		if _, errs := s.send(code, s.url, "words", "-o", file); strings.Contains(errs, "You are signing") || !strings.Contains(errs, "nothing was signed") {
			t.Errorf("%s: %s", file, errs)
		}
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 4 { // data, keys, password and locked
		t.Errorf("files are left behind: %v, %v", left, err)
	}
}
