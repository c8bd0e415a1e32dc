package anchor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// The journal of a batch is Sealed.Txs: every transaction that was ever signed for it. What becomes of
// the batch follows from the journal and the chain alone; waiting holds what only saves time.

// waiting is what was seen of a transaction that is not mined, since the start.
type waiting struct {
	since       uint64 // number of the head when it was first sent
	underpriced bool   // a node wants more for its place
}

// journaled is a transaction of a batch's journal.
type journaled struct {
	*types.Transaction
	raw  []byte
	hash proofs.Hash
	from proofs.Address
}

// journal decodes the transactions of a batch, oldest first.
func journal(s *proofs.Sealed) ([]journaled, error) {
	var all []journaled
	for _, raw := range s.Txs {
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(raw); err != nil {
			return nil, fmt.Errorf("decode stored transaction: %w", err)
		}
		from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx)
		if err != nil {
			return nil, fmt.Errorf("recover sender of stored transaction %s: %w", tx.Hash(), err)
		}
		all = append(all, journaled{tx, raw, proofs.Hash(tx.Hash()), proofs.Address(from)})
	}
	return all, nil
}

// open returns, by nonce, the newest transaction of the account for each nonce that is not consumed.
func open(all []journaled, of proofs.Address, nonce uint64) []journaled {
	var newest []journaled
	for _, tx := range all {
		if tx.from != of || tx.Nonce() < nonce {
			continue
		}
		i := slices.IndexFunc(newest, func(o journaled) bool { return o.Nonce() == tx.Nonce() })
		if i < 0 {
			newest = append(newest, tx)
		} else {
			newest[i] = tx
		}
	}
	slices.SortFunc(newest, func(x, y journaled) int { return int(int64(x.Nonce() - y.Nonce())) })
	return newest
}

// repeat sends again what can still be mined of the batch.
func (a *Anchorer) repeat(ctx context.Context, v *view, s *proofs.Sealed) error {
	all, err := journal(s)
	if err != nil {
		return err
	}
	for _, tx := range open(all, v.own(), v.nonce) {
		a.send(ctx, v, s.Number, tx)
	}
	return nil
}

// forget drops what was seen of the batch's transactions.
func (a *Anchorer) forget(s *proofs.Sealed) {
	for _, raw := range s.Txs {
		delete(a.pending, proofs.Keccak(raw))
	}
	delete(a.retry, s.Number)
}

// push sends again what can still be mined, replaces it if it pays too little, or makes the batch's next
// transaction if it is its turn. spent is what its transactions cost that were mined without anchoring it.
func (a *Anchorer) push(ctx context.Context, v *view, s *proofs.Sealed, spent []proofs.Spend) error {
	if !slices.EqualFunc(spent, s.Spent, sameSpend) {
		st := s.Standing()
		st.Spent = spent
		if err := a.set(ctx, s, st); err != nil {
			return err
		}
	}
	all, err := journal(s)
	if err != nil {
		return err
	}
	opened := open(all, v.own(), v.nonce)
	for _, tx := range opened {
		a.send(ctx, v, s.Number, tx)
	}
	if v.waiting || a.cfg.Yield() && !a.urgent(v, s) {
		return nil // an earlier batch comes first, or another transaction
	}
	if len(opened) > 0 {
		gap, err := a.gap(ctx, v, opened[0].Nonce())
		if err != nil {
			return err
		}
		if !gap {
			return a.replace(ctx, v, s, opened[0])
		}
		a.log.Warn("nonce below the transaction's is free", "batch", s.Number, "nonce", v.nonce, "tx_nonce", opened[0].Nonce())
	}
	switch head := v.log; {
	case head.Batches < s.Number:
		return fmt.Errorf("the log holds %d batches on chain and batch %d is due: the nodes are behind, or this is another chain", head.Batches, s.Number)
	case head.Messages != s.First:
		return fmt.Errorf("%w: the log on chain holds %d entries and the batch begins at %d: the store and the log do not belong together; restore the log's newest store", ErrFatal, head.Messages, s.First)
	}
	if err := a.afterReverts(s, spent); err != nil {
		return err
	}
	return a.sendNew(ctx, v, s)
}

// UnderWay reports whether a transaction of the batch may yet be mined, as of a block.
func UnderWay(ctx context.Context, q *nodes.Quorum, at proofs.Hash, s *proofs.Sealed) (bool, error) {
	all, err := journal(s)
	if err != nil || s.State >= proofs.StateIncluded {
		return false, err
	}
	for _, tx := range all {
		nonce, err := q.Nonce(ctx, at, tx.from)
		if err != nil || tx.Nonce() >= nonce {
			return err == nil, err
		}
	}
	return false, nil
}

