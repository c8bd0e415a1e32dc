package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// startServe runs hansard serve on the operator's chain until stop is called.
func (o *operator) startServe(data string) (service string, stop func()) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	r, w := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code := run(ctx, []string{"hansard", "serve", "--rpc", o.url, "--data", data, "--password-file", o.path("password"), "--deploy", "--json",
			"--listen", "127.0.0.1:0", "--max-age", "200ms", "--promise", "1h", "--confirmations", "1"}, strings.NewReader(""), w, o.t.Output())
		w.Close()
		done <- code
	}()
	var said struct{ API string }
	if err := json.NewDecoder(r).Decode(&said); err != nil {
		o.t.Fatalf("the service ended with %d", <-done)
	}
	return said.API, func() {
		o.t.Helper()
		cancel()
		if code := <-done; code != 0 {
			o.t.Errorf("serve ended with %d", code)
		}
	}
}

// newData makes a data directory with the keys of a service.
func (o *operator) newData() string {
	o.t.Helper()
	data := o.path("data")
	o.want(0, "", "keys", "new", "promise", "--light", "--keystore", o.path("keys"), "--password-file", o.path("password"))
	if err := os.CopyFS(filepath.Join(data, "keys"), os.DirFS(o.path("keys"))); err != nil {
		o.t.Fatal(err)
	}
	return data
}

// doctor runs hansard doctor and returns its rows.
func (o *operator) doctor(code int, args ...string) doctorRows {
	o.t.Helper()
	out, _ := o.want(code, "", append([]string{"doctor", "--json"}, args...)...)
	l := decode[doctorLine](o.t, out)
	if l.Schema != "hansard.doctor/1" || l.OK != (code == 0) {
		o.t.Errorf("%s", out)
	}
	return l.Rows
}

type doctorRows []doctorRow

// has wants a row of that check and result that says something.
func (rows doctorRows) has(t *testing.T, check, result, says string) {
	t.Helper()
	for _, r := range rows {
		if r.Check == check && r.Result == result && strings.Contains(r.What+"|"+r.Why, says) {
			if result != doctorOK && result != doctorSkip && (r.Why == "" || r.Next == "") {
				t.Errorf("%s %s does not say why and what next: %+v", check, result, r)
			}
			return
		}
	}
	t.Errorf("no %s %s that says %q in %+v", check, result, says, rows)
}

// TestDoctorService looks at a service while it runs, after it, and with an old copy of its directory.
func TestDoctorService(t *testing.T) {
	o := newOperator(t)
	data := o.newData()
	_, stop := o.startServe(data)
	stop()
	if err := os.CopyFS(o.path("old"), os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	service, stop := o.startServe(data)
	o.want(0, "", "keys", "new", "alice", "--light", "--keystore", o.path("keys"), "--password-file", o.path("password"))
	o.send(0, service, "one\n", "--wait", "included", "-o", o.path("one.receipt.json"))
	flags := []string{"--rpc", o.url, "--data", data, "--server", service, "--from-block", "1"}
	rows := o.doctor(0, flags...)
	rows.has(t, "config", doctorWarn, "believed by itself")
	rows.has(t, "rpc", doctorOK, "history from 1")
	rows.has(t, "nodes", doctorOK, "1 of 1 must agree")
	rows.has(t, "contract", doctorOK, "code of this version")
	rows.has(t, "log", doctorOK, "1 batches, 1 messages, submitter "+o.account.String())
	rows.has(t, "signer", doctorOK, "holds 0.99")
	rows.has(t, "service", doctorOK, service)
	rows.has(t, "store", doctorOK, "1 batches in the service, 1 of them anchored; 1 on the chain")
	o.doctor(1, "--rpc", o.url, "--data", data, "--server", "http://127.0.0.1:1").has(t, "service", doctorFail, "does not answer")
	late := o.lateService(service)
	rows = o.doctor(0, append(flags, "--server", late)...)
	rows.has(t, "service", doctorWarn, "delayed: gas_cap, gas costs 94 gwei")
	rows.has(t, "service", doctorWarn, "new messages are refused: backlog, 9 batches wait")
	stop()
	o.doctor(0, flags...).has(t, "store", doctorOK, "1 batches in the store, 1 of them anchored; 1 on the chain")
	o.doctor(1, "--rpc", o.url, "--data", o.path("old")).has(t, "store", doctorFail, "0 batches in the store, 0 of them anchored; 1 on the chain")
	o.doctor(0, "--data", data).has(t, "store", doctorOK, "the chain was not asked")
	o.doctor(1, append(flags, "--log-name", "other")...).has(t, "store", doctorFail, "is looked at")

	o.rpc("anvil_setBalance", o.account, "0x10")
	o.doctor(1, flags...).has(t, "signer", doctorFail, "one anchor may cost")
	o.rpc("anvil_setBalance", o.account, "0x2386f26fc10000") // 0.01 ether
	o.doctor(0, flags...).has(t, "signer", doctorOK, "0.01 ether")
	next := proofs.Address{19: 9}
	o.want(0, "", "contracts", "set-submitter", next.String(), "--rpc", o.url, "--keystore", o.path("keys"), "--password-file", o.path("password"), "--yes")
	o.doctor(1, flags...).has(t, "signer", doctorFail, "none of the accounts is the log's submitter, "+next.String())
	if err := os.WriteFile(filepath.Join(data, "trust.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.doctor(1, append(flags, "--owner", o.account.String())...).has(t, "trust", doctorFail, "trust.json")
}

// lateService stands before a service and says that it is delayed and takes nothing.
func (o *operator) lateService(to string) string {
	at, err := url.Parse(to)
	if err != nil {
		o.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.URL.Path != "/v1/info" {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		body = append([]byte(`{"delay":{"code":"gas_cap","detail":"gas costs 94 gwei","since":"1"},`), bytes.Replace(body, []byte(`"promises":{`),
			[]byte(`"promises":{"refusal":{"code":"backlog","detail":"9 batches wait","since":"1","retryAfter":60},`), 1)[1:]...)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Del("Content-Length")
		return err
	}
	server := httptest.NewServer(proxy)
	o.t.Cleanup(server.Close)
	return server.URL
}

// oddNode stands before the operator's node and changes what it answers.
func (o *operator) oddNode(change func(method, params string, result any) any) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked struct {
			Method string
			Params json.RawMessage
		}
		json.Unmarshal(body, &asked) //nolint:errcheck // what is no request is passed on
		answer, err := http.Post(o.url, "application/json", bytes.NewReader(body))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		var v map[string]any
		json.NewDecoder(answer.Body).Decode(&v) //nolint:errcheck // of anvil
		if v["result"] = change(asked.Method, string(asked.Params), v["result"]); v["result"] == errNone {
			delete(v, "result")
			v["error"] = map[string]any{"code": -32601, "message": "the method does not exist"}
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v) //nolint:errcheck // the client is gone
	}))
	o.t.Cleanup(server.Close)
	return server.URL
}

