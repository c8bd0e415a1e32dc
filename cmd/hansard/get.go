package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/proofs"
)

func getCommand() *cli.Command {
	return &cli.Command{
		Name: "get", Usage: "fetch a receipt at the best level there is", ArgsUsage: "ID|RECEIPT",
		Description: "Prints the receipt, or writes it with -o. A file is replaced only if it holds a receipt of the same\n" +
			"message and entry at the same level or a lower one. What is fetched is checked for being about that\n" +
			"message and for not failing; whether it holds is for hansard verify to say, with your trust file.",
		Flags:  []cli.Flag{serverFlag(), outFlag("write the receipt to `FILE` instead of stdout")},
		Action: runGet,
	}
}

func outFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: usage}
}

// getLine is hansard.get/1. Receipt is there when no file was written.
type getLine struct {
	Schema  string      `json:"schema"`
	ID      proofs.Hash `json:"id"`
	Level   string      `json:"level"`
	File    string      `json:"file,omitempty"`
	Receipt rawReceipt  `json:"receipt,omitempty"`
}

// rawReceipt is a receipt file inside another JSON value.
type rawReceipt []byte

func (r rawReceipt) MarshalJSON() ([]byte, error) { return r, nil }

func runGet(c *cli.Context) error {
	s, id, err := oneMessage(c)
	if err != nil {
		return err
	}
	file, err := s.Receipt(c.Context, id)
	if err != nil {
		return err
	}
	rc, err := checkFetched(file, id)
	if err != nil {
		return err
	}
	path, w := c.String("out"), c.App.Writer
	if path != "" {
		if err := saveReceipt(path, rc); err != nil {
			return err
		}
	}
	switch {
	case c.Bool("json"):
		l := getLine{Schema: "hansard.get/1", ID: id, Level: rc.Level.String(), File: path}
		if path == "" {
			l.Receipt = file
		}
		return printJSON(w, l)
	case path == "":
		_, err = w.Write(file)
	case c.Bool("quiet"):
		_, err = fmt.Fprintln(w, path)
	default:
		_, err = fmt.Fprintf(w, "%s  %s\n", rc.Level, oneLine(path, maxDetail))
	}
	return err
}

// checkFetched refuses an answer that is no receipt of the message or that fails by itself.
func checkFetched(file []byte, id proofs.Hash) (*proofs.Receipt, error) {
	r := proofs.Verify(file, proofs.Options{})
	if r.Verdict == proofs.Invalid {
		return nil, &exitError{r.Verdict.Exit(), fmt.Errorf("the service's receipt does not hold, nothing was written: %s", firstFail(r))}
	}
	if r.Receipt.Entry.Message != id {
		return nil, &exitError{proofs.Mismatch.Exit(), fmt.Errorf("the service answered with a receipt of the message %s", r.Receipt.Entry.Message)}
	}
	return r.Receipt, nil
}

// saveReceipt writes the receipt to a file that is not there, or that holds a receipt of the same
// entry with nothing that the new one lacks.
func saveReceipt(path string, rc *proofs.Receipt) error {
	old, err := readFile(path, nil)
	if err == nil {
		err = replaces(old, rc)
	} else if errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else {
		return usage("%w", err)
	}
	if err != nil {
		return &exitError{exitConflict, fmt.Errorf("%s was left as it is: %w; choose another file with -o", path, err)}
	}
	if err := renameio.WriteFile(path, rc.Format(), 0o644); err != nil {
		return usage("write the receipt: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write the receipt: %w", err)
	}
	return nil
}

// syncDir makes the names in a folder survive a power cut; what the files hold is synced with them.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replaces reports why rc must not take the place of the file old. A promise that rc lacks is carried
// over: levels only add.
func replaces(old []byte, rc *proofs.Receipt) error {
	was, err := proofs.ParseReceipt(old)
	switch {
	case err != nil:
		return fmt.Errorf("it holds something else (%w)", err)
	case was.Entry.Message != rc.Entry.Message || was.Chain != rc.Chain:
		return fmt.Errorf("it is the receipt of the message %s", was.Entry.Message)
	case was.Entry != rc.Entry:
		return errors.New("it gives the same message another entry: keep both, they are evidence against the operator")
	case was.Level > rc.Level:
		return fmt.Errorf("it is %s, the new one only %s", was.Level, rc.Level)
	case was.Message != nil && rc.Message == nil:
		return errors.New("it discloses the message, the new one does not")
	case was.Promise != nil && rc.Promise != nil && *was.Promise != *rc.Promise:
		return errors.New("it holds another promise: keep both")
	}
	if rc.Promise == nil {
		rc.Promise = was.Promise
	}
	return nil
}

// receiptName is the file name of a message's receipt where none was given.
func receiptName(id proofs.Hash) string { return id.String()[2:10] + ".receipt.json" }
