package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hansard": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			receipts, err := filepath.Abs(golden)
			e.Setenv("RECEIPTS", receipts)
			cases := readCases(t)
			e.Setenv("BLOCK", cases[0].BlockHash)
			e.Setenv("EVIDENCE", filepath.Join(filepath.Dir(receipts), "evidence"))
			of := readCasesOf(t, "evidence")
			e.Setenv("HELD", of[slices.IndexFunc(of, func(c goldenCase) bool { return c.Name == "missed" })].BlockHash)
			e.Setenv("FOLD", cases[slices.IndexFunc(cases, func(c goldenCase) bool { return c.Name == "folded" })].FoldBlock)
			return errors.Join(err, writeEvil(filepath.Join(e.WorkDir, "evil.json")))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
	})
}

// writeEvil writes a receipt with a key that clears the screen of a terminal that gets it raw.
func writeEvil(path string) error {
	b, err := os.ReadFile(filepath.Join(golden, "alice-finalized.receipt.json"))
	if err != nil {
		return err
	}
	return os.WriteFile(path, bytes.Replace(b, []byte(`"format"`), []byte(`"\u001b[2J": 1, "format"`), 1), 0o644)
}

// exits runs a program and wants its exit code: exits CODE PROGRAM [ARG...].
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// call runs the program in this process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, out.String(), errs.String()
}

func leaves(commands []*cli.Command, path ...string) (found [][]string) {
	for _, c := range commands {
		at := append(append([]string{}, path...), c.Name)
		if found = append(found, at); len(c.Subcommands) > 0 {
			found = append(found, leaves(c.Subcommands, at...)...)
		}
	}
	return found
}

func TestHelp(t *testing.T) {
	app := newApp(nil, nil, nil)
	for _, path := range append(leaves(app.Commands), nil) {
		code, out, errs := call(t, append(append([]string{"hansard"}, path...), "--help")...)
		if code != 0 || errs != "" || !strings.Contains(out, "USAGE:") {
			t.Errorf("%v --help: exit %d, stderr %q, stdout %q", path, code, errs, out)
		}
		if strings.ContainsAny(out, "`\x1b") {
			t.Errorf("%v --help holds backquotes or colours: %q", path, out)
		}
	}
}

// TestFlagsAgree: reorder must know of each name whether it takes a value, whatever the command.
func TestFlagsAgree(t *testing.T) {
	type use struct {
		isBool  bool
		command string
	}
	uses := map[string]use{}
	var walk func(commands []*cli.Command, path string)
	walk = func(commands []*cli.Command, path string) {
		for _, c := range commands {
			own := map[string]bool{}
			for _, f := range c.Flags {
				_, isBool := f.(*cli.BoolFlag)
				for _, n := range f.Names() {
					if was, ok := uses[n]; ok && was.isBool != isBool {
						t.Errorf("--%s takes a value in one of %q and %q only", n, was.command, path+c.Name)
					}
					if own[n] {
						t.Errorf("%s%s has two flags --%s", path, c.Name, n)
					}
					own[n], uses[n] = true, use{isBool, path + c.Name}
				}
			}
			walk(c.Subcommands, path+c.Name+" ")
		}
	}
	walk(newApp(nil, nil, nil).Commands, "")
	if len(uses) < 20 {
		t.Errorf("only %d flags were seen", len(uses))
	}
}

func TestInterrupted(t *testing.T) {
	reached := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, stop := context.WithCancel(t.Context())
	go func() { <-reached; stop() }()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"hansard", "watch", proofs.Hash{1}.String(), "--server", server.URL}, strings.NewReader(""), &out, &errs)
	if code != exitInterrupted || out.Len() > 0 {
		t.Errorf("exit %d, want %d; stdout %q, stderr %q", code, exitInterrupted, &out, &errs)
	}
}
