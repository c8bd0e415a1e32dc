package anchor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// ErrOverCap is the error of Do when a transaction may cost more than is left of what it was given. That
// transaction was not signed.
var ErrOverCap = errors.New("over the cap")

// Wallet sends the few transactions that set a log up, of one account on one chain. Each of its methods that
// writes asks the nodes for their chain id first.
type Wallet struct {
	Nodes   *nodes.Quorum
	ChainID uint64
	Signer  Signer
	Fees    Fees
	DataFee proofs.Address // the OP stack's GasPriceOracle; zero: the chain charges nothing for data
	Most    *big.Int       // that Deploy and OpenLog may cost each, in wei, in the worst case; nil: no cap
	Raise   int            // how often what a new transaction offers is raised by an eighth, to replace one that waits
	Blind   bool           // a call with Planned.Gas is sent although nodes say that it reverts: some estimate on top of their pool
	Poll    time.Duration  // between looks for a transaction's receipt; zero: 3 s
}

// Price is what a transaction costs at the fees of one block, in wei and wei per unit of gas.
type Price struct {
	Block   proofs.Hash
	Gas     uint64 // that the call uses
	Limit   uint64 // that is signed
	BaseFee *big.Int
	Tip     *big.Int
	FeeCap  *big.Int
	DataFee *big.Int // at most, of a chain of the OP stack now; zero elsewhere
	Value   *big.Int // that the call carries: no cost, but the account must hold it
}

// Likely is the cost at the block's own fees.
func (p *Price) Likely() *big.Int {
	c := worst(p.Gas, new(big.Int).Add(p.BaseFee, p.Tip))
	return c.Add(c, p.DataFee)
}

// Worst is the most that a transaction at this price takes from the account. The data fee counts twice: the
// price of data on L1 rises by an eighth a block at most, and seven blocks are more than a minute.
func (p *Price) Worst() *big.Int {
	c := worst(p.Limit, p.FeeCap)
	return c.Add(c, new(big.Int).Lsh(p.DataFee, 1))
}

// Price asks what the planned transaction costs now, with the wallet's account as the sender. It signs nothing.
func (w *Wallet) Price(ctx context.Context, p Planned) (*Price, error) {
	price, err := w.price(ctx, p, p.Gas == 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.What, err)
	}
	return price, nil
}

// price asks what a call costs at the newest block, with the node's estimate of its gas or the planned one.
func (w *Wallet) price(ctx context.Context, call Planned, estimate bool) (*Price, error) {
	if err := w.checkChain(ctx); err != nil {
		return nil, err
	}
	head, err := w.Nodes.Head(ctx)
	if err != nil {
		return nil, err
	}
	p := &Price{Block: head.Hash, Gas: call.Gas, BaseFee: head.BaseFee, DataFee: new(big.Int), Value: new(big.Int)}
	if call.Value != nil {
		p.Value = call.Value
	}
	offer, err := quote(ctx, w.Nodes, head.BaseFee, w.Fees, false)
	var h *hold
	if errors.As(err, &h) {
		err = fmt.Errorf("%w: %w", ErrOverCap, err)
	}
	if err != nil {
		return nil, err
	}
	p.Tip, p.FeeCap = w.raise(offer)
	if estimate {
		p.Gas, err = w.Nodes.EstimateGas(ctx, w.Signer.Address(), call.To, call.Value, call.Data)
		if _, reverts := ethclient.RevertErrorData(err); reverts && w.Blind && call.Gas > 0 {
			p.Gas, err = call.Gas, nil
		}
		if err != nil {
			return nil, explain(err)
		}
	}
	p.Limit = p.Gas + p.Gas/4 // the estimate is of another block than the one that mines it
	if !w.DataFee.IsZero() {
		p.DataFee, err = dataFee(ctx, w.Nodes, head.Hash, w.DataFee, len(call.Data))
	}
	return p, err
}

// raise returns what the wallet offers, within the cap.
func (w *Wallet) raise(offer price) (tip, fee *big.Int) {
	tip, fee = offer.tip, offer.fee
	for range w.Raise {
		tip, fee = raised(tip), raised(fee)
	}
	if limit := new(big.Int).SetUint64(w.Fees.MaxFee); limit.Sign() > 0 && fee.Cmp(limit) > 0 {
		fee = limit
	}
	if tip.Cmp(fee) > 0 {
		tip = fee
	}
	return tip, fee
}

