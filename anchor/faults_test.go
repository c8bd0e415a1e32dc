package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/hansard-dao/hansard/proofs"
)

// TestCrash cuts a run off before and after each of its calls to the node, and goes on with a new
// Anchorer on the same store. Every batch is anchored once, by one transaction.
func TestCrash(t *testing.T) {
	h := newHarness(t)
	for at, done := 1, false; !done; at++ {
		for _, after := range []bool{false, true} {
			h.store.add()
			n := len(h.store.batches) - 1
			ctx, crash := context.WithCancel(t.Context())
			calls := 0
			h.fault = func(r *request, next func() []byte) ([]byte, error) {
				if calls++; calls != at {
					return next(), nil
				}
				if after {
					next()
				}
				crash()
				return nil, context.Canceled
			}
			a := h.anchorer()
			for range 2 {
				if err := a.Step(ctx); err != nil && ctx.Err() == nil {
					t.Fatalf("step: %v", err)
				}
				h.mine(1)
			}
			done = calls < at
			crash()
			h.fault = nil
			h.settle(n)
			if got := len(h.store.batches[n].Txs); got != 1 {
				t.Errorf("call %d, after %v: %d transactions", at, after, got)
			}
		}
	}
	h.checkChain()
	if n := len(h.store.batches); n < 30 {
		t.Errorf("only %d crashes: the fault is not where the calls are", n)
	}
}

// settle steps with a fresh Anchorer until the batch is final, for at most six blocks.
func (h *harness) settle(number int) {
	h.Helper()
	a := h.anchorer()
	for i := 0; i < 6 && h.store.batches[number].State < finalized; i++ {
		h.step(a)
		h.mine(1)
	}
	h.wantFinal(number, true)
}

var errDisk = errors.New("disk full")

// TestStoreFaults fails each write of a batch's life: not written, and written but reported failed, with
// and without a restart after it.
func TestStoreFaults(t *testing.T) {
	h := newHarness(t)
	for _, restart := range []bool{false, true} {
		for _, written := range []bool{false, true} {
			for write := 1; write <= 4; write++ {
				h.store.add()
				n := len(h.store.batches) - 1
				h.store.writes = 0
				h.store.fail = func(at int, done bool) error {
					if at == write && done == written {
						return errDisk
					}
					return nil
				}
				a, failures := h.anchorer(), 0
				for range 8 {
					switch err := a.Step(t.Context()); {
					case errors.Is(err, errDisk):
						failures++
						if restart {
							a = h.anchorer()
						}
					case err != nil:
						t.Fatal(err)
					}
					h.mine(1)
				}
				h.wantFinal(n, true)
				if got := len(h.store.batches[n].Txs); failures != 1 || got != 1 {
					t.Errorf("write %d, written %v, restart %v: %d failures, %d transactions", write, written, restart, failures, got)
				}
			}
		}
	}
	h.checkChain()
}

// TestUnclearSend loses the answer to a broadcast, or the broadcast.
func TestUnclearSend(t *testing.T) {
	for name, arrives := range map[string]bool{"arrived": true, "lost": false} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			a := h.anchorer()
			h.fault = func(r *request, next func() []byte) ([]byte, error) {
				if r.Method != "eth_sendRawTransaction" {
					return next(), nil
				}
				if arrives {
					next()
				}
				return nil, errors.New("connection reset")
			}
			h.step(a)
			h.fault = nil
			if arrives {
				h.mine(1)
			}
			for range 4 {
				h.step(a)
				h.mine(1)
			}
			h.wantFinal(0, true)
			if n := len(h.store.batches[0].Txs); n != 1 {
				t.Errorf("%d transactions", n)
			}
			h.checkChain()
		})
	}
}

// edit changes the result of one method.
func edit(t *testing.T, method string, change func(result any) any) fault {
	return func(r *request, next func() []byte) ([]byte, error) {
		answer := next()
		if r.Method != method {
			return answer, nil
		}
		var v map[string]any
		if err := json.Unmarshal(answer, &v); err != nil {
			t.Fatal(err)
		}
		v["result"] = change(v["result"])
		return json.Marshal(v)
	}
}

