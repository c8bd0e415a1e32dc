package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// ErrDamaged is wrapped when a file is no backup as Write wrote it.
var ErrDamaged = errors.New("the backup is damaged")

// maxDamage is how much of it is listed.
const maxDamage = 100

// DamageError lists what is wrong with a file. It wraps ErrDamaged.
type DamageError struct{ What []string }

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: %s", ErrDamaged, strings.Join(e.What, "; "))
}

func (e *DamageError) Unwrap() error { return ErrDamaged }

func (e *DamageError) add(format string, args ...any) {
	if len(e.What) < maxDamage {
		e.What = append(e.What, fmt.Sprintf(format, args...))
	}
}

// File is a backup that was verified when it was opened. One goroutine uses it.
type File struct {
	Header
	// Trust is trust.json, Keys are the names of the key files.
	Trust []byte
	Keys  []string
	// Withheld is how many of the entries have no message.
	Withheld uint64

	file    *os.File
	members map[string]place
}

// place is where a member lies.
type place struct {
	offset int64
	size   int64
	sum    [32]byte
}

var memberName = regexp.MustCompile(`^(backup\.json|trust\.json|SHA256SUMS|keys/[a-z0-9][a-z0-9._-]{0,63}\.json|` +
	`batches/[0-9]{20}\.json|entries/[0-9]{20}\.cbor|deadlines/[0-9]{20}\.bin)$`)

// Open opens a backup and verifies it: every sum, every member, that entries hash to the roots of their batches and follow
// one another, that anchors are of their batches, and that every deadline is there that the file claims to hold. Memory is
// up to 200 bytes a member, 160 a room and 32 an entry of the largest batch. The error is a *DamageError if the file is
// there and is not what Write wrote.
func Open(ctx context.Context, path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open backup: %w", err)
	}
	f := &File{file: file, members: map[string]place{}}
	damage := &DamageError{}
	if err = f.scan(ctx, damage); err == nil && len(damage.What) == 0 {
		err = f.check(ctx, damage)
	}
	if err == nil && len(damage.What) > 0 {
		err = damage
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open backup %s: %w", path, err), file.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// tap hashes and counts what is read through it.
type tap struct {
	r    io.Reader
	n    int64
	hash hash.Hash
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	t.hash.Write(p[:n])
	return n, err
}

// scan reads the archive once: where its members lie, and whether they have their sums.
func (f *File) scan(ctx context.Context, damage *DamageError) error {
	in, again := &tap{r: f.file, hash: sha256.New()}, sha256.New()
	r, w := tar.NewReader(in), tar.NewWriter(again)
	last := ""
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			damage.add("after %q: %v", last, err)
			return nil
		}
		switch _, twice := f.members[h.Name]; {
		case !memberName.MatchString(h.Name):
			damage.add("%.100q is no part of a backup", h.Name)
			return nil
		case twice:
			damage.add("%s is there twice", h.Name)
			return nil
		case h.Size > maxMember:
			damage.add("%s: %d bytes are over the limit of %d", h.Name, h.Size, maxMember)
			return nil
		}
		at, sum := in.n, sha256.New()
		if err := w.WriteHeader(tarHeader(h.Name, h.Size)); err != nil {
			return err
		}
		if _, err := io.Copy(io.MultiWriter(sum, w), r); err != nil {
			damage.add("%s: %v", h.Name, err)
			return nil
		}
		f.members[h.Name], last = place{at, h.Size, [32]byte(sum.Sum(nil))}, h.Name
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	if err := f.checkSums(last, damage); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	if len(damage.What) == 0 && !bytes.Equal(in.hash.Sum(nil), again.Sum(nil)) {
		damage.add("the archive has other bytes between or after its files than it was written with, and its files are whole")
	}
	return nil
}

// checkSums holds every member against its sum. last is the name of the last one.
func (f *File) checkSums(last string, damage *DamageError) error {
	if last != sumsName {
		damage.add("it ends after %q, before %s: it is cut short", last, sumsName)
		return nil
	}
	b, err := f.read(sumsName)
	if err != nil {
		return err
	}
	left := maps.Clone(f.members)
	delete(left, sumsName)
	for line := range strings.Lines(string(b)) {
		_, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		at, there := f.members[name]
		switch {
		case !ok || !memberName.MatchString(name):
			damage.add("%s: %.120q is no line of it", sumsName, line)
		case !there:
			damage.add("%s is missing", name)
		case line != sumLine(name, at.sum):
			damage.add("%s: its bytes are not those of its sum", name)
		}
		delete(left, name)
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		damage.add("%s has no sum", name)
	}
	return nil
}

// read returns the bytes of a member as they were when the file was opened.
func (f *File) read(name string) ([]byte, error) {
	at, ok := f.members[name]
	if !ok {
		return nil, fmt.Errorf("%w: %s is missing", ErrDamaged, name)
	}
	b := make([]byte, at.size)
	if _, err := f.file.ReadAt(b, at.offset); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if sha256.Sum256(b) != at.sum {
		return nil, fmt.Errorf("%w: %s changed while it was read", ErrDamaged, name)
	}
	return b, nil
}

// names returns the names of the members in a folder, in order.
func (f *File) names(folder string) (names []string) {
	for name := range f.members {
		if strings.HasPrefix(name, folder+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Key returns a key file.
func (f *File) Key(name string) ([]byte, error) { return f.read("keys/" + name + ".json") }
