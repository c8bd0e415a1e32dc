package proofs

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// MediaType is the media type of a receipt file.
const MediaType = "application/vnd.hansard.receipt.v1+json"

// MaxReceipt is the largest receipt file, in bytes.
const MaxReceipt = 1 << 20

const (
	receiptFormat = "hansard-receipt/1"
	maxProofNodes = 64      // a path of 64 nibbles
	maxNode       = 1 << 20 // a whole block's receipt stands in the last node
	maxHeader     = 16 << 10
)

// Level says how much of its life a receipt carries. Levels only add.
type Level int

// The levels, in order.
const (
	Promised Level = iota
	Included
	Finalized
)

var levels = []string{"promised", "included", "finalized"}

// String returns the level's name in the file.
func (l Level) String() string { return levels[l] }

// Receipt is a decoded receipt file. It is untrusted: only Verify says what it proves.
type Receipt struct {
	Level     Level
	Chain     Chain
	Message   *Message // nil when not disclosed
	Evidence  *Evidence
	AtBlock   *BlockRef // the block at which a contract account's signature held
	Entry     Entry
	Promise   *Promise // nil when the file has none
	Batch     *Batch   // from Included on, as Inclusion and Anchor
	Inclusion []Hash
	Anchor    *Anchor
	Fold      *Fold           // a second anchor on another chain, at Finalized only; nil when the file has none
	Hints     json.RawMessage // an object, or nil; never used for a decision
}

// BlockRef names a block.
type BlockRef struct {
	Number uint64
	Hash   Hash
}

// Anchor is where on the chain a batch was anchored. Header and Proof are frozen into it at finality.
type Anchor struct {
	Block    BlockRef
	TxIndex  uint64
	LogIndex uint64   // inside the transaction's receipt
	Header   []byte   // RLP, as hashed
	Proof    [][]byte // trie nodes from the receipts root to the transaction's receipt
}

