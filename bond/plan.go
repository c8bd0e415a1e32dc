package bond

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// The plans of a State return nothing where nothing is to do, and an error where the contract would revert the call
// at that state. All but PlanDeploy take effect only from the log's owner.

// PlanDeploy returns what puts the PromiseBond of the log's AnchorLog at Address: nothing if it is there.
func (s *State) PlanDeploy(ctx context.Context, q *nodes.Quorum) ([]anchor.Planned, error) {
	log := s.Log
	switch {
	case log.PromiseBond.IsZero():
		return nil, errors.New("deploy PromiseBond: the log has no bond")
	case s.Ours, s.Deployed && log.PromiseBond == Address(log.AnchorLog): // nothing else can be there
		return nil, nil
	case log.PromiseBond != Address(log.AnchorLog):
		return nil, fmt.Errorf("deploy PromiseBond: that of this version for AnchorLog %s has the address %s and not %s",
			log.AnchorLog, Address(log.AnchorLog), log.PromiseBond)
	}
	proxy, err := q.Code(ctx, s.Block.Hash, anchor.ProxyAddress())
	if err != nil {
		return nil, err
	}
	if len(proxy) == 0 {
		return nil, fmt.Errorf("deploy PromiseBond: chain %d has no deployment proxy at %s: deploy that first", log.ChainID, anchor.ProxyAddress())
	}
	return []anchor.Planned{{
		What: fmt.Sprintf("deploy PromiseBond at %s", log.PromiseBond),
		To:   anchor.ProxyAddress(), Data: append(make([]byte, 32), initcode(log.AnchorLog)...),
	}}, nil
}

// usable returns an error unless the bond is there, of a log that somebody owns.
func (s *State) usable() error {
	log := s.Log
	switch {
	case log.PromiseBond.IsZero():
		return errors.New("the log has no bond: its promises name none")
	case !s.Deployed:
		return fmt.Errorf("there is no contract at %s on chain %d: deploy it first", log.PromiseBond, log.ChainID)
	case !s.Ours:
		return fmt.Errorf("the contract at %s on chain %d is not the PromiseBond of this version for an AnchorLog of this version at %s", log.PromiseBond, log.ChainID, log.AnchorLog)
	case s.Owner.IsZero():
		return fmt.Errorf("log %s was never opened", log.Log)
	}
	return nil
}

// call is a call of the bond, or the error of usable or cannot after what it was to do.
func (s *State) call(what string, data []byte, value *big.Int, cannot error) ([]anchor.Planned, error) {
	if err := s.usable(); err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if cannot != nil {
		return nil, fmt.Errorf("%s: %w", what, cannot)
	}
	return []anchor.Planned{{What: what, To: s.Log.PromiseBond, Data: data, Value: value}}, nil
}

var errBroken = errors.New("the bond was slashed, and the log never has another")

// PlanFund returns what adds that many wei to the bond. Owner must send it.
func (s *State) PlanFund(wei *big.Int) ([]anchor.Planned, error) {
	var cannot error
	switch {
	case s.Broken:
		cannot = errBroken
	case wei.Sign() <= 0:
		cannot = errors.New("the amount must be above zero")
	case wei.BitLen() > 128:
		cannot = errors.New("the amount is more than there is of any coin")
	}
	return s.call("fund the bond of log "+s.Log.Log.String(), contract.PackFund(s.Log.Log), new(big.Int).Set(wei), cannot)
}

// PlanAddKey returns what makes the address a promise key: nothing if it is active. A key that was revoked can never be
// added again.
func (s *State) PlanAddKey(key Key) ([]anchor.Planned, error) {
	var cannot error
	switch {
	case key.Address.IsZero():
		cannot = errors.New("the zero address signs nothing")
	case key.Until != 0 && !key.Active():
		cannot = errors.New("it was revoked, and a revoked key is never added again: use a new one")
	case key.Active() && s.usable() == nil:
		return nil, nil
	}
	return s.call(fmt.Sprintf("add the promise key %s", key.Address), contract.PackAddKey(s.Log.Log, common.Address(key.Address)), nil, cannot)
}

