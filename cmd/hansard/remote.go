package main

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/client"
	"github.com/hansard-dao/hansard/proofs"
)

// remoteLog is the log of a running service, as an importer uses it.
type remoteLog struct {
	client *client.Client
	chain  proofs.Chain
}

// openRemote connects to the service and reads the importer's token.
func openRemote(c *cli.Context, server string) (*remoteLog, error) {
	cl, err := client.New(server, nil)
	if err != nil {
		return nil, usage("--server: %w", err)
	}
	path := c.String("token-file")
	if path == "" {
		if !isLoopback(server) {
			return nil, usage("--server %s is another machine: name its importer token with --token-file", oneLine(server, maxDetail))
		}
		path = filepath.Join(c.String("data"), "importer.token")
	}
	token, err := readFile(path, nil)
	if err != nil {
		return nil, usage("read the importer's token: %w; the service wrote it into its data directory: name it with --token-file", err)
	}
	cl.ImporterToken = strings.TrimSpace(string(token))
	info, err := cl.Info(c.Context)
	if err != nil {
		return nil, err
	}
	return &remoteLog{cl, info.Chain}, nil
}

// isLoopback reports whether the URL names this machine.
func isLoopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *remoteLog) Chain() proofs.Chain { return l.chain }

func (l *remoteLog) Versions(ctx context.Context, room proofs.Room, source string) ([]proofs.Message, error) {
	found, more, err := l.client.BySource(ctx, room, source, proofs.VouchNobody)
	if err != nil {
		return nil, err
	}
	if more {
		return nil, fmt.Errorf("the service lists only the newest messages of the source %q: import on the service's own machine, without --server", source)
	}
	var messages []proofs.Message
	for _, m := range found {
		if m.Message != nil {
			messages = append(messages, *m.Message)
		}
	}
	return messages, nil
}

func (l *remoteLog) Submit(ctx context.Context, subs []batcher.Submission) error {
	sent := make([]proofs.Submission, len(subs))
	for i, s := range subs {
		sent[i] = proofs.Submission{Message: s.Message, Evidence: s.Evidence}
	}
	answers, err := l.client.SubmitMany(ctx, sent)
	if err != nil {
		return err
	}
	for _, a := range answers {
		if a.Err != nil {
			return a.Err
		}
	}
	return nil
}

func (l *remoteLog) Flush(ctx context.Context) error { return l.client.Flush(ctx) }

func (l *remoteLog) WaitFinal(ctx context.Context, id proofs.Hash) error {
	_, err := l.client.WaitStatus(ctx, id, proofs.StateFinalized)
	return err
}

func (l *remoteLog) Receipt(ctx context.Context, id proofs.Hash) ([]byte, error) {
	return l.client.Receipt(ctx, id)
}
