package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// asIfElsewhere puts the development chain and the password beside a restored log: a chain elsewhere stays where it is,
// and nobody keeps a password with a backup.
func (s *serviceTest) asIfElsewhere(from string) {
	s.t.Helper()
	if err := os.CopyFS(s.path("data", "chain"), os.DirFS(s.path(from, "chain"))); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.path("data", "keys", "password"), s.bytes(filepath.Join(from, "keys", "password")), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// filled sends words that become final, and words that stay in the pool, and stops the service. It returns the
// receipts' files.
func (s *serviceTest) filled() (files []string) {
	s.t.Helper()
	for _, n := range []string{"0", "1", "2"} {
		file := n + ".receipt.json"
		s.send(0, s.url, "final words "+n, "--trust", s.trust, "--wait", "finalized", "-o", s.path(file))
		files = append(files, file)
	}
	s.stop()
	_, stop := s.serve(slow...)
	for _, n := range []string{"3", "4"} {
		s.promised("pooled words "+n, n+".receipt.json")
		files = append(files, n+".receipt.json")
	}
	for _, file := range files {
		s.want(0, "", "get", s.path(file), "-o", s.path(file), "--server", s.url)
	}
	stop()
	return files
}

// TestBackup loses the data directory and restores it from a whole backup alone: the same receipts come out, byte for
// byte, and the next message gets the next place.
func TestBackup(t *testing.T) {
	s := startService(t)
	_, errs := s.want(exitConflict, "", "backup", "--data", s.path("data"), "-o", s.path("b.tar"))
	says(t, "a service that runs", errs, "snapshot")
	files := s.filled()
	out, _ := s.want(0, "", "backup", "--data", s.path("data"), "-o", s.path("b.tar"), "--full", "--json")
	made := decode[backupLine](t, out)
	if !made.Whole || made.Next != 5 || made.FirstEntry != 0 || made.Batches == 0 || !slices.Equal(made.Keys, []string{"anchor", "promise"}) {
		t.Errorf("backup: %+v", made)
	}
	if info, err := os.Stat(s.path("b.tar")); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	s.want(exitConflict, "", "backup", "--data", s.path("data"), "-o", s.path("b.tar"))
	s.want(exitUsage, "", "backup", "--data", s.path("data"), "-o", s.path("data", "b.tar"))
	s.want(exitConflict, "", "restore", s.path("b.tar"), "--data", s.path("data"))
	raw := s.bytes("b.tar")
	for _, secret := range []string{"importer.token", "importer.secret"} {
		b, err := os.ReadFile(s.path("data", secret))
		if err == nil && bytes.Contains(raw, bytes.TrimSpace(b)) {
			t.Errorf("the backup holds %s", secret)
		}
	}
	if bytes.Contains(raw, bytes.TrimSpace(s.bytes("data/keys/password"))) {
		t.Error("the backup holds the password")
	}

	if err := os.Rename(s.path("data"), s.path("lost")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.path("data", staging, "log", "half"), 0o700); err != nil { // of one that was cut short
		t.Fatal(err)
	}
	_, errs = s.want(0, "", "restore", s.path("b.tar"), "--data", s.path("data"))
	if !strings.Contains(errs, "promise the same places twice") {
		t.Errorf("restore says %s", errs)
	}
	out, _ = s.want(0, "", "backup", "--data", s.path("data"), "-o", s.path("again.tar"), "--full", "--json")
	again := decode[backupLine](t, out)
	if !again.Marked || again.Next != made.Next || again.Batches != made.Batches || !slices.Equal(again.PromiseKeys, made.PromiseKeys) {
		t.Errorf("the backup of what was restored: %+v", again)
	}
	s.asIfElsewhere("lost")
	if errs := s.refused(exitUsage); !strings.Contains(errs, "--mark FILE") {
		t.Errorf("without a mark: %s", errs)
	}
	_, stop := s.serve(append(slices.Clone(slow), "--mark", "none")...)
	for _, file := range files {
		s.want(0, "", "get", s.path(file), "-o", s.path("restored-"+file), "--server", s.url)
		if !bytes.Equal(s.bytes(file), s.bytes("restored-"+file)) {
			t.Errorf("%s is another one now", file)
		}
	}
	s.promised("the next", "5.receipt.json")
	rc, err := proofs.ParseReceipt(s.bytes("5.receipt.json"))
	if err != nil || rc.Entry.Index != 5 {
		t.Errorf("the next message got place %d, %v", rc.Entry.Index, err)
	}
	stop()
}

// TestBackupRest takes only what chain and IPFS do not hold, which stock tools open.
func TestBackupRest(t *testing.T) {
	s := startService(t)
	s.filled()
	out, errs := s.want(0, "", "backup", "--data", s.path("data"), "-o", s.path("b.tar"), "--json")
	made := decode[backupLine](t, out)
	if made.Whole || made.FirstEntry != 3 || made.Next != 5 || made.FirstDeadline != 0 || made.FirstBatch != made.Batches {
		t.Errorf("backup: %+v, %s", made, errs)
	}
	_, errs = s.want(0, "", "backup", "verify", s.path("b.tar"))
	if !strings.Contains(errs, "held elsewhere") {
		t.Errorf("verify says %s", errs)
	}
	untar := exec.Command("sh", "-c", "mkdir open && tar xf b.tar -C open && cd open && sha256sum --strict -c SHA256SUMS")
	untar.Dir = s.dir
	if said, err := untar.CombinedOutput(); err != nil || !strings.Contains(string(said), "deadlines/00000000000000000000.bin: OK") {
		t.Errorf("stock tools: %v\n%s", err, said)
	}
	out, _ = s.want(0, "", "restore", s.path("b.tar"), "--data", s.path("new"), "--json")
	if r := decode[restoreLine](t, out); r.Log || r.Next != 0 {
		t.Errorf("restore: %+v", r)
	}
	if _, err := os.Stat(s.path("new", "log")); err == nil {
		t.Error("a part of the log was restored as the log")
	}
	_, errs = s.want(exitUsage, "", "restore", "--append", s.path("b.tar"), "--data", s.path("new"))
	says(t, "keys without the log", errs, "there is no log in")
	s.want(exitUsage, "", "backup", "--data", s.path("new"), "-o", s.path("none.tar"))
	if _, err := os.Stat(s.path("new", "log")); err == nil {
		t.Error("an empty log was made beside the keys")
	}
	if err := os.RemoveAll(s.path("new")); err != nil {
		t.Fatal(err)
	}
	out, errs = s.want(0, "", "restore", "--append", s.path("b.tar"), "--data", s.path("data"), "--json")
	if r := decode[restoreLine](t, out); !r.Log || r.Entries != 0 || r.Next != 5 {
		t.Errorf("append what is there: %+v", r)
	}
	says(t, "append", errs, "promise the same places twice")
	bad := s.bytes("b.tar")
	bad[len(bad)/2] ^= 1
	if err := os.WriteFile(s.path("bad.tar"), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	s.want(10, "", "backup", "verify", s.path("bad.tar"))
	s.want(10, "", "restore", s.path("bad.tar"), "--data", s.path("none"))
	if _, err := os.Stat(s.path("none")); err == nil {
		t.Error("a damaged backup left a directory")
	}
}
