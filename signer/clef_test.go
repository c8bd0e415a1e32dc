package signer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// asked is a request as the far side reads it.
type asked struct {
	Method string
	Params []json.RawMessage
}

// hang is the reply of a far side that keeps the connection and says nothing.
const hang = "hang"

// onSocket serves replies on a socket and returns its path.
func onSocket(t *testing.T, reply func(asked) string) string {
	path := filepath.Join(t.TempDir(), "clef.ipc")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	t.Cleanup(func() { ln.Close(); conns.Wait() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer conn.Close()
				var a asked
				if err := json.NewDecoder(conn).Decode(&a); err != nil {
					t.Errorf("the request is no JSON: %v", err)
				}
				if r := reply(a); r != hang {
					io.WriteString(conn, r)
					return
				}
				io.Copy(io.Discard, conn) // until the other side gives up
			})
		}
	}()
	return path
}

// onHTTP serves replies over HTTP and returns the URL.
func onHTTP(t *testing.T, reply func(asked) string) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var a asked
		if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
			t.Errorf("the request is no JSON: %v", err)
		}
		if answer := reply(a); answer != hang {
			io.WriteString(w, answer)
			return
		}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	return s.URL
}

var transports = map[string]func(*testing.T, func(asked) string) string{"socket": onSocket, "http": onHTTP}

