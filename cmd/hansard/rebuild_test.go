package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/internal/faultrpc"
	"github.com/hansard-dao/hansard/proofs"
)

// lost is a service whose directory is gone, and what is left: its keys, its CAR files and what it had said.
type lost struct {
	*operator
	owner    proofs.Address
	ids      []string
	receipts map[string]string // by id
	batches  string
}

// newLost keeps a log of some batches, and loses its directory.
func newLost(t *testing.T) *lost {
	l := &lost{operator: newOperator(t, "--slots-in-an-epoch", "1", "--block-time", "1"), receipts: map[string]string{}}
	l.owner = l.newLog("data", "old")[0]
	url, ended, stop := l.serveAt("data", "--account", "old")
	for _, words := range []string{"one", "two", "three"} {
		l.ids = append(l.ids, readReceipt(t, l.say(url, words)).Entry.Message.String())
	}
	for _, id := range l.ids {
		l.receipts[id], _ = l.want(0, "", "get", id, "--server", url)
	}
	l.batches, _ = l.want(0, "", "batch", "list", "--server", url, "--json")
	stop()
	<-ended
	if err := os.Rename(l.path("data"), l.path("gone")); err != nil {
		t.Fatal(err)
	}
	return l
}

// recover recovers into a new directory with the keys of the old one.
func (l *lost) recover(code int, dir string, more ...string) (stdout, stderr string) {
	l.t.Helper()
	if _, err := os.Stat(l.path(dir, "keys")); err != nil {
		if err := os.CopyFS(l.path(dir, "keys"), os.DirFS(l.path("gone", "keys"))); err != nil {
			l.t.Fatal(err)
		}
	}
	return l.want(code, "", append([]string{"recover", "--data", l.path(dir), "--rpc", l.url, "--log-owner", l.owner.String()}, more...)...)
}

// same wants the receipts of the service at url to be those of the lost one.
func (l *lost) same(url string) {
	l.t.Helper()
	for _, id := range l.ids {
		if got, _ := l.want(0, "", "get", id, "--server", url); got != l.receipts[id] {
			l.t.Errorf("receipt of %s:\ngot  %s\nwant %s", id, got, l.receipts[id])
		}
	}
}

// TestRecover loses the directory of a service and recovers it: every receipt is as it was, byte for byte, and the next
// message gets the next place. Then it is lost again, and recovered from the service that is there.
func TestRecover(t *testing.T) {
	l := newLost(t)
	cars := l.path("gone", "ipfs", "cars")
	out, errs := l.recover(0, "data", "--promise", "1h", "--ipfs", cars, "--json")
	sum := decode[rebuiltLine](t, out)
	if sum.Schema != "hansard.recover/1" || sum.Messages != 3 || sum.Batches != 3 || sum.Final != 3 || sum.Rooms != 1 || sum.Late.Count+sum.Withheld.Count != 0 || !sum.Promises {
		t.Errorf("summary %s", out)
	}
	says(t, "progress", errs, "the log has 3 batches with 3 messages")
	_, errs = l.recover(exitConflict, "data", "--promise", "1h", "--ipfs", cars)
	says(t, "a directory that holds a log", errs, "holds a log", "nothing is recovered over it")

	url, ended, stop := l.serveAt("data", "--account", "old")
	l.same(url)
	// But for the transactions that it signed, which nobody has any more.
	unsigned := func(s string) string {
		var all []string
		for line := range strings.Lines(s) {
			b := decode[batchLine](t, line)
			b.Txs, b.NewestTx = 0, nil
			var w bytes.Buffer
			if err := printJSON(&w, b); err != nil {
				t.Fatal(err)
			}
			all = append(all, w.String())
		}
		return strings.Join(all, "")
	}
	if got, _ := l.want(0, "", "batch", "list", "--server", url, "--json"); unsigned(got) != unsigned(l.batches) {
		t.Errorf("batches\n%s, and they were\n%s", got, l.batches)
	}
	four := readReceipt(t, l.say(url, "four"))
	if rc, err := proofs.ParseReceipt([]byte(l.receipts[l.ids[2]])); err != nil || four.Entry.Index != 3 || four.Entry.RoomPrev != rc.Entry.Leaf() {
		t.Errorf("the next entry is %+v, %v", four.Entry, err)
	}
	l.ids = append(l.ids, four.Entry.Message.String())
	l.receipts[l.ids[3]], _ = l.want(0, "", "get", l.ids[3], "--server", url)

	// The source is a service, and its word on blocks is checked.
	out, _ = l.recover(0, "again", "--promise", "1h", "--ipfs", url)
	says(t, "what is said", out, "recovered log", "4 in 1 rooms; the next one gets place 4", "not recovered:", "accepted and not anchored")
	stop()
	<-ended
	url, _, _ = l.serveAt("again", "--account", "old")
	l.same(url)
}

