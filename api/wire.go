package api

import (
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// Fields are named and written as in a receipt: docs/receipt-v1.md, section 9. Times are
// milliseconds but for a batch's time and a deadline.

type infoJSON struct {
	Chain struct {
		ChainID     uint64         `json:"chainId,string"`
		AnchorLog   proofs.Address `json:"anchorLog"`
		PromiseBond proofs.Address `json:"promiseBond"`
		Log         proofs.Hash    `json:"log"`
	} `json:"chain"`
	PromiseKeys []proofs.Address `json:"promiseKeys"`
	Limits      limitsJSON       `json:"limits"`
	Batch       struct {
		MaxMessages uint64 `json:"maxMessages,string"`
		MaxAge      uint64 `json:"maxAge,string"` // ms
	} `json:"batch"`
	NewestBlock *proofs.Hash  `json:"newestBlock,omitempty"`
	Delay       *delayJSON    `json:"delay,omitempty"`
	Promises    *promisesJSON `json:"promises,omitempty"`
	IPFS        *IPFS         `json:"ipfs,omitempty"`
	Version     string        `json:"version"`
}

type limitsJSON struct {
	BodyBytes     int `json:"bodyBytes"`
	EvidenceBytes int `json:"evidenceBytes"`
	SourceBytes   int `json:"sourceBytes"`
	Attachments   int `json:"attachments"`
	RequestBytes  int `json:"requestBytes"`
	Many          int `json:"many"` // messages of one request to messages:batch
	ManyBytes     int `json:"manyBytes"`
	WaitSeconds   int `json:"waitSeconds"`
}

func newInfo(c *Config) *infoJSON {
	i := &infoJSON{PromiseKeys: c.PromiseKeys, Version: c.Version, Limits: limitsJSON{
		BodyBytes: proofs.MaxBody, EvidenceBytes: proofs.MaxEvidence, SourceBytes: proofs.MaxSource,
		Attachments: proofs.MaxAttachments, RequestBytes: proofs.MaxSubmission,
		Many: MaxMany, ManyBytes: MaxManyBytes, WaitSeconds: int(MaxWait.Seconds()),
	}}
	i.Chain.ChainID, i.Chain.AnchorLog = c.Chain.ChainID, c.Chain.AnchorLog
	i.Chain.PromiseBond, i.Chain.Log = c.Chain.PromiseBond, c.Chain.Log
	i.Batch.MaxMessages, i.Batch.MaxAge = c.MaxMessages, uint64(c.MaxAge.Milliseconds())
	if c.NewestBlock != nil {
		if h := c.NewestBlock(); !h.IsZero() {
			i.NewestBlock = &h
		}
	}
	i.Delay = newDelay(c.Delay())
	if c.IPFS != nil {
		i.IPFS = c.IPFS()
	}
	if c.Promises != nil {
		i.Promises = newPromises(c.Promises())
	}
	return i
}

// promisesJSON says what is promised and in no block yet.
type promisesJSON struct {
	Waiting    uint64          `json:"waiting,string"`
	Deadline   int64           `json:"deadline,string,omitempty"` // seconds; left out while nothing waits
	Overdue    uint64          `json:"overdue,string"`
	Refusal    *refusalJSON    `json:"refusal,omitempty"`
	Challenges *challengesJSON `json:"challenges,omitempty"` // left out while none is open
}

type refusalJSON struct {
	Code       string `json:"code"`
	Detail     string `json:"detail"`
	Since      int64  `json:"since,string"`
	RetryAfter int    `json:"retryAfter"` // seconds
}

type challengesJSON struct {
	Open         int   `json:"open"`
	Unanswerable int   `json:"unanswerable"`
	AnswerBy     int64 `json:"answerBy,string"` // seconds
}

func newPromises(p *Promises) *promisesJSON {
	j := &promisesJSON{Waiting: p.Waiting, Overdue: p.Overdue}
	if !p.Deadline.IsZero() {
		j.Deadline = p.Deadline.Unix()
	}
	if r := p.Refusal; r != nil {
		j.Refusal = &refusalJSON{r.Code, r.Detail, r.Since.UnixMilli(), int(math.Ceil(r.RetryAfter.Seconds()))}
	}
	if c := p.Challenges; c.Open > 0 {
		j.Challenges = &challengesJSON{c.Open, c.Hopeless, c.AnswerBy.Unix()}
	}
	return j
}

// delayJSON says why nothing is anchored for now.
type delayJSON struct {
	Code        string `json:"code"`
	Detail      string `json:"detail"`
	Since       int64  `json:"since,string"`
	NextAttempt int64  `json:"nextAttempt,string,omitempty"` // left out while it is not known
}

func newDelay(d *Delay) *delayJSON {
	if d == nil {
		return nil
	}
	j := &delayJSON{Code: d.Code, Detail: d.Detail, Since: d.Since.UnixMilli()}
	if !d.Next.IsZero() {
		j.NextAttempt = d.Next.UnixMilli()
	}
	return j
}

type linksJSON struct {
	Receipt string `json:"receipt"`
	Status  string `json:"status"`
}

func newLinks(id proofs.Hash) linksJSON {
	at := "/v1/messages/" + id.String()
	return linksJSON{at + "/receipt", at + "/status"}
}

type promiseJSON struct {
	Deadline    uint64           `json:"deadline,string"`
	Beneficiary proofs.Address   `json:"beneficiary"`
	Signature   proofs.Signature `json:"signature"`
}

// acceptedJSON holds the entry because a promise is about its leaf: with both the author needs nobody
// to show that it was given.
type acceptedJSON struct {
	ID        proofs.Hash  `json:"id"`
	State     string       `json:"state"`
	Index     uint64       `json:"index,string"`
	RoomIndex uint64       `json:"roomIndex,string"`
	Entry     proofs.Entry `json:"entry"`
	Promise   *promiseJSON `json:"promise,omitempty"` // left out where it cannot be signed again
	Links     linksJSON    `json:"links"`
}

// newAccepted takes a nil promise where there is none to hand out.
func newAccepted(state proofs.State, e *proofs.Entry, p *proofs.Promise) *acceptedJSON {
	a := &acceptedJSON{
		ID: e.Message, State: state.String(), Index: e.Index, RoomIndex: e.RoomIndex, Entry: *e, Links: newLinks(e.Message),
	}
	if p != nil {
		a.Promise = &promiseJSON{p.Deadline, p.Beneficiary, p.Signature}
	}
	return a
}

type statusJSON struct {
	ID       proofs.Hash  `json:"id"`
	State    string       `json:"state"`
	Entry    proofs.Entry `json:"entry"`
	Deadline uint64       `json:"deadline,string"`
	Batch    *batchJSON   `json:"batch,omitempty"` // from batched on
	Delay    *delayJSON   `json:"delay,omitempty"` // below included, while nothing is anchored
	Links    linksJSON    `json:"links"`
}

func newStatus(st *receipts.Status, d *Delay) *statusJSON {
	e := st.Accepted.Entry
	s := &statusJSON{ID: e.Message, State: st.State.String(), Entry: e, Deadline: st.Accepted.Deadline, Links: newLinks(e.Message)}
	s.Delay = newDelay(delayOf(st, d))
	if st.Batch != nil {
		s.Batch = newBatch(st.Batch)
	}
	return s
}

type authorshipJSON struct {
	Scheme   string `json:"scheme"`
	Evidence []byte `json:"evidence"`
}

// messageJSON has null for message and authorship where they are not disclosed.
type messageJSON struct {
	*statusJSON
	Message    *proofs.Message `json:"message"`
	Authorship *authorshipJSON `json:"authorship"`
}

func newMessage(st *receipts.Status, d *Delay) *messageJSON {
	m := &messageJSON{statusJSON: newStatus(st, d), Message: st.Accepted.Message}
	if m.Message != nil {
		e := st.Accepted.Evidence
		m.Authorship = &authorshipJSON{e.Scheme, append([]byte{}, e.Bytes...)}
	}
	return m
}

// listJSON is in the order of the log. More says that there are older ones, which were not looked at.
type listJSON struct {
	Messages []*messageJSON `json:"messages"`
	More     bool           `json:"more"`
}

// batchJSON leaves out what the batch does not have yet.
type batchJSON struct {
	Number      uint64       `json:"number,string"`
	State       string       `json:"state"`
	Root        proofs.Hash  `json:"root"`
	First       uint64       `json:"first,string"`
	Size        uint64       `json:"size,string"`
	OpenedAt    uint64       `json:"openedAt,string"`
	SealedAt    uint64       `json:"sealedAt,string"`
	NotBefore   proofs.Hash  `json:"notBefore"`
	Deadline    uint64       `json:"deadline,string,omitempty"` // unless an older version sealed it
	CID         string       `json:"cid,omitempty"`             // once the payload is pinned
	HeldBy      []string     `json:"heldBy,omitempty"`          // with cid, in answers about batches only
	Txs         int          `json:"txs,string,omitempty"`      // this and newestTx once one was signed
	NewestTx    *proofs.Hash `json:"newestTx,omitempty"`
	Spent       *spentJSON   `json:"spent,omitempty"`       // once a transaction was paid for
	Time        uint64       `json:"time,string,omitempty"` // this and the rest from included on
	Tx          *proofs.Hash `json:"tx,omitempty"`
	BlockNumber *uint64      `json:"blockNumber,string,omitempty"`
	BlockHash   *proofs.Hash `json:"blockHash,omitempty"`
	Probes      []probeJSON  `json:"probes,omitempty"` // of one batch alone, once somebody was asked for it
}

// probeJSON is what one source gave of a batch's payload when it was last asked.
type probeJSON struct {
	Source string `json:"source"`
	Time   uint64 `json:"time,string"` // ms
	Blocks uint64 `json:"blocks,string"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"`
}

func newProbes(probes []proofs.Probe) (out []probeJSON) {
	for _, p := range probes {
		out = append(out, probeJSON{p.Source, p.Time, p.Blocks, p.OK, p.Why})
	}
	slices.SortFunc(out, func(a, b probeJSON) int { return strings.Compare(a.Source, b.Source) })
	return out
}

func newBatch(s *proofs.Sealed) *batchJSON {
	b := &batchJSON{
		Number: s.Number, State: s.State.String(), Root: s.Root, First: s.First, Size: s.Size,
		OpenedAt: s.OpenedAt, SealedAt: s.SealedAt, NotBefore: s.NotBefore, Deadline: s.Deadline, Time: s.Time,
		Txs: len(s.Txs), Spent: newSpent(s),
	}
	if n := len(s.Txs); n > 0 {
		h := proofs.Keccak(s.Txs[n-1])
		b.NewestTx = &h
	}
	if !s.CID.IsZero() {
		b.CID = proofs.FormatCID(s.CID)
	}
	if a := s.Anchor; a != nil {
		b.Tx, b.BlockNumber, b.BlockHash = &s.Tx, &a.Block.Number, &a.Block.Hash
	}
	return b
}

// spentJSON is what all transactions of a batch cost, reverted ones too.
type spentJSON struct {
	Gas           uint64 `json:"gas,string"`
	Wei           string `json:"wei"`
	WeiPerMessage string `json:"weiPerMessage"` // rounded down
}

func newSpent(s *proofs.Sealed) *spentJSON {
	if len(s.Spent) == 0 {
		return nil
	}
	gas, wei := uint64(0), new(big.Int)
	for _, tx := range s.Spent {
		gas += tx.Gas
		wei.Add(wei, tx.Wei)
	}
	each := new(big.Int).Div(wei, new(big.Int).SetUint64(s.Size))
	return &spentJSON{gas, wei.String(), each.String()}
}
