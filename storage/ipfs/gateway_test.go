package ipfs

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
)

func TestGateway(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	chain := newTestChain(t, newRand(t), 2, 300, 4000)
	putTest(t, n, chain...)
	block, manifest := chain[1].blocks[1], chain[1].blocks[len(chain[1].blocks)-1]
	handler, err := n.Gateway()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(handler)
	defer s.Close()
	cid, newest := proofs.FormatCID(proofs.BlockDigest(block)), proofs.FormatCID(proofs.BlockDigest(manifest))
	for _, c := range []struct {
		name, method, path, accept string
		status                     int
		body                       []byte // nil: any
	}{
		{"the block by its format", "GET", cid + "?format=raw", "", 200, block},
		{"the block by its media type", "GET", cid, "application/vnd.ipld.raw", 200, block},
		{"only its head", "HEAD", cid + "?format=raw", "", 200, []byte{}},
		{"no format", "GET", cid, "", 406, nil},
		{"as JSON", "GET", cid + "?format=dag-json", "", 406, nil},
		{"as a page", "GET", cid, "text/html", 406, nil},
		{"what is not here", "GET", proofs.FormatCID(proofs.Hash{1}) + "?format=raw", "", 404, nil},
		{"not a CID", "GET", "latest?format=raw", "", 400, nil},
		{"the block by its format, which counts first", "GET", cid + "?format=raw", "application/vnd.ipld.car", 200, block},
		{"with all that it links to", "GET", cid + "?format=car", "", 400, nil},
		{"with all that it links to, by its media type", "GET", cid, "application/json;q=0.1, Application/VND.ipld.car; version=1", 400, nil},
		{"with all of it, said twice", "GET", cid + "?format=car&dag-scope=block&dag-scope=all", "", 400, nil},
		{"as an entity", "GET", cid + "?format=car&dag-scope=entity", "", 400, nil},
		{"along a path", "GET", newest + "/prev/chunks/0?format=raw", "", 400, nil},
		{"along a path that is escaped", "GET", newest + "%2fprev?format=raw", "", 400, nil},
		{"posted", "POST", cid + "?format=raw", "", 405, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+"/ipfs/"+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.accept != "" {
				r.Header.Set("Accept", c.accept)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != c.status || c.body != nil && !bytes.Equal(body, c.body) {
				t.Fatalf("status %d, want %d; %d bytes: %.200q, %v", resp.StatusCode, c.status, len(body), body, err)
			}
			kept := strings.Contains(resp.Header.Get("Cache-Control"), "immutable")
			if kept != (c.status == 200) {
				t.Errorf("Cache-Control %q with status %d", resp.Header.Get("Cache-Control"), c.status)
			}
		})
	}
	car, err := http.Get(s.URL + "/ipfs/" + newest + "?format=car&dag-scope=block")
	if err != nil {
		t.Fatal(err)
	}
	defer car.Body.Close()
	all, err := io.ReadAll(car.Body)
	if err != nil || !bytes.Contains(all, manifest) || len(all) > len(manifest)+1024 {
		t.Errorf("the CAR of a manifest of %d bytes has %d, %v", len(manifest), len(all), err)
	}
	c, err := gateway.New([]string{s.URL}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := c.Block(t.Context(), proofs.BlockDigest(manifest)); err != nil || !bytes.Equal(b, manifest) {
		t.Errorf("our client reads %d bytes, %v", len(b), err)
	}
	if _, err := c.Block(t.Context(), proofs.Hash{1}); !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("our client says %v of what is not there", err)
	}
}

// TestGatewayAlias: anybody can upload bytes that are links when they are read in another way.
func TestGatewayAlias(t *testing.T) {
	n := openTest(t, t.TempDir())
	defer closeTest(t, n)
	chain := newTestChain(t, newRand(t), 2, 300, 4000)
	putTest(t, n, chain...)
	manifest := chain[1].blocks[len(chain[1].blocks)-1]
	links := merkledag.NodeWithData(nil)
	if err := links.SetCidBuilder(cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256}); err != nil {
		t.Fatal(err)
	}
	if err := links.AddRawLink("all", &ipld.Link{Cid: cidOf(proofs.BlockDigest(manifest))}); err != nil {
		t.Fatal(err)
	}
	file, err := n.KeepFile(t.Context(), bytes.NewReader(links.RawData()))
	if err != nil {
		t.Fatal(err)
	}
	handler, err := n.Gateway()
	if err != nil {
		t.Fatal(err)
	}
	for id, status := range map[string]int{file.CID: 200, links.Cid().String(): 404} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/ipfs/"+id+"?format=car", nil))
		if w.Code != status || bytes.Contains(w.Body.Bytes(), manifest) {
			t.Errorf("%s: status %d, want %d, %d bytes", id, w.Code, status, w.Body.Len())
		}
	}
	if r, err := n.OpenFile(t.Context(), links.Cid().String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("read as what it is not: %v, %v", r, err)
	}
}
