// Package zoomchat turns the chat of a governance call, as Zoom exports it with a cloud recording, into
// messages of a Hansard room.
//
// A chat line is
//
//	00:12:28<TAB>Ada | Client (core):<TAB>Replying to "how long is the f..."
//
//	two weeks, I think
//
// that is: the time since the start of the recording, a tab, the display name, a colon, a tab and the
// text, which may go on over several lines. Parse reads the file, Plan makes each line a message and
// says which of them a log does not have yet.
//
// The message holds the text as it stands in the export, headers of replies and reactions included. Who
// said it and when is the export's word: nothing in the file is signed, a display name is whatever the
// participant typed, and a reaction or a reply header can be typed by hand. What else is not covered:
// a line that was taken out of a later copy is not noticed; a line whose time or name was altered is a
// new line; a copy that returns to earlier words adds nothing.
//
// TestPlanSample shows every shape, TestPlanEditedCopy what an edited copy adds.
package zoomchat

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxFile is the largest export that Parse reads, in bytes: a hundred times a busy call of 90 minutes.
const MaxFile = 4 << 20

// Line is one chat line.
type Line struct {
	Number int           // where it begins in the file, from 1; only LF ends a line for this count
	At     time.Duration // since the start of the recording, in whole seconds below 100 hours
	Name   string        // not empty; no tab, CR or LF
	Text   string        // byte for byte, without the terminator of the chat line
}

var header = regexp.MustCompile(`^([0-9]{2}):([0-5][0-9]):([0-5][0-9])\t([^\t\r\n]+):\t`)

// Parse reads a chat export: UTF-8, with or without byte order mark, at most MaxFile bytes.
//
// A file has one terminator: CRLF if any CRLF is followed by a chat line's header or by the end of the
// file, LF otherwise (a copy that some tool converted). A chat line ends at the first terminator that is
// followed by a header or by the end of the file; that terminator is not part of the text. Every other
// CRLF, LF or CR is. Zoom ends chat lines with CRLF and writes LF or CR inside a text, so nobody can type
// words that Parse takes for somebody else's line. In a converted copy they can: see Doubtful.
//
// Errors say the line and, where it is not obvious, what to do.
func Parse(r io.Reader) ([]Line, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read chat: %w", err)
	}
	if len(b) > MaxFile {
		return nil, fmt.Errorf("read chat: over the limit of %d bytes; is it a chat export?", MaxFile)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if err := checkUTF8(b); err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errors.New("read chat: the file is empty; was the chat exported?")
	}
	text := string(b)
	if !header.MatchString(text) {
		first, _, _ := strings.Cut(text, "\n")
		return nil, fmt.Errorf("line 1: not a chat line: want HH:MM:SS<TAB>name:<TAB>text, got %.60q; "+
			"take the chat file of a cloud recording, other exports are not read", first)
	}
	return split(text, terminator(text)), nil
}

func checkUTF8(b []byte) error {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return errors.New("line 1: the file is UTF-16; save it as UTF-8")
	}
	for line, at := 1, 0; len(b) > 0; {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return fmt.Errorf("line %d: invalid UTF-8 at byte %d of the line; export the chat again", line, at+1)
		}
		b, at = b[size:], at+size
		if r == '\n' {
			line, at = line+1, 0
		}
	}
	return nil
}

func terminator(text string) string {
	for rest := text; ; {
		var found bool
		if _, rest, found = strings.Cut(rest, "\r\n"); !found {
			return "\n"
		}
		if rest == "" || header.MatchString(rest) {
			return "\r\n"
		}
	}
}

// split cuts text, which begins with a header, into chat lines that end in end.
func split(text, end string) []Line {
	var lines []Line
	number := 1
	for text != "" {
		size, next := len(text), len(text)
		for i := 0; ; {
			j := strings.Index(text[i:], end)
			if j < 0 {
				break
			}
			i += j + len(end)
			if i == len(text) || header.MatchString(text[i:]) {
				size, next = i-len(end), i
				break
			}
		}
		lines = append(lines, parseLine(number, text[:size]))
		number += strings.Count(text[:next], "\n")
		text = text[next:]
	}
	return lines
}

func parseLine(number int, s string) Line {
	m := header.FindStringSubmatch(s)
	var at time.Duration
	for _, field := range m[1:4] {
		n, err := strconv.Atoi(field)
		if err != nil {
			panic("zoomchat: header let a time through that is no number: " + field)
		}
		at = at*60 + time.Duration(n)*time.Second
	}
	return Line{Number: number, At: at, Name: m[4], Text: s[len(m[0]):]}
}

// Doubtful reports whether the text holds what looks like another chat line after a line break that is
// not the file's terminator. Either the author typed it, or somebody edited the file and left it with two
// kinds of line ends, and then the words of another participant stand in this line's text. Show such a
// line to the user before it is recorded.
func (l Line) Doubtful() bool {
	for rest := l.Text; ; {
		i := strings.IndexAny(rest, "\r\n")
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
		if header.MatchString(rest) {
			return true
		}
	}
}
