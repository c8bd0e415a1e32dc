package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

// noMark is the --mark of a directory that has no mark any more.
const noMark = "none"

// ready makes sure that nothing is promised twice: it restores what was promised and is not in the store,
// holds the store against its mark, and then lets a new promise key sign.
func (n *node) ready(ctx context.Context, cfg nodeConfig) error {
	if cfg.Promises != "" {
		files, err := filepath.Glob(filepath.Join(cfg.Promises, "*.receipt.json"))
		if err == nil {
			_, err = os.ReadDir(cfg.Promises)
		}
		if err != nil {
			return usage("--promises: %w", err)
		}
		if err := n.recover(ctx, files, cfg); err != nil {
			return err
		}
	}
	if err := n.openMark(cfg); err != nil {
		return err
	}
	if err := n.mayRotate(ctx); err != nil {
		return err
	}
	return n.db.Rotate(ctx)
}

// mayRotate refuses a new promise key that the bond does not back.
func (n *node) mayRotate(ctx context.Context) error {
	if n.key == keysNewestFirst(n.db)[0] {
		return nil
	}
	v, err := n.readBond(ctx)
	if err != nil {
		return &exitError{exitUnreachable, err}
	}
	if s := v.State; s.Ours && s.Amount.Sign() > 0 && !s.Broken && !v.Key.Active() {
		return usage("the bond %s does not back the new promise key %s, and whoever checks takes no promise of it: %s", s.Log.PromiseBond, n.key, v.next())
	}
	return nil
}

// openMark opens the mark that says how far was promised.
func (n *node) openMark(cfg nodeConfig) (err error) {
	switch {
	case cfg.Mark == noMark:
		return n.db.NoMark()
	case cfg.Mark == "" && n.db.Marked():
		return usage("the data directory has a mark, which says on another disk how far was promised: name it with --mark FILE; " +
			"--mark none goes on without one")
	case cfg.Mark == "":
		return nil
	}
	inside, err := within(cfg.Mark, cfg.Dir)
	if err != nil {
		return usage("--mark: %w", err)
	}
	if inside {
		return usage("--mark: %s is in the data directory and would be restored with it; choose a file on another disk", cfg.Mark)
	}
	if sameDisk(filepath.Dir(cfg.Mark), cfg.Dir) {
		cfg.Logger.Warn("the mark is on the disk of the data directory: what is lost with that disk is lost with both", "mark", cfg.Mark)
	}
	mark, err := storage.OpenMark(cfg.Mark, n.db)
	if err != nil {
		return err
	}
	n.mark = mark
	n.close = append(n.close, mark.Close)
	return nil
}

// within reports whether the file would lie in dir.
func within(file, dir string) (bool, error) {
	at, err := filepath.Abs(file)
	if err == nil {
		at, err = filepath.EvalSymlinks(filepath.Dir(at))
	}
	if err != nil {
		return false, err
	}
	if dir, err = filepath.Abs(dir); err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	return err == nil && strings.HasPrefix(at+string(filepath.Separator), dir+string(filepath.Separator)), err
}

// sameDisk reports whether both are for certain on one file system.
func sameDisk(a, b string) bool {
	var sa, sb syscall.Stat_t
	return syscall.Stat(a, &sa) == nil && syscall.Stat(b, &sb) == nil && sa.Dev == sb.Dev
}

// errHalted is wrapped where nothing is promised any more, since another writes to the log.
var errHalted = fmt.Errorf("%w: the service stops, and promises nothing more", proofs.ErrRefused)

// Cover makes the node a receipts.Mark: it allows a promise to be signed, or not.
func (n *node) Cover(index uint64) error {
	if n.halted.Load() {
		return errHalted
	}
	if n.mark == nil {
		return nil
	}
	err := n.mark.Cover(index)
	if errors.Is(err, proofs.ErrRefused) && !n.unmarked.Swap(true) {
		n.logger.Error("nothing is promised: what is stored meanwhile is answered with busy", "err", err)
	}
	if err == nil && n.unmarked.Load() && n.canPromise() == nil {
		n.logger.Info("the mark can be written again")
	}
	return err
}

