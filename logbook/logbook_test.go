package logbook_test

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/internal/logchain"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

var contract = bindings.NewAnchorLog()

// harness is a chain with nodes that tests disturb, and a book that follows its log.
type harness struct {
	*logchain.Chain
	nodes   *nodes.Quorum
	proxies []*faultrpc.Proxy
	book    *logbook.Book
}

func newHarness(t *testing.T, n int) *harness {
	t.Helper()
	h := &harness{Chain: logchain.New(t)}
	h.nodes, h.proxies = h.Nodes(n, nodes.Config{})
	h.book = h.open(logbook.Config{})
	return h
}

// open makes a book of the log.
func (h *harness) open(cfg logbook.Config) *logbook.Book {
	h.Helper()
	cfg.Nodes, cfg.Log = h.nodes, h.Log
	b, err := logbook.New(cfg)
	if err != nil {
		h.Fatal(err)
	}
	return b
}

// grow anchors n batches in blocks of up to five.
func (h *harness) grow(n int) {
	h.Helper()
	for n > 0 {
		var roots []proofs.Hash
		for range min(n, 1+len(h.Batches)%5) {
			roots = append(roots, proofs.Keccak(fmt.Append(nil, len(h.Batches)+len(roots), h.Now())))
		}
		h.AnchorRoots(uint64(1+len(h.Batches)%7), roots...)
		n -= len(roots)
	}
}

// check refreshes the book and holds it against what was anchored.
func (h *harness) check(b *logbook.Book) {
	h.Helper()
	if err := b.Refresh(h.Context()); err != nil {
		h.Fatalf("refresh: %v", err)
	}
	head := h.Head()
	got := b.Head()
	if got.Batches != uint64(len(h.Batches)) || got.Messages != h.Next() || got.Block.Hash != proofs.Hash(head.Hash()) {
		h.Fatalf("head %+v, want %d batches, %d messages at block %d", got, len(h.Batches), h.Next(), head.Number)
	}
	final := uint64(0)
	for i, want := range h.Batches {
		a, ok := b.Batch(uint64(i))
		if diff := cmp.Diff(want, a.Batch); !ok || diff != "" {
			h.Fatalf("batch %d (-want +got):\n%s", i, diff)
		}
		if a.Block.Number <= head.Number.Uint64()-2 { // as devchain says
			final++
		}
		for _, index := range []uint64{a.First, a.First + a.Size - 1} {
			if of, ok := b.BatchOf(index); !ok || of != a {
				h.Fatalf("index %d is in batch %d, got %d", index, i, of.Number)
			}
		}
	}
	if got.Final != final {
		h.Errorf("%d batches are final, want %d", got.Final, final)
	}
	if _, ok := b.Batch(got.Batches); ok {
		h.Error("a batch beyond the last")
	}
	if _, ok := b.BatchOf(got.Messages); ok || b.Path(got.Batches) != nil || b.PathAt(0, got.Batches+1) != nil {
		h.Error("an index or a path beyond the last")
	}
}

// contains asks the contract, at the newest block, whether the batch is in the log.
func (h *harness) contains(b proofs.Batch, path []proofs.Hash) bool {
	h.Helper()
	siblings := make([][32]byte, len(path))
	for i := range path {
		siblings[i] = path[i]
	}
	n := func(v uint64) *big.Int { return new(big.Int).SetUint64(v) }
	out, err := h.nodes.Call(h.Context(), proofs.Hash(h.Head().Hash()), h.Log.AnchorLog, contract.PackContains(h.Log.Log, bindings.Batch{
		Number: n(b.Number), Root: b.Root, First: n(b.First), Size: n(b.Size), Time: n(b.Time), Cid: b.CID,
	}, siblings))
	if err != nil {
		h.Fatal(err)
	}
	yes, err := contract.UnpackContains(out)
	if err != nil {
		h.Fatal(err)
	}
	return yes
}

// TestFollow follows a log of 1 to 70 batches, and a new book reads it at once: the contract takes each path.
func TestFollow(t *testing.T) {
	h := newHarness(t, 1)
	h.check(h.book)
	for len(h.Batches) < 70 {
		h.grow(1 + len(h.Batches)%3)
		h.check(h.book)
		for _, b := range h.Batches {
			if !h.contains(b, h.book.Path(b.Number)) {
				t.Fatalf("of %d batches: the contract refuses the path of %d", len(h.Batches), b.Number)
			}
		}
		late := h.Batches[0]
		late.Time++
		if h.contains(late, h.book.Path(0)) {
			t.Fatal("the contract takes a batch with another time")
		}
	}
	h.check(h.open(logbook.Config{Window: 7}))
	for n := uint64(1); n <= 70; n++ {
		var r proofs.Range
		for _, b := range h.Batches[:n] {
			r.Append(b.Hash())
		}
		for i := range n {
			if err := proofs.VerifyRange(h.book.PathAt(i, n), h.Batches[i].Hash(), i, r); err != nil {
				t.Fatalf("path of %d among %d: %v", i, n, err)
			}
		}
	}
}

