// What `unlock-of-another` must not find.
package healthy

import (
	"sync"
)

type pair struct {
	a, b sync.Mutex
	rw   sync.RWMutex
	n    int
}

func (p *pair) inc() {
	p.a.Lock()
	p.n++
	p.a.Unlock()
}

func (p *pair) both() {
	p.a.Lock()
	p.b.Lock() // want lock-order
	p.n++
	p.b.Unlock()
	p.a.Unlock()
}

func (p *pair) handOver() {
	p.b.Lock()
	p.a.Lock()
	p.b.Unlock()
	p.n++
	p.a.Unlock()
}

func (p *pair) read() int {
	p.rw.RLock()
	defer p.rw.RUnlock()
	return p.n
}

func (p *pair) upgrade() {
	p.rw.RLock()
	n := p.n
	p.rw.RUnlock()
	p.rw.Lock()
	p.n = n + 1
	p.rw.Unlock()
}

func (p *pair) finish() {
	p.n = 0
	p.a.Unlock()
}
