package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/bindings"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// defaultAccount is the account without --account: a key of the data directory.
const defaultAccount = "anchor"

// accountFlags are those of every command that sends transactions.
func accountFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{
			Name: "account", Value: cli.NewStringSlice(defaultAccount),
			Usage: "`URI` of a key that sends transactions: keystore:NAME or NAME, clef:PATH?address=0x..., clef:http://HOST:PORT?address=0x..., " +
				"env:VAR; repeat it to replace a key while the service runs",
		},
		&cli.BoolFlag{Name: "unsafe-env-key", Usage: "let --account env:VAR take a key from the environment, which other programs can read"},
	}
}

// openSigners opens these keys, in that order. Key files are in the folder dir. External signers are told the
// calls of AnchorLog.
func openSigners(c *cli.Context, uris []string, dir, password string) ([]signer.Signer, error) {
	if err := refuseKeys(uris, c.Bool("unsafe-env-key"), os.Environ()); err != nil {
		return nil, err
	}
	methods, err := contractMethods()
	if err != nil {
		return nil, err
	}
	answers, err := answerMethods()
	if err != nil {
		return nil, err
	}
	methods = append(methods, answers...)
	opts := signer.Options{
		Keystore: identity.Keystore{Dir: dir}, Password: password, Methods: methods,
		Getenv: os.Getenv, UnsafeEnvKey: c.Bool("unsafe-env-key"),
	}
	var opened []signer.Signer
	seen := map[proofs.Address]bool{}
	for _, uri := range uris {
		s, err := signer.Open(c.Context, uri, opts)
		if err != nil {
			return nil, accountError(err, dir)
		}
		if seen[s.Address()] {
			return nil, usage("--account %s: another --account is %s already; give each key once", uri, s.Address())
		}
		seen[s.Address()] = true
		opened = append(opened, s)
	}
	return opened, nil
}

// contractMethods returns the signatures of the contracts' functions.
func contractMethods() (methods []string, err error) {
	for _, m := range []*bind.MetaData{&bindings.AnchorLogMetaData, &bindings.PromiseBondMetaData} {
		contract, err := m.ParseABI()
		if err != nil {
			return nil, fmt.Errorf("read a contract's interface: %w", err)
		}
		for _, m := range contract.Methods {
			methods = append(methods, m.Sig)
		}
	}
	return methods, nil
}

// keyVariable is a variable that would hold a private key, if this program took it.
var keyVariable = regexp.MustCompile(`^(HANSARD_[A-Z0-9_]*KEY)=\s*(0[xX])?[0-9a-fA-F]{64}\s*$`)

// refuseKeys returns an error if the environment holds a private key for this program that no --account names: it
// would be believed to be used, and is readable for nothing.
func refuseKeys(uris []string, unsafe bool, environ []string) error {
	for _, v := range environ {
		m := keyVariable.FindStringSubmatch(v)
		if m == nil {
			continue
		}
		named := false
		for _, uri := range uris {
			named = named || uri == "env:"+m[1]
		}
		if !named || !unsafe {
			return usage("$%s holds what looks like a private key, which other programs can read there; unset it, store the key with "+
				"hansard keys import and name it with --account keystore:NAME, or accept the risk with --account env:%s --unsafe-env-key", m[1], m[1])
		}
	}
	return nil
}

// accountError gives an error of package signer its exit code, and one about key files its next step.
func accountError(err error, dir string) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, identity.ErrPassword):
		return err
	case errors.Is(err, identity.ErrNoKey):
		return fmt.Errorf("%w; make it with: hansard keys new NAME --keystore %s", err, dir)
	case errors.Is(err, signer.ErrUnanswered), errors.Is(err, signer.ErrBadAnswer):
		return &exitError{exitUnreachable, err}
	case errors.Is(err, signer.ErrRefused):
		return &exitError{exitAuth, err}
	}
	return usage("%w", err)
}
