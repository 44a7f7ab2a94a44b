// The search field of a shop suggests what others have typed.
package main

import (
	"fmt"
	"strings"
	"time"

	_ "example.com/ways/internal/profiled"
)

type search struct{ suggestions node }

func (s *search) typed(query string) []string {
	query = strings.ToLower(strings.TrimSpace(query))
	s.suggestions.learn(query)
	return s.suggestions.suggest(query[:1])
}

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	s := &search{}
	words := []string{"Shoes", "shirt ", "socks", "jacket", "hat"}
	n := 0
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(2 * time.Millisecond) {
		n++
		s.typed(words[n%len(words)])
	}
	every(14_000, func(n int) {
		s.typed(fmt.Sprintf("%s order %d", words[n%len(words)], n*7919))
	})
}
