package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	contract      = bindings.NewAnchorLog()
	anchoredEvent = contract.GetABI().Events[bindings.AnchorLogAnchoredEventName].ID
)

// maxConstructor is more than the creation code has in front of the code that it returns, in bytes.
const maxConstructor = 64

// Head is what a log holds on the chain.
type Head struct {
	Submitter proofs.Address // who may anchor; zero for nobody, or for a log that was never opened
	Batches   uint64         // the next batch's number
	Messages  uint64         // the next entry's index
}

// ReadHead returns the head of the log at the newest block of the nodes.
func ReadHead(ctx context.Context, q *nodes.Quorum, log proofs.Chain) (Head, error) {
	b, err := q.Head(ctx)
	if err != nil {
		return Head{}, err
	}
	return ReadHeadAt(ctx, q, log, b.Hash)
}

// ReadHeadAt is ReadHead at a block.
func ReadHeadAt(ctx context.Context, q *nodes.Quorum, log proofs.Chain, at proofs.Hash) (Head, error) {
	out, err := q.Call(ctx, at, log.AnchorLog, contract.PackHeads(log.Log))
	if err != nil {
		return Head{}, fmt.Errorf("read head of the log: %w", err)
	}
	h, err := contract.UnpackHeads(out)
	if err != nil {
		return Head{}, fmt.Errorf("read head of the log: no AnchorLog contract at %s: %w", log.AnchorLog, err)
	}
	return Head{proofs.Address(h.Submitter), uint64(h.Batches), h.Messages}, nil
}

// ReadRange returns the head of the log and the mountain range over its batches, as of a block.
func ReadRange(ctx context.Context, q *nodes.Quorum, log proofs.Chain, at proofs.Hash) (Head, proofs.Range, error) {
	h, err := ReadHeadAt(ctx, q, log, at)
	if err != nil {
		return Head{}, proofs.Range{}, err
	}
	r := proofs.Range{Count: h.Batches, Peaks: make([]proofs.Hash, bits.Len64(h.Batches))}
	for left := h.Batches; left != 0; left &= left - 1 {
		height := bits.TrailingZeros64(left)
		out, err := q.Call(ctx, at, log.AnchorLog, contract.PackPeak(log.Log, big.NewInt(int64(height))))
		if err != nil {
			return Head{}, proofs.Range{}, fmt.Errorf("read peak %d of log %s: %w", height, log.Log, err)
		}
		if r.Peaks[height], err = contract.UnpackPeak(out); err != nil {
			return Head{}, proofs.Range{}, fmt.Errorf("read peak %d of log %s: %w", height, log.Log, err)
		}
	}
	return h, r, nil
}

// view is what the nodes said at the beginning of a round.
type view struct {
	head    *nodes.Block
	safe    *nodes.Block // nil: nothing
	final   *nodes.Block // nil: nothing
	log     Head         // at head
	signer  Signer       // of the log's submitter at head
	nonce   uint64       // of the submitter at head: lower ones are consumed
	balance *big.Int     // of the submitter at head
	batches []proofs.Sealed
	waiting bool // an earlier batch of this round is not anchored
}

// own returns the account that anchors.
func (v *view) own() proofs.Address { return v.signer.Address() }

// covers reports whether b is at or above the block number. A nil block covers nothing.
func covers(b *nodes.Block, number uint64) bool { return b != nil && number <= b.Number }

// check asks, once, whether this is the chain, the contract and the key that were configured.
func (a *Anchorer) check(ctx context.Context) error {
	if a.checked {
		return nil
	}
	switch id, err := a.cfg.Nodes.ChainID(ctx); {
	case id != 0 && id != a.cfg.Log.ChainID:
		return fmt.Errorf("%w: the nodes are on chain %d and the configuration says %d: correct one of them", ErrFatal, id, a.cfg.Log.ChainID)
	case err != nil:
		return err
	}
	b, err := a.cfg.Nodes.Head(ctx)
	if err != nil {
		return err
	}
	code, err := a.cfg.Nodes.Code(ctx, b.Hash, a.cfg.Log.AnchorLog)
	if err != nil {
		return err
	}
	if err := checkCode(code, a.cfg.Log); err != nil {
		return err
	}
	head, err := ReadHeadAt(ctx, a.cfg.Nodes, a.cfg.Log, b.Hash)
	if err != nil {
		return err
	}
	if _, err := a.signerOf(head); err != nil {
		return err
	}
	a.checked = true
	return nil
}

