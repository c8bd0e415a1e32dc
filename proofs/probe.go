package proofs

// Probe is what one source gave of a batch's payload when it was last asked. It is a measurement of whoever asked, and
// proves nothing.
type Probe struct {
	Batch  uint64
	Source string // the host of a gateway
	Time   uint64 // ms since 1970 UTC
	Blocks uint64 // that it was asked for
	OK     bool   // it gave all of them, byte for byte
	Why    string // the first that it did not give; empty if OK
}
