package proofs

import (
	"encoding/binary"
	"errors"
)

var errRLP = errors.New("not canonical RLP")

// rlpItem is one RLP item: a string or a list, its content, and the whole of its bytes.
type rlpItem struct {
	list    bool
	content []byte
	raw     []byte
}

// splitRLP returns the first item of b and what follows it. Only the canonical form is accepted.
func splitRLP(b []byte) (item rlpItem, rest []byte, err error) {
	if len(b) == 0 {
		return item, nil, errRLP
	}
	c := b[0]
	if c < 0x80 {
		return rlpItem{false, b[:1], b[:1]}, b[1:], nil
	}
	item.list = c >= 0xc0
	length, head := uint64(c&0x3f), 1
	if long := int(length) - 55; long > 0 {
		if len(b) < 1+long || b[1] == 0 {
			return item, nil, errRLP
		}
		var word [8]byte
		copy(word[8-long:], b[1:1+long])
		length, head = binary.BigEndian.Uint64(word[:]), 1+long
		if length <= 55 {
			return item, nil, errRLP
		}
	}
	if length > uint64(len(b)-head) {
		return item, nil, errRLP
	}
	end := head + int(length)
	item.content, item.raw = b[head:end], b[:end]
	if !item.list && length == 1 && item.content[0] < 0x80 {
		return item, nil, errRLP // one small byte stands for itself
	}
	return item, b[end:], nil
}

// splitRLPList returns the items of the one list that b is, at most limit of them. All of b is
// canonical, in whatever depth.
func splitRLPList(b []byte, limit int) ([]rlpItem, error) {
	list, rest, err := splitRLP(b)
	if err != nil || !list.list || len(rest) != 0 || checkRLP(list, 0) != nil {
		return nil, errRLP
	}
	var items []rlpItem
	for b := list.content; len(b) > 0; {
		var item rlpItem
		if item, b, err = splitRLP(b); err != nil {
			return nil, err
		}
		if items = append(items, item); len(items) > limit {
			return nil, errRLP
		}
	}
	return items, nil
}

// maxRLPDepth bounds the nesting of lists.
const maxRLPDepth = 32

// checkRLP reports whether an item is canonical in all of its depth.
func checkRLP(item rlpItem, depth int) error {
	if !item.list {
		return nil
	}
	if depth >= maxRLPDepth {
		return errRLP
	}
	for b := item.content; len(b) > 0; {
		inner, rest, err := splitRLP(b)
		if err == nil {
			err = checkRLP(inner, depth+1)
		}
		if err != nil {
			return err
		}
		b = rest
	}
	return nil
}

// rlpUint reads a canonical integer of at most 8 bytes.
func rlpUint(item rlpItem) (uint64, error) {
	if item.list || len(item.content) > 8 || len(item.content) > 0 && item.content[0] == 0 {
		return 0, errRLP
	}
	var word [8]byte
	copy(word[8-len(item.content):], item.content)
	return binary.BigEndian.Uint64(word[:]), nil
}

// appendRLPUint appends the canonical form of v.
func appendRLPUint(b []byte, v uint64) []byte {
	if v != 0 && v < 0x80 {
		return append(b, byte(v))
	}
	var word [8]byte
	binary.BigEndian.PutUint64(word[:], v)
	digits := word[:]
	for len(digits) > 0 && digits[0] == 0 {
		digits = digits[1:]
	}
	return append(append(b, 0x80+byte(len(digits))), digits...)
}
