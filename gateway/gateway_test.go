package gateway_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// The service refuses longer blocks, so none is longer.
var _ = [1]struct{}{}[gateway.MaxBlock-ipfs.MaxBlock]

var (
	block  = []byte("\x81\x63all that is asked for is dag-cbor")
	digest = proofs.BlockDigest(block)
	path   = "/ipfs/" + proofs.FormatCID(digest)
)

// honest answers as a trustless gateway does, and checks that it is asked like one.
func honest(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "GET" || r.URL.RawQuery != "format=raw" || r.Header.Get("Accept") != "application/vnd.ipld.raw" {
			t.Errorf("asked %s %s with Accept %q", r.Method, r.URL, r.Header.Get("Accept"))
		}
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		w.Write(block)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", code) }
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// slow answers when the client has gone away.
func slow(begin []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Write(begin)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// endless sends zeros for as long as anybody reads, and counts them.
func endless(sent *int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		part := make([]byte, 64<<10)
		for {
			n, err := w.Write(part)
			if *sent += n; err != nil {
				return
			}
		}
	}
}

func TestBlock(t *testing.T) {
	elsewhere := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		t.Error("a redirect to another host was followed")
		w.Write(block)
	}))
	redirect := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	within := http.NewServeMux()
	within.Handle(path, redirect("/there"))
	within.HandleFunc("/there", func(w http.ResponseWriter, _ *http.Request) { w.Write(block) })
	gone := httptest.NewServer(nil)
	gone.Close()
	var sent int
	for _, c := range []struct {
		name    string
		bad     http.Handler // nil: nobody is there
		missing bool         // it says that it does not have the block
		says    string
	}{
		{"404", status(404), true, "does not have the block"},
		{"410", status(410), true, "does not have the block"},
		{"451", status(451), true, "does not have the block"},
		{"500", status(500), false, "status 500"},
		{"429", status(429), false, "status 429"},
		{"an answer without the block", status(204), false, "status 204"},
		{"a part of it", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "6")
			w.WriteHeader(http.StatusPartialContent)
			w.Write(block[:6])
		}), false, "status 206"},
		{"a page that says so", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<p>not found")) }), false, "are not the block"},
		{"one byte more", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(append(bytes.Clone(block), 0)) }), false, "are not the block"},
		{"nothing", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), false, "are not the block"},
		{"packed", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(block)
			z.Close()
		}), false, "are not the block"},
		{"no end", endless(&sent), false, "more than 1048576 bytes"},
		{"no answer", slow(nil), false, "did not answer within"},
		{"half an answer", slow(block[:9]), false, "did not answer within"},
		{"cut off", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			w.Write(block)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), false, "unexpected EOF"},
		{"redirected to another host", redirect(elsewhere + path), false, "which is not followed"},
		{"redirected for ever", redirect(path), false, "redirects"},
		{"nobody is there", nil, false, "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := gone.URL
			if c.bad != nil {
				bad = serve(t, c.bad)
			}
			ask := func(urls ...string) ([]byte, error) {
				client, err := gateway.New(urls, nil)
				if err != nil {
					t.Fatal(err)
				}
				gateway.SetTimeout(client, 200*time.Millisecond)
				return client.Block(t.Context(), digest)
			}
			if b, err := ask(bad); err == nil || errors.Is(err, proofs.ErrNotFound) != c.missing || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "/ipfs/") {
				t.Errorf("alone: %q, %v; want an error with %q", b, err, c.says)
			}
			if b, err := ask(bad, serve(t, status(404))); err == nil || errors.Is(err, proofs.ErrNotFound) != c.missing {
				t.Errorf("with one that does not have it: %q, %v", b, err)
			}
			if b, err := ask(bad, serve(t, honest(t))); err != nil || !bytes.Equal(b, block) {
				t.Errorf("before an honest one: %q, %v", b, err)
			}
		})
	}
	if sent > 64<<20 {
		t.Errorf("%d bytes of an endless answer were taken", sent)
	}
	for name, url := range map[string]string{
		"below a path": serve(t, http.StripPrefix("/gw", honest(t))) + "/gw/",
		"with /ipfs":   serve(t, honest(t)) + "/ipfs/",
		"redirected":   serve(t, within),
	} {
		client, err := gateway.New([]string{url}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := client.Block(t.Context(), digest); err != nil || !bytes.Equal(b, block) {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

// TestTurns shows that the gateway that gave a block is asked first for the next.
func TestTurns(t *testing.T) {
	asked := 0
	bad := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { asked++; http.NotFound(w, r) }))
	client, err := gateway.New([]string{bad, serve(t, honest(t))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := client.Block(t.Context(), digest); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("the one without the block was asked %d times for 5 blocks, want once", asked)
	}
}

func TestEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, err := gateway.New([]string{serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); <-r.Context().Done() })), serve(t, status(404))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Block(ctx, digest); !errors.Is(err, context.Canceled) || errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("got %v, want the end of the context", err)
	}
}

func TestNew(t *testing.T) {
	for _, bad := range [][]string{
		nil, {""}, {"ipfs.example"}, {"ftp://ipfs.example"}, {"https://"}, {"https://user:secret@ipfs.example"},
		{"https://ipfs.example?token=secret"}, {"https://ipfs.example/#secret"}, {"https://ipfs.example", "secret://\x7f"},
	} {
		if _, err := gateway.New(bad, nil); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("New(%q) = %v, want an error without secrets", bad, err)
		}
	}
}
