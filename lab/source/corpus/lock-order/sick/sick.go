// What `lock-order` must find.
package sick

import (
	"sync"
)

type bank struct{ mu sync.Mutex }
type ledger struct{ mu sync.Mutex }

func pay(b *bank, l *ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.mu.Lock() // want lock-order
	defer l.mu.Unlock()
}

func audit(b *bank, l *ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
}

var first, second sync.Mutex

func forward() {
	first.Lock()
	second.Lock() // want lock-order
	second.Unlock()
	first.Unlock()
}

func backward() {
	second.Lock()
	first.Lock()
	first.Unlock()
	second.Unlock()
}

type server struct {
	conns sync.Mutex
	stats sync.RWMutex
}

func (s *server) open() {
	s.conns.Lock()
	s.count() // want lock-order
	s.conns.Unlock()
}

func (s *server) count() {
	s.stats.Lock()
	s.stats.Unlock()
}

func (s *server) report() {
	s.stats.RLock()
	defer s.stats.RUnlock()
	s.conns.Lock()
	s.conns.Unlock()
}

type tree struct{ mu sync.Mutex }
type index struct {
	mu sync.Mutex
	t  *tree
}

func (i *index) add() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.t.mu.Lock() // want lock-order
	i.t.mu.Unlock()
}

func (t *tree) walk(i *index) {
	t.mu.Lock()
	i.add()
	t.mu.Unlock()
}

type queue struct{ lock sync.Mutex }
type pool struct {
	lock sync.Mutex
	q    queue
}

func (p *pool) take() {
	p.lock.Lock()
	p.q.lock.Lock() // want lock-order
	p.q.lock.Unlock()
	p.lock.Unlock()
}

func (q *queue) give(p *pool) {
	q.lock.Lock()
	defer q.lock.Unlock()
	p.lock.Lock()
	p.lock.Unlock()
}
