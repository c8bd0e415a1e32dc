package pins

import (
	"bufio"
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/boxo/pinning/remote/client/openapi"
)

// mockPSA runs the mock of the Pinning Service API that IPFS Shipyard wrote, and returns its URL. It derives the status of a
// pin from the beginning of its name. Its standard input ends with the test, and with it the process.
func mockPSA(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("node", "-e", `
		const http = require("http")
		process.stdin.on("end", () => process.exit(0)).resume()
		require("mock-ipfs-pinning-service").setup({ token: "test-token" }).then(service => {
			const server = http.createServer(service)
			server.listen(0, "127.0.0.1", () => console.log("listens " + server.address().port))
		})`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out) //nolint:errcheck // Wait closes it
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if port, ok := strings.CutPrefix(lines.Text(), "listens "); ok {
			return "http://127.0.0.1:" + port
		}
	}
	t.Fatalf("the mock pinning service does not start; npm ci installs it: %s", &stderr)
	return ""
}

// TestPSA walks through every status of a pin at a server of others.
func TestPSA(t *testing.T) {
	w := newWorld(t, 3)
	url := mockPSA(t)
	o := testOptions
	o.Origins = func() []string {
		return []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"}
	}
	open, err := Open("psa:"+url+"?token-env=TOKEN", o)
	w.check(err)
	p := open.(*psa)
	p.first = 10 * time.Millisecond
	c := w.batch(0)
	if held, err := p.Check(t.Context(), c); held || err != nil {
		t.Fatalf("before the push: %v, %v", held, err)
	}
	k := w.keeper(2, p)
	k.cfg.pushTime = func(int64) time.Duration { return time.Second }
	for _, step := range []struct {
		batch      int
		name, want string
		status     openapi.Status
	}{
		{0, "failed-hansard", "it could not pin", openapi.FAILED},
		{0, "hansard", "still queued", openapi.QUEUED}, // the one that failed is removed
		{1, "pinning-hansard", "still pinning", openapi.PINNING},
	} {
		c := w.batch(step.batch)
		c.Name = step.name
		if err := k.send(t.Context(), k.places[0], c); err == nil || !strings.Contains(err.Error(), step.want) {
			t.Errorf("%s: %v", c.Name, err)
		}
		if held, err := p.Check(t.Context(), c); held || err != nil {
			t.Errorf("%s: %v, %v", c.Name, held, err)
		}
		at, err := p.list(t.Context(), &c)
		w.check(err)
		if diff := cmp.Diff(o.Origins(), at.Pin.GetOrigins()); diff != "" || at.Pin.GetName() != c.Name || at.Status != step.status {
			t.Errorf("the pin is %s, %+v", at.Status, at.Pin)
		}
	}
	c = w.batch(2)
	c.Name = "pinned-hansard"
	w.check(p.Push(t.Context(), c))
	w.check(p.Push(t.Context(), c)) // again
	if held, err := p.Check(t.Context(), c); !held || err != nil {
		t.Errorf("after the push: %v, %v", held, err)
	}
	o.Env = func(string) string { return "wrong-token" }
	wrong, err := Open("psa:"+url+"?token-env=TOKEN", o)
	w.check(err)
	if held, err := wrong.Check(t.Context(), c); held || err == nil || !strings.Contains(err.Error(), "status 401") || strings.Contains(err.Error(), "wrong-token") {
		t.Errorf("a wrong token: %v, %v", held, err)
	}
}
