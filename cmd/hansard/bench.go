package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/internal/bench"
	"github.com/hansard-dao/hansard/proofs"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure this machine: intake, sealing, proofs, verification",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "messages", Value: 60_000, Usage: "`N` signed messages for the intake"},
			&cli.IntFlag{Name: "entries", Value: 100_000, Usage: "`N` entries to seal"},
			&cli.StringFlag{Name: "dir", Usage: "`DIR` for the databases, on the disk to measure (default: the system's temporary folder)"},
		},
		Action: runBench,
	}
}

// figure is one measurement with what it is held against.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Aim   string  `json:"aim,omitempty"`
}

func runBench(c *cli.Context) error {
	if c.Args().Present() {
		return usage("bench takes no arguments, got %q", c.Args().First())
	}
	if c.Int("messages") < 100 || c.Int("entries") < 2 {
		return usage("bench: want at least 100 messages and 2 entries")
	}
	base, err := os.MkdirTemp(c.String("dir"), "hansard-bench-")
	if err != nil {
		return usage("bench: %w", err)
	}
	defer os.RemoveAll(base)
	var figures []figure
	add := func(name string, value float64, unit, aim string) {
		figures = append(figures, figure{name, value, unit, aim})
		if !c.Bool("json") && !c.Bool("quiet") {
			fmt.Fprintf(c.App.Writer, "%-50s %10.1f %-12s %s\n", name, value, unit, aim)
		}
	}
	for _, part := range []func(*cli.Context, string, func(string, float64, string, string)) error{benchIntake, benchSeal, benchVerify} {
		if err := c.Context.Err(); err != nil {
			return err
		}
		if err := part(c, base, add); err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Schema  string   `json:"schema"`
			Cores   int      `json:"cores"`
			Go      string   `json:"go"`
			Figures []figure `json:"figures"`
		}{"hansard.bench/1", runtime.GOMAXPROCS(0), runtime.Version(), figures})
	}
	if c.Bool("quiet") {
		_, err := fmt.Fprintf(c.App.Writer, "%.1f\n", figures[2].Value) // the share that intake reaches
		return err
	}
	fmt.Fprintf(c.App.Writer, "%d cores, %s. Other work on the machine lowers all of them.\n", runtime.GOMAXPROCS(0), runtime.Version())
	return nil
}

func benchIntake(c *cli.Context, base string, add func(string, float64, string, string)) error {
	subs, err := bench.Signed(c.Int("messages"))
	if err != nil {
		return err
	}
	limit, err := bench.VerifyRate(subs)
	if err != nil {
		return err
	}
	add("signatures verified, nothing else", limit, "/s", "")
	for i, intake := range []struct {
		name, aim string
		perCall   int
		promises  bool
	}{
		{"durable intake, 16 messages a call", "70 or more", 16, false},
		{"durable intake, one message a call", "", 1, false},
		{"durable intake of 16, all promises signed at once", "", 16, true},
	} {
		rate, err := bench.Intake(filepath.Join(base, fmt.Sprintf("intake-%d", i)), subs, intake.perCall, intake.promises)
		if err != nil {
			return err
		}
		again, err := bench.VerifyRate(subs)
		if err != nil {
			return err
		}
		add(intake.name, rate, "messages/s", "")
		add("  of the rate of verification alone", 100*rate/((limit+again)/2), "%", intake.aim)
		limit = again
	}
	p50, p99, err := bench.Latency(filepath.Join(base, "latency"), subs, limit*0.35)
	if err != nil {
		return err
	}
	add("acknowledgement at 35 % of that rate, median", p50.Seconds()*1000, "ms", "")
	add("  99th of 100", p99.Seconds()*1000, "ms", "below 50")
	return nil
}

func benchSeal(c *cli.Context, base string, add func(string, float64, string, string)) error {
	dir := filepath.Join(base, "seal")
	took, err := bench.Seal(dir, c.Int("entries"))
	if err != nil {
		return err
	}
	add(fmt.Sprintf("sealing %d entries", c.Int("entries")), took.Seconds()*1000, "ms", "below 1000 for 100,000")
	proof, err := bench.Prove(dir, 20_000)
	if err != nil {
		return err
	}
	add("inclusion proof from disk", float64(proof.Nanoseconds())/1000, "us", "below 100")
	return nil
}

// benchVerify makes a finalized receipt on an embedded chain and verifies it over and over.
func benchVerify(c *cli.Context, base string, add func(string, float64, string, string)) error {
	w := newWaiter()
	n, err := openNode(c.Context, nodeConfig{Dir: filepath.Join(base, "node"), Promise: "promise", LogName: "bench", Logger: discard()}, w.notify)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(c.Context)
	g, ctx := errgroup.WithContext(ctx)
	var receipt []byte
	g.Go(func() error { return n.Run(ctx) })
	g.Go(func() (err error) {
		defer stop()
		receipt, err = oneReceipt(ctx, &localLog{n, w})
		return err
	})
	if err := errors.Join(g.Wait(), n.Close()); err != nil {
		return err
	}
	rc, err := proofs.ParseReceipt(receipt)
	if err != nil {
		return err
	}
	o := proofs.Options{Trust: n.trust, BlockHash: rc.Anchor.Block.Hash}
	if _, err := proofs.Verify(receipt, o).Verified(); err != nil {
		return err
	}
	add("verification of a finalized receipt", float64(bench.Verify(receipt, o, 2000).Microseconds())/1000, "ms", "below 2")
	return nil
}

func oneReceipt(ctx context.Context, log *localLog) ([]byte, error) {
	key, err := identity.GenerateKey()
	if err != nil {
		return nil, err
	}
	m := proofs.Message{Log: log.chain.Log, Room: "bench", Author: proofs.Author(key.Address().String()),
		SentAt: uint64(time.Now().UnixMilli()), Kind: "text/plain", Body: "one two", Salt: newSalt()}
	e, err := key.SignMessage(log.chain.MessageDomain(), &m)
	if err != nil {
		return nil, err
	}
	if err := log.Submit(ctx, []batcher.Submission{{Message: m, Evidence: e}}); err != nil {
		return nil, err
	}
	id := log.chain.MessageDomain().MessageID(&m)
	if err := errors.Join(log.Flush(ctx), log.WaitFinal(ctx, id)); err != nil {
		return nil, err
	}
	return log.Receipt(ctx, id)
}
