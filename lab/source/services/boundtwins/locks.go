// Package boundtwins has what fourteen projects taught at first sight: shapes that look like a wait without an
// end, and what bounds them; beside each a twin that nothing bounds.
package boundtwins

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"

	"example.org/store"
)

// Rotation keeps new connections away while an identity is exchanged.
type Rotation struct {
	mu    sync.Mutex
	db    *store.Client
	names []string
}

// Fetch has given its context a time before it asks.
func (r *Rotation) Fetch(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return r.db.Put(ctx, name) // hint lock-held-across-wait
}

// FetchTwin asks with whatever context it has.
func (r *Rotation) FetchTwin(ctx context.Context, name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names = []string{name}
	return r.db.Put(ctx, name) // warn lock-held-across-wait
}

// Upstream is asked by many, and begun and released once.
type Upstream struct {
	mu sync.RWMutex
	db *store.Client
}

// Start makes the client.
func (u *Upstream) Start(db *store.Client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.db = db
}

// Release drops it.
func (u *Upstream) Release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.db = nil
}

// Publish holds the lock for reading.
func (u *Upstream) Publish(ctx context.Context, name string) error {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return u.db.Put(ctx, name) // hint lock-held-across-wait
}

// Shared has a lock of somebody else, for reading only.
type Shared struct {
	RotationLock *sync.RWMutex
	db           *store.Client
}

// Ask takes it for reading, as all here do.
func (s *Shared) Ask(ctx context.Context, name string) error {
	s.RotationLock.RLock()
	defer s.RotationLock.RUnlock()
	return s.db.Put(ctx, name) // hint lock-held-across-wait
}

type waiter struct{ done chan error }

type slowWaiter struct{ done chan error }

// States wakes waiters one by one.
type States struct {
	mu   sync.Mutex
	all  *list.List
	slow *list.List
}

// Wait has room for its one answer.
func (s *States) Wait() error {
	w := &waiter{done: make(chan error, 1)}
	s.mu.Lock()
	s.all.PushBack(w)
	s.mu.Unlock()
	return <-w.done
}

// WaitSlowly has none.
func (s *States) WaitSlowly() error {
	w := &slowWaiter{done: make(chan error)}
	s.mu.Lock()
	s.slow.PushBack(w)
	s.mu.Unlock()
	return <-w.done
}

// Wake answers those that have room.
func (s *States) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.all.Front(); e != nil; e = e.Next() {
		w := e.Value.(*waiter)
		s.all.Remove(e)
		w.done <- nil // hint lock-held-across-wait
	}
}

// WakeSlowly waits for each.
func (s *States) WakeSlowly() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.slow.Front(); e != nil; e = e.Next() {
		w := e.Value.(*slowWaiter)
		s.slow.Remove(e)
		w.done <- nil // warn lock-held-across-wait
	}
}

// Errors tells listeners.
type Errors struct {
	mu        sync.Mutex
	listeners []chan<- error
	plain     []chan<- error
}

// Listen makes a channel with room.
func (e *Errors) Listen() <-chan error {
	c := make(chan error, 1)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.listeners = append(e.listeners, c)
	return c
}

// ListenPlain makes one without.
func (e *Errors) ListenPlain() <-chan error {
	c := make(chan error)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.plain = append(e.plain, c)
	return c
}

// Tell takes the list over before it tells each.
func (e *Errors) Tell(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.listeners
	e.listeners = nil
	for _, l := range all {
		l <- err // hint lock-held-across-wait
		close(l)
	}
}

// TellPlain does so too, and waits.
func (e *Errors) TellPlain(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.plain
	e.plain = nil
	for _, l := range all {
		l <- err // warn lock-held-across-wait
		close(l)
	}
}

// Link connects anew, one at a time.
type Link struct {
	reconnecting sync.Mutex
	up           bool
}

// Reconnect waits between its tries.
func (l *Link) Reconnect(tries int, stop <-chan int) {
	l.reconnecting.Lock()
	defer l.reconnecting.Unlock()
	for i := 0; i < tries; i++ {
		select { // hint lock-held-across-wait
		case <-stop:
		case <-time.After(time.Minute): // hint time-after-in-loop
		}
	}
	l.up = true
}

// Up asks.
func (l *Link) Up() bool {
	l.reconnecting.Lock()
	defer l.reconnecting.Unlock()
	return l.up
}

// Machines has so many places.
type Machines struct {
	mu     sync.Mutex
	places chan struct{}
	count  int
}

// Get gives a place back where it fails.
func (m *Machines) Get(ctx context.Context, fails bool) bool {
	select {
	case <-ctx.Done():
		return false
	case <-m.places:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if fails {
		m.places <- struct{}{} // hint lock-held-across-wait
		return false
	}
	m.count++
	return true
}

// More adds a place, for which there may be no room.
func (m *Machines) More() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places <- struct{}{} // warn lock-held-across-wait
}

// Hosts makes something for each of them at once.
func (m *Machines) Hosts(names []string) int {
	made := make(chan int)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range names {
		go func() { made <- len(name) }()
	}
	sum := 0
	for range names {
		sum += <-made // hint lock-held-across-wait
	}
	return sum
}

// Deliveries has a goroutine for each consumer that takes whatever comes.
type Deliveries struct {
	mu    sync.Mutex
	chans map[string]chan []byte
	bare  map[string]chan []byte
}

// Add starts it.
func (d *Deliveries) Add(tag string, out chan<- []byte) {
	in := make(chan []byte)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.chans[tag] = in
	go d.buffer(in, out)
}

func (d *Deliveries) buffer(in <-chan []byte, out chan<- []byte) {
	var queue [][]byte
	for b := range in {
		queue = append(queue, b)
		select {
		case out <- queue[0]:
			queue = nil
		default:
		}
	}
}

// AddBare leaves it to whoever reads.
func (d *Deliveries) AddBare(tag string) <-chan []byte {
	in := make(chan []byte)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bare[tag] = in
	return in
}

// Drop takes both away.
func (d *Deliveries) Drop(tag string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.chans, tag)
	delete(d.bare, tag)
}

// Send finds somebody who takes it.
func (d *Deliveries) Send(tag string, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in, ok := d.chans[tag]
	if ok {
		in <- b // hint lock-held-across-wait
	}
}

// SendBare waits for whoever reads.
func (d *Deliveries) SendBare(tag string, b []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in, ok := d.bare[tag]
	if ok {
		in <- b // warn lock-held-across-wait
	}
}

// Loader loads one at a time: nobody else takes its lock.
type Loader struct {
	mu sync.Mutex
	db *store.Client
}

// Load sets nothing of its own.
func (l *Loader) Load(ctx context.Context, name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.db.Put(ctx, name) // hint lock-held-across-wait
}

type position struct{ n int }

// Log has its state in a channel of one place, which is a lock itself.
type Log struct {
	mu   sync.Mutex
	read chan position
	next chan position
	at   int
}

// Write takes the state and puts it back.
func (l *Log) Write(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at += n
	st := <-l.read // hint lock-held-across-wait
	st.n = l.at
	l.read <- st
}

// Next waits for whoever has something.
func (l *Log) Next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := <-l.next // warn lock-held-across-wait
	l.at = st.n
	return l.at
}

// ServeHTTP is who asks for it.
func (l *Log) ServeHTTP(http.ResponseWriter, *http.Request) { l.Next() }
