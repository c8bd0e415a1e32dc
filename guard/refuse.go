package guard

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
)

// Why nothing new is promised.
const (
	Unknown  = "unknown" // what was promised before is not read yet
	Stopped  = "stopped" // anchoring stopped: see anchor.Stopped
	AtRisk   = "at_risk" // a promise that was given is due within Urgent, or overdue, and in no block
	BadClock = "clock"   // blocks are so far ahead of our clock that a promise would be due too soon
	Backlog  = "backlog" // what waits would take more than half of Promise to anchor
)

// Codes are all of them.
var Codes = []string{Unknown, Stopped, AtRisk, BadClock, Backlog}

// Refusal says why nothing new is promised.
type Refusal struct {
	Code   string // one of the above
	Reason string // for people; nothing secret
	Since  time.Time
	Retry  time.Duration // the soonest that it may end
}

// Status is what is promised and not kept yet.
type Status struct {
	Messages uint64    // in no block
	Deadline time.Time // the earliest of their promises; zero: there is none
	Left     time.Duration
	Overdue  uint64   // messages in a batch, or in what is in none, whose first promise is overdue
	Refusal  *Refusal // nil: messages are taken
}

// Status returns what is known now.
func (g *Guard) Status() Status {
	g.mu.Lock()
	defer g.mu.Unlock()
	s, _ := g.status()
	if s.Refusal = g.refusal(); s.Refusal != nil && g.refused != nil {
		s.Refusal.Since = g.refused.Since
	}
	return s
}

// status sums up what waits; first is what is due first.
func (g *Guard) status() (s Status, first waiting) {
	var all []waiting
	u := g.cfg.Unsealed()
	if g.seen != nil {
		all = g.seen.waiting
		if u.Messages == 0 { // sealed since the last look, or not read yet
			u = g.seen.unsealed
		}
	}
	if u.Messages > 0 {
		all = append(slices.Clip(all), waiting{messages: u.Messages, deadline: u.Deadline, stage: inPool})
	}
	now := g.now()
	for _, w := range all {
		s.Messages += w.messages
		if unix(w.deadline).Before(now) {
			s.Overdue += w.messages
		}
		if first.deadline == 0 || w.deadline < first.deadline {
			first = w
		}
	}
	if first.deadline != 0 {
		s.Deadline = unix(first.deadline)
		s.Left = s.Deadline.Sub(now)
	}
	return s, first
}

// now is our clock, or that of the chain if that is ahead.
func (g *Guard) now() time.Time {
	now := g.cfg.Now()
	if chain, known := g.chainTime(); known && chain.After(now) {
		return chain
	}
	return now
}

// chainTime is the time that a block would have now, at the least.
func (g *Guard) chainTime() (t time.Time, known bool) {
	if g.block == 0 {
		return t, false
	}
	return unix(g.block).Add(time.Since(g.blockAt)), true
}

// Refuse says why nothing new can be promised now, and nil if it can. It answers from memory.
func (g *Guard) Refuse() *batcher.BusyError {
	g.mu.Lock()
	defer g.mu.Unlock()
	r := g.refusal()
	if r == nil {
		return nil
	}
	return &batcher.BusyError{Code: batcher.CannotPromise, Reason: r.Reason, RetryAfter: r.Retry}
}

func (g *Guard) refusal() *Refusal {
	because := func(code string, retry time.Duration, format string, args ...any) *Refusal {
		retry = max(time.Second, (retry + time.Second - 1).Truncate(time.Second))
		return &Refusal{Code: code, Reason: fmt.Sprintf(format, args...), Since: g.cfg.Now(), Retry: retry}
	}
	if g.seen == nil {
		return because(Unknown, time.Second, "the promises that were given before are not read yet")
	}
	d := g.cfg.Delay()
	if d != nil && d.Code == anchor.Stopped {
		return because(Stopped, time.Minute, "anchoring stopped, and its operator has to act")
	}
	if left, waits := g.earliest(); waits && left <= g.cfg.Urgent {
		return because(AtRisk, g.untilNext(d), "promises that were given %s, and %s", dueText(left), reasonText(d))
	}
	if chain, known := g.chainTime(); known {
		if ahead := chain.Sub(g.cfg.Now()); ahead > g.cfg.Promise/4 {
			return because(BadClock, time.Minute, "the chain's blocks are %s ahead of the service's clock, so that a promise could not be kept; its operator has to look at both",
				ahead.Truncate(time.Second))
		}
	}
	if n := len(g.seen.waiting); n > 1 && time.Duration(n)*g.pace.each > g.cfg.Promise/2 {
		need := time.Duration(n) * g.pace.each
		return because(Backlog, need-g.cfg.Promise/2, "%d batches wait to be anchored, which takes about %s", n, need.Truncate(time.Second))
	}
	return nil
}

