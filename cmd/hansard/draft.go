package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

// draft makes the message of the flags and the input, without its log and author.
func draft(c *cli.Context) (*proofs.Message, proofs.State, error) {
	if c.Args().Len() > 1 {
		return nil, 0, usage("want at most one file: hansard send FILE, or - for stdin")
	}
	if c.String("room") == "" {
		return nil, 0, usage("which room? give --room ROOM")
	}
	room, err := proofs.ParseRoom(c.String("room"))
	if err != nil {
		return nil, 0, usage("--%w", err)
	}
	wait := proofs.StateAccepted
	if s := c.String("wait"); s != "" {
		if wait, err = proofs.ParseState(s); err != nil {
			return nil, 0, usage("--wait: %w", err)
		}
	}
	m := &proofs.Message{Room: room, Kind: c.String("kind"), SentAt: uint64(time.Now().UnixMilli())}
	rand.Read(m.Salt[:])
	for flag, ref := range map[string]*proofs.Hash{"reply-to": &m.ReplyTo, "replaces": &m.Replaces} {
		if s := c.String(flag); s != "" {
			if *ref, err = messageArg(s); err != nil {
				return nil, 0, fmt.Errorf("--%s: %w", flag, err)
			}
		}
	}
	words, err := readWords(c)
	if err != nil {
		return nil, 0, err
	}
	if err := dress(m, words); err != nil {
		return nil, 0, err
	}
	m.Author = "draft:none" // any valid author: the account's address comes later
	if err := m.Check(); err != nil {
		return nil, 0, usage("%w", err)
	}
	return m, wait, nil
}

// readWords reads the input, without one newline at its end.
func readWords(c *cli.Context) (string, error) {
	name, in := c.Args().First(), c.App.Reader
	if name == "" && isTerminalInput(in) {
		return "", usage("what to say? give a FILE, or pipe the words in")
	}
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return "", usage("read %s: %w", name, cause(err))
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, proofs.MaxBody+3))
	if err != nil {
		return "", usage("read the words: %w", err)
	}
	words := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if words == "" {
		return "", usage("the input is empty: nothing to say")
	}
	return words, nil
}

func isTerminalInput(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && isTerminal(f)
}

// dress puts the words into the body: as they are, or as the JSON of an edit or a retraction.
func dress(m *proofs.Message, words string) error {
	var body any
	switch {
	case m.Kind == proofs.KindEdit:
		return usage("--kind edit: give the kind of the new words, and the message with --replaces")
	case m.Kind == proofs.KindRetract && m.Replaces.IsZero():
		return usage("--kind retract: which message? give --replaces ID")
	case m.Kind == proofs.KindRetract:
		body = struct {
			Reason string `json:"reason"`
		}{words}
	case !m.Replaces.IsZero():
		if err := proofs.CheckKind(m.Kind); err != nil {
			return usage("--%w", err)
		}
		body = struct {
			Kind string `json:"kind"`
			Body string `json:"body"`
		}{m.Kind, words}
		m.Kind = proofs.KindEdit
	default:
		m.Body = words
		return nil
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return err
	}
	m.Body = strings.TrimSuffix(b.String(), "\n")
	return nil
}
