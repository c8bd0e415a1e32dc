package promises

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// ErrMoved is wrapped when the book was refreshed while it was read: ask again.
var ErrMoved = errors.New("the log moved on meanwhile")

// Decide says what became of the promise at the book's head. known is a receipt of the message at the promise's index,
// which then needs no Leaves; nil: none. It is believed only as far as the chain proves it.
func (j *Judge) Decide(ctx context.Context, p proofs.Promise, known *proofs.Receipt) (*Finding, error) {
	var seen *shown
	if known != nil && known.Batch != nil {
		seen = &shown{known.Entry.Leaf(), known.Inclusion}
	}
	return j.decide(ctx, p, seen)
}

// shown is a leaf with its inclusion proof in the batch over its index.
type shown struct {
	leaf      proofs.Hash
	inclusion []proofs.Hash
}

func (s *shown) holds(index uint64, b proofs.Batch) bool {
	return b.Contains(index) && proofs.VerifyInclusion(s.inclusion, s.leaf, index-b.First, b.Size, b.Root) == nil
}

func (j *Judge) decide(ctx context.Context, p proofs.Promise, known *shown) (*Finding, error) {
	f, err := j.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	h, b := &f.Head, f.Batch
	switch {
	case b == nil && h.Block.Time <= p.Deadline:
		f.Outcome = Open
		f.Detail = fmt.Sprintf("the log holds %d messages, and the deadline is %s", h.Messages, timeText(p.Deadline))
	case b == nil:
		f.broken(proofs.Missed, h.FinalBlock.Time > p.Deadline,
			"the deadline, %s, passed %s ago, and the log holds %d messages", timeText(p.Deadline), since(h.Block.Time, p.Deadline), h.Messages)
	case b.Time > p.Deadline:
		f.broken(proofs.Late, b.Number < h.Final, "batch %d was anchored at %s, %s after the deadline", b.Number, timeText(b.Time), since(b.Time, p.Deadline))
	default:
		err = j.reached(ctx, f, known)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// begin returns what is the same for every outcome.
func (j *Judge) begin(ctx context.Context, p proofs.Promise) (*Finding, error) {
	if log := j.cfg.Book.Log().Log; p.Log != log {
		return nil, fmt.Errorf("decide about the promise: it is of log %s and not of %s", p.Log, log)
	}
	f := &Finding{Promise: p, Head: j.cfg.Book.Head()}
	b, ok := j.cfg.Book.BatchOf(p.Index)
	switch {
	case f.Head.Block.Hash.IsZero():
		return nil, errors.New("decide about the promise: the log was not read yet")
	case ok != (p.Index < f.Head.Messages), ok && b.Number >= f.Head.Batches:
		return nil, fmt.Errorf("decide about the promise: %w", ErrMoved)
	case ok:
		f.Batch = &b
	}
	var err error
	f.Signer, f.Key, f.Enforceable, err = j.enforceable(ctx, &f.Head, &p)
	return f, err
}

func (f *Finding) broken(b proofs.Breach, final bool, format string, args ...any) {
	f.Outcome, f.Breach, f.Final = Broken, b, final
	f.Detail = fmt.Sprintf(format, args...)
	if f.Enforceable == nil && b != proofs.Withheld {
		f.Next = Slash
	}
}

// reached decides where the batch over the index was anchored in time.
func (j *Judge) reached(ctx context.Context, f *Finding, known *shown) error {
	closed, err := j.challenge(ctx, f)
	if err != nil {
		return err
	}
	p, b, final := &f.Promise, f.Batch, f.Batch.Number < f.Head.Final
	if closed.concluded {
		f.broken(proofs.Withheld, final && closed.final, "it was challenged, nobody answered within %d days, and the challenge was concluded", bond.AnswerTime/(24*time.Hour))
		return nil
	}
	s, why := j.look(ctx, f, known)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s != nil {
		f.Leaf, f.Inclusion = s.leaf, s.inclusion
	}
	switch {
	case s != nil && s.leaf != p.Leaf:
		f.broken(proofs.Substitution, final, "another leaf stands at index %d: %s", p.Index, s.leaf)
	case s != nil:
		f.Outcome, f.Final = Kept, final
		f.Detail = fmt.Sprintf("the leaf stands at index %d, in batch %d of %s", p.Index, b.Number, timeText(b.Time))
	case closed.answered:
		f.Outcome, f.Final = Kept, final && closed.final
		f.Detail = fmt.Sprintf("a challenge was answered: the leaf stands at index %d", p.Index)
	default:
		f.Outcome = Unknown
		f.Detail = fmt.Sprintf("batch %d was anchored in time, and nobody shows the leaf at index %d (%v)", b.Number, p.Index, why)
	}
	f.pending(closed)
	return nil
}

// pending says what is to be done about a challenge, or about none, of a promise whose batch came in time.
func (f *Finding) pending(ended closed) {
	c, now := f.Challenge, f.Head.Block.Time
	open := c != nil && !c.Closed
	switch {
	case open && now > c.AnswerBy:
		f.Next = Conclude
		f.Detail += fmt.Sprintf("; it was challenged and nobody answered until %s: conclude it", timeText(c.AnswerBy))
	case open && f.Outcome == Kept:
		f.Next = Answer
		f.Detail += fmt.Sprintf("; it is challenged: answer before %s", timeText(c.AnswerBy))
	case open && f.Outcome == Unknown:
		f.Detail += fmt.Sprintf("; it is challenged, and the time to answer ends at %s", timeText(c.AnswerBy))
	case f.Outcome != Unknown:
	case c != nil:
		f.Detail += "; a challenge of it is closed, and the nodes do not show how"
	case f.Enforceable != nil:
	case ended.gone:
		f.Detail += "; the bond may leave since its time came, and is not challenged any more"
	case now <= f.Promise.Deadline:
		f.Detail += fmt.Sprintf("; it can be challenged after the deadline, %s", timeText(f.Promise.Deadline))
	default:
		f.Next = Challenge
		f.Detail += "; challenge it"
	}
}

// look returns what stands at the promise's index, in a proof that holds; nil, and why, if nobody shows it.
func (j *Judge) look(ctx context.Context, f *Finding, known *shown) (*shown, error) {
	index, b := f.Promise.Index, f.Batch.Batch
	if known != nil && known.holds(index, b) {
		return known, nil
	}
	if b.Size == 1 { // a tree of one leaf is that leaf
		return &shown{b.Root, nil}, nil
	}
	j.mu.Lock()
	tree, of := j.tree, j.treeOf
	j.mu.Unlock()
	if tree == nil || of != b.Root || uint64(len(tree[0])) != b.Size {
		if j.cfg.Leaves == nil {
			return nil, proofs.ErrNotFound
		}
		leaves, err := j.cfg.Leaves.Leaves(ctx, b)
		if err != nil {
			return nil, err
		}
		if uint64(len(leaves)) != b.Size {
			return nil, fmt.Errorf("%d leaves were given for a batch of %d", len(leaves), b.Size)
		}
		if tree, err = proofs.NewTree(leaves); err != nil {
			return nil, err
		}
		if tree.Root() != b.Root {
			return nil, errors.New("the leaves that were given do not hash to the batch's root")
		}
		j.mu.Lock()
		j.tree, j.treeOf = tree, b.Root
		j.mu.Unlock()
	}
	s := &shown{tree[0][index-b.First], tree.Prove(index - b.First)}
	return s, nil
}

// DecideConflict says whether two promises of the log are a conflict: different leaves at one index. It is an error if
// they are not.
func (j *Judge) DecideConflict(ctx context.Context, pair [2]proofs.Promise) (*Finding, error) {
	a, b := pair[0], pair[1]
	if a.Log != b.Log || a.Index != b.Index || a.Leaf == b.Leaf {
		return nil, errors.New("decide about the promises: they are not of different leaves at one index of one log")
	}
	f, err := j.begin(ctx, a)
	if err != nil {
		return nil, err
	}
	_, _, second, err := j.enforceable(ctx, &f.Head, &b)
	if err != nil {
		return nil, err
	}
	if f.Enforceable == nil {
		f.Enforceable = second
	}
	f.Second = &b
	f.broken(proofs.Conflict, true, "two leaves were promised at index %d", a.Index)
	return f, nil
}

// Conflicts returns the pairs of promises of one log and index with different leaves: each pair once, in the order
// of the list. A promise that is in the list twice counts once.
func Conflicts(all []proofs.Promise) (pairs [][2]proofs.Promise) {
	type place struct {
		log   proofs.Hash
		index uint64
	}
	seen := map[proofs.Promise]bool{}
	at := map[place][]proofs.Promise{}
	for _, p := range all {
		unsigned := p
		unsigned.Signature = proofs.Signature{} // one promise can have two signatures
		if seen[unsigned] {
			continue
		}
		seen[unsigned] = true
		here := place{p.Log, p.Index}
		for _, other := range at[here] {
			if other.Leaf != p.Leaf {
				pairs = append(pairs, [2]proofs.Promise{other, p})
			}
		}
		at[here] = append(at[here], p)
	}
	return pairs
}

func timeText(seconds uint64) string {
	const last = 253402300799 // the end of year 9999
	if seconds > last {
		return "a time that never comes"
	}
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}

// since says how much later a time is than another.
func since(later, earlier uint64) string {
	return (time.Duration(min(later-earlier, 1<<32)) * time.Second).String()
}
