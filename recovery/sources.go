package recovery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hansard-dao/hansard/proofs"
)

// Blocks is where blocks are read from: a gateway, CAR files, a node.
type Blocks interface {
	// Block returns the dag-cbor block with that SHA-256 digest. An error that wraps proofs.ErrNotFound says
	// that it is not there.
	Block(ctx context.Context, digest proofs.Hash) ([]byte, error)
}

// Source is a place to read blocks from, under the name that errors and the summary call it by.
type Source struct {
	Name string
	Blocks
}

// Use is how far a source was of use.
type Use struct {
	Name   string
	Blocks uint64 // that it gave
	Bytes  uint64 // of them
	Wrong  uint64 // answers that were neither the block nor that it is not there
	Last   error  // the last of those; nil: none
}

// sources asks several sources in turn, the one that gave the last block first.
type sources struct {
	all []Source

	mu   sync.Mutex // guards what follows
	last int
	use  []Use
}

// Join returns sources as one, which asks them in turn.
func Join(all []Source) Blocks { return newSources(all) }

func newSources(all []Source) *sources {
	s := &sources{all: all, use: make([]Use, len(all))}
	for i := range all {
		s.use[i].Name = all[i].Name
	}
	return s
}

// Block returns the block, hashed again. The error names what each source answered, and wraps proofs.ErrNotFound if
// all of them say that it is not there.
func (s *sources) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	s.mu.Lock()
	first := s.last
	s.mu.Unlock()
	var errs []error
	missing := 0
	for i := range s.all {
		at := (first + i) % len(s.all)
		b, err := s.all[at].Block(ctx, digest)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && proofs.BlockDigest(b) != digest {
			err = errors.New("it gives other bytes")
		}
		gone := errors.Is(err, proofs.ErrNotFound)
		s.note(at, len(b), err, gone)
		if err == nil {
			return b, nil
		}
		if gone {
			missing++
		}
		errs = append(errs, fmt.Errorf("%s: %w", s.all[at].Name, err))
	}
	cid := proofs.FormatCID(digest)
	if missing == len(s.all) {
		return nil, fmt.Errorf("block %s: %w: no source has it", cid, proofs.ErrNotFound)
	}
	return nil, fmt.Errorf("block %s: %w", cid, errors.Join(errs...))
}

// note counts an answer.
func (s *sources) note(at, size int, err error, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &s.use[at]
	switch {
	case err == nil:
		s.last = at
		u.Blocks++
		u.Bytes += uint64(size)
	case !gone:
		u.Wrong++
		u.Last = err
	}
}

// uses returns how far each source was of use.
func (s *sources) uses() []Use {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Use(nil), s.use...)
}
