package signer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/proofs"
)

// maxAnswer is far over the largest transaction that is asked for: our own code is 3 kB.
const maxAnswer = 1 << 20

// clef is an account of go-ethereum's external signer, spoken to in JSON-RPC: account_version, account_list
// and account_signTransaction. Each request has a connection of its own, so Clef may restart at any time.
type clef struct {
	at      string // path of a socket, or URL
	address proofs.Address
	methods map[string]string // selector to signature
	timeout time.Duration
}

func openClef(ctx context.Context, rest string, opts Options) (Signer, error) {
	c := &clef{methods: map[string]string{}, timeout: opts.Timeout}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	for _, m := range opts.Methods {
		h := proofs.Keccak([]byte(m))
		c.methods[string(h[:4])] = m
	}
	at, query, _ := strings.Cut(rest, "?")
	if err := c.setPlace(at); err != nil {
		return nil, err
	}
	address, err := addressOf(query)
	if err != nil {
		return nil, err
	}
	if address == "" {
		c.address, err = c.onlyAccount(ctx)
	} else if c.address, err = proofs.ParseAddress(address); err != nil {
		err = fmt.Errorf("account clef: address: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *clef) setPlace(at string) error {
	scheme, _, isURL := strings.Cut(at, "://")
	switch {
	case at == "":
		return fmt.Errorf("account clef: no path and no URL; %s", forms)
	case !isURL:
		c.at = at
		if path, ok := strings.CutPrefix(at, "///"); ok {
			c.at = "/" + path
		}
		return nil
	case scheme != "http" && scheme != "https":
		return fmt.Errorf("account clef: Clef is reached by the path of its socket or by http; %s", forms)
	}
	u, err := url.Parse(at)
	if err != nil || u.Host == "" {
		return fmt.Errorf("account clef: malformed URL; %s", forms)
	}
	if u.User != nil {
		return errors.New("account clef: a password in a URL can be read by other programs, and Clef has none; leave it out")
	}
	c.at = at
	return nil
}

// addressOf reads the part of the URI after the question mark: nothing, or address=0x... once.
func addressOf(query string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) > 1 || len(values) == 1 && len(values["address"]) != 1 {
		return "", fmt.Errorf("account clef: after ? only address=0x... may stand, once; %s", forms)
	}
	return values.Get("address"), nil
}

// onlyAccount asks Clef which account it has.
func (c *clef) onlyAccount(ctx context.Context) (proofs.Address, error) {
	var list []common.Address
	if err := c.call(ctx, &list, "account_list"); err != nil {
		return proofs.Address{}, err
	}
	if len(list) != 1 {
		return proofs.Address{}, fmt.Errorf("account clef: Clef at %s lists %d accounts %v; say which with ?address=ADDRESS",
			c.at, len(list), list[:min(len(list), 5)])
	}
	return proofs.Address(list[0]), nil
}

func (c *clef) Address() proofs.Address { return c.address }

// Check returns an error that wraps ErrUnanswered or ErrBadAnswer unless an external signer is there and speaks the
// protocol. It needs nobody's approval. A key in this process is always there.
func Check(ctx context.Context, s Signer) error {
	c, ok := s.(*clef)
	if !ok {
		return nil
	}
	var version string
	return c.call(ctx, &version, "account_version")
}

// request is a transaction as Clef takes it.
type request struct {
	From       string            `json:"from"` // with checksum, or Clef warns
	To         *string           `json:"to"`
	Gas        hexutil.Uint64    `json:"gas"`
	GasPrice   *hexutil.Big      `json:"gasPrice,omitempty"`
	FeeCap     *hexutil.Big      `json:"maxFeePerGas,omitempty"`
	Tip        *hexutil.Big      `json:"maxPriorityFeePerGas,omitempty"`
	Value      *hexutil.Big      `json:"value"`
	Nonce      hexutil.Uint64    `json:"nonce"`
	Input      hexutil.Bytes     `json:"input"`
	AccessList *types.AccessList `json:"accessList,omitempty"`
	ChainID    *hexutil.Big      `json:"chainId"`
}

func newRequest(from proofs.Address, tx *types.Transaction, chainID *big.Int) *request {
	r := &request{
		From: common.Address(from).Hex(), Gas: hexutil.Uint64(tx.Gas()), Value: (*hexutil.Big)(tx.Value()),
		Nonce: hexutil.Uint64(tx.Nonce()), Input: tx.Data(), ChainID: (*hexutil.Big)(chainID),
	}
	if tx.To() != nil {
		to := tx.To().Hex()
		r.To = &to
	}
	if tx.Type() == types.DynamicFeeTxType {
		r.FeeCap, r.Tip = (*hexutil.Big)(tx.GasFeeCap()), (*hexutil.Big)(tx.GasTipCap())
	} else {
		r.GasPrice = (*hexutil.Big)(tx.GasPrice())
	}
	if tx.Type() != types.LegacyTxType { // its presence is what tells Clef the type
		list := types.AccessList{}
		for _, a := range tx.AccessList() { // Clef refuses null where there are no keys
			list = append(list, types.AccessTuple{Address: a.Address, StorageKeys: append([]common.Hash{}, a.StorageKeys...)})
		}
		r.AccessList = &list
	}
	return r
}

func (c *clef) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	rules, err := rulesOf(tx, chainID)
	if err != nil {
		return nil, err
	}
	params := []any{newRequest(c.address, tx, chainID)}
	if len(tx.Data()) >= 4 {
		if m, ok := c.methods[string(tx.Data()[:4])]; ok {
			params = append(params, m)
		}
	}
	var answer struct{ Raw hexutil.Bytes }
	if err := c.call(ctx, &answer, "account_signTransaction", params...); err != nil {
		return nil, err
	}
	signed := new(types.Transaction)
	if err := signed.UnmarshalBinary(answer.Raw); err != nil {
		return nil, fmt.Errorf("ask Clef at %s: %w: no transaction: %w", c.at, ErrBadAnswer, err)
	}
	if err := check(rules, tx, signed, c.address); err != nil {
		return nil, fmt.Errorf("ask Clef at %s: %w; send nothing more there until you know why", c.at, err)
	}
	return signed, nil
}

