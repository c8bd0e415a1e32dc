package batcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// ErrClosed is wrapped by every refusal after Run ended.
var ErrClosed = errors.New("intake is closed")

// Code says in one stable word why a message was refused.
type Code string

// The codes. They are also those of the HTTP API.
const (
	Malformed    Code = "malformed"
	WrongLog     Code = "wrong_domain"
	TooLarge     Code = "too_large"
	BadSignature Code = "bad_signature"
	FromFuture   Code = "stale_timestamp"
)

// RefusedError says why a message cannot be accepted. The same message will be refused again.
type RefusedError struct {
	Code  Code
	Field string // of the message, or "evidence"; empty where Err says it
	Err   error
}

func (e *RefusedError) Error() string { return fmt.Sprintf("message refused: %v", e.Err) }
func (e *RefusedError) Unwrap() error { return e.Err }

// CannotPromise is the code of a BusyError of Config.Refuse: a promise given now may not be kept.
const CannotPromise Code = "cannot_promise"

// BusyError says that the message was not taken for now: nothing is kept of it.
type BusyError struct {
	Code       Code // empty where there is just too much at once
	RetryAfter time.Duration
	Reason     string
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("message not taken: %s; try again in %s", e.Reason, e.RetryAfter)
}

// Submission is a message with what vouches for it.
type Submission struct {
	Message  proofs.Message
	Evidence proofs.Evidence
}

// Result is the answer to one Submission: Accepted, or Err, a *RefusedError or *BusyError, an error
// that wraps ErrClosed, or that of the caller's context.
type Result struct {
	ID       proofs.Hash
	Accepted proofs.Accepted
	Replayed bool // the message was accepted before: this is the same place and promise
	Err      error
}

// request is some checked submissions on their way through the loop.
type request struct {
	entries []proofs.Accepted // Entry without its place
	results []Result
	size    int64
	done    chan struct{}
}

// Submit checks the submissions and returns when those that hold are on stable storage, in order.
// It returns one Result each. Signatures are checked on the caller's goroutine: call it from many.
// If ctx ends first, a message may or may not have been accepted: submit it again to know. The
// submissions must not be changed afterwards.
func (b *Batcher) Submit(ctx context.Context, subs ...Submission) []Result {
	if n := len(subs) / 2; n > 0 && (len(subs) > maxGroup || sizeOfAll(subs) > maxGroupBytes) {
		return append(b.Submit(ctx, subs[:n]...), b.Submit(ctx, subs[n:]...)...)
	}
	r := &request{size: sizeOfAll(subs), results: make([]Result, len(subs)), done: make(chan struct{})}
	if err := b.busy(); err != nil {
		return r.fail(err)
	}
	r.entries = make([]proofs.Accepted, len(subs))
	waiting := false
	for i := range subs {
		r.results[i] = b.check(&subs[i], &r.entries[i])
		waiting = waiting || r.results[i].Err == nil
	}
	if !waiting {
		return r.results
	}
	if b.queued.Add(r.size) > maxQueued {
		b.queued.Add(-r.size)
		return r.fail(b.full())
	}
	select {
	case b.queue <- r:
	default:
		b.queued.Add(-r.size)
		return r.fail(b.full())
	}
	select {
	case <-r.done:
		return r.results
	case <-b.closed:
		return r.abandoned(b.err)
	case <-ctx.Done():
		return r.abandoned(ctx.Err())
	}
}

// sizeOfAll returns about what submissions take in memory and in the store, in bytes.
func sizeOfAll(subs []Submission) (size int64) {
	for i := range subs {
		size += sizeOf(&subs[i].Message, subs[i].Evidence)
	}
	return size
}

// sizeOf returns about what a message takes, in bytes: 1,024 for the fields of fixed size.
func sizeOf(m *proofs.Message, e proofs.Evidence) int64 {
	size := 1024 + len(e.Bytes)
	if m != nil {
		size += len(m.Body) + len(m.Source) + len(m.Author) + len(m.Room)
		for _, a := range m.Attachments {
			size += len(a)
		}
	}
	return int64(size)
}

// abandoned answers for a request that nobody waits for any more; if it is done, it is done. The
// loop may still be writing to the request's own results.
func (r *request) abandoned(err error) []Result {
	select {
	case <-r.done:
		return r.results
	default:
	}
	return (&request{results: make([]Result, len(r.results))}).fail(err)
}

