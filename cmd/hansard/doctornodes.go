package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// nodeTimeout is how long one node may take for one question.
const nodeTimeout = 10 * time.Second

// maxLag is how many blocks a node may be behind without a word: about a minute of Ethereum.
const maxLag = 5

// nodeReport is what one node is and can do.
type nodeReport struct {
	name    string
	err     error // it does not answer at all
	chainID uint64
	head    uint64
	syncing bool
	at      *common.Hash    // its block at the height of the agreed head; nil: it has none
	submit  *proofs.Address // the log's submitter as it says; nil: it does not say
	missing []string        // what it cannot do, each with the method
	history string          // what is wrong with its history; empty: nothing, or not asked
}

// checkNodes asks each node by itself, all at once, and says who disagrees with the others.
func (d *doctor) checkNodes() {
	reports := make([]nodeReport, len(d.urls))
	oldest, known := d.oldest()
	var all sync.WaitGroup
	for i, url := range d.urls {
		all.Go(func() { reports[i] = d.examine(url, oldest, known) })
	}
	all.Wait()
	for i := range reports {
		d.reportNode(&reports[i])
	}
	if !known {
		d.add("history", doctorSkip, "how far back the nodes must reach is not known", "", "give --from-block, or from_block in the chain file: the block of the log's opening")
	}
	if d.head == nil {
		return
	}
	var outvoted []string
	for _, h := range d.site.nodes.Health() {
		if h.Outvoted > 0 {
			outvoted = append(outvoted, fmt.Sprintf("%s (%d times)", h.Name, h.Outvoted))
		}
	}
	what := fmt.Sprintf("%d of %d must agree, and do: block %d %s", d.site.nodes.Need(), d.site.nodes.Len(), d.head.Number, d.head.Hash)
	if len(outvoted) > 0 {
		d.add("nodes", doctorWarn, what+"; outvoted: "+strings.Join(outvoted, ", "), "a node that contradicts the others is wrong, on another fork, or behind a bad proxy",
			"replace it: while it stays, fewer others may fail")
		return
	}
	d.add("nodes", doctorOK, what)
}

// oldest returns the first block that can hold an event of the log, if anybody says.
func (d *doctor) oldest() (uint64, bool) {
	switch {
	case d.cli.IsSet("from-block"):
		return d.cli.Uint64("from-block"), true
	case d.site.file.FromBlock > 0:
		return d.site.file.FromBlock, true
	case d.stored != nil && d.stored.firstBlock > 0:
		return d.stored.firstBlock, true
	}
	return 0, false
}

// examine asks one node.
func (d *doctor) examine(url string, oldest uint64, known bool) (r nodeReport) {
	one, err := nodes.Dial(d.cli.Context, []string{url}, nodes.Config{})
	if err != nil {
		return nodeReport{name: "node", err: err}
	}
	r.name = one.Health()[0].Name
	one.Close()
	c, err := rpc.DialContext(d.cli.Context, url)
	if err != nil {
		r.err = errors.New(strings.ReplaceAll(err.Error(), url, r.name)) // a URL may hold a key
		return r
	}
	defer c.Close()
	ask := func(v any, method string, args ...any) error {
		ctx, cancel := context.WithTimeout(d.cli.Context, nodeTimeout)
		defer cancel()
		err := c.CallContext(ctx, v, method, args...)
		if err != nil {
			err = errors.New(strings.ReplaceAll(err.Error(), url, r.name))
		}
		return err
	}
	var id, head hexutil.Uint64
	if r.err = ask(&id, "eth_chainId"); r.err != nil {
		return r
	}
	if r.err = ask(&head, "eth_blockNumber"); r.err != nil {
		return r
	}
	r.chainID, r.head = uint64(id), uint64(head)
	var syncing any
	if err := ask(&syncing, "eth_syncing"); err == nil {
		r.syncing = syncing != nil && syncing != false
	}
	if d.head == nil || r.chainID != d.site.log.ChainID {
		return r
	}
	d.abilities(&r, ask)
	if known {
		r.history = history(ask, oldest)
	}
	return r
}

type block struct {
	Number hexutil.Uint64 `json:"number"`
	Hash   common.Hash    `json:"hash"`
}

