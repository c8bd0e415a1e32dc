package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// Block is what nodes say of a block. Its hash is taken as said: see Header for one that proves it.
type Block struct {
	Number  uint64
	Hash    proofs.Hash
	Time    uint64   // seconds since 1970 UTC
	BaseFee *big.Int // wei per gas; nil before London
}

func (b *Block) key() string {
	if b == nil {
		return ""
	}
	return fmt.Sprint(b.Number, b.Hash, b.Time, b.BaseFee)
}

// ChainID returns the chain that the nodes are on. Nodes that name another are not listened to until
// they name the right one. It returns ErrOtherChain if that is so of enough of them.
func (q *Quorum) ChainID(ctx context.Context) (uint64, error) {
	read := func(ctx context.Context, n *node) (uint64, error) {
		var id hexutil.Uint64
		err := n.RPC.CallContext(ctx, &id, "eth_chainId")
		return uint64(id), err
	}
	id, err := agreeAmong(ctx, q, q.nodes, "read chain id", func(ctx context.Context, n *node) (uint64, error) {
		id, err := read(ctx, n)
		if err == nil {
			q.judge(n, id)
		}
		return id, err
	}, func(id uint64) string { return fmt.Sprint(id) })
	if err != nil {
		return 0, err
	}
	q.mu.Lock()
	if q.chainID == 0 {
		q.chainID = id
	}
	want := q.chainID
	q.mu.Unlock()
	if id != want {
		return id, fmt.Errorf("read chain id: %w: they say %d, and it is to be %d", ErrOtherChain, id, want)
	}
	return id, nil
}

// judge decides by its chain id whether the node is listened to.
func (q *Quorum) judge(n *node, id uint64) {
	q.mu.Lock()
	want := q.chainID
	q.mu.Unlock()
	n.note(func(h *Health) {
		h.Wrong = ""
		if want != 0 && id != want {
			h.Wrong = fmt.Sprintf("it is on chain %d", id)
		}
	})
}

// readBlock returns the canonical block of a tag or a hex number, and nil if the node has none.
func readBlock(ctx context.Context, n *node, tag string) (*Block, error) {
	var raw *struct {
		Number  *hexutil.Uint64 `json:"number"`
		Hash    *common.Hash    `json:"hash"`
		Time    *hexutil.Uint64 `json:"timestamp"`
		BaseFee *hexutil.Big    `json:"baseFeePerGas"`
	}
	if err := n.RPC.CallContext(ctx, &raw, "eth_getBlockByNumber", tag, false); err != nil {
		return nil, err
	}
	if raw == nil {
		return nil, nil
	}
	if raw.Number == nil || raw.Hash == nil || raw.Time == nil {
		return nil, errors.New("number, hash or timestamp is missing")
	}
	return &Block{uint64(*raw.Number), proofs.Hash(*raw.Hash), uint64(*raw.Time), (*big.Int)(raw.BaseFee)}, nil
}

// step is how far below the newest head a common block is looked for, doubled each time.
const maxStep = 256

