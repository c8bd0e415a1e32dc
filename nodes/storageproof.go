package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// storageProof is a node's answer to eth_getProof for one slot, in what is used of it.
type storageProof struct {
	Account []hexutil.Bytes `json:"accountProof"`
	Storage []struct {
		Proof []hexutil.Bytes `json:"proof"`
	} `json:"storageProof"`
}

// StorageProof returns what proofs.VerifyStorage takes: the RLP of the block's header and the trie nodes down to a slot of a
// contract after the block, of the first node whose answer holds under that header. It returns ErrNotFound if enough nodes do
// not have the block. Many nodes keep the state of the last 128 blocks only.
func (q *Quorum) StorageProof(ctx context.Context, block proofs.Hash, account proofs.Address, slot proofs.Hash) (header []byte, accountProof, slotProof [][]byte, err error) {
	if header, err = q.Header(ctx, block); err != nil {
		return nil, nil, nil, err
	}
	h, err := proofs.ParseHeader(header)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("read header %s: %w", block, err)
	}
	at := rpc.BlockNumberOrHashWithHash(common.Hash(block), false)
	what := fmt.Sprintf("prove slot %s of %s at block %s", slot, account, block)
	_, err = first(ctx, q, what, func(ctx context.Context, n *node) (*storageProof, error) {
		p, err := orAbsent(call[storageProof](ctx, n, "eth_getProof", common.Address(account), []proofs.Hash{slot}, at))
		var stated rpc.Error
		if errors.As(err, &stated) { // it may know blocks by their numbers only
			p, err2 := orAbsent(call[storageProof](ctx, n, "eth_getProof", common.Address(account), []proofs.Hash{slot}, hexutil.Uint64(h.Number)))
			if err2 != nil {
				err2 = fmt.Errorf("%s; and by number: %w", err, err2)
			}
			return p, err2
		}
		return p, err
	}, func(p *storageProof) error {
		if len(p.Storage) != 1 {
			return errors.New("its answer is not about the one slot that was asked for")
		}
		accountProof, slotProof = raw(p.Account), raw(p.Storage[0].Proof)
		_, err := proofs.VerifyStorage(h.StateRoot, account, accountProof, slot, slotProof)
		if err != nil {
			err = fmt.Errorf("what it returned is no proof: %w", err)
		}
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	return header, accountProof, slotProof, nil
}

// raw returns the nodes of a trie. An empty trie has none, though some nodes name the empty string that it hashes.
func raw(nodes []hexutil.Bytes) [][]byte {
	if len(nodes) == 1 && bytes.Equal(nodes[0], []byte{0x80}) {
		return nil
	}
	all := make([][]byte, len(nodes))
	for i, n := range nodes {
		all[i] = n
	}
	return all
}
