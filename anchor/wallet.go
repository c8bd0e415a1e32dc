package anchor

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// Wallet sends transactions of one account on one chain. Each of its methods that writes asks the node
// for its chain id first.
type Wallet struct {
	Client  *ethclient.Client
	ChainID uint64
	Signer  Signer
	Fees    Fees
	Poll    time.Duration // between looks for a transaction's receipt; zero: 3 s
}

// factory is the deterministic deployment proxy, at the same address on every chain that has it. It
// takes a salt and creation code. https://github.com/Arachnid/deterministic-deployment-proxy
var factory = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

// deploySalt is the salt of every deployment.
var deploySalt common.Hash

func initcode() []byte { return common.FromHex(bindings.AnchorLogMetaData.Bin) }

// ContractAddress returns where Deploy puts AnchorLog on every chain. It commits to the code.
func ContractAddress() proofs.Address {
	return proofs.Address(crypto.CreateAddress2(factory, deploySalt, crypto.Keccak256(initcode())))
}

// Deploy makes sure that AnchorLog is at ContractAddress, and waits until it is mined. It sends nothing
// if the contract is there.
func (w *Wallet) Deploy(ctx context.Context) (proofs.Address, error) {
	address := ContractAddress()
	if err := w.checkChain(ctx); err != nil {
		return address, err
	}
	there, err := w.hasCode(ctx, common.Address(address))
	if err != nil || there {
		return address, err
	}
	if there, err = w.hasCode(ctx, factory); err != nil {
		return address, err
	}
	if !there {
		return address, fmt.Errorf("deploy AnchorLog: chain %d has no deployment proxy at %s: deploy that first", w.ChainID, factory)
	}
	if err := w.transact(ctx, factory, append(deploySalt.Bytes(), initcode()...)); err != nil {
		return address, fmt.Errorf("deploy AnchorLog: %w", err)
	}
	if there, err = w.hasCode(ctx, common.Address(address)); err == nil && !there {
		err = fmt.Errorf("deploy AnchorLog: no code at %s after the transaction", address)
	}
	return address, err
}

// OpenLog makes sure that the wallet's log of that salt is open with the submitter, and waits until it is
// mined. It sends nothing if the log is open, and returns an error if that one has another submitter.
func (w *Wallet) OpenLog(ctx context.Context, anchorLog proofs.Address, salt proofs.Hash, submitter proofs.Address) (proofs.Hash, error) {
	log := proofs.LogID(w.Signer.Address(), salt)
	if err := w.checkChain(ctx); err != nil {
		return log, err
	}
	to := common.Address(anchorLog)
	out, err := w.Client.CallContract(ctx, ethereum.CallMsg{To: &to, Data: contract.PackOwnerOf(log)}, nil)
	if err != nil {
		return log, fmt.Errorf("read owner of log %s: %w", log, err)
	}
	found, err := contract.UnpackOwnerOf(out)
	if err != nil {
		return log, fmt.Errorf("read owner of log %s: no AnchorLog contract at %s: %w", log, anchorLog, err)
	}
	if found == (common.Address{}) {
		if err := w.transact(ctx, to, contract.PackOpen(salt, common.Address(submitter))); err != nil {
			return log, fmt.Errorf("open log %s: %w", log, err)
		}
	}
	head, err := w.readHead(ctx, proofs.Chain{ChainID: w.ChainID, AnchorLog: anchorLog, Log: log})
	if err == nil && head.Submitter != submitter {
		err = fmt.Errorf("open log %s: it is open with the submitter %s, not %s", log, head.Submitter, submitter)
	}
	return log, err
}

// readHead returns the head of the log as the wallet's own node has it.
func (w *Wallet) readHead(ctx context.Context, log proofs.Chain) (Head, error) {
	q, err := nodes.New([]nodes.Node{{Name: "node", RPC: w.Client.Client()}}, nodes.Config{})
	if err != nil {
		return Head{}, err
	}
	return ReadHead(ctx, q, log)
}

func (w *Wallet) hasCode(ctx context.Context, at common.Address) (bool, error) {
	code, err := w.Client.CodeAt(ctx, at, nil)
	if err != nil {
		return false, fmt.Errorf("read code at %s: %w", at, err)
	}
	return len(code) > 0, nil
}

func (w *Wallet) checkChain(ctx context.Context) error {
	id, err := w.Client.ChainID(ctx)
	if err != nil {
		return fmt.Errorf("read chain id: %w", err)
	}
	if !equal(id, w.ChainID) {
		return fmt.Errorf("%w: the node is on chain %d and the configuration says %d: correct one of them", ErrFatal, id, w.ChainID)
	}
	return nil
}

