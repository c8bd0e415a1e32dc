package devchain_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor/devchain"
)

const childEnv = "DEVCHAIN_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child commits blocks of one transaction each until it is killed, and writes each block's number and hash, and
// what was finalized then, when Commit has returned.
func child(dir string) error {
	c, err := devchain.Open(config(dir))
	if err != nil {
		return err
	}
	for {
		if _, err := send(c.Client(), friend, 1, nil); err != nil {
			return err
		}
		h, err := c.Commit()
		if err != nil {
			return err
		}
		final, err := c.Client().HeaderByNumber(context.Background(), big.NewInt(rpc.FinalizedBlockNumber.Int64()))
		if err != nil {
			return err
		}
		fmt.Println(h.Number, h.Hash().Hex(), final.Number)
	}
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	var log buffer
	blocks := map[uint64]common.Hash{}
	var last, final uint64
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var hash string
			if _, err := fmt.Sscan(lines.Text(), &last, &hash, &final); err != nil {
				t.Fatalf("read %q: %v", lines.Text(), err)
			}
			blocks[last] = common.HexToHash(hash)
			if n == 0 {
				if _, err := devchain.Open(config(dir)); !errors.Is(err, devchain.ErrInUse) {
					t.Errorf("open while another process has it: %v", err)
				}
			}
			if n == 10+17*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if cmd.Wait(); cmd.ProcessState.ExitCode() != -1 || stderr.Len() > 0 {
			t.Fatalf("child: %s, stderr %q", cmd.ProcessState, &stderr)
		}

		cfg := config(dir)
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		c := open(t, cfg)
		for n, hash := range blocks {
			h, err := c.Client().HeaderByNumber(t.Context(), new(big.Int).SetUint64(n))
			if err != nil || h.Hash() != hash {
				t.Errorf("round %d: block %d, reported as %s: %v", round, n, hash, err)
			}
		}
		// The process may have got one block further than it could say.
		got := look(t, c)
		if got.Latest < last || got.Latest > last+1 || got.Finalized < final || got.Finalized != got.Latest-2 {
			t.Errorf("round %d: %+v, reported %d blocks, %d finalized", round, got, last, final)
		}
		if want := fmt.Sprint(got.Latest); got.Friend != want {
			t.Errorf("round %d: balance %s, want one wei a block: %s", round, got.Friend, want)
		}
		closeChain(t, c)
	}
	if text := log.String(); !strings.Contains(text, "Unclean shutdown") || strings.Contains(text, "level=INFO") {
		t.Errorf("warnings of go-ethereum: %q", text)
	}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// BenchmarkOpen opens and closes an existing chain.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		c, err := devchain.Open(config(dir))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Commit(); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
