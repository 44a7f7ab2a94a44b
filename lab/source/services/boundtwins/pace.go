package boundtwins

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"example.org/oauth"
	"example.org/timers"
)

// Limiter keeps a pace.
type Limiter struct {
	mu     sync.Mutex
	budget int
	stop   chan struct{}
}

// Register waits for the next second.
func (l *Limiter) Register(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.budget <= 0 {
		t := timers.Get(time.Second)
		<-t.C // hint lock-held-across-wait
		l.budget += 10
	}
	l.budget -= n
}

// Budget is asked for beside.
func (l *Limiter) Budget() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.budget
}

// Group is a group to which may be added while somebody waits.
type Group struct {
	wg sync.WaitGroup
	mu sync.Mutex
}

// Add waits for who waits.
func (g *Group) Add() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wg.Add(1)
}

// Wait keeps others from adding.
func (g *Group) Wait() {
	g.mu.Lock()
	g.wg.Wait() // hint lock-held-across-wait
	g.mu.Unlock()
}

// Flush waits for all by the way.
func (g *Group) Flush() {
	g.mu.Lock()
	g.wg.Wait() // warn lock-held-across-wait
	g.mu.Unlock()
}

// WaitAndBlock is for the end.
func (g *Group) WaitAndBlock(last *sync.Mutex) {
	last.Lock() // hint lock-not-released
	g.wg.Wait() // hint lock-held-across-wait

	// Do not unlock it, so that nobody goes on.
}

type scraper struct {
	cancel  context.CancelFunc
	stopped chan struct{}
}

// Scrapers are exchanged while they run.
type Scrapers struct {
	mu  sync.Mutex
	all map[string]*scraper
}

// Replace waits for the end of those that it has told to end.
func (s *Scrapers) Replace(keep map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stopped []<-chan struct{}
	for name, one := range s.all {
		if !keep[name] {
			one.cancel()
			stopped = append(stopped, one.stopped)
			delete(s.all, name)
		}
	}
	for _, c := range stopped {
		<-c // hint lock-held-across-wait
	}
}

// Peers has room for all of them.
func (s *Scrapers) Peers() <-chan string {
	var total int
	s.mu.Lock()
	defer s.mu.Unlock()
	total = len(s.all)
	names := make(chan string, total)
	for name := range s.all {
		names <- name
	}
	close(names)
	return names
}

// Token gives its client to a context, by a name.
func Token(cfg *oauth.Config, rt http.RoundTripper) context.Context {
	c := &http.Client{Transport: wrap(rt)} // hint client-no-timeout
	return context.WithValue(context.Background(), oauth.Client, c)
}

func wrap(rt http.RoundTripper) http.RoundTripper { return rt }

// Greet writes one line.
func Greet(l net.Listener) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conn, "hello\r\n") // hint conn-no-deadline
	return err
}

// Done waits for as long as its first result takes to come.
func Done(peers []string, results <-chan error) int {
	var ticker *time.Ticker
	n := 0
	for n < len(peers) {
		if err := <-results; err == nil && ticker == nil {
			ticker = time.NewTicker(time.Second)
			defer ticker.Stop()
		}
		n++
	}
	return n
}

// Events are read all the while, and have some room.
type Events struct {
	mu    sync.Mutex
	room  chan string
	plain chan string
	names []string
}

// NewEvents makes one with room and one without.
func NewEvents() *Events {
	return &Events{room: make(chan string, 10), plain: make(chan string)}
}

// Tell waits only when the room is full.
func (e *Events) Tell(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.room <- s // hint lock-held-across-wait
}

// TellPlain waits for whoever reads.
func (e *Events) TellPlain(s string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plain <- s // warn lock-held-across-wait
}

// Ask dials a file of this machine.
func (e *Events) Ask(ctx context.Context) (net.Conn, error) {
	return net.Dial("unix", "/run/events.sock")
}

// AskFar dials another one.
func (e *Events) AskFar(ctx context.Context) (net.Conn, error) {
	return net.Dial("tcp", "events:80") // warn context-not-handed-on dial-no-timeout
}

// ServeHTTP makes what it serves, and remembers names where it is given none.
func (e *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.inner(w, r.URL.Query()["name"]...)
}

func (e *Events) inner(w http.ResponseWriter, filters ...string) {
	if len(filters) == 0 {
		for _, n := range []string{"a", "b"} {
			e.names = append(e.names, n) // hint append-never-cleared
		}
	}
	fmt.Fprintln(w, len(filters))
}