// transact sends a call and waits until it is mined, sending the same bytes again meanwhile.
func (w *Wallet) transact(ctx context.Context, to common.Address, data []byte) error {
	nonce, err := w.nonce(ctx)
	if err != nil {
		return err
	}
	tx, err := w.build(ctx, to, data, nonce)
	if err != nil {
		return err
	}
	poll := w.Poll
	if poll == 0 {
		poll = defaultPoll
	}
	for {
		sendErr := w.send(ctx, tx)
		used, nonceErr := w.nonce(ctx) // before the look: consumed and not found is then lost
		txReceipt, err := w.Client.TransactionReceipt(ctx, tx.Hash())
		switch {
		case err == nil && txReceipt.Status == types.ReceiptStatusSuccessful:
			return nil
		case err == nil:
			return fmt.Errorf("transaction %s reverted in block %d", tx.Hash(), txReceipt.BlockNumber)
		case errors.Is(err, ethereum.NotFound) && nonceErr == nil && used > nonce:
			return fmt.Errorf("transaction %s lost its nonce %d to another of the account: try again", tx.Hash(), nonce)
		}
		timer := time.NewTimer(poll)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("transaction %s was not mined yet: %w", tx.Hash(), errors.Join(ctx.Err(), sendErr))
		case <-timer.C:
		}
	}
}

// nonce returns the account's lowest nonce that is not consumed. What the node has pending is not asked
// for: its answer lags behind blocks and reorgs, and one too high leaves a gap that nothing fills. One too
// low is found consumed later.
func (w *Wallet) nonce(ctx context.Context) (uint64, error) {
	n, err := w.Client.NonceAt(ctx, common.Address(w.Signer.Address()), nil)
	if err != nil {
		return 0, fmt.Errorf("read nonce: %w", err)
	}
	return n, nil
}

// build makes and signs a transaction. It sends nothing.
func (w *Wallet) build(ctx context.Context, to common.Address, data []byte, nonce uint64) (*types.Transaction, error) {
	if err := w.checkChain(ctx); err != nil {
		return nil, err
	}
	from := common.Address(w.Signer.Address())
	head, err := w.Client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read block latest: %w", err)
	}
	tip, fee, err := w.quote(ctx, head)
	if err != nil {
		return nil, err
	}
	gas, err := w.Client.EstimateGas(ctx, ethereum.CallMsg{From: from, To: &to, Data: data})
	if err != nil {
		return nil, fmt.Errorf("estimate gas: %w", explain(err))
	}
	gas += gas / 4 // the estimate is of another block than the one that mines it
	balance, err := w.Client.BalanceAt(ctx, from, nil)
	if err != nil {
		return nil, fmt.Errorf("read balance: %w", err)
	}
	if cost := new(big.Int).Mul(fee, new(big.Int).SetUint64(gas)); balance.Cmp(cost) < 0 {
		return nil, fmt.Errorf("%s holds %d wei and the transaction may cost %d: send it funds", from, balance, cost)
	}
	return w.sign(ctx, &types.DynamicFeeTx{
		ChainID: new(big.Int).SetUint64(w.ChainID), Nonce: nonce,
		GasTipCap: tip, GasFeeCap: fee, Gas: gas, To: &to, Data: data,
	})
}

// quote returns the tip and the fee cap per gas: twice the base fee and the tip, so that six full blocks
// in a row do not outprice it, within the caps.
func (w *Wallet) quote(ctx context.Context, head *types.Header) (tip, fee *big.Int, err error) {
	if head.BaseFee == nil {
		return nil, nil, errors.New("read base fee: the latest block has none, and this chain needs EIP-1559")
	}
	if tip, err = w.Client.SuggestGasTipCap(ctx); err != nil {
		return nil, nil, fmt.Errorf("read tip: %w", err)
	}
	if limit := new(big.Int).SetUint64(w.Fees.MaxTip); w.Fees.MaxTip > 0 && tip.Cmp(limit) > 0 {
		tip = limit
	}
	least := new(big.Int).Add(head.BaseFee, tip)
	fee = new(big.Int).Add(least, head.BaseFee)
	if limit := new(big.Int).SetUint64(w.Fees.MaxFee); w.Fees.MaxFee > 0 && fee.Cmp(limit) > 0 {
		if least.Cmp(limit) > 0 {
			return nil, nil, fmt.Errorf("gas costs %d wei and the cap is %d: waiting", least, limit)
		}
		fee = limit
	}
	return tip, fee, nil
}

// sign has the transaction signed and checks that it was, and is no other.
func (w *Wallet) sign(ctx context.Context, data *types.DynamicFeeTx) (*types.Transaction, error) {
	tx, err := w.Signer.SignTx(ctx, types.NewTx(data), data.ChainID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSigner, err)
	}
	return tx, checkSigned(tx, data, w.Signer.Address())
}

// send broadcasts. That the node knows the transaction already is success.
func (w *Wallet) send(ctx context.Context, tx *types.Transaction) error {
	err := w.Client.SendTransaction(ctx, tx)
	if err != nil && strings.Contains(err.Error(), "already known") {
		return nil
	}
	return err
}
