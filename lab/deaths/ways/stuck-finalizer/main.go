// One finalizer waits for ever, and all finalizers run one after another: handles whose turn does not come are never
// freed, nor what they refer to.
package main

import (
	"runtime"
	"time"

	_ "example.com/ways/internal/profiled"
)

type handle struct {
	fd     int
	buffer []byte
}

var closed = make(chan int)

// release waits for somebody who takes its number.
func (h *handle) release() { closed <- h.fd }

//go:noinline
func openHandle(fd int) *handle {
	h := &handle{fd: fd, buffer: make([]byte, 48<<10)}
	for i := range h.buffer {
		h.buffer[i] = byte(i)
	}
	runtime.SetFinalizer(h, (*handle).release)
	return h
}

func use(fd int) int { return len(openHandle(fd).buffer) }

func main() {
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*1500); n++ {
			use(n)
		}
	}
}