// canPromise returns nil unless nothing can be promised now: then no message should be taken. The error wraps
// proofs.ErrRefused.
func (n *node) canPromise() error {
	if n.halted.Load() {
		return errHalted
	}
	if !n.unmarked.Load() {
		return nil
	}
	err := n.mark.Check()
	if err == nil {
		n.unmarked.Store(false)
	}
	return err
}

// halt runs a loop. If that fails, nothing is promised from that moment on.
func (n *node) halt(ctx context.Context, run func(context.Context) error) error {
	err := run(ctx)
	if err != nil {
		n.halted.Store(true)
	}
	return err
}

// olderKeys opens the promise keys that were replaced, by their addresses. One that is gone signs nothing, and
// no other signs for it.
func (n *node) olderKeys(cfg nodeConfig) ([]receipts.Key, error) {
	all := n.db.PromiseKeys()
	if len(all) == 1 {
		return nil, nil
	}
	store := identity.Keystore{Dir: filepath.Join(cfg.Dir, "keys")}
	listed, err := store.List()
	if err != nil {
		return nil, err
	}
	var older []receipts.Key
	for i, k := range all[:len(all)-1] {
		key := receipts.Key{Address: k.Address, Until: all[i+1].From}
		at := slices.IndexFunc(listed, func(l identity.Listed) bool { return l.Address == k.Address })
		if at < 0 {
			err = identity.ErrNoKey
		} else if unlocked, bad := store.Unlock(listed[at].Name, cfg.Password); bad != nil {
			err = bad
		} else {
			key.Signer = unlocked
		}
		if key.Signer == nil {
			cfg.Logger.Warn("a promise key that was replaced cannot be opened: receipts of its time go out without a promise once they are anchored, and not before",
				"key", k.Address, "below", key.Until, "err", err)
		}
		older = append(older, key)
	}
	return older, nil
}

// keysNewestFirst returns the addresses of the log's promise keys.
func keysNewestFirst(db *storage.DB) (keys []proofs.Address) {
	for _, k := range slices.Backward(db.PromiseKeys()) {
		if !slices.Contains(keys, k.Address) {
			keys = append(keys, k.Address)
		}
	}
	return keys
}

// found is a promise of the log in a file.
type found struct {
	file             string
	storage.Restored // Message is nil where the file does not hold it, or not as it was
}

// recovery gathers the promises of one log.
type recovery struct {
	domain proofs.Domain
	chain  proofs.Chain
	keys   []proofs.Address // whose promises count
	log    *slog.Logger
	next   uint64           // of the store
	known  map[uint64]found // promises from next on
}

// recover appends the entries that these receipts promise and the store does not hold.
func (n *node) recover(ctx context.Context, files []string, cfg nodeConfig) error {
	tail, err := n.db.Tail(ctx)
	if err != nil {
		return err
	}
	r := &recovery{
		domain: n.chain.PromiseDomain(), chain: n.chain, keys: keysNewestFirst(n.db), log: cfg.Logger, next: tail.Next, known: map[uint64]found{},
	}
	if cfg.Rotate {
		r.keys = append(r.keys, n.db.ConfiguredKey())
	}
	for _, file := range files {
		f, ok, err := r.read(file)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if f.Entry.Index >= r.next {
			err = r.add(f)
		} else {
			err = n.compare(ctx, f)
		}
		if err != nil {
			return err
		}
	}
	entries, err := r.inOrder()
	if err != nil || len(entries) == 0 {
		return err
	}
	if err := n.db.Restore(ctx, entries); err != nil {
		return conflict("%w; leave out what does not belong to this log, or start with the newest copy", err)
	}
	cfg.Logger.Info("entries restored from receipts", "first", r.next, "count", len(entries), "files", len(files))
	return nil
}

func conflict(format string, args ...any) error {
	return &exitError{exitConflict, fmt.Errorf(format, args...)}
}

