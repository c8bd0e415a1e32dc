package main

import (
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/probe"
	"github.com/hansard-dao/hansard/proofs"
)

// defaultCheckEvery re-reads all payloads on disk: a disk that loses bytes loses them slowly.
const defaultCheckEvery = 24 * time.Hour

// probeFlags say how it is measured that payloads can be had, here and elsewhere.
func probeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "probe", Usage: "fetch samples of the payloads from the trustless IPFS gateway at `URL`, repeated for several, and store what it does not give"},
		&cli.DurationFlag{Name: "probe-every", Value: probe.DefaultEvery, Usage: "`TIME` between two rounds of --probe"},
		&cli.IntFlag{Name: "probe-sample", Value: probe.DefaultSample, Usage: "messages picked at random in each round (`N`): 299 find a loss of 1 % with 95 %"},
		&cli.DurationFlag{Name: "check-every", Value: defaultCheckEvery, Usage: "`TIME` between two readings of all payloads on disk, which makes damaged ones again; 0: none"},
	}
}

// openProbe reads probeFlags.
func (n *node) openProbe(c *cli.Context, logger *slog.Logger) error {
	if n.check = c.Duration("check-every"); n.check < 0 {
		return usage("--check-every: want 0 or more, got %s", n.check)
	}
	urls := c.StringSlice("probe")
	if len(urls) == 0 {
		for _, name := range []string{"probe-every", "probe-sample"} {
			if c.IsSet(name) {
				return usage("--%s: want --probe URL too, which says where", name)
			}
		}
		return nil
	}
	cfg := probe.Config{Store: n.db, Sample: c.Int("probe-sample"), Every: c.Duration("probe-every"), Logger: logger}
	if cfg.Sample < 1 || cfg.Every <= 0 {
		return usage("--probe-sample and --probe-every: want 1 and a time over 0 or more, got %d and %s", cfg.Sample, cfg.Every)
	}
	for _, s := range urls {
		blocks, err := gateway.New([]string{s}, nil)
		if err != nil {
			return usage("--probe: %w", err)
		}
		u, err := url.Parse(s)
		if err != nil {
			return usage("--probe: not a URL")
		}
		cfg.Sources = append(cfg.Sources, probe.Source{Name: u.Host, Blocks: blocks})
	}
	var err error
	if n.prober, err = probe.New(cfg); err != nil {
		return usage("--probe: give each host once: %w", err)
	}
	return nil
}

// probeLine is what one source gave of a batch's payload when it was last asked.
type probeLine struct {
	Source string `json:"source"`
	Time   uint64 `json:"time,string"` // ms
	Blocks uint64 `json:"blocks,string"`
	OK     bool   `json:"ok"`
	Why    string `json:"why,omitempty"`
}

func newProbeLines(probes []proofs.Probe) (lines []probeLine) {
	for _, p := range probes {
		lines = append(lines, probeLine{p.Source, p.Time, p.Blocks, p.OK, p.Why})
	}
	return lines
}

// probeFields say in how many places a payload was found.
func probeFields(probes []proofs.Probe) (fields [][2]string) {
	if len(probes) == 0 {
		return nil
	}
	given, last := 0, uint64(0)
	for _, p := range probes {
		if last = max(last, p.Time); p.OK {
			given++
		}
		said := fmt.Sprintf("%s  ok, %d blocks, %s", p.Source, p.Blocks, msUTC(p.Time))
		if !p.OK {
			said = fmt.Sprintf("%s  NOT RETRIEVABLE, %s: %s", p.Source, msUTC(p.Time), p.Why)
		}
		fields = append(fields, [2]string{"", visible(said)})
	}
	return append([][2]string{{"probed", fmt.Sprintf("retrievable from %d of %d, last probed %s", given, len(probes), msUTC(last))}}, fields...)
}
