package scenarios

import (
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// scenario is a breach, from the operator's fault to the user's reward.
type scenario struct {
	name   string
	fault  string
	breach proofs.Breach
	flags  []string // of the service
	// act has alice and others speak, and lets pass what has to. It returns alice's files.
	act func(w *world, broken bool) (files []string)
}

// longerThanPromised is when a promise's deadline has passed.
const longerThanPromised = 25 * time.Hour

var scenarios = []scenario{
	{"message dropped and nothing follows", "drop", proofs.Missed, nil, func(w *world, broken bool) []string {
		w.send("bob", "the first")
		file := w.send("alice", "(drop) I object")
		w.settle(broken, 1, 2)
		w.anvil.pass(longerThanPromised)
		return []string{file}
	}},
	{"message dropped and another follows", "drop", proofs.Substitution, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "(drop) I object")
		w.send("bob", "I agree")
		w.send("bob", "I agree with myself")
		w.settle(broken, 2, 3)
		return []string{file}
	}},
	{"two messages dropped", "drop", proofs.Conflict, nil, func(w *world, broken bool) []string {
		files := []string{w.send("alice", "(drop) I object"), w.send("alice", "(drop) and say why")}
		w.settle(broken, 0, 2)
		return files
	}},
	{"two messages swapped", "swap", proofs.Substitution, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "(swap) I was first")
		w.send("bob", "(swap) I was second")
		w.settle(broken, 2, 2)
		return []string{file}
	}},
	{"anchored late", "late", proofs.Late, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "in time?")
		w.settle(broken, 0, 1)
		w.anvil.pass(longerThanPromised)
		if err := os.WriteFile(w.path("operator", "release"), nil, 0o600); err != nil {
			w.Fatal(err)
		}
		w.anchored(1)
		return []string{file}
	}},
	{"batch withheld", "withhold", proofs.Withheld, []string{"--max-messages", "2", "--max-age", "1h"}, func(w *world, broken bool) []string {
		w.send("bob", "nobody will read this")
		file := w.send("alice", "nor this")
		w.anchored(2)
		w.anvil.pass(longerThanPromised)
		return []string{file}
	}},
}

// settle waits until as many messages are anchored as the operator keeps.
func (w *world) settle(broken bool, kept, all uint64) {
	w.Helper()
	if broken {
		all = kept
	}
	w.anchored(all)
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			t.Run("broken", func(t *testing.T) { t.Parallel(); s.broken(t) })
			t.Run("kept", func(t *testing.T) { t.Parallel(); s.kept(t) })
		})
	}
}

// broken runs the scenario with the operator that breaks promises.
func (s scenario) broken(t *testing.T) {
	w := newWorld(t)
	w.newUser("carol")
	w.serve(program(t, faulty), s.fault, s.flags...)
	files := s.act(w, true)
	w.watched(s.breach, files)
	if s.breach == proofs.Withheld {
		w.silence(files[0])
	} else {
		w.prove(s.breach, files)
	}
	w.slashed()
}

// prove has alice find the breach and hand the evidence to carol, who holds nothing else and takes the bond.
func (w *world) prove(breach proofs.Breach, files []string) {
	w.Helper()
	found := w.check(proofs.PromiseBroken.Exit(), "alice", files...)
	f := found[len(found)-1]
	if f.Verdict != "BROKEN" || f.Breach != breach.String() || !f.Final || !f.Bond.Succeeds || f.Evidence == "" {
		w.Fatalf("alice found %+v", f)
	}
	file := filepath.Base(f.Evidence)
	w.copy(filepath.Join("alice", f.Evidence), filepath.Join("carol", file))
	w.verified(breach, "carol", w.path("carol", file))
	w.dryRun("carol", "promise", "slash", file)
	w.pay(0, "carol", "promise", "slash", file)
}

// silence has alice challenge what she cannot see, and take the bond when nobody answers.
func (w *world) silence(file string) {
	w.Helper()
	f := w.check(proofs.Undetermined.Exit(), "alice", file)[0]
	if f.Verdict != "UNDETERMINED" {
		w.Fatalf("alice found %+v", f)
	}
	w.pay(proofs.Undetermined.Exit(), "alice", "promise", "slash", file)
	w.dryRun("alice", "promise", "challenge", file)
	w.pay(0, "alice", "promise", "challenge", file)
	w.pay(proofs.NotFinal.Exit(), "alice", "promise", "slash", file)
	w.anvil.pass(bond.AnswerTime + time.Minute)
	w.anvil.mine(3)
	w.dryRun("alice", "promise", "slash", file)
	w.pay(0, "alice", "promise", "slash", file)
}

