package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/proofs"
)

// TestCost holds cells of the table against figures of research that were computed by hand: gas * gwei * price.
func TestCost(t *testing.T) {
	code, out, errs := call(t, "hansard", "cost", "--offline", "--eth-usd", "3000", "--json")
	if code != 0 || errs != "" {
		t.Fatalf("exit %d: %s", code, errs)
	}
	l := decode[costLine](t, out)
	if l.Schema != "hansard.cost/1" || l.TargetUSD != "0.001" || l.EthUSD != "3000" || l.SoFar != nil || len(l.Projections) != 5+6 {
		t.Errorf("%s", out)
	}
	if l.TxBytes < 270 || l.TxBytes > 285 || l.FastLZBytes >= l.TxBytes {
		t.Errorf("an anchor of %d bytes, %d after FastLZ", l.TxBytes, l.FastLZBytes)
	}
	byFee := map[string]projectionLine{}
	for _, p := range l.Projections {
		byFee[p.Chain+" "+p.FeeGwei+" "+p.L1BaseFee] = p
		last := p.Sizes[len(p.Sizes)-1]
		if p.Smallest == nil || (last.Messages >= *p.Smallest) != *last.Reached {
			t.Errorf("%s %s: reached from %v, and %+v", p.Chain, p.FeeGwei, p.Smallest, last)
		}
	}
	one := byFee["l1 1 "]
	if one.AnchorWei != "41162000000000" || *one.Smallest != 123_487 || one.Sizes[5].Messages != 120_000 || *one.Sizes[5].Reached ||
		one.Sizes[5].USDPerThousand != "0.00102905" || one.Sizes[5].EthUSDBelow != "2915.3102" {
		t.Errorf("L1 at 1 gwei: %+v", one)
	}
	l2 := byFee["op-stack 0.005 1"]
	if l2.BlobBaseFee != "0.0625" || l2.DataFeeWei == "" || *l2.Smallest <= 618 || *l2.Smallest > 900 {
		t.Errorf("L2 at 0.005 gwei, L1 at 1 gwei: %+v", l2)
	}
	_, out, _ = call(t, "hansard", "cost", "--offline", "--eth-usd", "3000")
	for _, want := range []string{"120,000 a batch", "reached from", "123,487", "in dollars at $3000 an ether"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	_, out, _ = call(t, "hansard", "cost", "--offline", "--size", "10000", "--fee-gwei", "1")
	if strings.Contains(out, "reached from") || !strings.Contains(out, "give --eth-usd for dollars") || !strings.Contains(out, "243") {
		t.Errorf("without a price:\n%s", out)
	}
}

func TestCostRefuses(t *testing.T) {
	for _, args := range []string{"--eth-usd 0", "--eth-usd -1", "--eth-usd x", "--size 0", "--gas 0", "--fee-gwei 0", "--l2-fee-gwei x",
		"--l1-base-fee-gwei 1e3", "--blob-base-fee-gwei -1", "--base-fee-scalar 4294967296", "argument"} {
		if code, out, _ := call(t, append([]string{"hansard", "cost", "--offline"}, strings.Fields(args)...)...); code != exitUsage || out != "" {
			t.Errorf("%s: exit %d", args, code)
		}
	}
	if code, _, _ := call(t, "hansard", "cost", "--server", "http://127.0.0.1:1"); code != exitUnreachable {
		t.Errorf("no service: exit %d", code)
	}
}

// TestCostSoFar adds up 501 batches over two pages, of which two have no known cost.
func TestCostSoFar(t *testing.T) {
	strange := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/batches" {
			http.NotFound(w, r)
			return
		}
		from, _ := strconv.Atoi(r.URL.Query().Get("from"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		var all []string
		for n := from; n < min(from+limit, 501); n++ {
			spent := `,"spent":{"gas":"40000","wei":"40000000000000","weiPerMessage":"40000000000"}`
			if n == 7 || n == 500 {
				spent = ""
			}
			if strange {
				n++
			}
			all = append(all, fmt.Sprintf(`{"number":"%d","state":"included","first":"%d","size":"1000","openedAt":"1","sealedAt":"1","time":"1",`+
				`"root":"%[3]s","notBefore":"%[3]s","tx":"%[3]s","blockNumber":"1","blockHash":"%[3]s"%[4]s}`, n, n*1000, proofs.Hash{1}, spent))
		}
		fmt.Fprintf(w, `{"batches":[%s]}`, strings.Join(all, ","))
	}))
	defer server.Close()
	_, out, _ := call(t, "hansard", "cost", "--server", server.URL, "--eth-usd", "3000", "--json")
	s := decode[costLine](t, out).SoFar
	if s == nil || s.Batches != 499 || s.Messages != 499_000 || s.Gas != 499*40_000 || s.Wei != "19960000000000000" || s.Unknown != 2 ||
		s.WeiPerThousand != "40000000000000" || s.USDPerThousand != "0.12" || *s.Reached {
		t.Errorf("%+v", s)
	}
	_, out, _ = call(t, "hansard", "cost", "--server", server.URL, "--eth-usd", "3000")
	if !strings.Contains(out, "499,000 messages in 499 batches") || !strings.Contains(out, "$0.12 at $3000 an ether, not under the target of $0.001") || !strings.Contains(out, "2 batches have no known cost") {
		t.Errorf("%s", out)
	}
	strange = true
	if code, _, errs := call(t, "hansard", "cost", "--server", server.URL); code == 0 || !strings.Contains(errs, "batch 1 where 0 should be") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

// TestCostService asks the real service.
func TestCostService(t *testing.T) {
	s := startService(t)
	s.send(0, s.url, "one\n", "--wait", "included", "-o", s.path("one.receipt.json"))
	out, _ := s.want(0, "", "cost", "--server", s.url, "--json")
	l := decode[costLine](t, out).SoFar
	if l == nil || l.Batches != 1 || l.Messages != 1 || l.Gas < 50_000 || l.Gas > 60_000 || l.Unknown != 0 {
		t.Errorf("%s", out)
	}
}
