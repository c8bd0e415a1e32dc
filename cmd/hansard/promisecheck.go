package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/promises"
	"github.com/hansard-dao/hansard/proofs"
)

func promiseCheckCommand() *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "decide against the chain whether promises were kept, and write evidence of those that were not", ArgsUsage: "FILE...",
		Description: "FILE is a receipt at any level or evidence of a breach. Each promise is KEPT, OPEN, BROKEN or\n" +
			"UNDETERMINED, and two files with different leaves at one index are a conflict. Evidence is written\n" +
			"into a file of its own; the report names it and the command that slashes the bond.\n\n" +
			"Exit codes: 0 all kept, 11 still open or not final, 12 undetermined, 13 not in the trust file, or open\n" +
			"with no bond behind it, 14 broken, 10 a file that does not hold, 20 the nodes do not answer. Of several\n" +
			"promises the worst counts, in the order 14, 10, 13, 12, 11, 0.",
		Flags: append(judgeFlags(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Value: ".", Usage: "write evidence into `DIR`"},
		),
		Action: runPromiseCheck,
	}
}

// checking is one call of hansard promise check.
type checking struct {
	cli   *cli.Context
	trust *proofs.Trust
	lines []promiseLine
}

func runPromiseCheck(c *cli.Context) error {
	paths := c.Args().Slice()
	if len(paths) == 0 {
		return usage("which promise? hansard promise check FILE, a receipt or evidence")
	}
	if err := readable(paths); err != nil {
		return err
	}
	trust, err := readTrust(c.String("trust"))
	if err != nil {
		return err
	}
	k := &checking{cli: c, trust: trust}
	logs, err := k.read(paths)
	if err != nil || len(logs) == 0 {
		return cmp.Or(err, k.print())
	}
	s, err := openSite(c)
	if err != nil {
		return err
	}
	defer s.nodes.Close()
	tellBasis(c, trust)
	for _, files := range logs {
		if err := k.judge(s, files); err != nil {
			return err
		}
	}
	return k.print()
}

// read reads the files and returns what is in them by log. What is wrong with a file becomes its line.
func (k *checking) read(paths []string) (logs [][]*given, err error) {
	for _, path := range paths {
		g, err := readGiven(path, k.cli.App.Reader, k.trust)
		if err != nil {
			if err := k.refuse(err, path); err != nil {
				return nil, err
			}
			continue
		}
		i := slices.IndexFunc(logs, func(files []*given) bool { return files[0].chain == g.chain })
		if i < 0 {
			i, logs = len(logs), append(logs, nil)
		}
		logs[i] = append(logs[i], g)
	}
	return logs, nil
}

// refuse makes a line of an error that is about a file, and returns any other.
func (k *checking) refuse(err error, path string) error {
	var exit *exitError
	if !errors.As(err, &exit) || exit.code != proofs.Invalid.Exit() && exit.code != proofs.Mismatch.Exit() {
		return err
	}
	verdict := proofs.Invalid
	if exit.code == proofs.Mismatch.Exit() {
		verdict = proofs.Mismatch
	}
	k.lines = append(k.lines, promiseLine{Schema: promiseSchema, Files: []string{path}, Verdict: string(verdict), Exit: exit.code, Detail: err.Error()})
	return nil
}

// judge decides about the files of one log, each by itself and all together.
func (k *checking) judge(s *site, files []*given) error {
	ctx := k.cli.Context
	d, err := openDocket(k.cli, s, files[0].chain)
	if err != nil {
		for _, g := range files {
			if err := k.refuse(err, g.path); err != nil {
				return err
			}
		}
		return nil
	}
	var all []proofs.Promise
	path := map[proofs.Promise]string{}
	for _, g := range files {
		f, err := d.decide(ctx, g)
		if err != nil {
			return chainError(err)
		}
		if f.Key.Until == 0 && !g.listed {
			err := pathError(proofs.Mismatch.Exit(), g.path, "its promise is signed by %s, which is no promise key of the bond at %s, nor of a trust file that you gave",
				g.signer, d.chain.PromiseBond)
			if err := k.refuse(err, g.path); err != nil {
				return err
			}
			continue
		}
		all, path[g.promise] = append(all, g.promise), g.path
		if err := k.add(d, f, g.evidence, g.path); err != nil {
			return err
		}
	}
	for _, pair := range promises.Conflicts(all) {
		f, err := d.judge.DecideConflict(ctx, pair)
		if err != nil {
			return chainError(err)
		}
		if err := k.add(d, f, nil, path[pair[0]], path[pair[1]]); err != nil {
			return err
		}
	}
	return nil
}

// add makes the line of a finding. evidence is what the file holds already.
func (k *checking) add(d *docket, f *promises.Finding, evidence *proofs.BreachEvidence, paths ...string) error {
	l := newPromiseLine(d, f, paths)
	if f.Outcome == promises.Broken && f.Final {
		var err error
		if l.Evidence, err = k.evidence(d, f, evidence, &l); err != nil {
			return err
		}
	}
	if err := l.look(k.cli.Context, d, f); err != nil {
		return err
	}
	l.Next = nextCommand(k.cli, &l, f)
	k.lines = append(k.lines, l)
	return nil
}

// evidence returns the file that holds evidence of the finding, and writes it unless it is what was given.
func (k *checking) evidence(d *docket, f *promises.Finding, given *proofs.BreachEvidence, l *promiseLine) (path string, err error) {
	if given != nil && given.Breach == f.Breach {
		return l.Files[0], nil
	}
	made, err := d.judge.Evidence(k.cli.Context, f)
	if err != nil {
		if err := k.cli.Context.Err(); err != nil {
			return "", err
		}
		l.Detail += fmt.Sprintf("; no evidence was written: %v", err)
		return "", nil
	}
	return writeEvidence(k.cli.String("out"), made)
}

// look tries whether what may be done now would succeed.
func (l *promiseLine) look(ctx context.Context, d *docket, f *promises.Finding) error {
	if f.Next != promises.Slash && f.Next != promises.Conclude {
		return nil
	}
	tx, err := d.judge.Plan(ctx, f, f.Next)
	if err != nil {
		return chainError(err)
	}
	l.Bond.Succeeds = d.judge.Simulate(ctx, proofs.Address{}, tx) == nil
	return nil
}

// writeEvidence writes the evidence into the folder, under a name of the promise's own, and returns that. What is
// there stays: it is evidence of the same breach.
func writeEvidence(dir string, e *proofs.BreachEvidence) (path string, err error) {
	id := e.Chain.PromiseDomain().PromiseDigest(&e.Promise)
	path = filepath.Join(dir, id.String()[2:10]+"."+e.Breach.String()+proofs.EvidenceSuffix)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		b, err := readFile(path, nil)
		if err != nil {
			return "", err
		}
		if old, err := proofs.ParseBreachEvidence(b); err != nil || old.Chain != e.Chain || old.Promise != e.Promise || old.Breach != e.Breach {
			return "", &exitError{exitConflict, fmt.Errorf("%s holds something else and was left as it is; write evidence into another folder with -o", path)}
		}
		return path, nil
	}
	if err != nil {
		return "", usage("write evidence: %w; give another folder with -o", err)
	}
	_, err = f.Write(e.Format())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("write evidence: %w", err), os.Remove(path))
	}
	return path, nil
}
