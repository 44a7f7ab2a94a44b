// Package longtwins has waits under a lock, and things that wait for the end of a function: of each two one is shown
// to be long, or scarce, by what stands around it, and of the other that is not known.
package longtwins

import (
	"context"
	"net/http"
	"sync"
	"time"

	"example.org/store"
)

// Config is what a user of the package gives.
type Config struct {
	Events chan string
}

// Members tells the user of each, under the lock by which all others read.
type Members struct {
	mu  sync.RWMutex
	cfg Config
	all []string
}

// Joined waits for as long as the user does not receive.
func (m *Members) Joined(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, name)
	m.cfg.Events <- name // warn lock-held-across-wait
}

// All is what others ask.
func (m *Members) All() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.all
}

// Gone has a channel of which nobody here knows how much room it has.
func (m *Members) Gone(name string, to chan<- string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = nil
	to <- name // hint lock-held-across-wait
}

// Journal is like Members, but only what begins and ends it takes the lock beside.
type Journal struct {
	lock sync.Mutex
	cfg  Config
	last string
}

// NewJournal makes one.
func NewJournal(cfg Config) *Journal {
	j := &Journal{cfg: cfg}
	j.lock.Lock()
	defer j.lock.Unlock()
	j.last = "none"
	return j
}

// Note keeps nobody from anything.
func (j *Journal) Note(line string) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.last = line
	j.cfg.Events <- line // hint lock-held-across-wait
}

// Close ends it.
func (j *Journal) Close() {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.last = ""
}

// Prices are read while a slow peer is asked.
type Prices struct {
	mu  sync.RWMutex
	db  *store.Client
	all map[string]int
}

// Load is asked by nobody who is seen here, and readers go on beside it.
func (p *Prices) Load(ctx context.Context, name string) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.db.Get(ctx, name) // hint lock-held-across-wait
}

// Set is who waits, and is no request.
func (p *Prices) Set(name string, price int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[name] = price // hint map-only-grows
}

// Offers are the same, but requests set them, and behind one that waits to set all others queue up.
type Offers struct {
	mu  sync.RWMutex
	db  *store.Client
	all map[string]int
}

// Load waits.
func (o *Offers) Load(ctx context.Context, name string) error {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.db.Get(ctx, name) // warn lock-held-across-wait
}

// ServeHTTP sets.
func (o *Offers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.all)
}

// Handshake goes step by step, each of which asks the peer under its lock.
type Handshake struct {
	stepLock sync.Mutex
	db       *store.Client
	state    int
}

// Hello is the first.
func (h *Handshake) Hello(ctx context.Context) error {
	h.stepLock.Lock()
	defer h.stepLock.Unlock()
	h.state = 1
	return h.db.Put(ctx, "hello") // hint lock-held-across-wait
}

// Proof is the second.
func (h *Handshake) Proof(ctx context.Context) error {
	h.stepLock.Lock()
	defer h.stepLock.Unlock()
	h.state = 2
	return h.db.Put(ctx, "proof") // hint lock-held-across-wait
}

// Confirm is the third.
func (h *Handshake) Confirm(ctx context.Context) error {
	h.stepLock.Lock()
	defer h.stepLock.Unlock()
	h.state = 3
	return h.db.Put(ctx, "confirmed") // hint lock-held-across-wait
}

// State asks nobody.
func (h *Handshake) State() int {
	h.stepLock.Lock()
	defer h.stepLock.Unlock()
	return h.state
}

// Orders has a lock by which most only look.
type Orders struct {
	orderLock sync.Mutex
	db        *store.Client
	all       []string
}

// Add asks the database under it.
func (o *Orders) Add(ctx context.Context, name string) error {
	o.orderLock.Lock()
	defer o.orderLock.Unlock()
	o.all = append(o.all[:0], name)
	return o.db.Put(ctx, name) // warn lock-held-across-wait
}

// Len looks.
func (o *Orders) Len() int {
	o.orderLock.Lock()
	defer o.orderLock.Unlock()
	return len(o.all)
}

// Session waits for an answer, which may be there.
type Session struct {
	mu     sync.Mutex
	answer chan string
	last   string
}

// Answer is not known to be asked by many.
func (s *Session) Answer() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = <-s.answer // hint lock-held-across-wait
	return s.last
}

// Last is what others ask.
func (s *Session) Last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Desk is the same before requests.
type Desk struct {
	mu     sync.Mutex
	answer chan string
	last   string
}

// ServeHTTP keeps all other requests until there is an answer.
func (d *Desk) ServeHTTP(http.ResponseWriter, *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = <-d.answer // warn lock-held-across-wait
}

// Line connects, and tries again.
type Line struct {
	mu    sync.Mutex
	pause time.Duration
	up    bool
}

// Up is what others ask.
func (l *Line) Up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up
}

// Reconnect makes what all others want.
func (l *Line) Reconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	time.Sleep(l.pause) // hint lock-held-across-wait
	l.up = true
}

// Measure only looks at it.
func (l *Line) Measure() {
	l.mu.Lock()
	defer l.mu.Unlock()
	time.Sleep(l.pause) // warn lock-held-across-wait
	l.up = false
}

// Fan has subscribers that may be slow, each with its own channel.
type Fan struct {
	mu   sync.Mutex
	subs map[string]*subscriber
}

type subscriber struct {
	to chan string
}

// Tell waits for the slowest.
func (f *Fan) Tell(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, sub := range f.subs {
		to := sub.to
		to <- s // warn lock-held-across-wait
	}
}

// Serve answers one after the other; whoever asked is there to receive.
func (f *Fan) Serve(asked <-chan *subscriber) {
	for sub := range asked {
		f.mu.Lock()
		to := sub.to
		to <- "" // hint lock-held-across-wait
		f.mu.Unlock()
	}
}
