package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said is what go test -json prints of a test of a fault on a chain.
func said(test, fault, chain, outcome string, attrs ...string) string {
	var b strings.Builder
	for _, kv := range append([]string{"fault=" + fault, "chain=" + chain}, attrs...) {
		key, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&b, `{"Action":"attr","Package":"p","Test":%q,"Key":%q,"Value":%q}`+"\n", test, key, value)
	}
	fmt.Fprintf(&b, `{"Action":%q,"Package":"p","Test":%q}`+"\n", outcome, test)
	return b.String()
}

func TestTable(t *testing.T) {
	good := said("A/x", "a", "x", "pass", "tried=3", "lost=0")
	for name, tc := range map[string]struct {
		input, table string
		wrong        []string
	}{
		"all": {
			good + said("A/y", "a", "y", "pass", "tried=4", "lost=0"),
			"fault     chains  tried  lost\na         x, y    7      0\n1 faults          7      0\n", nil,
		},
		"lost": {
			good + said("A/y", "a", "y", "fail", "tried=4", "lost=2"),
			"fault     chains  tried  lost\na         x, y    7      2  FAILED\n1 faults          7      2\n", []string{"a: 2 lost"},
		},
		"a chain is missing": {
			good, "fault     chains  tried  lost\na         x       3      0\n1 faults          3      0\n", []string{"a: not tried on y"},
		},
		"tried on nothing": {
			good + said("A/y", "a", "y", "fail", "tried=0", "lost=0"),
			"fault     chains  tried  lost\na         x       3      0  FAILED\n1 faults          3      0\n", []string{"a: not tried on y"},
		},
		"died": {
			good + said("A/y", "a", "y", "fail"),
			"fault     chains  tried  lost\na         x       3      0  FAILED\n1 faults          3      0\n", []string{"a: not tried on y"},
		},
		"not run": {
			said("A/x", "a", "x", "pass", "notrun=no disk") + said("A/y", "a", "y", "pass", "notrun=no disk"),
			"fault     chains  tried  lost\na         -       0      0  NOT RUN: no disk\n1 faults          0      0\n",
			[]string{"a: not tried on x", "a: not tried on y"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := read(strings.NewReader(tc.input))
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			wrong := res.print(&b, []string{"a | x y"})
			if diff := cmp.Diff(tc.table, b.String()); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wrong, wrong); diff != "" {
				t.Errorf("wrong (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := read(strings.NewReader(said("A/x", "a", "x", "pass", "tried=3"))); err == nil {
		t.Error("a test that does not say what it lost is taken")
	}
}
