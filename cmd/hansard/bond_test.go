package main

import (
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// bond runs hansard bond with the account.
func (o *operator) bond(code int, args ...string) (stdout, stderr string) {
	o.t.Helper()
	return o.want(code, "", append(append([]string{"bond"}, args...), "--rpc", o.url, "--keystore", o.path("keys"), "--password-file", o.path("password"))...)
}

// says wants each text in what was said.
func says(t *testing.T, what, said string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Errorf("%s: no %q in\n%s", what, text, said)
		}
	}
}

// after moves anvil's clock.
func (o *operator) after(d time.Duration) {
	o.t.Helper()
	o.rpc("evm_increaseTime", uint64(d/time.Second))
	o.rpc("evm_mine")
}

// TestBond goes through the life of a bond; each wei that is reported is one that is gone.
func TestBond(t *testing.T) {
	o := newOperator(t)
	key, next := proofs.Address{19: 5}.String(), proofs.Address{19: 6}.String()
	at := bond.Address(anchor.ContractAddress()).String()
	out, _ := o.bond(proofs.Mismatch.Exit(), "info")
	says(t, "info of nothing", out, at+"  missing; hansard bond deploy deploys it")
	_, errs := o.bond(exitUsage, "fund", "0.5", "--yes")
	says(t, "fund nothing", errs, "deploy it first")
	o.contracts(0, "deploy", "--yes", "--contract-only")

	before := o.balance()
	out, _ = o.bond(0, "deploy", "--dry-run")
	says(t, "deploy", out, "would deploy PromiseBond at "+at, "est. 2,0", "-> ok\n")
	out, _ = o.bond(0, "deploy", "--yes", "--json")
	deployed := decode[bondLine](t, out)
	if deployed.Schema != "hansard.bond/1" || deployed.Action != "deploy" || deployed.Deployed || len(deployed.Sent) != 1 || deployed.Bond.String() != at {
		t.Errorf("deploy: %s", out)
	}
	o.wantSpent(before, deployed.Sent)
	_, errs = o.bond(exitUsage, "fund", "0.5", "--yes")
	says(t, "fund a log of nobody", errs, "was never opened")
	o.contracts(0, "deploy", "--yes")
	o.bond(0, "deploy", "--yes") // nothing is left to do

	o.fundAndKeys(key, next)
	o.leave()
}

// fundAndKeys funds the bond with half an ether and adds, revokes and looks at keys.
func (o *operator) fundAndKeys(key, next string) {
	t := o.t
	t.Helper()
	_, errs := o.bond(exitBudget, "fund", "5", "--yes")
	says(t, "fund with too much", errs, "holds 0.99", "5 are to be sent beside")
	out, errs := o.bond(0, "fund", "0.5", "--dry-run", "--max-cost", "0.01")
	says(t, "fund, dry", out+errs, "with 0.5 ether, which the cap does not count", "note       a broken promise takes all", "cap 0.01 -> ok")
	before := o.balance()
	out, _ = o.bond(0, "fund", "0.5", "--yes", "--max-cost", "0.01", "--json")
	funded := decode[bondLine](t, out)
	if funded.ValueWei != "500000000000000000" || funded.Plan[0].ValueWei != funded.ValueWei || len(funded.Sent) != 1 {
		t.Errorf("fund: %s", out)
	}
	o.wantSpent(before.Sub(before, wei(t, funded.ValueWei)), funded.Sent)

	_, errs = o.bond(0, "add-key", key, "--yes")
	says(t, "add-key", errs, "old promises too")
	if out, errs = o.bond(0, "add-key", key, "--yes"); out != "" || !strings.Contains(errs, "nothing to do") {
		t.Errorf("add the key again: %q %q", out, errs)
	}
	out, _ = o.bond(0, "info", "--key", key)
	says(t, "info", out, "0.5 ether, live", key+"  active; its promises are backed", "credit     "+o.account.String()+"  0 ether")
	out, _ = o.bond(proofs.Mismatch.Exit(), "info", "--key", key, "--key", next, "--json")
	info := decode[bondInfoLine](t, out)
	if len(info.Keys) != 2 || !info.Keys[0].Backed || info.Keys[1].Backed || info.Keys[1].State != "unknown" || !strings.Contains(info.Keys[1].Why, "no promise key") ||
		info.AmountWei != "500000000000000000" || *info.Owner != o.account || info.Credit != "0" {
		t.Errorf("info: %s", out)
	}
	if out, _ = o.bond(0, "info", "-q"); out != "500000000000000000\n" {
		t.Errorf("quiet: %q", out)
	}
	_, errs = o.bond(exitUsage, "revoke-key", next, "--yes")
	says(t, "revoke an unknown key", errs, "was never added")
	o.bond(0, "revoke-key", key, "--yes")
	_, errs = o.bond(exitUsage, "add-key", key, "--yes")
	says(t, "add a revoked key", errs, "never added again")
	out, _ = o.bond(proofs.Mismatch.Exit(), "info", "--key", key)
	says(t, "info of a revoked key", out, "revoked, enforceable before 2", "NOT BACKED: the promise key "+key+" was revoked")
}