// gap reports whether nobody's transaction fills the account's next nonce, so that one with the nonce
// lowest waits for ever: a reorg dropped what was before it. The batch then fills it itself. Should both
// be mined, the contract reverts the second.
func (a *Anchorer) gap(ctx context.Context, v *view, lowest uint64) (bool, error) {
	if lowest == v.nonce {
		return false, nil
	}
	pending, err := a.cfg.Nodes.PendingNonce(ctx, v.own())
	return err == nil && pending <= v.nonce, err
}

const (
	firstPause = time.Minute
	lastPause  = time.Hour
)

// pause is until when a batch is held back after so many reverted transactions.
type pause struct {
	reverts int
	until   time.Time
}

// afterReverts holds a batch back whose transactions are mined and revert, for a minute after the second,
// twice as long after each more, up to an hour. One alone is what another transaction before it may do.
func (a *Anchorer) afterReverts(s *proofs.Sealed, spent []proofs.Spend) error {
	n := len(spent)
	if n < 2 {
		return nil
	}
	p, ok := a.retry[s.Number]
	if !ok || p.reverts != n {
		p = pause{n, time.Now().Add(min(firstPause<<min(n-2, 6), lastPause))}
		a.retry[s.Number] = p
	}
	if time.Now().Before(p.until) {
		return &hold{Reverted, fmt.Sprintf("%d transactions were mined and reverted; the next is sent at %s", n, p.until.UTC().Format(time.TimeOnly))}
	}
	return nil
}

// anchorCall is the call that anchors the batch.
func (a *Anchorer) anchorCall(b proofs.Batch) []byte {
	return contract.PackAnchor(a.cfg.Log.Log, new(big.Int).SetUint64(b.Number), b.Root, new(big.Int).SetUint64(b.Size), b.CID)
}

// sendNew signs, stores and sends a transaction of the batch with the account's next nonce.
func (a *Anchorer) sendNew(ctx context.Context, v *view, s *proofs.Sealed) error {
	p, err := a.quote(ctx, v, a.mustPay(v, s))
	if err != nil {
		return err
	}
	tx, err := a.build(ctx, v, s, p)
	var r *refusal
	if errors.As(err, &r) && r.takes(s.Number+1) {
		if a.ahead != v.head.Hash { // once: the head that has it may be a block away
			a.ahead = v.head.Hash
			a.log.Info("batch is anchored already: looking for it", "batch", s.Number)
			a.Wake()
		}
		return nil
	}
	if err != nil {
		return err
	}
	return a.sign(ctx, v, s, tx)
}

// txData is a transaction that is not signed.
type txData = *types.DynamicFeeTx

// build makes a transaction that anchors the batch with the account's next nonce.
func (a *Anchorer) build(ctx context.Context, v *view, s *proofs.Sealed, p price) (txData, error) {
	data := a.anchorCall(s.Batch)
	gas, err := a.gas(ctx, v, data)
	if err != nil {
		return nil, explain(err)
	}
	to := common.Address(a.cfg.Log.AnchorLog)
	return &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(a.cfg.Log.ChainID), Nonce: v.nonce, GasTipCap: p.tip, GasFeeCap: p.fee,
		Gas: gas, To: &to, Data: data,
	}, nil
}

// maxGas is more than a transaction may take on any chain; a larger estimate is a mistake or a lie.
const maxGas = 1 << 40

// gas returns the limit of a transaction with that call: a quarter over the estimate, which is of another
// block than the one that mines it.
func (a *Anchorer) gas(ctx context.Context, v *view, data []byte) (uint64, error) {
	gas, err := a.cfg.Nodes.EstimateGas(ctx, v.own(), a.cfg.Log.AnchorLog, nil, data)
	if err == nil && gas > maxGas {
		err = fmt.Errorf("the nodes estimate %d gas for an anchor, which no chain takes", gas)
	}
	return gas + gas/4, err
}

// replace signs the batch's transaction anew, for the same nonce and with a higher fee, if it waits
// because of its fee: the base fee is over its cap, a node wants more, or it waits for too long.
func (a *Anchorer) replace(ctx context.Context, v *view, s *proofs.Sealed, tx journaled) error {
	w := a.pending[tx.hash]
	outpriced := v.head.BaseFee != nil && tx.GasFeeCap().Cmp(v.head.BaseFee) < 0
	if outpriced && w != nil {
		w.since = v.head.Number // its turn begins when it can be mined
	}
	stuck := w != nil && (w.underpriced || v.head.Number >= w.since+a.cfg.Patience)
	if !outpriced && !stuck {
		return nil
	}
	p, err := a.raise(ctx, v, a.mustPay(v, s), tx, w != nil && w.underpriced)
	if err != nil {
		return err
	}
	gas, err := a.gas(ctx, v, tx.Data())
	if err != nil { // the nodes may have it mined already
		gas = tx.Gas()
	}
	err = a.sign(ctx, v, s, &types.DynamicFeeTx{
		ChainID: tx.ChainId(), Nonce: tx.Nonce(), GasTipCap: p.tip, GasFeeCap: p.fee, Gas: gas, To: tx.To(), Data: tx.Data(),
	})
	if err == nil {
		a.counts.replaced.Add(1)
	}
	return err
}

