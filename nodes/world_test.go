package nodes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/hansard-dao/hansard/proofs"
)

// What is true on the chain of the tests.
const (
	testChain = 1337
	top       = 600 // its newest block
	txsAt     = 550 // the block with transactions
	pending   = 9   // next nonce of pools
)

var (
	account  = proofs.Address{0xac}
	contract = proofs.Address{0xc0}
	topic    = proofs.Hash{0x70}
	knownTx  = txHash(1)
)

func txHash(i int) proofs.Hash { return proofs.Keccak(fmt.Append(nil, "tx", i)) }

// chain is a chain of blocks whose hashes are those of their headers.
type chain struct {
	headers  []*types.Header
	hashes   []common.Hash
	numbers  map[common.Hash]uint64
	receipts []*types.Receipt // of block txsAt
}

// newChain makes the same chain each time. From block fork it is another for each salt.
func newChain(fork uint64, salt string) *chain {
	c := &chain{numbers: map[common.Hash]uint64{}}
	for i := range 3 {
		r := &types.Receipt{Type: uint8(i), Status: uint64(i) % 2, CumulativeGasUsed: uint64(i+1) * 50_000, GasUsed: 50_000,
			TxHash: common.Hash(txHash(i)), EffectiveGasPrice: big.NewInt(7e9), TransactionIndex: uint(i), BlockNumber: big.NewInt(txsAt),
			Logs: []*types.Log{{Address: common.Address(contract), Topics: []common.Hash{common.Hash(topic), {9}}, Data: []byte{byte(i)},
				BlockNumber: txsAt, TxHash: common.Hash(txHash(i)), TxIndex: uint(i), Index: uint(i)}}}
		r.Bloom = types.CreateBloom(r)
		c.receipts = append(c.receipts, r)
	}
	parent := common.Hash{}
	for n := range uint64(top + 1) {
		h := &types.Header{ParentHash: parent, Number: new(big.Int).SetUint64(n), Time: 1_700_000_000 + 12*n, GasLimit: 36e6,
			Difficulty: new(big.Int), BaseFee: big.NewInt(1e9), ReceiptHash: types.EmptyReceiptsHash, TxHash: types.EmptyTxsHash, UncleHash: types.EmptyUncleHash}
		if n >= fork {
			h.Extra = []byte(salt)
		}
		if n == txsAt {
			h.ReceiptHash = types.DeriveSha(types.Receipts(c.receipts), trie.NewStackTrie(nil))
		}
		parent = h.Hash()
		c.numbers[parent] = n
		c.hashes = append(c.hashes, parent)
		c.headers = append(c.headers, h)
	}
	for _, r := range c.receipts {
		r.BlockHash = c.hashes[txsAt]
		for _, l := range r.Logs {
			l.BlockHash = r.BlockHash
		}
	}
	return c
}

var (
	mainChain = newChain(top+1, "")
	tipFork   = newChain(top-2, "fork")
	longFork  = newChain(20, "fork")
)

func (c *chain) hash(n uint64) proofs.Hash { return proofs.Hash(c.hashes[n]) }

// reply is what a node of the tests does with a request.
type reply struct {
	result any
	code   int    // of an error, with
	text   string // its message and
	data   any
	raw    func() io.Reader // instead of JSON
	status int              // of HTTP
	header http.Header
	fail   error         // of the connection
	delay  time.Duration // before all this; negative: for ever
}

func refuse(code int, text string) reply { return reply{code: code, text: text} }

// request is what a node is asked.
type request struct {
	ID     json.RawMessage
	Method string
	Params []json.RawMessage
}

func (r request) param(i int) string {
	if i >= len(r.Params) {
		return ""
	}
	return strings.Trim(string(r.Params[i]), `"`)
}

// fault changes what an honest node would do.
type fault func(r request, honest reply) reply

// fake is a node of the tests.
type fake struct {
	mu    sync.Mutex
	chain *chain
	head  uint64
	fault fault
	sent  int
	asked []string
	open  int // requests
	most  int // of them
}