// TestLiesAtFreezing has a node that answers wrongly when the receipt is frozen. Nothing is stored, and
// the batch is finalized once the node is honest.
func TestLiesAtFreezing(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	a := h.anchorer()
	h.step(a)
	h.transact(stranger, pauper.Address(), nil, 3e9)
	h.transact(stranger, pauper.Address(), nil, 3e9)
	h.mine(2)
	h.step(a)
	h.mine(1)
	const receipts, header = "eth_getBlockReceipts", "eth_getBlockByHash"
	first := func(result any) map[string]any { return result.([]any)[0].(map[string]any) }
	last := func(result any) map[string]any { l := result.([]any); return l[len(l)-1].(map[string]any) }
	for _, tc := range []struct {
		name, method string
		change       func(any) any
		want         string
	}{
		{"status of another", receipts, func(r any) any { first(r)["status"] = "0x0"; return r }, errReceipts.Error()},
		{"gas of another", receipts, func(r any) any { first(r)["cumulativeGasUsed"] = "0x5209"; return r }, errReceipts.Error()},
		{"type of another", receipts, func(r any) any { first(r)["type"] = "0x3"; return r }, errReceipts.Error()},
		{"one left out", receipts, func(r any) any { return r.([]any)[1:] }, errReceipts.Error()},
		{"one twice", receipts, func(r any) any { l := r.([]any); return append(l[:1:1], l...) }, errReceipts.Error()},
		{"order", receipts, func(r any) any { l := r.([]any); l[0], l[1] = l[1], l[0]; return l }, errReceipts.Error()},
		{"ours left out", receipts, func(r any) any { l := r.([]any); return l[:len(l)-1] }, errReceipts.Error()},
		{"our log", receipts, func(r any) any {
			l := last(r)["logs"].([]any)[0].(map[string]any)
			l["data"] = strings.Replace(l["data"].(string), "0x", "0x00", 1)[:len(l["data"].(string))]
			return r
		}, errReceipts.Error()},
		{"none", receipts, func(any) any { return nil }, "not found"},
		{"receipts root", header, func(r any) any {
			r.(map[string]any)["receiptsRoot"] = common.Hash{1}.Hex()
			return r
		}, "does not hash to it"},
		{"time", header, func(r any) any { r.(map[string]any)["timestamp"] = "0x1"; return r }, "does not hash to it"},
		{"no header", header, func(any) any { return nil }, "not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h.fault = edit(t, tc.method, tc.change)
			if err := a.Step(t.Context()); err == nil || errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			h.wantStates(0, submitted, included, safe)
		})
	}
	h.fault = nil
	h.step(a)
	h.wantFinal(0, true)
	h.checkChain()
}

// TestLiesAtInclusion has a node that reports the transaction in a block that is not on the chain, or
// without the event.
func TestLiesAtInclusion(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(map[string]any)
		want   string
	}{
		{"orphaned block", func(r map[string]any) { r["blockHash"] = common.Hash{1}.Hex() }, "has this one's event"},
		{"block to come", func(r map[string]any) { r["blockNumber"] = "0xffff" }, "has this one's event"},
		{"no event", func(r map[string]any) { r["logs"] = []any{} }, "without the batch's event"},
		{"another transaction", func(r map[string]any) { r["transactionHash"] = common.Hash{1}.Hex() }, "it answers with transaction"},
		{"other emitter", func(r map[string]any) {
			r["logs"].([]any)[0].(map[string]any)["address"] = common.Address{1}.Hex()
		}, "without the batch's event"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHarness(t)
			h.store.add()
			a := h.anchorer()
			h.step(a)
			h.mine(1)
			h.fault = edit(t, "eth_getTransactionReceipt", func(r any) any { tc.change(r.(map[string]any)); return r })
			if err := a.Step(t.Context()); err == nil || errors.Is(err, ErrFatal) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			h.wantStates(0, submitted)
			h.fault = nil
			h.mine(2)
			h.step(a)
			h.wantFinal(0, true)
			if n := len(h.store.batches[0].Txs); n != 1 {
				t.Errorf("%d transactions", n)
			}
			h.checkChain()
		})
	}
}