func openAt(t *testing.T, at string, opts signer.Options) signer.Signer {
	t.Helper()
	s, err := signer.Open(t.Context(), fmt.Sprintf("clef:%s?address=%s", at, keyOf(t, testKey).Address()), opts)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func result(v string) string { return `{"jsonrpc":"2.0","id":1,"result":` + v + `}` + "\n" }

// signed returns the answer of a signer that signs what it likes.
func signed(t *testing.T, tx *types.Transaction, rules types.Signer, key string) string {
	t.Helper()
	k, err := crypto.HexToECDSA(key)
	if err != nil {
		t.Fatal(err)
	}
	if tx, err = types.SignTx(tx, rules, k); err != nil {
		t.Fatal(err)
	}
	return result(`{"raw":"` + hexOf(t, tx) + `","tx":{"nonce":"0xff"}}`)
}

// TestHostile: whatever an external signer answers, no transaction but the one that was asked for comes
// out, the error says which kind it is, and nothing waits for ever.
func TestHostile(t *testing.T) {
	rules := types.LatestSignerForChainID(chainID)
	other := common.Address{0xba, 0xd0}
	change := func(f func(*types.DynamicFeeTx)) string { return signed(t, dynamic(f), rules, testKey) }
	flip := strings.Replace(change(nil), `"raw":"0x02f8`, `"raw":"0x02f9`, 1)
	for name, tt := range map[string]struct {
		reply, want string
		is          error
	}{
		"nonce":           {change(func(d *types.DynamicFeeTx) { d.Nonce++ }), "nonce 8 instead of 7", signer.ErrBadAnswer},
		"to":              {change(func(d *types.DynamicFeeTx) { d.To = &other }), "to " + other.Hex() + " instead of", signer.ErrBadAnswer},
		"creation":        {change(func(d *types.DynamicFeeTx) { d.To = nil }), "to none instead of", signer.ErrBadAnswer},
		"value":           {change(func(d *types.DynamicFeeTx) { d.Value = big.NewInt(1) }), "value 1 instead of 0", signer.ErrBadAnswer},
		"gas":             {change(func(d *types.DynamicFeeTx) { d.Gas++ }), "gas 100001 instead of 100000", signer.ErrBadAnswer},
		"tip":             {change(func(d *types.DynamicFeeTx) { d.GasTipCap = big.NewInt(2e9) }), "tip 2000000000 instead of", signer.ErrBadAnswer},
		"fee cap":         {change(func(d *types.DynamicFeeTx) { d.GasFeeCap = big.NewInt(4e9) }), "fee cap 4000000000 instead of", signer.ErrBadAnswer},
		"data":            {change(func(d *types.DynamicFeeTx) { d.Data[67] = 1 }), "data with the hash 0x", signer.ErrBadAnswer},
		"access list":     {change(func(d *types.DynamicFeeTx) { d.AccessList = types.AccessList{{}} }), "the access list is another", signer.ErrBadAnswer},
		"chain":           {signed(t, dynamic(func(d *types.DynamicFeeTx) { d.ChainID = big.NewInt(1) }), types.LatestSignerForChainID(big.NewInt(1)), testKey), "chain id 1 instead of", signer.ErrBadAnswer},
		"type":            {signed(t, transactions()["legacy"], rules, testKey), "type 0 instead of 2", signer.ErrBadAnswer},
		"key":             {signed(t, dynamic(nil), rules, strings.Repeat("1", 64)), "not by " + keyOf(t, testKey).Address().String(), signer.ErrBadAnswer},
		"unsigned":        {result(`{"raw":"` + hexOf(t, dynamic(nil)) + `"}`), "invalid transaction v, r, s values", signer.ErrBadAnswer},
		"broken":          {flip, "no transaction", signer.ErrBadAnswer},
		"trailing":        {strings.Replace(change(nil), `","tx"`, `00","tx"`, 1), "no transaction", signer.ErrBadAnswer},
		"empty":           {result(`{"raw":"0x"}`), "no transaction", signer.ErrBadAnswer},
		"no raw":          {result(`{}`), "no transaction", signer.ErrBadAnswer},
		"null":            {result(`null`), "another shape", signer.ErrBadAnswer},
		"other shape":     {result(`["0x"]`), "another shape", signer.ErrBadAnswer},
		"other request":   {strings.Replace(change(nil), `"id":1`, `"id":2`, 1), "no JSON-RPC answer", signer.ErrBadAnswer},
		"neither":         {`{"jsonrpc":"2.0","id":1}`, "no JSON-RPC answer", signer.ErrBadAnswer},
		"no JSON":         {"<html>hello", "is that Clef?", signer.ErrBadAnswer},
		"endless":         {`{"id":1,"result":"` + strings.Repeat("f", 2<<20), "is that Clef?", signer.ErrBadAnswer},
		"error no object": {`{"id":1,"error":7}`, "no JSON-RPC answer", signer.ErrBadAnswer},
		"cut":             {`{"jsonrpc":"2.0","id":1,"resul`, "unexpected EOF", signer.ErrUnanswered},
		"nothing":         {"", "EOF", signer.ErrUnanswered},
		"hang":            {hang, "it waits for a person or for a rule", signer.ErrUnanswered},
		"denied":          {`{"id":1,"error":{"code":-32000,"message":"request denied"}}`, "the person at Clef or its rule said no", signer.ErrRefused},
		"other error":     {`{"id":1,"error":{"code":-32000,"message":"\u001b[2J` + strings.Repeat("x", 400) + `"}}`, `\x1b[2J`, signer.ErrRefused},
	} {
		for kind, serve := range transports {
			t.Run(name+"/"+kind, func(t *testing.T) {
				at := serve(t, func(asked) string { return tt.reply })
				opts := signer.Options{}
				if tt.reply == hang {
					opts.Timeout = 50 * time.Millisecond
				}
				tx, err := openAt(t, at, opts).SignTx(t.Context(), dynamic(nil), chainID)
				if tx != nil || !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 700 {
					t.Errorf("%v, %v, want %q and %q", tx, err, tt.want, tt.is)
				}
			})
		}
	}
}

// TestReplayable: a legacy signature without a chain id would hold on every chain.
func TestReplayable(t *testing.T) {
	tx := transactions()["legacy"]
	at := onSocket(t, func(asked) string { return signed(t, tx, types.HomesteadSigner{}, testKey) })
	got, err := openAt(t, at, signer.Options{}).SignTx(t.Context(), tx, chainID)
	if got != nil || !errors.Is(err, signer.ErrBadAnswer) || !strings.Contains(err.Error(), "chain id 0 instead of") {
		t.Errorf("%v, %v", got, err)
	}
}

// TestHonest: a signer that reads the request as Clef does, with go-ethereum's own type, and signs just that.
func TestHonest(t *testing.T) {
	h := proofs.Keccak([]byte("f(uint256)"))
	known := dynamic(func(d *types.DynamicFeeTx) { copy(d.Data, h[:4]) })
	for kind, serve := range transports {
		at := serve(t, func(a asked) string {
			var args apitypes.SendTxArgs
			if len(a.Params) == 0 || a.Method != "account_signTransaction" {
				t.Errorf("asked for %s with %s", a.Method, a.Params)
				return ""
			}
			if err := json.Unmarshal(a.Params[0], &args); err != nil || !args.From.ValidChecksum() || args.To != nil && !args.To.ValidChecksum() {
				t.Errorf("%s: %v, or no checksum", a.Params[0], err)
			}
			tx, err := args.ToTransaction()
			if err != nil {
				t.Error(err)
			}
			if told := len(a.Params) == 2 && string(a.Params[1]) == `"f(uint256)"`; told != (tx.Data()[0] == h[0]) {
				t.Errorf("%x is called by way of %s", tx.Data()[:4], a.Params[1:])
			}
			return signed(t, tx, types.LatestSignerForChainID((*big.Int)(args.ChainID)), testKey)
		})
		s := openAt(t, at, signer.Options{Methods: []string{"f(uint256)"}})
		for name, tx := range transactions() {
			checkSigned(t, kind+" "+name, s, tx)
		}
		checkSigned(t, kind+" known", s, known)
	}
}

func TestOnlyAccount(t *testing.T) {
	one, two := common.Address{1}, common.Address{2}
	for name, tt := range map[string]struct {
		reply, want string
		is          error
	}{
		"one":     {result(`["` + one.Hex() + `"]`), "", nil},
		"none":    {result(`[]`), "lists 0 accounts", nil},
		"two":     {result(`["` + one.Hex() + `","` + two.Hex() + `"]`), "say which with ?address=ADDRESS", nil},
		"refused": {`{"id":1,"error":{"message":"request denied"}}`, "refused account_list", signer.ErrRefused},
		"hang":    {hang, "account_list in time", signer.ErrUnanswered},
		"other":   {result(`"0.1"`), "another shape", signer.ErrBadAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			at := onSocket(t, func(a asked) string {
				if a.Method != "account_list" || len(a.Params) != 0 {
					t.Errorf("asked for %s with %s", a.Method, a.Params)
				}
				return tt.reply
			})
			opts := signer.Options{}
			if tt.reply == hang {
				opts.Timeout = 50 * time.Millisecond
			}
			s, err := signer.Open(t.Context(), "clef:"+at, opts)
			if tt.want == "" {
				if err != nil || s.Address() != proofs.Address(one) {
					t.Errorf("%v, %v", s, err)
				}
				return
			}
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("%v, %v, want %q", s, err, tt.want)
			}
		})
	}
}

