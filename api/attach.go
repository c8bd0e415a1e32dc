package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hansard-dao/hansard/batcher"
)

// MaxAttachment is the largest attachment, in bytes.
const MaxAttachment = 1 << 30

const (
	uploads    = 4                // at once
	uploadStep = 30 * time.Second // in which some of an upload must come
)

// Errors of Files.
var (
	// ErrTooLarge is wrapped where an attachment is over MaxAttachment.
	ErrTooLarge = errors.New("the attachment is too large")
	// ErrNoRoom is wrapped where there is no room for more attachments that no message names.
	ErrNoRoom = errors.New("there is no room for attachments")
)

// Files keeps attachments.
type Files interface {
	// Keep stores what r gives and returns its CID and size in bytes; nil only once it is on stable storage. Errors wrap
	// ErrTooLarge, ErrNoRoom or what r returns.
	Keep(ctx context.Context, r io.Reader) (cid string, size int64, err error)
}

type attachmentJSON struct {
	CID  string `json:"cid"`
	Size int64  `json:"size,string"`
}

// attach takes an attachment, streamed. The same bytes have the same CID, so an upload that broke off is repeated.
func (s *server) attach(w http.ResponseWriter, r *http.Request) error {
	if s.cfg.Files == nil {
		return s.nowhere(w, r)
	}
	if r.ContentLength > MaxAttachment {
		return &http.MaxBytesError{Limit: MaxAttachment}
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		return &batcher.BusyError{RetryAfter: uploadStep, Reason: "others are uploading attachments"}
	}
	in := &upload{r: r.Body, c: http.NewResponseController(w)}
	cid, size, err := s.cfg.Files.Keep(r.Context(), in)
	switch {
	case errors.Is(err, ErrTooLarge):
		return &http.MaxBytesError{Limit: MaxAttachment}
	case errors.Is(err, ErrNoRoom):
		return &batcher.BusyError{RetryAfter: time.Hour, Reason: err.Error()}
	case in.err != nil:
		return refuse(batcher.Malformed, "the upload ended early or came too slowly; send it again")
	case err != nil:
		return err
	}
	in.c.SetWriteDeadline(time.Now().Add(uploadStep))
	w.Header().Set("Location", "/ipfs/"+cid)
	return write(w, http.StatusCreated, attachmentJSON{cid, size})
}

// upload moves the deadline of the connection on as long as something comes.
type upload struct {
	r   io.Reader
	c   *http.ResponseController
	err error // of reading
}

func (u *upload) Read(p []byte) (int, error) {
	if err := u.c.SetReadDeadline(time.Now().Add(uploadStep)); err != nil {
		u.err = err
		return 0, err
	}
	n, err := u.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		u.err = err
	}
	return n, err
}
