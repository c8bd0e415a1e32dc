package pins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// stuck is a target that takes the first batches and then neither ends nor fails.
type stuck struct {
	Target
	takes int
	in    chan struct{} // closed when it is stuck
}

func (s *stuck) Push(ctx context.Context, c CAR) error {
	if s.takes == 0 {
		close(s.in)
		<-ctx.Done()
		return ctx.Err()
	}
	s.takes--
	return s.Target.Push(ctx, c)
}

func (w *world) enough(k *Keeper) (numbers []uint64) {
	w.t.Helper()
	all, err := w.db.Unfinal(w.t.Context(), 100)
	w.check(err)
	got, err := k.Enough(w.t.Context(), all)
	w.check(err)
	for _, s := range got {
		numbers = append(numbers, s.Number)
	}
	return numbers
}

// TestOneIsStuck: a target that hangs holds up no other, and only what it holds itself counts.
func TestOneIsStuck(t *testing.T) {
	w := newWorld(t, 5)
	good := target(t, "dir:"+t.TempDir()+"?name=good")
	bad := &stuck{target(t, "dir:"+t.TempDir()+"?name=bad"), 2, make(chan struct{})}
	k := w.keeper(3, bad, good)
	stop := w.run(k)
	for range 5 + 2 {
		<-w.took
	}
	<-bad.in
	w.add() // and one that comes meanwhile
	k.Wake()
	<-w.took
	if got := w.held(good); len(got) != 6 {
		t.Errorf("the good one holds %v", got)
	}
	if got, want := w.held(bad), []int{0, 1}; !slices.Equal(got, want) {
		t.Errorf("the stuck one holds %v", got)
	}
	if got, want := w.enough(k), []uint64{0, 1}; !slices.Equal(got, want) {
		t.Errorf("%v may be anchored, want %v", got, want)
	}
	s, err := w.db.Batch(t.Context(), 2)
	w.check(err)
	names, err := k.Holders(t.Context(), &s)
	w.check(err)
	if diff := cmp.Diff([]string{Embedded, "good"}, names); diff != "" {
		t.Error(diff)
	}
	if missing, held, err := k.Backlog(t.Context(), 0); missing != 4 || held != 2 || err != nil {
		t.Errorf("backlog %d, held %d, %v", missing, held, err)
	}
	stop()
	if strings.Contains(w.logs.String(), "target fails") {
		t.Errorf("stopping is no failure:\n%s", &w.logs)
	}
}

// TestRequire: with 1 the embedded node is enough; a batch that was signed for is not held back.
func TestRequire(t *testing.T) {
	w := newWorld(t, 3)
	a, b := target(t, "dir:"+t.TempDir()+"?name=a"), target(t, "dir:"+t.TempDir()+"?name=b")
	if got := w.enough(w.keeper(1, a, b)); len(got) != 3 {
		t.Errorf("with 1: %v", got)
	}
	k := w.keeper(2, a, b)
	if got := w.enough(k); len(got) != 0 {
		t.Errorf("with 2: %v", got)
	}
	w.check(w.db.SetHeld(t.Context(), b.ID(), 0, true))
	w.check(w.db.SetHeld(t.Context(), b.ID(), 2, true))
	if got, want := w.enough(k), []uint64{0}; !slices.Equal(got, want) {
		t.Errorf("with 2, of which b holds 0 and 2: %v", got)
	}
	w.check(w.db.SaveTx(t.Context(), 1, []byte("signed before")))
	if got := w.enough(k); len(got) != 3 {
		t.Errorf("with 1 signed for: %v", got)
	}
	if got := w.enough(w.keeper(3, a, b)); !slices.Equal(got, nil) {
		t.Errorf("with 3: %v", got)
	}
	w.check(w.db.SetHeld(t.Context(), "dir:/a/target/of/before", 0, true))
	if got := w.enough(w.keeper(3, a, b)); len(got) != 0 {
		t.Errorf("with a holder that is not asked any more: %v", got)
	}
	for require, want := range map[int]string{0: "0 places are required", 4: "there are 3 with the embedded node"} {
		if _, err := New(Config{Targets: []Target{a, b}, Require: require, Store: w.db, CAR: w.car}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("require %d: %v", require, err)
		}
	}
	same := target(t, a.ID()+"?name=c")
	if _, err := New(Config{Targets: []Target{a, a, same}, Require: 1, Store: w.db, CAR: w.car}); err == nil ||
		!strings.Contains(err.Error(), "two targets have the name a") || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("the same twice: %v", err)
	}
}

