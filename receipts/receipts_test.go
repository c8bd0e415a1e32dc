package receipts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// TestLevels follows the messages of a batch, and those of the pool, through every state and back.
func TestLevels(t *testing.T) {
	l := newLog(t)
	issuer := receipts.New(chain, l.db, l.operator)
	steps := []struct {
		state   proofs.State
		level   proofs.Level
		verdict proofs.Verdict
	}{
		{proofs.StateBatched, proofs.Promised, proofs.NotFinal},
		{proofs.StateSubmitted, proofs.Promised, proofs.NotFinal},
		{proofs.StateIncluded, proofs.Included, proofs.NotFinal},
		{proofs.StateSubmitted, proofs.Promised, proofs.NotFinal}, // the block was not to stay
		{proofs.StateIncluded, proofs.Included, proofs.NotFinal},
		{proofs.StateSafe, proofs.Included, proofs.NotFinal},
		{proofs.StateFinalized, proofs.Finalized, proofs.Valid},
	}
	promises := map[proofs.Hash]proofs.Promise{}
	for i, s := range steps {
		if i == 1 {
			if err := l.db.SetCID(t.Context(), 0, proofs.Hash{0xc1}); err != nil {
				t.Fatal(err)
			}
		}
		if i > 0 {
			l.set(s.state, clock/1000+600+uint64(i))
		}
		for index, id := range l.ids {
			state, level, verdict := s.state, s.level, s.verdict
			pooled := index > 6
			if pooled {
				state, level, verdict = proofs.StateAccepted, proofs.Promised, proofs.NotFinal
			}
			st, err := issuer.Status(t.Context(), id)
			if err != nil || st.State != state || (st.Batch == nil) != pooled || st.Accepted.Entry.Message != id || st.Accepted.Entry.Index != uint64(index) {
				t.Fatalf("message %d: status %+v, %v, want %s", index, st, err, state)
			}
			rc, err := issuer.Receipt(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			again, err := proofs.ParseReceipt(rc.Format())
			if err != nil || cmp.Diff(rc.Message, again.Message) != "" || again.Level != level || again.Entry != st.Accepted.Entry {
				t.Errorf("message %d, %s: level %s, %v, want %s", index, s.state, again.Level, err, level)
			}
			if r := l.verify(rc); r.Verdict != verdict {
				t.Errorf("message %d, %s: %s, want %s", index, s.state, r.Verdict, verdict)
			}
			if was, ok := promises[id]; ok && was != *rc.Promise {
				t.Errorf("message %d, %s: another promise", index, s.state)
			}
			promises[id] = *rc.Promise
			if rc.Promise.Deadline != clock/1000+uint64(promise.Seconds()) {
				t.Errorf("message %d: deadline %d", index, rc.Promise.Deadline)
			}
		}
	}
	rc, err := issuer.Receipt(t.Context(), l.ids[3])
	if err != nil {
		t.Fatal(err)
	}
	var hints struct {
		Tx  proofs.Hash
		CID string
	}
	if err := json.Unmarshal(rc.Hints, &hints); err != nil || hints.Tx != (proofs.Hash{0x7a}) || hints.CID != proofs.FormatCID(proofs.Hash{0xc1}) {
		t.Errorf("hints %s, %v", rc.Hints, err)
	}
}

func TestUnknown(t *testing.T) {
	l := newLog(t)
	issuer := receipts.New(chain, l.db, l.operator)
	if rc, err := issuer.Receipt(t.Context(), proofs.Hash{1}); rc != nil || !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("got %v, %v", rc, err)
	}
	if st, err := issuer.Status(t.Context(), proofs.Hash{1}); st.Accepted.Message != nil || !errors.Is(err, proofs.ErrNotFound) {
		t.Errorf("got %v, %v", st, err)
	}
}

// TestBrokenPromise: a receipt of a batch that came late is handed out. It is evidence against us.
func TestBrokenPromise(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateFinalized, clock/1000+uint64(promise.Seconds())+1)
	rc, err := receipts.New(chain, l.db, l.operator).Receipt(t.Context(), l.ids[0])
	if err != nil {
		t.Fatal(err)
	}
	if r := l.verify(rc); r.Verdict != proofs.PromiseBroken {
		t.Errorf("got %s", r.Verdict)
	}
}

// liar is a store whose answers are changed on the way.
type liar struct {
	receipts.Store
	find  func(*proofs.Accepted) error
	batch func(*proofs.Sealed) error
	prove func([]proofs.Hash) ([]proofs.Hash, error)
}

func (s liar) Find(ctx context.Context, id proofs.Hash) (proofs.Accepted, error) {
	a, err := s.Store.Find(ctx, id)
	if err == nil && s.find != nil {
		err = s.find(&a)
	}
	return a, err
}

