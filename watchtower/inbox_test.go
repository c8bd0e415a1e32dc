package watchtower

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// TestFiles puts in files of all kinds, at any time.
func TestFiles(t *testing.T) {
	w := newWorld(t)
	good := w.entry(0, "a")
	file := w.receipt(good, w.promise(good, time.Hour))
	unsigned := w.promise(good, time.Hour)
	unsigned.Signature = proofs.Signature{}
	other := *w
	other.log.ChainID++
	untrusted := *w
	untrusted.log.Log[0] ^= 1
	foreign := w.entry(0, "a")
	foreign.Log = untrusted.log.Log
	plain := proofs.Receipt{Level: proofs.Promised, Chain: w.log, Entry: good}
	withPromise := plain
	p := w.promise(good, time.Hour)
	withPromise.Promise = &p
	for _, c := range []struct {
		name, says string
		file       []byte
	}{
		{"empty", "receipt", nil},
		{"half", "receipt", file[:len(file)/2]},
		{"more", "receipt", append(bytes.Clone(file), '{')},
		{"large", "over the limit", append(bytes.Clone(file), bytes.Repeat([]byte(" "), proofs.MaxReceipt)...)},
		{"page", "receipt", []byte("<html>")},
		{"unsigned", "promise for index 0", w.receipt(good, unsigned)},
		{"chain", "not in the trust file", other.receipt(good, p)},
		{"log", "not in the trust file", untrusted.receipt(foreign, untrusted.promise(foreign, time.Hour))},
		{"evidence", "evidence", []byte(`{"format": "hansard-evidence/1"}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.T = t
			name := "x" + c.name + receiptSuffix
			w.write(name, c.file)
			before := w.round()
			bad := w.happened(KindFile)
			if len(bad) != 1 || filepath.Base(bad[0].Path) != name || !strings.Contains(bad[0].Detail, c.says) {
				t.Errorf("told %s; want one file with %q", w.told(), c.says)
			}
			if before != (Summary{}) {
				t.Errorf("%+v", before)
			}
			if w.round(); len(w.events) != 0 {
				t.Errorf("told again: %s", w.told())
			}
		})
	}
	w.T = t
	w.write("no-promise.json", []byte("{"))
	if w.round(); len(w.events) != 0 {
		t.Errorf("another file was read: %s", w.told())
	}
	w.write("xhalf"+receiptSuffix, file)
	w.want(w.round(), 1, 0, 0, 0)
	w.write("again"+receiptSuffix, file)
	w.want(w.round(), 1, 0, 0, 0)
	if err := os.RemoveAll(w.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if sum := w.round(); sum.Err == nil || sum.Open != 1 || len(w.happened(KindTrouble)) != 1 {
		t.Errorf("without the directory: %+v, %s", sum, w.told())
	}
	w.write("back"+receiptSuffix, file)
	if sum := w.round(); sum.Err != nil || len(w.happened(KindClear)) != 1 {
		t.Errorf("with it again: %+v, %s", sum, w.told())
	}
}

// TestOtherChain leaves out what is of a chain that the nodes are not on.
func TestOtherChain(t *testing.T) {
	w := newWorld(t)
	other := *w
	other.log.ChainID++
	e := w.entry(0, "a")
	w.cfg.Trust = nil
	w.write("a"+receiptSuffix, other.receipt(e, other.promise(e, time.Hour)))
	w.want(w.round(), 0, 0, 0, 0)
	if bad := w.happened(KindFile); len(bad) != 1 || !strings.Contains(bad[0].Detail, "one chain") {
		t.Errorf("%s", w.told())
	}
}

// TestNamesLie finds the promises of a log whatever files are called, and follows no log at a contract that is not
// AnchorLog.
func TestNamesLie(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	w.write("missed-1-00000000"+proofs.EvidenceSuffix, w.receipt(e, w.promise(e, time.Hour)))
	w.want(w.round(), 1, 0, 0, 0)
	fake := *w
	fake.log.AnchorLog = w.operator.Address()
	fake.log.PromiseBond = proofs.Address{}
	w.cfg.Trust = nil
	w.restart()
	w.write("fake"+receiptSuffix, fake.receipt(e, fake.promise(e, time.Hour)))
	sum := w.round()
	if sum.Open != 1 || sum.Unknown != 1 || sum.Err == nil || !strings.Contains(sum.Err.Error(), "not the AnchorLog") {
		t.Errorf("%+v, %s", sum, w.told())
	}
}

// TestNodesDown waits for nodes.
func TestNodesDown(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	w.give("a", e, w.promise(e, time.Hour))
	up := w.cfg.Nodes
	down, err := nodes.Dial(t.Context(), []string{"http://127.0.0.1:1"}, nodes.Config{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer down.Close()
	w.cfg.Nodes = down
	for i := range 2 {
		sum := w.round()
		if !errors.Is(sum.Err, nodes.ErrNoQuorum) || sum.Broken != 0 || len(w.happened(KindTrouble)) != 1-i {
			t.Errorf("round %d: %+v, %s", i, sum, w.told())
		}
	}
	w.w.cfg.Nodes = up
	w.want(w.round(), 1, 0, 0, 0)
	if len(w.happened(KindClear)) != 1 {
		t.Errorf("%s", w.told())
	}
}

// TestEvidenceStays leaves what is there as it is, and finds another name where that is something else.
func TestEvidenceStays(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	p := w.promise(e, time.Hour)
	w.give("a", e, p)
	w.pass(2 * time.Hour)
	w.want(w.round(), 0, 0, 1, 0)
	files, err := filepath.Glob(filepath.Join(w.cfg.Evidence, "missed-0-*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	first, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	w.restart()
	w.want(w.round(), 0, 0, 1, 0)
	if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, first) {
		t.Errorf("the evidence was written again, %v", err)
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.want(w.round(), 0, 0, 1, 0)
	written := w.happened(KindEvidence)
	if len(written) != 1 || written[0].Path == files[0] {
		t.Fatalf("%s", w.told())
	}
	b, err := os.ReadFile(written[0].Path)
	if got, parseErr := proofs.ParseBreachEvidence(b); err != nil || parseErr != nil || got.Promise != p {
		t.Errorf("%v, %v", err, parseErr)
	}
	left, err := filepath.Glob(filepath.Join(w.cfg.Evidence, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// TestMany reads many files once, and asks little when nothing is new.
func TestMany(t *testing.T) {
	w := newWorld(t)
	const n = 2_000
	var entries []proofs.Entry
	for i := range n {
		e := w.entry(uint64(i), fmt.Sprint("message ", i))
		entries = append(entries, e)
		w.give(fmt.Sprintf("%02d/%d", i%100, i), e, w.promise(e, time.Hour))
	}
	w.anchor(entries[:n/2]...)
	w.anchor(entries[n/2:]...)
	began := time.Now()
	w.want(w.round(), 0, n, 0, 0)
	first := time.Since(began)
	began = time.Now()
	w.want(w.round(), 0, n, 0, 0)
	t.Logf("%d files: %s, then %s", n, first, time.Since(began))
	if len(w.events) != 0 {
		t.Errorf("nothing changed, and yet %d events", len(w.events))
	}
}
