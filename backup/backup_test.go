package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, PromiseBond: proofs.Address{0xb0}, Log: proofs.Keccak([]byte("backup tests"))}

var quiet = slog.New(slog.DiscardHandler)

const clock = 1_795_254_640_000

// dir is a data directory of these tests.
type dir struct {
	t    testing.TB
	path string
	db   *storage.DB
	node *ipfs.Node
	keys []proofs.Address
}

// newDir makes a directory with two promise keys, the second from entry 30 on, and 100 entries: batch 0 and 1 of 40 each,
// both pinned and 1 signed for twice, batch 2 of 15 neither, and 5 in the pool.
func newDir(t testing.TB) *dir {
	t.Helper()
	d := &dir{t: t, path: t.TempDir()}
	store := identity.Keystore{Dir: filepath.Join(d.path, "keys"), Light: true}
	for _, name := range []string{"promise", "promise-2"} {
		k, err := store.New(name, "correct horse")
		d.check(err)
		d.keys = append(d.keys, k.Address())
	}
	trust := proofs.Trust{Logs: []proofs.TrustedLog{{Name: "main", Chain: chain, PromiseKeys: []proofs.Address{d.keys[1], d.keys[0]}}}}
	d.check(os.WriteFile(filepath.Join(d.path, "trust.json"), trust.Format(), 0o644))
	d.open(0)
	rooms := map[proofs.Hash]proofs.RoomTail{}
	all := d.append(rooms, 0, 30)
	d.check(d.db.Close())
	d.open(1)
	d.check(d.db.Rotate(t.Context()))
	all = append(all, d.append(rooms, 30, 70)...)
	d.seal(0, all[:40])
	d.seal(1, all[40:80])
	pinner := payload.New(payload.Config{Log: chain.Log, Store: d.db, Node: d.node, Pinned: func() {}, Logger: quiet})
	d.check(pinner.Step(t.Context()))
	d.seal(2, all[80:95])
	d.check(d.db.SaveTx(t.Context(), 1, []byte("a signed transaction")))
	d.check(d.db.SaveTx(t.Context(), 1, []byte("one that pays more")))
	d.check(d.db.SetAnchor(t.Context(), 1, proofs.Standing{
		State: proofs.StateSubmitted, Spent: []proofs.Spend{{Tx: proofs.Hash{7}, Time: clock / 1000, Gas: 90_000, Wei: big.NewInt(1e15)}},
	}))
	t.Cleanup(func() { d.check(errors.Join(d.db.Close(), d.node.Close())) })
	return d
}

func (d *dir) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *dir) open(key int) {
	d.t.Helper()
	var err error
	d.db, err = storage.Open(storage.Config{Dir: filepath.Join(d.path, "log"), Chain: chain, PromiseKey: d.keys[key], Rotate: true})
	d.check(err)
	if d.node == nil {
		d.node, err = ipfs.Open(ipfs.Config{Dir: filepath.Join(d.path, "ipfs")})
		d.check(err)
	}
}

func (d *dir) append(rooms map[proofs.Hash]proofs.RoomTail, first, n int) (entries []proofs.Accepted) {
	d.t.Helper()
	for i := first; i < first+n; i++ {
		m := &proofs.Message{
			Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%3)), Author: "zoom:Ada", SentAt: clock + uint64(i), Kind: "text/plain",
			Body: strings.Repeat(fmt.Sprintf("message %d ", i), 200), Source: fmt.Sprintf("zoom:%d", i), Salt: proofs.Keccak(fmt.Append(nil, i)),
		}
		e := proofs.Entry{
			Log: chain.Log, Index: uint64(i), Room: m.Room.Tag(), Message: chain.MessageDomain().MessageID(m), Author: m.Author.Commit(m.Salt),
			Vouch: proofs.VouchNobody, ReceivedAt: clock + uint64(i),
		}
		ev := proofs.Evidence{Scheme: proofs.SchemeNone, Bytes: []byte{}}
		room := rooms[e.Room]
		e.Evidence, e.RoomIndex, e.RoomPrev = ev.Hash(), room.Count, room.Head
		rooms[e.Room] = proofs.RoomTail{Count: room.Count + 1, Head: e.Leaf()}
		entries = append(entries, proofs.Accepted{Record: proofs.Record{Entry: e, Message: m, Evidence: ev}, Leaf: e.Leaf(), Deadline: clock/1000 + uint64(i)})
	}
	d.check(d.db.Append(d.t.Context(), proofs.Tail{Next: uint64(first + n), OpenedAt: clock, NotBefore: proofs.Hash{9}}, entries))
	return entries
}

