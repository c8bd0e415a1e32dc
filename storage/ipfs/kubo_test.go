//go:build kubo

package ipfs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// kubo runs the stock ipfs command, which tools/kubo pins and HANSARD_KUBO names, on a repository of
// its own. It reaches no network; with start, it is a daemon that knows nobody, on loopback.
type kubo struct {
	t        *testing.T
	bin, dir string
	online   bool
}

func newKubo(t *testing.T) *kubo {
	k := &kubo{t: t, bin: os.Getenv("HANSARD_KUBO"), dir: t.TempDir()}
	if k.bin == "" {
		t.Fatal("HANSARD_KUBO names no ipfs command; build it in tools/kubo")
	}
	k.run("init", "--empty-repo", "--profile=test")
	return k
}

func (k *kubo) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(k.t.Context(), k.bin, args...)
	cmd.Env = []string{"IPFS_PATH=" + k.dir, "HOME=" + k.dir, "IPFS_TELEMETRY=off"}
	return cmd
}

func (k *kubo) try(args ...string) (string, error) {
	if !k.online {
		args = append([]string{"--offline"}, args...)
	}
	cmd := k.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("ipfs %s: %w\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out), err
}

func (k *kubo) run(args ...string) string {
	k.t.Helper()
	out, err := k.try(args...)
	if err != nil {
		k.t.Fatal(err)
	}
	return out
}

func (k *kubo) lines(args ...string) []string {
	k.t.Helper()
	return strings.Fields(k.run(args...))
}

// files writes the blocks to files and returns their names.
func (k *kubo) files(blocks [][]byte) []string {
	k.t.Helper()
	dir := k.t.TempDir()
	var names []string
	for i, b := range blocks {
		name := filepath.Join(dir, fmt.Sprintf("%04d.cbor", i))
		if err := os.WriteFile(name, b, 0o600); err != nil {
			k.t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

func (b *testBatch) cids() []string {
	var cids []string
	for _, block := range b.blocks {
		cids = append(cids, proofs.FormatCID(proofs.BlockDigest(block)))
	}
	return cids
}

func (b *testBatch) cid() string { return proofs.FormatCID(b.digest) }

func sorted(s []string) []string { slices.Sort(s); return slices.Compact(s) }

// A stock node decodes our blocks, encodes them to the same bytes, names them as we do, and follows
// their links from the newest manifest to everything before it.
func TestKubo(t *testing.T) {
	rng := newRand(t)
	first := newTestBatch(t, rng, nil, 700, 2500)
	second := newTestBatch(t, rng, first, 200, 2500)
	if len(first.blocks) < 4 {
		t.Fatalf("want several chunks, got %d blocks", len(first.blocks))
	}
	stray := newTestBatch(t, rng, nil, 5, 100)
	k := newKubo(t)

	for _, b := range []*testBatch{first, second, stray} {
		files := k.files(b.blocks)
		decoded := k.lines(append([]string{"dag", "put", "--input-codec=dag-cbor", "--store-codec=dag-cbor", "--hash=sha2-256", "--"}, files...)...)
		raw := k.lines(append([]string{"block", "put", "--cid-codec=dag-cbor", "--mhtype=sha2-256", "--"}, files...)...)
		if diff := cmp.Diff(b.cids(), decoded); diff != "" {
			t.Fatalf("CIDs of dag put (-ours +Kubo):\n%s", diff)
		}
		if diff := cmp.Diff(b.cids(), raw); diff != "" {
			t.Fatalf("CIDs of block put (-ours +Kubo):\n%s", diff)
		}
		for i, c := range b.cids() {
			if got := k.run("dag", "get", "--output-codec=dag-cbor", c); got != string(b.blocks[i]) {
				t.Fatalf("block %d: Kubo gives back %d bytes of %d", i, len(got), len(b.blocks[i]))
			}
		}
	}
	k.checkValues(first, second)

	want := append(slices.Clone(second.cids()[:len(second.blocks)-1]), first.cids()...)
	if diff := cmp.Diff(sorted(want), sorted(k.lines("refs", "-r", "--unique", second.cid()))); diff != "" {
		t.Errorf("links below the newest manifest (-ours +Kubo):\n%s", diff)
	}
	k.run("pin", "add", "--recursive", second.cid())
	k.checkStat(second.cid(), append(slices.Clone(first.blocks), second.blocks...))
	k.run("repo", "gc", "--quiet")
	for _, c := range append(first.cids(), second.cids()...) {
		k.run("block", "stat", c)
	}
	for _, c := range stray.cids() {
		if out, err := k.try("block", "stat", c); err == nil {
			t.Errorf("the unpinned block %s outlived garbage collection: %s", c, out)
		}
	}
}

// checkValues reads values through paths, the link to the previous manifest among them.
func (k *kubo) checkValues(first, second *testBatch) {
	k.t.Helper()
	for path, want := range map[string]string{
		second.cid() + "/number":               "1",
		second.cid() + "/v":                    "1",
		second.cid() + "/first":                "700",
		second.cid() + "/prev/size":            "700",
		second.cid() + "/prev/prev":            "null",
		second.cid() + "/chunks/0/0/scheme":    `"none"`,
		second.cid() + "/chunks/0/3/message":   "null", // a private record
		first.cid() + "/chunks/1/0/scheme":     `"none"`,
		first.cid() + "/chunks/0/0/message/v":  "",
		first.cid() + "/rooms/heads/0/nothing": "",
	} {
		got, err := k.try("dag", "get", path)
		if strings.TrimSpace(got) != want || (err == nil) != (want != "") {
			k.t.Errorf("%s: got %s, %v; want %s", path, got, err, want)
		}
	}
	rec, _, err := proofs.ParseRecord(first.records[0])
	if err != nil {
		k.t.Fatal(err)
	}
	var message struct {
		Body   string
		SentAt json.Number
	}
	if err := json.Unmarshal([]byte(k.run("dag", "get", first.cid()+"/chunks/0/0/message")), &message); err != nil {
		k.t.Fatal(err)
	}
	if message.Body != rec.Message.Body || message.SentAt.String() != fmt.Sprint(rec.Message.SentAt) {
		k.t.Errorf("first message: Kubo reads %q at %s, want %q at %d", message.Body, message.SentAt, rec.Message.Body, rec.Message.SentAt)
	}
}

// checkStat compares the count and size of all blocks below c.
func (k *kubo) checkStat(c string, blocks [][]byte) {
	k.t.Helper()
	size := 0
	for _, b := range blocks {
		size += len(b)
	}
	var stat struct{ UniqueBlocks, TotalSize int }
	if err := json.Unmarshal([]byte(k.run("--enc=json", "dag", "stat", "--progress=false", c)), &stat); err != nil {
		k.t.Fatal(err)
	}
	if stat.UniqueBlocks != len(blocks) || stat.TotalSize != size {
		k.t.Errorf("Kubo counts %d blocks of %d bytes, want %d of %d", stat.UniqueBlocks, stat.TotalSize, len(blocks), size)
	}
}
