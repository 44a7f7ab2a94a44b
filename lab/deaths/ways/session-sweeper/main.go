// A shop that remembers its visitors for a while.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

type shop struct{ sessions *store }

func (s *shop) visit(cookie string) int {
	v := s.sessions.load(cookie)
	v.user = cookie
	for _, key := range []string{"cart", "locale", "currency", "referrer", "campaign", "csrf"} {
		v.values[key] = cookie + "/" + key
	}
	v.flash = append(v.flash, "welcome")
	return len(v.values)
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
	s := &shop{sessions: &store{ttl: 300 * time.Millisecond}}
	go s.sessions.sweeping(250 * time.Millisecond)
	for n := 0; n < 280; n++ {
		s.visit(fmt.Sprint("visitor-", n))
		time.Sleep(5 * time.Millisecond)
	}
	every(25_000, func(n int) {
		s.visit(fmt.Sprint("crawler-", n))
	})
}
