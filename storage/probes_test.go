package storage_test

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// What sources gave outlives the process, and a newer word takes the place of an older one.
func TestProbes(t *testing.T) {
	cfg := storage.Config{Dir: t.TempDir(), Chain: proofs.Chain{ChainID: 1, Log: proofs.Hash{1}}, Reserve: 1}
	open := func() *storage.DB {
		t.Helper()
		db, err := storage.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	at := func(batch uint64, source string, time uint64, ok bool) proofs.Probe {
		p := proofs.Probe{Batch: batch, Source: source, Time: time, Blocks: 2, OK: ok}
		if !ok {
			p.Why = fmt.Sprintf("it does not have block %d", batch)
		}
		return p
	}
	db := open()
	for _, probes := range [][]proofs.Probe{
		{at(0, "a", 1, true), at(255, "a", 1, false), at(256, "a", 1, false), at(256, "b", 1, false)},
		{at(256, "b", 2, true), at(1<<40, "a", 2, false), at(0, "b", 2, false)},
	} {
		if err := db.SetProbes(t.Context(), probes); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		for batch, want := range map[uint64][]proofs.Probe{
			0: {at(0, "a", 1, true), at(0, "b", 2, false)}, 1: nil, 256: {at(256, "a", 1, false), at(256, "b", 2, true)},
		} {
			got, err := db.Probes(t.Context(), batch)
			slices.SortFunc(got, func(x, y proofs.Probe) int { return cmp.Compare(x.Source, y.Source) })
			if diff := gocmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("batch %d: %v (-want +got):\n%s", batch, err, diff)
			}
		}
		for _, c := range []struct {
			source string
			limit  int
			want   []uint64
		}{{"a", 9, []uint64{255, 256, 1 << 40}}, {"a", 2, []uint64{255, 256}}, {"b", 9, []uint64{0}}, {"c", 9, nil}} {
			got, err := db.Failing(t.Context(), c.source, c.limit)
			if diff := gocmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("failing at %s: %v (-want +got):\n%s", c.source, err, diff)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open()
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
