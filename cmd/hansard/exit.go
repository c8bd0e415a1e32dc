package main

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/anchor/devchain"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/storage"
)

// Exit codes, one table for the whole tool. Those of verdicts are proofs.Verdict.Exit: 0 valid,
// 10 invalid, 11 not final, 12 undetermined, 13 mismatch (of a promise: no bond behind it), 14 findings (promise
// broken, payload damaged).
const (
	exitInternal    = 1
	exitUsage       = 2
	exitFindings    = 14 // a check found something
	exitUnreachable = 20 // network, node or service down or timed out: try again
	exitAuth        = 21 // not permitted
	exitLimited     = 22 // try again after the time that was said
	exitBudget      = 23 // a cap on spending would be exceeded; nothing was sent
	exitConflict    = 24
	exitInterrupted = 130
)

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usage is an error in how the program was called.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// silentError carries an exit code where the answer on stdout has said all.
type silentError struct{ code int }

func (e *silentError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// exitCode maps an error to the table above.
func exitCode(err error) int {
	var exit *exitError
	var silent *silentError
	var answer *client.Error
	switch {
	case errors.As(err, &silent):
		return silent.code
	case errors.As(err, &exit):
		return exit.code
	case errors.Is(err, client.ErrUnreachable):
		return exitUnreachable
	case errors.As(err, &answer):
		return answerCode(answer)
	case inUse(err), errors.Is(err, identity.ErrKeyExists), errors.Is(err, anchor.ErrFatal), errors.Is(err, storage.ErrRebuilding):
		return exitConflict // with another process, another key, or another writer of the log
	case errors.Is(err, identity.ErrPassword):
		return exitAuth
	case errors.Is(err, identity.ErrNoKey), errors.Is(err, storage.ErrOtherLog), errors.Is(err, storage.ErrOtherKey), errors.Is(err, storage.ErrReplacedKey), errors.Is(err, syscall.EROFS):
		return exitUsage
	}
	return exitInternal
}

// inUse reports whether another process holds the data directory.
func inUse(err error) bool {
	return errors.Is(err, storage.ErrInUse) || errors.Is(err, devchain.ErrInUse)
}

// answerCode maps an answer of the service that is an error.
func answerCode(e *client.Error) int {
	switch {
	case e.Code == "unsigned_refused", e.Code == "unauthenticated":
		return exitAuth
	case e.Code == "not_found":
		return exitUsage
	case e.RetryAfter > 0:
		return exitLimited
	case e.Retryable:
		return exitUnreachable
	}
	return exitUsage
}
