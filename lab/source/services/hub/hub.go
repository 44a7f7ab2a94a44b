// Package hub hands events to subscribers.
package hub

import (
	"context"
	"sync"
	"time"
)

// Event is handed on.
type Event struct{ Topic, Body string }

// Hub has subscribers that never leave.
type Hub struct {
	sync.RWMutex
	subs   map[string][]chan Event
	last   map[string]Event
	closed bool
}

// Subscribe adds one.
func (h *Hub) Subscribe(topic string) <-chan Event {
	ch := make(chan Event, 8)
	h.Lock()
	h.subs[topic] = append(h.subs[topic], ch) // want map-only-grows
	h.Unlock()
	return ch
}

// Publish sends to all under the read lock.
func (h *Hub) Publish(e Event) {
	h.RLock()
	defer h.RUnlock()
	for _, ch := range h.subs[e.Topic] {
		ch <- e // want lock-held-across-wait
	}
}

// Remember takes the write lock while the read lock is held.
func (h *Hub) Remember(e Event) {
	h.RLock()
	_, ok := h.last[e.Topic]
	if !ok {
		h.Lock() // want locked-again
		h.last[e.Topic] = e // want map-only-grows
		h.Unlock()
	}
	h.RUnlock()
}

// RememberTwice gives the first back before: healthy.
func (h *Hub) RememberTwice(e Event) {
	h.RLock()
	_, ok := h.last[e.Topic]
	h.RUnlock()
	if ok {
		return
	}
	h.Lock()
	defer h.Unlock()
	h.last[e.Topic] = e
}

// Close forgets to unlock where it was closed before.
func (h *Hub) Close() {
	h.Lock() // want lock-not-released
	if h.closed {
		return
	}
	h.closed = true
	for _, list := range h.subs {
		for _, ch := range list {
			close(ch)
		}
	}
	h.Unlock()
}

// Topics unlocks on every path: healthy.
func (h *Hub) Topics() []string {
	h.RLock()
	if len(h.subs) == 0 {
		h.RUnlock()
		return nil
	}
	out := make([]string, 0, len(h.subs))
	for t := range h.subs {
		out = append(out, t)
	}
	h.RUnlock()
	return out
}

// Sub is a subscription that can be given back.
type Sub struct {
	ch   chan Event
	done chan struct{}
	once sync.Once
}

// Each calls for each event until it is given back: healthy.
func (s *Sub) Each(f func(Event)) {
	go func() {
		for {
			select {
			case e, ok := <-s.ch:
				if !ok {
					return
				}
				f(e)
			case <-s.done:
				return
			}
		}
	}()
}

// Cancel gives it back.
func (s *Sub) Cancel() { s.once.Do(func() { close(s.done) }) }

// Forever never ends.
func (s *Sub) Forever(f func(Event)) {
	go func() {
		for { // want goroutine-no-exit
			f(<-s.ch)
		}
	}()
}

// Debounce makes a timer for each event.
func Debounce(ctx context.Context, in <-chan Event, out func(Event)) {
	var last Event
	for {
		select {
		case last = <-in:
		case <-time.After(200 * time.Millisecond): // want time-after-in-loop
			out(last)
		case <-ctx.Done():
			return
		}
	}
}

// Rate ticks for ever and cannot be stopped.
func Rate(ctx context.Context, f func()) {
	for range time.Tick(time.Second) { // want ticker-not-stopped
		if ctx.Err() != nil {
			return
		}
		f()
	}
}

// Heartbeat stops its ticker: healthy.
func Heartbeat(ctx context.Context, f func()) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			f()
		case <-ctx.Done():
			return
		}
	}
}

// Registry has two locks that are taken in two orders through a method value.
type Registry struct {
	users sync.Mutex
	rooms sync.Mutex
	n     map[string]int
	m     map[string]int
}

// Join takes users, then rooms.
func (r *Registry) Join(u, room string) {
	r.users.Lock()
	defer r.users.Unlock()
	r.rooms.Lock()
	r.m[room]++
	r.rooms.Unlock()
	r.n[u]++
}

// Leave takes rooms, then users.
func (r *Registry) Leave(u, room string) {
	r.rooms.Lock()
	defer r.rooms.Unlock()
	r.users.Lock() // want lock-order
	delete(r.n, u)
	r.users.Unlock()
	delete(r.m, room)
}
