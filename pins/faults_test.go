package pins

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
)

// broken is a target that has a fault, and what mends it.
type broken struct {
	Target
	want string // of its error
	mend func()
}

// gatewayOf serves the node's blocks, as the service does.
func gatewayOf(w *world) (*faulty, string) {
	w.t.Helper()
	h, err := w.node.Gateway()
	w.check(err)
	return serve(w.t, h)
}

// kuboWith is a Kubo with a fault.
func kuboWith(w *world, bad func(f **faulty) fault, want string) broken {
	_, f, url := newFakeKubo(w.t)
	f.set(bad(&f))
	return broken{target(w.t, "kubo:"+url+"?name=broken"), want, func() { f.set(nil) }}
}

func s3With(w *world, bad func(f **faulty) fault, want string) broken {
	f, url := newS3Server(w.t)
	f.set(bad(&f))
	return broken{target(w.t, "s3:"+url+"/bucket/log?name=broken&region=us-east-1"), want, func() { f.set(nil) }}
}

// psaWith is a pinning service with a fault, or a fault of the gateway at which its word is checked.
func psaWith(w *world, bad, gw fault, want string) broken {
	_, f, url := newFakePSA(w.t)
	g, gwURL := gatewayOf(w)
	f.set(bad)
	g.set(gw)
	return broken{target(w.t, "psa:"+url+"?token-env=TOKEN&name=broken&gateway="+gwURL), want, func() { f.set(nil); g.set(nil) }}
}

func always(f fault) func(**faulty) fault { return func(**faulty) fault { return f } }

// answer is one with status 200 and that text.
func answer(text string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		w.Write([]byte(text)) //nolint:errcheck // the client notices
		return false
	}
}

// lateError is an error after the status was sent.
func lateError(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Trailer", "X-Stream-Error")
	w.Write([]byte(`{"Stats":{"BlockCount":6}}` + "\n")) //nolint:errcheck // the client notices
	w.Header().Set("X-Stream-Error", "write to disk: input/output error")
	return false
}

func flipped(f **faulty) fault { return changed(f, flip) }

