package logbook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// TestReorg rolls back to what both forks have, and goes on from there.
func TestReorg(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(9) // in blocks of 1, 2, 4, 2
	h.check(h.book)
	before, _ := h.book.Batch(6)

	h.Fork(1, 7) // one block back, with the last two batches
	h.grow(4)
	h.check(h.book)
	if after, _ := h.book.Batch(6); after != before {
		t.Errorf("batch 6 was not replaced: %+v, %+v", before, after)
	}

	h.Fork(2, 7) // and without what followed
	h.Mine(3)
	h.check(h.book)
	h.grow(1)
	h.check(h.book)

	h.Fork(1, 7) // a shorter chain, where the head goes back
	h.check(h.book)
	h.grow(20)
	h.check(h.book)
}

// TestSameBatchElsewhere: a reorganisation that leaves every batch with its time, in another block.
func TestSameBatchElsewhere(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(3)
	h.check(h.book)
	h.Mine(2)
	h.check(h.book)
	for _, b := range h.Batches {
		a, _ := h.book.Batch(b.Number)
		if there, err := h.nodes.BlockAt(t.Context(), a.Block.Number); err != nil || there.Hash != a.Block.Hash {
			t.Errorf("batch %d is in block %v: %v", b.Number, a.Block, err)
		}
	}
}

// TestMovedWhileRead: the chain forks between two questions, wherever that is.
func TestMovedWhileRead(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(9)
	h.Mine(1)
	for n := 1; n < 14; n++ {
		b := h.open(logbook.Config{})
		h.proxies[0].Reset()
		h.proxies[0].Set(faultrpc.Before(n, func(faultrpc.Call) {
			h.Fork(2, 7)
			h.grow(2)
			h.Mine(1)
		}))
		err := b.Refresh(t.Context())
		h.proxies[0].Set()
		if err != nil {
			t.Errorf("fork at question %d: %v", n, err)
		}
		h.check(b)
	}
}

// refuseBlocks is a node that takes no eth_getLogs over more than so many blocks.
func refuseBlocks(most uint64) faultrpc.Fault {
	return faultrpc.Fault{Name: "limit", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		var f struct{ FromBlock, ToBlock hexutil.Uint64 }
		if c.Method == "eth_getLogs" && json.Unmarshal(c.Params[0], &f) == nil && uint64(f.ToBlock-f.FromBlock) >= most {
			return faultrpc.Answer{Err: &faultrpc.Error{Code: -32005, Message: "query returned more than 10000 results"}}
		}
		return next(c)
	}}
}

// TestWindow asks for fewer blocks where nodes refuse many, and not for ever.
func TestWindow(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(10)
	h.Mine(150)
	h.grow(10)
	h.proxies[0].Set(refuseBlocks(40))
	h.check(h.open(logbook.Config{}))
	for _, window := range []uint64{1, 2, 40, 41} {
		h.check(h.open(logbook.Config{Window: window}))
	}
	b := h.open(logbook.Config{})
	h.proxies[0].Set(refuseBlocks(1))
	if err := b.Refresh(t.Context()); !errors.Is(err, nodes.ErrNoQuorum) {
		t.Errorf("a node that takes no eth_getLogs: %v", err)
	}
	h.proxies[0].Set(refuseBlocks(40), faultrpc.Edit("eth_getLogs", without(3)))
	if err := b.Refresh(t.Context()); !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), "batch 3 of 20 is missing") {
		t.Errorf("without batch 3: %v", err)
	}
}

// TestPruned names the first batch without an event, and where they begin; with an older first block it is found.
func TestPruned(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(10)
	h.Mine(3)
	pruned := h.Head().Number.Uint64()
	h.grow(10)
	a := func() uint64 { h.check(h.book); a, _ := h.book.Batch(10); return a.Block.Number }()
	b := h.open(logbook.Config{FromBlock: pruned})
	err := b.Refresh(t.Context())
	want := fmt.Sprintf("batch 0 of 20 is missing: no node shows its event in blocks %d to %d: nodes may have pruned events before block %d;", pruned, h.Head().Number, a)
	if !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v\nwant %s", err, want)
	}
}

