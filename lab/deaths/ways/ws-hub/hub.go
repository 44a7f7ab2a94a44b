package main

import "log"

// Hub knows who is connected, and hands each message to all of them.
type Hub struct {
	register   chan *Client
	unregister chan *Client
	broadcast  chan []byte
	clients    map[*Client]bool
}

func NewHub() *Hub {
	return &Hub{
		register:   make(chan *Client),
		unregister: make(chan *Client, 64),
		broadcast:  make(chan []byte, 64),
		clients:    map[*Client]bool{},
	}
}

func (h *Hub) Run() {
	defer func() {
		if r := recover(); r != nil {
			log.Println("hub:", r)
		}
	}()
	for {
		select {
		case c := <-h.register:
			h.clients[c] = true
		case c := <-h.unregister:
			delete(h.clients, c)
			close(c.send)
		case m := <-h.broadcast:
			for c := range h.clients {
				select {
				case c.send <- m:
				default:
				}
			}
		}
	}
}
