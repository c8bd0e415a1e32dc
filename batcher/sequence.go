package batcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// pool is what was accepted and not sealed yet.
type pool struct {
	tail      proofs.Tail // its Sealed and Batches are where the pool begins
	entries   []proofs.Entry
	leaves    []proofs.Hash
	deadlines []uint64 // promised, in seconds; not in order where the clock was set back
	sizes     []int64  // about what each entry's record takes
	bytes     int64    // their sum
	rooms     map[proofs.Hash]bool
	since     time.Time // when it was opened, by a clock that is not set back
	earliest  uint64    // of deadlines; 0: there is none
	held      bool      // it was to be sealed and is not: it may grow to HoldMessages
}

func (b *Batcher) newPool() *pool {
	return &pool{tail: b.tail, rooms: map[proofs.Hash]bool{}}
}

func (p *pool) add(a *proofs.Accepted) {
	p.entries = append(p.entries, a.Entry)
	p.leaves = append(p.leaves, a.Leaf)
	p.deadlines = append(p.deadlines, a.Deadline)
	if p.earliest == 0 || a.Deadline < p.earliest {
		p.earliest = a.Deadline
	}
	p.sizes = append(p.sizes, sizeOf(a.Message, a.Evidence))
	p.bytes += p.sizes[len(p.sizes)-1]
	p.rooms[a.Entry.Room] = true
}

// sequence is the one loop that gives messages their places.
func (b *Batcher) sequence(ctx context.Context) error {
	age := time.NewTimer(time.Hour)
	defer age.Stop()
	for {
		b.rotate(ctx, false)
		age.Reset(b.untilDue())
		var group []*request
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-age.C:
			continue
		case <-b.flush:
			b.rotate(ctx, true)
			continue
		case r := <-b.queue:
			group = b.collect(r)
		}
		if err := b.commit(ctx, group); err != nil {
			return err
		}
	}
}

// collect adds to the first request what else waits, up to the size of a group. It does not linger:
// while one group is written the next one gathers.
func (b *Batcher) collect(r *request) []*request {
	group, entries, size := []*request{r}, len(r.entries), r.size
	for entries < maxGroup && size < maxGroupBytes {
		select {
		case r := <-b.queue:
			group, entries, size = append(group, r), entries+len(r.entries), size+r.size
		default:
			return group
		}
	}
	return group
}

// placed is a new entry and where its answer goes.
type placed struct {
	request *request
	at      int
}

// commit gives a group its places, appends it and answers. It returns an error only if the store
// may or may not have taken the group: then the loop must end, and the next start reads what is there.
func (b *Batcher) commit(ctx context.Context, group []*request) error {
	for _, r := range group {
		b.queued.Add(-r.size)
	}
	for len(group) > 0 {
		n, err := b.commitSome(ctx, group)
		if err != nil {
			return err
		}
		group = group[n:]
	}
	return nil
}

// commitSome appends the entries of the first requests of group that together stay within one
// Append, at least one request, and returns how many requests it answered.
func (b *Batcher) commitSome(ctx context.Context, group []*request) (int, error) {
	tail, rooms := b.tail, map[proofs.Hash]proofs.RoomTail{}
	var entries []proofs.Accepted
	var places []placed
	fresh := map[proofs.Hash]int{} // id to position in entries
	var again []placed             // the same message twice in this group
	refused := sync.OnceValue(b.cfg.Refuse)
	now := b.cfg.Now()
	if tail.Next == tail.Sealed {
		tail.OpenedAt, tail.NotBefore = uint64(now.UnixMilli()), b.cfg.NotBefore()
	}
	n := fitting(group)
	known, err := b.known(ctx, group[:n])
	if err != nil {
		return 0, err
	}
	for _, r := range group[:n] {
		for i := range r.entries {
			if r.results[i].Err != nil {
				continue
			}
			id := r.results[i].ID
			if _, twice := fresh[id]; twice {
				again = append(again, placed{r, i})
				continue
			}
			if a, ok := known[id]; ok {
				r.results[i] = Result{ID: id, Accepted: a, Replayed: true}
				continue
			}
			if no := refused(); no != nil {
				r.results[i].Err = no
				continue
			}
			if err := b.place(ctx, &r.entries[i], &tail, rooms, now); err != nil {
				return 0, err
			}
			fresh[id] = len(entries)
			entries = append(entries, r.entries[i])
			places = append(places, placed{r, i})
		}
	}
	if len(entries) > 0 {
		if err := b.append(ctx, tail, entries, rooms); errors.Is(err, proofs.ErrRefused) {
			refuse(places, again, &BusyError{RetryAfter: time.Minute, Reason: err.Error()})
		} else if err != nil {
			return 0, err
		}
	}
	accept(entries, places, again, fresh)
	for _, r := range group[:n] {
		close(r.done)
	}
	return n, nil
}

// fitting returns how many requests go into one Append, at least one.
func fitting(group []*request) int {
	n, size := 1, group[0].size
	for n < len(group) && size+group[n].size <= maxGroupBytes {
		n, size = n+1, size+group[n].size
	}
	return n
}

