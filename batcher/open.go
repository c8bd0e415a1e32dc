package batcher

import "sync"

// Unsealed is what was accepted and stands in no batch of the store yet.
type Unsealed struct {
	Messages uint64
	Deadline uint64 // seconds since 1970 UTC, the earliest of its promises; 0: there is none
}

func (u Unsealed) add(o Unsealed) Unsealed {
	u.Messages += o.Messages
	if u.Deadline == 0 || o.Deadline != 0 && o.Deadline < u.Deadline {
		u.Deadline = o.Deadline
	}
	return u
}

// open keeps count of what is unsealed for other goroutines.
type open struct {
	mu     sync.Mutex
	pool   Unsealed
	behind []Unsealed // handed to seal, oldest first
}

func (p *pool) unsealed() Unsealed {
	return Unsealed{uint64(len(p.entries)), p.earliest}
}

func (o *open) grown(p *pool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pool = p.unsealed()
}

func (o *open) handed(p, rest *pool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.behind, o.pool = append(o.behind, p.unsealed()), rest.unsealed()
}

func (o *open) sealed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.behind = o.behind[1:]
}

// Unsealed returns what is in no batch of the store. Who reads the store after it misses nothing that was accepted
// before: a batch leaves the sum after Config.Sealed was called for it. It is safe for concurrent use.
func (b *Batcher) Unsealed() Unsealed {
	b.open.mu.Lock()
	defer b.open.mu.Unlock()
	sum := b.open.pool
	for _, u := range b.open.behind {
		sum = sum.add(u)
	}
	return sum
}
