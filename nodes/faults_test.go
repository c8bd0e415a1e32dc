package nodes

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/hansard-dao/hansard/proofs"
)

// zeros is a body without an end.
type zeros struct{ char byte }

func (z zeros) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	p[0] = z.char
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n])
	}
	return len(p), nil
}

// edit returns what a node answers with some fields changed, and leaves it as it is if it is no object.
func edit(result any, change func(m map[string]any)) reply {
	raw, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil || m == nil {
		return reply{result: result}
	}
	change(m)
	return reply{result: m}
}

func always(out reply) fault { return func(request, reply) reply { return out } }

func only(method string, f fault) fault {
	return func(r request, honest reply) reply {
		if r.Method == method {
			return f(r, honest)
		}
		return honest
	}
}

// badNode is what is wrong with a node, and how Health names it.
type badNode struct {
	name  string
	apply func(f *fake)
	named string // errors, stated, outvoted, refused, wrong, late or lag; empty: nobody could tell
}

func does(f fault) func(*fake) { return func(n *fake) { n.fault = f } }

// isState tells whether a question is about the state of a block.
func isState(r request) bool {
	switch r.Method {
	case "eth_call", "eth_getCode", "eth_getBalance":
		return true
	}
	return r.Method == "eth_getTransactionCount" && r.param(1) != "pending"
}

// liesOnState answers each question about state with something else.
func liesOnState(r request, honest reply) reply {
	switch r.Method {
	case "eth_call", "eth_getCode":
		return reply{result: "0xdead"}
	case "eth_getBalance", "eth_getTransactionCount":
		return reply{result: "0x0"}
	}
	return honest
}

// farAhead claims a head that nobody has, and a block of its own for every number.
func farAhead(r request, honest reply) reply {
	if r.Method != "eth_getBlockByNumber" {
		return honest
	}
	n := hexutil.Uint64(math.MaxUint64)
	if tag := r.param(0); strings.HasPrefix(tag, "0x") {
		v, _ := hexutil.DecodeUint64(tag)
		n = hexutil.Uint64(v)
	}
	return reply{result: map[string]any{"number": n, "hash": proofs.Hash{1}, "timestamp": hexutil.Uint64(math.MaxUint64), "baseFeePerGas": "0x1"}}
}

// farAheadThenSilent claims such a head, and then hangs.
func farAheadThenSilent(r request, honest reply) reply {
	if r.Method == "eth_chainId" {
		return honest
	}
	if r.param(0) == "latest" || r.param(0) == "finalized" {
		return farAhead(r, honest)
	}
	return reply{delay: -1}
}

// farBehind claims that the chain has three blocks, and knows of nothing later.
func farBehind(f *fake) { f.head = 3 }

func allOf(fs ...fault) fault {
	return func(r request, honest reply) reply {
		for _, f := range fs {
			honest = f(r, honest)
		}
		return honest
	}
}

