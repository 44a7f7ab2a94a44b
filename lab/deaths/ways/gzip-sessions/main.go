// Sessions end, and their entries stay in the table of the sessions, each with a compressor that is much larger than
// anything it has ever sent.
package main

import (
	"fmt"
	"time"

	"example.com/ways/gzip-sessions/wire"

	_ "example.com/ways/internal/profiled"
)

type gateway struct {
	page     []byte
	sessions map[string]*wire.Session
}

// newPage makes something to send.
func newPage(n int) (page []byte) {
	for i := uint32(1); len(page) < n; i++ {
		page = append(page, fmt.Sprintf("<li>%d %x</li>", i, i*2654435761)...)
	}
	return page
}

func (g *gateway) visit(name string) error {
	s, ok := g.sessions[name]
	if !ok {
		s = wire.Open(name)
		g.sessions[name] = s
	}
	if err := s.Send(g.page); err != nil {
		return err
	}
	return s.End()
}

func main() {
	g := &gateway{page: newPage(200 << 10), sessions: map[string]*wire.Session{}}
	for began := time.Now(); time.Since(began) < 1300*time.Millisecond; time.Sleep(40 * time.Millisecond) {
		g.visit("monitor")
		delete(g.sessions, "monitor")
	}
	for n := 0; ; n++ {
		g.visit(fmt.Sprintf("client-%d", n))
		time.Sleep(16 * time.Millisecond)
	}
}
