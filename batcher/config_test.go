package batcher_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

func TestConfig(t *testing.T) {
	tests := []struct {
		name string
		cfg  batcher.Config
		says []string
	}{
		{"nothing", batcher.Config{}, []string{"Store", "log in Chain"}},
		{"every number", batcher.Config{
			Chain: chain, Store: newMemory(t), MaxMessages: proofs.MaxBatch + 1, MaxAge: -1, Promise: -2, Ahead: -3, Queue: -4,
			HoldMessages: proofs.MaxBatch + 2, Urgent: -5,
		}, []string{"MaxMessages: 4294967296 is over 4294967295", "MaxAge: -1ns", "Promise: -2ns", "Ahead: -3ns", "Queue: -4",
			"HoldMessages: 4294967297 is over 4294967295", "Urgent: -5ns"}},
		{"a hold that ends before it begins", batcher.Config{Chain: chain, Store: newMemory(t), HoldMessages: 4095}, []string{"HoldMessages: 4095 is below MaxMessages, 4096"}},
		{"a promise that cannot be kept", batcher.Config{Chain: chain, Store: newMemory(t), MaxAge: 24 * time.Hour}, []string{"Promise: 24h0m0s", "MaxAge"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := batcher.New(tt.cfg)
			if err == nil || b != nil {
				t.Fatalf("got %v, %v", b, err)
			}
			for _, words := range append(tt.says, "batcher configuration: ") {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not say %q", err, words)
				}
			}
		})
	}
	if _, err := batcher.New(batcher.Config{Chain: chain, Store: newMemory(t), MaxMessages: proofs.MaxBatch}); err != nil {
		t.Error(err)
	}
}