// Head returns the newest block that enough nodes have on their chain. Nodes are asked for their chain
// again, and those of another one are left out.
func (q *Quorum) Head(ctx context.Context) (*Block, error) {
	if _, err := q.ChainID(ctx); err != nil {
		return nil, err
	}
	heads, _, err := collect(ctx, q, "read head", func(ctx context.Context, n *node) (*Block, error) {
		b, err := readBlock(ctx, n, "latest")
		if err == nil && b == nil {
			err = errors.New("it has no latest block")
		}
		if err == nil {
			n.note(func(h *Health) { h.Head = b.Number })
		}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	number := q.common(heads)
	for step := uint64(1); ; step *= 2 {
		b, err := q.at(ctx, "read head", heads, number)
		if err == nil {
			q.mu.Lock()
			q.newest = max(q.newest, b.Number)
			q.mu.Unlock()
			return b, nil
		}
		if !errors.Is(err, ErrNoQuorum) || step > maxStep || number < step {
			return nil, err
		}
		number -= step
	}
}

// common returns the largest number that Need of the blocks reach.
func (q *Quorum) common(blocks []answer[*Block]) uint64 {
	var numbers []uint64
	for _, a := range blocks {
		numbers = append(numbers, a.value.Number)
	}
	slices.Sort(numbers)
	return numbers[len(numbers)-q.cfg.Need]
}

// at returns the block of that number that enough of the nodes have that said to be as far. What they
// said just now is not asked again.
func (q *Quorum) at(ctx context.Context, what string, said []answer[*Block], number uint64) (*Block, error) {
	known := map[*node]*Block{}
	var of []*node
	for _, a := range said {
		if a.value.Number >= number {
			of = append(of, a.node)
		}
		if a.value.Number == number {
			known[a.node] = a.value
		}
	}
	return agreeAmong(ctx, q, of, fmt.Sprintf("%s at block %d", what, number), func(ctx context.Context, n *node) (*Block, error) {
		if b := known[n]; b != nil {
			return b, nil
		}
		return mustBlock(ctx, n, number)
	}, (*Block).key)
}

func mustBlock(ctx context.Context, n *node, number uint64) (*Block, error) {
	b, err := readBlock(ctx, n, hexutil.EncodeUint64(number))
	if err == nil && (b == nil || b.Number != number) {
		err = fmt.Errorf("it does not have block %d", number)
	}
	return b, err
}

// Tagged returns the newest block that enough nodes call safe or finalized, and nil if enough of them
// name none or know no such tag.
func (q *Quorum) Tagged(ctx context.Context, tag string) (*Block, error) {
	what := "read block " + tag
	said, _, err := collect(ctx, q, what, func(ctx context.Context, n *node) (*Block, error) {
		b, err := readBlock(ctx, n, tag)
		var stated rpc.Error
		if errors.As(err, &stated) { // a young chain names none, and one without the tags neither
			return nil, nil
		}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	some := slices.DeleteFunc(slices.Clone(said), func(a answer[*Block]) bool { return a.value == nil })
	if len(some) < q.cfg.Need {
		return nil, nil
	}
	return q.at(ctx, what, some, q.common(some))
}

// BlockAt returns the block of that number on the chain of enough nodes, or ErrNotFound.
func (q *Quorum) BlockAt(ctx context.Context, number uint64) (*Block, error) {
	what := fmt.Sprintf("read block %d", number)
	b, err := agree(ctx, q, what, func(ctx context.Context, n *node) (*Block, error) {
		b, err := readBlock(ctx, n, hexutil.EncodeUint64(number))
		if err == nil && b != nil && b.Number != number {
			err = fmt.Errorf("it answers with block %d", b.Number)
		}
		return b, err
	}, (*Block).key)
	if err == nil && b == nil {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return b, err
}

// TxReceipt returns the transaction's receipt as enough nodes have it, or ErrNotFound.
func (q *Quorum) TxReceipt(ctx context.Context, tx proofs.Hash) (*TxReceipt, error) {
	what := fmt.Sprintf("read receipt of transaction %s", tx)
	r, err := agree(ctx, q, what, func(ctx context.Context, n *node) (*TxReceipt, error) {
		var r *TxReceipt
		err := n.RPC.CallContext(ctx, &r, "eth_getTransactionReceipt", tx)
		if err == nil && r != nil && r.Tx != tx {
			err = fmt.Errorf("it answers with transaction %s", r.Tx)
		}
		return r, err
	}, (*TxReceipt).key)
	if err == nil && r == nil {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return r, err
}

// Call returns what a call returns in the state after the block.
func (q *Quorum) Call(ctx context.Context, block proofs.Hash, to proofs.Address, data []byte) ([]byte, error) {
	args := map[string]any{"to": common.Address(to), "input": hexutil.Bytes(data)}
	return state[hexutil.Bytes](ctx, q, block, "eth_call", args)
}

// Code returns the code of an account after the block.
func (q *Quorum) Code(ctx context.Context, block proofs.Hash, of proofs.Address) ([]byte, error) {
	return state[hexutil.Bytes](ctx, q, block, "eth_getCode", common.Address(of))
}

// Nonce returns how many transactions of the account are mined up to the block.
func (q *Quorum) Nonce(ctx context.Context, block proofs.Hash, of proofs.Address) (uint64, error) {
	n, err := state[hexutil.Uint64](ctx, q, block, "eth_getTransactionCount", common.Address(of))
	return uint64(n), err
}

// Balance returns what the account holds after the block, in wei.
func (q *Quorum) Balance(ctx context.Context, block proofs.Hash, of proofs.Address) (*big.Int, error) {
	b, err := state[hexutil.Big](ctx, q, block, "eth_getBalance", common.Address(of))
	return (*big.Int)(&b), err
}

// state asks for something in the state after a block.
func state[T any](ctx context.Context, q *Quorum, block proofs.Hash, method string, arg any) (T, error) {
	at := rpc.BlockNumberOrHashWithHash(common.Hash(block), false)
	return agree(ctx, q, fmt.Sprintf("%s at block %s", method, block), func(ctx context.Context, n *node) (v T, err error) {
		err = n.RPC.CallContext(ctx, &v, method, arg, at)
		return v, err
	}, func(v T) string { return fmt.Sprint(v) })
}

// Header returns the RLP of a block's header, of any node: it hashes to the block's hash.
func (q *Quorum) Header(ctx context.Context, block proofs.Hash) ([]byte, error) {
	return first(ctx, q, fmt.Sprintf("read header %s", block), func(ctx context.Context, n *node) ([]byte, error) {
		var h *types.Header
		if err := n.RPC.CallContext(ctx, &h, "eth_getBlockByHash", common.Hash(block), false); err != nil {
			return nil, err
		}
		if h == nil {
			return nil, ErrNotFound
		}
		raw, err := rlp.EncodeToBytes(h)
		if err == nil && proofs.Keccak(raw) != block {
			n.outvoted()
			err = errors.New("what it returned does not hash to it: it is wrong, or the chain has a fork that needs a newer version of this program")
		}
		return raw, err
	})
}

// BlockReceipts returns the receipts of a block, of the first node whose answer is accepted: accept
// holds them against the header's receipts root.
func (q *Quorum) BlockReceipts(ctx context.Context, block proofs.Hash, accept func([]*TxReceipt) error) ([]*TxReceipt, error) {
	return first(ctx, q, fmt.Sprintf("read receipts of block %s", block), func(ctx context.Context, n *node) (all []*TxReceipt, err error) {
		at := rpc.BlockNumberOrHashWithHash(common.Hash(block), false)
		if err := n.RPC.CallContext(ctx, &all, "eth_getBlockReceipts", at); err != nil {
			return nil, err
		}
		if all == nil {
			return nil, ErrNotFound
		}
		if slices.Contains(all, nil) {
			err = errors.New("a receipt is missing")
		} else {
			err = accept(all)
		}
		if err != nil {
			n.outvoted()
		}
		return all, err
	})
}

// first asks one node after the other and returns the first answer.
func first[T any](ctx context.Context, q *Quorum, what string, f func(context.Context, *node) (T, error)) (v T, err error) {
	errs := []error{fmt.Errorf("%s: no node can", what)}
	for _, n := range q.listened() {
		a := <-ask(ctx, q, []*node{n}, f)
		if a.err == nil {
			return a.value, nil
		}
		errs = append(errs, a.err)
		if ctx.Err() != nil {
			break
		}
	}
	return v, errors.Join(errs...)
}

// Logs returns the logs that any node finds in blocks from to to, each once. They are leads and no
// facts: look up their transactions. It returns an error if no node answers.
func (q *Quorum) Logs(ctx context.Context, from, to uint64, of proofs.Address, topics ...proofs.Hash) ([]types.Log, error) {
	filter := map[string]any{
		"fromBlock": hexutil.EncodeUint64(from), "toBlock": hexutil.EncodeUint64(to),
		"address": common.Address(of), "topics": topics,
	}
	of2 := q.listened()
	in := ask(ctx, q, of2, func(ctx context.Context, n *node) (logs []types.Log, err error) {
		err = n.RPC.CallContext(ctx, &logs, "eth_getLogs", filter)
		return logs, err
	})
	type place struct {
		block common.Hash
		index uint
	}
	var all []types.Log
	var errs []error
	seen := map[place]bool{}
	for range of2 {
		a := <-in
		if a.err != nil {
			errs = append(errs, a.err)
		}
		for _, l := range a.value {
			if p := (place{l.BlockHash, l.Index}); !seen[p] {
				seen[p], all = true, append(all, l)
			}
		}
	}
	if len(errs) == len(of2) {
		return nil, fmt.Errorf("read logs of blocks %d to %d: %w", from, to, errors.Join(errs...))
	}
	return all, nil
}

// median asks for a number and returns the lower median of the answers, at least Need.
func median(ctx context.Context, q *Quorum, what, method string, args ...any) (*big.Int, error) {
	got, _, err := collect(ctx, q, what, func(ctx context.Context, n *node) (*big.Int, error) {
		var v hexutil.Big
		err := n.RPC.CallContext(ctx, &v, method, args...)
		return (*big.Int)(&v), err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(got, func(a, b answer[*big.Int]) int { return a.value.Cmp(b.value) })
	return got[(len(got)-1)/2].value, nil
}

// Tip returns the median of the priority fees that nodes suggest, in wei per gas.
func (q *Quorum) Tip(ctx context.Context) (*big.Int, error) {
	return median(ctx, q, "read tip", "eth_maxPriorityFeePerGas")
}

// PendingNonce returns the median of the account's next nonces as pools see it. It may be behind.
func (q *Quorum) PendingNonce(ctx context.Context, of proofs.Address) (uint64, error) {
	n, err := median(ctx, q, "read pending nonce", "eth_getTransactionCount", common.Address(of), "pending")
	if err != nil {
		return 0, err
	}
	return n.Uint64(), nil
}

// EstimateGas returns the median of what nodes estimate for a call on their newest block. An error holds
// what the contract answered, for who knows its errors, if it reverts.
func (q *Quorum) EstimateGas(ctx context.Context, from, to proofs.Address, data []byte) (uint64, error) {
	args := map[string]any{"from": common.Address(from), "to": common.Address(to), "input": hexutil.Bytes(data)}
	n, err := median(ctx, q, "estimate gas", "eth_estimateGas", args)
	if err != nil {
		return 0, err
	}
	if !n.IsUint64() {
		return 0, fmt.Errorf("estimate gas: %d is no amount", n)
	}
	return n.Uint64(), nil
}

// Send hands a signed transaction to all nodes. It returns nil if one takes it or has it already, and
// otherwise what each of them answers.
func (q *Quorum) Send(ctx context.Context, raw []byte) error {
	of := q.listened()
	in := ask(ctx, q, of, func(ctx context.Context, n *node) (json.RawMessage, error) {
		var answer json.RawMessage
		err := n.RPC.CallContext(ctx, &answer, "eth_sendRawTransaction", hexutil.Bytes(raw))
		if err != nil && bytes.Contains([]byte(err.Error()), []byte("already known")) {
			err = nil
		}
		return answer, err
	})
	errs := []error{errors.New("send transaction: no node takes it")}
	for range of {
		a := <-in
		if a.err == nil {
			return nil
		}
		errs = append(errs, a.err)
	}
	return errors.Join(errs...)
}