const errNone = "no such method"

func honest(_, _ string, result any) any { return result }

// TestDoctorNodes puts one odd node beside two honest ones.
func TestDoctorNodes(t *testing.T) {
	o := newOperator(t)
	o.contracts(0, "deploy", "--yes")
	for range 10 {
		o.rpc("evm_mine")
	}
	log := proofs.LogID(o.account, logSalt("main"))
	other := startAnvil(t, "--chain-id", "5")
	set := func(result any, key string, value any) any {
		if m, ok := result.(map[string]any); ok {
			m[key] = value
		}
		return result
	}
	tests := []struct {
		name, url, result, says string
		code                    int
	}{
		{"honest", o.oddNode(honest), doctorOK, "finalized, safe, getBlockReceipts, getProof", 0},
		{"gone", "http://127.0.0.1:1", doctorFail, "does not answer", 1},
		{"another chain", other, doctorFail, "it is on another chain than 31337", 1},
		{"another fork", o.oddNode(func(method, _ string, result any) any {
			if method == "eth_getBlockByNumber" {
				return set(result, "hash", proofs.Hash{1}.String())
			}
			return result
		}), doctorFail, "on another fork, or lies", 1},
		{"lying about state", o.oddNode(func(method, _ string, result any) any {
			if s, ok := result.(string); ok && method == "eth_call" && len(s) > 66 {
				return "0x" + strings.Repeat("0", 62) + "99" + s[66:]
			}
			return result
		}), doctorFail, "it says that the log's submitter is 0x0000000000000000000000000000000000000099", 1},
		{"behind", o.oddNode(func(method, params string, result any) any {
			switch {
			case method == "eth_blockNumber":
				return "0x1"
			case method == "eth_getBlockByNumber" && (strings.Contains(params, "latest") || !strings.Contains(params, `"0x1"`)):
				return nil
			}
			return result
		}), doctorWarn, "outvoted while it is behind", 0},
		{"syncing", o.oddNode(func(method, _ string, result any) any {
			if method == "eth_syncing" {
				return map[string]any{"currentBlock": "0x1"}
			}
			return result
		}), doctorFail, "syncing", 1},
		{"without proofs", o.oddNode(func(method, _ string, result any) any {
			if method == "eth_getProof" || method == "eth_getBlockReceipts" {
				return errNone
			}
			return result
		}), doctorWarn, "it cannot: eth_getBlockReceipts (the method does not exist), eth_getProof", 0},
		{"pruned", o.oddNode(func(method, params string, result any) any {
			if method == "eth_getBlockReceipts" && strings.Contains(params, `"0x1"`) {
				return nil
			}
			return result
		}), doctorWarn, "it has no receipts of block 1", 0},
	}
	o.doctor(1, "--rpc", "http://0.0.0.0:1/a", "--rpc", "http://0.0.0.0:1/b", "--data", o.path("none")).
		has(t, "config", doctorWarn, "several nodes are at 0.0.0.0")
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rows := o.doctor(test.code, "--rpc", o.oddNode(honest), "--rpc", o.oddNode(honest), "--rpc", test.url, "--log", log.String(),
				"--keystore", o.path("keys"), "--from-block", "1", "--data", o.path("none"))
			host := strings.TrimPrefix(test.url, "http://")
			rows.has(t, "rpc", test.result, test.says)
			named := 0
			for _, r := range rows {
				if r.Check == "rpc" && strings.HasPrefix(r.What, host) && r.Result == test.result {
					named++
				}
			}
			if named != 1 {
				t.Errorf("the node %s is named in %d rows: %+v", host, named, rows)
			}
			rows.has(t, "log", doctorOK, "0 batches")
		})
	}
}

