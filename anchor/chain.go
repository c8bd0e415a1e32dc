package anchor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/proofs"
)

var (
	contract      = bindings.NewAnchorLog()
	anchoredEvent = contract.GetABI().Events[bindings.AnchorLogAnchoredEventName].ID
)

// maxConstructor is more than the creation code has in front of the code that it returns, in bytes.
const maxConstructor = 64

// block is what a node says of a block. Its hash is taken as said: a header of a newer fork has fields
// that would be lost on the way through a typed one. freeze checks it against the bytes.
type block struct {
	Number  uint64
	Hash    proofs.Hash
	Time    uint64
	BaseFee *big.Int // nil before London
}

// covers reports whether b is at or above the block number. A nil block covers nothing.
func (b *block) covers(number uint64) bool { return b != nil && number <= b.Number }

// readBlock returns the canonical block of a tag or a hex number, and nil if there is none.
func readBlock(ctx context.Context, c *ethclient.Client, tag string) (*block, error) {
	var raw *struct {
		Number  *hexutil.Uint64 `json:"number"`
		Hash    *common.Hash    `json:"hash"`
		Time    *hexutil.Uint64 `json:"timestamp"`
		BaseFee *hexutil.Big    `json:"baseFeePerGas"`
	}
	if err := c.Client().CallContext(ctx, &raw, "eth_getBlockByNumber", tag, false); err != nil {
		return nil, fmt.Errorf("read block %s: %w", tag, err)
	}
	if raw == nil {
		return nil, nil
	}
	if raw.Number == nil || raw.Hash == nil || raw.Time == nil {
		return nil, fmt.Errorf("read block %s: number, hash or timestamp is missing", tag)
	}
	return &block{uint64(*raw.Number), proofs.Hash(*raw.Hash), uint64(*raw.Time), (*big.Int)(raw.BaseFee)}, nil
}

// Head is what a log holds on the chain.
type Head struct {
	Submitter proofs.Address // who may anchor; zero for nobody, or for a log that was never opened
	Batches   uint64         // the next batch's number
	Messages  uint64         // the next entry's index
}

// ReadHead returns the head of the log at the latest block.
func ReadHead(ctx context.Context, c *ethclient.Client, log proofs.Chain) (Head, error) {
	b, err := readBlock(ctx, c, "latest")
	if err != nil {
		return Head{}, err
	}
	if b == nil {
		return Head{}, errors.New("read head: the node has no latest block")
	}
	return readHead(ctx, c, log, b.Hash)
}

func readHead(ctx context.Context, c *ethclient.Client, log proofs.Chain, at proofs.Hash) (Head, error) {
	to := common.Address(log.AnchorLog)
	call := ethereum.CallMsg{To: &to, Data: contract.PackHeads(log.Log)}
	out, err := c.CallContractAtHash(ctx, call, common.Hash(at))
	if err != nil {
		return Head{}, fmt.Errorf("read head of the log: %w", err)
	}
	h, err := contract.UnpackHeads(out)
	if err != nil {
		return Head{}, fmt.Errorf("read head of the log: no AnchorLog contract at %s: %w", log.AnchorLog, err)
	}
	return Head{proofs.Address(h.Submitter), uint64(h.Batches), h.Messages}, nil
}

// view is what the node said at the beginning of a round.
type view struct {
	head    *block
	safe    *block // nil: nothing
	final   *block // nil: nothing
	log     Head   // at head
	nonce   uint64 // of the submitter at head: lower ones are consumed
	waiting bool   // an earlier batch of this round is not anchored
}

