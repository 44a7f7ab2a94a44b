// Insurance claims: each is a saga that a clerk has to approve before it is paid.
package main

import (
	"context"
	"time"

	_ "example.com/ways/internal/profiled"
)

func main() {
	e := &engine{inbox: &inbox{boxes: map[int]chan decision{}}, stop: make(chan struct{})}
	clerks := time.Now().Add(1400 * time.Millisecond)
	for id := 1; ; id++ {
		go e.settle(context.Background(), id)
		if time.Now().Before(clerks) {
			time.Sleep(16 * time.Millisecond)
			e.inbox.decide(decision{saga: id, ok: id%5 != 0})
		} else {
			time.Sleep(5 * time.Millisecond)
		}
	}
}