func (d *dir) seal(number uint64, entries []proofs.Accepted) {
	d.t.Helper()
	var leaves []proofs.Hash
	for _, a := range entries {
		leaves = append(leaves, a.Leaf)
	}
	tree, err := proofs.NewTree(leaves)
	d.check(err)
	d.check(d.db.Seal(d.t.Context(), proofs.Sealed{
		Batch: proofs.Batch{Number: number, Root: tree.Root(), First: entries[0].Entry.Index, Size: uint64(len(entries))},
		State: proofs.StateBatched, OpenedAt: clock, SealedAt: clock + 1, Deadline: entries[0].Deadline, NotBefore: proofs.Hash{8},
	}, tree))
}

// write writes a backup of the directory and returns its file.
func (d *dir) write(full bool, since uint64) string {
	d.t.Helper()
	var b bytes.Buffer
	_, err := Write(d.t.Context(), Config{DB: d.db, Chain: chain, Dir: d.path, Full: full, Since: since, Version: "test", Now: time.UnixMilli(clock)}, &b)
	d.check(err)
	return d.file(b.Bytes())
}

func (d *dir) file(b []byte) string {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "b.tar")
	d.check(os.WriteFile(path, b, 0o600))
	return path
}

// state is all that a log is, from disk.
type state struct {
	Tail    proofs.Tail
	Keys    []storage.PromiseKey
	Batches []proofs.Sealed
	Entries []proofs.Accepted
	Proof   []proofs.Hash
}

func stateOf(t testing.TB, db *storage.DB) (s state) {
	t.Helper()
	var errs [5]error
	ctx := t.Context()
	s.Tail, errs[0] = db.Tail(ctx)
	s.Keys = db.PromiseKeys()
	s.Batches, errs[1] = db.Batches(ctx, 0, 100)
	s.Entries, errs[2] = db.Read(ctx, 0, s.Tail.Next)
	s.Proof, errs[3] = db.Prove(ctx, s.Batches[1].Batch, 17)
	_, errs[4] = db.Find(ctx, s.Entries[99].Entry.Message)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRestore makes the log anew from a whole backup: entries, deadlines, batches, transactions, tiles and promise keys are
// as they were, and so are the payloads.
func TestRestore(t *testing.T) {
	d := newDir(t)
	want := stateOf(t, d.db)
	f, err := Open(t.Context(), d.write(true, 0))
	d.check(err)
	defer f.Close()
	to := t.TempDir()
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(to, "ipfs")})
	d.check(err)
	defer node.Close()
	d.check(f.RestoreFiles(to))
	d.check(f.RestoreLog(t.Context(), filepath.Join(to, "log"), node, quiet))
	db, err := storage.Open(storage.Config{Dir: filepath.Join(to, "log"), Chain: chain, PromiseKey: d.keys[1]})
	d.check(err)
	defer db.Close()
	got := stateOf(t, db)
	if got.Batches[2].CID.IsZero() {
		t.Error("the batch that was not pinned is not pinned")
	}
	got.Batches[2].CID = proofs.Hash{}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })); diff != "" {
		t.Errorf("restored (-was +is):\n%s", diff)
	}
	if !db.Marked() {
		t.Error("the service would start without anybody looking")
	}
	if held, err := node.Pinned(t.Context(), want.Batches[1].CID); !held || err != nil {
		t.Errorf("the payload of batch 1 is not pinned: %v", err)
	}
	for _, name := range []string{"trust.json", "keys/promise.json", "keys/promise-2.json"} {
		was, err1 := os.ReadFile(filepath.Join(d.path, name))
		is, err2 := os.ReadFile(filepath.Join(to, name))
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(was, is) {
			t.Errorf("%s is another one: %v", name, err)
		}
	}
}

