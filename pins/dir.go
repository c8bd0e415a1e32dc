package pins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// dir is a directory of CAR files, CID.car each. One process writes to it.
type dir struct {
	name, path string
}

func (d *dir) Name() string { return d.name }
func (d *dir) ID() string   { return "dir:" + d.path }

func (d *dir) file(c *CAR) string { return filepath.Join(d.path, c.CID()+".car") }

// Push writes the file under another name, syncs and names it. If the process dies in between, the next Push writes over what
// it left.
func (d *dir) Push(ctx context.Context, c CAR) (err error) {
	if _, err := c.blocks(ctx); err != nil {
		return local(err)
	}
	in, err := c.Open()
	if err != nil {
		return local(err)
	}
	defer in.Close()
	temp := d.file(&c) + ".new"
	out, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, reader{ctx, in})
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, d.file(&c)); err != nil {
		return err
	}
	at, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(at.Sync(), at.Close())
}

// Check reads the whole file, hashes every block, and compares them with ours.
func (d *dir) Check(ctx context.Context, c CAR) (bool, error) {
	f, err := os.Open(d.file(&c))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(d.path); err != nil {
			return false, err // not mounted, say
		}
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	got, err := c.scan(ctx, f)
	if err != nil {
		return false, err
	}
	want, err := c.blocks(ctx)
	if err != nil {
		return false, local(err)
	}
	if !slices.Equal(got, want) {
		return false, fmt.Errorf("%w: its blocks have other CIDs", ErrDamaged)
	}
	return true, nil
}

// reader ends when ctx does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
