package proofs

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// emptyTrie is the root of a trie that holds nothing: the hash of an empty string in RLP.
var emptyTrie = Keccak([]byte{0x80})

const maxWord = 32

// VerifyStorage checks what a contract holds in a slot under a state root, as eth_getProof shows it, and returns
// it: zero for a slot that the proof shows to be absent. The nodes of each trie are used strictly in order and all of
// them; an empty trie has none. An account that is absent or without code is an error.
func VerifyStorage(stateRoot Hash, account Address, accountProof [][]byte, slot Hash, storageProof [][]byte) (value Hash, err error) {
	key := Keccak(account[:])
	raw, err := VerifyTrie(stateRoot, key[:], accountProof)
	if err != nil {
		return Hash{}, fmt.Errorf("account %s: %w", account, err)
	}
	storageRoot, err := readAccount(raw)
	if err != nil {
		return Hash{}, fmt.Errorf("account %s: %w", account, err)
	}
	if storageRoot == emptyTrie && len(storageProof) == 0 {
		return Hash{}, nil
	}
	key = Keccak(slot[:])
	raw, err = lookup(storageRoot, key[:], storageProof)
	if err == nil && raw != nil {
		value, err = readWord(raw)
	}
	if err != nil {
		return Hash{}, fmt.Errorf("slot %s: %w", slot, err)
	}
	return value, nil
}

// readAccount returns the storage root of a contract's account: nonce, balance, storage root, hash of the code.
func readAccount(raw []byte) (storageRoot Hash, err error) {
	items, err := splitRLPList(raw, 4)
	if err != nil || len(items) != 4 || items[1].list || len(items[1].content) > maxWord ||
		items[2].list || len(items[2].content) != 32 || items[3].list || len(items[3].content) != 32 {
		return Hash{}, errors.New("malformed")
	}
	if _, err := rlpUint(items[0]); err != nil {
		return Hash{}, errors.New("malformed")
	}
	if Hash(items[3].content) == emptyHash {
		return Hash{}, errors.New("there is no contract")
	}
	return Hash(items[2].content), nil
}

// readWord reads what a slot's leaf holds: a canonical integer that is not zero, as one string.
func readWord(raw []byte) (w Hash, err error) {
	item, rest, err := splitRLP(raw)
	n := len(item.content)
	if err != nil || len(rest) != 0 || item.list || n == 0 || n > maxWord || item.content[0] == 0 {
		return Hash{}, errors.New("malformed")
	}
	copy(w[maxWord-n:], item.content)
	return w, nil
}

// AnchorLogHead is what AnchorLog keeps of a log in one word.
type AnchorLogHead struct {
	Submitter Address
	Batches   uint64 // below 2^32
	Messages  uint64
}

// AnchorLogHeadSlot returns the storage slot of AnchorLog with the log's head: docs/contracts.md, Storage.
func AnchorLogHeadSlot(log Hash) Hash {
	var w words
	return Keccak(w.hash(log).uint(0).b)
}

// ParseAnchorLogHead reads the word of AnchorLogHeadSlot. Every word is a head; zero is that of a log that was
// never opened.
func ParseAnchorLogHead(word Hash) AnchorLogHead {
	return AnchorLogHead{
		Submitter: Address(word[12:]),
		Batches:   uint64(binary.BigEndian.Uint32(word[8:12])),
		Messages:  binary.BigEndian.Uint64(word[:8]),
	}
}
