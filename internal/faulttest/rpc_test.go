package faulttest

import (
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/proofs"
)

// phases of an anchoring at which a node goes wrong: the state of the batch then.
var phases = []proofs.State{proofs.StateBatched, proofs.StateSubmitted, proofs.StateIncluded, proofs.StateSafe}

// reach brings the newest batch into the state. The chain may be further, which the service has not seen.
func (h *harness) reach(state proofs.State) {
	h.Helper()
	for range 20 + h.finality {
		if h.lowest() >= state {
			return
		}
		h.step() //nolint:errcheck // logged
		if state > proofs.StateSubmitted {
			h.chain.mine(1)
		}
	}
	h.Fatalf("a batch is %s and should be %s before the fault", h.lowest(), state)
}

// disturbed anchors a batch for each phase at which the only node goes wrong, and heals it after some rounds.
func (h *harness) disturbed(fault func() faultrpc.Fault) {
	h.Helper()
	for _, phase := range phases {
		h.seal(2)
		h.reach(phase)
		before := h.hits()
		h.faults(fault())
		h.rounds(3)
		h.faults()
		h.tried += h.hits() - before
		if h.ended {
			h.restart()
		}
		h.until(proofs.StateFinalized)
	}
	h.check()
}

// outvoted anchors batches while one of three nodes goes wrong: it does not hold anything up.
func (h *harness) outvoted(fault func() faultrpc.Fault) {
	h.Helper()
	for _, phase := range phases {
		h.seal(2)
		h.reach(phase)
		liar := h.proxies[len(h.accepted)/2%3]
		before := h.hits()
		liar.Set(fault())
		h.until(proofs.StateFinalized)
		liar.Set()
		h.tried += h.hits() - before
	}
	h.check()
}

// TestNode lets nodes fail in ways that show: the only one for a while, or one of three all the time.
func TestNode(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() faultrpc.Fault{
		"RPC hangs":             func() faultrpc.Fault { return faultrpc.Hang() },
		"RPC resets":            func() faultrpc.Fault { return faultrpc.Reset() },
		"RPC resets late":       func() faultrpc.Fault { return faultrpc.LateReset() },
		"RPC returns 429":       func() faultrpc.Fault { return faultrpc.Status(429) },
		"RPC returns 500":       func() faultrpc.Fault { return faultrpc.Status(500) },
		"RPC returns half JSON": func() faultrpc.Fault { return faultrpc.Malformed() },
		"RPC returns null":      func() faultrpc.Fault { return faultrpc.Null() },
		"RPC returns an error":  func() faultrpc.Fault { return faultrpc.Refuse(-32005, "limit exceeded") },
		"RPC lags 100 blocks":   func() faultrpc.Fault { return faultrpc.Lag(100) },
		"RPC swallows transactions": func() faultrpc.Fault {
			return faultrpc.SwallowSend()
		},
		"RPC takes transactions and says that it failed": func() faultrpc.Fault { return faultrpc.FailSend("internal error") },
		"RPC drops receipts": func() faultrpc.Fault {
			return faultrpc.DropReceipt(func(common.Hash) bool { return true })
		},
	} {
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 1)
			h.chain.mine(110)
			h.hurry()
			h.disturbed(fault)
		})
		onChains(t, name+", one of three", func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 3)
			h.chain.mine(110)
			h.hurry()
			h.outvoted(fault)
		})
	}
}

// TestSilent lets one of three nodes answer nothing, with the timeouts that the program has: a round of three batches does
// not take a timeout for each question.
func TestSilent(t *testing.T) {
	t.Parallel()
	onChains(t, "RPC hangs for good, one of three, default timeouts", func(t *testing.T, chain string) {
		h := newHarness(t, chain, farFinality, 3)
		h.answer = 0
		h.restart()
		for range 3 {
			h.seal(2)
			h.until(proofs.StateIncluded)
		}
		h.proxies[0].Set(faultrpc.Hang())
		h.chain.mine(farFinality)
		began := time.Now()
		if err := h.step(); err != nil || h.lowest() != proofs.StateFinalized {
			t.Errorf("%s after a round: %v", h.lowest(), err)
		}
		if took := time.Since(began); took > 8*time.Second {
			t.Errorf("a round of three batches took %s", took)
		}
		h.tried = len(h.batches())
		h.check()
	})
}

// TestOtherChain lets a node answer for a chain that is not ours: it says so, or it is one.
func TestOtherChain(t *testing.T) {
	t.Parallel()
	elsewhere := func(h *harness) func() faultrpc.Fault {
		other := newDevchainAs(h.T, 4711)
		return func() faultrpc.Fault { return faultrpc.Elsewhere(other.url()) }
	}
	for name, fault := range map[string]func(*harness) func() faultrpc.Fault{
		"RPC answers with another chain id": func(*harness) func() faultrpc.Fault {
			return func() faultrpc.Fault { return faultrpc.ChainID(5) }
		},
		"RPC answers for another chain": elsewhere,
	} {
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 1)
			h.mayEnd = true
			h.disturbed(fault(h))
		})
		onChains(t, name+", one of three", func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 3)
			h.outvoted(fault(h))
		})
	}
}

