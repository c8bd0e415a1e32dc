package watchtower

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// witness writes evidence of a breach that is final, once.
func (l *followed) witness(ctx context.Context, x *watched) error {
	f := x.finding
	if x.written || !x.counts || f.Outcome != promises.Broken || !f.Final {
		return nil
	}
	e, err := l.judge.Evidence(ctx, f)
	if err != nil {
		return fmt.Errorf("make evidence: %w", err)
	}
	path, err := l.w.writeEvidence(bond.PromiseID(l.chain, &e.Promise), e)
	if err != nil {
		return fmt.Errorf("write evidence: %w", err)
	}
	x.written = true
	l.report(Event{
		Kind: KindEvidence, Path: path, Promise: &x.Promise, ID: x.id, Outcome: x.outcome(), Breach: f.Breach.String(), Final: true,
		Detail: "hansard verify " + path + " says what it proves",
	})
	return nil
}

// writeEvidence writes evidence of a promise unless there is some of the same breach of it. A name that something else has
// taken is made longer.
func (w *Watchtower) writeEvidence(id proofs.Hash, e *proofs.BreachEvidence) (path string, err error) {
	file, digits := e.Format(), hex.EncodeToString(id[:])
	for n := 8; n <= len(digits); n *= 2 {
		path = filepath.Join(w.cfg.Evidence, fmt.Sprintf("%s-%d-%s%s", e.Breach, e.Promise.Index, digits[:n], proofs.EvidenceSuffix))
		err = write(path, file, os.Link)
		if err == nil || errors.Is(err, fs.ErrExist) && sameEvidence(path, e) {
			return path, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	return "", err
}

// sameEvidence reports whether a file holds evidence of that breach of that promise.
func sameEvidence(path string, e *proofs.BreachEvidence) bool {
	b, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	was, err := proofs.ParseBreachEvidence(b)
	return err == nil && was.Breach == e.Breach && was.Chain == e.Chain && was.Promise == e.Promise &&
		proofs.VerifyEvidence(b, proofs.Options{}).Verdict != proofs.Invalid
}
