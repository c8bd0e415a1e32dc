package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

var _ logReader = (*storage.DB)(nil)

// newLog makes a log of five batches of a message each, sealed a minute one after the other from at on, and
// a pool of two. The first is finalized, then one each is included, submitted, pinned and not pinned.
func newLog(t *testing.T) *storage.DB {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	chain := proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Keccak([]byte("metrics tests"))}
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: chain, Reserve: 1})
	check(err)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	minute, sealed := 0, make(chan struct{}, 1)
	b, err := batcher.New(batcher.Config{
		Chain: chain, Store: db, Logger: discard(), Sealed: func() { sealed <- struct{}{} },
		Now: func() time.Time { return at.Add(time.Duration(minute) * time.Minute) },
	})
	check(err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for i := range 7 {
		check(b.Submit(ctx, batcher.Submission{
			Message:  proofs.Message{Log: chain.Log, Room: "room", Author: "zoom:Dan", SentAt: uint64(at.UnixMilli()), Kind: "text/plain", Body: fmt.Sprint(i)},
			Evidence: proofs.Evidence{Scheme: proofs.SchemeNone},
		})[0].Err)
		if i < 5 {
			b.Flush()
			<-sealed
			minute++
		}
	}
	stop()
	check(<-done)
	for n := range uint64(4) {
		check(db.SetCID(t.Context(), n, proofs.Hash{1}))
		if n < 3 {
			check(db.SaveTx(t.Context(), n, []byte("raw")))
		}
	}
	for n, state := range []proofs.State{proofs.StateFinalized, proofs.StateIncluded} {
		check(db.SetAnchor(t.Context(), uint64(n), proofs.Standing{State: state, Time: uint64(at.Unix()), Tx: proofs.Hash{2}, Anchor: &proofs.Anchor{}}))
	}
	return db
}

// scrape returns our own metrics, one a line.
func scrape(t *testing.T, m metrics, logs *bytes.Buffer) (lines []string) {
	t.Helper()
	w := httptest.NewRecorder()
	newMetrics(m, nil, slog.New(slog.NewTextHandler(logs, nil))).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") || !strings.Contains(w.Body.String(), "\ngo_goroutines ") {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "hansard_") && !strings.HasPrefix(line, "hansard_build_info") {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(line, "hansard_")))
		}
	}
	return lines
}

