package proofs

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of a message, in bytes unless said otherwise. SPEC sections 1 and 2.
const (
	MaxRoom        = 128
	MaxAuthor      = 256
	MaxKind        = 128
	MaxBody        = 65_536 // a wallet still shows it whole
	MaxSource      = 2_048
	MaxAttachments = 64 // a count
	MaxCID         = 128
	MaxScheme      = 64
	MaxEvidence    = 65_536
)

// Room names a room: 1 to 128 bytes of a-z 0-9 . _ / -.
type Room string

// ParseRoom checks s and returns it as a Room.
func ParseRoom(s string) (Room, error) {
	if len(s) == 0 || len(s) > MaxRoom {
		return "", fmt.Errorf("room: want 1 to %d bytes, got %d", MaxRoom, len(s))
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("._/-", rune(c)) {
			return "", fmt.Errorf("room: %q at byte %d is not one of a-z 0-9 . _ / -", c, i)
		}
	}
	return Room(s), nil
}

// Tag returns the room's tag, keccak256 of its name.
func (r Room) Tag() Hash { return keccakText(string(r)) }

// Author is who a message says it is from: a wallet as 0x and 40 lower-case hex digits, or a URI.
type Author string

var scheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)

// ParseAuthor checks s and returns it as an Author.
func ParseAuthor(s string) (Author, error) {
	if len(s) == 0 || len(s) > MaxAuthor {
		return "", fmt.Errorf("author: want 1 to %d bytes, got %d", MaxAuthor, len(s))
	}
	if !utf8.ValidString(s) {
		return "", errors.New("author: invalid UTF-8")
	}
	if strings.HasPrefix(s, "0x") {
		if _, err := ParseAddress(s); err != nil {
			return "", fmt.Errorf("author: %w", err)
		}
		return Author(s), nil
	}
	if m := scheme.FindString(s); m == "" || len(m) == len(s) {
		return "", errors.New("author: want a wallet (0x and 40 lower-case hex digits) or a URI such as zoom:Name")
	}
	return Author(s), nil
}

// Wallet returns the author's address if the author is a wallet.
func (a Author) Wallet() (Address, bool) {
	addr, err := ParseAddress(string(a))
	return addr, err == nil
}

// Commit returns the salted commitment to the author that an entry carries.
func (a Author) Commit(salt Hash) Hash { return Keccak(salt[:], []byte(a)) }

var wellKnown = map[string]bool{
	"governance.proposal": true, "tx.confirmation": true, "nft.transfer": true,
	"defi.alert": true, "call.receipt": true, KindEdit: true, KindRetract: true,
}

// isMediaType reports whether s is two names of a media type and a slash.
func isMediaType(s string) bool {
	top, sub, ok := strings.Cut(s, "/")
	return ok && isMediaName(top) && isMediaName(sub)
}

func isMediaName(s string) bool {
	for i := range len(s) {
		alnum := s[i] >= 'a' && s[i] <= 'z' || s[i] >= '0' && s[i] <= '9'
		if !alnum && (i == 0 || strings.IndexByte("!#$&^_.+-", s[i]) < 0) {
			return false
		}
	}
	return s != ""
}

// Well-known kinds about other messages.
const (
	KindEdit    = "edit"    // body {"kind":K,"body":B}: the new words of the message named by Replaces
	KindRetract = "retract" // body {"reason":R}
)

// IsWellKnown reports whether kind is one whose body is JSON of a published schema.
func IsWellKnown(kind string) bool { return wellKnown[kind] }

// CheckKind reports what is wrong with kind, a media type without parameters or a well-known kind.
func CheckKind(kind string) error {
	if len(kind) > MaxKind || !isMediaType(kind) && !wellKnown[kind] {
		return fmt.Errorf("kind: want a media type such as text/plain or a well-known kind, got %.40q", kind)
	}
	return nil
}

// Message is what an author signs. The zero Hash stands for "none" in the four references.
type Message struct {
	Log         Hash
	Room        Room
	Author      Author
	SentAt      uint64 // ms since 1970 UTC, the author's word
	Kind        string
	Body        string
	Attachments []string // CIDs
	Source      string   // URI of the original on another system, or empty
	ReplyTo     Hash
	Replaces    Hash
	Seen        Hash // newest message of the room that the author had seen
	NotBefore   Hash // hash of a recent block
	Salt        Hash
}

// Check reports the first field that breaks a rule of sections 1 and 2 of the format.
func (m *Message) Check() error {
	if len(m.Body) > MaxBody {
		return fmt.Errorf("body: %d bytes are over the limit of %d; send the rest as an attachment", len(m.Body), MaxBody)
	}
	if _, err := ParseRoom(string(m.Room)); err != nil {
		return err
	}
	if _, err := ParseAuthor(string(m.Author)); err != nil {
		return err
	}
	if err := CheckKind(m.Kind); err != nil {
		return err
	}
	if !utf8.ValidString(m.Body) {
		return errors.New("body: invalid UTF-8")
	}
	if len(m.Source) > MaxSource || !utf8.ValidString(m.Source) || m.Source != "" && !scheme.MatchString(m.Source) {
		return fmt.Errorf("source: want empty or a URI of at most %d bytes", MaxSource)
	}
	if len(m.Attachments) > MaxAttachments {
		return fmt.Errorf("attachments: %d are over the limit of %d", len(m.Attachments), MaxAttachments)
	}
	for i, a := range m.Attachments {
		if err := CheckCID(a); err != nil {
			return fmt.Errorf("attachment %d: %w", i, err)
		}
	}
	return nil
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// CheckCID reports whether s is anything but a CIDv1 in canonical base32 of at most MaxCID bytes.
func CheckCID(s string) error {
	bad := errors.New("want a CIDv1 in base32 (b...)")
	if len(s) > MaxCID || !strings.HasPrefix(s, "b") {
		return bad
	}
	raw, err := base32Lower.DecodeString(s[1:])
	if err != nil || base32Lower.EncodeToString(raw) != s[1:] || len(raw) == 0 || raw[0] != 1 {
		return bad
	}
	raw = raw[1:]
	var field [3]uint64 // codec, hash function, digest length
	for i := range field {
		v, n := binary.Uvarint(raw)
		if n <= 0 || n > 9 || n > 1 && raw[n-1] == 0 {
			return bad
		}
		field[i], raw = v, raw[n:]
	}
	if uint64(len(raw)) != field[2] {
		return bad
	}
	return nil
}