// sign holds the transaction against money and caps, has it signed, stores and sends it.
func (a *Anchorer) sign(ctx context.Context, v *view, s *proofs.Sealed, data txData) error {
	if err := a.afford(ctx, v, data); err != nil {
		return err
	}
	tx, err := v.signer.SignTx(ctx, types.NewTx(data), data.ChainID)
	if err != nil {
		return fmt.Errorf("%w: %w", errSigner, err)
	}
	if err := checkSigned(tx, data, v.own()); err != nil {
		return err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode transaction: %w", err)
	}
	// A crash before SaveTx has sent nothing; a crash after it finds these bytes and sends them.
	if err := a.cfg.Store.SaveTx(ctx, s.Number, raw); err != nil {
		return fmt.Errorf("%w: transaction: %w", errStore, err)
	}
	s.Txs, s.State = append(s.Txs, raw), proofs.StateSubmitted
	a.counts.sent.Add(1)
	a.log.Info("transaction signed", "batch", s.Number, "tx", tx.Hash().Hex(), "nonce", tx.Nonce(),
		"gas", tx.Gas(), "max_fee", tx.GasFeeCap(), "max_tip", tx.GasTipCap())
	a.send(ctx, v, s.Number, journaled{tx, raw, proofs.Hash(tx.Hash()), v.own()})
	return nil
}

// checkSigned refuses a signer's transaction that is not the one that it was asked to sign: the nonce and
// the money are the account's.
func checkSigned(tx *types.Transaction, data txData, from proofs.Address) error {
	if tx == nil {
		return fmt.Errorf("%w: the signer returned none", errSigner)
	}
	rules := types.LatestSignerForChainID(data.ChainID)
	if rules.Hash(tx) != rules.Hash(types.NewTx(data)) {
		return fmt.Errorf("%w: the signer changed the transaction", errSigner)
	}
	if by, err := types.Sender(rules, tx); err != nil || proofs.Address(by) != from {
		return fmt.Errorf("%w: the signature is not of %s", errSigner, from)
	}
	return nil
}

// send broadcasts. What nodes answer says nothing for certain, so that the next rounds look.
func (a *Anchorer) send(ctx context.Context, v *view, number uint64, tx journaled) {
	w := a.pending[tx.hash]
	if w == nil {
		w = &waiting{since: v.head.Number}
		a.pending[tx.hash] = w
	}
	err := a.cfg.Nodes.Send(ctx, tx.raw)
	w.underpriced = nodes.Refused(err, "underpriced")
	if err != nil {
		a.log.Warn("transaction not taken by the nodes", "batch", number, "tx", tx.Hash().Hex(), "err", err)
	}
}

func sameSpend(x, y proofs.Spend) bool {
	return x.Tx == y.Tx && x.Time == y.Time && x.Gas == y.Gas && x.Wei.Cmp(y.Wei) == 0
}

// refusal is the contract's answer to a call that it reverts.
type refusal struct {
	text   string
	reason any // of package bindings
	err    error
}

func (r *refusal) Error() string { return r.text + ": " + r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// takes reports whether the contract takes that batch next, or a later one.
func (r *refusal) takes(number uint64) bool {
	o, ok := r.reason.(*bindings.AnchorLogOutOfOrder)
	return ok && o.Next.Cmp(new(big.Int).SetUint64(number)) >= 0
}

// explain adds the contract's reason to the error of a call that it would revert.
func explain(err error) error {
	raw, ok := ethclient.RevertErrorData(err)
	if !ok || len(raw) < 4 {
		return err
	}
	reason, unknown := contract.UnpackError(raw)
	if unknown != nil {
		return err
	}
	switch r := reason.(type) {
	case *bindings.AnchorLogOutOfOrder:
		return &refusal{fmt.Sprintf("the log takes batch %d now", r.Next), r, err}
	case *bindings.AnchorLogTaken:
		return &refusal{"the log is open", r, err}
	case *bindings.AnchorLogNotSubmitter, *bindings.AnchorLogNotOwner: // look tells who is, by a quorum
		return &refusal{fmt.Sprintf("the contract refuses the call with %T%+v", r, r), r, err}
	default: // BadSize, Full: the same call never succeeds
		return fmt.Errorf("%w: the contract refuses the call with %T%+v: %w", ErrFatal, r, r, err)
	}
}
