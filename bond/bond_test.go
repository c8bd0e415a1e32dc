package bond

import (
	"bytes"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/proofs"
)

// The address is that of docs/contracts.md and of PromiseBond.deploy.t.sol.
func TestAddress(t *testing.T) {
	const want = "0xa093c9e324e0651d0e21f373146f1bbbd3c07963"
	if got := Address(anchor.ContractAddress()).String(); got != want {
		t.Errorf("Address = %s, want %s", got, want)
	}
}

// wantLive wants the reason why promises of the promiser are not backed; "": they are.
func (w *world) wantLive(why string) {
	w.Helper()
	s, k := w.state(), Key{Address: promiser.Address()}
	if s.Ours {
		k = w.key(promiser)
	}
	err := s.Live(k)
	switch {
	case why == "" && err != nil:
		w.Errorf("not live: %v", err)
	case why != "" && (!errors.Is(err, ErrNotBacked) || !strings.Contains(err.Error(), why)):
		w.Errorf("live: %v, want %q", err, why)
	}
	if got := s.Accept(&proofs.Promise{Deadline: s.Block.Time}, k); (got == nil) != (err == nil) {
		w.Errorf("live %v, accept %v", err, got)
	}
}

// wantPlans wants each plan of the state to be refused with that reason; "": it plans something; "-": nothing is to do.
func (w *world) wantPlans(why map[string]string) {
	w.Helper()
	s, k := w.state(), Key{Address: promiser.Address()}
	if s.Ours {
		k = w.key(promiser)
	}
	plans := map[string]func() ([]anchor.Planned, error){
		"deploy":   func() ([]anchor.Planned, error) { return s.PlanDeploy(w.Context(), w.q) },
		"fund":     func() ([]anchor.Planned, error) { return s.PlanFund(big.NewInt(1)) },
		"add":      func() ([]anchor.Planned, error) { return s.PlanAddKey(k) },
		"revoke":   func() ([]anchor.Planned, error) { return s.PlanRevokeKey(k) },
		"unbond":   s.PlanUnbond,
		"withdraw": func() ([]anchor.Planned, error) { return s.PlanWithdraw(holder.Address()) },
	}
	for name, want := range why {
		plan, err := plans[name]()
		switch {
		case want == "" && (err != nil || len(plan) != 1):
			w.Errorf("%s: %d calls, %v", name, len(plan), err)
		case want == "-" && (err != nil || plan != nil):
			w.Errorf("%s: %d calls, %v, want nothing to do", name, len(plan), err)
		case len(want) > 1 && (err == nil || !strings.Contains(err.Error(), want)):
			w.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// TestStates follows a bond through each state of docs/contracts.md, by its own plans. What a plan refuses, the contract
// would revert.
func TestStates(t *testing.T) {
	w := newWorld(t)
	w.wantLive("no contract")
	w.wantPlans(map[string]string{"deploy": "", "fund": "deploy it first", "add": "deploy it first", "unbond": "deploy it first"})
	w.elsewhere()

	plan, err := w.state().PlanDeploy(t.Context(), w.q)
	w.send(holder, plan, err)
	w.hollow()
	w.wantLive("empty")
	w.wantPlans(map[string]string{"deploy": "-", "fund": "never opened", "add": "never opened"})
	w.open("states")
	w.wantLive("the bond is empty")
	w.wantPlans(map[string]string{"fund": "", "add": "", "revoke": "never added", "unbond": "the bond is empty", "withdraw": "the bond is empty"})
	w.refused(owner, anchor.Planned{What: "unbond", To: w.log.PromiseBond, Data: contract.PackUnbond(w.log.Log)}, "no bond of the log")
	plan, err = w.state().PlanFund(big.NewInt(1e18))
	w.send(owner, plan, err)
	w.wantLive("is no promise key")
	plan, err = w.state().PlanAddKey(w.key(promiser))
	w.refused(holder, plan[0], "only the log's owner may")
	w.send(owner, plan, err)
	w.wantLive("")
	w.wantPlans(map[string]string{"add": "-", "revoke": "", "unbond": "", "withdraw": "unbond it first, and wait 14 days"})
	w.refused(owner, plan[0], "was added before")
	if s := w.state(); s.Amount.Cmp(big.NewInt(1e18)) != 0 || s.Owner != owner.Address() || s.Open != 0 || s.LeavesAt != 0 || s.Broken {
		t.Errorf("live: %+v", s)
	}
	w.deadlines()

	plan, err = w.state().PlanRevokeKey(w.key(promiser))
	w.send(owner, plan, err)
	w.wantLive("was revoked")
	w.wantPlans(map[string]string{"add": "never added again", "revoke": "-"})
	if k := w.key(promiser); k.Active() || k.Until != w.state().Block.Time+uint64(UnbondingTime/time.Second) {
		t.Errorf("revoked: %+v", k)
	}
	w.leave()
}

// hollow takes the AnchorLog away under the bond for a while.
func (w *world) hollow() {
	w.Helper()
	code, err := w.q.Code(w.Context(), w.state().Block.Hash, w.log.AnchorLog)
	if err != nil {
		w.Fatal(err)
	}
	w.rpc("anvil_setCode", w.log.AnchorLog, "0x")
	w.rpc("evm_mine")
	w.wantLive("for an AnchorLog of this version at " + w.log.AnchorLog.String())
	w.wantPlans(map[string]string{"deploy": "-", "fund": "for an AnchorLog of this version", "add": "for an AnchorLog of this version"})
	w.rpc("anvil_setCode", w.log.AnchorLog, hexutil.Encode(code))
	w.rpc("evm_mine")
}

// elsewhere looks at addresses that hold something else, and at a bond of another AnchorLog.
func (w *world) elsewhere() {
	w.Helper()
	log, other := w.log, proofs.Address{1}
	defer func() { w.log = log }()
	w.log.PromiseBond = log.AnchorLog
	w.wantLive("is not the PromiseBond of this version for an AnchorLog of this version at " + log.AnchorLog.String())
	w.wantPlans(map[string]string{"deploy": "has the address", "fund": "is not the PromiseBond"})

	w.log.AnchorLog, w.log.PromiseBond = other, Address(other)
	plan, err := w.state().PlanDeploy(w.Context(), w.q)
	w.send(holder, plan, err)
	w.log.AnchorLog = log.AnchorLog
	w.wantLive("is not the PromiseBond")
	code, err := w.q.Code(w.Context(), w.state().Block.Hash, Address(other))
	if err != nil {
		w.Fatal(err)
	}
	if !isOurs(code, other) || isOurs(code, log.AnchorLog) || isOurs(code, proofs.Address{}) {
		w.Error("the deployed code is not told apart by its AnchorLog")
	}
	if n := len(initcode(other)) - 32 - len(code); n != constructorSize {
		w.Errorf("the constructor has %d bytes", n)
	}
	for at := range code { // each byte counts
		code[at] ^= 0x10
		if isOurs(code, other) {
			w.Fatalf("code with another byte %d counts", at)
		}
		code[at] ^= 0x10
	}
	word := append(make([]byte, 12), other[:]...)
	if places := bytes.Count(code, word); places < 2 || isOurs(bytes.Replace(code, word, make([]byte, 32), 1), other) {
		w.Errorf("code with another AnchorLog in one of %d places counts", places)
	}
	if isOurs(code[1:], other) || isOurs(append(bytes.Clone(code), 0), other) || isOurs(nil, other) {
		w.Error("a part of the code counts")
	}
	w.log.PromiseBond = proofs.Address{}
	w.wantLive("the log has no bond")
	w.wantPlans(map[string]string{"deploy": "the log has no bond", "fund": "the log has no bond"})
}

// deadlines looks at the longest promise that is accepted.
func (w *world) deadlines() {
	w.Helper()
	s, k := w.state(), w.key(promiser)
	latest := s.Block.Time + 7*24*60*60
	if err := s.Accept(&proofs.Promise{Deadline: latest}, k); err != nil {
		w.Error(err)
	}
	for _, late := range []uint64{latest + 1, math.MaxUint64} {
		if err := s.Accept(&proofs.Promise{Deadline: late}, k); !errors.Is(err, ErrNotBacked) || !strings.Contains(err.Error(), "more than 7 days away") {
			w.Errorf("deadline %d: %v", late, err)
		}
	}
}

// leave takes the bond out, and funds the log again.
func (w *world) leave() {
	w.Helper()
	plan, err := w.state().PlanAddKey(w.key(nextPromiser))
	w.send(owner, plan, err)
	plan, err = w.state().PlanUnbond()
	w.send(owner, plan, err)
	s := w.state()
	if err := s.Live(w.key(nextPromiser)); err == nil || !strings.Contains(err.Error(), "the bond leaves at 2") {
		w.Errorf("leaving: %v", err)
	}
	w.wantPlans(map[string]string{"unbond": "-", "withdraw": "the bond leaves at", "fund": ""})
	w.refused(owner, plan[0], "leaving already, at 2")
	w.refused(owner, anchor.Planned{What: "withdraw", To: w.log.PromiseBond, Data: contract.PackWithdraw(w.log.Log, [20]byte{1})}, "too early: wait until 2")
	w.after(UnbondingTime)
	plan, err = w.state().PlanWithdraw(w.log.AnchorLog)
	if err != nil {
		w.Fatal(err)
	}
	w.refused(owner, plan[0], w.log.AnchorLog.String()+" takes no ether")
	if _, err := s.PlanWithdraw(proofs.Address{}); err == nil {
		w.Error("withdraw to the zero address")
	}
	to := proofs.Address{7}
	plan, err = w.state().PlanWithdraw(to)
	w.send(owner, plan, err)
	if wei, err := w.q.Balance(w.Context(), w.state().Block.Hash, to); err != nil || wei.Cmp(big.NewInt(1e18)) != 0 {
		w.Errorf("paid %d, %v", wei, err)
	}
	w.wantLive("the bond is empty")
	plan, err = w.state().PlanFund(big.NewInt(2))
	w.send(owner, plan, err)
	if err := w.state().Live(w.key(nextPromiser)); err != nil {
		w.Errorf("funded again: %v", err)
	}
}

// TestPlanFund: an amount that the contract would not take is refused.
func TestPlanFund(t *testing.T) {
	s := &State{Log: proofs.Chain{PromiseBond: proofs.Address{1}}, Deployed: true, Ours: true, Owner: proofs.Address{2}, Amount: new(big.Int)}
	for _, wei := range []*big.Int{big.NewInt(0), big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 128)} {
		if plan, err := s.PlanFund(wei); err == nil {
			t.Errorf("%d wei: %+v", wei, plan)
		}
	}
	wei := big.NewInt(5)
	plan, err := s.PlanFund(wei)
	if err != nil || plan[0].Value.Cmp(wei) != 0 || plan[0].Value == wei {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := s.PlanAddKey(Key{}); err == nil {
		t.Error("the zero address is added")
	}
	if _, err := PlanCollect(s.Log, proofs.Address{}); err == nil {
		t.Error("collect to the zero address")
	}
	if _, err := PlanCollect(proofs.Chain{}, proofs.Address{1}); err == nil {
		t.Error("collect of no bond")
	}
}

// TestPlanDeployProxy: without the proxy there is nothing to deploy with.
func TestPlanDeployProxy(t *testing.T) {
	w := newWorld(t)
	w.rpc("anvil_setCode", anchor.ProxyAddress(), "0x")
	w.wantPlans(map[string]string{"deploy": "no deployment proxy"})
}

// TestConstants compares the constants with those of the contract's code.
func TestConstants(t *testing.T) {
	w := newWorld(t)
	w.open("constants")
	for _, c := range []struct {
		call []byte
		want *big.Int
	}{
		{contract.PackUNBONDINGTIME(), big.NewInt(int64(UnbondingTime / time.Second))},
		{contract.PackANSWERTIME(), big.NewInt(int64(AnswerTime / time.Second))},
		{contract.PackREWARDPERCENT(), big.NewInt(RewardPercent)},
		{contract.PackCHALLENGEDEPOSIT(), Deposit()},
	} {
		out, err := w.q.Call(t.Context(), w.state().Block.Hash, w.log.PromiseBond, c.call)
		if err != nil || new(big.Int).SetBytes(out).Cmp(c.want) != 0 {
			t.Errorf("0x%x: %x, %v, want %d", c.call, out, err, c.want)
		}
	}
	if got := proofs.Address(crypto.CreateAddress2([20]byte(anchor.ProxyAddress()), [32]byte{}, crypto.Keccak256(initcode(w.log.AnchorLog)))); got != w.log.PromiseBond {
		t.Errorf("%s", got)
	}
}
