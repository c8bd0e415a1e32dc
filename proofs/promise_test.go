package proofs_test

import (
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestPromiseDigest compares what a promise key signs with what a wallet would.
func TestPromiseDigest(t *testing.T) {
	check := func(c proofs.Chain, p proofs.Promise) {
		t.Helper()
		want := walletDigest(t, typed("Promise", c.ChainID, c.PromiseBond, map[string]any{
			"log": p.Log.String(), "index": str(p.Index), "leaf": p.Leaf.String(), "deadline": str(p.Deadline),
			"beneficiary": p.Beneficiary.String(),
		}))
		if got := c.PromiseDomain().PromiseDigest(&p); got != want {
			t.Fatalf("promise %+v: got %s, a wallet signs %s", p, got, want)
		}
		p.Signature[7] ^= 1
		if got := c.PromiseDomain().PromiseDigest(&p); got != want {
			t.Fatal("the signature signs itself")
		}
	}
	w := newWorld(t)
	for _, a := range w.accepted {
		check(w.chain, a.Promise())
	}
	rng := newRand(t)
	for range 200 {
		check(randomChain(rng), proofs.Promise{
			Log: randomHash(rng), Index: randomUint(rng), Leaf: randomHash(rng), Deadline: randomUint(rng),
			Beneficiary: proofs.Address(randomBytes(rng, 20)),
		})
	}
	check(proofs.Chain{}, proofs.Promise{})
}

// TestPromise: the beneficiary is the author where the author is a wallet, and nobody otherwise.
func TestPromise(t *testing.T) {
	w := newWorld(t)
	wallets := 0
	for _, a := range w.accepted {
		p := a.Promise()
		wallet, ok := a.Message.Author.Wallet()
		if ok {
			wallets++
		}
		want := proofs.Promise{Log: w.chain.Log, Index: a.Entry.Index, Leaf: a.Leaf, Deadline: a.Deadline, Beneficiary: wallet}
		if p != want || ok == p.Beneficiary.IsZero() {
			t.Errorf("author %s: %+v, want %+v", a.Message.Author, p, want)
		}
		a.Message, want.Beneficiary = nil, proofs.Address{}
		if p := a.Promise(); p != want {
			t.Errorf("erased: %+v, want %+v", p, want)
		}
	}
	if wallets == 0 || wallets == len(w.accepted) {
		t.Errorf("%d of %d authors are wallets", wallets, len(w.accepted))
	}
}

// TestDomains: a promise is no message and the other way round, even on one contract.
func TestDomains(t *testing.T) {
	c := goldenChain
	if c.MessageDomain() == c.PromiseDomain() {
		t.Error("messages and promises have one domain on different contracts")
	}
	c.PromiseBond = c.AnchorLog
	m, p := proofs.Message{}, proofs.Promise{}
	if c.MessageDomain() != c.PromiseDomain() || c.MessageDomain().MessageID(&m) == c.PromiseDomain().PromiseDigest(&p) {
		t.Error("one contract has two domains, or a message is a promise")
	}
}
