package bond

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/proofs"
)

// What follows makes calls that anybody may send for anybody, and judges nothing: the contract does. A path is that of
// the batch in the log's mountain range, an inclusion that of a leaf in its batch.

// PlanSlashConflict shows two promises of different leaves at one index.
func PlanSlashConflict(log proofs.Chain, a, b *proofs.Promise) anchor.Planned {
	return breach(log, "slash: conflict", a, contract.PackSlashConflict(toPromise(a), a.Signature[:], toPromise(b), b.Signature[:]))
}

// PlanSlashSubstitution shows that another leaf stands at the promise's index.
func PlanSlashSubstitution(log proofs.Chain, p *proofs.Promise, other proofs.Hash, batch proofs.Batch, path, inclusion []proofs.Hash) anchor.Planned {
	return breach(log, "slash: substitution", p,
		contract.PackSlashSubstitution(toPromise(p), p.Signature[:], other, toBatch(batch), toHashes(path), toHashes(inclusion)))
}

// PlanSlashMissed shows that the deadline passed before the log reached the promise's index.
func PlanSlashMissed(log proofs.Chain, p *proofs.Promise) anchor.Planned {
	return breach(log, "slash: missed", p, contract.PackSlashMissed(toPromise(p), p.Signature[:]))
}

// PlanSlashLate shows that the batch over the promise's index was anchored after the deadline.
func PlanSlashLate(log proofs.Chain, p *proofs.Promise, batch proofs.Batch, path []proofs.Hash) anchor.Planned {
	return breach(log, "slash: late", p, contract.PackSlashLate(toPromise(p), p.Signature[:], toBatch(batch), toHashes(path)))
}

// PlanChallenge demands the promise's inclusion proof, for a Deposit.
func PlanChallenge(log proofs.Chain, p *proofs.Promise) anchor.Planned {
	planned := breach(log, "challenge", p, contract.PackChallenge(toPromise(p), p.Signature[:]))
	planned.Value = Deposit()
	return planned
}

// PlanAnswer shows the promise's inclusion proof, in a batch in time. The deposit is credited to the sender.
func PlanAnswer(log proofs.Chain, p *proofs.Promise, batch proofs.Batch, path, inclusion []proofs.Hash) anchor.Planned {
	return breach(log, "answer", p, contract.PackAnswer(toPromise(p), toBatch(batch), toHashes(path), toHashes(inclusion)))
}

// PlanConclude ends a challenge that found no answer: the bond is slashed, and the challenger credited its deposit.
func PlanConclude(log proofs.Chain, p *proofs.Promise) anchor.Planned {
	return breach(log, "conclude", p, contract.PackConclude(toPromise(p)))
}

func breach(log proofs.Chain, verb string, p *proofs.Promise, data []byte) anchor.Planned {
	return anchor.Planned{What: fmt.Sprintf("%s, of the promise for index %d", verb, p.Index), To: log.PromiseBond, Data: data}
}

// Explain adds the contract's reason to the error of a call that PromiseBond reverts. It returns any other error as it
// is.
func Explain(err error) error {
	raw, ok := ethclient.RevertErrorData(err)
	if !ok || len(raw) < 4 {
		return err
	}
	reason, unknown := contract.UnpackError(raw)
	if unknown != nil {
		return err
	}
	return fmt.Errorf("%w: %s", err, words(reason))
}

// words says what a revert of the contract means.
func words(reason any) string {
	at := func(seconds *big.Int) string {
		if !seconds.IsUint64() {
			return "a time that never comes"
		}
		return timeText(seconds.Uint64())
	}
	switch r := reason.(type) {
	case *bindings.PromiseBondAlreadyChallenged:
		return "the promise was challenged before, and is challenged only once"
	case *bindings.PromiseBondAlreadyLeaving:
		return "the bond is leaving already, at " + at(r.LeavesAt)
	case *bindings.PromiseBondBadKey:
		return fmt.Sprintf("the key %s is zero or was added before, or, to be revoked, is not active", proofs.Address(r.Key))
	case *bindings.PromiseBondBadProof:
		return "the log does not confirm what is shown: a path grows when batches are anchored, so that it may have to be made again"
	case *bindings.PromiseBondBadSignature:
		return fmt.Sprintf("the promise is not signed by a key that counts for the log: its signer is %s", proofs.Address(r.Signer))
	case *bindings.PromiseBondBadValue:
		return fmt.Sprintf("%d wei are not what the call takes", r.Value)
	case *bindings.PromiseBondBroken:
		return errBroken.Error()
	case *bindings.PromiseBondNoBond:
		return "there is no bond of the log: it was never funded, was withdrawn or was slashed"
	case *bindings.PromiseBondNoBreach:
		return "what is shown breaks no promise"
	case *bindings.PromiseBondNotChallenged:
		return "no challenge of the promise is open"
	case *bindings.PromiseBondNotLeaving:
		return "the bond is not leaving: unbond it first"
	case *bindings.PromiseBondNotOwner:
		return fmt.Sprintf("only the log's owner may, and %s is not", proofs.Address(r.Caller))
	case *bindings.PromiseBondOpenChallenges:
		return fmt.Sprintf("%d challenges are open", r.Count)
	case *bindings.PromiseBondPaymentFailed:
		return fmt.Sprintf("%s takes no ether: name another address", proofs.Address(r.To))
	case *bindings.PromiseBondTooEarly:
		return "it is too early: wait until " + at(r.Time)
	case *bindings.PromiseBondTooLate:
		return "it is too late: the time was over at " + at(r.Time)
	}
	return fmt.Sprintf("%T%+v", reason, reason)
}
