package client

import (
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Info is what a service says about itself.
type Info struct {
	Chain       proofs.Chain
	PromiseKeys []proofs.Address
	MaxMessages uint64        // of a batch
	MaxAge      time.Duration // of a pool before it is sealed
	NewestBlock proofs.Hash   // that the service knows, zero if none: a message that names it is younger
	Delay       *Delay        // nil: batches are anchored
	Promises    *Promises     // nil: the service does not say
	Version     string
}

// Promises says what a service promised and has in no block yet.
type Promises struct {
	Waiting    uint64      // messages
	Deadline   time.Time   // the earliest; zero: nothing waits
	Overdue    uint64      // messages, at most
	Refusal    *Refusal    // nil: new messages are taken
	Challenges *Challenges // nil: none is open
}

// Refusal is why a service takes no new message. It ends by itself.
type Refusal struct {
	Code       string        // one stable word, such as at_risk; docs/api.md lists them
	Detail     string        // for people
	Since      time.Time     // when it began
	RetryAfter time.Duration // the soonest that it may end
}

// Challenges are promises that somebody challenged at the bond, and that are not answered yet.
type Challenges struct {
	Open         int
	Unanswerable int       // of these, those that the service has no answer to
	AnswerBy     time.Time // when the first of them is due
}

// Delay is why a service anchors nothing for now. It is no error: the service tries again by itself.
type Delay struct {
	Code   string    // one stable word, such as gas_cap; docs/api.md lists them
	Detail string    // for people
	Since  time.Time // when the delay began
	Next   time.Time // when the service tries again; zero: not said
}

// Trust returns a trust file that takes the service's word for its own log and keys. A receipt that
// verifies against it proves no more than that the service agrees with itself: to rely on a receipt, get
// the trust file from somebody else.
func (i *Info) Trust(name string) *proofs.Trust {
	return &proofs.Trust{Logs: []proofs.TrustedLog{{Name: name, Chain: i.Chain, PromiseKeys: i.PromiseKeys}}}
}

// Accepted is a message that the service has taken.
type Accepted struct {
	ID       proofs.Hash
	State    proofs.State
	Entry    proofs.Entry
	Promise  proofs.Promise // about the entry's leaf; its signature is not checked
	Replayed bool           // it had been taken before: this is the same promise
}

// Status is how far a message has come.
type Status struct {
	ID       proofs.Hash
	State    proofs.State
	Entry    proofs.Entry
	Deadline uint64 // promised, in seconds since 1970 UTC
	Batch    *Batch // nil while the entry is in the pool
	Delay    *Delay // nil from included on, and while batches are anchored
}

// Message is a message with how far it has come. Message and Evidence are nil where they are not disclosed.
type Message struct {
	Status
	Message  *proofs.Message
	Evidence *proofs.Evidence
}

// Batch is a batch with how far it has come.
type Batch struct {
	proofs.Batch // Time is 0 below included, CID zero until the payload is pinned
	State        proofs.State
	OpenedAt     uint64 // ms since 1970 UTC
	SealedAt     uint64 // ms since 1970 UTC
	NotBefore    proofs.Hash
	HeldBy       []string        // names of the places that hold the payload; nil: the service does not say
	Deadline     uint64          // the earliest of its promises, in seconds since 1970 UTC; 0: not known
	Txs          uint64          // transactions that were signed for it, replaced ones too
	NewestTx     proofs.Hash     // of them; zero if there is none
	Spent        *Spent          // nil while nothing was paid
	Tx           proofs.Hash     // of the anchoring transaction; zero below included
	Block        proofs.BlockRef // in which it stands; zero below included
	Probes       []proofs.Probe  // what others held of its payload, by source, where the service asks them; of Batch alone
}

// Spent is what the transactions of a batch cost, reverted ones too.
type Spent struct {
	Gas        uint64
	Wei        *big.Int
	PerMessage *big.Int // wei, rounded down
}

type infoJSON struct {
	Chain struct {
		ChainID     uint64 `json:",string"`
		AnchorLog   proofs.Address
		PromiseBond proofs.Address
		Log         proofs.Hash
	}
	PromiseKeys []proofs.Address
	Batch       struct {
		MaxMessages uint64 `json:",string"`
		MaxAge      uint64 `json:",string"`
	}
	NewestBlock proofs.Hash
	Delay       *delayJSON
	Promises    *promisesJSON
	Version     string
}

func (w *infoJSON) info() *Info {
	c := w.Chain
	return &Info{
		Chain:       proofs.Chain{ChainID: c.ChainID, AnchorLog: c.AnchorLog, PromiseBond: c.PromiseBond, Log: c.Log},
		PromiseKeys: w.PromiseKeys, MaxMessages: w.Batch.MaxMessages,
		MaxAge: time.Duration(w.Batch.MaxAge) * time.Millisecond, NewestBlock: w.NewestBlock, Delay: w.Delay.delay(), Promises: w.Promises.promises(), Version: w.Version,
	}
}

type promisesJSON struct {
	Waiting  uint64 `json:",string"`
	Deadline int64  `json:",string"`
	Overdue  uint64 `json:",string"`
	Refusal  *struct {
		Code, Detail string
		Since        int64 `json:",string"`
		RetryAfter   int
	}
	Challenges *struct {
		Open, Unanswerable int
		AnswerBy           int64 `json:",string"`
	}
}

func (w *promisesJSON) promises() *Promises {
	if w == nil {
		return nil
	}
	p := &Promises{Waiting: w.Waiting, Overdue: w.Overdue}
	if w.Deadline != 0 {
		p.Deadline = time.Unix(w.Deadline, 0)
	}
	if r := w.Refusal; r != nil {
		p.Refusal = &Refusal{Code: r.Code, Detail: r.Detail, Since: time.UnixMilli(r.Since), RetryAfter: time.Duration(r.RetryAfter) * time.Second}
	}
	if c := w.Challenges; c != nil {
		p.Challenges = &Challenges{Open: c.Open, Unanswerable: c.Unanswerable, AnswerBy: time.Unix(c.AnswerBy, 0)}
	}
	return p
}

type delayJSON struct {
	Code, Detail string
	Since        int64 `json:",string"`
	NextAttempt  int64 `json:",string"`
}

func (w *delayJSON) delay() *Delay {
	if w == nil {
		return nil
	}
	d := &Delay{Code: w.Code, Detail: w.Detail, Since: time.UnixMilli(w.Since)}
	if w.NextAttempt != 0 {
		d.Next = time.UnixMilli(w.NextAttempt)
	}
	return d
}

type acceptedJSON struct {
	ID      proofs.Hash
	State   string
	Entry   proofs.Entry
	Promise *struct { // nil where the service cannot sign it again
		Deadline    uint64 `json:",string"`
		Beneficiary proofs.Address
		Signature   proofs.Signature
	}
}

var (
	errOther     = errors.New("the answer is about another message than was sent")
	errNoPromise = errors.New("the service took this message before and cannot sign its promise again: its receipt comes without it, once the batch is anchored")
)

// accepted checks that the answer is about the message that was sent.
func (w *acceptedJSON) accepted(s *proofs.Submission, replayed bool) (*Accepted, error) {
	state, err := proofs.ParseState(w.State)
	if err != nil {
		return nil, fmt.Errorf("answer of the service: %w", err)
	}
	m, e := &s.Message, &w.Entry
	if e.Message != w.ID || e.Log != m.Log || e.Room != m.Room.Tag() || e.Author != m.Author.Commit(m.Salt) {
		return nil, errOther
	}
	if d := s.Domain; d != nil {
		c := proofs.Chain{ChainID: d.ChainID, AnchorLog: d.VerifyingContract}
		if w.ID != c.MessageDomain().MessageID(m) {
			return nil, errOther
		}
	}
	if w.Promise == nil {
		return nil, errNoPromise
	}
	p := proofs.Promise{
		Log: e.Log, Index: e.Index, Leaf: e.Leaf(), Deadline: w.Promise.Deadline,
		Beneficiary: w.Promise.Beneficiary, Signature: w.Promise.Signature,
	}
	return &Accepted{ID: w.ID, State: state, Entry: *e, Promise: p, Replayed: replayed}, nil
}

type answerJSON struct {
	Status   int
	Accepted *acceptedJSON
	Error    *errorJSON
}

func (w *answerJSON) answer(s *proofs.Submission) (a Answer) {
	switch {
	case w.Error != nil:
		a.Err = w.Error.error(w.Status)
	case w.Accepted != nil:
		a.Accepted, a.Err = w.Accepted.accepted(s, w.Status == http.StatusOK)
	default:
		a.Err = errors.New("answer of the service: neither accepted nor an error")
	}
	return a
}

type statusJSON struct {
	ID       proofs.Hash
	State    string
	Entry    proofs.Entry
	Deadline uint64 `json:",string"`
	Batch    *batchJSON
	Delay    *delayJSON
}

func (w *statusJSON) status() (*Status, error) {
	state, err := proofs.ParseState(w.State)
	if err != nil {
		return nil, fmt.Errorf("answer of the service: %w", err)
	}
	s := &Status{ID: w.ID, State: state, Entry: w.Entry, Deadline: w.Deadline, Delay: w.Delay.delay()}
	if w.Batch != nil {
		if s.Batch, err = w.Batch.batch(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

type messageJSON struct {
	statusJSON
	Message    *proofs.Message
	Authorship *struct {
		Scheme   string
		Evidence []byte
	}
}

func (w *messageJSON) message() (*Message, error) {
	s, err := w.status()
	if err != nil {
		return nil, err
	}
	m := &Message{Status: *s, Message: w.Message}
	if a := w.Authorship; a != nil {
		m.Evidence = &proofs.Evidence{Scheme: a.Scheme, Bytes: a.Evidence}
	}
	return m, nil
}

type batchJSON struct {
	Number      uint64 `json:",string"`
	State       string
	Root        proofs.Hash
	First       uint64 `json:",string"`
	Size        uint64 `json:",string"`
	OpenedAt    uint64 `json:",string"`
	SealedAt    uint64 `json:",string"`
	NotBefore   proofs.Hash
	Deadline    uint64 `json:",string"`
	Txs         uint64 `json:",string"`
	NewestTx    proofs.Hash
	Spent       *spentJSON
	CID         string
	HeldBy      []string
	Time        uint64 `json:",string"`
	Tx          proofs.Hash
	BlockNumber uint64 `json:",string"`
	BlockHash   proofs.Hash
	Probes      []struct {
		Source string
		Time   uint64 `json:",string"`
		Blocks uint64 `json:",string"`
		OK     bool
		Why    string
	}
}

func (w *batchJSON) batch() (*Batch, error) {
	state, err := proofs.ParseState(w.State)
	if err != nil {
		return nil, fmt.Errorf("answer of the service: %w", err)
	}
	var cid proofs.Hash
	if w.CID != "" {
		if cid, err = parseCID(w.CID); err != nil {
			return nil, fmt.Errorf("answer of the service: %w", err)
		}
	}
	spent, err := w.Spent.spent()
	if err != nil {
		return nil, fmt.Errorf("answer of the service: %w", err)
	}
	var probes []proofs.Probe
	for _, p := range w.Probes {
		probes = append(probes, proofs.Probe{Batch: w.Number, Source: p.Source, Time: p.Time, Blocks: p.Blocks, OK: p.OK, Why: p.Why})
	}
	return &Batch{
		Batch: proofs.Batch{Number: w.Number, Root: w.Root, First: w.First, Size: w.Size, Time: w.Time, CID: cid},
		State: state, OpenedAt: w.OpenedAt, SealedAt: w.SealedAt, NotBefore: w.NotBefore, HeldBy: w.HeldBy,
		Deadline: w.Deadline, Txs: w.Txs, NewestTx: w.NewestTx, Spent: spent,
		Tx: w.Tx, Block: proofs.BlockRef{Number: w.BlockNumber, Hash: w.BlockHash}, Probes: probes,
	}, nil
}

type spentJSON struct {
	Gas           uint64 `json:",string"`
	Wei           string
	WeiPerMessage string
}

func (w *spentJSON) spent() (*Spent, error) {
	if w == nil {
		return nil, nil
	}
	s := &Spent{Gas: w.Gas}
	for _, f := range []struct {
		name, text string
		to         **big.Int
	}{{"wei", w.Wei, &s.Wei}, {"weiPerMessage", w.WeiPerMessage, &s.PerMessage}} {
		n, ok := new(big.Int), len(f.text) <= 78 // digits of 256 bits
		if ok {
			n, ok = n.SetString(f.text, 10)
		}
		if !ok || n.Sign() < 0 {
			return nil, fmt.Errorf("%s: want a decimal number, got %.80q", f.name, f.text)
		}
		*f.to = n
	}
	return s, nil
}

// parseCID reads what proofs.FormatCID writes, and nothing else.
func parseCID(s string) (digest proofs.Hash, err error) {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimPrefix(s, "b")))
	if err == nil && len(raw) == 36 {
		digest = proofs.Hash(raw[4:])
	}
	if err != nil || proofs.FormatCID(digest) != s {
		return proofs.Hash{}, fmt.Errorf("cid: want a CIDv1 of dag-cbor and SHA-256, got %.80q", s)
	}
	return digest, nil
}

type errorJSON struct {
	Code       string
	Detail     string
	Retryable  bool
	RetryAfter int // seconds
	RequestID  string
}

func (w *errorJSON) error(status int) *Error {
	return &Error{status, w.Code, w.Detail, w.Retryable, time.Duration(w.RetryAfter) * time.Second, w.RequestID}
}

// newError reads the body of an answer that is no success. What stands between may answer in our place.
func newError(status int, body []byte) *Error {
	var w errorJSON
	if err := json.Unmarshal(body, &w); err != nil || w.Code == "" {
		return &Error{Status: status, Retryable: status >= 500,
			Detail: fmt.Sprintf("%d %s, and not from a Hansard service; check the address", status, http.StatusText(status))}
	}
	return w.error(status)
}
