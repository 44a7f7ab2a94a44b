// Requests wait for a lock by the hundred, and have next to nothing with them. The one who has the lock reads the rows of
// a table into one slice, and a cursor that turns round at the end gives it rows for ever.
package main

import (
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type row struct {
	id     int64
	fields [11]int64
}

type cursor struct{ at, end int64 }

func (c *cursor) next(turns bool) (row, bool) {
	if c.at == c.end {
		if !turns {
			return row{}, false
		}
		c.at = 0
	}
	c.at++
	return row{id: c.at}, true
}

type catalogue struct {
	mu   sync.Mutex
	rows []row
}

func readAll(c *cursor, turns bool) (rows []row) {
	for began := time.Now(); ; {
		r, ok := c.next(turns)
		if !ok {
			return rows
		}
		rows = append(rows, r)
		for len(rows)%1000 == 0 && time.Since(began).Seconds()*250000 < float64(len(rows)) {
			time.Sleep(time.Millisecond)
		}
	}
}

func (c *catalogue) rebuild(turns bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows = readAll(&cursor{end: 500}, turns)
}

func (c *catalogue) lookup(n int) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rows[n%len(c.rows)].id
}

func main() {
	c := &catalogue{}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(10 * time.Millisecond) {
		c.rebuild(false)
		c.lookup(3)
	}
	go c.rebuild(true)
	for n := 0; ; n++ {
		time.Sleep(4 * time.Millisecond)
		go c.lookup(n)
	}
}
