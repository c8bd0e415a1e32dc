package main

import (
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// ruleFlags are those of a command that holds a service's promises to the rule of docs/contracts.md.
func ruleFlags() []cli.Flag {
	return append(nodesFlags(),
		&cli.StringFlag{Name: "min-bond", Usage: "sign nothing if the bond holds less than `AMOUNT`: ether, or with its unit"},
		&cli.BoolFlag{Name: "unbacked", Usage: "send although nothing enforceable stands behind the promise"},
	)
}

// backing is what stands behind the promises of a service.
type backing struct {
	site     *site  // nil: there is no node to ask
	why      string // there is none
	chain    proofs.Chain
	keys     []proofs.Address // that count
	least    *big.Int         // wei of the bond
	unbacked bool
}

// sentBond is what hansard.send/1 says of the bond. Without Checked it says nothing but Reason.
type sentBond struct {
	Checked   bool   `json:"checked"`
	AmountWei string `json:"amountWei,omitempty"`
	Accepted  bool   `json:"accepted"`
	Reason    string `json:"reason,omitempty"` // why it was not checked or not accepted
}

// String says it on a line.
func (s sentBond) String() string {
	wei, ok := new(big.Int).SetString(s.AmountWei, 10)
	if !s.Accepted || !ok {
		return "DO NOT RELY ON IT: " + s.Reason
	}
	return cost.FormatEther(wei) + " ether stand behind the promise, by the rule of docs/promises.md"
}

// openBacking reads the flags of the rule and connects to the nodes, where there are some.
func openBacking(c *cli.Context, chain proofs.Chain, keys []proofs.Address) (*backing, error) {
	b := &backing{chain: chain, keys: keys, least: new(big.Int), unbacked: c.Bool("unbacked")}
	if c.IsSet("min-bond") {
		var err error
		if b.least, err = etherFlag(c, "min-bond"); err != nil {
			return nil, err
		}
	}
	if b.unbacked && c.IsSet("min-bond") {
		return nil, usage("--min-bond and --unbacked contradict each other: give one of them")
	}
	if err := b.connect(c); err != nil {
		return nil, err
	}
	if b.site == nil && c.IsSet("min-bond") {
		return nil, usage("--min-bond: the bond cannot be looked at: %s: give --rpc URL or --chain FILE; nothing was signed", b.why)
	}
	return b, nil
}

// connect connects to the nodes. Those of the environment may be of another chain, which another program needs.
func (b *backing) connect(c *cli.Context) error {
	urls := strings.Join(c.StringSlice("rpc"), ",")
	if b.why = "no node was named"; urls == "" && c.String("chain") == "" {
		return nil
	}
	s, err := openSite(c)
	if err != nil && b.unbacked {
		b.why = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if s.log.ChainID == b.chain.ChainID {
		b.site = s
		return nil
	}
	s.nodes.Close()
	b.why = fmt.Sprintf("the nodes are on chain %d and the service's log is on chain %d", s.log.ChainID, b.chain.ChainID)
	if !b.unbacked && (c.String("chain") != "" || urls != os.Getenv("HANSARD_RPC") && urls != os.Getenv("ETH_RPC_URL")) {
		return usage("%s: name nodes of that chain with --rpc or --chain; nothing was signed", b.why)
	}
	return nil
}

func (b *backing) close() {
	if b.site != nil {
		b.site.nodes.Close()
	}
}

// maxHeadAge is how old a block may be that the rule calls recent. Where nothing happens a test chain has no newer one.
const maxHeadAge = time.Hour

// before returns an error unless promises of one of the keys are backed now, or the user wants none.
func (b *backing) before(c *cli.Context) error {
	if b.site == nil {
		return nil
	}
	state, err := bond.Read(c.Context, b.site.nodes, b.chain)
	if err == nil {
		if age := time.Since(time.Unix(int64(state.Block.Time), 0)); age > maxHeadAge {
			fmt.Fprintf(c.App.ErrWriter, "hansard: the newest block that the nodes know is %s old: since then the bond may have gone; ask nodes that follow the chain\n", age.Truncate(time.Second))
		}
		err = fmt.Errorf("%w: no promise key of the log was named", bond.ErrNotBacked)
		for i := 0; i < len(b.keys) && errors.Is(err, bond.ErrNotBacked); i++ {
			err = b.live(c, state, b.keys[i])
		}
	}
	switch {
	case err == nil, b.unbacked:
		return nil
	case errors.Is(err, bond.ErrNotBacked):
		return &exitError{proofs.Mismatch.Exit(), fmt.Errorf("%w; nothing was signed; --unbacked sends all the same", err)}
	}
	return chainError(fmt.Errorf("read the bond: %w; nothing was signed", err))
}

// live returns an error unless promises of that signer are backed, by as much as was asked for.
func (b *backing) live(c *cli.Context, state *bond.State, signer proofs.Address) error {
	key := bond.Key{Address: signer}
	if state.Ours {
		var err error
		if key, err = state.Key(c.Context, b.site.nodes, signer); err != nil {
			return err
		}
	}
	if err := state.Live(key); err != nil {
		return err
	}
	return b.enough(state)
}

// enough returns an error if the bond holds less than was asked for.
func (b *backing) enough(state *bond.State) error {
	if state.Amount.Cmp(b.least) < 0 {
		return fmt.Errorf("%w: the bond holds %s ether, less than --min-bond %s", bond.ErrNotBacked,
			cost.FormatEther(state.Amount), cost.FormatEther(b.least))
	}
	return nil
}

// after holds a promise to that author that came to the rule, at a block newer than it.
func (b *backing) after(c *cli.Context, p *proofs.Promise, author proofs.Address) (sentBond, error) {
	switch {
	case b.chain.PromiseBond.IsZero() && b.site == nil:
		return sentBond{Reason: "the log has no bond: its promises cost nothing to break"}, nil
	case !b.chain.PromiseBond.IsZero() && p.Beneficiary != author: // the operator itself, perhaps
		return sentBond{Checked: true, Reason: fmt.Sprintf("it names %s and not its author, %s, as whom the bond pays when it is broken", p.Beneficiary, author)}, nil
	case b.site == nil:
		return sentBond{Reason: b.why}, nil
	}
	state, err := bond.Check(c.Context, b.site.nodes, b.chain, p)
	if err == nil {
		err = b.enough(state)
	}
	switch {
	case err == nil:
		return sentBond{Checked: true, AmountWei: state.Amount.String(), Accepted: true}, nil
	case errors.Is(err, bond.ErrNotBacked):
		return sentBond{Checked: true, AmountWei: state.Amount.String(), Reason: err.Error()}, nil
	}
	return sentBond{Reason: err.Error()}, chainError(err)
}

// told says what of the promise in the file is left to say, after the answer was printed.
func (b *backing) told(c *cli.Context, file string, found sentBond, err error) error {
	check := "hansard promise check " + shellQuote(file)
	switch {
	case err != nil && !b.unbacked:
		return fmt.Errorf("the message was taken and its promise is in %s, but whether a bond stands behind it is not known: %w; look with: %s", file, err, check)
	case found.Accepted:
		return nil
	case !found.Checked:
		fmt.Fprintf(c.App.ErrWriter, "hansard: the bond behind the promise was not checked: %s; give --rpc URL or --chain FILE, or look with: %s --rpc URL\n", found.Reason, check)
		return nil
	case b.unbacked:
		fmt.Fprintf(c.App.ErrWriter, "hansard: %s\n", found.Reason)
		return nil
	}
	return &exitError{proofs.Mismatch.Exit(), fmt.Errorf("the message was taken, but its promise, which is in %s, is not one to rely on: %s", file, found.Reason)}
}

// etherFlag reads an amount, where a bare number is ether.
func etherFlag(c *cli.Context, name string) (*big.Int, error) {
	s := strings.TrimSpace(c.String(name))
	if !strings.Contains(s, " ") {
		s += " ether"
	}
	wei, err := cost.ParseWei(s)
	if err != nil {
		return nil, usage("--%s: %w", name, err)
	}
	return wei, nil
}
