package scenarios

import (
	"context"
	"fmt"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// attack is a call that must be refused for its own reason.
type attack struct {
	name   string
	call   anchor.Planned
	reason any // the contract's error
}

// speak submits messages of the author in one request and returns their ids.
func (w *world) speak(author *identity.Key, words ...string) (ids []proofs.Hash) {
	w.Helper()
	c := w.client()
	subs := make([]proofs.Submission, len(words))
	for i, body := range words {
		m := proofs.Message{Log: w.log.Log, Room: "demo-dao", Author: proofs.Author(author.Address().String()),
			SentAt: uint64(time.Now().UnixMilli()), Kind: "text/plain", Body: body, Salt: proofs.Keccak([]byte(body))}
		e, err := author.SignMessage(w.log.MessageDomain(), &m)
		if err != nil {
			w.Fatal(err)
		}
		subs[i] = proofs.Submission{Message: m, Evidence: e}
		ids = append(ids, w.log.MessageDomain().MessageID(&m))
	}
	answers, err := c.SubmitMany(w.Context(), subs)
	for i := 0; err == nil && i < len(answers); i++ {
		if answers[i].Err != nil {
			err = answers[i].Err
		}
	}
	if err != nil {
		w.Fatal(err)
	}
	return ids
}

func (w *world) client() *client.Client {
	w.Helper()
	c, err := client.New(w.service.url, &http.Client{Timeout: time.Minute})
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// receipts fetches receipts with inclusion proofs: the attacker knows what everybody knows.
func (w *world) receipts(ids []proofs.Hash) (all []*proofs.Receipt) {
	w.Helper()
	c := w.client()
	for _, id := range ids {
		var rc *proofs.Receipt
		w.eventually("a receipt was included", func() bool {
			b, err := c.Receipt(w.Context(), id)
			if err == nil {
				rc, err = proofs.ParseReceipt(b)
			}
			if err != nil {
				w.Fatal(err)
			}
			return rc.Level >= proofs.Included
		})
		all = append(all, rc)
	}
	return all
}

// refused sends the attack and wants it to revert for its reason, or, where the operator may be faster, for another.
func (w *world) refused(key *identity.Key, a attack, or ...any) {
	w.Helper()
	to := common.Address(a.call.To)
	_, err := w.eth.CallContract(context.Background(), ethereum.CallMsg{From: common.Address(key.Address()), To: &to, Value: a.call.Value, Data: a.call.Data}, nil)
	raw, ok := ethclient.RevertErrorData(err)
	if !ok {
		w.Errorf("%s: the call gave %v", a.name, err)
		return
	}
	got, err := promiseBond.UnpackError(raw)
	if err != nil || !slices.ContainsFunc(append(or, a.reason), func(r any) bool { return reflect.TypeOf(r) == reflect.TypeOf(got) }) {
		w.Errorf("%s: refused with %T, %v; want %T", a.name, got, err, a.reason)
	}
	if r := w.transact(key, a.call); r.Status != 0 {
		w.Errorf("%s: it was mined and did not revert", a.name)
	}
}

// highS returns the other signature of the same digest by the same key.
func highS(s proofs.Signature) proofs.Signature {
	half := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(s[32:64]))
	half.FillBytes(s[32:64])
	s[64] = 27 + 28 - s[64]
	return s
}

// elsewhere are promises of the operator's own key that are not of this log, this bond or this chain.
func (w *world) elsewhere(p proofs.Promise) map[string]proofs.Promise {
	w.Helper()
	sign := func(c proofs.Chain, p proofs.Promise) proofs.Promise {
		s, err := w.keys["promise"].SignDigest(c.PromiseDomain().PromiseDigest(&p))
		if err != nil {
			w.Fatal(err)
		}
		p.Signature = s
		return p
	}
	p.Leaf = proofs.Keccak([]byte("a leaf that was promised elsewhere"))
	chain, other := w.log, w.log
	chain.ChainID++
	other.PromiseBond[0]++
	return map[string]proofs.Promise{"another chain": sign(chain, p), "another bond": sign(other, p)}
}

// target is a promise that was kept, and what an attacker knows of the log.
type target struct {
	*world
	rc, other *proofs.Receipt // other is of another index
	contents  contents
	all       []attack
}

// attacks are all that can be tried against a promise that was kept.
func (w *world) attacks(rc, other *proofs.Receipt) []attack {
	w.Helper()
	t := &target{world: w, rc: rc, other: other, contents: w.contents()}
	t.late()
	t.substitutions()
	t.conflicts()
	t.strangers()
	return t.all
}

func (t *target) add(name string, call anchor.Planned, reason any) {
	t.all = append(t.all, attack{name, call, reason})
}

// changed returns the promise's batch with something changed.
func (t *target) changed(change func(*proofs.Batch)) proofs.Batch {
	b := *t.rc.Batch
	change(&b)
	return b
}

func (t *target) late() {
	p, b := t.rc.Promise, *t.rc.Batch
	path := t.contents.path(b.Number)
	noBreach, badProof := &bindings.PromiseBondNoBreach{}, &bindings.PromiseBondBadProof{}
	try := func(name string, b proofs.Batch, path []proofs.Hash, reason any) {
		t.add("late, "+name, bond.PlanSlashLate(t.log, p, b, path), reason)
	}
	try("true batch", b, path, noBreach)
	forged := t.changed(func(f *proofs.Batch) { f.Time = p.Deadline + 1 })
	try("forged time", forged, path, badProof)
	try("forged time, no path", forged, nil, badProof)
	try("number out of the log", t.changed(func(f *proofs.Batch) { f.Time, f.Number = p.Deadline+1, 1<<40 }), path, badProof)
	if newest := t.contents.batches[len(t.contents.batches)-1]; !newest.Contains(p.Index) {
		path := t.contents.path(newest.Number)
		try("by another batch", newest, path, noBreach)
		newest.First, newest.Size, newest.Time = 0, 1<<20, p.Deadline+1
		try("another batch stretched over it", newest, path, badProof)
	}
}

func (t *target) substitutions() {
	rc, b := t.rc, *t.rc.Batch
	p, path := rc.Promise, t.contents.path(rc.Batch.Number)
	try := func(name string, leaf proofs.Hash, b proofs.Batch, inclusion []proofs.Hash) {
		t.add("substitution, "+name, bond.PlanSlashSubstitution(t.log, p, leaf, b, path, inclusion), &bindings.PromiseBondBadProof{})
	}
	try("a leaf of another index", t.other.Promise.Leaf, *t.other.Batch, t.other.Inclusion)
	try("a leaf of another index, in its batch", t.other.Promise.Leaf, b, rc.Inclusion)
	try("padding", proofs.Hash{}, b, rc.Inclusion)
	forged := proofs.Keccak([]byte("forged"))
	try("a forged batch", forged, t.changed(func(f *proofs.Batch) { f.Root, f.First, f.Size = forged, p.Index, 1 }), nil)
	try("a larger batch", forged, t.changed(func(f *proofs.Batch) { f.Size = 1 << 30 }), make([]proofs.Hash, 30))
	if len(rc.Inclusion) == 0 {
		return
	}
	sibling, above := rc.Inclusion[0], rc.Inclusion[1:]
	inner := proofs.HashNode(p.Leaf, sibling)
	if (p.Index-b.First)%2 == 1 {
		inner = proofs.HashNode(sibling, p.Leaf)
	}
	beside := append([]proofs.Hash{p.Leaf}, above...)
	try("the root as a leaf", b.Root, b, nil)
	try("an inner node", inner, b, above)
	try("an inner node, a smaller batch", inner, t.changed(func(f *proofs.Batch) { f.Size = 1 }), above)
	try("the sibling", sibling, b, beside)
	try("the sibling, first moved", sibling, t.changed(func(f *proofs.Batch) { f.First-- }), beside)
}

func (t *target) conflicts() {
	p, q := t.rc.Promise, t.other.Promise
	t.add("conflict with itself", bond.PlanSlashConflict(t.log, p, p), &bindings.PromiseBondNoBreach{})
	t.add("conflict with another index", bond.PlanSlashConflict(t.log, p, q), &bindings.PromiseBondNoBreach{})
	moved := *q
	moved.Index = p.Index
	t.add("conflict with a promise moved here", bond.PlanSlashConflict(t.log, p, &moved), &bindings.PromiseBondBadSignature{})
	for where, e := range t.elsewhere(*p) {
		t.add("conflict with a promise of "+where, bond.PlanSlashConflict(t.log, p, &e), &bindings.PromiseBondBadSignature{})
		t.add("missed, by a promise of "+where, bond.PlanSlashMissed(t.log, &e), &bindings.PromiseBondBadSignature{})
	}
}

// strangers are calls that nothing stands behind.
func (t *target) strangers() {
	p := t.rc.Promise
	t.add("missed", bond.PlanSlashMissed(t.log, p), &bindings.PromiseBondNoBreach{})
	stranger, future, high := *p, *p, *p
	stranger.Log[0]++
	t.add("missed, in another log", bond.PlanSlashMissed(t.log, &stranger), &bindings.PromiseBondNoBond{})
	future.Index += 1 << 20
	t.add("missed, a promise that was never made", bond.PlanSlashMissed(t.log, &future), &bindings.PromiseBondBadSignature{})
	high.Signature = highS(p.Signature)
	t.add("challenge with the other s", bond.PlanChallenge(t.log, &high), &bindings.PromiseBondBadSignature{})
	dear := bond.PlanChallenge(t.log, p)
	dear.Value = ether(1)
	t.add("challenge with another deposit", dear, &bindings.PromiseBondBadValue{})
	t.add("conclude what nobody challenged", bond.PlanConclude(t.log, p), &bindings.PromiseBondNotChallenged{})
}

// beyond are true proofs of padding: the places between the end of a batch and the next power of two, which are indices of
// the batches after it.
func (w *world) beyond(kept []*proofs.Receipt) (all []attack) {
	w.Helper()
	c := w.contents()
	for _, b := range c.batches {
		if b.First+b.Size > uint64(len(kept)) {
			break
		}
		var leaves []proofs.Hash
		for _, rc := range kept[b.First : b.First+b.Size] {
			leaves = append(leaves, rc.Promise.Leaf)
		}
		tree := treeOf(leaves)
		if tree.Root() != b.Root {
			w.Fatalf("the tree of batch %d has another root", b.Number)
		}
		for at := b.Size; at < 1<<proofs.TreeHeight(b.Size) && b.First+at < uint64(len(kept)); at++ {
			call := bond.PlanSlashSubstitution(w.log, kept[b.First+at].Promise, proofs.Hash{}, b, c.path(b.Number), tree.Prove(at))
			all = append(all, attack{"substitution, padding of the batch before", call, &bindings.PromiseBondBadProof{}})
		}
	}
	return all
}

func treeOf(leaves []proofs.Hash) proofs.Tree {
	t := proofs.Tree{leaves}
	for row := leaves; len(row) > 1; {
		var next []proofs.Hash
		for i := 0; i < len(row); i += 2 {
			right := proofs.PaddingRoot(len(t) - 1)
			if i+1 < len(row) {
				right = row[i+1]
			}
			next = append(next, proofs.HashNode(row[i], right))
		}
		t, row = append(t, next), next
	}
	return t
}

// usurpations are what only the owner may do.
func (w *world) usurpations(by proofs.Address) (all []attack) {
	for name, data := range map[string][]byte{
		"addKey":    promiseBond.PackAddKey(w.log.Log, common.Address(by)),
		"revokeKey": promiseBond.PackRevokeKey(w.log.Log, common.Address(w.keys["promise"].Address())),
		"unbond":    promiseBond.PackUnbond(w.log.Log), "withdraw": promiseBond.PackWithdraw(w.log.Log, common.Address(by)),
		"fund": promiseBond.PackFund(w.log.Log),
	} {
		all = append(all, attack{name, anchor.Planned{To: w.log.PromiseBond, Data: data}, &bindings.PromiseBondNotOwner{}})
	}
	return all
}

// challenge reads a promise's challenge.
func (w *world) challenge(p *proofs.Promise) bindings.ChallengesOutput {
	w.Helper()
	c, err := promiseBond.UnpackChallenges(w.view(w.log.PromiseBond, promiseBond.PackChallenges(bond.PromiseID(w.log, p))))
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// answered waits until the operator has answered by itself.
func (w *world) answered(all ...*proofs.Receipt) {
	w.Helper()
	for _, rc := range all {
		w.eventually(fmt.Sprintf("the challenge of index %d was answered", rc.Promise.Index), func() bool { return w.challenge(rc.Promise).Closed })
	}
}

// answer is the answer to a challenge that anybody who has the receipt can give.
func (w *world) answer(rc *proofs.Receipt) anchor.Planned {
	return bond.PlanAnswer(w.log, rc.Promise, *rc.Batch, w.contents().path(rc.Batch.Number), rc.Inclusion)
}

// intact fails unless the bond is whole.
func (w *world) intact() {
	w.Helper()
	if b := w.bonded(); b.Broken || b.Amount.Cmp(bondAmount) != 0 {
		w.Fatalf("the bond is %+v", b)
	}
}