// sign has the transaction signed and checks that it was, and is no other.
func (w *Wallet) sign(ctx context.Context, data *types.DynamicFeeTx) (*types.Transaction, error) {
	tx, err := w.Signer.SignTx(ctx, types.NewTx(data), data.ChainID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSigner, err)
	}
	return tx, checkSigned(tx, data, w.Signer.Address())
}

func (w *Wallet) checkChain(ctx context.Context) error {
	id, err := w.Nodes.ChainID(ctx)
	if err != nil && !errors.Is(err, nodes.ErrOtherChain) {
		return err
	}
	if id != w.ChainID {
		return fmt.Errorf("%w: the nodes are on chain %d and the configuration says %d: correct one of them", ErrFatal, id, w.ChainID)
	}
	return nil
}

// Paid is what a mined transaction cost.
type Paid struct {
	Tx    proofs.Hash
	Block uint64
	Gas   uint64
	Wei   *big.Int // with the data fee of a chain of the OP stack
}

// Do sends the planned transactions, each when the one before it is mined, and tells done what each cost.
// Before it signs one, its worst case and what the earlier ones cost, without the ether that they carry, must be within most, in wei: else
// the error is ErrOverCap. A nil most is no cap. Doing a plan again after an error is safe: plan again first.
func (w *Wallet) Do(ctx context.Context, plan []Planned, most *big.Int, done func(Planned, *Paid)) error {
	spent := new(big.Int)
	for _, p := range plan {
		var left *big.Int
		if most != nil {
			left = new(big.Int).Sub(most, spent)
		}
		paid, err := w.transact(ctx, p, left)
		if paid != nil {
			done(p, paid)
			spent.Add(spent, paid.Wei)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p.What, err)
		}
	}
	return nil
}

// Deploy makes sure that AnchorLog is at ContractAddress, and waits until it is mined. It sends nothing
// if the contract is there.
func (w *Wallet) Deploy(ctx context.Context) (proofs.Address, error) {
	log := proofs.Chain{ChainID: w.ChainID, AnchorLog: ContractAddress()}
	if err := w.checkChain(ctx); err != nil {
		return log.AnchorLog, err
	}
	s, err := ReadSite(ctx, w.Nodes, log)
	if err != nil {
		return log.AnchorLog, err
	}
	plan, err := s.PlanDeploy()
	if err != nil {
		return log.AnchorLog, err
	}
	if err := w.Do(ctx, plan, w.Most, func(Planned, *Paid) {}); err != nil {
		return log.AnchorLog, err
	}
	if s, err = ReadSite(ctx, w.Nodes, log); err == nil && !s.Ours {
		err = fmt.Errorf("deploy AnchorLog: no code at %s after the transaction", log.AnchorLog)
	}
	return log.AnchorLog, err
}

// OpenLog makes sure that the wallet's log of that salt is open with the submitter, and waits until it is
// mined. It sends nothing if the log is open, and returns an error if that one has another submitter.
func (w *Wallet) OpenLog(ctx context.Context, anchorLog proofs.Address, salt proofs.Hash, submitter proofs.Address) (proofs.Hash, error) {
	log := proofs.Chain{ChainID: w.ChainID, AnchorLog: anchorLog, Log: proofs.LogID(w.Signer.Address(), salt)}
	if err := w.checkChain(ctx); err != nil {
		return log.Log, err
	}
	s, err := ReadSite(ctx, w.Nodes, log)
	if err != nil {
		return log.Log, err
	}
	if !s.Ours {
		return log.Log, fmt.Errorf("open log %s: no AnchorLog contract of this version at %s", log.Log, anchorLog)
	}
	plan, err := s.PlanOpen(salt, submitter)
	if err != nil {
		return log.Log, err
	}
	return log.Log, w.Do(ctx, plan, w.Most, func(Planned, *Paid) {})
}

