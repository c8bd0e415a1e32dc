package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/proofs"
)

// TestBatchCost shows what a batch cost, and one of which nothing is known yet.
func TestBatchCost(t *testing.T) {
	paid := `{"number": "7", "state": "submitted", "first": "10", "size": "3", "sealedAt": "1795255200000", "deadline": "1795341040", "cid": "` + proofs.FormatCID(proofs.Hash{1}) + `", "heldBy": ["embedded", "s3\u001b"],
		"txs": "2", "newestTx": "` + proofs.Hash{0x77}.String() + `", "spent": {"gas": "210000", "wei": "20000000000000000002", "weiPerMessage": "6666666666666666667"}}`
	fresh := `{"number": "8", "state": "batched", "first": "13", "size": "1", "sealedAt": "1795255200000"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/batches/7":
			io.WriteString(w, paid) //nolint:errcheck // the client notices
		case "/v1/batches":
			io.WriteString(w, `{"batches": [`+paid+","+fresh+"]}") //nolint:errcheck // the client notices
		}
	}))
	defer server.Close()
	hansard := func(args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := run(t.Context(), append(append([]string{"hansard", "batch"}, args...), "--server", server.URL), strings.NewReader(""), &out, io.Discard); code != 0 {
			t.Fatalf("%q: exit %d", args, code)
		}
		return out.String()
	}
	want := []string{
		"BATCH    STATE        MESSAGES  INDEXES                 BLOCK        SEALED                   DEADLINE             TXS       GAS    WEI/MESSAGE",
		"7        submitted           3  10-12                   -            2026-11-21T10:00:00.000Z 2026-11-22T09:50:40Z   2    210000 6666666666666666667",
		"8        batched             1  13-13                   -            2026-11-21T10:00:00.000Z -                      0         -              -",
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(hansard("list"), "\n"), "\n")); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	shown := hansard("show", "7")
	for _, line := range []string{
		"  payload    " + proofs.FormatCID(proofs.Hash{1}) + "\n  held by    embedded, s3<U+001B>\n",
		"  deadline   2026-11-22T09:50:40Z\n",
		"  signed     2, the newest " + proofs.Hash{0x77}.String() + "\n",
		"  spent      210000 gas, 20000000000000000002 wei, 6666666666666666667 wei a message\n",
	} {
		if !strings.Contains(shown, line) {
			t.Errorf("%q is not in %s", line, shown)
		}
	}
	l := decode[batchLine](t, hansard("show", "7", "--json"))
	if s := (spentLine{210_000, "20000000000000000002", "6666666666666666667"}); l.Spent == nil || *l.Spent != s || l.Txs != 2 || *l.NewestTx != (proofs.Hash{0x77}) || l.Deadline != 1_795_341_040 {
		t.Errorf("JSON: %+v", l)
	}
}
