//go:build kubo

package pins

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// daemon runs a stock Kubo, which tools/kubo pins and HANSARD_KUBO names, on loopback and without a network.
type daemon struct {
	t    *testing.T
	dir  string
	api  string
	stop func()
}

func (d *daemon) run(args ...string) string {
	d.t.Helper()
	cmd := d.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatalf("ipfs %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

func (d *daemon) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Getenv("HANSARD_KUBO"), args...)
	cmd.Env = []string{"IPFS_PATH=" + d.dir, "HOME=" + d.dir, "IPFS_TELEMETRY=off"}
	return cmd
}

func newDaemon(t *testing.T, sync bool) *daemon {
	t.Helper()
	if os.Getenv("HANSARD_KUBO") == "" {
		t.Fatal("HANSARD_KUBO names no ipfs command; build it in tools/kubo")
	}
	d := &daemon{t: t, dir: t.TempDir()}
	d.run("init", "--empty-repo", "--profile=test")
	d.run("config", "Addresses.API", "/ip4/127.0.0.1/tcp/0")
	d.run("config", "Addresses.Gateway", "/ip4/127.0.0.1/tcp/0")
	d.run("config", "--json", "Version.SwarmCheckEnabled", "false")
	if sync {
		d.run("config", "--json", "Datastore.Spec", strings.Replace(d.run("config", "Datastore.Spec"), `"sync": false`, `"sync": true`, 1))
	}
	d.start()
	return d
}

func (d *daemon) start() {
	t := d.t
	t.Helper()
	cmd := d.command("daemon", "--offline")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		io.Copy(io.Discard, out)
		cmd.Wait() //nolint:errcheck // it was killed
	}
	t.Cleanup(d.stop)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), "RPC API server listening on /ip4/127.0.0.1/tcp/"); ok {
			d.api = "http://127.0.0.1:" + addr
		}
		if strings.HasPrefix(lines.Text(), "Daemon is ready") {
			return
		}
	}
	t.Fatal("the daemon does not start")
}

// TestKubo gives a stock Kubo batches: they are pinned block by block without the batches before, outlive garbage collection and
// restarts, and one that is damaged on its disk is found and mended.
func TestKubo(t *testing.T) {
	w := newWorld(t, 3)
	d := newDaemon(t, false)
	to := target(t, "kubo:"+d.api)
	c := w.batch(2)
	if held, err := to.Check(t.Context(), c); held || err != nil {
		t.Fatalf("before the push: %v, %v", held, err)
	}
	w.check(to.Push(t.Context(), c)) // the newest first: the ones before are not there, and are not waited for
	if held, err := to.Check(t.Context(), c); !held || err != nil {
		t.Fatalf("after the push: %v, %v", held, err)
	}
	k := w.keeper(2, to)
	w.check(k.work(t.Context(), k.places[0]))
	if s := k.Status()[0]; s.Pushed != 2 || len(w.held(to)) != 3 {
		t.Errorf("status %+v, it holds %v", s, w.held(to))
	}
	if out := d.run("pin", "ls", "--type=direct", "--names"); strings.Count(out, "direct hansard batch") != 18 {
		t.Errorf("pins:\n%s", out)
	}
	stray := strings.TrimSpace(string(d.put(w.randomBlock())))
	d.run("repo", "gc")
	for n := range w.roots {
		if held, err := to.Check(t.Context(), w.batch(n)); !held || err != nil {
			t.Errorf("batch %d after garbage collection: %v, %v", n, held, err)
		}
	}
	if d.command("block", "stat", "--offline", stray).Run() == nil {
		t.Error("what is not pinned outlived garbage collection")
	}
	if why := to.(warner).Warn(t.Context()); !strings.Contains(why, "sync") {
		t.Errorf("it does not sync: %q", why)
	}

	// All in one recursive pin of somebody else: ours are neither possible nor needed.
	d.run("pin", "rm", "--recursive=false", c.CID())
	d.run("pin", "add", "--recursive", c.CID())
	w.check(to.Push(t.Context(), c))
	if held, err := to.Check(t.Context(), c); !held || err != nil {
		t.Errorf("pinned by another: %v, %v", held, err)
	}
	if err := to.(*kubo).remove(t.Context(), []block{{cid: cidOf(w.roots[0])}}); err == nil || !strings.Contains(err.Error(), "status 200 and an error: pinned") {
		t.Errorf("removed what another pins: %v", err)
	}
	d.run("pin", "rm", c.CID())
	w.check(to.Push(t.Context(), c))
	d.damage(t, w, to)
}

