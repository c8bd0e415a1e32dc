package ipfs

import (
	"encoding/binary"
	"errors"

	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

var errNotDagCBOR = errors.New("not a dag-cbor block")

// The major types of CBOR, RFC 8949 section 3.1, and the one tag of dag-cbor.
const (
	majorBytes = 2
	majorText  = 3
	majorArray = 4
	majorMap   = 5
	majorTag   = 6
	tagLink    = 42
)

// links returns what a dag-cbor block links to, in order. It looks at heads only: pinning a batch of
// 100,000 entries, 115 MB, takes 0.2 s like this and 1 s when go-ipld-prime decodes the chunks.
func links(b []byte) ([]*ipld.Link, error) {
	var found []*ipld.Link
	for items := uint64(1); items > 0; items-- {
		major, n, rest, err := head(b)
		if err != nil {
			return nil, err
		}
		b = rest
		switch major {
		case majorBytes, majorText:
			if n > uint64(len(b)) {
				return nil, errNotDagCBOR
			}
			b = b[n:]
		case majorArray, majorMap:
			if n > uint64(len(b)) {
				return nil, errNotDagCBOR
			}
			items += n * uint64(major-majorArray+1)
		case majorTag:
			c, rest, err := link(n, b)
			if err != nil {
				return nil, err
			}
			found, b = append(found, &ipld.Link{Cid: c}), rest
		}
	}
	if len(b) != 0 {
		return nil, errNotDagCBOR
	}
	return found, nil
}

// head reads the head of one item: its major type and its number, a length or a value.
func head(b []byte) (major byte, n uint64, rest []byte, err error) {
	if len(b) == 0 {
		return 0, 0, nil, errNotDagCBOR
	}
	major, n, b = b[0]>>5, uint64(b[0]&31), b[1:]
	if n < 24 {
		return major, n, b, nil
	}
	size := 1 << (n - 24)
	if n > 27 || len(b) < size {
		return 0, 0, nil, errNotDagCBOR
	}
	var word [8]byte
	copy(word[8-size:], b[:size])
	return major, binary.BigEndian.Uint64(word[:]), b[size:], nil
}

// link reads what follows the head of a tag: a byte string of a zero byte and a CID.
func link(tag uint64, b []byte) (cid.Cid, []byte, error) {
	major, n, b, err := head(b)
	if err != nil || tag != tagLink || major != majorBytes || n == 0 || n > uint64(len(b)) || b[0] != 0 {
		return cid.Undef, nil, errNotDagCBOR
	}
	c, err := cid.Cast(b[1:n])
	return c, b[n:], err
}
