package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/proofs"
)

// maxAnswer is far more than an answer with serviceLimit batches, in bytes.
const maxAnswer = 4 << 20

// pricedBatch is what GET /v1/batches says of a batch that matters here.
type pricedBatch struct {
	Number uint64 `json:"number,string"`
	State  string `json:"state"`
	Size   uint64 `json:"size,string"`
	Time   uint64 `json:"time,string"` // of the block, in seconds; 0 below included
	Spent  *struct {
		Gas uint64 `json:"gas,string"`
		Wei string `json:"wei"`
	} `json:"spent"`
}

// wei returns what the batch cost, and nil if that is not known: nothing is mined yet, or nothing was written down.
func (b *pricedBatch) wei() (*big.Int, error) {
	if b.Spent == nil {
		return nil, nil
	}
	wei, ok := new(big.Int).SetString(b.Spent.Wei, 10)
	if !ok || wei.Sign() < 0 {
		return nil, fmt.Errorf("list batches: batch %d cost %.40q wei", b.Number, b.Spent.Wei)
	}
	if wei.Sign() == 0 && b.Spent.Gas == 0 {
		return nil, nil
	}
	return wei, nil
}

// included reports whether the batch stands in a block.
func (b *pricedBatch) included() bool {
	state, err := proofs.ParseState(b.State)
	return err == nil && state >= proofs.StateIncluded
}

// askSpent adds up what the service paid for its batches.
func askSpent(c *cli.Context) (*cost.Spent, error) {
	spent, from := &cost.Spent{}, uint64(0)
	for {
		batches, err := pricedBatches(c, from)
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			wei, err := b.wei()
			if err != nil {
				return nil, err
			}
			if wei == nil {
				spent.Add(b.Size, 0, nil)
				continue
			}
			spent.Add(b.Size, b.Spent.Gas, wei)
		}
		if len(batches) < serviceLimit {
			return spent, nil
		}
		from = batches[len(batches)-1].Number + 1
	}
}

func pricedBatches(c *cli.Context, from uint64) ([]pricedBatch, error) {
	var page struct{ Batches []pricedBatch }
	if err := getJSON(c, "/v1/batches?from="+strconv.FormatUint(from, 10)+"&limit="+strconv.Itoa(serviceLimit), &page); err != nil {
		return nil, fmt.Errorf("list batches: %w", err)
	}
	for i := range page.Batches {
		if want := from + uint64(i); page.Batches[i].Number != want {
			return nil, fmt.Errorf("list batches: answer of the service: batch %d where %d should be", page.Batches[i].Number, want)
		}
	}
	return page.Batches, nil
}

// getJSON reads what the service answers at a path. Package client checks more, and of batches does not know the cost.
func getJSON(c *cli.Context, path string, v any) error {
	req, err := http.NewRequestWithContext(c.Context, http.MethodGet, strings.TrimSuffix(c.String("server"), "/")+path, nil)
	if err != nil {
		return usage("--server: %w", err)
	}
	answer, err := (&http.Client{Timeout: answerTimeout}).Do(req)
	if err != nil {
		if c.Context.Err() != nil {
			return c.Context.Err()
		}
		return fmt.Errorf("%w: %w", client.ErrUnreachable, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: it answers %s", client.ErrUnreachable, answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(v); err != nil {
		return fmt.Errorf("answer of the service: %w", err)
	}
	return nil
}
