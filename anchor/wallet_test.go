package anchor

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// site reads the log of that salt and owner.
func (h *harness) site(owner testKey, salt proofs.Hash) *Site {
	h.Helper()
	log := h.log
	log.Log = proofs.LogID(owner.Address(), salt)
	s, err := ReadSite(h.Context(), h.nodes(), log)
	if err != nil {
		h.Fatal(err)
	}
	return s
}

func (h *harness) balance(key testKey) *big.Int {
	h.Helper()
	wei, err := h.chain.Client().BalanceAt(h.Context(), common.Address(key.Address()), nil)
	if err != nil {
		h.Fatal(err)
	}
	return wei
}

// anchorCall is the call that anchors the batch.
func anchorCall(log proofs.Chain, b proofs.Batch) []byte {
	return contract.PackAnchor(log.Log, new(big.Int).SetUint64(b.Number), b.Root, new(big.Int).SetUint64(b.Size), b.CID)
}

func mustPlan(plan []Planned, err error) []Planned {
	if err != nil {
		panic(err)
	}
	return plan
}

// TestSite follows a log from nothing through five batches to another submitter.
func TestSite(t *testing.T) {
	h := newHarness(t)
	salt := proofs.Keccak([]byte("seven"))
	s := h.site(stranger, salt)
	if !s.Proxy || !s.Ours || s.CodeHash.IsZero() || !s.Owner.IsZero() || s.Head != (Head{}) || s.Peaks != nil {
		t.Errorf("before: %+v", s)
	}
	if plan := mustPlan(s.PlanDeploy()); len(plan) != 0 {
		t.Errorf("deploy again: %+v", plan)
	}
	if _, err := s.PlanSetSubmitter(submitter.Address()); err == nil || !strings.Contains(err.Error(), "never opened") {
		t.Errorf("set the submitter of no log: %v", err)
	}
	h.fault = h.mineAtOnce
	w := h.wallet(stranger)
	do := func(plan []Planned) (all []*Paid) {
		t.Helper()
		if err := w.Do(t.Context(), plan, nil, func(_ Planned, p *Paid) { all = append(all, p) }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	before := h.balance(stranger)
	paid := do(mustPlan(s.PlanOpen(salt, submitter.Address())))
	took := new(big.Int).Sub(before, h.balance(stranger))
	if len(paid) != 1 || paid[0].Wei.Cmp(took) != 0 || paid[0].Gas < openGas-60 || paid[0].Gas > openGas {
		t.Errorf("open: paid %+v, the account lost %d", paid, took)
	}
	h.log.Log = s.Log.Log
	for n := range uint64(5) {
		b := proofs.Batch{Number: n, Root: proofs.Keccak([]byte{byte(n)}), Size: 10, CID: proofs.Hash{9}}
		h.transact(submitter, h.log.AnchorLog, anchorCall(h.log, b), 1)
		h.mine(1)
	}
	s = h.site(stranger, salt)
	if want := (Head{submitter.Address(), 5, 50}); s.Owner != stranger.Address() || s.Head != want {
		t.Errorf("owner %s, head %+v", s.Owner, s.Head)
	}
	if len(s.Peaks) != 2 || s.Peaks[0].Height != 0 || s.Peaks[1].Height != 2 || s.Peaks[0].Hash.IsZero() || s.Peaks[1].Hash.IsZero() {
		t.Errorf("peaks of five batches: %+v", s.Peaks)
	}
	if _, err := s.PlanOpen(salt, pauper.Address()); err == nil || !strings.Contains(err.Error(), "open with the submitter") {
		t.Errorf("open with another submitter: %v", err)
	}
	do(mustPlan(s.PlanSetSubmitter(pauper.Address())))
	if s = h.site(stranger, salt); s.Head.Submitter != pauper.Address() {
		t.Errorf("submitter %s", s.Head.Submitter)
	}
	if plan := mustPlan(s.PlanSetSubmitter(pauper.Address())); len(plan) != 0 {
		t.Errorf("set it again: %+v", plan)
	}
}

// TestSiteEmpty is a chain without the contract, and an address with other code.
func TestSiteEmpty(t *testing.T) {
	chain, err := devchain.Open(devchain.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer chain.Close()
	log := proofs.Chain{ChainID: devchain.DefaultChainID, AnchorLog: ContractAddress(), Log: proofs.Hash{1}}
	q, err := nodes.New([]nodes.Node{{Name: "node", RPC: chain.Client().Client()}}, nodes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := ReadSite(t.Context(), q, log)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Proxy || s.Ours || !s.CodeHash.IsZero() {
		t.Errorf("%+v", s)
	}
	plan := mustPlan(s.PlanDeploy())
	if want := append(make([]byte, 32), initcode()...); len(plan) != 1 || plan[0].To != ProxyAddress() || !bytes.Equal(plan[0].Data, want) || plan[0].Gas != 0 {
		t.Errorf("deploy: %+v", plan)
	}
	if plan = mustPlan(s.PlanOpen(proofs.Hash{1}, submitter.Address())); len(plan) != 1 || plan[0].Gas != openGas || plan[0].To != log.AnchorLog {
		t.Errorf("open: %+v", plan)
	}
	if _, err := s.PlanSetSubmitter(submitter.Address()); err == nil || !strings.Contains(err.Error(), "no AnchorLog contract") {
		t.Errorf("set submitter: %v", err)
	}
	without := *s
	without.Proxy = false
	if _, err := without.PlanDeploy(); err == nil || !strings.Contains(err.Error(), "no deployment proxy") {
		t.Errorf("deploy without the proxy: %v", err)
	}
	log.AnchorLog = ProxyAddress()
	if s, err = ReadSite(t.Context(), q, log); err != nil || s.Ours || s.CodeHash.IsZero() {
		t.Errorf("other code: %+v, %v", s, err)
	}
	if _, err := s.PlanDeploy(); err == nil || !strings.Contains(err.Error(), "this version has the address") {
		t.Errorf("deploy over other code: %v", err)
	}
}

// TestDoCap: what could cost too much is not signed, and what the first transaction cost counts.
func TestDoCap(t *testing.T) {
	h := newHarness(t)
	sent := 0
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_sendRawTransaction" {
			sent++
		}
		return h.mineAtOnce(r, next)
	}
	w := h.wallet(stranger)
	one := mustPlan(h.site(stranger, proofs.Hash{1}).PlanOpen(proofs.Hash{1}, submitter.Address()))[0]
	two := mustPlan(h.site(stranger, proofs.Hash{2}).PlanOpen(proofs.Hash{2}, submitter.Address()))[0]
	price, err := w.Price(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if price.Limit != price.Gas+price.Gas/4 || price.Likely().Cmp(price.Worst()) >= 0 {
		t.Errorf("price %+v: likely %d, worst %d", price, price.Likely(), price.Worst())
	}
	less := new(big.Int).Sub(price.Worst(), big.NewInt(1))
	err = w.Do(t.Context(), []Planned{one}, less, func(Planned, *Paid) { t.Error("done") })
	if !errors.Is(err, ErrOverCap) || sent != 0 {
		t.Errorf("one wei under the worst case: %v, %d sent", err, sent)
	}
	var done []string
	err = w.Do(t.Context(), []Planned{one, two}, price.Worst(), func(p Planned, paid *Paid) { done = append(done, p.What) })
	if !errors.Is(err, ErrOverCap) || sent != 1 || !cmp.Equal(done, []string{one.What}) {
		t.Errorf("the worst case of one for both: %v, %d sent, %q done", err, sent, done)
	}
}

func TestDoReverted(t *testing.T) {
	h := newHarness(t)
	w := h.wallet(stranger)
	s := h.site(submitter, proofs.Hash{1})
	plan := mustPlan(s.PlanSetSubmitter(stranger.Address())) // not the log's owner
	if err := w.Do(t.Context(), plan, nil, func(Planned, *Paid) { t.Error("done") }); err == nil || !strings.Contains(err.Error(), "NotOwner") {
		t.Errorf("a call that would revert: %v", err)
	}
	// A call that reverts in its block although the estimate went well: the owner was faster.
	h.fault = h.mineAtOnce
	open := mustPlan(h.site(stranger, proofs.Hash{3}).PlanOpen(proofs.Hash{3}, submitter.Address()))
	if err := w.Do(t.Context(), open, nil, func(Planned, *Paid) {}); err != nil {
		t.Fatal(err)
	}
	s = h.site(stranger, proofs.Hash{3})
	h.log.Log = s.Log.Log
	call := Planned{What: "anchor", To: h.log.AnchorLog, Data: anchorCall(h.log, proofs.Batch{Root: proofs.Hash{1}, Size: 1})}
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_sendRawTransaction" {
			h.transact(stranger, h.log.AnchorLog, mustPlan(s.PlanSetSubmitter(pauper.Address()))[0].Data, 50e9)
		}
		return h.mineAtOnce(r, next)
	}
	before := h.balance(submitter)
	var paid []*Paid
	err := h.wallet(submitter).Do(t.Context(), []Planned{call}, nil, func(_ Planned, p *Paid) { paid = append(paid, p) })
	if err == nil || !strings.Contains(err.Error(), "reverted in block") || len(paid) != 1 {
		t.Fatalf("reverted: %v, %d paid", err, len(paid))
	}
	if took := new(big.Int).Sub(before, h.balance(submitter)); took.Cmp(paid[0].Wei) != 0 || took.Sign() == 0 {
		t.Errorf("paid %d, the account lost %d", paid[0].Wei, took)
	}
}

// TestDoLate: a nonce that is consumed before the receipt is found is not lost, until it stays so.
func TestDoLate(t *testing.T) {
	h := newHarness(t)
	w := h.wallet(stranger)
	open := func(salt proofs.Hash) []Planned {
		return mustPlan(h.site(stranger, salt).PlanOpen(salt, submitter.Address()))
	}
	late := open(proofs.Hash{5})
	missing := 0
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_getTransactionReceipt" && missing < lostLooks-1 {
			missing++
			return []byte(`{"jsonrpc":"2.0","id":` + string(r.ID) + `,"result":null}`), nil
		}
		return h.mineAtOnce(r, next)
	}
	done := 0
	if err := w.Do(t.Context(), late, nil, func(Planned, *Paid) { done++ }); err != nil || done != 1 || missing != lostLooks-1 {
		t.Errorf("late receipt: %v, %d done, %d looks without it", err, done, missing)
	}
	lost, other := open(proofs.Hash{6}), open(proofs.Hash{7})[0]
	h.fault = nil
	sent := false
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_sendRawTransaction" && !sent {
			sent = true
			h.transact(stranger, other.To, other.Data, 2)
			h.mine(1)
		}
		return next(), nil
	}
	err := w.Do(t.Context(), lost, nil, func(Planned, *Paid) { t.Error("done") })
	if err == nil || !strings.Contains(err.Error(), "lost its nonce") {
		t.Errorf("another of the account was faster: %v", err)
	}
}

