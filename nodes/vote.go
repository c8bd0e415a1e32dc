package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// answer is what one node said.
type answer[T any] struct {
	node  *node
	value T
	err   error
}

// ask asks the nodes at once and returns a channel with one answer of each. A node that has not
// answered when ctx ends answers with that.
func ask[T any](ctx context.Context, q *Quorum, of []*node, f func(context.Context, *node) (T, error)) <-chan answer[T] {
	out := make(chan answer[T], len(of))
	for _, n := range of {
		go func() {
			ctx, cancel := context.WithTimeout(ctx, q.cfg.Timeout)
			defer cancel()
			began := time.Now()
			v, err := f(ctx, n)
			n.note(func(h *Health) { h.saw(ctx, err, time.Since(began)) })
			if err != nil {
				err = fmt.Errorf("%s: %w", n.Name, err)
			}
			out <- answer[T]{n, v, err}
		}()
	}
	return out
}

// saw notes the outcome of a question. An error that the node itself states is an answer.
func (h *Health) saw(ctx context.Context, err error, took time.Duration) {
	var stated rpc.Error
	switch {
	case err == nil, errors.As(err, &stated):
		h.Up, h.Latency = true, took
	case errors.Is(ctx.Err(), context.Canceled):
		h.Late++
		return
	default:
		h.Up = false
		h.Errors++
	}
	if err != nil {
		h.LastErr, h.LastFail = err.Error(), time.Now()
	}
}

// agree asks all nodes that are listened to and returns the first answer that Need of them give, by key.
// what names the question in errors.
func agree[T any](ctx context.Context, q *Quorum, what string, f func(context.Context, *node) (T, error), key func(T) string) (value T, err error) {
	return agreeAmong(ctx, q, q.listened(), what, f, key)
}

func agreeAmong[T any](ctx context.Context, q *Quorum, of []*node, what string, f func(context.Context, *node) (T, error), key func(T) string) (value T, err error) {
	votes := map[string][]answer[T]{}
	var errs []error
	in := ask(ctx, q, of, f)
	for i := range of {
		a := <-in
		if a.err != nil {
			errs = append(errs, a.err)
			continue
		}
		k := key(a.value)
		if votes[k] = append(votes[k], a); len(votes[k]) < q.cfg.Need {
			continue
		}
		rest := len(of) - i - 1
		go func() { // whoever contradicts later was outvoted, too
			for range rest {
				if b := <-in; b.err == nil && key(b.value) != k {
					b.node.outvoted()
				}
			}
		}()
		for other, as := range votes {
			if other != k {
				for _, b := range as {
					b.node.outvoted()
				}
			}
		}
		return a.value, nil
	}
	return value, noQuorum(ctx, q, what, votes, errs)
}

func (n *node) outvoted() { n.note(func(h *Health) { h.Outvoted++ }) }

// noQuorum says who said what.
func noQuorum[T any](ctx context.Context, q *Quorum, what string, votes map[string][]answer[T], errs []error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	if q.Len() == 1 && len(errs) == 1 {
		return fmt.Errorf("%s: %w", what, errs[0])
	}
	var camps []string
	for _, as := range votes {
		var names []string
		for _, a := range as {
			names = append(names, a.node.Name)
		}
		slices.Sort(names)
		camps = append(camps, strings.Join(names, " and "))
	}
	slices.Sort(camps)
	said := "no node answers"
	if len(camps) > 0 {
		said = strings.Join(camps, " against ")
	}
	err := fmt.Errorf("%s: %w: %d must, and there is %s", what, ErrNoQuorum, q.cfg.Need, said)
	return errors.Join(append([]error{err}, errs...)...)
}

// collect asks all nodes that are listened to and returns their answers: all that come until Need of
// them and a grace are over. It returns an error if fewer than Need answer.
func collect[T any](ctx context.Context, q *Quorum, what string, f func(context.Context, *node) (T, error)) (got []answer[T], errs []error, err error) {
	of := q.listened()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in := ask(ctx, q, of, f)
	var over <-chan time.Time
	for range of {
		select {
		case a := <-in:
			if a.err != nil {
				errs = append(errs, a.err)
				continue
			}
			got = append(got, a)
		case <-over:
			return got, errs, nil
		}
		if len(got) == q.cfg.Need && over == nil {
			timer := time.NewTimer(q.cfg.Grace)
			defer timer.Stop()
			over = timer.C
		}
	}
	if len(got) < q.cfg.Need {
		var none map[string][]answer[T]
		if len(got) > 0 {
			none = map[string][]answer[T]{"": got}
		}
		return got, errs, noQuorum(ctx, q, what, none, errs)
	}
	return got, errs, nil
}
