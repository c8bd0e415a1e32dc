package proofs

import (
	"errors"
	"fmt"
)

// Export says what a CAR file of several batches was made for: docs/export.md.
type Export struct {
	Chain    Chain
	Room     Room   // empty: any
	From, To uint64 // ms since 1970 UTC, of entries' receivedAt: from From on, below To; 0: no bound
	Batches  []Hash // digests of the manifests of the batches that hold such entries, in order
}

var exportSchema = newSchema(
	cborField[Export]{"v",
		func(w *cborWriter, _ *Export) { w.head(cborUint, 1) },
		func(r *cborReader, _ *Export) {
			if r.uint() != 1 {
				r.fail()
			}
		}},
	intField("chainId", func(x *Export) *uint64 { return &x.Chain.ChainID }),
	exportAddress("anchorLog", func(x *Export) *Address { return &x.Chain.AnchorLog }),
	exportAddress("promiseBond", func(x *Export) *Address { return &x.Chain.PromiseBond }),
	hashField("log", func(x *Export) *Hash { return &x.Chain.Log }),
	textField("room", func(x *Export) *Room { return &x.Room }),
	intField("from", func(x *Export) *uint64 { return &x.From }),
	intField("to", func(x *Export) *uint64 { return &x.To }),
	cborField[Export]{"batches", writeExported, readExported},
)

func exportAddress(key string, at func(*Export) *Address) cborField[Export] {
	return cborField[Export]{key,
		func(w *cborWriter, x *Export) { w.bytes(at(x)[:]) },
		func(r *cborReader, x *Export) {
			b := r.take(r.head(cborBytes))
			if len(b) != len(Address{}) {
				r.fail()
				return
			}
			*at(x) = Address(b)
		}}
}

func writeExported(w *cborWriter, x *Export) {
	w.head(cborArray, uint64(len(x.Batches)))
	for _, b := range x.Batches {
		w.link(b)
	}
}

func readExported(r *cborReader, x *Export) {
	for range r.array() {
		b := r.link()
		if r.err != nil {
			return
		}
		x.Batches = append(x.Batches, b)
	}
}

// Format returns the export as a dag-cbor block. The error says that it is over MaxManifest, about 25,000 batches.
func (x *Export) Format() ([]byte, error) {
	var w cborWriter
	exportSchema.write(&w, x)
	if len(w.b) > MaxManifest {
		return nil, fmt.Errorf("export: the list of %d batches has %d bytes, over the limit of %d", len(x.Batches), len(w.b), MaxManifest)
	}
	return w.b, nil
}

// ParseExport reads what Format returns, and nothing else. Whether the batches hold such entries is for the caller to
// look at.
func ParseExport(b []byte) (*Export, error) {
	if len(b) > MaxManifest {
		return nil, fmt.Errorf("export: %d bytes are over the limit of %d", len(b), MaxManifest)
	}
	r, x := cborReader{b: b}, &Export{}
	if exportSchema.read(&r, x); r.err != nil || len(r.b) != 0 {
		return nil, fmt.Errorf("export: %w", errCBOR)
	}
	if x.Room != "" {
		if _, err := ParseRoom(string(x.Room)); err != nil {
			return nil, fmt.Errorf("export: %w", err)
		}
	}
	switch {
	case x.Room == "" && x.From == 0 && x.To == 0:
		return nil, errors.New("export: it names neither a room nor a time")
	case x.To > 0 && x.To <= x.From:
		return nil, errors.New("export: its time ends before it begins")
	case len(x.Batches) == 0:
		return nil, errors.New("export: it lists no batch")
	}
	return x, nil
}

// Takes reports whether the export is about the entry.
func (x *Export) Takes(e *Entry) bool {
	return (x.Room == "" || e.Room == x.Room.Tag()) && e.ReceivedAt >= x.From && (x.To == 0 || e.ReceivedAt < x.To)
}
