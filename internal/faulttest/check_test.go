package faulttest

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

// report says what was tried and what was lost, for the table.
func report(t *testing.T, tried, lost int) {
	t.Helper()
	t.Attr("tried", strconv.Itoa(tried))
	t.Attr("lost", strconv.Itoa(lost))
	if tried == 0 {
		t.Error("the fault did not happen")
	}
	if lost > 0 {
		t.Errorf("%d lost", lost)
	}
}

// check holds everything that was accepted against the log and the chain, and reports.
func (h *harness) check() {
	h.Helper()
	v := verifier{client: h.client, log: h.log, submitter: submitter.Address(), maxFee: h.maxFee}
	report(h.T, h.tried, v.check(h.T, h.db, h.accepted))
}

// verifier compares a log on disk with the chain, by the chain's own word.
type verifier struct {
	client    *ethclient.Client
	log       proofs.Chain
	submitter proofs.Address
	maxFee    uint64 // wei per gas that no transaction may exceed; 0: any
}

// check returns how many of the accepted messages and of the batches are lost in any way.
func (v *verifier) check(t *testing.T, db *storage.DB, accepted []proofs.Hash) (lost int) {
	t.Helper()
	note := func(err error) {
		if err != nil {
			lost++
			t.Error(err)
		}
	}
	batches, err := db.Batches(t.Context(), 0, 1_000_000)
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(0)
	for i, s := range batches {
		if s.Number != uint64(i) || s.First != next || s.Size == 0 {
			note(fmt.Errorf("batch %d is number %d, %d entries from %d, want from %d", i, s.Number, s.Size, s.First, next))
		}
		next = s.First + s.Size
		note(v.txs(&s))
	}
	note(v.anchored(t.Context(), batches))
	if got, err := db.Tail(t.Context()); err != nil || got.Sealed != next || got.Next != next {
		note(fmt.Errorf("the log ends with %d entries, %d of them in batches, and the batches have %d: %v", got.Next, got.Sealed, next, err))
	}
	if len(accepted) == 0 || uint64(len(accepted)) > next {
		note(fmt.Errorf("%d messages were accepted and the log has %d", len(accepted), next))
	}
	issuer := receipts.New(v.log, db, operator)
	seen := map[uint64]bool{}
	for _, id := range accepted {
		rc, err := issuer.Receipt(t.Context(), id)
		if err != nil {
			note(fmt.Errorf("message %s: %w", id, err))
			continue
		}
		if seen[rc.Entry.Index] {
			note(fmt.Errorf("message %s shares its place %d", id, rc.Entry.Index))
		}
		seen[rc.Entry.Index] = true
		note(v.receipt(t.Context(), id, rc.Format(), operator.Address()))
	}
	return lost
}

// receipt verifies a finalized receipt as a stranger would who asks the chain for the block's hash.
func (v *verifier) receipt(ctx context.Context, id proofs.Hash, file []byte, promiseKey proofs.Address) error {
	rc, err := proofs.ParseReceipt(file)
	if err != nil {
		return fmt.Errorf("message %s: %w", id, err)
	}
	if rc.Anchor == nil || rc.Level != proofs.Finalized {
		return fmt.Errorf("message %s has a receipt of level %v", id, rc.Level)
	}
	block, err := v.client.HeaderByNumber(ctx, new(big.Int).SetUint64(rc.Anchor.Block.Number))
	if err != nil {
		return fmt.Errorf("message %s: read block %d: %w", id, rc.Anchor.Block.Number, err)
	}
	r := proofs.Verify(file, proofs.Options{
		BlockHash: proofs.Hash(block.Hash()),
		Trust:     &proofs.Trust{Logs: []proofs.TrustedLog{{Chain: v.log, PromiseKeys: []proofs.Address{promiseKey}}}},
	})
	if _, err := r.Verified(); err != nil || r.Verdict != proofs.Valid {
		return fmt.Errorf("message %s: %s: %w; checks %v", id, r.Verdict, err, r.Checks)
	}
	if r.Receipt.Entry.Message != id {
		return fmt.Errorf("message %s has the receipt of %s", id, r.Receipt.Entry.Message)
	}
	return nil
}

// txs checks that the transaction that anchored the batch was in the journal, and that none there may cost more than was
// allowed.
func (v *verifier) txs(s *proofs.Sealed) error {
	journaled := func(raw []byte) bool { return proofs.Keccak(raw) == s.Tx }
	if s.State >= proofs.StateIncluded && !slices.ContainsFunc(s.Txs, journaled) {
		return fmt.Errorf("batch %d was anchored by transaction %s, which was sent before it was stored", s.Number, s.Tx)
	}
	for _, raw := range s.Txs {
		tx := new(types.Transaction)
		if err := tx.UnmarshalBinary(raw); err != nil {
			return fmt.Errorf("batch %d: %w", s.Number, err)
		}
		if limit := new(big.Int).SetUint64(v.maxFee); v.maxFee > 0 && tx.GasFeeCap().Cmp(limit) > 0 {
			return fmt.Errorf("batch %d: transaction %s may pay %d wei per gas, over %d", s.Number, tx.Hash(), tx.GasFeeCap(), limit)
		}
	}
	return nil
}

// anchored checks that the chain has exactly these batches, each once, in order, with their content, in the blocks and at
// the times that the log says.
func (v *verifier) anchored(ctx context.Context, batches []proofs.Sealed) error {
	contract := bindings.NewAnchorLog()
	logs, err := v.client.FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{common.Address(v.log.AnchorLog)}, FromBlock: new(big.Int),
		Topics: [][]common.Hash{{contract.GetABI().Events[bindings.AnchorLogAnchoredEventName].ID}, {common.Hash(v.log.Log)}},
	})
	if err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	var errs []error
	if len(logs) != len(batches) {
		errs = append(errs, fmt.Errorf("the chain has %d batches, the log %d", len(logs), len(batches)))
	}
	for i, l := range logs[:min(len(logs), len(batches))] {
		s := &batches[i]
		e, err := contract.UnpackAnchoredEvent(&l)
		if err != nil {
			return fmt.Errorf("read event %d: %w", i, err)
		}
		block, err := v.client.HeaderByNumber(ctx, new(big.Int).SetUint64(l.BlockNumber))
		if err != nil {
			return fmt.Errorf("read block %d: %w", l.BlockNumber, err)
		}
		if e.Number.Uint64() != s.Number || proofs.Hash(e.Root) != s.Root || e.First.Uint64() != s.First || e.Size.Uint64() != s.Size || proofs.Hash(e.Cid) != s.CID {
			errs = append(errs, fmt.Errorf("batch %d is on chain as %+v, in the log as %+v", i, e, s.Batch))
		}
		if s.State != proofs.StateFinalized || s.Anchor == nil {
			errs = append(errs, fmt.Errorf("batch %d is %s", i, s.State))
			continue
		}
		want := proofs.BlockRef{Number: l.BlockNumber, Hash: proofs.Hash(block.Hash())}
		known := len(s.Anchor.Header) > 0 // the API does not say the index; receipts do
		if s.Anchor.Block != want || known && s.Anchor.TxIndex != uint64(l.TxIndex) || s.Tx != proofs.Hash(l.TxHash) || s.Time != block.Time {
			errs = append(errs, fmt.Errorf("batch %d is in block %v, transaction %s at %d, time %d; on chain %v, %s at %d, %d",
				i, s.Anchor.Block, s.Tx, s.Anchor.TxIndex, s.Time, want, l.TxHash, l.TxIndex, block.Time))
		}
	}
	return errors.Join(errs...)
}
