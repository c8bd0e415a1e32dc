//go:build linux

// Package lazyfs mounts a directory as a disk that forgets, at a power cut, what was not synced.
//
// What a program writes below the mount point goes to the directory at once, and what stood there
// before is remembered until the file is synced: by fsync, msync, or a write through O_SYNC. Cut ends
// the mount and undoes what was not synced. The directory then is the disk after the power cut.
//
//	d, err := lazyfs.Mount(dir, mnt)
//	... a child process works in mnt ...
//	err = d.Cut(nil) // all that was not synced is gone
//	... what stands in dir? ...
//
// # The model
//
// A page of 4096 bytes is written whole or not at all. Of what was not synced each page survives or
// not, in any order, because a disk may have written it back already; a file that grew by writing has
// its new size only together with all that was appended (as ext4 orders it), while a size that was set
// survives on its own. Making, renaming and removing files is durable at once: that is kinder than a
// real disk, where the directory has to be synced for it. Hard links and symbolic links are refused.
//
// The process that serves the mount must not work in it: a page fault would wait for itself.
package lazyfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// ErrUnavailable is wrapped when this machine mounts no FUSE file systems.
var ErrUnavailable = errors.New("FUSE is not available")

// Disk is a mounted directory.
type Disk struct {
	dir, mnt string
	server   *fuse.Server
	fault    atomic.Int32 // errno of every write from now on; 0: none
	syncs    atomic.Int64

	mu    sync.Mutex
	files map[uint64]*file // by inode, of files that have a name
	all   []*file
}

// Mount serves dir at mnt. Both exist, and what is in dir counts as synced. The error wraps
// ErrUnavailable if the machine has no /dev/fuse or does not let us mount, which takes root.
func Mount(dir, mnt string) (*Disk, error) {
	d := &Disk{dir: dir, mnt: mnt, files: map[uint64]*file{}}
	var s syscall.Stat_t
	if err := syscall.Stat(dir, &s); err != nil {
		return nil, fmt.Errorf("mount %s: %w", dir, err)
	}
	data := &fs.LoopbackRoot{Path: dir, Dev: s.Dev}
	root := &node{&fs.LoopbackNode{RootData: data}, d}
	data.RootNode = root
	var err error
	d.server, err = fs.Mount(mnt, root, &fs.Options{MountOptions: fuse.MountOptions{
		DirectMountStrict: true, FsName: "lazyfs", MaxWrite: 1 << 20, DisableXAttrs: true,
		Logger: log.New(io.Discard, "", 0), // it complains about answers that Cut made impossible
	}})
	if err != nil {
		return nil, fmt.Errorf("mount %s at %s: %w: %w", dir, mnt, ErrUnavailable, err)
	}
	return d, nil
}

// Fail lets every change from now on fail with the error, syncs too, as on a disk that the kernel made
// read-only. Memory maps stay writable: their owner hears of it when it syncs.
func (d *Disk) Fail(err syscall.Errno) { d.fault.Store(int32(err)) }

// Syncs returns how many syncs were asked for.
func (d *Disk) Syncs() int64 { return d.syncs.Load() }

// Cut ends the mount, whoever works in it, and undoes what was not synced: all of it, or, if survives
// is given, of each page and size that for which it returns false.
func (d *Disk) Cut(survives func() bool) error {
	if survives == nil {
		survives = func() bool { return false }
	}
	// By force: no request that is not answered yet will be.
	if err := syscall.Unmount(d.mnt, syscall.MNT_FORCE|syscall.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount %s: %w", d.mnt, err)
	}
	d.server.Wait()
	var errs []error
	for _, f := range d.all {
		errs = append(errs, f.cut(survives))
	}
	d.all, d.files = nil, nil
	return errors.Join(errs...)
}