// known returns what the store holds already of the messages of the requests.
func (b *Batcher) known(ctx context.Context, group []*request) (map[proofs.Hash]proofs.Accepted, error) {
	var ids []proofs.Hash
	for _, r := range group {
		for i := range r.results {
			if r.results[i].Err == nil {
				ids = append(ids, r.results[i].ID)
			}
		}
	}
	known, err := b.cfg.Store.Known(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look for %d messages: %w", len(ids), err)
	}
	return known, nil
}

// accept gives the answers that were not refused. fresh is where in entries a message stands.
func accept(entries []proofs.Accepted, places, again []placed, fresh map[proofs.Hash]int) {
	for i, p := range places {
		if r := &p.request.results[p.at]; r.Err == nil {
			r.Accepted = entries[i]
		}
	}
	for _, p := range again {
		if r := &p.request.results[p.at]; r.Err == nil {
			r.Accepted, r.Replayed = entries[fresh[r.ID]], true
		}
	}
}

func refuse(places, again []placed, err error) {
	for _, p := range append(places, again...) {
		p.request.results[p.at].Err = err
	}
}

// place assigns index, room index and room chain, and advances tail and rooms.
func (b *Batcher) place(ctx context.Context, a *proofs.Accepted, tail *proofs.Tail, rooms map[proofs.Hash]proofs.RoomTail, now time.Time) error {
	room, ok := rooms[a.Entry.Room]
	if !ok {
		room, ok = b.rooms[a.Entry.Room]
	}
	if !ok {
		var err error
		if room, err = b.cfg.Store.Room(ctx, a.Entry.Room); err != nil {
			return fmt.Errorf("read room %s: %w", a.Entry.Room, err)
		}
	}
	e := &a.Entry
	e.Index, e.RoomIndex, e.RoomPrev, e.ReceivedAt = tail.Next, room.Count, room.Head, uint64(now.UnixMilli())
	a.Leaf = e.Leaf()
	a.Deadline = uint64(now.Add(b.cfg.Promise).Unix())
	tail.Next++
	rooms[e.Room] = proofs.RoomTail{Count: room.Count + 1, Head: a.Leaf}
	return nil
}

// maxRoomCache bounds the memory for rooms; an emptied cache is read again from the store.
const maxRoomCache = 100_000

// append writes the entries. Once Append returned nil they are durable and the memory follows; if we
// die before that, memory is gone and the store alone says what was taken.
func (b *Batcher) append(ctx context.Context, tail proofs.Tail, entries []proofs.Accepted, rooms map[proofs.Hash]proofs.RoomTail) error {
	// A group that was begun is finished: a waiter that hears of a shutdown would not know.
	if err := b.cfg.Store.Append(context.WithoutCancel(ctx), tail, entries); err != nil {
		return fmt.Errorf("append %d entries at %d: %w", len(entries), b.tail.Next, err)
	}
	b.tail = tail
	b.durable.Store(tail.Next)
	if len(b.rooms)+len(rooms) > maxRoomCache {
		clear(b.rooms)
	}
	for tag, t := range rooms {
		b.rooms[tag] = t
	}
	if len(b.pool.entries) == 0 {
		b.pool.since = time.Now()
	}
	b.pool.tail.OpenedAt, b.pool.tail.NotBefore = tail.OpenedAt, tail.NotBefore
	for i := range entries {
		b.pool.add(&entries[i])
	}
	b.open.grown(b.pool)
	return nil
}

// untilOld returns how long the pool may still grow.
func (b *Batcher) untilOld() time.Duration {
	if len(b.pool.entries) == 0 {
		return time.Hour
	}
	return max(0, b.cfg.MaxAge-time.Since(b.pool.since))
}

// holdPoll is how often a held pool is looked at: soon enough for those who wait for hours.
const holdPoll = time.Second

// untilDue returns when to look at the pool again.
func (b *Batcher) untilDue() time.Duration {
	if b.pool.held {
		return holdPoll
	}
	return b.untilOld()
}

// urgent reports whether the pool cannot be held any longer. By the clock, since promises are; and by the
// time that passed, since the clock may have been set back.
func (b *Batcher) urgent() bool {
	latest := time.Unix(int64(b.pool.earliest), 0).Add(-b.cfg.Urgent)
	return !b.cfg.Now().Before(latest) || time.Since(b.pool.since) >= b.cfg.Promise-b.cfg.Urgent
}

// due returns how many of the pool's first entries are to be sealed now, 0 for none: when it is full, old
// or wanted. A pool that grew past the limits, in one group or before a restart, is cut into several.
func (b *Batcher) due(ctx context.Context, wanted bool) uint64 {
	p := b.pool
	have, n := uint64(len(p.entries)), p.cut(b.cfg.MaxMessages)
	if n == 0 || !wanted && have < b.cfg.MaxMessages && n == have && b.untilOld() > 0 {
		return 0
	}
	if !wanted && b.cfg.Hold != nil && b.cfg.Hold() && !b.urgent() {
		if !p.held {
			b.cfg.Logger.InfoContext(ctx, "pool held", "batch", p.tail.Batches, "size", have)
		}
		p.held = true
		if n = p.cut(b.cfg.HoldMessages); n == have && n < b.cfg.HoldMessages {
			return 0
		}
	} else if p.held {
		n = p.cut(b.cfg.HoldMessages)
	}
	return n
}

