// Package pins keeps copies of batches in other places than the embedded IPFS node: targets.
//
// A target is another IPFS node (Kubo), a pinning service, a bucket or a directory. Each gets the CAR file of each
// batch, the copy of record, oldest first:
//
//	kubo:http://127.0.0.1:5001
//	psa:https://api.example/psa?token-env=PSA_TOKEN&gateway=https://ipfs.example
//	s3:https://s3.eu-central-1.amazonaws.com/bucket/prefix?region=eu-central-1
//	dir:/mnt/backup/hansard
//
// A Keeper has a goroutine for each, so that one that is down or slow holds up no other. Which batches a target holds
// is in the store, and what it does not hold is its backlog: after a crash the same is pushed again, which changes
// nothing where it arrived.
//
// Nothing is believed. After a push the target is asked for what it got: blocks are fetched and hashed again where it
// hands them out, and from time to time one of those that it held before. TestFaults has targets that are down, slow,
// full, truncate, answer 200 with an error inside, and lie.
package pins

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrDamaged is wrapped where a target has something else than what it was given.
var ErrDamaged = errors.New("the copy is damaged")

// CAR is the file of one batch: CARv1, one root, every block once.
type CAR struct {
	Root proofs.Hash // of the manifest
	Name string      // for people: "hansard batch 7"
	Size int64       // bytes
	Open func() (io.ReadSeekCloser, error)
}

// CID is that of the manifest, as text.
func (c *CAR) CID() string { return proofs.FormatCID(c.Root) }

// Target is a place for copies. Its methods are called by one goroutine at a time.
type Target interface {
	// Name is a word for people.
	Name() string
	// ID says where the target is. It holds no secret, and is another for another place.
	ID() string
	// Push gives the target the file. What is there already is not harmed, and repeating it changes nothing.
	Push(ctx context.Context, c CAR) error
	// Check asks the target whether it holds the file. An error that wraps ErrDamaged says that it has something else
	// there, which Push mends; any other that nobody knows.
	Check(ctx context.Context, c CAR) (bool, error)
}

// warner is a target that knows of itself that it is not to be relied on.
type warner interface {
	// Warn returns why, or "". It is asked once.
	Warn(ctx context.Context) string
}

const (
	maxHeader = 1 << 10   // of a CAR with one root, which takes 59 bytes
	maxBlock  = 2 << 20   // what IPFS implementations move
	buffered  = 256 << 10 // about a chunk
)

// block says where a block lies in a file.
type block struct {
	cid    cid.Cid
	offset int64
	size   int
}

// blocks reads the file to its end, hashes every block and returns where each lies, the root first.
func (c *CAR) blocks(ctx context.Context) (all []block, err error) {
	f, err := c.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return c.scan(ctx, f)
}

func (c *CAR) scan(ctx context.Context, f io.Reader) (all []block, err error) {
	in := &counter{r: bufio.NewReaderSize(f, buffered)}
	head := header(c.Root)
	if start, err := in.r.Peek(len(head)); err != nil || string(start) != head {
		return nil, fmt.Errorf("%w: it is not a CARv1 with the root %s", ErrDamaged, c.CID())
	}
	r, err := car.NewBlockReader(in, car.MaxAllowedHeaderSize(maxHeader), car.MaxAllowedSectionSize(maxBlock+64))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	root, found := cidOf(c.Root), false
	for ctx.Err() == nil {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		size := len(b.RawData())
		all = append(all, block{b.Cid(), in.n - int64(size), size})
		if !found && b.Cid() == root {
			found = true
			all[0], all[len(all)-1] = all[len(all)-1], all[0]
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !found:
		return nil, fmt.Errorf("%w: it does not hold its root", ErrDamaged)
	case in.n != c.Size:
		return nil, fmt.Errorf("%w: it has %d bytes and not %d", ErrDamaged, in.n, c.Size)
	}
	return all, nil
}

// header is how a CARv1 with one dag-cbor root begins: a length and {"roots": [root], "version": 1} as dag-cbor. go-car reads
// others, too.
func header(root proofs.Hash) string {
	return "\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00" + string(cidOf(root).Bytes()) + "\x67version\x01"
}

// sample returns the root and a random other block, if there is one.
func sample(all []block) []block {
	if len(all) == 1 {
		return all
	}
	return []block{all[0], all[1+rand.IntN(len(all)-1)]}
}

// same returns an error that wraps ErrDamaged unless the bytes are the block.
func (b *block) same(got []byte) error {
	if c, err := b.cid.Prefix().Sum(got); err != nil || c != b.cid {
		return fmt.Errorf("%w: %d bytes came for block %s, and they are not the block", ErrDamaged, len(got), b.cid)
	}
	return nil
}

// cidOf returns the CID of a dag-cbor block.
func cidOf(digest proofs.Hash) cid.Cid {
	mh, err := multihash.Encode(digest[:], multihash.SHA2_256)
	if err != nil {
		panic(fmt.Sprintf("pins: multihash of 32 bytes: %v", err))
	}
	return cid.NewCidV1(cid.DagCBOR, mh)
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