// PlanRevokeKey returns what ends a promise key, UnbondingTime after it is mined: nothing if it was revoked.
func (s *State) PlanRevokeKey(key Key) ([]anchor.Planned, error) {
	var cannot error
	switch {
	case key.Until == 0:
		cannot = errors.New("it was never added")
	case !key.Active() && s.usable() == nil:
		return nil, nil
	}
	return s.call(fmt.Sprintf("revoke the promise key %s", key.Address), contract.PackRevokeKey(s.Log.Log, common.Address(key.Address)), nil, cannot)
}

// PlanUnbond returns what lets the bond leave, UnbondingTime after it is mined: nothing if it is leaving.
func (s *State) PlanUnbond() ([]anchor.Planned, error) {
	var cannot error
	switch {
	case s.Broken:
		cannot = errBroken
	case s.Amount.Sign() == 0:
		cannot = errors.New("the bond is empty")
	case s.LeavesAt != 0 && s.usable() == nil:
		return nil, nil
	}
	return s.call("unbond log "+s.Log.Log.String(), contract.PackUnbond(s.Log.Log), nil, cannot)
}

// PlanWithdraw returns what pays the bond to an address, which must take ether.
func (s *State) PlanWithdraw(to proofs.Address) ([]anchor.Planned, error) {
	var cannot error
	switch {
	case to.IsZero():
		cannot = errors.New("nobody holds the zero address")
	case s.Broken:
		cannot = errBroken
	case s.Amount.Sign() == 0:
		cannot = errors.New("the bond is empty")
	case s.LeavesAt == 0:
		cannot = fmt.Errorf("the bond is not leaving: unbond it first, and wait %d days", UnbondingTime/(24*time.Hour))
	case s.Block.Time < s.LeavesAt:
		cannot = fmt.Errorf("the bond leaves at %s", timeText(s.LeavesAt))
	case s.Open != 0:
		cannot = fmt.Errorf("%d challenges are open: answer them, or wait until they are concluded", s.Open)
	}
	return s.call(fmt.Sprintf("withdraw the bond of log %s to %s", s.Log.Log, to), contract.PackWithdraw(s.Log.Log, common.Address(to)), nil, cannot)
}

// PlanCollect returns what pays the sender's credit in the log's bond to an address, which must take ether. Credits says
// whether there is any.
func PlanCollect(log proofs.Chain, to proofs.Address) ([]anchor.Planned, error) {
	switch {
	case log.PromiseBond.IsZero():
		return nil, errors.New("collect: the log has no bond")
	case to.IsZero():
		return nil, errors.New("collect: nobody holds the zero address")
	}
	return []anchor.Planned{{
		What: fmt.Sprintf("collect from the bond to %s", to),
		To:   log.PromiseBond, Data: contract.PackCollect(common.Address(to)),
	}}, nil
}

// Credits reads what the log's bond owes an account, in wei, at a block.
func Credits(ctx context.Context, q *nodes.Quorum, log proofs.Chain, at proofs.Hash, account proofs.Address) (*big.Int, error) {
	out, err := q.Call(ctx, at, log.PromiseBond, contract.PackCredits(common.Address(account)))
	if err != nil {
		return nil, fmt.Errorf("read credit of %s: %w", account, err)
	}
	wei, err := contract.UnpackCredits(out)
	if err != nil {
		return nil, fmt.Errorf("read credit of %s: no PromiseBond contract at %s: %w", account, log.PromiseBond, err)
	}
	return wei, nil
}

// timeText is a contract's time for people.
func timeText(seconds uint64) string {
	return time.Unix(int64(min(seconds, math.MaxInt32*8)), 0).UTC().Format(time.RFC3339)
}
