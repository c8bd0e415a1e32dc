package proofs

import "encoding/binary"

// Type texts and their hashes, exactly as signed. SPEC sections 2, 4 and 8.
const (
	messageType = "Message(bytes32 log,string room,string author,uint64 sentAt,string kind,string body," +
		"string[] attachments,string source,bytes32 replyTo,bytes32 replaces,bytes32 seen," +
		"bytes32 notBefore,bytes32 salt)"
	entryType = "Entry(bytes32 log,uint64 index,bytes32 room,uint64 roomIndex,bytes32 roomPrev," +
		"bytes32 message,bytes32 author,uint8 vouch,bytes32 evidence,uint64 receivedAt)"
	promiseType = "Promise(bytes32 log,uint256 index,bytes32 leaf,uint256 deadline,address beneficiary)"
	domainType  = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)

var (
	messageTypeHash = Keccak([]byte(messageType))
	entryTypeHash   = Keccak([]byte(entryType))
	promiseTypeHash = Keccak([]byte(promiseType))
	domainTypeHash  = Keccak([]byte(domainType))
	nameHash        = Keccak([]byte("Hansard"))
	versionHash     = Keccak([]byte("1"))
)

// Chain names a log and where it lives. A verifier takes it from its trust file, never from a receipt.
type Chain struct {
	ChainID     uint64
	AnchorLog   Address
	PromiseBond Address // zero where the log has no bond
	Log         Hash
}

// LogID returns the id of the log that owner opened with salt.
func LogID(owner Address, salt Hash) Hash {
	var w words
	return Keccak(w.address(owner).hash(salt).b)
}

// Domain is an EIP-712 domain separator.
type Domain Hash

// MessageDomain returns the domain in which authors sign: the AnchorLog contract.
func (c Chain) MessageDomain() Domain { return domain(c.ChainID, c.AnchorLog) }

// PromiseDomain returns the domain in which promises are signed: the PromiseBond contract.
func (c Chain) PromiseDomain() Domain { return domain(c.ChainID, c.PromiseBond) }

func domain(chainID uint64, contract Address) Domain {
	var w words
	w.hash(domainTypeHash).hash(nameHash).hash(versionHash).uint(chainID).address(contract)
	return Domain(Keccak(w.b))
}

// digest returns what is signed for a struct hash: keccak256(0x1901 || domain || struct).
func (d Domain) digest(structHash Hash) Hash {
	return Keccak([]byte{0x19, 0x01}, d[:], structHash[:])
}

// MessageID returns the message id: the EIP-712 digest of m in the domain d.
func (d Domain) MessageID(m *Message) Hash {
	attachments := emptyHash
	if len(m.Attachments) > 0 {
		var each words
		for _, a := range m.Attachments {
			each.text(a)
		}
		attachments = Keccak(each.b)
	}
	w := words{make([]byte, 0, 14*32)}
	w.hash(messageTypeHash).hash(m.Log).text(string(m.Room)).text(string(m.Author)).uint(m.SentAt)
	w.text(m.Kind).text(m.Body).hash(attachments).text(m.Source)
	w.hash(m.ReplyTo).hash(m.Replaces).hash(m.Seen).hash(m.NotBefore).hash(m.Salt)
	return d.digest(Keccak(w.b))
}

// words builds ABI words of 32 bytes.
type words struct{ b []byte }

func (w *words) hash(h Hash) *words { w.b = append(w.b, h[:]...); return w }

func (w *words) text(s string) *words { return w.hash(keccakText(s)) }

func (w *words) uint(v uint64) *words {
	w.b = append(w.b, make([]byte, 24)...)
	w.b = binary.BigEndian.AppendUint64(w.b, v)
	return w
}

func (w *words) address(a Address) *words {
	w.b = append(w.b, make([]byte, 12)...)
	w.b = append(w.b, a[:]...)
	return w
}
