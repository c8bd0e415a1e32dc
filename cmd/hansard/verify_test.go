package main

import (
	"bytes"
	"encoding/json"
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
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

const golden = "../../testdata/receipts"

// goldenCase is what every verifier must say of a file: testdata/vectors/receipts.json and evidence.json.
type goldenCase struct {
	folder       string
	Name         string
	File         string
	Trust        string
	BlockHash    string
	FoldBlock    string `json:"foldBlockHash"`
	ExpectAuthor string
	ExpectRoom   string
	Verdict      proofs.Verdict
	Exit         int
	Checks       map[string]proofs.Status
}

func readCases(t *testing.T) []goldenCase { t.Helper(); return readCasesOf(t, "receipts") }

// readCasesOf reads the cases with files in that folder of testdata.
func readCasesOf(t *testing.T, folder string) []goldenCase {
	t.Helper()
	b, err := os.ReadFile("../../testdata/vectors/" + folder + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []goldenCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("no cases")
	}
	for i := range file.Cases {
		file.Cases[i].folder = "../../testdata/" + folder
	}
	return file.Cases
}

func (g goldenCase) args() []string {
	args := []string{"hansard", "verify", filepath.Join(g.folder, g.File)}
	if g.Trust != "" {
		args = append(args, "--trust", filepath.Join(g.folder, g.Trust))
	}
	for flag, value := range map[string]string{
		"--block-hash": g.BlockHash, "--fold-block-hash": g.FoldBlock, "--expect-author": g.ExpectAuthor, "--expect-room": g.ExpectRoom,
	} {
		if value != "" {
			args = append(args, flag, value)
		}
	}
	return args
}

// clockAt sets the clock until the test ends.
func clockAt(t *testing.T, seconds int64) {
	t.Cleanup(func() { clock = time.Now })
	clock = func() time.Time { return time.Unix(seconds, 0) }
}

func TestVerifyGolden(t *testing.T) {
	t.Setenv("HANSARD_TRUST", "")
	clockAt(t, 1_795_341_031) // the last second of golden promises
	seen := map[int]bool{}
	for _, g := range append(readCases(t), readCasesOf(t, "evidence")...) {
		seen[g.Exit] = true
		t.Run(g.Name, func(t *testing.T) {
			code, out, errs := call(t, append(g.args(), "--json")...)
			var got struct {
				Schema  string
				Verdict proofs.Verdict
				Exit    int
				Checks  []proofs.Check
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%v in %q, stderr %q", err, out, errs)
			}
			checks := map[string]proofs.Status{}
			for _, c := range got.Checks {
				checks[c.ID] = c.Status
			}
			if diff := cmp.Diff(g.Checks, checks); diff != "" {
				t.Errorf("checks (-want +got):\n%s", diff)
			}
			if got.Verdict != g.Verdict || got.Exit != g.Exit || code != g.Exit || got.Schema != "hansard.verify/1" {
				t.Errorf("verdict %s, exit %d in JSON and %d in fact; want %s, %d", got.Verdict, got.Exit, code, g.Verdict, g.Exit)
			}
			checkText(t, g)
		})
	}
	for _, exit := range []int{0, 10, 11, 12, 13, 14} {
		if !seen[exit] {
			t.Errorf("no golden receipt exits %d", exit)
		}
	}
}

// checkText holds the text report to the case: all checks in order, the verdict, no raw control.
func checkText(t *testing.T, g goldenCase) {
	t.Helper()
	code, out, errs := call(t, append(g.args(), "--explain")...)
	if code != g.Exit || errs != "" {
		t.Errorf("exit %d, want %d; stderr %q", code, g.Exit, errs)
	}
	if i := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' || r >= 0x7f && r < 0xa0 || r == 0x202e }); i >= 0 {
		t.Errorf("control character at %d in %q", i, out)
	}
	rest := out
	for i := range len(g.Checks) {
		id := "V" + strconv.Itoa(i+1)
		_, after, found := strings.Cut(rest, "\n  "+id+" ")
		line, _, _ := strings.Cut(after, "\n")
		if fields := strings.Fields(line); !found || len(fields) < 3 || fields[1] != words[g.Checks[id]] {
			t.Errorf("line of %s: %q, want %s and a detail", id, line, words[g.Checks[id]])
		}
		rest = after
	}
	for _, want := range []string{"\n" + string(g.Verdict) + " (exit " + strconv.Itoa(g.Exit) + ")", "\nTrust basis: ", "\nAsserted by you: "} {
		if strings.Count(rest, want) != 1 {
			t.Errorf("want %q once after the checks in %q", want, rest)
		}
	}
}

func TestVerifyWorstOfMany(t *testing.T) {
	first := map[int]goldenCase{}
	for _, g := range readCases(t) {
		if _, ok := first[g.Exit]; !ok && g.BlockHash == readCases(t)[0].BlockHash && g.Trust == "trust.json" && g.ExpectRoom+g.ExpectAuthor+g.FoldBlock == "" {
			first[g.Exit] = g
		}
	}
	args := []string{"hansard", "verify", "--trust", filepath.Join(golden, "trust.json"), "--block-hash", readCases(t)[0].BlockHash}
	for _, exit := range []int{0, 14, 11, 12, 13, 10} { // each is worse than those before
		g, ok := first[exit]
		if !ok {
			continue
		}
		args = append(args, filepath.Join(golden, g.File))
		if code, out, _ := call(t, args...); code != exit || !strings.HasSuffix(out, "(exit "+strconv.Itoa(exit)+")\n") && exit != 0 {
			t.Errorf("with %s: exit %d, want %d; %q", g.Name, code, exit, out[max(0, len(out)-80):])
		}
	}
	if _, ok := first[10]; !ok {
		t.Error("no golden receipt is INVALID under the common trust file and block hash")
	}
}

