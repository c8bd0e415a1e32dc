package storage_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/hansard-dao/hansard/proofs"
	"github.com/hansard-dao/hansard/storage"
	"github.com/hansard-dao/hansard/storage/ipfs"
)

// The fault tests of this package read these variables:
//
//	HANSARD_SEED   seed of everything random, as a run logs it; default: another each time
//	HANSARD_KILLS  how often TestKill kills and TestPowerCut cuts, or for how long: "200", "1m";
//	               default: 20 s and at least 20 times, 10 s and at least 10 times
//	HANSARD_FUSE   "required": TestPowerCut fails where FUSE is not available, instead of saying so
//	HANSARD_MOUNT  "required": TestDiskFull and TestReadOnly fail where nothing can be mounted
//
// What could not be run says "NOT RUN" and why, in the log of the test and on standard error.

// newRand returns a source from HANSARD_SEED, or from a seed that it logs.
func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if s := os.Getenv("HANSARD_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("HANSARD_SEED: %v", err)
		}
	}
	t.Logf("HANSARD_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// more returns a function that says, given how often, whether HANSARD_KILLS wants another time.
func more(t testing.TB, atLeast int, atMost time.Duration) func(int) bool {
	t.Helper()
	s := os.Getenv("HANSARD_KILLS")
	if n, err := strconv.Atoi(s); err == nil {
		return func(done int) bool { return done < n }
	}
	if s != "" {
		var err error
		if atMost, err = time.ParseDuration(s); err != nil {
			t.Fatalf("HANSARD_KILLS: %v", err)
		}
	}
	end := time.Now().Add(atMost)
	return func(done int) bool { return done < atLeast || time.Now().Before(end) }
}

// process is a running child.
type process struct {
	cmd     *exec.Cmd
	stderr  bytes.Buffer
	reached chan struct{} // closed after a number of reports
	ended   chan struct{} // closed when its standard output ended; then reports is complete
	reports []report
	err     error
	first   time.Duration // from the start to the first report; 0: none
}

func start(t testing.TB, c child, reports int) *process {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0]), reached: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.read(out, func() {
			if len(p.reports) == 1 {
				p.first = time.Since(began)
			}
			if len(p.reports) == reports {
				close(p.reached)
			}
		})
	}()
	return p
}

// read collects reports until there are no more. The last line may be cut off.
func (p *process) read(r io.Reader, each func()) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil
		}
		var rep report
		if err := json.Unmarshal(line, &rep); err != nil {
			return fmt.Errorf("report %q: %w", line, err)
		}
		p.reports = append(p.reports, rep)
		each()
	}
}

// kill ends the process, if it has not ended itself, and returns how it ended.
func (p *process) kill() (syscall.WaitStatus, error) {
	err := p.cmd.Process.Kill()
	if errors.Is(err, os.ErrProcessDone) {
		err = nil
	}
	<-p.ended
	var exit *exec.ExitError
	if wait := p.cmd.Wait(); wait != nil && !errors.As(wait, &exit) {
		err = errors.Join(err, wait)
	}
	return p.cmd.ProcessState.Sys().(syscall.WaitStatus), errors.Join(err, p.err)
}

// errBroken is wrapped by what must never be seen of a log that was answered for.
var errBroken = errors.New("the log is not what was promised")

// faultRun is one log that many children work on, one after the other.
type faultRun struct {
	t        testing.TB
	rng      *rand.Rand
	child    child  // of the next round
	dir      string // where the log is when no child works on it
	mark     string // where its mark is then; empty: none
	promised map[proofs.Hash]proofs.Promise
	busy     []string      // why messages were not taken
	startup  time.Duration // the longest that a child took to its first report

	rounds, early, reports, again, checks int
}

func newFaultRun(t testing.TB, rng *rand.Rand, dir string) *faultRun {
	mark := filepath.Join(t.TempDir(), "mark")
	return &faultRun{
		t: t, rng: rng, dir: dir, mark: mark, startup: 200 * time.Millisecond, promised: map[proofs.Hash]proofs.Promise{},
		child: child{Dir: dir, Mark: mark, Seed: rng.Uint64(), Small: rng.IntN(2) == 0, Reserve: 1 << 20},
	}
}