// TestOrphan lets a node report the receipt of a block that a reorg took away.
func TestOrphan(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3} {
		name := map[int]string{1: "RPC reports the receipt of an orphaned block", 3: "RPC reports the receipt of an orphaned block, one of three"}[nodes]
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, farFinality, nodes)
			h.chain.mine(5) // the reorg keeps the opening of the log
			record := faultrpc.NewRecorder()
			h.proxies[0].Set(record.Record())
			h.seal(3)
			h.until(proofs.StateIncluded)
			h.step() //nolint:errcheck // logged
			was := h.batches()[0]
			orphan := was.Anchor.Block
			h.ask(0, "eth_getTransactionReceipt", was.Tx)
			h.ask(0, "eth_getBlockReceipts", orphan.Hash)
			h.reorg(3, false)
			h.chain.mine(2) // a head below the block says nothing about it
			before := h.hits()
			h.proxies[0].Set(record.Replay("eth_getTransactionReceipt", "eth_getBlockReceipts"))
			for range 3 {
				h.step() //nolint:errcheck // logged
				if s := h.batches()[0]; s.Anchor != nil && s.Anchor.Block == orphan {
					t.Errorf("batch 0 is %s in block %v, which is gone", s.State, orphan)
				}
				h.chain.mine(1)
			}
			if nodes == 1 {
				h.proxies[0].Set()
			}
			h.until(proofs.StateFinalized)
			h.tried = h.hits() - before
			h.check()
		})
	}
}

// ask asks by way of a proxy.
func (h *harness) ask(node int, method string, params ...any) {
	h.Helper()
	c, err := rpc.DialContext(h.Context(), h.urls[node])
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	if err := c.CallContext(h.Context(), new(any), method, params...); err != nil {
		h.Fatal(err)
	}
}

// lies are answers that look right and are not.
func lies(h *harness) map[string]func() faultrpc.Fault {
	object := func(method string, change func(m map[string]any)) func() faultrpc.Fault {
		return func() faultrpc.Fault {
			return faultrpc.Edit(method, func(v any) any {
				if m, ok := v.(map[string]any); ok {
					change(m)
				}
				return v
			})
		}
	}
	list := func(method string, change func(m map[string]any)) func() faultrpc.Fault {
		return func() faultrpc.Fault {
			return faultrpc.Edit(method, func(v any) any {
				items, _ := v.([]any)
				for _, item := range items {
					change(item.(map[string]any))
				}
				return v
			})
		}
	}
	forgery := func(header func(*types.Header), receipt func(*types.Receipt)) func() faultrpc.Fault {
		return func() faultrpc.Fault {
			head, err := h.client.BlockNumber(h.Context())
			if err != nil {
				h.Fatal(err)
			}
			return faultrpc.NewForgery(head-min(head, 2), header, receipt).Lie()
		}
	}
	const receipt = "eth_getTransactionReceipt"
	return map[string]func() faultrpc.Fault{
		"block hash":    object("eth_getBlockByNumber", func(m map[string]any) { m["hash"] = common.Hash{1} }),
		"block time":    object("eth_getBlockByNumber", func(m map[string]any) { m["timestamp"] = "0x1" }),
		"block number":  object("eth_getBlockByNumber", func(m map[string]any) { m["number"] = "0xffffff" }),
		"receipts root": object("eth_getBlockByHash", func(m map[string]any) { m["receiptsRoot"] = common.Hash{1} }),
		"status":        object(receipt, func(m map[string]any) { m["status"] = "0x0" }),
		"log data": object(receipt, func(m map[string]any) {
			for _, l := range m["logs"].([]any) {
				l.(map[string]any)["data"] = "0x" + common.Bytes2Hex(make([]byte, 128))
			}
		}),
		"no logs":              object(receipt, func(m map[string]any) { m["logs"] = []any{} }),
		"transaction index":    object(receipt, func(m map[string]any) { m["transactionIndex"] = "0x7" }),
		"receipt in block":     object(receipt, func(m map[string]any) { m["blockHash"] = common.Hash{1} }),
		"block receipts":       list("eth_getBlockReceipts", func(m map[string]any) { m["cumulativeGasUsed"] = "0x1" }),
		"events":               list("eth_getLogs", func(m map[string]any) { m["transactionHash"] = common.Hash{1} }),
		"nonce too high":       func() faultrpc.Fault { return faultrpc.Nonce(1_000) },
		"nonce too low":        func() faultrpc.Fault { return faultrpc.Nonce(0) },
		"no balance":           func() faultrpc.Fault { return faultrpc.Balance(new(big.Int)) },
		"base fee":             func() faultrpc.Fault { return faultrpc.BaseFee(big.NewInt(1e15)) },
		"state":                func() faultrpc.Fault { return faultrpc.Edit("eth_call", func(any) any { return common.Hash{1} }) },
		"consistent time":      forgery(func(head *types.Header) { head.Time += 5 }, nil),
		"consistent status":    forgery(nil, func(r *types.Receipt) { r.Status = 0 }),
		"consistent event":     forgery(nil, func(r *types.Receipt) { r.Logs = []*types.Log{} }),
		"everything from 1970": forgery(func(head *types.Header) { head.Time = 1 }, nil),
	}
}

// TestLies lets one of three nodes lie all the time, and the only node for a while.
func TestLies(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3} {
		name := map[int]string{1: "the only RPC lies for a while", 3: "RPC lies alone among three"}[nodes]
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, nodes)
			h.hurry()
			h.mayEnd = nodes == 1
			for what, lie := range lies(h) {
				h.Logf("lie: %s", what)
				h.seal(2)
				before := h.hits()
				h.proxies[0].Set(lie())
				if nodes == 3 {
					h.until(proofs.StateFinalized)
					if h.Failed() {
						h.Fatalf("the lie about %s held it up", what)
					}
				} else {
					h.rounds(3)
				}
				h.proxies[0].Set()
				if h.ended {
					h.restart()
				}
				h.until(proofs.StateFinalized)
				h.tried += h.hits() - before
				if h.Failed() {
					h.Fatalf("after the lie about %s", what)
				}
			}
			h.check()
		})
	}
}
