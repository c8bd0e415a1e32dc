package main

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// noise is n bytes that no compression helps.
func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// An author attaches two files, and everybody fetches them by the CIDs that the receipt names.
func TestSendAttached(t *testing.T) {
	s := startService(t)
	small, large := noise(1, 1000), noise(2, 700_000)
	for name, b := range map[string][]byte{"minutes.txt": small, "call.ogg": large} {
		if err := os.WriteFile(s.path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.send(0, s.url, "the minutes are attached",
		"--trust", s.trust, "--attach", s.path("minutes.txt"), "--attach", s.path("call.ogg"), "--wait", "finalized", "-o", s.path("r.json"))
	b, err := os.ReadFile(s.path("r.json"))
	if err != nil {
		t.Fatal(err)
	}
	rc, err := proofs.ParseReceipt(b)
	if err != nil || len(rc.Message.Attachments) != 2 {
		t.Fatalf("attachments of the receipt: %v, %v", rc.Message, err)
	}
	for i, want := range [][]byte{small, large} {
		resp, err := http.Get(s.url + "/ipfs/" + rc.Message.Attachments[i] + "?format=car")
		if err != nil {
			t.Fatal(err)
		}
		car, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !bytes.Contains(car, want[:1000]) || len(car) < len(want) {
			t.Errorf("attachment %d: %s, %d bytes, %v", i, resp.Status, len(car), err)
		}
	}
	s.send(2, s.url, "x",
		"--trust", s.trust, "--attach", s.path("nothing"))
}

// What a message names stays; the rest goes after a day, and does not take more room than it may until then.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	db, err := storage.Open(storage.Config{Dir: dir + "/log", Chain: proofs.Chain{Log: proofs.Hash{1}}})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	node, err := ipfs.Open(ipfs.Config{Dir: dir + "/ipfs"})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	now := time.Now()
	a := &attachments{node: node, log: db, logger: discard(), now: func() time.Time { return now }, limit: 100_000}
	keep := func(b []byte) string {
		cid, size, err := a.Keep(t.Context(), bytes.NewReader(b))
		if err != nil || size != int64(len(b)) {
			t.Fatalf("keep %d bytes: %d, %v", len(b), size, err)
		}
		return cid
	}
	named, unnamed := keep(noise(3, 40_000)), keep(noise(4, 30_000))
	m := &proofs.Message{Log: proofs.Hash{1}, Room: "dao/gov", Author: "zoom:Ada", Kind: "text/plain", Body: "see there", Attachments: []string{named}}
	entry := proofs.Accepted{Record: proofs.Record{Entry: proofs.Entry{Log: m.Log, Room: m.Room.Tag()}, Message: m, Evidence: proofs.Evidence{Scheme: proofs.SchemeNone, Bytes: []byte{}}}}
	if err := db.Append(t.Context(), proofs.Tail{Next: 1}, []proofs.Accepted{entry}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Keep(t.Context(), bytes.NewReader(noise(5, 40_000))); !errors.Is(err, api.ErrNoRoom) {
		t.Errorf("over the limit: %v", err)
	}
	sweep := func(want ...string) {
		t.Helper()
		if err := a.sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		var got []string
		node.Files(t.Context(), func(f ipfs.File) error { got = append(got, f.CID); return nil })
		for _, cid := range want {
			if !strings.Contains(strings.Join(got, " "), cid) {
				t.Errorf("%s is gone; there are %q", cid, got)
			}
		}
		if len(got) != len(want) {
			t.Errorf("there are %q, want %q", got, want)
		}
	}
	sweep(named, unnamed)
	third := keep(noise(5, 40_000)) // what is named does not count any more
	now = now.Add(unnamedFor + time.Minute)
	sweep(named)
	if again := keep(noise(5, 40_000)); again != third {
		t.Errorf("the same bytes are %s, were %s", again, third)
	}
}
