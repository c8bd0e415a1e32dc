package api_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
)

// TestSubmit takes a message, checks its promise as its author would, and sends it again.
func TestSubmit(t *testing.T) {
	s := newService(t, nil)
	s.submit(signed(t, "the first"))
	sub := signed(t, "I will vote FOR 12")
	sub.Domain = &proofs.SignedIn{ChainID: chain.ChainID, VerifyingContract: chain.AnchorLog}
	file := string(sub.Format())
	first := s.want(s.call("POST", "/v1/messages", file), http.StatusCreated)
	a := decode[accepted](t, first)
	id := chain.MessageDomain().MessageID(&sub.Message)
	if a.ID != id || a.State != "accepted" || a.Index != "1" || a.RoomIndex != "1" || a.Entry.Message != id {
		t.Errorf("got %s", first.body)
	}
	if want := path(id, ""); first.header.Get("Location") != want || a.Links["receipt"] != want+"/receipt" || a.Links["status"] != want+"/status" {
		t.Errorf("location %s, links %v", first.header.Get("Location"), a.Links)
	}
	var promise struct {
		Deadline    uint64 `json:",string"`
		Beneficiary proofs.Address
		Signature   proofs.Signature
	}
	if err := json.Unmarshal(a.Promise, &promise); err != nil {
		t.Fatal(err)
	}
	p := proofs.Promise{Log: chain.Log, Index: 1, Leaf: a.Entry.Leaf(), Deadline: promise.Deadline, Beneficiary: promise.Beneficiary}
	signer, err := proofs.Recover(chain.PromiseDomain().PromiseDigest(&p), promise.Signature)
	if err != nil || signer != s.promise.Address() {
		t.Errorf("the promise is signed by %s (%v), want %s", signer, err, s.promise.Address())
	}
	if want := uint64(clock/1000) + uint64(batcher.DefaultPromise.Seconds()); promise.Deadline != want {
		t.Errorf("deadline %d, want %d", promise.Deadline, want)
	}

	s.seal()
	again := s.want(s.call("POST", "/v1/messages", file), http.StatusOK)
	b := decode[accepted](t, again)
	if again.header.Get("Idempotency-Replayed") != "true" || first.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("replayed: %v, then %v", first.header, again.header)
	}
	if string(b.Promise) != string(a.Promise) || b.State != "batched" {
		t.Errorf("promised %s and then %s, state %s", a.Promise, b.Promise, b.State)
	}
	rc, err := proofs.ParseReceipt(s.want(s.call("GET", path(id, "/receipt"), ""), http.StatusOK).body)
	if err != nil {
		t.Fatal(err)
	}
	p.Signature = promise.Signature
	if diff := cmp.Diff(&p, rc.Promise); diff != "" {
		t.Errorf("the receipt has another promise (-answer +receipt):\n%s", diff)
	}
}

func TestConcurrentDuplicatesAreOneEntry(t *testing.T) {
	s := newService(t, nil)
	file := string(signed(t, "once").Format())
	const n = 64
	promises, created := map[string]bool{}, 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			a, err := s.try("POST", "/v1/messages", file)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if a.status == http.StatusCreated {
				created++
			} else if a.status != http.StatusOK {
				t.Errorf("status %d: %s", a.status, a.body)
				return
			}
			promises[string(decode[accepted](t, a).Promise)] = true
		})
	}
	wg.Wait()
	tail, err := s.db.Tail(t.Context())
	if err != nil || tail.Next != 1 || created != 1 || len(promises) != 1 {
		t.Errorf("%d entries, %d answers 201, %d promises (%v)", tail.Next, created, len(promises), err)
	}
}

// result is as much of an answer to one of many as tests look at.
type result struct {
	Status   int
	Accepted *accepted
	Error    *problem
}

