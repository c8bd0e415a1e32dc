package faulttest

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/hansard-dao/hansard/internal/faultrpc"
)

const (
	campaignMaxFee = 20 // gwei per gas
	campaignCapTx  = "0.002 ether"
	campaignCapDay = "8 ether"
)

// campaign is a service under random faults.
type campaign struct {
	*service
	rng     *rand.Rand
	nodes   [3][]lasting
	final   uint64 // the newest block that was ever finalized
	spike   int    // blocks for which the base fee stays high
	jumped  bool   // the chain's clock is an hour ahead
	records []*faultrpc.Recorder
	dir     string // of the small disk; empty: none
	done    []string
	counts  map[string]int
}

// lasting is a fault of a node for some more blocks.
type lasting struct {
	fault  faultrpc.Fault
	blocks int
}

// act is a kind of fault.
type act struct {
	name   string
	weight int
	do     func(c *campaign) string // what exactly; empty: it could not be done now
}

// acts are the kinds of faults, with how often each is taken.
func acts() []act {
	return []act{
		{"kill -9", 6, func(c *campaign) string { c.kill(); return "now" }},
		{"kill -9 at a call", 10, (*campaign).killAtCall},
		{"reorg", 12, (*campaign).reorgs},
		{"fee spike", 3, func(c *campaign) string { c.spike = 5 + c.rng.IntN(30); return fmt.Sprint(c.spike, " blocks") }},
		{"eviction", 6, func(c *campaign) string { c.chain.dropPool(); return "all" }},
		{"nonce used", 3, (*campaign).useNonce},
		{"out of funds", 2, (*campaign).funds},
		{"clock", 2, func(c *campaign) string {
			c.jumped = !c.jumped
			d := map[bool]time.Duration{true: time.Hour, false: -time.Hour}[c.jumped]
			c.chain.jump(d)
			return d.String()
		}},
		{"disk full", 2, (*campaign).fillDisk},
		{"node fails", 30, (*campaign).fail},
		{"all nodes fail", 8, (*campaign).failAll},
		{"node lies", 25, (*campaign).lie},
	}
}

func (c *campaign) killAtCall() string {
	p, in, after := c.rng.IntN(3), 1+c.rng.IntN(40), c.rng.IntN(2) == 0
	c.proxies[p].Reset()
	c.add(p, 60, c.service.killAt(in, after, func() {}))
	return fmt.Sprintf("call %d of node %d, after %v", in, p, after)
}

// reorgs takes blocks away that were never final.
func (c *campaign) reorgs() string {
	head := c.head()
	most := head - min(head, c.final)
	if most < 2 {
		return ""
	}
	depth := min([]uint64{1, 2, 5, 20}[c.rng.IntN(4)], most-1)
	keep := c.rng.IntN(2) == 0
	c.reorg(depth, keep)
	c.setBalance(ether(10)) // a refill may have been taken back with the blocks
	for range c.rng.Uint64N(depth + 1) {
		c.mine()
	}
	return fmt.Sprintf("depth %d, kept %v", depth, keep)
}

// useNonce mines a transaction of the submitter that the service knows nothing of.
func (c *campaign) useNonce() string {
	fee := times(c.baseFee(), 3)
	fee.Add(fee, big.NewInt(2e9))
	nonce, err := c.harness.client.NonceAt(context.Background(), common.Address(submitter.Address()), nil)
	if err != nil {
		c.Fatal(err)
	}
	c.chain.dropPool()
	tx := sign(c.T, c.harness.client, submitter, &types.DynamicFeeTx{Nonce: nonce, To: &common.Address{1}, Gas: 21_000, GasTipCap: big.NewInt(1e9), GasFeeCap: fee})
	if err := c.harness.client.SendTransaction(context.Background(), tx); err != nil {
		return ""
	}
	c.mine()
	return fmt.Sprint("nonce ", nonce)
}

func (c *campaign) funds() string {
	c.setBalance(big.NewInt(1))
	for range 5 + c.rng.IntN(30) {
		c.mine()
	}
	c.setBalance(ether(10))
	return "refilled"
}

// setBalance changes what the submitter holds, as of the next block.
func (c *campaign) setBalance(wei *big.Int) {
	c.chain.(*anvil).call("anvil_setBalance", common.Address(submitter.Address()), "0x"+wei.Text(16))
}

func (c *campaign) fillDisk() string {
	if c.dir == "" {
		return ""
	}
	free := fillTo(c.T, c.dir, defaultReserve)
	for range 5 + c.rng.IntN(30) {
		c.mine()
	}
	free()
	return "freed"
}

