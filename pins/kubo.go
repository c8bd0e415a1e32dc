package pins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/hansard-dao/hansard/proofs"
)

// kubo is an IPFS node with Kubo's RPC API.
//
// Each block is pinned by itself: a recursive pin of a manifest walks every batch before it, so that the n-th would read n
// batches. Kubo is told to be offline in each call, since a block that it lacks is to be sent, not searched for.
type kubo struct {
	name  string
	base  *url.URL
	token string // empty: none
	http  *http.Client

	damaged map[proofs.Hash]bool // batches of which Check found something else
}

func (k *kubo) Name() string { return k.name }
func (k *kubo) ID() string   { return "kubo:" + k.base.String() }

// maxArgs is how many CIDs go into one call: some 15 kB of its URL.
const maxArgs = 200

// call posts to a command of the API. Its stream may end in an error, which is returned as that of a read.
func (k *kubo) call(ctx context.Context, command string, args url.Values, contentType string, in io.Reader) (io.ReadCloser, error) {
	u := k.base.JoinPath("api", "v0", command)
	args.Set("offline", "true")
	u.RawQuery = args.Encode()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), in)
	if err != nil {
		return nil, plain(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", contentType)
	}
	if k.token != "" {
		r.Header.Set("Authorization", "Bearer "+k.token)
	}
	resp, err := k.http.Do(r)
	if err != nil {
		return nil, plain(err)
	}
	if resp.StatusCode == http.StatusOK {
		return &stream{resp}, nil
	}
	defer resp.Body.Close()
	var why struct{ Message string }
	b, _ := io.ReadAll(io.LimitReader(resp.Body, maxBlock)) // what is missing of an error is not missed
	if json.Unmarshal(b, &why) != nil {
		why.Message = string(b)
	}
	return nil, &refusal{command, resp.StatusCode, why.Message}
}

// refusal is an answer of a target that is not 200.
type refusal struct {
	what    string
	status  int
	message string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s: it answers with status %d: %s", r.what, r.status, said(r.message))
}

// stream is an answer of Kubo, which may fail after the status was sent.
type stream struct{ *http.Response }

func (s *stream) Close() error { return s.Body.Close() }

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Body.Read(p)
	if errors.Is(err, io.EOF) {
		if why := s.Trailer.Get("X-Stream-Error"); why != "" {
			err = fmt.Errorf("it answers with an error after status 200: %s", said(why))
		}
	} else if err != nil {
		err = plain(err)
	}
	return n, err
}

