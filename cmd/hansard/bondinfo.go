package main

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

// bondInfoLine is hansard.bond/1 of what info finds.
type bondInfoLine struct {
	Schema string `json:"schema"`
	Action string `json:"action"`
	bondFields
	Keys    []bondKeyLine   `json:"keys"`
	Account *proofs.Address `json:"account,omitempty"` // whose credit it is; none: no account is named
	Credit  string          `json:"creditWei,omitempty"`
	credit  *big.Int
}

// bondKeyLine is a promise key that was asked for.
type bondKeyLine struct {
	Key    proofs.Address `json:"key"`
	State  string         `json:"state"`               // unknown, active or revoked
	Until  uint64         `json:"until,string"`        // of a revoked key: it counts before; else 0
	Backed bool           `json:"backed"`              // a promise of it is to be accepted now
	Why    string         `json:"notBacked,omitempty"` // why it is not
}

func runBondInfo(c *cli.Context) error {
	if c.Args().Present() {
		return usage("bond info takes no argument; name the log with --log, or with --owner and --log-name")
	}
	var keys []proofs.Address
	for _, text := range c.StringSlice("key") {
		key, err := parseAddress(text)
		if err != nil {
			return usage("--key: %w", err)
		}
		keys = append(keys, key)
	}
	b, err := openBond(c)
	if err != nil {
		return err
	}
	defer b.nodes.Close()
	line := &bondInfoLine{Schema: "hansard.bond/1", Action: "info", bondFields: newBondFields(b.state), Keys: []bondKeyLine{}}
	backed := b.state.Ours
	for _, key := range keys {
		k, err := b.lookAtKey(c, key)
		if err != nil {
			return chainError(err)
		}
		line.Keys, backed = append(line.Keys, k), backed && k.Backed
	}
	if err := b.credit(c, line); err != nil {
		return err
	}
	if err := b.print(c, line); err != nil {
		return err
	}
	if !backed {
		return &silentError{proofs.Mismatch.Exit()}
	}
	return nil
}

// lookAtKey says whether promises of a key are backed.
func (b *bondSite) lookAtKey(c *cli.Context, address proofs.Address) (bondKeyLine, error) {
	l, key := bondKeyLine{Key: address, State: "unknown"}, bond.Key{Address: address}
	if b.state.Ours {
		var err error
		if key, err = b.state.Key(c.Context, b.nodes, address); err != nil {
			return l, err
		}
	}
	switch {
	case key.Active():
		l.State = "active"
	case key.Until != 0:
		l.State, l.Until = "revoked", key.Until
	}
	v := bondView{State: b.state, Key: key, Err: b.state.Live(key)}
	if l.Backed = v.Err == nil; !l.Backed {
		l.Why = v.why()
	}
	return l, nil
}

// credit reads what the bond owes the account, if one is named.
func (b *bondSite) credit(c *cli.Context, line *bondInfoLine) error {
	if !b.state.Ours {
		return nil
	}
	account, err := b.payer(c)
	if errors.Is(err, identity.ErrNoKey) && !c.IsSet("account") {
		return nil
	}
	if err != nil {
		return err
	}
	if line.credit, err = bond.Credits(c.Context, b.nodes, b.log, b.state.Block.Hash, account); err != nil {
		return chainError(err)
	}
	line.Account, line.Credit = &account, line.credit.String()
	return nil
}

func (b *bondSite) print(c *cli.Context, l *bondInfoLine) error {
	w := c.App.Writer
	switch {
	case c.Bool("json"):
		return printJSON(w, l)
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(w, l.AmountWei)
		return err
	}
	rows := b.rows()
	if l.Owner != nil {
		rows = append(rows, [2]string{"owner", l.Owner.String()})
	}
	for _, k := range l.Keys {
		text := k.State
		if k.State == "revoked" {
			text += ", enforceable before " + secondsUTC(k.Until)
		}
		if k.Backed {
			text += "; its promises are backed"
		} else {
			text += "; its promises are NOT BACKED: " + k.Why
		}
		rows = append(rows, [2]string{"key", fmt.Sprintf("%s  %s", k.Key, text)})
	}
	if l.Account != nil {
		text := cost.FormatEther(l.credit) + " ether"
		if l.credit.Sign() > 0 {
			text += "; hansard promise collect pays it out"
		}
		rows = append(rows, [2]string{"credit", fmt.Sprintf("%s  %s", l.Account, text)})
	}
	for _, f := range rows {
		if _, err := fmt.Fprintf(w, "%-10s %s\n", f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}
