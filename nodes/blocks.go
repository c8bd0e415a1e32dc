package nodes

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
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

// key covers the fields that the hash commits to as well: whose block is believed could be a liar.
func (b *Block) key() string {
	if b == nil {
		return ""
	}
	return fmt.Sprintf("%d %s %d %v", b.Number, b.Hash, b.Time, b.BaseFee)
}

// ChainID returns the chain that the nodes are on. Nodes that name another are not listened to until
// they name the right one. It returns ErrOtherChain if that is so of enough of them.
func (q *Quorum) ChainID(ctx context.Context) (uint64, error) {
	id, err := vote[uint64]{what: "read chain id", of: q.nodes, anyChain: true,
		f:   func(ctx context.Context, n *node) (uint64, error) { return n.askChain(ctx) },
		key: func(id uint64) string { return fmt.Sprint(id) },
	}.ask(ctx, q)
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

// askChain asks the node for its chain and keeps the answer.
func (n *node) askChain(ctx context.Context) (uint64, error) {
	id, err := must[hexutil.Uint64](ctx, n, "eth_chainId")
	if err == nil && id == 0 {
		err = errors.New("it says that its chain is 0")
	}
	if err == nil {
		n.mu.Lock()
		n.chain = uint64(id)
		n.mu.Unlock()
	}
	return uint64(id), err
}

// vouch asks a node that did not yet name its chain for it, and returns an error if it is another.
func (q *Quorum) vouch(ctx context.Context, n *node) error {
	q.mu.Lock()
	want := q.chainID
	q.mu.Unlock()
	n.mu.Lock()
	id := n.chain
	n.mu.Unlock()
	if want == 0 || id == want {
		return nil
	}
	if id == 0 {
		if _, err := n.askChain(ctx); err != nil {
			return err
		}
	}
	if why := q.wrong(n); why != "" {
		return &nodeError{name: n.Name, text: why, stated: true}
	}
	return nil
}

// readBlock returns the canonical block of a tag or a hex number, and nil if the node has none.
func readBlock(ctx context.Context, n *node, tag string) (*Block, error) {
	type wire struct {
		Number  *hexutil.Uint64 `json:"number"`
		Hash    *common.Hash    `json:"hash"`
		Time    *hexutil.Uint64 `json:"timestamp"`
		BaseFee *hexutil.Big    `json:"baseFeePerGas"`
	}
	raw, err := call[wire](ctx, n, "eth_getBlockByNumber", tag, false)
	if err != nil || raw == nil {
		return nil, err
	}
	if raw.Number == nil || raw.Hash == nil || raw.Time == nil {
		return nil, errors.New("its block has no number, hash or timestamp")
	}
	return &Block{uint64(*raw.Number), proofs.Hash(*raw.Hash), uint64(*raw.Time), (*big.Int)(raw.BaseFee)}, nil
}

// Head returns the newest block that enough nodes have on their chain; where they are on different forks,
// one that is at most as far below the fork as they are above it. Nodes are asked for their chain
// again, and those of another one are left out. Nodes that are slow are waited for, up to Timeout, only if
// the head would go back without them.
func (q *Quorum) Head(ctx context.Context) (*Block, error) {
	if _, err := q.ChainID(ctx); err != nil {
		return nil, err
	}
	heads, err := collect(ctx, q, "read head", func(ctx context.Context, n *node) (*Block, error) {
		b, err := readBlock(ctx, n, "latest")
		if err == nil && b == nil {
			err = errNull
		}
		if err == nil {
			n.note(func(h *Health) { h.Head = b.Number })
		}
		return b, err
	}, func(got []answer[*Block]) bool { return q.common(got) >= q.last("latest") })
	if err != nil {
		return nil, err
	}
	b, err := q.reach(ctx, "read head", heads)
	if err == nil {
		q.setLast("latest", b.Number)
	}
	return b, err
}

// Tagged returns the newest block that enough nodes call safe or finalized, and nil if enough of them
// name none or know no such tag.
func (q *Quorum) Tagged(ctx context.Context, tag string) (*Block, error) {
	what := "read block " + tag
	named := func(got []answer[*Block]) []answer[*Block] {
		return slices.DeleteFunc(slices.Clone(got), func(a answer[*Block]) bool { return a.value == nil })
	}
	said, err := collect(ctx, q, what, func(ctx context.Context, n *node) (*Block, error) {
		b, err := readBlock(ctx, n, tag)
		if namesNone(err) {
			return nil, nil
		}
		return b, err
	}, func(got []answer[*Block]) bool {
		some := named(got)
		return len(got)-len(some) >= q.cfg.Need || len(some) >= q.cfg.Need && q.common(some) >= q.last(tag)
	})
	if err != nil {
		return nil, err
	}
	some := named(said)
	switch {
	case len(some) >= q.cfg.Need:
	case len(said)-len(some) >= q.cfg.Need:
		return nil, nil
	default:
		return nil, fmt.Errorf("%s: %w: %d name one, %d none, and %d must", what, ErrNoQuorum, len(some), len(said)-len(some), q.cfg.Need)
	}
	b, err := q.reach(ctx, what, some)
	if err == nil {
		q.setLast(tag, b.Number)
	}
	return b, err
}

// namesNone tells whether a node answers that it has no block of a tag, or that it does not know the tag:
// nodes have no word for it that is the same everywhere.
func namesNone(err error) bool {
	var stated rpc.Error
	if !errors.As(err, &stated) {
		return false
	}
	text := strings.ToLower(stated.Error())
	code := stated.ErrorCode()
	return code == -32602 || code == -39001 || strings.Contains(text, "not found") || strings.Contains(text, "unknown block")
}

// maxStep is how far below the newest head a common block is looked for, doubled each time: down to 511
// blocks, which is more than nodes of one chain differ for long.
const maxStep = 256

// common returns the largest number that Need of the blocks reach.
func (q *Quorum) common(blocks []answer[*Block]) uint64 {
	var numbers []uint64
	for _, a := range blocks {
		numbers = append(numbers, a.value.Number)
	}
	slices.Sort(numbers)
	return numbers[len(numbers)-q.cfg.Need]
}

// candidates returns the numbers at which enough of the nodes may agree, the best first: the largest that
// enough reach, what single nodes name below it, and steps down for nodes that are on different forks.
func (q *Quorum) candidates(said []answer[*Block]) []uint64 {
	top := q.common(said)
	all := []uint64{top}
	for step, below := uint64(1), uint64(0); step <= maxStep; step *= 2 {
		below += step
		all = append(all, top-min(top, below))
	}
	for _, a := range said {
		if n := a.value.Number; n < top && n >= all[len(all)-1] {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b uint64) int {
		if a > b {
			return -1
		}
		return 1
	})
	return slices.Compact(all)
}

// reach returns the newest block that enough of the nodes have, which named the blocks said. One number is
// tried after the other; a node that does not answer holds it up for the grace only.
func (q *Quorum) reach(ctx context.Context, what string, said []answer[*Block]) (*Block, error) {
	type outcome struct {
		block *Block
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	numbers := q.candidates(said)
	outcomes := make(chan outcome, len(numbers))
	var first error // says most
	for tried, pending, due := 0, 0, false; ; {
		if tried < len(numbers) && (pending == 0 || due) {
			number := numbers[tried]
			go func() {
				b, err := q.at(ctx, what, said, number)
				outcomes <- outcome{b, err}
			}()
			tried++
			pending++
			due = false
		}
		timer := time.NewTimer(q.cfg.Grace)
		select {
		case o := <-outcomes:
			timer.Stop()
			if o.err == nil {
				return o.block, nil
			}
			pending--
			if first == nil {
				first = o.err
			}
			if pending == 0 && (tried == len(numbers) || ctx.Err() != nil) {
				return nil, first
			}
		case <-timer.C:
			due = true
		}
	}
}

// at returns the block of that number that enough of the nodes have that said to be as far. What they
// said just now is not asked again.
func (q *Quorum) at(ctx context.Context, what string, said []answer[*Block], number uint64) (*Block, error) {
	known := map[*node]*Block{}
	var of []*node
	var here []answer[*Block]
	for _, a := range said {
		if a.value.Number >= number {
			of = append(of, a.node)
		}
		if a.value.Number == number {
			known[a.node] = a.value
			here = append(here, a)
		}
	}
	if k, n := largest(here, (*Block).key); n >= q.cfg.Need {
		return agreed(here, k, (*Block).key)[0], nil
	}
	return vote[*Block]{what: fmt.Sprintf("%s at block %d", what, number), of: of, key: (*Block).key,
		f: func(ctx context.Context, n *node) (*Block, error) {
			if b := known[n]; b != nil {
				return b, nil
			}
			b, err := readBlock(ctx, n, hexutil.EncodeUint64(number))
			if err == nil && (b == nil || b.Number != number) {
				err = fmt.Errorf("it does not have block %d", number)
			}
			return b, err
		}}.ask(ctx, q)
}

// BlockAt returns the block of that number on the chain of enough nodes, or ErrNotFound. Nodes that are
// behind are not asked for what they cannot know.
func (q *Quorum) BlockAt(ctx context.Context, number uint64) (*Block, error) {
	what := fmt.Sprintf("read block %d", number)
	b, err := vote[*Block]{what: what, of: q.listened(), key: (*Block).key, again: q.behind,
		f: func(ctx context.Context, n *node) (*Block, error) {
			b, err := readBlock(ctx, n, hexutil.EncodeUint64(number))
			switch {
			case err == nil && b == nil && n.head() < number && number <= q.last("latest"):
				err = errBehind
			case err == nil && b != nil && b.Number != number:
				err = fmt.Errorf("it answers with block %d", b.Number)
			}
			return b, err
		}}.ask(ctx, q)
	if err == nil && b == nil {
		err = fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return b, err
}

// lags returns how many blocks the node was behind the head, as far as it was asked.
func (q *Quorum) lags(n *node) uint64 {
	last := q.last("latest")
	return last - min(last, n.head())
}

// behind tells whether a node that answers that it cannot know will know in a moment.
func (q *Quorum) behind(n *node, _ *Block, err error) bool {
	lag := q.lags(n)
	return errors.Is(err, errBehind) && lag > 0 && lag <= smallLag
}
