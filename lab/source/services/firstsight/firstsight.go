// Package firstsight has what was told wrongly of projects that nobody had looked at, and beside each the twin
// that is so.
package firstsight

import (
	"net"
	"net/http"
	"sync"
	"time"

	"example.org/graceful"
)

// Topic has subscribers, and a lock of its own.
type Topic struct {
	mu   sync.Mutex
	subs []chan int
	old  []int
}

// subscribeAll hands its lock to the goroutine that replays what is old.
func (t *Topic) subscribeAll(replay bool) chan int {
	c := make(chan int, 8)
	t.mu.Lock()
	if !replay {
		defer t.mu.Unlock()
		t.subs = []chan int{c}
		return c
	}
	go func() {
		defer t.mu.Unlock()
		t.subs = []chan int{c}
	}()
	return c
}

// subscribeTwin starts a goroutine that takes the lock itself: nobody gives back the one that is held here.
func (t *Topic) subscribeTwin(replay bool) chan int {
	c := make(chan int, 8)
	t.mu.Lock() // want lock-not-released
	if !replay {
		t.subs = []chan int{c}
		t.mu.Unlock()
		return c
	}
	go func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.subs = []chan int{c}
	}()
	return c
}

// Volume is one of many.
type Volume struct {
	syncMu, dataMu sync.Mutex
	size           int64
}

func lookup(names []string) []*Volume { return nil }

// shrink holds all of them on purpose.
func shrink(names []string) (n int64) {
	for _, v := range lookup(names) {
		v.dataMu.Lock()
		defer v.dataMu.Unlock() // hint defer-in-loop
	}
	return n
}

// shrinkTwin works on one in each round, and holds those before for nothing.
func shrinkTwin(names []string) (n int64) {
	for _, v := range lookup(names) {
		v.dataMu.Lock()
		defer v.dataMu.Unlock() // warn defer-in-loop
		n += v.size
		v.size = 0
	}
	return n
}

// lockAll takes both of each in one order; those of the round before are of another volume.
func lockAll(names []string) func() {
	var locked []*Volume
	for _, name := range names {
		v := lookup([]string{name})[0]
		v.syncMu.Lock()
		v.dataMu.Lock()
		locked = append(locked, v)
	}
	return func() {
		for _, v := range locked {
			v.dataMu.Unlock()
			v.syncMu.Unlock()
		}
	}
}

// Part is the twin: the two orders are of one and the same.
type Part struct{ syncMu, dataMu sync.Mutex }

func (p *Part) write() {
	p.syncMu.Lock()
	defer p.syncMu.Unlock()
	p.dataMu.Lock()
	defer p.dataMu.Unlock()
}

func (p *Part) read() {
	p.dataMu.Lock()
	defer p.dataMu.Unlock()
	p.syncMu.Lock() // warn lock-order
	defer p.syncMu.Unlock()
}

// serve hands its server to who sets the timeouts of it.
func serve(h http.Handler) error {
	srv := graceful.WithDefaults(&http.Server{Addr: ":80", Handler: h}) // hint server-no-timeout
	return srv.ListenAndServe()
}

func serveTwin(h http.Handler) error {
	srv := &http.Server{Addr: ":80", Handler: h} // warn server-no-timeout
	return srv.ListenAndServe()
}

// Upstream asks another service.
type Upstream struct {
	transport *http.Transport
	client    *http.Client
}

func newUpstream() *Upstream {
	u := &Upstream{}
	u.transport = &http.Transport{ResponseHeaderTimeout: 10 * time.Second}
	u.client = &http.Client{Transport: u.transport} // hint client-no-timeout
	return u
}

func newUpstreamTwin() *Upstream {
	u := &Upstream{}
	u.transport = &http.Transport{DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}
	u.client = &http.Client{Transport: u.transport} // warn client-no-timeout
	return u
}

func (u *Upstream) ask() error {
	resp, err := u.client.Get("http://upstream/")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// byOwner gathers: there may be one owner of all of them.
func byOwner(rows []string) map[byte][]string {
	all := make(map[byte][]string) // hint make-without-size
	for _, row := range rows {
		all[row[0]] = append(all[row[0]], row)
	}
	return all
}

func byName(rows []string) map[string]bool {
	all := make(map[string]bool) // hint make-without-size
	for _, row := range rows {
		all[row] = true
	}
	return all
}

func count(w http.ResponseWriter, r *http.Request) {
	rows := r.URL.Query()["row"]
	w.WriteHeader(len(byOwner(rows)) + len(byName(rows)))
}

// Rights are read by all requests and changed by some.
type Rights struct {
	mu     sync.RWMutex
	names  map[string]int
	groups map[string]int
}

func (s *Rights) put(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	names := make(map[string]int, len(s.names))
	for k, v := range s.names {
		names[k] = v
	}
	groups := make(map[string]int, len(s.groups))
	for k, v := range s.groups {
		groups[k] = v // hint rebuilt-per-request
	}
	s.mu.RUnlock()
	if groups["admin"] > 0 {
		names[r.URL.Path] = 1
	}
	s.mu.Lock()
	s.names = names
	s.mu.Unlock()
}

func (s *Rights) show(w http.ResponseWriter, r *http.Request) {
	s.mu.RLock()
	groups := make(map[string]int, len(s.groups))
	for k, v := range s.groups {
		groups[k] = v // warn rebuilt-per-request
	}
	s.mu.RUnlock()
	w.WriteHeader(groups[r.URL.Path])
}
