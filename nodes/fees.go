package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/hansard-dao/hansard/proofs"
)

// middle sorts numbers and returns the lower of the middle two.
func middle[T any](got []answer[T], compare func(a, b T) int) T {
	slices.SortFunc(got, func(a, b answer[T]) int { return compare(a.value, b.value) })
	return got[(len(got)-1)/2].value
}

// Tip returns the median of the priority fees that nodes suggest, in wei per gas, the lower one of two.
func (q *Quorum) Tip(ctx context.Context) (*big.Int, error) {
	got, err := collect(ctx, q, "read tip", func(ctx context.Context, n *node) (*big.Int, error) {
		v, err := must[hexutil.Big](ctx, n, "eth_maxPriorityFeePerGas")
		return v.ToInt(), err
	}, func([]answer[*big.Int]) bool { return true })
	if err != nil {
		return nil, err
	}
	return middle(got, (*big.Int).Cmp), nil
}

// PendingNonce returns the median of the account's next nonces as pools see it, the lower one of two. It may
// be behind.
func (q *Quorum) PendingNonce(ctx context.Context, of proofs.Address) (uint64, error) {
	got, err := collect(ctx, q, "read pending nonce", func(ctx context.Context, n *node) (hexutil.Uint64, error) {
		return must[hexutil.Uint64](ctx, n, "eth_getTransactionCount", common.Address(of), "pending")
	}, func([]answer[hexutil.Uint64]) bool { return true })
	if err != nil {
		return 0, err
	}
	return uint64(middle(got, cmp.Compare[hexutil.Uint64])), nil
}

// estimate is how much gas a call takes, or with what it reverts.
type estimate struct {
	gas uint64
	result
}

// EstimateGas returns the median of what nodes estimate for a call on their newest block, the higher one of
// two. Nodes that are slow are waited for if the others differ by more than a quarter. If enough nodes say
// that it reverts with the same data, the error is an rpc.DataError with that, as hex.
//
// The call carries value, in wei; nil is none.
func (q *Quorum) EstimateGas(ctx context.Context, from, to proofs.Address, value *big.Int, data []byte) (uint64, error) {
	const what = "estimate gas"
	args := map[string]any{"from": common.Address(from), "to": common.Address(to), "input": hexutil.Bytes(data)}
	if value != nil {
		args["value"] = (*hexutil.Big)(value)
	}
	gas := func(got []answer[estimate]) (all []uint64) {
		for _, a := range got {
			if !a.value.reverted {
				all = append(all, a.value.gas)
			}
		}
		slices.Sort(all)
		return all
	}
	reverts := func(got []answer[estimate]) (string, int) {
		return largest(slices.DeleteFunc(slices.Clone(got), func(a answer[estimate]) bool { return !a.value.reverted }),
			func(e estimate) string { return string(e.data) })
	}
	need := q.cfg.Need
	got, err := collect(ctx, q, what, func(ctx context.Context, n *node) (estimate, error) {
		v, err := must[hexutil.Uint64](ctx, n, "eth_estimateGas", args)
		if data, ok := reverted(err); ok {
			return estimate{0, result{data, true}}, nil
		}
		if err == nil && v == 0 {
			err = errors.New("it says that the call takes no gas")
		}
		return estimate{gas: uint64(v)}, err
	}, func(got []answer[estimate]) bool {
		all := gas(got)
		for i := 0; i+need <= len(all); i++ {
			if low, high := all[i], all[i+need-1]; high-low <= low/4 {
				return true
			}
		}
		_, n := reverts(got)
		return n >= need
	})
	if err != nil {
		return 0, err
	}
	if data, n := reverts(got); n >= need {
		return 0, &revert{what, []byte(data)}
	}
	all := gas(got)
	if len(all) < need {
		return 0, fmt.Errorf("%s: %w: %d estimate it, %d say that it reverts, and %d must", what, ErrNoQuorum, len(all), len(got)-len(all), need)
	}
	return all[len(all)/2], nil
}

// has tells from a node's error that it has the transaction already. Nodes have no word for it that is the
// same everywhere: geth says "already known", Nethermind AlreadyKnown, Besu "Known transaction", others
// "already imported".
func has(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(text, " ", ""))
	return strings.Contains(text, "alreadyknown") || strings.Contains(text, "alreadyimported") || strings.HasPrefix(text, "knowntransaction")
}

// Send hands a signed transaction to all nodes. It returns nil if one takes it or has it already, unless
// Need or more nodes refuse it and fewer take it; and otherwise what each of them answers. An error does not
// mean that it will not be mined.
func (q *Quorum) Send(ctx context.Context, raw []byte) error {
	tx := proofs.Keccak(raw)
	p := &poll[proofs.Hash]{q: q, f: func(ctx context.Context, n *node) (proofs.Hash, error) {
		answer, err := must[proofs.Hash](ctx, n, "eth_sendRawTransaction", hexutil.Bytes(raw))
		switch {
		case err != nil && has(err.Error()):
			return tx, nil
		case err == nil && answer != tx:
			err = fmt.Errorf("it answers with transaction %s", answer)
		}
		return answer, err
	}}
	p.rule = func(p *poll[proofs.Hash]) ruling {
		if len(p.got) > 0 {
			return good // and the others may take it too
		}
		return open
	}
	p.run(ctx, q.listened())
	took, no := len(p.got), &refusal{need: q.cfg.Need}
	for _, e := range p.errs {
		if e.stated {
			no.texts = append(no.texts, strings.ToLower(e.text))
		}
	}
	if took > 0 && (len(no.texts) < q.cfg.Need || took >= q.cfg.Need) {
		return nil
	}
	if err := ctx.Err(); took == 0 && err != nil {
		return fmt.Errorf("send transaction: %w", err)
	}
	said := fmt.Sprintf("send transaction: %d of %d nodes take it", took, q.Len())
	if took == 0 {
		said = "send transaction: no node takes it"
	}
	no.error = errors.Join(append([]error{errors.New(said)}, p.troubles()...)...)
	return no
}

// refusal is the error of Send with what nodes stated, in lower case.
type refusal struct {
	error
	texts []string
	need  int
}

func (r *refusal) Unwrap() error { return r.error }

// Refused tells whether an error of Send says that enough nodes refuse the transaction with that word, such
// as underpriced. What fewer say may be a lie, and dear to act on.
func Refused(err error, word string) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	n := 0
	for _, text := range r.texts {
		if strings.Contains(text, word) {
			n++
		}
	}
	return n >= r.need
}
