package main

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

func costCommand() *cli.Command {
	return &cli.Command{
		Name:  "cost",
		Usage: "say what 1,000 messages cost: so far, and projected over batch sizes and fees",
		Description: "So far is what a running service says that it paid. The projection is arithmetic over the fees that you name: it\n" +
			"asks no network, and knows the price of ether only if you give it. A batch costs one transaction whatever its\n" +
			"size, so what reaches the target of under $0.001 for 1,000 messages is a large enough batch, at a low enough fee.\n" +
			"The data fee of an L2 is that of the OP stack since Fjord, for the transaction of an anchor; an operator fee\n" +
			"(since Isthmus) is not in it. Each chain's scalars are what its GasPriceOracle says.",
		Flags: []cli.Flag{
			serverFlag(),
			&cli.BoolFlag{Name: "offline", Usage: "ask no service: only the projection"},
			&cli.StringFlag{Name: "eth-usd", Usage: "`DOLLARS` that an ether costs; without it amounts are in gwei"},
			&cli.Uint64Flag{Name: "gas", Value: cost.AnchorGas, Usage: "`GAS` of an anchor; the default is a measured mean"},
			&cli.Uint64SliceFlag{Name: "size", Value: cli.NewUint64Slice(1, 100, 600, 4_096, 10_000, 120_000, 1_000_000), Usage: "`MESSAGES` of a batch; may be repeated"},
			&cli.StringSliceFlag{Name: "fee-gwei", Value: cli.NewStringSlice("0.05", "0.2", "1", "5", "20"), Usage: "base fee and tip on L1, `GWEI` per gas; may be repeated"},
			&cli.StringSliceFlag{Name: "l2-fee-gwei", Value: cli.NewStringSlice("0.005", "0.05"), Usage: "base fee and tip on the L2, `GWEI` per gas; may be repeated"},
			&cli.StringSliceFlag{Name: "l1-base-fee-gwei", Value: cli.NewStringSlice("0.2", "1", "5"), Usage: "base fee of L1 for the L2's data, `GWEI` per gas; may be repeated"},
			&cli.StringFlag{Name: "blob-base-fee-gwei", Usage: "`GWEI` per gas of blobs on L1 (default: a sixteenth of the base fee, below which it does not stay, EIP-7918)"},
			&cli.Uint64Flag{Name: "base-fee-scalar", Value: cost.DefaultBaseFeeScalar, Usage: "`SCALAR` of the L2; the default is OP Mainnet's of September 2024"},
			&cli.Uint64Flag{Name: "blob-base-fee-scalar", Value: cost.DefaultBlobBaseFeeScalar, Usage: "`SCALAR` of the L2; the default is OP Mainnet's of September 2024"},
		},
		Action: runCost,
	}
}

// costLine is hansard.cost/1. Amounts of wei for 1,000 messages are decimal numbers and may have a fraction.
type costLine struct {
	Schema      string           `json:"schema"`
	TargetUSD   string           `json:"targetUsd"` // for 1,000 messages; less reaches it
	EthUSD      string           `json:"ethUsd,omitempty"`
	SoFar       *soFarLine       `json:"soFar,omitempty"` // none: no service was asked, or it did not answer
	TxBytes     int              `json:"txBytes"`         // of an anchor, signed
	FastLZBytes int              `json:"fastlzBytes"`
	Projections []projectionLine `json:"projections"`
}

type soFarLine struct {
	Batches        uint64 `json:"batches,string"` // whose cost is known
	Messages       uint64 `json:"messages,string"`
	Gas            uint64 `json:"gas,string"`
	Wei            string `json:"wei"`
	Unknown        uint64 `json:"unknown,string"` // batches without a known cost
	WeiPerThousand string `json:"weiPerThousand,omitempty"`
	USDPerThousand string `json:"usdPerThousand,omitempty"`
	Reached        *bool  `json:"reached,omitempty"`
}

