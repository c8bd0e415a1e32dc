package ipfs

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	car "github.com/ipld/go-car/v2"
	carstorage "github.com/ipld/go-car/v2/storage"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

// Keys of the index of CAR files, beside those of boxo, which begin with a slash.
const (
	carBlock = 'c' // digest, 36 bytes root of the file: 8 offset, 4 size
	carFile  = 'C' // root's digest: nothing; the file's blocks are all in the index
)

const (
	carSuffix   = ".car"
	carTemp     = "new-*" + carSuffix
	maxCARHead  = 1 << 10   // with one root it takes 59 bytes
	spaceEvery  = 8 << 20   // bytes written between two looks at the free space
	carBuffered = 256 << 10 // about a chunk
)

// where says where a block lies.
type where struct {
	root   cid.Cid // of the file
	offset int64
	size   int
}

const (
	rootLen  = 36 // CIDv1, one byte of codec, sha2-256
	blockLen = 1 + len(proofs.Hash{}) + rootLen
)

// key is the block's in the index: a block may lie in several files.
func (w where) key(digest proofs.Hash) []byte {
	return append(carKey(carBlock, digest), w.root.Bytes()...)
}

func (w where) value() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 12), uint64(w.offset))
	return binary.BigEndian.AppendUint32(b, uint32(w.size))
}

// parseWhere reads an entry of the index.
func parseWhere(key, value []byte) (w where, err error) {
	if len(key) != blockLen || len(value) != 12 {
		return w, fmt.Errorf("index of CAR files: an entry has %d and %d bytes", len(key), len(value))
	}
	w.offset, w.size = int64(binary.BigEndian.Uint64(value)), int(binary.BigEndian.Uint32(value[8:]))
	w.root, err = cid.Cast(key[blockLen-rootLen:])
	return w, err
}

func carKey(letter byte, h proofs.Hash) []byte { return append([]byte{letter}, h[:]...) }

// cars is a blockstore that finds blocks in CAR files first, and the loose ones in the store that it wraps.
type cars struct {
	blockstore.Blockstore // hashes what it reads, too
	db                    *badger.DB
	dir                   string
}

func (c *cars) path(root cid.Cid) string { return filepath.Join(c.dir, root.String()+carSuffix) }

