package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
	"github.com/hansard-dao/hansard/storage"
)

var _ api.Store = (*storage.DB)(nil)

var chain = proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("api tests"))}

const (
	clock = 1_795_254_640_000 // ms, what the batcher's clock says
	token = "importer-token"
)

func newKey(t testing.TB) *identity.Key {
	key, err := identity.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// service is the whole of a node but for the chain.
type service struct {
	t       testing.TB
	db      *storage.DB
	batcher *batcher.Batcher
	promise *identity.Key
	sealed  chan struct{}
	changed *api.Signal
	server  *http.Server
	url     string
	logs    *bytes.Buffer // read only once the service is stopped
	stop    func()        // ends the intake
}

// setup is what a test changes before the service starts.
type setup struct {
	batcher  batcher.Config
	api      api.Config
	receipts receipts.Store
	folds    receipts.Folds
	older    []receipts.Key
	mark     receipts.Mark
	idle     bool          // the intake takes messages and does nothing with them
	timeout  time.Duration // of the server; 0: its own
}

func newService(t testing.TB, change func(*service, *setup)) *service {
	t.Helper()
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, db: db, promise: newKey(t), sealed: make(chan struct{}, 64), changed: api.NewSignal(), logs: &bytes.Buffer{}}
	logger := slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	with := &setup{receipts: db}
	with.batcher = batcher.Config{
		Chain: chain, Store: db, Recover: identity.Recover, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(clock) }, Sealed: func() { s.sealed <- struct{}{} },
	}
	with.api = api.Config{
		Chain: chain, PromiseKeys: []proofs.Address{s.promise.Address()}, Store: db, Changed: s.changed,
		ImporterToken: token, Version: "test", Logger: logger,
	}
	if change != nil {
		change(s, with)
	}
	if s.batcher, err = batcher.New(with.batcher); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	if with.idle {
		done <- nil
	} else {
		go func() { done <- s.batcher.Run(ctx) }()
	}
	s.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	with.api.Batcher, with.api.Flush = s.batcher, s.batcher.Flush
	with.api.Issuer = receipts.New(chain, with.receipts, s.promise)
	with.api.Issuer.Folds, with.api.Issuer.Older, with.api.Issuer.Mark = with.folds, with.older, with.mark
	s.server = api.NewServer(with.api)
	if with.timeout > 0 {
		s.server.ReadTimeout, s.server.WriteTimeout = with.timeout, with.timeout
	}
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s.server
	ts.Start()
	s.url = ts.URL
	t.Cleanup(func() {
		ts.Close()
		s.stop()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// answer is an answer of the service, read whole.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request; headers are "Name: value".
func (s *service) call(method, path, body string, headers ...string) answer {
	s.t.Helper()
	a, err := s.try(method, path, body, headers...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

func (s *service) try(method, path, body string, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, b}, err
}

func (s *service) want(a answer, status int) answer {
	s.t.Helper()
	if a.status != status {
		s.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

func decode[T any](t testing.TB, a answer) (v T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return v
}

// accepted is as much of an answer to a submission as tests look at.
type accepted struct {
	ID               proofs.Hash
	State            string
	Index, RoomIndex string
	Entry            proofs.Entry
	Promise          json.RawMessage
	Links            map[string]string
}

// message returns a message of a new author and the author's key.
func message(t testing.TB, body string) (proofs.Message, *identity.Key) {
	key := newKey(t)
	return proofs.Message{
		Log: chain.Log, Room: "ethereum/acd", Author: proofs.Author(key.Address().String()),
		SentAt: clock - 10_000, Kind: "text/plain", Body: body, Salt: proofs.Keccak([]byte(body)),
	}, key
}

// signed returns a submission with that body by a new author.
func signed(t testing.TB, body string) *proofs.Submission {
	m, key := message(t, body)
	return sign(t, m, key)
}

func sign(t testing.TB, m proofs.Message, key *identity.Key) *proofs.Submission {
	e, err := key.SignMessage(chain.MessageDomain(), &m)
	if err != nil {
		t.Fatal(err)
	}
	return &proofs.Submission{Message: m, Evidence: e}
}

// unsigned returns a submission of the scheme none.
func unsigned(t testing.TB, body, source string) *proofs.Submission {
	m, _ := message(t, body)
	m.Author, m.Source = "zoom:Somebody", source
	return &proofs.Submission{Message: m, Evidence: proofs.Evidence{Scheme: proofs.SchemeNone}}
}

func (s *service) submit(sub *proofs.Submission) accepted {
	s.t.Helper()
	return decode[accepted](s.t, s.want(s.call("POST", "/v1/messages", string(sub.Format()), "Authorization: Bearer "+token), http.StatusCreated))
}

// seal makes a batch of the pool.
func (s *service) seal() {
	s.t.Helper()
	s.want(s.call("POST", "/v1/flush", "", "Authorization: Bearer "+token), http.StatusAccepted)
	<-s.sealed
}

// anchor moves the batch to included or finalized, with the proof that a chain would have given: a
// block with one transaction.
func (s *service) anchor(number uint64, state proofs.State) {
	s.t.Helper()
	ctx := s.t.Context()
	check := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}
	check(s.db.SetCID(ctx, number, proofs.Keccak([]byte("payload"))))
	b, err := s.db.Batch(ctx, number)
	check(err)
	if b.State < proofs.StateIncluded {
		check(s.db.SaveTx(ctx, number, []byte("raw transaction")))
	}
	word := func(n uint64) []byte { return common.BigToHash(new(big.Int).SetUint64(n)).Bytes() }
	tx := &types.Receipt{Type: 2, Status: 1, CumulativeGasUsed: 40_000, Logs: []*types.Log{{
		Address: common.Address(chain.AnchorLog),
		Topics: []common.Hash{
			crypto.Keccak256Hash([]byte("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)")),
			common.Hash(chain.Log), common.BytesToHash(word(number)),
		},
		Data: slices.Concat(b.Root[:], word(b.First), word(b.Size), b.CID[:]),
	}}}
	tx.Bloom = types.CreateBloom(tx)
	raw, err := tx.MarshalBinary()
	check(err)
	node, err := rlp.EncodeToBytes([][]byte{{0x20, 0x80}, raw})
	check(err)
	const time = 1_795_254_700
	header, err := rlp.EncodeToBytes(&types.Header{
		Number: big.NewInt(7), Time: time, Difficulty: new(big.Int), ReceiptHash: crypto.Keccak256Hash(node),
	})
	check(err)
	a := &proofs.Anchor{Block: proofs.BlockRef{Number: 7, Hash: proofs.Keccak(header)}}
	if state == proofs.StateFinalized {
		a.Header, a.Proof = header, [][]byte{node}
	}
	check(s.db.SetAnchor(ctx, number, proofs.Standing{State: state, Time: time, Tx: proofs.Hash{0x77}, Anchor: a}))
	s.changed.Notify()
}

func path(id proofs.Hash, rest string) string { return fmt.Sprintf("/v1/messages/%s%s", id, rest) }
