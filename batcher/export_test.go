package batcher

// MaxQueued bounds the bytes that wait.
const MaxQueued = maxQueued

// AddQueued adds to the bytes that wait and returns their sum.
func (b *Batcher) AddQueued(n int64) int64 { return b.queued.Add(n) }
