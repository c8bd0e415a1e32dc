package recovery_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/recovery"
	"github.com/hansard-dao/hansard/storage"
)

// childVar names what a child of TestKill recovers: a directory, a file with the batches, a directory of CAR files.
const childVar = "HANSARD_TEST_RECOVER"

// TestMain is also the process that TestKill kills.
func TestMain(m *testing.M) {
	if raw := os.Getenv(childVar); raw != "" {
		if err := child(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type childConfig struct {
	Dir, Cars string
	Sealed    []proofs.Sealed
}

// child recovers, and waits for a byte after each chunk.
func child(raw string) error {
	var cfg childConfig
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	a := &attempt{dir: cfg.Dir, log: logOf(cfg.Sealed), promise: promise}
	a.report = func(recovery.Progress) {
		fmt.Println("chunk")
		in.ReadByte() //nolint:errcheck // the end is near, then
	}
	ctx := context.Background()
	cars, err := recovery.OpenCARs(ctx, cfg.Cars)
	if err != nil {
		return err
	}
	a.sources = []recovery.Source{{Name: "cars", Blocks: cars}}
	_, err = a.run(ctx)
	return err
}

// TestKill kills the process after each chunk: what it leaves is no log, and the next run makes one of it.
func TestKill(t *testing.T) {
	s := newService(t)
	want := s.read(s.dir)
	for _, chunks := range []int{1, 2, 4, 7} {
		dir := t.TempDir()
		raw, err := json.Marshal(childConfig{dir, s.cars, s.log.sealed})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env, cmd.Stderr = append(os.Environ(), childVar+"="+string(raw)), os.Stderr
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
		lines := bufio.NewScanner(out)
		for n := 1; lines.Scan() && n < chunks; n++ {
			fmt.Fprint(in, "x")
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		cmd.Wait() //nolint:errcheck // it was killed
		_, err = storage.Open(storage.Config{Dir: filepath.Join(dir, "log"), Chain: chain, PromiseKey: key})
		if !errors.Is(err, storage.ErrRebuilding) {
			t.Fatalf("killed after %d chunks: %v", chunks, err)
		}
		a := &attempt{dir: dir, log: s.log, sources: []recovery.Source{carsOf(t, s.cars)}, promise: promise}
		if _, err := a.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.read(dir)); diff != "" {
			t.Errorf("killed after %d chunks (-want +got):\n%s", chunks, diff)
		}
	}
}
