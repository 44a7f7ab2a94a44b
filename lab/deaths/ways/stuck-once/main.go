// A client is set up at its first use, once, and the set-up never returns: all who come after wait for it, with the rows
// that they want to write.
package main

import (
	"sync"
	"time"

	_ "example.com/ways/internal/debugport"
)

type warehouse struct {
	once  sync.Once
	ready chan struct{}
	token string
}

type batch []float64

// connect waits for a sign that was given before anybody listened.
func (w *warehouse) connect() {
	<-w.ready
	w.token = "token"
}

func (w *warehouse) client() string {
	w.once.Do(w.connect)
	return w.token
}

//go:noinline
func collect(n int) batch {
	b := make(batch, n)
	for i := range b {
		b[i] = float64(i)
	}
	return b
}

func (w *warehouse) write(b batch) int { return len(w.client()) + len(b) + int(b[0]) }

func main() {
	w := &warehouse{ready: make(chan struct{})}
	time.Sleep(1300 * time.Millisecond)
	for range time.Tick(4 * time.Millisecond) {
		go func() { w.write(collect(25_000)) }()
	}
}
