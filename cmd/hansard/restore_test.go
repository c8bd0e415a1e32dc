package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// slow lets nothing be sealed while a test looks at promises.
var slow = []string{"--max-age", "30m"}

// swap moves the data directory to a name and the directory of another name to its place.
func (s *serviceTest) swap(away, in string) {
	s.t.Helper()
	if err := os.Rename(s.path("data"), s.path(away)); err != nil {
		s.t.Fatal(err)
	}
	if err := os.CopyFS(s.path("data"), os.DirFS(s.path(in))); err != nil {
		s.t.Fatal(err)
	}
}

// refused starts a service that has to refuse, and returns what it says.
func (s *serviceTest) refused(code int, more ...string) string {
	s.t.Helper()
	args := append([]string{"serve", "--dev", "--data", s.path("data"), "--listen", "127.0.0.1:0"}, slow...)
	_, errs := s.want(code, "", append(args, more...)...)
	return errs
}

// promised sends words and returns the file of the receipt as the service gives it.
func (s *serviceTest) promised(words, file string) {
	s.t.Helper()
	s.send(0, s.url, words, "--trust", s.trust, "-o", s.path(file))
	s.want(0, "", "get", s.path(file), "-o", s.path(file), "--server", s.url)
}

func (s *serviceTest) bytes(file string) []byte {
	s.t.Helper()
	b, err := os.ReadFile(s.path(file))
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

func (s *serviceTest) copyTo(dir string, files ...string) {
	s.t.Helper()
	if err := os.MkdirAll(s.path(dir), 0o755); err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		if err := os.WriteFile(s.path(dir, filepath.Base(file)), s.bytes(file), 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestRestore swaps an old copy in: it is refused for its mark, and for receipts that it lacks, until it holds
// all that was promised again. Then the same receipts come out, and the next message gets the next place.
func TestRestore(t *testing.T) {
	s := startService(t)
	s.stop()
	mark := append(slices.Clone(slow), "--mark", s.path("mark"))
	_, stop := s.serve(mark...)
	s.promised("zero", "0.receipt.json")
	stop()
	if err := os.CopyFS(s.path("copy"), os.DirFS(s.path("data"))); err != nil {
		t.Fatal(err)
	}
	_, stop = s.serve(mark...)
	for _, n := range []string{"1", "2", "3"} {
		s.promised("words "+n, n+".receipt.json")
	}
	stop()
	if errs := s.refused(exitUsage); !strings.Contains(errs, "--mark FILE") {
		t.Errorf("without its mark: %s", errs)
	}
	if errs := s.refused(exitUsage, "--mark", s.path("data", "mark")); !strings.Contains(errs, "another disk") {
		t.Errorf("a mark in the directory: %s", errs)
	}
	if errs := s.refused(exitConflict, "--mark", s.path("nowhere")); !strings.Contains(errs, "--mark none") {
		t.Errorf("a mark that is not there: %s", errs)
	}

	s.swap("newest", "copy")
	for name, tc := range map[string]struct {
		files []string
		want  string
	}{
		"no receipts":    {nil, "entries up to 3 were promised, and those from 1 on are not there"},
		"a hole":         {[]string{"1.receipt.json", "3.receipt.json"}, "entry 3 was promised, and nobody here holds 2"},
		"the first gone": {[]string{"3.receipt.json"}, "entry 3 was promised, and nobody here holds 1 to 2"},
	} {
		args := mark[2:]
		if len(tc.files) > 0 {
			s.copyTo(name, tc.files...)
			args = append(slices.Clone(args), "--promises", s.path(name))
		}
		if errs := s.refused(exitConflict, args...); !strings.Contains(errs, tc.want) {
			t.Errorf("%s: %s", name, errs)
		}
	}

	// Somebody starts the copy without its mark, and promises a place again.
	s.swap("old", "copy")
	_, stop = s.serve(append(slices.Clone(slow), "--mark", "none")...)
	s.promised("another one", "other.receipt.json")
	stop()
	if errs := s.refused(exitConflict, mark[2:]...); !strings.Contains(errs, "entries up to 3") {
		t.Errorf("a copy that went on: %s", errs)
	}
	s.copyTo("theirs", "1.receipt.json")
	if errs := s.refused(exitConflict, "--promises", s.path("theirs")); !strings.Contains(errs, "entry 1 was promised twice") || !strings.Contains(errs, "the data directory") {
		t.Errorf("a copy that went on, with a receipt: %s", errs)
	}
	s.swap("went-on", "copy")
	s.copyTo("both", "1.receipt.json", "other.receipt.json")
	if errs := s.refused(exitConflict, "--promises", s.path("both")); !strings.Contains(errs, "entry 1 was promised twice with different leaves") {
		t.Errorf("two receipts for a place: %s", errs)
	}

	one, other := readReceipt(t, s.path("1.receipt.json")), readReceipt(t, s.path("other.receipt.json"))
	evidence := proofs.BreachEvidence{Breach: proofs.Conflict, Chain: one.Chain, Promise: *one.Promise, Second: other.Promise}
	if err := os.WriteFile(s.path("c.evidence.json"), evidence.Format(), 0o644); err != nil {
		t.Fatal(err)
	}
	_, errs := s.want(exitConflict, "", "promise", "recover", s.path("c.evidence.json"), "--data", s.path("data"))
	says(t, "evidence of two promises", errs, "entry 1 was promised twice")

	s.restored(mark)
	s.offline()
}

// offline restores the copy without a service.
func (s *serviceTest) offline() {
	t := s.t
	t.Helper()
	recover := func(code int, args ...string) (stdout, stderr string) {
		t.Helper()
		return s.want(code, "", append([]string{"promise", "recover", "--data", s.path("copy")}, args...)...)
	}
	_, errs := recover(exitConflict, s.path("3.receipt.json"))
	says(t, "a hole", errs, "nobody here holds 1 to 2")
	for _, want := range []recoverLine{{"hansard.promise-recover/1", 3, 4}, {"hansard.promise-recover/1", 0, 4}} {
		out, _ := recover(0, s.path("all"), s.path("0.receipt.json"), "--json")
		if got := decode[recoverLine](t, out); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	recover(exitUsage)
	recover(exitUsage, s.path("none.receipt.json"))
	_, errs = s.want(exitConflict, "", "promise", "recover", "--data", s.path("data"), s.path("all"))
	says(t, "a service that runs", errs, "in use")
	_, errs = s.want(exitUsage, "", "promise", "recover", "--data", s.path("nowhere"), s.path("all"))
	says(t, "no directory", errs, "--data")
}

// restored gives the copy all receipts, in the company of what is none.
func (s *serviceTest) restored(mark []string) {
	t := s.t
	t.Helper()
	hidden := readReceipt(t, s.path("2.receipt.json"))
	hidden.Message, hidden.Evidence = nil, nil
	s.copyTo("all", "1.receipt.json", "3.receipt.json", "0.receipt.json")
	for name, b := range map[string][]byte{
		"hidden.receipt.json": hidden.Format(),
		"forged.receipt.json": bytes.Replace(s.bytes("3.receipt.json"), []byte(`"receivedAt": "1`), []byte(`"receivedAt": "2`), 1),
		"none.receipt.json":   []byte("{}"),
		"note.txt":            []byte("not looked at"),
	} {
		if err := os.WriteFile(s.path("all", name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := append(slices.Clone(mark), "--promises", s.path("all"))
	errs := s.refused(exitConflict, all[2:]...)
	says(t, "a message that is not disclosed", errs, "entries 2 (hidden.receipt.json) were promised, and these receipts do not hold their messages")
	for file, why := range map[string]string{"forged": "its promise is not signed by a key of the log", "none": "it cannot be read"} {
		if !slices.ContainsFunc(strings.Split(errs, "\n"), func(line string) bool {
			return strings.Contains(line, file+".receipt.json") && strings.Contains(line, why)
		}) {
			t.Errorf("%s: no %q in %s", file, why, errs)
		}
	}
	s.copyTo("all", "2.receipt.json")
	for range 2 { // the second time all is there
		_, stop := s.serve(all...)
		for _, n := range []string{"0", "1", "2", "3"} {
			out, _ := s.want(0, "", "get", readReceipt(t, s.path(n+".receipt.json")).Entry.Message.String(), "--server", s.url)
			if out != string(s.bytes(n+".receipt.json")) {
				t.Errorf("receipt %s: got %s, want %s", n, out, s.bytes(n+".receipt.json"))
			}
		}
		stop()
	}
	_, stop := s.serve(mark...)
	s.promised("and on", "4.receipt.json")
	if rc := readReceipt(t, s.path("4.receipt.json")); rc.Entry.Index != 4 || rc.Entry.RoomPrev != readReceipt(t, s.path("3.receipt.json")).Entry.Leaf() {
		t.Errorf("the next entry: %+v", rc.Entry)
	}
	stop()
	s.serve(mark[2:]...) // sealed and anchored as ever
	for _, n := range []string{"1", "4"} {
		file := s.path(n + ".receipt.json")
		s.want(0, "", "watch", readReceipt(t, file).Entry.Message.String(), "--server", s.url)
		s.want(0, "", "get", file, "-o", file, "--server", s.url)
		s.want(0, "", "verify", file, "--trust", s.trust, "--block-hash", readReceipt(t, file).Anchor.Block.Hash.String())
	}
}

// signerOf returns who signed the promise of the receipt.
func (s *serviceTest) signerOf(file string) proofs.Address {
	s.t.Helper()
	rc := readReceipt(s.t, s.path(file))
	a, err := proofs.Recover(rc.Chain.PromiseDomain().PromiseDigest(rc.Promise), rc.Promise.Signature)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// TestRotatePromiseKey: from its place on a new key signs, before it the old one, over restarts; where the old
// one is gone no other signs for it.
func TestRotatePromiseKey(t *testing.T) {
	s := startService(t)
	s.stop()
	_, stop := s.serve(slow...)
	s.promised("before", "a.receipt.json")
	stop()
	next := append(slices.Clone(slow), "--promise-key", "next")
	if errs := s.refused(exitUsage, next[2:]...); !strings.Contains(errs, "--rotate-promise-key") {
		t.Errorf("a key that the directory does not know: %s", errs)
	}
	_, stop = s.serve(append(slices.Clone(next), "--rotate-promise-key")...)
	s.promised("after", "b.receipt.json")
	stop()
	if errs := s.refused(exitUsage, "--rotate-promise-key"); !strings.Contains(errs, "was replaced") {
		t.Errorf("the old key again: %s", errs)
	}

	_, stop = s.serve(next...)
	old, now := s.signerOf("a.receipt.json"), s.signerOf("b.receipt.json")
	trust, err := proofs.ParseTrust(s.bytes("data/trust.json"))
	if err != nil || !slices.Equal(trust.Logs[0].PromiseKeys, []proofs.Address{now, old}) || old == now {
		t.Errorf("trust file %+v, %v, want the keys %s and %s", trust, err, now, old)
	}
	for _, file := range []string{"a.receipt.json", "b.receipt.json"} {
		out, _ := s.want(0, "", "get", readReceipt(t, s.path(file)).Entry.Message.String(), "--server", s.url)
		if out != string(s.bytes(file)) {
			t.Errorf("%s is another after the restart: %s", file, out)
		}
		s.want(11, "", "verify", s.path(file), "--trust", s.trust)
	}
	stop()

	if err := os.Rename(s.path("data", "keys", "promise.json"), s.path("promise.json")); err != nil {
		t.Fatal(err)
	}
	id := readReceipt(t, s.path("a.receipt.json")).Entry.Message.String()
	_, stop = s.serve(next...)
	if _, errs := s.want(exitUnreachable, "", "get", id, "--server", s.url); !strings.Contains(errs, "cannot be signed again") {
		t.Errorf("a promise without its key: %s", errs)
	}
	s.promised("still", "c.receipt.json")
	if s.signerOf("c.receipt.json") != now {
		t.Error("another key signs")
	}
	stop()
	s.serve(next[2:]...)
	s.want(0, "", "watch", id, "--server", s.url)
	s.want(0, "", "get", id, "-o", s.path("bare.receipt.json"), "--server", s.url)
	rc := readReceipt(t, s.path("bare.receipt.json"))
	if rc.Promise != nil || rc.Level != proofs.Finalized {
		t.Errorf("the receipt without its key is %s with %+v", rc.Level, rc.Promise)
	}
	s.want(0, "", "verify", s.path("bare.receipt.json"), "--trust", s.trust, "--block-hash", rc.Anchor.Block.Hash.String())
	s.want(0, "", "get", s.path("a.receipt.json"), "-o", s.path("a.receipt.json"), "--server", s.url)
	if s.signerOf("a.receipt.json") != old {
		t.Error("the promise that its holder had is lost")
	}
}

// TestOtherWriter: a service whose log went on without it ends, with nothing to anchor of its own, and takes
// nothing more.
func TestOtherWriter(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	o.newLog("first", "old")
	if err := os.CopyFS(o.path("second"), os.DirFS(o.path("first"))); err != nil {
		t.Fatal(err)
	}
	_, ended, _ := o.serveAt("second", "--account", "old", "--max-age", "50m")
	first, _, _ := o.serveAt("first", "--account", "old")
	o.say(first, "first")
	select {
	case end := <-ended:
		if end.code != exitConflict || !strings.Contains(end.said, "another service writes to the log") {
			t.Errorf("the idle service ended with %+v", end)
		}
	case <-time.After(time.Minute):
		t.Fatal("the idle service goes on")
	}
}

// TestRotateBacked: a new key signs only once the bond, where there is one, backs it.
func TestRotateBacked(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	o.newLog("data", "old")
	key := func(name string) string {
		out, _ := o.want(0, "", "keys", "list", "--json", "--keystore", o.path("data", "keys"))
		for line := range strings.Lines(out) {
			if l := decode[keyLine](t, line); l.Name == name {
				return l.Address.String()
			}
		}
		t.Fatalf("no key %s in %s", name, out)
		return ""
	}
	at := []string{"--rpc", o.url, "--account", "old", "--keystore", o.path("data", "keys"), "--password-file", o.path("password"), "--yes"}
	for _, args := range [][]string{{"deploy"}, {"fund", "0.1"}, {"add-key", key("promise")}} {
		o.want(0, "", append(append([]string{"bond"}, args...), at...)...)
	}
	_, ended, stop := o.serveAt("data", "--account", "old")
	stop()
	<-ended
	o.want(0, "", "keys", "new", "next", "--light", "--keystore", o.path("data", "keys"), "--password-file", o.path("password"))
	rotate := []string{"--account", "old", "--promise-key", "next", "--rotate-promise-key"}
	_, errs := o.want(exitUsage, "", append([]string{"serve", "--rpc", o.url, "--data", o.path("data"), "--password-file", o.path("password"),
		"--listen", "127.0.0.1:0"}, rotate...)...)
	says(t, "a key that the bond does not know", errs, "does not back the new promise key "+key("next"), "hansard bond add-key "+key("next"))
	o.want(0, "", append([]string{"bond", "add-key", key("next")}, at...)...)
	_, ended, stop = o.serveAt("data", rotate...)
	stop()
	<-ended
	trust, err := os.ReadFile(o.path("data", "trust.json"))
	if err != nil || !strings.Contains(string(trust), key("next")) || !strings.Contains(string(trust), key("promise")) {
		t.Errorf("trust file %s, %v", trust, err)
	}
}

// TestHalted: when a loop that watches the chain fails, nothing is signed or taken from that moment on.
func TestHalted(t *testing.T) {
	n := &node{}
	fine := func(context.Context) error { return nil }
	if err := n.halt(t.Context(), fine); err != nil || n.Cover(0) != nil || n.canPromise() != nil {
		t.Fatalf("a loop that ended halts: %v, %v", err, n.Cover(0))
	}
	broken := errors.New("another writer")
	if err := n.halt(t.Context(), func(context.Context) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := n.Cover(0); !errors.Is(err, proofs.ErrRefused) {
		t.Errorf("a promise is signed: %v", err)
	}
	if busy := n.refuse(); busy == nil || busy.Code != batcher.CannotPromise {
		t.Errorf("a message is taken: %v", busy)
	}
}
