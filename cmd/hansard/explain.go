package main

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/hansard-dao/hansard/proofs"
)

// messageType is the type text of section 2 of the format; TestExplain holds the id computed here
// against proofs.
const messageType = "Message(bytes32 log,string room,string author,uint64 sentAt,string kind,string body," +
	"string[] attachments,string source,bytes32 replyTo,bytes32 replaces,bytes32 seen,bytes32 notBefore,bytes32 salt)"

var entryWords = [11]string{
	"H(Entry type)", "log", "index", "room", "roomIndex", "roomPrev", "message", "author", "vouch", "evidence", "receivedAt",
}

// explain prints the arithmetic of id, leaf, path, root and block of a receipt, hash by hash. It
// judges nothing: the checks do.
func explain(w io.Writer, rc *proofs.Receipt) {
	fmt.Fprintln(w, "\nThe arithmetic (H is keccak256, || joins bytes):")
	if rc.Message != nil {
		explainMessage(w, rc)
	}
	data := rc.Entry.LeafData()
	fmt.Fprintln(w, "  leaf: eleven words of the entry")
	for i, name := range entryWords {
		word(w, name, proofs.Hash(data[32*i:32*i+32]))
	}
	word(w, "H(0x00 || words)", rc.Entry.Leaf())
	if rc.Batch != nil {
		explainPath(w, stoodAt(rc))
	}
	if rc.Level == proofs.Finalized {
		explainBlock(w, rc.Anchor)
	}
	if rc.Fold != nil {
		explainFold(w, rc)
	}
}

func word(w io.Writer, name string, h proofs.Hash) { fmt.Fprintf(w, "    %-22s %s\n", name, h) }

// equal says whether a computed value is the one that the file states.
func equal(w io.Writer, field string, got, want proofs.Hash) {
	if got == want {
		fmt.Fprintf(w, "    %-22s is %s\n", "", field)
		return
	}
	fmt.Fprintf(w, "    %-22s DIFFERS from %s, which is\n    %-22s %s\n", "", field, "", want)
}

func uintWord(v uint64) (h proofs.Hash) {
	binary.BigEndian.PutUint64(h[24:], v)
	return h
}

func text(s string) proofs.Hash { return proofs.Keccak([]byte(s)) }

// explainMessage prints the words of the signed struct and returns the id computed from them.
func explainMessage(w io.Writer, rc *proofs.Receipt) proofs.Hash {
	m, domain := rc.Message, proofs.Hash(rc.Chain.MessageDomain())
	var attachments []byte
	for _, a := range m.Attachments {
		h := text(a)
		attachments = append(attachments, h[:]...)
	}
	fields := []struct {
		name string
		hash proofs.Hash
	}{
		{"H(Message type)", text(messageType)}, {"log", m.Log}, {"H(room)", m.Room.Tag()}, {"H(author)", text(string(m.Author))},
		{"sentAt", uintWord(m.SentAt)}, {"H(kind)", text(m.Kind)}, {"H(body)", text(m.Body)},
		{"H(attachments)", proofs.Keccak(attachments)}, {"H(source)", text(m.Source)}, {"replyTo", m.ReplyTo},
		{"replaces", m.Replaces}, {"seen", m.Seen}, {"notBefore", m.NotBefore}, {"salt", m.Salt},
	}
	fmt.Fprintln(w, "  id: EIP-712, fourteen words of the message")
	var words []byte
	for _, f := range fields {
		word(w, f.name, f.hash)
		words = append(words, f.hash[:]...)
	}
	structHash := proofs.Keccak(words)
	id := proofs.Keccak([]byte{0x19, 0x01}, domain[:], structHash[:])
	word(w, "struct = H(words)", structHash)
	fmt.Fprintf(w, "    domain of (Hansard, 1, chain %d, contract %s)\n", rc.Chain.ChainID, rc.Chain.AnchorLog)
	word(w, "domain", domain)
	word(w, "H(0x1901||domain||struct)", id)
	equal(w, "entry.message", id, rc.Entry.Message)
	word(w, "H(salt || author)", m.Author.Commit(m.Salt))
	equal(w, "entry.author", m.Author.Commit(m.Salt), rc.Entry.Author)
	word(w, "SHA-256(evidence)", rc.Evidence.Hash())
	equal(w, "entry.evidence", rc.Evidence.Hash(), rc.Entry.Evidence)
	return id
}

