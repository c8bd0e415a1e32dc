package scenarios

import (
	"os"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// scenario is a breach, from the operator's fault to the user's reward.
type scenario struct {
	fault  string
	breach proofs.Breach
	flags  []string // of the service
	// act has alice and others speak and lets pass what has to. It returns alice's files.
	act func(w *world, broken bool) (files []string)
}

// longerThanPromised is when a promise's deadline has passed.
const longerThanPromised = 25 * time.Hour

var scenarios = map[string]scenario{
	"message dropped and nothing follows": {"drop", proofs.Missed, nil, func(w *world, broken bool) []string {
		w.send("bob", "the first")
		file := w.send("alice", "(drop) I object")
		w.settle(broken, 1, 2)
		w.anvil.pass(longerThanPromised)
		return []string{file}
	}},
	"message dropped and another follows": {"drop", proofs.Substitution, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "(drop) I object")
		w.send("bob", "I agree")
		w.send("bob", "I agree with myself")
		w.settle(broken, 2, 3)
		return []string{file}
	}},
	"two messages dropped": {"drop", proofs.Conflict, nil, func(w *world, broken bool) []string {
		files := []string{w.send("alice", "(drop) I object"), w.send("alice", "(drop) and say why")}
		w.settle(broken, 0, 2)
		return files
	}},
	"two messages swapped": {"swap", proofs.Substitution, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "(swap) I was first")
		w.send("bob", "(swap) I was second")
		w.settle(broken, 2, 2)
		return []string{file}
	}},
	"anchored late": {"late", proofs.Late, nil, func(w *world, broken bool) []string {
		file := w.send("alice", "in time?")
		w.settle(broken, 0, 1)
		w.anvil.pass(longerThanPromised)
		if err := os.WriteFile(w.path("operator", "release"), nil, 0o600); err != nil {
			w.Fatal(err)
		}
		w.anchored(1)
		return []string{file}
	}},
}

// settle waits until as many messages are anchored as the operator keeps.
func (w *world) settle(broken bool, kept, all uint64) {
	w.Helper()
	if broken {
		all = kept
	}
	w.anchored(all)
}

func TestBreaches(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Run("faulty", func(t *testing.T) { t.Parallel(); s.broken(t) })
			t.Run("honest", func(t *testing.T) { t.Parallel(); s.kept(t) })
		})
	}
}

// broken runs the scenario with the operator that breaks promises.
func (s scenario) broken(t *testing.T) {
	w := newWorld(t)
	w.serve(program(t, faulty), s.fault, s.flags...)
	files := s.act(w, true)
	w.service.kill()
	r := w.transact(w.keys["bob"], w.slash(s.breach, files))
	if r.Status != 1 {
		t.Errorf("slashing was refused")
	}
	if b := w.bonded(); !b.Broken || b.Amount.Sign() != 0 {
		t.Errorf("the bond is %+v", b)
	}
	if got := w.credit(w.keys["alice"].Address()); got.Cmp(ether(1)) != 0 {
		t.Errorf("alice is owed %s", got)
	}
}

// kept runs it with the program as it is shipped.
func (s scenario) kept(t *testing.T) {
	w := newWorld(t)
	w.serve(program(t, honest), s.fault, s.flags...)
	files := s.act(w, false)
	r := w.transact(w.keys["bob"], w.slash(s.breach, files))
	if r.Status != 0 {
		t.Errorf("slashing was not refused")
	}
	if b := w.bonded(); b.Broken || b.Amount.Cmp(bondAmount) != 0 {
		t.Errorf("the bond is %+v", b)
	}
}

func (w *world) slash(b proofs.Breach, files []string) anchor.Planned {
	p := w.promise("alice", files[0]).Promise
	switch b {
	case proofs.Missed:
		return bond.PlanSlashMissed(w.log, p)
	case proofs.Conflict:
		return bond.PlanSlashConflict(w.log, p, w.promise("alice", files[1]).Promise)
	case proofs.Late:
		c := w.contents()
		a := c.of(p.Index)
		return bond.PlanSlashLate(w.log, p, a, c.path(a.Number))
	default:
		c := w.contents()
		a := c.of(p.Index)
		return bond.PlanSlashSubstitution(w.log, p, a.Root, a, c.path(a.Number), nil)
	}
}
