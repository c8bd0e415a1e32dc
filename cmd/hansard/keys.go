package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
)

func keysCommand() *cli.Command {
	light := &cli.BoolFlag{Name: "light", Usage: "cheap encryption, for development keys only"}
	return &cli.Command{
		Name:  "keys",
		Usage: "make, list and import signing keys",
		Subcommands: []*cli.Command{
			{
				Name: "new", Usage: "make a random key", ArgsUsage: "NAME",
				Flags:  []cli.Flag{keystoreFlag(), passwordFlag(), light},
				Action: runKeysNew,
			},
			{
				Name: "list", Usage: "list the keys",
				Flags:  []cli.Flag{keystoreFlag()},
				Action: runKeysList,
			},
			{
				Name: "import", Usage: "take over a key file of another program", ArgsUsage: "NAME",
				Flags: []cli.Flag{
					keystoreFlag(), passwordFlag(), light,
					&cli.StringFlag{Name: "file", Usage: "the `KEYFILE`, Web3 Secret Storage version 3"},
					&cli.StringFlag{Name: "old-password-file", Usage: "`FILE` with the password of the key file"},
				},
				Action: runKeysImport,
			},
		},
	}
}

func keystoreFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "keystore", EnvVars: []string{"HANSARD_KEYSTORE"},
		Usage: "`FOLDER` of key files (default: hansard/keys in $XDG_CONFIG_HOME or ~/.config)",
	}
}

func passwordFlag() cli.Flag {
	return &cli.StringFlag{Name: "password-file", Usage: "`FILE` with the password of the key"}
}

// keystoreOf returns the keystore that the flags name.
func keystoreOf(c *cli.Context) (identity.Keystore, error) {
	dir := c.String("keystore")
	if dir == "" {
		config := os.Getenv("XDG_CONFIG_HOME")
		if !filepath.IsAbs(config) {
			home, err := os.UserHomeDir()
			if err != nil {
				return identity.Keystore{}, usage("no home folder to keep keys in (%w): give --keystore FOLDER", err)
			}
			config = filepath.Join(home, ".config")
		}
		dir = filepath.Join(config, "hansard", "keys")
	}
	return identity.Keystore{Dir: dir, Light: c.Bool("light")}, nil
}

// newPassword reads the password of a key that is about to be stored, twice where a person types it.
func newPassword(c *cli.Context) (string, error) {
	first, err := password(c, "password-file", "New password")
	if err != nil {
		return "", err
	}
	if first == "" {
		return "", usage("an empty password protects nothing: choose one")
	}
	if c.String("password-file") != "" {
		return first, nil
	}
	second, err := password(c, "password-file", "The same again")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", usage("the two passwords differ; nothing was stored")
	}
	return first, nil
}

func keyArg(c *cli.Context) (identity.Keystore, string, error) {
	if c.Args().Len() != 1 {
		return identity.Keystore{}, "", usage("want one key name: hansard %s NAME", c.Command.HelpName[len("hansard "):])
	}
	store, err := keystoreOf(c)
	return store, c.Args().First(), err
}

func runKeysNew(c *cli.Context) error {
	store, name, err := keyArg(c)
	if err != nil {
		return err
	}
	secret, err := newPassword(c)
	if err != nil {
		return err
	}
	key, err := store.New(name, secret)
	if err != nil {
		return keyError(err)
	}
	return printKey(c, store, name, key.Address())
}

func runKeysImport(c *cli.Context) error {
	store, name, err := keyArg(c)
	if err != nil {
		return err
	}
	path := c.String("file")
	if path == "" {
		return usage("which key file? give --file KEYFILE")
	}
	file, err := readFile(path, nil)
	if err != nil {
		return err
	}
	old, err := password(c, "old-password-file", "Password of "+oneLine(path, maxDetail))
	if err != nil {
		return err
	}
	secret, err := newPassword(c)
	if err != nil {
		return err
	}
	key, err := store.Import(name, file, old, secret)
	if err != nil {
		return keyError(err)
	}
	return printKey(c, store, name, key.Address())
}

// keyError says what to do about a key that could not be made or opened. What the keystore refuses
// for any other reason than its password or an existing file is what it was given.
func keyError(err error) error {
	switch {
	case errors.Is(err, identity.ErrKeyExists):
		return fmt.Errorf("%w; key files are never overwritten: choose another name", err)
	case errors.Is(err, identity.ErrNoKey):
		return fmt.Errorf("%w; hansard keys list shows those there are", err)
	case errors.Is(err, identity.ErrPassword):
		return err
	}
	return usage("%w", err)
}

// keyLine is hansard.keys/1: one key.
type keyLine struct {
	Schema  string         `json:"schema"`
	Name    string         `json:"name"`
	Address proofs.Address `json:"address"`
	File    string         `json:"file"`
}

func newKeyLine(store identity.Keystore, name string, address proofs.Address) keyLine {
	return keyLine{"hansard.keys/1", name, address, filepath.Join(store.Dir, name+".json")}
}

func printKey(c *cli.Context, store identity.Keystore, name string, address proofs.Address) error {
	l := newKeyLine(store, name, address)
	switch {
	case c.Bool("json"):
		return printJSON(c.App.Writer, l)
	case c.Bool("quiet"):
		_, err := fmt.Fprintln(c.App.Writer, address)
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s  %s\n", name, address)
	fmt.Fprintf(c.App.ErrWriter, "stored in %s; whoever has that file and the password signs as %s: keep a copy of both\n",
		l.File, name)
	return nil
}

func runKeysList(c *cli.Context) error {
	if c.Args().Present() {
		return usage("keys list takes no argument")
	}
	store, err := keystoreOf(c)
	if err != nil {
		return err
	}
	keys, err := store.List()
	if err != nil {
		return usage("%w", err)
	}
	for _, k := range keys {
		switch {
		case c.Bool("json"):
			err = printJSON(c.App.Writer, newKeyLine(store, k.Name, k.Address))
		case c.Bool("quiet"):
			_, err = fmt.Fprintln(c.App.Writer, k.Name)
		default:
			_, err = fmt.Fprintf(c.App.Writer, "%-20s %s\n", k.Name, k.Address)
		}
		if err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		fmt.Fprintf(c.App.ErrWriter, "no keys in %s; make one with: hansard keys new NAME\n", store.Dir)
	}
	return nil
}

// unlock opens a key for signing.
func unlock(c *cli.Context, name string) (*identity.Key, error) {
	store, err := keystoreOf(c)
	if err != nil {
		return nil, err
	}
	secret, err := password(c, "password-file", "Password for "+name)
	if err != nil {
		return nil, err
	}
	key, err := store.Unlock(name, secret)
	if err != nil {
		return nil, keyError(err)
	}
	return key, nil
}
