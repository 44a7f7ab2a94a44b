package main

import "time"

const frameSize = 192 << 10

// Client is one browser: the frame that it is sending, and what it is to be sent.
type Client struct {
	id    int
	frame []byte
	send  chan []byte
}

func newClient(id int) *Client {
	c := &Client{id: id, frame: make([]byte, frameSize), send: make(chan []byte, 8)}
	for i := range c.frame {
		c.frame[i] = byte(i * id)
	}
	return c
}

func (h *Hub) serveWS(id int, stay time.Duration) int {
	c := newClient(id)
	h.register <- c
	gone := time.After(stay)
	sent := 0
	for {
		select {
		case m, ok := <-c.send:
			if !ok {
				return sent + len(c.frame)
			}
			sent += len(m)
		case <-gone:
			h.unregister <- c
			gone = nil
		}
	}
}