// slashed fails unless the bond is gone: nine tenths burnt, and one alice's, who has it paid.
func (w *world) slashed() {
	w.Helper()
	info := w.bondInfo("alice")
	if !info.Broken || info.AmountWei != "0" {
		w.Errorf("the bond is %+v", info)
	}
	alice := w.keys["alice"].Address()
	owed := ether(1)
	if left := w.credit(alice); left.Cmp(owed) != 0 {
		if owed.Add(owed, bond.Deposit()); left.Cmp(owed) != 0 {
			w.Errorf("alice is owed %s", left)
		}
	}
	to := proofs.Address{0xa1, 0x1c, 0xe0}
	w.pay(0, "alice", "promise", "collect", "--to", to.String())
	if got := w.balance(to); got.Cmp(owed) != 0 {
		w.Errorf("alice was paid %s, want %s", got, owed)
	}
	if burnt, want := w.balance(w.log.PromiseBond), ether(9); burnt.Cmp(want) != 0 {
		w.Errorf("%s are burnt, want %s", burnt, want)
	}
}

// kept runs it with the program as it is shipped: there is nothing to find, and nothing that can be taken.
func (s scenario) kept(t *testing.T) {
	w := newWorld(t)
	w.serve(program(t, honest), s.fault, s.flags...)
	files := s.act(w, false)
	if found := w.watch(0, files); len(found) != 0 {
		t.Errorf("the watchtower found %s", found)
	}
	for _, f := range w.check(0, "alice", files...) {
		if f.Verdict != "KEPT" || f.Breach != "" || f.Evidence != "" {
			t.Errorf("alice found %+v", f)
		}
	}
	w.pay(exitUsage, "alice", append([]string{"promise", "slash"}, files...)...)
	if len(files) == 1 {
		w.pay(exitUsage, "alice", "promise", "challenge", files[0])
	}
	if info := w.bondInfo("alice"); info.Broken || info.AmountWei != bondAmount.String() || info.Open != 0 {
		t.Errorf("the bond is %+v", info)
	}
}

// checked is what alice reads of hansard.promise/1.
type checked struct {
	Verdict  string
	Detail   string
	Breach   string
	Final    bool
	Evidence string
	Bond     struct{ Succeeds bool }
}

// check runs hansard promise check.
func (w *world) check(want int, who string, files ...string) (found []checked) {
	w.Helper()
	args := append([]string{"promise", "check", "--json", "--rpc", w.anvil.url, "--trust", w.trust(), "--server", w.service.url}, files...)
	out, _ := w.run(want, who, "", args...)
	for line := range strings.Lines(out) {
		found = append(found, decode[checked](w.T, line))
	}
	return found
}

// trust returns the trust file, which everybody has from elsewhere.
func (w *world) trust() string { return w.path("operator", "trust.json") }

// pay runs a command about a promise that sends a transaction of who.
func (w *world) pay(want int, who string, args ...string) (stdout, stderr string) {
	w.Helper()
	if args[1] != "collect" {
		args = append(args, "--trust", w.trust(), "--server", w.service.url)
	}
	return w.spend(want, who, who, args...)
}

// dryRun shows what would be sent, and sends nothing.
func (w *world) dryRun(who string, args ...string) {
	w.Helper()
	before := w.number()
	out, _ := w.pay(0, who, append(args, "--dry-run")...)
	if w.number() != before || !strings.Contains(out, "gas") || !strings.Contains(out, "reward") {
		w.Errorf("the dry run of %s sent something or does not say what is at stake: %s", args, out)
	}
}

// verified holds the evidence to the checks that need no node but for the hash of a block.
func (w *world) verified(breach proofs.Breach, who, file string) {
	w.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		w.Fatal(err)
	}
	e, err := proofs.ParseBreachEvidence(b)
	if err != nil {
		w.Fatal(err)
	}
	args := []string{"verify", file, "--trust", w.trust()}
	if block := e.Block(); block != nil {
		w.run(proofs.Undetermined.Exit(), who, "", args...)
		h, err := w.eth.HeaderByNumber(w.Context(), new(big.Int).SetUint64(block.Number))
		if err != nil {
			w.Fatal(err)
		}
		args = append(args, "--block-hash", h.Hash().String())
	}
	out, _ := w.run(proofs.PromiseBroken.Exit(), who, "", args...)
	if !strings.Contains(out, breach.String()) {
		w.Errorf("verify does not name the breach: %s", out)
	}
}

// bondInfo is what hansard bond info says.
type bondInfo struct {
	AmountWei string
	Broken    bool
	Open      uint32 `json:"openChallenges"`
}

func (w *world) bondInfo(who string) bondInfo {
	w.Helper()
	want := 0
	if b := w.bonded(); b.Broken {
		want = proofs.Mismatch.Exit()
	}
	out, _ := w.run(want, who, "", "bond", "info", "--json", "--rpc", w.anvil.url, "--log", w.log.Log.String(),
		"--key", w.keys["promise"].Address().String())
	return decode[bondInfo](w.T, out)
}

// copy gives somebody a file of somebody else.
func (w *world) copy(from, to string) {
	w.Helper()
	b, err := os.ReadFile(w.path(from))
	if err == nil {
		err = os.WriteFile(w.path(to), b, 0o644)
	}
	if err != nil {
		w.Fatal(err)
	}
}
