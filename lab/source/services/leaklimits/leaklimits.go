// Package leaklimits leaks as a program did before it was mended.
package leaklimits

import (
	"net/http"
	"sync"
	"time"
)

type bucket struct {
	tokens float64
	last   time.Time
}

type Limiter struct {
	mu   sync.Mutex
	byIP map[string]*bucket
	rate float64
}

func NewLimiter(rate float64) *Limiter {
	return &Limiter{byIP: make(map[string]*bucket), rate: rate}
}

func (l *Limiter) allow(ip string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.byIP[ip]
	if !ok {
		b = &bucket{tokens: l.rate, last: time.Now()}
		l.byIP[ip] = b // warn map-only-grows
	}
	b.tokens += time.Since(b.last).Seconds() * l.rate
	b.last = time.Now()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (l *Limiter) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.allow(r.RemoteAddr) {
			http.Error(w, "slow down", http.StatusTooManyRequests)
			return
		}
		h.ServeHTTP(w, r)
	})
}