func (s liar) BatchOf(ctx context.Context, index uint64) (proofs.Sealed, error) {
	b, err := s.Store.BatchOf(ctx, index)
	if err == nil && s.batch != nil {
		err = s.batch(&b)
	}
	return b, err
}

func (s liar) Prove(ctx context.Context, b proofs.Batch, position uint64) ([]proofs.Hash, error) {
	proof, err := s.Store.Prove(ctx, b, position)
	if err == nil && s.prove != nil {
		proof, err = s.prove(proof)
	}
	return proof, err
}

// TestLies changes one thing of what the store says: nothing is handed out. What only the anchor tells
// is noticed once the anchor is in the file.
func TestLies(t *testing.T) {
	find := func(f func(*proofs.Accepted)) liar {
		return liar{find: func(a *proofs.Accepted) error { f(a); return nil }}
	}
	batch := func(f func(*proofs.Sealed)) liar {
		return liar{batch: func(s *proofs.Sealed) error { f(s); return nil }}
	}
	prove := func(f func([]proofs.Hash) []proofs.Hash) liar {
		return liar{prove: func(p []proofs.Hash) ([]proofs.Hash, error) { return f(p), nil }}
	}
	message := func(f func(*proofs.Message)) liar {
		return find(func(a *proofs.Accepted) {
			m := *a.Message
			f(&m)
			a.Message = &m
		})
	}
	l := newLog(t)
	other, err := l.db.Find(t.Context(), l.ids[1])
	if err != nil {
		t.Fatal(err)
	}
	always := map[string]liar{
		"another message":   find(func(a *proofs.Accepted) { *a = other }),
		"other words":       message(func(m *proofs.Message) { m.Body += "!" }),
		"another room":      message(func(m *proofs.Message) { m.Room = "boom" }),
		"another author":    message(func(m *proofs.Message) { m.Author = "zoom:Eve" }),
		"another salt":      message(func(m *proofs.Message) { m.Salt[0] ^= 1 }),
		"other evidence":    find(func(a *proofs.Accepted) { a.Evidence = other.Evidence }),
		"a stronger class":  find(func(a *proofs.Accepted) { a.Entry.Vouch = proofs.VouchSession }),
		"another leaf":      find(func(a *proofs.Accepted) { a.Leaf[0] ^= 1 }),
		"another index":     find(func(a *proofs.Accepted) { a.Entry.Index++ }),
		"an index far away": find(func(a *proofs.Accepted) { a.Entry.Index, a.Leaf = 1<<40, proofs.Hash{} }),
		"another time":      find(func(a *proofs.Accepted) { a.Entry.ReceivedAt++ }),
		"another root":      batch(func(s *proofs.Sealed) { s.Root[0] ^= 1 }),
		"a batch before":    batch(func(s *proofs.Sealed) { s.First, s.Size = 0, 2 }),
		"a batch behind":    batch(func(s *proofs.Sealed) { s.First = 3 }),
		"an empty batch":    batch(func(s *proofs.Sealed) { s.Size = 0 }),
		"a batch of all":    batch(func(s *proofs.Sealed) { s.Size = 1 << 40 }),
		"no anchor":         batch(func(s *proofs.Sealed) { s.Anchor = nil }),
		"another sibling":   prove(func(p []proofs.Hash) []proofs.Hash { p[1][0] ^= 1; return p }),
		"a sibling less":    prove(func(p []proofs.Hash) []proofs.Hash { return p[:2] }),
		"a sibling more":    prove(func(p []proofs.Hash) []proofs.Hash { return append(p, proofs.Hash{}) }),
		"siblings swapped":  prove(func(p []proofs.Hash) []proofs.Hash { slices.Reverse(p); return p }),
		"no proof":          prove(func([]proofs.Hash) []proofs.Hash { return nil }),
	}
	anchored := map[string]liar{
		"another number":       batch(func(s *proofs.Sealed) { s.Number++ }),
		"another CID":          batch(func(s *proofs.Sealed) { s.CID[0] ^= 1 }),
		"another block time":   batch(func(s *proofs.Sealed) { s.Time++ }),
		"one entry more":       batch(func(s *proofs.Sealed) { s.Size++ }),
		"another block":        batch(func(s *proofs.Sealed) { s.Anchor.Block.Hash[0] ^= 1 }),
		"another block number": batch(func(s *proofs.Sealed) { s.Anchor.Block.Number++ }),
		"another transaction":  batch(func(s *proofs.Sealed) { s.Anchor.TxIndex++ }),
		"another event":        batch(func(s *proofs.Sealed) { s.Anchor.LogIndex++ }),
		"another header":       batch(func(s *proofs.Sealed) { s.Anchor.Header[40] ^= 1 }),
		"no header":            batch(func(s *proofs.Sealed) { s.Anchor.Header = nil }),
		"no nodes":             batch(func(s *proofs.Sealed) { s.Anchor.Proof = nil }),
		"a node less":          batch(func(s *proofs.Sealed) { s.Anchor.Proof = s.Anchor.Proof[1:] }),
		"another node":         batch(func(s *proofs.Sealed) { s.Anchor.Proof[1][9] ^= 1 }),
	}
	check := func(lies map[string]liar) {
		t.Helper()
		for name, store := range lies {
			store.Store = l.db
			rc, err := receipts.New(chain, store, l.operator).Receipt(t.Context(), l.ids[4])
			if rc != nil || err == nil || errors.Is(err, proofs.ErrNotFound) {
				t.Errorf("%s, %s: a receipt: %t, %v", l.batch().State, name, rc != nil, err)
			}
		}
	}
	elsewhere := liar{Store: l.db, batch: func(s *proofs.Sealed) error { s.First = 5; return nil }}
	if st, err := receipts.New(chain, elsewhere, l.operator).Status(t.Context(), l.ids[4]); err == nil || st.Batch != nil {
		t.Errorf("entry 4 stands in %+v, %v", st.Batch, err)
	}
	l.set(proofs.StateIncluded, clock/1000+600)
	check(always)
	l.set(proofs.StateFinalized, clock/1000+600)
	check(always)
	check(anchored)
	if _, err := receipts.New(chain, liar{Store: l.db}, l.operator).Receipt(t.Context(), l.ids[4]); err != nil {
		t.Errorf("the truth: %v", err)
	}
}

