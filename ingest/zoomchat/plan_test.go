package zoomchat_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/ingest/zoomchat"
	"github.com/hansard-dao/hansard/proofs"
)

func options() zoomchat.Options {
	chain := proofs.Chain{ChainID: 1337, AnchorLog: proofs.Address{1}, Log: proofs.Hash{2}}
	return zoomchat.Options{
		Domain: chain.MessageDomain(), Log: chain.Log, Room: "sample/treasury",
		Start: time.Date(2026, 8, 20, 14, 0, 0, 0, time.UTC), Secret: [32]byte{3},
	}
}

// memory is a log in memory that refuses what a log refuses: the same message twice.
type memory struct {
	t        *testing.T
	domain   proofs.Domain
	ids      map[proofs.Hash]bool
	bySource map[string][]proofs.Message
}

func newMemory(t *testing.T) *memory {
	return &memory{t, options().Domain, map[proofs.Hash]bool{}, map[string][]proofs.Message{}}
}

func (k *memory) Versions(_ context.Context, room proofs.Room, source string) ([]proofs.Message, error) {
	var out []proofs.Message
	for _, m := range k.bySource[source] {
		if m.Room == room {
			out = append(out, m)
		}
	}
	return out, nil
}

func (k *memory) append(m proofs.Message) {
	k.t.Helper()
	id := k.domain.MessageID(&m)
	if k.ids[id] {
		k.t.Fatalf("message %s by %s twice", id, m.Author)
	}
	k.ids[id] = true
	k.bySource[m.Source] = append(k.bySource[m.Source], m)
}

func (k *memory) importFile(file string, o zoomchat.Options) *zoomchat.Import {
	k.t.Helper()
	in := plan(k.t, file, o, k)
	for _, s := range in.Steps {
		if s.ID != k.domain.MessageID(&s.Message) {
			k.t.Errorf("line %d: id is not the message's", s.Line.Number)
		}
		if s.Action == zoomchat.Keep {
			if !k.ids[s.ID] {
				k.t.Errorf("line %d is kept but unknown", s.Line.Number)
			}
			continue
		}
		if m := s.Message; !m.ReplyTo.IsZero() && !k.ids[m.ReplyTo] || !m.Replaces.IsZero() && !k.ids[m.Replaces] {
			k.t.Errorf("line %d refers to a message that the log does not have yet", s.Line.Number)
		}
		k.append(s.Message)
	}
	return in
}

