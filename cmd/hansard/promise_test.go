package main

import (
	"fmt"
	"math"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// holder is somebody with promises of an operator on anvil.
type holder struct {
	*operator
	keys []proofs.Address // the log's owner, the promise key
}

// newHolder makes a log. There is no bond yet, and nobody serves.
func newHolder(t *testing.T) *holder {
	h := &holder{operator: newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")}
	h.keys = h.newLog("data", "old")
	h.rpc("anvil_setBalance", h.keys[0], "0x56bc75e2d63100000") // 100 ether
	return h
}

// stake puts a bond behind the promises of the keys; of the service's, if none is named.
func (h *holder) stake(ether string, keys ...proofs.Address) {
	h.t.Helper()
	h.owner("deploy")
	h.owner("fund", ether)
	if keys == nil {
		keys = h.keys[1:]
	}
	for _, key := range keys {
		h.owner("add-key", key.String())
	}
}

// owner runs hansard bond as the log's owner.
func (h *holder) owner(args ...string) {
	h.t.Helper()
	h.want(0, "", append(append([]string{"bond"}, args...), "--yes", "--rpc", h.url, "--account", "old",
		"--keystore", h.path("data", "keys"), "--password-file", h.path("password"))...)
}

// tell sends words to the service and keeps the promise in the file.
func (h *holder) tell(code int, url, file string, more ...string) (stdout, stderr string) {
	h.t.Helper()
	return h.want(code, "words for "+file, append([]string{"send", "--room", "demo-dao", "--account", "anchor", "--keystore", h.path("keys"),
		"--password-file", h.path("password"), "--server", url, "-o", h.path(file)}, more...)...)
}

// check runs hansard promise check, with evidence into the test's folder.
func (h *holder) check(code int, args ...string) (lines []promiseLine, stderr string) {
	h.t.Helper()
	out, errs := h.want(code, "", append([]string{"promise", "check", "--rpc", h.url, "-o", h.dir, "--json"}, args...)...)
	for line := range strings.Lines(out) {
		lines = append(lines, decode[promiseLine](h.t, line))
	}
	return lines, errs
}

// spend runs a command of hansard promise that sends a transaction.
func (h *holder) spend(code int, args ...string) (stdout, stderr string) {
	h.t.Helper()
	return h.want(code, "", append(append([]string{"promise"}, args...), "--rpc", h.url, "--account", "anchor",
		"--keystore", h.path("keys"), "--password-file", h.path("password"))...)
}

// pairs make batches of two messages. The leaf of one by itself is its batch's root, which everybody sees.
var pairs = []string{"--max-messages", "2", "--max-age", "30m"}

// pass moves the chain's time, and makes what was mined final.
func (h *holder) pass(d time.Duration) {
	h.t.Helper()
	h.after(d)
	h.rpc("anvil_mine", "0x8")
}

// TestPromiseKept: send looks at the bond before and after, and check follows a promise until it is kept.
func TestPromiseKept(t *testing.T) {
	h := newHolder(t)
	url, ended, stop := h.serveAt("data", "--account", "old", "--max-age", "50m") // no anchor is on its way when the owner deploys
	trust := []string{"--trust", h.path("data", "trust.json")}
	nodes := append([]string{"--rpc", h.url}, trust...)

	h.unbacked(url, trust, nodes)
	stop()
	<-ended
	h.stake("2")
	url, _, _ = h.serveAt("data", append(pairs, "--account", "old")...)
	file := h.backed(url, nodes)
	h.tell(0, url, "next.receipt.json")
	h.want(0, "", "watch", file, "--server", url)

	lines, errs := h.check(proofs.Undetermined.Exit(), file)
	says(t, "without a trust file", errs, "is the word of the files", "--trust FILE")
	if l := lines[0]; l.Verdict != "UNDETERMINED" || l.Next != "" || l.Batch == nil {
		t.Errorf("nobody shows the leaf before the deadline: %+v", l)
	}
	lines, errs = h.check(0, append(trust, file, "--gateway", url)...)
	if l := lines[0]; l.Verdict != "KEPT" || !l.Final || l.Batch.Time > l.Promise.Deadline || l.Promise.Signer != h.keys[1] || !l.Bond.Enforceable || l.Evidence != "" || errs != "" {
		t.Errorf("kept: %+v, %s", l, errs)
	}
	if l, _ := h.check(0, append(trust, file, "--server", url)...); l[0].Verdict != "KEPT" {
		t.Errorf("kept, by --server: %+v", l)
	}
	h.want(0, "", "get", file, "-o", file, "--server", url)
	out, _ := h.want(0, "", append(trust, "promise", "check", file, "--rpc", h.url)...)
	says(t, "kept, with its own proof", out, file+"\n", "  promise    leaf 0x", "  batch      ", "  bond       2 ether at "+bond.Address(anchor.ContractAddress()).String(), "KEPT (exit 0): ")

	if err := os.WriteFile(h.path("other.json"), (&proofs.Trust{}).Format(), 0o644); err != nil {
		t.Fatal(err)
	}
	lines, _ = h.check(proofs.Mismatch.Exit(), file, "--trust", h.path("other.json"))
	if l := lines[0]; l.Verdict != "MISMATCH" || l.Promise != nil {
		t.Errorf("not in the trust file: %+v", l)
	}
	_, errs = h.spend(exitUsage, "slash", file, "--yes")
	says(t, "slash", errs, "the promise was kept")
	_, errs = h.spend(exitUsage, "challenge", file, "--yes")
	says(t, "challenge", errs, "was kept", "cost you the deposit")
	h.conflict(file)
}

// unbacked sends to an operator without a bond.
func (h *holder) unbacked(url string, trust, nodes []string) {
	t := h.t
	t.Helper()
	_, errs := h.tell(proofs.Mismatch.Exit(), url, "none", nodes...)
	says(t, "send without a bond", errs, "there is no contract at", "nothing was signed", "--unbacked")
	if strings.Contains(errs, "You are signing") {
		t.Errorf("signed without a bond: %s", errs)
	}
	out, _ := h.tell(0, url, "unbacked.receipt.json", append(nodes, "--unbacked", "--json")...)
	if b := decode[sentLine](t, out).Bond; !b.Checked || b.Accepted || b.AmountWei != "0" || b.Reason == "" {
		t.Errorf("--unbacked: %s", out)
	}
	_, errs = h.tell(0, url, "blind.receipt.json", trust...)
	says(t, "send without nodes", errs, "was not checked: no node was named", "hansard promise check")
	h.tell(exitUsage, url, "none", "--min-bond", "1")
	h.tell(exitUsage, url, "none", append(nodes, "--min-bond", "1", "--unbacked")...)

	other := startAnvil(t, "--chain-id", "5")
	_, errs = h.tell(exitUsage, url, "none", "--rpc", other)
	says(t, "nodes of another chain", errs, "on chain 5", "nothing was signed")
	t.Setenv("ETH_RPC_URL", other)
	_, errs = h.tell(0, url, "elsewhere.receipt.json")
	says(t, "nodes of another chain in the environment", errs, "was not checked: the nodes are on chain 5")
	t.Setenv("ETH_RPC_URL", "")
	h.tell(exitUnreachable, url, "none", "--rpc", "http://127.0.0.1:1")
	out, _ = h.tell(0, url, "alone.receipt.json", "--rpc", "http://127.0.0.1:1", "--unbacked", "--json")
	if b := decode[sentLine](t, out).Bond; b.Checked || b.Accepted || b.Reason == "" {
		t.Errorf("--unbacked with a node that is down: %s", out)
	}
}

// backed sends to an operator with a bond of 2 ether, and returns the file with the promise.
func (h *holder) backed(url string, nodes []string) (file string) {
	t := h.t
	t.Helper()
	_, errs := h.tell(proofs.Mismatch.Exit(), url, "none", append(nodes, "--min-bond", "2.5")...)
	says(t, "--min-bond", errs, "holds 2 ether, less than --min-bond 2.5", "nothing was signed")
	if _, err := os.Stat(h.path("none")); err == nil {
		t.Error("a refused message left a file")
	}
	out, _ := h.tell(0, url, "kept.receipt.json", append(nodes, "--min-bond", "2", "--json")...)
	if got, want := decode[sentLine](t, out).Bond, (sentBond{Checked: true, AmountWei: "2000000000000000000", Accepted: true}); got != want {
		t.Errorf("send: %+v, want %+v", got, want)
	}
	return h.path("kept.receipt.json")
}

// conflict has the operator promise another leaf at the index of a promise, and loses its bond by the two.
func (h *holder) conflict(file string) {
	t := h.t
	t.Helper()
	key, err := identity.Keystore{Dir: h.path("data", "keys")}.Unlock("promise", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	rc := readReceipt(t, file)
	rc.Level, rc.Batch, rc.Inclusion, rc.Anchor = proofs.Promised, nil, nil, nil
	rc.Entry.ReceivedAt++
	rc.Promise.Leaf = rc.Entry.Leaf()
	if rc.Promise.Signature, err = key.SignDigest(rc.Chain.PromiseDomain().PromiseDigest(rc.Promise)); err != nil {
		t.Fatal(err)
	}
	other := h.path("other.receipt.json")
	if err := os.WriteFile(other, rc.Format(), 0o644); err != nil {
		t.Fatal(err)
	}
	h.spend(exitUsage, "slash", file, file, "--yes")
	lines, _ := h.check(proofs.PromiseBroken.Exit(), file, other)
	if len(lines) != 3 {
		t.Fatalf("two files and a conflict: %+v", lines)
	}
	l := lines[2]
	if l.Verdict != "BROKEN" || l.Breach != "conflict" || len(l.Files) != 2 || !l.Bond.Succeeds || l.Evidence == "" || !strings.Contains(l.Next, "slash "+l.Evidence) {
		t.Errorf("conflict: %+v", l)
	}
	if r := l.Bond.Rewards; len(r) != 1 || r[0].To != h.account || r[0].Wei != "200000000000000000" {
		t.Errorf("a conflict pays both beneficiaries half, here one twice: %+v", r)
	}
	lines, _ = h.check(proofs.PromiseBroken.Exit(), l.Evidence)
	if lines[0].Breach != "conflict" || lines[0].Evidence != l.Evidence {
		t.Errorf("the evidence, checked: %+v", lines[0])
	}
	before := h.balance()
	out, _ := h.spend(0, "slash", file, other, "--dry-run")
	says(t, "dry run", out, "would slash: conflict", "reward     0.2 ether to "+h.account.String(), "burnt      1.8 ether", "cap 0.05 -> ok")
	if h.balance().Cmp(before) != 0 {
		t.Error("a dry run cost something")
	}
	out, _ = h.spend(0, "slash", file, other, "--yes", "--json")
	h.wantSpent(before, decode[promiseTxLine](t, out).Sent)
	h.collected("200000000000000000", file)
}

// collected has the account paid what the bond owes it.
func (h *holder) collected(want string, file string) {
	t := h.t
	t.Helper()
	to := proofs.Address{19: 0xcc}
	before := h.balance()
	out, _ := h.spend(0, "collect", file, "--to", to.String(), "--dry-run", "--json")
	if l := decode[promiseTxLine](t, out); l.Credit != want || len(l.Plan) != 1 || len(l.Sent) != 0 || h.balance().Cmp(before) != 0 {
		t.Errorf("collect, dry run: %s", out)
	}
	h.spend(0, "collect", file, "--to", to.String(), "--yes")
	wei, err := h.client.BalanceAt(t.Context(), [20]byte(to), nil)
	if err != nil || wei.String() != want {
		t.Errorf("collected %v, %v; want %s", wei, err, want)
	}
	out, _ = h.spend(0, "collect", "--yes", "-q")
	if out != "0\n" {
		t.Errorf("collect again: %q", out)
	}
}

// TestPromiseMissed: an operator that promises and stops loses its bond to the author, who has the receipt alone.
func TestPromiseMissed(t *testing.T) {
	h := newHolder(t)
	other := proofs.Address{19: 7}
	h.stake("1.5", other)
	url, ended, stop := h.serveAt("data", "--account", "old", "--max-age", "50m")
	h.otherKey(url, other)
	h.owner("add-key", h.keys[1].String())
	h.tell(0, url, "missed.receipt.json", "--rpc", h.url)
	stop()
	<-ended
	file := h.path("missed.receipt.json")
	lines, _ := h.check(proofs.NotFinal.Exit(), file)
	if l := lines[0]; l.Verdict != "OPEN" || l.Batch != nil || !strings.HasPrefix(l.Next, "hansard promise check ") {
		t.Errorf("open: %+v", l)
	}
	_, errs := h.spend(proofs.NotFinal.Exit(), "slash", file, "--yes")
	says(t, "slash too early", errs, "nothing was sent")

	h.pass(2 * time.Hour)
	lines, _ = h.check(proofs.PromiseBroken.Exit(), file)
	l := lines[0]
	if l.Verdict != "BROKEN" || l.Breach != "missed" || !l.Final || !l.Bond.Succeeds || len(l.Bond.Rewards) != 1 || l.Bond.Rewards[0].Wei != "150000000000000000" {
		t.Errorf("missed: %+v", l)
	}
	b, err := os.ReadFile(l.Evidence)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := proofs.ParseBreachEvidence(b); err != nil || e.Breach != proofs.Missed {
		t.Errorf("evidence: %+v, %v", e, err)
	}
	if again, _ := h.check(proofs.PromiseBroken.Exit(), file); again[0].Evidence != l.Evidence {
		t.Errorf("evidence once more: %+v", again[0])
	}
	if after, err := os.ReadFile(l.Evidence); err != nil || string(after) != string(b) {
		t.Error("evidence was overwritten")
	}
	h.spend(exitBudget, "slash", l.Evidence, "--yes", "--max-cost", "100 gwei")
	_, errs = h.spend(exitUsage, "slash", l.Evidence)
	says(t, "nobody can be asked", errs, "--yes")
	before := h.balance()
	out, errs := h.spend(0, "slash", l.Evidence, "--yes", "--json")
	sent := decode[promiseTxLine](t, out)
	if sent.Schema != "hansard.promise-tx/1" || sent.Action != "slash" || len(sent.Sent) != 1 || sent.Finding.Breach != "missed" {
		t.Errorf("slash: %s", out)
	}
	says(t, "slash", errs, "hansard promise collect")
	h.wantSpent(before, sent.Sent)
	lines, _ = h.check(proofs.PromiseBroken.Exit(), file)
	if l := lines[0]; l.Bond.Enforceable || l.Next != "" {
		t.Errorf("after the slashing: %+v", l)
	}
	_, errs = h.spend(proofs.Mismatch.Exit(), "slash", file, "--yes")
	says(t, "slash twice", errs, "the bond cannot be taken")
	h.collected("150000000000000000", file)
}

// otherKey has the service sign with another key than the one that is active: before it is asked nobody can tell.
func (h *holder) otherKey(url string, active proofs.Address) {
	t := h.t
	t.Helper()
	b, err := os.ReadFile(h.path("data", "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	trust, err := proofs.ParseTrust(b)
	if err != nil {
		t.Fatal(err)
	}
	trust.Logs[0].PromiseKeys = append(trust.Logs[0].PromiseKeys, active)
	if err := os.WriteFile(h.path("both.json"), trust.Format(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, errs := h.tell(proofs.Mismatch.Exit(), url, "refused.receipt.json", "--rpc", h.url, "--trust", h.path("both.json"))
	says(t, "a key that does not count", out+errs, "You are signing", "DO NOT RELY ON IT", h.keys[1].String()+" is no promise key of the bond", "is not one to rely on")
	if rc := readReceipt(t, h.path("refused.receipt.json")); rc.Promise == nil {
		t.Error("the promise was not kept")
	}
	lines, _ := h.check(proofs.Mismatch.Exit(), h.path("refused.receipt.json"), "--trust", h.path("both.json"))
	if l := lines[0]; l.Verdict != "OPEN" || l.Bond.Enforceable {
		t.Errorf("an open promise of a key that does not count: %+v", l)
	}
	lines, _ = h.check(proofs.Mismatch.Exit(), h.path("refused.receipt.json"))
	if l := lines[0]; l.Verdict != "MISMATCH" {
		t.Errorf("a promise of a key that nobody names: %+v", l)
	}
}

// TestBeneficiary: a promise that pays somebody else is kept and not relied on, whether there is a node or not.
func TestBeneficiary(t *testing.T) {
	me, thief := proofs.Address{1}, proofs.Address{2}
	for _, c := range []struct {
		name     string
		bond, to proofs.Address
		checked  bool
		code     int
	}{
		{"the author", proofs.Address{9}, me, false, 0},
		{"the operator", proofs.Address{9}, thief, true, proofs.Mismatch.Exit()},
		{"nobody", proofs.Address{9}, proofs.Address{}, true, proofs.Mismatch.Exit()},
		{"the operator, without a bond", proofs.Address{}, thief, false, 0},
	} {
		b := &backing{chain: proofs.Chain{PromiseBond: c.bond}, why: "no node was named"}
		var app strings.Builder
		cc := cli.NewContext(&cli.App{ErrWriter: &app}, nil, nil)
		found, err := b.after(cc, &proofs.Promise{Beneficiary: c.to}, me)
		if err != nil || found.Checked != c.checked || found.Accepted || found.Reason == "" {
			t.Errorf("%s: %+v, %v", c.name, found, err)
		}
		if err := b.told(cc, "file", found, err); (err != nil) != (c.code != 0) || err != nil && exitCode(err) != c.code {
			t.Errorf("%s: %v, want exit code %d", c.name, err, c.code)
		}
	}
}

// TestPromiseWithheld: data that nobody shows is demanded, and the bond goes when no answer comes.
func TestPromiseWithheld(t *testing.T) {
	h := newHolder(t)
	h.stake("1")
	url, ended, stop := h.serveAt("data", append(pairs, "--account", "old")...)
	h.tell(0, url, "withheld.receipt.json", "--rpc", h.url)
	h.tell(0, url, "next.receipt.json")
	file := h.path("withheld.receipt.json")
	h.want(0, "", "watch", file, "--server", url)
	stop()
	<-ended
	_, errs := h.spend(proofs.Undetermined.Exit(), "challenge", file, "--yes")
	says(t, "before the deadline", errs, "nothing was sent")

	h.pass(2 * time.Hour)
	lines, _ := h.check(proofs.Undetermined.Exit(), file, "--gateway", url)
	if l := lines[0]; l.Verdict != "UNDETERMINED" || !strings.HasPrefix(l.Next, "hansard promise challenge "+file) {
		t.Errorf("nobody shows it: %+v", l)
	}
	_, errs = h.spend(proofs.Undetermined.Exit(), "slash", file, "--yes")
	says(t, "slash without a challenge", errs, "challenge it with")
	before := h.balance()
	out, _ := h.spend(0, "challenge", file, "--dry-run")
	says(t, "dry run", out, "deposit    0.01 ether: comes back if nobody answers within 3 days", "reward     0.1 ether to "+h.account.String(), "would challenge", "with 0.01 ether, which the cap does not count", "no gateway was asked for the batch")
	if h.balance().Cmp(before) != 0 {
		t.Error("a dry run cost something")
	}
	out, errs = h.spend(0, "challenge", file, "--yes", "--json")
	sent := decode[promiseTxLine](t, out)
	says(t, "challenge", errs, "it may be answered until "+secondsUTC(sent.AnswerBy), "hansard promise slash "+file)
	lost := new(big.Int).Sub(before, h.balance())
	if paid := new(big.Int).Add(bond.Deposit(), wei(t, sent.Sent[0].Wei)); lost.Cmp(paid) != 0 || sent.ValueWei != bond.Deposit().String() {
		t.Errorf("deposit and gas are %d, %d are gone", paid, lost)
	}
	_, errs = h.spend(proofs.NotFinal.Exit(), "challenge", file, "--yes")
	says(t, "challenge twice", errs, "challenged already, by "+h.account.String(), "hansard promise slash")
	_, errs = h.spend(proofs.NotFinal.Exit(), "slash", file, "--yes")
	says(t, "conclude early", errs, "may be answered until")

	h.pass(bond.AnswerTime + time.Minute)
	lines, _ = h.check(proofs.PromiseBroken.Exit(), file)
	if l := lines[0]; l.Breach != "withheld" || l.Verdict != "BROKEN" || !strings.HasPrefix(l.Next, "hansard promise slash ") || !l.Bond.Succeeds {
		t.Errorf("not answered: %+v", l)
	}
	out, _ = h.want(proofs.PromiseBroken.Exit(), "", "promise", "check", file, "--rpc", h.url, "-o", h.dir)
	says(t, "not answered", out, "BROKEN, withheld (exit 14)", "conclude it")
	h.spend(0, "slash", file, "--yes")
	lines, _ = h.check(proofs.PromiseBroken.Exit(), file)
	if l := lines[0]; l.Breach != "withheld" || l.Bond.Enforceable || !l.Bond.Challenge.Closed {
		t.Errorf("after it: %+v", l)
	}
	h.collected("110000000000000000", file)
}

func TestRewards(t *testing.T) {
	a, b := proofs.Promise{Beneficiary: proofs.Address{1}}, proofs.Promise{Beneficiary: proofs.Address{2}}
	for _, c := range []struct {
		broken []proofs.Promise
		want   string
	}{
		{[]proofs.Promise{a}, "[0x01:100]"},
		{[]proofs.Promise{{}}, "[]"},
		{[]proofs.Promise{a, b}, "[0x01:50 0x02:50]"},
		{[]proofs.Promise{a, a}, "[0x01:100]"},
		{[]proofs.Promise{{}, b}, "[0x02:50]"},
	} {
		var got []string
		for _, r := range rewards(big.NewInt(1009), c.broken...) {
			got = append(got, fmt.Sprintf("%s:%s", r.To.String()[:4], r.Wei))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%v: %v, want %s", c.broken, got, c.want)
		}
	}
}

func TestVerdictOf(t *testing.T) {
	active := bond.Key{Until: math.MaxUint64}
	unbacked := fmt.Errorf("%w: none", bond.ErrNotBacked)
	for _, c := range []struct {
		f        promises.Finding
		leavesAt uint64
		want     string
	}{
		{promises.Finding{Outcome: promises.Kept, Final: true, Enforceable: unbacked}, 0, "KEPT 0"},
		{promises.Finding{Outcome: promises.Kept}, 0, "KEPT 11"},
		{promises.Finding{Outcome: promises.Broken, Final: true, Enforceable: unbacked}, 0, "BROKEN 14"},
		{promises.Finding{Outcome: promises.Broken}, 0, "BROKEN 11"},
		{promises.Finding{Outcome: promises.Unknown, Next: promises.Challenge}, 0, "UNDETERMINED 12"},
		{promises.Finding{Outcome: promises.Unknown, Enforceable: unbacked}, 0, "UNDETERMINED 12"},
		{promises.Finding{Outcome: promises.Unknown, Next: promises.Conclude}, 0, "BROKEN 14"},
		{promises.Finding{Key: active}, 0, "OPEN 11"},
		{promises.Finding{Key: active, Enforceable: unbacked}, 0, "OPEN 13"},
		{promises.Finding{Key: active}, 1001, "OPEN 11"},
		{promises.Finding{Key: active}, 1000, "OPEN 13"},
		{promises.Finding{Key: bond.Key{Until: 1001}}, 0, "OPEN 11"},
		{promises.Finding{Key: bond.Key{Until: 1000}}, 0, "OPEN 13"},
	} {
		c.f.Promise.Deadline = 1000
		word, code := verdictOf(&c.f, c.leavesAt)
		if got := fmt.Sprint(word, " ", code); got != c.want {
			t.Errorf("%+v, leaving %d: %s, want %s", c.f, c.leavesAt, got, c.want)
		}
	}
}

func TestWorse(t *testing.T) {
	order := []int{14, 10, 13, 12, 11, 0}
	for i, a := range order {
		for _, b := range order[i:] {
			if worse(a, b) != a || worse(b, a) != a {
				t.Errorf("%d and %d: %d and %d", a, b, worse(a, b), worse(b, a))
			}
		}
	}
}
