package scenarios

import (
	"context"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	anchorLog   = bindings.NewAnchorLog()
	promiseBond = bindings.NewPromiseBond()
)

// transact sends a planned transaction of the key, mines it and returns its receipt, reverted or not.
func (w *world) transact(key *identity.Key, p anchor.Planned) *types.Receipt {
	w.Helper()
	ctx := w.Context()
	nonce, err := w.eth.PendingNonceAt(ctx, common.Address(key.Address()))
	if err != nil {
		w.Fatal(err)
	}
	to := common.Address(p.To)
	rules := types.LatestSignerForChainID(new(big.Int).SetUint64(w.log.ChainID))
	tx := types.NewTx(&types.DynamicFeeTx{
		ChainID: rules.ChainID(), Nonce: nonce, To: &to, Value: p.Value, Data: p.Data, Gas: 3_000_000, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e11),
	})
	s, err := key.SignDigest(proofs.Hash(rules.Hash(tx)))
	if err != nil {
		w.Fatal(err)
	}
	s[64] -= 27
	if tx, err = tx.WithSignature(rules, s[:]); err == nil {
		err = w.eth.SendTransaction(ctx, tx)
	}
	if err != nil {
		w.Fatal(err)
	}
	var r *types.Receipt
	w.eventually("a transaction was mined", func() bool { r, err = w.eth.TransactionReceipt(ctx, tx.Hash()); return err == nil })
	return r
}

// view calls a contract.
func (w *world) view(to proofs.Address, data []byte) []byte {
	w.Helper()
	at := common.Address(to)
	out, err := w.eth.CallContract(context.Background(), ethereum.CallMsg{To: &at, Data: data}, nil)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// head returns how many batches and messages the chain has of the log.
func (w *world) head() (batches, messages uint64) {
	w.Helper()
	h, err := anchorLog.UnpackHeads(w.view(w.log.AnchorLog, anchorLog.PackHeads(w.log.Log)))
	if err != nil {
		w.Fatal(err)
	}
	return uint64(h.Batches), h.Messages
}

// anchored waits until the chain has so many messages of the log, and lets them be final.
func (w *world) anchored(messages uint64) {
	w.Helper()
	w.eventually("the messages were anchored", func() bool { _, n := w.head(); return n >= messages })
	w.anvil.mine(3)
}

// bonded reads the log's bond.
func (w *world) bonded() bindings.BondsOutput {
	w.Helper()
	b, err := promiseBond.UnpackBonds(w.view(w.log.PromiseBond, promiseBond.PackBonds(w.log.Log)))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// credit reads what the bond owes an account.
func (w *world) credit(a proofs.Address) *big.Int {
	w.Helper()
	c, err := promiseBond.UnpackCredits(w.view(w.log.PromiseBond, promiseBond.PackCredits(common.Address(a))))
	if err != nil {
		w.Fatal(err)
	}
	return c
}

// setUp opens the log and makes its bond live.
func (w *world) setUp() {
	w.Helper()
	w.spend(0, "operator", "anchor", "contracts", "deploy")
	operator := w.keys["anchor"].Address()
	w.log = proofs.Chain{ChainID: 31337, AnchorLog: anchor.ContractAddress(), Log: proofs.LogID(operator, proofs.Keccak([]byte("main")))}
	w.log.PromiseBond = bond.Address(w.log.AnchorLog)
	w.spend(0, "operator", "anchor", "bond", "deploy")
	w.spend(0, "operator", "anchor", "bond", "fund", "10")
	w.spend(0, "operator", "anchor", "bond", "add-key", w.keys["promise"].Address().String())
}

// contents are a log's batches, from events.
type contents struct {
	batches []proofs.Batch
	tree    proofs.RangeTree
}

// contents reads the log as anybody can.
func (w *world) contents() (c contents) {
	w.Helper()
	found, err := w.eth.FilterLogs(w.Context(), ethereum.FilterQuery{
		Addresses: []common.Address{common.Address(w.log.AnchorLog)},
		Topics:    [][]common.Hash{{anchorLog.GetABI().Events[bindings.AnchorLogAnchoredEventName].ID}, {common.Hash(w.log.Log)}},
		FromBlock: new(big.Int),
	})
	if err != nil {
		w.Fatal(err)
	}
	for i := range found {
		e, err := anchorLog.UnpackAnchoredEvent(&found[i])
		if err != nil {
			w.Fatal(err)
		}
		h, err := w.eth.HeaderByHash(w.Context(), found[i].BlockHash)
		if err != nil {
			w.Fatal(err)
		}
		b := proofs.Batch{Number: e.Number.Uint64(), Root: e.Root, First: e.First.Uint64(), Size: e.Size.Uint64(), Time: h.Time, CID: e.Cid}
		c.batches = append(c.batches, b)
		c.tree.Append(b.Hash())
	}
	return c
}

// of returns the batch over the index.
func (c contents) of(index uint64) proofs.Batch {
	for _, b := range c.batches {
		if b.Contains(index) {
			return b
		}
	}
	panic(fmt.Sprintf("no batch covers index %d", index))
}

// path returns the batch's path.
func (c contents) path(number uint64) []proofs.Hash { return c.tree.Prove(number, c.tree.Count()) }

// number returns the newest block's.
func (w *world) number() uint64 {
	w.Helper()
	n, err := w.eth.BlockNumber(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return n
}

// balance returns what an account holds.
func (w *world) balance(a proofs.Address) *big.Int {
	w.Helper()
	wei, err := w.eth.BalanceAt(w.Context(), common.Address(a), nil)
	if err != nil {
		w.Fatal(err)
	}
	return wei
}

// answerOf returns the event of the answer to the promise's challenge. Anvil may show a block's state before its events.
func (w *world) answerOf(p *proofs.Promise) (event types.Log) {
	w.Helper()
	query := ethereum.FilterQuery{
		Addresses: []common.Address{common.Address(w.log.PromiseBond)}, FromBlock: new(big.Int),
		Topics: [][]common.Hash{{promiseBond.GetABI().Events[bindings.PromiseBondAnsweredEventName].ID}, nil, {common.Hash(bond.PromiseID(w.log, p))}},
	}
	w.eventually("there was an event of the answer", func() bool {
		found, err := w.eth.FilterLogs(w.Context(), query)
		if err != nil || len(found) > 1 {
			w.Fatalf("%d answers, %v", len(found), err)
		}
		if len(found) == 1 {
			event = found[0]
		}
		return len(found) == 1
	})
	return event
}

// collect has the sender's credit paid, to nobody here.
func collect(w *world) anchor.Planned {
	plan, err := bond.PlanCollect(w.log, proofs.Address{0xc0})
	if err != nil {
		w.Fatal(err)
	}
	return plan[0]
}
