package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// Header returns the RLP of a block's header, of any node: it hashes to the block's hash. It returns
// ErrNotFound if enough nodes do not have the block and none gives it.
func (q *Quorum) Header(ctx context.Context, block proofs.Hash) ([]byte, error) {
	var raw []byte
	_, err := first(ctx, q, fmt.Sprintf("read header %s", block), func(ctx context.Context, n *node) (*types.Header, error) {
		return orAbsent(call[types.Header](ctx, n, "eth_getBlockByHash", common.Hash(block), false))
	}, func(h *types.Header) (err error) {
		raw, err = rlp.EncodeToBytes(h)
		if err == nil && proofs.Keccak(raw) != block {
			err = errors.New("what it returned does not hash to it: it is wrong, or the chain has a fork that needs a newer version of this program")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// BlockReceipts returns the receipts of a block, of the first node whose answer is accepted: accept
// holds what they encode to against the header's receipts root, and is called by one goroutine. Beside that
// Block and Index are sure; the other fields that Encode does not cover are one node's word. A node that
// cannot give all at once is asked for each.
func (q *Quorum) BlockReceipts(ctx context.Context, block proofs.Hash, accept func([]*TxReceipt) error) ([]*TxReceipt, error) {
	return first(ctx, q, fmt.Sprintf("read receipts of block %s", block), func(ctx context.Context, n *node) ([]*TxReceipt, error) {
		ctx = bulk(ctx)
		at := rpc.BlockNumberOrHashWithHash(common.Hash(block), false)
		all, err := orAbsent(call[[]*TxReceipt](ctx, n, "eth_getBlockReceipts", at))
		var stated rpc.Error
		if errors.As(err, &stated) { // it does not know the method, or not by hash, or the answer is too long for it
			one, err2 := oneByOne(ctx, n, block)
			if err2 != nil {
				err2 = fmt.Errorf("%s; and one by one: %w", err, err2)
			}
			return one, err2
		}
		if err != nil {
			return nil, err
		}
		return *all, nil
	}, func(all []*TxReceipt) error {
		if i := slices.Index(all, nil); i >= 0 {
			return fmt.Errorf("receipt %d is missing", i)
		}
		if err := accept(all); err != nil {
			return err
		}
		for i, r := range all { // proven by their order, whatever the node says
			r.Block, r.Index = block, uint64(i)
		}
		return nil
	})
}

// Limits of asking for the receipts of a block one by one.
const (
	maxBlockTxs = 10_000 // what fits into a block of 210M gas
	receiptsAt  = 100    // in one batch: what public nodes grant
)

// oneByOne returns the receipts of a block from a node that does not give them all at once.
func oneByOne(ctx context.Context, n *node, block proofs.Hash) ([]*TxReceipt, error) {
	type wire struct {
		Hash proofs.Hash   `json:"hash"`
		Txs  []proofs.Hash `json:"transactions"`
	}
	b, err := orAbsent(call[wire](ctx, n, "eth_getBlockByHash", common.Hash(block), false))
	if err != nil {
		return nil, err
	}
	if len(b.Txs) > maxBlockTxs {
		return nil, fmt.Errorf("it says that the block has %d transactions", len(b.Txs))
	}
	c, err := n.client(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]*TxReceipt, len(b.Txs))
	for chunk := range slices.Chunk(index(len(all)), receiptsAt) {
		var batch []rpc.BatchElem
		for _, i := range chunk {
			batch = append(batch, rpc.BatchElem{Method: "eth_getTransactionReceipt", Args: []any{b.Txs[i]}, Result: &all[i]})
		}
		if err := c.BatchCallContext(ctx, batch); err != nil {
			return nil, err
		}
		for k, i := range chunk {
			if err := batch[k].Error; err != nil {
				return nil, err
			}
			if all[i] == nil || all[i].Tx != b.Txs[i] {
				return nil, fmt.Errorf("receipt %d is missing or of another transaction", i)
			}
		}
	}
	return all, nil
}

// index returns 0 to n-1.
func index(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// errAbsent is what f of first returns when the node says that there is no such thing.
var errAbsent = fmt.Errorf("it does not have it: %w", errNull)

func orAbsent[T any](v *T, err error) (*T, error) {
	if err == nil && v == nil {
		err = errAbsent
	}
	return v, err
}

// first asks one node after the other, those that answered last time before others, and returns the
// first answer that is accepted.
func first[T any](ctx context.Context, q *Quorum, what string, f func(context.Context, *node) (T, error), accept func(T) error) (v T, err error) {
	of := q.listened()
	slices.SortStableFunc(of, func(a, b *node) int { return cmp.Compare(a.failed(), b.failed()) })
	p := &poll[T]{q: q, f: f, oneByOne: true}
	absent := 0
	p.rule = func(p *poll[T]) ruling {
		for _, a := range p.got {
			err := accept(a.value)
			if err == nil {
				v = a.value
				return settled
			}
			a.node.refused(err)
			p.errs = append(p.errs, a.node.fail(err, 0))
		}
		p.got, absent = nil, 0
		for _, e := range p.errs {
			if errors.Is(e, errNull) {
				absent++
			}
		}
		if absent >= q.cfg.Need {
			return good // nobody has it, unless somebody answers within the grace
		}
		return open
	}
	if p.run(ctx, of) == settled {
		return v, nil
	}
	var none T
	if err := ctx.Err(); err != nil {
		return none, fmt.Errorf("%s: %w", what, err)
	}
	why := ErrNoQuorum
	if absent >= q.cfg.Need {
		why = ErrNotFound
	}
	return none, errors.Join(append([]error{fmt.Errorf("%s: %w: no node gives it", what, why)}, p.troubles()...)...)
}

// refused notes that an answer does not prove itself.
func (n *node) refused(err error) {
	n.note(func(h *Health) {
		h.Outvoted++
		h.LastErr, h.LastFail = n.clean(err.Error()), time.Now()
	})
}

// failed is 1 for a node that did not answer when it was last asked.
func (n *node) failed() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.seen.Up && !n.seen.LastFail.IsZero() {
		return 1
	}
	return 0
}

// Limits of the logs that one node may give.
const (
	maxLogs = 10_000 // more in one question is no answer
	maxLone = 32     // that not enough others give
)

// Leads are logs that nodes find. They are no facts: look up their transactions, or prove what they say.
type Leads struct {
	// Sure are those that enough nodes give alike, in the order of the chain. BlockTimestamp is 0 unless enough
	// of them name the same.
	Sure []types.Log
	Rest []types.Log // of each node at most 32 that others do not give, in the same order
}

// Logs returns the logs that nodes find in blocks from to to, each once: Leads, first the sure ones. It returns an
// error if fewer than Need nodes answer.
func (q *Quorum) Logs(ctx context.Context, from, to uint64, of proofs.Address, topics ...proofs.Hash) ([]types.Log, error) {
	l, err := q.Leads(ctx, from, to, of, topics...)
	return append(l.Sure, l.Rest...), err
}

// Leads is Logs that tells what enough nodes give from what they do not.
func (q *Quorum) Leads(ctx context.Context, from, to uint64, of proofs.Address, topics ...proofs.Hash) (Leads, error) {
	filter := map[string]any{
		"fromBlock": hexutil.EncodeUint64(from), "toBlock": hexutil.EncodeUint64(to), "address": common.Address(of),
	}
	if len(topics) > 0 {
		filter["topics"] = topics
	}
	fits := func(l *types.Log) bool {
		if l.Removed || l.Address != common.Address(of) || l.BlockNumber < from || l.BlockNumber > to || len(l.Topics) < len(topics) {
			return false
		}
		for i, t := range topics {
			if proofs.Hash(l.Topics[i]) != t {
				return false
			}
		}
		return true
	}
	what := fmt.Sprintf("read logs of blocks %d to %d", from, to)
	got, err := collect(ctx, q, what, func(ctx context.Context, n *node) ([]types.Log, error) {
		logs, err := must[[]types.Log](bulk(ctx), n, "eth_getLogs", filter)
		if err == nil && len(logs) > maxLogs {
			err = fmt.Errorf("it finds %d logs in %d blocks", len(logs), to-from+1)
		}
		if err == nil && slices.ContainsFunc(logs, func(l types.Log) bool { return !fits(&l) }) {
			err = errors.New("it returns logs that were not asked for")
		}
		return logs, err
	}, func([]answer[[]types.Log]) bool { return true })
	if err != nil {
		return Leads{}, err
	}
	return q.leads(got), nil
}

// leads puts what nodes found into two lists.
func (q *Quorum) leads(got []answer[[]types.Log]) (l Leads) {
	type log struct {
		block, tx common.Hash
		index     uint
		content   string
	}
	named := func(l types.Log) log {
		return log{l.BlockHash, l.TxHash, l.Index, fmt.Sprintf("%x %x %d %d", l.Topics, l.Data, l.BlockNumber, l.TxIndex)}
	}
	given, times := map[log]int{}, map[log]map[uint64]int{}
	for _, a := range got {
		mine := map[log]bool{}
		for _, l := range a.value {
			if n := named(l); !mine[n] {
				mine[n] = true
				given[n]++
				if times[n] == nil {
					times[n] = map[uint64]int{}
				}
				times[n][l.BlockTimestamp]++
			}
		}
	}
	byPlace := func(a, b types.Log) int {
		return cmp.Or(cmp.Compare(a.BlockNumber, b.BlockNumber), cmp.Compare(a.Index, b.Index))
	}
	for _, a := range got {
		lone := 0
		for _, log := range slices.SortedStableFunc(slices.Values(a.value), byPlace) {
			n := named(log)
			switch votes := given[n]; {
			case votes == 0: // taken before
				continue
			case votes >= q.cfg.Need:
				log.BlockTimestamp = 0
				for time, votes := range times[n] {
					if votes >= q.cfg.Need {
						log.BlockTimestamp = time
					}
				}
				l.Sure = append(l.Sure, log)
			case lone < maxLone:
				l.Rest = append(l.Rest, log)
				lone++
			default:
				continue
			}
			given[n] = 0
		}
	}
	slices.SortStableFunc(l.Sure, byPlace)
	slices.SortStableFunc(l.Rest, byPlace)
	return l
}
