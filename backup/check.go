package backup

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hansard-dao/hansard/proofs"
)

// check decodes every member and holds them against each other.
func (f *File) check(ctx context.Context, damage *DamageError) error {
	b, err := f.read(firstName)
	if err != nil {
		return err
	}
	if err := parseJSON(b, &f.Header); err != nil {
		damage.add("%s: %v", firstName, err)
		return nil
	}
	if err := f.Header.check(); err != nil {
		damage.add("%s: %v", firstName, err)
		return nil
	}
	if f.Trust, err = f.read("trust.json"); err != nil {
		return err
	}
	if trust, err := proofs.ParseTrust(f.Trust); err != nil {
		damage.add("trust.json: %v", err)
	} else if trust.Find(f.Chain()) == nil {
		damage.add("trust.json: it is of another log")
	}
	for _, name := range f.names("keys") {
		if b, err = f.read(name); err != nil {
			return err
		}
		if err := checkKey(b); err != nil {
			damage.add("%s: %v", name, err)
		}
		f.Keys = append(f.Keys, strings.TrimSuffix(strings.TrimPrefix(name, "keys/"), ".json"))
	}
	for _, folder := range []struct {
		name  string
		check func(context.Context) error
	}{{"batches", f.checkBatches}, {"deadlines", f.checkDeadlines}, {"entries", f.checkEntries}} {
		if err := folder.check(ctx); errors.Is(err, ErrDamaged) {
			damage.add("%s: %v", folder.name, strings.TrimPrefix(err.Error(), ErrDamaged.Error()+": "))
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (h *Header) check() error {
	switch {
	case h.Format != format:
		return fmt.Errorf("its format is %.40q, and %s is wanted", h.Format, format)
	case h.FirstDeadline > h.FirstEntry, h.FirstEntry > h.Next, h.FirstBatch > h.Batches, h.Batches > proofs.MaxBatch+1:
		return errors.New("its bounds contradict each other")
	case (h.FirstBatch == 0) != (h.FirstEntry == 0):
		return errors.New("it begins in the middle of a batch")
	case len(h.PromiseKeys) == 0, h.PromiseKeys[0].From != 0:
		return errors.New("it names no promise key of the first entry")
	}
	for i, k := range h.PromiseKeys {
		if k.From > h.Next || i > 0 && k.From < h.PromiseKeys[i-1].From {
			return errors.New("its promise keys are not in order")
		}
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

// Batch returns where the batch stands. The error wraps proofs.ErrNotFound if it is not in the file.
func (f *File) Batch(number uint64) (s proofs.Sealed, err error) {
	if number < f.FirstBatch || number >= f.Batches {
		return s, fmt.Errorf("batch %d: %w", number, proofs.ErrNotFound)
	}
	name := fmt.Sprintf("batches/%020d.json", number)
	b, err := f.read(name)
	if err != nil {
		return s, err
	}
	var r row
	if err = parseJSON(b, &r); err == nil {
		s, err = r.sealed()
	}
	if err != nil {
		return s, damaged("%s: %v", name, err)
	}
	return s, nil
}

func (f *File) checkBatches(ctx context.Context) error {
	first := f.FirstEntry
	for number := f.FirstBatch; number < f.Batches && ctx.Err() == nil; number++ {
		s, err := f.Batch(number)
		if err != nil {
			return err
		}
		if err := checkBatch(&s, number, first, f.Next, f.Chain()); err != nil {
			return damaged("batch %d: %v", number, err)
		}
		first += s.Size
	}
	if got, want := uint64(len(f.names("batches"))), f.Batches-f.FirstBatch; got != want {
		return damaged("there are %d, and %d are claimed", got, want)
	}
	return ctx.Err()
}

// Deadlines calls do with the index and the deadline, in seconds since 1970, of each entry from index first on that the file
// has: those from FirstDeadline to Next.
func (f *File) Deadlines(ctx context.Context, first uint64, do func(index, deadline uint64) error) error {
	at := f.FirstDeadline
	for _, name := range f.names("deadlines") {
		b, err := f.read(name)
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("deadlines/%020d.bin", at); name != want || len(b) == 0 || len(b)%8 != 0 {
			return damaged("want %s, got %s with %d bytes", want, name, len(b))
		}
		for ; len(b) > 0; b, at = b[8:], at+1 {
			if at < first {
				continue
			}
			if err := do(at, binary.BigEndian.Uint64(b)); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if at != f.Next {
		return damaged("they end before entry %d, and those of entries before %d are claimed", at, f.Next)
	}
	return nil
}

func (f *File) checkDeadlines(ctx context.Context) error {
	return f.Deadlines(ctx, 0, func(index, deadline uint64) error { return nil })
}

// Entries calls do with each entry that the file has, those from FirstEntry to Next, with its leaf and its deadline. Each
// entry's message and evidence, if they are there, are those of its leaf.
func (f *File) Entries(ctx context.Context, do func(a *proofs.Accepted) error) error {
	at, domain := f.FirstEntry, f.Chain().MessageDomain()
	due := &deadlines{f: f, names: f.names("deadlines"), at: f.FirstDeadline}
	for _, name := range f.names("entries") {
		b, err := f.read(name)
		if err != nil {
			return err
		}
		records, err := proofs.ParseChunk(b)
		if want := fmt.Sprintf("entries/%020d.cbor", at); err != nil || name != want || len(records) == 0 {
			return damaged("want %s, got %s: %d entries, %v", want, name, len(records), err)
		}
		for i := range records {
			a := proofs.Accepted{Record: records[i], Leaf: records[i].Entry.Leaf()}
			if err := checkRecord(&a.Record, at, f.Log, domain); err != nil {
				return damaged("entry %d: %v", at, err)
			}
			if a.Deadline, err = due.of(at); err != nil {
				return err
			}
			if err := do(&a); err != nil {
				return err
			}
			at++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if at != f.Next {
		return damaged("they end before %d, and those before %d are claimed", at, f.Next)
	}
	return nil
}

// deadlines finds those of rising indices.
type deadlines struct {
	f     *File
	names []string
	at    uint64 // of the first in now
	now   []byte
}

func (d *deadlines) of(index uint64) (uint64, error) {
	for index >= d.at+uint64(len(d.now)/8) {
		if len(d.names) == 0 {
			return 0, damaged("the deadline of entry %d is missing", index)
		}
		d.at += uint64(len(d.now) / 8)
		var err error
		if d.now, err = d.f.read(d.names[0]); err != nil {
			return 0, err
		}
		d.names = d.names[1:]
	}
	return binary.BigEndian.Uint64(d.now[8*(index-d.at):]), nil
}

// checkRecord returns an error unless message and evidence are the entry's, at that index of the log.
func checkRecord(r *proofs.Record, index uint64, log proofs.Hash, domain proofs.Domain) error {
	e, m := &r.Entry, r.Message
	switch {
	case e.Log != log:
		return errors.New("it is of another log")
	case e.Index != index:
		return fmt.Errorf("it says that it is %d", e.Index)
	case m == nil:
		return nil
	case domain.MessageID(m) != e.Message, m.Room.Tag() != e.Room, m.Author.Commit(m.Salt) != e.Author:
		return errors.New("its message is another's")
	case r.Evidence.Hash() != e.Evidence:
		return errors.New("its evidence is another's")
	}
	return nil
}

// checkEntries holds entries against each other and against the roots and earliest deadlines of their batches.
func (f *File) checkEntries(ctx context.Context) error {
	rooms := map[proofs.Hash]proofs.RoomTail{}
	number := f.FirstBatch
	var batch proofs.Sealed
	var leaves []proofs.Hash
	var earliest uint64
	return f.Entries(ctx, func(a *proofs.Accepted) (err error) {
		e := &a.Entry
		room, known := rooms[e.Room]
		if (known || f.Whole()) && (e.RoomIndex != room.Count || e.RoomPrev != room.Head) {
			return damaged("entry %d does not follow its room's entry before it", e.Index)
		}
		rooms[e.Room] = proofs.RoomTail{Count: e.RoomIndex + 1, Head: a.Leaf}
		if a.Message == nil {
			f.Withheld++
		}
		if number == f.Batches {
			return nil // in the pool
		}
		if len(leaves) == 0 {
			if batch, err = f.Batch(number); err != nil {
				return err
			}
			earliest = a.Deadline
		}
		leaves, earliest = append(leaves, a.Leaf), min(earliest, a.Deadline)
		if uint64(len(leaves)) < batch.Size {
			return nil
		}
		if root, err := proofs.Root(leaves); err != nil || root != batch.Root {
			return damaged("batch %d: its entries do not give its root", number)
		}
		if batch.Deadline != 0 && batch.Deadline != earliest {
			return damaged("batch %d: its first deadline is %d, and the first of its entries is %d", number, batch.Deadline, earliest)
		}
		number, leaves = number+1, leaves[:0]
		return nil
	})
}

// Unkept returns the promise keys whose key file is not in the backup.
func (f *File) Unkept() (missing []proofs.Address) {
	have := map[proofs.Address]bool{}
	for _, name := range f.Keys {
		var k struct{ Address string }
		b, err := f.Key(name)
		if err == nil {
			err = json.Unmarshal(b, &k)
		}
		if a, bad := keyAddress(k.Address); err == nil && bad == nil {
			have[a] = true
		}
	}
	for _, k := range f.PromiseKeys {
		if !have[k.Address] {
			missing = append(missing, k.Address)
		}
	}
	return missing
}
