package proofs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// writer builds indented JSON with the keys in the order of the calls.
type writer struct {
	b     []byte
	depth int
	first bool
}

func (w *writer) key(key string) {
	if w.depth == 0 {
		return
	}
	if !w.first {
		w.b = append(w.b, ',')
	}
	w.first = false
	w.newline()
	if key != "" {
		w.b = append(quote(w.b, key), ": "...)
	}
}

func (w *writer) newline() { w.b = append(w.b, "\n"+strings.Repeat("  ", w.depth)...) }

func (w *writer) begin(key string, c byte) *writer {
	w.key(key)
	w.b = append(w.b, c)
	w.depth++
	w.first = true
	return w
}

func (w *writer) end(c byte) *writer {
	w.depth--
	if !w.first {
		w.newline()
	}
	w.first = false
	w.b = append(w.b, c)
	return w
}

func (w *writer) open(key string) *writer { return w.begin(key, '{') }
func (w *writer) close() *writer          { return w.end('}') }

func (w *writer) raw(key, text string) *writer {
	w.key(key)
	w.b = append(w.b, text...)
	return w
}

func (w *writer) text(key, s string) *writer {
	w.key(key)
	w.b = quote(w.b, s)
	return w
}

func (w *writer) uint(key string, v uint64) *writer {
	return w.text(key, strconv.FormatUint(v, 10))
}

func (w *writer) list(key string, items []string) *writer {
	w.begin(key, '[')
	for _, s := range items {
		w.text("", s)
	}
	return w.end(']')
}

func (w *writer) hashes(key string, hashes []Hash) *writer {
	items := make([]string, len(hashes))
	for i, h := range hashes {
		items[i] = h.String()
	}
	return w.list(key, items)
}

// quote appends s as a JSON string: only what must be escaped is, in the shortest form.
func quote(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func compact(raw json.RawMessage) string {
	var buf bytes.Buffer
	if err := json.Compact(&buf, raw); err != nil {
		panic("proofs: hints are not JSON: " + err.Error())
	}
	return buf.String()
}
