package pins

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/hansard-dao/hansard/gateway"
	"github.com/hansard-dao/hansard/proofs"
)

// Options are what a URI cannot say.
type Options struct {
	Env      func(name string) string                // environment variables
	ReadFile func(path string) (b []byte, err error) // files with secrets
	Origins  func() []string                         // multiaddresses with /p2p/ at which the blocks are to be had; nil: none
}

// Embedded is the name of the embedded node, which no target may have.
const Embedded = "embedded"

var targetName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// The keys that a URI's query may have, beside name.
var queryKeys = map[string][]string{
	"kubo": {"token-env", "token-file"},
	"psa":  {"token-env", "token-file", "gateway"},
	"s3":   {"region", "credentials", "profile"},
	"dir":  {},
}

// Open reads the URI of a target; the package's documentation has examples. It connects to nothing. Secrets are in
// variables or files that the URI names. An error repeats nothing of the query, which may hold a secret by mistake.
//
// All take name, a word that tells one target from another, which everybody may see; without it the name is the kind.
func Open(uri string, o Options) (Target, error) {
	kind, rest, _ := strings.Cut(uri, ":")
	known, ok := queryKeys[kind]
	if !ok {
		return nil, errors.New("want kubo:URL, psa:URL, s3:URL or dir:PATH")
	}
	rest, raw, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: what follows the ? is not a query", kind)
	}
	for key, values := range query {
		if key != "name" && !slices.Contains(known, key) {
			return nil, fmt.Errorf("%s: %.20q is not known; known are %s", kind, key, strings.Join(append([]string{"name"}, known...), ", "))
		}
		if len(values) > 1 && key != "gateway" {
			return nil, fmt.Errorf("%s: %s stands twice", kind, key)
		}
	}
	name := kind
	if query.Has("name") {
		name = query.Get("name")
	}
	if name == Embedded || !targetName.MatchString(name) {
		return nil, fmt.Errorf("%s: want a name of a-z, 0-9 and -, at most 32 and not %q", kind, Embedded)
	}
	t, err := open(kind, name, rest, query, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return t, nil
}

func open(kind, name, rest string, query url.Values, o Options) (Target, error) {
	if kind == "dir" {
		if !filepath.IsAbs(rest) {
			return nil, errors.New("want the whole path of a directory, which is there")
		}
		return &dir{name, filepath.Clean(rest)}, nil
	}
	u, err := endpoint(rest)
	if err != nil {
		return nil, err
	}
	if kind == "s3" {
		return openS3(name, u, query, o)
	}
	token, err := secret(query, o)
	if err != nil {
		return nil, err
	}
	if token != "" && u.Scheme == "http" && !loopback(u) {
		return nil, errors.New("a token goes over https only, or to this machine")
	}
	if kind == "kubo" {
		return &kubo{name, u, token, newClient(), map[proofs.Hash]bool{}}, nil
	}
	if token == "" {
		return nil, errors.New("want token-env=VARIABLE or token-file=PATH")
	}
	var gw *gateway.Client
	if urls := query["gateway"]; len(urls) > 0 {
		if gw, err = gateway.New(urls, nil); err != nil {
			return nil, err
		}
	}
	return newPSA(name, kind+":"+u.String(), u.String(), token, o.Origins, gw), nil
}

// endpoint reads a URL without what could hold a secret.
func endpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return nil, errors.New("want a URL that begins with https:// or http:// and a host")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("want a URL without user and fragment: secrets stand in variables or files")
	}
	u.Host = strings.ToLower(u.Host)
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), ""
	return u, nil
}

func loopback(u *url.URL) bool {
	h := u.Hostname()
	return h == "localhost" || h == "::1" || strings.HasPrefix(h, "127.")
}

// secret reads the token that the query names, if it names one.
func secret(query url.Values, o Options) (token string, err error) {
	variable, file := query.Get("token-env"), query.Get("token-file")
	switch {
	case variable != "" && file != "":
		return "", errors.New("want token-env or token-file, not both")
	case variable != "":
		token = o.Env(variable)
	case file != "":
		b, err := o.ReadFile(file)
		if err != nil {
			return "", err
		}
		token = string(b)
	default:
		return "", nil
	}
	if token = strings.TrimSpace(token); token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", errors.New("the variable or file that it names holds no token")
	}
	return token, nil
}

// s3URI is the URI of a bucket.
type s3URI struct {
	host, bucket, prefix, region string
	secure                       bool
}

// openS3 takes credentials from the AWS shared credentials file that is named, or from the usual variables.
func openS3(name string, u *url.URL, query url.Values, o Options) (Target, error) {
	bucket, prefix, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if bucket == "" {
		return nil, errors.New("want https://ENDPOINT/BUCKET")
	}
	creds := credentials.NewFileAWSCredentials(query.Get("credentials"), query.Get("profile"))
	if query.Get("credentials") == "" {
		key, value := o.Env("AWS_ACCESS_KEY_ID"), o.Env("AWS_SECRET_ACCESS_KEY")
		if key == "" || value == "" {
			return nil, errors.New("want credentials=FILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment")
		}
		creds = credentials.NewStaticV4(key, value, o.Env("AWS_SESSION_TOKEN"))
	}
	return newS3(name, "s3:"+u.String(), &s3URI{
		host: u.Host, bucket: bucket, prefix: path.Clean("/" + prefix)[1:], region: query.Get("region"), secure: u.Scheme == "https",
	}, creds)
}
