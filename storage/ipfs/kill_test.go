package ipfs

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// The test binary started with this variable is the process that gets killed: it keeps the
// chain of killChain in the directory named and reports each step on standard output.
const killDir = "HANSARD_IPFS_KILL_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		if err := keepAll(context.Background(), dir, killChain(nil)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killChain is the same in both processes.
func killChain(t testing.TB) []*testBatch {
	return newTestChain(t, rand.New(rand.NewPCG(7, 7)), 40, 25, 3000)
}

func keepAll(ctx context.Context, dir string, chain []*testBatch) error {
	n, err := Open(Config{Dir: dir})
	if err != nil {
		return err
	}
	for _, b := range chain {
		if err := n.Keep(ctx, "batch", func(put func([]byte) error) (proofs.Hash, error) {
			for _, block := range b.blocks {
				if err := put(block); err != nil {
					return b.digest, err
				}
			}
			fmt.Println("put")
			return b.digest, nil
		}); err != nil {
			return err
		}
		fmt.Println("kept")
	}
	return n.Close()
}

// What was reported before kill -9 stands after it, what was not may be done again, and the end is
// the same as without.
func TestKill(t *testing.T) {
	rng, dir, chain := newRand(t), t.TempDir(), killChain(t)
	for range 6 {
		steps := killAfter(t, dir, 1+rng.IntN(2*len(chain)))
		n := openTest(t, dir)
		n.check(t, chain[:steps/2], trues(steps/2)...)
		// A pin never stands without all that it holds.
		n.keeps(t)
		closeTest(t, n)
	}
	n := openTest(t, dir)
	defer closeTest(t, n)
	for _, b := range chain {
		keepTest(t, n, b)
	}
	n.check(t, chain, trues(len(chain))...)
	if diff := cmp.Diff(cidsOf(chain...), n.keeps(t)); diff != "" {
		t.Errorf("kept by the pins (-want +got):\n%s", diff)
	}
}

// killAfter kills the process when it has reported so many steps and returns how many it reported.
func killAfter(t *testing.T, dir string, steps int) int {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if seen++; seen == steps {
			cmd.Process.Kill()
		}
	}
	err = cmd.Wait()
	if seen < steps {
		t.Fatalf("the process ended after %d steps of %d: %v", seen, steps, err)
	}
	t.Logf("killed after %d steps, %d were reported", steps, seen)
	return seen
}

func trues(n int) []bool {
	all := make([]bool, n)
	for i := range all {
		all[i] = true
	}
	return all
}
