package pins

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDir gives a directory a file, and damages it in every way.
func TestDir(t *testing.T) {
	w := newWorld(t, 2)
	at := t.TempDir()
	d, c := target(t, "dir:"+at), w.batch(1)
	file := filepath.Join(at, c.CID()+".car")
	if held, err := d.Check(t.Context(), c); held || err != nil {
		t.Fatalf("an empty directory: %v, %v", held, err)
	}
	push := func() {
		t.Helper()
		w.check(d.Push(t.Context(), c))
		if held, err := d.Check(t.Context(), c); !held || err != nil {
			t.Fatalf("after the push: %v, %v", held, err)
		}
		got, err := os.ReadFile(file)
		w.check(err)
		if !bytes.Equal(got, w.bytes(1)) {
			t.Fatal("the file is another")
		}
	}
	push()
	push() // again
	whole := w.bytes(1)
	for n := range whole { // each byte of the first block's head, and some of the others; as many lengths
		if n > 110 && w.rng.IntN(50) > 0 {
			continue
		}
		bad := bytes.Clone(whole)
		bad[n] ^= 1
		for _, b := range [][]byte{bad, whole[:n]} {
			w.check(os.WriteFile(file, b, 0o600))
			if held, err := d.Check(t.Context(), c); held || !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d of %d: %v, %v", n, len(whole), held, err)
			}
		}
	}
	w.check(os.WriteFile(file, append(bytes.Clone(whole), whole[len(whole)-100:]...), 0o600))
	if held, err := d.Check(t.Context(), c); held || !errors.Is(err, ErrDamaged) {
		t.Fatalf("too long: %v, %v", held, err)
	}
	push()

	w.check(os.WriteFile(file+".new", []byte("half of it, as a process left it that died"), 0o600))
	push()
	w.check(os.Symlink("/dev/full", file+".new"))
	if err := d.Push(t.Context(), c); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	push()
	if files, err := os.ReadDir(at); err != nil || len(files) != 1 {
		t.Errorf("%v, %v: want the file and nothing else", files, err)
	}
	w.check(os.RemoveAll(at))
	if held, err := d.Check(t.Context(), c); held || err == nil {
		t.Errorf("a directory that is gone: %v, %v", held, err)
	}
	if err := d.Push(t.Context(), c); err == nil {
		t.Error("a push to a directory that is gone")
	}
}

// TestOwnFile: what is not whole here goes nowhere.
func TestOwnFile(t *testing.T) {
	w := newWorld(t, 3)
	d := target(t, "dir:"+t.TempDir())
	k := w.keeper(1, d)
	whole := w.bytes(1)
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 1
	for name, b := range map[string][]byte{"flipped": bad, "cut short": whole[:len(whole)-1], "empty": {}, "gone": nil} {
		w.check(os.Remove(w.path(1)))
		if b != nil {
			w.check(os.WriteFile(w.path(1), b, 0o600))
		} else {
			defer func() { w.check(os.WriteFile(w.path(1), whole, 0o600)) }()
		}
		if err := k.work(t.Context(), k.places[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := w.held(d); len(got) != 2 || got[0] != 0 || got[1] != 2 {
			t.Errorf("%s: it holds %v", name, got)
		}
		if s := k.Status()[0]; s.Missing != 1 || s.Pushed != 2 {
			t.Errorf("%s: status %+v", name, s)
		}
		w.check(os.WriteFile(w.path(1), nil, 0o600))
	}
	if got := strings.Count(w.logs.String(), "our own file is not whole"); got != 1 {
		t.Errorf("it was said %d times:\n%s", got, &w.logs)
	}
	w.check(os.WriteFile(w.path(1), whole, 0o600))
	w.check(k.work(t.Context(), k.places[0]))
	if got := w.held(d); len(got) != 3 {
		t.Errorf("with the file mended it holds %v", got)
	}
}