// failure returns a fault that nobody can take for an answer, or one that only withholds.
func (c *campaign) failure() faultrpc.Fault {
	all := []faultrpc.Fault{
		faultrpc.Hang(), faultrpc.Reset(), faultrpc.LateReset(), faultrpc.Status(429), faultrpc.Status(500), faultrpc.Malformed(),
		faultrpc.Null(), faultrpc.Refuse(-32005, "limit exceeded"), faultrpc.SwallowSend(), faultrpc.FailSend("internal error"),
		faultrpc.Hang("eth_sendRawTransaction"), faultrpc.LateReset("eth_sendRawTransaction"), faultrpc.Reset("eth_getTransactionReceipt"),
		faultrpc.Lag(c.rng.Uint64N(12)), faultrpc.DropReceipt(func(common.Hash) bool { return true }),
	}
	return all[c.rng.IntN(len(all))]
}

func (c *campaign) fail() string {
	p, f, blocks := c.rng.IntN(3), c.failure(), 1+c.rng.IntN(40)
	c.add(p, blocks, f)
	return fmt.Sprintf("%s at node %d for %d blocks", f.Name, p, blocks)
}

func (c *campaign) failAll() string {
	f, blocks := c.failure(), 1+c.rng.IntN(15)
	for p := range c.nodes {
		c.add(p, blocks, f)
	}
	return fmt.Sprintf("%s for %d blocks", f.Name, blocks)
}

// lie lets one node lie. Two liars at once are a quorum, so the one before stops.
func (c *campaign) lie() string {
	for p := range c.nodes {
		c.nodes[p] = nil
	}
	all := lies(c.harness)
	names := slices.Sorted(maps.Keys(all))
	name := names[c.rng.IntN(len(names)+3)%len(names)]
	p, blocks := c.rng.IntN(3), 1+c.rng.IntN(40)
	fault := all[name]()
	switch c.rng.IntN(8) {
	case 0:
		name, fault = "replay", c.records[p].Replay()
	case 1:
		name, fault = "chain id", faultrpc.ChainID(5)
	case 2:
		name, fault = "lag 100", faultrpc.Lag(100)
	}
	c.add(p, blocks, fault)
	return fmt.Sprintf("about %s at node %d for %d blocks", name, p, blocks)
}

// add lets a node go wrong for some blocks.
func (c *campaign) add(p, blocks int, f faultrpc.Fault) {
	c.nodes[p] = append(c.nodes[p], lasting{f, blocks})
	c.set()
}

// set switches on what lasts.
func (c *campaign) set() {
	for p := range c.nodes {
		faults := []faultrpc.Fault{}
		for _, l := range c.nodes[p] {
			faults = append(faults, l.fault)
		}
		c.proxies[p].Set(append(faults, c.records[p].Record())...)
	}
}

// mine makes a block, and lets faults run out.
func (c *campaign) mine() {
	wait(context.Background(), block)
	if c.spike > 0 {
		c.spike--
		c.chain.mineAt(big.NewInt(50e9))
		if c.spike == 0 {
			c.chain.mineAt(big.NewInt(1e9))
		}
	} else {
		c.chain.mine(1)
	}
	head := c.head()
	c.final = max(c.final, head-min(head, farFinality))
	for p := range c.nodes {
		var still []lasting
		for _, l := range c.nodes[p] {
			if l.blocks--; l.blocks > 0 {
				still = append(still, l)
			}
		}
		c.nodes[p] = still
	}
	c.set()
}

// heal ends all faults.
func (c *campaign) heal() {
	c.nodes = [3][]lasting{}
	c.set()
	c.setBalance(ether(10))
	if c.spike > 0 {
		c.spike = 0
		c.chain.mineAt(big.NewInt(1e9))
	}
}

// one makes one random fault.
func (c *campaign) one(all []act) {
	total := 0
	for _, a := range all {
		total += a.weight
	}
	for {
		n := c.rng.IntN(total)
		for _, a := range all {
			if n -= a.weight; n >= 0 {
				continue
			}
			if what := a.do(c); what != "" {
				c.counts[a.name]++
				c.done = append(c.done, a.name+": "+what)
				return
			}
			break
		}
	}
}

// maxLeg is the block from which a leg of the campaign ends: with more than about a thousand blocks, anvil 1.7.1 loses its
// state in a rollback.
const maxLeg = 700

// TestCampaign mixes all faults at random on the real program, with messages coming in all the time. In the end everything
// is healed, and what was promised is held against receipts and chain. A long campaign has many legs, each with a chain and
// a log of its own.
func TestCampaign(t *testing.T) {
	t.Parallel()
	const fault = "campaign"
	t.Run(fault, func(t *testing.T) {
		t.Parallel()
		t.Attr("fault", fault)
		t.Attr("chain", "anvil")
		seed := rand.Uint64()
		if s := os.Getenv("HANSARD_SEED"); s != "" {
			var err error
			if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
				t.Fatalf("HANSARD_SEED: %v", err)
			}
		}
		t.Logf("HANSARD_SEED=%d", seed)
		more := wanted(t)
		counts, tried, lost := map[string]int{}, 0, 0
		for leg := uint64(0); more(tried) && !t.Failed(); leg++ {
			t.Run(fmt.Sprintf("leg %d", leg), func(t *testing.T) {
				c := newCampaign(t, rand.New(rand.NewPCG(seed, leg)))
				c.run(func(n int) bool { return more(tried + n) })
				lost += c.finish()
				tried += len(c.done)
				for name, n := range c.counts {
					counts[name] += n
				}
			})
		}
		report(t, tried, lost)
		t.Logf("%d faults: %v", tried, counts)
		if t.Failed() {
			t.Logf("HANSARD_SEED=%d", seed)
		}
	})
}

