// Package unseen has what was missed in packages that nobody who wrote the rules had seen.
package unseen

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"

	"github.com/jmoiron/sqlx"
	"golang.org/x/sync/errgroup"
)

// rules are read when the program starts.
var rules = map[string]string{}

// check compiles what is the same each time.
func check(w http.ResponseWriter, r *http.Request) {
	pattern, ok := rules[r.URL.Query().Get("kind")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	re, err := regexp.Compile("^" + pattern + "$") // warn rebuilt-per-request
	if err != nil {
		http.Error(w, "pattern", http.StatusInternalServerError)
		return
	}
	if !re.MatchString(r.URL.Query().Get("value")) {
		w.WriteHeader(http.StatusBadRequest)
	}
}

// find compiles what comes with the request.
func find(w http.ResponseWriter, r *http.Request) {
	re, err := regexp.Compile(r.URL.Query().Get("pattern"))
	if err == nil && re.MatchString("all") {
		w.WriteHeader(http.StatusNoContent)
	}
}

// Conn is given back by its Release.
type Conn struct{ of *Pool }

// Pool has some places.
type Pool struct {
	places chan struct{}
	dial   func(context.Context) error
	closed func() bool
}

// Get keeps the place where nobody gets a Conn.
func (p *Pool) Get(ctx context.Context) (*Conn, error) {
	select {
	case p.places <- struct{}{}: // warn not-given-back
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if p.closed() {
		<-p.places
		return nil, errors.New("closed")
	}
	if err := p.dial(ctx); err != nil {
		return nil, errors.New("dial")
	}
	return &Conn{of: p}, nil
}

// Try gives the place back wherever it fails.
func (p *Pool) Try(ctx context.Context) (*Conn, error) {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := p.dial(ctx); err != nil {
		<-p.places
		return nil, err
	}
	return &Conn{of: p}, nil
}

// Release gives the place back.
func (c *Conn) Release() { <-c.of.places }

// Run gives it back where all went well.
func (p *Pool) Run(ctx context.Context) error {
	p.places <- struct{}{} // warn not-given-back
	if err := p.dial(ctx); err != nil {
		return err
	}
	<-p.places
	return nil
}

// Budget has a number.
type Budget interface {
	Acquire(n int64) bool
	Release(n int64)
}

// Spend does not give back what a failure has taken.
func Spend(b Budget, n int64, work func() error) error {
	if !b.Acquire(n) { // warn not-given-back
		return errors.New("busy")
	}
	if err := work(); err != nil {
		return err
	}
	b.Release(n)
	return nil
}

// Heads has the beginning of each file.
type Heads struct{ of sync.Map }

// Put keeps the whole for its beginning.
func (h *Heads) Put(name string, r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	h.of.Store(name, body[:min(len(body), 512)]) // warn slice-kept
	return nil
}

// Drop takes one away.
func (h *Heads) Drop(name string) { h.of.Delete(name) }

// Revoked has what is not to be taken.
type Revoked struct {
	mu  sync.Mutex
	all map[string]bool
}

// Reload keeps the whole file for the keys in it.
func (v *Revoked) Reload(name string) error {
	raw, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	next := map[string]bool{}
	for _, line := range strings.Split(string(raw), "\n") {
		cols := strings.SplitN(line, ";", 4)
		next[cols[0]] = true // warn slice-kept
	}
	v.mu.Lock()
	v.all = next
	v.mu.Unlock()
	return nil
}

// Mirror ends with the first error: who sends waits for ever then, and who receives too.
func Mirror(ctx context.Context, keys []string, fetch func(string) (string, error), put func(string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	objects := make(chan string)
	g.Go(func() error {
		for _, k := range keys {
			o, err := fetch(k)
			if err != nil {
				return err
			}
			objects <- o // warn send-abandoned
		}
		close(objects)
		return nil
	})
	g.Go(func() error {
		for o := range objects { // warn range-never-closed
			if err := put(o); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	return g.Wait()
}

// MirrorAll closes in any case, and sends with a way out.
func MirrorAll(ctx context.Context, keys []string, fetch func(string) (string, error), put func(string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	objects := make(chan string)
	g.Go(func() error {
		defer close(objects)
		for _, k := range keys {
			o, err := fetch(k)
			if err != nil {
				return err
			}
			select {
			case objects <- o:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	g.Go(func() error {
		for o := range objects {
			if err := put(o); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// Store counts under its lock.
type Store struct {
	mu  sync.Mutex
	all map[string]int
}

func (s *Store) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f() // hint lock-held-across-wait
}

// Count takes the lock.
func (s *Store) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// Report counts while the lock is held for it.
func (s *Store) Report() (n int) {
	s.with(func() {
		n = s.Count() // warn locked-again
	})
	return n
}

// Grow counts in a literal that is run under the lock.
func (s *Store) Grow() {
	s.mu.Lock()
	defer s.mu.Unlock()
	each := func(f func(string)) {
		for k := range s.all {
			f(k)
		}
	}
	each(func(k string) {
		s.all[k] += s.Count() // warn locked-again // hint map-only-grows
	})
}

// Consumer has places for what it works on.
type Consumer struct {
	slots chan struct{}
	next  func(context.Context) (string, error)
	work  func(string)
	audit func(string)
}

func (c *Consumer) acquire() { c.slots <- struct{}{} }

func (c *Consumer) process(m string) {
	defer func() { <-c.slots }()
	c.work(m)
}

// Run bounds one of the two that it starts.
func (c *Consumer) Run(ctx context.Context) error {
	for {
		m, err := c.next(ctx)
		if err != nil {
			return err
		}
		c.acquire()
		go c.process(m)
		go func() { // warn goroutine-unbounded
			c.audit(m)
		}()
	}
}

// Flush sends as many as there are to a channel that has room for some.
func Flush(names []string) []string {
	c := make(chan string, 8)
	for _, n := range names {
		c <- n // warn channel-one-sided
	}
	close(c)
	var out []string
	for n := range c {
		out = append(out, n)
	}
	return out
}

// Client has no timeout.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes one.
func NewClient(base string) *Client { return &Client{base: base, http: new(http.Client)} } // warn client-no-timeout

// Ping asks.
func (c *Client) Ping() error {
	resp, err := c.http.Get(c.base)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// Pay has a context, and does not hand it on.
func Pay(ctx context.Context, db *sqlx.DB, id int) error {
	_, err := db.Exec("update invoices set paid = true where id = ?", id) // warn context-not-handed-on
	return err
}

// Intake ends by a signal, and starts a goroutine for each message meanwhile.
func Intake(messages <-chan []byte, handle func([]byte)) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	for {
		select {
		case <-stop:
			return
		case m := <-messages:
			go handle(m) // warn goroutine-unbounded
		}
	}
}
