package zoomchat

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// Options say which call the lines are from and where they go.
type Options struct {
	Domain proofs.Domain // of the log's messages
	Log    proofs.Hash
	Room   proofs.Room
	Start  time.Time // when the recording began, in whole milliseconds; part of each line's source
	Latest time.Time // no line may be later, such as now; zero means no limit
	Secret [32]byte  // random, kept by the importer; the same secret gives the same ids again
}

// earliest is a date before any Zoom call: a start before it is a slip.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (o *Options) validate() error {
	var errs []error
	if o.Secret == [32]byte{} {
		errs = append(errs, errors.New("secret: want 32 random bytes, got zeros"))
	}
	if o.Domain == (proofs.Domain{}) || o.Log.IsZero() {
		errs = append(errs, errors.New("log: domain or id missing"))
	}
	if _, err := proofs.ParseRoom(string(o.Room)); err != nil {
		errs = append(errs, err)
	}
	switch {
	case o.Start.IsZero():
		errs = append(errs, errors.New("start: missing; say when the recording began, such as 2026-08-20T14:00:00Z"))
	case o.Start.Before(earliest) || o.Start.Year() > 9999:
		errs = append(errs, fmt.Errorf("start: want the years 2000 to 9999, got %d", o.Start.Year()))
	case o.Start.Nanosecond()%int(time.Millisecond) != 0:
		errs = append(errs, fmt.Errorf("start: want whole milliseconds, got %s", o.Start.Format(time.RFC3339Nano)))
	}
	return errors.Join(errs...)
}

// Known is what the log has already.
type Known interface {
	// Versions returns the messages of room that have this source, in the order of the log; none is no error.
	Versions(ctx context.Context, room proofs.Room, source string) ([]proofs.Message, error)
}

// Action says what a line means for the log.
type Action string

const (
	Keep Action = "keep" // the log has these words of this line already
	Add  Action = "add"  // the line is new
	Edit Action = "edit" // the line is known with other words
)

// Step is a line and the message that records its words: for Keep the message that the log has, otherwise
// the one to submit, which keeps all rules of proofs.Message.Check.
type Step struct {
	Line    Line
	Action  Action
	Kind    string // of the line: text/plain or text/reaction
	ID      proofs.Hash
	Message proofs.Message
}

// Import is what a chat export means for a log.
type Import struct {
	Steps []Step // one for each line, in the order of the file; submit them in this order

	Adds, Edits, Keeps         int
	Replies, LinkedReplies     int
	Reactions, LinkedReactions int
	Doubtful                   []int // numbers of the lines that Line.Doubtful is about
}

// Plan makes a message of each line and compares it with what the log has; with known nil it has nothing.
//
// Author is zoom: and the name as it stands, SentAt the start plus the line's time, Kind text/reaction or
// text/plain, Body the text. Source names the line without the file's name or the words:
//
//	zoom-chat:ethereum/acd?start=2026-08-20T14:00:00Z&at=00:12:28&from=Ada%20%7C%20Client%20%28core%29&n=1
//
// with n counting the lines of that time and name from 1. It is the same in every copy of the export, as
// long as start and room are given the same way and no line of that time and name was put in or taken out
// before it. Salt is an HMAC of source, kind and body.
//
// A reply or reaction quotes a line, often only its first 17 to 20 characters. ReplyTo is the id of the first
// message of the quoted line if exactly one earlier line fits: by its whole text or, for a quotation that
// ends in dots, by its beginning (8 bytes or more), a reply's own head left out, reactions never. A line that
// was edited fits by its earlier words too. Several lines or none: ReplyTo stays zero. It can still be
// wrong: where the quoted line is not in the export and one other line begins alike.
//
// A line whose source is unknown is added. One that is known with other words becomes a message of kind
// edit that replaces the newest version. One whose words are those of any known version, whatever it
// replies to, is kept: so a line's id never changes because another line was edited, and importing the
// original again after an edited copy adds nothing. Versions by another author, retractions and edits
// whose body cannot be read are passed over.
//
// Every message is checked before Plan returns. An error names the line.
func Plan(ctx context.Context, lines []Line, o Options, known Known) (*Import, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("plan import: %w", err)
	}
	p := planner{o: o, known: known, quotes: newQuotes(), seen: map[string]int{}, out: &Import{}}
	for _, l := range lines {
		if err := p.line(ctx, l); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.Number, err)
		}
	}
	return p.out, nil
}

type planner struct {
	o      Options
	known  Known
	quotes *quotes
	seen   map[string]int // lines by source without the ordinal
	first  []proofs.Hash  // id of each line's first message
	out    *Import
}