// checkCode compares deployed code with what our creation code returns: its own end.
func checkCode(code []byte, log proofs.Chain) error {
	initcode := initcode()
	switch {
	case len(code) == 0:
		return fmt.Errorf("%w: no contract at %s on chain %d: deploy it, or correct the address", ErrFatal, log.AnchorLog, log.ChainID)
	case !bytes.HasSuffix(initcode, code) || len(initcode)-len(code) > maxConstructor:
		return fmt.Errorf("%w: the code at %s on chain %d is not the AnchorLog of this version: correct the address", ErrFatal, log.AnchorLog, log.ChainID)
	}
	return nil
}

// signerOf returns the signer of the log's submitter. Of several, the contract says whose turn it is: so
// the submitter is replaced without a batch that is missed.
func (a *Anchorer) signerOf(head Head) (Signer, error) {
	if head.Submitter.IsZero() {
		return nil, fmt.Errorf("%w: log %s has no submitter: open it, or correct its id", ErrFatal, a.cfg.Log.Log)
	}
	var ours []string
	for _, s := range a.cfg.Signers {
		if s.Address() == head.Submitter {
			return s, nil
		}
		ours = append(ours, s.Address().String())
	}
	return nil, fmt.Errorf("%w: the submitter of log %s is %s and the key is of %s: use that key, or let the log's owner set the submitter", ErrFatal, a.cfg.Log.Log, head.Submitter, strings.Join(ours, " or "))
}

// look reads the chain for a round. Everything but safe and final is read at one block.
func (a *Anchorer) look(ctx context.Context) (*view, error) {
	head, err := a.cfg.Nodes.Head(ctx)
	if err != nil {
		return nil, err
	}
	v := &view{head: head}
	if v.safe, v.final, err = a.lookFinal(ctx, head); err != nil {
		return nil, err
	}
	if err := a.checkFinal(ctx, v); err != nil {
		return nil, err
	}
	if v.log, err = ReadHeadAt(ctx, a.cfg.Nodes, a.cfg.Log, head.Hash); err != nil {
		return nil, err
	}
	if v.signer, err = a.signerOf(v.log); err != nil {
		if a.ours > 0 && head.Number <= a.ours {
			err = fmt.Errorf("the nodes went back to block %d, and a key of ours was the submitter at %d: %v", head.Number, a.ours, err)
		}
		return nil, err
	}
	a.ours = max(a.ours, head.Number)
	v.nonce, err = a.cfg.Nodes.Nonce(ctx, head.Hash, v.own())
	return v, err
}

// checkFinal returns an error if what the nodes call final is not on the chain under their head: what
// is final is never looked at again.
func (a *Anchorer) checkFinal(ctx context.Context, v *view) error {
	if v.final == nil || v.final.Hash.IsZero() {
		return nil
	}
	if v.final.Number > v.head.Number {
		return fmt.Errorf("read block finalized: the nodes name block %d, and their chain ends at %d", v.final.Number, v.head.Number)
	}
	b, err := a.canonical(ctx, v, v.final.Number)
	if err == nil && b.Hash != v.final.Hash {
		err = fmt.Errorf("read block finalized: the nodes name block %d, which is not on their own chain up to %d", v.final.Number, v.head.Number)
	}
	return err
}

