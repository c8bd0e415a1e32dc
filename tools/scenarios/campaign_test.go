package scenarios

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/proofs"
)

// TestCampaign plays random turns of everybody against an honest operator: HANSARD_SIEGE of them, by default a few.
func TestCampaign(t *testing.T) {
	t.Parallel()
	seed, turns := uint64(time.Now().UnixNano()), 12
	for name, set := range map[string]func(uint64){"HANSARD_SEED": func(v uint64) { seed = v }, "HANSARD_SIEGE": func(v uint64) { turns = int(v) }} {
		if s := os.Getenv(name); s != "" {
			v, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			set(v)
		}
	}
	t.Logf("HANSARD_SEED=%d HANSARD_SIEGE=%d", seed, turns)
	c := &campaign{siege: &siege{world: newWorld(t)}, rand: rand.New(rand.NewPCG(seed, 0)), counts: map[string]int{}}
	c.newUser("eve")
	c.eve = c.keys["eve"]
	var batches []int
	for n := 0; n < turns; {
		size := 1 + c.rand.IntN(9)
		batches, n = append(batches, size), n+size
	}
	c.prepare(batches...)
	for range turns {
		c.turn()
		c.intact()
	}
	c.answered(c.kept[:c.next]...)
	c.anchored(uint64(len(c.kept) + c.busy))
	for _, rc := range c.kept {
		if b := c.contents().of(rc.Promise.Index); b.Hash() != rc.Batch.Hash() {
			t.Errorf("index %d went from batch %+v to %+v", rc.Promise.Index, *rc.Batch, b)
		}
	}
	c.intact()
	t.Logf("turns: %v", c.counts)
}

// campaign is a siege by chance.
type campaign struct {
	*siege
	rand   *rand.Rand
	counts map[string]int
}

// any returns a promise that is due, by chance.
func (c *campaign) any() *proofs.Receipt { return c.kept[c.rand.IntN(len(c.kept))] }

// turn does one thing.
func (c *campaign) turn() {
	c.Helper()
	turns := []struct {
		name   string
		weight int
		do     func()
	}{
		{"anchor", 4, c.speakUp},
		{"slash", 4, c.slash},
		{"challenge", 4, func() {
			if c.next < len(c.kept) {
				c.challenged(1)
			}
		}},
		{"conclude", 3, func() {
			c.refused(c.eve, attack{"conclude", bond.PlanConclude(c.log, c.any().Promise), &bindings.PromiseBondNotChallenged{}}, &bindings.PromiseBondTooEarly{})
		}},
		{"copy an answer", 2, func() { c.transact(c.eve, c.answer(c.any())) }},
		{"kill", 2, func() { c.service.kill(); c.operate(24 * time.Hour) }},
		{"reorg", 1, c.lose},
	}
	total := 0
	for _, t := range turns {
		total += t.weight
	}
	pick := c.rand.IntN(total)
	for _, t := range turns {
		if pick -= t.weight; pick < 0 {
			c.counts[t.name]++
			t.do()
			return
		}
	}
}

// slash tries one of all attacks against one of all promises.
func (c *campaign) slash() {
	c.Helper()
	all := c.attacks(c.any(), c.any())
	a := all[c.rand.IntN(len(all))]
	if a.call.Value != nil { // an attack on a promise that was challenged meets that
		c.refused(c.eve, a, &bindings.PromiseBondAlreadyChallenged{})
		return
	}
	c.refused(c.eve, a, &bindings.PromiseBondTooEarly{})
}

// lose takes up to three blocks away, with whatever is in them. What they held of eve's is hers to send again.
func (c *campaign) lose() {
	c.Helper()
	c.anvil.rollback(1 + c.rand.Uint64N(3))
	for c.next > 0 && c.challenge(c.kept[c.next-1].Promise).Challenger == (bindings.ChallengesOutput{}).Challenger {
		c.next--
	}
}