// TestMany sends good and bad messages together, in both forms: each has an answer of its own.
func TestMany(t *testing.T) {
	for _, form := range []string{"application/json", "application/x-ndjson; charset=utf-8"} {
		t.Run(form, func(t *testing.T) {
			s := newService(t, nil)
			forged := signed(t, "forged")
			forged.Message.Body = "other words"
			good := signed(t, "good")
			items := []string{
				string(good.Format()), `{"message": 1}`, string(forged.Format()), string(good.Format()),
				string(unsigned(t, "seen", "zoom:1").Format()), string(signed(t, "good too").Format()),
			}
			for i, item := range items {
				items[i] = strings.ReplaceAll(item, "\n", "")
			}
			body := strings.Join(items, "\n") + "\n"
			if form == "application/json" {
				body = `{"messages": [` + strings.Join(items, ",") + "]}"
			}
			type results struct{ Results []result }
			got := decode[results](t, s.want(s.call("POST", "/v1/messages:batch", body, "Content-Type: "+form), http.StatusOK)).Results
			if diff := cmp.Diff([]string{"201 0", "400 malformed", "422 bad_signature", "200 0", "403 unsigned_refused", "201 1"}, brief(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if string(got[0].Accepted.Promise) != string(got[3].Accepted.Promise) {
				t.Error("a repeat has another promise")
			}
			got = decode[results](t, s.call("POST", "/v1/messages:batch", body, "Content-Type: "+form, "Authorization: Bearer "+token)).Results
			if diff := cmp.Diff([]string{"200 0", "400 malformed", "422 bad_signature", "200 0", "201 2", "200 1"}, brief(got)); diff != "" {
				t.Errorf("with the token (-want +got):\n%s", diff)
			}
		})
	}
}

func brief(results []result) (out []string) {
	for _, r := range results {
		switch {
		case r.Error != nil && r.Error.RequestID != "" && r.Error.Status == r.Status:
			out = append(out, fmt.Sprint(r.Status, " ", r.Error.Code))
		case r.Accepted != nil:
			out = append(out, fmt.Sprint(r.Status, " ", r.Accepted.Index))
		}
	}
	return out
}

// TestHostile sends what a strict reader refuses. Nothing of it may be stored.
func TestHostile(t *testing.T) {
	s := newService(t, nil)
	sub := signed(t, "hello")
	sub.Domain = &proofs.SignedIn{ChainID: chain.ChainID, VerifyingContract: chain.AnchorLog}
	good := string(sub.Format())
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the submission has no %s", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	author := string(sub.Message.Author)
	evidence := base64.StdEncoding.EncodeToString(sub.Evidence.Bytes)
	for name, body := range map[string]string{
		"empty":             "",
		"not JSON":          "hello",
		"null":              "null",
		"array":             "[" + good + "]",
		"trailing":          good + "{}",
		"byte order mark":   "\ufeff" + good,
		"unknown key":       edit(`"room"`, `"extra": "", "room"`),
		"unknown top key":   edit(`"message"`, `"extra": 1, "message"`),
		"repeated key":      edit(`"room"`, `"body": "other", "room"`),
		"folded key":        edit(`"body"`, `"Body"`),
		"missing key":       edit(`"kind": "text/plain",`, ""),
		"null field":        edit(`"body": "hello"`, `"body": null`),
		"number for text":   edit(fmt.Sprintf(`"sentAt": "%d"`, clock-10_000), fmt.Sprintf(`"sentAt": %d`, clock-10_000)),
		"leading zero":      edit(`"sentAt": "`, `"sentAt": "0`),
		"over 64 bits":      edit(`"sentAt": "`, `"sentAt": "99999999`),
		"upper-case hex":    edit(author, "0x"+strings.ToUpper(author[2:])),
		"short hash":        edit(`"salt": "0x`, `"salt": "0`),
		"bad UTF-8":         edit("hello", "he\xffllo"),
		"lone surrogate":    edit("hello", `\ud800`),
		"control character": edit("hello", "he\x01llo"),
		"base64 padding":    edit(`="`, `"`),
		"base64 bits":       edit(evidence, evidence[:len(evidence)-2]+string(evidence[len(evidence)-2]+1)+"="),
		"bad room":          edit("ethereum/acd", "Ethereum acd"),
		"bad attachment":    edit(`"attachments": []`, `"attachments": ["Qm"]`),
		"bad scheme":        edit(`"eip712"`, `"EIP 712"`),
		"block":             edit(`"scheme"`, `"block": {"number": "1", "hash": "`+proofs.Hash{}.String()+`"}, "scheme"`),
		"domain null":       `{"domain": null,` + good[1:],
		"deep":              edit(`"attachments": []`, `"attachments": `+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)),
		"promise for me":    edit(`"authorship"`, `"promise": {}, "authorship"`),
	} {
		t.Run(name, func(t *testing.T) {
			a := s.call("POST", "/v1/messages", body)
			if p := decode[problem](t, a); a.status != http.StatusBadRequest || p.Code != "malformed" || len(p.Detail) < 10 {
				t.Errorf("status %d: %s", a.status, a.body)
			}
		})
	}
	if tail, err := s.db.Tail(t.Context()); err != nil || tail.Next != 0 {
		t.Errorf("%d entries (%v)", tail.Next, err)
	}
	s.submit(sub)
}
