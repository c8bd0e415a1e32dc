package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/proofs"
)

// odd signs something else than what it was asked to.
type odd struct {
	testKey
	change func(*types.DynamicFeeTx)
	by     testKey
}

func (o odd) SignTx(ctx context.Context, tx *types.Transaction, id *big.Int) (*types.Transaction, error) {
	data := &types.DynamicFeeTx{ChainID: id, Nonce: tx.Nonce(), GasTipCap: tx.GasTipCap(), GasFeeCap: tx.GasFeeCap(), Gas: tx.Gas(), To: tx.To(), Data: tx.Data()}
	o.change(data)
	return o.by.SignTx(ctx, types.NewTx(data), id)
}

// TestOddSigner stores and sends nothing that is not what was to be signed.
func TestOddSigner(t *testing.T) {
	same := func(*types.DynamicFeeTx) {}
	for name, signer := range map[string]odd{
		"nonce": {submitter, func(tx *types.DynamicFeeTx) { tx.Nonce++ }, submitter},
		"fee":   {submitter, func(tx *types.DynamicFeeTx) { tx.GasFeeCap = new(big.Int).Lsh(tx.GasFeeCap, 1) }, submitter},
		"value": {submitter, func(tx *types.DynamicFeeTx) { tx.Value = big.NewInt(1) }, submitter},
		"key":   {submitter, same, stranger},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			cfg := h.config()
			cfg.Signers = []Signer{signer}
			a := h.configured(cfg)
			sent := h.calls["eth_sendRawTransaction"]
			if err := a.Step(t.Context()); !errors.Is(err, errSigner) || errors.Is(err, ErrFatal) {
				t.Errorf("step: %v", err)
			}
			if d := a.Delay(); d == nil || d.Code != SignOff {
				t.Errorf("delay %+v", d)
			}
			if n := h.calls["eth_sendRawTransaction"] - sent; n != 0 || len(h.store.batches[0].Txs) != 0 {
				t.Errorf("%d sent, %d stored", n, len(h.store.batches[0].Txs))
			}
		})
	}
}

// TestMeanwhile has the batch anchored between the look at the chain and the estimate. The contract's
// OutOfOrder is no trouble: the batch is looked for.
func TestMeanwhile(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_estimateGas" && h.calls[r.Method] == 1 {
			h.transact(submitter, h.log.AnchorLog, a.anchorCall(h.store.batches[0].Batch), 2e9)
			h.mine(1)
		}
		return next(), nil
	}
	h.calls["eth_estimateGas"] = 0
	h.step(a)
	if d := a.Delay(); d != nil || len(h.store.batches[0].Txs) != 0 {
		t.Errorf("delay %+v, %d transactions", d, len(h.store.batches[0].Txs))
	}
	h.settleWith(a, 0)
	if c := a.Counts(); c.Adopted != 1 || c.Sent != 0 {
		t.Errorf("counts %+v", c)
	}
	h.checkChain()
}

// TestFinalElsewhere has a node that calls a block final that a reorg took away.
func TestFinalElsewhere(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.step(a)
	h.mine(1)
	var gone []byte
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		answer := next()
		if r.Method != "eth_getBlockByNumber" {
			return answer, nil
		}
		switch string(r.Params[0]) {
		case `"latest"`:
			if gone == nil {
				gone = answer
			}
		case `"finalized"`:
			var m map[string]json.RawMessage
			if err := json.Unmarshal(gone, &m); err != nil {
				return nil, err
			}
			m["id"] = r.ID
			return json.Marshal(m)
		}
		return answer, nil
	}
	if _, err := h.nodes().Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.fork(1, true)
	h.mine(2)
	if err := a.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "is not on their own chain") {
		t.Errorf("step: %v", err)
	}
	if s := h.store.batches[0].State; s >= finalized {
		t.Errorf("batch is %s", s)
	}
}

// TestOtherCode takes code that differs in one byte for another contract's.
func TestOtherCode(t *testing.T) {
	code := bytes.Clone(initcode()[maxConstructor/2:])
	log := proofs.Chain{ChainID: 1}
	if err := checkCode(code, log); err != nil {
		t.Fatal(err)
	}
	code[len(code)/2] ^= 1
	if err := checkCode(code, log); !errors.Is(err, ErrFatal) {
		t.Errorf("other code: %v", err)
	}
}