// TestKeeps: after an error the book is what it was, and it goes on when the nodes are right again.
func TestKeeps(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(7)
	h.check(h.book)
	was, paths := h.book.Head(), h.book.Path(2)
	h.grow(5)
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", without(8)))
	for range 5 {
		if err := h.book.Refresh(t.Context()); !errors.Is(err, logbook.ErrUnproven) {
			t.Fatal(err)
		}
		if h.book.Head() != was || !cmp.Equal(h.book.Path(2), paths) {
			t.Fatalf("the book changed: %+v", h.book.Head())
		}
		if _, ok := h.book.Batch(7); ok {
			t.Fatal("it holds a batch beyond its head")
		}
	}
	h.proxies[0].Set()
	h.check(h.book)
	for _, b := range h.Batches {
		if !h.contains(b, h.book.Path(b.Number)) {
			t.Errorf("path of %d", b.Number)
		}
	}
}

// TestKeepsOverReorg: an error while the book reads another fork leaves it what it held of the first.
func TestKeepsOverReorg(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(9)
	h.check(h.book)
	all := func() (all []logbook.Anchored, paths [][]proofs.Hash) {
		for n := range uint64(9) {
			a, _ := h.book.Batch(n)
			all, paths = append(all, a), append(paths, h.book.Path(n))
		}
		return all, paths
	}
	was, paths := all()
	h.Fork(2, 3)
	h.grow(7)
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", without(8)))
	if err := h.book.Refresh(t.Context()); !errors.Is(err, logbook.ErrUnproven) {
		t.Fatal(err)
	}
	if is, now := all(); !cmp.Equal(is, was) || !cmp.Equal(now, paths) {
		t.Error("the book changed")
	}
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", eachLog(func(l map[string]any) { word(l, 0, "ab") })),
		faultrpc.Refuse(-32601, "no such method", "eth_getTransactionReceipt"))
	if err := h.book.Refresh(t.Context()); err == nil {
		t.Fatal("it took made-up roots")
	}
	if is, now := all(); !cmp.Equal(is, was) || !cmp.Equal(now, paths) {
		t.Error("the book changed")
	}
	h.proxies[0].Set()
	h.check(h.book)
}

// TestOtherFork: a transaction's receipt from a block that is not on the chain is none.
func TestOtherFork(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(3)
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", lies["other time"]), faultrpc.Edit("eth_getTransactionReceipt", func(v any) any {
		r := v.(map[string]any)
		r["blockHash"] = common.Hash{1}.Hex()
		eachLog(func(l map[string]any) { l["blockHash"] = r["blockHash"] })(r["logs"])
		return r
	}))
	if err := h.book.Refresh(t.Context()); !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), "batch 0 cannot be proven") || !strings.Contains(err.Error(), "not on the chain") {
		t.Error(err)
	}
}

// TestWrongQuorum: once what enough nodes made up, with peaks that fit, is over, the book starts again.
func TestWrongQuorum(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(1)
	madeUp := h.Batches[0]
	for i := range madeUp.Root {
		madeUp.Root[i] = 0xab
	}
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", eachLog(func(l map[string]any) { word(l, 0, "ab") })),
		faultrpc.Edit("eth_call", func(v any) any {
			if len(v.(string)) == 2+2*32 { // the peak
				return madeUp.Hash().String()
			}
			return v
		}))
	if err := h.book.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, _ := h.book.Batch(0); a.Batch != madeUp {
		t.Fatalf("the book holds %+v", a)
	}
	h.proxies[0].Set()
	h.Mine(3)
	h.grow(1)
	if err := h.book.Refresh(t.Context()); !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), "batches 0 to 1 does not hash to the contract's peak") {
		t.Fatal(err)
	}
	h.check(h.book)
}

// TestFinality: by confirmations, and where nodes do not have the state of a final block.
func TestFinality(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(9) // in blocks of 1, 2, 4, 2
	for confirmations, want := range map[uint64]uint64{1: 7, 2: 3, 3: 1, 4: 0, 1000: 0} {
		b := h.open(logbook.Config{Confirmations: confirmations})
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.Head(); got.Final != want || got.FinalBlock.Hash.IsZero() != (confirmations == 1000) {
			t.Errorf("%d confirmations: %d batches are final, want %d", confirmations, got.Final, want)
		}
	}
	h.check(h.book)
	final := h.book.Head().FinalBlock
	h.proxies[0].Set(faultrpc.Fault{Name: "pruned", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		if c.Method == "eth_call" && strings.Contains(string(c.Params[1]), final.Hash.String()) {
			return faultrpc.Answer{Err: &faultrpc.Error{Code: -32000, Message: "missing trie node"}}
		}
		return next(c)
	}})
	b := h.open(logbook.Config{})
	if err := b.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.Head().Final; got != 1 { // those of the final block itself are left out
		t.Errorf("%d batches are final by their time, want 1", got)
	}
	h.proxies[0].Set(faultrpc.Edit("eth_getBlockByNumber", func(v any) any { return v }), faultrpc.Fault{Name: "no tag", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		if c.Method == "eth_getBlockByNumber" && string(c.Params[0]) == `"finalized"` {
			return faultrpc.Answer{Err: &faultrpc.Error{Code: -39001, Message: "unknown block"}}
		}
		return next(c)
	}})
	if err := b.Refresh(t.Context()); err != nil || b.Head().Final != 0 || !b.Head().FinalBlock.Hash.IsZero() {
		t.Errorf("without a finalized block: %+v, %v", b.Head(), err)
	}
}

