// Package secondsight has what was missed in packages that nobody who wrote the rules had seen, the second time.
package secondsight

import (
	"context"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Gauge begins its loops by names of its methods.
type Gauge struct {
	conn    net.Conn
	acks    chan uint64
	beat    *time.Ticker
	samples chan float64
}

// NewGauge begins them; Close does not end one.
func NewGauge(conn net.Conn) *Gauge {
	g := &Gauge{conn: conn, acks: make(chan uint64), beat: time.NewTicker(time.Second), samples: make(chan float64, 8)} // hint ticker-not-stopped
	loop := g.acked
	go loop()
	for _, run := range []func(){g.beats, g.sends} {
		go run()
	}
	go safely(func() {
		for { // warn goroutine-no-exit
			time.Sleep(time.Second)
			g.samples <- 1
		}
	})
	return g
}

// Close ends the connection alone.
func (g *Gauge) Close() error { return g.conn.Close() }

func (g *Gauge) acked() {
	for { // warn goroutine-no-exit
		log.Print(<-g.acks)
	}
}

func (g *Gauge) beats() {
	for { // warn goroutine-no-exit
		<-g.beat.C
		log.Print("beat")
	}
}

func (g *Gauge) sends() {
	for v := range g.samples { // hint range-never-closed
		log.Print(v)
	}
}

func safely(run func()) {
	defer func() { _ = recover() }()
	run()
}

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

// Consume starts a goroutine for each message in a group that nothing limits.
func Consume(ctx context.Context, next func(context.Context) (string, error), handle func(string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for {
		m, err := next(ctx)
		if err != nil {
			break
		}
		g.Go(func() error { return handle(m) }) // hint goroutine-unbounded
	}
	return g.Wait()
}

// Feed starts a goroutine for what finds no room.
func Feed(ctx context.Context, from <-chan string, to chan<- string) {
	for {
		select {
		case v := <-from:
			select {
			case to <- v:
			default:
				go func() { to <- v }() // warn goroutine-unbounded
			}
		case <-ctx.Done():
			return
		}
	}
}
