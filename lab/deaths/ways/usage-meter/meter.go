package main

import (
	"net/http"
	"sync"
	"time"
)

type usage struct {
	calls, bytes int64
	first, last  time.Time
	byHour       [7][24]int64
}

// meter counts by tenant, method and path.
type meter struct {
	mu    sync.Mutex
	usage map[string]map[string]map[string]*usage
}

func (m *meter) of(tenant, method, path string) *usage {
	methods := m.usage[tenant]
	if methods == nil {
		methods = map[string]map[string]*usage{}
		m.usage[tenant] = methods
	}
	paths := methods[method]
	if paths == nil {
		paths = map[string]*usage{}
		methods[method] = paths
	}
	u := paths[path]
	if u == nil {
		u = &usage{first: time.Now()}
		paths[path] = u
	}
	return u
}

func (m *meter) count(r *http.Request, written int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u := m.of(r.Header.Get("X-Tenant"), r.Method, r.URL.Path)
	u.calls++
	u.bytes += int64(written)
	u.last = time.Now()
	u.byHour[u.last.Weekday()][u.last.Hour()]++
}