// TestRest takes what is not final, and the deadlines of what is.
func TestRest(t *testing.T) {
	d := newDir(t)
	for _, since := range []uint64{0, 10, 1000} {
		f, err := Open(t.Context(), d.write(false, since))
		d.check(err)
		if f.FirstEntry != 0 || f.FirstBatch != 0 || f.FirstDeadline != 0 {
			t.Errorf("nothing is final, and the backup begins at %+v", f.Header)
		}
		d.check(f.Close())
	}
	f, err := Open(t.Context(), d.part(&Header{Next: 100, Batches: 3, FirstBatch: 1, FirstEntry: 40, FirstDeadline: 10}))
	d.check(err)
	defer f.Close()
	at := uint64(40)
	d.check(f.Entries(t.Context(), func(a *proofs.Accepted) error {
		if a.Entry.Index != at || a.Deadline != clock/1000+at {
			t.Errorf("entry %d with deadline %d stands at %d", a.Entry.Index, a.Deadline, at)
		}
		at++
		return nil
	}))
	at = 20
	d.check(f.Deadlines(t.Context(), 20, func(index, deadline uint64) error {
		if index != at || deadline != clock/1000+at {
			t.Errorf("entry %d has the deadline %d at %d", index, deadline, at)
		}
		at++
		return nil
	}))
	if at != 100 {
		t.Errorf("the deadlines end at %d", at)
	}
	if missing := f.Unkept(); len(missing) != 0 {
		t.Errorf("missing keys: %v", missing)
	}
	if err := f.RestoreLog(t.Context(), t.TempDir(), nil, quiet); err == nil || !strings.Contains(err.Error(), "begins at entry 40") {
		t.Errorf("a part became the log: %v", err)
	}
}

// part writes the backup that the header describes.
func (d *dir) part(h *Header) string {
	d.t.Helper()
	h.Format, h.ChainID, h.AnchorLog, h.PromiseBond, h.Log = format, chain.ChainID, chain.AnchorLog, chain.PromiseBond, chain.Log
	h.PromiseKeys = []PromiseKey{{d.keys[0], 0}, {d.keys[1], 30}}
	var b bytes.Buffer
	w, ctx := newWriter(&b), d.t.Context()
	d.check(errors.Join(w.json("backup.json", h), w.files(d.path), w.batches(ctx, d.db, h), w.entries(ctx, d.db, h), w.close()))
	return d.file(b.Bytes())
}

