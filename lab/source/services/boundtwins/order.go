package boundtwins

import (
	"sync"

	"example.org/kv"
)

// Channel takes two locks in two orders, and a third one before both.
type Channel struct {
	gate sync.Mutex
	shut sync.Mutex
	data sync.Mutex
	n    int
	over bool
}

// Open takes them one way.
func (c *Channel) Open() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.shut.Lock()
	defer c.shut.Unlock()
	c.data.Lock()
	defer c.data.Unlock()
	c.n, c.over = 1, false
}

// End takes them the other way, behind the same gate.
func (c *Channel) End() {
	c.gate.Lock()
	defer c.gate.Unlock()
	c.data.Lock()
	defer c.data.Unlock()
	c.shut.Lock() // hint lock-order
	defer c.shut.Unlock()
	c.n, c.over = 0, true
}

// Bare is the twin without a gate on one of the sides.
type Bare struct {
	gate sync.Mutex
	shut sync.Mutex
	data sync.Mutex
	n    int
	over bool
}

// Open takes them one way.
func (b *Bare) Open() {
	b.gate.Lock()
	defer b.gate.Unlock()
	b.shut.Lock()
	defer b.shut.Unlock()
	b.data.Lock()
	defer b.data.Unlock()
	b.n, b.over = 1, false
}

// End takes them the other way.
func (b *Bare) End() {
	b.data.Lock()
	defer b.data.Unlock()
	b.shut.Lock() // warn lock-order
	defer b.shut.Unlock()
	b.n, b.over = 0, true
}

// Store has readers that last as long as their transactions.
type Store struct {
	rmu sync.RWMutex
	wmu sync.Mutex
	db  *kv.DB
}

// Begin leaves the lock to the transaction.
func (s *Store) Begin(write bool) *kv.Txn {
	if write {
		s.wmu.Lock()
	} else {
		s.rmu.RLock()
	}
	return s.db.Begin(write)
}

// Commit keeps the lock where it fails: that is no protocol.
func (s *Store) Commit(t *kv.Txn) error {
	if t.Write {
		s.rmu.Lock() // warn lock-not-released
		if err := t.Commit(); err != nil {
			return err
		}
		s.rmu.Unlock()
		s.wmu.Unlock()
		return nil
	}
	s.rmu.RUnlock()
	return nil
}

type certificate struct {
	sync.Mutex
	key []byte
}

// fresh says who gives the lock back.
func fresh(key []byte) *certificate {
	c := &certificate{key: key}
	c.Lock() // hint lock-not-released // will be unlocked by the caller
	return c
}

// freshTwin does not.
func freshTwin(key []byte, known map[string]*certificate) {
	c := &certificate{key: key}
	c.Lock() // warn lock-not-released
	c.key = key
}

type topic struct {
	mux      sync.Mutex
	handlers map[*handler]bool
}

type handler struct{ topic *topic }

// Cancel has one lock by two names.
func (h *handler) Cancel() {
	t := h.topic
	t.mux.Lock()
	delete(t.handlers, h)
	h.topic.mux.Unlock()
}

type request struct{ resp chan error }

type listRequest struct{ resp chan []string }

// Requests are answered by a loop, each with room for its answer.
type Requests struct {
	mu    sync.Mutex
	names map[string]bool
	in    chan *request
	lists chan *listRequest
}

// Ask makes room.
func (r *Requests) Ask() error {
	q := &request{resp: make(chan error, 1)}
	r.in <- q
	return <-q.resp
}

// List makes none: that is another's field.
func (r *Requests) List() []string {
	q := &listRequest{resp: make(chan []string)}
	r.lists <- q
	return <-q.resp
}

// Answer finds room for it.
func (r *Requests) Answer(q *request, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.names, name)
	q.resp <- nil // hint lock-held-across-wait
}

// AnswerList finds none.
func (r *Requests) AnswerList(q *listRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	q.resp <- nil // warn lock-held-across-wait
}

// Distribute waits on purpose: its comment says so.
func (r *Requests) Distribute(all []chan string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range all {
		// If this blocks, whoever listens is in an abnormal state: channels are expected to have room.
		c <- "x" // hint lock-held-across-wait
	}
}
