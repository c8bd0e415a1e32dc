package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// Codes of errors that are not batcher's.
const (
	codeUnauthenticated batcher.Code = "unauthenticated"
	codeUnsigned        batcher.Code = "unsigned_refused"
	codeNotFound        batcher.Code = "not_found"
	codeBusy            batcher.Code = "busy"
	codeClosed          batcher.Code = "closed"
	codePromiseGone     batcher.Code = "promise_gone"
	codeInternal        batcher.Code = "internal"
)

// kinds says for each code its HTTP status, its title and whether the same request may do later.
var kinds = map[batcher.Code]struct {
	status    int
	title     string
	retryable bool
}{
	batcher.Malformed:     {http.StatusBadRequest, "The request cannot be read", false},
	batcher.TooLarge:      {http.StatusRequestEntityTooLarge, "The request is too large", false},
	batcher.WrongLog:      {http.StatusUnprocessableEntity, "The message is for another log", false},
	batcher.BadSignature:  {http.StatusUnprocessableEntity, "The signature does not hold", false},
	batcher.FromFuture:    {http.StatusUnprocessableEntity, "The message is from the future", false},
	codeUnauthenticated:   {http.StatusUnauthorized, "This needs the importer's token", false},
	codeUnsigned:          {http.StatusForbidden, "Unsigned messages are refused", false},
	codeNotFound:          {http.StatusNotFound, "There is no such thing", false},
	batcher.CannotPromise: {http.StatusServiceUnavailable, "Nothing new can be promised for now", true},
	codeBusy:              {http.StatusServiceUnavailable, "Too much at once", true},
	codeClosed:            {http.StatusServiceUnavailable, "The intake is closed", true},
	codePromiseGone:       {http.StatusServiceUnavailable, "The promise cannot be signed again", true},
	codeInternal:          {http.StatusInternalServerError, "Something broke here", false},
}

// markRetry is in how many seconds to try again where the disk of the mark fails: an operator has to act.
const markRetry = 60

// problem is an error as the client gets it, RFC 9457. Its members besides Code and Detail are set
// when it is written.
type problem struct {
	Title      string       `json:"title"`
	Status     int          `json:"status"`
	Code       batcher.Code `json:"code"`
	Detail     string       `json:"detail"`
	Retryable  bool         `json:"retryable"`
	RetryAfter int          `json:"retryAfter,omitempty"` // seconds
	RequestID  string       `json:"requestId,omitempty"`
}

func (p *problem) Error() string { return fmt.Sprintf("%s: %s", p.Code, p.Detail) }

func refuse(code batcher.Code, format string, args ...any) *problem {
	k := kinds[code]
	return &problem{Title: k.title, Status: k.status, Code: code, Detail: fmt.Sprintf(format, args...), Retryable: k.retryable}
}

// missing turns a store's "not found" into one that says what is missing.
func missing(err error, format string, args ...any) error {
	if errors.Is(err, proofs.ErrNotFound) {
		return refuse(codeNotFound, format, args...)
	}
	return err
}

// problemOf says what the client is told of an error.
func problemOf(err error) *problem {
	var p *problem
	var refused *batcher.RefusedError
	var busy *batcher.BusyError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &refused):
		return refuse(refused.Code, "%v", refused.Err)
	case errors.As(err, &busy):
		p = refuse(cmp.Or(busy.Code, codeBusy), "%v", busy)
		p.RetryAfter = int(math.Ceil(busy.RetryAfter.Seconds()))
		return p
	case errors.As(err, &tooLarge):
		return refuse(batcher.TooLarge, "the body is over the limit of %d bytes; send less at once", tooLarge.Limit)
	case errors.Is(err, batcher.ErrClosed):
		return refuse(codeClosed, "the intake is closed: the service is stopping or its storage failed; send the same message again later")
	case errors.Is(err, receipts.ErrUnsigned):
		return refuse(codePromiseGone, "the message is in the log, and its promise cannot be signed again: the receipt comes without it once the batch is anchored")
	case errors.Is(err, proofs.ErrRefused):
		p = refuse(batcher.CannotPromise, "the message is stored and not promised yet: the service cannot write down how far it promised; send the same message again later")
		p.RetryAfter = markRetry
		return p
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return refuse(codeBusy, "the request ended before its answer; send the same again to know what became of it")
	}
	return refuse(codeInternal, "the service could not do this; its log says why under this request id")
}

// problem says what the client is told of an error. The log gets what it is not told.
func (s *server) problem(w http.ResponseWriter, r *http.Request, err error) *problem {
	p := *problemOf(err)
	p.RequestID = w.Header().Get("Request-Id")
	if p.Code == codeInternal {
		s.cfg.Logger.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "request_id", p.RequestID, "err", err)
	}
	return &p
}

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(w, r, err)
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Code == codeUnauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, p.Status, "application/problem+json", p)
}

// write answers with JSON.
func write(w http.ResponseWriter, status int, v any) error {
	writeJSON(w, status, "application/json", v)
	return nil
}

// writeJSON panics on a value that has no JSON: it is ours. A client that went away is no error.
func writeJSON(w http.ResponseWriter, status int, mediaType string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("api: %T: %v", v, err))
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}