// leave takes the bond out to another address.
func (o *operator) leave() {
	t := o.t
	t.Helper()
	to := proofs.Address{19: 8}
	_, errs := o.bond(exitUsage, "withdraw", "--yes")
	says(t, "withdraw at once", errs, "unbond it first, and wait 14 days")
	_, errs = o.bond(0, "unbond", "--yes")
	says(t, "unbond", errs, "this cannot be taken back")
	_, errs = o.bond(0, "unbond", "--yes")
	says(t, "unbond again", errs, "leaving: it may be withdrawn from 2", "nothing to do")
	_, errs = o.bond(exitUsage, "withdraw", "--yes")
	says(t, "withdraw too early", errs, "the bond leaves at 2")
	o.after(bond.UnbondingTime)
	o.bond(0, "withdraw", "--yes", "--to", to.String())
	var paid hexutil.Big
	if err := o.client.Client().CallContext(t.Context(), &paid, "eth_getBalance", to, "latest"); err != nil || paid.ToInt().Cmp(big.NewInt(5e17)) != 0 {
		t.Errorf("paid %s, %v", &paid, err)
	}
	out, _ := o.bond(0, "info")
	says(t, "info after it", out, "0 ether, none: it was never funded, or was withdrawn")
}

// TestBondArguments: what cannot be meant is refused before a node is asked.
func TestBondArguments(t *testing.T) {
	s := &serviceTest{t: t, dir: t.TempDir()}
	for _, args := range [][]string{
		{"info", "now"}, {"info", "--key", "0x12"}, {"deploy", "now"}, {"fund"}, {"fund", "1", "2"}, {"fund", "much"}, {"fund", "-1"},
		{"add-key"}, {"add-key", "alice"}, {"revoke-key", "0x12"}, {"unbond", "now"}, {"withdraw", "now"}, {"withdraw", "--to", "me"}, {"steal"},
		{"info", "--bond", "yes"}, {"info", "--bond", "0x" + strings.Repeat("0", 40)},
	} {
		if _, errs := s.want(exitUsage, "", append([]string{"bond", "--rpc", "http://127.0.0.1:1", "--owner", "0x" + strings.Repeat("1", 40)}, args...)...); errs == "" {
			t.Errorf("%q: no word", args)
		}
	}
}

// TestBondSafe: the owner is a Safe, and its file carries the ether. Another account may not send.
func TestBondSafe(t *testing.T) {
	o := newOperator(t)
	safe := proofs.Address{19: 0x5a}
	o.contracts(0, "deploy", "--yes", "--contract-only")
	o.rpc("anvil_setBalance", safe, "0xde0b6b3a7640000")
	o.rpc("anvil_impersonateAccount", safe)
	o.contracts(0, "deploy", "--safe", o.path("open.json"), "--owner", safe.String(), "--submitter", o.account.String())
	for _, tx := range o.safe("open.json").Transactions {
		o.rpc("eth_sendTransaction", map[string]any{"from": safe, "to": tx.To, "data": tx.Data})
	}
	o.bond(0, "deploy", "--yes", "--owner", safe.String()) // anybody may
	o.bond(0, "fund", "0.25", "--owner", safe.String(), "--safe", o.path("fund.json"))
	file := o.safe("fund.json")
	if len(file.Transactions) != 1 || file.Transactions[0].Value != "250000000000000000" || !strings.EqualFold(file.Meta.CreatedFromSafeAddress, safe.String()) {
		t.Errorf("%+v", file)
	}
	_, errs := o.bond(exitAuth, "fund", "0.25", "--owner", safe.String(), "--yes")
	says(t, "fund as another", errs, "the log's owner is "+safe.String())
	o.rpc("eth_sendTransaction", map[string]any{"from": safe, "to": file.Transactions[0].To, "data": file.Transactions[0].Data, "value": "0x3782dace9d90000"})
	out, _ := o.bond(0, "info", "--owner", safe.String())
	says(t, "info", out, "0.25 ether, live", "owner      "+safe.String())
	out, _ = o.bond(proofs.Mismatch.Exit(), "info", "--owner", safe.String(), "--bond", anchor.ContractAddress().String())
	says(t, "another contract", out, "NOT the PromiseBond of this version")
	out, _ = o.bond(proofs.Mismatch.Exit(), "info", "--owner", safe.String(), "--bond", "none")
	says(t, "no bond", out, "name no bond")
}

// safe reads a file for a Safe.
func (o *operator) safe(name string) (file safeFile) {
	o.t.Helper()
	b, err := os.ReadFile(filepath.Clean(o.path(name)))
	if err == nil {
		err = json.Unmarshal(b, &file)
	}
	if err != nil {
		o.t.Fatal(err)
	}
	return file
}

