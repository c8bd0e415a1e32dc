//go:build kubo

package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// ipfs runs the stock ipfs command, which HANSARD_KUBO names, offline on a repository of its own.
func ipfs(t *testing.T, repo string, args ...string) (string, error) {
	t.Helper()
	bin := os.Getenv("HANSARD_KUBO")
	if bin == "" {
		t.Fatal("HANSARD_KUBO names no ipfs command; build it in tools/kubo")
	}
	cmd := exec.CommandContext(t.Context(), bin, append([]string{"--offline"}, args...)...)
	cmd.Env = []string{"IPFS_PATH=" + repo, "HOME=" + repo, "IPFS_TELEMETRY=off"}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("ipfs %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out), err
}

// TestKubo: a stock node imports what is exported, pins the root where every link leads to a block, reads what the file was
// made for, and what it exports itself is checked.
func TestKubo(t *testing.T) {
	l, repo := newTestLog(t), t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		out, err := ipfs(t, repo, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	run("init", "--empty-repo", "--profile=test")
	room, w := l.write(Want{Export: about("b", 0, 0)})
	path := save(t, room)
	if out, err := ipfs(t, repo, "dag", "import", path); err == nil {
		t.Errorf("Kubo pins a root below which batches are missing: %s", out)
	}
	run("dag", "import", "--pin-roots=false", path)
	root := proofs.FormatCID(w.Root)
	for at, want := range map[string]string{"room": `"b"`, "chainId": "1337", "batches/1/number": "2", "batches/0/chunks/0/0/scheme": `"none"`} {
		if got := strings.TrimSpace(run("dag", "get", root+"/"+at)); got != want {
			t.Errorf("%s: Kubo reads %s, want %s", at, got, want)
		}
	}
	var read struct{ From, To json.Number }
	if err := json.Unmarshal([]byte(run("dag", "get", root)), &read); err != nil || read.From != "0" {
		t.Errorf("the root: %+v, %v", read, err)
	}

	whole, w := l.write(Want{Export: about("b", 0, 0), Before: true})
	run("dag", "import", "--pin-roots", save(t, whole))
	root = proofs.FormatCID(w.Root)
	if pins := run("pin", "ls", "--type=recursive", "--quiet"); !strings.Contains(pins, root) {
		t.Errorf("Kubo pins %s, not %s", pins, root)
	}
	f, err := Check(t.Context(), save(t, []byte(run("dag", "export", "--progress=false", root))), Limits{Chain: &chain})
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Batches) != 3 || f.Entries != w.Entries {
		t.Errorf("what Kubo exports has %d batches, %d entries", len(f.Batches), f.Entries)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
