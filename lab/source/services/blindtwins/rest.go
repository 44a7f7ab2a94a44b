package blindtwins

import (
	"compress/gzip"
	"context"
	"expvar"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Counts has classes of few, and users.
type Counts struct {
	mu     sync.Mutex
	class  map[int]int
	byUser map[string]int
}

// ServeHTTP counts both.
func (c *Counts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.class[len(r.URL.Path)/100]++
	c.byUser[r.Header.Get("user")]++ // warn map-only-grows
}

// ServeMetrics is for who runs the service.
func ServeMetrics(addr string) error {
	mux := http.NewServeMux()
	mux.Handle("/debug/vars", expvar.Handler())
	srv := &http.Server{Addr: addr, Handler: mux} // hint server-no-timeout
	return srv.ListenAndServe()
}

// ServeUsers is for everybody.
func ServeUsers(addr string, users http.Handler) error {
	mux := http.NewServeMux()
	mux.Handle("/debug/vars", expvar.Handler())
	mux.Handle("/users", users)
	srv := &http.Server{Addr: addr, Handler: mux} // warn server-no-timeout
	return srv.ListenAndServe()
}

// Status asks one that may hang, beside requests that have a context.
type Status struct {
	client *http.Client
	other  *http.Client
}

// NewStatus makes both.
func NewStatus() *Status {
	return &Status{
		client: &http.Client{Transport: http.DefaultTransport}, // warn client-no-timeout
		other:  &http.Client{Transport: http.DefaultTransport},
	}
}

// Healthy has no context.
func (s *Status) Healthy(url string) bool {
	resp, err := s.client.Get(url)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Fetch has one.
func (s *Status) Fetch(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.other.Do(req) // hint body-not-closed
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return b, nil
}

// Head leaves a body open where all is well but the status.
func (s *Status) Head(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := s.other.Do(req) // warn body-not-closed
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %s", resp.Status)
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body.Close()
	return b, nil
}

func keepsGoing(ctx context.Context) bool { return ctx.Value("detached") != nil }

// Copy takes another context where its own says so.
func Copy(ctx context.Context, f func(context.Context) error) error {
	if keepsGoing(ctx) {
		return f(context.Background()) // hint context-not-handed-on
	}
	return f(ctx)
}

// CopyAll forgets it.
func CopyAll(ctx context.Context, n int, f func(context.Context) error) error {
	if n > 0 {
		return f(context.Background()) // warn context-not-handed-on
	}
	return f(ctx)
}

// Unpack defers what holds nothing.
func Unpack(readers []io.Reader, use func(io.Reader) error) error {
	for _, r := range readers {
		z, err := gzip.NewReader(r)
		if err != nil {
			return err
		}
		defer z.Close() // hint defer-in-loop
		if err := use(z); err != nil {
			return err
		}
	}
	return nil
}

// Open defers what holds a descriptor.
func Open(names []string, use func(io.Reader) error) error {
	for _, n := range names {
		f, err := os.Open(n)
		if err != nil {
			return err
		}
		defer f.Close() // warn defer-in-loop
		if err := use(f); err != nil {
			return err
		}
	}
	return nil
}

// Retry waits with a timer each round.
func Retry(ctx context.Context, f func() bool) {
	for !f() {
		t := time.NewTimer(time.Second)
		defer t.Stop() // hint defer-in-loop
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Probe asks for no body.
func (s *Status) Probe(ctx context.Context, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return 0
	}
	resp, err := s.other.Do(req) // hint body-not-closed
	if err != nil {
		return 0
	}
	return resp.StatusCode
}
