// A node of a cluster that gossips with eight hundred others.
package main

import (
	"fmt"
	"io"
	"time"

	_ "example.com/ways/internal/profiled"
)

// every does something so many times a second.
func every(perSecond float64, do func(n int)) {
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; float64(n) < time.Since(began).Seconds()*perSecond; n++ {
			do(n)
		}
	}
}

func main() {
	c := &cluster{entries: make([]entry, 3000)}
	for i := range c.entries {
		c.entries[i] = entry{key: fmt.Sprint("key-", i), version: uint64(i)}
	}
	for i := 0; i < 800; i++ {
		c.peers = append(c.peers, &peer{name: fmt.Sprint("node-", i), conn: io.Discard})
	}
	for n := 0; n < 1400; n++ {
		c.gossip(c.peers[n%len(c.peers)])
		time.Sleep(time.Millisecond)
	}
	every(90, func(n int) {
		c.rejoin(c.peers[n%len(c.peers)])
		for i := 0; i < 20; i++ {
			c.gossip(c.peers[(n*31+i)%len(c.peers)])
		}
	})
}
