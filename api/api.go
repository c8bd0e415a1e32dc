// Package api serves the log over HTTP: submit, status, receipt, batches. docs/api.md is its
// reference.
//
// What it answers is the operator's word. The one answer that stands on its own is the receipt.
//
//	POST /v1/messages                   take a signed message; 201 once it is on stable storage
//	POST /v1/messages:batch             up to 500, each with its own answer
//	GET  /v1/messages?room=R&source=U   the messages of the room with that source
//	GET  /v1/messages/{id}              message, entry, state, batch
//	GET  /v1/messages/{id}/status       state; ?wait=30s&until=finalized&delay=none waits for it
//	GET  /v1/messages/{id}/receipt      the receipt file at its best level
//	GET  /v1/batches, /v1/batches/{n}   batches
//	GET  /v1/info                       chain, promise keys, limits
//	POST /v1/flush                      seal the pool now; importers only
//	GET  /livez, /readyz                the process runs; the intake is open
//	GET  /metrics                       for Prometheus
//	GET  /ipfs/{cid}                    the blocks of anchored batches and attachments
//	POST /v1/attachments                keep a file that a message will name
//
// TestEveryError shows each error code, and package client is held against this one by its tests.
package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

// Limits of requests.
const (
	MaxMany      = 500      // messages of one request: an answer within a second
	MaxManyBytes = 16 << 20 // body of such a request
	MaxWait      = time.Minute
	// maxBodies bounds the request bodies that are held at once, in bytes. Decoded they may take forty
	// times as much.
	maxBodies = 64 << 20
	// slack is what a long poll's answer may take to write after its wait.
	slack = 15 * time.Second
)

// Store is what the batches are read from. Errors wrap proofs.ErrNotFound.
type Store interface {
	Batch(ctx context.Context, number uint64) (proofs.Sealed, error)
	Batches(ctx context.Context, from uint64, limit int) ([]proofs.Sealed, error)
	// BySource returns the newest messages of the room that name the source and are of the class, any if
	// it is 0: at most limit, in the order of the log; none is no error.
	BySource(ctx context.Context, room proofs.Room, source string, class proofs.Vouch, limit int) ([]proofs.Accepted, error)
}

// Batcher takes messages: a *batcher.Batcher.
type Batcher interface {
	Submit(ctx context.Context, subs ...batcher.Submission) []batcher.Result
}

// Config says what to serve.
type Config struct {
	Chain         proofs.Chain
	PromiseKeys   []proofs.Address // shown to clients; a verifier has its own list
	Batcher       Batcher
	Issuer        *receipts.Issuer
	Store         Store
	Flush         func()                                                          // seals the pool now
	Changed       *Signal                                                         // notified after each change of a state; nil: long polls end by time only
	ImporterToken string                                                          // who bears it may send unsigned messages and flush; empty: nobody
	MaxMessages   uint64                                                          // of a batch, shown to clients; 0: batcher's default
	MaxAge        time.Duration                                                   // of a pool, shown to clients; 0: batcher's default
	Version       string                                                          // of the program, shown to clients
	NewestBlock   func() proofs.Hash                                              // for authors who want to prove that they spoke after it; nil: none
	Delay         func() *Delay                                                   // why nothing is anchored for now, nil if it is; it answers from memory. nil: never a delay
	Promises      func() *Promises                                                // what is promised and not kept yet, from memory; nil: it is not said
	Metrics       http.Handler                                                    // of GET /metrics; nil: there is none
	Blocks        http.Handler                                                    // of GET /ipfs/, a trustless IPFS gateway; nil: there is none
	Probes        func(ctx context.Context, batch uint64) ([]proofs.Probe, error) // what others held of the payload; nil: nobody asks them
	IPFS          func() *IPFS                                                    // where peers reach the IPFS node; nil, or returns nil: it is on no network
	// Holders returns the names of the places that hold a batch's payload; nil: it is not said.
	Holders func(ctx context.Context, s *proofs.Sealed) ([]string, error)
	Files   Files        // of POST /v1/attachments; nil: there are none
	Logger  *slog.Logger // nil: slog.Default()
}

func (c Config) validate() error {
	var errs []error
	for name, missing := range map[string]bool{
		"Chain.Log": c.Chain.Log.IsZero(), "PromiseKeys": len(c.PromiseKeys) == 0, "Batcher": c.Batcher == nil,
		"Issuer": c.Issuer == nil, "Store": c.Store == nil, "Flush": c.Flush == nil,
	} {
		if missing {
			errs = append(errs, fmt.Errorf("%s is missing", name))
		}
	}
	return errors.Join(errs...)
}

// Delay says why batches are not anchored for now. It is not an error: the same is tried again, by itself.
type Delay struct {
	Code   string    // one stable word, such as gas_cap
	Detail string    // for people
	Since  time.Time // when the delay began
	Next   time.Time // when it is tried again; zero: not known
}

// IPFS says where an IPFS node is on the network.
type IPFS struct {
	Peer      string   `json:"peer"`      // ID
	Addresses []string `json:"addresses"` // multiaddrs with the peer ID
}

// Promises says what is promised and in no block yet.
type Promises struct {
	Waiting    uint64    // messages
	Deadline   time.Time // the earliest; zero: nothing waits
	Overdue    uint64    // messages, at most
	Refusal    *Refusal  // nil: new messages are taken
	Challenges Challenges
}

