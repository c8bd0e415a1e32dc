package watchtower

import (
	"context"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// failing fails until it is mended.
type failing struct {
	sender
	err  error
	paid *anchor.Paid
	sent int
}

func (f *failing) Send(ctx context.Context, p anchor.Planned) (*anchor.Paid, error) {
	f.sent++
	if f.err != nil {
		return f.paid, f.err
	}
	return f.sender.Send(ctx, p)
}

// TestSendFails tries again later what could not be sent, and says what it cost.
func TestSendFails(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	w.give("a", e, w.promise(e, time.Hour))
	w.pass(2 * time.Hour)
	f := &failing{sender: sender{w}, err: errors.New("it reverted"), paid: &anchor.Paid{Tx: proofs.Hash{7}, Wei: big.NewInt(42)}}
	w.cfg.Sender, w.cfg.Slash = f, true
	for i, c := range []struct {
		pass time.Duration
		sent int
	}{{0, 1}, {0, 1}, {DefaultEvery, 2}, {DefaultEvery, 2}, {DefaultEvery, 3}, {2 * DefaultEvery, 3}, {2 * DefaultEvery, 4}} {
		w.pass(c.pass)
		before := f.sent
		w.want(w.round(), 0, 0, 1, 0)
		trouble := w.happened(KindTrouble)
		if f.sent != c.sent || len(trouble) != f.sent-before {
			t.Fatalf("round %d: sent %d times, want %d; %s", i, f.sent, c.sent, w.told())
		}
		if len(trouble) == 1 && (trouble[0].Action != "slash" || trouble[0].Cost.Int64() != 42 || trouble[0].Tx != f.paid.Tx) {
			t.Errorf("%+v", trouble[0])
		}
	}
	f.err = nil
	w.pass(time.Hour)
	w.want(w.round(), 0, 0, 1, 0)
	if !w.bonded().Broken {
		t.Errorf("%s", w.told())
	}
}

// TestFindChallenges finds and answers challenges in many blocks, in windows of two, after a restart.
func TestFindChallenges(t *testing.T) {
	w := newWorld(t)
	var entries []proofs.Entry
	var given []proofs.Promise
	for i := range 5 {
		e := w.entry(uint64(i), string(rune('a'+i)))
		entries = append(entries, e)
		given = append(given, w.promise(e, time.Hour))
	}
	w.give("a", entries[0], given[0])
	w.anchor(entries...)
	w.want(w.round(), 0, 1, 0, 0)
	w.pass(2 * time.Hour)
	w.cfg.Answer, w.cfg.Window = true, 2
	for i, p := range given {
		w.challenge(p)
		w.mine(i)
		if i == 2 {
			w.restart()
			w.want(w.round(), 0, 1, 0, 0)
			if len(w.happened(KindSent)) != 3 || w.bonded().Open != 0 {
				t.Fatalf("%d challenges are open; %s", w.bonded().Open, w.told())
			}
		}
	}
	w.want(w.round(), 0, 1, 0, 0)
	if len(w.happened(KindSent)) != 2 || w.bonded().Open != 0 {
		t.Fatalf("%d challenges are open; %s", w.bonded().Open, w.told())
	}
}

// TestChallengesMove answers the challenge that a reorganisation has put where another one was seen.
func TestChallengesMove(t *testing.T) {
	w := newWorld(t)
	a, b := w.entry(0, "a"), w.entry(1, "b")
	p, q := w.promise(a, time.Hour), w.promise(b, time.Hour)
	w.give("a", a, p)
	w.anchor(a, b)
	w.pass(2 * time.Hour)
	w.want(w.round(), 0, 1, 0, 0)
	parent := w.bonded().Block.Hash
	w.challenge(p)
	w.mine(1)
	w.want(w.round(), 0, 1, 0, 0)
	if len(w.happened(KindChallenge)) != 1 {
		t.Fatalf("%s", w.told())
	}
	w.fork(parent)
	w.chain.DropPool()
	w.challenge(q)
	w.mine(2)
	w.w.cfg.Answer = true
	w.want(w.round(), 0, 1, 0, 0)
	if sent := w.happened(KindSent); len(sent) != 1 || sent[0].Promise.Index != 1 || w.bonded().Open != 0 {
		t.Fatalf("%d challenges are open; %s", w.bonded().Open, w.told())
	}
}

// TestDemands challenges no more at once than a gateway that fails may cost.
func TestDemands(t *testing.T) {
	w := newWorld(t)
	for i := range 5 {
		e := w.entry(uint64(2*i), "x")
		w.give(string(rune('a'+i)), e, w.promise(e, time.Hour))
		w.anchor(e, w.entry(e.Index+1, "y"))
	}
	w.hide()
	w.cfg.Demand, w.cfg.Patience = true, -1
	w.pass(2 * time.Hour)
	for range 2 {
		w.want(w.round(), 0, 0, 0, 5)
		if open := w.bonded().Open; open != maxDemands {
			t.Fatalf("%d challenges are open, want %d; %s", open, maxDemands, w.told())
		}
		w.pass(2 * time.Minute)
	}
}

// TestDepositsComeBack concludes each challenge of ours that nobody answered, also once the first has slashed the bond.
func TestDepositsComeBack(t *testing.T) {
	w := newWorld(t)
	for i := range 2 {
		e := w.entry(uint64(2*i), "x")
		w.give(string(rune('a'+i)), e, w.promise(e, time.Hour))
		w.anchor(e, w.entry(e.Index+1, "y"))
	}
	others := w.entry(4, "x")
	p := w.promise(others, time.Hour)
	w.give("c", others, p)
	w.anchor(others, w.entry(5, "y"))
	w.hide()
	w.pass(2 * time.Hour)
	w.challenge(p)
	w.cfg.Demand, w.cfg.Patience = true, -1
	w.want(w.round(), 0, 0, 0, 3)
	w.pass(bond.AnswerTime + time.Minute)
	for range 4 {
		w.round()
		w.pass(time.Minute)
	}
	credit, err := bond.Credits(t.Context(), w.nodes, w.log, w.bonded().Block.Hash, w.tower.Address())
	if err != nil || credit.Cmp(new(big.Int).Mul(bond.Deposit(), big.NewInt(2))) != 0 || w.bonded().Open != 1 || !w.bonded().Broken {
		t.Errorf("%s wei are credited, %v; %d challenges are open; %s", credit, err, w.bonded().Open, w.told())
	}
}

// TestDemandsEnd: an operator that hides what it anchored and answers takes so many deposits and no more.
func TestDemandsEnd(t *testing.T) {
	w := newWorld(t)
	sibling := map[uint64]proofs.Hash{}
	for i := range 6 {
		e, other := w.entry(uint64(2*i), "x"), w.entry(uint64(2*i+1), "y")
		sibling[e.Index] = other.Leaf()
		w.give(string(rune('a'+i)), e, w.promise(e, time.Hour))
		w.anchor(e, other)
	}
	w.hide()
	w.cfg.Demand, w.cfg.Demands, w.cfg.Patience = true, 4, -1
	w.pass(2 * time.Hour)
	challenged := 0
	for range 4 {
		w.round()
		for _, e := range w.happened(KindSent) {
			challenged++
			b, ok := w.w.order[0].book.BatchOf(e.Promise.Index)
			if !ok {
				t.Fatal("no batch")
			}
			w.must(w.operator, bond.PlanAnswer(w.log, e.Promise, b.Batch, w.w.order[0].book.Path(b.Number), []proofs.Hash{sibling[e.Promise.Index]}))
		}
		w.pass(2 * time.Hour)
	}
	if challenged != 4 || w.bonded().Open != 0 {
		t.Errorf("%d challenges were sent, %d are open; %s", challenged, w.bonded().Open, w.told())
	}
	w.restart()
	w.round()
	if sent := len(w.happened(KindSent)); sent != 2 {
		t.Errorf("after a restart %d are sent; %s", sent, w.told())
	}
}

// TestNoBond knows who promised by the trust file alone.
func TestNoBond(t *testing.T) {
	w := newWorld(t)
	w.log.PromiseBond = proofs.Address{}
	e := w.entry(0, "a")
	w.give("a", e, w.promise(e, time.Hour))
	w.cfg.Trust = nil
	w.pass(2 * time.Hour)
	w.want(w.round(), 0, 0, 0, 1)
	if told := w.happened(KindPromise); len(told) != 1 || told[0].Outcome != outcomeNone {
		t.Errorf("%s", w.told())
	}
	w.restart()
	w.cfg.Slash = true
	w.cfg.Trust = &proofs.Trust{Logs: []proofs.TrustedLog{{Name: "test", Chain: w.log, PromiseKeys: []proofs.Address{w.operator.Address()}}}}
	w.want(w.round(), 0, 0, 1, 0)
	if len(w.happened(KindSent))+len(w.happened(KindTrouble)) != 0 {
		t.Errorf("%s", w.told())
	}
	w.evidence()
}

// TestReorg takes an outcome back that a reorganisation has undone, and writes no evidence before it is final.
func TestReorg(t *testing.T) {
	w := newWorld(t)
	e := w.entry(0, "a")
	w.give("a", e, w.promise(e, time.Hour))
	w.mine(3)
	parent := w.bonded().Block.Hash
	w.anchorOnly(w.entry(0, "b"))
	w.want(w.round(), 0, 0, 1, 0)
	if told := w.happened(KindPromise); len(told) != 1 || told[0].Breach != "substitution" || told[0].Final || len(w.happened(KindEvidence)) != 0 {
		t.Fatalf("%s", w.told())
	}
	w.fork(parent)
	w.chain.DropPool()
	w.next, w.batches = 0, nil
	w.mine(2)
	w.want(w.round(), 1, 0, 0, 0)
	w.anchor(e)
	w.want(w.round(), 0, 1, 0, 0)
	if told := w.happened(KindPromise); len(told) != 1 || !told[0].Final {
		t.Errorf("%s", w.told())
	}
}

func (w *world) fork(parent proofs.Hash) {
	w.Helper()
	if err := w.chain.Fork([32]byte(parent)); err != nil {
		w.Fatal(err)
	}
}

// slowBlocks never answers.
type slowBlocks struct{ asked int }

func (s *slowBlocks) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	s.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestSlowGateway begins no other batch once a round's time for fetching is over.
func TestSlowGateway(t *testing.T) {
	w := newWorld(t)
	for i := range 3 {
		e := w.entry(uint64(i), "x")
		w.give(string(rune('a'+i)), e, w.promise(e, time.Hour))
		w.anchor(e)
	}
	slow := &slowBlocks{}
	w.cfg.Blocks, w.cfg.Every = slow, time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	var err error
	if w.w, err = New(w.cfg); err != nil {
		t.Fatal(err)
	}
	if sum := w.w.Round(ctx); slow.asked != 1 || sum.Broken != 0 {
		t.Errorf("asked %d times, %+v", slow.asked, sum)
	}
	w.w = nil
	w.cfg.Blocks, w.cfg.Every = w.blocks, time.Minute
	w.want(w.round(), 0, 3, 0, 0)
}

// TestDiskFails goes on without a disk, says so, and makes up for it.
func TestDiskFails(t *testing.T) {
	w := newWorld(t)
	kept, broken := w.entry(0, "a"), w.entry(2, "b")
	w.give("a", kept, w.promise(kept, time.Hour))
	w.give("b", broken, w.promise(broken, time.Hour))
	w.want(w.round(), 2, 0, 0, 0)
	for _, dir := range []string{w.cfg.Evidence, w.cfg.Cache} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	w.anchor(kept, w.entry(1, "x"))
	w.pass(2 * time.Hour)
	sum := w.round()
	if !errors.Is(sum.Err, fs.ErrNotExist) || sum.Broken != 1 || sum.Unknown != 1 || len(w.happened(KindTrouble)) != 1 {
		t.Fatalf("%+v, %s", sum, w.told())
	}
	for _, dir := range []string{w.cfg.Evidence, w.cfg.Cache} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.want(w.round(), 0, 1, 1, 0)
	w.evidence()
	if len(w.happened(KindClear)) != 1 {
		t.Errorf("%s", w.told())
	}
}

// TestRun takes what is put in between rounds, until it is told to end.
func TestRun(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, b := w.entry(0, "a"), w.entry(1, "b")
	w.cfg.Every = time.Millisecond
	told := 0
	w.cfg.Report = func(e Event) {
		if e.Kind != KindPromise {
			return
		}
		if told++; told == 1 {
			w.give("b", b, w.promise(b, time.Hour))
		} else {
			cancel()
		}
	}
	w.give("a", a, w.promise(a, time.Hour))
	tower, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := tower.Run(ctx); err != nil || told != 2 {
		t.Errorf("%v after %d outcomes", err, told)
	}
}

// TestConfig refuses what would do harm or nothing.
func TestConfig(t *testing.T) {
	w := newWorld(t)
	for says, change := range map[string]func(*Config){
		"Dir":       func(c *Config) { c.Dir = "" },
		"Evidence":  func(c *Config) { c.Evidence = "" },
		"Cache":     func(c *Config) { c.Cache = "" },
		"Nodes":     func(c *Config) { c.Nodes = nil },
		"no Sender": func(c *Config) { c.Sender, c.Answer = nil, true },
		"Blocks":    func(c *Config) { c.Blocks, c.Demand = nil, true },
		"no such":   func(c *Config) { c.Dir += "-not" },
	} {
		cfg := w.cfg
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
