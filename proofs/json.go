package proofs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Strict JSON, section 9 of the format. encoding/json cannot serve: it takes the last of repeated
// keys, folds their case, and turns lone surrogates into U+FFFD.

const maxDepth = 32

// value is a JSON value: object, array, string, number (its text), bool or nil.
type value any

type (
	object map[string]value
	array  []value
	number string
)

type parser struct {
	b     []byte
	at    int
	depth int
}

// parseJSON reads one strict JSON object, from the first byte on; at most one newline may follow it.
func parseJSON(b []byte) (value, error) {
	if !utf8.Valid(b) {
		return nil, errors.New("invalid UTF-8")
	}
	if len(b) == 0 || b[0] != '{' {
		return nil, errors.New("want an object from the first byte on")
	}
	p := &parser{b: b}
	v, err := p.value()
	if err != nil {
		return nil, fmt.Errorf("byte %d: %w", p.at, err)
	}
	if rest := string(b[p.at:]); rest != "" && rest != "\n" {
		return nil, fmt.Errorf("byte %d: trailing bytes", p.at)
	}
	return v, nil
}

func (p *parser) space() {
	for p.at < len(p.b) && strings.IndexByte(" \t\r\n", p.b[p.at]) >= 0 {
		p.at++
	}
}

// next skips white space and returns the byte there without taking it, 0 at the end.
func (p *parser) next() byte {
	p.space()
	if p.at == len(p.b) {
		return 0
	}
	return p.b[p.at]
}

func (p *parser) take(c byte) error {
	if p.next() != c {
		return fmt.Errorf("want %q", c)
	}
	p.at++
	return nil
}

func (p *parser) value() (value, error) {
	switch c := p.next(); c {
	case '{', '[':
		if p.depth++; p.depth > maxDepth {
			return nil, fmt.Errorf("nested over %d deep", maxDepth)
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.array()
	case '"':
		return p.string()
	case 't', 'f', 'n':
		for word, v := range map[string]value{"true": true, "false": false, "null": nil} {
			if strings.HasPrefix(string(p.b[p.at:min(len(p.b), p.at+len(word))]), word) {
				p.at += len(word)
				return v, nil
			}
		}
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return p.number()
		}
	}
	return nil, errors.New("want a value")
}

func (p *parser) object() (value, error) {
	p.at++
	o := object{}
	if p.next() == '}' {
		p.at++
		return o, nil
	}
	for {
		if p.next() != '"' {
			return nil, errors.New("want a key")
		}
		key, err := p.string()
		if err != nil {
			return nil, err
		}
		if _, dup := o[key.(string)]; dup {
			return nil, fmt.Errorf("repeated key %.40q", key)
		}
		if err := p.take(':'); err != nil {
			return nil, err
		}
		if o[key.(string)], err = p.value(); err != nil {
			return nil, err
		}
		if p.next() == ',' {
			p.at++
			continue
		}
		return o, p.take('}')
	}
}

func (p *parser) array() (value, error) {
	p.at++
	a := array{}
	if p.next() == ']' {
		p.at++
		return a, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		if p.next() == ',' {
			p.at++
			continue
		}
		return a, p.take(']')
	}
}

func (p *parser) number() (value, error) {
	start := p.at
	if p.b[p.at] == '-' {
		p.at++
	}
	digits := func() int {
		from := p.at
		for p.at < len(p.b) && p.b[p.at] >= '0' && p.b[p.at] <= '9' {
			p.at++
		}
		return p.at - from
	}
	first := p.at
	if n := digits(); n == 0 || n > 1 && p.b[first] == '0' {
		return nil, errors.New("bad number")
	}
	if p.at < len(p.b) && p.b[p.at] == '.' {
		p.at++
		if digits() == 0 {
			return nil, errors.New("bad number")
		}
	}
	if p.at < len(p.b) && (p.b[p.at] == 'e' || p.b[p.at] == 'E') {
		p.at++
		if p.at < len(p.b) && (p.b[p.at] == '+' || p.b[p.at] == '-') {
			p.at++
		}
		if digits() == 0 {
			return nil, errors.New("bad number")
		}
	}
	return number(p.b[start:p.at]), nil
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (p *parser) string() (value, error) {
	p.at++
	var s []byte
	for {
		if p.at == len(p.b) {
			return nil, errors.New("string without end")
		}
		c := p.b[p.at]
		p.at++
		switch {
		case c == '"':
			return string(s), nil
		case c < 0x20:
			return nil, errors.New("control character in a string")
		case c != '\\':
			s = append(s, c)
			continue
		}
		if p.at == len(p.b) {
			return nil, errors.New("string without end")
		}
		c = p.b[p.at]
		p.at++
		if plain, ok := escapes[c]; ok {
			s = append(s, plain)
			continue
		}
		if c != 'u' {
			return nil, fmt.Errorf("bad escape \\%c", c)
		}
		r, err := p.unicode()
		if err != nil {
			return nil, err
		}
		s = utf8.AppendRune(s, r)
	}
}

// unicode reads what follows \u, and the second half of a surrogate pair.
func (p *parser) unicode() (rune, error) {
	r, err := p.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if p.at+2 > len(p.b) || string(p.b[p.at:p.at+2]) != `\u` {
		return 0, errors.New("lone surrogate")
	}
	p.at += 2
	low, err := p.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, errors.New("lone surrogate")
	}
	return r, nil
}

