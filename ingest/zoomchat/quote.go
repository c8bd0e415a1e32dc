package zoomchat

import (
	"regexp"
	"strings"
)

// KindReaction is the kind of a line that says that somebody reacted to another line or took it back.
const KindReaction = "text/reaction"

const kindText = "text/plain"

// The shapes of replies and reactions, in English and Dutch: Zoom writes them in the language of the
// participant's client. Other languages are recorded as text, without a link. An emoji is taken for one
// if it holds no white space, no quotation mark and no ASCII letter.
const emoji = `[^\s"A-Za-z]+`

var (
	replyHead = regexp.MustCompile(`(?s)^(?:Replying to|Antwoord verzenden naar) "(.+?)" *[\r\n]`)
	reactions = []*regexp.Regexp{
		regexp.MustCompile(`(?s)^Reacted to "(.+)" with ` + emoji + `$`),
		regexp.MustCompile(`(?s)^Reacted to (.+) with "` + emoji + `"$`),
		regexp.MustCompile(`(?s)^Removed a ` + emoji + ` reaction from "(.+)"$`),
		regexp.MustCompile(`(?s)^Heeft gereageerd op "(.+)" met ` + emoji + `$`),
	}
)

// words is what a line says: what an edit can change.
type words struct{ kind, body string }

func wordsOf(text string) words {
	for _, r := range reactions {
		if r.MatchString(text) {
			return words{KindReaction, text}
		}
	}
	return words{kindText, text}
}

// quote returns the quotation in the head of a reply or in a reaction.
func (w words) quote() (string, bool) {
	if w.kind == KindReaction {
		for _, r := range reactions {
			if m := r.FindStringSubmatch(w.body); m != nil {
				return m[1], true
			}
		}
		return "", false
	}
	if m := replyHead.FindStringSubmatch(w.body); m != nil {
		return m[1], true
	}
	return "", false
}

// own returns the text without the head of a reply.
func (w words) own() string { return w.body[len(replyHead.FindString(w.body)):] }

// minBegin is the shortest beginning, in bytes, by which a line is found. Clients cut a quotation after 17 to
// 20 UTF-16 units.
const minBegin = 8

const several = -1

// quotes finds the line that a quotation means.
type quotes struct {
	whole map[string]int // what a line said -> its position, or several
	begin map[string][]said
}

type said struct {
	line int
	text string
}

func newQuotes() *quotes { return &quotes{map[string]int{}, map[string][]said{}} }

// add makes what a line says findable. A line may be added again with other words that it had once.
func (q *quotes) add(line int, w words) {
	if w.kind == KindReaction {
		return
	}
	text := normal(w.own())
	if other, ok := q.whole[text]; !ok {
		q.whole[text] = line
	} else if other != line {
		q.whole[text] = several
	}
	if len(text) >= minBegin {
		q.begin[text[:minBegin]] = append(q.begin[text[:minBegin]], said{line, text})
	}
}

// find returns the only line that says what is quoted, or whose beginning is quoted.
func (q *quotes) find(quotation string) (line int, ok bool) {
	quotation = normal(quotation)
	line, ok = q.whole[quotation]
	if begin, cut := beginning(quotation); cut && len(begin) >= minBegin {
		for _, s := range q.begin[begin[:minBegin]] {
			if len(s.text) == len(begin) || !strings.HasPrefix(s.text, begin) {
				continue
			}
			if ok && s.line != line {
				return 0, false
			}
			line, ok = s.line, true
		}
	}
	return line, ok && line != several
}

// beginning returns what stands before the dots of a quotation that was cut short. Where the cut went through
// an emoji, half of it is left as U+FFFD.
func beginning(quotation string) (string, bool) {
	for _, dots := range []string{"...", "\u2026"} {
		if s, ok := strings.CutSuffix(quotation, dots); ok {
			return strings.TrimRight(s, "\ufffd"), true
		}
	}
	return "", false
}

// normal is the form in which quotations are compared: reactions write LF where the text has CR, and
// some clients put a space around a reply.
func normal(s string) string { return strings.TrimSpace(lineBreaks.Replace(s)) }

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")
