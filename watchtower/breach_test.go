package watchtower

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// TestBreaches has one promise broken in each way that one transaction shows, to a watchtower that only looks and to one
// that slashes.
func TestBreaches(t *testing.T) {
	for _, c := range []struct {
		breach proofs.Breach
		do     func(w *world)
	}{
		{proofs.Missed, func(w *world) {
			e := w.entry(0, "a")
			w.give("a", e, w.promise(e, time.Hour))
			w.pass(2 * time.Hour)
		}},
		{proofs.Late, func(w *world) {
			e := w.entry(0, "a")
			w.give("a", e, w.promise(e, time.Hour))
			w.pass(2 * time.Hour)
			w.anchor(e)
		}},
		{proofs.Substitution, func(w *world) {
			e := w.entry(1, "a")
			w.give("a", e, w.promise(e, time.Hour))
			w.anchor(w.entry(0, "x"), w.entry(1, "y"), w.entry(2, "z"))
		}},
		{proofs.Conflict, func(w *world) {
			for _, text := range []string{"a", "b"} {
				e := w.entry(7, text)
				w.give(text, e, w.promise(e, time.Hour))
			}
		}},
	} {
		t.Run(c.breach.String(), func(t *testing.T) {
			w := newWorld(t)
			c.do(w)
			w.cfg.Trust = nil
			w.round()
			w.cfg.Trust = &proofs.Trust{Logs: []proofs.TrustedLog{{Name: "test", Chain: w.log, PromiseKeys: []proofs.Address{w.operator.Address()}}}}
			if e := w.evidence(); e.Breach != c.breach {
				t.Errorf("evidence of %s", e.Breach)
			}
			if w.bonded().Broken || len(w.happened(KindSent)) != 0 {
				t.Error("a watchtower that only looks sent something")
			}
			was := w.events
			w.round()
			if len(w.events) != 0 {
				t.Errorf("told again: %s", w.told())
			}
			w.events = was
			w.restart()
			w.cfg.Slash = true
			if sum := w.round(); sum.Broken != 1 || sum.Err != nil || !w.bonded().Broken {
				t.Errorf("%+v, and the bond is slashed: %v; %s", sum, w.bonded().Broken, w.told())
			}
			if sent := w.happened(KindSent); len(sent) != 1 || sent[0].Action != "slash" || sent[0].Cost.Sign() <= 0 || sent[0].Tx.IsZero() {
				t.Errorf("sent %+v", sent)
			}
			w.mine(3)
			if sum := w.round(); sum.Broken != 1 || len(w.happened(KindSent)) != 0 {
				t.Errorf("after the slashing: %+v, %s", sum, w.told())
			}
			w.evidence() // still one file
		})
	}
}

// TestDecoy: a promise of a key that expired, for another leaf at the index, hides no breach that costs the bond.
func TestDecoy(t *testing.T) {
	w := newWorld(t)
	old := newKey(t)
	state := w.bonded()
	plan, err := state.PlanAddKey(bond.Key{Address: old.Address()})
	if err != nil {
		t.Fatal(err)
	}
	w.must(w.operator, plan...)
	w.must(w.operator, anchor.Planned{What: "revoke", To: w.log.PromiseBond, Data: bindings.NewPromiseBond().PackRevokeKey(w.log.Log, common.Address(old.Address()))})
	w.pass(bond.UnbondingTime + time.Hour)
	w.cfg.Slash = true
	for _, c := range []struct{ name, text string }{{"a", "another"}, {"b", "what b holds"}} { // read before and after
		e := w.entry(0, c.text)
		p := w.promise(e, time.Hour)
		w.give(c.name, e, w.sign(old, p))
	}
	e := w.entry(0, "what b holds")
	w.give("c", e, w.promise(e, time.Hour))
	w.round()
	if w.bonded().Broken {
		t.Fatalf("slashed by promises of an expired key: %s", w.told())
	}
	w.pass(2 * time.Hour)
	w.round()
	if !w.bonded().Broken {
		t.Fatalf("missed, and not slashed: %s", w.told())
	}
}

