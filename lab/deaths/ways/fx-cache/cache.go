package main

import (
	"sync"
	"time"
)

type point struct{ days, rate float64 }

type curve struct {
	pair   string
	points []point
}

type cache struct {
	mu     sync.Mutex
	curves map[string]*curve
	ttl    time.Duration
}

func (c *cache) get(pair string) *curve {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.curves[pair]
}

// set keeps a curve until its time to live is over, if it is not replaced before.
func (c *cache) set(pair string, v *curve) {
	c.mu.Lock()
	c.curves[pair] = v
	c.mu.Unlock()
	time.AfterFunc(c.ttl, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.curves[pair] == v {
			delete(c.curves, pair)
		}
	})
}
