//go:build linux

package lazyfs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const page = 4096

// file is a file of the directory and what stood in it when it was synced last.
type file struct {
	fd int

	mu     sync.Mutex
	size   int64            // when synced
	set    int64            // by truncate since then
	before map[int64][]byte // pages that were changed since, as they were; short ones end in zeros
}

// keep remembers the pages from from up to to, unless it did before.
func (f *file) keep(from, to int64) error {
	for at := from / page * page; at < to; at += page {
		if _, ok := f.before[at]; ok {
			continue
		}
		var b []byte
		if n := min(page, f.size-at); n > 0 {
			b = make([]byte, n)
			got, err := syscall.Pread(f.fd, b, at)
			if err != nil {
				return err
			}
			b = b[:got]
		}
		f.before[at] = b
	}
	return nil
}

func (f *file) write(b []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.keep(at, at+int64(len(b))); err != nil {
		return 0, err
	}
	return syscall.Pwrite(f.fd, b, at)
}

// truncate sets the size. Only what is not a hole has to be remembered.
func (f *file) truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	const seekData, seekHole = 3, 4
	for at := size; at < f.size; {
		data, err := syscall.Seek(f.fd, at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			break
		}
		if err != nil {
			return err
		}
		if at, err = syscall.Seek(f.fd, data, seekHole); err != nil {
			return err
		}
		if err := f.keep(data, at); err != nil {
			return err
		}
	}
	f.set = size
	return syscall.Ftruncate(f.fd, size)
}

// sync makes the file as it is the one that survives.
func (f *file) sync() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s syscall.Stat_t
	if err := syscall.Fstat(f.fd, &s); err != nil {
		return err
	}
	f.size, f.set = s.Size, s.Size
	clear(f.before)
	return nil
}

// cut makes the file what a power cut leaves of it, and closes it.
func (f *file) cut(survives func() bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s syscall.Stat_t
	if err := syscall.Fstat(f.fd, &s); err != nil {
		return errors.Join(err, syscall.Close(f.fd))
	}
	appendedAt, size := max(f.size, f.set), f.size
	if survives() {
		size = s.Size
	} else if survives() {
		size = f.set
	}
	grew := s.Size > appendedAt && size == s.Size
	var errs []error
	for _, at := range slices.Sorted(maps.Keys(f.before)) {
		if appended := at+page > appendedAt; at >= size || grew && appended || survives() {
			continue
		}
		b := make([]byte, page)
		copy(b, f.before[at])
		_, err := syscall.Pwrite(f.fd, b, at)
		errs = append(errs, err)
	}
	return errors.Join(errors.Join(errs...), syscall.Ftruncate(f.fd, size), syscall.Close(f.fd))
}

// handle is an open file. It has no state: all of a file's handles sync all of the file.
type handle struct {
	file   *file
	disk   *Disk
	synced bool // opened with O_SYNC or O_DSYNC
}

func (h *handle) Read(_ context.Context, b []byte, at int64) (fuse.ReadResult, syscall.Errno) {
	n, err := syscall.Pread(h.file.fd, b, at)
	if err != nil {
		return nil, fs.ToErrno(err)
	}
	return fuse.ReadResultData(b[:n]), 0
}

func (h *handle) Write(ctx context.Context, b []byte, at int64) (uint32, syscall.Errno) {
	if e := syscall.Errno(h.disk.fault.Load()); e != 0 {
		return 0, e
	}
	n, err := h.file.write(b, at)
	if err != nil {
		return 0, fs.ToErrno(err)
	}
	if h.synced {
		return uint32(n), h.Fsync(ctx, 0)
	}
	return uint32(n), 0
}

func (h *handle) Fsync(context.Context, uint32) syscall.Errno {
	if e := syscall.Errno(h.disk.fault.Load()); e != 0 {
		return e
	}
	h.disk.syncs.Add(1)
	return fs.ToErrno(h.file.sync())
}

func (h *handle) Getattr(_ context.Context, out *fuse.AttrOut) syscall.Errno {
	var s syscall.Stat_t
	if err := syscall.Fstat(h.file.fd, &s); err != nil {
		return fs.ToErrno(err)
	}
	out.FromStat(&s)
	return 0
}

// Flush is called by close, which syncs nothing.
func (h *handle) Flush(context.Context) syscall.Errno { return 0 }
