// What `locked-again` must not find.
package healthy

import (
	"sync"
)

type store struct {
	mu    sync.RWMutex
	other sync.Mutex
	m     map[string]int
}

func (s *store) get(k string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[k]
}

func (s *store) sum(keys []string) (n int) {
	for _, k := range keys {
		n += s.get(k)
	}
	return n
}

func (s *store) upgrade(k string) {
	s.mu.RLock()
	_, ok := s.m[k]
	s.mu.RUnlock()
	if !ok {
		s.mu.Lock()
		s.m[k] = 1 // want map-only-grows
		s.mu.Unlock()
	}
}

func (s *store) nested() {
	s.other.Lock()
	defer s.other.Unlock()
	s.get("x")
}

func (s *store) lockedGet(k string) int { return s.m[k] }

func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m["n"] = s.lockedGet("x")
}

func merge(a, b *store) {
	a.mu.Lock()
	n := b.get("x")
	a.m["x"] = n
	a.mu.Unlock()
}

func (s *store) later() {
	s.mu.Lock()
	defer s.mu.Unlock()
	go s.get("x")
}

func (s *store) release() {
	s.mu.Unlock()
	s.get("y")
	s.mu.Lock()
}

func (s *store) aside() {
	s.mu.Lock()
	s.release()
	s.mu.Unlock()
}
