package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/hansard-dao/hansard/batcher"
	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/receipts"
)

func (s *server) info(w http.ResponseWriter, _ *http.Request) error {
	return write(w, http.StatusOK, newInfo(&s.cfg))
}

// id reads the message id of the path.
func id(r *http.Request) (proofs.Hash, error) {
	h, err := proofs.ParseHash(r.PathValue("id"))
	if err != nil {
		return h, refuse(batcher.Malformed, "message id: %v", err)
	}
	return h, nil
}

func noMessage(err error, id proofs.Hash) error {
	return missing(err, "this log has no message %s; check the id, or submit the message", id)
}

func (s *server) message(w http.ResponseWriter, r *http.Request) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	st, err := s.cfg.Issuer.Status(r.Context(), id)
	if err != nil {
		return noMessage(err, id)
	}
	w.Header().Set("Cache-Control", "no-cache")
	return write(w, http.StatusOK, newMessage(&st, s.cfg.Delay()))
}

func (s *server) status(w http.ResponseWriter, r *http.Request) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	wait, until := time.Duration(0), proofs.StateFinalized
	if v := q.Get("wait"); v != "" {
		if wait, err = time.ParseDuration(v); err != nil || wait < 0 {
			return refuse(batcher.Malformed, "wait: want a time such as 30s, at most %s, got %.20q", MaxWait, v)
		}
	}
	if v := q.Get("until"); v != "" {
		if until, err = proofs.ParseState(v); err != nil {
			return refuse(batcher.Malformed, "until: %v", err)
		}
	}
	enough := func(st *receipts.Status, _ *Delay) bool { return st.State >= until }
	if v := q.Get("delay"); v != "" {
		if !delayWord.MatchString(v) {
			return refuse(batcher.Malformed, "delay: want the code of a delay, or %s, got %.20q", noDelay, v)
		}
		enough = func(st *receipts.Status, d *Delay) bool { return st.State >= until || delayOf(st, d).word() != v }
	}
	st, delay, err := s.await(w, r, id, enough, min(wait, MaxWait))
	if err != nil {
		return noMessage(err, id)
	}
	w.Header().Set("Cache-Control", "no-store")
	return write(w, http.StatusOK, newStatus(&st, delay))
}

// noDelay is the word of a message that is not delayed.
const noDelay = "none"

var delayWord = regexp.MustCompile(`^[a-z_]{1,32}$`)

// word returns the code of a delay, or noDelay.
func (d *Delay) word() string {
	if d == nil {
		return noDelay
	}
	return d.Code
}

// delayOf returns the delay as far as it is the message's: what is in a block waits for nothing.
func delayOf(st *receipts.Status, d *Delay) *Delay {
	if st.State >= proofs.StateIncluded {
		return nil
	}
	return d
}

// delayPoll is how often a long poll looks whether the delay is another one.
const delayPoll = time.Second