// TestStoreFails: the store's error is the answer.
func TestStoreFails(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateFinalized, clock/1000+600)
	broken := errors.New("the disk is on fire")
	for name, store := range map[string]liar{
		"Find":    {find: func(*proofs.Accepted) error { return broken }},
		"BatchOf": {batch: func(*proofs.Sealed) error { return broken }},
		"Prove":   {prove: func([]proofs.Hash) ([]proofs.Hash, error) { return nil, broken }},
	} {
		store.Store = l.db
		if rc, err := receipts.New(chain, store, l.operator).Receipt(t.Context(), l.ids[4]); rc != nil || !errors.Is(err, broken) {
			t.Errorf("%s: %v, %v", name, rc, err)
		}
	}
}

// TestFrozenTooEarly: a batch that the store calls final before the proof was frozen gives no receipt.
func TestFrozenTooEarly(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateSafe, clock/1000+600)
	store := liar{Store: l.db, batch: func(s *proofs.Sealed) error { s.State = proofs.StateFinalized; return nil }}
	if rc, err := receipts.New(chain, store, l.operator).Receipt(t.Context(), l.ids[4]); rc != nil || err == nil {
		t.Errorf("got %v, %v", rc, err)
	}
}

// TestErased: the receipt of a message whose payload is gone says nothing of it, and holds.
func TestErased(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateFinalized, clock/1000+600)
	store := liar{Store: l.db, find: func(a *proofs.Accepted) error { a.Message, a.Evidence.Bytes = nil, nil; return nil }}
	rc, err := receipts.New(chain, store, l.operator).Receipt(t.Context(), l.ids[1])
	if err != nil {
		t.Fatal(err)
	}
	if r := l.verify(rc); r.Verdict != proofs.Valid || r.Receipt.Message != nil || r.Receipt.Evidence != nil || r.Receipt.Promise != nil {
		t.Errorf("got %s of %+v", r.Verdict, r.Receipt)
	}
}

// pen signs otherwise than it should.
type pen struct {
	receipts.Signer
	sign func(proofs.Hash) (proofs.Signature, error)
}

func (p pen) SignDigest(digest proofs.Hash) (proofs.Signature, error) { return p.sign(digest) }

