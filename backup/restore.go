package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// Limits of one Append, as of the batcher.
const (
	maxAppend      = 512
	maxAppendBytes = 2 << 20
)

// RestoreFiles writes key files and the trust file into an empty directory, durably.
func (f *File) RestoreFiles(dir string) error {
	keys := filepath.Join(dir, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return fmt.Errorf("restore keys: %w", err)
	}
	for _, name := range f.Keys {
		b, err := f.Key(name)
		if err == nil {
			err = renameio.WriteFile(filepath.Join(keys, name+".json"), b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("restore key %s: %w", name, err)
		}
	}
	if err := renameio.WriteFile(filepath.Join(dir, "trust.json"), f.Trust, 0o644); err != nil {
		return fmt.Errorf("restore the trust file: %w", err)
	}
	return nil
}

// RestoreLog makes the log of a whole backup anew in an empty directory, pins its payloads on node, and makes it one that has
// a mark. Every batch gets the root and the CID that it had. If the process dies in it, the directory is not the log: it is
// to be removed.
func (f *File) RestoreLog(ctx context.Context, dir string, node payload.Node, log *slog.Logger) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("restore the log: %w", err)
		}
	}()
	switch {
	case !f.Whole():
		return fmt.Errorf("the backup begins at entry %d", f.FirstEntry)
	case f.Withheld > 0:
		return fmt.Errorf("%d entries have no message: their batches have payloads that only IPFS holds", f.Withheld)
	}
	r := &restoring{f: f, dir: dir}
	if err := r.open(0); err != nil {
		return err
	}
	defer func() {
		if r.db != nil {
			err = errors.Join(err, r.db.Close())
		}
	}()
	if err := r.entries(ctx); err != nil {
		return err
	}
	if err := r.batches(ctx, node, log, 0); err != nil {
		return err
	}
	for number := range r.f.Batches {
		if err := r.stand(ctx, number); err != nil {
			return fmt.Errorf("batch %d: %w", number, err)
		}
	}
	return r.db.RequireMark()
}

// restoring is a log under restoration.
type restoring struct {
	f     *File
	dir   string
	db    *storage.DB
	key   int // number of the key that signs now
	group []proofs.Accepted
	size  int
}

func (r *restoring) open(key int) (err error) {
	r.key = key
	r.db, err = storage.Open(storage.Config{
		Dir: r.dir, Chain: r.f.Chain(), PromiseKey: r.f.PromiseKeys[key].Address, Rotate: key > 0,
	})
	return err
}

// entries appends all entries, and lets each promise key sign from where it did.
func (r *restoring) entries(ctx context.Context) error {
	err := r.f.Entries(ctx, func(a *proofs.Accepted) error {
		if err := r.rotate(ctx, a.Entry.Index); err != nil {
			return err
		}
		m := a.Message
		r.group, r.size = append(r.group, *a), r.size+1024+len(m.Body)+len(m.Source)+len(a.Evidence.Bytes)
		if len(r.group) < maxAppend && r.size < maxAppendBytes {
			return nil
		}
		return r.append(ctx)
	})
	if err == nil {
		err = r.append(ctx)
	}
	if err == nil {
		err = r.rotate(ctx, r.f.Next)
	}
	return err
}

// append stores the entries that were gathered.
func (r *restoring) append(ctx context.Context) error {
	if len(r.group) == 0 {
		return nil
	}
	next := r.group[len(r.group)-1].Entry.Index + 1
	err := r.db.Append(ctx, proofs.Tail{Next: next, OpenedAt: r.f.OpenedAt, NotBefore: r.f.NotBefore}, r.group)
	r.group, r.size = r.group[:0], 0
	return err
}

// rotate makes those keys sign that do from index on.
func (r *restoring) rotate(ctx context.Context, index uint64) error {
	for r.key+1 < len(r.f.PromiseKeys) && r.f.PromiseKeys[r.key+1].From == index {
		if err := r.append(ctx); err != nil {
			return err
		}
		db := r.db
		r.db = nil
		if err := db.Close(); err != nil {
			return err
		}
		if err := r.open(r.key + 1); err != nil {
			return err
		}
		if err := r.db.Rotate(ctx); err != nil {
			return err
		}
	}
	return nil
}

