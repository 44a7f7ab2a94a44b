// Package pool has a bounded number of connections for any number of callers.
package pool

import "sync"

type Conn interface {
	Exec(query string, args ...interface{}) error
}

type Pool struct {
	mu    sync.Mutex
	ready *sync.Cond
	idle  []Conn
	open  int
	max   int
	dial  func() Conn
}

func New(max int, dial func() Conn) *Pool {
	p := &Pool{max: max, dial: dial}
	p.ready = sync.NewCond(&p.mu)
	return p
}

func (p *Pool) Get() Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if n := len(p.idle); n > 0 {
			c := p.idle[n-1]
			p.idle = p.idle[:n-1]
			return c
		}
		if p.open < p.max {
			p.open++
			return p.dial()
		}
		p.ready.Wait()
	}
}

// Put takes a connection back; one that has failed is thrown away.
func (p *Pool) Put(c Conn, err error) {
	if err != nil {
		return
	}
	p.mu.Lock()
	p.idle = append(p.idle, c)
	p.mu.Unlock()
	p.ready.Signal()
}
