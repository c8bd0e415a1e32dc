package main

import (
	"context"
	"fmt"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/cost"
)

// askSpent adds up what the service paid for its batches.
func askSpent(ctx context.Context, s *client.Client) (*cost.Spent, error) {
	spent := &cost.Spent{}
	err := eachBatch(ctx, s, 0, func(b *client.Batch) {
		if b.Spent == nil {
			spent.Add(b.Size, 0, nil)
			return
		}
		spent.Add(b.Size, b.Spent.Gas, b.Spent.Wei)
	})
	return spent, err
}

// eachBatch calls f with each batch of the service from that number on, in order.
func eachBatch(ctx context.Context, s *client.Client, from uint64, f func(*client.Batch)) error {
	for {
		batches, err := s.Batches(ctx, from, serviceLimit)
		if err != nil {
			return err
		}
		for i := range batches {
			if batches[i].Number != from {
				return fmt.Errorf("list batches: answer of the service: batch %d where %d should be", batches[i].Number, from)
			}
			f(&batches[i])
			from++
		}
		if len(batches) < serviceLimit {
			return nil
		}
	}
}
