package main

import (
	"os"
	"strings"
	"testing"
)

// TestDryRun looks before a service has the store, and beside one that has it.
func TestDryRun(t *testing.T) {
	o := newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1")
	keys := o.newLog("data", "key")
	dry := func(code int, more ...string) (stdout, stderr string) {
		return o.want(code, "", append([]string{"serve", "--dry-run", "--rpc", o.url, "--data", o.path("data"),
			"--password-file", o.path("password"), "--account", "key"}, more...)...)
	}
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"new", nil, []string{"new; 0 batches wait", "NOT BACKED: there is no contract at ", "hansard bond deploy, then", "0 ether in 24 hours, no cap", "the next batch would be anchored. Nothing was signed or sent."}},
		{"over the price", []string{"--max-fee-gwei", "0.001"}, []string{"would wait: gas costs", "the cap is 0.001 gwei"}},
		{"over a cap", []string{"--cap-day", "1 gwei"}, []string{"cap 0.000000001 ether; ", "would wait: 0 ether are spent or signed for in 24 hours"}},
	} {
		out, _ := dry(0, tt.args...)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in %s", tt.name, want, out)
			}
		}
	}
	if _, errs := dry(exitUsage, "--chain-id", "5"); !strings.Contains(errs, "correct --rpc or --chain-id") {
		t.Errorf("another chain: %s", errs)
	}
	if err := os.CopyFS(o.path("more", "keys"), os.DirFS(o.path("data", "keys"))); err != nil {
		t.Fatal(err)
	}
	_, errs := o.want(exitBudget, "", "serve", "--deploy", "--log-name", "more", "--cap-tx", "1000 gwei", "--rpc", o.url, "--data", o.path("more"),
		"--password-file", o.path("password"), "--account", "key", "--listen", "127.0.0.1:0")
	if !strings.Contains(errs, "--max-cost") {
		t.Errorf("deploying over a cap: %s", errs)
	}
	o.ownerDoes("data", "key", "bond", "deploy")
	o.ownerDoes("data", "key", "bond", "fund", "0.1")
	o.ownerDoes("data", "key", "bond", "add-key", keys[1].String())
	url, _, _ := o.serveAt("data", "--account", "key")
	o.say(url, "paid for")
	out, _ := dry(0)
	if !strings.Contains(out, storeInUse) || !strings.Contains(out, "1 batches of 1 messages") || strings.Contains(out, "0 ether in 24 hours") ||
		!strings.Contains(out, "with 0.1 ether behind promises of key "+keys[1].String()) {
		t.Errorf("beside a service: %s", out)
	}
	if line := decode[dryLine](t, first(dry(0, "--json"))); line.Waiting != nil || line.Day != nil || line.Store != storeInUse || !line.Backed || line.Unbacked != "" {
		t.Errorf("beside a service: %+v", line)
	}
}

func first(stdout, _ string) string { return stdout }
