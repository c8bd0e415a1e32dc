package batcher_test

import (
	"bytes"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

const (
	clock = 946_684_800_000 // ms since 1970 UTC, what the service's clock says
	ahead = 90 * time.Second
	where = "domain Hansard, 1, chain 1337, contract 0xa1"
)

// unsigned changes a message that nobody signs.
func unsigned(f func(*proofs.Message)) batcher.Submission {
	s := spoken("room", "gm")
	f(&s.Message)
	return s
}

// forged changes a submission after alice signed it.
func forged(f func(*batcher.Submission)) batcher.Submission {
	s := signed(func(*proofs.Message) {})
	s.Evidence.Bytes = bytes.Clone(s.Evidence.Bytes)
	f(&s)
	return s
}

// by lets somebody sign alice's message in the domain of another chain, or of the right one.
func by(name string, chainID uint64) batcher.Submission {
	return forged(func(s *batcher.Submission) {
		c := chain
		c.ChainID = chainID
		s.Evidence, _ = key(name).SignMessage(c.MessageDomain(), &s.Message)
	})
}

// signedAsText returns a message that alice signed as text, which wallets without typed data can.
func signedAsText() batcher.Submission {
	return forged(func(s *batcher.Submission) {
		s.Message.Body = "gm from an old wallet"
		text := "\x19Ethereum Signed Message:\n74hansard:" + chain.MessageDomain().MessageID(&s.Message).String()
		sig, err := key("alice").SignDigest(proofs.Keccak([]byte(text)))
		if err != nil {
			panic(err)
		}
		s.Evidence = proofs.Evidence{Scheme: "eip191", Bytes: sig[:]}
	})
}

// highS makes the other signature of the same key over the same digest.
func highS(sig []byte) {
	s := new(big.Int).SetBytes(sig[32:64])
	s.Sub(crypto.S256().Params().N, s).FillBytes(sig[32:64])
	sig[64] = 27 + 28 - sig[64]
}

type message = proofs.Message

var (
	tooLong = strings.Repeat("x", proofs.MaxBody+1)
	someCID = proofs.FormatCID(proofs.Hash{1})
)

var refusals = []struct {
	name  string
	sub   batcher.Submission
	code  batcher.Code
	field string
	says  []string // in the error: what is wrong, and what would be right
}{
	{"other log", unsigned(func(m *message) { m.Log[0] ^= 1 }), batcher.WrongLog, "log", []string{"keeps the log " + chain.Log.String()}},
	{"body over", unsigned(func(m *message) { m.Body = tooLong }), batcher.TooLarge, "body", []string{"65537", "65536", "attachment"}},
	{"body over in a bad room", unsigned(func(m *message) { m.Body, m.Room = tooLong, "A" }), batcher.TooLarge, "body", []string{"body: 65537"}},
	{"evidence over", forged(func(s *batcher.Submission) { s.Evidence.Bytes = make([]byte, proofs.MaxEvidence+1) }),
		batcher.TooLarge, "evidence", []string{"65537", "65536"}},
	{"evidence at the limit", forged(func(s *batcher.Submission) { s.Evidence.Bytes = make([]byte, proofs.MaxEvidence) }),
		batcher.BadSignature, "evidence", []string{"want 65 bytes, got 65536"}},
	{"a millisecond too far ahead", unsigned(func(m *message) { m.SentAt = clock + uint64(ahead.Milliseconds()) + 1 }),
		batcher.FromFuture, "sentAt", []string{"1m30s ahead", "says 946684800000", "set yours"}},
	{"the end of time", unsigned(func(m *message) { m.SentAt = 1<<64 - 1 }), batcher.FromFuture, "sentAt", []string{"set yours"}},

	{"no room", unsigned(func(m *message) { m.Room = "" }), batcher.Malformed, "", []string{"room: want 1 to 128 bytes"}},
	{"bad room", unsigned(func(m *message) { m.Room = "Arb" }), batcher.Malformed, "", []string{"room: 'A' at byte 0", "a-z"}},
	{"no author", unsigned(func(m *message) { m.Author = "" }), batcher.Malformed, "", []string{"author: want 1 to 256"}},
	{"author without scheme", unsigned(func(m *message) { m.Author = "Dan" }), batcher.Malformed, "", []string{"author: ", "zoom:Name"}},
	{"upper-case wallet", unsigned(func(m *message) { m.Author = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8" }),
		batcher.Malformed, "", []string{"author: ", "lower-case"}},
	{"author of invalid UTF-8", unsigned(func(m *message) { m.Author = "zoom:\xff" }), batcher.Malformed, "", []string{"author: invalid UTF-8"}},
	{"no kind", unsigned(func(m *message) { m.Kind = "" }), batcher.Malformed, "", []string{"kind: ", "text/plain"}},
	{"kind with parameters", unsigned(func(m *message) { m.Kind = "text/plain;charset=utf-8" }), batcher.Malformed, "", []string{"kind: ", "charset"}},
	{"unknown word as kind", unsigned(func(m *message) { m.Kind = "governance.vote" }), batcher.Malformed, "", []string{"kind: ", "governance.vote"}},
	{"body of invalid UTF-8", unsigned(func(m *message) { m.Body = "gm\xed\xa0\x80" }), batcher.Malformed, "", []string{"body: invalid UTF-8"}},
	{"source without scheme", unsigned(func(m *message) { m.Source = "forum/12" }), batcher.Malformed, "", []string{"source: ", "URI"}},
	{"source of invalid UTF-8", unsigned(func(m *message) { m.Source = "https://\xff" }), batcher.Malformed, "", []string{"source: "}},
	{"attachments over", unsigned(func(m *message) {
		for range proofs.MaxAttachments + 1 {
			m.Attachments = append(m.Attachments, someCID)
		}
	}), batcher.Malformed, "", []string{"attachments: 65 are over the limit of 64"}},
	{"bad attachment", unsigned(func(m *message) { m.Attachments = []string{someCID, "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"} }),
		batcher.Malformed, "", []string{"attachment 1: ", "CIDv1"}},

	{"proposal in prose", unsigned(func(m *message) { m.Kind = "governance.proposal" }),
		batcher.Malformed, "body", []string{"governance.proposal", "JSON object"}},
	{"alert as array", unsigned(func(m *message) { m.Kind, m.Body = "defi.alert", "[]" }), batcher.Malformed, "body", []string{"JSON object"}},
	{"transfer as null", unsigned(func(m *message) { m.Kind, m.Body = "nft.transfer", "null" }), batcher.Malformed, "body", []string{"JSON object"}},
	{"confirmation of two objects", unsigned(func(m *message) { m.Kind, m.Body = "tx.confirmation", "{}{}" }),
		batcher.Malformed, "body", []string{"JSON object"}},
	{"empty call receipt", unsigned(func(m *message) { m.Kind, m.Body = "call.receipt", "" }), batcher.Malformed, "body", []string{"JSON object"}},
	{"edit in prose", unsigned(func(m *message) { m.Kind, m.Replaces = proofs.KindEdit, proofs.Hash{1} }),
		batcher.Malformed, "body", []string{"JSON object"}},
	{"edit of nothing", unsigned(func(m *message) { m.Kind, m.Body = proofs.KindEdit, `{"kind":"text/plain","body":"gn"}` }),
		batcher.Malformed, "replaces", []string{"replaces: the kind edit"}},
	{"retraction of nothing", unsigned(func(m *message) { m.Kind, m.Body = proofs.KindRetract, `{"reason":""}` }),
		batcher.Malformed, "replaces", []string{"replaces: the kind retract"}},
	{"a wallet that did not sign", unsigned(func(m *message) { m.Author = proofs.Author(key("alice").Address().String()) }),
		batcher.Malformed, "author", []string{"a wallet can sign", "eip712", "zoom:Name"}},

	{"signed by another", by("bob", chain.ChainID), batcher.BadSignature, "evidence", []string{"not the author's", where}},
	{"signed on another chain", by("alice", 1), batcher.BadSignature, "evidence", []string{"not the author's", where}},
	{"other words than signed", forged(func(s *batcher.Submission) { s.Message.Body += "!" }),
		batcher.BadSignature, "evidence", []string{"not the author's", where}},
	{"typed data called text", forged(func(s *batcher.Submission) { s.Evidence.Scheme = "eip191" }),
		batcher.BadSignature, "evidence", []string{"not the author's"}},
	{"high s", forged(func(s *batcher.Submission) { highS(s.Evidence.Bytes) }), batcher.BadSignature, "evidence", []string{"s is over n/2"}},
	{"v 0 or 1", forged(func(s *batcher.Submission) { s.Evidence.Bytes[64] -= 27 }), batcher.BadSignature, "evidence", []string{"want v 27 or 28"}},
	{"r zero", forged(func(s *batcher.Submission) { clear(s.Evidence.Bytes[:32]) }), batcher.BadSignature, "evidence", []string{"not the author's"}},
	{"short signature", forged(func(s *batcher.Submission) { s.Evidence.Bytes = s.Evidence.Bytes[:64] }),
		batcher.BadSignature, "evidence", []string{"want 65 bytes, got 64"}},
	{"no signature", forged(func(s *batcher.Submission) { s.Evidence.Bytes = nil }), batcher.BadSignature, "evidence", []string{"want 65 bytes, got 0"}},
	{"a name with a signature", forged(func(s *batcher.Submission) { s.Message.Author = "zoom:Dan" }),
		batcher.BadSignature, "evidence", []string{"needs a wallet"}},
	{"nobody with evidence", forged(func(s *batcher.Submission) { s.Message.Author, s.Evidence.Scheme = "zoom:Dan", "none" }),
		batcher.BadSignature, "evidence", []string{"the scheme none carries none"}},
	{"unsupported scheme", forged(func(s *batcher.Submission) { s.Evidence.Scheme = "nostr" }),
		batcher.BadSignature, "evidence", []string{"not checked by this version", `"nostr"`, "eip712"}},
	{"scheme that is none", forged(func(s *batcher.Submission) { s.Evidence.Scheme = "" }),
		batcher.BadSignature, "evidence", []string{"not checked by this version"}},
}

func atClock() time.Time { return time.UnixMilli(clock) }

// TestRefusals submits each alone and all among messages that hold: what is refused takes no place.
func TestRefusals(t *testing.T) {
	store := newMemory(t)
	r := start(t, store, batcher.Config{Ahead: ahead, Now: atClock})
	var subs []batcher.Submission
	for i, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			refusal := refused(t, r.Submit(t.Context(), tt.sub)[0])
			if refusal.Code != tt.code || refusal.Field != tt.field {
				t.Errorf("got %s of %q, want %s of %q", refusal.Code, refusal.Field, tt.code, tt.field)
			}
			for _, words := range append(tt.says, "message refused: ") {
				if !strings.Contains(refusal.Error(), words) {
					t.Errorf("%q does not say %q", refusal, words)
				}
			}
		})
		subs = append(subs, tt.sub, many(i, 1)[0])
	}
	for i, res := range r.Submit(t.Context(), subs...) {
		if i%2 == 1 {
			store.checkAnswer(res)
		} else if code := refused(t, res).Code; code != refusals[i/2].code {
			t.Errorf("%s: got %s among others, want %s", refusals[i/2].name, code, refusals[i/2].code)
		}
	}
	if n := len(store.bodies()); n != len(refusals) {
		t.Errorf("the store holds %d entries, want %d", n, len(refusals))
	}
}

