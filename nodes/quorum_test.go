package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

// slow delays an honest node's answers.
func slow(d time.Duration) fault {
	return func(_ request, honest reply) reply {
		honest.delay = d
		return honest
	}
}

func (w *world) head() *Block {
	w.Helper()
	b, err := w.q.Head(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// TestHead tells where the head is for nodes at these heights, on these forks.
func TestHead(t *testing.T) {
	type at struct {
		head  uint64
		chain *chain
	}
	main := func(n uint64) at { return at{n, mainChain} }
	tip := func(n uint64) at { return at{n, tipFork} }
	dead := at{}
	for _, tc := range []struct {
		name  string
		need  int
		nodes []at
		want  uint64
		fails bool
	}{
		{"one", 0, []at{main(600)}, 600, false},
		{"two, one behind", 0, []at{main(600), main(500)}, 500, false},
		{"two, one is enough", 1, []at{main(600), main(500)}, 600, false},
		{"two, one at genesis", 0, []at{main(600), main(0)}, 0, false},
		{"three, one behind", 0, []at{main(600), main(600), main(500)}, 600, false},
		{"three heights", 0, []at{main(600), main(599), main(500)}, 599, false},
		{"three heights, one dead", 0, []at{main(600), main(590), dead}, 590, false},
		{"two dead of three", 0, []at{main(600), dead, dead}, 0, true},
		{"a fork of the tip", 0, []at{main(600), main(600), tip(600)}, 600, false},
		{"a fork of the tip that is longer", 0, []at{main(599), main(599), tip(600)}, 599, false},
		{"two on a fork", 0, []at{main(600), tip(600)}, 597, false},
		{"two on a fork, one behind it", 0, []at{main(600), tip(600), main(590)}, 597, false},
		{"two on a fork, one dead", 0, []at{main(600), tip(599), dead}, 596, false}, // 597 is skipped
		{"two of four on a fork", 0, []at{main(600), tip(600), main(600), tip(600)}, 597, false},
		{"a fork deeper than is looked for", 0, []at{main(600), {600, longFork}}, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, len(tc.nodes), Config{Need: tc.need})
			for i, n := range tc.nodes {
				w.nodes[i].head, w.nodes[i].chain = n.head, n.chain
				if n == dead {
					w.nodes[i].chain, w.nodes[i].fault = mainChain, always(reply{status: 500})
				}
			}
			b, err := w.q.Head(t.Context())
			switch {
			case (err != nil) != tc.fails:
				t.Fatalf("got %v, %v", b, err)
			case err != nil && !errors.Is(err, ErrNoQuorum):
				t.Fatalf("%v is not ErrNoQuorum", err)
			case err == nil && (b.Number != tc.want || b.Hash != mainChain.hash(b.Number)):
				t.Fatalf("got block %d %s, want %d", b.Number, b.Hash, tc.want)
			}
		})
	}
}

// TestHeadBetween has a liar that claims to be far ahead: the head is where the honest two meet.
func TestHeadBetween(t *testing.T) {
	for _, behind := range []uint64{599, 591, 400} {
		w := newWorld(t, 3, Config{})
		w.nodes[0].fault, w.nodes[1].head = farAhead, behind
		if b := w.head(); b.Number != behind || b.Hash != mainChain.hash(behind) {
			t.Errorf("the head is %d, want %d", b.Number, behind)
		}
	}
}

// TestHidden has a liar that hides what the node that is behind cannot know: it is not said to be absent.
func TestHidden(t *testing.T) {
	w := newWorld(t, 3, Config{})
	w.nodes[0].fault = func(r request, h reply) reply {
		if r.Method == "eth_getTransactionReceipt" || r.param(0) == hexutil.EncodeUint64(txsAt) {
			return reply{}
		}
		return h
	}
	w.nodes[1].head = txsAt - 10
	w.head()
	if _, err := w.q.BlockAt(t.Context(), txsAt); !errors.Is(err, ErrNoQuorum) || errors.Is(err, ErrNotFound) {
		t.Errorf("block: %v", err)
	}
	if _, err := w.q.TxReceipt(t.Context(), knownTx); !errors.Is(err, ErrNoQuorum) || errors.Is(err, ErrNotFound) {
		t.Errorf("receipt: %v", err)
	}
}

