// Command ticker-never-stopped has goroutines that their own timers wake for ever, and whose way out nobody can take
// any more.
package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"example.com/causes/internal/plant"
)

const every = 20 * time.Minute

// ---- a ticker and a done channel of an owner that is gone

type cache struct {
	mu    sync.Mutex
	items map[string][]byte
	done  chan struct{}
}

func newCache() *cache {
	c := &cache{items: map[string][]byte{"a": make([]byte, 1000)}, done: make(chan struct{})}
	go c.expire()
	return c
}

func (c *cache) expire() {
	plant.Here("done", "stuck")
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			c.mu.Lock()
			for k := range c.items {
				delete(c.items, k)
			}
			c.mu.Unlock()
		case <-c.done:
			return
		}
	}
}

func dones(fixed bool) {
	for i := 0; i < 3; i++ {
		c := newCache()
		if fixed {
			plant.AtEnd(func() { close(c.done) })
		}
	}
}

// ---- a ticker alone, of each session

type session struct {
	id    int
	beats int
	ended int32
}

func (s *session) heartbeat() {
	plant.Here("ranged", "stuck")
	for range time.NewTicker(every).C {
		if atomic.LoadInt32(&s.ended) != 0 {
			return
		}
		s.beats++
	}
}

func ranged(fixed bool) {
	for i := 0; i < 4; i++ {
		s := &session{id: i}
		go s.heartbeat()
		if fixed {
			plant.AtEnd(func() { atomic.StoreInt32(&s.ended, 1) })
		}
	}
}

// ---- a loop that sleeps until something that nobody sets

type job struct{ state atomic.Value }

func (j *job) wait() {
	for j.state.Load() != "done" {
		time.Sleep(every)
	}
}

func sleeps(fixed bool) {
	j := new(job)
	j.state.Store("running")
	go func() {
		plant.Here("sleeps", "stuck")
		j.wait()
	}()
	if fixed {
		plant.AtEnd(func() { j.state.Store("done") })
	}
}

// ---- time.After in a loop, and a context that nobody cancels

func poll(ctx context.Context, f func() bool) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(every):
			if f() {
				return
			}
		}
	}
}

func polls(fixed bool) {
	for i := 0; i < 3; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		if fixed {
			plant.AtEnd(cancel)
		}
		go func() {
			plant.Here("after", "stuck")
			poll(ctx, func() bool { return false })
		}()
	}
}

func main() {
	plant.Main(
		plant.Shape{Name: "done", Run: dones},
		plant.Shape{Name: "ranged", Run: ranged},
		plant.Shape{Name: "sleeps", Run: sleeps},
		plant.Shape{Name: "after", Run: polls},
	)
}