// TestGivenUp: a caller that ends while a person thinks gets its own reason; one whose time is over learns whom it waited for.
func TestGivenUp(t *testing.T) {
	for kind, serve := range transports {
		t.Run(kind, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			at := serve(t, func(asked) string { cancel(); return hang })
			_, err := openAt(t, at, signer.Options{}).SignTx(ctx, dynamic(nil), chainID)
			if !errors.Is(err, context.Canceled) || errors.Is(err, signer.ErrUnanswered) {
				t.Error(err)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			at = serve(t, func(asked) string { return hang })
			if _, err := openAt(t, at, signer.Options{}).SignTx(ctx, dynamic(nil), chainID); !errors.Is(err, signer.ErrUnanswered) {
				t.Errorf("a deadline of the caller's: %v", err)
			}
		})
	}
}

// TestHTTPStaysPut: neither another status nor a redirection is an answer.
func TestHTTPStaysPut(t *testing.T) {
	honest := onHTTP(t, func(asked) string { return result(`"6.1.0"`) })
	for name, tt := range map[string]struct {
		status int
		want   string
	}{"redirect": {http.StatusTemporaryRedirect, "status 307"}, "forbidden": {http.StatusForbidden, "status 403"}} {
		front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", honest)
			w.WriteHeader(tt.status)
			io.WriteString(w, result(`"6.1.0"`))
		}))
		defer front.Close()
		if err := signer.Check(t.Context(), openAt(t, front.URL, signer.Options{})); !errors.Is(err, signer.ErrUnanswered) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := signer.Check(t.Context(), openAt(t, honest, signer.Options{})); err != nil {
		t.Error(err)
	}
}