// rotate hands what is due to seal.
func (b *Batcher) rotate(ctx context.Context, wanted bool) {
	for {
		n := b.due(ctx, wanted)
		if n == 0 {
			return
		}
		p, rest := b.pool, b.split(n)
		b.open.handed(p, rest)
		select {
		case b.sealing <- p:
			b.pool = rest
		case <-ctx.Done():
			return
		}
	}
}

// maxBatchBytes keeps a batch's chunks, and with MaxRooms its manifest, within proofs.MaxManifest.
const maxBatchBytes = 1 << 30

// cut returns how many of the pool's first entries go into one batch.
func (p *pool) cut(limit uint64) uint64 {
	n := min(limit, uint64(len(p.entries)))
	if len(p.rooms) <= proofs.MaxRooms && p.bytes <= maxBatchBytes {
		return n
	}
	rooms, bytes := map[proofs.Hash]bool{}, int64(0)
	for i, e := range p.entries[:n] {
		rooms[e.Room] = true
		if bytes += p.sizes[i]; len(rooms) > proofs.MaxRooms || bytes > maxBatchBytes {
			return uint64(i)
		}
	}
	return n
}

// split leaves the first n entries in the pool and returns a new pool of the rest.
func (b *Batcher) split(n uint64) *pool {
	p := b.pool
	b.tail.Sealed += n
	b.tail.Batches++
	rest := b.newPool()
	rest.since = p.since
	rest.entries = append(rest.entries, p.entries[n:]...)
	rest.leaves = append(rest.leaves, p.leaves[n:]...)
	rest.deadlines = append(rest.deadlines, p.deadlines[n:]...)
	rest.sizes = append(rest.sizes, p.sizes[n:]...)
	for i, e := range rest.entries {
		rest.rooms[e.Room] = true
		rest.bytes += rest.sizes[i]
	}
	p.entries, p.leaves, p.deadlines = p.entries[:n], p.leaves[:n], p.deadlines[:n]
	p.earliest = slices.Min(p.deadlines)
	if len(rest.deadlines) > 0 {
		rest.earliest = slices.Min(rest.deadlines)
	}
	return rest
}

// seal stores the pools that sequence hands over, one after the other.
func (b *Batcher) seal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-b.sealing:
			if err := b.sealPool(ctx, p); err != nil {
				return err
			}
			b.cfg.Sealed()
			b.open.sealed()
		}
	}
}

// sealPool builds the tree of a pool and stores the batch. If we die before Seal returned, the
// entries are still the store's pool, and no root of theirs was shown to anybody.
func (b *Batcher) sealPool(ctx context.Context, p *pool) error {
	data := make([][]byte, len(p.entries))
	for i := range p.entries {
		data[i] = p.entries[i].LeafData()
	}
	tree, err := BuildTree(data)
	if err != nil {
		return fmt.Errorf("build the tree of batch %d: %w", p.tail.Batches, err)
	}
	for i, leaf := range p.leaves {
		if tree[0][i] != leaf {
			panic(fmt.Sprintf("batcher: entry %d has another leaf than it was promised", p.entries[i].Index))
		}
	}
	s := proofs.Sealed{
		Batch:    proofs.Batch{Number: p.tail.Batches, Root: tree.Root(), First: p.tail.Sealed, Size: uint64(len(p.entries))},
		State:    proofs.StateBatched,
		OpenedAt: p.tail.OpenedAt, SealedAt: uint64(b.cfg.Now().UnixMilli()), Deadline: p.earliest, NotBefore: p.tail.NotBefore,
	}
	if err := b.storeBatch(ctx, s, tree); err != nil {
		return fmt.Errorf("seal batch %d: %w", s.Number, err)
	}
	b.cfg.Logger.InfoContext(ctx, "batch sealed", "batch", s.Number, "first", s.First, "size", s.Size, "root", s.Root)
	return nil
}

// sealRetry is how often a refused batch is tried again: soon after there is room on the disk.
const sealRetry = time.Second

// storeBatch stores a batch. While the store refuses, as on a full disk, the batch waits: its messages
// are accepted and durable, and intake is refused by the same store or goes on.
func (b *Batcher) storeBatch(ctx context.Context, s proofs.Sealed, tree proofs.Tree) error {
	for told := false; ; told = true {
		err := b.cfg.Store.Seal(context.WithoutCancel(ctx), s, tree)
		if !errors.Is(err, proofs.ErrRefused) {
			return err
		}
		if !told {
			b.cfg.Logger.WarnContext(ctx, "batch waits to be sealed", "batch", s.Number, "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(sealRetry):
		}
	}
}
