// A chat: browsers come and go, and a hub hands round what is said.
package main

import (
	"time"

	_ "example.com/ways/internal/profiled"
)

// kick closes the connection of somebody who has said too much; by then he may have closed it himself.
func (h *Hub) kick(c *Client) { h.unregister <- c }

func main() {
	hub := NewHub()
	go hub.Run()
	go func() {
		for range time.Tick(10 * time.Millisecond) {
			select {
			case hub.broadcast <- []byte("hello"):
			default:
			}
		}
	}()
	id := 0
	for began := time.Now(); time.Since(began) < 1400*time.Millisecond; time.Sleep(20 * time.Millisecond) {
		id++
		go hub.serveWS(id, 40*time.Millisecond)
	}
	rude := newClient(0)
	hub.register <- rude
	hub.unregister <- rude
	hub.kick(rude)
	for ; ; time.Sleep(4 * time.Millisecond) {
		id++
		go hub.serveWS(id, 40*time.Millisecond)
	}
}
