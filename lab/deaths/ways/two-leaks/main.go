// Carts of visitors who have left are never dropped, and neither are the lines of an access log. The carts are nine
// tenths of it.
package main

import (
	"fmt"
	"time"

	_ "example.com/ways/internal/profiled"
)

type item struct {
	article [6]int64
	note    string
}

type cart struct {
	visitor string
	items   []item
}

type access struct {
	at   time.Time
	line string
}

type shop struct {
	carts map[string]*cart
	log   []access
}

//go:noinline
func newCart(visitor string, n int) *cart {
	c := &cart{visitor: visitor, items: make([]item, n)}
	for i := range c.items {
		c.items[i].article[0] = int64(i)
	}
	return c
}

func (s *shop) cartOf(visitor string) *cart {
	c := s.carts[visitor]
	if c == nil {
		c = newCart(visitor, 120)
		s.carts[visitor] = c
	}
	return c
}

func (s *shop) note(visitor string) {
	s.log = append(s.log, access{time.Now(), fmt.Sprintf("%-600s", visitor)})
}

func (s *shop) handle(visitor string) int {
	s.note(visitor)
	return len(s.cartOf(visitor).items)
}

func main() {
	s := &shop{carts: map[string]*cart{}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		s.handle("monitor")
	}
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*5500); n++ {
			s.handle(fmt.Sprintf("visitor-%d", n))
		}
	}
}