func goodChainAt(url string) string { return "chain_id: 31337\nrpc: [" + url + "]\n" }

// TestDoctorTrouble: each is one FAIL or WARN with its reason, and no crash.
func TestDoctorTrouble(t *testing.T) {
	o := newOperator(t)
	at := []string{"--rpc", o.url, "--keystore", o.path("keys"), "--data"}
	o.doctor(1, append(at, o.path("none"))...).has(t, "contract", doctorFail, "no contract at")
	o.doctor(1, append(at, o.path("password"))...).has(t, "data", doctorFail, "no directory")
	o.contracts(0, "deploy", "--yes", "--contract-only")
	o.doctor(1, append(at, o.path("none"))...).has(t, "log", doctorFail, "never opened")
	o.contracts(0, "deploy", "--yes")
	o.contracts(0, "set-submitter", proofs.Address{}.String(), "--yes")
	rows := o.doctor(1, append(at, o.path("none"))...)
	rows.has(t, "log", doctorFail, "stopped")
	rows.has(t, "data", doctorSkip, "does not exist")
	rows.has(t, "history", doctorSkip, "not known")
	o.doctor(1, append(at, o.path("none"), "--account", "nobody", "--owner", o.account.String())...).has(t, "signer", doctorFail, "no such key")

	chain := o.path("chain.yaml")
	if err := os.WriteFile(chain, []byte(goodChainAt(o.url)+"accounts: [keystore:anchor]\nfinality: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.doctor(1, "--chain", chain, "--keystore", o.path("keys")).has(t, "config", doctorOK, "chain.yaml (0600)")
	if err := os.Chmod(chain, 0o666); err != nil {
		t.Fatal(err)
	}
	o.doctor(1, "--chain", chain, "--keystore", o.path("keys")).has(t, "config", doctorWarn, "others than its owner can change")
	for text, says := range map[string]string{"max_fee_gwei: 0.001\n": "max_fee_gwei is 0.001", "caps:\n  tx: 1 gwei\n": "caps.tx is 0.000000001"} {
		if err := os.WriteFile(chain, []byte(goodChainAt(o.url)+text), 0o600); err != nil {
			t.Fatal(err)
		}
		o.doctor(1, "--chain", chain, "--keystore", o.path("keys")).has(t, "fees", doctorWarn, says)
	}
	if err := os.WriteFile(chain, []byte("chain_id: 31337\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.doctor(1, "--chain", chain).has(t, "config", doctorFail, "rpc is missing")
	o.want(exitUsage, "", "doctor", "now")
	if out, _ := o.want(1, "", "doctor", "--chain", chain, "-q"); out != "FAIL\n" {
		t.Errorf("quiet: %q", out)
	}
	out, _ := o.want(0, "", "doctor", "--data", o.path("none"))
	if !strings.Contains(out, "config    SKIP no node is named") {
		t.Errorf("text: %s", out)
	}

	// Blocks of another hour.
	hour := time.Now().Add(time.Hour).Unix()
	o.rpc("evm_setNextBlockTimestamp", hour)
	o.rpc("evm_mine")
	o.doctor(1, append(at, o.path("none"))...).has(t, "clock", doctorFail, "in the future")
	old := newOperator(t, "--timestamp", "1700000000")
	old.doctor(1, "--rpc", old.url, "--keystore", old.path("keys")).has(t, "clock", doctorWarn, "old")
}