// projectionLine is one fee level of one kind of chain.
type projectionLine struct {
	Chain       string     `json:"chain"` // l1 or op-stack
	Gas         uint64     `json:"gas,string"`
	FeeGwei     string     `json:"feeGwei"`
	L1BaseFee   string     `json:"l1BaseFeeGwei,omitempty"`
	BlobBaseFee string     `json:"blobBaseFeeGwei,omitempty"`
	DataFeeWei  string     `json:"dataFeeWei,omitempty"`
	AnchorWei   string     `json:"anchorWei"`
	Smallest    *uint64    `json:"smallestBatch,omitempty,string"` // that reaches the target
	Sizes       []sizeLine `json:"sizes"`
	heading     string
}

type sizeLine struct {
	Messages       uint64 `json:"messages,string"`
	WeiPerThousand string `json:"weiPerThousand"`
	USDPerThousand string `json:"usdPerThousand,omitempty"`
	Reached        *bool  `json:"reached,omitempty"`
	EthUSDBelow    string `json:"ethUsdBelow"` // the price of ether below which the target is reached
}

// projector turns fees into lines.
type projector struct {
	gas   uint64
	sizes []uint64
	price *big.Rat // dollars per ether; nil: not given
	tx    int      // bytes of an anchor after FastLZ
}

func runCost(c *cli.Context) error {
	if c.Args().Present() {
		return usage("cost takes no argument")
	}
	p, err := newProjector(c)
	if err != nil {
		return err
	}
	raw, err := sampleAnchor()
	if err != nil {
		return err
	}
	p.tx = cost.FastLZSize(raw)
	l := &costLine{Schema: "hansard.cost/1", TargetUSD: cost.Target.FloatString(3), TxBytes: len(raw), FastLZBytes: p.tx}
	if p.price != nil {
		l.EthUSD = cost.Round(p.price, 12)
	}
	if l.Projections, err = p.projections(c); err != nil {
		return err
	}
	if !c.Bool("offline") {
		service, err := serviceOf(c)
		if err != nil {
			return err
		}
		switch spent, err := askSpent(c.Context, service); {
		case err == nil:
			l.SoFar = p.soFar(spent)
		case c.IsSet("server") || c.Context.Err() != nil:
			return err
		default:
			fmt.Fprintf(c.App.ErrWriter, "so far: no service to ask (%s); --server names one, --offline asks none\n", oneLine(err.Error(), 200))
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, l)
	}
	return p.print(c, l)
}

func newProjector(c *cli.Context) (*projector, error) {
	p := &projector{gas: c.Uint64("gas"), sizes: c.Uint64Slice("size")}
	if p.gas == 0 || p.gas > 1<<40 {
		return nil, usage("--gas: want more than 0 and less than a trillion, got %d", p.gas)
	}
	for _, n := range p.sizes {
		if n == 0 || n > proofs.MaxBatch {
			return nil, usage("--size: want 1 to %d, got %d", uint64(proofs.MaxBatch), n)
		}
	}
	if s := c.String("eth-usd"); s != "" {
		wei, err := cost.ParseWei(s + " ether") // a decimal number over 0, not too long
		if err != nil || wei.Sign() == 0 {
			return nil, usage("--eth-usd: want dollars over 0 as a decimal number, got %.40q", s)
		}
		p.price = new(big.Rat).SetFrac(wei, cost.Ether)
	}
	return p, nil
}

// feesFlag reads a flag of fees in gwei, each over 0.
func feesFlag(c *cli.Context, name string) (fees []*big.Int, err error) {
	for _, s := range c.StringSlice(name) {
		wei, err := cost.ParseWei(s + " gwei")
		if err != nil || wei.Sign() == 0 {
			return nil, usage("--%s: want gwei over 0 as a decimal number, got %.40q", name, s)
		}
		fees = append(fees, wei)
	}
	return fees, nil
}

