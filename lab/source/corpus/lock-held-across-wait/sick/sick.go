// What `lock-held-across-wait` must find.
package sick

import (
	"context"
	"database/sql"
	"net/http"
	"sync"
	"time"
)

type hub struct {
	mu   sync.Mutex
	rw   sync.RWMutex
	subs []chan string
	log  chan string
	db   *sql.DB
	c    *http.Client
}

func (h *hub) publish(s string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.subs {
		c <- s // want lock-held-across-wait
	}
}

func (h *hub) fetch(url string) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.c.Get(url) // want lock-held-across-wait
}

func (h *hub) pause() {
	h.mu.Lock()
	time.Sleep(time.Second) // want lock-held-across-wait
	h.mu.Unlock()
}

func (h *hub) next() string {
	h.rw.RLock()
	defer h.rw.RUnlock()
	return <-h.log // want lock-held-across-wait
}

func (h *hub) count(ctx context.Context) (n int) {
	h.mu.Lock()
	h.db.QueryRowContext(ctx, "select 1").Scan(&n) // want lock-held-across-wait
	h.mu.Unlock()
	return n
}

func (h *hub) wait(wg *sync.WaitGroup) {
	h.mu.Lock()
	wg.Wait() // want lock-held-across-wait
	h.mu.Unlock()
}

func (h *hub) each(f func(chan string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.subs {
		f(c) // want lock-held-across-wait
	}
}

func (h *hub) choose(done chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	select { // want lock-held-across-wait
	case h.log <- "x":
	case <-done:
	}
}
