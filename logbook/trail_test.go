package logbook_test

import (
	"context"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/internal/logchain"
	"github.com/hansard-dao/hansard/logbook"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/proofs"
)

// manifests are blocks by their digest.
type manifests map[proofs.Hash][]byte

func (m manifests) Block(_ context.Context, digest proofs.Hash) ([]byte, error) {
	if b, ok := m[digest]; ok {
		return b, nil
	}
	return nil, proofs.ErrNotFound
}

// anchorManifests anchors n batches with their manifests, each sealed so many seconds after its block.
func anchorManifests(c *logchain.Chain, n int, ahead int64) (manifests, []proofs.Batch) {
	c.Helper()
	all, contract := manifests{}, bindings.NewAnchorLog()
	var batches []proofs.Batch
	var prev *proofs.Hash
	for i := range uint64(n) {
		c.Mine(int(3 + i%2))
		m := proofs.Manifest{
			Log: c.Log.Log, Number: i, First: 2 * i, Size: 2, Root: proofs.Keccak([]byte{byte(i)}), Prev: prev,
			SealedAt: uint64(int64(c.Now())+ahead) * 1000, Chunks: []proofs.Hash{{1}},
			Heads: []proofs.RoomHead{{Room: proofs.Hash{1}, First: 2 * i, Count: 2, Head: proofs.Hash{2}}},
		}
		block := m.Format()
		cid := proofs.BlockDigest(block)
		all[cid], prev = block, &cid
		c.Send(c.Operator, c.Log.AnchorLog, nil, contract.PackAnchor(c.Log.Log, new(big.Int).SetUint64(i), m.Root, big.NewInt(2), cid))
		batches = append(batches, proofs.Batch{Number: i, Root: m.Root, First: m.First, Size: 2, Time: c.Now(), CID: cid})
	}
	return all, batches
}

// noEvents is a node that shows no events, and finds no transaction by its hash.
var noEvents = []faultrpc.Fault{
	{Name: "no events", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		if c.Method == "eth_getLogs" {
			return faultrpc.Answer{Result: []byte("[]")}
		}
		return next(c)
	}},
	faultrpc.Null("eth_getTransactionReceipt"),
}

// TestTrail: a book of manifests and headers is that of events, whether the operator's clock was right or not.
func TestTrail(t *testing.T) {
	for name, ahead := range map[string]int64{"a clock that is right": 0, "behind": -600, "ahead": 600, "hours behind": -7200, "far ahead": 86_400} {
		t.Run(name, func(t *testing.T) {
			c := logchain.New(t)
			blocks, want := anchorManifests(c, 5, ahead)
			q, proxies := c.Nodes(1, nodes.Config{})
			cfg := logbook.Config{Nodes: q, Log: c.Log, Confirmations: 1}
			proxies[0].Set(noEvents...)
			if _, err := logbook.ReadTrail(t.Context(), cfg, blocks, proofs.Hash{}); !errors.Is(err, logbook.ErrUnproven) || !strings.Contains(err.Error(), "--newest") {
				t.Errorf("no event and no CID: %v", err)
			}
			trail, err := logbook.ReadTrail(t.Context(), cfg, blocks, want[4].CID)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Known = trail
			b, err := logbook.New(cfg)
			if err == nil {
				err = b.Refresh(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				a, ok := b.Batch(uint64(i))
				if !ok || a.Batch != want[i] {
					t.Errorf("batch %d: %+v, want %+v", i, a.Batch, want[i])
				}
				s, err := trail.Batches(t.Context(), uint64(i), 1)
				if err != nil || len(s) != 1 {
					t.Fatal(s, err)
				}
				if _, err := proofs.VerifyAnchor(s[0].Anchor, want[i], c.Log); err != nil {
					t.Errorf("anchor of batch %d: %v", i, err)
				}
			}
		})
	}
}

// TestTrailRefuses manifests that are not the log's, and says which receipts are gone.
func TestTrailRefuses(t *testing.T) {
	c := logchain.New(t)
	blocks, want := anchorManifests(c, 3, 0)
	q, proxies := c.Nodes(1, nodes.Config{})
	cfg := logbook.Config{Nodes: q, Log: c.Log, Confirmations: 1}
	bent := func(bend func(m *proofs.Manifest)) proofs.Hash {
		m, err := proofs.ParseManifest(blocks[want[2].CID])
		if err != nil {
			t.Fatal(err)
		}
		bend(m)
		block := m.Format()
		blocks[proofs.BlockDigest(block)] = block
		return proofs.BlockDigest(block)
	}
	fake := bent(func(m *proofs.Manifest) { m.Number, m.First, m.Size, m.Prev = 0, 0, 4, nil })
	for name, tc := range map[string]struct {
		newest proofs.Hash
		faults []faultrpc.Fault
		want   string
	}{
		"not there":       {proofs.Hash{1}, nil, "not found"},
		"another log":     {bent(func(m *proofs.Manifest) { m.Log[0] ^= 1 }), nil, "manifest"},
		"a later batch":   {bent(func(m *proofs.Manifest) { m.Number = 7 }), nil, "is of batch 7"},
		"more entries":    {bent(func(m *proofs.Manifest) { m.Size++ }), nil, "up to entry 7"},
		"another root":    {bent(func(m *proofs.Manifest) { m.Root[0] ^= 1 }), nil, "anchored"},
		"a link too few":  {bent(func(m *proofs.Manifest) { m.Prev = nil }), nil, "is of batch 2"},
		"another before":  {bent(func(m *proofs.Manifest) { m.Prev = &fake }), nil, "is of batch 0"},
		"no old receipts": {want[2].CID, []faultrpc.Fault{faultrpc.Refuse(4444, "pruned", "eth_getBlockReceipts", "eth_getTransactionReceipt")}, "shows its receipts"},
	} {
		proxies[0].Set(append(tc.faults, noEvents[0])...)
		if trail, err := logbook.ReadTrail(t.Context(), cfg, blocks, tc.newest); trail != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q", name, err, tc.want)
		}
	}
	other := cfg
	other.Log.Log[0] ^= 1
	proxies[0].Set()
	if trail, err := logbook.ReadTrail(t.Context(), other, blocks, want[2].CID); trail != nil || err == nil {
		t.Errorf("a log that is not there: %v, %v", trail, err)
	}
}