// TestSigner: a promise with another key, over something else, or with none, is not handed out.
func TestSigner(t *testing.T) {
	l := newLog(t)
	broken := errors.New("no ink")
	other := newKey(t)
	for name, sign := range map[string]func(proofs.Hash) (proofs.Signature, error){
		"another key":    other.SignDigest,
		"something else": func(d proofs.Hash) (proofs.Signature, error) { d[0] ^= 1; return l.operator.SignDigest(d) },
		"no signature":   func(proofs.Hash) (proofs.Signature, error) { return proofs.Signature{}, nil },
		"an error":       func(proofs.Hash) (proofs.Signature, error) { return proofs.Signature{}, broken },
	} {
		rc, err := receipts.New(chain, l.db, pen{l.operator, sign}).Receipt(t.Context(), l.ids[4])
		if rc != nil || err == nil || name == "an error" && !errors.Is(err, broken) {
			t.Errorf("%s: %v, %v", name, rc, err)
		}
	}
	a, err := l.db.Find(t.Context(), l.ids[4])
	if err != nil {
		t.Fatal(err)
	}
	dry := pen{l.operator, func(proofs.Hash) (proofs.Signature, error) { return proofs.Signature{}, broken }}
	if p, err := receipts.New(chain, l.db, dry).Promise(&a); !errors.Is(err, broken) || p != (proofs.Promise{}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TestOlderKeys: each promise is signed by the key of its place, or by none.
func TestOlderKeys(t *testing.T) {
	l := newLog(t)
	first, second := newKey(t), newKey(t)
	i := receipts.New(chain, l.db, l.operator)
	i.Older = []receipts.Key{
		{Address: first.Address(), Until: 3, Signer: first}, {Address: second.Address(), Until: 3, Signer: second}, // which never signed
		{Address: second.Address(), Until: 8},
	}
	signers := func() (got []string) {
		for n, id := range l.ids {
			rc, err := i.Receipt(t.Context(), id)
			switch {
			case errors.Is(err, receipts.ErrUnsigned):
				got = append(got, "gone")
			case err != nil:
				t.Fatal(err)
			case rc.Promise == nil:
				got = append(got, "bare")
			default:
				a, err := proofs.Recover(chain.PromiseDomain().PromiseDigest(rc.Promise), rc.Promise.Signature)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, map[proofs.Address]string{first.Address(): "first", second.Address(): "second", l.operator.Address(): "newest"}[a])
			}
			if rc != nil && rc.Entry.Index != uint64(n) {
				t.Errorf("entry %d: %d", n, rc.Entry.Index)
			}
		}
		return got
	}
	want := []string{"first", "first", "first", "gone", "gone", "gone", "gone", "gone", "newest"}
	if diff := cmp.Diff(want, signers()); diff != "" {
		t.Errorf("promised (-want +got):\n%s", diff)
	}
	l.set(proofs.StateFinalized, clock/1000+600)
	want = []string{"first", "first", "first", "bare", "bare", "bare", "bare", "gone", "newest"} // the batch holds seven
	if diff := cmp.Diff(want, signers()); diff != "" {
		t.Errorf("finalized (-want +got):\n%s", diff)
	}
	i.Older[0].Signer = second
	if rc, err := i.Receipt(t.Context(), l.ids[0]); rc != nil || err == nil {
		t.Errorf("a key under another's address: %v, %v", rc, err)
	}
}

// noMark covers entries below a number.
type noMark uint64

func (m noMark) Cover(index uint64) error {
	if index < uint64(m) {
		return nil
	}
	return fmt.Errorf("%w: no disk", proofs.ErrRefused)
}

// TestMark: nothing is signed that the mark does not cover, whatever level the receipt would have.
func TestMark(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateFinalized, clock/1000+600)
	signed := 0
	i := receipts.New(chain, l.db, pen{l.operator, func(d proofs.Hash) (proofs.Signature, error) { signed++; return l.operator.SignDigest(d) }})
	i.Mark = noMark(3)
	for n, id := range l.ids {
		signed = 0
		rc, err := i.Receipt(t.Context(), id)
		if n < 3 && (err != nil || signed != 1) || n >= 3 && (rc != nil || !errors.Is(err, proofs.ErrRefused) || signed != 0) {
			t.Errorf("entry %d: %v, %v, signed %d", n, rc, err, signed)
		}
	}
}

// recovered is a store that does not know deadlines any more.
type recovered struct{ receipts.Store }

func (r recovered) Find(ctx context.Context, id proofs.Hash) (proofs.Accepted, error) {
	a, err := r.Store.Find(ctx, id)
	a.Deadline = 0
	return a, err
}

// TestNoDeadline: an entry whose deadline is not known gets a receipt once it is anchored, and never a promise.
func TestNoDeadline(t *testing.T) {
	l := newLog(t)
	l.set(proofs.StateFinalized, clock/1000+600)
	with, without := receipts.New(chain, l.db, l.operator), receipts.New(chain, recovered{l.db}, l.operator)
	anchored := 0
	for _, id := range l.ids {
		want, err := with.Receipt(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := without.Receipt(t.Context(), id)
		if want.Level == proofs.Promised {
			if got != nil || !errors.Is(err, receipts.ErrUnsigned) {
				t.Errorf("entry %d: %+v, %v", want.Entry.Index, got, err)
			}
			continue
		}
		anchored++
		if want.Promise = nil; err != nil || string(got.Format()) != string(want.Format()) {
			t.Errorf("entry %d: %v, %v", want.Entry.Index, got, err)
		}
	}
	if anchored == 0 || anchored == len(l.ids) {
		t.Errorf("%d of %d are anchored", anchored, len(l.ids))
	}
}
