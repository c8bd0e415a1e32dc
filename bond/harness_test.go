package bond

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

type testKey struct{ *ecdsa.PrivateKey }

func newKey(name string) testKey {
	h := proofs.Keccak([]byte(name))
	k, err := crypto.ToECDSA(h[:])
	if err != nil {
		panic(err)
	}
	return testKey{k}
}

func (k testKey) Address() proofs.Address { return proofs.Address(crypto.PubkeyToAddress(k.PublicKey)) }

func (k testKey) SignTx(_ context.Context, tx *types.Transaction, id *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(id), k.PrivateKey)
}

// The accounts of every test. The owner owns the logs, the holder holds promises that promiser signs.
var owner, holder, promiser, nextPromiser = newKey("owner"), newKey("holder"), newKey("promiser"), newKey("next promiser")

// world is anvil with AnchorLog, the bond and a log, and what was anchored in it.
type world struct {
	*testing.T
	url     string
	client  *rpc.Client
	q       *nodes.Quorum
	log     proofs.Chain
	batches []proofs.Batch
	hashes  []proofs.Hash // of the batches
	trees   []proofs.Tree
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cmd := exec.Command("../node_modules/.bin/anvil", "--port", "0")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatalf("%v; npm ci brings anvil", err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() }) //nolint:errcheck // it is killed
	w := &world{T: t}
	for lines := bufio.NewScanner(out); w.url == "" && lines.Scan(); {
		if at, ok := strings.CutPrefix(lines.Text(), "Listening on "); ok {
			w.url = "http://" + at
		}
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // anvil tells each call, and stops when nobody reads
	if w.client, err = rpc.Dial(w.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.q = w.quorum(w.url)
	for _, k := range []testKey{owner, holder} {
		w.rpc("anvil_setBalance", k.Address(), "0x56bc75e2d63100000") // 100 ether
	}
	w.log = proofs.Chain{ChainID: 31337, AnchorLog: anchor.ContractAddress(), PromiseBond: Address(anchor.ContractAddress())}
	if _, err := w.wallet(owner).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// quorum is of nodes at these URLs.
func (w *world) quorum(urls ...string) *nodes.Quorum {
	w.Helper()
	q, err := nodes.Dial(w.Context(), urls, nodes.Config{})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(q.Close)
	return q
}

func (w *world) rpc(method string, args ...any) {
	w.Helper()
	if err := w.client.CallContext(w.Context(), nil, method, args...); err != nil {
		w.Fatalf("%s: %v", method, err)
	}
}

// after moves the clock.
func (w *world) after(d time.Duration) {
	w.Helper()
	w.rpc("evm_increaseTime", uint64(d/time.Second))
	w.rpc("evm_mine")
}

func (w *world) wallet(k testKey) *anchor.Wallet {
	return &anchor.Wallet{Nodes: w.q, ChainID: 31337, Signer: k, Poll: time.Millisecond}
}

// send sends a plan, which must succeed, and returns how many transactions it had.
func (w *world) send(from testKey, plan []anchor.Planned, err error) int {
	w.Helper()
	if err == nil {
		err = Explain(w.wallet(from).Do(w.Context(), plan, nil, func(anchor.Planned, *anchor.Paid) {}))
	}
	if err != nil {
		w.Fatal(err)
	}
	return len(plan)
}

// refused wants the contract's reason against a call.
func (w *world) refused(from testKey, p anchor.Planned, why string) {
	w.Helper()
	err := Explain(w.wallet(from).Do(w.Context(), []anchor.Planned{p}, nil, func(anchor.Planned, *anchor.Paid) {}))
	if err == nil || !strings.Contains(err.Error(), why) {
		w.Errorf("%s: %v, want %q", p.What, err, why)
	}
}

// open opens the owner's log of that name, which is w.log from then on, and deploys the bond.
func (w *world) open(name string) {
	w.Helper()
	var err error
	if w.log.Log, err = w.wallet(owner).OpenLog(w.Context(), w.log.AnchorLog, proofs.Keccak([]byte(name)), owner.Address()); err != nil {
		w.Fatal(err)
	}
	w.batches, w.hashes, w.trees = nil, nil, nil
	plan, err := w.state().PlanDeploy(w.Context(), w.q)
	w.send(holder, plan, err)
}

// bonded funds the log with an ether and adds the key.
func (w *world) bonded() {
	w.Helper()
	plan, err := w.state().PlanFund(big.NewInt(1e18))
	w.send(owner, plan, err)
	plan, err = w.state().PlanAddKey(w.key(promiser))
	w.send(owner, plan, err)
}

func (w *world) state() *State {
	w.Helper()
	s, err := Read(w.Context(), w.q, w.log)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

func (w *world) key(of testKey) Key {
	w.Helper()
	k, err := w.state().Key(w.Context(), w.q, of.Address())
	if err != nil {
		w.Fatal(err)
	}
	return k
}

// promise is a signed promise that is due in an hour.
func (w *world) promise(index uint64, leaf proofs.Hash) *proofs.Promise {
	w.Helper()
	p := &proofs.Promise{Log: w.log.Log, Index: index, Leaf: leaf, Deadline: w.state().Block.Time + 3600, Beneficiary: holder.Address()}
	digest := PromiseID(w.log, p)
	raw, err := crypto.Sign(digest[:], promiser.PrivateKey)
	if err != nil {
		w.Fatal(err)
	}
	raw[64] += 27
	if p.Signature, err = proofs.ParseSignature(raw); err != nil {
		w.Fatal(err)
	}
	return p
}

// leaf is what stands at an index.
func leaf(index uint64) proofs.Hash { return proofs.Keccak([]byte{byte(index), 'l'}) }

// anchor anchors a batch of two leaves.
func (w *world) anchor() {
	w.Helper()
	n := uint64(len(w.batches))
	leaves := []proofs.Hash{leaf(2 * n), leaf(2*n + 1)}
	tree := proofs.Tree{leaves, {proofs.HashNode(leaves[0], leaves[1])}}
	b := proofs.Batch{Number: n, Root: tree.Root(), First: 2 * n, Size: 2, CID: proofs.Hash{1}}
	call := bindings.NewAnchorLog().PackAnchor(w.log.Log, toBig(n), b.Root, toBig(b.Size), b.CID)
	w.send(owner, []anchor.Planned{{What: "anchor", To: w.log.AnchorLog, Data: call}}, nil)
	b.Time = w.state().Block.Time
	w.batches, w.hashes, w.trees = append(w.batches, b), append(w.hashes, b.Hash()), append(w.trees, tree)
}

// shown is the batch over an index, with its path and the inclusion proof of that leaf.
func (w *world) shown(index uint64) (b proofs.Batch, path, inclusion []proofs.Hash) {
	w.Helper()
	for i, b := range w.batches {
		if b.Contains(index) {
			return b, proofs.ProveRange(w.hashes, b.Number), w.trees[i].Prove(index - b.First)
		}
	}
	w.Fatalf("no batch over index %d", index)
	return b, nil, nil
}

// liar stands before anvil and changes the logs that it returns.
func (w *world) liar(change func(logs []types.Log) []types.Log) string {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.Error(err)
		}
		answer, err := http.Post(w.url, "application/json", bytes.NewReader(body))
		if err != nil {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		rw.Header().Set("Content-Type", "application/json")
		if !bytes.Contains(body, []byte("eth_getLogs")) {
			io.Copy(rw, answer.Body) //nolint:errcheck // the client notices
			return
		}
		var v struct {
			Version string          `json:"jsonrpc"`
			ID      json.RawMessage `json:"id"`
			Result  []types.Log     `json:"result"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
			w.Error(err)
		}
		v.Result = change(v.Result)
		json.NewEncoder(rw).Encode(v) //nolint:errcheck // the client notices
	}))
	w.Cleanup(server.Close)
	return server.URL
}
