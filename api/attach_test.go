package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/hansard-dao/hansard/api"
)

// files keeps what it is given in memory, or fails.
type files struct {
	err  error
	got  chan string
	wait chan struct{} // closed: goes on
}

func (f *files) Keep(_ context.Context, r io.Reader) (string, int64, error) {
	b, err := io.ReadAll(r)
	if f.wait != nil {
		f.got <- string(b)
		<-f.wait
	}
	return "bafkreitest", int64(len(b)), errors.Join(err, f.err)
}

func TestAttach(t *testing.T) {
	post := func(f api.Files, body string) (*service, answer) {
		s := newService(t, func(_ *service, with *setup) { with.api.Files = f })
		return s, s.call(http.MethodPost, "/v1/attachments", body)
	}
	_, a := post(&files{}, "the minutes")
	if want := "{\"cid\":\"bafkreitest\",\"size\":\"11\"}\n"; a.status != http.StatusCreated || string(a.body) != want || a.header.Get("Location") != "/ipfs/bafkreitest" {
		t.Errorf("%d %s, want %s", a.status, a.body, want)
	}
	s, a := post(nil, "x")
	s.wantProblem(a, http.StatusNotFound, "not_found", false)
	s, a = post(&files{err: fmt.Errorf("keep: %w", api.ErrTooLarge)}, "x")
	s.wantProblem(a, http.StatusRequestEntityTooLarge, "too_large", false)
	s, a = post(&files{err: fmt.Errorf("%w for more", api.ErrNoRoom)}, "x")
	if p := s.wantProblem(a, http.StatusServiceUnavailable, "busy", true); p.RetryAfter != 3600 || !strings.Contains(p.Detail, "no room") {
		t.Errorf("%+v", p)
	}
	s, a = post(&files{err: errors.New("the disk fell out")}, "x")
	s.wantProblem(a, http.StatusInternalServerError, "internal", false)
}

// TestAttachLimits: a claimed length over the limit is refused before anything is read, an upload that breaks off is no
// attachment, and no more than four run at once.
func TestAttachLimits(t *testing.T) {
	f := &files{got: make(chan string), wait: make(chan struct{})}
	s := newService(t, func(_ *service, with *setup) { with.api.Files = f })
	dial := func(length int, body string) (net.Conn, *bufio.Reader) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "POST /v1/attachments HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", length, body)
		return conn, bufio.NewReader(conn)
	}
	status := func(r *bufio.Reader) int {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if _, r := dial(api.MaxAttachment+1, ""); status(r) != http.StatusRequestEntityTooLarge {
		t.Error("a length over the limit is not refused")
	}
	var waiting []*bufio.Reader
	for range 4 {
		_, r := dial(1, "x")
		waiting = append(waiting, r)
		<-f.got
	}
	if _, r := dial(1, "x"); status(r) != http.StatusServiceUnavailable {
		t.Error("a fifth upload is taken")
	}
	close(f.wait)
	for _, r := range waiting {
		if got := status(r); got != http.StatusCreated {
			t.Errorf("status %d", got)
		}
	}
	go func() { <-f.got }()
	conn, r := dial(10, "half")
	conn.(*net.TCPConn).CloseWrite()
	if got := status(r); got != http.StatusBadRequest {
		t.Errorf("status %d for half an upload", got)
	}
}
