package faultrpc

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"
)

// Forgery is a chain that differs from the node's in blocks from a number on, and is consistent in itself: each block
// hashes to what it says, names its parent, and has the receipts root of its receipts. It has nobody's consensus.
type Forgery struct {
	From    uint64
	Header  func(*types.Header)  // changes a header before it is hashed; nil: none
	Receipt func(*types.Receipt) // changes a receipt before the root is computed; nil: none

	mu     sync.Mutex
	forged map[common.Hash]*types.Header // by the true hash
	truth  map[common.Hash]common.Hash   // of forged hashes
}

// NewForgery returns a forgery of the blocks from a number on.
func NewForgery(from uint64, header func(*types.Header), receipt func(*types.Receipt)) *Forgery {
	return &Forgery{From: from, Header: header, Receipt: receipt, forged: map[common.Hash]*types.Header{}, truth: map[common.Hash]common.Hash{}}
}

// Lie answers with the forged chain.
func (f *Forgery) Lie() Fault {
	return Fault{"forgery", func(c Call, next Next) Answer {
		f.mu.Lock()
		defer f.mu.Unlock()
		l := forging{f, c, next}
		l.Params = l.trueParams()
		a := next(l.Call)
		if a.Err != nil || a.Break != (Break{}) {
			return a
		}
		changed, err := l.change(a)
		if err != nil {
			return Answer{Err: &Error{Code: -32603, Message: err.Error()}}
		}
		return changed
	}}
}

// forging is one call to the forger.
type forging struct {
	*Forgery
	Call
	next Next
}

// trueParams replaces forged block hashes by those that the node knows.
func (l forging) trueParams() []json.RawMessage {
	out := slices.Clone(l.Params)
	for i, p := range out {
		s := string(p)
		for forged, truth := range l.truth {
			s = strings.ReplaceAll(s, forged.Hex(), truth.Hex())
		}
		out[i] = json.RawMessage(s)
	}
	return out
}

func (l forging) change(a Answer) (Answer, error) {
	switch l.Method {
	case "eth_getBlockByNumber", "eth_getBlockByHash", "eth_getHeaderByNumber", "eth_getHeaderByHash":
		return l.block(a)
	case "eth_getTransactionReceipt":
		return l.txReceipt(a)
	case "eth_getBlockReceipts":
		return l.blockReceipts(a)
	case "eth_getLogs", "eth_getTransactionByHash":
		return l.placed(a)
	}
	return a, nil
}

// header returns the forged header of the block with this true hash.
func (l forging) header(truth common.Hash) (*types.Header, error) {
	if h := l.forged[truth]; h != nil {
		return h, nil
	}
	a := l.next(Call{l.Context, "eth_getBlockByHash", encode(truth, false), l.Number})
	h := new(types.Header)
	if err := json.Unmarshal(a.Result, h); err != nil {
		return nil, fmt.Errorf("forge block %s: %w", truth, err)
	}
	n := h.Number.Uint64()
	if n < l.From {
		l.forged[truth] = h
		return h, nil
	}
	if n > l.From {
		parent, err := l.header(h.ParentHash)
		if err != nil {
			return nil, err
		}
		h.ParentHash = parent.Hash()
	}
	if l.Receipt != nil {
		receipts, err := l.receipts(truth)
		if err != nil {
			return nil, err
		}
		h.ReceiptHash = types.DeriveSha(receipts, trie.NewListHasher())
		h.Bloom = types.MergeBloom(receipts)
	}
	if l.Header != nil {
		l.Header(h)
	}
	l.forged[truth], l.truth[h.Hash()] = h, truth
	return h, nil
}

// receipts returns the changed receipts of the block with this true hash.
func (l forging) receipts(truth common.Hash) (types.Receipts, error) {
	a := l.next(Call{l.Context, "eth_getBlockReceipts", encode(truth), l.Number})
	var receipts types.Receipts
	if err := json.Unmarshal(a.Result, &receipts); err != nil {
		return nil, fmt.Errorf("forge receipts of %s: %w", truth, err)
	}
	for _, r := range receipts {
		if l.Receipt != nil {
			l.Receipt(r)
			r.Bloom = types.CreateBloom(r)
		}
	}
	return receipts, nil
}

func (l forging) block(a Answer) (Answer, error) {
	m := fields(a.Result)
	if n, ok := numberOf(m, "number"); !ok || n < l.From {
		return a, nil
	}
	h, err := l.header(hashOf(m, "hash"))
	if err != nil {
		return a, err
	}
	for k, v := range fields(result(h).Result) {
		m[k] = v
	}
	m["hash"] = h.Hash()
	return result(m), nil
}

// placed gives logs and transactions the forged hash of their block.
func (l forging) placed(a Answer) (Answer, error) {
	var err error
	a = edit(a, func(v any) any {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, item := range list {
			m, _ := item.(map[string]any)
			err = l.place(m)
			if err != nil {
				return v
			}
		}
		return v
	})
	return a, err
}

func (l forging) place(m map[string]any) error {
	n, mined := numberOf(m, "blockNumber")
	if !mined || n < l.From {
		return nil
	}
	h, err := l.header(hashOf(m, "blockHash"))
	if err != nil {
		return err
	}
	m["blockHash"] = h.Hash()
	if _, ok := m["blockTimestamp"]; ok {
		m["blockTimestamp"] = hexutil.Uint64(h.Time)
	}
	return nil
}

func (l forging) txReceipt(a Answer) (Answer, error) {
	m := fields(a.Result)
	if n, mined := numberOf(m, "blockNumber"); !mined || n < l.From {
		return a, nil
	}
	list, err := l.forgedReceipts(hashOf(m, "blockHash"))
	if err != nil {
		return a, err
	}
	at, _ := numberOf(m, "transactionIndex")
	if at >= uint64(len(list)) {
		return a, fmt.Errorf("forge receipt %d of %d", at, len(list))
	}
	return result(list[at]), nil
}

func (l forging) blockReceipts(a Answer) (Answer, error) {
	var list []map[string]any
	if json.Unmarshal(a.Result, &list) != nil || len(list) == 0 {
		return a, nil
	}
	if n, mined := numberOf(list[0], "blockNumber"); !mined || n < l.From {
		return a, nil
	}
	forged, err := l.forgedReceipts(hashOf(list[0], "blockHash"))
	if err != nil {
		return a, err
	}
	return result(forged), nil
}

// forgedReceipts returns the receipts of a block as JSON, with the fields of the forged chain.
func (l forging) forgedReceipts(truth common.Hash) ([]*types.Receipt, error) {
	h, err := l.header(truth)
	if err != nil {
		return nil, err
	}
	receipts, err := l.receipts(truth)
	if err != nil {
		return nil, err
	}
	for _, r := range receipts {
		r.BlockHash, r.BlockNumber = h.Hash(), new(big.Int).Set(h.Number)
		for _, log := range r.Logs {
			log.BlockHash = h.Hash()
		}
	}
	return receipts, nil
}