// check asks, once, whether this is the chain, the contract and the key that were configured.
func (a *Anchorer) check(ctx context.Context) error {
	if a.checked {
		return nil
	}
	if err := a.wallet.checkChain(ctx); err != nil {
		return err
	}
	code, err := a.cfg.Client.CodeAt(ctx, common.Address(a.cfg.Log.AnchorLog), nil)
	if err != nil {
		return fmt.Errorf("read code: %w", err)
	}
	if err := checkCode(code, a.cfg.Log); err != nil {
		return err
	}
	head, err := ReadHead(ctx, a.cfg.Client, a.cfg.Log)
	if err != nil {
		return err
	}
	if err := a.checkSubmitter(head); err != nil {
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

func (a *Anchorer) checkSubmitter(head Head) error {
	switch own := a.cfg.Signer.Address(); head.Submitter {
	case own:
		return nil
	case proofs.Address{}:
		return fmt.Errorf("%w: log %s has no submitter: open it, or correct its id", ErrFatal, a.cfg.Log.Log)
	default:
		return fmt.Errorf("%w: the submitter of log %s is %s and the key is of %s: use that key, or let the log's owner set the submitter", ErrFatal, a.cfg.Log.Log, head.Submitter, own)
	}
}

// look reads the chain for a round. Everything but safe and final is read at one block.
func (a *Anchorer) look(ctx context.Context) (*view, error) {
	c := a.cfg.Client
	head, err := readBlock(ctx, c, "latest")
	if err != nil {
		return nil, err
	}
	if head == nil {
		return nil, errors.New("read block latest: the node has none")
	}
	v := &view{head: head}
	if v.safe, v.final, err = a.lookFinal(ctx, head); err != nil {
		return nil, err
	}
	if err := a.checkFinal(ctx, v); err != nil {
		return nil, err
	}
	if v.log, err = readHead(ctx, c, a.cfg.Log, head.Hash); err != nil {
		return nil, err
	}
	if err := a.checkSubmitter(v.log); err != nil {
		return nil, err
	}
	v.nonce, err = c.NonceAtHash(ctx, common.Address(a.cfg.Signer.Address()), common.Hash(head.Hash))
	if err != nil {
		return nil, fmt.Errorf("read nonce: %w", err)
	}
	return v, nil
}

// checkFinal returns an error if what the node calls final is not on the chain under its head: what
// is final is never looked at again.
func (a *Anchorer) checkFinal(ctx context.Context, v *view) error {
	if v.final == nil || v.final.Hash.IsZero() {
		return nil
	}
	b, err := a.canonical(ctx, v, v.final.Number)
	if err == nil && (b == nil || b.Hash != v.final.Hash) {
		err = fmt.Errorf("read block finalized: the node names block %d, which is not on its own chain up to %d", v.final.Number, v.head.Number)
	}
	return err
}

// lookFinal returns the newest safe and final blocks. With Confirmations nothing is ever safe.
func (a *Anchorer) lookFinal(ctx context.Context, head *block) (safe, final *block, err error) {
	if n := a.cfg.Confirmations; n > 0 {
		if head.Number >= n {
			final = &block{Number: head.Number - n}
		}
		return nil, final, nil
	}
	tagged := func(tag string) *block {
		b, e := readBlock(ctx, a.cfg.Client, tag)
		var answer rpc.Error
		switch {
		case errors.As(e, &answer): // a young chain has none; one without the tags needs Confirmations
			a.log.Warn("node names no such block", "tag", tag, "err", e)
		case e != nil:
			err = e
		}
		return b
	}
	return tagged("safe"), tagged("finalized"), err
}

// canonical returns the block of that number on the chain under the view's head, and nil above it.
func (a *Anchorer) canonical(ctx context.Context, v *view, number uint64) (*block, error) {
	if number > v.head.Number {
		return nil, nil
	}
	if a.at != v.head.Hash || a.blocks == nil {
		a.at, a.blocks = v.head.Hash, map[uint64]*block{v.head.Number: v.head}
	}
	if b := a.blocks[number]; b != nil {
		return b, nil
	}
	b, err := readBlock(ctx, a.cfg.Client, hexutil.EncodeUint64(number))
	if err == nil && (b == nil || b.Number != number) {
		err = fmt.Errorf("read block %d: the node does not have it", number)
	}
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
// its number, by the event. It returns nil if the batch is not there.
func (a *Anchorer) find(ctx context.Context, v *view, s *proofs.Sealed) (*inclusion, error) {
	for _, raw := range s.Txs {
		tx, err := decodeTx(raw)
		if err != nil {
			return nil, err
		}
		in, err := a.observe(ctx, v, s, tx.Hash())
		if err != nil || in != nil {
			return in, err
		}
	}
	if v.log.Batches <= s.Number {
		return nil, nil
	}
	return a.search(ctx, v, s)
}

// observe returns where the transaction anchored the batch, and nil if it has not: not mined, reverted,
// or in a block that is not on the chain.
func (a *Anchorer) observe(ctx context.Context, v *view, s *proofs.Sealed, hash common.Hash) (*inclusion, error) {
	txReceipt, err := a.cfg.Client.TransactionReceipt(ctx, hash)
	if errors.Is(err, ethereum.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read receipt of transaction %s: %w", hash, err)
	}
	if txReceipt.BlockNumber == nil || !txReceipt.BlockNumber.IsUint64() || txReceipt.TxHash != hash {
		return nil, fmt.Errorf("read receipt of transaction %s: the node returned another", hash)
	}
	b, err := a.canonical(ctx, v, txReceipt.BlockNumber.Uint64())
	if err != nil || b == nil || b.Hash != proofs.Hash(txReceipt.BlockHash) {
		return nil, err
	}
	if txReceipt.Status != types.ReceiptStatusSuccessful {
		a.log.Warn("transaction reverted", "batch", s.Number, "tx", hash.Hex(), "block", b.Number)
		return nil, nil
	}
	logIndex, err := a.match(txReceipt, s.Batch)
	if err != nil {
		return nil, err
	}
	return &inclusion{tx: proofs.Hash(hash), time: b.Time, anchor: proofs.Anchor{
		Block:    proofs.BlockRef{Number: b.Number, Hash: b.Hash},
		TxIndex:  uint64(txReceipt.TransactionIndex),
		LogIndex: uint64(logIndex),
	}}, nil
}

// match returns the place of the batch's event among the logs of a transaction's receipt.
func (a *Anchorer) match(txReceipt *types.Receipt, b proofs.Batch) (int, error) {
	for i, l := range txReceipt.Logs {
		if l == nil {
			return 0, fmt.Errorf("read event of transaction %s: the node returned no log where one should be", txReceipt.TxHash)
		}
		if proofs.Address(l.Address) != a.cfg.Log.AnchorLog || len(l.Topics) == 0 || l.Topics[0] != anchoredEvent {
			continue
		}
		e, err := contract.UnpackAnchoredEvent(l)
		if err != nil {
			return 0, fmt.Errorf("read event of transaction %s: %w", txReceipt.TxHash, err)
		}
		if proofs.Hash(e.Log) != a.cfg.Log.Log || !equal(e.Number, b.Number) {
			continue
		}
		if proofs.Hash(e.Root) != b.Root || !equal(e.First, b.First) || !equal(e.Size, b.Size) || proofs.Hash(e.Cid) != b.CID {
			return 0, fmt.Errorf("%w: transaction %s anchored another batch under this number (root 0x%x, first %d, size %d): a second service writes to this log, or the store is not the log's; stop the other one and restore the log's newest store", ErrFatal, txReceipt.TxHash, e.Root, e.First, e.Size)
		}
		return i, nil
	}
	return 0, fmt.Errorf("transaction %s succeeded without the batch's event: the node is not to be trusted", txReceipt.TxHash)
}

func equal(x *big.Int, y uint64) bool { return x.IsUint64() && x.Uint64() == y }

// search finds the batch's event, newest blocks first, and adopts its transaction.
func (a *Anchorer) search(ctx context.Context, v *view, s *proofs.Sealed) (*inclusion, error) {
	var number common.Hash
	new(big.Int).SetUint64(s.Number).FillBytes(number[:])
	q := ethereum.FilterQuery{
		Addresses: []common.Address{common.Address(a.cfg.Log.AnchorLog)},
		Topics:    [][]common.Hash{{anchoredEvent}, {common.Hash(a.cfg.Log.Log)}, {number}},
	}
	for to := v.head.Number; ; {
		from := max(a.cfg.FromBlock, to-min(to, a.cfg.LogWindow-1))
		q.FromBlock, q.ToBlock = new(big.Int).SetUint64(from), new(big.Int).SetUint64(to)
		logs, err := a.cfg.Client.FilterLogs(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("search event in blocks %d to %d: %w", from, to, err)
		}
		for _, l := range logs {
			in, err := a.observe(ctx, v, s, l.TxHash)
			if err != nil {
				return nil, err
			}
			if in != nil {
				in.adopted = true
				return in, nil
			}
		}
		if from <= a.cfg.FromBlock {
			return nil, fmt.Errorf("the log holds %d batches on chain, but no block from %d to %d has this one's event: the node is not to be trusted, or FromBlock is too high", v.log.Batches, a.cfg.FromBlock, v.head.Number)
		}
		to = from - 1
	}
}
