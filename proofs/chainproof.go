package proofs

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// Header is what a verifier reads from a block's header.
type Header struct {
	Hash         Hash
	StateRoot    Hash // zero, which is no trie's, if the field has another length than 32 bytes
	ReceiptsRoot Hash
	Number       uint64
	Time         uint64 // seconds since 1970 UTC
}

// Positions in a header's RLP list. Forks only append fields.
const (
	headerStateRoot    = 3
	headerReceiptsRoot = 5
	headerNumber       = 8
	headerTime         = 11
	headerFields       = 15 // the least that ever was
	maxHeaderFields    = 64
	maxLogs            = 1 << 16
)

// ParseHeader hashes the raw bytes of a header and reads fields by position. It never re-encodes
// it: a fork that adds a field would change the hash of a typed header.
func ParseHeader(raw []byte) (Header, error) {
	if len(raw) > maxHeader {
		return Header{}, fmt.Errorf("header: %d bytes are over the limit of %d", len(raw), maxHeader)
	}
	items, err := splitRLPList(raw, maxHeaderFields)
	if err != nil || len(items) < headerFields {
		return Header{}, errors.New("header: want one RLP list of 15 to 64 fields")
	}
	for _, item := range items {
		if item.list {
			return Header{}, errors.New("header: a field is a list")
		}
	}
	h := Header{Hash: Keccak(raw)}
	if len(items[headerReceiptsRoot].content) != 32 {
		return Header{}, errors.New("header: receipts root is not 32 bytes")
	}
	h.ReceiptsRoot = Hash(items[headerReceiptsRoot].content)
	if root := items[headerStateRoot].content; len(root) == len(h.StateRoot) {
		h.StateRoot = Hash(root)
	}
	if h.Number, err = rlpUint(items[headerNumber]); err == nil {
		h.Time, err = rlpUint(items[headerTime])
	}
	if err != nil {
		return Header{}, errors.New("header: number or time is not a canonical integer")
	}
	return h, nil
}

// VerifyTrie walks a Merkle-Patricia trie from root along key and returns the value there. The nodes
// are used strictly in order and all of them; absence and every other failure is ErrProof.
func VerifyTrie(root Hash, key []byte, nodes [][]byte) ([]byte, error) {
	value, err := lookup(root, key, nodes)
	if err == nil && value == nil {
		err = ErrProof
	}
	return value, err
}

// lookup is VerifyTrie but that it returns nil for a key that is shown to be absent: where the trie goes on, it
// goes on elsewhere. It tells that only of tries whose keys have one length.
func lookup(root Hash, key []byte, nodes [][]byte) ([]byte, error) {
	path := nibbles(key)
	var node []byte // the embedded node to read next, nil when the next is asked for by hash
	want, top := root, true
	for {
		if node == nil {
			if len(nodes) == 0 || Keccak(nodes[0]) != want || len(nodes[0]) < 32 && !top {
				return nil, ErrProof
			}
			node, nodes, top = nodes[0], nodes[1:], false
		}
		items, err := splitRLPList(node, 17)
		if err != nil || len(items) == 17 && (items[16].list || slices.ContainsFunc(items[:16], badChild)) {
			return nil, ErrProof
		}
		var next rlpItem
		switch {
		case len(items) == 17 && len(path) > 0:
			next, path = items[path[0]], path[1:]
		case len(items) == 17:
			return lastValue(items[16], nodes)
		case len(items) == 2:
			part, leaf, err := compactPath(items[0])
			if err != nil || len(part) > len(path) || leaf && len(part) != len(path) {
				return nil, ErrProof
			}
			if !bytes.HasPrefix(path, part) {
				if empty := !items[1].list && len(items[1].content) == 0; empty || !leaf && badChild(items[1]) || leaf && items[1].list {
					return nil, ErrProof
				}
				return absent(nodes)
			}
			if leaf {
				return lastValue(items[1], nodes)
			}
			next, path = items[1], path[len(part):]
		default:
			return nil, ErrProof
		}
		switch {
		case next.list && len(next.raw) < 32:
			node = next.raw
		case !next.list && len(next.content) == 32:
			node, want = nil, Hash(next.content)
		case !next.list && len(next.content) == 0 && len(items) == 17:
			return absent(nodes)
		default:
			return nil, ErrProof
		}
	}
}

