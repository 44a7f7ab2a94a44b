// Package secondtwins is well where projects that nobody had looked at before were said to be ill, the second time.
package secondtwins

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Rounds are told that the next may begin at once: the channel is closed for all of them.
type Rounds struct {
	skip chan struct{}
	tick *time.Ticker
}

// Run puts a word there, and no token.
func (r *Rounds) Run(ctx context.Context, always bool, round func() error) error {
	r.skip <- struct{}{}
	if always {
		close(r.skip)
	}
	for {
		select {
		case <-r.skip:
		case <-r.tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := round(); err != nil {
			return err
		}
	}
}

// Each gives rows on; of those that say that they have failed nothing is open.
func Each(ctx context.Context, db *sql.DB, query string, each func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return each(rows)
}

// Acquire waits no longer than that.
func Acquire(ctx context.Context, d time.Duration, get func(context.Context) error) error {
	of := ctx
	cancel := func() {}
	if d > 0 {
		of, cancel = context.WithTimeoutCause(context.Background(), d, sql.ErrConnDone) // hint context-not-handed-on
	}
	defer cancel()
	return get(of)
}

// Talk writes beside a loop that sets the deadline of both.
func Talk(c net.Conn) {
	done := make(chan struct{})
	defer close(done)
	go ping(c, done)
	buf := make([]byte, 512)
	for {
		c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}

func ping(c net.Conn, done <-chan struct{}) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if _, err := c.Write([]byte("ping")); err != nil {
				return
			}
		case <-done:
			return
		}
	}
}

// StoresForTesting has one store for each token that a test makes up.
type StoresForTesting struct{ byToken sync.Map }

// ServeHTTP makes it.
func (s *StoresForTesting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.byToken.Store(r.Header.Get("Authorization"), time.Now()) // hint map-only-grows
}

// Recent forgets what it has not seen for a minute.
func Recent(next http.Handler, stop <-chan struct{}) http.Handler {
	var mu sync.Mutex
	seen := map[string]time.Time{}
	go func() {
		t := time.NewTicker(time.Minute)
		defer t.Stop()
		for {
			select {
			case <-stop:
				return
			case now := <-t.C:
				mu.Lock()
				for host, at := range seen {
					if now.Sub(at) > time.Minute {
						delete(seen, host)
					}
				}
				mu.Unlock()
			}
		}
	}()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.RemoteAddr] = time.Now()
		mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

// Tally is made for each request.
func Tally(w http.ResponseWriter, r *http.Request) {
	n := map[string]int{}
	for _, w := range r.URL.Query()["w"] {
		n[w]++
	}
	w.WriteHeader(len(n))
}

// Drain has at most so many at once.
func Drain(ctx context.Context, next func(context.Context) (string, error), handle func(string) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for {
		m, err := next(ctx)
		if err != nil {
			break
		}
		g.Go(func() error { return handle(m) })
	}
	return g.Wait()
}

// Half begins by a name, and can end.
type Half struct{ quit chan struct{} }

// NewHalf begins.
func NewHalf(work func()) *Half {
	h := &Half{quit: make(chan struct{})}
	loop := func() {
		for {
			select {
			case <-h.quit:
				return
			case <-time.After(time.Second):
				work()
			}
		}
	}
	go loop()
	return h
}

// Close ends it.
func (h *Half) Close() { close(h.quit) }

// Dropped has room for its one word, whatever the declaration looks like.
func (h *Half) Dropped(all map[string]bool, name string) <-chan struct{} {
	var done = make(chan struct{}, 1)
	go func() {
		<-h.quit
		dropMu.Lock()
		defer dropMu.Unlock()
		delete(all, name)
		done <- struct{}{}
	}()
	return done
}

// Names are looked at while others are dropped.
func Names(all map[string]bool) int {
	dropMu.Lock()
	defer dropMu.Unlock()
	return len(all)
}

var dropMu sync.Mutex

// Crawl has workers that give a word for each job, and ends when all have.
func Crawl(ctx context.Context, start []string, ask func(context.Context, string) []string) {
	jobs, results := make(chan string, 1), make(chan []string, 1)
	var wg sync.WaitGroup
	wg.Add(4)
	for range 4 {
		go func() {
			defer wg.Done()
			for j := range jobs {
				one, cancel := context.WithTimeout(ctx, time.Second)
				found := ask(one, j)
				cancel()
				results <- found
			}
		}()
	}
	defer wg.Wait()
	defer close(jobs)
	open := 0
	for len(start) > 0 || open > 0 {
		var to chan string
		var next string
		if len(start) > 0 {
			to = jobs
			next = start[0]
		}
		select { // hint select-no-way-out
		case found := <-results:
			start = append(start, found...)
			open--
		case to <- next:
			open++
			start = start[1:]
		}
	}
}

// Store has tables.
type Store struct{ db *sql.DB }

// MigrateUp is not to be cut short.
func (s *Store) MigrateUp(ctx context.Context) error {
	_, err := s.db.ExecContext(ctx, "alter table t add c int")
	return err
}

// Init is given a context for the rest.
func (s *Store) Init(ctx context.Context) error {
	if err := s.MigrateUp(context.Background()); err != nil { // hint context-not-handed-on
		return err
	}
	return s.db.PingContext(ctx)
}
