// Calls for the same price list share one computation. The one that computed has panicked, and was saved by its handler:
// whoever comes later waits for it.
package main

import (
	"time"

	"example.com/ways/singleflight-stuck/flight"

	_ "example.com/ways/internal/profiled"
)

type line struct {
	article int64
	amounts [15]int64
}

type quotes struct {
	group flight.Group
	rates map[string]int
}

//go:noinline
func parseOffer(n int) []line {
	lines := make([]line, n)
	for i := range lines {
		lines[i].article = int64(i)
	}
	return lines
}

func (q *quotes) price(list string) int {
	return q.group.Do(list, func() int { return 100 / q.rates[list] })
}

func (q *quotes) quote(list string) (total int64) {
	defer func() { recover() }()
	lines := parseOffer(2500)
	price := int64(q.price(list))
	for _, l := range lines {
		total += price * l.article
	}
	return total
}

func main() {
	q := &quotes{rates: map[string]int{"retail": 3}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(8 * time.Millisecond) {
		q.quote("retail")
	}
	for {
		go q.quote("wholesale")
		time.Sleep(7 * time.Millisecond)
	}
}
