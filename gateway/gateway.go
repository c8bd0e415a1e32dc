// Package gateway fetches blocks from trustless IPFS gateways and believes none of them: what is returned
// hashes to what was asked for.
//
//	c, err := gateway.New([]string{"https://hansard.example.org", "https://ipfs.example"}, nil)
//	manifest, err := c.Block(ctx, batch.CID)
//
// A gateway is asked for one raw block at a time, as the IPFS Trustless Gateway specification has it:
//
//	GET <url>/ipfs/<cid>?format=raw        Accept: application/vnd.ipld.raw
//
// Blocks are those of docs/receipt-v1.md, section 7: dag-cbor, SHA-256, no longer than a manifest may be.
// TestBlock puts hostile gateways among honest ones.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// MaxBlock is the longest block that is read, in bytes: a manifest may be so long, chunks are shorter.
const MaxBlock = proofs.MaxManifest

// Timeout is what one gateway has for one block: MaxBlock at 300 kbit/s.
const Timeout = 30 * time.Second

// maxRedirects is how many redirects inside a host are followed.
const maxRedirects = 3

const mediaType = "application/vnd.ipld.raw"

// Client asks several gateways. It is safe for concurrent use.
type Client struct {
	gateways []*url.URL
	http     *http.Client
	timeout  time.Duration
	last     atomic.Int64 // the gateway that gave the last block is asked first for the next
}

// New returns a client of at least one gateway. A URL is http or https and what stands before /ipfs/. The
// HTTP client's transport, jar and timeout are used; nil is a new one. Redirects to other hosts are not followed.
func New(urls []string, httpClient *http.Client) (*Client, error) {
	if len(urls) == 0 {
		return nil, errors.New("no gateway given")
	}
	c := &Client{http: &http.Client{}, timeout: Timeout}
	if httpClient != nil {
		*c.http = *httpClient
	}
	c.http.CheckRedirect = sameHost
	for _, s := range urls {
		u, err := url.Parse(s)
		if err != nil {
			return nil, errors.New("gateway: not a URL") // the error would quote it, and it may hold a token
		}
		switch {
		case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
			return nil, errors.New("gateway: want a URL that begins with https:// or http:// and a host")
		case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "":
			return nil, fmt.Errorf("gateway %s: want a URL without user, query and fragment", u.Host)
		}
		u.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/ipfs")
		u.RawPath = ""
		c.gateways = append(c.gateways, u)
	}
	return c, nil
}

// sameHost refuses redirects to other hosts and from https to http.
func sameHost(r *http.Request, via []*http.Request) error {
	from := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case r.URL.Host != from.Host, r.URL.Scheme != from.Scheme:
		return fmt.Errorf("it redirects to %.100q, which is not followed", r.URL.Scheme+"://"+r.URL.Host)
	}
	return nil
}

// errNotHere is one gateway's word that it does not have the block.
var errNotHere = errors.New("it does not have the block")

// Block returns the dag-cbor block with that SHA-256 digest. The gateways are asked in turn until one
// gives it. The error names what each answered, and wraps proofs.ErrNotFound only if every one of them
// says that it does not have the block.
func (c *Client) Block(ctx context.Context, digest proofs.Hash) ([]byte, error) {
	cid := proofs.FormatCID(digest)
	first := int(c.last.Load())
	var errs []error
	missing := 0
	for i := range c.gateways {
		at := (first + i) % len(c.gateways)
		b, err := c.fetch(ctx, c.gateways[at], cid, digest)
		if err == nil {
			c.last.Store(int64(at))
			return b, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("block %s: %w", cid, ctx.Err())
		}
		if errors.Is(err, errNotHere) {
			missing++
		}
		errs = append(errs, fmt.Errorf("gateway %s: %w", c.gateways[at].Host, err))
	}
	err := errors.Join(errs...)
	if missing == len(c.gateways) {
		return nil, fmt.Errorf("block %s: %w: %w", cid, proofs.ErrNotFound, err)
	}
	return nil, fmt.Errorf("block %s: %w", cid, err)
}

func (c *Client) fetch(ctx context.Context, base *url.URL, cid string, digest proofs.Hash) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	u := base.JoinPath("ipfs", cid)
	u.RawQuery = "format=raw"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, plain(err)
	}
	r.Header.Set("Accept", mediaType)
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone, http.StatusUnavailableForLegalReasons:
		return nil, errNotHere
	default:
		return nil, fmt.Errorf("it answers with status %d", resp.StatusCode)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxBlock+1))
	switch {
	case err != nil:
		return nil, plain(err)
	case len(b) > MaxBlock:
		return nil, fmt.Errorf("it sends more than %d bytes", MaxBlock)
	case proofs.BlockDigest(b) != digest:
		return nil, fmt.Errorf("it sends %d bytes that are not the block", len(b))
	}
	return b, nil
}

// plain takes the URL out of an error of the HTTP client: its path may hold a token.
func plain(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it did not answer within its time")
	}
	return err
}