// lookFinal returns the newest safe and final blocks. With Confirmations nothing is ever safe.
func (a *Anchorer) lookFinal(ctx context.Context, head *nodes.Block) (safe, final *nodes.Block, err error) {
	if n := a.cfg.Confirmations; n > 0 {
		if head.Number >= n {
			final = &nodes.Block{Number: head.Number - n}
		}
		return nil, final, nil
	}
	if safe, err = a.cfg.Nodes.Tagged(ctx, "safe"); err != nil {
		return nil, nil, err
	}
	final, err = a.cfg.Nodes.Tagged(ctx, "finalized")
	return safe, final, err
}

// canonical returns the block of that number on the chain under the view's head, and nil above it.
func (a *Anchorer) canonical(ctx context.Context, v *view, number uint64) (*nodes.Block, error) {
	if number > v.head.Number {
		return nil, nil
	}
	if a.at != v.head.Hash || a.blocks == nil {
		a.at, a.blocks = v.head.Hash, map[uint64]*nodes.Block{v.head.Number: v.head}
	}
	if b := a.blocks[number]; b != nil {
		return b, nil
	}
	b, err := a.cfg.Nodes.BlockAt(ctx, number)
	if err != nil {
		return nil, err
	}
	a.blocks[number] = b
	return b, nil
}

// inclusion is where a batch was found on the chain.
type inclusion struct {
	tx      proofs.Hash
	time    uint64 // of the block
	anchor  proofs.Anchor
	adopted bool // the transaction is not in the store
}

// find looks for the batch on the chain: by every transaction of ours, and, where the log has gone past
// its number, by the event. in is nil if the batch is not there. spent is what its transactions cost
// that stand in canonical blocks.
func (a *Anchorer) find(ctx context.Context, v *view, s *proofs.Sealed) (in *inclusion, spent []proofs.Spend, err error) {
	all, err := journal(s)
	if err != nil {
		return nil, nil, err
	}
	for i := range all {
		found, cost, err := a.observe(ctx, v, s, all[i].hash, &all[i])
		if err != nil {
			return nil, nil, err
		}
		if cost != nil {
			spent = append(spent, *cost)
		}
		if found != nil {
			in = found
		}
	}
	if in != nil || v.log.Batches <= s.Number {
		return in, spent, nil
	}
	in, cost, err := a.search(ctx, v, s)
	if cost != nil {
		spent = append(spent, *cost)
	}
	return in, spent, err
}

