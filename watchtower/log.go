package watchtower

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

// followed is one log and the promises about it.
type followed struct {
	w        *Watchtower
	chain    proofs.Chain
	name     string           // for people
	trusted  []proofs.Address // promise keys of the trust file
	ours     bool             // the contract is AnchorLog
	book     *logbook.Book
	judge    *promises.Judge
	promises []*watched // by index
	byKey    map[watchedKey]*watched
	counted  map[uint64][]*watched   // of an index, by keys that count: one for each key and leaf
	shown    map[uint64]shown        // by index
	keys     map[proofs.Address]bool // that count, or not; asked for again after keysFor
	keysAt   time.Time
	store    fetching
	bond     *bond.State // at the book's head; nil: not read, or the log has none
	bondSaid string
	open     challenges
	retry    map[proofs.Hash]attempt // of actions, by promise
	rounds   int
}

// keysFor is how long a key that does not count is believed not to.
const keysFor = 10 * time.Minute

// watched is a promise and what became of it.
type watched struct {
	proofs.Promise
	id       proofs.Hash
	signer   proofs.Address
	path     string                 // of the first file that held it
	evidence *proofs.BreachEvidence // of a substitution, made by somebody; nil: none
	finding  *promises.Finding      // nil: not decided yet
	looked   look                   // when it was decided
	counts   bool                   // a key of the log signed it
	said     string                 // the outcome that was reported last
	written  bool                   // evidence was
	since    time.Time              // since when nobody shows the leaf; zero: somebody does
}

// watchedKey tells promises apart. Two keys may promise the same.
type watchedKey struct {
	id        proofs.Hash
	signature proofs.Signature
}

// look is what a decision depends on. While it is the same, so is the outcome, but for challenges.
type look struct {
	batch  proofs.Batch
	final  bool // the batch, or that there is none
	held   bool // its leaves
	passed bool // the deadline
	shown  int  // proofs in files of what stands at the index
}

func (w *Watchtower) follow(c proofs.Chain, trusted []proofs.Address) (*followed, error) {
	l := &followed{
		w: w, chain: c, name: fmt.Sprintf("log %s", c.Log), trusted: trusted, byKey: map[watchedKey]*watched{}, counted: map[uint64][]*watched{},
		shown: map[uint64]shown{},
		keys:  map[proofs.Address]bool{}, store: newFetching(), open: challenges{known: map[proofs.Hash]bond.Challenge{}}, retry: map[proofs.Hash]attempt{},
	}
	var err error
	l.book, err = logbook.New(logbook.Config{
		Nodes: w.cfg.Nodes, Log: c, FromBlock: w.cfg.FromBlock, Window: w.cfg.Window, Confirmations: w.cfg.Confirmations,
	})
	if err != nil {
		return nil, err
	}
	l.judge, err = promises.New(promises.Config{Nodes: w.cfg.Nodes, Book: l.book, Leaves: l})
	return l, err
}

// add takes a promise of a file.
func (l *followed) add(g given, p *proofs.Promise) error {
	id := bond.PromiseID(l.chain, p)
	key := watchedKey{id, p.Signature}
	x := l.byKey[key]
	if x == nil {
		signer, err := l.w.cfg.Recover(id, p.Signature)
		if err != nil {
			return fmt.Errorf("the promise for index %d: %w", p.Index, err)
		}
		x = &watched{Promise: *p, id: id, signer: signer, path: g.path}
		l.byKey[key] = x
		l.promises = append(l.promises, x)
	}
	if g.evidence != nil {
		x.evidence = g.evidence
	}
	return nil
}

// shown are receipts of one index.
type shown struct {
	newest []*proofs.Receipt
	n      int // that there were
}

// maxShown is how many of them are kept: there is one in truth, and before a reorganisation another.
const maxShown = 4

// show takes what a receipt says of its index. It is believed as far as the chain proves it.
func (l *followed) show(r *proofs.Receipt) {
	at := l.shown[r.Entry.Index]
	at.newest = append(at.newest, r)
	at.newest = at.newest[max(0, len(at.newest)-maxShown):]
	at.n++
	l.shown[r.Entry.Index] = at
}

// round follows the log, decides about its promises and acts.
func (l *followed) round(ctx context.Context) error {
	if err := l.checkCode(ctx); err != nil {
		return err
	}
	if err := l.book.Refresh(ctx); err != nil {
		return err
	}
	if err := l.lookAtBond(ctx); err != nil {
		return err
	}
	errs := []error{l.fetch(ctx)}
	l.rounds++
	for i, x := range l.promises {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.decide(ctx, x, i); err != nil {
			errs = append(errs, fmt.Errorf("promise for index %d: %w", x.Index, err))
			if len(errs) > maxErrors {
				break // nodes that do not answer one question do not answer ten thousand
			}
		}
	}
	errs = append(errs, l.act(ctx))
	return errors.Join(errs...)
}