func TestMetrics(t *testing.T) {
	delay := &anchor.Delay{Code: "day_cap"}
	var money *anchor.Money
	m := metrics{
		Log: newLog(t), Promise: 24 * time.Hour,
		Counts: func() anchor.Counts {
			return anchor.Counts{Sent: 7, Replaced: 2, Included: 5, Adopted: 1, Reorgs: 3, Finalized: 4}
		},
		Delay: func() *anchor.Delay { return delay },
		Money: func() *anchor.Money { return money },
		Health: func() []nodes.Health {
			return []nodes.Health{{Name: "a.example", Up: true, Head: 100}, {Name: "b\xff\"\n", Head: 90, Lag: 10, Wrong: "another chain", Errors: 8, Outvoted: 6}}
		},
		Now: func() time.Time { return at.Add(time.Hour) },
	}
	var logs bytes.Buffer
	want := []string{
		"anchor_adopted_total 1", "anchor_finalized_total 4", "anchor_included_total 5", "anchor_reorgs_total 3", "anchor_replaced_total 2", "anchor_sent_total 7",
		`batches{state="batched"} 2`, `batches{state="finalized"} 1`, `batches{state="included"} 1`, `batches{state="safe"} 0`, `batches{state="submitted"} 1`,
		`delayed{code="day_cap"} 1`, `delayed{code="funds"} 0`, `delayed{code="gas_cap"} 0`, `delayed{code="month_cap"} 0`, `delayed{code="nodes"} 0`,
		`delayed{code="other"} 0`, `delayed{code="pins"} 0`, `delayed{code="reverted"} 0`, `delayed{code="signer"} 0`, `delayed{code="stopped"} 0`, `delayed{code="store"} 0`, `delayed{code="tx_cap"} 0`,
		"messages_accepted_total 7",
		`node_errors_total{node="a.example"} 0`, `node_errors_total{node="b?\"\n"} 8`,
		`node_head_block{node="a.example"} 100`, `node_head_block{node="b?\"\n"} 90`,
		`node_ignored{node="a.example"} 0`, `node_ignored{node="b?\"\n"} 1`,
		`node_lag_blocks{node="a.example"} 0`, `node_lag_blocks{node="b?\"\n"} 10`,
		`node_outvoted_total{node="a.example"} 0`, `node_outvoted_total{node="b?\"\n"} 6`,
		`node_up{node="a.example"} 1`, `node_up{node="b?\"\n"} 0`,
		"oldest_unanchored_message_age_seconds 3480", // of the third batch, two minutes after the first
		"pool_messages 2", "promise_seconds 86400",
	}
	if diff := cmp.Diff(want, scrape(t, m, &logs)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	delay = &anchor.Delay{Code: "a new one"}
	eth := big.NewInt(1e18)
	money = &anchor.Money{Account: proofs.Address{0xac}, Balance: eth, Day: big.NewInt(3), Month: big.NewInt(50), PerDay: big.NewInt(2), Runway: 36 * time.Hour,
		Caps: anchor.Caps{Tx: big.NewInt(1e6), Day: big.NewInt(1e9)}}
	var got []string
	for _, line := range scrape(t, m, &logs) {
		if strings.HasSuffix(line, `code="other"} 1`) || strings.Contains(line, "wei") || strings.HasPrefix(line, "runway") {
			got = append(got, line)
		}
	}
	m.Bond = func() *bondView {
		return &bondView{State: &bond.State{Log: proofs.Chain{PromiseBond: proofs.Address{1}}, Amount: big.NewInt(1e17), Open: 3},
			Key: bond.Key{Address: proofs.Address{0xbe}, Until: math.MaxUint64}, Err: bond.ErrNotBacked}
	}
	for _, line := range scrape(t, m, &logs) {
		if strings.HasPrefix(line, "bond_") || strings.HasPrefix(line, "promise_key") || strings.HasPrefix(line, "promises_") {
			got = append(got, line)
		}
	}
	want = []string{
		`balance_wei{account="0xac00000000000000000000000000000000000000"} 1e+18`, `delayed{code="other"} 1`, "runway_seconds 129600",
		`spend_cap_wei{window="day"} 1e+09`, `spend_cap_wei{window="transaction"} 1e+06`, `spent_wei{window="day"} 3`, `spent_wei{window="month"} 50`,
		"bond_wei 1e+17", `promise_key_active{key="0xbe00000000000000000000000000000000000000"} 1`, "promises_backed 0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if logs.Len() > 0 {
		t.Errorf("logs: %s", &logs)
	}

	docs, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range scrape(t, m, &logs) {
		name, _, _ := strings.Cut(line, " ")
		if name, _, _ = strings.Cut(name, "{"); !strings.Contains(string(docs), "`hansard_"+name+"`") && !strings.Contains(string(docs), "`hansard_"+name+"{") {
			t.Errorf("docs/operations.md has no row hansard_%s", name)
		}
	}
}

// broken is a log that cannot be read.
type broken struct{ logReader }

func (broken) Tail(context.Context) (proofs.Tail, error) { return proofs.Tail{}, errors.New("no disk") }

// TestMetricsWithoutStore: what does not come from the store is there without it, and nothing is made up.
func TestMetricsWithoutStore(t *testing.T) {
	var logs bytes.Buffer
	lines := scrape(t, metrics{
		Log: broken{}, Counts: func() anchor.Counts { return anchor.Counts{} }, Delay: func() *anchor.Delay { return nil },
		Money: func() *anchor.Money { return nil }, Health: func() []nodes.Health { return nil },
	}, &logs)
	got := strings.Join(lines, "\n")
	if !strings.Contains(got, "anchor_sent_total 0") || strings.Contains(got, "messages") || strings.Contains(got, "batches") || !strings.Contains(logs.String(), "no disk") {
		t.Errorf("got %s\nlogs %s", got, &logs)
	}
}

// TestMetricsOfNothing: an empty log has no batch and nothing that is old.
func TestMetricsOfNothing(t *testing.T) {
	db, err := storage.Open(storage.Config{Dir: t.TempDir(), Chain: proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{0xa1}, Log: proofs.Hash{1}}, Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var logs bytes.Buffer
	got := strings.Join(scrape(t, metrics{
		Log: db, Counts: func() anchor.Counts { return anchor.Counts{} }, Delay: func() *anchor.Delay { return nil },
		Money: func() *anchor.Money { return nil }, Health: func() []nodes.Health { return nil },
	}, &logs), "\n")
	for _, line := range []string{"messages_accepted_total 0", "oldest_unanchored_message_age_seconds 0", `batches{state="finalized"} 0`, "pool_messages 0"} {
		if !strings.Contains(got, line) {
			t.Errorf("%s is not in %s", line, got)
		}
	}
}
