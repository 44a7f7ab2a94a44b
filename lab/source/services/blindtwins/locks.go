// Package blindtwins has what a set written by somebody else, and ten projects at first sight, taught: each true
// finding stands beside a twin that looks like it.
package blindtwins

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Registry is read by requests while somebody asks a slow peer under its lock.
type Registry struct {
	mu    sync.RWMutex
	names map[string]string
	peer  *net.Resolver
}

// Name is what everybody asks.
func (r *Registry) Name(k string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names[k]
}

// Refill keeps all of them waiting.
func (r *Registry) Refill(ctx context.Context, k string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, err := r.peer.LookupHost(ctx, k)
	if err != nil {
		return err
	}
	time.Sleep(time.Minute) // warn lock-held-across-wait
	r.names[k] = all[0]     // hint map-only-grows
	return nil
}

// Lease is taken and given back by what waits alone.
type Lease struct {
	leaseMu sync.Mutex
	pause   time.Duration
	owner   string
}

// Take waits under the lock, as whoever else wants it does.
func (l *Lease) Take(owner string) {
	l.leaseMu.Lock()
	defer l.leaseMu.Unlock()
	time.Sleep(l.pause) // hint lock-held-across-wait
	l.owner = owner
}

// Give does too.
func (l *Lease) Give() {
	l.leaseMu.Lock()
	defer l.leaseMu.Unlock()
	time.Sleep(l.pause) // hint lock-held-across-wait
	l.owner = ""
}

// Link is read under a lock that only Close takes for writing.
type Link struct {
	mu    sync.RWMutex
	pause time.Duration
	open  bool
}

// Ask waits while it is open.
func (l *Link) Ask() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	time.Sleep(l.pause) // hint lock-held-across-wait
	return l.open
}

// IsOpen asks for nothing.
func (l *Link) IsOpen() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.open
}

// Close ends it.
func (l *Link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = false
}

// Table is like Link, and is set anew while others wait.
type Table struct {
	mu    sync.RWMutex
	pause time.Duration
	rows  []string
}

// Ask waits, and a Set that comes between keeps all others out.
func (t *Table) Ask() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	time.Sleep(t.pause) // warn lock-held-across-wait
	return len(t.rows)
}

// Set is called again and again.
func (t *Table) Set(rows []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = rows
}

// ServeHTTP sets it anew.
func (t *Table) ServeHTTP(_ http.ResponseWriter, r *http.Request) { t.Set(r.Form["row"]) }

type watcher struct{ done chan int }

type slowWatcher struct{ done chan int }

// Hub tells watchers.
type Hub struct {
	mu   sync.Mutex
	all  []*watcher
	slow []*slowWatcher
	quit chan struct{}
}

// Watch adds one that has room.
func (h *Hub) Watch() <-chan int {
	w := &watcher{done: make(chan int, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all = append(h.all, w)
	return w.done
}

// WatchSlowly adds one that has none.
func (h *Hub) WatchSlowly(got chan int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.slow = append(h.slow, &slowWatcher{done: got})
}

// Tell finds room in each.
func (h *Hub) Tell(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.all {
		select { // hint lock-held-across-wait
		case w.done <- n:
		case <-h.quit:
			return
		}
	}
	h.all = nil
}

// TellSlowly waits for each.
func (h *Hub) TellSlowly(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.slow {
		w.done <- n // warn lock-held-across-wait
	}
	h.slow = nil
}

// Close drops them.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.all, h.slow = nil, nil
	close(h.quit)
}

// Limiter lets one through at a time.
type Limiter struct {
	mu   sync.Mutex
	last time.Time
	gap  time.Duration
}

// Last is asked for beside.
func (l *Limiter) Last() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Throttle waits for its turn.
func (l *Limiter) Throttle() {
	l.mu.Lock()
	defer l.mu.Unlock()
	time.Sleep(l.gap - time.Since(l.last)) // hint lock-held-across-wait
	l.last = time.Now()
}
