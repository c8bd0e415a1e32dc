package faultrpc

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common/hexutil"
)

// blockParam is where a method names the block of a state, and -1 where it asks for a block.
var blockParam = map[string]int{
	"eth_getBalance": 1, "eth_getTransactionCount": 1, "eth_getCode": 1, "eth_getStorageAt": 2, "eth_call": 1,
	"eth_estimateGas": 1, "eth_getProof": 2, "eth_createAccessList": 1,
}

// blockMethods name a block by number, tag or hash in their first parameter.
var blockMethods = []string{
	"eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts", "eth_getHeaderByNumber", "eth_getHeaderByHash",
	"eth_getBlockTransactionCountByNumber", "eth_getBlockTransactionCountByHash",
}

// Lag answers as the node did n blocks ago: younger blocks and what is in them are unknown, and so are their states,
// receipts and logs. Transactions are handed on.
func Lag(n uint64) Fault {
	return Fault{"lag", func(c Call, next Next) Answer { return lagging{c, next, n}.answer() }}
}

// lagging is one call to a node that lags.
type lagging struct {
	Call
	next Next
	n    uint64
}

var (
	unknownBlock = Answer{Err: &Error{Code: -32000, Message: "header not found"}}
	null         = Answer{}
)

func (l lagging) answer() Answer {
	at, isState := blockParam[l.Method]
	switch {
	case l.Method == "eth_blockNumber":
		head, ok := l.head()
		if !ok {
			return unknownBlock
		}
		return result(hexutil.Uint64(head))
	case isState:
		return l.block(at, unknownBlock)
	case slices.Contains(blockMethods, l.Method):
		return l.block(0, null)
	case l.Method == "eth_feeHistory":
		return l.block(1, unknownBlock)
	case l.Method == "eth_getTransactionReceipt" || l.Method == "eth_getTransactionByHash":
		a := l.next(l.Call)
		head, ok := l.head()
		if n, mined := numberOf(fields(a.Result), "blockNumber"); !ok || mined && n > head {
			return null
		}
		return a
	case l.Method == "eth_getLogs":
		return l.logs()
	}
	return l.next(l.Call)
}

// ask hands another call on.
func (l lagging) ask(method string, params ...any) Answer {
	return l.next(Call{l.Context, method, encode(params...), l.Number})
}

func encode(params ...any) []json.RawMessage {
	out := make([]json.RawMessage, len(params))
	for i, p := range params {
		out[i] = result(p).Result
	}
	return out
}

// numberOfTag returns the number that the node has now for a tag.
func (l lagging) numberOfTag(tag string) (uint64, bool) {
	return numberOf(fields(l.ask("eth_getBlockByNumber", tag, false).Result), "number")
}

// head is the block that the client may believe to be the newest.
func (l lagging) head() (uint64, bool) {
	n, ok := l.numberOfTag("latest")
	return n - min(n, l.n), ok
}

// block asks with the block of the parameter as it was then; a younger one is answered with unknown.
func (l lagging) block(at int, unknown Answer) Answer {
	head, ok := l.head()
	if !ok {
		return unknown
	}
	c := l.Call
	c.Params = slices.Clone(c.Params)
	for len(c.Params) <= at {
		c.Params = append(c.Params, json.RawMessage(`"latest"`))
	}
	var text string
	var object struct{ BlockHash, BlockNumber string }
	if json.Unmarshal(c.Params[at], &text) != nil && json.Unmarshal(c.Params[at], &object) == nil {
		if text = object.BlockHash; text == "" {
			text = object.BlockNumber
		}
	}
	number, ok := uint64(0), true
	switch text {
	case "latest", "pending", "":
		number = head
	case "earliest":
	case "safe", "finalized":
		number, ok = l.numberOfTag(text)
		number -= min(number, l.n)
	default:
		if len(text) == 66 {
			number, ok = numberOf(fields(l.ask("eth_getBlockByHash", text, false).Result), "number")
			if !ok || number > head {
				return unknown
			}
			return l.next(c)
		}
		var err error
		number, err = hexutil.DecodeUint64(text)
		ok = err == nil
	}
	if !ok || number > head {
		return unknown
	}
	c.Params[at] = result(hexutil.Uint64(number)).Result
	return l.next(c)
}

// logs leaves out the logs of younger blocks.
func (l lagging) logs() Answer {
	head, ok := l.head()
	if !ok || len(l.Params) == 0 {
		return unknownBlock
	}
	filter := fields(l.Params[0])
	for _, key := range []string{"fromBlock", "toBlock"} {
		if s, _ := filter[key].(string); s != "" && !strings.HasPrefix(s, "0x") && s != "earliest" {
			filter[key] = hexutil.EncodeUint64(head)
		}
	}
	c := l.Call
	c.Params = encode(filter)
	return edit(l.next(c), func(v any) any {
		list, _ := v.([]any)
		return slices.DeleteFunc(list, func(item any) bool {
			m, _ := item.(map[string]any)
			n, mined := numberOf(m, "blockNumber")
			return mined && n > head
		})
	})
}