// TestFewQuestions: where nodes name the time of an event's block, no block is asked for by batch.
func TestFewQuestions(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(70)
	h.proxies[0].Reset()
	h.check(h.open(logbook.Config{}))
	if calls := h.proxies[0].Calls(); calls["eth_getBlockByNumber"] > 3 || calls["eth_getLogs"] > 1 {
		t.Errorf("asked %v", calls)
	}
	// Where they do not, the blocks are enough.
	h.proxies[0].Set(noTimes, faultrpc.Refuse(-32601, "no such method", "eth_getTransactionReceipt"))
	h.check(h.open(logbook.Config{}))
}

// noTimes is a node that does not name the time of an event's block.
var noTimes = faultrpc.Edit("eth_getLogs", eachLog(func(l map[string]any) { delete(l, "blockTimestamp") }))

// eachLog changes each log of an answer.
func eachLog(change func(l map[string]any)) func(v any) any {
	return func(v any) any {
		for _, l := range v.([]any) {
			change(l.(map[string]any))
		}
		return v
	}
}

// number returns the batch of a log.
func number(l map[string]any) uint64 {
	return common.HexToHash(l["topics"].([]any)[2].(string)).Big().Uint64()
}

// word overwrites a word of a log's data.
func word(l map[string]any, at int, with string) {
	data := l["data"].(string)
	l["data"] = data[:2+64*at] + strings.Repeat(with, 32) + data[2+64*at+64:]
}

// without leaves out the logs of a batch.
func without(n uint64) func(v any) any {
	return func(v any) any {
		kept := []any{}
		for _, l := range v.([]any) {
			if number(l.(map[string]any)) != n {
				kept = append(kept, l)
			}
		}
		return kept
	}
}

// lies are what nodes say of events.
var lies = map[string]func(v any) any{
	"none":          func(any) any { return []any{} },
	"one missing":   without(5),
	"first missing": without(0),
	"last missing":  without(22),
	"other time":    eachLog(func(l map[string]any) { l["blockTimestamp"] = "0x6b49d300" }),
	"one time": eachLog(func(l map[string]any) {
		if number(l) == 9 {
			l["blockTimestamp"] = "0x6b49d300"
		}
	}),
	"other root": eachLog(func(l map[string]any) {
		if number(l)%3 == 0 {
			word(l, 0, "ab")
		}
	}),
	"other CID": eachLog(func(l map[string]any) {
		if number(l) == 22 {
			word(l, 3, "ab")
		}
	}),
	"other first": eachLog(func(l map[string]any) {
		if number(l) == 7 {
			word(l, 1, "00")
		}
	}),
	"no size":   eachLog(func(l map[string]any) { word(l, 2, "00") }),
	"huge size": eachLog(func(l map[string]any) { word(l, 2, "ff") }),
	"no data":   eachLog(func(l map[string]any) { l["data"] = "0x" }),
	"other number": eachLog(func(l map[string]any) {
		if number(l) == 3 {
			l["topics"].([]any)[2] = common.BigToHash(big.NewInt(4)).Hex()
		}
	}),
	"invented": func(v any) any {
		all := v.([]any)
		if len(all) == 0 {
			return all
		}
		l := maps.Clone(all[0].(map[string]any))
		l["transactionHash"] = common.Hash{7}.Hex()
		topics := append([]any(nil), l["topics"].([]any)...)
		topics[2] = common.BigToHash(big.NewInt(22)).Hex()
		l["topics"] = topics
		return append(all, l)
	},
	"of another": func(v any) any { // batch 4 is shown again, as batch 3
		all := v.([]any)
		for _, l := range all {
			if l := l.(map[string]any); number(l) == 4 {
				again := maps.Clone(l)
				again["topics"] = append(l["topics"].([]any)[:2:2], common.BigToHash(big.NewInt(3)).Hex())
				return append(all, again)
			}
		}
		return all
	},
	"twice":    func(v any) any { return append(v.([]any), v.([]any)...) },
	"no times": eachLog(func(l map[string]any) { delete(l, "blockTimestamp") }),
}

// TestLies: one of three nodes that lies about events changes nothing, whoever it is.
func TestLies(t *testing.T) {
	h := newHarness(t, 3)
	h.grow(23)
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			for _, p := range h.proxies {
				p.Set(faultrpc.Edit("eth_getLogs", lie))
				h.check(h.open(logbook.Config{}))
				p.Set()
			}
		})
	}
}

// TestOnlyNode: what the only node leaves out or makes up of events is noticed, and where the rest of what it says
// suffices it is mended.
func TestOnlyNode(t *testing.T) {
	h := newHarness(t, 1)
	h.grow(23)
	mended := map[string]bool{"other time": true, "one time": true, "other root": true, "other CID": true, "other first": true, "twice": true, "of another": true, "no times": true, "invented": true}
	missing := map[string]string{"one missing": "batch 5 of 23", "first missing": "batch 0 of 23", "last missing": "batch 22 of 23", "none": "batch 0 of 23", "other number": "batch 3 of 23"}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			h.proxies[0].Set(faultrpc.Edit("eth_getLogs", lie))
			defer h.proxies[0].Set()
			b := h.open(logbook.Config{})
			if mended[name] {
				h.check(b)
				return
			}
			err := b.Refresh(t.Context())
			if !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), missing[name]) || b.Head() != (logbook.Head{}) {
				t.Fatalf("error %v, head %+v", err, b.Head())
			}
			h.proxies[0].Set()
			h.check(b)
		})
	}
}
