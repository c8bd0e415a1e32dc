package recovery_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
	"github.com/hansard-dao/hansard/storage"
)

// memory are blocks by their digest.
type memory map[proofs.Hash][]byte

func (m memory) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := m[digest]; ok {
		return b, nil
	}
	return nil, proofs.ErrNotFound
}

func (m memory) put(block []byte) proofs.Hash {
	digest := proofs.BlockDigest(block)
	m[digest] = block
	return digest
}

// blocks returns all that the service pinned.
func (s *service) blocks() memory {
	s.t.Helper()
	cars, all := carsOf(s.t, s.cars), memory{}
	for i := range s.log.sealed {
		block, err := cars.Block(s.t.Context(), s.log.sealed[i].CID)
		if err != nil {
			s.t.Fatal(err)
		}
		m, err := proofs.ParseManifest(block)
		if err != nil {
			s.t.Fatal(err)
		}
		all.put(block)
		for _, digest := range m.Chunks {
			if all[digest], err = cars.Block(s.t.Context(), digest); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	return all
}

// fails recovers, wants an error of that kind with the words in it, and a directory that no service opens.
func (s *service) fails(a *attempt, kind error, words ...string) {
	s.t.Helper()
	a.dir, a.promise = s.t.TempDir(), promise
	if a.log == nil {
		a.log = s.log
	}
	sum, err := a.run(s.t.Context())
	if sum != nil || !errors.Is(err, kind) {
		s.t.Fatalf("%+v, %v; want %v", sum, err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			s.t.Errorf("no %q in %v", w, err)
		}
	}
	db, err := storage.Open(storage.Config{Dir: filepath.Join(a.dir, "log"), Chain: chain, PromiseKey: key})
	if err == nil { // nothing was written: it is an empty log
		tail, err := db.Tail(s.t.Context())
		if err != nil || tail.Next != 0 || tail.Batches != 0 {
			s.t.Errorf("a service would open %+v, %v", tail, err)
		}
		s.close(db)
	} else if !errors.Is(err, storage.ErrRebuilding) {
		s.t.Error(err)
	}
}

// files returns the CAR files of the service, and the one of a batch.
func (s *service) file(number int) string {
	return filepath.Join(s.cars, proofs.FormatCID(s.log.sealed[number].CID)+".car")
}

// TestFaults: whatever is missing or wrong in the sources is named, and nothing of it counts.
func TestFaults(t *testing.T) {
	s := newService(t)
	t.Run("no source", func(t *testing.T) {
		s.t = t
		s.fails(&attempt{}, recovery.ErrSources, "batch 0 (entries 0 to 0, manifest bafyrei", "no source has it", "3 other batches: 1, 2, 3")
	})
	t.Run("a batch is missing", func(t *testing.T) {
		s.t = t
		all := s.blocks()
		delete(all, s.log.sealed[2].CID)
		s.fails(&attempt{sources: []recovery.Source{{Name: "memory", Blocks: all}}}, recovery.ErrSources, "batch 2 (entries 34 to 63")
	})
	t.Run("a chunk is missing", func(t *testing.T) {
		s.t = t
		all := s.blocks()
		m, err := proofs.ParseManifest(all[s.log.sealed[2].CID])
		if err != nil {
			t.Fatal(err)
		}
		delete(all, m.Chunks[3])
		s.fails(&attempt{sources: []recovery.Source{{Name: "memory", Blocks: all}}}, recovery.ErrSources, "batch 2", "chunk 3 of", proofs.FormatCID(m.Chunks[3]))
	})
	whole, err := os.ReadFile(s.file(2))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		bytes []byte
		words []string
	}{
		"a CAR file is cut short":          {whole[:len(whole)-1], []string{"batch 2", "no source has it"}},
		"in the middle":                    {whole[:len(whole)/2], []string{"batch 2", "no source has it"}},
		"in its head":                      {whole[:20], []string{"batch 2"}},
		"a byte is another":                {flip(whole, 3000), []string{"batch 2", "chunk 0 of", "damaged.car", "are not the block"}},
		"the last byte is another":         {flip(whole, len(whole)-1), []string{"batch 2", "damaged.car", "are not the block"}},
		"a length that takes all memory":   {append(bytes.Clone(whole[:59]), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), []string{"batch 2"}},
		"a header that takes all memory":   {append([]byte{0xff, 0xff, 0xff, 0xff, 0x0f}, whole...), []string{"batch 2"}},
		"a web page in the place of a CAR": {[]byte("<html>"), []string{"batch 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			dir := t.TempDir()
			for _, n := range []int{0, 1, 3} {
				raw, err := os.ReadFile(s.file(n))
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, filepath.Base(s.file(n))), raw, 0o600)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(dir, "damaged.car"), tc.bytes, 0o600); err != nil {
				t.Fatal(err)
			}
			a := &attempt{sources: []recovery.Source{carsOf(t, dir)}}
			s.fails(a, recovery.ErrSources, tc.words...)
			a.sources = append(a.sources, carsOf(t, s.file(2)))
			sum, err := a.run(t.Context())
			if err != nil || sum.Messages != 66 {
				t.Errorf("with the file that is whole: %+v, %v", sum, err)
			}
		})
	}
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// TestGateways: one that lies and one that is silent cost nothing where another is honest.
func TestGateways(t *testing.T) {
	s := newService(t)
	want := s.read(s.dir)
	all := s.blocks()
	other := all[s.log.sealed[0].CID]
	source := func(name string, give func(block []byte) []byte) recovery.Source {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for digest, block := range all {
				if strings.HasSuffix(r.URL.Path, proofs.FormatCID(digest)) {
					if block = give(block); block != nil {
						w.Write(block) //nolint:errcheck // the client notices
						return
					}
				}
			}
			http.Error(w, "not here", http.StatusNotFound)
		}))
		t.Cleanup(server.Close)
		c, err := gateway.New([]string{server.URL}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return recovery.Source{Name: name, Blocks: c}
	}
	liar := source("liar", func([]byte) []byte { return other })
	cut := source("cut", func(b []byte) []byte { return b[:len(b)-1] })
	empty := source("empty", func([]byte) []byte { return nil })
	honest := source("honest", func(b []byte) []byte { return b })
	s.fails(&attempt{sources: []recovery.Source{empty, liar, cut}}, recovery.ErrSources, "batch 1", "liar", "cut", "bytes that are not the block")

	a := &attempt{dir: t.TempDir(), log: s.log, promise: promise, sources: []recovery.Source{liar, cut, empty, honest}}
	sum, err := a.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u := sum.Sources; u[1].Wrong == 0 || u[1].Last == nil || u[2].Wrong == 0 || u[3].Wrong != 0 || u[4].Blocks == 0 {
		t.Errorf("sources %+v", u)
	}
	if diff := cmp.Diff(want, s.read(a.dir)); diff != "" {
		t.Errorf("with a liar (-want +got):\n%s", diff)
	}
}