// TestDelay says which target is missing and why, and for how long, and is silent while all goes well.
func TestDelay(t *testing.T) {
	w := newWorld(t, 1)
	a, b := target(t, "dir:"+t.TempDir()+"?name=a"), target(t, "dir:"+t.TempDir()+"?name=b")
	k := w.keeper(3, a, b)
	if d := k.Delay(); d != nil {
		t.Errorf("nothing waits: %+v", d)
	}
	w.enough(k)
	if d := k.Delay(); d != nil {
		t.Errorf("it began to wait just now: %+v", d)
	}
	since := time.Now()
	k.note(t.Context(), k.places[1], errors.New("the disk is full"), time.Minute)
	w.enough(k)
	d := k.Delay()
	want := "batch 0 is held by 1 of the 3 places that --pin-require wants; without it: a (does not have it yet), b (the disk is full)"
	if d == nil || d.Detail != want || d.Since.After(since) || d.Next.Before(since.Add(time.Minute)) {
		t.Errorf("got %+v, want %s", d, want)
	}
	w.check(k.work(t.Context(), k.places[0]))
	w.enough(k)
	if d := k.Delay(); d == nil || !strings.Contains(d.Detail, "2 of the 3 places that --pin-require wants; without it: b (") {
		t.Errorf("with a: %+v", d)
	}
	k.cfg.patience = time.Nanosecond
	k.note(t.Context(), k.places[1], nil, 0)
	if d := k.Delay(); d == nil || !strings.Contains(d.Detail, "b (does not have it yet)") || !d.Next.IsZero() {
		t.Errorf("b does not fail and takes long: %+v", d)
	}
	w.check(k.work(t.Context(), k.places[1]))
	w.enough(k)
	if d := k.Delay(); d != nil {
		t.Errorf("all hold it: %+v", d)
	}
}

// TestSaidOnceAnHour: a target that fails again and again fills no log.
func TestSaidOnceAnHour(t *testing.T) {
	w := newWorld(t, 1)
	k := w.keeper(2, target(t, "dir:"+t.TempDir()))
	for range 5 {
		k.note(t.Context(), k.places[0], errors.New("the fault"), time.Second)
		k.note(t.Context(), k.places[0], nil, time.Second)
	}
	logs := w.logs.String()
	if strings.Count(logs, "target fails") != 1 || strings.Count(logs, "target works again") != 1 || !strings.Contains(logs, "batches_missing=1") {
		t.Errorf("logs:\n%s", logs)
	}
	if s := k.Status()[0]; s.Errors != 5 || s.Err != nil {
		t.Errorf("status %+v", s)
	}
}

// interrupted ends the process, as far as the keeper can tell, after so many bytes of a file.
type interrupted struct {
	io.ReadSeekCloser
	left int
	end  func()
}

