package pins

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ipfs/boxo/pinning/remote/client/openapi"
	"github.com/multiformats/go-multihash"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
)

// psa is a service with the IPFS Pinning Service API. The API moves no bytes: the service fetches the blocks over bitswap
// from the origins, or from whoever else provides them.
type psa struct {
	name, id string
	api      *openapi.APIClient
	origins  func() []string // multiaddresses with /p2p/ of nodes that have the blocks; nil: none
	gateway  *gateway.Client // nil: what the service says is believed
	first    time.Duration   // between two questions how far it is, twice as long each time up to maxPSAPoll
}

const (
	psaPoll    = time.Second
	maxPSAPoll = 30 * time.Second
	psaLimit   = 10 // pins of one CID that are looked at
	maxOrigins = 20 // what the specification allows
)

var psaStates = []openapi.Status{openapi.QUEUED, openapi.PINNING, openapi.PINNED, openapi.FAILED}

func newPSA(name, id, endpoint, token string, origins func() []string, gw *gateway.Client) *psa {
	cfg := openapi.NewConfiguration()
	cfg.UserAgent = "hansard"
	cfg.AddDefaultHeader("Authorization", "Bearer "+token)
	cfg.Servers = openapi.ServerConfigurations{{URL: endpoint}}
	cfg.HTTPClient = newClient()
	return &psa{name: name, id: id, api: openapi.NewAPIClient(cfg), origins: origins, gateway: gw, first: psaPoll}
}

func (p *psa) Name() string { return p.name }
func (p *psa) ID() string   { return p.id }

// list returns the pins of the root, those first that came furthest.
func (p *psa) list(ctx context.Context, c *CAR) (best *openapi.PinStatus, err error) {
	found, resp, err := p.api.PinsApi.PinsGet(ctx).Cid([]string{c.CID()}).Status(psaStates).Limit(psaLimit).Execute()
	if err != nil {
		return nil, psaError("list pins", resp, err)
	}
	rank := map[openapi.Status]int{openapi.FAILED: 1, openapi.QUEUED: 2, openapi.PINNING: 3, openapi.PINNED: 4}
	for i := range found.Results {
		r := &found.Results[i]
		if r.Pin.Cid == c.CID() && (best == nil || rank[r.Status] > rank[best.Status]) {
			best = r
		}
	}
	return best, nil
}

// Push asks for a pin, unless there is one, and waits until the service says that it has it. A pin that failed is asked for anew.
func (p *psa) Push(ctx context.Context, c CAR) error {
	at, err := p.list(ctx, &c)
	if err != nil {
		return err
	}
	if at != nil && at.Status == openapi.FAILED {
		if resp, err := p.api.PinsApi.PinsRequestidDelete(ctx, at.Requestid).Execute(); err != nil {
			return psaError("remove the pin that failed", resp, err)
		}
		at = nil
	}
	if at == nil {
		pin := openapi.Pin{Cid: c.CID(), Name: &c.Name}
		if p.origins != nil {
			all := p.origins()
			pin.SetOrigins(all[:min(len(all), maxOrigins)])
		}
		added, resp, err := p.api.PinsApi.PinsPost(ctx).Pin(pin).Execute()
		if err != nil {
			return psaError("add a pin", resp, err)
		}
		at = &added
	}
	return p.wait(ctx, at)
}

// wait returns nil once the pin is there.
func (p *psa) wait(ctx context.Context, at *openapi.PinStatus) error {
	for pause := p.first; ; pause = min(2*pause, maxPSAPoll) {
		switch at.Status {
		case openapi.PINNED:
			return nil
		case openapi.FAILED:
			return fmt.Errorf("it could not pin: %s", said(fmt.Sprint(at.GetInfo())))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the pin is still %s: the service has to reach a node that has the blocks", at.Status)
		case <-time.After(pause):
		}
		now, resp, err := p.api.PinsApi.PinsRequestidGet(ctx, at.Requestid).Execute()
		if err != nil {
			return psaError("ask for the pin", resp, err)
		}
		at = &now
	}
}

// Check asks for the status, and where there is a gateway fetches two blocks from it.
func (p *psa) Check(ctx context.Context, c CAR) (bool, error) {
	at, err := p.list(ctx, &c)
	if err != nil || at == nil || at.Status != openapi.PINNED {
		return false, err
	}
	if p.gateway == nil {
		return true, nil
	}
	all, err := c.blocks(ctx)
	if err != nil {
		return false, local(err)
	}
	for _, b := range sample(all) {
		mh, err := multihash.Decode(b.cid.Hash())
		if err != nil || len(mh.Digest) != len(proofs.Hash{}) || cidOf(proofs.Hash(mh.Digest)) != b.cid {
			continue // of an attachment, which the gateway's client does not ask for
		}
		if _, err := p.gateway.Block(ctx, proofs.Hash(mh.Digest)); err != nil {
			return false, fmt.Errorf("it says that it is pinned, and it cannot be fetched: %w", err)
		}
	}
	return true, nil
}

// psaError makes one line of an answer.
func psaError(what string, resp *http.Response, err error) error {
	if resp == nil || resp.StatusCode < 300 {
		return fmt.Errorf("%s: %w", what, plain(err))
	}
	message := ""
	var api openapi.GenericOpenAPIError
	if errors.As(err, &api) {
		if f, ok := api.Model().(openapi.Failure); ok {
			message = f.Error.GetReason() + " " + f.Error.GetDetails()
		}
	}
	return &refusal{what, resp.StatusCode, message}
}
