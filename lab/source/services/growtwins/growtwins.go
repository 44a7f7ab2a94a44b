// Package growtwins keeps what there is a bound for, or gives it back, and beside that what grows.
package growtwins

import (
	"encoding/binary"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

type relay struct{ host string }

type registry struct {
	mu     sync.Mutex
	relays []*relay
	last   []*relay
	order  []*relay
}

// Evict puts the last into the place of the one that goes.
func (r *registry) Evict(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, known := range r.relays {
		if known.host == host {
			last := len(r.relays) - 1
			r.relays[i] = r.relays[last]
			r.relays = r.relays[:last] // hint slots-not-cleared
			return
		}
	}
}

// Again appends after it has taken one out.
func (r *registry) Again(one *relay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, known := range r.order {
		if known.host == one.host {
			r.order = append(r.order[:i], r.order[i+1:]...) // hint slots-not-cleared
			break
		}
	}
	r.order = append(r.order, one)
}

// Pop leaves the last one where it was.
func (r *registry) Pop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = r.last[:len(r.last)-1] // warn slots-not-cleared
}

type conns struct {
	mu     sync.Mutex
	byKind map[string][]*relay
}

// Cleanup cuts off the front of each list, which is its own.
func (c *conns) Cleanup(good int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, stack := range c.byKind {
		c.byKind[kind] = stack[good:]
	}
}

// dataServer keeps the rows of one message after another.
type dataServer struct {
	values [][]byte
	name   []byte
}

// Decode cuts a message into its parts.
func (d *dataServer) Decode(w http.ResponseWriter, req *http.Request, src []byte) {
	at := 0
	for i := range d.values { // hint config-length-loop
		n := int(binary.BigEndian.Uint32(src[at:]))
		at += 4
		d.values[i] = src[at : at+n] // hint slice-kept
		at += n
	}
}

// Name keeps one part of it.
func (d *dataServer) Name(w http.ResponseWriter, req *http.Request, src []byte) {
	n := int(src[0])
	d.name = src[1 : 1+n] // warn slice-kept
}

type sorted struct {
	grpc_health_v1.Health_WatchServer
	all []*relay
}

// Add keeps what belongs to one answer.
func (s *sorted) Add(one *relay) {
	s.all = append(s.all, one)
}

type reportService struct {
	mu      sync.Mutex
	dsn     string
	clients map[string]*relay
	seen    map[string]time.Time
}

// Report asks for the client of the one address that it is configured with.
func (s *reportService) Report(w http.ResponseWriter, r *http.Request) {
	s.send(s.dsn)
}

func (s *reportService) send(dsn string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.clients[dsn] == nil {
		s.clients[dsn] = &relay{host: dsn} // hint map-only-grows
	}
}

// See keeps one for each user.
func (s *reportService) See(w http.ResponseWriter, r *http.Request) {
	s.note(r.FormValue("user"))
}

func (s *reportService) note(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[user] = time.Now() // warn map-only-grows
}

type api struct {
	status func() []relay
	conf   struct {
		mu     sync.Mutex
		relays []relay
	}
}

// Stores groups what a function gives it.
func (a *api) Stores(w http.ResponseWriter, r *http.Request) {
	byHost := map[string]relay{}
	for _, one := range a.status() {
		byHost[one.host] = one // hint rebuilt-per-request
	}
	use(byHost)
}

// Known groups what all requests share.
func (a *api) Known(w http.ResponseWriter, r *http.Request) {
	byHost := map[string]relay{}
	for _, one := range a.conf.relays {
		byHost[one.host] = one // warn rebuilt-per-request
	}
	use(byHost)
}

// List makes an answer of what all requests share.
func (a *api) List(w http.ResponseWriter, r *http.Request) {
	hosts := map[string]relay{}
	for _, one := range a.conf.relays {
		hosts[one.host] = one // hint rebuilt-per-request
	}
	_ = json.NewEncoder(w).Encode(hosts)
}

func use(all map[string]relay) {}
