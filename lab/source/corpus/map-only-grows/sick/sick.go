// What `map-only-grows` must find.
package sick

import (
	"net/http"
	"sync"
	"time"
)

var sessions = map[string]time.Time{}

func touch(id string) {
	sessions[id] = time.Now() // want map-only-grows
}

type cache struct {
	mu sync.RWMutex
	m  map[string][]byte
}

func (c *cache) Get(key string, load func() []byte) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.m[key]; ok {
		return v
	}
	v := load() // want lock-held-across-wait
	c.m[key] = v // want map-only-grows
	return v
}

type counter struct {
	mu   sync.Mutex
	hits map[string]int
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.hits[r.RemoteAddr]++ // want map-only-grows
	c.mu.Unlock()
}

var visited = make(map[int64]bool)

func visit(id int64) bool {
	if visited[id] {
		return false
	}
	visited[id] = true // want map-only-grows
	return true
}

type limiter struct {
	mu    sync.Mutex
	users map[string]*bucket
}

type bucket struct{ n int }

func (l *limiter) allow(user string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.users[user]
	if b == nil {
		b = &bucket{}
		l.users[user] = b // want map-only-grows
	}
	b.n++
	return b.n < 10
}

type userStore struct{ byName map[string]int }

func (s *userStore) Save(name string, id int) {
	s.byName[name] = id // want map-only-grows
}
