// What `not-given-back` must find.
package sick

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

type fetcher struct {
	slots chan struct{}
	http  *http.Client
}

func (f *fetcher) fetch(ctx context.Context, url string, into any) error {
	f.slots <- struct{}{} // want not-given-back
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(into)
	<-f.slots
	return err
}

var running = make(chan bool, 8)

func run(name string, work func(string) error) error {
	running <- true // want not-given-back
	if name == "" {
		return errors.New("no name")
	}
	err := work(name)
	<-running
	return err
}

type request struct{ addr string }

type manager struct {
	mu      sync.Mutex
	pending map[string]*request
	conns   map[string]net.Conn
}

func (m *manager) connect(ctx context.Context, id, addr string) error {
	m.mu.Lock()
	m.pending[id] = &request{addr: addr} // want not-given-back
	m.mu.Unlock()
	d := net.Dialer{Timeout: 5 * time.Second}
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pending, id)
	m.conns[id] = c
	return nil
}

func (m *manager) drop(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, id)
}

type event struct{ name string }

type hub struct {
	mu   sync.Mutex
	subs map[chan event]bool
}

func (h *hub) Subscribe() chan event {
	c := make(chan event, 16)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs[c] = true
	return c
}

func (h *hub) Unsubscribe(c chan event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.subs, c)
}

func (h *hub) serve(w http.ResponseWriter, r *http.Request) {
	c := h.Subscribe() // want not-given-back
	enc := json.NewEncoder(w)
	for {
		select {
		case e := <-c:
			if err := enc.Encode(e.name); err != nil {
				return
			}
		case <-r.Context().Done():
			h.Unsubscribe(c)
			return
		}
	}
}

func (h *hub) first(ctx context.Context) (string, error) {
	c := h.Subscribe() // want not-given-back
	select {
	case e := <-c:
		h.Unsubscribe(c)
		return e.name, nil
	case <-ctx.Done():
		return "", fmt.Errorf("no event: %w", ctx.Err())
	}
}

type lease struct{ n int }

func (l *lease) Acquire(ctx context.Context, n int) error { return ctx.Err() }

func (l *lease) Release(n int) {}

func (l *lease) copyAll(ctx context.Context, names []string, one func(string) error) error {
	if err := l.Acquire(ctx, 1); err != nil { // its error tells that nothing was taken
		return err
	}
	return nil
}

func copyOne(ctx context.Context, l *lease, name string, one func(string) error) error {
	err := l.Acquire(ctx, 1) // want not-given-back
	if err != nil {
		return err
	}
	if name == "" {
		return errors.New("no name")
	}
	err = one(name)
	l.Release(1)
	return err
}