func (p *parser) hex4() (rune, error) {
	if p.at+4 > len(p.b) {
		return 0, errors.New("string without end")
	}
	digits := string(p.b[p.at : p.at+4])
	n, err := strconv.ParseUint(digits, 16, 16)
	if err != nil || digits != strings.ToLower(digits) {
		return 0, errors.New("want four lower-case hex digits after \\u")
	}
	p.at += 4
	return rune(n), nil
}

// reader takes typed fields out of an object; the first error stays.
type reader struct {
	o    object
	path string
	seen map[string]bool
	err  error
}

func newReader(v value, path string) *reader {
	r := &reader{path: path, seen: map[string]bool{}}
	o, ok := v.(object)
	if !ok {
		r.err = fmt.Errorf("%s: want an object", path)
	}
	r.o = o
	return r
}

func (r *reader) fail(key, format string, args ...any) {
	if r.err == nil {
		at := strings.TrimPrefix(r.path+"."+key, ".")
		r.err = fmt.Errorf("%s: %w", at, fmt.Errorf(format, args...))
	}
}

func (r *reader) has(key string) bool { _, ok := r.o[key]; return ok }

func (r *reader) get(key string) value {
	r.seen[key] = true
	v, ok := r.o[key]
	if !ok {
		r.fail(key, "missing")
	}
	return v
}

func (r *reader) object(key string) *reader {
	v := r.get(key)
	if r.err != nil {
		return &reader{err: r.err, seen: map[string]bool{}}
	}
	return newReader(v, strings.TrimPrefix(r.path+"."+key, "."))
}

func (r *reader) string(key string) string {
	s, ok := r.get(key).(string)
	if !ok {
		r.fail(key, "want a string")
	}
	return s
}

func (r *reader) array(key string, limit int) array {
	a, ok := r.get(key).(array)
	if !ok || len(a) > limit {
		r.fail(key, "want an array of at most %d", limit)
		return nil
	}
	return a
}

func (r *reader) bytes(key string, dst []byte) {
	if err := parseHex(dst, r.string(key)); err != nil {
		r.fail(key, "%w", err)
	}
}

func (r *reader) hash(key string) (h Hash)       { r.bytes(key, h[:]); return }
func (r *reader) address(key string) (a Address) { r.bytes(key, a[:]); return }

func (r *reader) hashes(key string, limit int) []Hash {
	a := r.array(key, limit)
	hashes := make([]Hash, len(a))
	for i, v := range a {
		s, _ := v.(string)
		if err := parseHex(hashes[i][:], s); err != nil {
			r.fail(key, "element %d: %w", i, err)
		}
	}
	return hashes
}

func (r *reader) base64(key string, v value, limit int) []byte {
	s, ok := v.(string)
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if !ok || err != nil || len(b) > limit || base64.StdEncoding.EncodeToString(b) != s {
		r.fail(key, "want canonical base64 of at most %d bytes", limit)
	}
	return b
}

// decimal reads a canonical decimal number that is at most limit.
func decimal(s string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > limit || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("want a decimal number of at most %d", limit)
	}
	return n, nil
}

func (r *reader) uint(key string, limit uint64) uint64 {
	n, err := decimal(r.string(key), limit)
	if err != nil {
		r.fail(key, "%w, as a string", err)
	}
	return n
}

func (r *reader) small(key string, limit uint64) uint64 {
	s, _ := r.get(key).(number)
	n, err := decimal(string(s), limit)
	if err != nil {
		r.fail(key, "%w", err)
	}
	return n
}

// close returns the first error, or one for a key that nobody asked for.
func (r *reader) close() error {
	if r.err != nil {
		return r.err
	}
	var unknown []string
	for key := range r.o {
		if !r.seen[key] {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		r.fail(unknown[0], "unknown key")
	}
	return r.err
}
