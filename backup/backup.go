// Package backup writes, verifies and restores what of a log neither the chain nor IPFS holds, as one file.
//
// The file is a tar archive, so that stock tools open and check it:
//
//	$ tar xf hansard.backup && sha256sum -c SHA256SUMS
//
//	backup.json                 first: what the file claims to hold, see Header
//	trust.json                  the log, as section 9 of docs/receipt-v1.md has it
//	keys/NAME.json              key files, encrypted as they are in the keystore
//	batches/NUMBER.json         where each batch stands, with its signed transactions, from Header.FirstBatch on
//	entries/INDEX.cbor          chunks of section 7 of docs/receipt-v1.md, from Header.FirstEntry on
//	deadlines/INDEX.bin         8 bytes big-endian for each entry, seconds since 1970, from Header.FirstDeadline on
//	SHA256SUMS                  last: of every other member, as sha256sum writes it
//
// Numbers in names have 20 digits; those of entries and deadlines are of the first one inside. Only regular files of mode
// 0600 and time 0 are in it, in the USTAR format, so that the same members give the same archive: Open writes it again and
// compares, and no byte of the file can change unseen. TestDamage shows that for every member. The sums prove nothing
// about who wrote the file.
//
// A file is whole if Header.FirstEntry is 0: then the directory can be made from nothing else. Otherwise entries before
// that index are left to chain and IPFS, and File gives what those do not hold.
package backup

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

const (
	format = "hansard-backup/1"
	// readAtOnce is how many entries are in memory at once, at most 140 MB of the largest.
	readAtOnce = 512
	// deadlinesAtOnce are those of a member, 512 KiB.
	deadlinesAtOnce = 1 << 16
)

// Header is backup.json: what the file claims to hold. Integers over 32 bits are decimal strings.
type Header struct {
	Format        string         `json:"format"`           // hansard-backup/1
	Version       string         `json:"version"`          // of the program that wrote it
	CreatedAt     uint64         `json:"createdAt,string"` // ms since 1970 UTC
	ChainID       uint64         `json:"chainId,string"`
	AnchorLog     proofs.Address `json:"anchorLog"`
	PromiseBond   proofs.Address `json:"promiseBond"`
	Log           proofs.Hash    `json:"log"`
	PromiseKeys   []PromiseKey   `json:"promiseKeys"` // the first one first
	Marked        bool           `json:"marked"`      // a mark outside the directory says how far was promised
	Next          uint64         `json:"next,string"` // index of the next entry
	Batches       uint64         `json:"batches,string"`
	OpenedAt      uint64         `json:"openedAt,string"` // ms since 1970 UTC, of the pool
	NotBefore     proofs.Hash    `json:"notBefore"`       // newest block known then
	FirstBatch    uint64         `json:"firstBatch,string"`
	FirstEntry    uint64         `json:"firstEntry,string"`
	FirstDeadline uint64         `json:"firstDeadline,string"` // at most FirstEntry
}

// PromiseKey is a key that signs the promises of entries from index From on.
type PromiseKey struct {
	Address proofs.Address `json:"address"`
	From    uint64         `json:"from,string"`
}

// Chain returns which log it is.
func (h *Header) Chain() proofs.Chain {
	return proofs.Chain{ChainID: h.ChainID, AnchorLog: h.AnchorLog, PromiseBond: h.PromiseBond, Log: h.Log}
}

// Whole reports whether the file holds the log from its first entry on.
func (h *Header) Whole() bool { return h.FirstEntry == 0 }

// Config says what is backed up.
type Config struct {
	DB    *storage.DB
	Chain proofs.Chain
	// Dir has the folder keys and trust.json.
	Dir string
	// Full takes every entry. Otherwise those of batches that are final are left to chain and IPFS.
	Full bool
	// Since is the first entry whose deadline is taken; 0: all. Those of entries that are taken always are.
	Since   uint64
	Version string
	Now     time.Time
}

// Write writes a backup. Nothing may write to the directory meanwhile.
func Write(ctx context.Context, cfg Config, out io.Writer) (*Header, error) {
	h, err := newHeader(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("write backup: %w", err)
	}
	w := newWriter(out)
	for _, step := range []func() error{
		func() error { return w.json("backup.json", h) },
		func() error { return w.files(cfg.Dir) },
		func() error { return w.batches(ctx, cfg.DB, h) },
		func() error { return w.entries(ctx, cfg.DB, h) },
		w.close,
	} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("write backup: %w", err)
		}
	}
	return h, nil
}

