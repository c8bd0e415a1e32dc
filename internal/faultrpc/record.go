package faultrpc

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// Recorder keeps what a node answered, to say it again when it is not true any more: the receipt of a block that a
// reorg took away, or the whole of a fork that nobody else is on.
type Recorder struct {
	mu      sync.Mutex
	answers map[string]Answer
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder { return &Recorder{answers: map[string]Answer{}} }

func callKey(c Call) string {
	parts := []string{c.Method}
	for _, p := range c.Params {
		var v any
		if json.Unmarshal(p, &v) == nil {
			p = result(v).Result // one spelling
		}
		parts = append(parts, string(p))
	}
	return strings.Join(parts, " ")
}

// Record keeps every answer that is not null or an error.
func (r *Recorder) Record() Fault {
	return Fault{"record", func(c Call, next Next) Answer {
		a := next(c)
		if a.Err == nil && a.Break == (Break{}) && len(a.Result) > 0 && string(a.Result) != "null" {
			r.mu.Lock()
			r.answers[callKey(c)] = a
			r.mu.Unlock()
		}
		return a
	}}
}

// Replay answers as it was recorded, where it was; with methods, these only.
func (r *Recorder) Replay(methods ...string) Fault {
	return on("replay", methods, func(c Call, next Next) Answer {
		if c.Method == "eth_sendRawTransaction" {
			return next(c)
		}
		r.mu.Lock()
		a, ok := r.answers[callKey(c)]
		r.mu.Unlock()
		if !ok {
			return next(c)
		}
		return a
	})
}

// Len returns how many answers are kept for these methods, or for all.
func (r *Recorder) Len(methods ...string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.answers {
		method, _, _ := strings.Cut(k, " ")
		if len(methods) == 0 || slices.Contains(methods, method) {
			n++
		}
	}
	return n
}