func badNodes() []badNode {
	hugeLogs := func(r request, honest reply) reply {
		l := mainChain.receipts[0].Logs[0]
		var all []any
		for i := range 1000 {
			fakeLog := *l
			fakeLog.Index, fakeLog.TxHash[0] = uint(i), byte(i)
			all = append(all, &fakeLog)
		}
		return reply{result: all}
	}
	return []badNode{
		{"hangs", does(always(reply{delay: -1})), "errors"},
		{"is slow", does(func(_ request, honest reply) reply { honest.delay = 2 * time.Second; return honest }), "late"},
		{"resets", does(always(reply{fail: io.ErrUnexpectedEOF})), "errors"},
		{"answers 429 with its URL", does(always(reply{status: 429, raw: func() io.Reader { return strings.NewReader("<html>\x1b[31m slow down " + nodeURL(0)) }})), "errors"},
		{"answers 500", does(always(reply{status: 500})), "errors"},
		{"redirects", does(always(reply{status: 307, header: http.Header{"Location": {"https://n0.example/" + secretPath}}})), "errors"},
		{"sends without end", does(always(reply{raw: func() io.Reader {
			return io.MultiReader(strings.NewReader(`{"jsonrpc":"2.0","id":1,"result":"`), zeros{'a'})
		}})), "errors"},
		{"sends deep JSON", does(always(reply{raw: func() io.Reader { return io.LimitReader(zeros{'['}, 1<<20) }})), "errors"},
		{"sends no JSON", does(always(reply{raw: func() io.Reader { return strings.NewReader("hello") }})), "errors"},
		{"sends nothing", does(always(reply{raw: func() io.Reader { return strings.NewReader("") }})), "errors"},
		{"answers null", does(always(reply{})), "stated"},
		{"answers {}", does(always(reply{result: map[string]any{}})), "errors"},
		{"answers a number", does(always(reply{result: 5})), "errors"},
		{"answers a wrong text", does(always(reply{result: "0xzz"})), "errors"},
		{"answers nested lists", does(always(reply{result: []any{[]any{nil}}})), "errors"},
		{"refuses all", does(always(refuse(-32005, "daily limit of key "+secretPath+" reached"))), "stated"},
		{"refuses strangely", does(always(reply{code: 3, text: strings.Repeat("x", 1<<14), data: "0x08c379a0"})), "stated"},
		{"is on another chain", does(only("eth_chainId", always(reply{result: "0x1"}))), "wrong"},
		{"is on chain 0", does(only("eth_chainId", always(reply{result: "0x0"}))), "errors"},
		{"is far behind", farBehind, "lag"},
		{"is 100 blocks behind", func(f *fake) { f.head = top - 100 }, "lag"},
		{"is a block behind", func(f *fake) { f.head = top - 1 }, "lag"},
		{"is on a fork of the tip", func(f *fake) { f.chain = tipFork }, "outvoted"},
		{"is on a long fork", func(f *fake) { f.chain = longFork }, "outvoted"},
		{"claims a far head", does(farAhead), "outvoted"},
		{"claims a far head and hangs", does(farAheadThenSilent), "errors"},
		{"calls the head final", does(func(r request, honest reply) reply {
			if r.param(0) == "finalized" {
				return (&fake{chain: mainChain, head: top}).honest(request{Method: r.Method, Params: []json.RawMessage{[]byte(`"latest"`)}})
			}
			return honest
		}), ""},
		{"calls nothing final", does(func(r request, honest reply) reply {
			if r.param(0) == "finalized" {
				return refuse(-39001, "Unknown block")
			}
			return honest
		}), ""},
		{"moves the time of blocks", does(only("eth_getBlockByNumber", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { m["timestamp"] = "0x1" })
		})), "outvoted"},
		{"leaves out the time of blocks", does(only("eth_getBlockByNumber", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { delete(m, "timestamp") })
		})), "errors"},
		{"answers with the block before", does(only("eth_getBlockByNumber", func(_ request, h reply) reply {
			return reply{result: (&fake{chain: mainChain, head: top}).block(17)}
		})), "lag"},
		{"lies on state", does(liesOnState), "outvoted"},
		{"has pruned the state", does(func(r request, h reply) reply {
			if isState(r) {
				return refuse(-32000, "missing trie node")
			}
			return h
		}), "stated"},
		{"answers null for state", does(func(r request, h reply) reply {
			if isState(r) {
				return reply{}
			}
			return h
		}), "stated"},
		{"hides receipts", does(only("eth_getTransactionReceipt", always(reply{}))), "outvoted"},
		{"makes up receipts", does(only("eth_getTransactionReceipt", func(r request, _ reply) reply {
			raw, _ := json.Marshal(mainChain.receipts[1])
			return edit(json.RawMessage(raw), func(m map[string]any) { m["transactionHash"] = r.param(0); m["status"] = "0x0" })
		})), "outvoted"},
		{"changes what receipts cost", does(only("eth_getTransactionReceipt", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { m["effectiveGasPrice"] = "0x" + strings.Repeat("f", 64) })
		})), ""},
		{"moves receipts", does(only("eth_getTransactionReceipt", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { m["blockHash"] = proofs.Hash{3} })
		})), "outvoted"},
		{"answers with another receipt", does(only("eth_getTransactionReceipt", always(reply{result: mainChain.receipts[2]}))), "errors"},
		{"changes headers", does(only("eth_getBlockByHash", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { m["stateRoot"] = proofs.Hash{3} })
		})), "refused"},
		{"drops a receipt of a block", does(only("eth_getBlockReceipts", always(reply{result: mainChain.receipts[:2]}))), "refused"},
		{"lists a receipt as null", does(only("eth_getBlockReceipts", always(reply{result: []any{nil, nil, nil}}))), "refused"},
		{"does not know eth_getBlockReceipts", does(only("eth_getBlockReceipts", always(refuse(-32601, "no such method")))), ""},
		{"makes up logs", does(only("eth_getLogs", hugeLogs)), ""},
		{"finds too many logs", does(only("eth_getLogs", always(reply{result: make([]any, maxLogs+1)}))), "errors"},
		{"finds other logs", does(only("eth_getLogs", func(_ request, h reply) reply {
			l := *mainChain.receipts[0].Logs[0]
			l.Address[0]++
			return reply{result: []any{&l}}
		})), "errors"},
		{"finds no logs", does(only("eth_getLogs", always(reply{result: []any{}}))), ""},
		{"asks for huge fees and gas", does(allOf(
			only("eth_maxPriorityFeePerGas", always(reply{result: (*hexutil.Big)(new(big.Int).Lsh(big.NewInt(1), 255))})),
			only("eth_estimateGas", always(reply{result: hexutil.Uint64(math.MaxUint64)})))), ""},
		{"asks for no fees and no gas", does(allOf(
			only("eth_maxPriorityFeePerGas", always(reply{result: "0x0"})), only("eth_estimateGas", always(reply{result: "0x5208"})))), ""},
		{"says that calls revert", does(allOf(
			only("eth_call", always(reply{code: 3, text: "execution reverted", data: "0x1234"})),
			only("eth_estimateGas", always(reply{code: 3, text: "execution reverted", data: "0x1234"})))), "outvoted"},
		{"refuses transactions", does(only("eth_sendRawTransaction", always(refuse(-32000, "insufficient funds")))), "stated"},
		{"takes transactions as others", does(only("eth_sendRawTransaction", always(reply{result: proofs.Hash{4}}))), "errors"},
	}
}