// observe returns where the transaction anchored the batch, and nil if it has not: not mined, reverted,
// or in a block that is not on the chain. cost is nil if it is not mined there. tx is the transaction
// itself where it is ours.
func (a *Anchorer) observe(ctx context.Context, v *view, s *proofs.Sealed, hash proofs.Hash, tx *journaled) (in *inclusion, cost *proofs.Spend, err error) {
	txReceipt, err := a.cfg.Nodes.TxReceipt(ctx, hash)
	if errors.Is(err, nodes.ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	b, err := a.canonical(ctx, v, txReceipt.BlockNumber)
	if err != nil || b == nil || b.Hash != txReceipt.Block {
		return nil, nil, err
	}
	cost = &proofs.Spend{Tx: hash, Time: b.Time, Gas: txReceipt.GasUsed, Wei: paid(txReceipt, b, tx)}
	if txReceipt.L1Fee == nil { // the nodes do not say the same of it: at most what the oracle asks for now
		data, err := dataFee(ctx, a.cfg.Nodes, v.head.Hash, a.cfg.DataFee, len(a.anchorCall(s.Batch)))
		if err != nil {
			return nil, nil, err
		}
		cost.Wei.Add(cost.Wei, data)
	}
	if txReceipt.Status != types.ReceiptStatusSuccessful {
		if !slices.ContainsFunc(s.Spent, func(sp proofs.Spend) bool { return sp.Tx == hash }) { // told once
			a.log.Warn("transaction reverted", "batch", s.Number, "tx", hash.String(), "block", b.Number)
		}
		return nil, cost, nil
	}
	logIndex, err := match(txReceipt, a.cfg.Log, s.Batch)
	if err != nil {
		return nil, nil, err
	}
	return &inclusion{tx: hash, time: b.Time, anchor: proofs.Anchor{
		Block:    proofs.BlockRef{Number: b.Number, Hash: b.Hash},
		TxIndex:  txReceipt.Index,
		LogIndex: uint64(logIndex),
	}}, cost, nil
}

// paid returns what the transaction cost, in wei. Of one of ours the price follows from its block; of
// another it is the nodes' word.
func paid(r *nodes.TxReceipt, b *nodes.Block, tx *journaled) *big.Int {
	price := r.Price
	if tx != nil && b.BaseFee != nil {
		price = new(big.Int).Add(b.BaseFee, tx.GasTipCap())
		if price.Cmp(tx.GasFeeCap()) > 0 {
			price = tx.GasFeeCap()
		}
	}
	wei := new(big.Int)
	if price != nil {
		wei.Mul(price, new(big.Int).SetUint64(r.GasUsed))
	}
	if r.L1Fee != nil {
		wei.Add(wei, r.L1Fee)
	}
	return wei
}

// match returns the place of the batch's event among the logs of a transaction's receipt.
func match(txReceipt *nodes.TxReceipt, log proofs.Chain, b proofs.Batch) (int, error) {
	for i, l := range txReceipt.Logs {
		if proofs.Address(l.Address) != log.AnchorLog || len(l.Topics) == 0 || l.Topics[0] != anchoredEvent {
			continue
		}
		e, err := contract.UnpackAnchoredEvent(l)
		if err != nil {
			return 0, fmt.Errorf("read event of transaction %s: %w", txReceipt.Tx, err)
		}
		if proofs.Hash(e.Log) != log.Log || !equal(e.Number, b.Number) {
			continue
		}
		if proofs.Hash(e.Root) != b.Root || !equal(e.First, b.First) || !equal(e.Size, b.Size) || proofs.Hash(e.Cid) != b.CID {
			return 0, fmt.Errorf("%w: transaction %s anchored another batch under this number (root 0x%x, first %d, size %d): a second service writes to this log, or the store is not the log's; stop the other one and restore the log's newest store", ErrFatal, txReceipt.Tx, e.Root, e.First, e.Size)
		}
		return i, nil
	}
	return 0, fmt.Errorf("transaction %s succeeded without the batch's event: the node is not to be trusted", txReceipt.Tx)
}

func equal(x *big.Int, y uint64) bool { return x != nil && x.IsUint64() && x.Uint64() == y }

// search finds the batch's event, newest blocks first, and adopts its transaction.
func (a *Anchorer) search(ctx context.Context, v *view, s *proofs.Sealed) (*inclusion, *proofs.Spend, error) {
	var number proofs.Hash
	new(big.Int).SetUint64(s.Number).FillBytes(number[:])
	oldest := min(max(a.cfg.FromBlock, a.floor), v.head.Number)
	var wrong error // with leads
	for to := v.head.Number; ; {
		from := max(oldest, to-min(to, a.cfg.LogWindow-1))
		logs, err := a.cfg.Nodes.Logs(ctx, from, to, a.cfg.Log.AnchorLog, proofs.Hash(anchoredEvent), a.cfg.Log.Log, number)
		if err != nil {
			return nil, nil, err
		}
		for _, l := range logs {
			in, cost, err := a.observe(ctx, v, s, proofs.Hash(l.TxHash), nil)
			if errors.Is(err, ErrFatal) || ctx.Err() != nil {
				return nil, nil, err
			}
			if err != nil { // it may be one node's lie
				wrong = errors.Join(wrong, err)
			}
			if in != nil {
				in.adopted = true
				return in, cost, nil
			}
		}
		if from <= oldest {
			a.floor = 0 // a reorg may have moved what is below it
			return nil, nil, errors.Join(wrong, fmt.Errorf("the log holds %d batches on chain, but no block from %d to %d has this one's event: the nodes are not to be trusted, or FromBlock is too high", v.log.Batches, oldest, v.head.Number))
		}
		to = from - 1
	}
}