// read reads a receipt. ok is false if it holds no promise of the log.
func (r *recovery) read(file string) (f found, ok bool, err error) {
	raw, err := readFile(file, nil)
	if err != nil {
		return f, false, err
	}
	ignore := func(why string, err error) (found, bool, error) {
		r.log.Warn("receipt ignored", "file", file, "reason", why, "err", err)
		return found{}, false, nil
	}
	rc, err := proofs.ParseReceipt(raw)
	switch {
	case err != nil:
		return ignore("it cannot be read", err)
	case rc.Chain != r.chain:
		return ignore("it is of another log", nil)
	case rc.Promise == nil:
		return ignore("it holds no promise", nil)
	}
	signer, err := identity.Recover(r.domain.PromiseDigest(rc.Promise), rc.Promise.Signature)
	if err != nil || !slices.Contains(r.keys, signer) {
		return ignore("its promise is not signed by a key of the log", err)
	}
	f = found{file: file}
	f.Entry, f.Leaf, f.Deadline, f.Signer = rc.Entry, rc.Promise.Leaf, rc.Promise.Deadline, signer
	checks := proofs.Verify(raw, proofs.Options{}).Checks
	if checks[proofs.V2].Status == proofs.Pass && checks[proofs.V3].Status == proofs.Pass {
		f.Message, f.Evidence = rc.Message, *rc.Evidence
	}
	return f, true, nil
}

// add keeps the promise, unless another one contradicts it.
func (r *recovery) add(f found) error {
	index := f.Entry.Index
	was, ok := r.known[index]
	switch {
	case ok && was.Leaf != f.Leaf:
		return promisedTwice(index, was.file, f.file)
	case ok && was.Message != nil && (f.Message == nil || was.Deadline <= f.Deadline):
		return nil
	}
	r.known[index] = f
	return nil
}

func promisedTwice(index uint64, one, other string) error {
	return conflict("entry %d was promised twice with different leaves, in %s and in %s: whoever holds both can take the bond, and no directory keeps both promises; "+
		"stop whatever else signs with this key and see docs/operations.md, After a restore", index, one, other)
}

// compare holds the promise against the store, which has its place.
func (n *node) compare(ctx context.Context, f found) error {
	stored, err := n.db.Read(ctx, f.Entry.Index, 1)
	if err != nil {
		return err
	}
	if stored[0].Leaf != f.Leaf {
		return promisedTwice(f.Entry.Index, f.file, "the data directory")
	}
	return nil
}

// inOrder returns the entries from next on, or an error that says which are missing.
func (r *recovery) inOrder() (entries []storage.Restored, err error) {
	var missing, bare []string
	at := r.next
	for _, index := range slices.Sorted(maps.Keys(r.known)) {
		f := r.known[index]
		switch {
		case at+1 == index:
			missing = append(missing, fmt.Sprint(at))
		case at < index:
			missing = append(missing, fmt.Sprintf("%d to %d", at, index-1))
		}
		at = index + 1
		if f.Message == nil {
			bare = append(bare, fmt.Sprintf("%d (%s)", index, filepath.Base(f.file)))
		}
		entries = append(entries, f.Restored)
	}
	switch {
	case len(missing) > 0:
		return nil, conflict("entry %d was promised, and nobody here holds %s: ask those who wrote them, and watchtowers, for their receipts; "+
			"without these entries no later one can stand at its place, and nothing was appended", at-1, strings.Join(missing, ", "))
	case len(bare) > 0:
		return nil, conflict("entries %s were promised, and these receipts do not hold their messages as they were signed: "+
			"ask those who wrote them for theirs; nothing was appended", strings.Join(bare, ", "))
	}
	return entries, nil
}

// restoreError gives errors of the store and its mark their exit code.
func restoreError(err error) error {
	if errors.Is(err, storage.ErrOldCopy) || errors.Is(err, storage.ErrMark) {
		return &exitError{exitConflict, err}
	}
	return err
}

var _ receipts.Mark = (*node)(nil)