// TestDiskFull: nothing is written into the last of the disk, and the next run with room finishes.
func TestDiskFull(t *testing.T) {
	s := newService(t)
	a := &attempt{dir: t.TempDir(), log: s.log, promise: promise, sources: []recovery.Source{carsOf(t, s.cars)}, reserve: 1 << 60}
	if _, err := a.run(t.Context()); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	a.reserve = 0
	if _, err := a.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.read(s.dir), s.read(a.dir)); diff != "" {
		t.Errorf("after that (-want +got):\n%s", diff)
	}
}

// changed is the log of a chain that commits to other payloads.
func (s *service) changed(all memory, number int, bend func(m *proofs.Manifest, records [][]proofs.Record)) *fakeLog {
	t := s.t
	t.Helper()
	sealed := slices.Clone(s.log.sealed)
	for n := number; n < len(sealed); n++ { // those after it link to it
		m, err := proofs.ParseManifest(all[sealed[n].CID])
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			m.Prev = &sealed[n-1].CID
		}
		if n == number {
			records := make([][]proofs.Record, len(m.Chunks))
			for i, digest := range m.Chunks {
				if records[i], err = proofs.ParseChunk(all[digest]); err != nil {
					t.Fatal(err)
				}
			}
			bend(m, records)
			for i := range m.Chunks {
				var raw [][]byte
				for j := range records[i] {
					raw = append(raw, proofs.AppendRecord(nil, &records[i][j]))
				}
				m.Chunks[i] = all.put(proofs.FormatChunk(raw))
			}
		}
		sealed[n].CID = all.put(m.Format())
	}
	return logOf(sealed)
}

