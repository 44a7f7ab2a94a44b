// What `locked-again` must find.
package sick

import (
	"sync"
)

type store struct {
	mu sync.RWMutex
	m  map[string]int
}

func (s *store) get(k string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[k]
}

func (s *store) sum(keys []string) (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, k := range keys {
		n += s.get(k) // want locked-again
	}
	return n
}

func (s *store) twice() int {
	s.mu.RLock()
	s.mu.RLock() // want locked-again
	n := len(s.m)
	s.mu.RUnlock()
	s.mu.RUnlock()
	return n
}

func (s *store) upgrade(k string) {
	s.mu.RLock()
	if s.m[k] == 0 {
		s.mu.Lock() // want locked-again
		s.m[k] = 1 // want map-only-grows
		s.mu.Unlock()
	}
	s.mu.RUnlock()
}

func (s *store) set(k string, v int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[k] = v
}

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.set("x", 0) // want locked-again
}

type counter struct {
	sync.Mutex
	n int
}

func (c *counter) inc() {
	c.Lock()
	defer c.Unlock()
	if c.n > 10 {
		c.Lock() // want locked-again
		c.n = 0
		c.Unlock()
	}
	c.n++
}

func (s *store) outer() {
	s.mu.Lock()
	s.middle() // want locked-again
	s.mu.Unlock()
}

func (s *store) middle() { s.set("y", 1) }
