package nodes

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
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
