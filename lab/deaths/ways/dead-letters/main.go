// Letters that cannot be delivered go to a shared list and are tried again from there. Each attempt that fails puts a new
// letter on the list and leaves the old one where it is.
package main

import (
	"errors"
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type letter struct {
	to      int
	attempt int
	body    []byte
}

type outbox struct {
	mu     sync.Mutex
	down   bool
	failed []*letter
}

var errDown = errors.New("the receiver is down")

//go:noinline
func compose(to, attempt int) *letter {
	l := &letter{to: to, attempt: attempt, body: make([]byte, 8<<10)}
	for i := range l.body {
		l.body[i] = byte(i + attempt)
	}
	return l
}

func (o *outbox) deliver(l *letter) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return errDown
	}
	return nil
}

func (o *outbox) keep(l *letter) {
	o.mu.Lock()
	o.failed = append(o.failed, l)
	o.mu.Unlock()
}

func (o *outbox) latest(n int) []*letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.failed) < n {
		n = len(o.failed)
	}
	return append([]*letter(nil), o.failed[len(o.failed)-n:]...)
}

func (o *outbox) retry() {
	for _, l := range o.latest(250) {
		if err := o.deliver(l); err != nil {
			o.keep(compose(l.to, l.attempt+1))
		}
	}
}

func (o *outbox) retryAlways() {
	for range time.Tick(50 * time.Millisecond) {
		o.retry()
	}
}

func main() {
	o := &outbox{}
	go o.retryAlways()
	for n, began := 0, time.Now(); ; n++ {
		if time.Since(began) > 1300*time.Millisecond {
			o.mu.Lock()
			o.down = true
			o.mu.Unlock()
		}
		if l := compose(n, 0); o.deliver(l) != nil {
			o.keep(l)
		}
		time.Sleep(4 * time.Millisecond)
	}
}
