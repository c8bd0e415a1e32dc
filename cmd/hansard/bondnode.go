package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// bondChoice says which PromiseBond a log's promises name. The zero value is the default: that of this version for
// the log's AnchorLog.
type bondChoice struct {
	Set     bool
	Address proofs.Address // if Set; zero: none
}

// noBond is the choice of a log whose promises name no bond.
var noBond = bondChoice{Set: true}

// of returns the bond of a log in that AnchorLog.
func (b bondChoice) of(anchorLog proofs.Address) proofs.Address {
	if b.Set {
		return b.Address
	}
	return bond.Address(anchorLog)
}

func parseBond(s string) (bondChoice, error) {
	switch s {
	case "default":
		return bondChoice{}, nil
	case "none":
		return noBond, nil
	}
	a, err := parseAddress(s)
	if err == nil && a.IsZero() {
		err = errors.New("the zero address is written none")
	}
	if err != nil {
		return bondChoice{}, fmt.Errorf("want default, none or an address: %w", err)
	}
	return bondChoice{true, a}, nil
}

func bondFlag() cli.Flag {
	return &cli.StringFlag{Name: "bond", Usage: "PromiseBond that the log's promises name: `ADDRESS`, default or none", DefaultText: "that of this version for the log's contract"}
}

// bondFrom puts --bond in the place of what the chain file says.
func (f *chainFile) bondFrom(c *cli.Context) (err error) {
	if c.IsSet("bond") {
		if f.Bond, err = parseBond(c.String("bond")); err != nil {
			return usage("--bond: %w", err)
		}
	}
	return nil
}

// maxPromise is the longest promise of a log with a bond. A holder counts bond.MaxDeadline from the newest block that it
// sees, which may be some minutes old.
const maxPromise = bond.MaxDeadline - time.Hour

// bondView is what stands behind a node's promises, at one block.
type bondView struct {
	State *bond.State
	Key   bond.Key // that signs
	Err   error    // why promises are not backed; nil: they are
}

// readBond asks the nodes what stands behind promises.
func (n *node) readBond(ctx context.Context) (*bondView, error) {
	s, err := bond.Read(ctx, n.nodes, n.chain)
	if err != nil {
		return nil, err
	}
	v := &bondView{State: s, Key: bond.Key{Address: n.key}}
	if s.Ours {
		if v.Key, err = s.Key(ctx, n.nodes, n.key); err != nil {
			return nil, err
		}
	}
	v.Err = s.Live(v.Key)
	return v, nil
}

// text says in a line what stands behind promises.
func (v *bondView) text() string {
	if v == nil {
		return "not known: the nodes do not say"
	}
	if v.Err != nil {
		return "promises are NOT BACKED: " + v.why()
	}
	return fmt.Sprintf("%s with %s ether behind promises of key %s", v.State.Log.PromiseBond, cost.RoundEther(v.State.Amount), v.Key.Address)
}

// why is why promises are not backed.
func (v *bondView) why() string {
	return strings.TrimPrefix(v.Err.Error(), bond.ErrNotBacked.Error()+": ")
}

// backed reports whether something stood behind the node's promises when that was last looked at.
func (n *node) backed() bool {
	v := n.bond.Load()
	return v != nil && v.Err == nil
}

// next says what the operator does about promises that are not backed.
func (v *bondView) next() string {
	s := v.State
	switch {
	case s.Log.PromiseBond.IsZero():
		return "the directory was made without a bond; a new one has it"
	case !s.Deployed:
		return "hansard bond deploy, then hansard bond fund and hansard bond add-key"
	case !s.Ours:
		return "correct --bond, or use the version that deployed it"
	case s.Broken:
		return "a bond that was slashed never comes back: open another log"
	case s.LeavesAt != 0:
		return "wait until it has left, hansard bond withdraw, and fund it again; there is no way back before"
	case s.Amount.Sign() == 0:
		return "hansard bond fund AMOUNT"
	case v.Key.Until == 0:
		return "hansard bond add-key " + v.Key.Address.String()
	}
	return "a key that was revoked never comes back: make another, hansard bond add-key it, and start with --promise-key NEW --rotate-promise-key"
}

// lookAtBond refreshes what is known of the bond and says what changed. Nodes that do not answer leave it as it is.
func (n *node) lookAtBond(ctx context.Context) {
	v, err := n.readBond(ctx)
	if err != nil {
		if ctx.Err() == nil {
			n.logger.Warn("what stands behind promises could not be read", "err", err)
		}
		return
	}
	old := n.bond.Swap(v)
	switch {
	case v.Err != nil && (old == nil || old.Err == nil || old.Err.Error() != v.Err.Error()):
		n.logger.Warn("promises are not backed: breaking them costs nothing", "why", v.why(), "next", v.next())
	case v.Err == nil && (old == nil || old.Err != nil):
		n.logger.Info("promises are backed", "bond", v.State.Log.PromiseBond.String(), "wei", v.State.Amount.String(), "key", n.key.String())
	}
}

// bondPeriod is how often the bond is looked at.
const bondPeriod = time.Minute

// followBond keeps what is known of the bond fresh.
func (n *node) followBond(ctx context.Context) error {
	tick := time.NewTicker(bondPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		n.lookAtBond(ctx)
	}
}
