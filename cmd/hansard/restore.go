package main

import (
	"context"
	"errors"
	"fmt"
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
		files, err := promiseFiles(cfg.Promises)
		if err != nil {
			return usage("--promises: %w", err)
		}
		if _, err := n.recover(ctx, files, cfg); err != nil {
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

func conflict(format string, args ...any) error {
	return &exitError{exitConflict, fmt.Errorf(format, args...)}
}

// restoreError gives errors of the store and its mark their exit code.
func restoreError(err error) error {
	if errors.Is(err, storage.ErrOldCopy) || errors.Is(err, storage.ErrMark) {
		return &exitError{exitConflict, err}
	}
	return err
}

var _ receipts.Mark = (*node)(nil)
