package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

const (
	// unnamedFor is how long an attachment waits for a message that names it: a day, since somebody may have to sign first.
	unnamedFor = 24 * time.Hour
	sweepEvery = time.Hour
	// maxUnnamed is what attachments that no message names may take together, in bytes: anybody can upload.
	maxUnnamed = 4 << 30
)

// attachments keeps the files of messages, and drops those that no message names.
type attachments struct {
	node   *ipfs.Node
	log    *storage.DB
	logger *slog.Logger
	now    func() time.Time
	limit  int64 // bytes of files that no message names

	mu      sync.Mutex
	unnamed int64 // guarded by mu: bytes, at most; counted anew by each sweep
}

var _ api.Files = (*attachments)(nil)

// Keep stores a file. What is being uploaded counts as it comes.
func (a *attachments) Keep(ctx context.Context, r io.Reader) (string, int64, error) {
	in := &budgeted{of: a, r: r}
	file, err := a.node.KeepFile(ctx, in)
	switch {
	case err == nil:
		return file.CID, file.Size, nil
	case errors.Is(err, ipfs.ErrTooLarge):
		err = fmt.Errorf("%w: %w", api.ErrTooLarge, err)
	case errors.Is(err, syscall.ENOSPC):
		err = fmt.Errorf("%w: %w", api.ErrNoRoom, err)
	}
	a.count(-in.n)
	return "", 0, err
}

// count adds to what is unnamed, and reports whether that is within the limit.
func (a *attachments) count(n int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unnamed += n
	return a.unnamed <= a.limit
}

// budgeted ends with api.ErrNoRoom once there is no more room for what no message names.
type budgeted struct {
	of *attachments
	r  io.Reader
	n  int64
}

func (b *budgeted) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	if !b.of.count(int64(n)) {
		return 0, fmt.Errorf("%w that no message names: those before are dropped after %s", api.ErrNoRoom, unnamedFor)
	}
	return n, err
}

// Run sweeps until ctx ends.
func (a *attachments) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := a.sweep(ctx); err != nil && ctx.Err() == nil {
			a.logger.WarnContext(ctx, "attachments not looked at", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep drops the files that no message names and that waited long enough, and counts those that wait. A message that
// is accepted while its file is dropped names one that is not here: the same upload brings it back.
func (a *attachments) sweep(ctx context.Context) error {
	a.mu.Lock()
	before := a.unnamed
	a.mu.Unlock()
	var waiting int64
	err := a.node.Files(ctx, func(f ipfs.File) error {
		named, err := a.log.Named(ctx, f.CID)
		switch {
		case err != nil || named:
			return err
		case a.now().Sub(f.Kept) < unnamedFor:
			waiting += f.Size
			return nil
		}
		a.logger.InfoContext(ctx, "attachment dropped: no message names it", "cid", f.CID, "bytes", f.Size)
		return a.node.DropFile(ctx, f.CID)
	})
	if err == nil {
		a.count(waiting - before) // what came meanwhile stays counted
	}
	return err
}

func attachFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "attach", Usage: "upload `FILE` and name it in the message; may be repeated (at most 1 GiB each)"}
}

// attachFiles uploads the files of --attach and returns their CIDs, which it computes itself.
func attachFiles(c *cli.Context, s *client.Client) (cids []string, err error) {
	for _, path := range c.StringSlice("attach") {
		cid, err := attachFile(c.Context, s, path)
		if err != nil {
			return nil, fmt.Errorf("attach %s: %w", oneLine(path, maxDetail), err)
		}
		cids = append(cids, cid)
	}
	return cids, nil
}

func attachFile(ctx context.Context, s *client.Client, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", usage("%w", cause(err))
	}
	defer f.Close()
	want, _, err := ipfs.FileCID(ctx, f)
	if err != nil {
		return "", usage("%w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	got, err := s.Attach(ctx, io.NopCloser(f))
	if err == nil && got != want {
		err = fmt.Errorf("the service keeps it as %s, and its CID is %s: it is another file; was it changed meanwhile?", oneLine(got, maxDetail), want)
	}
	return want, err
}