// maxAgain is about how many promises of a log are decided about again in a round although nothing is new but, perhaps, a
// challenge. All have their turn.
const maxAgain = 64

// maxErrors is how many promises of a log may go wrong in a round before the others wait for the next.
const maxErrors = 8

// checkCode makes sure once that the contract is AnchorLog. Another one could say anything of the log.
func (l *followed) checkCode(ctx context.Context) error {
	if l.ours {
		return nil
	}
	site, err := anchor.ReadSite(ctx, l.w.cfg.Nodes, l.chain)
	if err != nil {
		return err
	}
	if l.ours = site.Ours; !l.ours {
		return fmt.Errorf("the contract at %s is not the AnchorLog of this version: what it says of the log is worth nothing", l.chain.AnchorLog)
	}
	return nil
}

// lookAtBond reads the bond at the book's head and says what changed.
func (l *followed) lookAtBond(ctx context.Context) error {
	l.bond = nil
	if l.chain.PromiseBond.IsZero() {
		return nil
	}
	s, err := bond.ReadAt(ctx, l.w.cfg.Nodes, l.chain, l.book.Head().Block)
	if err != nil {
		return err
	}
	if s.Ours {
		l.bond = s
	}
	said := "the bond is live"
	if err := s.Live(bond.Key{Until: 1<<64 - 1}); err != nil {
		said = err.Error()
	}
	if said != l.bondSaid {
		l.bondSaid = said
		l.report(Event{Kind: KindBond, Detail: said})
	}
	return nil
}

func (l *followed) report(e Event) {
	e.Chain = l.chain
	l.w.report(e)
}

// keyCounts reports whether the address is or was a promise key of the log: the trust file's word, or the bond's.
func (l *followed) keyCounts(ctx context.Context, signer proofs.Address) (bool, error) {
	if slices.Contains(l.trusted, signer) || l.keys[signer] {
		return true, nil
	}
	if l.bond == nil {
		return false, nil
	}
	if now := l.w.cfg.Now(); now.Sub(l.keysAt) > keysFor {
		clear(l.keys)
		l.keysAt = now
	}
	if counts, asked := l.keys[signer]; asked {
		return counts, nil
	}
	k, err := l.bond.Key(ctx, l.w.cfg.Nodes, signer)
	if err != nil {
		return false, err
	}
	l.keys[signer] = k.Until != 0
	return l.keys[signer], nil
}

// look says what a decision about the promise would depend on now.
func (l *followed) look(x *watched) look {
	head := l.book.Head()
	at := look{passed: head.Block.Time > x.Deadline, shown: l.shown[x.Index].n, final: head.FinalBlock.Time > x.Deadline}
	if x.evidence != nil {
		at.shown++
	}
	if b, ok := l.book.BatchOf(x.Index); ok {
		at.batch, at.final, at.held = b.Batch, b.Number < head.Final, l.holds(b.Batch)
	}
	return at
}

// decide decides about promise i if something changed that the outcome depends on.
func (l *followed) decide(ctx context.Context, x *watched, i int) error {
	at := l.look(x)
	if turns := len(l.promises)/maxAgain + 1; x.finding != nil && at == x.looked && (l.settled(x) || i%turns != l.rounds%turns) {
		return nil
	}
	var err error
	if !x.counts {
		if x.counts, err = l.keyCounts(ctx, x.signer); err != nil {
			return err
		}
	}
	f, err := l.find(ctx, x)
	if err != nil {
		return err
	}
	if x.finding != nil && x.finding.Breach != f.Breach {
		x.written = false
	}
	x.finding, x.looked = f, at
	if x.since.IsZero() && f.Outcome == promises.Unknown {
		x.since = l.w.cfg.Now()
	} else if f.Outcome != promises.Unknown {
		x.since = time.Time{}
	}
	l.tell(x)
	return l.witness(ctx, x)
}

// settled reports whether the outcome stays as it is while what it depends on does: not so while a challenge may change it,
// or something is to be done about it.
func (l *followed) settled(x *watched) bool {
	f := x.finding
	switch f.Outcome {
	case promises.Open, promises.Kept:
		return true
	case promises.Broken:
		return f.Final && (!x.counts || x.written) && (f.Next == promises.None || !l.w.cfg.Slash)
	}
	return false
}