// projections computes L1 at each fee, and the L2 at each pair of its own fee and L1's.
func (p *projector) projections(c *cli.Context) (lines []projectionLine, err error) {
	fees, err := feesFlag(c, "fee-gwei")
	if err != nil {
		return nil, err
	}
	l2, err := feesFlag(c, "l2-fee-gwei")
	if err != nil {
		return nil, err
	}
	l1, err := feesFlag(c, "l1-base-fee-gwei")
	if err != nil {
		return nil, err
	}
	var blob *big.Int
	if s := c.String("blob-base-fee-gwei"); s != "" {
		if blob, err = cost.ParseWei(s + " gwei"); err != nil {
			return nil, usage("--blob-base-fee-gwei: %w", err)
		}
	}
	for _, name := range []string{"base-fee-scalar", "blob-base-fee-scalar"} {
		if c.Uint64(name) > 1<<32-1 {
			return nil, usage("--%s: the chain has 32 bits for it, got %d", name, c.Uint64(name))
		}
	}
	for _, fee := range fees {
		lines = append(lines, p.project("l1", cost.FormatGwei(fee)+" gwei", cost.Anchor{Gas: p.gas, FeePerGas: fee}))
	}
	for _, fee := range l2 {
		for _, base := range l1 {
			d := &cost.DataFee{BaseFeeScalar: c.Uint64("base-fee-scalar"), BlobBaseFeeScalar: c.Uint64("blob-base-fee-scalar"), L1BaseFee: base, BlobBaseFee: blob}
			if blob == nil {
				d.BlobBaseFee = cost.LeastBlobBaseFee(base)
			}
			heading := fmt.Sprintf("%s / %s", cost.FormatGwei(fee), cost.FormatGwei(base))
			lines = append(lines, p.project("op-stack", heading, cost.Anchor{Gas: p.gas, FeePerGas: fee, Data: d, Size: p.tx}))
		}
	}
	return lines, nil
}

func (p *projector) project(chain, heading string, a cost.Anchor) projectionLine {
	wei := a.Wei()
	l := projectionLine{Chain: chain, Gas: a.Gas, FeeGwei: cost.FormatGwei(a.FeePerGas), AnchorWei: wei.String(), heading: heading}
	if d := a.Data; d != nil {
		l.L1BaseFee, l.BlobBaseFee, l.DataFeeWei = cost.FormatGwei(d.L1BaseFee), cost.FormatGwei(d.BlobBaseFee), d.Wei(a.Size).String()
	}
	if p.price != nil {
		if n, ok := cost.SmallestBatch(wei, cost.TargetWei(cost.Target, p.price)); ok {
			l.Smallest = &n
		}
	}
	for _, n := range p.sizes {
		per := cost.PerThousand(wei, n)
		s := sizeLine{Messages: n, WeiPerThousand: cost.Round(per, 12), EthUSDBelow: cost.Round(cost.PriceBelow(per, cost.Target), 8)}
		s.USDPerThousand, s.Reached = p.worth(per)
		l.Sizes = append(l.Sizes, s)
	}
	return l
}

// worth returns the dollars that wei for 1,000 messages are, and whether they reach the target.
func (p *projector) worth(wei *big.Rat) (string, *bool) {
	if p.price == nil {
		return "", nil
	}
	usd := cost.Dollars(wei, p.price)
	reached := usd.Cmp(cost.Target) < 0
	return cost.Round(usd, 8), &reached
}

func (p *projector) soFar(s *cost.Spent) *soFarLine {
	l := &soFarLine{Batches: s.Batches, Messages: s.Messages, Gas: s.Gas, Wei: "0", Unknown: s.Unknown}
	if s.Wei == nil {
		return l
	}
	l.Wei = s.Wei.String()
	if per := cost.PerThousand(s.Wei, s.Messages); per != nil {
		l.WeiPerThousand = cost.Round(per, 12)
		l.USDPerThousand, l.Reached = p.worth(per)
	}
	return l
}

// sampleAnchor returns the signed bytes of an anchor, with hashes where an anchor has them: what FastLZ makes of it
// hardly depends on which.
func sampleAnchor() ([]byte, error) {
	h := func(s string) [32]byte { return proofs.Keccak([]byte(s)) }
	secret := h("sample key")
	key, err := crypto.ToECDSA(secret[:])
	if err != nil {
		return nil, err
	}
	to, id := common.Address(anchor.ContractAddress()), big.NewInt(10)
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(id), &types.DynamicFeeTx{
		ChainID: id, Nonce: 1000, GasTipCap: big.NewInt(1_000_000), GasFeeCap: big.NewInt(101_000_000), Gas: 51_452, To: &to,
		Data: bindings.NewAnchorLog().PackAnchor(h("log"), big.NewInt(1000), h("root"), big.NewInt(10_000), h("cid")),
	})
	if err != nil {
		return nil, err
	}
	return tx.MarshalBinary()
}

