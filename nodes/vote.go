package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// answer is what one node said.
type answer[T any] struct {
	node  *node
	value T
}

// ruling is what the answers that are in amount to.
type ruling int

const (
	open     ruling = iota // more answers are needed
	good                   // they will do, and a grace is left for more
	settled                // no further answer can change it
	hopeless               // no further answer can save it
)

// poll is one question to several nodes: set the fields above mu and run it once.
type poll[T any] struct {
	q    *Quorum
	f    func(context.Context, *node) (T, error)
	rule func(p *poll[T]) ruling // called with mu held
	// again tells whether the node may know more in a moment; nil: no.
	again func(n *node, v T, err error) bool
	// against tells whether an answer contradicts a ruling of settled; called with mu held; nil: no.
	against func(v T) bool
	// oneByOne asks the next node when those before failed, or did not answer within the grace.
	oneByOne bool
	anyChain bool // also asks nodes that did not yet name the right chain

	mu     sync.Mutex // guards what follows
	got    []answer[T]
	errs   []*nodeError
	out    int       // nodes that have not answered
	closed time.Time // when the ruling was made; zero: it is open
	last   ruling

	news chan struct{} // holds one element when an answer came
	done chan struct{} // closed with the ruling
}

// catchUp is how long a node that is a block or two behind is given to get them: blocks need about a
// second to reach everybody.
const (
	catchUp  = 2 * time.Second
	smallLag = 3 // blocks
)

// run asks the nodes and returns once there is a ruling: settled or hopeless; good, and the grace is over
// or all have answered; open, and all have answered or ctx has ended.
func (p *poll[T]) run(ctx context.Context, of []*node) ruling {
	p.out, p.news, p.done = len(of), make(chan struct{}, 1), make(chan struct{})
	started := len(of)
	if p.oneByOne {
		started = min(1, len(of))
	}
	for _, n := range of[:started] {
		go p.put(ctx, n)
	}
	var grace <-chan time.Time
	var timer *time.Timer
	wait := func() {
		if timer != nil {
			timer.Stop()
		}
		timer = time.NewTimer(p.q.cfg.Grace)
		grace = timer.C
	}
	if p.oneByOne {
		wait()
	}
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for over := false; ; {
		answered, ruled := p.decide(over && started == len(of), ctx.Err() != nil)
		switch {
		case ruled:
			return p.last
		case p.oneByOne && started < len(of) && (over || answered == started):
			go p.put(ctx, of[started])
			started++
			wait()
		case p.oneByOne && over, !p.oneByOne && p.last == good && grace == nil:
			wait()
		}
		over = false
		select {
		case <-p.news:
		case <-grace:
			over = true
		case <-ctx.Done():
		}
	}
}

// decide looks at the answers, tells how many there are, and closes the poll unless more are to be waited
// for. over says that the grace is, ended that nobody waits any more.
func (p *poll[T]) decide(over, ended bool) (answered int, ruled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = p.rule(p)
	if ruled = p.last == settled || p.last == hopeless || p.out == 0 || over && p.last == good || ended; ruled {
		p.closed = time.Now()
		close(p.done)
	}
	return len(p.got) + len(p.errs), ruled
}

