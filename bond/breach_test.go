package bond

import (
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// other is a leaf that stands nowhere.
var other = proofs.Keccak([]byte("other"))

// TestBreaches slashes a log's bond for each breach that one transaction shows, after the same call was refused for a
// promise that was kept.
func TestBreaches(t *testing.T) {
	w := newWorld(t)
	for name, breach := range map[string]func() (refused, slashes anchor.Planned, why string){
		"conflict": func() (anchor.Planned, anchor.Planned, string) {
			a, b := w.promise(9, leaf(9)), w.promise(9, other)
			return PlanSlashConflict(w.log, a, a), PlanSlashConflict(w.log, a, b), "breaks no promise"
		},
		"substitution": func() (anchor.Planned, anchor.Planned, string) {
			kept, broken := w.promise(1, leaf(1)), w.promise(1, other)
			b, path, inclusion := w.shown(1)
			return PlanSlashSubstitution(w.log, kept, other, b, path, inclusion), PlanSlashSubstitution(w.log, broken, leaf(1), b, path, inclusion), "does not confirm"
		},
		"missed": func() (anchor.Planned, anchor.Planned, string) {
			kept, broken := w.promise(1, leaf(1)), w.promise(6, leaf(6))
			w.refused(holder, PlanSlashMissed(w.log, broken), "too early: wait until 2")
			w.after(2 * time.Hour)
			return PlanSlashMissed(w.log, kept), PlanSlashMissed(w.log, broken), "breaks no promise"
		},
		"late": func() (anchor.Planned, anchor.Planned, string) {
			kept, broken := w.promise(1, leaf(1)), w.promise(7, leaf(7))
			w.after(2 * time.Hour)
			w.anchor()
			early, earlyPath, _ := w.shown(1)
			late, latePath, _ := w.shown(7)
			return PlanSlashLate(w.log, kept, early, earlyPath), PlanSlashLate(w.log, broken, late, latePath), "breaks no promise"
		},
	} {
		w.open(name)
		w.bonded()
		for range 3 {
			w.anchor()
		}
		before := w.credit()
		refused, slashes, why := breach()
		w.refused(holder, refused, why)
		w.send(holder, []anchor.Planned{slashes}, nil)
		if s := w.state(); !s.Broken || s.Amount.Sign() != 0 {
			t.Errorf("%s: %+v", name, s)
		}
		if got := new(big.Int).Sub(w.credit(), before); got.Cmp(big.NewInt(1e17)) != 0 { // 10 % of an ether
			t.Errorf("%s: credited %d wei", name, got)
		}
		w.wantLive("the bond was slashed")
		w.wantPlans(map[string]string{"fund": "never has another", "unbond": "was slashed", "withdraw": "was slashed", "add": "-", "revoke": ""})
		w.refused(owner, anchor.Planned{What: "fund", To: w.log.PromiseBond, Data: contract.PackFund(w.log.Log), Value: big.NewInt(1)}, "never has another")
		w.refused(holder, slashes, "there is no bond of the log")
	}
	to := proofs.Address{9}
	plan, err := PlanCollect(w.log, to)
	w.send(holder, plan, err)
	if wei, err := w.q.Balance(t.Context(), w.state().Block.Hash, to); err != nil || wei.Cmp(big.NewInt(4e17)) != 0 || w.credit().Sign() != 0 {
		t.Errorf("collected %d, %v", wei, err)
	}
}

// credit is the holder's.
func (w *world) credit() *big.Int {
	w.Helper()
	wei, err := Credits(w.Context(), w.q, w.log, w.state().Block.Hash, holder.Address())
	if err != nil {
		w.Fatal(err)
	}
	return wei
}

// challenges are those of the log, by every block.
func (w *world) challenges(q *nodes.Quorum) []Challenge {
	w.Helper()
	all, err := Challenges(w.Context(), q, w.log, 0, w.state().Block.Number)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// unsigned is the promise as the contract tells it.
func unsigned(p *proofs.Promise) proofs.Promise {
	u := *p
	u.Signature = proofs.Signature{}
	return u
}

// TestChallenges challenges promises of two logs, answers one, concludes another, and asks among liars.
func TestChallenges(t *testing.T) {
	w := newWorld(t)
	w.open("another")
	w.bonded()
	foreign := w.promise(1, leaf(1))
	w.open("challenges")
	w.bonded()
	w.anchor()
	w.anchor()
	w.anchor()
	kept, withheld, never := w.promise(1, leaf(1)), w.promise(3, other), w.promise(2, leaf(2))
	w.refused(holder, PlanChallenge(w.log, kept), "too early: wait until 2")
	w.after(2 * time.Hour)
	if all := w.challenges(w.q); all != nil {
		t.Errorf("before: %+v", all)
	}
	for _, p := range []*proofs.Promise{foreign, kept, withheld} {
		w.send(holder, []anchor.Planned{PlanChallenge(w.log, p)}, nil)
	}
	at := w.state().Block
	want := []Challenge{
		{ID: PromiseID(w.log, kept), Promise: unsigned(kept), Challenger: holder.Address(), Block: at.Number - 1},
		{ID: PromiseID(w.log, withheld), Promise: unsigned(withheld), Challenger: holder.Address(), AnswerBy: at.Time + uint64(AnswerTime/time.Second), Block: at.Number},
	}
	all := w.challenges(w.q)
	want[0].AnswerBy = all[0].AnswerBy
	if diff := cmp.Diff(want, all); diff != "" || all[0].AnswerBy > want[1].AnswerBy || all[0].AnswerBy+60 < want[1].AnswerBy {
		t.Errorf("challenges (-want +got):\n%s", diff)
	}
	w.lies(want, never)
	one := w.liar(func(logs []types.Log) []types.Log {
		if len(logs) > 1 {
			return make([]types.Log, 10_001) // which is no answer
		}
		return logs
	})
	if diff := cmp.Diff(want, w.challenges(w.quorum(one))); diff != "" {
		t.Errorf("a node that shows one event at a time (-want +got):\n%s", diff)
	}
	w.refused(holder, PlanChallenge(w.log, kept), "challenged before")
	unpaid := PlanChallenge(w.log, never)
	unpaid.Value = nil
	w.refused(holder, unpaid, "0 wei are not what the call takes")
	forged := *never
	forged.Index++
	w.refused(holder, PlanChallenge(w.log, &forged), "is not signed by a key that counts")
	if s := w.state(); s.Open != 2 || s.Live(w.key(promiser)) != nil {
		t.Errorf("open: %+v", s)
	}

	b, path, inclusion := w.shown(1)
	w.refused(owner, PlanAnswer(w.log, withheld, b, path, inclusion), "does not confirm")
	w.refused(owner, PlanConclude(w.log, kept), "too early")
	w.send(owner, []anchor.Planned{PlanAnswer(w.log, kept, b, path, inclusion)}, nil)
	w.refused(owner, PlanAnswer(w.log, kept, b, path, inclusion), "no challenge of the promise is open")
	if credit, err := Credits(t.Context(), w.q, w.log, w.state().Block.Hash, owner.Address()); err != nil || credit.Cmp(Deposit()) != 0 {
		t.Errorf("the answer is paid %d, %v", credit, err)
	}
	w.wantOpen(want[1])
	w.after(AnswerTime + time.Second)
	w.refused(owner, PlanAnswer(w.log, withheld, b, path, inclusion), "too late")
	w.send(holder, []anchor.Planned{PlanConclude(w.log, withheld)}, nil)
	if s := w.state(); !s.Broken || s.Open != 0 {
		t.Errorf("concluded: %+v", s)
	}
	for _, c := range w.challenges(w.q) {
		if !c.Closed {
			t.Errorf("open: %+v", c)
		}
	}
}

// wantOpen wants that challenge alone to be open, in windows of each size.
func (w *world) wantOpen(want Challenge) {
	w.Helper()
	s := w.state()
	for _, window := range []uint64{1, 2, 3, 1000} {
		open, err := s.OpenChallenges(w.Context(), w.q, 0, window)
		if diff := cmp.Diff([]Challenge{want}, open); err != nil || diff != "" {
			w.Errorf("window %d: %v (-want +got):\n%s", window, err, diff)
		}
	}
	if open, err := s.OpenChallenges(w.Context(), w.q, want.Block+1, 2); err != nil || open != nil {
		w.Errorf("after its block: %+v, %v", open, err)
	}
	c, err := s.Challenge(w.Context(), w.q, want.ID)
	want.Promise, want.Block = proofs.Promise{}, 0
	if diff := cmp.Diff(&want, c); err != nil || diff != "" {
		w.Errorf("by id: %v (-want +got):\n%s", err, diff)
	}
	if c, err := s.Challenge(w.Context(), w.q, proofs.Hash{1}); c != nil || err != nil {
		w.Errorf("of nothing: %+v, %v", c, err)
	}
}

// lies has one of three nodes hide events or make some up.
func (w *world) lies(want []Challenge, never *proofs.Promise) {
	w.Helper()
	lies := map[string]func(logs []types.Log) []types.Log{
		"hides": func([]types.Log) []types.Log { return nil },
		"makes up a challenge": func(logs []types.Log) []types.Log {
			l := logs[0]
			l.Topics = append([]common.Hash(nil), l.Topics...)
			l.Topics[2] = common.Hash(PromiseID(w.log, never))
			data, err := contract.GetABI().Events["Challenged"].Inputs.NonIndexed().Pack(toPromise(never), common.Address(holder.Address()), big.NewInt(1))
			if err != nil {
				w.Error(err)
			}
			l.Data, l.TxHash = data, common.Hash{1}
			return append([]types.Log{l}, logs...)
		},
		"changes the promise": func(logs []types.Log) []types.Log {
			for i := range logs {
				logs[i].TxHash = common.Hash{byte(i)}
				logs[i].Data[5*32-1] ^= 1 // the beneficiary
			}
			return logs
		},
		"changes the rest": func(logs []types.Log) []types.Log {
			for i := range logs {
				logs[i].TxHash, logs[i].BlockNumber = common.Hash{byte(i)}, 1
				logs[i].Data[6*32-1] ^= 1 // the challenger
				logs[i].Data[7*32-1] ^= 1 // when an answer is due
			}
			return logs
		},
		"garbles": func(logs []types.Log) []types.Log {
			for i := range logs {
				logs[i].TxHash, logs[i].Data = common.Hash{byte(i)}, logs[i].Data[:33]
			}
			return append(logs, types.Log{Address: logs[0].Address, Topics: logs[0].Topics[:2], BlockNumber: 1})
		},
	}
	honest := w.liar(func(logs []types.Log) []types.Log { return logs })
	for name, lie := range lies {
		if diff := cmp.Diff(want, w.challenges(w.quorum(w.url, honest, w.liar(lie)))); diff != "" {
			w.Errorf("a node that %s (-want +got):\n%s", name, diff)
		}
	}
}

// TestExplain: what is no revert of the contract stays as it is.
func TestExplain(t *testing.T) {
	plain := errors.New("no route")
	if Explain(nil) != nil || Explain(plain) != plain {
		t.Error("an error was explained")
	}
	for _, method := range contract.GetABI().Errors {
		args := make([]any, len(method.Inputs))
		for i, in := range method.Inputs {
			switch in.Type.String() {
			case "address":
				args[i] = common.Address{1}
			case "bytes32":
				args[i] = [32]byte{1}
			default:
				args[i] = big.NewInt(1_800_000_000)
			}
		}
		data, err := method.Inputs.Pack(args...)
		if err != nil {
			t.Fatal(err)
		}
		got := Explain(reverted(append(method.ID.Bytes()[:4:4], data...)))
		if text := got.Error(); !strings.HasPrefix(text, "execution reverted: ") || strings.Contains(text, "PromiseBond") || len(text) < 40 || !errors.As(got, new(reverted)) {
			t.Errorf("%s: %v", method.Name, got)
		}
	}
	if got := Explain(reverted{1, 2, 3, 4}); got.Error() != "execution reverted" {
		t.Errorf("an error of another contract: %v", got)
	}
}

// reverted is the error of a node with the data of a revert.
type reverted []byte

func (r reverted) Error() string  { return "execution reverted" }
func (r reverted) ErrorCode() int { return 3 }
func (r reverted) ErrorData() any { return hexutil.Encode(r) }
