package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

func TestSaveReceipt(t *testing.T) {
	receipt := func(name string) *proofs.Receipt { return readReceipt(t, filepath.Join(golden, name+".receipt.json")) }
	with := func(name string, f func(*proofs.Receipt)) *proofs.Receipt {
		rc := receipt(name)
		f(rc)
		return rc
	}
	for _, tc := range []struct {
		name string
		old  []byte
		next *proofs.Receipt
		want string // in the error; empty: it is replaced
	}{
		{"nothing there", nil, receipt("promised"), ""},
		{"higher level", receipt("promised").Format(), receipt("alice-finalized"), ""},
		{"same level", receipt("alice-finalized").Format(), receipt("alice-finalized"), ""},
		{"lower level", receipt("alice-finalized").Format(), receipt("included"), "it is finalized"},
		{"other message", receipt("bob-empty-body").Format(), receipt("alice-finalized"), "receipt of the message"},
		{"no receipt", []byte("my diary"), receipt("promised"), "something else"},
		{"other entry", receipt("promised").Format(), with("alice-finalized", func(rc *proofs.Receipt) { rc.Entry.Index++ }), "another entry"},
		{"other promise", receipt("promised").Format(), with("alice-finalized", func(rc *proofs.Receipt) { rc.Promise.Deadline++ }), "another promise"},
		{"promise left out", receipt("promised").Format(), with("alice-finalized", func(rc *proofs.Receipt) { rc.Promise = nil }), ""},
		{"message left out", receipt("promised").Format(), with("alice-finalized", func(rc *proofs.Receipt) { rc.Message, rc.Evidence = nil, nil }), "discloses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.receipt.json")
			if tc.old != nil {
				if err := os.WriteFile(path, tc.old, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			err := saveReceipt(path, tc.next)
			now, readErr := os.ReadFile(path)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || exitCode(err) != exitConflict || !bytes.Equal(now, tc.old) {
					t.Errorf("want the file as it was and an error with %q, got %v", tc.want, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rc, err := proofs.ParseReceipt(now); err != nil || rc.Level != tc.next.Level || tc.old != nil && rc.Promise == nil {
				t.Errorf("after it: %+v, %v", rc, err)
			}
		})
	}
}