// TestHopeless does not wait for a node whose answer cannot help any more.
func TestHopeless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, Config{})
		w.nodes[0].fault, w.nodes[1].fault = always(reply{status: 500}), always(reply{delay: -1})
		for _, r := range reads() {
			began := time.Now()
			if _, err := r.ask(t.Context(), w.q); err == nil || !slices.Contains([]string{"Header", "BlockReceipts", "Send"}, r.name) && time.Since(began) > 0 {
				t.Errorf("%s: %v after %s", r.name, err, time.Since(began))
			}
		}
		time.Sleep(defaultTimeout)
	})
}

// TestFirst asks a node that hung after those that answer.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{})
		w.nodes[0].fault = always(reply{delay: -1})
		for _, want := range []time.Duration{defaultGrace, 0} {
			began := time.Now()
			if _, err := w.q.Header(t.Context(), mainChain.hash(7)); err != nil || time.Since(began) != want {
				t.Errorf("%v after %s, want %s", err, time.Since(began), want)
			}
			time.Sleep(defaultTimeout)
		}
	})
}

// TestHeadStays has a liar that names an old head at once, and an honest node that is slower than the grace.
func TestHeadStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{})
		w.head()
		if b, err := w.q.Tagged(t.Context(), "finalized"); err != nil || b.Number != top-20 {
			t.Fatal(b, err)
		}
		w.nodes[0].set(func(f *fake) { f.head = 3 })
		w.nodes[1].set(func(f *fake) { f.fault = slow(2 * time.Second) })
		if b := w.head(); b.Number != top {
			t.Errorf("the head went back to %d", b.Number)
		}
		if b, err := w.q.Tagged(t.Context(), "finalized"); err != nil || b.Number != top-20 {
			t.Errorf("the finalized block went back: %v, %v", b, err)
		}
		// Where the chain itself is shorter now, that is believed once all have been asked.
		for _, f := range w.nodes {
			f.set(func(f *fake) { f.head, f.fault = 590, nil })
		}
		w.nodes[1].set(func(f *fake) { f.fault = always(reply{delay: -1}) })
		if b := w.head(); b.Number != 590 {
			t.Errorf("the head is %d", b.Number)
		}
		began := time.Now()
		if b := w.head(); b.Number != 590 || time.Since(began) > defaultGrace {
			t.Errorf("the head is %d after %s", b.Number, time.Since(began))
		}
		time.Sleep(defaultTimeout)
	})
}

// TestLiarAndStraggler has one honest node at the top, one that gets its last block a second later, and one
// bad node: the answers are still right, at the latest when the straggler has the block.
func TestLiarAndStraggler(t *testing.T) {
	for _, b := range badNodes() {
		if b.name == "sends without end" {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, Config{ChainID: testChain})
				b.apply(w.nodes[2])
				w.nodes[1].head = top - 1
				head := w.head()
				if head.Number < top-1 || head.Hash != mainChain.hash(head.Number) {
					t.Fatalf("the head is %d %s", head.Number, head.Hash)
				}
				began := time.Now()
				time.AfterFunc(time.Second, func() { w.nodes[1].set(func(f *fake) { f.head = top }) })
				if n, err := w.q.Nonce(t.Context(), head.Hash, account); err != nil || n != 7 {
					t.Errorf("nonce %d, %v", n, err)
				}
				if got, err := number(w.q.BlockAt(t.Context(), head.Number)); err != nil || got != at(head.Number) {
					t.Errorf("block %s, %v", got, err)
				}
				if _, err := w.q.TxReceipt(t.Context(), knownTx); err != nil {
					t.Errorf("receipt: %v", err)
				}
				if took := time.Since(began); took > catchUp {
					t.Errorf("took %s", took)
				}
				time.Sleep(defaultTimeout)
			})
		})
	}
}

