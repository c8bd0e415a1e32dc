package payload_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
)

// block reads a block from the node, and computes its CID with go-cid.
func (d *disk) block(digest proofs.Hash) []byte {
	d.t.Helper()
	b, err := d.node.Get(d.t.Context(), digest)
	if err != nil {
		d.t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	mh, err := multihash.Encode(sum[:], multihash.SHA2_256)
	if err != nil {
		d.t.Fatal(err)
	}
	if got, want := proofs.FormatCID(digest), cid.NewCidV1(cid.DagCBOR, mh).String(); got != want {
		d.t.Fatalf("the block of %s has the CID %s", got, want)
	}
	return b
}

// rebuild reads a batch from IPFS alone: its manifest, its records and how many chunks it has.
func (d *disk) rebuild(digest proofs.Hash) (*proofs.Manifest, []proofs.Record) {
	d.t.Helper()
	m, err := proofs.ParseManifest(d.block(digest))
	if err != nil {
		d.t.Fatal(err)
	}
	var records []proofs.Record
	for _, c := range m.Chunks {
		block := d.block(c)
		chunk, err := proofs.ParseChunk(block)
		if err != nil || len(chunk) == 0 || len(block) > proofs.MaxChunk {
			d.t.Fatalf("a chunk of %d records in %d bytes: %v", len(chunk), len(block), err)
		}
		records = append(records, chunk...)
	}
	return m, records
}

// check rebuilds every batch from IPFS and compares it with the log.
func (d *disk) check() {
	d.t.Helper()
	var prev *proofs.Hash
	for _, s := range d.sealedBatches() {
		m, records := d.rebuild(s.CID)
		accepted, err := d.db.Read(d.t.Context(), s.First, s.Size)
		if err != nil {
			d.t.Fatal(err)
		}
		var want []proofs.Record
		for _, a := range accepted {
			want = append(want, a.Record)
		}
		if diff := cmp.Diff(want, records); diff != "" {
			d.t.Fatalf("records of batch %d (want, got):\n%s", s.Number, diff)
		}
		var entries []proofs.Entry
		var leaves []proofs.Hash
		for _, r := range records {
			entries, leaves = append(entries, r.Entry), append(leaves, r.Entry.Leaf())
		}
		root, err := proofs.Root(leaves)
		if err != nil || root != s.Root {
			d.t.Errorf("batch %d: root %s, %v, want %s", s.Number, root, err, s.Root)
		}
		manifest := &proofs.Manifest{
			Log: chain.Log, Root: root, Number: s.Number, First: s.First, Size: s.Size, Prev: prev, OpenedAt: s.OpenedAt, SealedAt: s.SealedAt,
			NotBefore: s.NotBefore, Heads: proofs.RoomHeads(entries, leaves), Chunks: m.Chunks,
		}
		if diff := cmp.Diff(manifest, m); diff != "" {
			d.t.Errorf("manifest of batch %d (want, got):\n%s", s.Number, diff)
		}
		if held, err := d.node.Pinned(d.t.Context(), s.CID); err != nil || !held {
			d.t.Errorf("batch %d is pinned: %t, %v", s.Number, held, err)
		}
		prev = &s.CID
	}
}

// TestPin pins batches at once and one by one, over a restart, and rebuilds them from IPFS alone.
func TestPin(t *testing.T) {
	d := newDisk(t)
	all := batches()
	if pinned, err := step(t, d.db, d.node); pinned != 0 || err != nil {
		t.Errorf("an empty log: %d, %v", pinned, err)
	}
	d.fill(all[0], all[1])
	f := &trap{Store: d.db, Node: d.node, calls: map[string]int{}}
	if pinned, err := step(t, f, f); pinned != 2 || err != nil {
		t.Fatalf("%d batches were pinned, %v", pinned, err)
	}
	// A batch is kept before the log knows of it.
	if d := cmp.Diff(strings.Fields("Keep SetCID Keep SetCID"), f.order); d != "" {
		t.Errorf("order of writes (want, got):\n%s", d)
	}
	d.check()
	d.close()
	d.open()
	if pinned, err := step(t, d.db, d.node); pinned != 0 || err != nil {
		t.Errorf("after a restart: %d, %v", pinned, err)
	}
	d.fill(all[2])
	if pinned, err := step(t, d.db, d.node); pinned != 1 || err != nil {
		t.Fatalf("%d batches were pinned, %v", pinned, err)
	}
	d.check()
	if m, _ := d.rebuild(d.cids()[2]); len(m.Chunks) < 3 {
		t.Errorf("the large batch has %d chunks", len(m.Chunks))
	}
}

// TestLargeBatch pins a batch of many chunks, each put by itself: no more than that is in memory at once.
func TestLargeBatch(t *testing.T) {
	d := newDisk(t)
	large := batches()[2][:1]
	for i := range 150 {
		s := large[0]
		s.Message.Salt = proofs.Keccak(fmt.Append(nil, i))
		large = append(large, s)
	}
	d.fill(large)
	f := &trap{Store: d.db, Node: d.node, calls: map[string]int{}}
	if pinned, err := step(t, f, f); pinned != 1 || err != nil {
		t.Fatalf("%d batches were pinned, %v", pinned, err)
	}
	if m, _ := d.rebuild(d.cids()[0]); len(m.Chunks) < 30 || f.calls["put"] != len(m.Chunks)+1 {
		t.Errorf("%d blocks were put of a manifest and %d chunks", f.calls["put"], len(m.Chunks))
	}
	d.check()
}

// TestFaults fails each call of each operation, before and after it did its work, and steps again: the
// CIDs are those of a log where nothing failed.
func TestFaults(t *testing.T) {
	all := batches()
	clean := newDisk(t)
	clean.fill(all...)
	count := &trap{Store: clean.db, Node: clean.node, calls: map[string]int{}}
	if pinned, err := step(t, count, count); pinned != len(all) || err != nil {
		t.Fatalf("%d batches were pinned, %v", pinned, err)
	}
	want := clean.cids()
	for _, op := range []string{"Unpinned", "Batch", "Records", "put", "Keep", "SetCID"} {
		if count.calls[op] < 2 {
			t.Fatalf("%s was called %d times", op, count.calls[op])
		}
		for _, after := range []bool{false, true} {
			d := newDisk(t)
			d.fill(all...)
			failed, reported := 0, 0
			for n := 1; n <= count.calls[op]; n++ {
				f := &trap{Store: d.db, Node: d.node, op: op, n: n, after: after, calls: map[string]int{}}
				pinned, err := step(t, f, f)
				reported += pinned
				if err != nil && !errors.Is(err, errTrap) {
					t.Fatalf("%s %d, after %t: %v", op, n, after, err)
				}
				if err != nil {
					failed++
				}
			}
			if failed == 0 {
				t.Fatalf("%s, after %t: nothing failed", op, after)
			}
			pinned, err := step(t, d.db, d.node)
			if err != nil {
				t.Fatalf("%s, after %t, again: %v", op, after, err)
			}
			if reported += pinned; reported > len(all) {
				t.Errorf("%s, after %t: %d batches were reported", op, after, reported)
			}
			if diff := cmp.Diff(want, d.cids()); diff != "" {
				t.Errorf("%s, after %t: CIDs (want, got):\n%s", op, after, diff)
			}
			d.check()
		}
	}
}

// altered is a store whose records are not those of the log.
type altered struct {
	payload.Store
	f func(i int, record []byte) []byte
}

func (a altered) Records(ctx context.Context, first, n uint64, do func([]byte) error) error {
	i := -1
	return a.Store.Records(ctx, first, n, func(record []byte) error {
		i++
		if record = a.f(i, record); record == nil {
			return nil
		}
		return do(record)
	})
}

// TestWrongRecords: what does not give the root is neither pinned nor said to be.
func TestWrongRecords(t *testing.T) {
	d := newDisk(t)
	d.fill(batches()[1])
	for name, f := range map[string]func(int, []byte) []byte{
		"another entry":   func(i int, r []byte) []byte { return flipped(r, i == 7, 200) },
		"another type":    func(i int, r []byte) []byte { return flipped(r, i == 7, 20) },
		"a record less":   func(i int, r []byte) []byte { return r[:min(len(r), len(r)*(32-i))] },
		"half a record":   func(i int, r []byte) []byte { return r[:len(r)-len(r)/2*(i/32)] },
		"no records":      func(int, []byte) []byte { return nil },
		"a byte too many": func(_ int, r []byte) []byte { return append(r[:len(r):len(r)], 0) },
	} {
		f := &trap{Store: altered{d.db, f}, Node: d.node, calls: map[string]int{}}
		pinned, err := step(t, f, f)
		if pinned != 0 || err == nil || !strings.Contains(err.Error(), "pin batch 0: ") || f.calls["SetCID"] != 0 {
			t.Errorf("%s: %d were pinned, %v, after %v", name, pinned, err, f.order)
		}
	}
	if cids := d.cids(); !cids[0].IsZero() {
		t.Errorf("the batch has the CID %s", cids[0])
	}
}

// flipped changes byte at of the record, if.
func flipped(record []byte, change bool, at int) []byte {
	if !change {
		return record
	}
	record = append([]byte(nil), record...)
	record[at] ^= 1
	return record
}

// TestErasedPayload pins a batch of which one message is private: the entry stands, with no words.
func TestErasedPayload(t *testing.T) {
	d := newDisk(t)
	d.fill(batches()[1])
	const private = 7
	store := altered{d.db, func(i int, record []byte) []byte {
		if i != private {
			return record
		}
		rec, _, err := proofs.ParseRecord(record)
		if err != nil {
			t.Error(err)
		}
		rec.Message, rec.Evidence.Bytes = nil, nil
		return proofs.AppendRecord(nil, &rec)
	}}
	if pinned, err := step(t, store, d.node); pinned != 1 || err != nil {
		t.Fatalf("%d were pinned, %v", pinned, err)
	}
	s := d.sealedBatches()[0]
	m, records := d.rebuild(s.CID)
	if m.Root != s.Root || len(records) != int(s.Size) {
		t.Fatalf("root %s of %d, want %s of %d", m.Root, len(records), s.Root, s.Size)
	}
	for i, r := range records {
		if (r.Message == nil) != (i == private) || (r.Evidence.Bytes == nil) != (i == private) || r.Evidence.Scheme != proofs.SchemeNone || r.Entry.Index != uint64(i) {
			t.Errorf("record %d: %+v", i, r)
		}
	}
}

// TestLostBlocks takes the IPFS node away under two pinned batches: they are put again, under the CIDs
// that are on the chain, before the next is pinned on top of them.
func TestLostBlocks(t *testing.T) {
	d := newDisk(t)
	all := batches()
	d.fill(all[0], all[1])
	if _, err := step(t, d.db, d.node); err != nil {
		t.Fatal(err)
	}
	want := d.cids()
	d.close()
	if err := os.RemoveAll(d.dir + "/ipfs"); err != nil {
		t.Fatal(err)
	}
	d.open()
	d.fill(all[2])

	erase := altered{d.db, func(i int, record []byte) []byte {
		rec, _, err := proofs.ParseRecord(record)
		if err != nil {
			t.Error(err)
		}
		rec.Message, rec.Evidence.Bytes = nil, nil
		return proofs.AppendRecord(nil, &rec)
	}}
	pinned, err := step(t, erase, d.node)
	if pinned != 0 || err == nil || !strings.Contains(err.Error(), "it was pinned as "+proofs.FormatCID(want[0])) {
		t.Errorf("with another payload %d were pinned, %v", pinned, err)
	}
	if cids := d.cids(); cmp.Diff(append(want, proofs.Hash{}), cids) != "" {
		t.Errorf("CIDs are %v", cids)
	}

	if pinned, err := step(t, d.db, d.node); pinned != 1 || err != nil {
		t.Fatalf("%d were pinned, %v", pinned, err)
	}
	if diff := cmp.Diff(want, d.cids()[:2]); diff != "" {
		t.Errorf("CIDs (want, got):\n%s", diff)
	}
	d.check()
}

// TestRun pins what is there, then what it is woken for, and ends with its context or on an error.
func TestRun(t *testing.T) {
	d := newDisk(t)
	all := batches()
	d.fill(all[0])
	done := make(chan struct{}, len(all))
	f := &trap{Store: d.db, Node: d.node, op: "Keep", n: 3, calls: map[string]int{}}
	p := payload.New(config(f, f, func() { done <- struct{}{} }))
	ended := make(chan error, 1)
	run := func(ctx context.Context) { ended <- p.Run(ctx) }
	ctx, cancel := context.WithCancel(t.Context())
	go run(ctx)
	<-done
	d.fill(all[1])
	p.Wake()
	p.Wake()
	<-done
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	d.fill(all[2])
	go run(t.Context())
	if err := <-ended; !errors.Is(err, errTrap) {
		t.Errorf("Run: %v", err)
	}
	if cids := d.cids(); !cids[2].IsZero() {
		t.Errorf("batch 2 has the CID %s", cids[2])
	}
}

// full is a log whose disk has no room for a while.
type full struct {
	payload.Store
	tries []time.Time
	until int // the try that finds room
}

func (f *full) Unpinned(context.Context, int) ([]proofs.Sealed, error) {
	if f.tries = append(f.tries, time.Now()); len(f.tries) < f.until {
		return nil, fmt.Errorf("write: %w", syscall.ENOSPC)
	}
	return nil, nil
}

// TestDiskFull waits for room, without being woken and without a hurry, and ends with its context.
func TestDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &full{until: 4}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		cfg := config(f, nil, nil)
		var log bytes.Buffer
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		go func() { ended <- payload.New(cfg).Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if told := strings.Count(log.String(), "batch waits to be pinned"); told != 1 {
			t.Errorf("the log tells of it %d times", told)
		}
		if len(f.tries) != 4 {
			t.Fatalf("%d tries in an hour, want 4", len(f.tries))
		}
		for i := range 3 {
			if wait := f.tries[i+1].Sub(f.tries[i]); wait < time.Second || wait > time.Minute {
				t.Errorf("try %d came %s after the one before", i+1, wait)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

// slow is a log that answers when its caller has gone.
type slow struct{ payload.Store }

func (slow) Unpinned(ctx context.Context, _ int) ([]proofs.Sealed, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestShutdown ends Run in the middle of a step: that is no failure.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- payload.New(config(slow{}, nil, nil)).Run(ctx) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}
