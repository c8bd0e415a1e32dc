package logbook_test

import (
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// longLog is a node of a log with a batch in each block, as long as no real chain in a test gets.
type longLog struct {
	log   proofs.Chain
	tree  proofs.RangeTree
	calls atomic.Int64
}

func (l *longLog) batch(n uint64) proofs.Batch {
	return proofs.Batch{Number: n, Root: proofs.Hash{1, byte(n), byte(n >> 8)}, First: 3 * n, Size: 3, Time: 1_800_000_000 + 12*n, CID: proofs.Hash{2}}
}

func (l *longLog) event(n uint64) types.Log {
	b := l.batch(n)
	word := func(n uint64) common.Hash { return common.BigToHash(new(big.Int).SetUint64(n)) }
	first, size := word(b.First), word(b.Size)
	var data []byte
	for _, w := range []common.Hash{common.Hash(b.Root), first, size, common.Hash(b.CID)} {
		data = append(data, w[:]...)
	}
	return types.Log{
		Address: common.Address(l.log.AnchorLog), Topics: []common.Hash{contract.GetABI().Events["Anchored"].ID, common.Hash(l.log.Log), word(n)},
		Data: data, BlockNumber: n, BlockHash: word(n), TxHash: word(n), BlockTimestamp: b.Time,
	}
}

func (l *longLog) block(n uint64) any {
	return map[string]any{
		"number": hexutil.Uint64(n), "hash": common.BigToHash(new(big.Int).SetUint64(n)), "timestamp": hexutil.Uint64(1_800_000_000 + 12*n),
	}
}

func (l *longLog) answer(method string, params []json.RawMessage) any {
	count := l.tree.Count()
	switch method {
	case "eth_chainId":
		return "0x1"
	case "eth_getBlockByNumber":
		var tag string
		json.Unmarshal(params[0], &tag)
		if n, err := hexutil.DecodeUint64(tag); err == nil {
			return l.block(n)
		}
		return l.block(count - 1)
	case "eth_call":
		var call struct{ Input hexutil.Bytes }
		json.Unmarshal(params[0], &call)
		heads := contract.PackHeads(l.log.Log)
		if string(call.Input[:4]) == string(heads[:4]) {
			out := make([]byte, 96)
			new(big.Int).SetUint64(count).FillBytes(out[32:64])
			new(big.Int).SetUint64(3 * count).FillBytes(out[64:])
			return hexutil.Bytes(out)
		}
		height := call.Input[4+63]
		return common.Hash(l.tree[height][count>>height-1])
	case "eth_getLogs":
		var f struct{ FromBlock, ToBlock hexutil.Uint64 }
		json.Unmarshal(params[0], &f)
		logs := []types.Log{}
		for n := uint64(f.FromBlock); n <= uint64(f.ToBlock); n++ {
			logs = append(logs, l.event(n))
		}
		return logs
	}
	return nil
}

func (l *longLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	l.calls.Add(1)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": l.answer(q.Method, q.Params)})
}

// TestLongLog follows 100,000 batches with few questions and little memory.
func TestLongLog(t *testing.T) {
	const batches = 100_000
	l := &longLog{log: proofs.Chain{ChainID: 1, AnchorLog: proofs.Address{1}, Log: proofs.Hash{2}}}
	for n := range uint64(batches) {
		l.tree.Append(l.batch(n).Hash())
	}
	server := httptest.NewServer(l)
	defer server.Close()
	client, err := rpc.Dial(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	q, err := nodes.New([]nodes.Node{{Name: "node", RPC: client}}, nodes.Config{})
	if err != nil {
		t.Fatal(err)
	}
	book, err := logbook.New(logbook.Config{Nodes: q, Log: l.log})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	if err := book.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	each := (heap() - before) / batches
	t.Logf("%d questions, %d bytes a batch", l.calls.Load(), each)
	if got := book.Head(); got.Batches != batches || got.Final != batches {
		t.Errorf("head %+v", got)
	}
	if l.calls.Load() > 80 {
		t.Errorf("asked %d questions", l.calls.Load())
	}
	if each > 350 {
		t.Errorf("%d bytes a batch", each)
	}
	if b, ok := book.BatchOf(3*77_777 + 1); !ok || b.Batch != l.batch(77_777) {
		t.Errorf("found %+v", b)
	}
}

// heap returns the bytes that are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
