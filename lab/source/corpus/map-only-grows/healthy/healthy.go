// What `map-only-grows` must not find.
package healthy

import (
	"net/http"
	"sync"
	"time"
)

var sessions = map[string]time.Time{}

func touch(id string) { sessions[id] = time.Now() }
func leave(id string) { delete(sessions, id) }

type cache struct {
	mu sync.Mutex
	m  map[string]int
}

func (c *cache) Put(k string, v int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) > 1000 {
		c.m = map[string]int{}
	}
	c.m[k] = v
}

func local(keys []string) int {
	m := map[string]bool{}
	for _, k := range keys {
		m[k] = true
	}
	return len(m)
}

type stats struct {
	mu sync.Mutex
	by map[string]int
}

func (s *stats) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.by["requests"]++
	s.mu.Unlock()
}

type level int

const (
	low level = iota
	high
)

var perLevel = map[level]int{}

func count(l level) { perLevel[l]++ }

var codecs = map[string]func(){}

func Register(name string, f func()) { codecs[name] = f }

type registry struct {
	mu sync.Mutex
	m  map[string]int
}

func (r *registry) set(k string, v int) {
	r.mu.Lock()
	r.m[k] = v
	r.mu.Unlock()
}

func (r *registry) reset() {
	r.mu.Lock()
	clear(r.m)
	r.mu.Unlock()
}
