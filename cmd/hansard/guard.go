package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/api"
	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/bond"
	"github.com/hansard-dao/hansard/cost"
	"github.com/hansard-dao/hansard/guard"
)

// answerFlags say who answers challenges, and what that may cost.
func answerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "answer-account", Usage: "`URI` of the key that answers challenges of the bond, as of --account", DefaultText: "the first --account"},
		&cli.StringFlag{Name: "answer-cap", Value: "0.05 ether", Usage: "most that the answer to one challenge may cost; --max-fee-gwei holds until half of the time to answer is over (`AMOUNT`)"},
		&cli.DurationFlag{Name: "answer-poll", Value: time.Minute, Usage: "look for challenges every `TIME`"},
	}
}

// maxAnswerPoll leaves many looks for each challenge.
const maxAnswerPoll = bond.AnswerTime / 72

// answerFrom reads answerFlags.
func (cfg *nodeConfig) answerFrom(c *cli.Context) (err error) {
	if cfg.AnswerCap, err = cost.ParseWei(c.String("answer-cap")); err != nil {
		return usage("--answer-cap: %w", err)
	}
	if cfg.AnswerCap.Sign() == 0 {
		return usage("--answer-cap: with an amount of 0 a challenge costs the bond")
	}
	if cfg.Look = c.Duration("answer-poll"); cfg.Look <= 0 || cfg.Look > maxAnswerPoll {
		return usage("--answer-poll: want a time over 0 and at most %s, got %s", maxAnswerPoll, cfg.Look)
	}
	if uri := c.String("answer-account"); uri != "" {
		signers, err := openSigners(c, []string{uri}, filepath.Join(cfg.Dir, "keys"), cfg.Password)
		if err != nil {
			return fmt.Errorf("--answer-account: %w", err)
		}
		cfg.Answer = signers[0]
	}
	return nil
}

// answerMethods are the signatures of what the answerer calls, for external signers.
func answerMethods() ([]string, error) {
	bond, err := bindings.PromiseBondMetaData.ParseABI()
	if err != nil {
		return nil, fmt.Errorf("read the bond's interface: %w", err)
	}
	return []string{bond.Methods["answer"].Sig}, nil
}

// urgent is how long before a deadline nothing new is promised any more: what --urgent says, if promises leave so much
// time after the pool is sealed.
func urgent(a anchor.Config, b batcher.Config) time.Duration {
	promise, age := cmp.Or(b.Promise, batcher.DefaultPromise), cmp.Or(b.MaxAge, batcher.DefaultMaxAge)
	return min(cmp.Or(a.Urgent, promise/4), promise/4, (promise-age)/2)
}

// wireGuard makes what watches over the promises, and what answers for them.
func (n *node) wireGuard(cfg nodeConfig) (err error) {
	n.guard, err = guard.New(guard.Config{
		Store: n.db, Unsealed: n.batcher.Unsealed, Promise: cmp.Or(cfg.Batch.Promise, batcher.DefaultPromise),
		Urgent: urgent(cfg.Anchor, cfg.Batch), OnCap: cfg.Anchor.OnCap, Delay: n.delay, Changed: n.changed, Logger: cfg.Logger,
	})
	if err != nil {
		return err
	}
	a := guard.AnswererConfig{
		Nodes: n.nodes, Log: n.chain, Store: n.db, Signer: cfg.Answer, Fees: cfg.Anchor.Fees, DataFee: cfg.Anchor.DataFee,
		Cap: cfg.AnswerCap, FromBlock: cfg.Anchor.FromBlock, Window: cfg.Anchor.LogWindow, Poll: cfg.Look, Logger: cfg.Logger,
	}
	if a.Signer == nil {
		a.Signer = cfg.Signers[0]
	}
	if n.dev != nil {
		a.Poll, a.TxPoll = time.Second, devPoll
	}
	n.answerer, err = guard.NewAnswerer(a)
	return err
}

// unmarked is the code of a refusal because of --mark; the others are guard's.
const unmarked = "mark"

// refuse says why nothing new can be promised now, and nil if it can.
func (n *node) refuse() *batcher.BusyError {
	if n.canPromise() != nil {
		return &batcher.BusyError{Code: batcher.CannotPromise, Reason: "the service cannot write down how far it promised, and its operator has to act", RetryAfter: time.Minute}
	}
	return n.guard.Refuse()
}

// atRisk is what is promised and not kept yet, and why nothing new is.
func (n *node) atRisk() guard.Status {
	s := n.guard.Status()
	if n.canPromise() != nil {
		no := n.refuse()
		s.Refusal = &guard.Refusal{Code: unmarked, Reason: no.Reason, Since: time.Now(), Retry: no.RetryAfter}
	}
	return s
}

// lookAtPromises reads what was promised before the first new promise is given.
func (n *node) lookAtPromises(ctx context.Context) error {
	if err := n.lookAtHead(ctx); err != nil {
		return err
	}
	return n.guard.Look(ctx)
}

// promises returns what the API says of promises that are not kept yet.
func (n *node) promises() *api.Promises {
	s, c := n.atRisk(), n.answerer.Challenges()
	p := &api.Promises{
		Waiting: s.Messages, Deadline: s.Deadline, Overdue: s.Overdue,
		Challenges: api.Challenges{Open: c.Open, Hopeless: c.Hopeless, AnswerBy: c.AnswerBy, Answered: c.Answered},
	}
	if r := s.Refusal; r != nil {
		p.Refusal = &api.Refusal{Code: r.Code, Detail: r.Reason, Since: r.Since, RetryAfter: r.Retry}
	}
	return p
}
