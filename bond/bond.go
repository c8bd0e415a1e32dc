package bond

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// The contract's constants.
const (
	UnbondingTime = 14 * 24 * time.Hour
	AnswerTime    = 3 * 24 * time.Hour
	RewardPercent = 10
)

// MaxDeadline is how far away the deadline of a promise may be that is accepted: half of UnbondingTime, so
// that a week is left to look.
const MaxDeadline = UnbondingTime / 2

// Deposit returns what a challenge costs until it is closed, in wei: 0.01 ether.
func Deposit() *big.Int { return big.NewInt(1e16) }

var contract = bindings.NewPromiseBond()

func initcode(anchorLog proofs.Address) []byte {
	code := common.FromHex(bindings.PromiseBondMetaData.Bin)
	return append(code, contract.PackConstructor(common.Address(anchorLog))...)
}

// Address returns where the PromiseBond of that AnchorLog is on every chain. It commits to the code.
func Address(anchorLog proofs.Address) proofs.Address {
	return proofs.Address(crypto.CreateAddress2(common.Address(anchor.ProxyAddress()), common.Hash{}, crypto.Keccak256(initcode(anchorLog))))
}

// State is what a chain holds of a log's bond, all of it at one block.
type State struct {
	Log      proofs.Chain
	Block    nodes.Block    // the newest
	Deployed bool           // there is code at Log.PromiseBond
	Ours     bool           // it is the PromiseBond of this version for Log.AnchorLog, which is that of this version too
	Owner    proofs.Address // of the log; zero: it was never opened
	Amount   *big.Int       // wei
	LeavesAt uint64         // seconds; 0: it does not leave
	Open     uint32         // challenges
	Broken   bool           // it was slashed
}

// Read reads the bond of the log. Where the contract is missing or is another, there is no more to read, and
// that is no error.
func Read(ctx context.Context, q *nodes.Quorum, log proofs.Chain) (*State, error) {
	b, err := q.Head(ctx)
	if err != nil {
		return nil, err
	}
	return ReadAt(ctx, q, log, *b)
}

// ReadAt is Read at a block.
func ReadAt(ctx context.Context, q *nodes.Quorum, log proofs.Chain, b nodes.Block) (*State, error) {
	s := &State{Log: log, Block: b, Amount: new(big.Int)}
	if log.PromiseBond.IsZero() {
		return s, nil
	}
	code, err := q.Code(ctx, b.Hash, log.PromiseBond)
	if err != nil {
		return nil, fmt.Errorf("read the code of the bond: %w", err)
	}
	s.Deployed, s.Ours = len(code) > 0, isOurs(code, log.AnchorLog)
	if !s.Ours {
		return s, nil
	}
	if code, err = q.Code(ctx, b.Hash, log.AnchorLog); err != nil {
		return nil, fmt.Errorf("read the code of the log's contract: %w", err)
	}
	if s.Ours = anchor.IsOurs(code); !s.Ours {
		return s, nil
	}
	if s.Owner, err = anchor.ReadOwner(ctx, q, log, b.Hash); err != nil {
		return nil, err
	}
	out, err := q.Call(ctx, b.Hash, log.PromiseBond, contract.PackBonds(log.Log))
	if err != nil {
		return nil, fmt.Errorf("read the bond of log %s: %w", log.Log, err)
	}
	v, err := contract.UnpackBonds(out)
	if err != nil {
		return nil, fmt.Errorf("read the bond of log %s: %w", log.Log, err)
	}
	s.Amount, s.LeavesAt, s.Open, s.Broken = v.Amount, v.LeavesAt, v.Open, v.Broken
	return s, nil
}

// constructorSize is how much of the creation code is before the code that it returns, in bytes. TestStates holds it
// against a deployment.
const constructorSize = 195

