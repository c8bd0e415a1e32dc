package watchtower

import (
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// TestHonest keeps every promise, and is attacked with files that say otherwise.
func TestHonest(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.entry(0, "a"), w.entry(1, "b"), w.entry(2, "c")
	w.give("a", a, w.promise(a, time.Hour))
	w.give("deep/down/b", b, w.promise(b, time.Hour))
	w.want(w.round(), 2, 0, 0, 0)
	w.anchor(a, b)
	w.want(w.round(), 0, 2, 0, 0)
	for _, e := range w.happened(KindPromise) {
		if e.Outcome != "kept" || !e.Final || e.Batch == nil || *e.Batch != 0 {
			t.Errorf("%+v", e)
		}
	}
	w.give("c", c, w.promise(c, time.Hour))
	w.want(w.round(), 1, 2, 0, 0)
	if told := w.happened(KindPromise); len(told) != 1 {
		t.Errorf("%d outcomes were told, want that of the new promise: %s", len(told), w.told())
	}
	w.pass(2 * time.Hour)
	w.restart()
	moved := w.entry(0, "not b")
	w.give("forged", moved, w.sign(w.user, proofs.Promise{Log: w.log.Log, Leaf: moved.Leaf(), Deadline: 1}))
	w.want(w.round(), 0, 2, 1, 1)
}