// abilities asks for what anchoring and receipts need.
func (d *doctor) abilities(r *nodeReport, ask func(v any, method string, args ...any) error) {
	lack := func(what string, err error) {
		if err != nil {
			r.missing = append(r.missing, fmt.Sprintf("%s (%s)", what, oneLine(err.Error(), 120)))
		}
	}
	var b *block
	if err := ask(&b, "eth_getBlockByNumber", hexutil.EncodeUint64(d.head.Number), false); err == nil && b != nil {
		r.at = &b.Hash
	}
	for _, tag := range []string{"finalized", "safe"} {
		if d.site.file.Confirm > 0 {
			break // tags are not used
		}
		var b *block
		lack(tag+" blocks", ask(&b, "eth_getBlockByNumber", tag, false))
	}
	// By number: a node that is behind, or on another fork, shows there what it can do.
	at := hexutil.EncodeUint64(min(r.head, d.head.Number))
	var receipts []any
	lack("eth_getBlockReceipts", ask(&receipts, "eth_getBlockReceipts", at))
	var proof any
	lack("eth_getProof", ask(&proof, "eth_getProof", common.Address(d.site.log.AnchorLog), []string{}, at))
	if d.found == nil || !d.found.Ours || r.at == nil {
		return
	}
	to, out := common.Address(d.site.log.AnchorLog), hexutil.Bytes{}
	call := map[string]any{"to": to, "input": hexutil.Bytes(headsCall(d.found.Log.Log))}
	err := ask(&out, "eth_call", call, rpc.BlockNumberOrHashWithHash(*r.at, false))
	lack("eth_call at a block's hash", err)
	if err == nil && len(out) >= 32 {
		submitter := proofs.Address(out[12:32])
		r.submit = &submitter
	}
}

// history asks for the block from which on there may be events, and for what is in it.
func history(ask func(v any, method string, args ...any) error, oldest uint64) string {
	at := hexutil.EncodeUint64(oldest)
	var b *block
	if err := ask(&b, "eth_getBlockByNumber", at, false); err != nil || b == nil {
		return fmt.Sprintf("it does not have block %d", oldest)
	}
	var receipts *[]any
	if err := ask(&receipts, "eth_getBlockReceipts", at); err != nil || receipts == nil {
		return fmt.Sprintf("it has no receipts of block %d", oldest)
	}
	var logs []any
	if err := ask(&logs, "eth_getLogs", map[string]any{"fromBlock": at, "toBlock": at}); err != nil {
		return fmt.Sprintf("it finds no events in block %d: %s", oldest, oneLine(err.Error(), 120))
	}
	return ""
}

// reportNode says what was found of a node, the worst first.
func (d *doctor) reportNode(r *nodeReport) {
	what := fmt.Sprintf("%s: chain %d, head %d", r.name, r.chainID, r.head)
	switch {
	case r.err != nil:
		d.add("rpc", doctorFail, fmt.Sprintf("%s: %s", r.name, oneLine(r.err.Error(), 200)), "it does not answer", "check the address and the provider")
		return
	case d.site.log.ChainID != 0 && r.chainID != d.site.log.ChainID:
		d.add("rpc", doctorFail, what, fmt.Sprintf("it is on another chain than %d and is not listened to", d.site.log.ChainID), "replace it")
		return
	case r.syncing:
		d.add("rpc", doctorFail, what+", syncing", "what it says is old until it has caught up", "wait, or replace it")
		return
	}
	if d.head == nil {
		d.add("rpc", doctorWarn, what, "it answers, but too few nodes agree with it", "compare the nodes' heads")
		return
	}
	if lag := d.head.Number - min(d.head.Number, r.head); lag > 0 {
		what += fmt.Sprintf(", %d behind", lag)
	}
	switch {
	case r.at != nil && *r.at != common.Hash(d.head.Hash):
		d.add("rpc", doctorFail, what, fmt.Sprintf("its block %d is %s, and enough others have %s: it is on another fork, or lies", d.head.Number, *r.at, d.head.Hash), "replace it if that lasts longer than a few blocks")
	case r.submit != nil && *r.submit != d.found.Head.Submitter:
		d.add("rpc", doctorFail, what, fmt.Sprintf("it says that the log's submitter is %s, and enough others that it is %s", *r.submit, d.found.Head.Submitter), "replace it")
	case d.head.Number > r.head+maxLag:
		d.add("rpc", doctorWarn, what, "it is outvoted while it is behind", "wait, or replace it")
	case len(r.missing) > 0:
		d.add("rpc", doctorWarn, what, "it cannot: "+strings.Join(r.missing, ", "),
			"replace it; where a chain has no finalized tag, set finality to a number of blocks")
	case r.history != "":
		d.add("rpc", doctorWarn, what, r.history+": anchors of that time cannot be looked up or proven by it", "use a node that keeps history, or a later --from-block if the log is younger")
	default:
		abilities := "; finalized, safe, getBlockReceipts, getProof"
		if d.site.file.Confirm > 0 {
			abilities = "; getBlockReceipts, getProof"
		}
		if oldest, known := d.oldest(); known {
			abilities += fmt.Sprintf("; history from %d", oldest)
		}
		d.add("rpc", doctorOK, what+abilities)
	}
}