// isOurs reports whether deployed code is what our creation code returns for that AnchorLog: its own end, with
// the address in every place of the immutable.
func isOurs(code []byte, anchorLog proofs.Address) bool {
	const push32 = 0x7f
	was, is := append([]byte{push32}, make([]byte, 32)...), append([]byte{push32}, common.LeftPadBytes(anchorLog[:], 32)...)
	return bytes.Equal(code, bytes.ReplaceAll(common.FromHex(bindings.PromiseBondMetaData.Bin)[constructorSize:], was, is))
}

// Key says until when the promises of a signer count, in seconds.
type Key struct {
	Address proofs.Address
	Until   uint64 // 0: never added; math.MaxUint64: active
}

// Active reports whether the key was added and not revoked.
func (k Key) Active() bool { return k.Until == math.MaxUint64 }

// Key reads until when the promises of that signer count. The bond must be Ours.
func (s *State) Key(ctx context.Context, q *nodes.Quorum, signer proofs.Address) (Key, error) {
	k := Key{Address: signer}
	out, err := q.Call(ctx, s.Block.Hash, s.Log.PromiseBond, contract.PackKeys(s.Log.Log, common.Address(signer)))
	if err != nil {
		return k, fmt.Errorf("read promise key %s: %w", signer, err)
	}
	until, err := contract.UnpackKeys(out)
	if err != nil {
		return k, fmt.Errorf("read promise key %s: %w", signer, err)
	}
	if k.Until = math.MaxUint64; until.IsUint64() {
		k.Until = until.Uint64()
	}
	return k, nil
}

// ErrNotBacked is wrapped by the errors of Live and Accept: breaking the promise may cost nothing.
var ErrNotBacked = errors.New("nothing enforceable stands behind the promise")

// Live returns an error unless promises of that key are backed: the bond is there, funded, not broken and not
// leaving, and the key is active.
func (s *State) Live(key Key) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrNotBacked, fmt.Sprintf(format, args...))
	}
	switch {
	case s.Log.PromiseBond.IsZero():
		return fail("the log has no bond")
	case !s.Deployed:
		return fail("there is no contract at %s on chain %d", s.Log.PromiseBond, s.Log.ChainID)
	case !s.Ours:
		return fail("the contract at %s is not the PromiseBond of this version for an AnchorLog of this version at %s", s.Log.PromiseBond, s.Log.AnchorLog)
	case s.Broken:
		return fail("the bond was slashed")
	case s.Amount.Sign() == 0:
		return fail("the bond is empty")
	case s.LeavesAt != 0:
		return fail("the bond leaves at %s", timeText(s.LeavesAt))
	case key.Until == 0:
		return fail("%s is no promise key of the bond", key.Address)
	case !key.Active():
		return fail("the promise key %s was revoked", key.Address)
	}
	return nil
}

// Check reads what stands behind a promise at the newest block, and returns an error that wraps ErrNotBacked unless
// the promise is to be accepted by the rule of docs/contracts.md. Which log it is of, and whether Amount is worth more to
// the operator than breaking it, is for the caller to say. State is nil if the nodes do not answer.
func Check(ctx context.Context, q *nodes.Quorum, log proofs.Chain, p *proofs.Promise) (*State, error) {
	signer, err := proofs.Recover(log.PromiseDomain().PromiseDigest(p), p.Signature)
	if err != nil {
		return nil, fmt.Errorf("check promise: %w", err)
	}
	s, err := Read(ctx, q, log)
	if err != nil {
		return nil, err
	}
	key := Key{Address: signer}
	if s.Ours {
		if key, err = s.Key(ctx, q, signer); err != nil {
			return nil, err
		}
	}
	return s, s.Accept(p, key)
}

// Accept returns an error unless the promise, signed by key, is to be accepted at the state's block: the bond
// is live, and the deadline is no more than MaxDeadline away.
func (s *State) Accept(p *proofs.Promise, key Key) error {
	if err := s.Live(key); err != nil {
		return err
	}
	if latest := s.Block.Time + uint64(MaxDeadline/time.Second); p.Deadline > latest {
		return fmt.Errorf("%w: the deadline is more than %d days away, and the bond may be gone before it can be claimed",
			ErrNotBacked, MaxDeadline/(24*time.Hour))
	}
	return nil
}