// open returns the state of the file at path.
func (d *Disk) open(path string) (*file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fd, err := syscall.Open(path, syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var s syscall.Stat_t
	if err := syscall.Fstat(fd, &s); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	if f := d.files[s.Ino]; f != nil {
		return f, syscall.Close(fd)
	}
	f := &file{fd: fd, size: s.Size, set: s.Size, before: map[int64][]byte{}}
	d.files[s.Ino], d.all = f, append(d.all, f)
	return f, nil
}

// forget drops the state of the file at path, if there is one, before its name goes away: its inode
// may be another file's next.
func (d *Disk) forget(path string) {
	var s syscall.Stat_t
	if syscall.Lstat(path, &s) == nil {
		d.mu.Lock()
		delete(d.files, s.Ino)
		d.mu.Unlock()
	}
}

// node is a file or directory. What it does not answer itself, LoopbackNode does in the directory.
type node struct {
	*fs.LoopbackNode
	disk *Disk
}

// WrapChild makes a node of what LoopbackNode makes below this one.
func (n *node) WrapChild(_ context.Context, child fs.InodeEmbedder) fs.InodeEmbedder {
	return &node{child.(*fs.LoopbackNode), n.disk}
}

func (n *node) path(name ...string) string {
	return filepath.Join(append([]string{n.disk.dir, n.Path(n.Root())}, name...)...)
}

func (n *node) broken() syscall.Errno { return syscall.Errno(n.disk.fault.Load()) }

func synced(flags uint32) bool { return flags&(syscall.O_SYNC|syscall.O_DSYNC) != 0 }

func (n *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if e := n.broken(); e != 0 && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, e
	}
	f, err := n.disk.open(n.path())
	if err == nil && flags&syscall.O_TRUNC != 0 {
		err = f.truncate(0)
	}
	if err != nil {
		return nil, 0, fs.ToErrno(err)
	}
	return &handle{f, n.disk, synced(flags)}, fuse.FOPEN_KEEP_CACHE, 0
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if e := n.broken(); e != 0 {
		return nil, nil, 0, e
	}
	made, err := os.OpenFile(n.path(name), os.O_CREATE|os.O_EXCL|os.O_RDWR, os.FileMode(mode&0o777))
	if err != nil {
		return nil, nil, 0, fs.ToErrno(err)
	}
	f, err := n.disk.open(n.path(name))
	if err := errors.Join(err, made.Close()); err != nil {
		return nil, nil, 0, fs.ToErrno(err)
	}
	inode, e := n.Lookup(ctx, name, out)
	return inode, &handle{f, n.disk, synced(flags)}, fuse.FOPEN_KEEP_CACHE, e
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if e := n.broken(); e != 0 {
		return nil, e
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	if e := n.broken(); e != 0 {
		return e
	}
	return n.LoopbackNode.Rmdir(ctx, name)
}

func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	if e := n.broken(); e != 0 {
		return e
	}
	n.disk.forget(n.path(name))
	return n.LoopbackNode.Unlink(ctx, name)
}

func (n *node) Rename(ctx context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if e := n.broken(); e != 0 {
		return e
	}
	if flags != 0 {
		return syscall.EINVAL
	}
	target := filepath.Join(n.disk.dir, to.EmbeddedInode().Path(n.Root()), newName)
	n.disk.forget(target)
	return fs.ToErrno(syscall.Rename(n.path(name), target))
}

func (n *node) Setattr(ctx context.Context, h fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if e := n.broken(); e != 0 {
		return e
	}
	if size, ok := in.GetSize(); ok {
		f, err := n.fileOf(h)
		if err == nil {
			err = f.truncate(int64(size))
		}
		if err != nil {
			return fs.ToErrno(err)
		}
		in.Valid &^= fuse.FATTR_SIZE
	}
	if e := n.LoopbackNode.Setattr(ctx, nil, in, out); e != 0 && e != syscall.ENOENT {
		return e
	}
	return n.Getattr(ctx, h, out)
}

func (n *node) fileOf(h fs.FileHandle) (*file, error) {
	if h, ok := h.(*handle); ok {
		return h.file, nil
	}
	return n.disk.open(n.path())
}

func (n *node) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.ENOTSUP
}

func (n *node) Symlink(context.Context, string, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.ENOTSUP
}

func (n *node) Link(context.Context, fs.InodeEmbedder, string, *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return nil, syscall.ENOTSUP
}

// CopyFileRange tells the kernel to read and write instead.
func (n *node) CopyFileRange(context.Context, fs.FileHandle, uint64, *fs.Inode, fs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}
