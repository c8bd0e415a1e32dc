package nodes

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"
)

// TestDialRefused has URLs that are refused, by errors that do not quote them.
func TestDialRefused(t *testing.T) {
	const key = secretPath
	good := "https://a.example/" + key
	for _, tc := range []struct {
		urls []string
		cfg  Config
		want string
	}{
		{nil, Config{}, "no node is configured"},
		{[]string{good}, Config{Need: 2}, "a quorum of 2 among 1 nodes is impossible"},
		{[]string{good}, Config{Need: -1}, "a quorum of -1"},
		{[]string{good}, Config{Timeout: -1}, "negative"},
		{[]string{good, "https://a.example/%zz" + key}, Config{}, "node 2: it is no URL"},
		{[]string{"a.example/" + key}, Config{}, "it has no scheme"},
		{[]string{"ftp://a.example/" + key}, Config{}, "another scheme"},
		{[]string{"stdio:" + key}, Config{}, "another scheme"},
		{[]string{"https:///" + key}, Config{}, "no host"},
		{[]string{good, good}, Config{}, "node 2, a.example, is given twice"},
		{[]string{good, "https://A.example:443/" + key + "/"}, Config{}, "is given twice"},
		{[]string{good, "wss://a.example/" + key}, Config{}, "is given twice"},
		{[]string{"/run/geth.ipc", "/run/../run/geth.ipc"}, Config{}, "node 2, geth.ipc, is given twice"},
	} {
		_, err := Dial(t.Context(), tc.urls, tc.cfg)
		if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), key) {
			t.Errorf("%v: got %v, want %q", tc.urls, err, tc.want)
		}
	}
}