// Push imports the file and pins each of its blocks. Kubo writes no block that it believes to have, so that what Check found
// damaged is removed first.
func (k *kubo) Push(ctx context.Context, c CAR) error {
	all, err := c.blocks(ctx)
	if err != nil {
		return local(err)
	}
	if k.damaged[c.Root] {
		if err := k.remove(ctx, all); err != nil {
			return fmt.Errorf("remove what is damaged: %w", err)
		}
		delete(k.damaged, c.Root)
	}
	if err := k.load(ctx, c, len(all)); err != nil {
		return err
	}
	for part := range slices.Chunk(all, maxArgs) {
		err := k.pin(ctx, c, part)
		if isAlready(err) {
			err = nil
			for i := range part {
				if e := k.pin(ctx, c, part[i:i+1]); !isAlready(e) {
					err = errors.Join(err, e)
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove unpins and removes blocks, those that are there. A block that somebody else pins is refused.
func (k *kubo) remove(ctx context.Context, all []block) error {
	for i := range all {
		one := url.Values{"arg": cids(all[i : i+1])}
		held, err := k.pinned(ctx, all[i:i+1], "direct")
		if held {
			err = k.do(ctx, "pin/rm", url.Values{"recursive": {"false"}, "arg": one["arg"]})
		}
		if err != nil {
			return err
		}
		one.Set("force", "true") // no error for those that are gone
		if err := k.do(ctx, "block/rm", one); err != nil {
			return err
		}
	}
	return nil
}

// do runs a command of whose answer only an error matters: that of block/rm has status 200.
func (k *kubo) do(ctx context.Context, command string, args url.Values) error {
	out, err := k.call(ctx, command, args, "", nil)
	if err != nil {
		return err
	}
	defer out.Close()
	for d := json.NewDecoder(out); ; {
		var line struct{ Error string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: read the answer: %w", command, err)
		}
		if line.Error != "" {
			return fmt.Errorf("%s: it answers with status 200 and an error: %s", command, said(line.Error))
		}
	}
}

// isAlready reports whether a block is held by a recursive pin of somebody.
func isAlready(err error) bool {
	var r *refusal
	return errors.As(err, &r) && strings.Contains(r.message, "already pinned recursively")
}

func (k *kubo) pin(ctx context.Context, c CAR, part []block) error {
	return k.do(ctx, "pin/add", url.Values{"recursive": {"false"}, "name": {c.Name}, "arg": cids(part)})
}

func cids(part []block) (texts []string) {
	for _, b := range part {
		texts = append(texts, b.cid.String())
	}
	return texts
}

// load sends the file. Kubo says 200 before it is done, and what went wrong in the answer.
func (k *kubo) load(ctx context.Context, c CAR, blocks int) error {
	f, err := c.Open()
	if err != nil {
		return local(err)
	}
	defer f.Close()
	in, out := io.Pipe()
	form := multipart.NewWriter(out)
	go func() {
		part, err := form.CreatePart(textproto.MIMEHeader{
			"Content-Disposition": {`form-data; name="file"; filename="batch.car"`}, "Content-Type": {"application/octet-stream"},
		})
		if err == nil {
			_, err = io.Copy(part, f)
		}
		out.CloseWithError(errors.Join(err, form.Close()))
	}()
	answer, err := k.call(ctx, "dag/import", url.Values{"pin-roots": {"false"}, "stats": {"true"}}, form.FormDataContentType(), in)
	in.CloseWithError(errors.New("the target does not read on"))
	if err != nil {
		return err
	}
	defer answer.Close()
	var stats *struct{ BlockCount int }
	for d := json.NewDecoder(answer); ; {
		var line struct {
			Root  *struct{ PinErrorMsg string }
			Stats *struct{ BlockCount int }
		}
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("dag/import: read the answer: %w", err)
		}
		if line.Root != nil && line.Root.PinErrorMsg != "" {
			return fmt.Errorf("dag/import: it answers with status 200 and an error: %s", said(line.Root.PinErrorMsg))
		}
		if line.Stats != nil {
			stats = line.Stats
		}
	}
	switch {
	case stats == nil:
		return errors.New("dag/import: the answer ends before it says what was read")
	case stats.BlockCount != blocks:
		return fmt.Errorf("dag/import: it read %d blocks of %d", stats.BlockCount, blocks)
	}
	return nil
}

// Check asks whether every block is pinned, and fetches two of them. Kubo's pins do not show that the blocks are there.
func (k *kubo) Check(ctx context.Context, c CAR) (bool, error) {
	held, err := k.check(ctx, c)
	if errors.Is(err, ErrDamaged) && !errors.Is(err, errLocal) {
		k.damaged[c.Root] = true
	}
	return held, err
}

func (k *kubo) check(ctx context.Context, c CAR) (bool, error) {
	all, err := c.blocks(ctx)
	if err != nil {
		return false, local(err)
	}
	for part := range slices.Chunk(all, maxArgs) {
		held, err := k.pinned(ctx, part, "direct")
		if err == nil && !held {
			held, err = k.pinnedByOthers(ctx, part)
		}
		if err != nil || !held {
			return false, err
		}
	}
	for _, b := range sample(all) {
		out, err := k.call(ctx, "block/get", url.Values{"arg": {b.cid.String()}}, "", nil)
		if err != nil {
			return false, damagedIf(isGone(err), err)
		}
		got, err := io.ReadAll(io.LimitReader(out, maxBlock+1))
		if err := errors.Join(err, out.Close()); err != nil {
			return false, err
		}
		if err := b.same(got); err != nil {
			return false, err
		}
	}
	return true, nil
}

// isGone reports whether Kubo says that it lacks a block, or that what it has is not the block.
func isGone(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusInternalServerError
}

func damagedIf(damaged bool, err error) error {
	if damaged {
		return fmt.Errorf("%w: it is pinned and not there: %w", ErrDamaged, err)
	}
	return err
}

// pinned asks whether all of them have a pin of that type.
func (k *kubo) pinned(ctx context.Context, part []block, kind string) (bool, error) {
	out, err := k.call(ctx, "pin/ls", url.Values{"type": {kind}, "arg": cids(part)}, "", nil)
	var r *refusal
	if errors.As(err, &r) && strings.Contains(r.message, "is not pinned") {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer out.Close()
	var answer struct {
		Keys map[string]struct{ Type string }
	}
	if err := json.NewDecoder(out).Decode(&answer); err != nil {
		return false, fmt.Errorf("pin/ls: read the answer: %w", err)
	}
	for _, b := range part {
		if answer.Keys[b.cid.String()].Type != kind {
			return false, nil
		}
	}
	return true, nil
}

// pinnedByOthers asks one by one, as a block that somebody pinned recursively gets no pin of ours.
func (k *kubo) pinnedByOthers(ctx context.Context, part []block) (bool, error) {
	for i := range part {
		held, err := k.pinned(ctx, part[i:i+1], "direct")
		if err == nil && !held {
			held, err = k.pinned(ctx, part[i:i+1], "recursive")
		}
		if err != nil || !held {
			return false, err
		}
	}
	return true, nil
}

// Warn says so if the node does not sync what it stores: then a power cut leaves pins of blocks that are empty.
func (k *kubo) Warn(ctx context.Context) string {
	out, err := k.call(ctx, "config/show", url.Values{}, "", nil)
	if err != nil {
		return "" // a proxy in front may let only some commands through
	}
	defer out.Close()
	var config struct {
		Datastore struct{ Spec any }
	}
	if json.NewDecoder(out).Decode(&config) != nil || !unsynced(config.Datastore.Spec) {
		return ""
	}
	return "its flatfs has sync off, Kubo's default: a power cut may leave pins of blocks that are not there; set Datastore.Spec's \"sync\" to true"
}

// unsynced looks for a flatfs that does not sync.
func unsynced(spec any) bool {
	switch v := spec.(type) {
	case []any:
		return slices.ContainsFunc(v, unsynced)
	case map[string]any:
		if v["type"] == "flatfs" && v["sync"] == false {
			return true
		}
		for _, below := range v {
			if unsynced(below) {
				return true
			}
		}
	}
	return false
}