func (p *planner) line(ctx context.Context, l Line) error {
	w := wordsOf(l.Text)
	m := proofs.Message{
		Log: p.o.Log, Room: p.o.Room, Author: proofs.Author("zoom:" + l.Name),
		SentAt: uint64(p.o.Start.Add(l.At).UnixMilli()),
		Kind:   w.kind, Body: w.body, Source: p.source(l), ReplyTo: p.link(w),
	}
	if sent := p.o.Start.Add(l.At); !p.o.Latest.IsZero() && sent.After(p.o.Latest) {
		return fmt.Errorf("said at %s, which is after %s; is the start right?",
			sent.UTC().Format(time.RFC3339), p.o.Latest.UTC().Format(time.RFC3339))
	}
	if err := m.Check(); err != nil {
		return err
	}
	versions, err := p.versions(ctx, &m)
	if err != nil {
		return err
	}
	step := Step{Line: l, Kind: w.kind}
	step.Action, step.Message = p.compare(w, m, versions)
	if err := step.Message.Check(); err != nil {
		return fmt.Errorf("%s: %w", step.Action, err)
	}
	step.ID = p.o.Domain.MessageID(&step.Message)
	p.add(step, w, versions)
	return nil
}

func (p *planner) source(l Line) string {
	s := fmt.Sprintf("zoom-chat:%s?start=%s&at=%02d:%02d:%02d&from=%s", p.o.Room,
		p.o.Start.UTC().Format(time.RFC3339Nano),
		l.At/time.Hour, l.At/time.Minute%60, l.At/time.Second%60, percentEncode(l.Name))
	p.seen[s]++
	return fmt.Sprintf("%s&n=%d", s, p.seen[s])
}

// percentEncode encodes all but the unreserved characters of RFC 3986.
func percentEncode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// link returns the first message of the line that w quotes, and counts.
func (p *planner) link(w words) proofs.Hash {
	quotation, ok := w.quote()
	if !ok {
		return proofs.Hash{}
	}
	all, linked := &p.out.Replies, &p.out.LinkedReplies
	if w.kind == KindReaction {
		all, linked = &p.out.Reactions, &p.out.LinkedReactions
	}
	*all++
	line, ok := p.quotes.find(quotation)
	if !ok {
		return proofs.Hash{}
	}
	*linked++
	return p.first[line]
}

// version is a known message of a line.
type version struct {
	message proofs.Message
	words   words
}

// versions returns what the log has of the line that m was made of, the first message before the edits.
func (p *planner) versions(ctx context.Context, m *proofs.Message) ([]version, error) {
	if p.known == nil {
		return nil, nil
	}
	known, err := p.known.Versions(ctx, m.Room, m.Source)
	if err != nil {
		return nil, fmt.Errorf("read what is known of it: %w", err)
	}
	var out []version
	for _, k := range known {
		if k.Log != m.Log || k.Room != m.Room || k.Author != m.Author || k.Source != m.Source {
			continue
		}
		v := version{k, words{k.Kind, k.Body}}
		switch k.Kind {
		case proofs.KindRetract:
			continue
		case proofs.KindEdit:
			var ok bool
			if v.words, ok = parseEdit(k.Body); !ok || len(out) == 0 {
				continue
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// compare decides what m, which says w, means beside the known versions.
func (p *planner) compare(w words, m proofs.Message, versions []version) (Action, proofs.Message) {
	for i := len(versions) - 1; i >= 0; i-- {
		if versions[i].words == w {
			return Keep, versions[i].message
		}
	}
	action := Add
	if len(versions) > 0 {
		action = Edit
		m.Kind, m.Body = proofs.KindEdit, formatEdit(w)
		m.Replaces = p.o.Domain.MessageID(&versions[len(versions)-1].message)
	}
	m.Salt = p.o.salt(&m)
	return action, m
}

func (p *planner) add(s Step, w words, versions []version) {
	i, first := len(p.first), s.ID
	p.quotes.add(i, w)
	for _, v := range versions {
		p.quotes.add(i, v.words)
	}
	if len(versions) > 0 {
		first = p.o.Domain.MessageID(&versions[0].message)
	}
	p.first = append(p.first, first)
	p.out.Steps = append(p.out.Steps, s)
	switch s.Action {
	case Add:
		p.out.Adds++
	case Edit:
		p.out.Edits++
	case Keep:
		p.out.Keeps++
	}
	if s.Line.Doubtful() {
		p.out.Doubtful = append(p.out.Doubtful, s.Line.Number)
	}
}

// salt returns a salt that nobody can guess without the secret and that is the same for the same words.
func (o *Options) salt(m *proofs.Message) (salt proofs.Hash) {
	mac := hmac.New(sha256.New, o.Secret[:])
	for _, part := range [][]byte{[]byte("hansard/zoom-chat/salt/1"), o.Domain[:], m.Log[:],
		[]byte(m.Source), []byte(m.Kind), []byte(m.Body)} {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write(part)
	}
	mac.Sum(salt[:0])
	return salt
}

// edit is the body of a message of kind edit.
type edit struct {
	Kind string `json:"kind"`
	Body string `json:"body"`
}

func formatEdit(w words) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(edit{w.kind, w.body}); err != nil {
		panic("zoomchat: encode two strings: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func parseEdit(body string) (words, bool) {
	d := json.NewDecoder(strings.NewReader(body))
	d.DisallowUnknownFields()
	var e *edit
	if err := d.Decode(&e); err != nil || e == nil {
		return words{}, false
	}
	if _, err := d.Token(); err != io.EOF {
		return words{}, false
	}
	return words{e.Kind, e.Body}, true
}