func (f *fake) set(change func(f *fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// block returns a block as nodes write it.
func (f *fake) block(n uint64) any {
	if n > f.head {
		return nil
	}
	raw, _ := json.Marshal(f.chain.headers[n])
	var m map[string]any
	json.Unmarshal(raw, &m)
	txs := []proofs.Hash{}
	if n == txsAt {
		txs = []proofs.Hash{txHash(0), txHash(1), txHash(2)}
	}
	m["transactions"] = txs
	return m
}

func (f *fake) byHash(hash string) any {
	if n, ok := f.chain.numbers[common.HexToHash(hash)]; ok {
		return f.block(n)
	}
	return nil
}

// stateAt returns v if the node has the block that a state is asked at.
func (f *fake) stateAt(r request, v any) reply {
	var at struct{ BlockHash string }
	json.Unmarshal(r.Params[1], &at)
	if f.byHash(at.BlockHash) == nil {
		return refuse(-32000, "header not found")
	}
	return reply{result: v}
}

// honest is the truth as far as the node has the chain.
func (f *fake) honest(r request) reply {
	switch r.Method {
	case "eth_chainId":
		return reply{result: hexutil.Uint64(testChain)}
	case "eth_getBlockByNumber":
		n := f.head
		switch tag := r.param(0); tag {
		case "latest":
		case "safe":
			n -= min(n, 1)
		case "finalized":
			n -= min(n, 20)
		default:
			n, _ = hexutil.DecodeUint64(tag)
		}
		return reply{result: f.block(n)}
	case "eth_getBlockByHash":
		return reply{result: f.byHash(r.param(0))}
	case "eth_getTransactionReceipt":
		for _, x := range f.chain.receipts {
			if x.TxHash.Hex() == r.param(0) && f.head >= txsAt {
				return reply{result: x}
			}
		}
		return reply{}
	case "eth_getBlockReceipts":
		var at struct{ BlockHash string }
		json.Unmarshal(r.Params[0], &at)
		if f.head < txsAt || at.BlockHash != f.chain.hashes[txsAt].Hex() {
			return reply{}
		}
		return reply{result: f.chain.receipts}
	case "eth_getLogs":
		logs := []*types.Log{}
		if f.head >= txsAt {
			logs = append(logs, f.chain.receipts[0].Logs[0], f.chain.receipts[1].Logs[0])
		}
		return reply{result: logs}
	case "eth_call":
		return f.stateAt(r, "0x2a")
	case "eth_getCode":
		return f.stateAt(r, "0x6001")
	case "eth_getBalance":
		return f.stateAt(r, (*hexutil.Big)(big.NewInt(1e18)))
	case "eth_getTransactionCount":
		if r.param(1) == "pending" {
			return reply{result: hexutil.Uint64(pending)}
		}
		return f.stateAt(r, hexutil.Uint64(7))
	case "eth_maxPriorityFeePerGas":
		return reply{result: (*hexutil.Big)(big.NewInt(1e9))}
	case "eth_estimateGas":
		return reply{result: hexutil.Uint64(50_000)}
	case "eth_sendRawTransaction":
		f.sent++
		raw, _ := hexutil.Decode(r.param(0))
		return reply{result: proofs.Keccak(raw)}
	}
	return refuse(-32601, "the method "+r.Method+" does not exist")
}

func (f *fake) answer(r request) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, r.Method)
	out := f.honest(r)
	if f.fault != nil {
		out = f.fault(r, out)
	}
	return out
}

// RoundTrip answers one request or a batch of them, without a network, so that time can be the test's.
func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	f.set(func(f *fake) { f.open++; f.most = max(f.most, f.open) })
	defer f.set(func(f *fake) { f.open-- })
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var all []request
	batch := bytes.HasPrefix(body, []byte("["))
	if !batch {
		body = fmt.Appendf(nil, "[%s]", body)
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, err
	}
	var out []json.RawMessage
	for _, r := range all {
		a := f.answer(r)
		if err := pause(req.Context(), a.delay); err != nil {
			return nil, err
		}
		if a.fail != nil {
			return nil, a.fail
		}
		if a.raw != nil || a.status != 0 {
			var body io.Reader = strings.NewReader("")
			if a.raw != nil {
				body = a.raw()
			}
			return response(req, a.status, a.header, body), nil
		}
		m := map[string]any{"jsonrpc": "2.0", "id": r.ID}
		if a.code != 0 {
			m["error"] = map[string]any{"code": a.code, "message": a.text, "data": a.data}
		} else {
			m["result"] = a.result
		}
		raw, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	answer := []byte(out[0])
	if batch {
		if answer, err = json.Marshal(out); err != nil {
			return nil, err
		}
	}
	return response(req, http.StatusOK, nil, bytes.NewReader(answer)), nil
}

