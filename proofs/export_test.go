package proofs

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func testExport() *Export {
	return &Export{
		Chain: Chain{ChainID: 1337, AnchorLog: Address{0xa1}, PromiseBond: Address{0xb0}, Log: Hash{0xc0}},
		Room:  "demo-dao", From: 1_795_254_630_000, To: 1_795_254_640_000, Batches: []Hash{{1}, {2}},
	}
}

func TestExportFormatParse(t *testing.T) {
	for _, change := range []func(*Export){
		func(*Export) {},
		func(x *Export) { x.Room = "" },
		func(x *Export) { x.To = 0 },
		func(x *Export) { x.From, x.To = 0, 0 },
	} {
		want := testExport()
		change(want)
		b, err := want.Format()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseExport(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parsed (-want +got):\n%s", diff)
		}
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 1
			if x, err := ParseExport(bad); err == nil {
				if again, err := x.Format(); err != nil || !bytes.Equal(again, bad) {
					t.Errorf("byte %d flipped is read as what is written otherwise: %v", i, err)
				}
			}
			if _, err := ParseExport(b[:i]); err == nil {
				t.Errorf("%d bytes of it are read", i)
			}
		}
		if _, err := ParseExport(append(b, 0)); err == nil {
			t.Error("a byte after it is not refused")
		}
	}
}

func TestParseExportRefuses(t *testing.T) {
	for says, change := range map[string]func(*Export){
		"neither a room nor a time": func(x *Export) { x.Room, x.From, x.To = "", 0, 0 },
		"ends before it begins":     func(x *Export) { x.To = x.From },
		"lists no batch":            func(x *Export) { x.Batches = nil },
		"room":                      func(x *Export) { x.Room = "Not A Room" },
		"not canonical":             func(x *Export) { x.Room = "a\xff" },
	} {
		x := testExport()
		change(x)
		b, err := x.Format()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseExport(b); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	if _, err := (&Export{Batches: make([]Hash, 30_000)}).Format(); err == nil {
		t.Error("an export over the limit was written")
	}
	if _, err := ParseExport(make([]byte, MaxManifest+1)); err == nil {
		t.Error("an export over the limit was read")
	}
}

func TestExportTakes(t *testing.T) {
	x := testExport()
	in := Entry{Room: x.Room.Tag(), ReceivedAt: x.From}
	for _, tc := range []struct {
		change func(x *Export, e *Entry)
		want   bool
	}{
		{func(*Export, *Entry) {}, true},
		{func(_ *Export, e *Entry) { e.Room = Hash{1} }, false},
		{func(_ *Export, e *Entry) { e.ReceivedAt-- }, false},
		{func(x *Export, e *Entry) { e.ReceivedAt = x.To - 1 }, true},
		{func(x *Export, e *Entry) { e.ReceivedAt = x.To }, false},
		{func(x *Export, e *Entry) { e.ReceivedAt, x.To = x.To, 0 }, true},
		{func(x *Export, e *Entry) { e.Room, x.Room = Hash{1}, "" }, true},
	} {
		x, e := *x, in
		tc.change(&x, &e)
		if got := x.Takes(&e); got != tc.want {
			t.Errorf("%+v takes %+v: %t", x, e, got)
		}
	}
}