// find asks the judge, first for a conflict with another promise. One of a key for which the bond cannot be slashed any more
// does not hide another breach.
func (l *followed) find(ctx context.Context, x *watched) (*promises.Finding, error) {
	conflict, err := l.conflict(ctx, x)
	if err != nil || conflict != nil && conflict.Enforceable == nil {
		return conflict, err
	}
	alone, err := l.alone(ctx, x)
	if conflict != nil && (err != nil || alone.Outcome != promises.Broken || alone.Enforceable != nil) {
		return conflict, err
	}
	return alone, err
}

// maxCounted is how many promises of an index a conflict is looked for with: an honest operator makes one.
const maxCounted = 64

// conflict is the finding about the promise with one that was read before it, of another leaf: if there is one, one for which
// the bond can be slashed. nil: there is no conflict.
func (l *followed) conflict(ctx context.Context, x *watched) (found *promises.Finding, err error) {
	if !x.counts {
		return nil, nil
	}
	all := l.counted[x.Index]
	same := func(y *watched) bool { return y == x || y.signer == x.signer && y.Leaf == x.Leaf }
	if at := slices.IndexFunc(all, same); at >= 0 {
		all = all[:at]
	} else if len(all) < maxCounted {
		l.counted[x.Index] = append(all, x)
	}
	for _, y := range all {
		if y.Leaf == x.Leaf || found != nil && found.Enforceable == nil {
			continue
		}
		pair := [2]*watched{x, y}
		if bytes.Compare(x.id[:], y.id[:]) > 0 { // whichever was read first, the evidence is the same
			pair = [2]*watched{y, x}
		}
		f, err := l.judge.DecideConflict(ctx, [2]proofs.Promise{pair[0].Promise, pair[1].Promise})
		if err != nil {
			return nil, err
		}
		if found == nil || f.Enforceable == nil {
			found = f
		}
	}
	return found, nil
}

// alone is the finding about the promise by itself.
func (l *followed) alone(ctx context.Context, x *watched) (*promises.Finding, error) {
	if f := l.kept(x); f != nil {
		return f, nil
	}
	if x.evidence != nil {
		if f, err := l.judge.Weigh(ctx, x.evidence); err != nil || f.Outcome != promises.Unknown {
			return f, err
		}
	}
	for _, r := range l.shown[x.Index].newest {
		if f, err := l.judge.Decide(ctx, x.Promise, r); err != nil || f.Outcome != promises.Unknown {
			return f, err
		}
	}
	return l.judge.Decide(ctx, x.Promise, nil)
}

// kept is the finding about a promise whose leaf stands in a batch in time that is held; nil if that is not so. The judge
// would say the same, and ask the chain for a challenge of each; those are found together.
func (l *followed) kept(x *watched) *promises.Finding {
	head := l.book.Head()
	b, ok := l.book.BatchOf(x.Index)
	if !ok || b.Time > x.Deadline || !l.holds(b.Batch) {
		return nil
	}
	leaves, err := l.leaves(b.Batch)
	if err != nil || leaves[x.Index-b.First] != x.Leaf {
		return nil
	}
	return &promises.Finding{
		Promise: x.Promise, Signer: x.signer, Outcome: promises.Kept, Head: head, Batch: &b, Leaf: x.Leaf, Final: b.Number < head.Final,
		Detail: fmt.Sprintf("the leaf stands at index %d, in batch %d", x.Index, b.Number),
	}
}

// tell reports the outcome if it is another than the last.
func (l *followed) tell(x *watched) {
	f := x.finding
	e := Event{Kind: KindPromise, Path: x.path, Promise: &x.Promise, ID: x.id, Outcome: x.outcome(), Final: f.Final, Detail: f.Detail}
	if f.Outcome == promises.Broken {
		e.Breach = f.Breach.String()
	}
	if f.Batch != nil {
		e.Batch = &f.Batch.Number
	}
	if e.Outcome == outcomeNone {
		e.Detail = fmt.Sprintf("its signer %s is no promise key of the log that anybody named: nobody is bound by it", x.signer)
	}
	if said := fmt.Sprint(e.Outcome, e.Breach, e.Final); said != x.said {
		x.said = said
		l.report(e)
	}
}

// outcomeNone is the outcome of a promise that none of the log's keys signed.
const outcomeNone = "none"

// outcome is the word for what became of the promise.
func (x *watched) outcome() string {
	if !x.counts && x.finding.Outcome != promises.Open {
		return outcomeNone
	}
	return x.finding.Outcome.String()
}

// count adds the log's promises to the summary.
func (l *followed) count(sum *Summary) {
	for _, x := range l.promises {
		sum.Promises++
		switch {
		case x.finding == nil || x.outcome() == outcomeNone || x.finding.Outcome == promises.Unknown:
			sum.Unknown++
		case x.finding.Outcome == promises.Open:
			sum.Open++
		case x.finding.Outcome == promises.Kept:
			sum.Kept++
		default:
			sum.Broken++
		}
	}
}