// TestQuorum puts each kind of bad node among honest ones, at each place, and asks each question. With 3
// nodes one of them, and with 5 two, may be bad in the same way, and nothing changes: neither an answer, nor
// the time it takes by more than the grace. The bad ones are named. With 2 nodes there may be no answer, but
// no wrong one.
func TestQuorum(t *testing.T) {
	for _, b := range badNodes() {
		t.Run(b.name, func(t *testing.T) {
			for _, tc := range []struct{ n, bad int }{{3, 1}, {5, 2}} {
				places := tc.n
				if b.name == "sends without end" { // 4 MiB each time
					places = 1
				}
				for from := range places {
					synctest.Test(t, func(t *testing.T) { outvote(t, b, tc.n, tc.bad, from) })
				}
			}
			synctest.Test(t, func(t *testing.T) { ofTwo(t, b) })
			synctest.Test(t, func(t *testing.T) { alone1(t, b) })
		})
	}
}

// outvote asks all questions to n nodes of which those from from on are bad.
func outvote(t *testing.T, b badNode, n, bad, from int) {
	w := newWorld(t, n, Config{ChainID: testChain})
	is := func(i int) bool { return (i-from+n)%n < bad }
	for i, f := range w.nodes {
		if is(i) {
			b.apply(f)
		}
	}
	for range 2 { // again, with what is known by then
		for _, r := range reads() {
			began := time.Now()
			got, err := r.ask(t.Context(), w.q)
			if err != nil || got != r.want {
				t.Errorf("%d nodes, bad from %d: %s: got %q, %v; want %q", n, from, r.name, got, err, r.want)
			}
			if took, most := time.Since(began), time.Duration(bad)*defaultGrace; took > most {
				t.Errorf("%d nodes, bad from %d: %s took %s, want at most %s", n, from, r.name, took, most)
			}
			w.checkSecrets(err)
		}
	}
	time.Sleep(defaultTimeout) // of the test's own clock: for the answers that nobody waited for
	synctest.Wait()
	asked := true // by what proves itself: only if those before are bad too
	for i, h := range w.q.Health() {
		asked = asked && is(i)
		if is(i) && !named(h, b.named, asked) || !is(i) && (h.Errors+h.Outvoted+h.Late > 0 || h.Wrong != "" || h.Lag > 0 || !h.Up || h.Head != top) {
			t.Errorf("%d nodes, bad from %d, named by %q: node %d: %+v", n, from, b.named, i, h)
		}
	}
}