// faults are those that targets have.
var faults = map[string]func(w *world) broken{
	"kubo down": func(w *world) broken { return kuboWith(w, always(down), "EOF") },
	"kubo slow": func(w *world) broken { return kuboWith(w, always(slow), "did not answer within its time") },
	"kubo full": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", status(500, `{"Message":"no space left on device"}`))), "no space left")
	},
	"kubo says 200 with an error inside": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", answer(`{"Root":{"Cid":{"/":"x"},"PinErrorMsg":"block was not found locally"}}`))), "block was not found locally")
	},
	"kubo fails after status 200": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", lateError)), "input/output error")
	},
	"kubo cuts its answer short": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", answer(`{"Stats":`))), "unexpected EOF")
	},
	"kubo says nothing": func(w *world) broken { return kuboWith(w, always(at("POST", "dag/import", answer(""))), "ends before") },
	"kubo read less": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", answer(`{"Stats":{"BlockCount":5}}`))), "read 5 blocks of 6")
	},
	"kubo did nothing": func(w *world) broken {
		return kuboWith(w, always(at("POST", "dag/import", answer(`{"Stats":{"BlockCount":6}}`))), "not found locally")
	},
	"kubo gives other bytes": func(w *world) broken {
		return kuboWith(w, func(f **faulty) fault { return at("POST", "block/get", flipped(f)) }, "not the block")
	},
	"kubo lost what is pinned": func(w *world) broken {
		return kuboWith(w, always(at("POST", "block/get", status(500, `{"Message":"ipld: could not find"}`))), "pinned and not there")
	},
	"kubo redirects": func(w *world) broken {
		return kuboWith(w, always(status(307, "elsewhere")), "status 307")
	},
	"s3 down": func(w *world) broken { return s3With(w, always(down), "Connection closed") },
	"s3 slow": func(w *world) broken { return s3With(w, always(slow), "did not answer within its time") },
	"s3 full": func(w *world) broken {
		return s3With(w, always(at("PUT", "", status(507, "<Error><Code>QuotaExceeded</Code><Message>the bucket is full</Message></Error>"))), "the bucket is full")
	},
	"s3 truncates": func(w *world) broken {
		return s3With(w, func(f **faulty) fault { return at("PUT", "", half(f)) }, "bytes and not")
	},
	"s3 gives other bytes": func(w *world) broken {
		return s3With(w, func(f **faulty) fault { return at("GET", "", flipped(f)) }, "not the block")
	},
	"s3 denies": func(w *world) broken {
		return s3With(w, always(status(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")), "status 403")
	},
	"psa down": func(w *world) broken { return psaWith(w, down, nil, "EOF") },
	"psa slow": func(w *world) broken { return psaWith(w, slow, nil, "did not answer within its time") },
	"psa full": func(w *world) broken {
		return psaWith(w, at("POST", "pins", func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(409)
			w.Write([]byte(`{"error":{"reason":"INSUFFICIENT_FUNDS","details":"pay more"}}`)) //nolint:errcheck // the client notices
			return false
		}), nil, "INSUFFICIENT_FUNDS pay more")
	},
	"psa fails to pin": func(w *world) broken {
		p, _, url := newFakePSA(w.t)
		p.say = "failed"
		return broken{target(w.t, "psa:"+url+"?token-env=TOKEN"), "nobody has it", func() { p.say = "pinned" }}
	},
	"psa pins for ever": func(w *world) broken {
		p, _, url := newFakePSA(w.t)
		p.say = "queued"
		return broken{target(w.t, "psa:"+url+"?token-env=TOKEN"), "still queued", func() {
			p.say = "pinned"
			clear(p.pins)
		}}
	},
	"psa says pinned and its gateway has nothing": func(w *world) broken {
		return psaWith(w, nil, status(404, "no"), "cannot be fetched")
	},
	"psa's gateway gives other bytes": func(w *world) broken { return psaWith(w, nil, answer("other"), "not the block") },
	"psa answers with no JSON":        func(w *world) broken { return psaWith(w, answer("<html>"), nil, "list pins") },
	"dir gone": func(w *world) broken {
		at := filepath.Join(w.t.TempDir(), "mnt")
		return broken{target(w.t, "dir:"+at), "no such file", func() { w.check(os.Mkdir(at, 0o700)) }}
	},
	"dir full": func(w *world) broken {
		at := w.t.TempDir()
		links := func(do func(name string)) {
			for _, root := range w.roots {
				do(filepath.Join(at, proofs.FormatCID(root)+".car.new"))
			}
		}
		links(func(name string) { w.check(os.Symlink("/dev/full", name)) })
		return broken{target(w.t, "dir:"+at), "no space left", func() { links(func(name string) { os.Remove(name) }) }} // the first is gone
	},
}

// TestFaults runs each fault beside a good target: the good one gets every batch, the other's error is seen, and when it is mended it
// gets its backlog.
func TestFaults(t *testing.T) {
	for name, make := range faults {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2)
			bad, good := make(w), target(t, "dir:"+t.TempDir()+"?name=good")
			if p, ok := bad.Target.(*psa); ok {
				p.first = time.Millisecond
			}
			k := w.keeper(2, bad.Target, good)
			k.cfg.pushTime = func(int64) time.Duration { return 2 * time.Second }
			if strings.Contains(name, "slow") || strings.Contains(name, "for ever") {
				k.cfg.pushTime = func(int64) time.Duration { return 50 * time.Millisecond }
			}
			err := k.work(t.Context(), k.places[0])
			if err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Fatalf("got %v, want an error with %q", err, bad.want)
			}
			k.note(t.Context(), k.places[0], err, time.Second)
			if got := w.held(bad.Target); len(got) != 0 {
				t.Errorf("the broken target is believed to hold %v", got)
			}
			w.check(k.work(t.Context(), k.places[1]))
			if got := w.held(good); len(got) != 2 {
				t.Errorf("the good target holds %v", got)
			}
			if s := k.Status(); s[0].Err == nil || s[0].Errors != 1 || s[0].Since.IsZero() || s[1].Err != nil || s[1].Pushed != 2 {
				t.Errorf("status %+v", s)
			}
			if logs := w.logs.String(); !strings.Contains(logs, "target fails") || strings.Contains(logs, "test-token") {
				t.Errorf("logs:\n%s", logs)
			}
			bad.mend()
			k.cfg.pushTime = pushTime
			w.check(k.work(t.Context(), k.places[0]))
			if got := w.held(bad.Target); len(got) != 2 {
				t.Errorf("mended, it holds %v", got)
			}
			if s := k.Status()[0]; s.Err != nil || !s.Since.IsZero() {
				t.Errorf("mended: status %+v", s)
			}
		})
	}
}