// transact sends a transaction and waits until it is mined, sending the same bytes again meanwhile. A
// reverted one cost money, too: then it returns what, and an error.
func (w *Wallet) transact(ctx context.Context, p Planned, most *big.Int) (*Paid, error) {
	price, err := w.price(ctx, p, true)
	if err != nil {
		return nil, err
	}
	worst := price.Worst()
	if most != nil && worst.Cmp(most) > 0 {
		return nil, fmt.Errorf("%w: it may cost %s and %s are left", ErrOverCap, ether(worst), ether(most))
	}
	from := w.Signer.Address()
	balance, err := w.Nodes.Balance(ctx, price.Block, from)
	if err != nil {
		return nil, err
	}
	if needs := new(big.Int).Add(worst, price.Value); balance.Cmp(needs) < 0 {
		return nil, fmt.Errorf("%s holds %s and the transaction may take %s: send it funds", from, ether(balance), ether(needs))
	}
	nonce, err := w.Nodes.Nonce(ctx, price.Block, from)
	if err != nil {
		return nil, err
	}
	tx, err := w.sign(ctx, &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(w.ChainID), Nonce: nonce, GasTipCap: price.Tip, GasFeeCap: price.FeeCap,
		Gas: price.Limit, To: (*common.Address)(&p.To), Value: price.Value, Data: p.Data,
	})
	if err != nil {
		return nil, err
	}
	raw, err := tx.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode transaction: %w", err)
	}
	r, err := w.mined(ctx, proofs.Hash(tx.Hash()), nonce, raw)
	if err != nil {
		return nil, err
	}
	return w.paid(r)
}

// lostLooks is how often a consumed nonce may be seen without the transaction's receipt before it counts as lost:
// nodes show the state of a new block before they find the receipts in it.
const lostLooks = 5

// mined waits for the transaction's receipt.
func (w *Wallet) mined(ctx context.Context, tx proofs.Hash, nonce uint64, raw []byte) (*nodes.TxReceipt, error) {
	poll := w.Poll
	if poll == 0 {
		poll = defaultPoll
	}
	for gone := 0; ; {
		sendErr := w.Nodes.Send(ctx, raw)
		used, nonceErr := w.nonce(ctx) // before the look: consumed and not found is then lost
		r, err := w.Nodes.TxReceipt(ctx, tx)
		if errors.Is(err, nodes.ErrNotFound) && nonceErr == nil && used > nonce {
			gone++
		}
		switch {
		case err == nil:
			return r, nil
		case gone == lostLooks:
			return nil, fmt.Errorf("transaction %s lost its nonce %d to another of the account: try again", tx, nonce)
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("transaction %s was not mined yet: %w", tx, errors.Join(ctx.Err(), sendErr))
		case <-timer.C:
		}
	}
}

// nonce returns the account's lowest nonce that is not consumed. What the nodes have pending is not asked
// for: that lags behind blocks and reorgs, and one too high leaves a gap that nothing fills.
func (w *Wallet) nonce(ctx context.Context) (uint64, error) {
	head, err := w.Nodes.Head(ctx)
	if err != nil {
		return 0, err
	}
	return w.Nodes.Nonce(ctx, head.Hash, w.Signer.Address())
}

// paid returns what a mined transaction cost, and an error, too, if it reverted.
func (w *Wallet) paid(r *nodes.TxReceipt) (*Paid, error) {
	if r.Price == nil {
		return nil, fmt.Errorf("read receipt of transaction %s: its price is missing", r.Tx)
	}
	p := &Paid{Tx: r.Tx, Block: r.BlockNumber, Gas: r.GasUsed}
	p.Wei = new(big.Int).Mul(r.Price, new(big.Int).SetUint64(r.GasUsed))
	if r.L1Fee != nil {
		p.Wei.Add(p.Wei, r.L1Fee)
	}
	switch {
	case r.Status != 1:
		return p, fmt.Errorf("transaction %s reverted in block %d", r.Tx, r.BlockNumber)
	case !w.DataFee.IsZero() && r.L1Fee == nil:
		return p, fmt.Errorf("read receipt of transaction %s: its data fee is missing; is this a chain of the OP stack?", r.Tx)
	}
	return p, nil
}
