package pins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// s3 is a bucket of any service with the API of Amazon S3. Its objects are CAR files, PREFIX/CID.car.
type s3 struct {
	name, id       string
	bucket, prefix string
	api            *minio.Client
}

const (
	s3Part  = 16 << 20 // bytes of a part, of which one is in memory at a time
	s3Tries = 2        // of one request: the keeper tries again by itself
	carType = "application/vnd.ipld.car"
)

func newS3(name, id string, u *s3URI, creds *credentials.Credentials) (*s3, error) {
	t := newClient().Transport.(limited).RoundTripper // objects are longer than answers
	api, err := minio.New(u.host, &minio.Options{
		Creds: creds, Secure: u.secure, Region: u.region, Transport: t, MaxRetries: s3Tries,
	})
	if err != nil {
		return nil, err
	}
	return &s3{name: name, id: id, bucket: u.bucket, prefix: u.prefix, api: api}, nil
}

func (s *s3) Name() string { return s.name }
func (s *s3) ID() string   { return s.id }

func (s *s3) key(c *CAR) string { return path.Join(s.prefix, c.CID()+".car") }

// Push puts the file. The service refuses a part whose MD5 is another.
func (s *s3) Push(ctx context.Context, c CAR) error {
	if _, err := c.blocks(ctx); err != nil {
		return local(err)
	}
	f, err := c.Open()
	if err != nil {
		return local(err)
	}
	defer f.Close()
	_, err = s.api.PutObject(ctx, s.bucket, s.key(&c), f, c.Size, minio.PutObjectOptions{
		ContentType: carType, SendContentMd5: true, DisableContentSha256: true, PartSize: s3Part, NumThreads: 1,
	})
	return s.explain("put", err)
}

// Check asks for the object's size, and fetches two blocks of it.
func (s *s3) Check(ctx context.Context, c CAR) (bool, error) {
	all, err := c.blocks(ctx)
	if err != nil {
		return false, local(err)
	}
	at, err := s.api.StatObject(ctx, s.bucket, s.key(&c), minio.StatObjectOptions{})
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return false, nil
	}
	if err != nil {
		return false, s.explain("head", err)
	}
	if at.Size != c.Size {
		return false, fmt.Errorf("%w: it has %d bytes and not %d", ErrDamaged, at.Size, c.Size)
	}
	for _, b := range sample(all) {
		got, err := s.read(ctx, s.key(&c), b)
		if err != nil {
			return false, s.explain("get", err)
		}
		if err := b.same(got); err != nil {
			return false, err
		}
	}
	return true, nil
}

// read fetches the bytes of a block.
func (s *s3) read(ctx context.Context, key string, b block) ([]byte, error) {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(b.offset, b.offset+int64(b.size)-1); err != nil {
		return nil, err
	}
	r, _, _, err := (minio.Core{Client: s.api}).GetObject(ctx, s.bucket, key, opts)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(io.LimitReader(r, int64(b.size)+1))
	return got, errors.Join(err, r.Close())
}

// explain makes one line of what the service says.
func (s *s3) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	var r minio.ErrorResponse
	if errors.As(err, &r) && r.Code != "" {
		return &refusal{what, r.StatusCode, r.Code + " " + r.Message}
	}
	return fmt.Errorf("%s: %w", what, plain(err))
}
