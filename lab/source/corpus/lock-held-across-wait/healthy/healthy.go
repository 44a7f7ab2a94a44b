// What `lock-held-across-wait` must not find.
package healthy

import (
	"net/http"
	"sync"
	"time"
)

type hub struct {
	mu   sync.Mutex
	subs []chan string
	cond *sync.Cond
	c    *http.Client
	n    int
}

func (h *hub) publish(s string) {
	h.mu.Lock()
	subs := append([]chan string(nil), h.subs...)
	h.mu.Unlock()
	for _, c := range subs {
		c <- s
	}
}

func (h *hub) try(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.subs {
		select {
		case c <- s:
		default:
		}
	}
}

func (h *hub) fetch(url string) (*http.Response, error) {
	h.mu.Lock()
	h.n++
	h.mu.Unlock()
	return h.c.Get(url)
}

func (h *hub) condition() {
	h.mu.Lock()
	for h.n == 0 {
		h.cond.Wait()
	}
	h.mu.Unlock()
}

func (h *hub) start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	go func() {
		time.Sleep(time.Second)
		h.n++
	}()
}

func (h *hub) compute() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.subs) + h.double()
}

func (h *hub) double() int { return 2 * h.n }