// find returns every place where the block lies.
func (c *cars) find(id cid.Cid) (all []where, err error) {
	digest, ok := sha256Of(id)
	if !ok {
		return nil, nil
	}
	err = c.db.View(func(txn *badger.Txn) error {
		it := txn.NewIterator(badger.IteratorOptions{Prefix: carKey(carBlock, digest)})
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			err := it.Item().Value(func(value []byte) error {
				w, err := parseWhere(it.Item().Key(), value)
				all = append(all, w)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

// sha256Of returns the digest of a CID by SHA-256.
func sha256Of(id cid.Cid) (digest proofs.Hash, ok bool) {
	mh, err := multihash.Decode(id.Hash())
	if err != nil || mh.Code != multihash.SHA2_256 || len(mh.Digest) != len(digest) {
		return digest, false
	}
	return proofs.Hash(mh.Digest), true
}

// Get returns the block, hashed. A file that is gone or cut short has lost it. The error is an ipld.ErrNotFound where it is
// nowhere, or blockstore.ErrHashMismatch where it is nowhere whole.
func (c *cars) Get(ctx context.Context, id cid.Cid) (blocks.Block, error) {
	all, err := c.find(id)
	damaged := false
	for _, w := range all {
		b, err := c.read(w)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sum, _ := sha256Of(id); proofs.BlockDigest(b) == sum {
			return blocks.NewBlockWithCid(b, id)
		}
		damaged = true
	}
	if err != nil {
		return nil, err
	}
	block, err := c.Blockstore.Get(ctx, id)
	if damaged && ipld.IsNotFound(err) {
		err = blockstore.ErrHashMismatch
	}
	return block, err
}

func (c *cars) read(w where) ([]byte, error) {
	f, err := os.Open(c.path(w.root))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, w.size)
	_, err = f.ReadAt(b, w.offset)
	return b, err
}

// GetSize returns the size of a block that Get would return.
func (c *cars) GetSize(ctx context.Context, id cid.Cid) (int, error) {
	all, err := c.find(id)
	for _, w := range all {
		if info, err := os.Stat(c.path(w.root)); err == nil && info.Size() >= w.offset+int64(w.size) {
			return w.size, nil
		}
	}
	if err != nil {
		return -1, err
	}
	return c.Blockstore.GetSize(ctx, id)
}

// Has reports whether Get would find the block.
func (c *cars) Has(ctx context.Context, id cid.Cid) (bool, error) {
	_, err := c.GetSize(ctx, id)
	if ipld.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// AllKeysChan lists the loose blocks, then those of the files, under raw CIDs all of them.
func (c *cars) AllKeysChan(ctx context.Context) (<-chan cid.Cid, error) {
	loose, err := c.Blockstore.AllKeysChan(ctx)
	if err != nil {
		return nil, err
	}
	out := make(chan cid.Cid)
	send := func(id cid.Cid) error {
		select {
		case out <- id:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	go func() {
		defer close(out)
		for id := range loose {
			if send(id) != nil {
				return
			}
		}
		_ = c.db.View(func(txn *badger.Txn) error { // the channel has no place for an error but its end
			it := txn.NewIterator(badger.IteratorOptions{Prefix: []byte{carBlock}})
			defer it.Close()
			var last []byte
			for it.Rewind(); it.Valid(); it.Next() {
				digest := it.Item().KeyCopy(nil)[1 : 1+len(proofs.Hash{})]
				if bytes.Equal(digest, last) { // it lies in another file, too
					continue
				}
				last = digest
				mh, err := multihash.Encode(digest, multihash.SHA2_256)
				if err == nil {
					err = send(cid.NewCidV1(cid.Raw, mh))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}()
	return out, nil
}

// open makes the directory, removes what was never finished, and takes files into the index that are not in it:
// the process died after it had named one, or somebody put one there.
func (c *cars) open() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		name, isCAR := strings.CutSuffix(f.Name(), carSuffix)
		if unfinished, _ := filepath.Match(carTemp, f.Name()); unfinished {
			if err := os.Remove(filepath.Join(c.dir, f.Name())); err != nil {
				return err
			}
			continue
		}
		if !isCAR {
			continue
		}
		root, err := parseRoot(name)
		if err != nil {
			return fmt.Errorf("%s: its name is no CID; move it away: %w", f.Name(), err)
		}
		if err := c.admit(root); err != nil {
			return err
		}
	}
	return nil
}

// parseRoot reads the name of a CAR file: the CID of a manifest, or of an attachment.
func parseRoot(name string) (cid.Cid, error) {
	id, err := cid.Decode(name)
	if err != nil {
		return id, err
	}
	if _, ok := sha256Of(id); !ok || id.Version() != 1 || id.ByteLen() != rootLen || id.String() != name {
		return id, errors.New("want CIDv1 with sha2-256 in base32")
	}
	return id, nil
}

// admit takes a whole file into the index, unless it is there.
func (c *cars) admit(root cid.Cid) error {
	held, err := c.holds(root)
	if held || err != nil {
		return err
	}
	found, err := scan(c.path(root), root)
	if err != nil {
		return fmt.Errorf("%s: %w; move it away, and its blocks are made or fetched again", filepath.Base(c.path(root)), err)
	}
	return c.index(root, found)
}

// holds reports whether the file of that root is in the index.
func (c *cars) holds(root cid.Cid) (bool, error) {
	digest, _ := sha256Of(root)
	err := c.db.View(func(txn *badger.Txn) error {
		_, err := txn.Get(carKey(carFile, digest))
		return err
	})
	if errors.Is(err, badger.ErrKeyNotFound) {
		return false, nil
	}
	return err == nil, err
}

// index stores where the blocks of a file lie, and then that the file is done.
func (c *cars) index(root cid.Cid, found map[proofs.Hash]where) error {
	batch := c.db.NewWriteBatch()
	defer batch.Cancel()
	for digest, w := range found {
		if err := batch.Set(w.key(digest), w.value()); err != nil {
			return err
		}
	}
	if err := batch.Flush(); err != nil {
		return err
	}
	digest, _ := sha256Of(root)
	return c.db.Update(func(txn *badger.Txn) error { return txn.Set(carKey(carFile, digest), nil) })
}

// scan reads a CAR file to its end, hashes every block, and returns where each lies. The file must have that one root,
// and hold it.
func scan(path string, root cid.Cid) (map[proofs.Hash]where, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	counted := &counter{r: bufio.NewReaderSize(f, 1<<20)}
	r, err := car.NewBlockReader(counted, car.MaxAllowedHeaderSize(maxCARHead), car.MaxAllowedSectionSize(MaxBlock+64))
	if err != nil {
		return nil, err
	}
	if r.Version != 1 || len(r.Roots) != 1 || r.Roots[0] != root {
		return nil, fmt.Errorf("it is not a CARv1 with the root %s", root)
	}
	found := map[proofs.Hash]where{}
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if digest, ok := sha256Of(b.Cid()); ok {
			found[digest] = where{root, counted.n - int64(len(b.RawData())), len(b.RawData())}
		}
	}
	digest, _ := sha256Of(root)
	if _, ok := found[digest]; !ok {
		return nil, errors.New("it does not hold its root")
	}
	return found, nil
}

// counter counts what was read.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// Keep stores the dag-cbor blocks that write puts, the last of them under root, as one CAR file, the copy of record, and
// pins root under the name. When it returns nil all of it is on stable storage. The file is named by the CID of its
// root, so that the same blocks give the same file, and keeping them again mends one that is damaged. The errors are
// those of Put and Pin.
//
// If the process dies before the file has its name, nothing was kept; after it, the next Open finds the file, and the
// same Keep again pins it.
func (n *Node) Keep(ctx context.Context, name string, write func(put func(block []byte) error) (root proofs.Hash, err error)) error {
	root, err := n.writeCAR(ctx, func(put func(cid.Cid, []byte) error) (cid.Cid, error) {
		root, err := write(func(block []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return put(cidOf(proofs.BlockDigest(block)), block)
		})
		return cidOf(root), err
	})
	if err != nil {
		return fmt.Errorf("write CAR file: %w", err)
	}
	digest, _ := sha256Of(root)
	return n.Pin(ctx, digest, name)
}

// CAR opens the file of the batch with that manifest. The error wraps fs.ErrNotExist if there is none, as for a batch that
// was pinned before there were such files.
func (n *Node) CAR(manifest proofs.Hash) (*os.File, error) {
	return os.Open(n.cars.path(cidOf(manifest)))
}

// fillFunc puts the blocks of a file, its root among them, and returns the root.
type fillFunc func(put func(cid.Cid, []byte) error) (root cid.Cid, err error)

func (n *Node) writeCAR(ctx context.Context, fill fillFunc) (root cid.Cid, err error) {
	f, err := os.CreateTemp(n.cars.dir, carTemp)
	if err != nil {
		return root, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if root, err = n.fillCAR(ctx, f, fill); err != nil {
		return root, err
	}
	if err := car.ReplaceRootsInFile(f.Name(), []cid.Cid{root}); err != nil {
		return root, err
	}
	if err := f.Sync(); err != nil {
		return root, err
	}
	found, err := scan(f.Name(), root)
	if err != nil {
		return root, err
	}
	if err := os.Rename(f.Name(), n.cars.path(root)); err != nil {
		return root, err
	}
	if err := syncDir(n.cars.dir); err != nil {
		return root, err
	}
	return root, errors.Join(n.cars.index(root, found), n.faults.Err())
}

// fillCAR writes a CAR under a root of zeros, which takes the place of the one that is known at the end.
func (n *Node) fillCAR(ctx context.Context, f *os.File, fill fillFunc) (root cid.Cid, err error) {
	out := bufio.NewWriterSize(f, carBuffered)
	w, err := carstorage.NewWritable(out, []cid.Cid{cidOf(proofs.Hash{})}, car.WriteAsCarV1(true))
	if err != nil {
		return root, err
	}
	unchecked := spaceEvery
	root, err = fill(func(id cid.Cid, block []byte) error {
		if len(block) > MaxBlock {
			return fmt.Errorf("put block: %d bytes are over the limit of %d", len(block), MaxBlock)
		}
		if unchecked += len(block); unchecked >= spaceEvery {
			if err := n.writable(unchecked); err != nil {
				return err
			}
			unchecked = 0
		}
		return w.Put(ctx, id.KeyString(), block)
	})
	if err != nil {
		return root, err
	}
	return root, out.Flush()
}

// syncDir makes names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
