package backup

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/hansard-dao/hansard/proofs"
)

// row is batches/NUMBER.json. Bytes are base64, integers over 32 bits decimal strings.
type row struct {
	Number    uint64      `json:"number,string"`
	State     string      `json:"state"`
	Root      proofs.Hash `json:"root"`
	First     uint64      `json:"first,string"`
	Size      uint64      `json:"size,string"`
	OpenedAt  uint64      `json:"openedAt,string"`
	SealedAt  uint64      `json:"sealedAt,string"`
	NotBefore proofs.Hash `json:"notBefore"`
	Deadline  uint64      `json:"deadline,string"`
	CID       proofs.Hash `json:"cid"` // SHA-256 digest inside the CID; zero: not pinned
	Txs       [][]byte    `json:"txs"` // signed, oldest first
	Spent     []rowSpent  `json:"spent"`
	Time      uint64      `json:"time,string"`
	Tx        proofs.Hash `json:"tx"`
	Anchor    *rowAnchor  `json:"anchor"` // null below included
}

type rowSpent struct {
	Tx   proofs.Hash `json:"tx"`
	Time uint64      `json:"time,string"`
	Gas  uint64      `json:"gas,string"`
	Wei  string      `json:"wei"`
}

type rowAnchor struct {
	BlockNumber uint64      `json:"blockNumber,string"`
	BlockHash   proofs.Hash `json:"blockHash"`
	TxIndex     uint64      `json:"txIndex"`
	LogIndex    uint64      `json:"logIndex"`
	Header      []byte      `json:"header"`
	Proof       [][]byte    `json:"proof"`
}

func newRow(s *proofs.Sealed) *row {
	r := &row{
		Number: s.Number, State: s.State.String(), Root: s.Root, First: s.First, Size: s.Size, OpenedAt: s.OpenedAt, SealedAt: s.SealedAt,
		NotBefore: s.NotBefore, Deadline: s.Deadline, CID: s.CID, Txs: s.Txs, Time: s.Time, Tx: s.Tx,
	}
	for _, p := range s.Spent {
		r.Spent = append(r.Spent, rowSpent{p.Tx, p.Time, p.Gas, p.Wei.String()})
	}
	if a := s.Anchor; a != nil {
		r.Anchor = &rowAnchor{a.Block.Number, a.Block.Hash, a.TxIndex, a.LogIndex, a.Header, a.Proof}
	}
	return r
}

func (r *row) sealed() (s proofs.Sealed, err error) {
	s = proofs.Sealed{
		Batch:    proofs.Batch{Number: r.Number, Root: r.Root, First: r.First, Size: r.Size, Time: r.Time, CID: r.CID},
		OpenedAt: r.OpenedAt, SealedAt: r.SealedAt, Deadline: r.Deadline, NotBefore: r.NotBefore, Txs: r.Txs, Tx: r.Tx,
	}
	if s.State, err = proofs.ParseState(r.State); err != nil {
		return s, err
	}
	for _, p := range r.Spent {
		wei, ok := new(big.Int).SetString(p.Wei, 10)
		if !ok || wei.Sign() < 0 || wei.String() != p.Wei {
			return s, fmt.Errorf("spent: %.80q is no amount of wei", p.Wei)
		}
		s.Spent = append(s.Spent, proofs.Spend{Tx: p.Tx, Time: p.Time, Gas: p.Gas, Wei: wei})
	}
	if a := r.Anchor; a != nil {
		s.Anchor = &proofs.Anchor{
			Block: proofs.BlockRef{Number: a.BlockNumber, Hash: a.BlockHash}, TxIndex: a.TxIndex, LogIndex: a.LogIndex, Header: a.Header, Proof: a.Proof,
		}
	}
	return s, nil
}

// checkBatch returns an error unless the batch is one that a store can hold after that many entries and batches, and its
// anchor, if it is final, is of that batch.
func checkBatch(s *proofs.Sealed, number, first, next uint64, c proofs.Chain) error {
	switch {
	case s.Number != number:
		return fmt.Errorf("it says that it is batch %d", s.Number)
	case s.First != first:
		return fmt.Errorf("it begins at %d, and the one before it ends at %d", s.First, first)
	case s.Size == 0 || s.Size > next-first:
		return fmt.Errorf("it has %d entries, and the log ends at %d", s.Size, next)
	case s.State < proofs.StateBatched:
		return fmt.Errorf("its state is %s", s.State)
	case s.State > proofs.StateBatched && s.CID.IsZero():
		return errors.New("it was signed for and has no payload")
	case (s.State >= proofs.StateIncluded) != (s.Anchor != nil):
		return fmt.Errorf("its state %s does not fit its anchor", s.State)
	case s.State < proofs.StateFinalized:
		return nil
	}
	if _, err := proofs.VerifyAnchor(s.Anchor, s.Batch, c); err != nil {
		return fmt.Errorf("its anchor: %w", err)
	}
	return nil
}