// TestDecoyConflict: nor does one hide a conflict of keys that count.
func TestDecoyConflict(t *testing.T) {
	w := newWorld(t)
	stranger := newKey(t)
	w.cfg.Trust.Logs[0].PromiseKeys = append(w.cfg.Trust.Logs[0].PromiseKeys, stranger.Address())
	w.cfg.Slash = true
	e, other := w.entry(3, "a"), w.entry(3, "b")
	w.give("a", e, w.sign(stranger, w.promise(e, time.Hour)))
	w.give("b", e, w.promise(e, 2*time.Hour))
	w.give("c", other, w.promise(other, time.Hour))
	w.round()
	if !w.bonded().Broken {
		t.Fatalf("a conflict, and not slashed: %s", w.told())
	}
}

// hide takes everything from the gateway.
func (w *world) hide() { clear(w.blocks) }

// TestWithheld follows a batch that nobody shows until the bond is slashed.
func TestWithheld(t *testing.T) {
	w := newWorld(t)
	a, b := w.entry(0, "a"), w.entry(1, "b")
	w.give("a", a, w.promise(a, time.Hour))
	w.give("b", b, w.promise(b, time.Hour))
	w.anchor(a, b)
	w.hide()
	w.want(w.round(), 0, 0, 0, 2)
	if told := w.happened(KindBatch); len(told) != 1 || !strings.Contains(told[0].Detail, "no gateway has it") {
		t.Errorf("%s", w.told())
	}
	w.pass(2 * time.Hour)
	w.want(w.round(), 0, 0, 0, 2)
	if w.bonded().Open != 0 {
		t.Fatal("challenged without --challenge")
	}

	w.cfg.Demand = true
	w.restart()
	w.want(w.round(), 0, 0, 0, 2)
	if w.bonded().Open != 0 {
		t.Fatal("challenged at once: a gateway may be down")
	}
	w.pass(2 * time.Hour)
	w.want(w.round(), 0, 0, 0, 2)
	if sent := w.happened(KindSent); len(sent) != 1 || sent[0].Action != "challenge" || w.bonded().Open != 1 {
		t.Fatalf("%d challenges are open, want one of the batch; %s", w.bonded().Open, w.told())
	}
	w.pass(time.Hour)
	w.want(w.round(), 0, 0, 0, 2)
	if w.bonded().Open != 1 {
		t.Fatalf("%d challenges are open: one of the batch is enough", w.bonded().Open)
	}
	w.restart() // what was done is on the chain
	w.pass(bond.AnswerTime)
	w.round()
	if !w.bonded().Broken {
		t.Fatalf("not concluded: %s", w.told())
	}
	w.mine(3)
	w.want(w.round(), 0, 0, 1, 1)
	if e := w.evidence(); e.Breach != proofs.Withheld {
		t.Errorf("evidence of %s", e.Breach)
	}
}

// TestShown finds a substitution in a batch that no gateway shows, by what others have in their files: a receipt of the
// message that stands there, with no promise and beside one that lies, or a watchtower's evidence.
func TestShown(t *testing.T) {
	w := newWorld(t)
	promised, stands, lie := w.entry(1, "promised"), w.entry(1, "stands"), w.entry(1, "lie")
	p := w.promise(promised, time.Hour)
	before := []proofs.Entry{w.entry(0, "x"), stands}
	w.anchor(before...)
	w.hide()
	w.give("a", promised, p)
	w.want(w.round(), 0, 0, 0, 1)
	w.included("lie", lie, before[0].Leaf())
	w.want(w.round(), 0, 0, 0, 1)
	w.included("stands", stands, before[0].Leaf())
	w.included("lie2", lie, proofs.Hash{1})
	w.want(w.round(), 0, 0, 1, 0)
	if e := w.evidence(); e.Breach != proofs.Substitution || e.Leaf != stands.Leaf() {
		t.Errorf("%+v", e)
	}

	evidence := w.happened(KindEvidence)[0].Path
	dir := t.TempDir()
	w.cfg.Dir, w.cfg.Evidence, w.cfg.Cache, w.cfg.Slash = dir, filepath.Join(dir, "mine"), filepath.Join(dir, "leaves"), true
	b, err := os.ReadFile(evidence)
	if err != nil {
		t.Fatal(err)
	}
	w.write("theirs"+proofs.EvidenceSuffix, b)
	w.restart()
	w.want(w.round(), 0, 0, 1, 0)
	if w.evidence(); !w.bonded().Broken {
		t.Errorf("not slashed: %s", w.told())
	}
}