// start starts a child that goes on where the last one died.
func (r *faultRun) start(reports int) *process {
	r.t.Helper()
	r.rounds++
	r.child.Round++
	r.child.Messages = 300 * r.rounds
	r.child.MaxMessages = 1 + r.rng.Uint64N(64)
	r.child.MaxAge = time.Duration(1+r.rng.IntN(50)) * time.Millisecond
	return start(r.t, r.child, reports)
}

// next starts a child, waits for a random moment and returns it: in every second round while it starts.
func (r *faultRun) next() *process {
	r.t.Helper()
	p := r.start(1 + r.rng.IntN(800))
	if r.rounds%2 == 0 {
		select {
		case <-time.After(time.Duration(r.rng.Int64N(int64(r.startup)))):
		case <-p.ended:
		}
		return p
	}
	select {
	case <-p.reached:
		time.Sleep(time.Duration(r.rng.IntN(5000)) * time.Microsecond)
	case <-p.ended:
	}
	return p
}

// keep adds what the dead child reported to what was promised before.
func (r *faultRun) keep(p *process) error {
	if len(p.reports) == 0 {
		r.early++
	}
	r.startup = max(r.startup, p.first)
	r.reports += len(p.reports)
	for _, rep := range p.reports {
		if rep.Busy != "" {
			r.busy = append(r.busy, rep.Busy)
			continue
		}
		is := proofs.Promise{Index: rep.Index, Leaf: rep.Leaf, Deadline: rep.Deadline}
		was, ok := r.promised[rep.ID]
		if ok && was != is {
			return fmt.Errorf("%w: message %s was promised place %d with leaf %s until %d, and then %d, %s, %d", errBroken, rep.ID,
				was.Index, was.Leaf, was.Deadline, is.Index, is.Leaf, is.Deadline)
		}
		if ok {
			r.again++
		}
		r.promised[rep.ID] = is
	}
	return nil
}

// check opens the directory in this process and holds everything in it against what was promised. The
// error wraps errBroken.
func (r *faultRun) check() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w: %w", errBroken, err)
		}
	}()
	r.checks++
	c := r.child
	c.Dir, c.NoSync = r.dir, false
	blocks := c.blocks()
	db, err := storage.Open(c.config())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := errors.Join(checkLog(db, r.promised), r.checkMark(db)); err != nil {
		return err
	}
	node, err := ipfs.Open(ipfs.Config{Dir: blocks})
	if err != nil {
		return err
	}
	return errors.Join(checkPinned(db, node), node.Close())
}

// checkMark holds the mark against the log and what was promised: it is ahead of neither, and behind none.
func (r *faultRun) checkMark(db *storage.DB) error {
	if r.mark == "" {
		return nil
	}
	next, err := storage.MarkNext(r.mark)
	if err != nil && len(r.promised) == 0 {
		return nil // the first process may have died before there was one
	}
	if err != nil {
		return err
	}
	for id, p := range r.promised {
		if p.Index >= next {
			return fmt.Errorf("message %s was promised place %d, and the mark ends at %d", id, p.Index, next)
		}
	}
	if tail, err := db.Tail(context.Background()); err != nil || tail.Next < next {
		return fmt.Errorf("the mark ends at %d, the log at %d, %v", next, tail.Next, err)
	}
	return nil
}