// badChild reports whether a branch's child is neither absent, a hash, nor an embedded node.
func badChild(c rlpItem) bool {
	if c.list {
		return len(c.raw) >= 32
	}
	return len(c.content) != 0 && len(c.content) != 32
}

// absent ends the walk where the trie holds nothing for the key.
func absent(unused [][]byte) ([]byte, error) {
	if len(unused) != 0 {
		return nil, ErrProof
	}
	return nil, nil
}

func lastValue(item rlpItem, unused [][]byte) ([]byte, error) {
	if item.list || len(item.content) == 0 || len(unused) != 0 {
		return nil, ErrProof
	}
	return item.content, nil
}

func nibbles(key []byte) []byte {
	n := make([]byte, 0, 2*len(key))
	for _, c := range key {
		n = append(n, c>>4, c&15)
	}
	return n
}

// compactPath reads a hex-prefix path of at least one nibble, or of none in a leaf.
func compactPath(item rlpItem) (part []byte, leaf bool, err error) {
	if item.list || len(item.content) == 0 {
		return nil, false, ErrProof
	}
	n := nibbles(item.content)
	flag := n[0]
	if flag > 3 || flag&1 == 0 && n[1] != 0 {
		return nil, false, ErrProof
	}
	part, leaf = n[2-flag&1:], flag >= 2
	if len(part) == 0 && !leaf {
		return nil, false, ErrProof
	}
	return part, leaf, nil
}

var anchoredTopic = Keccak([]byte("Anchored(bytes32,uint256,bytes32,uint256,uint256,bytes32)"))

// VerifyAnchor checks that a transaction in the block of the header anchored exactly the batch on
// the log of c, and returns the header. Whether the block is canonical is not its question.
func VerifyAnchor(a *Anchor, b Batch, c Chain) (Header, error) {
	h, err := ParseHeader(a.Header)
	if err != nil {
		return Header{}, err
	}
	switch {
	case h.Hash != a.Block.Hash:
		return Header{}, errors.New("the header does not hash to blockHash")
	case h.Number != a.Block.Number:
		return Header{}, fmt.Errorf("the header is of block %d, not %d", h.Number, a.Block.Number)
	case h.Time != b.Time:
		return Header{}, fmt.Errorf("the block's time is %d, the batch says %d", h.Time, b.Time)
	}
	txReceipt, err := VerifyTrie(h.ReceiptsRoot, appendRLPUint(nil, a.TxIndex), a.Proof)
	if err != nil {
		return Header{}, fmt.Errorf("transaction receipt: %w", err)
	}
	if err := checkLog(txReceipt, a.LogIndex, b, c); err != nil {
		return Header{}, err
	}
	return h, nil
}

// checkLog checks status, emitter, topics and data of log logIndex in an encoded transaction receipt.
func checkLog(txReceipt []byte, logIndex uint64, b Batch, c Chain) error {
	if txReceipt[0] < 0x80 { // EIP-2718: a type byte, then the list
		txReceipt = txReceipt[1:]
	}
	items, err := splitRLPList(txReceipt, 4)
	if err != nil || len(items) != 4 || items[0].list || items[1].list || items[2].list ||
		len(items[2].content) != 256 || !items[3].list {
		return errors.New("transaction receipt: malformed")
	}
	if status, err := rlpUint(items[0]); err != nil || status != 1 {
		return errors.New("transaction receipt: status is not 1")
	}
	logs, err := splitRLPList(items[3].raw, maxLogs)
	if err != nil || logIndex >= uint64(len(logs)) {
		return errors.New("transaction receipt: no such log")
	}
	parts, err := splitRLPList(logs[logIndex].raw, 3)
	if err != nil || len(parts) != 3 || parts[2].list {
		return errors.New("log: malformed")
	}
	if parts[0].list || !bytes.Equal(parts[0].content, c.AnchorLog[:]) {
		return errors.New("log: not emitted by anchorLog")
	}
	var number words
	topics, err := splitRLPList(parts[1].raw, 4)
	for i, want := range [][]byte{anchoredTopic[:], c.Log[:], number.uint(b.Number).b} {
		if err != nil || len(topics) != 3 || topics[i].list || !bytes.Equal(topics[i].content, want) {
			return errors.New("log: topics are not those of the batch")
		}
	}
	var data words
	data.hash(b.Root).uint(b.First).uint(b.Size).hash(b.CID)
	if !bytes.Equal(parts[2].content, data.b) {
		return errors.New("log: data is not that of the batch")
	}
	return nil
}