func (r *request) fail(err error) []Result {
	for i := range r.results {
		if r.results[i].Err == nil {
			r.results[i] = Result{ID: r.results[i].ID, Err: err}
		}
	}
	return r.results
}

// busy refuses before the costly checks.
func (b *Batcher) busy() error {
	select {
	case <-b.closed:
		return b.err
	default:
	}
	if len(b.queue) == cap(b.queue) || b.queued.Load() > maxQueued {
		return b.full()
	}
	return nil
}

// full is the refusal by a full queue. A queue of 8,192 drains in less than a second on two cores.
func (b *Batcher) full() error {
	return &BusyError{RetryAfter: time.Second, Reason: "the intake queue is full"}
}

// check makes every check that needs no place in the log and fills what it can of the entry.
func (b *Batcher) check(s *Submission, a *proofs.Accepted) Result {
	m := &s.Message
	refuse := func(code Code, field string, err error) Result {
		return Result{Err: &RefusedError{code, field, err}}
	}
	if len(m.Body) > proofs.MaxBody {
		return refuse(TooLarge, "body", m.Check())
	}
	if len(s.Evidence.Bytes) > proofs.MaxEvidence {
		return refuse(TooLarge, "evidence", fmt.Errorf("evidence: %d bytes are over the limit of %d", len(s.Evidence.Bytes), proofs.MaxEvidence))
	}
	if m.Log != b.cfg.Chain.Log {
		return refuse(WrongLog, "log", fmt.Errorf("log: this service keeps the log %s, the message is for %s", b.cfg.Chain.Log, m.Log))
	}
	if err := m.Check(); err != nil {
		return refuse(Malformed, "", err)
	}
	if field, err := checkAbout(m); err != nil {
		return refuse(Malformed, field, err)
	}
	if _, wallet := m.Author.Wallet(); wallet && s.Evidence.Scheme == proofs.SchemeNone {
		return refuse(Malformed, "author", errors.New("author: a wallet can sign: send its signature with the scheme eip712, or name the account that was seen, such as zoom:Name"))
	}
	now := b.cfg.Now()
	if latest := uint64(now.Add(b.cfg.Ahead).UnixMilli()); m.SentAt > latest {
		return refuse(FromFuture, "sentAt", fmt.Errorf("sentAt: %d is more than %s ahead of our clock, which says %d; set yours", m.SentAt, b.cfg.Ahead, now.UnixMilli()))
	}
	id := b.domain.MessageID(m)
	vouch, err := proofs.CheckEvidence(id, m.Author, s.Evidence, b.cfg.Recover)
	if err != nil {
		return refuse(BadSignature, "evidence", b.explain(err, s.Evidence.Scheme))
	}
	a.Message, a.Evidence = m, s.Evidence
	if a.Evidence.Bytes == nil {
		a.Evidence.Bytes = []byte{} // nil stands for an erased payload
	}
	a.Entry = proofs.Entry{
		Log: m.Log, Room: m.Room.Tag(), Message: id, Author: m.Author.Commit(m.Salt),
		Vouch: vouch, Evidence: s.Evidence.Hash(),
	}
	return Result{ID: id}
}

// explain adds to the error of evidence what would help.
func (b *Batcher) explain(err error, scheme string) error {
	switch {
	case errors.Is(err, proofs.ErrScheme):
		return fmt.Errorf("%w; sign the message with eip712 or eip191", err)
	case scheme == proofs.SchemeNone:
		return err
	}
	c := b.cfg.Chain
	return fmt.Errorf("%w; the message must be signed in the domain Hansard, 1, chain %d, contract %s", err, c.ChainID, c.AnchorLog)
}

// checkAbout holds the well-known kinds to their bodies: a JSON object, and for edit and retract
// the message that it is about. It returns the field that is wrong.
func checkAbout(m *proofs.Message) (field string, err error) {
	if !proofs.IsWellKnown(m.Kind) {
		return "", nil
	}
	var body map[string]json.RawMessage
	if err := json.Unmarshal([]byte(m.Body), &body); err != nil || body == nil {
		return "body", fmt.Errorf("body: the kind %s carries a JSON object", m.Kind)
	}
	if (m.Kind == proofs.KindEdit || m.Kind == proofs.KindRetract) && m.Replaces.IsZero() {
		return "replaces", fmt.Errorf("replaces: the kind %s names the message that it is about", m.Kind)
	}
	return "", nil
}