// named tells whether Health names a bad node. What proves itself is not asked of those after an
// honest one.
func named(h Health, by string, asked bool) bool {
	switch by {
	case "refused":
		return h.Outvoted > 0 == asked
	case "errors":
		return h.Errors > 0 && h.LastErr != ""
	case "stated":
		return h.LastErr != ""
	case "outvoted":
		return h.Outvoted > 0
	case "wrong":
		return h.Wrong != ""
	case "late":
		return h.Late > 0 && h.Up
	case "lag":
		return h.Lag > 0
	}
	return h.Errors+h.Outvoted+h.Late == 0
}

// ofTwo asks all questions to an honest and a bad node.
func ofTwo(t *testing.T, b badNode) {
	w := newWorld(t, 2, Config{ChainID: testChain})
	b.apply(w.nodes[1])
	older := []string{at(3), at(top - 100), at(top - 1), at(top - 3), at(19), at(17), at(0), at(top - 21), at(top - 120)} // true, and older
	for _, r := range reads() {
		began := time.Now()
		got, err := r.ask(t.Context(), w.q)
		if err == nil && got != r.want && !r.advice && !slices.Contains(older, got) && got != "not found" && got != "none" && got != r.unpriced {
			t.Errorf("2 nodes: %s: got %q, want %q or an error", r.name, got, r.want)
		}
		if took := time.Since(began); took > 2*defaultTimeout+20*defaultGrace {
			t.Errorf("2 nodes: %s took %s", r.name, took)
		}
		if err != nil && !errors.Is(err, ErrNoQuorum) && !errors.Is(err, ErrNotFound) && r.name != "Send" {
			t.Errorf("2 nodes: %s: %v is no known error", r.name, err)
		}
		w.checkSecrets(err)
	}
	time.Sleep(defaultTimeout)
}

// alone1 asks all questions to a bad node: it may lie, but not hang or break anything, or show a secret.
func alone1(t *testing.T, b badNode) {
	w := newWorld(t, 1, Config{})
	b.apply(w.nodes[0])
	for _, r := range reads() {
		began := time.Now()
		_, err := r.ask(t.Context(), w.q)
		if took := time.Since(began); took > 2*defaultTimeout+20*defaultGrace {
			t.Errorf("1 node: %s took %s", r.name, took)
		}
		w.checkSecrets(err)
	}
	if h := w.q.Health()[0]; len(h.LastErr) > maxText+3 {
		t.Errorf("1 node: its last error has %d bytes", len(h.LastErr))
	}
}

// TestHonest asks one to five honest nodes.
func TestHonest(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w := newWorld(t, n, Config{})
			for _, r := range reads() {
				if got, err := r.ask(t.Context(), w.q); err != nil || got != r.want {
					t.Errorf("%s: got %q, %v; want %q", r.name, got, err, r.want)
				}
			}
			for _, f := range w.nodes {
				if f.sent != 1 {
					t.Errorf("a transaction was sent %d times to a node", f.sent)
				}
			}
		})
	}
}
