// The latency of every request is counted in a series of its own for its route, its status and its user: there are as
// many series as users.
package main

import (
	"fmt"
	"time"

	"example.com/ways/generic-registry/registry"

	_ "example.com/ways/internal/profiled"
)

type labels struct{ route, status, user string }

type series struct {
	buckets [512]uint64
	sum     float64
}

type metrics struct {
	latency *registry.Table[labels, series]
}

func (m *metrics) observe(route, status, user string, latency int) {
	m.latency.With(labels{route, status, user}, func(s *series) {
		s.buckets[latency%len(s.buckets)]++
		s.sum += float64(latency)
	})
}

func (m *metrics) handle(user string, n int) {
	m.observe("/cart", "200", user, n)
}

func main() {
	m := &metrics{latency: registry.New[labels, series](16, func(l labels) int { return len(l.user) + int(l.user[len(l.user)-1]) })}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(time.Millisecond) {
		m.handle("test", 1)
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*10000); n++ {
			m.handle(fmt.Sprintf("user-%d", n), n)
		}
	}
}