// TestChainSwitch has a node that goes to another chain and comes back.
func TestChainSwitch(t *testing.T) {
	w := newWorld(t, 3, Config{})
	w.head()
	w.nodes[0].set(func(f *fake) { f.fault = only("eth_chainId", always(reply{result: "0x5"})) })
	for w.q.Health()[0].Wrong == "" { // two others are enough: its answer may come later
		w.head()
	}
	asked := len(w.nodes[0].asked)
	if _, err := w.q.BlockAt(t.Context(), 7); err != nil || len(w.nodes[0].asked) != asked {
		t.Errorf("it was asked all the same, or %v", err)
	}
	w.nodes[1].set(func(f *fake) { f.fault = only("eth_chainId", always(reply{result: "0x5"})) })
	if _, err := w.q.Head(t.Context()); !errors.Is(err, ErrOtherChain) {
		t.Errorf("two of three are on another chain: %v", err)
	}
	for _, f := range w.nodes {
		f.set(func(f *fake) { f.fault = nil })
	}
	for w.q.Health()[0].Wrong+w.q.Health()[1].Wrong != "" {
		w.head()
	}
}

// TestVouch has a node of another chain, in a Quorum of which one is enough, that did not say so when the
// chain was asked for.
func TestVouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, Config{Need: 1, ChainID: testChain})
		calls := 0
		w.nodes[0].fault = func(r request, honest reply) reply {
			if r.Method != "eth_chainId" {
				return liesOnState(r, honest)
			}
			if calls++; calls == 1 {
				return reply{fail: errors.New("reset")}
			}
			return reply{result: "0x5"}
		}
		w.nodes[1].fault = slow(100 * time.Millisecond)
		w.head()
		if n, err := w.q.Nonce(t.Context(), mainChain.hash(top), account); err != nil || n != 7 {
			t.Errorf("nonce %d, %v", n, err)
		}
	})
}

// TestNobody has nodes that all hang, and callers that give up.
func TestNobody(t *testing.T) {
	for _, n := range []int{1, 3} {
		for _, r := range reads() {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, n, Config{Timeout: 3 * time.Second, ChainID: testChain})
				for _, f := range w.nodes {
					f.fault = always(reply{delay: -1})
				}
				began := time.Now()
				if _, err := r.ask(t.Context(), w.q); err == nil || time.Since(began) > 3*time.Second+time.Duration(n)*defaultGrace {
					t.Errorf("%d nodes: %s: %v after %s", n, r.name, err, time.Since(began))
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began = time.Now()
				if _, err := r.ask(ctx, w.q); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
					t.Errorf("%d nodes: %s: %v after %s", n, r.name, err, time.Since(began))
				}
			})
		}
	}
}

// TestOpenRequests asks much while a node hangs.
func TestOpenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, Config{})
		w.head()
		w.nodes[0].set(func(f *fake) { f.fault = always(reply{delay: -1}) })
		began := time.Now()
		for range 200 {
			if _, err := w.q.BlockAt(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("took %s", took)
		}
		synctest.Wait()
		if f := w.nodes[0]; f.most > maxOpen {
			t.Errorf("%d requests were open", f.most)
		}
		time.Sleep(defaultTimeout)
		synctest.Wait()
		w.nodes[0].set(func(f *fake) { f.fault = nil })
		if _, err := w.q.BlockAt(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h := w.q.Health()[0]; !h.Up || h.Errors != maxOpen {
			t.Errorf("after it came back: %+v", h)
		}
	})
}

// TestTagged tells what a tag is of which nodes say this.
func TestTagged(t *testing.T) {
	none := only("eth_getBlockByNumber", func(r request, h reply) reply {
		if r.param(0) == "finalized" {
			return reply{}
		}
		return h
	})
	says := func(code int, text string) fault {
		return only("eth_getBlockByNumber", always(refuse(code, text)))
	}
	for _, tc := range []struct {
		name   string
		faults []fault
		want   string // empty: an error
	}{
		{"null", []fault{none}, "none"},
		{"geth", []fault{says(-32000, "finalized block not found")}, "none"},
		{"by the standard", []fault{says(-39001, "Unknown block")}, "none"},
		{"no such tag", []fault{says(-32602, "invalid argument 0: hex string without 0x prefix")}, "none"},
		{"limited", []fault{says(-32005, "limit exceeded")}, ""},
		{"two limited", []fault{says(-32005, "limit exceeded"), says(-32005, "limit exceeded"), nil}, ""},
		{"two name none", []fault{none, none, nil}, "none"},
		{"one names none", []fault{none, nil, nil}, at(top - 20)},
		{"one names none, one is slow", []fault{none, nil, slow(time.Second)}, at(top - 20)},
		{"one each", []fault{none, nil, says(-32005, "limit exceeded")}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, len(tc.faults), Config{})
				for i, f := range tc.faults {
					w.nodes[i].fault = f
				}
				got, err := number(w.q.Tagged(t.Context(), "finalized"))
				if tc.want == "" && !errors.Is(err, ErrNoQuorum) || tc.want != "" && (err != nil || got != tc.want) {
					t.Errorf("got %s, %v; want %q", got, err, tc.want)
				}
			})
		})
	}
}

