package storage_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// TestOtherLog opens a directory as what it is not, and is told in what it differs.
func TestOtherLog(t *testing.T) {
	made := storage.Config{Dir: t.TempDir(), Chain: proofs.Chain{ChainID: 1, AnchorLog: proofs.Address{2}, Log: proofs.Hash{3}}, PromiseKey: proofs.Address{4}}
	open := func(cfg storage.Config) error {
		db, err := storage.Open(cfg)
		if err == nil {
			err = db.Close()
		}
		return err
	}
	if err := errors.Join(open(made), open(made)); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*storage.Config){
		"its chain is 1, and 5 is wanted": func(c *storage.Config) { c.Chain.ChainID = 5 },
		"its AnchorLog is 0x0200":         func(c *storage.Config) { c.Chain.AnchorLog[0] = 9 },
		"its PromiseBond is 0x0000":       func(c *storage.Config) { c.Chain.PromiseBond[0] = 9 },
		"its log is 0x0300":               func(c *storage.Config) { c.Chain.Log[0] = 9 },
	} {
		other := made
		change(&other)
		if err := open(other); !errors.Is(err, storage.ErrOtherLog) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), ";  ") {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
