// Package locktwins has waits under a lock that are short or meant, and beside them those that are not.
package locktwins

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

type throttle struct {
	mu    sync.Mutex
	timer *time.Timer
}

// Set drains a timer that has fired: nothing is waited for.
func (t *throttle) Set(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.timer.Stop() {
		<-t.timer.C
	}
	t.timer = time.NewTimer(d)
}

// Wait waits for the timer itself.
func (t *throttle) Wait() {
	t.mu.Lock()
	defer t.mu.Unlock()
	<-t.timer.C // warn lock-held-across-wait
}

// ServeHTTP is who waits.
func (t *throttle) ServeHTTP(http.ResponseWriter, *http.Request) { t.Wait() }

type refresher struct {
	mu      sync.Mutex
	waiters []chan error
	plain   []chan error
}

// Join gives a channel with room for its one answer.
func (r *refresher) Join() <-chan error {
	c := make(chan error, 1)
	r.mu.Lock()
	r.waiters = append(r.waiters, c)
	r.mu.Unlock()
	return c
}

// JoinPlain gives one without.
func (r *refresher) JoinPlain() <-chan error {
	c := make(chan error)
	r.mu.Lock()
	r.plain = append(r.plain, c)
	r.mu.Unlock()
	return c
}

// Tell answers all who have room for it.
func (r *refresher) Tell(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.waiters {
		w <- err // hint lock-held-across-wait
	}
	r.waiters = r.waiters[:0]
}

// TellPlain waits for each of them.
func (r *refresher) TellPlain(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.plain {
		w <- err // warn lock-held-across-wait
	}
	r.plain = nil
}

type gauges struct {
	mu    sync.Mutex
	nodes []string
}

// Export gives up after a second.
func (g *gauges) Export(out chan<- string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.nodes {
		select { // hint lock-held-across-wait
		case out <- n:
		case <-time.After(time.Second): // hint time-after-in-loop
			return
		}
	}
}

// Drip goes on after each second, under the lock that the reader needs.
func (g *gauges) Drip(ctx context.Context, out chan<- string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, n := range g.nodes { // hint config-length-loop
		select { // warn lock-held-across-wait
		case out <- n:
		case <-time.After(time.Second): // hint time-after-in-loop
			continue
		}
	}
}

// Patient waits for a minute.
func (g *gauges) Patient(out chan<- string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select { // warn lock-held-across-wait
	case out <- "first":
	case <-time.After(time.Minute):
		return
	}
}

// ServeHTTP is what requests call.
func (g *gauges) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	out := make(chan string)
	g.Drip(r.Context(), out)
	g.Patient(out)
}

type group struct {
	mu     sync.Mutex
	closed chan struct{}
}

// Consume is made to run once at a time: all that it waits for is its end.
func (g *group) Consume(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select { // hint lock-held-across-wait
	case <-g.closed:
	case <-ctx.Done():
	}
}

// Close ends it.
func (g *group) Close() { close(g.closed) }

// Fill waits under a lock that the call itself has made.
func Fill(in <-chan string) []string {
	var mu sync.Mutex
	var out []string
	go func() {
		mu.Lock()
		out = append(out, "late")
		mu.Unlock()
	}()
	mu.Lock()
	out = append(out, <-in) // hint lock-held-across-wait
	mu.Unlock()
	return out
}

type calls struct {
	mu      sync.Mutex
	replies map[uint64]chan string
}

// Ask makes a channel with room for its one reply.
func (c *calls) Ask(id uint64) <-chan string {
	reply := make(chan string, 1)
	c.mu.Lock()
	c.replies[id] = reply
	c.mu.Unlock()
	return reply
}

// Answer gives it.
func (c *calls) Answer(id uint64, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reply, ok := c.replies[id]
	if ok {
		reply <- text // hint lock-held-across-wait
		delete(c.replies, id)
	}
}

type loop struct {
	mu     sync.Mutex
	cancel context.CancelFunc
	ended  chan struct{}
}

// Run closes the channel when it ends.
func (l *loop) Run(ctx context.Context) {
	<-ctx.Done()
	close(l.ended)
}

// Restart waits for the end of what it has told to end.
func (l *loop) Restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel()
	<-l.ended // hint lock-held-across-wait
}

type link struct {
	mu   sync.Mutex
	conn net.Conn
}

// Send writes no longer than the deadline.
func (l *link) Send(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err := l.conn.Write(b) // hint lock-held-across-wait
	return err
}

type fakeLink struct {
	mu   sync.Mutex
	sent chan []byte
}

// Send stands in for a link in tests.
func (l *fakeLink) Send(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent <- b // hint lock-held-across-wait
}

// Sent is what a test reads.
func (l *fakeLink) Sent() <-chan []byte { return l.sent }