// TestUnequalReceipts has two nodes that must agree, one of which is behind.
func TestUnequalReceipts(t *testing.T) {
	w := newWorld(t, 2, Config{})
	w.nodes[1].head = txsAt - 10
	if b := w.head(); b.Number != txsAt-10 {
		t.Fatal(b.Number)
	}
	if _, err := w.q.TxReceipt(t.Context(), knownTx); !errors.Is(err, ErrNotFound) {
		t.Errorf("at the common head the transaction is not mined, and got %v", err)
	}
	w.nodes[1].head = txsAt + 10
	if _, err := w.q.TxReceipt(t.Context(), knownTx); err != nil {
		t.Errorf("both have it, whatever the head was: %v", err)
	}
	if h := w.q.Health(); h[0].Outvoted+h[1].Outvoted > 0 {
		t.Errorf("somebody was outvoted: %+v", h)
	}
}

// TestReverts reverts calls with what enough nodes say, and nothing else.
func TestReverts(t *testing.T) {
	says := func(data any) fault {
		f := always(reply{code: 3, text: "execution reverted", data: data})
		return allOf(only("eth_call", f), only("eth_estimateGas", f))
	}
	for _, tc := range []struct {
		name   string
		faults []fault
		want   any
	}{
		{"all", []fault{says("0x1234"), says("0x1234"), says("0x1234")}, "0x1234"},
		{"with a word before", []fault{says("Reverted 0x1234"), says("0x1234"), nil}, "0x1234"},
		{"one says else", []fault{says("0x12"), says("0x1234"), says("0x1234")}, "0x1234"},
		{"each says else", []fault{says("0x12"), says("0x1234"), nil}, nil},
		{"one hides it", []fault{nil, says("0x1234"), says("0x1234")}, "0x1234"},
		{"no hex", []fault{says("what"), says("what"), says("what")}, nil},
		{"no data", []fault{says(nil), says(nil), says(nil)}, nil},
		{"too long", []fault{says("0x" + strings.Repeat("00", maxRevert+1)), says("0x" + strings.Repeat("00", maxRevert+1)), nil}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, 3, Config{})
			for i, f := range tc.faults {
				w.nodes[i].fault = f
			}
			_, call := w.q.Call(t.Context(), mainChain.hash(top), contract, nil)
			_, gas := w.q.EstimateGas(t.Context(), account, contract, nil)
			for _, err := range []error{call, gas} {
				var got any
				var data rpc.DataError
				if errors.As(err, &data) {
					got = data.ErrorData()
				}
				if err == nil || got != tc.want || tc.want == nil && !errors.Is(err, ErrNoQuorum) {
					t.Errorf("got %v in %v, want %v", got, err, tc.want)
				}
			}
		})
	}
}