// TestFreeze freezes each batch, also where the event named another transaction.
func TestFreeze(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(9)
	h.check(h.book)
	freeze := func(b *logbook.Book) {
		t.Helper()
		for _, want := range h.Batches {
			a, err := b.Freeze(t.Context(), want.Number)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := proofs.VerifyAnchor(a, want, h.Log); err != nil {
				t.Fatalf("batch %d: %v", want.Number, err)
			}
		}
	}
	freeze(h.book)
	if _, err := h.book.Freeze(t.Context(), 9); !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("batch 9: %v", err)
	}

	// Content and time are proven by the peaks, but transaction and block are not.
	b := h.open(logbook.Config{})
	h.proxies[0].Set(faultrpc.Edit("eth_getLogs", eachLog(func(l map[string]any) {
		l["transactionHash"], l["blockHash"] = common.Hash{1}.Hex(), common.Hash{2}.Hex()
	})))
	h.check(b)
	if _, err := b.Freeze(t.Context(), 3); err == nil {
		t.Error("frozen without a transaction")
	}
	h.proxies[0].Set()
	freeze(b)
}

// mine are batches that a service has.
type mine []proofs.Sealed

func (m mine) Batches(_ context.Context, number uint64, limit int) ([]proofs.Sealed, error) {
	if number >= uint64(len(m)) {
		return nil, nil
	}
	return m[number:min(number+uint64(limit), uint64(len(m)))], nil
}

// TestKnown takes up final batches that somebody has, if the chain confirms them.
func TestKnown(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(20)
	h.check(h.book)
	known := func(n int, change func(all mine)) mine {
		var all mine
		for i := range n {
			a, _ := h.book.Batch(uint64(i))
			all = append(all, proofs.Sealed{Batch: a.Batch, State: proofs.StateFinalized, Tx: a.Tx, Anchor: &proofs.Anchor{Block: a.Block}})
		}
		change(all)
		return all
	}
	nothing := func(mine) {}
	tests := map[string]struct {
		known mine
		logs  bool // their events are read all the same
	}{
		"none":         {nil, true},
		"some":         {known(12, nothing), false},
		"all":          {known(20, nothing), false},
		"more":         {append(known(20, nothing), proofs.Sealed{Batch: proofs.Batch{Number: 20, Size: 1}, State: proofs.StateFinalized, Anchor: &proofs.Anchor{}}), false},
		"not final":    {known(12, func(all mine) { all[0].State = proofs.StateSafe }), true},
		"other root":   {known(12, func(all mine) { all[3].Root[0]++ }), true},
		"other number": {known(12, func(all mine) { all[3].Number++ }), false},
		"no anchor":    {known(12, func(all mine) { all[3].Anchor = nil }), false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			asked := uint64(1 << 62)
			h.proxies[0].Set(faultrpc.Fault{Name: "look", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
				var f struct{ FromBlock hexutil.Uint64 }
				if c.Method == "eth_getLogs" && json.Unmarshal(c.Params[0], &f) == nil {
					asked = min(asked, uint64(f.FromBlock))
				}
				return next(c)
			}})
			defer h.proxies[0].Set()
			h.check(h.open(logbook.Config{Known: tc.known}))
			last, _ := h.book.Batch(0)
			if tc.logs != (asked <= last.Block.Number) {
				t.Errorf("events were read from block %d", asked)
			}
		})
	}
	broken := errors.New("the disk is gone")
	if err := h.open(logbook.Config{Known: failing{broken}}).Refresh(t.Context()); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Batches(context.Context, uint64, int) ([]proofs.Sealed, error) { return nil, f.err }

// TestConfig refuses what cannot work.
func TestConfig(t *testing.T) {
	if _, err := logbook.New(logbook.Config{}); err == nil || !strings.Contains(err.Error(), "no nodes") || !strings.Contains(err.Error(), "no log") {
		t.Errorf("%v", err)
	}
}
