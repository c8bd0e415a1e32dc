package pins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
)

const (
	dialTime  = 10 * time.Second
	maxAnswer = 4 << 20 // bytes of an answer that is not a file
	maxSaid   = 200     // bytes of what a target says that are repeated
)

// newClient returns a client that follows no redirect, since a token would go along, and reads no endless answer.
func newClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: dialTime}).DialContext
	return &http.Client{
		Transport:     limited{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limited bounds what is read of each answer.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &body{resp.Body, maxAnswer}
	}
	return resp, err
}

// body is an answer that must not be longer.
type body struct {
	io.ReadCloser
	left int
}

var errLong = fmt.Errorf("it answers with more than %d bytes", maxAnswer)

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, errLong
	}
	return n, err
}

// plain takes the URL out of an error of the HTTP client: it may hold a token. It says what a time that ran out means.
func plain(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("it did not answer within its time")
	}
	return err
}

// said is what a target says of an error, as one short line.
func said(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(s, "?"))
	if s = strings.TrimSpace(s); len(s) > maxSaid {
		s = strings.ToValidUTF8(s[:maxSaid], "") + " ..."
	}
	return s
}
