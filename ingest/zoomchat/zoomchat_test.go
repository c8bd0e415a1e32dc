package zoomchat_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/ingest/zoomchat"
)

const samples = "../../testdata/zoom"

func readSample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func parse(t testing.TB, text string) []zoomchat.Line {
	t.Helper()
	lines, err := zoomchat.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// render writes lines as an export does.
func render(lines []zoomchat.Line, end string) string {
	var b strings.Builder
	for _, l := range lines {
		s := int(l.At / time.Second)
		fmt.Fprintf(&b, "%02d:%02d:%02d\t%s:\t%s%s", s/3600, s/60%60, s%60, l.Name, l.Text, end)
	}
	return b.String()
}

// rendersBack reports whether lines give file again, the byte order mark left out.
func rendersBack(lines []zoomchat.Line, file string) bool {
	file = strings.TrimPrefix(file, "\ufeff")
	for _, end := range []string{"\r\n", "\n"} {
		if got := render(lines, end); got == file || strings.TrimSuffix(got, end) == file {
			return true
		}
	}
	return false
}

func TestParse(t *testing.T) {
	const second = time.Second
	line := func(number int, at time.Duration, name, text string) zoomchat.Line {
		return zoomchat.Line{Number: number, At: at, Name: name, Text: text}
	}
	for _, tt := range []struct {
		name, file string
		want       []zoomchat.Line
		doubtful   bool // the first line
	}{
		{"one line", "00:00:07\tA:\thi\r\n", []zoomchat.Line{line(1, 7*second, "A", "hi")}, false},
		{"no terminator at the end", "00:00:07\tA:\thi", []zoomchat.Line{line(1, 7*second, "A", "hi")}, false},
		{"byte order mark", "\ufeff00:00:07\tA:\thi\r\n", []zoomchat.Line{line(1, 7*second, "A", "hi")}, false},
		{"byte order mark twice is a text", "00:00:07\tA:\t\ufeff\ufeffhi\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", "\ufeff\ufeffhi")}, false},
		{"empty text", "00:00:07\tA:\t\r\n00:00:08\tB:\t\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", ""), line(2, 8*second, "B", "")}, false},
		{"hours beyond a day", "99:59:59\tA:\thi\r\n", []zoomchat.Line{line(1, 100*time.Hour-second, "A", "hi")}, false},
		{"colons, pipe and emoji in a name", "00:00:07\t a: b|(c):\U0001F697:\tx:\ty\r\n",
			[]zoomchat.Line{line(1, 7*second, " a: b|(c):\U0001F697", "x:\ty")}, false},
		{"LF, CR and CRLF inside a text", "00:00:07\tA:\t1\n2\r3\r\n4\r\n\r\n00:00:08\tB:\t5\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1\n2\r3\r\n4\r\n"), line(5, 8*second, "B", "5")}, false},
		{"text ending in CR, LF file", "00:00:07\tA:\t1\r\n2\n00:00:08\tB:\t5\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1\r\n2"), line(3, 8*second, "B", "5")}, false},
		{"a typed header after LF", "00:00:07\tA:\t1\n00:00:08\tB:\t5\r\n00:00:09\tC:\t6\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1\n00:00:08\tB:\t5"), line(3, 9*second, "C", "6")}, true},
		{"a typed header after CR", "00:00:07\tA:\t1\r00:00:08\tB:\t5\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1\r00:00:08\tB:\t5")}, true},
		{"converted to LF, headers count", "00:00:07\tA:\t1\n00:00:08\tB:\t5\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1"), line(2, 8*second, "B", "5")}, false},
		{"a time and no name is text", "00:00:07\tA:\t1\r\n00:00:08\tB\t5\r\n00:60:08\tB:\t5\r\n",
			[]zoomchat.Line{line(1, 7*second, "A", "1\r\n00:00:08\tB\t5\r\n00:60:08\tB:\t5")}, false},
		{"NUL and U+FFFD", "00:00:07\tA:\t\x00\ufffd\r\n", []zoomchat.Line{line(1, 7*second, "A", "\x00\ufffd")}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parse(t, tt.file)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if got[0].Doubtful() != tt.doubtful {
				t.Errorf("Doubtful: got %t", got[0].Doubtful())
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ name, file, want string }{
		{"empty", "", "the file is empty"},
		{"only a byte order mark", "\ufeff", "the file is empty"},
		{"captions", "WEBVTT\n\n1\n", `line 1: not a chat line: want HH:MM:SS<TAB>name:<TAB>text, got "WEBVTT"`},
		{"no colon after the name", "00:00:07\tA\thi\r\n", "line 1: not a chat line"},
		{"no name", "00:00:07\t:\thi\r\n", "line 1: not a chat line"},
		{"61 seconds", "00:00:61\tA:\thi\r\n", "line 1: not a chat line"},
		{"blank line first", "\r\n00:00:07\tA:\thi\r\n", "line 1: not a chat line"},
		{"invalid UTF-8", "00:00:07\tA:\thi\n\xffyou\r\n", "line 2: invalid UTF-8 at byte 1 of the line"},
		{"cut in a letter", "00:00:07\tA:\th\xc3", "line 1: invalid UTF-8 at byte 14 of the line"},
		{"UTF-16", "\xff\xfe0\x000\x00", "line 1: the file is UTF-16"},
		{"too large", "00:00:07\tA:\t" + strings.Repeat("x", zoomchat.MaxFile), "over the limit of 4194304 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, err := zoomchat.Parse(strings.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) || lines != nil {
				t.Errorf("got %d lines and %v, want an error with %q", len(lines), err, tt.want)
			}
		})
	}
	if _, err := zoomchat.Parse(iotest.ErrReader(os.ErrDeadlineExceeded)); err == nil ||
		!strings.Contains(err.Error(), "read chat: ") {
		t.Errorf("failing reader: got %v", err)
	}
}