// included writes a receipt without a promise, whose inclusion proof is that sibling.
func (w *world) included(name string, e proofs.Entry, sibling proofs.Hash) {
	w.Helper()
	book := w.w.order[0].book
	b, ok := book.BatchOf(e.Index)
	if !ok {
		w.Fatal("no batch")
	}
	r := proofs.Receipt{
		Level: proofs.Included, Chain: w.log, Entry: e, Batch: &b.Batch, Inclusion: []proofs.Hash{sibling}, Anchor: &proofs.Anchor{Block: b.Block},
	}
	w.write(name+receiptSuffix, r.Format())
}

// TestForged challenges at once what was anchored with a payload that is not its own.
func TestForged(t *testing.T) {
	w := newWorld(t)
	e, other := w.entry(0, "a"), w.entry(1, "b")
	w.give("a", e, w.promise(e, time.Hour))
	root, err := proofs.Root([]proofs.Hash{e.Leaf(), other.Leaf()})
	if err != nil {
		t.Fatal(err)
	}
	b := proofs.Batch{Root: root, Size: 2, CID: w.blocks.put([]byte("nothing"))}
	w.anchorBatch(&b)
	w.pass(2 * time.Hour)
	w.cfg.Demand = true
	w.want(w.round(), 0, 0, 0, 1)
	if w.bonded().Open != 1 || !strings.Contains(w.happened(KindBatch)[0].Detail, "is not what it holds") {
		t.Errorf("%d challenges are open; %s", w.bonded().Open, w.told())
	}
}

// challenge challenges a promise as any user can.
func (w *world) challenge(p proofs.Promise) {
	w.Helper()
	w.must(w.user, bond.PlanChallenge(w.log, &p))
}

// TestAnswer answers for an operator that has lost everything, from what was fetched in time, whoever challenges.
func TestAnswer(t *testing.T) {
	w := newWorld(t)
	a, b := w.entry(0, "a"), w.entry(1, "b")
	w.give("a", a, w.promise(a, time.Hour))
	unknown := w.promise(b, time.Hour) // nobody gave us this one
	w.anchor(a, b)
	w.anchor(w.entry(2, "c"))
	w.want(w.round(), 0, 1, 0, 0)
	w.hide()
	w.restart()
	w.pass(2 * time.Hour)
	w.challenge(w.promise(a, -3*time.Hour)) // due before the batch: there is no answer
	w.challenge(unknown)
	w.mine(3)
	w.want(w.round(), 0, 1, 0, 0)
	if w.bonded().Open != 2 || len(w.happened(KindChallenge)) != 2 || len(w.happened(KindSent)) != 0 {
		t.Fatalf("%d challenges are open, want to be told of both and to answer none; %s", w.bonded().Open, w.told())
	}
	w.restart()
	w.cfg.Answer = true
	w.cfg.Blocks = nil
	w.anchor(w.entry(3, "d")) // the path grows
	w.want(w.round(), 0, 1, 0, 0)
	if w.bonded().Open != 1 || w.bonded().Broken {
		t.Fatalf("%d challenges are open: the one that was kept is to be answered, the other was due before; %s", w.bonded().Open, w.told())
	}
	credit, err := bond.Credits(t.Context(), w.nodes, w.log, w.bonded().Block.Hash, w.tower.Address())
	if err != nil || credit.Cmp(bond.Deposit()) != 0 {
		t.Errorf("credited %v, %v; want the deposit", credit, err)
	}
	w.want(w.round(), 0, 1, 0, 0)
	if len(w.happened(KindSent)) != 0 {
		t.Errorf("answered again: %s", w.told())
	}
}

// TestCorruptCache fetches again what the disk has lost, and says nothing false meanwhile.
func TestCorruptCache(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	w.anchor(e, w.entry(1, "b"))
	w.give("a", e, w.promise(e, time.Hour))
	w.want(w.round(), 0, 1, 0, 0)
	files, err := filepath.Glob(filepath.Join(w.cfg.Cache, "*.leaves"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%q, %v", files, err)
	}
	for name, b := range map[string][]byte{"other leaves": make([]byte, 64), "half": make([]byte, 30), "none": nil} {
		if err := os.WriteFile(files[0], b, 0o644); err != nil {
			t.Fatal(err)
		}
		w.restart()
		w.round()
		w.pass(time.Minute)
		w.want(w.round(), 0, 1, 0, 0)
		if info, err := os.Stat(files[0]); err != nil || info.Size() != 64 {
			t.Errorf("%s: the file was not fetched again: %v", name, err)
		}
	}
}