// call makes one request and fills result.
func (c *clef) call(ctx context.Context, result any, method string, params ...any) error {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": append([]any{}, params...)})
	if err != nil {
		return fmt.Errorf("encode %s: %w", method, err)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	send := c.overSocket
	if strings.Contains(c.at, "://") {
		send = c.overHTTP
	}
	answer, err := send(limited, body)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("ask Clef at %s: %w", c.at, ctx.Err())
	case limited.Err() != nil:
		return fmt.Errorf("ask Clef at %s: %w %s in time: it waits for a person or for a rule; approve the request there, or add a rule that does (docs/keys.md)",
			c.at, ErrUnanswered, method)
	case errors.Is(err, errMalformed):
		return fmt.Errorf("ask Clef at %s: %w: %w; is that Clef?", c.at, ErrBadAnswer, err)
	case err != nil:
		return fmt.Errorf("ask Clef at %s: %w: %w; start it, or correct the path or URL", c.at, ErrUnanswered, err)
	case answer.Error != nil:
		return fmt.Errorf("ask Clef at %s: %w %s: %.300q: %s", c.at, ErrRefused, method, answer.Error.Message, remedy(answer.Error.Message))
	}
	if err := json.Unmarshal(answer.Result, result); err != nil || string(answer.Result) == "null" {
		return fmt.Errorf("ask Clef at %s: %w: the result of %s has another shape; is that Clef?", c.at, ErrBadAnswer, method)
	}
	return nil
}

// remedies say what to do about a refusal, by a part of Clef's words.
var remedies = [][2]string{
	{"request denied", "the person at Clef or its rule said no; approve the next request there, or add a rule that does (docs/keys.md)"},
	{"validation failed", "Clef does not know the call, or not in this form; name it in the file of --4bytedb-custom, or start Clef with --advanced"},
	{"chainid", "start Clef with the --chainid of this chain"},
	{"unknown account", "Clef's keystore has no key of this address; import it there, or correct ?address=0x..."},
	{"could not decrypt", "Clef's password for the key is wrong; store it again with clef setpw"},
}

func remedy(message string) string {
	for _, r := range remedies {
		if strings.Contains(message, r[0]) {
			return r[1]
		}
	}
	return "Clef's own output says more"
}

// errMalformed is wrapped when bytes came that are no answer.
var errMalformed = errors.New("no JSON-RPC answer")

// answer is one JSON-RPC response.
type answer struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

// readAnswer reads the answer to request 1. What follows it is not read: a socket stays open.
func readAnswer(r io.Reader) (*answer, error) {
	var a answer
	limited := &io.LimitedReader{R: r, N: maxAnswer}
	err := json.NewDecoder(limited).Decode(&a)
	var shape *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	switch {
	case limited.N == 0, errors.As(err, &shape), errors.As(err, &syntax):
		return nil, fmt.Errorf("%w", errMalformed)
	case err != nil:
		return nil, err
	case a.ID != 1, a.Result == nil && a.Error == nil:
		return nil, fmt.Errorf("%w to the request", errMalformed)
	}
	return &a, nil
}

func (c *clef) overSocket(ctx context.Context, body []byte) (*answer, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.at)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(body); err != nil {
		return nil, err
	}
	return readAnswer(conn)
}

// httpClient goes where it was told to: through no proxy, and after no redirection.
var httpClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (c *clef) overHTTP(ctx context.Context, body []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := httpClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	return readAnswer(resp.Body)
}