func plan(t *testing.T, file string, o zoomchat.Options, known zoomchat.Known) *zoomchat.Import {
	t.Helper()
	in, err := zoomchat.Plan(t.Context(), parse(t, file), o, known)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// counts without the steps.
func counts(in *zoomchat.Import) zoomchat.Import { c := *in; c.Steps = nil; return c }

func TestPlanSample(t *testing.T) {
	const text, reaction, unlinked = "text/plain", "text/reaction", 0
	in := plan(t, string(readSample(t, "call.txt")), options(), nil)
	type row struct {
		Number  int
		Kind    string
		ReplyTo int // number of the line
	}
	want := []row{
		{1, text, 0}, {2, text, 0}, {3, text, 0}, {4, text, 0},
		{5, reaction, 1}, {6, reaction, unlinked}, // two lines say "hi"
		{7, text, 0}, {8, text, 7}, {11, text, 7}, {14, text, 8}, {16, text, 7}, {20, reaction, 8},
		{21, text, 0}, {26, reaction, 21}, {31, text, 0}, {32, reaction, 31}, {34, reaction, 31},
		{36, text, 0}, {37, text, 0}, {38, reaction, 37}, {39, text, 0}, {40, reaction, 39},
		{41, text, unlinked},                        // quotes a file
		{44, text, 0},                               // "joy" is no emoji
		{45, text, 0}, {46, text, 0}, {48, text, 0}, // long, a typed header, empty
		{49, text, 45}, {52, text, 21}, {57, text, 0},
	}
	number := map[proofs.Hash]int{{}: 0}
	var got []row
	for _, s := range in.Steps {
		m := s.Message
		number[s.ID] = s.Line.Number
		got = append(got, row{s.Line.Number, m.Kind, number[m.ReplyTo]})
		if s.Action != zoomchat.Add || s.Kind != m.Kind || m.Body != s.Line.Text ||
			string(m.Author) != "zoom:"+s.Line.Name || !m.Replaces.IsZero() {
			t.Errorf("line %d: got %s of %s by %q: %q", s.Line.Number, s.Action, s.Kind, m.Author, m.Body)
		}
		if want := options().Start.Add(s.Line.At).UnixMilli(); m.SentAt != uint64(want) {
			t.Errorf("line %d: sent at %d, want %d", s.Line.Number, m.SentAt, want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if len(number) != len(in.Steps)+1 {
		t.Errorf("%d ids for %d lines", len(number)-1, len(in.Steps))
	}
	if diff := cmp.Diff(zoomchat.Import{Adds: 30, Replies: 7, LinkedReplies: 6, Reactions: 8, LinkedReactions: 7,
		Doubtful: []int{46}}, counts(in)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestPlanSource(t *testing.T) {
	o := options()
	o.Start = time.Date(2026, 8, 20, 16, 0, 0, 5e6, time.FixedZone("", 2*60*60))
	const file = "27:02:03\tA+ž:& |:\t1\r\n27:02:03\tB:\t2\r\n27:02:03\tA+ž:& |:\t1\r\n"
	var got []string
	for _, s := range plan(t, file, o, nil).Steps {
		got = append(got, s.Message.Source)
	}
	const call = "zoom-chat:sample/treasury?start=2026-08-20T14:00:00.005Z&at=27:02:03&from="
	want := []string{call + "A%2B%C5%BE%3A%26%20%7C&n=1", call + "B&n=1", call + "A%2B%C5%BE%3A%26%20%7C&n=2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestPlanLinks(t *testing.T) {
	for _, tt := range []struct {
		name, said, quoting string // said: texts joined by |
		want                int    // position from 1 in said, 0 for none
	}{
		{"whole", "one|two", `Reacted to "two" with +`, 2},
		{"whole, of two that begin alike", "two|two three", `Reacted to "two" with +`, 1},
		{"whole, said twice", "two|two", `Reacted to "two" with +`, 0},
		{"nowhere", "one|two", `Reacted to "three" with +`, 0},
		{"beginning", "one|twelve thousand votes", `Reacted to "twelve thousand v..." with +`, 2},
		{"beginning of two", "twelve thousand votes|twelve thousand views", `Reacted to "twelve thousand v..." with +`, 0},
		{"beginning of nothing more", "twelve thousand", `Reacted to "twelve thousand..." with +`, 0},
		{"whole text with dots", "well...", `Reacted to "well..." with +`, 1},
		{"whole text with dots or beginning", "well, well...|well, well then", `Reacted to "well, well..." with +`, 0},
		{"beginning too short", "well then", `Reacted to "well..." with +`, 0},
		{"half an emoji", "thousands \U0001F680", "Reacted to \"thousands \ufffd...\" with +", 1},
		{"own words of a reply", "one|Replying to \"one\"\n\nbut why", `Reacted to "but why" with +`, 2},
		{"not the head of a reply", "one|Replying to \"one\"\n\nbut why", `Reacted to "Replying to "one..." with +`, 0},
		{"quotation marks in the quotation", `say "no" to it`, `Reacted to "say "no" to it" with +`, 1},
		{"quotation holding the words between", `a" with b`, `Reacted to "a" with b" with +`, 1},
		{"not a reaction", "one|Reacted to \"one\" with +", `Replying to "Reacted to "one" with +"` + "\n\nwhy", 0},
		{"spaces around", "one|Replying to \"one\" \n\n yes", "Replying to \"yes\"\n\nno", 2},
		{"CR in the original", "one\r\rtwo", "Replying to \"one\n\ntwo\"\n\nno", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []zoomchat.Line
			for i, text := range append(strings.Split(tt.said, "|"), tt.quoting) {
				lines = append(lines, zoomchat.Line{Number: i + 1, At: time.Duration(i) * time.Second, Name: "A", Text: text})
			}
			in, err := zoomchat.Plan(t.Context(), lines, options(), nil)
			if err != nil {
				t.Fatal(err)
			}
			var want proofs.Hash
			if tt.want > 0 {
				want = in.Steps[tt.want-1].ID
			}
			last := in.Steps[len(in.Steps)-1]
			if strings.HasPrefix(tt.quoting, "Reacted") != (last.Kind == zoomchat.KindReaction) {
				t.Errorf("kind %s", last.Kind)
			}
			if last.Message.ReplyTo != want {
				t.Errorf("linked to %s, want %s", last.Message.ReplyTo, want)
			}
		})
	}
}

func TestPlanErrors(t *testing.T) {
	var start time.Time
	with := func(change func(*zoomchat.Options)) zoomchat.Options { o := options(); change(&o); return o }
	const fine = "00:00:07\tA:\thi\r\n"
	for _, tt := range []struct {
		name, file string
		o          zoomchat.Options
		want       string
	}{
		{"no start", fine, with(func(o *zoomchat.Options) { o.Start = start }), "start: missing"},
		{"start long ago", fine, with(func(o *zoomchat.Options) { o.Start = time.UnixMilli(1) }), "got 1970"},
		{"start far ahead", fine, with(func(o *zoomchat.Options) { o.Start = time.Date(20260, 1, 1, 0, 0, 0, 0, time.UTC) }), "got 20260"},
		{"start too fine", fine, with(func(o *zoomchat.Options) { o.Start = o.Start.Add(1) }), "whole milliseconds"},
		{"no secret", fine, with(func(o *zoomchat.Options) { o.Secret = [32]byte{} }), "secret: want 32 random bytes"},
		{"no log", fine, with(func(o *zoomchat.Options) { o.Log = proofs.Hash{} }), "log: domain or id missing"},
		{"no domain", fine, with(func(o *zoomchat.Options) { o.Domain = proofs.Domain{} }), "log: domain or id missing"},
		{"bad room", fine, with(func(o *zoomchat.Options) { o.Room = "A" }), "room: "},
		{"later than now", fine + "00:00:09\tA:\thi\r\n",
			with(func(o *zoomchat.Options) { o.Latest = o.Start.Add(8 * time.Second) }),
			"line 2: said at 2026-08-20T14:00:09Z, which is after 2026-08-20T14:00:08Z"},
		{"long name", fine + "00:00:09\t" + strings.Repeat("n", proofs.MaxAuthor-4) + ":\thi\r\n", options(),
			"line 2: author: want 1 to 256 bytes, got 257"},
		{"long text", fine + "00:00:09\tA:\t" + strings.Repeat("\n", proofs.MaxBody+1) + "\r\n", options(),
			"line 2: body: 65537 bytes are over the limit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, err := zoomchat.Plan(t.Context(), parse(t, tt.file), tt.o, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) || in != nil {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// An edit carries its words as JSON: what fits as a text may not fit as an edit.
func TestPlanLongEdit(t *testing.T) {
	log := newMemory(t)
	log.importFile("00:00:07\tA:\thi\r\n", options())
	lines := parse(t, "00:00:07\tA:\t"+strings.Repeat("\n", proofs.MaxBody)+"\r\n")
	if _, err := zoomchat.Plan(t.Context(), lines, options(), nil); err != nil {
		t.Errorf("as a new line: %v", err)
	}
	_, err := zoomchat.Plan(t.Context(), lines, options(), log)
	if err == nil || !strings.Contains(err.Error(), "line 1: edit: body: 131") {
		t.Errorf("as an edit: got %v", err)
	}
}

type broken struct{ err error }

func (b broken) Versions(context.Context, proofs.Room, string) ([]proofs.Message, error) {
	return nil, b.err
}

func TestPlanKnownFails(t *testing.T) {
	down := errors.New("log is down")
	_, err := zoomchat.Plan(t.Context(), parse(t, "00:00:07\tA:\thi\r\n"), options(), broken{down})
	if !errors.Is(err, down) || !strings.HasPrefix(err.Error(), "line 1: ") {
		t.Errorf("got %v", err)
	}
}

func TestPlanAgainAddsNothing(t *testing.T) {
	log, file := newMemory(t), string(readSample(t, "call.txt"))
	first := log.importFile(file, options())
	other := options()
	other.Secret = [32]byte{9}
	for name, o := range map[string]zoomchat.Options{"same secret": options(), "another secret": other} {
		again := log.importFile(file, o)
		if again.Keeps != 30 || again.Adds+again.Edits != 0 {
			t.Errorf("%s: got %+v", name, counts(again))
		}
		for i, s := range again.Steps {
			if s.ID != first.Steps[i].ID {
				t.Errorf("%s: line %d has another id", name, s.Line.Number)
			}
		}
	}
	fresh := plan(t, file, options(), nil)
	for i, s := range plan(t, file, other, nil).Steps {
		if fresh.Steps[i].ID != first.Steps[i].ID {
			t.Errorf("line %d: the same secret gives another id", s.Line.Number)
		}
		if s.Message.Salt == fresh.Steps[i].Message.Salt || s.Message.Salt.IsZero() {
			t.Errorf("line %d: salt does not depend on the secret", s.Line.Number)
		}
	}
}

func TestPlanEditedCopy(t *testing.T) {
	log, original, edited := newMemory(t), string(readSample(t, "call.txt")), string(readSample(t, "call-edited.txt"))
	first := log.importFile(original, options())
	copied := log.importFile(edited, options())
	if diff := cmp.Diff(zoomchat.Import{Adds: 1, Edits: 2, Keeps: 28, Replies: 8, LinkedReplies: 7, Reactions: 8,
		LinkedReactions: 7, Doubtful: []int{49}}, counts(copied)); diff != "" {
		t.Fatalf("edited copy (-want +got):\n%s", diff)
	}
	changed := map[zoomchat.Action][]zoomchat.Step{}
	for _, s := range copied.Steps {
		changed[s.Action] = append(changed[s.Action], s)
	}
	budget, grants, noted := changed[zoomchat.Edit][0], changed[zoomchat.Edit][1], changed[zoomchat.Add][0]
	before := first.Steps[6]
	want := before.Message
	want.Kind, want.Replaces, want.Salt = "edit", before.ID, budget.Message.Salt
	want.Body = `{"kind":"text/plain","body":"correction: the budget for the third quarter is 30 ETH lower than planned"}`
	if diff := cmp.Diff(want, budget.Message); diff != "" || want.Salt == before.Message.Salt {
		t.Errorf("edit (-want +got):\n%s", diff)
	}
	if grants.Message.Replaces != first.Steps[7].ID || grants.Message.ReplyTo != before.ID {
		t.Errorf("edited reply: got %+v", grants.Message)
	}
	if noted.Message.ReplyTo != before.ID {
		t.Error("a new reply that quotes the earlier words is not linked to the first message")
	}
	for name, file := range map[string]string{"edited copy again": edited, "original again": original} {
		if in := log.importFile(file, options()); in.Adds+in.Edits != 0 {
			t.Errorf("%s: got %+v", name, counts(in))
		}
	}

	third := strings.Replace(edited, "30 ETH", "35 ETH", 1)
	in := log.importFile(third, options())
	if in.Edits != 1 || in.Adds != 0 || in.Steps[6].Message.Replaces != budget.ID {
		t.Errorf("third copy: got %+v", counts(in))
	}
	if in := log.importFile(third, options()); in.Adds+in.Edits != 0 {
		t.Errorf("third copy again: got %+v", counts(in))
	}
}

// An edit may change what kind of line it is, and its words may need no escape but those of JSON.
func TestPlanEditBody(t *testing.T) {
	log := newMemory(t)
	log.importFile("00:00:07\tA:\tone\r\n00:00:08\tB:\ttwo\r\n", options())
	file := "00:00:07\tA:\tone\r\n00:00:08\tB:\tReacted to \"one\" with <&\U0001F44D\u200d>\r\n"
	in := log.importFile(file, options())
	const want = `{"kind":"text/reaction","body":"Reacted to \"one\" with <&` + "\U0001F44D\u200d" + `>"}`
	if s := in.Steps[1]; s.Action != zoomchat.Edit || s.Kind != zoomchat.KindReaction || s.Message.Body != want ||
		s.Message.ReplyTo != in.Steps[0].ID {
		t.Errorf("got %s %+v", s.Action, s.Message)
	}
	if in := log.importFile(file, options()); in.Keeps != 2 {
		t.Errorf("again: got %+v", counts(in))
	}
}

// An edit of something else is no version of the line.
func TestPlanEditAlone(t *testing.T) {
	log := newMemory(t)
	m := plan(t, "00:00:07\tA:\tone\r\n", options(), nil).Steps[0].Message
	m.Kind, m.Body = proofs.KindEdit, `{"kind":"text/plain","body":"one"}`
	log.append(m)
	if in := log.importFile("00:00:07\tA:\tone\r\n", options()); in.Adds != 1 {
		t.Errorf("got %+v", counts(in))
	}
}

// What others wrote under a line's source does not count as the line.
func TestPlanPassesOver(t *testing.T) {
	const file, copied = "00:00:07\tA:\tone\r\n", "00:00:07\tA:\ttwo\r\n"
	for name, change := range map[string]func(*proofs.Message){
		"another author":         func(m *proofs.Message) { m.Author = "zoom:B"; m.Body = "two" },
		"another log":            func(m *proofs.Message) { m.Log = proofs.Hash{7}; m.Body = "two" },
		"a retraction":           func(m *proofs.Message) { m.Kind, m.Body = proofs.KindRetract, `{"reason":"two"}` },
		"an edit without JSON":   func(m *proofs.Message) { m.Kind, m.Body = proofs.KindEdit, "two" },
		"an edit that is null":   func(m *proofs.Message) { m.Kind, m.Body = proofs.KindEdit, "null" },
		"an edit with more keys": func(m *proofs.Message) { m.Kind, m.Body = proofs.KindEdit, `{"kind":"text/plain","body":"two","x":1}` },
		"an edit and more": func(m *proofs.Message) {
			m.Kind, m.Body = proofs.KindEdit, `{"kind":"text/plain","body":"two"} `+`{}`
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := newMemory(t)
			m := plan(t, file, options(), nil).Steps[0].Message
			change(&m)
			log.append(m)
			if in := log.importFile(file, options()); in.Adds != 1 {
				t.Errorf("beside it alone: got %+v", counts(in))
			}
			m.SentAt++
			log.append(m)
			if in := log.importFile(copied, options()); in.Edits != 1 ||
				in.Steps[0].Message.Replaces != plan(t, file, options(), nil).Steps[0].ID {
				t.Errorf("after it: got %+v", counts(in))
			}
		})
	}
}
