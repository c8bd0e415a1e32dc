//go:build kubo

package ipfs

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A stock node names files as we do, with one level of links and with two, and takes our CAR files.
func TestKuboFiles(t *testing.T) {
	n, k := openTest(t, t.TempDir()), newKubo(t)
	defer closeTest(t, n)
	for _, size := range []int64{0, 1, fileChunk, fileChunk + 1, fileLinks * fileChunk, fileLinks*fileChunk + 1, 400 * fileChunk} {
		path := filepath.Join(t.TempDir(), "file")
		b, err := io.ReadAll(content(size))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := n.KeepFile(t.Context(), content(size))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(k.run("add", "--cid-version=1", "--only-hash", "--quieter", path)); got != file.CID {
			t.Errorf("%d bytes: Kubo says %s, we say %s", size, got, file.CID)
		}
		root, err := parseFile(file.CID)
		if err != nil {
			t.Fatal(err)
		}
		k.run("dag", "import", "--pin-roots", n.cars.path(root))
		if got := k.run("cat", file.CID); got != string(b) {
			t.Errorf("%d bytes: Kubo reads %d from our CAR file", size, len(got))
		}
	}
	batch := newTestBatch(t, newRand(t), nil, 700, 2500)
	keepTest(t, n, batch)
	k.run("dag", "import", "--pin-roots", n.cars.path(cidOf(batch.digest)))
	k.checkStat(batch.cid(), batch.blocks)
}
