package proofs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sort"
	"unicode/utf8"
)

// The part of dag-cbor that manifests and chunks use: maps, arrays, text, bytes, unsigned integers,
// null and links. One value has one encoding, and only that is read.

const (
	cborUint  = 0 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTag   = 6 << 5
	cborNull  = 0xf6
	linkTag   = 42
)

var errCBOR = errors.New("not canonical dag-cbor")

type cborWriter struct{ b []byte }

func (w *cborWriter) head(major byte, n uint64) {
	switch {
	case n < 24:
		w.b = append(w.b, major|byte(n))
	case n < 1<<8:
		w.b = append(w.b, major|24, byte(n))
	case n < 1<<16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, major|25), uint16(n))
	case n < 1<<32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, major|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, major|27), n)
	}
}

func (w *cborWriter) text(s string) { w.head(cborText, uint64(len(s))); w.b = append(w.b, s...) }

func (w *cborWriter) bytes(b []byte) { w.head(cborBytes, uint64(len(b))); w.b = append(w.b, b...) }

func (w *cborWriter) null() { w.b = append(w.b, cborNull) }

// link writes the CID of a dag-cbor block with the SHA-256 digest: tag 42, a zero byte, the CID.
func (w *cborWriter) link(digest Hash) {
	w.head(cborTag, linkTag)
	w.head(cborBytes, 1+4+32)
	w.b = append(append(append(w.b, 0), cidPrefix[:]...), digest[:]...)
}

// cborReader reads canonical items; the first error stays and makes every later read zero.
type cborReader struct {
	b   []byte
	err error
}

func (r *cborReader) fail() { r.err, r.b = errCBOR, nil }

// head reads one head of the given major type and returns its number.
func (r *cborReader) head(major byte) uint64 {
	if len(r.b) == 0 || r.b[0]&0xe0 != major {
		r.fail()
		return 0
	}
	n, size := uint64(r.b[0]&0x1f), 0
	if n >= 24 {
		if n > 27 {
			r.fail()
			return 0
		}
		size = 1 << (n - 24)
	}
	if len(r.b) < 1+size {
		r.fail()
		return 0
	}
	if size > 0 {
		var word [8]byte
		copy(word[8-size:], r.b[1:1+size])
		n = binary.BigEndian.Uint64(word[:])
		if least := [9]uint64{1: 24, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32}[size]; n < least {
			r.fail()
			return 0
		}
	}
	r.b = r.b[1+size:]
	return n
}

func (r *cborReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *cborReader) uint() uint64 { return r.head(cborUint) }

func (r *cborReader) bytes() []byte { return bytes.Clone(r.take(r.head(cborBytes))) }

func (r *cborReader) text() string {
	s := string(r.take(r.head(cborText)))
	if !utf8.ValidString(s) {
		r.fail()
	}
	return s
}

func (r *cborReader) hash() (h Hash) {
	b := r.take(r.head(cborBytes))
	if len(b) != len(h) {
		r.fail()
		return h
	}
	return Hash(b)
}

// null takes a null if it is next and reports whether it was.
func (r *cborReader) null() bool {
	if len(r.b) > 0 && r.b[0] == cborNull {
		r.b = r.b[1:]
		return true
	}
	return false
}

func (r *cborReader) link() (digest Hash) {
	if r.head(cborTag) != linkTag {
		r.fail()
	}
	b := r.take(r.head(cborBytes))
	if len(b) != 37 || b[0] != 0 || [4]byte(b[1:5]) != cidPrefix {
		r.fail()
		return digest
	}
	return Hash(b[5:])
}

// array reads the head of an array whose elements take at least one byte each.
func (r *cborReader) array() int {
	n := r.head(cborArray)
	if n > uint64(len(r.b)) {
		r.fail()
		return 0
	}
	return int(n)
}

// cborField is one key of a map and how its value is written and read.
type cborField[T any] struct {
	key   string
	write func(*cborWriter, *T)
	read  func(*cborReader, *T)
}

// schema is a map's fields in canonical order: by the length of the key, then by its bytes.
type schema[T any] []cborField[T]

func newSchema[T any](fields ...cborField[T]) schema[T] {
	sort.Slice(fields, func(i, j int) bool {
		a, b := fields[i].key, fields[j].key
		if len(a) != len(b) {
			return len(a) < len(b)
		}
		return a < b
	})
	return fields
}

func (s schema[T]) write(w *cborWriter, v *T) {
	w.head(cborMap, uint64(len(s)))
	for _, f := range s {
		w.text(f.key)
		f.write(w, v)
	}
}

func (s schema[T]) read(r *cborReader, v *T) {
	if r.head(cborMap) != uint64(len(s)) {
		r.fail()
	}
	for _, f := range s {
		if r.err != nil {
			return
		}
		if string(r.take(r.head(cborText))) != f.key {
			r.fail()
		}
		f.read(r, v)
	}
}

func intField[T any](key string, at func(*T) *uint64) cborField[T] {
	return cborField[T]{key,
		func(w *cborWriter, v *T) { w.head(cborUint, *at(v)) },
		func(r *cborReader, v *T) { *at(v) = r.uint() }}
}

func textField[T any, S ~string](key string, at func(*T) *S) cborField[T] {
	return cborField[T]{key,
		func(w *cborWriter, v *T) { w.text(string(*at(v))) },
		func(r *cborReader, v *T) { *at(v) = S(r.text()) }}
}

func hashField[T any](key string, at func(*T) *Hash) cborField[T] {
	return cborField[T]{key,
		func(w *cborWriter, v *T) { w.bytes(at(v)[:]) },
		func(r *cborReader, v *T) { *at(v) = r.hash() }}
}
