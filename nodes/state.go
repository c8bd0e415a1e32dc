package nodes

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// TxReceipt returns the transaction's receipt as enough nodes have it, or ErrNotFound. Its Price and L1Fee
// are nil if not enough of those nodes name the same. A block that only some nodes have, newer than the
// last Head, counts as none.
func (q *Quorum) TxReceipt(ctx context.Context, tx proofs.Hash) (*TxReceipt, error) {
	what := fmt.Sprintf("read receipt of transaction %s", tx)
	v := &receiptVote{q: q}
	p := &poll[*TxReceipt]{q: q, rule: v.rule, against: v.against}
	p.f = func(ctx context.Context, n *node) (*TxReceipt, error) {
		r, err := call[TxReceipt](ctx, n, "eth_getTransactionReceipt", tx)
		switch {
		case err == nil && r == nil && q.lags(n) > 0:
			err = errBehind
		case err == nil && r != nil && r.Tx != tx:
			err = fmt.Errorf("it answers with transaction %s", r.Tx)
		}
		return r, err
	}
	p.again = func(n *node, _ *TxReceipt, err error) bool { return q.behind(n, nil, err) }
	if r := p.run(ctx, q.listened()); r != settled && r != good {
		return nil, p.noQuorum(ctx, what, (*TxReceipt).key)
	}
	var camp []*TxReceipt
	for _, a := range p.got {
		if v.against(a.value) {
			a.node.outvoted()
		} else if a.value.key() == v.winner {
			camp = append(camp, a.value)
		}
	}
	if v.winner == "" {
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	r := *camp[0]
	r.Price = q.agreed(camp, func(r *TxReceipt) *big.Int { return r.Price })
	r.L1Fee = q.agreed(camp, func(r *TxReceipt) *big.Int { return r.L1Fee })
	return &r, nil
}

// receiptVote counts the votes on a receipt. winner is the key of the one that won, empty if it is none.
type receiptVote struct {
	q      *Quorum
	winner string
}

func (v *receiptVote) rule(p *poll[*TxReceipt]) ruling {
	need := v.q.cfg.Need
	if k, best := largest(p.got, (*TxReceipt).paidKey); best >= need {
		v.winner, _, _ = strings.Cut(k, "/")
		return settled
	}
	k, best := largest(p.got, (*TxReceipt).key)
	switch {
	case best >= need:
		v.winner = k
		return good // what it cost may still be agreed on
	case best+p.out >= need:
		return open
	}
	// They are not equally far. Of what is newer than the head, all know nothing.
	k, best = largest(p.got, func(r *TxReceipt) string {
		if v.newer(r) {
			return ""
		}
		return r.key()
	})
	switch {
	case best >= need:
		v.winner = k
		return settled
	case best+p.out < need:
		return hopeless
	}
	return open
}

// newer tells whether a receipt is of a block after the head that was agreed on.
func (v *receiptVote) newer(r *TxReceipt) bool {
	last := v.q.last("latest")
	return r != nil && last > 0 && r.BlockNumber > last
}

func (v *receiptVote) against(r *TxReceipt) bool {
	return r.key() != v.winner && !(v.winner == "" && v.newer(r))
}

// agreed returns the number that enough of the receipts name, or nil.
func (q *Quorum) agreed(of []*TxReceipt, field func(*TxReceipt) *big.Int) *big.Int {
	for _, r := range of {
		n := 0
		for _, o := range of {
			if a, b := field(r), field(o); a != nil && b != nil && a.Cmp(b) == 0 {
				n++
			}
		}
		if n >= q.cfg.Need {
			return field(r)
		}
	}
	return nil
}

// result is what a call returned, or with what it reverted.
type result struct {
	data     []byte
	reverted bool
}

func (r result) key() string { return fmt.Sprintf("%t %x", r.reverted, r.data) }

// revert is the error of a call that enough nodes say reverted with the same data.
type revert struct {
	what string
	data []byte
}

func (r *revert) Error() string  { return r.what + ": execution reverted" }
func (r *revert) ErrorCode() int { return 3 }
func (r *revert) ErrorData() any { return hexutil.Encode(r.data) }

// maxRevert bounds the data of a revert, in bytes: custom errors have a few words.
const maxRevert = 4 << 10

// reverted returns the data of an error by which a node says that a call reverted. Nodes write it as hex,
// some with a word before it.
func reverted(err error) ([]byte, bool) {
	var stated rpc.DataError
	if !errors.As(err, &stated) {
		return nil, false
	}
	text, ok := stated.ErrorData().(string)
	if !ok {
		return nil, false
	}
	_, digits, ok := strings.Cut(text, "0x")
	if !ok || len(digits) > 2*maxRevert {
		return nil, false
	}
	data, err := hex.DecodeString(digits)
	return data, err == nil
}

// Call returns what a call returns in the state after the block. If enough nodes say that it reverts with
// the same data, the error is an rpc.DataError with that, as hex.
func (q *Quorum) Call(ctx context.Context, block proofs.Hash, to proofs.Address, data []byte) ([]byte, error) {
	return q.call(ctx, block, map[string]any{"to": common.Address(to), "input": hexutil.Bytes(data)})
}

// CallFrom is Call with a sender and value, in wei; nil is none.
func (q *Quorum) CallFrom(ctx context.Context, block proofs.Hash, from, to proofs.Address, value *big.Int, data []byte) ([]byte, error) {
	args := map[string]any{"from": common.Address(from), "to": common.Address(to), "input": hexutil.Bytes(data)}
	if value != nil {
		args["value"] = (*hexutil.Big)(value)
	}
	return q.call(ctx, block, args)
}

func (q *Quorum) call(ctx context.Context, block proofs.Hash, args map[string]any) ([]byte, error) {
	r, err := state(ctx, q, block, "eth_call", args, func(b hexutil.Bytes, err error) (result, error) {
		if data, ok := reverted(err); ok {
			return result{data, true}, nil
		}
		return result{data: b}, err
	}, result.key)
	if err == nil && r.reverted {
		return nil, &revert{fmt.Sprintf("eth_call at block %s", block), r.data}
	}
	return r.data, err
}

// Code returns the code of an account after the block.
func (q *Quorum) Code(ctx context.Context, block proofs.Hash, of proofs.Address) ([]byte, error) {
	return state(ctx, q, block, "eth_getCode", common.Address(of), plain[hexutil.Bytes], hexutil.Bytes.String)
}

// Nonce returns how many transactions of the account are mined up to the block.
func (q *Quorum) Nonce(ctx context.Context, block proofs.Hash, of proofs.Address) (uint64, error) {
	n, err := state(ctx, q, block, "eth_getTransactionCount", common.Address(of), plain[hexutil.Uint64], hexutil.Uint64.String)
	return uint64(n), err
}

// Balance returns what the account holds after the block, in wei.
func (q *Quorum) Balance(ctx context.Context, block proofs.Hash, of proofs.Address) (*big.Int, error) {
	b, err := state(ctx, q, block, "eth_getBalance", common.Address(of), plain[hexutil.Big], func(b hexutil.Big) string { return b.String() })
	if err != nil {
		return nil, err
	}
	return b.ToInt(), nil
}

func plain[T any](v T, err error) (T, error) { return v, err }

// state asks for something in the state after a block. read makes of an answer what is voted on, by key.
func state[T, V any](ctx context.Context, q *Quorum, block proofs.Hash, method string, arg any, read func(V, error) (T, error), key func(T) string) (T, error) {
	at := rpc.BlockNumberOrHashWithHash(common.Hash(block), false)
	return vote[T]{what: fmt.Sprintf("%s at block %s", method, block), of: q.listened(), key: key,
		f: func(ctx context.Context, n *node) (T, error) { return read(must[V](ctx, n, method, arg, at)) },
		// A node that is a block behind may not have this one yet.
		again: func(n *node, _ T, err error) bool {
			lag := q.lags(n)
			return err != nil && n.fail(err, 0).stated && lag > 0 && lag <= smallLag
		}}.ask(ctx, q)
}