// TestAdvice gives numbers that nodes differ on.
func TestAdvice(t *testing.T) {
	for _, tc := range []struct {
		gas, tips []int64
		slow      int // from this node on they are slower than the grace
		gasWant   uint64
		tipWant   int64
	}{
		{[]int64{50_000}, []int64{5}, 1, 50_000, 5},
		{[]int64{50_000, 51_000}, []int64{5, 6}, 2, 51_000, 5},
		{[]int64{50_000, 51_000, 90_000_000}, []int64{5, 6, 1 << 60}, 3, 51_000, 6},
		{[]int64{21_000, 50_000, 51_000}, []int64{0, 5, 6}, 3, 50_000, 5},
		{[]int64{21_000, 50_000, 51_000}, []int64{0, 5, 6}, 2, 50_000, 0}, // gas waits for the third node
		{[]int64{50_000, 51_000, 52_000}, []int64{5, 6, 7}, 2, 51_000, 5},
		{[]int64{9_000_000, 8_999_999, 50_000, 51_000, 52_000}, []int64{9, 9, 5, 5, 5}, 3, 52_000, 9}, // two liars of three are too many for the tip,
	} {
		t.Run(fmt.Sprint(tc), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, len(tc.gas), Config{})
				for i, f := range w.nodes {
					f.fault = func(r request, h reply) reply {
						switch r.Method {
						case "eth_estimateGas":
							h.result = hexutil.Uint64(tc.gas[i])
						case "eth_maxPriorityFeePerGas":
							h.result = (*hexutil.Big)(big.NewInt(tc.tips[i]))
						}
						if i >= tc.slow {
							h.delay = time.Second
						}
						return h
					}
				}
				gas, err := w.q.EstimateGas(t.Context(), account, contract, nil)
				if err != nil || gas != tc.gasWant {
					t.Errorf("gas %d, %v; want %d", gas, err, tc.gasWant)
				}
				tip, err := w.q.Tip(t.Context())
				if err != nil || tip.Int64() != tc.tipWant {
					t.Errorf("tip %d, %v; want %d", tip, err, tc.tipWant)
				}
				time.Sleep(defaultTimeout)
			})
		})
	}
}

// TestSend sends to nodes that say this.
func TestSend(t *testing.T) {
	says := func(text string) fault { return only("eth_sendRawTransaction", always(refuse(-32000, text))) }
	low := says("nonce too low")
	for _, tc := range []struct {
		name   string
		faults []fault
		need   int
		want   string // part of the error; empty: none
	}{
		{"all take it", []fault{nil, nil, nil}, 0, ""},
		{"one takes it, two are gone", []fault{nil, always(reply{status: 500}), always(reply{status: 500})}, 0, ""},
		{"geth has it", []fault{says("already known")}, 0, ""},
		{"Nethermind has it", []fault{says("AlreadyKnown")}, 0, ""},
		{"Besu has it", []fault{says("Known transaction")}, 0, ""},
		{"anvil has it", []fault{says("transaction already imported")}, 0, ""},
		{"unknown", []fault{says("unknown transaction type")}, 0, "unknown transaction type"},
		{"all refuse", []fault{low, low, low}, 0, "no node takes it"},
		{"most refuse", []fault{nil, low, low}, 0, "1 of 3 nodes take it"},
		{"one refuses", []fault{nil, nil, low}, 0, ""},
		{"two of two, one refuses", []fault{nil, low}, 0, ""},
		{"one is enough", []fault{nil, low, low}, 1, ""},
		{"another transaction", []fault{only("eth_sendRawTransaction", always(reply{result: proofs.Hash{1}}))}, 0, "it answers with transaction"},
		{"null", []fault{only("eth_sendRawTransaction", always(reply{}))}, 0, "it answers null"},
		{"all hang but one that is slow", []fault{slow(2 * time.Second), always(reply{delay: -1}), always(reply{delay: -1})}, 0, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, len(tc.faults), Config{Need: tc.need})
				for i, f := range tc.faults {
					w.nodes[i].fault = f
				}
				err := w.q.Send(t.Context(), testTx)
				if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				for i, f := range w.nodes {
					f.set(func(f *fake) {
						if f.sent != 1 {
							t.Errorf("node %d was sent it %d times", i, f.sent)
						}
					})
				}
				time.Sleep(defaultTimeout)
			})
		})
	}
}

// TestRefused counts the nodes that refuse a transaction for a reason.
func TestRefused(t *testing.T) {
	says := func(text string) fault { return only("eth_sendRawTransaction", always(refuse(-32000, text))) }
	for _, tc := range []struct {
		texts []string
		want  bool
	}{
		{[]string{"replacement transaction underpriced"}, true},
		{[]string{"Transaction Underpriced", "underpriced", "nonce too low"}, true},
		{[]string{"underpriced", "nonce too low", "nonce too low"}, false},
		{[]string{"nonce too low"}, false},
	} {
		w := newWorld(t, len(tc.texts), Config{})
		for i, text := range tc.texts {
			w.nodes[i].fault = says(text)
		}
		if err := w.q.Send(t.Context(), testTx); err == nil || Refused(err, "underpriced") != tc.want {
			t.Errorf("%q: %v", tc.texts, err)
		}
	}
	if Refused(errors.New("underpriced"), "underpriced") || Refused(nil, "") {
		t.Error("an error that no node stated")
	}
}