func newCampaign(t *testing.T, rng *rand.Rand) *campaign {
	t.Helper()
	dir, small := smallDisk(t, "512m")
	if !small {
		dir = t.TempDir()
	}
	h := newSite(t, dir, "anvil", farFinality, 3)
	h.lenient = true
	c := &campaign{rng: rng, counts: map[string]int{}}
	if small {
		c.dir = dir
	}
	for range c.nodes {
		c.records = append(c.records, faultrpc.NewRecorder())
	}
	c.service = h.newService("--max-age", "1500ms", "--max-fee-gwei", fmt.Sprint(campaignMaxFee), "--cap-tx", campaignCapTx, "--cap-day", campaignCapDay)
	c.set()
	return c
}

// run makes faults while more says so and the leg lasts.
func (c *campaign) run(more func(int) bool) {
	c.Helper()
	defer c.author(150 * time.Millisecond)()
	for c.count() == 0 {
		c.mine()
	}
	c.final = c.head() // the log's opening stays
	all := acts()
	for more(len(c.done)) && c.head() < maxLeg && !c.Failed() {
		c.one(all)
		for range 1 + c.rng.IntN(4) {
			c.mine()
		}
	}
	c.heal()
}

// finish waits until all is final and returns what is lost.
func (c *campaign) finish() (lost int) {
	c.Helper()
	c.settle(5 * time.Minute)
	lost = c.verify(campaignMaxFee*1e9, big.NewInt(2e15), ether(8))
	c.Logf("%d faults; %d messages; %d processes, %d ended by themselves", len(c.done), len(c.promises), c.starts, c.ends)
	if c.Failed() {
		c.Logf("the last faults were:\n%s", strings.Join(c.done[max(0, len(c.done)-30):], "\n"))
	}
	return lost
}

// wanted returns a function that says, given how many faults were made, whether HANSARD_FAULTS wants another.
func wanted(t *testing.T) func(int) bool {
	t.Helper()
	s := os.Getenv("HANSARD_FAULTS")
	if s == "" {
		s = "8"
	}
	if n, err := strconv.Atoi(s); err == nil {
		return func(done int) bool { return done < n }
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("HANSARD_FAULTS: %v", err)
	}
	end := time.Now().Add(d)
	return func(int) bool { return time.Now().Before(end) }
}

// TestKillServe kills the program at each RPC call that it makes, from its start on.
func TestKillServe(t *testing.T) {
	t.Parallel()
	const fault = "kill -9 of hansard serve at each RPC call"
	t.Run(fault, func(t *testing.T) {
		t.Parallel()
		t.Attr("fault", fault)
		t.Attr("chain", "anvil")
		h := newSite(t, t.TempDir(), "anvil", nearFinality, 1)
		s := h.newService("--max-age", "4s")
		stop := s.author(20 * time.Millisecond)
		for call := 1; call <= 30; call++ {
			for _, after := range []bool{false, true} {
				died := make(chan struct{})
				h.proxies[0].Reset() // by now nothing of the last process is on its way
				h.proxies[0].Set(s.killAt(call, after, func() { close(died) }))
				s.mineUntil(died)
				h.tried++
			}
		}
		h.faults()
		stop()
		s.settle(2 * time.Minute)
		report(t, h.tried, s.verify(0, ether(1), ether(1)))
		t.Logf("%d messages, %d processes, %d ended by themselves", len(s.promises), s.starts, s.ends)
	})
}

// killAt kills the program at the call of that number: before the node gets it, or before its answer goes back.
func (s *service) killAt(number int, after bool, died func()) faultrpc.Fault {
	return faultrpc.Fault{Name: "kill", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		if c.Number != number {
			return next(c)
		}
		if after {
			next(c)
		}
		s.kill()
		died()
		return faultrpc.Answer{Break: faultrpc.Break{Reset: true}}
	}}
}

// mineUntil mines until done is closed.
func (s *service) mineUntil(done <-chan struct{}) {
	s.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		select {
		case <-done:
			return
		case <-time.After(block):
		}
		if time.Now().After(deadline) {
			s.Fatal("the program does not make the call")
		}
		s.chain.mine(1)
	}
}
