package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

// Limits of what is read of a CAR file before a byte of it is believed.
const (
	maxCARHead  = 1 << 20
	maxCARBlock = proofs.MaxManifest + 64 // with the CID
)

// CARs are the blocks of CAR files, version 1 or 2.
type CARs struct {
	// Damaged says which files end early or are no CAR files, and why. What comes before the damage is there.
	Damaged []error

	files []string
	at    map[proofs.Hash]place
}

// place is where a block lies.
type place struct {
	offset int64
	file   int32
	size   int32
}

// OpenCARs lists the blocks of a CAR file, or of every *.car file in a directory and below it. It reads the heads of the
// blocks and keeps where each lies; what they hold is read and hashed when it is asked for.
func OpenCARs(ctx context.Context, path string) (*CARs, error) {
	c := &CARs{at: map[proofs.Hash]place{}}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open CAR files: %w", err)
	}
	if !info.IsDir() {
		c.add(path)
		return c, nil
	}
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && strings.HasSuffix(file, ".car") {
			c.add(file)
		}
		return errors.Join(err, ctx.Err())
	})
	if err == nil && len(c.files) == 0 {
		err = errors.New("there is no *.car file in it")
	}
	if err != nil {
		return nil, fmt.Errorf("open CAR files of %s: %w", path, err)
	}
	return c, nil
}

// Blocks returns how many blocks there are.
func (c *CARs) Blocks() int { return len(c.at) }

// add lists the blocks of a file.
func (c *CARs) add(path string) {
	c.files = append(c.files, path)
	if err := c.scan(path); err != nil {
		c.Damaged = append(c.Damaged, fmt.Errorf("%s: %w", path, err))
	}
}

func (c *CARs) scan(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := car.NewBlockReader(f, car.MaxAllowedHeaderSize(maxCARHead), car.MaxAllowedSectionSize(maxCARBlock))
	if err != nil {
		return fmt.Errorf("it is not a CAR file: %w", err)
	}
	for n := 0; ; n++ {
		b, err := r.SkipNext()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is cut short or damaged after %d blocks: %w", n, err)
		}
		digest, ok := digestOf(b.Cid)
		if _, twice := c.at[digest]; ok && !twice {
			// SourceOffset is where the section begins: its length, its CID, then the block.
			head := varintSize(uint64(b.ByteLen())+b.Size) + b.ByteLen()
			c.at[digest] = place{int64(b.SourceOffset) + int64(head), int32(len(c.files) - 1), int32(b.Size)}
		}
	}
}

func varintSize(n uint64) (size int) {
	for size = 1; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// digestOf returns the digest of a CID by SHA-256.
func digestOf(id cid.Cid) (digest proofs.Hash, ok bool) {
	mh, err := multihash.Decode(id.Hash())
	if err != nil || mh.Code != multihash.SHA2_256 || len(mh.Digest) != len(digest) {
		return digest, false
	}
	return proofs.Hash(mh.Digest), true
}

// Block returns the block. The error wraps proofs.ErrNotFound if no file has it, and names the file whose bytes are
// others.
func (c *CARs) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	at, ok := c.at[digest]
	if !ok {
		return nil, proofs.ErrNotFound
	}
	path := c.files[at.file]
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, at.size)
	if _, err := f.ReadAt(b, at.offset); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if proofs.BlockDigest(b) != digest {
		return nil, fmt.Errorf("%s: the %d bytes from %d on are not the block", path, at.size, at.offset)
	}
	return b, nil
}

// ParseCID reads the CID of a manifest, as proofs.FormatCID writes it.
func ParseCID(s string) (proofs.Hash, error) {
	id, err := cid.Decode(s)
	if err != nil {
		return proofs.Hash{}, err
	}
	digest, ok := digestOf(id)
	if !ok || proofs.FormatCID(digest) != s {
		return proofs.Hash{}, fmt.Errorf("want the CID of a batch, bafyrei and 52 more letters and digits, got %.80q", s)
	}
	return digest, nil
}
