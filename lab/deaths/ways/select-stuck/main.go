// Subscribers wait in a select for news or for the end, and neither comes: the hub has dropped them without a word.
// Each holds a window of what it has sent.
package main

import (
	"time"

	"example.com/ways/select-stuck/feed"

	_ "example.com/ways/internal/profiled"
)

func main() {
	hub := feed.NewHub()
	time.Sleep(1300 * time.Millisecond)
	for {
		sub := hub.Subscribe()
		go sub.Serve()
		time.Sleep(3 * time.Millisecond)
		hub.Drop(sub)
	}
}
