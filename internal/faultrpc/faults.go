package faultrpc

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
)

// on limits a fault to methods; no methods are all.
func on(name string, methods []string, do func(c Call, next Next) Answer) Fault {
	return Fault{name, func(c Call, next Next) Answer {
		if len(methods) > 0 && !slices.Contains(methods, c.Method) {
			return next(c)
		}
		return do(c, next)
	}}
}

// Hang never answers these methods, or any without methods: the request lasts until the client gives up.
func Hang(methods ...string) Fault {
	return on("hang", methods, func(c Call, _ Next) Answer {
		<-c.Context.Done()
		return Answer{Break: Break{Reset: true}}
	})
}

// Reset breaks the connection instead of an answer.
func Reset(methods ...string) Fault {
	return on("reset", methods, func(Call, Next) Answer { return Answer{Break: Break{Reset: true}} })
}

// LateReset hands the call on and breaks the connection instead of the answer.
func LateReset(methods ...string) Fault {
	return on("late reset", methods, func(c Call, next Next) Answer {
		next(c)
		return Answer{Break: Break{Reset: true}}
	})
}

// Status answers with an HTTP status such as 429 or 500.
func Status(status int, methods ...string) Fault {
	return on(fmt.Sprintf("status %d", status), methods, func(Call, Next) Answer { return Answer{Break: Break{Status: status}} })
}

// Malformed answers with the beginning of JSON.
func Malformed(methods ...string) Fault {
	return on("malformed", methods, func(Call, Next) Answer { return Answer{Break: Break{Body: `{"jsonrpc":"2.0","id":1,"result":{"num`}} })
}

// Refuse answers with a JSON-RPC error.
func Refuse(code int, message string, methods ...string) Fault {
	return on("error", methods, func(Call, Next) Answer { return Answer{Err: &Error{Code: code, Message: message}} })
}

// Null answers null.
func Null(methods ...string) Fault {
	return on("null", methods, func(Call, Next) Answer { return Answer{} })
}

// ChainID says that the node is on another chain, and answers everything else truly.
func ChainID(id uint64) Fault {
	return Fault{"chain id", func(c Call, next Next) Answer {
		switch c.Method {
		case "eth_chainId":
			return result(hexutil.Uint64(id))
		case "net_version":
			return result(fmt.Sprint(id))
		}
		return next(c)
	}}
}

// Elsewhere lets another node answer: one of another chain, or of another fork.
func Elsewhere(url string) Fault {
	client := &http.Client{}
	return Fault{"elsewhere", func(c Call, _ Next) Answer { return post(client, c, url) }}
}

// DropReceipt knows nothing of the transactions that drop picks: no receipt, no logs, and they are missing among the
// receipts of their block.
func DropReceipt(drop func(tx common.Hash) bool) Fault {
	return Fault{"drop receipt", func(c Call, next Next) Answer {
		a := next(c)
		switch c.Method {
		case "eth_getTransactionReceipt":
			if r := fields(a.Result); r != nil && drop(hashOf(r, "transactionHash")) {
				return Answer{}
			}
		case "eth_getBlockReceipts", "eth_getLogs":
			return edit(a, func(v any) any {
				list, _ := v.([]any)
				return slices.DeleteFunc(list, func(item any) bool {
					r, ok := item.(map[string]any)
					return ok && drop(hashOf(r, "transactionHash"))
				})
			})
		}
		return a
	}}
}

// SwallowSend takes transactions and forgets them.
func SwallowSend() Fault {
	return on("swallow send", []string{"eth_sendRawTransaction"}, func(c Call, _ Next) Answer {
		var raw hexutil.Bytes
		if len(c.Params) == 0 || json.Unmarshal(c.Params[0], &raw) != nil {
			return Answer{Err: &Error{Code: -32602, Message: "invalid params"}}
		}
		return result(crypto.Keccak256Hash(raw))
	})
}

// FailSend takes transactions, hands them on, and says that it did not.
func FailSend(message string) Fault {
	return on("fail send", []string{"eth_sendRawTransaction"}, func(c Call, next Next) Answer {
		next(c)
		return Answer{Err: &Error{Code: -32000, Message: message}}
	})
}

// BaseFee says another base fee, in wei, in blocks, fee histories and gas prices.
func BaseFee(wei *big.Int) Fault {
	fee := (*hexutil.Big)(wei).String()
	return Fault{"base fee", func(c Call, next Next) Answer {
		a := next(c)
		switch c.Method {
		case "eth_gasPrice":
			return result(fee)
		case "eth_getBlockByNumber", "eth_getBlockByHash", "eth_getHeaderByNumber", "eth_getHeaderByHash":
			return editFields(a, func(m map[string]any) { m["baseFeePerGas"] = fee })
		case "eth_feeHistory":
			return editFields(a, func(m map[string]any) {
				fees, _ := m["baseFeePerGas"].([]any)
				for i := range fees {
					fees[i] = fee
				}
			})
		}
		return a
	}}
}

// Nonce says another count of every account's transactions.
func Nonce(n uint64) Fault {
	return on("nonce", []string{"eth_getTransactionCount"}, func(Call, Next) Answer { return result(hexutil.Uint64(n)) })
}

// Balance says another balance of every account, in wei.
func Balance(wei *big.Int) Fault {
	return on("balance", []string{"eth_getBalance"}, func(Call, Next) Answer { return result((*hexutil.Big)(wei)) })
}

// Edit changes the result of a method, decoded as JSON, and nothing else: a lie that does not fit the rest.
func Edit(method string, change func(v any) any) Fault {
	return on("edit "+method, []string{method}, func(c Call, next Next) Answer { return edit(next(c), change) })
}

// Before calls f before the call of that number is handed on, or After before its answer goes back; each once. A number
// of 0 is the first call there is.
func Before(number int, f func(Call), methods ...string) Fault {
	return hook("before", number, methods, f, nil)
}

// After is described with Before.
func After(number int, f func(Call), methods ...string) Fault {
	return hook("after", number, methods, nil, f)
}

func hook(name string, number int, methods []string, before, after func(Call)) Fault {
	var done atomic.Bool
	return on(name, methods, func(c Call, next Next) Answer {
		if c.Number < number || !done.CompareAndSwap(false, true) {
			return next(c)
		}
		if before != nil {
			before(c)
		}
		a := next(c)
		if after != nil {
			after(c)
		}
		return a
	})
}

// result encodes a result.
func result(v any) Answer {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return Answer{Result: b}
}

// fields decodes an object; nil for anything else.
func fields(raw json.RawMessage) (m map[string]any) {
	if json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// edit changes a result, if there is one.
func edit(a Answer, change func(v any) any) Answer {
	var v any
	if a.Err != nil || a.Break != (Break{}) || json.Unmarshal(a.Result, &v) != nil || v == nil {
		return a
	}
	return result(change(v))
}

func editFields(a Answer, change func(m map[string]any)) Answer {
	return edit(a, func(v any) any {
		if m, ok := v.(map[string]any); ok {
			change(m)
		}
		return v
	})
}

func hashOf(m map[string]any, key string) common.Hash {
	s, _ := m[key].(string)
	return common.HexToHash(s)
}

// numberOf returns a hex number among the fields.
func numberOf(m map[string]any, key string) (uint64, bool) {
	s, _ := m[key].(string)
	n, err := hexutil.DecodeUint64(s)
	return n, err == nil
}