// TestServeBond: a service says what stands behind its promises, and a directory belongs to one bond.
func TestServeBond(t *testing.T) {
	o := newOperator(t)
	keys := o.newLog("data", "anchor")
	at := bond.Address(anchor.ContractAddress()).String()
	said := func(args ...string) string {
		t.Helper()
		_, ended, stop := o.serveAt("data", args...)
		stop()
		end := <-ended
		if end.code != 0 {
			t.Fatalf("serve ended with %d: %s", end.code, end.said)
		}
		return end.said
	}
	says(t, "no contract", said(), "bond      promises are NOT BACKED: there is no contract at "+at, `level=WARN msg="promises are not backed`, "hansard bond deploy")
	bonded := func(args ...string) {
		t.Helper()
		o.want(0, "", append(append([]string{"bond"}, args...), "--yes", "--rpc", o.url, "--keystore", o.path("data", "keys"), "--password-file", o.path("password"))...)
	}
	bonded("deploy")
	says(t, "empty", said(), "NOT BACKED: the bond is empty", "hansard bond fund AMOUNT")
	bonded("fund", "0.25")
	says(t, "no key", said(), "NOT BACKED: "+keys[1].String()+" is no promise key", "hansard bond add-key "+keys[1].String())
	bonded("add-key", keys[1].String())
	says(t, "live", said(), "bond      "+at+" with 0.25 ether behind promises of key "+keys[1].String(), `level=INFO msg="promises are backed"`)
	raw, err := os.ReadFile(o.path("data", "trust.json"))
	if err != nil {
		t.Fatal(err)
	}
	says(t, "trust.json", string(raw), `"promiseBond": "`+at+`"`)

	serve := []string{"serve", "--rpc", o.url, "--data", o.path("data"), "--password-file", o.path("password"), "--listen", "127.0.0.1:0"}
	_, errs := o.want(exitUsage, "", append(serve, "--bond", "none")...)
	says(t, "another bond", errs, "its PromiseBond is "+at+", and 0x0000000000000000000000000000000000000000 is wanted", "--bond (none for a directory whose PromiseBond is zero)")
	_, errs = o.want(exitUsage, "", append(serve, "--promise", "168h")...)
	says(t, "a long promise", errs, "with a bond at most 167h0m0s")

	if err := os.CopyFS(o.path("none", "keys"), os.DirFS(o.path("data", "keys"))); err != nil {
		t.Fatal(err)
	}
	_, ended, stop := o.serveAt("none", "--bond", "none", "--promise", "200h")
	stop()
	says(t, "none", (<-ended).said, "NOT BACKED: the log has no bond")
	o.want(exitUsage, "", append(serve, "--data", o.path("none"))...)
}

// TestDevBond: the promises of the development chain are backed from its first start on, once.
func TestDevBond(t *testing.T) {
	s := startService(t)
	for range 2 {
		answer, err := http.Get(s.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		says(t, "metrics", string(b), "\nhansard_promises_backed 1\n", "\nhansard_bond_wei 1e+18\n", "\nhansard_challenges_open 0\n")
		s.stop()
		_, s.stop = s.serve()
	}
}

// TestDoctorBond: what stands behind promises, and each challenge with the time when its answer is due.
func TestDoctorBond(t *testing.T) {
	h := &holder{operator: newOperator(t)}
	h.keys = h.newLog("data", "old")
	h.rpc("anvil_setBalance", h.keys[0], "0x56bc75e2d63100000") // 100 ether
	doctor := func(code int) doctorRows {
		t.Helper()
		return h.doctor(code, "--rpc", h.url, "--data", h.path("data"), "--log", proofs.LogID(h.keys[0], logSalt("main")).String(), "--account", "old")
	}
	doctor(0).has(t, "bond", doctorWarn, "promises are not backed: there is no contract")
	h.stake("2")
	doctor(0).has(t, "bond", doctorOK, "with 2 ether behind promises; which key signs them is not known")
	_, ended, stop := h.serveAt("data", "--account", "old")
	stop()
	<-ended
	doctor(0).has(t, "bond", doctorOK, "with 2 ether behind promises of key "+h.keys[1].String())

	key, err := identity.Keystore{Dir: h.path("data", "keys"), Light: true}.Unlock("promise", "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	log := proofs.Chain{ChainID: 31337, AnchorLog: anchor.ContractAddress(), PromiseBond: bond.Address(anchor.ContractAddress()), Log: proofs.LogID(h.keys[0], logSalt("main"))}
	p := &proofs.Promise{Log: log.Log, Index: 7, Leaf: proofs.Hash{1}, Deadline: 1, Beneficiary: h.account}
	if p.Signature, err = key.SignDigest(bond.PromiseID(log, p)); err != nil {
		t.Fatal(err)
	}
	c := bond.PlanChallenge(log, p)
	h.rpc("anvil_setBalance", h.account, "0xde0b6b3a7640000")
	h.rpc("anvil_impersonateAccount", h.account)
	h.rpc("eth_sendTransaction", map[string]any{"from": h.account, "to": c.To, "data": hexutil.Encode(c.Data), "value": hexutil.EncodeBig(c.Value)})
	h.rpc("evm_mine")
	doctor(0).has(t, "bond", doctorWarn, "the promise for index 7 is challenged, by "+h.account.String()+"; an answer is due by 2")
	h.after(bond.AnswerTime + time.Minute)
	doctor(1).has(t, "bond", doctorWarn, "it was to be answered by 2")
}
