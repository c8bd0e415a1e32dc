package watchtower

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

const receiptSuffix = ".receipt.json"

// given is what one file holds.
type given struct {
	path     string
	chain    proofs.Chain
	promises []proofs.Promise       // one, or the two of a conflict; none in a receipt that only shows what stands at its index
	receipt  *proofs.Receipt        // from Included on, without what is not looked at; nil: the file shows no inclusion
	evidence *proofs.BreachEvidence // of a substitution; nil: it is none
}

// inbox reads the files of a directory, at all depths, each once for as long as size and time stay the same.
type inbox struct {
	dir  string
	seen map[string]stamp
}

type stamp struct {
	size int64
	time time.Time
}

// scan returns what is new. bad is told of each file that cannot be read as a promise, which is looked at again when it
// has changed; an error is of the directory itself.
func (in *inbox) scan(found func(given), bad func(path string, err error)) error {
	return filepath.WalkDir(in.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if path == in.dir {
				return err
			}
			in.once(path, stamp{}, func() { bad(path, err) })
			return nil
		}
		if d.IsDir() || !strings.HasSuffix(path, receiptSuffix) && !strings.HasSuffix(path, proofs.EvidenceSuffix) {
			return nil
		}
		info, err := os.Stat(path)
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is no regular file")
		}
		now := stamp{}
		if err == nil {
			now = stamp{info.Size(), info.ModTime()}
		}
		in.once(path, now, func() {
			var g *given
			if err == nil {
				g, err = readGiven(path)
			}
			if err != nil {
				bad(path, err)
				return
			}
			found(*g)
		})
		return nil
	})
}

// once calls f unless the file was seen with that stamp.
func (in *inbox) once(path string, now stamp, f func()) {
	if was, ok := in.seen[path]; ok && was.size == now.size && was.time.Equal(now.time) {
		return
	}
	in.seen[path] = now
	f()
}

// readGiven reads a receipt or evidence. What it is, is said inside.
func readGiven(path string) (*given, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, proofs.MaxReceipt+1))
	if err != nil {
		return nil, err
	}
	if proofs.IsEvidence(b) {
		e, err := proofs.ParseBreachEvidence(b)
		if err != nil {
			return nil, err
		}
		g := &given{path: path, chain: e.Chain, promises: []proofs.Promise{e.Promise}}
		if e.Second != nil {
			g.promises = append(g.promises, *e.Second)
		}
		if e.Breach == proofs.Substitution {
			e.Anchor, e.Hints = nil, nil
			g.evidence = e
		}
		return g, nil
	}
	r, err := proofs.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	if r.Promise == nil && r.Level < proofs.Included {
		return nil, errors.New("it holds no promise: the receipt that hansard send kept has one")
	}
	g := &given{path: path, chain: r.Chain}
	if r.Promise != nil {
		g.promises = []proofs.Promise{*r.Promise}
	}
	if r.Level >= proofs.Included {
		r.Message, r.Evidence, r.Anchor, r.Fold, r.Hints = nil, nil, nil, nil, nil // the chain is asked itself
		g.receipt = r
	}
	return g, nil
}
