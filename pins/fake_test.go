package pins

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// faulty is a server in front of another that behaves as badly as it is told to.
type faulty struct {
	atomic.Pointer[fault]
	next http.Handler
}

// fault answers a request, or returns true to have the server behind answer what it left of it.
type fault func(w http.ResponseWriter, r *http.Request) (goOn bool)

func (f *faulty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if bad := f.Load(); bad != nil && !(*bad)(w, r) {
		return
	}
	f.next.ServeHTTP(w, r)
}

func (f *faulty) set(bad fault) {
	if bad == nil {
		f.Store(nil)
		return
	}
	f.Store(&bad)
}

func serve(t *testing.T, h http.Handler) (f *faulty, url string) {
	t.Helper()
	f = &faulty{next: h}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return f, s.URL
}

// down closes the connection.
func down(w http.ResponseWriter, _ *http.Request) bool { panic(http.ErrAbortHandler) }

// slow answers nothing until the client gives up.
func slow(_ http.ResponseWriter, r *http.Request) bool {
	io.Copy(io.Discard, r.Body) //nolint:errcheck // the server notices the client's end only after the body
	<-r.Context().Done()
	return false
}

// status answers with that, and a text.
func status(code int, text string) fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, text, code)
		return false
	}
}

// at limits a fault to some requests.
func at(method, part string, f fault) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == method && strings.Contains(r.URL.Path, part) {
			return f(w, r)
		}
		return true
	}
}

// changed changes what the server behind answers.
func changed(f **faulty, change func(head http.Header, body []byte) []byte) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		rec := httptest.NewRecorder()
		(*f).next.ServeHTTP(rec, r)
		b := change(rec.Header(), rec.Body.Bytes())
		for key, values := range rec.Header() {
			w.Header()[key] = values
		}
		w.WriteHeader(rec.Code)
		w.Write(b) //nolint:errcheck // the client notices
		return false
	}
}

// flip answers with other bytes.
func flip(_ http.Header, b []byte) []byte {
	if b = bytes.Clone(b); len(b) > 0 {
		b[len(b)/2] ^= 1
	}
	return b
}

// half keeps half of what is put, and says nothing of it.
func half(f **faulty) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		(*f).next.ServeHTTP(w, r)
		whole := httptest.NewRecorder()
		(*f).next.ServeHTTP(whole, httptest.NewRequest(http.MethodGet, r.URL.Path, nil))
		b := whole.Body.Bytes()
		put := httptest.NewRequest(http.MethodPut, r.URL.Path, bytes.NewReader(b[:len(b)/2]))
		put.Header.Set("Content-Length", fmt.Sprint(put.ContentLength))
		(*f).next.ServeHTTP(httptest.NewRecorder(), put)
		return false
	}
}

// newS3Server is a bucket service of others, in memory.
func newS3Server(t *testing.T) (*faulty, string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("bucket"); err != nil {
		t.Fatal(err)
	}
	return serve(t, gofakes3.New(backend).Server())
}

// fakeKubo answers as far as our driver asks as Kubo does, for faults that a real one is not to be talked into. The driver is run
// against a real one in kubo_test.go.
type fakeKubo struct {
	t      *testing.T
	blocks map[string][]byte
	pinned map[string]bool
}

func newFakeKubo(t *testing.T) (*fakeKubo, *faulty, string) {
	t.Helper()
	k := &fakeKubo{t, map[string][]byte{}, map[string]bool{}}
	f, url := serve(t, k)
	return k, f, url
}

