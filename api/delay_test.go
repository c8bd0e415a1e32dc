package api_test

import (
	"context"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/proofs"
)

// delayed is a service whose delay the test sets, and which says when a status was read.
type delayed struct {
	*service
	delay atomic.Pointer[api.Delay]
	read  chan struct{}
}

func newDelayed(t *testing.T) *delayed {
	d := &delayed{read: make(chan struct{}, 64)}
	d.service = newService(t, func(s *service, with *setup) {
		with.receipts = watched{s.db, d.read}
		with.api.Delay = d.delay.Load
	})
	return d
}

func gasCap() *api.Delay {
	return &api.Delay{
		Code: "gas_cap", Detail: "gas costs 94 gwei, over the cap of 60",
		Since: time.UnixMilli(clock), Next: time.UnixMilli(clock + 12_000),
	}
}

// TestDelay: a delay is told of the service and of what is not in a block yet.
func TestDelay(t *testing.T) {
	s := newDelayed(t)
	m, key := message(t, "hello")
	m.Source = "https://example.org/1"
	a := s.submit(sign(t, m, key))
	type answer struct{ Delay map[string]string }
	check := func(want map[string]string, paths ...string) {
		t.Helper()
		for _, at := range paths {
			if diff := cmp.Diff(want, decode[answer](t, s.want(s.call("GET", at, ""), http.StatusOK)).Delay); diff != "" {
				t.Errorf("%s (-want +got):\n%s", at, diff)
			}
		}
	}
	source := "/v1/messages?" + url.Values{"room": {string(m.Room)}, "source": {m.Source}}.Encode()
	listed := func(want map[string]string) {
		t.Helper()
		got := decode[struct{ Messages []answer }](t, s.call("GET", source, ""))
		if diff := cmp.Diff([]answer{{want}}, got.Messages); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
	}
	one, status := path(a.ID, ""), path(a.ID, "/status")
	check(nil, "/v1/info", one, status)
	listed(nil)

	s.delay.Store(gasCap())
	want := map[string]string{
		"code": "gas_cap", "detail": "gas costs 94 gwei, over the cap of 60", "since": "1795254640000", "nextAttempt": "1795254652000",
	}
	check(want, "/v1/info", one, status)
	listed(want)
	s.seal()
	check(want, "/v1/info", one, status)

	s.anchor(0, proofs.StateIncluded)
	check(want, "/v1/info")
	check(nil, one, status)
	listed(nil)

	s.delay.Store(&api.Delay{Code: "funds", Since: time.UnixMilli(clock)})
	check(map[string]string{"code": "funds", "detail": "", "since": "1795254640000"}, "/v1/info")
}

// TestLongPollDelay: who names the delay that he knows hears of another one, whether or not somebody
// notified the service; who does not waits for his state.
func TestLongPollDelay(t *testing.T) {
	s := newDelayed(t)
	a := s.submit(signed(t, "hello"))
	other := func(code string) *api.Delay {
		d := gasCap()
		d.Code = code
		return d
	}
	for _, notify := range []bool{true, false} {
		s.delay.Store(nil)
		known := "none"
		for _, next := range []*api.Delay{gasCap(), other("day_cap"), nil} {
			answers := s.poll(path(a.ID, "/status?wait=1h&until=included&delay="+known), s.read)
			if known != "none" { // another detail is no other delay
				d := other(known)
				d.Detail = "gas costs 95 gwei, over the cap of 60"
				s.delay.Store(d)
				s.changed.Notify()
				<-s.read
			}
			s.delay.Store(next)
			if notify {
				s.changed.Notify()
			}
			got := decode[struct{ Delay map[string]string }](t, <-answers).Delay
			if next == nil {
				known = "none"
			} else {
				known = next.Code
			}
			if got["code"] != strings.TrimPrefix(known, "none") {
				t.Errorf("notified %v: the answer has the delay %v, want %s", notify, got, known)
			}
			drain(s.read)
		}
	}

	s.delay.Store(nil)
	answers := s.poll(path(a.ID, "/status?wait=1h&until=included"), s.read)
	s.delay.Store(gasCap())
	s.changed.Notify()
	<-s.read
	s.seal()
	s.anchor(0, proofs.StateIncluded)
	if got := <-answers; !strings.Contains(string(got.body), `"state":"included"`) {
		t.Errorf("answered to a delay that nobody asked about: %s", got.body)
	}
}

func drain(c chan struct{}) {
	for {
		select {
		case <-c:
		default:
			return
		}
	}
}

func TestDelayQuery(t *testing.T) {
	s := newDelayed(t)
	a := s.submit(signed(t, "hello"))
	for _, code := range []string{"Gas", "gas-cap", "%00", strings.Repeat("a", 33)} {
		got := s.want(s.call("GET", path(a.ID, "/status?delay="+code), ""), http.StatusBadRequest)
		if p := decode[struct{ Code, Detail string }](t, got); p.Code != "malformed" || !strings.HasPrefix(p.Detail, "delay: ") {
			t.Errorf("%s: %+v", code, p)
		}
	}
}

type apiStore = api.Store

// paid is a store whose batches were paid for.
type paid struct {
	apiStore
	spent []proofs.Spend
}

func (p paid) Batch(ctx context.Context, number uint64) (proofs.Sealed, error) {
	s, err := p.apiStore.Batch(ctx, number)
	s.Spent = p.spent
	return s, err
}

// TestSpent sums what two transactions cost, more wei than 64 bits hold.
func TestSpent(t *testing.T) {
	eth := new(big.Int).Exp(big.NewInt(10), big.NewInt(19), nil)
	s := newService(t, func(s *service, with *setup) {
		with.api.Store = paid{s.db, []proofs.Spend{{Gas: 90_000, Wei: eth}, {Gas: 120_000, Wei: new(big.Int).Add(eth, big.NewInt(2))}}}
	})
	for _, body := range []string{"a", "b", "c"} {
		s.submit(signed(t, body))
	}
	s.seal()
	got := decode[struct{ Spent map[string]string }](t, s.want(s.call("GET", "/v1/batches/0", ""), http.StatusOK)).Spent
	want := map[string]string{"gas": "210000", "wei": "20000000000000000002", "weiPerMessage": "6666666666666666667"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMetrics(t *testing.T) {
	s := newService(t, func(_ *service, with *setup) {
		with.api.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "a 1\n") }) //nolint:errcheck // the test notices
	})
	if got := s.want(s.call("GET", "/metrics", ""), http.StatusOK); string(got.body) != "a 1\n" || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q %v", got.body, got.header)
	}
	s = newService(t, nil)
	s.want(s.call("GET", "/metrics", ""), http.StatusNotFound)
}
