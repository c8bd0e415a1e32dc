package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	chunk "github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	unixfs "github.com/ipfs/boxo/ipld/unixfs/io"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

// MaxFile is the largest file that KeepFile takes, in bytes.
const MaxFile = 1 << 30

// ErrTooLarge says that a file is over MaxFile.
var ErrTooLarge = fmt.Errorf("the file is over the limit of %d MiB", MaxFile>>20)

// fileLinks and fileChunk are those of ipfs add: every one of them must be the same for the same CID.
const (
	fileLinks = 174
	fileChunk = 256 << 10
)

// File is a file that a node keeps.
type File struct {
	CID  string // CIDv1 in base32, as ipfs add --cid-version=1 gives it
	Size int64  // bytes
	Kept time.Time
}

// KeepFile stores a file as UnixFS, in one CAR file, under the CID that ipfs add --cid-version=1 gives the same bytes. When it
// returns nil the file is on stable storage. No more than a chunk of it is in memory at once, and 100 bytes for each chunk.
// Keeping the same bytes again changes nothing but when they were kept. The error is ErrTooLarge, that of the reader, or wraps
// syscall.ENOSPC, and then nothing was kept.
func (n *Node) KeepFile(ctx context.Context, r io.Reader) (File, error) {
	counted := &limited{r: r}
	root, err := n.writeCAR(ctx, func(put func(cid.Cid, []byte) error) (cid.Cid, error) {
		return layOut(ctx, counted, put)
	})
	if counted.n > MaxFile {
		err = ErrTooLarge
	}
	if err != nil {
		return File{}, fmt.Errorf("keep file: %w", err)
	}
	return File{CID: root.String(), Size: counted.n, Kept: time.Now()}, nil
}

// limited counts, and ends with an error beyond MaxFile.
type limited struct {
	r io.Reader
	n int64
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.n += int64(n); l.n > MaxFile {
		return 0, ErrTooLarge
	}
	return n, err
}

// layOut puts the file's blocks, leaves first, and returns the root.
func layOut(ctx context.Context, r io.Reader, put func(cid.Cid, []byte) error) (cid.Cid, error) {
	params := helpers.DagBuilderParams{
		Maxlinks: fileLinks, RawLeaves: true, Dagserv: putOnly{put: put},
		CidBuilder: cid.V1Builder{Codec: cid.DagProtobuf, MhType: multihash.SHA2_256},
	}
	b, err := params.New(chunk.NewSizeSplitter(contextReader{ctx, r}, fileChunk))
	if err != nil {
		return cid.Undef, err
	}
	root, err := balanced.Layout(b)
	if err != nil {
		return cid.Undef, err
	}
	return root.Cid(), nil
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// putOnly is what the layout needs of a DAG service.
type putOnly struct {
	ipld.DAGService
	put func(cid.Cid, []byte) error
}

func (p putOnly) Add(_ context.Context, node ipld.Node) error {
	return p.put(node.Cid(), node.RawData())
}

func (p putOnly) AddMany(ctx context.Context, nodes []ipld.Node) error {
	for _, node := range nodes {
		if err := p.Add(ctx, node); err != nil {
			return err
		}
	}
	return nil
}

// isFile reports whether the CID is a root that KeepFile gives: that of a manifest is dag-cbor.
func isFile(root cid.Cid) bool { return root.Type() == cid.Raw || root.Type() == cid.DagProtobuf }

// parseFile reads the CID of a file. The error wraps ErrNotFound: KeepFile gives no other.
func parseFile(s string) (cid.Cid, error) {
	id, err := parseRoot(s)
	if err != nil || !isFile(id) {
		return id, fmt.Errorf("file %.100q: %w", s, ErrNotFound)
	}
	return id, nil
}

// OpenFile opens a file for reading; each block is hashed when it is read. The error wraps ErrNotFound if it is not here.
func (n *Node) OpenFile(ctx context.Context, id string) (io.ReadSeekCloser, error) {
	root, err := parseFile(id)
	if err != nil {
		return nil, err
	}
	if err := n.keepsFile(root); err != nil {
		return nil, err
	}
	node, err := n.dag.Get(ctx, root)
	if err != nil {
		return nil, fmt.Errorf("open file %s: %w", root, err)
	}
	return unixfs.NewDagReader(ctx, node, merkledag.NewReadOnlyDagService(n.dag))
}

// keepsFile returns nil if KeepFile gave that CID: not if it gave another to the same bytes, which would then be read as links that
// whoever wrote them chose. The error wraps ErrNotFound.
func (n *Node) keepsFile(root cid.Cid) error {
	if err := n.hasFile(root); err != nil {
		return err
	}
	_, err := os.Stat(n.cars.path(root))
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("file %s: %w", root, err)
	}
	return nil
}

func (n *Node) hasFile(root cid.Cid) error {
	held, err := n.cars.holds(root)
	if err == nil && !held {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("file %s: %w", root, err)
	}
	return nil
}

// Files calls f with every file that is kept, in the order of their CIDs. Size is that of the CAR file, a little more.
func (n *Node) Files(ctx context.Context, f func(File) error) error {
	files, err := os.ReadDir(n.cars.dir)
	if err != nil {
		return fmt.Errorf("list files: %w", err)
	}
	for _, e := range files {
		name, _ := strings.CutSuffix(e.Name(), carSuffix)
		id, err := parseFile(name)
		if err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = f(File{id.String(), info.Size(), info.ModTime()})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// DropFile removes a file. The error wraps ErrNotFound if it is not here. If the process dies within, the next Open finds
// the file again, and it is to be dropped again.
func (n *Node) DropFile(_ context.Context, id string) error {
	root, err := parseFile(id)
	if err != nil {
		return err
	}
	if err := n.hasFile(root); err != nil {
		return err
	}
	found, err := scan(n.cars.path(root), root)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err == nil {
		err = n.cars.forget(root, found)
	}
	if err == nil {
		err = os.Remove(n.cars.path(root))
	}
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = syncDir(n.cars.dir)
	}
	if err != nil {
		return fmt.Errorf("drop file %s: %w", root, err)
	}
	return nil
}

// forget takes a file and its blocks out of the index.
func (c *cars) forget(root cid.Cid, found map[proofs.Hash]where) error {
	batch := c.db.NewWriteBatch()
	defer batch.Cancel()
	digest, _ := sha256Of(root)
	if err := batch.Delete(carKey(carFile, digest)); err != nil {
		return err
	}
	for digest, w := range found {
		if err := batch.Delete(w.key(digest)); err != nil {
			return err
		}
	}
	return batch.Flush()
}

// FileCID returns the CID and the size of the file that KeepFile would keep.
func FileCID(ctx context.Context, r io.Reader) (id string, size int64, err error) {
	counted := &limited{r: r}
	root, err := layOut(ctx, counted, func(cid.Cid, []byte) error { return nil })
	if err != nil {
		return "", 0, fmt.Errorf("read file: %w", err)
	}
	return root.String(), counted.n, nil
}