func (k *fakeKubo) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(format string, args ...any) {
		w.WriteHeader(http.StatusInternalServerError)
		json.NewEncoder(w).Encode(map[string]any{"Message": fmt.Sprintf(format, args...), "Type": "error"}) //nolint:errcheck // the client notices
	}
	q := r.URL.Query()
	if r.Method != http.MethodPost || q.Get("offline") != "true" {
		k.t.Errorf("asked %s %s", r.Method, r.URL)
	}
	switch strings.TrimPrefix(r.URL.Path, "/api/v0/") {
	case "dag/import":
		file, _, err := r.FormFile("file")
		if err != nil {
			refuse("%v", err)
			return
		}
		in, err := car.NewBlockReader(file)
		n := 0
		for err == nil {
			b, e := in.Next()
			if err = e; err == nil {
				k.blocks[b.Cid().String()], n = b.RawData(), n+1
			}
		}
		if err != io.EOF {
			refuse("import failed: %v", err)
			return
		}
		fmt.Fprintf(w, `{"Stats":{"BlockCount":%d,"BlockBytesCount":1}}`+"\n", n)
	case "pin/add":
		for _, c := range q["arg"] {
			if k.blocks[c] == nil {
				refuse("pin: block was not found locally (offline): ipld: could not find %s", c)
				return
			}
			k.pinned[c] = true
		}
		fmt.Fprint(w, `{"Pins":[]}`)
	case "pin/ls":
		keys := map[string]any{}
		for _, c := range q["arg"] {
			if !k.pinned[c] || q.Get("type") != "direct" {
				refuse("path '/ipfs/%s' is not pinned", c)
				return
			}
			keys[c] = map[string]string{"Type": "direct"}
		}
		json.NewEncoder(w).Encode(map[string]any{"Keys": keys}) //nolint:errcheck // the client notices
	case "pin/rm":
		for _, c := range q["arg"] {
			delete(k.pinned, c)
		}
	case "block/rm":
		for _, c := range q["arg"] {
			delete(k.blocks, c)
		}
	case "block/get":
		b, ok := k.blocks[q.Get("arg")]
		if !ok {
			refuse("block was not found locally (offline): ipld: could not find %s", q.Get("arg"))
			return
		}
		w.Write(b) //nolint:errcheck // the client notices
	case "config/show":
		fmt.Fprint(w, `{"Datastore":{"Spec":{"type":"mount","mounts":[{"child":{"type":"flatfs","sync":false}},{"type":"levelds"}]}}}`)
	default:
		http.NotFound(w, r)
	}
}

// fakePSA pins what the gateway beside it has, or says so. The driver is run against a server of others in psa_test.go.
type fakePSA struct {
	pins map[string]string // status by CID
	say  string            // status of what is added
}

func newFakePSA(t *testing.T) (*fakePSA, *faulty, string) {
	t.Helper()
	p := &fakePSA{map[string]string{}, "pinned"}
	f, url := serve(t, p)
	return p, f, url
}

func (p *fakePSA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	one := func(c string) map[string]any {
		return map[string]any{"requestid": c, "status": p.pins[c], "created": "2026-11-21T10:00:00Z", "pin": map[string]string{"cid": c}, "delegates": []string{},
			"info": map[string]string{"status_details": "nobody has it"}}
	}
	var answer any
	id := strings.TrimPrefix(r.URL.Path, "/pins/")
	switch {
	case r.Header.Get("Authorization") != "Bearer test-token":
		w.WriteHeader(http.StatusUnauthorized)
		answer = map[string]any{"error": map[string]string{"reason": "UNAUTHORIZED", "details": "no such token"}}
	case r.Method == http.MethodGet && r.URL.Path == "/pins":
		found := []any{}
		for _, text := range strings.Split(r.URL.Query().Get("cid"), ",") {
			if p.pins[text] != "" {
				found = append(found, one(text))
			}
		}
		answer = map[string]any{"count": len(found), "results": found}
	case r.Method == http.MethodPost:
		var pin struct{ CID string }
		if err := json.NewDecoder(r.Body).Decode(&pin); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		if _, err := cid.Decode(pin.CID); err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		p.pins[pin.CID] = p.say
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		answer = one(pin.CID)
	case r.Method == http.MethodDelete:
		delete(p.pins, id)
		w.WriteHeader(http.StatusAccepted)
		return
	default:
		answer = one(id)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answer) //nolint:errcheck // the client notices
}
