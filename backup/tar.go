package backup

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

const (
	sumsName  = "SHA256SUMS"
	firstName = "backup.json"
	// maxMember bounds what is read of one member. The longest are sums, 100 bytes each of a member, and batches with many
	// transactions.
	maxMember = 64 << 20
)

// writer writes members and remembers their sums.
type writer struct {
	tar  *tar.Writer
	sums bytes.Buffer
}

func newWriter(out io.Writer) *writer { return &writer{tar: tar.NewWriter(out)} }

// tarHeader is what the archive says of a member, and nothing else.
func tarHeader(name string, size int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
}

func (w *writer) member(name string, b []byte) error {
	if len(b) > maxMember {
		return fmt.Errorf("%s: %d bytes are over the limit of %d", name, len(b), maxMember)
	}
	if name != sumsName {
		w.sums.WriteString(sumLine(name, sha256.Sum256(b)))
	}
	err := w.tar.WriteHeader(tarHeader(name, int64(len(b))))
	if err == nil {
		_, err = w.tar.Write(b)
	}
	return err
}

func sumLine(name string, sum [32]byte) string {
	return hex.EncodeToString(sum[:]) + "  " + name + "\n"
}

func (w *writer) json(name string, v any) error { return w.member(name, formatJSON(v)) }

// formatJSON is the one encoding of what parseJSON reads.
func formatJSON(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(b, '\n')
}

func (w *writer) close() error {
	if err := w.member(sumsName, w.sums.Bytes()); err != nil {
		return err
	}
	return w.tar.Close()
}

// parseJSON reads what formatJSON returns, and nothing else.
func parseJSON(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return err
	}
	if !bytes.Equal(formatJSON(v), b) {
		return fmt.Errorf("its fields are not written as this version writes them")
	}
	return nil
}
