// What `lock-order` must not find.
package healthy

import (
	"sync"
)

type bank struct{ mu sync.Mutex }
type ledger struct{ mu sync.Mutex }

func pay(b *bank, l *ledger) {
	b.mu.Lock()
	defer b.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
}

func audit(b *bank, l *ledger) {
	b.mu.Lock()
	l.mu.Lock()
	l.mu.Unlock()
	b.mu.Unlock()
}

func apart(b *bank, l *ledger) {
	l.mu.Lock()
	l.mu.Unlock()
	b.mu.Lock()
	b.mu.Unlock()
}

func transfer(from, to *bank) {
	from.mu.Lock()
	to.mu.Lock()
	to.mu.Unlock()
	from.mu.Unlock()
}

type server struct {
	conns sync.Mutex
	stats sync.RWMutex
}

func (s *server) open() {
	s.conns.Lock()
	s.conns.Unlock()
	s.stats.Lock()
	s.stats.Unlock()
}

func (s *server) report() {
	s.stats.RLock()
	defer s.stats.RUnlock()
	go s.open()
}

func (s *server) early(ok bool) {
	s.stats.Lock()
	if !ok {
		s.stats.Unlock()
		s.conns.Lock()
		s.conns.Unlock()
		return
	}
	s.stats.Unlock()
}
