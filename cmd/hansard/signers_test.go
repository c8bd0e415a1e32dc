package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/hansard-dao/hansard/anchor"
	"github.com/hansard-dao/hansard/identity"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/signer"
)

// asSigners calls openSigners as a command with these flags would.
func asSigners(t *testing.T, dir string, args ...string) (opened []signer.Signer, code int, stderr string) {
	t.Helper()
	var errs bytes.Buffer
	app := newApp(strings.NewReader(""), &errs, &errs)
	command := &cli.Command{Name: "accounts", Flags: accountFlags(), Action: func(c *cli.Context) (err error) {
		opened, err = openSigners(c, c.StringSlice("account"), dir, "secret")
		return err
	}}
	finish(command)
	app.Commands = append(app.Commands, command)
	args, err := reorder(app, append([]string{"hansard", "accounts"}, args...))
	if err == nil {
		err = app.RunContext(t.Context(), args)
	}
	code = report(t.Context(), err, &errs)
	return opened, code, errs.String()
}

func TestOpenSigners(t *testing.T) {
	store := identity.Keystore{Dir: filepath.Join(t.TempDir(), "keys"), Light: true}
	addresses := map[string]proofs.Address{}
	for _, name := range []string{"anchor", "anchor2"} {
		key, err := store.New(name, "secret")
		if err != nil {
			t.Fatal(err)
		}
		addresses[name] = key.Address()
	}
	const digits = "9c22ff5f21f0b81b113e63f7db6da94fedef11b2119b4088b89664fb9a3cb658"
	nowhere := "clef:" + filepath.Join(t.TempDir(), "clef.ipc")
	remote := proofs.Address{1}
	for name, tt := range map[string]struct {
		args, env []string
		want      []proofs.Address
		code      int
		stderr    string
	}{
		"default":             {want: []proofs.Address{addresses["anchor"]}},
		"rotation":            {args: []string{"--account", "anchor", "--account", "keystore:anchor2"}, want: []proofs.Address{addresses["anchor"], addresses["anchor2"]}},
		"new alone":           {args: []string{"--account=anchor2"}, want: []proofs.Address{addresses["anchor2"]}},
		"Clef comes later":    {args: []string{"--account", nowhere + "?address=" + remote.String()}, want: []proofs.Address{remote}},
		"Clef is not there":   {args: []string{"--account", nowhere}, code: exitUnreachable, stderr: "the signer did not answer"},
		"twice":               {args: []string{"--account", "anchor", "--account", "keystore:anchor"}, code: exitUsage, stderr: "give each key once"},
		"no key":              {args: []string{"--account", "nobody"}, code: exitUsage, stderr: "hansard keys new NAME --keystore " + store.Dir},
		"a key":               {args: []string{"--account", digits}, code: exitUsage, stderr: "may be a private key"},
		"a key in a URI":      {args: []string{"--account", "keystore:0x" + digits, "--unsafe-env-key"}, code: exitUsage, stderr: "may be a private key"},
		"env":                 {args: []string{"--account", "env:HANSARD_PRIVATE_KEY"}, env: []string{"HANSARD_PRIVATE_KEY", digits}, code: exitUsage, stderr: "--unsafe-env-key"},
		"env of other name":   {args: []string{"--account", "env:SUBMITTER"}, env: []string{"SUBMITTER", digits}, code: exitUsage, stderr: "--unsafe-env-key"},
		"env accepted":        {args: []string{"--account", "env:SUBMITTER", "--unsafe-env-key"}, env: []string{"SUBMITTER", digits}, want: []proofs.Address{mustAddress("0xc08b5542d177ac6686946920409741463a15dddb")}},
		"env named, accepted": {args: []string{"--account", "env:HANSARD_PRIVATE_KEY", "--unsafe-env-key"}, env: []string{"HANSARD_PRIVATE_KEY", "0x" + digits}, want: []proofs.Address{mustAddress("0xc08b5542d177ac6686946920409741463a15dddb")}},
		"env not named":       {args: []string{"--unsafe-env-key"}, env: []string{"HANSARD_PRIVATE_KEY", digits}, code: exitUsage, stderr: "$HANSARD_PRIVATE_KEY holds what looks like a private key"},
		"another's variable":  {env: []string{"HANSARD_TOKEN", digits}, want: []proofs.Address{addresses["anchor"]}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.env != nil {
				t.Setenv(tt.env[0], tt.env[1])
			}
			opened, code, stderr := asSigners(t, store.Dir, tt.args...)
			var got []proofs.Address
			for _, s := range opened {
				var _ anchor.Signer = s
				got = append(got, s.Address())
			}
			if code != tt.code || !slices.Equal(got, tt.want) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("exit %d with %v, want %d with %v; stderr %q, want %q", code, got, tt.code, tt.want, stderr, tt.stderr)
			}
			if strings.Contains(strings.ToLower(stderr), digits[:8]) {
				t.Errorf("the key is repeated: %q", stderr)
			}
		})
	}
	if methods, err := contractMethods(); err != nil || !slices.Contains(methods, "anchor(bytes32,uint256,bytes32,uint256,bytes32)") ||
		!slices.Contains(methods, "addKey(bytes32,address)") {
		t.Errorf("the contracts have %q, %v", methods, err)
	}
}
