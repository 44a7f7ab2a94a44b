// Every connection gets a heartbeat, a goroutine with a ticker; connections come and go, and heartbeats stay.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

type connection struct {
	id    int
	beats int
}

// heartbeat has no way to end.
func (c *connection) heartbeat(every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for range t.C {
		c.beat()
	}
}

//go:noinline
func (c *connection) beat() {
	var line [512]byte
	for i := range line {
		line[i] = byte(c.beats)
	}
	c.beats += int(line[0] & 1)
}

func accept(id int) *connection {
	c := &connection{id: id}
	go c.heartbeat(time.Hour)
	return c
}

func main() {
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*16_000); n++ {
			accept(n)
		}
	}
}