// TestAppendTo appends what recovery cannot know to a log that ends with its first batch: entries, batches as they were cut,
// and the transactions that may still be mined.
func TestAppendTo(t *testing.T) {
	d := newDir(t)
	to := t.TempDir()
	node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(to, "ipfs")})
	d.check(err)
	defer node.Close()
	recovered, err := Open(t.Context(), d.part(&Header{Next: 40, Batches: 1}))
	d.check(err)
	defer recovered.Close()
	d.check(recovered.RestoreLog(t.Context(), filepath.Join(to, "log"), node, quiet))
	db, err := storage.Open(storage.Config{Dir: filepath.Join(to, "log"), Chain: chain, PromiseKey: d.keys[1]})
	d.check(err)
	defer db.Close()
	d.check(db.NoMark())

	hole, err := Open(t.Context(), d.part(&Header{Next: 100, Batches: 3, FirstBatch: 2, FirstEntry: 80}))
	d.check(err)
	defer hole.Close()
	if _, err := hole.AppendTo(t.Context(), db, node, quiet); err == nil || !strings.Contains(err.Error(), "begins at entry 80, and the log ends before 40") {
		t.Errorf("a hole: %v", err)
	}
	rest, err := Open(t.Context(), d.part(&Header{Next: 100, Batches: 3, FirstBatch: 1, FirstEntry: 40}))
	d.check(err)
	defer rest.Close()
	r := &restoring{f: rest, db: db} // dies after it appended and sealed, and before it stored transactions
	var follow []storage.Restored
	d.check(rest.Entries(t.Context(), func(a *proofs.Accepted) error {
		if a.Entry.Index < 90 {
			follow = append(follow, storage.Restored{Accepted: *a, Signer: d.keys[1]})
		}
		return nil
	}))
	d.check(db.Restore(t.Context(), follow))
	one, err := rest.Batch(1)
	d.check(err)
	d.check(r.seal(t.Context(), one))
	for _, want := range []int{10, 0} {
		if got, err := rest.AppendTo(t.Context(), db, node, quiet); got != want || err != nil {
			t.Fatalf("appended %d, want %d: %v", got, want, err)
		}
	}
	want, got := stateOf(t, d.db), stateOf(t, db)
	got.Batches[2].CID, want.Batches[1].Spent = proofs.Hash{}, nil // the chain says what was spent
	got.Tail.OpenedAt, got.Tail.NotBefore = want.Tail.OpenedAt, want.Tail.NotBefore
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("appended (-was +is):\n%s", diff)
	}
	if !db.Marked() {
		t.Error("the service would start without anybody looking")
	}
	went := newDir(t)
	if _, err := rest.AppendTo(t.Context(), went.db, went.node, quiet); err != nil {
		t.Errorf("a log that has all of it: %v", err)
	}
	_, err = Open(t.Context(), went.part(&Header{Next: 100, Batches: 3, FirstBatch: 1, FirstEntry: 40}))
	d.check(err)
}

// wantDamage opens a file that is damaged, and wants to be told so.
func (d *dir) wantDamage(what string, b []byte, says string) {
	d.t.Helper()
	f, err := Open(d.t.Context(), d.file(b))
	var damage *DamageError
	if err == nil {
		d.check(f.Close())
	}
	if !errors.As(err, &damage) || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), says) {
		d.t.Errorf("%s: want damage with %q, got %v", what, says, err)
	}
}

// members returns the members of an archive, in order.
func (d *dir) members(b []byte) (names []string, all map[string][]byte) {
	d.t.Helper()
	all = map[string][]byte{}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return names, all
		}
		d.check(err)
		names = append(names, h.Name)
		all[h.Name], err = io.ReadAll(r)
		d.check(err)
	}
}

// pack writes members in order. With sums, they are those of the members.
func (d *dir) pack(names []string, all map[string][]byte, sums bool) []byte {
	d.t.Helper()
	var b bytes.Buffer
	w := newWriter(&b)
	for _, name := range names {
		if name == sumsName && sums {
			all[name] = w.sums.Bytes()
		}
		d.check(w.member(name, all[name]))
	}
	d.check(w.tar.Close())
	return b.Bytes()
}