func TestParseRendersBack(t *testing.T) {
	for _, name := range []string{"call.txt", "call-edited.txt"} {
		file := string(readSample(t, name))
		if got := render(parse(t, file), "\r\n"); got != file {
			t.Errorf("%s: rendered again (-file +got):\n%s", name, cmp.Diff(file, got))
		}
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"\r", "\n", "\r\n", "\t", ":", ":\t", "00:00:01\tA:\t", "01:02:03\tB (c): |:\t", "x", "\U0001F43B\u200d❄️", " "}
	for range 2000 {
		file := "00:00:07\tA:\t"
		for range r.IntN(12) {
			file += pieces[r.IntN(len(pieces))]
		}
		if lines := parse(t, file); !rendersBack(lines, file) {
			t.Fatalf("%q parsed as %q", file, render(lines, "|"))
		}
	}
}

// A copy whose line ends were converted holds the same lines, but for typed headers, which it lets through.
func TestParseConvertedCopy(t *testing.T) {
	file := readSample(t, "call.txt")
	want := parse(t, string(file))
	got := parse(t, string(bytes.ReplaceAll(file, []byte("\r\n"), []byte("\n"))))
	i := 0
	for !want[i].Doubtful() {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("line %d (-original +converted):\n%s", want[i].Number, diff)
		}
		i++
	}
	if len(got) != len(want)+1 || got[i+1].Name != "Mira (chair)" || got[i+1].Text != "I resign" {
		t.Errorf("got %d lines for %d, the typed header gave %q", len(got), len(want), got[i+1].Text)
	}
	if diff := cmp.Diff(want[i+1:], got[i+2:]); diff != "" {
		t.Errorf("after the typed header (-original +converted):\n%s", diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(readSample(f, "call.txt"))
	f.Add([]byte("\ufeff00:00:07\tA:\t1\r\n00:00:08\tB:\t2"))
	f.Add([]byte("00:00:07\tA:\t1\n00:00:08\tB:\t2\r00:00:09\tC:\t3\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		lines, err := zoomchat.Parse(bytes.NewReader(file))
		if err != nil {
			return
		}
		if !rendersBack(lines, string(file)) {
			t.Fatalf("%q parsed as %q", file, render(lines, "|"))
		}
		rows := strings.Split(strings.TrimPrefix(string(file), "\ufeff"), "\n")
		for _, l := range lines {
			if head := l.Name + ":\t"; !strings.HasPrefix(rows[l.Number-1][len("00:00:00\t"):], head) {
				t.Errorf("row %d is %q, not the line by %q", l.Number, rows[l.Number-1], l.Name)
			}
		}
	})
}
