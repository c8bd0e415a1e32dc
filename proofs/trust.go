package proofs

import (
	"fmt"
	"math"
	"slices"
)

const trustFormat = "hansard-trust/1"

// Trust is a verifier's own word on which logs count.
type Trust struct{ Logs []TrustedLog }

// TrustedLog is one log and the keys that may sign its promises.
type TrustedLog struct {
	Name        string // for people
	Chain       Chain
	PromiseKeys []Address
}

// Find returns the trusted log that equals c in every part, or nil.
func (t *Trust) Find(c Chain) *TrustedLog {
	i := slices.IndexFunc(t.Logs, func(l TrustedLog) bool { return l.Chain == c })
	if i < 0 {
		return nil
	}
	return &t.Logs[i]
}

// names reports whether a log of the trust file is kept at p.
func (t *Trust) names(p Place) bool {
	return slices.ContainsFunc(t.Logs, func(l TrustedLog) bool { return l.Chain.Place() == p })
}

// ParseTrust decodes a trust file strictly.
func ParseTrust(b []byte) (*Trust, error) {
	if len(b) > MaxReceipt {
		return nil, fmt.Errorf("trust file: %d bytes are over the limit of %d", len(b), MaxReceipt)
	}
	v, err := parseJSON(b)
	if err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	r := newReader(v, "")
	if f := r.string("format"); r.err == nil && f != trustFormat {
		r.fail("format", "want %s, got %.40q", trustFormat, f)
	}
	t := &Trust{}
	for i, v := range r.array("logs", 1024) {
		o := newReader(v, fmt.Sprintf("logs[%d]", i))
		l := TrustedLog{Name: o.string("name")}
		l.Chain = Chain{o.uint("chainId", math.MaxUint64), o.address("anchorLog"), o.address("promiseBond"), o.hash("log")}
		for j, v := range o.array("promiseKeys", 1024) {
			s, _ := v.(string)
			key, err := ParseAddress(s)
			if err != nil {
				o.fail("promiseKeys", "element %d: %w", j, err)
			}
			l.PromiseKeys = append(l.PromiseKeys, key)
		}
		r.sub(o)
		t.Logs = append(t.Logs, l)
	}
	if err := r.close(); err != nil {
		return nil, fmt.Errorf("trust file: %w", err)
	}
	return t, nil
}

// Format returns the trust file.
func (t *Trust) Format() []byte {
	w := &writer{}
	w.open("").text("format", trustFormat).begin("logs", '[')
	for _, l := range t.Logs {
		c := l.Chain
		w.open("").text("name", l.Name).uint("chainId", c.ChainID).text("anchorLog", c.AnchorLog.String())
		w.text("promiseBond", c.PromiseBond.String()).text("log", c.Log.String())
		keys := make([]string, len(l.PromiseKeys))
		for i, k := range l.PromiseKeys {
			keys[i] = k.String()
		}
		w.list("promiseKeys", keys).close()
	}
	w.end(']').close()
	return append(w.b, '\n')
}
