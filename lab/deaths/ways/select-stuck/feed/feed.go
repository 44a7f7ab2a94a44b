// Package feed hands news to subscribers.
package feed

import "sync"

// Hub knows who wants news.
type Hub struct {
	mu   sync.Mutex
	subs map[*Subscriber]bool
}

// Subscriber is one who wants news.
type Subscriber struct {
	news   chan string
	quit   chan struct{}
	window []string
}

// NewHub makes one.
func NewHub() *Hub { return &Hub{subs: map[*Subscriber]bool{}} }

// Subscribe adds one.
func (h *Hub) Subscribe() *Subscriber {
	s := &Subscriber{news: make(chan string), quit: make(chan struct{})}
	h.mu.Lock()
	h.subs[s] = true
	h.mu.Unlock()
	return s
}

// Drop forgets one, and forgets to close quit.
func (h *Hub) Drop(s *Subscriber) {
	h.mu.Lock()
	delete(h.subs, s)
	h.mu.Unlock()
}

// Serve hands on news until the end.
func (s *Subscriber) Serve() {
	s.window = newWindow(16 << 10)
	for {
		select {
		case n := <-s.news:
			s.window = append(s.window[1:], n)
		case <-s.quit:
			return
		}
	}
}

//go:noinline
func newWindow(n int) []string {
	w := make([]string, n)
	for i := range w {
		w[i] = "nothing yet"
	}
	return w
}
