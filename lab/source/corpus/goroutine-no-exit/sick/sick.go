// What `goroutine-no-exit` must find.
package sick

import (
	"fmt"
	"os"
	"sync"
	"time"
)

type cache struct {
	mu sync.Mutex
	m  map[string]time.Time
}

func newCache() *cache {
	c := &cache{m: map[string]time.Time{}}
	go c.sweep()
	return c
}

func (c *cache) sweep() {
	for { // want goroutine-no-exit
		time.Sleep(time.Minute)
		c.mu.Lock()
		clear(c.m)
		c.mu.Unlock()
	}
}

func watch(path string) {
	go func() {
		for { // want goroutine-no-exit
			time.Sleep(time.Second)
			_, _ = os.Stat(path)
		}
	}()
}

func report(stats func() int) {
	ticker := time.NewTicker(time.Second) // want ticker-not-stopped
	go func() {
		for range ticker.C { // want goroutine-no-exit
			fmt.Println(stats())
		}
	}()
}

func pump(in chan int, out chan int) {
	go func() {
		for { // want goroutine-no-exit
			select {
			case v := <-in:
				out <- v
			case <-time.After(time.Second): // want time-after-in-loop
				fmt.Println("idle")
			}
		}
	}()
}

func park() {
	go func() {
		fmt.Println("parked")
		select {} // want goroutine-no-exit
	}()
}

type conn struct{ pings int }

func (c *conn) keepalive(every time.Duration) {
	for range time.Tick(every) { // want goroutine-no-exit
		c.pings++
	}
}

func dialAll(n int) {
	for i := 0; i < n; i++ {
		c := &conn{}
		go c.keepalive(time.Second)
	}
}