// TestNodeErrors fails every call of one method at a time. The round fails or does without, and the batch
// is final when the node is back.
func TestNodeErrors(t *testing.T) {
	h := newHarness(t)
	h.store.add()
	h.settle(0)
	methods := h.calls
	if len(methods) < 10 {
		t.Fatalf("calls: %v", methods)
	}
	for method := range methods {
		for name, answer := range map[string]string{
			"error":    `{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"overloaded"}}`,
			"null":     `{"jsonrpc":"2.0","id":ID,"result":null}`,
			"nonsense": `{"jsonrpc":"2.0","id":ID,"result":"0x"}`,
		} {
			h.store.add()
			n := len(h.store.batches) - 1
			h.fault = func(r *request, next func() []byte) ([]byte, error) {
				if r.Method != method {
					return next(), nil
				}
				return bytes.Replace([]byte(answer), []byte("ID"), r.ID, 1), nil
			}
			a := h.anchorer()
			for range 3 {
				if err := a.Step(t.Context()); errors.Is(err, ErrFatal) && method != "eth_getCode" && method != "eth_chainId" {
					t.Errorf("%s answers %s: %v", method, name, err)
				}
				h.mine(1)
			}
			h.fault = nil
			h.settle(n)
			if got := len(h.store.batches[n].Txs); got != 1 {
				t.Errorf("%s answers %s: %d transactions", method, name, got)
			}
		}
	}
	h.checkChain()
}

func TestAddress(t *testing.T) {
	const want = "0xd58311ce4bdc1fa03d1816705cb0d5964c7fb6a7" // contracts/test/AnchorLog.deploy.t.sol
	if got := ContractAddress().String(); got != want {
		t.Errorf("contract address %s, want %s", got, want)
	}
}

// TestWallet repeats what sets up a log: nothing more is sent.
func TestWallet(t *testing.T) {
	h := newHarness(t)
	w := h.wallet(submitter)
	h.fault = func(r *request, next func() []byte) ([]byte, error) {
		if r.Method == "eth_sendRawTransaction" {
			t.Error("sent again")
		}
		return next(), nil
	}
	if at, err := w.Deploy(t.Context()); err != nil || at != h.log.AnchorLog {
		t.Errorf("deploy again: %s, %v", at, err)
	}
	log, err := w.OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{1}, submitter.Address())
	if err != nil || log != h.log.Log {
		t.Errorf("open again: %s, %v", log, err)
	}
	if _, err := w.OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{1}, stranger.Address()); err == nil || !strings.Contains(err.Error(), "it is open with the submitter") {
		t.Errorf("open with another submitter: %v", err)
	}
	if _, err := w.OpenLog(t.Context(), stranger.Address(), proofs.Hash{1}, submitter.Address()); err == nil || !strings.Contains(err.Error(), "no AnchorLog contract") {
		t.Errorf("open on no contract: %v", err)
	}
	w.ChainID = 5
	_, deployErr := w.Deploy(t.Context())
	_, openErr := w.OpenLog(t.Context(), h.log.AnchorLog, proofs.Hash{1}, submitter.Address())
	if !errors.Is(deployErr, ErrFatal) || !errors.Is(openErr, ErrFatal) {
		t.Errorf("on another chain: %v; %v", deployErr, openErr)
	}
	want := Head{Submitter: submitter.Address()}
	if got, err := ReadHead(t.Context(), h.config().Nodes, h.log); err != nil || got != want {
		t.Errorf("head %+v, %v", got, err)
	}
}
