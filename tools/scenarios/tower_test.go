package scenarios

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// watched has a watchtower find the breach, and write evidence of it where a file can be evidence.
func (w *world) watched(breach proofs.Breach, files []string) {
	w.Helper()
	if breach == proofs.Withheld {
		if found := w.watch(proofs.Undetermined.Exit(), files); len(found) != 0 {
			w.Errorf("the watchtower found %s", found)
		}
		return
	}
	found := w.watch(proofs.PromiseBroken.Exit(), files)
	of := slices.DeleteFunc(found, func(path string) bool { return !strings.Contains(filepath.Base(path), breach.String()) })
	if len(of) == 0 {
		w.Fatalf("the watchtower found %s, and no %s", found, breach)
	}
	w.verified(breach, "tower", of[0])
}

// watch gives copies of alice's files to a watchtower, has it make one round, and returns the evidence that it wrote.
func (w *world) watch(want int, files []string, flags ...string) (evidence []string) {
	w.Helper()
	if err := os.MkdirAll(w.path("tower", "promises"), 0o700); err != nil {
		w.Fatal(err)
	}
	for _, file := range files {
		w.copy(filepath.Join("alice", file), filepath.Join("tower", "promises", file))
	}
	w.run(want, "tower", "", append([]string{"watchtower", "--once", "--promises", "promises", "--evidence", "evidence", "--rpc", w.anvil.url,
		"--trust", w.trust(), "--gateway", w.service.url}, flags...)...)
	found, err := filepath.Glob(w.path("tower", "evidence", "*"+proofs.EvidenceSuffix))
	if err != nil {
		w.Fatal(err)
	}
	return found
}

// payTower makes the flags of a watchtower that sends transactions.
func (w *world) payTower(flags ...string) []string {
	w.Helper()
	if w.keys["tower"] == nil {
		w.newUser("tower")
	}
	return append(flags, "--account", "tower", "--keystore", "keys", "--password-file", w.path("password"))
}

// find returns the scenario of that name.
func find(t *testing.T, name string) scenario {
	t.Helper()
	for _, s := range scenarios {
		if s.name == name {
			return s
		}
	}
	t.Fatalf("there is no scenario %q", name)
	return scenario{}
}

// TestTower: a watchtower takes the bond by itself, for users who do not look.
func TestTower(t *testing.T) {
	t.Parallel()
	t.Run("slash", func(t *testing.T) {
		t.Parallel()
		s, w := find(t, "two messages swapped"), newWorld(t)
		w.serve(program(t, faulty), s.fault, s.flags...)
		w.watch(proofs.PromiseBroken.Exit(), s.act(w, true), w.payTower("--slash")...)
		w.slashed()
	})
	t.Run("challenge", func(t *testing.T) {
		t.Parallel()
		s, w := find(t, "batch withheld"), newWorld(t)
		w.serve(program(t, faulty), s.fault, s.flags...)
		files := s.act(w, true)
		flags := w.payTower("--challenge", "--slash", "--patience", "0s")
		w.watch(proofs.Undetermined.Exit(), files, flags...)
		if b := w.bonded(); b.Open != 1 {
			t.Fatalf("the bond is %+v", b)
		}
		w.anvil.pass(bond.AnswerTime + time.Minute)
		w.watch(proofs.Undetermined.Exit(), files, flags...) // it concludes
		w.anvil.mine(3)
		w.watch(proofs.PromiseBroken.Exit(), files, flags...)
		if got := w.credit(w.keys["tower"].Address()); got.Cmp(bond.Deposit()) != 0 {
			t.Errorf("the watchtower is owed %s", got)
		}
		w.transact(w.keys["tower"], collect(w))
		w.slashed()
	})
}
