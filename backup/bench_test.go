package backup

import (
	"path/filepath"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// BenchmarkFull writes, verifies and restores a backup of 50,000 entries with bodies of 2 kB in two batches and a pool.
func BenchmarkFull(b *testing.B) {
	d := newDir(b)
	rooms := map[proofs.Hash]proofs.RoomTail{}
	tail, err := d.db.Tail(b.Context())
	d.check(err)
	for i := range 3 {
		room := proofs.Room([]string{"room/0", "room/1", "room/2"}[i])
		rooms[room.Tag()], err = d.db.Room(b.Context(), room.Tag())
		d.check(err)
	}
	var entries []proofs.Accepted
	for at := int(tail.Next); at < 50_000; at += 500 {
		entries = append(entries, d.append(rooms, at, min(500, 50_000-at))...)
	}
	rest, err := d.db.Read(b.Context(), 95, 5)
	d.check(err)
	d.seal(3, append(rest, entries[:40_000]...))
	path := d.write(true, 0)
	rate := func(b *testing.B) { b.ReportMetric(50_000*float64(b.N)/b.Elapsed().Seconds(), "entries/s") }
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			d.write(true, 0)
		}
		rate(b)
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			f, err := Open(b.Context(), path)
			d.check(err)
			d.check(f.Close())
		}
		rate(b)
	})
	b.Run("restore", func(b *testing.B) {
		f, err := Open(b.Context(), path)
		d.check(err)
		defer f.Close()
		for b.Loop() {
			to := b.TempDir()
			node, err := ipfs.Open(ipfs.Config{Dir: filepath.Join(to, "ipfs")})
			d.check(err)
			d.check(f.RestoreLog(b.Context(), filepath.Join(to, "log"), node, quiet))
			d.check(node.Close())
		}
		rate(b)
	})
}
