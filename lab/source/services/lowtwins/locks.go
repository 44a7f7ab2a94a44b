package lowtwins

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Manager keeps what others tell.
type Manager struct {
	mu        sync.Mutex
	client    *http.Client
	last      *http.Response
	lastCheck time.Time
	auth      *http.Response
	checkTime time.Time
	workers   map[*worker]bool
	queue     []int
	conns     []int
	sem       chan struct{}
}

type worker struct {
	channel chan int
	done    chan struct{}
}

// fresh looks at the time of the last answer.
func (m *Manager) fresh() bool { return m.last != nil && time.Since(m.checkTime) < time.Hour }

// Current asks again where the last answer is old.
func (m *Manager) Current(req *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fresh() {
		return m.last, nil
	}
	resp, err := m.client.Do(req) // hint lock-held-across-wait
	m.checkTime = time.Now()
	if err != nil {
		return nil, err
	}
	m.last = resp
	return resp, nil
}

// Each asks every time.
func (m *Manager) Each(req *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	resp, err := m.client.Do(req) // warn lock-held-across-wait
	m.lastCheck = time.Now()
	return resp, err
}

// Authorize finds out once how.
func (m *Manager) Authorize(req *http.Request) error {
	if m.auth == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.discover(req); err != nil { // hint lock-held-across-wait
			return err
		}
	}
	return nil
}

func (m *Manager) discover(req *http.Request) error {
	resp, err := m.client.Do(req)
	if err != nil {
		return err
	}
	m.auth = resp
	return nil
}

// Rediscover does so whenever it is told.
func (m *Manager) Rediscover(req *http.Request) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.discover(req) // warn lock-held-across-wait
}

// Reconfigure waits for a moment, seldom.
func (m *Manager) Reconfigure() {
	m.mu.Lock()
	defer m.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // hint lock-held-across-wait
	m.last = nil
}

// Touch waits as long, and often.
func (m *Manager) Touch() {
	m.mu.Lock()
	defer m.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // warn lock-held-across-wait
	m.last = nil
}

// Register makes room for one task.
func (m *Manager) Register() *worker {
	w := &worker{channel: make(chan int, 1), done: make(chan struct{})}
	m.mu.Lock()
	m.workers[w] = true
	m.mu.Unlock()
	return w
}

// Assign takes each worker off the list before it is handed a task.
func (m *Manager) Assign() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.workers {
		delete(m.workers, w)
		w.channel <- len(m.queue) // hint lock-held-across-wait
	}
}

// Tell hands on to whoever listens, or has ended.
func (m *Manager) Tell(v int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.workers {
		select { // hint lock-held-across-wait
		case w.channel <- v:
		case <-w.done:
		}
	}
}

// Finish gives a place back.
func (m *Manager) Finish() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = m.queue[:0]
	<-m.sem // hint lock-held-across-wait
}

// Begin takes one.
func (m *Manager) Begin(ctx context.Context) error {
	select {
	case m.sem <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Updater replaces the program.
type Updater struct {
	mu     sync.Mutex
	client *http.Client
}

// Update is one at a time.
func (u *Updater) Update(req *http.Request) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	resp, err := u.client.Do(req) // hint lock-held-across-wait
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// getConn gives a connection and keeps the lock for who uses it.
func (m *Manager) getConn() (int, bool) {
	m.mu.Lock() // hint lock-not-released
	if len(m.conns) == 0 {
		m.mu.Unlock()
		return 0, false
	}
	return m.conns[0], true
}

// returnConn lets go of it.
func (m *Manager) returnConn(c int) {
	m.conns[0] = c
	m.mu.Unlock()
}

// Count forgets it on one path.
func (m *Manager) Count() int {
	m.mu.Lock() // warn lock-not-released
	if len(m.conns) == 0 {
		return 0
	}
	n := len(m.conns)
	m.mu.Unlock()
	return n
}
