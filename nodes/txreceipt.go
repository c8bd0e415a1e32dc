package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/hansard-dao/hansard/proofs"
)

// TxReceipt is a transaction's receipt of any EIP-2718 type, as eth_getTransactionReceipt returns it. What
// Encode covers is committed to by the block's header; the rest is the nodes' word.
type TxReceipt struct {
	Type          uint64
	Status        uint64 // 1: it succeeded
	CumulativeGas uint64
	Bloom         []byte // 256 bytes
	Logs          []*types.Log
	// DepositNonce and DepositVersion are part of the receipts of deposits on the OP stack, type 0x7e.
	DepositNonce, DepositVersion *uint64

	Tx          proofs.Hash
	Block       proofs.Hash
	BlockNumber uint64
	Index       uint64   // in its block
	GasUsed     uint64   // by this transaction
	Price       *big.Int // wei per gas that it paid; nil where nodes do not say, or not the same
	L1Fee       *big.Int // wei that an OP-stack chain charged for its data; nil: none
}

// wireReceipt is a receipt as nodes write it. Pointers tell what is missing.
type wireReceipt struct {
	Type           *hexutil.Uint64 `json:"type"`
	Status         *hexutil.Uint64 `json:"status"`
	Root           *hexutil.Bytes  `json:"root"`
	CumulativeGas  *hexutil.Uint64 `json:"cumulativeGasUsed"`
	Bloom          *hexutil.Bytes  `json:"logsBloom"`
	Logs           []*types.Log    `json:"logs"`
	DepositNonce   *hexutil.Uint64 `json:"depositNonce"`
	DepositVersion *hexutil.Uint64 `json:"depositReceiptVersion"`
	Tx             *common.Hash    `json:"transactionHash"`
	Block          *common.Hash    `json:"blockHash"`
	BlockNumber    *hexutil.Uint64 `json:"blockNumber"`
	Index          *hexutil.Uint64 `json:"transactionIndex"`
	GasUsed        *hexutil.Uint64 `json:"gasUsed"`
	Price          *hexutil.Big    `json:"effectiveGasPrice"`
	L1Fee          *hexutil.Big    `json:"l1Fee"`
}

// UnmarshalJSON reads what a node returns, of which nothing that Encode or a caller needs may be missing.
func (r *TxReceipt) UnmarshalJSON(b []byte) error {
	var w wireReceipt
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	if w.Status == nil && w.Root != nil {
		return errors.New("read transaction receipt: it is from before Byzantium, when receipts had a state root and no status")
	}
	if w.Status == nil || w.Logs == nil || w.CumulativeGas == nil || w.Bloom == nil || w.Tx == nil || w.Block == nil ||
		w.BlockNumber == nil || w.Index == nil || w.GasUsed == nil {
		return errors.New("read transaction receipt: a field is missing")
	}
	if *w.Status > 1 {
		return fmt.Errorf("read transaction receipt: there is no status %d", *w.Status)
	}
	if len(*w.Bloom) != types.BloomByteLength {
		return fmt.Errorf("read transaction receipt: its bloom has %d bytes", len(*w.Bloom))
	}
	for _, l := range w.Logs {
		if l == nil {
			return errors.New("read transaction receipt: a log is missing")
		}
		// Where it is follows from the receipt, whatever the node says.
		l.BlockNumber, l.BlockHash, l.BlockTimestamp = uint64(*w.BlockNumber), *w.Block, 0
		l.TxHash, l.TxIndex, l.Removed = *w.Tx, uint(*w.Index), false
	}
	*r = TxReceipt{
		Status: uint64(*w.Status), CumulativeGas: uint64(*w.CumulativeGas), Bloom: *w.Bloom, Logs: w.Logs,
		DepositNonce: (*uint64)(w.DepositNonce), DepositVersion: (*uint64)(w.DepositVersion),
		Tx: proofs.Hash(*w.Tx), Block: proofs.Hash(*w.Block), BlockNumber: uint64(*w.BlockNumber), Index: uint64(*w.Index),
		GasUsed: uint64(*w.GasUsed), Price: (*big.Int)(w.Price), L1Fee: (*big.Int)(w.L1Fee),
	}
	if w.Type != nil {
		r.Type = uint64(*w.Type)
	}
	if r.Type == depositType && r.DepositVersion != nil && r.DepositNonce == nil {
		return errors.New("read transaction receipt: a deposit has a version and no nonce")
	}
	if r.Type > 0x7f {
		return fmt.Errorf("read transaction receipt: there is no type %d", r.Type)
	}
	return nil
}

// depositType is that of transactions that OP-stack chains make themselves.
// https://specs.optimism.io/protocol/deposits.html
const depositType = 0x7e

// Encode returns the bytes that the block's receipts trie holds: RLP, after a byte for the type if that is
// not 0.
func (r *TxReceipt) Encode() ([]byte, error) {
	type log struct {
		Address common.Address
		Topics  []common.Hash
		Data    []byte
	}
	logs := []log{}
	for _, l := range r.Logs {
		logs = append(logs, log{l.Address, l.Topics, l.Data})
	}
	fields := []any{r.Status, r.CumulativeGas, r.Bloom, logs}
	// From Regolith to Canyon deposits have a nonce that the trie does not hold; a version tells that it does.
	if r.Type == depositType && r.DepositVersion != nil {
		if r.DepositNonce == nil {
			return nil, errors.New("encode transaction receipt: a deposit has a version and no nonce")
		}
		fields = append(fields, *r.DepositNonce, *r.DepositVersion)
	}
	b, err := rlp.EncodeToBytes(fields)
	if err != nil {
		return nil, fmt.Errorf("encode transaction receipt: %w", err)
	}
	if r.Type > 0 {
		b = append([]byte{byte(r.Type)}, b...)
	}
	return b, nil
}

// key is the same for the same receipt in the same place, which is what is voted on.
func (r *TxReceipt) key() string {
	if r == nil {
		return ""
	}
	b, err := r.Encode()
	if err != nil {
		return err.Error()
	}
	var first uint // place of its logs in the block, which the receipt does not hold
	if len(r.Logs) > 0 {
		first = r.Logs[0].Index
	}
	return fmt.Sprintf("%s %s %s %d %d %d %d", r.Tx, proofs.Keccak(b), r.Block, r.BlockNumber, r.Index, r.GasUsed, first)
}

// paidKey is key with what it cost.
func (r *TxReceipt) paidKey() string {
	if r == nil {
		return ""
	}
	return fmt.Sprintf("%s/%v %v", r.key(), r.Price, r.L1Fee)
}
