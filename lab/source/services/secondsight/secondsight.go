// Package secondsight has what was missed in packages that nobody who wrote the rules had seen, the second time.
package secondsight

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Once keeps what it has seen of each address in the function around the handler.
func Once(next http.Handler) http.Handler {
	var mu sync.Mutex
	seen := map[string]time.Time{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		_, old := seen[host]
		if !old {
			seen[host] = time.Now() // warn map-only-grows
		}
		mu.Unlock()
		if !old {
			w.Header().Set("X-First", "true")
		}
		next.ServeHTTP(w, r)
	})
}

// counts is a part of what serves.
type counts struct {
	mu sync.Mutex
	n  map[string]*int64
}

func (c *counts) of(path string) *int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[path] == nil {
		c.n[path] = new(int64) // warn map-only-grows
	}
	return c.n[path]
}

// Counted counts requests by what they ask for.
type Counted struct {
	next   http.Handler
	counts *counts
}

// ServeHTTP counts.
func (c *Counted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	*c.counts.of(strings.ToLower(r.URL.Path))++
	c.next.ServeHTTP(w, r)
}

// Dedup is asked by handlers of other packages.
type DedupService struct{ keys sync.Map }

// IsNew says whether a request was there before.
func (d *DedupService) IsNew(r *http.Request) bool {
	_, old := d.keys.LoadOrStore(r.Header.Get("Idempotency-Key"), true) // warn map-only-grows
	return !old
}

// Listening has connections.
type ListeningServer struct {
	mu    sync.Mutex
	conns map[net.Conn]time.Time
}

// Serve keeps each that has come.
func (s *ListeningServer) Serve(l net.Listener, serve func(net.Conn)) error {
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		s.mu.Lock()
		s.conns[c] = time.Now() // hint map-only-grows
		s.mu.Unlock()
		go serve(c) // hint goroutine-unbounded
	}
}

// Points are gathered and posted.
type Points struct {
	mu  sync.Mutex
	db  *redis.Client
	buf []string
}

// Add posts under the lock, two calls further.
func (p *Points) Add(ctx context.Context, v string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = append(p.buf, v)
	if len(p.buf) < 100 {
		return nil
	}
	return p.flush(ctx) // warn lock-held-across-wait
}

func (p *Points) flush(ctx context.Context) error {
	all := strings.Join(p.buf, "\n")
	p.buf = p.buf[:0]
	return p.post(ctx, all)
}

func (p *Points) post(ctx context.Context, all string) error {
	return p.db.Set(ctx, "points", all, time.Hour).Err()
}

// Take is a handler.
func (p *Points) Take(w http.ResponseWriter, r *http.Request) {
	if err := p.Add(r.Context(), r.FormValue("v")); err != nil {
		w.WriteHeader(http.StatusBadGateway)
	}
}