// checkPinned reads back what is pinned of each batch that has a CID.
func checkPinned(db *storage.DB, node *ipfs.Node) error {
	ctx := context.Background()
	tail, err := db.Tail(ctx)
	if err != nil {
		return err
	}
	for number := range tail.Batches {
		s, err := db.Batch(ctx, number)
		if err != nil {
			return err
		}
		if s.CID.IsZero() {
			continue
		}
		if held, err := node.Pinned(ctx, s.CID); !held || err != nil {
			return fmt.Errorf("batch %d has a CID: pinned %v, %v", number, held, err)
		}
		b, err := node.Get(ctx, s.CID)
		if err != nil {
			return fmt.Errorf("batch %d: %w", number, err)
		}
		m, err := proofs.ParseManifest(b)
		if err != nil || m.Number != number || m.Root != s.Root || m.First != s.First || m.Size != s.Size {
			return fmt.Errorf("batch %d: manifest %+v, %v, want %+v", number, m, err, s)
		}
		for _, chunk := range m.Chunks {
			if _, err := node.Get(ctx, chunk); err != nil {
				return fmt.Errorf("batch %d: %w", number, err)
			}
		}
	}
	return nil
}

// killRound runs a child, kills it and checks the directory; sometimes the next child has to start from
// what this one left.
func (r *faultRun) killRound() error {
	p := r.next()
	status, err := p.kill()
	if err != nil {
		return err
	}
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("the process ended before it was killed: %s", p.stderr.Bytes())
	}
	if err := r.keep(p); err != nil {
		return err
	}
	if len(r.busy) > 0 {
		return fmt.Errorf("a message was not taken: %s", r.busy[0])
	}
	if r.rng.IntN(2) == 0 {
		return nil
	}
	return r.check()
}

// A log grows for so many rounds: then the next begins with an empty directory.
const roundsPerLog = 12

// TestKill kills a process at random moments while it starts, takes messages, seals and pins batches.
// Whatever was answered stays: no message is lost, has another index or two leaves, and the same message
// again gets the same promise.
func TestKill(t *testing.T) {
	rng := newRand(t)
	sum := soak(t, more(t, 20, 20*time.Second), func() (*faultRun, func() error) {
		r := newFaultRun(t, rng, t.TempDir())
		return r, r.killRound
	})
	t.Logf("kill -9: %s", sum)
}

// soak runs as many rounds as are wanted, on one log after the other, and says what happened in them.
func soak(t *testing.T, wanted func(int) bool, newLog func() (*faultRun, func() error)) string {
	t.Helper()
	var sum faultRun
	logs, messages := 0, 0
	for wanted(sum.rounds) {
		r, round := newLog()
		for r.rounds < roundsPerLog && wanted(sum.rounds+r.rounds) {
			if err := round(); err != nil {
				t.Fatalf("log %d, round %d: %v", logs, r.rounds, err)
			}
		}
		if err := r.check(); err != nil {
			t.Fatalf("log %d, after round %d: %v", logs, r.rounds, err)
		}
		logs, messages = logs+1, messages+len(r.promised)
		sum.rounds += r.rounds
		sum.early += r.early
		sum.reports += r.reports
		sum.again += r.again
		sum.checks += r.checks
	}
	if sum.reports == 0 {
		t.Error("no process lived to give an answer")
	}
	return fmt.Sprintf("%d times, %d before the first answer; %d answers, %d of them again; %d messages in %d logs, checked %d times",
		sum.rounds, sum.early, sum.reports, sum.again, messages, logs, sum.checks)
}

// finds runs rounds until one fails as it has to. Not every moment shows the fault.
func (r *faultRun) finds(t *testing.T, round func() error) {
	t.Helper()
	for r.rounds < 4*roundsPerLog {
		err := round()
		if err == nil {
			err = r.check()
		}
		if errors.Is(err, errBroken) {
			t.Logf("found in round %d: %v", r.rounds, err)
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%d rounds did not find it", r.rounds)
}

// TestKillFinds is TestKill on processes that claim too much: it has to fail.
func TestKillFinds(t *testing.T) {
	for name, fault := range map[string]func(*child){
		"answers before the write": func(c *child) { c.Early, c.Mark = true, "" },
		"answers without the mark": func(c *child) { c.NoMark = true },
		"CID before the pin":       func(c *child) { c.EarlyPin = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := newFaultRun(t, newRand(t), t.TempDir())
			fault(&r.child)
			if r.child.Mark == "" {
				r.mark = ""
			}
			r.finds(t, r.killRound)
		})
	}
}