// TestNames names nodes for people.
func TestNames(t *testing.T) {
	q, err := Dial(t.Context(), []string{
		"https://user:" + secretWord + "@eth.example/v2/" + secretPath, "https://eth.example/v2/" + secretQuery,
		"http://127.0.0.1:8545", "http://127.0.0.1:8546", "/run/geth/geth.ipc", "wss://[2001:db8::1]:8546/?key=" + secretQuery,
	}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	var got []string
	for _, h := range q.Health() {
		got = append(got, h.Name)
	}
	want := []string{"eth.example", "eth.example#2", "127.0.0.1:8545", "127.0.0.1:8546", "geth.ipc", "[2001:db8::1]:8546"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := q.Shared(); !slices.Equal(got, []string{"eth.example"}) {
		t.Errorf("shared: %q", got)
	}
	if q.Len() != 6 || q.Need() != 4 {
		t.Errorf("%d of %d", q.Need(), q.Len())
	}
}

// TestNew names nodes of the same name apart, and refuses one that would count twice.
func TestNew(t *testing.T) {
	client := func() *rpc.Client {
		c, err := rpc.Dial("http://127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	q, err := New([]Node{{"a#2", client()}, {"a", client()}, {"a", client()}, {"", client()}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range q.Health() {
		got = append(got, h.Name)
	}
	if want := []string{"a#2", "a", "a#3", "node"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	one := client()
	for _, list := range [][]Node{{}, {{"a", nil}}, {{"a", one}, {"b", one}}} {
		if _, err := New(list, Config{}); err == nil {
			t.Errorf("%v was taken", list)
		}
	}
}

// TestSecrets has servers that are wrong in ways in which Go's errors, or the servers, show the URL.
func TestSecrets(t *testing.T) {
	handlers := map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String()+"x", http.StatusTemporaryRedirect)
		},
		"echo": func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.URL.String()+r.URL.RawQuery+r.Header.Get("Authorization"), http.StatusForbidden)
		},
		"stated": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"key %s of %s"}}`, r.URL.Path, r.URL.RawQuery)
		},
		"cut": func(w http.ResponseWriter, r *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			c.Close()
		},
		"headers": func(w http.ResponseWriter, r *http.Request) {
			for i := range 200 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("x", 1000))
			}
		},
		"endless": func(w http.ResponseWriter, r *http.Request) { io.Copy(w, zeros{' '}) },
	}
	urls := map[string]string{"refused": "http://user:" + secretWord + "@127.0.0.1:1/" + secretPath + "?k=" + secretQuery}
	for name, h := range handlers {
		s := httptest.NewServer(h)
		defer s.Close()
		urls[name] = strings.Replace(s.URL, "//", "//user:"+secretWord+"@", 1) + "/v2/" + secretPath + "?key=" + secretQuery
		urls[name+" ws"] = strings.Replace(urls[name], "http", "ws", 1)
	}
	delete(urls, "endless ws") // it is a handshake like another
	for name, u := range urls {
		t.Run(name, func(t *testing.T) {
			q, err := Dial(t.Context(), []string{u}, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			w := &world{T: t, q: q}
			for _, r := range reads() {
				_, err := r.ask(t.Context(), q)
				if err == nil {
					t.Errorf("%s: no error", r.name)
				}
				w.checkSecrets(err)
			}
			h := q.Health()[0]
			if h.LastErr == "" {
				t.Errorf("no error is kept: %+v", h)
			}
			if name == "endless" && !strings.Contains(h.LastErr, "longer than 4 MiB") {
				t.Errorf("an answer without end ended by %s", h.LastErr)
			}
			t.Log(h.LastErr)
		})
	}
}

// TestSecretUser has a provider that takes its key for the user's name, and shows it.
func TestSecretUser(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		http.Error(w, "user "+user+" by "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer s.Close()
	for _, at := range []string{secretWord, secretWord + ":", secretWord + ":x"} {
		q, err := Dial(t.Context(), []string{strings.Replace(s.URL, "//", "//"+at+"@", 1)}, Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		_, err = q.Head(t.Context())
		if err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("got %v", err)
		}
		if token := base64.StdEncoding.EncodeToString([]byte(secretWord))[:8]; strings.Contains(fmt.Sprint(err), token) {
			t.Errorf("the header is shown: %v", err)
		}
		(&world{T: t, q: q}).checkSecrets(err)
	}
}

// TestSecretsOfNew has a client whose URL the Quorum does not know.
func TestSecretsOfNew(t *testing.T) {
	c, err := rpc.Dial("http://user:" + secretWord + "@127.0.0.1:1/" + secretPath + "?k=" + secretQuery)
	if err != nil {
		t.Fatal(err)
	}
	q, err := New([]Node{{"a", c}}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = q.Head(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	(&world{T: t, q: q}).checkSecrets(err)
}

// TestRedirect has a node that sends questions on to another place, which must not hear of them.
func TestRedirect(t *testing.T) {
	heard := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusPermanentRedirect))
	defer s.Close()
	q, err := Dial(t.Context(), []string{s.URL}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Head(t.Context()); err == nil || heard {
		t.Errorf("got %v, and the other place was asked: %t", err, heard)
	}
}

// ethAPI is a node for WebSockets.
type ethAPI struct{}

func (ethAPI) ChainId() hexutil.Uint64 { return testChain }
func (ethAPI) GetBlockByNumber(tag string, _ bool) any {
	return (&fake{chain: mainChain, head: top}).block(7)
}

// TestWebSocket has a node that is down when it is dialed, comes up, goes away and comes back.
func TestWebSocket(t *testing.T) {
	api := rpc.NewServer()
	defer api.Stop()
	if err := api.RegisterName("eth", ethAPI{}); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	q, err := Dial(t.Context(), []string{"ws://" + addr}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Head(t.Context()); !errors.Is(err, ErrNoQuorum) {
		t.Fatal(err)
	}
	for range 2 {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: api.WebsocketHandler([]string{"*"})}}
		s.Start()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		for { // the client notices on its own time that the connection has gone
			if b, err := q.Head(ctx); err == nil && b.Number == 7 {
				break
			} else if ctx.Err() != nil {
				t.Fatal(err)
			}
		}
		cancel()
		s.CloseClientConnections()
		l.Close()
		api.Stop()
		api = rpc.NewServer()
		if err := api.RegisterName("eth", ethAPI{}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestIPC has a socket that is not there.
func TestIPC(t *testing.T) {
	q, err := Dial(t.Context(), []string{filepath.Join(t.TempDir(), "geth.ipc")}, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if _, err := q.Head(t.Context()); !errors.Is(err, ErrNoQuorum) {
		t.Error(err)
	}
}
