package api_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// diskMark covers everything while its disk works.
type diskMark struct{ broken atomic.Bool }

func (m *diskMark) Cover(uint64) error {
	if m.broken.Load() {
		return fmt.Errorf("%w: mark /secret/path: read-only file system", proofs.ErrRefused)
	}
	return nil
}

// TestUnmarked: while it cannot be written down how far was promised, a message that is stored gets no promise
// and no receipt; sent again later it gets both, at the place that it took.
func TestUnmarked(t *testing.T) {
	mark := &diskMark{}
	s := newService(t, func(_ *service, with *setup) { with.mark = mark })
	sub := signed(t, "words")
	id := chain.MessageDomain().MessageID(&sub.Message)
	mark.broken.Store(true)
	for range 2 {
		a := s.call("POST", "/v1/messages", string(sub.Format()))
		if p := s.wantProblem(a, 503, "cannot_promise", true); strings.Contains(string(a.body), "secret") || a.header.Get("Retry-After") != "60" || !strings.Contains(p.Detail, "not promised") {
			t.Errorf("got %v %s", a.header, a.body)
		}
		s.wantProblem(s.call("GET", path(id, "/receipt"), ""), 503, "cannot_promise", true)
	}
	mark.broken.Store(false)
	a := decode[accepted](t, s.want(s.call("POST", "/v1/messages", string(sub.Format())), 200))
	if a.Index != "0" || len(a.Promise) == 0 {
		t.Errorf("got %+v", a)
	}
	s.want(s.call("GET", path(id, "/receipt"), ""), 200)
}

// TestPromiseGone: where the key of a message's time is gone, the answer holds no promise, and the receipt waits
// until it needs none.
func TestPromiseGone(t *testing.T) {
	s := newService(t, func(_ *service, with *setup) { with.older = []receipts.Key{{Address: proofs.Address{1}, Until: 1}} })
	sub := signed(t, "words")
	id := chain.MessageDomain().MessageID(&sub.Message)
	s.want(s.call("POST", "/v1/messages", string(sub.Format())), 201)
	a := s.want(s.call("POST", "/v1/messages", string(sub.Format())), 200)
	if got := decode[accepted](t, a); got.ID != id || got.Promise != nil {
		t.Errorf("got %s", a.body)
	}
	s.wantProblem(s.call("GET", path(id, "/receipt"), ""), 503, "promise_gone", true)
	s.seal()
	s.anchor(0, proofs.StateFinalized)
	rc, err := proofs.ParseReceipt(s.want(s.call("GET", path(id, "/receipt"), ""), 200).body)
	if err != nil || rc.Promise != nil || rc.Level != proofs.Finalized {
		t.Errorf("got %+v, %v", rc, err)
	}
	if b := s.submit(signed(t, "more words")); len(b.Promise) == 0 {
		t.Error("the next message has no promise")
	}
}
