// Readers of a spool wait for a signal that there is room; the writer that would give it has returned. Each reader holds
// the page that it wants to put.
package main

import (
	"sync"
	"time"

	_ "example.com/ways/internal/profiled"
)

type spool struct {
	mu    sync.Mutex
	room  *sync.Cond
	pages [][]byte
}

func newSpool() *spool {
	s := &spool{}
	s.room = sync.NewCond(&s.mu)
	return s
}

func (s *spool) put(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pages) >= 8 {
		s.room.Wait()
	}
	s.pages = append(s.pages, p)
}

func (s *spool) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pages) == 0 {
		return nil
	}
	p := s.pages[0]
	s.pages = s.pages[1:]
	s.room.Signal()
	return p
}

//go:noinline
func scan(n int) []byte {
	p := make([]byte, 200<<10)
	for i := range p {
		p[i] = byte(n)
	}
	return p
}

// print ends at the first page that jams.
func (s *spool) print() {
	for n := 0; n < 120; n++ {
		s.take()
		time.Sleep(10 * time.Millisecond)
	}
}

func main() {
	s := newSpool()
	go s.print()
	for n := 0; ; n++ {
		go func(n int) { s.put(scan(n)) }(n)
		if n < 110 {
			time.Sleep(10 * time.Millisecond)
		} else {
			time.Sleep(3 * time.Millisecond)
		}
	}
}
