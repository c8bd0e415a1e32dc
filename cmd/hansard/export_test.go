package main

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestExport exports from the running service and from its directory, which gives the same bytes, and imports them into a
// copy that lost its payloads.
func TestExport(t *testing.T) {
	s := startService(t)
	for i, room := range []string{"demo-dao", "other", "demo-dao"} {
		s.want(0, "words for "+room, "send", "--room", room, "--account", "alice", "--keystore", s.path("keys"), "--password-file", s.path("password"),
			"--server", s.url, "--trust", s.trust, "--wait", "finalized", "-o", s.path("r"+strconv.Itoa(i)+".receipt.json"))
	}
	wants := map[string][]string{
		"batch": {"batch", "1"}, "before": {"batch", "1", "--before"}, "room": {"room", "demo-dao"},
		"range": {"range", "--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"},
	}
	for name, args := range wants {
		s.want(0, "", append([]string{"export", "-o", s.path(name + ".car"), "--server", s.url}, args...)...)
	}
	_, errs := s.want(exitUsage, "", "export", "room", "no-such-room", "-o", s.path("none.car"), "--server", s.url)
	says(t, "a room without entries", errs, "no pinned batch holds")
	if _, err := os.Stat(s.path("none.car")); err == nil {
		t.Error("there is a file of nothing")
	}
	s.stop()
	for name, args := range wants {
		s.want(0, "", append([]string{"export", "-o", s.path("own-" + name + ".car"), "--data", s.path("data")}, args...)...)
		if !bytes.Equal(s.bytes(name+".car"), s.bytes("own-"+name+".car")) {
			t.Errorf("%s: the service and its directory export other bytes", name)
		}
	}
	s.want(exitConflict, "", "export", "batch", "0", "-o", s.path("room.car"), "--data", s.path("data"))
	for _, args := range [][]string{
		{"batch"}, {"batch", "x"}, {"room"}, {"room", "Not A Room"}, {"range"}, {"range", "--from", "yesterday"},
		{"range", "--from", "2100-01-01T00:00:00Z", "--to", "2020-01-01T00:00:00Z"},
	} {
		s.want(exitUsage, "", append([]string{"export", "-o", s.path("x.car"), "--data", s.path("data")}, args...)...)
	}
	s.want(exitUsage, "", "export", "batch", "0", "--data", s.path("data"))

	if err := os.RemoveAll(s.path("data", "ipfs")); err != nil {
		t.Fatal(err)
	}
	out, _ := s.want(0, "", "import", "car", s.path("room.car"), "--check", "--data", s.path("nowhere"), "--json")
	l := decode[importCARLine](t, out)
	var rooms []string
	for _, r := range l.Rooms {
		rooms = append(rooms, r.Room)
	}
	if !slices.Equal(rooms, []string{"demo-dao"}) || len(l.Batches) != 2 || l.Entries != 2 || l.Disclosed != 2 || l.Kept != 0 {
		t.Errorf("import --check: %s", out)
	}
	_, errs = s.want(exitUsage, "", "import", "car", s.path("batch.car"), "--data", s.path("data"))
	says(t, "a batch without those before it", errs, "export with --before")
	s.want(0, "", "import", "car", s.path("before.car"), "--data", s.path("data"))
	s.want(0, "", "import", "car", s.path("range.car"), "--data", s.path("data"))
	s.want(0, "", "import", "car", s.path("batch.car"), "--data", s.path("data"))
	out, _ = s.want(0, "", "export", "range", "--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "-o", s.path("again.car"), "--data", s.path("data"), "--json")
	if !bytes.Equal(s.bytes("range.car"), s.bytes("again.car")) {
		t.Errorf("what was imported is exported otherwise: %s", out)
	}
	s.badCARs()
}

// badCARs imports what nothing should be kept of.
func (s *serviceTest) badCARs() {
	t := s.t
	t.Helper()
	bad := s.bytes("batch.car")
	bad[len(bad)-1] ^= 1
	if err := os.WriteFile(s.path("bad.car"), bad, 0o644); err != nil {
		t.Fatal(err)
	}
	_, errs := s.want(proofs.Invalid.Exit(), "", "import", "car", s.path("bad.car"), "--data", s.path("data"))
	says(t, "a byte flipped", errs, "mismatch in content integrity")
	_, errs = s.want(proofs.Invalid.Exit(), "", "import", "car", s.path("batch.car"), "--check", "--max-bytes", "100")
	says(t, "too long", errs, "--max-bytes")
	s.want(exitUsage, "", "import", "car", s.path("batch.car"), "--data", s.path("nowhere"))
	s.want(exitUsage, "", "import", "car", s.path("none.car"), "--data", s.path("data"))
	s.want(exitUsage, "", "import", "car")

	other := startService(t)
	other.want(0, "words", "send", "--room", "demo-dao", "--account", "alice", "--keystore", other.path("keys"), "--password-file", other.path("password"),
		"--server", other.url, "--trust", other.trust, "--wait", "finalized", "-o", other.path("r.receipt.json"))
	other.stop()
	_, errs = s.want(proofs.Invalid.Exit(), "", "import", "car", s.path("room.car"), "--data", other.path("data"))
	if !strings.Contains(errs, "and log") {
		t.Errorf("a file of another log: %s", errs)
	}
}