// put asks one node.
func (p *poll[T]) put(ctx context.Context, n *node) {
	began := time.Now()
	timed, cancel := context.WithTimeout(ctx, p.q.cfg.Timeout)
	defer cancel()
	v, err := p.tries(timed, n, began)
	p.mu.Lock()
	defer p.mu.Unlock()
	late := !p.closed.IsZero() && time.Since(p.closed) > p.q.cfg.Grace
	n.saw(err, late, ctx.Err() != nil, p.q.cfg.Timeout)
	if !p.closed.IsZero() {
		if err == nil && p.last == settled && p.against != nil && p.against(v) {
			n.outvoted()
		}
		return
	}
	p.out--
	if err != nil {
		p.errs = append(p.errs, n.fail(err, p.q.cfg.Timeout))
	} else {
		p.got = append(p.got, answer[T]{n, v})
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// tries asks one node, again if it may know more in a moment.
func (p *poll[T]) tries(ctx context.Context, n *node, began time.Time) (v T, err error) {
	for {
		select {
		case n.open <- struct{}{}:
		default:
			select {
			case n.open <- struct{}{}:
			case <-p.done:
				return v, errDropped
			case <-ctx.Done():
				return v, ctx.Err()
			}
		}
		if !p.anyChain {
			err = p.q.vouch(ctx, n)
		}
		if err == nil {
			v, err = p.f(ctx, n)
		}
		<-n.open
		if p.again == nil || !p.again(n, v, err) || time.Since(began) > catchUp {
			return v, err
		}
		timer := time.NewTimer(p.q.cfg.Grace)
		select {
		case <-timer.C:
			continue
		case <-p.done:
		case <-ctx.Done():
		}
		timer.Stop()
		return v, err
	}
}

// saw notes what came of a question. gone says that whoever asked does not wait any more.
func (n *node) saw(err error, late, gone bool, timeout time.Duration) {
	var e *nodeError
	if err != nil {
		e = n.fail(err, timeout)
	}
	n.note(func(h *Health) {
		switch {
		case errors.Is(err, errDropped), e != nil && !e.stated && gone:
			if late {
				h.Late++
			}
			return
		case err == nil, e.stated:
			h.Up = true
			if late {
				h.Late++
			}
		default:
			h.Up = false
			h.Errors++
		}
		if err != nil {
			h.LastErr, h.LastFail = e.text, time.Now()
		}
	})
}

// vote is a question that Need of the nodes must answer the same, by key.
type vote[T any] struct {
	what     string // for errors
	of       []*node
	f        func(context.Context, *node) (T, error)
	key      func(T) string
	again    func(n *node, v T, err error) bool
	anyChain bool
}

// ask returns the first answer that Need of the nodes give. Who contradicts it is outvoted.
func (v vote[T]) ask(ctx context.Context, q *Quorum) (value T, err error) {
	var winner string
	p := &poll[T]{q: q, f: v.f, again: v.again, anyChain: v.anyChain, against: func(value T) bool { return v.key(value) != winner }}
	p.rule = func(p *poll[T]) ruling {
		k, best := largest(p.got, v.key)
		switch {
		case best >= q.cfg.Need:
			winner = k
			return settled
		case best+p.out < q.cfg.Need:
			return hopeless
		}
		return open
	}
	if p.run(ctx, v.of) != settled {
		return value, p.noQuorum(ctx, v.what, v.key)
	}
	return agreed(p.got, winner, v.key)[0], nil
}

// agreed returns the answers of those who won. The others are outvoted.
func agreed[T any](got []answer[T], winner string, key func(T) string) (values []T) {
	for _, a := range got {
		if key(a.value) == winner {
			values = append(values, a.value)
		} else {
			a.node.outvoted()
		}
	}
	return values
}

// largest returns the answer that most of them are, by key, and how many.
func largest[T any](got []answer[T], key func(T) string) (winner string, best int) {
	count := map[string]int{}
	for _, a := range got {
		k := key(a.value)
		if count[k]++; count[k] > best {
			winner, best = k, count[k]
		}
	}
	return winner, best
}

// noQuorum says who said what, and who nothing.
func (p *poll[T]) noQuorum(ctx context.Context, what string, key func(T) string) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	if p.q.Len() == 1 && len(p.errs) == 1 {
		return fmt.Errorf("%s: %w", what, alone{p.errs[0]})
	}
	camps := map[string][]string{}
	for _, a := range p.got {
		k := key(a.value)
		camps[k] = append(camps[k], a.node.Name)
	}
	var sides []string
	for _, names := range camps {
		slices.Sort(names)
		sides = append(sides, strings.Join(names, " and "))
	}
	slices.Sort(sides)
	said := "no node answers"
	if len(sides) > 0 {
		said = "there is " + strings.Join(sides, " against ")
	}
	return errors.Join(append([]error{fmt.Errorf("%s: %w: %d must, %s", what, ErrNoQuorum, p.q.cfg.Need, said)}, p.troubles()...)...)
}

// alone is the error of the only node, which is ErrNoQuorum without the word.
type alone struct{ error }

func (alone) Is(target error) bool { return target == ErrNoQuorum }
func (a alone) Unwrap() error      { return a.error }

// troubles returns why nodes did not answer.
func (p *poll[T]) troubles() (errs []error) {
	for _, e := range p.errs {
		errs = append(errs, e)
	}
	for _, n := range p.q.nodes {
		if why := p.q.wrong(n); why != "" {
			errs = append(errs, fmt.Errorf("%s is not listened to: %s", n.Name, why))
		}
	}
	return errs
}

// collect asks all nodes that are listened to and returns the answers: all that come until Need of them
// are in that are enough, and the grace is over.
func collect[T any](ctx context.Context, q *Quorum, what string, f func(context.Context, *node) (T, error), enough func([]answer[T]) bool) ([]answer[T], error) {
	p := &poll[T]{q: q, f: f}
	p.rule = func(p *poll[T]) ruling {
		switch n := len(p.got); {
		case n+p.out < q.cfg.Need:
			return hopeless
		case n >= q.cfg.Need && (p.out == 0 || enough(p.got)):
			return good
		}
		return open
	}
	if p.run(ctx, q.listened()) != good {
		return nil, p.noQuorum(ctx, what, func(T) string { return "" })
	}
	return p.got, nil
}
