package proofs

// Promise is the operator's word that Leaf will stand at Index of Log in a batch anchored no later
// than Deadline.
type Promise struct {
	Log         Hash
	Index       uint64
	Leaf        Hash
	Deadline    uint64  // seconds since 1970 UTC
	Beneficiary Address // the author's wallet where there is one
	Signature   Signature
}

// PromiseDigest returns what a promise key signs. The signature plays no part.
func (d Domain) PromiseDigest(p *Promise) Hash {
	var w words
	w.hash(promiseTypeHash).hash(p.Log).uint(p.Index).hash(p.Leaf).uint(p.Deadline).address(p.Beneficiary)
	return d.digest(Keccak(w.b))
}
