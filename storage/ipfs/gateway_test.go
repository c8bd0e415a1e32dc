package ipfs

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
	cid := proofs.FormatCID(proofs.BlockDigest(block))
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
	car, err := http.Get(s.URL + "/ipfs/" + proofs.FormatCID(proofs.BlockDigest(manifest)) + "?format=car")
	if err != nil {
		t.Fatal(err)
	}
	defer car.Body.Close()
	all, err := io.ReadAll(car.Body)
	for _, b := range chain {
		for i, block := range b.blocks {
			if err != nil || !bytes.Contains(all, block) {
				t.Errorf("the CAR of %d bytes lacks block %d of batch %d: %v", len(all), i, b.manifest.Number, err)
			}
		}
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
