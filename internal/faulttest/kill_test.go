package faulttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/nodes"
	"github.com/hansard-dao/hansard/payload"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
)

// childEnv makes the test binary the process that gets killed. It holds a child as JSON.
const childEnv = "HANSARD_FAULT_CHILD"

func TestMain(m *testing.M) {
	s := os.Getenv(childEnv)
	if s == "" {
		code := m.Run()
		os.Remove(binary) //nolint:errcheck // it may not have been needed
		os.Exit(code)
	}
	var c child
	err := json.Unmarshal([]byte(s), &c)
	if err == nil {
		err = c.run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child keeps a log and does what it reads on standard input, a word a line: seal takes two messages and seals them,
// step is one round of the anchorer. It answers each with a line: the ids of the messages, or the number of the lowest
// state of a batch.
type child struct {
	Storage storage.Config
	URLs    []string
	Write   int  // the write of the anchorer, from 1, at which it kills itself; 0: none
	After   bool // it does so when the write is done, not before
}

func (c *child) run(ctx context.Context) error {
	db, err := storage.Open(c.Storage)
	if err != nil {
		return err
	}
	log, sealed := c.Storage.Chain, make(chan struct{}, 1)
	quiet := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b, err := batcher.New(batcher.Config{
		Chain: log, Store: db, Recover: identity.Recover, Logger: quiet, MaxAge: time.Hour, Sealed: func() { sealed <- struct{}{} },
	})
	if err != nil {
		return err
	}
	pinner := payload.New(payload.Config{Log: log.Log, Store: db, Node: memory{}, Pinned: func() {}, Logger: quiet})
	a, err := c.anchorer(ctx, db, quiet)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	ctx, cancel := context.WithCancel(gctx)
	g.Go(func() error { return b.Run(ctx) })
	g.Go(func() error {
		defer cancel()
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			if err := pinner.Step(ctx); err != nil {
				return err
			}
			switch lines.Text() {
			case "seal":
				if err := c.seal(ctx, b, db); err != nil {
					return err
				}
				<-sealed
			case "step":
				if err := c.step(ctx, a, db); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return errors.Join(g.Wait(), db.Close())
}

func (c *child) anchorer(ctx context.Context, db *storage.DB, logger *slog.Logger) (*anchor.Anchorer, error) {
	store := &faultyStore{DB: db, around: func(write int, done bool) error {
		if write == c.Write && done == c.After {
			syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // nobody hears of it
			select {}
		}
		return nil
	}}
	q, err := nodes.Dial(ctx, c.URLs, nodes.Config{})
	if err != nil {
		return nil, err
	}
	return anchor.New(anchor.Config{Nodes: q, Log: c.Storage.Chain, Signers: []anchor.Signer{submitter}, Store: store, Logger: logger})
}

func (c *child) seal(ctx context.Context, b *batcher.Batcher, db *storage.DB) error {
	tail, err := db.Tail(ctx)
	if err != nil {
		return err
	}
	var ids []string
	for i := range 2 {
		res := b.Submit(ctx, newMessage(c.Storage.Chain, int(tail.Next)+i, time.Now()))[0]
		if res.Err != nil {
			return res.Err
		}
		ids = append(ids, res.ID.String())
	}
	fmt.Println(strings.Join(ids, " "))
	b.Flush()
	return nil
}

func (c *child) step(ctx context.Context, a *anchor.Anchorer, db *storage.DB) error {
	if err := a.Step(ctx); errors.Is(err, anchor.ErrFatal) {
		return err
	}
	low := proofs.StateFinalized
	batches, err := db.Unfinal(ctx, 1)
	for _, s := range batches {
		low = s.State
	}
	fmt.Println(int(low))
	return err
}

// process is a child that the test commands.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	stderr bytes.Buffer
}

func (h *harness) start(c child) *process {
	h.Helper()
	c.Storage, c.URLs = h.storage(), h.urls
	spec, err := json.Marshal(c)
	if err != nil {
		h.Fatal(err)
	}
	p := &process{t: h, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	p.cmd.Stderr = &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		h.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		h.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		h.Fatal(err)
	}
	return p
}

// do commands and returns the answer; alive is false when the child died instead.
func (p *process) do(word string) (answer string, alive bool) {
	io.WriteString(p.in, word+"\n") //nolint:errcheck // a dead child does not answer
	if !p.out.Scan() {
		return "", false
	}
	return p.out.Text(), true
}

// end waits for the child, which died by SIGKILL or, when nothing killed it, ends at the end of its input.
func (p *process) end() (killed bool) {
	p.t.Helper()
	p.in.Close()
	for p.out.Scan() {
	}
	err := p.cmd.Wait()
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if killed = status.Signaled() && status.Signal() == syscall.SIGKILL; !killed && err != nil {
		p.t.Fatalf("the process ended by itself: %v: %s", err, p.stderr.Bytes())
	}
	return killed
}

// run lets a child anchor what there is, and a new batch if fresh, until all is final or it is killed.
func (h *harness) run(c child, fresh bool) (killed bool) {
	h.Helper()
	p := h.start(c)
	h.victim.Store(p)
	defer h.victim.Store(nil)
	if fresh {
		ids, alive := p.do("seal")
		if !alive {
			return p.end()
		}
		for _, s := range strings.Fields(ids) {
			id, err := proofs.ParseHash(s)
			if err != nil {
				h.Fatal(err)
			}
			h.accepted = append(h.accepted, id)
		}
	}
	for range 40 {
		state, alive := p.do("step")
		if !alive || state == fmt.Sprint(int(proofs.StateFinalized)) {
			return p.end()
		}
		h.chain.mine(1)
	}
	h.Errorf("a batch is stuck: %s", p.stderr.Bytes())
	return p.end()
}

// sweep kills a fresh anchoring at the first place, the second, and so on until it gets through, and lets another
// process finish each.
func (h *harness) sweep(least int, at func(place int) child) {
	h.Helper()
	h.stop() // the child has the log now
	for place := 1; ; place++ {
		killed := h.run(at(place), true)
		for _, p := range h.proxies {
			p.Set()
		}
		if !killed {
			break
		}
		h.tried++
		if h.run(child{}, false) {
			h.Fatal("a process was killed by nobody")
		}
		if h.Failed() {
			h.Fatalf("after the kill at place %d", place)
		}
	}
	if h.tried < least {
		h.Errorf("only %d places to be killed at, want at least %d", h.tried, least)
	}
	h.open()
	h.check()
}

func TestKill(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]bool{"kill -9 before each durable step": false, "kill -9 after each durable step": true} {
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 1)
			h.sweep(3, func(place int) child { return child{Write: place, After: after} })
		})
	}
	for name, after := range map[string]bool{"kill -9 before each RPC call": false, "kill -9 after each RPC call": true} {
		onChains(t, name, func(t *testing.T, chain string) {
			h := newHarness(t, chain, nearFinality, 1)
			h.sweep(20, func(place int) child {
				h.proxies[0].Reset()
				h.proxies[0].Set(h.killAt(place, after))
				return child{}
			})
		})
	}
}

// killAt kills the child at the call of that number: before the node gets it, or before its answer goes back.
func (h *harness) killAt(number int, after bool) faultrpc.Fault {
	return faultrpc.Fault{Name: "kill", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		if c.Number != number {
			return next(c)
		}
		if after {
			next(c)
		}
		if p := h.victim.Load(); p != nil {
			p.cmd.Process.Kill() //nolint:errcheck // end tells whether it died
		}
		return faultrpc.Answer{Break: faultrpc.Break{Reset: true}}
	}}
}
