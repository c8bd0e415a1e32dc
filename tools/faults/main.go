// Command faults runs the fault tests and prints what was tried and what was lost, a line for each fault. It exits with 1
// if anything was lost, a test failed, or a fault that docs/reliability.md names was not tried on its chains.
//
//	go run ./tools/faults [TEST-REGEXP]
//
// With a regexp it runs these tests only and does not miss the others.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// event is one line of go test -json.
type event struct {
	Action, Package, Test, Output, Key, Value string
}

// row is one fault. Counts are of all its chains.
type row struct {
	fault       string
	chains      []string
	tried, lost int
	failed      bool
	notRun      string
}

// result is what the tests said.
type result struct {
	rows   map[string]*row
	failed []string          // tests
	output map[string]string // of failed tests
}

// read collects the attributes of tests, which are reported by leaf.
func read(r io.Reader) (*result, error) {
	res := &result{rows: map[string]*row{}, output: map[string]string{}}
	attrs := map[string]map[string]string{}
	for lines := json.NewDecoder(r); ; {
		var e event
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("read go test -json: %w", err)
		}
		name := cmp.Or(e.Test, e.Package)
		switch e.Action {
		case "attr":
			if attrs[name] == nil {
				attrs[name] = map[string]string{}
			}
			attrs[name][e.Key] = e.Value
		case "output":
			res.output[name] += e.Output
		case "pass":
			delete(res.output, name)
		case "fail", "build-fail":
			res.failed = append(res.failed, name)
		}
	}
	for _, test := range slices.Sorted(maps.Keys(attrs)) {
		if err := res.add(attrs[test], slices.Contains(res.failed, test)); err != nil {
			return nil, fmt.Errorf("test %s: %w", test, err)
		}
	}
	return res, nil
}

// add adds what one test said of one fault on one chain.
func (res *result) add(attrs map[string]string, failed bool) error {
	fault := attrs["fault"]
	if fault == "" {
		return nil
	}
	r := res.rows[fault]
	if r == nil {
		r = &row{fault: fault}
		res.rows[fault] = r
	}
	r.failed = r.failed || failed
	if why := attrs["notrun"]; why != "" {
		r.notRun = why
		return nil
	}
	if failed && attrs["tried"] == "" {
		return nil
	}
	tried, errTried := strconv.Atoi(attrs["tried"])
	lost, errLost := strconv.Atoi(attrs["lost"])
	if err := errors.Join(errTried, errLost); err != nil {
		return fmt.Errorf("it does not say what it tried and lost: %w", err)
	}
	if tried > 0 {
		r.chains = append(r.chains, attrs["chain"])
	}
	r.tried += tried
	r.lost += lost
	return nil
}

// print writes the table and returns how it is not what it should be.
func (res *result) print(w io.Writer, want []string) (wrong []string) {
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "fault\tchains\ttried\tlost")
	tried, lost := 0, 0
	for _, fault := range slices.Sorted(maps.Keys(res.rows)) {
		r := res.rows[fault]
		slices.Sort(r.chains)
		chains, note := strings.Join(r.chains, ", "), ""
		switch {
		case r.failed:
			note = "\tFAILED"
		case r.notRun != "":
			chains, note = "-", "\tNOT RUN: "+r.notRun
		}
		fmt.Fprintf(tab, "%s\t%s\t%d\t%d%s\n", fault, chains, r.tried, r.lost, note)
		tried, lost = tried+r.tried, lost+r.lost
		if r.lost > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d lost", fault, r.lost))
		}
	}
	fmt.Fprintf(tab, "%d faults\t\t%d\t%d\n", len(res.rows), tried, lost)
	tab.Flush() //nolint:errcheck // the caller's writer
	for _, line := range want {
		fault, chains, _ := strings.Cut(line, " | ")
		var got []string
		if r := res.rows[fault]; r != nil {
			got = r.chains
		}
		for _, chain := range strings.Split(chains, " ") {
			if !slices.Contains(got, chain) {
				wrong = append(wrong, fmt.Sprintf("%s: not tried on %s", fault, chain))
			}
		}
	}
	return wrong
}

func run(pattern string, want []string) error {
	began := time.Now()
	test := exec.Command("go", "test", "-json", "-count=1", "-timeout", "30m", "-parallel", "4", "-run", pattern, "./internal/faulttest")
	test.Stderr = os.Stderr
	out, err := test.StdoutPipe()
	if err != nil {
		return err
	}
	if err := test.Start(); err != nil {
		return fmt.Errorf("run go test: %w", err)
	}
	res, err := read(bufio.NewReader(out))
	if err != nil {
		return err
	}
	if err := test.Wait(); err != nil && len(res.failed) == 0 {
		return fmt.Errorf("run go test: %w", err)
	}
	for _, name := range res.failed {
		fmt.Fprintf(os.Stderr, "%s failed:\n%s\n", name, res.output[name])
	}
	wrong := res.print(os.Stdout, want)
	fmt.Printf("in %s\n", time.Since(began).Round(time.Second))
	if len(res.failed) > 0 {
		wrong = append(wrong, fmt.Sprintf("%d tests failed", len(res.failed)))
	}
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "\n"))
	}
	return nil
}

func main() {
	pattern, want := ".", wanted
	if len(os.Args) == 2 {
		pattern, want = os.Args[1], nil
	}
	if err := run(pattern, want); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
