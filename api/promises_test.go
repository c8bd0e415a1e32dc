package api_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
)

// TestCannotPromise: a new message is refused with the time that it may be taken, one that is known gets its promise, and
// the service says why.
func TestCannotPromise(t *testing.T) {
	var no atomic.Pointer[batcher.BusyError]
	var promises atomic.Pointer[api.Promises]
	promises.Store(&api.Promises{Waiting: 3, Deadline: time.Unix(1_795_341_040, 0)})
	s := newService(t, func(s *service, with *setup) {
		with.batcher.Refuse = func() *batcher.BusyError { return no.Load() }
		with.api.Promises = func() *api.Promises { return promises.Load() }
	})
	m, key := message(t, "known")
	known := string(sign(t, m, key).Format())
	first := decode[accepted](t, s.want(s.call("POST", "/v1/messages", known), 201))
	s.wantPromises(`{"waiting":"3","deadline":"1795341040","overdue":"0"}`)

	why := &batcher.BusyError{Code: batcher.CannotPromise, Reason: "promises that were given are due in 1m0s", RetryAfter: 14_500 * time.Millisecond}
	no.Store(why)
	promises.Store(&api.Promises{
		Waiting: 3, Deadline: time.Unix(1_795_341_040, 0), Overdue: 1,
		Refusal:    &api.Refusal{Code: "at_risk", Detail: why.Reason, Since: time.UnixMilli(clock), RetryAfter: why.RetryAfter},
		Challenges: api.Challenges{Open: 2, Hopeless: 1, AnswerBy: time.Unix(1_795_600_240, 0), Answered: 7},
	})
	m, key = message(t, "new")
	fresh := string(sign(t, m, key).Format())
	a := s.call("POST", "/v1/messages", fresh)
	p := s.wantProblem(a, 503, "cannot_promise", true)
	if p.RetryAfter != 15 || a.header.Get("Retry-After") != "15" || p.Detail != "message not taken: promises that were given are due in 1m0s; try again in 14.5s" {
		t.Errorf("%s, Retry-After %s", a.body, a.header.Get("Retry-After"))
	}
	again := decode[accepted](t, s.want(s.call("POST", "/v1/messages", known), 200))
	if diff := cmp.Diff(string(first.Promise), string(again.Promise)); diff != "" {
		t.Errorf("the promise of a known message (-before +now):\n%s", diff)
	}
	many := decode[struct{ Results []struct{ Status int } }](t, s.want(s.call("POST", "/v1/messages:batch", `{"messages": [`+fresh+","+known+"]}"), 200))
	if len(many.Results) != 2 || many.Results[0].Status != 503 || many.Results[1].Status != 200 {
		t.Errorf("many: %+v", many)
	}
	s.wantPromises(`{"waiting":"3","deadline":"1795341040","overdue":"1",
		"refusal":{"code":"at_risk","detail":"promises that were given are due in 1m0s","since":"1795254640000","retryAfter":15},
		"challenges":{"open":2,"unanswerable":1,"answerBy":"1795600240"}}`)
	s.want(s.call("GET", "/readyz", ""), 200)

	no.Store(nil)
	s.want(s.call("POST", "/v1/messages", fresh), 201)
}

func (s *service) wantPromises(want string) {
	s.t.Helper()
	var info, w map[string]any
	if err := json.Unmarshal(s.want(s.call("GET", "/v1/info", ""), 200).body, &info); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(any(w), info["promises"]); diff != "" {
		s.t.Errorf("promises (-want +got):\n%s", diff)
	}
}