// TestWalletDataFee: on a chain of the OP stack the oracle's bound is part of the worst case, and the fee in the
// receipt part of what was paid.
func TestWalletDataFee(t *testing.T) {
	h := newHarness(t)
	asked := ""
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		switch {
		case r.Method == "eth_call" && bytes.Contains(r.Params[0], []byte("0x420000000000000000000000000000000000000f")):
			asked = string(r.Params[0])
			return []byte(`{"jsonrpc":"2.0","id":` + string(r.ID) + `,"result":"` + common.BigToHash(big.NewInt(5_000)).Hex() + `"}`), nil
		case r.Method == "eth_getTransactionReceipt":
			return bytes.Replace(next(), []byte(`"status"`), []byte(`"l1Fee":"0xbb8","status"`), 1), nil
		}
		return h.mineAtOnce(r, next)
	}
	w := h.wallet(stranger)
	plain, err := w.Price(t.Context(), mustPlan(h.site(stranger, proofs.Hash{4}).PlanOpen(proofs.Hash{4}, stranger.Address()))[0])
	if err != nil {
		t.Fatal(err)
	}
	w.DataFee = proofs.Address(common.HexToAddress("0x420000000000000000000000000000000000000f"))
	plan := mustPlan(h.site(stranger, proofs.Hash{4}).PlanOpen(proofs.Hash{4}, stranger.Address()))
	price, err := w.Price(t.Context(), plan[0])
	if err != nil {
		t.Fatal(err)
	}
	if d := new(big.Int).Sub(price.Worst(), plain.Worst()); d.Int64() != 10_000 {
		t.Errorf("the data fee adds %d to the worst case", d)
	}
	if d := new(big.Int).Sub(price.Likely(), plain.Likely()); d.Int64() != 5_000 {
		t.Errorf("the data fee adds %d to the likely cost", d)
	}
	if !strings.Contains(asked, "0xf1c7a58b") { // getL1FeeUpperBound(uint256)
		t.Errorf("asked %s", asked)
	}
	before := h.balance(stranger)
	var paid *Paid
	if err := w.Do(t.Context(), plan, nil, func(_ Planned, p *Paid) { paid = p }); err != nil {
		t.Fatal(err)
	}
	took := new(big.Int).Sub(before, h.balance(stranger))
	if d := new(big.Int).Sub(paid.Wei, took); d.Int64() != 3_000 {
		t.Errorf("paid %d of which the chain took %d", paid.Wei, took)
	}
}
