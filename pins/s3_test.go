package pins

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestS3 puts a file of several parts and one of one part into a bucket, where they are found under their CIDs.
func TestS3(t *testing.T) {
	w := newWorld(t, 1)
	w.keep(func(put func([]byte) error) error {
		for i := range 40 {
			b := append([]byte{0x5a, 0, 8, 0, 0}, bytes.Repeat([]byte{byte(i)}, 8<<16)...) // 512 KiB
			if err := put(b); err != nil {
				return err
			}
		}
		return nil
	})
	f, url := newS3Server(t)
	var parts, puts atomic.Int32
	f.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			puts.Add(1)
			if r.URL.Query().Has("partNumber") {
				parts.Add(1)
			}
			if r.Header.Get("Content-Md5") == "" {
				t.Errorf("%s has no MD5", r.URL)
			}
		}
		return true
	})
	to := target(t, "s3:"+url+"/bucket/a/log?region=us-east-1")
	k := w.keeper(2, to)
	for range 2 {
		w.check(k.work(t.Context(), k.places[0]))
	}
	if puts.Load() != 3 || parts.Load() != 2 {
		t.Errorf("%d puts, %d of them parts; want one of the small file and two of the other", puts.Load(), parts.Load())
	}
	for n := range w.roots {
		resp, err := http.Get(fmt.Sprintf("%s/bucket/a/log/%s.car", url, proofs.FormatCID(w.roots[n])))
		w.check(err)
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !bytes.Equal(got, w.bytes(n)) || resp.Header.Get("Content-Type") != carType {
			t.Errorf("batch %d: %d bytes as %s, %v", n, len(got), resp.Header.Get("Content-Type"), err)
		}
	}
	none := w.keeper(2, target(t, "s3:"+url+"/no-bucket?region=us-east-1"))
	if err := none.work(t.Context(), none.places[0]); err == nil || !strings.Contains(err.Error(), "NoSuchBucket") {
		t.Errorf("no bucket: %v", err)
	}
}
