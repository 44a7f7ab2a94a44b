// A reader holds the read lock while it waits; a writer waits for it; and every reader after that waits behind the
// writer, with the message that it has decoded.
package main

import (
	"encoding/hex"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type routes struct {
	sync.RWMutex
	table map[string]string
}

type message struct {
	topic string
	body  []byte
}

//go:noinline
func decode(wire string) *message {
	body, err := hex.DecodeString(wire)
	if err != nil {
		return nil
	}
	return &message{topic: "orders", body: body}
}

type broker struct {
	routes    routes
	delivered chan *message
}

func (b *broker) deliver(wire string) {
	m := decode(wire)
	b.routes.RLock()
	to := b.routes.table[m.topic]
	b.routes.RUnlock()
	if to != "" {
		b.delivered <- m
	}
}

// audit walks the table with the read lock held, and waits for an auditor who has gone home.
func (b *broker) audit(auditor chan<- string) {
	b.routes.RLock()
	defer b.routes.RUnlock()
	for _, to := range b.routes.table {
		auditor <- to
	}
}

func (b *broker) addRoute(topic, to string) {
	b.routes.Lock()
	defer b.routes.Unlock()
	b.routes.table[topic] = to
}

func main() {
	b := &broker{routes: routes{table: map[string]string{"audit": "here"}}, delivered: make(chan *message)}
	wire := make([]byte, 400_000)
	for i := range wire {
		wire[i] = "0123456789abcdef"[i%16]
	}
	arrive := func(every, span time.Duration) {
		for began := time.Now(); time.Since(began) < span; time.Sleep(every) {
			go b.deliver(string(wire))
		}
	}
	arrive(20*time.Millisecond, 1300*time.Millisecond)
	go b.audit(make(chan string))
	time.Sleep(10 * time.Millisecond)
	go b.addRoute("orders", "there")
	time.Sleep(10 * time.Millisecond)
	arrive(5*time.Millisecond, time.Hour)
}
