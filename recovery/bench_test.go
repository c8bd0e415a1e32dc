package recovery_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	carstorage "github.com/ipld/go-car/v2/storage"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
)

var messages = flag.Int("messages", 20_000, "messages that BenchmarkRun recovers")

const (
	benchBatch = 10_000 // messages of a batch
	benchRooms = 16
)

// synthetic is a log of n messages of some 1,000 bytes each, in CAR files, as a service would have made it.
func synthetic(tb testing.TB, n int) (*fakeLog, string) {
	tb.Helper()
	dir := tb.TempDir()
	domain := chain.MessageDomain()
	rooms := make([]proofs.RoomTail, benchRooms)
	var sealed []proofs.Sealed
	var prev *proofs.Hash
	for first := 0; first < n; first += benchBatch {
		size := min(benchBatch, n-first)
		var chunks [][]byte
		var chunker proofs.Chunker
		var entries []proofs.Entry
		var leaves []proofs.Hash
		data := make([][]byte, size)
		for i := range size {
			rec := syntheticRecord(domain, first+i, &rooms[i%benchRooms])
			entries, data[i] = append(entries, rec.Entry), rec.Entry.LeafData()
			leaves = append(leaves, rec.Entry.Leaf())
			if c := chunker.Add(proofs.AppendRecord(nil, &rec)); c != nil {
				chunks = append(chunks, c)
			}
		}
		chunks = append(chunks, chunker.Rest())
		tree, err := batcher.BuildTree(data)
		if err != nil {
			tb.Fatal(err)
		}
		m := proofs.Manifest{Log: chain.Log, Number: uint64(len(sealed)), First: uint64(first), Size: uint64(size), Root: tree.Root(), Prev: prev, OpenedAt: clock, SealedAt: clock}
		m.Heads = proofs.RoomHeads(entries, leaves)
		for _, c := range chunks {
			m.Chunks = append(m.Chunks, proofs.BlockDigest(c))
		}
		block := m.Format()
		root := proofs.BlockDigest(block)
		writeCAR(tb, filepath.Join(dir, proofs.FormatCID(root)+".car"), root, append(chunks, block))
		prev = &root
		s := proofs.Sealed{Batch: proofs.Batch{Number: m.Number, Root: m.Root, First: m.First, Size: m.Size, Time: clock/1000 + 60, CID: root}}
		s.Stand(proofs.Standing{State: proofs.StateFinalized, Time: s.Time, Anchor: &proofs.Anchor{Header: make([]byte, 600), Proof: [][]byte{make([]byte, 2000)}}})
		sealed = append(sealed, s)
	}
	return logOf(sealed), dir
}

func syntheticRecord(domain proofs.Domain, i int, room *proofs.RoomTail) proofs.Record {
	m := &proofs.Message{
		Log: chain.Log, Room: proofs.Room(fmt.Sprintf("room/%d", i%benchRooms)), Author: proofs.Author(proofs.Address{byte(i)}.String()),
		SentAt: clock, Kind: "text/plain", Body: fmt.Sprintf("%0200d", i), Salt: proofs.Keccak(fmt.Appendf(nil, "%d", i)),
	}
	rec := proofs.Record{Message: m, Evidence: proofs.Evidence{Scheme: proofs.SchemeEIP712, Bytes: make([]byte, 65)}}
	rec.Entry = proofs.Entry{
		Log: chain.Log, Index: uint64(i), Room: m.Room.Tag(), RoomIndex: room.Count, RoomPrev: room.Head, Message: domain.MessageID(m),
		Author: m.Author.Commit(m.Salt), Vouch: proofs.VouchAuthor, Evidence: rec.Evidence.Hash(), ReceivedAt: clock,
	}
	room.Count, room.Head = room.Count+1, rec.Entry.Leaf()
	return rec
}

// writeCAR writes blocks into a CAR file.
func writeCAR(tb testing.TB, path string, root proofs.Hash, blocks [][]byte) {
	tb.Helper()
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := carstorage.NewWritable(f, []cid.Cid{cidOf(tb, root)}, car.WriteAsCarV1(true))
	if err != nil {
		tb.Fatal(err)
	}
	for _, b := range blocks {
		if err := w.Put(tb.Context(), cidOf(tb, proofs.BlockDigest(b)).KeyString(), b); err != nil {
			tb.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
}

func cidOf(tb testing.TB, digest proofs.Hash) cid.Cid {
	tb.Helper()
	c, err := cid.Decode(proofs.FormatCID(digest))
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// resident returns a line of what the kernel says of this process, in MB.
func resident(tb testing.TB, name string) float64 {
	tb.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); f[0] == name+":" {
			kb, err := strconv.ParseFloat(f[1], 64)
			if err != nil {
				tb.Fatal(err)
			}
			return kb / 1e3
		}
	}
	tb.Fatalf("no %s", name)
	return 0
}

// cpu returns how much of all cores this process has used.
func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRun recovers a log of -messages messages from CAR files. The memory is that of the whole process: with the pages
// of files that it maps, which the kernel takes back when it needs them, and without.
func BenchmarkRun(b *testing.B) {
	log, cars := synthetic(b, *messages)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(recovery.MemoryLimit))
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // VmHWM begins anew
			b.Fatal(err)
		}
		own, used := 0.0, cpu(b)
		b.StartTimer()
		a := &attempt{dir: dir, log: log, promise: time.Hour, sources: []recovery.Source{carsOf(b, cars)}}
		a.report = func(recovery.Progress) { own = max(own, resident(b, "RssAnon")) }
		sum, err := a.run(b.Context())
		if err != nil || sum.Messages != uint64(*messages) || sum.Late.Count != 0 {
			b.Fatal(sum, err)
		}
		b.StopTimer()
		b.ReportMetric(resident(b, "VmHWM"), "MB-peak")
		b.ReportMetric(own, "MB-own")
		b.ReportMetric(float64((cpu(b)-used).Microseconds())/float64(*messages), "cpu-us/message")
		os.RemoveAll(dir)
		b.StartTimer()
	}
	b.ReportMetric(float64(*messages)*float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
