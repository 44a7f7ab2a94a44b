// Buffers are given back to a pool of their exact size, and hardly two requests have the same size: the pool keeps what
// nobody will ask for again.
package main

import (
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type buffers struct {
	mu   sync.Mutex
	free map[int][][]byte
}

//go:noinline
func (b *buffers) get(size int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if l := b.free[size]; len(l) > 0 {
		b.free[size] = l[:len(l)-1]
		return l[len(l)-1]
	}
	return make([]byte, size)
}

func (b *buffers) put(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free[len(buf)] = append(b.free[len(buf)], buf)
}

func (b *buffers) answer(n int) int {
	buf := b.get(30_000 + n*7919%60_000)
	defer b.put(buf)
	for i := range buf {
		buf[i] = byte(n)
	}
	return len(buf)
}

func main() {
	b := &buffers{free: map[int][][]byte{}}
	time.Sleep(1300 * time.Millisecond)
	for n, began := 0, time.Now(); ; time.Sleep(time.Millisecond) {
		for ; n < int(time.Since(began).Seconds()*1500); n++ {
			b.answer(n)
		}
	}
}