// ParseReceipt decodes a receipt strictly: section 9 of the format.
func ParseReceipt(b []byte) (*Receipt, error) {
	if len(b) > MaxReceipt {
		return nil, fmt.Errorf("receipt: %d bytes are over the limit of %d", len(b), MaxReceipt)
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	r := newReader(v, "")
	if f := r.string("format"); r.err == nil && f != receiptFormat {
		r.fail("format", "want %s, got %.40q", receiptFormat, f)
	}
	rc := &Receipt{Level: readLevel(r), Chain: readChain(r.object("chain"), r)}
	readMessage(r, rc)
	rc.Entry = readEntry(r.object("entry"), r)
	if r.has("promise") || rc.Level == Promised {
		rc.Promise = readPromise(r.object("promise"), r, rc.Entry)
	}
	if rc.Level >= Included {
		rc.Batch = readBatch(r.object("batch"), r)
		rc.Inclusion = r.hashes("inclusion", 32)
		rc.Anchor = readAnchor(r.object("anchor"), r, rc.Level)
	}
	if rc.Level == Finalized && r.has("fold") {
		rc.Fold = readFold(r.object("fold"), r, rc)
	}
	if r.has("hints") {
		if _, ok := r.get("hints").(object); !ok {
			r.fail("hints", "want an object")
		}
	}
	if err := r.close(); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	if r.has("hints") {
		rc.Hints, err = rawField(b, "hints")
	}
	if err == nil {
		err = rc.consistent()
	}
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	return rc, nil
}

// consistent checks what V1 asks beyond the shape.
func (rc *Receipt) consistent() error {
	if rc.Entry.Log != rc.Chain.Log {
		return errors.New("entry.log: not the log of chain")
	}
	if m := rc.Message; m != nil {
		if m.Log != rc.Chain.Log {
			return errors.New("message.log: not the log of chain")
		}
		if err := m.Check(); err != nil {
			return fmt.Errorf("message.%w", err)
		}
	}
	outside := func(b *Batch) bool { return b.Size == 0 || b.First > math.MaxUint64-b.Size }
	if rc.Batch != nil && outside(rc.Batch) {
		return errors.New("batch: size and first are out of range")
	}
	if rc.Fold != nil && outside(&rc.Fold.Batch) {
		return errors.New("fold.batch: size and first are out of range")
	}
	return nil
}

func (r *reader) sub(child *reader) {
	if err := child.close(); err != nil && r.err == nil {
		r.err = err
	}
}

func readLevel(r *reader) Level {
	name := r.string("level")
	for l, n := range levels {
		if n == name {
			return Level(l)
		}
	}
	r.fail("level", "want promised, included or finalized, got %.40q", name)
	return Promised
}

func readChain(o, parent *reader) Chain {
	c := Chain{o.uint("chainId", math.MaxUint64), o.address("anchorLog"), o.address("promiseBond"), o.hash("log")}
	parent.sub(o)
	return c
}

func readMessage(r *reader, rc *Receipt) {
	message, authorship := r.get("message"), r.get("authorship")
	if message == nil && authorship == nil {
		return
	}
	rc.Message = readMessageFields(newReader(message, "message"), r)

	a := newReader(authorship, "authorship")
	rc.Evidence = readAuthorship(a)
	if a.has("block") {
		if s := rc.Evidence.Scheme; s != "eip1271" && s != "erc6492" {
			a.fail("block", "only for eip1271 and erc6492")
		}
		o := a.object("block")
		rc.AtBlock = &BlockRef{o.uint("number", math.MaxUint64), o.hash("hash")}
		a.sub(o)
	}
	r.sub(a)
}

func readMessageFields(o, parent *reader) *Message {
	m := &Message{
		Log: o.hash("log"), Room: Room(o.string("room")), Author: Author(o.string("author")),
		SentAt: o.uint("sentAt", math.MaxUint64), Kind: o.string("kind"), Body: o.string("body"),
		Source: o.string("source"), ReplyTo: o.hash("replyTo"), Replaces: o.hash("replaces"),
		Seen: o.hash("seen"), NotBefore: o.hash("notBefore"), Salt: o.hash("salt"),
	}
	for i, v := range o.array("attachments", MaxAttachments) {
		s, ok := v.(string)
		if !ok {
			o.fail("attachments", "element %d: want a string", i)
		}
		m.Attachments = append(m.Attachments, s)
	}
	parent.sub(o)
	return m
}

// readAuthorship reads an authorship but for its block.
func readAuthorship(a *reader) *Evidence {
	e := &Evidence{Scheme: a.string("scheme"), Bytes: a.base64("evidence", a.get("evidence"), MaxEvidence)}
	if a.err == nil && !ValidScheme(e.Scheme) {
		a.fail("scheme", "want 1 to %d bytes of a-z 0-9 : . _ -", MaxScheme)
	}
	return e
}

// ValidScheme reports whether s has the form of a scheme's name.
func ValidScheme(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && bytes.IndexByte([]byte(":._-"), c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= MaxScheme
}

func readEntry(o, parent *reader) Entry {
	e := Entry{
		Log: o.hash("log"), Index: o.uint("index", math.MaxUint64), Room: o.hash("room"),
		RoomIndex: o.uint("roomIndex", math.MaxUint64), RoomPrev: o.hash("roomPrev"),
		Message: o.hash("message"), Author: o.hash("author"), Vouch: Vouch(o.small("vouch", 255)),
		Evidence: o.hash("evidence"), ReceivedAt: o.uint("receivedAt", math.MaxUint64),
	}
	if o.err == nil && (e.Vouch < VouchAuthor || e.Vouch > VouchNobody) {
		o.fail("vouch", "want a class from 1 to 6, got %d", e.Vouch)
	}
	parent.sub(o)
	return e
}

func readPromise(o, parent *reader, e Entry) *Promise {
	p := &Promise{
		Log: e.Log, Index: e.Index, Leaf: e.Leaf(),
		Deadline: o.uint("deadline", math.MaxUint64), Beneficiary: o.address("beneficiary"),
	}
	o.bytes("signature", p.Signature[:])
	parent.sub(o)
	return p
}

func readBatch(o, parent *reader) *Batch {
	b := &Batch{
		o.uint("number", MaxBatch), o.hash("root"), o.uint("first", math.MaxUint64),
		o.uint("size", MaxBatch), o.uint("time", math.MaxUint64), o.hash("cid"),
	}
	parent.sub(o)
	return b
}

func readAnchor(o, parent *reader, level Level) *Anchor {
	a := &Anchor{
		Block:   BlockRef{o.uint("blockNumber", math.MaxUint64), o.hash("blockHash")},
		TxIndex: o.small("txIndex", math.MaxUint32), LogIndex: o.small("logIndex", math.MaxUint32),
	}
	if level == Finalized {
		a.Header = o.base64("header", o.get("header"), maxHeader)
		a.Proof = readNodes(o, "proof")
		if o.err == nil && (len(a.Header) == 0 || len(a.Proof) == 0) {
			o.fail("proof", "header, proof and its nodes must not be empty")
		}
	}
	parent.sub(o)
	return a
}

// rawField returns the bytes of a top-level field of a JSON object that parseJSON has accepted.
func rawField(b []byte, key string) (json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	return fields[key], nil
}

// Format returns the receipt as a file: indented by two spaces, with a final newline. It panics if
// the receipt is not one that ParseReceipt could return.
func (rc *Receipt) Format() []byte {
	w := &writer{}
	w.open("")
	w.text("format", receiptFormat).text("level", rc.Level.String())
	w.chain(rc.Chain).content(rc)
	w.open("entry").entry(rc.Entry).close()
	if p := rc.Promise; p != nil {
		w.open("promise").uint("deadline", p.Deadline).text("beneficiary", p.Beneficiary.String())
		w.text("signature", fmt.Sprintf("0x%x", p.Signature[:])).close()
	}
	if rc.Level >= Included {
		w.batch(rc.Batch).hashes("inclusion", rc.Inclusion).anchor(rc.Anchor, rc.Level)
	}
	if rc.Fold != nil {
		w.fold(rc.Fold)
	}
	if rc.Hints != nil {
		w.raw("hints", compact(rc.Hints))
	}
	w.close()
	return append(w.b, '\n')
}

func (w *writer) content(rc *Receipt) {
	m := rc.Message
	if m == nil {
		w.raw("message", "null").raw("authorship", "null")
		return
	}
	w.open("message").message(m).close()
	w.open("authorship").evidence(*rc.Evidence)
	if rc.AtBlock != nil {
		w.open("block").uint("number", rc.AtBlock.Number).text("hash", rc.AtBlock.Hash.String()).close()
	}
	w.close()
}

func (w *writer) message(m *Message) *writer {
	w.text("log", m.Log.String()).text("room", string(m.Room)).text("author", string(m.Author))
	w.uint("sentAt", m.SentAt).text("kind", m.Kind).text("body", m.Body).list("attachments", m.Attachments)
	w.text("source", m.Source).text("replyTo", m.ReplyTo.String()).text("replaces", m.Replaces.String())
	return w.text("seen", m.Seen.String()).text("notBefore", m.NotBefore.String()).text("salt", m.Salt.String())
}

func (w *writer) evidence(e Evidence) *writer {
	return w.text("scheme", e.Scheme).text("evidence", base64.StdEncoding.EncodeToString(e.Bytes))
}

func (w *writer) entry(e Entry) *writer {
	w.text("log", e.Log.String()).uint("index", e.Index).text("room", e.Room.String())
	w.uint("roomIndex", e.RoomIndex).text("roomPrev", e.RoomPrev.String()).text("message", e.Message.String())
	w.text("author", e.Author.String()).raw("vouch", strconv.Itoa(int(e.Vouch)))
	return w.text("evidence", e.Evidence.String()).uint("receivedAt", e.ReceivedAt)
}

func (w *writer) batch(b *Batch) *writer {
	w.open("batch").uint("number", b.Number).text("root", b.Root.String()).uint("first", b.First)
	return w.uint("size", b.Size).uint("time", b.Time).text("cid", b.CID.String()).close()
}

func (w *writer) anchor(a *Anchor, level Level) *writer {
	w.open("anchor").uint("blockNumber", a.Block.Number).text("blockHash", a.Block.Hash.String())
	if level == Finalized {
		w.text("header", base64.StdEncoding.EncodeToString(a.Header))
	}
	w.raw("txIndex", strconv.FormatUint(a.TxIndex, 10)).raw("logIndex", strconv.FormatUint(a.LogIndex, 10))
	if level == Finalized {
		w.nodes("proof", a.Proof)
	}
	return w.close()
}
