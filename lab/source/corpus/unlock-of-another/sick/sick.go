// What `unlock-of-another` must find.
package sick

import (
	"sync"
)

type pair struct {
	a, b sync.Mutex
	rw   sync.RWMutex
	n    int
}

func (p *pair) inc() {
	p.a.Lock() // want lock-not-released
	p.n++
	p.b.Unlock() // want unlock-of-another
}

func (p *pair) deferred() {
	p.a.Lock() // want lock-not-released
	defer p.b.Unlock() // want unlock-of-another
	p.n++
}

func (p *pair) read() int {
	p.rw.RLock()
	defer p.rw.Unlock() // want unlock-of-another
	return p.n
}

func (p *pair) write() {
	p.rw.Lock()
	p.n = 3
	p.rw.RUnlock() // want unlock-of-another
}

var readMu, writeMu sync.Mutex

func swap(n *int) {
	readMu.Lock() // want lock-not-released
	defer writeMu.Unlock() // want unlock-of-another
	*n++
}

func move(from, to *pair) {
	from.a.Lock() // want lock-not-released
	from.n--
	to.a.Unlock() // want unlock-of-another
}