var accepts = []struct {
	name  string
	sub   batcher.Submission
	vouch proofs.Vouch
}{
	{"signed", signed(func(*message) {}), proofs.VouchAuthor},
	{"signed as text", signedAsText(), proofs.VouchAuthor},
	{"spoken", unsigned(func(*message) {}), proofs.VouchNobody},
	{"as far ahead as may be", unsigned(func(m *message) { m.SentAt = clock + uint64(ahead.Milliseconds()) }), proofs.VouchNobody},
	{"long ago", unsigned(func(m *message) { m.SentAt = 0 }), proofs.VouchNobody},
	{"longest body", unsigned(func(m *message) { m.Body = tooLong[1:] }), proofs.VouchNobody},
	{"no body", unsigned(func(m *message) { m.Body = "" }), proofs.VouchNobody},
	{"proposal", unsigned(func(m *message) { m.Kind, m.Body = "governance.proposal", `{"title":"12"}` }), proofs.VouchNobody},
	{"edit", unsigned(func(m *message) {
		m.Kind, m.Body, m.Replaces = proofs.KindEdit, `{"kind":"text/plain","body":"gn"}`, proofs.Hash{1}
	}), proofs.VouchNobody},
	{"retraction", unsigned(func(m *message) { m.Kind, m.Body, m.Replaces = proofs.KindRetract, `{"reason":""}`, proofs.Hash{1} }), proofs.VouchNobody},
}

func TestAccepts(t *testing.T) {
	store := newMemory(t)
	r := start(t, store, batcher.Config{Ahead: ahead, Now: atClock})
	for _, tt := range accepts {
		t.Run(tt.name, func(t *testing.T) {
			got := r.take(tt.sub)[0].Accepted.Entry
			if got.Vouch != tt.vouch || got.ReceivedAt != clock {
				t.Errorf("got class %d at %d, want %d at %d", got.Vouch, got.ReceivedAt, tt.vouch, uint64(clock))
			}
		})
	}
}
