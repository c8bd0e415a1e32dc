package watchtower

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hansard-dao/hansard/proofs"
)

// cache keeps the leaf hashes of batches, a file each, named by the root and as long as 32 bytes a leaf. What is read
// gives the root or is thrown away.
type cache struct {
	dir    string
	root   proofs.Hash   // of leaves
	leaves []proofs.Hash // read or written last: promises are decided in the order of the log
}

func (c *cache) path(b proofs.Batch) string {
	return filepath.Join(c.dir, hex.EncodeToString(b.Root[:])+".leaves")
}

// has reports whether there is a file of the batch's length.
func (c *cache) has(b proofs.Batch) bool {
	info, err := os.Stat(c.path(b))
	return err == nil && info.Mode().IsRegular() && uint64(info.Size()) == 32*b.Size
}

// get returns the batch's leaf hashes. The error wraps proofs.ErrNotFound if they are not here, or not any more what
// they were: then the file is gone.
func (c *cache) get(b proofs.Batch) ([]proofs.Hash, error) {
	if c.root == b.Root && uint64(len(c.leaves)) == b.Size {
		return c.leaves, nil
	}
	if !c.has(b) {
		return nil, proofs.ErrNotFound
	}
	raw, err := os.ReadFile(c.path(b))
	if err != nil {
		return nil, err
	}
	leaves := make([]proofs.Hash, len(raw)/32)
	for i := range leaves {
		leaves[i] = proofs.Hash(raw[32*i:])
	}
	if root, err := proofs.Root(leaves); err != nil || root != b.Root || uint64(len(leaves)) != b.Size {
		err := os.Remove(c.path(b))
		return nil, errors.Join(fmt.Errorf("%w: the file of batch %d was not what the batch holds", proofs.ErrNotFound, b.Number), err)
	}
	c.root, c.leaves = b.Root, leaves
	return leaves, nil
}

// put stores leaf hashes that give the batch's root, durably when it returns nil.
func (c *cache) put(b proofs.Batch, leaves []proofs.Hash) error {
	raw := make([]byte, 0, 32*len(leaves))
	for _, h := range leaves {
		raw = append(raw, h[:]...)
	}
	if err := write(c.path(b), raw, os.Rename); err != nil {
		return err
	}
	c.root, c.leaves = b.Root, leaves
	return nil
}

// write writes a file that is whole or as it was before, whenever we die, and durable when it returns nil. place puts it
// where it belongs: os.Rename, or os.Link, which leaves a file that is there as it is and then returns fs.ErrExist.
func write(path string, b []byte, place func(from, to string) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := place(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