func (r *interrupted) Read(p []byte) (int, error) {
	if r.left <= 0 {
		r.end()
		return 0, context.Canceled
	}
	n, err := r.ReadSeekCloser.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// TestRestart ends the keeper in the middle of a push, after each of some numbers of bytes that were read, restarts
// everything, and finds each batch whole at each target in the end.
func TestRestart(t *testing.T) {
	w := newWorld(t, 3)
	at := t.TempDir()
	_, kuboURL := func() (*fakeKubo, string) { k, _, url := newFakeKubo(t); return k, url }()
	_, s3URL := newS3Server(t)
	uris := []string{"dir:" + at, "kubo:" + kuboURL, "s3:" + s3URL + "/bucket?region=us-east-1"}
	for _, uri := range uris {
		for after := 100; ; after += 2500 {
			to := target(t, uri)
			k := w.keeper(2, to)
			ctx, end := context.WithCancel(t.Context())
			left := &interrupted{left: after, end: end}
			k.cfg.CAR = func(root proofs.Hash) (CAR, error) {
				c, err := w.car(root)
				open := c.Open
				c.Open = func() (io.ReadSeekCloser, error) {
					left.ReadSeekCloser, err = open()
					return left, err
				}
				return c, err
			}
			err := k.work(ctx, k.places[0])
			end()
			w.close()
			w.open()
			if err == nil {
				break
			}
			if after > 1<<20 {
				t.Fatalf("%s: it never ends: %v", to.ID(), err)
			}
		}
		to := target(t, uri)
		k := w.keeper(2, to)
		w.check(k.work(t.Context(), k.places[0]))
		if got := w.held(to); len(got) != 3 {
			t.Errorf("%s holds %v", to.ID(), got)
		}
		for n := range w.roots {
			if held, err := to.Check(t.Context(), w.batch(n)); !held || err != nil {
				t.Errorf("%s, batch %d: %v, %v", to.ID(), n, held, err)
			}
		}
	}
	files, err := os.ReadDir(at)
	w.check(err)
	if len(files) != 3 {
		t.Errorf("left behind: %v", files)
	}
}

// TestLost: a target that loses a batch after it held it gets it again, and the batch is not counted meanwhile.
func TestLost(t *testing.T) {
	for name, lose := range map[string]func(file string) error{
		"gone":      os.Remove,
		"cut short": func(file string) error { return os.Truncate(file, 100) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 1)
			at := t.TempDir()
			to := target(t, "dir:"+at)
			k := w.keeper(2, to)
			for range 2 {
				if lost, err := k.round(t.Context(), k.places[0], true); lost || err != nil {
					t.Fatalf("%v, %v", lost, err)
				}
			}
			if s := k.Status()[0]; s.Lost != 0 || s.Pushed != 1 {
				t.Fatalf("status %+v", s)
			}
			c := w.batch(0)
			w.check(lose(filepath.Join(at, c.CID()+".car")))
			if lost, err := k.recheck(t.Context(), k.places[0]); !lost || err != nil {
				t.Errorf("%v, %v", lost, err)
			}
			if got := w.held(to); len(got) != 0 {
				t.Errorf("it is believed to hold %v", got)
			}
			if got := w.enough(k); len(got) != 0 {
				t.Errorf("%v may be anchored", got)
			}
			w.check(k.work(t.Context(), k.places[0]))
			if s := k.Status()[0]; s.Lost != 1 || s.Pushed != 2 || len(w.held(to)) != 1 {
				t.Errorf("status %+v", s)
			}
			if !strings.Contains(w.logs.String(), "does not hold a batch that it held") {
				t.Errorf("logs:\n%s", &w.logs)
			}
			w.check(os.RemoveAll(at)) // nobody knows then
			if lost, err := k.recheck(t.Context(), k.places[0]); lost || err == nil || len(w.held(to)) != 1 {
				t.Errorf("not there to be asked: %v, it holds %v", err, w.held(to))
			}
		})
	}
}

// TestRecheck asks now and then, and goes on where a batch is lost until one is not.
func TestRecheck(t *testing.T) {
	w := newWorld(t, 8)
	at := t.TempDir()
	to := target(t, "dir:"+at)
	k := w.keeper(2, to)
	w.check(k.work(t.Context(), k.places[0]))
	for range w.roots {
		<-w.took
	}
	for n := range w.roots {
		c := w.batch(n)
		w.check(os.Remove(filepath.Join(at, c.CID()+".car")))
	}
	k.cfg.recheck = time.Millisecond
	stop := w.run(k)
	for range w.roots {
		<-w.took
	}
	stop()
	files, err := os.ReadDir(at)
	w.check(err)
	if got := k.Status()[0]; len(files) != 8 || got.Lost != 8 || len(w.held(to)) != 8 {
		t.Errorf("%d files, status %+v", len(files), got)
	}
}

