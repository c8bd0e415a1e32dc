package proofs

// cidPrefix is CIDv1, dag-cbor, sha2-256, 32 bytes.
var cidPrefix = [4]byte{0x01, 0x71, 0x12, 0x20}

// FormatCID returns the CID of a dag-cbor block, given the SHA-256 of its bytes.
func FormatCID(digest Hash) string {
	return "b" + base32Lower.EncodeToString(append(cidPrefix[:], digest[:]...))
}