// TestRecoverPromises: without --promise nothing is promised again, and no promise that was broken is signed.
func TestRecoverPromises(t *testing.T) {
	l := newLost(t)
	cars := l.path("gone", "ipfs", "cars")
	for dir, promise := range map[string]string{"bare": "", "late": "1s"} {
		args := []string{"--ipfs", cars, "--log-name", "main"}
		if promise != "" {
			args = append(args, "--promise", promise)
		}
		out, _ := l.recover(0, dir, append(args, "--json")...)
		sum := decode[rebuiltLine](t, out)
		late := map[uint64]bool{}
		for _, r := range sum.Late.Ranges {
			for i, err := strconv.ParseUint(r[0], 10, 64); err == nil && strconv.FormatUint(i-1, 10) != r[1]; i++ {
				late[i] = true
			}
		}
		url, ended, stop := l.serveAt(dir, "--account", "old")
		for _, id := range l.ids {
			was, err := proofs.ParseReceipt([]byte(l.receipts[id]))
			if err != nil {
				t.Fatal(err)
			}
			l.want(0, "", "get", id, "-o", l.path(dir+id+".receipt.json"), "--server", url)
			rc := readReceipt(t, l.path(dir+id+".receipt.json"))
			kept := promise != "" && (rc.Entry.ReceivedAt+1000)/1000 >= rc.Batch.Time
			if promise != "" && late[rc.Entry.Index] == kept || (rc.Promise != nil) != kept {
				t.Errorf("%s: entry %d, received %d, anchored %d, late %t: promise %+v", dir, rc.Entry.Index, rc.Entry.ReceivedAt, rc.Batch.Time, late[rc.Entry.Index], rc.Promise)
			}
			rc.Promise = was.Promise
			if !bytes.Equal(rc.Format(), []byte(l.receipts[id])) {
				t.Errorf("%s: but for its promise the receipt of %s is another", dir, id)
			}
		}
		stop()
		<-ended
	}
}