// failing is a store with a fault.
type failing struct {
	Store
	err error
}

func (f failing) SetHeld(context.Context, string, uint64, bool) error { return f.err }

// TestStoreFails: the store's errors end Run, since nobody knows what was written.
func TestStoreFails(t *testing.T) {
	w := newWorld(t, 1)
	fault := errors.New("the fault")
	k := w.keeper(1, target(t, "dir:"+t.TempDir()))
	k.cfg.Store = failing{w.db, fault}
	if err := k.Run(t.Context()); !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
}

// TestOpen reads URIs, and repeats nothing of a secret that stands where none belongs.
func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("test-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for uri, want := range map[string]string{ // name and id, or the error after an exclamation mark
		"dir:/mnt/a/":                            "dir dir:/mnt/a",
		"dir:/mnt/a?name=backup-2":               "backup-2 dir:/mnt/a",
		"dir:a":                                  "!whole path",
		"dir:/a?name=embedded":                   "!want a name",
		"dir:/a?name=A":                          "!want a name",
		"dir:/a?region=x":                        "!not known",
		"kubo:http://127.0.0.1:5001":             "kubo kubo:http://127.0.0.1:5001",
		"kubo:http://127.0.0.1:5001/":            "kubo kubo:http://127.0.0.1:5001",
		"kubo:https://K.example?token-env=TOKEN": "kubo kubo:https://k.example",
		"kubo:http://k.example?token-env=TOKEN":  "!over https only",
		"kubo:http://k.example?token=s3cret":     "!not known",
		"kubo:http://s3cret@k.example":           "!without user",
		"kubo:127.0.0.1:5001":                    "!want a URL",
		"kubo:http://127.0.0.1:5001?token-env=TOKEN&token-file=" + file: "!not both",
		"psa:https://p.example/psa":                                     "!want token-env",
		"psa:https://p.example/psa?token-env=NOT_SET":                   "!holds no token",
		"psa:https://p.example/psa?token-file=/does/not/exist":          "!no such file",
		"psa:https://p.example/psa?token-file=" + file:                  "psa psa:https://p.example/psa",
		"psa:https://p.example/psa?token-env=TOKEN&gateway=ftp://x":     "!gateway",
		"psa:https://p.example/psa?token-env=TOKEN&token-env=TOKEN":     "!stands twice",
		"s3:https://s3.example/bucket/a/../b/?region=x":                 "s3 s3:https://s3.example/bucket/a/../b",
		"s3:https://s3.example":                                         "!BUCKET",
		"s3:https://s3.example/bucket?secret=s3cret":                    "!not known",
		"ftp://x": "!want kubo:URL",
		"":        "!want kubo:URL",
	} {
		got, err := Open(uri, testOptions)
		if wrong, ok := strings.CutPrefix(want, "!"); ok {
			if err == nil || !strings.Contains(err.Error(), wrong) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: got %v, want %s", uri, err, wrong)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", uri, err)
		} else if s := fmt.Sprintf("%s %s", got.Name(), got.ID()); s != want {
			t.Errorf("%s: got %s, want %s", uri, s, want)
		}
	}
	if _, err := Open("s3:https://s3.example/bucket", Options{Env: func(string) string { return "" }}); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("no credentials: %v", err)
	}
}

// TestWarn: a Kubo that does not sync is told apart.
func TestWarn(t *testing.T) {
	w := newWorld(t, 1)
	_, _, url := newFakeKubo(t)
	k := w.keeper(1, target(t, "kubo:"+url))
	stop := w.run(k)
	<-w.took
	stop()
	k.warn(t.Context(), k.places[0])
	if !strings.Contains(w.logs.String(), "flatfs has sync off") {
		t.Errorf("logs:\n%s", &w.logs)
	}
	if unsynced(map[string]any{"mounts": []any{map[string]any{"type": "flatfs", "sync": true}, map[string]any{"type": "levelds"}}}) {
		t.Error("one that syncs is warned of")
	}
}