// batches seals and pins the batches from that number on again, with the transactions that were signed for them.
func (r *restoring) batches(ctx context.Context, node payload.Node, log *slog.Logger, from uint64) error {
	for number := from; number < r.f.Batches; number++ {
		s, err := r.f.Batch(number)
		if err == nil {
			err = r.seal(ctx, s)
		}
		if err != nil {
			return fmt.Errorf("batch %d: %w", number, err)
		}
	}
	pinner := payload.New(payload.Config{Log: r.f.Log, Store: r.db, Node: node, Pinned: func() {}, Logger: log})
	if err := pinner.Step(ctx); err != nil {
		return err
	}
	for number := r.f.FirstBatch; number < r.f.Batches; number++ {
		if err := r.signed(ctx, number); err != nil {
			return fmt.Errorf("batch %d: %w", number, err)
		}
	}
	return ctx.Err()
}

func (r *restoring) seal(ctx context.Context, s proofs.Sealed) error {
	leaves := make([]proofs.Hash, 0, s.Size)
	for at := s.First; at < s.First+s.Size; {
		entries, err := r.db.Read(ctx, at, min(readAtOnce, s.First+s.Size-at))
		if err != nil {
			return err
		}
		for i := range entries {
			leaves = append(leaves, entries[i].Leaf)
		}
		at += uint64(len(entries))
	}
	tree, err := proofs.NewTree(leaves)
	if err != nil {
		return err
	}
	if tree.Root() != s.Root {
		return errors.New("its entries do not give its root")
	}
	bare := proofs.Sealed{
		Batch: proofs.Batch{Number: s.Number, Root: s.Root, First: s.First, Size: s.Size},
		State: proofs.StateBatched, OpenedAt: s.OpenedAt, SealedAt: s.SealedAt, Deadline: s.Deadline, NotBefore: s.NotBefore,
	}
	return r.db.Seal(ctx, bare, tree)
}

// signed stores the transactions of a batch that is pinned, under the CID that it had.
func (r *restoring) signed(ctx context.Context, number uint64) error {
	s, err := r.f.Batch(number)
	if err != nil {
		return err
	}
	got, err := r.db.Batch(ctx, number)
	if err != nil {
		return err
	}
	if !s.CID.IsZero() && got.CID != s.CID {
		return fmt.Errorf("its payload gives %s, it was pinned as %s", proofs.FormatCID(got.CID), proofs.FormatCID(s.CID))
	}
	if got.State >= proofs.StateIncluded {
		return nil
	}
	for _, raw := range s.Txs[min(len(got.Txs), len(s.Txs)):] { // the others are there since an attempt before
		if err := r.db.SaveTx(ctx, number, raw); err != nil {
			return err
		}
	}
	return nil
}

// stand puts a batch where it stood on the chain.
func (r *restoring) stand(ctx context.Context, number uint64) error {
	s, err := r.f.Batch(number)
	if err != nil || s.State < proofs.StateSubmitted {
		return err
	}
	return r.db.SetAnchor(ctx, number, s.Standing())
}

// AppendTo appends to a log, as recovery left it, the entries of the backup that follow it, seals and pins their batches as
// they were, with the transactions that were signed for them, and makes it one that has a mark. Where both have an entry it
// must be the same. It returns how many were appended. If the process dies in it, what was appended is the log's, and it
// can be run again.
func (f *File) AppendTo(ctx context.Context, db *storage.DB, node payload.Node, log *slog.Logger) (appended int, err error) {
	tail, err := db.Tail(ctx)
	if err != nil {
		return 0, err
	}
	if f.FirstEntry > tail.Next {
		return 0, fmt.Errorf("append the backup: it begins at entry %d, and the log ends before %d", f.FirstEntry, tail.Next)
	}
	var follow []storage.Restored
	err = f.Entries(ctx, func(a *proofs.Accepted) error {
		if a.Entry.Index >= tail.Next {
			follow = append(follow, storage.Restored{Accepted: *a, Signer: f.signer(a.Entry.Index)})
			return nil
		}
		has, err := db.Read(ctx, a.Entry.Index, 1)
		if err == nil && has[0].Leaf != a.Leaf {
			err = fmt.Errorf("entry %d has leaf %s in the log and %s in the backup: they are of two copies that both went on", a.Entry.Index, has[0].Leaf, a.Leaf)
		}
		return err
	})
	if err == nil {
		err = db.RequireMark()
	}
	if err == nil {
		err = db.Restore(ctx, follow)
	}
	if err == nil {
		err = (&restoring{f: f, db: db}).batches(ctx, node, log, tail.Batches)
	}
	if err != nil {
		return 0, fmt.Errorf("append the backup: %w", err)
	}
	return len(follow), nil
}

// signer returns the key that signed the promise of the entry.
func (f *File) signer(index uint64) (key proofs.Address) {
	for _, k := range f.PromiseKeys {
		if k.From <= index {
			key = k.Address
		}
	}
	return key
}
