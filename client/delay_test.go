package client_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

var bigInts = cmp.Comparer(func(a, b *big.Int) bool { return a.Cmp(b) == 0 })

// TestWaitChange follows a message through a delay that comes, changes and ends, to its end.
func TestWaitChange(t *testing.T) {
	s, ctx := newService(t), t.Context()
	a, err := s.Submit(ctx, signed(t, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.Status(ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	step := func(change func(), want client.Status) {
		t.Helper()
		got := make(chan *client.Status, 1)
		go func() {
			defer close(got)
			st, err := s.WaitChange(ctx, last)
			if err != nil {
				t.Error(err)
				return
			}
			got <- st
		}()
		change()
		s.changed.Notify()
		st := <-got
		if st == nil {
			t.FailNow()
		}
		if diff := cmp.Diff(want, client.Status{State: st.State, Delay: st.Delay}); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		last = st
	}
	since, next := time.UnixMilli(clock), time.UnixMilli(clock+12_000)
	spike := &api.Delay{Code: "gas_cap", Detail: "gas costs 94 gwei", Since: since, Next: next}
	step(func() { s.delay.Store(spike) }, client.Status{Delay: &client.Delay{Code: "gas_cap", Detail: "gas costs 94 gwei", Since: since, Next: next}})
	funds := &client.Delay{Code: "funds", Since: since}
	step(func() { s.delay.Store(&api.Delay{Code: "funds", Since: since}) }, client.Status{Delay: funds})
	info, err := s.Info(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(funds, info.Delay); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	step(func() {
		if err := s.Flush(ctx); err != nil {
			t.Error(err)
		}
		<-s.sealed
	}, client.Status{State: proofs.StateBatched, Delay: funds})
	step(func() { s.delay.Store(nil) }, client.Status{State: proofs.StateBatched})
	anchor := &proofs.Anchor{Block: proofs.BlockRef{Number: 7, Hash: proofs.Hash{0xbb}}}
	step(func() {
		if err := s.db.SetAnchor(ctx, 0, proofs.Standing{State: proofs.StateFinalized, Time: 1_795_254_700, Tx: proofs.Hash{0x77}, Anchor: anchor}); err != nil {
			t.Error(err)
		}
	}, client.Status{State: proofs.StateFinalized})
	step(func() {}, client.Status{State: proofs.StateFinalized}) // at once
}

// TestSpent reads what a batch cost, and no numbers that none could.
func TestSpent(t *testing.T) {
	answer := func(spent string) (*client.Batch, error) {
		return answering(t, 200, `{"number": "0", "state": "batched", "first": "0", "size": "1", "deadline": "1795341040", "txs": "3", "spent": `+spent+`}`).Batch(t.Context(), 0)
	}
	b, err := answer(`{"gas": "210000", "wei": "20000000000000000002", "weiPerMessage": "6666666666666666667"}`)
	if err != nil {
		t.Fatal(err)
	}
	wei, _ := new(big.Int).SetString("20000000000000000002", 10)
	want := &client.Spent{Gas: 210_000, Wei: wei, PerMessage: big.NewInt(6_666_666_666_666_666_667)}
	if diff := cmp.Diff(want, b.Spent, bigInts); diff != "" || b.Txs != 3 || b.Deadline != 1_795_341_040 {
		t.Errorf("%d transactions, due at %d, spent (-want +got):\n%s", b.Txs, b.Deadline, diff)
	}
	if b, err := answer("null"); err != nil || b.Spent != nil {
		t.Errorf("nothing spent: %v %v", b, err)
	}
	for _, wei := range []string{"", "-1", "0x10", "1e3", "1_000", strings.Repeat("9", 79)} {
		if b, err := answer(`{"gas": "1", "wei": "` + wei + `", "weiPerMessage": "1"}`); err == nil || !strings.Contains(err.Error(), "wei") {
			t.Errorf("%q was read as %v", wei, b)
		}
		if b, err := answer(`{"gas": "1", "wei": "1", "weiPerMessage": "` + wei + `"}`); err == nil || !strings.Contains(err.Error(), "weiPerMessage") {
			t.Errorf("%q was read as %v", wei, b)
		}
	}
}

// TestPromises: what a service owes, and why it takes nothing, comes as it was said.
func TestPromises(t *testing.T) {
	s := newService(t)
	since, deadline, answerBy := time.UnixMilli(clock), time.Unix(1_795_341_040, 0), time.Unix(1_795_600_240, 0)
	s.owed.Store(&api.Promises{
		Waiting: 3, Deadline: deadline, Overdue: 1,
		Refusal:    &api.Refusal{Code: "at_risk", Detail: "promises are due", Since: since, RetryAfter: 15 * time.Second},
		Challenges: api.Challenges{Open: 2, Hopeless: 1, AnswerBy: answerBy},
	})
	info, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := &client.Promises{
		Waiting: 3, Deadline: deadline, Overdue: 1,
		Refusal:    &client.Refusal{Code: "at_risk", Detail: "promises are due", Since: since, RetryAfter: 15 * time.Second},
		Challenges: &client.Challenges{Open: 2, Unanswerable: 1, AnswerBy: answerBy},
	}
	if diff := cmp.Diff(want, info.Promises); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
