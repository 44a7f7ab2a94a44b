package audit

import (
	"net/http"
	"sync"
	"time"
)

type entry struct {
	at   time.Time
	path string
	ip   string
}

type Auditor struct {
	mu      sync.Mutex
	entries []entry
	byIP    map[string]int
}

func (a *Auditor) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.entries = append(a.entries, entry{time.Now(), r.URL.Path, r.RemoteAddr}) // warn append-never-cleared
		a.byIP[r.RemoteAddr]++                                                     // warn map-only-grows
		a.mu.Unlock()
		next.ServeHTTP(w, r)
	})
}

func (a *Auditor) Count(ip string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.byIP[ip]
}