// TestVerifyWithoutNetwork runs verify where there is no network at all; status shows that there is none.
func TestVerifyWithoutNetwork(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	unshare := func(args ...string) (int, string) {
		cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--map-root-user", "--net"}, args...)...)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatalf("unshare: %v", err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	id := proofs.Hash{1}.String()
	if code, _, _ := call(t, "hansard", "status", id, "--server", server.URL); code != exitUsage {
		t.Fatalf("with a network the server must be reached; exit %d", code)
	}
	if code, out := unshare("hansard", "status", id, "--server", server.URL); code != exitUnreachable {
		t.Fatalf("there is a network after all: exit %d, %s", code, out)
	}
	for _, g := range readCases(t) {
		if g.Exit == 0 {
			if code, out := unshare(g.args()...); code != 0 || !strings.Contains(out, "VALID (exit 0)") {
				t.Fatalf("exit %d, want 0: %s", code, out)
			}
			return
		}
	}
}

func TestExplain(t *testing.T) {
	explained := 0
	for _, g := range readCases(t) {
		b, err := os.ReadFile(filepath.Join(golden, g.File))
		if err != nil {
			t.Fatal(err)
		}
		rc, err := proofs.ParseReceipt(b)
		if err != nil || rc.Message == nil {
			continue
		}
		explained++
		var out bytes.Buffer
		if got, want := explainMessage(&out, rc), rc.Chain.MessageDomain().MessageID(rc.Message); got != want {
			t.Errorf("%s: id %s, want %s", g.Name, got, want)
		}
		explain(&out, rc)
		failed := g.Checks["V2"] == proofs.Fail || g.Checks["V5"] == proofs.Fail
		if differs := strings.Contains(out.String(), "DIFFERS"); g.Exit == 0 && differs || failed && !differs && g.Name != "index-outside" {
			t.Errorf("%s: DIFFERS is there: %v; checks %v", g.Name, differs, g.Checks)
		}
	}
	if explained == 0 {
		t.Error("nothing was explained")
	}
}

// TestVerifyOverdue has promises whose deadline is over by the clock.
func TestVerifyOverdue(t *testing.T) {
	for _, tt := range []struct {
		now    int64
		detail string
		ask    bool
	}{
		{1_795_341_031, "PASS  signed; open until 2026-11-22T09:50:31Z", false},
		{1_795_341_032, "????  signed; the deadline passed 1s ago: hansard promise check asks the chain whether it was kept", true},
	} {
		clockAt(t, tt.now)
		for _, name := range []string{"promised", "included"} {
			file := filepath.Join(golden, name+".receipt.json")
			code, out, _ := call(t, "hansard", "verify", file, "--trust", filepath.Join(golden, "trust.json"))
			if code != 11 || !strings.Contains(out, tt.detail) || strings.Contains(out, "hansard promise check "+file) != tt.ask {
				t.Errorf("%s at %d: exit %d, %s", name, tt.now, code, out)
			}
		}
	}
}

// TestVerifyMixed judges receipts and evidence in one call, each by its own log and block.
func TestVerifyMixed(t *testing.T) {
	both := &proofs.Trust{}
	for _, folder := range []string{"receipts", "evidence"} {
		trust, err := readTrust("../../testdata/" + folder + "/trust.json")
		if err != nil {
			t.Fatal(err)
		}
		both.Logs = append(both.Logs, trust.Logs...)
	}
	path := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(path, both.Format(), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"hansard", "verify", "--trust", path}
	for _, g := range append(readCasesOf(t, "evidence"), readCases(t)[0]) {
		if !slices.Contains([]string{"alice-finalized", "conflict", "substitution", "missed", "late", "withheld"}, g.Name) {
			continue
		}
		if args = append(args, filepath.Join(g.folder, g.File)); g.BlockHash != "" {
			args = append(args, "--block-hash", g.BlockHash)
		}
	}
	code, out, errs := call(t, args...)
	if want := "\n6 files: 1 VALID, 4 PROMISE BROKEN, 1 UNDETERMINED (exit 12)\n"; code != 12 || errs != "" || !strings.HasSuffix(out, want) {
		t.Errorf("exit %d, %q, %s", code, errs, out)
	}
}

func TestExplainEvidence(t *testing.T) {
	explained := 0
	for _, g := range readCasesOf(t, "evidence") {
		b, err := os.ReadFile(filepath.Join(g.folder, g.File))
		if err != nil {
			t.Fatal(err)
		}
		e, err := proofs.ParseBreachEvidence(b)
		if err != nil {
			continue
		}
		explained++
		var out bytes.Buffer
		if got, want := explainPromise(&out, "promise", e.Chain, &e.Promise), e.Chain.PromiseDomain().PromiseDigest(&e.Promise); got != want {
			t.Errorf("%s: digest %s, want %s", g.Name, got, want)
		}
		explainEvidence(&out, e)
		if differs := strings.Contains(out.String(), "DIFFERS"); g.Exit == 14 && differs {
			t.Errorf("%s: DIFFERS: %s", g.Name, out.String())
		}
	}
	if explained == 0 {
		t.Error("nothing was explained")
	}
}