// place is where a leaf stands in a batch, as the file says.
type place struct {
	leaf     proofs.Hash
	index    uint64
	batch    *proofs.Batch
	siblings []proofs.Hash
}

func stoodAt(rc *proofs.Receipt) place {
	return place{rc.Entry.Leaf(), rc.Entry.Index, rc.Batch, rc.Inclusion}
}

// climb returns the nodes from the leaf to the root that the siblings give, and the leaf's position.
func (p place) climb() (nodes []proofs.Hash, position uint64) {
	position = p.index - p.batch.First
	nodes = []proofs.Hash{p.leaf}
	for k, sibling := range p.siblings {
		node := nodes[k]
		if position>>k&1 == 0 {
			nodes = append(nodes, proofs.HashNode(node, sibling))
		} else {
			nodes = append(nodes, proofs.HashNode(sibling, node))
		}
	}
	return nodes, position
}

func explainPath(w io.Writer, p place) {
	nodes, position := p.climb()
	fmt.Fprintf(w, "  root: position %d = index %d - first %d, of %d leaves\n", position, p.index, p.batch.First, p.batch.Size)
	for k, sibling := range p.siblings {
		left, right := nodes[k], sibling
		if position>>k&1 == 1 {
			left, right = sibling, nodes[k]
		}
		fmt.Fprintf(w, "    level %d: H(0x01 || left || right)\n", k)
		word(w, "  left", left)
		word(w, "  right", right)
		word(w, "  gives", nodes[k+1])
	}
	word(w, "root", nodes[len(nodes)-1])
	equal(w, "batch.root", nodes[len(nodes)-1], p.batch.Root)
}

func explainBlock(w io.Writer, a *proofs.Anchor) {
	fmt.Fprintf(w, "  block: the header, %d bytes\n", len(a.Header))
	word(w, "H(header)", proofs.Keccak(a.Header))
	equal(w, "anchor.blockHash", proofs.Keccak(a.Header), a.Block.Hash)
	h, err := proofs.ParseHeader(a.Header)
	if err != nil {
		fmt.Fprintf(w, "    %v\n", err)
		return
	}
	fmt.Fprintf(w, "    number %d, time %d\n", h.Number, h.Time)
	word(w, "receipts root", h.ReceiptsRoot)
	fmt.Fprintf(w, "  anchor: the trie's nodes on the way to the receipt of transaction %d\n", a.TxIndex)
	explainTrie(w, a.Proof, "the receipts root", h.ReceiptsRoot)
}

// explainTrie prints the hashes of a trie's nodes, the first of which is the root.
func explainTrie(w io.Writer, nodes [][]byte, name string, root proofs.Hash) {
	for i, node := range nodes {
		word(w, fmt.Sprintf("H(node %d, %d bytes)", i, len(node)), proofs.Keccak(node))
		if i == 0 {
			equal(w, name, proofs.Keccak(node), root)
		}
	}
}

var headWords = [9]string{
	"H(Head type)", "chainId", "anchorLog", "log", "batches", "messages", "H(peaks)", "blockNumber", "blockHash",
}

// explainFold prints the way from the batch to a peak, from the peaks to the head's leaf, and the other
// chain's block.
func explainFold(w io.Writer, rc *proofs.Receipt) {
	f, number, at := rc.Fold, rc.Batch.Number, rc.Batch.Hash()
	fmt.Fprintf(w, "  fold: batch %d of the %d of the head, up to its peak\n", number, f.Head.Batches)
	word(w, "H(0x00 || batch)", at)
	for k, sibling := range f.Path {
		left, right := at, sibling
		if number>>k&1 == 1 {
			left, right = sibling, at
		}
		at = proofs.HashNode(left, right)
		fmt.Fprintf(w, "    level %d: H(0x01 || left || right)\n", k)
		word(w, "  left", left)
		word(w, "  right", right)
		word(w, "  gives", at)
	}
	data := f.Head.LeafData()
	fmt.Fprintln(w, "  head: the peaks, and nine words")
	for _, p := range f.Head.Peaks {
		word(w, "peak", p)
		if p == at {
			fmt.Fprintf(w, "    %-22s is what the path gives\n", "")
		}
	}
	for i, name := range headWords {
		word(w, name, proofs.Hash(data[32*i:32*i+32]))
	}
	word(w, "H(0x00 || words)", f.Head.Leaf())
	equal(w, "fold.batch.root", f.Head.Leaf(), f.Batch.Root)
	explainBlock(w, &f.Anchor)
}