func response(req *http.Request, status int, header http.Header, body io.Reader) *http.Response {
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status, Header: header,
		Body: io.NopCloser(&bounded{req.Context(), body}), Request: req}
}

// bounded is a body that ends with its request.
type bounded struct {
	ctx context.Context
	r   io.Reader
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	var after <-chan time.Time
	if d > 0 {
		after = time.After(d)
	}
	select {
	case <-after:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// fakes are nodes by their hosts.
type fakes map[string]*fake

func (fs fakes) RoundTrip(r *http.Request) (*http.Response, error) {
	f := fs[r.URL.Hostname()]
	if f == nil {
		return nil, errors.New("no such host")
	}
	return f.RoundTrip(r)
}

// Parts of the URLs that nothing may show.
const (
	secretWord, secretPath, secretQuery = "passw0rd", "0123456789abcdef", "fedcba9876543210"
)

func nodeURL(i int) string {
	return fmt.Sprintf("https://user:%s@n%d.example/v3/%s?apikey=%s", secretWord, i, secretPath, secretQuery)
}

// world is a Quorum of fake nodes, all honest and at the top.
type world struct {
	*testing.T
	nodes []*fake
	q     *Quorum
}

func newWorld(t *testing.T, n int, cfg Config) *world {
	t.Helper()
	w := &world{T: t}
	fs := fakes{}
	var urls []string
	for i := range n {
		f := &fake{chain: mainChain, head: top}
		w.nodes = append(w.nodes, f)
		fs[fmt.Sprintf("n%d.example", i)] = f
		urls = append(urls, nodeURL(i))
	}
	q, err := dial(urls, cfg, fs)
	if err != nil {
		t.Fatal(err)
	}
	w.q = q
	return w
}

// checkSecrets looks for parts of the URLs in what may be shown.
func (w *world) checkSecrets(err error) {
	w.Helper()
	text := fmt.Sprintf("%v %+v", err, w.q.Health())
	for _, s := range []string{secretWord, secretPath, secretQuery, "\x1b"} {
		if strings.Contains(text, s) {
			w.Errorf("%q is shown in: %s", s, text)
		}
	}
}

// read is one of the questions to a Quorum, with its answer as text.
type read struct {
	name     string
	want     string // the truth
	advice   bool   // it is not voted on
	ask      func(ctx context.Context, q *Quorum) (string, error)
	unpriced string // want without what the nodes do not agree on
}

func text[T any](v T, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return fmt.Sprint(v), nil
}

func number(b *Block, err error) (string, error) {
	if err != nil || b == nil {
		return "none", err
	}
	return fmt.Sprintf("%d %s", b.Number, b.Hash), nil
}

func at(n uint64) string { return fmt.Sprintf("%d %s", n, mainChain.hash(n)) }

func absent[T any](_ T, err error) (string, error) {
	if errors.Is(err, ErrNotFound) {
		return "not found", nil
	}
	return "found", err
}

func receiptText(r *TxReceipt, err error) (string, error) {
	if err != nil {
		return "", err
	}
	raw, err := r.Encode()
	return fmt.Sprintf("%s %d %d %v", proofs.Keccak(raw), r.BlockNumber, r.Index, r.Price), err
}

func wantReceipt(i int) string {
	raw, err := mainChain.receipts[i].MarshalBinary()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s %d %d %d", proofs.Keccak(raw), txsAt, i, int64(7e9))
}

// proved accepts the receipts of block txsAt.
func proved(all []*TxReceipt) error {
	if len(all) != len(mainChain.receipts) {
		return fmt.Errorf("%d receipts", len(all))
	}
	for i, r := range all {
		want, err := mainChain.receipts[i].MarshalBinary()
		if err != nil {
			return err
		}
		if got, err := r.Encode(); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("receipt %d differs", i)
		}
	}
	return nil
}

func leadsText(logs []types.Log, err error) (string, error) {
	if err != nil {
		return "", err
	}
	var all []string
	for _, l := range logs[:min(len(logs), 2)] {
		all = append(all, fmt.Sprint(l.BlockNumber, l.Index, l.TxHash))
	}
	return strings.Join(all, ", "), nil
}

var testTx = []byte("a signed transaction")

// reads are all questions. Head comes first, as in a round of the anchorer.
func reads() []read {
	here := mainChain.hash(top - 1)
	return []read{
		{"ChainID", "1337", false, func(ctx context.Context, q *Quorum) (string, error) { return text(q.ChainID(ctx)) }, ""},
		{"Head", at(top), false, func(ctx context.Context, q *Quorum) (string, error) { return number(q.Head(ctx)) }, ""},
		{"Tagged finalized", at(top - 20), false, func(ctx context.Context, q *Quorum) (string, error) { return number(q.Tagged(ctx, "finalized")) }, ""},
		{"BlockAt", at(txsAt), false, func(ctx context.Context, q *Quorum) (string, error) { return number(q.BlockAt(ctx, txsAt)) }, ""},
		{"BlockAt of the future", "not found", false, func(ctx context.Context, q *Quorum) (string, error) { return absent(q.BlockAt(ctx, top+5)) }, ""},
		{"TxReceipt", wantReceipt(1), false, func(ctx context.Context, q *Quorum) (string, error) { return receiptText(q.TxReceipt(ctx, knownTx)) }, strings.Replace(wantReceipt(1), " 7000000000", " <nil>", 1)},
		{"TxReceipt of none", "not found", false, func(ctx context.Context, q *Quorum) (string, error) { return absent(q.TxReceipt(ctx, proofs.Hash{5})) }, ""},
		{"Call", "[42]", false, func(ctx context.Context, q *Quorum) (string, error) { return text(q.Call(ctx, here, contract, nil)) }, ""},
		{"CallFrom", "[42]", false, func(ctx context.Context, q *Quorum) (string, error) {
			return text(q.CallFrom(ctx, here, account, contract, big.NewInt(1), nil))
		}, ""},
		{"Code", "[96 1]", false, func(ctx context.Context, q *Quorum) (string, error) { return text(q.Code(ctx, here, contract)) }, ""},
		{"Nonce", "7", false, func(ctx context.Context, q *Quorum) (string, error) { return text(q.Nonce(ctx, here, account)) }, ""},
		{"Balance", "1000000000000000000", false, func(ctx context.Context, q *Quorum) (string, error) { return text(q.Balance(ctx, here, account)) }, ""},
		{"Header", "true", false, func(ctx context.Context, q *Quorum) (string, error) {
			raw, err := q.Header(ctx, here)
			return fmt.Sprint(proofs.Keccak(raw) == here), err
		}, ""},
		{"BlockReceipts", "3", false, func(ctx context.Context, q *Quorum) (string, error) {
			all, err := q.BlockReceipts(ctx, mainChain.hash(txsAt), proved)
			return fmt.Sprint(len(all)), err
		}, ""},
		{"Logs", fmt.Sprintf("%d %d %s, %d %d %s", txsAt, 0, txHash(0), txsAt, 1, txHash(1)), true, func(ctx context.Context, q *Quorum) (string, error) {
			return leadsText(q.Logs(ctx, txsAt-100, top, contract, topic))
		}, ""},
		{"Tip", "1000000000", true, func(ctx context.Context, q *Quorum) (string, error) { return text(q.Tip(ctx)) }, ""},
		{"PendingNonce", "9", true, func(ctx context.Context, q *Quorum) (string, error) { return text(q.PendingNonce(ctx, account)) }, ""},
		{"EstimateGas", "50000", true, func(ctx context.Context, q *Quorum) (string, error) {
			return text(q.EstimateGas(ctx, account, contract, nil, nil))
		}, ""},
		{"Send", "sent", true, func(ctx context.Context, q *Quorum) (string, error) { return "sent", q.Send(ctx, testTx) }, ""},
	}
}