func newHeader(ctx context.Context, cfg Config) (*Header, error) {
	tail, err := cfg.DB.Tail(ctx)
	if err != nil {
		return nil, err
	}
	c := cfg.Chain
	h := &Header{
		Format: format, Version: cfg.Version, CreatedAt: uint64(cfg.Now.UnixMilli()),
		ChainID: c.ChainID, AnchorLog: c.AnchorLog, PromiseBond: c.PromiseBond, Log: c.Log, Marked: cfg.DB.Marked(),
		Next: tail.Next, Batches: tail.Batches, OpenedAt: tail.OpenedAt, NotBefore: tail.NotBefore,
	}
	for _, k := range cfg.DB.PromiseKeys() {
		h.PromiseKeys = append(h.PromiseKeys, PromiseKey{k.Address, k.From})
	}
	if !cfg.Full {
		h.FirstBatch, h.FirstEntry, err = firstUnfinal(ctx, cfg.DB, tail)
	}
	h.FirstDeadline = min(cfg.Since, h.FirstEntry)
	return h, err
}

// firstUnfinal returns the first batch that is not final, and its first entry: those of the pool if all are.
func firstUnfinal(ctx context.Context, db *storage.DB, tail proofs.Tail) (batch, entry uint64, err error) {
	const page = 1000
	for number := uint64(0); ; number += page {
		batches, err := db.Batches(ctx, number, page)
		if err != nil {
			return 0, 0, err
		}
		for _, s := range batches {
			if s.State < proofs.StateFinalized {
				return s.Number, s.First, nil
			}
		}
		if len(batches) < page {
			return tail.Batches, tail.Sealed, nil
		}
	}
}

// files writes the trust file and the key files.
func (w *writer) files(dir string) error {
	b, err := os.ReadFile(filepath.Join(dir, "trust.json"))
	if err == nil {
		err = w.member("trust.json", b)
	}
	if err != nil {
		return err
	}
	store := identity.Keystore{Dir: filepath.Join(dir, "keys")}
	keys, err := store.List()
	if err != nil {
		return err
	}
	for _, k := range keys {
		b, err := os.ReadFile(filepath.Join(store.Dir, k.Name+".json"))
		if err == nil {
			err = checkKey(b)
		}
		if err == nil {
			err = w.member("keys/"+k.Name+".json", b)
		}
		if err != nil {
			return fmt.Errorf("key %s: %w", k.Name, err)
		}
	}
	return nil
}

// checkKey returns an error unless the file is an encrypted key: no other file of the folder goes into a backup.
func checkKey(b []byte) error {
	var k struct {
		Version int
		Address string
		Crypto  struct{ Cipher, CipherText string }
	}
	if err := json.Unmarshal(b, &k); err != nil {
		return err
	}
	if _, err := keyAddress(k.Address); err != nil || k.Version != 3 || k.Crypto.Cipher == "" || k.Crypto.CipherText == "" {
		return errors.New("it is not an encrypted key file, Web3 Secret Storage version 3")
	}
	return nil
}

// keyAddress reads the address of a key file, which other programs write in several forms.
func keyAddress(s string) (proofs.Address, error) {
	return proofs.ParseAddress("0x" + strings.TrimPrefix(strings.ToLower(s), "0x"))
}

func (w *writer) batches(ctx context.Context, db *storage.DB, h *Header) error {
	for number := h.FirstBatch; number < h.Batches; number++ {
		s, err := db.Batch(ctx, number)
		if err == nil {
			err = w.json(fmt.Sprintf("batches/%020d.json", number), newRow(&s))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// entries writes chunks and deadlines, in one pass over the log.
func (w *writer) entries(ctx context.Context, db *storage.DB, h *Header) error {
	var chunks proofs.Chunker
	var deadlines []byte
	first, firstDeadline := h.FirstEntry, h.FirstDeadline
	chunk := func(b []byte, next uint64) error {
		if b == nil {
			return nil
		}
		name := fmt.Sprintf("entries/%020d.cbor", first)
		first = next
		return w.member(name, b)
	}
	flush := func(next uint64) error {
		if len(deadlines) == 0 {
			return nil
		}
		name := fmt.Sprintf("deadlines/%020d.bin", firstDeadline)
		b := deadlines
		firstDeadline, deadlines = next, nil
		return w.member(name, b)
	}
	for at := h.FirstDeadline; at < h.Next; {
		entries, err := db.Read(ctx, at, min(readAtOnce, h.Next-at))
		if err != nil {
			return err
		}
		for i := range entries {
			a := &entries[i]
			deadlines = binary.BigEndian.AppendUint64(deadlines, a.Deadline)
			if len(deadlines) == 8*deadlinesAtOnce {
				err = flush(a.Entry.Index + 1)
			}
			if err == nil && a.Entry.Index >= h.FirstEntry {
				err = chunk(chunks.Add(proofs.AppendRecord(nil, &a.Record)), a.Entry.Index)
			}
			if err != nil {
				return err
			}
		}
		at += uint64(len(entries))
	}
	return errors.Join(chunk(chunks.Rest(), h.Next), flush(h.Next))
}