// TestDamage flips, drops, empties, cuts and doubles every member of a backup, and bytes all over it.
func TestDamage(t *testing.T) {
	d := newDir(t)
	whole, err := os.ReadFile(d.write(true, 0))
	d.check(err)
	names, all := d.members(whole)
	if !bytes.Equal(d.pack(names, all, true), whole) {
		t.Fatal("the test packs a backup otherwise than Write")
	}
	copyOf := func() map[string][]byte {
		c := map[string][]byte{}
		for name, b := range all {
			c[name] = bytes.Clone(b)
		}
		return c
	}
	for i, name := range names {
		without := append(append([]string(nil), names[:i]...), names[i+1:]...)
		d.wantDamage(name+" dropped", d.pack(without, all, false), name)
		size := len(all[name])
		for _, at := range []int{0, size / 2, size - 1} {
			c := copyOf()
			c[name][at] ^= 1
			says := name
			if name == sumsName {
				says = ""
			}
			d.wantDamage(fmt.Sprintf("%s flipped at %d", name, at), d.pack(names, c, false), says)
			c = copyOf()
			c[name] = c[name][:at]
			d.wantDamage(fmt.Sprintf("%s cut to %d", name, at), d.pack(names, c, false), "")
		}
		c := copyOf()
		d.wantDamage(name+" twice", d.pack(append(names[:len(names):len(names)], name), c, false), "twice")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		b, at := bytes.Clone(whole), rng.IntN(len(whole))
		b[at] ^= 1 << rng.IntN(8)
		d.wantDamage(fmt.Sprintf("byte %d flipped", at), b, "")
		d.wantDamage(fmt.Sprintf("cut to %d", at), whole[:at], "")
	}
	d.wantDamage("cut by one", whole[:len(whole)-1], "")
	d.wantDamage("something after it", append(bytes.Clone(whole), 0), "between or after")
	d.wantDamage("nothing", nil, "cut short")
	d.wantDamage("no archive", []byte(strings.Repeat("not a tar file ", 100)), "")
	if _, err := Open(t.Context(), filepath.Join(d.path, "none")); errors.Is(err, ErrDamaged) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestContradictions changes members and gives them the right sums: what is inside does not hold together.
func TestContradictions(t *testing.T) {
	d := newDir(t)
	whole, err := os.ReadFile(d.write(true, 0))
	d.check(err)
	names, all := d.members(whole)
	const entries, due, batch = "entries/00000000000000000000.cbor", "deadlines/00000000000000000000.bin", "batches/00000000000000000001.json"
	swap := func(name, old, new string) func(map[string][]byte) {
		return func(c map[string][]byte) {
			if !bytes.Contains(c[name], []byte(old)) {
				t.Fatalf("%s holds no %q", name, old)
			}
			c[name] = bytes.Replace(c[name], []byte(old), []byte(new), 1)
		}
	}
	for what, tc := range map[string]struct {
		change func(c map[string][]byte)
		says   string
	}{
		"another format":        {swap("backup.json", "hansard-backup/1", "hansard-backup/2"), "hansard-backup/1 is wanted"},
		"a key too many":        {swap("backup.json", "{\n", "{\n  \"note\": 1,\n"), "backup.json"},
		"another log":           {swap("backup.json", chain.Log.String(), proofs.Hash{1}.String()), "of another log"},
		"more entries":          {swap("backup.json", `"next": "100"`, `"next": "101"`), "end before entry 100"},
		"fewer entries":         {swap("backup.json", `"next": "100"`, `"next": "99"`), "end before"},
		"more batches":          {swap("backup.json", `"batches": "3"`, `"batches": "4"`), "00000000000000000003.json is missing"},
		"fewer batches":         {swap("backup.json", `"batches": "3"`, `"batches": "2"`), "there are 3, and 2 are claimed"},
		"begins inside":         {swap("backup.json", `"firstEntry": "0"`, `"firstEntry": "40"`), "in the middle of a batch"},
		"no promise key":        {swap("backup.json", `"from": "0"`, `"from": "1"`), "no promise key of the first entry"},
		"another message":       {swap(entries, "message 3 message", "message 4 message"), "entry 3: its message is another's"},
		"another evidence":      {swap(entries, "evidence@", "evidenceA."), "entries"},
		"a deadline too early":  {func(c map[string][]byte) { binary.BigEndian.PutUint64(c[due][8*41:], 5) }, "batch 1: its first deadline"},
		"half a deadline":       {func(c map[string][]byte) { c[due] = c[due][:len(c[due])-4] }, "deadlines"},
		"deadlines that end":    {func(c map[string][]byte) { c[due] = c[due][:8*99] }, "those of entries before 100 are claimed"},
		"another root":          {swap(batch, `"root": "0x`, `"root": "0x00`), "batches"},
		"a batch elsewhere":     {swap(batch, `"first": "40"`, `"first": "41"`), "batch 1: it begins at 41"},
		"a batch that is final": {swap(batch, `"state": "submitted"`, `"state": "finalized"`), "does not fit its anchor"},
		"an unknown state":      {swap(batch, `"state": "submitted"`, `"state": "lost"`), "state: want one of"},
		"no wei":                {swap(batch, `"wei": "1000000000000000"`, `"wei": "-1"`), "no amount of wei"},
		"no key file":           {func(c map[string][]byte) { c["keys/promise.json"] = []byte(`{"version": 3}`) }, "keys/promise.json: it is not an encrypted key file"},
		"no trust file":         {func(c map[string][]byte) { c["trust.json"] = []byte(`{}`) }, "trust.json"},
	} {
		c := map[string][]byte{}
		for name, b := range all {
			c[name] = bytes.Clone(b)
		}
		tc.change(c)
		d.wantDamage(what, d.pack(names, c, true), tc.says)
	}
}

// TestStrayKeys: what lies in the keystore in clear is no key file, and is not taken.
func TestStrayKeys(t *testing.T) {
	d := newDir(t)
	d.check(os.WriteFile(filepath.Join(d.path, "keys", "password"), []byte("correct horse"), 0o600))
	b, err := os.ReadFile(d.write(true, 0))
	d.check(err)
	if bytes.Contains(b, []byte("correct horse")) {
		t.Error("the password is in the backup")
	}
	clear := []byte(`{"version": 3, "address": "` + strings.Repeat("ab", 20) + `", "privatekey": "01"}`)
	d.check(os.WriteFile(filepath.Join(d.path, "keys", "clear.json"), clear, 0o600))
	_, err = Write(context.Background(), Config{DB: d.db, Chain: chain, Dir: d.path, Now: time.UnixMilli(clock)}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "not an encrypted key file") {
		t.Errorf("a key in clear: %v", err)
	}
}

// TestFinalBatch holds the anchor of a final batch against the batch.
func TestFinalBatch(t *testing.T) {
	b, err := os.ReadFile("../testdata/receipts/alice-finalized.receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	rc, err := proofs.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(s *proofs.Sealed)
		says   string
	}{
		"as it is":        {func(*proofs.Sealed) {}, ""},
		"another root":    {func(s *proofs.Sealed) { s.Root[0] ^= 1 }, "its anchor"},
		"another payload": {func(s *proofs.Sealed) { s.CID[0] ^= 1 }, "its anchor"},
		"another time":    {func(s *proofs.Sealed) { s.Time++ }, "its anchor"},
		"another block":   {func(s *proofs.Sealed) { s.Anchor.Block.Hash[0] ^= 1 }, "its anchor"},
		"no anchor":       {func(s *proofs.Sealed) { s.Anchor = nil }, "does not fit its anchor"},
		"no payload":      {func(s *proofs.Sealed) { s.CID = proofs.Hash{} }, "has no payload"},
		"no entries":      {func(s *proofs.Sealed) { s.Size = 0 }, "0 entries"},
		"not sealed":      {func(s *proofs.Sealed) { s.State = proofs.StateAccepted }, "its state is accepted"},
	} {
		anchor := *rc.Anchor
		s := proofs.Sealed{Batch: *rc.Batch, State: proofs.StateFinalized, Anchor: &anchor}
		tc.change(&s)
		var again row
		if err := parseJSON(formatJSON(newRow(&s)), &again); err != nil {
			t.Fatal(err)
		}
		got, err := again.sealed()
		if diff := cmp.Diff(s, got); diff != "" || err != nil {
			t.Errorf("%s: %v, read back (-want +got):\n%s", name, err, diff)
		}
		err = checkBatch(&got, rc.Batch.Number, rc.Batch.First, rc.Batch.First+rc.Batch.Size, rc.Chain)
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: want %q, got %v", name, tc.says, err)
		}
	}
}