// print writes the tables.
func (p *projector) print(c *cli.Context, l *costLine) error {
	var b strings.Builder
	p.printSoFar(&b, l)
	of := func(chain string) (found []projectionLine) {
		for _, x := range l.Projections {
			if x.Chain == chain {
				found = append(found, x)
			}
		}
		return found
	}
	unit := "gwei; give --eth-usd for dollars"
	if p.price != nil {
		unit = fmt.Sprintf("dollars at $%s an ether; * reaches the target of under $%s", l.EthUSD, l.TargetUSD)
	}
	fmt.Fprintf(&b, "Projected for 1,000 messages, %s gas an anchor, in %s.\n", cost.Count(p.gas), unit)
	p.printTable(&b, "L1, at gas for", of("l1"))
	fmt.Fprintf(&b, "\nOP stack, with its data fee: an anchor is %d bytes, %d after FastLZ.\n", l.TxBytes, l.FastLZBytes)
	p.printTable(&b, "L2 / L1 gwei", of("op-stack"))
	_, err := fmt.Fprint(c.App.Writer, b.String())
	return err
}

func (p *projector) printSoFar(b *strings.Builder, l *costLine) {
	s := l.SoFar
	switch {
	case s == nil:
		return
	case s.WeiPerThousand == "":
		fmt.Fprintf(b, "So far (the service's word): no batch has a known cost, %s have none.\n\n", cost.Count(s.Unknown))
		return
	}
	wei, _ := new(big.Int).SetString(s.Wei, 10)
	fmt.Fprintf(b, "So far (the service's word): %s messages in %s batches, %s gas, %s ether.\n", cost.Count(s.Messages), cost.Count(s.Batches),
		cost.Count(s.Gas), cost.RoundEther(wei))
	per, _ := new(big.Rat).SetString(s.WeiPerThousand)
	fmt.Fprintf(b, "1,000 messages cost %s gwei", p.gwei(per))
	if s.Reached != nil {
		usd, _ := new(big.Rat).SetString(s.USDPerThousand)
		verdict := "not under"
		if *s.Reached {
			verdict = "under"
		}
		fmt.Fprintf(b, " = $%s at $%s an ether, %s the target of $%s", cost.Round(usd, 3), l.EthUSD, verdict, l.TargetUSD)
	}
	fmt.Fprintln(b, ".")
	if s.Unknown > 0 {
		fmt.Fprintf(b, "%s batches have no known cost and are not in it.\n", cost.Count(s.Unknown))
	}
	fmt.Fprintln(b)
}

func (p *projector) gwei(wei *big.Rat) string {
	return cost.Round(new(big.Rat).Quo(wei, new(big.Rat).SetInt(cost.Gwei)), 4)
}

// printTable writes a row for each size and a column for each fee.
func (p *projector) printTable(b *strings.Builder, corner string, columns []projectionLine) {
	row := func(first string, cell func(projectionLine) string) {
		fmt.Fprintf(b, "%-18s", first)
		for _, x := range columns {
			fmt.Fprintf(b, " %13s", cell(x))
		}
		fmt.Fprintln(b)
	}
	row(corner, func(x projectionLine) string { return x.heading })
	for i, n := range p.sizes {
		row(cost.Count(n)+" a batch", func(x projectionLine) string {
			s := x.Sizes[i]
			if s.Reached == nil {
				per, _ := new(big.Rat).SetString(s.WeiPerThousand)
				return p.gwei(per)
			}
			usd, _ := new(big.Rat).SetString(s.USDPerThousand)
			return cost.Round(usd, 3) + map[bool]string{true: "*", false: " "}[*s.Reached]
		})
	}
	if p.price != nil {
		row("reached from", func(x projectionLine) string {
			if x.Smallest == nil {
				return "never"
			}
			return cost.Count(*x.Smallest)
		})
		return
	}
	fmt.Fprintln(b, "Under $0.001 while an ether costs less than, in dollars:")
	for i, n := range p.sizes {
		row(cost.Count(n)+" a batch", func(x projectionLine) string {
			usd, _ := new(big.Rat).SetString(x.Sizes[i].EthUSDBelow)
			return cost.Round(usd, 3)
		})
	}
}