// earliest returns how much time is left until the first deadline of what is in no block. What was unsealed at the
// last look counts until the next, since it may have been sealed meanwhile.
func (g *Guard) earliest() (left time.Duration, waits bool) {
	var first uint64
	for _, u := range []batcher.Unsealed{g.cfg.Unsealed(), g.seen.unsealed} {
		if u.Deadline != 0 && (first == 0 || u.Deadline < first) {
			first = u.Deadline
		}
	}
	for _, w := range g.seen.waiting {
		if first == 0 || w.deadline < first {
			first = w.deadline
		}
	}
	if first == 0 {
		return 0, false
	}
	return unix(first).Sub(g.now()), true
}

// untilNext is until what is tried next can be in a block.
func (g *Guard) untilNext(d *anchor.Delay) time.Duration {
	if d == nil || d.Next.IsZero() {
		return oneBlock
	}
	return max(0, time.Until(d.Next)) + oneBlock
}

func dueText(left time.Duration) string {
	if left < 0 {
		return "are overdue by " + (-left).Truncate(time.Second).String()
	}
	return "are due in " + left.Truncate(time.Second).String()
}

func reasonText(d *anchor.Delay) string {
	if d == nil {
		return "are not in a block yet"
	}
	return "are not anchored for now (" + d.Code + ")"
}

// tell says what changed since the last time, and repeats warnings.
func (g *Guard) tell(ctx context.Context) {
	g.mu.Lock()
	s, first := g.status()
	was, is := g.refused, g.refusal()
	if is != nil && was != nil {
		is.Since = was.Since
	}
	g.refused = is
	warn := g.mustWarn(&s)
	g.mu.Unlock()
	log := g.cfg.Logger
	switch {
	case is != nil && (was == nil || was.Code != is.Code):
		log.WarnContext(ctx, "new messages are refused", "code", is.Code, "reason", is.Reason)
	case is == nil && was != nil:
		log.InfoContext(ctx, "new messages are taken again", "after", was.Code, "since", was.Since)
	}
	if (is == nil) != (was == nil) {
		g.cfg.Changed()
	}
	if warn {
		g.warn(ctx, &s, first)
	}
}

// mustWarn reports whether the operator is to be told now of promises at risk: from twice Urgent before the first
// deadline on, once an hour, and when it passes.
func (g *Guard) mustWarn(s *Status) bool {
	if s.Messages == 0 || s.Left > 2*g.cfg.Urgent {
		g.warned, g.overdue = time.Time{}, false
		return false
	}
	if time.Since(g.warned) < warnAt && g.overdue == (s.Left < 0) {
		return false
	}
	g.warned, g.overdue = time.Now(), s.Left < 0
	return true
}

func (g *Guard) warn(ctx context.Context, s *Status, first waiting) {
	what, say := "promises are at risk", g.cfg.Logger.WarnContext
	if s.Left < 0 {
		what, say = "promises are overdue", g.cfg.Logger.ErrorContext
	}
	args := []any{"left", s.Left.Truncate(time.Second), "deadline", s.Deadline.UTC(), "messages", first.messages, "waits", first.stage,
		"on_cap", g.cfg.OnCap.String()}
	if first.stage != inPool {
		args = append(args, "batch", first.number)
	}
	if d := g.cfg.Delay(); d != nil {
		args = append(args, "code", d.Code, "reason", d.Detail)
	}
	say(ctx, what, args...)
}