// TestRecoverFaults: what is missing or damaged is named, nothing half done is served, and what is wrong in the call is said.
func TestRecoverFaults(t *testing.T) {
	l := newLost(t)
	cars := l.path("gone", "ipfs", "cars")
	for name, tc := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no key":        {[]string{"--promise-key", "other"}, exitUsage, `no promise key "other"`},
		"no source":     {[]string{"--ipfs", l.path("nowhere")}, exitUsage, "no such file"},
		"another log":   {[]string{"--log-name", "other", "--ipfs", cars}, exitUsage, "has no batches"},
		"a promise":     {[]string{"--promise", "1us", "--ipfs", cars}, exitUsage, "whole milliseconds"},
		"replaced keys": {[]string{"--replaced-key", "0x1", "--ipfs", cars}, exitUsage, "--replaced-key"},
		"no payload":    {nil, exitUnreachable, "so are those of 2 other batches: 1, 2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, errs := l.recover(tc.code, "data", tc.args...)
			says(t, name, errs, tc.want)
		})
	}
	files, err := filepath.Glob(filepath.Join(cars, "*.car"))
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	damaged[100] ^= 1 // in the first chunk, before the manifest
	if err := os.WriteFile(files[0], damaged, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs := l.recover(exitUnreachable, "data", "--ipfs", cars)
	says(t, "a damaged chunk", errs, "chunk 0 of 1", filepath.Base(files[0]), "are not the block", "name another source")
	_, errs = l.want(exitConflict, "", "serve", "--rpc", l.url, "--data", l.path("data"), "--password-file", l.path("password"), "--account", "old", "--listen", "127.0.0.1:0")
	says(t, "half a directory", errs, "run hansard recover again")
	if err := os.WriteFile(l.path("one.car"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	out, _ := l.recover(0, "data", "--promise", "1h", "--ipfs", cars, "--ipfs", l.path("one.car"))
	says(t, "with the file that is whole", out, "1 wrong answers")
	url, _, _ := l.serveAt("data", "--account", "old")
	l.same(url)
}

// TestRecoverPruned: nodes that show no old events, and keep no index of transactions, do, as long as they have the
// receipts of the blocks; without those it is said which.
func TestRecoverPruned(t *testing.T) {
	l := newLost(t)
	proxy := faultrpc.New(l.url)
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	l.url = server.URL
	args := []string{"--promise", "1h", "--ipfs", l.path("gone", "ipfs", "cars")}
	newest := readOf(t, l.receipts[l.ids[2]])
	cid := proofs.FormatCID(newest.Batch.CID)
	noEvents := faultrpc.Fault{Name: "no old events", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
		a := next(c)
		if c.Method == "eth_getLogs" {
			a.Result = []byte("[]")
		}
		return a
	}}
	proxy.Set(noEvents)
	_, errs := l.recover(exitUnreachable, "data", args...)
	says(t, "no event at all", errs, "batch 0 of 3 is missing", "no event of the log is in the blocks from 0 on", "--newest")
	_, errs = l.recover(exitUsage, "data", append(args, "--newest", "bafy")...)
	says(t, "no CID", errs, "--newest")
	_, errs = l.recover(exitUnreachable, "data", append(args, "--newest", proofs.FormatCID(proofs.Hash{1}))...)
	says(t, "another CID", errs, "read the manifest", "no source has it")

	proxy.Set(noEvents, faultrpc.Refuse(4444, "pruned history unavailable", "eth_getBlockReceipts", "eth_getTransactionReceipt"))
	_, errs = l.recover(exitUnreachable, "data", append(args, "--newest", cid)...)
	says(t, "no receipts", errs, "may have anchored it, and no node shows its receipts")

	proxy.Set(noEvents, faultrpc.Null("eth_getTransactionReceipt"))
	_, errs = l.recover(0, "data", append(args, "--newest", cid)...)
	says(t, "by the manifests", errs, "the manifests are followed")
	url, _, _ := l.serveAt("data", "--account", "old")
	l.same(url)

	// Newer events are still there.
	pruned := func(number uint64) faultrpc.Fault {
		return faultrpc.Fault{Name: "no events before it", Do: func(c faultrpc.Call, next faultrpc.Next) faultrpc.Answer {
			a := next(c)
			var logs []map[string]any
			if c.Method != "eth_getLogs" || json.Unmarshal(a.Result, &logs) != nil {
				return a
			}
			logs = slices.DeleteFunc(logs, func(l map[string]any) bool {
				at, ok := l["blockNumber"].(string)
				n, err := strconv.ParseUint(strings.TrimPrefix(at, "0x"), 16, 64)
				return !ok || err != nil || n < number
			})
			raw, err := json.Marshal(append([]map[string]any{}, logs...))
			if err != nil {
				return a
			}
			return faultrpc.Answer{Result: raw}
		}}
	}
	proxy.Set(pruned(newest.Anchor.Block.Number))
	_, errs = l.recover(0, "again", args...)
	says(t, "from the newest event", errs, "the manifests are followed")
	proxy.Set()
	if out, _ := l.recover(0, "third", append(args, "--newest", cid, "-q")...); out != "3\n" {
		t.Errorf("got %q", out)
	}
}

func readOf(t *testing.T, file string) *proofs.Receipt {
	t.Helper()
	rc, err := proofs.ParseReceipt([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return rc
}