// Refusal says why no new message is taken. It ends by itself.
type Refusal struct {
	Code       string // one stable word
	Detail     string // for people
	Since      time.Time
	RetryAfter time.Duration // the soonest that it may end
}

// Challenges says how many promises are challenged at the bond.
type Challenges struct {
	Open     int       // and not answered
	Hopeless int       // of these, those without an answer
	AnswerBy time.Time // the earliest; zero: none is open
	Answered uint64    // by this process
}

// Signal wakes everybody who waits for a change.
type Signal struct {
	mu sync.Mutex
	c  chan struct{} // guarded by mu; the next Notify closes it
}

// NewSignal returns a Signal.
func NewSignal() *Signal { return &Signal{c: make(chan struct{})} }

// Notify wakes all that wait now.
func (s *Signal) Notify() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.c)
	s.c = make(chan struct{})
}

// Wait returns a channel that the next Notify closes. Take it before looking at what may change.
func (s *Signal) Wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c
}

type server struct {
	cfg     Config
	bodies  atomic.Int64    // bytes of bodies being read and served
	ending  <-chan struct{} // closed when the server shuts down
	uploads chan struct{}   // held by each upload of an attachment
	heavy   chan struct{}   // held while something is decoded or listed that takes far more than it weighs
}

// NewServer returns a server for the configuration; it listens nowhere yet. Its timeouts are for
// requests that are answered at once: a long poll sets its own, and ends early on Shutdown. NewServer
// panics on a Config that lacks a part, which only our own wiring can leave out.
func NewServer(cfg Config) *http.Server {
	if err := cfg.validate(); err != nil {
		panic(fmt.Sprintf("api configuration: %v", err))
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Changed == nil {
		cfg.Changed = NewSignal()
	}
	if cfg.Delay == nil {
		cfg.Delay = func() *Delay { return nil }
	}
	if cfg.MaxMessages == 0 {
		cfg.MaxMessages = batcher.DefaultMaxMessages
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = batcher.DefaultMaxAge
	}
	ending := make(chan struct{})
	s := &server{cfg: cfg, ending: ending, uploads: make(chan struct{}, uploads), heavy: make(chan struct{}, 2*runtime.GOMAXPROCS(0))}
	srv := &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute, // 16 MiB at 2.2 Mbit/s
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelWarn),
	}
	srv.RegisterOnShutdown(sync.OnceFunc(func() { close(ending) }))
	return srv
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, f := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /v1/info":                  s.info,
		"POST /v1/messages":             s.submit,
		"POST /v1/messages:batch":       s.submitMany,
		"GET /v1/messages":              s.bySource,
		"GET /v1/messages/{id}":         s.message,
		"GET /v1/messages/{id}/status":  s.status,
		"GET /v1/messages/{id}/receipt": s.receipt,
		"GET /v1/batches":               s.batches,
		"GET /v1/batches/{number}":      s.batch,
		"POST /v1/attachments":          s.attach,
		"POST /v1/flush":                s.flush,
		"GET /livez":                    s.live,
		"GET /readyz":                   s.ready,
		"GET /metrics":                  s.metrics,
		"GET /ipfs/":                    s.blocks,
		"/":                             s.nowhere,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := f(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Request-Id", "req_"+rand.Text())
		h.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Access-Control-Expose-Headers", "ETag, Request-Id, Retry-After")
		}
		mux.ServeHTTP(w, r)
	})
}

// importer reports whether the request bears the importer's token.
func (s *server) importer(r *http.Request) bool {
	sum := sha256.Sum256([]byte(r.Header.Get("Authorization")))
	want := sha256.Sum256([]byte("Bearer " + s.cfg.ImporterToken))
	return subtle.ConstantTimeCompare(sum[:], want[:]) == 1 && s.cfg.ImporterToken != ""
}

func (s *server) flush(w http.ResponseWriter, r *http.Request) error {
	if !s.importer(r) {
		return refuse(codeUnauthenticated, "only an importer may ask for the pool to be sealed: send its token as Authorization: Bearer TOKEN")
	}
	s.cfg.Flush()
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func (s *server) live(w http.ResponseWriter, _ *http.Request) error {
	_, err := w.Write([]byte("ok\n"))
	return err
}

// ready asks the intake itself: a message for no log is refused for that once it is open.
func (s *server) ready(w http.ResponseWriter, r *http.Request) error {
	err := s.cfg.Batcher.Submit(r.Context(), batcher.Submission{})[0].Err
	var refused *batcher.RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	return s.live(w, r)
}

func (s *server) metrics(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Metrics == nil {
		return s.nowhere(w, r)
	}
	w.Header().Set("Cache-Control", "no-store")
	s.cfg.Metrics.ServeHTTP(w, r)
	return nil
}

// blocks serves what is public anyhow, to anybody's page.
func (s *server) blocks(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Blocks == nil {
		return s.nowhere(w, r)
	}
	s.cfg.Blocks.ServeHTTP(w, r)
	return nil
}

func (s *server) nowhere(_ http.ResponseWriter, r *http.Request) error {
	return refuse(codeNotFound, "there is no %s %.80q here; docs/api.md lists what there is", r.Method, r.URL.Path)
}
