package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/hansard-dao/hansard/proofs"
)

// printJSON prints v as one line, with the schema's name first.
func printJSON(w io.Writer, v any) error {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	// JSON escapes ASCII controls only; a terminal obeys others too.
	var b strings.Builder
	for _, r := range buf.String() {
		if r != '\n' && hidden(r) {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
			continue
		}
		b.WriteRune(r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// hidden reports whether r is a control, bidi or zero-width character; the joiner inside emoji is not.
func hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) && r != '\u200d'
}

// visible makes somebody else's text safe for a terminal: control, bidi and zero-width characters and
// escape sequences are shown as their code, never sent.
func visible(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString("\n")
		case r == '\t':
			b.WriteString("\t")
		case hidden(r), r == unicode.ReplacementChar:
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// oneLine is visible on one line of at most n characters.
func oneLine(s string, n int) string {
	s = strings.NewReplacer("\n", " / ", "\t", " ").Replace(visible(s))
	if r := []rune(s); len(r) > n {
		return string(r[:n-3]) + "..."
	}
	return s
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// password reads a password: from the file that a flag names, or from the terminal.
func password(c *cli.Context, flag, prompt string) (string, error) {
	if path := c.String(flag); path != "" {
		b, err := readFile(path, nil)
		if err != nil {
			return "", err
		}
		return strings.TrimRight(string(b), "\r\n"), nil
	}
	f, ok := c.App.Reader.(*os.File)
	if !ok || c.Bool("no-input") || !term.IsTerminal(int(f.Fd())) {
		return "", usage("a password is needed and nobody can be asked: give a file with --%s", flag)
	}
	fmt.Fprint(c.App.ErrWriter, prompt+": ")
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(c.App.ErrWriter)
	return string(b), err
}

// newSalt returns 32 random bytes.
func newSalt() (salt proofs.Hash) {
	rand.Read(salt[:])
	return salt
}