// await returns the message's status, and the delay that there is, once they are enough or after the wait.
func (s *server) await(w http.ResponseWriter, r *http.Request, id proofs.Hash, enough func(*receipts.Status, *Delay) bool, wait time.Duration) (receipts.Status, *Delay, error) {
	ctx := r.Context()
	if wait > 0 {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(wait + slack)); err != nil {
			return receipts.Status{}, nil, fmt.Errorf("set write deadline: %w", err)
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for last := wait == 0; ; {
		changed := s.cfg.Changed.Wait()
		st, err := s.cfg.Issuer.Status(ctx, id)
		delay := s.cfg.Delay()
		if err != nil || enough(&st, delay) || last {
			return st, delay, err
		}
		if last, err = s.change(ctx, changed, timer.C, delay); err != nil {
			return st, delay, err
		}
	}
}

// change returns when there is something new to look at. last says that the wait is over.
func (s *server) change(ctx context.Context, changed <-chan struct{}, over <-chan time.Time, was *Delay) (last bool, err error) {
	tick := time.NewTicker(delayPoll)
	defer tick.Stop()
	for {
		select {
		case <-changed:
			return false, nil
		case <-tick.C:
			if s.cfg.Delay().word() != was.word() {
				return false, nil
			}
		case <-over:
			return true, nil
		case <-s.ending:
			return true, nil
		case <-ctx.Done():
			return true, context.Cause(ctx)
		}
	}
}

func (s *server) receipt(w http.ResponseWriter, r *http.Request) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	rc, err := s.cfg.Issuer.Receipt(r.Context(), id)
	if err != nil {
		return noMessage(err, id)
	}
	b := rc.Format()
	h := w.Header()
	h.Set("Content-Type", proofs.MediaType)
	h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	h.Set("Cache-Control", "no-cache")
	if rc.Level == proofs.Finalized && (rc.Fold != nil || s.cfg.Issuer.Folds == nil) { // a fold is still to come
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	return nil
}

// maxSource bounds what one answer about a source holds: at the largest bodies some 30 MiB.
const maxSource = 128

func (s *server) bySource(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	room, err := proofs.ParseRoom(q.Get("room"))
	if err != nil {
		return refuse(batcher.Malformed, "%v", err)
	}
	source := q.Get("source")
	if source == "" || len(source) > proofs.MaxSource {
		return refuse(batcher.Malformed, "source: want a URI of 1 to %d bytes", proofs.MaxSource)
	}
	vouch := uint64(0)
	if v := q.Get("vouch"); v != "" {
		if vouch, err = number("vouch", v, uint64(proofs.VouchNobody)); err != nil {
			return err
		}
	}
	s.heavy <- struct{}{}
	defer func() { <-s.heavy }()
	found, err := s.cfg.Store.BySource(r.Context(), room, source, proofs.Vouch(vouch), maxSource+1)
	if err != nil {
		return err
	}
	list := listJSON{Messages: []*messageJSON{}}
	kept := newestWithin(found, maxSource, maxSourceBytes)
	delay := s.cfg.Delay()
	list.More, found = kept < len(found), found[len(found)-kept:]
	for _, a := range found {
		st, err := s.cfg.Issuer.Status(r.Context(), a.Entry.Message)
		if err != nil {
			return err
		}
		list.Messages = append(list.Messages, newMessage(&st, delay))
	}
	w.Header().Set("Cache-Control", "no-store")
	return write(w, http.StatusOK, list)
}

// maxSourceBytes bounds the bodies and evidence of one answer about a source, and with escapes its size.
const maxSourceBytes = 4 << 20

// newestWithin returns how many of the newest entries are at most limit and within size bytes.
func newestWithin(entries []proofs.Accepted, limit, size int) (n int) {
	for n < len(entries) && n < limit {
		a := entries[len(entries)-1-n]
		if a.Message != nil {
			size -= len(a.Message.Body)
		}
		if size -= len(a.Evidence.Bytes); size < 0 && n > 0 {
			break
		}
		n++
	}
	return n
}

const (
	defaultLimit = 50
	maxLimit     = 500
)

func (s *server) batches(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	from, limit := uint64(0), uint64(defaultLimit)
	var err error
	if v := q.Get("from"); v != "" {
		if from, err = number("from", v, proofs.MaxBatch); err != nil {
			return err
		}
	}
	if v := q.Get("limit"); v != "" {
		if limit, err = number("limit", v, maxLimit); err != nil {
			return err
		}
	}
	sealed, err := s.cfg.Store.Batches(r.Context(), from, int(limit))
	if err != nil {
		return err
	}
	list := make([]batchJSON, len(sealed))
	for i := range sealed {
		b, err := s.heldBatch(r.Context(), &sealed[i])
		if err != nil {
			return err
		}
		list[i] = *b
	}
	w.Header().Set("Cache-Control", "no-cache")
	return write(w, http.StatusOK, struct {
		Batches []batchJSON `json:"batches"`
	}{list})
}

func (s *server) batch(w http.ResponseWriter, r *http.Request) error {
	n, err := number("batch number", r.PathValue("number"), proofs.MaxBatch)
	if err != nil {
		return err
	}
	sealed, err := s.cfg.Store.Batch(r.Context(), n)
	if err != nil {
		return missing(err, "there is no batch %d yet; GET /v1/batches lists those that there are", n)
	}
	b, err := s.heldBatch(r.Context(), &sealed)
	if err != nil {
		return err
	}
	if s.cfg.Probes != nil {
		probes, err := s.cfg.Probes(r.Context(), n)
		if err != nil {
			return err
		}
		b.Probes = newProbes(probes)
	}
	w.Header().Set("Cache-Control", "no-cache")
	return write(w, http.StatusOK, b)
}

// heldBatch returns the batch with who holds its payload.
func (s *server) heldBatch(ctx context.Context, sealed *proofs.Sealed) (b *batchJSON, err error) {
	b = newBatch(sealed)
	if s.cfg.Holders != nil {
		b.HeldBy, err = s.cfg.Holders(ctx, sealed)
	}
	return b, err
}

// number reads a decimal number without leading zeros.
func number(name, text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > limit || strconv.FormatUint(n, 10) != text {
		return 0, refuse(batcher.Malformed, "%s: want a decimal number of at most %d, got %.30q", name, limit, text)
	}
	return n, nil
}