// TestForged: a payload that the chain commits to and that is not the batch's is refused, whichever source gives it.
func TestForged(t *testing.T) {
	s := newService(t)
	for name, tc := range map[string]struct {
		bend  func(m *proofs.Manifest, r [][]proofs.Record)
		words string
	}{
		"another message": {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3].Message.Body += "!" }, "entry 4: its message is another's"},
		"other evidence":  {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3].Evidence.Bytes = []byte{1} }, "entry 4: its evidence is another's"},
		"another salt":    {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3].Message.Salt[0] ^= 1 }, "entry 4: its message is another's"},
		"another log":     {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3].Entry.Log[0] ^= 1 }, "it is of another log"},
		"another time":    {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][32].Entry.ReceivedAt++ }, "leaves do not give the root"},
		"another order":   {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3], r[0][4] = r[0][4], r[0][3] }, "the next entry is 4"},
		"a room's chain": {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0][3].Entry.RoomIndex++ },
			"it says that its room had"},
		"an entry too few":    {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0] = r[0][:32] }, "it has 32 entries, the batch has 33"},
		"a chunk of nothing":  {func(_ *proofs.Manifest, r [][]proofs.Record) { r[0] = nil }, "it is empty"},
		"another first":       {func(m *proofs.Manifest, _ [][]proofs.Record) { m.First++ }, "the manifest is of batch 1"},
		"another room's head": {func(m *proofs.Manifest, _ [][]proofs.Record) { m.Heads[2].Count++ }, "what its entries do not"},
		"a room too few":      {func(m *proofs.Manifest, _ [][]proofs.Record) { m.Heads = m.Heads[1:] }, "names 4 rooms, its entries 5"},
		"chunks twice": {func(m *proofs.Manifest, r [][]proofs.Record) {
			m.Chunks = append(m.Chunks, m.Chunks[0])
			m.Chunks = m.Chunks[:1]
			m.Number = 9
		},
			"the manifest is of batch 9"},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			all := s.blocks()
			log := s.changed(all, 1, tc.bend)
			s.fails(&attempt{log: log, sources: []recovery.Source{{Name: "memory", Blocks: all}}}, recovery.ErrForged, "batch 1 (entries 1 to 33", tc.words)
		})
	}
	t.Run("a manifest that links another", func(t *testing.T) {
		s.t = t
		all := s.blocks()
		log := s.changed(all, 3, func(*proofs.Manifest, [][]proofs.Record) {})
		m, err := proofs.ParseManifest(all[log.sealed[3].CID])
		if err != nil {
			t.Fatal(err)
		}
		m.Prev = &proofs.Hash{1}
		log.sealed[3].CID = all.put(m.Format())
		s.fails(&attempt{log: log, sources: []recovery.Source{{Name: "memory", Blocks: all}}}, recovery.ErrForged, "batch 3", "does not link")
	})
}

// TestWithheld: erased and private messages are counted and named, and all that stands on their leaves is there.
func TestWithheld(t *testing.T) {
	s := newService(t)
	all := s.blocks()
	log := s.changed(all, 1, func(_ *proofs.Manifest, r [][]proofs.Record) {
		for _, i := range []int{0, 1, 2, 7, 32} {
			r[0][i].Message, r[0][i].Evidence.Bytes = nil, nil
		}
	})
	a := &attempt{dir: t.TempDir(), log: log, promise: promise, sources: []recovery.Source{{Name: "memory", Blocks: all}}}
	sum, err := a.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := recovery.Indexes{Count: 5, Spans: []recovery.Span{{First: 1, Last: 3}, {First: 8, Last: 8}, {First: 33, Last: 33}}}
	if diff := cmp.Diff(want, sum.Withheld); diff != "" {
		t.Errorf("withheld (-want +got):\n%s", diff)
	}
	got, was := s.read(a.dir), s.read(s.dir)
	for i := range got.Entries {
		if got.Entries[i].Leaf != was.Entries[i].Leaf || got.Entries[i].Entry != was.Entries[i].Entry {
			t.Errorf("entry %d is another", i)
		}
	}
	if diff := cmp.Diff(was.Rooms, got.Rooms); diff != "" {
		t.Errorf("rooms (-want +got):\n%s", diff)
	}
}

// moved is a log that goes on while it is recovered.
type moved struct {
	*fakeLog
	change func(messages *uint64, r *proofs.Range)
}

func (m moved) Range(ctx context.Context) (uint64, proofs.Range, error) {
	messages, r, err := m.fakeLog.Range(ctx)
	r.Peaks = slices.Clone(r.Peaks)
	m.change(&messages, &r)
	return messages, r, err
}

// TestMoved: what is recovered is the log that the contract holds at the end, or nothing.
func TestMoved(t *testing.T) {
	s := newService(t)
	for name, change := range map[string]func(*uint64, *proofs.Range){
		"a batch more":    func(_ *uint64, r *proofs.Range) { r.Append(proofs.Hash{1}) },
		"another peak":    func(_ *uint64, r *proofs.Range) { r.Peaks[2][0] ^= 1 },
		"another message": func(messages *uint64, _ *proofs.Range) { *messages++ },
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.fails(&attempt{log: moved{s.log, change}, sources: []recovery.Source{carsOf(t, s.cars)}}, recovery.ErrMoved, "run it again")
		})
	}
}