// put stores a block that nobody pins.
func (d *daemon) put(b []byte) []byte {
	d.t.Helper()
	cmd := d.command("block", "put", "--cid-codec=dag-cbor", "--mhtype=sha2-256")
	cmd.Stdin = bytes.NewReader(b)
	out, err := cmd.Output()
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// damage empties every block on Kubo's disk, as a power cut does without sync: pins stay.
func (d *daemon) damage(t *testing.T, w *world, to Target) {
	t.Helper()
	d.stop()
	n := 0
	err := filepath.WalkDir(filepath.Join(d.dir, "blocks"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".data") {
			n++
			err = os.Truncate(path, 0)
		}
		return err
	})
	w.check(err)
	if n < 18 {
		t.Fatalf("%d blocks on disk", n)
	}
	d.start()
	again := target(t, "kubo:"+d.api+"?name=again")
	k := w.keeper(2, again)
	c := w.batch(1)
	if held, err := again.Check(t.Context(), c); held || err == nil {
		t.Errorf("its blocks are empty: %v, %v", held, err)
	} else {
		t.Logf("empty blocks: %v", err)
	}
	w.check(k.work(t.Context(), k.places[0]))
	for n := range w.roots {
		for range 8 { // two blocks each
			if held, err := again.Check(t.Context(), w.batch(n)); !held || err != nil {
				t.Errorf("batch %d mended: %v, %v", n, held, err)
			}
		}
	}
}

// TestKuboFaults: what a stock Kubo says of files that are not whole, and that we see it.
func TestKuboFaults(t *testing.T) {
	w := newWorld(t, 2)
	d := newDaemon(t, true)
	to := target(t, "kubo:"+d.api).(*kubo)
	if why := to.Warn(t.Context()); why != "" {
		t.Errorf("it syncs: %q", why)
	}
	whole := w.bytes(1)
	for name, b := range map[string][]byte{"cut short": whole[:len(whole)-1], "flipped": append(bytes.Clone(whole[:len(whole)-1]), whole[len(whole)-1]^1)} {
		c := w.batch(1)
		c.Open = func() (io.ReadSeekCloser, error) { return closer{bytes.NewReader(b)}, nil }
		if err := to.load(t.Context(), c, 6); err == nil {
			t.Errorf("%s: it is taken", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	d.stop()
	if _, err := to.Check(t.Context(), w.batch(1)); err == nil || strings.Contains(err.Error(), "api/v0") {
		t.Errorf("it is down: %v", err)
	}
}

type closer struct{ io.ReadSeeker }

func (closer) Close() error { return nil }

// TestKuboProxy wants a token, as a proxy in front of Kubo does.
func TestKuboProxy(t *testing.T) {
	w := newWorld(t, 1)
	d := newDaemon(t, true)
	_, url := serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer test-token" {
			http.Error(rw, "who are you?", http.StatusUnauthorized)
			return
		}
		req, err := http.NewRequestWithContext(r.Context(), r.Method, d.api+r.URL.RequestURI(), r.Body)
		w.check(err)
		req.Header = r.Header.Clone()
		req.Header.Del("Authorization")
		resp, err := http.DefaultClient.Do(req)
		w.check(err)
		defer resp.Body.Close()
		rw.WriteHeader(resp.StatusCode)
		io.Copy(rw, resp.Body) //nolint:errcheck // the client notices
	}))
	without, with := w.keeper(2, target(t, "kubo:"+url)), w.keeper(2, target(t, "kubo:"+url+"?token-env=TOKEN"))
	if err := without.work(t.Context(), without.places[0]); err == nil || !strings.Contains(err.Error(), "status 401: who are you?") {
		t.Errorf("without the token: %v", err)
	}
	start := time.Now()
	w.check(with.work(t.Context(), with.places[0]))
	t.Logf("one batch in %s", time.Since(start))
}
