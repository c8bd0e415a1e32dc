package faulttest

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// block is how long a block takes while a service runs.
const block = 60 * time.Millisecond

// settle mines until all that was taken is final by the service's word, and fails after too long.
func (s *service) settle(patience time.Duration) {
	s.Helper()
	deadline := time.Now().Add(patience)
	why := error(nil)
	for next := time.Now(); ; s.chain.mine(1) {
		if time.Now().After(next) {
			if why = s.unsettled(); why == nil {
				return
			}
			next = time.Now().Add(time.Second)
		}
		if time.Now().After(deadline) {
			s.Errorf("not all is final after %s: %v", patience, why)
			return
		}
		wait(context.Background(), block)
	}
}

// unsettled returns what is not final yet.
func (s *service) unsettled() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	batches, err := s.allBatches(ctx)
	if err != nil {
		return err
	}
	sealed := uint64(0)
	for _, b := range batches {
		if b.State != proofs.StateFinalized {
			return fmt.Errorf("batch %d is %s", b.Number, b.State)
		}
		sealed = b.First + b.Size
	}
	for id, a := range s.promises {
		if a.Promise.Index >= sealed {
			return fmt.Errorf("message %s has index %d and %d are in batches", id, a.Promise.Index, sealed)
		}
	}
	return nil
}

func (s *service) allBatches(ctx context.Context) (all []client.Batch, err error) {
	for {
		page, err := s.client.Batches(ctx, uint64(len(all)), 500)
		if err != nil || len(page) == 0 {
			return all, err
		}
		all = append(all, page...)
	}
}

// check holds every promise against the API's receipts and the chain, and returns how much is lost.
func (s *service) verify(maxFee uint64, capTx, capDay *big.Int) (lost int) {
	s.Helper()
	note := func(err error) {
		if err != nil {
			lost++
			s.Error(err)
		}
	}
	ctx := context.Background()
	v := verifier{client: s.harness.client, log: s.harness.log, submitter: submitter.Address(), maxFee: maxFee}
	batches, err := s.allBatches(ctx)
	if err != nil {
		s.Fatal(err)
	}
	next, sealed := uint64(0), make([]proofs.Sealed, len(batches))
	for i, b := range batches {
		if b.Number != uint64(i) || b.First != next || b.Size == 0 {
			note(fmt.Errorf("batch %d is number %d, %d entries from %d, want from %d", i, b.Number, b.Size, b.First, next))
		}
		next = b.First + b.Size
		sealed[i] = proofs.Sealed{Batch: b.Batch, State: b.State, Tx: b.Tx, Anchor: &proofs.Anchor{Block: b.Block}}
	}
	note(v.anchored(ctx, sealed))
	note(s.spent(&v, capTx, capDay))
	seen := map[uint64]bool{}
	for id, a := range s.promises {
		file, err := s.client.Receipt(ctx, id)
		if err == nil {
			err = v.receipt(ctx, id, file, operator.Address())
		}
		if err != nil {
			note(fmt.Errorf("message %s: %w", id, err))
			continue
		}
		rc, err := proofs.ParseReceipt(file)
		if err != nil || rc.Entry.Index != a.Promise.Index || rc.Entry.Leaf() != a.Promise.Leaf || seen[rc.Entry.Index] {
			note(fmt.Errorf("message %s was promised place %d and has %d, seen before %v: %v", id, a.Promise.Index, rc.Entry.Index, seen[rc.Entry.Index], err))
		}
		seen[rc.Entry.Index] = true
	}
	for _, err := range s.refused {
		note(err)
	}
	return lost
}

// spent holds what the submitter paid for calls of the contract, by the chain's blocks, against the caps: each
// transaction in the worst case, and all of any 24 hours of the chain as paid.
func (s *service) spent(v *verifier, capTx, capDay *big.Int) error {
	ctx := context.Background()
	head, err := v.client.BlockNumber(ctx)
	if err != nil {
		return err
	}
	type payment struct {
		time uint64
		wei  *big.Int
	}
	var paid []payment
	for n := uint64(0); n <= head; n++ {
		b, err := v.client.BlockByNumber(ctx, new(big.Int).SetUint64(n))
		if err != nil {
			return fmt.Errorf("read block %d: %w", n, err)
		}
		for _, tx := range b.Transactions() {
			from, err := types.Sender(types.LatestSignerForChainID(tx.ChainId()), tx)
			if err != nil || proofs.Address(from) != v.submitter || tx.To() == nil || *tx.To() != common.Address(v.log.AnchorLog) {
				continue
			}
			if worst := new(big.Int).Mul(tx.GasFeeCap(), new(big.Int).SetUint64(tx.Gas())); worst.Cmp(capTx) > 0 {
				return fmt.Errorf("transaction %s could cost %d wei, over %d", tx.Hash(), worst, capTx)
			}
			if v.maxFee > 0 && tx.GasFeeCap().Cmp(new(big.Int).SetUint64(v.maxFee)) > 0 {
				return fmt.Errorf("transaction %s may pay %d wei per gas, over %d", tx.Hash(), tx.GasFeeCap(), v.maxFee)
			}
			r, err := v.client.TransactionReceipt(ctx, tx.Hash())
			if err != nil {
				return fmt.Errorf("read receipt of %s: %w", tx.Hash(), err)
			}
			paid = append(paid, payment{b.Time(), new(big.Int).Mul(r.EffectiveGasPrice, new(big.Int).SetUint64(r.GasUsed))})
		}
	}
	sum, first := new(big.Int), 0
	for _, p := range paid {
		for sum.Add(sum, p.wei); paid[first].time+24*3600 <= p.time; first++ {
			sum.Sub(sum, paid[first].wei)
		}
		if sum.Cmp(capDay) > 0 {
			return fmt.Errorf("%d wei were paid in 24 hours, over %d", sum, capDay)
		}
	}
	s.Logf("%d transactions of the service, %d wei in the last 24 hours", len(paid), sum)
	return nil
}
