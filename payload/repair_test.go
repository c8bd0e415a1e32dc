package payload_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

var _ payload.Checker = (*ipfs.Node)(nil)

func (d *disk) carFile(cid proofs.Hash) string {
	return d.dir + "/ipfs/cars/" + proofs.FormatCID(cid) + ".car"
}

func (d *disk) read(path string) []byte {
	d.t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	return b
}

// damaged are the batches that are checked or repaired and not whole.
func damaged(t *testing.T, p *payload.Pinner, node payload.Checker, repair bool, other payload.Blocks) (found []payload.Damage) {
	t.Helper()
	do := p.Check
	if repair {
		do = func(ctx context.Context, node payload.Checker, report func(payload.Damage) error) (uint64, error) {
			return p.Repair(ctx, node, other, report)
		}
	}
	checked, err := do(t.Context(), node, func(d payload.Damage) error { found = append(found, d); return nil })
	if checked != uint64(len(batches())) || err != nil {
		t.Fatalf("%d were checked, %v", checked, err)
	}
	return found
}

// Whatever happens to a file while the node runs is found, in that batch only, and repaired to the same bytes.
func TestRepair(t *testing.T) {
	d := newDisk(t)
	d.fill(batches()...)
	if _, err := step(t, d.db, d.node); err != nil {
		t.Fatal(err)
	}
	cids := d.cids()
	last := len(cids) - 1 // of several chunks
	whole, other := d.read(d.carFile(cids[last])), d.read(d.carFile(cids[0]))
	p := payload.New(config(d.db, d.node, nil))
	if found := damaged(t, p, d.node, false, nil); len(found) != 0 {
		t.Fatalf("whole payloads are damaged: %+v", found)
	}
	write := func(b []byte) func(string) error {
		return func(path string) error { return os.WriteFile(path, b, 0o600) }
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	for name, damage := range map[string]func(string) error{
		"gone":              os.Remove,
		"empty":             write(nil),
		"cut inside":        write(whole[:len(whole)/2]),
		"cut by a byte":     write(whole[:len(whole)-1]),
		"a bit flipped":     write(flipped),
		"another's":         write(other),
		"something behind":  write(append(bytes.Clone(whole), "tail"...)),
		"without its chunk": write(withoutFirstBlock(t, whole)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := damage(d.carFile(cids[last])); err != nil {
				t.Fatal(err)
			}
			for _, repair := range []bool{false, true} {
				found := damaged(t, p, d.node, repair, nil)
				if len(found) != 1 || found[0].Batch != uint64(last) || found[0].CID != cids[last] || !errors.Is(found[0].Err, proofs.ErrNotFound) || found[0].Mended != repair || found[0].Why != nil {
					t.Fatalf("repair %t: %+v", repair, found)
				}
			}
			if found := damaged(t, p, d.node, false, nil); len(found) != 0 {
				t.Errorf("after the repair: %+v", found)
			}
			if !bytes.Equal(d.read(d.carFile(cids[last])), whole) {
				t.Error("the repaired file is another")
			}
			d.check()
		})
	}
}

func manifestOf(t *testing.T, d *disk, cid proofs.Hash) []byte {
	t.Helper()
	b, err := d.node.Get(t.Context(), cid)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// copies is what others hold.
type copies map[proofs.Hash][]byte

func (c copies) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := c[digest]; ok {
		return b, nil
	}
	return nil, proofs.ErrNotFound
}

// Where the log does not give the blocks any more, they are fetched, and only the right ones are taken.
func TestRepairFromOthers(t *testing.T) {
	d := newDisk(t)
	d.fill(batches()...)
	if _, err := step(t, d.db, d.node); err != nil {
		t.Fatal(err)
	}
	cids := d.cids()
	last := len(cids) - 1
	manifest := manifestOf(t, d, cids[last])
	m, err := proofs.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	all := copies{cids[last]: manifest}
	for _, digest := range m.Chunks {
		all[digest] = manifestOf(t, d, digest)
	}
	lying, partial := copies{}, copies{}
	for digest, b := range all {
		lying[digest], partial[digest] = append([]byte{1}, b...), b
	}
	lying[cids[last]] = manifest
	delete(partial, m.Chunks[len(m.Chunks)-1])
	erased := altered{d.db, func(_ int, record []byte) []byte {
		rec, _, err := proofs.ParseRecord(record)
		if err != nil {
			t.Error(err)
		}
		rec.Message, rec.Evidence.Bytes = nil, nil
		return proofs.AppendRecord(nil, &rec)
	}}
	whole := d.read(d.carFile(cids[last]))
	if err := os.Remove(d.carFile(cids[last])); err != nil {
		t.Fatal(err)
	}
	p := payload.New(config(erased, d.node, nil))
	for name, c := range map[string]struct {
		other payload.Blocks
		why   string
	}{
		"nobody":  {nil, "it was pinned as"},
		"liars":   {lying, "gave other bytes"},
		"partial": {partial, "from the gateways"},
	} {
		found := damaged(t, p, d.node, true, c.other)
		if len(found) != 1 || found[0].Mended || found[0].Why == nil || !strings.Contains(found[0].Why.Error(), c.why) {
			t.Errorf("%s: %+v", name, found)
		}
	}
	if files, err := os.ReadDir(d.dir + "/ipfs/cars"); err != nil || len(files) != last {
		t.Errorf("%d files are left by repairs that failed, want %d; %v", len(files), last, err)
	}
	found := damaged(t, p, d.node, true, all)
	want := []payload.Damage{{Batch: uint64(last), CID: cids[last], Mended: true, From: "gateways"}}
	if len(found) == 1 {
		found[0].Err = nil
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("damage (-want +got):\n%s", diff)
	}
	if !bytes.Equal(d.read(d.carFile(cids[last])), whole) {
		t.Error("the fetched file is another")
	}
}

// withoutFirstBlock cuts the first block out of a CAR file: what is left is well formed.
func withoutFirstBlock(t *testing.T, car []byte) []byte {
	t.Helper()
	section := func(b []byte) int {
		n, used := binary.Uvarint(b)
		if used <= 0 || int(n)+used > len(b) {
			t.Fatal("not a CAR")
		}
		return int(n) + used
	}
	head := section(car)
	return append(bytes.Clone(car[:head]), car[head+section(car[head:]):]...)
}