// TestLeads puts the logs of several nodes in order.
func TestLeads(t *testing.T) {
	lie := func(r request, h reply) reply {
		var all []*types.Log
		for i := range 500 {
			l := *mainChain.receipts[0].Logs[0]
			l.TxHash[0], l.TxHash[1], l.BlockNumber = byte(i), byte(i>>8), txsAt-1
			all = append(all, &l)
		}
		return reply{result: all}
	}
	w := newWorld(t, 3, Config{Grace: time.Second})
	w.nodes[0].fault = only("eth_getLogs", lie)
	logs, err := w.q.Logs(t.Context(), 0, top, contract, topic)
	if err != nil || len(logs) != 2+maxLone || logs[0].TxHash != mainChain.receipts[0].TxHash || logs[1].TxHash != mainChain.receipts[1].TxHash {
		t.Errorf("got %d logs, %v", len(logs), err)
	}
	w.nodes[1].head = txsAt - 1 // only node 2 has them now
	logs, err = w.q.Logs(t.Context(), 0, top, contract, topic)
	if err != nil || len(logs) != 2+maxLone || logs[len(logs)-2].TxHash != mainChain.receipts[0].TxHash {
		t.Errorf("got %d logs, %v", len(logs), err)
	}
}

// TestNotFound looks for a block that nodes do not have.
func TestNotFound(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults []fault
		want   error
	}{
		{"none has it", []fault{nil, nil, nil}, ErrNotFound},
		{"one hangs", []fault{always(reply{delay: -1}), nil, nil}, ErrNotFound},
		{"two fail", []fault{always(reply{status: 500}), always(reply{status: 500}), nil}, ErrNoQuorum},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, Config{})
				for i, f := range tc.faults {
					w.nodes[i].fault = f
				}
				began := time.Now()
				_, header := w.q.Header(t.Context(), proofs.Hash{1})
				_, receipts := w.q.BlockReceipts(t.Context(), proofs.Hash{1}, proved)
				if took := time.Since(began); !errors.Is(header, tc.want) || !errors.Is(receipts, tc.want) || took > 6*defaultGrace {
					t.Errorf("got %v and %v after %s, want %v", header, receipts, took, tc.want)
				}
				time.Sleep(defaultTimeout)
			})
		})
	}
}

// TestReceiptsOneByOne has no node that gives the receipts of a block at once.
func TestReceiptsOneByOne(t *testing.T) {
	unknown := only("eth_getBlockReceipts", always(refuse(-32601, "no such method")))
	for _, tc := range []struct {
		name string
		f    fault
		want string // part of the error; empty: none
	}{
		{"all", unknown, ""},
		{"null", only("eth_getBlockReceipts", always(reply{})), "not found"},
		{"one is missing", allOf(unknown, only("eth_getTransactionReceipt", always(reply{}))), "receipt 0 is missing"},
		{"another", allOf(unknown, only("eth_getTransactionReceipt", always(reply{result: mainChain.receipts[2]}))), "of another transaction"},
		{"too many", allOf(unknown, only("eth_getBlockByHash", func(_ request, h reply) reply {
			return edit(h.result, func(m map[string]any) { m["transactions"] = make([]proofs.Hash, maxBlockTxs+1) })
		})), "10001 transactions"},
		{"no batches", func(r request, h reply) reply {
			if r.Method == "eth_getTransactionReceipt" {
				return reply{raw: func() io.Reader {
					return strings.NewReader(`{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no batches"}}`)
				}}
			}
			return unknown(r, h)
		}, "cannot unmarshal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, 2, Config{Grace: time.Millisecond})
			for _, f := range w.nodes {
				f.fault = tc.f
			}
			all, err := w.q.BlockReceipts(t.Context(), mainChain.hash(txsAt), proved)
			if tc.want == "" && (err != nil || len(all) != 3) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %d, %v; want %q", len(all), err, tc.want)
			}
		})
	}
}
