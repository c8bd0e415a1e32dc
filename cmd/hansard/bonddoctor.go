package main

import (
	"fmt"
	"math"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
)

// checkBond says what stands behind the log's promises, and which challenges wait for an answer.
func (d *doctor) checkBond() {
	f := d.found
	if f == nil || !f.Ours || f.Owner.IsZero() || d.head == nil {
		d.add("bond", doctorSkip, "there is no log that promises anything")
		return
	}
	s, err := bond.ReadAt(d.cli.Context, d.site.nodes, d.site.log, *d.head)
	if err != nil {
		d.add("bond", doctorFail, oneLine(err.Error(), 200), "what stands behind promises is not known", "see the rows of the nodes")
		return
	}
	// Without a data directory it is not known who signs: then only the bond counts.
	v, who := bondView{State: s, Key: bond.Key{Until: math.MaxUint64}}, "; which key signs them is not known without --data"
	if t, err := d.readTrust(); err == nil && t != nil {
		v.Key, who = bond.Key{Address: t.PromiseKeys[0]}, " of key "+t.PromiseKeys[0].String()
		if s.Ours {
			if v.Key, err = s.Key(d.cli.Context, d.site.nodes, t.PromiseKeys[0]); err != nil {
				d.add("bond", doctorFail, oneLine(err.Error(), 200), "what stands behind promises is not known", "see the rows of the nodes")
				return
			}
		}
	}
	if v.Err = s.Live(v.Key); v.Err != nil {
		d.add("bond", doctorWarn, "promises are not backed: "+v.why(), "breaking them costs nothing, and clients that look accept none", v.next())
	} else {
		d.add("bond", doctorOK, fmt.Sprintf("%s with %s ether behind promises%s", s.Log.PromiseBond, cost.RoundEther(s.Amount), who))
	}
	d.checkChallenges(s)
}

// Where the doctor looks for challenges: so many blocks at a time, unless the chain file says, and so many times.
const (
	challengeWindow  = 2_000
	challengeWindows = 100
)

// checkChallenges warns of challenges that are open.
func (d *doctor) checkChallenges(s *bond.State) {
	if s.Open == 0 {
		return
	}
	window := d.site.file.LogWindow
	if window == 0 {
		window = challengeWindow
	}
	oldest, _ := d.oldest()
	reach := window * challengeWindows
	open, err := s.OpenChallenges(d.cli.Context, d.site.nodes, max(oldest, s.Block.Number-min(s.Block.Number, reach)), window)
	if err != nil {
		d.add("bond", doctorWarn, fmt.Sprintf("%d challenges are open, and could not be read: %s", s.Open, oneLine(err.Error(), 200)),
			"a challenge without an answer costs the bond after 3 days", "see the rows of the nodes")
		return
	}
	for _, c := range open {
		d.addChallenge(s, &c)
	}
	if missing := int(s.Open) - len(open); missing > 0 {
		d.add("bond", doctorWarn, fmt.Sprintf("%d more challenges are open, whose events the nodes do not show", missing),
			"a challenge without an answer costs the bond after 3 days", "give --from-block, or name nodes that keep the events of the last days")
	}
}

func (d *doctor) addChallenge(s *bond.State, c *bond.Challenge) {
	what := fmt.Sprintf("the promise for index %d is challenged, by %s", c.Promise.Index, c.Challenger)
	by := secondsUTC(c.AnswerBy)
	if s.Block.Time > c.AnswerBy {
		d.add("bond", doctorWarn, what+"; it was to be answered by "+by, "anybody can conclude it, which slashes the bond", "nothing helps any more")
		return
	}
	d.add("bond", doctorWarn, what+"; an answer is due by "+by, "without an answer the bond is slashed",
		"a running service answers by itself; see that it runs, and that its account has funds")
}
