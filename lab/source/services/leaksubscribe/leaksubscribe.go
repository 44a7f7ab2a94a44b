// Package leaksubscribe leaks as a program did before it was mended.
package leaksubscribe

import (
	"encoding/json"
	"net/http"
	"sync"
)

type Event struct{ Name string }

type Hub struct {
	mu   sync.Mutex
	subs map[chan Event]struct{}
}

func (h *Hub) Subscribe() chan Event {
	c := make(chan Event, 16)
	h.mu.Lock()
	h.subs[c] = struct{}{}
	h.mu.Unlock()
	return c
}

func (h *Hub) Unsubscribe(c chan Event) {
	h.mu.Lock()
	delete(h.subs, c)
	h.mu.Unlock()
}

func (h *Hub) Publish(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.subs {
		select {
		case c <- e:
		default:
		}
	}
}

func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := h.Subscribe() // warn not-given-back
	f, ok := w.(http.Flusher)
	if !ok {
		http.Error(w, "no stream", http.StatusNotImplemented)
		return
	}
	enc := json.NewEncoder(w)
	for {
		select {
		case e := <-c:
			if err := enc.Encode(e); err != nil {
				return
			}
			f.Flush()
		case <-r.Context().Done():
			h.Unsubscribe(c)
			return
		}
	}
}
