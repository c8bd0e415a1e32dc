package scenarios

import (
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// siege is an honest operator with everybody against it.
type siege struct {
	*world
	eve  *identity.Key
	kept []*proofs.Receipt // of promises that are due
	next int               // of kept, the first that was not challenged
	owed int               // deposits that are the operator's
	busy int               // messages that were sent meanwhile
}

// TestAttacks lets everybody at an honest operator: nothing that they send costs it the bond.
func TestAttacks(t *testing.T) {
	t.Parallel()
	s := &siege{world: newWorld(t)}
	s.newUser("eve")
	s.eve = s.keys["eve"]
	s.prepare(1, 3, 2, 5, 1, 7)
	s.slashes()
	s.challenges()
	s.killed()
	s.copied()
	s.helped()
	s.reorg()
	s.lastMoment()
	s.leave()
}

// operate starts the operator, who promises within so long.
func (s *siege) operate(promise time.Duration) {
	s.Helper()
	s.serve(program(s.T, honest), "", "--promise", promise.String(), "--answer-poll", "1s")
}

// prepare makes batches of those sizes whose promises are due, and an operator that goes on: what it promises from then on
// lasts for a day.
func (s *siege) prepare(batches ...int) {
	s.operate(time.Hour)
	var ids []proofs.Hash
	for i, n := range batches {
		var words []string
		for j := range n {
			words = append(words, fmt.Sprintf("batch %d, message %d", i, j))
		}
		ids = append(ids, s.speak(s.keys["alice"], words...)...)
		s.anchored(uint64(len(ids)))
	}
	s.kept = s.receipts(ids)
	s.refused(s.eve, attack{"challenge before the deadline", bond.PlanChallenge(s.log, s.kept[0].Promise), &bindings.PromiseBondTooEarly{}})
	s.service.kill()
	s.anvil.pass(time.Hour + time.Minute)
	s.operate(24 * time.Hour)
}

// slashes tries every kind of slashing against every promise, and what only the owner may do.
func (s *siege) slashes() {
	tried := map[string]int{}
	try := func(all []attack) {
		for _, a := range all {
			s.refused(s.eve, a)
			tried[a.name]++
		}
	}
	for i, rc := range s.kept {
		try(s.attacks(rc, s.kept[(i+1)%len(s.kept)]))
	}
	try(s.beyond(s.kept))
	try(s.usurpations(s.eve.Address()))
	for _, name := range slices.Sorted(maps.Keys(tried)) {
		s.Logf("refused %d times: %s", tried[name], name)
	}
	s.intact()
}

// speakUp gives the operator something to anchor.
func (s *siege) speakUp() {
	s.busy++
	s.speak(s.keys["bob"], fmt.Sprintf("meanwhile %d", s.busy))
}

// challenged has eve challenge the next n promises that are due.
func (s *siege) challenged(n int) []*proofs.Receipt {
	s.Helper()
	some := s.kept[s.next : s.next+n]
	s.next += n
	for _, rc := range some {
		if r := s.transact(s.eve, bond.PlanChallenge(s.log, rc.Promise)); r.Status != 1 {
			s.Fatalf("the challenge of index %d was refused", rc.Promise.Index)
		}
	}
	return some
}

// challenges has the operator answer by itself, while it anchors: each batch may void the path of an answer.
func (s *siege) challenges() {
	for range 3 {
		s.speakUp()
		some := s.challenged(1)
		s.speakUp()
		s.refused(s.eve, attack{"conclude early", bond.PlanConclude(s.log, some[0].Promise), &bindings.PromiseBondTooEarly{}}, &bindings.PromiseBondNotChallenged{})
		s.refused(s.eve, attack{"challenge an open one", bond.PlanChallenge(s.log, some[0].Promise), &bindings.PromiseBondAlreadyChallenged{}})
	}
	s.answered(s.kept[:s.next]...)
	s.owed += s.next
	s.refused(s.eve, attack{"challenge again", bond.PlanChallenge(s.log, s.kept[0].Promise), &bindings.PromiseBondAlreadyChallenged{}})
	s.refused(s.eve, attack{"conclude what was answered", bond.PlanConclude(s.log, s.kept[0].Promise), &bindings.PromiseBondNotChallenged{}})
	s.refused(s.eve, attack{"copy an answer", s.answer(s.kept[0]), &bindings.PromiseBondNotChallenged{}})
	s.intact()
}

// killed kills the operator before challenges come, and again while it answers them.
func (s *siege) killed() {
	s.service.kill()
	some := s.challenged(4)
	s.operate(24 * time.Hour)
	s.eventually("an answer", func() bool { return s.challenge(some[0].Promise).Closed })
	s.service.kill()
	s.operate(24 * time.Hour)
	s.speakUp()
	s.answered(some...)
	s.owed += len(some)
	s.intact()
}

// copied has eve answer her own challenge, after false answers: the deposit is hers again, and the operator none the worse.
func (s *siege) copied() {
	rc := s.challenged(1)[0]
	other := s.kept[s.next]
	for name, call := range map[string][3]any{
		"another leaf's proof": {*rc.Batch, other.Inclusion}, "another batch": {*s.kept[0].Batch, rc.Inclusion}, "no proof": {*rc.Batch, []proofs.Hash(nil)},
	} {
		path := s.contents().path(rc.Batch.Number)
		answer := bond.PlanAnswer(s.log, rc.Promise, call[0].(proofs.Batch), path, call[1].([]proofs.Hash))
		s.refused(s.eve, attack{"answer with " + name, answer, &bindings.PromiseBondBadProof{}}, &bindings.PromiseBondNotChallenged{})
	}
	before := s.credit(s.eve.Address())
	if r := s.transact(s.eve, s.answer(rc)); r.Status == 1 {
		if got := new(big.Int).Sub(s.credit(s.eve.Address()), before); got.Cmp(bond.Deposit()) != 0 {
			s.Errorf("who answers first is owed %s", got)
		}
	} else {
		s.owed++ // the operator was faster
	}
	s.answered(rc)
	s.intact()
}

// helped has a watchtower that holds the batches answer for an operator that is away.
func (s *siege) helped() {
	flags := s.payTower("--answer")
	file := fmt.Sprintf("%d.receipt.json", s.next)
	if err := os.WriteFile(s.path("alice", file), s.kept[s.next].Format(), 0o600); err != nil {
		s.Fatal(err)
	}
	s.watch(0, []string{file})
	s.service.kill()
	rc := s.challenged(1)[0]
	s.watch(0, []string{file}, flags...)
	s.answered(rc)
	if got := s.credit(s.keys["tower"].Address()); got.Cmp(bond.Deposit()) != 0 {
		s.Errorf("the watchtower is owed %s for its answer", got)
	}
	s.operate(24 * time.Hour)
	s.intact()
}

// reorg takes the blocks of an answer away: it must come again.
func (s *siege) reorg() {
	rc := s.challenged(1)[0]
	s.answered(rc)
	was := s.answerOf(rc.Promise)
	s.anvil.rollback(s.number() - was.BlockNumber + 1)
	s.answered(rc)
	if is := s.answerOf(rc.Promise); is.BlockHash == was.BlockHash {
		s.Error("the reorg did not take the answer away")
	}
	s.owed++
	s.intact()
}

// lastMoment has the operator away for almost all of the time that there is to answer. When it returns its clock is three
// days behind the chain's: what it would promise now was due long ago, so it refuses.
func (s *siege) lastMoment() {
	s.anchored(uint64(len(s.kept) + s.busy))
	s.service.kill()
	some := s.challenged(2)
	s.anvil.pass(bond.AnswerTime - 10*time.Minute)
	s.operate(24 * time.Hour)
	_, errs := s.run(exitRetry, "bob", "too late", "send", "--room", "demo-dao", "--account", "bob", "--keystore", "keys",
		"--password-file", s.path("password"), "--server", s.service.url, "--trust", s.trust())
	if !strings.Contains(errs, "promise") {
		s.Errorf("the refusal does not say why: %s", errs)
	}
	s.answered(some...)
	s.owed += len(some)
	s.intact()
}

// leave has the operator take its deposits and its bond home.
func (s *siege) leave() {
	operator := s.keys["anchor"].Address()
	if got, want := s.credit(operator), new(big.Int).Mul(bond.Deposit(), big.NewInt(int64(s.owed))); got.Cmp(want) != 0 {
		s.Errorf("the operator is owed %s for %d answers, want %s", got, s.owed, want)
	}
	s.spend(0, "operator", "anchor", "bond", "unbond")
	s.answered(s.challenged(1)...)
	s.spend(exitUsage, "operator", "anchor", "bond", "withdraw")
	s.anvil.pass(bond.UnbondingTime)
	s.refused(s.eve, attack{"challenge a bond that may leave", bond.PlanChallenge(s.log, s.kept[s.next].Promise), &bindings.PromiseBondTooLate{}})
	s.spend(0, "operator", "anchor", "promise", "collect")
	home := proofs.Address{0x40, 0x0e}
	s.spend(0, "operator", "anchor", "bond", "withdraw", "--to", home.String())
	if got := s.balance(home); got.Cmp(bondAmount) != 0 {
		s.Errorf("the operator took %s home", got)
	}
	if b := s.bonded(); b.Broken || b.Amount.Sign() != 0 || b.Open != 0 {
		s.Errorf("after it left the bond is %+v", b)
	}
	owed := new(big.Int).Add(s.credit(s.eve.Address()), s.credit(s.keys["tower"].Address()))
	if left := s.balance(s.log.PromiseBond); left.Cmp(owed) != 0 {
		s.Errorf("the contract holds %s, and owes %s", left, owed)
	}
}
