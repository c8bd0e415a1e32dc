package nodes

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/proofs"
)

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
			_, gas := w.q.EstimateGas(t.Context(), account, contract, nil, nil)
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
				gas, err := w.q.EstimateGas(t.Context(), account, contract, nil, nil)
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

// TestLeadsAlike: a log counts as given by enough nodes only with the same content, and so does its block's time.
func TestLeadsAlike(t *testing.T) {
	w := newWorld(t, 3, Config{Grace: time.Second})
	other := func(change func(*types.Log)) fault {
		return only("eth_getLogs", func(request, reply) reply {
			l := *mainChain.receipts[0].Logs[0]
			change(&l)
			return reply{result: []*types.Log{&l}}
		})
	}
	for name, change := range map[string]func(*types.Log){
		"data": func(l *types.Log) { l.Data = []byte{77} }, "topic": func(l *types.Log) { l.Topics = []common.Hash{l.Topics[0], {77}} },
	} {
		w.nodes[0].fault = other(change)
		l, err := w.q.Leads(t.Context(), 0, top, contract, topic)
		if err != nil || len(l.Sure) != 2 || len(l.Rest) != 1 || string(l.Sure[0].Data) != string(mainChain.receipts[0].Logs[0].Data) {
			t.Errorf("%s: %d sure, %d other logs, %v", name, len(l.Sure), len(l.Rest), err)
		}
	}
	timed := func(times ...uint64) uint64 {
		for i, time := range times {
			w.nodes[i].fault = other(func(l *types.Log) { l.BlockTimestamp = time })
		}
		l, err := w.q.Leads(t.Context(), 0, top, contract, topic)
		if err != nil || len(l.Sure) != 1 || len(l.Rest) != 0 {
			t.Fatalf("%d sure, %d other logs, %v", len(l.Sure), len(l.Rest), err)
		}
		return l.Sure[0].BlockTimestamp
	}
	if got := timed(9, 7, 7); got != 7 {
		t.Errorf("time %d, and two say 7", got)
	}
	if got := timed(9, 7, 0); got != 0 {
		t.Errorf("time %d, and no two agree", got)
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
		{"in other places", only("eth_getBlockReceipts", func(_ request, h reply) reply {
			var all []any
			for _, r := range mainChain.receipts {
				all = append(all, edit(r, func(m map[string]any) { m["transactionIndex"], m["blockHash"] = "0x7", proofs.Hash{7} }).result)
			}
			return reply{result: all}
		}), ""},
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
			for i, r := range all {
				if r.Index != uint64(i) || r.Block != mainChain.hash(txsAt) {
					t.Errorf("receipt %d is %d of %s", i, r.Index, r.Block)
				}
			}
		})
	}
}
